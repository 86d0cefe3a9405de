"""Headquarters on PostgreSQL, measured: from MQTT to rows that are committed and acknowledged, one receiver.

This process plays a hundred boxes; mosquitto, the receiver and a PostgreSQL server of its own, with its usual settings
(fsync on), share the machine with it. Beside each figure, in the same run: a receiver that writes batch by batch with
ON CONFLICT (`peer`).
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench import road
from bench.report import Figure, absent, at_least, beside
from tests.postgres import BINARIES, Server

GOALS = {500: 80_000.0, 96: 50_000.0}
RATIO = 2.0
_EVENTS = {500: 500_000, 96: 300_000}
_PEER = 5  # the peer is given so many times fewer


def measure(quick: bool = False) -> list[Figure]:
    """Events a second by the size of a batch. Quick: a tenth of the events."""
    if not BINARIES:
        return [absent("headquarters on PostgreSQL", "PostgreSQL is not installed: apt install postgresql")]
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="miscall-pg-") as folder:
        server = Server(Path(folder))
        try:
            for size, goal in GOALS.items():
                events = _EVENTS[size] // (10 if quick else 1)
                ours = road.receiver_alone(size, events, store=server.database())
                naive = road.receiver_alone(size, events // _PEER, store=server.database(), receiver="bench.peer")
                figures += [
                    at_least(f"MQTT to committed rows on PostgreSQL, {size} a batch", ours, goal, "ev/s"),
                    beside("batch by batch with ON CONFLICT, same run", naive, "ev/s"),
                    at_least("  set-based over that", ours / naive, RATIO, "times"),
                ]
        finally:
            server.close()
    return figures
