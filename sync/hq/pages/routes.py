"""Every page of headquarters and the navigation between them, put together in one place."""

from __future__ import annotations

from sync.hq.pages import accounts, desk, desk_answers, doors, numbers, overview, people
from sync.hq.pages.ask import Page, Tab

ROUTES: list[Page] = [
    *overview.ROUTES,
    *numbers.ROUTES,
    *desk.ROUTES,
    *desk_answers.ROUTES,
    *people.ROUTES,
    *doors.ROUTES,
    *accounts.ROUTES,
]

TABS: list[Tab] = [
    *overview.TABS,
    *numbers.TABS,
    *desk.TABS,
    *people.TABS,
    *accounts.TABS,
]
