"""How the pages of headquarters look and behave in a real browser: for everybody, on a phone, by keyboard, on paper.

Every page of the navigation and every other page that can be opened without a name in its address is looked at, so that
a new page is proved by being a route. Each check is shown a spoilt page too, which it must refuse.
`python -m tests.test_hq_looks FOLDER` takes the pictures of the documentation.
"""

from __future__ import annotations

import gzip
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin
from urllib.request import Request, urlopen

import pytest

from sync.hq.doors import sessions
from sync.hq.pages.ask import Page
from sync.hq.pages.routes import ROUTES
from tests.browser import DESK, PHONE, chromium, scrolls_sideways, served, shown, wait_for
from tests.hq import Office
from tests.looks import furnished

__all__ = ["chromium"]  # a fixture, used by name
pytestmark = pytest.mark.browser

FIRST_VIEW = 150 * 1024  # bytes, compressed
_NO_PAGE = ("/live", "/api/")  # parts of a page, and data
_SEEN = ("manager", "admin", "desk", "auditor", "fleet", "volunteer", "")  # whose eyes a page is looked at with
MORE = (
    "/numbers?against=before&period=own&from=2026-09-20&until=2026-09-21&district=nashik", "/numbers/by?by=day",
    "/numbers/by?by=box&sort=calls", "/numbers/by?district=nowhere", "/brief?week=2026-01-05",
)  # fmt: skip


def _eyes(page: Page) -> str:
    return next(role for role in _SEEN if role in page.roles)


LOOKED_AT = sorted({
    (page.path, _eyes(page)) for page in ROUTES
    if page.method == "GET" and not re.search(r"[{.]", page.path) and not page.path.startswith(_NO_PAGE)
})  # fmt: skip


class Place:
    """Furnished headquarters, served; `cookie` signs somebody in."""

    def __init__(self, office: Office, address: str) -> None:
        self.office, self.address = office, address

    def cookie(self, role: str, language: str = "en") -> tuple[str, str] | None:
        if not role:
            return None
        return sessions.COOKIE, self.office.client(role, name=f"{role}-{language}", language=language).secret

    def get(self, path: str, role: str = "manager") -> tuple[str, bytes]:
        name, value = self.cookie(role) or ("none", "")
        with urlopen(Request(urljoin(self.address, path), headers={"Cookie": f"{name}={value}"}), timeout=30) as answer:
            return answer.headers["content-type"], answer.read()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    office = furnished(tmp_path_factory.mktemp("looks"))
    with served(office.gate) as address:
        yield Place(office, address)


