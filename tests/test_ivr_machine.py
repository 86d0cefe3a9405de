"""Any caller, any menu, any host: keys, words, talk, silence and hang-ups at any moment, prompts whose end nobody
tells, takes that fail or are closed late, a process that dies. `tests.callers` obeys, and holds every order and step
against what she did.

MISCALL_PROOF=10 runs ten times as much, at random; without it the examples are always the same. The second half proves
that the machine can fail: each mutant has one defect, and must be caught.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from edge.dialogue import (
    CaseOpened,
    Connected,
    HungUp,
    KeyPressed,
    Played,
    Recorded,
    RecordFailed,
    SpeechBegan,
    SpeechEnded,
    WordHeard,
)
from edge.ivr import ALIVE, STATES, TABLE, About, asking, ending, taking
from edge.ivr.conversation import Row
from edge.ivr.turn import Turn
from edge.ivr.walk import Due, Walk
from edge.menu import CHOOSING, KINDS, Menu, Node, Option
from tests.callers import Host

TIMES = int(os.environ.get("MISCALL_PROOF", "0"))

KEY = st.sampled_from("11122234567890**##9")
GAP = st.sampled_from((0.0, 0.3, 1.0, 3.0, 5.6, 11.0, 40.0))
WORD = st.sampled_from(("yes", "no", "1", "2", "3", "9"))
SURE = st.sampled_from((0.2, 0.6, 0.95))
TAKE = st.sampled_from(((400, 100), (5000, 3000), (5000, 0), (5000, -1), (900, -1), (30000, 20000)))
ABOUT = st.builds(
    About, language=st.sampled_from(("", "hi", "en", "xx")), line_language=st.sampled_from(("", "en")),
    case=st.sampled_from((None, None, ("4711", "new"), ("4711", "resolved"), ("4711", "verified"))), placed=st.booleans(),
    may_record=st.sampled_from((True, True, True, False)), referendum_open=st.sampled_from((True, True, False)),
)  # fmt: skip


@st.composite
def menus(draw: st.DrawFn) -> Menu:
    """Any menu that can be read, and some that cannot: rounds that never ask."""
    names = [f"n{n}" for n in range(draw(st.integers(1, 6)))]
    way = st.sampled_from(["", *names, *names])
    nodes = {}
    for name in names:
        kind = draw(st.sampled_from(KINDS))
        keys = draw(st.lists(st.sampled_from("1234568"), min_size=1, max_size=4, unique=True))
        values = [] if kind == "menu" else ["yes", "no", "3", "4"]
        options = tuple(
            Option(key, draw(way), draw(st.sampled_from(("", "water", "road"))), values[n] if values else "")
            for n, key in enumerate(keys)
        ) if kind in CHOOSING else ()  # fmt: skip
        nodes[name] = Node(
            name, kind, options, "" if options else draw(way), draw(st.sampled_from(("", "tag"))),
            {"referendum": "subsidy", "event": "e7"}.get(kind, ""), "volunteers" if kind == "consent" else "",
            said=kind not in ("menu", "record", "grievance") or draw(st.booleans()),
        )  # fmt: skip
    languages = draw(st.sampled_from((("hi",), ("hi", "en"), ("en", "hi", "mr", "bn", "ta"))))
    return Menu("n0", nodes, languages, record_s=draw(st.sampled_from((10, 30))))


class Callers(RuleBasedStateMachine):
    """One caller after another."""

    host: Host

    @initialize(menu=menus(), about=ABOUT)
    def begin(self, menu: Menu, about: About) -> None:
        self.menu = menu
        self.dial(about)

    def dial(self, about: About) -> None:
        self.host = Host(self.menu, about)
        self.host.tell(Connected())

    def up(self) -> bool:
        return hasattr(self, "host") and not self.host.gone

    @precondition(up)
    @rule(key=KEY, first=GAP, heard=st.booleans())
    def she_presses(self, key: str, first: float, heard: bool) -> None:
        self.listen(heard)
        self.host.wait(first)
        self.host.tell(KeyPressed(key))

    @precondition(up)
    @rule(first=GAP, heard=st.booleans(), long=st.sampled_from((0.5, 2.0, 12.0)), ends=st.sampled_from((True, True, False)))
    def she_talks(self, first: float, heard: bool, long: float, ends: bool) -> None:
        self.listen(heard)
        self.host.wait(first)
        self.host.tell(SpeechBegan())
        self.host.wait(long)
        if ends:
            self.host.tell(SpeechEnded())

    @precondition(up)
    @rule(word=WORD, sure=SURE, first=GAP, heard=st.booleans())
    def a_word_is_heard(self, word: str, sure: float, first: float, heard: bool) -> None:
        self.listen(heard)
        self.host.wait(first)
        self.host.tell(WordHeard(word, sure))

    @precondition(up)
    @rule(seconds=GAP, heard=st.booleans())
    def nobody_does_anything(self, seconds: float, heard: bool) -> None:
        self.listen(heard)
        self.host.wait(seconds)

    @rule(take=TAKE, late=st.sampled_from((0.0, 0.1, 2.0, 12.0)), keys=st.sampled_from(("", "", "*", "5")))
    @precondition(lambda self: hasattr(self, "host") and (self.host.open or self.host.closing))
    def the_take_is_closed(self, take: tuple[int, int], late: float, keys: str) -> None:
        for key in keys:
            self.press_if_up(key)
        self.host.wait(late)
        if self.host.open or self.host.closing:
            self.host.tell(Recorded(*take))

    @rule()
    @precondition(lambda self: hasattr(self, "host") and (self.host.open or self.host.closing))
    def the_take_fails(self) -> None:
        self.host.tell(RecordFailed("no room"))

    @rule(late=st.sampled_from((0.0, 0.1, 2.0, 12.0)), keys=st.sampled_from(("", "", "*", "5")))
    @precondition(lambda self: hasattr(self, "host") and self.host.case)
    def the_case_is_opened(self, late: float, keys: str) -> None:
        for key in keys:
            self.press_if_up(key)
        self.host.wait(late)
        self.host.tell(CaseOpened(self.host.case))

    @precondition(up)
    @rule(first=GAP, heard=st.booleans())
    def she_hangs_up(self, first: float, heard: bool) -> None:
        self.listen(heard)
        self.host.wait(first)
        self.host.tell(HungUp())

    @precondition(up)
    @rule(obliging=st.booleans())
    def she_lays_the_telephone_down(self, obliging: bool) -> None:
        """From here on she does nothing: the call must end by itself, without a round."""
        while not self.host.over:
            self.listen(obliging)
            if obliging and self.host.open:
                self.host.wait(self.menu.record_s)
            if obliging and (self.host.open or self.host.closing):
                self.host.tell(Recorded(5000, -1))
            if obliging and self.host.case:
                self.host.tell(CaseOpened(self.host.case))
            self.host.wait(6.0)

    @rule(about=ABOUT, killed=st.booleans())
    @precondition(lambda self: hasattr(self, "host"))
    def the_next_one_calls(self, about: About, killed: bool) -> None:
        """After the last one, or after the process died in the midst of her call."""
        if not killed:
            self.finish()
        self.dial(about)

    def listen(self, heard: bool) -> None:
        if heard and self.host.playing:
            self.host.wait(2.0)
            if self.host.playing:
                self.host.tell(Played())

    def press_if_up(self, key: str) -> None:
        if not self.host.gone:
            self.host.tell(KeyPressed(key))

    def finish(self) -> None:
        self.host.wait(200.0)
        if not self.host.gone:
            self.host.tell(HungUp())
        if self.host.closing:
            self.host.tell(Recorded(5000, 4000))
        self.host.settled()

    @invariant()
    def it_is_well(self) -> None:
        if hasattr(self, "host"):
            machine = self.host.machine
            assert machine.state in STATES and machine.language in self.menu.languages
            assert (machine.state in ALIVE) == self.host.alive == (machine.deadline() is not None)

    def teardown(self) -> None:
        if hasattr(self, "host"):
            self.finish()


CALM = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def test_any_caller_is_served_and_the_ledger_tells_what_she_did() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Callers,
        settings=settings(
            max_examples=150 * max(TIMES, 1), stateful_step_count=40, deadline=None, suppress_health_check=CALM,
            derandomize=not TIMES,
        ),
    )  # fmt: skip
