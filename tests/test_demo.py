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
from dataclasses import replace
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from edge import box, campaign, config, status
from tools import chat, demo, district, rehearsal, stage
from tools.chat import Act, Chat
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
    invited = r"Join headquarters: http://127\.0\.0\.1:\d+/first, name you, code (\w{4}-){3}\w{4}\n"
    assert re.search(invited, done.stdout)
    assert not re.search(r"\d{8}", done.stdout), "a whole number was told"
    assert list(tmp_path.iterdir()) == [], "something stayed behind"


def test_a_district_without_mosquitto(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def hurried(*about: Any) -> list[Act]:
        """She knows the way to where she may talk, and listens to nothing."""
        say = Act("say", pcm=rehearsal.babble(2.0), after_s=6.0)
        return [Act("key", "1", after_s=0.5), Act("key", "3", after_s=1.0), say, Act("key", "#"), Act("leave")]

    monkeypatch.setattr(district, "script", hurried)
    monkeypatch.setattr(stage, "mosquitto", lambda: None)
    assert demo.run(1, 1, 0.35, True) == 0
    told = capsys.readouterr().out
    assert "(broker: embedded broker)" in told
    assert "The broker is back" in told
    assert re.search(r"a telephone: http://127\.0\.0\.1:\d+/", told)
    count = totals(told)
    assert count["reached"] == count["captured"] == count["at HQ"] > 0
    assert count["talked"] > 0 and count["rung back"] > 0
    assert count["recorded"] > 0 or not shutil.which("opusenc")
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
        until(lambda: len(family(process.pid)) == 12, "broker, headquarters and the box with their processes")
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
    offices, hq, page = stage.furnish(tmp_path, 12, 8, stage.free_port(), tmp_path / "voices")
    assert hq.exists()
    pages = {office.page for office in offices} | {page}
    assert len(pages) == 13
    for office in offices:
        about = box.check(office.config)
        assert len(about.lines) == 8 + len(office.talking)
        file = about.campaign_files(office.campaign)[0]
        found = campaign.load(file, known={"number", *about.text})
        for language in found.languages:
            values = {**about.text, "number": about.lines[0].number}
            assert campaign.size(found, language, values).parts == 1, f"{language}: two SMS a reply"
            assert "STOP" in found.replies[language]
    assert len({office.id for office in offices}) == 12
    assert [len(office.talking) for office in offices] == [2] + [0] * 11


def test_two_lines_talk_at_any_hour(tmp_path: Path) -> None:
    (office,), *_ = stage.furnish(tmp_path, 1, 1, stage.free_port(), tmp_path / "voices")
    about = config.load(office.config)
    for line, mode in (("menu", "menu"), ("back", "callback")):
        assert about.line(line).audio_port.endswith(f"ports/{line}-pcm")
        found = campaign.load(about.campaign_files(office.talking[line])[0])
        assert (found.mode, found.quiet) == (mode, (240, 241))
        assert not found.callback or found.callback.quiet == (240, 241)
    assert not about.line("l1").audio_port


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

    def dial(self, caller: str, patience_s: float = 20.0, *, withheld: bool = False, **how: Any) -> Call:
        call = self.modem.dial(caller, self.now, patience_s, withheld=withheld, **how)
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

    def press(self, key: str, ms: float = 100) -> None: ...

    def speak(self, pcm: bytes) -> None: ...

    def hang_up(self, call: Call) -> None:
        self.modem.line.cancel(call, self.now)


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
    told = {"outcome": "missed"}
    one = [{"box": b, "line": n, "number": c or None, "withheld": not c} for b, n, c in district.truth().elements()]
    return [{"id": str(i), **each, **told} for i, each in enumerate(one)]


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


def test_a_call_back_is_told_as_it_happened() -> None:
    port, told = MadeUp(set()), list[str]()
    line = Line("gaya-01", "back", port, lambda: True, "callback", "gram-sabha")
    village = District([line], Random(5), lambda where, what: told.append(what), sentences=[bytes(320)])
    village.open(0.0)
    live(village, [port], 2)
    (visit,) = village.visits
    assert visit.fate == "rejected"
    port.modem.receive(f"ATD{visit.voter.number};\r".encode(), port.now)
    live(village, [port], 8, 2)
    ((_, call),) = village.rung_back
    assert call.fate == "answered" and village.talking() == 1
    assert any("is rung back and takes the call" in line for line in told)
    held = rows(village)
    placed = {"id": "p", "box": "gaya-01", "line": "back", "number": visit.voter.number, "withheld": False}
    good = judge(village, held, [*held, {**placed, "outcome": "called-back"}])
    assert (good.good, good.reached, good.rung_back, good.astray) == (True, 1, 1, 0)
    for wrong in ([], [{**placed, "outcome": "unreached"}], [{**placed, "outcome": "called-back", "number": "+911"}]):
        verdict = judge(village, held, held + wrong)
        assert verdict.astray and not verdict.good, wrong
    village.close()
    live(village, [port], 2, 10)
    assert call.ended_at is not None and not village.talking(), "she did not hang up"


def test_a_menu_may_answer_and_no_other_line() -> None:
    for mode, good in (("menu", True), ("callback", False), ("missed-call", False)):
        port = MadeUp(set())
        port.deaf = True
        village = District([Line("gaya-01", "l1", port, lambda: True, mode, "water-menu")], Random(5), lambda *_: None)
        village.open(0.0)
        live(village, [port], 2)
        port.modem.receive(b"ATA\r", port.now)
        verdict = judge(village, rows(village), rows(village))
        assert (verdict.good, verdict.talked) == (good, int(good)), mode


def test_a_person_who_dials_is_a_voter() -> None:
    port = MadeUp(set())
    line = Line("gaya-01", "l1", port, lambda: True)
    village = District([line], Random(5), lambda *_: None)
    village.came(line, "+919812345678", port.dial("+919812345678"))
    village.came(line, "+919812345678", None)
    assert village.ringing() == 2
    live(village, [port], 1)
    assert village.truth() == {("gaya-01", "l1", "+919812345678"): 1}
    assert village.fates() == {"rejected": 1, "unreachable": 1}


def test_voters_keep_the_lines_that_talk_free_for_a_person() -> None:
    port, here = MadeUp(set()), [True]
    line = Line("gaya-01", "menu", port, lambda: True, "menu", "water-menu")
    village = District([line], Random(5), lambda *_: None, person=lambda: here[0])
    village.open(0.0)
    live(village, [port], 100)
    assert not village.visits
    here[0] = False
    live(village, [port], 6, 100)
    assert len(village.visits) == 1


def test_a_recording_that_did_not_come_is_said() -> None:
    village = District([], Random(5), lambda *_: None)
    verdict = judge(village, [], [])
    for at_hq, unsent, told in ((3, 0, "at headquarters, once."), (2, 1, "WRONG: 1 recordings are not at")):
        eyes = SimpleNamespace(sound=3, sound_at_hq=at_hq, waiting=0)
        stub = SimpleNamespace(district=village, eyes=eyes, unsent_sound=lambda unsent=unsent: unsent)
        assert told in "\n".join(demo.totals(verdict, stub))  # type: ignore[arg-type]


class Far:
    """Somebody else's end of a call: `talk` is what she hears, 20 ms at a time."""

    def __init__(self) -> None:
        self.call = Call("+919812345678", 0.0, 20.0)
        self.did: list[tuple[float, str]] = []
        self.now = 0.0

    def press(self, key: str, ms: float = 100) -> None:
        self.did.append((self.now, key))

    def speak(self, pcm: bytes) -> None:
        self.did.append((self.now, "says"))

    def hang_up(self, call: Call) -> None:
        self.did.append((self.now, "leaves"))
        call.ended_at = self.now

    def live(self, chat: Chat, seconds: float, talk: bool) -> None:
        for _ in range(round(seconds * 50)):
            self.now += 0.02
            self.call.heard += (b"\1\0" if talk else b"\0\0") * 160
            chat.tick(self.now)


def test_a_voter_speaks_when_it_is_her_turn() -> None:
    far = Far()
    acts = [Act("key", "1"), Act("key", "2", after_s=2.0), Act("say", pcm=bytes(32_000)), Act("leave")]
    chat = Chat(far, far.call, acts, 0.0)
    far.live(chat, 8, talk=True)
    assert far.did == [], "she talks while she is talked to"
    far.live(chat, 1.1, talk=False)
    assert [what for _, what in far.did] == ["1"]
    far.live(chat, 3, talk=True)
    assert [what for _, what in far.did] == ["1", "2"], "the impatient do not wait for the end"
    far.live(chat, 5, talk=False)
    assert [what for _, what in far.did] == ["1", "2", "says", "leaves"] and chat.over
    assert far.did[3][0] - far.did[2][0] > 2.0, "she hung up before she had spoken"


def test_nobody_listens_for_ever() -> None:
    far = Far()
    endless = Chat(far, far.call, [Act("leave", after_s=1000.0)], 0.0)
    far.live(endless, chat.LONGEST_S + 1, talk=True)
    assert far.did and far.did[0][1] == "leaves"


def test_all_scripts_are_within_their_menus() -> None:
    for name in rehearsal.CAMPAIGNS:
        menu = campaign.parse(rehearsal.campaign(name), f"{name}.toml").menu
        assert menu
        for place in range(40):
            acts = chat.script(name, place, Random(place), [b"\0\0"])
            keys = [act.key for act in acts if act.what == "key"]
            node = menu.nodes[menu.start]
            assert not keys or int(keys[0]) <= len(menu.languages)
            for key in keys[1:]:
                option = next((option for option in node.options if option.key == key), None)
                if option is None or not option.to:
                    break
                node = menu.nodes[option.to]
            spoken = any(act.what == "say" for act in acts)
            assert spoken == (node.kind in ("record", "grievance")), (name, place)


def test_the_weather_of_a_run_and_of_one_without_end() -> None:
    for run_s in (6.0, 18.0, 60.0, 600.0):
        spells = list(forecast(run_s))
        assert [spell.what for spell in spells] == ["rush", "broker", "unplugged"]
        assert all(0 < spell.at < run_s for spell in spells)
    endless = forecast(None)
    many = [next(endless) for _ in range(9)]
    assert [spell.at for spell in many] == sorted(spell.at for spell in many)


# ------------------------------------------------------------------------------------- the picture


def scene(boxes: int, lines: int, talking: bool = False) -> Scene:
    one = LineSeen("l1", "huawei-voice", "bad", "Call file damaged", 12345, 99, "withheld 59 min ago")
    talks = [LineSeen(name, "quectel-lte", "busy", "In a call", 12345, 0, "", True) for name in ("menu", "back")]
    office = OfficeSeen("nashik-01", "water", "http://127.0.0.1:8701/", 1234, [one] * lines)
    first = OfficeSeen("nashik-01", "water", office.page, 1234, [*office.lines, *talks]) if talking else office
    news = [("23:59:59", "nashik-01 l12", "•••123 rang, was written down, and cut after 1.2 s")] * 40
    news[-1] = ("23:59:59", "", "Somebody unplugs the modem of nashik-01 l12")
    return Scene(
        seconds=5025.0,
        phase="the voters have gone home; the last replies go out",
        page="http://127.0.0.1:8800/",
        code="abcd-efgh-jkmn-pqrs",
        telephone="http://127.0.0.1:8900/",
        dialled=987654,
        ringing=12,
        busy=3456,
        unreachable=321,
        reached=980000,
        captured=970000,
        replied=960000,
        waiting=12345,
        at_hq=950000,
        talked=12345,
        rung_back=1234,
        sound=12345,
        sound_at_hq=12344,
        road=("warn", "broker down for 120 s: 123,456 rows wait on the boxes' disks, none is lost"),
        offices=[first, *[office] * (boxes - 1)],
        news=news,
    )


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
@pytest.mark.parametrize("height", [16, 24, 32, 60])
@pytest.mark.parametrize(("boxes", "lines"), [(1, 1), (2, 4), (8, 16), (64, 64)])
def test_a_picture_fits_its_terminal(columns: int, height: int, boxes: int, lines: int) -> None:
    plain = picture(scene(boxes, lines, talking=True), columns, height, colour=False)
    assert len(plain) <= height
    for line in plain:
        assert "\x1b" not in line
        assert len(line) <= max(40, min(columns, 80)), line
        assert all(unicodedata.east_asian_width(sign) not in "WF" for sign in line)
    assert "http://127.0.0.1:8800/" in plain[-1]
    painted = picture(scene(boxes, lines, talking=True), columns, height)
    assert [re.sub(r"\x1b\[\d+m", "", line) for line in painted] == plain


def test_a_picture_shows_each_line_where_there_is_room() -> None:
    usual = picture(scene(2, 4, talking=True), 80, 24, colour=False)
    assert sum("huawei-voice" in line for line in usual) == 8
    assert sum("menu quectel-lte" in line and "back quectel-lte" in line for line in usual) == 1
    assert "http://127.0.0.1:8900/" in usual[-1]
    assert "HQ: name you, code abcd-efgh-jkmn-pqrs" in picture(replace(scene(2, 4), phase=""), 80, 24, colour=False)[0]
    assert "unplugs the modem" in "".join(usual), "the newest news"
    assert not any("huawei-voice" in line for line in picture(scene(8, 16), 80, 24, colour=False))
    assert any("more boxes" in line for line in picture(scene(64, 64), 80, 24, colour=False))


def test_a_scene_in_one_line() -> None:
    told = sentence(scene(1, 1))
    assert told.startswith("1:23:45  dialled 987654, reached 980000, captured 970000, replied 960000, at HQ 950000, ")
    assert "talked 13579, recordings at HQ 12344; broker down" in told
