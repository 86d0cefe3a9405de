"""The speech brief in sentences: what people rang about, and how that changed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from edge import words
from sync.hq.briefing import Brief, Standing
from sync.hq.catalogue import Tell
from sync.hq.views.moments import MONTHS, date_of

WEEKS = 13  # that can be chosen
TAGS = 8
SMALL = 10  # callers: below that a change is told in callers, not in per cent


def weeks(today: int, _: Tell) -> list[tuple[str, str]]:
    """The weeks that can be chosen, this one first: the date of their Monday, and their name."""
    monday = today - date_of(today).weekday()
    return [(date_of(day).isoformat(), span(day, day + 6, _)) for day in range(monday, monday - 7 * WEEKS, -7)]


def span(first: int, last: int, _: Tell) -> str:
    """ "15 Sep – 21 Sep 2026"."""
    one, other = date_of(first), date_of(last)
    return f"{one.day} {_(MONTHS[one.month - 1])} – {other.day} {_(MONTHS[other.month - 1])} {other.year}"


def districts(standings: Sequence[Standing], _: Tell) -> list[dict[str, Any]]:
    """District by district its topics, the strongest first, each with a sentence to say."""
    told = []
    for district, its in groupby(standings, key=lambda one: one.district):
        ranked = list(its)
        most = ranked[0].callers
        told.append({
            "name": words.plain(district) or _("Without a district"),
            "topics": [
                {"name": words.plain(one.topic), "callers": f"{one.callers:,}", "new": f"{one.new:,}",
                 "share": f"{100 * one.callers / most:.1f}%", "sentence": sentence(one, _), "before": f"{one.before:,}"}
                for one in ranked
            ],
        })  # fmt: skip
    return told


def sentence(one: Standing, _: Tell) -> str:
    """What a speaker may say of a topic in a district."""
    values = {"callers": f"{one.callers:,}", "before": f"{one.before:,}"}
    if not one.before:
        return _("{callers} people rang; nobody the week before.", **values)
    if min(one.callers, one.before) < SMALL or one.callers == one.before:
        return _("{callers} people rang; {before} the week before.", **values)
    values["percent"] = f"{abs(100 * (one.callers / one.before - 1)):,.0f}"
    if one.callers > one.before:
        return _("{callers} people rang, {percent} % more than the week before.", **values)
    return _("{callers} people rang, {percent} % fewer than the week before.", **values)


def tags(told: Brief) -> list[dict[str, str]]:
    """What was spoken about most."""
    return [
        {"name": words.plain(tag), "voices": f"{voices:,}", "waiting": f"{waiting:,}"}
        for tag, voices, waiting in told.tags[:TAGS]
    ]
