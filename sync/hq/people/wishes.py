"""What a consent's purpose, or the few words of an SMS, ask of people.  Pure."""

from __future__ import annotations

import re
import unicodedata

# consents that ask for a person's call; a campaign's author chooses the word
PURPOSES = frozenset({
    "call-back", "callback", "call", "volunteer", "volunteering", "follow-up", "member", "membership",
})  # fmt: skip
WHATSAPP = "whatsapp"
_CALL_ME = frozenset({
    "call", "call me", "callback", "call back", "yes call", "phone", "phone me",
    "फोन", "फोन करो", "फोन करें", "कॉल", "कॉल करो", "कॉल करें", "फोन करा", "कॉल करा",
    "ফোন", "ফোন করুন", "కాల్", "அழைக்க", "ફોન કરો", "ಕರೆ ಮಾಡಿ", "വിളിക്കുക", "ਫੋਨ ਕਰੋ",
})  # fmt: skip
_DOTS = re.compile("[\u093c\u09bc\u0a3c]")  # nukta
_WARD = re.compile(
    r"(?:^|\W)(?:ward|वार्ड|वॉर्ड|ওযার্ড|வார்டு|వార్డు|વોર્ડ)\s*(?:no\.?|number|नं\.?|:|-)?\s*(\d{1,3})(?!\d)"
)
_NAME = re.compile(r"[\w .-]{1,40}")


def wants(asked: str, said: str) -> bool:
    """Does this consent's purpose, or this SMS, ask to be rung by a person?"""
    if asked == "consent":
        return said.lower() in PURPOSES
    bare = _WARD.sub("", " ".join(_plain(said).split())).strip(" .,!;:-")
    return bare in _CALL_ME


def ward(text: str) -> str:
    """The ward that an SMS names ("WARD 12"), as our lists call it; "" when it names none."""
    found = _WARD.search(_plain(text))
    return str(int(found[1])) if found else ""


def ward_name(text: str) -> str:
    """A ward as somebody at the desk wrote it; "" when it is no name for one."""
    bare = " ".join(text.split())
    return bare if _NAME.fullmatch(bare) else ""


def _plain(text: str) -> str:
    """A text with its variants of letters made one: width, case, and the dots that many leave out."""
    return _DOTS.sub("", unicodedata.normalize("NFKC", text).casefold())
