"""A store at the size of ten million events, for measuring pages: a part of it replayed, the rest copies of that part.

Every district has a box of eight lines, one a campaign. What callers do to the lines of some districts is replayed row
by row through the roll-ups; then every row that belongs to a place or a caller is written anew for other districts and
other callers, and rows that places share are added up. So there are exactly as many roll-up rows an event as a replay
makes. What is not there is the rest of `event`, which no figure reads. The same seed gives the same calls.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from sync.hq import rollups, sql, tables
from sync.hq.desk import gather
from sync.wire import WireRow
from tests import rolling

CAMPAIGNS, TALKING = 8, 2  # a district's lines; the last ones answer and ask
DAYS = 60
FIRST_DAY = int(time.time() / 86_400) - DAYS + 1  # the last day is today
ISSUES = {"c0": ("subsidy", "support", "last"), "c1": ("subsidy", "oppose", "last")}
DAY_MS, HOUR_MS, BATCH = 86_400_000, 3_600_000, 400
_HOURS = (1, 3, 4, 4, 5, 5, 6, 7, 8, 10, 11, 12, 13, 13, 14, 14, 15, 15)  # UTC; in India from half past six to nine
_MISSED, _TALK = 4, 12  # rows a call, about
_TELL = "पानी के लिए आपकी आवाज़ दर्ज हुई। STOP लिखें बंद करने के लिए।"

_BOX = "INSERT INTO box VALUES (:box, :district, :timezone, 'bench', :now, :now, :now, 3)"
_HOURLY = """
INSERT INTO hourly SELECT store_id, campaign, day * 86400000 + hour * 3600000 - 19800000, sum(calls), sum(withheld),
    sum(gave_up), sum(sent), sum(delivered), sum(failed), sum(received) FROM tally GROUP BY 1, 2, 3
"""
_STORE = (
    "INSERT INTO store (id, store, box, line, campaign, language, channel, chain, hwm, last, as_of_ms, complete_ms,"
    " admitted_ms, seen_ms, state, last_call_ms) VALUES (:id, :store, :box, :line, :campaign, :language, :channel,"
    " :chain, :hwm, :hwm, :now, :now, :now, :now, 'ready', :now)"
)

# what a copy of a row has in these columns
_COPY = {
    "store_id": "t.store_id + k.n * :ledgers", "district": "t.district || '-' || k.n", "box": "t.box || '-' || k.n",
    "caller": "t.caller || '-' || k.n",
}  # fmt: skip
_LINE = "replace(t.area, '/', '-' || k.n || '/')"
_AREA = f"CASE WHEN t.scope LIKE '%+line' THEN {_LINE} ELSE t.area || '-' || k.n END"


@dataclass(frozen=True)
class Ledger:
    """A line's ledger, as the roll-ups know it."""

    id: int
    box: str
    line: str
    district: str
    campaign: str
    timezone: str = "Asia/Kolkata"
    channel: str = "poster"
    language: str = "hi"


class Told(NamedTuple):
    """A row of a call: `of` is the place of its first row within the call (0: it is one itself)."""

    kind: str
    of: int
    later_ms: int
    state: str
    seconds: int = 0
    extra: dict[str, object] = {}


def ledgers(districts: int) -> list[Ledger]:
    return [
        Ledger(1 + place * CAMPAIGNS + line, f"b{place}", f"l{line}", f"d{place}", f"c{line}")
        for place in range(districts) for line in range(CAMPAIGNS)
    ]  # fmt: skip


