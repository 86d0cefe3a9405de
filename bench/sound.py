"""What a recording weighs on the air: thirty seconds of speech as Opus, in all its pieces and with their heads."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from pathlib import Path

from bench import ears
from bench.report import Figure, absent, at_most, beside, rank
from edge import recordings
from edge.dialogue import RATE
from edge.wavfile import header
from sync import wire

SECONDS, MOST_KIB = 30, 32


def measure(quick: bool = False) -> list[Figure]:
    """The heaviest of several takes, each of another language and voice."""
    name = f"{SECONDS} s of speech on the air, the heaviest"
    if not ears.talkative() or not shutil.which("opusenc"):
        return [absent(name, "espeak-ng, sox or opus-tools is not installed")]
    sizes, seconds = [], []
    with tempfile.TemporaryDirectory() as folder:
        wav, opus = Path(folder) / "take.wav", Path(folder) / "take.opus"
        for seed in range(3 if quick else 12):
            said = ears.speech(SECONDS, seed)[: SECONDS * RATE * 2]
            wav.write_bytes(header(len(said)) + said)
            begun = time.monotonic()
            if why := recordings.encode(wav, opus):
                return [absent(name, why)]
            seconds.append(time.monotonic() - begun)
            sizes.append(on_the_air(opus.read_bytes()) / 1024)
    return [
        at_most(name, max(sizes), MOST_KIB, "KiB"),
        beside("the median", rank(sizes, 0.5), "KiB"),
        beside("as it was recorded", (SECONDS * RATE * 2) / 1024, "KiB"),
        beside("seconds to make it small, beside everything else", rank(seconds, 0.5), "s"),
    ]


def on_the_air(sound: bytes) -> int:
    """Octets of all payloads that carry `sound`, the offer included."""
    digest, chunk = hashlib.sha256(sound).digest(), wire.MAX_CHUNK
    pieces = [b"", *(sound[at : at + chunk] for at in range(0, len(sound), chunk))]
    at = 0
    total = 0
    for piece in pieces:
        total += len(wire.pack_parcel(wire.Parcel("0badcafe", 1000, "opus", len(sound), digest, at, piece)))
        at += len(piece)
    return total
