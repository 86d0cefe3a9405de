"""Invitations and consents: who comes and who came, who agreed to what, and the WhatsApp list.

Rules of this room
- A file and the links of a chat hold numbers: both are answers to a POST, by the role that may export, written down.
- Nothing is sent from here. A link is a link that a person clicks.
- While results are hidden before a poll, answers by value are: somebody at the desk said which issue is no vote.
"""

from __future__ import annotations

import secrets

from starlette.responses import Response

from edge.fold import rfc3339
from sync.hq import reports, silence, things
from sync.hq.catalogue import said
from sync.hq.doors import watermark
from sync.hq.doors.roles import DESK, EXPORT
from sync.hq.pages.ask import Ask, Page, Refused
from sync.hq.people import consents, invitations, shown, suppression, wishes
from sync.hq.silence import Hidden

VIEW = frozenset({"manager", "desk", "auditor", "admin"})
SHOWN, LINKS = 500, 100
_GUEST = ("number", "campaign", "answer", "at", "attended", "thing")


def all_invitations(ask: Ask) -> Response:
    known, others = invitations.invitations(ask.events, ask.desk)
    why = _silence(ask)
    shown_ = [{"issue": one["issue"], "title": one["title"]} for one in known] if why else known
    return ask.page("people_invitations.html", known=shown_, others=others, silence=why and said(why, ask._))


def _silence(ask: Ask) -> Hidden | None:
    """Why answers are hidden, whatever district they are from: a list is of all places."""
    return silence.hidden(ask.config.silence, None, ask.now_ms, ())


def _told(ask: Ask) -> None:
    """Raises Refused while answers are hidden."""
    if why := _silence(ask):
        raise Refused(why)


def declare(ask: Ask) -> Response:
    issue, title = ask.form.get("issue", ""), ask.form.get("title", "").strip()
    _, others = invitations.invitations(ask.events, ask.desk)
    if issue not in others:
        raise Refused("Choose an issue that callers have answered, and that is no invitation yet.")
    with ask.change("called an issue an invitation", issue, title) as desk:
        invitations.invite(desk, issue, title or issue)
    return ask.go("/invitations", ask._("It is written down."))


def guests(ask: Ask) -> Response:
    _told(ask)
    issue, which = ask.path["issue"], ask.query.get("list", "confirmed")
    title = ask.desk.value("SELECT title FROM invitation WHERE issue = :issue", issue=issue)
    if title is None:
        raise Refused("There is no such invitation.")
    ledgers = things.ledgers(ask.events)
    answers, zone = invitations.guests(ask.events, ask.desk, issue), reports.zone(ask.events)
    rows = [
        {**row, "who": ask._(shown.who(row["caller"])), "when": shown.minute(row["at_ms"], zone),
         "thing": f"{ledgers.get(row['store_id'], '')}-{row['seq']}"}
        for row in invitations.listed(answers, which)[:SHOWN]
    ]  # fmt: skip
    return ask.page("people_guests.html", issue=issue, name=title, which=which, lists=invitations.LISTED, rows=rows,
                    counts=invitations.counts(answers), most=SHOWN)  # fmt: skip


def came(ask: Ask) -> Response:
    _told(ask)
    issue = ask.path["issue"]
    ticked = {thing for text in ask.lists.get("thing", ()) if (thing := things.find(ask.events, text))}
    if not ticked:
        raise Refused("Tick those who came.")
    with ask.change("marked who came", issue, f"{len(ticked)} ticked") as desk:
        new = invitations.attended(ask.events, desk, issue, ticked, ask.now_ms)
    return ask.go(f"/invitations/{issue}?list=attended", ask._("{count} more came.", count=new))


def take_guests(ask: Ask) -> Response:
    _told(ask)
    issue, which = ask.path["issue"], ask.form.get("list", "confirmed")
    ledgers = things.ledgers(ask.events)
    rows = invitations.listed(invitations.guests(ask.events, ask.desk, issue), which)
    told_of = (
        (_number(row["caller"]), row["campaign"], row["value"], rfc3339(row["at_ms"]), "yes" if row["came"] else "no",
         f"{ledgers.get(row['store_id'], '')}-{row['seq']}")
        for row in rows
    )  # fmt: skip
    return watermark.export(ask, f"guests {issue}", _GUEST, told_of, exact=("number",), note=which)


def _number(caller: str) -> str:
    return caller if caller.startswith("+") else ""


# ------------------------------------------------------------------------------------ consents


def ledger(ask: Ask) -> Response:
    purpose = ask.query.get("purpose", "")
    found = _ledger(ask, purpose) if purpose else None
    zone, ledgers = reports.zone(ask.events), things.ledgers(ask.events)
    rows = [
        {**row, "who": ask._(shown.who(row["caller"])), "when": shown.minute(row["at_ms"], zone),
         "thing": f"{ledgers.get(row['store_id'], '')}-{row['seq']}"}
        for row in (found.good[:SHOWN] if found else ())
    ]  # fmt: skip
    purposes = [{**row, "last": shown.day(row["last_ms"], zone)} for row in consents.purposes(ask.events)]
    return ask.page(
        "people_consents.html", purposes=purposes, purpose=purpose, found=found, rows=rows,
        whatsapp=purpose == wishes.WHATSAPP, links=LINKS,
    )  # fmt: skip


def _ledger(ask: Ask, purpose: str) -> consents.Ledger:
    return consents.ledger(ask.events, ask.desk, suppression.key(ask.config.data), purpose, ask.now_ms)


def take_consents(ask: Ask) -> Response:
    purpose, ledgers = ask.form.get("purpose", ""), things.ledgers(ask.events)
    rows = (
        (row["caller"], row["purpose"], row["campaign"], rfc3339(row["at_ms"]), row["language"], row["wording"],
         row["channel"], row["evidence"], f"{ledgers.get(row['store_id'], '')}-{row['seq']}")
        for row in _ledger(ask, purpose).good
    )  # fmt: skip
    return watermark.export(ask, f"consents {purpose}", consents.COLUMNS, rows, exact=("number",))


def chats(ask: Ask) -> Response:
    """Links to chats, some at a time, for a person to click."""
    reason = " ".join(ask.form.get("reason", "").split())
    if len(reason) < 5:
        raise Refused("Say in a few words why. The reason is kept in the log.")
    after = ask.form.get("after", "")
    good, start = _ledger(ask, wishes.WHATSAPP).good, int(after) if after.isdecimal() and len(after) < 9 else 0
    part = good[start : start + LINKS]
    mark = secrets.token_hex(4)
    with ask.change("showed links to chats", f"export {mark}", f"{len(part)} numbers: {reason[:200]}"):
        pass
    rows = [{**row, "chat": consents.chat(row["caller"])} for row in part]
    return ask.page("people_chats.html", rows=rows, mark=f"{ask.user.name} {mark}", reason=reason,
                    after=start + LINKS if len(good) > start + LINKS else 0)  # fmt: skip


ROUTES = [
    Page("/invitations", all_invitations, VIEW),
    Page("/invitations", declare, DESK, "POST"),
    Page("/invitations/{issue}", guests, VIEW),
    Page("/invitations/{issue}/came", came, DESK, "POST"),
    Page("/invitations/{issue}/export", take_guests, EXPORT, "POST"),
    Page("/consents", ledger, VIEW),
    Page("/consents/export", take_consents, EXPORT, "POST"),
    Page("/consents/chats", chats, EXPORT, "POST"),
]
