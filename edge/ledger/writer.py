"""The writer of one line's ledger: what a method has written survives a power cut when it returns."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from edge.events import GENESIS, Caller, Row, Stamp, link
from edge.ledger import schema
from edge.ledger.reader import Reader
from edge.ledger.schema import ROW, Draft, LedgerFailed, Letter, failed, pack_extra, seal, unseal

MOST_OPEN = 200  # letters looked at in one go: more would delay a call
_PART = "WHERE caller = ? AND reference = ? AND total = ?"
_NEW = f"INSERT INTO event({ROW}, chain) VALUES ({', '.join('?' * (len(Row._fields) + 1))})"


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
            raise failed(path, error) from error
        except OSError as error:
            raise LedgerFailed(f"{path.parent}: {error.strerror}: make the folder writable for the box") from error

    def _settle(self) -> None:
        mode = self._db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":  # SQLite only returns the old mode when it could not change it
            raise sqlite3.OperationalError("the write-ahead log could not be switched on")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA wal_autocheckpoint = 0")

    def _migrate(self, box: str, line: str, stamp: Stamp, facts: dict[str, str]) -> None:
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
                born = [("store", store), ("box", box), ("line", line)]
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

    def take_over(self, old: Path, after: int) -> None:
        """Go on, in one transaction, where the ledger `old` ends: all that it remembers of callers (STOP, language,
        who was answered, what the purse spent), and, as rows of this one, the calls and opt-outs behind row `after`,
        which headquarters does not have. Its replies are not sent again."""
        with closing(Reader(old)) as reader, self._transaction():
            for table in ("optout", "language", "seen", "unreadable"):
                self._copy(reader, table, "1")
            self._copy(reader, "message", "sent_boot IS NOT NULL")
            while rows := reader.rows(after):
                for row in (Row(*values) for values in rows):  # type: ignore[arg-type]
                    after = row.seq
                    if row.kind not in ("call", "optout") or row.of:
                        continue
                    stamp = Stamp(row.boot, row.mono_ms, row.at_ms, row.clock)
                    caller = Caller(row.caller_kind, unseal(row.caller))  # type: ignore[arg-type]
                    if row.kind == "call":
                        self._add("call", stamp, campaign=row.campaign, caller=caller, state=row.state)
                    else:
                        self._opt_out(stamp, caller)

    def _copy(self, old: Reader, table: str, where: str) -> None:
        """Copy rows of `table`; a message keeps its text but not its seq, which counts in the other store."""
        for row in old._db.execute(f"SELECT * FROM {table} WHERE {where}"):
            values = (-row[0], *row[1:]) if table == "message" else row
            self._db.execute(f"INSERT OR IGNORE INTO {table} VALUES ({', '.join('?' * len(values))})", values)

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

    def _letters(self, where: str, values: Iterable[object] = (), most: int = -1) -> list[Letter]:
        query = (
            "SELECT seq, campaign, caller_kind, caller, language, text, parts, state, reason, refs, reported,"
            f" boot, mono_ms, at_ms, clock FROM message WHERE direction = 'out' AND {where} ORDER BY seq LIMIT {most}"
        )
        return [
            Letter(
                seq=r[0], campaign=r[1], caller=Caller(r[2], unseal(r[3])), language=r[4], text=r[5], parts=r[6],
                state=r[7], reason=r[8], born=Stamp(*r[11:15]),
                refs=tuple(json.loads(r[9])), reported=tuple(json.loads(r[10])),
            )
            for r in self._db.execute(query, tuple(values))
        ]

    def open_letters(self) -> list[Letter]:
        """Outbound messages still to be sent, oldest first; of very many only the oldest MOST_OPEN."""
        return self._letters("state IN ('queued', 'held', 'sending') AND state <> 'sending'", most=MOST_OPEN)

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

    def redate(self, stamp: Stamp) -> None:
        """The clock is trusted now: claims of this boot that were made before get their true wall time."""
        query = (
            "UPDATE message SET sent_at_ms = sent_mono_ms + ?, sent_clock = ?"
            " WHERE sent_boot = ? AND sent_clock < 2 AND sent_at_ms IS NOT NULL"
        )
        with self._transaction():
            self._db.execute(query, (stamp.at_ms - stamp.mono_ms, stamp.clock, stamp.boot))

    def keep_report(self, seq: int, reported: tuple[int, ...]) -> None:
        """These parts of message `seq` have been delivered, others not yet."""
        with self._transaction():
            self._db.execute("UPDATE message SET reported = ? WHERE seq = ?", (json.dumps(reported), seq))

    def reported(self, reference: int, since_ms: int) -> list[Letter]:
        """Messages sent since wall time `since_ms` of which some part has this reference, newest first.

        References are one octet and wrap, so the caller must also compare the recipient."""
        open_ = "sent_boot IS NOT NULL AND sent_at_ms >= ? AND state NOT IN ('delivered', 'failed')"
        found = self._letters(open_, (since_ms,))
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

    def keep_unreadable(self, stamp: Stamp, pdu: str) -> None:
        """Commit an inbound PDU that nobody can read yet, so that it may leave the SIM."""
        with self._transaction():
            known = self._db.execute("INSERT OR IGNORE INTO unreadable VALUES (?)", (seal(pdu),)).rowcount == 0
            if not known:
                self._add("note", stamp, state="unreadable-sms", extra=pack_extra(octets=len(pdu) // 2))

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
            raise failed(self.path, error) from error