def findings(page: Any) -> list[str]:
    """What axe-core finds serious or critical."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:150] for node in one['nodes'][:3]]}"
        for one in found if one["impact"] in ("serious", "critical")
    ]  # fmt: skip


# ---------------------------------------------------------------------------------- for everybody


@pytest.mark.parametrize(("path", "role"), [*LOOKED_AT, *((path, "manager") for path in MORE)])
def test_a_page_is_for_everybody(place: Place, chromium: Any, path: str, role: str) -> None:
    """No serious finding of axe-core and no sideways scroll, on a phone and a desk, in light and dark; nothing is asked
    of another host, and the console stays empty."""
    with shown(chromium, urljoin(place.address, path), DESK, "light", place.cookie(role)) as page:
        assert page.locator("main").count() == 1 and page.locator("h1").count() == 1
        for size in (DESK, PHONE):
            page.set_viewport_size(size)
            assert not scrolls_sideways(page), size
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # no colour half way
                assert findings(page) == [], (size, scheme)


def test_the_pages_in_hindi_fit_too(place: Place, chromium: Any) -> None:
    for path in ("/", "/numbers", "/numbers/by?by=district", "/referendums", "/brief", "/definitions"):
        with shown(chromium, urljoin(place.address, path), PHONE, "light", place.cookie("manager", "hi")) as page:
            assert page.get_attribute("html", "lang") == "hi"
            assert not scrolls_sideways(page), path


def test_what_is_wrong_is_found(place: Place, chromium: Any) -> None:
    with shown(chromium, urljoin(place.address, "/numbers"), PHONE, "light", place.cookie("manager")) as page:
        page.evaluate("document.querySelector('label[for=f-period]').remove()")
        assert any(one.startswith(("select-name", "label")) for one in findings(page))
        page.evaluate("document.querySelector('.window').insertAdjacentHTML('beforeend', '<b>m</b>'.repeat(9))")
        page.evaluate("document.querySelector('.window').style.color = '#ddd'")
        assert any(one.startswith("color-contrast") for one in findings(page))
        page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<svg width=999></svg>')")
        assert scrolls_sideways(page)


# ------------------------------------------------------------------------------------ by keyboard

_FOCUS = """() => {
  const it = document.activeElement;
  const style = getComputedStyle(it);
  const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 1;
  return [it.tagName, it.textContent.trim().slice(0, 40), seen];
}"""


def walk(page: Any, steps: int = 120) -> list[tuple[str, str, bool]]:
    """Tab by tab through the page until it leaves it: element, its text, whether one sees that it has the focus."""
    seen: list[tuple[str, str, bool]] = []
    for _ in range(steps):
        page.keyboard.press("Tab")
        tag, text, visible = page.evaluate(_FOCUS)
        if tag == "BODY":
            break
        seen.append((tag, text, visible))
    return seen


@pytest.mark.parametrize("path", ["/", "/numbers", "/numbers/by?by=district", "/brief"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_the_whole_page_can_be_walked_by_keyboard(
    place: Place, chromium: Any, path: str, size: dict[str, int]
) -> None:
    with shown(chromium, urljoin(place.address, path), size, "light", place.cookie("manager")) as page:
        steps = walk(page)
        assert steps[0][1] == "Skip to the content"
        assert all(visible for _, _, visible in steps), [step for step in steps if not step[2]]
        words = [text for _, text, _ in steps]
        assert ("Menu" in words) == (size is PHONE) and ("Numbers" in words) == (size is DESK)
        assert len(steps) < 120, "the walk comes to an end"


def test_the_skip_link_leads_to_the_content_and_the_menu_opens(place: Place, chromium: Any) -> None:
    with shown(chromium, urljoin(place.address, "/numbers"), PHONE, "light", place.cookie("manager")) as page:
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        page.focus(".menu summary")
        page.keyboard.press("Enter")
        assert page.locator(".menu .tabs a", has_text="Brief").is_visible()
        assert page.locator(".menu [aria-current=page]").inner_text() == "Numbers"
        page.keyboard.press("Escape")
        assert not page.locator(".menu .tabs").is_visible()
        assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_a_focus_that_nobody_sees_is_found(place: Place, chromium: Any) -> None:
    with shown(chromium, urljoin(place.address, "/numbers"), DESK, "light", place.cookie("manager")) as page:
        page.evaluate("document.querySelector('.tabs a').style.outline = 'none'")
        assert not all(visible for _, _, visible in walk(page, 6))


def test_a_table_is_sorted_by_its_headings(place: Place, chromium: Any) -> None:
    address = urljoin(place.address, "/numbers/by?by=district")
    with shown(chromium, address, DESK, "light", place.cookie("manager")) as page:

        def column() -> list[int]:
            return [int(text.replace(",", "")) for text in page.locator("tbody td:nth-child(2)").all_inner_texts()]

        page.click("thead >> text=Calls")
        page.wait_for_selector("th[aria-sort=descending]")
        assert column() == sorted(column(), reverse=True) and len(column()) == 3
        page.click("thead >> text=Calls")
        page.wait_for_selector("th[aria-sort=ascending]")
        assert column() == sorted(column())
        page.click("tbody th a >> text=pune")
        page.wait_for_selector("#calls")
        assert "district=pune" in page.url and page.locator("#calls").inner_text() == "2,622"


# ------------------------------------------------------------------------------- weight and paper


def weight(place: Place, path: str, role: str = "manager") -> int:
    """Bytes of the page and all that it loads, each compressed."""
    _, body = place.get(path, role)
    loaded = re.findall(r'(?:href|src)="(/(?:static|hq)/[^"]+)"', body.decode())
    assert len(set(loaded)) >= 4
    return sum(len(gzip.compress(one, 6)) for one in (body, *(place.get(name)[1] for name in set(loaded))))


def test_the_first_view_is_light(place: Place) -> None:
    weights = {path: weight(place, path) for path in ("/", "/numbers", "/definitions", "/brief")}
    assert max(weights.values()) <= FIRST_VIEW, weights
    assert weights["/"] < 40 * 1024, weights
    assert min(weights.values()) > 4 * 1024, "something was weighed"


def test_a_page_on_paper_has_its_stamp_and_date_and_no_navigation(place: Place, chromium: Any) -> None:
    for path in ("/", "/numbers", "/brief", "/referendums"):
        with shown(chromium, urljoin(place.address, path), DESK, "dark", place.cookie("manager")) as page:
            assert page.locator(".tabs").first.is_visible() and not page.locator(".made").is_visible()
            page.emulate_media(media="print")
            assert not any(page.locator(gone).first.is_visible() for gone in (".tabs", ".menu", ".me", ".filters"))
            assert page.locator("#stamp").is_visible()
            assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC by manager-en", page.locator(".made").inner_text())
            paper = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--paper')")
            assert paper == "#fff", "ink on white, in the dark too"


# ------------------------------------------------------------------------------------ the pictures


def pictures(folder: Path, scratch: Path) -> None:
    from playwright.sync_api import sync_playwright

    from tests.browser import ARGUMENTS, CHROMIUM

    office = furnished(scratch)
    with sync_playwright() as started, served(office.gate) as address:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        place = Place(office, address)
        for name, path, size, scheme in (
            ("hq", "/", {"width": 1100, "height": 1330}, "light"),
            ("hq-numbers", "/numbers?against=before", {"width": 1100, "height": 1200}, "light"),
            ("hq-brief", "/brief", {"width": 1100, "height": 1000}, "light"),
            ("hq-phone", "/", {"width": 360, "height": 780}, "dark"),
        ):
            with shown(browser, urljoin(address, path), size, scheme, place.cookie("manager")) as page:
                if path == "/":
                    wait_for(lambda page=page: page.inner_text("#callers") not in ("…", ""))
                page.screenshot(path=str(folder / f"{name}.png"))
        browser.close()


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        pictures(Path(sys.argv[1]), Path(scratch))
