"""The arithmetic of the metrics: shares, intervals, percentiles.  Pure: figures in, figures out.

Rules of this room
- Nothing here asks a store; every function is held against published or hand-worked values in the tests.
- What cannot be said is None, never 0: no share of nothing, no percentile of nobody.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

Z95 = 1.959963984540054  # the normal distribution's 97.5 % point


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
