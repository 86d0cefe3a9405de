"""Every page of headquarters and the navigation between them, put together in one place."""

from __future__ import annotations

from sync.hq.pages import desk, desk_answers
from sync.hq.pages.ask import Page, Tab

ROUTES: list[Page] = [*desk.ROUTES, *desk_answers.ROUTES]

TABS: list[Tab] = [*desk.TABS]
