"""Orders at headquarters' desk on either store: numbered without a gap whoever writes, read on from a mark by the
receiver, and none lost between two writers that commit out of order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sync import wire
from sync.hq import config as settings
from sync.hq import orders, sql, stores
from tests.postgres import Server, needs_postgres

NOW = 1_795_000_000_000
VOTER = "+919876543210"
KEY = b"k" * 32  # of what is suppressed
CASE = {"reference": "4712936", "state": "contacted"}
KNOWN = """
CREATE TABLE box (box TEXT PRIMARY KEY) STRICT;
CREATE TABLE store (id INTEGER PRIMARY KEY, box TEXT NOT NULL, line TEXT NOT NULL, campaign TEXT NOT NULL) STRICT;
CREATE TABLE ordered (box TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (box, number)) STRICT;
INSERT INTO box VALUES ('b1'), ('b2');
INSERT INTO store (box, line, campaign) VALUES ('b1', 'l2', 'old'), ('b1', 'l1', 'water'), ('b1', 'l2', 'roads'),
    ('b2', 'l1', 'water');
"""


@dataclass
class Desk:
    """Both stores, as the desk's rooms use them; the few columns of the events store that they read."""

    config: settings.HqConfig
    stack: ExitStack
    events: sql.Db

    def open(self) -> sql.Db:
        return self.stack.enter_context(stores.desk(self.config))

    def order(self, desk: sql.Db, verb: str = "case", box: str = "b1", line: str = "l1", **args: str) -> int:
        return orders.order(desk, self.events, box, line, verb, args or CASE, "asha", NOW, secret=KEY)

    def outbox(self, *answered: tuple[str, int]) -> orders.Outbox:
        return orders.Outbox(lambda: stores.desk(self.config), answered)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=needs_postgres)])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "hq.toml").write_text('[hq]\ndata = "data"\nbroker = "mqtt://127.0.0.1:1"\n')
    config = settings.load(tmp_path / "hq.toml")
    with ExitStack() as stack:
        if request.param == "postgresql":
            server: Server = request.getfixturevalue("postgres")
            config = replace(config, store=server.database())
            events = stack.enter_context(sql.postgres(config.store))
        else:
            config.data.mkdir()
            events = stack.enter_context(sql.sqlite(config.data / "hq.db"))
        events.build(KNOWN)
        yield Desk(config, stack, events)


def told(payloads: list[bytes]) -> list[int]:
    messages = [wire.unpack(payload) for payload in payloads]
    return [message.number for message in messages if isinstance(message, wire.Order)]


def test_each_box_has_its_own_numbers_and_one_that_was_refused_leaves_no_gap(desk: Desk) -> None:
    db = desk.open()
    with db.transaction():
        assert [desk.order(db), desk.order(db), desk.order(db, box="b2")] == [1, 2, 1]
    with pytest.raises(orders.Refused, match="its state is not one"), db.transaction():
        desk.order(db)
        desk.order(db, reference="1", state="lost")
    with db.transaction():
        assert desk.order(db) == 3, "what a transaction that failed had written is not there"
    desk.events.run("INSERT INTO ordered VALUES ('b1', 9)")
    db.run("DELETE FROM orders")
    with db.transaction():
        assert desk.order(db) == 10, "the desk's store was lost: what boxes have answered counts"


def test_an_opt_out_needs_no_line(desk: Desk) -> None:
    db = desk.open()
    with db.transaction():
        desk.order(db, "opt-out", line="", number=VOTER)
    assert db.value("SELECT line FROM orders") == "l2", "the box's first"
    for wrong in ({"verb": "case", "line": ""}, {"box": "b9"}, {"line": "l9"}):
        with pytest.raises(orders.Refused) as refused, db.transaction():
            desk.order(db, **wrong)  # type: ignore[arg-type]
        assert "known: l1, l2" in str(refused.value) or "known: b1, b2" in str(refused.value)


