"""The folder of recordings on a box: its names, its room on the disk, what may go from it, and sound made small.

Rules of this room
- `<data>/recordings/<store>-<seq>.wav` is a take as it was made, named by the first row that tells of it; the line and
  its helper alone write and erase there. `<data>/road/<store>-<seq>.opus` is the same for the road; the uplink alone
  writes and erases there, and losing it loses nothing.
- A disk with little room left is kept for calls: no take is begun on it.
- Nothing is erased before headquarters has acknowledged it and the days of retention have passed, both by a clock
  that can be trusted.
- Opus is made by a process of its own, with the least claim on the processor: a talking line must not notice.
- Headquarters' acknowledgements are the uplink's to write; here they are read, and whatever is wrong with its file
  is no reason to stop anything.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from importlib.util import find_spec
from pathlib import Path

from edge.events import Stamp

LEAST_SHARE, LEAST_BYTES = 0.05, 64 << 20  # a take is begun while the smaller of the two is free
DAY_MS = 86_400_000
BITRATE_KBITS, FRAME_MS = 8, 60  # 30 s of speech are 28 KiB; shorter frames cost headers, fewer bits cost consonants
NO_ENCODER = "neither opusenc nor soundfile is installed on the box (as root: apt-get install opus-tools)"


def folder(data: Path) -> Path:
    """Where the takes of a box lie."""
    return data / "recordings"


def name(store: str, seq: int) -> str:
    """The file of the take whose first row is `seq` of `store`."""
    return f"{store}-{seq}.wav"


def road(data: Path, store: str, seq: int) -> Path:
    """The same take, made small for the road."""
    return data / "road" / f"{store}-{seq}.opus"


def room(data: Path, share: float = LEAST_SHARE, least: int = LEAST_BYTES) -> bool:
    """May a take be begun? Not when less than `share` of the disk and less than `least` bytes are free for us."""
    place = next((place for place in (data, *data.parents) if place.exists()), Path("/"))
    try:
        disk = os.statvfs(place)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize >= min(share * disk.f_blocks * disk.f_frsize, least)


def acknowledged(data: Path) -> dict[tuple[str, int], int]:
    """When headquarters acknowledged a take, by store and seq, in milliseconds since 1970; 0: at a time that nobody
    knows yet. Never raises: a file that cannot be read acknowledges nothing."""
    file = data / "uplink.db"
    if not file.exists():
        return {}
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=1)) as db:
            found = db.execute("SELECT store, seq, acked_ms FROM parcel WHERE state = 'done'")
            return {(store, seq): acked_ms for store, seq, acked_ms in found}
    except sqlite3.Error:
        return {}


def expired(data: Path, store: str, now: Stamp, days: int) -> set[int]:
    """The takes of `store`, by seq, that headquarters has held for `days`, erased ones too."""
    if not now.trusted:
        return set()
    held = ((seq, acked) for (whose, seq), acked in acknowledged(data).items() if whose == store and acked)
    return {seq for seq, acked in held if now.at_ms - acked >= days * DAY_MS}


def digest(file: Path) -> bytes:
    """The SHA-256 of a file. Raises OSError."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()


# ---------------------------------------------------------------------------------------- made small


def encoder(wav: Path, opus: Path) -> list[str]:
    """The command that makes `opus` of `wav`, or nothing when this machine cannot."""
    if program := shutil.which("opusenc"):
        how = ["--quiet", "--speech", "--bitrate", str(BITRATE_KBITS), "--framesize", str(FRAME_MS)]
        bare = ["--padding", "0", "--discard-comments", "--discard-pictures"]  # half a KiB of nothing otherwise
        return ["nice", "-n", "19", program, *how, *bare, str(wav), str(opus)]
    if find_spec("soundfile"):
        return ["nice", "-n", "19", sys.executable, "-m", "edge.recordings", str(wav), str(opus)]
    return []


class Encoding:
    """One take on its way to Opus in a process of its own. `opus` appears whole, under its name, or not at all."""

    def __init__(self, wav: Path, opus: Path) -> None:
        """Begin. Raises OSError when it cannot: no folder, no program."""
        self._opus, self._draft = opus, opus.with_suffix(f".{os.getpid()}")  # an orphan may still write its own
        opus.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        command = encoder(wav, self._draft)
        if not command:
            raise OSError(NO_ENCODER)
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )

    def poll(self) -> str | None:
        """None while it works, without waiting; then "" when `opus` is there, or why it is not."""
        if self._process.poll() is None:
            return None
        return self._ended()

    def wait(self, seconds: float = 60.0) -> str:
        """The end of it: "" or why not."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.stop()
            return f"it took more than {seconds:g} s"
        return self._ended()

    def stop(self) -> None:
        """Give it up."""
        self._process.kill()
        self._process.wait()
        self._draft.unlink(missing_ok=True)

    def _ended(self) -> str:
        assert self._process.stderr is not None
        with self._process.stderr as said:
            words = said.read(4096).decode(errors="replace").strip().splitlines()
        try:
            if self._process.returncode == 0:
                self._draft.replace(self._opus)
                return ""
        except OSError as error:
            return str(error.strerror)
        self._draft.unlink(missing_ok=True)
        return words[-1] if words else f"the encoder ended with {self._process.returncode}"


def encode(wav: Path, opus: Path) -> str:
    """Make `opus` of `wav` and wait for it: "" when it is there, else why not."""
    try:
        return Encoding(wav, opus).wait()
    except OSError as error:
        return str(error)


def _by_soundfile(wav: str, opus: str) -> None:
    """What opusenc does, by libsndfile, which has no bit rate to set: its best compression is about 6 kbit/s."""
    soundfile = importlib.import_module("soundfile")
    sound, rate = soundfile.read(wav, dtype="int16")
    with suppress(FileNotFoundError):
        os.unlink(opus)
    soundfile.write(opus, sound, rate, format="OGG", subtype="OPUS", compression_level=1.0)


if __name__ == "__main__":
    _by_soundfile(*sys.argv[1:])
