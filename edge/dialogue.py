"""Every word of a conversation on the line: what was heard of the caller, and what the box is to do.

Heard: facts that `hearing`, the modem, or a caller at a keyboard tell, the same whoever told them.
Ordered: verbs that `ivr` asks its host to carry out, one after the other. An order that writes is on disk before the
next order of the list is carried out, so a confirmation that stands behind it says only what is true; sound that
confirms nothing stands before the writing, so that no slow card is ever heard.

Nothing here imports another room; everything here is a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

KEYS = "0123456789*#"
RATE = 8000  # samples a second, 16 bit, one channel, little-endian: all sound in this house
FRAME_MS = 20
FRAME = RATE * FRAME_MS // 1000 * 2  # 320 bytes

# --------------------------------------------------------------------------------------- heard


@dataclass(frozen=True, slots=True)
class Connected:
    """The call is up: both sides can hear each other."""


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """The caller pressed a key, one of KEYS. `source`: the modem told it, or it was found in the sound."""

    key: str
    source: Literal["modem", "sound"] = "modem"


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """The caller talks (where the sound reaches us; modules that play files by themselves never tell)."""


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The caller has fallen silent, just now."""


@dataclass(frozen=True, slots=True)
class WordHeard:
    """A recogniser understood one of `yes`, `no`, `0` ... `9`; `sure` is its confidence, 0 to 1; `language` is the one
    that it listens to, "" for any."""

    word: str
    sure: float
    language: str = ""


@dataclass(frozen=True, slots=True)
class Played:
    """All of the last `Say` has been heard. A `Say` that was cut off by another one, or by `Hush`, tells nothing."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The take is closed and on disk: its length, how much of it was speech (-1: nobody listened), milliseconds."""

    ms: int
    speech_ms: int = -1


@dataclass(frozen=True, slots=True)
class RecordFailed:
    """There is no take, or no more of it: no room on the disk, or the module refused. `why` is for the ledger."""

    why: str


@dataclass(frozen=True, slots=True)
class CaseOpened:
    """The case is on disk, under this reference (digits)."""

    reference: str


@dataclass(frozen=True, slots=True)
class HungUp:
    """The caller has gone, or the line is lost."""


Heard = (
    Connected | KeyPressed | SpeechBegan | SpeechEnded | WordHeard | Played | Recorded | RecordFailed | CaseOpened
    | HungUp
)  # fmt: skip

# ------------------------------------------------------------------------------------- ordered


class Clip(NamedTuple):
    """One prompt in one language, and the silence before it. `name` is a prompt's name (`phrases` lists those that
    every campaign has); `beep` is the tone."""

    name: str
    language: str
    pause_ms: int = 0


@dataclass(frozen=True, slots=True)
class Say:
    """Play these one after the other, in place of what is being played. `Played` follows."""

    clips: tuple[Clip, ...]


@dataclass(frozen=True, slots=True)
class Hush:
    """Stop playing."""


@dataclass(frozen=True, slots=True)
class Record:
    """Begin a take, for `most_s` seconds at most; `Recorded` or `RecordFailed` follows, also after a hang-up.
    `tags` is the key path that led here; `case`: it will belong to a grievance and goes to headquarters first."""

    node: str
    tags: tuple[str, ...]
    most_s: int
    case: bool = False


@dataclass(frozen=True, slots=True)
class EndRecord:
    """Close the take; `Recorded` follows. `keep` False: the caller wants to begin again, and this take goes."""

    keep: bool = True


# What a Step can tell; each is one row of kind "step".
STEPS = (
    "connected",  # the call is up
    "enter",  # a node begins
    "heard",  # its prompt was heard to its end
    "key",  # a key that means something here (`key`)
    "invalid",  # a key that means nothing here (`key`)
    "no-input",  # nobody did anything in time
    "speech",  # she talked in place of pressing a key
    "word",  # a word was recognised (`key` is the word)
    "record",  # a take begins
    "no-room",  # a take was due, or was under way, and could not be made
    "goal",  # the node's purpose is fulfilled: an answer, a kept recording, a case
    "end",  # the conversation is over; `key`: done, hung-up, opted-out, limit
)


@dataclass(frozen=True, slots=True)
class Step:
    """Write down what the caller did, or did not."""

    what: str
    node: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """Write down an answer: `value` for `issue` (a referendum's issue, an event's id, or the node)."""

    node: str
    key: str
    value: str
    issue: str = ""


@dataclass(frozen=True, slots=True)
class ChooseLanguage:
    """Write down that this caller wants to be spoken to in `language` from now on."""

    language: str


@dataclass(frozen=True, slots=True)
class OptOut:
    """Write down that this caller wants nothing more."""


@dataclass(frozen=True, slots=True)
class Agree:
    """Write down a consent: the caller said yes to `purpose` after hearing the wording of `node`."""

    node: str
    purpose: str
    language: str


@dataclass(frozen=True, slots=True)
class OpenCase:
    """Write down a grievance with the take just made; `CaseOpened` follows, and an SMS with its reference."""

    node: str
    tags: tuple[str, ...]
    language: str


@dataclass(frozen=True, slots=True)
class JudgeCase:
    """The caller was told that her case is resolved and says whether it is: `verified` or `reopened`."""

    verdict: Literal["verified", "reopened"]


@dataclass(frozen=True, slots=True)
class EndCall:
    """Hang up, once what is being played has been heard."""


Ordered = (
    Say | Hush | Record | EndRecord | Step | Choice | ChooseLanguage | OptOut | Agree | OpenCase | JudgeCase | EndCall
)  # fmt: skip
