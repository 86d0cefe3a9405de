"""A ledger open for writing: its file, its schema, its transactions, and the one way to append a row."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.events import GENESIS, Caller, Row, Stamp, link
from edge.ledger import schema
from edge.ledger.reader import Reader
from edge.ledger.schema import ROW, Draft, LedgerFailed, failed, pack_extra, seal

_NEW = f"INSERT INTO event({ROW}, chain) VALUES ({', '.join('?' * (len(Row._fields) + 1))})"


class Journal(Reader):
    """What every writer of one line's ledger stands on.

    Opening creates the file, with a new store id, or migrates an older one, all or nothing. `ordered` is headquarters'
    highest order to this line when a file is created: of what became of those only an older ledger knew, and a new one
    keeps the number in mind as `born_after`. Raises LedgerFailed when the disk refuses and DamagedLedger when the file
    is no ledger (it is left as it is)."""

    def __init__(
        self, path: Path, box: str, line: str, stamp: Stamp, facts: dict[str, str] | None = None, ordered: int = 0
    ) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=5, isolation_level=None)
            self._settle()
            self._migrate(box, line, stamp, facts or {}, ordered)
            meta = dict(self._db.execute("SELECT key, value FROM meta"))
            self.store, self.box, self.line = meta["store"], meta["box"], meta["line"]
            self.born_after = int(meta.get("ordered", 0))
            self._seq, self._chain = self.head()
        except sqlite3.DatabaseError as error:
            raise failed(path, error) from error
        except OSError as error:
            raise LedgerFailed(f"{path.parent}: {error.strerror}: make the folder writable for the box") from error

    def _settle(self) -> None:
        mode = self._db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":  # SQLite only returns the old mode when it could not change it
            raise sqlite3.OperationalError("the write-ahead log could not be switched on")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA wal_autocheckpoint = 0")

    def _migrate(self, box: str, line: str, stamp: Stamp, facts: dict[str, str], ordered: int) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(schema.SCHEMA):
            raise LedgerFailed(f"{self.path}: written by a newer miscall (schema {version}): install that one again")
        if version == len(schema.SCHEMA):
            return
        with self._transaction():
            for step in schema.SCHEMA[version:]:
                for statement in step.split(";"):
                    self._db.execute(statement)
            if version == 0:
                store = secrets.token_hex(4)
                born = [("store", store), ("box", box), ("line", line), ("ordered", str(ordered))]
                self._db.executemany("INSERT INTO meta VALUES (?, ?)", born)
                self._seq, self._chain = 0, GENESIS
                self._add("store", stamp, state=store, extra=pack_extra(line=line, **facts))
            self._db.execute(f"PRAGMA user_version = {len(schema.SCHEMA)}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, and on disk when it ends. Any refusal of the disk becomes LedgerFailed."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            raise failed(self.path, error) from error

    def _add(
        self,
        kind: str,
        stamp: Stamp,
        *,
        of: int = 0,
        campaign: str = "",
        caller: Caller | None = None,
        state: str = "",
        seconds: int = 0,
        extra: str = "",
    ) -> int:
        """Append one row within the open transaction; returns its seq."""
        number, caller_kind = (seal(caller.number), caller.kind) if caller else ("", "")
        row = Row(self._seq + 1, of, kind, *stamp, campaign, number, caller_kind, state, seconds, extra)
        chain = link(self._chain, row)
        self._db.execute(_NEW, (*row, chain))
        self._seq, self._chain = row.seq, chain
        return row.seq

    # ------------------------------------------------------- what calls, letters and talks all write

    def _queue(self, stamp: Stamp, caller: Caller, campaign: str, reply: Draft, order: int | None = None) -> None:
        """In a transaction: write an SMS down, to be sent; `order` of headquarters asked for it."""
        about = {
            "direction": "out", "text": reply.text, "language": reply.language, "parts": reply.parts, "order": order,
        }  # fmt: skip
        self._message(stamp, caller, campaign, "queued", about, reply.purpose)

    def _message(
        self, stamp: Stamp, caller: Caller, campaign: str, state: str, about: dict[str, object], purpose: str = "reply"
    ) -> int:
        seq = self._add("message", stamp, campaign=campaign, caller=caller, state=state, extra=pack_extra(**about))
        self._db.execute(
            "INSERT INTO message(seq, campaign, caller, caller_kind, direction, language, text, parts, state, reason,"
            " boot, mono_ms, at_ms, clock, purpose) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?, ?, ?, ?)",
            (
                seq, campaign, seal(caller.number), caller.kind, about["direction"], about.get("language", ""),
                about["text"], about.get("parts", 1), state, *stamp, purpose,
            ),
        )  # fmt: skip
        return seq

    def _opt_out(self, stamp: Stamp, caller: Caller) -> None:
        if not caller.number:
            return
        seq = self._add("optout", stamp, caller=caller, state="on")
        self._db.execute("INSERT OR IGNORE INTO optout VALUES (?, ?)", (seal(caller.number), seq))

    def _choose_language(self, stamp: Stamp, caller: Caller, language: str) -> None:
        self._add("language", stamp, caller=caller, state=language)
        choice = "INSERT INTO language VALUES (?, ?) ON CONFLICT DO UPDATE SET language = excluded.language"
        self._db.execute(choice, (seal(caller.number), language))

    def checkpoint(self) -> None:
        """Move the log into the database as far as readers allow; for idle moments."""
        try:
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite3.DatabaseError as error:
            raise failed(self.path, error) from error
