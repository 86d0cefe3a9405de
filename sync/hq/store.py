"""What a payload does to HQ's embedded store.  No port, no thread, no clock: topics, bytes and the time go in,
acknowledgements come out, and they may be sent, because what they say is on disk by then.

Rules of this room
- One transaction takes many payloads: rows, marks, chains, hourly counts, alarms and quarantine move together.
- A ledger's rows are taken in order from its mark: a gap is answered with the mark, an overlap is trimmed, but only
  after it was compared with what is held.  A difference anywhere (a row, or the chain digest) is a fork: a
  cloned or rolled-back card.  Nothing held is ever changed; there is an alarm, the payload goes to quarantine.
- A ledger belongs to the box under which it was first heard; the topic says which box is speaking.
- Sound goes to files (`recordings`), and what is known of it into the same transaction.
- A payload that cannot be read goes to quarantine and costs nobody else anything.  When it is one single row, next
  in turn by number and digest, the mark passes over it: it is held, only not yet understood.
- An error of the database is never handled here: the process must stop, start and read again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database

from edge.events import GENESIS, link
from sync import durable, wire
from sync.hq import sql
from sync.hq.people import erasure
from sync.hq.people.duty import Duty
from sync.hq.recordings import Recordings
from sync.hq.schema import migrations

HOUR_MS = 900_000
QUARANTINE_BYTES = 64 * 1024 * 1024  # kept at most; what comes beyond is counted in an alarm, not kept
TRUSTED = 2  # a box's clock quality from which its "now" may be believed

_INSERT = "INSERT INTO event VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
_HELD = (
    'SELECT seq, "of", kind, boot, mono_ms, at_ms, clock, campaign, caller, caller_kind, state, seconds, extra'
    " FROM event WHERE store_id = ? AND seq BETWEEN ? AND ?"
)
_HOURLY = (
    "INSERT INTO hourly VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET calls = calls + excluded.calls,"
    " withheld = withheld + excluded.withheld, gave_up = gave_up + excluded.gave_up, sent = sent + excluded.sent,"
    " delivered = delivered + excluded.delivered, failed = failed + excluded.failed,"
    " received = received + excluded.received"
)
_CALLS, _WITHHELD, _GAVE_UP, _RECEIVED = 0, 1, 2, 6
_MESSAGE = {"sent": 3, "delivered": 4, "failed": 5}
_PLACED = ("called-back", "unreached")  # calls of ours, not of a caller


@dataclass(slots=True)
class _Ledger:
    """One row of `store`, as the next transaction will write it."""

    id: int
    store: str
    box: str
    hwm: int
    chain: bytes
    last: int
    as_of_ms: int  # the box's time when it told `last`
    complete_ms: int | None
    last_call_ms: int | None


class Store:
    """HQ's embedded store, open for writing: one process at a time (the receiver holds a lock on the folder)."""

    def __init__(self, path: Path, quarantine_bytes: int = QUARANTINE_BYTES) -> None:
        """Raises `sqlite3.Error` when the file is no store of ours or cannot be written."""
        self._db = durable.connect(path)
        self._db.execute("PRAGMA wal_autocheckpoint=4000")
        migrations.apply(Database(self._db))
        self._room = quarantine_bytes - self._one("SELECT coalesce(sum(length(payload)), 0) FROM quarantine")
        found = self._db.execute(
            "SELECT id, store, box, hwm, chain, last, as_of_ms, complete_ms, last_call_ms FROM store"
        )
        self._ledgers = {row[1]: _Ledger(*row) for row in found}
        self._now_ms = 0
        self._touched: dict[str, _Ledger] = {}
        self._boxes: set[str] = set()
        self._hours: dict[tuple[int, str, int], list[int]] = {}
        self._recordings = Recordings(self._db, path.parent, self._alarm)
        self.taken = 0  # rows committed since the start
        self.greeted: set[str] = set()  # boxes that said hello in the last `take`
        self.answered: list[tuple[str, int]] = []  # orders that it answered: box and number

    def close(self) -> None:
        self._db.close()

    def _one(self, sql: str, *values: object) -> int:
        return int(self._db.execute(sql, values).fetchone()[0])

    def ordered(self) -> list[tuple[str, int]]:
        """The orders that boxes have answered: box and number."""
        return self._db.execute("SELECT box, number FROM ordered").fetchall()

    def attend(self, duty: Duty, now_ms: int) -> None:
        """Between two groups: have done what this connection alone may do."""
        try:
            duty.do(sql.adopt(self._db), now_ms)
        finally:
            self._db.row_factory = None

    def district(self, box: str) -> str | None:
        """The district of a box that has said hello."""
        row = self._db.execute("SELECT district FROM box WHERE box = ?", (box,)).fetchone()
        return str(row[0]) if row else None

    # ---------------------------------------------------------------------------------- payloads

    def take(self, messages: Iterable[tuple[str, bytes]], now_ms: int, next_s: int = 0) -> list[tuple[str, bytes]]:
        """Commit what these (topic, payload) say, and return the answers: the newest for each ledger and recording.

        `next_s` goes into each. After an exception this object is of no more use: close it and read again."""
        self._now_ms = now_ms
        self.greeted, self.answered = set(), []
        acks: dict[tuple[str, str], wire.Ack] = {}
        held: dict[tuple[str, str, int], wire.Held] = {}
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for topic, payload in messages:
                for answer in self._payload(topic, payload):
                    if isinstance(answer, wire.Ack):
                        acks[topic, answer.store] = answer
                    else:
                        held[topic, answer.store, answer.seq] = answer
            self._settle()
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        return [
            (topic[:-2] + "ack", wire.pack_ack(wire.Ack(ack.store, ack.mark, ack.chain, next_s, ack.reject)))
            for (topic, _), ack in acks.items()
        ] + [(topic[:-2] + "ack", wire.pack_held(each)) for (topic, *_), each in held.items()]

    def _payload(self, topic: str, payload: bytes) -> list[wire.Ack] | list[wire.Held]:
        box = ""
        try:
            _, box = wire.sender(topic)
            message = wire.unpack(payload)
        except wire.Unreadable as error:
            return [self._unreadable(box, error.head, error.reason, payload)]
        except wire.WireError as error:
            self._quarantine(box, None, error.reason, payload)
            self._alarm(box, "", "unreadable", f"a payload could not be read: {error.reason}")
            return []
        self._boxes.add(box)
        if isinstance(message, wire.Batch):
            return [self._batch(box, message, payload)]
        if isinstance(message, wire.Hello):
            return self._hello(box, message)
        if isinstance(message, wire.Parcel):
            return [self._parcel(box, message)]
        return []

    def _parcel(self, box: str, parcel: wire.Parcel) -> wire.Held:
        ledger = self._ledgers.get(parcel.store)
        if ledger is None or ledger.box != box:
            return wire.Held(parcel.store, parcel.seq, 0, "unknown")
        return self._recordings.take(box, ledger.id, parcel, self._now_ms)

    def _hello(self, box: str, hello: wire.Hello) -> list[wire.Ack]:
        if hello.box != box:
            self._alarm(box, "", "foreign-name", f"a hello on this box's topic calls itself {hello.box}")
            return []
        self.greeted.add(box)
        self._db.execute(
            "INSERT INTO box VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET district = excluded.district,"
            " timezone = excluded.timezone, version = excluded.version, seen_ms = excluded.seen_ms,"
            " as_of_ms = excluded.as_of_ms, clock = excluded.clock",
            (
                *(box, hello.district, hello.timezone, hello.version),
                *(self._now_ms, self._now_ms, hello.as_of_ms, hello.clock),
            ),
        )
        return [self._admit(box, each, hello) for each in hello.stores]

    def _admit(self, box: str, told: wire.StoreHead, hello: wire.Hello) -> wire.Ack:
        ledger = self._ledgers.get(told.store)
        if ledger is None:
            row = (told.store, box, told.line, GENESIS, self._now_ms, self._now_ms)
            made = self._db.execute(
                "INSERT INTO store (store, box, line, chain, admitted_ms, seen_ms) VALUES (?,?,?,?,?,?)", row
            )
            ledger = _Ledger(int(made.lastrowid or 0), told.store, box, 0, GENESIS, 0, 0, None, None)
            self._ledgers[told.store] = ledger
        elif ledger.box != box:
            return self._foreign(box, ledger)
        if told.last < ledger.hwm:
            if hello.as_of_ms > ledger.as_of_ms:  # else it is only a late copy of an old hello
                self._alarm(box, told.store, "rolled-back", f"has {told.last} rows, {ledger.hwm} are held here")
        elif told.last == ledger.hwm and told.chain != ledger.chain:
            self._alarm(box, told.store, "fork", f"row {told.last} and what led to it differ from what is held here")
        else:
            self._heard(ledger, told.last, hello.as_of_ms, hello.clock)
        return wire.Ack(ledger.store, ledger.hwm, ledger.chain)

    def _heard(self, ledger: _Ledger, last: int, as_of_ms: int, clock: int) -> None:
        """The box said, at its own time, which row is its newest."""
        self._touched[ledger.store] = ledger
        if last >= ledger.last:
            ledger.last, ledger.as_of_ms = last, as_of_ms
        if ledger.hwm >= last and clock >= TRUSTED:
            ledger.complete_ms = max(ledger.complete_ms or 0, min(as_of_ms, self._now_ms))

    def _batch(self, box: str, batch: wire.Batch, payload: bytes) -> wire.Ack:
        head = batch.head
        ledger = self._ledgers.get(head.store)
        if ledger is None:
            return wire.Ack(head.store, 0, GENESIS, reject="hello")
        if ledger.box != box:
            self._quarantine(box, head, "foreign", payload)
            return self._foreign(box, ledger)
        if head.first > ledger.hwm + 1:
            return wire.Ack(head.store, ledger.hwm, ledger.chain, reject="gap")
        held = min(ledger.hwm - head.first + 1, head.count)
        chain = at_mark = head.prev
        for place, row in enumerate(batch.rows, 1):
            chain = link(chain, row)
            if place == held:
                at_mark = chain
        if chain != head.tail:
            return self._unreadable(box, head, "digest", payload)
        agreed = self._agreed(ledger, batch, held)
        reaches_mark = head.first + head.count - 1 >= ledger.hwm
        if agreed < held or (reaches_mark and at_mark != ledger.chain):
            return self._fork(ledger, batch, agreed, payload)
        if held < head.count:
            self._keep(ledger, batch.rows[held:])
            ledger.chain = chain
        self._heard(ledger, head.last, head.as_of_ms, head.clock)
        return wire.Ack(ledger.store, ledger.hwm, ledger.chain)

    def _agreed(self, ledger: _Ledger, batch: wire.Batch, held: int) -> int:
        """How many of the batch's first `held` rows are the same as those held, or were until somebody was forgotten
        (one in quarantine passes)."""
        if not held:
            return 0
        first = batch.head.first
        known = {row[0]: row for row in self._db.execute(_HELD, (ledger.id, first, first + held - 1))}
        for place, row in enumerate(batch.rows[:held]):
            if not erasure.same(known.get(row[0], row), row):
                return place
        return held

    # ------------------------------------------------------------------------------------ refused

    def _fork(self, ledger: _Ledger, batch: wire.Batch, agreed: int, payload: bytes) -> wire.Ack:
        """The answer names the last row in which both agree, as far as this batch can tell."""
        head = batch.head
        self._quarantine(ledger.box, head, "fork", payload)
        self._alarm(
            ledger.box, ledger.store, "fork",
            f"row {head.first + agreed} is not the one held here: this card was cloned, or put back to an older state",
        )  # fmt: skip
        chain = head.prev
        for row in batch.rows[:agreed]:
            chain = link(chain, row)
        return wire.Ack(ledger.store, head.first + agreed - 1, chain, reject="fork")

    def _foreign(self, box: str, ledger: _Ledger) -> wire.Ack:
        self._alarm(box, ledger.store, "foreign", f"this ledger is known as one of box {ledger.box}: a copied card?")
        return wire.Ack(ledger.store, 0, GENESIS, reject="foreign")

    def _unreadable(self, box: str, head: wire.Head, reason: str, payload: bytes) -> wire.Ack:
        kept = self._quarantine(box, head, reason, payload)
        last = head.first + head.count - 1
        rows = f"rows {head.first} to {last}" if head.count > 1 else f"row {last}"
        self._alarm(box, head.store, "unreadable", f"{rows} could not be read ({reason})")
        ledger = self._ledgers.get(head.store)
        if ledger is None or ledger.box != box:
            return wire.Ack(head.store, 0, GENESIS, reject="hello" if ledger is None else "foreign")
        next_in_turn = head.count == 1 and head.first == ledger.hwm + 1 and head.prev == ledger.chain
        if next_in_turn and kept:
            ledger.hwm, ledger.chain = head.first, head.tail
            self._db.execute("UPDATE quarantine SET passed = 1 WHERE digest = ?", (_digest(payload),))
            self._heard(ledger, head.last, head.as_of_ms, head.clock)
            return wire.Ack(ledger.store, ledger.hwm, ledger.chain)
        return wire.Ack(ledger.store, ledger.hwm, ledger.chain, reject="" if last <= ledger.hwm else "unreadable")

    def _quarantine(self, box: str, head: wire.Head | None, reason: str, payload: bytes) -> bool:
        """True when the payload is kept (also when it already was)."""
        digest = _digest(payload)
        again = self._db.execute(
            "UPDATE quarantine SET times = times + 1, last_ms = ? WHERE digest = ?", (self._now_ms, digest)
        )
        if again.rowcount:
            return True
        if len(payload) > self._room:
            self._alarm("", "", "quarantine-full", "payloads that could not be taken are no longer kept: look at those")
            return False
        self._room -= len(payload)
        store, first, count = (head.store, head.first, head.count) if head else ("", 0, 0)
        self._db.execute(
            "INSERT INTO quarantine (digest, box, store, first, count, reason, first_ms, last_ms, payload)"
            " VALUES (?,?,?,?,?,?,?,?,?)",
            (digest, box, store, first, count, reason, self._now_ms, self._now_ms, payload),
        )
        return True

    def _alarm(self, box: str, store: str, kind: str, words: str) -> None:
        self._db.execute(
            "INSERT INTO alarm (box, store, kind, words, first_ms, last_ms) VALUES (?,?,?,?,?,?)"
            " ON CONFLICT DO UPDATE SET times = times + 1, words = excluded.words, last_ms = excluded.last_ms",
            (box, store, kind, words, self._now_ms, self._now_ms),
        )

    # --------------------------------------------------------------------------------------- kept

    def _keep(self, ledger: _Ledger, rows: Sequence[wire.WireRow]) -> None:
        number, now_ms = ledger.id, self._now_ms
        self._db.executemany(_INSERT, [(number, *row, now_ms) for row in rows])
        ledger.hwm += len(rows)
        self.taken += len(rows)
        self._count(ledger, rows)

    def _count(self, ledger: _Ledger, rows: Sequence[wire.WireRow]) -> None:
        hours, number = self._hours, ledger.id
        for row in rows:
            kind = row[2]
            if kind == "call":
                state = row[10]
                if row[1] or state in _PLACED:
                    continue
                key = (number, row[7], row[5] // HOUR_MS)
                count = hours.get(key)
                if count is None:
                    count = hours[key] = [0] * 7
                count[_CALLS] += 1
                if row[9] == "withheld":
                    count[_WITHHELD] += 1
                elif state == "gave-up":
                    count[_GAVE_UP] += 1
                ledger.last_call_ms = row[5]
            elif kind == "message":
                place = _MESSAGE.get(row[10]) if row[1] else _RECEIVED if row[10] == "received" else None
                if place is not None:
                    campaign = self._campaign(number, row[1]) if row[1] else row[7]
                    hours.setdefault((number, campaign, row[5] // HOUR_MS), [0] * 7)[place] += 1
            elif kind in ("store", "line"):
                self._describe(number, row)
            elif kind == "case":
                self._case(number, row)
            elif kind == "order" and not row[1]:
                self._ordered(ledger.box, row)

    def _campaign(self, number: int, seq: int) -> str:
        found = self._db.execute("SELECT campaign FROM event WHERE store_id = ? AND seq = ?", (number, seq)).fetchone()
        return str(found[0]) if found else ""

    def _describe(self, number: int, row: wire.WireRow) -> None:
        """What a `store` or a `line` row says of its ledger, for the pages."""
        told = _told(row)
        if row[2] == "store":
            names = ("number", "campaign", "channel", "language")
            self._db.execute(
                "UPDATE store SET number = ?, campaign = ?, channel = ?, language = ? WHERE id = ?",
                (*(_text(told, name) for name in names), number),
            )
        else:
            self._db.execute(
                "UPDATE store SET state = ?, words = ?, state_ms = ? WHERE id = ?",
                (row[10], _text(told, "words"), row[5], number),
            )

    def _case(self, number: int, row: wire.WireRow) -> None:
        """A grievance as it stands, for the pages."""
        if row[1]:
            change = "UPDATE grievance SET state = ? WHERE store_id = ? AND seq = ? AND ? <> ''"
            self._db.execute(change, (row[10], number, row[1], row[10]))
        else:
            due_ms = _whole(_told(row), "due_ms")
            self._db.execute("INSERT OR REPLACE INTO grievance VALUES (?,?,?,?)", (number, row[0], row[10], due_ms))

    def _ordered(self, box: str, row: wire.WireRow) -> None:
        """A box answered an order of ours; its first answer counts."""
        told = _told(row)
        if order := _whole(told, "order"):
            answer = (box, order, row[10], _text(told, "why"), row[5])
            self._db.execute("INSERT OR IGNORE INTO ordered VALUES (?,?,?,?,?)", answer)
            self.answered.append((box, order))

    def _settle(self) -> None:
        """Write what the transaction gathered: hourly counts, marks, and who was heard."""
        self._db.executemany(
            _HOURLY,
            [(number, campaign, hour * HOUR_MS, *counts) for (number, campaign, hour), counts in self._hours.items()],
        )
        self._db.executemany(
            "UPDATE store SET hwm = ?, chain = ?, last = ?, as_of_ms = ?, complete_ms = ?, last_call_ms = ?,"
            " seen_ms = ? WHERE id = ?",
            [
                (e.hwm, e.chain, e.last, e.as_of_ms, e.complete_ms, e.last_call_ms, self._now_ms, e.id)
                for e in self._touched.values()
            ],
        )
        self._db.executemany("UPDATE box SET seen_ms = ? WHERE box = ?", [(self._now_ms, box) for box in self._boxes])
        self._hours.clear()
        self._touched.clear()
        self._boxes.clear()


def _told(row: wire.WireRow) -> dict[str, object]:
    told: dict[str, object] = json.loads(row[12]) if row[12] else {}
    return told


def _text(told: dict[str, object], name: str) -> str:
    """A text in `told` that a database takes: JSON can name halves of letters, which no encoding has."""
    return str(told.get(name, "")).encode(errors="replace").decode()


def _whole(told: dict[str, object], name: str) -> int:
    """A positive whole number in `told`, or 0."""
    value = told.get(name)
    return value if type(value) is int and 0 < value < 2**53 else 0


def _digest(payload: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=16).digest()
