"""Headquarters' two stores for the tests of people, on either kind, with boxes, callers and what they sent.

`People.row` writes a row as the receiver would, into `event` and into the table of its kind.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from edge.events import GENESIS
from sync.hq import deskstore, schema, sql, tables
from tests.postgres import Server

NOW = 1_795_000_000_000
KEY = bytes(range(32))
ANU, BINA, CHAND = "+919876500011", "+919876500022", "+919876500033"

_EVENT = (
    'INSERT INTO event (store_id, seq, "of", kind, boot, mono_ms, at_ms, clock, campaign, caller, caller_kind, state,'
    " seconds, extra, hq_ms) VALUES (:store_id, :seq, :of, :kind, '0123456789abcdef', :seq, :at_ms, 3, :campaign,"
    " :caller, 'national', :state, 0, :extra, :at_ms)"
)
_BOX = "INSERT INTO box VALUES (:box, 'nashik', 'Asia/Kolkata', '1', :now, :now, :now, 3)"
_STORE = (
    "INSERT INTO store (id, store, box, line, campaign, chain, admitted_ms, seen_ms)"
    " VALUES (:id, :store, :box, :line, 'water', :chain, :now, :now)"
)


class People:
    """Both stores, open for writing."""

    def __init__(self, events: sql.Db, desk: sql.Db, data: Path) -> None:
        self.events, self.desk, self.data = events, desk, data
        self._seq: dict[int, Iterator[int]] = {}

    def box(self, name: str, *lines: str) -> list[int]:
        """A box, and the number of each line's ledger."""
        self.events.run(_BOX, box=name, now=NOW)
        made = []
        for line in lines or ("l1",):
            id = 1 + (self.events.value("SELECT coalesce(max(id), 0) FROM store") or 0)
            self.events.run(_STORE, id=id, store=f"{id:08x}", box=name, line=line, chain=GENESIS, now=NOW)
            self._seq[id] = count(1)
            made.append(id)
        return made

    def row(
        self, store: int, kind: str, caller: str, state: str = "", at_ms: int = NOW - 60_000, campaign: str = "water",
        **extra: Any,
    ) -> int:
        """A row of a ledger, and the thing that it begins; its seq."""
        seq = next(self._seq[store])
        told = json.dumps(extra, ensure_ascii=False, sort_keys=True, separators=(",", ":")) if extra else ""
        own = {"store_id": store, "seq": seq, "campaign": campaign, "caller": caller, "at_ms": at_ms, "state": state}
        self.events.run("UPDATE store SET hwm = :seq, last = :seq WHERE id = :id", seq=seq, id=store)
        self.events.run(_EVENT, {**own, "of": 0, "kind": kind, "extra": told})
        table = {"message": "letter"}.get(kind, kind)
        if table in tables.ALL and (kind != "message" or state == "received"):
            renamed = {"consent": {"purpose": state}, "answer": {"value": state}}.get(kind, {})
            self._thing(table, {**own, "day": at_ms // 86_400_000, **extra, **renamed})
        return seq

    def _thing(self, table: str, values: dict[str, Any]) -> None:
        columns = tables.columns(table)
        filled = {name: values.get(name, 0 if kind == "INTEGER" else "") for name, kind in columns.items()}
        names = ", ".join(f":{name}" for name in columns)
        self.events.run(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({names})", filled)

    def close(self) -> None:
        self.events.close()
        self.desk.close()


def sqlite_people(data: Path) -> People:
    events = schema.sqlite(data / "hq.db")
    events.raw.execute("PRAGMA synchronous = OFF")  # what a power cut does is other tests' business
    desk = sql.sqlite(data / "desk.db")
    desk.raw.execute("PRAGMA synchronous = OFF")
    deskstore.migrate(desk)
    return People(events, desk, data)


_ROOM: dict[int, str] = {}  # a server's database, made once and emptied for each test


def postgres_people(server: Server, data: Path) -> People:
    url = _ROOM.get(server.port) or _ROOM.setdefault(server.port, server.database())
    events, desk = schema.postgres(url), sql.postgres(url)
    for db in (events, desk):
        db.run("SET synchronous_commit = off")
    if desk.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'desk'") == 0:
        schema.make_desk(desk)
    desk.run("SET search_path = desk, public")
    deskstore.migrate(desk)
    for row in desk.rows("SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'desk')"):
        if row["tablename"] not in ("audit", "migration"):
            desk.run(f"DELETE FROM {row['schemaname']}.{row['tablename']}")
    return People(events, desk, data)


@pytest.fixture(name="people", params=["sqlite", "postgresql"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[People]:
    """Both stores, of each kind."""
    made = (
        sqlite_people(tmp_path)
        if request.param == "sqlite"
        else postgres_people(request.getfixturevalue("postgres"), tmp_path)
    )
    yield made
    made.close()
