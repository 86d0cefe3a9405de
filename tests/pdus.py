"""A reader of SMS-SUBMIT and a writer of SMS-DELIVER and SMS-STATUS-REPORT that work bit by bit.

Written from 23.040 and 23.038 alone, they share no code with `edge.sms`; the alphabet is python-gsmmodem-new's with
its one wrong cell put right.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from gsmmodem import pdu as peer

from edge.sms import Submit


def to_bits(octets: bytes) -> str:
    """The bits in the order of the air: the lowest of each octet first."""
    return "".join(f"{octet:08b}"[::-1] for octet in octets)


def to_octets(bits: str) -> bytes:
    return bytes(int(bits[at : at + 8].ljust(8, "0")[::-1], 2) for at in range(0, len(bits), 8))


def septets_of(text: str) -> list[int]:
    table = peer.GSM7_BASIC.replace("`", "§")
    extension = dict(zip("\f^{}\\[~]|€", (0x0A, 0x14, 0x28, 0x29, 0x2F, 0x3C, 0x3D, 0x3E, 0x40, 0x65), strict=True))
    septets: list[int] = []
    for char in text:
        septets += [0x1B, extension[char]] if char in extension else [table.index(char)]
    return septets


def text_of(septets: list[int]) -> str:
    table = peer.GSM7_BASIC.replace("`", "§")
    extension = dict(zip((0x0A, 0x14, 0x28, 0x29, 0x2F, 0x3C, 0x3D, 0x3E, 0x40, 0x65), "\f^{}\\[~]|€", strict=True))
    text, codes = "", iter(septets)
    for code in codes:
        text += extension[next(codes)] if code == 0x1B else table[code]
    return text


def semi_octets(digits: str) -> bytes:
    digits += "F" * (len(digits) % 2)
    return bytes.fromhex("".join(digits[at + 1] + digits[at] for at in range(0, len(digits), 2)))


def alphanumeric(name: str, whole_octets: bool = False) -> bytes:
    """A sender with letters; some networks count whole octets instead of half ones."""
    packed = to_octets("".join(f"{code:07b}"[::-1] for code in septets_of(name)))
    return bytes([2 * len(packed) if whole_octets else -(-7 * len(name) // 4), 0xD0]) + packed


class Read(NamedTuple):
    number: str
    text: str
    coding: int
    report: bool
    validity: int
    header: bytes
    octets: int


def read_submit(submit: Submit) -> Read:
    """An SMS-SUBMIT, read field by field as 23.040 9.2.2.2 lists them."""
    octets = bytes.fromhex(submit.pdu_hex)
    assert octets[0] == 0  # no SMSC
    tpdu = octets[1:]
    assert len(tpdu) == submit.octets
    first, reference, digits, kind = tpdu[0], tpdu[1], tpdu[2], tpdu[3]
    assert first & 0b10011111 == 0b00010001  # SUBMIT, relative validity, no reply path, duplicates allowed
    assert reference == 0
    size = (digits + 1) // 2
    shown = tpdu[4 : 4 + size].hex()
    number = "".join(shown[at + 1] + shown[at] for at in range(0, 2 * size, 2))
    assert number[digits:] in ("", "f")
    number = {0x91: "+", 0x81: ""}[kind] + number[:digits].replace("a", "*").replace("b", "#")
    protocol, coding, validity, length = tpdu[4 + size : 8 + size]
    data = tpdu[8 + size :]
    assert protocol == 0 and len(data) <= 140
    header = data[1 : data[0] + 1] if first & 0x40 else b""
    behind = 8 * (len(header) + 1) if header else 0
    if coding == 0:
        behind += -behind % 7
        bits = to_bits(data)
        assert len(data) == (7 * length + 7) // 8 and set(bits[7 * length :]) <= {"0"}
        septets = [int(bits[at : at + 7][::-1], 2) for at in range(behind, 7 * length, 7)]
        text = text_of(septets)
    else:
        assert coding == 8 and length == len(data)
        text = data[behind // 8 :].decode("utf-16-be")  # strict: half a pair fails here
    return Read(number, text, coding, bool(first & 0x20), validity, header, len(tpdu))


def stamp(moment: datetime) -> bytes:
    """A TP-SCTS in the zone of `moment`."""
    offset = moment.utcoffset()
    assert offset is not None
    quarters = abs(round(offset.total_seconds() / 900))
    zone = semi_octets(f"{quarters:02d}")[0] | (8 if offset < timedelta(0) else 0)
    return semi_octets(moment.strftime("%y%m%d%H%M%S")) + bytes([zone])


NOON = datetime(2026, 3, 14, 12, 0, 5, tzinfo=timezone(timedelta(hours=5, minutes=30)))
NOON_MS = 1773469805000
INDIAN = bytes([12, 0x91]) + semi_octets("919876543210")


def deliver(
    data: bytes | str = "",
    *,
    sender: bytes = INDIAN,
    coding: int = 0,
    header: bytes | None = None,
    when: bytes = stamp(NOON),
    smsc: bytes = b"\x00",
    first: int = 0x04,
    septets: list[int] | None = None,
    tail: bytes = b"",
) -> str:
    """An SMS-DELIVER; 7-bit texts are packed behind the header, other data goes in as it is."""
    before = b"" if header is None else bytes([len(header)]) + header
    if isinstance(data, str) and septets is None and coding in (0, 0x11, 0xF0, 0xF1, 0xC8, 0xD0):
        septets = septets_of(data)
    if septets is not None:
        bits = to_bits(before)
        bits += "0" * (-len(bits) % 7) + "".join(f"{septet:07b}"[::-1] for septet in septets)
        length, user = len(bits) // 7, to_octets(bits)
    else:
        user = before + (data.encode("utf-16-be") if isinstance(data, str) else data)
        length = len(user)
    first |= 0x40 if header is not None else 0
    return (smsc + bytes([first]) + sender + bytes([0, coding]) + when + bytes([length]) + user + tail).hex().upper()


def report(status: int, *, recipient: bytes = INDIAN, reference: int = 77, done: bytes = stamp(NOON)) -> str:
    return (b"\x00\x06" + bytes([reference]) + recipient + stamp(NOON) + done + bytes([status])).hex()
