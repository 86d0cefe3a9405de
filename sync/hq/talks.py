"""One row for each call in which somebody spoke with the box: made step by step as its rows come.  Pure.

Rules of this room
- Rows of a ledger come in the order of their seq, so a talk can be carried on from its row: what it was, and what is
  new, give what it is. What it adds to the counters is the difference.
- Nothing of the conversation counts behind its first `end`, except a `goal`: a take that is closed late is one.
- A talk is kept once a row says that the call was answered, or a step names it. `answered` 0 means that only steps are
  known; such a talk adds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from operator import attrgetter

from sync.hq import facts
from sync.hq.facts import Add, C
from sync.wire import WireRow

STEPS = {
    "enter": "entered", "heard": "heard", "key": "keyed", "invalid": "invalid", "no-input": "no_input",
    "speech": "spoke", "goal": "goals",
}  # fmt: skip
LEFT = ("answer", "recording", "case", "consent")  # rows that tell the language of the talk in which they came about


@dataclass(slots=True)
class Talk:
    """A row of `talk`. moved: a step other than connected and enter; keyed: a key that meant something."""

    store_id: int
    seq: int
    campaign: str
    day: int
    hour: int
    at_ms: int
    caller: str
    language: str
    placed: int
    attempt: int
    answered: int = 0
    seconds: int = 0
    first_key_ms: int | None = None
    goal: int = 0
    entered: int = 0
    heard: int = 0
    moved: int = 0
    keyed: int = 0
    beeps: int = 0
    last_node: str = ""
    ended: str = ""

    def carry_on(self, rows: Iterable[WireRow]) -> None:
        """More rows: amendments of the call, steps, and what was left behind in it."""
        for row in rows:
            if row[2] == "call":
                self.answered |= row[10] in ("talked", "called-back")
                self.seconds = row[11] or self.seconds
            elif row[2] == "step":
                self._step(row[10], facts.told(row[12]))
            else:
                self.language = facts.text(facts.told(row[12]), "language") or self.language

    def _step(self, what: str, about: facts.Extra) -> None:
        if what == "goal":
            self.goal = 1
        if self.ended:
            return
        self.last_node = facts.text(about, "node") or self.last_node
        if what == "end":
            self.ended = facts.text(about, "key") or "done"
            return
        self.entered += what == "enter"
        self.heard += what == "heard"
        self.beeps += what == "record"
        self.keyed |= what == "key"
        self.moved |= what not in ("connected", "enter")
        if what in ("key", "invalid") and self.first_key_ms is None:
            self.first_key_ms = facts.whole(about, "ms")

    def adds(self) -> Add:
        """What it adds in the cell of its own day, hour and language."""
        if not self.answered:
            return facts.NOTHING
        counts = [(C["reached" if self.placed else "talked"], 1), (C["talk_s"], self.seconds)]
        lost = self.ended == "hung-up" and not self.moved
        for name, holds in (
            ("goals", self.goal), ("beep_calls", self.beeps), ("first_prompt_lost", lost),
            ("listen_50", self.listened(50)), ("listen_75", self.listened(75)),
        ):  # fmt: skip
            if holds:
                counts.append((C[name], 1))
        waited = () if self.first_key_ms is None else (("first-key", facts.bucket(self.first_key_ms)),)
        return Add(tuple(counts), waited)

    def listened(self, percent: int) -> bool:
        """Did one whom we rang hear so much of what was played?"""
        heard = min(self.heard, self.entered)
        return bool(self.placed and self.answered and self.ended and heard) and 100 * heard >= percent * self.entered

    def acted(self) -> bool:
        return bool(self.keyed) or self.listened(50)


values = attrgetter(*(each.name for each in fields(Talk)))  # of a talk, as the table has them


def begin(store_id: int, first: WireRow, day: int, hour: int, language: str) -> Talk:
    """The talk of the call whose first row this is."""
    attempt = facts.whole(facts.told(first[12]), "try")
    caller = first[8] if facts.numbered(first) else ""
    placed = int(not facts.is_rung(first))
    talk = Talk(store_id, first[0], first[7], day, hour, first[5], caller, language, placed, attempt)
    talk.seconds = first[11]
    return talk


def begins(row: WireRow) -> bool:
    """Is a call that this row tells of a talk from here on?"""
    return row[2] == "step" or (row[2] == "call" and row[10] in ("talked", "called-back"))


def node_steps(row: WireRow) -> tuple[str, str] | None:
    """The node and the column of `node_tally` in which a step counts."""
    about = facts.told(row[12])
    if row[10] == "end":
        return (facts.text(about, "node"), "hung_up") if facts.text(about, "key") == "hung-up" else None
    column = STEPS.get(row[10])
    return (facts.text(about, "node"), column) if column else None
