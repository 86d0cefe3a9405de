"""From `miscall box run` to the first captured call.

The modem is ready before; a voter dials every 0.25 s and gives up after 0.2 s, as nobody does, so that somebody always
rings. The clock stops when the first hang-up has been read by the modem: the call has been committed by then.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from bench.fleet import MISCALL, Box, Stopwatch, Voters, leash
from bench.report import Figure, at_most, beside
from tools.simmodem import Farm

EVERY_S, PATIENCE_S, LONGEST_S = 0.25, 0.2, 30.0


def measure(quick: bool = False) -> list[Figure]:
    """A box of one line, and one of eight whose processes all start at once."""
    one = [first_call(1) for _ in range(1 if quick else 5)]
    eight = [first_call(8) for _ in range(1 if quick else 3)]
    return [
        at_most("start of `miscall box run` to the first captured call, one line", statistics.median(one), 3, "s"),
        beside("the slowest of these", max(one), "s"),
        at_most("  the same, a box of 8 lines", statistics.median(eight), 3, "s"),
        beside("the slowest of these", max(eight), "s"),
    ]


def first_call(lines: int) -> float:
    """Seconds from exec to the first call that is on disk; voters dial the first line only."""
    voters = Voters(6)
    with tempfile.TemporaryDirectory() as name, Farm(Path(name) / "ports") as farm:
        box = Box(Path(name) / "box", [farm.add("generic", seed=place) for place in range(lines)])
        watch = Stopwatch(box.ports[0])
        begun = time.monotonic()
        with leash([*MISCALL, "box", "run", str(box.config)], Path(name) / "log"):
            dials = 0
            while not watch.hung:
                now = time.monotonic()
                if now > begun + LONGEST_S:
                    raise TimeoutError(f"no call was captured within {LONGEST_S:g} s")
                if now >= begun + dials * EVERY_S:
                    dials += 1
                    box.ports[0].dial(voters(), PATIENCE_S)
                time.sleep(0.005)
            call, hung = next(iter(watch.hung.items()))
            if call.caller not in box.callers(box.names[0]):
                raise RuntimeError("hung up before the call was on disk")
    return hung - begun
