"""What a caller's sound says: keys that she pressed, and when she talks. PCM in, facts out; no clock, no port.

The sound is looked at in blocks of 102 samples (12.75 ms), the length whose bins lie nearest to the eight frequencies
of a telephone's keypad (DTMF, ITU-T Q.23). What must be a key and what must not is Q.24's.
- A block fits a key when its strongest low and its strongest high frequency make up most of its energy. Speech does
  that for a block or two, seldom on the right frequencies.
- A key is told once the tone has lasted 34 ms: the amplitudes of its blocks, summed, over the highest. Blocks at its
  edges count by as much as they hold of it, so 40 ms are always enough and 23 ms never.
- Its true frequencies are read off the turn of the phase from half block to half block. That is exact to a part in a
  thousand, also behind a telephone's codec, where the width of a bin would let 3.5 % pass; and it tells how much of a
  detuned tone its bin does not show.
- A key is over after 23 ms without it. A released key leaves nothing behind; a codec's damage or a lost frame leaves
  something of the tone, and what is left slows that count, so that one press is not told twice.
Silence costs one sum a block. Speech is what rises out of the noise floor, the least of the last two seconds, and is
neither a key nor the beep that a line may send back to us.
"""

from __future__ import annotations

import cmath
import math
import struct
from collections import deque
from operator import add, mul, sub
from typing import Literal, NamedTuple

from edge.dialogue import KEYS, RATE, KeyPressed, SpeechBegan, SpeechEnded

BLOCK, HALF = 102, 51  # samples
BLOCK_MS = 1000 * BLOCK / RATE
BEEP = 1000.0  # Hz, of the tone before a recording

ROWS = (697.0, 770.0, 852.0, 941.0)
COLUMNS = (1209.0, 1336.0, 1477.0, 1633.0)
KEYPAD = {(row, column): key for row, line in zip(ROWS, ("123A", "456B", "789C", "*0#D"), strict=True)
          for column, key in zip(COLUMNS, line, strict=True)}  # fmt: skip

# Keys. Powers are mean squares of samples; shares are of a block's energy.
GATE = 100.0**2  # less than this is silence: 50 dB below the highest tone
SHARE = 0.55  # of both frequencies together, or the block does not fit
LEAST = 0.05  # of one of them
BESIDE = 0.32  # what another frequency of the same group may have of it
TWIST = 10.0  # one over the other: 10 dB either way, the widest of Q.24's administrations
LENGTH = 2.7  # blocks that a key must last: 34 ms, between the 23 that are none and the 40 that are one
GAP = 1.8  # blocks that end it: 23 ms, between the 10 of an interruption and the 40 of a pause
DETUNED = 0.0165  # Q.24: 0.015 is a key, 0.035 is none
TUNED = 0.007  # as good as all telephones are, and a little more for what codecs do
PURE, LONG, LESS_PURE = 0.8, 4, 0.75  # share that makes a key in tune; what is enough after so many blocks that fit
PURER = 0.91  # share that makes a detuned one, in the two blocks that it fills best
UNFIT, MOST = 2, 16  # blocks in a row that may not fit before a key is made; what fits so often and is none begins anew
HELD = 0.5  # of its amplitude, and a tone is still there
LEFT, LEFT_POWER = 0.15, 0.3  # of its amplitude, of its power: above this, something of it is left,
SLOWLY = 0.2  # and its end is counted so much slower

# Speech.
SOFTEST = 100.0**2
ABOVE_FLOOR = 10.0  # 10 dB
FLOOR_BLOCKS = 78  # one second; the floor is the least of this one and the one before
FLOOR_MOST = 20_000.0**2  # nothing steady is louder: only what comes and goes is speech
BEGINS = 8  # blocks more with sound than without: 0.1 s
HANGOVER = 24  # blocks: 0.3 s
TONE_SHARE = 0.7  # of the beep's frequency

STALLED = 1.0  # seconds without sound where there should be some: whoever was talking is not heard any more
MATCH = 1.2  # seconds between a modem's word of a key and its sound

_SCALE = 4096
_block = struct.Struct(f"<{BLOCK}h")
_Samples = tuple[int, ...]


def _waves(frequency: float) -> tuple[_Samples, _Samples]:
    """One half of a cosine and of a sine around the middle of a block, as whole numbers."""
    angles = [2 * math.pi * frequency * (place - (BLOCK - 1) / 2) / RATE for place in range(HALF)]
    return tuple(round(_SCALE * math.cos(a)) for a in angles), tuple(round(_SCALE * math.sin(a)) for a in angles)


