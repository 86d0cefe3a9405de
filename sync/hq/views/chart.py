"""Bars as a drawing in per cent of its width and height, so that it needs no script and no style of its own.

Every drawing is told in a sentence and in a table too; whoever asks for one gives both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

MARKS = (2, 4, 6, 10)  # their halves are whole too
FLOOR, HIGHEST = 88, 84  # per cent of the height: where bars stand, and how high the highest may be


class Bar(NamedTuple):
    """One column: what it counts, what it is called in full, and the short name below it ("" for none).
    `odd`: the name is left out where there is little room; `now`: it is still growing."""

    value: float
    said: str
    name: str = ""
    odd: bool = False
    now: bool = False


def top_of(most: float) -> int:
    """The round number at or above `most` that the chart's scale ends with."""
    step = 1
    while True:
        for mark in MARKS:
            if mark * step >= most:
                return max(4, mark * step)
        step *= 10


def drawing(columns: Sequence[Bar], sentence: str) -> dict[str, Any]:
    """Bars in per cent: of the width between the edges, and of the height above their names."""
    top = top_of(max((bar.value for bar in columns), default=0))
    width = 100 / max(1, len(columns))
    bars = []
    for place, bar in enumerate(columns):
        height = HIGHEST * bar.value / top
        bars.append({
            "x": f"{place * width:.3f}%", "width": f"{width:.3f}%",
            "inner": f"{(place + 0.14) * width:.3f}%", "inner_width": f"{0.72 * width:.3f}%",
            "y": f"{FLOOR - height:.2f}%", "height": f"{height:.2f}%",
            "calls": f"{bar.value:,}", "said": bar.said, "name": bar.name, "odd": bar.odd, "now": bar.now,
        })  # fmt: skip
    lines = [{"y": f"{FLOOR - HIGHEST * part:.2f}%", "name": f"{round(top * part):,}"} for part in (0.5, 1.0)]
    return {"bars": bars, "lines": lines, "sentence": sentence}
