"""The arithmetic of the metrics against published tables and numbers worked by hand, which catch wrong formulae."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.hq import erlang
from sync.hq.metrics import formulae

# Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998), table I,
# method 3 (score, without continuity correction)
NEWCOMBE = ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718))

# Offered calls an hour at so much loss, a call holding its line for 6 s, for 1, 2, 4 and 8 lines
OFFERED = {
    1: {0.01: 6, 0.05: 32, 0.10: 67, 0.20: 150},
    2: {0.01: 92, 0.05: 229, 0.10: 357, 0.20: 600},
    4: {0.01: 522, 0.05: 915, 0.10: 1227, 0.20: 1767},
    8: {0.01: 1877, 0.05: 2726, 0.10: 3358, 0.20: 4422},
}


def published(wilson: Callable[[int, int], tuple[float, float] | None]) -> None:
    for hits, n, low, high in NEWCOMBE:
        assert wilson(hits, n) == pytest.approx((low, high), abs=5e-5)


def tabled(erlang_b: Callable[[int, float], float]) -> None:
    for lines, row in OFFERED.items():
        for lost, calls in row.items():
            step = 0.6 * 6 / 3600 / lines  # the table is rounded to whole calls
            assert erlang_b(lines, calls * 6 / 3600) == pytest.approx(lost, abs=step + 2e-3 * lost)


def test_wilson_is_the_published_one() -> None:
    published(formulae.wilson)
    assert formulae.wilson(0, 0) is None
    assert formulae.wilson(7, 7) == pytest.approx((0.6457, 1.0), abs=5e-5)


def test_a_wald_interval_is_caught() -> None:
    def wald(hits: int, n: int) -> tuple[float, float]:
        p = hits / n
        width = formulae.Z95 * math.sqrt(p * (1 - p) / n)
        return p - width, p + width

    with pytest.raises(AssertionError):
        published(wald)
    with pytest.raises(AssertionError):
        published(lambda hits, n: formulae.wilson(hits, n, z=1.645))


def test_erlang_b_is_the_table_of_the_field() -> None:
    tabled(erlang.erlang_b)
    rally = {1: 0.83, 4: 0.40, 8: 0.07, 10: 0.018}
    for lines, lost in rally.items():
        assert erlang.erlang_b(lines, 5.0) == pytest.approx(lost, abs=0.005)


def test_a_queue_in_place_of_a_loss_is_caught() -> None:
    def erlang_c(lines: int, offered: float) -> float:
        lost = erlang.erlang_b(lines, offered)
        return lost / (1 - offered / lines * (1 - lost))

    with pytest.raises(AssertionError):
        tabled(erlang_c)
    with pytest.raises(AssertionError):
        tabled(lambda lines, offered: erlang.erlang_b(lines + 1, offered))


@given(st.integers(1, 12), st.floats(0.001, 20))
def test_the_offered_load_is_found_again_from_what_was_carried(lines: int, offered: float) -> None:
    lost = (offered**lines / math.factorial(lines)) / sum(
        offered**k / math.factorial(k) for k in range(lines + 1)
    )
    carried = offered * (1 - lost)
    assert erlang.offered_load(lines, carried) == pytest.approx(offered, rel=1e-6)
    assert erlang.loss(lines, carried) == pytest.approx(lost, rel=1e-5, abs=1e-9)


def test_with_one_line_the_loss_is_the_carried_load() -> None:
    for carried in (0.0, 0.1, 0.25, 0.9):
        assert erlang.loss(1, carried) == pytest.approx(carried)
    assert erlang.offered_load(1, 1.5) == erlang.MOST_OFFERED
    assert erlang.loss(1, 1.5) == pytest.approx(100 / 101)


def test_a_referendum_with_a_line_each_is_bent_as_the_field_says() -> None:
    """True 80 : 20 at 200 : 50 calls an hour is recorded as 76.5 : 23.5, and found again."""
    got = [calls * (1 - erlang.erlang_b(1, calls * 6 / 3600)) for calls in (200, 50)]
    assert got[0] / sum(got) == pytest.approx(0.765, abs=0.0005)
    true = [calls / (1 - erlang.loss(1, calls * erlang.HOLD_S / 3600)) for calls in got]
    assert true[0] / sum(true) == pytest.approx(0.8, abs=1e-6)


def test_unseen_is_what_the_loss_says_and_no_alert_told() -> None:
    assert erlang.unseen(90, 0.1, 0) == pytest.approx(10)
    assert erlang.unseen(90, 0.1, 4) == pytest.approx(6)
    assert erlang.unseen(90, 0.1, 11) == 0


@given(st.lists(st.integers(0, 200), min_size=1, max_size=60), st.sampled_from([0.5, 0.95, 1.0]))
def test_percentiles_are_nearest_rank(values: list[int], q: float) -> None:
    histogram = {value: values.count(value) for value in values}
    rank = max(1, math.ceil(round(q * len(values), 9)))
    assert formulae.percentile(histogram, q) == sorted(values)[rank - 1]


def test_nothing_is_said_of_nobody() -> None:
    assert formulae.percentile({}, 0.5) is None
    assert formulae.percentile({3: 0}, 0.5) is None
    assert formulae.share(0, 0) is None
    assert formulae.median([]) is None


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_the_median_is_the_middle(values: list[float]) -> None:
    assert formulae.median(values) == pytest.approx(statistics.median(values))
