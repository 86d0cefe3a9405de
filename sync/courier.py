"""What goes to headquarters when: the uplink's head, without a socket or a clock.

Rules of this room
- One batch is outstanding at a time. It is done when HQ's own acknowledgement names its rows, and not before; without
  one the next ledger has its turn, after a pause drawn at random below 5 s, 10 s, 20 s ... 5 min.
- After every connect HQ is told how far each ledger goes, and its answer is where sending begins: HQ's mark is the
  truth, the book only remembers it.
- An acknowledgement is believed where its digest is the ledger's own at that mark. Where HQ holds rows that this
  ledger does not have, the card was cloned or put back: what the ledger has is offered once more, so that HQ can
  say from which row on they differ; then the ledger is stopped, and its line ordered to begin a new one.
- A ledger that cannot be read costs only itself.
- Sound goes when no batch waits for its turn or for its answer (`parcels`).
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol

from edge.events import GENESIS
from sync import wire
from sync.book import Book
from sync.pace import Pace as Pace  # whoever makes a courier gives it one
from sync.parcels import Parcels

ROWS = 500
BYTES = 64 * 1024
COMMIT_MS = 2000  # a row is stamped at most so long before it is on disk and can be read
_UNWELL_S = 30.0  # until an unreadable ledger is tried again


class Ledger(Protocol):
    """What `edge.ledger.Reader` gives; each call may raise `sqlite3.Error`."""

    store: str
    line: str

    def head(self) -> tuple[int, bytes]: ...
    def rows(self, after: int, limit: int) -> list[tuple[object, ...]]: ...
    def chain(self, seq: int) -> bytes | None: ...


@dataclass(slots=True)
class _Run:
    """One ledger on its way. `mark` rows are known to be held by HQ (once `synced`), `last` are written."""

    ledger: Ledger
    mark: int
    last: int = 0
    synced: bool = False
    stopped: str = ""
    unwell: str = ""
    retry_at: float = 0.0
    next_at: float = 0.0
    limit: int = ROWS

    @property
    def active(self) -> bool:
        return not (self.stopped or self.unwell)


@dataclass(frozen=True, slots=True)
class _Sent:
    store: str
    first: int
    last: int
    until: float


@dataclass(frozen=True, slots=True)
class _Ready:
    store: str
    first: int
    last: int
    payload: bytes = field(repr=False)


class Courier:
    """One box's conversation with HQ. `now` is monotonic seconds, `at_ms` and `clock` the box's wall time."""

    def __init__(
        self,
        who: wire.Hello,
        book: Book,
        pace: Pace | None = None,
        dice: random.Random | None = None,
        parcels: Parcels | None = None,
    ) -> None:
        """`who` names box, district, timezone and version; its other fields are filled in for each hello."""
        self.last_ack_ms = 0
        self._who, self._book, self._pace, self._dice = who, book, pace or Pace(), dice or random.Random()
        self._parcels = parcels
        self._runs: dict[str, _Run] = {}
        self._turns: list[str] = []
        self._up = False
        self._out: _Sent | None = None
        self._ready: _Ready | None = None
        self._tries = 0
        self._hellos = 0
        self._hello_at = 0.0

    # ------------------------------------------------------------------------------- what happens

    def see(self, ledgers: Iterable[Ledger], now: float) -> None:
        """The ledgers there are, and how far they go; call it often, it is one indexed look each."""
        found: dict[str, Ledger] = {}
        for ledger in ledgers:
            found.setdefault(ledger.store, ledger)
        for store, ledger in found.items():
            run = self._runs.get(store)
            if run is None:
                entry = self._book.entry(store)
                run = self._runs[store] = _Run(ledger, entry.mark, stopped=entry.stopped)
                self._turns.append(store)
                self._hello_at = now
            if run.ledger is not ledger:
                run.ledger, self._ready = ledger, None
            self._look(run, now)
        for store in self._runs.keys() - found.keys():
            del self._runs[store]
            self._turns.remove(store)

    def connected(self, now: float) -> None:
        """A connection stands, and its subscription."""
        self._up, self._out, self._hello_at, self._tries, self._hellos = True, None, now, 0, 0
        for run in self._runs.values():
            run.synced = False
        if self._parcels:
            self._parcels.connected()

    def lost(self) -> None:
        """The connection is gone."""
        self._up, self._out = False, None
        if self._parcels:
            self._parcels.lost()

    def heard(self, payload: bytes, now: float, at_ms: int) -> None:
        """Something came on our topic. What is not an acknowledgement of a ledger or a recording here is ignored."""
        try:
            ack = wire.unpack(payload)
        except wire.WireError:
            return
        if isinstance(ack, wire.Held) and self._parcels:
            self.last_ack_ms = at_ms
            self._parcels.heard(ack, now, at_ms)
            return
        run = self._runs.get(ack.store) if isinstance(ack, wire.Ack) else None
        if not isinstance(ack, wire.Ack) or run is None or run.stopped:
            return
        self.last_ack_ms = at_ms
        try:
            self._answered(run, ack, now, at_ms)
        except sqlite3.Error as error:
            self._sick(run, str(error), now)

    def due(self, now: float, at_ms: int, clock: int) -> list[bytes]:
        """What is to be published now."""
        if not self._up:
            return []
        out = []
        if now >= self._hello_at:
            out.append(self._hello(now, at_ms, clock))
        if self._out and now >= self._out.until:
            self._out = None
            self._tries += 1
        if not self._out:
            batch = self._next(now, at_ms, clock)
            parcel = None if batch else self._sound(now, at_ms)
            out += filter(None, (batch, parcel))
        return out

    def ahead(self, at_ms: int, clock: int) -> None:
        """Pack what follows the outstanding batch, if there is a full one: while HQ commits, we have time."""
        run = self._runs.get(self._out.store) if self._out and not self._ready else None
        if run and self._out and run.active and run.last - self._out.last >= ROWS:
            try:
                self._ready = self._pack(run, self._out.last, at_ms, clock)
            except (sqlite3.Error, wire.WireError):
                self._ready = None  # when its turn comes, it will be said

    def unsent(self) -> int:
        """Rows that HQ has not acknowledged."""
        return sum(run.last - min(run.mark, run.last) for run in self._runs.values())

    def troubles(self) -> list[str]:
        """A sentence for each ledger that is not being sent."""
        return [f"line {run.ledger.line}: {run.stopped or run.unwell}" for run in self._runs.values() if not run.active]

    # ------------------------------------------------------------------------------------ sending

    def _pause(self, tries: int) -> float:
        return self._pace.pause(tries, self._dice)

    def _look(self, run: _Run, now: float) -> None:
        if run.unwell and now < run.retry_at:
            return
        try:
            run.last = run.ledger.head()[0]
            run.unwell = ""
        except sqlite3.Error as error:
            self._sick(run, str(error), now)

    def _sick(self, run: _Run, why: str, now: float) -> None:
        run.unwell, run.retry_at = f"its ledger cannot be read ({why}); everything else goes on", now + _UNWELL_S
        if self._out and self._out.store == run.ledger.store:
            self._out = None

    def _hello(self, now: float, at_ms: int, clock: int) -> bytes:
        stores = []
        for store, run in self._runs.items():
            self._look(run, now)
            if run.active:
                chain = run.ledger.chain(run.last) or GENESIS
                stores.append(wire.StoreHead(store, run.ledger.line, run.last, chain))
        waiting = any(run.active and not run.synced for run in self._runs.values())
        self._hello_at = now + (self._pause(self._hellos) if waiting else self._pace.hello_s)
        self._hellos += 1
        then = max(0, at_ms - COMMIT_MS)
        return wire.pack_hello(replace(self._who, as_of_ms=then, clock=clock, stores=tuple(stores[: wire.MAX_STORES])))

    def _next(self, now: float, at_ms: int, clock: int) -> bytes | None:
        """The next batch of whoever's turn it is."""
        for store in list(self._turns):
            run = self._runs[store]
            waiting = run.last - run.mark
            if not run.synced or not run.active or waiting <= 0 or (now < run.next_at and waiting < ROWS):
                continue
            self._turns.remove(store)
            self._turns.append(store)
            try:
                return self._batch(run, now, at_ms, clock)
            except (sqlite3.Error, wire.WireError) as error:
                self._sick(run, str(error), now)
        return None

    def _sound(self, now: float, at_ms: int) -> bytes | None:
        """The next piece of sound, once HQ has said of every ledger where it stands."""
        if self._parcels is None or any(run.active and not run.synced for run in self._runs.values()):
            return None
        return self._parcels.due(now, at_ms)

    def _batch(self, run: _Run, now: float, at_ms: int, clock: int) -> bytes:
        ready, self._ready = self._ready, None
        if ready is None or (ready.store, ready.first) != (run.ledger.store, run.mark + 1):
            ready = self._pack(run, run.mark, at_ms, clock)
        self._out = _Sent(ready.store, ready.first, ready.last, now + self._pause(self._tries))
        return ready.payload

    def _pack(self, run: _Run, after: int, at_ms: int, clock: int) -> _Ready:
        ledger, first = run.ledger, after + 1
        run.last = ledger.head()[0]
        prev = ledger.chain(after)
        rows = ledger.rows(after, run.limit)
        while rows and prev is not None:
            last = after + len(rows)
            tail = ledger.chain(last)
            if rows[-1][0] != last or tail is None:
                break
            then = max(0, at_ms - COMMIT_MS)
            payload = wire.pack_batch(ledger.store, prev, tail, max(run.last, last), then, clock, rows)
            if len(payload) <= BYTES or len(rows) == 1:
                return _Ready(ledger.store, first, last, payload)
            rows = rows[: len(rows) // 2]
        raise sqlite3.DatabaseError(f"rows after {after} are missing")

    # ----------------------------------------------------------------------------------- answered

    def _answered(self, run: _Run, ack: wire.Ack, now: float, at_ms: int) -> None:
        ours = self._out if self._out and self._out.store == ack.store else None
        if ack.reject == "hello":
            run.synced, self._hello_at = False, now
            self._done(ours)
        elif ack.reject == "foreign":
            self._stop(run, run.mark, "HQ knows this ledger as another box's", at_ms)
        elif ack.reject == "unreadable":
            run.limit = max(1, (ours.last - ours.first + 1) // 2) if ours else run.limit
            run.next_at = now + (self._pause(self._tries) if run.limit == 1 else 0)
            self._done(ours)
        elif ack.reject == "fork":
            if run.ledger.chain(ack.mark) == ack.chain:
                self._stop(run, ack.mark, f"from row {ack.mark + 1} on HQ holds other rows", at_ms)
        else:
            self._marked(run, ack, ours, now, at_ms)

    def _marked(self, run: _Run, ack: wire.Ack, ours: _Sent | None, now: float, at_ms: int) -> None:
        """HQ holds the rows up to its mark; are they ours?"""
        run.last = max(run.last, run.ledger.head()[0])
        chain = run.ledger.chain(ack.mark)
        if chain != ack.chain:
            if not run.synced:
                run.synced = True
            elif ours:
                run.mark = 0 if ack.reject == "gap" else ours.last
                self._done(ours)
            if run.mark >= run.last:
                self._stop(run, run.last, f"HQ holds {ack.mark} rows of it, more than are here", at_ms)
            return
        if ack.mark < run.mark and run.synced and ack.reject != "gap":
            return  # an old answer, late
        if ack.mark < run.mark and self._parcels:
            self._parcels.again(ack.store)
        if ack.mark != run.mark:
            self._book.acked(ack.store, run.ledger.line, ack.mark, ack.chain, at_ms)
        run.mark, run.synced = ack.mark, True
        if not any(each.active and not each.synced for each in self._runs.values()) and self._hellos:
            self._hello_at, self._hellos = now + self._pace.hello_s, 0
        if ours and (ack.mark >= ours.last or ack.reject):
            run.next_at = now + ack.next_s
            if self._parcels:
                self._parcels.hold(run.next_at)
            run.limit = min(ROWS, run.limit * 2)
            self._done(ours)

    def _done(self, ours: _Sent | None) -> None:
        if ours:
            self._out, self._tries = None, 0

    def _stop(self, run: _Run, after: int, why: str, at_ms: int) -> None:
        chain = run.ledger.chain(after) or GENESIS
        words = f"this card was cloned, or put back to an older state: {why}; the line begins a new ledger"
        self._book.stop(run.ledger.store, run.ledger.line, after, chain, words, at_ms)
        run.stopped = words
        if self._out and self._out.store == run.ledger.store:
            self._out = None
