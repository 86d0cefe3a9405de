"""Numbers as modems write them, told apart and brought to E.164.

Networks give the same caller as +91..., 91..., 0..., 00... or bare national digits, with a type of
address that is often wrong. A "+" is never added on a guess: only where the network says
"international". What is no subscriber's number (121, AX-BANK, cut or garbled digits) is kept as it
came and never answered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from edge.events import Caller, CallerKind

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

_INTERNATIONAL, _ALPHANUMERIC = 1, 5  # type of number: bits 5 to 7 of the octet (24.008 10.5.4.7)
_WITHHELD, _UNAVAILABLE = 1, (2, 3, 4)  # CLI validity of 27.007 7.11; 3 payphone, 4 other
_HIDDEN = {"anonymous", "private", "restricted", "withheld"}  # instead of an empty number, from a few networks
_ABSENT = {"unavailable", "unknown"}
# half octets above 9 behind the digits are filling, which some modems show as letters
_DIGITS = re.compile(r"(\+?)([0-9]{3,24})[A-Fa-f*#]*")
_LONGEST = 32


def identify(raw: str, type_of_number: int | None, validity: int | None, country: str) -> Caller:
    """Who called or wrote; never raises.

    raw             as the modem or the PDU has it
    type_of_number  145 international, 129 and 128 unknown, 161 national, 208 alphanumeric; None when not told
    validity        of the number: 0 valid, 1 withheld, 2 unavailable; None when not told
    country         of the box, ISO 3166 ("IN"): for numbers without a country code
    """
    text = "".join(char for char in raw if char.isprintable()).strip(' "')[:_LONGEST]
    if validity == _WITHHELD or text.lower() in _HIDDEN:
        return Caller("withheld")
    if not text or text.lower() in _ABSENT:
        # type 128 says nothing: the empty number is what tells
        return Caller("unavailable" if validity in _UNAVAILABLE or text else "withheld")
    kind = (type_of_number or 0) >> 4 & 7
    bare = re.sub(r"[ ().-]", "", text)
    found = _DIGITS.fullmatch(bare)
    if kind == _ALPHANUMERIC or (not found and any(char.isalpha() for char in bare)):
        return Caller("alphanumeric", text)
    subscriber = _subscriber(found[1], found[2], kind == _INTERNATIONAL, country) if found else None
    return subscriber or Caller("short", text)


def warm(country: str) -> None:
    """Load what the first caller would else wait for (20 ms on a desk computer)."""
    _subscriber("", "1234567890", False, country)


def mask(number: str) -> str:
    """What may be shown of a number: its last three digits, and nothing of one too short to hide behind them."""
    return f"•••• {number[-3:]}" if len(number) >= 7 else "••••"


def _subscriber(plus: str, digits: str, international: bool, country: str) -> Caller | None:
    """The first reading of the digits that is a valid number.

    Failing that, the one that the network itself gave, if its length is right and it has at least ten
    digits: numbering plans grow faster than boxes are updated, and a caller of a new series is a caller."""
    import phonenumbers  # 20 ms and 1.5 MB, for those who identify numbers

    first = None
    for number in _readings(phonenumbers, plus, digits, international, country):
        region = phonenumbers.region_code_for_number(number)  # the costly part, once: a valid number has a region
        if region and phonenumbers.is_valid_number_for_region(number, region):
            return _caller(phonenumbers, number, region == country)
        first = first or number
    if first and phonenumbers.is_possible_number(first) and len(str(first.national_number)) >= 10:
        return _caller(phonenumbers, first, first.country_code == phonenumbers.country_code_for_region(country))
    return None


def _readings(phonenumbers: Any, plus: str, digits: str, international: bool, country: str) -> Iterator[PhoneNumber]:
    texts = [digits]
    if plus or international:
        # some programs and modems put "+" or 145 before national digits too: those are read last
        texts = ["+" + (digits[2:] if digits.startswith("00") else digits), digits]
    for text in texts:
        try:
            yield phonenumbers.parse(text, None if text[0] == "+" else country)
        except phonenumbers.NumberParseException:
            continue


def _caller(phonenumbers: Any, number: PhoneNumber, home: bool) -> Caller:
    kind: CallerKind = "national" if home else "international"
    return Caller(kind, phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
