"""Forgetting somebody in the events store: at her request, or because nothing was heard of her for long.

Rules of this room
- Counts stay. A row about somebody keeps its place, time and kind; her number becomes a token that means nobody, the
  words that she wrote go, and so does the sound of her voice. Tables that have a column `caller` are found in the store
  itself, so that one which comes later is not forgotten. The token is the same in all of them, so that distinct
  callers, votes and conversions count as before.
- A box still has its row, and may send it again: `same` tells that the row which comes is one that was blanked here.
  The chain's digest is of the rows as they came, and is not touched.
- The receiver alone writes the events store. It looks at the desk's requests, obeys, and keeps what it did in
  `erased`; `proof` then cleans the desk's tables and writes the report.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from sync import wire
from sync.hq import recordings
from sync.hq.people import search
from sync.hq.sql import Db

TOKEN = "erased:"  # begins what stands in place of a number; no network gives such a name
MOST = 200  # people forgotten in one pass over the rows
DDL = """
-- What the receiver has carried out of the desk's requests to be forgotten; `told` is JSON, without any number.
CREATE TABLE IF NOT EXISTS erased (id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, told TEXT NOT NULL) STRICT;
"""
_CALLER, _EXTRA = 8, 12  # places in a row as the wire has it
_WORDS = ("text",)  # what in `extra` somebody has written herself
_BLANK = "UPDATE event SET caller = :token, extra = :extra WHERE store_id = :store AND seq = :seq AND at_ms = :at_ms"
_NO_SOUND = (
    "INSERT INTO recording_file (store_id, seq, codec, bytes, sha256, have, wrong, done_ms)"
    " VALUES (:store, :seq, 'opus', 0, :none, 0, 0, :now) ON CONFLICT (store_id, seq) DO UPDATE SET bytes = 0,"
    " sha256 = excluded.sha256, have = 0, done_ms = excluded.done_ms"
)
_DUE = (
    "SELECT id, caller FROM erasure WHERE done_ms IS NULL AND due_ms <= :now AND caller <> '' ORDER BY id"
    f" LIMIT {MOST}"
)
_DONE = "INSERT INTO erased (id, at_ms, told) VALUES (:id, :at, :told) ON CONFLICT (id) DO NOTHING"


def same(held: Sequence[object], told: Sequence[object]) -> bool:
    """Is the row that is held the one that is told again - also where it was blanked here?"""
    if held == told:
        return True
    if not str(held[_CALLER]).startswith(TOKEN):
        return False
    places = [place for place in range(len(held)) if place not in (_CALLER, _EXTRA)]
    return len(held) == len(told) and all(held[place] == told[place] for place in places)


def token(request: int) -> str:
    """What stands for her from now on: the request's number, which means nobody once the request has forgotten hers."""
    return f"{TOKEN}{request}"


def obey(events: Db, desk: Db, data: Path, now_ms: int) -> list[int]:
    """Carry out what is due at the desk and was not yet; the ids of these requests. For the receiver, in its own loop:
    the desk is only read. Raises what the stores raise, and OSError when sound cannot be deleted; it is done anew."""
    waiting = desk.rows(_DUE, now=now_ms)
    if not waiting:
        return []
    events.build(DDL)
    done = {row["id"] for row in events.rows("SELECT id FROM erased")}
    waiting = [row for row in waiting if row["id"] not in done]
    for row in waiting:
        with events.transaction():
            found = erase(events, data, {row["caller"]: token(row["id"])}, now_ms)
            events.run(_DONE, id=row["id"], at=now_ms, told=json.dumps(found, sort_keys=True))
        search.scrub(events, data / "hq.db", row["caller"])
    return [row["id"] for row in waiting]


def erase(events: Db, data: Path, going: Mapping[str, str], now_ms: int) -> dict[str, int]:
    """Forget these callers, each by its token, within the caller's transaction; what was found, by table."""
    if events.kind == "sqlite":
        events.raw.execute("PRAGMA secure_delete = ON")
    named = {f"c{place}": caller for place, caller in enumerate(going)}
    among = f"caller IN ({', '.join(f':{name}' for name in named)})"
    rows = events.rows(f"SELECT store_id, seq, at_ms, kind, caller, extra FROM event WHERE {among}", named)
    found = {"event": len(rows), "files": 0}
    for row in rows:
        extra = without_words(row["extra"], row["caller"])
        events.run(_BLANK, token=going[row["caller"]], extra=extra, store=row["store_id"], seq=row["seq"],
                   at_ms=row["at_ms"])  # fmt: skip
        if row["kind"] == "recording":
            found["files"] += silence(events, data, row["store_id"], row["seq"], now_ms)
    for table in search.with_callers(events):
        words = ", text = ''" if table == "letter" else ""
        found[table] = sum(
            events.run(f"UPDATE {table} SET caller = :token{words} WHERE caller = :caller", token=mark, caller=caller)
            for caller, mark in going.items()
        )
    return {**found, **_quarantine(events, going)}


def without_words(extra: str, caller: str) -> str:
    """A row's particulars without what she wrote, and without anything that holds her number."""
    if not extra:
        return extra
    told, digits = json.loads(extra), search.digits(caller)
    kept = {
        key: value for key, value in told.items()
        if key not in _WORDS and (type(value) is int or digits not in re.sub(r"\D", "", json.dumps(value)))
    }  # fmt: skip
    return extra if kept == told else json.dumps(kept, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def silence(events: Db, data: Path, store: int, seq: int, now_ms: int) -> int:
    """Delete a recording's sound, and take no more of it: a box that sends it is told that all is here."""
    place = events.row("SELECT box, store FROM store WHERE id = :id", id=store)
    gone = 0
    if place:
        whole = data / recordings.where(place["box"], place["store"], seq)
        for file in (whole, whole.with_name(f"{whole.name}.part")):
            if file.exists():
                file.unlink()
                gone += 1
    events.run(_NO_SOUND, store=store, seq=seq, none=b"", now=now_ms)
    return gone


def _quarantine(events: Db, going: Mapping[str, str]) -> dict[str, int]:
    """Payloads that were not taken may hold anybody's number, packed: those that do are emptied, digest and reason
    stay. Those that nobody can read are counted: nobody can say of whom they tell."""
    emptied = unread = 0
    for row in events.rows("SELECT id, payload FROM quarantine WHERE length(payload) > 0"):
        try:
            message = wire.unpack(bytes(row["payload"]))
        except wire.WireError:
            unread += 1
            continue
        if isinstance(message, wire.Batch) and any(_tells(each, going) for each in message.rows):
            emptied += events.run("UPDATE quarantine SET payload = :none WHERE id = :id", none=b"", id=row["id"])
    return {"quarantine": emptied, "quarantine-unread": unread}


def _tells(row: wire.WireRow, going: Mapping[str, str]) -> bool:
    return row[_CALLER] in going or any(search.digits(caller) in str(row[_EXTRA]) for caller in going)
