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

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

NEVER = -1_000_000  # the day before anybody's first
MOST = 10  # calls a number and local day; more are flagged
LONG = 512  # marks longer than this are packed anew when it pays

Visit = tuple[int, int, int]  # day, store, campaign's number
Visits = dict[Visit, int]
PairKey = tuple[str, str, str, int, int]  # scope, topic, area, day, prev

AREAS = ("district", "box", "line", "channel")
TOPICS = ("all", "campaign", "issue")


class Where(NamedTuple):
    """The place of a ledger, as scopes name it. A line is named <box>/<line>."""

    district: str
    box: str
    line: str
    channel: str


class Told(NamedTuple):
    """What one caller adds: to `fresh` (store, campaign, day) and `pair`, with flagged days and without; and to
    `flagged` (store, campaign, day), her calls."""

    fresh: Visit | None
    pairs: Counter[PairKey]
    clean_fresh: Visit | None
    clean_pairs: Counter[PairKey]
    flagged: dict[Visit, int]


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
    """Which scopes hold a visit. `issues` names the issue of a campaign that is part of one."""

    def __init__(
        self, places: Mapping[int, Where], campaigns: Mapping[int, str], issues: Mapping[str, tuple[str, str, str]]
    ) -> None:
        self._places, self._campaigns, self._issues = places, campaigns, issues
        self._known: dict[tuple[int, int], tuple[tuple[str, str, str], ...]] = {}

    def of(self, store: int, campaign: int) -> tuple[tuple[str, str, str], ...]:
        """(scope, topic, area) of each."""
        found = self._known.get((store, campaign))
        if found is None:
            name = self._campaigns[campaign]
            topics = [("all", ""), ("campaign", name)]
            if name in self._issues:
                topics.append(("issue", self._issues[name][0]))
            areas = zip(AREAS, self._places[store], strict=True)
            named = [("", ""), *((f"+{area}", value) for area, value in areas if value)]
            found = tuple((topic + area, which, value) for topic, which in topics for area, value in named)
            self._known[store, campaign] = found
        return found

    def told(self, visits: Mapping[Visit, int]) -> Told:
        """All that a caller with these visits adds."""
        fresh, pairs = self._contributions(visits)
        calls: dict[int, int] = {}
        for (day, _, _), n in visits.items():
            calls[day] = calls.get(day, 0) + n
        busy = {day for day, n in calls.items() if n > MOST}
        if not busy:
            return Told(fresh, pairs, fresh, pairs, {})
        clean = self._contributions([visit for visit in visits if visit[0] not in busy])
        return Told(fresh, pairs, *clean, {visit: n for visit, n in visits.items() if visit[0] in busy})

    def _contributions(self, visits: Iterable[Visit]) -> tuple[Visit | None, Counter[PairKey]]:
        ordered = sorted(visits)
        pairs: Counter[PairKey] = Counter()
        if not ordered:
            return None, pairs
        last = dict.fromkeys(self.of(*ordered[0][1:]), ordered[0][0])
        for day, store, campaign in ordered[1:]:
            for scope in self.of(store, campaign):
                prev = last.get(scope, NEVER)
                if prev != day:
                    pairs[*scope, day, prev] += 1
                    last[scope] = day
        return ordered[0], pairs


class Moves:
    """Sums of what callers add, and take away, in one transaction."""

    def __init__(self, scopes: Scopes) -> None:
        self._scopes = scopes
        self.fresh: dict[Visit, list[int]] = {}
        self.pairs: dict[PairKey, list[int]] = {}
        self.flagged: dict[Visit, list[int]] = {}

    def caller(self, before: str, added: str, after: str) -> str | None:
        """One caller's marks were `before`, and `added` was appended. Returns her marks packed anew when that pays."""
        if not before and added.count("\n") == 1:
            day, store, campaign, calls = added.split(" ")
            if int(calls) <= MOST:
                _bump(self.fresh, (int(day), int(store), int(campaign)), 1, 0)
                return None
        was, now = unpack(before), unpack(after)
        if before:
            self._count(self._scopes.told(was), -1)
        self._count(self._scopes.told(now), 1)
        if len(after) > LONG and 2 * len(packed := pack(now)) < len(after):
            return packed
        return None

    def _count(self, told: Told, sign: int) -> None:
        if told.fresh is not None:
            _bump(self.fresh, told.fresh, sign, 0)
        for key, n in told.pairs.items():
            _bump(self.pairs, key, sign * n, 0)
        for visit, n in told.flagged.items():
            _bump(self.flagged, visit, sign, sign * n)
        if not told.flagged:
            return
        if told.fresh is not None:
            _bump(self.fresh, told.fresh, 0, -sign)
        if told.clean_fresh is not None:
            _bump(self.fresh, told.clean_fresh, 0, sign)
        for key, n in told.pairs.items():
            _bump(self.pairs, key, 0, -sign * n)
        for key, n in told.clean_pairs.items():
            _bump(self.pairs, key, 0, sign * n)


def _bump(sums: dict[Any, list[int]], key: object, n: int, m: int) -> None:
    pair = sums.get(key)
    if pair is None:
        sums[key] = [n, m]
    else:
        pair[0] += n
        pair[1] += m
