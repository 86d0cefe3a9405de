"""Every word the house speaks.

Happened: past-tense facts, cut out of a modem's bytes by `at` (no clock, no opinion in them).
Ordered: verbs that `call` asks `line` to carry out.
Kept: the one shape of a ledger row, the same on the card, on the air and at headquarters.

Nothing here imports another room; everything here is a value.  Numbers of voters appear in some
of these values, so none of them may be formatted into a log: `repr` of a `Caller` is masked.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

# ---------------------------------------------------------------------------------------- time


class Stamp(NamedTuple):
    """When something happened, in the only form that survives a box without a battery clock.

    boot     16 hex digits that change at every boot of the machine
    mono_ms  milliseconds since that boot; never steps
    at_ms    wall time as it was believed then, milliseconds since 1970 UTC
    clock    how far `at_ms` may be believed: 0 not at all, 1 restored from the card,
             2 told by the mobile network, 3 disciplined by NTP or vouched for in box.toml
    """

    boot: str
    mono_ms: int
    at_ms: int
    clock: int

    @property
    def trusted(self) -> bool:
        return self.clock >= 2


# -------------------------------------------------------------------------------------- callers

CallerKind = Literal[
    "international",  # E.164 from another country than the box's
    "national",  # E.164 of the box's own country
    "short",  # a service number such as 121: kept as it came, never answered
    "alphanumeric",  # AX-BANK: kept as it came, never answered
    "withheld",  # the caller hides the number
    "unavailable",  # the network has none
    "unknown",  # the modem never told
]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who rang or wrote. `number` is E.164 for the first two kinds, the raw string for `short`
    and `alphanumeric`, and empty otherwise."""

    kind: CallerKind
    number: str = field(default="", repr=False)

    @property
    def repliable(self) -> bool:
        return self.kind in ("international", "national")


UNKNOWN = Caller("unknown")

# ------------------------------------------------------------------------------------ happened


@dataclass(frozen=True, slots=True)
class Rang:
    """RING or +CRING: somebody is calling; says nothing about who, nor whether it is new."""


@dataclass(frozen=True, slots=True)
class CallerSeen:
    """+CLIP (27.007 7.11). `number` as the modem wrote it; `kind` is the type of address
    (145 international, 129 unknown, 161 national); `validity` 0 valid, 1 withheld, 2 unavailable."""

    number: str = field(repr=False)
    kind: int = 129
    validity: int | None = None


@dataclass(frozen=True, slots=True)
class Waited:
    """+CCWA: a second caller while a call is up."""

    number: str = field(repr=False)
    kind: int = 129


@dataclass(frozen=True, slots=True)
class ListedCall:
    """One voice call of +CLCC (27.007 7.18) or of a vendor's call URC.

    `status` 0 active, 1 held, 2 dialing, 3 alerting, 4 incoming, 5 waiting, 6 ended."""

    index: int
    outgoing: bool
    status: int
    number: str = field(repr=False, default="")
    kind: int = 129
    validity: int | None = None


@dataclass(frozen=True, slots=True)
class CallChanged:
    """A vendor's URC told one call's state: +CLCC (SIMCom), ^DSCI or +QIND "ccinfo" (Quectel)."""

    call: ListedCall


@dataclass(frozen=True, slots=True)
class CallEnded:
    """An end mark was read: NO CARRIER, ^CEND, VOICE CALL: END, MISSED_CALL, HANGUP. `cause` is the network's reason
    (3GPP 24.008 table 10.5.123) where the mark tells one, else -1."""

    mark: str
    number: str = field(default="", repr=False)  # MISSED_CALL names its caller
    cause: int = -1


@dataclass(frozen=True, slots=True)
class CallConnected:
    """A vendor's mark that a call is up: VOICE CALL: BEGIN, ^CONN, MO CONNECTED, CONNECT."""

    mark: str


@dataclass(frozen=True, slots=True)
class FileMark:
    """A module that plays and records files by itself told how that went: `played`, `failed`, or `recorded` (it has
    ended a recording by itself)."""

    what: str


@dataclass(frozen=True, slots=True)
class MessageStored:
    """+CMTI: an inbound SMS lies at `index` of `store` (-1: the modem does not say where)."""

    store: str
    index: int


@dataclass(frozen=True, slots=True)
class ReportStored:
    """+CDSI: a delivery report lies at `index` of `store`."""

    store: str
    index: int


@dataclass(frozen=True, slots=True)
class PduArrived:
    """+CMT or +CDS: a PDU (hex) came straight to us; the modem keeps no copy."""

    pdu: str = field(repr=False)
    report: bool = False


@dataclass(frozen=True, slots=True)
class StorageFull:
    """The SIM's or modem's message store is full: inbound SMS wait at the operator."""


@dataclass(frozen=True, slots=True)
class SimChanged:
    """+CPIN or a vendor's twin, unasked: READY, SIM PIN, NOT INSERTED, ..."""

    state: str


@dataclass(frozen=True, slots=True)
class Registered:
    """+CREG / +CEREG: 0 no, 1 home, 2 searching, 3 denied, 5 roaming, 6/7 SMS only."""

    status: int


