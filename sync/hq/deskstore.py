"""The desk store's tables: what people at headquarters have written, as numbered migrations.

A migration that has been released is never edited: a later one changes what it made. Each room that keeps something at
the desk has its tables in a migration of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from sync.hq.desk import tables as desk
from sync.hq.doors import tables as doors
from sync.hq.people import tables as people
from sync.hq.schema import one_at_a_time
from sync.hq.sql import Db

_ORDERS = """
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY, box TEXT NOT NULL, number INTEGER NOT NULL, line TEXT NOT NULL, verb TEXT NOT NULL,
    args TEXT NOT NULL, made_ms INTEGER NOT NULL, by TEXT NOT NULL, UNIQUE (box, number)
) STRICT;
"""

# number, and its script: one for both stores, or one by kind of store
MIGRATIONS: tuple[tuple[int, str | Mapping[str, str]], ...] = (
    (1, _ORDERS),
    (2, doors.DDL),
    (3, desk.DDL),
    (4, people.DDL),
)


def migrate(db: Db) -> None:
    """Bring a desk store up to date; nothing is written when it is."""
    done = _done(db)
    if done >= {number for number, _ in MIGRATIONS}:
        return
    with one_at_a_time(db):
        db.build("CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY) STRICT")
        done = _done(db)
        for number, ddl in MIGRATIONS:
            if number not in done:
                db.build(ddl if isinstance(ddl, str) else ddl[db.kind])
                db.run("INSERT INTO migration (number) VALUES (:number)", number=number)


def _done(db: Db) -> set[int]:
    there = (
        "SELECT count(*) FROM sqlite_schema WHERE name = 'migration'"
        if db.kind == "sqlite"
        else "SELECT count(*) FROM pg_tables WHERE schemaname = 'desk' AND tablename = 'migration'"
    )
    return {row["number"] for row in db.rows("SELECT number FROM migration")} if db.value(there) else set()
