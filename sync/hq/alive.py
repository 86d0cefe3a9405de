"""One transaction's signs of life: minutes of boxes (`signs`), looked up and worked out anew.

Rules of this room
- It works behind `place`, and when the boxes are held: two receivers that write lines of one box wait for each other.
- A minute in which a line was up stays up; a box's minutes are kept together, by the day (UTC), and no page reads them.
- A local day of a box is counted anew when minutes come to it, or when service reaches into it: so it depends on which
  rows are held, and on nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sync.hq import sets, signs
from sync.hq.gather import Gathered, Place
from sync.hq.signs import Heard, Minutes, Service, Span
from sync.hq.sql import Db

_HEARD = (
    "SELECT sign.*, place.district, place.box, place.timezone FROM ({given}) AS wanted CROSS JOIN place"
    " JOIN sign ON sign.store_id = place.store_id WHERE place.box = wanted.box"
)
_MINUTES = (
    "SELECT t.district, t.box, t.day, t.spans FROM ({given}) AS wanted CROSS JOIN uptime AS t"
    " WHERE t.district = wanted.district AND t.box = wanted.box AND t.day = wanted.day"
)

Box = tuple[str, str]  # district, box
Rows = list[tuple[object, ...]]
Ledgers = dict[Box, dict[int, tuple[str, Heard]]]


def work_out(db: Db, got: Gathered, places: Mapping[int, Place]) -> dict[str, Rows]:
    """Rows for `sign`, `uptime` and `service` as they are now; `places` of the transaction's ledgers."""
    worked: dict[str, Rows] = {"sign": [], "uptime": [], "service": []}
    if not got.signs:
        return worked
    before = _heard(db, {places[number].box for number in got.signs})
    after: Ledgers = {box: dict(ledgers) for box, ledgers in before.items()}
    spans: dict[Box, list[Span]] = {}
    for number, rows in got.signs.items():
        place = places[number]
        box = place.district, place.box
        mine, found = after.setdefault(box, {}), spans.setdefault(box, [])
        zone, heard = mine.get(number, (place.timezone, None))
        for row in rows:
            heard, span = signs.hear(heard, row)
            found += [span] if span is not None else []
        assert heard is not None
        mine[number] = zone, heard
        worked["sign"].append((number, *heard))
    served = {box: signs.service(after[box]) for box in spans}
    days = {
        box: signs.changed(signs.service(before.get(box, {})), served[box], found) for box, found in spans.items()
    }
    kept = _minutes(db, _wanted(days, served, spans))
    for box, found in spans.items():
        minutes = kept.setdefault(box, Minutes({}))
        old = dict(minutes.days)
        for span in found:
            minutes.add(span)
        anew = ((day, bits) for day, bits in minutes.days.items() if bits != old.get(day))
        worked["uptime"].extend((*box, day, signs.pack(bits)) for day, bits in anew)
        worked["service"].extend((day, *box, *minutes.day(day, served[box])) for day in days[box])
    return worked


def _heard(db: Db, boxes: Iterable[str]) -> Ledgers:
    """What all ledgers of these boxes have said so far."""
    found: Ledgers = {}
    for row in sets.fetch(db, _HEARD, {"box": "TEXT"}, {(box,) for box in boxes}):
        number, zone, box = row.pop("store_id"), row.pop("timezone"), (row.pop("district"), row.pop("box"))
        found.setdefault(box, {})[number] = zone, Heard(**row)
    return found


def _wanted(
    days: Mapping[Box, Iterable[int]], served: Mapping[Box, Service], spans: Mapping[Box, Iterable[Span]]
) -> set[tuple[str, str, int]]:
    """The days, UTC, of boxes whose minutes are counted or grow."""
    wanted = set()
    for box, found in spans.items():
        zone = served[box].zone
        local = ((signs.begins(day, zone), signs.begins(day + 1, zone)) for day in days[box])
        wanted |= {(*box, day) for span in (*found, *local) for day in signs.utc_days(span)}
    return wanted


def _minutes(db: Db, wanted: set[tuple[str, str, int]]) -> dict[Box, Minutes]:
    found: dict[Box, Minutes] = {}
    for row in sets.fetch(db, _MINUTES, {"district": "TEXT", "box": "TEXT", "day": "INTEGER"}, wanted):
        minutes = found.setdefault((row["district"], row["box"]), Minutes({}))
        minutes.days[row["day"]] = signs.unpack(row["spans"])
    return found
