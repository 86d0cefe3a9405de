"""HQ's events store, of either kind: every row once, in order, whatever comes; a cloned or rolled-back card is an
alarm, not a duplicate; what cannot be read blocks nobody; and what it exports is what was kept."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlite_utils import Database

from bench import voters
from edge import fold
from edge.events import GENESIS, Row, link
from sync import wire
from sync.hq import export, facts, sql
from sync.hq.schema import migrations
from sync.hq.store import Store
from tests.hqs import Place, either  # noqa: F401

NOW = 1_795_000_000_000


class Box:
    """A card: rows and the digest after each."""

    def __init__(self, rows: list[voters.Row], box: str = "nashik-07", store: str = "0badcafe") -> None:
        self.name, self.store, self.rows = box, store, rows
        self.chain = [GENESIS]
        for row in rows:
            self.chain.append(link(self.chain[-1], row))

    @property
    def topic(self) -> str:
        return wire.topic("nashik", self.name, "up")

    def hello(self, last: int | None = None, at_ms: int = NOW - 5000, clock: int = 3) -> tuple[str, bytes]:
        last = len(self.rows) if last is None else last
        told = wire.StoreHead(self.store, "l1", last, self.chain[last])
        return self.topic, wire.pack_hello(wire.Hello(self.name, "nashik", "Asia/Kolkata", "1", at_ms, clock, (told,)))

    def batch(self, first: int, last: int, newest: int | None = None, at_ms: int = NOW - 4000) -> tuple[str, bytes]:
        rows = self.rows[first - 1 : last]
        newest = len(self.rows) if newest is None else newest
        return self.topic, wire.pack_batch(self.store, self.chain[first - 1], self.chain[last], newest, at_ms, 3, rows)


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    made = place.open()
    yield made
    made.close()


def acks(answers: list[tuple[str, bytes]]) -> list[wire.Ack]:
    told = [wire.unpack(payload) for _, payload in answers]
    assert all(topic.endswith("/ack") for topic, _ in answers)
    return [ack for ack in told if isinstance(ack, wire.Ack)]


def one(store: Store, *messages: tuple[str, bytes]) -> wire.Ack:
    (ack,) = acks(store.take(messages, NOW))
    return ack


ANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ROWS = list(voters.rows(40, replies=True))


# ------------------------------------------------------------------------------------- in order


def test_rows_are_kept_once_and_the_mark_moves_with_them(store: Store, place: Place) -> None:
    box = Box(ROWS)
    assert one(store, box.hello()) == wire.Ack(box.store, 0, GENESIS)
    assert one(store, box.batch(1, 10)) == wire.Ack(box.store, 10, box.chain[10])
    assert one(store, box.batch(1, 10)).mark == 10
    assert one(store, box.batch(6, 25)).mark == 25
    assert one(store, box.batch(26, 40), box.batch(26, 40)) == wire.Ack(box.store, 40, box.chain[40])
    assert place.events() == ROWS and place.alarms() == set()


def test_a_gap_is_answered_with_the_mark(store: Store, place: Place) -> None:
    box = Box(ROWS)
    one(store, box.hello())
    one(store, box.batch(1, 10))
    assert one(store, box.batch(12, 20)) == wire.Ack(box.store, 10, box.chain[10], reject="gap")
    assert len(place.events()) == 10


def test_a_ledger_that_never_said_hello_is_asked_to(store: Store) -> None:
    assert one(store, Box(ROWS).batch(1, 5)) == wire.Ack("0badcafe", 0, GENESIS, reject="hello")


def test_a_second_life_of_the_process_goes_on_where_the_disk_is(place: Place) -> None:
    box = Box(ROWS)
    first = place.open()
    one(first, box.hello())
    one(first, box.batch(1, 30))
    first.close()
    second = place.open()
    assert one(second, box.batch(21, 40)).mark == 40
    second.close()
    assert place.events() == ROWS


def test_an_error_leaves_nothing_of_the_whole_group(
    store: Store, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = Box(ROWS)
    one(store, box.hello())
    monkeypatch.setattr(store, "_marks", lambda group: store._db.run("INSERT INTO nowhere VALUES (1)"))
    with pytest.raises(sql.errors()):
        store.take([box.batch(1, 10), box.batch(11, 20)], NOW)
    assert place.events() == [] and place.rows("SELECT hwm FROM store") == [(0,)]


@ANY
@given(st.data())
def test_any_delivery_of_any_rows_in_any_order(place: Place, data: st.DataObject) -> None:
    """Two ledgers, batches of any span, repeated, out of order, in groups of any size, HQ restarted in between; at the
    end each ledger is offered from its mark. The model is the list of rows itself."""
    boxes = [Box(ROWS), Box(list(voters.rows(25, seed=2)), "b2", "00c0ffee")]
    spans = st.tuples(st.integers(0, 1), st.integers(1, 40), st.integers(1, 40))
    place.clear()
    store = place.open()
    marks = {0: 0, 1: 0}
    store.take([box.hello() for box in boxes], NOW)
    for group in data.draw(st.lists(st.lists(spans, max_size=5), max_size=8)):
        messages = []
        for which, start, length in group:
            box = boxes[which]
            first = min(start, len(box.rows))
            last = min(first + length - 1, len(box.rows))
            messages.append(box.batch(first, last))
            if first <= marks[which] + 1:
                marks[which] = max(marks[which], last)
        for ack in acks(store.take(messages, NOW)):
            assert ack.mark == marks[0 if ack.store == boxes[0].store else 1] and ack.reject in ("", "gap")
        if data.draw(st.booleans()):
            store.close()
            store = place.open()
    held = {row[0]: row[1] for row in place.rows("SELECT store, hwm FROM store")}
    assert held == {box.store: marks[number] for number, box in enumerate(boxes)}
    for number, box in enumerate(boxes):
        if marks[number] < len(box.rows):
            assert one(store, box.batch(marks[number] + 1, len(box.rows))).mark == len(box.rows)
    store.close()
    assert place.events() == ROWS + boxes[1].rows and place.alarms() == set()
    calls = sum(row[2] == "call" and not row[1] for box in boxes for row in box.rows)
    assert place.rows("SELECT sum(calls) FROM hourly") == [(calls,)]


# ----------------------------------------------------------------------------- forks and rollbacks


@ANY
@given(st.integers(0, 30), st.integers(1, 20), st.integers(1, 20), st.integers(0, 20))
def test_every_clone_is_noticed_and_nothing_held_is_changed(
    place: Place, shared: int, ours: int, theirs: int, back: int
) -> None:
    """Two cards share `shared` rows and then go their own ways; the second one sends from somewhere within."""
    first = Box(list(voters.rows(shared + ours, seed=1)))
    other = [(*row[:4], row[4] + 1, *row[5:]) for row in voters.rows(shared + theirs, seed=1)][shared:]
    second = Box(first.rows[:shared] + other)
    place.clear()
    store = place.open()
    one(store, first.hello())
    one(store, first.batch(1, shared + ours))
    start = max(1, shared + 1 - back)
    ack = one(store, second.batch(start, shared + theirs))
    store.close()
    assert (ack.reject, ack.mark, ack.chain) == ("fork", shared, first.chain[shared])
    assert place.events() == first.rows and "fork" in place.alarms()
    assert place.rows("SELECT reason, length(payload) > 0 FROM quarantine") == [("fork", 1)]


def test_a_card_put_back_is_noticed_at_its_hello_but_a_late_hello_is_not_one(store: Store, place: Place) -> None:
    box = Box(ROWS)
    early = box.hello(5, at_ms=NOW - 9000)
    one(store, early)
    one(store, box.batch(1, 40))
    assert one(store, early).mark == 40
    assert place.alarms() == set()
    assert one(store, box.hello(30, at_ms=NOW - 1000)) == wire.Ack(box.store, 40, box.chain[40])
    assert place.alarms() == {"rolled-back"}


def test_the_same_length_with_another_past_is_a_fork(store: Store, place: Place) -> None:
    box, clone = Box(ROWS), Box([(*row[:10], "talked", *row[11:]) for row in ROWS])
    one(store, box.hello())
    one(store, box.batch(1, 40))
    assert one(store, clone.hello()).chain == box.chain[40]
    assert place.alarms() == {"fork"}


def test_a_past_that_differs_before_the_batch_is_a_fork(store: Store, place: Place) -> None:
    box, clone = Box(ROWS), Box([(*row[:10], "talked", *row[11:]) if row[0] < 3 else row for row in ROWS])
    one(store, box.hello())
    one(store, box.batch(1, 20))
    for span in ((21, 30), (11, 30), (11, 20)):
        assert one(store, clone.batch(*span)).reject == "fork"
    assert place.events() == ROWS[:20]


def test_a_ledger_belongs_to_the_box_that_brought_it(store: Store, place: Place) -> None:
    box, thief = Box(ROWS), Box(ROWS, box="b2")
    one(store, box.hello())
    assert one(store, thief.hello()).reject == "foreign"
    assert one(store, thief.batch(1, 10)).reject == "foreign"
    assert place.events() == [] and place.alarms() == {"foreign"}
    assert one(store, box.batch(1, 10)).mark == 10


def test_a_hello_under_another_name_is_an_alarm(store: Store, place: Place) -> None:
    box = Box(ROWS)
    assert store.take([(Box(ROWS, box="b2").topic, box.hello()[1])], NOW) == []
    assert place.alarms() == {"foreign-name"}


# -------------------------------------------------------------------------------------- unreadable


def unreadable(box: Box, first: int, last: int) -> tuple[str, bytes]:
    rows = [(*row[:6], 99, *row[7:]) for row in box.rows[first - 1 : last]]
    return box.topic, wire.pack_batch(box.store, box.chain[first - 1], box.chain[last], len(box.rows), NOW, 3, rows)


def test_garbage_is_kept_counted_and_costs_nobody_anything(store: Store, place: Place) -> None:
    box = Box(ROWS)
    one(store, box.hello())
    garbage = (box.topic, b"\x01\x01 garbage")
    messages = [garbage, ("miscall/1/xx", b"?"), box.batch(1, 10), garbage]
    assert one(store, *messages).mark == 10
    assert place.rows("SELECT reason, times FROM quarantine ORDER BY id") == [("checksum", 2), ("topic", 1)]
    assert place.alarms() == {"unreadable"}


def test_a_row_that_cannot_be_read_is_passed_over_only_alone_and_kept(store: Store, place: Place) -> None:
    box = Box(ROWS)
    one(store, box.hello())
    assert one(store, unreadable(box, 1, 10)) == wire.Ack(box.store, 0, GENESIS, reject="unreadable")
    assert one(store, box.batch(1, 4)).mark == 4
    assert one(store, unreadable(box, 6, 6)).reject == "unreadable"
    assert one(store, unreadable(box, 5, 5)) == wire.Ack(box.store, 5, box.chain[5])
    assert one(store, unreadable(box, 5, 5)).reject == ""
    assert one(store, box.batch(4, 20)).mark == 20
    assert place.events() == ROWS[:4] + ROWS[5:20]
    assert place.rows("SELECT first, passed FROM quarantine WHERE passed = 1") == [(5, 1)]


def test_a_digest_that_does_not_fit_its_rows_is_refused(store: Store, place: Place) -> None:
    box = Box(ROWS)
    one(store, box.hello())
    wrong = wire.pack_batch(box.store, GENESIS, b"whatever", 40, NOW, 3, box.rows[:9])
    assert one(store, (box.topic, wrong)).reject == "unreadable"
    assert place.events() == []


def test_a_full_quarantine_says_so_and_passes_over_nothing(place: Place) -> None:
    box = Box(ROWS)
    store = place.open(quarantine_bytes=100)
    one(store, box.hello())
    store.take([(box.topic, b"x" * 80)], NOW)
    assert one(store, unreadable(box, 1, 1)) == wire.Ack(box.store, 0, GENESIS, reject="unreadable")
    store.close()
    assert place.alarms() == {"unreadable", "quarantine-full"}
    assert place.rows("SELECT sum(length(payload)) FROM quarantine") == [(80,)]


def test_unreadable_rows_of_strangers_are_answered(store: Store) -> None:
    box, thief = Box(ROWS), Box(ROWS, box="b2")
    assert one(store, unreadable(box, 1, 1)).reject == "hello"
    one(store, box.hello())
    assert one(store, unreadable(thief, 1, 1)).reject == "foreign"


def test_what_cannot_be_kept_is_set_aside_alone_and_taken_when_it_can(
    store: Store, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A box fills a counter of 64 bits in one transaction; without the limit that stands against that."""
    said = ("water", "+919812345678", "national", "queued", 0, f'{{"direction":"out","parts":{2**53 - 1}}}')
    letters: list[Row] = []
    for seq in range(1, 2400, 2):
        letters.append((seq, 0, "message", "b1", seq, NOW, 3, *said))
        letters.append((seq + 1, seq, "message", "b1", seq + 1, NOW, 3, "", "", "", "sent", 0, ""))
    boxes = [Box(ROWS, f"b{place}", f"{place:08x}") for place in range(7)]
    boxes[3] = Box(letters, "b3", "00000003")
    monkeypatch.setattr(facts, "MOST_PARTS", 2**53)
    messages = [message for box in boxes for message in (box.hello(), box.batch(1, len(box.rows)))]
    marks = {ack.store: ack.mark for ack in acks(store.take(messages, NOW))}
    assert marks == {box.store: 0 if box is boxes[3] else 40 for box in boxes}
    assert store.greeted == {box.name for box in boxes} and store.taken == 6 * 40
    assert place.alarms() == {"unkept"}
    assert place.rows("SELECT box, store, reason, first, count, passed FROM quarantine") == [
        ("b3", "00000003", "unkept", 1, 2400, 0)
    ]
    assert "98123" not in str(place.rows("SELECT words FROM alarm"))
    assert place.rows("SELECT sum(calls) FROM day_tally") == [(6 * sum(row[2] == "call" for row in ROWS),)]
    monkeypatch.undo()
    assert one(store, messages[7]).mark == 2400
    assert place.rows("SELECT count(*) FROM event") == [(6 * 40 + 2400,)]


