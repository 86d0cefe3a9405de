"""Where the counters of the metrics come from: for each source the SELECT over the roll-ups, and how its rows are read.

Rules of this room
- A query gives rows with a `key`: "" for the whole slice, else the group of a breakdown. What adds up is grouped by
  campaign or line in SQL, and put together as issues or wards when it is read.
- What does not add up (different callers, different people who consented) is asked anew for each kind of group, and
  refused where the roll-ups cannot tell it exactly.
- No query reads `event`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from sync.hq import distinct, tables
from sync.hq.metrics.slices import AREAS, Cannot, Ground, Query, Slice, area_of, not_told, place_key
from sync.hq.sql import Row
from sync.hq.visits import NEVER

Counters = dict[str, Any]
Groups = dict[str, Counters]
Rename = Callable[[str], Iterable[str]]

_FLAGGABLE = ("calls", "numbered")  # what the flagged calls can be taken out of
_OF = {"issue": "campaign", "ward": "line"}  # asked by the right one, put together as the left one


class Source(NamedTuple):
    """`ask` makes the query (or raises Cannot), `read` its rows into groups; `counters` are what it can tell, of the
    questions for which `when` holds, `empty` is a counter of nothing. `own`: its keys are the groups' own names."""

    counters: tuple[str, ...]
    ask: Callable[[Ground, Slice, str, tuple[str, ...]], Query]
    read: Callable[[Iterable[Row], Rename], Groups]
    empty: Callable[[], Any] = int
    own: bool = False
    when: Callable[[Slice, str], bool] = lambda asked, by: True


def rename(ground: Ground, asked: Slice, by: str) -> Rename:
    """The groups in which a row's key counts: none, one, or (tags) several."""
    if by == "issue":
        return lambda key: [ground.issues[key][0]] if key in ground.issues else []
    if by == "ward":
        if ground.wards is None:
            raise Cannot("nobody has said which ward a line serves")
        wards = ground.wards
        return lambda key: [wards[key]] if key in wards else []
    if by == "tag":
        return lambda key: sorted({tag.strip() for tag in key.split(",") if tag.strip()})
    return lambda key: [key]


def within(ground: Ground, asked: Slice, by: str) -> Rename:
    """The same for keys that are already the groups' own names: those outside of the slice count nowhere."""
    inside = {area_of(ground.places[number], by) for number in ground.stores(asked)} if by in AREAS else None
    topics: set[str] | None = None
    if by == "campaign" and (asked.campaign or asked.issue):
        topics = {asked.campaign} if asked.campaign else set(ground.campaigns(asked.issue))
    elif by == "issue" and asked.issue:
        topics = {asked.issue}
    known = inside if inside is not None else topics
    return lambda key: [key] if known is None or key in known else []


# ------------------------------------------------------------------------------------- what adds up


def keyed(by: str, told: str, *columns: str) -> str:
    """The SQL of a group's key, of a table `t` that has these columns besides store_id and campaign.

    Raises Cannot where it has no such column."""
    by = _OF.get(by, by)
    if by in AREAS:
        return place_key(by)
    if by == "campaign" or by in columns:
        return f"CAST(t.{by} AS TEXT)"
    if by:
        raise not_told(told, by)
    return "CAST('' AS TEXT)"


def summed(table: str, counters: Mapping[str, str], where: Query, key: str) -> Query:
    """Sums of columns, under these names, by key. A key of places is found after each ledger has been summed up. (The +
    keeps SQLite from walking all days of a table in the order of its ledgers.)"""
    inner = ", ".join(f"sum(t.{column}) AS {name}" for name, column in counters.items())
    if "p." not in key:
        sql = f"SELECT {key} AS key, {inner}\nFROM {table} AS t\nWHERE {where.sql}\nGROUP BY 1"
        return Query(sql, where.values)
    outer = ", ".join(f"CAST(sum(x.{name}) AS BIGINT) AS {name}" for name in counters)
    sql = (
        f"SELECT {key} AS key, {outer}\nFROM (SELECT +t.store_id AS store_id, {inner} FROM {table} AS t\n"
        f"    WHERE {where.sql} GROUP BY 1) AS x\nJOIN place AS p ON p.store_id = x.store_id\nGROUP BY 1"
    )
    return Query(sql, where.values)


