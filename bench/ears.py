"""Sounds for ears, and another's ear to compare with: keys by formula, speech by espeak-ng, a telephone's codec.

Levels are dBm0 (a full-scale sine has 3.14), twist is the high frequency over the low one in dB, all sound is s16le,
mono, 8 kHz. The same generator of random numbers gives the same sound. The peer is libspandsp's DTMF receiver with its
own settings; the codec is libopencore-amrnb, where a lost frame is one without data, which the decoder conceals.
Both are called by ctypes and may be absent: then OSError is raised.
"""

from __future__ import annotations

import ctypes
import math
import random
import shutil
import struct
import subprocess
from collections.abc import Sequence
from functools import lru_cache
from itertools import cycle

from edge import phrases
from edge.dialogue import FRAME, KEYS, RATE, KeyPressed
from edge.hearing import Ear
from tools.simmodem.tones import frequencies

FULL, LEVEL = 3.14, -10.0
MODES = {4.75: 0, 5.15: 1, 5.9: 2, 6.7: 3, 7.4: 4, 7.95: 5, 10.2: 6, 12.2: 7}  # kbit/s of AMR
LOST = b"\x7c"  # a frame without data
LANGUAGES = ("hi", "en", "mr", "bn", "ta", "te")
VOICES = ("", "+m1", "+m2", "+m3", "+m4", "+m5", "+m6", "+m7", "+f1", "+f2", "+f3", "+f4", "+f5", "+croak", "+whisper")
SOX = ("sox", "-D", "--ignore-length")
RAW = ("-t", "raw", "-r", str(RATE), "-e", "signed", "-b", "16", "-c", "1")

# --------------------------------------------------------------------------------------- sounds


def amplitude(level: float) -> float:
    """Of a sine of this level, in sample values."""
    return 32768 * math.pow(10, (level - FULL) / 20)


def press(
    key: str, ms: float, level: float = LEVEL, twist: float = 0.0,
    off: tuple[float, float] = (0.0, 0.0), phases: tuple[float, float] = (0.0, 0.0),
) -> list[float]:  # fmt: skip
    """One key, its stronger frequency at `level`; `off`: how much too high each is, as a share of itself."""
    levels = (level - max(twist, 0.0), level - max(-twist, 0.0))
    low, high = (
        (amplitude(db), 2 * math.pi * hertz * (1 + share) / RATE, phase)
        for db, hertz, share, phase in zip(levels, frequencies(key), off, phases, strict=True)
    )
    (a, v, p), (b, w, q) = low, high
    return [a * math.sin(v * n + p) + b * math.sin(w * n + q) for n in range(round(ms * RATE / 1000))]


def dial(
    keys: str, on_ms: float, off_ms: float, rng: random.Random, level: float = LEVEL, twist: float = 0.0,
    off: float = 0.0, only_one: bool = False,
) -> list[float]:  # fmt: skip
    """Keys one after the other, with any phases and any place in a block. `off`: each frequency is wrong by so much,
    up or down; `only_one`: one of the two, whichever."""
    samples = [0.0] * rng.randrange(480, 800)
    for key in keys:
        wrong = [rng.choice((-off, off)), rng.choice((-off, off))]
        if only_one:
            wrong[rng.randrange(2)] = 0.0
        phases = (rng.uniform(0, 2 * math.pi), rng.uniform(0, 2 * math.pi))
        samples += press(key, on_ms, level, twist, (wrong[0], wrong[1]), phases)
        samples += [0.0] * round(off_ms * RATE / 1000)
    return samples + [0.0] * 800


def noisy(samples: Sequence[float], snr: float, rng: random.Random, level: float = LEVEL) -> list[float]:
    """White noise on it, so many dB below a key of `level` without twist."""
    deviation = amplitude(level) * math.pow(10, -snr / 20)
    return [sample + rng.gauss(0, deviation) for sample in samples]


def mixed(samples: Sequence[float], other: bytes, decibels: float) -> list[float]:
    """Another sound on it, over and over, louder or softer by so much."""
    gain = math.pow(10, decibels / 20)
    return [one + gain * two for one, (two,) in zip(samples, cycle(struct.iter_unpack("<h", other)), strict=False)]


def pcm(samples: Sequence[float]) -> bytes:
    """Samples as bytes; what is too loud is clipped."""
    return struct.pack(f"<{len(samples)}h", *(max(-32768, min(32767, round(sample))) for sample in samples))


def some_keys(rng: random.Random, count: int = 12) -> str:
    return "".join(rng.choices(KEYS, k=count))


