"""Where headquarters keeps what it knows: the events store and the desk's, in two files or in one PostgreSQL database.

Rules of this room
- Events: `<data>/hq.db`, or the schema `public` of the database that hq.toml names. Receivers alone write it, and they
  alone make its tables.
- Desk: `<data>/desk.db`, or the schema `desk` of the same database. Several hands write it.
- What cannot be reached, or is not there yet, is told in words: which file or server, what, and what to do. A server's
  address may hold a password: it is never shown.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sync.hq import deskstore, issues, schema, sql
from sync.hq.config import HqConfig

if TYPE_CHECKING:
    from sync.hq.store import Store


class Absent(sql.Unavailable, FileNotFoundError):
    """Nothing has been written there yet."""


def words(error: Exception) -> str:
    """What failed, in one line fit for a log: a server's error may quote the row, and a voter's number stands in it."""
    told = getattr(getattr(error, "diag", None), "message_primary", None) or error
    return " ".join(str(told).split())


def receiving(config: HqConfig) -> Store:
    """The events store as the receiver needs it, its tables made. Raises one of `sql.errors`."""
    if not sql.is_postgres(config.store):
        from sync.hq.store import Store

        return Store(_file(config, "hq.db"), issues=issues.of(config))
    sql.postgres(config.store).close()  # says in words when psycopg or the server is not there
    from sync.hq.pgstore import PgStore

    return PgStore(config.store, config.data, issues=issues.of(config))


def events(config: HqConfig, reading: bool = True) -> sql.Db:
    """The events store. To be read only: raises `Absent` when no receiver has made it. To be written: by a receiver,
    who makes its tables. Raises one of `sql.errors`."""
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
    """The desk's store; whoever writes makes the tables that there are not yet. Raises `Absent` when it is only to be
    read and nothing was ever written, or one of `sql.errors`."""
    if sql.is_postgres(config.store):
        return _desk_schema(config.store, reading)
    file = _file(config, "desk.db")
    if reading:
        return _read(file, "nothing was written down at the desk yet")
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)  # numbers lie in it
    return _migrated(sql.sqlite(file, patience_s=10))


def _desk_schema(url: str, reading: bool) -> sql.Db:
    db = sql.postgres(url, reading=reading)
    if db.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'desk'") == 0:
        if reading:
            db.close()
            raise Absent("the PostgreSQL store has no desk yet: nothing was written down there")
        schema.make_desk(db)
    db.run("SET search_path = desk, public")
    return db if reading else _migrated(db)


def _migrated(db: sql.Db) -> sql.Db:
    try:
        deskstore.migrate(db)
    except BaseException:
        db.close()
        raise
    return db


def _file(config: HqConfig, name: str) -> Path:
    return config.data / name


def _read(file: Path, otherwise: str) -> sql.Db:
    try:
        return sql.sqlite(file, reading=True)
    except FileNotFoundError:
        raise Absent(f"{file}: {otherwise}") from None
