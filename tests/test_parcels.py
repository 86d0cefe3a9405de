"""Sound on the road: every recording reaches HQ byte for byte over a road that loses, repeats, delays and reorders,
whichever end is restarted; rows go first, grievances next; a day's budget holds. Made-up time, and both ends real."""

from __future__ import annotations

import hashlib
import json
import random
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import recordings
from edge.events import Row, Stamp
from sync import wire
from sync.book import Book
from sync.courier import Courier
from sync.hq import recordings as shelf
from sync.hq.store import Store
from sync.pace import Pace
from sync.parcels import OVERHEAD, Parcels
from sync.takes import TRIES, Takes
from tests.test_uplink import AT_MS, UP, WHO, Card, Road

STORE = "0badcafe"
CHUNK = wire.MAX_CHUNK
MB = 1_000_000
DAY_S = 86_400


class Copying:
    """An encoder that takes no time: the sound on the road is the file itself."""

    def __init__(self, wav: Path, opus: Path) -> None:
        self.wav, self.opus = wav, opus

    def poll(self) -> str:
        self.opus.parent.mkdir(exist_ok=True)
        self.opus.write_bytes(self.wav.read_bytes())
        return ""

    def stop(self) -> None:
        raise AssertionError("it has ended")


class Takers:
    """A box that records: rows in a ledger, files in a folder."""

    def __init__(self, folder: Path, store: str = STORE) -> None:
        self.folder, self.card, self.sounds = folder, Card([], store), {}
        (folder / "recordings").mkdir(parents=True, exist_ok=True)
        self.row("store", store)

    sounds: dict[int, bytes]

    def row(self, kind: str, state: str, of: int = 0, seconds: int = 0, **extra: object) -> int:
        seq = len(self.card.kept) + 1
        packed = json.dumps(extra, sort_keys=True, separators=(",", ":")) if extra else ""
        caller = ("+919876543210", "national") if kind in ("recording", "call") and not of else ("", "")
        self.card.write([Row(seq, of, kind, "ab", seq, AT_MS + seq, 3, "water", *caller, state, seconds, packed)])
        return seq

    def record(self, size: int, case: bool = False, seed: int = 1) -> int:
        """One take of `size` bytes, kept. Returns the seq of its row."""
        seq = len(self.card.kept) + 1
        sound = random.Random(f"{seed} {seq}").randbytes(size)
        (self.folder / "recordings" / recordings.name(self.card.store, seq)).write_bytes(sound)
        told: dict[str, object] = {"call": 1, "file": recordings.name(self.card.store, seq), "node": "main"}
        self.row("recording", "recording", **told, **({"case": True} if case else {}))
        self.row("recording", "kept", seq, 9, ms=9000, sha256=hashlib.sha256(sound).hexdigest())
        self.sounds[seq] = sound
        return seq


class SoundRoad(Road):
    """A road that carries sound too. `on_air` has the names of what was published, in order."""

    def __init__(
        self,
        folder: Path,
        boxes: list[Takers],
        seed: int = 1,
        budget: int = 50 * MB,
        make: Callable[..., object] = Copying,
    ) -> None:
        self.boxes, self.budget, self.make = boxes, budget, make
        self.on_air: list[wire.Message] = []
        super().__init__(folder, [box.card for box in boxes], seed)
        self._courier()

    def _courier(self) -> None:
        self.takes = Takes(self.book, self.folder, self.make)  # type: ignore[arg-type]
        self.parcels = Parcels(self.takes, self.book, self.budget, "Asia/Kolkata", Pace(), self.dice)
        self.courier = Courier(WHO, self.book, Pace(), self.dice, self.parcels)

    def restart(self) -> None:
        super().restart()
        self._courier()

    clock = 3

    def due(self) -> list[bytes]:
        self.courier.see(self.cards, self.now)
        self.parcels.see(self.cards, self.now, Stamp("ab", round(self.now * 1000), self.at_ms, self.clock))
        payloads = self.courier.due(self.now, self.at_ms, self.clock)
        self.on_air += map(wire.unpack, payloads)
        return payloads

    def until(self, true: Callable[[], bool], most_s: float = 300) -> None:
        """A perfect road until something has come true, or for a while."""
        end = self.now + most_s
        while self.now < end and not true():
            self.run(0.3)

    def held_sound(self, seq: int, store: str = STORE) -> bytes | None:
        file = self.folder / shelf.where("b1", store, seq)
        return file.read_bytes() if file.exists() else None

    def files(self) -> list[tuple[object, ...]]:
        return self.ask(
            "SELECT seq, have, bytes, wrong, done_ms IS NOT NULL FROM recording_file ORDER BY store_id, seq"
        )

    def ask(self, sql: str) -> list[tuple[object, ...]]:
        db = sqlite3.connect(self.folder / "hq.db")
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()

    def parcels_on_air(self) -> list[wire.Parcel]:
        return [message for message in self.on_air if isinstance(message, wire.Parcel)]


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture
def box(folder: Path) -> Takers:
    return Takers(folder)


