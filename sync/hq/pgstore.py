"""The events store in PostgreSQL: what is different from one file with one writer.

Rules of this room
- Several receivers write at once, each its shards; also two who by mistake own the same one stay correct: the rows of
  `store` that a group speaks of are locked first, in the order of their ids, and read under that lock.
- A group's rows are one COPY, its marks one UPDATE. A row is written as the chain takes it: the field separator can
  stand in no field, and backslash and ends of lines are escaped.
- `event` is cut by days of `at_ms`. A day gets its partition when a row of a trusted clock asks for it, and only within
  `PAST_DAYS` of HQ's own clock, a few in one transaction: all other rows lie in `event_wild`, as good as any.
- A deadlock or a failed serialization rolls back, and the same group is tried again from what is on disk. All other
  errors are treated as in SQLite.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path

from psycopg import errors

from sync import wire
from sync.hq import schema
from sync.hq.gather import Issues
from sync.hq.intake import TRUSTED, Group, Ledger, Read
from sync.hq.store import LEDGERS, QUARANTINE_BYTES, Answers, Store, ledger, marks

DAY_MS = 86_400_000
PAST_DAYS, FUTURE_DAYS = 400, 1  # of HQ's clock: days that may have a partition of their own
NEW_DAYS = 16  # partitions made in one transaction
TRIES = 30
_MOST_S = 0.5  # the longest pause before another try

_LOCKED = f"{LEDGERS} WHERE s.store = ANY(:names) ORDER BY s.id FOR UPDATE OF s"
_COPY = "COPY event FROM STDIN (DELIMITER E'\\x1f')"
_MARKS = """
UPDATE store AS s SET hwm = m.hwm, chain = m.chain, last = m.last, as_of_ms = m.as_of_ms, complete_ms = m.complete_ms,
    last_call_ms = m.last_call_ms, seen_ms = m.seen_ms
FROM unnest(
    %s::bigint[], %s::bytea[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[]
) AS m (hwm, chain, last, as_of_ms, complete_ms, last_call_ms, seen_ms, id)
WHERE s.id = m.id
"""
_SEEN = """
UPDATE box SET seen_ms = :ms WHERE box IN (SELECT box FROM box WHERE box = ANY(:boxes) ORDER BY box FOR UPDATE)
"""
_DAYS = "SELECT relname FROM pg_class WHERE relname ~ '^event_d[0-9]+$' AND relkind = 'r'"
_BY_DAYS = 6_472_226  # the advisory lock under which partitions are made
_NEW_DAY = """
CREATE TABLE {name} (LIKE event INCLUDING DEFAULTS);
WITH moved AS (DELETE FROM event_wild WHERE at_ms >= {begin} AND at_ms < {end} RETURNING *)
    INSERT INTO {name} SELECT * FROM moved;
ALTER TABLE event ATTACH PARTITION {name} FOR VALUES FROM ({begin}) TO ({end})
"""


class PgStore(Store):
    """A connection of one receiver. `data` is the folder of its recordings."""

    def __init__(
        self, url: str, data: Path, quarantine_bytes: int = QUARANTINE_BYTES, issues: Issues | None = None
    ) -> None:
        """Raises `sql.Unavailable`, or the errors of psycopg."""
        self._days: set[int] = set()  # that have a partition
        self._start(schema.postgres(url), data, quarantine_bytes, issues)
        self._days = self._partitions()

    def _once(self, messages: Sequence[Read], now_ms: int) -> Answers:
        for left in range(TRIES, 0, -1):
            try:
                return super()._once(messages, now_ms)
            except (errors.DeadlockDetected, errors.SerializationFailure):
                if left == 1:
                    raise
                self._forget()
                time.sleep(random.uniform(0, _MOST_S * (1 - left / (TRIES + 1))))
        raise AssertionError("unreachable")

    def _forget(self) -> None:
        super()._forget()
        self._days = self._partitions()

    def _ledgers(self, names: Sequence[str]) -> dict[str, Ledger]:
        return {row["store"]: ledger(row) for row in self._db.rows(_LOCKED, names=list(names))} if names else {}

    # --------------------------------------------------------------------------------------- days

    def _prepare(self, messages: Sequence[Read], now_ms: int) -> None:
        """Make the partitions that these rows ask for, before any ledger is locked."""
        today = now_ms // DAY_MS
        asked = {
            row[5] // DAY_MS
            for each in messages
            if isinstance(each.message, wire.Batch)
            for row in each.message.rows
            if row[6] >= TRUSTED
        }
        new = {day for day in asked - self._days if today - PAST_DAYS <= day <= today + FUTURE_DAYS}
        if not new:
            return
        self._db.run("SELECT pg_advisory_xact_lock(:number)", number=_BY_DAYS)
        new -= self._partitions()
        for day in sorted(new, reverse=True)[:NEW_DAYS]:
            name = f"event_d{day}"
            for statement in _NEW_DAY.format(name=name, begin=day * DAY_MS, end=(day + 1) * DAY_MS).split(";"):
                self._db.raw.execute(statement)
        self._days = self._partitions()

    def _partitions(self) -> set[int]:
        return {int(row["relname"].removeprefix("event_d")) for row in self._db.rows(_DAYS)}

    # ------------------------------------------------------------------------------------ writing

    def _write(self, group: Group) -> None:
        if group.kept:
            with self._db.raw.cursor() as cursor, cursor.copy(_COPY) as copy:
                for kept in group.kept:
                    copy.write(lines(kept.ledger.id, kept.lines, group.now_ms))

    def _seen(self, boxes: Sequence[str], now_ms: int) -> None:
        if boxes:
            self._db.run(_SEEN, boxes=list(boxes), ms=now_ms)

    def _marks(self, group: Group) -> None:
        if written := marks(group):
            self._db.raw.execute(_MARKS, [list(column) for column in zip(*written, strict=True)])


def lines(number: int, rows: Sequence[bytes], now_ms: int) -> bytes:
    """Rows of a ledger as COPY takes them."""
    plain = b"".join(rows)
    if b"\\" in plain or b"\n" in plain or b"\r" in plain:
        rows = [row.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r") for row in rows]
    head, tail = b"%d\x1f" % number, b"\x1f%d\n" % now_ms
    return head + (tail + head).join(rows) + tail
