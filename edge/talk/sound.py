"""The two ways in which a talking line makes and takes sound, behind one face.

`PcmSound` hands everything to the line's helper process in small messages; it has the caller's sound at hand, so keys
and speech are heard in it. `FileSound` lets the module play and record files of its own by AT commands; keys come as
URCs only. Both are conduct: no port, no clock. What they hear comes back as `Heard` values and `Taken`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from edge.dialogue import Heard, KeyPressed, Played, SpeechBegan, SpeechEnded, WordHeard

Spoken = tuple[str, int]  # a WAV file's path ("": the beep), and the silence before it in milliseconds
Send = Callable[[Mapping[str, object]], object]


@dataclass(frozen=True, slots=True)
class Taken:
    """The take `take` is closed, or failed (`why`). `file` lies on the card already, unless it is still in the module
    (`sha256` is empty then)."""

    take: int
    ms: int = 0
    speech_ms: int = -1
    sha256: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Troubled:
    """The sound path does not work, or ("") works again; `words` say why."""

    words: str


SoundEvent = Heard | Taken | Troubled


class Sound(Protocol):
    """What `talk` asks of either. `path` of a take is where its WAV file is to lie."""

    speaking: bool  # something is being said

    def begin(self, now: float) -> None: ...
    def say(self, files: Sequence[Spoken], now: float) -> None: ...
    def hush(self, now: float) -> None: ...
    def record(self, take: int, path: str, most_s: int, now: float) -> None: ...
    def end_record(self, now: float, keep: bool = True) -> None: ...
    def end(self, now: float) -> None: ...
    def tick(self, now: float) -> list[SoundEvent]: ...
    def deadline(self) -> float | None: ...


class PcmSound:
    """Sound through the helper process; `port` is the modem's PCM port."""

    def __init__(self, send: Send, port: str, hear_first: bool) -> None:
        self._send, self._port, self._hear_first = send, port, hear_first
        self._said = 0
        self.speaking = False

    def begin(self, now: float) -> None:
        self._send({"do": "open", "port": self._port, "hear_first": self._hear_first})

    def say(self, files: Sequence[Spoken], now: float) -> None:
        self._said += 1
        self.speaking = True
        self._send({"do": "say", "id": self._said, "files": [list(file) for file in files]})

    def hush(self, now: float) -> None:
        self.speaking = False
        self._said += 1  # what was being said is told of no more
        self._send({"do": "hush"})

    def record(self, take: int, path: str, most_s: int, now: float) -> None:
        self._send({"do": "record", "take": take, "file": path, "most_s": most_s})

    def end_record(self, now: float, keep: bool = True) -> None:
        self._send({"do": "stop", "keep": keep})

    def end(self, now: float) -> None:
        self.speaking = False
        self._send({"do": "close"})

    def tick(self, now: float) -> list[SoundEvent]:
        return []

    def deadline(self) -> float | None:
        return None

    def message(self, told: Mapping[str, Any]) -> list[SoundEvent]:
        """What a message of the helper tells."""
        if told.get("played") == self._said and self.speaking:
            self.speaking = False
            return [Played()]
        if "key" in told:
            return [KeyPressed(str(told["key"]), "sound")]
        if "speech" in told:
            return [SpeechBegan() if told["speech"] else SpeechEnded()]
        if "word" in told:
            return [WordHeard(str(told["word"]), float(told["sure"]), str(told["language"]))]
        if "open" in told:
            return [Troubled("")]
        if "trouble" in told and told.get("why") != "no-prompt":
            return [Troubled(str(told["trouble"]))]
        return [event] if (event := taken(told)) else []


def taken(told: Mapping[str, Any]) -> Taken | None:
    """The take of which a message of the helper tells, or None."""
    if "recorded" in told:
        about = told["recorded"]
        return Taken(int(told.get("take", 0)), int(about["ms"]), int(about["speech_ms"]), str(about["sha256"]))
    if "failed" in told:
        return Taken(int(told.get("take", 0)), why=str(told["failed"]))
    return None
