"""The road, measured: bytes on the air, the receiver alone, and the backlog of one box through a real mosquitto.

`python -m bench.road [--quick]` prints the figures as JSON; `measure(quick)` returns them.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path

from bench import voters
from edge.events import GENESIS, Row, link
from sync import mqtt, wire
from sync.hq import sql

ROOT = Path(__file__).resolve().parent.parent
_DISTRICT = "nashik"


def measure(quick: bool = False) -> dict[str, object]:
    """Every figure of the road. Quick: a tenth of the events, for a first look."""
    scale = 1 if quick else 10
    figures: dict[str, object] = air()
    figures["receiver alone, 500 a batch, ev/s"] = round(receiver_alone(500, 100_000 * scale))
    figures["receiver alone, 16 a batch, ev/s"] = round(receiver_alone(16, 20_000 * scale))
    figures |= backlog(100_000 * scale)
    return figures


# --------------------------------------------------------------------------------------- on the air


def air() -> dict[str, object]:
    """Bytes a call event with every field of the contract, beside naive JSON, and what the fields must cost."""
    figures: dict[str, object] = {"bytes a call, entropy floor": round(voters.floor_bytes(), 2)}
    for size in (500, 96, 16, 1):
        batch = list(voters.rows(size))
        payload = wire.pack_batch("0badcafe", GENESIS, GENESIS, size, batch[-1][5], 3, batch)
        figures[f"bytes a call, batch of {size}"] = round(len(payload) / size, 2)
    mixed = list(voters.rows(500, replies=True))
    payload = wire.pack_batch("0badcafe", GENESIS, GENESIS, 500, mixed[-1][5], 3, mixed)
    figures["bytes a row, calls with replies, batch of 500"] = round(len(payload) / 500, 2)
    naive = json.dumps([dict(zip(Row._fields, row, strict=True)) for row in voters.rows(500)])
    figures["bytes a call, JSON objects"] = round(len(naive) / 500, 1)
    figures["bytes a call, JSON objects + zlib"] = round(len(zlib.compress(naive.encode(), 9)) / 500, 1)
    return figures


# --------------------------------------------------------------------------------- what is running


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def mosquitto(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A mosquitto with our settings on `port`, until the block ends."""
    settings = (ROOT / "firmware_config" / "mosquitto.conf").read_text()
    file = folder / "mosquitto.conf"
    file.write_text(settings.replace("listener 1883 ", f"listener {port} "))
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "mosquitto"
    with process([program, "-c", str(file)]) as broker:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield broker


