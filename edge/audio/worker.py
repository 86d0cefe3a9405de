"""Threads for whatever may wait for the card. Reading a prompt, writing a take, above all fsync may take 300 ms on an
ageing card, and meanwhile a frame is due every 20 ms: so the loop hands such work over and never waits for it.
"""

from __future__ import annotations

import os
import threading
import traceback
from collections.abc import Callable
from queue import SimpleQueue

Job = Callable[[], None]


class Worker:
    """A thread that does one job after the other. A job that raises ends the process: the line must be told, and the
    closed socket tells it."""

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def do(self, job: Job) -> None:
        """Have it done after all that was asked for before. Returns at once."""
        self._jobs.put(job)

    def finish(self, seconds: float) -> None:
        """Wait until everything is done, for so long at most; no job may be given after this."""
        self._jobs.put(None)
        self._thread.join(seconds)

    def _work(self) -> None:
        try:
            while (job := self._jobs.get()) is not None:
                job()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
