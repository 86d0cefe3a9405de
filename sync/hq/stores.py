"""Where headquarters keeps what it knows: the events store and the desk's, in two files or in one PostgreSQL database.

Rules of this room
- Events: `<data>/hq.db`, or the schema `public` of the database that hq.toml names. Receivers alone write it, and they
  alone make its tables.
- Desk: `<data>/desk.db`, or the schema `desk` of the same database. Several hands write it.
- What cannot be reached, or is not there yet, is told in words: which file or server, what, and what to do. A server's
  address may hold a password: it is never shown.
"""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sync.hq import schema, sql
from sync.hq.config import HqConfig
from sync.hq.schema import one_at_a_time as one_at_a_time  # whoever makes tables, or numbers without a gap

if TYPE_CHECKING:
    from sync.hq.store import Store


class Absent(sql.Unavailable):
    """Nothing has been written there yet."""


def failures() -> tuple[type[Exception], ...]:
    """What a store raises when it fails: the disk, the file, the server, the way to it."""
    psycopg = sys.modules.get("psycopg")
    return (sqlite3.Error, OSError, sql.Unavailable, *([psycopg.Error] if psycopg else []))


def words(error: Exception) -> str:
    """What failed, in one line fit for a log: a server's error may quote the row, and a voter's number stands in it."""
    told = getattr(getattr(error, "diag", None), "message_primary", None) or error
    return " ".join(str(told).split())


def receiving(config: HqConfig) -> Store:
    """The events store as the receiver needs it, its tables made. Raises one of `failures`."""
    if not sql.is_postgres(config.store):
        from sync.hq.store import Store

        return Store(_file(config, "hq.db"))
    sql.postgres(config.store).close()  # says in words when psycopg or the server is not there
    from sync.hq.pgstore import PgStore

    return PgStore(config.store, config.data)


def events(config: HqConfig, reading: bool = True) -> sql.Db:
    """The events store. To be read only: raises `Absent` when no receiver has made it. To be written: by a receiver,
    who makes its tables. Raises one of `failures`."""
    if not reading:
        postgres = sql.is_postgres(config.store)
        return schema.postgres(config.store) if postgres else schema.sqlite(_file(config, "hq.db"))
    if not sql.is_postgres(config.store):
        return _read(_file(config, "hq.db"), "headquarters has received nothing yet: start `miscall hq run`")
    db = sql.postgres(config.store, reading=True)
    if db.value("SELECT to_regclass('public.event') IS NULL"):
        db.close()
        raise Absent("the PostgreSQL store is empty: headquarters has received nothing yet: start `miscall hq run`")
    return db


def desk(config: HqConfig, reading: bool = False) -> sql.Db:
    """The desk's store; whoever writes makes the tables that they need. Raises `Absent` when it is only to be read and
    nothing was ever written, or one of `failures`."""
    if not sql.is_postgres(config.store):
        file = _file(config, "desk.db")
        if reading:
            return _read(file, "nothing was written down at the desk yet")
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)  # numbers lie in it
        return sql.sqlite(file, patience_s=10)
    db = sql.postgres(config.store, reading=reading)
    if db.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'desk'") == 0:
        if reading:
            db.close()
            raise Absent("the PostgreSQL store has no desk yet: nothing was written down there")
        schema.make_desk(db)
    db.run("SET search_path = desk, public")
    return db


def _file(config: HqConfig, name: str) -> Path:
    return config.data / name


def _read(file: Path, otherwise: str) -> sql.Db:
    try:
        return sql.sqlite(file, reading=True)
    except FileNotFoundError:
        raise Absent(f"{file}: {otherwise}") from None
