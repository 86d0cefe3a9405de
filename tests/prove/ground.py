"""What the proofs share: a box on files, its real processes, and looks into what they leave behind.

A proof runs the commands that systemd runs, on pseudo-terminals, files and a broker, and ends them by their own
process ids only. How much of a proof runs is set by MISCALL_PROOF, in tenths: 1 (the default) in `make test`,
10 in `make prove`. A broken variant of the product is the same command with one thing replaced in the child.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from edge.events import GENESIS, Row, link
from edge.ledger import Reader

ROOT = Path(__file__).parents[2]
CAMPAIGN = """\
id = "water"
title = "Water"
mode = "missed-call"
languages = ["en"]
[reply.en]
text = "Thank you from Nashik! Reply STOP to opt out."
[reply.policy]
once_per = "24h"
"""
BOX = """\
[box]
id = "{name}"
data = "data"
country = "IN"
timezone = "Asia/Kolkata"
clock = "trusted"
[hq]
url = "mqtt://127.0.0.1:{broker}"
[page]
listen = ""
"""
LINE = """\
[[line]]
name = "{name}"
number = "+9190000000{place:02}"
campaign = "water"
port = "{port}"
sms_per_day = 10000
"""
HQ = """\
[hq]
data = "hq"
broker = "mqtt://127.0.0.1:{broker}"
store = "{store}"
shards = "{shards}"
[web]
listen = ""
"""
RUN = "import sys\nfrom tools.cli import main\nsys.exit(main(sys.argv[1:]))\n"
# What a child of a broken build runs first.  A ledger that trusts the card's good will:
SETTLE = """
from edge.ledger import Ledger
def settle(self):
    for pragma in ("journal_mode = WAL", "synchronous = {level}", "wal_autocheckpoint = 0"):
        self._db.execute("PRAGMA " + pragma)
Ledger._settle = settle
"""
# Each caller is kept only after the bytes that hang up have been written:
LATE = """
import time
from edge.line import Line
from edge.station import Station
keep, write = Station._keep, Line._write
late = []
def later(self):
    write(self)
    while late:
        time.sleep(0.2)
        keep(self.station, late.pop(0))
Station._keep = lambda self, order: late.append(order)
Line._write = later
"""


def share(of_all: int) -> int:
    """How many of `of_all` repetitions this run does."""
    return max(1, of_all * int(os.environ.get("MISCALL_PROOF", "1")) // 10)


def need(*programs: str, root: bool = False) -> None:
    """Skip, by name, where a proof has not what it needs."""
    for program in programs:
        if not shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
            pytest.skip(f"{program} is not installed")
    if root and os.geteuid() != 0:
        pytest.skip("needs root")
    if "strace" in programs:
        tried = subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, text=True, check=False)
        if tried.returncode:
            pytest.skip("strace may not trace here")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def until(true: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Wait for a condition; a proof fails by its name, not by a guess at how long things take."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.005)


def voter(number: int) -> str:
    """The number of voter `number`, one for each up to ten million."""
    return f"+91981{number:07}"


# ------------------------------------------------------------------------------------------- processes


class Processes:
    """The processes of one proof, each with its own log; leaving the block kills what still runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.all: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str, log: str, **environment: str) -> subprocess.Popen[bytes]:
        """Run `command` with its stderr appended to the log named `log`."""
        with (self.folder / f"{log}.log").open("ab") as file:
            child = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
                env={**os.environ, **environment},
            )  # fmt: skip
        self.all.append(child)
        return child

    def miscall(self, *words: str | Path, log: str, broken: str = "", **environment: str) -> subprocess.Popen[bytes]:
        """Run `miscall WORDS`; with `broken`, that code is run first in the same process."""
        return self.start(*miscall(*words, broken=broken), log=log, **environment)

    def mosquitto(self, port: int) -> subprocess.Popen[bytes]:
        """A broker that listens when this returns."""
        config = self.folder / "mosquitto.conf"
        config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
        broker = self.start(shutil.which("mosquitto", path="/usr/sbin:/usr/bin") or "", "-c", str(config), log="broker")
        until(lambda: _listens(port), "the broker listens")
        return broker

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        for child in self.all:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # all of it: strace alone would leave what it traces
            child.wait()


