"""Offices whose ledgers were filled by the box's own writer, for tests that need all that a box can send.

`World` is a few boxes with lines in two time zones; `acts` is the strategy of what callers do to them, in order. Each
act books its rows for the moments at which a box would write them, so that things amend each other out of turn.
"""

from __future__ import annotations

import heapq
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from edge.events import GENESIS, Caller, Row, Stamp, link
from edge.ledger import Draft, Ledger
from sync import wire

START_MS = int(datetime(2026, 11, 23, 20, 0, tzinfo=ZoneInfo("Asia/Kolkata")).timestamp() * 1000)
MINUTE = 60_000
MEMORY = "/dev/shm"  # a folder that no disk slows down, where there is one
BOOT = "5d1f0c9a7be34482"


class Seat(NamedTuple):
    """A line of a box, as its box.toml has it."""

    box: str
    district: str
    timezone: str
    line: str
    campaign: str
    channel: str
    language: str


# campaigns "support" and "oppose" are options of the issue "subsidy"; "ask" asks for it by key; "water" has none
SEATS = (
    Seat("nashik-07", "nashik", "Asia/Kolkata", "l1", "support", "poster", "mr"),
    Seat("nashik-07", "nashik", "Asia/Kolkata", "l2", "support", "radio", "hi"),
    Seat("nashik-07", "nashik", "Asia/Kolkata", "l3", "oppose", "poster", ""),
    Seat("pune-02", "pune", "Asia/Kolkata", "l1", "ask", "poster", "hi"),
    Seat("recife-01", "recife", "America/Recife", "l1", "ask", "", "pt"),
    Seat("recife-01", "recife", "America/Recife", "l2", "water", "radio", "pt"),
)
CALLERS = (
    *(Caller("national", f"+9198220000{n:02}") for n in range(7)), Caller("international", "+5581999990000"),
    Caller("short", "121"), Caller("withheld"), Caller("unknown"),
)  # fmt: skip
FATES = ("none", "none", "sent", "sent", "delivered", "failed", "unknown", "held", "cancelled", "queued", "retried")
WHATS = (
    "missed", "missed", "missed", "missed", "gave-up", "recovered", "talk", "talk", "talk", "late-talk", "back", "back",
    "letter", "stop", "no-more", "order", "case-moves",
)  # fmt: skip
LANGUAGES = ("hi", "mr", "en", "pt")


class Act(NamedTuple):
    """What a caller does: `gap_ms` after the act before, on a seat; `dice` decide all that is open."""

    gap_ms: int
    seat: int
    caller: int
    what: str
    fate: str
    dice: tuple[int, ...]


def acts(most: int = 12) -> st.SearchStrategy[list[Act]]:
    """Lists of acts; gaps of seconds, minutes, hours and days."""
    gap = st.one_of(st.integers(0, 20_000), st.integers(0, 3_600_000), st.integers(0, 30 * 3_600_000))
    act = st.builds(
        Act, gap, st.integers(0, len(SEATS) - 1), st.integers(0, len(CALLERS) - 1), st.sampled_from(WHATS),
        st.sampled_from(FATES), st.tuples(*[st.integers(0, 99)] * 8),
    )  # fmt: skip
    return st.lists(act, max_size=most)


def crowd(seed: int, many: int) -> list[Act]:
    """So many acts more, as dice of that seed fall: a busy week."""
    dice = random.Random(seed)
    gaps = (5000, 60_000, 900_000, 3_600_000, 9 * 3_600_000)
    return [
        Act(
            dice.randrange(dice.choice(gaps)), dice.randrange(len(SEATS)), dice.randrange(len(CALLERS)),
            dice.choice(WHATS), dice.choice(FATES), tuple(dice.randrange(100) for _ in range(8)),
        )
        for _ in range(many)
    ]  # fmt: skip


