"""What is old is let go: sound after some days, and who a row is about after a time without a word from her.

Rules of this room
- `[retention]` of hq.toml says how long; the profile's least time binds. Counts stay, as with an erasure.
- Somebody is forgotten when nothing was heard of her for `events_days`; while she still calls, her rows stay whole.
- The receiver does it, a little at a time, in transactions of its own. The page shows beforehand what is due.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import NamedTuple

from sync.hq.people import erasure
from sync.hq.people.profiles import DAY_MS, Retention
from sync.hq.sql import Db

SOUNDS, CALLERS = 200, 2000  # let go of in one transaction
_OLD_SOUND = (
    "SELECT f.store_id AS store_id, f.seq AS seq FROM recording AS r JOIN recording_file AS f"
    " ON f.store_id = r.store_id AND f.seq = r.seq WHERE r.at_ms < :before AND f.bytes > 0 ORDER BY r.at_ms"
)
_CALLERS = "SELECT caller FROM event WHERE caller LIKE '+%' GROUP BY caller HAVING max(at_ms) < :before"

_OLD_OUTCOMES = "SELECT DISTINCT caller FROM outcome WHERE caller LIKE '+%' AND at_ms < :before"


class Due(NamedTuple):
    """What is to go now: recordings with sound, and callers; and from before when."""

    sounds: int
    callers: int
    sounds_before_ms: int
    callers_before_ms: int


def due(events: Db, kept: Retention, now_ms: int) -> Due:
    """What the next runs will let go; nothing is touched. It reads all rows: not for a page that opens often."""
    before, sounds = _before(kept, now_ms), events.rows(_OLD_SOUND, before=now_ms - kept.audio_days * DAY_MS)
    callers = events.value(f"SELECT count(*) FROM ({_CALLERS}) AS old", before=before)
    return Due(len(sounds), int(callers or 0), now_ms - kept.audio_days * DAY_MS, before)


def is_old(events: Db, kept: Retention, now_ms: int) -> bool:
    """Can anything be due? It looks at no row."""
    day = (now_ms - min(kept.audio_days, max(kept.events_days, kept.law.keep_days)) * DAY_MS) // DAY_MS
    return events.value("SELECT 1 FROM tally WHERE day <= :day LIMIT 1", day=day) is not None


def let_go(events: Db, data: Path, kept: Retention, now_ms: int) -> tuple[int, int]:
    """Let go of some of what is due: how many recordings, how many callers. For the receiver, now and then; the rest is
    for the next time. Raises what the store raises, and OSError."""
    old = events.rows(f"{_OLD_SOUND} LIMIT {SOUNDS}", before=now_ms - kept.audio_days * DAY_MS)
    if old:
        with events.transaction():
            for row in old:
                erasure.silence(events, data, row["store_id"], row["seq"], now_ms)
    callers = events.rows(f"{_CALLERS} LIMIT {CALLERS}", before=_before(kept, now_ms))
    if callers:
        with events.transaction():
            tokens = {row["caller"]: f"{erasure.TOKEN}{secrets.token_hex(8)}" for row in callers}
            erasure.erase(events, data, tokens, now_ms)
    return len(old), len(callers)


def tidy(desk: Db, kept: Retention, now_ms: int) -> int:
    """The same for what the desk has written, within the caller's transaction; how many rows. An outcome keeps its
    place in the counts of its goal, but nobody can tell any more whose it was; who opted out stays known."""
    before = _before(kept, now_ms)
    done = 0
    for row in desk.rows(_OLD_OUTCOMES, before=before):
        change = "UPDATE outcome SET caller = :token, note = '' WHERE caller = :caller AND at_ms < :before"
        token = f"{erasure.TOKEN}{secrets.token_hex(8)}"
        done += desk.run(change, token=token, caller=row["caller"], before=before)
    old = "(SELECT id FROM follow WHERE changed_ms < :before)"
    desk.run(f"DELETE FROM follow_note WHERE follow_id IN {old}", before=before)
    done += desk.run("DELETE FROM follow WHERE changed_ms < :before", before=before)
    return done + desk.run("UPDATE orders SET args = '{}' WHERE made_ms < :before AND args <> '{}'", before=before)


def _before(kept: Retention, now_ms: int) -> int:
    return now_ms - max(kept.events_days, kept.law.keep_days) * DAY_MS
