"""The desk in a real browser, by keyboard alone: a grievance from the inbox until its caller says that it is well.

`python -m tests.test_hq_desk_browser docs/desk.png docs/desk-thing.png` takes the pictures of the documentation.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sync.hq.doors import sessions
from tests.browser import ARGUMENTS, CHROMIUM, DESK, PHONE, chromium, scrolls_sideways, served, shown
from tests.desk import CALLER, HOUR_MS, OTHER, Desk
from tests.test_hq_desk_answers import opus

__all__ = ["chromium", "opus"]  # fixtures, used by name

pytestmark = pytest.mark.browser


@contextmanager
def signed_in(chromium: Any, desk: Desk, where: str = "/desk", **more: Any) -> Iterator[Any]:
    """A page of the desk, in the browser of somebody who works there."""
    cookie = (sessions.COOKIE, desk.client.secret)
    with served(desk.office.gate) as home, shown(chromium, home + where, cookie=cookie, **more) as page:
        yield page


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, "sqlite")


def _filled(desk: Desk, sound: bytes) -> int:
    """A desk with some of everything; the row of its oldest case."""
    boxes, now = desk.boxes, desk.now_ms
    spoken = boxes.take(at_ms=now - 23 * HOUR_MS, is_case=True)
    case = boxes.case(at_ms=now - 23 * HOUR_MS, said=spoken)
    boxes.case(OTHER, at_ms=now - 26 * HOUR_MS, reference="2089123", tags="road")
    voice = boxes.take(OTHER, at_ms=now - 2 * HOUR_MS, tags="support")
    boxes.letter("हमारे गाँव में तीन दिन से पानी नहीं आया है।", "+919812345222", at_ms=now - HOUR_MS)
    for take in (spoken, voice):
        boxes.sound(take, sound)
    return case


def arrives(page: Any, what: str) -> None:
    """Wait until a page with this in it is whole: before, no key is heard."""
    page.wait_for_selector(what)
    page.wait_for_load_state()


def test_resolving_a_grievance_by_keyboard_alone(chromium: Any, desk: Desk, opus: bytes) -> None:
    case = _filled(desk, opus)
    name = f"aaaaaaaa-{case}"
    with signed_in(chromium, desk) as page:
        keys = page.keyboard
        for _ in range(3):  # the newest two are a letter and a recording
            keys.press("j")
        assert page.evaluate("document.activeElement.getAttribute('href')") == f"/desk/thing/{name}"
        keys.press("Enter")
        page.wait_for_url(f"**/desk/thing/{name}")
        assert "left" in page.inner_text(".one") and page.locator(".one svg path").count() == 1
        for key, state in (("a", "assigned"), ("c", "contacted"), ("r", "resolved")):
            keys.press(key)
            arrives(page, f".one .pill:has-text('{state}')")
        keys.press("t")
        keys.type("pump")
        keys.press("Enter")
        arrives(page, ".tag.hand:has-text('pump')")
        desk.boxes.says(case, "verified")
        page.reload()
        arrives(page, ".one .pill:has-text('verified')")
        keys.press("/")
        keys.type("पानी")
        keys.press("Enter")
        arrives(page, "text=तीन दिन")
        assert "q=" not in page.url and page.url.endswith("/desk/search")
    told = [(row["who"], row["did"], row["what"]) for row in desk.office.audit()]
    assert told == [
        ("asha", "desk: assign", name), ("asha", "desk: contacted", name), ("asha", "desk: resolved", name),
        ("asha", "desk: tag", f"{name} pump"),
    ]  # fmt: skip
    states = [json.loads(row["args"])["state"] for row in desk.rows("SELECT args FROM orders ORDER BY number")]
    assert states == ["assigned", "contacted", "resolved"]


def test_rows_are_chosen_and_moved_by_keyboard(chromium: Any, desk: Desk, opus: bytes) -> None:
    _filled(desk, opus)
    with signed_in(chromium, desk) as page:
        for key in ("j", "x", "j", "j", "x", "k", "?"):
            page.keyboard.press(key)
        assert page.locator("[data-keys]").evaluate("part => part.open")
        page.keyboard.press("a")
        arrives(page, "text=2 done.")
        assert sorted(row["state"] for row in desk.rows()) == ["assigned", "assigned", "new", "new"]
        page.keyboard.press("j")
        page.keyboard.press("t")
        page.keyboard.type("urgent")
        page.keyboard.press("Enter")
        arrives(page, ".tag.hand:has-text('urgent')")


def test_a_text_is_counted_while_it_is_written(chromium: Any, desk: Desk, opus: bytes) -> None:
    case = _filled(desk, opus)
    with signed_in(chromium, desk, f"/desk/thing/aaaaaaaa-{case}") as page:
        page.fill("#text", "आपकी शिकायत " * 8)
        page.wait_for_selector("[data-cost]:has-text('2 SMS in another script')")
        page.fill("#text", "We are on it. Reply STOP to end.")
        page.wait_for_selector("[data-cost]:has-text('1 SMS in Latin letters')")


def _serious(page: Any) -> list[str]:
    """What axe-core finds serious or critical."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {node['html'][:120]}"
        for each in found
        for node in each["nodes"]
        if each["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "dark"), (DESK, "light")])
def test_it_fits_and_can_be_used_by_all(
    chromium: Any, desk: Desk, opus: bytes, size: dict[str, int], scheme: str
) -> None:
    case = _filled(desk, opus)
    desk.client.post("/desk/texts", {"text_name": "thanks", "language": "en", "text": "Thank you", "version": "-1"})
    desk.client.get("/desk")
    desk.client.post("/desk/tag", {"name": f"aaaaaaaa-{case}", "tag": "pump"})
    for where in ("/desk", "/desk?overdue=1", f"/desk/thing/aaaaaaaa-{case}", "/desk/texts", "/desk/wave"):
        with signed_in(chromium, desk, where, size=size, scheme=scheme) as page:
            assert not scrolls_sideways(page), where
            assert _serious(page) == [], where
            page.evaluate("document.querySelector('h2').setAttribute('role', 'nonsense')")
            assert _serious(page) != []  # the control


def test_no_key_leads_where_it_should_not_without_a_number(chromium: Any, desk: Desk) -> None:
    desk.boxes.case()
    with signed_in(chromium, desk) as page:
        page.keyboard.press("r")  # no row is meant: nothing is pressed
        page.keyboard.press("j")
        page.keyboard.press("r")
        page.wait_for_selector("text=1 cannot make this move")
        assert CALLER not in page.content()
    assert desk.office.audit() == []


if __name__ == "__main__":
    from playwright.sync_api import sync_playwright

    inbox_png, thing_png = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as started:
        picture = Desk(Path(folder), "sqlite")
        number = _filled(picture, Path(sys.argv[3]).read_bytes() if len(sys.argv) > 3 else b"")
        browser = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for png, at in ((inbox_png, "/desk"), (thing_png, f"/desk/thing/aaaaaaaa-{number}")):
            with signed_in(browser, picture, at) as shot:
                shot.screenshot(path=png, full_page=True)
        browser.close()
