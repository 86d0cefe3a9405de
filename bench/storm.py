"""More callers than an AT channel can hold: 12 a line, one every 0.4 to 3 s, while each reply takes 1.5 to 3.5 s.

Real lines in real time on eight modems, then the same storm in made-up time for many more seeds, beside a naive loop
that is the same code but sends whenever nobody rings. The number comes 0.05 to 0.4 s after RING, a different delay
on each modem; a caller has patience for 2 to 8 s; each line's network refuses one SMS for the moment (+CMS ERROR 42).
Then the storm in which a RING stands inside every response of the modem.
"""

from __future__ import annotations

import random
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.fleet import Box, until
from bench.report import Figure, all_of, at_least, at_most, beside
from tests.rig import Rig
from tools.simmodem import Farm
from tools.simmodem.calls import Call

CALLERS, GAP_S, PATIENCE_S, CLIP_S, SEND_S = 12, (0.4, 3.0), (2.0, 8.0), (0.05, 0.4), (1.5, 3.5)
CONGESTED = 42  # +CMS ERROR of a network that is full for the moment
LATEST_REPLY_S = 50.0
AFTER_S = 4.0  # so long a line may ask the modem about a caller whose number never came
SEEDS: dict[str, list[int]] = {"storm": [0, 1], "RING inside": [100], "storm, made-up time": list(range(24))}
_ENDED = {"sent", "delivered", "failed", "unknown", "cancelled"}


@dataclass
class Storm:
    """What came of one storm, or of several."""

    calls: list[Call] = field(default_factory=list)
    kept: int = 0  # calls on disk
    replied: int = 0
    wanted: int = 0  # replies
    late_s: float = 0.0  # from the last caller to the last reply

    def __add__(self, other: Storm) -> Storm:
        late = max(self.late_s, other.late_s)
        calls, kept = self.calls + other.calls, self.kept + other.kept
        return Storm(calls, kept, self.replied + other.replied, self.wanted + other.wanted, late)

    @property
    def reached(self) -> int:
        """How many did not hear busy."""
        return sum(call.fate not in ("busy", "unreachable") for call in self.calls)

    @property
    def captured(self) -> float:
        """Percent of all who dialled."""
        return 100 * self.kept / len(self.calls)


def measure(quick: bool = False) -> list[Figure]:
    """The storm in real time, in made-up time beside the naive loop, and with a RING inside every response."""
    lines, callers = (2, 6) if quick else (8, CALLERS)
    seeds, imagined = SEEDS["storm"][: 1 if quick else None], SEEDS["storm, made-up time"][: 4 if quick else None]
    real = Storm()
    for seed in seeds:
        real += in_real_time(lines, callers, seed)
    ringing = in_real_time(lines, callers, SEEDS["RING inside"][0], fault="ring-inside", replies=False)
    ours, naive, inside = Storm(), Storm(), Storm()
    for seed in imagined:
        ours += in_made_up_time(seed)
        naive += in_made_up_time(seed, naive=True)
        inside += in_made_up_time(seed, fault="ring-inside")
    where = f"{lines} lines, {len(seeds)} storm{'s' * (len(seeds) > 1)}"
    return [
        at_least(f"storm, {where}: captured of {len(real.calls)} who dialled", real.captured, 95, "%"),
        beside(f"made-up time, {len(imagined)} lines: captured", ours.captured, "%"),
        beside("naive loop that sends between calls: captured", naive.captured, "%"),
        at_most(
            "storm: last reply after the last caller, one refusal a line retried", real.late_s, LATEST_REPLY_S, "s"
        ),
        all_of("storm: replies accepted", real.replied, real.wanted),
        beside("made-up time: last reply after the last caller", ours.late_s, "s"),
        beside("naive loop: last reply after the last caller", naive.late_s, "s"),
        all_of("RING inside every response: recorded of those who reached a line", ringing.kept, ringing.reached),
        all_of("  made-up time: recorded of those who reached a line", inside.kept, inside.reached),
    ]


# ------------------------------------------------------------------------------------------ real


def in_real_time(lines: int, callers: int, seed: int, fault: str = "", replies: bool = True) -> Storm:
    """Real processes. `fault` is on in every modem; `replies` False: nobody waits for them."""
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory() as name, Farm(Path(name) / "ports") as farm:
        ports = [
            farm.add("generic", seed=seed * 100 + place, send_s=SEND_S, clip_s=dice.uniform(*CLIP_S))
            for place in range(lines)
        ]
        box = Box(Path(name) / "box", ports)
        with box.lines():
            for port in ports:
                if fault:
                    port.fault(fault)
                port.fault("cms-error", CONGESTED, times=1)
            storm = Storm()
            begun = time.monotonic()
            for at, place, number, patience in _plan(dice, lines, callers, seed):
                time.sleep(max(0.0, begun + at - time.monotonic()))
                storm.calls.append(ports[place].dial(number, patience))
            until(lambda: all(call.fate for call in storm.calls), 2 * PATIENCE_S[1], "the last caller is gone")
            time.sleep(AFTER_S)
            _look(storm, box, begun + at, LATEST_REPLY_S * 2 if replies else 0.0)
    return storm


def _plan(dice: random.Random, lines: int, callers: int, seed: int) -> list[tuple[float, int, str, float]]:
    """Who dials when, on which line, with how much patience."""
    plan = []
    for line in range(lines):
        at = 0.0
        for caller in range(callers):
            plan.append((at, line, f"+9198{seed:03}{line:02}{caller:03}", dice.uniform(*PATIENCE_S)))
            at += dice.uniform(*GAP_S)
    return sorted(plan)


def _look(storm: Storm, box: Box, ended: float, patience_s: float) -> None:
    """Count what is on disk; wait for the replies."""
    storm.kept = box.calls()
    storm.wanted = sum(box.letters().values())
    end = time.monotonic() + patience_s
    while set(box.letters()) - _ENDED and time.monotonic() < end:
        time.sleep(0.2)
    out = [sent for port in box.ports for sent in port.modem.sent if sent.outcome == "accepted"]
    storm.replied = len(out)
    storm.late_s = max((sent.done_at or 0.0) - ended for sent in out) if out else 0.0
    if storm.replied < storm.wanted:
        storm.late_s = float("inf")


# --------------------------------------------------------------------------------------- made up


def in_made_up_time(seed: int, naive: bool = False, fault: str = "") -> Storm:
    """One line and one modem under a clock of our own. `naive`: it sends as soon as nobody rings."""
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder), profile="generic", seed=seed, send_s=SEND_S, clip_s=dice.uniform(*CLIP_S))
        station = rig.station
        assert station is not None
        if naive:
            station.rest = lambda: 0.0  # type: ignore[method-assign]
        rig.until(lambda: station.condition.ready and station.runner.idle, 30)
        if fault:
            rig.sim.fault(fault, rig.now)
        rig.sim.fault("cms-error", rig.now, CONGESTED, 1)
        storm, begun = Storm(), rig.now
        for at, _, number, patience in _plan(dice, 1, CALLERS, seed):
            rig.run(begun + at - rig.now)
            storm.calls.append(rig.sim.dial(number, rig.now, patience))
        ended = rig.now
        rig.run(PATIENCE_S[1] + AFTER_S)
        rig.until(lambda: set(rig.letters()) <= _ENDED, 300)
        out = [sent for sent in rig.sim.sent if sent.outcome == "accepted"]
        storm.kept, storm.wanted, storm.replied = len(rig.calls()), len(rig.letters()), len(out)
        storm.late_s = max((sent.done_at or 0.0) - ended for sent in out)
        station.ledger.close()
    return storm
