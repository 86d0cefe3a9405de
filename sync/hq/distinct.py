"""The reading side of `visits`: unique and new callers of a window of local days, exact, from `fresh` and `pair`.

Rules of this room
- One question is one query, the same in both stores; its text can be shown beside the figure (`QUERY` with its values).
- A window is closed: first and last day both belong to it.
- Where no area is asked about, `all_fresh` stands in for `fresh`; of boxes, whatever was rung there, `box_tally`.
- `clean` leaves out the days on which a caller rang more than ten times (rule 56).
"""

from __future__ import annotations

from typing import NamedTuple

from sync.hq.sql import Db
from sync.hq.visits import AREAS, NEVER

_BY_LEDGER = (
    "SELECT +store_id AS store_id, sum(n) AS n, sum(clean) AS clean FROM fresh WHERE day BETWEEN :first AND :last"
    " GROUP BY 1"
)
_AREA = {
    "": "''", "district": "place.district", "box": "place.box", "line": "place.box || '/' || place.line",
    "channel": "place.channel",
}  # fmt: skip


class Distinct(NamedTuple):
    """Callers with a number: how many rang, and for how many of them it was the first time ever in that scope."""

    unique: int
    new: int


def query(topic: str, area: str, by: str) -> str:
    """The SQL for callers of a topic ("all", "campaign", "issue") within an area ("" or one of AREAS).

    `by` groups: "" one row; "topic", "area" or "day" a row for each, named `key` (rows without calls do not come).
    Values: :first, :last days; :clean 1 or 0; :topic its name, "" every one (only with by topic); :area likewise."""
    assert topic in ("all", "campaign", "issue") and area in ("", *AREAS) and by in ("", "topic", "area", "day")
    key = {"": "''", "topic": "topic", "area": "area", "day": "day"}[by]
    which = {"all": "''", "campaign": "fresh.campaign", "issue": "part.issue"}[topic]
    of_boxes = topic == "all" and area in ("district", "box")
    table = "box_tally" if of_boxes else "fresh" if area else "all_fresh AS fresh"
    joins = " JOIN place ON place.store_id = fresh.store_id" if area and not of_boxes else ""
    joins += " JOIN part ON part.campaign = fresh.campaign" if topic == "issue" else ""
    wanted = "" if by == "topic" or topic == "all" else " AND topic = :topic"
    wanted += "" if by == "area" or not area else " AND area = :area"
    name = area if of_boxes else _AREA[area]
    window = "prev < day" if by == "day" else "prev < :first"
    first = (
        f"SELECT {which} AS topic, {name} AS area, day, n, clean FROM {table}{joins} WHERE day BETWEEN :first AND :last"
    )
    if by == "area" and topic == "all" and not of_boxes:  # places are named when each ledger has been summed up
        first = f"SELECT '' AS topic, {name} AS area, 0 AS day, n, clean FROM ({_BY_LEDGER}) AS fresh{joins}"
    counted = "n + :clean * clean"
    return (
        "SELECT key, CAST(sum(n) AS BIGINT) AS uniques, CAST(sum(new) AS BIGINT) AS fresh FROM (\n"
        f"  SELECT {key} AS key, {counted} AS n, {counted} AS new FROM (\n"
        f"    {first}) AS once WHERE true{wanted}\n"
        f"  UNION ALL SELECT {key}, sum({counted}), sum(CASE WHEN prev = :never THEN {counted} ELSE 0 END) FROM pair\n"
        f"  WHERE scope = :scope AND day BETWEEN :first AND :last AND {window}{wanted} GROUP BY 1) AS told\n"
        "GROUP BY key HAVING sum(n) <> 0 ORDER BY key"
    )


def values(
    first: int, last: int, topic: tuple[str, str] = ("all", ""), area: tuple[str, str] = ("", ""), clean: bool = False
) -> dict[str, object]:
    """What `query` is asked with."""
    return {
        "first": first, "last": last, "never": NEVER, "clean": int(clean), "topic": topic[1], "area": area[1],
        "scope": topic[0] + (f"+{area[0]}" if area[0] else ""),
    }  # fmt: skip


def distinct(
    db: Db, first: int, last: int, *, topic: tuple[str, str] = ("all", ""), area: tuple[str, str] = ("", ""),
    clean: bool = False,
) -> Distinct:  # fmt: skip
    """Callers of a scope: `topic` is ("all", ""), ("campaign", its id) or ("issue", its name); `area` is ("", "") or
    an area and its name (a line: <box>/<line>)."""
    row = _asked(db, first, last, topic, area, "", clean)
    return next(iter(row.values()), Distinct(0, 0))


def by(
    db: Db, first: int, last: int, group: str, *, topic: tuple[str, str] = ("all", ""),
    area: tuple[str, str] = ("", ""), clean: bool = False,
) -> dict[object, Distinct]:  # fmt: skip
    """The same for each topic, area or day: {name or day: its callers}. The name of what is grouped is not read."""
    return _asked(db, first, last, topic, area, group, clean)


def _asked(
    db: Db, first: int, last: int, topic: tuple[str, str], area: tuple[str, str], group: str, clean: bool
) -> dict[object, Distinct]:
    rows = db.rows(query(topic[0], area[0], group), values(first, last, topic, area, clean))
    return {row["key"]: Distinct(row["uniques"], row["fresh"]) for row in rows}
