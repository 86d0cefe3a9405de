"""PDUs that came: messages, delivery reports, and the parts of long ones put together.

The rules for readers of old and careless senders stand beside the field that they are about. Words
of a PduError name the field and never what is in it, so they may be logged.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from edge import gsm7
from edge.sms.submit import SEMI_OCTETS, PduError

AddressKind = Literal["international", "national", "short", "alphanumeric", "unknown"]
_KINDS: dict[int, AddressKind] = {0: "unknown", 1: "international", 2: "national", 5: "alphanumeric"}


@dataclass(frozen=True, slots=True)
class Part:
    """The place of a part in a long message; `wide` tells 16-bit references from 8-bit ones."""

    reference: int
    total: int
    index: int
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Deliver:
    """An inbound SMS. `sender` as coded ("+" added for an international one), `kind` and `sender_type`
    (145, 129, 208, ...) as the network coded it; `sent_ms` UTC since 1970, None when the network has no clock."""

    sender: str = field(repr=False)
    kind: AddressKind
    text: str = field(repr=False)
    sent_ms: int | None = None
    part: Part | None = None
    flash: bool = False
    sender_type: int = 129
    alphabet: Literal["gsm7", "ucs2", "8bit"] = "gsm7"
    units: bytes = field(default=b"", repr=False)  # UTF-16 as it came: half of a pair may lie in the next part


@dataclass(frozen=True, slots=True)
class Report:
    """A delivery report on the part with TP-MR `reference`. `recipient` may be in national form: see `same_number`."""

    reference: int
    recipient: str = field(repr=False)
    status: int
    outcome: Literal["delivered", "pending", "failed"]
    sent_ms: int | None = None
    done_ms: int | None = None

    @property
    def words(self) -> str:
        """Why, in a few words."""
        return _STATUS.get(self.status, self.outcome)


# TP-ST 9.2.3.15, those that tell an operator something
_STATUS = {
    1: "forwarded, not confirmed", 32: "network congested", 33: "phone busy", 34: "phone does not answer",
    64: "phone cannot take it", 65: "phone cannot take it", 67: "number not obtainable", 69: "number unknown",
    70: "not delivered in time", 71: "deleted by the sender", 72: "deleted by the operator",
}  # fmt: skip


class _Octets:
    """Octets taken from the front; ending early is a PduError that names the field."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, length: int, what: str) -> bytes:
        taken = self.data[self.at : self.at + length]
        if len(taken) < length:
            raise PduError(f"ends inside {what}")
        self.at += length
        return taken

    def octet(self, what: str) -> int:
        return self.take(1, what)[0]


def decode(pdu_hex: str) -> Deliver | Report:
    """The message of a PDU as +CMGR, +CMGL, +CMT and +CDS give it (SMSC first; padding behind it is left aside)."""
    return _decode(_octets(pdu_hex))[0]


def fingerprint(pdu_hex: str) -> bytes:
    """16 octets that are the same whenever the same message is read again, from whatever storage; never raises.

    The SMSC, padding and the case of the hex are left aside."""
    data = pdu_hex.encode(errors="replace")
    try:
        octets = _octets(pdu_hex)
        data = octets.data
        data = _decode(octets)[1]
    except PduError:
        pass
    return hashlib.blake2b(data, digest_size=16).digest()


def _octets(pdu_hex: str) -> _Octets:
    try:
        return _Octets(bytes.fromhex(pdu_hex.strip().strip('"')))
    except ValueError:
        raise PduError("not hexadecimal") from None


def _decode(octets: _Octets) -> tuple[Deliver | Report, bytes]:
    """The message, and its TPDU without SMSC and padding."""
    smsc = octets.octet("the SMSC")
    if smsc > 12:
        raise PduError("the SMSC is too long")
    octets.take(smsc, "the SMSC")
    start = octets.at
    first = octets.octet("the first octet")
    if first & 3 == 1:
        raise PduError("an outbound message")
    # 3 is reserved, and to be read as a message (23.040 9.2.3.1)
    message = _report(octets) if first & 3 == 2 else _deliver(octets, bool(first & 0x40))
    return message, octets.data[start : octets.at]


def _report(octets: _Octets) -> Report:
    reference = octets.octet("the reference")
    recipient, _, _ = _address(octets)
    sent_ms, done_ms = _time(octets), _time(octets)
    status = octets.octet("the status")
    # reserved values (bit 7) are to be read as "rejected"; 32-63: the network still tries
    outcome: Literal["delivered", "pending", "failed"] = (
        "failed" if status & 0xC0 else "pending" if status & 0x20 else "delivered"
    )
    return Report(reference, recipient, status, outcome, sent_ms, done_ms)


