"""What is done about people without anybody asking: opt-outs carried on, lists filled, reports of erasures written.

Rules of this room
- `tick` is small when there is nothing new: a ledger that has not grown is not asked, nothing is scanned. The web
  page's process calls it.
- A store that fails now is tried again at the next tick; nothing that was half done is done twice.
"""

from __future__ import annotations

import sys
import threading
import time
from functools import partial
from typing import NamedTuple

from sync.hq import orders, stores
from sync.hq.config import HqConfig
from sync.hq.people import forgetting, lists, outcomes, retention, stops, suppression
from sync.hq.sql import Db

EVERY_S, TIDY_MS = 5.0, 3_600_000


class Done(NamedTuple):
    """What a tick did: opt-outs that were new, orders given, entries of lists, reports written."""

    stops: int
    orders: int
    listed: int
    reports: int


def tick(events: Db, desk: Db, config: HqConfig, now_ms: int, seen: stops.Seen | None = None) -> Done:
    """One round of all of it. `seen` is kept between rounds by whoever calls."""
    secret = suppression.key(config.data)
    found = stops.collect(events, desk, secret, seen)
    given = stops.spread(events, desk, partial(orders.order, secret=secret), now_ms)
    listed = lists.gather(events, desk, secret, now_ms, seen)
    forgetting.postpone(events, desk, config.retention.law, now_ms)
    reports = forgetting.finish(events, desk, config.data, now_ms)
    return Done(found, given, listed, len(reports))


def tidy(desk: Db, config: HqConfig, now_ms: int) -> None:
    """What is to go from the desk's tables, now and then."""
    with desk.transaction():
        outcomes.forget_wrong(desk, now_ms)
        retention.tidy(desk, config.retention, now_ms)


class Jobs(threading.Thread):
    """Ticks until it is stopped, beside the page. Its errors are told once each kind, without any value."""

    def __init__(self, config: HqConfig, every_s: float = EVERY_S) -> None:
        super().__init__(name="people", daemon=True)
        self._config, self._every_s = config, every_s
        self._over = threading.Event()
        self._told: set[str] = set()
        self._seen: stops.Seen = {}
        self._tidy_ms = 0

    def run(self) -> None:
        while not self._over.wait(self._every_s):
            try:
                with stores.events(self._config) as events, stores.desk(self._config) as desk:
                    self._round(events, desk, int(time.time() * 1000))
            except FileNotFoundError:
                continue  # no receiver has begun yet
            except Exception as error:  # whatever a store or a disk does: the page goes on, and so do the jobs
                kind = type(error).__name__
                if kind not in self._told:
                    self._told.add(kind)
                    print(f"people: not done now ({kind}), tried again", file=sys.stderr, flush=True)

    def _round(self, events: Db, desk: Db, now_ms: int) -> None:
        tick(events, desk, self._config, now_ms, self._seen)
        if now_ms >= self._tidy_ms:
            tidy(desk, self._config, now_ms)
            self._tidy_ms = now_ms + TIDY_MS

    def stop(self) -> None:
        self._over.set()
        self.join(10)