@contextmanager
def process(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A child that is ended with the block, kindly first."""
    environment = {**os.environ, "MISCALL_PACE": "0.02", "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def python(module: str, config: Path) -> list[str]:
    """The command that runs a room's `run(config)`."""
    return [sys.executable, "-c", f"import sys; from {module} import run; sys.exit(run({str(config)!r}))"]


def pss_mb(pid: int) -> float:
    """A process's share of memory, proportional set size."""
    for text in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if text.startswith("Pss:"):
            return int(text.split()[1]) / 1024
    return 0.0


def hq_toml(folder: Path, port: int, store: str = "sqlite") -> Path:
    """HQ's file and data folder."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "hq.toml"
    file.write_text(f'[hq]\ndata = "{folder}"\nbroker = "mqtt://127.0.0.1:{port}"\nstore = "{store}"\n')
    return file


def box_toml(folder: Path, port: int, box: str = "b1") -> Path:
    """A box's file and data folder, with one line that nobody starts."""
    (folder / "campaigns").mkdir(parents=True, exist_ok=True)
    (folder / "campaigns" / "water.toml").write_text('id = "water"\n')
    file = folder / "box.toml"
    file.write_text(
        f'[box]\nid = "{box}"\ndata = "{folder}"\ndistrict = "{_DISTRICT}"\ncountry = "IN"\ntimezone = "Asia/Kolkata"\n'
        'clock = "trusted"\n[[line]]\nname = "l1"\nnumber = "+919000000001"\ncampaign = "water"\nport = "/dev/null"\n'
        f'[hq]\nurl = "mqtt://127.0.0.1:{port}"\n'
    )
    return file


def held(folder: Path, store: str = "sqlite") -> int:
    """Rows that HQ has committed."""
    try:
        opened = sql.postgres(store) if sql.is_postgres(store) else sql.sqlite(folder / "hq.db", reading=True)
        with opened as db:
            return int(db.value("SELECT coalesce(sum(hwm), 0) FROM store"))
    except sql.errors():
        return 0


# ---------------------------------------------------------------------------------- receiver alone


def receiver_alone(
    size: int, events: int, boxes: int = 100, store: str = "sqlite", receiver: str = "sync.hq.receiver"
) -> float:
    """Events a second from the first batch published to the last one acknowledged: this process plays `boxes`
    boxes with packed batches, one outstanding each; mosquitto and the receiver are processes of their own."""
    waiting = _packed(size, max(1, events // (size * boxes)), boxes)
    total = sum(len(batches) for batches in waiting.values())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = free_port()
        stack.enter_context(mosquitto(folder, port))
        stack.enter_context(process(python(receiver, hq_toml(folder / "hq", port, store))))
        inbox: queue.SimpleQueue[mqtt.Event] = queue.SimpleQueue()
        link_ = mqtt.Link(mqtt.Broker(f"mqtt://127.0.0.1:{port}"), "bench", [("miscall/1/+/+/ack", 0)], inbox)
        link_.open()
        _wait_up(inbox)
        _admit(link_, inbox, waiting)
        begun = time.perf_counter()
        for box, batches in waiting.items():
            link_.publish(wire.topic(_DISTRICT, box, "up"), batches.pop())
        done = 0
        while done < total:
            event = inbox.get(timeout=60)
            if isinstance(event, mqtt.Heard):
                done += 1
                box = event.topic.split("/")[3]
                if waiting[box]:
                    link_.publish(wire.topic(_DISTRICT, box, "up"), waiting[box].pop())
        spent = time.perf_counter() - begun
        link_.close()
        if (kept := held(folder / "hq", store)) != total * size:
            raise RuntimeError(f"{kept} of {total * size} events are held")
    return total * size / spent


def _packed(size: int, count: int, boxes: int) -> dict[str, list[bytes]]:
    """For each box its batches, the first one last. Every box has voters of its own."""
    packed: dict[str, list[bytes]] = {}
    for number in range(boxes):
        source, chain, batches = voters.rows(size * count, seed=number + 1), GENESIS, []
        for _ in range(count):
            piece, prev = list(islice(source, size)), chain
            for row in piece:
                chain = link(chain, row)
            batches.append(wire.pack_batch(f"{number:08x}", prev, chain, size * count, piece[-1][5], 3, piece))
        packed[f"b{number}"] = batches[::-1]
    return packed


def _wait_up(inbox: queue.SimpleQueue[mqtt.Event]) -> None:
    while not isinstance(event := inbox.get(timeout=10), mqtt.Up):
        if isinstance(event, mqtt.Down):
            raise RuntimeError(event.words)


def _admit(link_: mqtt.Link, inbox: queue.SimpleQueue[mqtt.Event], waiting: dict[str, list[bytes]]) -> None:
    """Say hello for every box until HQ has answered all."""
    left = set(waiting)
    deadline = time.monotonic() + 60
    while left and time.monotonic() < deadline:
        for box in left:
            store = wire.StoreHead(f"{int(box[1:]):08x}", "l1", 0, GENESIS)
            hello = wire.Hello(box, _DISTRICT, "Asia/Kolkata", "bench", 0, 3, (store,))
            link_.publish(wire.topic(_DISTRICT, box, "up"), wire.pack_hello(hello))
        until = time.monotonic() + 2
        while left and time.monotonic() < until:
            try:
                event = inbox.get(timeout=0.2)
            except queue.Empty:
                continue
            if isinstance(event, mqtt.Heard):
                left.discard(event.topic.split("/")[3])
    while not inbox.empty():
        inbox.get()


# ----------------------------------------------------------------------------------------- backlog


def backlog(events: int) -> dict[str, object]:
    """One box with `events` calls unsent: ledger, uplink, mosquitto, receiver, SQLite, all on this machine."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = free_port()
        box, hq = folder / "box", folder / "hq"
        voters.write_ledger(box / "ledgers" / "l1.db", "0badcafe", "b1", "l1", voters.rows(events))
        stack.enter_context(mosquitto(folder, port))
        receiver = stack.enter_context(process(python("sync.hq.receiver", hq_toml(hq, port))))
        while held(hq) == 0 and not (hq / "receiver.json").exists():
            time.sleep(0.05)
        uplink = stack.enter_context(process(python("sync.uplink", box_toml(box, port))))
        while (first := held(hq)) == 0:
            time.sleep(0.002)
        begun, memory = time.perf_counter(), []
        while held(hq) < events:
            memory.append((pss_mb(uplink.pid), pss_mb(receiver.pid)))
            time.sleep(0.1)
        spent = time.perf_counter() - begun
    early, late = memory[len(memory) // 4], memory[-1]
    return {
        f"backlog of {events} events, one box, ev/s": round((events - first) / spent),
        "uplink, PSS MB, a quarter of the way and at the end": [round(early[0], 1), round(late[0], 1)],
        "receiver, PSS MB, a quarter of the way and at the end": [round(early[1], 1), round(late[1], 1)],
    }


if __name__ == "__main__":
    print(json.dumps(measure("--quick" in sys.argv[1:]), indent=2))
