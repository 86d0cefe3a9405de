"""SIGKILL on the road: of the broker and of headquarters' receiver, while boxes upload.

Whatever dies, in the end HQ's rows are the ledgers' rows, all fields alike, each once, and no alarm was raised. And at
every kill: no box believes that HQ holds a row which HQ does not hold. The receiver also dies at chosen points: just
before its commit, between commit and acknowledgement, between acknowledgement and PUBACK. Two broken builds must be
caught: a receiver that acknowledges before its commit, and an uplink that takes the broker's PUBACK for a receipt.
"""

from __future__ import annotations

import contextlib
import random
import signal
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.events import Caller, Row, Stamp
from edge.ledger import Draft, Ledger
from sync.hq import config as settings
from sync.hq import sql, stores
from tests.prove import ground
from tests.prove.ground import Processes, free_port, make_box, make_hq, need, share, until, voter

pytestmark = [pytest.mark.prove, pytest.mark.timeout(1800)]

BOOT = "b001" * 4
KILLS = 50  # of the broker, and as many of the receiver
PACE = "0.01"  # a factor on the road's waits
# The receiver dies by itself when `{owner}.{name}` is about to be called, or has returned, for the n-th time.
DIE = """
import os, signal
from sync.mqtt import Link
from sync.hq.store import Store
real, left = {owner}.{name}, [{times}]
def counted(self, *given, **more):
    left[0] -= 1
    if left[0] <= 0 and {before}: os.kill(os.getpid(), signal.SIGKILL)
    out = real(self, *given, **more)
    if left[0] <= 0: os.kill(os.getpid(), signal.SIGKILL)
    return out
{owner}.{name} = counted
"""
POINTS = {
    "before its commit": ("Store", "_settle", True),
    "after its commit": ("Store", "commit", False),
    "before its PUBACK": ("Link", "done", True),
}
# COMMIT waits until the acknowledgements have left; with rows among them, the process dies in between.
EARLY = """
import os, signal, time
from sync.hq.receiver import Receiver
take = Receiver._take
def early(self, heard):
    db, taken = self._store._db, self._store.taken
    commit, db.commit = db.commit, lambda: None
    take(self, heard)
    if self._store.taken > taken:
        time.sleep(1)
        os.kill(os.getpid(), signal.SIGKILL)
    db.commit = commit
    commit()
Receiver._take = early
"""
# The broker's PUBACK is read as HQ's acknowledgement of all that was sent.
PUBACK = """
from sync import mqtt, wire
from sync.courier import Courier
made, heard = mqtt.Link._made, Courier.heard
def trusting(self):
    client = made(self)
    client.on_publish = lambda *_: self._inbox.put(mqtt.Heard(self.turn, "", b"PUBACK", 0, 0, 0.0))
    return client
def believed(self, payload, now, at_ms):
    if payload == b"PUBACK" and self._out:
        store, last = self._out.store, self._out.last
        payload = wire.pack_ack(wire.Ack(store, last, self._runs[store].ledger.chain(last), 0, ""))
    heard(self, payload, now, at_ms)
mqtt.Link._made, Courier.heard = trusting, believed
"""


class Writer(threading.Thread):
    """A line that keeps calls, without a modem: it writes rows until told to stop."""

    def __init__(self, box: Path, line: str, seed: int) -> None:
        super().__init__(daemon=True)
        self.path = box.parent / "data" / "ledgers" / f"{line}.db"
        self.line, self.dice, self.done, self.resting = line, random.Random(seed), threading.Event(), threading.Event()

    def run(self) -> None:
        now_ms = int(time.time() * 1000)
        ledger = Ledger(self.path, self.path.parents[2].name, self.line, Stamp(BOOT, 0, now_ms, 3))
        for second in range(100_000):
            for _ in range(self.dice.randint(1, 40)):
                stamp = Stamp(BOOT, second * 1000, now_ms + second * 1000, 3)
                caller = Caller("national", voter(self.dice.randrange(1_000_000)))
                seq = ledger.keep_call(stamp, caller, "missed", "water", Draft("धन्यवाद", "hi", 1))
                if self.dice.random() < 0.5:
                    ledger.set_state(stamp, seq + 1, "sending")
            if self.done.wait(0.05):
                break
        ledger.close()


