"""What the proofs of the roll-ups stand on: ledgers, streams of rows in any batches, and the slow, obvious answers.

A stream is drawn row by row from small vocabularies, so that the same callers, days and things meet often. Rows of a
ledger come in order, ledgers in any order: one that was offline brings its old days late.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from edge.events import Row
from sync.hq import acts, rollups, schema, sql, tables, visits, votes
from sync.wire import WireRow
from tests import oracle

DAY_MS = 86_400_000
CALLERS = ("+911", "+912", "+913", "+914")
CAMPAIGNS = ("water", "roads", "yes", "no")
ISSUES = {"yes": ("subsidy", "support", "last"), "no": ("subsidy", "oppose", "last")}
Batch = tuple["Ledger", list[WireRow]]


@dataclass(frozen=True)
class Ledger:
    """A ledger as the store knows it."""

    id: int
    store: str
    box: str
    line: str
    timezone: str
    district: str
    channel: str
    campaign: str = "water"
    language: str = ""


LEDGERS = (
    Ledger(1, "00000001", "nashik-1", "l1", "Asia/Kolkata", "nashik", "poster"),
    Ledger(2, "00000002", "nashik-1", "l2", "Asia/Kolkata", "nashik", "radio"),
    Ledger(3, "00000003", "recife-1", "l1", "America/Recife", "recife", "radio"),
)
FIRST_KINDS = (
    *["call"] * 4, "message", "step", "step", "answer", "recording", "case", "optout", "consent", "line", "line",
)  # fmt: skip
AMENDED = {
    "call": ("gave-up", "talked", "called-back", "recovered", "unreached"),
    "message": ("sending", "sent", "sent", "held", "delivered", "failed", "unknown", "cancelled", "queued"),
    "recording": ("kept", "empty", "dropped", "erased"),
    "case": ("assigned", "contacted", "resolved", "reopened", "verified"),
}
FIRSTS = {
    "call": ("missed", "missed", "missed", "gave-up", "talked", "unreached", "called-back", "recovered", "selftest"),
    "message": ("queued", "received"), "recording": ("recording",), "case": ("new",), "optout": ("on",),
    "step": ("connected", "enter", "heard", "key", "invalid", "no-input", "record", "goal", "end"),
    "answer": ("support", "oppose", "no"), "consent": ("volunteer",), "line": ("ready", "no-network"),
}  # fmt: skip


@st.composite
def row(draw: st.DrawFn, ledger: Ledger, seq: int, kinds: Sequence[str]) -> WireRow:
    """The next row of a ledger whose rows so far are of these `kinds`."""
    day, quarter = draw(st.integers(0, 5)), draw(st.integers(0, 95))
    at_ms = 1_700_000_000_000 + day * DAY_MS + quarter * 900_000
    stamp = (draw(st.sampled_from(("b1", "b2"))), at_ms % 10**9, at_ms, 3)
    if seq == 1:
        about = {"campaign": ledger.campaign, "channel": ledger.channel, "language": "mr"}
        return (1, 0, "store", *stamp, "", "", "", ledger.store, 0, json.dumps(about))
    if seq > 2 and draw(st.integers(0, 2)) == 0:
        of = draw(st.integers(1, seq - 1))
        kind = draw(st.sampled_from((kinds[of - 1], "call")))
        state = draw(st.sampled_from(AMENDED.get(kind, ("",))))
        told = {"ms": draw(st.sampled_from((500, 4000))), "speech_ms": draw(st.sampled_from((None, 0, 3000)))}
        extra = json.dumps({key: value for key, value in told.items() if value is not None}) if state == "kept" else ""
        return (seq, of, kind, *stamp, "", "", "", state, draw(st.sampled_from((0, 7))), extra)
    kind = draw(st.sampled_from(FIRST_KINDS))
    state = draw(st.sampled_from(FIRSTS[kind]))
    caller = draw(st.sampled_from((*CALLERS, *CALLERS, "", "121")))
    hidden = draw(st.sampled_from(("withheld", "unknown")))
    caller_kind = "short" if caller == "121" else "national" if caller else hidden
    about = {"call": draw(st.integers(0, seq + 1)), "node": draw(st.sampled_from(("a", "b"))), "language": "hi"}
    if kind == "message":
        about = {"direction": "in" if state == "received" else "out", "text": "\ud800\0é", "parts": 2}
    elif kind == "call":
        about = {"try": draw(st.integers(1, 4)), "for": about["call"]} if state in ("unreached", "called-back") else {}
    elif kind == "answer":
        about |= {"issue": draw(st.sampled_from(("subsidy", "fair", "a")))}
    elif kind == "step":
        about |= {"key": "hung-up" if state == "end" and draw(st.booleans()) else "1", "ms": 1500}
    campaign = "" if kind in ("step", "optout", "line") else draw(st.sampled_from(CAMPAIGNS))
    return (seq, 0, kind, *stamp, campaign, caller, caller_kind, state, 0, json.dumps(about) if about else "")


@st.composite
def staying(draw: st.DrawFn, sign: WireRow) -> list[WireRow]:
    """Rows of kind line that follow one: in time, too late, under a clock that was set, or not trusted."""
    seq, of, kind, boot, mono_ms, at_ms, clock, *_, extra = sign
    found: list[WireRow] = []
    for n in range(1, 1 + draw(st.integers(0, 5))):
        later = draw(st.sampled_from((600_000, 600_000, 660_000, 661_000, 90_000, 0)))
        mono_ms, at_ms = mono_ms + later, at_ms + later + draw(st.sampled_from((0, 0, 0, -7_200_000, 5000)))
        clock, state = draw(st.sampled_from((3, 3, 2, 1))), draw(st.sampled_from(("ready", "ready", "no-network")))
        found.append((seq + n, of, kind, boot, mono_ms, at_ms, clock, "", "", "", state, 0, extra))
    return found


@st.composite
def stream(draw: st.DrawFn, most: int = 40) -> list[list[Batch]]:
    """Transactions; each holds batches of one or more ledgers."""
    rows: dict[Ledger, list[WireRow]] = {}
    for ledger in LEDGERS:
        mine: list[WireRow] = []
        for _ in range(draw(st.integers(1, most))):
            last = draw(row(ledger, len(mine) + 1, [each[2] for each in mine]))
            mine.append(last)
            if last[2] == "call" and not last[1] and draw(st.integers(0, 4)) == 0:  # one who rings and rings
                mine += [(len(mine) + n, *last[1:]) for n in range(1, 12)]
            if last[2] == "line" and not last[1]:
                mine += draw(staying(last))
        rows[ledger] = mine
    transactions: list[list[Batch]] = []
    while any(rows.values()):
        batches = []
        for _ in range(draw(st.integers(1, 3))):
            ledger = draw(st.sampled_from([one for one in LEDGERS if rows[one]] or [LEDGERS[0]]))
            size = draw(st.integers(1, 15))
            batch, rows[ledger] = rows[ledger][:size], rows[ledger][size:]
            if batch:
                batches.append((ledger, batch))
        transactions.append(batches)
    return transactions


# -------------------------------------------------------------------------------------- the store

EVENT = (
    "store_id", "seq", "of", "kind", "boot", "mono_ms", "at_ms", "clock", "campaign", "caller", "caller_kind", "state",
    "seconds", "extra", "hq_ms",
)  # fmt: skip


def build(db: sql.Db) -> None:
    """An empty store."""
    with db.transaction():
        for ddl in schema.WHOLE[db.kind]:
            db.build(ddl)


def empty(db: sql.Db) -> None:
    """As `build` left it, but for the ledgers, which it knows from now on, and the numbers of campaigns, which stay."""
    with db.transaction():
        for table in ("event", "store", "box", *tables.DERIVED):
            db.run(f"DELETE FROM {table}")
        for one in LEDGERS:
            db.run(
                "INSERT INTO box VALUES (:box, :district, :timezone, '1', 0, 0, 0, 3) ON CONFLICT (box) DO NOTHING",
                box=one.box, district=one.district, timezone=one.timezone,
            )  # fmt: skip
            db.run(
                "INSERT INTO store (id, store, box, line, campaign, chain, admitted_ms, seen_ms)"
                " VALUES (:id, :store, :box, :line, :campaign, :chain, 0, 0)",
                id=one.id, store=one.store, box=one.box, line=one.line, campaign=one.campaign, chain=b"",
            )  # fmt: skip
        rollups.rebuild(db, ISSUES)


def insert(db: sql.Db, ledger: Ledger, rows: Iterable[WireRow]) -> None:
    """Keep these events."""
    names = ", ".join(f'"{name}"' for name in EVENT)
    statement = f"INSERT INTO event ({names}) VALUES ({', '.join(f':{name}' for name in EVENT)})"
    db.many(statement, [dict(zip(EVENT, (ledger.id, *each, 0), strict=True)) for each in rows])


def take(db: sql.Db, kept: rollups.Rollups, transactions: Iterable[Sequence[Batch]]) -> None:
    """All of a stream, as a receiver would take it."""
    for batches in transactions:
        with db.transaction():
            for ledger, rows in batches:
                insert(db, ledger, rows)
                kept.add(ledger, rows)
            kept.settle(0)


def picture(db: sql.Db) -> dict[str, list[object]]:
    """All roll-ups, as what they say: without rows of zeros, marks unpacked."""
    found: dict[str, list[object]] = {}
    for table in tables.DERIVED:
        key, rows = tables.key(table), []
        for told in db.rows(f"SELECT * FROM {table}"):
            name, said = tuple(told[one] for one in key), {one: value for one, value in told.items() if one not in key}
            if table == "caller":
                said = visits.unpack(told["marks"])
            elif table == "act":
                said = acts.unpack(told["marks"])  # type: ignore[assignment]
            elif table == "vote":
                said = votes.kept(votes.unpack(told["marks"]))  # type: ignore[assignment]
            elif all(type(value) is int for value in said.values()) and not any(said.values()):
                continue
            rows.append((name, said))
        found[table] = sorted(rows, key=lambda row: row[0])
    return found


# ---------------------------------------------------------------------- the slow, obvious answers


def rung(stream: Iterable[Sequence[Batch]]) -> Iterable[tuple[Ledger, WireRow]]:
    """The calls that somebody made to us."""
    for batches in stream:
        for ledger, rows in batches:
            for each in rows:
                if each[2] == "call" and not each[1] and each[10] not in ("called-back", "unreached", "selftest"):
                    yield ledger, each


def local_day(ledger: Ledger, at_ms: int) -> int:
    from datetime import date, datetime
    from zoneinfo import ZoneInfo

    return (datetime.fromtimestamp(at_ms / 1000, ZoneInfo(ledger.timezone)).date() - date(1970, 1, 1)).days


def obvious_callers(
    stream: Iterable[Sequence[Batch]], topic: tuple[str, str], area: tuple[str, str], first: int, last: int, clean: bool
) -> tuple[int, int]:
    """Unique and new callers of a scope, by sets of days."""
    rang: list[tuple[str, int, Ledger, str]] = [
        (each[8], local_day(ledger, each[5]), ledger, each[7])
        for ledger, each in rung(stream) if each[9] in ("national", "international") and each[8]
    ]  # fmt: skip
    calls: dict[tuple[str, int], int] = defaultdict(int)
    for caller, day, _, _ in rang:
        calls[caller, day] += 1
    days: dict[str, set[int]] = defaultdict(set)
    for caller, day, ledger, campaign in rang:
        places = {"": "", "district": ledger.district, "box": ledger.box, "channel": ledger.channel,
                  "line": f"{ledger.box}/{ledger.line}"}  # fmt: skip
        topics = {"all": "", "campaign": campaign, "issue": ISSUES.get(campaign, (None,))[0]}
        if topics[topic[0]] == topic[1] and places[area[0]] == area[1] and not (clean and calls[caller, day] > 10):
            days[caller].add(day)
    inside = [mine for mine in days.values() if any(first <= day <= last for day in mine)]
    return len(inside), sum(min(mine) >= first for mine in inside)


def obvious_minutes(stream: Iterable[Sequence[Batch]]) -> dict[tuple[int, str, str], tuple[int, int]]:
    """(day, district, box) -> minutes up, minutes of service."""
    signs = [
        (ledger.id, (ledger.district, ledger.box), ledger.timezone, Row(*each))
        for batches in stream for ledger, rows in batches for each in rows if each[2] == "line" and not each[1]
    ]  # fmt: skip
    return {(day, *box): told for (box, day), told in oracle.minutes(signs).items()}


def obvious_poll(stream: Iterable[Sequence[Batch]]) -> dict[tuple[str, str], list[int]]:
    """(issue, option) -> raw, nameless, first, last, single, conflicts."""
    cast: list[tuple[str, str, tuple[int, int, int], str]] = []
    for batches in stream:
        for ledger, rows in batches:
            for each in rows:
                caller = each[8] if each[9] == "national" else ""
                place = (each[5], ledger.id, each[0])
                about = json.loads(each[12]) if each[12] else {}
                if each[2] == "answer" and not each[1] and (each[10] != "no" or about["issue"] != about["node"]):
                    cast.append((about["issue"], caller, place, each[10]))
    for ledger, each in rung(stream):
        if each[7] in ISSUES:
            issue, option, _ = ISSUES[each[7]]
            cast.append((issue, each[8] if each[9] == "national" else "", (each[5], ledger.id, each[0]), option))
    poll: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0] * 6)
    mine: dict[tuple[str, str], list[tuple[tuple[int, int, int], str]]] = defaultdict(list)
    for issue, caller, place, option in cast:
        poll[issue, option][0] += 1
        poll[issue, option][1] += not caller
        if caller:
            mine[issue, caller].append((place, option))
    for (issue, _), said in mine.items():
        said.sort()
        poll[issue, said[0][1]][2] += 1
        poll[issue, said[-1][1]][3] += 1
        poll[issue, said[0][1]][4 if len({option for _, option in said}) == 1 else 5] += 1
    return dict(poll)
