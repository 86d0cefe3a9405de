"""`python -m bench [--quick] [name...]`: measure, print, keep. See the room's own first page."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import threading
import time
from collections.abc import Sequence
from types import FrameType

from bench import report
from bench.storm import SEEDS

NAMES = ("calls", "storm", "peers", "memory", "start", "road", "pages", "voice", "hearing", "sound", "words")
WAITING = ("storm", "peers")


def main(arguments: list[str]) -> int:
    """Run the measurements named, or all. Returns 1 when one could not be made; a missed figure is an answer."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="The figures, measured.")
    parser.add_argument("--quick", action="store_true", help="a first look in two minutes: fewer calls, same code")
    parser.add_argument("name", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all when none is given")
    wanted = parser.parse_args(arguments)
    if unknown := set(wanted.name) - set(NAMES):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    signal.signal(signal.SIGTERM, _end)
    about, runs = report.machine(), []
    report.head()
    for names in _together(wanted.name or NAMES, wanted.quick):
        threads = [Run(name, wanted.quick) for name in names]
        for run in threads:
            run.start()
        for run in threads:
            run.join()
            report.show(run.figures)
        runs += threads
    figures = {run.name: run.figures for run in runs}
    report.write(figures, about, {run.name: run.seconds for run in runs}, SEEDS, wanted.quick)
    missed = sum(figure.ok is False for those in figures.values() for figure in those)
    print(f"\n{missed or 'no'} figure{'s' * (missed != 1)} missed; all are in {report.LATEST}")
    return 1 if any(run.failed for run in runs) else 0


class Run(threading.Thread):
    """One measurement; a thread that does not outlive us, so that some may share their waiting."""

    def __init__(self, name: str, quick: bool) -> None:
        super().__init__(name=name, daemon=True)
        self.quick, self.failed, self.seconds = quick, False, 0.0
        self.figures: list[report.Figure] = []

    def run(self) -> None:
        begun = time.monotonic()
        try:
            self.figures = report.of(importlib.import_module(f"bench.{self.name}").measure(self.quick))
        except Exception as error:
            self.failed = True
            self.figures = [report.absent(self.name, f"failed: {type(error).__name__}: {error}")]
        self.seconds = time.monotonic() - begun


def _together(names: Sequence[str], quick: bool) -> list[list[str]]:
    """One after the other; in a quick run those that mostly wait for callers go at once."""
    at_once = [name for name in names if quick and name in WAITING]
    return [[name] for name in names if name not in at_once] + ([at_once] if at_once else [])


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
