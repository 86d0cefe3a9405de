"""A recording's sound at headquarters: its file, and a drawing of how loud it is from its beginning to its end.

Rules of this room
- Only what arrived whole and fitted its digest is played or drawn.
- Opus is decoded by `opusdec`. Where it is not installed, or takes too long, or makes nothing of the file, there is no
  drawing and still a player; a file that cannot be drawn is not tried again.
- A drawing is kept in the desk store, `STEPS` bytes; `gather.forget` takes it away with its thing.
"""

from __future__ import annotations

import array
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from sync.hq import recordings
from sync.hq.sql import Db, Row

STEPS = 96
RATE = 8000
LONGEST_S = 180  # of a recording that is drawn
PATIENCE_S = 5.0
_FILE = """
SELECT s.box, s.store, f.seq, f.codec FROM recording_file AS f JOIN store AS s ON s.id = f.store_id
WHERE f.store_id = :ledger AND f.seq = :seq AND f.done_ms IS NOT NULL
"""
_KEPT = "SELECT loud FROM desk_drawing WHERE store_id = :ledger AND seq = :seq"
_KEEP = "INSERT INTO desk_drawing VALUES (:ledger, :seq, :loud) ON CONFLICT (store_id, seq) DO NOTHING"


def file(events: Db, data: Path, ledger: int, seq: int) -> Path | None:
    """Where a recording lies, if all of it is here."""
    row = events.row(_FILE, ledger=ledger, seq=seq) if seq > 0 else None
    if row is None:
        return None
    place = data / recordings.where(row["box"], row["store"], row["seq"], row["codec"])
    return place if place.is_file() else None


def drawings(events: Db, desk: Db, data: Path, rows: Iterable[Row], budget_s: float) -> dict[int, str]:
    """For things that have a sound here, by their id: the `d` of an SVG path in a box of `STEPS` x 32, "" when it is
    not drawn. New drawings are made for `budget_s` at most, so that a page never waits long."""
    until = time.monotonic() + budget_s
    found = {}
    for row in rows:
        place = file(events, data, row["store_id"], row["said"])
        if place is None:
            continue
        kept = desk.value(_KEPT, ledger=row["store_id"], seq=row["said"])
        if kept is None and (left := until - time.monotonic()) > 0:
            kept = _draw(place, min(PATIENCE_S, left + 0.5))
            if kept is not None:
                desk.run(_KEEP, ledger=row["store_id"], seq=row["said"], loud=kept)
        found[row["id"]] = path(kept or b"")
    return found


def path(loud: bytes) -> str:
    """The drawing as an SVG path: a stroke for each step, around the middle."""
    return "".join(f"M{at}.5 {16 - (half := 1 + value * 14 // 255)}v{2 * half}" for at, value in enumerate(loud))


def loudness(samples: array.array[int], steps: int = STEPS) -> bytes:
    """How loud 16 bit samples are in each of `steps`, the loudest of them 255."""
    if not samples:
        return b""
    size = max(1, -(-len(samples) // steps))
    peaks = []
    for at in range(0, len(samples), size):
        piece = samples[at : at + size]
        peaks.append(max(max(piece), -min(piece)))
    most = max(peaks) or 1
    return bytes(min(255, peak * 255 // most) for peak in peaks)


def _draw(place: Path, patience_s: float) -> bytes | None:
    """The loudness of a file; b"" when nothing can be made of it, None when that may be different another time."""
    program = shutil.which("opusdec")
    if program is None:
        return None
    command = [program, "--quiet", "--rate", str(RATE), str(place), "-"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=patience_s, check=False)
    except subprocess.TimeoutExpired:
        return None
    except OSError:
        return None
    if done.returncode:
        return b""
    sound = done.stdout[: LONGEST_S * RATE * 2]
    samples = array.array("h", sound[: len(sound) // 2 * 2])
    if sys.byteorder == "big":
        samples.byteswap()
    return loudness(samples)