def test_a_recording_arrives_whole_and_is_acknowledged_once_it_is_checked(folder: Path, box: Takers) -> None:
    seq = box.record(3 * CHUNK + 17)
    road = SoundRoad(folder, [box])
    road.connect()
    road.run(5)
    assert road.held_sound(seq) == box.sounds[seq]
    assert road.files() == [(seq, len(box.sounds[seq]), len(box.sounds[seq]), 0, 1)]
    assert list(recordings.acknowledged(folder)) == [(STORE, seq)] and road.parcels.waiting() == 0
    assert not recordings.road(folder, STORE, seq).exists(), "what has arrived leaves the road"
    assert [len(parcel.chunk) for parcel in road.parcels_on_air()] == [CHUNK, CHUNK, CHUNK, 17]
    assert (folder / "recordings" / recordings.name(STORE, seq)).exists(), "the take itself is the line's to erase"
    road.close()


# ------------------------------------------------------------------------------------- any weather

STEPS = (
    *(["send"] * 5), *(["arrive"] * 6), *(["answer"] * 5), *(["wait"] * 2),
    "record", "case", "lose", "drop", "box", "hq", "cut", "tear",
)  # fmt: skip


class Cut(Exception):
    """HQ's power went between the file and the commit."""


def weather(dice: random.Random, steps: int) -> None:
    """Takes are made; payloads and answers are lost, repeated, kept back and delivered late; both ends restart at any
    point, HQ also between its file and its commit, and files on the box's road tear. Whatever HQ says it has is the
    beginning of the take. Then the weather clears: everything is there, byte for byte, and nothing was ever wrong."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        box = Takers(folder)
        road = SoundRoad(folder, [box], dice.randrange(100))
        box.record(2 * CHUNK + 77)
        road.connect()
        road.run(dice.choice([0.0, 0.2]))
        up: list[bytes] = []
        down: list[bytes] = []
        for _ in range(steps):
            step = dice.choice(STEPS)
            if step in ("record", "case") and len(box.sounds) < 4:
                box.record(dice.choice([1, 500, CHUNK, CHUNK + 1, 2 * CHUNK + 77]), step == "case", dice.randrange(9))
            elif step == "send":
                up += road.due()
            elif step == "wait":
                road.now += dice.choice([0.5, 6.0, 70.0, 400.0])
            elif step in ("arrive", "cut") and up:
                payload = dice.choice(up)
                if dice.random() < 0.5:
                    up.remove(payload)
                if step == "arrive":
                    down += [answer for _, answer in road.store.take([(UP, payload)], road.at_ms)]
                else:
                    cut(road, payload)
                true_beginnings(road, box)
            elif step == "answer" and down:
                payload = dice.choice(down)
                if dice.random() < 0.5:
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
                road.store = Store(folder / "hq.db")
            elif step == "tear" and (files := sorted((folder / "road").glob("*"))):
                dice.choice(files).write_bytes(b"torn")
        road.now += 10_000
        road.connect()
        road.until(lambda: len(recordings.acknowledged(folder)) == len(box.sounds) and not road.courier.unsent())
        wrong = [seq for seq, sound in box.sounds.items() if road.held_sound(seq) != sound]
        assert not wrong  # not the sounds themselves: to tell how they differ takes minutes
        assert [file[3:] for file in road.files()] == [(0, 1)] * len(box.sounds), "no whole was ever wrong"
        assert set(recordings.acknowledged(folder)) == {(STORE, seq) for seq in box.sounds}
        assert road.alarms() == [] and road.courier.unsent() == 0 and not road.parcels.words()
        assert not list((folder / "road").glob("*")) and not list((folder / "recordings").rglob("*.part"))
        assert road.held() == box.card.kept
        road.close()


def cut(road: SoundRoad, payload: bytes) -> None:
    def out(*_: object) -> None:
        raise Cut

    road.store._alarms = out  # type: ignore[method-assign]
    with pytest.raises(Cut):
        road.store.take([(UP, payload)], road.at_ms)
    road.store.close()
    road.store = Store(road.folder / "hq.db")


def true_beginnings(road: SoundRoad, box: Takers) -> None:
    for seq, have, size, wrong, done in road.files():
        assert isinstance(seq, int) and isinstance(have, int) and not wrong
        whole = road.folder / shelf.where("b1", STORE, seq)
        file = whole if done or not have else whole.with_name(whole.name + ".part")
        if file is whole and not done and have:
            assert whole.exists()  # a cut came behind its name
        if have:
            place = file if file.exists() else whole
            assert place.read_bytes()[:have] == box.sounds[seq][:have] and size == len(box.sounds[seq])


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 70))
def test_every_recording_arrives_byte_for_byte_over_any_road(dice: random.Random, steps: int) -> None:
    weather(dice, steps)


def caught() -> bool:
    for seed in range(60):
        try:
            weather(random.Random(seed), 70)
        except AssertionError:
            return True
    return False


def test_the_same_weather_with_plain_dice() -> None:
    for seed in range(15):
        weather(random.Random(seed), 70)


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("fresh", lambda offset, chunk, have: chunk),  # whatever comes is appended
        ("fresh", lambda offset, chunk, have: chunk if offset == have else chunk[1:]),
        ("_fits", lambda file, parcel: False),  # nothing is ever whole
        ("where", lambda box, store, seq, codec="opus": f"recordings/{box}/{store}.opus"),  # one file for all
    ],
)
def test_a_headquarters_that_takes_pieces_wrongly_is_caught(
    monkeypatch: pytest.MonkeyPatch, name: str, broken: Callable[..., object]
) -> None:
    """The control: what the property checks must be able to fail."""
    monkeypatch.setattr(shelf, name, broken)
    assert caught()


# ------------------------------------------------------------------------------------ what goes when


def kinds(road: SoundRoad) -> list[str]:
    return [type(message).__name__ for message in road.on_air]


def sent(road: SoundRoad) -> list[int]:
    """Whose pieces went, in order, each run once."""
    seqs = [parcel.seq for parcel in road.parcels_on_air()]
    return [seq for place, seq in enumerate(seqs) if place == 0 or seqs[place - 1] != seq]


def test_sound_goes_when_no_row_waits_or_is_outstanding(folder: Path, box: Takers) -> None:
    seq = box.record(4 * CHUNK)
    road = SoundRoad(folder, [box])
    road.connect()
    road.answer(road.due())
    batch = road.due()
    assert kinds(road) == ["Hello", "Batch"] and road.due() == [], "the batch has no answer yet"
    road.answer(batch)
    piece = road.due() or road.due()
    assert kinds(road)[-1] == "Parcel" and road.due() == [], "one piece at a time"
    box.row("call", "missed")
    batch = road.due()
    assert kinds(road)[-1] == "Batch", "a row does not wait for the answer to a piece"
    road.answer(piece)
    assert road.due() == [], "nor does a piece go while a row waits for its own"
    road.answer(batch)
    assert road.due() and kinds(road)[-1] == "Parcel"
    road.now += 200
    road.until(lambda: not road.parcels.waiting())
    assert road.held_sound(seq) == box.sounds[seq]
    road.close()


def test_grievances_go_first_then_the_oldest_and_what_was_begun_is_gone_on_with(folder: Path, box: Takers) -> None:
    first, second = box.record(3 * CHUNK), box.record(10)
    road = SoundRoad(folder, [box])
    road.connect()
    while len(road.parcels_on_air()) < 2:
        road.answer(road.due())
        road.now += 0.1
    case = box.record(2 * CHUNK, case=True)
    road.until(lambda: not road.parcels.waiting())
    assert sent(road) == [first, case, first, second]
    assert sum(len(parcel.chunk) for parcel in road.parcels_on_air()) == 5 * CHUNK + 10, "no byte went twice"
    road.close()


def test_a_busy_headquarters_is_spared_sound_too(folder: Path, box: Takers) -> None:
    box.record(10)
    road = SoundRoad(folder, [box])
    road.connect()
    road.answer(road.due())
    road.answer(road.due(), next_s=30)
    road.now += 29
    road.answer(road.due())
    assert not road.parcels_on_air()
    road.now += 1.1
    road.run(0.5)
    assert road.parcels_on_air() and not road.parcels.waiting()
    road.close()


def test_without_an_answer_the_box_asks_how_far_it_is(folder: Path, box: Takers) -> None:
    box.record(3 * CHUNK)
    road = SoundRoad(folder, [box])
    road.connect()
    while not road.parcels_on_air():
        road.answer(road.due())
        road.now += 0.1
    for _ in range(40_000):
        road.due()
        road.now += 0.1
    asked = road.parcels_on_air()[2:]  # HQ still took the first
    assert all(not parcel.chunk for parcel in asked) and 8 <= len(asked) < 80, "small, and ever more rarely"
    road.now += 400
    road.until(lambda: not road.parcels.waiting())
    road.close()


# -------------------------------------------------------------------------------------- the budget


def spent(road: SoundRoad) -> int:
    return sum(len(wire.pack_parcel(parcel)) + OVERHEAD for parcel in road.parcels_on_air())


def test_a_day_has_its_budget_with_a_reserve_for_grievances(folder: Path, box: Takers) -> None:
    for _ in range(30):
        box.record(CHUNK)
    road = SoundRoad(folder, [box], budget=100_000)
    road.connect()
    road.run(30)
    assert 80_000 - 2 * CHUNK < spent(road) <= 80_000
    assert (
        road.parcels.words()
        == f"{road.parcels.waiting()} recordings wait for tomorrow: today's data for sound is used up"
    )
    assert len(list((folder / "road").glob("*"))) <= 3, "nothing is made small that cannot go"
    cases = [box.record(CHUNK, case=True) for _ in range(9)]
    road.run(30)
    assert 100_000 - 2 * CHUNK < spent(road) <= 100_000 and set(sent(road)[-2:]) <= set(cases)
    road.restart()
    road.connect()
    road.run(30)
    assert spent(road) <= 100_000, "a restart does not make it a new day"
    road.now += DAY_S
    road.run(40)
    assert 160_000 < spent(road) <= 200_000 and set(cases) <= set(sent(road)), "grievances first, tomorrow too"
    road.close()


@pytest.mark.parametrize(("budget", "words"), [(0, "1 recording waits here: [hq] data_mb_per_day is 0"),
                                               (9000, "1 recording waits for tomorrow")])  # fmt: skip
def test_a_budget_that_lets_nothing_go_says_so(folder: Path, box: Takers, budget: int, words: str) -> None:
    box.record(CHUNK)
    road = SoundRoad(folder, [box], budget=budget)
    road.connect()
    road.run(5)
    assert not road.parcels_on_air() and road.parcels.words().startswith(words)
    road.close()


def test_the_day_is_the_boxs_own(folder: Path, box: Takers) -> None:
    """AT_MS and what follows: 17:36 in Kolkata, so that its midnight comes in less than seven hours, not in twelve."""
    for _ in range(3):
        box.record(CHUNK)
    road = SoundRoad(folder, [box], budget=12_000)
    road.connect()
    road.run(3)
    assert len(sent(road)) == 1
    to_midnight = 86_400_000 - (road.at_ms + 19_800_000) % 86_400_000
    road.now += to_midnight / 1000 - 1
    road.run(0.5)
    assert len(sent(road)) == 1
    road.now += 1
    road.run(3)
    assert len(sent(road)) == 2
    road.close()


# ------------------------------------------------------------------------------- what HQ refuses


def parcel(box: Takers, take: int, offset: int = 0, **other: object) -> wire.Parcel:
    sound = box.sounds[take]
    told: dict[str, object] = {
        "store": STORE, "seq": take, "codec": "opus", "total": len(sound), "sha256": hashlib.sha256(sound).digest(),
        "offset": offset, "chunk": sound[offset : offset + CHUNK],
    }  # fmt: skip
    return wire.Parcel(**{**told, **other})  # type: ignore[arg-type]


def told(road: SoundRoad, parcel: wire.Parcel, topic: str = UP) -> wire.Held:
    ((where, payload),) = road.store.take([(topic, wire.pack_parcel(parcel))], road.at_ms)
    held = wire.unpack(payload)
    assert where == topic[:-2] + "ack" and isinstance(held, wire.Held)
    return held


@pytest.fixture
def rows_there(folder: Path, box: Takers) -> Iterator[SoundRoad]:
    """Two recordings (seq 2 and 4) whose rows are at HQ, and none of whose sound."""
    box.record(2 * CHUNK)
    box.record(100)
    road = SoundRoad(folder, [box], budget=0)
    road.connect()
    road.run(1)
    assert road.held() == box.card.kept
    yield road
    road.close()


def test_only_a_recording_of_that_box_whose_row_is_here_is_taken(rows_there: SoundRoad, box: Takers) -> None:
    road = rows_there
    for stranger in (
        told(road, parcel(box, 2, seq=1)), told(road, parcel(box, 2, seq=3)), told(road, parcel(box, 2, seq=99)),
        told(road, parcel(box, 2, store="0000dead")), told(road, parcel(box, 2), wire.topic("nashik", "b2", "up")),
    ):  # fmt: skip
        assert (stranger.have, stranger.state) == (0, "unknown")
    assert not list((road.folder / "recordings").rglob("*.part")) and road.files() == []


def test_what_is_too_great_or_of_another_kind_is_refused(rows_there: SoundRoad, box: Takers) -> None:
    road = rows_there
    assert told(road, parcel(box, 2, total=wire.MAX_SOUND + 1)).state == "refused: size"
    assert told(road, parcel(box, 2, total=0, chunk=b"")).state == "refused: size"
    assert told(road, parcel(box, 2, codec="exe")).state == "refused: codec"
    assert told(road, parcel(box, 4)).state == "done"
    assert told(road, parcel(box, 4, total=wire.MAX_SOUND + 1)).state == "done", "it needs nothing more"


def test_a_whole_that_does_not_fit_its_digest_is_dropped_and_the_third_time_refused(
    rows_there: SoundRoad, box: Takers
) -> None:
    road, wrong = rows_there, bytes(32)
    for time in (1, 2):
        assert told(road, parcel(box, 2, sha256=wrong)) == wire.Held(STORE, 2, CHUNK)
        assert told(road, parcel(box, 2, CHUNK, sha256=wrong)) == wire.Held(STORE, 2, 0)
        assert road.files() == [(2, 0, 2 * CHUNK, time, 0)] and road.alarms() == []
        assert not list((road.folder / "recordings").rglob("*.part"))
    told(road, parcel(box, 2, sha256=wrong))
    assert told(road, parcel(box, 2, CHUNK, sha256=wrong)).state == "refused: digest"
    assert road.alarms() == ["digest"]
    assert told(road, parcel(box, 2, sha256=wrong)).state == "refused: digest", "and it stays so"
    told(road, parcel(box, 2))
    assert told(road, parcel(box, 2, CHUNK)).state == "done", "made anew, it has a new digest"


def test_another_version_of_the_same_take_begins_anew(rows_there: SoundRoad, box: Takers) -> None:
    road = rows_there
    assert told(road, parcel(box, 2)).have == CHUNK
    other = random.Random(5).randbytes(2 * CHUNK)
    assert told(road, parcel(box, 2, CHUNK, chunk=b"", sha256=hashlib.sha256(other).digest())).have == 0
    assert told(road, parcel(box, 2, chunk=b"")).have == 0


def test_a_box_whose_recording_is_refused_lets_it_be(
    folder: Path, box: Takers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "MAX_SOUND", 1000)
    box.record(1001)
    fine = box.record(1000)
    road = SoundRoad(folder, [box])
    road.connect()
    road.run(20)
    assert road.held_sound(fine) and road.parcels.waiting() == 0
    assert road.parcels.words() == "headquarters refused 1: call them"
    assert list(recordings.acknowledged(folder)) == [(STORE, fine)], "what was refused is not acknowledged"
    pieces = len(road.parcels_on_air())
    road.restart()
    road.connect()
    road.run(100)
    assert len(road.parcels_on_air()) == pieces
    road.close()


def test_a_disk_of_headquarters_that_refuses_costs_sound_and_no_row(folder: Path, box: Takers) -> None:
    seq = box.record(100)
    road = SoundRoad(folder, [box])
    (folder / "recordings" / "b1").write_text("a file where the folder should be")
    road.connect()
    road.run(30)
    box.row("call", "missed")
    road.run(3)
    assert road.held() == box.card.kept and road.alarms() == ["recordings"]
    assert len(road.parcels_on_air()) == 1, "it is left alone for a while"
    (folder / "recordings" / "b1").unlink()
    road.until(lambda: not road.parcels.waiting())
    assert road.held_sound(seq) == box.sounds[seq]
    road.close()


def test_what_was_taken_off_headquarters_disk_is_sent_again(rows_there: SoundRoad, box: Takers) -> None:
    road = rows_there
    assert told(road, parcel(box, 2)).have == CHUNK
    (part,) = (road.folder / "recordings").rglob("*.part")
    part.write_bytes(box.sounds[2][:100])
    assert told(road, parcel(box, 2, CHUNK)).have == 100
    part.unlink()
    assert told(road, parcel(box, 2, CHUNK)).have == 0
    told(road, parcel(box, 2))
    assert told(road, parcel(box, 2, CHUNK)).state == "done"


def test_a_link_in_place_of_a_file_is_not_followed(rows_there: SoundRoad, box: Takers) -> None:
    road = rows_there
    place = road.folder / (shelf.where("b1", STORE, 2) + ".part")
    place.parent.mkdir(parents=True)
    target = road.folder / "target"
    target.write_bytes(b"")
    place.symlink_to(target)
    assert told(road, parcel(box, 2)).state == "later" and target.read_bytes() == b""


def test_headquarters_put_back_to_an_older_state_gets_its_recordings_again(folder: Path, box: Takers) -> None:
    seq = box.record(3 * CHUNK)
    road = SoundRoad(folder, [box])
    road.connect()
    road.until(lambda: not road.parcels.waiting())
    road.store.close()
    for file in (*folder.glob("hq.db*"), *(folder / "recordings").rglob("*.opus")):
        file.unlink()
    road.store = Store(folder / "hq.db")
    road.connect()
    road.run(3)
    assert road.held() == box.card.kept and road.held_sound(seq) == box.sounds[seq]
    assert list(recordings.acknowledged(folder)) == [(STORE, seq)]
    road.close()


def test_a_recording_whose_row_never_comes_is_asked_about_ever_more_rarely(folder: Path, box: Takers) -> None:
    other = Takers(folder, "0000aaaa")
    stays, goes = other.record(10), box.record(10)
    road = SoundRoad(folder, [box, other])
    thief = wire.Hello("b9", "x", "UTC", "1", 1, 3, (wire.StoreHead("0000aaaa", "l1", 0, bytes(8)),))
    road.store.take([(wire.topic("x", "b9", "up"), wire.pack_hello(thief))], AT_MS)
    road.connect()
    road.run(10)
    assert road.held_sound(goes) == box.sounds[goes] and road.held_sound(stays, "0000aaaa") is None
    asked = len(road.parcels_on_air())
    for _ in range(2 * DAY_S // 30):
        road.answer(road.due())
        road.now += 30
    assert 10 < len(road.parcels_on_air()) - asked < 70
    road.close()


# ---------------------------------------------------------------------------------- on the box


class Broken(Copying):
    def poll(self) -> str:
        return "it is no sound"


def test_a_take_that_nobody_can_make_small_is_given_up_after_some_tries(folder: Path, box: Takers) -> None:
    seq = box.record(10)
    road = SoundRoad(folder, [box], make=Broken)
    road.connect()
    road.run(1)
    road.until(lambda: not road.parcels.waiting(), 1000)
    assert road.book.sound(STORE, seq) == ("failed: it is no sound", 0, b"") and TRIES == 3
    assert not road.parcels_on_air() and recordings.acknowledged(folder) == {}
    road.close()


def test_without_an_encoder_takes_are_kept_for_later(folder: Path, box: Takers) -> None:
    seq, able = box.record(10), []

    def make(wav: Path, opus: Path) -> Copying:
        if not able:
            raise OSError(recordings.NO_ENCODER)
        return Copying(wav, opus)

    road = SoundRoad(folder, [box], make=make)
    road.connect()
    road.run(5)
    assert "1 recording waits: neither opusenc nor soundfile is installed" in road.parcels.words()
    able.append(True)
    road.now += 601
    road.until(lambda: not road.parcels.waiting())
    assert road.held_sound(seq) == box.sounds[seq]
    road.close()


def test_a_take_that_is_gone_and_one_that_the_line_erased_are_not_waited_for(folder: Path, box: Takers) -> None:
    gone, erased, empty = box.record(10), box.record(10), box.record(10)
    (folder / "recordings" / recordings.name(STORE, gone)).unlink()
    box.row("recording", "erased", erased)
    box.row("recording", "empty", empty)
    open_one = box.row("recording", "recording", file="../../etc/passwd")
    road = SoundRoad(folder, [box])
    road.connect()
    road.run(5)
    assert not road.parcels_on_air() and road.parcels.waiting() == 0 and open_one
    assert road.book.sound(STORE, gone) == ("lost: its file is gone", 0, b"")
    road.close()


def test_a_time_that_nobody_knows_yet_is_put_in_later(folder: Path, box: Takers) -> None:
    box.record(10)
    road = SoundRoad(folder, [box])
    road.clock = 1
    road.connect()
    road.run(3)
    assert list(recordings.acknowledged(folder).values()) == [0]
    road.clock = 2
    road.run(0.2)
    (acked,) = recordings.acknowledged(folder).values()
    assert abs(acked - road.at_ms) < 1000
    road.close()


def test_what_an_earlier_life_left_on_the_road_is_swept(folder: Path, box: Takers) -> None:
    seq = box.record(10)
    (folder / "road").mkdir()
    for name in ("0badcafe-99.opus", "0badcafe-2.4711", "notes.txt", f"{STORE}-{seq}.opus"):
        (folder / "road" / name).write_bytes(b"left")
    road = SoundRoad(folder, [box])
    assert not list((folder / "road").iterdir())
    road.book.packed(STORE, seq, 4, hashlib.sha256(b"left").digest())
    (folder / "road" / f"{STORE}-{seq}.opus").write_bytes(b"left")
    road.restart()
    road.connect()
    road.run(3)
    assert road.held_sound(seq) == b"left", "and what was ready goes on from where it was"
    road.close()


def test_a_ledger_that_cannot_be_read_or_says_nonsense_costs_only_itself(folder: Path, box: Takers) -> None:
    bad = Takers(folder, "0000bbbb")
    bad.row("recording", "kept")
    bad.card.kept[-1] = bad.card.kept[-1]._replace(extra="{")  # type: ignore[attr-defined]
    seq = box.record(10)
    road = SoundRoad(folder, [bad, box])
    road.connect()
    road.answer(road.due())
    bad.card.broken = True
    road.until(lambda: road.held_sound(seq) is not None, 60)
    assert road.held_sound(seq) == box.sounds[seq]
    road.close()


def test_an_old_book_is_brought_forward(folder: Path) -> None:
    """As the first version wrote it: an order for a new ledger stays one, and is none of HQ's."""
    from sync import book

    old = sqlite3.connect(folder / "uplink.db", isolation_level=None)
    old.execute("PRAGMA journal_mode = WAL")
    old.executescript(f"BEGIN; {book._SCHEMA[0]}; PRAGMA user_version = 1; COMMIT;")
    old.execute("INSERT INTO store VALUES ('0badcafe', 'l1', 7, x'00', 1, '')")
    old.execute("INSERT INTO orders (line, verb, args, made_ms) VALUES ('l1', 'new-store', '{}', 1)")
    old.close()
    made = Book(folder / "uplink.db")
    assert made.entry("0badcafe").mark == 7 and made.sound("0badcafe", 1) is None
    made.order(1, "l1", "case", "{}", 5)
    made.order(1, "l1", "case", '{"again":1}', 5)
    made.close()
    db = sqlite3.connect(folder / "uplink.db")
    assert db.execute("SELECT verb, args, hq FROM orders ORDER BY id").fetchall() == [
        ("new-store", "{}", None), ("case", "{}", 1),
    ]  # fmt: skip
    db.close()
