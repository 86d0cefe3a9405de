"""Headquarters' page, over a store that the real receiver's code filled, in a real browser.

`python -m tests.test_hq_page docs/hq.png` takes the picture of the documentation.
"""

from __future__ import annotations

import json
import random
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.events import GENESIS, Row, link
from sync import wire
from sync.hq import reports, view, web
from sync.hq.store import Store
from tests.browser import DESK, PHONE, Asked, chromium, scrolls_sideways, served, shown, wait_for

__all__ = ["chromium"]  # a fixture, used by name

NOW_MS = 1_790_000_000_000  # Mon 21 September 2026, 19:43:20 in Kolkata
HOUR_MS = 3_600_000
MINUTE_MS = 60_000
MIDNIGHT_MS = NOW_MS - (19 * HOUR_MS + 43 * MINUTE_MS + 20_000)
WHOLE_NUMBER = re.compile(r"\d{9}")


class Line:
    """One line's ledger at a box: it makes rows, packs them, and lets the store take them."""

    def __init__(self, hq: Hq, box: str, name: str, store: str, campaign: str, district: str) -> None:
        self.hq, self.box, self.name, self.store = hq, box, name, store
        self.campaign, self.district = campaign, district
        self.seq, self.chain = 0, GENESIS
        self.row("store", store, campaign=campaign, extra={"line": name, "campaign": campaign})

    def row(self, kind: str, state: str, at_ms: int = NOW_MS - HOUR_MS, of: int = 0, caller: str = "",
            caller_kind: str = "", campaign: str = "", extra: dict[str, str] | None = None) -> int:  # fmt: skip
        packed = json.dumps(extra, sort_keys=True, separators=(",", ":")) if extra else ""
        self.hq.pending.setdefault(self.store, []).append(
            Row(self.seq + 1, of, kind, "ab" * 8, 1, at_ms, 3, campaign, caller, caller_kind, state, 0, packed)
        )
        self.seq += 1
        return self.seq

    def call(self, at_ms: int, caller: str, state: str = "missed") -> int:
        return self.row("call", state, at_ms, caller=caller, caller_kind="national", campaign=self.campaign)

    def reply(self, at_ms: int, caller: str, *states: str) -> None:
        first = self.row("message", "queued", at_ms, caller=caller, caller_kind="national", campaign=self.campaign,
                         extra={"direction": "out", "language": "hi", "text": "x"})  # fmt: skip
        for state in states:
            self.row("message", state, at_ms + 2000, of=first)

    def say(self, state: str, words: str = "") -> None:
        self.row("line", state, extra={"words": words} if words else None)


