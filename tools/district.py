"""A district in software: voters who ring, what they do next, the weather over all of it, and what truly happened.

Rules of the room
- It knows only the far side of the modems: who dialled and what became of it. What a box wrote down or headquarters
  holds is read by others; `judge` compares the two, so that the simulator's truth is never the box's own word.
- The time is an argument, and chance comes from the Random that is given: the same seed makes the same voters.
- A number is unique to its voter, and a voter belongs to one box. She dials again after "busy" or "not reachable";
  she waits a dozen seconds before she rings a second time, because a plain modem never says that a caller gave up,
  and its box must take rings within ten seconds for the same call.
- Numbers are masked in everything that is told.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, NamedTuple, Protocol

from tools.simmodem import Call, SimModem

HABITS = {"patient": 48, "one-ring": 17, "twice": 14, "withheld": 6, "national": 7, "stops": 8}  # of a hundred voters
STOP_WORDS = ("STOP", "बंद", "stop please")
DIALS_MOST = 5  # then she gives it up
RUSH = 5.0  # so many times as many voters, when a rally ends


class Port(Protocol):
    """The far side of one modem, as `tools.simmodem.PtyModem` has it."""

    modem: SimModem

    def dial(self, caller: str, patience_s: float = 20.0, *, withheld: bool = False) -> Call: ...

    def sms_in(self, sender: str, text: str) -> list[str]: ...

    def fault(self, name: str, value: float | None = None) -> None: ...


@dataclass(eq=False)
class Line:
    """One number on the posters. `on_air` tells whether the network can reach it: after a modem was plugged in again
    its SIM takes some seconds to find the network, which the simulated one does not."""

    box: str
    name: str
    port: Port
    on_air: Callable[[], bool]
    read: int = 0  # letters of `port.modem.sent` that were looked at


@dataclass(eq=False)
class Voter:
    """One person. `national`: her network shows her number without the country code."""

    number: str = field(repr=False)
    habit: str
    patience_s: float
    dials: int = 0

    @property
    def shown(self) -> str:
        return "a withheld number" if self.habit == "withheld" else f"•••{self.number[-3:]}"


class Visit(NamedTuple):
    """One time that somebody dialled; `call` is None when the network could not reach the line."""

    line: Line
    voter: Voter
    call: Call | None

    @property
    def fate(self) -> str:
        return self.call.fate if self.call else "unreachable"


class District:
    """The voters of some lines. `tick` often; `tell` gets one sentence for everything that happened."""

    def __init__(
        self, lines: Sequence[Line], chance: Random, tell: Callable[[str, str], object], every_s: float = 7.0
    ) -> None:
        self.lines, self.visits = lines, list[Visit]()
        self.replies: Counter[tuple[str, str]] = Counter()  # (box, number) -> SMS that the network accepted
        self.stops = 0
        self.rush_until = 0.0
        self._chance, self._tell, self._every_s = chance, tell, every_s
        self._due: list[tuple[float, int, Callable[[float], None]]] = []
        self._count = itertools.count()
        self._ringing: list[Visit] = []
        self._voters: dict[str, Voter] = {}

    # ------------------------------------------------------------------------------- the voters

    def open(self, now: float) -> None:
        """The posters are up: voters begin to ring, the first one at once."""
        for place, line in enumerate(self.lines):
            self._in(0.5 + self._every_s * place / len(self.lines), now, partial(self._comes, line))

    def close(self) -> None:
        """Nobody rings any more, and nobody dials again."""
        self._due.clear()

    def tick(self, now: float) -> None:
        """Everything that is due by `now`, and what became of the calls and letters under way."""
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2](now)
        over = [visit for visit in self._ringing if visit.fate]
        self._ringing = [visit for visit in self._ringing if not visit.fate]
        for visit in over:
            self._ended(visit, now)
        for line in self.lines:
            self._letters(line, now)

    def _in(self, seconds: float, now: float, do: Callable[[float], None]) -> None:
        heapq.heappush(self._due, (now + seconds, next(self._count), do))

    def _comes(self, line: Line, now: float) -> None:
        """A new voter rings, and after her the next one will."""
        every = self._every_s / (RUSH if now < self.rush_until else 1)
        self._in(min(self._chance.expovariate(1 / every), 4 * every), now, partial(self._comes, line))
        number = ""
        while not number or number in self._voters:
            number = f"+9198{self._chance.randrange(10**8):08d}"
        habit = self._chance.choices(list(HABITS), list(HABITS.values()))[0]
        patience = 1.5 if habit == "one-ring" else self._chance.uniform(10, 30)
        voter = self._voters[number] = Voter(number, habit, patience)
        self._dial(line, voter, now)

    def _dial(self, line: Line, voter: Voter, now: float) -> None:
        voter.dials += 1
        call = None
        if line.on_air():
            caller = "0" + voter.number[3:] if voter.habit == "national" else voter.number
            call = line.port.dial(caller, voter.patience_s, withheld=voter.habit == "withheld")
        visit = Visit(line, voter, call)
        self.visits.append(visit)
        self._ringing.append(visit)

    def _ended(self, visit: Visit, now: float) -> None:
        """What she does next."""
        line, voter, call = visit
        where = f"{line.box} {line.name}"
        if visit.fate in ("busy", "unreachable"):
            heard = "busy" if visit.fate == "busy" else "“not reachable”"
            again = voter.dials < DIALS_MOST
            self._tell(where, f"{voter.shown} heard {heard}{' and will dial again' if again else ''}")
            if again:
                self._in(self._chance.uniform(3, 8), now, partial(self._dial, line, voter))
            return
        self._tell(where, f"{voter.shown} {_ending(call)}")
        if voter.habit == "twice" and voter.dials < 2:
            other = self._chance.choice([each for each in self.lines if each.box == line.box])
            self._in(self._chance.uniform(12, 25), now, partial(self._dial, other, voter))

    def _letters(self, line: Line, now: float) -> None:
        """The SMS that the network took from this line since the last look."""
        sent = line.port.modem.sent
        while line.read < len(sent) and (letter := sent[line.read]).outcome:
            line.read += 1
            voter = self._voters.get(letter.number)
            if letter.outcome != "accepted" or (letter.part and letter.part[2] != 1):
                continue
            self.replies[line.box, letter.number] += 1
            self._tell(f"{line.box} {line.name}", f"•••{letter.number[-3:]} has the reply by SMS")
            if voter and voter.habit == "stops" and self.replies[line.box, letter.number] == 1:
                self._in(self._chance.uniform(3, 6), now, partial(self._stop, line, voter))

    def _stop(self, line: Line, voter: Voter, now: float) -> None:
        """She has had enough; she rings once more later, and must not be answered."""
        if not line.on_air():
            self._in(3.0, now, partial(self._stop, line, voter))
            return
        word = self._chance.choice(STOP_WORDS)
        line.port.sms_in(voter.number, word)
        self.stops += 1
        self._tell(f"{line.box} {line.name}", f"{voter.shown} writes “{word}”")
        self._in(self._chance.uniform(12, 20), now, partial(self._dial, line, voter))

    # --------------------------------------------------------------------------------- the truth

    def ringing(self) -> int:
        """Calls whose end is not known yet."""
        return len(self._ringing)

    def fates(self) -> Counter[str]:
        """How the calls ended, counted; "" is still ringing."""
        return Counter(visit.fate for visit in self.visits)

    def truth(self) -> Counter[Key]:
        """The calls that made a modem ring, counted by line and number: each must be on disk and at headquarters."""
        return Counter(_key(visit) for visit in self.visits if visit.call and visit.call.rang_at is not None)


def _ending(call: Call | None) -> str:
    if call is None or call.fate == "gave-up":
        return "rang and gave up"
    if call.fate != "rejected" or call.hangup_at is None or call.told_at is None:
        return f"rang: {call.fate}"
    took = call.hangup_at - call.told_at
    return f"rang, was written down, and cut after {f'{took:.1f} s' if took >= 1 else f'{took * 1000:.0f} ms'}"


# ------------------------------------------------------------------------------------------ weather


class Spell(NamedTuple):
    """Something that befalls the district `at` seconds after the start: a "rush" of voters, the "broker" down, a
    modem "unplugged"; it lasts `seconds`."""

    at: float
    what: str
    seconds: float


def forecast(run_s: float | None) -> Iterator[Spell]:
    """The weather of a run of so many seconds; without an end it comes round every minute and a half."""
    period = run_s or 90.0
    for start in itertools.count(0, period):
        yield Spell(start + 0.14 * period, "rush", 0.10 * period)
        yield Spell(start + 0.38 * period, "broker", min(20.0, max(3.0, 0.18 * period)))
        yield Spell(start + 0.70 * period, "unplugged", min(8.0, max(2.0, 0.10 * period)))
        if run_s:
            return


# --------------------------------------------------------------------------------------- the verdict

Key = tuple[str, str, str]  # box, line, number; "" for a withheld one, "?" for one that the box never learnt


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the calls that reached a line. `lost` are missing in a ledger or at headquarters, `extra` are
    there more often than they rang; `pestered` voters got more than one reply; `answered` calls would be billed."""

    reached: int
    captured: int
    at_hq: int
    lost: int
    extra: int
    pestered: int
    answered: int

    @property
    def good(self) -> bool:
        return not (self.lost or self.extra or self.pestered or self.answered)


