"""The uplink: every row reaches HQ exactly once over a road that loses, repeats, delays and reorders; one bad ledger
costs only itself; a card that was put back stops by itself and says so. Time is made up; the store is the real one."""

from __future__ import annotations

import itertools
import json
import queue
import random
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import voters
from edge.config import load
from edge.events import GENESIS, link
from edge.ledger import Reader
from sync import mqtt, uplink, wire
from sync.book import Book
from sync.courier import BYTES, ROWS, Courier, Pace
from sync.hq.store import Store

AT_MS = 1_795_000_000_000
WHO = wire.Hello("b1", "nashik", "Asia/Kolkata", "1", 0, 0, ())
UP, ACK = (wire.topic("nashik", "b1", leaf) for leaf in ("up", "ack"))


class Card:
    """A ledger in memory, as `edge.ledger.Reader` shows it; `broken` makes every look fail."""

    def __init__(self, rows: list[voters.Row], store: str = "0badcafe", line: str = "l1") -> None:
        self.store, self.line, self.broken = store, line, False
        self.kept: list[voters.Row] = []
        self.chains = [GENESIS]
        self.write(rows)

    def write(self, rows: list[voters.Row]) -> None:
        for row in rows:
            self.kept.append(row)
            self.chains.append(link(self.chains[-1], row))

    def head(self) -> tuple[int, bytes]:
        if self.broken:
            raise sqlite3.DatabaseError("disk image is malformed")
        return len(self.kept), self.chains[-1]

    def rows(self, after: int, limit: int) -> list[tuple[object, ...]]:
        self.head()
        return list(self.kept[after : after + limit])

    def chain(self, seq: int) -> bytes | None:
        self.head()
        return self.chains[seq] if seq < len(self.chains) else None


class Road:
    """A courier, the real store, and made-up time; what crosses is in `air` until it is delivered."""

    def __init__(self, folder: Path, cards: list[Card], seed: int = 1) -> None:
        self.folder, self.cards, self.now = folder, cards, 1000.0
        self.store = Store(folder / "hq.db")
        self.book = Book(folder / "uplink.db")
        self.dice = random.Random(seed)
        self.courier = Courier(WHO, self.book, Pace(), self.dice)

    def restart(self) -> None:
        self.book.close()
        self.book = Book(self.folder / "uplink.db")
        self.courier = Courier(WHO, self.book, Pace(), self.dice)

    def connect(self) -> None:
        self.courier.see(self.cards, self.now)
        self.courier.connected(self.now)

    @property
    def at_ms(self) -> int:
        return AT_MS + round(self.now * 1000)

    def due(self) -> list[bytes]:
        self.courier.see(self.cards, self.now)
        return self.courier.due(self.now, self.at_ms, 3)

    def answer(self, payloads: list[bytes], next_s: int = 0) -> None:
        for _, ack in self.store.take([(UP, payload) for payload in payloads], self.at_ms, next_s):
            self.courier.heard(ack, self.now, self.at_ms)

    def run(self, seconds: float = 5) -> None:
        """A perfect road for a while."""
        until = self.now + seconds
        while self.now < until:
            self.answer(self.due())
            self.courier.ahead(self.at_ms, 3)
            self.now += 0.1

    def held(self, store: str = "0badcafe") -> list[tuple[object, ...]]:
        db = sqlite3.connect(self.folder / "hq.db")
        rows = db.execute(
            "SELECT event.* FROM event JOIN store ON id = store_id WHERE store = ? ORDER BY seq", (store,)
        ).fetchall()
        db.close()
        return [row[1:-1] for row in rows]

    def alarms(self) -> list[str]:
        db = sqlite3.connect(self.folder / "hq.db")
        kinds = [row[0] for row in db.execute("SELECT kind FROM alarm ORDER BY kind")]
        db.close()
        return kinds

    def orders(self) -> list[tuple[str, str, dict[str, object]]]:
        db = sqlite3.connect(self.folder / "uplink.db")
        found = db.execute("SELECT line, verb, args FROM orders").fetchall()
        db.close()
        return [(line, verb, json.loads(args)) for line, verb, args in found]

    def close(self) -> None:
        self.store.close()
        self.book.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def test_a_backlog_is_drained_in_full_batches_and_then_each_row_at_once(folder: Path) -> None:
    card = Card(list(voters.rows(2 * ROWS + 7)))
    road = Road(folder, [card])
    road.connect()
    road.run(2)
    assert road.held() == card.kept and road.courier.unsent() == 0
    extra = list(voters.rows(2 * ROWS + 8))[-1:]
    card.write(extra)
    road.run(0.3)
    assert road.held()[-1:] == extra and road.alarms() == []
    road.close()