_WAVES = {frequency: _waves(frequency) for frequency in (*ROWS, *COLUMNS, BEEP)}
_TURN = {frequency: cmath.exp(-2j * math.pi * frequency * HALF / RATE) for frequency in (*ROWS, *COLUMNS)}


def _shows(hertz: float) -> float:
    """What the bin of a frequency so far away shows of a tone, of its amplitude."""
    angle = math.pi * hertz / RATE
    return math.sin(BLOCK * angle) / (BLOCK * math.sin(angle)) if angle else 1.0


class Pair(NamedTuple):
    """The two frequencies of a key."""

    low: float
    high: float


class _Spectrum:
    """One block, and what it holds of a frequency, reckoned when asked. Folded at its middle, so that a cosine and a
    sine need half the products each."""

    __slots__ = ("_even", "_odd", "_seen", "block", "power")

    def __init__(self, block: _Samples, power: float = 0.0) -> None:
        back = block[: HALF - 1 : -1]
        self.block, self.power = block, power
        self._even, self._odd = tuple(map(add, block, back)), tuple(map(sub, block, back))
        self._seen: dict[float, complex] = {}

    def at(self, frequency: float) -> complex:
        """Amplitude and phase (at the block's middle) of one frequency."""
        found = self._seen.get(frequency)
        if found is None:
            cosine, sine = _WAVES[frequency]
            even, odd = sum(map(mul, self._even, cosine)), sum(map(mul, self._odd, sine))
            found = self._seen[frequency] = complex(even, -odd) / (_SCALE * HALF)
        return found

    def share(self, frequency: float) -> float:
        """The part of the block's energy that a tone of this frequency accounts for."""
        value = self.at(frequency)
        return (value.real * value.real + value.imag * value.imag) / (2 * self.power)

    def pair(self) -> Pair | None:
        """The key that this block fits. The high frequencies are asked only when a low one stands out."""
        low, low_share = self._strongest(ROWS)
        if not low:
            return None
        high, high_share = self._strongest(COLUMNS)
        if not high or low_share + high_share < SHARE:
            return None
        return Pair(low, high) if 1 / TWIST < high_share / low_share < TWIST else None

    def _strongest(self, group: tuple[float, ...]) -> tuple[float, float]:
        """The frequency of a group that stands out, and its share; 0 when none does."""
        shares = [self.share(frequency) for frequency in group]
        second, most = sorted(shares)[-2:]
        if most < LEAST or second > BESIDE * most:
            return 0.0, 0.0
        return group[shares.index(most)], most


class _Wave:
    """One of a key's two frequencies, over the blocks of a tone."""

    __slots__ = ("_before", "_turned", "frequency", "peak")

    def __init__(self, frequency: float) -> None:
        self.frequency = frequency
        self.peak = 0.0  # the highest amplitude where both fitted
        self._turned, self._before = 0j, 0j

    def follow(self, between: _Spectrum | None, spectrum: _Spectrum, fits: bool) -> None:
        """One block more, and the one that overlaps it and the last by halves."""
        value = spectrum.at(self.frequency)
        if fits:
            self.peak = max(self.peak, abs(value))
        if between:
            middle = between.at(self.frequency)
            self._turned += middle * self._before.conjugate() + value * middle.conjugate()
        self._before = value

    @property
    def off(self) -> float:
        """How far it is from its frequency, Hz."""
        return cmath.phase(self._turned * _TURN[self.frequency]) / (2 * math.pi) * RATE / HALF


class _Fit(NamedTuple):
    """A block that fits: what its bins hold of both frequencies, and its power."""

    low: complex
    high: complex
    power: float


