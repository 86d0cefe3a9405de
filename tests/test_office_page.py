"""The office's page over a real box's folder: real ledgers, real state files, a real browser.

`python -m tests.test_office_page docs/office.png` takes the picture of the documentation.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from edge import config, page, status
from edge.events import Caller, Stamp
from edge.ledger import Draft, Ledger
from tests.browser import DESK, PHONE, Asked, chromium, scrolls_sideways, served, shown, wait_for

__all__ = ["chromium"]  # a fixture, used by name

VOTER = re.compile(r"98765\d{5}|98765 ?\d")
BOX = """
[box]
id = "nashik-07"
data = "data"
district = "nashik"
country = "IN"
timezone = "Asia/Kolkata"
clock = "trusted"
[hq]
url = "mqtt://127.0.0.1:1883"
[page]
listen = "{listen}"
"""
TALKS: dict[str, Any] = {"speaks": True, "talking": False, "mute": "", "room": True}
LINE = """
[[line]]
name = "{name}"
number = "+91900000000{at}"
campaign = "water"
port = "/dev/miscall/{name}-at"
"""
CAMPAIGN = 'id = "water"\ntitle = "Water"\nmode = "missed-call"\nlanguages = ["hi"]\n'


class Box:
    """A box's folder with a line for each state given; `call` and `say` are what its processes would do."""

    def __init__(self, folder: Path, *states: str, listen: str = "127.0.0.1:8700") -> None:
        names = [f"l{at}" for at in range(1, len(states) + 1)]
        (folder / "campaigns").mkdir()
        (folder / "campaigns" / "water.toml").write_text(CAMPAIGN)
        self.file = folder / "box.toml"
        lines = "".join(LINE.format(name=name, at=at) for at, name in enumerate(names, 1))
        self.file.write_text(BOX.format(listen=listen) + lines)
        self.config = config.load(self.file)
        self.data = self.config.data
        (self.data / "state").mkdir(parents=True)
        now = self.stamp()
        self.ledgers = {name: Ledger(self.data / "ledgers" / f"{name}.db", "nashik-07", name, now) for name in names}
        for name, state in zip(names, states, strict=True):
            self.say(name, state)
        self.say("uplink", "connected", unsent=0, last_ack_ms=now.at_ms)

    def stamp(self, ago_s: int = 0) -> Stamp:
        return Stamp("ab" * 8, 1000, int(time.time() * 1000) - ago_s * 1000, 3)

    def say(self, name: str, state: str, **more: Any) -> None:
        now_ms = int(time.time() * 1000)
        said = {"line": name, "pid": os.getpid(), "state": state, "since_ms": now_ms, "operator": "Jio", "signal": 21,
                "sms_left": 81, "updated_ms": now_ms, "detail": "", **more}  # fmt: skip
        (self.data / "state" / f"{name}.json").write_text(json.dumps(said))

    def call(self, name: str, number: str, ago_s: int = 0) -> None:
        self.ledgers[name].keep_call(self.stamp(ago_s), Caller("national", number), "missed", "water")

    def reply(self, name: str, *states: str) -> None:
        """A caller whose reply has come to that state; a held one waits because the purse is empty."""
        book, who = self.ledgers[name], Caller("national", "+919876500012")
        for state in states:
            seq = book.keep_call(self.stamp(), who, "missed", "water", Draft("Thanks", "hi", 1)) + 1
            if state != "queued":
                book.set_state(self.stamp(), seq, state, "today's SMS of this SIM are used up")

    def talk(self, name: str, due_ms: int = 0) -> None:
        """A call that was talked on, with a recording; with `due_ms` also a complaint."""
        book, now, who = self.ledgers[name], self.stamp(), Caller("national", "+919876500013")
        call = book.keep_call(now, who, "missed", "water")
        book.talked(now, call, 0)
        about: dict[str, Any] = {"node": "tell", "tags": ("water",), "language": "hi"}
        take, _ = book.begin_take(now, who, "water", call, case=bool(due_ms), **about)
        book.end_take(now, take, "kept", 4000, 3000, "ab" * 32)
        if due_ms:
            book.open_grievance(
                now, who, "water", call, take=take, opened_ms=now.at_ms, due_ms=due_ms, letter=None, **about
            )  # fmt: skip
        book.talked(now, call, 12)

    def app(self) -> page.Gate:
        return page.application(lambda: status.snapshot(self.config))

    def close(self) -> None:
        for ledger in self.ledgers.values():
            ledger.close()


