"""The one way to a whole number: by a role that may, for a reason, slowly, and written down before it is shown.

Rules of this room
- The log names the thing (`<store>-<seq>`), who and why, never the number. If the log cannot be written, nothing is
  shown.
- An account reveals 60 an hour and 300 a day at most, counted in the log itself.
- A volunteer reveals only what is on her own list: `own` says what that is.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sync.hq import things
from sync.hq.doors.roles import REVEAL
from sync.hq.pages.ask import Ask, Refused
from sync.hq.sql import Db

DID = "revealed a number"
SHORTEST = 5  # characters of a reason
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
PER_HOUR, PER_DAY = 60, 300
_CALLER = "SELECT caller FROM event WHERE store_id = :store AND seq = :seq"
_SINCE = "SELECT count(*) FROM audit WHERE who = :who AND at_ms > :since AND did = :did"
_DIGITS = re.compile(r"\d(?:[ ().-]?\d){8,}")  # a date is none yet
_ERASED = "erased:"  # what an erasure leaves in a number's place

Own = Callable[[Ask, int, int], bool]


def nothing(ask: Ask, store: int, seq: int) -> bool:
    """The list of who has none."""
    return False


def reveal(ask: Ask, store: int, seq: int, reason: str, own: Own = nothing) -> str:
    """The number behind a thing, once the log says so. Raises Refused."""
    reason = " ".join(reason.split())
    thing = things.name(ask.events, store, seq)
    if ask.user.role not in REVEAL:
        raise Refused("Your role does not see whole numbers. Ask an admin.")
    if len(reason) < SHORTEST:
        raise Refused("Say in a few words why you need this number. The reason is kept in the log.")
    if _DIGITS.search(reason):
        raise Refused("A reason holds no telephone number: it is kept in the log.")
    if ask.user.role == "volunteer" and not own(ask, store, seq):
        raise Refused("This caller is not on your list.")
    number = str(ask.events.value(_CALLER, store=store, seq=seq) or "")
    if not number or number.startswith(_ERASED):
        raise Refused("No number is known here: it was withheld, or erased.")
    with ask.change(DID, thing, reason) as desk:
        desk.lock("audit")  # of two at once, one counts the other
        _slowly(desk, ask.user.name, ask.now_ms)
    return number


def _slowly(desk: Db, who: str, now_ms: int) -> None:
    for span_ms, most, words in (
        (HOUR_MS, PER_HOUR, "You have revealed 60 numbers within an hour. Go on in an hour, or ask for an export."),
        (DAY_MS, PER_DAY, "You have revealed 300 numbers within a day. Go on tomorrow, or ask for an export."),
    ):
        if desk.value(_SINCE, who=who, since=now_ms - span_ms, did=DID) >= most:
            raise Refused(words)