def sums(rows: Iterable[Row], name: Rename) -> Groups:
    groups: Groups = {}
    for row in rows:
        for group in name(row.pop("key")):
            one = groups.get(group)
            groups[group] = {counter: (value or 0) + (one[counter] if one else 0) for counter, value in row.items()}
    return groups


def tally(asked: Slice, by: str) -> str:
    """The shortest of the tables with calls that can tell this."""
    if everywhere(asked, by):
        return "all_tally"
    if of_boxes(asked, by):
        return "box_tally"
    return "tally" if asked.language or by in ("hour", "language") else "day_tally"


def together(asked: Slice, by: str) -> bool:
    """Does that table also tell who was offered something?"""
    return tally(asked, by) in ("day_tally", "box_tally")


def apart(asked: Slice, by: str) -> bool:
    """Does it not?"""
    return not together(asked, by)


def of_boxes(asked: Slice, by: str) -> bool:
    """Is this about whole boxes, whatever was rung there, by the day at most?"""
    narrower = ("campaign", "issue", "language", "line", "channel", "ward")
    return by in ("", "day", "district", "box") and not any(getattr(asked, name) for name in narrower)


def everywhere(asked: Slice, by: str) -> bool:
    """Is this about all places at once?"""
    return by not in (*AREAS, "ward") and not asked.ward and not any(getattr(asked, name) for name in AREAS)


def of_table(table: str, ground: Ground, asked: Slice) -> Query:
    """The conditions of a slice over one of these tables as `t`."""
    if table != "box_tally":
        return ground.where(asked)
    where = ground.where(asked.everywhere)
    chosen = {name: getattr(asked, name) for name in ("district", "box") if getattr(asked, name)}
    terms = [where.sql, *(f"t.{name} = :{name}" for name in chosen)]
    return Query(" AND ".join(terms), {**where.values, **chosen})


def _added(table: str, ground: Ground, asked: Slice, counters: Mapping[str, str], key: str) -> Query:
    """Sums of one of these tables."""
    if table == "box_tally":
        key = key.replace("p.", "t.")
    return summed(table, counters, of_table(table, ground, asked), key)


def _tally(ground: Ground, asked: Slice, by: str, counters: tuple[str, ...]) -> Query:
    asked.only("calls", "language")
    key = keyed(by, "calls", "day", "hour", "language")
    found = _added(tally(asked, by), ground, asked, {name: name for name in counters}, key)
    if not asked.clean:
        return found
    asked.only("flagged calls")
    where = ground.where(asked)
    flagged = summed("flagged", {"flagged": "calls"}, where, keyed(by, "flagged calls", "day"))
    names = ", ".join(f"sum(y.{name}) AS {name}" for name in counters)
    less = ", ".join(f"-z.flagged AS {name}" for name in counters)
    plain = ", ".join(("key", *counters))
    sql = (
        f"SELECT y.key AS key, {names} FROM (SELECT {plain} FROM ({found.sql}) AS x1\n"
        f"UNION ALL SELECT z.key, {less} FROM ({flagged.sql}) AS z) AS y\nGROUP BY 1"
    )
    return Query(sql, {**found.values, **where.values})


def _engagement(ground: Ground, asked: Slice, by: str, counters: tuple[str, ...]) -> Query:
    """Callers who were offered something, of all places: elsewhere they stand beside the calls."""
    asked.only("callers who were offered something")
    key = keyed(by, "callers who were offered something", "day")
    return _added("all_engagement", ground, asked, {name: name for name in counters}, key)


