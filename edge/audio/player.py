"""What the caller is told: one `Saying` at a time, prompts in a row with pauses before them.

The files are read by a worker while silence plays, never by the loop: a page that is not in memory has to come from
the card. What cannot be played is replaced by the beep, so that a caller never waits in silence.
"""

from __future__ import annotations

import math
import struct
from collections import deque
from collections.abc import Callable, Sequence

from edge.dialogue import FRAME, RATE
from edge.wavfile import WavError, data_of

SILENCE = bytes(FRAME)
LONGEST = 180 * RATE * 2  # bytes of one file that are played: no call lasts longer
_BEEP_HZ, _BEEP_S, _BEEP_LEVEL, _FADE_S = 1000, 0.25, 0.3, 0.005


class Saying:
    """A row of prompts. `files`: pairs of path ("" is the beep) and the milliseconds of silence before it."""

    def __init__(self, id: int, files: Sequence[tuple[str, int]]) -> None:
        self.id, self.files = id, files
        self.stale = False  # it was cut off: read no more of it
        self._pieces: deque[memoryview] = deque()
        self._complete = False

    def read(self, trouble: Callable[[str], None]) -> None:
        """Read all files, in a worker. `trouble` is told of each that cannot be played, in words."""
        for path, pause_ms in self.files:
            if self.stale:
                return
            if pause_ms > 0:
                self._pieces.append(memoryview(bytes(pause_ms * RATE // 1000 * 2)))
            try:
                piece = _samples(path) if path else memoryview(BEEP)
            except (OSError, WavError) as error:
                why = error.strerror if isinstance(error, OSError) else str(error)
                trouble(f"{path}: {why}")
                piece = memoryview(BEEP)
            if piece:
                self._pieces.append(piece)
        self._complete = True

    def frame(self) -> bytes | None:
        """The next 20 ms, silence while the card is slow; None when all of it was given. The last frame is filled up
        with silence."""
        complete = self._complete  # asked first: what is read meanwhile comes with the next frame
        if not complete and sum(map(len, self._pieces)) < FRAME:
            return SILENCE
        frame = b""
        while self._pieces and len(frame) < FRAME:
            piece = self._pieces[0]
            wanted = FRAME - len(frame)
            frame += piece[:wanted]
            if len(piece) > wanted:
                self._pieces[0] = piece[wanted:]
            else:
                self._pieces.popleft()
        return frame.ljust(FRAME, b"\0") if frame else None


def _samples(path: str) -> memoryview:
    """The samples of a WAV file. Raises OSError, WavError."""
    with open(path, "rb", buffering=0) as file:
        data = file.read(LONGEST)
    offset, length = data_of(data)
    return memoryview(data)[offset : offset + length]


def _beep() -> bytes:
    """1000 Hz, with edges that do not click."""
    count, fade = int(_BEEP_S * RATE), _FADE_S * RATE
    return struct.pack(
        f"<{count}h",
        *(
            round(
                32767 * _BEEP_LEVEL * min(1.0, i / fade, (count - 1 - i) / fade)
                * math.sin(2 * math.pi * _BEEP_HZ * i / RATE)
            )
            for i in range(count)
        ),
    )  # fmt: skip


BEEP = _beep()
