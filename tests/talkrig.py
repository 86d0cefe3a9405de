"""A talking line in made-up time: the rig of `tests.rig`, with prompts, takes and, for PCM, a helper process that is
played here: it says a prompt as long as its file is, and makes takes of what the simulated caller says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from edge import recordings, speaking
from edge.campaign import Campaign
from edge.dialogue import Clip
from edge.station import Setting
from edge.switchboard import Speech
from edge.wavfile import header
from tests.rig import Rig, campaign

MENU = """
id = "water"
title = "Water"
mode = "menu"
languages = ["en", "hi"]
[reply.en]
text = "Thank you from {office}. STOP to end."
[menu]
start = "main"
[menu.welcome]
en = "Welcome."
hi = "Namaste."
[menu.node.main]
kind = "menu"
say.en = "What is it about?"
[[menu.node.main.option]]
key = "1"
to = "tell"
tag = "water"
say.en = "water"
[[menu.node.main.option]]
key = "2"
to = "vote"
say.en = "the vote"
[menu.node.tell]
kind = "grievance"
tag = "complaint"
say.en = "Tell us."
[menu.node.vote]
kind = "referendum"
say.en = "Who should pay?"
[[menu.node.vote.option]]
key = "1"
value = "all"
say.en = "all of us"
[[menu.node.vote.option]]
key = "2"
value = "users"
say.en = "those who use it"
[menu.sms]
en = "Your number is {reference}. {office}"
[referendum]
issue = "pay"
[grievance]
due = "24h"
"""
BACK = MENU.replace('mode = "menu"', 'mode = "callback"').replace("[reply.en]\ntext", "[unused]\ntext").replace(
    '[unused]\ntext = "Thank you from {office}. STOP to end."\n', ""
) + """
[callback]
quiet = "02:00-03:00"
[callback.identity]
en = "This is a recording of the water campaign. Press 9 to stop."
"""
PROMPT_S = 1.0  # every prompt lasts so long
PCM, FILES = ("huawei-voice", "sim7600", "quectel-lte"), ("a76xx", "sim7600", "quectel-lte")


def talking(**changes: str) -> Campaign:
    """The menu that the tests ring, with texts replaced."""
    return campaign(MENU, **changes)


class Helper:
    """What `edge.audio` does, in made-up time and for one line. `said` are the prompts that were played."""

    def __init__(self, rig: TalkRig) -> None:
        self._rig = rig
        self.said: list[str] = []
        self.opened: str | None = None
        self._due: list[tuple[float, Mapping[str, object]]] = []
        self._take: tuple[int, str, float, float] | None = None

    def obey(self, message: Mapping[str, object]) -> None:
        now, do = self._rig.now, message["do"]
        if do == "open":
            self.opened = str(message["port"])
            self._due.append((now, {"open": True}))
        elif do == "say":
            self._due = [(at, told) for at, told in self._due if "played" not in told]
            files = message["files"]
            assert isinstance(files, list)
            self.said += [Path(path).stem if path else "beep" for path, _ in files]
            lasts = sum(PROMPT_S + pause / 1000 for _, pause in files)
            self._due.append((now + lasts, {"played": message["id"]}))
        elif do == "hush":
            self._due = [(at, told) for at, told in self._due if "played" not in told]
        elif do == "record":
            self._take = (int(str(message["take"])), str(message["file"]), now, now + float(str(message["most_s"])))
        elif do in ("stop", "close"):
            self.close_take(bool(message.get("keep", True)))

    def close_take(self, keep: bool = True) -> None:
        """End the take: what the caller said meanwhile goes into its file."""
        if self._take is None:
            return
        take, file, since, _ = self._take
        self._take = None
        ms = round(1000 * (self._rig.now - since))
        sound = self._rig.voice * (ms // 20)
        Path(file).write_bytes(header(len(sound)) + sound)
        digest = hashlib.sha256(Path(file).read_bytes()).hexdigest() if keep else ""
        speech = ms if self._rig.voice.strip(b"\0") else 0
        about = {"ms": ms, "speech_ms": speech, "sha256": digest}
        self._due.append((self._rig.now + 0.05, {"recorded": about, "take": take}))

    def told(self) -> list[Mapping[str, object]]:
        """What it says by now."""
        if self._take is not None and self._rig.now >= self._take[3]:
            self.close_take()
        due = [told for at, told in self._due if at <= self._rig.now]
        self._due = [(at, told) for at, told in self._due if at > self._rig.now]
        return due

    def deadline(self) -> float | None:
        return min([at for at, _ in self._due] + ([self._take[3]] if self._take else []), default=None)


class TalkRig(Rig):
    """A line that talks. `pcm`: through the helper, else by the module's own files. `voice`: 20 ms of what the caller
    says all the time; `takes`: files that came out of a module."""

    def __init__(self, folder: Path, profile: str, about: Campaign, pcm: bool = True, **options: object) -> None:
        self.folder, self.pcm = folder, pcm
        self.voice, self.room = b"\x10\x20" * 160, True
        self.takes = recordings.folder(folder)
        self.takes.mkdir(exist_ok=True)
        self.helper = Helper(self)
        super().__init__(folder, "l1", profile, about, **options)  # type: ignore[arg-type]

    def _setting(self) -> Setting:
        speech = Speech(
            audio_port="pcm" if self.pcm else "", clip=self._clip, beep=self._clip(Clip("beep", "en"))[0],
            path=lambda name: str(self.takes / name), read=lambda path: Path(path).read_bytes(), keep=self._keep,
            room=lambda: self.room,
        )  # fmt: skip
        return replace(super()._setting(), speech=speech)

    def _clip(self, clip: Clip) -> tuple[str, int]:
        path = self.folder / f"{clip.name}.{clip.language}.wav"
        if not path.exists():
            sound = clip.name.encode().ljust(16, b".") * int(PROMPT_S * 1000)
            path.write_bytes(header(len(sound)) + sound)
        return str(path), clip.pause_ms

    def _keep(self, name: str, sound: bytes) -> str:
        (self.takes / name).write_bytes(sound)
        return hashlib.sha256(sound).hexdigest()

    def cut(self) -> None:
        self.helper.close_take()  # it reads the end of its socket, and closes what it has
        self.helper = Helper(self)
        super().cut()

    def start(self) -> None:
        ledger = self._open()
        speaking.mend(ledger, self.folder, self.stamp())
        ledger.close()
        super().start()

    def step(self) -> None:
        super().step()
        for _ in range(50):
            told = self.helper.told()
            out = self.station.board.out if self.station else None
            while out:
                self.helper.obey(out.popleft())
            for message in told if self.station else ():
                self.station.sound(message, self.stamp())  # type: ignore[union-attr]
            if not told and not out:
                return
            super().step()

    def deadline(self) -> float | None:
        due = [super().deadline(), self.helper.deadline()]
        return min((d for d in due if d is not None), default=None)

    # ------------------------------------------------------------------------------- looks

    def told(self, kind: str) -> list[tuple[str, dict[str, object]]]:
        """(state, extra) of the rows of one kind, in order."""
        import json

        return [(str(row[10]), json.loads(str(row[12])) if row[12] else {}) for row in self.rows(kind)]

    def steps(self) -> list[str]:
        """The steps, shortly: `key:1@main`."""
        return [
            state + (f":{extra['key']}" if "key" in extra else "") + (f"@{extra['node']}" if "node" in extra else "")
            for state, extra in self.told("step")
        ]

    def seen(self) -> list[str]:
        """The command lines that the modem has read."""
        return [command for _, command in self.sim.seen]
