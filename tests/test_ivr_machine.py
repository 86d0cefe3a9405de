"""Any caller, any menu, any host: keys, words, talk, silence and hang-ups at any moment, prompts whose end nobody
tells, takes that fail or are closed late, a process that dies. `tests.callers` obeys, and holds every order and step
against what she did.

MISCALL_PROOF=10 runs ten times as much, at random; without it the examples are always the same. The second half proves
that the machine can fail: each mutant has one defect, and must be caught.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from edge.dialogue import Connected, Recorded
from edge.ivr import ALIVE, STATES, TABLE, About, asking
from edge.ivr import conversation as room
from edge.ivr.conversation import Row
from edge.ivr.walk import Due, Event, Walk
from edge.menu import CHOOSING, KINDS, Menu, Node, Option
from tests.callers import ACTS, Host

TIMES = int(os.environ.get("MISCALL_PROOF", "0"))

ABOUT = st.builds(
    About, language=st.sampled_from(("", "hi", "en", "xx")), line_language=st.sampled_from(("", "en")),
    case=st.sampled_from((None, None, ("4711", "new"), ("4711", "resolved"), ("4711", "verified"))),
    placed=st.booleans(), may_record=st.sampled_from((True, True, True, False)),
    referendum_open=st.sampled_from((True, True, False)),
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

    @initialize(menu=menus(), abouts=st.lists(ABOUT, min_size=3, max_size=8))
    def begin(self, menu: Menu, abouts: list[About]) -> None:
        self.menu, self.abouts = menu, abouts
        self.dial()

    def dial(self) -> None:
        about = self.abouts.pop(0)
        self.abouts.append(about)
        self.host, self.behind_end = Host(self.menu, about), 0
        self.host.tell(Connected())

    @rule(acts=st.lists(st.sampled_from(ACTS), min_size=20, max_size=60))
    def things_happen(self, acts: list[str]) -> None:
        """To one caller, and a little beyond the end of her call; then to the next."""
        for word in acts:
            self.host.act(word)
            self.behind_end += not self.host.alive
            if self.behind_end > 4:
                self.host.finish()
                self.dial()

    @rule()
    def the_process_dies(self) -> None:
        self.dial()

    @invariant()
    def it_is_well(self) -> None:
        if hasattr(self, "host"):
            machine = self.host.machine
            assert machine.state in STATES and machine.language in self.menu.languages
            assert (machine.state in ALIVE) == self.host.alive == (machine.deadline() is not None)

    def teardown(self) -> None:
        if hasattr(self, "host") and sys.exc_info()[0] is None:
            self.host.finish()


CALM = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def play(examples: int) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Callers,
        settings=settings(
            max_examples=examples, stateful_step_count=12, deadline=None, suppress_health_check=CALM,
            derandomize=not TIMES, phases=[Phase.generate, *([Phase.shrink] if TIMES else [])],
        ),
    )  # fmt: skip


def test_any_caller_is_served_and_the_ledger_tells_what_she_did() -> None:
    play(200 * max(TIMES, 1))


# ----------------------------------------------------------------------- the harness can fail


def _deaf_to_nine_while_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TABLE, ("recording", "9"), Row(asking.ignore, ("recording",)))


def _goes_round_without_an_act(monkeypatch: pytest.MonkeyPatch) -> None:
    def again(walk: Walk, event: Event, now: float) -> None:
        walk.step("no-input")
        walk.say(walk.whole, now)

    monkeypatch.setitem(TABLE, ("choosing", Due), Row(again, ("choosing",)))
    monkeypatch.setattr(room, "GOODBYE_AT", 1e9)
    monkeypatch.setattr(room, "LIMIT", 1e9)


def _confirms_before_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Walk, "confirm", Walk.tell)


def _loses_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Walk.step
    monkeypatch.setattr(Walk, "step", lambda self, what, key="": None if what == "invalid" else real(self, what, key))


def _opens_no_case_after_a_hang_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(TABLE, ("gone", Recorded))


@pytest.mark.parametrize("mutant", [
    _deaf_to_nine_while_recording, _goes_round_without_an_act, _confirms_before_it_is_written, _loses_a_step,
    _opens_no_case_after_a_hang_up,
])  # fmt: skip
def test_a_broken_machine_is_caught(
    mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    with pytest.raises(BaseException) as caught:  # whichever rule it breaks first
        play(400)
    assert not isinstance(caught.value, KeyboardInterrupt | SystemExit)