def _messaged(ground: Ground, asked: Slice, by: str, _: tuple[str, ...]) -> Query:
    """Callers who were first offered something on any day up to the window's end: of all days, less those behind it."""
    asked.only("callers who were written to")
    key, (area, values) = keyed(by, "callers who were written to"), ground.area(asked)
    terms = [topic for topic in (ground.topic(asked, "t.campaign", values), area) if topic]
    where = f" AND {' AND '.join(terms)}" if terms else ""
    if everywhere(asked, by):
        sql = f"SELECT {key} AS key, sum(t.offered) AS messaged\nFROM all_engagement AS t\nWHERE t.day <= :last{where}"
        return Query(f"{sql}\nGROUP BY 1", {**values, "last": asked.last})
    place = "JOIN place AS p ON p.store_id = t.store_id" if "p." in key or area else ""
    sql = (
        f"SELECT {key} AS key, sum(t.offered) AS messaged\nFROM (SELECT store_id, campaign, offered FROM offered\n"
        "    UNION ALL SELECT store_id, campaign, -offered FROM day_tally WHERE day > :last) AS t\n"
        f"{place} WHERE 1 = 1{where}\nGROUP BY 1"
    )
    return Query(sql, {**values, "last": asked.last})


def _latency(ground: Ground, asked: Slice, by: str, counters: tuple[str, ...]) -> Query:
    asked.only("waiting times")
    where, key = ground.where(asked), keyed(by, "waiting times", "day")
    kinds = ", ".join(f"'{name.replace('_', '-')}'" for name in counters)
    place = "\nJOIN place AS p ON p.store_id = t.store_id" if "p." in key else ""
    sql = (
        f"SELECT {key} AS key, t.kind, t.bucket, sum(t.n) AS n\n"
        f"FROM {'all_latency' if everywhere(asked, by) else 'latency'} AS t{place}\n"
        f"WHERE {where.sql} AND t.kind IN ({kinds})\nGROUP BY 1, 2, 3"
    )
    return Query(sql, where.values)


def _histograms(rows: Iterable[Row], name: Rename) -> Groups:
    groups: Groups = {}
    for row in rows:
        for group in name(row["key"]):
            into = groups.setdefault(group, {}).setdefault(row["kind"].replace("-", "_"), {})
            into[row["bucket"]] = into.get(row["bucket"], 0) + row["n"]
    return groups


NODE = ("entered", "no_input", "invalid", "hung_up", "keyed", "spoke", "heard")


def _nodes(ground: Ground, asked: Slice, by: str, _: tuple[str, ...]) -> Query:
    asked.only("steps")
    where, key = ground.where(asked), keyed(by, "steps", "day")
    place = "\nJOIN place AS p ON p.store_id = t.store_id" if "p." in key else ""
    counts = ", ".join(f"sum(t.{name}) AS {name}" for name in NODE)
    sql = (
        f"SELECT {key} AS key, t.campaign, t.node, {counts}\n"
        f"FROM {'all_node' if everywhere(asked, by) else 'node_tally'} AS t{place}\nWHERE {where.sql}\nGROUP BY 1, 2, 3"
    )
    return Query(sql, where.values)


def _steps(rows: Iterable[Row], name: Rename) -> Groups:
    groups: Groups = {}
    for row in rows:
        for group in name(row["key"]):
            nodes = groups.setdefault(group, {"nodes": {}})["nodes"]
            one = nodes.setdefault((row["campaign"], row["node"]), dict.fromkeys(NODE, 0))
            for counter in NODE:
                one[counter] += row[counter]
    return groups


# --------------------------------------------------------------------------- what does not add up


