"""`box export`, `box status` and `doctor`: what people and programs see of a box, running or not, whole or broken."""

from __future__ import annotations

import csv
import io
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge import config, export, status
from edge.events import Caller, Stamp
from edge.ledger import Draft, Ledger
from tools import cli, doctor

BOX = """\
[box]
id = "nashik-07"
data = "data"
country = "IN"
timezone = "Asia/Kolkata"
clock = "trusted"
[[line]]
name = "l1"
number = "+919000000001"
campaign = "water"
port = "ports/l1"
[hq]
url = "mqtt://127.0.0.1:{broker}"
"""
CAMPAIGN = 'id = "water"\ntitle = "Water"\nmode = "missed-call"\nlanguages = ["hi"]\n'
ASHA = Caller("national", "+919812345678")
NOBODY = Caller("withheld")


def stamp(seconds: int, clock: int = 3) -> Stamp:
    return Stamp("0123456789abcdef", seconds * 1000, 1_795_470_000_123 + seconds * 1000, clock)


@pytest.fixture
def hq() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def box(tmp_path: Path, hq: socket.socket) -> config.BoxConfig:
    """A box with two calls in its ledger, and one in a ledger that was set aside."""
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "campaigns" / "water.toml").write_text(CAMPAIGN)
    (tmp_path / "box.toml").write_text(BOX.format(broker=hq.getsockname()[1]))
    found = config.load(tmp_path / "box.toml")
    old = Ledger(found.data / "ledgers" / "l1.fork-1.db", "nashik-07", "l1", stamp(0))
    old.keep_call(stamp(1, clock=1), NOBODY, "missed", "water")
    old.close()
    new = Ledger(found.data / "ledgers" / "l1.db", "nashik-07", "l1", stamp(10))
    seq = new.keep_call(stamp(11), ASHA, "missed", "water", Draft("=Danke", "hi", 1))
    new.set_state(stamp(12), seq + 1, "sending")
    new.set_state(stamp(13), seq + 1, "failed", "no credit")
    new.amend_call(stamp(14), seq, "gave-up")
    new.close()
    return found