class _Tone:
    """A key that sounds, or may be one. `gone`: blocks without it; `unfit`: blocks since the last that fitted."""

    __slots__ = ("_before", "_fits", "_length", "_peak", "gone", "pair", "unfit", "waves")

    def __init__(self, pair: Pair, before: _Spectrum | None) -> None:
        self.pair = pair
        self.waves = (_Wave(pair.low), _Wave(pair.high))
        self._fits: list[_Fit] = []
        self._length = self._peak = 0.0  # amplitudes of both, summed, and the highest
        self.gone, self.unfit = 0.0, 0
        self._before: _Spectrum | None = None
        if before:  # its first piece may be in a block that did not fit
            self.follow(before, fits=False)

    def follow(self, spectrum: _Spectrum, fits: bool) -> None:
        """One block more of it."""
        between = self._before and _Spectrum(self._before.block[HALF:] + spectrum.block[:HALF])
        for wave in self.waves:
            wave.follow(between, spectrum, fits)
        low, high = (spectrum.at(wave.frequency) for wave in self.waves)
        both = math.hypot(abs(low), abs(high))
        self._length += both
        if fits:
            self._peak = max(self._peak, both)
            self._fits.append(_Fit(low, high, spectrum.power))
            self.gone, self.unfit = 0.0, 0
        self._before = spectrum

    def miss(self, spectrum: _Spectrum | None) -> None:
        """A block that does not fit it. Something of the tone may be there all the same."""
        self.unfit += 1
        if spectrum is None:
            self.gone += 1.0
            self._before = None
            return
        low, high = (abs(spectrum.at(wave.frequency)) for wave in self.waves)
        there = min(1.0, low / self.waves[0].peak, high / self.waves[1].peak)
        if there >= HELD:
            self.gone = 0.0
        else:
            power = LEFT_POWER * max(fit.power for fit in self._fits)
            silent = math.hypot(low, high) < LEFT * self._peak and spectrum.power < power
            self.gone += (1.0 - there) * (1.0 if silent else SLOWLY)

    @property
    def sure(self) -> bool:
        """Is it a key: long enough, in tune, and little beside it?"""
        length = self._length / self._peak
        if length < LENGTH or len(self._fits) < max(2.0, length / 2):
            return False
        detuned = max(abs(wave.off) / wave.frequency for wave in self.waves)
        if detuned < TUNED:
            return self._share(self._fits) >= (PURE if len(self._fits) < LONG else LESS_PURE)
        filled = sorted(self._fits, key=lambda fit: fit.power)[-2:]  # others may lie across its edges
        return detuned < DETUNED and self._share(filled) >= PURER

    @property
    def hopeless(self) -> bool:
        """Is it over, or no key after all this time?"""
        return self.gone >= GAP or self.unfit > UNFIT or len(self._fits) >= MOST

    def _share(self, fits: list[_Fit]) -> float:
        """What both have of the energy of these blocks, by their true frequencies: what a bin shows is less than the
        tone beside it, and a little of the other tone."""
        one, other = self.waves
        apart = other.frequency - one.frequency
        own, others = _shows(one.off), _shows(other.off)
        spilt, over = _shows(apart + other.off), _shows(one.off - apart)
        beat = _shows(apart + other.off - one.off)
        energy = 0.0
        for fit in fits:
            low = (others * fit.low - spilt * fit.high) / (own * others - spilt * over)
            high = (own * fit.high - over * fit.low) / (own * others - spilt * over)
            energy += abs(low) ** 2 + abs(high) ** 2 + 2 * beat * (low * high.conjugate()).real
        return energy / sum(2 * fit.power for fit in fits)


class _Keypad:
    """The keys in a sound, block by block."""

    def __init__(self) -> None:
        self._told: _Tone | None = None  # the last key that was told, until it is over
        self._new: _Tone | None = None  # one that may become a key
        self._before: _Spectrum | None = None

    @property
    def sounds(self) -> bool:
        """Is there a key's tone just now?"""
        return bool(self._told and not self._told.gone) or bool(self._new and not self._new.gone)

    def hear(self, spectrum: _Spectrum | None) -> str:
        """The next block; None: there is nothing in it. Returns the key that is now sure, or nothing."""
        pair = spectrum.pair() if spectrum else None
        if self._told:
            if self._told.pair == pair:
                self._told.gone, self._new, pair = 0.0, None, None
            else:
                self._told.miss(spectrum)
                if self._told.gone >= GAP:
                    self._told = None
        if spectrum and pair:
            if not self._new or self._new.pair != pair:
                self._new = _Tone(pair, self._before)
            self._new.follow(spectrum, fits=True)
        elif self._new:
            self._new.miss(spectrum)
            if spectrum:
                self._new.follow(spectrum, fits=False)
        self._before = spectrum
        if self._new and self._new.sure:
            self._told, self._new = self._new, None
            return KEYPAD[self._told.pair]
        if self._new and self._new.hopeless:
            self._new = None
        return ""


