"""One line's durable truth, and all the SQL of the box.

Rules of the room:
- One file a line, one process that writes it, one connection that writes and checkpoints (SQLite before
  3.51.3 could corrupt a WAL file that two connections wrote; Debian 12 ships 3.40.1).
- WAL with synchronous=FULL: when a method returns, its rows survive a power cut. Nothing is written twice:
  the seq of a row is fixed before its insert, and after any I/O error the process must end, start again and
  read what is there (a failed commit may still be on disk), never insert "as new". Such errors are LedgerFailed.
- `event` is append-only and goes to headquarters; the other tables are what the rows mean now, changed in the
  same transaction.
- Numbers reach the disk through `seal`, and nowhere else.
- No checkpoint within a call: wal_autocheckpoint is 0, the line calls `checkpoint` when idle.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from edge.events import GENESIS, Caller, Row, Stamp, link
from edge.rules import Claim

SCHEMA = (
    """
    CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE event(
        seq INTEGER PRIMARY KEY, of INTEGER NOT NULL, kind TEXT NOT NULL,
        boot TEXT NOT NULL, mono_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL, clock INTEGER NOT NULL,
        campaign TEXT NOT NULL, caller TEXT NOT NULL, caller_kind TEXT NOT NULL,
        state TEXT NOT NULL, seconds INTEGER NOT NULL, extra TEXT NOT NULL, chain BLOB NOT NULL);
    CREATE INDEX event_calls ON event(at_ms) WHERE kind = 'call' AND of = 0;
    CREATE TABLE message(
        seq INTEGER PRIMARY KEY, campaign TEXT NOT NULL, caller TEXT NOT NULL, caller_kind TEXT NOT NULL,
        direction TEXT NOT NULL, language TEXT NOT NULL, text TEXT NOT NULL, parts INTEGER NOT NULL,
        state TEXT NOT NULL, reason TEXT NOT NULL,
        boot TEXT NOT NULL, mono_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL, clock INTEGER NOT NULL,
        sent_boot TEXT, sent_mono_ms INTEGER, sent_at_ms INTEGER, sent_clock INTEGER,
        refs TEXT NOT NULL DEFAULT '[]', reported TEXT NOT NULL DEFAULT '[]');
    CREATE INDEX message_caller ON message(caller);
    CREATE INDEX message_open ON message(state) WHERE state IN ('queued', 'held', 'sending');
    CREATE INDEX message_sent ON message(sent_at_ms) WHERE sent_boot IS NOT NULL;
    CREATE TABLE optout(caller TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE language(caller TEXT PRIMARY KEY, language TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE part(
        caller TEXT NOT NULL, reference INTEGER NOT NULL, total INTEGER NOT NULL, place INTEGER NOT NULL,
        text TEXT NOT NULL, units BLOB NOT NULL, at_ms INTEGER NOT NULL,
        PRIMARY KEY (caller, reference, total, place)) WITHOUT ROWID;
    CREATE TABLE seen(fingerprint BLOB PRIMARY KEY) WITHOUT ROWID;
    """,
)
CLAIMED = ("sending", "sent", "delivered", "unknown")  # states in which a reply may have reached the caller
_CLAIMED = "('sending', 'sent', 'delivered', 'unknown')"
_ROW = ", ".join(Row._fields)
_PART = "WHERE caller = ? AND reference = ? AND total = ?"
_NEW = f"INSERT INTO event({_ROW}, chain) VALUES ({', '.join('?' * (len(Row._fields) + 1))})"


class LedgerFailed(Exception):
    """The disk did not do as told. The process must end; the message says what failed and what to do."""


def seal(number: str) -> str:
    """The form in which a number rests on the card: today the number itself. The only place to change that."""
    return number


def unseal(kept: str) -> str:
    """The number behind what `seal` wrote."""
    return kept


@dataclass(frozen=True, slots=True)
class Draft:
    """A reply to write down with a call: it is queued in the same transaction."""

    text: str
    language: str
    parts: int


@dataclass(frozen=True, slots=True)
class Letter:
    """An outbound message as it stands. `refs`: the modem's reference of each part that the network has taken
    so far; `reported`: those of them that have been delivered."""

    seq: int
    campaign: str
    caller: Caller
    language: str
    text: str = field(repr=False)
    parts: int
    state: str
    reason: str
    born: Stamp
    refs: tuple[int, ...]
    reported: tuple[int, ...]


def pack_extra(**values: object) -> str:
    """The `extra` field of a row: compact JSON with sorted keys, without the empty values."""
    kept = {key: value for key, value in values.items() if value not in ("", None)}
    return json.dumps(kept, ensure_ascii=False, sort_keys=True, separators=(",", ":")) if kept else ""


class Reader:
    """A look into a ledger, its own or another line's: read only, each method its own short transaction.

    Raises FileNotFoundError when there is no such ledger, sqlite3.Error when it cannot be read."""

    def __init__(self, path: Path | str) -> None:
        if not Path(path).exists():
            raise FileNotFoundError(f"no ledger at {path}")
        self._inode = os.stat(path).st_ino
        self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5, isolation_level=None)
        meta = dict(self._db.execute("SELECT key, value FROM meta"))
        self.store, self.box, self.line = meta.get("store", ""), meta.get("box", ""), meta.get("line", "")

    def close(self) -> None:
        self._db.close()

    def is_current(self, path: Path) -> bool:
        """Is the file that this reader opened still the one at `path`? A line may have begun a new store."""
        try:
            return os.stat(path).st_ino == self._inode
        except OSError:
            return False

    def head(self) -> tuple[int, bytes]:
        """The newest seq and the chain digest after it; (0, GENESIS) while the ledger is empty."""
        row = self._db.execute("SELECT seq, chain FROM event ORDER BY seq DESC LIMIT 1").fetchone()
        return (row[0], row[1]) if row else (0, GENESIS)

    def rows(self, after: int, limit: int = 1000) -> list[tuple[object, ...]]:
        """Up to `limit` rows behind `after`, in the order of Row's fields."""
        query = f"SELECT {_ROW} FROM event WHERE seq > ? ORDER BY seq LIMIT ?"
        return self._db.execute(query, (after, limit)).fetchall()

    def chain(self, seq: int) -> bytes | None:
        """The chain digest after row `seq`; None when the ledger has no such row."""
        if seq == 0:
            return GENESIS
        row = self._db.execute("SELECT chain FROM event WHERE seq = ?", (seq,)).fetchone()
        return bytes(row[0]) if row else None

    def calls_since(self, at_ms: int) -> int:
        """Calls whose frozen wall time is at or after `at_ms`."""
        query = "SELECT count(*) FROM event WHERE kind = 'call' AND of = 0 AND at_ms >= ?"
        return int(self._db.execute(query, (at_ms,)).fetchone()[0])

    def last_call(self) -> tuple[Caller, Stamp] | None:
        """Who called last, and when."""
        query = (
            "SELECT caller_kind, caller, boot, mono_ms, at_ms, clock FROM event"
            " WHERE kind = 'call' AND of = 0 ORDER BY seq DESC LIMIT 1"
        )
        row = self._db.execute(query).fetchone()
        return (Caller(row[0], unseal(row[1])), Stamp(*row[2:])) if row else None

    def claims(self, number: str) -> list[Claim]:
        """The replies to `number` that this line began to send and that may have arrived."""
        return self._claims("caller = ? AND direction = 'out'", (seal(number),))

    def spent(self, now: Stamp) -> list[Claim]:
        """The replies that may fall into today's purse of this line's SIM."""
        if not now.trusted:
            return self._claims("direction = 'out'", ())
        two_days = "(sent_boot = ? OR sent_clock < 2 OR sent_at_ms > ?)"
        return self._claims(two_days, (now.boot, now.at_ms - 2 * 86_400_000))

    def _claims(self, where: str, values: tuple[object, ...]) -> list[Claim]:
        query = (
            "SELECT campaign, parts, sent_boot, sent_mono_ms, sent_at_ms, sent_clock FROM message"
            f" WHERE {where} AND state IN {_CLAIMED} AND sent_boot IS NOT NULL"
        )
        return [Claim(row[0], Stamp(*row[2:]), row[1]) for row in self._db.execute(query, values)]

    def opted_out(self, number: str) -> bool:
        return self._db.execute("SELECT 1 FROM optout WHERE caller = ?", (seal(number),)).fetchone() is not None

    def language(self, number: str) -> str:
        """The language this caller chose here, or ""."""
        row = self._db.execute("SELECT language FROM language WHERE caller = ?", (seal(number),)).fetchone()
        return row[0] if row else ""

    def counts(self) -> dict[str, int]:
        """How many messages stand in each state."""
        return dict(self._db.execute("SELECT state, count(*) FROM message GROUP BY state"))


class Ledger(Reader):
    """The writer of one line's ledger.

    Opening creates the file, with a new store id, or migrates an older one, all or nothing. Raises
    LedgerFailed when the disk refuses and DamagedLedger when the file is no ledger (it is left as it is)."""

    def __init__(self, path: Path, box: str, line: str, stamp: Stamp, facts: dict[str, str] | None = None) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=5, isolation_level=None)
            self._settle()
            self._migrate(box, line, stamp, facts or {})
            meta = dict(self._db.execute("SELECT key, value FROM meta"))
            self.store, self.box, self.line = meta["store"], meta["box"], meta["line"]
            self._seq, self._chain = self.head()
        except sqlite3.DatabaseError as error:
            raise _failed(path, error) from error
        except OSError as error:
            raise LedgerFailed(f"{path.parent}: {error.strerror}: make the folder writable for the box") from error

    def _settle(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA wal_autocheckpoint = 0")

    def _migrate(self, box: str, line: str, stamp: Stamp, facts: dict[str, str]) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(SCHEMA):
            raise LedgerFailed(f"{self.path}: written by a newer miscall (schema {version}): install that one again")
        if version == len(SCHEMA):
            return
        with self._transaction():
            for step in SCHEMA[version:]:
                for statement in step.split(";"):
                    self._db.execute(statement)
            if version == 0:
                store = secrets.token_hex(4)
                born = [("store", store), ("box", box), ("line", line)]
                self._db.executemany("INSERT INTO meta VALUES (?, ?)", born)
                self._seq, self._chain = 0, GENESIS
                self._add("store", stamp, state=store, extra=pack_extra(line=line, **facts))
            self._db.execute(f"PRAGMA user_version = {len(SCHEMA)}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, and on disk when it ends. Any refusal of the disk becomes LedgerFailed."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            raise _failed(self.path, error) from error

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

    # -------------------------------------------------------------------------------- calls

    def keep_call(
        self, stamp: Stamp, caller: Caller, outcome: str, campaign: str,
        reply: Draft | None = None, opt_out: bool = False,
    ) -> int:  # fmt: skip
        """Commit one call, with its queued reply, or with the caller's opt-out. Returns the call's seq."""
        with self._transaction():
            seq = self._add("call", stamp, campaign=campaign, caller=caller, state=outcome)
            if reply is not None:
                self._queue(stamp, caller, campaign, reply)
            if opt_out:
                self._opt_out(stamp, caller)
        return seq

    def amend_call(self, stamp: Stamp, seq: int, outcome: str) -> None:
        """The call `seq` ended otherwise than its first row says."""
        with self._transaction():
            self._add("call", stamp, of=seq, state=outcome)

    def note(self, stamp: Stamp, kind: str, state: str, **extra: object) -> None:
        """A fact about the line or the clock."""
        with self._transaction():
            self._add(kind, stamp, state=state, extra=pack_extra(**extra))

    # ----------------------------------------------------------------------------- messages

    def _queue(self, stamp: Stamp, caller: Caller, campaign: str, reply: Draft) -> None:
        about = {"direction": "out", "text": reply.text, "language": reply.language, "parts": reply.parts}
        self._message(stamp, caller, campaign, "queued", about)

    def _message(self, stamp: Stamp, caller: Caller, campaign: str, state: str, about: dict[str, object]) -> int:
        seq = self._add("message", stamp, campaign=campaign, caller=caller, state=state, extra=pack_extra(**about))
        self._db.execute(
            "INSERT INTO message(seq, campaign, caller, caller_kind, direction, language, text, parts, state, reason,"
            " boot, mono_ms, at_ms, clock) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?, ?, ?)",
            (
                seq, campaign, seal(caller.number), caller.kind, about["direction"], about.get("language", ""),
                about["text"], about.get("parts", 1), state, *stamp,
            ),
        )  # fmt: skip
        return seq

    def _letters(self, where: str, values: Iterable[object] = ()) -> list[Letter]:
        query = (
            "SELECT seq, campaign, caller_kind, caller, language, text, parts, state, reason, refs, reported,"
            f" boot, mono_ms, at_ms, clock FROM message WHERE direction = 'out' AND {where} ORDER BY seq"
        )
        return [
            Letter(
                seq=r[0], campaign=r[1], caller=Caller(r[2], unseal(r[3])), language=r[4], text=r[5], parts=r[6],
                state=r[7], reason=r[8], born=Stamp(*r[11:15]),
                refs=tuple(json.loads(r[9])), reported=tuple(json.loads(r[10])),
            )  # fmt: skip
            for r in self._db.execute(query, tuple(values))
        ]

    def open_letters(self) -> list[Letter]:
        """Outbound messages still to be sent, oldest first."""
        return self._letters("state IN ('queued', 'held')")

    def recover(self, stamp: Stamp) -> int:
        """After a restart: what was being sent has an unknown fate. Returns how many those are."""
        torn = self._letters("state = 'sending'")
        for letter in torn:
            self.set_state(stamp, letter.seq, "unknown", "the box stopped while this was being sent")
        return len(torn)

    def set_state(
        self, stamp: Stamp, seq: int, state: str, reason: str = "", refs: tuple[int, ...] | None = None
    ) -> None:
        """Move an outbound message to `state`; `sending` claims it for once_per, loop and purse.

        `refs`: the modem's references of the parts that the network has taken, to match their reports."""
        columns: dict[str, object] = {"state": state, "reason": reason}
        if refs is not None:
            columns["refs"] = json.dumps(refs)
        if state == "sending":
            columns |= {f"sent_{name}": value for name, value in zip(Stamp._fields, stamp, strict=True)}
        names = ", ".join(f"{name} = ?" for name in columns)
        with self._transaction():
            self._add("message", stamp, of=seq, state=state, extra=pack_extra(reason=reason))
            self._db.execute(f"UPDATE message SET {names} WHERE seq = ?", (*columns.values(), seq))

    def keep_report(self, seq: int, reported: tuple[int, ...]) -> None:
        """These parts of message `seq` have been delivered, others not yet."""
        with self._transaction():
            self._db.execute("UPDATE message SET reported = ? WHERE seq = ?", (json.dumps(reported), seq))

    def reported(self, reference: int, since_ms: int) -> list[Letter]:
        """Messages sent since wall time `since_ms` of which some part has this reference, newest first.

        References are one octet and wrap, so the caller must also compare the recipient."""
        found = self._letters("sent_at_ms >= ? AND state NOT IN ('delivered', 'failed')", (since_ms,))
        return [letter for letter in reversed(found) if reference in letter.refs]

    # ------------------------------------------------------------------------------ inbound

    def is_seen(self, fingerprint: bytes) -> bool:
        return self._db.execute("SELECT 1 FROM seen WHERE fingerprint = ?", (fingerprint,)).fetchone() is not None

    def keep_received(
        self, stamp: Stamp, caller: Caller, campaign: str, text: str, fingerprint: bytes,
        language: str = "", opt_out: bool = False, joined: tuple[str, int, int] | None = None,
    ) -> int:  # fmt: skip
        """Commit an inbound message with what it means: a STOP, or a choice of language.

        `joined` (sender, reference, total) names the parts that this text was joined from: they go."""
        with self._transaction():
            self._db.execute("INSERT OR IGNORE INTO seen VALUES (?)", (fingerprint,))
            if joined is not None:
                self._db.execute(f"DELETE FROM part {_PART}", (seal(joined[0]), *joined[1:]))
            seq = self._message(stamp, caller, campaign, "received", {"direction": "in", "text": text})
            if opt_out:
                self._opt_out(stamp, caller)
            if language:
                self._add("language", stamp, caller=caller, state=language)
                choice = "INSERT INTO language VALUES (?, ?) ON CONFLICT DO UPDATE SET language = excluded.language"
                self._db.execute(choice, (seal(caller.number), language))
        return seq

    def keep_part(
        self, stamp: Stamp, sender: str, reference: int, total: int, place: int,
        text: str, units: bytes, fingerprint: bytes,
    ) -> None:  # fmt: skip
        """Commit one part of a long inbound message that is not complete yet, at `place` from 1."""
        with self._transaction():
            self._db.execute("INSERT OR IGNORE INTO seen VALUES (?)", (fingerprint,))
            part = (seal(sender), reference, total, place, text, units, stamp.at_ms)
            self._db.execute("INSERT OR REPLACE INTO part VALUES (?, ?, ?, ?, ?, ?, ?)", part)

    def parts(self, sender: str, reference: int, total: int) -> list[tuple[int, str, bytes]]:
        """What is held of a long inbound message: (place, text, UTF-16 units), in order."""
        query = f"SELECT place, text, units FROM part {_PART} ORDER BY place"
        return self._db.execute(query, (seal(sender), reference, total)).fetchall()

    def stale_parts(self, before_ms: int) -> list[tuple[str, int, int]]:
        """Long messages (sender, reference, total) still incomplete whose newest part is older than `before_ms`."""
        query = "SELECT caller, reference, total FROM part GROUP BY 1, 2, 3 HAVING max(at_ms) < ?"
        return [(unseal(caller), ref, total) for caller, ref, total in self._db.execute(query, (before_ms,))]

    def _opt_out(self, stamp: Stamp, caller: Caller) -> None:
        if not caller.number:
            return
        seq = self._add("optout", stamp, caller=caller, state="on")
        self._db.execute("INSERT OR IGNORE INTO optout VALUES (?, ?)", (seal(caller.number), seq))

    # ------------------------------------------------------------------------------- upkeep

    def checkpoint(self) -> None:
        """Move the log into the database as far as readers allow; for idle moments."""
        try:
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite3.DatabaseError as error:
            raise _failed(self.path, error) from error


class DamagedLedger(LedgerFailed):
    """The file is no readable ledger. It was left untouched: set it aside and start a new one."""


def _failed(path: Path, error: sqlite3.DatabaseError) -> LedgerFailed:
    text = str(error)
    if "malformed" in text or "not a database" in text:
        return DamagedLedger(f"{path}: not a readable ledger ({text})")
    if "full" in text:
        return LedgerFailed(f"{path}: the disk is full: free space or put in a bigger card; nothing kept is lost")
    return LedgerFailed(f"{path}: {text}: if this comes again, replace the card; nothing kept is lost")
