"""A table that leaves headquarters as a file: by a role that may, written down, marked with who took it.

The mark stands in the file's name and in the last column, so that a few rows still tell where they come from. A text
that a spreadsheet would take for a formula gets an apostrophe before it, except in columns that are named as exact.
"""

from __future__ import annotations

import csv
import io
import re
import secrets
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime

from starlette.responses import Response

from edge.fold import harmless
from sync.hq.doors.roles import EXPORT
from sync.hq.pages.ask import Ask, Refused


def table(
    ask: Ask, what: str, columns: Sequence[str], rows: Iterable[Sequence[object]], exact: Collection[str] = (),
    note: str = "",
) -> Response:
    """A CSV file of `rows`, as the answer to a POST; the log says what was taken and how much. Raises Refused."""
    if ask.user.role not in EXPORT:
        raise Refused("Your role takes no tables out. Ask a manager.")
    at, id = datetime.fromtimestamp(ask.now_ms / 1000, UTC), secrets.token_hex(4)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*columns, "watermark"])
    count = 0
    for row in rows:
        cells = [cell if name in exact else harmless(cell) for name, cell in zip(columns, row, strict=True)]
        writer.writerow([*cells, f"{ask.user.name} {at:%Y-%m-%dT%H:%M:%SZ} {id}"])
        count += 1
    with ask.change(f"exported {what}", f"export {id}", f"{count} rows {note}".strip()):
        pass
    return file(out.getvalue(), f"miscall {what} {ask.user.name} {id}", "csv")


def file(text: str, name: str, ending: str) -> Response:
    """A text as a file that a browser keeps; a CSV file says that it is UTF-8."""
    kind = {"csv": "text/csv", "txt": "text/plain"}[ending]
    safe = "-".join(re.findall(r"[A-Za-z0-9]+", name)) or "file"
    headers = {"content-disposition": f'attachment; filename="{safe}.{ending}"'}
    return Response(text.encode(), headers=headers, media_type=f"{kind}; charset=utf-8")
