"""The telephones: who has which number, who is in which call, and what stands in whose inbox.

Rules of the room
- A telephone is known by a secret of its tab; its number is nobody's but the tab's, and never part of an address.
- One call at a time for each telephone, and MOST_CALLS in all: a browser keeps few connections to one place.
- Nothing happens here by itself: `look` finds out what has happened since, whenever a tab asks. Only the page's own
  thread comes here; the lines know how to speak to theirs.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal, NamedTuple, Protocol

from tools.telephone.story import Told

MOST_CALLS, MOST_PHONES = 4, 200
SPEECH_MOST = 64_000  # bytes of sound that one request may bring: four seconds
LETTER_MOST = 400  # letters of an SMS

State = Literal["calling", "talking", "over"]
Tone = Literal["", "ringing", "busy", "unreachable"]


class About(NamedTuple):
    """A line as its posters have it. `key` names it in requests; `mode` is the campaign's; `where` is its office."""

    key: str
    number: str
    title: str
    mode: str
    where: str
    modem: str
    languages: tuple[str, ...]


class Letter(NamedTuple):
    """One SMS in the inbox; `mine`: she wrote it. `at` is her wall clock's."""

    line: str
    text: str
    mine: bool
    at: str


class Leg(Protocol):
    """One call of a telephone. `state` is "over" for good; `words` then tell how it went, `tone` what is heard."""

    incoming: bool

    @property
    def state(self) -> State: ...
    @property
    def words(self) -> str: ...
    @property
    def tone(self) -> Tone: ...
    @property
    def seconds(self) -> int: ...
    def fresh(self) -> bytes: ...  # what she has heard since the last time: s16le, 8 kHz
    def press(self, key: str) -> None: ...
    def speak(self, pcm: bytes) -> None: ...
    def accept(self) -> None: ...
    def hang_up(self) -> None: ...
    def story(self) -> Sequence[Told]: ...


class Line(Protocol):
    """A number that can be rung. `attach` gets to know a telephone; `look` finds calls and letters for it, and hands
    them to `ring` and `deliver`."""

    about: About

    def attach(self, phone: Phone) -> None: ...
    def dial(self, phone: Phone) -> Leg: ...
    def look(self, phone: Phone) -> None: ...
    def write(self, phone: Phone, text: str) -> None: ...


class Refused(Exception):
    """This cannot be done now; the text is for whoever holds the telephone."""


@dataclass(eq=False)
class Phone:
    """One telephone. `marks` is where a line keeps what it has looked at already."""

    id: str = field(repr=False)
    number: str = field(repr=False)
    leg: Leg | None = None
    line: str = ""  # the one that it rang, or that rings it
    letters: list[Letter] = field(default_factory=list, repr=False)
    marks: dict[str, int] = field(default_factory=dict)

    @property
    def busy(self) -> bool:
        """Is it in a call, or ringing?"""
        return self.leg is not None and self.leg.state != "over"

    def ring(self, line: str, leg: Leg) -> None:
        """Somebody calls."""
        self.leg, self.line = leg, line

    def deliver(self, line: str, text: str, mine: bool = False) -> None:
        """An SMS has come, or was written."""
        self.letters.append(Letter(line, text, mine, time.strftime("%H:%M")))


class Exchange:
    """All telephones and the lines that they can ring. `samples` gives what the button says, in turn, for those who
    have no microphone."""

    def __init__(
        self, lines: Sequence[Line], samples: Callable[[], Sequence[bytes]], chance: Random | None = None
    ) -> None:
        self.lines: Mapping[str, Line] = {line.about.key: line for line in lines}
        self._samples, self._said = samples, 0
        self._chance = chance or Random()
        self._phones: dict[str, Phone] = {}
        self._used_at = -1e9  # when somebody did something last
        self._ending = False

    def new(self) -> Phone:
        """A telephone for one more tab."""
        number, self._used_at = "", time.monotonic()
        while not number or any(phone.number == number for phone in self._phones.values()):
            number = f"+9198{self._chance.randrange(10**8):08d}"
        phone = Phone(secrets.token_urlsafe(18), number)
        self._phones[phone.id] = phone
        for old in list(self._phones.values())[: max(0, len(self._phones) - MOST_PHONES)]:
            if not old.busy:
                del self._phones[old.id]
        for line in self.lines.values():
            line.attach(phone)
        return phone

    def phone(self, id: str) -> Phone | None:
        """The telephone with that secret."""
        return self._phones.get(id)

    def used(self, within_s: float) -> bool:
        """Has somebody taken a telephone, rung, or pressed a key, so lately? From any thread."""
        return time.monotonic() - self._used_at < within_s

    def look(self, phone: Phone) -> None:
        """Find out what has happened to it."""
        for line in self.lines.values():
            line.look(phone)

    # ------------------------------------------------------------------------------- what she does

    def dial(self, phone: Phone, key: str) -> None:
        """Ring a line. Raises Refused."""
        self._used_at = time.monotonic()
        if self._ending:
            raise Refused("The voters have gone home, and so should you.")
        if phone.busy:
            raise Refused("One call at a time: hang up first.")
        if sum(one.busy for one in self._phones.values()) >= MOST_CALLS:
            raise Refused(f"{MOST_CALLS} telephones are in a call already, more than a browser can hear at once.")
        phone.leg, phone.line = self._line(key).dial(phone), key

    def accept(self, phone: Phone) -> None:
        self._leg(phone).accept()

    def hang_up(self, phone: Phone) -> None:
        """End the call, or refuse the one that rings; nothing when there is none."""
        if phone.leg is not None:
            phone.leg.hang_up()

    def press(self, phone: Phone, key: str) -> None:
        self._used_at = time.monotonic()
        self._leg(phone).press(key)

    def speak(self, phone: Phone, pcm: bytes) -> None:
        self._leg(phone).speak(pcm)

    def say_sample(self, phone: Phone) -> float:
        """Say the next sentence for her; returns its length in seconds."""
        samples = self._samples()
        sample = samples[self._said % len(samples)]
        self._leg(phone).speak(sample)
        self._said += 1
        return len(sample) / 16_000

    def write(self, phone: Phone, key: str, text: str) -> None:
        """Send an SMS to a line. Raises Refused."""
        self._line(key).write(phone, text)
        phone.deliver(key, text, mine=True)

    def close(self) -> None:
        """End every call, and take no more. From any thread."""
        self._ending = True
        for phone in list(self._phones.values()):
            self.hang_up(phone)

    def _line(self, key: str) -> Line:
        if key not in self.lines:
            raise Refused("There is no such number.")
        return self.lines[key]

    def _leg(self, phone: Phone) -> Leg:
        if phone.leg is None or not phone.busy:
            raise Refused("There is no call.")
        return phone.leg
