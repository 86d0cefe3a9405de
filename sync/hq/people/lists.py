"""Follow-up lists: who wants to be rung by a person, ward by ward.

Rules of this room
- A missed call is permission for one reply and nothing more. On a list is only who has said so a second time: agreed by
  key, or asked by SMS; or whom the desk puts there with the thing that she sent (never with a call alone).
- Her ward is what she keyed, else what she wrote, else what the desk says, else the ward of the line; the list says
  which. The desk's word about a ward stands above all, once it was given.
- Who wants nothing more is on no list. An entry expires after two weeks: no volunteer sees it then, unless somebody
  renews it. A consent that is half a year old is asked for again, not used.
- A volunteer sees the list of her own ward, and nobody is on it for whom no ward is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.hq.doors.roles import User
from sync.hq.people import stops, suppression, wishes
from sync.hq.people.profiles import DAY_MS
from sync.hq.sql import Db, Row

STATES = ("open", "tried", "reached", "done", "dropped")
EXPIRES_MS, STALE_MS = 14 * DAY_MS, 180 * DAY_MS
AT_ONCE = 1000
NOWHERE = "-"  # asks for the list of those whose ward is not known
THINGS = ("recording", "letter", "answer", "consent", "grievance")  # second positive acts, which the desk may name
_NEW = {
    "consent": "SELECT store_id, seq, campaign, at_ms, caller, language, purpose AS said FROM consent"
               f" WHERE store_id = :store AND seq > :seq ORDER BY seq LIMIT {AT_ONCE}",
    "sms": "SELECT store_id, seq, campaign, at_ms, caller, '' AS language, text AS said FROM letter"
           f" WHERE store_id = :store AND seq > :seq ORDER BY seq LIMIT {AT_ONCE}",
}  # fmt: skip
_KEYED = (
    "SELECT value FROM answer WHERE caller = :caller AND (issue = 'ward' OR node = 'ward') ORDER BY at_ms DESC LIMIT 1"
)
_WRITTEN = "SELECT text FROM letter WHERE caller = :caller ORDER BY at_ms DESC LIMIT 20"
_ADD = (
    "INSERT INTO follow (caller, campaign, store_id, seq, asked, asked_ms, language, district, ward, source, state,"
    " tries, made_ms, expires_ms, changed_ms) VALUES (:caller, :campaign, :store_id, :seq, :asked, :asked_ms,"
    " :language, :district, :ward, :source, 'open', 0, :now, :expires, :now)"
    " ON CONFLICT (caller, campaign) DO NOTHING"
)
_LIST = (
    "SELECT f.*, (SELECT note FROM follow_note AS n WHERE n.follow_id = f.id AND note <> '' ORDER BY n.id DESC LIMIT 1)"
    " AS last_note FROM follow AS f WHERE {where} ORDER BY CASE state WHEN 'open' THEN 0 WHEN 'tried' THEN 1"
    " WHEN 'reached' THEN 2 ELSE 3 END, asked_ms, id LIMIT 500"
)


def gather(events: Db, desk: Db, secret: bytes, now_ms: int, seen: stops.Seen | None = None) -> int:
    """Read on what boxes have sent, and put those on the lists who asked for it; how many."""
    added = 0
    for asked, query in _NEW.items():
        job = f"list-{asked}"
        for ledger, rows in stops.unread(events, desk, job, query, {} if seen is None else seen):
            with desk.transaction():
                for row in rows:
                    if wishes.wants(asked, row["said"]) and row["at_ms"] > now_ms - STALE_MS:
                        added += add(events, desk, secret, ledger, {**row, "asked": asked}, now_ms)
                stops.move_mark(desk, job, ledger["id"], rows[-1]["seq"])
    return added


def add(events: Db, desk: Db, secret: bytes, ledger: Row, thing: Mapping[str, Any], now_ms: int) -> int:
    """Put somebody on a list, within the caller's transaction; 0 when she is there, or may be on none."""
    caller = thing["caller"]
    if not stops.E164.fullmatch(caller) or suppression.is_suppressed(desk, secret, caller):
        return 0
    ward, source = where(events, desk, caller, ledger["box"], ledger["line"])
    values = {
        **{name: thing[name] for name in ("caller", "campaign", "store_id", "seq", "asked", "language")},
        "asked_ms": thing["at_ms"], "district": ledger["district"], "ward": ward, "source": source, "now": now_ms,
        "expires": now_ms + EXPIRES_MS,
    }  # fmt: skip
    return desk.run(_ADD, values)


def where(events: Db, desk: Db, caller: str, box: str, line: str) -> tuple[str, str]:
    """Somebody's ward, and how it is known; ("", "") when it is not."""
    if keyed := events.value(_KEYED, caller=caller):
        return str(keyed), "key"
    for row in events.rows(_WRITTEN, caller=caller):
        if named := wishes.ward(row["text"]):
            return named, "sms"
    of_line = desk.value("SELECT ward FROM line_ward WHERE box = :box AND line = :line", box=box, line=line)
    return (str(of_line), "line") if of_line else ("", "")


