"""The writer of one line's ledger: what a method has written survives a power cut when it returns."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from edge.events import Caller, Row, Stamp
from edge.ledger.reader import Reader
from edge.ledger.schema import Draft, Letter, pack_extra, seal, unseal
from edge.ledger.talks import Talks

MOST_OPEN = 200  # letters looked at in one go: more would delay a call
_CARRIED = ("call", "optout", "language", "step", "answer", "recording", "case", "consent", "order")
_PART = "WHERE caller = ? AND reference = ? AND total = ?"


class Ledger(Talks):
    """The writer of one line's ledger: calls and messages here, what a conversation leaves behind in `Talks`.

    Opening creates the file, with a new store id, or migrates an older one, all or nothing. Raises
    LedgerFailed when the disk refuses and DamagedLedger when the file is no ledger (it is left as it is)."""

    # -------------------------------------------------------------------------------- calls

    def keep_call(
        self, stamp: Stamp, caller: Caller, outcome: str, campaign: str,
        reply: Draft | None = None, opt_out: bool = False, ring_back: bool = False,
    ) -> int:  # fmt: skip
        """Commit one call, with its queued reply, with the caller's opt-out, or with the wish that she be rung back.
        Returns the call's seq."""
        with self._transaction():
            seq = self._add("call", stamp, campaign=campaign, caller=caller, state=outcome)
            if ring_back:
                self._ask_back(stamp, seq, caller, campaign)
            if reply is not None:
                self._queue(stamp, caller, campaign, reply)
            if opt_out:
                self._opt_out(stamp, caller)
        return seq

    def take_over(self, old: Path, after: int) -> None:
        """Go on, in one transaction, where the ledger `old` ends: all that it remembers of callers (STOP, language,
        who was answered, what the purse spent, open cases, who is to be rung back) and of orders answered, and, as rows
        of this one, what callers did behind row `after`, which headquarters does not have. Its replies are not sent
        again."""
        with closing(Reader(old)) as reader, self._transaction():
            whole = ("optout", "language", "seen", "unreadable", "callback", "dial", "take", "grievance", "done_order")
            for table in whole:
                self._copy(reader, table, "1")
            self._copy(reader, "message", "sent_boot IS NOT NULL")
            new: dict[int, int] = {}  # the seq of a row over there -> here
            while rows := reader.rows(after):
                for row in (Row(*values) for values in rows):  # type: ignore[arg-type]
                    after = row.seq
                    if row.kind in _CARRIED and (not row.of or row.of in new):
                        new[row.seq] = self._carry(row, new)

    def _carry(self, row: Row, new: Mapping[int, int]) -> int:
        """Write a row of another ledger as one of this; the rows that it names are those of this one."""
        stamp = Stamp(row.boot, row.mono_ms, row.at_ms, row.clock)
        extra = json.loads(row.extra) if row.extra else {}
        extra |= {name: new.get(extra[name], 0) for name in ("call", "for", "recording") if name in extra}
        seq = self._add(
            row.kind, stamp, of=new.get(row.of, 0), campaign=row.campaign,
            caller=Caller(row.caller_kind, unseal(row.caller)) if row.caller_kind else None,  # type: ignore[arg-type]
            state=row.state, seconds=row.seconds, extra=pack_extra(**extra),
        )  # fmt: skip
        if table := {"case": "grievance", "recording": "take"}.get(row.kind if not row.of else ""):
            self._db.execute(f"UPDATE {table} SET seq = ? WHERE seq = ?", (seq, -row.seq))
        return seq

    def _copy(self, old: Reader, table: str, where: str) -> None:
        """Copy rows of `table`, if that ledger is new enough to have it. What is known there by its seq gets a seq that
        no row here can have, until its row is carried over too."""
        try:
            found = old._db.execute(f"SELECT * FROM {table} WHERE {where}")
        except sqlite3.OperationalError:
            return
        names = [column[0] for column in found.description]
        for row in found:
            values = (-row[0], *row[1:]) if names[0] == "seq" else row
            marks = ", ".join("?" * len(values))
            self._db.execute(f"INSERT OR IGNORE INTO {table}({', '.join(names)}) VALUES ({marks})", values)

    def amend_call(self, stamp: Stamp, seq: int, outcome: str) -> None:
        """The call `seq` ended otherwise than its first row says."""
        with self._transaction():
            self._add("call", stamp, of=seq, state=outcome)

    def note(self, stamp: Stamp, kind: str, state: str, **extra: object) -> None:
        """A fact about the line or the clock."""
        with self._transaction():
            self._add(kind, stamp, state=state, extra=pack_extra(**extra))

    # ----------------------------------------------------------------------------- messages

    def _letters(
        self, where: str, values: Iterable[object] = (), most: int = -1, first: str = "seq"
    ) -> list[Letter]:
        query = (
            "SELECT seq, campaign, caller_kind, caller, language, text, parts, state, reason, refs, reported,"
            f" boot, mono_ms, at_ms, clock, purpose FROM message"
            f" WHERE direction = 'out' AND {where} ORDER BY {first} LIMIT {most}"
        )
        return [
            Letter(
                seq=r[0], campaign=r[1], caller=Caller(r[2], unseal(r[3])), language=r[4], text=r[5], parts=r[6],
                state=r[7], reason=r[8], born=Stamp(*r[11:15]),
                refs=tuple(json.loads(r[9])), reported=tuple(json.loads(r[10])), purpose=r[15],
            )
            for r in self._db.execute(query, tuple(values))
        ]

    def open_letters(self) -> list[Letter]:
        """Outbound messages still to be sent, oldest first, but what headquarters wrote behind what callers wait for;
        of very many only the first MOST_OPEN."""
        unsent = "state IN ('queued', 'held', 'sending') AND state <> 'sending'"
        return self._letters(unsent, most=MOST_OPEN, first="purpose = 'desk', seq")

    def recover(self, stamp: Stamp) -> int:
        """After a restart: what was being sent has an unknown fate, and a call that was being placed was a try. Returns
        how many letters those are."""
        torn = self._letters("state = 'sending'")
        for letter in torn:
            self.set_state(stamp, letter.seq, "unknown", "the box stopped while this was being sent")
        self._recover_dials(stamp)
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
                self._choose_language(stamp, caller, language)
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
