"""Every page of headquarters and the navigation between them, put together in one place."""

from __future__ import annotations

from sync.hq.pages import accounts, doors, numbers, overview
from sync.hq.pages.ask import Page, Tab

ROUTES: list[Page] = [
    *doors.ROUTES,
    *accounts.ROUTES,
    *overview.ROUTES,
    *numbers.ROUTES,
]

TABS: list[Tab] = [
    *overview.TABS,
    *numbers.TABS,
    *accounts.TABS,
]
