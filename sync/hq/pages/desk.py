"""The desk's pages: the inbox, one thing with all that belongs to it, and what is done with it by hand.

Each POST leads back to where it came from, to a page of the desk only. A search is a POST, so that what is looked for,
perhaps a number, stands in no address.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.responses import FileResponse, Response

from sync.hq import orders, reports
from sync.hq.desk import act, gather, inbox, replies, search, shown, sounds, states, wave
from sync.hq.doors.roles import DESK
from sync.hq.pages.ask import Ask, Page, Refused, Tab
from sync.hq.people import suppression
from sync.hq.sql import Db, Row

DRAWING_S = 0.4  # of the server's time that one page may spend on new drawings
_PEOPLE = "SELECT id, name FROM account WHERE role IN ('manager', 'desk') AND ended_ms IS NULL ORDER BY name"


def people(ask: Ask) -> dict[int, str]:
    """Who works at the desk, by account."""
    return {row["id"]: row["name"] for row in ask.desk.rows(_PEOPLE)}


def things(ask: Ask, rows: list[Row], drawn: bool = True) -> list[dict[str, Any]]:
    """Rows of the inbox as templates show them; `sound` is the drawing of it, None when there is none to hear."""
    names, where = people(ask), reports.zone(ask.events)
    tags = inbox.tags(ask.desk, [row["id"] for row in rows])
    paths = sounds.drawings(ask.events, ask.desk, ask.config.data, rows, DRAWING_S if drawn else 0)
    return [
        {**shown.thing(row, tags[row["id"]], names, ask.now_ms, where, ask._), "sound": paths.get(row["id"])}
        for row in rows
    ]


def order_of(ask: Ask, desk: Db) -> act.Order:
    """How a handler gives orders to boxes, in the desk's transaction and in the name of who asks."""

    def give(box: str, line: str, verb: str, args: dict[str, str]) -> int:
        secret = suppression.key(ask.config.data)
        return orders.order(desk, ask.events, box, line, verb, args, ask.user.name, ask.now_ms, secret=secret)

    return give


def back(ask: Ask) -> str:
    """Where a form came from, if that is a page of the desk."""
    where = ask.form.get("back", "")
    ours = where.startswith("/desk") and "\\" not in where and where.isprintable() and where[5:6] in ("", "/", "?")
    return where if ours else "/desk"


def wanted(ask: Ask) -> Row:
    """The thing that a form or an address names."""
    row = inbox.one(ask.desk, ask.path.get("name") or ask.form.get("name", ""))
    if row is None:
        raise Refused("There is no such thing at the desk. It may have been erased; go back to the inbox.")
    return row


# ---------------------------------------------------------------------------------------------- shown


def list_(ask: Ask) -> Response:
    if wave.running(ask.desk):
        wave.wake(ask.config)
    behind = gather.gather(ask.events, ask.desk, ask.now_ms)
    filters = inbox.Filters.read(ask.query)
    rows = inbox.page(ask.desk, filters, ask.now_ms, inbox.Key.read(ask.query.get("after", "")), inbox.PAGE + 1)
    told = filters.told()
    more = f"/desk?{urlencode({**told, 'after': str(inbox.key(rows[-2], filters))})}" if len(rows) > inbox.PAGE else ""
    return ask.page(
        "desk_inbox.html", things=things(ask, rows[: inbox.PAGE]), more=more, filters=filters, behind=behind,
        counts=inbox.counts(ask.desk, filters, ask.now_ms), most=inbox.MOST, states=states.STATES,
        kinds=inbox.KINDS, people=people(ask), tags=inbox.all_tags(ask.desk), districts=_places(ask, "district"),
        campaigns=_places(ask, "campaign"), link=_link(filters), here_query=_here(ask), question=None,
    )  # fmt: skip


def find(ask: Ask) -> Response:
    """What is found by words of notes and letters, by a case's reference, or by a whole number."""
    question = ask.form.get("question", "")[:200]
    gather.gather(ask.events, ask.desk, ask.now_ms)
    rows = inbox.by_number(ask.desk, question) or inbox.some(ask.desk, search.find(ask.desk, question))
    return ask.page("desk_found.html", things=things(ask, rows), question=question, states=states.STATES)


