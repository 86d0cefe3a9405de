"""Rule 56: runs of numbers, and blocks that fill ten minutes, are flagged; ordinary crowds are not."""

from __future__ import annotations

import random

import pytest

from sync.hq import fraud, rollups
from sync.hq.fraud import Call
from tests import oracle, rolling
from tests.metering import Stores, either

NINE = 1_700_000_000_000 // fraud.BUCKET_MS * fraud.BUCKET_MS


__all__ = ["either"]  # the fixture `stores`, of either kind


def crowd(many: int, seed: int = 1) -> list[Call]:
    """Callers from all over the country, within ten minutes."""
    dice = random.Random(seed)
    return [Call("water", NINE + dice.randrange(fraud.BUCKET_MS), 916_000_000_000 + dice.randrange(10**9))
            for _ in range(many)]  # fmt: skip


def run(first: int, many: int) -> list[Call]:
    return [Call("water", NINE + 1000 * n, first + n) for n in range(many)]


def test_a_run_is_flagged_and_a_shorter_one_is_not() -> None:
    (flag,) = fraud.runs([*crowd(50), *run(919_822_000_000, 5), Call("water", NINE, 919_822_000_002)])
    assert (flag.kind, flag.calls, len(flag.callers), flag.first_ms) == ("run", 6, 5, NINE)
    assert fraud.runs([*crowd(50), *run(919_822_000_000, 4)]) == []
    split = [Call(("water", "roads")[n % 2], NINE, 919_822_000_000 + n) for n in range(8)]
    assert fraud.runs(split) == [], "a run is one of a campaign"
    assert "9198" not in repr(flag)


def test_a_block_is_flagged_above_its_share_of_a_crowd() -> None:
    stack = [Call("water", NINE + n, 919_822_010_000 + 7 * n) for n in range(9)]
    assert [flag.calls for flag in fraud.blocks([*crowd(20), *stack])] == [9]
    assert fraud.blocks([*crowd(21), *stack]) == [], "9 of 30 are not more than 30 %"
    assert fraud.blocks(stack) == [], "nine calls are no crowd"
    later = [call._replace(at_ms=call.at_ms + fraud.BUCKET_MS) for call in stack]
    assert fraud.blocks([*crowd(20), *later]) == []


def test_one_local_day_of_either_store(stores: Stores) -> None:
    events = stores[0]
    rolling.empty(events)
    ledger, kept = rolling.LEDGERS[0], rollups.Rollups(events)
    numbers = [*run(919_822_000_000, 6), *run(919_833_000_000, 6)]
    moved = [call._replace(at_ms=call.at_ms + (n > 5) * 86_400_000) for n, call in enumerate(numbers)]
    rows = [
        (n, 0, "call", "b1", n, call.at_ms, 3, "water", f"+{call.number}", "national", "missed", 0, "")
        for n, call in enumerate(moved, 1)
    ]
    with events.transaction():
        rolling.insert(events, ledger, rows)
        kept.add(ledger, rows)
        kept.settle(0)
    day, _ = oracle.local(NINE, ledger.timezone)
    for away in (0, 1):
        (flag,) = fraud.flags(events, day + away)
        assert (flag.kind, flag.calls, flag.first_ms) == ("run", 6, moved[6 * away].at_ms)
    assert fraud.flags(events, day + 2) == fraud.flags(events, day - 1) == []


@pytest.mark.parametrize(("name", "value"), [("RUN", 6), ("RUN", 4), ("SHARE", 0.29), ("SHARE", 0.4), ("CROWD", 9)])
def test_other_thresholds_are_caught(monkeypatch: pytest.MonkeyPatch, name: str, value: float) -> None:
    monkeypatch.setattr(fraud, name, value)
    with pytest.raises((AssertionError, ValueError)):
        test_a_run_is_flagged_and_a_shorter_one_is_not()
        test_a_block_is_flagged_above_its_share_of_a_crowd()