def _people(table: str, counter: str, told: str, *columns: str) -> Callable[..., Query]:
    """Different callers among the rows of a table of things."""

    def ask(ground: Ground, asked: Slice, by: str, _: tuple[str, ...]) -> Query:
        asked.only(told)
        if by in _OF:
            raise Cannot("{what} may be the same in several of these", what=told)
        where, key = ground.where(asked, language=False), keyed(by, told, "day", *columns)
        place = "\nJOIN place AS p ON p.store_id = t.store_id" if "p." in key else ""
        sql = (
            f"SELECT {key} AS key, count(DISTINCT t.caller) AS {counter}\nFROM {table} AS t{place}\n"
            f"WHERE {where.sql} AND t.caller <> ''\nGROUP BY 1"
        )
        return Query(sql, where.values)

    return ask


def _callers(ground: Ground, asked: Slice, by: str, _: tuple[str, ...]) -> Query:
    """Different and new callers, by the room that counts them."""
    asked.only("different callers")
    if by in ("hour", "language", "tag", "ward"):
        raise not_told("different callers", by)
    kind, topic = _topic(ground, asked, by)
    area, place = (by, "") if by in AREAS else ground.alike(asked)
    if by in AREAS:
        _whole(ground, asked, by)
    group = "topic" if by in ("campaign", "issue") else "area" if by in AREAS else by
    values = {**asked.window, "topic": topic, "area": place, "never": NEVER, "clean": int(asked.clean)}
    values["scope"] = kind + (f"+{area}" if area else "")
    return Query(distinct.query(kind, area, group), values)


def _topic(ground: Ground, asked: Slice, by: str) -> tuple[str, str]:
    """The first half of a scope: its kind and its name."""
    if asked.campaign and asked.issue and asked.campaign not in ground.campaigns(asked.issue):
        raise Cannot("this campaign is not part of this issue")
    if by == "issue" and asked.campaign:
        raise Cannot("within one campaign different callers are not told by issue")
    if by in ("campaign", "issue"):
        return by, ""
    return ("campaign", asked.campaign) if asked.campaign else ("issue", asked.issue) if asked.issue else ("all", "")


def _whole(ground: Ground, asked: Slice, by: str) -> None:
    """Refuse a breakdown by areas of which the slice holds only a part."""
    inside = ground.stores(asked)
    names = {area_of(ground.places[number], by) for number in inside} - {""}
    if any(area_of(place, by) in names and number not in inside for number, place in ground.places.items()):
        raise Cannot("different callers of a {by} are counted in all of it, not in a part", by=by)


def _told(rows: Iterable[Row], name: Rename) -> Groups:
    return {group: {"callers": row["uniques"], "newly": row["fresh"]}
            for row in rows for group in name(str(row["key"]))}  # fmt: skip


# ------------------------------------------------------------------------------------ cases, voices


def _tagged(asked: Slice, values: dict[str, object]) -> str:
    """The condition that `t.tags` (comma between) has the slice's tag."""
    if not asked.tag:
        return ""
    values["tag"] = asked.tag
    return " AND replace(',' || t.tags || ',', ',' || :tag || ',', '') <> ',' || t.tags || ','"


def _things(table: str, columns: str, told: str, grouped: bool = False) -> Callable[..., Query]:
    """The rows of a table of things with tags, one by one or summed up."""

    def ask(ground: Ground, asked: Slice, by: str, _: tuple[str, ...]) -> Query:
        asked.only(told, "tag", "language")
        where = ground.where(asked, language=False)
        values = where.values
        language = "CASE WHEN t.language <> '' THEN t.language ELSE p.language END"
        key = language if by == "language" else "t.tags" if by == "tag" else keyed(by, told, "day")
        terms = _tagged(asked, values)
        if asked.language:
            terms += f" AND {language} = :language"
            values["language"] = asked.language
        place = " JOIN place AS p ON p.store_id = t.store_id" if "p." in key + terms else ""
        sql = (
            f"SELECT {key} AS key, {columns}\nFROM {table} AS t{place}\n"
            f"WHERE {where.sql}{terms}" + ("\nGROUP BY 1" if grouped else "")
        )
        return Query(sql, values)

    return ask


