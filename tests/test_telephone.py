"""A telephone in a real browser, rings and talks to real line processes on pseudo-terminals; and its gate."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge import campaign
from edge.events import Row
from edge.ledger import Reader, unseal
from edge.wavfile import HEADER, header
from tests.browser import ARGUMENTS, CHROMIUM, PHONE, scrolls_sideways, shown, wait_for
from tools import rehearsal, stage
from tools.simmodem import Farm, PtyModem
from tools.telephone import About, Exchange, Line, Served
from tools.telephone.exchange import MOST_CALLS, Refused
from tools.telephone.story import Told, of_rows

ROOT = Path(__file__).parent.parent
PROMPT = rehearsal.babble(0.3)
LINES = {"l1": ("sim800", "water"), "menu": ("huawei-voice", "water-menu"), "back": ("sim7600", "gram-sabha")}
BOX = """
[box]
id = "b1"
data = "data"
country = "IN"
timezone = "Asia/Kolkata"
clock = "trusted"
[box.text]
office = "Tehsil office, Nashik"
[hq]
url = "mqtt://127.0.0.1:1"
"""


def furnish(folder: Path) -> None:
    """Three campaigns; each prompt of those that talk is a third of a second."""
    (folder / "campaigns").mkdir()
    (folder / "campaigns" / "water.toml").write_text(stage._campaign("water"))
    for name in rehearsal.CAMPAIGNS:
        file = folder / "campaigns" / f"{name}.toml"
        file.write_text(rehearsal.campaign(name))
        menu = campaign.load(file).menu
        assert menu
        file.with_suffix("").mkdir()
        for clip, language in menu.texts:
            (file.with_suffix("") / f"{clip}.{language}.wav").write_bytes(header(len(PROMPT)) + PROMPT)


class House:
    """One box with three lines, each a real process on a simulated modem, and the telephones that ring them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        furnish(folder)
        self.farm = Farm(folder / "ports")
        self.came: list[str] = []
        text, lines = BOX, []
        for place, (name, (kind, about)) in enumerate(LINES.items(), 1):
            port, number = self.farm.add(kind, name=name), f"+91900000000{place}"
            found = campaign.load(folder / "campaigns" / f"{about}.toml")
            audio = f'audio_port = "{port.audio_path}"\n' if found.menu else ""
            text += f'[[line]]\nname = "{name}"\nnumber = "{number}"\ncampaign = "{about}"\nport = "{port.path}"\n'
            text += audio
            told = About(f"b1 {name}", number, found.title, found.mode, "b1", kind, found.languages)
            lines.append(Line(told, port, self.ledger(name), found.menu, came=self._came))
        (folder / "box.toml").write_text(text)
        command = [sys.executable, "-m", "tools", "box", "line", str(folder / "box.toml")]
        self.processes = [subprocess.Popen([*command, name], cwd=ROOT, stdout=-3, stderr=-3) for name in LINES]
        self.exchange = Exchange(lines, lambda: [rehearsal.babble(2.5, 1)])
        self.page = Served(self.exchange, "a test", {})
        wait_for(lambda: all(self.state(name) == "ready" for name in LINES), 30)

    def _came(self, number: str, call: object) -> None:
        self.came.append(number)

    def ledger(self, line: str) -> Path:
        return self.folder / "data" / "ledgers" / f"{line}.db"

    def state(self, line: str) -> str:
        with contextlib.suppress(OSError, ValueError):
            return str(json.loads((self.folder / "data" / "state" / f"{line}.json").read_text())["state"])
        return ""

    def rows(self, line: str, kind: str, number: str = "") -> list[tuple[str, dict[str, Any]]]:
        """State and extra of the ledger's rows of one kind."""
        with contextlib.closing(Reader(self.ledger(line))) as ledger:
            rows = [Row(*row) for row in ledger.rows(0, 5000)]
        mine = [row for row in rows if row.kind == kind and (not number or unseal(row.caller) == number)]
        return [(row.state, json.loads(row.extra) if row.extra else {}) for row in mine]

    def entered(self, line: str) -> str:
        """The node at which the last caller is."""
        return next((more["node"] for what, more in reversed(self.rows(line, "step")) if what == "enter"), "")

    def close(self) -> None:
        self.page.close()
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(10)
        self.farm.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("house"))
    yield house
    house.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A browser with a microphone into which somebody speaks all the time."""
    if not Path(CHROMIUM).exists():
        pytest.skip("chromium is not installed: apt install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    spoken = tmp_path_factory.mktemp("voice") / "spoken.wav"
    with wave.open(str(spoken), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(rehearsal.babble(6.0, 2))
    arguments = [
        *ARGUMENTS, "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
        "--autoplay-policy=no-user-gesture-required", f"--use-file-for-fake-audio-capture={spoken}",
    ]  # fmt: skip
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@contextlib.contextmanager
def tab(browser: Any, address: str, **how: Any) -> Iterator[Any]:
    """A telephone; afterwards: the console is empty, nothing left the host, and no address held a number."""
    asked: list[str] = []
    with shown(browser, address, **how) as page:
        page.on("request", lambda request: asked.append(request.url))
        wait_for(lambda: number_of(page))
        yield page
        assert asked and not [url for url in asked if re.search(r"\d{8}|\?", url)]


def number_of(page: Any) -> str:
    return re.sub(r"[^+\d]", "", page.inner_text("[data-own]"))


def state(page: Any) -> str:
    return str(page.get_attribute(".phone", "data-state"))


def heard(page: Any) -> float:
    """Seconds of the call that were more than silence."""
    return float(page.get_attribute("[data-meter]", "data-heard"))


def story(page: Any) -> list[str]:
    return [str(words) for words in page.locator("[data-story] li").all_inner_texts()]


# ---------------------------------------------------------------------------------- in a browser


@pytest.mark.browser
def test_a_missed_call_is_cut_costs_nothing_and_is_answered_by_sms(house: House, browser: Any) -> None:
    with tab(browser, house.page.address) as page:
        mine = number_of(page)
        page.click('[data-dial="b1 l1"]')
        wait_for(lambda: re.search(r"cut after \d+ ms\. You paid nothing", page.inner_text("[data-status]")))
        assert house.came[-1] == mine
        assert [what for what, _ in house.rows("l1", "call", mine)] == ["missed"]
        assert heard(page) == 0, "nobody spoke"
        wait_for(lambda: page.inner_text("[data-unread]") == "1")
        page.click("[data-tab=letters]")
        assert "STOP" in page.inner_text("[data-letters] .theirs")
        assert not page.is_visible("[data-unread]"), "it is read"
        page.click("[data-stop]")
        wait_for(lambda: house.rows("l1", "optout", mine))
        assert page.inner_text("[data-letters] .mine").endswith("STOP")
        assert not house.rows("l1", "optout", "+919800000000")


@pytest.mark.browser
def test_a_menu_is_heard_and_keys_and_a_voice_reach_it(house: House, browser: Any) -> None:
    with tab(browser, house.page.address) as page:
        mine = number_of(page)
        page.click('[data-dial="b1 menu"]')
        wait_for(lambda: state(page) == "talking")
        wait_for(lambda: heard(page) > 0.5)
        wait_for(lambda: any("For English … press two" in words for words in story(page)))
        page.click("[data-key='2']")
        wait_for(lambda: house.entered("menu") == "main")
        page.keyboard.press("1")
        wait_for(lambda: house.entered("menu") == "trouble")
        page.keyboard.press("3")
        wait_for(lambda: house.entered("menu") == "complaint")
        wait_for(lambda: "You are being recorded" in page.inner_text("[data-caption]"))
        page.click("[data-mic]")
        wait_for(lambda: page.get_attribute("[data-mic]", "aria-pressed") == "true")
        with house.farm.lock:
            call = house.farm["menu"].modem.calls[-1]
        wait_for(lambda: sum(1 for at in range(0, len(call.said), 320) if any(call.said[at : at + 320])) > 150)
        page.keyboard.press("#")
        wait_for(lambda: house.rows("menu", "case", mine))
        kept = [more for what, more in house.rows("menu", "recording") if what == "kept"][-1]
        assert kept["speech_ms"] > 1000
        wait_for(lambda: any(words.startswith("case ") for words in story(page)))
        page.click("[data-hang-up]")
        wait_for(lambda: "this cost the caller" in page.inner_text("[data-status]"))
        reference = house.rows("menu", "case", mine)[-1][1]["reference"]
        page.click("[data-tab=letters]")
        wait_for(lambda: reference in page.inner_text("[data-letters]"))
    takes = sorted((house.folder / "data" / "recordings").glob("*.wav"))
    assert max(map(abs, memoryview(takes[-1].read_bytes()[HEADER:]).cast("h"))) > 3000, "the microphone was heard"


@pytest.mark.browser
def test_a_line_that_rings_back_is_accepted_or_refused(house: House, browser: Any) -> None:
    with tab(browser, house.page.address) as page:
        mine = number_of(page)
        page.click('[data-dial="b1 back"]')
        # it says that they will ring back until they do, which may be before the page has looked again
        wait_for(lambda: "ring you back" in page.inner_text("[data-status]") or state(page) == "incoming")
        wait_for(lambda: state(page) == "incoming")
        assert page.inner_text("[data-hang-up-words]") == "Refuse"
        page.click("[data-accept]")
        wait_for(lambda: heard(page) > 0.5)
        page.keyboard.press("9")
        wait_for(lambda: house.rows("back", "optout", mine))
        wait_for(lambda: state(page) == "over")
        assert "they rang you" in page.inner_text("[data-status]")
    with tab(browser, house.page.address) as page:
        assert number_of(page) != mine, "each tab is a voter of its own"
        page.click('[data-dial="b1 back"]')
        wait_for(lambda: state(page) == "incoming")
        page.click("[data-hang-up]")
        wait_for(lambda: [more for _, more in house.rows("back", "call") if more.get("why") == "refused"])


@pytest.mark.browser
def test_a_tab_that_is_closed_has_hung_up(house: House, browser: Any) -> None:
    with tab(browser, house.page.address) as page:
        page.click('[data-dial="b1 menu"]')
        wait_for(lambda: state(page) == "talking")
    wait_for(lambda: not house.farm["menu"].modem.line.calls)


@pytest.mark.browser
def test_a_window_of_a_telephones_size_is_enough(house: House, browser: Any) -> None:
    for size in (PHONE, {"width": 768, "height": 900}):
        with tab(browser, house.page.address, size=size) as page:
            for view in ("numbers", "call", "letters"):
                page.click(f"[data-tab={view}]")
                assert not scrolls_sideways(page), (size, view)
                for button in page.locator("button:visible").all():
                    named = button.get_attribute("aria-label") or button.inner_text()
                    assert named.strip(), "a button without a name"
            page.click("[data-tab=call]")
            box = page.locator(".tabs").bounding_box()
            assert box["y"] + box["height"] <= size["height"], "the keys are not all in the window"


# ------------------------------------------------------------------------------ before it is published


@pytest.mark.browser
def test_a_campaign_is_tried_in_the_browser(tmp_path: Path, browser: Any) -> None:
    furnish(tmp_path)
    command = [sys.executable, "-m", "tools", "campaign", "try", "--browser"]
    file = tmp_path / "campaigns" / "water-menu.toml"
    with subprocess.Popen([*command, str(file)], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        address = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
        assert address
        with tab(browser, address[0]) as page:
            page.add_init_script("navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error('none'))")
            page.reload()
            page.click("[data-dial=try]")
            wait_for(lambda: heard(page) > 0.5)
            for key in "23":
                page.keyboard.press(key)
            wait_for(lambda: "recording begins" in story(page))
            page.click("[data-mic]")
            wait_for(lambda: "No microphone" in page.inner_text("[data-trouble]"))
            page.click("[data-sample]")
            wait_for(lambda: any(words.startswith("recording kept") for words in story(page)))
            told = story(page)
            assert told[0] == "call talked"
            assert any("To vote on water meters … press two" in words for words in told)
            assert {"press 2", "press 3", "language en", "step record idea"} <= set(told)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


# ------------------------------------------------------------------------------------ its gate


def ask(
    house: House, method: str, path: str, body: bytes = b"{}", **headers: str
) -> tuple[int, dict[str, Any] | bytes, dict[str, str]]:
    address = house.page.address.removeprefix("http://").strip("/")
    with contextlib.closing(http.client.HTTPConnection(address, timeout=10)) as connection:
        named = {"Host": address, **{name.replace("_", "-"): value for name, value in headers.items()}}
        connection.request(method, path, body if method == "POST" else None, {k: v for k, v in named.items() if v})
        answer = connection.getresponse()
        told = answer.read()
        with contextlib.suppress(ValueError):
            told = json.loads(told)
        return answer.status, told, {name.lower(): value for name, value in answer.getheaders()}


@pytest.fixture
def knocking(house: House) -> Callable[..., tuple[int, Any]]:
    """Asks as the page itself would, unless told otherwise."""
    origin = house.page.address.strip("/")
    token = re.search(r'name="token" content="([\w-]+)"', ask(house, "GET", "/")[1].decode())  # type: ignore[union-attr]
    assert token
    usual = {"Origin": origin, "x_token": token[1]}
    phone = ask(house, "POST", "/phone", **usual)[1]
    usual |= {"x_phone": phone["phone"]}  # type: ignore[index]

    def knock(method: str, path: str, body: bytes = b"{}", **changed: str) -> tuple[int, Any]:
        status, told, _ = ask(house, method, path, body, **{**usual, **changed})
        return status, told

    return knock


def test_only_its_own_page_may_ask(house: House, knocking: Callable[..., tuple[int, Any]]) -> None:
    dial = b'{"line": "b1 l1"}'
    before = len(house.came)
    refused = {
        "another site": {"Origin": "http://evil.example"},
        "a frame without origin": {"Origin": "null"},
        "nobody": {"Origin": ""},
        "another port": {"Origin": "http://127.0.0.1:1"},
        "no page of ours": {"x_token": "guessed"},
    }
    for who, changed in refused.items():
        assert knocking("POST", "/dial", dial, **changed)[0] == 403, who
    assert knocking("POST", "/dial", dial, Host="evil.example")[0] == 421
    assert knocking("POST", "/dial", dial, x_phone="another")[0] == 404
    assert knocking("PUT", "/dial", dial)[0] == 405 and knocking("OPTIONS", "/dial")[0] == 405
    assert knocking("GET", "/dial")[0] == 405
    assert len(house.came) == before, "somebody was let through"
    for path, body in (("/key", b'{"key": "A"}'), ("/key", b'{"key": "12"}'), ("/key", b"[]"), ("/key", b"{"),
                       ("/dial", b'{"who": "me"}'), ("/speech", bytes(70_000))):  # fmt: skip
        assert knocking("POST", path, body)[0] == 400, (path, body[:20])
    assert knocking("POST", "/key", b'{"key": "1"}') == (409, {"why": "There is no call."})
    assert knocking("POST", "/dial", b'{"line": "nobody"}')[0] == 409
    assert knocking("POST", "/write", b'{"line": "b1 l1", "text": " "}')[0] == 409
    assert knocking("GET", "/sound")[0] == 404
    assert knocking("GET", "/phone")[1]["state"] == "idle"
    assert knocking("GET", "/phone", x_phone="another") == (200, {"state": "unknown"})


def test_no_inline_code_and_nothing_from_elsewhere(house: House) -> None:
    status, text, headers = ask(house, "GET", "/")
    assert status == 200 and isinstance(text, bytes)
    assert "unsafe" not in headers["content-security-policy"] and headers["cache-control"] == "no-store"
    page = text.decode()
    assert not re.search(r'<script(?![^>]*src="/)|\son\w+=|style=|https?://', page)
    for path in re.findall(r'(?:src|href)="(/[^"]+)"', page):
        assert ask(house, "GET", path)[0] == 200, path


# -------------------------------------------------------------------------------- without a browser


class Alone:
    """Telephones and one modem, without a box."""

    def __init__(self, farm: Farm, folder: Path) -> None:
        self.port: PtyModem = farm.add("huawei-voice", name="alone")
        self.on_air = True
        about = About("x menu", "+919000000001", "Water", "menu", "x", "huawei-voice", ("hi",))
        line = Line(about, self.port, folder / "none.db", on_air=lambda: self.on_air)
        self.exchange = Exchange([line], lambda: [b"\1\0" * 800])


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Alone]:
    with Farm(tmp_path / "ports") as farm:
        yield Alone(farm, tmp_path)


def test_who_gave_up_waits_before_she_rings_again(alone: Alone) -> None:
    phone = alone.exchange.new()
    alone.exchange.dial(phone, "x menu")
    with pytest.raises(Refused, match="One call at a time"):
        alone.exchange.dial(phone, "x menu")
    alone.exchange.hang_up(phone)
    assert phone.leg and phone.leg.words == "You hung up before it was cut. You paid nothing."
    with pytest.raises(Refused, match="try again in"):
        alone.exchange.dial(phone, "x menu")
    alone.exchange.dial(alone.exchange.new(), "x menu")
    alone.exchange.close()
    with pytest.raises(Refused, match="gone home"):
        alone.exchange.dial(alone.exchange.new(), "x menu")


def test_no_network_and_a_busy_line(alone: Alone) -> None:
    first, second = alone.exchange.new(), alone.exchange.new()
    alone.on_air = False
    alone.exchange.dial(first, "x menu")
    assert first.leg and (first.leg.state, first.leg.tone) == ("over", "unreachable")
    with pytest.raises(Refused, match="no network"):
        alone.exchange.write(first, "x menu", "STOP")
    alone.on_air = True
    alone.exchange.dial(first, "x menu")
    assert (first.leg.state, first.leg.tone) == ("calling", "ringing")
    alone.exchange.dial(second, "x menu")
    assert second.leg and (second.leg.state, second.leg.tone) == ("over", "busy")
    alone.exchange.press(first, "1")
    with pytest.raises(Refused, match="There is no call"):
        alone.exchange.press(second, "1")


def test_a_browser_cannot_hold_more_calls_than_connections(tmp_path: Path) -> None:
    with Farm(tmp_path / "ports") as farm:
        lines = []
        for i in range(MOST_CALLS + 1):
            about = About(f"x l{i}", f"+9190000000{i:02}", "Water", "menu", "x", "sim800", ())
            lines.append(Line(about, farm.add("sim800", name=f"l{i}"), tmp_path / "none.db"))
        exchange = Exchange(lines, lambda: [b""])
        for place in range(MOST_CALLS):
            exchange.dial(exchange.new(), f"x l{place}")
        with pytest.raises(Refused, match="in a call already"):
            exchange.dial(exchange.new(), f"x l{MOST_CALLS}")


def test_letters_in_parts_come_whole_and_only_to_their_number(alone: Alone) -> None:
    phone, other = alone.exchange.new(), alone.exchange.new()
    mailbox = alone.port.modem.mailbox
    for place, text in enumerate(("One ", "two"), 1):
        sent = mailbox.send_text(phone.number, text, time.monotonic())
        sent.part, sent.outcome = (7, 2, place), "accepted"
    mailbox.send_text(phone.number, "never sent", time.monotonic()).outcome = "refused"
    waiting = mailbox.send_text(phone.number, "later", time.monotonic())
    alone.exchange.look(phone)
    assert [letter.text for letter in phone.letters] == ["One two"]
    waiting.outcome = "accepted"
    for each in (phone, other):
        alone.exchange.look(each)
    assert [letter.text for letter in phone.letters] == ["One two", "later"]
    assert other.letters == []


def test_a_telephone_does_not_show_its_number_to_a_log(alone: Alone) -> None:
    phone = alone.exchange.new()
    assert phone.number not in repr(phone) and phone.id not in repr(phone)


def test_the_story_of_a_call_is_what_the_ledger_tells() -> None:
    menu = campaign.parse(rehearsal.campaign("water-menu"), "water-menu.toml").menu
    mine = "+919812345678"

    def row(seq: int, kind: str, state: str, of: int = 0, caller: str = "", seconds: int = 0, **extra: Any) -> Row:
        told = json.dumps(extra) if extra else ""
        return Row(seq, of, kind, "b", 0, 0, 3, "", caller, "national", state, seconds, told)

    rows = [
        row(5, "call", "missed", caller=mine),
        row(6, "call", "talked", of=5),
        row(7, "step", "enter", call=5, node="language", ms=0),
        row(8, "language", "en", caller=mine),
        row(9, "step", "key", call=5, node="language", key="2", ms=1),
        row(10, "step", "enter", call=5, node="complaint", ms=1),
        row(11, "step", "enter", call=99, node="vote", ms=1),
        row(12, "recording", "recording", caller=mine, call=5),
        row(13, "recording", "kept", of=12, seconds=4),
        row(14, "case", "new", caller=mine, call=5, reference="47"),
        row(15, "message", "queued", caller=mine, direction="out"),
        row(16, "message", "sent", of=15),
        row(17, "message", "queued", caller="+919800000000", direction="out"),
        row(18, "step", "end", call=5, key="hung-up", ms=2),
    ]
    assert of_rows(rows, 5, mine, menu, "hi") == [
        Told("book", "your call is on the disk, row 5"),
        Told("book", "the call is answered, row 6"),
        Told("box", "हिंदी के लिए … एक दबाइए", "hi"),
        Told("box", "For English … press two", "en"),
        Told("you", "press 2"),
        Told("box", "After the beep, say your name, your village and what is wrong.\n(beep)", "en"),
        Told("book", "recording kept, 4 s"),
        Told("book", "case 47 is new"),
        Told("box", "The number of your complaint is four seven", "en"),
        Told("book", "the SMS to you is queued"),
        Told("book", "the SMS to you is sent"),
        Told("book", "you hung up"),
    ]


def test_a_taken_port_is_an_error(alone: Alone) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError):
        Served(alone.exchange, "a test", {}, taken.getsockname()[1])


def test_what_people_say_by_formula_is_heard_as_speech() -> None:
    from edge.hearing import Ear

    for voice in range(4):
        ear = Ear()
        told = ear.feed(rehearsal.babble(2.0, voice), 0.0)
        assert ear.speech_ms > 1500 and not [event for event in told if hasattr(event, "key")]
    silent = Ear()
    silent.feed(bytes(32_000), 0.0)
    assert silent.speech_ms == 0
