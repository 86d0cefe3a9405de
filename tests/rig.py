"""A line and a simulated modem under made-up time: no port, no sleep, years in seconds.

`Rig` joins a Station to a SimModem and moves both from one due moment to the next. A power cut is `Rig.cut()`: the
process is gone between two steps, the ledger file stays. `Rig.fuse` puts the cut into the middle of a step: just
before or after a commit, or before or after bytes reach the modem.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge import profile as profiles
from edge.campaign import Campaign, parse
from edge.events import Stamp
from edge.ledger import Ledger, Reader
from edge.orders import Order
from edge.station import Setting, Station
from tools.simmodem import SimModem

PROFILES = profiles.load_all()
WALL_0 = 1_780_000_000_000  # 28 May 2026
WATER = """
id = "water"
title = "Water"
mode = "missed-call"
languages = ["en", "hi"]
[reply.en]
text = "Thank you from {office}. STOP to end."
[reply.hi]
text = "धन्यवाद"
[reply.policy]
once_per = "24h"
"""


def campaign(text: str = WATER, **changes: str) -> Campaign:
    """The water campaign, with `key=value` lines replaced."""
    for old, new in changes.items():
        text = text.replace(old, new)
    return parse(text, "water.toml")


class PowerCut(BaseException):
    """The process dies here. Not an Exception: nothing in a room may catch it."""


@dataclass
class Fuse:
    """A cut at the `left`-th next time that the line comes to `where`: "before commit", "after commit",
    "before write" (the bytes never reach the modem) or "after write" (it obeys, the line never learns)."""

    where: str
    left: int = 1


class _Ledger(Ledger):
    """The line's ledger, with a fuse in it, and somebody who is told of each commit."""

    rig: Rig

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with super()._transaction():
            yield
            self.rig.pass_by("before commit")
        self.rig.committed(self.rig)
        self.rig.pass_by("after commit")


class Rig:
    """One line in made-up time. `now` is seconds of the modem's clock, which never steps back; the box's own
    monotonic clock began at `booted` of it."""

    def __init__(
        self,
        folder: Path,
        name: str = "l1",
        profile: str = "generic",
        about: Campaign | None = None,
        seed: int = 0,
        guard: Callable[[], contextlib.AbstractContextManager[object] | None] = contextlib.nullcontext,
        **options: object,
    ) -> None:
        self.path = folder / "ledgers" / f"{name}.db"
        self.name, self.about, self.guard = name, about or campaign(), guard
        self.sim = SimModem(profile, name=name, seed=seed, **options)
        self.now, self.boot, self.wall, self.clock = 100.0, "b001000000000001", WALL_0, 3
        self.booted = 0.0
        self.fuse: Fuse | None = None
        self.committed: Callable[[Rig], None] = lambda rig: None  # called after each commit
        self.siblings: list[Rig] = []
        self.orders: list[Order] = []  # of headquarters
        self.purse = 90
        self.station: Station | None = None
        self.start()

    # ------------------------------------------------------------------------------- power

    def stamp(self) -> Stamp:
        mono = round((self.now - self.booted) * 1000)
        return Stamp(self.boot, mono, self.wall + mono, self.clock)

    def start(self) -> None:
        """Start the line's process on what the ledger holds."""
        self.station = Station(
            self._setting(), self._open(), PROFILES, self.stamp(), self.guard, self._siblings,
            orders=lambda: self.orders,
        )  # fmt: skip
        self.station.connected(self.stamp())

    def _setting(self) -> Setting:
        return Setting(
            line=self.name, campaign=self.about, country="IN", timezone="Asia/Kolkata", purse=self.purse,
            own=frozenset({"+919000000001"}), values={"office": "Nashik"},
        )  # fmt: skip

    def _open(self) -> Ledger:
        opened: type[_Ledger] = type("_Ledger", (_Ledger,), {"rig": self})
        ordered = max((order.hq for order in self.orders), default=0)
        return opened(self.path, "box-1", self.name, self.stamp(), {"number": "+919000000001"}, ordered)

    def _siblings(self) -> Sequence[Reader]:
        return [Reader(rig.path) for rig in self.siblings]

    def cut(self) -> None:
        """The process dies here; nothing of it is written after this."""
        assert self.station is not None
        self.station.ledger.close()
        self.station = None

    def pass_by(self, where: str) -> None:
        """The line comes to a place where a fuse may be; an open transaction dies with the process."""
        if self.fuse is not None and self.fuse.where == where:
            self.fuse.left -= 1
            if self.fuse.left <= 0:
                self.fuse = None
                raise PowerCut

    # -------------------------------------------------------------------------------- time

    def step(self) -> None:
        """Let both sides act on what is due now, and carry the bytes across; a fuse that blows ends the line."""
        try:
            self._exchange()
        except PowerCut:
            self.cut()

    def _exchange(self) -> None:
        for _ in range(200):
            said = self.sim.tick(self.now)
            if self.station is None:
                return
            if said:
                self.station.receive(said, self.stamp())
            self.station.tick(self.stamp())
            asked = self.station.outgoing(self.stamp())
            if asked:
                self.pass_by("before write")
                answer = self.sim.receive(asked, self.now)
                self.pass_by("after write")
                if answer:
                    self.station.receive(answer, self.stamp())
            elif not said:
                return

    def deadline(self) -> float | None:
        """When either side has something to do."""
        due = [self.sim.deadline()]
        if self.station is not None and (mono := self.station.deadline()) is not None:
            due.append(self.booted + mono)
        return min((d for d in due if d is not None), default=None)

    def run(self, seconds: float) -> None:
        """Let `seconds` pass, stopping at every due moment of either side."""
        end = self.now + seconds
        self.step()
        while self.now < end:
            due = self.deadline()
            self.now = min(end, max(self.now + 0.001, end if due is None else due))
            self.step()

    def until(self, true: Callable[[], object], seconds: float = 120.0) -> None:
        """Run until `true()`; fails after `seconds`."""
        end = self.now + seconds
        while not true():
            assert self.now < end, "it never came true"
            self.run(0.05)

    # ------------------------------------------------------------------------------- looks

    def rows(self, kind: str) -> list[tuple[object, ...]]:
        """The ledger's rows of one kind."""
        reader = Reader(self.path)
        try:
            return [row for row in reader.rows(0, 100_000) if row[2] == kind]
        finally:
            reader.close()

    def calls(self) -> list[tuple[str, str]]:
        """(number, outcome) of each call, amendments folded."""
        found: dict[object, tuple[str, str]] = {}
        for row in self.rows("call"):
            if row[1]:
                found[row[1]] = (found[row[1]][0], str(row[10]))
            else:
                found[row[0]] = (str(row[8]), str(row[10]))
        return list(found.values())

    def letters(self) -> list[str]:
        """The state of each outbound message, oldest first."""
        found: dict[object, str] = {}
        for row in self.rows("message"):
            if row[1] or '"out"' in str(row[12]):
                found[row[1] or row[0]] = str(row[10])
        return list(found.values())
