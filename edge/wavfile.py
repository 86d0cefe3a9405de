"""WAV files as this house has them: 8 kHz, 16 bit, one channel, linear PCM; found in a file's bytes, and made.

A file made elsewhere may carry more chunks than `fmt ` and `data`, in front and behind, and one that came through a
pipe does not know its own length. What cannot be played as it is raises WavError, in words for whoever made it.
Source: Multimedia Programming Interface and Data Specifications 1.0 (IBM, Microsoft 1991), section 3.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

RATE = 8000  # as in dialogue, which this room does not know
HEADER = 44  # bytes before the samples in a file of ours
_PCM, _EXTENSIBLE = 1, 0xFFFE
_LONGEST = 0xFFFF_FFFF - HEADER

Buffer = bytes | bytearray | memoryview


class WavError(ValueError):
    """The file cannot be played as it is; str() says why, without the file's name."""


def data_of(buffer: Buffer) -> tuple[int, int]:
    """Where the samples of a file lie: offset and length in bytes, an even length, within the buffer.

    Raises WavError for what is no WAV file, and for sound of another rate, width or number of channels."""
    if len(buffer) < 12 or bytes(buffer[:4]) != b"RIFF" or bytes(buffer[8:12]) != b"WAVE":
        raise WavError("this is no WAV file")
    known = False
    for name, at, length in _chunks(buffer):
        if name == b"fmt ":
            _check(bytes(buffer[at : at + length]))
            known = True
        elif name == b"data":
            if not known:
                raise WavError("the WAV file does not say what its sound is")
            return at, length & ~1
    raise WavError("the WAV file has no sound in it")


def header(length: int) -> bytes:
    """The 44 bytes before `length` bytes of samples."""
    if not 0 <= length <= _LONGEST:
        raise ValueError(f"a WAV file cannot hold {length} bytes")
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", length + HEADER - 8, b"WAVE",
        b"fmt ", 16, _PCM, 1, RATE, RATE * 2, 2, 16, b"data", length,
    )  # fmt: skip


def _chunks(buffer: Buffer) -> Iterator[tuple[bytes, int, int]]:
    """Name, offset and length of each chunk, none of them longer than what is there."""
    at = 12
    while at + 8 <= len(buffer):
        name, length = struct.unpack_from("<4sI", buffer, at)
        yield name, at + 8, min(length, len(buffer) - at - 8)
        at += 8 + length + (length & 1)


def _check(form: bytes) -> None:
    """Raises WavError unless a `fmt ` chunk says 8 kHz, 16 bit, one channel."""
    if len(form) < 16:
        raise WavError("the WAV file is cut off")
    kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", form)
    if kind == _EXTENSIBLE and len(form) >= 26:
        kind = struct.unpack_from("<H", form, 24)[0]
    if kind != _PCM:
        raise WavError("its sound is compressed; wanted: plain PCM, 8000 Hz, 16 bit, one channel")
    if (channels, rate, bits) != (1, RATE, 16):
        raise WavError(f"it has {rate} Hz, {bits} bit, {channels} channels; wanted: 8000 Hz, 16 bit, one channel")
