"""Moments and ages in the reader's language. Pure: now and the zone are arguments."""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo

from sync.hq.catalogue import Tell

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH = date(1970, 1, 1)


def clock_time(at_ms: int, now_ms: int, where: tzinfo, _: Tell) -> str:
    """A moment as a wall clock there shows it; with its date when that is not today."""
    at, now = (datetime.fromtimestamp(moment / 1000, where) for moment in (at_ms, now_ms))
    return f"{at:%H:%M:%S}" if at.date() == now.date() else f"{at.day} {_(MONTHS[at.month - 1])} {at:%H:%M}"


def hour_of_week(at: datetime, _: Tell) -> str:
    """ "Mon 19:00"."""
    return f"{_(DAYS[at.weekday()])} {at:%H:%M}"


def date_of(day: int) -> date:
    """The date of a day that is counted from 1970."""
    return _EPOCH + timedelta(days=day)


def day_of(at: date) -> int:
    """A date as days since 1970."""
    return (at - _EPOCH).days


def day_name(day: int, _: Tell) -> str:
    """ "Mon 21 Sep"."""
    at = date_of(day)
    return f"{_(DAYS[at.weekday()])} {at.day} {_(MONTHS[at.month - 1])}"


def age(at_ms: int | None, now_ms: int, _: Tell) -> str:
    """How long ago that was: "12 s ago", "3 min ago"; "never" when there is no such time.

    A time in the future (a clock was set back) is "just now"."""
    if not at_ms or at_ms <= 0:
        return _("never")
    seconds = (now_ms - at_ms) // 1000
    if seconds < 5:
        return _("just now")
    if seconds < 90:
        return _("{n} s ago", n=seconds)
    if seconds < 5400:
        return _("{n} min ago", n=seconds // 60)
    if seconds < 172_800:
        return _("{n} h ago", n=seconds // 3600)
    return _("{n} days ago", n=seconds // 86400)
