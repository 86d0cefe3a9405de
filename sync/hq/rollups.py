"""The roll-ups, kept in the transaction of the rows: what pages read in place of events.

    kept = Rollups(db)
    kept.add(ledger, rows)    rows newly kept, in order; nothing is written yet
    kept.settle(now_ms)       writes all, in the caller's transaction, behind the events
    kept.clear()              after a rollback

Rules of this room
- What anything means is said in `facts`, and decided in the pure rooms: `gather`, `facts`, `talks`, `visits`, `votes`,
  `acts`. Here things are looked up and written, many at once, in a fixed order of tables and in the order of keys: two
  receivers never wait for each other in a ring.
- A thing that is amended is taken out of the counters as it was, and put in as it is. So the tables depend on which
  rows are held, and not on the batches in which they came: `rebuild` gives the same ones.
- Marks (callers, acts, votes) are appended in one statement that holds their row and tells what was there: no count is
  read, changed and written back.
- One transaction at a time writes rows of one ledger; whoever keeps the events sees to that. Lines of one box may be
  written by two receivers, if somebody has made a mistake: what is told of a box is worked out while it is held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import add
from typing import Any, Protocol

from sync.hq import acts, alive, facts, gather, hunts, sets, tables, votes
from sync.hq.gather import Gathered, Issues, Place
from sync.hq.older import ROW, Things
from sync.hq.sql import Db
from sync.hq.tables import DDL as DDL  # part of this room's face
from sync.hq.visits import Moves, Scopes, Visit, Where
from sync.wire import WireRow

WINDOW, PAGE = 20_000, 200  # rows replayed at once; of one ledger in turn

_FRESH = len(tables.TALLY) + len(tables.ENGAGED)  # columns of `box_tally`, behind those of `day_tally`
_WIDTH = len(tables.TALLY) + len(tables.BOX)
_NO_CALLS, _NOT_ENGAGED = [0] * len(tables.TALLY), [0] * len(tables.ENGAGED)

_HOLD = "SELECT box FROM box WHERE box = ANY(:boxes) ORDER BY box FOR UPDATE"
_PLACES = "SELECT place.* FROM ({given}) AS wanted CROSS JOIN place WHERE place.store_id = wanted.store_id"


class Ledger(Protocol):
    """What must be known of a ledger when its first row comes."""

    @property
    def id(self) -> int: ...
    @property
    def box(self) -> str: ...
    @property
    def line(self) -> str: ...
    @property
    def timezone(self) -> str: ...
    @property
    def district(self) -> str: ...
    @property
    def campaign(self) -> str: ...
    @property
    def language(self) -> str: ...


class Rollups:
    """The writer. `issues`: which campaigns are options of an issue; they must be those that the tables were made with
    (`is_stale` tells)."""

    def __init__(self, db: Db, issues: Issues | None = None) -> None:
        self._db, self._issues = db, issues or {}
        self._given: list[tuple[Ledger, Sequence[WireRow]]] = []
        self._campaigns: dict[int, str] = {}
        self._scopes: Scopes | None = None
        self._places: dict[int, Where] = {}
        self._shared: list[tuple[str, list[sets.Values]]] = []  # rows of all places, to be written last
        self._by_day: dict[tuple[int, int], list[int]] = {}  # day, store -> what `box_tally` gains
        self._new: set[int] = set()  # ledgers without a row in `place` so far

    def add(self, ledger: Ledger, rows: Sequence[WireRow]) -> None:
        """Rows newly kept, in order, of one ledger."""
        if rows:
            self._given.append((ledger, rows))

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Around a transaction: when it fails, what it brought is forgotten."""
        try:
            yield
        except BaseException:
            self.clear()
            raise

    def clear(self) -> None:
        """The transaction was rolled back: forget what it brought, and what was remembered of it."""
        self._given.clear()
        self._campaigns.clear()
        self._places.clear()
        self._new.clear()
        self._scopes = None

    def settle(self, now_ms: int) -> None:
        """Write what the rows since the last time add."""
        if not self._given:
            return
        given, self._given, self._shared, self._by_day = self._given, [], [], {}
        places = self._frozen(given)
        were = {place.store_id: gather.values(place) for place in places.values()}
        seats = {number: hunts.seat(place) for number, place in places.items() if number not in self._new}
        got = Gathered(self._issues)
        for ledger, rows in given:
            got.ledger(places[ledger.id], rows)
        Things(self._db, got, places).work_out()
        numbers = self._numbers(got)
        now = [gather.values(place) for place in places.values()]
        sets.put(self._db, "place", (row for row in now if row[0] in self._new or row != were[row[0]]))
        self._new.clear()
        if self._db.kind == "postgresql":
            self._db.rows(_HOLD, boxes=sorted({place.box for place in places.values()}))
        loads = hunts.work_out(self._db, got, places, seats)
        got.written |= alive.work_out(self._db, got, places)
        pairs = self._visits(got, numbers)
        engaged = self._acts(got, numbers)
        self._polls(got)
        sets.add(self._db, "tally", ((*cell, *counts) for cell, counts in got.cells.items() if any(counts)))
        days = _summed(got.cells, lambda cell: (cell[2], cell[0], cell[1]))
        lines = _side_by_side(days, engaged)
        sets.add(self._db, "day_tally", ((*key, *counts) for key, counts in lines.items() if any(counts)))
        self._of_day(0, _summed(lines, lambda key: key[:2]))
        sets.put(self._db, "load", loads.rows)
        sets.add(self._db, "latency", ((*key, n) for key, n in got.latencies.items() if n))
        sets.add(self._db, "node_tally", ((*key, *counts) for key, counts in got.nodes.items()))
        for table, things in got.written.items():
            sets.put(self._db, table, things)
        self._boxes()
        self._everywhere("all_tally", _summed(got.cells, lambda cell: cell[1:]))
        self._everywhere("all_load", loads.gained)
        waits = {key: (n,) for key, n in got.latencies.items()}
        self._everywhere("all_latency", _summed(waits, lambda key: (key[0], *key[2:])))
        self._everywhere("all_node", _summed(got.nodes, lambda key: key[1:]))
        for table, sums in self._shared:  # last: these, and those of `pair` for a campaign, are every receiver's rows
            sets.add(self._db, table, sums)
        sets.add(self._db, "pair", pairs)

    # ------------------------------------------------------------------------------- who and where

    def _frozen(self, given: Iterable[tuple[Ledger, Sequence[WireRow]]]) -> dict[int, Place]:
        """The place of each ledger: as it was first found."""
        wanted = {(ledger.id,) for ledger, _ in given}
        found = sets.fetch(self._db, _PLACES, {"store_id": "INTEGER"}, wanted)
        places = {row["store_id"]: Place(**row) for row in found}
        for ledger, rows in given:
            if ledger.id in places:
                continue
            self._new.add(ledger.id)
            about = facts.told(rows[0][12]) if rows[0][2] == "store" else {}
            places[ledger.id] = Place(
                ledger.id, ledger.box, ledger.line, facts.text(about, "channel"), ledger.district, ledger.timezone,
                facts.text(about, "language") or ledger.language,
                facts.local(rows[0][5] // facts.QUARTER_MS, facts.zone(ledger.timezone))[0],
                facts.text(about, "campaign") or ledger.campaign,
            )  # fmt: skip
        for place in places.values():
            where = Where(place.district, place.box, f"{place.box}/{place.line}", place.channel)
            if self._places.get(place.store_id) != where:
                self._places[place.store_id] = where
                self._scopes = None
        return places

    def _numbers(self, got: Gathered) -> dict[str, int]:
        """The small numbers of campaigns, made where there are none."""
        names = {campaign for _, _, campaign in got.callers} | {campaign for _, campaign in got.acts}
        known = set(self._campaigns.values())
        if new := [{"campaign": name} for name in sorted(names - known)]:
            insert = "INSERT INTO campaign (campaign) VALUES (:campaign) ON CONFLICT (campaign) DO NOTHING"
            self._db.many(insert, new)
            self._know_campaigns()
        return {name: number for number, name in self._campaigns.items()}

    def _know_campaigns(self) -> None:
        rows = self._db.rows("SELECT id, campaign FROM campaign")
        self._campaigns, self._scopes = {row["id"]: row["campaign"] for row in rows}, None

    # ------------------------------------------------------------------------------------- marks

    def _visits(self, got: Gathered, numbers: Mapping[str, int]) -> list[sets.Values]:
        """Who rang: her marks, and what they move. Returns what is to be added to `pair`."""
        counted: dict[Visit, Counter[str]] = {}
        marks: dict[str, str] = {}
        for (day, store, campaign), callers in got.callers.items():
            visit = (day, store, numbers[campaign])
            counted[visit] = calls = Counter(callers)
            ends = [f"{day} {store} {visit[2]} {n}\n" for n in range(max(calls.values(), default=0) + 1)]
            for caller, n in calls.items():
                marks[caller] = marks[caller] + ends[n] if caller in marks else ends[n]
        if not marks:
            return []
        known = sets.append(self._db, "caller", marks)
        moves = Moves(self._scoped(known.values()))
        for visit, calls in counted.items():
            moves.first_visits(visit, calls, known)
        anew = ((caller, moves.caller(marks[caller], after)) for caller, after in known.items())
        sets.put(self._db, "caller", [(caller, packed) for caller, packed in anew if packed is not None])
        names = self._campaigns
        for table, sums in (("fresh", moves.fresh), ("flagged", moves.flagged)):
            visits = ((store, names[campaign], day, *n) for (day, store, campaign), n in sums.items() if any(n))
            sets.add(self._db, table, visits)
        fresh = {(names[campaign], day, store): n for (day, store, campaign), n in moves.fresh.items()}
        self._everywhere("all_fresh", _summed(fresh, lambda key: key[:2]))
        self._of_day(_FRESH, _summed(fresh, lambda key: key[1:]))
        return moves.pair_rows()

    def _scoped(self, told: Iterable[str]) -> Scopes:
        """The scopes, which must know every ledger and campaign that a caller of these ever rang."""
        lines = {line.rpartition(" ")[0].partition(" ")[2] for marks in told for line in marks.splitlines()}
        rung = [(int(store), int(campaign)) for store, campaign in (line.split(" ") for line in lines)]
        if not self._campaigns.keys() >= {campaign for _, campaign in rung}:
            self._know_campaigns()  # another receiver has met one that we have not
        self._know_places(store for store, _ in rung)
        if self._scopes is None:
            self._scopes = Scopes(self._places, self._campaigns, self._issues)
        return self._scopes

    def _know_places(self, stores: Iterable[int]) -> None:
        wanted = {(store,) for store in set(stores) - self._places.keys()}
        for row in sets.fetch(self._db, _PLACES, {"store_id": "INTEGER"}, wanted) if wanted else ():
            where = Where(row["district"], row["box"], f"{row['box']}/{row['line']}", row["channel"])
            self._places[row["store_id"]] = where

    def _acts(self, got: Gathered, numbers: Mapping[str, int]) -> dict[sets.Key, Sequence[int]]:
        """Who acted. Returns what `day_tally` gains of it, by its key."""
        marks: dict[sets.Key, str] = {(who, numbers[campaign]): text for (who, campaign), text in got.acts.items()}
        if not marks:
            return {}
        told, sums = sets.append(self._db, "act", marks), acts.Acts()
        anew = [(*key, sums.caller(key[1], added, told.get(key, added))) for key, added in marks.items()]
        sets.put(self._db, "act", [row for row in anew if row[2] is not None])
        names = self._campaigns
        ever = _summed(sums.sums, lambda key: (key[0], names[key[1]]))
        sets.add(self._db, "offered", ((*key, offered) for key, (offered, _) in ever.items() if offered))
        engaged: dict[sets.Key, Sequence[int]] = {
            (day, store, names[campaign]): n for (store, campaign, day), n in sums.sums.items()
        }
        self._everywhere("all_engagement", _summed(engaged, lambda key: (key[2], key[0])))
        return engaged

    def _everywhere(self, table: str, sums: Mapping[sets.Key, Sequence[int]]) -> None:
        """Sums over all places, kept for the transaction's end: until then nobody waits for their rows."""
        self._shared.append((table, [(*key, *counts) for key, counts in sums.items() if any(counts)]))

    def _of_day(self, at: int, sums: Mapping[sets.Key, Sequence[int]]) -> None:
        """What `box_tally` gains in the columns from `at` on: by day and store."""
        for key, counts in sums.items():
            mine = self._by_day.setdefault((key[0], key[1]), [0] * _WIDTH)
            for place, n in enumerate(counts, at):
                mine[place] += n

    def _boxes(self) -> None:
        self._know_places(store for _, store in self._by_day)
        box = {store: (place.district, place.box) for store, place in self._places.items()}
        self._everywhere("box_tally", _summed(self._by_day, lambda key: (key[0], *box[key[1]])))

    def _polls(self, got: Gathered) -> None:
        polls = votes.Polls()
        marks: dict[sets.Key, str] = {}
        for issue, caller, vote in got.votes:
            polls.raw(issue, vote, bool(caller))
            if caller:
                marks[issue, caller] = marks.get((issue, caller), "") + votes.pack(vote)
        told = sets.append(self._db, "vote", marks) if marks else {}
        anew = [(*key, polls.caller(key[0], added, told.get(key, added))) for key, added in marks.items()]
        sets.put(self._db, "vote", [row for row in anew if row[2] is not None])
        sets.add(self._db, "poll", ((*key, *n) for key, n in polls.sums.items() if any(n)))


def _side_by_side(
    calls: Mapping[sets.Key, Sequence[int]], engaged: Mapping[sets.Key, Sequence[int]]
) -> dict[sets.Key, list[int]]:
    """What `day_tally` gains, by its key."""
    keys = calls.keys() | engaged.keys()
    return {key: [*calls.get(key, _NO_CALLS), *engaged.get(key, _NOT_ENGAGED)] for key in keys}


def _summed(
    counted: Mapping[Any, Sequence[int]], wider: Callable[[sets.Key], sets.Key]
) -> dict[sets.Key, list[int]]:
    """Counters put together under wider keys."""
    sums: dict[sets.Key, list[int]] = {}
    for key, counts in counted.items():
        name = wider(key)
        mine = sums.get(name)
        sums[name] = list(counts) if mine is None else list(map(add, mine, counts))
    return sums


# ------------------------------------------------------------------------------------------ anew


def forget(db: Db, number: str, token: str) -> dict[str, int]:
    """Put a token in the place of a caller's number, and take away the texts that she wrote: how many rows of each
    table. The token must be hers alone, and unlike any number; with the same token in `event`, every count stays, also
    after `rebuild`. A call of hers after that is a new caller's."""
    if not token or token == number:
        raise ValueError("a caller who is forgotten needs a token")
    db.run("UPDATE letter SET text = '' WHERE caller = :number", number=number)
    changed = (
        (table, db.run(f"UPDATE {table} SET caller = :token WHERE caller = :number", token=token, number=number))
        for table in tables.WITH_CALLER
    )
    return {table: rows for table, rows in changed if rows}


@dataclass(slots=True)
class _Known:
    """A ledger as the store knows it."""

    id: int
    box: str
    line: str
    timezone: str
    district: str
    campaign: str
    language: str


def is_stale(db: Db, issues: Issues | None = None) -> bool:
    """Were the roll-ups made with other issues, or are there events of which they know nothing? Then `rebuild`."""
    parts = {row["campaign"]: (row["issue"], row["option"], row["policy"]) for row in db.rows("SELECT * FROM part")}
    if parts != dict(issues or {}):
        return True
    return db.row("SELECT 1 FROM place") is None and db.row("SELECT 1 FROM event") is not None


def rebuild(db: Db, issues: Issues | None = None) -> None:
    """Empty the roll-ups and make them anew from all events, in the caller's transaction. Places are found anew too: a
    box that has moved to another district, or another zone, is there from its first row on."""
    for table in tables.DERIVED:
        db.run(f"DELETE FROM {table}")
    ledgers = db.rows(
        "SELECT store.id, store.box, store.line, coalesce(box.timezone, '') AS timezone,"
        " coalesce(box.district, '') AS district, store.campaign, store.language"
        " FROM store LEFT JOIN box ON box.box = store.box ORDER BY store.id"
    )
    sets.put(db, "part", ((campaign, *part) for campaign, part in (issues or {}).items()))
    _replay(db, Rollups(db, issues), [_Known(**row) for row in ledgers])


def _replay(db: Db, rollups: Rollups, ledgers: Sequence[_Known]) -> None:
    """A page of each ledger in turn: about in the order of time, in which callers are counted with least trouble."""
    page = f"SELECT {ROW} FROM event WHERE store_id = :store AND seq > :after ORDER BY seq LIMIT {PAGE}"
    after, gathered = {ledger.id: 0 for ledger in ledgers}, 0
    while after:
        for ledger in ledgers:
            if ledger.id not in after:
                continue
            found = db.rows(page, store=ledger.id, after=after[ledger.id])
            rows: list[WireRow] = [tuple(row.values()) for row in found]
            if not rows:
                del after[ledger.id]
                continue
            rollups.add(ledger, rows)
            after[ledger.id], gathered = rows[-1][0], gathered + len(rows)
            if gathered >= WINDOW:
                rollups.settle(0)
                gathered = 0
    rollups.settle(0)
