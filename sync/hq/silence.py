"""Silence before a poll: while a window of hq.toml is open, nobody at headquarters sees what callers have voted.  Pure.

    [[silence]]
    from = 2026-11-28T18:00:00+05:30
    until = 2026-11-30T18:00:00+05:30
    districts = ["Nashik"]                      # left out: everywhere
    why = "s.126, Representation of the People Act"

Rules of this room
- The calendar lies in hq.toml, which only whoever runs the machine writes: no page lifts or shortens a window, and the
  log tells when another calendar is in force (`told`). Votes are taken and counted as always.
- A window hides a slice that holds one of its districts; so it hides "everywhere", for a total would tell. One that
  names a district of which no box has spoken hides everything: the name may be misspelt.
- Hidden are votes and answers by value, and where each option of a referendum has a number of its own also what tells
  the calls to these numbers apart.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from edge.settings import Table
from sync.hq.catalogue import Reason

LONGEST = timedelta(hours=96)
NO_POLL = "Not a scientific poll."
WHY = "silence before a poll"
_MOMENT = "a date and a time with its offset, 2026-11-30T18:00:00+05:30, without quotes"


@dataclass(frozen=True, slots=True)
class Window:
    """From `begins` until just before `ends`, in these districts; () everywhere."""

    begins: datetime
    ends: datetime
    districts: tuple[str, ...] = ()
    why: str = WHY


class Hidden(Reason):
    """Why results are not told now."""


def hidden(
    windows: Iterable[Window], districts: Collection[str] | None, now_ms: int, known: Collection[str]
) -> Hidden | None:
    """Why the results of a slice are hidden now, None when they are not. `districts` are those that it holds, None for
    everywhere; `known` are all of which a box has spoken. Of several windows the one that ends last is named."""
    held = [window for window in windows if is_open(window, now_ms) and _holds(window, districts, known)]
    if not held:
        return None
    last = max(held, key=lambda window: window.ends)
    return Hidden("Results of votes are hidden until {time}: {why}", time=moment(last.ends), why=last.why)


def is_open(window: Window, now_ms: int) -> bool:
    return window.begins.timestamp() * 1000 <= now_ms < window.ends.timestamp() * 1000


def _holds(window: Window, districts: Collection[str] | None, known: Collection[str]) -> bool:
    if not window.districts or districts is None or not set(window.districts) <= set(known):
        return True
    return not set(window.districts).isdisjoint(districts)


def moment(at: datetime) -> str:
    """A moment on the clock that hq.toml has it in."""
    return f"{at:%Y-%m-%d %H:%M} {at.tzname()}"


def told(windows: Iterable[Window]) -> str:
    """The calendar in one line, for the log."""
    return "; ".join(
        f"{each.begins.isoformat()} to {each.ends.isoformat()}"
        f" {', '.join(each.districts) or 'everywhere'}: {each.why}"
        for each in windows
    ) or "none"  # fmt: skip


# ---------------------------------------------------------------------------------------- hq.toml


def read(top: Table) -> tuple[Window, ...]:
    """The windows of a configuration. Problems are noted in the table, as everywhere."""
    return tuple(window for table in top.tables("silence") if (window := _window(table)) is not None)


def _window(table: Table) -> Window | None:
    begins, ends = (_moment(table, key) for key in ("from", "until"))
    districts = table.texts("districts", (), pattern=r"\S(.*\S)?", allowed="names of districts, as boxes give them")
    why = table.text("why", WHY)
    if begins is None or ends is None:
        return None
    if not begins < ends <= begins + LONGEST:
        wrong = "it does not end after it begins" if ends <= begins else f"it lasts {_hours(ends - begins)} h"
        table.refuse("until", wrong, f"a moment behind `from`, by {_hours(LONGEST)} h at most")
        return None
    return Window(begins, ends, districts, why)


def _moment(table: Table, key: str) -> datetime | None:
    value = table.moment(key, _MOMENT)
    if value is not None and value.tzinfo is None:
        table.refuse(key, f"{value.isoformat()} has no offset: it would mean another hour on another machine", _MOMENT)
        return None
    return value


def _hours(span: timedelta) -> str:
    return f"{span.total_seconds() / 3600:g}"
