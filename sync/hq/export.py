"""What HQ holds, streamed out: JSON lines or CSV, in bounded memory, while the receiver works.

Rules of this room
- The store is opened read only, and no transaction lasts longer than a page of rows, so that an export of a week
  does not hold the log of the receiver.
- Things are folded by `edge.fold`, as at the box. A recording's `file` is where HQ holds its sound, relative to the
  data folder, and "" until all of it is here.
- While results are hidden before a poll, what tells votes of a hidden district does not leave: answers, and where an
  option has a number of its own its calls and all that follows from them. One line on stderr says so.
- In CSV a text that a spreadsheet would take for a formula (= + - @ first) gets an apostrophe before it; `number` is
  left exactly as it is, +91...: import that column as text.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TextIO

from edge import fold
from edge.events import Row
from sync.hq import config as settings
from sync.hq import recordings, reports, silence, sql, stores
from sync.hq.sql import Db

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
    f'SELECT {_FIELDS}, hq_ms FROM event WHERE store_id = :id AND kind = :kind AND "of" = 0 AND seq > :after'
    f" ORDER BY seq LIMIT {_PAGE}"
)
_AMENDMENTS = (
    f'SELECT {_FIELDS} FROM event WHERE store_id = :id AND "of" > 0 AND "of" BETWEEN :first AND :last'
    ' ORDER BY "of", seq'
)
_WHOLE = "SELECT codec FROM recording_file WHERE store_id = :id AND seq = :seq AND done_ms IS NOT NULL"
_STORES = (
    "SELECT s.id, s.box, s.line, s.store, b.district, s.language FROM store AS s LEFT JOIN box AS b ON b.box = s.box"
    " ORDER BY s.box, s.line, s.id"
)
_BOXES = (
    "SELECT b.box, b.district, b.timezone, b.seen_ms, count(s.id) AS ledgers, coalesce(sum(s.hwm), 0) AS held,"
    " coalesce(sum(s.last), 0) AS told, min(coalesce(s.complete_ms, 0)) AS complete_ms,"
    " max(s.last_call_ms) AS last_call_ms"
    " FROM box AS b LEFT JOIN store AS s ON s.box = b.box GROUP BY b.box ORDER BY b.box"
)


def run(config_path: Path | str, what: str, format: Format = "jsonl", out: TextIO | None = None) -> int:
    """Write every object of `what` to `out` (stdout). 0, or 1 after one line on stderr that says what to do."""
    try:
        hq = settings.load(config_path)
        with stores.events(hq) as db:
            held = _silent(db, hq, what, int(time.time() * 1000))
            _write(_told(db, what, held), format, out or sys.stdout)
    except settings.ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    except stores.Absent as error:
        print(error, file=sys.stderr)
        return 1
    except sql.errors() as error:
        print(f"{config_path}: the store cannot be read: {stores.words(error)}", file=sys.stderr)
        return 1
    return 0


class Silent(NamedTuple):
    """What does not leave before a poll: of these ledgers what belongs to these campaigns, None for everything."""

    ledgers: frozenset[int] = frozenset()
    campaigns: frozenset[str] | None = None

    def holds(self, ledger: int, told: fold.Told) -> bool:
        return ledger in self.ledgers and (self.campaigns is None or told["campaign"] in self.campaigns)


def _silent(db: Db, hq: settings.HqConfig, what: str, now_ms: int) -> Silent:
    """What of this is a vote that is hidden now; told on stderr when there is anything."""
    if what == "boxes" or not silence.hidden(hq.silence, None, now_ms, ()):
        return Silent()
    options = None if what == "answers" else frozenset(reports.options(db))
    if options is not None and not options:
        return Silent()
    places = {row["id"]: row["district"] or "" for row in db.rows(_STORES)}
    known, ledgers, why = frozenset(places.values()), set(), ""
    for number, district in places.items():
        if reason := silence.hidden(hq.silence, {district}, now_ms, known):
            ledgers.add(number)
            why = reason
    if why:
        left = "answers" if options is None else f"{what} of the numbers of a referendum"
        where = "" if len(ledgers) == len(places) else " of the districts concerned"
        print(f"{why}. {left}{where} are left out", file=sys.stderr)
    return Silent(frozenset(ledgers), options)


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


def _told(db: Db, what: str, silent: Silent) -> Iterator[fold.Told]:
    return _boxes(db) if what == "boxes" else _things(db, _KINDS[what], silent)


def _things(db: Db, kind: str, silent: Silent) -> Iterator[fold.Told]:
    for ledger in db.rows(_STORES):
        place, tell = fold.Place(ledger["box"], ledger["line"], ledger["store"]), fold.TELL[kind]
        for row, hq_ms in _folded(db, ledger["id"], kind):
            told = {**tell(row, place), "district": ledger["district"] or "", "hq_at": fold.rfc3339(hq_ms)}
            if silent.holds(ledger["id"], told):
                continue
            told.setdefault("language", fold.language(row) or ledger["language"])
            if kind == "answer":
                told["note"] = silence.NO_POLL
            if kind == "recording":
                told["file"] = _file(db, ledger["id"], row, place)
            yield told


def _file(db: Db, number: int, row: Row, place: fold.Place) -> str:
    codec = db.value(_WHOLE, id=number, seq=row.seq)
    return recordings.where(place.box, place.store, row.seq, codec) if codec else ""


def _folded(db: Db, number: int, kind: str) -> Iterator[tuple[Row, int]]:
    """A ledger's things of one kind as they stand now, each with the time of its first row's arrival."""
    after = 0
    while page := db.rows(_FIRSTS, id=number, kind=kind, after=after):
        first, after = page[0]["seq"], page[-1]["seq"]
        amendments: dict[int, list[Sequence[object]]] = {}
        for row in db.rows(_AMENDMENTS, id=number, first=first, last=after):
            amendments.setdefault(row["of"], []).append(list(row.values()))
        for told in page:
            *values, hq_ms = told.values()
            for thing in fold.fold([values, *amendments.get(told["seq"], ())]):
                yield thing, hq_ms


def _boxes(db: Db) -> Iterator[fold.Told]:
    for row in db.rows(_BOXES):
        yield {
            "box": row["box"],
            "district": row["district"],
            "timezone": row["timezone"],
            "seen_at": fold.rfc3339(row["seen_ms"]),
            "ledgers": row["ledgers"],
            "rows_held": row["held"],
            "rows_missing": max(0, row["told"] - row["held"]),
            "complete_at": fold.rfc3339(row["complete_ms"]) if row["complete_ms"] else None,
            "last_call_at": fold.rfc3339(row["last_call_ms"]) if row["last_call_ms"] else None,
        }