def _deliver(octets: _Octets, headed: bool) -> Deliver:
    sender, kind, sender_type = _address(octets)
    octets.octet("the protocol")
    alphabet, flash = _coding(octets.octet("the coding"))
    sent_ms = _time(octets)
    length = octets.octet("the length")  # in septets or octets
    data = octets.take((7 * length + 7) // 8 if alphabet == "gsm7" else length, "the text")
    header = b""
    if headed:
        if not data or data[0] >= len(data):
            raise PduError("the header is longer than the message")
        header = data[1 : data[0] + 1]
    part, locking, single = _elements(header)
    behind = len(header) + 1 if headed else 0
    units = b""
    if alphabet == "gsm7":
        gone = -(-8 * behind // 7)
        text = gsm7.decode(gsm7.unpack(data, max(length, gone), 0)[gone:], locking, single)
    elif alphabet == "ucs2":
        units = data[behind : len(data) - (len(data) - behind) % 2]
        text = units.decode("utf-16-be", "replace")
    else:
        text = data[behind:].decode("latin-1")
        text = text if text.replace("\n", "").replace("\r", "").isprintable() else ""  # data for a program
    return Deliver(sender, kind, text, sent_ms, part, flash, sender_type, alphabet, units)


def _address(octets: _Octets) -> tuple[str, AddressKind, int]:
    length = octets.octet("an address")  # in semi-octets
    if length > 20:
        raise PduError("an address is too long")
    type_of_number = octets.octet("an address")
    packed = octets.take((length + 1) // 2, "an address")
    kind = _KINDS.get(type_of_number >> 4 & 7, "short")
    if kind == "alphanumeric":
        letters = gsm7.decode(gsm7.unpack(packed, length * 4 // 7))
        # seven letters fill 7 octets but for 7 bits, which read as one more letter, "@"
        return (letters[:-1] if len(packed) == 7 and letters[7:] == "@" else letters), kind, type_of_number
    nibbles = [nibble for octet in packed for nibble in (octet & 0xF, octet >> 4)][:length]
    digits = "".join(SEMI_OCTETS[nibble] for nibble in nibbles if nibble != 0xF)
    return ("+" + digits if kind == "international" and digits else digits), kind, type_of_number


def _coding(coding: int) -> tuple[Literal["gsm7", "ucs2", "8bit"], bool]:
    """The alphabet, and whether the phone would have shown it at once (class 0), of a TP-DCS (23.038 4)."""
    group = coding >> 4
    if group >= 0xC:
        if group == 0xF:
            return "8bit" if coding & 4 else "gsm7", coding & 3 == 0
        return "ucs2" if group == 0xE else "gsm7", False
    if group >= 8:
        return "gsm7", False
    if coding & 0x20:
        raise PduError("a compressed text")
    flash = coding & 0x13 == 0x10
    return ("8bit" if coding & 0xC == 4 else "ucs2" if coding & 0xC == 8 else "gsm7"), flash


def _time(octets: _Octets) -> int | None:
    """UTC milliseconds of a TP-SCTS; None when it is zero or no time."""
    stamp = octets.take(7, "a time")
    numbers = [(octet & 0xF) * 10 + (octet >> 4) for octet in stamp[:6]]
    if any(octet & 0xF > 9 or octet >> 4 > 9 for octet in stamp[:6]) or numbers[0] >= 70:
        return None
    quarters = (stamp[6] & 7) * 10 + (stamp[6] >> 4)
    try:
        local = datetime(2000 + numbers[0], *numbers[1:], tzinfo=UTC)  # type: ignore[misc, arg-type]
    except ValueError:
        return None
    utc = local - timedelta(minutes=15 * (-quarters if stamp[6] & 8 else quarters))
    return round(utc.timestamp() * 1000)


def _elements(header: bytes) -> tuple[Part | None, int, int]:
    """Part, locking and single-shift language of a UDH; unknown, cut or absurd elements are left aside."""
    part, locking, single = None, 0, 0
    while len(header) >= 2:
        kind, value, header = header[0], header[2 : 2 + header[1]], header[2 + header[1] :]
        if (kind, len(value)) in ((0x00, 3), (0x08, 4)) and 1 <= value[-1] <= value[-2]:
            part = Part(int.from_bytes(value[:-2]), value[-2], value[-1], kind == 0x08)
        elif kind == 0x24 and len(value) == 1:
            single = value[0]
        elif kind == 0x25 and len(value) == 1:
            locking = value[0]
    return part, locking, single


def complete(parts: Iterable[Deliver]) -> bool:
    """Whether these are all parts of one long message."""
    places = [arrived.part for arrived in parts if arrived.part]
    return bool(places) and len({place.index for place in places}) == places[0].total


def join(parts: Iterable[Deliver]) -> str:
    """The text of a long message from its parts in any order, repeats left out; "…" for an absent part."""
    held: dict[int, Deliver] = {}
    total = 0
    for arrived in parts:
        index, last = (arrived.part.index, arrived.part.total) if arrived.part else (1, 1)
        held.setdefault(index, arrived)
        total = max(total, last)
    units = b""
    for index in range(1, total + 1):
        piece = held.get(index)
        units += "…".encode("utf-16-be") if piece is None else piece.units or piece.text.encode("utf-16-be")
    return units.decode("utf-16-be", "replace")


def same_number(sent: str, recipient: str) -> bool:
    """Whether a report's recipient can be the number that we sent to: networks give it in national form too,
    so the last nine digits decide (or all of a shorter one, six at least)."""
    ours, theirs = (re.sub(r"\D", "", number).lstrip("0") for number in (sent, recipient))
    if ours == theirs:
        return bool(ours)
    shorter = min(len(ours), len(theirs), 9)
    return shorter >= 6 and ours[-shorter:] == theirs[-shorter:]
