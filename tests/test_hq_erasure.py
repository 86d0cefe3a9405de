"""Being forgotten: the number stands nowhere afterwards, counts stay, a box that sends again is no fork."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from edge.events import GENESIS, Row, link
from sync import wire
from sync.hq import deskstore, orders, recordings, reports, rollups, sql
from sync.hq.people import erasure, forgetting, lists, outcomes, retention, search, stops
from sync.hq.people.duty import Duty
from sync.hq.people.profiles import DAY_MS, PROFILES, Retention
from sync.hq.store import Store
from tests import rolling
from tests.people import ANU, BINA, CHAND, KEY, NOW, People, both

__all__ = ["both"]  # the fixture `people`, on either kind of store
order = partial(orders.order, secret=KEY)
LAW = PROFILES["BR"]
rolling_phases = (Phase.explicit, Phase.generate)  # shrinking such a stream takes minutes
_ANSWERED = "INSERT INTO ordered VALUES (:box, :number, 'done', '', 0) ON CONFLICT (box, number) DO NOTHING"


def furnish(people: People) -> int:
    """A ledger in which Anu and Bina have done everything that one can."""
    (store,) = people.box("nashik-01")
    for caller in (ANU, BINA):
        people.row(store, "call", caller, "missed")
        people.row(store, "message", caller, "received", text=f"I am {caller}, of the well", direction="in")
        people.row(store, "answer", caller, "yes", issue="sabha", node="sabha")
        people.row(store, "consent", caller, "volunteer", node="v")
        people.row(store, "recording", caller, "kept", node="idea", file=f"{caller}.wav")
        people.row(store, "optout", caller, "on")
        for table, more in (("caller", {}), ("act", {"campaign": 1}), ("vote", {"issue": "sabha"})):
            people._thing(table, {"caller": caller, "marks": "20000 1 1 3\n", **more})
    for seq in (5, 11):
        file = people.data / recordings.where("nashik-01", f"{store:08x}", seq)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"sound")
    return store


def counted(people: People) -> dict[str, Any]:
    """What a page could count: rows, kinds, distinct callers, of every table."""
    told: dict[str, Any] = {}
    for table in ("event", *search.with_callers(people.events)):
        told[table] = people.events.row(f"SELECT count(*) AS n, count(DISTINCT caller) AS callers FROM {table}")
    told["kinds"] = people.events.rows("SELECT kind, state, count(*) AS n FROM event GROUP BY 1, 2 ORDER BY 1, 2")
    told["votes"] = people.events.rows("SELECT value, count(DISTINCT caller) AS n FROM answer GROUP BY value")
    return told


def ask(people: People, caller: str, now_ms: int = NOW, law: Any = LAW) -> forgetting.Asked:
    with people.desk.transaction():
        return forgetting.ask(people.events, people.desk, KEY, law, caller, "adi", "she asked by letter", now_ms)


def round_(people: People, now_ms: int) -> list[int]:
    """What the receiver and the page's jobs do, one after the other."""
    stops.collect(people.events, people.desk, KEY)
    stops.spread(people.events, people.desk, order, now_ms)
    for row in people.desk.rows("SELECT box, number FROM orders WHERE box NOT IN ('away-01')"):
        people.events.run(_ANSWERED, row)
    lists.gather(people.events, people.desk, KEY, now_ms)
    erasure.obey(people.events, people.desk, people.data, now_ms)
    return forgetting.finish(people.events, people.desk, people.data, now_ms)


def test_the_number_is_nowhere_and_the_counts_are_as_before(people: People) -> None:
    store = furnish(people)
    read = outcomes.read(f"number,goal,note\n{ANU},pledged,{ANU} again\n{BINA},pledged,\n{ANU} x,no,\n".encode(),
                         "", "IN", reports.zone(people.events), NOW)  # fmt: skip
    with people.desk.transaction():
        outcomes.keep(people.desk, read, "water", "a.csv", "", "adi", NOW)
    before = counted(people)
    asked = ask(people, ANU)
    assert asked.due_ms == NOW and ask(people, ANU) == asked
    assert round_(people, NOW) == [asked.id]

    assert counted(people) == before
    assert not any(forgetting.searched(people.events, people.desk, people.data, ANU).values())
    assert search.rows_with(people.events, ANU) == {} == search.rows_with(people.desk, ANU, "desk")
    assert people.events.value("SELECT count(*) FROM event WHERE caller = :c", c=BINA) == 6  # nobody else is touched
    assert people.events.value("SELECT text FROM letter WHERE caller = :c", c=BINA) != ""
    assert people.desk.value("SELECT count(*) FROM outcome WHERE goal = 'pledged'") == 2
    files = {file.name for file in (people.data / "recordings").rglob("*.opus")}
    assert files == {f"{store:08x}-11.opus"}
    row = people.desk.row("SELECT * FROM erasure")
    assert row and row["done_ms"] == NOW and row["caller"] == ""
    text = forgetting.told(row["report"])
    assert "it stands nowhere in headquarters' stores" in text and "in event: 6" in text and "in files: 1" in text
    assert search.digits(ANU) not in text
    with people.desk.transaction():  # the hash is still there: she cannot be listed or written to
        assert not stops.stop(people.desk, KEY, ANU, NOW, "")
    assert round_(people, NOW + 1000) == []


