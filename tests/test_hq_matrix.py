"""Who may what, asked of the running pages: every address, as every role and as nobody, 100 % of the cells.

`MAY` says it once more, in letters, and knows nothing of the sets in sync.hq.doors.roles: a page that is given the
wrong set fails here, and so does one that is not in the table. A new page needs a line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from edge import gate
from sync.hq.doors import roles
from sync.hq.pages import app
from sync.hq.pages.ask import Page
from sync.hq.pages.routes import ROUTES, TABS
from tests.hq import Client, Office, light

__all__ = ["light"]  # a fixture, used by name

LETTERS = {"m": "manager", "d": "desk", "v": "volunteer", "f": "fleet", "u": "auditor", "a": "admin", "-": ""}
EVERYBODY, SIGNED_IN = "-mdvfua", "mdvfua"
FIGURES = "mdfua"
MAY = {
    "GET /": SIGNED_IN,
    "GET /live": FIGURES,
    "GET /api/overview": FIGURES,
    "GET /figures": FIGURES,
    "GET /recordings/{name}": "md",
    "GET /numbers": FIGURES,
    "GET /numbers/by": FIGURES,
    "POST /numbers/by/export": "ma",
    "GET /definitions": FIGURES,
    "GET /referendums": FIGURES,
    "GET /brief": FIGURES,
    "GET /desk": "md",
    "GET /desk/thing/{name}": "md",
    "GET /desk/sound/{name}": "md",
    "POST /desk/search": "md",
    "POST /desk/move": "md",
    "POST /desk/tag": "md",
    "POST /desk/untag": "md",
    "POST /desk/note": "md",
    "POST /desk/many": "md",
    "POST /desk/parts": "md",
    "POST /desk/reply": "md",
    "POST /desk/call-back": "md",
    "GET /desk/texts": "md",
    "POST /desk/texts": "md",
    "POST /desk/texts/drop": "md",
    "GET /desk/wave": "md",
    "POST /desk/wave": "md",
    "GET /desk/wave/{number}": "md",
    "POST /desk/wave/stop": "md",
    "GET /sign-in": EVERYBODY,
    "POST /sign-in": EVERYBODY,
    "GET /first": EVERYBODY,
    "POST /first": EVERYBODY,
    "POST /sign-out": SIGNED_IN,
    "GET /me": SIGNED_IN,
    "POST /me/language": SIGNED_IN,
    "POST /me/password": SIGNED_IN,
    "POST /me/sign-out-everywhere": SIGNED_IN,
    "GET /me/second": SIGNED_IN,
    "POST /me/second": SIGNED_IN,
    "POST /me/second/off": SIGNED_IN,
    "GET /me/second.svg": SIGNED_IN,
    "POST /reveal": "mdva",
    "GET /accounts": "a",
    "POST /accounts": "a",
    "POST /accounts/change": "a",
    "POST /accounts/code": "a",
    "POST /accounts/end": "a",
    "GET /log": "ua",
    "GET /people": "mdua",
    "GET /lists": "mdv",
    "POST /lists/mark": "mdv",
    "POST /lists/ward": "md",
    "POST /lists/add": "md",
    "POST /lists/renew": "md",
    "POST /lists/print": "m",
    "GET /wards": "md",
    "POST /wards": "md",
    "GET /outcomes": "ma",
    "POST /outcomes": "ma",
    "POST /outcomes/{id:int}/wrong": "ma",
    "GET /invitations": "mdua",
    "POST /invitations": "md",
    "GET /invitations/{issue}": "mdua",
    "POST /invitations/{issue}/came": "md",
    "POST /invitations/{issue}/export": "ma",
    "GET /consents": "mdua",
    "POST /consents/export": "ma",
    "POST /consents/chats": "ma",
    "GET /opt-outs": "mdua",
    "POST /opt-outs": "mda",
    "GET /erasures": "mdua",
    "POST /erasures": "a",
    "GET /erasures/{id:int}/report": "mdua",
    "GET /retention": "ua",
}


def named(page: Page) -> str:
    return f"{page.method} {page.path}"


def address(page: Page) -> str:
    """The page's address with something in each of its gaps."""
    return re.sub(r"\{[a-z_]+:int\}", "1", re.sub(r"\{[a-z_]+(:path)?\}", "x", page.path))


def ask(client: Client, page: Page, **how: str | bool) -> tuple[int, str]:
    try:
        answer = client.get(address(page)) if page.method == "GET" else client.post(address(page), **how)  # type: ignore[arg-type]
    except Exception:  # what a browser sees of one
        return 500, ""
    return answer.status_code, answer.headers.get("location", "")


