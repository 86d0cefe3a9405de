"""What silence windows hide of figures: votes, ways through a menu, and calls to the numbers of a referendum.  Pure.

Rules of this room
- A slice is hidden by the districts of its ledgers; without a place chosen it is everywhere.
- Where options of a referendum have numbers of their own, calls are votes. A slice that holds the lines of some of an
  issue's options and not of all tells them apart: in a hidden slice nothing of it is told. Whole issues, days and
  districts are told as always.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace

from sync.hq import silence
from sync.hq.metrics.slices import AREAS, Cannot, Ground, Slice
from sync.hq.silence import Hidden, Window

VOTES = frozenset({"referendum", "drop-off"})  # where an option of a vote leads to tells the vote
OPTIONS = "SELECT DISTINCT store_id, campaign FROM day_tally WHERE campaign IN (SELECT campaign FROM part)"
_PLACES = (*AREAS, "ward")


@dataclass(frozen=True, slots=True)
class Hush:
    """`options`: of each ledger the campaigns with calls that are an option of an issue (the rows of OPTIONS)."""

    windows: tuple[Window, ...]
    now_ms: int
    options: Mapping[int, Set[str]]

    def of(self, ground: Ground, asked: Slice, by: str, key: str) -> tuple[Hidden | None, bool]:
        """Why a group of a breakdown is hidden, and whether all of it is, not only its votes."""
        if not any(silence.is_open(window, self.now_ms) for window in self.windows):
            return None, False
        one = replace(asked, **{by: key}) if by in (*_PLACES, "campaign") and key else asked  # type: ignore[arg-type]
        why = silence.hidden(self.windows, _districts(ground, one), self.now_ms, known(ground))
        return why, why is not None and self._tells_apart(ground, one)

    def _tells_apart(self, ground: Ground, one: Slice) -> bool:
        if not _narrowed(one) and not one.campaign:
            return False
        some, every = self._heard(_stores(ground, one)), self._heard(ground.places)
        if one.campaign:
            some &= {one.campaign}
        issues = {campaign: issue for campaign, (issue, _) in ground.issues.items() if one.issue in ("", issue)}
        return silence.tells_apart(some, every, issues)

    def _heard(self, stores: Iterable[int]) -> set[str]:
        return {campaign for store in stores for campaign in self.options.get(store, ())}


def known(ground: Ground) -> frozenset[str]:
    """All districts of which a box has spoken."""
    return frozenset(place["district"] for place in ground.places.values())


def _narrowed(one: Slice) -> bool:
    return any(getattr(one, name) for name in _PLACES)


def _districts(ground: Ground, one: Slice) -> frozenset[str] | None:
    return frozenset(ground.places[store]["district"] for store in _stores(ground, one)) if _narrowed(one) else None


def _stores(ground: Ground, one: Slice) -> frozenset[int]:
    try:
        return ground.stores(one)
    except Cannot:  # wards that nobody has told: nothing is narrowed
        return frozenset(ground.places)
