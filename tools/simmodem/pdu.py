"""The far side's PDU codec: what the network's message centre must read and write, and no more.

It reads an SMS-SUBMIT (23.040 9.2.2.2) and writes SMS-DELIVER and SMS-STATUS-REPORT. It shares no
line with the box's own codec, so that each is a second opinion on the other: keep it that way.
Text with letters outside the GSM alphabet goes as UCS-2; a text too long for one message goes in
parts with an 8-bit reference. Any malformed input raises `BadPdu`.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

GSM7 = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM7_SECOND = {"\f": 10, "^": 20, "{": 40, "}": 41, "\\": 47, "[": 60, "~": 61, "]": 62, "|": 64, "€": 101}
_SECOND_OF = {code: letter for letter, code in GSM7_SECOND.items()}
_DIGITS = "0123456789*#abc"
SMSC = "+919800000001"


class BadPdu(ValueError):
    """These bytes are no SMS-SUBMIT."""


@dataclass(frozen=True, slots=True)
class Submit:
    """One SMS-SUBMIT as the message centre reads it. `part` is (reference, total, index) or None."""

    number: str
    text: str
    octets: int
    report: bool
    dcs: int
    part: tuple[int, int, int] | None = None


# ------------------------------------------------------------------------------------- reading


def _half_octets(data: bytes) -> str:
    """Digits in swapped half octets; a filler F ends them."""
    nibbles = [n for byte in data for n in (byte & 15, byte >> 4)]
    return "".join(_DIGITS[n] for n in nibbles if n < 15)


def _unpack(data: bytes, septets: int, skip_bits: int = 0) -> list[int]:
    number = int.from_bytes(data, "little") >> skip_bits
    return [number >> (7 * i) & 127 for i in range(septets)]


def _letters(septets: list[int]) -> str:
    out, second = [], False
    for code in septets:
        if second:
            out.append(_SECOND_OF.get(code, " "))
            second = False
        elif code == 27:
            second = True
        else:
            out.append(GSM7[code])
    return "".join(out)


def _concatenation(header: bytes) -> tuple[int, int, int] | None:
    at = 0
    while at + 2 <= len(header):
        kind, length = header[at], header[at + 1]
        value = header[at + 2 : at + 2 + length]
        if kind == 0 and len(value) == 3:
            return value[0], value[1], value[2]
        if kind == 8 and len(value) == 4:
            return value[0] << 8 | value[1], value[2], value[3]
        at += 2 + length
    return None


def _body(data: bytes, length: int, dcs: int, has_header: bool) -> tuple[str, tuple[int, int, int] | None]:
    """Text and concatenation of TP-UD; `length` is TP-UDL (septets, or octets for UCS-2 and 8-bit)."""
    gsm7 = dcs & 0x0C == 0 if dcs < 0xF0 else dcs & 4 == 0
    octets = (length * 7 + 7) // 8 if gsm7 else length
    if len(data) != octets:
        raise BadPdu(f"user data holds {len(data)} octets, its length field says {octets}")
    header = data[1 : 1 + data[0]] if has_header and data else b""
    taken = 1 + len(header) if has_header else 0
    part = _concatenation(header)
    if gsm7:
        used = (taken * 8 + 6) // 7
        fill = used * 7 - taken * 8
        return _letters(_unpack(data[taken:], length - used, fill)), part
    if dcs & 0x0C == 8:
        return data[taken:].decode("utf-16-be", "replace"), part
    return data[taken:].decode("latin-1"), part


def read_submit(pdu_hex: str) -> Submit:
    """Read the hex that a client sent after the prompt. Raises `BadPdu`."""
    try:
        data = bytes.fromhex(pdu_hex)
        tpdu = data[1 + data[0] :]
        first, digits, kind = tpdu[0], tpdu[2], tpdu[3]
        if first & 3 != 1:
            raise BadPdu("not an SMS-SUBMIT")
        at = 4 + (digits + 1) // 2
        if digits > 20 or at > len(tpdu):
            raise BadPdu("destination too long")
        number = _half_octets(tpdu[4:at])[:digits]
        dcs = tpdu[at + 1]
        at += 2 + {0: 0, 1: 7, 2: 1, 3: 7}[first >> 3 & 3]  # TP-VP: none, enhanced, relative, absolute
        text, part = _body(tpdu[at + 1 :], tpdu[at], dcs, bool(first & 0x40))
    except (ValueError, IndexError) as error:
        raise BadPdu(str(error)) from error
    international = "+" if kind & 0x70 == 0x10 else ""
    return Submit(international + number, text, len(tpdu), bool(first & 0x20), dcs, part)


# ------------------------------------------------------------------------------------- writing


def _swap(digits: str) -> bytes:
    nibbles = [_DIGITS.index(d) for d in digits] + [15] * (len(digits) % 2)
    return bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))


def _address(number: str) -> bytes:
    """TP-address: international with a plus, alphanumeric when it holds letters, else unknown."""
    if number.startswith("+"):
        return bytes([len(number) - 1, 0x91]) + _swap(number[1:])
    if all(digit in _DIGITS for digit in number):
        return bytes([len(number), 0x81]) + _swap(number)
    septets = _septets(number[:11]) or [63]
    return bytes([(len(septets) * 7 + 3) // 4, 0xD0]) + _pack(septets)


def _smsc(number: str = SMSC) -> bytes:
    body = _swap(number.lstrip("+"))
    return bytes([1 + len(body), 0x91]) + body


def _septets(text: str) -> list[int] | None:
    """GSM 7-bit codes of `text`, or None when a letter is outside the alphabet."""
    out: list[int] = []
    for letter in text:
        if letter in GSM7_SECOND:
            out += [27, GSM7_SECOND[letter]]
        elif letter in GSM7 and letter != "\x1b":
            out.append(GSM7.index(letter))
        else:
            return None
    return out


def _pack(septets: list[int], skip_bits: int = 0) -> bytes:
    number = sum(code << 7 * i for i, code in enumerate(septets)) << skip_bits
    return number.to_bytes((len(septets) * 7 + skip_bits + 7) // 8, "little")


def pack_text(text: str) -> bytes:
    """Packed septets of a text in the GSM alphabet, as USSD carries it; other letters become `?`."""
    return _pack([code for letter in text for code in _septets(letter) or [63]])


def unpack_text(data: bytes) -> str:
    return _letters(_unpack(data, len(data) * 8 // 7))


def timestamp(wall_s: float, quarters: int) -> bytes:
    """TP-SCTS of a moment (seconds since 1970, UTC) in a zone `quarters` of an hour east."""
    local = datetime.datetime.fromtimestamp(wall_s, datetime.UTC) + datetime.timedelta(minutes=15 * quarters)
    zone = f"{abs(quarters):02d}"
    out = bytearray(_swap(local.strftime("%y%m%d%H%M%S") + zone))
    if quarters < 0:
        out[-1] |= 8
    return bytes(out)


def _pieces(text: str) -> tuple[int, list[tuple[int, bytes]]]:
    """DCS, and (length field, user data without header) for each part; a header of 6 octets is
    allowed for when there are several."""
    septets = _septets(text)
    if septets is None:
        data = text.encode("utf-16-be")
        cuts = [data] if len(data) <= 140 else _cut_ucs2(data)
        return 8, [(len(cut), cut) for cut in cuts]
    if len(septets) <= 160:
        return 0, [(len(septets), _pack(septets))]
    pieces = []
    while septets:
        size = 153 if septets[:153][-1] != 27 else 152
        piece, septets = septets[:size], septets[size:]
        pieces.append((len(piece) + 7, _pack(piece, 1)))
    return 0, pieces


def _cut_ucs2(data: bytes) -> list[bytes]:
    cuts = []
    while data:
        size = 134
        if len(data) > size and 0xD8 <= data[size - 2] <= 0xDB:
            size -= 2  # a surrogate pair stays whole
        cuts.append(data[:size])
        data = data[size:]
    return cuts


def deliver(sender: str, text: str, wall_s: float, quarters: int = 22, reference: int = 1) -> list[str]:
    """SMS-DELIVER in hex, one string a part, as a modem hands them out (service centre first)."""
    dcs, pieces = _pieces(text)
    many = len(pieces) > 1
    out = []
    for index, (length, data) in enumerate(pieces, 1):
        header = bytes([5, 0, 3, reference & 255, len(pieces), index]) if many else b""
        if dcs == 8:
            length += len(header)
        tpdu = bytes([0x44 if many else 0x04]) + _address(sender) + bytes([0, dcs])
        tpdu += timestamp(wall_s, quarters) + bytes([length]) + header + data
        out.append((_smsc() + tpdu).hex().upper())
    return out


def report(reference: int, recipient: str, sent_s: float, done_s: float, status: int, quarters: int = 22) -> str:
    """SMS-STATUS-REPORT in hex. `status` is TP-ST: 0 delivered, 32-63 still trying, 64+ failed."""
    tpdu = bytes([0x06, reference & 255]) + _address(recipient)
    tpdu += timestamp(sent_s, quarters) + timestamp(done_s, quarters) + bytes([status])
    return (_smsc() + tpdu).hex().upper()


def octets(pdu_hex: str) -> int:
    """Length of the TPDU alone, as +CMGR and +CMT count it."""
    return len(pdu_hex) // 2 - 1 - int(pdu_hex[:2], 16)


def read_deliver_text(pdu_hex: str) -> tuple[str, str]:
    """Sender and text of one of our own SMS-DELIVERs, for clients that list in text mode."""
    data = bytes.fromhex(pdu_hex)
    tpdu = data[1 + data[0] :]
    if tpdu[0] & 3 != 0:
        return "", pdu_hex
    size = (tpdu[1] + 1) // 2
    raw = tpdu[3 : 3 + size]
    if tpdu[2] == 0xD0:
        sender = _letters(_unpack(raw, tpdu[1] * 4 // 7))
    else:
        sender = ("+" if tpdu[2] == 0x91 else "") + _half_octets(raw)[: tpdu[1]]
    at = 3 + size
    text, _ = _body(tpdu[at + 10 :], tpdu[at + 9], tpdu[at + 1], bool(tpdu[0] & 0x40))
    return sender, text
