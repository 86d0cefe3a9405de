"""When boxes were at work: their minutes of service and those in which a line was up, added up.

Rules of this room
- Minutes are a box's: a slice must hold whole boxes, and nothing narrower than a box or a day is told.
"""

from __future__ import annotations

from sync.hq.metrics.slices import Ground, Query, Slice, not_told
from sync.hq.metrics.sources import Source, sums

_KEYS = {"": "CAST('' AS TEXT)", "district": "t.district", "box": "t.box", "day": "CAST(t.day AS TEXT)"}
_WHAT = "minutes of service"


def _ask(ground: Ground, asked: Slice, by: str, _: tuple[str, ...]) -> Query:
    asked.only(_WHAT)
    for name in ("campaign", "issue"):
        if getattr(asked, name):
            raise not_told(_WHAT, name)
    if by not in _KEYS:
        raise not_told(_WHAT, by)
    ground.whole_boxes(asked, "the lines of a box share its minutes of service: choose whole boxes")
    where = ground.where_boxes(asked)
    sql = (
        f"SELECT {_KEYS[by]} AS key, sum(t.up) AS up, sum(t.served) AS served\nFROM service AS t\n"
        f"WHERE {where.sql}\nGROUP BY 1"
    )
    return Query(sql, where.values)


SOURCE = Source(("up", "served"), _ask, sums)