def _rented(ground: Ground, asked: Slice, by: str, _: tuple[str, ...]) -> Query:
    """Lines that stand for the slice's campaigns at its places, and the days from its first call to its last."""
    asked.only("lines")
    if by:
        raise Cannot("what the SIMs cost is not divided")
    table, (places, values) = tally(asked, by), ground.area(asked)
    where = of_table(table, ground, asked)
    terms = ["1 = 1", *filter(None, (places, ground.topic(asked, "p.campaign", values)))]
    sql = (
        "SELECT CAST('' AS TEXT) AS key,\n    (SELECT count(*) FROM (SELECT DISTINCT p.box, p.line FROM place AS p\n"
        f"        WHERE {' AND '.join(terms)}) AS q) AS lines,\n"
        f"    (SELECT max(t.day) - min(t.day) + 1 FROM {table} AS t\n"
        f"        WHERE {where.sql} AND t.calls > 0) AS days"
    )
    return Query(sql, {**where.values, **values})


def _road(ground: Ground, asked: Slice, by: str, _: tuple[str, ...]) -> Query:
    """How far headquarters is behind each ledger that is written now, or that was replaced before all of it came."""
    asked.only("ledgers")
    if by and by not in AREAS:
        raise not_told("ledgers", by)
    terms, values = ground.area(asked)
    sql = (
        f"SELECT {keyed(by, 'ledgers')} AS key,\n"
        "    CASE WHEN count(s.complete_ms) = count(*) THEN min(s.complete_ms) END AS complete_ms,\n"
        "    sum(CASE WHEN s.last > s.hwm THEN s.last - s.hwm ELSE 0 END) AS unsent\n"
        "FROM (SELECT id, hwm, last, complete_ms, max(id) OVER (PARTITION BY box, line) AS newest FROM store) AS s\n"
        "JOIN place AS p ON p.store_id = s.id\nWHERE (s.id = s.newest OR s.hwm < s.last)"
        f"{' AND ' if terms else ''}{terms}\nGROUP BY 1"
    )
    return Query(sql, values)


def _lags(rows: Iterable[Row], name: Rename) -> Groups:
    """complete_ms: the least of all, None where one has never been complete. unsent: rows known to be still there."""
    groups: Groups = {}
    for row in rows:
        for group in name(row["key"]):
            one = groups.setdefault(group, {"marks": [], "unsent": 0})
            one["marks"].append(row["complete_ms"])
            one["unsent"] += row["unsent"]
    return groups


def _listed(rows: Iterable[Row], name: Rename) -> Groups:
    groups: Groups = {}
    for row in rows:
        for group in name(row["key"]):
            groups.setdefault(group, {"listed": []})["listed"].append(row)
    return groups


_VOICES = "sum(CASE WHEN t.state = 'kept' AND coalesce(t.speech_ms, t.ms) >= 1000 THEN 1 ELSE 0 END) AS voices"
_CASE = "t.store_id, t.seq, t.state, t.opened_ms, t.contacted_ms, t.resolved_ms, t.reopened"

SOURCES: tuple[Source, ...] = (
    Source(tables.TALLY, _tally, sums, when=apart),
    Source((*tables.TALLY, *tables.ENGAGED), _tally, sums, when=together),
    Source(("callers", "newly"), _callers, _told, own=True),
    Source(tables.ENGAGED, _engagement, sums, when=apart),
    Source(("messaged",), _messaged, sums),
    Source(("reply", "held_reply", "callback", "first_key"), _latency, _histograms, empty=dict),
    Source(("nodes",), _nodes, _steps, empty=dict),
    Source(("confirmed",), _people("consent", "confirmed", "those who consented"), sums),
    Source(("opted_out",), _people("optout", "opted_out", "those who opted out"), sums),
    Source(("listed",), _things("grievance", _CASE, "cases"), _listed, empty=list),
    Source(("voices",), _things("recording", _VOICES, "recordings", grouped=True), sums),
    Source(("days", "lines"), _rented, sums),
    Source(("marks", "unsent"), _road, _lags, empty=list),
)
