"""What stands before every page of headquarters: sign-in, roles, own forms only, errors in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.responses import Response

from sync.hq.doors.roles import ADMIN, ANYONE, ROLES
from sync.hq.pages.ask import Ask, Page, Refused, Tab
from tests.hq import Client, Office, text_of


def _hello(ask: Ask) -> Response:
    return ask.page("refused.html", words=f"hello {ask.user.name}, {ask.form.get('word', '')}")


def _write(ask: Ask) -> Response:
    with ask.change("wrote", "a thing", "because") as desk:
        desk.run("UPDATE account SET ward = :ward WHERE id = :id", ward=ask.form["ward"], id=ask.user.id)
        if ask.form["ward"] == "bad":
            raise Refused("Not this ward.")
    return ask.go("/secret", "It is written.")


def _events(ask: Ask) -> Response:
    ask.events.rows("SELECT * FROM event")
    return ask.page("refused.html", words="there")


ROUTES = [
    Page("/open", _hello, ANYONE), Page("/secret", _hello, ADMIN), Page("/secret", _hello, ADMIN, "POST"),
    Page("/write", _write, ADMIN, "POST"), Page("/events", _events, ADMIN),
]  # fmt: skip


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path, ROUTES, [Tab("Headquarters", "/secret", ADMIN)])


def test_who_may_what(office: Office) -> None:
    assert office.client().get("/open").status_code == 200
    assert office.client().get("/secret").headers["location"] == "/sign-in"
    for role in ROLES:
        assert office.client(role).get("/secret").status_code == (200 if role == "admin" else 403), role
    assert "hello admin" in text_of(office.client("admin").get("/secret"))
    assert office.client("admin").get("/none").status_code == 404


@pytest.mark.parametrize(
    "send",
    [
        lambda client: client.post("/secret", {"word": "x"}, csrf=False),
        lambda client: client.post("/secret", {"word": "x"}, origin="http://elsewhere"),
        lambda client: client.post("/secret", {"word": "x", "csrf": "wrong"}, csrf=False),
    ],
)
def test_a_form_that_is_not_ours_is_refused(office: Office, send: Callable[[Client], Response]) -> None:
    client = office.client("admin")
    assert client.post("/secret", {"word": "fine"}).status_code == 200
    assert send(client).status_code == 403


def test_a_change_and_its_entry_in_the_log_or_neither(office: Office) -> None:
    client = office.client("admin")
    answer = client.post("/write", {"ward": "7"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/secret")
    assert "It is written." in text_of(client.get("/secret"))
    assert "It is written." not in text_of(client.get("/secret"))
    refused = client.post("/write", {"ward": "bad"})
    assert refused.status_code == 400 and "Not this ward." in text_of(refused)
    with office.desk() as desk:
        assert desk.value("SELECT ward FROM account") == "7"
    assert [(row["did"], row["what"], row["reason"]) for row in office.audit()] == [("wrote", "a thing", "because")]


def test_a_store_that_is_not_there_or_spoilt_is_a_sentence(office: Office) -> None:
    client = office.client("admin")
    answer = client.get("/events")
    assert answer.status_code == 503 and "received nothing yet" in text_of(answer)
    (office.config.data / "hq.db").write_bytes(b"no store" * 1000)
    answer = client.get("/events")
    assert answer.status_code == 503 and "cannot be read just now" in text_of(answer)


def test_a_session_ends(office: Office) -> None:
    client = office.client("admin")
    office.now_ms += 3 * 3_600_000
    assert client.get("/secret").headers["location"] == "/sign-in"


def test_the_same_in_hindi(office: Office) -> None:
    assert "मुख्यालय" in office.client("admin", name="hindi", language="hi").get("/secret").text