def test_what_is_answered_has_words_and_no_callers_number(tmp_path: Path) -> None:
    box = Box(tmp_path, "ready", "port-held")
    box.say("l2", "port-held", detail="/dev/miscall/l2-at is held by minicom (pid 812)", words="rang +91 98765 43210")
    box.call("l1", "+919876543210")
    asker = Asked(box.app())
    for path in ("/", "/live", "/api/status"):
        answer = asker.get(path)
        assert answer.status == 200 and not VOTER.search(answer.text), path
        assert "minicom (process 812)" in answer.text and "210" in answer.text
    answer = asker.get("/")
    assert "unsafe" not in answer.headers["content-security-policy"] and answer.headers["cache-control"] == "no-store"
    assert asker.get("/", "POST").status == 405 and asker.get("/", host="evil.example").status == 421
    seen = asker.get("/api/status").json()
    assert seen["lines"][0]["calls_today"] == "1"
    assert seen["next"]["text"].startswith("Line l2: close minicom (process 812)")
    box.close()


def test_replies_that_wait_are_shown_with_their_reason(tmp_path: Path) -> None:
    box = Box(tmp_path, "ready", "ready")
    box.reply("l1", "held", "queued", "held", "sent")
    seen = Asked(box.app()).get("/api/status").json()
    first, second = seen["lines"]
    assert (first["waiting"], first["notes"]) == ("3", ["2 replies wait: today's SMS of this SIM are used up."])
    assert (second["waiting"], second["notes"]) == ("0", [])
    assert seen["next"]["text"].startswith("Line l1 has used up its SMS for today")
    text = Asked(box.app()).get("/").text
    assert first["notes"][0].replace("'", "&#39;") in text
    assert "<dt>Replies waiting</dt>" in text and ">Rows waiting for headquarters<" in text
    box.close()


def test_a_line_that_talks_is_shown_with_its_figures(tmp_path: Path) -> None:
    box = Box(tmp_path, "ready", "ready", "ready")
    now_ms = box.stamp().at_ms
    box.say("l1", "ready", **{**TALKS, "talking": True})
    box.say("l2", "ready", **{**TALKS, "mute": "a SIM800 or SIM900 has no voice over USB: put the SIM elsewhere"})
    sound = "3 recordings wait: neither opusenc nor soundfile is installed on the box"
    box.say("uplink", "connected", unsent=0, last_ack_ms=now_ms, sound=sound, recordings=3)
    for due_ms in (now_ms - 1, now_ms + 60_000, 0):
        box.talk("l1", due_ms)
    for digit in range(3):
        number = f"+91987650010{digit}"
        box.ledgers["l2"].keep_call(box.stamp(), Caller("national", number), "missed", "water", ring_back=True)
    seen = Asked(box.app()).get("/api/status").json()
    one, two, three = seen["lines"]
    assert (one["said"]["title"], one["voice"]) == ("Talking", {"talks": "3", "recordings": "3", "cases": "2"})
    assert one["notes"] == ["1 complaint has waited longer than was promised."]
    assert (two["said"]["title"], two["said"]["tone"]) == ("Cannot talk", "warn")
    assert two["notes"] == ["3 people wait for a call back."]
    assert three["voice"] is None and three["notes"] == [], "a line that never answers has no such figures"
    assert (seen["box"]["sound"], seen["box"]["unsent_tone"]) == (sound + ".", "warn")
    assert seen["next"]["text"].startswith("Line l2: put the SIM into a modem that can talk")
    text = Asked(box.app()).get("/").text
    assert text.count(">Talks today<") == 2 and "This line is talking with a caller." in text and sound in text
    assert "Callers are treated as missed calls." in text and not VOTER.search(text)
    box.close()


