"""What of the desk's things is shown: filters, an order, pages by key, counts, and what one caller has left.

Rules of this room
- Only reads the desk store. Every filter has an index that is in the order of the page, so that a page costs its
  length; a page begins behind the key of the one before (`Key`), never at a number of rows.
- A count stops at `MOST`: more than that is told as more.
- Rows hold whole numbers of callers: who shows them, masks them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sync.hq.desk import states
from sync.hq.desk.states import OPEN, STATES, WAITING
from sync.hq.sql import Db, Row

PAGE = 30
MOST = 1000
LOOKED_AT = 20_000
KINDS = ("case", "recording", "letter")
ORDERS = ("newest", "due")
# as the partial indexes have them: in a list of states that are meant, SQLite would rather take each state's own index
_OPEN = f"NOT IN ({', '.join(repr(str(state)) for state in STATES if state not in OPEN)})"
_WAITING = f"NOT IN ({', '.join(repr(str(state)) for state in STATES if state not in WAITING)})"


class Filters(NamedTuple):
    """What is asked for. `state` one of `STATES`, "open" or "all"; `assignee` an account, 0 anybody's, -1 nobody's."""

    kind: str = ""
    state: str = "open"
    campaign: str = ""
    district: str = ""
    tag: str = ""
    assignee: int = 0
    overdue: bool = False
    order: str = "newest"

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Filters:
        """Out of an address; what makes no sense there asks for nothing."""
        kind, state, order = query.get("kind", ""), query.get("state", "open"), query.get("order", "newest")
        who = query.get("assignee", "")
        return cls(
            kind if kind in KINDS else "",
            state if state in (*STATES, "open", "all") else "open",
            query.get("campaign", "")[:64], query.get("district", "")[:64], query.get("tag", "")[:64],
            -1 if who == "nobody" else int(who) if who.isascii() and who.isdigit() and len(who) < 10 else 0,
            query.get("overdue") == "1", order if order in ORDERS else "newest",
        )  # fmt: skip

    def told(self) -> dict[str, str]:
        """As an address says it; what is usual stays away."""
        whose = {0: "", -1: "nobody"}.get(self.assignee, str(self.assignee))
        every = {
            "kind": self.kind, "state": "" if self.state == "open" else self.state, "campaign": self.campaign,
            "district": self.district, "tag": self.tag, "assignee": whose, "overdue": "1" if self.overdue else "",
            "order": "" if self.order == "newest" else self.order,
        }  # fmt: skip
        return {name: value for name, value in every.items() if value}


class Key(NamedTuple):
    """The last row of a page: the next one begins behind it. In an address: two numbers in base 16."""

    at: int
    id: int

    @classmethod
    def read(cls, text: str) -> Key | None:
        at, _, number = text.partition(".")
        try:
            return cls(int(at[:15], 16), int(number[:15], 16))
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.at:x}.{self.id:x}"


def page(desk: Db, filters: Filters, now_ms: int, after: Key | None = None, most: int = PAGE) -> list[Row]:
    """At most `most` things behind `after`."""
    query, values = statement(filters, now_ms, after, most)
    return desk.rows(query, values)


def key(row: Row, filters: Filters) -> Key:
    """Where a page that ends with this row ends."""
    return Key(row["due_ms"] if by_due(filters) else row["at_ms"], row["id"])


def by_due(filters: Filters) -> bool:
    """Those that are due first come first; what is overdue is always told so."""
    return filters.order == "due" or filters.overdue


def statement(filters: Filters, now_ms: int, after: Key | None, most: int) -> tuple[str, dict[str, Any]]:
    """The query of a page and its values."""
    table, conditions, values = _asked(filters, now_ms)
    values["most"] = most
    at = "g.at_ms" if filters.tag and not by_due(filters) else "t.due_ms" if by_due(filters) else "t.at_ms"
    number = "g.thing" if filters.tag and not by_due(filters) else "t.id"
    if after:
        values |= {"after_at": after.at, "after_id": after.id}
        than = ">" if by_due(filters) else "<"
        conditions.append(f"({at}, {number}) {than} (:after_at, :after_id)")
    where = f"WHERE {' AND '.join(conditions)} " if conditions else ""
    way = "" if by_due(filters) else " DESC"
    return f"SELECT t.* FROM {table} {where}ORDER BY {at}{way}, {number}{way} LIMIT :most", values


def counts(desk: Db, filters: Filters, now_ms: int) -> dict[str, int]:
    """How many there are in each state, and overdue, with the other filters as they are; `MOST` + 1 means more.

    What is closed grows for years: where another filter asks to look at each thing, only the open ones are counted, the
    newest `LOOKED_AT` of them."""
    bare = Filters(state=filters.state, overdue=filters.overdue, order=filters.order)
    if filters != bare:
        return _counts_of_open(desk, filters, now_ms)
    found = {}
    for name in (*STATES, "overdue"):
        asked = Filters(state="open" if name == "overdue" else name, overdue=name == "overdue")
        table, conditions, values = _asked(asked, now_ms)
        them = f"SELECT 1 FROM {table} WHERE {' AND '.join(conditions)} LIMIT {MOST + 1}"
        found[name] = int(desk.value(f"SELECT count(*) FROM ({them}) AS them", values))
    return found


def _counts_of_open(desk: Db, filters: Filters, now_ms: int) -> dict[str, int]:
    _, conditions, values = _asked(filters._replace(state="all", overdue=False, order="newest", tag=""), now_ms)
    if filters.tag:
        conditions.append("EXISTS (SELECT 1 FROM desk_tag AS g WHERE g.thing = t.id AND g.tag = :tag)")
        values["tag"] = filters.tag
    latest = f"SELECT * FROM desk_thing WHERE state {_OPEN} ORDER BY at_ms DESC, id DESC LIMIT {LOOKED_AT}"
    query = (
        "SELECT t.state, count(*) AS n, sum(CASE WHEN t.state <> 'contacted' AND t.due_ms > 0 AND t.due_ms < :now"
        f" THEN 1 ELSE 0 END) AS late FROM ({latest}) AS t WHERE {' AND '.join(conditions)} GROUP BY t.state"
    )
    rows = desk.rows(query, {**values, "now": now_ms})
    found: dict[str, int] = {state: 0 for state in STATES if state in OPEN}
    return found | {row["state"]: row["n"] for row in rows} | {"overdue": sum(row["late"] for row in rows)}


def one(desk: Db, name: str) -> Row | None:
    """A thing by its name."""
    return desk.row("SELECT * FROM desk_thing WHERE name = :name", name=name)


def some(desk: Db, ids: list[int]) -> list[Row]:
    """These things, in this order."""
    found = [desk.row("SELECT * FROM desk_thing WHERE id = :id", id=number) for number in ids]
    return [row for row in found if row]


def of_caller(desk: Db, caller: str, but: int = 0, most: int = 20) -> list[Row]:
    """What this caller has left, newest first; nothing of one who hides her number."""
    query = (
        "SELECT * FROM desk_thing WHERE caller = :caller AND caller <> '' AND id <> :but"
        " ORDER BY at_ms DESC LIMIT :most"
    )
    return desk.rows(query, caller=caller, but=but, most=most)


def by_number(desk: Db, text: str) -> list[Row]:
    """Things of the caller with this whole number, or the case with this reference; nothing for other texts."""
    digits = "".join(char for char in text if char.isascii() and char.isdigit())
    if len(digits) < 4 or len(digits) < len("".join(text.split())) - 4:
        return []
    found = desk.rows("SELECT * FROM desk_thing WHERE reference = :digits AND reference <> ''", digits=digits)
    return found + of_caller(desk, f"+{digits}")


def tags(desk: Db, ids: list[int]) -> dict[int, list[Row]]:
    """The tags of these things."""
    return {
        number: desk.rows("SELECT tag, by FROM desk_tag WHERE thing = :id ORDER BY tag", id=number) for number in ids
    }


def all_tags(desk: Db, most: int = 200) -> list[str]:
    """Every tag that some thing has, without reading all of them."""
    query = """
    WITH RECURSIVE each (tag) AS (
        SELECT min(tag) FROM desk_tag
        UNION ALL SELECT (SELECT min(d.tag) FROM desk_tag AS d WHERE d.tag > each.tag) FROM each
            WHERE each.tag IS NOT NULL
    ) SELECT tag FROM each WHERE tag IS NOT NULL LIMIT :most
    """
    return [row["tag"] for row in desk.rows(query, most=most)]


def acts(desk: Db, thing: int) -> list[Row]:
    """What was done with a thing, oldest first."""
    return desk.rows("SELECT * FROM desk_act WHERE thing = :thing ORDER BY id", thing=thing)


def _asked(filters: Filters, now_ms: int) -> tuple[str, list[str], dict[str, Any]]:
    """Tables, conditions and values. States are words of ours: they stand in the query itself."""
    table = "desk_thing AS t"
    conditions: list[str] = []
    values: dict[str, Any] = {}
    if filters.tag:
        table = "desk_tag AS g JOIN desk_thing AS t ON t.id = g.thing"
        conditions.append("g.tag = :tag")
        values["tag"] = filters.tag
    for name in ("kind", "campaign", "district"):
        if value := getattr(filters, name):
            conditions.append(f"t.{name} = :{name}")
            values[name] = value
    if filters.assignee > 0:
        conditions.append("t.assignee = :assignee AND t.assignee > 0")
        values["assignee"] = filters.assignee
    elif filters.assignee < 0:
        conditions.append("t.assignee = 0")
    if by_due(filters):
        conditions.append(f"t.due_ms > 0 AND t.state {_WAITING}")
        if filters.state in WAITING:
            conditions.append(f"t.state = '{filters.state}'")
        elif filters.state not in ("open", "all"):
            conditions.append("1 = 0")  # the clock of these stands still
    elif filters.state in STATES:
        conditions.append(f"t.state = '{filters.state}'")
    elif filters.state == "open":
        conditions.append(f"t.state {_OPEN}")
    if filters.overdue:
        conditions.append("t.due_ms < :now")
        values["now"] = now_ms
    return table, conditions, values


def standing(row: Row) -> states.Standing:
    """How a thing of the inbox stands."""
    return states.Standing(row["state"], row["due_ms"], row["assignee"], row["tries"], row["contacted_ms"])
