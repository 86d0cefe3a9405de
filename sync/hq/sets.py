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

from sync.hq import tables
from sync.hq.sql import Db, Row

Values = Sequence[object]
CHUNK = 20_000  # rows in one statement: bounded memory at the server
_CAST = {"INTEGER": "BIGINT", "TEXT": "TEXT"}


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
    if kind == "sqlite" and how != "append":
        source = f"VALUES ({', '.join('?' * len(columns))})"
    else:
        source = f"SELECT * FROM ({given(kind, columns)}) AS taken WHERE true ORDER BY {', '.join(key)}"
    done = f" RETURNING {', '.join((*key, 'marks'))}" if how == "append" else ""
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) {source}"
        f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}{done}"
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


def append(db: Db, table: str, marks: Mapping[tuple[object, ...], str]) -> dict[tuple[object, ...], tuple[str, str]]:
    """Append to the marks of each key; the marks before and after. Each row is held until the transaction ends, so that
    what is made of `before` and `after` is exact whoever else writes."""
    key = tables.key(table)
    told: dict[tuple[object, ...], tuple[str, str]] = {}
    ordered = sorted(marks)
    for at in range(0, len(ordered), CHUNK):
        rows = [(*each, marks[each]) for each in ordered[at : at + CHUNK]]
        for row in db.rows(_upsert(db.kind, table, "append"), rows=packed(rows)):
            name, after = tuple(map(row.__getitem__, key)), row["marks"]
            told[name] = (after[: -len(marks[name])], after)
    return told


def fetch(db: Db, sql: str, columns: Mapping[str, str], wanted: Iterable[tuple[int, ...]]) -> list[Row]:
    """The rows of a query over `{given}`, these columns of what is wanted."""
    ordered = sorted(wanted)
    statement = sql.format(given=given(db.kind, columns))
    found: list[Row] = []
    for at in range(0, len(ordered), CHUNK):
        found += db.rows(statement, rows=packed(ordered[at : at + CHUNK]))
    return found