class Road:
    """Boxes with their uplinks, a broker and a receiver for each set of shards, all real processes but the lines."""

    def __init__(
        self, folder: Path, boxes: int, uplink: str = "", store: str = "sqlite", shards: tuple[str, ...] = ("00-63",)
    ) -> None:
        self.folder, self.port = folder, free_port()
        self.processes = Processes(folder)
        self.hqs = [make_hq(folder, self.port, store, span) for span in shards]
        self.dice = random.Random(7)
        names = [f"box-{n}" for n in range(1, boxes + 1)]
        ports = {"l1": Path("sim1"), "l2": Path("sim2")}
        self.boxes = [make_box(folder / name, ports, self.port, name) for name in names]
        self.writers = [Writer(box, line, n) for n, box in enumerate(self.boxes) for line in ports]
        self.broker = self.processes.mosquitto(self.port)
        self.receivers = [self.receive(which=place) for place in range(len(shards))]
        for box in self.boxes:
            self.processes.miscall("box", "uplink", box, log="uplink", broken=uplink, MISCALL_PACE=PACE)
        for writer in self.writers:
            writer.start()

    @property
    def receiver(self) -> subprocess.Popen[bytes]:
        return self.receivers[0]

    @receiver.setter
    def receiver(self, process: subprocess.Popen[bytes]) -> None:
        self.receivers[0] = process

    def receive(self, broken: str = "", which: int = 0) -> subprocess.Popen[bytes]:
        hq = self.hqs[which]
        return self.processes.miscall("hq", "receive", hq, log=f"receiver-{which}", broken=broken, MISCALL_PACE=PACE)

    def held(self) -> dict[str, int]:
        """store -> how many rows HQ holds, and holds in full."""
        with self.looking() as db:
            found = {row["store"]: (row["hwm"], row["id"]) for row in db.rows("SELECT store, hwm, id FROM store")}
            for hwm, ident in found.values():
                rows = db.row("SELECT count(*) AS n, max(seq) AS last FROM event WHERE store_id = :id", id=ident)
                assert rows == {"n": hwm, "last": hwm or None}, "the mark and the rows differ"
        return {store: hwm for store, (hwm, _) in found.items()}

    @contextlib.contextmanager
    def looking(self) -> Iterator[sql.Db]:
        with stores.events(settings.load(self.hqs[0])) as db, db.transaction():
            yield db

    def progress(self) -> int:
        """Rows at HQ; 0 while nothing is there, or nobody answers."""
        try:
            with stores.events(settings.load(self.hqs[0])) as db:
                return int(db.value("SELECT coalesce(sum(hwm), 0) FROM store"))
        except sql.errors():
            return 0

    def believed(self) -> dict[str, int]:
        """store -> how many rows its box believes to be at HQ."""
        marks: dict[str, int] = {}
        for box in self.boxes:
            path = box.parent / "data" / "uplink.db"
            with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as db:
                marks |= dict(db.execute("SELECT store, mark FROM store"))
        return marks

    def nobody_is_deceived(self) -> None:
        """What boxes believe is read first: both only grow."""
        believed, held = self.believed(), self.held()
        assert {store for store, mark in believed.items() if mark > held.get(store, 0)} == set(), "believed, not held"

    def more(self) -> None:
        """Wait until HQ has taken rows that it had not."""
        before = self.progress()
        until(lambda: self.progress() > before, "HQ takes more rows")

    def finish(self) -> None:
        """Let the lines rest, and all that is left arrive; then look at every row."""
        for writer in self.writers:
            writer.done.set()
            writer.join()
        ledgers = {(box.parent.name, name): ground.rows(box.parent / "data" / "ledgers" / f"{name}.db")
                   for box in self.boxes for name in ("l1", "l2")}  # fmt: skip
        total = sum(map(len, ledgers.values()))
        until(lambda: self.progress() >= total, f"HQ has all {total} rows", 60)
        until(lambda: sum(self.believed().values()) >= total, "the boxes know it", 60)
        fields = ", ".join(f'e."{name}"' for name in Row._fields)
        arrived: dict[tuple[str, str], list[Row]] = {key: [] for key in ledgers}
        with self.looking() as db:
            query = f"SELECT s.box, s.line, {fields} FROM event e JOIN store s ON s.id = e.store_id"
            for found in db.rows(f"{query} ORDER BY s.id, e.seq"):
                box, line, *row = found.values()
                arrived[box, line].append(Row(*row))
            assert arrived == ledgers, "lost, kept twice, or changed"
            assert db.rows("SELECT kind FROM alarm UNION ALL SELECT reason FROM quarantine") == []
            counted = db.value("SELECT sum(calls) FROM hourly")
        calls = sum(row.kind == "call" and not row.of for rows in ledgers.values() for row in rows)
        assert counted == calls, "the roll-ups do not count what is held"

        logs = [file.read_bytes() for file in (*self.folder.glob("*.log"), *self.folder.rglob("*.json"))]
        assert ground.leaked(logs, {row.caller for found in ledgers.values() for row in found if row.caller}) == []

    def __enter__(self) -> Road:
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self.writers:
            writer.done.set()
        self.processes.__exit__()


def kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_every_row_is_at_hq_once_whoever_is_killed(tmp_path: Path) -> None:
    need("mosquitto")
    killed: Counter[str] = Counter()
    with Road(tmp_path, boxes=2) as road:
        ways = ["broker", "at any time", "broker", "before its commit", "broker", "after its commit", "broker",
                "before its PUBACK", "broker", "at any time"] * (share(KILLS) // 5 + 1)  # fmt: skip
        for way in ways[: 2 * share(KILLS)]:
            road.more()
            if way == "broker":
                time.sleep(road.dice.random() * 0.3)
                kill(road.broker)
                road.broker = road.processes.mosquitto(road.port)
            else:
                if way in POINTS:
                    kill(road.receiver)
                    owner, name, before = POINTS[way]
                    times = road.dice.randint(4, 20)
                    road.receiver = road.receive(DIE.format(owner=owner, name=name, before=before, times=times))
                    until(lambda: road.receiver.poll() is not None, f"the receiver dies {way}")
                else:
                    time.sleep(road.dice.random() * 0.3)
                    kill(road.receiver)
                road.nobody_is_deceived()
                road.receiver = road.receive()
            killed[way] += 1
        road.more()
        road.finish()
    print("killed:", dict(killed))
    assert sum(killed.values()) == 2 * share(KILLS) and killed["broker"] == share(KILLS)


def test_rows_that_wait_for_a_dead_receiver_are_not_believed(tmp_path: Path) -> None:
    """The scene of the second broken build, with ours."""
    need("mosquitto")
    with Road(tmp_path, boxes=1) as road:
        road.more()
        kill(road.receiver)
        time.sleep(1)
        road.nobody_is_deceived()


def test_an_acknowledgement_before_the_commit_is_caught(tmp_path: Path) -> None:
    need("mosquitto")
    with Road(tmp_path, boxes=1) as road:
        road.more()
        kill(road.receiver)
        road.receiver = road.receive(EARLY)
        until(lambda: road.receiver.poll() is not None, "it acknowledges and dies")
        with pytest.raises(AssertionError, match="believed, not held"):
            road.nobody_is_deceived()


def test_an_uplink_that_believes_the_broker_is_caught(tmp_path: Path) -> None:
    need("mosquitto")
    with Road(tmp_path, boxes=1, uplink=PUBACK) as road:
        road.more()
        kill(road.receiver)
        time.sleep(1)
        with pytest.raises(AssertionError, match="believed, not held"):
            road.nobody_is_deceived()
