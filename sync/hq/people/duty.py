"""What the receiver does about people, since it alone writes the events store: it carries out requests to be forgotten
that are due, and lets go of what is old.

Rules of this room
- Both happen between two groups of payloads, in transactions of their own; a desk store that cannot be read now is
  read later. An error of the events store is the receiver's: it stops, starts and reads again.
- What is old is looked for once a day, an hour after the start at the earliest, and only where there can be any: the
  roll-ups tell that without looking at a row. Where much is due, a part goes each minute.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sync.hq import sql
from sync.hq.people import erasure, retention
from sync.hq.people.profiles import DAY_MS, Retention
from sync.hq.sql import Db

HOUR_MS, MINUTE_MS = 3_600_000, 60_000


class Duty:
    """`opened` opens the desk store to be read; `kept` is how long what is kept."""

    def __init__(self, opened: Callable[[], Db], data: Path, kept: Retention, now_ms: int) -> None:
        self._opened, self._data, self._kept = opened, data, kept
        self._next_ms = now_ms + HOUR_MS

    def do(self, events: Db, now_ms: int) -> list[int]:
        """One look; the ids of the requests that were carried out. Raises what the events store raises, and OSError
        when a recording's sound cannot be deleted."""
        obeyed: list[int] = []
        if desk := self._desk():
            with desk:
                obeyed = erasure.obey(events, desk, self._data, now_ms)
        if now_ms >= self._next_ms:
            more = retention.is_old(events, self._kept, now_ms) and retention.let_go(
                events, self._data, self._kept, now_ms
            )
            self._next_ms = now_ms + (MINUTE_MS if more and any(more) else DAY_MS)
        return obeyed

    def _desk(self) -> Db | None:
        """The desk store, where there is one that has requests."""
        try:
            desk = self._opened()
        except sql.errors():
            return None
        try:
            if desk.value("SELECT count(*) FROM erasure WHERE done_ms IS NULL"):
                return desk
        except sql.errors():  # older than these tables
            pass
        desk.close()
        return None