@dataclass(frozen=True, slots=True)
class Restarted:
    """A boot or power-down URC: every setting of the modem is gone."""

    mark: str


@dataclass(frozen=True, slots=True)
class NetworkTime:
    """The network told the time; `utc_ms` since 1970."""

    utc_ms: int


@dataclass(frozen=True, slots=True)
class Keyed:
    """The modem heard a DTMF key."""

    key: str


@dataclass(frozen=True, slots=True)
class Noise:
    """A line that means nothing to us; only its length is told, it may hold anything."""

    length: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The command named `tag` ended well; `lines` are its own lines, without URCs and echo."""

    tag: str
    lines: tuple[str, ...] = ()
    data: bytes = field(default=b"", repr=False)  # what a fetch brought


@dataclass(frozen=True, slots=True)
class Refused:
    """The command named `tag` was refused. `family` is CME, CMS or ERROR; `code` -1 when none."""

    tag: str
    family: str
    code: int = -1


@dataclass(frozen=True, slots=True)
class Expired:
    """No final answer in time: whether the modem obeyed `tag` is unknown.

    `lines` came before the silence; `written` is False when a prompt was awaited and the body
    (the PDU of an SMS) never left, so that the command certainly had no effect."""

    tag: str
    lines: tuple[str, ...] = ()
    written: bool = True


@dataclass(frozen=True, slots=True)
class Deaf:
    """The modem did not answer the resynchronisation either: close the port and open it again."""


Happening = (
    Rang | CallerSeen | Waited | CallChanged | CallConnected | CallEnded | FileMark | MessageStored | ReportStored
    | PduArrived | StorageFull | SimChanged | Registered | Restarted | NetworkTime | Keyed | Noise | Answered | Refused
    | Expired | Deaf
)  # fmt: skip

# ------------------------------------------------------------------------------------- ordered

ASK, HANG, BUSY = "call:ask", "call:hang", "call:busy"  # the tags of the three commands about a caller who rings


@dataclass(frozen=True, slots=True)
class Keep:
    """Commit this call before anything else. `seen` tells who, None: the modem never said."""

    seen: CallerSeen | None
    outcome: str = "missed"
    waiting: bool = False


@dataclass(frozen=True, slots=True)
class Amend:
    """The call kept of `number` ended otherwise than was written."""

    outcome: str
    number: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class HangUp:
    """Write this command with the greatest urgency."""

    command: str
    tag: str = HANG


@dataclass(frozen=True, slots=True)
class PickUp:
    """Answer the caller who was kept just now: she is on disk."""


@dataclass(frozen=True, slots=True)
class AskCalls:
    """Ask AT+CLCC; its tag is ASK."""


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take back the command with this tag if it has not been written."""

    tag: str


Order = Keep | Amend | HangUp | PickUp | AskCalls | Withdraw

# ----------------------------------------------------------------------------------------- kept

KINDS = (
    "store", "call", "message", "optout", "language", "line", "note",
    "step", "answer", "recording", "case", "consent", "order",
)  # fmt: skip


class Row(NamedTuple):
    """One row of a ledger: `events` of the box, the batch on the air, `event` at headquarters.

    seq       gapless from 1 within a store
    of        0 on the first row of a thing; else the `seq` of the first row that this one amends
    kind      one of KINDS
    boot, mono_ms, at_ms, clock   a `Stamp`
    campaign  id, or "" (amendments leave it empty)
    caller    E.164, or the raw string of a short or alphanumeric one, or "" (amendments: "")
    caller_kind  a CallerKind, or "" (amendments)
    state     call: outcome; message, recording, case, order: state; optout: "on"; language: BCP 47; line: state;
              note: what was noted; step: one of dialogue.STEPS; answer: the value; consent: the purpose
    seconds   talk time of a call, else 0
    extra     "" or a JSON object, compact, keys sorted: message: direction text language parts reason order; store:
              line number campaign channel; line: operator, words ("" where a state that was told is repeated); call
              that we placed: for try why; step: call node key ms; answer: call node key issue language; recording:
              call node tags language file case ms speech_ms sha256; case: call recording node tags language reference
              opened_ms due_ms; consent: call node wording language evidence; order: order why (`call`, `for`,
              `recording` are rows of this store)
    """

    seq: int
    of: int
    kind: str
    boot: str
    mono_ms: int
    at_ms: int
    clock: int
    campaign: str
    caller: str
    caller_kind: str
    state: str
    seconds: int
    extra: str


GENESIS = bytes(8)  # the chain digest before the first row of a store


_LINE = "\x1f".join(["%s"] * len(Row._fields))


def told(row: tuple[object, ...]) -> bytes:
    """A row as the chain takes it: its fields in one line, U+001F between them."""
    return (_LINE % row).encode()


def link(chain: bytes, row: tuple[object, ...]) -> bytes:
    """The chain digest after `row`: 8 bytes, BLAKE2b over the digest before and the row's fields.

    The same at the box and at headquarters, so that a cloned or rolled-back card shows."""
    return hashlib.blake2b(chain + told(row), digest_size=8).digest()
