"""The doors of headquarters: joining, signing in, sessions, the log, whole numbers and what leaves as a file."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest
from starlette.responses import Response
from starlette.testclient import TestClient

from sync.hq import config as settings
from sync.hq import sql, stores
from sync.hq.doors import accounts, audit, codes, console, counts, pace, passwords, reveal, sessions, signin, watermark
from sync.hq.doors.roles import FIGURES, SIGNED_IN
from sync.hq.pages import app
from sync.hq.pages.ask import Ask, Page, Refused
from sync.hq.pages.routes import ROUTES, TABS
from tests.browser import DESK, PHONE, chromium, scrolls_sideways, served, shown, wait_for
from tests.hq import HOME, TOTP, Client, Office, light, text_of
from tests.postgres import Server, needs_postgres

__all__ = ["chromium", "light"]  # fixtures, used by name

GOOD = "violet tractor over nine lakes"
OTHER = "eleven quiet lamps by the ferry"
HTTPS = "https://hq.example.org"
MINUTE_MS = 60_000
REAL = passwords._hasher


def take_out(ask: Ask) -> Response:
    rows = [["=cmd|x", "+919876500001", 3], ["plain", "+919876500002", 4]]
    return watermark.export(ask, "test rows", ["note", "number", "n"], iter(rows), exact=("number",), note="of water")


def hello(ask: Ask) -> Response:
    return ask.page("refused.html", words=f"hello {ask.user.name}")


EXTRA = [Page("/", hello, SIGNED_IN), Page("/take", take_out, FIGURES, "POST")]


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path, [*EXTRA, *ROUTES], TABS)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=needs_postgres)])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sql.Db]:
    """The desk store on either engine."""
    file = tmp_path / "hq.toml"
    file.write_text('[hq]\ndata = "data"\nbroker = "mqtt://127.0.0.1:1"\n')
    config = settings.load(file)
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgres")
        config = replace(config, store=server.database())
    with closing(stores.desk(config)) as db:
        yield db


def member(office: Office, name: str, role: str, password: str = GOOD, totp: str = "") -> int:
    """An account that has joined."""
    with office.desk() as desk, desk.transaction():
        account, _ = accounts.make(desk, name, role, "", "7", "en", office.now_ms)
        desk.run("UPDATE account SET password = :kept, totp = :totp WHERE id = :id", kept=passwords.hashed(password),
                 totp=totp, id=account)  # fmt: skip
    return account


def browser(office: Office, address: str = "127.0.0.1", home: str = HOME) -> TestClient:
    return TestClient(office.gate, base_url=home, follow_redirects=False, client=(address, 4000))


def sign_in(
    http: TestClient, name: str, password: str = GOOD, code: str = "", home: str = HOME, **more: str
) -> httpx.Response:
    values = {"name": name, "password": password, "code": code}
    return http.post("/sign-in", data=values, headers={"origin": home, **more})


def form(http: TestClient, page: str, path: str, home: str = HOME, **values: str) -> httpx.Response:
    """Open a page and send the form of it that goes to `path`."""
    token = re.search(r'name="csrf" value="([^"]+)"', http.get(page).text)
    return http.post(path, data={**values, "csrf": token[1] if token else ""}, headers={"origin": home})


def code_of(office: Office, secret: str, steps: int = 0) -> str:
    return pyotp.TOTP(secret).at(office.now_ms // 1000 + 30 * steps)


# --------------------------------------------------------------------------------------- joining


def test_the_first_admin_joins_with_the_code_of_the_console(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    http = browser(office)
    assert http.get("/sign-in").headers["location"] == "/first"
    console.announce(office.config, "http://127.0.0.1:8800/")
    old = capsys.readouterr().out.split("code ")[1].split()[0]
    console.announce(office.config, "http://127.0.0.1:8800/")
    code = capsys.readouterr().out.split("code ")[1].split()[0]
    assert code.encode() not in (office.config.data / "desk.db").read_bytes()
    send = {"name": "Asha", "password": GOOD, "again": GOOD}
    headers = {"origin": HOME}
    for wrong in (old, "aaaa-bbbb-cccc-dddd", ""):
        assert http.post("/first", data={**send, "code": wrong}, headers=headers).status_code == 400
    done = http.post("/first", data={**send, "code": code.upper().replace("-", " ")}, headers=headers)
    assert done.headers["location"] == "/" and http.get("/").headers["location"] == "/me/second"
    again = {**send, "name": "b b", "code": code}
    assert browser(office).post("/first", data=again, headers=headers).status_code == 400
    console.announce(office.config, "http://127.0.0.1:8800/")
    assert capsys.readouterr().out == ""
    assert [(row["who"], row["role"], row["did"]) for row in office.audit()] == [("asha", "admin", "joined")]


def test_the_page_that_is_started_prints_the_code_and_lets_nobody_else_in(tmp_path: Path) -> None:
    file = tmp_path / "hq.toml"
    file.write_text('[hq]\ndata = "data"\nbroker = "mqtt://127.0.0.1:1"\n[web]\nlisten = "127.0.0.1:0"\n')
    started = subprocess.Popen(
        [sys.executable, "-m", "tools", "hq", "web", str(file)], stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert started.stdout
        code = started.stdout.readline().split("code ")[1].split()[0]
        home = started.stdout.readline().split()[-1].rstrip("/")
        with httpx.Client(base_url=home, headers={"origin": home}) as http:
            for path in ("/", "/accounts", "/api/overview"):
                assert http.get(path).headers["location"] == "/sign-in", path
            send = {"name": "asha", "password": GOOD, "again": GOOD, "code": code}
            assert http.post("/first", data=send).status_code == 303
            assert http.get("/accounts").headers["location"] == "/me/second"
    finally:
        started.terminate()
        assert started.wait(20) == 0


def test_the_first_code_ends_after_an_hour(office: Office) -> None:
    with office.desk() as desk:
        code = accounts.first_code(desk, office.now_ms)
    office.now_ms += 3_600_000
    send = {"name": "asha", "password": GOOD, "again": GOOD, "code": code}
    assert browser(office).post("/first", data=send, headers={"origin": HOME}).status_code == 400
    office.now_ms -= 1
    assert browser(office).post("/first", data=send, headers={"origin": HOME}).status_code == 303


def test_an_account_is_made_joined_changed_reset_and_ended(office: Office) -> None:
    admin = office.client("admin")
    with office.desk() as desk:
        desk.run("UPDATE account SET password = 'x'")
    assert "needs a ward" in text_of(admin.post("/accounts", {"name": "Ravi", "role": "volunteer"}))
    assert "no such role" in text_of(admin.post("/accounts", {"name": "Ravi", "role": "king"}))
    made = admin.post("/accounts", {"name": "Ravi", "role": "volunteer", "ward": "12"})
    code = re.search(r"<code>([a-z0-9-]{19})</code>", made.text)
    assert code and "already" in text_of(admin.post("/accounts", {"name": "RAVI", "role": "desk"}))
    http = browser(office)
    send = {"name": "ravi", "password": GOOD, "again": GOOD, "code": code[1]}
    assert http.post("/first", data={**send, "name": "admin"}, headers={"origin": HOME}).status_code == 400
    assert "not the same" in http.post("/first", data={**send, "again": OTHER}, headers={"origin": HOME}).text
    assert http.post("/first", data=send, headers={"origin": HOME}).headers["location"] == "/"
    assert "hello ravi" in http.get("/").text
    with office.desk() as desk:
        ravi = str(accounts.named(desk, "ravi"))
        me = str(accounts.named(desk, "admin"))
    admin.post("/accounts/change", {"account": ravi, "role": "desk"})
    assert http.get("/").headers["location"] == "/sign-in", "another role is another session"
    assert sign_in(http, "ravi").headers["location"] == "/"
    again = admin.post("/accounts/code", {"account": ravi})
    assert "Give ravi this code" in text_of(again) and http.get("/").headers["location"] == "/sign-in"
    assert sign_in(http, "ravi").status_code == 400
    assert admin.post("/accounts/end", {"account": ravi}).headers["location"] == "/accounts"
    assert "no such account" in text_of(admin.post("/accounts/end", {"account": ravi}))
    for path, more in (("/accounts/end", {}), ("/accounts/code", {}), ("/accounts/change", {"role": "desk"})):
        assert "only admin" in text_of(admin.post(path, {"account": me, **more}))
    assert "has ended" in text_of(admin.get("/accounts"))
    assert [row["did"] for row in office.audit() if row["who"] == "admin"] == [
        "made an account", "changed an account's role", "gave a new code", "ended an account",
    ]  # fmt: skip
    assert audit.verify(office.desk()).broken is None


def test_the_console_lets_in_who_has_lost_everything(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    member(office, "asha", "admin", totp=TOTP)
    assert console.run(str(office.file), "nobody") == 1 and "no such account" in capsys.readouterr().err
    assert console.run(str(office.file), "Asha") == 0
    code = capsys.readouterr().out.split()[0]
    assert sign_in(browser(office), "asha", GOOD, code_of(office, TOTP)).status_code == 400
    send = {"name": "asha", "password": OTHER, "again": OTHER, "code": code}
    assert browser(office).post("/first", data=send, headers={"origin": HOME}).status_code == 303


# ------------------------------------------------------------------------------------- passwords


@pytest.mark.parametrize(
    "refused",
    ["short words", "x" * 201, "aaaaaaaaaaaaaaa", "123456789012345", "password12345678", "Password-Password-1",
     "qwertyuiopasdf", "abcdefghijklmnop", "ravi-ravi-2026-2026", "miscall headquarters", "ababababababab"],
)  # fmt: skip
def test_passwords_that_are_refused(refused: str) -> None:
    assert passwords.problem(refused, "ravi")


def test_passwords_that_are_not(office: Office) -> None:
    for good in (GOOD, OTHER, "नमक हल्दी और तीन बैल", "Xk3#9-vQw!72z", "my password is a long walk"):
        assert passwords.problem(good, "ravi") == ""
    kept = passwords.hashed("ﬁne café at noon")
    assert kept.startswith("$argon2id$") and passwords.fits(kept, "fine café at noon")
    assert not passwords.fits(kept, "fine cafe at noon") and not passwords.fits("", "") and not passwords.fits("x", "x")


def test_a_hash_of_less_work_is_made_anew(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    account = member(office, "ravi", "desk")
    monkeypatch.setattr(passwords, "_hasher", REAL)
    for _ in range(2):
        assert sign_in(browser(office), "ravi").status_code == 303
        with office.desk() as desk:
            assert "m=65536,t=3" in desk.value("SELECT password FROM account WHERE id = :id", id=account)


def test_another_password_ends_all_sessions_but_this(office: Office) -> None:
    member(office, "ravi", "desk")
    here, there = browser(office), browser(office)
    sign_in(here, "ravi"), sign_in(there, "ravi")
    before = here.cookies["miscall"]
    assert form(here, "/me", "/me/password", password=OTHER, new=OTHER, again=OTHER).status_code == 400
    assert "two hundred" in form(here, "/me", "/me/password", password=GOOD, new=OTHER * 9, again=OTHER * 9).text
    assert form(here, "/me", "/me/password", password=GOOD, new=OTHER, again=OTHER).status_code == 303
    assert here.cookies["miscall"] != before and "hello ravi" in here.get("/").text
    assert there.get("/").headers["location"] == "/sign-in"
    assert sign_in(browser(office), "ravi", GOOD).status_code == 400
    assert sign_in(browser(office), "ravi", OTHER).status_code == 303


# ------------------------------------------------------------------------------------ two proofs


def test_a_telephone_is_set_up_and_its_codes_work_once(office: Office) -> None:
    member(office, "asha", "manager")
    http = browser(office)
    sign_in(http, "asha")
    picture = http.get("/me/second.svg")
    assert picture.headers["content-type"] == "image/svg+xml"
    assert b"<svg" in picture.content and b"style=" not in picture.content
    page = http.get("/me/second").text
    told = re.search(r"<code>([A-Z2-7 ]{39})</code>", page)
    assert told and "data:" not in page
    secret = told[1].replace(" ", "")
    assert form(http, "/me/second", "/me/second", code="000000").status_code == 400
    done = form(http, "/me/second", "/me/second", code=code_of(office, secret))
    spare = re.findall(r"<code>([a-z0-9-]{19})</code>", done.text)
    assert len(set(spare)) == 10 and "hello asha" in http.get("/").text
    assert secret not in http.get("/me/second").text and http.get("/me/second.svg").status_code == 400
    assert not any(each.encode() in (office.config.data / "desk.db").read_bytes() for each in spare)

    assert sign_in(browser(office), "asha").status_code == 400, "no code"
    assert sign_in(browser(office), "asha", GOOD, code_of(office, secret)).status_code == 400, "the set-up has used it"
    office.now_ms += 60_000
    assert sign_in(browser(office), "asha", GOOD, code_of(office, secret)).status_code == 303
    assert sign_in(browser(office), "asha", GOOD, code_of(office, secret)).status_code == 400, "again"
    assert sign_in(browser(office), "asha", GOOD, code_of(office, secret, -1)).status_code == 400, "an older one"
    assert sign_in(browser(office), "asha", GOOD, code_of(office, secret, 1)).status_code == 303, "a clock that is fast"
    office.now_ms += 60 * MINUTE_MS + 1
    assert sign_in(browser(office), "asha", GOOD, code_of(office, secret, 3)).status_code == 400
    assert sign_in(browser(office), "asha", GOOD, spare[3].upper()).status_code == 303
    assert sign_in(browser(office), "asha", GOOD, spare[3]).status_code == 400
    office.now_ms += 60 * MINUTE_MS + 1
    http = browser(office)
    sign_in(http, "asha", GOOD, spare[0])
    assert "8 of your ten" in http.get("/me/second").text
    assert form(http, "/me/second", "/me/second/off", password=GOOD, code="000000").status_code == 400
    assert form(http, "/me/second", "/me/second/off", password=GOOD, code=spare[1]).status_code == 303
    assert http.get("/").headers["location"] == "/me/second" and secret not in http.get("/me/second").text
    assert sign_in(browser(office), "asha", GOOD).status_code == 303
    assert sign_in(browser(office), "asha", GOOD, spare[2]).status_code == 303, "no code is asked for"


# -------------------------------------------------------------------------------------- alike


def wrong_sign_ins(office: Office, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str, tuple[str, ...]]]:
    """Each kind of wrong sign-in: its status, its page, and the work that was done for it."""
    member(office, "ravi", "desk")
    member(office, "asha", "admin", totp=TOTP)
    with office.desk() as desk:
        accounts.end(desk, member(office, "gone", "desk"), office.now_ms)
        accounts.make(desk, "new", "desk", "", "", "en", office.now_ms)
    work: list[str] = []
    really = passwords._hasher

    class Counted:
        def verify(self, kept: str, password: str) -> bool:
            work.append(kept.rpartition("$")[0].rpartition("$")[0])  # the parameters: the cost
            return really.verify(kept, password)

        def __getattr__(self, name: str) -> Any:
            return getattr(really, name)

    asked = sql.Db._asked
    monkeypatch.setattr(passwords, "_hasher", Counted())

    def counted(db: sql.Db, text: str, *more: Any) -> Any:
        work.append(text.split()[0])
        return asked(db, text, *more)

    monkeypatch.setattr(sql.Db, "_asked", counted)
    told = []
    for name, password, code in (("ravi", OTHER, ""), ("nobody", GOOD, ""), ("gone", GOOD, ""), ("new", GOOD, ""),
                                 ("asha", OTHER, "123456"), ("new", "", "")):  # fmt: skip
        work.clear()
        answer = sign_in(browser(office), name, password, code)
        told.append((answer.status_code, answer.text.replace(f'value="{name}"', ""), tuple(work)))
    return told


def test_every_wrong_sign_in_is_answered_alike_after_the_same_work(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = wrong_sign_ins(office, monkeypatch)
    assert len(set(told)) == 1 and told[0][0] == 400 and sum(each.startswith("$argon2id") for each in told[0][2]) == 1
    half = sign_in(browser(office), "asha", GOOD, "123456")
    assert half.text.replace('value="asha"', "") == told[0][1], "a good password with a wrong code"


@pytest.mark.parametrize("broken", ["less work for nobody", "other words for nobody"])
def test_a_door_that_tells_who_exists_is_found(office: Office, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    fits = passwords.fits

    def told(ask: Ask, keys: list[str], account: sql.Row) -> None:
        if not account["id"]:
            raise Refused("There is no such account.")

    if broken == "less work for nobody":
        monkeypatch.setattr(passwords, "fits", lambda kept, password: bool(kept) and fits(kept, password))
    else:
        monkeypatch.setattr(signin, "_tell_of_tries", told)
    assert len(set(wrong_sign_ins(office, monkeypatch))) > 1


# --------------------------------------------------------------------------------------- pace


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=needs_postgres)])
def busy(request: pytest.FixtureRequest, office: Office) -> Office:
    """Headquarters on either engine."""
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgres")
        office.config = replace(office.config, store=server.database())
        office.gate = app.application(office.config, [*EXTRA, *ROUTES], TABS, clock=lambda: office.now_ms / 1000)
    return office


def at_once(count: int, do: Callable[[], httpx.Response]) -> Counter[int]:
    with ThreadPoolExecutor(count) as threads:
        return Counter(done.result().status_code for done in [threads.submit(do) for _ in range(count)])


def test_of_many_at_once_with_one_code_one_gets_in(busy: Office) -> None:
    member(busy, "asha", "admin", totp=TOTP)
    code = code_of(busy, TOTP)
    assert at_once(5, lambda: sign_in(browser(busy), "asha", GOOD, code))[303] == 1
    with busy.desk() as desk, desk.transaction():
        desk.run("DELETE FROM pace")
        _, code = accounts.make(desk, "ravi", "desk", "", "", "en", busy.now_ms)
    send = {"name": "ravi", "password": GOOD, "again": GOOD, "code": code}
    headers = {"origin": HOME}
    assert at_once(5, lambda: browser(busy).post("/first", data=send, headers=headers)) == {303: 1, 400: 4}
    with busy.desk() as desk:
        assert audit.verify(desk).broken is None


def test_many_tries_at_once_count_as_many(busy: Office) -> None:
    member(busy, "ravi", "desk")
    assert at_once(12, lambda: sign_in(browser(busy), "ravi", OTHER)) == {400: 5, 429: 7}


def test_tries_are_slowed_and_let_in_again(office: Office) -> None:
    member(office, "ravi", "desk")
    member(office, "mira", "desk")
    for name in ("ravi", "nobody"):
        office.now_ms += 2 * pace.FORGET_MS
        seen = [sign_in(browser(office), name, OTHER) for _ in range(6)]
        assert [answer.status_code for answer in seen] == [400] * 5 + [429], name
        assert "Try again in 5 seconds." in text_of(seen[-1])
        assert sign_in(browser(office), name, GOOD).status_code == 429, "a good one too"
        office.now_ms += 5_001
        assert sign_in(browser(office), name, OTHER).status_code == 400
        assert "Try again in 10 seconds." in text_of(sign_in(browser(office), name, OTHER))
    assert sign_in(browser(office), "mira").status_code == 303, "another name is not slowed"
    office.now_ms += 2 * pace.FORGET_MS
    assert sign_in(browser(office), "ravi").status_code == 303
    failed = [(row["who"], row["what"]) for row in office.audit() if row["did"].startswith("failed")]
    assert [what for _, what in failed] == ["account 1", "no such account"]


def test_no_delay_is_longer_than_a_quarter_of_an_hour(office: Office, desk: sql.Db) -> None:
    key, now, waits = [pace.key("name", "ravi")], office.now_ms, []
    for _ in range(40):
        while wait := pace.book(desk, key, now):
            assert pace.book(desk, key, now) == wait, "a refused try does not prolong it"
            waits.append(wait)
            now += wait
    assert waits[0] == 5_000 and waits == sorted(waits) and waits[-1] == pace.LONGEST_MS
    assert pace.book(desk, key, now - 10**12) == pace.LONGEST_MS, "a clock that was set back"
    assert pace.book(desk, key, now + pace.FORGET_MS + 1) == 0


def test_who_guesses_from_elsewhere_does_not_keep_the_owner_out(tmp_path: Path) -> None:
    office = Office(tmp_path, [*EXTRA, *ROUTES], TABS, more=f'[web]\norigin = "{HTTPS}"\n')
    member(office, "ravi", "desk")
    owner = {"x-forwarded-for": "10.9.9.9, 203.0.113.5"}
    other = {"x-forwarded-for": "203.0.113.66"}
    http = browser(office, home=HTTPS)
    assert sign_in(http, "ravi", home=HTTPS, **owner).status_code == 303
    for _ in range(6):
        last = sign_in(browser(office, home=HTTPS), "ravi", OTHER, home=HTTPS, **other)
    assert last.status_code == 429
    assert sign_in(browser(office, home=HTTPS), "ravi", home=HTTPS, **owner).status_code == 303
    for place in range(21):
        last = sign_in(browser(office, home=HTTPS), f"name{place}", OTHER, home=HTTPS, **other)
    assert last.status_code == 429, "an address that tries many names"
    stranger = browser(office, "198.51.100.7", HTTPS)  # not our proxy: what it says of addresses is not believed
    assert sign_in(stranger, "name20", OTHER, home=HTTPS, **other).status_code == 400


# ------------------------------------------------------------------------------------- sessions


def test_a_session_is_new_at_each_sign_in_and_ends(office: Office) -> None:
    member(office, "ravi", "desk")
    http, other = browser(office), browser(office)
    http.cookies.set("miscall", "planted", domain="127.0.0.1", path="/")
    sign_in(http, "ravi")
    first = http.cookies["miscall"]
    assert first != "planted" and first.encode() not in (office.config.data / "desk.db").read_bytes()
    assert sign_in(other, "ravi", **{"user-agent": "Firefox\x1b on Linux"}).status_code == 303
    assert "Firefox on Linux" in http.get("/me").text
    assert form(http, "/me", "/sign-out").headers["location"] == "/sign-in"
    http.cookies.set("miscall", first, domain="127.0.0.1", path="/")
    assert http.get("/").headers["location"] == "/sign-in" and other.get("/").status_code == 200
    sign_in(http, "ravi")
    assert form(http, "/me", "/me/sign-out-everywhere").headers["location"] == "/sign-in"
    assert other.get("/").headers["location"] == "/sign-in"


def test_a_session_has_its_limits(office: Office) -> None:
    client = office.client("desk")
    for _ in range(11):
        office.now_ms += 60 * MINUTE_MS
        assert client.get("/").status_code == 200
    office.now_ms += 60 * MINUTE_MS
    assert client.get("/").headers["location"] == "/sign-in", "twelve hours, however busy"
    client = office.client("desk")
    office.now_ms += sessions.IDLE_MS + 1
    assert client.get("/").headers["location"] == "/sign-in", "two hours without a request"


def flags(answer: httpx.Response) -> set[str]:
    return {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}


def test_cookies_and_headers(office: Office, tmp_path: Path) -> None:
    member(office, "ravi", "desk")
    answer = sign_in(browser(office), "ravi")
    assert flags(answer) == {"httponly", "path=/", "samesite=strict"} and "max-age" not in answer.headers["set-cookie"]
    for path in ("/sign-in", "/first", "/me"):
        policy = browser(office).get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "data:" not in policy
    assert "strict-transport-security" not in answer.headers
    folder = tmp_path / "tls"
    folder.mkdir()
    tls = Office(folder, [*EXTRA, *ROUTES], TABS, more=f'[web]\norigin = "{HTTPS}"\n')
    member(tls, "ravi", "desk")
    http = browser(tls, home=HTTPS)
    answer = sign_in(http, "ravi", home=HTTPS)
    assert answer.headers["set-cookie"].startswith("__Host-miscall=")
    assert flags(answer) == {"httponly", "path=/", "samesite=strict", "secure"}
    assert "max-age=31536000" in answer.headers["strict-transport-security"]
    assert "hello ravi" in http.get("/").text
    assert sign_in(browser(tls, home=HTTPS), "ravi", home="http://hq.example.org").status_code == 403
    assert sign_in(browser(tls), "ravi", home="http://127.0.0.1:8800").status_code == 403, "past the proxy"
    assert sign_in(browser(tls), "ravi", home=HTTPS).status_code == 303, "a proxy that asks by our own address"
    assert browser(tls, home="https://evil.example").get("/sign-in").status_code == 421
    assert browser(office, home=HTTPS).get("/sign-in").status_code == 421


def test_no_page_of_the_doors_has_inline_code(office: Office) -> None:
    member(office, "asha", "admin")
    client = office.client("admin")
    outside = [browser(office).get(path) for path in ("/sign-in", "/first")]
    for page in [*outside, *map(client.get, ("/me", "/accounts", "/log"))]:
        assert page.status_code == 200 and not re.search(r"<script>|<style|\sstyle=|\son[a-z]+=|https?://", page.text)


@pytest.mark.parametrize(
    ("web", "key"),
    [('listen = "0.0.0.0:8800"', "web.listen"), ('listen = "192.168.1.5:8800"', "web.listen"),
     ('origin = "http://hq.example.org"', "web.origin"), ('origin = "https://hq.example.org/x"', "web.origin"),
     ('origin = "https://a b"', "web.origin")],
)  # fmt: skip
def test_a_page_that_others_reach_wants_https(tmp_path: Path, web: str, key: str) -> None:
    file = tmp_path / "hq.toml"
    text = '[hq]\ndata = "data"\nbroker = "mqtt://127.0.0.1:1"\n[web]\n'
    file.write_text(text + web)
    with pytest.raises(settings.ConfigError, match=key):
        settings.load(file)
    file.write_text(f'{text}listen = "0.0.0.0:8800"\norigin = "{HTTPS}:8443"\n')
    assert settings.load(file).origin == f"{HTTPS}:8443"


# ----------------------------------------------------------------------------------------- log


def filled(desk: sql.Db, count: int = 12) -> None:
    for place in range(count):
        with desk.transaction():
            audit.append(desk, 1000 + place, "asha", "admin", "did", f"thing {place}", 'why\x1f "so"')


def pry_open(desk: sql.Db) -> None:
    """Be the other hand that the store does not stop."""
    drops = ["audit_same", "audit_whole"] if desk.kind == "sqlite" else ["audit_kept ON audit"]
    for trigger in drops:
        desk.raw.execute(f"DROP TRIGGER {trigger}")


def test_the_store_refuses_to_change_or_delete_an_entry(desk: sql.Db) -> None:
    filled(desk)
    for attack in ("UPDATE audit SET who = 'x' WHERE id = 3", "DELETE FROM audit WHERE id = 3", "DELETE FROM audit"):
        with pytest.raises(Exception, match="only added to"):
            desk.run(attack)
    verdict = audit.verify(desk)
    assert (verdict.entries, verdict.broken) == (12, None)


def change_one(desk: sql.Db) -> int:
    desk.run("UPDATE audit SET reason = 'another' WHERE id = 5")
    return 5


def take_one(desk: sql.Db) -> int:
    desk.run("DELETE FROM audit WHERE id = 5")
    return 6


def put_one(desk: sql.Db) -> int:
    desk.run("UPDATE audit SET id = id + 100 WHERE id > 5")
    desk.run("INSERT INTO audit (id, at_ms, who, role, did, what, reason, digest)"
             " SELECT 6, at_ms, who, role, 'put in', what, reason, digest FROM audit WHERE id = 5")  # fmt: skip
    return 6


def swap_two(desk: sql.Db) -> int:
    for old, new in ((5, 99), (6, 5), (99, 6)):
        desk.run("UPDATE audit SET id = :new WHERE id = :old", new=new, old=old)
    return 5


def cut_the_end(desk: sql.Db) -> int:
    desk.run("DELETE FROM audit WHERE id > 10")
    return 0


def cut_all(desk: sql.Db) -> int:
    desk.run("DELETE FROM audit")
    return 0


@pytest.mark.parametrize("attack", [change_one, take_one, put_one, swap_two, cut_the_end, cut_all])
def test_another_hand_in_the_log_is_found(desk: sql.Db, attack: Callable[[sql.Db], int]) -> None:
    filled(desk)
    pry_open(desk)
    broken = attack(desk)
    assert audit.verify(desk).broken == broken


def test_a_log_that_was_written_anew_does_not_hold_the_digest_that_was_noted(desk: sql.Db) -> None:
    filled(desk)
    noted = audit.verify(desk).digest
    filled(desk, 1)
    assert audit.verify(desk, noted).found
    pry_open(desk)
    desk.run("DELETE FROM audit")
    desk.run("DELETE FROM audit_head")
    filled(desk, 13)
    assert audit.verify(desk).broken is None and audit.verify(desk, noted).found
    desk.run("DELETE FROM audit")
    desk.run("DELETE FROM audit_head")
    with desk.transaction():
        for _ in range(13):
            audit.append(desk, 1, "x", "", "another story")
    assert audit.verify(desk).broken is None and not audit.verify(desk, noted).found


def test_the_command_says_whether_the_log_is_whole(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    with office.desk() as desk:
        filled(desk)
    assert audit.run(str(office.file)) == 0
    told = capsys.readouterr().out
    assert "asha (admin)  did thing 3  because: why" in told and "whole: 12 entries" in told and "\x1f" not in told
    noted = told.split()[-1]
    assert audit.run(str(office.file), True, noted.upper()) == 0
    assert audit.run(str(office.file), True, "0" * 64) == 1 and "written anew" in capsys.readouterr().err
    with office.desk() as desk:
        pry_open(desk)
        change_one(desk)
    assert audit.run(str(office.file), True) == 1 and "broken at entry 5" in capsys.readouterr().err
    checked = office.client("auditor").get("/log?check=1")
    assert "broken at entry 5" in text_of(checked)
    assert audit.run(str(office.file.with_name("none.toml"))) == 1


def test_the_log_is_filtered_and_paged(office: Office) -> None:
    with office.desk() as desk, desk.transaction():
        for place in range(250):
            audit.append(desk, place * 86_400_000, "asha" if place % 2 else "ravi", "desk", "did", f"t{place} 5%_!")
    client = office.client("auditor")
    page = client.get("/log")
    assert "t249" in page.text and "t150" in page.text and "t149" not in page.text
    older = re.search(r'href="(/log\?[^"]*before=[^"]+)"', page.text)
    assert older
    page = client.get(older[1].replace("&amp;", "&"))
    assert "t149" in page.text and "t50 " in page.text and "t150" not in page.text
    assert "t248" not in client.get("/log?who=ASHA").text and "t247" in client.get("/log?who=asha").text
    assert "t249" in client.get("/log?word=5%25_!").text and "Nothing to show" in client.get("/log?word=5_%25!").text
    page = client.get("/log?from=1970-02-01&to=1970-02-02")
    assert set(re.findall(r"t(\d+) 5", page.text)) == {"31", "32"}
    assert client.get("/log?from=yesterday").status_code == 400 and client.get("/log?before=x").status_code == 200
    assert "Check the whole log" in page.text and "250 entries" in client.get("/log?check=1").text


# -------------------------------------------------------------------- whole numbers, and files


def with_a_call(office: Office) -> None:
    row = (
        'INSERT INTO event (store_id, seq, "of", kind, boot, mono_ms, at_ms, clock, campaign, caller, caller_kind,'
        " state, seconds, extra, hq_ms)"
        " VALUES (1, :seq, 0, 'call', '', 0, 0, 3, '', :caller, 'national', 'missed', 0, '', 0)"
    )
    with office.events() as events:
        events.run("INSERT INTO store (id, store, box, line, chain, admitted_ms, seen_ms)"
                   " VALUES (1, '00000001', 'b1', 'l1', :none, 0, 0)", none=b"")  # fmt: skip
        events.run(row, seq=7, caller="+919876512345")
        events.run(row, seq=8, caller="")
        events.run(row, seq=10, caller="erased:0011")


def test_a_number_is_revealed_for_a_reason_and_the_log_holds_no_number(office: Office) -> None:
    with_a_call(office)
    client = office.client("desk")
    send = {"store": "00000001", "seq": "7", "reason": "she asked on 2026-09-21 to be called", "back": "/inbox?page=2"}
    answer = client.post("/reveal", send)
    assert "+919876512345" in answer.text and 'href="/inbox?page=2"' in answer.text
    assert answer.headers["cache-control"] == "no-store"
    entry = office.audit()[-1]
    assert (entry["did"], entry["what"], entry["reason"]) == (reveal.DID, "00000001-7", send["reason"])
    for wrong in ({"reason": "why "}, {"reason": "call +91 98765 12345"}, {"seq": "8"}, {"seq": "9"}, {"seq": "x"},
                  {"store": "00000002"},
                  {"store": "1"}, {"store": "' OR 1"}, {"seq": "10"}, {"reason": "फ़ोन ९८७६५१२३४५ पर"}):  # fmt: skip
        answer = client.post("/reveal", {**send, **wrong})
        assert answer.status_code == 400 and "98765" not in answer.text, wrong
    assert len(office.audit()) == 1
    for back in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", ""):
        assert 'href="/"' in client.post("/reveal", {**send, "back": back}).text
    assert "not on your list" in text_of(office.client("volunteer", ward="7").post("/reveal", send))
    for role in ("fleet", "auditor"):
        assert office.client(role).post("/reveal", send).status_code == 403
    with office.desk() as desk:
        assert "9876512345" not in "".join(str(row) for row in desk.rows("SELECT * FROM audit"))


def test_a_volunteer_reveals_what_is_on_her_list(office: Office) -> None:
    with_a_call(office)
    seen: list[str] = []

    def handler(ask: Ask) -> Response:
        seen.append(reveal.reveal(ask, 1, 7, "on my list", own=lambda ask, store, seq: (store, seq) == (1, 7)))
        return ask.go("/")

    office.gate = app.application(office.config, [Page("/mine", handler, SIGNED_IN, "POST")], [])
    assert office.client("volunteer", ward="7").post("/mine").status_code == 303 and seen == ["+919876512345"]


def test_whole_numbers_are_revealed_slowly(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    with_a_call(office)
    client, other = office.client("desk"), office.client("manager")
    send = {"store": "00000001", "seq": "7", "reason": "calling back"}
    office.now_ms = (office.now_ms // 1000 + 1) * 1000
    with office.desk() as desk, desk.transaction():
        for place in range(59):
            audit.append(desk, office.now_ms - place, "desk", "desk", reveal.DID, "1-7", "x")
    assert client.post("/reveal", send).status_code == 200
    refused = client.post("/reveal", send)
    assert refused.status_code == 400 and "60 numbers within an hour" in text_of(refused)
    assert other.post("/reveal", send).status_code == 200, "each account has its own"
    office.now_ms += reveal.HOUR_MS
    assert client.post("/reveal", send).status_code == 200
    with office.desk() as desk, desk.transaction():
        for _ in range(239):
            audit.append(desk, office.now_ms - reveal.HOUR_MS, "desk", "desk", reveal.DID, "1-7", "x")
    assert "300 numbers within a day" in text_of(client.post("/reveal", send))


def test_nothing_is_shown_when_the_log_cannot_be_written(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    with_a_call(office)
    client = office.client("desk")
    with office.desk() as desk:
        desk.run("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    answer = client.post("/reveal", {"store": "00000001", "seq": "7", "reason": "calling back"})
    assert answer.status_code == 503 and "98765" not in answer.text
    answer = office.client("manager").post("/take")
    assert answer.status_code == 503 and "98765" not in answer.text


def test_a_file_that_leaves_is_marked_and_written_down(office: Office) -> None:
    office.now_ms = 1_790_000_000_000
    client = office.client("manager", name="mira")
    answer = client.post("/take")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    id = rows[0]["watermark"].split()[-1]
    assert {row["watermark"] for row in rows} == {f"mira 2026-09-21T14:13:20Z {id}"}
    assert [row["note"] for row in rows] == ["'=cmd|x", "plain"] and rows[0]["number"] == "+919876500001"
    assert answer.headers["content-disposition"].endswith(f"miscall-test-rows-mira-20260921T141320Z-{id}.csv")
    entry = office.audit()[-1]
    assert (entry["did"], entry["what"], entry["reason"]) == ("exported test rows", f"export {id}", "2 rows of water")
    assert "takes no tables out" in text_of(office.client("auditor").post("/take"))
    assert len(office.audit()) == 1


# ------------------------------------------------------------------------------- files of counts


def counted(office: Office, *rows: tuple[int, str, int, int]) -> None:
    """The roll-up's rows: ledger, campaign, day, calls."""
    with office.events() as events:
        events.run("DELETE FROM tally")
        insert = "INSERT INTO tally (store_id, campaign, day, hour, language, calls) VALUES (:s, :c, :d, 9, 'hi', :n)"
        for store, campaign, day, calls in rows:
            events.run(insert, s=store, c=campaign, d=day, n=calls)


