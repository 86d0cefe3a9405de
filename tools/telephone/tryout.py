"""A line that plays one campaign by itself, so that its author hears it before it is published: no modem, no box.

What is said and written comes from `tools.tryout`, which hosts the box's own conversation; the sound is that of the
prompts in the campaign's folder. Speech is noticed, as on a line, and thrown away.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge import campaign
from edge.campaign import Campaign
from edge.dialogue import FRAME, FRAME_MS, SpeechBegan
from edge.hearing import Ear
from edge.prompts import Prompts
from tools import rehearsal
from tools.telephone.exchange import About, Exchange, Leg, Phone, State, Tone
from tools.telephone.page import Served
from tools.telephone.story import Told, spoken
from tools.tryout import Ended, Happened, Said, Sms, Tryout, Wrote

PORT = 8900
RING_S, BACK_S, RINGS_S = 1.2, 2.0, 25.0  # until it is answered or cut; until it rings back, and how long
TALK_S = 60.0  # somebody who talks is believed to go on until she falls silent


@dataclass
class Caller:
    """What the line knows of one telephone."""

    language: str = ""
    case: tuple[str, str] | None = None
    stopped: bool = False
    replies: int = 0
    rings_back_at: float | None = None
    leg: TryoutLeg | None = None


class TryoutLine:
    """The campaign as a number. `values` fill the SMS."""

    def __init__(self, found: Campaign, prompts: Prompts | None, values: Mapping[str, str]) -> None:
        self.found, self.prompts, self.values = found, prompts, values
        self.about = About("try", values["number"], found.title, found.mode, "try-out", "", found.languages)
        self._callers: dict[str, Caller] = {}

    def attach(self, phone: Phone) -> None:
        self._callers[phone.id] = Caller()

    def dial(self, phone: Phone) -> Leg:
        caller = self._callers[phone.id]
        caller.rings_back_at = None
        caller.leg = TryoutLeg(self, phone, caller, incoming=False)
        return caller.leg

    def look(self, phone: Phone) -> None:
        caller, now = self._callers[phone.id], time.monotonic()
        if caller.leg is not None:
            caller.leg.move(now)
        if caller.rings_back_at is not None and now >= caller.rings_back_at and not phone.busy:
            caller.rings_back_at = None
            caller.leg = TryoutLeg(self, phone, caller, incoming=True)
            phone.ring(self.about.key, caller.leg)

    def write(self, phone: Phone, text: str) -> None:
        if campaign.stops(text, self.found.languages):
            self._callers[phone.id].stopped = True

    def cut(self, phone: Phone, caller: Caller, now: float) -> list[Told]:
        """A call was cut: what follows, by the campaign's mode."""
        told = [Told("book", "call missed")]
        caller.stopped = caller.stopped or self.found.mode == "opt-out"
        if caller.stopped:
            return [*told, Told("book", "nothing is sent to this number any more")]
        if self.found.mode == "callback":
            caller.rings_back_at = now + BACK_S
        elif self.found.replies and caller.replies < (1 if self.found.once_per_s else 5):
            caller.replies += 1
            language = campaign.choose_language(caller.language, "", self.found)
            phone.deliver(self.about.key, campaign.reply_text(self.found, language, self.values))
            told.append(Told("book", f"message sent, in {language}"))
        return told


