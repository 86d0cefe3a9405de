"""What was offered to lines, and what was lost: the days of hunt groups as `loads` has worked them out, added up.

Rules of this room
- A group's load cannot be divided: a slice must hold whole boxes.
- Hours of the day are in the sums of all places. Those of some places, and the busiest one of each, are worked out anew
  from what lines counted.
"""

from __future__ import annotations

from collections.abc import Iterable

from sync.hq import loads
from sync.hq.metrics.slices import Ground, Query, Slice, not_told
from sync.hq.metrics.sources import Groups, Rename, Source, everywhere
from sync.hq.sql import Row

_KEYS = {
    "": "CAST('' AS TEXT)", "campaign": "t.campaign", "issue": "t.campaign", "district": "t.district", "box": "t.box",
    "day": "CAST(t.day AS TEXT)", "hour": "CAST(t.hour AS TEXT)",
}  # fmt: skip
_SUMS, _PARTS = ("own", "told", "blocked", "unseen"), ("blocked", "unseen")
# calls that found no line free beside each that came through, in whole PARTS: of a group of rows of `load` as `t`
LOST = (
    "(2 * CAST(sum(t.blocked) AS BIGINT) + CAST(sum(t.own) AS BIGINT)) / nullif(2 * CAST(sum(t.own) AS BIGINT), 0)"
)
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
        raise not_told("loads of lines", by)
    ground.whole_boxes(asked, "the lines of a box share its load: choose whole boxes")
    return _KEYS[by]


def _hours_of(ground: Ground, asked: Slice) -> Query:
    where = ground.where(asked)
    return Query(_HOURS.format(where=where.sql).strip(), where.values)


def _ask(ground: Ground, asked: Slice, by: str, _: tuple[str, ...]) -> Query:
    key, all_places = _key(ground, asked, by), everywhere(asked, by)
    if by == "hour" and not all_places:
        return _hours_of(ground, asked)
    where = ground.where_boxes(asked)
    sums = ", ".join(f"sum(t.{name}) AS {name}" for name in _SUMS)
    table = "all_load" if all_places else "load"
    return Query(f"SELECT {key} AS key, {sums}\nFROM {table} AS t\nWHERE {where.sql}\nGROUP BY 1", where.values)


def _read(rows: Iterable[Row], name: Rename) -> Groups:
    """own, told: calls. blocked: calls that found no line free. unseen: of these nobody heard."""
    groups: Groups = {}
    for row in rows:
        counted = _worked(row) if "hours" in row else row
        for group in name(row["key"]):
            one = groups.setdefault(group, dict.fromkeys(_SUMS, 0.0))
            for counter in _SUMS:
                one[counter] += int(counted[counter]) / (loads.PARTS if counter in _PARTS else 1)
    return groups


def _worked(row: Row) -> Row:
    """Hours that are alike, worked out."""
    each, n = loads.hour(row["lines"], *(int(row[name]) for name in loads.COUNTS)), row["hours"]
    return {
        "own": each.own * n, "told": each.told * n, "blocked": each.blocked * n, "unseen": each.unseen * n,
        "busiest": each.offered,
    }  # fmt: skip


def _ask_busiest(ground: Ground, asked: Slice, by: str, _: tuple[str, ...]) -> Query:
    key = _key(ground, asked, by)
    if by == "hour":
        return _hours_of(ground, asked)
    where = ground.where_boxes(asked)
    return Query(
        f"SELECT {key} AS key, max(t.busiest) AS busiest\nFROM load AS t\nWHERE {where.sql}\nGROUP BY 1", where.values
    )


def _read_busiest(rows: Iterable[Row], name: Rename) -> Groups:
    """offered_load: erlangs of the busiest hour of a group."""
    groups: Groups = {}
    for row in rows:
        most = (_worked(row)["busiest"] if "hours" in row else row["busiest"]) / loads.PARTS
        for group in name(row["key"]):
            one = groups.setdefault(group, {"offered_load": 0.0})
            one["offered_load"] = max(one["offered_load"], most)
    return groups


SOURCE = Source(_SUMS, _ask, _read)
BUSIEST = Source(("offered_load",), _ask_busiest, _read_busiest)