@pytest.mark.parametrize(
    ("more", "link", "tone"),
    [
        ({"unsent": 0, "recordings": 0}, "good", "good"),
        ({"unsent": 0, "recordings": 2, "sound": "2 recordings wait for the road to headquarters"}, "good", "busy"),
        ({"unsent": 7}, "busy", "busy"),
        ({"unsent": 0, "recordings": 2}, "warn", "warn"),
        ({"unsent": 0, "sound": "headquarters refused 1: call them"}, "good", "warn"),
    ],
)
def test_what_waits_for_headquarters_has_a_tone(more: dict[str, Any], link: str, tone: str) -> None:
    assert page._road_tone(more, link) == tone


def test_a_page_of_a_broken_box_is_no_error_500(tmp_path: Path) -> None:
    box = Box(tmp_path, "ready", "ready")
    box.close()
    ledger = tmp_path / "data" / "ledgers" / "l1.db"
    for side in ledger.parent.glob("l1.db-*"):
        side.unlink()
    ledger.write_bytes(b"this is no database" * 500)
    (box.data / "state" / "l2.json").write_text('{"state": ')
    (box.data / "state" / "uplink.json").write_text("[1]")
    answer = Asked(box.app()).get("/")
    assert answer.status == 200 and "Call file damaged" in answer.text and "Not running" in answer.text
    for file in sorted(tmp_path.rglob("data/*/*")):
        file.unlink()
    assert "miscall box run" in Asked(box.app()).get("/").text

    def fails() -> dict[str, Any]:
        raise PermissionError(13, "Permission denied")

    answer = Asked(page.application(fails)).get("/")
    assert answer.status == 200 and "Permission denied" in answer.text


def test_torn_ledgers_and_state_files(tmp_path: Path) -> None:
    box = Box(tmp_path, "ready")
    for _ in range(30):
        box.call("l1", "+919876543210")
    box.close()
    files = [tmp_path / "data" / "ledgers" / "l1.db", tmp_path / "data" / "state" / "l1.json"]
    whole = [file.read_bytes() for file in files]
    dice = random.Random(5)
    for _ in range(60):
        for file, data in zip(files, whole, strict=True):
            torn = bytearray(data)
            for _ in range(dice.randrange(1, 30)):
                torn[dice.randrange(len(torn))] ^= 1 << dice.randrange(8)
            file.write_bytes(bytes(torn))
        assert Asked(box.app()).get("/").status == 200


@pytest.mark.browser
def test_the_browser_follows_the_box(tmp_path: Path, chromium: Any) -> None:
    box = Box(tmp_path, "ready", "ready")
    with served(box.app()) as address, shown(chromium, address) as seen:
        assert seen.inner_text(".step") == "All is well: nothing to do."
        assert seen.locator(".line").count() == 2
        first = seen.locator(".line").nth(0)
        assert first.locator(".big").nth(0).inner_text() == "0"
        seen.evaluate("window.same = document.querySelector('.line')")
        box.call("l1", "+919876543210")
        box.say("l2", "sim-pin")
        wait_for(lambda: first.locator(".big").nth(0).inner_text() == "1")
        assert "210" in first.inner_text()
        wait_for(lambda: seen.inner_text(".step").startswith("Line l2: put the SIM into a phone"))
        assert seen.evaluate("window.same === document.querySelector('.line')"), "the page is changed, not rebuilt"
        assert not VOTER.search(seen.content())
        box.say("l2", "ready")
        wait_for(lambda: seen.inner_text(".step") == "All is well: nothing to do.")
        box.say("l1", "ready", **{**TALKS, "talking": True})
        wait_for(lambda: first.locator(".pill").inner_text() == "Talking")
        box.say("l1", "ready", **TALKS)
        box.talk("l1")
        wait_for(lambda: first.locator(".pill").inner_text() == "Ready")
        wait_for(lambda: first.locator(".big").all_inner_texts()[3:] == ["1", "1", "0"])
        box.say("l1", "ready", **{**TALKS, "room": False})
        wait_for(lambda: seen.inner_text(".step").startswith("Line l1: free space on the box"))
    box.close()


