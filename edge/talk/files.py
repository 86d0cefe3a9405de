"""Sound by the module's own files: it plays what was uploaded, and records into its own store.

Rules of the room:
- A prompt is uploaded once, while nobody rings, under a name made from its content; one that is needed earlier is
  uploaded then: a pause is better than silence.
- One script at a time. Whatever is said next gives up the script before it; the answer of a command that is still on
  its way belongs to nobody then. Played is what the module's mark says, or the file's own length and some patience.
- A take stays in the module until nobody talks; then it is fetched and only then counts as kept.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from edge.at import POLL, Channel, Command
from edge.dialogue import Played
from edge.events import Answered, FileMark, Happening
from edge.profile import Files
from edge.script import Runner, Script, Wait
from edge.talk.sound import SoundEvent, Spoken, Taken

STALE = 0.5  # a mark before so much of a file was heard is of the one that was stopped for it
PATIENCE_S = 3.0  # beyond a file's own length, until its end is believed without a mark
BYTES_S = 16_000  # of a second of sound
UPLOAD_S, FETCH_S = 60.0, 90.0


@dataclass
class Store:
    """What is known of the module's files, for as long as it is not restarted. `read` gives a WAV file's bytes."""

    commands: Files
    read: Callable[[str], bytes]
    there: dict[str, float] = field(default_factory=dict)  # name -> seconds
    names: dict[str, str] = field(default_factory=dict)  # path -> name

    def name(self, path: str) -> str:
        """The name in the module of the file at `path`."""
        if path not in self.names:
            self.names[path] = f"m{zlib.crc32(self.read(path)):08x}.wav"
        return self.names[path]

    def where(self, name: str) -> str:
        return self.commands.folder + name

    def upload(self, path: str) -> Script:
        """Put the file at `path` into the module, unless it is there."""
        name, sound = self.name(path), self.read(path)
        text = self.commands.upload.format(path=self.where(name), size=len(sound))
        for erase in (False, True):  # a name that is taken is refused, and what lies there may be torn
            if name in self.there:
                return
            if erase:
                yield Command(self.commands.delete.format(path=self.where(name)), "", timeout=5.0, priority=POLL)
            answer = yield Command(text, "", timeout=UPLOAD_S, priority=POLL, raw=sound, prompt_timeout=5.0)
            if isinstance(answer, Answered):
                self.there[name] = max(0, len(sound) - 44) / BYTES_S

    def fetch(self, name: str, keep: Callable[[bytes], object]) -> Script:
        """Get the take `name` out of the module, hand its bytes to `keep` (b"": it cannot be had), and delete it."""
        path, size = self.where(name), 0
        if self.commands.sizes:
            answer = yield Command(self.commands.sizes.format(path=path), "", timeout=5.0)
            size = _last_number(answer.lines) if isinstance(answer, Answered) else -1
        sound = b""
        if size >= 0:
            text = self.commands.download.format(path=path)
            answer = yield Command(text, "", timeout=FETCH_S, fetch=size)
            sound = answer.data if isinstance(answer, Answered) else b""
        keep(sound)
        yield Command(self.commands.delete.format(path=path), "", timeout=10.0)


def _last_number(lines: Sequence[str]) -> int:
    digits = lines[-1].rpartition(",")[2].strip() if lines else ""
    return int(digits) if digits.isdigit() else -1


class FileSound:
    """Sound in a call, by the module's own commands."""

    def __init__(self, channel: Channel, store: Store, beep: str) -> None:
        """`beep` is the path of the file with the beep."""
        self._runner = Runner(channel, "sound")
        self._store, self._beep = store, beep
        self._events: deque[SoundEvent] = deque()
        self._recording: tuple[int, float, float] | None = None  # take, since when, until when
        self._answered_at = 0.0  # when a command of ours was answered last
        self._length = 0.0  # of the file that is being played, seconds
        self.speaking = False

    def begin(self, now: float) -> None:
        pass  # the module's own sound needs no order

    def say(self, files: Sequence[Spoken], now: float) -> None:
        playing = self.speaking
        self._runner.lose()
        self.speaking = True
        self._runner.start(self._play([(path or self._beep, pause) for path, pause in files], playing), now)

    def _play(self, files: Sequence[Spoken], playing: bool) -> Script:
        commands = self._store.commands
        if playing:
            yield Command(commands.hush, "", timeout=3.0, priority=POLL)
        for path, pause_ms in files:
            if pause_ms:
                yield Wait(pause_ms / 1000)
            yield from self._store.upload(path)
            name = self._store.name(path)
            text = commands.play.format(path=self._store.where(name))
            answer = yield Command(text, "", timeout=5.0, priority=POLL)
            if isinstance(answer, Answered):
                self._length = self._store.there.get(name, 0.0)
                yield Wait(self._length + PATIENCE_S)
        self.speaking = False
        self._events.append(Played())

    def hush(self, now: float) -> None:
        self._runner.lose()
        if self.speaking:
            self.speaking = False
            self._runner.start(self._one(self._store.commands.hush), now)

    def _one(self, text: str) -> Script:
        yield Command(text, "", timeout=5.0, priority=POLL)

    def record(self, take: int, path: str, most_s: int, now: float) -> None:
        self._runner.lose()
        self._recording = (take, now, now + most_s)
        self._runner.start(self._record(take, path.rpartition("/")[2]), now)

    def _record(self, take: int, name: str) -> Script:
        text = self._store.commands.record.format(path=self._store.where(name))
        answer = yield Command(text, "", timeout=5.0, priority=POLL)
        if not isinstance(answer, Answered):
            self._recording = None
            self._events.append(Taken(take, why="the module does not record"))

    def end_record(self, now: float, keep: bool = True) -> None:
        if self._recording is None:
            return
        take, since, _ = self._recording
        self._recording = None
        self._runner.lose()
        self._runner.start(self._one(self._store.commands.end_record), now)
        self._events.append(Taken(take, round((now - since) * 1000)))

    def end(self, now: float) -> None:
        self.end_record(now)
        self.speaking = False

    def on(self, event: Happening, now: float) -> None:
        """An answer to one of our commands, or a mark of the module."""
        if isinstance(event, FileMark):
            if event.what == "recorded":
                self.end_record(now)
            elif self.speaking and now - self._answered_at >= STALE * self._length:
                self._runner.wake(now)
        elif isinstance(event, Answered) and event.tag.startswith("sound:"):
            self._answered_at = now
        self._runner.on(event, now)

    def tick(self, now: float) -> list[SoundEvent]:
        self._runner.tick(now)
        if self._recording is not None and now >= self._recording[2]:
            self.end_record(now)
        return list(self._drained())

    def _drained(self) -> Iterator[SoundEvent]:
        while self._events:
            yield self._events.popleft()

    def deadline(self) -> float | None:
        times = [self._runner.deadline(), self._recording[2] if self._recording else None]
        return 0.0 if self._events else min((t for t in times if t is not None), default=None)

    @property
    def busy(self) -> bool:
        return not self._runner.idle

    def lose(self) -> None:
        """The modem is lost, and what it was recording with it."""
        self._runner.lose()
        if self._recording is not None:
            self._events.append(Taken(self._recording[0], why="the modem was lost"))
            self._recording = None
