"""`miscall doctor`: what is wrong with this box, and one sentence on what to do about each.

It looks and never touches: no port is opened, nothing is set. A finding is good or bad; a bad one carries its remedy.
"""

from __future__ import annotations

import os
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from edge import box, config, status, words
from edge.port import holder

ROOM = 200 * 2**20  # bytes: years of calls, and enough for SQLite to work in


class Finding(NamedTuple):
    """`remedy` is empty when all is well."""

    what: str
    remedy: str = ""


def run(config_path: str, calibrate: str | None) -> int:
    """Print every finding; 1 when one is bad. Raises SettingsError when a file is refused."""
    if calibrate is not None:
        print("doctor --calibrate: not in this version", file=sys.stderr)
        return 1
    found = list(examine(box.check(config_path)))
    for one in found:
        print(f"WRONG  {one.what}\n       {one.remedy}" if one.remedy else f"good   {one.what}")
    wrong = sum(bool(one.remedy) for one in found)
    if wrong:
        print(f"{wrong} of {len(found)} checks want something done, see above", file=sys.stderr)
    return 1 if wrong else 0


def examine(found: config.BoxConfig) -> Iterator[Finding]:
    """All checks of a box whose files are in order."""
    yield Finding(f"{found.path} and its campaigns are in order")
    seen = status.snapshot(found)
    yield from _ports(found, seen["lines"])
    yield from _data(found.data)
    yield _clock(seen["clock"])
    yield _broker(found.hq)
    yield from _states(seen)
    yield _rival()


def is_port(path: str) -> bool:
    """Is there a character device, as every serial port is?"""
    return os.path.exists(path) and stat.S_ISCHR(os.stat(path).st_mode)


def _ports(found: config.BoxConfig, lines: list[dict[str, object]]) -> Iterator[Finding]:
    ours = {str(line.get("pid")): line["name"] for line in lines}
    for line in found.lines:
        for port in filter(None, (line.port, line.rescue_port, line.audio_port)):
            culprit = holder(port) if is_port(port) else ""
            if not os.path.exists(port):
                remedy = f"Plug in the modem of line {line.name}, or correct its port: `miscall modem list` shows all."
                yield Finding(f"{line.name}: {port} is not there", remedy)
            elif not is_port(port):
                remedy = "Correct its path: `miscall modem list` shows all ports."
                yield Finding(f"{line.name}: {port} is no serial port", remedy)
            elif culprit and ours.get(culprit.rpartition("pid ")[2].rstrip(")")) != line.name:
                remedy = "Stop that program; the line comes back by itself."
                yield Finding(f"{line.name}: {port} is held by {culprit}", remedy)
            elif not os.access(port, os.R_OK | os.W_OK):
                remedy = "Put the box's user into the group dialout, then log in again."
                yield Finding(f"{line.name}: {port} may not be opened by this user", remedy)
            else:
                yield Finding(f"{line.name}: {port} is there, " + ("its line uses it" if culprit else "and free"))


def _data(data: Path) -> Iterator[Finding]:
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=data) as probe:
            probe.write(b"0" * 4096)
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        remedy = "Give the folder to the box's user, or free space."
        yield Finding(f"{data} cannot be written ({error.strerror})", remedy)
        return
    free = os.statvfs(data).f_bavail * os.statvfs(data).f_frsize
    low = free < ROOM
    yield Finding(f"{data}: {words.size(free)} free", "Free space or put in a bigger card." if low else "")


def _clock(clock: dict[str, object]) -> Finding:
    remedy = "Connect the box to the internet for a minute, or wait for the mobile network's time."
    return Finding(f"clock: {clock['words']}", "" if clock["trusted"] else remedy)


def _broker(hq: config.HqLink) -> Finding:
    try:
        with socket.create_connection((hq.host, hq.port), timeout=3):
            return Finding(f"headquarters' broker {hq.host}:{hq.port} can be reached")
    except OSError as error:
        remedy = "Check the box's internet and `url` below [hq]; calls are kept here until it is back."
        return Finding(f"headquarters' broker {hq.host}:{hq.port}: {error.strerror or error}", remedy)


def _states(seen: dict[str, object]) -> Iterator[Finding]:
    """What the processes last said."""
    now_ms = int(str(seen["now_ms"]))
    lines = seen["lines"]
    assert isinstance(lines, list)
    for line in lines:
        said = words.line_said(line, now_ms)
        yield Finding(f"{line['name']}: {said.title}. {said.sentence}", said.todo if said.tone != "good" else "")
    uplink = seen["uplink"]
    assert isinstance(uplink, dict)
    link = words.link_said(uplink, now_ms)
    yield Finding(f"uplink: {link.title}. {link.sentence}", link.todo if link.tone in ("bad", "warn") else "")


def _rival() -> Finding:
    """ModemManager opens every modem it sees and takes its answers."""
    for process in Path("/proc").glob("[0-9]*/comm"):
        try:
            name = process.read_text().strip()
        except OSError:
            continue
        if name == "ModemManager":
            remedy = "Install the udev rule of firmware_config/udev, or: systemctl mask --now ModemManager"
            return Finding("ModemManager runs here and takes answers away from the box", remedy)
    return Finding("no ModemManager in the way")
