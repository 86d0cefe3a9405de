"""HQ's folder of recordings: what a parcel does to it.  It works within the store's transaction.

Rules of this room
- `<data>/recordings/<box>/<store>-<seq>.opus` is a whole recording that fitted its digest; `.part` behind the name: one
  on its way. Both names are made of what the wire checked (letters, digits, `-`), so nothing else is ever written.
- Only a recording whose row is here, and is that box's, is taken, and only one that a recording can be as great as.
- `recording_file.have` is the truth: so many bytes were on the disk, synchronised, before that number was committed.
  What stands in the file beyond it never was acknowledged and is written over.
- A piece is taken for what it has beyond `have`, and one that begins beyond it for nothing: so repeats and a false
  order do no harm. The whole is believed only when it fits its digest; after the third time that it does not, never.
- A disk that refuses costs sound and not a row: the box is asked to come again later, and there is an alarm.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sync import wire
from sync.hq.sql import Db

FOLDER = "recordings"
CODECS = ("opus",)
WRONG_MOST = 3

_FILE = "SELECT bytes, sha256, have, wrong, done_ms FROM recording_file WHERE store_id = :store_id AND seq = :seq"
_KNOWN = "SELECT 1 AS known FROM event WHERE store_id = :store_id AND seq = :seq AND kind = 'recording' AND \"of\" = 0"
_KEEP = (
    "INSERT INTO recording_file VALUES (:store_id, :seq, :codec, :bytes, :sha256, :have, :wrong, :done_ms)"
    " ON CONFLICT (store_id, seq) DO UPDATE SET codec = excluded.codec, bytes = excluded.bytes,"
    " sha256 = excluded.sha256, have = excluded.have, wrong = excluded.wrong, done_ms = excluded.done_ms"
)


def where(box: str, store: str, seq: int, codec: str = "opus") -> str:
    """The path of a whole recording, relative to HQ's data folder."""
    return f"{FOLDER}/{box}/{store}-{seq}.{codec}"


def fresh(offset: int, chunk: bytes, have: int) -> bytes:
    """What of a piece is new, and next, when `have` bytes are here."""
    return chunk[have - offset :] if offset <= have else b""


@dataclass(slots=True)
class _File:
    """A row of `recording_file` as the transaction will leave it."""

    have: int = 0
    wrong: int = 0
    done_ms: int | None = None


class Recordings:
    """The folder below `data`, written by the store of `db` alone. `alarm` is told box, store, kind and words."""

    def __init__(self, db: Db, data: Path, alarm: Callable[[str, str, str, str], None]) -> None:
        self._db, self._data, self._alarm = db, data, alarm

    def take(self, box: str, store_id: int, parcel: wire.Parcel, now_ms: int) -> wire.Held:
        """What a box is told after this parcel of one of its own ledgers. Raises the store's errors only."""
        row = self._db.row(_FILE, store_id=store_id, seq=parcel.seq)
        if row and row["done_ms"] is not None:
            return _held(parcel, row["bytes"], "done")
        if not row and not self._db.row(_KNOWN, store_id=store_id, seq=parcel.seq):
            return _held(parcel, 0, "unknown")
        if parcel.codec not in CODECS or not 0 < parcel.total <= wire.MAX_SOUND:
            return _held(parcel, 0, f"refused: {'size' if parcel.codec in CODECS else 'codec'}")
        same = row and (row["bytes"], row["sha256"]) == (parcel.total, parcel.sha256)
        file = _File(row["have"], row["wrong"]) if row and same else _File()
        if file.wrong >= WRONG_MOST:
            return _held(parcel, 0, "refused: digest")
        try:
            self._write(self._data / where(box, parcel.store, parcel.seq, parcel.codec), parcel, file, now_ms)
        except OSError as error:
            self._alarm("", "", "recordings", f"recordings cannot be written: {error.strerror}")
            return _held(parcel, 0, "later")
        self._db.run(
            _KEEP, store_id=store_id, seq=parcel.seq, codec=parcel.codec, bytes=parcel.total, sha256=parcel.sha256,
            have=file.have, wrong=file.wrong, done_ms=file.done_ms,
        )  # fmt: skip
        if file.wrong >= WRONG_MOST:
            words = f"recording {parcel.seq} does not fit its digest, however often it is sent"
            self._alarm(box, parcel.store, "digest", words)
            return _held(parcel, 0, "refused: digest")
        return _held(parcel, file.have, "" if file.done_ms is None else "done")

    def _write(self, whole: Path, parcel: wire.Parcel, file: _File, now_ms: int) -> None:
        part = whole.with_name(f"{whole.name}.part")
        whole.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not part.exists() and whole.exists() and _fits(whole, parcel):
            file.have, file.done_ms = parcel.total, now_ms  # a power cut came between its name and the commit
            return
        file.have = min(file.have, part.stat().st_size if part.exists() else 0)
        if piece := fresh(parcel.offset, parcel.chunk, file.have):
            _append(part, piece, file.have)
            file.have += len(piece)
        if file.have < parcel.total:
            return
        if _fits(part, parcel):
            part.rename(whole)
            _sync(whole.parent)
            file.done_ms = now_ms
        else:
            part.unlink()
            file.have, file.wrong = 0, file.wrong + 1


def _held(parcel: wire.Parcel, have: int, state: str) -> wire.Held:
    return wire.Held(parcel.store, parcel.seq, have, state)


def _fits(file: Path, parcel: wire.Parcel) -> bool:
    return hashlib.sha256(file.read_bytes()).digest() == parcel.sha256


def _append(part: Path, piece: bytes, at: int) -> None:
    """`piece` is on the disk, from `at` on and nothing behind it, when this returns."""
    opened = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(opened, at)
        if os.pwrite(opened, piece, at) != len(piece):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(opened)
    finally:
        os.close(opened)


def _sync(folder: Path) -> None:
    """The names in `folder` are on the disk when this returns."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
