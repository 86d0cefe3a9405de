"""Every question that headquarters' first page asks, as SQL over the events store, and what each answer means.

Functions over a connection and the time: nothing here writes, caches or knows of a page. The counts come
from roll-ups, which the receiver keeps in the transaction of the rows, so that they cost the same with a thousand
events and with a hundred million.
`FIGURES` holds the wording and the query behind each headline figure: a total that is shown can be checked.

Hours and days are those of the box's clock, in the time zone that most boxes are in. `seen_ms` is HQ's clock.
"""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sync.hq import distinct
from sync.hq.sql import Db

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
HOURS = 48  # bars of the chart
ONLINE_MS = 3 * MINUTE_MS  # a box says hello more often than that when its link is up
FRESH_MS = 15 * MINUTE_MS  # older than that, a box is not "complete" but behind
WEEK_MS = 7 * 24 * HOUR_MS
DEAF_MS = 15_000  # the receiver speaks every two seconds; a great commit may take some
BOXES = 100  # rows of the table of boxes; those that need somebody come first
_WORST = ("silent", "absent", "refused", "offline", "waiting", "connected")


class Figure(NamedTuple):
    """A figure of the page: what it is called, what it means, and the query that gives it (parameters: `:since`
    the last midnight, `:minute` a minute ago, `:now`, `:online` the oldest moment that counts as online; `:first` and
    `:last` both today, in days since 1970)."""

    label: str
    meaning: str
    sql: str


FIGURES: dict[str, Figure] = {
    "calls": Figure(
        "Calls today",
        "Calls that rang on any line since midnight, each once, whoever rang and whatever became of it; "
        "calls that a box placed itself are not among them. Counted by the hour of the box's clock.",
        "SELECT coalesce(sum(calls), 0) FROM hourly WHERE hour_ms >= :since",
    ),
    "minute": Figure(
        "In the last minute",
        "Calls of the last sixty seconds of the boxes' clocks that have already arrived here.",
        "SELECT count(*) FROM store AS s JOIN event AS e ON e.store_id = s.id AND e.seq > s.hwm - 300\n"
        "WHERE s.last_call_ms > :minute AND e.kind = 'call' AND e.\"of\" = 0\n"
        "  AND e.state NOT IN ('called-back', 'unreached') AND e.at_ms > :minute AND e.at_ms <= :now",
    ),
    "callers": Figure(
        "Callers today",
        "Different numbers among today's calls. Callers who hide their number cannot be told apart and are left out.",
        f"SELECT coalesce(sum(uniques), 0) FROM (\n{distinct.query('all', '', '')}) AS today",
    ),
    "sent": Figure(
        "Replies sent today",
        "Replies that the mobile network accepted since midnight, in the hour in which it did.",
        "SELECT coalesce(sum(sent), 0) FROM hourly WHERE hour_ms >= :since",
    ),
    "delivered": Figure(
        "Delivered today",
        "Replies for which the network reported since midnight that the caller's phone has them.",
        "SELECT coalesce(sum(delivered), 0) FROM hourly WHERE hour_ms >= :since",
    ),
    "online": Figure(
        "Boxes online",
        "Boxes that headquarters heard within the last three minutes, out of all that ever said hello. Unknown while "
        "headquarters itself hears nothing.",
        "SELECT count(*) FROM box WHERE seen_ms >= :online",
    ),
}

_LEDGERS = """
SELECT s.box, s.line, s.store, s.hwm, s.last, s.complete_ms, s.state, s.words,
       s.id = max(s.id) OVER (PARTITION BY s.box, s.line) AS current
FROM store AS s ORDER BY s.box, s.line, s.id
"""
# `complete_of` of every box, put together; as many rows as there are ledgers stay in the store
_COMPLETE = """
SELECT min(mark) AS at_ms, count(*) AS boxes FROM (
    SELECT CASE WHEN sum(CASE WHEN s.current THEN CASE WHEN s.complete_ms IS NULL THEN 1 ELSE 0 END
                              WHEN s.hwm < s.last THEN 1 ELSE 0 END) = 0
                THEN min(CASE WHEN s.current THEN s.complete_ms END) END AS mark
    FROM (SELECT box, hwm, last, complete_ms, id = max(id) OVER (PARTITION BY box, line) AS current FROM store) AS s
    GROUP BY s.box
) AS marks WHERE mark >= :fresh
"""
_BY_CAMPAIGN = """
SELECT t.campaign AS name, sum(CASE WHEN t.day = :today THEN t.calls ELSE 0 END) AS today, sum(t.calls) AS week
FROM all_tally AS t WHERE t.day >= :since_day AND t.day <= :today GROUP BY t.campaign HAVING sum(t.calls) > 0
ORDER BY today DESC, week DESC, t.campaign LIMIT 50
"""
_SENT = "SELECT campaign, sum(sent) AS sent FROM hourly WHERE hour_ms >= :since GROUP BY campaign"
_BY_BOX = """
SELECT t.box, sum(CASE WHEN t.day = :today THEN t.calls ELSE 0 END) AS today, sum(t.calls) AS week
FROM box_tally AS t WHERE t.day >= :since_day AND t.day <= :today GROUP BY t.box
"""
# Behind a call there can be a sign of life for every ten minutes that have passed since; of a week at most.
_SIGNS = """CASE WHEN s.as_of_ms - s.last_call_ms BETWEEN 0 AND 604800000
    THEN (s.as_of_ms - s.last_call_ms) / 600000 ELSE 0 END"""
