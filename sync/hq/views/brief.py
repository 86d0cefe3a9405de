"""The speech brief in sentences: what people rang about, and how that changed. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from edge import words
from sync.hq.catalogue import Tell
from sync.hq.metrics.brief import District, Topic
from sync.hq.views.moments import MONTHS, date_of

WEEKS = 13  # that can be chosen
PAGE = 30  # districts on one page
TAGS = 8
WORTH = ("calls", "callers", "new", "engagement", "grievance-24", "breaches", "resolution")
SMALL = 10  # callers: below that a change is told in callers, not in per cent


def weeks(today: int, _: Tell) -> list[tuple[str, str]]:
    """The weeks that can be chosen, this one first: the date of their Monday, and their name."""
    monday = today - date_of(today).weekday()
    return [(date_of(day).isoformat(), span(day, day + 6, _)) for day in range(monday, monday - 7 * WEEKS, -7)]


def span(first: int, last: int, _: Tell) -> str:
    """ "15 Sep – 21 Sep 2026"."""
    one, other = date_of(first), date_of(last)
    return f"{one.day} {_(MONTHS[one.month - 1])} – {other.day} {_(MONTHS[other.month - 1])} {other.year}"


def districts(told: Sequence[District], running: bool, _: Tell) -> list[dict[str, Any]]:
    """District by district its topics, the leading one first, each with a sentence to say."""
    return [
        {
            "name": words.plain(one.name) or _("Without a district"),
            "topics": [_topic(topic, one.topics[0].callers, running, _) for topic in one.topics if topic.calls],
            "tags": [{"name": words.plain(tag), "cases": f"{cases:,}"} for tag, cases in one.tags[:TAGS]],
        }
        for one in told
    ]


def without(told: Sequence[District], issues: Collection[str]) -> list[District]:
    """The same without these topics."""
    return [one._replace(topics=tuple(topic for topic in one.topics if topic.name not in issues)) for one in told]


def _topic(topic: Topic, most: int, running: bool, _: Tell) -> dict[str, str]:
    more = []
    if topic.newly:
        more.append(_("{n} for the first time", n=f"{topic.newly:,}"))
    if topic.voices:
        more.append(_("messages left: {n}", n=f"{topic.voices:,}"))
    if topic.cases:
        more.append(_("grievances: {n}", n=f"{topic.cases:,}"))
    return {
        "name": words.plain(topic.name) or "–", "sentence": sentence(topic, running, _), "more": ", ".join(more),
        "share": f"{100 * topic.callers / max(1, most):.1f}%",
    }  # fmt: skip


def sentence(topic: Topic, running: bool, _: Tell) -> str:
    """What a speaker may say of a topic in a district. A week that is running is not measured against a whole one."""
    now, before = topic.callers, topic.callers_before
    values = {"callers": f"{now:,}", "before": f"{before:,}"}
    if running:
        return _("{callers} people have rung so far; {before} in the week before.", **values)
    if not before:
        return _("{callers} people rang; nobody the week before.", **values)
    if min(now, before) < SMALL or now == before:
        return _("{callers} people rang; {before} the week before.", **values)
    values["percent"] = f"{abs(100 * (now / before - 1)):,.0f}"
    if now > before:
        return _("{callers} people rang, {percent} % more than the week before.", **values)
    return _("{callers} people rang, {percent} % fewer than the week before.", **values)
