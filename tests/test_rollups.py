"""The roll-ups say what the events say: in whatever batches and order these came, in either store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sync.hq import distinct, rollups, sql, tables
from tests import rolling
from tests.postgres import needs_postgres, postgres  # noqa: F401
from tests.rolling import ISSUES, Batch

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
    assert db.value("SELECT coalesce(sum(calls), 0) FROM tally") == len(list(rolling.rung(stream)))
    with db.transaction():
        rollups.rebuild(db, ISSUES)
    anew = rolling.picture(db)
    for table in tables.DERIVED:
        assert kept[table] == anew[table], table
    for table in ("tally", "latency", "node_tally", "flagged", "engagement", "poll"):
        for key, counts in anew[table]:  # type: ignore[misc]
            assert min(counts.values()) >= 0, (table, key)


def polled(db: sql.Db) -> dict[tuple[str, str], list[int]]:
    sums = ", ".join(f"sum({name}) AS {name}" for name in tables.POLL)
    rows = db.rows(f"SELECT issue, option, {sums} FROM poll GROUP BY issue, option")
    return {(row["issue"], row["option"]): [row[name] for name in tables.POLL] for row in rows}


PHASES = (Phase.explicit, Phase.generate)  # shrinking such a stream takes minutes: the first one found is shown
WINDOW = st.tuples(st.integers(19_674, 19_682), st.integers(0, 6)).map(lambda pair: (pair[0], pair[0] + pair[1]))


def prove(db: sql.Db, examples: int, most: int = 40) -> None:
    """`check` holds for so many streams."""

    @settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None, phases=PHASES
    )
    @given(rolling.stream(most), WINDOW)
    def holds(stream: list[list[Batch]], window: tuple[int, int]) -> None:
        check(db, stream, *window)

    holds()


def test_any_stream_in_any_batches(db: sql.Db) -> None:
    prove(db, 60)


@needs_postgres
def test_the_same_on_postgresql(request: pytest.FixtureRequest) -> None:
    with sql.postgres(request.getfixturevalue("postgres").database()) as db:
        rolling.build(db)
        prove(db, 8, 25)
