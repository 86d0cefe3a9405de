"""Eight talking lines at once: frames that came too late, processor, memory, and how soon a caller hears more.

Each line is a process with its helper, on a simulated modem with an audio port. Its callers, one after the other, walk
between two menus by key and cut off what is being said, then talk into a recording until they hang up. A prompt is one
sample value all through, so that any of its samples tells which it is. Times are taken where bytes pass the modem's
audio port: a key has ended when the last frame of its tone has left, a prompt has begun when its first frame arrives.
"""

from __future__ import annotations

import math
import os
import random
import shutil
import statistics
import struct
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.calls import slow
from bench.fleet import Box, Voters, until
from bench.report import Figure, absent, all_of, at_most, beside, rank
from bench.road import pss_mb
from edge.campaign import load
from edge.wavfile import header
from tools.simmodem import Farm, PtyModem
from tools.simmodem.calls import Call

LINES, CARD_MS, KIND = 8, 300, "sim7600"
SECONDS, CALL_S, TALKS_AFTER_S = (20.0, 600.0), (18.0, 150.0), 0.4  # quick, full; share of a call
TONE_MS = 60  # whole frames; telephones send no shorter ones
PRESS_EVERY_S, PROMPT_S, LONGEST_S = (0.8, 2.5), 4.0, 3.0
FRAME, FRAME_S = 320, 0.02
CAMPAIGN = """\
id = "water"
title = "Water"
mode = "menu"
languages = ["en"]
[menu]
start = "main"
[menu.welcome]
en = "Welcome."
[menu.node.main]
kind = "menu"
say.en = "Main menu."
[[menu.node.main.option]]
key = "1"
to = "more"
say.en = "More"
[[menu.node.main.option]]
key = "2"
to = "tell"
say.en = "Tell"
[menu.node.more]
kind = "menu"
say.en = "More."
[[menu.node.more.option]]
key = "1"
say.en = "End"
[menu.node.tell]
kind = "record"
say.en = "Speak."
"""


def measure(quick: bool = False) -> list[Figure]:
    """Eight lines on this disk, then on a card whose fdatasync and fsync take 300 ms more."""
    found = Talks(quick).figures()
    if not shutil.which("gcc"):
        return [*found, absent(f"the same, fdatasync {CARD_MS} ms slower", "gcc is not installed")]
    return found + Talks(quick, CARD_MS).on_a_slow_card()


class Caller:
    """The callers of one line, one after the other, and a stopwatch at the modem's audio port."""

    def __init__(self, port: PtyModem, levels: Mapping[str, int], seed: int, call_s: float) -> None:
        self.port, self.levels, self.call_s = port, levels, call_s
        self.calls: list[Call] = []
        self.first_ms: list[float] = []  # from the answer to the first frame of a prompt
        self.next_ms: list[float] = []  # from the end of a key's tone to the first frame of the next prompt
        self.pressed = 0
        self._voters, self._dice = Voters(seed), random.Random(seed)
        self._speech = syllables(self._dice)
        self._since, self._wanted, self._where = 0.0, "", ""
        self._act_at = 0.0
        self._audio_in = port.modem.audio_in
        port.modem.audio_in = self._passing  # type: ignore[method-assign]

    @property
    def waits(self) -> bool:
        """Is a prompt on its way to somebody who is there?"""
        call = self.call
        return bool(self._wanted and call is not None and call.answered_at is not None)

    @property
    def call(self) -> Call | None:
        return self.calls[-1] if self.calls and self.calls[-1].ended_at is None else None

    def turn(self, now: float) -> None:
        """What she does by herself, when it is time."""
        call = self.call
        if call is None:
            self.calls.append(self.port.dial(self._voters(), talk_s=self.call_s))
            self._wanted, self._where, self._act_at = "welcome", "", 0.0
        elif self._where == "tell" and now >= self._act_at:
            self.port.speak(self._speech)
            self._act_at = now + len(self._speech) / 16_000
        elif self._where and self._where != "tell" and now >= self._act_at:  # or once more, when nothing came of it
            self._press(call, now)

    def _press(self, call: Call, now: float) -> None:
        """A key; its tone begins with the next frame that leaves the modem, and has left with its last one."""
        assert call.answered_at is not None
        late = now - call.answered_at > TALKS_AFTER_S * self.call_s
        key, wanted = ("*", "main") if self._where == "more" else ("2", "tell") if late else ("1", "more")
        with self.port.farm.lock:
            self.port.press(key, TONE_MS)
            first = math.ceil((time.monotonic() - call.answered_at) / FRAME_S)
            last = first + TONE_MS // 20 - 1
            self._since, self._wanted = call.answered_at + last * FRAME_S, wanted
        self.pressed += 1
        self._act_at = now + LONGEST_S

    def _passing(self, data: bytes, now: float) -> bytes:
        """What the modem's audio port takes in."""
        if self._wanted:
            level = struct.pack("<h", self.levels[self._wanted])
            if any(data[at : at + 2] == level for at in range(0, len(data), FRAME)):
                self._found(now)
        return self._audio_in(data, now)

    def _found(self, now: float) -> None:
        if not self._where:
            self._since = self.calls[-1].answered_at or 0.0
        (self.next_ms if self._where else self.first_ms).append(max(0.0, 1000 * (now - self._since)))
        self._where = {"welcome": "main"}.get(self._wanted, self._wanted)
        self._wanted = ""
        self._act_at = now + (PROMPT_S + 1 if self._where == "tell" else self._dice.uniform(*PRESS_EVERY_S))


