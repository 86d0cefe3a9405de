"""What people do with a thing: moves, assignment, tags, notes.  Each within a transaction that the log tells of.

Rules of this room
- A move names the version that its maker saw. Who comes second is told so (`Changed`) and nothing of hers is written;
  tags and notes only add, so they never stand in each other's way.
- A move of a case is told to its box in the same transaction, so that its caller hears it when she rings again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from sync.hq import orders
from sync.hq.desk import inbox, search, states
from sync.hq.sql import Db, Row

LONGEST_TAG, LONGEST_NOTE = 40, 2000
_NUMBER = re.compile(r"\d{6}")
_MOVE = """
UPDATE desk_thing SET state = :state, due_ms = CAST(:due AS BIGINT), assignee = :assignee, tries = :tries,
    contacted_ms = CAST(:contacted AS BIGINT), changed_ms = :now, version = version + 1
WHERE id = :id AND version = :version
"""
_ACT = (
    "INSERT INTO desk_act (thing, at_ms, by, did, note, box, number)"
    " VALUES (:thing, :now, :by, :did, :note, :box, :number)"
)
_TAG = "INSERT INTO desk_tag VALUES (:thing, :tag, :at, :by) ON CONFLICT (thing, tag) DO NOTHING"

# gives an order to a box: box, line, verb, args -> its number there
Order = Callable[[str, str, str, dict[str, str]], int]


class Changed(Exception):
    """Somebody else was quicker. `name` is the thing's."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} was changed by somebody else meanwhile")
        self.name = name


def move(
    desk: Db, row: Row, version: int, verb: states.Verb, by: str, now_ms: int, assignee: int = 0, note: str = "",
    order: Order | None = None,
) -> str:  # fmt: skip
    """Make a move; returns why its box could not be told, "" when it was or need not be.

    Raises `Changed`, or `states.Illegal`."""
    was = inbox.standing(row)
    now = states.move(was, verb, now_ms, assignee)
    changed = desk.run(
        _MOVE, state=now.state, due=now.due_ms, assignee=now.assignee, tries=now.tries, contacted=now.contacted_ms,
        now=now_ms, id=row["id"], version=version,
    )  # fmt: skip
    if not changed:
        raise Changed(row["name"])
    box, number, trouble = "", 0, ""
    if order and row["kind"] == "case" and row["reference"] and now.state != was.state:
        try:
            number = order(row["box"], row["line"], "case", {"reference": row["reference"], "state": now.state})
            box = row["box"]
        except orders.Refused as why:
            trouble = str(why)
    record(desk, row["id"], by, verb, now_ms, note, box, number)
    return trouble


def record(
    desk: Db, thing: int, by: str, did: str, now_ms: int, note: str = "", box: str = "", number: int = 0
) -> None:
    """Write into a thing's own history; a note can be found by its words."""
    note = note.strip()[:LONGEST_NOTE]
    desk.run(_ACT, thing=thing, now=now_ms, by=by, did=did, note=note, box=box, number=number)
    if note:
        _index(desk, thing)


def tag(desk: Db, row: Row, text: str, by: str, now_ms: int) -> str:
    """Tag a thing by hand; the tag as it was written, "" when there was none in `text` or the thing has it already."""
    name = tidy(text)
    if not name or not desk.run(_TAG, thing=row["id"], tag=name, at=row["at_ms"], by=by):
        return ""
    record(desk, row["id"], by, f"tag {name}", now_ms)
    return name


def untag(desk: Db, row: Row, name: str, by: str, now_ms: int) -> bool:
    """Take a tag away that was given by hand; one of the caller's own key path stays."""
    gone = desk.run("DELETE FROM desk_tag WHERE thing = :id AND tag = :tag AND by <> ''", id=row["id"], tag=name)
    if gone:
        record(desk, row["id"], by, f"untag {name}", now_ms)
    return bool(gone)


def packed(args: Mapping[str, str]) -> str:
    """The particulars of an order as they are checked and kept."""
    return json.dumps(dict(args), separators=(",", ":"))


def tidy(text: str) -> str:
    """A tag as it is kept: small letters, one word, no comma; "" for what is none, or may be somebody's number."""
    name = "-".join(text.replace(",", " ").casefold().split())[:LONGEST_TAG]
    return "" if not name.isprintable() or _NUMBER.search(name.replace("-", "")) else name


def _index(desk: Db, thing: int) -> None:
    row = desk.row("SELECT words FROM desk_thing WHERE id = :id", id=thing)
    notes = desk.rows("SELECT note FROM desk_act WHERE thing = :id AND note <> '' ORDER BY id", id=thing)
    search.put(desk, thing, " ".join([row["words"] if row else "", *(each["note"] for each in notes)]))
