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

from edge.dialogue import Connected
from edge.ivr import ALIVE, STATES, TABLE, About, asking, ending, taking
from edge.ivr.conversation import Row
from edge.ivr.turn import Turn
from edge.ivr.walk import Due, Walk
from edge.menu import CHOOSING, KINDS, Menu, Node, Option
from tests.callers import ACTS, Host

TIMES = int(os.environ.get("MISCALL_PROOF", "0"))

ABOUT = st.builds(
    About, language=st.sampled_from(("", "hi", "en", "xx")), line_language=st.sampled_from(("", "en")),
    case=st.sampled_from((None, None, ("4711", "new"), ("4711", "resolved"), ("4711", "verified"))),
    placed=st.booleans(), may_record=st.sampled_from((True, True, True, False)), referendum_open=st.sampled_from((True, True, False)),
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


def test_any_caller_is_served_and_the_ledger_tells_what_she_did() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Callers,
        settings=settings(
            max_examples=120 * max(TIMES, 1), stateful_step_count=12, deadline=None, suppress_health_check=CALM,
            derandomize=not TIMES,
        ),
    )  # fmt: skip
