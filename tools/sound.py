"""Sound as numbers: another rate, how loud speech is, what stands around it. Pure; samples are 16 bit, one channel.

Loudness is the root mean square of the parts in which somebody speaks, in decibels below the loudest sine that fits
(dBFS): pauses make nobody quiet. Levels are a sentence's, not a standard's: what is meant is that one prompt is heard
as well as the next.
"""

from __future__ import annotations

import functools
import math
from array import array
from collections.abc import Iterator, Sequence
from operator import mul

from edge.dialogue import RATE

try:
    from math import sumprod  # of Python 3.12: several times faster
except ImportError:

    def sumprod(left: Sequence[float], right: Sequence[float]) -> float:
        return sum(map(mul, left, right))


Samples = Sequence[int]
FULL = 32767
FRAME = RATE // 50  # 20 ms
LOUDNESS_DB, PEAK = -20.0, 0.9  # of a draft
_SPEECH_DB = 30.0  # what lies further below a prompt's loudest 20 ms is a pause
_FLOOR_DB = -50.0  # and what lies below this is silence anyway
_MARGIN = 2  # frames that are kept around speech: soft consonants
_CROSSINGS = 8  # of the low-pass to each side: with _BETA 50 dB down from 4.5 kHz on, even up to 3.1 kHz
_BETA, _CUTOFF = 5.0, 0.475  # the latter in parts of the lower rate


def samples(pcm: bytes) -> array[int]:
    """16 bit little-endian samples; an odd byte at the end is left out."""
    found = array("h", pcm[: len(pcm) & ~1])
    if array("H", [1]).tobytes() != b"\1\0":  # pragma: no cover (a big-endian machine)
        found.byteswap()
    return found


def pcm(values: Sequence[float]) -> bytes:
    """The samples as 16 bit little-endian; what does not fit is cut off at the ends."""
    fits = all(-FULL <= value <= FULL for value in (max(values, default=0), min(values, default=0)))
    found = array("h", map(round, values if fits else (max(-FULL, min(FULL, value)) for value in values)))
    if array("H", [1]).tobytes() != b"\1\0":  # pragma: no cover
        found.byteswap()
    return found.tobytes()


# ------------------------------------------------------------------------------------ another rate


def resample(values: Sequence[int], old: int, new: int = RATE) -> list[float]:
    """The same sound at another rate, without what the new rate has no room for (a polyphase windowed sinc)."""
    if old == new or not values:
        return [float(value) for value in values]
    common = math.gcd(old, new)
    up, down = new // common, old // common
    half = math.ceil(_CROSSINGS * old / (2 * _CUTOFF * min(old, new)))
    phases = _phases(up, half, _CUTOFF * min(old, new) / old)
    silence = [0.0] * half
    padded = [*silence, *map(float, values), *silence]
    wide, end = 2 * half, len(values) * up // down * down
    return [sumprod(phases[at % up], padded[at // up + 1 : at // up + 1 + wide]) for at in range(0, end, down)]


@functools.cache
def _phases(up: int, half: int, cutoff: float) -> list[list[float]]:
    return [_taps(phase / up, half, cutoff) for phase in range(up)]


def _taps(shift: float, half: int, cutoff: float) -> list[float]:
    """One phase of the low-pass: its value at each of the 2 * half samples around a point `shift` behind the middle."""
    taps = []
    for place in range(1 - half, half + 1):
        at = place - shift
        x = 2 * cutoff * at
        sinc = 1.0 if x == 0 else math.sin(math.pi * x) / (math.pi * x)
        taps.append(sinc * _kaiser(at / half))
    whole = sum(taps)  # every phase passes a steady level alike
    return [tap / whole for tap in taps]


def _kaiser(at: float) -> float:
    return _bessel(_BETA * math.sqrt(max(0.0, 1 - at * at))) / _bessel(_BETA)


def _bessel(x: float) -> float:
    """The modified Bessel function of the first kind, order 0."""
    total = term = 1.0
    for n in range(1, 25):
        term *= (x / (2 * n)) ** 2
        total += term
    return total


# ---------------------------------------------------------------------------------------- loudness


def decibels(level: float) -> float:
    """dBFS of a level in samples' units; silence is -100."""
    return 20 * math.log10(level / FULL) if level > FULL * 1e-5 else -100.0


def _frames(values: Sequence[float]) -> Iterator[float]:
    """The root mean square of each 20 ms; a rest shorter than that is left out, unless it is all there is."""
    for start in range(0, max(1, len(values) - FRAME + 1), FRAME):
        part = values[start : start + FRAME]
        yield math.sqrt(sumprod(part, part) / len(part)) if part else 0.0


def _speech(values: Sequence[float]) -> list[bool]:
    """Of each 20 ms, whether somebody speaks."""
    levels = [decibels(level) for level in _frames(values)]
    least = max(_FLOOR_DB, max(levels, default=-100.0) - _SPEECH_DB)
    return [level >= least for level in levels]


def loudness(values: Sequence[float]) -> float:
    """How loud the speech in it is, in dBFS; -100 when nobody speaks."""
    heard = [level for level, speaks in zip(_frames(values), _speech(values), strict=True) if speaks]
    return decibels(math.sqrt(sumprod(heard, heard) / len(heard))) if heard else -100.0


def edges_ms(values: Sequence[float]) -> tuple[int, int]:
    """Milliseconds of silence before the first and behind the last speech; all of it before, when nobody speaks."""
    speech = _speech(values)
    length = len(values) * 1000 // RATE
    if True not in speech:
        return length, 0
    return speech.index(True) * 20, max(0, length - (len(speech) - speech[::-1].index(True)) * 20)


def clipped(values: Sequence[int]) -> int:
    """How many times the sound stays at the very end of the scale for three samples or more."""
    times = run = 0
    if max(map(abs, values), default=0) < FULL - 1:
        return 0
    for value in values:
        run = run + 1 if value >= FULL - 1 or value <= -FULL + 1 else 0
        times += run == 3
    return times


def trimmed(values: Sequence[float]) -> Sequence[float]:
    """Without the silence at both ends, but for a margin."""
    speech = _speech(values)
    if True not in speech:
        return values[:0]
    first = max(0, speech.index(True) - _MARGIN) * FRAME
    last = (len(speech) - speech[::-1].index(True) + _MARGIN) * FRAME
    return values[first:last]


def levelled(values: Sequence[float]) -> list[float]:
    """As loud as every draft is, or nearly so when that would clip; unchanged when nobody speaks."""
    peak, heard = max(map(abs, values), default=0.0), loudness(values)
    if heard <= -100.0:
        return list(values)
    gain = min(10 ** ((LOUDNESS_DB - heard) / 20), PEAK * FULL / peak)
    return [value * gain for value in values]