def test_a_store_that_is_not_well_is_no_matter_of_what_came(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box(ROWS)

    def broken(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(store._rollups, "settle", broken)
    with pytest.raises(sqlite3.OperationalError):
        store.take([box.hello(), box.batch(1, 5)], NOW)


# ------------------------------------------------------------------------------- what the pages read


def test_complete_up_to_moves_only_when_nothing_is_missing(store: Store, place: Place) -> None:
    box = Box(ROWS)

    def complete() -> object:
        return place.rows("SELECT complete_ms FROM store")[0][0]

    one(store, box.hello(at_ms=NOW - 9000))
    one(store, box.batch(1, 39))
    assert complete() is None
    one(store, box.batch(40, 40, at_ms=NOW - 7000))
    assert complete() == NOW - 7000
    one(store, box.hello(at_ms=NOW + 60_000, clock=3))
    assert complete() == NOW  # never later than our own clock
    one(store, box.hello(at_ms=NOW - 8000))
    assert complete() == NOW


def test_an_untrusted_clock_completes_nothing(store: Store, place: Place) -> None:
    box = Box([])
    one(store, box.hello(clock=1))
    assert place.rows("SELECT complete_ms FROM store") == [(None,)]


def row(seq: int, of: int, kind: str, state: str, extra: str = "", campaign: str = "", who: str = "") -> Row:
    at_ms = 1_794_000_000_000 + seq
    return Row(seq, of, kind, "ab", seq, at_ms, 3, campaign, who, "national" if who else "", state, 0, extra)


BORN = '{"campaign":"water","channel":"stand","language":"mr","line":"l1","number":"+911"}'
REPLY = '{"direction":"out","language":"mr","parts":1,"text":"=Thanks"}'
LIVED = [
    row(1, 0, "store", "0badcafe", BORN),
    row(2, 0, "call", "missed", "", "water", "+919876543210"),
    row(3, 0, "message", "queued", REPLY, "water", "+919876543210"),
    row(4, 3, "message", "held", '{"reason":"purse"}'),
    row(5, 0, "line", "ready", '{"operator":"X","words":"ready for calls"}'),
    row(6, 3, "message", "sending"),
    row(7, 3, "message", "sent"),
    row(8, 2, "call", "talked")._replace(seconds=12),
    row(9, 0, "message", "received", '{"direction":"in","text":"STOP"}', "water", "+919876543210"),
    row(10, 0, "call", "unreached", "", "water", "+919876543210"),
    row(11, 0, "call", "gave-up", "", "water")._replace(caller_kind="withheld"),
    row(12, 3, "message", "delivered"),
    row(13, 9, "line", ""),
    row(14, 3, "message", "failed", '{"reason":"38"}'),
]  # fmt: skip


def test_counts_and_states_come_with_the_rows(store: Store, place: Place) -> None:
    box = Box(LIVED)
    one(store, box.hello())
    one(store, box.batch(1, 8), box.batch(9, 14))
    assert place.rows("SELECT campaign, calls, withheld, gave_up, sent, delivered, failed, received FROM hourly"
    ) == [("water", 2, 1, 0, 1, 1, 1, 1)]
    assert place.rows("SELECT number, campaign, channel, language FROM store") == [
        ("+911", "water", "stand", "mr")
    ]
    assert place.rows("SELECT state, words FROM store")[0][0] in ("ready", "")


def test_a_sign_of_life_is_no_news(store: Store, place: Place) -> None:
    """A row without words that repeats a state leaves it as it was told, since when and in which words."""
    told = '{"words":"the SIM wants a PIN"}'
    life = [
        row(1, 0, "store", "0badcafe", BORN), row(2, 0, "line", "sim-pin", told), row(3, 0, "line", "sim-pin"),
        row(4, 0, "line", "sim-pin"), row(5, 0, "line", "ready"), row(6, 0, "line", "ready"),
        row(7, 0, "line", "sim-pin", told), row(8, 0, "line", "ready"), row(9, 0, "line", "sim-pin", told),
    ]  # fmt: skip
    box = Box(life)
    one(store, box.hello())
    for first, upto, since in ((1, 3, 2), (4, 4, 2), (5, 6, 5), (7, 9, 9)):
        one(store, box.batch(first, upto))
        state = life[since - 1].state
        words = "the SIM wants a PIN" if state == "sim-pin" else ""
        assert place.rows("SELECT state, words, state_ms - 1794000000000 FROM store") == [(state, words, since)]


def exported(place: Place, what: str, format: export.Format = "jsonl") -> str:
    out = io.StringIO()
    assert export.run(place.folder / "hq.toml", what, format, out) == 0
    return out.getvalue()


def test_exports_fold_what_came_later_into_what_came_first(store: Store, place: Place) -> None:
    box = Box(LIVED)
    one(store, box.hello())
    one(store, box.batch(1, 14))
    calls = [json.loads(line) for line in exported(place, "calls").splitlines()]
    hq_at = fold.rfc3339(NOW)
    assert calls[0] == {
        "id": "nashik-07:l1:0badcafe-2", "at": "2026-11-06T21:20:00.002Z", "clock_trusted": True, "box": "nashik-07",
        "line": "l1", "campaign": "water", "number": "+919876543210", "withheld": False, "outcome": "talked",
        "seconds": 12, "district": "nashik", "language": "mr", "hq_at": hq_at,
    }  # fmt: skip
    assert [(call["outcome"], call["withheld"], call["number"]) for call in calls[1:]] == [
        ("unreached", False, "+919876543210"),
        ("gave-up", True, None),
    ]
    out, into = [json.loads(line) for line in exported(place, "messages").splitlines()]
    assert (out["state"], out["reason"], out["text"], out["parts"]) == ("failed", "38", "=Thanks", 1)
    assert (into["direction"], into["state"], into["text"], into["language"]) == ("in", "received", "STOP", "")
    (told,) = [json.loads(line) for line in exported(place, "boxes").splitlines()]
    assert (told["box"], told["rows_held"], told["rows_missing"]) == ("nashik-07", 14, 0)
    for nothing in ("recordings", "answers", "cases", "consents"):
        assert exported(place, nothing) == ""


def test_a_spreadsheet_takes_no_text_for_a_formula_and_every_number_as_it_is(store: Store, place: Place) -> None:
    box = Box(LIVED)
    one(store, box.hello())
    one(store, box.batch(1, 14))
    first = next(csv.DictReader(io.StringIO(exported(place, "messages", "csv"))))
    assert (first["text"], first["number"]) == ("'=Thanks", "+919876543210")
    call = next(csv.DictReader(io.StringIO(exported(place, "calls", "csv"))))
    assert (call["clock_trusted"], call["withheld"], call["seconds"]) == ("true", "false", "12")


def test_an_export_of_nothing_is_refused_in_words(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert export.run(place.folder / "hq.toml", "calls") == 1
    assert "has received nothing yet" in capsys.readouterr().err


@given(st.data())
def test_folding_is_the_same_from_a_sorted_table_and_from_a_stream(data: st.DataObject) -> None:
    """The box reads in order, HQ by an index; amendments may come any time later."""
    rows: list[Row] = []
    for seq in range(1, data.draw(st.integers(1, 30)) + 1):
        things = [each.seq for each in rows if not each.of]
        of = data.draw(st.sampled_from([0, *things]))
        extra = data.draw(st.sampled_from(["", '{"reason":"a"}'])) if of else '{"text":"x"}'
        rows.append(row(seq, of, "message", data.draw(st.sampled_from("abc")), extra))
    by_sql = sorted(rows, key=lambda each: (each.of or each.seq, each.seq))
    window = data.draw(st.integers(1, 40))
    regrouped = list(fold.grouped(lambda after, limit: rows[after : after + limit], window))
    assert [Row(*each) for each in regrouped] == by_sql  # type: ignore[arg-type]
    folded = {each.seq: each for each in fold.fold(regrouped)}
    for thing in (each for each in rows if not each.of):
        later = [each for each in rows if each.of == thing.seq]
        assert folded[thing.seq].state == (later[-1] if later else thing).state
        assert json.loads(folded[thing.seq].extra)["text"] == "x"


def test_old_stores_are_migrated(tmp_path: Path) -> None:
    """The first schema, with rows in it from boxes that were newer than it; then brought up to date."""
    place = Place(tmp_path, "sqlite")
    db = sqlite3.connect(tmp_path / "hq.db", isolation_level=None)
    migrations.apply(Database(db), stop_before="m002_sound")
    assert not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'recording_file'").fetchall()
    db.execute(
        "INSERT INTO store (id, store, box, line, chain, admitted_ms, seen_ms) VALUES (1,'0badcafe','b','l',x'',1,1)"
    )
    kept = [
        row(1, 0, "case", "new", CASE), row(2, 1, "case", "contacted"), row(3, 1, "message", "sent"),
        row(4, 0, "case", "new", '{"due_ms":NaN}'), row(5, 0, "case", "new", '{"due_ms":"soon"}'),
        row(6, 0, "order", "refused", '{"order":4,"why":"x"}'), row(7, 0, "order", "done", '{"order":4}'),
        row(8, 0, "order", "done", '{"order":"x"}'), row(9, 0, "order", "done", ""),
    ]  # fmt: skip
    db.executemany("INSERT INTO event VALUES (1,?,?,?,?,?,?,?,?,?,?,?,?,?,1)", kept)
    db.close()
    place.open().close()
    assert place.rows("SELECT seq, state, due_ms FROM grievance ORDER BY seq") == [
        (1, "contacted", 1_794_000_090_000), (4, "new", 0), (5, "new", 0),
    ]  # fmt: skip
    assert place.rows("SELECT box, number, state FROM ordered") == [("b", 4, "refused")]
    assert "event_answer" not in indexes(place)
    place.open().close()


def indexes(place: Place) -> set[object]:
    asked = {"sqlite": "SELECT name FROM sqlite_schema WHERE type = 'index'", "postgresql":
             "SELECT relname FROM pg_class WHERE relkind IN ('i', 'I')"}  # fmt: skip
    return {row[0] for row in place.rows(asked["sqlite" if place.config.store == "sqlite" else "postgresql"])}


def test_events_have_no_index_that_no_page_asks(store: Store, place: Place) -> None:
    assert {"event_of", "recording_at", "answer_at"} <= indexes(place)
    assert not {"event_recording", "event_answer"} & indexes(place)


# ------------------------------------------------------------------------------------ what was said

ASHA = "+919876543210"
TAKE = '{"call":2,"case":true,"file":"0badcafe-5.wav","language":"hi","node":"complaint","tags":"water,broken"}'
CASE = (
    '{"call":2,"due_ms":1794000090000,"language":"hi","opened_ms":1794000000002,"recording":5,"reference":"4712936",'
    '"tags":"water,broken"}'
)
VOTE = '{"call":2,"issue":"subsidy","key":"1","language":"hi","node":"main"}'
AGREED = '{"call":2,"evidence":"key 1","language":"hi","node":"ask","wording":"c0ffee"}'
SAID = [
    row(1, 0, "store", "0badcafe", BORN),
    row(2, 0, "call", "missed", "", "water", ASHA),
    row(3, 2, "call", "talked"),
    row(4, 0, "step", "connected", '{"call":2,"ms":0,"node":"main"}'),
    row(5, 0, "recording", "recording", TAKE, "water", ASHA),
    row(6, 5, "recording", "kept", '{"ms":8100,"sha256":"ab","speech_ms":7000}')._replace(seconds=9),
    row(7, 0, "case", "new", CASE, "water", ASHA),
    row(8, 0, "answer", "support", VOTE, "water", ASHA),
    row(9, 0, "consent", "reminder", AGREED, "water", ASHA),
    row(10, 7, "message", "sent"),  # of another kind than what it names
    row(11, 7, "case", "contacted"),
    row(12, 2, "call", "talked")._replace(seconds=41),
    row(13, 0, "recording", "recording", '{"file":"0badcafe-13.wav"}', "water"),
    row(14, 13, "recording", "erased"),
    row(15, 0, "call", "unreached", '{"for":2,"try":1}', "water", ASHA),
    row(16, 15, "call", "called-back")._replace(seconds=20),
    row(17, 0, "case", "new", '{"due_ms":-1,"opened_ms":1e300,"recording":0}', "water"),
]  # fmt: skip


def things(place: Place, what: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in exported(place, what).splitlines()]


def test_what_was_said_is_exported(store: Store, place: Place) -> None:
    box = Box(SAID)
    one(store, box.hello())
    one(store, box.batch(1, len(SAID)))
    own = {"box": "nashik-07", "line": "l1", "campaign": "water", "number": ASHA}
    theirs = {"district": "nashik", "hq_at": fold.rfc3339(NOW), "language": "hi"}
    first, second = things(place, "recordings")
    assert first == {
        **own, **theirs, "id": "nashik-07:l1:0badcafe-5", "at": "2026-11-06T21:20:00.005Z", "seconds": 9, "file": "",
        "tags": "water,broken", "state": "kept",
    }  # fmt: skip
    assert (second["state"], second["number"], second["language"]) == ("erased", None, "mr")
    (answer,) = things(place, "answers")
    assert answer == {
        **{name: value for name, value in own.items() if name != "line"}, **theirs, "id": "nashik-07:l1:0badcafe-8",
        "call": "nashik-07:l1:0badcafe-2", "at": "2026-11-06T21:20:00.008Z", "node": "main", "key": "1",
        "value": "support", "issue": "subsidy", "note": "Not a scientific poll.",
    }  # fmt: skip
    case, odd = things(place, "cases")
    assert case == {
        **own, **theirs, "id": "nashik-07:l1:0badcafe-7", "opened": "2026-11-06T21:20:00.002Z", "state": "contacted",
        "tag": "water,broken", "due": "2026-11-06T21:21:30.000Z", "reference": "4712936",
        "recording": "nashik-07:l1:0badcafe-5",
    }  # fmt: skip
    assert odd["opened"] == odd["due"] == "2026-11-06T21:20:00.017Z" and odd["recording"] == ""
    (consent,) = things(place, "consents")
    assert consent == {
        **own, **theirs, "id": "nashik-07:l1:0badcafe-9", "purpose": "reminder", "wording": "c0ffee", "channel": "call",
        "at": "2026-11-06T21:20:00.009Z", "evidence": "key 1", "call": "nashik-07:l1:0badcafe-2",
    }  # fmt: skip
    for what in ("recordings", "answers", "cases", "consents"):
        rows = list(csv.DictReader(io.StringIO(exported(place, what, "csv"))))
        assert rows[0]["number"] == ASHA and rows[0]["district"] == "nashik", what


def test_a_recordings_file_is_told_once_it_is_whole(store: Store, place: Place) -> None:
    box = Box(SAID)
    one(store, box.hello())
    one(store, box.batch(1, len(SAID)))
    sound = bytes(range(200)) * 50
    digest = hashlib.sha256(sound).digest()
    for offset in (0, wire.MAX_CHUNK):
        chunk = sound[offset : offset + wire.MAX_CHUNK]
        parcel = wire.Parcel(box.store, 5, "opus", len(sound), digest, offset, chunk)
        assert things(place, "recordings")[0]["file"] == ""
        store.take([(box.topic, wire.pack_parcel(parcel))], NOW)
    file = str(things(place, "recordings")[0]["file"])
    assert file == "recordings/nashik-07/0badcafe-5.opus" and (place.folder / file).read_bytes() == sound


def test_calls_that_we_placed_are_calls_and_count_for_no_caller(store: Store, place: Place) -> None:
    """Neither their first rows nor their amendments are in the hourly counts; a call that was talked is one call."""
    box = Box(SAID)
    one(store, box.hello())
    one(store, box.batch(1, len(SAID)))
    assert [(call["outcome"], call["seconds"]) for call in things(place, "calls")] == [
        ("talked", 41),
        ("called-back", 20),
    ]
    counts = "SELECT sum(calls) AS calls, sum(gave_up) AS gave_up, sum(sent) AS sent FROM hourly"
    assert place.rows(counts) == [(1, 0, 1)]
    assert place.rows("SELECT last_call_ms FROM store") == [(SAID[1].at_ms,)]


def test_cases_are_kept_as_they_stand(store: Store, place: Place) -> None:
    box = Box(SAID)
    one(store, box.hello())
    one(store, box.batch(1, 10))
    kept = "SELECT seq, state, due_ms FROM grievance ORDER BY seq"
    assert place.rows(kept) == [(7, "new", 1_794_000_090_000)]
    one(store, box.batch(11, len(SAID)))
    assert place.rows(kept) == [(7, "contacted", 1_794_000_090_000), (17, "new", 0)]


@pytest.mark.parametrize(
    "extra",
    [
        '{"words":"\\ud800","number":"\\udfff","text":"\\udfff","tags":"\\udfff","language":"\\ud800"}',
        '{"order":1,"why":"\\ud83d"}',
        '{"due_ms":1e999}',
    ],
)
@pytest.mark.parametrize("kind", ["store", "line", "order", "case", "recording", "answer", "consent", "message"])
def test_whatever_a_row_says_stops_nobody(store: Store, place: Place, kind: str, extra: str) -> None:
    """JSON can name halves of letters and numbers without end, which no database takes."""
    box = Box([row(1, 0, kind, "x", extra), row(2, 1, kind, "y", extra)])
    one(store, box.hello())
    assert one(store, box.batch(1, 2)).mark == 2
    for what in ("calls", "messages", "recordings", "answers", "cases", "consents"):
        exported(place, what).encode()
