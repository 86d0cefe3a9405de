"""What eight calls at once cost and lack: frames that came too late, processor, memory, and how soon a caller hears
the next prompt.

Each call has a helper process of its own, as on a box, on a simulated modem with an audio port. The caller talks all
the time, but for the keys that she presses; each key brings the next prompt and cuts off the one before; a take runs
always, one after the other. A prompt is one sample value all through, so that it is known by any of its samples.
"""

from __future__ import annotations

import math
import os
import random
import select
import shutil
import statistics
import struct
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

from bench.calls import slow
from bench.fleet import Voters, until
from bench.report import Figure, absent, at_most, beside, rank
from bench.road import pss_mb
from edge.port import Port
from edge.voice import Voice
from edge.wavfile import header
from tools.simmodem import Farm, PtyModem
from tools.simmodem.calls import Call

CALLS, CARD_MS = 8, 300
PROMPTS, PROMPT_S, TAKE_S = 20, 6.0, 10
TONE_MS = 40  # the shortest that must be a key, ITU-T Q.24
PRESS_EVERY_S = (0.8, 2.5)
FRAME, FRAME_S = 320, 0.02


def measure(quick: bool = False) -> list[Figure]:
    """Eight calls on this disk, then on a card whose fsync takes 300 ms more."""
    seconds = 20.0 if quick else 600.0
    with tempfile.TemporaryDirectory() as name:
        found = talking(Path(name), seconds)
    if not shutil.which("gcc"):
        return [*found, absent(f"PCM underruns, fsync {CARD_MS} ms slower", "gcc is not installed")]
    with tempfile.TemporaryDirectory() as name:
        return found + talking(Path(name), seconds, CARD_MS)


def talking(folder: Path, seconds: float, delay_ms: int = 0, calls: int = CALLS) -> list[Figure]:
    """So many calls for so long; with a slow card only what it could harm."""
    environment = slow(delay_ms, folder)[1] if delay_ms else {}
    with Farm(folder / "ports") as farm, ExitStack() as stack, mock.patch.dict(os.environ, environment):
        prompts(folder)
        talks = [stack.enter_context(talk(folder, farm, place)) for place in range(calls)]
        for one in talks:
            one.begin()
        serve(talks, 1.0)
        farm.late_s = 0.0
        before = [cpu_s(one.voice.pid) for one in talks]
        serve(talks, seconds)
        shares = [100 * (cpu_s(one.voice.pid) - spent) / seconds for one, spent in zip(talks, before, strict=True)]
        weights = [pss_mb(one.voice.pid) for one in talks]
        lost = sum(one.call.underruns for one in talks)  # now: a helper that ends leaves its call without sound
    name = f"{calls} calls at once for {seconds:g} s" + (f", fsync {delay_ms} ms slower" if delay_ms else "")
    latencies = [ms for one in talks for ms in one.latencies_ms]
    found = [
        at_most(f"PCM underruns, {name}", lost, 0, "frames"),
        beside("the simulator itself late by up to", 1000 * farm.late_s, "ms"),
        beside("takes on disk meanwhile", sum(one.takes for one in talks), ""),
        at_most("  end of tone -> first PCM frame of the next prompt, p99", rank(latencies, 0.99), 60, "ms"),
    ]
    if delay_ms:
        return found
    return [
        *found,
        beside("p50", rank(latencies, 0.5), "ms"),
        beside(f"keys found, of {sum(one.pressed for one in talks)}", sum(one.keys for one in talks), ""),
        at_most("processor per call with in-band detection, median", statistics.median(shares), 2, "% of a core"),
        beside("the busiest", max(shares), "% of a core"),
        beside("PSS of a helper in a call, median", statistics.median(weights), "MB"),
    ]


