"""What PostgreSQL does otherwise: days, locks, COPY, a deadlock, a connection that is lost, and what is said then."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from psycopg import errors

from bench import voters
from sync import wire
from sync.hq import intake, pgstore, sql, stores
from sync.hq.intake import Ledger
from sync.hq.pgstore import DAY_MS, PgStore
from tests.hqs import Place, place_of
from tests.postgres import needs_postgres
from tests.test_hq_store import NOW, ROWS, Box, one, row

pytestmark = needs_postgres
TODAY = NOW // DAY_MS


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return place_of(request, tmp_path, "postgresql")


@pytest.fixture
def store(place: Place, request: pytest.FixtureRequest) -> PgStore:
    made = place.open()
    request.addfinalizer(made.close)
    assert isinstance(made, PgStore)
    return made


def at(*moments: int, clock: int = 3) -> Box:
    """A ledger whose rows happened at these times."""
    return Box([row(seq, 0, "call", "missed")._replace(at_ms=ms, clock=clock) for seq, ms in enumerate(moments, 1)])


def days(place: Place) -> dict[object, object]:
    """How many rows lie in which partition."""
    name = "replace(CAST(CAST(tableoid AS regclass) AS text), 'event_', '')"
    return dict(place.rows(f"SELECT {name} AS name, count(*) AS n FROM event GROUP BY 1"))  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------- days


def test_a_row_lies_in_the_partition_of_its_day(place: Place, store: PgStore) -> None:
    box = at(NOW, NOW + 5, NOW - DAY_MS, TODAY * DAY_MS, TODAY * DAY_MS - 1)
    one(store, box.hello(), box.batch(1, 5))
    assert days(place) == {f"d{TODAY}": 3, f"d{TODAY - 1}": 2}
    assert place.events() == box.rows


def test_wild_clocks_make_no_partitions(place: Place, store: PgStore) -> None:
    moments = [(TODAY + ahead) * DAY_MS for ahead in (2, 1000, 100_000, -pgstore.PAST_DAYS - 1)]
    box = at(*moments, NOW)
    doubtful = at(*(NOW - n * DAY_MS for n in range(5)), clock=1)
    doubtful.store, doubtful.name = "00c0ffee", "b2"
    one(store, box.hello(), box.batch(1, 5))
    one(store, doubtful.hello(), doubtful.batch(1, 5))
    assert days(place) == {"wild": 8, f"d{TODAY}": 2}, "a day that stands takes the rows of any clock"


def test_a_babbling_clock_makes_a_few_partitions_at_once_and_no_more_than_there_are_days(
    place: Place, store: PgStore
) -> None:
    box = at(*((TODAY - n) * DAY_MS for n in range(100)))
    one(store, box.hello(), box.batch(1, 50))
    assert len(days(place)) == pgstore.NEW_DAYS + 1
    one(store, box.batch(51, 100))
    assert len(days(place)) == 2 * pgstore.NEW_DAYS + 1 and place.events() == box.rows


def test_a_day_that_lay_among_the_wild_ones_gets_its_partition_with_its_rows(place: Place, store: PgStore) -> None:
    box = at(NOW + 3 * DAY_MS, NOW + 3 * DAY_MS + 1, NOW)
    one(store, box.hello(), box.batch(1, 1))
    assert days(place) == {"wild": 1}
    store.take([box.batch(2, 3)], NOW + 3 * DAY_MS)
    assert days(place) == {f"d{TODAY + 3}": 2, f"d{TODAY}": 1} and place.events() == box.rows


def test_a_look_at_one_day_reads_one_partition(place: Place, store: PgStore) -> None:
    box = at(NOW, NOW - DAY_MS, NOW - 2 * DAY_MS)
    one(store, box.hello(), box.batch(1, 3))
    plan = place.rows(f"EXPLAIN SELECT count(*) FROM event WHERE at_ms >= {NOW} AND at_ms < {NOW + 1}")
    read = " ".join(str(line) for (line,) in plan)
    assert f"event_d{TODAY}" in read and f"event_d{TODAY - 1}" not in read and "event_wild" not in read


# ---------------------------------------------------------------------------------------- rows


@pytest.mark.parametrize(
    "extra",
    ['{"text":"\\\\N \\"x\\" \\\\. \\u0000"}', '{\n"text":\t"a"\r\n}', '{"text":"\\n\\\\"}', '{"text":"धन्यवाद 🙂"}'],
)  # fmt: skip
def test_any_text_comes_back_as_it_was(place: Place, store: PgStore, extra: str) -> None:
    assert isinstance(json.loads(extra), dict)
    box = Box([row(1, 0, "message", "queued", extra, "\\N", "+919876543210"), row(2, 0, "note", "\\.", "")])
    assert one(store, box.hello(), box.batch(1, 2)).mark == 2
    assert place.events() == box.rows


def test_no_index_is_unique_and_those_that_are_asked_stand(place: Place, store: PgStore) -> None:
    box = at(NOW)
    one(store, box.hello(), box.batch(1, 1))
    query = "SELECT indexdef FROM pg_indexes WHERE tablename = 'event_d{}'".format(TODAY)  # noqa: UP032
    made = [str(text) for (text,) in place.rows(query)]
    assert not any("UNIQUE" in text for text in made) and any("USING brin (at_ms)" in text for text in made)
    assert any("(store_id, seq)" in text for text in made)


# ----------------------------------------------------------------------------- several at once


def both(place: Place, locked: bool = True) -> list[Exception]:
    """Two receivers that own the same shards by mistake take the same batches at the same time."""
    boxes = [Box(list(voters.rows(300, seed=seed)), f"b{seed}", f"0000000{seed}") for seed in (1, 2, 3)]
    first = place.open()
    first.take([box.hello() for box in boxes], NOW)
    spans = [(start, start + 9) for start in range(1, 300, 10)]
    failed: list[Exception] = []

    def work(turned: bool) -> None:
        try:
            mine = place.open()
            for span in spans:
                mine.take([box.batch(*span) for box in (boxes[::-1] if turned else boxes)], NOW)
            mine.close()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(turned,)) for turned in (False, True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert place.events() == [each for box in boxes for each in box.rows], "not once"
    assert place.rows("SELECT sum(calls) AS calls FROM hourly") == [(900,)], "not counted once"
    assert place.alarms() == set()
    first.close()
    return failed


def test_two_receivers_on_the_same_shards_keep_every_row_once(place: Place) -> None:
    assert both(place) == []


def test_without_the_lock_they_would_not(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each one's second transaction reads the marks before the other's has moved them; the first makes a partition, for
    which they wait for each other."""
    both_have_read, reads = threading.Barrier(2, timeout=60), Counter[threading.Thread]()

    def at_once(self: PgStore, names: Sequence[str], real: Any = PgStore._ledgers) -> dict[str, Ledger]:
        found: dict[str, Ledger] = real(self, names)
        me = threading.current_thread()
        reads[me] += me is not threading.main_thread()
        if reads[me] == 2:
            both_have_read.wait()
        return found

    monkeypatch.setattr(PgStore, "_ledgers", at_once)
    monkeypatch.setattr(pgstore, "_LOCKED", pgstore._LOCKED.replace(" FOR UPDATE OF s", ""))
    with pytest.raises(AssertionError, match="once"):
        both(place)
    assert not both_have_read.broken


