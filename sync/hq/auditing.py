"""What a snapshot says of itself: what it is, each metric's meaning, figure and query, and views that people can read.

Rules of this room
- An auditor needs this file and any program that opens SQLite: `figures` says what headquarters tells, `query` holds
  the text that counts it again, to be copied as it stands, and `definition` how the counts become the figure.
- Figures are those of all days that the file holds. They are worked out here from the file's own tables, by the code
  of the pages.
- Days and hours in views are local ones, of the box's zone, as the roll-ups have frozen them; other times are UTC.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta

from sync.hq import reports, silence
from sync.hq.metrics import METRICS, Figure, Given, Slice, compute, queries
from sync.hq.sql import Db

_TABLES = """
CREATE TABLE metadata (place INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, value TEXT NOT NULL) STRICT;
CREATE TABLE definition (
    metric TEXT PRIMARY KEY, title TEXT NOT NULL, unit TEXT NOT NULL, meaning TEXT NOT NULL, counters TEXT NOT NULL
) STRICT;
CREATE TABLE figure (
    metric TEXT PRIMARY KEY, value REAL, n INTEGER, low REAL, high REAL, unit TEXT NOT NULL, rows TEXT NOT NULL,
    why TEXT NOT NULL
) STRICT;
CREATE TABLE query (
    metric TEXT NOT NULL, place INTEGER NOT NULL, sql TEXT NOT NULL, PRIMARY KEY (metric, place)
) STRICT;
"""
_CALLS = (
    "sum(t.calls) AS calls, sum(t.withheld) AS withheld, sum(t.gave_up) AS gave_up, sum(t.talked) AS talked,"
    " sum(t.reached) AS reached, sum(t.sent) AS sms_sent, sum(t.received) AS sms_received, sum(t.recordings) AS"
    " recordings, sum(t.cases) AS cases, sum(t.optouts) AS opt_outs FROM tally AS t JOIN place AS p USING (store_id)"
)
_WINDOW = (
    "SELECT min(day) AS first, max(day) AS last FROM (SELECT day FROM tally UNION SELECT day FROM service) AS t"
)
_DAY = "date(t.day * 86400, 'unixepoch')"


def _utc(column: str) -> str:
    return f"datetime({column} / 1000, 'unixepoch') AS {column.rpartition('.')[2].removesuffix('_ms')}_utc"


VIEWS = {
    "figures": "SELECT d.title, f.value, f.unit, f.n, f.low, f.high, f.why, d.meaning, f.rows, f.metric"
    " FROM figure AS f JOIN definition AS d USING (metric)",
    "calls_by_day": f"SELECT {_DAY} AS day, p.district, p.box, p.line, p.channel, t.campaign, {_CALLS}"
    " GROUP BY 1, 2, 3, 4, 5, 6",
    "calls_by_hour": f"SELECT {_DAY} AS day, t.hour, p.district, t.campaign, {_CALLS} GROUP BY 1, 2, 3, 4",
    "calls_by_campaign": f"SELECT t.campaign, {_CALLS} GROUP BY 1",
    "calls_by_district": f"SELECT p.district, t.campaign, {_CALLS} GROUP BY 1, 2",
    "cases": f"SELECT {_DAY} AS day, p.district, p.box, p.line, t.campaign, t.tags, t.state, t.caller,"
    f" {_utc('t.opened_ms')}, {_utc('t.contacted_ms')}, {_utc('t.resolved_ms')}, {_utc('t.verified_ms')}, t.reopened"
    " FROM grievance AS t JOIN place AS p USING (store_id)",
    "votes_by_day": f"SELECT {_DAY} AS day, t.issue, t.option, p.district, sum(t.raw) AS votes,"
    " sum(t.nameless) AS without_number, sum(t.first) AS callers_by_first, sum(t.last) AS callers_by_last,"
    " sum(t.single) AS callers_with_one, sum(t.conflicts) AS callers_with_several"
    " FROM poll AS t JOIN place AS p USING (store_id) GROUP BY 1, 2, 3, 4",
    "lines": "SELECT b.district, s.box, s.line, s.number, s.campaign, s.channel, s.hwm AS rows_here,"
    f" max(0, s.last - s.hwm) AS rows_missing, {_utc('s.complete_ms')}, {_utc('s.seen_ms')}, s.state"
    " FROM store AS s LEFT JOIN box AS b USING (box)",
    "log": f"SELECT t.id, {_utc('t.at_ms')}, t.who, t.role, t.did, t.what, t.reason FROM audit AS t",
    "events": f"SELECT p.district, p.box, p.line, {_utc('t.at_ms')}, t.kind, t.state, t.campaign, t.caller,"
    ' t.caller_kind, t.seconds, t.extra, t.store_id, t.seq, t."of" FROM event AS t JOIN place AS p USING (store_id)',
}
_ABOUT = (
    "All that headquarters' figures are made of. Every number of a caller is a token (c and 32 hex digits): the same "
    "caller is the same token throughout, and in later snapshots of this headquarters. Texts of SMS and notes are left "
    "out, and so are accounts, sessions, sound and whatever no figure is made of."
)
_HOW = (
    "The view `figures` says what is told; `definition` what it means; `query` counts it again: copy the text of "
    "`sql`. A figure with why has no value, and says why not. Where a percentile, an interval or Erlang's B is taken, "
    "the query gives the counts that go into it."
)
_LOG = (
    "The table `audit` is the log, each entry bound to the one before it by digest. An entry in whose words a number "
    "stood has a token there, and its digest is that of the words as they were."
)
_LEFT_OUT = (
    "Therefore votes, answers by value and ways through menus are left out: the tables vote, poll, answer and those of "
    "nodes are empty, and rows of the kind answer have no state. Counts of answers are whole."
)
_DESK_CASES = (
    "\n-- Where the desk has moved a case, its state and first contact stand in desk_thing, and count before the box's:"
    "\n-- SELECT store_id, seq, state, contacted_ms FROM desk_thing WHERE kind = 'case' AND version > 0"
)


def explain(out: Db, mark: str, given: Given, hidden: str | None = None) -> int:
    """Add all this to a file that holds the tables; returns how many rows that were. `hidden`: why votes stay out."""
    out.build(_TABLES)
    for name, select in VIEWS.items():
        out.build(f"CREATE VIEW {name} AS {select}")
    asked = Slice()
    figures = compute(out, asked, METRICS, given)
    window = out.row(_WINDOW) or {}
    if window.get("first") is not None:  # the queries say which days they are of
        asked = replace(asked, first=window["first"], last=window["last"])
    asks = [
        {"metric": name, "place": place, "sql": copied(query.sql, query.values) + note}
        for name, note in ((one.name, _DESK_CASES if "listed" in one.needs else "") for one in METRICS.values())
        for place, query in enumerate(queries(out, asked, name, given), 1)
    ]
    told = [{"name": name, "value": value} for name, value in _metadata(out, mark, given, asked, hidden).items()]
    out.many("INSERT INTO metadata (name, value) VALUES (:name, :value)", told)
    out.many(
        "INSERT INTO definition VALUES (:name, :title, :unit, :meaning, :counters)",
        [{**one._asdict(), "counters": ", ".join(one.needs)} for one in METRICS.values()],
    )
    out.many(
        "INSERT INTO figure VALUES (:metric, :value, :n, :low, :high, :unit, :rows, :why)",
        [_figure(name, figure) for name, figure in figures.items()],
    )
    out.many("INSERT INTO query VALUES (:metric, :place, :sql)", asks)
    return len(told) + 2 * len(METRICS) + len(asks)


def _figure(name: str, figure: Figure) -> dict[str, object]:
    rows = [row._asdict() if hasattr(row, "_asdict") else row for row in figure.rows]
    return {
        "metric": name, "value": figure.value, "n": figure.n, "low": figure.low, "high": figure.high,
        "unit": figure.unit or METRICS[name].unit, "rows": json.dumps(rows, ensure_ascii=False) if rows else "",
        "why": figure.why,
    }  # fmt: skip


def _metadata(out: Db, mark: str, given: Given, asked: Slice, hidden: str | None) -> dict[str, str]:
    now_ms, tariff = given.now_ms, given.tariff
    complete = reports.complete(out, now_ms)
    upto = _time(complete.at_ms) if complete.at_ms is not None else "none"
    zones = [row["timezone"] for row in out.rows("SELECT DISTINCT timezone FROM place ORDER BY 1")]
    days = "" if asked.days is None else f"{_date(asked.first)} to {_date(asked.last)}"
    return {
        "what": "Snapshot of a Miscall headquarters", "about": _ABOUT, "how": _HOW, "watermark": mark,
        "made": _time(now_ms), "made_ms": str(now_ms), "complete up to": upto,
        "complete boxes": f"{complete.boxes} of {complete.of}", "rows that could not be read": str(complete.unread),
        "local days": days, "time zones": ", ".join(zones), "log": _LOG,
        "referendums": f"{silence.NO_POLL}{f' {hidden}. {_LEFT_OUT}' if hidden else ''}",
        "tariff": json.dumps(asdict(tariff)) if tariff else "none",
    }  # fmt: skip


def _time(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _date(day: int) -> str:
    return (date(1970, 1, 1) + timedelta(day)).isoformat()


def copied(sql: str, values: Mapping[str, object]) -> str:
    """A query with its parameters filled in."""

    def literal(found: re.Match[str]) -> str:
        value = values[found[1]]
        return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"

    return re.sub(r"(?<![:\w]):([a-z_][a-z0-9_]*)", literal, sql)
