"""How the box is: what its processes last said, what its ledgers hold, what this machine says of disk and clock.

Read only, and never an exception over one missing or broken file: a box that is broken is the one that people look
at. Callers are masked here, so that neither the page nor a terminal ever gets a whole number.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from edge import config, words
from edge.clock import Clock
from edge.events import Caller
from edge.ledger import Reader
from edge.numbers import mask


def snapshot(box: config.BoxConfig) -> dict[str, Any]:
    """Everything `box status` and the page show, as plain values; times in milliseconds since 1970."""
    now_ms = int(time.time() * 1000)
    lines = [_line(box, line, now_ms) for line in box.lines]
    return {
        "box": box.id,
        "district": box.district,
        "now_ms": now_ms,
        "lines": lines,
        "uplink": {**_state(box.data, "uplink"), "unsent": unsent(box.data)},
        "clock": _clock(box, lines),
        "disk": _disk(box.data),
    }


def run(config_path: Path | str, as_json: bool) -> int:
    """`miscall box status`: print it, for people or as JSON."""
    seen = snapshot(config.load(config_path))
    if as_json:
        print(json.dumps(seen, ensure_ascii=False, indent=2))
        return 0
    print("\n".join(text(seen)))
    return 0


def text(seen: dict[str, Any]) -> list[str]:
    """A snapshot in words, line by line; the first one says what to do next."""
    now_ms = seen["now_ms"]
    told = [words.next_step(seen)]
    for line in seen["lines"]:
        said = words.line_said(line, now_ms)
        told.append(f"{line['name']} {line['number']}: {said.title}. {said.sentence} {said.todo}".rstrip())
        last = f"{words.age(line['last_call_ms'], now_ms)} {line['last_caller']}".rstrip()
        sms = f"SMS left {_shown(line['sms_left'])}, replies waiting {line['held'] + line['queued']}"
        network = words.plain(line.get("operator")) or "no operator"
        signal = words.signal_said(line.get("signal")).lower()
        told.append(f"    calls today {line['calls_today']}, last {last}; {sms}; {network}, signal {signal}")
        if line.get("speaks"):
            talks, takes, cases = (line.get(key, 0) for key in ("talks_today", "recordings_today", "cases_open"))
            told.append(f"    talks today {talks}, recordings today {takes}, open cases {cases}")
        told += [f"    {said}" for said in words.waiting_said(line)]
    link = words.link_said(seen["uplink"], now_ms)
    road = f"{link.title}. {link.sentence} {link.todo}".rstrip()
    told.append(f"headquarters: {road} Rows waiting for headquarters: {_shown(seen['uplink']['unsent'])}.")
    if sound := words.plain(seen["uplink"].get("sound")):
        told.append(f"recordings: {sound}")
    told.append(f"clock: {seen['clock']['words']}")
    disk = seen["disk"]
    told.append(f"disk: {words.size(disk.get('free_bytes'))} free, {_shown(disk.get('percent'))} % used")
    return told


def unsent(data: Path) -> int | None:
    """Rows in all ledgers, current and set aside, that headquarters has not acknowledged; None when unreadable."""
    try:
        marks = _marks(data / "uplink.db")
        total = 0
        for file in ledgers(data):
            with closing(Reader(file)) as ledger:
                total += max(0, ledger.head()[0] - marks.get(ledger.store, 0))
        return total
    except (sqlite3.Error, FileNotFoundError):
        return None


def ledgers(data: Path) -> list[Path]:
    """The files of all ledgers: `<line>.db`, and `<line>.<why>.db` of those that were set aside."""
    return sorted((data / "ledgers").glob("*.db"))


def _marks(file: Path) -> dict[str, int]:
    if not file.exists():
        return {}
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)) as db:
        return dict(db.execute("SELECT store, mark FROM store"))


def _line(box: config.BoxConfig, line: config.LineConfig, now_ms: int) -> dict[str, Any]:
    said = _state(box.data, line.name)
    if said and said.get("state") not in ("stopped", "disk") and not alive(said.get("pid")):
        said["state"] = "restarting" if _supervised(box.data) else "stopped"
    return {
        "calls_today": 0,
        "last_call_ms": None,
        "last_caller": "",
        "held": 0,
        "queued": 0,
        "waits": [],
        "sms_left": line.sms_per_day if not said else None,
        **said,
        **_ledger(box, line.name, now_ms),
        "name": line.name,
        "number": line.number,
        "campaign": line.campaign,
        "channel": line.channel,
        "port": line.port,
    }


def _state(data: Path, name: str) -> dict[str, Any]:
    """What a process last said of itself; empty when it never spoke."""
    try:
        said = json.loads((data / "state" / f"{name}.json").read_text())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _ledger(box: config.BoxConfig, name: str, now_ms: int) -> dict[str, Any]:
    """What the ledger itself says, which holds while the line is down too."""
    here = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(ZoneInfo(box.timezone))
    midnight = int(here.replace(hour=0, minute=0, second=0, microsecond=0).timestamp() * 1000)
    try:
        with closing(Reader(box.data / "ledgers" / f"{name}.db")) as ledger:
            last, counts = ledger.last_call(), ledger.counts()
            return {
                "calls_today": ledger.calls_since(midnight),
                "last_call_ms": last[1].at_ms if last else None,
                "last_caller": _masked(last[0]) if last else "",
                "held": counts.get("held", 0),
                "queued": counts.get("queued", 0),
                "waits": _reasons(ledger.held()),
                **_voice(ledger, midnight, now_ms),
            }
    except FileNotFoundError:
        return {}
    except sqlite3.OperationalError:  # busy, or not ours to read: the line's own word stands
        return {}
    except sqlite3.DatabaseError as error:
        return {"state": "damaged", "detail": str(error), "updated_ms": now_ms}


def _voice(ledger: Reader, midnight_ms: int, now_ms: int) -> dict[str, Any]:
    """What there is to tell of talking; nothing while the line has not brought an older file forward."""
    try:
        return {**ledger.voice(midnight_ms, now_ms), "callback_waits": _reasons(ledger.held_wishes())}
    except sqlite3.OperationalError:
        return {}


def _reasons(waits: list[tuple[str, int]]) -> list[dict[str, Any]]:
    return [{"reason": reason, "count": count} for reason, count in waits]


def alive(pid: object) -> bool:
    """Does that process run? One that has ended and that nobody waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False


