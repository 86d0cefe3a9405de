"""Figures for pages: of a slice, broken down, compared; each with the queries that give it again.

Rules of this room
- Each source is asked once, for all figures that need it, within one picture of the store (the caller's transaction).
- A figure that cannot be told of this slice or group is None and says why; the others are told.
- What a window of silence hides is decided here, so that nobody who asks for figures can forget it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from sync.hq import silence
from sync.hq.metrics import conversion, hush, load, polls, service
from sync.hq.metrics.definitions import METRICS
from sync.hq.metrics.figures import About, Figure
from sync.hq.metrics.hush import Hush
from sync.hq.metrics.slices import Cannot, Ground, Query, Slice, ground
from sync.hq.metrics.sources import SOURCES, Groups, Source, rename, within
from sync.hq.silence import Window
from sync.hq.sql import Db, Row
from sync.hq.tariff import Tariff

ALL: tuple[Source, ...] = (*SOURCES, load.SOURCE, load.BUSIEST, polls.SOURCE, service.SOURCE)
_OWNER = {counter: source for source in ALL for counter in source.counters}
# Cases that somebody at the desk has moved; their at_ms is when they were opened.
_AT_THE_DESK = (
    "SELECT store_id, seq, state, contacted_ms FROM desk_thing"
    " WHERE kind = 'case' AND version > 0 AND at_ms BETWEEN :first AND :last"
)
_UNFLAGGED = ("calls", "numbered", "callers", "newly", *conversion.GOALS)
_FLAGGED = "flagged calls and callers cannot be taken out of this"


@dataclass(frozen=True, slots=True)
class Given:
    """What asking needs besides the events store: the time, and where there are any the desk's store (outcomes, wards,
    what became of cases), the tariff, and the windows of silence before a poll. `ground` spares whoever asks several
    times that it is read each time."""

    now_ms: int
    desk: Db | None = None
    tariff: Tariff | None = None
    silence: tuple[Window, ...] = ()
    ground: Ground | None = None


class Change(NamedTuple):
    """Two figures of the same metric; `by` is how much the second is above the first, `times` how many times it is."""

    one: Figure
    other: Figure
    by: float | None
    times: float | None


def compute(events: Db, asked: Slice, names: Iterable[str], given: Given) -> dict[str, Figure]:
    """These metrics of a slice."""
    wanted = tuple(names)
    told = _Told(events, asked, "", given, wanted)
    return dict(Figures(told, "", wanted))


def breakdown(
    events: Db, asked: Slice, by: str, names: Iterable[str], given: Given
) -> dict[str, Mapping[str, Figure]]:
    """These metrics of each group of a slice, in the order of the groups' names. A group in which nothing was counted
    does not come."""
    wanted = tuple(names)
    told = _Told(events, asked, by, given, wanted)
    keys = sorted(told.groups, key=lambda key: (int(key), "") if by in ("day", "hour") else (0, key))
    return {key: Figures(told, key, wanted) for key in keys}


def compare(events: Db, one: Slice, other: Slice, names: Iterable[str], given: Given) -> dict[str, Change]:
    """These metrics of two slices, such as two weeks."""
    wanted = tuple(names)
    first, second = (compute(events, asked, wanted, given) for asked in (one, other))
    return {name: _change(first[name], second[name]) for name in wanted}


def _change(one: Figure, other: Figure) -> Change:
    if one.value is None or other.value is None:
        return Change(one, other, None, None)
    return Change(one, other, other.value - one.value, other.value / one.value if one.value else None)


def queries(events: Db, asked: Slice, name: str, given: Given) -> list[Query]:
    """The queries of one metric of a slice, to be shown beside it: each with its parameters, as they are asked."""
    told = _Told(events, asked, "", given, ())
    return list(told.queries(METRICS[name].needs))


def wards(desk: Db | None) -> dict[str, str] | None:
    """The ward of each line; None while nobody has told any."""
    rows = desk.rows("SELECT box, line, ward FROM line_ward WHERE ward <> ''") if desk is not None else []
    return {f"{row['box']}/{row['line']}": row["ward"] for row in rows} or None


class _Told:
    """The counters of one question, group by group, and why some cannot be told."""

    def __init__(self, events: Db, asked: Slice, by: str, given: Given, names: Iterable[str]) -> None:
        self._events, self._asked, self._by, self._given = events, asked, by, given
        self._ground = given.ground or ground(events, wards(given.desk))
        self._about = About(given.now_ms, dict(self._ground.issues.values()), given.tariff, asked.days)
        self.groups: Groups = {}
        self.refused: dict[str, str] = {}
        self._hush = Hush(given.silence, given.now_ms, self._options())
        needs = dict.fromkeys(counter for name in names for counter in METRICS[name].needs)
        for source in ALL:
            if wanted := self._wanted(source, needs):
                self._ask(source, wanted)
        if goals := [counter for counter in needs if counter in conversion.GOALS]:
            self._convert(goals)

    def _options(self) -> set[str]:
        """The campaigns with calls that are options, while a window is open."""
        if not any(silence.is_open(window, self._given.now_ms) for window in self._given.silence):
            return set()
        return {row["campaign"] for row in self._events.rows(hush.OPTIONS)}

    def _wanted(self, source: Source, needs: Iterable[str]) -> tuple[str, ...]:
        """The counters that this source is asked for; what flagged calls cannot be taken out of is refused."""
        if not source.when(self._asked, self._by):
            return ()
        wanted = [counter for counter in needs if counter in source.counters]
        if self._asked.clean:
            self.refused |= {counter: _FLAGGED for counter in wanted if counter not in _UNFLAGGED}
            wanted = [counter for counter in wanted if counter in _UNFLAGGED]
        return tuple(wanted)

    def _ask(self, source: Source, wanted: tuple[str, ...]) -> None:
        try:
            query = source.ask(self._ground, self._asked, self._by, wanted)
            name = (within if source.own and self._by != "ward" else rename)(self._ground, self._asked, self._by)
            rows = self._events.rows(query.sql, query.values)
            if "listed" in wanted:
                rows = _as_the_desk_says(self._given.desk, rows)
            found = source.read(rows, name)
        except Cannot as why:
            self.refused |= dict.fromkeys(wanted, why.reason)
            return
        self._add(found)

    def _convert(self, goals: Iterable[str]) -> None:
        try:
            self._add(conversion.converted(self._events, self._given.desk, self._ground, self._asked, self._by))
        except Cannot as why:
            self.refused |= dict.fromkeys(goals, why.reason)

    def _add(self, found: Groups) -> None:
        for key, counters in found.items():
            self.groups.setdefault(key, {}).update(counters)

    def queries(self, needs: Iterable[str]) -> Iterable[Query]:
        """The queries that these counters come from, but for those that cannot be told."""
        needs = tuple(needs)
        for source in ALL:
            if wanted := self._wanted(source, needs):
                with suppress(Cannot):
                    yield source.ask(self._ground, self._asked, self._by, wanted)
        if set(needs) & set(conversion.GOALS):
            yield conversion.outcomes(self._asked, self._ground)

    def figure(self, key: str, name: str) -> Figure:
        """One metric of one group."""
        metric, counters = METRICS[name], self.groups.get(key, {})
        hidden, whole = self._hush.of(self._ground, self._asked, self._by, key)
        if hidden and (whole or name in hush.VOTES):
            return Figure(why=hidden)
        if why := next((self.refused[counter] for counter in metric.needs if counter in self.refused), ""):
            return Figure(why=why)
        known = {
            counter: counters[counter] if counter in counters else _empty(counter) for counter in metric.needs
        }
        return metric.make(known, self._about)


class Figures(Mapping[str, Figure]):
    """The metrics of one group, each worked out when it is first looked at."""

    def __init__(self, told: _Told, key: str, names: tuple[str, ...]) -> None:
        self._told, self._key, self._names = told, key, names
        self._made: dict[str, Figure] = {}

    def __getitem__(self, name: str) -> Figure:
        if name not in self._made:
            if name not in self._names:
                raise KeyError(name)
            self._made[name] = self._told.figure(self._key, name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _as_the_desk_says(desk: Db | None, cases: list[Row]) -> list[Row]:
    """Cases as somebody at the desk has left them, where somebody has."""
    if desk is None or not cases:
        return cases
    opened = [case["opened_ms"] for case in cases]
    moved = desk.rows(_AT_THE_DESK, first=min(opened), last=max(opened))
    theirs = {(row["store_id"], row["seq"]): row for row in moved}
    return [
        _standing(case, theirs[key]) if (key := (case["store_id"], case["seq"])) in theirs else case for case in cases
    ]


def _standing(case: dict[str, Any], desk: Mapping[str, Any]) -> dict[str, Any]:
    times = [at for at in (case["contacted_ms"], desk["contacted_ms"]) if at is not None]
    return {**case, "state": desk["state"], "contacted_ms": min(times, default=None)}


def _empty(counter: str) -> Any:
    return 0 if counter in conversion.GOALS else _OWNER[counter].empty()
