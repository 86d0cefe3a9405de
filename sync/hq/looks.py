"""Looks at the events store that many readers share, so that twenty open browsers cost what one costs.

A look opens the store and closes it again, so that a damaged, missing or exchanged one is a sentence on the page and
never an error; what comes out of a damaged file is anything. Safe to ask from several threads at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from sync.hq import reports, silence, stores, voices
from sync.hq.catalogue import Tell, told
from sync.hq.config import HqConfig
from sync.hq.silence import Hidden
from sync.hq.views.overview import hushed, trouble, view

SHARE_S = 1.0  # looks that close together share one answer


class Looks:
    """What the first page shows now: read once for all languages, told in each."""

    def __init__(self, config: HqConfig, share_s: float = SHARE_S) -> None:
        self._config, self._share_s = config, share_s
        self._lock = threading.Lock()
        self._shown: Callable[[Tell], dict[str, Any]] = lambda _: trouble("absent", _)
        self._told: dict[str, dict[str, Any]] = {}
        self._silent: Hidden | None = None
        self._due = 0.0  # this and the next on the monotonic clock
        self._callers: int | None = None
        self._answers: list[dict[str, Any]] | None = None
        self._callers_due = 0.0
        self._counting = threading.Lock()

    def now(self, now_ms: int, language: str, _: Tell) -> dict[str, Any]:
        """The page's content; a store that cannot be read is content too."""
        why = silence.hidden(self._config.silence, None, now_ms, ())
        with self._lock:
            if (began := time.monotonic()) >= self._due or why != self._silent:  # nobody sees what was seen before
                self._silent = why
                self._shown, self._told = self._look(now_ms), {}
                ended = time.monotonic()
                self._due = ended + max(self._share_s, 10 * (ended - began))  # a big store is looked at less often
            if language not in self._told:
                self._told[language] = self._shown(_)
            return self._told[language]

    def _look(self, now_ms: int) -> Callable[[Tell], dict[str, Any]]:
        try:
            with stores.events(self._config) as db:
                found = {**reports.overview(db, now_ms), **voices.look(db, now_ms), "answers": self._answers}
                if self._silent:
                    found = hushed(found, self._silent, reports.options(db))
            callers, receiver = self._callers, reports.receiver(self._config.data, now_ms)
            view(found, callers, receiver, partial(told, "en"))  # what cannot be told shows here
            return lambda _: view(found, callers, receiver, _)
        except FileNotFoundError:
            return lambda _: trouble("absent", _)
        except Exception as why:  # out of a damaged file anything may come, letters that are none included
            # a store whose tables the receiver has not made yet is young, not broken
            young = "no such table" in str(why) or type(why).__name__ == "UndefinedTable"
            kind, detail = "absent" if young else "unreadable", str(why)
            return lambda _: trouble(kind, _, detail)

    def count_callers(self, now_ms: int) -> None:
        """Count today's different callers and all answers again, when it is due: it takes at most a twentieth of the
        time."""
        if time.monotonic() < self._callers_due or not self._counting.acquire(blocking=False):
            return
        try:
            began = time.monotonic()
            with stores.events(self._config) as db:
                self._callers = reports.callers(db, now_ms)
                self._answers = voices.answers(db)
        except Exception:  # the page says why: it reads the same store
            self._callers = self._answers = None
        finally:
            took = time.monotonic() - began
            self._callers_due = time.monotonic() + max(1.5, 20 * took)
            self._due = 0.0  # the next look shows them
            self._counting.release()
