"""How long a caller rings: from her number on the wire to the hang-up on the wire, the commit between them.

Eight lines, each a process, on eight modems that say RING and 5 ms later the number. First the calls are spread
evenly over time, then all eight come in the same instant; then every fdatasync takes 15 or 300 ms, as on SD cards.
A call that was told while an SMS held the AT channel is not counted: nobody can hang up then.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.fleet import Box, Stopwatch, Voters, until
from bench.report import Figure, all_of, at_most, beside, rank
from tools.simmodem import Farm
from tools.simmodem.calls import Call

LINES, PATIENCE_S = 8, 10.0
SOON = (0.05, 0.05)  # seconds that an SMS takes where only the hang-up is measured
CARDS_MS = (15, 300)
ALLOWANCE_MS = 15.0  # beside the one commit: what the eighth of eight may wait for two cores
REPLY_EVERY_S = 0.3

_SLOW_C = """\
#include <unistd.h>
#include <sys/syscall.h>
int fdatasync(int fd) { usleep(DELAY_US); return syscall(SYS_fdatasync, fd); }
int fsync(int fd) { usleep(DELAY_US); return syscall(SYS_fsync, fd); }
"""


def measure(quick: bool = False) -> list[Figure]:
    """The latencies on a fast disk, the same on two slow cards, and how soon a reply is out."""
    figures = fast(rounds=12 if quick else 80, instants=12 if quick else 50)
    for delay_ms in CARDS_MS:
        figures += card(delay_ms, rounds=4 if quick else 8, lines=2 if quick else LINES)
    return figures + reply(lines=2 if quick else LINES)


@contextmanager
def running(
    wrap: Sequence[str] = (), environment: Mapping[str, str] | None = None, lines: int = LINES, **options: Any
) -> Iterator[tuple[Box, list[Stopwatch]]]:
    """A box of some lines, all ready, with a stopwatch at each modem."""
    with tempfile.TemporaryDirectory() as name, Farm(Path(name) / "ports") as farm:
        ports = [farm.add("generic", seed=place, **options) for place in range(lines)]
        box = Box(Path(name) / "box", ports)
        with box.lines(wrap, environment):
            yield box, [Stopwatch(port) for port in ports]


def spread(watches: Sequence[Stopwatch], rounds: int, every_s: float, voters: Voters) -> list[Call]:
    """A call on each line in turn, evenly spread, so that a line rings `every_s`."""
    calls = []
    begun = time.monotonic()
    for number in range(rounds * len(watches)):
        time.sleep(max(0.0, begun + number * every_s / len(watches) - time.monotonic()))
        calls.append(watches[number % len(watches)].port.dial(voters(), PATIENCE_S))
    until(lambda: all(call.fate for call in calls), 2 * PATIENCE_S, "the last caller is gone")
    return calls


def at_once(watches: Sequence[Stopwatch], rounds: int, every_s: float, voters: Voters) -> list[Call]:
    """A call on every line in the same instant, again and again."""
    calls = []
    for _ in range(rounds):
        with watches[0].port.farm.lock:
            calls += [watch.port.dial(voters(), PATIENCE_S) for watch in watches]
        time.sleep(every_s)
    until(lambda: all(call.fate for call in calls), 2 * PATIENCE_S, "the last caller is gone")
    return calls


def latencies_ms(watches: Sequence[Stopwatch], calls: Sequence[Call]) -> list[float]:
    """What the stopwatches say of these calls."""
    chosen = set(calls)
    return [1000 * seconds for watch in watches for call, seconds in watch.latencies().items() if call in chosen]


def fast(rounds: int, instants: int) -> list[Figure]:
    """On this machine's own disk."""
    voters = Voters(1)
    with running(send_s=SOON) as (box, watches):
        even = spread(watches, rounds, 0.4, voters)
        instant = at_once(watches, instants, 0.3, voters)
        time.sleep(0.3)
        kept = box.calls()
        even_ms, instant_ms = latencies_ms(watches, even), latencies_ms(watches, instant)
    dialled = sum(call.fate != "busy" for call in even + instant)
    return [
        at_most("number known -> hang-up, spread over 8 lines, p50", rank(even_ms, 0.5), 1.5, "ms"),
        at_most("number known -> hang-up, spread over 8 lines, p99", rank(even_ms, 0.99), 10, "ms"),
        at_most("number known -> hang-up, all 8 in the same instant, p50", rank(instant_ms, 0.5), 4, "ms"),
        at_most("number known -> hang-up, all 8 in the same instant, p99", rank(instant_ms, 0.99), 20, "ms"),
        all_of("  calls of these on disk", kept, dialled),
        beside("this disk: fdatasync of 20 KB, p50", rank(syncs := disk_ms(), 0.5), "ms"),
        beside("this disk: fdatasync of 20 KB, p99", rank(syncs, 0.99), "ms"),
    ]


