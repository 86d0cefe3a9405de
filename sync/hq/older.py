"""One transaction's things, with what is older of them: looked up, taken out of the counters as they were, put in as
they are.

Rules of this room
- What is older is asked for by key, all of it at once: three or four statements, however many rows there are.
- PostgreSQL keeps events by days and cannot look for a row in all of them at little cost. A row is first looked for
  about the days of the transaction, then everywhere; amendments where they can lie: behind the row they amend, unless
  the ledger's clock has jumped back since.
- Only rows before the transaction's own are older ones; a row that names a later one names nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sync.hq import acts, facts, sets, tables, talks
from sync.hq.facts import Add, Cell
from sync.hq.gather import Gathered, Key, Place
from sync.hq.sql import Db, Row
from sync.hq.talks import Talk
from sync.wire import WireRow

ROW = (
    'event.seq, event."of", event.kind, event.boot, event.mono_ms, event.at_ms, event.clock, event.campaign,'
    " event.caller, event.caller_kind, event.state, event.seconds, event.extra"
)
EVER = (-(2**62), 2**62)
_WANTED = {"store_id": "INTEGER", "seq": "INTEGER", "until": "INTEGER"}
_ROWS = (
    f"SELECT wanted.store_id, {ROW} FROM ({{given}}) AS wanted CROSS JOIN event"
    " WHERE event.store_id = wanted.store_id AND event.seq = wanted.seq AND event.at_ms BETWEEN :first AND :last"
)
_AMENDMENTS = (
    f"SELECT wanted.store_id, {ROW} FROM ({{given}}) AS wanted CROSS JOIN event"
    ' WHERE event.store_id = wanted.store_id AND event."of" = wanted.seq AND event."of" > 0'
    " AND event.seq < wanted.until AND event.at_ms BETWEEN :first AND :last ORDER BY wanted.store_id, event.seq"
)
_TALKS = (
    "SELECT talk.* FROM ({given}) AS wanted CROSS JOIN talk"
    " WHERE talk.store_id = wanted.store_id AND talk.seq = wanted.seq"
)


class Things:
    """One transaction's things: what is older is looked up, what they add is counted into `got`."""

    def __init__(self, db: Db, got: Gathered, places: Mapping[int, Place]) -> None:
        self._db, self._got, self._places = db, got, places
        self._older: dict[Key, WireRow] = {}

    def work_out(self) -> None:
        got = self._got
        talks_before = self._talks()
        wanted = {*got.late, *(key for key in got.talks if key not in talks_before)}
        for (store, _), rows in got.things.items():
            if rows[0][2] in ("message", "call"):
                wanted.add(self._beside(store, rows[0]))
        self._look_up(wanted)
        self._look_up({self._beside(store, self._row(store, seq)) for store, seq in got.late})
        history = self._history()
        for key, rows in got.things.items():
            self._thing(key, [], rows)
        for key, rows in got.late.items():
            first = self._row(*key)
            if first is not None and not first[1]:
                mine = [row for row in rows if row[2] == first[2]]
                before = [first, *(row for row in history.get(key, ()) if row[2] == first[2])]
                self._thing(key, before, mine) if mine else None
        self._carry_on(talks_before)

    # --------------------------------------------------------------------------------- lookups

    def _row(self, store: int, seq: int) -> WireRow | None:
        return self._got.row(store, seq) or self._older.get((store, seq))

    def _beside(self, store: int, first: WireRow | None) -> Key:
        """The other row that says what an older thing is: before a letter, or what a try of ours answers."""
        if first is None:
            return store, 0
        other = first[0] - 1 if first[2] == "message" else facts.whole(facts.told(first[12]), "for")
        return store, other if other < first[0] else 0

    def _look_up(self, wanted: Iterable[Key]) -> None:
        keys = {(*key, 0) for key in wanted if key[1] > 0 and self._row(*key) is None}
        times = [row[5] for batches in self._got.rows.values() for rows in batches for row in (rows[0], rows[-1])]
        for first, last in ((min(times) - facts.DAY_MS, max(times) + facts.DAY_MS), EVER):
            for row in sets.fetch(self._db, _ROWS, _WANTED, keys, first=first, last=last) if keys else ():
                values = tuple(row.values())
                self._older[values[0], values[1]] = values[1:]
            keys = {key for key in keys if key[:2] not in self._older}

    def _history(self) -> dict[Key, list[WireRow]]:
        """The older amendments of what is amended now."""
        groups: dict[tuple[int, int], set[tuple[int, int, int]]] = {}
        for store, seq in self._got.late:
            first, until = self._row(store, seq), self._got.first_new(store)
            if first is not None and seq < until:
                groups.setdefault(self._span(self._places[store], first), set()).add((store, seq, until))
        history: dict[Key, list[WireRow]] = {}
        for (begin, end), keys in sorted(groups.items()):
            for row in sets.fetch(self._db, _AMENDMENTS, _WANTED, keys, first=begin, last=end):
                values = tuple(row.values())
                history.setdefault((values[0], values[2]), []).append(values[1:])
        return history

    def _span(self, place: Place, first: WireRow) -> tuple[int, int]:
        """The time in which what amends this row can lie, in whole days, so that few spans serve all."""
        if first[0] <= place.jumped:
            return EVER
        begin, end = (first[5] - facts.HOUR_MS) // facts.DAY_MS, place.newest_ms // facts.DAY_MS
        return begin * facts.DAY_MS, (end + 1) * facts.DAY_MS - 1

    def _talks(self) -> dict[Key, Row]:
        if not self._got.talks:
            return {}
        found = sets.fetch(self._db, _TALKS, _WANTED, {(*key, 0) for key in self._got.talks})
        return {(row["store_id"], row["seq"]): row for row in found}

    # ---------------------------------------------------------------------------------- things

    def _thing(self, key: Key, before: Sequence[WireRow], new: Sequence[WireRow]) -> None:
        """Take a thing out as it was, put it in as it is."""
        got, place, rows = self._got, self._places[key[0]], [*before, *new]
        if before:
            got.count(*self._adds(place, before), sign=-1)
        cell, add = self._adds(place, rows)
        got.count(cell, add)
        first, kind = rows[0], rows[0][2]
        about = (key[0], key[1], first[7], cell.day, first[5], first[8])
        if kind == "recording":
            got.written.setdefault(kind, []).append((*about, *facts.recording_thing(rows)))
        elif kind == "case":
            got.written.setdefault("grievance", []).append((*about, *facts.case_thing(rows)))
        if not facts.numbered(first):
            return
        if kind == "recording" and any(map(facts.speaks, new)):
            got.act(first[8], first[7], acts.ACT)
        elif kind == "message" and any(row[10] == "sent" for row in new) and not facts.is_in(first):
            got.act(first[8], first[7], acts.offer(first[5], key[0], cell.day))

    def _adds(self, place: Place, rows: Sequence[WireRow]) -> tuple[Cell, Add]:
        first, kind = rows[0], rows[0][2]
        beside = self._row(*self._beside(place.store_id, first))
        if kind == "call":
            return self._got.cell(place, first), facts.call(rows, beside if _rings(beside) else None)
        cell = self._got.cell(place, first, facts.text(facts.told(first[12]), "language"))
        if kind == "message":
            return cell, facts.message(rows, _rings(beside))
        return cell, facts.recording(rows) if kind == "recording" else facts.case(rows)

    def _carry_on(self, before: Mapping[Key, Row]) -> None:
        """Every talk that goes on in this transaction."""
        for key, rows in self._got.talks.items():
            place, found = self._places[key[0]], before.get(key)
            if found is not None:
                talk = Talk(**found)
                self._count(talk, -1)
            else:
                first = self._row(*key)
                begun = next((n for n, row in enumerate(rows) if talks.begins(row)), None)
                if first is None or first[2] != "call" or first[1] or begun is None:
                    continue
                talk = talks.begin(key[0], first, *self._got.when(place, first[5]), place.language)
                rows = rows[begun:]
            was = (talk.answered, talk.acted())
            talk.carry_on(rows)
            self._count(talk, 1)
            self._nodes(talk, rows)
            self._got.written.setdefault("talk", []).append(talks.values(talk))
            if talk.caller and talk.answered > was[0]:
                self._got.act(talk.caller, talk.campaign, acts.offer(talk.at_ms, talk.store_id, talk.day))
            if talk.caller and talk.acted() > was[1]:
                self._got.act(talk.caller, talk.campaign, acts.ACT)

    def _count(self, talk: Talk, sign: int) -> None:
        self._got.count(Cell(talk.store_id, talk.campaign, talk.day, talk.hour, talk.language), talk.adds(), sign)

    def _nodes(self, talk: Talk, rows: Iterable[WireRow]) -> None:
        for row in rows:
            step = talks.node_steps(row) if row[2] == "step" else None
            if step is not None:
                key = (talk.store_id, talk.campaign, talk.day, step[0])
                counts = self._got.nodes.setdefault(key, [0] * len(tables.NODE))
                counts[tables.NODE.index(step[1])] += 1


def _rings(row: WireRow | None) -> bool:
    """Is it the first row of a call?"""
    return row is not None and row[2] == "call" and not row[1]
