"""Conversion: who of the callers registered, attended or pledged within a week of being asked.

Rules of this room
- Asked are the callers of a slice. A caller's first ask of a campaign is her first day there within the window, in the
  zone of the line that she rang; she is converted when an outcome of that campaign lies at most DAYS local days behind.
- An outcome is a row of the desk's table `outcome` (campaign, goal, caller, at_ms). Only callers who have one are
  looked up, by their number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import tzinfo
from functools import lru_cache

from sync.hq import facts, sets, visits
from sync.hq.metrics.slices import AREAS, Cannot, Ground, Query, Slice, area_of, not_told
from sync.hq.metrics.sources import Groups
from sync.hq.sql import Db

GOALS = ("registered", "attended", "pledged")
DAYS = 7

_MARKS = (
    "SELECT caller.caller, caller.marks FROM ({given}) AS wanted CROSS JOIN caller WHERE caller.caller = wanted.caller"
)

Outcomes = dict[str, list[tuple[str, str, int]]]  # caller -> campaign, goal, at_ms
_zone = lru_cache(64)(facts.zone)


def outcomes(asked: Slice, ground: Ground) -> Query:
    """What the desk store holds of the slice's campaigns."""
    names = [asked.campaign] if asked.campaign else ground.campaigns(asked.issue) if asked.issue else None
    sql = "SELECT campaign, goal, caller, at_ms FROM outcome"
    if names is None:
        return Query(sql, {})
    listed = ", ".join(f":c{place}" for place in range(len(names)))
    where = f" WHERE campaign IN ({listed})" if names else " WHERE 1 = 0"
    return Query(sql + where, {f"c{place}": name for place, name in enumerate(names)})


def converted(events: Db, desk: Db | None, ground: Ground, asked: Slice, by: str) -> Groups:
    """How many callers of each group reached each goal in time."""
    asked.only("outcomes")
    if by not in ("", "campaign", "issue", "day", *AREAS):
        raise not_told("outcomes", by)
    if desk is None:
        raise Cannot("outcomes lie in the desk's store, which is not open here")
    query = outcomes(asked, ground)
    mine: Outcomes = {}
    for row in desk.rows(query.sql, query.values):
        mine.setdefault(row["caller"], []).append((row["campaign"], row["goal"], row["at_ms"]))
    campaigns = {row["id"]: row["campaign"] for row in events.rows("SELECT id, campaign FROM campaign")}
    inside = ground.stores(asked)
    groups: Groups = {}
    for row in sets.fetch(events, _MARKS, {"caller": "TEXT"}, ((caller,) for caller in mine)):
        first = _firsts(visits.unpack(row["marks"]), campaigns, ground, asked, inside, by)
        for group, goals in _reached(first, mine[row["caller"]], ground).items():
            one = groups.setdefault(group, dict.fromkeys(GOALS, 0))
            for goal in goals:
                one[goal] += 1
    return groups


def _firsts(
    marks: visits.Visits, campaigns: Mapping[int, str], ground: Ground, asked: Slice, inside: Iterable[int], by: str
) -> dict[tuple[str, str], tuple[int, int]]:
    """(group, campaign) -> the day and the ledger of one caller's first visit within the slice."""
    calls: dict[int, int] = {}
    for (day, _, _), n in marks.items():
        calls[day] = calls.get(day, 0) + n
    firsts: dict[tuple[str, str], tuple[int, int]] = {}
    for day, store, number in sorted(marks):
        if not asked.first <= day <= asked.last or store not in inside or (asked.clean and calls[day] > visits.MOST):
            continue
        campaign = campaigns[number]
        issue = ground.issues[campaign][0] if campaign in ground.issues else ""
        if (asked.campaign and campaign != asked.campaign) or (asked.issue and issue != asked.issue):
            continue
        if by == "issue" and not issue:
            continue
        place = ground.places[store]
        group = {"": "", "campaign": campaign, "issue": issue, "day": str(day)}
        firsts.setdefault((group[by] if by in group else area_of(place, by), campaign), (day, store))
    return firsts


def _reached(
    firsts: Mapping[tuple[str, str], tuple[int, int]], done: Iterable[tuple[str, str, int]], ground: Ground
) -> dict[str, set[str]]:
    """The goals that one caller reached in time, by group."""
    reached: dict[str, set[str]] = {}
    for campaign, goal, at_ms in done:
        for (group, asked_for), (day, store) in firsts.items():
            where: tzinfo = _zone(ground.places[store]["timezone"])
            if asked_for == campaign and 0 <= facts.local(at_ms // facts.QUARTER_MS, where)[0] - day <= DAYS:
                reached.setdefault(group, set()).add(goal)
    return reached
