"""The arithmetic of the metrics: intervals, lost calls, percentiles.  Pure: figures in, figures out.

Rules of this room
- Nothing here asks a store; every function is held against published or hand-worked values in the tests.
- What cannot be said is None, never 0: no share of nothing, no percentile of nobody.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache

Z95 = 1.959963984540054  # the normal distribution's 97.5 % point
HOLD_S = 6  # how long a missed call holds its line: set-up, ring and release; 4 to 8 s by modem and network
MOST_OFFERED = 100.0  # erlangs a line: above that the network is so full that no more can be told


def share(part: float, whole: float) -> float | None:
    """`part` of `whole`, from 0 to 1; None of nothing."""
    return part / whole if whole else None


def wilson(hits: int, n: int, z: float = Z95) -> tuple[float, float] | None:
    """Wilson's score interval (1927) of a share of `hits` in `n`; None of nobody."""
    if n <= 0:
        return None
    p, z2 = hits / n, z * z
    middle, width = p + z2 / (2 * n), z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, (middle - width) / (1 + z2 / n)), min(1.0, (middle + width) / (1 + z2 / n))


def erlang_b(lines: int, offered: float) -> float:
    """The share of calls that find all `lines` busy when `offered` erlangs come at random and do not wait."""
    blocked = 1.0
    for line in range(1, lines + 1):
        blocked = offered * blocked / (line + offered * blocked)
    return blocked


@lru_cache(20_000)
def offered_load(lines: int, carried: float) -> float:
    """The erlangs that must have been offered where `lines` carried so many: carried = offered (1 - B).

    At most MOST_OFFERED a line: as the carried load nears the number of lines, the offered one has no bound."""
    most = MOST_OFFERED * lines
    if carried <= 0:
        return 0.0
    if carried >= most * (1 - erlang_b(lines, most)):
        return most
    low, high = carried, most
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if middle * (1 - erlang_b(lines, middle)) < carried else (low, middle)
    return (low + high) / 2


def loss(lines: int, carried: float) -> float:
    """Erlang's B of `lines` that carried so many erlangs; with one line it is the carried load itself."""
    return erlang_b(lines, offered_load(lines, carried))


def unseen(calls: float, lost: float, recovered: float) -> float:
    """Calls of which nobody heard: those that `lost`, the share B, says were turned away while `calls` got through,
    less those that an operator's alert told of."""
    return max(0.0, calls * lost / (1 - lost) - recovered)


def percentile(histogram: Mapping[int, int], q: float) -> int | None:
    """The least key up to which at least the share `q` of all lies (nearest rank); None of nobody."""
    total, seen = sum(histogram.values()), 0
    for key in sorted(histogram):
        seen += histogram[key]
        if seen and seen >= q * total - 1e-9:
            return key
    return None


def median(values: Iterable[float]) -> float | None:
    """The middle one, or the mean of the two in the middle."""
    found = sorted(values)
    if not found:
        return None
    half = len(found) // 2
    return found[half] if len(found) % 2 else (found[half - 1] + found[half]) / 2
