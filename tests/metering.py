"""What the proofs of the metrics stand on: a made-up week put into a store and told to the oracle, slices of it, and
the comparison of a figure with what the oracle says."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import strategies as st

from sync.hq import deskstore, rollups, sql
from sync.hq.metrics import Figure, Given, Slice, compute
from sync.hq.tariff import Tariff
from tests import expected, oracle, rolling, streams
from tests.postgres import Server

Stores = tuple[sql.Db, sql.Db]  # events and desk

ISSUES = {"support": ("subsidy", "support", "last"), "oppose": ("subsidy", "oppose", "last")}
POLICIES = ("first", "last", "void-if-both")
DAY0 = oracle.local(streams.START_MS, "Asia/Kolkata")[0]
WEEKS = Slice(DAY0, DAY0 + 30)
TARIFF = Tariff(0.5, 1.25, 90.0, "INR")
WARDS = {"nashik-07/l1": "ward 3", "nashik-07/l2": "ward 3", "pune-02/l1": "ward 9"}
BUSY: dict[str, Any] = {
    "acts": [streams.Act(30_000, 0, 0, "missed", "none", (50,) * 8) for _ in range(14)], "crowd": (7, 170),
    "issues": ISSUES, "later_h": 9, "desk": [(1, "contacted", 3), (3, "verified", 30)],
    "told": [(campaign, goal, one.number, day) for campaign in ("support", "ask", "water")
             for goal, day in (("registered", 3), ("attended", 8), ("pledged", 10)) for one in streams.CALLERS[:6]],
}  # fmt: skip
oracle.WARDS.update(WARDS)
_CASE = (
    "INSERT INTO desk_thing (store_id, seq, name, kind, at_ms, box, line, district, campaign, language, caller,"
    " reference, said, seconds, words, known_seq, state, contacted_ms, changed_ms, version) VALUES (:store, :seq,"
    " :name, 'case', :opened, '', '', '', '', '', '', '', 0, 0, '', 0, :state, CAST(:at AS BIGINT), 0, 1)"
)


def in_memory() -> Stores:
    """Empty stores."""
    made = [sql.adopt(sqlite3.connect(":memory:", isolation_level=None)) for _ in range(2)]
    return build(made[0], made[1])


def build(events: sql.Db, desk: sql.Db) -> Stores:
    rolling.build(events)
    deskstore.migrate(desk)
    return events, desk


@pytest.fixture(name="stores", params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest) -> Iterator[Stores]:
    """Empty stores of either kind."""
    if request.param == "sqlite":
        made = in_memory()
    else:
        server: Server = request.getfixturevalue("postgres")
        made = build(*(sql.postgres(server.database()) for _ in range(2)))
    yield made
    for db in made:
        db.close()


# ------------------------------------------------------------------------------------- what happens

FILTERS = {
    "district": ("nashik", "recife"), "box": ("nashik-07", "recife-01"), "line": ("nashik-07/l2", "pune-02/l1"),
    "channel": ("radio", "poster"), "ward": ("ward 3", "ward 9"), "campaign": ("support", "ask", "water"),
    "issue": ("subsidy",), "language": ("hi", "pt"), "tag": ("water", "roads"), "clean": (True,),
}  # fmt: skip


@st.composite
def slices(draw: st.DrawFn) -> Slice:
    """A window with at most three filters."""
    first, span = draw(st.integers(-1, 8)), draw(st.sampled_from([0, 1, 3, 9, 30]))
    names = draw(st.lists(st.sampled_from(sorted(FILTERS)), max_size=3, unique=True))
    filters: dict[str, Any] = {name: draw(st.sampled_from(FILTERS[name])) for name in names}
    return Slice(first=DAY0 + first, last=DAY0 + first + span, **filters)


outcomes = st.lists(
    st.tuples(
        st.sampled_from(["support", "oppose", "ask", "water"]), st.sampled_from(["registered", "attended", "pledged"]),
        st.sampled_from([one.number for one in streams.CALLERS[:8]]), st.integers(-1, 12),
    ),
    max_size=12, unique_by=lambda one: one[:3],
)  # fmt: skip


@st.composite
def happened(draw: st.DrawFn) -> dict[str, Any]:
    """What callers do, which policy the issue has, and what headquarters is told besides."""
    policy, rush = draw(st.sampled_from(POLICIES)), draw(st.integers(0, 9))
    acts, crowd = draw(streams.acts()), (draw(st.integers(0, 999)), draw(st.sampled_from([0, 40, 80, 120])))
    if rush == 0:  # one caller rings for an hour
        acts += [streams.Act(30_000, draw(st.integers(0, 2)), 0, "missed", "none", (50,) * 8) for _ in range(14)]
    return {
        "acts": acts, "crowd": crowd, "issues": {name: (*it[:2], policy) for name, it in ISSUES.items()},
        "told": draw(outcomes),
        "desk": draw(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["assigned", "contacted", "verified"]),
                                        st.sampled_from([None, 3, 30])), max_size=3)),
        "later_h": draw(st.integers(0, 40)),
    }  # fmt: skip


def fill(stores: Stores, what: dict[str, Any]) -> oracle.Facts:
    """All of it into both stores, and as facts for the oracle."""
    events, desk = stores
    rolling.empty(events)
    with streams.world([*what["acts"], *streams.crowd(*what["crowd"])]) as world:
        ledgers = [(number, line.seat, line.rows) for number, line in enumerate(world.lines, 1)]
        stored = [line.ledger.store for line in world.lines]
        now_ms = world.now_ms + what["later_h"] * 3_600_000
    with events.transaction():
        rollups.rebuild(events, what["issues"])
    kept = rollups.Rollups(events, what["issues"])
    for (number, seat, rows), store in zip(ledgers, stored, strict=True):
        ledger = rolling.Ledger(
            number, store, seat.box, seat.line, seat.timezone, seat.district, seat.channel, seat.campaign, seat.language
        )
        for first in range(0, len(rows), 70):
            with events.transaction():
                rolling.insert(events, ledger, rows[first : first + 70])
                kept.add(ledger, rows[first : first + 70])
                kept.settle(now_ms)
    facts = oracle.facts(ledgers, what["issues"], now_ms)
    tell(desk, facts, what)
    return facts


def tell(desk: sql.Db, facts: oracle.Facts, what: dict[str, Any]) -> None:
    """What headquarters is told by people: outcomes, wards, and how cases stand."""
    facts.tariff = (TARIFF.sms, TARIFF.minute, TARIFF.sim_month)
    once = {one[:3]: one[3] for one in what["told"]}  # one outcome of a goal, campaign and caller
    facts.outcomes = [(*one, streams.START_MS + day * oracle.DAY_MS) for one, day in once.items()]
    opened = [one for one in facts.things if one.kind == "case"]
    facts.desk = {
        (opened[place].store, opened[place].first.seq): (
            state, None if hours is None else opened[place].about["opened_ms"] + hours * 3_600_000
        )
        for place, state, hours in what["desk"] if place < len(opened)
    }  # fmt: skip
    began = {(case.store, case.first.seq): case.about["opened_ms"] for case in opened}
    with desk.transaction():
        for table in ("outcome", "line_ward", "desk_thing"):
            desk.run(f"DELETE FROM {table}")
        for campaign, goal, caller, at_ms in facts.outcomes:
            insert = "INSERT INTO outcome VALUES (:campaign, :goal, :caller, :at_ms, '', 1)"
            desk.run(insert, campaign=campaign, goal=goal, caller=caller, at_ms=at_ms)
        for line, ward in WARDS.items():
            box, _, name = line.partition("/")
            desk.run("INSERT INTO line_ward VALUES (:box, :line, :ward)", box=box, line=name, ward=ward)
        for (store, seq), (state, at) in facts.desk.items():
            case = {"store": store, "seq": seq, "opened": began[store, seq], "state": state, "at": at}
            desk.run(_CASE, name=f"{store:08x}-{seq}", **case)


# ------------------------------------------------------------------------------------------ is it so


def same(figure: Figure, told: Any) -> None:
    """The figure says what the oracle does."""
    if isinstance(told, list):
        assert rows_of(figure) == [
            tuple(pytest.approx(x, abs=1e-9) if isinstance(x, float) else x for x in row) for row in told
        ]
        return
    had = (figure.value, figure.n, figure.low, figure.high)[: len(told)]
    for mine, its in zip(had, told, strict=True):
        assert mine == (pytest.approx(its, rel=1e-6, abs=1e-9) if isinstance(its, float) else its), (had, told)
    assert (figure.value is None) == bool(figure.why)


def rows_of(figure: Figure) -> list[tuple[Any, ...]]:
    """A table's rows as the oracle has them."""
    if figure.rows and "tries" in figure.rows[0]:
        return [tuple(row.values()) for row in figure.rows]
    if figure.rows and hasattr(figure.rows[0], "policy"):
        return sorted(
            (o.issue, o.option, o.voters, o.share, o.low, o.high, o.loss, o.biased, o.raw, o.nameless, o.first, o.last,
             o.single, o.conflicts)
            for o in figure.rows
        )  # fmt: skip
    names = (
        "campaign", "node", "entered", "no_input", "invalid", "hung_up", "keyed", "spoke", "heard", "no_input_rate",
        "invalid_rate", "hung_up_rate",
    )  # fmt: skip
    return [tuple(row[name] for name in names) for row in figure.rows]