class Talk:
    """One call, her helper, and what both did. `watch` is called with all that the modem's audio port took in."""

    def __init__(self, folder: Path, port: PtyModem, call: Call, voice: Voice, seed: int) -> None:
        self.folder, self.port, self.call, self.voice = folder, port, call, voice
        self.pressed = self.keys = self.takes = self._asked = 0
        self.latencies_ms: list[float] = []
        self._dice = random.Random(seed)
        self._speech = syllables(self._dice)
        self._speak_at, self._press_at = 0.0, time.monotonic() + self._dice.uniform(*PRESS_EVERY_S)
        self._ended_at, self._wanted = 0.0, b""
        self._audio_in = port.modem.audio_in
        port.modem.audio_in = self._heard  # type: ignore[method-assign]

    def begin(self) -> None:
        """The modem says that the call is up."""
        self.voice.send(do="open", port=str(self.port.audio_path), hear_first=False)
        self._record()

    def turn(self, now: float) -> None:
        """What the caller does by herself, when it is time."""
        if now >= self._speak_at:
            self.port.speak(self._speech)
            self._speak_at = now + len(self._speech) / 16000
        if now >= self._press_at:
            self._press_at = now + self._dice.uniform(*PRESS_EVERY_S)
            self._press()

    def answer(self) -> None:
        """What a line does with what the helper tells."""
        for told in self.voice.receive():
            if "key" in told:
                self.keys += 1
                self._say()
            elif "recorded" in told:
                self.takes += 1
                self._record()
            elif "failed" in told or "trouble" in told:
                raise RuntimeError(str(told))

    def _press(self) -> None:
        """A key; its tone begins with the next frame that leaves the modem, and ends with the last one."""
        with self.port.farm.lock:
            self.port.press(str(self._dice.randrange(10)), TONE_MS)
            begun = self.call.answered_at or 0.0
            frames = math.ceil((time.monotonic() - begun) / FRAME_S) + TONE_MS / 1000 / FRAME_S - 1
            self._ended_at = begun + frames * FRAME_S
            self._wanted = level(self.pressed + 1)
        self.pressed += 1

    def _say(self) -> None:
        self.voice.send(do="say", id=self.pressed, files=[[str(self.folder / f"{self.pressed % PROMPTS}.wav"), 0]])

    def _heard(self, data: bytes, now: float) -> bytes:
        if self._wanted and any(data[at : at + 2] == self._wanted for at in range(0, len(data), FRAME)):
            self.latencies_ms.append(max(0.0, 1000 * (now - self._ended_at)))
            self._wanted = b""
        return self._audio_in(data, now)

    def _record(self) -> None:
        self._asked += 1
        path = self.folder / f"{self.port.modem.name}-{self._asked}.wav"
        self.voice.send(do="record", take=self._asked, file=str(path), most_s=TAKE_S)


def serve(talks: Sequence[Talk], seconds: float) -> None:
    """Be the callers and the lines of all of them."""
    end = time.monotonic() + seconds
    by_fd = {talk.voice.fd: talk for talk in talks}
    while (now := time.monotonic()) < end:
        for talk in talks:
            talk.turn(now)
        readable, _, _ = select.select(by_fd, [], [], 0.02)
        for fd in readable:
            by_fd[fd].answer()


@contextmanager
def talk(folder: Path, farm: Farm, place: int) -> Iterator[Talk]:
    """A call that is up, until the block ends."""
    port = farm.add("sim7600", seed=place, keep_s=5.0)
    with ExitStack() as stack:
        voice = Voice()
        stack.callback(voice.close)
        at = Port(str(port.path))
        stack.callback(at.close)
        call = port.dial(Voters(place)(), talk_s=1e6)
        until(lambda: call.rang_at, 10, "it rings")
        at.write(b"ATA\r")
        until(lambda: call.answered_at, 10, "the call is up")
        at.write(b"AT+CPCMREG=1\r")
        until(lambda: port.modem.sound.on, 10, "the audio port is on")
        yield Talk(folder, port, call, voice, place)


def prompts(folder: Path) -> None:
    """Their files: each a single value all through."""
    for number in range(PROMPTS):
        pcm = level(number) * int(8000 * PROMPT_S)
        (folder / f"{number}.wav").write_bytes(header(len(pcm)) + pcm)


def level(number: int) -> bytes:
    """The sample that a prompt is made of."""
    return struct.pack("<h", 1000 + number % PROMPTS)


def syllables(dice: random.Random, seconds: float = 5.0) -> bytes:
    """Something that is no tone and has the rhythm of speech, with pauses: it wakes a detector up all the time."""
    samples = []
    for n in range(int(8000 * seconds)):
        loud = 0.5 + 0.5 * math.sin(2 * math.pi * 4 * n / 8000) if n < 8000 * (seconds - 1) else 0.0
        samples.append(int(6000 * loud * dice.uniform(-1, 1)))
    return struct.pack(f"<{len(samples)}h", *samples)


def cpu_s(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