@pytest.mark.parametrize("mutant", ["event", "letter", "outcome", "files", "search"])
def test_the_proof_sees_what_was_left(people: People, mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if mutant == "event":
        monkeypatch.setattr(erasure, "_BLANK", erasure._BLANK.replace("caller = :token, ", ""))
    elif mutant == "letter":
        monkeypatch.setattr(erasure, "without_words", lambda extra, caller: extra)
    elif mutant == "outcome":
        monkeypatch.setattr(search, "replace", lambda *given: {})
    elif mutant == "files":
        monkeypatch.setattr(erasure, "silence", lambda *given: 0)
    elif people.events.kind == "sqlite":
        monkeypatch.setattr(search, "scrub", lambda *given: None)
    else:
        pytest.skip("a server's free space is the server's")
    with pytest.raises(AssertionError):
        test_the_number_is_nowhere_and_the_counts_are_as_before(people)


def test_a_box_that_is_away_is_waited_for_a_day(people: People) -> None:
    furnish(people)
    people.box("away-01")
    asked = ask(people, CHAND)
    for _ in range(2):
        assert round_(people, NOW + 1000) == []
    assert people.desk.value("SELECT caller FROM erasure") == CHAND  # needed for the order
    assert round_(people, NOW + DAY_MS + 1000) == [asked.id]
    assert "1" in forgetting.told(people.desk.value("SELECT report FROM erasure"))
    assert search.rows_with(people.desk, CHAND, "desk") == {}


def test_where_the_law_says_keep_it_comes_by_itself_on_the_day(people: People) -> None:
    store = furnish(people)
    asked = ask(people, ANU, law=PROFILES["IN"])
    newest = NOW - 60_000
    assert asked.due_ms == newest + 365 * DAY_MS
    assert round_(people, NOW) == []
    assert people.events.value("SELECT count(*) FROM event WHERE caller = :c", c=ANU) == 6
    people.row(store, "call", ANU, "missed", at_ms=NOW + DAY_MS)  # she rings again: that must be kept for a year too
    assert forgetting.postpone(people.events, people.desk, PROFILES["IN"], asked.due_ms) == 1
    assert round_(people, asked.due_ms) == []
    assert round_(people, NOW + 366 * DAY_MS) == [asked.id]


# -------------------------------------------------------------- what comes again, and what is old


def rows(n: int) -> list[Row]:
    callers = (ANU, BINA)
    made = [Row(1, 0, "store", "00000000000000aa", 1, NOW, 3, "water", "", "", "", 0, '{"line":"l1"}')]
    for seq in range(2, n + 1):
        caller = callers[seq % 2]
        if seq % 3:
            made.append(Row(seq, 0, "call", "00000000000000aa", seq, NOW + seq, 3, "water", caller, "national",
                            "missed", 0, ""))  # fmt: skip
        else:
            text = json.dumps({"direction": "in", "text": f"{caller} wrote this"}, separators=(",", ":"))
            made.append(Row(seq, 0, "message", "00000000000000aa", seq, NOW + seq, 3, "water", caller, "national",
                            "received", 0, text))  # fmt: skip
    return made


def batch(told: list[Row], first: int = 1) -> tuple[str, bytes]:
    chain = [GENESIS]
    for row in told:
        chain.append(link(chain[-1], row))
    packed = wire.pack_batch("0badcafe", chain[first - 1], chain[-1], len(told), NOW, 3, told[first - 1 :])
    return wire.topic("nashik", "nashik-07", "up"), packed


def hello() -> tuple[str, bytes]:
    head = wire.StoreHead("0badcafe", "l1", 0, GENESIS)
    message = wire.Hello("nashik-07", "nashik", "Asia/Kolkata", "1", NOW, 3, (head,))
    return wire.topic("nashik", "nashik-07", "up"), wire.pack_hello(message)


def sent_again(data: Path, spoil: bool) -> tuple[set[str], str]:
    """A ledger that is sent, forgotten in part, and sent again with more; the alarms, and the last answer's reject."""
    store = Store(data / "hq.db")
    store.take([hello(), batch(rows(20))], NOW)
    raw = sqlite3.connect(data / "hq.db", isolation_level=None)
    db = sql.adopt(raw)
    with db.transaction():
        erasure.erase(db, data, {ANU: erasure.token(1)}, NOW)
    again = rows(25)
    if spoil:
        again[6] = again[6]._replace(at_ms=again[6].at_ms + 1)
    ((_, answer),) = store.take([batch(again)], NOW)
    told = wire.unpack(answer)
    assert isinstance(told, wire.Ack)
    alarms = {row["kind"] for row in db.rows("SELECT kind FROM alarm")}
    raw.close()
    store.close()
    return alarms, told.reject


def test_rows_that_were_blanked_and_come_again_are_no_fork(tmp_path: Path) -> None:
    assert sent_again(tmp_path, spoil=False) == (set(), "")


def test_a_fork_behind_a_blanked_row_is_still_one(tmp_path: Path) -> None:
    assert sent_again(tmp_path, spoil=True) == ({"fork"}, "fork")


def test_the_test_of_a_fork_sees_a_store_that_compares_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "same", lambda held, told: tuple(held) == tuple(told))
    with pytest.raises(AssertionError):
        test_rows_that_were_blanked_and_come_again_are_no_fork(tmp_path)


