"""What callers said, for the first page: recordings, open grievances, answers; and who a caller is, masked."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from edge import words
from edge.numbers import mask
from sync.hq.catalogue import Tell
from sync.hq.views.moments import age, clock_time

STATES = ("new", "assigned", "contacted", "resolved", "verified", "reopened")  # of a grievance


def caller(row: dict[str, Any], _: Tell) -> str:
    """Who rang, masked; a number that was not shown has words instead."""
    if row["caller_kind"] == "withheld":
        return _("Number hidden")
    return _("Number not told") if row["caller_kind"] in ("unavailable", "unknown") else mask(row["caller"])


def place(row: dict[str, Any]) -> str:
    """Box and line."""
    return f"{words.plain(row['box'])} · {words.plain(row['line'])}"


def call(row: dict[str, Any], now_ms: int, _: Tell) -> dict[str, str]:
    """One call of the newest."""
    campaign, when = words.plain(row["campaign"]), age(row["at_ms"], now_ms, _)
    return {"caller": caller(row, _), "campaign": campaign, "where": place(row), "when": when}


def _said(row: dict[str, Any], _: Tell) -> dict[str, str]:
    """Who said it, where and about what."""
    tags = " · ".join(words.plain(tag) for tag in str(row["tags"]).split(",") if tag.strip())
    return {"caller": caller(row, _), "campaign": words.plain(row["campaign"]), "tags": tags, "where": place(row)}


def take(row: dict[str, Any], now_ms: int, _: Tell) -> dict[str, str]:
    """One recording; `state` says what is missing until it can be heard."""
    if row["id"]:
        state = ""
    elif row["state"] == "recording":
        state = _("Still being recorded.")
    elif row["have"]:
        state = _("On the way: {percent} % is here.", percent=100 * row["have"] // max(1, row["bytes"]))
    elif row["state"] == "erased":
        state = _("Erased at the box before it came here.")
    else:
        state = _("Still at the box; sound follows when calls and messages are here.")
    length = _("{n} s", n=row["seconds"]) if row["seconds"] else ""
    return {**_said(row, _), "id": row["id"], "state": state, "length": length, "when": age(row["at_ms"], now_ms, _)}


def grievances(found: dict[str, Any], now_ms: int, where: tzinfo, _: Tell) -> dict[str, Any]:
    """How many are open, and those that are due first."""
    first = [
        {
            **_said(case, _),
            "reference": words.plain(case["reference"]),
            "state": _(words.plain(case["state"])),
            "said": case["said"],
            "when": age(case["at_ms"], now_ms, _),
            "due": _("due {time}", time=clock_time(case["due_ms"], now_ms, where, _))
            if case["due_ms"]
            else _("no time set"),
            "tone": "bad" if 0 < case["due_ms"] < now_ms else "busy",
        }
        for case in found["first"]
    ]
    return {
        "open": f"{found['open']:,}",
        "overdue": f"{found['overdue']:,}",
        "tone": "bad" if found["overdue"] else "good",
        "more": max(0, found["open"] - len(first)),
        "first": first,
    }


def answers(found: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Each answer to each issue, counted four ways."""
    counts = ("raw", "first", "last", "void")
    return [
        {
            "issue": words.plain(row["issue"]) or "–",
            "value": words.plain(row["value"]) or "–",
            **{name: f"{row[name]:,}" for name in counts},
        }
        for row in found
    ]
