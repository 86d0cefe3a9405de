"""What is sent to callers from the desk: texts, what they cost, what must not be in them, and the orders for them.

Rules of this room
- A text costs as many SMS as `edge.sms` counts; more than one is refused unless its sender says so with open eyes.
- A phone is often shared: no text may tell the caller's grievance, choice or party. It has one gap only, {reference},
  and none of the words that her keys or the desk's hands have tagged the thing with, nor what she answered.
- Everything goes through the box and the line that took the call, as an order: that line's own rules say whether it may
  go, and when.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from edge import sms
from sync import orders as vocabulary
from sync.hq.desk import act, search
from sync.hq.sql import Db, Row

REFERENCE = "{reference}"
LONGEST = 600  # characters of a text
_TRUE_LENGTH = "0" * 7  # what a box puts in place of {reference}
_GAP = re.compile(r"\{[^}]*\}?|\}")
_OPTED_OUT = "SELECT 1 FROM optout WHERE caller = :caller AND caller <> '' LIMIT 1"
_SAID = "SELECT DISTINCT value FROM answer WHERE caller = :caller AND caller <> '' LIMIT 50"
_SENT = "INSERT INTO desk_sent (caller, thing, wave, at_ms) VALUES (:caller, :thing, :wave, :now)"
_KEEP = """
INSERT INTO desk_text (name, language, words, by, changed_ms) VALUES (:name, :language, :words, :by, :now)
ON CONFLICT (name, language) DO UPDATE SET words = excluded.words, by = excluded.by, changed_ms = excluded.changed_ms,
    version = desk_text.version + 1 WHERE desk_text.version = :version
"""


class Unsendable(Exception):
    """This is not sent; the text says why and what to do, and holds no number."""


class Cost(NamedTuple):
    """`parts` SMS; `units` characters as the network counts them, `left` in the last of them; `plain` is the small
    alphabet of 160."""

    parts: int
    units: int
    left: int
    plain: bool


def cost(text: str, reference: str = "") -> Cost:
    """What a text costs, its gap filled."""
    size = sms.count(filled(text, reference or _TRUE_LENGTH))
    return Cost(size.parts, size.units, size.left, size.alphabet == "gsm7")


def filled(text: str, reference: str) -> str:
    return text.replace(REFERENCE, reference)


def check(text: str, tags: Iterable[str] = (), reference: str | None = None, longer: bool = False) -> None:
    """Raises `Unsendable` for a text that must not go. `tags`: what it must not tell; `reference`: of the case it goes
    to, "" when there is none, None for a text that is only kept."""
    if not text.strip():
        raise Unsendable("The text is empty.")
    if len(text) > LONGEST:
        raise Unsendable("The text is too long: an SMS is read, not studied.")
    if any(gap != REFERENCE for gap in _GAP.findall(text)):
        raise Unsendable("The only gap that a text may have is {reference}: nothing else about a caller goes by SMS.")
    if reference == "" and REFERENCE in text:
        raise Unsendable("There is no case here, so no {reference}: choose a text without it.")
    said = set(search.words(text))
    for tag in tags:
        told = [word for word in search.words(tag) if len(word) > 2]
        if told and all(word in said for word in told):
            raise Unsendable(
                "This text tells what the caller said or chose. Others may read her phone: leave that word out."
            )
    if not longer and cost(text, reference or "").parts > 1:
        raise Unsendable("This is more than one SMS. Shorten it, or write it in Latin letters; or tick that it may be.")


def telling(events: Db, caller: str, tags: Iterable[str]) -> list[str]:
    """What a text to this caller must not tell: the thing's tags, and her answers in votes and to invitations."""
    plain = {"yes", "no"}  # they tell nothing by themselves
    answers = [row["value"] for row in events.rows(_SAID, caller=caller)]
    return [*tags, *(value for value in answers if value not in plain)]


def opted_out(events: Db, caller: str) -> bool:
    """Does this caller want nothing more?"""
    return events.row(_OPTED_OUT, caller=caller) is not None


def opted_out_of(events: Db, callers: Iterable[str]) -> set[str]:
    """Those of these callers who want nothing more."""
    every, found = list(callers), set()
    for at in range(0, len(every), 500):
        some = {f"c{place}": caller for place, caller in enumerate(every[at : at + 500])}
        query = f"SELECT DISTINCT caller FROM optout WHERE caller IN ({', '.join(f':{name}' for name in some)})"
        found |= {row["caller"] for row in events.rows(query, some)}
    return found


def send(
    desk: Db, events: Db, row: Row, text: str, language: str, by: str, now_ms: int, order: act.Order,
    wave: int = 0, longer: bool = False,
) -> int:  # fmt: skip
    """Order an SMS to the caller of this thing; the order's number. Raises `Unsendable`, or what `order` raises."""
    caller = _reachable(events, row)
    tags = [each["tag"] for each in desk.rows("SELECT tag FROM desk_tag WHERE thing = :id", id=row["id"])]
    check(text, telling(events, caller, tags), row["reference"], longer)
    args = {"number": caller, "campaign": row["campaign"], "text": filled(text, row["reference"]), "language": language}
    if why := vocabulary.refusal("sms", act.packed(args)):
        raise Unsendable(f"This cannot be ordered: {why}.")
    number = order(row["box"], row["line"], "sms", args)
    act.record(desk, row["id"], by, "sms", now_ms, text, row["box"], number)
    desk.run(_SENT, caller=caller, thing=row["id"], wave=wave, now=now_ms)
    return number


def ring_back(desk: Db, events: Db, row: Row, by: str, now_ms: int, order: act.Order) -> int:
    """Order a call back to the caller of this thing; the order's number. Raises as `send` does."""
    caller = _reachable(events, row)
    number = order(row["box"], row["line"], "call-back", {"number": caller, "campaign": row["campaign"]})
    act.record(desk, row["id"], by, "call-back", now_ms, "", row["box"], number)
    return number


def _reachable(events: Db, row: Row) -> str:
    caller = str(row["caller"])
    if not caller.startswith("+"):
        raise Unsendable("This caller has no number that can be written to or rung.")
    if opted_out(events, caller):
        raise Unsendable("This caller wants nothing more from us: nothing is sent.")
    return caller


# ------------------------------------------------------------------------------------------- texts


def texts(desk: Db) -> list[Row]:
    """The texts that are kept, by name and language."""
    return desk.rows("SELECT * FROM desk_text ORDER BY name, language LIMIT 300")


def keep(desk: Db, name: str, language: str, text: str, version: int, by: str, now_ms: int, longer: bool) -> bool:
    """Keep a text under a name; False when somebody changed it since `version`. Raises `Unsendable`."""
    check(text, longer=longer)
    values = {"name": name, "language": language, "words": text.strip(), "by": by, "now": now_ms, "version": version}
    return bool(desk.run(_KEEP, values))


def drop(desk: Db, number: int) -> None:
    """Keep a text no longer."""
    desk.run("DELETE FROM desk_text WHERE id = :id", id=number)
