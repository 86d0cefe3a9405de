"""What silence windows hide of figures: votes, ways through a menu, and calls to the numbers of a referendum.  Pure.

Rules of this room
- Votes by key are hidden by the districts of a slice's ledgers; without a place chosen it is everywhere.
- Where options of a referendum have numbers of their own, calls are votes. Then a window anywhere hides votes
  everywhere, and of all campaigns together nothing is told by place, language or tag: what is told of some would, taken
  from a total, tell the others. Totals, days, hours, whole issues, and campaigns that are no option are told as always.
- Nothing here looks at all places for each of many groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Set

from sync.hq import silence
from sync.hq.metrics.slices import AREAS, Cannot, Ground, Slice
from sync.hq.silence import Hidden, Window

VOTES = frozenset({"referendum", "drop-off"})  # where an option of a vote leads to tells the vote
OPTIONS = "SELECT DISTINCT campaign FROM all_tally WHERE calls > 0 AND campaign IN (SELECT campaign FROM part)"
_PLACES = (*AREAS, "ward")
_APART = (*_PLACES, "language", "tag")


class Hush:
    """`options`: the campaigns with calls that are an option of an issue (the rows of OPTIONS). For one question."""

    def __init__(self, windows: Iterable[Window], now_ms: int, options: Set[str]) -> None:
        self._open = [window for window in windows if silence.is_open(window, now_ms)]
        self._now_ms, self._options = now_ms, options
        self._known: frozenset[str] = frozenset()
        self._held: dict[Slice, frozenset[str] | None] = {}  # the districts of a slice; None: it is everywhere
        self._why: dict[frozenset[str] | None, Hidden | None] = {}

    def of(self, ground: Ground, asked: Slice, by: str, key: str) -> tuple[Hidden | None, bool]:
        """Why a group of a breakdown is hidden, and whether all of it is, not only its votes."""
        if not self._open:
            return None, False
        if self._options:
            return self._hidden(ground, None), self._tells_apart(ground, asked, by, key)
        return self._hidden(ground, frozenset({key}) if by == "district" else self._districts(ground, asked)), False

    def _hidden(self, ground: Ground, districts: frozenset[str] | None) -> Hidden | None:
        if districts not in self._why:
            self._known = self._known or known(ground)
            self._why[districts] = silence.hidden(self._open, districts, self._now_ms, self._known)
        return self._why[districts]

    def _tells_apart(self, ground: Ground, asked: Slice, by: str, key: str) -> bool:
        if campaign := asked.campaign or (key if by == "campaign" else ""):
            return campaign in self._options
        issue = asked.issue or (key if by == "issue" else "")
        if not any(issue in ("", ground.issues[campaign][0]) for campaign in self._options):
            return False
        return by in _APART or any(getattr(asked, name) for name in _APART)

    def _districts(self, ground: Ground, asked: Slice) -> frozenset[str] | None:
        if not any(getattr(asked, name) for name in _PLACES):
            return None
        if asked not in self._held:
            try:
                inside = ground.stores(asked)
            except Cannot:  # wards that nobody has told: nothing is narrowed
                inside = frozenset(ground.places)
            self._held[asked] = frozenset(ground.places[store]["district"] for store in inside)
        return self._held[asked]


def known(ground: Ground) -> frozenset[str]:
    """All districts of which a box has spoken."""
    return frozenset(place["district"] for place in ground.places.values())
