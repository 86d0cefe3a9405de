"""Engagement: who was offered an act beyond the missed call, and who did one (`facts` says what these are).  Pure.

Rules of this room
- `marks` of a caller and campaign are lines: "o at_ms store day" an offer, "a" an act; in any order, also twice.
- She counts once, in the store and on the day of her first offer, as offered, and as acted once she has done any act.
  An act of hers that was never offered counts nowhere.
"""

from __future__ import annotations

LONG = 200  # marks longer than this are packed anew

Offer = tuple[int, int, int]  # at_ms, store, day
ACT = "a\n"


def offer(at_ms: int, store: int, day: int) -> str:
    return f"o {at_ms} {store} {day}\n"


def unpack(marks: str) -> tuple[Offer | None, bool]:
    """The first offer, and whether she acted."""
    first: Offer | None = None
    acted = False
    for line in marks.splitlines():
        if line == "a":
            acted = True
            continue
        _, at, store, day = line.split(" ")
        one = (int(at), int(store), int(day))
        first = one if first is None or one < first else first
    return first, acted


class Acts:
    """Sums of one transaction: (store, campaign's number, day) -> offered, acted."""

    def __init__(self) -> None:
        self.sums: dict[tuple[int, int, int], list[int]] = {}

    def caller(self, campaign: int, added: str, after: str) -> str | None:
        """A caller's marks are `after`, with `added` at their end. Returns them packed anew when they are long."""
        before = after[: -len(added)]
        for marks, sign in ((before, -1), (after, 1)):
            first, acted = unpack(marks)
            if first is not None:
                pair = self.sums.setdefault((first[1], campaign, first[2]), [0, 0])
                pair[0] += sign
                pair[1] += sign * acted
        if len(after) <= LONG:
            return None
        first, acted = unpack(after)
        packed = (offer(*first) if first is not None else "") + (ACT if acted else "")
        return packed if 2 * len(packed) < len(after) else None