def by_desk(events: Db, desk: Db, secret: bytes, store_id: int, seq: int, ward: str, now_ms: int) -> int:
    """The desk puts the sender of a thing on a list, within the caller's transaction. 0 when she is there already, or
    wants nothing more; -1 when there is no such thing, or it is only a call."""
    ledger = stops.ledger(events, store_id)
    for table in THINGS if ledger else ():
        thing = events.row(f"SELECT * FROM {table} WHERE store_id = :store AND seq = :seq", store=store_id, seq=seq)
        if thing and ledger:
            added = add(events, desk, secret, ledger, {"language": "", **thing, "asked": "desk"}, now_ms)
            if ward and added:
                desk.run("UPDATE follow SET ward = :ward, source = 'desk' WHERE store_id = :store AND seq = :seq",
                         ward=ward, store=store_id, seq=seq)  # fmt: skip
            return added
    return -1


def of_ward(desk: Db, user: User, now_ms: int, ward: str = "", state: str = "") -> list[Row]:
    """The list that somebody may see: a volunteer her ward's, what has not expired; others any, or all of them."""
    where = ["1 = 1"]
    if user.role == "volunteer":
        where.append("ward = :ward AND ward <> '' AND expires_ms > :now AND (district = :district OR :district = '')")
        ward = user.ward
    elif ward:
        where.append("ward = :ward")
        ward = "" if ward == NOWHERE else ward
    where.append("state = :state" if state in STATES else "state NOT IN ('done', 'dropped')")
    values = {"ward": ward, "district": user.district, "now": now_ms, "state": state}
    return desk.rows(_LIST.format(where=" AND ".join(where)), values)


def mine(desk: Db, user: User, id: int, now_ms: int) -> Row | None:
    """An entry, if that user may see it."""
    row = desk.row("SELECT * FROM follow WHERE id = :id", id=id)
    if row is None or user.role != "volunteer":
        return row
    seen = row["ward"] == user.ward != "" and row["expires_ms"] > now_ms and user.district in ("", row["district"])
    return row if seen else None


def may_reveal(desk: Db, user: User, store_id: int, seq: int, now_ms: int) -> bool:
    """May a volunteer see the number behind this thing? Only where it is an entry of her own list that is under way."""
    rows = desk.rows("SELECT id, state FROM follow WHERE store_id = :store AND seq = :seq", store=store_id, seq=seq)
    return any(row["state"] not in ("done", "dropped") and mine(desk, user, row["id"], now_ms) for row in rows)


def mark(desk: Db, id: int, state: str, note: str, by: str, now_ms: int) -> None:
    """How it went, within the caller's transaction; "tried" counts each time."""
    change = (
        "UPDATE follow SET state = :state, tries = tries + :tried, changed_ms = :now WHERE id = :id"
    )  # fmt: skip
    desk.run(change, state=state, tried=int(state == "tried"), now=now_ms, id=id)
    desk.run("INSERT INTO follow_note (follow_id, at_ms, by, state, note) VALUES (:id, :now, :by, :state, :note)",
             id=id, now=now_ms, by=by, state=state, note=note[:500])  # fmt: skip


def move(desk: Db, id: int, ward: str, now_ms: int) -> None:
    """The desk says her ward; what is on a list anew is good for another two weeks."""
    desk.run("UPDATE follow SET ward = :ward, source = 'desk', expires_ms = :expires, changed_ms = :now WHERE id = :id",
             ward=ward, expires=now_ms + EXPIRES_MS, now=now_ms, id=id)  # fmt: skip


def renew(desk: Db, ward: str, now_ms: int) -> int:
    """Another two weeks for what is still under way in a ward; how many entries."""
    return desk.run(
        "UPDATE follow SET expires_ms = :expires WHERE ward = :ward AND state NOT IN ('done', 'dropped')"
        " AND expires_ms < :expires", ward=ward, expires=now_ms + EXPIRES_MS,
    )  # fmt: skip


def wards(desk: Db, now_ms: int) -> list[Row]:
    """How each ward's list stands."""
    return desk.rows(
        "SELECT ward, sum(CASE WHEN state = 'open' THEN 1 ELSE 0 END) AS open,"
        " sum(CASE WHEN state = 'tried' THEN 1 ELSE 0 END) AS tried,"
        " sum(CASE WHEN state = 'reached' THEN 1 ELSE 0 END) AS reached,"
        " sum(CASE WHEN state = 'done' THEN 1 ELSE 0 END) AS done,"
        " sum(CASE WHEN state = 'dropped' THEN 1 ELSE 0 END) AS dropped,"
        " sum(CASE WHEN state NOT IN ('done', 'dropped') AND expires_ms <= :now THEN 1 ELSE 0 END) AS expired"
        " FROM follow GROUP BY ward ORDER BY ward", now=now_ms,
    )  # fmt: skip
