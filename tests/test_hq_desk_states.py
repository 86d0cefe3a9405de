"""The states of a thing at the desk, walked by a machine that keeps its own books: no move that is none, and a clock
that runs from the ring, stands once somebody spoke with her, and runs anew when she says that it is not well."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from sync.hq import deskstore, sql
from sync.hq.desk import act, gather, inbox, states

DAY_MS = 86_400_000
RUN = settings(max_examples=80, stateful_step_count=30, database=None, deadline=None, derandomize=True)
QUICK = settings(RUN, phases=[Phase.generate])  # a control need not be told as shortly as can be
_THING = (
    "INSERT INTO desk_thing (store_id, seq, name, kind, at_ms, box, line, district, campaign, language, caller,"
    " reference, said, seconds, words, known_seq, state, due_ms, changed_ms)"
    " VALUES (1, 1, 'a-1', 'case', 0, 'b', 'l', '', '', '', '', '7', 0, 0, '', 0, 'new', :due, 0)"
)
DEEDS = (
    "waits", "assigns", "rings_in_vain", "speaks_with_her", "calls_it_resolved", "verifies_it_herself",
    "opens_it_again", "the_caller_says_yes", "the_caller_says_no",
)  # fmt: skip


class Walk(RuleBasedStateMachine):
    """One case, in a real desk store; beside it what happened, in plain words."""

    @initialize()
    def begins(self) -> None:
        self.db = sql.adopt(sqlite3.connect(":memory:", isolation_level=None))
        deskstore.migrate(self.db)
        self.now = 0
        self.db.run(_THING, due=DAY_MS)
        self.told: list[str] = []  # what its box was told
        self.since = 0  # when the clock began to run
        self.spoken = self.closed = self.taken = False
        self.first: int | None = None  # when somebody first spoke with her
        self.vain = 0

    def row(self) -> sql.Row:
        return inbox.one(self.db, "a-1") or {}

    def tries_to(self, verb: states.Verb, assignee: int = 0) -> bool:
        row = self.row()
        try:
            with self.db.transaction():
                act.move(self.db, row, row["version"], verb, "w", self.now, assignee, order=self._order)
        except states.Illegal:
            assert self.row() == row
            return False
        return True

    def _order(self, box: str, line: str, verb: str, args: Mapping[str, str]) -> int:
        self.told.append(args["state"])
        return len(self.told)

    @rule(what=st.sampled_from(DEEDS), who=st.integers(0, 3), minutes=st.sampled_from([1, 600, 1500]))
    def next(self, what: str, who: int, minutes: int) -> None:
        """One rule, so that each walk may take every step."""
        arguments = {"assigns": (who,), "waits": (minutes,)}.get(what, ())
        getattr(self, what)(*arguments)

    def waits(self, minutes: int) -> None:
        self.now += minutes * 60_000

    def assigns(self, who: int) -> None:
        assert self.tries_to("assign", who) == (who > 0 and not self.closed)
        if who > 0 and not self.closed:
            self.taken = True
            assert self.row()["assignee"] == who

    def rings_in_vain(self) -> None:
        can = self.taken and not self.spoken
        assert self.tries_to("not-reached") == can
        self.vain += can

    def speaks_with_her(self) -> None:
        can = self.taken and not self.spoken
        assert self.tries_to("contacted") == can
        if can:
            self.spoken = True
            self.first = self.now if self.first is None else self.first

    def calls_it_resolved(self) -> None:
        can = self.spoken and not self.closed
        assert self.tries_to("resolved") == can
        self.closed = self.closed or can

    def verifies_it_herself(self) -> None:
        assert not self.tries_to("verified") and not self.tries_to("poor")  # nobody at the desk can

    def opens_it_again(self) -> None:
        assert self.tries_to("reopened") == self.closed
        self._anew(self.closed)

    def the_caller_says_yes(self) -> None:
        self._she_says("verified")

    def the_caller_says_no(self) -> None:
        self._she_says("poor")

    def _she_says(self, verb: states.Verb) -> None:
        row = self.row()
        with self.db.transaction():
            gather._judge(self.db, row, verb, {"at_ms": self.now, "seq": 5}, self.now)
        after = self.row()
        if not self.closed or (verb == "verified" and row["state"] == "verified"):
            assert after == row
        elif verb == "verified":
            assert after["state"] == "verified"
        else:
            assert after["state"] == "reopened"
            self._anew(True)

    def _anew(self, did: bool) -> None:
        if did:
            self.since, self.vain = self.now, 0
            self.spoken = self.closed = self.taken = False

    @invariant()
    def its_clock_is_right(self) -> None:
        row = self.row()
        assert states.overdue(inbox.standing(row), self.now) == (not self.spoken and self.now > self.since + DAY_MS)
        assert (row["contacted_ms"], row["tries"]) == (self.first, self.vain)

    @invariant()
    def its_state_is_what_happened(self) -> None:
        state = self.row()["state"]
        assert (state in ("resolved", "verified")) == self.closed
        assert (state in states.WAITING) == (not self.spoken)
        assert not self.told or self.told[-1] in states.STATES

    def teardown(self) -> None:
        if hasattr(self, "db"):
            self.db.close()


def test_no_walk_leads_where_it_must_not() -> None:
    run_state_machine_as_test(Walk, settings=RUN)


@pytest.mark.parametrize(
    ("move", "state"),
    [(("assigned", "resolved"), "resolved"), (("new", "contacted"), "contacted"), (("resolved", "assign"), "assigned")],
)
def test_the_walk_sees_a_table_that_allows_too_much(
    monkeypatch: pytest.MonkeyPatch, move: tuple[states.State, states.Verb], state: states.State
) -> None:
    monkeypatch.setitem(states.MOVES, move, state)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Walk, settings=QUICK)


def test_the_walk_sees_a_clock_that_a_vain_try_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    def lazy(standing: states.Standing, now_ms: int) -> bool:
        return right(standing, now_ms) and not standing.tries

    right = states.overdue
    monkeypatch.setattr(states, "overdue", lazy)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Walk, settings=QUICK)
