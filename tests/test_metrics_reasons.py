"""Why a figure cannot be told is said in the reader's language, with what stands in its gaps."""

from __future__ import annotations

import re
from functools import partial

import pytest

from sync.hq import catalogue
from sync.hq.catalogue import Reason, said, told
from sync.hq.metrics import BY, METRICS, Given, Slice, breakdown, compute
from tests import metering
from tests.metering import BUSY, WEEKS, fill

HINDI = partial(told, "hi")
NAMES = {"hq", "toml", "tariff", "SIM"}  # that stay as they are
SLICES = (
    WEEKS, Slice(), Slice(campaign="ask"), Slice(issue="subsidy"), Slice(tag="roads"), Slice(language="hi"),
    Slice(ward="ward 3"), Slice(line="nashik-07/l2"), Slice(clean=True), Slice(campaign="water", issue="subsidy"),
    Slice(district="nashik", channel="poster"), Slice(district="nashik", box="recife-01"), Slice(first=-9, last=-5),
)  # fmt: skip
LATER = "availability"  # has no figure at all


@pytest.fixture(scope="module")
def reasons() -> set[str]:
    """Every reason that a busy week, an empty store and an absent desk give."""
    found: set[str] = set()
    names = [name for name in METRICS if name != LATER]
    for stores in (metering.in_memory(), metering.in_memory()):
        facts = fill(stores, BUSY) if not found else None
        given = Given(facts.now_ms if facts else 0, stores[1])
        for asked in SLICES:
            found |= {figure.why for figure in compute(stores[0], asked, names, given).values() if figure.why}
            for by in BY:
                rows = breakdown(stores[0], asked, by, names, given).values()
                found |= {figure.why for row in rows for figure in row.values() if figure.why}
        found |= {figure.why for figure in compute(stores[0], WEEKS, names, Given(0)).values() if figure.why}
        for db in stores:
            db.close()
    return found


def english(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z]{2,}", text)) - NAMES


def test_no_reason_is_left_in_english(reasons: set[str]) -> None:
    assert len(reasons) > 60 and {type(why) for why in reasons} == {str, Reason}
    left = {why: said(why, HINDI) for why in reasons if english(said(why, HINDI))}
    assert not left


def test_a_reader_of_english_gets_the_sentence_itself(reasons: set[str]) -> None:
    assert all(said(why, partial(told, "en")) == why for why in reasons)
    assert "votes are not told by tag" in reasons


@pytest.mark.parametrize("text", ["{what} are not told by {by}", "tag", "votes", "nobody was rung back"])
def test_a_catalogue_that_lacks_one_is_caught(reasons: set[str], text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(catalogue.catalogues()["hi"], text)
    assert any(english(said(why, HINDI)) for why in reasons)
