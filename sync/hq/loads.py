"""What the lines of a hunt group carried in each hour of a day, what must have been offered, and what was lost.  Pure.

A hunt group is the lines of one box, while it is in one district, that serve one campaign: a caller is taken to reach
whichever of them is free. Its lines on a local day are those that took or placed a call of the campaign that day, and
those that stood for it: a ledger of the line had begun by then, and the campaign is the one that it names last.

Rules of this room
- A call holds its line `erlang.HOLD_S`, and as long as it was talked. Calls that an operator's alert told of
  (recovered) held none. A group's load in an hour is told in whole thousandths of an erlang.
- Hours are worked out one by one, for loss is not linear, and kept as whole `PARTS` of a call or an erlang: so they add
  up, and taking out what was put in leaves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sync.hq import erlang
from sync.hq.facts import C, Cell

PARTS = 10**9  # of a call, or of an erlang
COUNTS = ("calls", "recovered", "placed", "talk_s")  # of `tally`, that make a load
_AT = tuple(C[name] for name in COUNTS)

Group = tuple[str, str, str]  # district, box, campaign
Counts = tuple[int, int, int, int]  # COUNTS
Day = dict[int, "Hour"]


class Hour(NamedTuple):
    """own: calls that the boxes heard; told: those of which only an operator's alert told. In PARTS: blocked, calls
    that found no line free; unseen, those of them of which nobody heard; offered, erlangs."""

    own: int
    told: int
    blocked: int
    unseen: int
    offered: int


def grown(cells: Mapping[Cell, list[int]]) -> dict[tuple[int, str, int, int], Counts]:
    """What calls of a transaction add: store, campaign, day, hour -> COUNTS."""
    found: dict[tuple[int, str, int, int], Counts] = {}
    for cell, counters in cells.items():
        a, b, c, d = (counters[place] for place in _AT)
        if a or b or c or d:
            w, x, y, z = found.get(cell[:4], (0, 0, 0, 0))
            found[cell[:4]] = a + w, b + x, c + y, d + z
    return found


@dataclass
class Hunt:
    """A group: since which day its lines stand for it, and what each line counted: day -> hour -> line -> COUNTS."""

    stands: dict[str, int] = field(default_factory=dict)
    days: dict[int, dict[int, dict[str, Counts]]] = field(default_factory=dict)

    def stand(self, line: str, began: int) -> None:
        self.stands[line] = min(began, self.stands.get(line, began))

    def count(self, line: str, day: int, hour: int, more: Iterable[int]) -> None:
        lines = self.days.setdefault(day, {}).setdefault(hour, {})
        a, b, c, d = lines.get(line, (0, 0, 0, 0))
        w, x, y, z = more
        lines[line] = a + w, b + x, c + y, d + z

    def day(self, day: int) -> Day:
        """The hours of a day in which something was heard, placed or told."""
        hours = self.days.get(day, {})
        lines = {line for line, began in self.stands.items() if began <= day}
        for counted in hours.values():
            lines |= {line for line, (calls, _, placed, _) in counted.items() if calls + placed > 0}
        told = {number: tuple(map(sum, zip(*counted.values(), strict=True))) for number, counted in hours.items()}
        made = {number: hour(max(1, len(lines)), *counts) for number, counts in told.items()}
        return {number: each for number, each in made.items() if any(each)}


def hour(lines: int, calls: int, recovered: int, placed: int, talk_s: int) -> Hour:
    """One hour of a group of so many lines."""
    own = calls - recovered
    carried = ((own + placed) * erlang.HOLD_S + talk_s) * 1000 // 3600 / 1000
    if carried <= 0:
        return Hour(own, recovered, 0, 0, 0)
    lost = erlang.loss(lines, carried)
    blocked, unseen = (round(PARTS * erlang.unseen(own, lost, told)) for told in (0, recovered))
    return Hour(own, recovered, blocked, unseen, round(PARTS * erlang.offered_load(lines, carried)))


def summed(day: Day) -> tuple[int, int, int, int, int]:
    """A day as the table `load` has it: own, told, blocked, unseen, and the offered load of the busiest hour."""
    own, told, blocked, unseen = (sum(each[place] for each in day.values()) for place in range(4))
    return own, told, blocked, unseen, max((each.offered for each in day.values()), default=0)
