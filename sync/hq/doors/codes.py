"""Codes that work once: to join, and to stand in for a lost telephone. Only their digests are kept.

A code has 79 random bits, so that a plain SHA-256 hides it; it is read in any case, with or without its dashes.
"""

from __future__ import annotations

import hashlib
import secrets

from sync.hq.sql import Db

JOIN, RECOVERY = "join", "recovery"
FIRST = 0  # the account of the first admin's code: there is none yet
NEVER = 2**62
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is taken for another
_GIVE = "INSERT INTO code (digest, account_id, kind, ends_ms) VALUES (:digest, :account, :kind, :ends)"
_USE = (
    "UPDATE code SET used_ms = :now WHERE digest = :digest AND account_id = :account AND kind = :kind"
    " AND used_ms IS NULL AND ends_ms > :now"
)


def give(desk: Db, account: int, kind: str, ends_ms: int, count: int = 1) -> list[str]:
    """New codes for an account; those of the same kind that it had are void."""
    desk.run("DELETE FROM code WHERE account_id = :account AND kind = :kind", account=account, kind=kind)
    made = ["-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4)) for _ in range(count)]
    for code in made:
        desk.run(_GIVE, digest=_digest(code), account=account, kind=kind, ends=ends_ms)
    return made


def use(desk: Db, code: str, account: int, kind: str, now_ms: int) -> bool:
    """Is this code good? Then it is spent: of two who come at once, one gets in."""
    return desk.run(_USE, digest=_digest(code), account=account, kind=kind, now=now_ms) == 1


def left(desk: Db, account: int, kind: str, now_ms: int) -> int:
    """How many codes an account still has."""
    query = (
        "SELECT count(*) FROM code WHERE account_id = :account AND kind = :kind AND used_ms IS NULL AND ends_ms > :now"
    )
    return int(desk.value(query, account=account, kind=kind, now=now_ms))


def _digest(code: str) -> str:
    return hashlib.sha256("".join(filter(str.isalnum, code.lower())).encode()).hexdigest()
