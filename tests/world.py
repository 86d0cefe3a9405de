"""A whole district in made-up time: two lines of one box, their modems and ledgers, the uplink's head, a road that
loses, repeats, delays, reorders and garbles, and headquarters' store. No port, no socket, no thread, no sleep.

The world knows what truly happened (who dialled, what the modem read, what the network took, when it truly was)
and `promises.check` compares the contract's promises with it. What can only be seen in the moment is checked here.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edge.events import GENESIS, Row
from edge.ledger import Reader
from sync import wire
from sync.book import Book
from sync.courier import Courier
from sync.hq.store import Store
from tests.rig import WALL_0, WATER, PowerCut, Rig, campaign
from tools.simmodem.calls import Call, Hangup

BOX, OWN = "box-1", "+919000000001"
SHORT = "Thank you from {office}. STOP to end."
DAY_S, SLACK_S = 24 * 3600, 60.0  # slack: from a claim on disk to the last byte of its text at the modem
SETTLE_S = 25.0  # a call may be written down so long after its end, and so long may a disturbance last
UNSURE = frozenset((  # faults that hide or forge what the line must know to tell one call from the next
    "silence", "deaf", "errors", "garbage", "ff", "lost-end", "late-ok", "lost-answer", "ring-inside", "glued",
    "half-lines", "rings-on", "stuck-prompt", "flood", "no-clip", "late-clip", "clcc-only", "echo", "no-sim", "vanish",
))  # fmt: skip
FORGING, LOUD = UNSURE, 8  # with these one call may look like several


@dataclass(eq=False)
class Dial:
    """A voter's call. `sure`: nothing disturbed the line while it lived, so it must be one record."""

    call: Call
    sure: bool
    lives: int = 1  # records that it may leave: one more for each boot of the box while it rings