def test_batches_stay_below_the_limit_of_bytes(folder: Path) -> None:
    dice = random.Random(3)
    noise = ["".join(chr(dice.randrange(0x900, 0x97F)) for _ in range(300)) for _ in range(ROWS)]
    rows = [(*row[:12], json.dumps({"text": text})) for row, text in zip(voters.rows(ROWS), noise, strict=True)]
    road = Road(folder, [Card(rows)])
    road.connect()
    sizes = []
    for _ in range(40):
        payloads = road.due()
        sizes += [len(payload) for payload in payloads]
        road.answer(payloads)
        road.now += 0.1
    assert max(sizes) <= BYTES and road.held() == rows
    road.close()


def test_an_uplink_goes_on_from_its_file_and_hq_has_the_last_word(folder: Path) -> None:
    card = Card(list(voters.rows(100)))
    road = Road(folder, [card])
    road.connect()
    road.run(1)
    road.restart()
    card.write(list(voters.rows(120))[100:])
    road.connect()
    hello, *more = road.due()
    assert more == [], "nothing is sent before HQ has said where to begin"
    road.answer([hello])
    (batch,) = [message for payload in road.due() if isinstance(message := wire.unpack(payload), wire.Batch)]
    assert batch.head.first == 101
    road.store.close()
    for name in ("hq.db", "hq.db-wal", "hq.db-shm"):
        (folder / name).unlink(missing_ok=True)
    road.store = Store(folder / "hq.db")  # HQ lost its disk: everything is sent again
    road.connect()
    road.run(2)
    assert road.held() == card.kept
    road.close()


def test_nothing_is_done_by_a_publish_and_the_pause_grows(folder: Path) -> None:
    road = Road(folder, [Card(list(voters.rows(10)))])
    road.connect()
    road.answer(road.due())
    sent = []
    for _ in range(36_000):
        if any(isinstance(wire.unpack(payload), wire.Batch) for payload in road.due()):
            sent.append(road.now)
        road.now += 0.1
    gaps = [later - earlier for earlier, later in itertools.pairwise(sent)]
    assert 8 <= len(gaps) < 60 and min(gaps) >= 0.9 and max(gaps[:2]) <= 21 and 60 < max(gaps) <= 301
    assert road.courier.unsent() == 10
    road.run(400)
    assert len(road.held()) == 10
    road.close()


def test_ledgers_take_turns_and_a_busy_hq_is_asked_less_often(folder: Path) -> None:
    cards = [Card(list(voters.rows(40, seed=n)), f"0000000{n}", f"l{n}") for n in range(4)]
    road = Road(folder, cards)
    road.connect()
    road.answer(road.due())
    order = []
    for _ in range(4):
        (payload,) = road.due()
        message = wire.unpack(payload)
        assert isinstance(message, wire.Batch)
        order.append(message.head.store)
        road.answer([payload], next_s=30)
    assert sorted(order) == [card.store for card in cards]
    cards[0].write(list(voters.rows(41, seed=0))[-1:])
    road.now += 29
    assert not any(isinstance(wire.unpack(payload), wire.Batch) for payload in road.due())
    road.now += 1.1
    assert any(isinstance(wire.unpack(payload), wire.Batch) for payload in road.due())
    cards[1].write(list(voters.rows(40 + ROWS, seed=1))[40:])
    road.courier.lost()
    road.connect()
    road.run(1)
    assert len(road.held(cards[1].store)) == 40 + ROWS, "a full batch waits for nobody"
    road.close()


def test_a_ledger_that_cannot_be_read_costs_only_itself(folder: Path) -> None:
    bad, good = Card(list(voters.rows(30)), "000000bd", "l1"), Card(list(voters.rows(30)), "0000600d", "l2")
    road = Road(folder, [bad, good])
    road.connect()
    road.answer(road.due())
    bad.broken = True
    road.run(3)
    assert road.held(good.store) == good.kept and "line l1" in road.courier.troubles()[0]
    bad.broken = False
    road.run(100)
    assert road.held(bad.store) == bad.kept and road.courier.troubles() == []
    road.close()


def test_a_gap_in_a_ledger_is_a_damaged_ledger(folder: Path) -> None:
    card = Card(list(voters.rows(30)))
    del card.kept[5]
    card.kept.append(card.kept[-1])
    road = Road(folder, [card])
    road.connect()
    road.run(2)
    assert road.held() == [] and "cannot be read" in road.courier.troubles()[0]
    road.close()


