"""A look into a ledger, one's own or another line's; nothing here writes.

Each method is its own short transaction, so that no reader ever pins the write-ahead log.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from edge.events import GENESIS, Caller, Stamp
from edge.ledger.schema import ROW, Callback, Case, seal, unseal
from edge.rules import Claim, Dial

# States in which a reply may have reached the caller; so may one of which the network has taken some part.
_THEIRS = "kind = 'call' AND of = 0 AND state NOT IN ('called-back', 'unreached')"  # not those that we placed
_CLAIMED = "('sending', 'sent', 'delivered', 'unknown')"
_HEARD = 20  # of the newest calls and messages of one caller it is told when they came
_VOICE = "state IN ('talked', 'called-back', 'kept')"  # as the index event_voice has it


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
        """Calls of callers whose frozen wall time is at or after `at_ms`."""
        query = f"SELECT count(*) FROM event WHERE {_THEIRS} AND at_ms >= ?"
        return int(self._db.execute(query, (at_ms,)).fetchone()[0])

    def last_call(self) -> tuple[Caller, Stamp, int] | None:
        """Who called last, when, and the row of that call."""
        query = (
            "SELECT caller_kind, caller, boot, mono_ms, at_ms, clock, seq FROM event"
            f" WHERE {_THEIRS} ORDER BY seq DESC LIMIT 1"
        )
        row = self._db.execute(query).fetchone()
        return (Caller(row[0], unseal(row[1])), Stamp(*row[2:6]), int(row[6])) if row else None

    def heard(self, number: str) -> list[Stamp]:
        """When this line heard of `number`, in calls and in messages, newest first: the newest few of each."""
        calls = f"SELECT boot, mono_ms, at_ms, clock FROM event WHERE {_THEIRS} AND caller = ?"
        written = "SELECT boot, mono_ms, at_ms, clock FROM message WHERE direction = 'in' AND caller = ?"
        return [
            Stamp(*row)
            for query in (calls, written)
            for row in self._db.execute(f"{query} ORDER BY seq DESC LIMIT {_HEARD}", (seal(number),))
        ]

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
            "SELECT campaign, parts, sent_boot, sent_mono_ms, sent_at_ms, sent_clock, purpose FROM message"
            f" WHERE {where} AND (state IN {_CLAIMED} OR refs <> '[]') AND sent_boot IS NOT NULL"
        )
        return [Claim(row[0], Stamp(*row[2:6]), row[1], row[6]) for row in self._db.execute(query, values)]

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

    # ------------------------------------------------------------------------- talks and calls of ours

    def callbacks(self) -> list[Callback]:
        """Who is to be rung back, the one who has waited longest first."""
        query = (
            "SELECT seq, campaign, caller_kind, caller, state, reason, tries, boot, mono_ms, at_ms, clock,"
            " tried_boot, tried_mono_ms, tried_at_ms, tried_clock FROM callback"
            " WHERE state IN ('due', 'held', 'placing') AND state <> 'placing' ORDER BY seq LIMIT 200"
        )
        return [
            Callback(r[0], r[1], Caller(r[2], unseal(r[3])), r[4], r[5], r[6], Stamp(*r[7:11]),
                     Stamp(*r[11:15]) if r[11] is not None else None)
            for r in self._db.execute(query)
        ]  # fmt: skip

    def dials(self, number: str) -> list[Dial]:
        """The calls that this line placed to `number`."""
        return self._dials("caller = ?", (seal(number),))

    def dialled(self, now: Stamp) -> list[Dial]:
        """The calls that this line placed and that may fall into the last 28 days, for the SIM's allowance."""
        return self._dials("at_ms > ? OR clock < 2", (now.at_ms - 28 * 86_400_000,))

    def _dials(self, where: str, values: tuple[object, ...]) -> list[Dial]:
        query = f"SELECT campaign, outcome, seconds, boot, mono_ms, at_ms, clock FROM dial WHERE {where}"
        return [Dial(r[0], r[1] == "called-back", r[2], Stamp(*r[3:])) for r in self._db.execute(query, values)]

    def open_case(self, number: str) -> Case | None:
        """The newest case of this caller that she has not called solved, or None."""
        query = (
            "SELECT seq, reference, state FROM grievance WHERE caller = ? AND state <> 'verified'"
            " ORDER BY abs(seq) DESC LIMIT 1"
        )
        row = self._db.execute(query, (seal(number),)).fetchone() if number else None
        return Case(*row) if row else None

    def case(self, reference: str) -> Case | None:
        """The case with this reference."""
        query = "SELECT seq, reference, state FROM grievance WHERE reference = ?"
        row = self._db.execute(query, (reference,)).fetchone()
        return Case(*row) if row else None

    def takes(self, *states: str) -> list[tuple[int, str]]:
        """(row, file) of the takes that are in one of these states."""
        marks = ", ".join("?" * len(states))
        return self._db.execute(f"SELECT seq, file FROM take WHERE state IN ({marks}) ORDER BY seq", states).fetchall()

    # ------------------------------------------------------------------------- for those who look on

    def voice(self, midnight_ms: int, now_ms: int) -> dict[str, int]:
        """What people are told of a line that talks: the counts below, by their names in its state file."""
        wishes, (opened, late) = self.wishes(), self.open_cases(now_ms)
        return {
            "talks_today": self.talks_since(midnight_ms), "recordings_today": self.takes_since(midnight_ms),
            "callbacks_due": wishes.get("due", 0) + wishes.get("placing", 0), "callbacks_held": wishes.get("held", 0),
            "cases_open": opened, "cases_late": late,
        }  # fmt: skip

    def talks_since(self, at_ms: int) -> int:
        """Calls that were talked on, theirs and ours, at or after wall time `at_ms`."""
        return self._voice_since("call", at_ms)

    def takes_since(self, at_ms: int) -> int:
        """Takes that were kept at or after wall time `at_ms`."""
        return self._voice_since("recording", at_ms)

    def _voice_since(self, kind: str, at_ms: int) -> int:
        query = f"SELECT count(DISTINCT of) FROM event WHERE {_VOICE} AND kind = ? AND at_ms >= ?"
        return int(self._db.execute(query, (kind, at_ms)).fetchone()[0])

    def wishes(self) -> dict[str, int]:
        """How many callers are to be rung back, by state: due, held, placing."""
        query = "SELECT state, count(*) FROM callback WHERE state IN ('due', 'held', 'placing') GROUP BY state"
        return dict(self._db.execute(query))

    def held_wishes(self) -> list[tuple[str, int]]:
        """Why callers are not rung back yet, and how many for each reason; the most frequent first."""
        query = (
            "SELECT reason, count(*) FROM callback WHERE state IN ('due', 'held', 'placing') AND state = 'held'"
            " GROUP BY reason ORDER BY 2 DESC, 1"
        )
        return self._db.execute(query).fetchall()

    def open_cases(self, at_ms: int) -> tuple[int, int]:
        """How many cases nobody has called resolved, and how many of them were due before wall time `at_ms`, as
        headquarters counts them; one whose time is not known is not late."""
        query = (
            "SELECT count(*), coalesce(sum(due_ms > 0 AND due_ms < ?), 0) FROM grievance"
            " WHERE state NOT IN ('resolved', 'verified')"
        )
        opened, late = self._db.execute(query, (at_ms,)).fetchone()
        return int(opened), int(late)

    def is_answered(self, number: int) -> bool:
        """Has headquarters' order `number` been answered here?"""
        return self._db.execute("SELECT 1 FROM done_order WHERE number = ?", (number,)).fetchone() is not None