def disk_ms(count: int = 200) -> list[float]:
    """What a commit's own write costs here: five pages appended, and fdatasync."""
    taken = []
    with tempfile.NamedTemporaryFile() as file:
        for _ in range(count):
            begun = time.monotonic()
            os.write(file.fileno(), bytes(5 * 4096))
            os.fdatasync(file.fileno())
            taken.append(1000 * (time.monotonic() - begun))
            time.sleep(0.002)
    return taken


def card(delay_ms: int, rounds: int, lines: int) -> list[Figure]:
    """On a card whose fdatasync takes so much longer."""
    with (
        tempfile.TemporaryDirectory() as name,
        running(*slow(delay_ms, Path(name)), lines, send_s=SOON) as (box, watches),
    ):
        calls = spread(watches, rounds, max(0.8, 8 * delay_ms / 1000), Voters(2))
        time.sleep(4 * delay_ms / 1000 + 0.3)
        kept, found = box.calls(), latencies_ms(watches, calls)
    reached = sum(call.fate != "busy" for call in calls)
    how = "preloaded" if shutil.which("gcc") else "strace"
    name = f"number known -> hang-up, fdatasync {delay_ms} ms slower ({how})"
    return [
        at_most(f"{name}, p50", rank(found, 0.5), delay_ms + ALLOWANCE_MS, "ms"),
        beside("p99", rank(found, 0.99), "ms"),
        all_of("  calls of these on disk", kept, reached),
    ]


def slow(delay_ms: int, folder: Path) -> tuple[Sequence[str], Mapping[str, str]]:
    """What a line must be started with so that every fdatasync waits: a preloaded library, or strace without gcc."""
    if not shutil.which("gcc"):
        slow = f"inject=fdatasync,fsync:delay_exit={delay_ms * 1000}"
        return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e", slow], {}
    source, library = folder / "slow.c", folder / "slow.so"
    source.write_text(_SLOW_C)
    subprocess.run(
        ["gcc", "-O2", "-w", "-shared", "-fPIC", f"-DDELAY_US={delay_ms * 1000}", "-o", str(library), str(source)],
        check=True,
    )
    return (), {"LD_PRELOAD": str(library)}


def reply(lines: int) -> list[Figure]:
    """From the first RING to the network's acceptance of the reply, when sending takes 2.5 s, on quiet lines: one call
    on each line by turns, then one on every line in the same instant, when all want the box's send lock."""
    turns, instant = (_replies(lines, every_s) for every_s in (REPLY_EVERY_S, 0.0))
    return [
        at_most("ring -> reply accepted, simulated send 2.5 s, p50", statistics.median(turns), 3.5, "s"),
        beside("the slowest of these", max(turns), "s"),
        beside("calls on all lines in the same instant, p50", statistics.median(instant), "s"),
    ]


def _replies(lines: int, every_s: float) -> list[float]:
    """Seconds from ring to acceptance of one call on each line of a fresh box."""
    voters, calls = Voters(3), []
    with running(lines=lines, send_s=(2.5, 2.5)) as (_, watches):
        for watch in watches:
            calls.append(watch.port.dial(voters(), PATIENCE_S))
            time.sleep(every_s)
        until(lambda: _answered(watches, calls), 30, "every reply is out")
        return _answered(watches, calls)


def _answered(watches: Sequence[Stopwatch], calls: Sequence[Call]) -> list[float]:
    """Ring to acceptance of each of these calls; empty until all are answered."""
    done = {
        sent.number: sent.done_at
        for watch in watches
        for sent in list(watch.port.modem.sent)
        if sent.done_at and sent.outcome == "accepted"
    }
    taken = [done[call.caller] - (call.rang_at or 0.0) for call in calls if call.caller in done]
    return taken if len(taken) == len(calls) else []