def judge(district: District, ledgers: Iterable[Mapping[str, Any]], hq: Iterable[Mapping[str, Any]]) -> Verdict:
    """Compare what happened with the calls that the boxes' and headquarters' exports tell."""
    truth = district.truth()
    boxes, boxes_twice = _held(ledgers)
    there, there_twice = _held(hq)
    return Verdict(
        reached=truth.total(),
        captured=(truth & boxes).total(),
        at_hq=(truth & there).total(),
        lost=(truth - (boxes & there)).total(),
        extra=((boxes | there) - truth).total() + boxes_twice + there_twice,
        pestered=sum(count > 1 for count in district.replies.values()),
        answered=district.fates()["answered"],
    )


def _held(calls: Iterable[Mapping[str, Any]]) -> tuple[Counter[Key], int]:
    """The calls of an export, each id once, and how many ids came again."""
    by_id: dict[str, Key] = {}
    seen = 0
    for call in calls:
        seen += 1
        number = call["number"] or ("" if call["withheld"] else "?")
        by_id[call["id"]] = call["box"], call["line"], number
    return Counter(by_id.values()), seen - len(by_id)


def _key(visit: Visit) -> Key:
    number = "" if visit.voter.habit == "withheld" else visit.voter.number
    return visit.line.box, visit.line.name, number