def test_sound_that_was_deleted_is_not_taken_again(tmp_path: Path) -> None:
    sound = b"opus" * 100
    told = [*rows(3), Row(4, 0, "recording", "00000000000000aa", 4, NOW, 3, "water", ANU, "national", "kept", 3, "")]
    store = Store(tmp_path / "hq.db")
    parcel = wire.pack_parcel(wire.Parcel("0badcafe", 4, "opus", len(sound), hashlib.sha256(sound).digest(), 0, sound))
    topic = wire.topic("nashik", "nashik-07", "up")
    store.take([hello(), batch(told), (topic, parcel)], NOW)
    file = tmp_path / recordings.where("nashik-07", "0badcafe", 4)
    assert file.exists()
    db = sql.adopt(sqlite3.connect(tmp_path / "hq.db", isolation_level=None))
    with db.transaction():
        erasure.erase(db, tmp_path, {ANU: erasure.token(1)}, NOW)
    assert not file.exists()
    ((_, answer),) = store.take([(topic, parcel)], NOW)
    held = wire.unpack(answer)
    assert isinstance(held, wire.Held) and held.state == "done" and not file.exists()
    store.close()


def test_what_is_old_is_let_go_and_the_page_says_so_before(people: People) -> None:
    store = furnish(people)
    people.events.run("INSERT INTO recording_file VALUES (:s, 5, 'opus', 5, :d, 5, 0, 1)", s=store, d=b"")
    people.events.run("INSERT INTO recording_file VALUES (:s, 11, 'opus', 5, :d, 5, 0, 1)", s=store, d=b"")
    people.row(store, "call", BINA, "missed", at_ms=NOW + 300 * DAY_MS)
    kept = Retention("other", 90, 180)
    assert retention.due(people.events, kept, NOW)[:2] == (0, 0)
    later = NOW + 91 * DAY_MS
    assert retention.due(people.events, kept, later)[:2] == (2, 0)
    assert retention.let_go(people.events, people.data, kept, later) == (2, 0)
    assert not list((people.data / "recordings").rglob("*.opus"))
    before = counted(people)
    later = NOW + 301 * DAY_MS
    assert retention.due(people.events, kept, later)[:2] == (0, 1)
    assert retention.let_go(people.events, people.data, kept, later) == (0, 1)
    assert retention.let_go(people.events, people.data, kept, later) == (0, 0)
    assert counted(people) == before
    assert search.rows_with(people.events, ANU) == {}
    assert search.rows_with(people.events, BINA)  # she still rings
    assert retention.due(people.events, Retention("IN", 90, 180), later)[1] == 0  # a profile's least time binds


