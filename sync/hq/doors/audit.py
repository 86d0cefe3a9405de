"""The log of who did, revealed and exported what: appended to, never changed, each entry bound to the one before.

`digest` is the SHA-256 over the digest before and the entry's own fields: an entry that was changed, taken out or put
in later shows in `verify`. No number of a voter stands in it: a thing is named by its id.
"""

from __future__ import annotations

import hashlib

from sync.hq.sql import Db

GENESIS = "0" * 64
_FIELDS = ("at_ms", "who", "role", "did", "what", "reason")
_ADD = (
    "INSERT INTO audit (at_ms, who, role, did, what, reason, digest)"
    " VALUES (:at_ms, :who, :role, :did, :what, :reason, :digest)"
)


def append(desk: Db, now_ms: int, who: str, role: str, did: str, what: str = "", reason: str = "") -> None:
    """Write an entry, within the transaction of what it tells: nobody else may come between it and the one before."""
    if desk.kind == "postgresql":
        desk.run("LOCK TABLE audit IN EXCLUSIVE MODE")
    before = desk.value("SELECT digest FROM audit ORDER BY id DESC LIMIT 1") or GENESIS
    entry = dict(zip(_FIELDS, (now_ms, who, role, did, what, reason), strict=True))
    desk.run(_ADD, entry, digest=_link(before, entry))


def verify(desk: Db) -> int | None:
    """The id of the first entry that does not fit, None when all do."""
    digest = GENESIS
    for row in desk.rows("SELECT * FROM audit ORDER BY id"):
        digest = _link(digest, row)
        if digest != row["digest"]:
            return int(row["id"])
    return None


def _link(before: str, entry: dict[str, object]) -> str:
    text = "\x1f".join([before, *(str(entry[name]) for name in _FIELDS)])
    return hashlib.sha256(text.encode()).hexdigest()
