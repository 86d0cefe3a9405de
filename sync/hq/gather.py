"""What one transaction's rows add, ledger by ledger, before anything is looked up or written.  Pure.

Rules of this room
- Most rows are missed calls: they are counted on the spot, with a few dictionary operations each, and nothing is kept
  of them but the caller.
- All other things wait, with their amendments of the same transaction, until `rollups` has looked up what is older.
- A row is looked at once, in the order of its ledger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter

from sync.hq import acts, facts, tables, talks
from sync.hq.facts import HOUR_MS, QUARTER_MS, Add, C, Cell
from sync.hq.votes import Vote
from sync.wire import WireRow

Issues = Mapping[str, tuple[str, str, str]]  # campaign -> issue, option, policy
Key = tuple[int, int]  # store, seq
_CALLS, _NUMBERED, _WITHHELD, _GAVE_UP = C["calls"], C["numbered"], C["withheld"], C["gave_up"]
_PLAIN = ("missed", "gave-up")


@dataclass(slots=True)
class Place:
    """A row of `place`, as the next transaction will write it."""

    store_id: int
    box: str
    line: str
    channel: str
    district: str
    timezone: str
    language: str
    began: int
    campaign: str
    newest_ms: int = 0
    jumped: int = 0


values = attrgetter(*(each.name for each in fields(Place)))  # of a place, as the table has them


class Gathered:
    """Everything of one transaction. `rows` are the batches of each ledger, to find a row again by its seq."""

    def __init__(self, issues: Issues) -> None:
        self._issues = issues
        self.rows: dict[int, list[Sequence[WireRow]]] = {}
        self.cells: dict[Cell, list[int]] = {}
        self.latencies: dict[tuple[str, int, int, str, int], int] = {}
        self.nodes: dict[tuple[int, str, int, str], list[int]] = {}
        self.callers: dict[tuple[int, int, str], list[str]] = {}  # day, store, campaign -> a number for each call
        self.acts: dict[tuple[str, str], str] = {}  # caller, campaign -> marks
        self.votes: list[tuple[str, str, Vote]] = []  # issue, caller or ""
        self.things: dict[Key, list[WireRow]] = {}  # begun in this transaction
        self.late: dict[Key, list[WireRow]] = {}  # amendments of calls counted on the spot, and of older things
        self.talks: dict[Key, list[WireRow]] = {}
        self.signs: dict[int, list[WireRow]] = {}  # store -> first rows of kind line
        self.written: dict[str, list[tuple[object, ...]]] = {}  # table -> rows that are put there as they are
        self._quarters: dict[tuple[str, int], tuple[int, int]] = {}  # zone, quarter -> day, hour

    # -------------------------------------------------------------------------------- counting

    def when(self, place: Place, at_ms: int) -> tuple[int, int]:
        """The local day and hour."""
        key = (place.timezone, at_ms // QUARTER_MS)
        found = self._quarters.get(key)
        if found is None:
            found = self._quarters[key] = facts.local(key[1], facts.zone(place.timezone))
        return found

    def cell(self, place: Place, first: WireRow, language: str = "") -> Cell:
        """Where the thing counts whose first row this is."""
        return Cell(place.store_id, first[7], *self.when(place, first[5]), language or place.language)

    def counters(self, cell: Cell) -> list[int]:
        found = self.cells.get(cell)
        if found is None:
            found = self.cells[cell] = [0] * len(tables.TALLY)
        return found

    def count(self, cell: Cell, add: Add, sign: int = 1) -> None:
        counters = self.counters(cell) if add.counts else []
        for column, n in add.counts:
            counters[column] += sign * n
        for kind, bucket in add.latencies:
            key = (cell.campaign, cell.store_id, cell.day, kind, bucket)
            self.latencies[key] = self.latencies.get(key, 0) + sign

    def act(self, caller: str, campaign: str, marks: str) -> None:
        self.acts[caller, campaign] = self.acts.get((caller, campaign), "") + marks

    # ------------------------------------------------------------------------------------ rows

    def ledger(self, place: Place, rows: Sequence[WireRow]) -> None:
        """Rows of one ledger, in order."""
        self.rows.setdefault(place.store_id, []).append(rows)
        spots: dict[tuple[str, int], tuple[list[int], list[str]]] = {}
        issues, store = self._issues, place.store_id
        for row in rows:
            seq, of, kind, _, _, at_ms, _, campaign, caller, caller_kind, state, _, extra = row
            if campaign:
                place.campaign = campaign
            if at_ms >= place.newest_ms:
                place.newest_ms = at_ms
            elif at_ms < place.newest_ms - HOUR_MS:
                place.jumped = seq
            if kind != "call" or of or extra or state not in _PLAIN or campaign in issues:
                self._other(place, row)
                continue
            spot = spots.get((campaign, at_ms // QUARTER_MS))
            if spot is None:
                cell = self.cell(place, row)
                callers = self.callers.setdefault((cell.day, store, campaign), [])
                spot = spots[campaign, at_ms // QUARTER_MS] = (self.counters(cell), callers)
            counters = spot[0]
            counters[_CALLS] += 1
            if state == "gave-up":
                counters[_GAVE_UP] += 1
            if caller and (caller_kind == "national" or caller_kind == "international"):
                counters[_NUMBERED] += 1
                spot[1].append(caller)
            elif caller_kind == "withheld":
                counters[_WITHHELD] += 1

    def _other(self, place: Place, row: WireRow) -> None:
        """Anything but an ordinary missed call."""
        key, kind = (place.store_id, row[0]), row[2]
        if row[1]:
            of = (place.store_id, row[1])
            begun = self.things.get(of)
            if begun is None and kind in facts.THINGS:
                self.late.setdefault(of, []).append(row)
            elif begun is not None and begun[0][2] == kind:
                begun.append(row)
            if kind == "call":
                self.talks.setdefault(of, []).append(row)
        elif kind in facts.THINGS:
            self.things[key] = [row]
            if kind == "call":
                self._call(place, row)
            elif kind == "message":
                self._message(place, row)
        elif kind in ("answer", "consent", "optout"):
            self._word(place, row)
        elif kind == "line":
            self.signs.setdefault(place.store_id, []).append(row)
        if kind == "step" or (kind in talks.LEFT and not row[1]):
            call = facts.whole(facts.told(row[12]), "call")
            if 0 < call < row[0]:
                self.talks.setdefault((place.store_id, call), []).append(row)

    def _call(self, place: Place, row: WireRow) -> None:
        if row[10] in ("talked", "called-back"):
            self.talks.setdefault((place.store_id, row[0]), []).append(row)
        if not facts.is_rung(row):
            return
        day, _ = self.when(place, row[5])
        caller = row[8] if facts.numbered(row) else ""
        if caller:
            self.callers.setdefault((day, place.store_id, row[7]), []).append(caller)
        issue, option, _ = self._issues.get(row[7], ("", "", ""))
        if issue and option:
            self.votes.append((issue, caller, (row[5], place.store_id, row[0], day, option)))

    def _message(self, place: Place, row: WireRow) -> None:
        if not facts.is_in(row):
            return
        if facts.numbered(row):
            self.act(row[8], row[7], acts.ACT)
        day, _ = self.when(place, row[5])
        self._write("letter", place, row, row[9], facts.text(facts.told(row[12]), "text"), day=day)

    def _word(self, place: Place, row: WireRow) -> None:
        """An answer, a consent, an opt-out: one row, said for good."""
        kind, about = row[2], facts.told(row[12])
        if kind == "optout":
            row = (*row[:7], place.campaign, *row[8:])
            self.count(self.cell(place, row), Add(((C["optouts"], 1),)))
            self._write(kind, place, row, day=self.when(place, row[5])[0])
            return
        language = facts.text(about, "language")
        cell = self.cell(place, row, language)
        self.count(cell, Add(((C[f"{kind}s"], 1),)))
        call, node = facts.whole(about, "call"), facts.text(about, "node")
        if kind == "consent":
            wording, evidence = facts.text(about, "wording"), facts.text(about, "evidence")
            channel = facts.text(about, "channel") or "call"
            self._write(kind, place, row, language, call, node, row[10], wording, channel, evidence, day=cell.day)
            return
        issue = facts.text(about, "issue") or row[7]
        self._write(
            kind, place, row, language, call, node, facts.text(about, "key"), facts.text(about, "issue"), row[10],
            day=cell.day,
        )  # fmt: skip
        if (row[10], issue) != ("no", node):
            caller = row[8] if facts.numbered(row) else ""
            self.votes.append((issue, caller, (row[5], place.store_id, row[0], cell.day, row[10])))

    def _write(self, table: str, place: Place, row: WireRow, *values: object, day: int) -> None:
        whole = (place.store_id, row[0], row[7], day, row[5], row[8], *values)
        self.written.setdefault(table, []).append(whole)

    # ---------------------------------------------------------------------------------- lookup

    def first_new(self, store: int) -> int:
        """The first row of a ledger in this transaction."""
        return self.rows[store][0][0][0]

    def row(self, store: int, seq: int) -> WireRow | None:
        """A row of this transaction."""
        for rows in self.rows.get(store, ()):
            place = seq - rows[0][0]
            if 0 <= place < len(rows) and rows[place][0] == seq:
                return rows[place]
            if rows[0][0] <= seq <= rows[-1][0]:
                return next((row for row in rows if row[0] == seq), None)
        return None
