"""A recording: a WAV file that grows while the caller talks.

The header comes first, with the length that is there, and is mended at the end; samples are written in blocks of a
second, so that a crash loses no more. All of this happens in a worker. A take that a crash left behind is mended when
the line starts again. Nothing is ever recorded over a file that exists.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable

from edge.audio.worker import Worker
from edge.dialogue import RATE
from edge.wavfile import HEADER, header

BLOCK = RATE * 2  # a second
FULL = "no room on the disk"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Tell = Callable[[dict[str, object]], None]


class Take:
    """A recording under way. `tell` is called once, from the worker's thread, with `recorded` or `failed`."""

    def __init__(self, number: int, path: str, most_s: float, card: Worker, tell: Tell) -> None:
        self.number = number
        self._path, self._card, self._tell = path, card, tell
        self._left = int(most_s * RATE) * 2
        self._block = bytearray()
        self._fd, self._written, self._told = -1, 0, False  # the worker's
        card.do(self._begin)

    def add(self, pcm: bytes) -> bool:
        """More of the caller, whole samples. False when it has all that it may have: then `end` it."""
        pcm = pcm[: self._left]
        self._left -= len(pcm)
        self._block += pcm
        if len(self._block) >= BLOCK:
            self._hand_over()
        return self._left > 0

    def end(self, keep: bool, speech_ms: int) -> None:
        """Close it, on disk; without `keep` its file goes."""
        self._hand_over()
        self._card.do(lambda: self._close(keep, speech_ms))

    def _hand_over(self) -> None:
        block, self._block = bytes(self._block), bytearray()
        self._card.do(lambda: self._write(block))

    # ------------------------------------------------------------------- in the worker's thread

    def _begin(self) -> None:
        try:
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            _write_all(self._fd, header(0))
        except OSError as error:
            self._fail(error)

    def _write(self, block: bytes) -> None:
        if self._told:
            return
        try:
            _write_all(self._fd, block)
            self._written += len(block)
        except OSError as error:
            self._fail(error)

    def _close(self, keep: bool, speech_ms: int) -> None:
        if self._told:
            return
        ms = self._written * 1000 // (RATE * 2)
        try:
            if keep:
                digest = _seal(self._fd, self._path)
            else:
                os.unlink(self._path)
                digest = ""
            os.close(self._fd)
        except OSError as error:
            self._fail(error)
            return
        self._told = True
        told = {"ms": ms, "speech_ms": speech_ms, "sha256": digest}
        self._tell({"recorded": told, "take": self.number})

    def _fail(self, error: OSError) -> None:
        """Close what was got as well as it goes, and say why."""
        self._told = True
        if self._fd >= 0:
            try:
                _seal(self._fd, self._path)
            except OSError:
                pass  # `mend` will see to it
            os.close(self._fd)
        why = FULL if error.errno in _NO_ROOM else os.strerror(error.errno or errno.EIO)
        self._tell({"failed": why, "take": self.number})


def mend(path: str | os.PathLike[str]) -> int:
    """Give a take that a crash left behind a header that says what is there; returns its length in milliseconds, 0
    when there is nothing. Raises OSError."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    try:
        _seal(fd, path)
        return max(0, os.fstat(fd).st_size - HEADER) * 1000 // (RATE * 2)
    finally:
        os.close(fd)


def sha256(path: str | os.PathLike[str]) -> str:
    """The digest of a whole file, hex. Raises OSError."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _seal(fd: int, path: str | os.PathLike[str]) -> str:
    """Drop an odd byte, say the length in the header, and have all of it on disk, its name too. Returns the digest."""
    length = max(0, os.fstat(fd).st_size - HEADER) & ~1
    os.ftruncate(fd, HEADER + length)
    os.pwrite(fd, header(length), 0)
    os.fsync(fd)
    folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return sha256(path)


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
