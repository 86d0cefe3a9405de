"""What the uplink remembers, in its own file: how far HQ has taken each ledger and each recording, what the day's sound
has cost, and what HQ wants of a line.

The uplink alone writes it; lines read it. Losing it loses nothing: HQ's answer to a hello says where to begin, its
answer to an offer how much sound it has, and its orders come again until a ledger has answered them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

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
    """
    -- A recording's sound as it goes, or went, to HQ. `state`: "" on its way, "done", or why it never will be;
    -- `acked_ms`: when HQ had it all, 0 while the clock of that moment is not known.
    CREATE TABLE parcel (
        store TEXT NOT NULL, seq INTEGER NOT NULL, state TEXT NOT NULL, bytes INTEGER NOT NULL, sha256 BLOB NOT NULL,
        acked_ms INTEGER NOT NULL, PRIMARY KEY (store, seq)
    ) WITHOUT ROWID;
    -- Bytes of sound on the air, by the day of the box's clock.
    CREATE TABLE spent (day TEXT PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID;
    -- `hq` is HQ's own number of an order: whoever hears it again knows it.
    ALTER TABLE orders ADD COLUMN hq INTEGER;
    CREATE UNIQUE INDEX orders_hq ON orders (hq);
    """,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One ledger as the book has it."""

    mark: int
    stopped: str


class Sound(NamedTuple):
    """One recording as the book has it; `state` is "" while it is on its way."""

    state: str
    size: int
    sha256: bytes


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

    # ------------------------------------------------------------------------------------- sound

    def sound(self, store: str, seq: int) -> Sound | None:
        """What is known of a recording; None while it has not been made small."""
        query = "SELECT state, bytes, sha256 FROM parcel WHERE store = ? AND seq = ?"
        row = self._db.execute(query, (store, seq)).fetchone()
        return Sound(*row) if row else None

    def packed(self, store: str, seq: int, size: int, sha256: bytes) -> None:
        """Its sound lies ready for the road."""
        self._db.execute("INSERT OR REPLACE INTO parcel VALUES (?,?,'',?,?,0)", (store, seq, size, sha256))

    def delivered(self, store: str, seq: int, at_ms: int) -> None:
        """HQ has all of it, checked. `at_ms` is 0 when the box does not know the time."""
        done = "UPDATE parcel SET state = 'done', acked_ms = ? WHERE store = ? AND seq = ?"
        self._db.execute(done, (at_ms, store, seq))

    def given_up(self, store: str, seq: int, why: str) -> None:
        """It will never be sent."""
        self._db.execute("INSERT OR REPLACE INTO parcel VALUES (?,?,?,0,x'',0)", (store, seq, why))

    def forget(self, store: str) -> None:
        """HQ was put back to an older state: whether it still has this ledger's recordings is to be asked again."""
        self._db.execute("DELETE FROM parcel WHERE store = ? AND state = 'done'", (store,))

    def date(self, at_ms: int) -> None:
        """The time is known now: what was delivered before that counts from here."""
        self._db.execute("UPDATE parcel SET acked_ms = ? WHERE state = 'done' AND acked_ms = 0", (at_ms,))

    def spent(self, day: str) -> int:
        """Bytes of sound that went on the air on that day."""
        row = self._db.execute("SELECT bytes FROM spent WHERE day = ?", (day,)).fetchone()
        return int(row[0]) if row else 0

    def spend(self, day: str, size: int) -> None:
        """So many bytes more, written down before they go."""
        self._db.execute(
            "INSERT INTO spent VALUES (?,?) ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes", (day, size)
        )

    # ------------------------------------------------------------------------------------ orders

    def order(self, number: int, line: str, verb: str, args: str, at_ms: int) -> None:
        """What HQ's order `number` asks of a line; the same number again changes nothing."""
        self._db.execute(
            "INSERT OR IGNORE INTO orders (line, verb, args, made_ms, hq) VALUES (?,?,?,?,?)",
            (line, verb, args, at_ms, number),
        )
