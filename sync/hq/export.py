"""What HQ holds, streamed out: JSON lines or CSV, in bounded memory, while the receiver works.

Rules of this room
- The store is opened read only, and no transaction lasts longer than a page of rows, so that an export of a week
  does not hold the log of the receiver.
- Things are folded by `edge.fold`, as at the box. A recording's `file` is where HQ holds its sound, relative to the
  data folder, and "" until all of it is here.
- In CSV a text that a spreadsheet would take for a formula (= + - @ first) gets an apostrophe before it; `number` is
  left exactly as it is, +91...: import that column as text.
"""

from __future__ import annotations

import csv
import json
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, TextIO

from edge import fold
from edge.events import Row
from sync.hq import config as settings
from sync.hq import recordings

WHAT = ("calls", "messages", "boxes", "recordings", "answers", "cases", "consents")
Format = Literal["jsonl", "csv"]
_PAGE = 1000
_KINDS = {
    "calls": "call", "messages": "message", "recordings": "recording", "answers": "answer", "cases": "case",
    "consents": "consent",
}  # fmt: skip
_EXACT = ("number",)  # columns that CSV leaves as they are
_FIELDS = ", ".join(f'"{name}"' for name in Row._fields)
_FIRSTS = (
    f'SELECT {_FIELDS}, hq_ms FROM event WHERE store_id = ? AND kind = ? AND "of" = 0 AND seq > ?'
    f" ORDER BY seq LIMIT {_PAGE}"
)
_AMENDMENTS = f'SELECT {_FIELDS} FROM event WHERE store_id = ? AND "of" > 0 AND "of" BETWEEN ? AND ? ORDER BY "of", seq'
_WHOLE = "SELECT codec FROM recording_file WHERE store_id = ? AND seq = ? AND done_ms IS NOT NULL"
_STORES = (
    "SELECT store.id, store.box, line, store, box.district, language FROM store LEFT JOIN box USING (box)"
    " ORDER BY store.box, line, store.id"
)
_BOXES = (
    "SELECT box.box, district, timezone, box.seen_ms, count(store.id) AS stores, sum(hwm) AS held, sum(last) AS told,"
    " min(coalesce(complete_ms, 0)) AS complete_ms, max(last_call_ms) AS last_call_ms"
    " FROM box LEFT JOIN store ON store.box = box.box GROUP BY box.box ORDER BY box.box"
)


def run(config_path: Path | str, what: str, format: Format = "jsonl", out: TextIO | None = None) -> int:
    """Write every object of `what` to `out` (stdout). 0, or 1 after one line on stderr that says what to do."""
    try:
        path = settings.load(config_path).data / "hq.db"
        if not path.exists():
            print(f"{path}: headquarters has received nothing yet: start `miscall hq run`", file=sys.stderr)
            return 1
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
        try:
            _write(_told(db, what), format, out or sys.stdout)
        finally:
            db.close()
    except settings.ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    except sqlite3.Error as error:
        print(f"{path}: cannot be read: {error}", file=sys.stderr)
        return 1
    return 0


def _write(objects: Iterator[fold.Told], format: Format, out: TextIO) -> None:
    if format == "jsonl":
        for told in objects:
            out.write(json.dumps(told, ensure_ascii=False, separators=(",", ":")) + "\n")
        return
    writer = csv.writer(out, lineterminator="\n")
    for place, told in enumerate(objects):
        if not place:
            writer.writerow(told)
        writer.writerow([value if name in _EXACT else fold.harmless(_cell(value)) for name, value in told.items()])


def _cell(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


def _told(db: sqlite3.Connection, what: str) -> Iterator[fold.Told]:
    return _boxes(db) if what == "boxes" else _things(db, _KINDS[what])


def _things(db: sqlite3.Connection, kind: str) -> Iterator[fold.Told]:
    for number, box, line, store, district, language in db.execute(_STORES).fetchall():
        place, tell = fold.Place(box, line, store), fold.TELL[kind]
        for row, hq_ms in _folded(db, number, kind):
            told = {**tell(row, place), "district": district or "", "hq_at": fold.rfc3339(hq_ms)}
            told.setdefault("language", fold.language(row) or language)
            if kind == "recording":
                told["file"] = _file(db, number, row, place)
            yield told


def _file(db: sqlite3.Connection, number: int, row: Row, place: fold.Place) -> str:
    whole = db.execute(_WHOLE, (number, row.seq)).fetchone()
    return recordings.where(place.box, place.store, row.seq, whole[0]) if whole else ""


def _folded(db: sqlite3.Connection, number: int, kind: str) -> Iterator[tuple[Row, int]]:
    """A ledger's things of one kind as they stand now, each with the time of its first row's arrival."""
    after = 0
    while page := db.execute(_FIRSTS, (number, kind, after)).fetchall():
        first, after = page[0][0], page[-1][0]
        amendments: dict[int, list[Sequence[object]]] = {}
        for row in db.execute(_AMENDMENTS, (number, first, after)):
            amendments.setdefault(row[1], []).append(row)
        for *values, hq_ms in page:
            for thing in fold.fold([values, *amendments.get(values[0], ())]):
                yield thing, hq_ms


def _boxes(db: sqlite3.Connection) -> Iterator[fold.Told]:
    rows = db.execute(_BOXES).fetchall()
    for box, district, timezone, seen_ms, stores, held, told, complete_ms, last_call_ms in rows:
        yield {
            "box": box,
            "district": district,
            "timezone": timezone,
            "seen_at": fold.rfc3339(seen_ms),
            "ledgers": stores,
            "rows_held": held or 0,
            "rows_missing": max(0, (told or 0) - (held or 0)),
            "complete_at": fold.rfc3339(complete_ms) if complete_ms else None,
            "last_call_at": fold.rfc3339(last_call_ms) if last_call_ms else None,
        }
