"""A text that leaves headquarters as a file of its own; tables with callers go by `sync.hq.doors.watermark`."""

from __future__ import annotations

import re

from starlette.responses import Response


def file(text: str, name: str, ending: str) -> Response:
    """A text as a file that a browser keeps; a CSV file says that it is UTF-8."""
    kind = {"csv": "text/csv", "txt": "text/plain"}[ending]
    safe = "-".join(re.findall(r"[A-Za-z0-9]+", name)) or "file"
    headers = {"content-disposition": f'attachment; filename="{safe}.{ending}"'}
    return Response(text.encode(), headers=headers, media_type=f"{kind}; charset=utf-8")
