"""Which letter goes next, and whether it may: the rules asked and the claim written, under the box's send lock.

Conduct, like `letters` whose scripts it starts: no port, no clock. A letter is judged at the moment of sending, with
what every line of the box has on disk; its claim is on disk before the lock is left.
"""

from __future__ import annotations

import itertools
import sqlite3
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from edge import letters
from edge.campaign import Campaign
from edge.events import Stamp
from edge.ledger import Letter, Reader
from edge.profile import Profile
from edge.rules import STORM_PATIENCE_S, Facts, Later, Never, Now, Request, Verdict, decide, elapsed, rest_after_ring
from edge.script import Script

LOCK_AGAIN_S = 0.02
DESK_APART_S = 10.0  # between two answers of headquarters: six a minute look like people, not like a machine
LOOKS = 8  # letters judged in one go


@dataclass(frozen=True)
class Lines:
    """What one line knows of its box. `guard` enters the send lock or is None when it is taken; `siblings` are readers
    of the other ledgers, None when one cannot be read; `own` are the box's own numbers, `values` fill its texts."""

    guard: Callable[[], AbstractContextManager[object] | None]
    siblings: Callable[[], Sequence[Reader] | None]
    own: frozenset[str]
    country: str
    timezone: str
    values: Mapping[str, str]


class Outbox:
    """The letters of one line that are still to go."""

    def __init__(
        self, desk: letters.Desk, campaign: Campaign, line: str, purse: int, lines: Lines, stamp: Callable[[], Stamp]
    ) -> None:
        self.desk = desk
        self._ledger, self._campaign, self._purse, self._lines, self._stamp = desk.ledger, campaign, purse, lines, stamp
        self._lock_again_s = LOCK_AGAIN_S * (1 + zlib.crc32(line.encode()) % 5)
        self._held_until = self._desk_at = 0.0
        self._letters: list[Letter] | None = None  # open letters, read anew when something changed

    def changed(self) -> None:
        """Something was queued, or became of a letter: look anew."""
        self._letters = None

    def rest(self, calls: Sequence[float], now: float) -> float:
        """Seconds that sending waits for `calls`, heard at these times; nobody's reply waits for a storm for ever."""
        waiting = (o for o in self._open() if o.state == "queued" and o.purpose != "desk")
        oldest = next((o for o in waiting if self._ready(o) <= now), None)
        patient = oldest is None or elapsed(oldest.born, self._stamp()) < STORM_PATIENCE_S
        return rest_after_ring(calls, now, patient)

    def _open(self) -> list[Letter]:
        if self._letters is None:
            self._letters = self._ledger.open_letters()
        return self._letters

    def _ready(self, letter: Letter) -> float:
        """From when on this letter may be tried."""
        return max(self.desk.again.get(letter.seq, 0.0), self._desk_at if letter.purpose == "desk" else 0.0)

    def next_at(self, now: float, rest: float) -> float | None:
        """When some letter can be tried."""
        if not self._open():
            return None
        ready = min(self._ready(letter) for letter in self._open())
        return max(ready, self._held_until, now + rest)

    def next(self, now: float, profile: Profile) -> Script | None:
        """The script that sends the first letter that may go, claimed on disk; None when none may go now.

        Of many that must wait only a few are looked at, so that no caller waits behind them."""
        if now < self._held_until:
            return None
        due = [letter for letter in self._open() if self._ready(letter) <= now]
        for letter in itertools.islice(due, LOOKS):
            guard = self._lines.guard()
            if guard is None:
                self._held_until = now + self._lock_again_s
                return None
            with guard:
                verdict = self._claim(letter)
            if isinstance(verdict, Later):
                self._hold(letter, verdict, now)
                continue
            self._letters = None
            self.desk.again.pop(letter.seq, None)
            if isinstance(verdict, Now):
                self._desk_at = now + DESK_APART_S if letter.purpose == "desk" else self._desk_at
                return letters.send(self.desk, letter, profile)
            self._ledger.set_state(self._stamp(), letter.seq, "cancelled", verdict.why)
        return None

    def _claim(self, letter: Letter) -> Verdict:
        """Judge `letter` and put the claim on disk; the send lock is held.

        A STOP takes no lock, so that nothing delays it: whoever's STOP is on disk once our claim is, wins."""
        verdict = self._judge(letter)
        if isinstance(verdict, Now):
            self._ledger.set_state(self._stamp(), letter.seq, "sending", refs=letter.refs)
            verdict = self._judge(letter, claimed=True)
        return verdict

    def _hold(self, letter: Letter, verdict: Later, now: float) -> None:
        self.desk.again[letter.seq] = now + verdict.seconds
        state = "held" if verdict.held else letter.state
        if (state, verdict.why) != (letter.state, letter.reason):
            self._ledger.set_state(self._stamp(), letter.seq, state, verdict.why)
            self._letters = None

    def _judge(self, letter: Letter, claimed: bool = False) -> Verdict:
        """Ask `rules` with what every line of the box has on disk; once `claimed`, only a STOP speaks against it."""
        number, campaign, stamp = letter.caller.number, self._campaign, self._stamp()
        try:
            others = self._lines.siblings()
            books: list[Reader] = [self._ledger, *(others or ())]
            claims = self._ledger.claims(number, besides=letter.seq)
            claims += [claim for book in others or () for claim in book.claims(number)]
            opted_out = any(book.opted_out(number) for book in books)
        except sqlite3.Error:
            others = None
        if others is None:
            return Later(30, "another line's ledger cannot be read", held=True)
        if claimed:
            return Never("opted out") if opted_out else Now()
        facts = Facts(
            now=stamp, timezone=self._lines.timezone, opted_out=opted_out, claims=claims,
            spent=self._ledger.spent(stamp, besides=letter.seq), purse=self._purse,
            once_per_s=campaign.once_per_s, quiet=campaign.quiet, own=self._lines.own,
        )  # fmt: skip
        return decide(Request(letter.caller, letter.campaign, letter.parts, letter.born, letter.purpose), facts)
