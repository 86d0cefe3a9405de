"""The one place of the box that reads clocks.

A stamp is boot id, monotonic milliseconds, wall milliseconds and how far the wall may be believed. A Pi has
no battery clock: after a power cut its wall time is whatever the card remembers. So the wall time is
believed only when the kernel says that it is disciplined (adjtimex(2)), when box.toml vouches for it, or when
the mobile network told it; order and elapsed time always come from the monotonic clock.
"""

from __future__ import annotations

import ctypes
import hashlib
import time
from pathlib import Path

from edge.events import Stamp

_TIME_ERROR = 5  # adjtimex(2): the system clock is not synchronised
_BUILT_MS = 1_767_225_600_000  # 2026-01-01: a wall time before this program existed is wrong
_HELD_MS = 20  # the offset between the clocks is kept until it has moved by this much


def boot_id() -> str:
    """16 hex digits that change at every boot; derived, so that the machine's own id stays here."""
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:
        text = str(round(time.time() - time.monotonic(), -1))
    return hashlib.blake2b(text.strip().encode(), digest_size=8).hexdigest()


def disciplined() -> bool:
    """Does the kernel say that NTP or its like keeps the system clock?"""
    buffer = ctypes.create_string_buffer(512)  # struct timex with modes = 0: read only
    try:
        return bool(0 <= ctypes.CDLL(None).adjtimex(buffer) < _TIME_ERROR)
    except (AttributeError, OSError):
        return False


class Clock:
    """Stamps of this boot. `vouched` is box.toml's `clock = "trusted"`."""

    def __init__(self, vouched: bool = False) -> None:
        self.boot = boot_id()
        self._vouched = vouched
        self._told: int | None = None  # wall minus monotonic, as the mobile network told it
        self._offset: int | None = None
        self._quality = 0
        self._asked = -1e9

    def now(self) -> Stamp:
        """The stamp of this moment. Wall minus monotonic is held steady against jitter, so that it costs
        nothing on the air, and follows the wall when that steps."""
        mono = time.monotonic()
        if mono - self._asked > 10:
            self._asked = mono
            self._quality = self._judge()
        mono_ms = int(mono * 1000)
        offset = int(time.time() * 1000) - mono_ms
        if self._quality < 2 and self._told is not None:
            return Stamp(self.boot, mono_ms, mono_ms + self._told, 2)
        if self._offset is None or abs(offset - self._offset) > _HELD_MS:
            self._offset = offset
        return Stamp(self.boot, mono_ms, mono_ms + self._offset, self._quality)

    def _judge(self) -> int:
        if self._vouched or disciplined():
            return 3
        return 1 if time.time() * 1000 > _BUILT_MS else 0

    def network_told(self, utc_ms: int) -> bool:
        """The mobile network told the time; used while nothing better is known. True when it is new."""
        if self._quality >= 2 or utc_ms < _BUILT_MS:
            return False
        told = utc_ms - int(time.monotonic() * 1000)
        fresh = self._told is None or abs(told - self._told) > 2000  # the network tells whole seconds
        if fresh:
            self._told = told
        return fresh
