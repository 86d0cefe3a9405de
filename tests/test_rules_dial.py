"""May a caller be rung back now, later or never: each rule once, and that whatever is unknown speaks against it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.events import Caller, Stamp
from edge.rules import DAY_S, Dial, Later, Never, Now, Terms, Verdict, Wish, decide_dial

NOON = 1_780_036_200_000  # 29 May 2026, 12:00 in Kolkata
VOTER = Caller("national", "+919812345678")
OPENED, CLOSED = (21 * 60, 9 * 60), (11 * 60, 13 * 60)


def at(seconds: float, boot: str = "a", clock: int = 3) -> Stamp:
    return Stamp(boot, int(seconds * 1000), NOON + int(seconds * 1000), clock)


def judged(wish: Wish, now: Stamp, **more: object) -> Verdict:
    return decide_dial(wish, Terms(now=now, timezone="Asia/Kolkata", **more))  # type: ignore[arg-type]


WISH = Wish(VOTER, "event", at(0))


def test_nothing_against_it() -> None:
    assert judged(WISH, at(5)) == Now()


@pytest.mark.parametrize("kind", ["withheld", "unknown", "short", "alphanumeric"])
def test_nobody_without_a_number_is_rung(kind: str) -> None:
    assert isinstance(judged(Wish(Caller(kind, "121"), "event", at(0)), at(5)), Never)  # type: ignore[arg-type]


def test_never_after_an_opt_out_nor_ones_own_sim() -> None:
    assert judged(WISH, at(5), opted_out=True) == Never("opted out")
    assert isinstance(judged(WISH, at(5), own=frozenset({VOTER.number})), Never)


def test_never_after_an_answer_but_a_later_call_is_a_new_wish() -> None:
    answered = Dial("event", True, 40, at(60))
    assert judged(WISH, at(8000), dials=[answered]) == Never("she was reached")
    assert judged(WISH, at(8000), dials=[Dial("other", True, 40, at(60))]) == Now()
    assert judged(Wish(VOTER, "event", at(9000)), at(9010), dials=[answered]) == Now()


def test_three_tries_two_hours_apart() -> None:
    once = Wish(VOTER, "event", at(0), 1, at(10))
    assert judged(once, at(100)) == Later(7200 - 90, "the last try was a short time ago")
    assert judged(once, at(7210)) == Now()
    assert isinstance(judged(Wish(VOTER, "event", at(0), 3, at(10)), at(40_000)), Never)
    other_line = [Dial("event", False, 0, at(50))]
    assert isinstance(judged(WISH, at(100), dials=other_line), Later)  # a try of a sibling counts for the distance


def test_only_within_a_day_of_the_call() -> None:
    assert judged(WISH, at(DAY_S + 1)) == Never("she called too long ago")


def test_nobody_is_rung_at_night_nor_when_the_hour_is_not_known() -> None:
    assert judged(WISH, at(5), quiet=CLOSED) == Later(900, "hours in which nobody is rung", held=True)
    assert judged(WISH, at(5), quiet=OPENED) == Now() and judged(WISH, at(5), quiet=None) == Now()
    assert isinstance(judged(Wish(VOTER, "event", at(0, clock=1)), at(5, clock=1)), Later)


def test_across_a_power_cut_without_time_nobody_knows_how_old_it_is() -> None:
    assert isinstance(judged(Wish(VOTER, "event", at(0, "old", clock=1)), at(5)), Later)
    assert judged(Wish(VOTER, "event", at(0, "old")), at(60)) == Now()


def test_the_sims_minutes_a_day_a_week_and_a_month() -> None:
    def spent(seconds: int, days_ago: float, calls: int = 1) -> list[Dial]:
        return [Dial("event", True, seconds, at(-days_ago * DAY_S)) for _ in range(calls)]

    assert isinstance(judged(WISH, at(5), spent=spent(61, 0.01, calls=60)), Later)  # each begun minute counts
    assert judged(WISH, at(5), spent=spent(60, 0.01, calls=119)) == Now()
    assert judged(WISH, at(5), spent=spent(60, 1.5, calls=120)) == Now()
    assert isinstance(judged(WISH, at(5), spent=spent(60, 1.5, calls=700)), Later)
    assert isinstance(judged(WISH, at(5), spent=spent(60, 20, calls=2000)), Later)
    assert judged(WISH, at(5), spent=spent(60, 29, calls=5000)) == Now()


@given(
    st.integers(0, 5), st.floats(0, 2 * DAY_S), st.sampled_from((0, 1, 2, 3)), st.booleans(),
    st.lists(st.tuples(st.booleans(), st.floats(0, 2 * DAY_S)), max_size=4),
)  # fmt: skip
def test_whenever_it_goes_no_rule_speaks_against_it(
    tries: int, age: float, clock: int, opted_out: bool, dials: list[tuple[bool, float]]
) -> None:
    now = at(age, clock=clock)
    placed = [Dial("event", answered, 30, at(min(when, age), clock=clock)) for answered, when in dials]
    verdict = judged(Wish(VOTER, "event", at(0, clock=clock), tries), now, opted_out=opted_out, dials=placed)
    if isinstance(verdict, Now):
        assert not opted_out and tries < 3 and age <= DAY_S and clock >= 2
        assert not any(dial.answered for dial in placed)
        assert all(age - dial.at.mono_ms / 1000 >= 7199 for dial in placed)