_LATEST = f"""
SELECT s.box, s.line, e.campaign, e.at_ms, e.caller, e.caller_kind
FROM (SELECT * FROM store WHERE last_call_ms IS NOT NULL ORDER BY last_call_ms DESC LIMIT 12) AS s
JOIN event AS e ON e.store_id = s.id AND e.seq > s.hwm - 60 - {_SIGNS}
WHERE e.kind = 'call' AND e."of" = 0 AND e.state NOT IN ('called-back', 'unreached') ORDER BY e.at_ms DESC LIMIT 8
"""


class Ledger(NamedTuple):
    """One store as `complete` needs it; `current` is 0 for a ledger that a newer one of its line replaced."""

    box: str
    line: str
    store: str
    hwm: int
    last: int
    complete_ms: int | None
    state: str
    words: str
    current: int


class Complete(NamedTuple):
    """`boxes` of `of` boxes are complete up to `at_ms` (None when none is); `unread` rows lie in quarantine."""

    at_ms: int | None
    boxes: int
    of: int
    unread: int


class Receiver(NamedTuple):
    """What the receiver last said of itself: connected, offline, refused or waiting; "silent" when it has said
    nothing for DEAF_MS, "absent" when it never spoke. `since_ms` is 0 when nobody knows."""

    state: str
    words: str = ""
    since_ms: int = 0


def receivers(data: Path, now_ms: int) -> dict[str, Receiver]:
    """How the receivers that work in this folder are, by the files that they leave there; the names tell the shards."""
    return {file.stem: _receiver(file, now_ms) for file in sorted(data.glob("receiver*.json"))}


def receiver(data: Path, now_ms: int) -> Receiver:
    """How the one that is worst is."""
    told = receivers(data, now_ms).values()
    return min(told, key=lambda each: _WORST.index(each.state), default=Receiver("absent"))


def _receiver(file: Path, now_ms: int) -> Receiver:
    try:
        told = json.loads(file.read_text())
        state, text = str(told["state"]), str(told["words"])
        since_ms, updated_ms = int(told["since_ms"]), int(told["updated_ms"])
        if state not in _WORST:
            return Receiver("absent")
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return Receiver("absent")
    if text != "stopped" and abs(now_ms - updated_ms) > DEAF_MS:
        state, text, since_ms = "silent", "", updated_ms
    return Receiver(state, text, since_ms if since_ms <= now_ms else 0)


def zone(db: Db) -> tzinfo:
    """The time zone that most boxes are in; UTC while there is none."""
    name = db.value("SELECT timezone FROM box GROUP BY timezone ORDER BY count(*) DESC, timezone LIMIT 1")
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def midnight(now_ms: int, where: tzinfo) -> int:
    """When today began there, in milliseconds since 1970 UTC."""
    now = datetime.fromtimestamp(now_ms / 1000, where)
    return int(now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp() * 1000)


def parameters(now_ms: int, where: tzinfo) -> dict[str, Any]:
    """What the queries of FIGURES are asked with."""
    since = midnight(now_ms, where)
    today = (datetime.fromtimestamp(now_ms / 1000, where).date() - date(1970, 1, 1)).days
    return {
        "now": now_ms,
        "since": since,
        "minute": now_ms - MINUTE_MS,
        "online": now_ms - ONLINE_MS,
        "week": since - WEEK_MS + 24 * HOUR_MS,
        "today": today,
        "since_day": today - 6,
        **distinct.values(today, today),
    }


def figure(db: Db, name: str, values: dict[str, Any]) -> int:
    """One headline figure of FIGURES."""
    return int(db.value(FIGURES[name].sql, values))


def hours(db: Db, now_ms: int, where: tzinfo) -> list[dict[str, Any]]:
    """Calls of each of the last HOURS hours, oldest first; the last is the hour that is running.

    An hour begins when the wall clock of `where` shows a full hour."""
    running = datetime.fromtimestamp(now_ms / 1000, where).replace(minute=0, second=0, microsecond=0)
    end = int(running.timestamp() * 1000) + HOUR_MS
    begin = end - HOURS * HOUR_MS
    query = (
        "SELECT (hour_ms - :begin) / 3600000 AS place, sum(calls) AS calls FROM hourly"
        " WHERE hour_ms >= :begin AND hour_ms < :end GROUP BY place"
    )
    counts = {row["place"]: row["calls"] for row in db.rows(query, begin=begin, end=end)}
    starts = [datetime.fromtimestamp(begin / 1000, where) + timedelta(hours=place) for place in range(HOURS)]
    return [{"start": start, "calls": int(counts.get(place, 0))} for place, start in enumerate(starts)]


