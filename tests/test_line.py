"""The loop for one modem as a real process on a real pseudo-terminal: port, ledger, state file, signals."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge import clock, line, port
from edge.ledger import Reader
from sync.book import Book
from tests.rig import WATER
from tools.simmodem import Farm

VOTER = "+919812345678"
BOX = """
[box]
id = "box-1"
data = "data"
country = "IN"
timezone = "Asia/Kolkata"
clock = "trusted"
[box.text]
office = "Nashik"
[[line]]
name = "l1"
number = "+919000000001"
campaign = "water"
port = "{port}"
[hq]
url = "mqtt://127.0.0.1:1"
[page]
listen = ""
[campaigns]
folder = "campaigns"
"""


class Box:
    """A folder with a box of one line, and the process that serves it."""

    def __init__(self, folder: Path, farm: Farm) -> None:
        self.folder, self.farm = folder, farm
        self.modem = farm.add("generic", name="sim1", send_s=(0.2, 0.2), report_s=(0.1, 0.2))
        (folder / "campaigns").mkdir()
        (folder / "campaigns" / "water.toml").write_text(WATER)
        (folder / "box.toml").write_text(BOX.format(port=self.modem.path))
        self.ledger = folder / "data" / "ledgers" / "l1.db"
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "tools", "box", "line", str(self.folder / "box.toml"), "l1"]
        self.process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        return self.process

    def state(self) -> dict[str, object]:
        try:
            return json.loads((self.folder / "data" / "state" / "l1.json").read_text())  # type: ignore[no-any-return]
        except (OSError, ValueError):
            return {}

    def until(self, true: Callable[[], object], seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, f"it never came true; {self.state()}"
            time.sleep(0.02)

    def callers(self) -> list[str]:
        try:
            reader = Reader(self.ledger)
        except FileNotFoundError:
            return []
        try:
            return [str(row[8]) for row in reader.rows(0) if row[2] == "call" and row[1] == 0]
        finally:
            reader.close()

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        assert self.process is not None
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=15)
        return self.process.returncode, said


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    with Farm(tmp_path / "ports") as farm:
        made = Box(tmp_path, farm)
        yield made
        if made.process is not None and made.process.poll() is None:
            made.process.kill()
            made.process.communicate()


def ready(box: Box) -> None:
    box.start()
    box.until(lambda: box.state().get("state") == "ready")


def test_a_call_is_kept_rejected_and_answered_and_the_process_ends_cleanly(box: Box) -> None:
    ready(box)
    call = box.modem.dial(VOTER)
    box.until(lambda: box.modem.modem.sent and box.state().get("calls_today") == 1)
    assert call.fate == "rejected" and box.callers() == [VOTER]
    box.until(lambda: box.state().get("sms_left") == 89)
    code, said = box.stop()
    assert code == 0 and box.state()["state"] == "stopped"
    assert VOTER not in said and VOTER[3:] not in said and VOTER[3:] not in json.dumps(box.state())


def test_a_modem_that_vanishes_and_returns_under_another_name_is_served_again(box: Box) -> None:
    ready(box)
    before = os.path.realpath(box.modem.path)
    box.modem.fault("vanish", 1.0)
    box.until(lambda: box.state().get("state") == "no-port")
    box.until(lambda: box.state().get("state") == "ready")
    call = box.modem.dial(VOTER)
    box.until(lambda: call.fate)
    assert box.callers() == [VOTER]
    assert before  # the path stays, the device behind it may change


def test_a_held_port_names_the_culprit_and_is_taken_when_it_is_free(box: Box) -> None:
    held = os.open(box.modem.path, os.O_RDWR | os.O_NOCTTY)
    fcntl.flock(held, fcntl.LOCK_EX)
    box.start()
    box.until(lambda: box.state().get("state") == "port-held")
    assert f"pid {os.getpid()}" in str(box.state()["detail"])
    os.close(held)
    box.until(lambda: box.state().get("state") == "ready")


def test_two_processes_never_serve_one_line(box: Box) -> None:
    ready(box)
    words = [sys.executable, "-m", "tools", "box", "line", str(box.folder / "box.toml"), "l1"]
    second = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
    assert second.returncode == 1 and "another process serves this line" in second.stderr


def test_a_damaged_ledger_is_set_aside_and_the_line_goes_on(box: Box) -> None:
    box.ledger.parent.mkdir(parents=True)
    box.ledger.write_bytes(b"this was a ledger once" * 300)
    ready(box)
    call = box.modem.dial(VOTER)
    box.until(lambda: call.fate)
    assert box.callers() == [VOTER]
    assert [p.read_bytes()[:4] for p in box.ledger.parent.glob("l1.damaged-*.db")] == [b"this"]


def test_an_order_for_a_new_store_is_obeyed_at_the_next_start(box: Box) -> None:
    ready(box)
    box.stop()
    old = Reader(box.ledger).store
    book = Book(box.folder / "data" / "uplink.db")
    book.stop(old, "l1", 1, bytes(8), "cloned", 0)
    book.close()
    ready(box)
    box.until(lambda: Reader(box.ledger).store != old)
    assert len(list(box.ledger.parent.glob("l1.rolled-back-*.db"))) == 1


def test_a_bad_box_file_starts_nothing(box: Box) -> None:
    (box.folder / "box.toml").write_text(BOX.format(port="/dev/x").replace('id = "box-1"', 'id = "Box 1"\ncolour = 1'))
    process = box.start()
    _, said = process.communicate(timeout=20)
    assert process.returncode == 1 and "colour" in said and "box.id" in said and not (box.folder / "data").exists()


def test_the_reserve_is_kept_while_there_is_room_and_given_back_when_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil._ntuple_diskusage  # type: ignore[attr-defined]
    line.keep_reserve(tmp_path)
    assert (tmp_path / "reserve").stat().st_size == line.RESERVE
    line.free_reserve(tmp_path)
    assert (tmp_path / "reserve").exists()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 10, 0))
    line.free_reserve(tmp_path)
    line.keep_reserve(tmp_path)
    assert not (tmp_path / "reserve").exists()


# -------------------------------------------------------------------------------- port and clock


def test_a_port_that_is_not_there_or_no_port_at_all_is_told(tmp_path: Path) -> None:
    with pytest.raises(port.PortError, match="is not there"):
        port.Port(str(tmp_path / "none"))
    (tmp_path / "file").write_text("")
    with pytest.raises(port.PortError) as refused:
        port.Port(str(tmp_path / "file"))
    assert refused.value.state == "no-port"
    assert port.holder(str(tmp_path / "none")) == ""


def test_stamps_are_steady_and_follow_a_step_of_the_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = [1_790_000_000.0]
    monkeypatch.setattr(time, "time", lambda: wall[0])
    monkeypatch.setattr(time, "monotonic", lambda: 50.0)
    monkeypatch.setattr(clock, "disciplined", lambda: False)
    made = clock.Clock()
    assert made.now()[1:] == (50_000, 1_790_000_000_000, 1)
    wall[0] += 0.010  # jitter
    assert made.now().at_ms == 1_790_000_000_000
    wall[0] += 3600
    assert made.now().at_ms == 1_790_003_600_010
    assert clock.Clock(vouched=True).now().clock == 3
    wall[0] = 0.0
    assert clock.Clock().now().clock == 0


def test_the_networks_time_is_used_only_while_nothing_better_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 50.0)
    monkeypatch.setattr(clock, "disciplined", lambda: False)
    made = clock.Clock()
    made.now()
    assert made.network_told(1_790_000_000_000) and not made.network_told(1_790_000_001_000)
    assert made.now()[2:] == (1_790_000_000_000, 2)
    assert not made.network_told(0)
    vouched = clock.Clock(vouched=True)
    vouched.now()
    assert not vouched.network_told(1_790_000_000_000)