class _Voice:
    """When somebody talks, by the energy over the noise floor."""

    def __init__(self) -> None:
        self._least = [FLOOR_MOST, FLOOR_MOST]  # of the second before, of this one
        self._blocks = 0
        self._rise = 0  # blocks with sound, less those without
        self._quiet = HANGOVER + 1  # blocks since the last with sound
        self.talks = False
        self.spoken = 0  # blocks, with the short pauses between them

    def loud(self, power: float) -> bool:
        """Does this block rise out of the noise? It also teaches what noise is."""
        if self._blocks % FLOOR_BLOCKS == 0:
            self._least = [self._least[1], FLOOR_MOST]
        self._blocks += 1
        self._least[1] = min(self._least[1], power)
        return power > max(SOFTEST, ABOVE_FLOOR * min(self._least))

    def hear(self, sound: bool) -> SpeechBegan | SpeechEnded | None:
        """One block with sound of hers, or without."""
        if sound:
            self._rise = min(BEGINS, self._rise + 1)
            if self.talks:
                self.spoken += 1 + self._quiet
            self._quiet = 0
            if not self.talks and self._rise == BEGINS:
                self.talks, self.spoken = True, self.spoken + BEGINS
                return SpeechBegan()
            return None
        self._rise = max(0, self._rise - 1)
        self._quiet += 1
        return self.stop() if self._quiet > HANGOVER else None

    def stop(self) -> SpeechEnded | None:
        """She is not heard any more."""
        was, self.talks, self._rise = self.talks, False, 0
        return SpeechEnded() if was else None


class Ear:
    """Listens to one call. What it tells depends on the sound alone, not on the pieces in which it comes."""

    def __init__(self) -> None:
        self._bytes = b""
        self._keypad = _Keypad()
        self._voice = _Voice()
        self._last: float | None = None

    def feed(self, pcm: bytes, now: float) -> list[KeyPressed | SpeechBegan | SpeechEnded]:
        """The next piece of sound (s16le, 8 kHz, one channel; any length, an odd byte waits for its other half), and
        what was heard in it. `now` in seconds; a port that gives nothing for a second, which an empty piece may tell,
        ends what is being said. A key is told once, while its tone lasts."""
        found: list[KeyPressed | SpeechBegan | SpeechEnded] = []
        due = len(pcm) / (2 * RATE) + STALLED
        if self._last is not None and now - self._last > due and (ended := self._voice.stop()):
            found.append(ended)
        self._last = now
        self._bytes += pcm
        whole = len(self._bytes) - len(self._bytes) % _block.size
        for block in _block.iter_unpack(self._bytes[:whole]):
            key, voice = self._hear(block)
            if key:
                found.append(KeyPressed(key, "sound"))
            if voice:
                found.append(voice)
        self._bytes = self._bytes[whole:]
        return found

    @property
    def speech_ms(self) -> int:
        """How long she has talked so far, short pauses included, milliseconds. It only grows."""
        return round(self._voice.spoken * BLOCK_MS)

    def _hear(self, block: _Samples) -> tuple[str, SpeechBegan | SpeechEnded | None]:
        power = sum(map(mul, block, block)) / BLOCK
        spectrum = _Spectrum(block, power) if power >= GATE else None
        key = self._keypad.hear(spectrum)
        sound = self._voice.loud(power) and not self._keypad.sounds
        if sound and spectrum and spectrum.share(BEEP) > TONE_SHARE:
            sound = False
        return key if key in KEYS else "", self._voice.hear(sound)


class _Told(NamedTuple):
    key: str
    source: str
    at: float


class Keys:
    """One press from two witnesses: the modem's URC and the sound. Each press of one is the other's first that has no
    partner yet, if it is of the same key and not long ago."""

    def __init__(self) -> None:
        self._alone: deque[_Told] = deque(maxlen=64)

    def heard(self, key: str, source: Literal["modem", "sound"], now: float) -> KeyPressed | None:
        """A key from one of the two, at `now` seconds. None: it is the press that the other has told already, or one of
        the four keys that no telephone has."""
        if len(key) != 1 or key not in KEYS:
            return None
        while self._alone and now - self._alone[0].at > MATCH:
            self._alone.popleft()
        for told in self._alone:
            if told.key == key and told.source != source:
                self._alone.remove(told)
                return None
        self._alone.append(_Told(key, source, now))
        return KeyPressed(key, source)
