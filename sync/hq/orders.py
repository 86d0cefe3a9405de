"""HQ's orders to boxes: written down at the desk, sent by the receiver, repeated until a box has answered.

Rules of this room
- The desk's store is written by whoever sits at HQ's desk and read by the receiver. `desk.db` is a file of its own,
  because the receiver alone writes `hq.db`, and has no write-ahead log, because several hands write it.
- Orders of one box are numbered without a gap. A number is never given twice, even when the desk's file was lost: what
  boxes have answered counts too.
- A box answers with an event in a ledger; until that is here its orders are repeated after each of its hellos.
- Numbers of voters stand in the file and on the air, never in what is printed.
"""

from __future__ import annotations

import getpass
import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from sync import orders, wire
from sync.hq import config as settings
from sync.hq import stores
from sync.hq.sql import Db

AT_ONCE = 50  # orders repeated after one hello

_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY, box TEXT NOT NULL, number INTEGER NOT NULL, line TEXT NOT NULL, verb TEXT NOT NULL,
    args TEXT NOT NULL, made_ms INTEGER NOT NULL, by TEXT NOT NULL, UNIQUE (box, number)
) STRICT
"""
_ORDER = (
    "INSERT INTO orders (box, number, line, verb, args, made_ms, by)"
    " VALUES (:box, :number, :line, :verb, :args, :made_ms, :by)"
)
_NEW = "SELECT id, box, number, line, verb, args, made_ms FROM orders WHERE id > :last ORDER BY id LIMIT 1000"
_LINES = "SELECT line, campaign FROM store WHERE box = :box ORDER BY id"


class Refused(Exception):
    """This cannot be ordered; the text says why and what to do, and holds no number."""


class Outbox:
    """Orders that no box has answered yet, as the receiver needs them: read from the desk's store, never written."""

    def __init__(self, config: settings.HqConfig, answered: Iterable[tuple[str, int]]) -> None:
        self._config = config
        self._answered = set(answered)
        self._open: dict[str, dict[int, bytes]] = {}
        self._last = 0

    def look(self) -> set[str]:
        """Read on; the boxes for which there is something new. A store that cannot be read now is read later."""
        new = set()
        try:
            with stores.desk(self._config, reading=True) as db:
                found = db.rows(_NEW, last=self._last)
        except stores.failures():
            return set()
        for row in found:
            self._last, box, number = row["id"], row["box"], row["number"]
            if (box, number) not in self._answered:
                order = wire.Order(number, row["line"], row["verb"], row["args"], row["made_ms"])
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


def give(
    config: settings.HqConfig, box: str, line: str, verb: str, particulars: Sequence[str], by: str, now_ms: int
) -> int:
    """Write an order down; returns its number for that box. Raises `Refused`, or one of `stores.failures`.

    `particulars`: call-back NUMBER [CAMPAIGN]; case REFERENCE STATE."""
    try:
        with stores.events(config) as events:
            campaign, answered = _known(events, box, line)
    except stores.Absent as absent:
        raise Refused(f"headquarters knows no box yet: {absent}") from None
    args = json.dumps(_args(verb, particulars, campaign), separators=(",", ":"))
    if why := orders.refusal(verb, args):
        raise Refused(f"{verb}: {why}")
    with stores.desk(config) as desk, stores.one_at_a_time(desk):
        desk.build(_SCHEMA)
        return _write(desk, answered, (box, line, verb, args), by, now_ms)


def _write(desk: Db, answered: int, order: tuple[str, str, str, str], by: str, now_ms: int) -> int:
    """Within a transaction that nobody else's can pass: the next number of that box."""
    box, line, verb, args = order
    given = desk.value("SELECT coalesce(max(number), 0) FROM orders WHERE box = :box", box=box)
    number = max(int(given), answered) + 1
    desk.run(_ORDER, box=box, number=number, line=line, verb=verb, args=args, made_ms=now_ms, by=by)
    return number


def _known(db: Db, box: str, line: str) -> tuple[str, int]:
    """The campaign of a line as its newest ledger tells it, and the highest number that its box has answered."""
    lines = {row["line"]: row["campaign"] for row in db.rows(_LINES, box=box)}
    if not lines:
        boxes = ", ".join(row["box"] for row in db.rows("SELECT box FROM box ORDER BY box LIMIT 20"))
        raise Refused(f"headquarters knows no box {box!r}; known: {boxes or 'none'}")
    if line not in lines:
        raise Refused(f"box {box} has no line {line!r}; known: {', '.join(sorted(lines))}")
    answered = db.value("SELECT coalesce(max(number), 0) FROM ordered WHERE box = :box", box=box)
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
        number = give(settings.load(config_path), box, line, verb, particulars, _who(), int(time.time() * 1000))
    except (settings.ConfigError, Refused) as why:
        print(why, file=sys.stderr)
        return 1
    except stores.failures() as error:
        print(f"the order is not written down: {stores.words(error)}; look at headquarters' store", file=sys.stderr)
        return 1
    print(f"order {number} for {box}, line {line}: written down; the receiver sends it until the box has answered")
    return 0


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"user {os.getuid()}"
