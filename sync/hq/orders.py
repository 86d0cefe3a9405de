"""HQ's orders to boxes: written down at the desk, sent by the receiver, repeated until a box has answered.

Rules of this room
- `orders` of the desk store is written by whoever sits at HQ's desk (a page, or the command below), always inside a
  transaction of the writer's, and read by the receiver.
- Orders of one box are numbered without a gap. A number is never given twice, even when the desk store was lost: what
  boxes have answered counts too. Writers go one after the other, so that rows also appear in the order of their ids:
  whoever reads on from a mark misses none.
- A box answers with an event in a ledger; until that is here its orders are repeated after each of its hellos.
- Nothing is ordered that writes to or rings a number that is suppressed: every order is written here, so that nobody
  who orders can forget to look.
- Numbers of voters stand in the store and on the air, never in what is printed.
"""

from __future__ import annotations

import getpass
import json
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from edge import sms
from edge.rules import DESK_PARTS
from sync import orders, wire
from sync.hq import config as settings
from sync.hq import sql, stores
from sync.hq.doors import audit
from sync.hq.people import suppression
from sync.hq.sql import Db

AT_ONCE = 50  # orders repeated after one hello
_READ = 1000  # rows read in one look

_LINES = (
    "SELECT line, campaign, (SELECT coalesce(max(number), 0) FROM ordered WHERE box = :box) AS answered"
    " FROM store WHERE box = :box ORDER BY id"
)
_BOXES = "SELECT box FROM box ORDER BY box LIMIT 20"
_WRITE = (
    "INSERT INTO orders (box, number, line, verb, args, made_ms, by) SELECT :box,"
    " 1 + CASE WHEN coalesce(max(number), 0) > :answered THEN max(number) ELSE :answered END,"
    " :line, :verb, :args, :made_ms, :by FROM orders WHERE box = :box RETURNING number"
)
_NEW = (
    "SELECT id, box, number, line, verb, args, made_ms FROM orders WHERE id > :last"
    f" ORDER BY id LIMIT {_READ}"
)  # fmt: skip
_NEWEST = "SELECT coalesce(max(id), 0) FROM orders"
_FORMS = {  # verb -> what `particulars` are; those in [] may be left out
    "call-back": ("number", "[campaign]"),
    "case": ("reference", "state"),
    "sms": ("number", "language", "text", "[campaign]"),
    "opt-out": ("number",),
}


_TO_CALLERS = ("sms", "call-back")  # verbs that write to or ring somebody


class Refused(Exception):
    """This cannot be ordered; the text says why and what to do, and holds no number."""


class Suppressed(Refused):
    """The caller wants nothing more, or was forgotten."""


class Outbox:
    """Orders that no box has answered yet, as the receiver needs them: read from the desk store, never written.

    `opened` opens the desk store to be read; while it cannot be opened or read, nothing is new."""

    def __init__(self, opened: Callable[[], Db], answered: Iterable[tuple[str, int]]) -> None:
        self._opened = opened
        self._db: Db | None = None
        self._answered = set(answered)
        self._open: dict[str, dict[int, bytes]] = {}
        self._last = 0

    def look(self) -> set[str]:
        """Read on; the boxes for which there is something new. A store that cannot be read now is read later."""
        try:
            found = self._read()
        except sql.errors():
            self.close()
            return set()
        new = set()
        for row in found:
            self._last, box, number = row["id"], row["box"], row["number"]
            if (box, number) not in self._answered:
                order = wire.Order(number, row["line"], row["verb"], row["args"], row["made_ms"])
                self._open.setdefault(box, {})[number] = wire.pack_order(order)
                new.add(box)
        return new

    def _read(self) -> list[sql.Row]:
        """The rows behind the mark. A store whose newest row lies before it was begun anew: read it from its start."""
        self._db = self._db or self._opened()
        found = self._db.rows(_NEW, last=self._last)
        if not found and self._db.value(_NEWEST) < self._last:
            self._last = 0
            found = self._db.rows(_NEW, last=0)
        if self._db.kind == "sqlite":  # the file may be another one by the next look
            self.close()
        return found

    def done(self, box: str, number: int) -> None:
        """A ledger of that box has answered."""
        self._answered.add((box, number))
        self._open.get(box, {}).pop(number, None)

    def waiting(self, box: str) -> list[bytes]:
        """What to tell that box now, oldest first."""
        return list(self._open.get(box, {}).values())[:AT_ONCE]

    def close(self) -> None:
        """Let go of the desk store, until the next look."""
        if self._db is not None:
            self._db.close()
            self._db = None


# -------------------------------------------------------------------------------------- at the desk


