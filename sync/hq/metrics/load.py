"""What was offered to lines, and what was lost: the days of hunt groups as `loads` has worked them out, added up.

Rules of this room
- A group's load cannot be divided: a slice must hold whole boxes.
- Hours of the day are in the sums of all places. Those of some places, and the busiest one of each, are worked out anew
  from what lines counted.
"""

from __future__ import annotations

from collections.abc import Iterable

from sync.hq import loads
from sync.hq.metrics import formulae
from sync.hq.metrics.slices import Cannot, Ground, Query, Slice
from sync.hq.metrics.sources import Counters, Groups, Rename, Source, everywhere
from sync.hq.sql import Row

_KEYS = {
    "": "CAST('' AS TEXT)", "campaign": "t.campaign", "issue": "t.campaign", "district": "t.district", "box": "t.box",
    "day": "CAST(t.day AS TEXT)", "hour": "CAST(t.hour AS TEXT)",
}  # fmt: skip
_GROUP = "(t.district || '/' || t.box || '/' || t.campaign)"
_SUMS = ("own", "told", "blocked", "unseen")
_BUSIEST = "offered_load"
_HOURS = """
WITH cell AS (
    SELECT p.district, p.box, p.line, t.campaign, t.day, t.hour, sum(t.calls) AS calls, sum(t.recovered) AS recovered,
        sum(t.placed) AS placed, sum(t.talk_s) AS talk_s
    FROM tally AS t JOIN place AS p ON p.store_id = t.store_id WHERE {where} GROUP BY 1, 2, 3, 4, 5, 6
), worked AS (
    SELECT DISTINCT district, box, campaign, day FROM cell
), member AS (
    SELECT district, box, campaign, day, line FROM cell WHERE calls + placed > 0
    UNION SELECT w.district, w.box, w.campaign, w.day, p.line FROM worked AS w JOIN place AS p
        ON p.district = w.district AND p.box = w.box AND p.campaign = w.campaign AND p.began <= w.day
), hunt AS (
    SELECT district, box, campaign, day, count(*) AS lines FROM member GROUP BY 1, 2, 3, 4
), span AS (
    SELECT district, box, campaign, day, hour, sum(calls) AS calls, sum(recovered) AS recovered,
        sum(placed) AS placed, sum(talk_s) AS talk_s FROM cell GROUP BY 1, 2, 3, 4, 5
)
SELECT CAST(s.hour AS TEXT) AS key, h.lines, s.calls, s.recovered, s.placed, s.talk_s, count(*) AS hours
FROM span AS s JOIN hunt AS h
    ON h.district = s.district AND h.box = s.box AND h.campaign = s.campaign AND h.day = s.day
GROUP BY 1, 2, 3, 4, 5, 6
"""


def _key(ground: Ground, asked: Slice, by: str) -> str:
    asked.only("loads of lines")
    if by not in _KEYS:
        raise Cannot(f"loads of lines are not told by {by}")
    ground.whole_boxes(asked, "the lines of a box share its load: choose whole boxes")
    return _KEYS[by]


def _ask(ground: Ground, asked: Slice, by: str, counters: tuple[str, ...]) -> Query:
    key = _key(ground, asked, by)
    busiest, all_places = _BUSIEST in counters, everywhere(asked, by)
    if by == "hour" and (busiest or not all_places):
        where = ground.where(asked)
        return Query(_HOURS.format(where=where.sql).strip(), where.values)
    where = ground.where_boxes(asked)
    sums = ", ".join(f"sum(t.{name}) AS {name}" for name in _SUMS)
    most = ", max(t.busiest) AS busiest" if busiest else ""
    table = "load" if busiest or not all_places else "all_load"
    return Query(f"SELECT {key} AS key, {sums}{most}\nFROM {table} AS t\nWHERE {where.sql}\nGROUP BY 1", where.values)


def _read(rows: Iterable[Row], name: Rename) -> Groups:
    """own, told: calls. blocked: calls that found no line free. unseen: of these nobody heard. offered_load: erlangs of
    the busiest hour of a group."""
    groups: Groups = {}
    for row in rows:
        told = _hours(row) if "hours" in row else row
        for group in name(row["key"]):
            one = groups.setdefault(group, dict.fromkeys(SOURCE.counters, 0))
            one["own"] += int(told["own"])
            one["told"] += int(told["told"])
            one["blocked"] += int(told["blocked"]) / loads.PARTS
            one["unseen"] += int(told["unseen"]) / loads.PARTS
            one[_BUSIEST] = max(one[_BUSIEST], told.get("busiest", 0) / loads.PARTS)
    return groups


def _hours(row: Row) -> Row:
    """Hours that are alike, worked out."""
    each, n = loads.hour(row["lines"], *(int(row[name]) for name in loads.COUNTS)), row["hours"]
    return {
        "own": each.own * n, "told": each.told * n, "blocked": each.blocked * n, "unseen": each.unseen * n,
        "busiest": each.offered,
    }  # fmt: skip


def _ask_groups(ground: Ground, asked: Slice, _: str, __: tuple[str, ...]) -> Query:
    """The loss of every hunt group in the slice's places, whatever campaign is asked about."""
    where = ground.where_boxes(asked, campaign=False)
    sums = "sum(t.own) AS own, sum(t.blocked) AS blocked"
    return Query(f"SELECT {_GROUP} AS key, {sums}\nFROM load AS t\nWHERE {where.sql}\nGROUP BY 1", where.values)


def _read_groups(rows: Iterable[Row], _: Rename) -> Groups:
    losses: Counters = {row["key"]: of(int(row["own"]), int(row["blocked"]) / loads.PARTS) for row in rows}
    return {"": {"losses": losses}}


def of(own: float, blocked: float) -> float:
    """The share of calls that found no line free."""
    return formulae.share(blocked, own + blocked) or 0.0


SOURCE = Source((*_SUMS, _BUSIEST), _ask, _read)
LOSSES = Source(("losses",), _ask_groups, _read_groups, empty=dict, whole=True)
