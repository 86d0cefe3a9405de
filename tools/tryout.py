"""A campaign's conversation without a telephone: what a caller would hear, and what would be written down.

`Tryout` is one call. It hosts the box's own `Conversation` and has no clock, terminal or modem: whoever uses it says
what the caller does and when, in seconds that never run backwards, and calls `tick` when `deadline` has come. What
happened in between comes back as a list, in order: words that are said, rows of the ledger, SMS, the end. The sound of
the call is kept as a caller would have heard it, pauses, cuts and beeps included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from edge import campaign, dialogue
from edge.audio.player import BEEP
from edge.campaign import Campaign
from edge.dialogue import Clip, Connected, HungUp, KeyPressed, Played, Recorded, SpeechBegan, SpeechEnded
from edge.ivr import About, Conversation
from edge.menu import text
from edge.prompts import Prompts, sound

REFERENCE = "1234567"  # of the only case that a try-out can open
SPOKEN_MS = 1000  # as on a line: less speech is no message


class Said(NamedTuple):
    """These clips begin to be said, each with its words ("" for the beep)."""

    clips: tuple[Clip, ...]
    words: tuple[str, ...]


class Wrote(NamedTuple):
    """A row of the ledger: its kind and state, and what else stands in it, in words."""

    kind: str
    state: str
    more: str = ""


class Sms(NamedTuple):
    """An SMS to the caller."""

    text: str


class Ended(NamedTuple):
    """The call is over; `by` is "us" or "her"."""

    by: str


Happened = Said | Wrote | Sms | Ended


class Tryout:
    """One call to a campaign that has a menu; `placed`: one that we make. `values` fill the SMS' placeholders.

    `language` and `case` (reference, state) are what is known of the caller before; afterwards they hold what the next
    call would know. `over` tells that the call has ended; `said` is the sound of what was said last."""

    def __init__(
        self,
        found: Campaign,
        prompts: Prompts,
        values: Mapping[str, str],
        *,
        placed: bool = False,
        is_open: bool = True,
        language: str = "",
        case: tuple[str, str] | None = None,
    ) -> None:
        assert found.menu, "a campaign without [menu] has no conversation"
        self.found, self.menu, self.prompts, self.values = found, found.menu, prompts, values
        self.placed, self.language, self.case, self.over, self.stopped = placed, language, case, False, False
        about = About(language=language, case=case, placed=placed, referendum_open=is_open)
        self._ivr = Conversation(self.menu, about)
        self.said = b""
        self._began = 0.0
        self._heard = bytearray()  # of the call so far, and what is being said now, to its end
        self._said_until: float | None = None  # when all of it will have been heard
        self._ending = False
        self._speech_from: float | None = None
        self._speech_until: float | None = None
        self._take: dialogue.Record | None = None
        self._take_from = self._take_speech = 0.0

    # ------------------------------------------------------------------------- what the caller does

    def begin(self, now: float) -> list[Happened]:
        """The call is up."""
        self._began = now
        first = Wrote("call", "called-back" if self.placed else "talked")
        return [first, *self._feed(Connected(), now)]

    def press(self, key: str, now: float) -> list[Happened]:
        """She presses one of dialogue.KEYS."""
        return self.tick(now) + self._feed(KeyPressed(key, "sound"), now)

    def speak(self, seconds: float, now: float) -> list[Happened]:
        """She talks for so long, from now."""
        happened = self.tick(now)
        if self._speech_until is None:
            self._speech_from = now
            happened += self._feed(SpeechBegan(), now)
        self._speech_until = now + seconds
        return happened

    def hang_up(self, now: float) -> list[Happened]:
        """She hangs up: whatever she was saying is kept."""
        happened = self.tick(now)
        if self.over:
            return happened
        self._end_speech(now)
        happened += self._feed(HungUp(), now)
        return happened + self._end("her", now)

    # --------------------------------------------------------------------------------------- time

    def deadline(self) -> float | None:
        """When `tick` is due; None: not before the caller does something."""
        if self.over:
            return None
        take_end = self._take_from + self._take.most_s if self._take else None
        due = (self._said_until, self._speech_until, take_end, self._ivr.deadline())
        return min((moment for moment in due if moment is not None), default=None)

    def tick(self, now: float) -> list[Happened]:
        """All that was due by now, each at its own time."""
        happened: list[Happened] = []
        while (due := self.deadline()) is not None and due <= now:
            happened += self._due(due)
        return happened

    def _due(self, now: float) -> list[Happened]:
        if self._said_until is not None and self._said_until <= now:
            self._said_until = None
            return self._end("us", now) if self._ending else self._feed(Played(), now)
        if self._speech_until is not None and self._speech_until <= now:
            self._end_speech(now)
            return self._feed(SpeechEnded(), now)
        if self._take and self._take_from + self._take.most_s <= now:
            return self._close_take(True, now)
        return self._obey(self._ivr.tick(now), now)

    @property
    def speaking(self) -> bool:
        """Whether something is being said, or she has not finished talking."""
        return self._said_until is not None or self._speech_until is not None

    def heard(self, now: float) -> bytes:
        """All that she has heard until now: 8 kHz, 16 bit, one channel."""
        return bytes(self._heard[: _bytes(now - self._began)]).ljust(_bytes(now - self._began), b"\0")

    # ------------------------------------------------------------------------------------- orders

    def _feed(self, event: dialogue.Heard, now: float) -> list[Happened]:
        return [] if self.over else self._obey(self._ivr.on(event, now), now)

    def _obey(self, orders: Sequence[dialogue.Ordered], now: float) -> list[Happened]:
        happened: list[Happened] = []
        keep = None
        for order in orders:
            if isinstance(order, dialogue.Say):
                happened.append(self._say(order.clips, now))
            elif isinstance(order, dialogue.Hush):
                self._hush(now)
            elif isinstance(order, dialogue.Record):
                self._take, self._take_from, self._take_speech = order, now, 0.0
                if self._speech_until is not None:
                    self._speech_from = now
                happened.append(Wrote("recording", "recording", ",".join(order.tags)))
            elif isinstance(order, dialogue.EndRecord):
                keep = order.keep
            elif isinstance(order, dialogue.EndCall):
                self._ending = True
            else:
                happened += self._write(order)
        # the take is closed, and the case opened, behind all that was ordered with it
        if keep is not None and self._take:
            happened += self._close_take(keep, now)
        if any(isinstance(order, dialogue.OpenCase) for order in orders):
            happened += self._feed(dialogue.CaseOpened(REFERENCE), now)
        if self._ending and self._said_until is None:
            happened += self._end("us", now)
        return happened

    def _write(self, order: dialogue.Ordered) -> list[Happened]:
        if isinstance(order, dialogue.Step):
            return [Wrote("step", order.what, f"{order.node} {order.key}".strip())]
        if isinstance(order, dialogue.Choice):
            return [Wrote("answer", order.value, f"to {order.issue}, by key {order.key}")]
        if isinstance(order, dialogue.ChooseLanguage):
            self.language = order.language
            return [Wrote("language", order.language)]
        if isinstance(order, dialogue.OptOut):
            self.stopped = True
            return [Wrote("opt-out", "", "nothing is sent to her any more, from any line")]
        if isinstance(order, dialogue.Agree):
            return [Wrote("consent", order.purpose, f"in {order.language}")]
        if isinstance(order, dialogue.JudgeCase):
            reference = self.case[0] if self.case else REFERENCE
            self.case = None if order.verdict == "verified" else (reference, order.verdict)
            return [Wrote("case", order.verdict)]
        assert isinstance(order, dialogue.OpenCase)
        self.case = REFERENCE, "new"
        tags = ",".join(order.tags)
        due = f"due {self.menu.due_s // 3600} h after the ring"
        told: list[Happened] = [Wrote("case", "new", f"{REFERENCE} {tags}, {due}")]
        sent = campaign.case_text(self.found, order.language, {**self.values, "reference": REFERENCE})
        return [*told, Sms(sent)] if sent else told

    def _say(self, clips: tuple[Clip, ...], now: float) -> Said:
        self._hush(now)
        self._heard += bytes(max(0, _bytes(now - self._began) - len(self._heard)))
        start = len(self._heard)
        for clip in clips:
            path = self.prompts.file(clip)
            self._heard += bytes(_bytes(clip.pause_ms / 1000)) + (sound(path) if path else BEEP)
        self.said = bytes(self._heard[start:])
        self._said_until = self._began + len(self._heard) / (dialogue.RATE * 2)
        return Said(clips, tuple(text(self.menu, clip) for clip in clips))

    def _hush(self, now: float) -> None:
        """What is being said ends here; what was not heard of it is not in the sound."""
        del self._heard[_bytes(now - self._began) :]
        self._said_until = None

    # ------------------------------------------------------------------------------------- speech

    def _end_speech(self, now: float) -> None:
        if self._speech_from is not None and self._take:
            self._take_speech += now - self._speech_from
        self._speech_from = self._speech_until = None

    def _close_take(self, keep: bool, now: float) -> list[Happened]:
        if self._speech_from is not None:
            self._take_speech += now - self._speech_from
            self._speech_from = now
        self._take = None
        ms, speech_ms = round((now - self._take_from) * 1000), round(self._take_speech * 1000)
        state = "dropped" if not keep else "kept" if speech_ms >= SPOKEN_MS else "empty"
        row = Wrote("recording", state, f"{ms / 1000:.1f} s, {speech_ms / 1000:.1f} s of them speech")
        return [row, *self._feed(Recorded(ms, speech_ms), now)]

    def _end(self, by: str, now: float) -> list[Happened]:
        if self.over:
            return []
        self._ending = False
        happened = self._feed(HungUp(), now) if by == "us" else []
        self._hush(now)
        self.over = True
        seconds = round(now - self._began)
        return [*happened, Wrote("call", "called-back" if self.placed else "talked", f"{seconds} s"), Ended(by)]


def _bytes(seconds: float) -> int:
    return max(0, round(seconds * dialogue.RATE)) * 2
