"""What a line remembers of its last callers, to tell a new call from the tail of an old one.

Modems write late: a RING or a number after the call's end, an end mark seconds after the call left the list, a
listing of a call that is long gone. Nobody redials within ECHO seconds, so a number that quick is no new call.
Kept across a restart of the modem; pure, the time comes in.
"""

from __future__ import annotations

from collections import deque

ECHO = 1.5  # a number so soon after it was kept, or its call had ended, is only written late
OWED = 3.0  # a late end mark comes within this time, or never
MISSED = 60.0  # a MISSED_CALL so soon after its caller was kept tells nothing new
ZOMBIE = 90.0  # so long a modem may list a call that has ended (72 s were seen)


def same(one: str, other: str) -> bool:
    """Are two spellings of a number one number? National and international forms share eight digits."""
    a, b = "".join(filter(str.isdigit, one)), "".join(filter(str.isdigit, other))
    if not a or not b:
        return one == other
    return a == b or (min(len(a), len(b)) >= 7 and a[-8:] == b[-8:])


class Recent:
    """The last callers of one line."""

    def __init__(self) -> None:
        self._kept: deque[tuple[str, float]] = deque(maxlen=16)  # numbers, and when they were kept
        self._ended: tuple[str, float] = ("", -1e9)
        self._owed: list[float] = []  # when calls were believed gone without their end mark

    def keep(self, number: str, now: float) -> None:
        """A call of `number` has been kept."""
        self._kept.append((number, now))

    def end(self, number: str, now: float, marked: bool) -> None:
        """The call of `number` is believed gone; without an end mark that may still come."""
        self._ended = (number, now)
        if not marked:
            self._owed.append(now)

    def pays(self, number: str, now: float) -> bool:
        """Is an end mark, which names `number` or nobody, the late one of an earlier call?"""
        self._owed = [at for at in self._owed if now - at < OWED]
        if number or not self._owed:
            return False
        self._owed.pop(0)
        return True

    def echo(self, number: str, now: float) -> bool:
        """Is `number` that of a call just kept or just ended, only written late?"""
        gone, at = self._ended
        return bool(number) and ((now - at < ECHO and same(number, gone)) or self._within(ECHO, number, now))

    def told(self, number: str, now: float) -> bool:
        """Does a MISSED_CALL of `number` tell of a call that is kept already?"""
        return self._within(MISSED, number, now)

    def zombie(self, number: str, now: float) -> bool:
        """May a listing of `number` be an old call that the modem has not cleared away? A new one is heard ringing."""
        return bool(number) and self._within(ZOMBIE, number, now)

    def _within(self, seconds: float, number: str, now: float) -> bool:
        return any(same(number, one) and now - at < seconds for one, at in self._kept)