def test_what_is_old_goes_from_the_desk_too(people: People) -> None:
    store = furnish(people)
    lists.gather(people.events, people.desk, KEY, NOW)
    read = outcomes.read(f"number,at\n{ANU},2026-01-02\n{BINA},\n".encode(), "pledged", "IN",
                         reports.zone(people.events), NOW)  # fmt: skip
    with people.desk.transaction():
        outcomes.keep(people.desk, read, "water", "a.csv", "", "adi", NOW)
        order(people.desk, people.events, "nashik-01", "l1", "opt-out", {"number": ANU}, "adi", NOW - 200 * DAY_MS)
        said = people.row(store, "recording", CHAND, "kept")
        lists.by_desk(people.events, people.desk, KEY, store, said, "3", NOW - 200 * DAY_MS)
    kept = Retention("other", 90, 180)
    assert retention.tidy(people.desk, kept, NOW) == 3
    assert retention.tidy(people.desk, kept, NOW) == 0
    assert people.desk.value("SELECT count(*) FROM outcome WHERE goal = 'pledged'") == 2
    assert search.rows_with(people.desk, BINA, "desk") and not search.rows_with(people.desk, CHAND, "desk")
    held = search.rows_with(people.desk, ANU, "desk")
    assert set(held) == {"follow"}  # she asked to be rung, a minute ago


def forgotten_and_rebuilt(db: sql.Db, stream: list[list[rolling.Batch]], data: Path) -> None:
    """Forgetting somebody leaves the roll-ups as a rebuild from the rows that are left makes them."""
    rolling.empty(db)
    rolling.take(db, rollups.Rollups(db, rolling.ISSUES), stream)
    counts = db.rows("SELECT * FROM tally ORDER BY 1, 2, 3, 4, 5")
    with db.transaction():
        erasure.erase(db, data, {"+911": "erased:1", "+913": "erased:2"}, NOW)
    assert not db.value("SELECT count(*) FROM event WHERE caller IN ('+911', '+913')")
    kept = rolling.picture(db)
    with db.transaction():
        rollups.rebuild(db, rolling.ISSUES)
    assert kept == rolling.picture(db)
    assert {tuple(row.values()) for row in counts if any([*row.values()][5:])} == {
        tuple(row.values()) for row in db.rows("SELECT * FROM tally") if any([*row.values()][5:])
    }


def prove_rebuilt(db: sql.Db, data: Path, examples: int) -> None:
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None,
              phases=rolling_phases)  # fmt: skip
    @given(rolling.stream(30))
    def holds(stream: list[list[rolling.Batch]]) -> None:
        forgotten_and_rebuilt(db, stream, data)

    holds()


@pytest.fixture
def rolled(tmp_path: Path) -> Iterator[sql.Db]:
    made = sql.sqlite(tmp_path / "rolled.db")
    made.raw.execute("PRAGMA synchronous = OFF")  # what a power cut does is other tests' business
    rolling.build(made)
    yield made
    made.close()


def test_the_roll_ups_say_the_same_when_they_are_made_anew(rolled: sql.Db, tmp_path: Path) -> None:
    prove_rebuilt(rolled, tmp_path, 40)


def test_the_proof_of_the_roll_ups_sees_one_that_is_left_out(
    rolled: sql.Db, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = search.with_callers
    monkeypatch.setattr(search, "with_callers", lambda db: [name for name in whole(db) if name != "vote"])
    with pytest.raises(AssertionError):
        prove_rebuilt(rolled, tmp_path, 100)


def test_the_receiver_obeys_between_two_groups(tmp_path: Path) -> None:
    """The whole way: the desk asks, the store's one writer obeys, and goes on taking rows."""
    store = Store(tmp_path / "hq.db")
    store.take([hello(), batch(rows(20))], NOW)
    opened: Callable[[], sql.Db] = lambda: sql.sqlite(tmp_path / "desk.db", reading=True)  # noqa: E731
    duty = Duty(opened, tmp_path, Retention("BR", 90, 180), NOW)
    store.attend(duty, NOW)  # there is no desk yet
    desk, reading = sql.sqlite(tmp_path / "desk.db"), sql.sqlite(tmp_path / "hq.db", reading=True)
    store.attend(duty, NOW)  # nor has it tables
    deskstore.migrate(desk)
    with desk.transaction():
        forgetting.ask(reading, desk, KEY, LAW, ANU, "adi", "she asked by letter", NOW)
    store.attend(duty, NOW)
    store.take([batch(rows(25))], NOW)
    assert reading.value("SELECT count(*) FROM event WHERE caller = :c", c=ANU) == 2  # of the five new ones
    assert reading.value("SELECT count(*) FROM event WHERE caller = 'erased:1'") == 10
    assert reading.value("SELECT count(*) FROM alarm") == 0
    store.attend(duty, NOW + 1000)  # a request is carried out once
    assert reading.value("SELECT count(*) FROM event WHERE caller = :c", c=ANU) == 2
    for each in (desk, reading):
        each.close()
    store.close()