def test_counts_are_written_once_corrected_later_and_held_to(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, told = office.config.data / "counts", lambda: (capsys.readouterr(), counts.run(str(office.file)))[1]
    assert told() == 1, "no receiver yet"
    counted(office)
    assert told() == 0 and not folder.exists()
    more = ((2, "water", 20_000, 6), (1, "water", 20_001, 7))
    counted(office, (1, "water", 20_000, 5), (1, "roads", 20_000, 1), *more)
    assert told() == 0 and told() == 0
    counted(office, (1, "water", 20_000, 9), *more)
    assert told() == 0 and "000002-" in capsys.readouterr().out
    files = sorted(folder.iterdir())
    assert [json.loads(file.read_text())["days"] for file in files] == [
        {"2024-10-04": {"roads": {"calls": 1}, "water": {"calls": 11}}, "2024-10-05": {"water": {"calls": 7}}},
        {"2024-10-04": {"roads": {}, "water": {"calls": 15}}},
    ]
    assert told() == 0 and len(list(folder.iterdir())) == 2, "nothing new"
    first, second = (file.read_text() for file in files)
    for attack in ("change", "forge", "first", "last"):
        if attack == "change":
            files[0].write_text(first.replace("11", "91"))
        elif attack == "forge":  # the chain of the files alone would hold
            files[1].write_text(second.replace("15", "95"))
        else:
            files[0 if attack == "first" else 1].unlink()
        assert told() == 1, attack
        files[0].write_text(first)
        files[1].write_text(second)
    files[1].rename(files[1].with_name(f"{files[1].name}.new"))  # the power failed before it had its name
    files[1].with_name("000003-2026-01-01.json.new").write_text("{")  # or before the log told of it
    assert told() == 0 and files[1].read_text() == second


# ------------------------------------------------------------------------------ either store


def test_codes_and_accounts_on_either_store(desk: sql.Db) -> None:
    with desk.transaction():
        account, code = accounts.make(desk, "Ravi", "desk", "", "", "en", 1000)
    assert not codes.use(desk, code, account + 1, codes.JOIN, 2000)
    assert not codes.use(desk, code, account, codes.RECOVERY, 2000)
    assert codes.use(desk, code, account, codes.JOIN, 2000) and not codes.use(desk, code, account, codes.JOIN, 2000)
    spare = codes.give(desk, account, codes.RECOVERY, codes.NEVER, 10)
    assert codes.use(desk, spare[0], account, codes.RECOVERY, 2000)
    assert codes.left(desk, account, codes.RECOVERY, 2000) == 9
    secret = sessions.begin(desk, account, 1000)
    assert sessions.find(desk, secret, 2000) and accounts.everyone(desk)[0]["seen_ms"] == 1000
    with desk.transaction():
        accounts.end(desk, account, 2000)
    assert sessions.find(desk, secret, 2000) is None and codes.left(desk, account, codes.RECOVERY, 2000) == 0


@needs_postgres
def test_the_doors_on_postgresql(office: Office, postgres: Server) -> None:
    office.config = replace(office.config, store=postgres.database())
    office.gate = app.application(office.config, [*EXTRA, *ROUTES], TABS, clock=lambda: office.now_ms / 1000)
    with office.desk() as desk:
        code = accounts.first_code(desk, office.now_ms)
    http = browser(office)
    send = {"name": "asha", "password": GOOD, "again": GOOD, "code": code}
    assert http.post("/first", data=send, headers={"origin": HOME}).status_code == 303
    secret = re.search(r"<code>([A-Z2-7 ]{39})</code>", http.get("/me/second").text)
    assert secret
    shown = code_of(office, secret[1].replace(" ", ""))
    assert form(http, "/me/second", "/me/second", code=shown).status_code == 200
    assert form(http, "/accounts", "/accounts", name="ravi", role="desk").status_code == 200
    assert "made an account" in http.get("/log?who=asha&word=made&from=2020-01-01&to=2100-01-01&check=1").text
    assert sign_in(browser(office), "asha", OTHER).status_code == 400
    assert signin.WRONG in sign_in(browser(office), "asha", OTHER).text


def test_the_page_says_it_in_hindi(office: Office) -> None:
    client: Client = office.client("admin", name="hindi", language="hi")
    assert "खाते" in client.get("/accounts").text
    assert client.post("/me/language", {"language": "en"}).status_code == 303
    assert "Who may sign in" in client.get("/accounts").text
    assert client.post("/me/language", {"language": "xx"}).status_code == 400


# ---------------------------------------------------------------------------------- in a browser


@pytest.mark.browser
@pytest.mark.parametrize(("size", "scheme"), [(DESK, "light"), (PHONE, "dark")])
def test_the_first_admin_in_a_browser(office: Office, chromium: Any, size: dict[str, int], scheme: str) -> None:
    """From the console's code to an account for somebody else, by keyboard; the picture is really drawn."""
    with office.desk() as desk:
        code = accounts.first_code(desk, office.now_ms)
    with served(office.gate) as address, shown(chromium, address + "/sign-in", size, scheme) as page:
        for typed in (code, "asha", GOOD, GOOD):  # the first field has the focus
            page.keyboard.type(typed)
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_url("**/me/second")
        assert page.evaluate("document.querySelector('img.qr').naturalWidth") > 100 and not scrolls_sideways(page)
        secret = page.locator(".steps code").inner_text().replace(" ", "")
        page.get_by_label("Write here the six digits").fill(code_of(office, secret))
        page.get_by_role("button", name="Set it up").click()
        wait_for(lambda: page.locator(".codes li").count() == 10)
        assert not scrolls_sideways(page)
        spare = page.locator(".codes code").first.inner_text()
        page.goto(address + "/accounts")
        page.get_by_label("Name").fill("ravi")
        page.get_by_role("button", name="Make the account").click()
        assert len(page.locator(".once code").inner_text()) == 19
        page.goto(address + "/accounts")
        assert "has not joined yet" in page.inner_text("main") and not scrolls_sideways(page)
        page.goto(address + "/log")
        assert "made an account" in page.inner_text("main") and not scrolls_sideways(page)
        page.goto(address + "/me")
        assert not scrolls_sideways(page)
        if page.locator(".menu > summary").is_visible():  # on a telephone it lies in the menu
            page.click(".menu > summary")
        page.locator("button:visible", has_text="Sign out").first.click()
        page.wait_for_url("**/sign-in")
        page.get_by_label("Name").fill("asha")
        page.get_by_label("Password").fill(GOOD)
        page.get_by_label("Code from your telephone").fill(spare)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(address + "/")
        assert "hello asha" in page.inner_text("main")
