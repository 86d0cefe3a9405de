"""One transaction's hunt groups: their loads as they were and as they will be (`loads`), looked up and worked out anew.

Rules of this room
- It works before the transaction writes `tally`, behind `place`, and when the boxes are held: what is there is how it
  was, and what the rows add is put on top. So what goes into the sums of all places is exactly what has changed.
- A group is worked out anew on the days on which calls were added to it; and on all its days, when a line begins to
  stand for its campaign or no longer does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sync.hq import loads, sets
from sync.hq.gather import Gathered, Place
from sync.hq.loads import Group, Hunt
from sync.hq.sql import Db

_PLACES = (
    "SELECT place.store_id, place.box, place.line, place.district, place.campaign, place.began"
    " FROM ({given}) AS wanted CROSS JOIN place WHERE place.box = wanted.box"
)
_DAYS = (
    "SELECT load.district, load.box, load.campaign, load.day FROM ({given}) AS wanted CROSS JOIN load"
    " WHERE load.box = wanted.box AND load.campaign = wanted.campaign AND load.district = wanted.district"
)
_CELLS = (
    "SELECT t.store_id, t.campaign, t.day, t.hour, sum(t.calls) AS calls, sum(t.recovered) AS recovered,"
    " sum(t.placed) AS placed, sum(t.talk_s) AS talk_s FROM ({given}) AS wanted CROSS JOIN tally AS t"
    " WHERE t.store_id = wanted.store_id AND t.campaign = wanted.campaign AND t.day = wanted.day GROUP BY 1, 2, 3, 4"
)
_TEXTS = {"district": "TEXT", "box": "TEXT", "campaign": "TEXT"}


class Seat(NamedTuple):
    """Where a ledger is, and since which day it stands for which campaign."""

    district: str
    box: str
    line: str
    campaign: str
    began: int


def seat(place: Place) -> Seat:
    return Seat(place.district, place.box, place.line, place.campaign, place.began)


class Worked(NamedTuple):
    """Rows for `load` as they are now, and what the sums of all places gain: campaign, day, hour -> own, told, blocked,
    unseen."""

    rows: list[tuple[object, ...]]
    gained: dict[tuple[str, int, int], list[int]]


def work_out(db: Db, got: Gathered, places: Mapping[int, Place], were: Mapping[int, Seat]) -> Worked:
    """`places` of the transaction's ledgers as they are now; `were`: as they were, without those that are new."""
    grown = loads.grown(got.cells)
    moved = {number for number, place in places.items() if were.get(number) != seat(place)}
    boxes = {places[number].box for number in {key[0] for key in grown} | moved}
    if not boxes:
        return Worked([], {})
    rows = sets.fetch(db, _PLACES, {"box": "TEXT"}, {(box,) for box in boxes})
    after = {row.pop("store_id"): Seat(**row) for row in rows}
    before = {number: one for number, one in {**after, **were}.items() if number in were or number not in places}
    wanted = {(_group(after[store], campaign), day) for store, campaign, day, _ in grown}
    wanted |= _restood(db, {number for number in moved if number in after}, before, after)
    old, new = _hunts(wanted, before), _hunts(wanted, after)
    _count(db, wanted, after, grown, old, new)
    worked = Worked([], {})
    for group, day in sorted(wanted):
        was, now = old[group].day(day), new[group].day(day)
        if was != now:
            worked.rows.append((day, *group, *loads.summed(now)))
            _gain(worked.gained, group[2], day, was, now)
    return worked


def _group(one: Seat, campaign: str) -> Group:
    return one.district, one.box, campaign


def _restood(
    db: Db, moved: Iterable[int], before: Mapping[int, Seat], after: Mapping[int, Seat]
) -> set[tuple[Group, int]]:
    """The days of groups in which another number of lines may stand."""
    groups = {_group(one, one.campaign) for number in moved for one in (before.get(number), after[number]) if one}
    old, new = (_hunts(((group, 0) for group in groups), seats) for seats in (before, after))
    changed = {group for group in groups if old[group].stands != new[group].stands}
    found = sets.fetch(db, _DAYS, _TEXTS, changed) if changed else ()
    return {((row["district"], row["box"], row["campaign"]), row["day"]) for row in found}


def _hunts(wanted: Iterable[tuple[Group, int]], seats: Mapping[int, Seat]) -> dict[Group, Hunt]:
    hunts = {group: Hunt() for group, _ in wanted}
    for one in seats.values():
        if hunt := hunts.get(_group(one, one.campaign)):
            hunt.stand(one.line, one.began)
    return hunts


def _count(
    db: Db, wanted: Iterable[tuple[Group, int]], seats: Mapping[int, Seat],
    grown: Mapping[tuple[int, str, int, int], loads.Counts], old: Mapping[Group, Hunt], new: Mapping[Group, Hunt],
) -> None:  # fmt: skip
    """What these groups counted: before, and with what this transaction adds."""
    stores: dict[tuple[str, str], list[int]] = {}
    for number, one in seats.items():
        stores.setdefault((one.district, one.box), []).append(number)
    cells = {(number, group[2], day) for group, day in wanted for number in stores.get(group[:2], ())}
    types = {"store_id": "INTEGER", "campaign": "TEXT", "day": "INTEGER"}
    for row in sets.fetch(db, _CELLS, types, cells) if cells else ():
        one, counts = seats[row["store_id"]], [row[name] for name in loads.COUNTS]
        for hunts in (old, new):
            hunts[_group(one, row["campaign"])].count(one.line, row["day"], row["hour"], counts)
    for (store, campaign, day, hour), more in grown.items():
        one = seats[store]
        new[_group(one, campaign)].count(one.line, day, hour, more)


def _gain(
    gained: dict[tuple[str, int, int], list[int]], campaign: str, day: int, was: loads.Day, now: loads.Day
) -> None:
    nothing = loads.Hour(0, 0, 0, 0, 0)
    for hour in was.keys() | now.keys():
        sums = gained.setdefault((campaign, day, hour), [0, 0, 0, 0])
        old, new = was.get(hour, nothing), now.get(hour, nothing)
        for place in range(4):
            sums[place] += new[place] - old[place]
