"""`python -m bench [--quick] [name...]`: measure, print, keep. See the room's own first page."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import time
from types import FrameType

from bench import report

NAMES = ("calls", "storm", "peers", "memory", "start", "road")


def main(arguments: list[str]) -> int:
    """Run the measurements named, or all. Returns 1 when one could not be made; a missed figure is an answer."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="The figures, measured.")
    parser.add_argument("--quick", action="store_true", help="a first look in two minutes: fewer calls, same code")
    parser.add_argument("name", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all when none is given")
    wanted = parser.parse_args(arguments)
    if unknown := set(wanted.name) - set(NAMES):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    signal.signal(signal.SIGTERM, _end)
    about, figures, seconds, failed = report.machine(), {}, {}, False
    report.head()
    for name in wanted.name or NAMES:
        begun = time.monotonic()
        try:
            figures[name] = importlib.import_module(f"bench.{name}").measure(wanted.quick)
        except Exception as error:
            failed = True
            figures[name] = [report.absent(name, f"failed: {type(error).__name__}: {error}")]
        seconds[name] = time.monotonic() - begun
        report.show(figures[name])
    report.write(figures, about, seconds, wanted.quick)
    missed = sum(figure.ok is False for those in figures.values() for figure in those)
    print(f"\n{missed or 'no'} figure{'s' * (missed != 1)} missed; {sum(seconds.values()):.0f} s; {report.LATEST}")
    return 1 if failed else 0


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
