"""Metrics that are broken on purpose: in the SQL, in the formulae, in what is counted. Each must be caught."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from sync.hq import distinct, erlang, facts, loads, rollups, signs
from sync.hq.metrics import (
    Given,
    Slice,
    asking,
    compute,
    conversion,
    definitions,
    figures,
    formulae,
    polls,
    slices,
    sources,
)
from sync.hq.metrics.slices import Ground
from tests import expected, metering, oracle
from tests.metering import BUSY, DAY0, ISSUES, TARIFF, WEEKS, fill, refused, same

NASHIK = Slice(DAY0, DAY0 + 30, district="nashik")
ASKED = (
    WEEKS, NASHIK, Slice(DAY0 + 1, DAY0 + 4), Slice(DAY0, DAY0 + 2, campaign="support"), Slice(DAY0 + 2, DAY0 + 30),
    Slice(DAY0, DAY0 + 30, clean=True), Slice(DAY0, DAY0 + 30, issue="subsidy"), Slice(DAY0, DAY0 + 30, language="hi"),
    Slice(DAY0, DAY0 + 30, tag="roads"), Slice(DAY0, DAY0 + 30, district="nashik", channel="radio"),
    Slice(DAY0, DAY0 + 30, ward="ward 3"), Slice(DAY0, DAY0 + 30, district="nashik", channel="poster"),
)  # fmt: skip


@pytest.fixture(scope="module")
def busy() -> Iterator[tuple[metering.Stores, oracle.Facts, dict[tuple[int, str], Any]]]:
    """A busy week in SQLite, and what the oracle says of ASKED."""
    made = metering.in_memory()
    facts = fill(made, {**BUSY, "issues": {name: (*it[:2], "first") for name, it in ISSUES.items()}})
    told = {
        (place, name): its(oracle.Sliced(facts, asked))
        for place, asked in enumerate(ASKED) for name, its in expected.EXPECTED.items()
    }  # fmt: skip
    yield made, facts, told
    for db in made:
        db.close()


def wald(hits: int, n: int, z: float = formulae.Z95) -> tuple[float, float] | None:
    p = hits / n if n else 0.0
    width = z * (p * (1 - p) / n) ** 0.5 if n else 0.0
    return (p - width, p + width) if n else None


def replaced(old: str, new: str) -> Callable[..., Any]:
    """A function like the one given, whose SQL has `new` in place of `old`."""

    def wrap(real: Callable[..., Any]) -> Callable[..., Any]:
        def broken(*args: Any, **named: Any) -> Any:
            made = real(*args, **named)
            sql_ = made if isinstance(made, str) else made.sql
            assert old in sql_, sql_
            return sql_.replace(old, new) if isinstance(made, str) else made._replace(sql=sql_.replace(old, new))

        return broken

    return wrap


def asking_of(counter: str, wrap: Callable[..., Any]) -> Callable[..., Any]:
    """All sources, that of this counter asked in another way."""
    return lambda every: tuple(
        one._replace(ask=wrap(one.ask)) if counter in one.counters else one for one in every
    )


def without(**dropped: Any) -> Callable[..., Any]:
    """A function like the one given, that sees the slice with these fields changed."""

    def wrap(real: Callable[..., Any]) -> Callable[..., Any]:
        return lambda ground, asked, *args: real(ground, replace(asked, **dropped), *args)

    return wrap


MUTANTS: dict[str, tuple[object, str, Any, tuple[str, ...]]] = {
    "an interval that is too simple": (formulae, "wilson", lambda _: wald, ("engagement",)),
    "days of callers added up": (distinct, "query", replaced("prev < :first", "prev < day"), ("callers",)),
    "new ones who were there before": (
        distinct, "query", replaced("CASE WHEN prev = :never THEN n ELSE 0 END", "n"), ("new",)),
    "a mixture of places taken for everywhere": (
        Ground, "alike", lambda _: lambda self, asked: ("", ""), ("callers",)),
    "the last day left out": (Ground, "where", replaced("day <= :last", "day < :last"), ("calls",)),
    "the first day left out": (Ground, "where", replaced("day >= :first", "day > :first"), ("calls",)),
    "a language that is not looked at": (asking, "ALL", asking_of("calls", without(language="")), ("calls",)),
    "flagged calls left in": (asking, "ALL", asking_of("calls", without(clean=False)), ("calls",)),
    "places that are not looked at": (Ground, "area", lambda _: lambda self, asked: ("", {}), ("calls", "engagement")),
    "parts that are too small": (loads, "PARTS", lambda parts: parts * 2, ("load", "loss", "capture")),
    "boxes that are not looked at": (slices, "PLACES", lambda _: ":district <> ''", ("loss",)),
    "minutes of boxes that are not looked at": (slices, "PLACES", lambda _: ":district <> ''", ("availability",)),
    "minutes of a part of the time": (asking, "ALL", asking_of("up", without(first=WEEKS.first)), ("availability",)),
    "a box of which a part is in": (Ground, "whole_boxes", lambda _: lambda *_: None, ("availability",)),
    "losses of a part of the time": (
        polls, "_SQL", lambda sql_: sql_.replace("day >= :first AND t.day <= :last AND t.c", "day >= :last AND t.c"),
        ("referendum",)),
    "a day too long for converting": (conversion, "DAYS", lambda _: 8, ("attended",)),
    "conversion before the ask": (
        conversion, "_firsts", lambda real: lambda *a: {k: (d - 3, s) for k, (d, s) in real(*a).items()},
        ("registered",)),
    "replies that never came left out": (
        formulae, "percentile", lambda real: lambda h, q: real({k: n for k, n in h.items() if k < 10**9}, q),
        ("reply-p95",)),
    "the wrong percentile": (formulae, "percentile", lambda real: lambda h, q: real(h, q - 0.2), ("reply-p50",)),
    "five minutes of an hour": (figures, "FIVE_MINUTES_S", lambda _: 3600, ("callback-5",)),
    "a day of thirty hours": (figures, "DAY_MS", lambda _: 30 * 3_600_000, ("grievance-24", "breaches")),
    "a desk that nobody listens to": (
        asking, "_standing", lambda _: lambda case, desk: case, ("resolution", "breaches")),
    "calls of callers without a number repeated": (
        definitions.METRICS, "repeat", lambda real: real._replace(needs=("calls", "callers"), make=(
            lambda c, _: figures.part_of(c["calls"], c["callers"], ""))), ("repeat",)),
    "hidden alone": (
        definitions.METRICS, "withheld", lambda real: real._replace(
            needs=("withheld", "calls"), make=figures.ratio("withheld", "calls", "nobody")), ("withheld",)),
    "first votes for last": (polls, "POLICIES", lambda _: dict.fromkeys(("first", "last"), "last"), ("referendum",)),
    "losses that do not count": (
        polls, "_SQL", lambda sql_: sql_.replace("coalesce(l.each_lost, 0)", "0"), ("referendum",)),
    "everybody biased": (polls, "MOST_LOSS", lambda _: -1.0, ("referendum",)),
    "seconds billed as minutes": (
        definitions.METRICS, "cost", lambda real: real._replace(make=lambda c, a: real.make(
            {**c, "placed_s": 60 * c["placed_s"]}, a)), ("cost",)),
    "opt-outs counted twice": (
        asking, "ALL", asking_of("opted_out", replaced("count(DISTINCT t.caller)", "count(t.caller)")), ("opt-outs",)),
    "tags that are not looked at": (sources, "_tagged", lambda _: lambda asked, values: "", ("voices",)),
    "nodes of all days": (asking, "ALL", asking_of("nodes", without(first=-9999)), ("drop-off",)),
}  # fmt: skip


LOADS: dict[str, tuple[object, str, Any, tuple[str, ...]]] = {  # broken while rows are taken
    "hold times of a second": (erlang, "HOLD_S", lambda _: 1, ("load", "loss", "capture")),
    "alerts that do not count": (
        erlang, "unseen", lambda real: lambda calls, lost, recovered: real(calls, lost, 0), ("capture",)),
    "one line for every group": (erlang, "loss", lambda real: lambda lines, carried: real(1, carried), ("loss",)),
    "a lapse of an hour": (signs, "LAPSE_S", lambda _: 3600, ("availability",)),
    "a lapse that is a second too short": (signs, "LAPSE_S", lambda _: 599, ("availability",)),
    "clocks that nobody trusts": (facts, "TRUSTED", lambda _: 0, ("availability",)),
    "boots that do not matter": (signs, "hear", lambda real: lambda heard, sign: real(
        heard and heard._replace(boot=sign[3]), sign), ("availability",)),
}  # fmt: skip


def told_of(busy: Any, names: Sequence[str]) -> None:
    """These metrics of every slice of ASKED are what the oracle said, or are refused."""
    (events, desk), facts, told = busy
    for place, asked in enumerate(ASKED):
        figures_ = compute(events, asked, names, Given(facts.now_ms, desk, TARIFF))
        for name in names:
            if not refused(figures_[name]):
                same(figures_[name], told[place, name])


def test_the_controls_pass_when_nothing_is_broken(busy: Any) -> None:
    told_of(busy, list(expected.EXPECTED))


@pytest.mark.parametrize("broken", MUTANTS)
def test_a_broken_metric_is_caught(busy: Any, broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, name, change, names = MUTANTS[broken]
    if isinstance(where, dict):
        monkeypatch.setitem(where, name, change(where[name]))
    else:
        monkeypatch.setattr(where, name, change(getattr(where, name)))
    with pytest.raises(AssertionError):
        told_of(busy, names)


@pytest.mark.parametrize("broken", LOADS)
def test_a_broken_load_is_caught(busy: Any, broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (events, _), told, _ = busy
    where, name, change, names = LOADS[broken]
    with pytest.raises(AssertionError), events.transaction():  # rolled back
        monkeypatch.setattr(where, name, change(getattr(where, name)))
        rollups.rebuild(events, told.issues)
        told_of(busy, names)
