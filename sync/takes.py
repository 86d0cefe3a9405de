"""Which recordings HQ shall have, and their sound, made small: found in the ledgers row by row, encoded one at a time.

Rules of this room
- A take is wanted from the row that says `kept` until HQ has it, the line has erased it, or nobody can make it small.
- Grievances come first, then the oldest.
- What lies ready is compared with the digest in the book each time it is taken up; what does not fit is made again.
- A ledger is read a few rows at a time, so that a great one delays nothing; one that cannot be read costs only itself.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge import recordings
from sync.book import Book

ROWS = 2000  # read of each ledger in one look
AHEAD = 3  # takes that lie ready at most, besides those of grievances
TRIES = 3  # to make one small
_AGAIN_S, _NO_ENCODER_S = 60.0, 600.0
_FILE = re.compile(r"[0-9a-f]{8}-[0-9]{1,16}\.wav")

Key = tuple[str, int]


class Ledger(Protocol):
    """What of `edge.ledger.Reader` is needed; each call may raise `sqlite3.Error`."""

    store: str

    def rows(self, after: int, limit: int) -> list[tuple[object, ...]]: ...


class Work(Protocol):
    """An encoder at work, as `edge.recordings.Encoding` is."""

    def poll(self) -> str | None: ...
    def stop(self) -> None: ...


@dataclass(slots=True)
class Take:
    """One recording. `size` is 0 until its sound lies ready; `have` is what HQ holds of it, None: HQ must be asked."""

    store: str
    seq: int
    case: bool
    at_ms: int
    file: str
    size: int = 0
    sha256: bytes = b""
    have: int | None = None
    retry_at: float = 0.0
    tries: int = 0

    @property
    def key(self) -> Key:
        return self.store, self.seq

    @property
    def rank(self) -> tuple[bool, int, str, int]:
        return not self.case, self.at_ms, self.store, self.seq


def _told(extra: object) -> dict[str, object]:
    """What a row says besides its columns; one on a failing card may say anything."""
    try:
        told = json.loads(str(extra))
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


class Takes:
    """All that is wanted and not yet at HQ, in the order in which it shall go."""

    def __init__(self, book: Book, data: Path, make: Callable[[Path, Path], Work] = recordings.Encoding) -> None:
        """`make` begins to make an Opus file of a WAV; it raises OSError when it cannot."""
        self.trouble = ""  # why nothing can be made small now
        self._book, self._data, self._make = book, data, make
        self._wanted: dict[Key, Take] = {}
        self._begun: dict[Key, Take] = {}
        self._after: dict[str, int] = {}
        self._order: list[Take] | None = []
        self._work: tuple[Take, Work] | None = None
        self._try_at = 0.0
        self._bag: tuple[Key, bytes] | None = None
        self._sweep()

    def __len__(self) -> int:
        return len(self._wanted)

    def get(self, key: Key) -> Take | None:
        return self._wanted.get(key)

    def ordered(self) -> list[Take]:
        """Grievances first, then the oldest."""
        if self._order is None:
            self._order = sorted(self._wanted.values(), key=lambda take: take.rank)
        return self._order

    # ------------------------------------------------------------------------------------- found

    def look(self, ledgers: Iterable[Ledger]) -> None:
        """Read on in each ledger."""
        for ledger in ledgers:
            with suppress(sqlite3.Error):  # the courier says it
                rows = ledger.rows(self._after.get(ledger.store, 0), ROWS)
                for row in rows:
                    if row[2] == "recording":
                        self._row(ledger.store, row)
                if rows:
                    self._after[ledger.store] = int(str(rows[-1][0]))

    def again(self, store: str) -> None:
        """HQ was put back to an older state: all takes of this ledger are wanted anew, as far as they are here."""
        self._book.forget(store)
        self._after[store] = 0

    def _row(self, store: str, row: tuple[object, ...]) -> None:
        seq, of, state = int(str(row[0])), int(str(row[1])), row[10]
        if not of:
            told = _told(row[12])
            named = str(told.get("file"))
            file = named if _FILE.fullmatch(named) else recordings.name(store, seq)
            self._begun[store, seq] = Take(store, seq, told.get("case") is True, int(str(row[5])), file)
        key = (store, of or seq)
        if state == "kept" and key in self._begun:
            self._want(self._begun.pop(key))
        elif state not in ("recording", "kept", ""):
            self._begun.pop(key, None)
            if take := self._wanted.get(key):
                self.drop(take)

    def _want(self, take: Take) -> None:
        known = self._book.sound(*take.key)
        if take.key not in self._wanted and (known is None or not known.state):
            take.size, take.sha256 = (known.size, known.sha256) if known else (0, b"")
            self._wanted[take.key] = take
            self._order = None

    # -------------------------------------------------------------------------------- made small

    def idle(self, now: float) -> bool:
        """Look after the encoder: is it free?"""
        if self._work and (said := self._work[1].poll()) is not None:
            (done, _), self._work = self._work, None
            if done.key in self._wanted:
                self._made(done, said, now)
            else:
                self._off(done)  # meanwhile HQ had it, or the line erased it
        return self._work is None and now >= self._try_at

    def begin(self, take: Take, now: float) -> None:
        """Let the encoder, which is free, make this one small."""
        wav = recordings.folder(self._data) / take.file
        if not wav.exists():
            self.give_up(take, "lost: its file is gone")
            return
        try:
            self._work = take, self._make(wav, self._road(take))
            self.trouble = ""
        except OSError as error:
            self.trouble, self._try_at = str(error), now + _NO_ENCODER_S

    def _made(self, take: Take, said: str, now: float) -> None:
        try:
            sound = b"" if said else self._road(take).read_bytes()
        except OSError as error:
            sound, said = b"", str(error.strerror)
        if sound:
            take.size, take.sha256, take.have, take.tries = len(sound), hashlib.sha256(sound).digest(), 0, 0
            self._book.packed(take.store, take.seq, take.size, take.sha256)
            return
        take.tries += 1
        take.retry_at = now + _AGAIN_S * take.tries
        if take.tries >= TRIES:
            self.give_up(take, f"failed: {said or 'nothing came of it'}")

    def sound(self, take: Take) -> bytes | None:
        """The bytes that lie ready; None when they do not, or not unharmed: they will be made again."""
        if self._bag is None or self._bag[0] != take.key:
            try:
                sound = self._road(take).read_bytes()
            except OSError:
                sound = b""
            if hashlib.sha256(sound).digest() != take.sha256:
                take.size, take.sha256 = 0, b""
                return None
            self._bag = take.key, sound
        return self._bag[1]

    def _road(self, take: Take) -> Path:
        return recordings.road(self._data, take.store, take.seq)

    # ---------------------------------------------------------------------------------- the end

    def delivered(self, take: Take, at_ms: int) -> None:
        """HQ has it; `at_ms` 0: nobody knows when."""
        self._book.delivered(take.store, take.seq, at_ms)
        self.drop(take)

    def give_up(self, take: Take, why: str) -> None:
        """It will never go."""
        self._book.given_up(take.store, take.seq, why)
        self.drop(take)

    def drop(self, take: Take) -> None:
        """It is no longer wanted."""
        del self._wanted[take.key]
        self._order, self._bag = None, None
        self._off(take)

    def _off(self, take: Take) -> None:
        """Nothing of it lies on the road."""
        with suppress(OSError):
            self._road(take).unlink(missing_ok=True)

    def _sweep(self) -> None:
        """What an earlier life left on the road and nobody waits for."""
        for file in (self._data / "road").glob("*"):
            store, _, seq = file.stem.partition("-")
            known = self._book.sound(store, int(seq)) if file.suffix == ".opus" and seq.isdecimal() else None
            if known is None or known.state:
                with suppress(OSError):
                    file.unlink()

    def close(self) -> None:
        """End what is being made."""
        if self._work:
            self._work[1].stop()
