"""What callers said, as SQL over the events store opened read-only: recordings, open grievances, answers.

Like `reports`: functions over a connection and the time, nothing here writes, caches or knows of a page. All of it
comes from the roll-ups, by their indexes, so that a look costs the same however much is held.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sync.hq import recordings, reports
from sync.hq.sql import Db

SHOWN = 8  # recordings, and grievances, on the page

ANSWERS = reports.Figure(
    "Answers",
    "What callers answered by key in referendums and to invitations, and missed calls to the numbers of a referendum. "
    "Raw counts every one. By number, each caller counts once for an issue: by her first answer, by her last one, or "
    "not at all when she gave different ones (void). Callers without a number are in the raw count only. Which column "
    "decides is the campaign's policy.",
    "SELECT issue, option AS value, sum(raw) AS raw, sum(first) AS first, sum(last) AS last, sum(single) AS void\n"
    "FROM poll GROUP BY issue, option HAVING sum(raw) > 0\n"
    "ORDER BY sum(sum(raw)) OVER (PARTITION BY issue) DESC, issue, raw DESC, value LIMIT 40",
)
OPEN = reports.Figure(
    "Open grievances",
    "Grievances that nobody has called resolved, and those among them that are overdue: the time that the campaign "
    "promises has passed since the caller rang.",
    "SELECT count(*) AS open, coalesce(sum(CASE WHEN due_ms < :now THEN 1 ELSE 0 END), 0) AS overdue\n"
    "FROM grievance "
    "WHERE state NOT IN ('resolved', 'verified')",
)
_TAKES = f"""
SELECT r.store_id, s.store, r.seq, s.box, s.line, r.campaign, r.at_ms, r.caller, e.caller_kind, r.state,
       r.ms / 1000 AS seconds, r.tags, f.have, f.bytes, f.done_ms
FROM (SELECT * FROM recording WHERE state NOT IN ('empty', 'dropped', 'failed') ORDER BY at_ms DESC LIMIT {SHOWN}) AS r
JOIN store AS s ON s.id = r.store_id JOIN event AS e ON e.store_id = r.store_id AND e.seq = r.seq
LEFT JOIN recording_file AS f ON f.store_id = r.store_id AND f.seq = r.seq
ORDER BY r.at_ms DESC
"""
_OPEN = f"""
SELECT g.store_id, s.store, g.seq, g.state, g.due_ms, s.box, s.line, g.campaign, g.at_ms, g.caller, e.caller_kind,
       g.tags, g.reference, g.recording
FROM (SELECT * FROM grievance WHERE state NOT IN ('resolved', 'verified') ORDER BY due_ms LIMIT {SHOWN}) AS g
JOIN store AS s ON s.id = g.store_id JOIN event AS e ON e.store_id = g.store_id AND e.seq = g.seq
ORDER BY g.due_ms
"""
_WHOLE = "SELECT 1 AS whole FROM recording_file WHERE store_id = :store_id AND seq = :seq AND done_ms IS NOT NULL"
_FILE = (
    "SELECT box, codec FROM store JOIN recording_file ON store_id = id"
    " WHERE store = :store AND seq = :seq AND done_ms IS NOT NULL"
)
_NAME = re.compile(r"([0-9a-f]{8})-([0-9]{1,16})")


def look(db: Db, now_ms: int) -> dict[str, Any]:
    """All but `answers` that the page shows of what callers said."""
    return {"takes": takes(db), "grievances": grievances(db, now_ms)}


def takes(db: Db) -> list[dict[str, Any]]:
    """The newest recordings in which something is, or will be. `id` is the name under which it can be heard, "" while
    not all of it is here; `caller` is a whole number, to be masked by whoever shows it."""
    return [
        {**row, "id": f"{row['store']}-{row['seq']}" if row["done_ms"] is not None else ""} for row in db.rows(_TAKES)
    ]


def grievances(db: Db, now_ms: int) -> dict[str, Any]:
    """How many are open and overdue, and those that are due first; `said` names the recording that can be heard."""
    counts = db.row(OPEN.sql, now=now_ms) or {"open": 0, "overdue": 0}
    found = []
    for row in db.rows(_OPEN):
        whole = row["recording"] and db.row(_WHOLE, store_id=row["store_id"], seq=row["recording"])
        found.append({**row, "said": f"{row['store']}-{row['recording']}" if whole else ""})
    return {"open": counts["open"], "overdue": counts["overdue"], "first": found}


def answers(db: Db) -> list[dict[str, Any]]:
    """Every answer given to an issue, counted four ways; see `ANSWERS`."""
    return db.rows(ANSWERS.sql)


def file(db: Db, data: Path, name: str) -> Path | None:
    """The file of the recording called `name`, if all of it is here."""
    named = _NAME.fullmatch(name)
    row = db.row(_FILE, store=named[1], seq=int(named[2])) if named else None
    place = data / recordings.where(row["box"], named[1], int(named[2]), row["codec"]) if named and row else None
    return place if place and place.is_file() else None
