"""What lines carried, what must have been offered to them, and what was lost: Erlang's B, hour by hour.

Rules of this room
- Lines of one box and campaign are taken for one hunt group; n is how many lines of the box took its calls in the
  window or stand for it now. All hours in which a group heard or placed a call are worked out one by one, for loss is
  not linear; hours that are alike are told once, with how many they are.
- A call holds its line `formulae.HOLD_S`, and as long as it was talked. Calls that an operator's alert told of
  (recovered) held none. A group's load in an hour is told in whole thousandths of an erlang.
- A group's load cannot be divided: a slice must hold whole boxes.
"""

from __future__ import annotations

from collections.abc import Iterable

from sync.hq.metrics import formulae
from sync.hq.metrics.slices import Cannot, Ground, Query, Slice
from sync.hq.metrics.sources import Counters, Groups, Rename, Source
from sync.hq.sql import Row

_KEYS = {
    "": "CAST('' AS TEXT)", "campaign": "c.campaign", "issue": "c.campaign", "district": "p.district", "box": "p.box",
    "day": "CAST(c.day AS TEXT)", "hour": "CAST(c.hour AS TEXT)", "group": "(p.box || '/' || c.campaign)",
}  # fmt: skip
_SQL = """
WITH cell AS (
    SELECT t.store_id, t.campaign, t.day, t.hour, sum(t.calls) AS calls, sum(t.recovered) AS recovered,
        sum(t.placed) AS placed, sum(t.talk_s) AS talk_s
    FROM tally AS t WHERE {where} GROUP BY 1, 2, 3, 4
), member AS (
    SELECT p.box, p.line, c.campaign
    FROM (SELECT DISTINCT store_id, campaign FROM cell WHERE calls + placed > 0) AS c
    JOIN place AS p ON p.store_id = c.store_id
    UNION SELECT box, line, campaign FROM place
), hunt AS (
    SELECT box, campaign, count(*) AS lines FROM member GROUP BY box, campaign
), span AS (
    SELECT {key} AS key, p.box, c.campaign, c.day, c.hour, sum(c.calls - c.recovered) AS own,
        {told} AS recovered, sum((c.calls - c.recovered + c.placed) * :hold + c.talk_s) AS seconds
    FROM cell AS c JOIN place AS p ON p.store_id = c.store_id GROUP BY 1, 2, 3, 4, 5
)
SELECT s.key, h.lines, CAST(s.seconds AS BIGINT) * 1000 / 3600 AS carried, s.recovered,
    CASE WHEN s.recovered > 0 THEN s.own ELSE 0 END AS beside, sum(s.own) AS own, count(*) AS hours
FROM span AS s JOIN hunt AS h ON h.box = s.box AND h.campaign = s.campaign
WHERE s.recovered > 0 OR s.seconds > 0 GROUP BY 1, 2, 3, 4, 5
"""


def _ask(ground: Ground, asked: Slice, by: str, counters: tuple[str, ...]) -> Query:
    asked.only("loads of lines")
    if by not in _KEYS:
        raise Cannot(f"loads of lines are not told by {by}")
    inside = ground.stores(asked)
    boxes = {ground.places[number]["box"] for number in inside}
    if any(place["box"] in boxes and number not in inside for number, place in ground.places.items()):
        raise Cannot("the lines of a box share its load: choose whole boxes")
    where = ground.where(asked)
    told = "sum(c.recovered)" if {"told", "unseen"} & set(counters) else "0"  # without them more hours are alike
    sql = _SQL.format(where=where.sql, key=_KEYS[by], told=told).strip()
    return Query(sql, {**where.values, "hold": formulae.HOLD_S})


def _read(rows: Iterable[Row], name: Rename) -> Groups:
    """own, recovered: calls. blocked: calls that found no line free. unseen: of these nobody heard. offered: erlangs of
    the busiest hour of a group."""
    groups: Groups = {}
    for row in rows:
        lines, carried, told = row["lines"], row["carried"] / 1000, row["recovered"] * row["hours"]
        lost = formulae.loss(lines, carried)
        for group in name(row["key"]):
            one = groups.setdefault(group, dict.fromkeys(SOURCE.counters, 0.0))
            one["own"] += row["own"]
            one["told"] += told
            one["blocked"] += formulae.unseen(row["own"], lost, 0)
            one["unseen"] += formulae.unseen(row["own"], lost, told)  # told > 0: these hours are all alike
            one["offered_load"] = max(one["offered_load"], formulae.offered_load(lines, carried))
    return groups


def _ask_groups(ground: Ground, asked: Slice, by: str, counters: tuple[str, ...]) -> Query:
    """The loss of every hunt group in the slice's places, whatever campaign is asked about."""
    return _ask(ground, Slice(first=asked.first, last=asked.last), "group", counters)


def _read_groups(rows: Iterable[Row], name: Rename) -> Groups:
    found = _read(rows, lambda key: [key])
    losses: Counters = {key: of(one) for key, one in found.items()}
    return {"": {"losses": losses}}


def of(one: Counters) -> float:
    """The share of calls that found no line free."""
    return formulae.share(one["blocked"], one["own"] + one["blocked"]) or 0.0


SOURCE = Source(("own", "told", "blocked", "unseen", "offered_load"), _ask, _read)
LOSSES = Source(("losses",), _ask_groups, _read_groups, empty=dict, whole=True)
