"""The whole box in the foreground: nothing half-started, everything kept alive, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge import box, config, status
from edge.settings import SettingsError

CAMPAIGN = """\
id = "water"
title = "Water"
mode = "missed-call"
languages = ["hi", "en"]
[reply.en]
text = "Thank you from {office}! Reply STOP to opt out."
"""
BOX = """\
[box]
id = "nashik-07"
data = "data"
country = "IN"
timezone = "Asia/Kolkata"
[box.text]
office = "Nashik"
[[line]]
name = "l1"
number = "+919000000001"
campaign = "water"
port = "ports/sim1"
[[line]]
name = "l2"
number = "+919000000002"
campaign = "water"
port = "ports/sim2"
[hq]
url = "mqtt://127.0.0.1:{broker}"
[page]
listen = "127.0.0.1:{page}"
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def until(true: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Wait for a condition; a test fails by its name, not by a guess at how long things take."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def end(process: subprocess.Popen[str]) -> None:
    """Kill it, without waiting for a grandchild that may hold its pipes."""
    process.kill()
    process.wait()
    for pipe in filter(None, (process.stdout, process.stderr)):
        pipe.close()


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "campaigns" / "water.toml").write_text(CAMPAIGN)
    (tmp_path / "box.toml").write_text(BOX.format(broker=free_port(), page=free_port()))
    return tmp_path


# ------------------------------------------------------------------------------------- the supervisor

SUPERVISED = """
import sys
from edge import supervise
supervise.FIRST_PAUSE = supervise.LONGEST_PAUSE = 0.05
supervise.PATIENCE = 0.5
code = sys.argv[1]
sys.exit(supervise.run([supervise.Child(name, (sys.executable, "-c", code)) for name in ("one", "two")]))
"""
SLEEPS = "import time; time.sleep(600)"
DEAF = "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); os.write(1, b'up\\n'); time.sleep(600)"


