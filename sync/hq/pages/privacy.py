"""Opt-outs, requests to be forgotten, and what is kept how long.

Rules of this room
- A number is typed into a form, never into an address; it is not shown again.
- A report of an erasure holds no number: whoever asked gets it as a text.
"""

from __future__ import annotations

from starlette.responses import Response

from sync.hq import reports
from sync.hq.doors.roles import ADMIN, DESK, LOG
from sync.hq.pages.ask import Ask, Page, Refused
from sync.hq.people import forgetting, handing, outcomes, retention, shown, stops, suppression
from sync.hq.people.profiles import PROFILES

SEE = DESK | LOG
_STOPS = "SELECT id, caller, at_ms, box FROM stop ORDER BY id DESC LIMIT 100"
_UNTOLD = "SELECT count(*) FROM orders WHERE verb = 'opt-out'"
_ERASURES = "SELECT id, caller, asked_ms, by, reason, due_ms, done_ms FROM erasure ORDER BY id DESC LIMIT 100"


def all_stops(ask: Ask) -> Response:
    zone = reports.zone(ask.events)
    rows = [
        {**row, "who": ask._(shown.who(row["caller"] or shown.GONE)),
         "when": shown.minute(row["at_ms"], zone)}
        for row in ask.desk.rows(_STOPS)
    ]  # fmt: skip
    answered = ask.events.value("SELECT count(*) FROM ordered")
    given = ask.desk.value(_UNTOLD)
    return ask.page("people_stops.html", rows=rows, total=ask.desk.value("SELECT count(*) FROM suppressed"),
                    given=given, answered=answered)  # fmt: skip


def stop(ask: Ask) -> Response:
    caller = _number(ask)
    with ask.change("wrote down an opt-out", "", _reason(ask)) as desk:
        new = stops.stop(desk, suppression.key(ask.config.data), caller, ask.now_ms, "")
    return ask.go(
        "/opt-outs", ask._("It is written down, and goes to all boxes.") if new else ask._("That was known already.")
    )


def erasures(ask: Ask) -> Response:
    zone, law = reports.zone(ask.events), ask.config.retention.law
    rows = [
        {**row, "who": ask._(shown.who(row["caller"] or shown.GONE)),
         "asked": shown.minute(row["asked_ms"], zone), "due": shown.day(row["due_ms"], zone),
         "waits": row["due_ms"] > ask.now_ms, "done": shown.minute(row["done_ms"], zone) if row["done_ms"] else ""}
        for row in ask.desk.rows(_ERASURES)
    ]  # fmt: skip
    return ask.page("people_erasures.html", rows=rows, law=law, may=ask.user.role in ADMIN)


def erase(ask: Ask) -> Response:
    caller = _number(ask)
    with ask.change("asked for an erasure", "", reason := _reason(ask)) as desk:
        asked = forgetting.ask(
            ask.events, desk, suppression.key(ask.config.data), ask.config.retention.law, caller, ask.user.name, reason,
            ask.now_ms,
        )  # fmt: skip
    if asked.due_ms > ask.now_ms:
        until = shown.day(asked.due_ms, reports.zone(ask.events))
        words = ask._("The law says to keep it until {date}: nothing more is sent to her from now on, and she is erased"
                      " on that day by itself.", date=until)  # fmt: skip
    else:
        words = ask._("The receiver erases it now; the report follows when all boxes have answered, within a day.")
    return ask.go("/erasures", words)


def report(ask: Ask) -> Response:
    row = ask.desk.row("SELECT report FROM erasure WHERE id = :id", id=ask.path["id"])
    if row is None or not row["report"]:
        raise Refused("There is no report yet: it follows when all is done.")
    return handing.file(forgetting.told(row["report"]), f"erasure {ask.path['id']}", "txt")


def kept(ask: Ask) -> Response:
    settings, zone = ask.config.retention, reports.zone(ask.events)
    due = retention.due(ask.events, settings, ask.now_ms) if ask.query.get("look") else None
    return ask.page(
        "people_retention.html", settings=settings, law=settings.law, profiles=PROFILES, due=due,
        sounds_before=shown.day(due.sounds_before_ms, zone) if due else "",
        callers_before=shown.day(due.callers_before_ms, zone) if due else "",
    )  # fmt: skip


def _number(ask: Ask) -> str:
    """The number that a form sent. What is wrong is said without it."""
    caller, why = outcomes.number(ask.form.get("number", ""), ask.config.retention.law.country)
    if why:
        raise Refused("This is no telephone number. Write it with + and the country's code.")
    return caller


def _reason(ask: Ask) -> str:
    """Why; without any number, for it goes into the log."""
    words = " ".join(ask.form.get("reason", "").split())[:200]
    if len(words) < 5:
        raise Refused("Say in a few words why. The reason is kept in the log.")
    if sum(letter.isdigit() for letter in words) >= 7:
        raise Refused("A reason holds no telephone number: it is kept in the log.")
    return words


ROUTES = [
    Page("/opt-outs", all_stops, SEE),
    Page("/opt-outs", stop, DESK | ADMIN, "POST"),
    Page("/erasures", erasures, SEE),
    Page("/erasures", erase, ADMIN, "POST"),
    Page("/erasures/{id:int}/report", report, SEE),
    Page("/retention", kept, LOG),
]
