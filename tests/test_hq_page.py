"""Headquarters' first page, over a store that the real receiver's code filled, in a real browser."""

from __future__ import annotations

import array
import hashlib
import json
import math
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from edge import recordings as small
from edge.events import GENESIS, Row, link
from sync import wire
from sync.hq import reports, sql, voices, web
from sync.hq.doors import sessions
from sync.hq.pages.routes import ROUTES, TABS
from sync.hq.store import Store
from sync.hq.views import chart
from sync.hq.views import overview as view
from tests.browser import DESK, PHONE, Asked, chromium, scrolls_sideways, served, shown, wait_for
from tests.hq import HOME, Office

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
            caller_kind: str = "", campaign: str = "", extra: dict[str, object] | None = None,
            seconds: int = 0) -> int:  # fmt: skip
        packed = json.dumps(extra, sort_keys=True, separators=(",", ":")) if extra else ""
        self.hq.pending.setdefault(self.store, []).append(
            Row(self.seq + 1, of, kind, "ab" * 8, 1, at_ms, 3, campaign, caller, caller_kind, state, seconds, packed)
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

    def speak(self, at_ms: int, caller: str, state: str = "kept", seconds: int = 9, **extra: object) -> int:
        """A take; its sound stays at the box until `sound`."""
        told: dict[str, object] = {"file": f"{self.store}-{self.seq + 1}.wav", "tags": "water,broken", **extra}
        take = self.row("recording", "recording", at_ms, caller=caller, caller_kind="national", campaign=self.campaign,
                        extra=told)  # fmt: skip
        if state != "recording":
            self.row("recording", state, at_ms + 9000, of=take, seconds=seconds, extra={"ms": seconds * 1000})
        return take

    def sound(self, take: int, sound: bytes, upto: int | None = None) -> None:
        """The first `upto` bytes of a take's sound, or all of it, arrive."""
        digest, end = hashlib.sha256(sound).digest(), len(sound) if upto is None else upto
        for offset in range(0, end, wire.MAX_CHUNK):
            chunk = sound[offset : min(end, offset + wire.MAX_CHUNK)]
            parcel = wire.Parcel(self.store, take, "opus", len(sound), digest, offset, chunk)
            self.hq.take(self, wire.pack_parcel(parcel), NOW_MS)

    def complain(self, at_ms: int, caller: str, due_ms: int, reference: str, take: int = 0) -> int:
        told: dict[str, object] = {"due_ms": due_ms, "opened_ms": at_ms, "recording": take, "reference": reference,
                                   "tags": "water"}  # fmt: skip
        return self.row("case", "new", at_ms, caller=caller, caller_kind="national", campaign=self.campaign, extra=told)

    def answer(self, at_ms: int, caller: str, value: str, issue: str = "") -> int:
        told: dict[str, object] = {"issue": issue} if issue else {}
        return self.row("answer", value, at_ms, caller=caller, caller_kind="national" if caller else "withheld",
                        campaign=self.campaign, extra=told)  # fmt: skip

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
    made = filled(tmp_path / "data")
    yield made
    made.close()


def test_signs_of_life_hide_no_call(hq: Hq) -> None:
    """Three quiet days later the newest calls are still those."""
    before = reports.latest(hq.store._db)
    for line in hq.lines:
        for n in range(3 * 144):
            line.row("line", "ready", NOW_MS + n * 10 * MINUTE_MS)
    hq.send(NOW_MS + 72 * HOUR_MS)
    assert reports.latest(hq.store._db) == before and len(before) > 5


def office_of(path: Path, share_s: float = 0, now_ms: int = NOW_MS) -> Office:
    """The pages over the store at `path`, which is <somewhere>/data/hq.db, at a made-up moment."""
    office = Office(path.parent.parent, ROUTES, TABS, share_s=share_s)
    office.now_ms = now_ms
    return office


def client(path: Path, role: str = "manager") -> Asked:
    """Somebody who has signed in; each has pages of her own, which share no look with another's."""
    office = office_of(path)
    return Asked(office.gate, f"{sessions.COOKIE}={office.client(role).secret}")


@contextmanager
def opened(
    path: Path, browser: Any, at: str = "/", size: dict[str, int] = DESK, scheme: str = "light"
) -> Iterator[tuple[str, Any]]:
    """The address of the pages over `path`, and one of them in a browser in which a manager has signed in."""
    office = office_of(path)
    cookie = (sessions.COOKIE, office.client("manager").secret)
    with served(office.gate) as address, shown(browser, address + at, size, scheme, cookie) as page:
        yield address, page


# ------------------------------------------------------------------------------------ figures


def test_figures_count_what_the_definitions_say(hq: Hq) -> None:
    db = sql.sqlite(hq.path, reading=True)
    values = reports.parameters(NOW_MS, reports.zone(db))
    assert values["since"] == MIDNIGHT_MS
    figures = {name: reports.figure(db, name, values) for name in reports.FIGURES}
    db.close()
    assert figures == {"calls": 6, "minute": 1, "callers": 3, "sent": 4, "delivered": 4, "online": 2}


def test_hours_end_with_the_running_one(hq: Hq) -> None:
    db = sql.sqlite(hq.path, reading=True)
    hours = reports.hours(db, NOW_MS, reports.zone(db))
    db.close()
    assert len(hours) == 48 and hours[-1]["start"].strftime("%H:%M") == "19:00"
    assert sum(hour["calls"] for hour in hours) == 8
    assert [hour["calls"] for hour in hours[-4:]] == [1, 1, 0, 3]
    assert hours[-20]["calls"] == 1 and hours[-21]["calls"] == 1, "just before and just after midnight"


def test_complete_is_the_least_of_those_that_are_complete(hq: Hq) -> None:
    db = sql.sqlite(hq.path, reading=True)
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
    hq = Hq(tmp_path / "data")
    hq.line("nashik-07", "l1", "0000aaaa", "water", "nashik")
    hq.send(clock=1)
    hq.send(clock=1)
    db = sql.sqlite(hq.path, reading=True)
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
    db = sql.sqlite(hq.path, reading=True)
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
    text = "".join(Path(Path(web.__file__).parent / name).read_text() for name in ("intake.py", "recordings.py"))
    raised = set(re.findall(r'alarm\([^)]*?"([a-z-]{4,})"', text))
    assert {"fork", "rolled-back", "digest", "recordings"} <= raised <= set(view.ALARMS)


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
    hq = Hq(tmp_path / "data")
    hq.hears("waiting", "not connected yet", NOW_MS)
    text = client(hq.path).get("/").text
    assert "Headquarters hears no box since 14:13:20: not connected yet." in text and "No box has said hello" in text
    hq.line("nashik-07", "l1", "0000aaaa", "water", "nashik")
    hq.send(clock=1)
    assert "Headquarters hears nobody" in client(hq.path).get("/").text
    hq.close()


@pytest.mark.parametrize(("most", "top"), [(0, 4), (3, 4), (5, 6), (11, 20), (501, 600), (1_000_000, 1_000_000)])
def test_the_scale_ends_with_a_round_number(most: int, top: int) -> None:
    assert chart.top_of(most) == top


# ------------------------------------------------------------------------------ what is answered


def test_no_whole_number_leaves(hq: Hq) -> None:
    asker = client(hq.path)
    for path in ("/", "/live", "/api/overview", "/figures"):
        text = asker.get(path).text
        assert not WHOLE_NUMBER.search(text), path
    assert "•••• 001" in asker.get("/live").text


def test_looks_close_together_share_one_answer_in_each_language(hq: Hq) -> None:
    office = office_of(hq.path, share_s=60)
    first, other = office.client("manager"), office.client("fleet", name="h", language="hi")
    assert first.get("/api/overview").json()["figures"]["calls"] == "6"
    hq.lines[0].call(NOW_MS - 1000, "+919876500077")
    hq.send(silent=("pune-02",))
    again, shown_hi = first.get("/api/overview").json(), other.get("/api/overview").json()
    assert again["figures"]["calls"] == shown_hi["figures"]["calls"] == "7", "callers were counted: a new look"
    hq.lines[0].call(NOW_MS - 500, "+919876500078")
    hq.send(silent=("pune-02",))
    assert first.get("/api/overview").json()["figures"]["calls"] == "7", "the same look"
    assert again["stamp"]["title"].startswith("Complete") and shown_hi["stamp"]["title"].endswith("पूरा")
    assert client(hq.path).get("/api/overview").json()["figures"]["calls"] == "8"


def test_a_volunteer_is_led_to_her_list(hq: Hq) -> None:
    answer = office_of(hq.path).client("volunteer", ward="7").get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/lists")


def test_headers_methods_and_foreign_names(hq: Hq) -> None:
    asker = client(hq.path)
    answer = asker.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    for path in ("/", "/static/live.js", "/absent"):
        assert asker.get(path).headers["cache-control"] == "no-store"
    assert asker.get("/", "POST").status == 403 and asker.get("/", "POST", origin=HOME).status == 405
    for headers in ({}, {"origin": HOME}):
        assert asker.get("/api/overview", "DELETE", **headers).status == 405
    assert asker.get("/", "HEAD").status == 200
    for host in ("evil.example", "127.0.0.1.evil.example", "", "[::1].evil.example"):
        assert asker.get("/", host=host).status == 421, host
    for host in ("localhost:8800", "127.0.0.1", "[::1]:8800"):
        assert asker.get("/", host=host).status == 200, host
    assert "style=" not in answer.text and "onclick" not in answer.text and "<script>" not in answer.text


def test_what_a_box_says_cannot_become_markup(tmp_path: Path) -> None:
    hq = Hq(tmp_path / "data")
    line = hq.line("nashik-07", "l1", "0000aaaa", "<b>water</b>", "<script>x</script>")
    line.say("no-answer", "<img src=x> \u202e+91 98765 00001")
    line.call(NOW_MS, "<i>+919876500001</i>")
    hq.send()
    text = client(hq.path).get("/").text
    assert "<b>water" not in text and "<script>x" not in text and "<img src=x" not in text and "\u202e" not in text
    assert not WHOLE_NUMBER.search(text.replace(" ", ""))
    hq.close()


def test_a_missing_an_empty_and_a_damaged_store_are_said_in_words(tmp_path: Path) -> None:
    path = tmp_path / "data" / "hq.db"
    asker = client(path)
    assert "miscall hq run" in asker.get("/").text
    path.write_bytes(b"")
    assert "miscall hq run" in client(path).get("/").text
    Hq(tmp_path / "data").close()
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
    db = sql.sqlite(hq.path, reading=True)
    with pytest.raises(sqlite3.OperationalError):
        db.run("DELETE FROM alarm")
    db.close()


# ------------------------------------------------------------------------------ what callers said

SOUND = random.Random(1).randbytes(20_000)


@pytest.fixture
def told(hq: Hq) -> Hq:
    """Three takes of one line (whole, half, none yet), two that are nothing, three grievances, and answers."""
    line = hq.lines[0]
    whole = line.speak(NOW_MS - 30 * MINUTE_MS, "+919876500001", seconds=12)
    hq.whole = f"{line.store}-{whole}"  # type: ignore[attr-defined]
    half = line.speak(NOW_MS - 20 * MINUTE_MS, "+919876500002", tags="<b>road</b>")
    line.speak(NOW_MS - 10 * MINUTE_MS, "+919876500003")
    line.speak(NOW_MS - 9 * MINUTE_MS, "+919876500003", "empty", 1)
    line.speak(NOW_MS - 8 * MINUTE_MS, "+919876500003", "dropped", 1)
    line.complain(NOW_MS - 30 * HOUR_MS, "+919876500001", NOW_MS - 6 * HOUR_MS, "1000017", whole)
    solved = line.complain(NOW_MS - 9 * HOUR_MS, "+919876500002", NOW_MS + HOUR_MS, "1000025", half)
    line.complain(NOW_MS - HOUR_MS, "+919876500003", NOW_MS + 23 * HOUR_MS, "1000033")
    line.row("case", "resolved", NOW_MS, of=solved)
    line.row("case", "reopened", NOW_MS, of=solved)
    one, two, three = (f"+91987650000{n}" for n in (1, 2, 3))
    given = (
        (one, "yes", "subsidy"), (one, "no", "subsidy"), (two, "yes", "subsidy"), (three, "yes", "subsidy"),
        (three, "yes", "subsidy"), ("", "no", "subsidy"), (one, "3", ""),
    )  # fmt: skip
    for at, (caller, value, issue) in enumerate(given):
        line.answer(NOW_MS - HOUR_MS + at, caller, value, issue)
    hq.lines[1].answer(NOW_MS - 2 * HOUR_MS, "+919876500002", "no", "subsidy")  # earlier, of another box
    hq.send(silent=("pune-02",))
    line.sound(whole, SOUND)
    line.sound(half, SOUND, 2 * wire.MAX_CHUNK)
    return hq


def test_recordings_are_told_with_where_their_sound_is(told: Hq) -> None:
    takes = client(told.path).get("/api/overview").json()["takes"]
    assert [(take["caller"], take["length"], take["id"], take["state"]) for take in takes] == [
        ("•••• 003", "9 s", "", "Still at the box; sound follows when calls and messages are here."),
        ("•••• 002", "9 s", "", "On the way: 81 % is here."),
        ("•••• 001", "12 s", told.whole, ""),  # type: ignore[attr-defined]
    ]
    assert takes[2]["tags"] == "water · broken" and takes[2]["when"] == "30 min ago"
    text = client(told.path).get("/live").text
    assert "<b>road" not in text and not WHOLE_NUMBER.search(text) and text.count("<audio") == 2  # and its grievance


def test_open_grievances_come_by_when_they_are_due(told: Hq) -> None:
    found = client(told.path).get("/api/overview").json()["grievances"]
    assert (found["open"], found["overdue"], found["tone"]) == ("3", "1", "bad")
    assert [(case["reference"], case["state"], case["due"], case["tone"]) for case in found["first"]] == [
        ("1000017", "new", "due 13:43:20", "bad"), ("1000025", "reopened", "due 20:43:20", "busy"),
        ("1000033", "new", "due 22 Sep 18:43", "busy"),
    ]  # fmt: skip
    assert found["first"][0]["said"] and not found["first"][1]["said"] and not found["first"][2]["said"]
    for reference in (7, 8, 9):  # closed ones are not counted
        case = told.lines[0].complain(NOW_MS, "+919876500001", NOW_MS, f"100000{reference}")
        told.lines[0].row("case", "verified", of=case)
    told.send(silent=("pune-02",))
    assert client(told.path).get("/api/overview").json()["grievances"]["open"] == "3"


def counted(path: Path) -> list[dict[str, Any]]:
    with sql.sqlite(path, reading=True) as db:
        return voices.answers(db)


def test_answers_are_counted_raw_and_by_number_with_each_policy(told: Hq) -> None:
    found = {(row["issue"], row["value"]): (row["raw"], row["first"], row["last"], row["void"])
             for row in counted(told.path)}  # fmt: skip
    assert found == {("subsidy", "yes"): (4, 2, 2, 1), ("subsidy", "no"): (3, 1, 1, 0), ("water", "3"): (1, 1, 1, 1)}
    asker = client(told.path)
    assert "They are being counted." in asker.get("/live").text
    rows = asker.get("/api/overview").json()["answers"]
    assert [row["issue"] for row in rows] == ["subsidy", "subsidy", "water"] and rows[0]["raw"] == "4"
    assert "Void if both" in asker.get("/live").text


@pytest.mark.parametrize("seed", range(5))
def test_the_four_counts_are_those_of_a_plain_count(tmp_path: Path, seed: int) -> None:
    dice, hq = random.Random(seed), Hq(tmp_path / "data")
    line = hq.line("nashik-07", "l1", "0000aaaa", "water", "nashik")
    given: list[tuple[str, str]] = []
    for at in range(60):
        caller, value = dice.choice(["", *(f"+91987650000{last}" for last in range(6))]), dice.choice("ab")
        line.answer(NOW_MS + at, caller, value, "issue")
        given.append((caller, value))
    hq.send()
    votes = {caller: [value for who, value in given if who == caller] for caller, _ in given if caller}
    assert {row["value"]: tuple(row[name] for name in ("raw", "first", "last", "void"))
            for row in counted(hq.path)} == {
        value: (
            sum(told == value for _, told in given), sum(vote[0] == value for vote in votes.values()),
            sum(vote[-1] == value for vote in votes.values()), sum(set(vote) == {value} for vote in votes.values()),
        ) for value in "ab"
    }  # fmt: skip
    hq.close()


def test_where_nobody_spoke_the_page_says_what_to_do(hq: Hq) -> None:
    asker = client(hq.path)
    asker.get("/live")
    text = asker.get("/live").text
    assert "Nobody has spoken, complained or answered yet." in text and "miscall campaign check FILE" in text
    assert "<audio" not in text and "Open grievances" not in text
    hq.lines[0].speak(NOW_MS, "+919876500001")
    hq.send(silent=("pune-02",))
    asker = client(hq.path)  # looks close together share one answer: another asker has none to share
    asker.get("/live")
    text = asker.get("/live").text
    assert "None is open." in text and "Callers can answer where a campaign has a [referendum]" in text


def test_the_queries_of_the_page_read_no_more_than_they_show(told: Hq) -> None:
    db = sql.sqlite(told.path, reading=True)
    for query, index in ((voices._TAKES, "recording_at"), (voices._OPEN, "grievance_open"),
                       (voices.OPEN.sql, "grievance_open")):  # fmt: skip
        plan = " ".join(row["detail"] for row in db.rows(f"EXPLAIN QUERY PLAN {query}", now=1))
        assert index in plan and "SCAN e" not in plan, plan
    db.close()


def get(address: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    try:
        with urlopen(Request(address, headers=headers), timeout=10) as answer:
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()
    except HTTPError as error:
        return error.code, {}, error.read()


def test_a_recording_is_served_whole_or_in_part_and_nothing_else_is(told: Hq, tmp_path: Path) -> None:
    take = next(take for take in client(told.path).get("/api/overview").json()["takes"] if take["id"])
    data = tmp_path / "data"
    secret = data / "recordings" / "nashik-07" / "secret.opus"
    secret.write_bytes(b"secret")
    half = next(tmp_path.rglob("*.part")).name.removesuffix(".opus.part")
    office = office_of(told.path)
    cookie = f"{sessions.COOKIE}={office.client('desk').secret}"
    with served(office.gate) as address:
        assert get(f"{address}/recordings/{take['id']}")[2] != SOUND, "nobody has signed in"
        auditor = f"{sessions.COOKIE}={office.client('auditor').secret}"
        assert get(f"{address}/recordings/{take['id']}", Cookie=auditor)[0] == 403
        status, headers, body = get(f"{address}/recordings/{take['id']}", Cookie=cookie)
        assert (status, body, headers["content-type"]) == (200, SOUND, "audio/ogg")
        assert headers["accept-ranges"] == "bytes" and headers["x-content-type-options"] == "nosniff"
        assert "media-src 'self'" in headers["content-security-policy"] and headers["cache-control"] == "no-store"
        status, headers, body = get(f"{address}/recordings/{take['id']}", Cookie=cookie, Range="bytes=100-199")
        assert (status, body, headers["content-range"]) == (206, SOUND[100:200], "bytes 100-199/20000")
        for name in ("0000aaaa-999", half, "secret", "..%2f..%2fhq.db", "%2e%2e", "0000AAAA-1", "0000aaaa-9" * 9, "x"):
            assert get(f"{address}/recordings/{name}", Cookie=cookie)[0] == 404, name
        shutil.rmtree(data / "recordings")
        assert get(f"{address}/recordings/{take['id']}", Cookie=cookie)[0] == 404
    told.close()
    for file in data.glob("hq.db*"):
        file.unlink()
    assert client(told.path).get("/recordings/0000aaaa-1").status == 404
    told.path.write_bytes(b"no database" * 500)
    assert client(told.path).get("/recordings/0000aaaa-1").status == 404
    told.path.unlink()
    told.store = Store(told.path)


# ------------------------------------------------------------------------------- in a real browser


def opus(folder: Path, seconds: int = 4) -> bytes:
    """A sound that a browser can play."""
    if not shutil.which("opusenc"):
        pytest.skip("opusenc is not installed: apt install opus-tools")
    pcm = array.array("h", (round(5000 * math.sin(0.12 * at + 2 * math.sin(at / 700))) for at in range(seconds * 8000)))
    with wave.open(str(folder / "a.wav"), "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", ""))
        out.writeframes(pcm.tobytes())
    assert small.encode(folder / "a.wav", folder / "a.opus") == ""
    return (folder / "a.opus").read_bytes()


@pytest.mark.browser
def test_a_recording_plays_in_the_browser_and_goes_on_while_others_arrive(
    hq: Hq, tmp_path: Path, chromium: Any
) -> None:
    line, sound = hq.lines[0], opus(tmp_path)
    take = line.speak(NOW_MS - HOUR_MS, "+919876500001")
    hq.send(silent=("pune-02",))
    line.sound(take, sound)
    with opened(hq.path, chromium) as (_, page):
        assert page.locator("audio").count() == 1
        page.evaluate("window.sound = document.querySelector('audio'); sound.muted = sound.loop = true; sound.play()")
        wait_for(lambda: page.evaluate("sound.currentTime > 0.3 && !sound.paused"))
        assert abs(page.evaluate("sound.duration") - 4) < 0.1
        line.speak(NOW_MS - 1000, "+919876500002")
        line.call(NOW_MS - 1000, "+919876500078")
        hq.send(silent=("pune-02",))
        wait_for(lambda: page.inner_text("#calls") == "7")
        assert page.evaluate("document.contains(sound) && !sound.paused")
        assert page.locator(".said li").count() == 1, "the list waits for the listener"
        page.evaluate("sound.pause()")
        wait_for(lambda: page.locator(".said li").count() == 2)




@pytest.mark.browser
def test_the_browser_shows_the_figures_and_follows(hq: Hq, chromium: Any) -> None:
    with opened(hq.path, chromium) as (_, page):
        assert page.inner_text("#calls") == "6"
        assert page.inner_text("#stamp") == "Complete up to 19:43:20 for 2 of 3 boxes."
        wait_for(lambda: page.inner_text("#callers") == "3")
        rows = page.locator("table.boxes tbody tr")
        assert rows.count() == 3
        assert "SIM wants its PIN" in rows.nth(0).inner_text() and "Silent" in rows.nth(1).inner_text()
        assert page.locator(".chart .bar").count() == 48
        page.evaluate("window.same = document.querySelector('#calls')")
        page.click("main details summary")
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
    office = office_of(hq.path, now_ms=int(time.time() * 1000))
    cookie = (sessions.COOKIE, office.client("manager").secret)
    app = web.application(office.config, share_s=0)
    with served(app) as address, shown(chromium, address, cookie=cookie) as page:
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
def test_a_phone_needs_no_sideways_scroll(told: Hq, chromium: Any) -> None:
    told.hears("offline", "no connection to the broker")
    for path in ("/", "/figures"):
        for size in (PHONE, {"width": 768, "height": 900}, {"width": 1400, "height": 900}):
            with opened(told.path, chromium, path, size) as (_, page):
                assert page.locator("main").count() == 1 and not scrolls_sideways(page), (path, size)


@pytest.mark.browser
def test_an_empty_page_fills_by_itself(tmp_path: Path, chromium: Any) -> None:
    with opened(tmp_path / "data" / "hq.db", chromium) as (_, page):
        assert "Nothing is stored yet" in page.inner_text("main")
        hq = filled(tmp_path / "data")
        wait_for(lambda: page.locator("#calls").count() and page.inner_text("#calls") == "6")
        hq.close()


@pytest.mark.browser
def test_a_server_that_is_gone_is_said(hq: Hq, chromium: Any) -> None:
    context = chromium.new_context()
    page = context.new_page()
    office = office_of(hq.path)
    with served(office.gate) as address:
        context.add_cookies([{"name": sessions.COOKIE, "value": office.client("manager").secret, "url": address}])
        page.goto(address)
        assert page.inner_text("[data-lamp]") == "Live"
    wait_for(lambda: page.inner_text("[data-lamp]") == "No answer from headquarters")
    context.close()


# ----------------------------------------------------------------------------------- a busy district


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
