"""Orders: written down at HQ's desk, repeated until a ledger has answered, done once however often they are heard; no
number of a voter in anything that is printed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import voters
from edge import orders as at_line
from edge.config import load
from edge.events import GENESIS, Row
from sync import mqtt, orders, uplink, wire
from sync.courier import Pace
from sync.hq import orders as desk
from sync.hq import receiver, stores
from sync.hq.store import Store
from tests.hqs import Place, config_of, either  # noqa: F401
from tests.test_hq_store import Box
from tests.test_hq_store import row as ledger_row
from tests.test_receiver import World, mosquitto, settings, until
from tests.test_uplink import box_toml
from tools import cli

VOTER = "+919876543210"
NOW = 1_795_000_000_000
SMS = {"number": VOTER, "campaign": "water", "text": "The tap will run again on Monday.", "language": "en"}
BORN = '{"campaign":"water","channel":"","language":"mr","line":"l1","number":"+919000000001"}'


# ----------------------------------------------------------------------------------- what one says


@pytest.mark.parametrize(
    ("verb", "args", "why"),
    [
        ("call-back", {"number": VOTER, "campaign": "water"}, ""),
        ("case", {"reference": "4712936", "state": "resolved"}, ""),
        ("reboot", {}, "no such order"),
        ("call-back", {"number": VOTER}, "must say number and campaign"),
        ("call-back", {"number": VOTER, "campaign": "water", "more": "x"}, "must say"),
        ("call-back", {"number": "9876543210", "campaign": "water"}, "its number is not one"),
        ("call-back", {"number": "+91987654321०", "campaign": "water"}, "its number is not one"),
        ("call-back", {"number": VOTER, "campaign": "../water"}, "its campaign is not one"),
        ("call-back", {"number": 919876543210, "campaign": "water"}, "its number is not one"),
        ("case", {"reference": "4712936", "state": "new"}, "its state is not one"),
        ("case", {"reference": "'; DROP", "state": "resolved"}, "its reference is not one"),
        ("case", [], "must say"),
        ("sms", {**SMS, "text": "पानी आ गया\nधन्यवाद"}, ""),
        ("sms", SMS, ""),
        ("sms", {**SMS, "text": "x" * 460}, "its text is not one"),
        ("sms", {**SMS, "text": " \n "}, "its text is not one"),
        ("sms", {**SMS, "text": "a\x1bb"}, "its text is not one"),
        ("sms", {**SMS, "text": "a\ud800"}, "its text is not one"),
        ("sms", {**SMS, "language": "Hindi!"}, "its language is not one"),
        ("sms", {"number": VOTER, "text": "x"}, "must say number and campaign and text and language"),
        ("opt-out", {"number": VOTER}, ""),
        ("opt-out", {"number": VOTER, "undo": "yes"}, "must say number"),
    ],
)
def test_what_an_order_must_say(verb: str, args: object, why: str) -> None:
    told = orders.refusal(verb, json.dumps(args))
    assert (why in told) if why else told == ""
    assert "9876" not in told


@given(st.sampled_from([*orders.VERBS, "x"]), st.text(max_size=30) | st.just("[" * 100_000))
def test_any_text_is_refused_in_words(verb: str, args: str) -> None:
    assert orders.refusal(verb, args)


# ------------------------------------------------------------------------------------ at the desk


@pytest.fixture
def hq(place: Place) -> Iterator[Store]:
    """HQ, which box nashik-07 with its line l1 has spoken to."""
    store = place.open()
    greet(store)
    yield store
    store.close()


def greet(store: Store) -> None:
    box = Box([ledger_row(1, 0, "store", "0badcafe", BORN)])
    store.take([box.hello(), box.batch(1, 1)], NOW)


def outbox_of(place: Place, answered: Iterable[tuple[str, int]] = ()) -> desk.Outbox:
    return desk.Outbox(lambda: stores.desk(place.config, reading=True), answered)


def give(place: Place, verb: str, *particulars: str, box: str = "nashik-07", line: str = "l1") -> int:
    return desk.give(place.config, box, line, verb, particulars, "asha", NOW)


def test_orders_of_a_box_are_numbered_without_a_gap(place: Place, hq: Store) -> None:
    assert [give(place, "call-back", VOTER), give(place, "case", "4712936", "contacted")] == [1, 2]
    with pytest.raises(desk.Refused):
        give(place, "call-back", "not a number")
    assert give(place, "call-back", VOTER, "roads") == 3
    with stores.desk(place.config, reading=True) as db:
        found = db.rows("SELECT number, line, verb, args, by FROM orders WHERE number <> 2 ORDER BY number")
        assert [tuple(row.values()) for row in found] == [
            (1, "l1", "call-back", f'{{"number":"{VOTER}","campaign":"water"}}', "asha"),
            (3, "l1", "call-back", f'{{"number":"{VOTER}","campaign":"roads"}}', "asha"),
        ]
    if db.kind == "sqlite":
        assert (place.folder / "desk.db").stat().st_mode & 0o077 == 0, "numbers lie in it"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"box": "b9"}, "no box 'b9'; known: nashik-07"), ({"line": "l9"}, "no line 'l9'; known: l1"),
        ({"verb": "call-back", "particulars": ("12", "3", "4")}, "say `call-back NUMBER"),
        ({"particulars": ("x",)}, r"NUMBER \[CAMPAIGN\]`, or `case"),
        ({"particulars": ("4712936", "lost")}, "its state is not"),
        ({"verb": "dance", "particulars": ()}, "there is no such order"),
        ({"verb": "opt-out", "particulars": (VOTER, "undo")}, "or `opt-out NUMBER`"),
        ({"verb": "sms", "particulars": (VOTER, "hi", "ज" * 202)}, "more than 3 SMS: make it shorter"),
        ({"verb": "sms", "particulars": (VOTER, "hi", "x"), "line": "-"}, "no line ''; known: l1"),
    ],
)  # fmt: skip
def test_what_cannot_be_ordered_is_refused_in_words(
    place: Place, hq: Store, given: dict[str, object], why: str
) -> None:
    told = {"box": "nashik-07", "line": "l1", "verb": "case", "particulars": ("4712936", "resolved"), **given}
    with pytest.raises(desk.Refused, match=why) as refused:
        desk.give(place.config, **told, by="asha", now_ms=NOW)  # type: ignore[arg-type]
    assert VOTER[1:] not in str(refused.value) and outbox_of(place).look() == set()


def test_a_number_is_never_given_twice_even_when_the_desks_file_was_lost(place: Place, hq: Store) -> None:
    box = Box([ledger_row(1, 0, "store", "0badcafe", BORN), ledger_row(2, 0, "order", "done", '{"order":7}')])
    hq.take([box.hello(), box.batch(1, 2)], NOW)
    assert give(place, "call-back", VOTER) == 8


def test_the_command_says_what_it_did_and_never_the_number(
    place: Place, hq: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(place.folder / "hq.toml")
    assert cli.main(["hq", "order", file, "nashik-07", "l1", "call-back", VOTER]) == 0
    assert cli.main(["hq", "order", file, "nashik-07", "-", "opt-out", VOTER]) == 0
    assert cli.main(["hq", "order", file, "nashik-07", "l1", "sms", VOTER, "hi", "नमस्ते"]) == 0
    assert cli.main(["hq", "order", file, "nashik-07", "l1", "call-back", VOTER[1:]]) == 1
    assert cli.main(["hq", "order", file, "nashik-07", "l2", "call-back", VOTER]) == 1
    told = capsys.readouterr()
    assert told.out.startswith("order 1 for nashik-07, line l1: written down")
    with stores.desk(place.config, reading=True) as db:
        assert db.rows("SELECT line, args FROM orders WHERE number > 1 ORDER BY id") == [
            {"line": "l1", "args": f'{{"number":"{VOTER}"}}'},
            {"line": "l1", "args": f'{{"number":"{VOTER}","language":"hi","text":"नमस्ते","campaign":"water"}}'},
        ]
        logged = db.rows("SELECT who, role, did, what, reason FROM audit ORDER BY id")
    assert [tuple(entry.values())[1:4] for entry in logged][1:] == [
        ("console", "ordered opt-out", "nashik-07 order 2"), ("console", "ordered sms", "nashik-07 order 3"),
    ] and VOTER[1:] not in repr(logged)  # fmt: skip
    assert "call-back: its number is not one" in told.err and "has no line 'l2'; known: l1" in told.err
    assert VOTER[1:] not in told.out + told.err
    assert VOTER not in repr(wire.Order(1, "l1", "call-back", VOTER)) + repr(at_line.Order(1, 1, "x", {"n": VOTER}))


def test_a_desk_without_a_headquarters_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.run(settings(tmp_path), "b1", "l1", "case", ["1", "resolved"]) == 1
    (tmp_path / "hq.db").write_bytes(b"this is no database" * 100)
    assert desk.run(settings(tmp_path), "b1", "l1", "case", ["1", "resolved"]) == 1
    told = capsys.readouterr().err
    assert "knows no box yet" in told and "not written down" in told


# ---------------------------------------------------------------------------------- in the receiver


def test_an_outbox_tells_what_is_new_and_keeps_what_is_not_answered(place: Place, hq: Store) -> None:
    outbox = outbox_of(place)
    assert outbox.look() == set()
    give(place, "call-back", VOTER)
    assert outbox.look() == {"nashik-07"} and outbox.look() == set()
    give(place, "case", "4712936", "contacted")
    assert outbox.look() == {"nashik-07"}
    told = [wire.unpack(payload) for payload in outbox.waiting("nashik-07")]
    assert told == [
        wire.Order(1, "l1", "call-back", f'{{"number":"{VOTER}","campaign":"water"}}', NOW),
        wire.Order(2, "l1", "case", '{"reference":"4712936","state":"contacted"}', NOW),
    ]
    outbox.done("nashik-07", 1)
    outbox.done("nashik-07", 99)
    assert len(outbox.waiting("nashik-07")) == 1 and outbox.waiting("b9") == []
    again = outbox_of(place, [("nashik-07", 1)])
    assert again.look() == {"nashik-07"} and len(again.waiting("nashik-07")) == 1, "after a restart"


def test_a_desks_file_that_cannot_be_read_is_read_later(tmp_path: Path) -> None:
    place = Place(tmp_path, "sqlite")
    store = place.open()
    greet(store)
    store.close()
    outbox = outbox_of(place)
    (tmp_path / "desk.db").write_bytes(b"not yet a database, and long enough to be looked at" * 20)
    assert outbox.look() == set()
    (tmp_path / "desk.db").unlink()
    give(place, "call-back", VOTER)
    assert outbox.look() == {"nashik-07"}


def test_an_answer_in_a_ledger_ends_an_order(place: Place, hq: Store) -> None:
    rows = [
        ledger_row(1, 0, "store", "0badcafe", BORN),
        ledger_row(2, 0, "order", "refused", '{"order":1,"why":"quiet hours \\ud800"}'),
        ledger_row(3, 0, "order", "done", '{"order":1}'),
        ledger_row(4, 2, "order", "failed", '{"order":5}'),
        *(ledger_row(seq, 0, "order", "done", extra) for seq, extra in enumerate(NONSENSE, 5)),
    ]
    box = Box(rows)
    hq.take([box.hello(), box.batch(1, len(rows))], NOW)
    assert hq.answered == [("nashik-07", 1), ("nashik-07", 1)]
    assert hq.ordered() == [("nashik-07", 1)], "its first answer counts"
    assert place.rows("SELECT state, why FROM ordered") == [("refused", "quiet hours ?")]
    hq.take([], NOW)
    assert hq.answered == [] and hq.greeted == set()


NONSENSE = ("", '{"order":"1"}', '{"order":-1}', '{"order":true}', '{"order":1e9}', f'{{"order":{10**30}}}')


def test_orders_are_repeated_after_each_hello(place: Place, hq: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    hq.close()
    made = receiver.Receiver(place.config)
    sent: list[tuple[str, wire.Message]] = []
    monkeypatch.setattr(made._link, "publish", lambda topic, payload, qos=1: sent.append((topic, wire.unpack(payload))))
    give(place, "call-back", VOTER)
    made._order(made._outbox.look())
    assert [topic for topic, _ in sent] == [wire.topic("nashik", "nashik-07", "down")], "at once when it is new"
    box = Box([ledger_row(1, 0, "store", "0badcafe", BORN), ledger_row(2, 0, "order", "done", '{"order":1}')])

    def hear(topic: str, payload: bytes) -> list[str]:
        sent.clear()
        made._take([receiver.arrived(mqtt.Heard(1, topic, payload, 1, 1, 0.0))])
        return [type(message).__name__ for _, message in sent]

    assert hear(*box.hello(1)) == ["Ack", "Order"] and hear(*box.hello(1)) == ["Ack", "Order"]
    assert hear(*box.batch(2, 2)) == ["Ack"]
    assert hear(*box.hello(2)) == ["Ack"], "answered"
    give(place, "case", "4712936", "resolved")
    made._order(made._outbox.look() | {"nobody"})
    assert hear(*box.hello(2)) == ["Ack", "Order"]
    made._store.close()


# -------------------------------------------------------------------------------------- at the box


@pytest.fixture
def box(tmp_path: Path) -> Iterator[uplink.Uplink]:
    made = uplink.Uplink(load(box_toml(tmp_path, "mqtt://127.0.0.1:1")), Pace())
    yield made
    made._book.close()


def hears(box: uplink.Uplink, payload: bytes, leaf: str = "down") -> None:
    box._on(mqtt.Heard(box._link.turn, wire.topic("nashik", "b1", leaf), payload, 1, 1, 0.0), 0.0)


CALL = wire.pack_order(wire.Order(1, "l1", "call-back", f'{{"number":"{VOTER}","campaign":"water"}}', NOW))


def test_an_order_is_written_down_once_and_its_line_finds_it(tmp_path: Path, box: uplink.Uplink) -> None:
    for _ in range(3):
        hears(box, CALL)
    hears(box, wire.pack_order(wire.Order(2, "l1", "case", '{"reference":"47","state":"resolved"}', NOW)))
    first, second = at_line.pending(tmp_path, "l1")
    assert first == at_line.Order(1, 1, "call-back", {"number": VOTER, "campaign": "water"}, NOW)
    assert (second.id, second.hq, second.verb) == (2, 2, "case")
    assert at_line.pending(tmp_path, "l1", after_id=1) == [second] and at_line.pending(tmp_path, "l2") == []


@pytest.mark.parametrize(
    ("order", "why"),
    [
        (wire.Order(5, "l9", "case", '{"reference":"47","state":"resolved"}'), "the box has no line of that name"),
        (wire.Order(5, "l1", "reboot", "{}"), "there is no such order"),
        (wire.Order(5, "l1", "call-back", f'{{"number":"{VOTER[1:]}","campaign":"water"}}'), "its number is not one"),
    ],
)
def test_what_is_no_order_is_given_to_a_line_to_be_refused(
    tmp_path: Path, box: uplink.Uplink, order: wire.Order, why: str
) -> None:
    """Else HQ would repeat it for ever."""
    hears(box, wire.pack_order(order))
    (found,) = at_line.pending(tmp_path, "l1")
    assert (found.hq, found.verb, found.args) == (5, "refuse", {"why": why})


def test_what_comes_under_another_topic_or_is_garbage_orders_nothing(tmp_path: Path, box: uplink.Uplink) -> None:
    hears(box, CALL, "ack")
    hears(box, b"garbage")
    hears(box, wire.pack_ack(wire.Ack("0badcafe", 1, GENESIS)))
    hears(box, wire.pack_held(wire.Held("0badcafe", 1, 5)), "ack")
    assert at_line.pending(tmp_path, "l1") == []


def test_a_file_that_cannot_be_read_orders_nothing(tmp_path: Path) -> None:
    assert at_line.pending(tmp_path, "l1") == []
    (tmp_path / "uplink.db").write_bytes(b"scrambled" * 500)
    assert at_line.pending(tmp_path, "l1") == []
    (tmp_path / "uplink.db").unlink()
    with closing(sqlite3.connect(tmp_path / "uplink.db")) as db:  # as the first version made it
        db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, line TEXT, verb TEXT, args TEXT, made_ms INTEGER)")
    assert at_line.pending(tmp_path, "l1") == []


# ---------------------------------------------------------------------------------- the whole way


@mosquitto
def test_an_order_goes_from_the_desk_to_the_line_and_its_answer_back() -> None:
    with ExitStack() as stack:
        world = World(stack, 1)
        born = json.dumps({"campaign": "water", "line": "l1"})
        world.rows = [Row(1, 0, "store", "ab" * 8, 1, NOW, 3, "", "", "", "0badcafe", 0, born)]
        (world.box / "ledgers" / "l1.db").unlink()
        voters.write_ledger(world.box / "ledgers" / "l1.db", "0badcafe", "b1", "l1", world.rows)
        for name in ("mosquitto", "receiver", "uplink"):
            world.start(name)
        world.everything_once()
        world.stop("uplink")
        number = desk.give(config_of(world.hq), "b1", "l1", "call-back", [VOTER], "asha", NOW)
        world.kill("receiver")
        for name in ("uplink", "receiver"):
            world.start(name)
        until(lambda: at_line.pending(world.box, "l1"))
        (order,) = at_line.pending(world.box, "l1")
        assert (order.hq, order.verb, order.args["number"]) == (number, "call-back", VOTER)
        second = desk.give(config_of(world.hq), "b1", "l1", "case", ["4712936", "contacted"], "asha", NOW)
        until(lambda: len(at_line.pending(world.box, "l1")) == 2)
        with closing(sqlite3.connect(world.box / "ledgers" / "l1.db", isolation_level=None)) as db:
            chain = db.execute("SELECT chain FROM event WHERE seq = 1").fetchone()[0]
            answers = [
                Row(seq, 0, "order", "ab" * 8, seq, NOW, 3, "", "", "", "done", 0, f'{{"order":{told}}}')
                for seq, told in ((2, number), (3, second))
            ]
            voters.append(db, chain, answers)
        until(lambda: world.held() == 3)
        world.stop("receiver")
        with closing(sqlite3.connect(world.hq / "hq.db")) as db:
            assert db.execute("SELECT box, number, state FROM ordered ORDER BY number").fetchall() == [
                ("b1", 1, "done"), ("b1", 2, "done"),
            ]  # fmt: skip
        assert len(at_line.pending(world.box, "l1")) == 2, "once each, however often they were heard"
