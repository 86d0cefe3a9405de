"""The page on which a file of outcomes is sent, and what became of each.

What was wrong with a file can be had by whoever sent it, for a week; the page itself shows lines and reasons.
"""

from __future__ import annotations

from starlette.responses import Response

from edge import numbers
from sync.hq import reports
from sync.hq.doors.roles import EXPORT
from sync.hq.pages.ask import Ask, Page, Refused
from sync.hq.people import handing, outcomes, sheet, shown

SHOWN = 50
_UPLOADS = (
    "SELECT id, at_ms, by, name, encoding, rows, taken, known, refused, CASE WHEN wrong <> '' THEN 1 ELSE 0 END AS had"
    " FROM upload ORDER BY id DESC LIMIT 20"
)
_COUNTS = (
    "SELECT campaign, goal, count(*) AS n, max(at_ms) AS last_ms FROM outcome GROUP BY campaign, goal ORDER BY 1, 2"
)


def page(ask: Ask, given: outcomes.Given | None = None, wrong: list[dict[str, object]] | None = None) -> Response:
    zone = reports.zone(ask.events)
    uploads = [
        {**row, "when": shown.minute(row["at_ms"], zone), "mine": row["had"] and row["by"] == ask.user.name}
        for row in ask.desk.rows(_UPLOADS)
    ]
    counts = [{**row, "last": shown.day(row["last_ms"], zone)} for row in ask.desk.rows(_COUNTS)]
    return ask.page(
        "people_outcomes.html", campaigns=outcomes.campaigns(ask.events), goals=outcomes.GOALS, given=given,
        wrong=wrong or [], uploads=uploads, counts=counts, columns=outcomes.COLUMNS,
    )  # fmt: skip


def show(ask: Ask) -> Response:
    return page(ask)


def upload(ask: Ask) -> Response:
    file, campaign, goal = ask.files.get("file"), ask.form.get("campaign", ""), ask.form.get("goal", "")
    if file is None or not file.filename:
        raise Refused("Choose a file first: CSV with the columns number, at, goal and note.")
    if campaign not in outcomes.campaigns(ask.events):
        raise Refused("Choose the campaign whose outcomes these are.")
    raw = file.file.read(sheet.MOST_BYTES + 1)
    country, zone = ask.config.retention.law.country, reports.zone(ask.events)
    try:
        read = outcomes.read(raw, goal if goal in outcomes.GOALS else "", country, zone, ask.now_ms)
    except sheet.Unreadable as why:
        raise Refused(str(why)) from None
    words = f"{campaign}: {read.sheet.rows} rows, {len(read.wrong)} refused"
    with ask.change("imported outcomes", f"file {outcomes.digest(raw)[:12]}", words) as desk:
        given = outcomes.keep(desk, read, campaign, file.filename, outcomes.digest(raw), ask.user.name, ask.now_ms)
    wrong = [{**row._asdict(), "masked": _masked(read.sheet, cells)} for row, cells in read.wrong[:SHOWN]]
    return page(ask, given, wrong)


def _masked(read: sheet.Sheet, cells: object) -> str:
    """The number of a row that was refused, so that it can be found again in the file and not be read here."""
    if "number" not in read.head or not isinstance(cells, list) or len(cells) <= read.head.index("number"):
        return ""
    return numbers.mask(str(cells[read.head.index("number")]).strip())


def wrong_file(ask: Ask) -> Response:
    row = ask.desk.row("SELECT by, name, wrong FROM upload WHERE id = :id", id=ask.path["id"])
    if row is None or row["by"] != ask.user.name or not row["wrong"]:
        raise Refused("This file is not yours, or is older than a week. Send yours again.")
    with ask.change("took the refused rows of outcomes", f"upload {ask.path['id']}"):
        pass
    return handing.file("\ufeff" + row["wrong"], f"refused rows of upload {ask.path['id']}", "csv")


ROUTES = [
    Page("/outcomes", show, EXPORT),
    Page("/outcomes", upload, EXPORT, "POST"),
    Page("/outcomes/{id:int}/wrong", wrong_file, EXPORT, "POST"),
]
