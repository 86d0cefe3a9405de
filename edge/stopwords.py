"""The words by which a person stops our messages, per language, and how they are found in an SMS.

A word counts anywhere in a message of at most three words, whatever its case, marks of punctuation
and spelling of compound letters. Lists are never merged over languages: ACHA stops in Swahili and
means "good" in Hindi. English counts always. Each list wants the eye of a native speaker.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection

_WORDS = {
    "en": "STOP UNSUBSCRIBE CANCEL NO END QUIT",
    "hi": "BAND NAHI RUKO बंद बन्द नहीं नही रोको",
    "mr": "BAND बंद थांबवा",
    "bn": "বন্ধ না",
    "as": "বন্ধ না",
    "te": "నిలిపివేయి ఆపు",
    "ta": "வேண்டாம் நிறுத்து",
    "gu": "બંધ",
    "kn": "ನಿಲ್ಲಿಸಿ",
    "ml": "നിർത്തുക",
    "pa": "ਬੰਦ",
    "or": "ବନ୍ଦ",
    "ur": "BAND بند",
    "sw": "SIMAMISHA ACHA",
    "id": "BERHENTI",
    "ms": "BERHENTI",
    "pt": "SAIR PARAR",
    "tl": "TIGIL",
    "fil": "TIGIL",
}
_EVERYDAY = frozenset(("no", "end", "nahi", "नहीं", "नही", "না", "acha"))  # in a reply they tell nobody how to stop
_MOST_WORDS = 3
# Malayalam writes a final consonant as one letter or as letter and virama; joiners only shape what is shown
_SAME = {0x200C: None, 0x200D: None} | {
    ord(chillu): letters for chillu, letters in zip("ൺൻർൽൾൿ", ("ണ്", "ന്", "ര്", "ല്", "ള്", "ക്"), strict=True)
}


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().translate(_SAME)


_STOPS = {language: frozenset(_plain(words).split()) for language, words in _WORDS.items()}


def _words(text: str, gap: str) -> list[str]:
    """The words of a text, with `gap` in place of whatever is neither letter, mark nor digit."""
    return "".join(
        char if unicodedata.category(char)[0] in "LMN" else " " if char.isspace() else gap for char in text
    ).split()


def _list(language: str) -> frozenset[str]:
    return _STOPS.get(language.partition("-")[0].lower(), frozenset())


def stops(text: str, languages: Collection[str]) -> bool:
    """Whether an SMS asks to stop, in one of `languages` or in English."""
    plain = _plain(text[:1000])
    wanted = _list("en").union(*map(_list, languages))
    # "S.T.O.P!" is one word, "no,thanks" are two: both readings count
    readings = [_words(plain, gap) for gap in ("", " ")]
    return any(len(words) <= _MOST_WORDS and not wanted.isdisjoint(words) for words in readings)


def known(language: str) -> bool:
    """Whether this language has a list of its own."""
    return bool(_list(language))


def named(text: str, language: str) -> bool:
    """Whether a reply tells a word that would stop it: STOP, or one of its language that means nothing else."""
    words = set(_words(_plain(text), " ")) - _EVERYDAY
    return "stop" in words or not _list(language).isdisjoint(words)