def _supervised(data: Path) -> bool:
    """Does `box run` serve this folder? Then a line whose process has ended is about to come back."""
    try:
        return alive((data / "box.lock").read_text().strip())
    except OSError:
        return False


def _masked(caller: Caller) -> str:
    """A caller as others may see her: the last digits of a number, or the word for why there is none."""
    return mask(caller.number) if caller.repliable else caller.kind


def _clock(box: config.BoxConfig, lines: list[dict[str, Any]]) -> dict[str, Any]:
    """How far the time may be believed; what the mobile network told is known to the lines that heard it."""
    vouched = box.clock == "trusted"
    heard = [line["clock"] for line in lines if isinstance(line.get("clock"), int)]
    quality = max([Clock(vouched).now().clock, *heard])
    why = (
        "no time is known",
        "the time may be the one from before the last start",
        "the mobile network told the time",
        "box.toml vouches for the time" if vouched else "the time is kept right over the internet",
    )
    return {"trusted": quality >= 2, "quality": quality, "words": why[quality]}


def _disk(data: Path) -> dict[str, Any]:
    """Of the file system that the data folder is on, or will be on."""
    place = next((place for place in (data, *data.parents) if place.exists()), Path("/"))
    try:
        usage = shutil.disk_usage(place)
    except OSError:
        return {}
    return {"free_bytes": usage.free, "percent": round(100 * usage.used / usage.total)}


def _shown(value: object) -> str:
    return "unknown" if value is None else str(value)
