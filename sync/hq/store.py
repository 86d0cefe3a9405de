"""HQ's events store, open for writing: topics, bytes and the time go in, acknowledgements come out, and they may be
sent, because what they say is on disk by then.  `intake` decides, this room writes; here for SQLite, `pgstore` says
what PostgreSQL does otherwise.

Rules of this room
- One transaction takes many payloads: rows, marks, chains, counts, alarms and quarantine move together.
- What several receivers may write is written in a fixed order, so that they wait for each other and not in a ring.
- Sound goes to files (`recordings`), and what is known of it into the same transaction.
- A payload that makes its transaction fail by what it says is found by halving, and set aside: an alarm, a place in
  quarantine, and no answer, so that its box keeps the rows and comes again. All others are taken.
- Any other error of the database is never handled here: the process must stop, start and read again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from sync import wire
from sync.hq import intake, rollups, schema, sql
from sync.hq.gather import Issues
from sync.hq.intake import Group, Ledger, Read
from sync.hq.news import News
from sync.hq.people.duty import Duty
from sync.hq.recordings import Recordings
from sync.hq.sql import Db, Row

QUARANTINE_BYTES = 64 * 1024 * 1024  # kept at most; what comes beyond is counted in an alarm, not kept

_INSERT = "INSERT INTO event VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
_HELD = (
    'SELECT seq, "of", kind, boot, mono_ms, at_ms, clock, campaign, caller, caller_kind, state, seconds, extra'
    " FROM event WHERE store_id = :ledger_id AND seq BETWEEN :first AND :last"
)
LEDGERS = (
    "SELECT s.id, s.store, s.box, s.line, s.hwm, s.chain, s.last, s.as_of_ms, s.complete_ms, s.last_call_ms,"
    " s.campaign, s.language, coalesce(b.district, '') AS district, coalesce(b.timezone, '') AS timezone"
    " FROM store AS s LEFT JOIN box AS b ON b.box = s.box"
)
_ADMIT = (
    "INSERT INTO store (store, box, line, chain, admitted_ms, seen_ms) VALUES (:store, :box, :line, :chain, :ms, :ms)"
    " ON CONFLICT (store) DO NOTHING RETURNING id"
)
_MARK = (
    "UPDATE store SET hwm = ?, chain = ?, last = ?, as_of_ms = ?, complete_ms = ?, last_call_ms = ?, seen_ms = ?"
    " WHERE id = ?"
)
_BOX = (
    "INSERT INTO box VALUES (:box, :district, :timezone, :version, :ms, :ms, :as_of_ms, :clock)"
    " ON CONFLICT (box) DO UPDATE SET district = excluded.district, timezone = excluded.timezone,"
    " version = excluded.version, seen_ms = excluded.seen_ms, as_of_ms = excluded.as_of_ms, clock = excluded.clock"
)
_ALARM = (
    "INSERT INTO alarm (box, store, kind, words, times, first_ms, last_ms)"
    " VALUES (:box, :store, :kind, :words, :times, :ms, :ms) ON CONFLICT (box, store, kind)"
    " DO UPDATE SET times = alarm.times + excluded.times, words = excluded.words, last_ms = excluded.last_ms"
)
_QUARANTINE = (
    "INSERT INTO quarantine (digest, box, store, first, count, reason, first_ms, last_ms, payload)"
    " VALUES (:digest, :box, :store, :first, :count, :reason, :ms, :ms, :payload)"
    " ON CONFLICT (digest) DO UPDATE SET times = quarantine.times + 1, last_ms = excluded.last_ms"
)

# acknowledgements by topic and ledger, and what is held of recordings, by topic, ledger and row
Answers = tuple[dict[tuple[str, str], wire.Ack], dict[tuple[str, str, int], wire.Held]]


class Store:
    """The embedded store: one process at a time writes it (the receiver holds a lock on the folder)."""

    def __init__(
        self, path: Path, quarantine_bytes: int = QUARANTINE_BYTES, issues: Issues | None = None
    ) -> None:
        """`issues` names the campaigns that are options of one. Raises `sqlite3.Error` when the file is no store of
        ours or cannot be written."""
        self._start(schema.sqlite(path), path.parent, quarantine_bytes, issues)

    def _start(self, db: Db, data: Path, quarantine_bytes: int, issues: Issues | None) -> None:
        self._db, self._data, self._most = db, data, quarantine_bytes
        self._rollups = rollups.Rollups(db, issues)
        with schema.one_at_a_time(db):
            if rollups.is_stale(db, issues):
                rollups.rebuild(db, issues)
        self._room = self._left()
        self.taken = 0  # rows committed since the start
        self.greeted: set[str] = set()  # boxes that said hello in the last group
        self.answered: list[tuple[str, int]] = []  # orders that it answered: box and number

    def close(self) -> None:
        self._db.close()

    def ordered(self) -> list[tuple[str, int]]:
        """The orders that boxes have answered: box and number."""
        return [(row["box"], row["number"]) for row in self._db.rows("SELECT box, number FROM ordered")]

    def attend(self, duty: Duty, now_ms: int) -> None:
        """Between two groups: have done what this connection alone may do."""
        duty.do(self._db, now_ms)

    def district(self, box: str) -> str | None:
        """The district of a box that has said hello."""
        told = self._db.value("SELECT district FROM box WHERE box = :box", box=box)
        return None if told is None else str(told)

    # ---------------------------------------------------------------------------------- payloads

    def take(self, messages: Iterable[tuple[str, bytes]], now_ms: int, next_s: int = 0) -> list[tuple[str, bytes]]:
        """`commit` of these (topic, payload)."""
        return self.commit([intake.read(*each) for each in messages], now_ms, next_s)

    def commit(self, messages: Sequence[Read], now_ms: int, next_s: int = 0) -> list[tuple[str, bytes]]:
        """Commit what these say, and return the answers: the newest for each ledger and recording.

        `next_s` goes into each. After an exception this object is of no more use: close it and read again."""
        self.greeted, self.answered = set(), []
        acks, held = self._parted(messages, now_ms)
        return [
            (topic[:-2] + "ack", wire.pack_ack(wire.Ack(ack.store, ack.mark, ack.chain, next_s, ack.reject)))
            for (topic, _), ack in acks.items()
        ] + [(topic[:-2] + "ack", wire.pack_held(each)) for (topic, *_), each in held.items()]

    def _parted(self, messages: Sequence[Read], now_ms: int) -> Answers:
        """One transaction; where one of these cannot be kept, as many as the others need."""
        try:
            return self._once(messages, now_ms)
        except sql.of_content() as error:
            self._forget()
            if len(messages) == 1:
                self._set_aside(messages[0], error, now_ms)
                return {}, {}
        half = len(messages) // 2
        acks, held = self._parted(messages[:half], now_ms)
        more_acks, more_held = self._parted(messages[half:], now_ms)
        return acks | more_acks, held | more_held

    def _set_aside(self, message: Read, error: Exception, now_ms: int) -> None:
        """Its words are not told: they could name a voter."""
        with self._db.transaction():
            group = Group(self, {}, now_ms)
            group.set_aside(message, type(error).__name__)
            self._alarms(group)

    def _forget(self) -> None:
        """After a rollback: what is remembered is what is on disk."""
        self._room = self._left()

    def _once(self, messages: Sequence[Read], now_ms: int) -> Answers:
        """One transaction."""
        acks: dict[tuple[str, str], wire.Ack] = {}
        held: dict[tuple[str, str, int], wire.Held] = {}
        with self._db.transaction(), self._rollups.whole():
            self._prepare(messages, now_ms)
            group = Group(self, self._ledgers(sorted(intake.named(messages))), now_ms)
            for each in messages:
                for ack in group.take(each):
                    acks[each.topic, ack.store] = ack
            news = self._settle(group)
            for each, ledger in group.sound:
                answer = self._sound(group, each, ledger)
                held[each.topic, answer.store, answer.seq] = answer
            self._alarms(group)
        self.taken += sum(len(kept.rows) for kept in group.kept)
        self.greeted |= group.hellos.keys()
        self.answered += news.answered
        return acks, held

    # ---------------------------------------------------------------------- what deciding asks of us

    def rows(self, ledger_id: int, first: int, last: int) -> list[wire.WireRow]:
        found = self._db.rows(_HELD, ledger_id=ledger_id, first=first, last=last)
        return [tuple(row.values()) for row in found]

    def admit(self, box: str, head: wire.StoreHead, now_ms: int) -> Ledger:
        fresh = Ledger(0, head.store, box, head.line)
        row = self._db.row(_ADMIT, store=head.store, box=box, line=head.line, chain=fresh.chain, ms=now_ms)
        if row is None:
            return self._ledgers([head.store])[head.store]
        fresh.id = row["id"]
        return fresh

    def quarantine(self, box: str, head: wire.Head | None, reason: str, payload: bytes, now_ms: int) -> bool:
        digest = _digest(payload)
        again = "UPDATE quarantine SET times = times + 1, last_ms = :ms WHERE digest = :digest"
        if self._db.run(again, ms=now_ms, digest=digest):
            return True
        if len(payload) > self._room:
            return False
        self._room -= len(payload)
        store, first, count = (head.store, head.first, head.count) if head else ("", 0, 0)
        self._db.run(
            _QUARANTINE, digest=digest, box=box, store=store, first=first, count=count, reason=reason, ms=now_ms,
            payload=payload,
        )  # fmt: skip
        return True

    def passed(self, payload: bytes) -> None:
        self._db.run("UPDATE quarantine SET passed = 1 WHERE digest = :digest", digest=_digest(payload))

    # ------------------------------------------------------------------------------------ writing

    def _prepare(self, messages: Sequence[Read], now_ms: int) -> None:
        """What must stand before a ledger is looked at: nothing, in one file."""

    def _ledgers(self, names: Sequence[str]) -> dict[str, Ledger]:
        """Those of these ledgers that are known, as they are on disk."""
        found = (self._db.row(f"{LEDGERS} WHERE s.store = :name", name=name) for name in names)
        return {row["store"]: ledger(row) for row in found if row}

    def _settle(self, group: Group) -> News:
        """Write the rows, what they say, the marks, and who was heard."""
        news = News(self._db)
        for kept in group.kept:
            news.add(kept.ledger, kept.rows)
            self._rollups.add(kept.ledger, kept.rows)
        self._write(group)
        news.settle()
        self._rollups.settle(group.now_ms)
        self._marks(group)
        for box, hello in sorted(group.hellos.items()):
            self._db.run(
                _BOX, box=box, district=hello.district, timezone=hello.timezone, version=hello.version,
                ms=group.now_ms, as_of_ms=hello.as_of_ms, clock=hello.clock,
            )  # fmt: skip
        self._seen(sorted(group.boxes - group.hellos.keys()), group.now_ms)
        return news

    def _write(self, group: Group) -> None:
        for kept in group.kept:
            number, now_ms = kept.ledger.id, group.now_ms
            self._db.raw.executemany(_INSERT, [(number, *row, now_ms) for row in kept.rows])

    def _marks(self, group: Group) -> None:
        self._db.raw.executemany(_MARK, marks(group))

    def _seen(self, boxes: Sequence[str], now_ms: int) -> None:
        seen = [{"ms": now_ms, "box": box} for box in boxes]
        self._db.many("UPDATE box SET seen_ms = :ms WHERE box = :box", seen)

    def _sound(self, group: Group, each: Read, ledger: Ledger | None) -> wire.Held:
        parcel = each.message
        assert isinstance(parcel, wire.Parcel)
        if ledger is None:
            return wire.Held(parcel.store, parcel.seq, 0, "unknown")
        return Recordings(self._db, self._data, group.alarm).take(each.box, ledger.id, parcel, group.now_ms)

    def _alarms(self, group: Group) -> None:
        for (box, store, kind), (times, words) in sorted(group.alarms.items()):
            self._db.run(_ALARM, box=box, store=store, kind=kind, words=words, times=times, ms=group.now_ms)

    def _left(self) -> int:
        """Bytes that quarantine still takes."""
        return self._most - int(self._db.value("SELECT coalesce(sum(length(payload)), 0) FROM quarantine"))


def ledger(row: Row) -> Ledger:
    """A ledger as `LEDGERS` finds it."""
    return Ledger(**row)


def marks(group: Group) -> list[tuple[int, bytes, int, int, int | None, int | None, int, int]]:
    """What is to be written of each ledger that was heard, in the order of their ids."""
    return [
        (each.hwm, each.chain, each.last, each.as_of_ms, each.complete_ms, each.last_call_ms, group.now_ms, each.id)
        for each in sorted(group.touched.values(), key=lambda one: one.id)
    ]


def _digest(payload: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=16).digest()