@pytest.fixture
def supervised() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(code: str, **environment: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", SUPERVISED, code]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(command, text=True, env={**os.environ, **environment}, **pipes)  # type: ignore[call-overload]
        started.append(process)
        return process

    yield start
    for process in started:
        end(process)


def test_a_child_that_dies_is_started_again(supervised: Callable[..., subprocess.Popen[str]]) -> None:
    process = supervised(SLEEPS)
    until(lambda: len(children(process.pid)) == 2, "both run")
    first = children(process.pid)[0]
    os.kill(first, signal.SIGKILL)
    until(lambda: len(children(process.pid)) == 2 and first not in children(process.pid), "it is back")
    process.terminate()
    assert process.wait(10) == 0
    assert "one: ended (SIGKILL); starts again in" in process.communicate()[1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_all(supervised: Callable[..., subprocess.Popen[str]], number: signal.Signals) -> None:
    process = supervised(SLEEPS)
    until(lambda: len(children(process.pid)) == 2, "both run")
    pids = children(process.pid)
    process.send_signal(number)
    assert process.wait(10) == 0
    assert not any(map(status.alive, pids))


def test_a_child_that_will_not_end_is_made_to(supervised: Callable[..., subprocess.Popen[str]]) -> None:
    process = supervised(DEAF)
    assert process.stdout
    assert [process.stdout.readline() for _ in range(2)] == ["up\n", "up\n"]
    pids = children(process.pid)
    process.terminate()
    assert process.wait(10) == 0
    assert not any(map(status.alive, pids))


def test_killed_it_takes_its_children_along(supervised: Callable[..., subprocess.Popen[str]]) -> None:
    process = supervised(DEAF)
    assert process.stdout
    assert [process.stdout.readline() for _ in range(2)] == ["up\n", "up\n"]
    pids = children(process.pid)
    assert len(pids) == 2
    process.kill()
    until(lambda: not any(map(status.alive, pids)), "the kernel ended them")


def test_systemd_is_told(supervised: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(20)
        process = supervised(SLEEPS, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="100000")
        assert [ear.recv(64) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
        process.terminate()
        while (told := ear.recv(64)) == b"WATCHDOG=1":
            pass
        assert told == b"STOPPING=1"


# -------------------------------------------------------------------------------- before anything starts


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('id = "water"', 'id = "road"', "id"),
        ('mode = "missed-call"', 'mode = "menu"', "mode"),
        ("{office}", "{minister}", "reply.en.text"),
        ('title = "Water"', 'titel = "Water"', "titel"),
    ],
)
def test_a_campaign_that_is_wrong(folder: Path, old: str, new: str, key: str) -> None:
    file = folder / "campaigns" / "water.toml"
    file.write_text(CAMPAIGN.replace(old, new))
    with pytest.raises(SettingsError) as caught:
        box.run(folder / "box.toml")
    assert (str(file), key) in [(one.file, one.key) for one in caught.value.problems]
    assert not (folder / "data").exists()


def test_a_language_that_the_campaign_does_not_speak(folder: Path) -> None:
    text = (folder / "box.toml").read_text()
    (folder / "box.toml").write_text(text.replace('port = "ports/sim2"', 'port = "ports/sim2"\nlanguage = "sw"'))
    with pytest.raises(SettingsError, match=r'line\.2\.language: "sw" is not spoken by .*; allowed: hi, en'):
        box.check(folder / "box.toml")


def test_a_data_folder_that_cannot_be(folder: Path) -> None:
    (folder / "data").write_text("a file")
    with pytest.raises(SettingsError, match=r"box\.data: .*File exists"):
        box.run(folder / "box.toml")


def test_what_a_box_consists_of(folder: Path) -> None:
    found = box.children(box.check(folder / "box.toml"))
    assert [child.name for child in found] == ["l1", "l2", "uplink", "page"]
    text = (folder / "box.toml").read_text().partition("[page]")[0] + '[page]\nlisten = ""\n'
    (folder / "box.toml").write_text(text)
    assert [child.name for child in box.children(box.check(folder / "box.toml"))] == ["l1", "l2", "uplink"]


def test_the_front_door(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert box.main([]) == 2
    assert box.main([str(folder / "no.toml")]) == 1
    assert "No such file" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------- a whole box


@pytest.fixture
def ports(folder: Path) -> Iterator[Path]:
    words = ["modem", "sim", str(folder / "ports"), "--profile", "sim7600", "--modems", "2"]
    command = [sys.executable, "-m", "tools", *words]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL) as sim:
        until(lambda: (folder / "ports" / "sim2").exists(), "the modems are there")
        yield folder / "ports"
        sim.terminate()


@pytest.fixture
def running(folder: Path, ports: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tools", "box", "run", str(folder / "box.toml")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield process
    end(process)


def states(folder: Path) -> list[str]:
    return [line.get("state", "") for line in status.snapshot(config.load(folder / "box.toml"))["lines"]]


def test_a_box_runs_and_ends(folder: Path, running: subprocess.Popen[str], capsys: pytest.CaptureFixture[str]) -> None:
    until(lambda: states(folder) == ["ready", "ready"], "both lines are ready")
    pids = children(running.pid)
    assert len(pids) == 4

    listen = config.load(folder / "box.toml").listen

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"http://{listen}/", timeout=5) as page:
                return b"nashik-07" in page.read()
        except OSError:
            return False

    until(answers, "the page answers")

    with pytest.raises(SettingsError, match=f"in use by another miscall box run .process {running.pid}"):
        box.run(folder / "box.toml")
    assert status.run(folder / "box.toml", False) == 0
    assert "l1 +919000000001: Ready." in capsys.readouterr().out
    assert status.run(folder / "box.toml", True) == 0
    seen = json.loads(capsys.readouterr().out)
    assert [line["name"] for line in seen["lines"]] == ["l1", "l2"]
    assert seen["uplink"]["unsent"] >= 2

    running.terminate()
    assert running.wait(10) == 0
    assert not any(map(status.alive, pids))
    assert states(folder) == ["stopped", "stopped"]
    assert "Traceback" not in running.communicate()[1]


def test_a_box_that_is_killed_leaves_nothing_behind(folder: Path, running: subprocess.Popen[str]) -> None:
    until(lambda: states(folder) == ["ready", "ready"], "both lines are ready")
    pids = children(running.pid)
    running.kill()
    until(lambda: not any(map(status.alive, pids)), "its processes ended")
    assert states(folder) == ["stopped", "stopped"]  # the page must not go on saying "ready"


def test_a_line_that_is_killed_comes_back(folder: Path, running: subprocess.Popen[str]) -> None:
    until(lambda: states(folder) == ["ready", "ready"], "both lines are ready")
    first = status.snapshot(config.load(folder / "box.toml"))["lines"][0]["pid"]
    os.kill(first, signal.SIGKILL)

    def back() -> bool:
        line = status.snapshot(config.load(folder / "box.toml"))["lines"][0]
        return bool(line["pid"] != first and line["state"] == "ready")

    until(back, "another process serves the line")
    running.terminate()
    assert running.wait(10) == 0
