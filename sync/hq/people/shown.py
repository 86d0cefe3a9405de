"""How people are shown: masked numbers, things by their names, times of the place."""

from __future__ import annotations

from datetime import datetime, tzinfo

from edge import numbers
from sync.hq.people import invitations, lists, outcomes, sheet
from sync.hq.people.profiles import PROFILES

GONE = "erased"  # in place of the number of a request that has forgotten hers
SOURCES = {"key": "by key", "sms": "by SMS", "desk": "by the desk", "line": "of the line", "": "not known"}
ASKED = {"consent": "agreed by key", "sms": "asked by SMS", "desk": "put here by the desk"}
# what pages of people say and does not stand in a template or a call: for the catalogues
TEXTS = (
    GONE, "withheld", *SOURCES.values(), *ASKED.values(), *outcomes.GOALS, *lists.STATES, *invitations.LISTED,
    *sheet.WRONG, *outcomes.WRONG, *(profile.name for profile in PROFILES.values()),
)  # fmt: skip


def who(caller: str) -> str:
    """A number for a page: its last digits; of somebody who was forgotten, nothing."""
    return numbers.mask(caller) if caller.startswith("+") else GONE if caller else "withheld"


def day(at_ms: int, zone: tzinfo) -> str:
    return datetime.fromtimestamp(at_ms / 1000, zone).strftime("%Y-%m-%d")


def minute(at_ms: int, zone: tzinfo) -> str:
    return datetime.fromtimestamp(at_ms / 1000, zone).strftime("%Y-%m-%d %H:%M")
