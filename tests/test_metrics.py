"""Every metric, from either store, is what the oracle makes of the rows themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sync.hq import sql
from sync.hq.metrics import BY, METRICS, Figure, Given, Slice, breakdown, compare, compute, queries
from tests import expected, metering, oracle, streams
from tests.metering import BUSY, DAY0, TARIFF, WEEKS, Stores, alike, check, fill, happened, refused, slices
from tests.postgres import Server, needs_postgres

SLOW = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=set(Phase) - {Phase.shrink})


@pytest.fixture
def stores() -> Iterator[Stores]:
    made = metering.in_memory()
    yield made
    for db in made:
        db.close()


@pytest.fixture
def server_stores(postgres: Server) -> Iterator[Stores]:
    made = metering.build(*(sql.postgres(postgres.database()) for _ in range(2)))
    yield made
    for db in made:
        db.close()


@settings(SLOW, max_examples=20)
@given(happened(), st.lists(slices(), min_size=5, max_size=5))
def test_sqlite_says_what_the_rows_say(stores: Stores, what: dict[str, Any], asked: list[Slice]) -> None:
    facts = fill(stores, what)
    for one in (WEEKS, *asked):
        check(stores, facts, one, list(expected.EXPECTED))


@needs_postgres
@settings(SLOW, max_examples=5)
@given(happened(), st.lists(slices(), min_size=5, max_size=5))
def test_postgresql_says_what_the_rows_say(
    server_stores: Stores, what: dict[str, Any], asked: list[Slice]
) -> None:
    facts = fill(server_stores, what)
    for one in (WEEKS, *asked):
        check(server_stores, facts, one, list(expected.EXPECTED))


# ---------------------------------------------------------------------------------------- broken down


def group(asked: Slice, by: str, key: str) -> Slice:
    """The slice that one group of a breakdown is."""
    narrowed: dict[str, Any] = {"first": int(key), "last": int(key)} if by == "day" else {by: key}
    return replace(asked, **narrowed)


@settings(SLOW, max_examples=8)
@given(happened(), slices(), st.sampled_from(BY))
def test_each_group_of_a_breakdown_is_its_own_slice(
    stores: Stores, what: dict[str, Any], asked: Slice, by: str
) -> None:
    """What a breakdown tells of a group is what is told of that group alone; groups that it does not tell are empty."""
    facts = fill(stores, what)
    told = Given(facts.now_ms, stores[1], TARIFF)
    names = [name for name in expected.EXPECTED if name != "referendum" or by != "day"]  # a loss is the window's
    for one in (WEEKS, asked):
        groups = breakdown(stores[0], one, by, names, told)
        for key, figures in groups.items():
            if by == "hour" or not key or (by != "day" and getattr(one, by) not in ("", key)):
                continue  # nothing can be asked of those alone
            alone = compute(stores[0], group(one, by, key), names, told)
            for name in names:
                if not refused(figures[name]) and not refused(alone[name]):
                    assert alike(figures[name], alone[name]), (name, by, key, one, figures[name], alone[name])


def test_hours_add_up_to_the_day(stores: Stores) -> None:
    facts = fill(stores, BUSY)
    told = Given(facts.now_ms, stores[1], TARIFF)
    hours = breakdown(stores[0], WEEKS, "hour", ("calls", "callers", "capture", "completion"), told)
    assert list(hours) == sorted(hours, key=int)
    for hour, figures in hours.items():
        calls = [one for one in oracle.Sliced(facts, WEEKS).calls if one.hour == int(hour)]
        assert figures["calls"].value == len(calls)
        assert figures["callers"].value is None and "not told by hour" in figures["callers"].why
    assert sum(figures["calls"].value or 0 for figures in hours.values()) == compute(
        stores[0], WEEKS, ("calls",), told
    )["calls"].value  # fmt: skip


# ----------------------------------------------------------------------------------- what pages show


def test_a_metric_is_given_again_by_its_queries(stores: Stores) -> None:
    facts = fill(stores, BUSY)
    told = Given(facts.now_ms, stores[1], TARIFF)
    asked = Slice(DAY0, DAY0 + 9, campaign="support", district="nashik")
    for name in METRICS:
        for query in queries(stores[0], asked, name, told):
            at_desk = "FROM outcome" in query.sql
            assert not re.search(r"\bevent\b", query.sql), name
            (stores[1] if at_desk else stores[0]).rows(query.sql, query.values)
        assert METRICS[name].meaning.endswith(".") and METRICS[name].title
    (query,) = queries(stores[0], asked, "calls", told)
    assert stores[0].row(query.sql, query.values) == {
        "key": "", "calls": compute(stores[0], asked, ("calls",), told)["calls"].value
    }  # fmt: skip


def test_picked_up_is_cumulative(stores: Stores) -> None:
    facts = fill(stores, BUSY)
    figure = compute(stores[0], WEEKS, ("pick-up",), Given(facts.now_ms))["pick-up"]
    sliced = oracle.Sliced(facts, WEEKS)
    by_try = [sum(one.now.state == "called-back" for one in expected.tries(sliced, n)) for n in (1, 2, 3)]
    assert [row["reached"] for row in figure.rows] == [sum(by_try[:n]) for n in (1, 2, 3)]
    assert by_try[0] and by_try[1] and figure.n == len(expected.tries(sliced, 1))
    assert [row["share"] for row in figure.rows][-1] == figure.value


def test_two_weeks_compared(stores: Stores) -> None:
    facts = fill(stores, BUSY)
    told = Given(facts.now_ms, stores[1], TARIFF)
    one, other = Slice(DAY0, DAY0 + 2), Slice(DAY0 + 3, DAY0 + 5)
    names = ("calls", "callers", "completion", "cost", "sync-lag")
    changes = compare(stores[0], one, other, names, told)
    first, second = (compute(stores[0], each, names, told) for each in (one, other))
    for name, change in changes.items():
        assert (change.one, change.other) == (first[name], second[name])
    calls = changes["calls"]
    assert calls.by == (calls.other.value or 0) - (calls.one.value or 0) != 0
    assert changes["sync-lag"].by is None and changes["sync-lag"].one.why


def test_what_is_not_there_is_said(stores: Stores) -> None:
    fill(stores, BUSY)
    bare = compute(stores[0], WEEKS, METRICS, Given(streams.START_MS))
    assert bare["registered"].value is None and "desk" in bare["registered"].why
    assert "tariff" in bare["cost"].why and bare["sync-lag"].value is None
    assert compute(stores[0], Slice(ward="ward 3"), ("calls",), Given(0))["calls"].why
    empty = compute(stores[0], Slice(DAY0 - 99, DAY0 - 90), METRICS, Given(0, stores[1], TARIFF))
    for name, figure in empty.items():
        assert (figure.value in (None, 0)) and (figure.value == 0) != bool(figure.why), (name, figure)


def test_how_far_headquarters_is_behind(stores: Stores) -> None:
    """The worst ledger that is written now counts; a replaced one only while rows of it are missing."""
    facts = fill(stores, BUSY)
    events = stores[0]

    def lag(asked: Slice = WEEKS) -> Figure:
        return compute(events, asked, ("sync-lag",), Given(facts.now_ms))["sync-lag"]

    events.run("DELETE FROM store")
    assert "no box" in lag().why
    known = {row["store_id"]: row for row in events.rows("SELECT * FROM place")}
    for number, place in known.items():
        events.run(
            "INSERT INTO store (id, store, box, line, hwm, last, complete_ms, chain, admitted_ms, seen_ms)"
            " VALUES (:id, :store, :box, :line, 50, 50, :done, :none, 0, 0)",
            none=b"", id=number, store=f"s{number}", box=place["box"], line=place["line"],
            done=facts.now_ms - 1000 * number,
        )  # fmt: skip
    assert (lag().value, lag().n) == (6, 0)
    assert lag(Slice(box="nashik-07")).value == 3
    events.run("UPDATE store SET last = 57, complete_ms = :at WHERE id = 2", at=facts.now_ms - 90_000)
    assert (lag().value, lag().n) == (90, 7)
    assert lag(Slice(district="recife")).value == 6
    events.run("UPDATE store SET complete_ms = NULL WHERE id = 6")
    assert "never been complete" in lag(Slice(district="recife")).why and lag(Slice(box="nashik-07")).value == 90
