"""What the office and the installer are told of a line that talks: its counts, why it cannot, what it lacks."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edge import box, campaign, config, recordings, status, words
from edge.audio.player import BEEP
from edge.events import Caller, Stamp
from edge.ledger import Draft, Ledger, Reader
from edge.line import Line
from edge.settings import SettingsError
from edge.wavfile import header
from sync.pace import Pace
from sync.parcels import Parcels
from tests.talkrig import BACK, MENU, TalkRig, talking
from tools import cli, doctor

ROOT = Path(__file__).parent.parent
VOTER, OTHER = Caller("national", "+919812345678"), Caller("national", "+919812345679")
T0 = Stamp("boot-a", 1000, 1_780_000_000_000, 3)
DAY_MS = 86_400_000
SILENT = MENU.replace('mode = "menu"', 'mode = "missed-call"').replace('issue = "pay"', 'issue = "pay"\noption = "all"')


def later(seconds: float) -> Stamp:
    return T0._replace(mono_ms=1000 + round(seconds * 1000), at_ms=T0.at_ms + round(seconds * 1000))


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "ledgers" / "l1.db", "box-1", "l1", T0)
    yield ledger
    ledger.close()


def talk(book: Ledger, at_s: float, who: Caller = VOTER, take: str = "", due_ms: int = 0) -> int:
    """A call that was talked on; with a take that ended as `take`, and with a case. Returns the case's seq, or 0."""
    call = book.keep_call(later(at_s), who, "missed", "water")
    book.talked(later(at_s + 1), call, 0)
    number = 0
    if take:
        number, _ = book.begin_take(later(at_s + 2), who, "water", call, node="n", tags=(), language="en", case=True)
        book.end_take(later(at_s + 5), number, take, 3000, 2000, "ab" * 32)
    reference = ""
    if due_ms:
        reference = book.open_grievance(
            later(at_s + 6), who, "water", call, take=number, node="n", tags=(), language="en", opened_ms=T0.at_ms,
            due_ms=due_ms, letter=None,
        )  # fmt: skip
    book.talked(later(at_s + 9), call, 8)
    found = book.case(reference) if reference else None
    return found.seq if found else 0


# ---------------------------------------------------------------------------------- counted


def test_a_talk_and_a_take_count_once_and_on_their_day(book: Ledger) -> None:
    book.keep_call(T0, VOTER, "missed", "water")  # was never answered
    for state in ("kept", "empty", "dropped", "failed"):
        talk(book, 10, take=state)
    talk(book, 20)
    book.keep_call(later(30), OTHER, "missed", "water", ring_back=True)
    [wish] = book.callbacks()
    placed = book.place_call(later(40), wish)
    assert book.talks_since(T0.at_ms) == 5
    book.reached(later(45), placed)
    book.placed(later(50), placed, wish.seq, "answered", 5)
    assert (book.talks_since(T0.at_ms), book.takes_since(T0.at_ms)) == (6, 1)
    assert (book.talks_since(later(35).at_ms), book.takes_since(later(35).at_ms)) == (1, 0)
    [take] = book.takes("kept")
    book.end_take(later(60), take[0], "erased")
    assert book.takes_since(T0.at_ms) == 1, "it was made all the same"


def test_who_waits_for_a_call_back_and_why(book: Ledger) -> None:
    for digit in range(4):
        book.keep_call(later(digit), Caller("national", f"+91981234560{digit}"), "missed", "water", ring_back=True)
    first, second, third, fourth = book.callbacks()
    book.hold_callback(first.seq, "held", "quiet")
    book.hold_callback(second.seq, "held", "quiet")
    book.hold_callback(third.seq, "held", "minutes")
    assert book.wishes() == {"due": 1, "held": 3} and book.held_wishes() == [("quiet", 2), ("minutes", 1)]
    book.place_call(later(9), fourth)
    told = book.voice(T0.at_ms, T0.at_ms)
    assert (told["callbacks_due"], told["callbacks_held"]) == (1, 3)
    for wish in (first, second, third):
        book.hold_callback(wish.seq, "cancelled", "opted out")
    assert book.held_wishes() == [] and book.wishes() == {"placing": 1}


