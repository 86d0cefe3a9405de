"""The week's brief ranks what the rows say, and nothing else."""

from __future__ import annotations

import pytest

from sync.hq.metrics import Slice, brief
from tests import oracle
from tests.metering import BUSY, DAY0, Stores, either, fill

ISSUE = {"support": "subsidy", "oppose": "subsidy"}


__all__ = ["either"]  # the fixture `stores`, of either kind


def obvious(facts: oracle.Facts, district: str, topic: str, first: int) -> tuple[int, int]:
    """Different callers and calls of an issue in a district, of a week."""
    found = oracle.Sliced(facts, Slice(first, first + 6, district=district))
    calls = [one for one in found.calls if ISSUE.get(one.campaign, one.campaign) == topic]
    return len({one.caller for one in calls if one.numbered}), len(calls)


def test_districts_and_issues_are_ranked_by_callers(stores: Stores) -> None:
    facts = fill(stores, BUSY)
    for first in (DAY0, DAY0 + 3, DAY0 + 7):
        told = brief.brief(stores[0], first)
        for district in told:
            for topic in district.topics:
                name = topic.name
                assert (topic.callers, topic.calls) == obvious(facts, district.name, name, first)
                assert (topic.callers_before, topic.calls_before) == obvious(facts, district.name, name, first - 7)
            ranks = [(one.callers, one.calls) for one in district.topics]
            assert ranks == sorted(ranks, reverse=True)
            found = oracle.Sliced(facts, Slice(first, first + 6, district=district.name))
            opened = [one.about.get("tags", "") for one in found.of("case")]
            tags = {tag for text in opened for tag in text.split(",") if tag}
            assert dict(district.tags) == {tag: sum(tag in text.split(",") for text in opened) for tag in tags}
        busiest = [sum(topic.calls for topic in district.topics) for district in told]
        assert busiest == sorted(busiest, reverse=True) and all(busiest)
    assert {one.name for one in brief.brief(stores[0], DAY0)} == {"nashik", "pune", "recife"}
    assert brief.brief(stores[0], DAY0 - 50) == ()
    for query in brief.queries(DAY0):
        stores[0].rows(query.sql, query.values)


def test_callers_added_up_over_campaigns_are_caught(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """An issue's callers are no sum of its campaigns' callers."""
    wrong = brief._CALLERS.replace("t.scope = 'issue+district'", "t.scope = 'campaign+district' AND 1 = 1").replace(
        "AND t.topic NOT IN (SELECT campaign FROM part)", ""
    )
    wrong = wrong.replace("SELECT t.area AS district, t.topic,", "SELECT t.area AS district, 'subsidy' AS topic,")
    monkeypatch.setattr(brief, "_CALLERS", wrong)
    with pytest.raises(AssertionError):
        test_districts_and_issues_are_ranked_by_callers(stores)
