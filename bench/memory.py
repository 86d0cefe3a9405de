"""What a box weighs: eight lines, uplink and page, each a process, after a few calls with their replies.

PSS (a page shared by n processes counts 1/n in each) from /proc/PID/smaps_rollup. The broker and headquarters run
beside the box, so that the uplink has spoken to them. The measuring process shares the interpreter's pages too,
as any other Python program on a Pi would.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import road
from bench.fleet import MISCALL, Box, Voters, leash, until
from bench.report import Figure, absent, at_most, beside
from edge import status
from tools.simmodem import Farm

LINES, PATIENCE_S = 8, 10.0


def measure(quick: bool = False) -> list[Figure]:
    """PSS of the lines, of the uplink, of the page and of what starts them."""
    if not shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"):
        return [absent("memory", "mosquitto is not installed")]
    with _box() as box:
        _calls(box, 1 if quick else 3)
        weights = _weigh(box)
    lines = [weights[name] for name in box.names]
    return [
        at_most(f"PSS of a line process, {LINES} running, median", statistics.median(lines), 20, "MB"),
        beside("the heaviest line", max(lines), "MB"),
        at_most("PSS of the uplink", weights["uplink"], 35, "MB"),
        beside("the page", weights["page"], "MB"),
        beside("miscall box run", weights["run"], "MB"),
        beside("the whole box", sum(weights.values()), "MB"),
    ]


@contextmanager
def _box() -> Iterator[Box]:
    """A whole box with its headquarters."""
    with tempfile.TemporaryDirectory() as name, Farm(Path(name) / "ports") as farm:
        folder, port = Path(name), road.free_port()
        ports = [farm.add("generic", seed=place, send_s=(0.5, 1.0)) for place in range(LINES)]
        box = Box(folder / "box", ports, port, f"127.0.0.1:{road.free_port()}")
        receiver = road.python("sync.hq.receiver", road.hq_toml(folder / "hq", port))
        with road.mosquitto(folder, port), leash(receiver, folder / "hq.log"):
            with leash([*MISCALL, "box", "run", str(box.config)], folder / "box.log"):
                box.until_ready()
                until(lambda: box.state("uplink").get("state") == "connected", 30, "the uplink is connected")
                yield box


def _calls(box: Box, rounds: int) -> None:
    """A few calls on each line, until headquarters has them and their replies."""
    voters = Voters(5)
    for _ in range(rounds):
        calls = [port.dial(voters(), PATIENCE_S) for port in box.ports]
        until(lambda calls=calls: all(call.fate for call in calls), 20, "the calls are over")  # type: ignore[misc]
        wanted = sum(box.letters().values())
        until(lambda wanted=wanted: _sent(box) >= wanted, 60, "the replies are out")  # type: ignore[misc]
    until(lambda: box.state("uplink").get("unsent") == 0, 60, "headquarters has it all")


def _sent(box: Box) -> int:
    return sum(sent.outcome == "accepted" for port in box.ports for sent in port.modem.sent)


def _weigh(box: Box) -> dict[str, float]:
    """MB of each process, by what the box calls it; "run" is the one that started them."""
    weights: dict[str, float] = {}
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_text().split("\0") if entry.name.isdigit() else []
        except OSError:
            continue
        if str(box.config) not in words or "tools" not in words:
            continue
        what = words[words.index("box") + 1]
        name = words[words.index(str(box.config)) + 1] if what == "line" else what
        if status.alive(int(entry.name)):
            weights[name] = road.pss_mb(int(entry.name))
    return weights