def alike(one: Figure, other: Figure) -> bool:
    """Two figures say the same."""
    rows = [[(each.value, each.n, each.low, each.high), *rows_of(each)] for each in (one, other)]
    return rows[0] == [tuple(pytest.approx(x) if isinstance(x, float) else x for x in row) for row in rows[1]]


def refused(figure: Figure) -> bool:
    return any(words in figure.why for words in (
        "not told by", "mixture", "not in a part", "whole boxes", "taken out", "within all", "not part of",
        "told by issue", "in several", "not divided", "nobody has said",
    ))  # fmt: skip


def check(stores: Stores, facts: oracle.Facts, asked: Slice, names: Sequence[str]) -> int:
    """Each figure of the slice is right, or rightly refused; how many were told."""
    given_ = Given(facts.now_ms, stores[1], TARIFF)
    figures, sliced = compute(stores[0], asked, names, given_), oracle.Sliced(facts, asked)
    places = sum(bool(getattr(asked, name)) for name in ("district", "box", "line", "channel", "ward"))
    told = 0
    for name in names:
        filters = {f for f in ("campaign", "issue", "tag", "language") if getattr(asked, f)}
        must = bool(filters & expected.NOT_BY[name]) or (asked.clean and name not in expected.NUMBERED)
        if refused(figures[name]):
            assert must or places or asked.clean or {"campaign", "issue"} <= filters, (name, asked, figures[name].why)
            continue
        assert not must, (name, asked)
        told += 1
        try:
            same(figures[name], expected.EXPECTED[name](sliced))
        except AssertionError as error:
            raise AssertionError(f"{name} of {asked}: {error}") from error
    return told
