"""Sound by formula: the sixteen keys of a telephone (ITU-T Q.23) and silence.

Everything is s16le, mono, 8 kHz. Made without a look at the box's own detector, so that a mistake in
one shows against the other.
"""

from __future__ import annotations

import math
from array import array
from functools import lru_cache

RATE = 8000
KEYS = ("123A", "456B", "789C", "*0#D")  # as they lie on the telephone
ROWS = (697.0, 770.0, 852.0, 941.0)
COLUMNS = (1209.0, 1336.0, 1477.0, 1633.0)
_EDGE = RATE * 2 // 1000  # a tone that starts at full level clicks


def frequencies(key: str) -> tuple[float, float]:
    """Row and column of a key in Hz. Raises ValueError."""
    for row, keys in zip(ROWS, KEYS, strict=True):
        if len(key) == 1 and key.upper() in keys:
            return row, COLUMNS[keys.index(key.upper())]
    raise ValueError(f"no key is called {key!r}; there are: {''.join(KEYS)}")


@lru_cache(maxsize=64)
def tone(key: str, ms: float = 100, level: float = 0.3) -> bytes:
    """The tone of a key: two sines of amplitude `level` (of full scale) each, with edges of 2 ms.
    Raises ValueError for no key, or a level above 0.5, at which the two would clip."""
    if not 0 < level <= 0.5:
        raise ValueError(f"a level of {level:g} is outside 0 to 0.5")
    low, high = (2 * math.pi * hz / RATE for hz in frequencies(key))
    length = round(ms * RATE / 1000)
    edge = max(1, min(_EDGE, length // 2))
    samples = array("h", bytes(2 * length))
    for i in range(length):
        inside = min(i + 0.5, length - i - 0.5, edge)
        shape = 0.5 - 0.5 * math.cos(math.pi * inside / edge)
        samples[i] = round(32767 * level * shape * (math.sin(low * i) + math.sin(high * i)))
    return little_endian(samples)


def silence(ms: float) -> bytes:
    return bytes(2 * round(ms * RATE / 1000))


def little_endian(samples: array[int]) -> bytes:
    """Bytes of s16le, on any machine."""
    if array("H", [1]).tobytes()[0] == 0:
        samples = array("h", samples)
        samples.byteswap()
    return samples.tobytes()
