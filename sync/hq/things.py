"""How a thing is named at headquarters: `<store>-<seq>`, its ledger's name and its first row there, as exports and the
names of recordings have it. A name tells nobody's number, so it may stand in an address and in the log.
"""

from __future__ import annotations

import re

from sync.hq.sql import Db

_NAME = re.compile(r"([0-9a-f]{8})-([0-9]{1,15})")


def find(events: Db, name: str) -> tuple[int, int] | None:
    """The thing of that name: its ledger's number and its row; None when there is no such ledger."""
    named = _NAME.fullmatch(name.strip().lower())
    store_id = events.value("SELECT id FROM store WHERE store = :store", store=named[1]) if named else None
    return (int(store_id), int(named[2])) if named and store_id is not None else None


def ledgers(events: Db) -> dict[int, str]:
    """The name of every ledger, by its number."""
    return {row["id"]: row["store"] for row in events.rows("SELECT id, store FROM store")}


def name(events: Db, store_id: int, seq: int) -> str:
    """The name of one thing."""
    return f"{events.value('SELECT store FROM store WHERE id = :id', id=store_id) or ''}-{seq}"
