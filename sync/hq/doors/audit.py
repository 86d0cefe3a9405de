"""The log of who did, revealed and exported what: appended to, never changed, each entry bound to the one before.

Rules of this room
- `digest` is the SHA-256 over the digest before and the entry's own fields, so that an entry that was changed, taken
  out, moved or put in shows in `verify`; the count beside it shows an end that was cut off. The store itself refuses
  to change or delete an entry. Who can write the file can still forge all of it: note the last digest elsewhere now
  and then, and ask `miscall hq audit` whether it still stands in the chain.
- No number of a voter stands in it: a thing is named by its id.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import NamedTuple

from sync.hq import sql, stores
from sync.hq.sql import Db

GENESIS = "0" * 64
_FIELDS = ("at_ms", "who", "role", "did", "what", "reason")
_ADD = (
    "INSERT INTO audit (at_ms, who, role, did, what, reason, digest)"
    " VALUES (:at_ms, :who, :role, :did, :what, :reason, :digest)"
)
_HEAD = (
    "INSERT INTO audit_head (id, entries, digest) VALUES (1, 1, :digest)"
    " ON CONFLICT (id) DO UPDATE SET entries = audit_head.entries + 1, digest = excluded.digest"
)
_PAGE = 1000


class Verdict(NamedTuple):
    """How many entries fit and the digest of the last of them; `broken` is the first that does not, None when all do,
    and 0 when entries are missing at the end. `found`: the digest that was asked for stands in the chain."""

    entries: int
    digest: str
    broken: int | None
    found: bool


def append(desk: Db, now_ms: int, who: str, role: str, did: str, what: str = "", reason: str = "") -> None:
    """Write an entry, within the transaction of what it tells: nobody else may come between it and the one before."""
    desk.lock("audit")
    before = desk.value("SELECT digest FROM audit ORDER BY id DESC LIMIT 1") or GENESIS
    entry = dict(zip(_FIELDS, (now_ms, who, role, did, what, reason), strict=True))
    digest = link(before, entry)
    desk.run(_ADD, entry, digest=digest)
    desk.run(_HEAD, digest=digest)


def verify(desk: Db, noted: str = "") -> Verdict:
    """Walk the whole chain. `noted` is a digest that somebody wrote down earlier, or ""."""
    digest, entries, found = GENESIS, 0, not noted
    for row in told(desk):
        following = link(digest, row)
        if following != row["digest"]:
            return Verdict(entries, digest, int(row["id"]), found)
        digest, entries, found = following, entries + 1, found or following == noted
    head = desk.row("SELECT entries, digest FROM audit_head")
    whole = (head["entries"], head["digest"]) == (entries, digest) if head else not entries
    return Verdict(entries, digest, None if whole else 0, found)


def told(desk: Db) -> Iterator[sql.Row]:
    """Every entry, oldest first, without holding a transaction over all of them."""
    after = 0
    while rows := desk.rows(f"SELECT * FROM audit WHERE id > :after ORDER BY id LIMIT {_PAGE}", after=after):
        yield from rows
        after = rows[-1]["id"]


def link(before: str, entry: sql.Row) -> str:
    """The digest of an entry that follows the one with the digest `before`."""
    text = json.dumps([before, *(entry[name] for name in _FIELDS)], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def run(config_path: str, quiet: bool = False, noted: str = "") -> int:
    """`miscall hq audit`: print the log and say whether it is whole. 1 after one line on stderr when it is not."""
    from sync.hq import config

    try:
        with closing(stores.desk(config.load(config_path))) as desk:
            for row in () if quiet else told(desk):
                print(line(row))
            verdict = verify(desk, noted.strip().lower())
    except (config.ConfigError, sql.Unavailable, sqlite3.Error, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    if verdict.broken is not None:
        where = f"at entry {verdict.broken}" if verdict.broken else f"after {verdict.entries} entries: some are missing"
        print(f"the log is broken {where}: it was changed by another hand than headquarters'", file=sys.stderr)
        return 1
    if not verdict.found:
        print("the digest that you noted does not stand in the log: it was written anew since", file=sys.stderr)
        return 1
    print(f"the log is whole: {verdict.entries} entries, the last one's digest is {verdict.digest}")
    return 0


def line(row: sql.Row) -> str:
    """An entry as one line of text."""
    at = datetime.fromtimestamp(row["at_ms"] / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    who = f"{row['who']} ({row['role']})" if row["role"] else row["who"]
    words = " ".join(part for part in (row["did"], row["what"]) if part)
    text = f"{row['id']}  {at}  {who}  {words}" + (f"  because: {row['reason']}" if row["reason"] else "")
    return "".join(char if char.isprintable() else " " for char in text)
