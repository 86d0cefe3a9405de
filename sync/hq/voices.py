"""What callers said, as SQL over the events store opened read-only: recordings, open grievances, answers.

Like `reports`: functions over a connection and the time, nothing here writes, caches or knows of a page. Recordings and
grievances are found by indexes of their own, so that a look costs the same however much is held; only `answers` reads
every answer, and its asker spaces it out.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from sync.hq import recordings, reports
from sync.hq.sql import Db

SHOWN = 8  # recordings, and grievances, on the page
_LOOK = 5 * SHOWN  # the newest takes among which those with something in them are looked for
_SILENT = ("empty", "dropped", "failed")

ANSWERS = reports.Figure(
    "Answers",
    "What callers answered in referendums and to invitations. Raw counts every answer. By number, each caller counts "
    "once for an issue: by her first answer, by her last one, or not at all when she gave different ones (void). "
    "Callers without a number are in the raw count only. Which column decides is the campaign's policy.",
    "WITH said AS (\n"
    "  SELECT coalesce(nullif(iif(json_valid(extra), json_extract(extra, '$.issue'), ''), ''), campaign) AS issue,\n"
    "    state AS value, caller, at_ms, seq FROM event WHERE kind = 'answer' AND \"of\" = 0),\n"
    "numbered AS (SELECT *, row_number() OVER (PARTITION BY issue, caller ORDER BY at_ms, seq) AS place,\n"
    "    row_number() OVER (PARTITION BY issue, caller ORDER BY at_ms DESC, seq DESC) AS back FROM said\n"
    "  WHERE caller <> ''),\n"
    "firsts AS (SELECT issue, value FROM numbered WHERE place = 1),\n"
    "lasts AS (SELECT issue, value FROM numbered WHERE back = 1),\n"
    "agreed AS (SELECT issue, min(value) AS value FROM numbered GROUP BY issue, caller\n"
    "  HAVING min(value) = max(value)),\n"
    "told (issue, value, raw, first, last, void) AS (\n"
    "  SELECT issue, value, count(*), 0, 0, 0 FROM said GROUP BY issue, value\n"
    "  UNION ALL SELECT issue, value, 0, count(*), 0, 0 FROM firsts GROUP BY issue, value\n"
    "  UNION ALL SELECT issue, value, 0, 0, count(*), 0 FROM lasts GROUP BY issue, value\n"
    "  UNION ALL SELECT issue, value, 0, 0, 0, count(*) FROM agreed GROUP BY issue, value)\n"
    "SELECT issue, value, sum(raw) AS raw, sum(first) AS first, sum(last) AS last, sum(void) AS void\n"
    "FROM told GROUP BY issue, value ORDER BY sum(sum(raw)) OVER (PARTITION BY issue) DESC, issue, raw DESC, value\n"
    "LIMIT 40",
)
OPEN = reports.Figure(
    "Open grievances",
    "Grievances that nobody has called resolved, and those among them that are overdue: the time that the campaign "
    "promises has passed since the caller rang.",
    "SELECT count(*) AS open, coalesce(sum(CASE WHEN due_ms < :now THEN 1 ELSE 0 END), 0) AS overdue\n"
    "FROM grievance "
    "WHERE state NOT IN ('resolved', 'verified')",
)
# PostgreSQL's JSON stops at halves of letters, which a row may hold: one row must not stop the count
_ISSUE = "iif(json_valid(extra), json_extract(extra, '$.issue'), '')"
_ISSUE_POSTGRES = """substring(extra FROM '"issue":"([^"]*)"')"""

_TAKES = f"""
SELECT e.store_id, s.store, e.seq, s.box, s.line, e.campaign, e.at_ms, e.caller, e.caller_kind, e.state, e.seconds,
       e.extra, f.have, f.bytes, f.done_ms
FROM (SELECT * FROM event WHERE kind = 'recording' AND "of" = 0 ORDER BY at_ms DESC LIMIT {_LOOK}) AS e
JOIN store AS s ON s.id = e.store_id
LEFT JOIN recording_file AS f ON f.store_id = e.store_id AND f.seq = e.seq
ORDER BY e.at_ms DESC
"""
_LATER = (
    "SELECT state, seconds FROM event WHERE store_id = :store_id AND \"of\" = :seq AND kind = 'recording'"
    " AND state <> '' ORDER BY seq DESC LIMIT 1"
)
_OPEN = f"""
SELECT g.store_id, s.store, g.seq, g.state, g.due_ms, s.box, s.line, e.campaign, e.at_ms, e.caller, e.caller_kind,
       e.extra
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
    found = []
    for row in db.rows(_TAKES):
        take = {**row, "tags": _told(row["extra"]).get("tags", "")}
        if later := db.row(_LATER, store_id=row["store_id"], seq=row["seq"]):
            take["state"], take["seconds"] = later["state"], later["seconds"] or row["seconds"]
        take["id"] = f"{row['store']}-{row['seq']}" if row["done_ms"] is not None else ""
        if take["state"] not in _SILENT:
            found.append(take)
    return found[:SHOWN]


def grievances(db: Db, now_ms: int) -> dict[str, Any]:
    """How many are open and overdue, and those that are due first; `said` names the recording that can be heard."""
    counts = db.row(OPEN.sql, now=now_ms) or {"open": 0, "overdue": 0}
    found = []
    for row in db.rows(_OPEN):
        told = _told(row["extra"])
        seq = told.get("recording")
        whole = type(seq) is int and db.row(_WHOLE, store_id=row["store_id"], seq=min(seq, 2**53))
        said = f"{row['store']}-{seq}" if whole else ""
        found.append({**row, "tags": told.get("tags", ""), "reference": told.get("reference", ""), "said": said})
    return {"open": counts["open"], "overdue": counts["overdue"], "first": found}


def answers(db: Db) -> list[dict[str, Any]]:
    """Every answer given to an issue, counted four ways; see `ANSWERS`. It reads all of them: ask it rarely."""
    return db.rows(ANSWERS.sql if db.kind == "sqlite" else ANSWERS.sql.replace(_ISSUE, _ISSUE_POSTGRES))


def file(db: Db, data: Path, name: str) -> Path | None:
    """The file of the recording called `name`, if all of it is here."""
    named = _NAME.fullmatch(name)
    row = db.row(_FILE, store=named[1], seq=int(named[2])) if named else None
    place = data / recordings.where(row["box"], named[1], int(named[2]), row["codec"]) if named and row else None
    return place if place and place.is_file() else None


def _told(extra: str) -> dict[str, Any]:
    told = json.loads(extra) if extra else {}
    return told if isinstance(told, dict) else {}