@pytest.mark.browser
def test_a_phone_needs_no_sideways_scroll(tmp_path: Path, chromium: Any) -> None:
    box = Box(tmp_path, "ready", "port-held", "sim-puk", "starting")
    box.say("l2", "port-held", detail="/dev/l2 is held by a-program-with-an-uncommonly-long-name (pid 123456)")
    box.call("l1", "+919876543210")
    box.say("l1", "ready", **{**TALKS, "mute": "the modem refuses AT+A-COMMAND-WITHOUT-ANY-GAP-IN-IT=1,2,3,4,5,6: no"})
    box.talk("l1", 1)
    with served(box.app()) as address:
        for size in (PHONE, {"width": 768, "height": 900}, {"width": 1400, "height": 900}):
            with shown(chromium, address, size) as seen:
                assert not scrolls_sideways(seen), size
    box.close()


# ----------------------------------------------------------------------------------- the process


def start(file: Path) -> subprocess.Popen[str]:
    code = "import sys; from edge import page; sys.exit(page.run(sys.argv[1]))"
    return subprocess.Popen([sys.executable, "-c", code, str(file)], stdout=-1, stderr=-1, text=True)


def test_the_process_prints_its_address_and_ends_at_sigterm(tmp_path: Path) -> None:
    box = Box(tmp_path, "ready", listen="127.0.0.1:0")
    process = start(box.file)
    assert process.stdout
    address = re.fullmatch(r"page: http://127\.0\.0\.1:(\d+)/\n", process.stdout.readline())
    assert address
    with socket.create_connection(("127.0.0.1", int(address[1])), 10) as caller:
        caller.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert caller.recv(100).startswith(b"HTTP/1.1 200")
    wait_for(lambda: (box.data / "state" / "page.json").exists())  # its sign of life, for who supervises it
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")
    box.close()


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        box = Box(tmp_path, "ready", listen=f"127.0.0.1:{port}")
        process = start(box.file)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert err.count("\n") == 1 and f"cannot listen on 127.0.0.1:{port}" in err and "page.listen" in err
    box.close()


def test_a_page_that_is_switched_off_ends_well(tmp_path: Path) -> None:
    box = Box(tmp_path, "ready", listen="")
    assert page.run(box.file) == 0
    box.close()


# ------------------------------------------------------------------------------------ the picture


def picture(target: Path, folder: Path, size: dict[str, int] = DESK, scheme: str = "light") -> None:
    from playwright.sync_api import sync_playwright

    from tests.browser import ARGUMENTS, CHROMIUM

    box = Box(folder, "ready", "port-held", "ready", "no-network")
    for count, name in ((241, "l1"), (12, "l2"), (187, "l3"), (3, "l4")):
        for at in range(count):
            box.call(name, f"+9198765{at * 7919 % 100_000:05d}", ago_s=(count - at) * 20)
    culprit = "/dev/miscall/l2-at is held by minicom (pid 812)"
    box.say("l2", "port-held", detail=culprit, operator="", signal=None, sms_left=78)
    box.say("l3", "sending", operator="Airtel", signal=13, sms_left=0)
    box.reply("l3", "held", "held", "held", "queued")
    box.say("l4", "no-network", operator="", signal=1)
    box.say("l1", "ready", **{**TALKS, "talking": True})
    for at in range(23):
        box.talk("l1", box.stamp().at_ms + 60_000 if at < 4 else 0)
    waits = "2 recordings wait for the road to headquarters"
    box.say("uplink", "connected", unsent=0, last_ack_ms=box.stamp().at_ms, sound=waits, recordings=2)
    with sync_playwright() as started, served(box.app()) as address:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        with shown(browser, address, size, scheme) as seen:
            seen.screenshot(path=str(target), full_page=True)
        browser.close()
    box.close()


if __name__ == "__main__":
    import tempfile

    for name in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as scratch:
            picture(Path(name), Path(scratch), {"width": 900, "height": 800})
