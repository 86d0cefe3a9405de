"""A file that the module plays into a call, and one that it records of it, a frame of 20 ms at a time."""

from __future__ import annotations

import io
import wave

_FRAME = 320


class Player:
    """`data` is s16le, 8 kHz; it is heard `times` times, `aloud` from a loudspeaker instead."""

    def __init__(self, name: str, data: bytes, times: int = 1, aloud: bool = False) -> None:
        self.name, self.aloud = name, aloud
        self._data, self._times, self._at = data, times, 0

    @property
    def over(self) -> bool:
        return self._times <= 0 or not self._data

    def frame(self) -> bytes:
        """The next one, silence behind the end."""
        frame = b"" if self.over else self._data[self._at : self._at + _FRAME]
        self._at += _FRAME
        if self._at >= len(self._data):
            self._at, self._times = 0, self._times - 1
        return frame.ljust(_FRAME, b"\0")


class Recorder:
    """Keeps at most `limit` bytes of what the far end says, or else of what it hears, in `data`."""

    def __init__(self, name: str, limit: int, far: bool = True) -> None:
        self.name, self.far = name, far
        self.data = bytearray()
        self._limit = limit

    def take(self, frame: bytes) -> bool:
        """False: there is room for no more."""
        self.data += frame[: max(0, self._limit - len(self.data))]
        return len(self.data) < self._limit


def wav(pcm: bytes) -> bytes:
    """A WAV file of s16le, mono, 8 kHz."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(8000)
        writer.writeframes(pcm)
    return file.getvalue()


def sound_of(file: bytes) -> bytes | None:
    """s16le of a WAV file of 8 kHz, 16 bit, mono; None for any other, which these modules do not play."""
    try:
        with wave.open(io.BytesIO(file)) as reader:
            if (reader.getnchannels(), reader.getsampwidth(), reader.getframerate()) != (1, 2, 8000):
                return None
            return reader.readframes(reader.getnframes())
    except (wave.Error, EOFError):
        return None
