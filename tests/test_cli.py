"""The command line: every command of the contract is there, explains itself, and fails in one clear line."""

from __future__ import annotations

import importlib
import inspect
import io
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge.audio.player import BEEP
from edge.wavfile import header
from tools import boxnew, cli, modemlist, voice

ROOT = Path(__file__).parent.parent

PROMISED = """
demo, box new, box run, box line, box uplink, box page, box export, box status, hq run, hq receive, hq web, hq export,
hq snapshot, hq audit, hq code, hq counts, hq import, hq order, campaign check, campaign try, campaign voice,
campaign picture, modem sim, modem list, doctor
"""
CAMPAIGN = """\
id = "first"
title = "Water"
mode = "missed-call"
languages = ["hi", "en"]
[reply.hi]
text = "धन्यवाद! STOP"
[reply.en]
text = "Thank you, {name}! Reply STOP to opt out."
[schedule]
quiet = "22:00-06:00"
"""



def test_every_promised_command_is_there_and_no_other() -> None:
    assert sorted(command.words for command in cli.COMMANDS) == sorted(" ".join(PROMISED.split()).split(", "))


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: command.words)
def test_help_has_an_example_that_parses(command: cli.Command, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main([*command.words.split(), "--help"])
    assert left.value.code == 0
    told = capsys.readouterr().out
    example = re.search(r"Example:\n  miscall (.+)\n", told)
    assert example
    words = example[1].partition(" > ")[0].split()
    assert " ".join(words).startswith(command.words)
    assert vars(cli.parser().parse_args(words))["room"] == command.room


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: command.words)
def test_each_command_leads_to_a_room_that_takes_its_words(command: cli.Command) -> None:
    module, _, function = command.room.partition(":")
    words = command.example.partition(" > ")[0].split()
    given = vars(cli.parser().parse_args(words))
    given.pop("room")
    inspect.signature(getattr(importlib.import_module(module), function)).bind(*given.values())


@pytest.mark.parametrize(
    "words",
    [
        ["ring"], [], ["box"], ["box", "run"], ["box", "export", "box.toml", "answers"], ["demo", "--boxes", "0"],
        ["demo", "--minutes", "-1"], ["modem", "sim"], ["box", "status", "box.toml", "--yaml"],
    ],
)  # fmt: skip
def test_wrong_use(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(words)
    assert left.value.code == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["box", "run"], ["box", "status"], ["box", "uplink"], ["box", "page"], ["doctor"], ["hq", "run"]]
)
def test_a_file_that_is_not_there(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*words, str(tmp_path / "no.toml")]) == 1
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert "no.toml: the file: No such file or directory" in told[0]


def test_every_problem_of_a_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "box.toml"
    file.write_text('[box]\nid = "A"\ndata = "d"\ncountry = "IN"\ntimezone = "Asia/Kolkata"\n[hq]\nurl = "x"\n')
    assert cli.main(["box", "run", str(file)]) == 1
    keys = [line.split(": ")[1] for line in capsys.readouterr().err.splitlines()]
    assert sorted(keys) == ["box.id", "hq.url", "line"]
    assert not (tmp_path / "d").exists()  # nothing half-started


def test_starting_costs_nothing_that_is_not_needed() -> None:
    """Help and a refused file load neither the web server nor MQTT nor the demo."""
    code = "import sys; from tools import cli; cli.parser(); print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"edge", "sync", "uvicorn", "paho", "serial", "rich", "sqlite3"}
    assert not [name for name in loaded if name.partition(".")[0] in heavy]


def test_a_reader_that_has_seen_enough(tmp_path: Path) -> None:
    """`miscall ... | head -1` ends without a traceback."""
    file = tmp_path / "first.toml"
    file.write_text(CAMPAIGN)
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "tools", "campaign", "try", str(file)]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert "Traceback" not in done.stderr