class Talks:
    """A run: eight lines that talk all the time, then what it gave."""

    def __init__(self, quick: bool, delay_ms: int = 0, lines: int = LINES) -> None:
        self.seconds, call_s = SECONDS[not quick], CALL_S[not quick]
        self.name = f"{lines} calls at once, {self.seconds:g} s"
        with tempfile.TemporaryDirectory() as name, Farm(Path(name) / "ports") as farm, ExitStack() as stack:
            wrap, environment = slow(delay_ms, Path(name)) if delay_ms else ((), {})
            options = {"seed": 1, "dtmf_urc": False, "keep_s": 1.0, "send_s": (0.05, 0.05)}
            self.box = Box(Path(name) / "box", [farm.add(KIND, **options) for _ in range(lines)], campaign=CAMPAIGN)
            levels = prompts(self.box.folder / "campaigns" / "water")
            stack.enter_context(self.box.lines(wrap, environment))
            self.callers = [Caller(port, levels, seed, call_s) for seed, port in enumerate(self.box.ports)]
            pids = [int(str(self.box.state(line)["pid"])) for line in self.box.names]
            self.processes = [(pid, *children(pid)) for pid in pids]
            farm.late_s, self.weights = 0.0, list[float]()
            before = [sum(map(cpu_s, processes)) for processes in self.processes]
            self._serve()
            self.spent = [sum(map(cpu_s, these)) - was for these, was in zip(self.processes, before, strict=True)]
            self.late_ms = 1000 * farm.late_s
            self.lost = sum(call.underruns for caller in self.callers for call in caller.calls)  # before lines end
            self.kept = len(list((self.box.data / "recordings").glob("*.wav")))

    def _serve(self) -> None:
        """Be the callers; weigh the lines when half of the time is over."""
        begun = time.monotonic()
        while (now := time.monotonic()) < begun + self.seconds:
            for caller in self.callers:
                caller.turn(now)
            if not self.weights and now > begun + self.seconds / 2:
                self.weights = [sum(map(pss_mb, processes)) for processes in self.processes]
            time.sleep(0.01)
        until(lambda: not any(caller.waits for caller in self.callers), 2 * LONGEST_S, "the last keys are answered")

    def underruns(self, which: str = "") -> list[Figure]:
        calls = sum(len(caller.calls) for caller in self.callers)
        return [
            at_most(f"PCM underruns, {self.name}{which}", self.lost, 0, "frames"),
            beside("the simulator itself late by up to", self.late_ms, "ms"),
            beside("calls, and takes of them on disk", calls, f"and {self.kept}"),
        ]

    def keys(self) -> list[Figure]:
        after = [ms for caller in self.callers for ms in caller.next_ms]
        return [
            at_most("end of a key's tone -> first PCM frame of the next prompt, p99", rank(after, 0.99), 60, "ms"),
            beside("p50", rank(after, 0.5), "ms"),
            all_of("  keys that were answered", len(after), sum(caller.pressed for caller in self.callers)),
        ]

    def figures(self) -> list[Figure]:
        """All that there is to say."""
        first = [ms for caller in self.callers for ms in caller.first_ms]
        talked = [sum(_seconds(call) for call in caller.calls) for caller in self.callers]
        shares = [100 * spent / seconds for spent, seconds in zip(self.spent, talked, strict=True)]
        return [
            *self.underruns(),
            *self.keys(),
            at_most("the call is up -> first PCM frame of a prompt, p99", rank(first, 0.99), 150, "ms"),
            beside("p50", rank(first, 0.5), "ms"),
            at_most("processor per call, line and helper with in-band detection", statistics.median(shares), 2, "%"),
            beside("the busiest", max(shares), "%"),
            at_most("PSS of a line that talks, with its helper, median", statistics.median(self.weights), 32, "MB"),
            beside("the heaviest", max(self.weights), "MB"),
        ]

    def on_a_slow_card(self) -> list[Figure]:
        """What a slow card could harm. Not how soon a caller hears the first words: her line may still be writing down
        the call before."""
        return [*self.underruns(f", fdatasync {CARD_MS} ms slower"), *self.keys()]


def _seconds(call: Call) -> float:
    """So long she has talked by now."""
    return (call.ended_at or time.monotonic()) - call.answered_at if call.answered_at is not None else 0.0


def prompts(folder: Path) -> dict[str, int]:
    """All prompts of the campaign, each one sample value all through; returns which."""
    folder.mkdir()
    menu = load(folder.with_suffix(".toml")).menu
    assert menu is not None
    levels = {}
    for level, (name, language) in enumerate(sorted(menu.texts), 1000):
        pcm = struct.pack("<h", level) * int(8000 * PROMPT_S)
        (folder / f"{name}.{language}.wav").write_bytes(header(len(pcm)) + pcm)
        levels[name] = level
    return levels


def syllables(dice: random.Random, seconds: float = 5.0) -> bytes:
    """Something that is no tone and has the rhythm of speech, with pauses: it keeps a detector at work."""
    samples = []
    for n in range(int(8000 * seconds)):
        loud = 0.5 + 0.5 * math.sin(2 * math.pi * 4 * n / 8000) if n < 8000 * (seconds - 1) else 0.0
        samples.append(int(6000 * loud * dice.uniform(-1, 1)))
    return struct.pack(f"<{len(samples)}h", *samples)


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _stat(int(entry.name))[1:2] == [str(pid)]:
            found.append(int(entry.name))
    return found


def cpu_s(pid: int) -> float:
    """Processor time of a process so far."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> Sequence[str]:
    """What the kernel says of a process, from its state on; nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
