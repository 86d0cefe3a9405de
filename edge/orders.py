"""What headquarters asks of a line: read from the uplink's file, answered by an event in the line's own ledger.

The uplink has checked each order before it wrote it. An order may be read again after a restart, also one that was
carried out: whoever obeys looks first whether its ledger has answered that number of headquarters' (`hq`), and
answers each, so that headquarters stops repeating it.

    call-back   {"number", "campaign"}   place a call, if the rules let it go
    case        {"reference", "state"}   a grievance of this box stands so now
    sms         {"number", "campaign", "text", "language"}   write this to a caller of this box, if the rules let it go
    opt-out     {"number"}               she wants nothing more, of any campaign
    refuse      {"why"}                  headquarters asked for what is no order here: answer `refused` with `why`
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

MOST = 100


@dataclass(frozen=True, slots=True)
class Order:
    """One order. `id` grows in the order of arrival on this box; `hq` is headquarters' number for it, to be answered;
    `made_ms` is when headquarters gave it, by its clock."""

    id: int
    hq: int
    verb: str
    args: dict[str, str] = field(repr=False)
    made_ms: int = 0


def newest(data: Path, line: str) -> int:
    """The highest number of headquarters' that this box has been given for `line`; 0 when there is none."""
    return max((order.hq for order in pending(data, line)), default=0)


def pending(data: Path, line: str, after_id: int = 0) -> list[Order]:
    """Headquarters' orders for `line` behind `after_id`, oldest first; of very many the newest `MOST`, which is more
    than headquarters has under way at once. Never raises: a file that is not there, or is being made, or is spoilt,
    orders nothing."""
    file = data / "uplink.db"
    if not file.exists():
        return []
    query = (
        "SELECT id, hq, verb, args, made_ms FROM orders WHERE hq IS NOT NULL AND line = ? AND id > ?"
        f" ORDER BY id DESC LIMIT {MOST}"
    )
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=1)) as db:
            found = db.execute(query, (line, after_id)).fetchall()
        return [Order(id, hq, verb, json.loads(args), made_ms) for id, hq, verb, args, made_ms in reversed(found)]
    except (sqlite3.Error, ValueError):
        return []
