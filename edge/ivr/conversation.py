"""One caller's conversation, as a table: what answers an event in a state, and where that may lead.

Rules of the room:
- 9 stops everything, at any moment. `*` goes back one node, from the first to the question of languages; `0` says
  again what was said. Any other key means something in some states, and is `invalid` in the others.
- Every state that waits for her or for the host has a time of its own (`Due`); a call lasts `LIMIT` seconds.
- Events and the time go in, orders come out; `tick` is to be called when `deadline` has come.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from edge.dialogue import (
    CaseOpened,
    Connected,
    Heard,
    HungUp,
    KeyPressed,
    Ordered,
    Played,
    Recorded,
    RecordFailed,
    SpeechBegan,
    SpeechEnded,
    WordHeard,
)
from edge.ivr import asking, ending, taking
from edge.ivr.turn import Turn
from edge.ivr.walk import About, Due, Event, Late, Limit, Walk
from edge.menu import Menu

GOODBYE_AT, LIMIT = 170.0, 180.0  # seconds after Connected

STATES = {
    "waiting": "the call is not up yet",
    "language": "which language?",
    "case": "is your case solved?",
    "choosing": "a node's question",
    "confirm": "a word was heard: press a key",
    "telling": "something is said, nothing asked",
    "inviting": "speak after the beep: beep",
    "recording": "a take is under way",
    "saving": "the take is being closed",
    "filing": "the case is being opened",
    "closing": "goodbye is being said",
    "over": "the host ends the call",
    "gone": "she has hung up",
}
ASKING = ("language", "case", "choosing", "confirm")
SPEAKING = (*ASKING, "telling", "inviting", "closing")  # a prompt is being said, or was just said
ALIVE = (*SPEAKING, "recording", "saving", "filing")


class Conversation(Walk):
    """The machine of one call; a new call is a new one. `state` is one of STATES, `language` what is spoken now."""

    def __init__(self, menu: Menu, about: About) -> None:
        super().__init__(menu, about)
        self._up_at: float | None = None

    def on(self, event: Heard, now: float) -> list[Ordered]:
        """The orders that follow from `event`, to be carried out one after the other."""
        if isinstance(event, Connected) and self._up_at is None:
            self._up_at = now
        if isinstance(event, SpeechBegan | SpeechEnded):
            self.talking, self.hears = isinstance(event, SpeechBegan), True
        if isinstance(event, KeyPressed | SpeechBegan | WordHeard):
            self.since_act.clear()
        return self._handle(event, now)

    def tick(self, now: float) -> list[Ordered]:
        """The orders that are due by `now`."""
        deadline = self.deadline()
        if self._up_at is None or deadline is None or now < deadline:
            return []
        if now >= self._up_at + LIMIT:
            return self._handle(Limit(), now)
        if now >= self._up_at + GOODBYE_AT and not self.late:
            return self._handle(Late(), now)
        self.due = None
        return self._handle(Due(), now)

    def deadline(self) -> float | None:
        """When `tick` is to be called next; None: never, unless something is heard before."""
        if self._up_at is None or self.state not in ALIVE:
            return None
        end = self._up_at + (LIMIT if self.late else GOODBYE_AT)
        return end if self.due is None else min(end, self.due)

    def _handle(self, event: Event, now: float) -> list[Ordered]:
        self.turn = Turn()
        row = TABLE.get((self.state, event.key)) if isinstance(event, KeyPressed) else None
        row = row or TABLE.get((self.state, type(event)))
        if row:
            row.handler(self, event, now)
        return self.turn.orders()


class Row(NamedTuple):
    """What answers an event in a state, and where it leads: states, or names of WAYS."""

    handler: Callable[[Walk, Event, float], None]
    to: tuple[str, ...]


# Where she may come: by the next node, by the way back, and when she may talk in place of pressing a key.
WAYS = {
    "talk": ("inviting", "closing"),
    "onward": ("choosing", "telling", "inviting", "closing"),
    "back": ("language", "case", "choosing", "telling", "inviting", "closing"),
}
# What answers an event, or a key before all other keys, in a state.
TABLE: dict[tuple[str, type | str], Row] = {
    ("waiting", Connected): Row(ending.begin, ("case", "language", "onward")),
    ("waiting", HungUp): Row(ending.leave, ("gone",)),
    ("language", KeyPressed): Row(asking.answer, ("language", "talk", "case", "onward")),
    ("case", KeyPressed): Row(asking.answer, ("case", "talk", "language", "onward")),
    ("choosing", KeyPressed): Row(asking.answer, ("choosing", "talk", "onward")),
    ("choosing", WordHeard): Row(asking.word, ("choosing", "confirm")),
    ("confirm", KeyPressed): Row(asking.answer, ("confirm", "talk", "onward")),
    ("confirm", WordHeard): Row(asking.word, ("confirm", "talk")),
    ("telling", Played): Row(asking.told, ("onward",)),
    ("telling", Due): Row(asking.go_on, ("onward",)),
    ("telling", KeyPressed): Row(asking.tell_again, ("telling", "onward")),
    ("inviting", Played): Row(taking.begin, ("recording",)),
    ("inviting", Due): Row(taking.begin, ("recording",)),
    ("inviting", KeyPressed): Row(taking.key_invited, ("inviting", "case", "language", "onward")),
    ("recording", "#"): Row(taking.end, ("saving",)),
    ("recording", "*"): Row(taking.keep_and_go_back, ("saving",)),
    ("recording", "0"): Row(taking.drop, ("saving",)),
    ("recording", KeyPressed): Row(asking.ignore, ("recording",)),
    ("recording", SpeechBegan): Row(taking.listen, ("recording",)),
    ("recording", SpeechEnded): Row(taking.listen, ("recording",)),
    ("recording", Due): Row(taking.end, ("saving",)),
    ("recording", Recorded): Row(taking.taken, ("filing", "inviting", "onward")),
    ("recording", RecordFailed): Row(taking.failed, ("onward",)),
    ("saving", Recorded): Row(taking.taken, ("filing", "inviting", "back", "onward")),
    ("saving", RecordFailed): Row(taking.failed, ("back", "onward")),
    ("saving", Due): Row(taking.unanswered, ("back", "onward")),
    ("saving", "*"): Row(taking.back_soon, ("saving",)),
    ("saving", KeyPressed): Row(asking.ignore, ("saving",)),
    ("filing", CaseOpened): Row(taking.opened, ("back", "onward")),
    ("filing", Due): Row(taking.unanswered, ("back", "onward")),
    ("filing", "*"): Row(taking.back_soon, ("filing",)),
    ("filing", KeyPressed): Row(asking.ignore, ("filing",)),
    ("closing", Played): Row(ending.finish, ("over",)),
    ("closing", Due): Row(ending.finish, ("over",)),
    ("closing", KeyPressed): Row(asking.ignore, ("closing",)),
    ("over", "9"): Row(ending.opt_out_late, ("over",)),
    ("over", HungUp): Row(ending.leave, ("gone",)),
    ("over", Recorded): Row(taking.taken_late, ("over",)),
    ("gone", Recorded): Row(taking.taken_late, ("gone",)),
}
for _state in ASKING:
    TABLE[_state, Played] = Row(asking.heard, (_state,))
    TABLE[_state, Due] = Row(asking.no_input, (_state, "talk"))
    TABLE[_state, SpeechBegan] = Row(asking.speech_began, (_state, "talk"))
    TABLE[_state, SpeechEnded] = Row(asking.speech_ended, (_state,))
for _state in SPEAKING:
    TABLE[_state, "0"] = Row(asking.again, (_state,))
    TABLE[_state, "*"] = Row(asking.back, ("back",))
    TABLE[_state, Recorded] = Row(taking.taken_late, (_state,))
for _state in ALIVE:
    TABLE[_state, "9"] = Row(ending.opt_out, ("over",))
    TABLE[_state, HungUp] = Row(ending.hang_up, ("gone",))
    TABLE[_state, Late] = Row(ending.time_is_up, ("closing",))
    TABLE[_state, Limit] = Row(ending.limit, ("over",))
for _state, _then in (("recording", "saving"), ("saving", "saving"), ("filing", "filing")):
    TABLE[_state, Late] = Row(ending.time_is_up, (_then,))  # what is under way is finished first
