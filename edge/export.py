"""What the box's ledgers hold, as one JSON object a line or as CSV, also while the box runs.

Every ledger is read, the current ones and those that were set aside, in short transactions, so that an export of a
million rows never holds up a line. What an event means is `fold`'s to say, the same here and at headquarters.
"""

from __future__ import annotations

import csv
import json
import re
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from edge import config, fold, status
from edge.events import Row
from edge.fold import Place, Told
from edge.ledger import Reader, unseal

_KIND = {"calls": "call", "messages": "message", "recordings": "recording"}
_NOTHING = Row(0, 0, "", "", 0, 0, 0, "", "", "", "", 0, "")


def run(config_path: Path | str, what: str, form: str) -> int:
    """`miscall box export`: calls, messages, recordings or events to standard output; 1 when a ledger is unreadable."""
    box = config.load(config_path)
    broken: list[str] = []
    write(told(box, what, broken), fields(what), form)
    for words in broken:
        print(words, file=sys.stderr)
    return 1 if broken else 0


def told(box: config.BoxConfig, what: str, broken: list[str]) -> Iterator[Told]:
    """Every object of one export, ledger by ledger, oldest first. An unreadable ledger is named in `broken`, and the
    others are told all the same."""
    for file in status.ledgers(box.data):
        try:
            with closing(Reader(file)) as ledger:
                yield from _of_ledger(ledger, what)
        except sqlite3.Error as error:
            broken.append(f"{file}: {error}; nothing of it was changed: keep the file and call headquarters")


def fields(what: str) -> list[str]:
    """The names in an export's objects, for the head of a CSV file."""
    place = Place("", "", "")
    if what == "events":
        return list(event(_NOTHING, place))
    return list(fold.TELL[_KIND[what]](_NOTHING, place))


def event(row: Row, place: Place) -> Told:
    """One object of the events export: a ledger's row as it is, with whose it is."""
    return {
        "box": place.box,
        "line": place.line,
        "store": place.store,
        **row._asdict(),
        "at": fold.rfc3339(row.at_ms),
        "extra": json.loads(row.extra) if row.extra else {},
    }


def _of_ledger(ledger: Reader, what: str) -> Iterator[Told]:
    place = Place(ledger.box, ledger.line, ledger.store)
    if what == "events":
        after = 0
        while page := ledger.rows(after, 1000):
            rows = [_open(Row(*values)) for values in page]  # type: ignore[arg-type]
            yield from (event(row, place) for row in rows)
            after = rows[-1].seq
    else:
        kind = _KIND[what]
        for row in fold.fold(fold.grouped(ledger.rows)):
            if row.kind == kind:
                yield fold.TELL[kind](_open(row), place)


def _open(row: Row) -> Row:
    return row._replace(caller=unseal(row.caller))


def write(objects: Iterable[Told], names: list[str], form: str) -> None:
    """Objects to standard output, as lines of JSON or as CSV with a head."""
    if form == "jsonl":
        for one in objects:
            print(json.dumps(one, ensure_ascii=False))
        return
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(names)
    for one in objects:
        table.writerow(_cell(one[name]) for name in names)


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and re.fullmatch(r"\+\d+", value):  # a number: as it is in the other exports
        return value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else fold.harmless(value)
