"""Lines that are busy: Erlang's B, and what must have been offered to lines that carried so much.  Pure.

Rules of this room
- Nothing here asks a store; every function is held against published or hand-worked values in the tests.
"""

from __future__ import annotations

from functools import lru_cache

HOLD_S = 6  # how long a missed call holds its line: set-up, ring and release; 4 to 8 s by modem and network
MOST_OFFERED = 100.0  # erlangs a line: above that the network is so full that no more can be told


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
