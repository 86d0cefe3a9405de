"""Figures in a table and in latest.json. What has no goal stands beside the figure above it: a peer, or a detail."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

LATEST = Path(__file__).parent / "latest.json"
# goals of the road, by its own names
GOALS = {
    "bytes a call, batch of 500": 9.0,
    "receiver alone, 500 a batch, ev/s": 60_000.0,
    "receiver alone, 16 a batch, ev/s": 15_000.0,
}
BACKLOG, FLAT = 20_000.0, 1.25  # events a second; memory at the end over memory a quarter of the way
_WIDTHS = (74, 15, 18)  # figure, to reach, reached


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `goal` and `ok` are empty for what is only shown; `value` None: it was not measured,
    and `unit` says why."""

    name: str
    value: float | None
    unit: str
    goal: str = ""
    ok: bool | None = None

    @property
    def reached(self) -> str:
        return self.unit if self.value is None else said(self.value, self.unit)

    @property
    def verdict(self) -> str:
        return "" if self.ok is None else "reached" if self.ok else "MISSED"


def at_most(name: str, value: float, limit: float, unit: str) -> Figure:
    """A figure that must not be higher than `limit`."""
    return Figure(name, value, unit, f"<= {said(limit, unit)}", value <= limit)


def at_least(name: str, value: float, limit: float, unit: str) -> Figure:
    """A figure that must not be lower than `limit`."""
    return Figure(name, value, unit, f">= {said(limit, unit)}", value >= limit)


def all_of(name: str, count: int, out_of: int) -> Figure:
    """A count of which not one may be missing, nor may there be one too many."""
    return Figure(name, count, f"of {out_of}", f"{out_of} of {out_of}", count == out_of > 0)


def beside(name: str, value: float, unit: str) -> Figure:
    """Something to compare with: a peer, or what a figure consists of."""
    return Figure(f"  {name}", value, unit)


def absent(name: str, why: str) -> Figure:
    """What could not be measured, and why."""
    return Figure(name, None, why)


def of(found: list[Figure] | dict[str, object]) -> list[Figure]:
    """What a measurement gave. The road gives names and numbers: its goals are here."""
    if isinstance(found, list):
        return found
    figures: list[Figure] = []
    for name, value in found.items():
        unit = "" if "PSS" in name or "ev/s" in name else "B"
        if isinstance(value, list):
            early, late = value
            whose = name.partition(",")[0]
            figures.append(at_most(f"{whose}: PSS at the backlog's end", late, round(early * FLAT, 1), "MB"))
        elif name in GOALS:
            at = at_least if GOALS[name] > 1000 else at_most
            figures.append(at(name, float(str(value)), GOALS[name], unit))
        elif name.startswith("backlog"):
            figures.append(at_least(name, float(str(value)), BACKLOG, unit))
        else:
            figures.append(beside(name, float(str(value)), unit))
    return figures


def said(value: float, unit: str) -> str:
    """A value with as many digits as it deserves."""
    digits = 0 if value == int(value) or abs(value) >= 1000 else 1 if abs(value) >= 100 else 2
    return f"{value:,.{digits}f} {unit}".rstrip()


def rank(values: Sequence[float], share: float) -> float:
    """The value below which `share` of `values` lie, by nearest rank."""
    if not values:
        return float("inf")
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def machine() -> dict[str, object]:
    """Where this was measured, and how busy it was before."""
    return {
        "cores": os.cpu_count(), "python": platform.python_version(), "sqlite": sqlite3.sqlite_version,
        "kernel": platform.release(), "architecture": platform.machine(), "load before": os.getloadavg()[0],
    }  # fmt: skip


def head() -> None:
    """The first line of the table."""
    _row("figure", "to reach", "reached", "")
    print("-" * (sum(_WIDTHS) + 12), flush=True)


def show(figures: Iterable[Figure]) -> None:
    """The lines of one measurement."""
    for figure in figures:
        _row(figure.name, figure.goal, figure.reached, figure.verdict)


def _row(*cells: str) -> None:
    print(" ".join(cell.ljust(width) for cell, width in zip(cells, (*_WIDTHS, 0), strict=True)).rstrip(), flush=True)


def write(
    figures: dict[str, list[Figure]], about: dict[str, object], seconds: dict[str, float],
    seeds: dict[str, list[int]], quick: bool,
    path: Path = LATEST,
) -> None:  # fmt: skip
    """Keep the run: date, machine, seeds, and every figure by measurement. A measurement that was not made this time
    stays as it was, with its own date."""
    date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    earlier = json.loads(path.read_text()) if path.exists() else {}
    others = {name: {"date": earlier["date"], **it} for name, it in earlier.get("measurements", {}).items()}
    kept = {
        "date": date,
        "quick": quick,
        "command": " ".join(["python -m bench", *sys.argv[1:]]),
        "machine": about,
        "seeds": seeds,
        "measurements": others | {
            name: {"date": date, "seconds": round(seconds[name], 1), "figures": [_plain(figure) for figure in those]}
            for name, those in figures.items()
        },
    }
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def _plain(figure: Figure) -> dict[str, object]:
    value = figure.value if figure.value is None or figure.value < float("inf") else None
    kept: dict[str, object] = {"name": figure.name.strip(), "value": value, "unit": figure.unit}
    if figure.ok is not None:
        kept |= {"to reach": figure.goal, "reached": figure.ok}
    return kept
