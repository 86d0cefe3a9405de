"""Every page of headquarters and the navigation between them, put together in one place."""

from __future__ import annotations

from sync.hq.pages import accounts, doors
from sync.hq.pages.ask import Page, Tab

ROUTES: list[Page] = [
    *doors.ROUTES,
    *accounts.ROUTES,
]

TABS: list[Tab] = [
    *accounts.TABS,
]
