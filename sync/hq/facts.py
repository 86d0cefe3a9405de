"""What rows of a ledger add to the roll-ups.  This text is the definition that the metrics quote.  Pure.

A thing is a first row (`of` = 0) and its amendments, in the order of their seq: later rows of the same kind that name
its seq. It counts where its first row lies: that row's store, campaign, and local day and hour (of `at_ms`, in the
zone of the box as `place` froze it; those of the quarter of an hour, UTC, in which it is). So a text queued before
midnight and delivered after it counts, as due, sent and delivered, on the day of the ring. "Now" is the newest state
that a row told; "ever" holds once a row told it. An amendment of nothing adds nothing. Language: the thing's own where
its rows tell one, else the line's. A caller has a number when her kind is international or national.

Calls. Ours are those whose first state is called-back or unreached; `selftest` is no call; all others were rung.
  calls, numbered, withheld   rung; of these with a number; of these kind withheld. (The rest: the network had none, the
                              modem told none, a short or an alphanumeric sender.)
  gave_up, recovered          rung, and now `gave-up`, `recovered`
  placed, placed_s            ours; their seconds
  tries_1..3, reached_1..3    ours, by `try` (3: third or later); of these now called-back
Talks (`talks`): a call of which a row says talked or called-back, or a step. In the talk's language: that of what was
left behind in it, else the line's.
  talked, reached             answered: rung by her; placed by us
  talk_s                      seconds of both
  goals                       answered, with a step `goal`
  beep_calls                  answered, with a step `record`
  first_prompt_lost           answered, ended hung-up, and nothing but connected and enter before
  listen_50, listen_75        reached and ended; of the nodes entered so many prompts were heard to their end
Letters out: message rows not told `in`. A reply is one whose row directly follows a row of kind call (that is how a box
writes it, with the ring's own stamp); its ring is its first row. What headquarters has ordered follows the order's row.
  letters                     all; sent, delivered, held: ever; failed, unknown, cancelled: now
  parts                       of those ever sent
  due, due_held               replies not cancelled now: never held; ever held (shown apart)
  within_60                   due, first `sent` at most 60 s after the ring
  received                    messages told `in`
Recordings.  beeps: takes begun.  recordings: ever kept.  yields: kept with >= 1 s of speech, or of sound where nobody
listened.
Others.  answers, cases, consents: their first rows.  optouts: rows of kind optout, under the campaign that the ledger
named last.
Latency, in the cell of the thing: reply, held-reply: ring to first `sent` of due and due_held. callback: first tries
that name a call: that call to the try. first-key: connected to the first key of an answered talk. case: opened_ms to
the first `contacted`. Within a boot by the monotonic clock, else by the wall's; never below 0.
Nodes (`node_tally`, by step): enter, heard, key, invalid, no-input, speech, end with hung-up, goal.
Rule 56 (`flagged`, `visits`): a caller with more than ten calls rung on one local day, wherever; her calls of that day.
Engagement (`acts`): offered is an answered talk, or a letter ever sent; acted is a step `key`, a message in, a yield,
or a listen_50; by caller and campaign, counted in the cell of the first offer.
Signs (`signs`): first rows of kind line, believed under a trusted clock. From one that says ready its line is up until
the ledger's next sign, at most 660 s later in the same boot. In `service`, by box, district and its local day:
  up                          minutes (UTC, of at_ms) in any part of which a line of the box was up, of those served
  served                      minutes from the box's first believed sign to its newest one, without that one's minute
Votes (`votes`): answer rows but the no to a consent (no issue of its own: value `no`, issue the node's id), and calls
rung on a campaign that is one option of an issue.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sync.hq import tables
from sync.wire import WireRow

OURS = ("called-back", "unreached")
NUMBERED = ("international", "national")
MOST_PARTS = 255  # of one message: 3GPP TS 23.040, 9.2.3.24.1. What a box says beyond that is no cost of anybody's
THINGS = ("call", "message", "recording", "case")  # kinds whose amendments change what they add
SPOKEN_MS = 1000
TRUSTED = 2  # a box's clock quality from which its time may be believed
QUARTER_MS, HOUR_MS, DAY_MS = 900_000, 3_600_000, 86_400_000
C = {name: place for place, name in enumerate(tables.TALLY)}
EPOCH = datetime(1970, 1, 1)

Extra = dict[str, object]


class Cell(NamedTuple):
    """Where a thing counts."""

    store_id: int
    campaign: str
    day: int
    hour: int
    language: str


class Add(NamedTuple):
    """What a thing adds: to these columns of its cell, and to these (kind, bucket) of the latencies."""

    counts: tuple[tuple[int, int], ...] = ()
    latencies: tuple[tuple[str, int], ...] = ()


NOTHING = Add()


# ------------------------------------------------------------------------------------- values


def zone(name: str) -> tzinfo:
    """The time zone of that name; UTC when nobody knows it."""
    try:
        return ZoneInfo(name) if name else UTC
    except (KeyError, ValueError, OSError):
        return UTC


def local(quarter: int, where: tzinfo) -> tuple[int, int]:
    """The local day and hour of a quarter of an hour since 1970."""
    here = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=15 * quarter)).astimezone(where)
    return (here.replace(tzinfo=None) - EPOCH).days, here.hour


@lru_cache(4096)
def told(extra: str) -> Extra:
    """A row's extra, {} when it has none. It is asked for a few times within a transaction: nobody may change it."""
    try:
        found = json.loads(extra) if extra else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def text(extra: Extra, name: str) -> str:
    """A text of a row's extra, "" when there is none."""
    return letters(extra.get(name))


