"""How long the road waits, in seconds."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """The waits of a box: for an answer, at least and at most; between two hellos; before a new connection."""

    resend_s: float = 5.0
    resend_most_s: float = 300.0
    hello_s: float = 60.0
    reconnect_s: float = 60.0

    def times(self, factor: float) -> Pace:
        """The same, faster or slower: a demo and a test have no minute to spare."""
        return Pace(*(value * factor for value in (self.resend_s, self.resend_most_s, self.hello_s, self.reconnect_s)))

    def pause(self, tries: int, dice: random.Random) -> float:
        """How long to wait for an answer after `tries` that stayed without one."""
        most = min(self.resend_s * 2.0 ** min(tries, 16), self.resend_most_s)
        return max(dice.uniform(0, most), self.resend_s / 5)