def test_receivers_that_start_together_make_the_tables_once(place: Place) -> None:
    made: list[object] = []
    threads = [threading.Thread(target=lambda: made.append(place.open())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4 and place.rows("SELECT number FROM migration ORDER BY number")[0] == (1,)
    for each in made:
        assert isinstance(each, PgStore)
        each.close()


@pytest.mark.parametrize("error", [errors.DeadlockDetected, errors.SerializationFailure])
def test_a_deadlock_tries_the_same_group_again(
    place: Place, store: PgStore, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    box, write, left = Box(ROWS), store._marks, [2]
    one(store, box.hello())

    def sometimes(group: object) -> None:
        write(group)  # type: ignore[arg-type]
        left[0] -= 1
        if left[0] >= 0:
            raise error

    monkeypatch.setattr(store, "_marks", sometimes)
    ack = one(store, box.batch(1, 20), (box.topic, b"garbage"), box.batch(11, 40))
    assert (ack.mark, ack.chain) == (40, box.chain[40]) and left == [-1] and store.taken == 40
    assert place.events() == ROWS and place.rows("SELECT times FROM quarantine") == [(1,)]
    assert place.rows("SELECT times FROM alarm") == [(1,)]


def test_a_real_deadlock_is_survived(place: Place, store: PgStore) -> None:
    """Another session holds the second ledger and wants the first, which the group has."""
    boxes = [Box(ROWS, f"b{n}", f"0000000{n}") for n in (1, 2)]
    store.take([box.hello() for box in boxes], NOW)
    with sql.postgres(place.config.store) as other:
        other.run("SET deadlock_timeout = '10s'")
        other.begin()
        other.run("UPDATE store SET words = 'x' WHERE store = '00000002'")
        answers: list[object] = []
        thread = threading.Thread(target=lambda: answers.extend(store.take([box.batch(1, 40) for box in boxes], NOW)))
        thread.start()
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        with sql.postgres(place.config.store) as watch:
            while not watch.value(waits):
                pass
        other.run("UPDATE store SET words = 'x' WHERE store = '00000001'")
        other.commit()
        thread.join()
    assert len(answers) == 2 and place.events() == ROWS + ROWS


# ------------------------------------------------------------------------------- what goes wrong


def test_a_lost_connection_acknowledges_nothing(place: Place, store: PgStore, monkeypatch: pytest.MonkeyPatch) -> None:
    box, write = Box(ROWS), store._marks
    one(store, box.hello())

    def cut(group: object) -> None:
        write(group)  # type: ignore[arg-type]
        with sql.postgres(place.config.store) as other:
            other.run("SELECT pg_terminate_backend(:pid)", pid=store._db.raw.info.backend_pid)

    monkeypatch.setattr(store, "_marks", cut)
    with pytest.raises(sql.errors()) as why:
        store.take([box.batch(1, 40)], NOW)
    assert place.events() == [] and not isinstance(why.value, sql.Unavailable)
    again = place.open()
    assert one(again, box.batch(1, 40)).mark == 40
    again.close()


def test_what_failed_is_told_without_the_row(store: PgStore, monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box([row(1, 0, "call", "missed", "", "water", "+919876543210")])
    one(store, box.hello())
    monkeypatch.setattr(pgstore, "_COPY", pgstore._COPY.replace("event ", "event_wild (seq, store_id, kind) "))
    with pytest.raises(sql.errors()) as why:
        store._once([intake.read(*box.batch(1, 1))], NOW)
    assert "9876543210" in str(why.value), "the server quotes the row"
    assert "9876543210" not in stores.words(why.value) and stores.words(why.value)
    assert store.take([box.batch(1, 1)], NOW) == [], "and where it is set aside"
    told = store._db.value("SELECT words FROM alarm WHERE kind = 'unkept'")
    assert told and "9876543210" not in told


def test_a_server_that_is_away_and_a_store_that_is_empty_are_said_in_words(place: Place, tmp_path: Path) -> None:
    with pytest.raises(stores.Absent, match="start `miscall hq run`"):
        stores.events(place.config)
    with pytest.raises(stores.Absent, match="no desk yet"):
        stores.desk(place.config, reading=True)
    away = Place(tmp_path, "postgresql://hq:geheim@127.0.0.1:1/miscall").config
    for ask in (stores.events, stores.desk, stores.receiving):
        with pytest.raises(sql.Unavailable, match="cannot be reached") as why:
            ask(away)
        assert "geheim" not in str(why.value)


def test_the_desk_is_a_schema_of_its_own(place: Place, store: PgStore) -> None:
    with stores.desk(place.config) as desk:
        desk.build("CREATE TABLE note (id INTEGER PRIMARY KEY, words TEXT NOT NULL) STRICT")
        desk.run("INSERT INTO note (words) VALUES ('x')")
        assert desk.value("SELECT count(*) FROM store") == 0, "it sees what happened"
    with stores.desk(place.config, reading=True) as desk:
        assert desk.rows("SELECT words FROM note") == [{"words": "x"}]
        with pytest.raises(sql.errors()):
            desk.run("DELETE FROM note")
    assert place.rows("SELECT count(*) AS n FROM desk.note") == [(1,)]


def test_a_newer_box_may_say_what_an_older_headquarters_never_heard(place: Place, store: PgStore) -> None:
    box = Box([row(1, 0, "telepathy", "thought", '{"x":1}'), row(2, 1, "telepathy", "gone")])
    assert one(store, box.hello(), box.batch(1, 2)) == wire.Ack(box.store, 2, box.chain[2])
    assert place.events() == box.rows
