"""The demo: the account it gives is right, it can say no, and nothing of it stays behind."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from edge import box, campaign, status
from tools import demo, stage
from tools.district import District, Line, forecast, judge
from tools.simmodem import Call, SimModem
from tools.view import LineSeen, OfficeSeen, Scene, picture, sentence


def until(true: Callable[[], object], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def family(pid: int) -> list[int]:
    """Every process below that one."""
    try:
        own = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return own + [below for one in own for below in family(one)]


def totals(told: str) -> dict[str, int]:
    return {name: int(count.replace(",", "")) for name, count in re.findall(r"^  (\w[\w ]*?) +([\d,]+)\b", told, re.M)}


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))


# ------------------------------------------------------------------------------------- the whole demo


@pytest.mark.skipif(not stage.mosquitto(), reason="mosquitto is not installed: apt install mosquitto")
def test_a_district_with_mosquitto(tmp_path: Path) -> None:
    words = ["demo", "--boxes", "1", "--lines", "2", "--minutes", "0.3", "--headless"]
    done = subprocess.run([sys.executable, "-m", "tools", *words], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    count = totals(done.stdout)
    assert count["reached"] == count["captured"] == count["at HQ"] > 0
    assert count["lost"] == 0
    assert 0 < count["replied"] <= count["callers"]
    assert "(broker: mosquitto)" in done.stdout
    for event in ("The broker is killed", "The broker is back", "unplugs the modem", "plugged in again"):
        assert event in done.stdout
    assert not re.search(r"\d{8}", done.stdout), "a whole number was told"
    assert list(tmp_path.iterdir()) == [], "something stayed behind"


def test_a_district_without_mosquitto(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(stage, "mosquitto", lambda: None)
    assert demo.run(1, 1, 0.2, True) == 0
    told = capsys.readouterr().out
    assert "(broker: embedded broker)" in told
    assert "The broker is back" in told
    count = totals(told)
    assert count["reached"] == count["captured"] == count["at HQ"] > 0
    assert list(tmp_path.iterdir()) == []


def test_one_call_missing_at_headquarters_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The control: with one row taken out of headquarters' export the demo must fail, and keep its files."""
    held = demo.Demo.held

    def one_less(self: demo.Demo) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        ledgers, there = held(self)
        return ledgers, there[1:]

    monkeypatch.setattr(demo.Demo, "held", one_less)
    assert demo.run(1, 1, 0.1, True) == 1
    told = capsys.readouterr()
    assert totals(told.out)["lost"] == 1
    kept = re.search(r"kept for a look: (\S+)", told.err)
    assert kept
    assert (Path(kept[1]) / "hq" / "data" / "hq.db").exists()
    assert str(kept[1]).startswith(str(tmp_path))


