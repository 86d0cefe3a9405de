"""The loop of the helper: one `select` on the line's socket and the modem's port, frames in time.

Nothing here waits: the port and the socket are non-blocking, files are a worker's (`worker`). While frames flow the
port is read when one is due, soon after the modem has sent its own: one waking for both halves the processor's work.
It is read before a message is obeyed, too, so that a take begins and ends where the line meant it. A port that vanishes
is closed at once and tried again every 250 ms until the line says `close`; meanwhile nothing is played, and a take has
a gap.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from edge.audio.pace import LEAD, Pacer
from edge.audio.player import SILENCE, Saying
from edge.audio.take import Take
from edge.audio.words import Words
from edge.audio.worker import Worker
from edge.dialogue import FRAME, KeyPressed, SpeechBegan, SpeechEnded
from edge.hearing import Ear
from edge.port import Port, PortError

REOPEN_S = 0.25
HEAR_FIRST_S = 0.5  # so long the modem may take for its first byte, where it must speak first
PHASE_S, SOON_S = 0.05, 0.003  # frames begin soon after the modem's first, which is waited for so long
SILENT_S = 1.1  # without a byte: whoever talked has ended, and a modem that never sent one has no sound for us
BEHIND = (LEAD + 1) * FRAME  # bytes that wait for a modem that fetches none; older ones are dropped
AT_ONCE = 10 * FRAME  # bytes that are read, and listened to, between two looks at the clock
LATE_S = 1.0  # a take ends so long after its time even when no sound came
CLOSING_S = 5.0  # for the last take, when the line has gone
_LONGEST_MESSAGE = 65536


class Helper:
    """One line's helper; `line` is its end of the socketpair, `language` the one in which words are listened for."""

    def __init__(self, line: socket.socket, language: str = "") -> None:
        self._line = line
        self._words = Words(language)
        line.setblocking(False)
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._from_workers: deque[dict[str, object]] = deque()
        self._untold: deque[bytes] = deque()
        self._card, self._reader = Worker("takes"), Worker("prompts")
        self._ended = False
        # the port
        self._path, self._hear_first, self._trouble = "", False, ""
        self._known: set[str] = set()  # paths that were ours once: nobody else needs to be looked for
        self._port: Port | None = None
        self._pacer: Pacer | None = None  # frames flow
        self._try_at = self._flow_at = 0.0
        self._silent_at: float | None = None
        self._mute = True  # nothing has come from this port yet
        self._unwritten, self._odd = b"", b""
        # the call
        self._ear = Ear()
        self._saying: Saying | None = None
        self._after = 0  # frames since the last one of the saying
        self._take: Take | None = None
        self._take_until, self._speech_before = 0.0, 0

    def run(self) -> None:
        """Serve until the line has gone; a take that runs is closed."""
        while not self._ended:
            self._wait()
            now = time.monotonic()
            if self._path and self._port is None and now >= self._try_at:
                self._connect(now)
            self._move(now)
            self._retell()
        self._hang_up()
        self._words.close()
        self._card.finish(CLOSING_S)

    # ------------------------------------------------------------------------------------ waiting

    def _wait(self) -> None:
        """Sleep until something comes or is due; take what came."""
        sources: list[int] = [self._line.fileno(), self._wake]
        if self._port is not None and self._pacer is None:
            sources.append(self._port.fd)
        if self._words.fd >= 0:
            sources.append(self._words.fd)
        due = self._deadline()
        timeout = None if due is None else max(0.0, due - time.monotonic())
        readable, _, _ = select.select(sources, [], [], timeout)
        if self._port is not None:
            self._hear(time.monotonic())
        if self._line.fileno() in readable:
            self._obey_all()
        if self._wake in readable:
            os.eventfd_read(self._wake)
            while self._from_workers:
                self._worker_said(self._from_workers.popleft())
        if self._words.fd in readable and (word := self._words.answer()):
            self._tell(**word)

    def _deadline(self) -> float | None:
        moments = []
        if self._pacer is not None:
            moments.append(self._pacer.deadline())
        elif self._port is not None:
            moments.append(self._flow_at)
        elif self._path:
            moments.append(self._try_at)
        if self._silent_at is not None:
            moments.append(self._silent_at)
        if self._take is not None:
            moments.append(self._take_until)
        if self._untold:
            moments.append(time.monotonic() + REOPEN_S)
        return min(moments, default=None)

    # ----------------------------------------------------------------------------------- the line

    def _obey_all(self) -> None:
        while not self._ended:
            try:
                data = self._line.recv(_LONGEST_MESSAGE)
            except BlockingIOError:
                return
            except ConnectionError:
                data = b""
            if data:
                self._obey(json.loads(data))
            else:
                self._ended = True

    def _obey(self, message: dict[str, Any]) -> None:
        verb = message["do"]
        if verb == "open":
            self._open(message["port"], message["hear_first"])
        elif verb == "close":
            self._hang_up()
        elif verb == "say":
            self._say(message["id"], message["files"])
        elif verb == "hush":
            self._hush()
        elif verb == "record":
            self._record(message["take"], message["file"], message["most_s"])
        elif verb == "stop":
            self._stop(message.get("keep", True))
        else:
            raise ValueError(f"the line wants {verb!r}")

    def _tell(self, **message: object) -> None:
        self._untold.append(json.dumps(message).encode())
        self._retell()

    def _retell(self) -> None:
        """Send what waits; a line that is busy with its disk reads later."""
        try:
            while self._untold:
                self._line.send(self._untold[0])
                self._untold.popleft()
        except BlockingIOError:
            pass
        except OSError:
            self._ended = True

    def _from_worker(self, message: dict[str, object]) -> None:
        """In a worker's thread: have the loop tell the line."""
        self._from_workers.append(message)
        os.eventfd_write(self._wake, 1)

    def _worker_said(self, message: dict[str, object]) -> None:
        if self._take is not None and message.get("take") == self._take.number:
            self._take = None  # it failed
        self._tell(**message)

    # ----------------------------------------------------------------------------------- the port

    def _open(self, path: str, hear_first: bool) -> None:
        self._release()
        self._path, self._hear_first, self._trouble = path, hear_first, ""
        self._ear = Ear()
        self._words.forget()
        self._try_at = 0.0
        gc.disable()  # no pause for it while somebody listens
        self._connect(time.monotonic())

    def _connect(self, now: float) -> None:
        try:
            self._port = Port(self._path, search=self._path not in self._known)
        except PortError as error:
            self._known.discard(self._path)
            self._in_trouble(error.words, error.state)
            return
        self._known.add(self._path)
        self._unwritten = self._odd = b""
        self._flow_at = now + (HEAR_FIRST_S if self._hear_first else PHASE_S)
        self._silent_at, self._mute = now + SILENT_S, True

    def _in_trouble(self, words: str, why: str) -> None:
        """The port cannot be used; say so once, try again soon."""
        self._release()
        self._try_at = time.monotonic() + REOPEN_S
        if words != self._trouble:
            self._trouble = words
            self._tell(trouble=words, why=why)

    def _release(self) -> None:
        if self._port is not None:
            self._port.close()
        self._port = self._pacer = None

    def _hang_up(self) -> None:
        """The call is over. A take that runs is kept: hanging up is one way to end it."""
        self._stop(keep=True)
        self._hush()
        self._release()
        self._words.forget()
        self._path, self._silent_at = "", None
        gc.collect()
        gc.enable()

    # ---------------------------------------------------------------------------------- the sound

    def _hear(self, now: float) -> None:
        """Bytes of the caller. A sample may come in two reads."""
        assert self._port is not None
        try:
            data = self._port.read(AT_ONCE)
        except OSError:
            self._in_trouble(f"{self._path}: the port has gone", "no-port")
            return
        if not data:
            return
        self._silent_at, self._mute = now + SILENT_S, False
        self._flow_at = min(self._flow_at, now + SOON_S)
        data = self._odd + data
        whole = len(data) & ~1
        pcm, self._odd = data[:whole], data[whole:]
        self._listen(pcm, now)
        if self._take is not None and not self._take.add(pcm):
            self._stop(keep=True)

    def _listen(self, pcm: bytes, now: float) -> None:
        self._words.feed(pcm)
        for event in self._ear.feed(pcm, now):
            if isinstance(event, KeyPressed):
                self._tell(key=event.key)
            elif isinstance(event, SpeechBegan):
                self._tell(speech=True)
                if self._saying is None and self._take is None:
                    self._words.began()
            elif isinstance(event, SpeechEnded):
                self._tell(speech=False)
                self._words.ended()

    def _silent(self, now: float) -> None:
        """No byte has come for a while."""
        self._silent_at = None
        self._listen(b"", now)
        if self._mute and self._port is not None:
            self._tell(trouble=f"{self._path}: no sound comes from the modem", why="no-sound")

    def _move(self, now: float) -> None:
        """Whatever is due: frames above all."""
        if self._port is not None and self._pacer is None and now >= self._flow_at:
            self._pacer, self._trouble = Pacer(now), ""
            self._tell(open=True)
        if self._port is not None and self._pacer is not None:
            frames = b"".join([self._frame() for _ in range(self._pacer.due(now))])
            if frames:
                self._write(frames)
        if self._silent_at is not None and now >= self._silent_at:
            self._silent(now)
        if self._take is not None and now >= self._take_until:
            self._stop(keep=True)

    def _frame(self) -> bytes:
        """The next frame; `played` when the modem has come to the end of the saying."""
        if self._saying is None:
            return SILENCE
        frame = self._saying.frame()
        if frame is not None:
            return frame
        self._after += 1
        if self._after > LEAD:
            self._tell(played=self._saying.id)
            self._saying = None
        return SILENCE

    def _write(self, frames: bytes) -> None:
        """Hand frames over. A modem that fetches nothing has played silence meanwhile: it gets the newest frames when
        it fetches again, behind the rest of one that it has begun."""
        assert self._port is not None
        try:
            waiting = self._port.write(self._unwritten + frames)
        except OSError:
            self._in_trouble(f"{self._path}: the port has gone", "no-port")
            return
        begun = len(waiting) % FRAME
        self._unwritten = waiting[:begun] + waiting[begun:][-BEHIND:]

    # ----------------------------------------------------------------------------- what is played

    def _say(self, id: int, files: Sequence[tuple[str, int]]) -> None:
        self._hush()
        self._words.forget()
        saying = self._saying = Saying(id, files)
        self._after = 0
        self._reader.do(lambda: saying.read(self._no_prompt))

    def _no_prompt(self, words: str) -> None:
        self._from_worker({"trouble": words, "why": "no-prompt"})

    def _hush(self) -> None:
        if self._saying is not None:
            self._saying.stale = True
            self._saying = None

    # --------------------------------------------------------------------------------- the taking

    def _record(self, number: int, path: str, most_s: float) -> None:
        self._stop(keep=True)
        self._words.forget()
        self._take = Take(number, path, most_s, self._card, self._from_worker)
        self._take_until = time.monotonic() + most_s + LATE_S
        self._speech_before = self._ear.speech_ms

    def _stop(self, keep: bool) -> None:
        if self._take is not None:
            take, self._take = self._take, None
            take.end(keep, self._ear.speech_ms - self._speech_before)


def main(fd: int, language: str = "") -> int:
    """The process. The line ends it by closing the socket, and the kernel when the line dies; a signal that is meant
    for a whole group of processes is the line's to obey."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):  # an ordinary user may not
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=fd) as line:
        Helper(line, language).run()
    return 0
