"""Figures in words: a metric's value with its unit, how many it is of, its interval, or why it cannot be told.

Rules of this room
- A figure is never shown bare: it leads to its definition and query (`href`), and what cannot be told says why.
- A change is told in the metric's own measure: shares in points, all else in per cent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edge import words
from sync.hq.catalogue import Tell, said
from sync.hq.metrics import METRICS, Change, Figure
from sync.hq.silence import Hidden
from sync.hq.views.asked import NAMES, Asked
from sync.hq.views.chart import Bar, drawing
from sync.hq.views.moments import date_of, day_name

# title of a group -> its metrics; what no group names comes last
GROUPS: dict[str, tuple[str, ...]] = {
    "Callers": ("calls", "callers", "new", "repeat", "withheld", "verified"),
    "Engagement and conversion": ("engagement", "registered", "attended", "pledged", "opt-outs", "cost"),
    "How fast people are answered": ("reply-p50", "reply-p95", "reply-60", "reply-held", "callback-5", "pick-up"),
    "Grievances": ("grievance-24", "breaches", "resolution", "resolution-days", "reopened"),
    "Conversations": ("completion", "lost-first", "first-key", "listen-50", "listen-75", "voice-yield", "voices"),
    "Lines and SMS": ("capture", "loss", "load", "submitted", "delivered", "parts", "availability", "sync-lag"),
}
TABLES = ("drop-off", "referendum")  # shown as tables of their own
HEAD = ("calls", "callers", "new", "engagement", "reply-60")
COLUMNS = ("calls", "callers", "new", "engagement", "reply-60", "grievance-24", "breaches", "voices", "opt-outs")
PLAIN = ("calls",)  # a column of these has a bar
ROWS = 50  # of a breakdown, on one page


def number(value: float | None, unit: str, _: Tell, currency: str = "") -> str:
    """A value in its unit; "–" when there is none."""
    if value is None:
        return "–"
    if unit == "share":
        return f"{100 * value:.1f} %"
    if unit == "seconds":
        return _duration(value, _)
    if unit == "days":
        return _("{n} days", n=f"{value:.1f}")
    if unit == "erlang":
        return _("{n} erlang", n=f"{value:.2f}")
    if unit == "times":
        return f"{value:.2f}"
    if unit == "money":
        return f"{value:,.2f} {words.plain(currency)}".strip()
    return f"{value:,.0f}"


def _duration(seconds: float, _: Tell) -> str:
    if seconds < 120:
        return _("{n} s", n=f"{seconds:.0f}")
    if seconds < 7200:
        return _("{n} min", n=f"{seconds / 60:.0f}")
    return _("{n} h", n=f"{seconds / 3600:.1f}") if seconds < 172_800 else _("{n} days", n=f"{seconds / 86400:.1f}")


def figure(name: str, told: Figure, asked: Asked, _: Tell) -> dict[str, Any]:
    """One figure, as a page shows it."""
    metric = METRICS[name]
    ends = ""
    if told.low is not None and told.high is not None:
        low, high = (number(end, metric.unit, _, told.unit) for end in (told.low, told.high))
        ends = f"{low} – {high}"
    return {
        "name": name,
        "title": _(metric.title),
        "href": asked.address("/definitions", by="", against="", sort="", up="", at="") + f"#{name}",
        "value": number(told.value, metric.unit, _, told.unit),
        "n": f"{told.n:,}" if told.n is not None else "",
        "range": ends,
        "why": words.plain(said(told.why, _)) if told.value is None and told.why else "",
    }


def groups(told: Mapping[str, Figure], asked: Asked, _: Tell) -> list[dict[str, Any]]:
    """All figures, group by group."""
    named = {name for names in GROUPS.values() for name in names}
    rest = tuple(name for name in told if name not in named and name not in TABLES)
    return [
        {"title": _(title), "figures": [figure(name, told[name], asked, _) for name in names if name in told]}
        for title, names in (*GROUPS.items(), *((("More", rest),) if rest else ()))
    ]


def change(name: str, it: Change, _: Tell) -> dict[str, str]:
    """What a figure was in the slice that it is compared with (`it.one`), and how it changed since."""
    unit = METRICS[name].unit
    was = {"was": number(it.one.value, unit, _, it.one.unit), "change": "", "way": ""}
    if it.by is None:
        return was
    way = "up" if it.by > 0 else "down" if it.by < 0 else ""
    if unit == "share":
        return {**was, "way": way, "change": _("{n} points", n=f"{100 * it.by:+.1f}")}
    return {**was, "way": way, "change": f"{100 * (it.times - 1):+,.0f} %" if it.times is not None else ""}


def nodes(told: Figure, _: Tell) -> list[dict[str, str]]:
    """Drop-off by node."""
    rates = ("no_input", "invalid", "hung_up")
    return [
        {
            "campaign": words.plain(row["campaign"]),
            "node": words.plain(row["node"]),
            "entered": f"{row['entered']:,}",
            **{name: number(row[f"{name}_rate"], "share", _) for name in rates},
        }
        for row in told.rows
    ]


def days(found: Mapping[str, Mapping[str, Figure]], asked: Asked, _: Tell) -> dict[str, Any]:
    """The chart of calls by day; a day in which nobody rang has a column too."""
    first, last = asked.slice.first, asked.slice.last
    every = max(1, (last - first + 1) // 8)
    columns = []
    for place, day in enumerate(range(first, last + 1)):
        calls = _calls(found, str(day))
        at, named = date_of(day), place % every == 0
        name = f"{at.day}.{at.month}." if named else ""
        columns.append(Bar(calls, day_name(day, _), name, place % (2 * every) != 0, day == asked.today))
    total, most = sum(bar.value for bar in columns), max(columns, key=lambda bar: bar.value)
    values = {"total": f"{total:,.0f}", "days": len(columns), "most": f"{most.value:,.0f}", "day": most.said}
    if not total:
        return drawing(columns, _("No calls in {days} days.", **values))
    return drawing(columns, _("{total} calls in {days} days, most ({most}) on {day}.", **values))


def hours(found: Mapping[str, Mapping[str, Figure]], _: Tell) -> dict[str, Any]:
    """The chart of calls by the hour of the day."""
    columns = [
        Bar(_calls(found, str(hour)), f"{hour:02}:00", f"{hour:02}:00" if hour % 3 == 0 else "", hour % 6 != 0)
        for hour in range(24)
    ]
    most = max(columns, key=lambda bar: bar.value)
    if not most.value:
        return drawing(columns, _("No calls."))
    return drawing(columns, _("Most calls ({most}) between {hour} and an hour later.", most=f"{most.value:,.0f}",
                              hour=most.said))  # fmt: skip


def _calls(found: Mapping[str, Mapping[str, Figure]], key: str) -> int:
    told = found.get(key, {}).get("calls")
    return int(told.value or 0) if told else 0


def table(found: Mapping[str, Mapping[str, Figure]], asked: Asked, _: Tell) -> dict[str, Any]:
    """A breakdown: its headings with the addresses that sort it, and the rows of one page.

    A column in which nothing can be told is left out; `untold` says which and why."""
    names = [name for name in COLUMNS if any(row[name].value is not None for row in found.values())]
    untold = {
        name: next((row[name].why for row in found.values() if row[name].why), "")
        for name in COLUMNS if name not in names
    }  # fmt: skip
    keys = _sorted(found, asked, names)
    shown = keys[asked.at : asked.at + ROWS]
    most = {name: max((row[name].value or 0 for row in found.values()), default=0) or 1 for name in PLAIN}
    return {
        "heads": [_head("", asked, _), *(_head(name, asked, _) for name in names)],
        "rows": [_row(key, found[key], names, most, asked, _) for key in shown],
        "untold": [f"{_(METRICS[name].title)}: {words.plain(said(why, _))}" for name, why in untold.items() if why],
        "before": asked.address("/numbers/by", at=max(0, asked.at - ROWS) or "") if asked.at else "",
        "after": asked.address("/numbers/by", at=asked.at + ROWS) if asked.at + ROWS < len(keys) else "",
        "said": _("{first} to {last} of {all}", first=asked.at + 1, last=asked.at + len(shown), all=len(keys))
        if keys else "",
    }  # fmt: skip


def sheet(
    found: Mapping[str, Mapping[str, Figure]], asked: Asked, complete: str
) -> tuple[list[str], list[list[object]]]:
    """A breakdown as columns and rows of a file: plain values, shares from 0 to 1. The last columns tell the window,
    that calls are no poll, what is hidden, and how complete it was."""
    first, last = date_of(asked.slice.first), date_of(asked.slice.last)
    window = f"{first} to {last}{', without flagged calls' if asked.slice.clean else ''}; not a scientific poll"
    columns = [asked.by, *(part for name in COLUMNS for part in (name, f"{name} of")), "window", "complete"]
    keys = {key: date_of(int(key)).isoformat() if asked.by == "day" else key for key in found}
    rows: list[list[object]] = [
        [keys[key], *(_cell(part) for name in COLUMNS for part in (row[name].value, row[name].n)),
         "; ".join((window, *hidden_in(row.values()))), complete]
        for key, row in found.items()
    ]  # fmt: skip
    return columns, rows


def hidden_in(figures: Iterable[Figure]) -> list[str]:
    """Why some of these figures are hidden before a poll, if any is."""
    return list(dict.fromkeys(figure.why for figure in figures if isinstance(figure.why, Hidden)))


def _cell(value: float | None) -> object:
    if value is None:
        return ""
    return int(value) if value == int(value) else round(value, 6)


def _sorted(found: Mapping[str, Mapping[str, Figure]], asked: Asked, names: Sequence[str]) -> list[str]:
    keys = list(found)  # in the order of the groups' names
    if asked.sort not in names:
        return keys[::-1] if asked.by == "day" and not asked.sort else keys if asked.down else keys[::-1]

    def value(key: str) -> float:
        known = found[key][asked.sort].value
        return -1.0 if known is None else known

    return sorted(keys, key=value, reverse=asked.down)


def _head(name: str, asked: Asked, _: Tell) -> dict[str, str]:
    mine = asked.sort == (name or "name")
    turned = asked.down if mine else not name  # numbers begin with the greatest, names with the first
    href = asked.address("/numbers/by", sort=name or "name", up="1" if turned and mine else "", at="")
    way = ("descending" if asked.down == bool(name) else "ascending") if mine else ""
    return {"title": _(METRICS[name].title) if name else _(NAMES[asked.by]), "href": href, "sorted": way, "name": name}


def _row(
    key: str, row: Mapping[str, Figure], names: Iterable[str], most: Mapping[str, float], asked: Asked, _: Tell
) -> dict[str, Any]:
    cells = []
    for name in names:
        told = figure(name, row[name], asked, _)
        part = f"{100 * (row[name].value or 0) / most[name]:.1f}%" if name in most else ""
        cells.append({**told, "share": part})
    alone = {"by": "", "sort": "", "up": "", "at": ""}
    if asked.by == "day":
        only = {"period": "own", "from": date_of(int(key)), "until": date_of(int(key))}
        said, href = day_name(int(key), _), asked.address("/numbers", **alone, **only)
    elif asked.by == "hour":
        said, href = f"{int(key):02}:00", ""
    else:
        said, href = words.plain(key), asked.address("/numbers", **alone, **{asked.by: key})
    return {"key": said or _("none"), "href": href if key else "", "cells": cells}
