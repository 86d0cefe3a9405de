"""The shape of a ledger's file, the words for what stands in it, and the one door for numbers.

`event` is append-only and goes to headquarters; the other tables are what its rows mean now. SCHEMA grows at its
end only: each entry is one version, and every version ever written can be opened and brought forward.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

from edge.events import Caller, Row, Stamp

SCHEMA = (
    """
    CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE event(
        seq INTEGER PRIMARY KEY, of INTEGER NOT NULL, kind TEXT NOT NULL,
        boot TEXT NOT NULL, mono_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL, clock INTEGER NOT NULL,
        campaign TEXT NOT NULL, caller TEXT NOT NULL, caller_kind TEXT NOT NULL,
        state TEXT NOT NULL, seconds INTEGER NOT NULL, extra TEXT NOT NULL, chain BLOB NOT NULL);
    CREATE INDEX event_calls ON event(at_ms) WHERE kind = 'call' AND of = 0;
    CREATE TABLE message(
        seq INTEGER PRIMARY KEY, campaign TEXT NOT NULL, caller TEXT NOT NULL, caller_kind TEXT NOT NULL,
        direction TEXT NOT NULL, language TEXT NOT NULL, text TEXT NOT NULL, parts INTEGER NOT NULL,
        state TEXT NOT NULL, reason TEXT NOT NULL,
        boot TEXT NOT NULL, mono_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL, clock INTEGER NOT NULL,
        sent_boot TEXT, sent_mono_ms INTEGER, sent_at_ms INTEGER, sent_clock INTEGER,
        refs TEXT NOT NULL DEFAULT '[]', reported TEXT NOT NULL DEFAULT '[]');
    CREATE INDEX message_caller ON message(caller);
    CREATE INDEX message_open ON message(state) WHERE state IN ('queued', 'held', 'sending');
    CREATE INDEX message_sent ON message(sent_at_ms) WHERE sent_boot IS NOT NULL;
    CREATE INDEX message_undated ON message(sent_clock) WHERE sent_clock < 2;
    CREATE TABLE optout(caller TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE language(caller TEXT PRIMARY KEY, language TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE part(
        caller TEXT NOT NULL, reference INTEGER NOT NULL, total INTEGER NOT NULL, place INTEGER NOT NULL,
        text TEXT NOT NULL, units BLOB NOT NULL, at_ms INTEGER NOT NULL,
        PRIMARY KEY (caller, reference, total, place)) WITHOUT ROWID;
    CREATE TABLE unreadable(pdu TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE seen(fingerprint BLOB PRIMARY KEY) WITHOUT ROWID;
    """,
    """
    ALTER TABLE message ADD COLUMN purpose TEXT NOT NULL DEFAULT 'reply';
    CREATE TABLE callback(
        seq INTEGER PRIMARY KEY, campaign TEXT NOT NULL, caller TEXT NOT NULL, caller_kind TEXT NOT NULL,
        state TEXT NOT NULL, reason TEXT NOT NULL, tries INTEGER NOT NULL,
        boot TEXT NOT NULL, mono_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL, clock INTEGER NOT NULL,
        tried_boot TEXT, tried_mono_ms INTEGER, tried_at_ms INTEGER, tried_clock INTEGER);
    CREATE INDEX callback_open ON callback(state) WHERE state IN ('due', 'held', 'placing');
    CREATE INDEX callback_caller ON callback(caller);
    CREATE TABLE dial(
        seq INTEGER PRIMARY KEY, campaign TEXT NOT NULL, caller TEXT NOT NULL, outcome TEXT NOT NULL,
        seconds INTEGER NOT NULL, boot TEXT NOT NULL, mono_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL,
        clock INTEGER NOT NULL);
    CREATE INDEX dial_caller ON dial(caller);
    CREATE INDEX dial_at ON dial(at_ms);
    CREATE TABLE take(seq INTEGER PRIMARY KEY, file TEXT NOT NULL, state TEXT NOT NULL);
    CREATE INDEX take_state ON take(state);
    CREATE TABLE grievance(
        seq INTEGER PRIMARY KEY, campaign TEXT NOT NULL, caller TEXT NOT NULL, reference TEXT NOT NULL,
        state TEXT NOT NULL);
    CREATE INDEX grievance_caller ON grievance(caller);
    CREATE TABLE done_order(number INTEGER PRIMARY KEY);
    """,
    """
    CREATE INDEX event_voice ON event(kind, at_ms, of, state) WHERE state IN ('talked', 'called-back', 'kept');
    ALTER TABLE grievance ADD COLUMN due_ms INTEGER NOT NULL DEFAULT 0;
    UPDATE grievance SET due_ms = coalesce((
        SELECT CAST(json_extract(extra, '$.due_ms') AS INTEGER) FROM event
        WHERE event.seq = grievance.seq AND json_valid(extra)), 0);
    CREATE INDEX grievance_open ON grievance(due_ms, state) WHERE state NOT IN ('resolved', 'verified');
    """,
    """
    CREATE INDEX event_caller ON event(caller) WHERE kind = 'call' AND of = 0;
    """,
)
ROW = ", ".join(Row._fields)


class LedgerFailed(Exception):
    """The disk did not do as told. The process must end; the message says what failed and what to do."""


def seal(number: str) -> str:
    """The form in which a number rests on the card: today the number itself. The only place to change that."""
    return number


def unseal(kept: str) -> str:
    """The number behind what `seal` wrote."""
    return kept


@dataclass(frozen=True, slots=True)
class Draft:
    """An SMS to write down with what gives rise to it: it is queued in the same transaction. `purpose`: a "reply" goes
    once in a while, a "reference" (of a case) whenever there is one, a "desk" when headquarters wrote it."""

    text: str = field(repr=False)
    language: str
    parts: int
    purpose: str = "reply"


@dataclass(frozen=True, slots=True)
class Letter:
    """An outbound message as it stands. `refs`: the modem's reference of each part that the network has taken
    so far; `reported`: those of them that have been delivered."""

    seq: int
    campaign: str
    caller: Caller
    language: str
    text: str = field(repr=False)
    parts: int
    state: str
    reason: str
    born: Stamp
    refs: tuple[int, ...]
    reported: tuple[int, ...]
    purpose: str = "reply"


@dataclass(frozen=True, slots=True)
class Callback:
    """A caller who is to be rung back. `seq`: the call, or the order, that asks for it; `tried`: the last try."""

    seq: int
    campaign: str
    caller: Caller
    state: str
    reason: str
    tries: int
    born: Stamp
    tried: Stamp | None


@dataclass(frozen=True, slots=True)
class Case:
    """A grievance as it stands."""

    seq: int
    reference: str
    state: str


def pack_extra(**values: object) -> str:
    """The `extra` field of a row: compact JSON with sorted keys, without the empty values."""
    kept = {key: value for key, value in values.items() if value not in ("", None)}
    return json.dumps(kept, ensure_ascii=False, sort_keys=True, separators=(",", ":")) if kept else ""


class DamagedLedger(LedgerFailed):
    """The file is no readable ledger. It was left untouched: set it aside and start a new one."""


def failed(path: Path, error: sqlite3.DatabaseError) -> LedgerFailed:
    """What SQLite refused, as a sentence with a remedy."""
    text = str(error)
    if "malformed" in text or "not a database" in text:
        return DamagedLedger(f"{path}: not a readable ledger ({text})")
    if "full" in text:
        return LedgerFailed(f"{path}: the disk is full: free space or put in a bigger card; nothing kept is lost")
    return LedgerFailed(f"{path}: {text}: if this comes again, replace the card; nothing kept is lost")
