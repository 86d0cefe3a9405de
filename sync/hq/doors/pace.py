"""How often one may try: the tries of a name and of an address, with a delay that grows and ends again.

Rules of this room
- A try is booked before it is looked at, in one transaction, so that a hundred at once count as a hundred.
- A name is counted as it was typed, whether or not there is such an account. Where an account last signed in from it
  has a count of its own there: who tries its name from elsewhere does not keep its owner out.
- No delay is longer than a quarter of an hour, and a refused try does not prolong it.
"""

from __future__ import annotations

import hashlib

from sync.hq.sql import Db

FREE = {"name": 5, "from": 20}  # tries without a delay
FIRST_MS, LONGEST_MS = 5_000, 15 * 60_000
FORGET_MS = 60 * 60_000  # after the last try
_BOOK = (
    "INSERT INTO pace (key, tries, at_ms, next_ms) VALUES (:key, :tries, :now, :next)"
    " ON CONFLICT (key) DO UPDATE SET tries = excluded.tries, at_ms = excluded.at_ms, next_ms = excluded.next_ms"
)


def key(kind: str, *parts: str) -> str:
    """What is counted: `kind` of FREE, and a name, or an address, or both."""
    return f"{kind}:{hashlib.sha256(repr(parts).encode()).hexdigest()}"


def book(desk: Db, keys: list[str], now_ms: int) -> int:
    """Book a try; 0, or for how many milliseconds none is let through (then it is not booked)."""
    with desk.transaction():
        desk.lock("pace")
        desk.run("DELETE FROM pace WHERE at_ms < :old", old=now_ms - FORGET_MS)
        rows = {each: desk.row("SELECT tries, next_ms FROM pace WHERE key = :key", key=each) for each in keys}
        wait = max((row["next_ms"] - now_ms for row in rows.values() if row), default=0)
        if wait > 0:
            return min(int(wait), LONGEST_MS)  # also when the clock was set back
        for each, row in rows.items():
            tries = (row["tries"] if row else 0) + 1
            delay = delay_ms(each, tries)
            desk.run(_BOOK, key=each, tries=tries, now=now_ms, next=now_ms + delay if delay else 0)
    return 0


def forgive(desk: Db, keys: list[str]) -> None:
    """The try was good: the name's are forgotten, the address's lose this one."""
    for each in keys:
        if each.startswith("name:"):
            desk.run("DELETE FROM pace WHERE key = :key", key=each)
        else:
            desk.run("UPDATE pace SET tries = tries - 1 WHERE key = :key AND tries > 0", key=each)


def delay_ms(key: str, tries: int) -> int:
    """How long after that many tries the next one has to wait."""
    beyond = tries - FREE[key.partition(":")[0]]
    return 0 if beyond < 0 else min(LONGEST_MS, FIRST_MS * 2 ** min(beyond, 20))
