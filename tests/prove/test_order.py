"""Promise 1, seen from outside: the kernel is asked in which order a line's process reads, syncs and writes.

A real line runs under strace against a simulated modem. Between the read that completed a caller's number and the
write of the hang-up there must be an fdatasync of the ledger's -wal that returned 0, and nothing written to the -wal
after it. Every ring has a number of its own, so a repeated RING or a second hang-up command cannot hide a missing one.
"""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest

from tests.prove.ground import LATE, SETTLE, Processes, make_box, miscall, need, share, until, voter
from tools.simmodem import Farm

pytestmark = [pytest.mark.prove, pytest.mark.timeout(900)]

RINGS = 200
CALLS = "read,write,pwrite64,pwritev,fsync,fdatasync"
HANG_UPS = ("AT+CHUP", "ATH", "AT+QHUP", "AT+CHLD")
TRACED = re.compile(r'^(\w+)\(\d+<([^<>]*)(?:<[^>]*>)?>(?:, "((?:[^"\\]|\\.)*)"\.{0,3})?.*\) = (-?\d+)')


def violations(trace: Path, numbers: list[str]) -> tuple[int, list[str]]:
    """How many hang-ups a trace shows, and what is wrong with them."""
    heard, known, safe, unsynced = "", set[str](), set[str](), 0
    hangups, wrong = 0, []
    waiting = set(numbers)
    for line in trace.read_text(errors="replace").splitlines():
        found = TRACED.match(line)
        if not found:
            continue
        call, file, text, result = found[1], found[2], found[3] or "", int(found[4])
        if call == "read" and "/dev/pts/" in file:
            heard = (heard + text)[-4096:]
            new = {number for number in waiting if number in heard}
            known |= new
            waiting -= new
        elif call.startswith("pwrite") and file.endswith("-wal"):
            unsynced += 1
        elif call in ("fsync", "fdatasync") and file.endswith("-wal") and result == 0:
            safe |= known
            unsynced = 0
        elif call == "write" and "/dev/pts/" in file and text.startswith(HANG_UPS):
            hangups += 1
            if known - safe:
                wrong.append(f"hang-up {hangups} before any sync")
            elif unsynced:
                wrong.append(f"hang-up {hangups} with {unsynced} writes not synced")
    return hangups, wrong


def ring(folder: Path, rings: int, profile: str = "generic", fault: str = "", broken: str = "") -> list[str]:
    """Let `rings` callers ring a line under strace; returns what is wrong with the order."""
    numbers = [voter(n) for n in range(rings)]
    trace = folder / "trace"
    with Farm(folder / "ports") as farm, Processes(folder) as processes:
        port = farm.add(profile, name="sim1", send_s=(0.01, 0.05))
        box = make_box(folder, {"l1": port.path})
        strace = ("strace", "-o", str(trace), "-yy", "-s", "4096", "-e", f"trace={CALLS}", "-e", "signal=none")
        child = processes.start(*strace, *miscall("box", "line", box, "l1", broken=broken), log="line")
        state = folder / "data" / "state" / "l1.json"
        until(lambda: state.exists() and '"ready"' in state.read_text(), "the line is ready")
        if fault:
            port.fault(fault)
        for number in numbers:
            call = port.dial(number, patience_s=30)
            assert farm.until(lambda call=call: call.fate, 30) and call.fate == "rejected"
        os.kill(json.loads(state.read_text())["pid"], signal.SIGTERM)  # the line: strace itself would not end
        until(lambda: child.poll() is not None, "the line ended")
        read = len(port.modem.hangups)
    hangups, wrong = violations(trace, numbers)
    assert hangups == read >= rings, "the trace and the modem must tell of the same hang-ups"
    return wrong


@pytest.mark.parametrize(
    ("profile", "fault", "rings"),
    [("generic", "", RINGS * 6 // 10), ("quectel-lte", "", RINGS // 5), ("sim800", "clcc-only", RINGS // 5)],
)
def test_no_hang_up_is_written_before_its_row_is_synced(tmp_path: Path, profile: str, fault: str, rings: int) -> None:
    need("strace")
    assert ring(tmp_path, share(rings), profile, fault) == []


@pytest.mark.parametrize("level", ["NORMAL", "OFF"])
def test_a_ledger_that_does_not_sync_is_caught(tmp_path: Path, level: str) -> None:
    need("strace")
    assert len(ring(tmp_path, 5, broken=SETTLE.format(level=level))) == 5


def test_a_hang_up_before_the_commit_is_caught(tmp_path: Path) -> None:
    need("strace")
    assert len(ring(tmp_path, 5, broken=LATE)) == 5
