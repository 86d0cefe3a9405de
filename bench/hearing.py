"""Keys in a caller's sound: found and false, ours beside libspandsp's on the same sounds, in six conditions; and what
listening costs.

Clean keys at the shortest times of Q.24 and in noise; frequencies that are wrong by what must be accepted and by what
must be refused; the codec of a bad line, without and with lost frames; and an hour of speech in which nobody presses
anything. Where a library or a program is missing, what needs it is left out by name.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator

from bench import ears
from bench.report import Figure, absent, at_least, at_most, beside
from edge.dialogue import FRAME, RATE
from edge.hearing import Ear

KEYS_A_RUN, HOUR_S, BAD_LINE_S, COST_S = 12, 3600.0, 1200.0, 60.0
PROCESSOR = 2.0  # % of a core, of a call in which somebody talks all the time

Sound = tuple[str, bytes]  # what was pressed, and how it sounds


def measure(quick: bool = False) -> list[Figure]:
    """The six conditions, and the processor."""
    runs, seconds = (5, 120.0) if quick else (40, HOUR_S)
    missing = dict(_missing())
    figures: list[Figure] = []
    for name, sounds in conditions(runs, codec="the codec's conditions" not in missing):
        figures += found(name, sounds)
    figures += wrong(runs)
    if ears.talkative():
        spoken = ears.speech(seconds, seed=6)
        figures += silent(f"false keys in {seconds / 60:.0f} min of speech, six languages", spoken)
        figures += bad_line(spoken[: round(BAD_LINE_S * RATE) * 2])
        figures += cost(spoken[: round(COST_S * RATE) * 2])
    return figures + [absent(f"  {what}", why) for what, why in missing.items()]


def conditions(runs: int, codec: bool) -> Iterator[tuple[str, list[Sound]]]:
    """Those in which every key is to be found, and none twice."""
    rng = random.Random(24)

    def some(make: Callable[[str], bytes], count: int = runs) -> list[Sound]:
        return [(keys, make(keys)) for keys in (ears.some_keys(rng, KEYS_A_RUN) for _ in range(count))]

    def clean(on_ms: int, off_ms: int, off: float = 0.0) -> Callable[[str], bytes]:
        return lambda keys: ears.pcm(ears.dial(keys, on_ms, off_ms, rng, off=off))

    def coded(on_ms: int, rate: float, loss: float = 0.0) -> Callable[[str], bytes]:
        return lambda keys: ears.through(ears.pcm(ears.dial(keys, on_ms, 100, rng)), rate, loss, rng)

    def noise(keys: str) -> bytes:
        return ears.pcm(ears.noisy(ears.dial(keys, 50, 50, rng), 15.0, rng))

    yield "40/40 ms, 50/50 ms, and 15 dB above noise", some(clean(40, 40)) + some(clean(50, 50)) + some(noise)
    yield "frequencies wrong by 1.5 %", some(clean(50, 50, off=0.015))
    if codec:
        yield "100/100 ms, AMR 4.75", some(coded(100, 4.75))
        yield "200/100 ms, AMR 4.75", some(coded(200, 4.75))
        yield "200/100 ms, AMR 5.9, 3 % of frames lost", some(coded(200, 5.9, 0.03))


def found(name: str, sounds: list[Sound]) -> list[Figure]:
    """Keys found and keys too many, ours against theirs."""
    pressed = sum(len(keys) for keys, _ in sounds)
    our, extra = _score(ears.ours, sounds)
    try:
        their, too_many = _score(ears.theirs, sounds)
    except OSError:
        return [beside(f"{name}: found", our, f"of {pressed}"), beside(f"{name}: too many", extra, "")]
    return [
        at_least(f"{name}: keys found", our, their, f"of {pressed}"),
        at_most("  keys too many", extra, too_many, ""),
    ]


def wrong(runs: int) -> list[Figure]:
    """Keys that are none: one frequency wrong by 3.5 %; tones of 23 ms."""
    rng, figures = random.Random(35), []
    for name, on_ms, off in (("one frequency wrong by 3.5 %", 100, 0.035), ("tones of 23 ms", 23, 0.0)):
        keys = "".join(ears.some_keys(rng) for _ in range(runs))
        sound = ears.pcm(ears.dial(keys, on_ms, 60, rng, off=off, only_one=True))
        figures += silent(f"{name}, {len(keys)} keys: taken for keys", sound)
    return figures


def silent(name: str, sound: bytes) -> list[Figure]:
    """Keys heard where there are none."""
    our = len(ears.ours(sound))
    try:
        return [at_most(name, our, 0, ""), beside("libspandsp", len(ears.theirs(sound)), "")]
    except OSError:
        return [at_most(name, our, 0, "")]


def bad_line(spoken: bytes) -> list[Figure]:
    """False keys in speech behind the worst codec. No goal: shown."""
    try:
        sound = ears.through(spoken, 4.75, 0.03, random.Random(475))
        theirs = [beside("libspandsp", len(ears.theirs(sound)), "")]
    except OSError:
        return []
    minutes = len(spoken) / 2 / RATE / 60
    name = f"false keys in {minutes:.0f} min of speech, AMR 4.75, 3 % of frames lost"
    return [beside(name, len(ears.ours(sound)), ""), *theirs]


def cost(spoken: bytes) -> list[Figure]:
    """What a core does for one call, of its time: while she talks, and while she listens."""
    return [
        at_most("processor to listen to one call, talking all the time", _share(spoken), PROCESSOR, "% of a core"),
        beside("while she is silent", _share(bytes(len(spoken))), "% of a core"),
    ]


def _share(sound: bytes) -> float:
    ear, begun = Ear(), time.thread_time()
    for at in range(0, len(sound), FRAME):
        ear.feed(sound[at : at + FRAME], at / 2 / RATE)
    return 100 * (time.thread_time() - begun) / (len(sound) / 2 / RATE)


def _score(ear: Callable[[bytes], str], sounds: list[Sound]) -> tuple[int, int]:
    scores = [ears.compared(keys, ear(sound)) for keys, sound in sounds]
    return sum(found for found, _ in scores), sum(extra for _, extra in scores)


def _missing() -> Iterator[tuple[str, str]]:
    """What cannot be measured here, and why."""
    some = bytes(FRAME)
    try:
        ears.theirs(some)
    except OSError:
        yield "the peer", "libspandsp.so.2 is not installed"
    try:
        ears.through(some, 4.75, 0.0, random.Random(0))
    except OSError:
        yield "the codec's conditions", "libopencore-amrnb.so.0 is not installed"
    if not ears.talkative():
        yield "an hour of speech, and the processor", "espeak-ng or sox is not installed"