def told(box: config.BoxConfig, what: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    assert cli.main(["box", "export", str(box.path), what]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_calls(box: config.BoxConfig, capsys: pytest.CaptureFixture[str]) -> None:
    new, old = told(box, "calls", capsys)
    names = "id at clock_trusted box line campaign number withheld outcome seconds"
    assert " ".join(new) == " ".join(old) == names
    assert (new["number"], new["outcome"], new["clock_trusted"]) == (ASHA.number, "gave-up", True)
    assert (old["number"], old["withheld"], old["clock_trusted"]) == (None, True, False)
    assert str(new["at"]).endswith(".123Z")
    assert str(new["id"]).startswith("nashik-07:l1:")
    assert str(new["id"]).endswith("-2")


def test_messages(box: config.BoxConfig, capsys: pytest.CaptureFixture[str]) -> None:
    (one,) = told(box, "messages", capsys)
    assert " ".join(one) == "id at box line campaign direction number text language parts state reason"
    assert (one["state"], one["reason"], one["direction"], one["text"]) == ("failed", "no credit", "out", "=Danke")


def test_events_are_the_rows_as_they_are(box: config.BoxConfig, capsys: pytest.CaptureFixture[str]) -> None:
    rows = told(box, "events", capsys)
    assert [(row["kind"], row["seq"], row["of"]) for row in rows if row["store"] == rows[0]["store"]] == [
        ("store", 1, 0), ("call", 2, 0), ("message", 3, 0), ("message", 4, 3), ("message", 5, 3), ("call", 6, 2),
    ]  # fmt: skip
    assert rows[4]["extra"] == {"reason": "no credit"}


def test_recordings(box: config.BoxConfig, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = Ledger(box.data / "ledgers" / "l1.db", "nashik-07", "l1", stamp(20))
    call = ledger.keep_call(stamp(20), ASHA, "missed", "water")
    about = {"node": "complaint", "tags": ("water", "broken"), "language": "hi", "case": True}
    takes = [ledger.begin_take(stamp(21 + at), ASHA, "water", call, **about) for at in range(2)]  # type: ignore[arg-type]
    ledger.end_take(stamp(30), takes[0][0], "kept", 8100, 7000, "ab" * 32)
    ledger.end_take(stamp(31), takes[1][0], "empty", 300)
    ledger.close()
    first, second = told(box, "recordings", capsys)
    assert " ".join(first) == "id at box line campaign number seconds file tags state"
    assert first == {
        "id": f"nashik-07:l1:{ledger.store}-{takes[0][0]}", "at": "2026-11-23T21:40:21.123Z", "box": "nashik-07",
        "line": "l1", "campaign": "water", "number": ASHA.number, "seconds": 9, "file": f"recordings/{takes[0][1]}",
        "tags": "water,broken", "state": "kept",
    }  # fmt: skip
    assert (second["state"], second["file"], second["seconds"]) == ("empty", "", 1)


@pytest.mark.parametrize("what", ["calls", "messages", "recordings", "events"])
def test_csv_has_the_same_values(box: config.BoxConfig, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    objects = told(box, what, capsys)
    assert cli.main(["box", "export", str(box.path), what, "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == len(objects)
    for row, one in zip(rows, objects, strict=True):
        assert list(row) == list(one)
        assert row.get("number") == (one.get("number") or "" if "number" in one else None)
        assert row.get("text", "").removeprefix("'") == one.get("text", "")
    if what == "messages":
        assert rows[0]["text"] == "'=Danke"  # no spreadsheet runs it


def test_a_damaged_ledger_does_not_hide_the_others(box: config.BoxConfig, capsys: pytest.CaptureFixture[str]) -> None:
    (box.data / "ledgers" / "l1.fork-1.db").write_bytes(b"not a database" * 1000)
    assert cli.main(["box", "export", str(box.path), "calls"]) == 1
    caught = capsys.readouterr()
    assert len(caught.out.splitlines()) == 1
    assert "l1.fork-1.db: file is not a database" in caught.err


def test_a_box_that_never_ran(tmp_path: Path, box: config.BoxConfig, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "box.toml").write_text(box.path.read_text().replace('"data"', '"nowhere"'))
    fresh = config.load(tmp_path / "box.toml")
    assert told(fresh, "calls", capsys) == []
    seen = status.snapshot(fresh)
    assert (seen["uplink"]["unsent"], seen["lines"][0]["calls_today"]) == (0, 0)
    assert not (tmp_path / "nowhere").exists()


# --------------------------------------------------------------------------------------------- status


def say(box: config.BoxConfig, name: str, **state: object) -> None:
    (box.data / "state").mkdir(exist_ok=True)
    (box.data / "state" / f"{name}.json").write_text(json.dumps(state))


def test_status_of_a_running_box(box: config.BoxConfig) -> None:
    now = status.snapshot(box)["now_ms"]
    say(box, "l1", state="ready", pid=os.getpid(), updated_ms=now, sms_left=88, operator="Idea", signal=17, clock=3)
    say(box, "uplink", state="connected", updated_ms=now, since_ms=now, last_ack_ms=now, unsent=0)
    seen = status.snapshot(box)
    (line,) = seen["lines"]
    assert (line["state"], line["sms_left"], line["last_caller"], line["held"]) == ("ready", 88, "•••• 678", 0)
    assert seen["uplink"]["unsent"] == 8  # two ledgers, nothing acknowledged: counted, not believed
    assert seen["clock"] == {"trusted": True, "quality": 3, "words": "box.toml vouches for the time"}
    assert seen["disk"]["free_bytes"] > 0
    assert ASHA.number not in json.dumps(seen)
    assert "l1 +919000000001: Ready." in "\n".join(status.text(seen))


def test_status_says_when_sound_waits(box: config.BoxConfig) -> None:
    now = status.snapshot(box)["now_ms"]
    told = "3 recordings wait for tomorrow: today's data for sound is used up"
    say(box, "uplink", state="connected", updated_ms=now, since_ms=now, sound=told)
    assert f"recordings: {told}" in status.text(status.snapshot(box))
    say(box, "uplink", state="connected", updated_ms=now, since_ms=now, sound="")
    assert "recordings:" not in "\n".join(status.text(status.snapshot(box)))


def test_a_process_that_is_gone_is_not_ready(box: config.BoxConfig) -> None:
    now = status.snapshot(box)["now_ms"]
    say(box, "l1", state="ready", pid=2**22 + 1, updated_ms=now)
    assert status.snapshot(box)["lines"][0]["state"] == "stopped"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"state": "ready"'])
def test_a_torn_state_file_is_no_state(box: config.BoxConfig, text: str) -> None:
    say(box, "l1")
    (box.data / "state" / "l1.json").write_text(text)
    assert "state" not in status.snapshot(box)["lines"][0]


def test_a_damaged_ledger_is_said(box: config.BoxConfig) -> None:
    (box.data / "ledgers" / "l1.db").write_bytes(b"not a database" * 1000)
    seen = status.snapshot(box)
    assert seen["lines"][0]["state"] == "damaged"
    assert seen["uplink"]["unsent"] is None
    assert "Call file damaged" in "\n".join(status.text(seen))


# --------------------------------------------------------------------------------------------- doctor


def test_the_doctor_names_each_thing_and_its_remedy(
    box: config.BoxConfig, hq: socket.socket, capsys: pytest.CaptureFixture[str]
) -> None:
    hq.close()
    assert cli.main(["doctor", str(box.path)]) == 1
    out = capsys.readouterr().out
    assert f"WRONG  l1: {box.path.parent}/ports/l1 is not there\n       Plug in the modem of line l1" in out
    assert "Connection refused\n       Check the box's internet" in out
    assert "good   clock: box.toml vouches for the time" in out


def test_the_doctor_names_who_holds_a_port(box: config.BoxConfig) -> None:
    ours, theirs = os.openpty()
    try:
        (box.path.parent / "ports").mkdir()
        (box.path.parent / "ports" / "l1").symlink_to(os.ttyname(theirs))
        (port,) = doctor._ports(box, [])
        assert port.remedy == ""  # only this very process has it open
        helper = os.fork()
        if helper == 0:
            os.close(ours)
            os.read(theirs, 1)
            os._exit(0)
        (port,) = doctor._ports(box, [])
        assert f"(process {helper})" in port.what
        assert port.remedy == "Stop that program; the line comes back by itself."
        (port,) = doctor._ports(box, [{"name": "l1", "pid": helper}])
        assert port.remedy == ""
        os.write(ours, b"\n")
        os.waitpid(helper, 0)
    finally:
        os.close(ours)
        os.close(theirs)


def test_the_doctor_knows_what_an_untrusted_clock_costs(
    box: config.BoxConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("edge.clock.disciplined", lambda: False)
    box.path.write_text(box.path.read_text().replace('clock = "trusted"\n', ""))
    assert cli.main(["doctor", str(box.path)]) == 1
    out = capsys.readouterr().out
    assert "before the last start; calls are kept with an uncertain time\n       Connect the box to the internet" in out
    (box.campaigns / "water.toml").write_text(CAMPAIGN + '[schedule]\nquiet = "22:00-06:00"\n')
    assert cli.main(["doctor", str(box.path)]) == 1
    out = capsys.readouterr().out
    assert "no reply of campaign water goes out, for its quiet hours cannot be told\n       Connect the box" in out
    assert 'set `clock = "trusted"` below [box].' in out


def test_the_doctor_of_a_box_that_was_never_started(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "box.toml"
    assert cli.main(["box", "new", str(tmp_path), "--yes", "--ports", "none"]) == 0
    assert cli.main(["doctor", str(file)]) == 1
    out = capsys.readouterr().out
    assert "number is still a guess\n       Put in the number of this SIM, as on the posters; then take out" in out
    assert f"the box is not running\n       Start it: `miscall box run {file}`" in out
    assert not (tmp_path / "data").exists(), "it looks and never touches"


def test_the_doctor_refuses_a_file_that_is_no_port_and_a_disk_that_is_full(
    box: config.BoxConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    (box.path.parent / "ports").mkdir()
    (box.path.parent / "ports" / "l1").write_text("")
    (port,) = doctor._ports(box, [])
    assert "is no serial port" in port.what
    monkeypatch.setattr(doctor, "ROOM", 2**62)
    (disk,) = doctor._data(box.data)
    assert disk.remedy


def test_a_box_where_all_is_well(box: config.BoxConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.openpty()
    (box.path.parent / "ports").mkdir()
    (box.path.parent / "ports" / "l1").symlink_to(os.ttyname(theirs))
    now = status.snapshot(box)["now_ms"]
    say(box, "l1", state="ready", pid=os.getpid(), updated_ms=now)
    say(box, "uplink", state="connected", updated_ms=now, since_ms=now)
    monkeypatch.setattr(doctor, "_rival", lambda: doctor.Finding("no ModemManager in the way"))
    assert [one for one in doctor.examine(box) if one.remedy] == []
    os.close(ours)
    os.close(theirs)


def test_status_and_doctor_say_why_replies_wait(box: config.BoxConfig, capsys: pytest.CaptureFixture[str]) -> None:
    book = Ledger(box.data / "ledgers" / "l1.db", "nashik-07", "l1", stamp(20))
    for at in range(3):
        seq = book.keep_call(stamp(20 + at), ASHA, "missed", "water", Draft("Thanks", "hi", 1)) + 1
        if at:
            book.set_state(stamp(20 + at), seq, "held", "today's SMS of this SIM are used up")
    book.close()
    now = status.snapshot(box)["now_ms"]
    say(box, "l1", state="ready", pid=os.getpid(), updated_ms=now, sms_left=0)
    assert cli.main(["box", "status", str(box.path)]) == 0
    out = capsys.readouterr().out
    assert "replies waiting 3" in out and "2 replies wait: today's SMS of this SIM are used up." in out
    assert cli.main(["doctor", str(box.path)]) == 1
    assert "good   l1: 2 replies wait: today's SMS of this SIM are used up.\n" in capsys.readouterr().out


def test_a_line_whose_process_ended(box: config.BoxConfig) -> None:
    """Its last word is not believed: it comes back while somebody supervises it, and is stopped otherwise."""
    now = status.snapshot(box)["now_ms"]
    gone = 2**22 + 1  # above the largest process id there can be
    for state, shown in (("ready", "stopped"), ("stopped", "stopped"), ("disk", "disk")):
        say(box, "l1", state=state, pid=gone, updated_ms=now)
        assert status.snapshot(box)["lines"][0]["state"] == shown
    say(box, "l1", state="ready", pid=gone, updated_ms=now)
    (box.data / "box.lock").write_text(str(os.getpid()))
    assert "l1 +919000000001: Restarting." in "\n".join(status.text(status.snapshot(box)))
    say(box, "l1", state="ready", pid=os.getpid(), updated_ms=now - 120_000)
    assert "No word. The line's program last spoke 2 min ago." in "\n".join(status.text(status.snapshot(box)))


def test_fields_name_every_export() -> None:
    for what in cli.HELD_BY_BOX:
        assert "at" in export.fields(what)
