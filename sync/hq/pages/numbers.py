"""The figures pages: all metrics of a window, broken down and compared, their definitions, referendums.

Each asks the metrics room within one picture of the events store, and shows up to when that picture is complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, tzinfo
from typing import Any

from starlette.responses import Response

from sync.hq import metrics, reports
from sync.hq.catalogue import said
from sync.hq.doors import watermark
from sync.hq.doors.roles import EXPORT, FIGURES
from sync.hq.metrics import METRICS, Figure, Given, Slice, breakdown, compare, compute, ground, queries, wards
from sync.hq.metrics.brief import brief as leading
from sync.hq.pages.ask import Ask, Page, Refused, Tab
from sync.hq.views import asked as asking
from sync.hq.views import brief as briefs
from sync.hq.views import numbers, polls
from sync.hq.views.asked import Asked, Wrong
from sync.hq.views.moments import date_of, day_of
from sync.hq.views.stamp import stamp

MOST = 400  # boxes or lines in a list; where there are more, a district is to be chosen first
_CAMPAIGNS = "SELECT campaign FROM campaign ORDER BY campaign"


@dataclass(frozen=True)
class Frame:
    """What every page here needs: the question, what the metrics are given, and what the frame of the page shows."""

    asked: Asked
    given: Given
    shown: dict[str, Any]


def _frame(ask: Ask, by: str = "") -> Frame:
    """Within a transaction of the events store."""
    where = reports.zone(ask.events)
    today = day_of(datetime.fromtimestamp(ask.now_ms / 1000, where).date())
    try:
        asked = asking.read(ask.query, today, by)
    except Wrong as why:
        raise Refused(str(why)) from None
    known = ground(ask.events, wards(ask.desk))
    shown = {
        "asked": asked, "window": asked.said(ask._), "stamp": _stamp(ask, where),
        "choices": _choices(ask, known, asked.slice),
        "periods": [(key, ask._(name)) for key, (name, _, _) in asking.PERIODS.items()],
        "againsts": [(key, ask._(name)) for key, name in asking.AGAINST.items()],
        "divisions": [(key, ask._(name)) for key, name in asking.NAMES.items()],
        "first": _iso(asked.slice.first), "last": _iso(asked.slice.last),
    }  # fmt: skip
    given = Given(ask.now_ms, ask.desk, ask.config.tariff, ask.config.silence, known)
    return Frame(asked, given, shown)


def _silence(ask: Ask, figures: Iterable[Figure]) -> str:
    """Why some of these figures are hidden, as the page says it; "" when none is."""
    if not ask.config.silence:
        return ""  # and so not one of many figures is worked out for this
    return next((said(why, ask._) for why in numbers.hidden_in(figures)), "")


def _iso(day: int) -> str:
    return date_of(day).isoformat()


def _stamp(ask: Ask, where: tzinfo) -> dict[str, str]:
    hears = reports.receiver(ask.config.data, ask.now_ms).state == "connected"
    return stamp(reports.complete(ask.events, ask.now_ms), ask.now_ms, where, hears, ask._)


def _choices(ask: Ask, known: metrics.Ground, asked: Slice) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """The filters: name, label, and what can be chosen; one in which nothing can is left out. Boxes and lines are those
    of the district and the box that were chosen: a list of thousands helps nobody."""
    places = list(known.places.values())
    near = [place for place in places if asked.district in ("", place["district"])]
    lines = [place for place in near if asked.box in ("", place["box"])]
    found: dict[str, set[str]] = {
        "campaign": {row["campaign"] for row in ask.events.rows(_CAMPAIGNS)},
        "issue": {issue for issue, _ in known.issues.values()}, "ward": set((known.wards or {}).values()),
        "box": {place["box"] for place in near}, "line": {f"{place['box']}/{place['line']}" for place in lines},
        "tag": set(),  # only one that was chosen
        **{name: {place[name] for place in places} - {""} for name in ("district", "channel", "language")},
    }  # fmt: skip
    chosen = {name: {value} for name in found if (value := getattr(asked, name))}
    for name in ("box", "line"):
        if len(found[name]) > MOST:
            found[name] = set()
    lists = {name: sorted(values | chosen.get(name, set())) for name, values in found.items()}
    return [
        (name, ask._(asking.NAMES[name]), [("", ask._("All")), *((value, value) for value in lists[name])])
        for name in asking.FILTERS if len(lists.get(name, ())) > 1 or name in chosen
    ]  # fmt: skip


def all_of_them(ask: Ask) -> Response:
    """Every metric of a slice, with calls by day and by hour, and perhaps beside another slice."""
    with ask.events.transaction():
        frame = _frame(ask)
        asked, given = frame.asked, frame.given
        names = [name for name in METRICS if name not in numbers.TABLES]
        other = asked.other()
        changes = compare(ask.events, other, asked.slice, names, given) if other else {}
        told = {name: it.other for name, it in changes.items()} or compute(ask.events, asked.slice, names, given)
        days = breakdown(ask.events, asked.slice, "day", ("calls",), given)
        hours = breakdown(ask.events, asked.slice, "hour", ("calls",), given)
        nodes = compute(ask.events, asked.slice, ("drop-off",), given)["drop-off"]
    return ask.page(
        "numbers.html", **frame.shown, groups=numbers.groups(told, asked, ask._), nodes=numbers.nodes(nodes, ask._),
        silence=_silence(ask, [*told.values(), nodes]),
        head=[numbers.figure(name, told[name], asked, ask._) for name in numbers.HEAD],
        changes={name: numbers.change(name, it, ask._) for name, it in changes.items()},
        by_day=numbers.days(days, asked, ask._), by_hour=numbers.hours(hours, ask._),
    )  # fmt: skip


def _divided(ask: Ask) -> tuple[Frame, dict[str, Mapping[str, Figure]]]:
    with ask.events.transaction():
        frame = _frame(ask, "campaign")
        return frame, breakdown(ask.events, frame.asked.slice, frame.asked.by, numbers.COLUMNS, frame.given)


def divided(ask: Ask) -> Response:
    """One slice divided by one dimension."""
    frame, found = _divided(ask)
    exports = ask.user.role in EXPORT and frame.asked.address("/numbers/by/export", at="")
    return ask.page(
        "numbers_by.html", **frame.shown, table=numbers.table(found, frame.asked, ask._), exports=exports,
        silence=_silence(ask, (figure for row in found.values() for figure in row.values())),
    )  # fmt: skip


def exported(ask: Ask) -> Response:
    """The same as a file, all rows of it."""
    frame, found = _divided(ask)
    asked = frame.asked
    columns, rows = numbers.sheet(found, asked, frame.shown["stamp"]["title"])
    note = f"by {asked.by}, days {_iso(asked.slice.first)} to {_iso(asked.slice.last)}"
    return watermark.export(ask, "numbers", columns, rows, exact=columns[1:-2], note=note)


def definitions(ask: Ask) -> Response:
    """What each metric means, and the queries of the slice that the address names, with their parameters."""
    with ask.events.transaction():
        frame = _frame(ask)
        meant = [
            {"name": name, "title": ask._(metric.title), "meaning": ask._(metric.meaning),
             "queries": queries(ask.events, frame.asked.slice, name, frame.given)}
            for name, metric in METRICS.items()
        ]  # fmt: skip
    return ask.page("definitions.html", **frame.shown, metrics=meant)


def referendums(ask: Ask) -> Response:
    """Shares of every issue, as raw as they are told."""
    with ask.events.transaction():
        frame = _frame(ask)
        told = compute(ask.events, frame.asked.slice, ("referendum",), frame.given)["referendum"]
    return ask.page(
        "referendums.html", **frame.shown, issues=polls.issues(told.rows, ask._), silence=_silence(ask, [told])
    )


def brief(ask: Ask) -> Response:
    """What people rang about in one week, district by district, to be printed."""
    with ask.events.transaction():
        frame = _frame(ask)
        week = _week(ask, frame.asked)
        told = [one for one in leading(ask.events, week.first) if week.district in ("", one.name)]
        figures = compute(ask.events, week, (*briefs.WORTH, "referendum"), frame.given)
        hidden = _silence(ask, figures.values())
        if hidden:  # where only some options have a number, an issue's callers are their voters
            told = briefs.without(told, reports.options(ask.events).values())
    asked = replace(frame.asked, slice=week, period="own")
    running, monday = week.last >= asked.today, date_of(week.first).isoformat()
    at = min(frame.asked.at, (max(len(told), 1) - 1) // briefs.PAGE * briefs.PAGE)
    shown = told[at : at + briefs.PAGE]
    pages = {
        "before": asked.address("/brief", week=monday, at=max(0, at - briefs.PAGE) or "") if at else "",
        "after": asked.address("/brief", week=monday, at=at + briefs.PAGE) if at + briefs.PAGE < len(told) else "",
        "said": ask._("{first} to {last} of {all}", first=at + 1, last=at + len(shown), all=len(told)),
    }
    return ask.page(
        "brief.html", **{**frame.shown, "asked": asked, "window": briefs.span(week.first, week.last, ask._)},
        weeks=briefs.weeks(asked.today, ask._), week=monday, areas=_districts(frame, ask), pages=pages,
        running=running, districts=briefs.districts(shown, running, ask._),
        votes=polls.issues(figures["referendum"].rows, ask._), silence=hidden,
        figures=[numbers.figure(name, figures[name], asked, ask._) for name in briefs.WORTH],
    )  # fmt: skip


def _week(ask: Ask, asked: Asked) -> Slice:
    """The week whose Monday the address names, or the one that is running."""
    try:
        day = day_of(date.fromisoformat(ask.query["week"])) if ask.query.get("week") else asked.today
        monday = day - date_of(day).weekday()
        date_of(monday + 6)  # there is no year 10000
    except (ValueError, OverflowError):
        raise Refused("This is no date. Write it as 2026-11-30.") from None
    return Slice(monday, monday + 6, district=asked.slice.district)


def _districts(frame: Frame, ask: Ask) -> list[tuple[str, str]]:
    choices: list[tuple[str, str, list[tuple[str, str]]]] = frame.shown["choices"]
    return next((options for name, _, options in choices if name == "district"), [("", ask._("All"))])


ROUTES: list[Page] = [
    Page("/numbers", all_of_them, FIGURES),
    Page("/numbers/by", divided, FIGURES),
    Page("/numbers/by/export", exported, EXPORT, "POST"),
    Page("/definitions", definitions, FIGURES),
    Page("/referendums", referendums, FIGURES),
    Page("/brief", brief, FIGURES),
]

TABS: list[Tab] = [
    Tab("Numbers", "/numbers", FIGURES), Tab("Referendums", "/referendums", FIGURES),
    Tab("Brief", "/brief", FIGURES),
]  # fmt: skip
