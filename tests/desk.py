"""The desk for its tests: an events store in which boxes have left things, on either store.

`Boxes` writes what a receiver would: ledgers, rows, and the tables of things.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.hq import sql
from sync.hq.desk import gather, inbox
from sync.hq.pages.routes import ROUTES, TABS
from sync.hq.recordings import where
from tests.hq import Client, Office

CALLER = "+919812345678"
OTHER = "+919812345111"
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
_PORTABLE = """
CREATE TABLE box (
    box TEXT PRIMARY KEY, district TEXT NOT NULL, timezone TEXT NOT NULL, version TEXT NOT NULL,
    admitted_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL, as_of_ms INTEGER NOT NULL, clock INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE store (
    id INTEGER PRIMARY KEY, store TEXT NOT NULL UNIQUE, box TEXT NOT NULL, line TEXT NOT NULL,
    number TEXT NOT NULL DEFAULT '', campaign TEXT NOT NULL DEFAULT '', channel TEXT NOT NULL DEFAULT '',
    language TEXT NOT NULL DEFAULT '', hwm INTEGER NOT NULL DEFAULT 0, chain BLOB NOT NULL,
    admitted_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE event (
    store_id INTEGER NOT NULL, seq INTEGER NOT NULL, "of" INTEGER NOT NULL, kind TEXT NOT NULL, boot TEXT NOT NULL,
    mono_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL, clock INTEGER NOT NULL, campaign TEXT NOT NULL,
    caller TEXT NOT NULL, caller_kind TEXT NOT NULL, state TEXT NOT NULL, seconds INTEGER NOT NULL,
    extra TEXT NOT NULL, hq_ms INTEGER NOT NULL, PRIMARY KEY (store_id, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE recording_file (
    store_id INTEGER NOT NULL, seq INTEGER NOT NULL, codec TEXT NOT NULL, bytes INTEGER NOT NULL, sha256 BLOB NOT NULL,
    have INTEGER NOT NULL, wrong INTEGER NOT NULL, done_ms INTEGER, PRIMARY KEY (store_id, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE ordered (
    box TEXT NOT NULL, number INTEGER NOT NULL, state TEXT NOT NULL, why TEXT NOT NULL, at_ms INTEGER NOT NULL,
    PRIMARY KEY (box, number)
) STRICT, WITHOUT ROWID;
"""
_THINGS = """
CREATE TABLE recording (
    store_id INTEGER NOT NULL, seq INTEGER NOT NULL, campaign TEXT NOT NULL, day INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, caller TEXT NOT NULL, language TEXT NOT NULL, state TEXT NOT NULL, call INTEGER NOT NULL,
    node TEXT NOT NULL, tags TEXT NOT NULL, is_case INTEGER NOT NULL, ms INTEGER NOT NULL, speech_ms INTEGER,
    PRIMARY KEY (store_id, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE grievance (
    store_id INTEGER NOT NULL, seq INTEGER NOT NULL, campaign TEXT NOT NULL, day INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, caller TEXT NOT NULL, language TEXT NOT NULL, state TEXT NOT NULL,
    reference TEXT NOT NULL, opened_ms INTEGER NOT NULL, due_ms INTEGER NOT NULL, call INTEGER NOT NULL,
    recording INTEGER NOT NULL, node TEXT NOT NULL, tags TEXT NOT NULL, changed_ms INTEGER NOT NULL,
    contacted_ms INTEGER, resolved_ms INTEGER, verified_ms INTEGER, reopened INTEGER NOT NULL,
    PRIMARY KEY (store_id, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE letter (
    store_id INTEGER NOT NULL, seq INTEGER NOT NULL, campaign TEXT NOT NULL, day INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, caller TEXT NOT NULL, caller_kind TEXT NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY (store_id, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE answer (
    store_id INTEGER NOT NULL, seq INTEGER NOT NULL, campaign TEXT NOT NULL, day INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, caller TEXT NOT NULL, language TEXT NOT NULL, call INTEGER NOT NULL, node TEXT NOT NULL,
    key TEXT NOT NULL, issue TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (store_id, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE optout (
    store_id INTEGER NOT NULL, seq INTEGER NOT NULL, campaign TEXT NOT NULL, day INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, caller TEXT NOT NULL, PRIMARY KEY (store_id, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE talk (
    store_id INTEGER NOT NULL, seq INTEGER NOT NULL, campaign TEXT NOT NULL, at_ms INTEGER NOT NULL,
    caller TEXT NOT NULL, placed INTEGER NOT NULL, answered INTEGER NOT NULL, seconds INTEGER NOT NULL,
    PRIMARY KEY (store_id, seq)
) STRICT, WITHOUT ROWID;
"""
_EVENT = (
    "INSERT INTO event VALUES (:store_id, :seq, :of, :kind, 'ab', 1, :at_ms, 3, :campaign, :caller, '', :state, 0,"
    " :extra, :at_ms)"
)


def build(db: sql.Db) -> None:
    """The tables of an events store that the desk reads."""
    db.build(_PORTABLE + _THINGS)


class Boxes:
    """One ledger of one box; more with `ledger`."""

    def __init__(self, db: sql.Db, now_ms: int, data: Path) -> None:
        self.db, self.now_ms, self.data = db, now_ms, data
        self.ids: dict[str, int] = {}
        self.seqs: dict[int, int] = {}
        self.id = self.ledger("aaaaaaaa", "box-a", "main", "Nandgaon")

    def ledger(self, store: str, box: str, line: str, district: str) -> int:
        self.db.run(
            "INSERT INTO box VALUES (:box, :district, 'Asia/Kolkata', '1', 0, 0, 0, 3) ON CONFLICT (box) DO NOTHING",
            box=box, district=district,
        )  # fmt: skip
        made = self.db.value(
            "INSERT INTO store (store, box, line, campaign, language, chain, admitted_ms, seen_ms)"
            " VALUES (:store, :box, :line, 'water', 'hi', :chain, 0, 0) RETURNING id",
            store=store, box=box, line=line, chain=b"x",
        )  # fmt: skip
        self.ids[store], self.seqs[made] = made, 0
        return int(made)

    def row(self, kind: str, state: str = "", of: int = 0, at_ms: int | None = None, ledger: int = 0,
            caller: str = "", extra: dict[str, Any] | None = None) -> int:  # fmt: skip
        ledger = ledger or self.id
        self.seqs[ledger] += 1
        self.db.run(
            _EVENT, store_id=ledger, seq=self.seqs[ledger], of=of, kind=kind, at_ms=at_ms or self.now_ms,
            campaign="water", caller=caller, state=state, extra=json.dumps(extra) if extra else "",
        )  # fmt: skip
        self.db.run("UPDATE store SET hwm = :seq WHERE id = :id", seq=self.seqs[ledger], id=ledger)
        return self.seqs[ledger]

    def put(self, table: str, values: dict[str, Any]) -> None:
        self.db.run(
            f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(f':{name}' for name in values)})", values
        )

    def case(self, caller: str = CALLER, at_ms: int = 0, reference: str = "1234566", tags: str = "water,broken",
             said: int = 0, state: str = "new", ledger: int = 0) -> int:  # fmt: skip
        at_ms = at_ms or self.now_ms - HOUR_MS
        seq = self.row("case", state, at_ms=at_ms, ledger=ledger, caller=caller)
        self.put("grievance", {
            "store_id": ledger or self.id, "seq": seq, "campaign": "water", "day": 1, "at_ms": at_ms, "caller": caller,
            "language": "hi", "state": state, "reference": reference, "opened_ms": at_ms, "due_ms": at_ms + DAY_MS,
            "call": 0, "recording": said, "node": "g", "tags": tags, "changed_ms": at_ms, "reopened": 0,
        })  # fmt: skip
        return seq

    def take(self, caller: str = CALLER, at_ms: int = 0, tags: str = "water", state: str = "kept",
             speech_ms: int | None = 5000, is_case: int = 0, ledger: int = 0) -> int:  # fmt: skip
        at_ms = at_ms or self.now_ms - HOUR_MS
        seq = self.row("recording", "recording", at_ms=at_ms, ledger=ledger, caller=caller)
        self.put("recording", {
            "store_id": ledger or self.id, "seq": seq, "campaign": "water", "day": 1, "at_ms": at_ms, "caller": caller,
            "language": "hi", "state": state, "call": 0, "node": "r", "tags": tags, "is_case": is_case, "ms": 9000,
            "speech_ms": speech_ms,
        })  # fmt: skip
        return seq

    def letter(self, text: str, caller: str = CALLER, at_ms: int = 0, ledger: int = 0) -> int:
        at_ms = at_ms or self.now_ms - HOUR_MS
        seq = self.row("message", "received", at_ms=at_ms, ledger=ledger, caller=caller)
        self.put("letter", {
            "store_id": ledger or self.id, "seq": seq, "campaign": "water", "day": 1, "at_ms": at_ms, "caller": caller,
            "caller_kind": "national", "text": text,
        })  # fmt: skip
        return seq

    def opt_out(self, caller: str) -> None:
        seq = self.row("optout", "on", caller=caller)
        self.put("optout", {"store_id": self.id, "seq": seq, "campaign": "water", "day": 1, "at_ms": self.now_ms,
                            "caller": caller})  # fmt: skip

    def says(self, case: int, state: str, of_order: bool = False, at_ms: int | None = None) -> None:
        """A case's state changes at the box: because of an order of ours, or by its caller's key."""
        if of_order:
            self.row("order", "done")
        self.row("case", state, of=case, at_ms=at_ms)
        self.db.run("UPDATE grievance SET state = :state WHERE seq = :seq", state=state, seq=case)

    def sound(self, take: int, sound: bytes, ledger: int = 0) -> None:
        """All of a recording's sound has arrived."""
        store = next(name for name, number in self.ids.items() if number == (ledger or self.id))
        box = self.db.value("SELECT box FROM store WHERE id = :id", id=ledger or self.id)
        file = self.data / where(box, store, take)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(sound)
        self.db.run(
            "INSERT INTO recording_file VALUES (:id, :seq, 'opus', :size, :digest, :size, 0, 1)",
            id=ledger or self.id, seq=take, size=len(sound), digest=b"d",
        )  # fmt: skip


class Desk:
    """An office with a box and the browser of somebody at the desk."""

    def __init__(self, folder: Path, store: str) -> None:
        self.office = Office(folder, ROUTES, TABS, store)
        self.now_ms = self.office.now_ms
        self.events = self._events(folder, store)
        build(self.events)
        self.boxes = Boxes(self.events, self.now_ms, self.office.config.data)
        self.client: Client = self.office.client("desk", name="asha")

    def _events(self, folder: Path, store: str) -> sql.Db:
        return sql.postgres(store) if sql.is_postgres(store) else sql.sqlite(self.office.config.data / "hq.db")

    def gather(self) -> int:
        with self.office.desk() as desk:
            return gather.gather(self.events, desk, self.now_ms)

    def rows(self, query: str = "SELECT * FROM desk_thing ORDER BY id") -> list[dict[str, Any]]:
        with self.office.desk() as desk:
            return desk.rows(query)

    def page(self, **asked: str) -> list[str]:
        with self.office.desk() as desk:
            filters = inbox.Filters.read(asked)
            return [row["name"] for row in inbox.page(desk, filters, self.now_ms)]

    def move(self, seq: int, verb: str, client: Client | None = None, **more: str) -> Any:
        name = f"aaaaaaaa-{seq}"
        version = more.pop("version", "") or next(str(row["version"]) for row in self.rows() if row["name"] == name)
        return (client or self.client).post("/desk/move", {"name": name, "version": version, "verb": verb, **more})


@pytest.fixture(params=["sqlite", "postgresql"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    store = "sqlite" if request.param == "sqlite" else request.getfixturevalue("postgres").database()
    made = Desk(tmp_path, store)
    yield made
    made.events.close()
