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

from edge import box, config, status, supervise
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


WATCHED = """
import sys
from pathlib import Path
from edge import supervise
supervise.FIRST_PAUSE = supervise.LONGEST_PAUSE = 0.05
code, folder = sys.argv[1], Path(sys.argv[2])
command = (sys.executable, "-c", code)
names = ("one", "two")
kept = [supervise.Child(name, (*command, str(folder / name)), folder / name, 0.4) for name in names]
sys.exit(supervise.run(kept))
"""
BEATS = """
import sys, time
while True:
    open(sys.argv[1], "w").write(str(time.time()))
    time.sleep(0.02)
"""
STOPS_BEATING = 'import sys, time; open(sys.argv[1], "w").write("1"); time.sleep(600)'


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """A supervisor of two children, each with a pulse in `tmp_path/pulse` and 0.4 s of patience."""
    started: list[subprocess.Popen[str]] = []
    (tmp_path / "pulse").mkdir()

    def start(code: str, **environment: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", WATCHED, code, str(tmp_path / "pulse")]
        process = subprocess.Popen(command, text=True, env={**os.environ, **environment}, stderr=subprocess.PIPE)
        started.append(process)
        return process

    yield start
    for process in started:
        end(process)


def both_beat(folder: Path, process: subprocess.Popen[str]) -> None:
    until(lambda: len(children(process.pid)) == 2, "both run")
    until(lambda: all((folder / "pulse" / name).exists() for name in ("one", "two")), "both have spoken")


def test_a_child_that_hangs_is_killed_and_started_again(
    watched: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = watched(BEATS)
    both_beat(tmp_path, process)
    first, second = children(process.pid)
    os.kill(first, signal.SIGSTOP)
    until(lambda: first not in children(process.pid) and len(children(process.pid)) == 2, "another one runs")
    assert second in children(process.pid), "the other is left alone"
    process.terminate()
    assert process.wait(10) == 0
    told = process.communicate()[1].splitlines()
    assert told[0].startswith("one: hangs (no sign of life for 0 s); it is killed")
    assert told[1].startswith("one: ended (SIGKILL); starts again in")


def test_standing_still_ourselves_kills_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole machine may be put to sleep: then everybody was silent, and nobody hangs."""
    counted: list[float] = []

    def watch(watched: list[supervise._Kept], seconds: float) -> None:
        counted.append(seconds)
        if len(counted) == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(supervise, "_watch", watch)
    monkeypatch.setattr(supervise, "_notify", lambda state: time.sleep(0.2))
    child = supervise.Child("one", (sys.executable, "-c", SLEEPS), tmp_path / "one", patience=0.04)
    assert supervise.run([child]) == 0
    assert max(counted) < child.patience, "one look, however late, is never reason enough"


def test_silence_on_a_disk_that_takes_nothing_proves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = supervise.Child("one", (), tmp_path / "one", 0.4)
    one = supervise._Kept(child, subprocess.Popen(["sleep", "600"]), spoken=True)
    assert one.process
    monkeypatch.setattr(supervise, "_writable", lambda child: False)
    supervise._watch([one], 1.0)
    assert one.hangs and one.process.poll() is None
    monkeypatch.undo()
    (tmp_path / "one").write_text("1")
    supervise._watch([one], 1.0)
    assert not one.hangs and one.process.poll() is None, "it has spoken"
    supervise._watch([one], 1.0)
    assert one.process.wait(10) == -signal.SIGKILL and not list(tmp_path.glob(".probe*"))


def test_a_first_word_may_take_longer(tmp_path: Path) -> None:
    one = supervise._Kept(supervise.Child("one", (), tmp_path / "one", 0.4), subprocess.Popen(["sleep", "600"]))
    assert one.process
    supervise._watch([one], 3.9)
    assert not one.hangs
    supervise._watch([one], 0.2)
    assert one.process.wait(10) == -signal.SIGKILL


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


def test_the_watchdog_is_not_petted_when_every_pulse_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killing did not help (the card or the kernel hangs): only systemd can do more."""
    turns: list[list[supervise._Kept]] = []
    told: list[str] = []

    def watch(watched: list[supervise._Kept], seconds: float) -> None:
        turns.append(watched)
        for one in watched[: len(turns) - 1]:  # nobody is silent in the first turn, both are in the third
            one.silent, one.spoken = 1.0, True
        if len(turns) == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(supervise, "_watch", watch)
    monkeypatch.setattr(supervise, "_notify", told.append)
    command = (sys.executable, "-c", SLEEPS)
    assert supervise.run([supervise.Child(name, command, tmp_path / name, 0.2) for name in ("one", "two")]) == 0
    assert told == ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]


# -------------------------------------------------------------------------------- before anything starts


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('id = "water"', 'id = "road"', "id"),
        ('mode = "missed-call"', 'mode = "menu"', "menu"),
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


@pytest.mark.parametrize("name", ["uplink", "page"])
def test_a_line_with_the_name_of_another_process(folder: Path, name: str) -> None:
    (folder / "box.toml").write_text((folder / "box.toml").read_text().replace('name = "l2"', f'name = "{name}"'))
    with pytest.raises(SettingsError, match=rf'line\.2\.name: "{name}" is another process of the box; allowed:'):
        box.check(folder / "box.toml")


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


HASTY = """
import sys
from edge import box, supervise
found = box.check(sys.argv[1])
sys.exit(supervise.run([child._replace(patience=8) for child in box.children(found)]))
"""


@pytest.mark.usefixtures("ports")
def test_a_line_that_hangs_is_killed_and_comes_back(folder: Path) -> None:
    """The real processes, with less patience than they have in the field."""
    command = [sys.executable, "-c", HASTY, str(folder / "box.toml")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: states(folder) == ["ready", "ready"], "both lines are ready")
        pids = children(process.pid)
        first = status.snapshot(config.load(folder / "box.toml"))["lines"][0]["pid"]
        os.kill(first, signal.SIGSTOP)

        def back() -> bool:
            line = status.snapshot(config.load(folder / "box.toml"))["lines"][0]
            return bool(line["pid"] != first and line["state"] == "ready")

        until(back, "another process serves the line", 60)
        assert set(pids) - set(children(process.pid)) == {first}, "nobody else was taken for hanging"
        process.terminate()
        assert process.wait(10) == 0
        assert "l1: hangs (no sign of life for " in process.communicate()[1]
    finally:
        end(process)


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