class Road:
    """Everything between the ledgers and headquarters' disk. `weather` says what the road does to a message."""

    def __init__(self, folder: Path, lines: Sequence[Rig], dice: random.Random, onto: Road | None = None) -> None:
        """`onto`: a road whose headquarters this one shares."""
        self.folder, self.lines, self.dice = folder, lines, dice
        self.weather, self.crash = "fine", ""
        self.air: list[tuple[float, int, str, bytes]] = []  # due, order, leaf, payload
        self.look_at, self._count, self._up = 0.0, 0, False
        self._place = onto._place if onto else folder / "hq.db"
        self.store = onto.store if onto else Store(self._place)
        self._hq = sqlite3.connect(f"file:{self._place}?mode=ro", uri=True, isolation_level=None)
        self._readers: list[Reader] = []
        self.start()

    def start(self) -> None:
        """The uplink's process begins, on what its book holds."""
        self.book = Book(self.folder / "uplink.db")
        who = wire.Hello(BOX, "nashik", "Asia/Kolkata", "1", 0, 0, ())
        self.courier, self._up = Courier(who, self.book, dice=self.dice), False
        self._readers = [Reader(line.path) for line in self.lines]

    def stop(self) -> None:
        self.book.close()
        for reader in self._readers:
            reader.close()

    def close(self) -> None:
        self.stop()
        self.store.close()
        self._hq.close()

    def deadline(self) -> float:
        return min([self.look_at, *(due for due, *_ in self.air)])

    def turn(self, now: float, at_ms: int, clock: int) -> None:
        """What is due on the road now."""
        for message in sorted(m for m in self.air if m[0] <= now):
            self.air.remove(message)
            self._arrive(message[2], message[3], now, at_ms)
        if now < self.look_at:
            return
        self.courier.see(self._readers, now)
        if self._up != (self.weather != "down"):
            self._up = not self._up
            self.courier.connected(now) if self._up else self.courier.lost()
        for payload in self.courier.due(now, at_ms, clock):
            self._send("up", payload, now)
        self.courier.ahead(at_ms, clock)
        self.look_at = now + (0.5 if self.courier.unsent() else 5.0)

    def _send(self, leaf: str, payload: bytes, now: float) -> None:
        weather, dice = self.weather, self.dice
        copies = 0 if weather == "lossy" and dice.random() < 0.4 else 1 + (weather == "repeating") * dice.randint(0, 2)
        for _ in range(copies):
            if weather == "garbling" and dice.random() < 0.4:
                at = int(dice.random() * len(payload))
                payload = payload[:at] + bytes([payload[at] ^ 1 << dice.randrange(8)]) + payload[at + 1 :]
                payload = payload[: 1 + int(dice.random() * 2 * len(payload))]
            self._count += 1
            late = dice.uniform(0, 90) if weather in ("late", "repeating") else 0.05
            self.air.append((now + late, self._count, leaf, payload))

    def _arrive(self, leaf: str, payload: bytes, now: float, at_ms: int) -> None:
        if leaf == "ack":
            self.courier.heard(payload, now, at_ms)
            return
        topic, crash, self.crash = wire.topic("nashik", BOX, "up"), self.crash, ""
        if crash == "before commit":
            self.store._settle = self._blow  # type: ignore[assignment]
        try:
            acks = self.store.take([(topic, payload)], WALL_0 + round(now * 1000))
        except PowerCut:
            acks = []
            self._send("up", payload, now)  # it was not acknowledged to the broker, who delivers it again
        for _, ack in acks:
            self._backed(ack)
        if crash:
            self.store.close()
            self.store = Store(self._place)
        for _, ack in acks if crash != "after commit" else []:
            self._send("ack", ack, now)

    @staticmethod
    def _blow(*_: object) -> None:
        raise PowerCut

    def _backed(self, payload: bytes) -> None:
        ack = wire.unpack(payload)
        assert isinstance(ack, wire.Ack)
        mark, _ = self.held(ack.store)
        assert ack.reject == "fork" or ack.mark <= mark, "promise 3: acknowledged before it was on headquarters' disk"

    def held(self, store: str) -> tuple[int, bytes]:
        """Headquarters' mark and chain digest of a ledger, as another process reads them."""
        row = self._hq.execute("SELECT hwm, chain FROM store WHERE store = ?", (store,)).fetchone()
        return (row[0], row[1]) if row else (0, GENESIS)

    def rows(self, store: str) -> list[tuple[object, ...]]:
        query = "SELECT e.* FROM event e JOIN store s ON s.id = e.store_id WHERE s.store = ? ORDER BY seq"
        return [tuple(row[1:-1]) for row in self._hq.execute(query, (store,))]

    def one(self, query: str) -> int:
        return int(self._hq.execute(query).fetchone()[0] or 0)


