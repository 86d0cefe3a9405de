"""Every table that leaves headquarters as a file: by a role that may, written down, and marked with who took it.

Rules of this room
- The mark (who, when, the export's id) stands in the file's name and in the last column of each row, so that a copy
  of a few rows still tells where it comes from. The log holds the same id, what was taken and how many rows.
- Rows are written to a temporary file while they are read, in bounded memory; the file is sent once the log says so.
- A text that a spreadsheet would take for a formula (= + - @ first) gets an apostrophe before it, except in the
  columns that the caller names as exact.
"""

from __future__ import annotations

import csv
import re
import secrets
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import IO
from urllib.parse import quote

from starlette.background import BackgroundTask
from starlette.responses import Response, StreamingResponse

from edge.fold import harmless
from sync.hq.doors.roles import EXPORT
from sync.hq.pages.ask import Ask, Refused

COLUMN = "watermark"
_IN_MEMORY = 1024 * 1024
_PIECE = 64 * 1024


def export(
    ask: Ask, what: str, columns: Sequence[str], rows: Iterable[Sequence[object]], exact: Collection[str] = (),
    note: str = "",
) -> Response:
    """A CSV file of `rows`, as the answer to a POST. `what` is a short English noun (the log and the file's name),
    `note` says in the log what it was narrowed to. Raises Refused."""
    if ask.user.role not in EXPORT:
        raise Refused("Your role takes no tables out. Ask a manager.")
    mark, name = _mark(ask, what)
    file = tempfile.SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8", newline="")  # noqa: SIM115
    try:
        count = _write(file, [*columns, COLUMN], rows, mark, [column in exact for column in columns])
        with ask.change(f"exported {what}", f"export {mark.rpartition(' ')[2]}", f"{count} rows {note}".strip()):
            pass
        file.seek(0)
    except BaseException:
        file.close()
        raise
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    return StreamingResponse(_pieces(file), 200, headers, "text/csv; charset=utf-8", BackgroundTask(file.close))


def _mark(ask: Ask, what: str) -> tuple[str, str]:
    """The mark, and the file's name."""
    at, id = datetime.fromtimestamp(ask.now_ms / 1000, UTC), secrets.token_hex(4)
    words = "-".join(re.findall(r"\w+", f"miscall {what} {ask.user.name}"))
    return f"{ask.user.name} {at:%Y-%m-%dT%H:%M:%SZ} {id}", f"{words}-{at:%Y%m%dT%H%M%SZ}-{id}.csv"


def _write(
    file: IO[str], header: Sequence[str], rows: Iterable[Sequence[object]], mark: str, exact: Sequence[bool]
) -> int:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    count = 0
    for row in rows:
        cells = [value if as_is else harmless(value) for value, as_is in zip(row, exact, strict=True)]
        writer.writerow([*cells, mark])
        count += 1
    return count


def _pieces(file: IO[str]) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece.encode()
