"""The pages of people: what each role sees and does there, and that no number leaves without a word in the log."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.hq import schema
from sync.hq.doors import sessions
from sync.hq.pages import people as pages
from sync.hq.people import erasure, jobs, lists, suppression
from tests.browser import PHONE, chromium, scrolls_sideways, served, shown
from tests.hq import Office, text_of
from tests.people import ANU, BINA, CHAND, People

chromium = chromium
PAGES = ("/people", "/lists", "/wards", "/outcomes", "/invitations", "/invitations/sabha", "/consents",
         "/consents?purpose=whatsapp", "/opt-outs", "/erasures", "/retention", "/retention?look=1")  # fmt: skip


class House(Office):
    """Headquarters, with callers of two wards who have asked for this and that."""

    def __init__(self, folder: Path, more: str = "") -> None:
        super().__init__(folder, pages.ROUTES, pages.TABS, more=more)
        raw = schema.sqlite(self.config.data / "hq.db")
        self.all = People(raw, self.desk(), self.config.data)
        self.key = suppression.key(self.config.data)
        (self.store,) = self.all.box("nashik-01")
        self.before = self.now_ms - 60_000

    def sent(self, kind: str, caller: str, state: str, **extra: Any) -> int:
        return self.all.row(self.store, kind, caller, state, at_ms=self.before, **extra)

    def tick(self) -> jobs.Done:
        return jobs.tick(self.all.events, self.all.desk, self.config, self.now_ms)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    made.sent("answer", ANU, "12", issue="ward", node="ward")
    made.sent("answer", BINA, "13", issue="ward", node="ward")
    for caller in (ANU, BINA, CHAND):
        made.sent("consent", caller, "volunteer", node="v")
        made.sent("consent", caller, "whatsapp", node="wa", language="hi")
    made.sent("answer", ANU, "yes", issue="sabha", node="sabha")
    made.sent("answer", BINA, "no", issue="sabha", node="sabha")
    with made.desk() as desk:
        desk.run("INSERT INTO invitation VALUES ('sabha', 'Gram sabha')")
    made.tick()
    yield made
    made.all.close()


def columns(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def no_number(text: str) -> bool:
    return not any(caller[-10:] in text for caller in (ANU, BINA, CHAND))


@pytest.mark.parametrize("path", PAGES)
def test_no_page_shows_a_number(house: House, path: str) -> None:
    for role in ("manager", "desk", "auditor", "admin", "volunteer"):
        answer = house.client(role, ward="12").get(path)
        assert answer.status_code in (200, 403), (role, answer.text)
        assert no_number(answer.text), role
        if answer.status_code == 200:
            assert "<main" in answer.text


def test_a_volunteer_sees_and_changes_her_own_list_only(house: House) -> None:
    veena = house.client("volunteer", name="veena", ward="12")
    text = text_of(veena.get("/lists"))
    assert "•••• 011" in text and "•••• 022" not in text and "•••• 033" not in text
    assert "Ward 12 (by key)" in text
    for path in ("/lists?ward=13", "/lists?state=open&ward=13"):
        assert "•••• 022" not in text_of(veena.get(path))
    with house.desk() as desk:
        ids = {row["caller"]: row["id"] for row in desk.rows("SELECT id, caller FROM follow")}
    assert veena.post("/lists/mark", {"id": str(ids[ANU]), "state": "tried", "note": "no answer"}).status_code == 303
    assert veena.post("/lists/mark", {"id": str(ids[BINA]), "state": "done"}).status_code == 400
    assert veena.post("/lists/mark", {"id": "x", "state": "done"}).status_code == 400
    assert veena.post("/lists/mark", {"id": str(ids[ANU]), "state": "won"}).status_code == 400
    assert "1 tries" in text_of(veena.get("/lists")) and "no answer" in text_of(veena.get("/lists"))
    for path in ("/people", "/wards", "/outcomes", "/invitations", "/consents", "/opt-outs", "/erasures", "/retention"):
        assert veena.get(path).status_code == 403, path
    for path in ("/lists/ward", "/lists/add", "/lists/renew", "/lists/print", "/consents/chats", "/opt-outs"):
        assert veena.post(path, {"reason": "because of it", "ward": "12"}).status_code == 403, path
    house.now_ms += lists.EXPIRES_MS
    assert "•••• 011" not in text_of(house.client("volunteer", name="veena", ward="12").get("/lists"))
    assert [row["did"] for row in house.audit()] == ["marked an entry of a list"]


def test_the_desk_puts_people_on_lists_and_moves_them(house: House) -> None:
    desk = house.client("desk")
    call = house.sent("call", "+919876500044", "missed")
    said = house.sent("recording", "+919876500044", "kept")
    assert desk.post("/lists/add", {"thing": f"{house.store:08x}-{call}"}).status_code == 400
    assert desk.post("/lists/add", {"thing": "nonsense"}).status_code == 400
    assert desk.post("/lists/add", {"thing": f"{house.store:08x}-{said}", "ward": "12"}).status_code == 303
    assert "•••• 044" in text_of(house.client("volunteer", ward="12").get("/lists"))
    with house.desk() as db:
        id = db.value("SELECT id FROM follow WHERE seq = :seq", seq=said)
    assert desk.post("/lists/ward", {"id": str(id), "ward": "13"}).status_code == 303
    assert "•••• 044" not in text_of(house.client("volunteer", ward="12").get("/lists"))
    assert desk.post("/wards", {"box": "nashik-01", "line": "l1", "ward": "7"}).status_code == 303
    assert desk.post("/wards", {"box": "nashik-01", "line": "l9", "ward": "7"}).status_code == 400
    manager = house.client("manager")
    assert manager.post("/lists/print", {"ward": "13", "reason": "no"}).status_code == 400
    sheet = manager.post("/lists/print", {"ward": "13", "reason": "for Veena's round"})
    assert BINA in sheet.text and ANU not in sheet.text and "manager " in text_of(sheet)
    assert house.audit()[-1]["did"] == "printed a list with numbers"
    assert no_number(json.dumps(house.audit()))


def test_outcomes_are_sent_and_what_was_wrong_is_the_senders_alone(house: House) -> None:
    mira, other = house.client("manager", name="mira"), house.client("manager", name="omar")
    raw = f"number,at,goal,note\n{ANU},,pledged,=1+1\n98765000,,pledged,\n{BINA},,won,\n".encode()
    send = {"campaign": "water", "goal": ""}
    answer = mira.post("/outcomes", send, files={"file": ("a.csv", raw, "text/csv")})
    text = text_of(answer)
    assert "3 rows" in text and "1 taken, 0 known already, 2 refused" in text and "•••• 000" in text
    assert no_number(answer.text) and "98765000" not in answer.text
    with house.desk() as desk:
        assert desk.rows("SELECT goal, caller FROM outcome") == [{"goal": "pledged", "caller": ANU}]
    assert other.post("/outcomes/1/wrong").status_code == 400
    told = columns(mira.post("/outcomes/1/wrong").content.decode("utf-8-sig"))
    assert [(row["line"], row["column"]) for row in told] == [("3", "number"), ("4", "goal")]
    assert told[1]["number"] == f"'{BINA}"  # harmless, and taken when it is sent again
    again = mira.post("/outcomes", send, files={"file": ("a.csv", raw, "text/csv")})
    assert "0 taken, 1 known already" in text_of(again)
    assert "own file, not CSV" in text_of(mira.post("/outcomes", send, files={"file": ("x", b"PK\x03\x04", "x")}))
    assert mira.post("/outcomes", send).status_code == 400
    assert mira.post("/outcomes", {"campaign": "none"}, files={"file": ("a.csv", raw, "x")}).status_code == 400
    huge = mira.post("/outcomes", send, files={"file": ("a.csv", b"x" * (17 * 1024 * 1024), "text/csv")})
    assert huge.status_code == 413
    assert no_number(json.dumps(house.audit()))


def test_who_came_is_marked_and_taken_out_with_a_mark(house: House) -> None:
    desk, manager = house.client("desk"), house.client("manager", name="mira")
    page = desk.get("/invitations/sabha")
    assert "confirmed 1" in text_of(page) and "declined 1" in text_of(page)
    thing = page.text.split('name="thing" value="')[1].split('"')[0]
    assert desk.post("/invitations/sabha/came", {"thing": [thing]}).status_code == 303
    assert "attended 1" in text_of(desk.get("/invitations/sabha?list=attended"))
    assert desk.post("/invitations/sabha/came", {"thing": ["x"]}).status_code == 400
    assert desk.post("/invitations/sabha/export", {"list": "attended"}).status_code == 403
    rows = columns(manager.post("/invitations/sabha/export", {"list": "attended"}).text)
    assert [(row["number"], row["answer"], row["attended"]) for row in rows] == [(ANU, "yes", "yes")]
    assert rows[0]["watermark"].startswith("mira ")
    assert house.client("desk").post("/invitations", {"issue": "ward", "title": "x"}).status_code == 303


def test_the_whatsapp_list_and_its_links_are_shown_for_a_reason(house: House) -> None:
    house.sent("optout", BINA, "on")
    house.tick()
    manager = house.client("manager", name="mira")
    text = text_of(manager.get("/consents?purpose=whatsapp"))
    assert "2 may be written to" in text and "1 opted out" in text
    rows = columns(manager.post("/consents/export", {"purpose": "whatsapp"}).text)
    assert {row["number"] for row in rows} == {ANU, CHAND}
    assert manager.post("/consents/chats", {"reason": ""}).status_code == 400
    links = manager.post("/consents/chats", {"reason": "news of the sabha"})
    assert f'href="https://wa.me/{ANU[1:]}"' in links.text and BINA[1:] not in links.text
    assert [row["did"] for row in house.audit()] == ["exported consents whatsapp", "showed links to chats"]
    assert "2 numbers" in house.audit()[-1]["reason"] and no_number(json.dumps(house.audit()))


def test_an_opt_out_by_hand_and_a_request_to_be_forgotten(house: House) -> None:
    desk, admin = house.client("desk"), house.client("admin")
    for wrong in ({"number": "12", "reason": "by letter"}, {"number": CHAND, "reason": ""},
                  {"number": CHAND, "reason": f"she is {CHAND}"}):  # fmt: skip
        answer = desk.post("/opt-outs", wrong)
        assert answer.status_code == 400 and no_number(answer.text)
    assert desk.post("/opt-outs", {"number": "098765 00033", "reason": "by letter"}).status_code == 303
    assert house.tick().orders == 1
    assert desk.post("/erasures", {"number": ANU, "reason": "by letter"}).status_code == 403
    assert admin.post("/erasures", {"number": ANU, "reason": "by letter"}).status_code == 303
    text = text_of(admin.get("/erasures"))
    assert "kept by law until" in text and "is erased on that day by itself" in text  # the profile is IN
    assert "•••• 011" not in text_of(house.client("volunteer", ward="12").get("/lists"))  # suppressed at once
    assert admin.get("/erasures/1/report").status_code == 400
    assert no_number(json.dumps(house.audit()))


def test_forgetting_in_a_place_without_a_least_time_ends_with_a_report(tmp_path: Path) -> None:
    house = House(tmp_path, '[retention]\nprofile = "BR"\n')
    house.sent("consent", ANU, "volunteer", node="v")
    house.tick()
    admin = house.client("admin")
    assert admin.post("/erasures", {"number": ANU, "reason": "by letter"}).status_code == 303
    house.tick()
    for row in house.all.desk.rows("SELECT box, number FROM orders"):
        house.all.events.run("INSERT INTO ordered VALUES (:box, :number, 'done', '', 0)", row)
    assert erasure.obey(house.all.events, house.all.desk, house.config.data, house.now_ms) == [1]
    assert house.tick().reports == 1
    report = admin.get("/erasures/1/report")
    assert "it stands nowhere" in report.text and "attachment" in report.headers["content-disposition"]
    assert "Report of" in text_of(admin.get("/erasures"))
    house.all.close()


def test_in_hindi(house: House) -> None:
    page = house.client("desk", name="hindi", language="hi").get("/lists").text
    assert "क्या हुआ?" in page and "How did it go?" not in page


# --------------------------------------------------------------------------------- in a browser


def test_a_list_on_a_telephone(house: House, chromium: Any) -> None:
    """A volunteer works through her list by thumb; she is shown her own ward, whatever the address says."""
    secret = house.client("volunteer", name="veena", ward="12").secret
    with served(house.gate) as address:
        with shown(chromium, f"{address}/lists?ward=13", PHONE, cookie=(sessions.COOKIE, secret)) as page:
            assert page.locator(".follows > li").count() == 1
            assert "•••• 011" in page.locator(".follows").inner_text()
            assert not scrolls_sideways(page)
            page.get_by_label("How did it go?").select_option("reached")
            page.get_by_label("Note").fill("comes on Sunday")
            page.get_by_role("button", name="Write down").click()
            page.wait_for_selector("text=comes on Sunday")
            assert "reached" in page.locator(".follows .pill").inner_text()
            assert page.get_by_role("link", name="People").count() == 0


def test_sending_a_file_in_a_browser(house: House, chromium: Any, tmp_path: Path) -> None:
    secret = house.client("manager", name="mira").secret
    file = tmp_path / "pledges.csv"
    file.write_text(f"number;goal\n{ANU};pledged\nnobody;pledged\n")
    cookie = (sessions.COOKIE, secret)
    with served(house.gate) as address, shown(chromium, f"{address}/outcomes", cookie=cookie) as page:
        page.get_by_label("File", exact=True).set_input_files(file)
        page.get_by_role("button", name="Send").click()
        page.wait_for_selector("text=1 taken, 0 known already, 1 refused")
        with page.expect_download() as download:
            page.get_by_role("button", name="All refused rows as a file").click()
        assert "nobody" in Path(download.value.path()).read_text()
        page.goto(f"{address}/people")
        assert "pledged" in page.locator("#main").inner_text()
