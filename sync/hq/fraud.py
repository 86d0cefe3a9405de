"""Calls of one day that look made up: runs of consecutive numbers, and ten minutes that one block of numbers fills.

A job over one local day, which reads that day's events; callers who ring more than ten times a day are flagged in the
roll-ups already. A flag deletes nothing: people look at it, and figures are shown with and without.

Rules of this room
- A run is RUN or more callers of one campaign and day whose numbers follow each other without a gap.
- A block is 10,000 numbers that differ in their last four digits. It is flagged where in ten minutes of a campaign with
  CROWD calls or more it rang more than SHARE of them.
- Numbers stand in a flag's `callers`, which is never shown by itself nor formatted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from sync.hq import facts
from sync.hq.sql import Db

RUN, CROWD, SHARE, BLOCK = 5, 20, 0.30, 10_000
BUCKET_MS = 600_000
_DAY_MS = 86_400_000

_CALLS = """
SELECT e.campaign, e.at_ms, e.caller, p.timezone FROM event AS e JOIN place AS p ON p.store_id = e.store_id
WHERE e.at_ms >= :since AND e.at_ms < :until AND e.kind = 'call' AND e."of" = 0 AND e.caller <> ''
    AND e.caller_kind IN ('national', 'international') AND e.state NOT IN ('called-back', 'unreached', 'selftest')
"""


class Call(NamedTuple):
    campaign: str
    at_ms: int
    number: int


@dataclass(frozen=True, slots=True)
class Flag:
    """`calls` of `callers` in a campaign from `first_ms` on that look made up."""

    kind: Literal["run", "block"]
    campaign: str
    first_ms: int
    calls: int
    callers: frozenset[int] = field(repr=False)


def flags(events: Db, day: int) -> list[Flag]:
    """What looks made up among the calls of one local day, in the order of campaigns and time."""
    span = {"since": (day - 1) * _DAY_MS, "until": (day + 2) * _DAY_MS}  # no zone is a day away
    found = [
        Call(row["campaign"], row["at_ms"], int(row["caller"].lstrip("+")))
        for row in events.rows(_CALLS, span)
        if row["caller"].startswith("+")
        and facts.local(row["at_ms"] // facts.QUARTER_MS, facts.zone(row["timezone"]))[0] == day
    ]
    return sorted([*runs(found), *blocks(found)], key=lambda flag: (flag.campaign, flag.first_ms, flag.kind))


def runs(calls: Iterable[Call]) -> list[Flag]:
    """Numbers that follow each other, campaign by campaign."""
    campaigns: dict[str, dict[int, list[int]]] = {}
    for call in calls:
        campaigns.setdefault(call.campaign, {}).setdefault(call.number, []).append(call.at_ms)
    made = []
    for campaign, numbers in campaigns.items():
        for first in sorted(number for number in numbers if number - 1 not in numbers):
            last = first
            while last + 1 in numbers:
                last += 1
            if last - first + 1 >= RUN:
                times = [at for number in range(first, last + 1) for at in numbers[number]]
                made.append(Flag("run", campaign, min(times), len(times), frozenset(range(first, last + 1))))
    return made


def blocks(calls: Iterable[Call]) -> list[Flag]:
    """Ten minutes of a campaign in which one block of numbers is too many."""
    buckets: dict[tuple[str, int], dict[int, list[Call]]] = {}
    for call in calls:
        mine = buckets.setdefault((call.campaign, call.at_ms // BUCKET_MS), {})
        mine.setdefault(call.number // BLOCK, []).append(call)
    made = []
    for (campaign, _), found in buckets.items():
        total = sum(map(len, found.values()))
        for few in found.values():
            if total >= CROWD and len(few) > SHARE * total:
                first_ms = min(call.at_ms for call in few)
                made.append(Flag("block", campaign, first_ms, len(few), frozenset(call.number for call in few)))
    return made