def test_campaign_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "first.toml"
    file.write_text(CAMPAIGN)
    assert cli.main(["campaign", "check", str(file)]) == 0
    told = capsys.readouterr().out
    assert "hi: 1 SMS, 13 letters (UCS-2)" in told
    assert "en: 1 SMS, " in told
    assert "{name} is filled only" in told
    file.write_text(CAMPAIGN.replace("missed-call", "missed"))
    assert cli.main(["campaign", "check", str(file)]) == 1
    assert "mode" in capsys.readouterr().err


def test_campaign_try(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    file = tmp_path / "first.toml"
    file.write_text(CAMPAIGN)
    assert cli.main(["campaign", "try", str(file)]) == 0
    told = capsys.readouterr().out
    assert "You pay nothing" in told
    assert "An SMS comes (hi" in told and "धन्यवाद! STOP" in told
    file.write_text(CAMPAIGN.replace("missed-call", "menu"))
    assert cli.main(["campaign", "try", str(file)]) == 1


def test_calibration_says_that_it_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "box.toml", "--calibrate", "l1"]) == 1
    assert capsys.readouterr().err == "doctor --calibrate: not in this version\n"


@pytest.mark.usefixtures("no_modems")
def test_box_new_without_a_modem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new" / "box"
    assert cli.main(["box", "new", str(folder), "--yes"]) == 0
    text = (folder / "box.toml").read_text()
    assert text.count("TODO") >= 3
    assert "[[line]]" in text
    before = text
    assert cli.main(["box", "new", str(folder), "--yes"]) == 1
    assert "is there already" in capsys.readouterr().err
    assert (folder / "box.toml").read_text() == before
    assert cli.main(["campaign", "check", str(folder / "campaigns" / "first.toml")]) == 0
    capsys.readouterr()
    assert cli.main(["box", "status", str(folder / "box.toml"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["lines"][0]["name"] == "l1"


@pytest.fixture
def no_modems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modemlist, "PLACES", ())


@pytest.fixture
def sticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A SIM7600 with its five ports, and a second one with the same number on its SIM."""

    def scan(ports: object = ()) -> list[modemlist.Found]:
        usb, maker, model = "1e0e:9001", "SIMCOM INCORPORATED", "SIM7600E"
        bare = [modemlist.Found(f"/dev/ttyUSB{n}", usb, "1-1", n, words="does not answer AT") for n in (0, 1, 4)]
        asked = [modemlist.Found(f"/dev/ttyUSB{n}", usb, "1-1", n, maker, model, "+919000000001") for n in (2, 3)]
        other = modemlist.Found("/dev/ttyUSB7", usb, "1-2", 2, maker, model, "+919000000001")
        return modemlist._with_roles([*bare, *asked, other])

    monkeypatch.setattr(modemlist, "scan", scan)


@pytest.mark.usefixtures("sticks")
def test_the_ports_of_a_modem_are_put_together(capsys: pytest.CaptureFixture[str]) -> None:
    one, two = modemlist.modems(modemlist.scan())
    assert (one.at.port, one.rescue, one.audio) == ("/dev/ttyUSB2", "/dev/ttyUSB3", "/dev/ttyUSB4")
    assert (two.at.port, two.rescue) == ("/dev/ttyUSB7", "")
    assert cli.main(["modem", "list"]) == 0
    told = capsys.readouterr().out
    assert "/dev/ttyUSB3: SIMCOM INCORPORATED SIM7600E, profile sim7600, rescue\n" in told
    assert "/dev/ttyUSB4: does not answer AT, audio\n" in told
    assert "profile sim7600, at; talks through /dev/ttyUSB4\n" in told
    assert "/dev/ttyUSB7: SIMCOM INCORPORATED SIM7600E, profile sim7600, at; talks by files inside it\n" in told


@pytest.mark.parametrize(
    ("maker", "model", "sound", "talks"),
    [
        ("huawei", "E173", True, "talks through /dev/x-pcm"),
        ("huawei", "E173", False, ""),  # it has no files of its own
        ("Quectel", "EC25", False, "talks by files inside it"),
        ("SIMCOM_Ltd", "SIMCOM_SIM800L", True, ""),
        ("SIMCOM", "A7670E", False, "talks by files inside it"),
        ("nobody", "knows", True, ""),
    ],
)
def test_which_modem_talks(maker: str, model: str, sound: bool, talks: str) -> None:
    ports = [modemlist.Found("/dev/x", maker=maker, model=model)]
    ports += [modemlist.Found("/dev/x-pcm", words="does not answer AT")] if sound else []
    (modem,) = modemlist.modems(modemlist._with_roles(ports))
    assert (modem.at.port, modem.talks) == ("/dev/x", talks)


@pytest.mark.usefixtures("sticks")
def test_box_new_asks_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = iter(["Bad Name", "nashik-07", "", "+919000000009", "maybe", "no", "+919000000009", "+919000000008", ""])
    monkeypatch.setattr("builtins.input", lambda question: next(typed))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    assert boxnew.run(str(tmp_path), False, ()) == 0
    text = (tmp_path / "box.toml").read_text()
    assert 'id = "nashik-07"' in text
    assert [line.split('"')[1] for line in text.splitlines() if line.startswith("number")] == [
        "+919000000009",
        "+919000000008",
    ]
    assert 'rescue_port = "/dev/ttyUSB3"\naudio_port = "/dev/ttyUSB4"\n' in text
    assert text.count('campaign = "first"') == 2
    assert next(typed, None) is None
    assert [file.name for file in (tmp_path / "campaigns").iterdir()] == ["first.toml"]


@pytest.mark.usefixtures("sticks")
@pytest.mark.parametrize("voiced", [True, False])
def test_box_new_lays_out_a_line_that_answers(
    tmp_path: Path, voiced: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = iter(["", "", "+919000000009", "yes", "+919000000008", "no"])
    monkeypatch.setattr("builtins.input", lambda question: next(typed))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    asked: list[str] = []

    def say(path: str, again: bool) -> int:
        """What `campaign voice` does, in no time; or what it does without espeak-ng."""
        asked.append(path)
        if not voiced:
            return 1
        folder = Path(path).with_suffix("")
        folder.mkdir()
        (folder / "welcome.hi.draft.wav").write_bytes(header(len(BEEP)) + BEEP)
        return 0

    monkeypatch.setattr(voice, "run", say)
    assert boxnew.run(str(tmp_path), False, ()) == 0
    text, menu = (tmp_path / "box.toml").read_text(), tmp_path / "campaigns" / "water-menu.toml"
    assert [line for line in text.splitlines() if line.startswith("campaign =")] == [
        'campaign = "water-menu"', 'campaign = "first"',
    ]  # fmt: skip
    assert menu.read_text() == (ROOT / "campaigns" / "water-menu.toml").read_text() and asked == [str(menu)]
    told = capsys.readouterr().err
    assert told == ("" if voiced else f"{menu}: the box starts once this campaign has prompts\n")
    if not voiced:
        assert cli.main(["box", "run", str(tmp_path / "box.toml")]) == 1
        assert "`miscall campaign voice" in capsys.readouterr().err


@pytest.mark.usefixtures("sticks")
def test_two_sims_that_claim_one_number(tmp_path: Path) -> None:
    assert boxnew.run(str(tmp_path), True, ()) == 0
    text = (tmp_path / "box.toml").read_text()
    assert text.count("+919000000001") == 1
    assert "TODO: the number of this SIM" in text


def test_modem_list_on_simulated_ports(tmp_path: Path) -> None:
    folder = tmp_path / "ports"
    command = [sys.executable, "-m", "tools", "modem", "sim", str(folder), "--profile", "quectel-lte", "--modems", "1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL) as sim:
        try:
            deadline = time.monotonic() + 20
            while len(list(folder.glob("sim*"))) < 2 and time.monotonic() < deadline:
                time.sleep(0.05)
            found = [one for one in modemlist.scan([f"{folder}/sim*"]) if one.port.startswith(str(folder))]
            assert [(one.profile, one.role) for one in found] == [("quectel-lte", "at"), ("", "audio")]
            (modem,) = modemlist.modems(found)
            assert modem.talks == f"talks through {folder}/sim1-pcm"
        finally:
            sim.terminate()
