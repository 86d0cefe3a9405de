"""Distinct and new callers, exactly, for any window of local days, without looking at a caller or an event.

Within a scope a caller has sorted days on which she rang. Each is one contribution (day, day before or NEVER). She is
among the unique callers of a window [a, b] by exactly one of them: the one with a <= day <= b and prev < a. She is new
there when that one's prev is NEVER. So both are sums over contributions, and a late day only moves some of them.

Rules of this room
- Scopes: everything, a campaign, an issue (campaigns that share one); each of them everywhere, or within a district,
  a box, a line or a channel. What place a ledger has is frozen in `place`.
- Most callers ring once. Her first visit of all, the least (day, store, campaign), is new in every scope that holds it:
  it is kept once, in `fresh`, and summed through `place`. All other contributions lie in `pair`, scope by scope.
- `clean` is what must be added when flagged callers are left out (rule 56): the contributions without the days on which
  she rang more than `MOST` times, less those with them.
- `marks` of a caller are lines "day store campaign calls", appended as they come, in any order; equal ones add up.
- A caller without a number is never here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

NEVER = -1_000_000  # the day before anybody's first
MOST = 10  # calls a number and local day; more are flagged
LONG = 512  # marks longer than this are packed anew when it pays

Visit = tuple[int, int, int]  # day, store, campaign's number
Visits = dict[Visit, int]
Pair = tuple[int, int, int]  # scope, day, prev

AREAS = ("district", "box", "line", "channel")
TOPICS = ("all", "campaign", "issue")


class Where(NamedTuple):
    """The place of a ledger, as scopes name it. A line is named <box>/<line>."""

    district: str
    box: str
    line: str
    channel: str


def pack(visits: Mapping[Visit, int]) -> str:
    return "".join(f"{day} {store} {campaign} {calls}\n" for (day, store, campaign), calls in sorted(visits.items()))


def unpack(marks: str) -> Visits:
    visits: Visits = {}
    for line in marks.splitlines():
        day, store, campaign, calls = line.split(" ")
        visit = (int(day), int(store), int(campaign))
        visits[visit] = visits.get(visit, 0) + int(calls)
    return visits


class Scopes:
    """Which scopes hold a visit, as small numbers; `names` are (scope, topic, area). `issues` names the issue of a
    campaign that is part of one."""

    def __init__(
        self, places: Mapping[int, Where], campaigns: Mapping[int, str], issues: Mapping[str, tuple[str, str, str]]
    ) -> None:
        self._places, self._campaigns, self._issues = places, campaigns, issues
        self._known: dict[tuple[int, int], tuple[int, ...]] = {}
        self._numbers: dict[tuple[str, str, str], int] = {}
        self.names: list[tuple[str, str, str]] = []

    def of(self, store: int, campaign: int) -> tuple[int, ...]:
        """The scopes that hold a call to this ledger for this campaign."""
        found = self._known.get((store, campaign))
        if found is None:
            name = self._campaigns[campaign]
            topics = [("all", ""), ("campaign", name)]
            if name in self._issues:
                topics.append(("issue", self._issues[name][0]))
            areas = zip(AREAS, self._places[store], strict=True)
            named = [("", ""), *((f"+{area}", value) for area, value in areas if value)]
            scopes = ((topic + area, which, value) for topic, which in topics for area, value in named)
            found = self._known[store, campaign] = tuple(map(self._number, scopes))
        return found

    def _number(self, name: tuple[str, str, str]) -> int:
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self.names)
            self.names.append(name)
        return number


class Moves:
    """Sums of what callers add, and take away, in one transaction: (all, clean) of each."""

    def __init__(self, scopes: Scopes) -> None:
        self._scopes = scopes
        self.fresh: dict[Visit, list[int]] = {}
        self.flagged: dict[Visit, list[int]] = {}  # callers, calls
        self._pairs: dict[Pair, list[int]] = {}

    def pair_rows(self) -> list[Sequence[object]]:
        """Rows of `pair`."""
        names = self._scopes.names
        return [(*names[scope], day, prev, *n) for (scope, day, prev), n in self._pairs.items() if n[0] or n[1]]

    def first_visits(self, visit: Visit, calls: Mapping[str, int], known: Mapping[str, object]) -> None:
        """These rang so often on this visit. Those who are not `known` never rang before, and nowhere else now."""
        new = calls.keys() - known.keys()
        often = [caller for caller in new if calls[caller] > MOST]
        if len(new) > len(often):
            _bump(self.fresh, visit, len(new) - len(often), 0)
        for caller in often:
            self._count({visit: calls[caller]}, 1)

    def caller(self, added: str, after: str) -> str | None:
        """One caller's marks are `after`, with `added` at their end. Returns them packed anew when that pays."""
        was, more = unpack(after[: -len(added)]), unpack(added)
        if not was or not self._go_on(was, more):
            now = unpack(after)
            self._count(was, -1)
            self._count(now, 1)
        if len(after) > LONG and 2 * len(packed := pack(unpack(after))) < len(after):
            return packed
        return None

    def _go_on(self, was: Visits, more: Visits) -> bool:
        """The usual case, without looking at each day before: all that is new is on her last day or later, and on no
        day does she ring too often. False when it is not so, and nothing is counted."""
        begin, newest = min(was), max(was)[0]
        if min(more)[0] < newest or min(more) < begin or busy_days(was, more):
            return False
        new = [visit for visit in sorted(more) if visit not in was]
        if not new:
            return True
        last: dict[int, int] = {}
        for day, store, campaign in sorted(was):
            last.update(dict.fromkeys(self._scopes.of(store, campaign), day))
        self._walk(new, last, 1, 0)
        return True

    def _count(self, visits: Visits, sign: int) -> None:
        """All that a caller with these visits adds, or takes away."""
        self._contribute(visits, sign, 0)
        busy = busy_days(visits)
        if not busy:
            return
        self._contribute(visits, 0, -sign)
        self._contribute([visit for visit in visits if visit[0] not in busy], 0, sign)
        for visit, calls in visits.items():
            if visit[0] in busy:
                _bump(self.flagged, visit, sign, sign * calls)

    def _contribute(self, visits: Iterable[Visit], n: int, clean: int) -> None:
        ordered = sorted(visits)
        if not ordered:
            return
        _bump(self.fresh, ordered[0], n, clean)
        self._walk(ordered[1:], dict.fromkeys(self._scopes.of(*ordered[0][1:]), ordered[0][0]), n, clean)

    def _walk(self, visits: Iterable[Visit], last: dict[int, int], n: int, clean: int) -> None:
        """Visits in the order of time, behind the `last` day of each scope."""
        pairs, of = self._pairs, self._scopes.of
        for day, store, campaign in visits:
            for scope in of(store, campaign):
                prev = last.get(scope, NEVER)
                if prev == day:
                    continue
                last[scope] = day
                key = (scope, day, prev)
                if key in pairs:
                    sums = pairs[key]
                    sums[0] += n
                    sums[1] += clean
                else:
                    pairs[key] = [n, clean]


def busy_days(*visits: Visits) -> set[int]:
    """The days on which she rang too often."""
    calls: dict[int, int] = {}
    for some in visits:
        for (day, _, _), n in some.items():
            calls[day] = calls.get(day, 0) + n
    return {day for day, n in calls.items() if n > MOST}


def _bump(sums: dict[Any, list[int]], key: object, n: int, m: int) -> None:
    pair = sums.get(key)
    if pair is None:
        sums[key] = [n, m]
    else:
        pair[0] += n
        pair[1] += m
