"""Passwords: which are refused, and Argon2id, the same work whether or not there is anything to compare with.

Each hash takes 64 MiB, so that two are made at a time and further ones wait: a flood of tries costs time, not memory.
"""

from __future__ import annotations

import secrets
import threading
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

SHORTEST, LONGEST = 12, 200  # characters
_COMMON = (
    "password", "passwort", "qwerty", "asdfgh", "letmein", "welcome", "iloveyou", "admin", "miscall", "missedcall",
    "headquarters", "changeme", "secret", "bharat", "india", "jaihind", "krishna", "namaste", "election", "campaign",
    "football", "monkey", "dragon", "abc", "abcdef", "test", "user",
)  # fmt: skip
_ROWS = ("01234567890123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm")
_hasher = PasswordHasher()  # RFC 9106's second choice: 64 MiB, 3 passes, 4 lanes
_few = threading.BoundedSemaphore(2)


def problem(password: str, name: str = "") -> str:
    """Why this cannot be a password, in English; "" when it can."""
    text = _plain(password)
    bare = "".join(filter(str.isalnum, text.lower()))
    rest = bare
    for word in sorted((*_COMMON, "".join(filter(str.isalnum, name.lower()))), key=len, reverse=True):
        rest = rest.replace(word, "") if word else rest
    if len(text) < SHORTEST:
        return "A password has twelve characters or more. Four or five words that you can remember are a good one."
    if len(text) > LONGEST:
        return "A password has two hundred characters at most."
    if len(set(text)) < 5 or _in_a_row(bare) or len(rest.strip("0123456789")) < 4:
        return "Others would guess this password. Take four or five words that do not belong together."
    return ""


def hashed(password: str) -> str:
    """What is kept of a password."""
    with _few:
        return _hasher.hash(_plain(password))


def fits(kept: str, password: str) -> bool:
    """Is it this password? "" (no account, no password yet) takes as long as any other and never fits."""
    with _few:
        try:
            return _hasher.verify(kept or _nobody(), _plain(password[: 4 * LONGEST])) and bool(kept)
        except (Argon2Error, InvalidHashError):
            return False


def stale(kept: str) -> bool:
    """Was it hashed with less work than is usual now?"""
    return _hasher.check_needs_rehash(kept)


def ready() -> None:
    """Make what an unknown name is compared with, so that the first such try takes no longer than others."""
    _nobody()


@cache
def _nobody() -> str:
    return _hasher.hash(secrets.token_urlsafe(32))


def _plain(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


def _in_a_row(bare: str) -> bool:
    return any(bare in row * 3 or bare in row[::-1] * 3 for row in _ROWS)
