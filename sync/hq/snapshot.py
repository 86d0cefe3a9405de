"""`miscall hq snapshot`: all that the figures are made of in one SQLite file, its callers keyed, from either store.

Rules of this room
- The file is one picture. In PostgreSQL both schemas are read in one and the same; in SQLite the events are held still
  first, and the desk's file is read at once, in a transaction so short that nobody at the desk waits for it.
- A row is read, keyed and written before the next one: memory does not grow with the store. No number is ever written
  and taken out again, for a file keeps what was deleted.
- Columns are named, never `*`: what a later version adds stays out until somebody has decided how it leaves (`keyed`).
  A table that a store does not have yet is there, and empty.
- While results are hidden before a poll, votes and answers by value stay out, and the file says so; where each option
  of a referendum has a number of its own, every count of calls would tell, and there is no snapshot until then.
- The file appears whole or not at all, for headquarters' user alone (0600), and never in place of another. The log has
  its id before anybody can open it.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from sync.hq import auditing, keyed, orders, reports, silence, sql, stores, tables
from sync.hq.config import ConfigError, HqConfig, load
from sync.hq.doors import audit
from sync.hq.metrics import Given
from sync.hq.silence import Hidden, Window
from sync.hq.sql import Db
from sync.hq.tariff import Tariff

# Beside the roll-ups. Of ledgers and boxes all but the chain's digest; of what could not be read only how much it was.
EVENTS = """
CREATE TABLE box (
    box TEXT PRIMARY KEY, district TEXT NOT NULL, timezone TEXT NOT NULL, version TEXT NOT NULL,
    admitted_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL, as_of_ms INTEGER NOT NULL, clock INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE store (
    id INTEGER PRIMARY KEY, store TEXT NOT NULL UNIQUE, box TEXT NOT NULL, line TEXT NOT NULL, number TEXT NOT NULL,
    campaign TEXT NOT NULL, channel TEXT NOT NULL, language TEXT NOT NULL, hwm INTEGER NOT NULL, last INTEGER NOT NULL,
    as_of_ms INTEGER NOT NULL, complete_ms INTEGER, admitted_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL,
    state TEXT NOT NULL, words TEXT NOT NULL, state_ms INTEGER, last_call_ms INTEGER
) STRICT;
CREATE TABLE event (
    store_id INTEGER NOT NULL, seq INTEGER NOT NULL, "of" INTEGER NOT NULL, kind TEXT NOT NULL, boot TEXT NOT NULL,
    mono_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL, clock INTEGER NOT NULL, campaign TEXT NOT NULL,
    caller TEXT NOT NULL, caller_kind TEXT NOT NULL, state TEXT NOT NULL, seconds INTEGER NOT NULL,
    extra TEXT NOT NULL, hq_ms INTEGER NOT NULL, PRIMARY KEY (store_id, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY, box TEXT NOT NULL, store TEXT NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL,
    reason TEXT NOT NULL, passed INTEGER NOT NULL, times INTEGER NOT NULL, first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE alarm (
    id INTEGER PRIMARY KEY, box TEXT NOT NULL, store TEXT NOT NULL, kind TEXT NOT NULL, words TEXT NOT NULL,
    times INTEGER NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL
) STRICT;
"""
# Of the desk what metrics ask for, and the log.
DESK = """
CREATE TABLE outcome (
    campaign TEXT NOT NULL, goal TEXT NOT NULL, caller TEXT NOT NULL, at_ms INTEGER NOT NULL,
    PRIMARY KEY (campaign, goal, caller)
) STRICT, WITHOUT ROWID;
CREATE TABLE line_ward (
    box TEXT NOT NULL, line TEXT NOT NULL, ward TEXT NOT NULL, PRIMARY KEY (box, line)
) STRICT, WITHOUT ROWID;
CREATE TABLE desk_thing (
    store_id INTEGER NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, at_ms INTEGER NOT NULL, state TEXT NOT NULL,
    contacted_ms INTEGER, version INTEGER NOT NULL, PRIMARY KEY (store_id, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE audit (
    id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, who TEXT NOT NULL, role TEXT NOT NULL, did TEXT NOT NULL,
    what TEXT NOT NULL, reason TEXT NOT NULL, digest TEXT NOT NULL
) STRICT;
CREATE TABLE audit_head (id INTEGER PRIMARY KEY, entries INTEGER NOT NULL, digest TEXT NOT NULL) STRICT;
"""
OF_EVENTS = tables.DDL + EVENTS


# What tells how people voted: left empty while that is hidden.
VOTES = frozenset({"vote", "poll", "answer", "node_tally", "all_node"})


class Made(NamedTuple):
    """Who makes it, when, and its id: `mark` stands in the file, `id` in the log. `silence`: the windows before a
    poll."""

    mark: str
    id: str
    now_ms: int
    silence: tuple[Window, ...] = ()

    def hidden(self) -> Hidden | None:
        """Why votes stay out, if they do."""
        return silence.hidden(self.silence, None, self.now_ms, ())


class Silent(Exception):
    """There is no snapshot before a poll; the text says why, and when there is one again."""


def run(config_path: str, file: str) -> int:
    """`miscall hq snapshot`. 1 after one line on stderr."""
    try:
        hq = load(config_path)
        made, rows = snapshot(hq, Path(file), int(time.time() * 1000))
    except (ConfigError, FileExistsError, Silent, sql.Unavailable) as why:
        print(why, file=sys.stderr)
        return 1
    except sql.errors() as error:  # PostgreSQL's own words may hold values
        told = str(error) if isinstance(error, sqlite3.Error | OSError) else type(error).__name__
        print(f"there is no snapshot: {told}", file=sys.stderr)
        return 1
    if hidden := made.hidden():
        print(f"{hidden}. votes and answers are left out of this snapshot", file=sys.stderr)
    print(f"{file}: {rows} rows, callers keyed; snapshot {made.id}")
    return 0


def snapshot(hq: HqConfig, file: Path, now_ms: int) -> tuple[Made, int]:
    """Write the file, and that it was written into the log; returns what marks it, and how many rows it has.

    Raises FileExistsError, Silent, and what the stores raise; then there is no file."""
    if file.exists():
        raise FileExistsError(f"{file} is there already: name a new file")
    id = secrets.token_hex(4)
    mark = f"{orders.who()} {datetime.fromtimestamp(now_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ} {id}"
    made = Made(mark, id, now_ms, hq.silence)
    draft = file.with_name(f".{file.name}.{id}")
    try:
        with stores.events(hq) as events, stores.desk(hq) as desk:
            rows = take(events, desk, draft, key(hq.data), made, hq.tariff)
            with desk.transaction():
                audit.append(desk, now_ms, orders.who(), "", "took a snapshot", f"snapshot {id}", f"{rows} rows")
        try:
            os.link(draft, file)  # unlike a renaming, it never takes the place of a file
        except FileExistsError:
            raise FileExistsError(f"{file} is there already: name a new file") from None
    finally:
        draft.unlink(missing_ok=True)
    return made, rows


def key(data: Path) -> bytes:
    """Headquarters' key for tokens, made when there is none yet. Raises OSError; who loses the key can never tell again
    which callers of an old snapshot are those of a new one."""
    file = data / "keys" / "snapshot.key"
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    if not file.exists():
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                out.write(secrets.token_bytes(32))
                out.flush()
                os.fsync(out.fileno())
            with suppress(FileExistsError):  # another command was quicker
                os.link(draft, file)
        finally:
            draft.unlink(missing_ok=True)
    secret = file.read_bytes()
    if len(secret) != 32:
        raise OSError(f"{file} holds {len(secret)} bytes and not 32: put back the one from your copy")
    return secret


def take(events: Db, desk: Db, file: Path, secret: bytes, made: Made, tariff: Tariff | None = None) -> int:
    """Write a snapshot of these stores to a new file; returns how many rows it has. Raises FileExistsError, and what
    the stores raise, and Silent."""
    hidden = made.hidden()
    if hidden and _has(events, "part") and reports.options(events):
        raise Silent(f"{hidden}. Calls to the numbers of a referendum are votes: there is no snapshot until then")
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    keyer = keyed.Keyer(secret, votes=not hidden)
    with sql.sqlite(file) as out:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -64000"):
            out.raw.execute(f"PRAGMA {pragma}")  # a draft that is cut off is thrown away
        rows = 0
        with _still(events, desk), out.transaction():
            with _desk(events, desk):
                rows += _copied(desk, out, DESK, keyer)
            rows += _copied(events, out, OF_EVENTS, keyer)
            rows += auditing.explain(out, made.mark, Given(made.now_ms, out, tariff, made.silence), hidden)
    with file.open("rb") as written:
        os.fsync(written.fileno())
    return rows


@contextmanager
def _still(events: Db, desk: Db) -> Iterator[None]:
    """One picture of the events store, from now on."""
    with events.transaction():
        events.value("SELECT count(*) FROM box")  # SQLite takes the picture at the first look
        yield


@contextmanager
def _desk(events: Db, desk: Db) -> Iterator[None]:
    """The desk's store as it is now; in PostgreSQL as it was when the events were held still."""
    if desk.kind == "postgresql":
        desk.raw.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    else:
        desk.raw.execute("BEGIN")  # not the writer's lock: nobody waits
    try:
        if desk.kind == "postgresql":
            desk.raw.execute(f"SET TRANSACTION SNAPSHOT '{events.value('SELECT pg_export_snapshot()')}'")
        yield
    finally:
        desk.roll_back()


def _copied(source: Db, out: Db, ddl: str, keyer: keyed.Keyer) -> int:
    """The tables of a script, filled from a store that has them; how many rows."""
    statements = list(sql.schema(ddl, "sqlite"))
    for statement in statements:
        if statement.startswith("CREATE TABLE"):
            out.raw.execute(statement)
    rows = 0
    for name in (words[2] for words in map(str.split, statements) if words[1] == "TABLE"):
        if _has(source, name) and (keyer.votes or name not in VOTES):
            rows += _filled(source, out, name, keyer)
    for statement in statements:
        if not statement.startswith("CREATE TABLE"):
            out.raw.execute(statement)
    return rows


def _has(source: Db, table: str) -> bool:
    there = (
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = :table"
        if source.kind == "sqlite"
        else "SELECT CASE WHEN to_regclass(:table) IS NULL THEN 0 ELSE 1 END"
    )
    return bool(source.value(there, table=table))


def _filled(source: Db, out: Db, table: str, keyer: keyed.Keyer) -> int:
    columns = {row["name"]: row["type"] for row in out.rows(f"PRAGMA table_info({table})")}
    names = ", ".join(f'"{name}"' for name in columns)
    asked = names
    if table == "event" and not keyer.votes:
        asked = names.replace('"state"', "CASE WHEN kind = 'answer' THEN '' ELSE state END AS state")
    how = keyer.treatments(columns)
    given = (
        tuple(value if do is None else do(value) for do, value in zip(how, row.values(), strict=True))
        for row in source.each(f"SELECT {asked} FROM {table}")
    )
    insert = f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})"
    return max(0, int(out.raw.executemany(insert, given).rowcount))
