"""Requests to be forgotten, at the desk: asked, waited for, carried out by the receiver, proved by a report.

Rules of this room
- Whoever asks is suppressed at once, in all boxes. Where the law says to keep what there is for a time, the day is
  told, and the erasure comes by itself.
- The number stays in the request until all of it is done: the receiver has obeyed, and every box has taken the order
  to write to her no more, or was away for a day. Then the desk's own tables forget it, both stores are searched, and
  the report is written.
- A report holds counts and no number. It says what is not headquarters': the boxes' own ledgers, and backups.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from sync.hq.desk import gather
from sync.hq.people import erasure, search, stops, suppression
from sync.hq.people.profiles import DAY_MS, Profile, erase_from
from sync.hq.sql import Db, Row

SOON_MS = 60_000
PATIENCE_MS = DAY_MS  # so long a box may be away before its order is given up: some laws leave two days in all
_ASK = (
    "INSERT INTO erasure (caller, hash, asked_ms, by, reason, due_ms, report)"
    " VALUES (:caller, :hash, :now, :by, :reason, :due, '') RETURNING id"
)
_OPEN = "SELECT id, caller, due_ms FROM erasure WHERE done_ms IS NULL ORDER BY id"
_UNANSWERED = "SELECT box, number FROM orders WHERE verb = 'opt-out' AND args LIKE :like"
NOT_OURS = (
    "Each box keeps its own ledger, which it has written before it told headquarters; it was told to write to this"
    " number no more. Copies and backups made before are outside of this search.",
)


class Asked(NamedTuple):
    """A request: its id, and from when it may be carried out."""

    id: int
    due_ms: int


def ask(
    events: Db, desk: Db, secret: bytes, law: Profile, caller: str, by: str, reason: str, now_ms: int
) -> Asked:
    """Suppress somebody, and write down that she wants to be forgotten, within the caller's transaction. Asked twice,
    it is the same request."""
    open_one = desk.row("SELECT id, due_ms FROM erasure WHERE caller = :caller AND done_ms IS NULL", caller=caller)
    if open_one:
        return Asked(open_one["id"], open_one["due_ms"])
    stops.stop(desk, secret, caller, now_ms, "")
    due = erase_from(law, now_ms, newest(events, caller))
    id = desk.value(_ASK, caller=caller, hash=suppression.keyed(secret, caller), now=now_ms, by=by, reason=reason,
                    due=due)  # fmt: skip
    return Asked(int(id), due)


def newest(events: Db, caller: str) -> int | None:
    """When anything was last heard of somebody; None when nothing is held."""
    told = events.value("SELECT max(at_ms) FROM event WHERE caller = :caller", caller=caller)
    return None if told is None else int(told)


def postpone(events: Db, desk: Db, law: Profile, now_ms: int) -> int:
    """Requests that are about to be due, but for whom something younger is held than the law lets go: their new day."""
    moved = 0
    if not law.keep_days:
        return 0
    for row in desk.rows(_OPEN):
        if row["caller"] and row["due_ms"] <= now_ms + SOON_MS:
            due = erase_from(law, row["due_ms"], newest(events, row["caller"]))
            if due > row["due_ms"]:
                moved += desk.run("UPDATE erasure SET due_ms = :due WHERE id = :id", due=due, id=row["id"])
    return moved


def finish(events: Db, desk: Db, data: Path, now_ms: int) -> list[int]:
    """Write the reports of requests that the receiver has carried out; their ids."""
    waiting = desk.rows(_OPEN)
    if not waiting or not _is_there(events, "erased"):
        return []
    carried = {row["id"]: row for row in events.rows("SELECT id, at_ms, told FROM erased")}
    done = []
    for row in waiting:
        if row["id"] not in carried:
            continue
        untold = _unanswered(events, desk, row["caller"])
        if not untold or now_ms - row["due_ms"] > PATIENCE_MS:
            _finish(events, desk, data, row, carried[row["id"]], untold, now_ms)
            done.append(row["id"])
    return done


def _unanswered(events: Db, desk: Db, caller: str) -> int:
    """Boxes that have not yet taken the order to write to her no more."""
    if not caller:
        return 0
    answered = {(row["box"], row["number"]) for row in events.rows("SELECT box, number FROM ordered")}
    given = desk.rows(_UNANSWERED, like=f"%{search.digits(caller)}%")
    waiting = {row["box"] for row in given if (row["box"], row["number"]) not in answered}
    told = {row["box"]: row["id"] for row in desk.rows("SELECT box, id FROM stop_told")}
    for stop in desk.rows("SELECT id, box FROM stop WHERE caller = :caller", caller=caller):
        for row in events.rows("SELECT DISTINCT box FROM store"):
            if row["box"] != stop["box"] and told.get(row["box"], 0) < stop["id"]:
                waiting.add(row["box"])
    return len(waiting)


def _finish(events: Db, desk: Db, data: Path, request: Row, carried: Row, untold: int, now_ms: int) -> None:
    caller, name = request["caller"], erasure.token(request["id"])
    found: dict[str, int] = {}
    left: dict[str, int] = {}
    if caller:
        if desk.kind == "sqlite":
            desk.raw.execute("PRAGMA secure_delete = ON")
        with desk.transaction():
            desk.run("DELETE FROM follow_note WHERE follow_id IN (SELECT id FROM follow WHERE caller = :c)", c=caller)
            gather.forget(desk, _things(desk, caller))
            desk.run("UPDATE stop SET caller = '' WHERE caller = :caller", caller=caller)
            desk.run("UPDATE outcome SET note = '' WHERE caller = :caller", caller=caller)
            found = _rename(desk, caller, name)
            found |= search.replace(desk, caller, name)
            desk.run("UPDATE erasure SET caller = '' WHERE id = :id", id=request["id"])
        search.scrub(desk, data / "desk.db", caller)
        left = searched(events, desk, data, caller)
    report = {
        "request": request["id"], "carried_out_ms": carried["at_ms"], "found": json.loads(carried["told"]),
        "found_at_desk": found, "left": left, "searched": bool(caller), "untold": untold, "not_ours": NOT_OURS,
    }  # fmt: skip
    desk.run("UPDATE erasure SET done_ms = :now, report = :report WHERE id = :id", now=now_ms, id=request["id"],
             report=json.dumps(report, sort_keys=True))  # fmt: skip


def _things(desk: Db, caller: str) -> list[tuple[int, int]]:
    """What lies on the desk from somebody: words that she wrote, and notes about her."""
    rows = desk.rows("SELECT store_id, seq FROM desk_thing WHERE caller = :caller", caller=caller)
    return [(row["store_id"], row["seq"]) for row in rows]


def _rename(desk: Db, caller: str, name: str) -> dict[str, int]:
    found = {}
    for table in search.with_callers(desk, "desk"):
        if table not in ("erasure", "stop"):
            change = f"UPDATE {table} SET caller = :name WHERE caller = :caller"
            found[table] = desk.run(change, name=name, caller=caller)
    return {table: n for table, n in found.items() if n}


def searched(events: Db, desk: Db, data: Path, caller: str) -> dict[str, int]:
    """Where the number still stands: SQLite's files byte by byte, PostgreSQL's tables text by text."""
    if events.kind == "sqlite":
        return search.in_files(data / "hq.db", caller) | search.in_files(data / "desk.db", caller)
    return search.rows_with(events, caller) | search.rows_with(desk, caller, "desk")


def _is_there(events: Db, table: str) -> bool:
    if events.kind == "sqlite":
        return bool(events.value("SELECT count(*) FROM sqlite_schema WHERE name = :table", table=table))
    return events.value("SELECT to_regclass(:table)", table=f"public.{table}") is not None


def told(report: str) -> str:
    """A report as a text that can be handed out."""
    if not report:
        return ""
    facts = json.loads(report)
    lines = [f"Erasure {facts['request']}", ""]
    lines += [f"found and made nobody's in {place}: {n}" for place, n in facts["found"].items()]
    lines += [f"found and made nobody's at the desk in {place}: {n}" for place, n in facts["found_at_desk"].items()]
    lines += ["", "Searched for the number afterwards:" if facts["searched"] else "The search was cut short."]
    lines += [f"  {place}: {n} times" for place, n in facts["left"].items()]
    if facts["untold"]:
        lines.append(f"Boxes that were away and were not told to write to this number no more: {facts['untold']}")
    if facts["searched"] and not any(facts["left"].values()):
        lines += ["  it stands nowhere in headquarters' stores"]
    return "\n".join([*lines, "", *facts["not_ours"], ""])