def campaigns(db: Db, values: dict[str, Any]) -> list[dict[str, Any]]:
    """Calls by campaign, today and over seven days, and replies sent today; the busiest first."""
    sent = {row["campaign"]: row["sent"] for row in db.rows(_SENT, values)}
    return [{**row, "sent": sent.get(row["name"], 0)} for row in db.rows(_BY_CAMPAIGN, values)]


def ledgers(db: Db) -> list[Ledger]:
    """Every ledger ever announced, in the order of boxes and lines."""
    return [Ledger(**row) for row in db.rows(_LEDGERS)]


def complete_of(own: list[Ledger]) -> int | None:
    """Up to when one box's events are all here, by its own trusted clock; None when that cannot be said.

    It is the least `complete_ms` of the ledgers that its lines write now. A ledger that was replaced counts no
    more, unless rows of it never came: then the box cannot be complete until somebody has looked."""
    if not own or any(not each.current and each.hwm < each.last for each in own):
        return None
    marks = [each.complete_ms for each in own if each.current]
    return None if None in marks else min(mark for mark in marks if mark is not None)


def complete(db: Db, now_ms: int) -> Complete:
    """ "Complete up to T for n of m boxes": m is every box that ever said hello; n are those whose `complete_of`
    is at most FRESH_MS old; T is the least of theirs, so that for these n boxes every event up to T, by the
    box's own trusted clock, is held here. A box that is silent, behind, forked or without a trusted clock is not
    among the n. Rows that are held but could not be read are counted in `unread`, for T says nothing of them."""
    told = db.row(_COMPLETE, fresh=now_ms - FRESH_MS)
    known = db.value("SELECT count(*) FROM (SELECT box FROM box UNION SELECT box FROM store) AS known")
    unread = db.value("SELECT coalesce(sum(count), 0) FROM quarantine WHERE passed = 1")
    assert told is not None
    return Complete(told["at_ms"], told["boxes"], int(known), int(unread))


def boxes(db: Db, values: dict[str, Any], known: list[Ledger]) -> list[dict[str, Any]]:
    """Every box: district, when it was last heard, its calls, its ledgers, what is not here yet."""
    calls = {row["box"]: (row["today"], row["week"]) for row in db.rows(_BY_BOX, values)}
    own: dict[str, list[Ledger]] = {}
    for each in known:
        own.setdefault(each.box, []).append(each)
    found = []
    for row in db.rows("SELECT box, district, timezone, seen_ms, clock, version FROM box ORDER BY box"):
        mine = own.get(row["box"], [])
        found.append({
            **row,
            "today": calls.get(row["box"], (0, 0))[0],
            "week": calls.get(row["box"], (0, 0))[1],
            "lines": [each for each in mine if each.current],
            "behind": sum(max(0, each.last - each.hwm) for each in mine),
            "complete_ms": complete_of(mine),
            "online": row["seen_ms"] >= values["online"],
        })  # fmt: skip
    return found


def districts(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`boxes` summed up by district, the busiest first."""
    sums: dict[str, dict[str, Any]] = {}
    for box in found:
        one = sums.setdefault(
            box["district"], {"name": box["district"], "today": 0, "week": 0, "online": 0, "boxes": 0}
        )
        one["today"] += box["today"]
        one["week"] += box["week"]
        one["online"] += box["online"]
        one["boxes"] += 1
    return sorted(sums.values(), key=lambda one: (-one["today"], -one["week"], one["name"]))


def alarms(db: Db, values: dict[str, Any]) -> list[dict[str, Any]]:
    """What somebody must look at: alarms of the last seven days, the newest first."""
    query = "SELECT box, store, kind, words, times, first_ms, last_ms FROM alarm WHERE last_ms >= :week"
    return db.rows(query + " ORDER BY last_ms DESC, id LIMIT 20", values)


def latest(db: Db) -> list[dict[str, Any]]:
    """The newest calls; `caller` is a whole number, to be masked by whoever shows it."""
    return db.rows(_LATEST)


def options(db: Db) -> dict[str, str]:
    """Campaigns that are one option of an issue, each with the issue: a call to them is a vote."""
    return {row["campaign"]: row["issue"] for row in db.rows("SELECT campaign, issue FROM part")}



def callers(db: Db, now_ms: int) -> int:
    """Different callers today."""
    return figure(db, "callers", parameters(now_ms, zone(db)))


def overview(db: Db, now_ms: int) -> dict[str, Any]:
    """All but `callers` that the page shows of calls and boxes, read in one transaction, so that its figures agree."""
    with db.transaction():
        where = zone(db)
        values = parameters(now_ms, where)
        known = ledgers(db)
        found = boxes(db, values, known)
        return {
            "now_ms": now_ms,
            "zone": where,
            "figures": {name: figure(db, name, values) for name in FIGURES if name != "callers"},
            "hours": hours(db, now_ms, where),
            "campaigns": campaigns(db, values),
            "districts": districts(found),
            "boxes": found,
            "alarms": alarms(db, values),
            "latest": latest(db),
            "complete": complete(db, now_ms),
        }
