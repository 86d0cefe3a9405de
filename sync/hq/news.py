"""What new rows say to the first page, gathered and written in the rows' own transaction: counts by the hour, what a
ledger says of its line, orders that a box answered.  SQL for either store.  All else is in the `rollups`.

`add` is given rows in order before they are written; `settle` writes once they are.  A row may say anything: what no
database takes is made harmless here, and no row stops its ledger.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from sync import wire
from sync.hq.intake import Ledger
from sync.hq.sql import Db

HOUR_MS = 900_000
PLACED = ("called-back", "unreached")  # calls of ours, not of a caller

_HOURLY = (
    "INSERT INTO hourly VALUES (:store_id, :campaign, :hour_ms, :calls, :withheld, :gave_up, :sent, :delivered,"
    " :failed, :received) ON CONFLICT (store_id, campaign, hour_ms) DO UPDATE SET"
    " calls = hourly.calls + excluded.calls, withheld = hourly.withheld + excluded.withheld,"
    " gave_up = hourly.gave_up + excluded.gave_up,"
    " sent = hourly.sent + excluded.sent, delivered = hourly.delivered + excluded.delivered,"
    " failed = hourly.failed + excluded.failed, received = hourly.received + excluded.received"
)
_COLUMNS = (
    "store_id", "campaign", "hour_ms", "calls", "withheld", "gave_up", "sent", "delivered", "failed", "received",
)  # fmt: skip
_CALLS, _WITHHELD, _GAVE_UP, _RECEIVED = 0, 1, 2, 6
_MESSAGE = {"sent": 3, "delivered": 4, "failed": 5}
_NAMED = (
    "UPDATE store SET number = :number, campaign = :campaign, channel = :channel, language = :language WHERE id = :id"
)
_SAID = "UPDATE store SET state = :state, words = :words, state_ms = :at_ms WHERE id = :id"
_ORDERED = "INSERT INTO ordered VALUES (:box, :number, :state, :why, :at_ms) ON CONFLICT (box, number) DO NOTHING"
_AT_ONCE = 200  # rows that are looked up by one statement

Thing = tuple[int, int]  # ledger and row


class News:
    """For one transaction; `answered` are orders that a box answered: box and number."""

    def __init__(self, db: Db) -> None:
        self._db = db
        self._hours: dict[tuple[int, str, int], list[int]] = {}
        self._letters: dict[Thing, str] = {}  # campaigns of messages that this transaction brings
        self._states: dict[int, str] = {}  # what each line said last in this transaction
        self._later: list[tuple[Thing, int, int]] = []  # a message's fate: whose, the hour, which count
        self.answered: list[tuple[str, int]] = []

    def add(self, ledger: Ledger, rows: Sequence[wire.WireRow]) -> None:
        """Rows of one ledger, next in turn."""
        hours, number = self._hours, ledger.id
        for row in rows:
            kind = row[2]
            if kind == "call":
                state = row[10]
                if row[1] or state in PLACED:
                    continue
                key = (number, row[7], row[5] // HOUR_MS)
                count = hours.get(key)
                if count is None:
                    count = hours[key] = [0] * 7
                count[_CALLS] += 1
                if row[9] == "withheld":
                    count[_WITHHELD] += 1
                elif state == "gave-up":
                    count[_GAVE_UP] += 1
                ledger.last_call_ms = row[5]
            elif kind == "message":
                self._message(number, row)
            elif kind in ("store", "line"):
                self._describe(ledger, row)
            elif kind == "order" and not row[1]:
                self._ordered(ledger.box, row)

    def settle(self) -> None:
        """Write it all; the rows themselves stand in the store by now."""
        known = {**_campaigns(self._db, {at for at, *_ in self._later} - self._letters.keys()), **self._letters}
        for at, hour, place in self._later:
            self._hours.setdefault((at[0], known.get(at, ""), hour), [0] * 7)[place] += 1
        rows = [
            dict(zip(_COLUMNS, (number, campaign, hour * HOUR_MS, *counts), strict=True))
            for (number, campaign, hour), counts in sorted(self._hours.items())
        ]
        if rows:
            self._db.many(_HOURLY, rows)

    def _message(self, number: int, row: wire.WireRow) -> None:
        hour = row[5] // HOUR_MS
        if row[1]:
            if (place := _MESSAGE.get(row[10])) is not None:
                self._later.append(((number, row[1]), hour, place))
            return
        self._letters[number, row[0]] = row[7]
        if row[10] == "received":
            self._hours.setdefault((number, row[7], hour), [0] * 7)[_RECEIVED] += 1

    def _describe(self, ledger: Ledger, row: wire.WireRow) -> None:
        """What a `store` or a `line` row says of its ledger."""
        said = _told(row)
        if row[2] == "store":
            names = {name: _text(said, name) for name in ("number", "campaign", "channel", "language")}
            ledger.campaign, ledger.language = names["campaign"], names["language"]
            self._db.run(_NAMED, names, id=ledger.id)
            return
        again = not row[12]  # a sign of life says nothing new: since when, and in which words, stands already
        if not (again and self._states.get(ledger.id) == row[10]):
            statement = f"{_SAID} AND state <> :state" if again else _SAID
            self._db.run(statement, state=row[10], words=_text(said, "words"), at_ms=row[5], id=ledger.id)
        self._states[ledger.id] = row[10]

    def _ordered(self, box: str, row: wire.WireRow) -> None:
        """A box answered an order of ours; its first answer counts."""
        said = _told(row)
        if order := _whole(said, "order"):
            why = _text(said, "why")
            self._db.run(_ORDERED, box=box, number=order, state=row[10], why=why, at_ms=row[5])
            self.answered.append((box, order))


def _campaigns(db: Db, things: Iterable[Thing]) -> dict[Thing, str]:
    """The campaigns of rows that were written earlier. Whole numbers only: they stand in the statement itself."""
    wanted, found = sorted(things), {}
    for begin in range(0, len(wanted), _AT_ONCE):
        some = ", ".join(f"({number:d}, {seq:d})" for number, seq in wanted[begin : begin + _AT_ONCE])
        query = (
            f"SELECT store_id, seq, campaign FROM (VALUES {some}) AS wanted"
            " JOIN event ON store_id = wanted.column1 AND seq = wanted.column2"
        )
        found.update({(row["store_id"], row["seq"]): row["campaign"] for row in db.rows(query)})
    return found


def _told(row: wire.WireRow) -> dict[str, object]:
    told: dict[str, object] = json.loads(row[12]) if row[12] else {}
    return told


def _text(told: dict[str, object], name: str) -> str:
    """A text in `told` that any database takes: JSON can name halves of letters, which no encoding has, and U+0000."""
    return str(told.get(name, "")).encode(errors="replace").decode().replace("\0", "?")


def _whole(told: dict[str, object], name: str) -> int:
    """A positive whole number in `told`, or 0."""
    value = told.get(name)
    return value if type(value) is int and 0 < value < 2**53 else 0
