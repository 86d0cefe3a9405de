"""Opt-outs: said to any box or to the desk, kept as hashes, and carried to every other box as orders.

Rules of this room
- `collect` reads what boxes have sent on from its mark, `spread` gives the orders on from each box's mark: done twice,
  or killed between, neither does anything twice. A box that is new is told of everybody.
- A box is told by one order to one of its lines: the lines of a box look at each other's opt-outs before they send.
- A number stays in `stop` because boxes that come later must be told of it; erasing somebody takes it away, and then
  only the hash is left, against which everything that headquarters itself sends is held.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from sync import orders as verbs
from sync.hq.people import suppression
from sync.hq.sql import Db, Row

AT_ONCE = 2000  # opt-outs read, and orders given, in one transaction at most
E164 = re.compile(verbs.VERBS["call-back"]["number"])
_NEW = (
    "SELECT store_id, seq, caller, at_ms FROM optout WHERE store_id = :store AND seq > :seq ORDER BY seq"
    f" LIMIT {AT_ONCE}"
)
_LEDGERS = (
    "SELECT store.id AS id, store.box AS box, line, hwm, coalesce(district, '') AS district FROM store"
    " LEFT JOIN box ON box.box = store.box"
)
_LINES = "SELECT box, line FROM store WHERE id IN (SELECT max(id) FROM store GROUP BY box) ORDER BY box"
_SET_MARK = (
    "INSERT INTO read_mark (job, store_id, seq) VALUES (:job, :store, :seq)"
    " ON CONFLICT (job, store_id) DO UPDATE SET seq = excluded.seq"
)
_STOP = "INSERT INTO stop (caller, at_ms, box) VALUES (:caller, :at_ms, :box)"
_TOLD = "INSERT INTO stop_told (box, id) VALUES (:box, :id) ON CONFLICT (box) DO UPDATE SET id = excluded.id"
_UNTOLD = "SELECT id, caller, box FROM stop WHERE id > :told ORDER BY id LIMIT :most"
_END_LISTS = (
    "UPDATE follow SET state = 'dropped', changed_ms = :now WHERE caller = :caller AND state NOT IN ('done', 'dropped')"
)

Seen = dict[tuple[str, int], int]  # job and ledger: its mark when there was nothing more in it for that job
# desk, events, box, line, verb, args, by, now_ms -> the order's number for that box
Order = Callable[[Db, Db, str, str, str, dict[str, str], str, int], int]


def ledger(events: Db, id: int) -> Row | None:
    """A ledger, with whose it is."""
    return events.row(f"{_LEDGERS} WHERE store.id = :id", id=id)


def marks(desk: Db, job: str) -> dict[int, int]:
    """How far that job has read, by ledger."""
    return {row["store_id"]: row["seq"] for row in desk.rows("SELECT * FROM read_mark WHERE job = :job", job=job)}


def move_mark(desk: Db, job: str, store: int, seq: int) -> None:
    desk.run(_SET_MARK, job=job, store=store, seq=seq)


def stop(desk: Db, secret: bytes, caller: str, at_ms: int, box: str) -> bool:
    """Somebody wants nothing more, within the caller's transaction; False when that was known."""
    new = suppression.add(desk, secret, caller, at_ms, box or "desk")
    if new:
        desk.run(_STOP, caller=caller, at_ms=at_ms, box=box)
    desk.run(_END_LISTS, caller=caller, now=at_ms)
    return new


def unread(events: Db, desk: Db, job: str, query: str, seen: Seen) -> Iterator[tuple[Row, list[Row]]]:
    """Each ledger in which there is something new for that job, and it: what `query` finds behind its mark. A ledger
    that has not grown since it was last `seen` is not asked."""
    read = marks(desk, job)
    for ledger in events.rows(f"{_LEDGERS} ORDER BY store.id"):
        place = job, ledger["id"]
        if seen.get(place) == ledger["hwm"]:
            continue
        if rows := events.rows(query, store=ledger["id"], seq=read.get(ledger["id"], 0)):
            yield ledger, rows
        else:
            seen[place] = ledger["hwm"]


def collect(events: Db, desk: Db, secret: bytes, seen: Seen | None = None) -> int:
    """Read on what boxes have sent; how many opt-outs were new."""
    found = 0
    for ledger, rows in unread(events, desk, "stops", _NEW, {} if seen is None else seen):
        with desk.transaction():
            for row in rows:
                if E164.fullmatch(row["caller"]):
                    found += stop(desk, secret, row["caller"], row["at_ms"], ledger["box"])
            move_mark(desk, "stops", ledger["id"], rows[-1]["seq"])
    return found


def spread(events: Db, desk: Db, order: Order, now_ms: int) -> int:
    """Give every box the orders that it lacks; how many. What is left over is given the next time."""
    newest = desk.value("SELECT coalesce(max(id), 0) FROM stop")
    told = {row["box"]: row["id"] for row in desk.rows("SELECT box, id FROM stop_told")}
    given = 0
    for place in events.rows(_LINES):
        box, upto = place["box"], told.get(place["box"], 0)
        if upto >= newest or given >= AT_ONCE:
            continue
        with desk.transaction():
            for row in desk.rows(_UNTOLD, told=upto, most=AT_ONCE - given):
                upto = row["id"]
                if row["caller"] and row["box"] != box:
                    order(desk, events, box, place["line"], "opt-out", {"number": row["caller"]}, "opt-outs", now_ms)
                    given += 1
            desk.run(_TOLD, box=box, id=upto)
    return given
