"""What is asked about: a window of local days and filters, and how both become SQL over the roll-ups.

Rules of this room
- A day is a local date as days since 1970-01-01, in the zone of the box, frozen when its rows came. A window holds both
  its ends. A filter that is "" leaves all in.
- What cannot be answered exactly is refused (`Cannot`, with the reason in words), never guessed.
- `Ground` is what must be known beforehand of places, campaigns and wards: a few rows, read once for one answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from sync.hq.catalogue import Reason
from sync.hq.sql import Db, Row

AREAS = ("line", "box", "channel", "district")  # the narrowest first
BY = ("campaign", "issue", "tag", "district", "ward", "box", "line", "channel", "language", "hour", "day")
PLACES = "(t.district, t.box) IN (SELECT p.district, p.box FROM place AS p WHERE {area})"
EVER = (-999_999, 999_999)  # days; before the first there is `visits.NEVER`


class Cannot(Exception):
    """There is no exact answer to this; `reason` says why, for people of any language."""

    def __init__(self, why: str, **values: object) -> None:
        self.reason = Reason(why, **values)
        super().__init__(self.reason)


def not_told(what: str, by: str) -> Cannot:
    """`what` (several of them) has no figures by this filter or division."""
    by = "spoken language" if by == "language" else by  # the other word is, in each catalogue, its own name
    return Cannot("{what} are not told by {by}", what=what, by=by)


@dataclass(frozen=True, slots=True)
class Slice:
    """From `first` to `last`, local days. `line` is named <box>/<line>. `clean`: without the callers and calls that
    rule 56 flags."""

    first: int = EVER[0]
    last: int = EVER[1]
    campaign: str = ""
    issue: str = ""
    tag: str = ""
    district: str = ""
    ward: str = ""
    box: str = ""
    line: str = ""
    channel: str = ""
    language: str = ""
    clean: bool = False

    @property
    def window(self) -> dict[str, object]:
        return {"first": self.first, "last": self.last}

    @property
    def days(self) -> int | None:
        """How many days the window has; None when it has no beginning or no end."""
        return None if self.first <= EVER[0] or self.last >= EVER[1] else self.last - self.first + 1

    @property
    def everywhere(self) -> Slice:
        """The same of all places."""
        return replace(self, ward="", line="", box="", channel="", district="")

    def only(self, what: str, *more: str) -> None:
        """Refuse every filter but campaign, issue, places and these; `what` is not told by them."""
        for name in ("tag", "language"):
            if getattr(self, name) and name not in more:
                raise not_told(what, name)


class Query(NamedTuple):
    """One SELECT and its parameters: run it, and it gives the figure again."""

    sql: str
    values: dict[str, object]


@dataclass(frozen=True, slots=True)
class Ground:
    """`places` of ledgers by id; of a campaign that is part of one its `issues`: name and policy; `wards` by
    <box>/<line>, None where nobody has told any."""

    places: Mapping[int, Row]
    issues: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    wards: Mapping[str, str] | None = None

    def where(self, asked: Slice, alias: str = "t", campaign: bool = True, language: bool = True) -> Query:
        """The conditions of a slice over a table with store_id, day, campaign and language, where it has these."""
        terms, values = [f"{alias}.day >= :first AND {alias}.day <= :last"], asked.window
        if campaign and (topic := self.topic(asked, f"{alias}.campaign", values)):
            terms.append(topic)
        if language and asked.language:
            terms.append(f"{alias}.language = :language")
            values["language"] = asked.language
        area, more = self.area(asked)
        if area:
            terms.append(f"{alias}.store_id IN (SELECT p.store_id FROM place AS p WHERE {area})")
        return Query(" AND ".join(terms), values | more)

    def where_boxes(self, asked: Slice) -> Query:
        """The same over a table `t` that knows boxes and no ledgers, or over one of all places."""
        area, values = self.area(asked)
        all_places = self.where(asked.everywhere)
        terms = [all_places.sql, *([PLACES.format(area=area)] if area else [])]
        return Query(" AND ".join(terms), all_places.values | values)

    def whole_boxes(self, asked: Slice, why: str) -> None:
        """Refuse a slice that holds only some lines of a box."""
        if asked == asked.everywhere:
            return
        inside = self.stores(asked)
        boxes = {_box(self.places[number]) for number in inside}
        if any(number not in inside and _box(place) in boxes for number, place in self.places.items()):
            raise Cannot(why)

    def topic(self, asked: Slice, column: str, values: dict[str, object]) -> str:
        """The condition that a column holds one of the slice's campaigns; "" when all are in."""
        terms = []
        if asked.campaign:
            terms.append(f"{column} = :campaign")
            values["campaign"] = asked.campaign
        if asked.issue:
            terms.append(_among(column, "i", self.campaigns(asked.issue), values))
        return " AND ".join(terms)

    def area(self, asked: Slice, alias: str = "p") -> tuple[str, dict[str, object]]:
        """The conditions of a slice over `place`; "" when all places are in."""
        terms: list[str] = []
        values: dict[str, object] = {}
        for name in AREAS:
            if value := getattr(asked, name):
                terms.append(f"{place_key(name, alias)} = :{name}")
                values[name] = value
        if asked.ward:
            terms.append(_among(place_key("line", alias), "w", self.lines(asked.ward), values))
        return " AND ".join(terms), values

    def campaigns(self, issue: str) -> list[str]:
        return sorted(name for name, its in self.issues.items() if its[0] == issue)

    def lines(self, ward: str) -> list[str]:
        if self.wards is None:
            raise Cannot("nobody has said which ward a line serves")
        return sorted(line for line, its in self.wards.items() if its == ward)

    def stores(self, asked: Slice) -> frozenset[int]:
        """The ledgers within the slice's area."""
        if asked == asked.everywhere:
            return frozenset(self.places)
        lines = set(self.lines(asked.ward)) if asked.ward else None
        return frozenset(
            number for number, place in self.places.items()
            if all(area_of(place, name) == getattr(asked, name) for name in AREAS if getattr(asked, name))
            and (lines is None or area_of(place, "line") in lines)
        )  # fmt: skip

    def alike(self, asked: Slice) -> tuple[str, str]:
        """One area (its name and value, "" for everywhere) that holds exactly the slice's ledgers.

        Raises Cannot when there is none: different callers cannot be told for a mixture of areas."""
        inside = self.stores(asked)
        if not asked.ward and not any(getattr(asked, name) for name in AREAS):
            return "", ""
        for name in AREAS:
            values = {area_of(self.places[number], name) for number in inside}
            if len(values) == 1 and (value := next(iter(values))) and self.stores(whole(name, value)) == inside:
                return name, value
        if not inside:
            raise Cannot("no line is within all of these")
        raise Cannot("different callers are counted within one district, box, line or channel, not within a mixture")


