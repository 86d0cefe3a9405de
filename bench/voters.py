"""Made-up callers and ledgers for measuring the road: the same seed gives the same rows.

Numbers come from 300 four-digit series of one country, chosen as often as Zipf's law with exponent 0.7 says, times a
million tails; one call in ten is somebody again, one in fifty hides the number; gaps are exponential.
"""

from __future__ import annotations

import json
import math
import random
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from edge.events import GENESIS, link

Row = tuple[int, int, str, str, int, int, int, str, str, str, str, int, str]

SERIES, TAILS, ZIPF, AGAIN, HIDDEN = 300, 10**6, 0.7, 0.10, 0.02
OUTCOMES = {"missed": 93, "gave-up": 6, "recovered": 1}
_BOOT, _BORN_MS = "5d1f0c9a7be34482", 1_790_000_000_000
_REPLY = "धन्यवाद! पानी के लिए आपकी आवाज़ दर्ज हुई। STOP लिखें बंद करने के लिए।"
_EXTRA = json.dumps({"direction": "out", "language": "hi", "parts": 2, "text": _REPLY}, ensure_ascii=False)


def rows(count: int, *, replies: bool = False, gap_ms: float = 2000, seed: int = 1) -> Iterator[Row]:
    """`count` rows of one ledger: calls only, or each call with its reply queued, begun and sent."""
    dice = random.Random(seed)
    series = dice.sample(range(6000, 10_000), SERIES)
    weights = [1 / rank**ZIPF for rank in range(1, SERIES + 1)]
    seq, mono, known = 0, 10_000_000, [""]
    while True:
        mono += round(dice.expovariate(1 / gap_ms))
        caller, kind, luck = "", "national", dice.random()
        if luck < HIDDEN:
            kind = "withheld"
        elif luck < HIDDEN + AGAIN:
            caller = dice.choice(known)
        else:
            caller = f"+91{dice.choices(series, weights)[0]}{dice.randrange(TAILS):06}"
            if len(known) < 10_000:
                known.append(caller)
        outcome = dice.choices(list(OUTCOMES), list(OUTCOMES.values()))[0]
        thing = [("call", 0, mono, "water", caller, kind, outcome, "")]
        if replies and caller:
            message = seq + 2
            thing.append(("message", 0, mono, "water", caller, kind, "queued", _EXTRA))
            thing.append(("message", message, mono + 60, "", "", "", "sending", ""))
            thing.append(("message", message, mono + 2600, "", "", "", "sent", ""))
        for what, of, at, campaign, number, number_kind, state, extra in thing:
            seq += 1
            yield seq, of, what, _BOOT, at, _BORN_MS + at, 3, campaign, number, number_kind, state, 0, extra
            if seq == count:
                return


def write_ledger(path: Path, store: str, box: str, line: str, events: Iterable[Row]) -> None:
    """A ledger as a line would have written it, in the columns that are read by others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
    db.execute(
        "CREATE TABLE event (seq INTEGER PRIMARY KEY, of INTEGER, kind TEXT, boot TEXT, mono_ms INTEGER,"
        " at_ms INTEGER, clock INTEGER, campaign TEXT, caller TEXT, caller_kind TEXT, state TEXT, seconds INTEGER,"
        " extra TEXT, chain BLOB)"
    )
    db.executemany("INSERT INTO meta VALUES (?,?)", [("store", store), ("box", box), ("line", line)])
    db.execute("PRAGMA user_version=1")
    append(db, GENESIS, events)
    db.close()


def append(db: sqlite3.Connection, chain: bytes, events: Iterable[Row]) -> bytes:
    """More rows, in one transaction; returns the chain digest after them."""

    def linked() -> Iterator[tuple[object, ...]]:
        nonlocal chain
        for row in events:
            chain = link(chain, row)
            yield *row, chain

    db.execute("BEGIN IMMEDIATE")
    db.executemany(f"INSERT INTO event VALUES ({','.join('?' * 14)})", linked())
    db.execute("COMMIT")
    return chain


def floor_bytes(gap_ms: float = 2000) -> float:
    """The entropy of one such call in bytes: what no format can go below, knowing the statistics by heart."""
    weights = [1 / rank**ZIPF for rank in range(1, SERIES + 1)]
    total = sum(weights)
    series = _entropy(weight / total for weight in weights)
    number = (1 - HIDDEN - AGAIN) * (series + math.log2(TAILS)) + AGAIN * math.log2(10_000)
    which = _entropy((HIDDEN, AGAIN, 1 - HIDDEN - AGAIN))
    time = math.log2(math.e * gap_ms)
    outcome = _entropy(weight / 100 for weight in OUTCOMES.values())
    return (number + which + time + outcome) / 8


def _entropy(chances: Iterable[float]) -> float:
    return -sum(chance * math.log2(chance) for chance in chances)
