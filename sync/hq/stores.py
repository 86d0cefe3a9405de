"""Headquarters' two stores, opened for whoever needs them.

Rules of this room
- The events store is written by receivers alone: `<data>/hq.db`, or the schema `public` of a PostgreSQL database.
- The desk store is written by the web page and the commands: `<data>/desk.db`, or the schema `desk` of the same
  database. Its file has no write-ahead log, because several hands write it.
- A connection is for one thread at a time, and for one request.
"""

from __future__ import annotations

from sync.hq import deskstore, sql
from sync.hq.config import HqConfig

_DESK = "CREATE SCHEMA IF NOT EXISTS desk"
_PATH = "SET search_path = desk, public"


def events(config: HqConfig) -> sql.Db:
    """The events store, to be read. Raises FileNotFoundError while no receiver has made it, `sql.Unavailable`,
    or `sqlite3.Error`."""
    if sql.is_postgres(config.store):
        return sql.postgres(config.store, reading=True)
    return sql.sqlite(config.data / "hq.db", reading=True)


def desk(config: HqConfig) -> sql.Db:
    """The desk store, to be read and written, its tables made when they are not there yet.

    Raises `sql.Unavailable`, `sqlite3.Error`, or OSError when the data folder cannot be written."""
    if sql.is_postgres(config.store):
        db = sql.postgres(config.store)
        db.run(_DESK)
        db.run(_PATH)
    else:
        file = config.data / "desk.db"
        config.data.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.touch(mode=0o600)
        db = sql.sqlite(file, patience_s=10)
    deskstore.migrate(db)
    return db