class TryoutLeg:
    """One call to it, or from it. Time passes when somebody looks or listens: `move`."""

    def __init__(self, line: TryoutLine, phone: Phone, caller: Caller, incoming: bool) -> None:
        self.incoming = incoming
        self._line, self._phone, self._caller = line, phone, caller
        self._rings_until = time.monotonic() + (RINGS_S if incoming else RING_S)
        self._talk: Tryout | None = None
        self._up_at = self._over_at = 0.0
        self._words = ""
        self._story: list[Told] = []
        self._mouth, self._ear, self._frames, self._given = bytearray(), Ear(), 0, 0

    @property
    def state(self) -> State:
        return "over" if self._words else "talking" if self._talk else "calling"

    @property
    def words(self) -> str:
        return self._words

    @property
    def tone(self) -> Tone:
        return "ringing" if self.state == "calling" and not self.incoming else ""

    @property
    def seconds(self) -> int:
        return int((self._over_at or time.monotonic()) - self._up_at) if self._talk else 0

    def story(self) -> Sequence[Told]:
        return self._story[-60:]

    # ------------------------------------------------------------------------------- what she does

    def accept(self) -> None:
        if self.incoming and self.state == "calling":
            self._begin(time.monotonic())

    def press(self, key: str) -> None:
        now = time.monotonic()
        self.move(now)
        if self._talk and not self._words:
            self._story.append(Told("you", f"press {key}"))
            self._tell(self._talk.press(key, now), now)

    def speak(self, pcm: bytes) -> None:
        if self.state == "talking":
            self._mouth += pcm

    def hang_up(self) -> None:
        now = time.monotonic()
        if self.state == "calling":
            self._end("You did not take the call." if self.incoming else "You hung up. You paid nothing.", now)
        elif self._talk and not self._words:
            self._tell(self._talk.hang_up(now), now)

    # --------------------------------------------------------------------------------------- time

    def fresh(self) -> bytes:
        now = time.monotonic()
        self.move(now)
        if self._talk is None:
            return b""
        heard = self._talk.heard(min(now, self._over_at or now))
        sound, self._given = heard[self._given :], max(self._given, len(heard))
        return sound

    def move(self, now: float) -> None:
        """All that was due by now."""
        if self.state == "calling" and now >= self._rings_until:
            if self.incoming:
                self._end("You missed a call.", now)
            elif self._line.found.mode == "menu":
                self._begin(now)
            else:
                self._story += self._line.cut(self._phone, self._caller, now)
                back = " They will ring you back in a moment." if self._caller.rings_back_at else ""
                self._end(f"It rang, and was cut. You paid nothing.{back}", now)
        while self._talk and not self._words and self._frames < (now - self._up_at) * 1000 / FRAME_MS:
            self._frame(self._up_at + self._frames * FRAME_MS / 1000)

    def _frame(self, now: float) -> None:
        """The next 20 ms of what she says, and what the conversation makes of it."""
        assert self._talk
        self._frames += 1
        frame = bytes(self._mouth[:FRAME]).ljust(FRAME, b"\0")
        del self._mouth[:FRAME]
        self._tell(self._talk.tick(now), now)
        for event in self._ear.feed(frame, now):
            if not self._talk.over:
                self._tell(self._talk.speak(TALK_S if isinstance(event, SpeechBegan) else 0.0, now), now)

    def _begin(self, now: float) -> None:
        line, caller = self._line, self._caller
        assert line.prompts
        moment = time.time() * 1000
        menu = line.prompts.menu
        is_open = (menu.opens_ms or 0) <= moment < (menu.closes_ms or moment + 1)
        self._up_at = now
        self._talk = Tryout(line.found, line.prompts, line.values, placed=self.incoming, is_open=is_open,
                            language=caller.language, case=caller.case)  # fmt: skip
        self._tell(self._talk.begin(now), now)

    def _end(self, words: str, now: float) -> None:
        self._words, self._over_at = words, now

    def _tell(self, happened: Sequence[Happened], now: float) -> None:
        assert self._talk
        for one in happened:
            if isinstance(one, Said):
                self._story += spoken(self._talk.menu, one.clips)
            elif isinstance(one, Wrote):
                begins = one[:2] == ("recording", "recording")
                self._story.append(Told("book", "recording begins" if begins else " ".join(filter(None, one))))
            elif isinstance(one, Sms):
                self._phone.deliver(self._line.about.key, one.text)
            elif isinstance(one, Ended):
                self._caller.language, self._caller.case = self._talk.language, self._talk.case
                self._caller.stopped = self._caller.stopped or self._talk.stopped
                self._end("You hung up." if one.by == "her" else "The call has come to its end.", now)


def run(found: Campaign, prompts: Prompts | None, values: Mapping[str, str]) -> int:
    """`miscall campaign try FILE --browser`: serve a telephone for one campaign, until Ctrl-C."""
    if prompts and not any(prompts.folder.glob("*.wav")):
        print("There are no prompts yet: you hear beeps. `miscall campaign voice FILE` makes drafts.")
    said = rehearsal.sentences(rehearsal.place(Path()))
    exchange = Exchange([TryoutLine(found, prompts, values)], lambda: said)
    try:
        served = Served(exchange, f"try-out of {found.id}", {}, PORT)
    except OSError:  # a demo has it
        served = Served(exchange, f"try-out of {found.id}", {})
    print(f"A telephone for {found.title}: {served.address}   (Ctrl-C ends it)", flush=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while True:
            signal.pause()
    except KeyboardInterrupt:
        served.close()
    print("What was tried is forgotten: nothing of it was kept.")
    return 0
