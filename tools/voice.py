"""`miscall campaign voice FILE`: a machine says what nobody has recorded yet, so that a campaign can be heard at once.

A draft is made for each clip and language that has words and no recording, by espeak-ng, slowly: callers who cannot
read said that machines speak too fast. It is brought to the telephone's 8 kHz, to one loudness, and its silent ends
are cut off. `drafts.json` beside the drafts remembers which words each one says; a draft is made again when they have
changed, and erased when the campaign no longer says it. Recordings are never touched.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import wave
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from edge import campaign, phrases, prompts
from edge.prompts import Prompts
from edge.wavfile import header
from tools import sound

ESPEAK = "espeak-ng"
WORDS_A_MINUTE = 130  # espeak-ng's own pace is 175
MEMORY = "drafts.json"


class Job(NamedTuple):
    """One draft to be made."""

    words: str
    voice: str
    path: Path


class NoVoice(Exception):
    """This cannot be said; str() tells why."""


def run(path: str, again: bool) -> int:
    """`miscall campaign voice`: drafts of what is not recorded; `again`: also of what has a draft that is up to date.

    Raises CampaignError when the file is refused, OSError when the folder cannot be written to."""
    found = campaign.load(path)
    if not found.menu:
        print(f"{path}: it has no [menu]: there is nothing to say")
        return 0
    spoken, place = found.menu.texts, Prompts(prompts.folder(path), found.menu)
    place.folder.mkdir(exist_ok=True)
    began = time.monotonic()
    remembered = {} if again else _remembered(place.folder)
    voices = _voices()
    wanted, memory, jobs, recorded = 0, {}, {}, 0
    without: Counter[str] = Counter()
    for (name, language), words in spoken.items():
        draft, voice = place.draft(name, language), _voice(language, voices)
        if place.recording(name, language).is_file():
            recorded += 1
        elif not voice:
            without[language] += 1
        else:
            wanted += 1
            memory[draft.name] = _digest(words, voice)
            if remembered.get(draft.name) != memory[draft.name] or not draft.is_file():
                jobs[draft.name] = Job(words, voice, draft)
    for name in set(_remembered(place.folder)) - {place.draft(*clip).name for clip in spoken}:
        (place.folder / Path(name).name).unlink(missing_ok=True)
    failed = _make(jobs)
    for name, why in failed.items():
        memory.pop(name)
        print(f"{place.folder / name}: {why}", file=sys.stderr)
    for language, count in without.items():
        told = f"{ESPEAK} has no voice for it" if voices else f"{ESPEAK} is not installed (apt-get install {ESPEAK})"
        print(f"{language}: {told}: {count} prompts are to be recorded", file=sys.stderr)
    _remember(place.folder, memory)
    made = len(jobs) - len(failed)
    seconds = time.monotonic() - began
    rest = f"{wanted - len(jobs)} were up to date, {recorded} are recorded"
    print(f"{place.folder}: {made} drafts made in {seconds:.1f} s, {rest}")
    return int(bool(failed or without))


# ------------------------------------------------------------------------------------- the machine's voice


def _espeak(*arguments: str, words: str = "") -> subprocess.CompletedProcess[bytes]:
    """Run it. It links a sound server's library, which would leave a folder behind wherever it runs first."""
    with tempfile.TemporaryDirectory() as folder:
        own = {**os.environ, "PULSE_RUNTIME_PATH": folder}
        return subprocess.run([ESPEAK, *arguments], input=words.encode(), capture_output=True, check=False, env=own)


def _voices() -> frozenset[str]:
    """The languages that espeak-ng speaks; none when it is not there."""
    if not shutil.which(ESPEAK):
        return frozenset()
    told = _espeak("--voices").stdout.decode(errors="replace")
    codes = {row.split()[1].lower() for row in told.splitlines()[1:] if len(row.split()) > 1}
    return frozenset(codes | {phrases.family(code) for code in codes})


def _voice(language: str, voices: frozenset[str]) -> str:
    """The voice for a language: its own, else its family's; "" for none."""
    return next((code for code in (language.lower(), phrases.family(language)) if code in voices), "")


def speak(words: str, voice: str) -> bytes:
    """Words as samples (8 kHz, 16 bit, one channel). Raises NoVoice."""
    done = _espeak("-v", voice, "-s", str(WORDS_A_MINUTE), "-b", "1", "--stdin", "--stdout", words=words)
    try:
        with wave.open(io.BytesIO(done.stdout)) as said:
            rate, raw = said.getframerate(), said.readframes(said.getnframes())
    except (wave.Error, EOFError):
        raise NoVoice(f"{ESPEAK} failed: {done.stderr.decode(errors='replace').strip() or 'no sound'}") from None
    heard = sound.trimmed(sound.resample(sound.samples(raw), rate))
    if not heard:
        raise NoVoice(f'nothing is heard of "{words[:40]}"')
    return sound.pcm(sound.levelled(heard))


def _make(jobs: dict[str, Job]) -> dict[str, str]:
    """Make these drafts, as many at once as there are processors; why some failed, by name."""
    if not jobs:
        return {}
    with ProcessPoolExecutor(min(len(jobs), os.cpu_count() or 1)) as workers:
        told = workers.map(_make_one, jobs.values(), chunksize=4)
        return {name: why for name, why in zip(jobs, told, strict=True) if why}


def _make_one(job: Job) -> str:
    try:
        pcm = speak(job.words, job.voice)
    except NoVoice as why:
        return str(why)
    fresh = job.path.with_suffix(".part")
    fresh.write_bytes(header(len(pcm)) + pcm)
    fresh.replace(job.path)  # a call may be playing the old one
    return ""


# ---------------------------------------------------------------------------------- what drafts say


def _digest(words: str, voice: str) -> str:
    return hashlib.sha256(f"{voice} {WORDS_A_MINUTE} {words}".encode()).hexdigest()[:16]


def _remembered(folder: Path) -> dict[str, str]:
    try:
        read = json.loads((folder / MEMORY).read_text())
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def _remember(folder: Path, memory: dict[str, str]) -> None:
    fresh = folder / f"{MEMORY}.part"
    fresh.write_text(json.dumps(memory, indent=0, sort_keys=True) + "\n")
    fresh.replace(folder / MEMORY)