def test_a_case_is_open_until_it_is_called_resolved_and_late_from_the_promised_hour(book: Ledger) -> None:
    due = T0.at_ms + DAY_MS
    case, other = talk(book, 10, due_ms=due), talk(book, 20, OTHER, due_ms=due + 1000)
    assert book.open_cases(due) == (2, 0)
    assert book.open_cases(due + 1) == (2, 1) and book.open_cases(due + 1001) == (2, 2)
    book.move_grievance(later(30), case, "contacted")
    assert book.open_cases(due + 1001) == (2, 2), "headquarters counts it so"
    book.move_grievance(later(31), case, "resolved")
    book.move_grievance(later(32), other, "verified")
    assert book.open_cases(due + 1001) == (0, 0)
    book.move_grievance(later(33), case, "reopened")
    assert book.open_cases(due + 1001) == (1, 1)


def asked(book: Ledger) -> list[str]:
    """How SQLite goes about what `voice` and `held_wishes` ask."""
    queries: list[str] = []
    book._db.set_trace_callback(queries.append)
    book.voice(T0.at_ms, T0.at_ms)
    book.held_wishes()
    book._db.set_trace_callback(None)
    assert len(queries) == 5
    with closing(sqlite3.connect(book.path)) as db:
        return [str(row[3]) for query in queries for row in db.execute(f"EXPLAIN QUERY PLAN {query}")]


def test_no_count_reads_a_table_from_end_to_end(book: Ledger) -> None:
    """A ledger holds millions of rows, and a line counts while somebody is on it."""
    for plan in asked(book):
        assert "INDEX" in plan or "TEMP B-TREE" in plan, plan
    book._db.execute("DROP INDEX event_voice")
    assert any(plan == "SCAN event" for plan in asked(book)), "the test would see it"


@pytest.mark.parametrize(("extra", "late"), [("", 1), ('due_ms":', 0), ('{"call":2,"due_ms"', 0)])
def test_an_older_ledger_knows_when_its_cases_are_due(tmp_path: Path, extra: str, late: int) -> None:
    """Of a row that says nothing, or nothing readable, the time is not known: such a case is not late."""
    text = (ROOT / "tests" / "ledgers" / "v2.sql").read_text()
    spoilt = text.replace(extra, extra.replace("due_ms", "dued").replace("{", "")) if extra else text
    assert (spoilt == text) == (not extra)
    with sqlite3.connect(tmp_path / "l1.db") as db:
        db.executescript(spoilt)
    db.close()
    ledger = Ledger(tmp_path / "l1.db", "box-1", "l1", T0)
    assert ledger.open_cases(1_780_086_400_003) == (1, late) and ledger.open_cases(1_780_086_400_002) == (1, 0)
    ledger.close()


def test_a_new_store_goes_on_counting_what_the_old_one_held(book: Ledger, tmp_path: Path) -> None:
    due = T0.at_ms + DAY_MS
    talk(book, 10, due_ms=due)
    held = book.head()[0]
    talk(book, 20, OTHER, take="kept", due_ms=due)
    fresh = Ledger(tmp_path / "fresh.db", "box-1", "l1", later(99))
    fresh.take_over(book.path, held)
    assert fresh.open_cases(due + 1) == (2, 2)
    assert (fresh.talks_since(0), fresh.takes_since(0)) == (1, 1), "of today's rows only those that were carried over"
    fresh.close()


# --------------------------------------------------------------------------------- said of itself

BOX = """\
[box]
id = "nashik-07"
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
port = "ports/m1"
{line}
[hq]
url = "mqtt://127.0.0.1:1"
{hq}
[page]
listen = ""
"""


def furnish(folder: Path, about: str = MENU, line: str = 'audio_port = "ports/m1-pcm"', hq: str = "") -> Path:
    """A box with a line whose campaign is `about`, and a beep for each of its prompts."""
    (folder / "campaigns" / "water").mkdir(parents=True, exist_ok=True)
    (folder / "campaigns" / "water.toml").write_text(about)
    (folder / "box.toml").write_text(BOX.format(line=line, hq=hq))
    menu = campaign.load(folder / "campaigns" / "water.toml").menu
    for name, language in menu.texts if menu else ():
        prompt(folder, f"{name}.{language}")
    return folder / "box.toml"


