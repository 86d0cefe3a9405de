"""What a line remembers of its last callers, to tell a new call from the tail of an old one.

Modems write late: an end mark seconds after the call left the list, a listing of a call that is long gone, and,
where a vendor's URC tells the caller first, her RING and CLIP after we have hung up.
Kept across a restart of the modem; pure, the time comes in.
"""

from __future__ import annotations

from collections import deque

ECHO = 1.5  # so long a RING and CLIP may come behind a vendor's URC, or behind the call's end
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
        self._untold: list[tuple[str, float]] = []  # known by a vendor's URC, their CLIP still to come
        self._owed: list[float] = []  # when calls were believed gone without their end mark

    def keep(self, number: str, now: float, told: bool = True) -> None:
        """A call of `number` has been kept; `told` when its RING and CLIP have been heard."""
        self._kept.append((number, now))
        if not told:
            self._untold.append((number, now))

    def end(self, number: str, now: float, marked: bool) -> None:
        """The call of `number` is believed gone; without an end mark that may still come."""
        self._untold = [(one, now if same(one, number) else at) for one, at in self._untold if now - at < ECHO]
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
        """Is this CLIP the late one of a call kept or ended a moment ago? It is expected once."""
        for entry in self._untold:
            if same(number, entry[0]) and now - entry[1] < ECHO:
                self._untold.remove(entry)
                return True
        return False

    def awaits(self, now: float) -> bool:
        """May a RING be the late one of such a call?"""
        return any(now - at < ECHO for _, at in self._untold)

    def told(self, number: str, now: float) -> bool:
        """Does a MISSED_CALL of `number` tell of a call that is kept already?"""
        return self._within(MISSED, number, now)

    def zombie(self, number: str, now: float) -> bool:
        """May a listing of `number` be an old call that the modem has not cleared away? A new one is heard ringing."""
        return bool(number) and self._within(ZOMBIE, number, now)

    def _within(self, seconds: float, number: str, now: float) -> bool:
        return any(same(number, one) and now - at < seconds for one, at in self._kept)
