"""The week in one page: which issue leads in which district, to be printed before a speech.

Rules of this room
- An issue is what several campaigns have in common, or a campaign that is part of none. Issues of a district are ranked
  by the different callers of the week, as `visits` counts them, then by calls; the week before stands beside.
- Callers of districts and of issues do not add up, and no sum of them is told.
"""

from __future__ import annotations

from typing import NamedTuple

from sync.hq.metrics.slices import Query
from sync.hq.sql import Db, Row
from sync.hq.visits import NEVER

DAYS = 7

_CALLS = """
SELECT p.district, coalesce(i.issue, t.campaign) AS topic, sum(t.calls) AS calls, sum(t.cases) AS cases,
    sum(t.yields) AS voices
FROM day_tally AS t JOIN place AS p ON p.store_id = t.store_id LEFT JOIN part AS i ON i.campaign = t.campaign
WHERE t.day >= :first AND t.day <= :last GROUP BY 1, 2
"""
_CALLERS = """
SELECT district, topic, sum(callers) AS callers, sum(newly) AS newly FROM (
    SELECT t.area AS district, t.topic, sum(CASE WHEN t.prev < :first THEN t.n ELSE 0 END) AS callers,
        sum(CASE WHEN t.prev = :never THEN t.n ELSE 0 END) AS newly
    FROM pair AS t WHERE t.day >= :first AND t.day <= :last AND (t.scope = 'issue+district'
        OR t.scope = 'campaign+district' AND t.topic NOT IN (SELECT campaign FROM part)) GROUP BY 1, 2
    UNION ALL SELECT p.district, coalesce(i.issue, f.campaign) AS topic, sum(f.n) AS callers, sum(f.n) AS newly
    FROM fresh AS f JOIN place AS p ON p.store_id = f.store_id LEFT JOIN part AS i ON i.campaign = f.campaign
    WHERE f.day >= :first AND f.day <= :last GROUP BY 1, 2
) AS told GROUP BY district, topic
"""
_TAGS = """
SELECT p.district, t.tags, count(*) AS n FROM grievance AS t JOIN place AS p ON p.store_id = t.store_id
WHERE t.day >= :first AND t.day <= :last AND t.tags <> '' GROUP BY 1, 2
"""


class Topic(NamedTuple):
    """An issue in a district, in the week and in the week before. cases, voices: opened and recorded in the week."""

    name: str
    callers: int
    newly: int
    calls: int
    callers_before: int
    calls_before: int
    cases: int
    voices: int


class District(NamedTuple):
    """A district's issues, the leading one first, and what its cases are about: (tag, cases), most first."""

    name: str
    topics: tuple[Topic, ...]
    tags: tuple[tuple[str, int], ...]


def brief(events: Db, first: int) -> tuple[District, ...]:
    """Every district with calls in the week that begins with the local day `first`, the busiest first."""
    week, before = (_asked(events, day) for day in (first, first - DAYS))
    tags: dict[str, dict[str, int]] = {}
    for row in events.rows(_TAGS, _values(first)):
        for tag in {part.strip() for part in row["tags"].split(",") if part.strip()}:
            mine = tags.setdefault(row["district"], {})
            mine[tag] = mine.get(tag, 0) + row["n"]
    districts: dict[str, list[Topic]] = {}
    for (district, topic), now in week.items():
        then = before.get((district, topic), {})
        districts.setdefault(district, []).append(Topic(
            topic, now.get("callers", 0), now.get("newly", 0), now["calls"], then.get("callers", 0),
            then.get("calls", 0), now["cases"], now["voices"],
        ))  # fmt: skip
    ranked = [
        District(
            name, tuple(sorted(topics, key=lambda one: (-one.callers, -one.calls, one.name))),
            tuple(sorted(tags.get(name, {}).items(), key=lambda one: (-one[1], one[0]))),
        )
        for name, topics in districts.items() if any(one.calls for one in topics)
    ]  # fmt: skip
    return tuple(sorted(ranked, key=lambda one: (-sum(topic.calls for topic in one.topics), one.name)))


def queries(first: int) -> list[Query]:
    """What a brief is made of, to be shown beside it."""
    return [Query(sql.strip(), _values(first)) for sql in (_CALLS, _CALLERS, _TAGS)]


def _values(first: int) -> dict[str, object]:
    return {"first": first, "last": first + DAYS - 1, "never": NEVER}


def _asked(events: Db, first: int) -> dict[tuple[str, str], Row]:
    """(district, topic) -> counters of that week."""
    found: dict[tuple[str, str], Row] = {}
    for row in events.rows(_CALLS, _values(first)):
        found[row["district"], row["topic"]] = row
    for row in events.rows(_CALLERS, _values(first)):
        found.get((row["district"], row["topic"]), {}).update(row)
    return found
