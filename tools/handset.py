"""`miscall campaign try FILE` for a campaign that speaks: a telephone in the terminal.

What is said is shown as words, what the ledger would get below it. Time is made up: a key is pressed once all has been
said, Enter waits for whatever comes next, and no minute of it is waited for. With --play the prompts are played and
time is real: a key typed during a prompt interrupts it, and silence is answered as on a line.
"""

from __future__ import annotations

import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from edge import dialogue
from edge.campaign import Campaign
from edge.prompts import Prompts
from edge.wavfile import header
from tools.tryout import Ended, Happened, Said, Sms, Tryout, Wrote

PLAYERS = (
    ("aplay", "-q", "-t", "raw", "-f", "S16_LE", "-r", "8000", "-c", "1", "-"),
    ("paplay", "--raw", "--format=s16le", "--rate=8000", "--channels=1"),
    ("play", "-q", "-t", "raw", "-e", "signed", "-b", "16", "-c", "1", "-r", "8000", "-"),
)
HELP = "keys 0-9 * # (!1: before all is said), say or say 8: talk for so many seconds, Enter: wait, Ctrl-D: hang up"
REACTION_S = 0.5  # between the end of a prompt and her key
SAY_S = 4.0
WAIT_S = 60.0  # the longest that Enter waits

Ask = Callable[[str, float | None], str | None]  # question, seconds; None: she leaves; TIMEOUT: she did nothing in time
TIMEOUT = "\0"