def test_writers_at_the_same_moment_get_different_numbers_and_none_is_missed(desk: Desk) -> None:
    """Each holds its transaction open for a while: a mark that ran ahead of a commit would lose an order."""
    outbox, seen = desk.outbox(), set[int]()
    connections = [stores.desk(desk.config) for _ in range(4)]
    again = [desk.events if n == 0 else _another(desk) for n in range(4)]
    faults: list[BaseException] = []

    def write(db: sql.Db, events: sql.Db) -> None:
        try:
            for _ in range(5):
                with db.transaction():
                    orders.order(db, events, "b1", "l1", "case", CASE, "asha", NOW, secret=KEY)
                    pause.wait(0.005)
        except BaseException as fault:
            faults.append(fault)

    pause = threading.Event()
    writers = [threading.Thread(target=write, args=pair) for pair in zip(connections, again, strict=True)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        outbox.look()
        seen |= set(told(outbox.waiting("b1")))
    outbox.look()
    assert not faults and seen | set(told(outbox.waiting("b1"))) == set(range(1, 21))
    outbox.close()
    for db in (*connections, *again[1:]):
        db.close()


def _another(desk: Desk) -> sql.Db:
    if desk.events.kind == "postgresql":
        return sql.postgres(desk.config.store)
    return sql.sqlite(desk.config.data / "hq.db")


@pytest.mark.parametrize("desk", [pytest.param("postgresql", marks=needs_postgres)], indirect=True)
def test_without_the_lock_two_writers_would_want_the_same_number(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A negative control of the proof above; SQLite has one writer anyway."""
    run = sql.Db.run
    monkeypatch.setattr(sql.Db, "run", lambda db, words, *a, **b: 0 if words[:4] == "LOCK" else run(db, words, *a, **b))
    one, two = desk.open(), desk.open()
    with one.transaction():
        first = desk.order(one)
        two.run("SET lock_timeout = '200ms'")
        with pytest.raises(sql.errors()), two.transaction():
            desk.order(two)
    assert first == 1


def test_a_bulk_is_read_once_and_repeated_a_few_at_a_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    db = desk.open()
    with db.transaction():
        for _ in range(1100):
            desk.order(db)
    outbox, read = desk.outbox(("b1", 1)), list[int]()
    rows = sql.Db.rows
    monkeypatch.setattr(sql.Db, "rows", lambda db, *a, **b: (got := rows(db, *a, **b), read.append(len(got)))[0])
    looks = [outbox.look() for _ in range(6)]
    assert looks == [{"b1"}] * 2 + [set()] * 4
    assert sum(n for n in read if n > 20) == 1100, "each once"
    assert told(outbox.waiting("b1")) == list(range(2, 52))
    outbox.done("b1", 2)
    assert told(outbox.waiting("b1")) == list(range(3, 53))
    outbox.close()


def test_a_desk_that_was_begun_anew_is_read_from_its_start(desk: Desk) -> None:
    db, outbox = desk.open(), desk.outbox()
    with db.transaction():
        for _ in range(3):
            desk.order(db)
    assert outbox.look() == {"b1"}
    for number in (1, 2, 3):
        desk.events.run("INSERT INTO ordered VALUES ('b1', :number)", number=number)
        outbox.done("b1", number)
    db.run("DELETE FROM orders")
    if db.kind == "postgresql":
        db.run("ALTER SEQUENCE orders_id_seq RESTART")
    with db.transaction():
        assert desk.order(db) == 4
    assert outbox.look() == {"b1"} and told(outbox.waiting("b1")) == [4] and outbox.look() == set()
    outbox.close()


def test_a_store_that_is_away_is_read_later(desk: Desk) -> None:
    db = desk.open()
    with db.transaction():
        desk.order(db)
    away = [sql.Unavailable("it is away"), FileNotFoundError("no store")]

    def opened() -> sql.Db:
        if away:
            raise away.pop()
        return stores.desk(desk.config)

    outbox = orders.Outbox(opened, [])
    assert [outbox.look() for _ in range(3)] == [set(), set(), {"b1"}]
    if db.kind == "postgresql":
        assert outbox._db is not None
        outbox._db.raw.close()  # as when the server was started anew
        with db.transaction():
            desk.order(db)
        assert [outbox.look() for _ in range(2)] == [set(), {"b1"}]
    outbox.close()