def order(
    desk: Db, events: Db, box: str, line: str, verb: str, args: Mapping[str, str], by: str, now_ms: int, *,
    secret: bytes,
) -> int:  # fmt: skip
    """Write an order down, inside a transaction of the caller's on `desk`; returns its number for that box. With `line`
    "" an opt-out goes to the box's first line: it counts on all. `secret` is the key of what is suppressed. Raises
    `Refused`, or the store's error."""
    lines, answered = _known(events, box)
    if not line and verb == "opt-out":
        line = next(iter(lines))
    if line not in lines:
        raise Refused(f"box {box} has no line {line!r}; known: {', '.join(sorted(lines))}")
    told = json.dumps(dict(args), ensure_ascii=False, separators=(",", ":"))
    if why := orders.refusal(verb, told):
        raise Refused(f"{verb}: {why}")
    if verb in _TO_CALLERS and suppression.is_suppressed(desk, secret, args["number"]):
        raise Suppressed("This caller wants nothing more from us: nothing is sent.")
    if verb == "sms" and sms.count(args["text"]).parts > DESK_PARTS:
        raise Refused(f"{verb}: its text needs more than {DESK_PARTS} SMS: make it shorter")
    if desk.kind == "postgresql":
        desk.run("LOCK TABLE orders IN SHARE ROW EXCLUSIVE MODE")
    row = {"box": box, "answered": answered, "line": line, "verb": verb, "args": told, "made_ms": now_ms, "by": by}
    return int(desk.value(_WRITE, row))


def _known(events: Db, box: str) -> tuple[dict[str, str], int]:
    """The lines of a box, each with the campaign of its newest ledger, and the highest order that the box has answered.
    Raises `Refused` when there are none."""
    found = events.rows(_LINES, box=box)
    if not found:
        boxes = ", ".join(row["box"] for row in events.rows(_BOXES))
        raise Refused(f"headquarters knows no box {box!r}; known: {boxes or 'none'}")
    return {str(row["line"]): str(row["campaign"]) for row in found}, int(found[0]["answered"])


def give(
    config: settings.HqConfig, box: str, line: str, verb: str, particulars: Sequence[str], by: str, now_ms: int
) -> int:  # fmt: skip
    """Write an order down as the command has it, with its entry in the log; returns its number for that box. `line`
    "-" is any line. Raises `Refused`, or a store's error.

    `particulars`: call-back NUMBER [CAMPAIGN]; case REFERENCE STATE; sms NUMBER LANGUAGE TEXT [CAMPAIGN]; opt-out
    NUMBER. A campaign that is not told is the line's."""
    try:
        events = stores.events(config)
    except FileNotFoundError as error:
        raise Refused(f"{error}: headquarters knows no box yet: start `miscall hq run`") from None
    with events:
        line = "" if line == "-" else line
        args = _args(verb, particulars, _known(events, box)[0].get(line, ""))
        with stores.desk(config) as desk, desk.transaction():
            secret = suppression.key(config.data)
            number = order(desk, events, box, line, verb, args, by, now_ms, secret=secret)
            audit.append(desk, now_ms, by, "console", f"ordered {verb}", f"{box} order {number}")
    return number


def _args(verb: str, particulars: Sequence[str], campaign: str) -> dict[str, str]:
    """The particulars by name, the line's `campaign` where it was left out."""
    form = _FORMS.get(verb, ())
    names = [name.strip("[]") for name in form]
    if len(particulars) not in (len(form), len(form) - ("[campaign]" in form)):
        forms = ", or ".join(f"`{one} {' '.join(form).upper()}`" for one, form in _FORMS.items())
        raise Refused(f"say {forms}")
    return dict(zip(names, [*particulars, campaign], strict=False))


def run(config_path: str, box: str, line: str, verb: str, particulars: Sequence[str]) -> int:
    """`miscall hq order`: 0 when it is written down, 1 after one line on stderr that says what to do."""
    try:
        number = give(settings.load(config_path), box, line, verb, particulars, who(), int(time.time() * 1000))
    except (settings.ConfigError, Refused, sql.Unavailable) as why:
        print(why, file=sys.stderr)
        return 1
    except sql.errors() as error:  # PostgreSQL's own words may hold values
        told = str(error) if isinstance(error, sqlite3.Error | OSError) else type(error).__name__
        print(f"the order is not written down: {told}; look at headquarters' stores", file=sys.stderr)
        return 1
    print(f"order {number} for {box}, line {line}: written down; the receiver sends it until the box has answered")
    return 0


def who() -> str:
    """The user of headquarters' machine who gives a command."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"user {os.getuid()}"
