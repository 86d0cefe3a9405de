"""What people rang about in one week, district by district: the figures of a speech brief, from the metrics room.

Rules of this room
- A topic is an issue, or a campaign that is part of none. Topics are ranked by unique callers; a caller of two topics
  counts in both, and a district without a caller of a topic does not list it.
- Before is the same days a week earlier, so that a week that is running is compared with as many days.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from sync.hq.metrics import Figure, Given, Slice, breakdown, compute
from sync.hq.sql import Db

_CAMPAIGNS = "SELECT DISTINCT campaign FROM tally WHERE day >= :first AND day <= :last AND calls > 0"
VOICED = ("voices", "breaches")  # what a tag is told by
WORTH = ("calls", "callers", "new", "engagement", "grievance-24", "breaches", "resolution")


class Standing(NamedTuple):
    """How many unique callers a topic had in a district in the week and the week before."""

    district: str
    topic: str
    callers: int
    new: int
    before: int


class Brief(NamedTuple):
    """Standings, strongest first within their district; and of the whole or the one district its figures, tags (name,
    voices, cases that wait) and votes."""

    standings: list[Standing]
    figures: dict[str, Figure]
    tags: list[tuple[str, int, int]]
    votes: Figure


def topics(events: Db, given: Given, week: Slice) -> dict[str, Slice]:
    """The topics that anybody rang about in the week, each as its slice."""
    found: dict[str, Slice] = {}
    for row in events.rows(_CAMPAIGNS, week.window):
        campaign = row["campaign"]
        if campaign in given.issues:
            issue = given.issues[campaign][0]
            found[issue] = replace(week, issue=issue)
        else:
            found[campaign] = replace(week, campaign=campaign)
    return dict(sorted(found.items()))


def brief(events: Db, given: Given, week: Slice) -> Brief:
    """The brief of a week's slice, which may name a district."""
    before = replace(week, first=week.first - 7, last=week.last - 7)
    standings: list[Standing] = []
    for topic, asked in topics(events, given, replace(week, district="")).items():
        now = breakdown(events, asked, "district", ("callers", "new"), given)
        past = replace(asked, first=before.first, last=before.last)
        earlier = breakdown(events, past, "district", ("callers",), given)
        for district, told in now.items():
            callers = _count(told["callers"])
            was = _count(earlier[district]["callers"]) if district in earlier else 0
            if callers and week.district in ("", district):
                standings.append(Standing(district, topic, callers, _count(told["new"]), was))
    standings.sort(key=lambda one: (one.district, -one.callers, one.topic))
    tags = breakdown(events, week, "tag", VOICED, given)
    loud = [(tag, _count(told["voices"]), _count(told["breaches"])) for tag, told in tags.items() if tag]
    return Brief(
        standings,
        compute(events, week, WORTH, given),
        sorted((one for one in loud if one[1] + one[2]), key=lambda one: (-one[1] - one[2], one[0])),
        compute(events, week, ("referendum",), given)["referendum"],
    )


def _count(told: Figure) -> int:
    return int(told.value or 0)
