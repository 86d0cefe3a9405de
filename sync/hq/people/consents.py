"""Consents: who agreed to what, when, on hearing which words; and the WhatsApp list, which people send to by hand.

Rules of this room
- The ledger is append only: what is shown here was written by a box. A consent is good while its caller has not opted
  out, nor later answered the same question with no (where consent is asked, only that is an answer); after half a year
  without a newer one it is asked for again, not used.
- Nothing here sends anything. A link to a chat holds a number: it is made only for who has said why, and it stands in
  no address of ours.
"""

from __future__ import annotations

from typing import NamedTuple

from sync.hq.people import suppression
from sync.hq.people.lists import STALE_MS
from sync.hq.sql import Db, Row

MOST = 500
_PURPOSES = (
    "SELECT purpose, count(*) AS n, count(DISTINCT caller) AS callers, max(at_ms) AS last_ms FROM consent"
    " WHERE caller <> '' GROUP BY purpose ORDER BY purpose"
)
_NEWEST = """
SELECT told.*, CASE WHEN EXISTS (
    SELECT 1 FROM answer WHERE answer.caller = told.caller AND answer.node = told.node
    AND answer.campaign = told.campaign AND answer.at_ms > told.at_ms
) THEN 1 ELSE 0 END AS withdrawn FROM (
    SELECT store_id, seq, caller, campaign, at_ms, language, node, purpose, wording, channel, evidence,
        row_number() OVER (PARTITION BY caller ORDER BY at_ms DESC, store_id DESC, seq DESC) AS place
    FROM consent WHERE purpose = :purpose AND caller <> ''
) AS told WHERE place = 1 ORDER BY at_ms DESC, store_id, seq
"""
COLUMNS = ("number", "purpose", "campaign", "at", "language", "wording", "channel", "evidence", "thing")


class Ledger(NamedTuple):
    """Consents to one purpose, each caller's newest: `good` may be used, the rest is counted."""

    good: list[Row]
    stopped: int
    withdrawn: int
    stale: int
    erased: int


def purposes(events: Db) -> list[Row]:
    return events.rows(_PURPOSES)


def ledger(events: Db, desk: Db, secret: bytes, purpose: str, now_ms: int) -> Ledger:
    """Who may be written to for that purpose now."""
    stopped = {row["hash"] for row in desk.rows("SELECT hash FROM suppressed")}
    good: list[Row] = []
    out = {"stopped": 0, "withdrawn": 0, "stale": 0, "erased": 0}
    for row in events.rows(_NEWEST, purpose=purpose):
        if not row["caller"].startswith("+"):
            out["erased"] += 1
        elif suppression.keyed(secret, row["caller"]) in stopped:
            out["stopped"] += 1
        elif row["withdrawn"]:
            out["withdrawn"] += 1
        elif row["at_ms"] <= now_ms - STALE_MS:
            out["stale"] += 1
        else:
            good.append(row)
    return Ledger(good, **out)


def chat(caller: str) -> str:
    """What a person clicks to open a chat with this number in WhatsApp."""
    return f"https://wa.me/{caller.lstrip('+')}"
