"""What the uplink remembers, in its own file: how far HQ has taken each ledger, and what HQ wants of a line.

The uplink alone writes it; lines read it. Losing it loses nothing: HQ's answer to a hello says where to begin.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from sync import durable

_SCHEMA = (
    """
    -- `mark` rows of `store` are acknowledged, `chain` is the digest there; `stopped` says why nothing more is sent.
    CREATE TABLE store (
        store TEXT PRIMARY KEY, line TEXT NOT NULL, mark INTEGER NOT NULL, chain BLOB NOT NULL,
        acked_ms INTEGER NOT NULL, stopped TEXT NOT NULL DEFAULT ''
    ) WITHOUT ROWID;
    -- What a line is asked to do; an event of its ledger answers. `args` is a JSON object.
    CREATE TABLE orders (
        id INTEGER PRIMARY KEY, line TEXT NOT NULL, verb TEXT NOT NULL, args TEXT NOT NULL, made_ms INTEGER NOT NULL
    );
    """,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One ledger as the book has it."""

    mark: int
    stopped: str


class Book:
    """The uplink's file, open for writing."""

    def __init__(self, path: Path) -> None:
        """Raises `sqlite3.Error` when it cannot be read or written."""
        self._db = durable.connect(path)
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        for number, step in enumerate(_SCHEMA[version:], version + 1):
            self._db.executescript(f"BEGIN; {step}; PRAGMA user_version = {number}; COMMIT;")

    def close(self) -> None:
        self._db.close()

    def entry(self, store: str) -> Entry:
        """What is known of a ledger; nothing yet is a mark of 0."""
        row = self._db.execute("SELECT mark, stopped FROM store WHERE store = ?", (store,)).fetchone()
        return Entry(*row) if row else Entry(0, "")

    def acked(self, store: str, line: str, mark: int, chain: bytes, at_ms: int) -> None:
        """HQ holds every row up to `mark`."""
        self._db.execute(
            "INSERT INTO store (store, line, mark, chain, acked_ms) VALUES (?,?,?,?,?) ON CONFLICT DO UPDATE SET"
            " mark = excluded.mark, chain = excluded.chain, acked_ms = excluded.acked_ms",
            (store, line, mark, chain, at_ms),
        )

    def stop(self, store: str, line: str, after: int, chain: bytes, words: str, at_ms: int) -> None:
        """Send nothing more of this ledger, and order its line a new one: rows beyond `after` are not at HQ."""
        self._db.execute("BEGIN")
        self._db.execute(
            "INSERT INTO store VALUES (?,?,?,?,?,?) ON CONFLICT DO UPDATE SET"
            " mark = excluded.mark, chain = excluded.chain, stopped = excluded.stopped",
            (store, line, after, chain, at_ms, words),
        )
        self._db.execute(
            "INSERT INTO orders (line, verb, args, made_ms) VALUES (?, 'new-store', ?, ?)",
            (line, json.dumps({"after": after, "store": store}), at_ms),
        )
        self._db.execute("COMMIT")
