"""A talking line's files: the prompts it plays, the takes it makes, what a power cut left of them, and their end.

The line's process and its helper alone write and erase in the folder of recordings. A take whose row says that it is
being made, though nobody makes it, was torn by a crash: its file is mended to what is there and kept, because a voice
that was heard is worth more than a clean record. Sound that headquarters holds is erased when its days are over.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from edge import recordings
from edge.audio.player import BEEP
from edge.audio.take import mend as mend_file
from edge.campaign import Campaign
from edge.config import LineConfig
from edge.dialogue import Clip
from edge.events import Stamp
from edge.ledger import Ledger
from edge.prompts import Prompts, folder
from edge.switchboard import Speech
from edge.wavfile import header

DAY_S, MOST_ERASED = 86_400, 20
LONGEST_TAKE = 8 << 20  # bytes of a file that came out of a module


def speech(campaign: Campaign, line: LineConfig, data: Path) -> Speech:
    """What a line with a speaking campaign works with."""
    assert campaign.menu is not None
    prompts = Prompts(folder(campaign.path), campaign.menu)
    takes = recordings.folder(data)
    takes.mkdir(mode=0o700, parents=True, exist_ok=True)
    beep = data / "beep.wav"
    if not beep.exists():
        beep.write_bytes(header(len(BEEP)) + BEEP)

    def clip(wanted: Clip) -> tuple[str, int]:
        found = prompts.file(wanted)
        return str(found) if found else "", wanted.pause_ms

    return Speech(
        audio_port=line.audio_port, clip=clip, beep=str(beep), path=lambda name: str(takes / name),
        read=lambda path: Path(path).read_bytes(), keep=partial(_keep, takes), room=lambda: recordings.room(data),
    )  # fmt: skip


def _keep(takes: Path, name: str, sound: bytes) -> str:
    """Write a take that came out of a module, durably. Returns its SHA-256, or "" when the disk refused."""
    try:
        with open(takes / name, "wb") as file:
            file.write(sound[:LONGEST_TAKE])
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        return ""
    return hashlib.sha256(sound[:LONGEST_TAKE]).hexdigest()


def mend(ledger: Ledger, data: Path, stamp: Stamp) -> None:
    """Close the takes that nobody makes any more: what is on the card of them is kept. One without a file may still lie
    in the modem, and is the switchboard's to fetch or to give up."""
    for take, name in ledger.takes("recording"):
        file = recordings.folder(data) / name
        if not file.exists():
            continue
        with suppress(OSError):
            ms, digest = mend_file(file), recordings.digest(file).hex()
            ledger.end_take(stamp, take, "kept", ms, -1, digest, "the box stopped while this was being recorded")


def erase(ledger: Ledger, data: Path, days: int, stamp: Stamp) -> None:
    """Erase the takes that headquarters has held for `days`, and those that nobody wanted once they are as old, and say
    so in the ledger: a few at a time, so that no caller waits for it, and none by a clock that may be wrong."""
    if not stamp.trusted:
        return
    old = recordings.expired(data, ledger.store, stamp, days)
    wanted = [(take, name) for take, name in ledger.takes("kept") if take in old]
    before = stamp.at_ms / 1000 - days * DAY_S
    for take, name in [*wanted, *_unwanted(ledger, data, before)][:MOST_ERASED]:
        (recordings.folder(data) / name).unlink(missing_ok=True)
        ledger.end_take(stamp, take, "erased")


def _unwanted(ledger: Ledger, data: Path, before: float) -> Iterator[tuple[int, str]]:
    """Takes without a message in them, or torn ones, whose file was written before that time, or is not there."""
    for take, name in ledger.takes("empty", "dropped", "failed"):
        file = recordings.folder(data) / name
        if not file.exists() or file.stat().st_mtime < before:
            yield take, name