def wrong_cells(office: Office, pages: Sequence[Page]) -> list[str]:
    """Every cell in which the pages do other than `MAY` says."""
    wrong = []
    for page in pages:
        for letter, role in LETTERS.items():
            status, where = ask(office.client(role), page)
            turned_away = (status, where) == (303, "/sign-in") if not role else status == 403
            if page.path == "/sign-out" or page.path.endswith("everywhere"):  # whose answer leads there too
                turned_away = turned_away and not (role and where)
            if turned_away is (letter in MAY[named(page)]) or status in (500, 502):
                wrong.append(f"{named(page)} as {role or 'nobody'}: {status} {where}")
    return wrong


def test_every_page_is_in_the_table_once() -> None:
    there = [named(page) for page in ROUTES]
    assert sorted(there) == sorted(set(there)), "two pages at one address"
    assert set(there) == set(MAY)


def test_every_cell(tmp_path: Path) -> None:
    assert wrong_cells(Office(tmp_path, ROUTES, TABS), ROUTES) == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_page_with_the_wrong_roles_is_found(tmp_path: Path, method: str) -> None:
    """The control: each page in turn is open to a role too many, or to one too few."""
    for place, page in enumerate(ROUTES):
        if page.method != method or place % 3:
            continue
        folder = tmp_path / str(place)
        folder.mkdir()
        wider = page._replace(roles=roles.ANYONE)
        narrower = page._replace(roles=page.roles - {"admin"})
        other = narrower if page.roles == roles.ANYONE else wider
        assert wrong_cells(Office(folder, [other], TABS), [other]), named(page)


def foreign_forms_taken(office: Office) -> list[str]:
    """Every form that is answered without the session's token, with another's, from a foreign page, or from one that
    says nothing of where it is."""
    other, taken = office.client("admin", name="other"), []
    for page in (page for page in ROUTES if page.method == "POST"):
        role = next(LETTERS[letter] for letter in MAY[named(page)] if letter != "-")
        for how in ({"csrf": False}, {"origin": "https://elsewhere.example"}, {"origin": ""}, {"origin": "null"}):
            if ask(office.client(role), page, **how)[0] != 403:
                taken.append(f"{named(page)} {how}")
        client = office.client(role)
        client.csrf = other.csrf
        if ask(client, page)[0] != 403:
            taken.append(f"{named(page)} with another's token")
        if ask(office.client(), page, origin="https://elsewhere.example")[0] != 403:
            taken.append(f"{named(page)} as nobody")
    return taken


def test_every_form_must_be_ours(tmp_path: Path) -> None:
    assert foreign_forms_taken(Office(tmp_path, ROUTES, TABS)) == []


def test_a_door_that_takes_foreign_forms_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    office, posts = Office(tmp_path, ROUTES, TABS), sum(page.method == "POST" for page in ROUTES)
    with monkeypatch.context() as broken:
        broken.setattr(app, "_own", lambda ask: True)
        assert len(foreign_forms_taken(office)) == 2 * posts
    monkeypatch.setattr(gate, "_from_itself", lambda scope, own: True)
    assert len(foreign_forms_taken(office)) > 3 * posts


def test_who_owes_a_second_proof_gets_no_further(tmp_path: Path) -> None:
    office = Office(tmp_path, ROUTES, TABS)
    for role in roles.ROLES:
        office.client(role)
    with office.desk() as desk:
        desk.run("UPDATE account SET totp = ''")
    for page in ROUTES:
        for letter in MAY[named(page)].replace("-", ""):
            role = LETTERS[letter]
            held = role in ("admin", "manager", "auditor") and not page.path.startswith(("/me", "/sign-out"))
            led = ask(office.client(role), page)[1] == "/me/second"
            assert led is held, f"{named(page)} as {role}"


def test_a_second_proof_that_is_only_offered_holds_nobody_up(tmp_path: Path) -> None:
    office = Office(tmp_path, ROUTES, TABS, more='[web]\nsecond_proof = "offered"\n')
    office.client("manager")
    with office.desk() as desk:
        desk.run("UPDATE account SET totp = ''")
    assert office.client("manager").get("/me").status_code == 200
    assert ask(office.client("manager"), next(page for page in ROUTES if page.path == "/log"))[0] == 403
    assert office.client("manager").get("/people").headers.get("location") != "/me/second"