class World:
    """See above. `now` is true time in seconds; the box believes `error_ms` more, with quality `clock`."""

    def __init__(
        self, folder: Path, kinds: tuple[str, str] = ("generic", "sim7600"), once_per: str = "24h", purse: int = 90,
        names: tuple[str, str] = ("water", "water"), text: str = SHORT, seed: int = 0,
        onto: World | None = None,
    ) -> None:  # fmt: skip
        self.now, self.once_per_s, self.purse = 100.0, {"24h": DAY_S, "1h": 3600, "0s": 0}[once_per], purse
        self.boots = {"b001000000000001": 0.0}
        self.rows: dict[str, list[Row]] = {}
        self.stopped: set[str] = set()
        self.texts: dict[str, list[tuple[str, str]]] = {}  # by line: who wrote what to it
        self.dials: dict[str, list[Dial]] = {}
        self.calm_at: dict[str, float] = {}
        self.shaky: dict[str, set[str]] = {}
        self.again: dict[str, float] = {}  # when a dead line is started again
        self.off_until = 0.0
        self.lines: list[Rig] = []
        for name, kind, about in zip(("l1", "l2"), kinds, names, strict=True):
            changes = {'id = "water"': f'id = "{about}"', '"24h"': f'"{once_per}"', SHORT: text}
            rig = Rig(folder, name, kind, campaign(WATER, **changes), seed)
            self.rows[name], self.texts[name], self.dials[name], self.shaky[name] = [], [], [], set()
            self.calm_at[name] = self.now
            rig.committed = self._committed
            rig.sim.line.on_hangup = partial(self._hung_up, rig)
            rig.sim.channel.watch = self._heard
            self.lines.append(rig)
        self.one, self.two = self.lines
        self.one.siblings, self.two.siblings = [self.two], [self.one]
        self.error_ms, self.clock = 0, 3
        self.road = Road(folder, self.lines, random.Random(seed), onto.road if onto else None)
        for rig in self.lines:
            rig.cut()
            rig.purse = purse
        self.boot()
        self.run(8)

    def close(self) -> None:
        for rig in self.lines:
            if rig.station is not None:
                rig.cut()
        self.road.close()

    # --------------------------------------------------------------------------- power and clocks

    def boot(self) -> None:
        """The box starts: another boot id, its monotonic clock at 20 s."""
        boot = f"{len(self.boots):016x}"
        self.boots[boot], self.off_until = self.now - 20, 0.0
        for rig in self.lines:
            rig.boot, rig.booted = boot, self.now - 20
        self.set_clock(self.error_ms, self.clock)
        for rig in self.lines:
            self._start(rig)

    def _start(self, rig: Rig) -> None:
        self.again.pop(rig.name, None)
        try:
            rig.start()
        except PowerCut:
            rig.station = None

    def set_clock(self, error_ms: int, clock: int) -> None:
        """What the box takes for the time of day, and how far it believes that. A trusted clock is right."""
        self.error_ms, self.clock = (0 if clock >= 2 else error_ms), clock
        for rig in self.lines:
            rig.clock, rig.wall = clock, max(0, WALL_0 + round(rig.booted * 1000) + self.error_ms)

    def kill(self, rig: Rig, pause_s: float = 1.0) -> None:
        """One line's process dies; it is started again in the same boot."""
        if rig.station is not None:
            rig.cut()
        self._fell(rig, pause_s)

    def _fell(self, rig: Rig, pause_s: float) -> None:
        self.disturb(rig)
        if not self.off_until:
            self.again[rig.name] = self.now + pause_s

    def power_cut(self, off_s: float, error_ms: int, clock: int, modems: bool = True) -> None:
        """The whole box loses its power, and its modems too unless they have their own."""
        for rig in self.lines:
            if rig.station is not None:
                rig.cut()
            rig.fuse = None
            self.disturb(rig)
            for dial in self.dials[rig.name]:
                dial.lives += dial.call.fate == ""
            if modems and not rig.sim.gone:
                rig.sim.restart(self.now)
        self.again.clear()
        self.road.stop()
        self.off_until = self.now + off_s
        self.run(off_s)
        self.road.start()
        self.error_ms, self.clock = error_ms, clock
        self.boot()

    # ------------------------------------------------------------------------------------- voters

    def dial(self, rig: Rig, number: str, patience_s: float, withheld: bool = False) -> Call:
        station = rig.station
        ready = station is not None and station.connected_now and station.condition.ready
        call = rig.sim.dial(number, self.now, patience_s, withheld=withheld)
        calm = self.now >= self.calm_at[rig.name] and not self.shaky[rig.name]
        many = 1 + LOUD * bool(self.shaky[rig.name] & FORGING)
        self.dials[rig.name].append(Dial(call, bool(ready and calm and call.fate == ""), many))
        return call

    def write(self, rig: Rig, number: str, text: str) -> None:
        self.texts[rig.name].append((number, text))
        rig.sim.sms_in(number, text, self.now)

    def fault(self, rig: Rig, name: str, on: bool, value: float | None = None) -> None:
        self.disturb(rig)
        if on:
            for other in {"flood", "half-lines"} - {name} if name in ("flood", "half-lines") else ():
                self.fault(rig, other, on=False)  # together they fill the wire for hours
            rig.sim.fault(name, self.now, value)
            if name in UNSURE and name != "vanish":
                self.shaky[rig.name].add(name)
            for dial in self.dials[rig.name]:
                dial.lives += LOUD * (name in FORGING and not dial.sure)
        else:
            rig.sim.fault_off(name, self.now)
            self.shaky[rig.name].discard(name)

    def disturb(self, rig: Rig) -> None:
        """From here on nothing that rings now is sure to be written down as one record."""
        self.calm_at[rig.name] = self.now + SETTLE_S
        for dial in self.dials[rig.name]:
            if not dial.call.fate or self.now - (dial.call.ended_at or 0) < SETTLE_S:
                dial.sure = False

    # --------------------------------------------------------------------------------------- time

    def run(self, seconds: float) -> None:
        """Let `seconds` pass, stopping at every due moment of anybody."""
        end, spins = self.now + seconds, 0
        self._turn()
        while self.now < end:
            due = [end, *(rig.deadline() for rig in self.lines), *self.again.values()]
            due += [] if self.off_until else [self.road.deadline()]
            at = min(d for d in due if d is not None)
            spins = 0 if at > self.now else spins + 1
            assert spins < 5000, "somebody is due again and again and does nothing"
            self.now = min(end, max(self.now + 0.001, at))
            self._turn()

    def leap(self, hours: int) -> None:
        """Long times in which nobody calls: the box is looked at once an hour."""
        for rig in self.lines:
            rig.sim.fault_off("flood", self.now)
        self.run(90)
        for _ in range(hours):
            self.now += 3600 - 30
            self.run(30)

    def _turn(self) -> None:
        for rig in self.lines:
            rig.now = self.now
            self._port(rig)
            alive = rig.station is not None
            rig.step()
            if alive and rig.station is None:
                self._fell(rig, 1.0)
            elif rig.station is None and self.now >= self.again.get(rig.name, 1e18):
                self._start(rig)
        if not self.off_until:
            self.road.turn(self.now, WALL_0 + round(self.now * 1000) + self.error_ms, self.clock)

    def _port(self, rig: Rig) -> None:
        """What the line's loop does when its port goes and comes back."""
        if rig.station is None or rig.sim.gone != rig.station.connected_now:
            return
        self.disturb(rig)
        try:
            if rig.sim.gone:
                rig.station.disconnected(rig.stamp(), "no-port", "it has gone")
            else:
                rig.station.connected(rig.stamp())
        except PowerCut:
            rig.cut()
            self._fell(rig, 1.0)

    # ------------------------------------------------------------------------------- the promises

    def true(self, row: Row) -> float:
        """When, in truth, this row was stamped."""
        return self.boots[row.boot] + row.mono_ms / 1000

    def _heard(self, now: float, command: str) -> None:
        assert not command.upper().startswith(("ATA", "ATD")), f"promise 2: {command[:3]} on a missed-call line"

    def _committed(self, rig: Rig) -> None:
        """Something is on disk now: take it down in the order of the whole box."""
        known = self.rows[rig.name]
        reader = Reader(rig.path)
        new = [Row(*row) for row in reader.rows(len(known), 1000)]  # type: ignore[arg-type]
        reader.close()
        known += new
        for row in new:
            if row.kind == "optout":
                self.stopped.add(row.caller)
            if row.kind == "message" and row.of and row.state == "sending":
                assert known[row.of - 1].caller not in self.stopped, "promise 4: a reply begun after STOP was on disk"

    def _hung_up(self, rig: Rig, hangup: Hangup) -> None:
        """The modem has read a hang-up: whose call it ends must be on disk, and in the file, by now."""
        call, known = hangup.call, self.rows[rig.name]
        if call is None or self.shaky[rig.name] or self.now < self.calm_at[rig.name]:
            return  # with a modem that hides the end of calls, nobody can tell two callers apart for sure
        reader = Reader(rig.path)
        head = reader.head()[0]
        reader.close()
        on_disk = any(self.fits(row, call) for row in known[:head] if row.kind == "call" and not row.of)
        assert on_disk, "promise 1: hung up on a call that is not on disk"

    def fits(self, row: Row, call: Call) -> bool:
        """May this record be of this call?"""
        ended = call.ended_at if call.ended_at is not None else self.now
        if not call.dialled_at - 0.01 <= self.true(row) <= ended + SETTLE_S:
            return False
        if row.caller_kind == "unknown":
            return True
        return row.caller_kind == "withheld" if call.withheld else same(row.caller, call.caller)


def same(one: str, other: str) -> bool:
    return one == other or (len(one) > 9 and one[-10:] == other[-10:])
