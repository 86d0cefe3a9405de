"""What can go wrong with a modem, as data that is switched on and off while it runs.

`FAULTS` names each with words for a person, the meaning of its value and its default. A `Faults`
holds those that are on. `value` looks; `hit` looks and counts, so that a fault switched on for
`times=2` is gone after its second effect. A share is a probability between 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail. `unit` says what the value counts: "s", "share", "times", "1/s", "code" or ""."""

    name: str
    words: str
    unit: str = ""
    default: float = 1.0
    highest: float = 3600.0


_ALL = (
    Fault("silence", "obeys nothing and says nothing, URCs included"),
    Fault("deaf", "obeys and answers nothing, while URCs go on"),
    Fault("garbage", "random bytes between the lines it writes", "share", 0.5, 1),
    Fault("ff", "a byte 0xFF anywhere in what it writes", "share", 0.5, 1),
    Fault("half-lines", "writes one to three bytes at a time, so many seconds apart", "s", 0.01),
    Fault("echo", "echoes every byte, whatever ATE0 was told"),
    Fault("late-clip", "the number comes so long after RING", "s", 1.0),
    Fault("no-clip", "RING without +CLIP"),
    Fault("clcc-only", "no +CLIP, and AT+CLCC lists the call from the n-th asking only", "times", 2),
    Fault("errors", "answers ERROR, and does nothing", "share", 1.0, 1),
    Fault("vanish", "the port goes, and comes back under another number after so long", "s", 2.5),
    Fault("slow-sms", "each SMS takes so long", "s", 30.0),
    Fault("stuck-prompt", "takes the PDU and stays in the prompt until ESC"),
    Fault("cms-error", "refuses the SMS with this +CMS ERROR", "code", 42, 999),
    Fault("no-sim", "the SIM is gone"),
    Fault("flood", "so many senseless URCs a second", "1/s", 50.0, 2000),
    Fault("ring-inside", "a RING is written only inside a response; it waits so long for one", "s", 0.5),
    Fault("glued", "URCs are glued behind the next OK; they wait so long for one", "s", 0.5),
    Fault("lost-end", "no end mark when a call ends"),
    Fault("rings-on", "answers OK to so many hang-up commands a call, and rings on", "times", 1),
    Fault("pcm-stall", "takes no sound: what the host writes to the audio port stays there"),
    Fault("pcm-odd", "cuts its sound in pieces of odd length, through the middle of samples"),
    Fault("pcm-silent", "not a byte comes out of the audio port"),
    Fault("pcm-gone", "the audio port goes, and comes back after so long", "s", 1.0),
    Fault("late-ok", "obeys at once, answers so late", "s", 6.0),
    Fault("lost-answer", "obeys, and never answers"),
)
FAULTS = {fault.name: fault for fault in _ALL}


class Faults:
    """Those that are on now."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._on: dict[str, float] = {}
        self._left: dict[str, int] = {}

    def on(self, name: str, value: float | None = None, times: int | None = None) -> float:
        """Switch `name` on and return its value. Raises ValueError with what is allowed."""
        if name not in FAULTS:
            raise ValueError(f"no fault is called {name!r}; there are: {', '.join(FAULTS)}")
        fault = FAULTS[name]
        value = fault.default if value is None else value
        if not 0 <= value <= fault.highest:
            raise ValueError(f"{name}: {value:g} is outside 0 to {fault.highest:g} ({fault.words})")
        self._on[name] = value
        self._left.pop(name, None)
        if times is not None:
            self._left[name] = times
        return value

    def off(self, name: str) -> None:
        if name not in FAULTS:
            raise ValueError(f"no fault is called {name!r}; there are: {', '.join(FAULTS)}")
        self._on.pop(name, None)
        self._left.pop(name, None)

    def value(self, name: str) -> float | None:
        """Its value while it is on, else None."""
        return self._on.get(name)

    def __contains__(self, name: str) -> bool:
        return name in self._on

    def hit(self, name: str) -> float | None:
        """As `value`, and one effect is counted. A share is drawn first."""
        value = self._on.get(name)
        if value is None or (FAULTS[name].unit == "share" and self._rng.random() >= value):
            return None
        if name in self._left:
            self._left[name] -= 1
            if self._left[name] <= 0:
                self.off(name)
        return value

    def names(self) -> dict[str, float]:
        return dict(self._on)