def test_a_picture_in_a_terminal_until_ctrl_c() -> None:
    screen, terminal = pty.openpty()
    command = [sys.executable, "-m", "tools", "demo", "--boxes", "1", "--lines", "1"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24", "PYTHONIOENCODING": "utf-8"}
    with subprocess.Popen(command, stdin=terminal, stdout=terminal, env=environment, start_new_session=True) as process:
        os.close(terminal)
        said = ""

        def hear() -> None:
            nonlocal said
            while select.select([screen], [], [], 0)[0]:
                try:
                    said += os.read(screen, 65536).decode(errors="replace")
                except OSError:
                    return

        def seen(what: str) -> Callable[[], bool]:
            return lambda: hear() or what in said  # type: ignore[func-returns-value]

        until(seen("was written down"), "a voter rang")
        process.send_signal(signal.SIGINT)
        until(seen("is at headquarters, once."), "the account", 150)
        assert process.wait(20) == 0
    os.close(screen)
    before, _, after = said.rpartition("\x1b[?1049l")
    assert before.startswith("\x1b[?1049h")
    assert "http://127.0.0.1:" in before
    assert "\x1b" not in after
    assert totals(after.replace("\r", ""))["lost"] == 0


def test_killed_it_takes_everything_along() -> None:
    command = [sys.executable, "-m", "tools", "demo", "--boxes", "1", "--lines", "1", "--headless"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        until(lambda: "captured" in process.stdout.readline(), "it speaks")  # type: ignore[union-attr]
        until(lambda: len(family(process.pid)) == 8, "broker, headquarters and the box with their processes")
        pids = family(process.pid)
        process.kill()
        try:
            until(lambda: not any(map(status.alive, pids)), "all of them ended", 10)
        finally:
            for pid in filter(status.alive, pids):
                os.kill(pid, signal.SIGTERM)


def test_a_broker_that_cannot_start_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    false = shutil.which("false")
    monkeypatch.setattr(stage, "mosquitto", lambda: false)
    assert demo.run(1, 1, 0.1, True) == 1
    assert "the broker (mosquitto) does not start" in capsys.readouterr().err


# --------------------------------------------------------------------------------------- its files


def test_the_files_are_a_real_districts(tmp_path: Path) -> None:
    offices, hq, page = stage.furnish(tmp_path, 12, 8, stage.free_port())
    assert hq.exists()
    pages = {office.page for office in offices} | {page}
    assert len(pages) == 13
    for office in offices:
        about = box.check(office.config)
        assert len(about.lines) == 8
        file = about.campaign_files(office.campaign)[0]
        found = campaign.load(file, known={"number", *about.text})
        for language in found.languages:
            values = {**about.text, "number": about.lines[0].number}
            assert campaign.size(found, language, values).parts == 1, f"{language}: two SMS a reply"
            assert "STOP" in found.replies[language]
    assert len({office.id for office in offices}) == 12


def test_a_port_that_is_taken_is_not_chosen() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        assert stage.free_port(taken) != taken
    assert stage.free_port(taken, {taken}) != taken


# ----------------------------------------------------------------- voters, in made-up time, no port


class MadeUp:
    """A modem whose box hangs up at once and answers each number once by SMS, or is `deaf`."""

    def __init__(self, answered: set[str]) -> None:
        self.modem = SimModem("generic")
        self.answered = answered
        self.now, self.deaf = 0.0, False
        self.inbox: list[tuple[str, str]] = []
        self.modem.receive(b"ATE0;+CLIP=1;+CVHU=0\r", 0.0)

    def dial(self, caller: str, patience_s: float = 20.0, *, withheld: bool = False) -> Call:
        call = self.modem.dial(caller, self.now, patience_s, withheld=withheld)
        if not self.deaf:
            self.modem.receive(b"AT+CHUP\r", self.now)
            number = caller if caller.startswith("+") else "+91" + caller[1:]
            if not withheld and number not in self.answered:
                self.answered.add(number)
                sent = self.modem.mailbox.send_text(number, "Thank you", self.now)
                sent.outcome = "accepted"
        return call

    def sms_in(self, sender: str, text: str) -> list[str]:
        self.inbox.append((sender, text))
        return []

    def fault(self, name: str, value: float | None = None) -> None: ...


@pytest.fixture
def village() -> Iterator[tuple[District, list[MadeUp], list[str]]]:
    answered: set[str] = set()
    ports = [MadeUp(answered), MadeUp(answered)]
    told: list[str] = []
    lines = [Line("gaya-01", f"l{i}", port, lambda: True) for i, port in enumerate(ports)]
    yield District(lines, Random(5), lambda where, what: told.append(f"{where} {what}")), ports, told


def live(district: District, ports: list[MadeUp], seconds: float, start: float = 0.0) -> None:
    for step in range(int(start * 10), int((start + seconds) * 10)):
        for port in ports:
            port.now = step / 10
            port.modem.tick(port.now)
        district.tick(step / 10)


def rows(district: District) -> list[dict[str, Any]]:
    """The truth as an export would tell it."""
    one = [{"box": b, "line": n, "number": c or None, "withheld": not c} for b, n, c in district.truth().elements()]
    return [{"id": str(i), **each} for i, each in enumerate(one)]


def test_voters_do_all_that_voters_do(village: tuple[District, list[MadeUp], list[str]]) -> None:
    district, ports, told = village
    district.open(0.0)
    live(district, ports, 600)
    voters = {visit.voter.number: visit.voter for visit in district.visits}
    assert {voter.habit for voter in voters.values()} >= {"patient", "one-ring", "twice", "withheld", "stops"}
    assert any(voter.habit == "twice" and voter.dials == 2 for voter in voters.values())
    assert district.stops == sum(len(port.inbox) for port in ports) > 0
    assert district.truth().total() == district.fates()["rejected"] == len(district.visits)
    district.close()
    live(district, ports, 60, 600)
    assert district.truth().total() == len(district.visits), "somebody rang after all had gone home"
    assert not any(voter.number in line or voter.number[3:] in line for voter in voters.values() for line in told)


def test_busy_and_unreachable_callers_dial_again(village: tuple[District, list[MadeUp], list[str]]) -> None:
    district, ports, told = village
    ports[0].deaf = True  # its callers ring on, and those behind them hear busy
    district.lines[1].on_air = lambda: False
    district.open(0.0)
    live(district, ports, 120)
    fates = district.fates()
    assert fates["busy"] > 0
    assert fates["unreachable"] > 0
    assert any(visit.voter.dials > 1 for visit in district.visits)
    assert max(visit.voter.dials for visit in district.visits) <= 5
    reached = [visit for visit in district.visits if visit.fate in ("gave-up", "")]
    assert district.truth().total() == len(reached), "a caller who heard busy reached nobody"
    assert any("heard busy and will dial again" in line for line in told)


def test_the_verdict(village: tuple[District, list[MadeUp], list[str]]) -> None:
    district, ports, _ = village
    district.open(0.0)
    live(district, ports, 300)
    held = rows(district)
    assert any(row["withheld"] for row in held)
    good = judge(district, held, held)
    assert good.good
    assert good.reached == good.captured == good.at_hq == len(held)
    for place in range(len(held)):
        less = held[:place] + held[place + 1 :]
        assert (judge(district, less, held).lost, judge(district, held, less).lost) == (1, 1)
    again = [*held, {**held[0], "id": "another"}]
    assert judge(district, held, again).extra == judge(district, again, held).extra == 1
    assert judge(district, held, [*held, held[0]]).extra == 1, "the same id twice"
    strange = [{**held[0], "number": None, "withheld": False}, *held[1:]]
    assert (judge(district, held, strange).lost, judge(district, held, strange).extra) == (1, 1)
    district.replies["gaya-01", "+919800000000"] = 2
    assert not judge(district, held, held).good


def test_the_weather_of_a_run_and_of_one_without_end() -> None:
    for run_s in (6.0, 18.0, 60.0, 600.0):
        spells = list(forecast(run_s))
        assert [spell.what for spell in spells] == ["rush", "broker", "unplugged"]
        assert all(0 < spell.at < run_s for spell in spells)
    endless = forecast(None)
    many = [next(endless) for _ in range(9)]
    assert [spell.at for spell in many] == sorted(spell.at for spell in many)


# ------------------------------------------------------------------------------------- the picture


def scene(boxes: int, lines: int) -> Scene:
    one = LineSeen("l1", "huawei-voice", "bad", "Call file damaged", 12345, 99, "withheld 59 min ago")
    office = OfficeSeen("nashik-01", "water", "http://127.0.0.1:8701/", 1234, [one] * lines)
    news = [("23:59:59", "nashik-01 l12", "•••123 rang, was written down, and cut after 1.2 s")] * 40
    news[-1] = ("23:59:59", "", "Somebody unplugs the modem of nashik-01 l12")
    road = ("warn", "broker down for 120 s: 123,456 rows wait on the boxes' disks, none is lost")
    return Scene(
        5025.0, "the voters have gone home; the last replies go out", "http://127.0.0.1:8800/", 987654, 12, 3456,
        321, 980000, 970000, 960000, 12345, 950000, road, [office] * boxes, news,
    )  # fmt: skip


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
@pytest.mark.parametrize("height", [16, 24, 32, 60])
@pytest.mark.parametrize(("boxes", "lines"), [(1, 1), (2, 4), (8, 16), (64, 64)])
def test_a_picture_fits_its_terminal(columns: int, height: int, boxes: int, lines: int) -> None:
    plain = picture(scene(boxes, lines), columns, height, colour=False)
    assert len(plain) <= height
    for line in plain:
        assert "\x1b" not in line
        assert len(line) <= max(40, min(columns, 80)), line
        assert all(unicodedata.east_asian_width(sign) not in "WF" for sign in line)
    assert "http://127.0.0.1:8800/" in plain[-1]
    painted = picture(scene(boxes, lines), columns, height)
    assert [re.sub(r"\x1b\[\d+m", "", line) for line in painted] == plain


def test_a_picture_shows_each_line_where_there_is_room() -> None:
    assert sum("huawei-voice" in line for line in picture(scene(2, 4), 80, 24, colour=False)) == 8
    assert not any("huawei-voice" in line for line in picture(scene(8, 16), 80, 24, colour=False))
    assert any("more boxes" in line for line in picture(scene(64, 64), 80, 24, colour=False))


def test_a_scene_in_one_line() -> None:
    told = sentence(scene(1, 1))
    assert told.startswith("1:23:45  dialled 987654, reached 980000, captured 970000, replied 960000, at HQ 950000")
