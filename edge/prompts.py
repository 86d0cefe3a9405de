"""Where a campaign's clips lie as sound, and which file is heard when one is missing.

`campaigns/<id>/<clip>.<language>.wav` beside the campaign's file is what people recorded, `<clip>.<language>.draft.wav`
is a machine's voice, made by `miscall campaign voice`. A recording wins over a draft of the same language. Languages
are tried in this order: the caller's, the campaign's first, English, any other. A file that is no 8 kHz, 16 bit, one
channel WAV counts as missing: another language that is heard is better than one that is not. When there is nothing at
all, the caller hears the beep; never silence.

The folder is looked at for each clip: what somebody puts there is heard in the next call.
"""

from __future__ import annotations

from pathlib import Path

from edge.audio.player import BEEP
from edge.dialogue import RATE, Clip
from edge.menu import Menu, fallbacks
from edge.wavfile import WavError, data_of

DRAFT = ".draft"
_HEAD = 4096  # bytes in which the sound has begun, whatever stands before it


def folder(campaign: Path | str) -> Path:
    """The folder of prompts that belongs to a campaign's file."""
    return Path(campaign).with_suffix("")


def sound(path: Path) -> bytes:
    """The samples of a prompt. Raises WavError, in words, for what cannot be played; OSError."""
    data = path.read_bytes()
    offset, length = data_of(data)
    return data[offset : offset + length]


def is_draft(path: Path) -> bool:
    """Whether a machine speaks in this file, by its name."""
    return path.stem.endswith(DRAFT)


class Prompts:
    """The prompts of one campaign, in one folder."""

    def __init__(self, folder: Path | str, menu: Menu) -> None:
        self.folder, self.menu = Path(folder), menu
        self._known: dict[Path, tuple[tuple[int, int], bool]] = {}  # path -> its time and size; can it be played?
        for path in self.folder.glob("*.wav"):
            self._playable(path)  # now, while nobody waits on the line

    def recording(self, name: str, language: str) -> Path:
        """Where people's recording of a clip lies, or would lie."""
        return self.folder / f"{name}.{language}.wav"

    def draft(self, name: str, language: str) -> Path:
        """Where the machine's voice for a clip lies, or would lie."""
        return self.folder / f"{name}.{language}{DRAFT}.wav"

    def file(self, clip: Clip) -> Path | None:
        """The file that is heard for a clip; None is the beep."""
        if clip.name == "beep":
            return None
        for language in fallbacks(self.menu, clip.language):
            for path in (self.recording(clip.name, language), self.draft(clip.name, language)):
                if self._playable(path):
                    return path
        others = sorted(self.folder.glob(f"{clip.name}.*.wav"), key=lambda path: (is_draft(path), path.name))
        return next((path for path in others if self._playable(path)), None)

    def length_ms(self, clip: Clip) -> int:
        """How long a clip is heard, without the silence before it."""
        path = self.file(clip)
        return len(sound(path) if path else BEEP) * 1000 // (RATE * 2)

    def _playable(self, path: Path) -> bool:
        """Whether a file is there and has sound that can be played. Its head is read again only when it has changed."""
        try:
            about = path.stat()
            seen = (about.st_mtime_ns, about.st_size)
            if path not in self._known or self._known[path][0] != seen:
                self._known[path] = seen, _has_sound(path)
        except OSError:
            return False
        return self._known[path][1]


def _has_sound(path: Path) -> bool:
    with path.open("rb", buffering=0) as file:
        head = file.read(_HEAD)
    try:
        return data_of(head)[1] > 0
    except WavError:
        return False