def talkative() -> bool:
    """Can speech be made here?"""
    return bool(shutil.which("espeak-ng") and shutil.which("sox"))


def speech(seconds: float, seed: int) -> bytes:
    """The words of the house, its numbers too, in six languages, by many voices, slow and fast, high and low."""
    rng, spoken = random.Random(seed), bytearray()
    for language in cycle(LANGUAGES):
        words = [phrases.text(name, language) for name in rng.sample(phrases.NAMES, 12)]
        voice = ["-v", language + rng.choice(VOICES), "-s", str(rng.randrange(90, 260)), "-p", str(rng.randrange(100))]
        made = subprocess.run(
            ["espeak-ng", *voice, "-a", str(rng.randrange(40, 180)), "--stdout", " ".join(words)],
            capture_output=True, check=True,
        ).stdout  # fmt: skip
        spoken += subprocess.run(
            [*SOX, "-t", "wav", "-", *RAW, "-"],
            input=made, capture_output=True, check=True,
        ).stdout  # fmt: skip
        if len(spoken) >= 2 * RATE * seconds:
            return bytes(spoken[: round(seconds * RATE) * 2])
    raise AssertionError("a cycle has no end")


# ----------------------------------------------------------------------------------------- ears


def ours(sound: bytes) -> str:
    """The keys that the box hears, in pieces as a modem gives them."""
    ear = Ear()
    pieces = ((at, sound[at : at + FRAME]) for at in range(0, len(sound), FRAME))
    heard = (event for at, piece in pieces for event in ear.feed(piece, at / 2 / RATE))
    return "".join(event.key for event in heard if isinstance(event, KeyPressed))


def theirs(sound: bytes) -> str:
    """The keys that libspandsp hears. Raises OSError when it is not installed."""
    library = _spandsp()
    receiver, buffer, heard = library.dtmf_rx_init(None, None, None), ctypes.create_string_buffer(129), b""
    try:
        for at in range(0, len(sound), FRAME):
            piece = sound[at : at + FRAME]
            library.dtmf_rx(receiver, piece, len(piece) // 2)
            count = library.dtmf_rx_get(receiver, buffer, 128)
            heard += buffer.raw[:count]
    finally:
        library.dtmf_rx_free(receiver)
    return heard.decode("ascii")


def through(sound: bytes, rate: float, loss: float, rng: random.Random) -> bytes:
    """What is left of a sound behind AMR at so many kbit/s when a share of the frames is lost. Raises OSError when
    the codec is not installed."""
    library = _amr()
    encoder, decoder = library.Encoder_Interface_init(0), library.Decoder_Interface_init()
    frame, out, left = ctypes.create_string_buffer(64), ctypes.create_string_buffer(FRAME), bytearray()
    try:
        for at in range(0, len(sound) - FRAME + 1, FRAME):
            length = library.Encoder_Interface_Encode(encoder, MODES[rate], sound[at : at + FRAME], frame, 0)
            arrived = LOST if rng.random() < loss else frame.raw[:length]
            library.Decoder_Interface_Decode(decoder, arrived, out, 0)
            left += out.raw
    finally:
        library.Encoder_Interface_exit(encoder)
        library.Decoder_Interface_exit(decoder)
    return bytes(left)


def compared(pressed: str, heard: str) -> tuple[int, int]:
    """How many of the keys were found, in their order, and how many were heard beside them."""
    row = [0] * (len(heard) + 1)
    for key in pressed:
        before = row
        row = [0]
        for place, one in enumerate(heard):
            row.append(before[place] + 1 if one == key else max(before[place + 1], row[-1]))
    return row[-1], len(heard) - row[-1]


@lru_cache
def _spandsp() -> ctypes.CDLL:
    library = ctypes.CDLL("libspandsp.so.2")
    library.dtmf_rx_init.restype, library.dtmf_rx_init.argtypes = ctypes.c_void_p, [ctypes.c_void_p] * 3
    library.dtmf_rx.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    library.dtmf_rx_get.restype = ctypes.c_size_t
    library.dtmf_rx_get.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    library.dtmf_rx_free.argtypes = [ctypes.c_void_p]
    return library


@lru_cache
def _amr() -> ctypes.CDLL:
    library = ctypes.CDLL("libopencore-amrnb.so.0")
    state, piece, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    for side in ("Encoder", "Decoder"):
        getattr(library, f"{side}_Interface_init").restype = state
        getattr(library, f"{side}_Interface_exit").argtypes = [state]
    library.Encoder_Interface_Encode.argtypes = [state, number, piece, piece, number]
    library.Decoder_Interface_Decode.argtypes = [state, piece, piece, number]
    return library