class Hq:
    """A real store under a made-up clock."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.path = folder / "hq.db"
        self.store = Store(self.path)
        self.pending: dict[str, list[Row]] = {}
        self.lines: list[Line] = []
        self.hears()

    def hears(self, state: str = "connected", words: str = "connected to the broker", since_ms: int = NOW_MS - HOUR_MS,
              updated_ms: int = NOW_MS - 1000) -> None:  # fmt: skip
        """What the receiver last said of itself."""
        told = {"state": state, "words": words, "since_ms": since_ms, "updated_ms": updated_ms}
        self.path.with_name("receiver.json").write_text(json.dumps(told))

    def line(self, box: str, name: str, store: str, campaign: str, district: str) -> Line:
        self.lines.append(Line(self, box, name, store, campaign, district))
        return self.lines[-1]

    def send(self, now_ms: int = NOW_MS, clock: int = 3, silent: tuple[str, ...] = (), hello: bool = True) -> None:
        """Every box says hello and sends what it has, except the silent ones."""
        for line in self.lines:
            if line.box in silent:
                continue
            if hello:
                head = wire.StoreHead(line.store, line.name, line.seq, line.chain)
                said = wire.Hello(line.box, line.district, "Asia/Kolkata", "0.1.0", now_ms, clock, (head,))
                self.take(line, wire.pack_hello(said), now_ms)
            rows = self.pending.pop(line.store, [])
            for begin in range(0, len(rows), 500):
                some = rows[begin : begin + 500]
                tail = line.chain
                for row in some:
                    tail = link(tail, row)
                self.take(line, wire.pack_batch(line.store, line.chain, tail, line.seq, now_ms, clock, some), now_ms)
                line.chain = tail

    def take(self, line: Line, payload: bytes, now_ms: int) -> list[tuple[str, bytes]]:
        return self.store.take([(wire.topic(line.district, line.box, "up"), payload)], now_ms)

    def close(self) -> None:
        self.store.close()


def filled(folder: Path) -> Hq:
    """Three boxes in two districts, two campaigns: 6 calls today, 2 yesterday, one box silent, one SIM locked."""
    hq = Hq(folder)
    one = hq.line("nashik-07", "l1", "0000aaaa", "water", "nashik")
    two = hq.line("pune-01", "l1", "0000bbbb", "roads", "pune")
    three = hq.line("pune-02", "l1", "0000cccc", "water", "pune")
    for line in (one, three):
        line.say("ready")
    two.say("sim-pin")
    for at_ms, caller in ((MIDNIGHT_MS - 1, "+919876500003"), (MIDNIGHT_MS, "+919876500002"),
                          (NOW_MS - 2 * HOUR_MS, "+919876500001"), (NOW_MS - 30_000, "+919876500001")):  # fmt: skip
        one.call(at_ms, caller)
        one.reply(at_ms, caller, "sending", "sent", "delivered")
    two.call(NOW_MS - 3 * HOUR_MS, "+919876500002")
    two.row("call", "called-back", NOW_MS - HOUR_MS, caller="+919876500009", caller_kind="national", campaign="roads")
    three.call(NOW_MS - 30 * HOUR_MS, "+919876500005")
    three.call(NOW_MS - 21 * MINUTE_MS, "", "gave-up")
    three.call(NOW_MS - 20 * MINUTE_MS, "+919876500004")
    hq.send(NOW_MS - 20 * MINUTE_MS)
    hq.send(NOW_MS, silent=("pune-02",))
    return hq


@pytest.fixture
def hq(tmp_path: Path) -> Iterator[Hq]:
    made = filled(tmp_path)
    yield made
    made.close()


def page_of(path: Path) -> web.Gate:
    return web.application(path, clock=lambda: NOW_MS / 1000, share_s=0)


def client(path: Path) -> Asked:
    return Asked(page_of(path))


# ------------------------------------------------------------------------------------ figures


def test_figures_count_what_the_definitions_say(hq: Hq) -> None:
    db = reports.connect(hq.path)
    values = reports.parameters(NOW_MS, reports.zone(db))
    assert values["since"] == MIDNIGHT_MS
    figures = {name: reports.figure(db, name, values) for name in reports.FIGURES}
    db.close()
    assert figures == {"calls": 6, "minute": 1, "callers": 3, "sent": 4, "delivered": 4, "online": 2}


def test_hours_end_with_the_running_one(hq: Hq) -> None:
    db = reports.connect(hq.path)
    hours = reports.hours(db, NOW_MS, reports.zone(db))
    db.close()
    assert len(hours) == 48 and hours[-1]["start"].strftime("%H:%M") == "19:00"
    assert sum(hour["calls"] for hour in hours) == 8
    assert [hour["calls"] for hour in hours[-4:]] == [1, 1, 0, 3]
    assert hours[-20]["calls"] == 1 and hours[-21]["calls"] == 1, "just before and just after midnight"


def test_complete_is_the_least_of_those_that_are_complete(hq: Hq) -> None:
    db = reports.connect(hq.path)
    assert reports.complete(db, NOW_MS) == (NOW_MS, 2, 3, 0)  # pune-02 is silent
    assert reports.complete(db, NOW_MS + 20 * MINUTE_MS) == (None, 0, 3, 0)
    hq.lines[0].call(NOW_MS, "+919876500001")
    hq.pending.clear()  # the row stays at the box, only its number is told
    hq.send(NOW_MS + MINUTE_MS, silent=("pune-02",))
    assert reports.complete(db, NOW_MS + 2 * MINUTE_MS) == (NOW_MS, 2, 3, 0), "up to before the row"
    hq.send(NOW_MS + 14 * MINUTE_MS, silent=("nashik-07", "pune-02"))
    hq.send(NOW_MS + 16 * MINUTE_MS, silent=("nashik-07", "pune-02"))
    assert reports.complete(db, NOW_MS + 16 * MINUTE_MS) == (NOW_MS + 16 * MINUTE_MS, 1, 3, 0)
    db.close()


def test_a_box_without_trusted_time_is_not_complete(tmp_path: Path) -> None:
    hq = Hq(tmp_path)
    hq.line("nashik-07", "l1", "0000aaaa", "water", "nashik")
    hq.send(clock=1)
    hq.send(clock=1)
    db = reports.connect(hq.path)
    assert reports.complete(db, NOW_MS) == (None, 0, 1, 0)
    db.close()
    hq.close()


def test_rows_lost_with_a_replaced_card_are_not_forgotten(hq: Hq) -> None:
    old = hq.lines[0]
    old.call(NOW_MS, "+919876500001")
    hq.pending.clear()
    hq.send(silent=("pune-01", "pune-02"))  # told, never sent
    hq.lines[0] = Line(hq, old.box, old.name, "0000dddd", old.campaign, old.district)
    hq.send(silent=("pune-01", "pune-02"))
    hq.send(silent=("pune-01", "pune-02"))
    db = reports.connect(hq.path)
    assert reports.complete(db, NOW_MS) == (NOW_MS, 1, 3, 0), "only pune-01"
    db.close()


def test_a_rolled_back_card_is_an_alarm_with_a_remedy(hq: Hq) -> None:
    line = hq.lines[0]
    head = wire.StoreHead(line.store, line.name, 2, GENESIS)
    said = wire.Hello(line.box, line.district, "Asia/Kolkata", "0.1.0", NOW_MS + 1, 3, (head,))
    hq.take(line, wire.pack_hello(said), NOW_MS)
    text = client(hq.path).get("/").text
    assert view.ALARMS["rolled-back"][0] in text and view.ALARMS["rolled-back"][1] in text


def test_every_alarm_that_the_store_raises_has_words() -> None:
    raised = set(re.findall(r'_alarm\([^)]*?"([a-z-]{4,})"', Path(web.HERE / "store.py").read_text()))
    assert {"fork", "rolled-back"} <= raised <= set(view.ALARMS)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"state": "offline", "words": "no connection to the broker", "since_ms": NOW_MS - 20_000},
         "Headquarters hears no box since 19:43:00: no connection to the broker."),
        ({"state": "offline", "words": "stopped", "since_ms": NOW_MS - HOUR_MS, "updated_ms": NOW_MS - HOUR_MS},
         "Headquarters hears no box since 18:43:20: the receiver was stopped."),
        ({"updated_ms": NOW_MS - reports.DEAF_MS - 1000},
         "Headquarters hears no box since 19:43:04: the receiver no longer answers."),
        ({"updated_ms": NOW_MS + reports.DEAF_MS + 1000}, "Headquarters hears no box: the receiver no longer answers."),
        ({"state": "refused", "words": "not authorised", "since_ms": NOW_MS - 24 * HOUR_MS},
         "Headquarters hears no box since 20 Sep 19:43: not authorised."),
    ],
)  # fmt: skip
def test_headquarters_that_hears_nothing_says_so_and_claims_nothing(hq: Hq, said: dict[str, Any], told: str) -> None:
    hq.hears(**said)
    asker = client(hq.path)
    assert told in asker.get("/").text
    seen = asker.get("/api/overview").json()
    assert f"{seen['deaf']['title']}: {seen['deaf']['why']}." == told
    assert seen["figures"]["online"] == "unknown" and {one["online"] for one in seen["districts"]} == {"unknown"}
    assert seen["stamp"]["title"] == "Was complete up to 19:43:20 for 2 of 3 boxes" and seen["stamp"]["tone"] == "warn"
    assert {box["state"] for box in seen["boxes"]} == {"Not known"}
    assert "nothing still there" not in {box["behind"] for box in seen["boxes"]}
    hq.hears(updated_ms=NOW_MS - reports.DEAF_MS)
    seen = client(hq.path).get("/api/overview").json()
    assert seen["deaf"] is None and seen["figures"]["online"] == "2"


@pytest.mark.parametrize("text", [None, "", "[1]", '{"state": "connected"}', '{"state": "connected", "words": "x", '
                                  '"since_ms": 1e999, "updated_ms": 1}'])  # fmt: skip
def test_a_receiver_that_says_nothing_that_can_be_read(hq: Hq, text: str | None) -> None:
    file = hq.path.with_name("receiver.json")
    file.unlink() if text is None else file.write_text(text)
    assert "Headquarters hears no box: the receiver has not started." in client(hq.path).get("/").text


def test_nothing_heard_and_nothing_complete(tmp_path: Path) -> None:
    hq = Hq(tmp_path)
    hq.hears("waiting", "not connected yet", NOW_MS)
    text = client(hq.path).get("/").text
    assert "Headquarters hears no box since 14:13:20: not connected yet." in text and "No box has said hello" in text
    hq.line("nashik-07", "l1", "0000aaaa", "water", "nashik")
    hq.send(clock=1)
    assert "Headquarters hears nobody" in client(hq.path).get("/").text
    hq.close()


@pytest.mark.parametrize(("most", "top"), [(0, 4), (3, 4), (5, 6), (11, 20), (501, 600), (1_000_000, 1_000_000)])
def test_the_scale_ends_with_a_round_number(most: int, top: int) -> None:
    assert view.top_of(most) == top


# ------------------------------------------------------------------------------ what is answered


def test_no_whole_number_leaves(hq: Hq) -> None:
    asker = client(hq.path)
    for path in ("/", "/live", "/api/overview", "/figures"):
        text = asker.get(path).text
        assert not WHOLE_NUMBER.search(text), path
    assert "•••• 001" in asker.get("/live").text


def test_headers_methods_and_foreign_names(hq: Hq) -> None:
    asker = client(hq.path)
    answer = asker.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    for path in ("/", "/static/live.js", "/absent"):
        assert asker.get(path).headers["cache-control"] == "no-store"
    assert asker.get("/", "POST").status == 405 and asker.get("/api/overview", "DELETE").status == 405
    assert asker.get("/", "HEAD").status == 200
    for host in ("evil.example", "127.0.0.1.evil.example", "", "[::1].evil.example"):
        assert asker.get("/", host=host).status == 421, host
    for host in ("localhost:8800", "127.0.0.1", "[::1]:8800"):
        assert asker.get("/", host=host).status == 200, host
    assert "style=" not in answer.text and "onclick" not in answer.text and "<script>" not in answer.text


def test_what_a_box_says_cannot_become_markup(tmp_path: Path) -> None:
    hq = Hq(tmp_path)
    line = hq.line("nashik-07", "l1", "0000aaaa", "<b>water</b>", "<script>x</script>")
    line.say("no-answer", "<img src=x> \u202e+91 98765 00001")
    line.call(NOW_MS, "<i>+919876500001</i>")
    hq.send()
    text = client(hq.path).get("/").text
    assert "<b>water" not in text and "<script>x" not in text and "<img src=x" not in text and "\u202e" not in text
    assert not WHOLE_NUMBER.search(text.replace(" ", ""))
    hq.close()


def test_a_missing_an_empty_and_a_damaged_store_are_said_in_words(tmp_path: Path) -> None:
    path = tmp_path / "hq.db"
    asker = client(path)
    assert "miscall hq run" in asker.get("/").text
    path.write_bytes(b"")
    assert "miscall hq run" in client(path).get("/").text
    Hq(tmp_path).close()
    assert "miscall box run" in client(path).get("/").text
    path.write_bytes(b"this is no database at all" * 400)
    answer = client(path).get("/")
    assert answer.status == 200 and "cannot be read" in answer.text
    assert client(path).get("/api/overview").json()["trouble"]["tone"] == "bad"


def test_a_store_with_torn_pages_is_no_error_500(hq: Hq) -> None:
    hq.close()
    whole = hq.path.read_bytes()
    random.seed(7)
    for _ in range(40):
        torn = bytearray(whole)
        for _ in range(30):
            torn[random.randrange(100, len(torn))] ^= 0xFF
        hq.path.write_bytes(bytes(torn))
        for path in ("/", "/api/overview"):
            assert client(hq.path).get(path).status == 200
    hq.path.write_bytes(whole)
    hq.store = Store(hq.path)


def test_the_page_cannot_write(hq: Hq) -> None:
    db = reports.connect(hq.path)
    with pytest.raises(sqlite3.OperationalError):
        db.execute("DELETE FROM alarm")
    db.close()


# ------------------------------------------------------------------------------- in a real browser


@pytest.mark.browser
def test_the_browser_shows_the_figures_and_follows(hq: Hq, chromium: Any) -> None:
    with served(page_of(hq.path)) as address, shown(chromium, address) as page:
        assert page.inner_text("#calls") == "6"
        assert page.inner_text("#stamp") == "Complete up to 19:43:20 for 2 of 3 boxes."
        wait_for(lambda: page.inner_text("#callers") == "3")
        rows = page.locator("table.boxes tbody tr")
        assert rows.count() == 3
        assert "SIM wants its PIN" in rows.nth(0).inner_text() and "Silent" in rows.nth(1).inner_text()
        assert page.locator(".chart .bar").count() == 48
        page.evaluate("window.same = document.querySelector('#calls')")
        page.click("details summary")
        hq.lines[0].call(NOW_MS - 1000, "+919876500077")
        hq.send(silent=("pune-02",))
        wait_for(lambda: page.inner_text("#calls") == "7")
        wait_for(lambda: page.inner_text("#callers") == "4")
        assert page.evaluate("window.same === document.querySelector('#calls')"), "the page is changed, not rebuilt"
        assert page.locator("details[open]").count() == 1, "what the reader opened stays open"
        assert not WHOLE_NUMBER.search(page.content())


@pytest.mark.browser
def test_a_receiver_that_is_stopped_is_seen_in_the_browser(tmp_path: Path, chromium: Any) -> None:
    """The real receiver, the real page and the real clock: from a broker that is gone to a receiver that is."""
    hq = Hq(tmp_path / "data")
    hq.line("nashik-07", "l1", "0000aaaa", "water", "nashik")
    hq.send(int(time.time() * 1000))
    hq.close()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = taken.getsockname()[1]
    (tmp_path / "hq.toml").write_text(f'[hq]\ndata = "data"\nbroker = "mqtt://127.0.0.1:{nobody}"\n')
    with served(web.application(hq.path, share_s=0)) as address, shown(chromium, address) as page:
        assert page.locator("#deaf").count() == 1, "what it said is years old"
        command = [sys.executable, "-m", "tools", "hq", "receive", str(tmp_path / "hq.toml")]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as receiver:
            wait_for(lambda: "cannot be reached" in page.inner_text("#deaf"))
            receiver.send_signal(signal.SIGTERM)
        wait_for(lambda: "the receiver was stopped." in page.inner_text("#deaf"))
        assert page.inner_text("#online") == "–" and "unknown, of 1" in page.inner_text(".figures")
        assert page.inner_text("#stamp").startswith("Was complete")
        now_ms = int(time.time() * 1000)
        hq.hears(since_ms=now_ms, updated_ms=now_ms)
        wait_for(lambda: page.locator("#deaf").count() == 0 and page.inner_text("#online") == "1")


@pytest.mark.browser
def test_a_phone_needs_no_sideways_scroll(hq: Hq, chromium: Any) -> None:
    hq.hears("offline", "no connection to the broker")
    with served(page_of(hq.path)) as address:
        for path in ("/", "/figures"):
            for size in (PHONE, {"width": 768, "height": 900}, {"width": 1400, "height": 900}):
                with shown(chromium, address + path, size) as page:
                    assert not scrolls_sideways(page), (path, size)


@pytest.mark.browser
def test_an_empty_page_fills_by_itself(tmp_path: Path, chromium: Any) -> None:
    with served(page_of(tmp_path / "hq.db")) as address, shown(chromium, address) as page:
        assert "Nothing is stored yet" in page.inner_text("main")
        hq = filled(tmp_path)
        wait_for(lambda: page.locator("#calls").count() and page.inner_text("#calls") == "6")
        hq.close()


@pytest.mark.browser
def test_a_server_that_is_gone_is_said(hq: Hq, chromium: Any) -> None:
    context = chromium.new_context()
    page = context.new_page()
    with served(page_of(hq.path)) as address:
        page.goto(address)
        assert page.inner_text("[data-lamp]") == "Live"
    wait_for(lambda: page.inner_text("[data-lamp]") == "No answer from headquarters")
    context.close()


# ------------------------------------------------------------------------------------ the picture


def district(folder: Path) -> Hq:
    """A district as it looks on a busy evening, for the documentation."""
    hq, dice = Hq(folder), random.Random(3)
    places = [("nashik-07", "nashik"), ("nashik-08", "nashik"), ("nashik-11", "nashik"), ("pune-01", "pune"),
              ("pune-02", "pune"), ("satara-03", "satara")]  # fmt: skip
    shape = [2, 1, 1, 1, 2, 6, 14, 26, 34, 38, 40, 36, 30, 26, 28, 34, 44, 58, 72, 66, 48, 30, 14, 6]
    lines = [hq.line(box, f"l{at}", f"{place:04x}{at:04x}", ("water", "roads", "schools")[(place + at) % 3], where)
             for place, (box, where) in enumerate(places) for at in (1, 2)]  # fmt: skip
    for line in lines:
        line.say("ready")
    lines[3].say("sim-pin", "The SIM asks for a PIN")
    for back in range(47, -1, -1):
        hour_ms = NOW_MS - NOW_MS % HOUR_MS - back * HOUR_MS
        for line in lines:
            for _ in range(dice.randrange(shape[(19 - back) % 24] + 2) // (2 if line.box == "satara-03" else 1)):
                at_ms = min(hour_ms + dice.randrange(HOUR_MS), NOW_MS - dice.randrange(90_000))
                caller = f"+9198{dice.randrange(10**7, 2 * 10**7):08d}"
                line.call(at_ms, caller)
                line.reply(at_ms, caller, "sending", "sent", *(["delivered"] if dice.random() < 0.9 else []))
    hq.send(NOW_MS - 25 * MINUTE_MS)
    hq.send(NOW_MS - 2000, silent=("satara-03",))
    line = lines[6]
    head = wire.StoreHead(line.store, line.name, 40, GENESIS)
    said = wire.Hello(line.box, line.district, "Asia/Kolkata", "0.1.0", NOW_MS, 3, (head,))
    hq.take(line, wire.pack_hello(said), NOW_MS - 1000)
    return hq


def picture(target: Path, folder: Path, size: dict[str, int] = DESK, scheme: str = "light") -> None:
    from playwright.sync_api import sync_playwright

    from tests.browser import ARGUMENTS, CHROMIUM

    hq = district(folder)
    with sync_playwright() as started, served(page_of(hq.path)) as address:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        with shown(browser, address, size, scheme) as page:
            wait_for(lambda: page.inner_text("#callers") not in ("…", ""))
            page.screenshot(path=str(target))
        browser.close()
    hq.close()


if __name__ == "__main__":
    import tempfile

    for name in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as scratch:
            picture(Path(name), Path(scratch), {"width": 1100, "height": 1330})