def test_one_row_that_hq_cannot_read_is_found_by_halving_and_passed(folder: Path) -> None:
    rows = list(voters.rows(60))
    rows[41] = (*rows[41][:7], "no\ncampaign", *rows[41][8:])
    road = Road(folder, [Card(rows)])
    road.connect()
    road.run(30)
    assert road.held() == rows[:41] + rows[42:] and road.alarms() == ["unreadable"]
    assert road.courier.unsent() == 0
    road.close()


# --------------------------------------------------------------------------- cloned and put back


def forked(folder: Path, shared: int, acked: int, ours: int) -> Road:
    """A card put back to `shared` rows, of which its book knew `acked`; it has written `ours` rows since."""
    life = list(voters.rows(100))
    road = Road(folder, [Card(life[:acked])])
    road.connect()
    road.run(1)
    road.book.close()
    before = (folder / "uplink.db").read_bytes()
    road.book = Book(folder / "uplink.db")
    road.restart()
    road.cards[0].write(life[acked:])
    road.connect()
    road.run(1)
    assert road.held() == life
    road.book.close()
    for name in ("uplink.db-wal", "uplink.db-shm"):
        (folder / name).unlink(missing_ok=True)
    (folder / "uplink.db").write_bytes(before)
    other = [(*row[:4], row[4] + 7, *row[5:]) for row in life[shared : shared + ours]]
    road.cards = [Card(life[:shared] + other)]
    road.book = Book(folder / "uplink.db")
    road.restart()
    road.now += 100
    road.connect()
    road.run(20)
    assert road.held() == life, "nothing held is changed"
    return road


@pytest.mark.parametrize("ours", [0, 1, 20, 60])
@pytest.mark.parametrize(("shared", "acked"), [(40, 40), (70, 40), (40, 0)])
def test_a_card_put_back_stops_and_orders_a_new_ledger_from_where_it_differs(
    folder: Path, shared: int, acked: int, ours: int
) -> None:
    ours = min(ours, 100 - shared)
    road = forked(folder, shared, acked, ours)
    assert road.orders() == [("l1", "new-store", {"after": shared, "store": "0badcafe"})]
    assert "cloned, or put back" in road.courier.troubles()[0]
    assert {"fork", "rolled-back"} & set(road.alarms())
    road.restart()
    road.connect()
    road.run(300)
    assert len(road.orders()) == 1, "one order is enough, also after a restart"
    road.close()


def test_a_copied_card_in_another_box_stops(folder: Path) -> None:
    road = Road(folder, [Card(list(voters.rows(10)))])
    thief = wire.topic("nashik", "b2", "up")
    told = wire.StoreHead("0badcafe", "l1", 0, GENESIS)
    road.store.take([(thief, wire.pack_hello(wire.Hello("b2", "nashik", "UTC", "1", 1, 3, (told,))))], AT_MS)
    road.connect()
    road.run(1)
    assert road.held() == [] and len(road.orders()) == 1
    road.close()


# --------------------------------------------------------------------------------- any weather


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_every_row_arrives_once_over_any_road(data: st.DataObject) -> None:
    """Payloads and acknowledgements are lost, repeated, kept back and delivered late; both ends restart at any
    point; rows are written meanwhile. Then the weather clears: everything is there, and nobody cried wolf."""
    life = [list(voters.rows(60, seed=n, replies=bool(n))) for n in range(2)]
    cards = [Card(life[n][:5], f"0000000{n}", f"l{n}") for n in range(2)]
    with tempfile.TemporaryDirectory() as name:
        road = Road(Path(name), cards, data.draw(st.integers(0, 99)))
        road.connect()
        up: list[bytes] = []
        down: list[bytes] = []
        for step in data.draw(st.lists(st.sampled_from(STEPS), max_size=60)):
            if step == "write":
                for card, rows in zip(cards, life, strict=True):
                    card.write(rows[len(card.kept) : len(card.kept) + data.draw(st.integers(0, 9))])
            elif step == "send":
                up += road.due()
            elif step == "wait":
                road.now += data.draw(st.sampled_from([0.5, 6.0, 70.0, 400.0]))
            elif step == "arrive" and up:
                payload = data.draw(st.sampled_from(up))
                if data.draw(st.booleans()):
                    up.remove(payload)
                down += [ack for _, ack in road.store.take([(UP, payload)], road.at_ms)]
            elif step == "answer" and down:
                payload = data.draw(st.sampled_from(down))
                if data.draw(st.booleans()):
                    down.remove(payload)
                road.courier.heard(payload, road.now, road.at_ms)
            elif step == "lose":
                up, down = [], []
            elif step == "drop":
                road.courier.lost()
                road.connect()
            elif step == "box":
                road.restart()
                road.connect()
            elif step == "hq":
                road.store.close()
                road.store = Store(road.folder / "hq.db")
        for card, rows in zip(cards, life, strict=True):
            card.write(rows[len(card.kept) :])
        road.now += 1000
        road.connect()
        road.run(60)
        for card, rows in zip(cards, life, strict=True):
            assert road.held(card.store) == rows
        assert road.alarms() == [] and road.orders() == [] and road.courier.unsent() == 0
        road.close()


