"""Text and number to SMS-SUBMIT.

A long text is cut where a reader would cut it: never inside an escape or a surrogate pair, and
between a letter and its vowel sign, mark or joiner only when one such cluster fills a whole part.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Literal, NamedTuple

from edge import gsm7


class PduError(Exception):
    """This is no PDU, or no message can be made of this text or number. Its words hold neither of them."""


Alphabet = Literal["gsm7", "ucs2"]


class Submit(NamedTuple):
    """One SMS-SUBMIT: `pdu_hex` begins with an empty SMSC (the SIM's is used); `octets` is what AT+CMGS wants."""

    pdu_hex: str
    octets: int


class Size(NamedTuple):
    """What a text costs: SMS parts; septets or UTF-16 units used; how many more fit into the last part."""

    parts: int
    alphabet: Alphabet
    units: int
    left: int


# room in one SMS, in a part with an 8-bit reference, in a part with a 16-bit reference
_ROOM: dict[Alphabet, tuple[int, int, int]] = {"gsm7": (160, 153, 152), "ucs2": (70, 67, 66)}
_UNIT_OCTETS: dict[Alphabet, int] = {"gsm7": 1, "ucs2": 2}  # gsm7: not packed yet
_NUMBER = re.compile(r"(\+?)([0-9*#]{1,20})")
SEMI_OCTETS = "0123456789*#abc"  # what the half octets of an address mean
_JOINER, _NON_JOINER = "\u200d", "\u200c"


def encode(
    text: str, number: str, *, reference: int, report: bool = True, wide: bool = False, validity_s: int = 86400
) -> list[Submit]:
    """The SMS-SUBMITs of a text, in order.

    number      "+" and digits, or the digits of a short code
    reference   tells the parts of one long message from another's: the caller counts it up for each
                message; 8 bits of it are used, or 16 with `wide` (one character less in each part)
    report      ask for a delivery report on each part
    validity_s  how long the network tries, rounded up to what the standard can say (5 min to 63 weeks)
    """
    alphabet, parts = _split(text, wide)
    if len(parts) > 255:
        raise PduError("the text is longer than 255 parts")
    head = _destination(number) + bytes([0, 0x00 if alphabet == "gsm7" else 0x08, _validity(validity_s)])
    submits = []
    for index, part in enumerate(parts, 1):
        header = _concatenation(reference, len(parts), index, wide) if len(parts) > 1 else b""
        # message type SUBMIT, relative validity, and whether a report and a header are there; TP-MR is the modem's
        first = 0x11 | (0x20 if report else 0) | (0x40 if header else 0)
        tpdu = bytes([first, 0]) + head + _user_data(alphabet, header, part)
        submits.append(Submit("00" + tpdu.hex().upper(), len(tpdu)))
    return submits


def count(text: str) -> Size:
    """What a text costs as `encode` would send it with an 8-bit reference."""
    alphabet, parts = _split(text, wide=False)
    units = [len(part) // _UNIT_OCTETS[alphabet] for part in parts]
    return Size(len(parts), alphabet, sum(units), _ROOM[alphabet][len(parts) > 1] - units[-1])


def clusters(text: str) -> Iterator[str]:
    """What readers see as one sign: a letter with its vowel signs and marks, a conjunct, an emoji with its joiners."""
    cluster = ""
    for char in text:
        if cluster and not _clings(cluster, char):
            yield cluster
            cluster = ""
        cluster += char
    if cluster:
        yield cluster


def _clings(cluster: str, char: str) -> bool:
    before = cluster[-1]
    return (
        unicodedata.category(char)[0] == "M"
        or char in (_JOINER, _NON_JOINER)
        or before == _JOINER
        or (unicodedata.combining(before) == 9 and unicodedata.category(char) == "Lo")  # a virama makes a conjunct
        or "\U0001f3fb" <= char <= "\U0001f3ff"  # skin
        or "\U000e0020" <= char <= "\U000e007f"  # the tags of a flag
        or (len(cluster) == 1 and all("\U0001f1e6" <= letter <= "\U0001f1ff" for letter in cluster + char))
    )


def _split(text: str, wide: bool) -> tuple[Alphabet, list[bytes]]:
    """The parts of a text as septets (one per octet) or as UTF-16; at least one, maybe empty."""
    codes = [gsm7.code(char) for char in text]
    alphabet: Alphabet = "gsm7" if all(codes) else "ucs2"
    whole, narrow, wider = _ROOM[alphabet]
    size = _UNIT_OCTETS[alphabet]
    if alphabet == "ucs2":
        # lone surrogates cannot be sent nor stored: they become U+FFFD
        text = text.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace")
        codes = [cluster.encode("utf-16-be") for cluster in clusters(text)]
    together = b"".join(codes)
    if len(together) <= whole * size:
        return alphabet, [together]
    return alphabet, _parts(codes, (wider if wide else narrow) * size)


def _parts(pieces: list[bytes], room: int) -> list[bytes]:
    """Pieces put together into parts of at most `room` octets; only a UCS-2 piece longer than a part is cut."""
    parts = [b""]
    for piece in pieces:
        if parts[-1] and len(parts[-1]) + len(piece) > room:
            parts.append(b"")
        while len(piece) > room:
            cut = room - 2 if 0xD8 <= piece[room - 2] <= 0xDB else room  # not behind the first half of a pair
            parts[-1], piece = piece[:cut], piece[cut:]
            parts.append(b"")
        parts[-1] += piece
    return parts


def _destination(number: str) -> bytes:
    found = _NUMBER.fullmatch(number)
    if not found:
        raise PduError("no number that an SMS can go to")
    plus, digits = found.groups()
    nibbles = [SEMI_OCTETS.index(digit) for digit in digits] + [0xF] * (len(digits) % 2)
    swapped = bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))
    return bytes([len(digits), 0x91 if plus else 0x81]) + swapped


def _validity(seconds: int) -> int:
    """TP-VP, relative (9.2.3.12.1): steps of 5 minutes to 12 h, of 30 to 24 h, then days, then weeks; rounded up."""
    for limit, step, base in ((43200, 300, -1), (86400, 1800, 119), (30 * 86400, 86400, 166)):
        if seconds <= limit:
            return max(0, base - -seconds // step)
    return min(255, 192 - -seconds // 604800)


def _concatenation(reference: int, total: int, index: int, wide: bool) -> bytes:
    element = b"\x08\x04" + (reference & 0xFFFF).to_bytes(2) if wide else b"\x00\x03" + (reference & 0xFF).to_bytes(1)
    element += bytes([total, index])
    return bytes([len(element)]) + element


def _user_data(alphabet: Alphabet, header: bytes, part: bytes) -> bytes:
    if alphabet == "ucs2":
        return bytes([len(header) + len(part)]) + header + part
    behind = -(-8 * len(header) // 7)  # septets that the header takes, with the bits that end it on a septet
    return bytes([behind + len(part)]) + header + gsm7.pack(part, 7 * behind - 8 * len(header))
