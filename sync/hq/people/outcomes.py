"""Outcomes by file: who registered, attended or pledged, told from outside.  Conversion is counted from them.

Rules of this room
- Each row is taken or refused by itself; what was wrong goes into a file, with its line, for whoever sent it.
- A caller has an outcome of a goal once in a campaign: the earliest time stands, and the same file adds nothing twice.
- All of a file is one transaction of the desk store. What boxes send does not wait for it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from edge import numbers
from edge.fold import harmless
from sync.hq.people import sheet
from sync.hq.people.sheet import Line, Sheet, Wrong
from sync.hq.sql import Db

GOALS = ("registered", "attended", "pledged")
COLUMNS = ("number", "at", "goal", "note")
KEPT_MS = 7 * 86_400_000  # so long a file of what was wrong can be had
NONE, NO_NUMBER, NO_TELEPHONE, CUT, NO_GOAL, NO_DATE = (
    "missing", "no number", "no telephone number", "cut short by a spreadsheet (format the column as text)",
    "no such goal", "no such date",
)  # fmt: skip
WRONG = (NONE, NO_NUMBER, NO_TELEPHONE, CUT, NO_GOAL, NO_DATE)  # all that is said of a row here
_NOTE = 500
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_AT = "2026-11-25, 2026-11-25 18:30 or 25-11-2026 (day first), not in the future"
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})|(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})")
_PUT = (
    "INSERT INTO outcome (campaign, goal, caller, at_ms, note, upload_id)"
    " VALUES (:campaign, :goal, :caller, :at_ms, :note, :upload_id)"
    " ON CONFLICT (campaign, goal, caller) DO UPDATE SET at_ms = excluded.at_ms WHERE excluded.at_ms < outcome.at_ms"
)
_UPLOAD = (
    "INSERT INTO upload (at_ms, by, name, digest, encoding, rows, taken, known, refused, wrong)"
    " VALUES (:at_ms, :by, :name, :digest, :encoding, :rows, 0, 0, :refused, :wrong) RETURNING id"
)
_COUNTED = "UPDATE upload SET taken = :taken, known = :known WHERE id = :id"


class Outcome(NamedTuple):
    """One good row."""

    line: int
    caller: str
    at_ms: int
    goal: str
    note: str


@dataclass
class Read:
    """A file's rows: `good` to be taken, `wrong` with the cells as they stood. rows = good + wrong."""

    sheet: Sheet
    good: list[Outcome] = field(default_factory=list, repr=False)
    wrong: list[tuple[Wrong, Sequence[str]]] = field(default_factory=list, repr=False)


class Given(NamedTuple):
    """What became of a file: its upload's id, its rows, and how many were new, known before, and refused."""

    id: int
    rows: int
    taken: int
    known: int
    refused: int


def read(raw: bytes, goal: str, country: str, zone: tzinfo, now_ms: int) -> Read:
    """The outcomes in a file. `goal` stands where a row names none; `country` is for numbers without a country's code,
    `zone` for times without one. Raises Unreadable for a file that is no table."""
    needed = ("number",) if goal else ("number", "goal")
    told = Read(sheet.read(raw, COLUMNS, needed))
    told.wrong += told.sheet.wrong
    for line in told.sheet.lines:
        row = _row(line, goal, country, zone, now_ms)
        if isinstance(row, Wrong):
            told.wrong.append((row, line.cells))
        else:
            told.good.append(row)
    told.wrong.sort(key=lambda each: each[0].line)
    return told


def _row(line: Line, goal: str, country: str, zone: tzinfo, now_ms: int) -> Outcome | Wrong:
    values = line.values
    caller, why = number(values.get("number", ""), country)
    if why:
        home = f"a telephone number of {country}, or " if country else ""
        return Wrong(line.line, "number", why, f"{home}+, the country's code and the number")
    named = values.get("goal", "").lower() or goal
    if named not in GOALS:
        return Wrong(line.line, "goal", NO_GOAL, ", ".join(GOALS))
    at_ms = moment(values.get("at", ""), zone, now_ms)
    if at_ms is None:
        return Wrong(line.line, "at", NO_DATE, _AT)
    note = values.get("note", "")
    if len(note) > _NOTE:
        return Wrong(line.line, "note", sheet.LONG, f"{_NOTE} letters")
    return Outcome(line.line, caller, at_ms, named, note)