class Line:
    """One ledger, and what is booked for it."""

    def __init__(self, seat: Seat, folder: Path) -> None:
        self.seat = seat
        self.now_ms, self.boot = START_MS - 3_600_000, BOOT
        about = {"number": "+919000000001", "campaign": seat.campaign, "channel": seat.channel}
        path = folder / f"{seat.box}-{seat.line}.db"
        self.ledger = Ledger(path, seat.box, seat.line, self.stamp, {**about, "language": seat.language})
        self.ledger._db.execute("PRAGMA synchronous = OFF")  # no power is cut here, and there are many commits
        self.cases: list[int] = []
        self.number = 0  # of the last order
        self._booked: list[tuple[int, int, Callable[[], object]]] = []
        self._turn = 0

    @property
    def stamp(self) -> Stamp:
        return Stamp(self.boot, self.now_ms - START_MS + 10_000_000, self.now_ms, 3)

    def book(self, at_ms: int, do: Callable[[], object]) -> None:
        self._turn += 1
        heapq.heappush(self._booked, (at_ms, self._turn, do))

    def run(self) -> None:
        """Do all that is booked, in the order of time."""
        while self._booked:
            at_ms, _, do = heapq.heappop(self._booked)
            self.now_ms = max(self.now_ms, at_ms)
            do()

    # ------------------------------------------------------------------------------- what callers do

    def act(self, act: Act, at_ms: int) -> None:
        caller, dice = CALLERS[act.caller], act.dice
        if act.what in ("missed", "gave-up", "recovered"):
            self.book(at_ms, lambda: self.missed(caller, act.what, act.fate, dice))
        elif act.what in ("talk", "late-talk"):
            self.book(at_ms, lambda: self.talk(caller, act.what == "late-talk", act.fate, dice))
        elif act.what == "back":
            self.book(at_ms, lambda: self.back(caller, dice))
        elif act.what in ("letter", "stop"):
            text, stop = ("STOP", True) if act.what == "stop" else (f"pani {dice[0]}", False)
            language = LANGUAGES[dice[1] % 4] if dice[2] < 20 else ""
            mark = f"{at_ms}{act}".encode()
            self.book(at_ms, lambda: self.ledger.keep_received(
                self.stamp, caller, self.seat.campaign, text, mark, language=language, opt_out=stop
            ))  # fmt: skip
        elif act.what == "no-more":
            self.book(at_ms, lambda: self.ledger.keep_call(
                self.stamp, caller, "missed", self.seat.campaign, None, True
            ))  # fmt: skip
        elif act.what == "order":
            self.book(at_ms, lambda: self.order(caller, dice))
        else:
            self.book(at_ms, lambda: self.move(dice))

    def missed(self, caller: Caller, outcome: str, fate: str, dice: Sequence[int]) -> None:
        language = LANGUAGES[dice[0] % 4]
        draft = Draft("Thank you", language, 1 + dice[1] % 2) if fate != "none" and caller.repliable else None
        seq = self.ledger.keep_call(self.stamp, caller, outcome, self.seat.campaign, draft)
        if draft:
            self.letter(seq + 1, fate, dice)
        if dice[7] < 10:  # an end mark was found late
            self.book(self.now_ms + 2000, lambda: self.ledger.amend_call(self.stamp, seq, "gave-up"))

    def letter(self, seq: int, fate: str, dice: Sequence[int]) -> None:
        """What becomes of a queued letter."""
        at, late = self.now_ms + 1000 * dice[2] + 37 * dice[3], 300_000 * dice[4]
        states: dict[str, list[tuple[int, str, str]]] = {
            "queued": [],
            "sent": [(0, "sending", ""), (2500, "sent", "")],
            "delivered": [(0, "sending", ""), (2500, "sent", ""), (60_000 * dice[4], "delivered", "")],
            "failed": [(0, "sending", ""), (900, "failed", "no credit")],
            "unknown": [(0, "sending", ""), (900, "unknown", "the modem did not say")],
            "held": [(0, "held", "quiet hours"), (late, "sending", ""), (late + 900, "sent", "")],
            "cancelled": [(0, "cancelled", "opted out")],
            "retried": [
                (0, "sending", ""), (900, "queued", "no prompt"), (11_000, "sending", ""), (12_000, "sent", "")
            ],
        }  # fmt: skip
        for later, state, why in states[fate]:
            self.book(at + later, lambda state=state, why=why: self.ledger.set_state(self.stamp, seq, state, why))  # type: ignore[misc]

    def talk(self, caller: Caller, late: bool, fate: str, dice: Sequence[int]) -> None:
        """A call that is answered, or was to be."""
        seq = self.ledger.keep_call(self.stamp, caller, "missed", self.seat.campaign)
        if late:
            self.book(self.now_ms + 3000, lambda: self.ledger.amend_call(self.stamp, seq, "gave-up"))
            return
        self.book(self.now_ms + 1500, lambda: self.ledger.talked(self.stamp, seq, 0))
        end = self.converse(seq, caller, self.now_ms + 1500, dice)
        self.book(end, lambda: self.ledger.talked(self.stamp, seq, (end - self.now_ms) // 1000 + 5 + dice[5]))

    def back(self, caller: Caller, dice: Sequence[int]) -> None:
        """A missed call that wants to be rung back, and the tries."""
        seq = self.ledger.keep_call(self.stamp, caller, "missed", self.seat.campaign, ring_back=True)
        at = self.now_ms + (1000 * dice[0] if dice[1] < 60 else 10_000 * dice[0])
        self.tries(seq, at, dice)

    def order(self, caller: Caller, dice: Sequence[int]) -> None:
        """Headquarters orders a call back."""
        self.number += 1
        if caller.repliable:
            seq = self.ledger.head()[0] + 1
            self.ledger.answer_order(self.stamp, self.number, "done", ring_back=(caller, self.seat.campaign))
            self.tries(seq, self.now_ms + 5000, dice)
        else:
            self.ledger.answer_order(self.stamp, self.number, "refused", "nobody can ring that")

    def tries(self, wish: int, at_ms: int, dice: Sequence[int]) -> None:
        for place in range(1 + dice[2] % 3):
            answered = dice[3 + place] < 45
            self.book(at_ms, lambda answered=answered: self.dial(wish, answered, dice))  # type: ignore[misc]
            at_ms += 2 * 3_600_000
            if answered:
                break

    def dial(self, wish: int, answered: bool, dice: Sequence[int]) -> None:
        found = next((one for one in self.ledger.callbacks() if one.seq == wish), None)
        if found is None:
            return
        seq = self.ledger.place_call(self.stamp, found)
        if not answered:
            why = ("busy", "no-answer", "off")[dice[6] % 3]
            self.book(self.now_ms + 20_000, lambda: self.ledger.placed(self.stamp, seq, wish, why))
            return
        begin = self.now_ms + 8000
        self.book(begin, lambda: self.ledger.reached(self.stamp, seq))
        end = self.converse(seq, found.caller, begin, dice)
        self.book(end, lambda: self.ledger.placed(self.stamp, seq, wish, "answered", (end - begin) // 1000))

    def stay(self, at_ms: int, dice: Sequence[int]) -> None:
        """How the line is, told about every ten minutes for a while; at times it says so too late, has no network, does
        not trust its clock, or starts anew."""
        for place, roll in enumerate(dice):
            state = "ready" if roll % 10 < 8 else "no-network"
            doubt = dice[-1 - place] < 15
            self.book(at_ms, lambda state=state, doubt=doubt: self.sign(state, doubt))  # type: ignore[misc]
            if roll < 10:
                self.book(at_ms + 1, self.restart)
            at_ms += 661_000 if 10 <= roll < 20 else 60_000 * (roll % 8) + 37 * roll if roll < 50 else 600_000
            if roll > 92:
                break

    def sign(self, state: str, doubt: bool) -> None:
        stamp = self.stamp
        self.ledger.note(stamp._replace(at_ms=stamp.at_ms - 7_200_000, clock=1) if doubt else stamp, "line", state)

    def restart(self) -> None:
        self.boot = f"{int(self.boot, 16) + 1:016x}"

    # ------------------------------------------------------------------------------- on the line

    def converse(self, call: int, caller: Caller, up: int, dice: Sequence[int]) -> int:
        """Book the steps of a conversation; returns the moment at which it ends."""
        at, end = up, "done"
        steps: list[tuple[int, list[tuple[str, str, str]]]] = [(0, [("connected", "", ""), ("enter", "start", "")])]
        for place, roll in enumerate(dice[:6]):
            node, ms = ("start", "vote", "voice", "start")[(place + roll) % 4], at - up
            at += 700 + 150 * roll
            if roll < 12:
                end = "hung-up" if roll < 9 else "opted-out" if caller.number else "limit"
                break
            steps.append((ms + 10, [("enter", node, "")] if place else [("heard", "start", "")]))
            if roll < 30:
                what = ("no-input", "invalid", "speech")[roll % 3]
                steps.append((ms + 20, [(what, node, "7" if what == "invalid" else "")]))
            elif roll < 60:
                steps.append((ms + 20, [("heard", node, ""), ("key", node, str(roll % 3 + 1))]))
                if node == "vote":
                    steps.append((ms + 20, [("goal", node, "")]))
                    self.vote(call, caller, up + ms + 20, roll)
            elif roll < 75:
                self.take(call, caller, up + ms, roll)
                steps.append((ms + 20, [("heard", node, ""), ("record", node, "")]))
                steps += [(ms + 30, [("goal", node, "")])] if roll < 70 else []
            elif roll < 80:
                self.book(up + ms, lambda: self.ledger.agree(
                    self.stamp, caller, self.seat.campaign, call, node="yes", purpose="volunteer", wording="May we?",
                    language="hi",
                ))  # fmt: skip
            elif roll < 84:
                chosen = LANGUAGES[roll % 4]
                self.book(up + ms, lambda chosen=chosen: self.ledger.choose_language(self.stamp, caller, chosen))  # type: ignore[misc]
        steps.append((at - up, [("end", "start", end)]))
        for ms, told in steps:
            self.book(up + ms, lambda ms=ms, told=told: self.ledger.steps(self.stamp, call, ms, told))  # type: ignore[misc]
        if end == "opted-out":
            self.book(at, lambda: self.ledger.opt_out(self.stamp, caller))
        return at + 100

    def vote(self, call: int, caller: Caller, at_ms: int, roll: int) -> None:
        asks = self.seat.campaign == "ask"
        value, issue = (("support", "oppose")[roll % 2], "subsidy") if asks else (("yes", "no")[roll % 2], "rally")
        self.book(at_ms, lambda: self.ledger.answer(
            self.stamp, caller, self.seat.campaign, call, node="vote", key=str(roll % 2 + 1), value=value, issue=issue,
            language="hi",
        ))  # fmt: skip

    def take(self, call: int, caller: Caller, at_ms: int, roll: int) -> None:
        state = ("kept", "kept", "kept", "empty", "dropped", "failed")[roll % 6]
        ms, speech = (0, -1) if state == "failed" else (5000 + 100 * roll, -1 if roll % 2 else 2000)
        opens, tags = state == "kept" and roll % 2 == 0, (("roads",), ("water", "ward-3"), ())[roll % 3]

        def begin() -> None:
            take, _ = self.ledger.begin_take(
                self.stamp, caller, self.seat.campaign, call, node="voice", tags=tags, language="hi", case=opens
            )
            self.book(at_ms + ms, lambda: close(take))

        def close(take: int) -> None:
            sha = "ab" * 32 if state == "kept" else ""
            self.ledger.end_take(self.stamp, take, state, ms, 300 if state == "empty" else speech, sha)
            if not opens:
                return
            draft = Draft("Your case is {reference}", "hi", 1, "reference") if caller.repliable else None
            self.cases.append(self.ledger.head()[0] + 1)
            self.ledger.open_grievance(
                self.stamp, caller, self.seat.campaign, call, take=take, node="voice", tags=tags, language="hi",
                opened_ms=at_ms - 30_000, due_ms=at_ms - 30_000 + 24 * 3_600_000, letter=draft,
            )  # fmt: skip
            if draft:
                self.letter(self.ledger.head()[0], "sent", (0,) * 8)

        self.book(at_ms, begin)

    def move(self, dice: Sequence[int]) -> None:
        """A case has another state."""
        if self.cases:
            state = ("assigned", "contacted", "contacted", "resolved", "verified", "reopened")[dice[0] % 6]
            self.ledger.move_grievance(self.stamp, self.cases[dice[1] % len(self.cases)], state)

    @property
    def rows(self) -> list[Row]:
        return [Row(*row) for row in self.ledger.rows(0, 100_000)]  # type: ignore[arg-type]


class World:
    """All lines, after what happened to them."""

    def __init__(self, folder: Path, happened: Sequence[Act]) -> None:
        self.lines = [Line(seat, folder) for seat in SEATS]
        at_ms = START_MS
        for act in happened:
            at_ms += act.gap_ms
            self.lines[act.seat].act(act, at_ms)
            self.lines[act.seat].stay(at_ms + 1000 * act.dice[6], act.dice)
        for line in self.lines:
            line.run()
        self.now_ms = max(line.now_ms for line in self.lines) + MINUTE

    def close(self) -> None:
        for line in self.lines:
            line.ledger.close()

    def messages(self, size: int = 40) -> Iterator[tuple[str, bytes]]:
        """What the boxes publish: hellos, then batches of at most `size` rows, the ledgers taking turns."""
        for box in dict.fromkeys(seat.box for seat in SEATS):
            mine = [line for line in self.lines if line.seat.box == box]
            seat = mine[0].seat
            heads = tuple(wire.StoreHead(x.ledger.store, x.seat.line, *x.ledger.head()) for x in mine)
            hello = wire.Hello(box, seat.district, seat.timezone, "1", self.now_ms, 3, heads)
            yield wire.topic(seat.district, box, "up"), wire.pack_hello(hello)
        queues = [(line, line.rows) for line in self.lines]
        chains = {line.ledger.store: GENESIS for line in self.lines}
        for first in range(0, max(len(rows) for _, rows in queues), size):
            for line, rows in queues:
                if piece := rows[first : first + size]:
                    store, seat = line.ledger.store, line.seat
                    before = chains[store]
                    for row in piece:
                        chains[store] = link(chains[store], row)
                    yield wire.topic(seat.district, seat.box, "up"), wire.pack_batch(
                        store, before, chains[store], len(rows), self.now_ms, 3, piece
                    )


@contextmanager
def world(happened: Sequence[Act]) -> Iterator[World]:
    """A world in a folder of its own."""
    with tempfile.TemporaryDirectory(dir=MEMORY if Path(MEMORY).is_dir() else None) as folder:
        made = World(Path(folder), happened)
        try:
            yield made
        finally:
            made.close()
