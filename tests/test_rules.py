"""May this reply go now, later or never: each rule once, and their order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.events import Caller, Stamp
from edge.rules import (
    CALM_S,
    CLOCK_PATIENCE_S,
    DAY_S,
    DESK_HELD_LONGEST_S,
    DESK_MOST,
    DESK_PARTS,
    HELD_LONGEST_S,
    LOOP_MOST,
    SOLICITED_S,
    STORM_S,
    Claim,
    Facts,
    Later,
    Never,
    Now,
    Request,
    admit,
    decide,
    elapsed,
    rest_after_ring,
    retry_after,
    same_day,
    spent_today,
)

NOON = 1_780_029_000_000  # 29 May 2026, 10:00 in Kolkata
VOTER = Caller("national", "+919812345678")


def at(seconds: float, boot: str = "a", clock: int = 3, shift_s: float = 0.0) -> Stamp:
    """A stamp `seconds` after the boot at noon; `shift_s` moves the wall."""
    return Stamp(boot, int(seconds * 1000), NOON + int((seconds + shift_s) * 1000), clock)


def facts(now: Stamp, **more: object) -> Facts:
    return Facts(now=now, timezone="Asia/Kolkata", **more)  # type: ignore[arg-type]


def request(born: Stamp, caller: Caller = VOTER, parts: int = 1) -> Request:
    return Request(caller, "water", parts, born)


def test_nothing_against_it() -> None:
    assert decide(request(at(0)), facts(at(1))) == Now()


@pytest.mark.parametrize("kind", ["short", "alphanumeric", "withheld", "unavailable", "unknown"])
def test_only_real_numbers_are_answered(kind: str) -> None:
    verdict = decide(request(at(0), Caller(kind, "121")), facts(at(1)))  # type: ignore[arg-type]
    assert isinstance(verdict, Never) and kind in verdict.why


def test_own_lines_and_the_opted_out_get_nothing() -> None:
    assert decide(request(at(0)), facts(at(1), own=frozenset({VOTER.number}))) == Never(
        "the caller is one of this box's own SIMs"
    )
    assert decide(request(at(0)), facts(at(1), opted_out=True)) == Never("opted out")


def test_once_per_looks_at_the_campaign_and_the_elapsed_time() -> None:
    claims = [Claim("water", at(0))]
    assert decide(request(at(100)), facts(at(DAY_S - 1), claims=claims)) == Never("already answered")
    assert decide(request(at(DAY_S)), facts(at(DAY_S + 1), claims=claims)) == Now()
    assert decide(request(at(100)), facts(at(200), claims=[Claim("roads", at(0))])) == Now()
    assert decide(request(at(100)), facts(at(200), claims=claims, once_per_s=0)) == Now()


def test_the_loop_breaker_counts_every_campaign() -> None:
    claims = [Claim(f"c{n}", at(n)) for n in range(LOOP_MOST)]
    verdict = decide(request(at(100)), facts(at(200), claims=claims, once_per_s=0))
    assert isinstance(verdict, Never) and "24 hours" in verdict.why
    assert decide(request(at(100)), facts(at(200), claims=claims[1:], once_per_s=0)) == Now()


def test_an_old_reply_is_dropped() -> None:
    assert decide(request(at(0)), facts(at(HELD_LONGEST_S + 1))) == Never("older than 12 hours")


@pytest.mark.parametrize(
    ("quiet", "seconds", "wait"),
    [
        ((22 * 60, 6 * 60), 0, 0),
        ((22 * 60, 6 * 60), 13 * 3600, 900),
        ((9 * 60, 10 * 60 + 5), 0, 300),
        ((600, 600), 0, 0),
    ],
)
def test_quiet_hours_in_local_time(quiet: tuple[int, int], seconds: int, wait: int) -> None:
    verdict = decide(request(at(seconds)), facts(at(seconds), quiet=quiet))
    assert verdict == (Later(wait, "quiet hours", held=True) if wait else Now())


def test_an_untrusted_clock_is_taken_as_quiet_where_quiet_hours_are_asked_for() -> None:
    verdict = decide(request(at(0)), facts(at(1, clock=1), quiet=(1320, 360)))
    assert isinstance(verdict, Later) and verdict.held and "clock" in verdict.why
    assert decide(request(at(0)), facts(at(1, clock=1))) == Now()


def test_the_purse_counts_parts_of_the_local_day() -> None:
    spent = [Claim("water", at(-1), parts=89)]
    assert decide(request(at(0), parts=1), facts(at(1), spent=spent)) == Now()
    verdict = decide(request(at(0), parts=2), facts(at(1), spent=spent))
    assert isinstance(verdict, Later) and verdict.held and "used up" in verdict.why
    assert spent_today(spent, at(15 * 3600), "Asia/Kolkata") == 0  # after local midnight
    assert same_day(at(0), at(3600, boot="b", clock=1), "Asia/Kolkata")  # nobody knows: count it
    assert not same_day(at(0), at(DAY_S + 1, boot="b", clock=1), "Asia/Kolkata")


def test_elapsed_is_what_is_certain() -> None:
    assert elapsed(at(10), at(25)) == 15
    assert elapsed(at(10, shift_s=9e6), at(25)) == 15  # a wrong wall changes nothing within a boot
    assert elapsed(at(10), at(5, boot="b", shift_s=100)) == pytest.approx(95)
    assert elapsed(at(10), at(5, boot="b", clock=1, shift_s=9e6)) == 5  # only this boot's age is sure
    assert elapsed(at(10, shift_s=9e6), at(5, boot="b")) == 5  # a wall that went back


@given(
    st.lists(st.floats(0, 1e5), min_size=2, max_size=2), st.sampled_from("ab"), st.integers(0, 3), st.floats(-1e6, 1e6)
)
def test_elapsed_never_exceeds_the_truth_within_a_boot(times: list[float], boot: str, clock: int, shift: float) -> None:
    first, second = sorted(times)
    passed = elapsed(at(first, "a", clock, shift), at(second, boot, clock))
    if boot == "a":
        assert passed == pytest.approx(second - first, abs=0.002)
    else:
        assert passed >= int(second * 1000) / 1000


def test_a_reply_goes_at_once_on_a_quiet_line_and_waits_in_a_storm() -> None:
    assert rest_after_ring([], 0.0) == 0.0
    assert rest_after_ring([100.0], 100.0) == pytest.approx(CALM_S)
    assert rest_after_ring([97.0, 98.5, 100.0], 100.0) == pytest.approx(STORM_S)
    assert rest_after_ring([97.0, 98.5, 100.0], 100.0, patient=False) == pytest.approx(CALM_S)
    assert rest_after_ring([1.0, 2.0, 100.0], 101.0) == 0.0


def test_retries_back_off_and_stay_bounded() -> None:
    assert [retry_after(n) for n in (1, 2, 3, 30)] == [10, 30, 90, 3600]


# -------------------------------------------------------------------------- answers of headquarters


def desk(born: Stamp, parts: int = 1) -> Request:
    return Request(VOTER, "water", parts, born, "desk")


def test_an_answer_of_headquarters_goes_though_she_was_answered_but_a_few_a_day() -> None:
    answered = [Claim("water", at(0))]
    assert decide(desk(at(5)), facts(at(10), claims=answered)) == Now()
    mine = [Claim("roads", at(n), 1, "desk") for n in range(DESK_MOST)]
    verdict = decide(desk(at(5)), facts(at(10), claims=mine))
    assert isinstance(verdict, Never) and "answers of headquarters" in verdict.why
    assert decide(desk(at(5)), facts(at(10), claims=mine[1:])) == Now()
    assert decide(request(at(5)), facts(at(10), claims=mine)) == Now(), "a reply is not blocked by them"
    assert decide(desk(at(DAY_S)), facts(at(DAY_S + 3), claims=mine)) == Now()
    loop = [*mine[1:], *answered * (LOOP_MOST - DESK_MOST + 1)]
    assert isinstance(decide(desk(at(5)), facts(at(10), claims=loop)), Never), "but the loop breaker counts all"


def test_an_answer_of_headquarters_outlasts_a_silence_and_obeys_the_rest() -> None:
    assert decide(desk(at(0)), facts(at(DESK_HELD_LONGEST_S))) == Now()
    assert decide(desk(at(0)), facts(at(DESK_HELD_LONGEST_S + 1))) == Never("older than 72 hours")
    assert decide(desk(at(0)), facts(at(1), opted_out=True)) == Never("opted out")
    quiet = decide(desk(at(0)), facts(at(1), quiet=(9 * 60, 12 * 60)))
    assert isinstance(quiet, Later) and quiet.held


def test_headquarters_leaves_half_of_a_sims_day_to_callers() -> None:
    spent = [Claim("water", at(0), 1, "desk")] * 4
    assert decide(desk(at(0)), facts(at(1), spent=spent, purse=10)) == Now()
    verdict = decide(desk(at(0), 2), facts(at(1), spent=spent, purse=10))
    assert isinstance(verdict, Later) and verdict.held and "half" in verdict.why
    assert decide(request(at(0), parts=2), facts(at(1), spent=spent, purse=10)) == Now()


def test_who_may_be_written_to_at_headquarters_wish() -> None:
    heard = [at(0)]
    assert admit(VOTER, 1, heard, facts(at(SOLICITED_S))) == Now()
    assert admit(VOTER, DESK_PARTS, heard, facts(at(1))) == Now()
    for verdict, word in (
        (admit(VOTER, 1, heard, facts(at(SOLICITED_S + 1))), "30 days"),
        (admit(VOTER, 1, [], facts(at(1))), "30 days"),
        (admit(VOTER, DESK_PARTS + 1, heard, facts(at(1))), "more than 3 SMS"),
        (admit(VOTER, 1, heard, facts(at(1), opted_out=True)), "opted out"),
        (admit(VOTER, 1, heard, facts(at(1), own=frozenset({VOTER.number}))), "own SIMs"),
        (admit(Caller("withheld"), 1, heard, facts(at(1))), "withheld"),
    ):
        assert isinstance(verdict, Never) and word in verdict.why and VOTER.number[1:] not in verdict.why


def test_a_call_whose_age_nobody_knows_permits_nothing() -> None:
    before = at(0, "before")
    assert admit(VOTER, 1, [before], facts(at(60, "now"))) == Now(), "both clocks were trusted"
    vague = at(0, "before", clock=1)
    verdict = admit(VOTER, 1, [vague], facts(at(60, "now")))
    assert isinstance(verdict, Never) and "nobody knows" in verdict.why
    assert admit(VOTER, 1, [vague, at(1, "now")], facts(at(60, "now", clock=1))) == Now(), "she called in this boot"
    assert isinstance(admit(VOTER, 1, [before], facts(at(60, "now", clock=1))), Later), "the clock may come yet"
    late = facts(at(CLOCK_PATIENCE_S, "now", clock=1))
    assert isinstance(admit(VOTER, 1, [before], late), Never)