def number(cell: str, country: str) -> tuple[str, str]:
    """The number in a cell in E.164, and "" - or "", and why it is none."""
    bare = cell.strip().lstrip("'").strip()
    if not bare:
        return "", NONE
    if re.fullmatch(r"[0-9]+([.,][0-9]+)?[eE]\+?[0-9]+", bare):
        return "", CUT
    if not re.fullmatch(r"\+?[0-9 ().-]+", bare):
        return "", NO_NUMBER
    found = numbers.identify(re.sub(r"\.0+$", "", bare), None, None, country)
    return (found.number, "") if found.repliable else ("", NO_TELEPHONE)


def moment(cell: str, zone: tzinfo, now_ms: int) -> int | None:
    """Milliseconds since 1970 of a date or a time; now, when there is none; None when it is not one."""
    if not cell:
        return now_ms
    day, _, clock = cell.replace("T", " ").partition(" ")
    found = _DATE.fullmatch(day)
    if not found:
        return None
    year, month, date = found.group(1, 2, 3) if found[1] else found.group(6, 5, 4)
    try:
        told = datetime.fromisoformat(f"{year}-{int(month):02}-{int(date):02}T{clock.strip() or '00:00'}")
        if told.tzinfo is None:
            told = told.replace(tzinfo=zone)
        latest = datetime.fromtimestamp(now_ms / 1000, UTC) + timedelta(days=1)
        return int(told.timestamp() * 1000) if _EARLIEST <= told <= latest else None
    except (ValueError, OverflowError):
        return None


def keep(desk: Db, told: Read, campaign: str, name: str, digest: str, by: str, now_ms: int) -> Given:
    """Write the good rows down, within the caller's transaction."""
    counts = {"rows": told.sheet.rows, "refused": len(told.wrong)}
    wrong = wrong_file(told) if told.wrong else ""
    upload = desk.value(_UPLOAD, at_ms=now_ms, by=by, name=name[:200], digest=digest, encoding=told.sheet.encoding,
                        wrong=wrong, **counts)  # fmt: skip
    before = desk.value("SELECT count(*) FROM outcome")
    desk.many(
        _PUT,
        [
            {"campaign": campaign, "goal": row.goal, "caller": row.caller, "at_ms": row.at_ms, "note": row.note,
             "upload_id": upload}
            for row in sorted(told.good, key=lambda row: row.at_ms)
        ],
    )  # fmt: skip
    taken = desk.value("SELECT count(*) FROM outcome") - before
    desk.run(_COUNTED, taken=taken, known=len(told.good) - taken, id=upload)
    return Given(upload, counts["rows"], taken, len(told.good) - taken, counts["refused"])


def wrong_file(told: Read) -> str:
    """The rows that were refused as CSV: where, what, what is allowed, and the row as it stood, harmless."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["line", "column", "what is wrong", "what is allowed", *map(harmless, told.sheet.head)])
    for wrong, cells in told.wrong:
        writer.writerow([*wrong, *map(harmless, cells)])
    return out.getvalue()


def forget_wrong(desk: Db, now_ms: int) -> int:
    """Files of what was wrong do not lie about for long; how many went."""
    return desk.run("UPDATE upload SET wrong = '' WHERE wrong <> '' AND at_ms < :then", then=now_ms - KEPT_MS)


def digest(raw: bytes) -> str:
    """What tells that a file is the same again."""
    return hashlib.sha256(raw).hexdigest()


def campaigns(events: Db) -> list[str]:
    """The campaigns that boxes have told of."""
    told = events.rows("SELECT DISTINCT campaign FROM store WHERE campaign <> '' ORDER BY campaign")
    return [row["campaign"] for row in told]