def thing(ask: Ask) -> Response:
    gather.gather(ask.events, ask.desk, ask.now_ms)
    return show(ask, wanted(ask))


def show(ask: Ask, row: Row, status: int = 200, trouble: str = "", typed: str = "") -> Response:
    """The page of a thing; `typed` is what somebody wrote who came second, so that it is not lost."""
    acts, caller = inbox.acts(ask.desk, row["id"]), row["caller"]
    where, secret = reports.zone(ask.events), suppression.key(ask.config.data)
    wants_nothing = replies.opted_out(ask.events, caller) or suppression.is_suppressed(ask.desk, secret, caller)
    return ask.page(
        "desk_thing.html", status, thing=things(ask, [row])[0], trouble=trouble, typed=typed, people=people(ask),
        thread=things(ask, inbox.of_caller(ask.desk, caller, row["id"]), drawn=False), tries=states.TRIES,
        history=shown.history(acts, shown.answered(ask.events, acts), ask.now_ms, where), tags=inbox.all_tags(ask.desk),
        calls=_calls(ask, row), texts=replies.texts(ask.desk), opted_out=wants_nothing,
    )  # fmt: skip


def sound(ask: Ask) -> Response:
    row = wanted(ask)
    file = sounds.file(ask.events, ask.config.data, row["store_id"], row["said"])
    if file is None:
        raise Refused("This recording is not here yet, or not all of it. Its box sends it when it can.")
    return FileResponse(file, media_type="audio/ogg")


def _places(ask: Ask, column: str) -> list[str]:
    table = "box" if column == "district" else "store"
    query = f"SELECT DISTINCT {column} AS name FROM {table} WHERE {column} <> '' ORDER BY {column} LIMIT 300"
    return [row["name"] for row in ask.events.rows(query)]


def _calls(ask: Ask, row: Row) -> list[dict[str, Any]]:
    """The caller's talks, newest first."""
    query = (
        "SELECT at_ms, placed, answered, seconds, campaign FROM talk WHERE caller = :caller AND caller <> ''"
        " ORDER BY at_ms DESC LIMIT 10"
    )
    where = reports.zone(ask.events)
    return [
        {**call, "when": shown.clock_time(call["at_ms"], ask.now_ms, where)}
        for call in ask.events.rows(query, caller=row["caller"])
    ]


def _link(filters: inbox.Filters) -> Any:
    """For templates: an address of the inbox with some filters changed."""

    def link(**changes: Any) -> str:
        told = filters._replace(**changes).told()
        return f"/desk?{urlencode(told)}" if told else "/desk"

    return link


def _here(ask: Ask) -> str:
    asked = urlencode(dict(ask.query))
    return f"/desk?{asked}" if asked else "/desk"


# ---------------------------------------------------------------------------------------------- done


def move(ask: Ask) -> Response:
    """One move of one thing, the version that its maker saw in the form."""
    row, note = wanted(ask), ask.form.get("note", "")
    verb = ask.form.get("verb", "")
    try:
        with ask.change(f"desk: {_verb(verb)}", row["name"]) as desk:
            trouble = _move(ask, desk, row, _version(ask.form.get("version", "")), verb, note)
    except act.Changed:
        now = inbox.one(ask.desk, row["name"]) or row
        return show(ask, now, 409, _late(ask, now), note)
    except states.Illegal as why:
        return show(ask, row, 409, ask._(str(why)), note)
    said = ask._("It is written.")
    if trouble:
        said += " " + ask._("Its box cannot be told: {why}.", why=trouble)
    return ask.go(back(ask), said)


def _move(ask: Ask, desk: Db, row: Row, version: int, verb: str, note: str) -> str:
    """A move as the page means it: who marks a thing contacted that nobody has, takes it on with that."""
    give, by, now = order_of(ask, desk), ask.user.name, ask.now_ms
    if verb == "contacted" and row["state"] in ("new", "reopened"):
        act.move(desk, row, version, "assign", by, now, ask.user.id, order=give)
        row, version = inbox.one(desk, row["name"]) or row, version + 1
    return act.move(desk, row, version, _verb(verb), by, now, _assignee(ask), note, give)


