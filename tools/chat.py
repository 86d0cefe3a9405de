"""Voters on the telephone who have somebody, or a machine, at the other end: what they press and say, and when.

A voter listens until the other side has been silent for a moment, as people do, and then does the next thing that she
means to do; the impatient do not wait for the end. So a script fits whatever is said to her. No clock, no chance of its
own: the time is an argument, and `script` draws from the Random that is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple, Protocol

from tools.simmodem import Call, Callee

SILENT_S = 1.0  # so long the other side says nothing: it is her turn
BEGINS_S = 0.7  # so long it may take to begin
PATIENCE_S, LONGEST_S = 20.0, 75.0  # for one prompt; for all of it
BYTES_S = 16_000
WAYS = ("complaint", "vote", "idea", "complaint", "lost", "vote", "complaint", "leaves")  # one voter after the other
AT_HOME = ("answer", "answer", "busy", "answer", "answer", "refuse", "answer", "no-answer")


class Act(NamedTuple):
    """One thing that she does: "key" (`key`), "say" (`pcm`), or "leave", which is to hang up. `after_s`: at the latest
    so long after the act before, whatever is being said."""

    what: str
    key: str = ""
    pcm: bytes = b""
    after_s: float = PATIENCE_S


class Port(Protocol):
    """What of `tools.simmodem.PtyModem` is needed."""

    def press(self, key: str, ms: float = 100) -> None: ...

    def speak(self, pcm: bytes) -> None: ...

    def hang_up(self, call: Call) -> None: ...


class Chat:
    """One voter in one call that is up. `tick` until it is `over`."""

    def __init__(self, port: Port, call: Call, acts: Sequence[Act], now: float) -> None:
        self.call = call
        self._port, self._acts, self._done = port, acts, 0
        self._began = self._since = now
        self._busy_until = now + BEGINS_S

    @property
    def over(self) -> bool:
        return self.call.ended_at is not None

    def tick(self, now: float) -> None:
        """Do what it is time for."""
        if self.over or now < self._busy_until:
            return
        if now - self._began > LONGEST_S:
            self.leave()
        elif self._done < len(self._acts) and self._may(self._acts[self._done], now):
            self._do(self._acts[self._done], now)
            self._done += 1

    def leave(self) -> None:
        """She hangs up, whatever she meant to do."""
        self._port.hang_up(self.call)

    def _may(self, act: Act, now: float) -> bool:
        return now - self._since >= act.after_s or self._silence()

    def _silence(self) -> bool:
        """Has she heard nothing for a moment?"""
        tail = bytes(self.call.heard[-int(SILENT_S * BYTES_S) :])
        return len(tail) == int(SILENT_S * BYTES_S) and not any(tail)

    def _do(self, act: Act, now: float) -> None:
        self._since, self._busy_until = now, now + SILENT_S + BEGINS_S
        if act.what == "key":
            self._port.press(act.key)
        elif act.what == "say":
            self._port.speak(act.pcm)
            self._busy_until = now + len(act.pcm) / BYTES_S + 0.4
        else:
            self.leave()


# ------------------------------------------------------------------------------ what they mean to do


def script(campaign: str, place: int, chance: Random, sentences: Sequence[bytes]) -> list[Act]:
    """What the `place`-th voter, from 0, does in the menu of a shipped campaign: "water-menu" or "gram-sabha"."""
    said = Act("say", pcm=chance.choice(list(sentences)))
    enough = chance.choice((Act("key", "#"), Act("leave"), Act("leave", after_s=9.0)))  # the last waits for what comes
    if campaign == "gram-sabha":
        answer = "12131"[place % 5]
        rest = [said, enough] if answer != "3" else []
        return [_key(chance.choice("123"), chance), _key(answer, chance), *rest]
    ways = {
        "complaint": [_key("1", chance), _key(chance.choice("123"), chance), said, enough],
        "vote": [_key("2", chance), _key(chance.choice("112"), chance), _key(chance.choice("12"), chance)],
        "idea": [_key("3", chance), said, enough],
        "lost": [_key("7", chance), _key("0", chance), Act("leave")],
        "leaves": [Act("leave", after_s=4.0)],
    }
    return [_key(chance.choice("112"), chance), *ways[WAYS[place % len(WAYS)]]]


def _key(key: str, chance: Random) -> Act:
    """A key, by three in four before the prompt is over: they know what they want."""
    return Act("key", key, after_s=chance.uniform(1.8, 3.5) if chance.random() < 0.75 else PATIENCE_S)


def at_home(place: int, chance: Random) -> Callee:
    """How the `place`-th voter takes it when she is rung back."""
    does = AT_HOME[place % len(AT_HOME)]
    wait = {"answer": chance.uniform(2, 5), "refuse": 4.0, "busy": 2.0, "no-answer": 22.0}[does]
    return Callee(does, wait, talk_s=170.0)
