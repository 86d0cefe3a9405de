"""The desk for its tests: an events store in which boxes have left things, on either store.

`Boxes` writes what a receiver would: ledgers, rows, and their roll-ups.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.hq import rollups, sql
from sync.hq.desk import gather, inbox
from sync.hq.pages.routes import ROUTES, TABS
from sync.hq.recordings import where
from tests import rolling
from tests.hq import Client, Office

CALLER = "+919812345678"
OTHER = "+919812345111"
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class Boxes:
    """What boxes have sent: rows, taken in with their roll-ups in one transaction each, as a receiver does it. Box
    box-a has the ledger aaaaaaaa; more with `ledger`."""

    def __init__(self, db: sql.Db, now_ms: int, data: Path) -> None:
        self.db, self.now_ms, self.data = db, now_ms, data
        rolling.build(db)
        self.kept = rollups.Rollups(db)
        self.ledgers: dict[int, rolling.Ledger] = {}
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
        self.ledgers[made] = rolling.Ledger(made, store, box, line, "Asia/Kolkata", district, "poster", "water", "hi")
        self.seqs[made] = 0
        return int(made)

    def row(self, kind: str, state: str = "", of: int = 0, at_ms: int | None = None, ledger: int = 0,
            caller: str = "", extra: dict[str, Any] | None = None, seconds: int = 0) -> int:  # fmt: skip
        number = ledger or self.id
        self.seqs[number] += 1
        first = () if of else ("water", caller, "national" if caller else "withheld")
        row = (
            self.seqs[number], of, kind, "ab", 1, at_ms or self.now_ms, 3, *(first or ("", "", "")), state, seconds,
            json.dumps(extra) if extra else "",
        )  # fmt: skip
        rolling.take(self.db, self.kept, [[(self.ledgers[number], [row])]])
        self.db.run("UPDATE store SET hwm = :seq WHERE id = :id", seq=self.seqs[number], id=number)
        return self.seqs[number]

    def case(self, caller: str = CALLER, at_ms: int = 0, reference: str = "1234566", tags: str = "water,broken",
             said: int = 0, state: str = "new", ledger: int = 0) -> int:  # fmt: skip
        at_ms = at_ms or self.now_ms - HOUR_MS
        about = {"opened_ms": at_ms, "due_ms": at_ms + DAY_MS, "recording": said, "reference": reference, "tags": tags,
                 "language": "hi"}  # fmt: skip
        return self.row("case", state, at_ms=at_ms, ledger=ledger, caller=caller, extra=about)

    def take(self, caller: str = CALLER, at_ms: int = 0, tags: str = "water", state: str = "kept",
             speech_ms: int | None = 5000, is_case: bool = False, ledger: int = 0) -> int:  # fmt: skip
        """A recording; `state` "recording" leaves it open, for `kept`."""
        at_ms = at_ms or self.now_ms - HOUR_MS
        about = {"tags": tags, "language": "hi", "case": is_case or None}
        take = self.row("recording", "recording", at_ms=at_ms, ledger=ledger, caller=caller, extra=about)
        if state != "recording":
            self.ends(take, state, speech_ms, ledger)
        return take

    def ends(self, take: int, state: str = "kept", speech_ms: int | None = 5000, ledger: int = 0) -> None:
        about = {"ms": 9000} if speech_ms is None else {"ms": 9000, "speech_ms": speech_ms}
        self.row("recording", state, of=take, ledger=ledger, extra=about, seconds=9)

    def letter(self, text: str, caller: str = CALLER, at_ms: int = 0, ledger: int = 0) -> int:
        about = {"direction": "in", "text": text}
        return self.row(
            "message", "received", at_ms=at_ms or self.now_ms - HOUR_MS, ledger=ledger, caller=caller, extra=about
        )

    def opt_out(self, caller: str) -> None:
        self.row("optout", "on", caller=caller)

    def votes(self, caller: str, value: str) -> None:
        self.row("answer", value, caller=caller, extra={"issue": "subsidy", "node": "n", "key": "1"})

    def talks(self, caller: str, seconds: int) -> None:
        call = self.row("call", "missed", caller=caller, at_ms=self.now_ms - DAY_MS)
        self.row("call", "talked", of=call, seconds=seconds)

    def says(self, case: int, state: str, of_order: bool = False, at_ms: int | None = None) -> None:
        """A case's state changes at the box: because of an order of ours, or by its caller's key."""
        if of_order:
            self.row("order", "done")
        self.row("case", state, of=case, at_ms=at_ms)

    def obeys(self, box: str, number: int, state: str, why: str = "") -> None:
        """A box has answered an order."""
        self.db.run("INSERT INTO ordered VALUES (:box, :number, :state, :why, 1)", box=box, number=number, state=state,
                    why=why)  # fmt: skip

    def sound(self, take: int, sound: bytes, ledger: int = 0) -> None:
        """All of a recording's sound has arrived."""
        mine = self.ledgers[ledger or self.id]
        file = self.data / where(mine.box, mine.store, take)
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


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """On SQLite; `either` is for what a store might do differently."""
    made = Desk(tmp_path, "sqlite")
    yield made
    made.events.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    store = "sqlite" if request.param == "sqlite" else request.getfixturevalue("postgres").database()
    made = Desk(tmp_path, store)
    yield made
    made.events.close()
    made.office.close()