def _verb(text: str) -> states.Verb:
    known: dict[str, states.Verb] = {verb: verb for _, verb in states.MOVES}
    if text not in known:
        raise Refused("There is no such move. Load the page anew.")
    return known[text]


def _version(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def _assignee(ask: Ask) -> int:
    """The account in the form; who asks, when the form names nobody."""
    number = _version(ask.form.get("assignee", ""))
    if number <= 0:
        return ask.user.id
    if number not in people(ask):
        raise Refused("This account does not work at the desk. Choose another one.")
    return number


def _late(ask: Ask, row: Row) -> str:
    acts = inbox.acts(ask.desk, row["id"])
    by = acts[-1]["by"] if acts else ""
    return ask._(
        "{who} changed this meanwhile: it is {state} now. Nothing of yours was written; your note still stands below.",
        who=by or ask._("The caller"), state=ask._(row["state"]),
    )  # fmt: skip


def tag(ask: Ask) -> Response:
    row, name = wanted(ask), act.tidy(ask.form.get("tag", ""))
    if not name:
        raise Refused("Write a tag: one word, and no number.")
    with ask.change("desk: tag", f"{row['name']} {name}") as desk:
        act.tag(desk, row, name, ask.user.name, ask.now_ms)
    return ask.go(back(ask), ask._("It is written."))


def untag(ask: Ask) -> Response:
    row, name = wanted(ask), act.tidy(ask.form.get("tag", ""))
    with ask.change("desk: untag", f"{row['name']} {name}") as desk:
        if not act.untag(desk, row, name, ask.user.name, ask.now_ms):
            raise Refused("This tag is of the caller's own keys, or is gone already. It stays as it is.")
    return ask.go(back(ask), ask._("It is written."))


def note(ask: Ask) -> Response:
    row, text = wanted(ask), ask.form.get("note", "").strip()
    if not text:
        raise Refused("The note is empty. Write what the next one should know.")
    with ask.change("desk: note", row["name"]) as desk:
        act.record(desk, row["id"], ask.user.name, "note", ask.now_ms, text)
    return ask.go(back(ask), ask._("It is written."))


def many(ask: Ask) -> Response:
    """The same with all that were chosen; those that somebody changed meanwhile, or that cannot, are left and told."""
    chosen = [each.rpartition("@") for each in ask.lists.get("chosen", ())][: 2 * inbox.PAGE]
    if not chosen:
        raise Refused("Nothing is chosen. Tick the boxes of some rows first.")
    verb, name = ask.form.get("verb", ""), act.tidy(ask.form.get("tag", ""))
    if verb != "tag":
        _verb(verb)
    elif not name:
        raise Refused("Write a tag: one word, and no number.")
    done, late, cannot = 0, 0, 0
    for thing_name, _, version in chosen:
        row = inbox.one(ask.desk, thing_name)
        if row is None:
            late += 1
            continue
        try:
            with ask.change(f"desk: {verb}", f"{thing_name} {name}".strip() if verb == "tag" else thing_name) as desk:
                if verb == "tag":
                    act.tag(desk, row, name, ask.user.name, ask.now_ms)
                else:
                    _move(ask, desk, row, _version(version), verb, "")
            done += 1
        except act.Changed:
            late += 1
        except states.Illegal:
            cannot += 1
    return ask.go(back(ask), _told(ask, done, late, cannot))


def _told(ask: Ask, done: int, late: int, cannot: int) -> str:
    said = [ask._("{n} done.", n=done)]
    if late:
        said.append(ask._("{n} were changed by somebody else meanwhile and were left as they are.", n=late))
    if cannot:
        said.append(ask._("{n} cannot make this move from where they stand.", n=cannot))
    return " ".join(said)


TABS = [Tab("Desk", "/desk", DESK)]
ROUTES = [
    Page("/desk", list_, DESK), Page("/desk/thing/{name}", thing, DESK), Page("/desk/sound/{name}", sound, DESK),
    Page("/desk/search", find, DESK, "POST"), Page("/desk/move", move, DESK, "POST"),
    Page("/desk/tag", tag, DESK, "POST"), Page("/desk/untag", untag, DESK, "POST"),
    Page("/desk/note", note, DESK, "POST"), Page("/desk/many", many, DESK, "POST"),
]  # fmt: skip
