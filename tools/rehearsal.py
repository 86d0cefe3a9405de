"""What is said in a demo: drafts of two shipped campaigns' prompts, and what voters say into the telephone.

A machine needs a quarter of a minute for it, so it is done once, in a process of its own (`python -m tools.rehearsal
FOLDER`) while everything else starts, and kept in `demo/` of the checkout. Without espeak-ng the menus beep, and voters
make sounds by formula that are heard as speech.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import shutil
import sys
from array import array
from pathlib import Path

from edge.audio.player import BEEP
from edge.wavfile import header
from tools import sound

ROOT = Path(__file__).resolve().parent.parent
CAMPAIGNS = ("water-menu", "gram-sabha")  # of the shipped ones, those that talk
QUIET = "04:00-04:01"  # a demo may run at night
SENTENCES = (
    ("hi", "हमारे गाँव में पाँच दिन से पानी नहीं आया है। टैंकर भी नहीं आता।"),
    ("en", "The hand pump near the school is broken. We walk two kilometres for water."),
    ("hi", "नल का पानी पीला है, बच्चे बीमार हो रहे हैं।"),
    ("en", "Please talk about the well behind the temple. It is dry since March."),
)
_SAID = ("said-{}.pcm", "babble-{}.pcm")  # the better one first


def speaks() -> bool:
    """Is there a machine's voice here?"""
    return shutil.which("espeak-ng") is not None


def place(folder: Path) -> Path:
    """Where it is kept: in the checkout, or in the demo's own `folder` when that is not ours to write to."""
    kept = ROOT / "demo" / "voices"
    try:
        kept.mkdir(parents=True, exist_ok=True)
    except OSError:
        return folder / "voices"
    return kept if os.access(kept, os.W_OK) else folder / "voices"


def campaign(name: str) -> str:
    """A shipped campaign as a demo plays it: the same, but for hours in which nobody is rung."""
    text = (ROOT / "campaigns" / f"{name}.toml").read_text()
    text = re.sub(r'(?m)^quiet = "[^"]*"', f'quiet = "{QUIET}"', text)
    return re.sub(r"(?m)^minutes_per_day = \d+", "minutes_per_day = 1440", text)


def beep(folder: Path) -> None:
    """Let the last word of a campaign be a beep until it has its prompts: a box with none at all refuses to start."""
    file = folder / "goodbye.en.draft.wav"
    folder.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        file.write_bytes(header(len(BEEP)) + BEEP)


def make(folder: Path) -> int:
    """Make whatever is missing or out of date. Returns 0, or 1 when some of it could not be made."""
    from tools import voice  # here: it is the process's own business

    failed = 0
    folder.mkdir(parents=True, exist_ok=True)
    for name in CAMPAIGNS:
        file = folder / f"{name}.toml"
        file.write_text(campaign(name))
        recorded = ROOT / "campaigns" / name
        if recorded.is_dir():
            shutil.copytree(recorded, folder / name, dirs_exist_ok=True)
        failed |= voice.run(str(file), False)
    for number, (language, words) in enumerate(SENTENCES):
        said, babbled = (folder / name.format(number) for name in _SAID)
        with contextlib.suppress(voice.NoVoice, OSError):
            if not said.exists():
                _keep(said, voice.speak(words, language))
        if not (said.exists() or babbled.exists()):
            _keep(babbled, babble(3.5, number))
    return failed


def _keep(file: Path, pcm: bytes) -> None:
    fresh = file.with_suffix(f".{os.getpid()}")
    fresh.write_bytes(pcm)
    fresh.replace(file)


def sentences(folder: Path) -> list[bytes]:
    """What voters say, s16le at 8 kHz: what `make` has made."""
    files = [next((file for name in _SAID if (file := folder / name.format(number)).exists()), None)
             for number in range(len(SENTENCES))]  # fmt: skip
    return [file.read_bytes() for file in files if file] or [babble(3.5)]


def babble(seconds: float, voice: int = 0) -> bytes:
    """Something like speech: a buzzing voice in syllables, with vowels that change. Never a key's tone."""
    pitch = (128.0, 196.0, 150.0, 220.0)[voice % 4]
    vowels = ((650.0, 1080.0), (400.0, 1920.0), (480.0, 820.0), (290.0, 2300.0))
    samples = array("h", bytes(2 * int(seconds * sound.RATE)))
    phase = 0.0
    for i in range(len(samples)):
        at = i / sound.RATE
        syllable, within = divmod(at * 3.6, 1.0)
        if int(syllable) % 7 == 6:  # a breath
            continue
        first, second = vowels[(int(syllable) * 5 + voice) % 4]
        hz = pitch * (1 + 0.06 * math.sin(2 * math.pi * 0.7 * at))
        phase += 2 * math.pi * hz / sound.RATE
        value = 0.0
        for harmonic in range(1, int(3000 / hz)):
            f = harmonic * hz
            level = 1 / (1 + ((f - first) / 120) ** 2) + 0.5 / (1 + ((f - second) / 160) ** 2)
            value += level * math.sin(harmonic * phase)
        samples[i] = int(max(-1.0, min(1.0, value * 0.22 * math.sin(math.pi * within) ** 0.7)) * 20_000)
    return sound.pcm(samples)


if __name__ == "__main__":
    sys.exit(make(Path(sys.argv[1])))
