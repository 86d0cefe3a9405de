"""Files of counts, each bound to the one before: what headquarters said of a day, so that it can be held to it.

Rules of this room
- A file holds the totals of every day and campaign that differ from what the files before it said: the days that are
  new, and those to which boxes have sent something later. Nothing is taken back; a correction is a later file.
- It holds the SHA-256 of the file before it, and the log of changes holds its own. Who changes, takes away or adds a
  file therefore shows, unless the log was forged too (see sync.hq.doors.audit).
- Where campaigns are the options of a referendum, their calls are votes: while results are hidden before a poll no file
  is written, and the next one tells those days.
- Totals are sums of the roll-up `tally`, every counter of it; no caller stands in them.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import sys
import time
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sync.hq import reports, silence, sql, stores
from sync.hq.doors import audit

DID = "wrote a file of counts"
GENESIS = "0" * 64
_KEYS = ("store_id", "campaign", "day", "hour", "language")
_EPOCH = date(1970, 1, 1)
Days = dict[str, dict[str, dict[str, int]]]  # by day and campaign: each counter


class Broken(Exception):
    """The files are not what was written; the text names the first that does not fit."""


def run(config_path: str) -> int:
    """`miscall hq counts`: check the files, write the next one when any total differs. 1 after one line on stderr."""
    from sync.hq import config

    try:
        hq = config.load(config_path)
        now_ms = int(time.time() * 1000)
        with closing(stores.events(hq)) as events, closing(stores.desk(hq)) as desk:
            if (why := silence.hidden(hq.silence, None, now_ms, ())) and reports.options(events):
                print(f"counts: {why}. No file is written until then; the next one tells these days")
                return 0
            now = totals(events)
            with desk.transaction():
                desk.lock("audit")  # one writer of the files at a time
                written = write(hq.data / "counts", now, desk, now_ms)
            settle(hq.data / "counts", desk)
    except (config.ConfigError, Broken, sql.Unavailable, sqlite3.Error, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"counts: {written}" if written else "counts: nothing has changed since the last file; all files fit")
    return 0


def totals(events: sql.Db) -> Days:
    """Every counter of the roll-up by day and campaign. A number that is 0 is left out."""
    first = events.row("SELECT * FROM tally LIMIT 1")
    counters = [name for name in first or () if name not in _KEYS]
    sums = ", ".join(f"sum({name}) AS {name}" for name in counters)
    found: Days = {}
    for row in events.rows(f"SELECT day, campaign, {sums} FROM tally GROUP BY day, campaign") if counters else ():
        day = (_EPOCH + timedelta(days=row["day"])).isoformat()
        found.setdefault(day, {})[row["campaign"]] = {name: row[name] for name in counters if row[name]}
    return found


def write(folder: Path, now: Days, desk: sql.Db, now_ms: int) -> str:
    """The next file, within a transaction of the desk store; its name and digest, or "" when nothing differs. It has
    its name once `settle` has seen that the log tells of it. Raises Broken."""
    said, before, last = read(folder, desk)
    days = {
        day: changed for day in sorted({*now, *said}) if (changed := _differing(now.get(day, {}), said.get(day, {})))
    }
    if not days:
        return ""
    made = datetime.fromtimestamp(now_ms / 1000, UTC)
    told = json.dumps({"made": f"{made:%Y-%m-%dT%H:%M:%SZ}", "before": before, "days": days}, indent=1, sort_keys=True)
    name, digest = f"{last + 1:06d}-{made:%Y-%m-%d}.json", _digest(told)
    folder.mkdir(exist_ok=True)
    with (folder / f"{name}.new").open("w") as file:
        file.write(told)
        file.flush()
        os.fsync(file.fileno())
    audit.append(desk, now_ms, "(console)", "", DID, f"counts/{name}", digest)
    return f"{name} {digest}"


def read(folder: Path, desk: sql.Db) -> tuple[Days, str, int]:
    """What the files say together, the digest of the last and its number. Raises Broken."""
    noted = settle(folder, desk)
    said: Days = {}
    before, number = GENESIS, 0
    files = sorted(folder.glob("[0-9]*.json"))
    for number, file in enumerate(files, 1):
        text = file.read_text()
        digest = _digest(text)
        if int(file.name.partition("-")[0]) != number or noted.get(f"counts/{file.name}") != digest:
            raise Broken(f"{file}: it is not the file that the log of changes tells of, or one before it is missing")
        content: dict[str, Any] = json.loads(text)
        if content["before"] != before:
            raise Broken(f"{file}: it does not follow the file before it")
        for day, there in content["days"].items():
            said.setdefault(day, {}).update(there)
        before = digest
    if len(noted) != len(files):
        raise Broken(f"{folder}: {len(noted)} files were written, and {len(files)} are there")
    return {day: {name: each for name, each in there.items() if each} for day, there in said.items()}, before, number


def settle(folder: Path, desk: sql.Db) -> dict[str, str]:
    """Give a file that was written its name, if the log tells of it: power may have failed in between. What the log
    tells of: each file and its digest."""
    rows = desk.rows("SELECT what, reason FROM audit WHERE did = :did ORDER BY id", did=DID)
    noted = {row["what"]: row["reason"] for row in rows}
    for file in folder.glob("*.json.new"):
        name = file.with_suffix("")
        if noted.get(f"counts/{name.name}") == _digest(file.read_text()):
            os.replace(file, name)
    return noted


def _differing(now: dict[str, dict[str, int]], said: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """What a new file says of a day: nothing of a campaign is said as {}."""
    return {name: now.get(name, {}) for name in sorted({*now, *said}) if now.get(name, {}) != said.get(name, {})}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