def letters(value: object) -> str:
    """A text such as either store takes: JSON can name halves of letters, which no encoding has, and NUL."""
    if not isinstance(value, str):
        return ""
    return value if value.isprintable() else value.encode(errors="replace").decode().replace("\0", "\ufffd")


def whole(extra: Extra, name: str) -> int:
    """A whole number that is not negative, or 0."""
    value = extra.get(name)
    return value if type(value) is int and 0 <= value < 2**53 else 0


def bucket(ms: int) -> int:
    """The step of a latency, as its lower end in seconds: 1 s up to 120, 10 s up to 600, 60 s up to a day."""
    seconds = max(0, ms) // 1000
    if seconds < 120:
        return seconds
    if seconds < 600:
        return seconds // 10 * 10
    return min(seconds // 60 * 60, 86_400)


def passed(since: WireRow, until: WireRow) -> int:
    """Milliseconds from one row to another of the same ledger."""
    return until[4] - since[4] if since[3] == until[3] else until[5] - since[5]


def numbered(row: WireRow) -> bool:
    return row[9] in NUMBERED and row[8] != ""


def now(rows: Sequence[WireRow]) -> str:
    """The newest state that a row of the thing told."""
    return next((row[10] for row in reversed(rows) if row[10]), "")


def is_rung(row: WireRow) -> bool:
    """Is this first row of a call one that somebody made to us?"""
    return row[10] not in OURS and row[10] != "selftest"


# ------------------------------------------------------------------------------------- things


def call(rows: Sequence[WireRow], rang: WireRow | None = None) -> Add:
    """A call; `rang` is the call that a try of ours answers, where it names one."""
    first, state = rows[0], now(rows)
    if first[10] == "selftest":
        return NOTHING
    if is_rung(first):
        counts = [(C["calls"], 1)]
        if numbered(first):
            counts.append((C["numbered"], 1))
        elif first[9] == "withheld":
            counts.append((C["withheld"], 1))
        if state in ("gave-up", "recovered"):
            counts.append((C[state.replace("-", "_")], 1))
        return Add(tuple(counts))
    seconds = next((row[11] for row in reversed(rows) if row[11]), 0)
    counts = [(C["placed"], 1), (C["placed_s"], seconds)]
    attempt = min(whole(told(first[12]), "try"), 3)
    if attempt:
        counts.append((C[f"tries_{attempt}"], 1))
        if state == "called-back":
            counts.append((C[f"reached_{attempt}"], 1))
    waited = (("callback", bucket(passed(rang, first))),) if attempt == 1 and rang is not None else ()
    return Add(tuple(counts), waited)


def is_in(first: WireRow) -> bool:
    """Is this first row of a message one that came to us?"""
    return text(told(first[12]), "direction") == "in"


def message(rows: Sequence[WireRow], is_reply: bool) -> Add:
    """A letter, in or out."""
    first, about = rows[0], told(rows[0][12])
    if is_in(first):
        return Add(((C["received"], 1),))
    state, states = now(rows), {row[10] for row in rows}
    counts = [(C["letters"], 1)]
    counts += [(C[name], 1) for name in ("sent", "delivered", "held") if name in states]
    if state in ("failed", "unknown", "cancelled"):
        counts.append((C[state], 1))
    sent = next((row for row in rows if row[10] == "sent"), None)
    if sent is not None:
        counts.append((C["parts"], min(whole(about, "parts"), MOST_PARTS) or 1))
    if not is_reply or state == "cancelled":
        return Add(tuple(counts))
    held = "held" in states
    counts.append((C["due_held" if held else "due"], 1))
    if sent is None:
        return Add(tuple(counts))
    ms = max(0, passed(first, sent))
    if not held and ms <= 60_000:
        counts.append((C["within_60"], 1))
    return Add(tuple(counts), (("held-reply" if held else "reply", bucket(ms)),))


def speaks(row: WireRow) -> bool:
    """Does this row of a recording say that it was kept, with something said in it?"""
    if row[10] != "kept":
        return False
    about = told(row[12])
    return (whole(about, "speech_ms") if "speech_ms" in about else whole(about, "ms")) >= SPOKEN_MS


def recording(rows: Sequence[WireRow]) -> Add:
    counts = [(C["beeps"], 1)]
    if any(row[10] == "kept" for row in rows):
        counts.append((C["recordings"], 1))
    if any(map(speaks, rows)):
        counts.append((C["yields"], 1))
    return Add(tuple(counts))


def case(rows: Sequence[WireRow]) -> Add:
    contacted = next((row for row in rows if row[10] == "contacted"), None)
    waited = (("case", bucket(contacted[5] - opened(rows[0]))),) if contacted is not None else ()
    return Add(((C["cases"], 1),), waited)


def opened(first: WireRow) -> int:
    """When a case's clock began: the ring."""
    return whole(told(first[12]), "opened_ms") or first[5]


# --------------------------------------------------------------------- things as the pages read them


def recording_thing(rows: Sequence[WireRow]) -> tuple[object, ...]:
    """As the table has it, beside whose and when: language, state, call, node, tags, is_case, ms, speech_ms."""
    about = told(rows[0][12])
    heard = [told(row[12]) for row in rows[1:] if row[12]]
    ms = next((whole(one, "ms") for one in reversed(heard) if "ms" in one), 0)
    speech = next((whole(one, "speech_ms") for one in reversed(heard) if "speech_ms" in one), None)
    return (
        text(about, "language"), now(rows), whole(about, "call"), text(about, "node"), text(about, "tags"),
        int(about.get("case") is True), ms, speech,
    )  # fmt: skip


def case_thing(rows: Sequence[WireRow]) -> tuple[object, ...]:
    """language, state, reference, opened_ms, due_ms, call, recording, node, tags, changed_ms; when it was first
    contacted, last resolved, last verified; how often reopened"""
    about = told(rows[0][12])
    times: dict[str, list[int]] = {}
    for row in rows:
        times.setdefault(row[10], []).append(row[5])
    return (
        text(about, "language"), now(rows), text(about, "reference"), opened(rows[0]), whole(about, "due_ms"),
        whole(about, "call"), whole(about, "recording"), text(about, "node"), text(about, "tags"), rows[-1][5],
        times["contacted"][0] if "contacted" in times else None,
        times["resolved"][-1] if "resolved" in times else None,
        times["verified"][-1] if "verified" in times else None, len(times.get("reopened", ())),
    )  # fmt: skip
