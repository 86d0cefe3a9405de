"""A district in software: voters who ring, what they do next, the weather over all of it, and what truly happened.

Rules of the room
- It knows only the far side of the modems: who dialled and what became of it. What a box wrote down or headquarters
  holds is read by others; `judge` compares the two, so that the simulator's truth is never the box's own word.
- The time is an argument, and chance comes from the Random that is given: the same seed makes the same voters.
- A number is unique to its voter, and a voter belongs to one box. She dials again after "busy" or "not reachable";
  she waits a dozen seconds before she rings a second time, because a plain modem never says that a caller gave up,
  and its box must take rings within ten seconds for the same call.
- Some lines talk: one answers and plays a menu, one cuts the call and rings back. Who rings those knows what she wants
  to press and say (`chat`); what she heard is not judged here, but that the call, and the call back, are told once.
- Numbers are masked in everything that is told.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, NamedTuple, Protocol

from tools.chat import Chat, at_home, script
from tools.simmodem import Call, SimModem

HABITS = {"patient": 48, "one-ring": 17, "twice": 14, "withheld": 6, "national": 7, "stops": 8}  # of a hundred voters
STOP_WORDS = ("STOP", "बंद", "stop please")
DIALS_MOST = 5  # then she gives it up
RUSH = 5.0  # so many times as many voters, when a rally ends
TALK_EVERY_S = (30.0, 45.0)  # between voters on a line that talks
PLACED = ("called-back", "unreached")  # outcomes of calls that a box places


class Port(Protocol):
    """The far side of one modem, as `tools.simmodem.PtyModem` has it."""

    modem: SimModem

    def dial(self, caller: str, patience_s: float = 20.0, *, withheld: bool = False, **how: Any) -> Call: ...

    def sms_in(self, sender: str, text: str) -> list[str]: ...

    def fault(self, name: str, value: float | None = None) -> None: ...

    def press(self, key: str, ms: float = 100) -> None: ...

    def speak(self, pcm: bytes) -> None: ...

    def hang_up(self, call: Call) -> None: ...


@dataclass(eq=False)
class Line:
    """One number on the posters, and its campaign where it talks. `on_air` tells whether the network can reach it:
    after a modem was plugged in again its SIM takes some seconds to find the network, which the simulated one does
    not."""

    box: str
    name: str
    port: Port
    on_air: Callable[[], bool]
    mode: str = "missed-call"
    campaign: str = ""
    talked: int = 0  # voters who were in its menu
    came: int = 0  # voters who came to talk
    read: int = 0  # letters of `port.modem.sent` that were looked at
    looked: int = 0  # and calls of `port.modem.calls`

    @property
    def where(self) -> str:
        return f"{self.box} {self.name}"

    @property
    def talks(self) -> bool:
        return self.mode != "missed-call"


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
    """The voters of some lines. `tick` often; `tell` gets one sentence for everything that happened. `sentences` is
    what voters say into the telephone; `person` tells that somebody wants to try the lines that talk, which voters then
    keep free."""

    def __init__(
        self,
        lines: Sequence[Line],
        chance: Random,
        tell: Callable[[str, str], object],
        every_s: float = 7.0,
        sentences: Sequence[bytes] = (b"",),
        person: Callable[[], bool] = lambda: False,
    ) -> None:
        self.lines, self.visits = lines, list[Visit]()
        self.replies: Counter[tuple[str, str]] = Counter()  # (box, number) -> SMS that the network accepted
        self.references = 0  # SMS with the number of a case
        self.rung_back: list[tuple[Line, Call]] = []
        self.stops = 0
        self.rush_until = 0.0
        self.sentences, self.person = sentences, person
        self._chance, self._tell, self._every_s = chance, tell, every_s
        self._due: list[tuple[float, int, Callable[[float], None]]] = []
        self._count = itertools.count()
        self._ringing: list[Visit] = []
        self._dialling: list[tuple[Line, Call]] = []  # calls that boxes place, until they are decided
        self._chats: list[Chat] = []
        self._voters: dict[str, Voter] = {}
        self._persons: deque[tuple[Line, str, Call | None]] = deque()  # from another thread
        self._closed = False

    # ------------------------------------------------------------------------------- the voters

    def open(self, now: float) -> None:
        """The posters are up: voters begin to ring, the first one at once."""
        silent = [line for line in self.lines if not line.talks]
        for place, line in enumerate(silent):
            self._in(0.5 + self._every_s * place / len(silent), now, partial(self._comes, line))
        for place, line in enumerate(line for line in self.lines if line.talks):
            self._in(1.0 + 2 * place, now, partial(self._comes_to_talk, line))

    def close(self) -> None:
        """Nobody rings any more, nobody dials again, and whoever is on the telephone hangs up."""
        self._closed = True
        self._due.clear()
        for chat in self._chats:
            chat.leave()

    def came(self, line: Line, number: str, call: Call | None) -> None:
        """A person dialled by hand, who is a voter like any other. From any thread."""
        self._persons.append((line, number, call))

    def tick(self, now: float) -> None:
        """Everything that is due by `now`, and what became of the calls and letters under way."""
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2](now)
        while self._persons:
            line, number, call = self._persons.popleft()
            voter = self._voters.setdefault(number, Voter(number, "person", 0.0))
            self._visit(Visit(line, voter, call))
        over = [visit for visit in self._ringing if visit.fate]
        self._ringing = [visit for visit in self._ringing if not visit.fate]
        for visit in over:
            self._ended(visit, now)
        for line in self.lines:
            self._letters(line, now)
            if line.talks:
                self._calls_of_ours(line, now)
        for chat in self._chats:
            chat.tick(now)
        self._chats = [chat for chat in self._chats if not chat.over]

    def _in(self, seconds: float, now: float, do: Callable[[float], None]) -> None:
        if self._closed:
            return
        heapq.heappush(self._due, (now + seconds, next(self._count), do))

    def _comes(self, line: Line, now: float) -> None:
        """A new voter rings, and after her the next one will."""
        every = self._every_s / (RUSH if now < self.rush_until else 1)
        self._in(min(self._chance.expovariate(1 / every), 4 * every), now, partial(self._comes, line))
        habit = self._chance.choices(list(HABITS), list(HABITS.values()))[0]
        patience = 1.5 if habit == "one-ring" else self._chance.uniform(10, 30)
        self._dial(line, self._new_voter(habit, patience), now)

    def _comes_to_talk(self, line: Line, now: float) -> None:
        """The same on a line that talks: a call there takes its time."""
        if self.person():
            self._in(5.0, now, partial(self._comes_to_talk, line))
            return
        self._in(self._chance.uniform(*TALK_EVERY_S), now, partial(self._comes_to_talk, line))
        voter = self._new_voter("talks", 30.0)
        if line.mode == "callback":
            line.port.modem.line.callees[voter.number] = at_home(line.came, self._chance)
        line.came += 1
        self._dial(line, voter, now)

    def _new_voter(self, habit: str, patience_s: float) -> Voter:
        number = ""
        while not number or number in self._voters:
            number = f"+9198{self._chance.randrange(10**8):08d}"
        voter = self._voters[number] = Voter(number, habit, patience_s)
        return voter

    def _dial(self, line: Line, voter: Voter, now: float) -> None:
        voter.dials += 1
        call = None
        if line.on_air():
            caller = "0" + voter.number[3:] if voter.habit == "national" else voter.number
            how = {"talk_s": 170.0} if line.talks else {}
            call = line.port.dial(caller, voter.patience_s, withheld=voter.habit == "withheld", **how)
        self._visit(Visit(line, voter, call))

    def _visit(self, visit: Visit) -> None:
        self.visits.append(visit)
        self._ringing.append(visit)

    def _ended(self, visit: Visit, now: float) -> None:
        """What she does next."""
        line, voter, call = visit
        if visit.fate in ("busy", "unreachable"):
            heard = "busy" if visit.fate == "busy" else "“not reachable”"
            again = voter.dials < DIALS_MOST and voter.habit != "person"
            self._tell(line.where, f"{voter.shown} heard {heard}{' and will dial again' if again else ''}")
            if again:
                self._in(self._chance.uniform(3, 8), now, partial(self._dial, line, voter))
            return
        if call and visit.fate == "answered" and line.talks:
            self._tell(line.where, f"{voter.shown} is answered, and listens")
            self._talk(line, voter, call, now)
            return
        self._tell(line.where, f"{voter.shown} {_ending(call)}")
        if voter.habit == "twice" and voter.dials < 2:
            others = [each for each in self.lines if each.box == line.box and not each.talks]
            self._in(self._chance.uniform(12, 25), now, partial(self._dial, self._chance.choice(others), voter))

    # ------------------------------------------------------------------------------ on the telephone

    def _talk(self, line: Line, voter: Voter | None, call: Call, now: float) -> None:
        """She has somebody, or something, at the other end; what a person does is her own affair."""
        if voter is None or voter.habit != "talks":
            return
        chat = Chat(line.port, call, script(line.campaign, line.talked, self._chance, self.sentences), now)
        line.talked += 1
        self._chats.append(chat)
        if self._closed:
            chat.leave()

    def _calls_of_ours(self, line: Line, now: float) -> None:
        """The calls that the box has placed on this line since the last look, and how they went."""
        calls = line.port.modem.calls
        while line.looked < len(calls):
            call = calls[line.looked]
            line.looked += 1
            if call.outgoing:
                self.rung_back.append((line, call))
                self._dialling.append((line, call))
        decided = [(where, call) for where, call in self._dialling if where is line and call.fate]
        self._dialling = [pair for pair in self._dialling if pair not in decided]
        for _, call in decided:
            shown = f"•••{call.caller[-3:]}"
            took = {"answered": "takes the call", "busy": "is busy", "refused": "refuses the call"}
            self._tell(line.where, f"{shown} is rung back and {took.get(call.fate, 'does not take it')}")
            if call.fate == "answered":
                self._talk(line, self._voters.get(call.caller), call, now)

    # ------------------------------------------------------------------------------------- letters

    def _letters(self, line: Line, now: float) -> None:
        """The SMS that the network took from this line since the last look."""
        sent = line.port.modem.sent
        while line.read < len(sent) and (letter := sent[line.read]).outcome:
            line.read += 1
            voter = self._voters.get(letter.number)
            if letter.outcome != "accepted" or (letter.part and letter.part[2] != 1):
                continue
            if line.talks:
                self.references += 1
                self._tell(line.where, f"•••{letter.number[-3:]} has the number of her case by SMS")
                continue
            self.replies[line.box, letter.number] += 1
            self._tell(line.where, f"•••{letter.number[-3:]} has the reply by SMS")
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
        self._tell(line.where, f"{voter.shown} writes “{word}”")
        self._in(self._chance.uniform(12, 20), now, partial(self._dial, line, voter))

    # --------------------------------------------------------------------------------- the truth

    def ringing(self) -> int:
        """Calls whose end is not known yet."""
        return len(self._ringing) + len(self._dialling) + len(self._persons)

    def talking(self) -> int:
        """Voters who are on the telephone."""
        return len(self._chats)

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
    there more often than they rang; `pestered` voters got more than one reply; `answered` calls would be billed, though
    their line never answers. `talked` are the callers that a menu answered, `rung_back` the voters who took the call
    of a box; of those `astray` are told by headquarters otherwise than they happened."""

    reached: int
    captured: int
    at_hq: int
    lost: int
    extra: int
    pestered: int
    answered: int
    talked: int = 0
    rung_back: int = 0
    astray: int = 0

    @property
    def good(self) -> bool:
        return not (self.lost or self.extra or self.pestered or self.answered or self.astray)


def judge(district: District, ledgers: Iterable[Mapping[str, Any]], hq: Iterable[Mapping[str, Any]]) -> Verdict:
    """Compare what happened with the calls that the boxes' and headquarters' exports tell."""
    truth, rung = district.truth(), district.rung_back
    ledgers, hq = list(ledgers), list(hq)
    boxes, boxes_twice = _held(call for call in ledgers if call["outcome"] not in PLACED)
    there, there_twice = _held(call for call in hq if call["outcome"] not in PLACED)
    taken = Counter((line.box, line.name, call.caller) for line, call in rung if call.fate == "answered")
    told, _ = _held(call for call in hq if call["outcome"] == "called-back")
    answered = Counter(visit.line.mode for visit in district.visits if visit.fate == "answered")
    return Verdict(
        reached=truth.total(),
        captured=(truth & boxes).total(),
        at_hq=(truth & there).total(),
        lost=(truth - (boxes & there)).total(),
        extra=((boxes | there) - truth).total() + boxes_twice + there_twice,
        pestered=sum(count > 1 for count in district.replies.values()),
        answered=answered.total() - answered["menu"],
        talked=answered["menu"],
        rung_back=taken.total(),
        astray=((taken - told) + (told - taken)).total(),
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
