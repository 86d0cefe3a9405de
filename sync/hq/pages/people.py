"""The pages of people: the overview, and the lists that volunteers work through, ward by ward.

Rules of this room
- A volunteer gets her own ward's list and nothing else: `sync.hq.people.lists` decides it, whatever she asks for.
- A list's page loads itself anew, so that one left open on a telephone goes when the list or the session has ended.
- Printing with numbers takes numbers out of the house: by the role that may export, written down, marked on paper.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import tzinfo

from starlette.responses import Response

from sync.hq import reports, things
from sync.hq.doors.roles import DESK, EXPORT, LISTS
from sync.hq.pages import invited, outcomes, privacy
from sync.hq.pages.ask import Ask, Page, Refused, Tab
from sync.hq.people import lists, shown, suppression, wishes
from sync.hq.sql import Row

VIEW = frozenset({"manager", "desk", "auditor", "admin"})
REFRESH_S = 600
_LINES = (
    "SELECT box, line, max(campaign) AS campaign FROM store GROUP BY box, line ORDER BY box, line LIMIT 2000"
)  # fmt: skip
_SET_WARD = (
    "INSERT INTO line_ward (box, line, ward) VALUES (:box, :line, :ward)"
    " ON CONFLICT (box, line) DO UPDATE SET ward = excluded.ward"
)


def overview(ask: Ask) -> Response:
    desk = ask.desk
    return ask.page(
        "people.html",
        wards=[_ward(row) for row in lists.wards(desk, ask.now_ms)],
        goals=desk.rows("SELECT campaign, goal, count(*) AS n FROM outcome GROUP BY campaign, goal ORDER BY 1, 2"),
        stopped=desk.value("SELECT count(*) FROM suppressed"),
        erasures=desk.value("SELECT count(*) FROM erasure WHERE done_ms IS NULL"),
        invitations=desk.value("SELECT count(*) FROM invitation"),
    )


def _ward(row: Row) -> Row:
    return {**row, "asked": row["ward"] or lists.NOWHERE, "active": row["open"] + row["tried"] + row["reached"]}


def list_page(ask: Ask) -> Response:
    state, all_wards = ask.query.get("state", ""), lists.wards(ask.desk, ask.now_ms)
    rows = lists.of_ward(ask.desk, ask.user, ask.now_ms, ask.query.get("ward", ""), state)
    answer = ask.page(
        "people_lists.html",
        entries=_entries(ask, rows),
        wards=[] if ask.user.role == "volunteer" else [row["ward"] or lists.NOWHERE for row in all_wards],
        ward=ask.user.ward if ask.user.role == "volunteer" else ask.query.get("ward", ""),
        states=lists.STATES, state=state, numbers=False, expires="",
    )  # fmt: skip
    answer.headers["refresh"] = str(REFRESH_S)
    return answer


def _entries(ask: Ask, rows: Sequence[Row]) -> list[Row]:
    ledgers, where = things.ledgers(ask.events), reports.zone(ask.events)
    return [_entry(ask, row, ledgers.get(row["store_id"], ""), where) for row in rows]


def _entry(ask: Ask, row: Row, ledger: str, where: tzinfo) -> Row:
    return {
        **row, "who": ask._(shown.who(row["caller"])), "store": ledger,
        "asked_at": shown.day(row["asked_ms"], where), "expires": shown.day(row["expires_ms"], where),
        "expired": row["expires_ms"] <= ask.now_ms,
        "how": ask._(shown.ASKED[row["asked"]]), "source_said": ask._(shown.SOURCES[row["source"]]),
    }  # fmt: skip


def print_list(ask: Ask) -> Response:
    ward, mark = ask.form.get("ward", ""), secrets.token_hex(4)
    rows = [row for row in lists.of_ward(ask.desk, ask.user, ask.now_ms, ward) if row["expires_ms"] > ask.now_ms]
    reason = _said(ask, "reason")
    with ask.change("printed a list with numbers", f"export {mark}", f"ward {ward}: {len(rows)} rows: {reason}"):
        pass
    entries = [{**entry, "who": entry["caller"]} for entry in _entries(ask, rows)]
    until = min((row["expires"] for row in entries), default="")
    return ask.page(
        "people_lists.html", entries=entries, wards=[], ward=ward, states=lists.STATES, state="", numbers=True,
        expires=until, mark=f"{ask.user.name} {mark}",
    )  # fmt: skip


def mark(ask: Ask) -> Response:
    entry = lists.mine(ask.desk, ask.user, _id(ask), ask.now_ms)
    if entry is None:
        raise Refused("This entry is not on your list, or has expired.")
    state = ask.form.get("state", "")
    if state not in lists.STATES:
        raise Refused("Say how it went: tried, reached, done or dropped.")
    with ask.change("marked an entry of a list", f"follow {entry['id']}", state) as desk:
        lists.mark(desk, entry["id"], state, ask.form.get("note", "").strip(), ask.user.name, ask.now_ms)
    return ask.go("/lists", ask._("It is written down."))


def set_ward(ask: Ask) -> Response:
    ward = wishes.ward_name(ask.form.get("ward", ""))
    if not ward:
        raise Refused("A ward is a number or a name of at most 40 letters.")
    with ask.change("moved an entry of a list", f"follow {_id(ask)}", f"ward {ward}") as desk:
        lists.move(desk, _id(ask), ward, ask.now_ms)
    return ask.go("/lists", ask._("It is written down."))


def add(ask: Ask) -> Response:
    thing = things.find(ask.events, ask.form.get("thing", ""))
    if thing is None:
        raise Refused("Name the thing that she sent, such as 0000000a-12: it stands beside it at the desk.")
    ward = wishes.ward_name(ask.form.get("ward", ""))
    with ask.change("put somebody on a list", ask.form["thing"].strip(), ward) as desk:
        added = lists.by_desk(ask.events, desk, suppression.key(ask.config.data), *thing, ward, ask.now_ms)
        if added < 0:
            raise Refused("A call alone puts nobody on a list: it takes something that she said, wrote or keyed.")
        if not added:
            raise Refused("She is on a list already, or wants nothing more.")
    return ask.go("/lists", ask._("She is on the list."))


def renew(ask: Ask) -> Response:
    ward = ask.form.get("ward", "")
    with ask.change("renewed a list", f"ward {ward}") as desk:
        lists.renew(desk, ward, ask.now_ms)
    return ask.go("/people", ask._("The list is good for another two weeks."))


def wards(ask: Ask) -> Response:
    known = {(row["box"], row["line"]): row["ward"] for row in ask.desk.rows("SELECT box, line, ward FROM line_ward")}
    lines = [{**row, "ward": known.get((row["box"], row["line"]), "")} for row in ask.events.rows(_LINES)]
    return ask.page("people_wards.html", lines=lines)


def set_line(ask: Ask) -> Response:
    box, line, ward = ask.form.get("box", ""), ask.form.get("line", ""), wishes.ward_name(ask.form.get("ward", ""))
    if not ward:
        raise Refused("A ward is a number or a name of at most 40 letters.")
    if ask.events.value("SELECT 1 FROM store WHERE box = :box AND line = :line", box=box, line=line) is None:
        raise Refused("Headquarters knows no such line.")
    with ask.change("set a line's ward", f"{box}/{line}", f"ward {ward}") as desk:
        desk.run(_SET_WARD, box=box, line=line, ward=ward)
    return ask.go("/wards", ask._("It is written down."))


def _id(ask: Ask) -> int:
    text = ask.form.get("id", "")
    return int(text) if text.isdecimal() and len(text) < 16 else 0


def _said(ask: Ask, name: str) -> str:
    """A reason that is one."""
    words = " ".join(ask.form.get(name, "").split())
    if len(words) < 5:
        raise Refused("Say in a few words why. The reason is kept in the log.")
    return words[:200]


ROUTES = [
    Page("/people", overview, VIEW),
    Page("/lists", list_page, LISTS),
    Page("/lists/mark", mark, LISTS, "POST"),
    Page("/lists/ward", set_ward, DESK, "POST"),
    Page("/lists/add", add, DESK, "POST"),
    Page("/lists/renew", renew, DESK, "POST"),
    Page("/lists/print", print_list, EXPORT & LISTS, "POST"),
    Page("/wards", wards, DESK),
    Page("/wards", set_line, DESK, "POST"),
    *outcomes.ROUTES,
    *invited.ROUTES,
    *privacy.ROUTES,
]
TABS = [Tab("Lists", "/lists", LISTS), Tab("People", "/people", VIEW)]
