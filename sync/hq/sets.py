"""Many rows in one statement, in either store: the rows travel as one JSON text and are taken apart there.

Rules of this room
- Rows are written in the order of their key, so that two receivers that write the same rows wait for each other in the
  same order and never in a ring.
- Nothing here knows what a table means; `tables` tells columns, types and keys.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sync.hq import tables
from sync.hq.sql import Db, Row, translated

Values = Sequence[object]
Key = tuple[Any, ...]  # the values of a primary key, in the order of its columns
_END = "\x1e"  # stands behind a text that is sent as one of many: nothing printable holds it
CHUNK = 20_000  # rows in one statement: bounded memory at the server
_CAST = {"INTEGER": "BIGINT", "INT": "INT", "TEXT": "TEXT"}


def given(kind: str, columns: Mapping[str, str]) -> str:
    """A SELECT of these columns out of `:rows`, a JSON array of arrays."""
    if kind == "sqlite":
        parts = [f"json_extract(value, '$[{place}]') AS {name}" for place, name in enumerate(columns)]
        return f"SELECT {', '.join(parts)} FROM json_each(:rows)"
    parts = [f"CAST(v ->> {place} AS {_CAST[type_]}) AS {name}" for place, (name, type_) in enumerate(columns.items())]
    return f"SELECT {', '.join(parts)} FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS t(v)"


def packed(rows: Collection[Values]) -> str:
    """These rows, for `:rows`."""
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


@lru_cache(64)
def _upsert(kind: str, table: str, how: str) -> str:
    columns, key = tables.columns(table), tables.key(table)
    change = {
        "add": "{0} = {1}.{0} + excluded.{0}", "append": "{0} = {1}.{0} || excluded.{0}", "set": "{0} = excluded.{0}",
    }[how]  # fmt: skip
    changes = ", ".join(change.format(name, table) for name in columns if name not in key)
    if kind == "sqlite":
        source = f"VALUES ({', '.join('?' * len(columns))})"
    else:
        source = f"SELECT * FROM ({given(kind, columns)}) AS taken ORDER BY {', '.join(key)}"
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) {source} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}"
    )


def _put(db: Db, table: str, rows: Iterable[Values], how: str) -> None:
    columns = tuple(tables.columns(table))
    ordered = sorted(rows, key=itemgetter(*map(columns.index, tables.key(table))))
    statement = _upsert(db.kind, table, how)
    if db.kind == "sqlite":
        db.raw.executemany(statement, ordered)
        return
    for at in range(0, len(ordered), CHUNK):
        db.run(statement, rows=packed(ordered[at : at + CHUNK]))


def add(db: Db, table: str, rows: Iterable[Values]) -> None:
    """Add counters to what each key has. A row has all columns of the table, in their order; a key comes once."""
    _put(db, table, rows, "add")


def put(db: Db, table: str, rows: Iterable[Values]) -> None:
    """Write rows as they are now."""
    _put(db, table, rows, "set")


def append(db: Db, table: str, marks: Mapping[Any, str]) -> dict[Any, str]:
    """Append to the marks of each key: whole lines. Returns the marks, as they are now, of every key that has more than
    one line; the others are new, with one line. A key of one column is that value, of several a tuple. Each row is held
    until the transaction ends, so that what is made of them is exact whoever else writes."""
    ordered, columns, key = sorted(marks), tables.columns(table), tables.key(table)
    one = len(key) == 1
    told: dict[Any, str] = {}
    if db.kind == "sqlite":  # one writer: what is there is read, and cannot change before it is written
        keys = [(name,) for name in ordered] if one else ordered
        for row in fetch(db, _held(table), {name: columns[name] for name in key}, keys):
            *name, had = row.values()
            held = name[0] if one else tuple(name)
            told[held] = had + marks[held]
        told |= {name: text for name, text in marks.items() if text.count("\n") > 1 and name not in told}
        rows = [(*name, marks[held]) for name, held in zip(keys, ordered, strict=True)]
        db.raw.executemany(_upsert(db.kind, table, "append"), rows)
        return told
    for at in range(0, len(ordered), CHUNK):
        part = ordered[at : at + CHUNK]
        texts = [*([part] if one else zip(*part, strict=True)), list(map(marks.__getitem__, part))]
        values = {f"c{place}": _END.join(map(str, column)) + _END for place, column in enumerate(texts)}
        for *name, now in map(dict.values, db.rows(_appended(table), values)):
            told[name[0] if one else tuple(name)] = now
    return told


@lru_cache(8)
def _held(table: str) -> str:
    key = tables.key(table)
    same = " AND ".join(f"{table}.{name} = wanted.{name}" for name in key)
    named = ", ".join(f"{table}.{name}" for name in key)
    return f"SELECT {named}, {table}.marks FROM ({{given}}) AS wanted CROSS JOIN {table} WHERE {same}"


@lru_cache(8)
def _appended(table: str) -> str:
    """The same for PostgreSQL, in one statement; columns come as texts with a mark behind each value."""
    columns, key = tables.columns(table), tables.key(table)
    arrays = ", ".join(f"string_to_array(:c{place}, chr({ord(_END)}))" for place in range(len(columns)))
    texts = ", ".join(f"CAST({name} AS {_CAST[type_]})" for name, type_ in columns.items())
    return (
        f"WITH done AS (INSERT INTO {table} ({', '.join(columns)}) SELECT {texts}"
        f" FROM unnest({arrays}) WITH ORDINALITY AS taken ({', '.join(columns)}, place) WHERE marks <> ''"
        f" ORDER BY place ON CONFLICT ({', '.join(key)}) DO UPDATE SET marks = {table}.marks || excluded.marks"
        f" RETURNING {', '.join(key)}, marks)"
        f" SELECT {', '.join(key)}, marks FROM done WHERE strpos(marks, chr(10)) < length(marks)"
    )


def fetch(db: Db, sql: str, columns: Mapping[str, str], wanted: Iterable[Key], **values: object) -> list[Row]:
    """The rows of a query over `{given}`, these columns of what is wanted. PostgreSQL plans it anew each time, with
    these values: a plan that was made for an empty store, or for every day, would be a slow one for ever."""
    ordered = sorted(wanted)
    statement = sql.format(given=given(db.kind, columns))
    found: list[Row] = []
    for at in range(0, len(ordered), CHUNK):
        values["rows"] = packed(ordered[at : at + CHUNK])
        if db.kind == "sqlite":
            found += db.rows(statement, values)
        else:
            found += db.raw.execute(translated(statement), values, prepare=False).fetchall()
    return found
