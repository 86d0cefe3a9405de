"""A look into a ledger, one's own or another line's; nothing here writes.

Each method is its own short transaction, so that no reader ever pins the write-ahead log.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from edge.events import GENESIS, Caller, Stamp
from edge.ledger.schema import ROW, seal, unseal
from edge.rules import Claim

# States in which a reply may have reached the caller; so may one of which the network has taken some part.
_CLAIMED = "('sending', 'sent', 'delivered', 'unknown')"


class Reader:
    """A look into a ledger, its own or another line's: read only, each method its own short transaction.

    Raises FileNotFoundError when there is no such ledger, sqlite3.Error when it cannot be read."""

    def __init__(self, path: Path | str) -> None:
        if not Path(path).exists():
            raise FileNotFoundError(f"no ledger at {path}")
        self._inode = os.stat(path).st_ino
        self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5, isolation_level=None)
        meta = dict(self._db.execute("SELECT key, value FROM meta"))
        self.store, self.box, self.line = meta.get("store", ""), meta.get("box", ""), meta.get("line", "")

    def close(self) -> None:
        self._db.close()

    def is_current(self, path: Path) -> bool:
        """Is the file that this reader opened still the one at `path`? A line may have begun a new store."""
        try:
            return os.stat(path).st_ino == self._inode
        except OSError:
            return False

    def head(self) -> tuple[int, bytes]:
        """The newest seq and the chain digest after it; (0, GENESIS) while the ledger is empty."""
        row = self._db.execute("SELECT seq, chain FROM event ORDER BY seq DESC LIMIT 1").fetchone()
        return (row[0], row[1]) if row else (0, GENESIS)

    def rows(self, after: int, limit: int = 1000) -> list[tuple[object, ...]]:
        """Up to `limit` rows behind `after`, in the order of Row's fields."""
        query = f"SELECT {ROW} FROM event WHERE seq > ? ORDER BY seq LIMIT ?"
        return self._db.execute(query, (after, limit)).fetchall()

    def chain(self, seq: int) -> bytes | None:
        """The chain digest after row `seq`; None when the ledger has no such row."""
        if seq == 0:
            return GENESIS
        row = self._db.execute("SELECT chain FROM event WHERE seq = ?", (seq,)).fetchone()
        return bytes(row[0]) if row else None

    def calls_since(self, at_ms: int) -> int:
        """Calls whose frozen wall time is at or after `at_ms`."""
        query = "SELECT count(*) FROM event WHERE kind = 'call' AND of = 0 AND at_ms >= ?"
        return int(self._db.execute(query, (at_ms,)).fetchone()[0])

    def last_call(self) -> tuple[Caller, Stamp] | None:
        """Who called last, and when."""
        query = (
            "SELECT caller_kind, caller, boot, mono_ms, at_ms, clock FROM event"
            " WHERE kind = 'call' AND of = 0 ORDER BY seq DESC LIMIT 1"
        )
        row = self._db.execute(query).fetchone()
        return (Caller(row[0], unseal(row[1])), Stamp(*row[2:])) if row else None

    def last_call_seq(self) -> int:
        """The row of the call that came last, or 0."""
        query = "SELECT seq FROM event WHERE kind = 'call' AND of = 0 ORDER BY seq DESC LIMIT 1"
        row = self._db.execute(query).fetchone()
        return int(row[0]) if row else 0

    def claims(self, number: str, besides: int = 0) -> list[Claim]:
        """The replies to `number` that this line began to send and that may have arrived; not the one `besides`."""
        return self._claims("caller = ? AND direction = 'out' AND seq <> ?", (seal(number), besides))

    def spent(self, now: Stamp, besides: int = 0) -> list[Claim]:
        """The replies that may fall into today's purse of this line's SIM; not the one `besides`."""
        if not now.trusted:
            return self._claims("seq <> ?", (besides,))
        dated = self._claims("seq <> ? AND sent_at_ms > ? AND sent_clock >= 2", (besides, now.at_ms - 2 * 86_400_000))
        return dated + self._claims("seq <> ? AND sent_clock < 2", (besides,))

    def _claims(self, where: str, values: tuple[object, ...]) -> list[Claim]:
        query = (
            "SELECT campaign, parts, sent_boot, sent_mono_ms, sent_at_ms, sent_clock FROM message"
            f" WHERE {where} AND (state IN {_CLAIMED} OR refs <> '[]') AND sent_boot IS NOT NULL"
        )
        return [Claim(row[0], Stamp(*row[2:]), row[1]) for row in self._db.execute(query, values)]

    def opted_out(self, number: str) -> bool:
        return self._db.execute("SELECT 1 FROM optout WHERE caller = ?", (seal(number),)).fetchone() is not None

    def language(self, number: str) -> str:
        """The language this caller chose here, or ""."""
        row = self._db.execute("SELECT language FROM language WHERE caller = ?", (seal(number),)).fetchone()
        return row[0] if row else ""

    def counts(self) -> dict[str, int]:
        """How many messages are still to be sent, by state: queued, held, sending."""
        query = "SELECT state, count(*) FROM message WHERE state IN ('queued', 'held', 'sending') GROUP BY state"
        return dict(self._db.execute(query))

    def held(self) -> list[tuple[str, int]]:
        """Why replies are held back, and how many for each reason; the most frequent first."""
        query = (
            "SELECT reason, count(*) FROM message WHERE state IN ('queued', 'held', 'sending') AND state = 'held'"
            " GROUP BY reason ORDER BY 2 DESC, 1"  # the list of states is what makes its index usable
        )
        return self._db.execute(query).fetchall()
