"""The events store's tables, as numbered migrations: those of sqlite-utils for SQLite, the same numbers for PostgreSQL.

Rules of this room
- A migration that has been released is never edited: the next one changes what it made. Receivers alone apply them.
- What both stores can build is written once. Only `event` differs: in SQLite its key is (store_id, seq); in PostgreSQL
  it is cut by the day of `at_ms`, which never changes, and has no unique index: the high-water mark makes rows unique.
- All times are milliseconds since 1970 UTC; `hq_ms`, `seen_ms` and the like are HQ's clock, `at_ms` and `as_of_ms` the
  box's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database, Migrations

from sync import durable
from sync.hq import sql, tables

migrations = Migrations("miscall-hq")
_ONE_AT_A_TIME = 6_472_225  # PostgreSQL's advisory lock under which the tables are changed

_LEDGERS = """
-- A box that has said hello.
CREATE TABLE box (
    box TEXT PRIMARY KEY, district TEXT NOT NULL, timezone TEXT NOT NULL, version TEXT NOT NULL,
    admitted_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL,
    as_of_ms INTEGER NOT NULL, clock INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One ledger of a box: its high-water mark and the chain digest there move with its rows, in one transaction.
-- `last` is its newest row as the box last told; everything up to `complete_ms` of the box's trusted time is here.
CREATE TABLE store (
    id INTEGER PRIMARY KEY, store TEXT NOT NULL UNIQUE, box TEXT NOT NULL, line TEXT NOT NULL,
    number TEXT NOT NULL DEFAULT '', campaign TEXT NOT NULL DEFAULT '', channel TEXT NOT NULL DEFAULT '',
    language TEXT NOT NULL DEFAULT '',
    hwm INTEGER NOT NULL DEFAULT 0, chain BLOB NOT NULL, last INTEGER NOT NULL DEFAULT 0,
    as_of_ms INTEGER NOT NULL DEFAULT 0, complete_ms INTEGER, admitted_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT '', words TEXT NOT NULL DEFAULT '', state_ms INTEGER, last_call_ms INTEGER
) STRICT;
CREATE INDEX store_box ON store (box);
"""

_COLUMNS = """
    store_id INTEGER NOT NULL, seq INTEGER NOT NULL, "of" INTEGER NOT NULL, kind TEXT NOT NULL,
    boot TEXT NOT NULL, mono_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL, clock INTEGER NOT NULL,
    campaign TEXT NOT NULL, caller TEXT NOT NULL, caller_kind TEXT NOT NULL, state TEXT NOT NULL,
    seconds INTEGER NOT NULL, extra TEXT NOT NULL, hq_ms INTEGER NOT NULL"""
# Every row of every ledger, once.
_EVENT = f"CREATE TABLE event ({_COLUMNS}, PRIMARY KEY (store_id, seq)) STRICT, WITHOUT ROWID;\n"
_EVENT_BY_DAY = f"""
CREATE TABLE event ({_COLUMNS}) PARTITION BY RANGE (at_ms);
CREATE TABLE event_wild PARTITION OF event DEFAULT;
CREATE INDEX event_at ON event USING brin (at_ms);
CREATE INDEX event_row ON event (store_id, seq);
ALTER TABLE store SET (fillfactor = 50);
"""

_COUNTS = """
CREATE INDEX event_of ON event (store_id, "of", seq) WHERE "of" > 0;

-- What the pages read: counts by the hour of the box's clock, kept in the transaction of the rows.
-- calls: rung by somebody, whatever became of it; withheld and gave_up are among them.  sent, delivered, failed:
-- messages out, in the hour in which that happened; received: messages in.
CREATE TABLE hourly (
    store_id INTEGER NOT NULL, campaign TEXT NOT NULL, hour_ms INTEGER NOT NULL,
    calls INTEGER NOT NULL, withheld INTEGER NOT NULL, gave_up INTEGER NOT NULL, sent INTEGER NOT NULL,
    delivered INTEGER NOT NULL, failed INTEGER NOT NULL, received INTEGER NOT NULL,
    PRIMARY KEY (store_id, campaign, hour_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX hourly_hour ON hourly (hour_ms);

-- Payloads that were not taken, once each; `passed` is 1 where the mark went on over the one row in it.
CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, box TEXT NOT NULL, store TEXT NOT NULL,
    first INTEGER NOT NULL, count INTEGER NOT NULL, reason TEXT NOT NULL, passed INTEGER NOT NULL DEFAULT 0,
    times INTEGER NOT NULL DEFAULT 1, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, payload BLOB NOT NULL
) STRICT;

-- What a person must look at, one row for each box, ledger and kind.
CREATE TABLE alarm (
    id INTEGER PRIMARY KEY, box TEXT NOT NULL, store TEXT NOT NULL, kind TEXT NOT NULL, words TEXT NOT NULL,
    times INTEGER NOT NULL DEFAULT 1, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
    UNIQUE (box, store, kind)
) STRICT;
"""


_SOUND = """
-- A recording's sound: `have` bytes of it are in its file below recordings/, `done_ms` tells when all of it was there
-- and fitted `sha256`, `wrong` how often it did not.
CREATE TABLE recording_file (
    store_id INTEGER NOT NULL, seq INTEGER NOT NULL, codec TEXT NOT NULL, bytes INTEGER NOT NULL, sha256 BLOB NOT NULL,
    have INTEGER NOT NULL, wrong INTEGER NOT NULL, done_ms INTEGER, PRIMARY KEY (store_id, seq)
) STRICT, WITHOUT ROWID;

-- Every case as it stands, for the pages: those that are open, by when they are due, are found at once.
CREATE TABLE grievance (
    store_id INTEGER NOT NULL, seq INTEGER NOT NULL, state TEXT NOT NULL, due_ms INTEGER NOT NULL,
    PRIMARY KEY (store_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX grievance_open ON grievance (due_ms) WHERE state NOT IN ('resolved', 'verified');

-- What became of HQ's orders: `number` counts for each box, `state` is done, refused or failed.
CREATE TABLE ordered (
    box TEXT NOT NULL, number INTEGER NOT NULL, state TEXT NOT NULL, why TEXT NOT NULL, at_ms INTEGER NOT NULL,
    PRIMARY KEY (box, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX event_recording ON event (at_ms) WHERE kind = 'recording' AND "of" = 0;
CREATE INDEX event_answer ON event (at_ms) WHERE kind = 'answer' AND "of" = 0;
"""

_SOUND_OF_OLD = """
-- A store may hold such rows already, from boxes that were newer than it.
INSERT INTO grievance SELECT store_id, seq, coalesce((
        SELECT state FROM event AS later WHERE later.store_id = event.store_id AND later."of" = event.seq
        AND later.kind = 'case' AND later.state <> '' ORDER BY later.seq DESC LIMIT 1
    ), state), iif(json_valid(extra), coalesce(CAST(json_extract(extra, '$.due_ms') AS INTEGER), 0), 0)
    FROM event WHERE kind = 'case' AND "of" = 0;
INSERT OR IGNORE INTO ordered
    SELECT box, CAST(json_extract(extra, '$.order') AS INTEGER), event.state, '', at_ms
    FROM event JOIN store ON id = store_id
    WHERE kind = 'order' AND "of" = 0 AND json_valid(extra) AND json_type(extra, '$.order') = 'integer';
"""


# The roll-ups know more of a case than the table before them; a store that opens makes them of the events it holds.
# Recordings and answers are found in tables of their own: no page looks for them among events any more.
_ROLLUPS = "DROP TABLE grievance;\nDROP INDEX event_recording;\nDROP INDEX event_answer;\n" + tables.DDL

# What a new store of each kind is given, by the numbers of the migrations below.
WHOLE: dict[sql.Kind, tuple[str, ...]] = {
    "sqlite": (_LEDGERS + _EVENT + _COUNTS, _SOUND, _ROLLUPS),
    "postgresql": (_LEDGERS + _EVENT_BY_DAY + _COUNTS, _SOUND, _ROLLUPS),
}


def _apply(db: Database, script: str) -> None:
    for statement in sql.schema(script, "sqlite"):
        db.execute(statement)


@migrations()
def m001_first(db: Database) -> None:
    _apply(db, _LEDGERS + _EVENT + _COUNTS)


@migrations()
def m002_sound(db: Database) -> None:
    _apply(db, _SOUND + _SOUND_OF_OLD)


@migrations()
def m003_rollups(db: Database) -> None:
    _apply(db, _ROLLUPS)


def sqlite(path: Path) -> sql.Db:
    """The embedded store for its one writer, its tables made and brought up to date. Raises `sqlite3.Error`."""
    raw = durable.connect(path)
    raw.execute("PRAGMA wal_autocheckpoint=4000")
    migrations.apply(Database(raw))
    return sql.adopt(raw)


def postgres(url: str) -> sql.Db:
    """A PostgreSQL store for a receiver, its tables made and brought up to date; one of several does it."""
    db = sql.postgres(url)
    db.run("SET synchronous_commit = on")  # what is acknowledged survives a power cut, whatever the server's file says
    with one_at_a_time(db):
        db.build("CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, applied_ms INTEGER NOT NULL)")
        there = {row["number"] for row in db.rows("SELECT number FROM migration")}
        for number, ddl in enumerate(WHOLE["postgresql"], 1):
            if number not in there:
                db.build(ddl)
                now_ms = int(time.time() * 1000)
                db.run("INSERT INTO migration VALUES (:number, :now_ms)", number=number, now_ms=now_ms)
    return db


def make_desk(db: sql.Db) -> None:
    """The schema `desk` of a PostgreSQL store."""
    with one_at_a_time(db):
        db.run("CREATE SCHEMA IF NOT EXISTS desk")


@contextmanager
def one_at_a_time(db: sql.Db) -> Iterator[None]:
    """A transaction for whoever makes tables: in PostgreSQL others wait, as an SQLite file's writers do anyway."""
    with db.transaction():
        if db.kind == "postgresql":
            db.run("SELECT pg_advisory_xact_lock(:number)", number=_ONE_AT_A_TIME)
        yield
