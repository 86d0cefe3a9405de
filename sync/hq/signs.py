"""In which minutes a box was at work, as its signs of life tell.  Pure.

A sign is a first row of kind `line`: a line writes one when its state changes, and again every ten minutes. A sign is
believed when it stands under a trusted clock that tells a time of this century.

Rules of this room
- From a believed sign that says `ready` its line is up until the ledger's next sign, if that comes at most LAPSE_S
  later in the same boot, by the monotonic clock; else nobody knows, and nothing after the sign counts.
- A minute (UTC, of `at_ms`) of a box is up when one of its lines is up in any part of it.
- Minutes of service are those from the first believed sign of any line of the box to the newest one, without the minute
  in which that lies: it is not known to its end, nor is what comes after it.
- A box is the ledgers that `place` has in one district under one name. Its minutes count on its local day, in the zone
  of its ledger with the least number.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from sync.hq import facts
from sync.wire import WireRow

LAPSE_S = 660  # ten minutes, and one in which somebody may have rung
MINUTE_MS, QUARTER, DAY = 60_000, 15, 1440  # a minute; minutes of others
CENTURY = range(946_684_800_000, 4_102_444_800_000)  # 2000 to 2099: each day of service is a row

Span = tuple[int, int]  # minutes since 1970, UTC: from the first to before the second


class Heard(NamedTuple):
    """What a ledger's signs have said: the newest one (`up`: from it the line is up), and the minutes of the first and
    of the newest one that is believed, None before there is any."""

    boot: str
    mono_ms: int
    at_ms: int
    up: int
    first: int | None
    newest: int | None


def hear(heard: Heard | None, sign: WireRow) -> tuple[Heard, Span | None]:
    """What is known with one sign more, and the minutes in which the line was up before it."""
    boot, mono_ms, at_ms, clock, state = sign[3], sign[4], sign[5], sign[6], sign[10]
    span = None
    if heard is not None and heard.up and heard.boot == boot and 0 < mono_ms - heard.mono_ms <= LAPSE_S * 1000:
        until = heard.at_ms + mono_ms - heard.mono_ms
        span = heard.at_ms // MINUTE_MS, -(-until // MINUTE_MS)
    believed = clock >= facts.TRUSTED and at_ms in CENTURY
    told = [one for one in (heard.first, heard.newest) if one is not None] if heard is not None else []
    told += [at_ms // MINUTE_MS] if believed else []
    up = int(believed and state == "ready")
    return Heard(boot, mono_ms, at_ms, up, min(told, default=None), max(told, default=None)), span


class Service(NamedTuple):
    """When a box served, as far as its ledgers tell, and the zone of its days; `newest` is not known to its end."""

    zone: str = ""
    first: int = 0
    newest: int = 0


def service(ledgers: Mapping[int, tuple[str, Heard]]) -> Service:
    """The service of a box with these ledgers: number -> zone, and what was heard."""
    if not ledgers:
        return Service()
    firsts = [heard.first for _, heard in ledgers.values() if heard.first is not None]
    newest = [heard.newest for _, heard in ledgers.values() if heard.newest is not None]
    return Service(ledgers[min(ledgers)][0], min(firsts, default=0), max(newest, default=0))


def changed(was: Service, now: Service, spans: Iterable[Span]) -> set[int]:
    """The local days of which something else is to be told, with these new minutes in which a line was up."""
    if was.zone != now.zone or was.first == was.newest:
        grown = [(now.first, now.newest)]
    else:
        grown = [(now.first, was.first), (was.newest, now.newest)]
    days = _days(was.zone, [(was.first, was.newest)]) if was.zone != now.zone else set()
    inside = ((max(begin, now.first), min(end, now.newest)) for begin, end in (*grown, *spans))
    return days | _days(now.zone, inside)


def _days(zone: str, spans: Iterable[Span]) -> set[int]:
    return {
        day for begin, end in spans if begin < end
        for day in range(_day(begin // QUARTER, zone), _day((end - 1) // QUARTER, zone) + 1)
    }  # fmt: skip


@lru_cache(4096)
def _day(quarter: int, zone: str) -> int:
    return facts.local(quarter, facts.zone(zone))[0]


@lru_cache(4096)
def begins(day: int, zone: str) -> int:
    """The minute in which a local day begins."""
    near = range((day - 1) * DAY // QUARTER, (day + 1) * DAY // QUARTER + 1)
    return near[bisect_left(near, day, key=lambda quarter: _day(quarter, zone))] * QUARTER


@dataclass
class Minutes:
    """The minutes in which a box was up: a bit for each minute of a day, UTC."""

    days: dict[int, int]

    def add(self, span: Span) -> None:
        for day in utc_days(span):
            begin, end = max(span[0] - day * DAY, 0), min(span[1] - day * DAY, DAY)
            self.days[day] = self.days.get(day, 0) | ((1 << end - begin) - 1) << begin

    def count(self, span: Span) -> int:
        found = 0
        for day in utc_days(span):
            begin, end = max(span[0] - day * DAY, 0), min(span[1] - day * DAY, DAY)
            found += (self.days.get(day, 0) >> begin & (1 << end - begin) - 1).bit_count()
        return found

    def day(self, day: int, served: Service) -> tuple[int, int]:
        """Minutes up, and minutes of service, of a local day."""
        begin, end = max(begins(day, served.zone), served.first), min(begins(day + 1, served.zone), served.newest)
        return (self.count((begin, end)), end - begin) if begin < end else (0, 0)


def utc_days(span: Span) -> range:
    """The days, UTC, in which these minutes lie."""
    return range(span[0] // DAY, (span[1] - 1) // DAY + 1)


def pack(bits: int) -> str:
    """The minutes of a day, as pieces "first-last"."""
    pieces, at = [], 0
    while bits:
        skip = (bits & -bits).bit_length() - 1
        bits, at = bits >> skip, at + skip
        run = (~bits & (bits + 1)).bit_length() - 1
        pieces.append(f"{at}-{at + run - 1}")
        bits, at = bits >> run, at + run
    return " ".join(pieces)


def unpack(text: str) -> int:
    bits = 0
    for piece in text.split():
        first, last = map(int, piece.split("-"))
        bits |= ((1 << last - first + 1) - 1) << first
    return bits
