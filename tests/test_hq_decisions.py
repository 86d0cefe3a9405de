"""From a file of outcomes to a figure, in a real browser: what people did comes in, and conversion changes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from sync.hq import stores
from sync.hq.doors import sessions
from tests.browser import chromium, served, shown
from tests.looks import furnished

__all__ = ["chromium"]  # a fixture, used by name

pytestmark = pytest.mark.browser


def conversion(page: Any, address: str) -> tuple[float, int]:
    """Registered of those who rang for water in the last seven days: the share in per cent, and of how many."""
    page.goto(f"{address}/numbers?campaign=water")
    row = page.locator("tr", has_text="Conversion: registered")
    found = re.search(r"([0-9.]+) %", row.inner_text())
    assert found
    return float(found[1]), int(row.locator("td").last.inner_text().replace(",", ""))


def test_outcomes_come_in_and_conversion_changes(tmp_path: Path, chromium: Any) -> None:
    office = furnished(tmp_path)
    with stores.events(office.config) as events:
        callers = events.rows(
            "SELECT DISTINCT caller FROM event WHERE kind = 'call' AND campaign = 'water' AND caller <> '' LIMIT 600"
        )
    file = tmp_path / "registered.csv"
    file.write_text("number,at\n" + "".join(f"{row['caller']},2026-09-21\n" for row in callers))
    cookie = (sessions.COOKIE, office.client("manager").secret)
    with served(office.gate) as address, shown(chromium, f"{address}/numbers", cookie=cookie) as page:
        before, asked = conversion(page, address)
        assert before == 0 and asked > len(callers) > 100
        page.goto(f"{address}/outcomes")
        page.get_by_label("File", exact=True).set_input_files(file)
        page.get_by_label("Campaign").select_option("water")
        page.get_by_label("Goal of rows that name none").select_option("registered")
        page.get_by_role("button", name="Send").click()
        page.wait_for_selector(f"text={len(callers)} taken, 0 known already, 0 refused")
        after, of = conversion(page, address)
        assert of == asked and after == pytest.approx(100 * len(callers) / asked, abs=0.06)
