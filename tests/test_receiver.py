"""The whole road with real processes and a real mosquitto: whoever is killed or restarted, HQ holds every row once and
every recording whole, nothing is acknowledged that is not on disk, and a receiver that acknowledges too early is
caught."""

from __future__ import annotations

import array
import json
import math
import os
import queue
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from bench import road, voters
from edge import recordings
from edge.events import GENESIS
from sync import broker, mqtt, wire
from sync.hq import config, receiver, reports, sql

KILLS = 5 * int(os.environ.get("MISCALL_PROOF", "1"))
mosquitto = pytest.mark.skipif(
    not shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin"), reason="mosquitto is not installed"
)

# A receiver that acknowledges before its commit: only every 30th transaction really ends.
EARLY = """
import sys
from sync.hq import receiver, sql, store
class Late(sql.Db):
    left = 30
    def begin(self):
        if not self.raw.in_transaction: super().begin()
    def commit(self):
        self.left -= 1
        if not self.left:
            self.left = 30
            super().commit()
made = store.Store._start
def patched(self, db, *given): made(self, Late(db.raw, db.kind), *given)
store.Store._start = patched
sys.exit(receiver.run(sys.argv[1]))
"""


def until(true: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "this should have happened by now"
        time.sleep(0.01)


class World:
    """One box with a backlog, a broker, HQ; each can be killed and started again."""

    def __init__(self, stack: ExitStack, rows: int) -> None:
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.box, self.hq, self.port = self.folder / "box", self.folder / "hq", road.free_port()
        self.rows = list(voters.rows(rows, replies=True))
        voters.write_ledger(self.box / "ledgers" / "l1.db", "0badcafe", "b1", "l1", self.rows)
        self.box_file, self.hq_file = road.box_toml(self.box, self.port), road.hq_toml(self.hq, self.port)
        self.children: dict[str, tuple[ExitStack, subprocess.Popen[bytes]]] = {}
        stack.callback(lambda: [self.stop(name) for name in list(self.children)])

    def start(self, name: str, command: list[str] | None = None) -> subprocess.Popen[bytes]:
        stack = ExitStack()
        if name == "mosquitto":
            child = stack.enter_context(road.mosquitto(self.folder, self.port))
        else:
            module, file = {
                "receiver": ("sync.hq.receiver", self.hq_file),
                "uplink": ("sync.uplink", self.box_file),
            }[name]
            child = stack.enter_context(road.process(command or road.python(module, file)))
        self.children[name] = stack, child
        return child

    def stop(self, name: str) -> int:
        stack, child = self.children.pop(name)
        stack.close()
        return child.returncode

    def kill(self, name: str) -> None:
        self.children[name][1].kill()
        self.children[name][1].wait()
        self.stop(name)

    def held(self) -> int:
        return road.held(self.hq)

    def marked(self) -> int:
        """How many rows the uplink believes to be at HQ."""
        try:
            db = sqlite3.connect(f"file:{self.box / 'uplink.db'}?mode=ro", uri=True)
            try:
                row = db.execute("SELECT mark FROM store").fetchone()
            finally:
                db.close()
            return row[0] if row else 0
        except sqlite3.Error:
            return 0

    def more(self, count: Callable[[], int]) -> None:
        """Wait until `count` has grown, unless everything has arrived."""
        least = min(count() + 1, len(self.rows))
        until(lambda: count() >= least)

    def connected(self, name: str) -> None:
        file = {"receiver": self.hq / "receiver.json", "uplink": self.box / "state" / "uplink.json"}[name]
        until(lambda: file.exists() and json.loads(file.read_text())["state"] == "connected")

    def everything_once(self) -> None:
        until(lambda: self.held() >= len(self.rows))
        db = sqlite3.connect(f"file:{self.hq / 'hq.db'}?mode=ro", uri=True)
        kept = [row[1:-1] for row in db.execute("SELECT * FROM event ORDER BY store_id, seq")]
        alarms = db.execute("SELECT kind, words FROM alarm").fetchall()
        calls = db.execute("SELECT coalesce(sum(calls), 0), coalesce(sum(sent), 0) FROM hourly").fetchone()
        db.close()
        assert kept == self.rows and alarms == []
        assert calls == (
            sum(row[2] == "call" for row in self.rows),
            sum(row[10] == "sent" for row in self.rows),
        )


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


@mosquitto
def test_a_ledger_arrives_and_a_new_row_follows_within_seconds(stack: ExitStack) -> None:
    world = World(stack, 2000)
    for name in ("mosquitto", "receiver", "uplink"):
        world.start(name)
    world.everything_once()
    db = sqlite3.connect(world.box / "ledgers" / "l1.db", isolation_level=None)
    chain = db.execute("SELECT chain FROM event WHERE seq = 2000").fetchone()[0]
    voters.append(db, chain, list(voters.rows(2001, replies=True))[2000:])
    db.close()
    until(lambda: world.held() == 2001)
    until(lambda: world.marked() == 2001)
    assert json.loads((world.hq / "receiver.json").read_text())["state"] == "connected"
    assert world.stop("receiver") == 0 and world.stop("uplink") == 0
    told = json.loads((world.box / "state" / "uplink.json").read_text())
    assert told["unsent"] == 0 and told["last_ack_ms"]


@pytest.mark.prove
@mosquitto
def test_a_broker_that_is_killed_again_and_again_loses_nothing(stack: ExitStack) -> None:
    world = World(stack, 4000 * KILLS)
    world.start("receiver")
    world.start("uplink")
    dice = random.Random(KILLS)
    for _ in range(KILLS):
        world.start("mosquitto")
        world.more(world.held)
        time.sleep(dice.uniform(0, 0.05))  # the moment of the kill is what varies
        world.kill("mosquitto")
    world.start("mosquitto")
    world.everything_once()


@pytest.mark.prove
@mosquitto
def test_a_receiver_that_is_killed_again_and_again_loses_nothing(stack: ExitStack) -> None:
    world = World(stack, 4000 * KILLS)
    world.start("mosquitto")
    world.start("uplink")
    dice = random.Random(KILLS)
    for _ in range(KILLS):
        world.start("receiver")
        world.more(world.held)
        time.sleep(dice.uniform(0, 0.05))
        world.kill("receiver")
        assert world.marked() <= world.held(), "acknowledged before it was on disk"
    world.start("receiver")
    world.everything_once()


@mosquitto
def test_a_receiver_that_acknowledges_before_its_commit_is_caught(stack: ExitStack) -> None:
    """The control: the check above must be able to fail."""
    world = World(stack, 20_000)
    world.start("mosquitto")
    world.start("uplink")
    caught = False
    for _ in range(10):
        world.start("receiver", [sys.executable, "-c", EARLY, str(world.hq_file)])
        world.more(world.marked)
        world.kill("receiver")
        caught = caught or world.marked() > world.held()
        if caught:
            break
    assert caught
    world.start("receiver")
    world.everything_once()  # and still the ledger had it all


@mosquitto
def test_an_uplink_that_is_killed_goes_on(stack: ExitStack) -> None:
    world = World(stack, 20_000)
    world.start("mosquitto")
    world.start("receiver")
    for _ in range(3):
        world.start("uplink")
        world.more(world.held)
        world.kill("uplink")
    world.start("uplink")
    world.everything_once()


@mosquitto
def test_garbage_on_the_air_blocks_nobody(stack: ExitStack) -> None:
    world = World(stack, 5000)
    world.start("mosquitto")
    world.start("receiver")
    world.connected("receiver")
    inbox: queue.SimpleQueue[mqtt.Event] = queue.SimpleQueue()
    link = mqtt.Link(mqtt.Broker(f"mqtt://127.0.0.1:{world.port}"), "noise", [("none", 0)], inbox)
    link.open()
    assert isinstance(inbox.get(timeout=10), mqtt.Up)
    world.start("uplink")
    dice = random.Random(1)
    for number in range(50):
        link.publish(f"miscall/1/00/b{number % 3}/up", dice.randbytes(number * 30))
        link.publish(wire.topic("nashik", "b1", "ack"), dice.randbytes(number))
    until(lambda: world.held() >= 5000)
    batch = wire.pack_batch("0badcafe", GENESIS, b"nonsense", 5000, 1, 3, world.rows[:20])
    link.publish(wire.topic("nashik", "b9", "up"), batch)
    world.stop("uplink")
    db = sqlite3.connect(world.hq / "hq.db")
    until(lambda: db.execute("SELECT count(*) FROM quarantine").fetchone()[0] >= 51)
    assert db.execute("SELECT count(*) FROM event").fetchone() == (5000,)
    assert {row[0] for row in db.execute("SELECT kind FROM alarm")} == {"unreadable", "foreign"}
    db.close()
    link.close()


@mosquitto
def test_only_the_shards_that_are_owned_are_taken(stack: ExitStack) -> None:
    world = World(stack, 100)
    world.start("mosquitto")
    ours = int(wire.shard("nashik"))
    others = f"{ours + 1:02}-63" if ours < 63 else "00-62"
    text = world.hq_file.read_text()
    world.hq_file.write_text(text + f'shards = "{others}"\n')
    world.start("receiver")
    world.start("uplink")
    world.connected("uplink")
    world.connected("receiver")
    time.sleep(0.3)  # nothing is to happen
    assert world.held() == 0
    world.stop("receiver")
    world.hq_file.write_text(text + f'shards = "{ours:02}"\n')
    world.start("receiver")
    world.everything_once()


@mosquitto
@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_certificates_let_a_box_in_and_a_stranger_is_refused_in_words(stack: ExitStack) -> None:
    world = World(stack, 500)
    folder = world.folder

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca")
    (folder / "san").write_text("subjectAltName=IP:127.0.0.1")
    for name in ("broker", "box"):
        openssl("req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "san")
        openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signed)
    (folder / "broker.key").chmod(0o644)
    folder.chmod(0o755)  # mosquitto gives up root and reads these as itself
    conf = (
        f"listener {world.port} 127.0.0.1\ncafile {folder}/ca.pem\ncertfile {folder}/broker.pem\n"
        f"keyfile {folder}/broker.key\nrequire_certificate true\nallow_anonymous true\n"
    )
    (folder / "tls.conf").write_text(conf)
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    stack.enter_context(road.process([str(program), "-c", str(folder / "tls.conf")]))
    proof = "".join(f'{key} = "{folder}/{file}"\n' for key, file in PROOF.items())
    for file in (world.box_file, world.hq_file):
        file.write_text(file.read_text().replace("mqtt://", "mqtts://") + proof)
    world.start("receiver")
    world.start("uplink")
    world.everything_once()
    inbox: queue.SimpleQueue[mqtt.Event] = queue.SimpleQueue()
    stranger = mqtt.Link(mqtt.Broker(f"mqtts://127.0.0.1:{world.port}"), "stranger", [("x", 1)], inbox)
    stranger.open()
    down = inbox.get(timeout=10)
    assert isinstance(down, mqtt.Down) and "cannot be reached" in down.words and "certificate" in down.words


PROOF = {"ca": "ca.pem", "cert": "box.pem", "key": "box.key"}


def test_an_embedded_broker_carries_the_same(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("amqtt")
    monkeypatch.chdir(road.ROOT)
    world = World(stack, 3000)
    child = broker.start_embedded(world.port)
    try:
        world.start("receiver")
        world.start("uplink")
        world.everything_once()
    finally:
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0


# ------------------------------------------------------------------------------------------ sound


def takes(world: World, count: int, seconds: int) -> None:
    """A box that has recorded: so many rising tones, and the rows that tell of them."""
    samples = (round(9000 * math.sin(0.2 * at + at * at / 300_000)) for at in range(seconds * 8000))
    pcm = array.array("h", samples).tobytes()
    rows, place = [("store", 0, "0badcafe", "")], world.box / "recordings"
    place.mkdir()
    for _ in range(count):
        seq = len(rows) + 1
        rows += [("recording", 0, "recording", f'{{"file":"0badcafe-{seq}.wav"}}'), ("recording", seq, "kept", "")]
        with wave.open(str(place / f"0badcafe-{seq}.wav"), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(pcm)
    world.rows = [
        (seq, of, kind, "ab" * 8, seq, 1_790_000_000_000 + seq, 3, "water", "", "", state, 0, extra)
        for seq, (kind, of, state, extra) in enumerate(rows, 1)
    ]
    (world.box / "ledgers" / "l1.db").unlink()
    voters.write_ledger(world.box / "ledgers" / "l1.db", "0badcafe", "b1", "l1", world.rows)


def sound(world: World) -> int:
    """Bytes of sound that HQ says it has."""
    try:
        with closing(sqlite3.connect(f"file:{world.hq / 'hq.db'}?mode=ro", uri=True)) as db:
            return int(db.execute("SELECT coalesce(sum(have), 0) FROM recording_file").fetchone()[0])
    except sqlite3.Error:
        return 0


@mosquitto
@pytest.mark.skipif(not shutil.which("opusenc"), reason="opusenc is not installed: apt install opus-tools")
def test_recordings_arrive_whole_while_everybody_is_killed(stack: ExitStack) -> None:
    world = World(stack, 1)
    takes(world, 6, 20)
    for name in ("mosquitto", "receiver", "uplink"):
        world.start(name)
    for name in ("receiver", "uplink", "mosquitto") * 2:
        before = sound(world)
        until(lambda before=before: sound(world) > before)  # type: ignore[misc]
        world.kill(name)
        world.start(name)
    until(lambda: len(recordings.acknowledged(world.box)) == 6)
    world.everything_once()
    with closing(sqlite3.connect(f"file:{world.hq / 'hq.db'}?mode=ro", uri=True)) as db:
        files = db.execute("SELECT seq, sha256, bytes, wrong FROM recording_file WHERE done_ms IS NOT NULL").fetchall()
    assert len(files) == 6
    for seq, sha256, size, wrong in files:
        whole = world.hq / "recordings" / "b1" / f"0badcafe-{seq}.opus"
        assert whole.stat().st_size == size and recordings.digest(whole) == sha256 and not wrong
        assert whole.read_bytes()[:4] == b"OggS"
    assert not list(world.hq.rglob("*.part")) and not list((world.box / "road").iterdir())
    assert len(list((world.box / "recordings").iterdir())) == 6
    world.stop("uplink")
    told = json.loads((world.box / "state" / "uplink.json").read_text())
    assert told["sound"] == "" and told["recordings"] == 0


# ------------------------------------------------------------------------------------- one process


def settings(folder: Path, more: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "hq.toml"
    file.write_text(f'[hq]\ndata = "{folder}"\nbroker = "mqtt://127.0.0.1:1"\n{more}')
    return file


def test_a_second_receiver_is_refused_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with receiver.lock(tmp_path):
        assert receiver.run(settings(tmp_path)) == 1
    told = capsys.readouterr().err
    assert "already at work" in told and str(os.getpid()) in told


def test_a_store_that_fails_ends_the_process(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "hq.db").write_bytes(b"this is no database at all" * 100)
    assert receiver.run(settings(tmp_path)) == 1
    assert "the store failed" in capsys.readouterr().err


def test_an_error_of_the_store_comes_out_of_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = receiver.Receiver(config.load(settings(tmp_path)), reconnect_s=0.01)

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(made._store, "commit", full)
    made._came.put(mqtt.Heard(1, "miscall/1/00/b1/up", b"x", 1, 1, time.monotonic()))
    with pytest.raises(sqlite3.OperationalError):
        made.run()


def test_what_nobody_foresaw_in_a_payload_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = receiver.Receiver(config.load(settings(tmp_path)), reconnect_s=0.01)
    monkeypatch.setattr(receiver.intake, "read", lambda topic, payload: 1 // 0)
    made._came.put(mqtt.Heard(1, "miscall/1/00/b1/up", b"x", 1, 1, time.monotonic()))
    made._turn()
    with sql.sqlite(tmp_path / "hq.db", reading=True) as db:
        assert db.rows("SELECT reason, payload FROM quarantine") == [{"reason": "ZeroDivisionError", "payload": b"x"}]
        assert db.value("SELECT kind FROM alarm") == "unreadable"
    made._store.close()


def test_acknowledgements_stretch_when_payloads_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = receiver.Receiver(config.load(settings(tmp_path)))
    asked: list[int] = []
    monkeypatch.setattr(made._store, "commit", lambda messages, now_ms, next_s: asked.append(next_s) or [])
    for waited in (0, 3, 3600):
        made._take([receiver.arrived(mqtt.Heard(1, "t", b"x", 1, 1, time.monotonic() - waited))])
    assert asked == [0, 15, 120]


def test_a_receiver_without_a_broker_goes_on_trying_until_told(tmp_path: Path) -> None:
    made = receiver.Receiver(config.load(settings(tmp_path)), reconnect_s=0.001)
    thread = threading.Thread(target=lambda: (until(lambda: made._link.turn >= 3), made.stop()))
    thread.start()
    made.run()
    thread.join()
    assert json.loads((tmp_path / "receiver.json").read_text())["state"] == "offline"


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ('shards = "64"', "hq.shards"), ('shards = "05-02"', "hq.shards"), ('shards = "all"', "hq.shards"),
        ('store = "mysql"', "hq.store"), ('ca = "none.pem"', "hq.ca"), ('colour = "red"', "hq.colour"),
        ('[web]\nlisten = "here"', "web.listen"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_by_key(tmp_path: Path, more: str, key: str) -> None:
    with pytest.raises(config.ConfigError) as told:
        config.load(settings(tmp_path, more))
    assert f": {key}: " in str(told.value) and "allowed: " in str(told.value)


def test_what_a_good_file_says(tmp_path: Path) -> None:
    good = config.load(settings(tmp_path, 'shards = "00-03,63"\n[web]\nlisten = ""\n'))
    assert good.shards == frozenset({0, 1, 2, 3, 63}) and good.listen == "" and good.store == "sqlite"
    assert receiver.topics(good.shards)[-1] == ("miscall/1/63/+/up", 1)
    assert receiver.topics(config.ALL_SHARDS) == [("miscall/1/+/+/up", 1)]
    bad = settings(tmp_path)
    bad.write_text(bad.read_text().replace("mqtt://127.0.0.1:1", "http://user:secret@x"))
    with pytest.raises(config.ConfigError) as told:
        config.load(bad)
    assert "secret" not in str(told.value)


# ----------------------------------------------------------------------------------- several of them

POSTGRES = 'store = "postgresql://hq:secret@127.0.0.1:1/miscall"\n'


@pytest.mark.parametrize("store", ["postgresql://127.0.0.1", "postgresql://h:0/x", "mysql://h/x", "postgresql://[/x"])
def test_a_store_that_is_none_is_refused_without_its_address(tmp_path: Path, store: str) -> None:
    with pytest.raises(config.ConfigError, match=r"hq\.store: this is no store; allowed") as told:
        config.load(settings(tmp_path, f'store = "{store}"\n'))
    assert store not in str(told.value)


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ("", "receiver"), ('shards = "00-31"', "receiver"), (POSTGRES, "receiver"),
        (POSTGRES + 'shards = "00-31"', "receiver-00-31"), (POSTGRES + 'shards = "31,00-30"', "receiver-00-31"),
        (POSTGRES + 'shards = "07,09-11"', "receiver-07_09-11"),
        (POSTGRES + 'shards = "01,03,05,07,09"', "receiver-4118fc66"),
    ],
)  # fmt: skip
def test_a_receiver_has_the_name_of_its_shards(tmp_path: Path, more: str, name: str) -> None:
    assert receiver.name(config.load(settings(tmp_path, more))) == name


def test_on_postgresql_the_same_shards_are_refused_and_others_are_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with receiver.lock(tmp_path, "receiver-00-31"):
        assert receiver.run(settings(tmp_path, POSTGRES + 'shards = "00-31"')) == 1
        assert "already at work" in capsys.readouterr().err
        assert receiver.run(settings(tmp_path, POSTGRES + 'shards = "32-63"')) == 1
    told = capsys.readouterr().err
    assert "cannot be reached" in told and "already" not in told and "secret" not in told


def test_the_page_is_told_of_the_receiver_that_is_worst(tmp_path: Path) -> None:
    def tell(name: str, state: str, words: str, updated_ms: int = 1000) -> None:
        told = {"state": state, "words": words, "since_ms": 1000, "updated_ms": updated_ms}
        (tmp_path / f"receiver{name}.json").write_text(json.dumps(told))

    assert reports.receiver(tmp_path, 1000).state == "absent"
    tell("-00-31", "connected", "connected to the broker")
    assert reports.receiver(tmp_path, 1000).state == "connected"
    tell("-32-63", "offline", "no way to the broker")
    assert reports.receiver(tmp_path, 1000) == ("offline", "no way to the broker", 1000)
    assert {name: each.state for name, each in reports.receivers(tmp_path, 1000).items()} == {
        "receiver-00-31": "connected", "receiver-32-63": "offline",
    }  # fmt: skip
    tell("-32-63", "connected", "connected to the broker", updated_ms=-reports.DEAF_MS)
    assert reports.receiver(tmp_path, 1000).state == "silent"
    tell("-32-63", "connected", "connected to the broker")
    assert reports.receiver(tmp_path, 1000).state == "connected"