class Speaker:
    """The computer's loudspeaker; silent when there is no program to reach it."""

    def __init__(self) -> None:
        self._command = next((player for player in PLAYERS if shutil.which(player[0])), None)
        self._playing: subprocess.Popen[bytes] | None = None

    @property
    def works(self) -> bool:
        return self._command is not None

    def play(self, pcm: bytes) -> None:
        """Play this in place of what is being played."""
        self.stop()
        if self._command:
            self._playing = subprocess.Popen(self._command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
            assert self._playing.stdin
            try:
                self._playing.stdin.write(pcm)
                self._playing.stdin.close()
            except OSError:  # the sound card is busy, or not there: the words are still shown
                pass

    def stop(self) -> None:
        if self._playing:
            self._playing.kill()
            self._playing.wait()
            self._playing = None


class Handset:
    """Calls of one caller to one campaign. `ask` reads a line from her, `show` shows one; `speaker`: time is real."""

    def __init__(
        self,
        found: Campaign,
        prompts: Prompts,
        values: Mapping[str, str],
        ask: Ask,
        show: Callable[[str], None],
        speaker: Speaker | None = None,
    ) -> None:
        self.found, self.prompts, self.values = found, prompts, values
        self.ask, self.show, self.speaker = ask, show, speaker
        self.language, self.case, self.stopped = "", None, False
        self.calls: list[bytes] = []  # what was heard in each
        self._now = self._began = 0.0

    def walk(self) -> None:
        """Call after call, until she leaves."""
        self.show(f"{self.found.title} ({self.found.id}). You are the caller. {HELP}")
        while self.ask("[Enter] ring, Ctrl-D leave > ", None) is not None:
            number = self.values["number"]
            if self.found.mode == "menu":
                self.show(f"You ring {number}: it is answered, and you pay for the call.")
                self._call()
            elif self.stopped:
                self.show(f"You ring {number}: it rings, then it is cut. You wanted no more calls: nobody rings back.")
            else:
                self.show(f"You ring {number}: it rings, then it is cut; within a minute your telephone rings.")
                self._call()

    def _call(self) -> None:
        menu = self.prompts.menu
        moment = datetime.now().timestamp() * 1000
        is_open = (menu.opens_ms or 0) <= moment < (menu.closes_ms or moment + 1)
        call = Tryout(
            self.found, self.prompts, self.values,
            placed=self.found.mode == "callback", is_open=is_open, language=self.language, case=self.case,
        )  # fmt: skip
        self._now = self._began = time.monotonic() if self.speaker else 0.0
        self._tell(call.begin(self._now), call)
        while not call.over:
            due = call.deadline()
            left = max(0.0, due - time.monotonic()) if self.speaker and due is not None else None
            typed = self.ask("> ", left)
            if self.speaker:
                self._now = time.monotonic()
            self._tell(self._act(call, typed), call)
        if self.speaker:
            self.speaker.stop()
        self.calls.append(call.heard(self._now))
        self.language, self.case = call.language, call.case
        self.stopped = self.stopped or call.stopped

    # ---------------------------------------------------------------------------- what she does

    def _act(self, call: Tryout, typed: str | None) -> list[Happened]:
        if typed is None:
            return call.hang_up(self._now)
        if typed == TIMEOUT:
            return call.tick(self._now)
        at_once, typed = typed.startswith("!"), typed.removeprefix("!").strip()
        if not typed:
            return self._wait(call)
        talk = re.fullmatch(r"say(?:\s+(\d{1,3}))?", typed)
        if not talk and not set(typed) <= set(dialogue.KEYS):
            self.show(HELP)
            return []
        happened = [] if at_once or self.speaker else self._listen(call)
        if talk:
            return happened + call.speak(float(talk[1] or SAY_S), self._now)
        for place, key in enumerate(typed):
            self._now += REACTION_S if place or not at_once else 0.0
            happened += call.press(key, self._now)
        return happened

    def _listen(self, call: Tryout) -> list[Happened]:
        """Let all be said, and let her finish, before she does the next thing."""
        happened: list[Happened] = []
        while call.speaking and (due := call.deadline()) is not None:
            self._now = due
            happened += call.tick(self._now)
        return happened

    def _wait(self, call: Tryout) -> list[Happened]:
        """Until something is said, or the call ends."""
        happened: list[Happened] = []
        until = self._now + WAIT_S
        while (due := call.deadline()) is not None and due < until:
            self._now = max(self._now, due)
            happened += call.tick(self._now)
            if any(isinstance(one, Said) for one in happened):
                break
        return happened

    # ---------------------------------------------------------------------------- what she hears

    def _tell(self, happened: list[Happened], call: Tryout) -> None:
        for one in happened:
            if isinstance(one, Said):
                for line in _lines(one):
                    self.show(f"  {line}")
            elif isinstance(one, Wrote):
                self.show(f"      ledger: {' '.join(part for part in one if part)}")
            elif isinstance(one, Sms):
                self.show(f"  SMS: {one.text}")
            elif isinstance(one, Ended):
                seconds = round(self._now - self._began)
                self.show(f"{'You hang up' if one.by == 'her' else 'The call is ended'} after {seconds} s.")
        if self.speaker and any(isinstance(one, Said) for one in happened):
            self.speaker.play(call.said)


def _lines(said: Said) -> list[str]:
    """A line for each clip; keys and digits stand behind what they belong to."""
    lines: list[str] = []
    for clip, words in zip(said.clips, said.words, strict=True):
        told = words or f"({clip.name})"
        if lines and clip.name.startswith("press-"):
            lines[-1] += f" ... {told}"
        elif lines and clip.name.startswith("digit-") and clip.pause_ms < 1000:
            lines[-1] += f" {told}"
        else:
            lines.append(told)
    return lines


def run(found: Campaign, prompts: Prompts, values: Mapping[str, str], sound: str | None, play: bool) -> int:
    """One caller at this terminal. `sound`: a WAV file for what she heard. Raises OSError when it cannot be written."""
    speaker = Speaker() if play else None
    if speaker and not speaker.works:
        print("--play: no aplay (alsa-utils), paplay (pulseaudio-utils) or play (sox) is installed", file=sys.stderr)
        return 1
    if not any(prompts.folder.glob("*.wav")):
        print("There are no prompts yet: you hear beeps. `miscall campaign voice FILE` makes drafts.")
    here = Handset(found, prompts, values, _ask, print, speaker)
    try:
        here.walk()
    finally:
        if speaker:
            speaker.stop()
    if sound:
        pcm = b"".join(here.calls)
        Path(sound).write_bytes(header(len(pcm)) + pcm)
        print(f"{sound}: {len(pcm) / dialogue.RATE / 2:.0f} s of what was heard")
    return 0


def _ask(question: str, seconds: float | None) -> str | None:
    print(question, end="", flush=True)
    if seconds is not None and not select.select([sys.stdin], [], [], seconds)[0]:
        print()
        return TIMEOUT
    line = sys.stdin.readline()
    if not line:
        print()
        return None
    return line.strip()