def ground(db: Db, wards: Mapping[str, str] | None = None) -> Ground:
    """What the events store knows of places and issues now."""
    places = {row["store_id"]: row for row in db.rows("SELECT * FROM place")}
    issues = {row["campaign"]: (row["issue"], row["policy"]) for row in db.rows("SELECT * FROM part")}
    return Ground(places, issues, wards)


def whole(area: str, name: str) -> Slice:
    """All of a district, box, line or channel."""
    return Slice(**{area: name})  # type: ignore[arg-type]


def _box(place: Row) -> tuple[str, str]:
    return place["district"], place["box"]


def area_of(place: Row, name: str) -> str:
    return f"{place['box']}/{place['line']}" if name == "line" else str(place[name])


def place_key(name: str, alias: str = "p") -> str:
    """The SQL of what a place is called in breakdowns by district, box, line or channel."""
    return f"({alias}.box || '/' || {alias}.line)" if name == "line" else f"{alias}.{name}"


def _among(column: str, prefix: str, names: list[str], values: dict[str, object]) -> str:
    """`column IN (...)`, its parameters added to `values`; false when there are none."""
    if not names:
        return "1 = 0"
    values |= {f"{prefix}{place}": name for place, name in enumerate(names)}
    return f"{column} IN ({', '.join(f':{prefix}{place}' for place in range(len(names)))})"
