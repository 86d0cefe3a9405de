"""How a dialogue with the modem is written down: as a generator that yields what it wants and gets the answer.

A script yields a `Command` and is resumed with its Answered, Refused or Expired; or it yields `Wait` and is
resumed with None when the seconds have passed. So a dialogue reads from top to bottom like the manual it
follows, and knows no port and no clock. When the modem is lost, `ModemLost` is thrown into the script: what
it had promised to write down, it writes down then.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

from edge.at import Channel, Command
from edge.events import Answered, Expired, Happening, Refused


@dataclass(frozen=True, slots=True)
class Wait:
    """Be resumed after this many seconds."""

    seconds: float


class ModemLost(Exception):
    """The port has gone, the modem restarted, or it went deaf: no answer will come."""


Answer = Answered | Refused | Expired
Script = Generator[Command | Wait, Answer | None, None]


class Runner:
    """Runs one script at a time on a channel. Several runners may share one: each has a `name` of its own."""

    def __init__(self, channel: Channel, name: str = "script") -> None:
        self.channel = channel
        self._name = name
        self._script: Script | None = None
        self._tag = ""
        self._count = 0
        self._wake: float | None = None
        self._sends = False  # is the pending command an SMS?

    @property
    def idle(self) -> bool:
        return self._script is None

    def start(self, script: Script, now: float) -> None:
        """Begin `script`; the runner must be idle."""
        assert self._script is None
        self._script = script
        self._step(None, now)

    def on(self, event: Happening, now: float) -> None:
        """Give the script its answer, when `event` is that."""
        if isinstance(event, Answered | Refused | Expired) and event.tag == self._tag:
            self._step(event, now)

    def tick(self, now: float) -> None:
        if self._wake is not None and now >= self._wake:
            self._step(None, now)

    def wake(self, now: float) -> None:
        """What the script waits for has come: resume it before its time."""
        if self._wake is not None:
            self._step(None, now)

    def deadline(self) -> float | None:
        return self._wake

    def withdraw(self) -> bool:
        """Take back the script's SMS, or its file, if that has not left yet; the script sees Refused or nothing."""
        return self._sends and self.channel.withdraw(self._tag)

    def unwritten(self) -> bool:
        """Take back the script's command if it still waits for the channel: True when it never will act."""
        return bool(self._tag) and not self.channel.working(self._tag) and self.channel.withdraw(self._tag)

    def resume_with(self, answer: Answer, now: float) -> None:
        """Answer the script's command in the modem's place, after a withdrawal that gives no event."""
        if self._tag and not self.channel.waiting(self._tag):
            self._step(answer, now)

    def lose(self) -> None:
        """The modem is lost: end the script, which writes down what it must."""
        script, self._script, self._tag, self._wake, self._sends = self._script, None, "", None, False
        if script is None:
            return
        try:
            script.throw(ModemLost())
        except (ModemLost, StopIteration):
            return
        script.close()

    def _step(self, answer: Answer | None, now: float) -> None:
        assert self._script is not None
        self._tag, self._wake, self._sends = "", None, False
        try:
            wanted = self._script.send(answer)
        except StopIteration:
            self._script = None
            return
        if isinstance(wanted, Wait):
            self._wake = now + wanted.seconds
            return
        self._count += 1
        self._tag, self._sends = f"{self._name}:{self._count}", wanted.sends
        self.channel.submit(replace(wanted, tag=self._tag))
