"""When the next frame of sound is due at the modem, on a clock that does not drift.

Moments are counted from the start, never from the last frame. The modem is kept LEAD frames ahead of what it plays
now, so that a process that wakes up to LEAD frames late starves nobody. What was missed is handed over at once, but
never more than the modem can have used up by then: after a longer pause it has played silence already, and frames
for that silence would only stay in its buffer and delay everything behind them; so the count begins anew there.

Pure: time is an argument, in seconds of a clock that never steps.
"""

from __future__ import annotations

FRAME_S = 0.02
LEAD = 2


class Pacer:
    """The frames of one call, from `now` on."""

    def __init__(self, now: float) -> None:
        self._start, self._count = now, -LEAD

    def deadline(self) -> float:
        """When the next frame is due; in the past when it is late."""
        return self._start + self._count * FRAME_S

    def due(self, now: float) -> int:
        """How many frames to hand over at this moment, LEAD + 1 at most; they count as handed over."""
        frames = 0
        while frames <= LEAD and self.deadline() <= now:
            self._count += 1
            frames += 1
        if self.deadline() <= now:
            self._start, self._count = now, 1
        return frames
