"""How people are shown: masked numbers, things by their names, times of the place."""

from __future__ import annotations

import re
from datetime import datetime, tzinfo

from edge import numbers

_THING = re.compile(r"([0-9a-f]{8})-([0-9]{1,15})")


def who(caller: str) -> str:
    """A number for a page: its last digits; of somebody who was forgotten, nothing."""
    return numbers.mask(caller) if caller.startswith("+") else "erased" if caller else "withheld"


def name(store_id: int, seq: int) -> str:
    """A thing's name, which tells nobody's number."""
    return f"{store_id:08x}-{seq}"


def thing(text: str) -> tuple[int, int] | None:
    """The thing of that name: its ledger's number, and its row."""
    found = _THING.fullmatch(text.strip().lower())
    return (int(found[1], 16), int(found[2])) if found else None


def day(at_ms: int, zone: tzinfo) -> str:
    return datetime.fromtimestamp(at_ms / 1000, zone).strftime("%Y-%m-%d")


def minute(at_ms: int, zone: tzinfo) -> str:
    return datetime.fromtimestamp(at_ms / 1000, zone).strftime("%Y-%m-%d %H:%M")