def rows(ledger: Ledger, count: int) -> Iterator[WireRow]:
    """So many rows of one line, over all days."""
    dice = random.Random(ledger.id)
    talks = int(ledger.campaign[1:]) >= CAMPAIGNS - TALKING
    rings = sorted(
        (FIRST_DAY + dice.randrange(DAYS)) * DAY_MS + dice.choice(_HOURS) * HOUR_MS + dice.randrange(HOUR_MS)
        for _ in range(count // (_TALK if talks else _MISSED) * 2)
    )[:: 2]  # fmt: skip
    known = [f"+9198{ledger.box[1:]:0>3}{n:05}" for n in range(60)]  # they ring several lines of a district
    about: dict[str, object] = {"campaign": ledger.campaign, "channel": "poster", "language": "hi"}
    seq, caller = 0, ""
    for number, at in enumerate(rings):
        told = [Told("store", 0, 0, ledger.box, 0, about)] if not number else _talk(dice) if talks else _missed(dice)
        luck = dice.random()
        caller = "" if luck < 0.02 else dice.choice(known) if luck < 0.12 else f"+91{dice.randrange(6 * 10**9, 10**10)}"
        first = seq
        for one in told:
            seq += 1
            extra = {key: first + value if key in ("call", "recording") else value for key, value in one.extra.items()}  # type: ignore[operator]
            stamp = ("5d1f0c9a7be34482", at - FIRST_DAY * DAY_MS + one.later_ms, at + one.later_ms, 3)
            whose = ("", "", "") if one.of or one.kind in ("step", "store") else (
                ledger.campaign, caller, "national" if caller else "withheld"
            )  # fmt: skip
            yield (
                seq, first + one.of if one.of else 0, one.kind, *stamp, *whose, one.state, one.seconds,
                json.dumps(extra, ensure_ascii=False) if extra else "",
            )  # fmt: skip
            if seq == count:
                return


def _missed(dice: random.Random) -> list[Told]:
    """A missed call and its reply."""
    wait = dice.randrange(3000, 90_000)
    return [
        Told("call", 0, 0, "missed"), Told("message", 0, 0, "queued", 0, _letter()),
        Told("message", 2, wait, "sending"), Told("message", 2, wait + 2600, "sent"),
    ]  # fmt: skip


def _talk(dice: random.Random) -> list[Told]:
    """A call that is answered and asked; every fourth leaves a grievance."""
    steps = [("connected", "", 0), ("enter", "start", 20), ("heard", "start", 4000), ("key", "start", 5200)]
    told = [Told("call", 0, 0, "missed"), Told("call", 1, 1500, "talked")]
    told += [_step(*one) for one in steps]
    if dice.random() < 0.25:
        told.append(Told("recording", 0, 9000, "recording", 0, {"call": 1, "node": "voice", "tags": "roads"}))
        told.append(Told("recording", len(told), 21_000, "kept", 0, {"ms": 12_000, "speech_ms": 7000}))
        case = {"call": 1, "recording": len(told) - 1, "node": "voice", "tags": dice.choice(("roads", "water,ward-3"))}
        told.append(Told("case", 0, 21_000, "new", 0, case))
        if dice.random() < 0.7:
            told.append(Told("case", len(told), dice.randrange(HOUR_MS, 40 * HOUR_MS), "contacted"))
    else:
        vote = {"call": 1, "node": "vote", "key": "1", "issue": "rally", "language": "hi"}
        told += [_step("enter", "vote", 5300), _step("key", "vote", 8000)]
        told += [Told("answer", 0, 8000, dice.choice(("yes", "no")), 0, vote), _step("goal", "vote", 8000)]
    end = _step("end", "vote", 24_000, "hung-up" if dice.random() < 0.3 else "done")
    return [*told, end, Told("call", 1, 24_100, "talked", 22)]


def _step(state: str, node: str, later_ms: int, key: str = "1") -> Told:
    return Told("step", 0, later_ms, state, 0, {"call": 1, "node": node, "ms": later_ms, "key": key})


def _letter() -> dict[str, object]:
    return {"direction": "out", "language": "hi", "parts": 2, "text": _TELL}


# ----------------------------------------------------------------------------------------- the store


def replay(db: sql.Db, districts: int, events: int) -> int:
    """Rows through the roll-ups of a new store, as receivers would bring them; how many."""
    own = ledgers(districts)
    streams = {one: rows(one, events // len(own)) for one in own}
    with db.transaction():
        rollups.rebuild(db, ISSUES)
    kept, taken = rollups.Rollups(db, ISSUES), 0
    while streams:
        with db.transaction():
            for ledger in list(streams):
                batch = [row for row, _ in zip(streams[ledger], range(BATCH))]  # noqa: B905
                if len(batch) < BATCH:
                    del streams[ledger]
                rolling.insert(db, ledger, batch)  # type: ignore[arg-type]
                kept.add(ledger, batch)
                taken += len(batch)
            kept.settle(0)
    return taken


def counts(db: sql.Db) -> dict[str, int]:
    """Rows of each roll-up."""
    return {table: int(db.value(f"SELECT count(*) FROM {table}")) for table in tables.DERIVED}


def copy(db: sql.Db, districts: int, copies: int) -> None:
    """The country: the replayed part so many times over."""
    numbers = " UNION ALL ".join(f"SELECT {n} AS n" for n in range(1, copies))
    values: dict[str, object] = {"ledgers": districts * CAMPAIGNS}
    with db.transaction():
        for table in tables.DERIVED:
            columns = tables.columns(table)
            if table == "part":
                continue
            if table == "pair":
                _pairs(db, numbers, copies)
                continue
            if not _COPY.keys() & columns.keys():  # shared by all places
                more = ", ".join(f"{name} = {name} * {copies}" for name in columns if name not in tables.key(table))
                db.run(f"UPDATE {table} SET {more}")
                continue
            told = ", ".join(_COPY.get(name, f"t.{name}") for name in columns)
            names = ", ".join(columns)
            source = f"{table} AS t CROSS JOIN ({numbers}) AS k" + (" ORDER BY t.day" if "day" in columns else "")
            db.run(f"INSERT INTO {table} ({names}) SELECT {told} FROM {source}",  # day by day, as days come
                   values if ":ledgers" in told else {})  # fmt: skip
    db.run("ANALYZE")


def _pairs(db: sql.Db, numbers: str, copies: int) -> None:
    """Scopes of districts, boxes and lines are copied; of all others each contribution comes so many times."""
    own = "(scope LIKE '%+district' OR scope LIKE '%+box' OR scope LIKE '%+line')"
    db.run(f"UPDATE pair SET n = n * {copies}, clean = clean * {copies} WHERE NOT {own}")
    db.run(
        "INSERT INTO pair (scope, topic, area, day, prev, n, clean)"
        f" SELECT t.scope, t.topic, {_AREA}, t.day, t.prev, t.n, t.clean FROM pair AS t CROSS JOIN ({numbers}) AS k"
        f" WHERE {own.replace('scope', 't.scope')}"
    )


def heads(db: sql.Db) -> None:
    """Boxes and ledgers as if all of them had just said hello, and as if their rows were there."""
    now = {"now": (FIRST_DAY + DAYS) * DAY_MS}
    talks = db.rows("SELECT store_id, max(seq) AS seq FROM talk GROUP BY store_id")
    last = {row["store_id"]: row["seq"] for row in talks}
    places = db.rows("SELECT * FROM place ORDER BY store_id")
    boxes = {place["box"]: place for place in places}
    with db.transaction():
        db.many(_BOX, [{"box": box, "district": it["district"], "timezone": it["timezone"], **now}
                       for box, it in boxes.items()])  # fmt: skip
        db.run(_HOURLY)
        db.many(_STORE, [
            {"id": it["store_id"], "store": f"{it['store_id']:08x}", "box": it["box"], "line": it["line"],
             "campaign": it["campaign"], "language": it["language"], "channel": it["channel"], "chain": bytes(8),
             "hwm": last.get(it["store_id"], 1) + 20, **now}
            for it in places
        ])  # fmt: skip


def desk(events: sql.Db, desk: sql.Db) -> None:
    """What people at headquarters have told: an outcome of every thousandth caller, some cases moved."""
    now_ms = (FIRST_DAY + DAYS) * DAY_MS
    while gather.gather(events, desk, now_ms):
        pass
    told = "INSERT INTO outcome VALUES (:campaign, 'registered', :caller, :at_ms, '', 0)"
    with desk.transaction():
        callers = events.rows("SELECT caller FROM caller ORDER BY caller LIMIT 20000")
        desk.many(told, [
            {"caller": row["caller"], "campaign": f"c{place % CAMPAIGNS}", "at_ms": (FIRST_DAY + 40) * DAY_MS}
            for place, row in enumerate(callers[::10])
        ])  # fmt: skip
        desk.run("UPDATE desk_thing SET state = 'contacted', contacted_ms = at_ms + 3600000, version = 1"
                 " WHERE kind = 'case' AND state = 'new' AND id % 3 = 0")  # fmt: skip
