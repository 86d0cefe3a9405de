"""What a payload does, decided once for every kind of store.  No SQL, no port, no thread, no clock: what was read and
the time go in, answers come out, and a `Group` gathers what one transaction has to write.

Rules of this room
- `read` needs nobody's ledgers: it may be done before the transaction, in any thread, once for all its tries.
- A ledger's rows are taken in order from its mark: a gap is answered with the mark, an overlap is trimmed, but only
  after it was compared with what is held.  A difference anywhere (a row, or the chain digest) is a fork: a
  cloned or rolled-back card.  Nothing held is ever changed; there is an alarm, the payload goes to quarantine.
- A ledger belongs to the box under which it was first heard; the topic says which box is speaking.
- A payload that cannot be read goes to quarantine and costs nobody else anything.  When it is one single row, next
  in turn by number and digest, the mark passes over it: it is held, only not yet understood.
- Sound waits until the rows of its group are written, for one of them may be its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from edge.events import GENESIS, told
from sync import wire
from sync.hq.facts import TRUSTED as TRUSTED  # part of this room's face
from sync.hq.people import erasure

_blake2b = hashlib.blake2b


@dataclass(slots=True)
class Ledger:
    """One ledger of a box as the next transaction will leave it: who and where it is, its mark and the digest there,
    and what its box last said of it. `timezone` is an IANA name, "" while no hello told it."""

    id: int
    store: str
    box: str
    line: str
    hwm: int = 0
    chain: bytes = GENESIS
    last: int = 0
    as_of_ms: int = 0  # the box's time when it told `last`
    complete_ms: int | None = None
    last_call_ms: int | None = None
    campaign: str = ""
    language: str = ""
    district: str = ""
    timezone: str = ""


@dataclass(slots=True)
class Read:
    """A payload as it came, read. Of a batch also its rows as the chain takes them, and the digest after the last."""

    topic: str
    box: str
    payload: bytes = field(repr=False)
    message: wire.Message | wire.WireError
    lines: Sequence[bytes] = field(default=(), repr=False)
    tail: bytes = b""


@dataclass(slots=True)
class Kept:
    """Rows that are new, next in turn, and to be written; `lines` are the same as the chain takes them."""

    ledger: Ledger
    rows: Sequence[wire.WireRow]
    lines: Sequence[bytes]


class Shelf(Protocol):
    """What deciding asks of a store, within the transaction."""

    def rows(self, ledger_id: int, first: int, last: int) -> Iterable[wire.WireRow]:
        """The rows held in that span, in any order."""

    def admit(self, box: str, head: wire.StoreHead, now_ms: int) -> Ledger:
        """A ledger never heard of before; as it is by now, when somebody else was faster."""

    def quarantine(self, box: str, head: wire.Head | None, reason: str, payload: bytes, now_ms: int) -> bool:
        """Keep a payload that was not taken, once; False when there is no more room."""

    def passed(self, payload: bytes) -> None:
        """The mark went over the one row in this payload of the quarantine."""


def read(topic: str, payload: bytes) -> Read:
    """What is in a payload; any bytes give an answer."""
    box = ""
    try:
        _, box = wire.sender(topic)
        message = wire.unpack(payload)
    except wire.WireError as error:
        return Read(topic, box, payload, error)
    if not isinstance(message, wire.Batch):
        return Read(topic, box, payload, message)
    lines = [told(row) for row in message.rows]
    return Read(topic, box, payload, message, lines, _linked(message.head.prev, lines))


def named(messages: Iterable[Read]) -> set[str]:
    """The ledgers of which these speak."""
    names: set[str] = set()
    for each in messages:
        message = each.message
        if isinstance(message, wire.Batch):
            names.add(message.head.store)
        elif isinstance(message, wire.Hello):
            names.update(head.store for head in message.stores)
        elif isinstance(message, wire.Parcel):
            names.add(message.store)
        elif isinstance(message, wire.Unreadable):
            names.add(message.head.store)
    return names


class Group:
    """The payloads of one transaction. `ledgers` are all that they name and the store knows, locked by whoever holds
    the store, where several may write. After `take`, whoever writes finds here what to write."""

    def __init__(self, shelf: Shelf, ledgers: dict[str, Ledger], now_ms: int) -> None:
        self.now_ms = now_ms
        self.kept: list[Kept] = []
        self.touched: dict[str, Ledger] = {}  # whose marks and times are to be written
        self.boxes: set[str] = set()  # who was heard
        self.hellos: dict[str, wire.Hello] = {}  # the newest of each box
        self.alarms: dict[tuple[str, str, str], tuple[int, str]] = {}  # box, store, kind: how often, words
        self.sound: list[tuple[Read, Ledger | None]] = []  # parcels, each with its ledger if it is that box's
        self._shelf, self._ledgers = shelf, ledgers

    def take(self, each: Read) -> list[wire.Ack]:
        """Decide on one payload, after those that came before it."""
        box, message = each.box, each.message
        if isinstance(message, wire.Unreadable):
            return [self._unreadable(box, message.head, message.reason, each.payload)]
        if isinstance(message, wire.WireError):
            self._quarantine(box, None, message.reason, each.payload)
            self.alarm(box, "", "unreadable", f"a payload could not be read: {message.reason}")
            return []
        self.boxes.add(box)
        if isinstance(message, wire.Batch):
            return [self._batch(box, message, each)]
        if isinstance(message, wire.Hello):
            return self._hello(box, message)
        if isinstance(message, wire.Parcel):
            ledger = self._ledgers.get(message.store)
            self.sound.append((each, ledger if ledger and ledger.box == box else None))
        return []

    def alarm(self, box: str, store: str, kind: str, words: str) -> None:
        """What a person must look at; the newest words stand."""
        times, _ = self.alarms.get((box, store, kind), (0, ""))
        self.alarms[box, store, kind] = times + 1, words

    # -------------------------------------------------------------------------------------- hello

    def _hello(self, box: str, hello: wire.Hello) -> list[wire.Ack]:
        if hello.box != box:
            self.alarm(box, "", "foreign-name", f"a hello on this box's topic calls itself {hello.box}")
            return []
        self.hellos[box] = hello
        return [self._admit(box, each, hello) for each in hello.stores]

    def _admit(self, box: str, head: wire.StoreHead, hello: wire.Hello) -> wire.Ack:
        ledger = self._ledgers.get(head.store)
        if ledger is None:
            ledger = self._ledgers[head.store] = self._shelf.admit(box, head, self.now_ms)
        if ledger.box != box:
            return self._foreign(box, ledger)
        ledger.district, ledger.timezone = hello.district, hello.timezone
        if head.last < ledger.hwm:
            if hello.as_of_ms > ledger.as_of_ms:  # else it is only a late copy of an old hello
                self.alarm(box, head.store, "rolled-back", f"has {head.last} rows, {ledger.hwm} are held here")
        elif head.last == ledger.hwm and head.chain != ledger.chain:
            self.alarm(box, head.store, "fork", f"row {head.last} and what led to it differ from what is held here")
        else:
            self._heard(ledger, head.last, hello.as_of_ms, hello.clock)
        return wire.Ack(ledger.store, ledger.hwm, ledger.chain)

    def _heard(self, ledger: Ledger, last: int, as_of_ms: int, clock: int) -> None:
        """The box said, at its own time, which row is its newest."""
        self.touched[ledger.store] = ledger
        if last >= ledger.last:
            ledger.last, ledger.as_of_ms = last, as_of_ms
        if ledger.hwm >= last and clock >= TRUSTED:
            ledger.complete_ms = max(ledger.complete_ms or 0, min(as_of_ms, self.now_ms))

    # -------------------------------------------------------------------------------------- batch

    def _batch(self, box: str, batch: wire.Batch, each: Read) -> wire.Ack:
        head = batch.head
        ledger = self._ledgers.get(head.store)
        if ledger is None:
            return wire.Ack(head.store, 0, GENESIS, reject="hello")
        if ledger.box != box:
            self._quarantine(box, head, "foreign", each.payload)
            return self._foreign(box, ledger)
        if head.first > ledger.hwm + 1:
            return wire.Ack(head.store, ledger.hwm, ledger.chain, reject="gap")
        if each.tail != head.tail:
            return self._unreadable(box, head, "digest", each.payload)
        held = min(ledger.hwm - head.first + 1, head.count)
        agreed = self._agreed(ledger, batch, held)
        reaches_mark = head.first + head.count - 1 >= ledger.hwm
        if agreed < held or (reaches_mark and _linked(head.prev, each.lines[:held]) != ledger.chain):
            return self._fork(ledger, batch, agreed, each)
        if held < head.count:
            self.kept.append(Kept(ledger, batch.rows[held:], each.lines[held:]))
            ledger.hwm, ledger.chain = head.first + head.count - 1, each.tail
        self._heard(ledger, head.last, head.as_of_ms, head.clock)
        return wire.Ack(ledger.store, ledger.hwm, ledger.chain)

    def _agreed(self, ledger: Ledger, batch: wire.Batch, held: int) -> int:
        """How many of the batch's first `held` rows are the same as those held (one in quarantine passes)."""
        if not held:
            return 0
        first = batch.head.first
        known = {row[0]: row for row in self._shelf.rows(ledger.id, first, first + held - 1)}
        for kept in self.kept:  # and those that this transaction is about to write
            if kept.ledger is ledger:
                known.update((row[0], row) for row in kept.rows)
        for place, row in enumerate(batch.rows[:held]):
            if not erasure.same(known.get(row[0], row), row):
                return place
        return held

    # ------------------------------------------------------------------------------------ refused

    def set_aside(self, each: Read, why: str) -> None:
        """A payload that could be read, and not be kept: no answer, so that its box has it still."""
        head = each.message.head if isinstance(each.message, wire.Batch) else None
        self._quarantine(each.box, head, "unkept", each.payload)
        self.alarm(each.box, head.store if head else "", "unkept", f"what it sent could not be kept here: {why}")

    def _quarantine(self, box: str, head: wire.Head | None, reason: str, payload: bytes) -> bool:
        kept = self._shelf.quarantine(box, head, reason, payload, self.now_ms)
        if not kept:
            self.alarm("", "", "quarantine-full", "payloads that could not be taken are no longer kept: look at those")
        return kept

    def _fork(self, ledger: Ledger, batch: wire.Batch, agreed: int, each: Read) -> wire.Ack:
        """The answer names the last row in which both agree, as far as this batch can tell."""
        head = batch.head
        self._quarantine(ledger.box, head, "fork", each.payload)
        self.alarm(
            ledger.box, ledger.store, "fork",
            f"row {head.first + agreed} is not the one held here: this card was cloned, or put back to an older state",
        )  # fmt: skip
        chain = _linked(head.prev, each.lines[:agreed])
        return wire.Ack(ledger.store, head.first + agreed - 1, chain, reject="fork")

    def _foreign(self, box: str, ledger: Ledger) -> wire.Ack:
        self.alarm(box, ledger.store, "foreign", f"this ledger is known as one of box {ledger.box}: a copied card?")
        return wire.Ack(ledger.store, 0, GENESIS, reject="foreign")

    def _unreadable(self, box: str, head: wire.Head, reason: str, payload: bytes) -> wire.Ack:
        kept = self._quarantine(box, head, reason, payload)
        last = head.first + head.count - 1
        rows = f"rows {head.first} to {last}" if head.count > 1 else f"row {last}"
        self.alarm(box, head.store, "unreadable", f"{rows} could not be read ({reason})")
        ledger = self._ledgers.get(head.store)
        if ledger is None or ledger.box != box:
            return wire.Ack(head.store, 0, GENESIS, reject="hello" if ledger is None else "foreign")
        next_in_turn = head.count == 1 and head.first == ledger.hwm + 1 and head.prev == ledger.chain
        if next_in_turn and kept:
            ledger.hwm, ledger.chain = head.first, head.tail
            self._shelf.passed(payload)
            self._heard(ledger, head.last, head.as_of_ms, head.clock)
            return wire.Ack(ledger.store, ledger.hwm, ledger.chain)
        return wire.Ack(ledger.store, ledger.hwm, ledger.chain, reject="" if last <= ledger.hwm else "unreadable")


def _linked(chain: bytes, lines: Iterable[bytes]) -> bytes:
    """The chain digest after these rows."""
    for line in lines:
        chain = _blake2b(chain + line, digest_size=8).digest()
    return chain
