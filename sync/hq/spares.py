"""Connections to PostgreSQL that pages use one after the other: opening one costs more than a cheap page.

Rules of this room
- A connection is lent to one request at a time. Before that it answers a question, so that a server which was restarted
  meanwhile is no error on a page; one that does not answer is closed, and another is taken or opened.
- Only one that is whole comes back: open, outside of any transaction, and of a request that met no error.
- A few are kept. One that nobody has needed for long is not lent again, and all go when the page ends.
- Statements are planned for their values each time, as on a new connection: a plan that is made once does not know
  which days of events are asked for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from sync.hq import sql
from sync.hq.sql import Db

MOST = 4
KEPT_S = 120.0


class Spares:
    """Connections to one store, opened by `opened`. Safe to ask from several threads."""

    def __init__(
        self, opened: Callable[[], Db], most: int = MOST, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._opened, self._most, self._clock = opened, most, clock
        self._kept: list[tuple[float, Db]] = []  # since when; the newest last
        self._lock = threading.Lock()

    def lend(self) -> Db:
        """A connection that answers. Raises what opening one raises."""
        for old in self._old():  # whatever stands between may have forgotten it
            _close(old)
        while db := self._newest():
            if _answers(db):
                return db
            _close(db)
        db = self._opened()
        db.raw.prepare_threshold = None
        return db

    def give_back(self, db: Db, whole: bool) -> None:
        """Take it back; `whole` is False when the request met an error."""
        done = self._old()
        if not (whole and _is_idle(db) and self._keep(db)):
            done.append(db)
        for each in done:
            _close(each)

    def close(self) -> None:
        """Close all that are kept."""
        while db := self._newest():
            _close(db)

    def _keep(self, db: Db) -> bool:
        with self._lock:
            if len(self._kept) >= self._most:
                return False
            self._kept.append((self._clock(), db))
            return True

    def _newest(self) -> Db | None:
        with self._lock:
            return self._kept.pop()[1] if self._kept else None

    def _old(self) -> list[Db]:
        """Those that nobody has needed for long, taken out."""
        before = self._clock() - KEPT_S
        with self._lock:
            old = [db for since, db in self._kept if since < before]
            self._kept = [(since, db) for since, db in self._kept if since >= before]
        return old


def _answers(db: Db) -> bool:
    try:
        return not db.raw.closed and db.value("SELECT 1 AS one") == 1
    except sql.errors():
        return False


def _is_idle(db: Db) -> bool:
    raw = db.raw
    return not raw.closed and not raw.broken and raw.info.transaction_status.name == "IDLE"


def _close(db: Db) -> None:
    with suppress(*sql.errors()):  # it may be gone already
        db.close()
