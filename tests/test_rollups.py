"""The roll-ups say what the events say: in whatever batches and order these came, in either store.

MISCALL_PROOF=10 runs ten times as much, at random; without it the examples are always the same. The second half proves
that the proof finds what is broken."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sync.hq import alive, distinct, facts, gather, hunts, older, rollups, sets, signs, sql, tables, visits, votes
from sync.hq.loads import Hunt
from tests import rolling
from tests.postgres import needs_postgres
from tests.rolling import ISSUES, LEDGERS, Batch

TIMES = int(os.environ.get("MISCALL_PROOF", "0"))
SCOPES = [
    (topic, area)
    for topic in (("all", ""), ("campaign", "water"), ("campaign", "yes"), ("issue", "subsidy"))
    for area in (("", ""), ("district", "nashik"), ("box", "recife-1"), ("line", "nashik-1/l2"), ("channel", "radio"))
]


@pytest.fixture
def db() -> Iterator[sql.Db]:
    made = sql.adopt(sqlite3.connect(":memory:", isolation_level=None))
    rolling.build(made)
    yield made
    made.close()


def check(db: sql.Db, stream: Sequence[Sequence[Batch]], first: int, last: int) -> None:
    """The same from any batches, from a rebuild, and from sets of days."""
    rolling.empty(db)
    rolling.take(db, rollups.Rollups(db, ISSUES), stream)
    kept = rolling.picture(db)
    for topic, area in SCOPES:
        for clean in (False, True):
            told = distinct.distinct(db, first, last, topic=topic, area=area, clean=clean)
            assert told == rolling.obvious_callers(stream, topic, area, first, last, clean), (topic, area, clean)
    assert polled(db) == rolling.obvious_poll(stream)
    assert {key: tuple(told.values()) for key, told in kept["service"]} == rolling.obvious_minutes(stream)  # type: ignore[misc]
    assert db.value("SELECT coalesce(sum(calls), 0) FROM tally") == len(list(rolling.rung(stream)))
    with db.transaction():
        rollups.rebuild(db, ISSUES)
    anew = rolling.picture(db)
    for table in tables.DERIVED:
        assert kept[table] == anew[table], table
    for table in ("tally", "latency", "node_tally", "flagged", "day_tally", "poll"):
        for key, counts in anew[table]:  # type: ignore[misc]
            assert min(counts.values()) >= 0, (table, key)


def polled(db: sql.Db) -> dict[tuple[str, str], list[int]]:
    sums = ", ".join(f"sum({name}) AS {name}" for name in tables.POLL)
    rows = db.rows(f"SELECT issue, option, {sums} FROM poll GROUP BY issue, option")
    return {(row["issue"], row["option"]): [row[name] for name in tables.POLL] for row in rows}


PHASES = (Phase.explicit, Phase.generate)  # shrinking such a stream takes minutes: the first one found is shown
WINDOW = st.tuples(st.integers(19_674, 19_682), st.integers(0, 6)).map(lambda pair: (pair[0], pair[0] + pair[1]))


def prove(db: sql.Db, examples: int, most: int = 30) -> None:
    """`check` holds for so many streams."""

    @settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None, phases=PHASES,
        derandomize=not TIMES,
    )  # fmt: skip
    @given(rolling.stream(most), WINDOW)
    def holds(stream: list[list[Batch]], window: tuple[int, int]) -> None:
        check(db, stream, *window)

    holds()


def test_any_stream_in_any_batches(db: sql.Db) -> None:
    prove(db, 30 * max(1, TIMES))


@needs_postgres
def test_the_same_on_postgresql(request: pytest.FixtureRequest) -> None:
    with sql.postgres(request.getfixturevalue("postgres").database()) as db:
        rolling.build(db)
        prove(db, 5 * max(1, TIMES), 20)


# --------------------------------------------------------------------------------------- controls


def forgets_what_comes_late(patch: pytest.MonkeyPatch) -> None:
    goes_on = visits.Moves._go_on
    late: Callable[..., bool] = lambda self, was, more: min(more)[0] < max(was)[0] or goes_on(self, was, more)  # noqa: E731
    patch.setattr(visits.Moves, "_go_on", late)


def takes_a_withheld_caller_for_one(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(facts, "numbered", lambda row: True)


def counts_an_amended_thing_twice(patch: pytest.MonkeyPatch) -> None:
    count = gather.Gathered.count

    def never_out(self: gather.Gathered, cell: facts.Cell, add: facts.Add, sign: int = 1) -> None:
        if sign > 0:
            count(self, cell, add)

    patch.setattr(gather.Gathered, "count", never_out)


def flags_later(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(visits, "MOST", 30)


def reads_an_amendment_as_a_thing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(older.Things, "_history", lambda self: {})


def keeps_only_the_first_vote(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(votes.Polls, "caller", lambda self, issue, added, after: self._count(issue, votes.unpack(added), 1))


def forgets_how_a_line_was(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(alive, "_heard", lambda db, boxes: {})


def forgets_minutes_of_old_days(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(alive, "_minutes", lambda db, wanted: {})


def takes_service_to_begin_once(patch: pytest.MonkeyPatch) -> None:
    real = signs.changed
    patch.setattr(signs, "changed", lambda was, now, spans: real(was._replace(first=now.first), now, spans))


def loads_of_lines_that_stood(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(hunts, "_restood", lambda *_: set())


MUTANTS = (
    forgets_what_comes_late, takes_a_withheld_caller_for_one, counts_an_amended_thing_twice, flags_later,
    reads_an_amendment_as_a_thing, keeps_only_the_first_vote, loads_of_lines_that_stood,
    forgets_how_a_line_was, forgets_minutes_of_old_days, takes_service_to_begin_once,
)  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_proof_finds_what_is_broken(
    db: sql.Db, mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    with pytest.raises((AssertionError, ExceptionGroup)):
        prove(db, 200)


# ------------------------------------------------------------------------------------ two receivers


Picture = dict[str, list[object]]
APART, ONE_BOX = LEDGERS[1:], LEDGERS[:2]


def race(address: str, rounds: int, pair: Sequence[rolling.Ledger] = APART) -> tuple[Picture, Picture]:
    """Two receivers with a ledger each take calls of the same callers, and signs of life, at the same time; the
    roll-ups, and rebuilt."""
    failed: list[BaseException] = []

    def receive(ledger: rolling.Ledger) -> None:
        try:
            with sql.postgres(address) as mine:
                kept = rollups.Rollups(mine, ISSUES)
                for turn in range(rounds):
                    at_ms = 1_700_000_000_000 + (turn * 5 + ledger.id // 3) % 7 * rolling.DAY_MS
                    rows = [
                        (turn * 25 + n, 0, "call", "b1", at_ms, at_ms, 3, ("yes", "water")[ledger.id // 3],
                         f"+91{(n * 7 + turn) % 25:03}", "national", "missed", 0, "")
                        for n in range(1, 21)
                    ]  # fmt: skip
                    rows += [
                        (turn * 25 + n, 0, "line", "b1", at_ms + later, at_ms + later, 3, "", "", "", "ready", 0, "")
                        for n, later in zip(range(21, 26), range(ledger.id * 60_000, 3_000_000, 600_000), strict=True)
                    ]  # fmt: skip
                    rolling.take(mine, kept, [[(ledger, rows)]])
        except BaseException as error:
            failed.append(error)

    with sql.postgres(address) as db:
        rolling.build(db)
        rolling.empty(db)
        db.many("INSERT INTO campaign (campaign) VALUES (:name)", [{"name": name} for name in ("yes", "water")])
        threads = [threading.Thread(target=receive, args=(ledger,)) for ledger in pair]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failed, failed
        kept = rolling.picture(db)
        with db.transaction():
            rollups.rebuild(db, ISSUES)
        return kept, rolling.picture(db)


@needs_postgres
@pytest.mark.parametrize("pair", [APART, ONE_BOX], ids=["apart", "one-box"])
def test_two_receivers_of_the_same_callers(request: pytest.FixtureRequest, pair: Sequence[rolling.Ledger]) -> None:
    kept, anew = race(request.getfixturevalue("postgres").database(), 30, pair)
    assert kept == anew


@needs_postgres
@pytest.mark.parametrize(
    ("room", "name", "tables_"), [(Hunt, "day", ["load"]), (alive, "_minutes", ["uptime", "service"])]
)
def test_the_race_finds_a_box_that_nobody_holds(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, room: Any, name: str, tables_: list[str]
) -> None:
    both, real = threading.Barrier(2, timeout=60), getattr(room, name)

    def at_once(*given: Any) -> Any:
        """What was looked up is held until the other one has looked, too."""
        found = real(*given)
        if threading.current_thread() is not threading.main_thread():  # which rebuilds, alone
            both.wait()
        return found

    monkeypatch.setattr(room, name, at_once)
    monkeypatch.setattr(rollups, "_HOLD", "SELECT CAST(:boxes AS text[])")
    kept, anew = race(request.getfixturevalue("postgres").database(), 10, ONE_BOX)
    for table in tables_:
        assert kept[table] != anew[table], table


@needs_postgres
def test_the_race_finds_a_count_that_is_read_and_then_written(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = sets.append

    def read_first(db: sql.Db, table: str, marks: dict[Any, str]) -> dict[Any, str]:
        if table != "caller":
            return append(db, table, marks)
        held = db.rows("SELECT caller, marks FROM caller")
        time.sleep(0.02)
        append(db, table, marks)
        return {row["caller"]: row["marks"] + marks[row["caller"]] for row in held if row["caller"] in marks}

    monkeypatch.setattr(sets, "append", read_first)
    kept, anew = race(request.getfixturevalue("postgres").database(), 10)
    assert kept != anew
