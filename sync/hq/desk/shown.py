"""Things as a page shows them: numbers masked, times of the zone that most boxes are in, what may be done next.

Pure but for the zone; no whole number of a caller leaves this room.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

from edge import words
from edge.numbers import mask
from sync.hq.desk import inbox, states
from sync.hq.sql import Db, Row

TONES = {
    "new": "warn", "assigned": "busy", "contacted": "busy", "resolved": "good", "verified": "good", "reopened": "bad",
}  # fmt: skip
# what was done -> how a page says it; a tag's name, and an unknown act, stand for themselves
DID = {
    "assign": "assigned", "not-reached": "not reached", "contacted": "contacted", "resolved": "resolved",
    "reopened": "reopened", "verified": "verified by the caller", "poor": "reopened by the caller", "note": "note",
    "sms": "SMS ordered", "call-back": "call back ordered", "tag": "tagged", "untag": "tag taken away",
}  # fmt: skip
Say = Callable[..., str]


def thing(
    row: Row, tags: Sequence[Row], names: Mapping[int, str], now_ms: int, where: tzinfo, say: Say
) -> dict[str, Any]:
    """One thing for a template. `names` are accounts' names by their id."""
    standing = inbox.standing(row)
    return {
        "id": row["id"], "name": row["name"], "ledger": row["name"].partition("-")[0], "seq": row["seq"],
        "kind": row["kind"], "state": row["state"], "tone": TONES[row["state"]],
        "version": row["version"], "caller": mask(row["caller"]) if row["caller"] else "",
        "repliable": repliable(row["caller"]), "when": clock_time(row["at_ms"], now_ms, where),
        "box": row["box"], "line": row["line"], "district": row["district"], "campaign": row["campaign"],
        "language": row["language"], "reference": row["reference"], "seconds": row["seconds"], "said": row["said"],
        "words": words.plain(row["words"]), "assignee": row["assignee"], "whose": names.get(row["assignee"], ""),
        "tries": row["tries"], "due": due(row, now_ms, say), "overdue": states.overdue(standing, now_ms),
        "tags": [{"tag": each["tag"], "by": each["by"]} for each in tags], "may": states.allowed(row["state"]),
    }  # fmt: skip


def repliable(caller: str) -> bool:
    """Can something be sent to this caller at all?"""
    return caller.startswith("+")


def due(row: Row, now_ms: int, say: Say) -> str:
    """What is left of the time that was promised, or by how much it is over; "" without a clock, or once it stands."""
    if row["due_ms"] is None or row["state"] not in states.WAITING:
        return ""
    left = row["due_ms"] - now_ms
    hours, minutes = divmod(abs(left) // 60_000, 60)
    return say("{hours} h {minutes} min left" if left >= 0 else "{hours} h {minutes} min too late",
               hours=hours, minutes=minutes)  # fmt: skip


def clock_time(at_ms: int, now_ms: int, where: tzinfo) -> str:
    """A moment as a wall clock there shows it, with its date when that is not today; a box's clock may say anything."""
    try:
        at, now = (datetime.fromtimestamp(moment / 1000, where) for moment in (at_ms, now_ms))
    except (ValueError, OverflowError, OSError):
        return "?"
    return f"{at:%H:%M}" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M}"


def history(
    acts: Sequence[Row], answered: Mapping[tuple[str, int], Row], now_ms: int, where: tzinfo
) -> list[dict[str, str]]:
    """What was done with a thing. `answered`: what boxes said of orders."""
    told = []
    for act in acts:
        did, _, what = act["did"].partition(" ")
        answer = answered.get((act["box"], act["number"]))
        told.append({
            "when": clock_time(act["at_ms"], now_ms, where), "by": act["by"], "did": DID.get(did, did),
            "what": what, "note": words.plain(act["note"]), "order": str(act["number"] or ""),
            "fate": "" if not act["number"] else answer["state"] if answer else "waiting",
            "why": words.plain(answer["why"]) if answer else "",
        })  # fmt: skip
    return told


def answered(events: Db, acts: Sequence[Row]) -> dict[tuple[str, int], Row]:
    """What boxes said of the orders that these acts gave."""
    query = "SELECT state, why FROM ordered WHERE box = :box AND number = :number"
    found = {}
    for act in acts:
        if act["number"] and (row := events.row(query, box=act["box"], number=act["number"])):
            found[act["box"], act["number"]] = row
    return found
