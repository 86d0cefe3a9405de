"""Sessions: a random secret in a cookie, its digest in the desk store."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from sync.hq.doors.roles import User
from sync.hq.sql import Db

COOKIE = "miscall"
LONGEST_MS = 12 * 3_600_000  # then one signs in again
IDLE_MS = 2 * 3_600_000

_FIND = """
SELECT s.key, s.csrf, s.said, s.seen_ms, a.id, a.name, a.role, a.district, a.ward, a.language
FROM session AS s JOIN account AS a ON a.id = s.account_id
WHERE s.key = :key AND s.ends_ms > :now AND s.seen_ms > :idle AND a.ended_ms IS NULL
"""
_BEGIN = (
    "INSERT INTO session (key, account_id, csrf, made_ms, seen_ms, ends_ms)"
    " VALUES (:key, :account, :csrf, :now, :now, :ends)"
)


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is signed in. `csrf` is in every form that it is given."""

    key: str
    user: User
    csrf: str
    said: str


def begin(desk: Db, account: int, now_ms: int) -> str:
    """Sign an account in; returns what goes into the cookie."""
    secret = secrets.token_urlsafe(32)
    desk.run(_BEGIN, key=_digest(secret), account=account, csrf=secrets.token_urlsafe(24), now=now_ms,
             ends=now_ms + LONGEST_MS)  # fmt: skip
    return secret


def find(desk: Db, secret: str, now_ms: int) -> Session | None:
    """The session of a cookie, if it is still good."""
    row = desk.row(_FIND, key=_digest(secret), now=now_ms, idle=now_ms - IDLE_MS) if secret else None
    if row is None:
        return None
    if now_ms - row["seen_ms"] > IDLE_MS // 20:
        desk.run("UPDATE session SET seen_ms = :now WHERE key = :key", now=now_ms, key=row["key"])
    user = User(*(row[name] for name in ("id", "name", "role", "district", "ward", "language")))
    return Session(row["key"], user, row["csrf"], row["said"])


def say(desk: Db, key: str, words: str) -> None:
    """Have this said on the session's next page; "" once it was."""
    desk.run("UPDATE session SET said = :words WHERE key = :key", words=words, key=key)


def end(desk: Db, key: str) -> None:
    """Sign out."""
    desk.run("DELETE FROM session WHERE key = :key", key=key)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
