"""Looking for a number in all of a store, and getting it out of what SQLite leaves lying about.

Rules of this room
- An SQLite store is looked through byte by byte: its file, its log and its journal, free pages and all. A PostgreSQL
  store is asked, every text of every table; what its server keeps of rows that are gone is the server's to reuse.
- It is looked for by its last digits, without the country's code, so that every way to write it is found.
"""

from __future__ import annotations

import mmap
import re
from pathlib import Path

from sync.hq.sql import Db

_KEEP = ("audit", "migration")  # bound by digests, and never told a number
_WITH_CALLERS = (
    "SELECT m.name AS name FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c"
    " WHERE m.type = 'table' AND c.name = 'caller' AND m.name <> 'event' ORDER BY m.name"
)
_TEXTS = (
    "SELECT m.name AS place, c.name AS name FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c"
    " WHERE m.type = 'table' AND c.type = 'TEXT' ORDER BY m.name, c.cid"
)
_IN_POSTGRES = (
    " FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace JOIN pg_attribute AS a ON a.attrelid = c.oid"
    " JOIN pg_type AS t ON t.oid = a.atttypid WHERE n.nspname = :schema AND c.relkind IN ('r', 'p')"
    " AND NOT c.relispartition AND NOT a.attisdropped AND a.attnum > 0"
)


def digits(caller: str) -> str:
    """What of a number every way of writing it has: its national digits."""
    import phonenumbers

    try:
        return str(phonenumbers.parse(caller, None).national_number)
    except phonenumbers.NumberParseException:
        return re.sub(r"\D", "", caller)


def with_callers(db: Db, schema: str = "public") -> list[str]:
    """Every table beside `event` that tells who somebody is."""
    if db.kind == "sqlite":
        return [row["name"] for row in db.rows(_WITH_CALLERS)]
    asked = f"SELECT c.relname AS name{_IN_POSTGRES} AND a.attname = 'caller' AND c.relname <> 'event' ORDER BY 1"
    return [row["name"] for row in db.rows(asked, schema=schema)]


def texts(db: Db, schema: str = "public") -> list[tuple[str, str]]:
    """Every column of texts: table and column."""
    if db.kind == "sqlite":
        found = db.rows(_TEXTS)
    else:
        asked = f"SELECT c.relname AS place, a.attname AS name{_IN_POSTGRES} AND t.typname = 'text' ORDER BY 1, 2"
        found = db.rows(asked, schema=schema)
    return [(row["place"], row["name"]) for row in found]


def rows_with(db: Db, caller: str, schema: str = "public") -> dict[str, int]:
    """How many rows of which table hold the number in a text; tables without it are not named."""
    sought = f"%{digits(caller)}%"
    found: dict[str, int] = {}
    for table, column in texts(db, schema):
        if n := db.value(f'SELECT count(*) FROM "{table}" WHERE "{column}" LIKE :sought', sought=sought):
            found[table] = found.get(table, 0) + int(n)
    return found


def replace(desk: Db, caller: str, instead: str) -> dict[str, int]:
    """Put `instead` in place of the number in every text of a store but the log, within the caller's transaction."""
    sought = digits(caller)
    found: dict[str, int] = {}
    for table, column in texts(desk, "desk"):
        if table in _KEEP:
            continue
        change = f'UPDATE "{table}" SET "{column}" = replace("{column}", :sought, :instead) WHERE "{column}" LIKE :like'
        if n := desk.run(change, sought=sought, instead=instead, like=f"%{sought}%"):
            found[table] = found.get(table, 0) + n
    return found


def in_files(path: Path, caller: str) -> dict[str, int]:
    """How often the number stands in an SQLite store's files, by name: in rows, in free pages, in the log."""
    found = {}
    for file in sorted(path.parent.glob(f"{path.name}*")):
        if file.is_file() and file.stat().st_size:
            with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as held:
                found[file.name] = _count(held, digits(caller).encode())
    return found


def _count(held: mmap.mmap, sought: bytes) -> int:
    n, at = 0, held.find(sought)
    while at >= 0:
        n, at = n + 1, held.find(sought, at + 1)
    return n


def scrub(db: Db, path: Path, caller: str) -> None:
    """Have SQLite write over what it only let go of: its log, and where the number still lies about, the whole file.

    Between transactions; a reader that stays long keeps the log, and then it is for the next time."""
    if db.kind != "sqlite":
        return
    db.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    if any(in_files(path, caller).values()):
        db.run("VACUUM")
        db.rows("PRAGMA wal_checkpoint(TRUNCATE)")