STEPS = ["write", "send", "send", "wait", "arrive", "arrive", "arrive", "answer", "answer", "lose", "drop", "box", "hq"]


# -------------------------------------------------------------------------------- the process's parts


def test_the_shelf_opens_what_appears_and_names_what_it_cannot_read(folder: Path) -> None:
    shelf = uplink.Shelf(folder)
    assert shelf.readers() == [] and shelf.troubles == []
    voters.write_ledger(folder / "l1.db", "00000001", "b1", "l1", voters.rows(3))
    (folder / "l2.db").write_bytes(b"not a database, and long enough to be looked at" * 30)
    (reader,) = shelf.readers()
    assert reader.line == "l1" and "l2.db cannot be read" in shelf.troubles[0]
    assert shelf.readers() == [reader]
    (folder / "l1.db").unlink()
    voters.write_ledger(folder / "new.db", "00000002", "b1", "l1", voters.rows(3))
    (folder / "new.db").rename(folder / "l1.db")
    (again,) = shelf.readers()
    assert again.store == "00000002"
    shelf.close()


def test_a_real_ledger_is_what_the_courier_wants(folder: Path) -> None:
    voters.write_ledger(folder / "l1.db", "0badcafe", "b1", "l1", voters.rows(700))
    reader = Reader(folder / "l1.db")
    road = Road(folder, [reader])  # type: ignore[list-item]
    road.connect()
    road.run(2)
    assert road.held() == list(voters.rows(700))
    reader.close()
    road.close()


def box_toml(folder: Path, url: str) -> Path:
    (folder / "campaigns").mkdir()
    (folder / "campaigns" / "water.toml").write_text('id = "water"\n')
    file = folder / "box.toml"
    file.write_text(
        f'[box]\nid = "b1"\ndata = "{folder}"\ndistrict = "nashik"\ncountry = "IN"\ntimezone = "Asia/Kolkata"\n'
        '[[line]]\nname = "l1"\nnumber = "+919000000001"\ncampaign = "water"\nport = "/dev/null"\n'
        f'[hq]\nurl = "{url}"\n'
    )
    return file


def test_a_damaged_file_of_the_uplink_is_set_aside(folder: Path) -> None:
    (folder / "uplink.db").write_bytes(b"\x00scrambled" * 500)
    made = uplink.Uplink(load(box_toml(folder, "mqtt://127.0.0.1:1")), Pace())
    assert [path.name for path in folder.glob("damaged-*")] and made
    assert Book(folder / "uplink.db").entry("0badcafe").mark == 0


def test_an_uplink_without_a_broker_says_so_and_ends_when_told(folder: Path) -> None:
    made = uplink.Uplink(load(box_toml(folder, "mqtt://127.0.0.1:1")), Pace().times(0.001))
    for _ in range(3):
        made._turn()
    made.stop()
    made.run()
    told = json.loads((folder / "state" / "uplink.json").read_text())
    assert told["state"] == "offline" and set(told) == {
        "state", "since_ms", "unsent", "last_ack_ms", "words", "updated_ms", "sound", "recordings"
    }  # fmt: skip


def test_a_refused_configuration_is_one_line_and_an_exit_of_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert uplink.run(folder / "none.toml") == 1
    assert "none.toml" in capsys.readouterr().err


def test_a_link_that_cannot_connect_is_an_event_not_an_exception() -> None:
    inbox: queue.SimpleQueue[mqtt.Event] = queue.SimpleQueue()
    broker = mqtt.Broker("mqtt://someone:secret@127.0.0.1:1")
    made = mqtt.Link(broker, "test", [("x", 1)], inbox)
    made.open()
    down = inbox.get(timeout=10)
    assert isinstance(down, mqtt.Down) and "cannot be reached" in down.words
    assert "secret" not in down.words + repr(broker)
    made.publish("x", b"y")
    made.close()