def miscall(*words: str | Path, broken: str = "") -> list[str]:
    """The command line of `miscall WORDS`."""
    way = ["-c", broken + RUN] if broken else ["-m", "tools"]
    return [sys.executable, *way, *map(str, words)]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# ----------------------------------------------------------------------------------------------- a box


def make_box(folder: Path, ports: dict[str, Path], broker: int = 1, name: str = "box-1") -> Path:
    """A box.toml whose lines are `ports`, with its campaign; returns its path."""
    (folder / "campaigns").mkdir(parents=True, exist_ok=True)
    (folder / "campaigns" / "water.toml").write_text(CAMPAIGN)
    lines = [LINE.format(name=name, place=i, port=port) for i, (name, port) in enumerate(ports.items(), 1)]
    path = folder / "box.toml"
    path.write_text(BOX.format(name=name, broker=broker) + "".join(lines))
    return path


def make_hq(folder: Path, broker: int, store: str = "sqlite", shards: str = "00-63") -> Path:
    """The file of a receiver that owns `shards`; returns its path."""
    path = folder / f"hq-{shards}.toml"
    path.write_text(HQ.format(broker=broker, store=store, shards=shards))
    return path


def rows(ledger: Path) -> list[Row]:
    """Every row of a ledger, after a look at its integrity, its numbering and its chain."""
    with contextlib.closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    reader = Reader(ledger)
    try:
        found = [Row(*row) for row in reader.rows(0, 10_000_000)]  # type: ignore[arg-type]
        chain = GENESIS
        for place, row in enumerate(found, 1):
            assert row.seq == place, f"row {place} is numbered {row.seq}"
            chain = link(chain, row)
        assert reader.chain(len(found)) == chain, "the chain is torn"
        return found
    finally:
        reader.close()


def callers(found: Iterable[Row]) -> Counter[str]:
    """How many calls each number has in a ledger."""
    return Counter(row.caller for row in found if row.kind == "call" and not row.of)


def letters(found: Iterable[Row]) -> dict[int, tuple[str, list[str]]]:
    """Outbound messages: seq -> (number, every state it went through)."""
    out: dict[int, tuple[str, list[str]]] = {}
    for row in found:
        if row.kind == "message" and row.of:
            out[row.of][1].append(row.state)
        elif row.kind == "message" and row.state != "received":
            out[row.seq] = (row.caller, [row.state])
    return out


# -------------------------------------------------------------------------------------------- canaries


def spellings(number: str) -> set[bytes]:
    """The forms in which a number could slip out: its last ten digits plain, and as a PDU has them."""
    digits = number.lstrip("+")
    swapped = "".join(b + a for a, b in zip(digits[::2], digits[1::2], strict=False))
    return {digits[-10:].encode(), swapped.encode(), digits[-10:].encode("utf-16-be").hex().upper().encode()}


def leaked(texts: Sequence[bytes], numbers: Iterable[str]) -> list[str]:
    """The numbers of which any spelling stands in `texts`."""
    said = b"\n".join(texts)
    return [number for number in numbers if any(form in said for form in spellings(number))]


class Listener(threading.Thread):
    """Reads the state files of a data folder over and over: they are replaced, and any version may tell too much."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.folder, self.heard, self._done = folder, set[bytes](), threading.Event()

    def run(self) -> None:
        while not self._done.wait(0.05):
            for file in self.folder.glob("*"):
                with contextlib.suppress(OSError):
                    self.heard.add(file.read_bytes())

    def stop(self) -> list[bytes]:
        self._done.set()
        self.join()
        return list(self.heard)
