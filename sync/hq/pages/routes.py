"""Every page of headquarters and the navigation between them, put together in one place."""

from __future__ import annotations

from sync.hq.pages import people
from sync.hq.pages.ask import Page, Tab

ROUTES: list[Page] = [
    *people.ROUTES,
]

TABS: list[Tab] = [
    *people.TABS,
]
