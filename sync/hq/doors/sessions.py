"""Sessions: a random secret in a cookie, its digest in the desk store.

Rules of this room
- Who signs in gets a new secret, and so does who changes the password; a change of role, or an account's end, ends
  all of its sessions.
- A session ends by itself after two hours without a request, and after twelve in any case.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from starlette.responses import Response

from sync.hq.doors.roles import STRONG, User
from sync.hq.sql import Db, Row

COOKIE = "miscall"
LONGEST_MS = 12 * 3_600_000
IDLE_MS = 2 * 3_600_000

_FIND = """
SELECT s.key, s.csrf, s.said, s.seen_ms, a.id, a.name, a.role, a.district, a.ward, a.language, a.totp
FROM session AS s JOIN account AS a ON a.id = s.account_id
WHERE s.key = :key AND s.ends_ms > :now AND s.seen_ms > :idle AND a.ended_ms IS NULL
"""
_BEGIN = (
    "INSERT INTO session (key, account_id, csrf, agent, made_ms, seen_ms, ends_ms)"
    " VALUES (:key, :account, :csrf, :agent, :now, :now, :ends)"
)
_OF = (
    "SELECT key, agent, made_ms, seen_ms FROM session WHERE account_id = :account AND ends_ms > :now"
    " AND seen_ms > :idle ORDER BY seen_ms DESC, key"
)


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is signed in. `csrf` is in every form that it is given. `owes`: this role must prove itself
    twice, and has not set that up yet."""

    key: str
    user: User
    csrf: str
    said: str
    owes: bool = False


def cookie(origin: str) -> str:
    """The cookie's name. Over https it begins with `__Host-`, which a browser takes from this host alone."""
    return f"__Host-{COOKIE}" if origin else COOKIE


def put(answer: Response, origin: str, secret: str) -> Response:
    """Have the browser keep a session's secret until it is closed, and show it to nobody else."""
    answer.set_cookie(cookie(origin), secret, path="/", secure=bool(origin), httponly=True, samesite="strict")
    return answer


def begin(desk: Db, account: int, now_ms: int, agent: str = "") -> str:
    """Sign an account in; returns what goes into the cookie."""
    secret = secrets.token_urlsafe(32)
    desk.run(
        "DELETE FROM session WHERE ends_ms <= :now OR seen_ms <= :idle", now=now_ms, idle=now_ms - IDLE_MS
    )  # fmt: skip
    desk.run(_BEGIN, key=_digest(secret), account=account, csrf=secrets.token_urlsafe(24), now=now_ms,
             agent=agent[:120], ends=now_ms + LONGEST_MS)  # fmt: skip
    return secret


def find(desk: Db, secret: str, now_ms: int) -> Session | None:
    """The session of a cookie, if it is still good."""
    row = desk.row(_FIND, key=_digest(secret), now=now_ms, idle=now_ms - IDLE_MS) if secret else None
    if row is None:
        return None
    if now_ms - row["seen_ms"] > IDLE_MS // 20:
        desk.run("UPDATE session SET seen_ms = :now WHERE key = :key", now=now_ms, key=row["key"])
    user = User(*(row[name] for name in ("id", "name", "role", "district", "ward", "language")))
    return Session(row["key"], user, row["csrf"], row["said"], user.role in STRONG and not row["totp"])


def of(desk: Db, account: int, now_ms: int) -> list[Row]:
    """Where an account is signed in now: `key`, `agent` (what the browser calls itself), `made_ms`, `seen_ms`."""
    return desk.rows(_OF, account=account, now=now_ms, idle=now_ms - IDLE_MS)


def say(desk: Db, key: str, words: str) -> None:
    """Have this said on the session's next page; "" once it was."""
    desk.run("UPDATE session SET said = :words WHERE key = :key", words=words, key=key)


def end(desk: Db, key: str) -> None:
    """Sign out."""
    desk.run("DELETE FROM session WHERE key = :key", key=key)


def end_all(desk: Db, account: int) -> None:
    """Sign an account out everywhere."""
    desk.run("DELETE FROM session WHERE account_id = :account", account=account)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