def prompt(folder: Path, name: str) -> Path:
    file = folder / "campaigns" / "water" / f"{name}.wav"
    file.write_bytes(header(len(BEEP)) + BEEP)
    return file


def state(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "data" / "state" / "l1.json").read_text()))


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    found = config.load(furnish(tmp_path))
    serving = Line(found, found.line("l1"))
    yield serving
    assert serving.voice is not None
    serving.voice.close()
    serving.ledger.close()


def test_a_state_file_tells_of_talking(line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = line.clock.now()
    call = line.ledger.keep_call(now, VOTER, "missed", "water")
    line.ledger.talked(now, call, 0)
    line._tell_state()
    told = state(tmp_path)
    assert (told["speaks"], told["talking"], told["room"]) == (True, False, True)
    assert told["mute"] == "its modem is not known yet"
    assert (told["talks_today"], told["recordings_today"]) == (1, 0)
    line.station.board.talk = object()  # type: ignore[assignment]  # a call is in hand
    monkeypatch.setattr(recordings, "room", lambda data: False)
    line._tell_state()
    assert (state(tmp_path)["talking"], state(tmp_path)["room"]) == (True, False)
    assert VOTER.number not in json.dumps(told)


def test_a_line_that_never_answers_has_no_reason_to_be_mute(tmp_path: Path) -> None:
    found = config.load(furnish(tmp_path, SILENT))
    serving = Line(found, found.line("l1"))
    serving._tell_state()
    assert (state(tmp_path)["speaks"], state(tmp_path)["mute"]) == (False, "")
    if serving.voice is not None:
        serving.voice.close()
    serving.ledger.close()


@pytest.mark.parametrize(
    ("kind", "pcm", "options", "says", "remedy"),
    [
        ("sim800", True, {}, "has no voice over USB", "Put the SIM into a modem that can talk"),
        ("huawei-voice", False, {}, "the line has no audio_port", "as `audio_port` in box.toml"),
        ("huawei-voice", True, {"refuse": ("AT^DDSETEX",)}, "refuses AT^DDSETEX=2", "Put the SIM into a modem that"),
    ],
)
def test_why_a_line_is_mute_has_a_remedy(
    tmp_path: Path, kind: str, pcm: bool, options: dict[str, object], says: str, remedy: str
) -> None:
    """The words are those of `switchboard` and `talk`; the office reads them through here."""
    rig = TalkRig(tmp_path, kind, talking(), pcm, **options)
    rig.run(20)
    call = rig.sim.dial(VOTER.number, rig.now, 20.0)
    rig.until(lambda: call.fate, 30)
    rig.run(20)
    assert rig.station is not None
    said = words.line_said(seen(mute=rig.station.board.why_mute(rig.now)), NOW_MS)
    assert (said.tone, said.title) == ("warn", "Cannot talk") and remedy in said.todo
    assert said.sentence.startswith("This line cannot talk: ") and says in said.sentence
    assert said.sentence.endswith(". Callers are treated as missed calls.") and "put the SIM" not in said.sentence


def test_a_line_that_can_talk_is_ready(tmp_path: Path) -> None:
    rig = TalkRig(tmp_path, "sim7600", talking())
    rig.run(20)
    assert rig.station is not None and rig.station.board.why_mute(rig.now) == ""
    assert words.line_said(seen(mute=""), NOW_MS).title == "Ready"


# ------------------------------------------------------------------------------------ in words

NOW_MS = 1_790_000_000_000


def seen(state: str = "ready", name: str = "l1", **more: Any) -> dict[str, Any]:
    return {"name": name, "state": state, "updated_ms": NOW_MS, "speaks": True, "room": True, "mute": "", **more}


def snapshot(*lines: dict[str, Any], **uplink: Any) -> dict[str, Any]:
    road = {"state": "connected", "unsent": 0, "updated_ms": NOW_MS, "since_ms": NOW_MS, **uplink}
    return {"lines": list(lines), "uplink": road, "clock": {"trusted": True}, "disk": {"percent": 40},
            "now_ms": NOW_MS}  # fmt: skip


@pytest.mark.parametrize(
    ("line", "title", "tone"),
    [
        (seen(talking=True), "Talking", "good"),
        (seen("sending", talking=True), "Talking", "good"),
        (seen(room=False), "Cannot record", "warn"),
        (seen(room=False, talking=True), "Cannot record", "warn"),
        (seen(room=False, mute="a stick has no voice"), "Cannot talk", "warn"),
        (seen(room=False, speaks=False), "Ready", "good"),
        (seen("starting", mute="its modem is not known yet"), "Starting", "busy"),
        (seen("no-port", mute="its modem is not known yet", talking=True), "Modem not found", "bad"),
    ],
)
def test_a_line_in_words(line: dict[str, Any], title: str, tone: str) -> None:
    said = words.line_said(line, NOW_MS)
    assert (said.title, said.tone) == (title, tone)


@pytest.mark.parametrize(
    ("more", "sentences"),
    [
        ({}, []),
        ({"callbacks_due": 2}, ["2 people wait for a call back."]),
        ({"callbacks_due": 1}, ["1 person waits for a call back."]),
        ({"callbacks_due": 1, "callbacks_held": 2}, ["3 people wait for a call back."]),
        (
            {"callbacks_due": 1, "callbacks_held": 1203, "callback_waits": [{"reason": "night", "count": 1203}]},
            ["1 person waits for a call back. 1,203 people wait for a call back: night."],
        ),
        (
            {"callbacks_held": 1, "callback_waits": [{"reason": "hours in which nobody is rung", "count": 1}]},
            ["1 person waits for a call back: hours in which nobody is rung."],
        ),
        ({"cases_late": 1, "cases_open": 4}, ["1 complaint has waited longer than was promised."]),
        ({"cases_late": 2}, ["2 complaints have waited longer than was promised."]),
        (
            {"waits": [{"reason": "quiet hours", "count": 1}], "callbacks_due": 1},
            ["1 reply waits: quiet hours.", "1 person waits for a call back."],
        ),
        ({"callbacks_due": "many", "cases_late": None, "callback_waits": [7, {}]}, []),
    ],
)
def test_who_waits_in_words(more: dict[str, Any], sentences: list[str]) -> None:
    told = words.waiting_said(seen(**more))
    assert told[: len(sentences)] == sentences
    assert len(told) == len(sentences) or "callback_waits" in more


TROUBLE = "3 recordings wait: neither opusenc nor soundfile is installed on the box"


@pytest.mark.parametrize(
    ("shown", "tone", "part"),
    [
        (snapshot(seen()), "good", "All is well"),
        (snapshot(seen(talking=True)), "good", "All is well"),
        (snapshot(seen(callbacks_due=3)), "good", "All is well"),
        (snapshot(seen(), seen("no-sim", "l2"), seen(name="l3", mute="no voice")), "bad", "Line l2: unplug the modem"),
        (snapshot(seen(mute="no voice"), state="refused"), "bad", "Call headquarters"),
        (snapshot(seen(cases_late=1), seen(name="l2", mute="x")), "warn", "Line l2: unplug the modem, count to ten"),
        (snapshot(seen(room=False), seen(name="l2", room=False)), "warn", "free space on the box or put in"),
        (snapshot(seen(), seen(name="l2", cases_late=2)), "warn", "Line l2: 2 complaints have waited longer than was"),
        (snapshot(seen(cases_late=1), sound=TROUBLE), "warn", "1 complaint has waited"),
        (snapshot(seen(), sound=TROUBLE), "warn", f"Recordings do not reach headquarters: {TROUBLE}."),
        (snapshot(seen(), sound="2 recordings wait for the road to headquarters"), "good", "All is well"),
        (snapshot(seen(mute="x"), disk={}), "warn", "Line l1: "),
    ],
)
def test_the_one_sentence_of_a_box_that_talks(shown: dict[str, Any], tone: str, part: str) -> None:
    assert words.advice(shown)[0] == tone and part in words.advice(shown)[1]


class Few(list[int]):
    """Recordings that wait, and why none can be made small."""

    trouble = ""


def test_what_the_uplink_says_of_sound_is_calm_or_a_trouble(tmp_path: Path) -> None:
    takes = Few([1, 2, 3])

    def said(budget: int = 5_000_000) -> str:
        parcels = Parcels(takes, None, budget, "UTC", Pace(), random.Random(1))  # type: ignore[arg-type]
        parcels._poor, parcels.refused = poor, refused
        return words.sound_trouble({"sound": parcels.words()})

    poor, refused = False, 0
    assert said() == said(0) == ""
    poor = True
    assert said() == ""
    takes.trouble, poor = "no encoder", False
    assert said() == "3 recordings wait: no encoder"
    takes.trouble, refused = "", 2
    assert said() == "headquarters refused 2: call them"
    assert words.sound_said({"sound": "2 recordings wait"}) == "2 recordings wait." and not words.sound_said({})


def test_box_status_tells_of_talking(tmp_path: Path) -> None:
    found = config.load(furnish(tmp_path))
    book = Ledger(found.data / "ledgers" / "l1.db", "nashik-07", "l1", T0)
    now = T0._replace(at_ms=int(time.time() * 1000))
    call = book.keep_call(now, VOTER, "missed", "water", ring_back=True)
    book.talked(now, call, 0)
    book.hold_callback(call, "held", "hours in which nobody is rung")
    book.open_grievance(
        now, VOTER, "water", call, take=0, node="n", tags=(), language="en", opened_ms=1, due_ms=now.at_ms - 1,
        letter=Draft("{reference}", "en", 1, "reference"),
    )  # fmt: skip
    (found.data / "state").mkdir()
    said = {"state": "ready", "pid": os.getpid(), "updated_ms": now.at_ms, "speaks": True, "room": True, "mute": ""}
    (found.data / "state" / "l1.json").write_text(json.dumps(said))
    text = "\n".join(status.text(status.snapshot(found)))
    assert "    talks today 1, recordings today 0, open cases 1\n" in text
    assert "    1 person waits for a call back: hours in which nobody is rung.\n" in text
    assert "    1 complaint has waited longer than was promised.\n" in text
    assert VOTER.number not in json.dumps(status.snapshot(found))
    (found.data / "state" / "l1.json").write_text(json.dumps({**said, "speaks": False}))
    assert "talks today" not in "\n".join(status.text(status.snapshot(found)))
    book.close()


def test_a_ledger_that_its_line_has_not_brought_forward_is_still_told_of(tmp_path: Path) -> None:
    found = config.load(furnish(tmp_path))
    (found.data / "ledgers").mkdir(parents=True)
    with sqlite3.connect(found.data / "ledgers" / "l1.db") as db:
        db.executescript((ROOT / "tests" / "ledgers" / "v1.sql").read_text())
    db.close()
    (shown,) = status.snapshot(found)["lines"]
    assert shown["last_call_ms"] and "talks_today" not in shown and shown.get("state") != "damaged"
    Ledger(found.data / "ledgers" / "l1.db", "nashik-07", "l1", T0).close()
    assert status.snapshot(found)["lines"][0]["talks_today"] == 0


# ----------------------------------------------------------------------------- before it starts


def test_a_box_whose_campaign_has_nothing_to_say_is_refused(tmp_path: Path) -> None:
    file = furnish(tmp_path)
    box.check(file)
    shutil.rmtree(tmp_path / "campaigns" / "water")
    with pytest.raises(SettingsError, match=r"menu: not one prompt in .*/water can be played.*campaign voice .*\.toml"):
        box.check(file)
    (tmp_path / "campaigns" / "water").mkdir()
    prompt(tmp_path, "welcome.en").write_bytes(b"no sound at all")
    with pytest.raises(SettingsError, match="not one prompt"):
        box.check(file)
    prompt(tmp_path, "goodbye.en.draft")
    assert box.check(file).id == "nashik-07"


def test_a_campaign_that_only_hears_needs_no_prompt(tmp_path: Path) -> None:
    file = furnish(tmp_path, SILENT)
    shutil.rmtree(tmp_path / "campaigns" / "water")
    assert box.check(file) and not list(box.speaking(config.load(file)))


def test_a_line_that_rings_back_speaks_too(tmp_path: Path) -> None:
    file = furnish(tmp_path, BACK)
    assert [one.id for one in box.speaking(box.check(file))] == ["water"]


def test_missing_prompts_are_told_and_the_box_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = furnish(tmp_path)
    assert list(box.unsaid(config.load(file))) == []
    for name in ("welcome.hi", "press-1.hi"):
        prompt(tmp_path, name).unlink()
    prompt(tmp_path, "thanks.hi").rename(tmp_path / "campaigns" / "water" / "thanks.hi.draft.wav")
    spoken = box.spoken(campaign.load(tmp_path / "campaigns" / "water.toml"))
    assert (spoken["hi"].missing, spoken["hi"].drafts, spoken["en"].missing) == (2, 1, 0)
    assert spoken["en"].recorded > 20 and box.spoken(campaign.load(ROOT / "campaigns" / "missed-call.toml")) == {}
    monkeypatch.setattr(box.supervise, "run", lambda children: 0)
    assert box.run(file) == 0
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith("warning: ") and f"2 of {sum(spoken['hi'])} prompts in hi are missing" in told


def test_two_lines_may_not_share_a_sound_port(tmp_path: Path) -> None:
    file = furnish(tmp_path)
    second = BOX.format(line='audio_port = "ports/m1-pcm"', hq="").partition("[[line]]")[2].partition("[hq]")[0]
    second = second.replace("l1", "l2").replace("0001", "0002").replace('"ports/m1"', '"ports/m2"')
    file.write_text(file.read_text().replace("[hq]", f"[[line]]{second}[hq]"))
    with pytest.raises(SettingsError, match=r"line\.2.*m1-pcm\" is taken by line\.1"):
        box.check(file)


# ------------------------------------------------------------------------------------- the doctor


def told(file: Path, modem: str = "") -> dict[str, str]:
    """What the doctor says of talking: finding -> remedy."""
    found = box.check(file)
    return {one.what: one.remedy for one in doctor._voices(found, [{"name": "l1", "modem": modem}])}


def remedy(findings: dict[str, str], part: str) -> str:
    (found,) = [what for what in findings if part in what]
    return findings[found]


def test_the_doctor_of_a_line_that_talks_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = furnish(tmp_path)
    monkeypatch.setattr(recordings, "encoder", lambda wav, opus: ["opusenc"])
    findings = told(file, "sim7600")
    assert not any(findings.values()) and len(findings) == 5
    assert f"l1: talks through {tmp_path}/ports/m1-pcm" in findings
    assert f"{tmp_path}/data: there is room for recordings" in findings
    assert [what for what in findings if "are recorded" in what and "prompts in hi" in what]


@pytest.mark.parametrize(
    ("line", "modem", "part", "what_to_do"),
    [
        ("", "sim800", "has no voice over USB", "Put its SIM into a modem that has one"),
        ("", "huawei-voice", "and none is named", "as audio_port of line l1"),
        ("", "a76xx", "talks by files inside its", ""),
        ("", "sim7600", "talks by files inside its", ""),
        ("", "", "is known once the line has run", ""),
        ('modem = "sim800"', "", "has no voice over USB", "Put its SIM into a modem"),
        ('audio_port = "ports/m1-pcm"', "a76xx", "talks by files inside its", ""),
        ('audio_port = "ports/m1-pcm"', "huawei-voice", "talks through", ""),
    ],
)
def test_the_doctor_knows_which_modem_talks(tmp_path: Path, line: str, modem: str, part: str, what_to_do: str) -> None:
    found = remedy(told(furnish(tmp_path, line=line), modem), part)
    assert what_to_do in found and bool(found) == bool(what_to_do)


def test_the_doctor_knows_what_prompts_lack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = furnish(tmp_path)
    prompt(tmp_path, "welcome.hi").unlink()
    prompt(tmp_path, "thanks.en").rename(tmp_path / "campaigns" / "water" / "thanks.en.draft.wav")
    monkeypatch.setattr(shutil, "which", lambda program: None)
    findings = told(file)
    assert "apt-get install espeak-ng" in remedy(findings, "prompts in hi are missing")
    assert not remedy(findings, "prompts in en are a machine's")
    monkeypatch.setattr(shutil, "which", lambda program: "/usr/bin/" + program)
    missing = remedy(told(file), "prompts in hi are missing")
    assert "`miscall campaign voice" in missing and "apt-get" not in missing


def test_the_doctor_knows_a_language_without_words(tmp_path: Path) -> None:
    file = furnish(tmp_path, MENU.replace('["en", "hi"]', '["en", "hi", "ha"]'))
    assert "take it out" in remedy(told(file), "has no words in ha")


def test_the_doctor_knows_what_becomes_of_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = furnish(tmp_path)
    monkeypatch.setattr(shutil, "which", lambda program: None)
    monkeypatch.setattr(recordings, "find_spec", lambda name: None)
    assert "apt-get install opus-tools" in remedy(told(file), "cannot be made small")
    monkeypatch.setattr(recordings, "room", lambda data: False)
    assert "bigger card" in remedy(told(file), "there is no room for recordings")
    furnish(tmp_path, hq="data_mb_per_day = 0")
    assert remedy(told(file), "recordings stay on the box") == ""


def test_the_doctor_knows_why_words_are_not_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = furnish(tmp_path, line='words = "pocketsphinx"')
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "requirements/asr.lock" in remedy(told(file), "pocketsphinx is not installed: keys only")
    assert not [what for what in told(furnish(tmp_path)) if "keys only" in what]


def test_the_doctor_says_nothing_of_talking_where_nobody_talks(tmp_path: Path) -> None:
    assert told(furnish(tmp_path, SILENT), "sim800") == {}


def test_the_doctor_knows_that_a_lines_helper_holds_its_sound_port(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    port = tmp_path / "ports" / "m1-pcm"
    port.parent.mkdir()
    port.symlink_to(os.ttyname(theirs))
    found = config.load(furnish(tmp_path))
    code = "import os, sys, time; fd = os.open(sys.argv[1], os.O_RDWR); print('open', flush=True); time.sleep(600)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}, sys.argv[1]])"
    with subprocess.Popen([sys.executable, "-c", parent, str(port)], stdout=subprocess.PIPE, text=True) as line:
        try:
            assert line.stdout is not None and line.stdout.readline() == "open\n"
            children = Path(f"/proc/{line.pid}/task/{line.pid}/children")

            def of_port(pid: int) -> str:
                (what,) = [one for one in doctor._ports(found, [{"name": "l1", "pid": pid}]) if "m1-pcm" in one.what]
                return what.remedy

            assert of_port(2**22 + 1) == "Stop that program; the line comes back by itself."
            assert of_port(line.pid) == ""
            (helper,) = children.read_text().split()
            assert of_port(int(helper)) == ""
        finally:
            for child in children.read_text().split():
                os.kill(int(child), 9)
    assert doctor._family("minicom (pid 4194305)") == ("4194305", "")
    os.close(ours)
    os.close(theirs)


def test_the_doctor_says_that_nobody_is_rung_back_without_a_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("edge.clock.disciplined", lambda: False)
    file = furnish(tmp_path, BACK)
    file.write_text(file.read_text().replace('clock = "trusted"\n', ""))
    assert cli.main(["doctor", str(file)]) == 1
    assert "no reply of campaign water goes out, and nobody is rung back, for its" in capsys.readouterr().out


def test_reading_counts_needs_no_writer(book: Ledger) -> None:
    talk(book, 10, take="kept", due_ms=T0.at_ms + 5)
    reader = Reader(book.path)
    assert reader.voice(0, T0.at_ms) == book.voice(0, T0.at_ms)
    reader.close()
