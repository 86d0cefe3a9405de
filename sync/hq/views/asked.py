"""What a reader of figures asks for: the address's words as a slice, and slices as addresses again.

Rules of this room
- An address is the whole question, so that a figure can be sent to somebody: a period or two dates, filters, a
  breakdown, what it is compared with. What an address has wrong is refused in words.
- Periods are local days of the zone that most boxes are in; a custom one names its dates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from urllib.parse import urlencode

from sync.hq.catalogue import Tell
from sync.hq.metrics import BY, Slice
from sync.hq.views.moments import date_of, day_name, day_of

# period -> its name, its first and last day before today
PERIODS: dict[str, tuple[str, int, int]] = {
    "today": ("Today", 0, 0),
    "yesterday": ("Yesterday", 1, 1),
    "7": ("Last 7 days", 6, 0),
    "28": ("Last 28 days", 27, 0),
    "90": ("Last 90 days", 89, 0),
    "own": ("From one date to another", 6, 0),
}
FILTERS = ("campaign", "issue", "district", "ward", "box", "line", "channel", "language", "tag")
AGAINST = {  # what a window is compared with -> its name
    "": "Nothing",
    "before": "The period before",
    "week": "The same days a week earlier",
    "clean": "Without flagged calls",
}
# what slices are divided by -> its name
NAMES = {
    "campaign": "Campaign", "issue": "Issue", "tag": "Tag", "district": "District", "ward": "Ward", "box": "Box",
    "line": "Line", "channel": "Channel", "language": "Language", "hour": "Hour", "day": "Day",
}  # fmt: skip


class Wrong(Exception):
    """The address asks for what there is not; the text is for the reader, in English."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question. `today` is the day it is asked on; `by`, `sort`, `down`, `at` are those of a table."""

    slice: Slice
    today: int
    period: str = "7"
    against: str = ""
    by: str = ""
    sort: str = ""
    down: bool = True
    at: int = 0

    def other(self) -> Slice | None:
        """The slice that this one is compared with."""
        mine = self.slice
        back = {"before": mine.last - mine.first + 1, "week": 7}.get(self.against)
        if back:
            return replace(mine, first=mine.first - back, last=mine.last - back)
        return replace(mine, clean=not mine.clean) if self.against == "clean" else None

    def said(self, _: Tell) -> str:
        """The window in words."""
        first, last = day_name(self.slice.first, _), day_name(self.slice.last, _)
        return first if self.slice.first == self.slice.last else f"{first} – {last}"

    def address(self, path: str, **changed: Any) -> str:
        """The same question at `path`, with these words changed."""
        mine: dict[str, Any] = {"period": self.period, "against": self.against, "by": self.by, "sort": self.sort}
        if self.period == "own":
            mine |= {"from": date_of(self.slice.first).isoformat(), "until": date_of(self.slice.last).isoformat()}
        mine |= {name: getattr(self.slice, name) for name in FILTERS}
        mine |= {"clean": "1" if self.slice.clean else "", "up": "" if self.down else "1", "at": self.at or ""}
        told = {name: value for name, value in (mine | changed).items() if value not in ("", None)}
        return path + (f"?{urlencode(told)}" if told else "")


def read(query: Mapping[str, str], today: int, by: str = "") -> Asked:
    """The question of an address. Raises `Wrong`."""
    period = query.get("period", "7")
    if period not in PERIODS:
        raise Wrong("There is no such period. Choose one of the list.")
    _, back, end = PERIODS[period]
    first, last = today - back, today - end
    if period == "own":
        first, last = _date(query.get("from", ""), first), _date(query.get("until", ""), last)
        if first > last:
            raise Wrong("The first date lies behind the last one. Exchange them.")
    filters = {name: query.get(name, "")[:100] for name in FILTERS}
    asked_by, against = query.get("by", by), query.get("against", "")
    if asked_by not in ("", *BY) or against not in AGAINST:
        raise Wrong("There is no such table. Choose one of the list.")
    at = query.get("at", "0")
    return Asked(
        Slice(first, last, clean=query.get("clean") == "1", **filters), today, period, against, asked_by,
        query.get("sort", ""), query.get("up") != "1", int(at) if at.isdecimal() and len(at) < 7 else 0,
    )  # fmt: skip


def _date(text: str, otherwise: int) -> int:
    if not text:
        return otherwise
    try:
        return day_of(date.fromisoformat(text))
    except ValueError:
        raise Wrong("This is no date. Write it as 2026-11-30.") from None
