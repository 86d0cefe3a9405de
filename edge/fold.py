"""What a ledger's rows mean now: calls, messages, recordings, answers, cases and consents as the exports tell them, the
same at the box and at HQ.  Pure.

A thing's first row fixes its id, time and number; later rows of the same kind that name its seq replace the outcome or
state, the seconds and the reason, in the order of their seq.  Rows must come grouped: each first row followed by its
own amendments.  `GROUPED` is the SQL order that does it; `grouped` does it for a source that can only be read in order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from edge.events import Row

GROUPED = 'CASE "of" WHEN 0 THEN seq ELSE "of" END, seq'
_PAGE = 1000
_E164 = ("international", "national")
TRUSTED = 2
MAX_AT_MS = 253_402_300_800_000  # the year 10000: the first instant that RFC 3339 cannot say
WITH_SOUND = ("recording", "kept")  # states of a recording whose file is on the box

Told = dict[str, object]


class Place(NamedTuple):
    """Whose rows these are."""

    box: str
    line: str
    store: str


def rfc3339(at_ms: int) -> str:
    """UTC with milliseconds: 2026-11-23T21:43:00.123Z."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{at_ms % 1000:03}Z"


def amend(first: Row, amendment: Row) -> Row:
    """The thing after one more row about it. What the row leaves empty stays as it was."""
    extra = first.extra
    if amendment.extra:
        merged = {**_told(first.extra), **_told(amendment.extra)}
        extra = json.dumps(merged, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    elif amendment.state and _told(first.extra).get("reason"):  # the reason of an earlier state has passed with it
        kept = {key: value for key, value in _told(first.extra).items() if key != "reason"}
        extra = json.dumps(kept, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return first._replace(state=amendment.state or first.state, seconds=amendment.seconds or first.seconds, extra=extra)


def fold(rows: Iterable[Sequence[object]]) -> Iterator[Row]:
    """Each thing once, as it stands now, from grouped rows. An amendment of nothing is passed over."""
    thing: Row | None = None
    for values in rows:
        row = Row(*values)  # type: ignore[arg-type]
        if not row.of:
            if thing:
                yield thing
            thing = row
        elif thing and row.of == thing.seq and row.kind == thing.kind:
            thing = amend(thing, row)
    if thing:
        yield thing


def grouped(read: Callable[[int, int], Sequence[Sequence[object]]], window: int = 50_000) -> Iterator[Sequence[object]]:
    """Rows regrouped for `fold`, from `read(after, limit)` that gives them in order (`edge.ledger.Reader.rows`).

    Bounded memory: a window of rows at a time, and everything behind the window is read for its amendments."""
    after = 0
    while True:
        firsts: dict[object, list[Sequence[object]]] = {}
        end = after
        for row in _pages(read, after):
            seq, of = int(str(row[0])), row[1]
            if not of and seq <= after + window:
                firsts[seq] = [row]
            elif of in firsts:
                firsts[of].append(row)
            end = min(seq, after + window)
        if end == after:
            return
        for group in firsts.values():
            yield from group
        after = end


def _pages(read: Callable[[int, int], Sequence[Sequence[object]]], after: int) -> Iterator[Sequence[object]]:
    while page := read(after, _PAGE):
        yield from page
        after = int(str(page[-1][0]))


def call(row: Row, place: Place) -> Told:
    """One object of the calls export."""
    return {
        "id": _id(row, place),
        "at": rfc3339(row.at_ms),
        "clock_trusted": row.clock >= TRUSTED,
        "box": place.box,
        "line": place.line,
        "campaign": row.campaign,
        "number": _number(row),
        "withheld": row.caller_kind == "withheld",
        "outcome": row.state,
        "seconds": row.seconds,
    }


def message(row: Row, place: Place) -> Told:
    """One object of the messages export."""
    extra = _told(row.extra)
    return {
        "id": _id(row, place),
        "at": rfc3339(row.at_ms),
        "box": place.box,
        "line": place.line,
        "campaign": row.campaign,
        "direction": extra.get("direction", ""),
        "number": _number(row),
        "text": extra.get("text", ""),
        "language": extra.get("language", ""),
        "parts": extra.get("parts", 1),
        "state": row.state,
        "reason": extra.get("reason", ""),
    }


def recording(row: Row, place: Place) -> Told:
    """One object of the recordings export; `file` is relative to the box's data folder, "" when there is none."""
    extra = _told(row.extra)
    return {
        "id": _id(row, place),
        "at": rfc3339(row.at_ms),
        "box": place.box,
        "line": place.line,
        "campaign": row.campaign,
        "number": _number(row),
        "seconds": row.seconds,
        "file": f"recordings/{extra['file']}" if row.state in WITH_SOUND and "file" in extra else "",
        "tags": extra.get("tags", ""),
        "state": row.state,
    }


def answer(row: Row, place: Place) -> Told:
    """One object of the answers export; `call` is the id of the call in which it was given."""
    extra = _told(row.extra)
    return {
        "id": _id(row, place),
        "call": _other(extra.get("call"), place),
        "at": rfc3339(row.at_ms),
        "box": place.box,
        "campaign": row.campaign,
        "language": extra.get("language", ""),
        "number": _number(row),
        "node": extra.get("node", ""),
        "key": extra.get("key", ""),
        "value": row.state,
        "issue": extra.get("issue", ""),
    }


def case(row: Row, place: Place) -> Told:
    """One object of the cases export; `opened` is when the caller rang, `recording` the id of what she said, or ""."""
    extra = _told(row.extra)
    return {
        "id": _id(row, place),
        "opened": _time(extra.get("opened_ms"), row.at_ms),
        "state": row.state,
        "tag": extra.get("tags", ""),
        "due": _time(extra.get("due_ms"), row.at_ms),
        "reference": extra.get("reference", ""),
        "number": _number(row),
        "box": place.box,
        "line": place.line,
        "campaign": row.campaign,
        "recording": _other(extra.get("recording"), place),
        "language": extra.get("language", ""),
    }


def consent(row: Row, place: Place) -> Told:
    """One object of the consents export; `wording` is the beginning of the SHA-256 of what she agreed to."""
    extra = _told(row.extra)
    return {
        "id": _id(row, place),
        "number": _number(row),
        "purpose": row.state,
        "wording": extra.get("wording", ""),
        "language": extra.get("language", ""),
        "channel": extra.get("channel", "call"),
        "at": rfc3339(row.at_ms),
        "evidence": extra.get("evidence", ""),
        "box": place.box,
        "line": place.line,
        "campaign": row.campaign,
        "call": _other(extra.get("call"), place),
    }


TELL: dict[str, Callable[[Row, Place], Told]] = {
    "call": call, "message": message, "recording": recording, "answer": answer, "case": case, "consent": consent,
}  # fmt: skip


def language(row: Row) -> str:
    """The language in which a thing came about, "" when its rows do not say."""
    return str(_told(row.extra).get("language", ""))


def harmless(value: object) -> object:
    """A text as a cell of a CSV file: one that a spreadsheet would take for a formula begins with an apostrophe."""
    return "'" + value if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _id(row: Row, place: Place) -> str:
    return f"{place.box}:{place.line}:{place.store}-{row.seq}"


def _other(seq: object, place: Place) -> str:
    """The id of another thing of the same ledger, or ""."""
    return f"{place.box}:{place.line}:{place.store}-{seq}" if type(seq) is int and seq > 0 else ""


def _time(at_ms: object, otherwise: int) -> str:
    """A time that a row carries beside its own."""
    return rfc3339(at_ms if type(at_ms) is int and 0 <= at_ms < MAX_AT_MS else otherwise)


def _number(row: Row) -> str | None:
    """None also where headquarters has forgotten whose it was, and keeps a token in its place."""
    return row.caller if row.caller_kind in _E164 and row.caller.startswith("+") else None


def _told(extra: str) -> dict[str, object]:
    if not extra:
        return {}
    told = json.loads(extra)
    if "\\u" in extra:  # the one way in which JSON names halves of letters, which no encoding has
        told = json.loads(json.dumps(told, ensure_ascii=False).encode(errors="replace"))
    return told if isinstance(told, dict) else {}
