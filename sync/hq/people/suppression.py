"""Who must never be written to or rung: kept as keyed hashes, so that it outlives the number itself.

The key is `<data>/suppression.key`, made once, readable by headquarters' user alone. Without it the hashes say nothing;
whoever loses it has lost the list, so it belongs into the backup, apart from the store. Several machines on one
PostgreSQL store need the same file.
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from sync.hq.sql import Db

FILE = "suppression.key"
_AT_ONCE = 500  # asked for in one statement
_ADD = (
    "INSERT INTO suppressed (hash, at_ms, source) VALUES (:hash, :at_ms, :source) ON CONFLICT (hash) DO NOTHING"
)  # fmt: skip


def key(data: Path) -> bytes:
    """The key, made when there is none yet. Raises OSError when it cannot be read, made, or is cut short."""
    file = data / FILE
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as made:
            made.write(secrets.token_bytes(32))
            made.flush()
            os.fsync(made.fileno())
    except FileExistsError:
        pass
    told = file.read_bytes()
    if len(told) != 32:
        raise OSError(f"{file} is cut short: bring it back from the backup")
    return told


def keyed(secret: bytes, caller: str) -> str:
    """What stands for a number where the number itself must not."""
    return hmac.digest(secret, caller.encode(), "sha256").hex()


def add(desk: Db, secret: bytes, caller: str, at_ms: int, source: str) -> bool:
    """Suppress a number, within the caller's transaction; False when it already was."""
    return bool(desk.run(_ADD, hash=keyed(secret, caller), at_ms=at_ms, source=source))


def is_suppressed(desk: Db, secret: bytes, caller: str) -> bool:
    """May nothing be sent to this number any more?"""
    return bool(suppressed_of(desk, secret, (caller,)))


def suppressed_of(desk: Db, secret: bytes, callers: Iterable[str]) -> set[str]:
    """Those of these numbers to which nothing may be sent any more."""
    by_hash, found = {keyed(secret, caller): caller for caller in callers}, set()
    hashes = list(by_hash)
    for at in range(0, len(hashes), _AT_ONCE):
        some = {f"h{place}": each for place, each in enumerate(hashes[at : at + _AT_ONCE])}
        query = f"SELECT hash FROM suppressed WHERE hash IN ({', '.join(f':{name}' for name in some)})"
        found |= {by_hash[row["hash"]] for row in desk.rows(query, some)}
    return found
