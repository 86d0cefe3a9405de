"""`miscall hq import CONFIG outcomes FILE`: the same as the page does, from a terminal.

What was wrong goes into a file beside the one that was given, `<name>.wrong.csv`, readable by its owner alone; on the
terminal stand counts, lines and reasons, and no number.
"""

from __future__ import annotations

import getpass
import os
import sys
import time
from pathlib import Path

from sync.hq import config as settings
from sync.hq import reports, stores
from sync.hq.config import HqConfig
from sync.hq.doors import audit
from sync.hq.people import outcomes
from sync.hq.people.outcomes import Given, Read
from sync.hq.people.sheet import MOST_BYTES, Unreadable

SHOWN = 10


class Refused(Exception):
    """This cannot be imported; the text says why and what to do."""


def run(config_path: Path | str, what: str, file: Path | str, campaign: str, goal: str) -> int:
    """0 when every row was taken or known, 1 when rows or the file were refused. `what` is always "outcomes"."""
    try:
        config = settings.load(config_path)
        path = Path(file)
        with path.open("rb") as opened:
            raw = opened.read(MOST_BYTES + 1)
        told, given = _take(config, raw, path.name, campaign, goal)
    except (settings.ConfigError, Refused, Unreadable) as why:
        print(why, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{file}: {error.strerror or error}", file=sys.stderr)
        return 1
    counts = f"{given.taken} taken, {given.known} known, {given.refused} refused"
    print(f"{given.rows} rows ({told.sheet.encoding}): {counts}")
    if not given.refused:
        return 0
    for wrong, _ in told.wrong[:SHOWN]:
        place = f", {wrong.column}" if wrong.column else ""
        print(f"line {wrong.line}{place}: {wrong.what}; allowed: {wrong.allowed}", file=sys.stderr)
    left = path.with_name(f"{path.stem}.wrong.csv")
    _write(left, outcomes.wrong_file(told))
    print(f"all rows that were refused: {left}", file=sys.stderr)
    return 1


def _take(config: HqConfig, raw: bytes, name: str, campaign: str, goal: str) -> tuple[Read, Given]:
    now_ms = int(time.time() * 1000)
    with stores.events(config) as events:
        known, zone = outcomes.campaigns(events), reports.zone(events)
    named = campaign or (known[0] if len(known) == 1 else "")
    if named not in known:
        raise Refused(f"say --campaign with one that boxes have told of: {', '.join(known) or 'there is none yet'}")
    told = outcomes.read(raw, goal, config.retention.law.country, zone, now_ms)
    who = _who()
    with stores.desk(config) as desk, desk.transaction():
        given = outcomes.keep(desk, told, named, name, outcomes.digest(raw), who, now_ms)
        words = f"{given.taken} taken, {given.known} known, {given.refused} refused"
        audit.append(desk, now_ms, who, "console", "imported outcomes", f"upload {given.id}", words)
    return told, given


def _write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", newline="") as opened:
        opened.write("\ufeff" + text)


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"user {os.getuid()}"
