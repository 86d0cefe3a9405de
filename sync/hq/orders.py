"""HQ's orders to boxes: written down at the desk, sent by the receiver, repeated until a box has answered.

Rules of this room
- `desk.db` is written by whoever sits at HQ's desk (today the command below) and read by the receiver. It is a file of
  its own, because the receiver alone writes `hq.db`, and has no write-ahead log, because several hands write it.
- Orders of one box are numbered without a gap. A number is never given twice, even when the desk's file was lost: what
  boxes have answered counts too.
- A box answers with an event in a ledger; until that is here its orders are repeated after each of its hellos.
- Numbers of voters stand in the file and on the air, never in what is printed.
"""

from __future__ import annotations

import getpass
import json
import os
import sqlite3
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from sync import orders, wire
from sync.hq import config as settings
from sync.hq.sql import Db

AT_ONCE = 50  # orders repeated after one hello

_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY, box TEXT NOT NULL, number INTEGER NOT NULL, line TEXT NOT NULL, verb TEXT NOT NULL,
    args TEXT NOT NULL, made_ms INTEGER NOT NULL, by TEXT NOT NULL, UNIQUE (box, number)
) STRICT
"""
_LINES = "SELECT line, campaign FROM store WHERE box = ? ORDER BY id"


class Refused(Exception):
    """This cannot be ordered; the text says why and what to do, and holds no number."""


class Outbox:
    """Orders that no box has answered yet, as the receiver needs them: read from the desk's file, never written."""

    def __init__(self, data: Path, answered: Iterable[tuple[str, int]]) -> None:
        self._file = data / "desk.db"
        self._answered = set(answered)
        self._open: dict[str, dict[int, bytes]] = {}
        self._last = 0

    def look(self) -> set[str]:
        """Read on; the boxes for which there is something new. A file that cannot be read now is read later."""
        if not self._file.exists():
            return set()
        query = "SELECT id, box, number, line, verb, args, made_ms FROM orders WHERE id > ? ORDER BY id LIMIT 1000"
        new = set()
        try:
            with closing(sqlite3.connect(f"{self._file.absolute().as_uri()}?mode=ro", uri=True, timeout=0.1)) as db:
                found = db.execute(query, (self._last,)).fetchall()
        except sqlite3.Error:
            return set()
        for self._last, box, number, line, verb, args, made_ms in found:
            if (box, number) not in self._answered:
                order = wire.Order(number, line, verb, args, made_ms)
                self._open.setdefault(box, {})[number] = wire.pack_order(order)
                new.add(box)
        return new

    def done(self, box: str, number: int) -> None:
        """A ledger of that box has answered."""
        self._answered.add((box, number))
        self._open.get(box, {}).pop(number, None)

    def waiting(self, box: str) -> list[bytes]:
        """What to tell that box now, oldest first."""
        return list(self._open.get(box, {}).values())[:AT_ONCE]


def give(data: Path, box: str, line: str, verb: str, particulars: Sequence[str], by: str, now_ms: int) -> int:
    """Write an order down; returns its number for that box. Raises `Refused`, or `sqlite3.Error`.

    `particulars`: call-back NUMBER [CAMPAIGN]; case REFERENCE STATE."""
    campaign, answered = _known(data / "hq.db", box, line)
    args = json.dumps(_args(verb, particulars, campaign), separators=(",", ":"))
    if why := orders.refusal(verb, args):
        raise Refused(f"{verb}: {why}")
    file = data / "desk.db"
    if not file.exists():
        file.touch(mode=0o600)
    with closing(sqlite3.connect(file, timeout=10, isolation_level=None)) as desk:
        desk.execute("PRAGMA synchronous = FULL")
        desk.execute("BEGIN IMMEDIATE")
        desk.execute(_SCHEMA)
        given = desk.execute("SELECT coalesce(max(number), 0) FROM orders WHERE box = ?", (box,)).fetchone()
        number = max(int(given[0]), answered) + 1
        desk.execute(
            "INSERT INTO orders (box, number, line, verb, args, made_ms, by) VALUES (?,?,?,?,?,?,?)",
            (box, number, line, verb, args, now_ms, by),
        )
        desk.execute("COMMIT")
    return number


def order(desk: Db, events: Db, box: str, line: str, verb: str, args: Mapping[str, str], by: str, now_ms: int) -> int:
    """Write an order down within the desk store's transaction; its number for that box. Raises `Refused`."""
    packed = json.dumps(dict(args), separators=(",", ":"))
    if why := orders.refusal(verb, packed):
        raise Refused(f"{verb}: {why}")
    answered = events.value("SELECT coalesce(max(number), 0) FROM ordered WHERE box = :box", box=box)
    given = desk.value("SELECT coalesce(max(number), 0) FROM orders WHERE box = :box", box=box)
    number = max(int(answered), int(given)) + 1
    desk.run(
        "INSERT INTO orders (box, number, line, verb, args, made_ms, by)"
        " VALUES (:box, :number, :line, :verb, :args, :now, :by)",
        box=box, number=number, line=line, verb=verb, args=packed, now=now_ms, by=by,
    )  # fmt: skip
    return number


def _known(path: Path, box: str, line: str) -> tuple[str, int]:
    """The campaign of a line as its newest ledger tells it, and the highest number that its box has answered."""
    if not path.exists():
        raise Refused(f"{path}: headquarters knows no box yet: start `miscall hq run`")
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as db:
        lines = dict(db.execute(_LINES, (box,)).fetchall())
        if not lines:
            boxes = ", ".join(row[0] for row in db.execute("SELECT box FROM box ORDER BY box LIMIT 20"))
            raise Refused(f"headquarters knows no box {box!r}; known: {boxes or 'none'}")
        if line not in lines:
            raise Refused(f"box {box} has no line {line!r}; known: {', '.join(sorted(lines))}")
        answered = db.execute("SELECT coalesce(max(number), 0) FROM ordered WHERE box = ?", (box,)).fetchone()[0]
    return str(lines[line]), int(answered)


def _args(verb: str, particulars: Sequence[str], campaign: str) -> dict[str, str]:
    if verb == "call-back" and len(particulars) in (1, 2):
        return {"number": particulars[0], "campaign": [*particulars, campaign][1]}
    if verb == "case" and len(particulars) == 2:
        return {"reference": particulars[0], "state": particulars[1]}
    raise Refused("say `call-back NUMBER`, or `case REFERENCE STATE`")


def run(config_path: Path | str, box: str, line: str, verb: str, particulars: Sequence[str]) -> int:
    """`miscall hq order`: 0 when it is written down, 1 after one line on stderr that says what to do."""
    try:
        data = settings.load(config_path).data
        number = give(data, box, line, verb, particulars, _who(), int(time.time() * 1000))
    except (settings.ConfigError, Refused) as why:
        print(why, file=sys.stderr)
        return 1
    except sqlite3.Error as error:
        print(f"the order is not written down: {error}; look at headquarters' data folder", file=sys.stderr)
        return 1
    print(f"order {number} for {box}, line {line}: written down; the receiver sends it until the box has answered")
    return 0


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"user {os.getuid()}"
