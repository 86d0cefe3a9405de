"""What a modem writes, byte by byte and moment by moment: framing, and the faults of the wire.

Everything leaves in the order it was said. A line is `\\r\\n<text>\\r\\n`. Held URCs ("ring-inside",
"glued") wait for a response to hide in, but not longer than the fault's value.
"""

from __future__ import annotations

from collections import deque
from random import Random

from tools.simmodem.faults import Faults


class Wire:
    """The modem's mouth. `take(now)` gives the bytes due; `deadline()` when to ask again."""

    def __init__(self, faults: Faults, rng: Random) -> None:
        self._faults = faults
        self._rng = rng
        self._due: deque[tuple[float, bytes]] = deque()
        self._held: list[tuple[float, bytes]] = []
        self._free_at = 0.0
        self._holding = False
        self._waiting: list[bytes] = []

    def hold(self, on: bool) -> None:
        """Data mode: URCs wait until it is over, and are written behind the next answer."""
        self._holding = on

    def urc(self, lines: tuple[str, ...], now: float, frame: str = "\r\n", ring: bool = False) -> None:
        """Write lines that nobody asked for, in one write. `ring` marks an incoming call's."""
        data = "".join(f"{frame}{line}{frame}" for line in lines).encode("latin-1", "replace")
        if self._holding:
            self._waiting.append(data)
            return
        wait = self._faults.value("ring-inside") if ring else None
        if wait is None:
            wait = self._faults.value("glued")
        if wait is None:
            self._put(data, now)
        else:
            self._held.append((now + wait, data))

    def answer(self, lines: list[str], final: str, now: float, ringing: tuple[str, ...] = ()) -> None:
        """Write a whole response in one write. `ringing` are the RING lines of a caller now in the
        line, for the fault that puts one inside every response."""
        parts = [f"\r\n{line}\r\n".encode("latin-1", "replace") for line in lines]
        inside = b""
        if "ring-inside" in self._faults:
            inside = self._release() or "".join(f"\r\n{line}\r\n" for line in ringing).encode()
        tail = self._release() + b"".join(self._waiting)
        self._waiting.clear()
        end = f"\r\n{final}\r\n".encode() if final else b""
        self._put(b"".join([inside, *parts, end, tail]), now)

    def raw(self, data: bytes, now: float) -> None:
        """Echo and prompt: bytes without a frame."""
        self._put(data, now)

    def data(self, data: bytes, now: float) -> None:
        """The bytes of a file: no fault of a line of text befalls them."""
        if "silence" not in self._faults:
            self._due.append((max(now, self._free_at), data))

    def clear(self) -> None:
        """The power is gone: nothing more comes out of what was said."""
        self._due.clear()
        self._held.clear()
        self._waiting.clear()
        self._holding = False

    def take(self, now: float) -> bytes:
        while self._held and self._held[0][0] <= now and not self._holding:
            self._put(self._held[0][1], self._held[0][0])
            del self._held[0]
        out = []
        while self._due and self._due[0][0] <= now:
            out.append(self._due.popleft()[1])
        return b"".join(out)

    def deadline(self) -> float | None:
        times = [queue[0][0] for queue in (self._due, () if self._holding else self._held) if queue]
        return min(times) if times else None

    def _release(self) -> bytes:
        held = b"".join(data for _, data in self._held)
        self._held.clear()
        return held

    def _put(self, data: bytes, now: float) -> None:
        if "silence" in self._faults or not data:
            return
        if self._faults.hit("garbage"):
            data = self._rng.randbytes(self._rng.randint(1, 24)) + data
        if self._faults.hit("ff"):
            at = self._rng.randint(0, len(data))
            data = data[:at] + b"\xff" + data[at:]
        at_time = max(now, self._free_at)
        gap = self._faults.value("half-lines")
        if gap is None:
            self._due.append((at_time, data))
            return
        while data:
            size = self._rng.randint(1, 3)
            self._due.append((at_time, data[:size]))
            data = data[size:]
            at_time += gap
        self._free_at = at_time
