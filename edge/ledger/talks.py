"""What a conversation leaves behind: steps, answers, takes, cases, consents, and the calls that we place.

Each method is one transaction. A thing's first row is written before it is acted on: a take before its first sound,
a call of ours (as `unreached`) before it is dialled. Amendments name that row.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Sequence

from edge.events import Caller, Stamp
from edge.ledger.journal import Journal
from edge.ledger.schema import Callback, Draft, pack_extra, seal


class Talks(Journal):
    """The part of the writer that an answered or placed call needs. `call` is always that call's own row."""

    # ------------------------------------------------------------------------------ the call

    def talked(self, stamp: Stamp, call: int, seconds: int) -> None:
        """The call was answered (0), or has ended after so many seconds of talk."""
        with self._transaction():
            self._add("call", stamp, of=call, state="talked", seconds=seconds)

    def _ask_back(self, stamp: Stamp, seq: int, caller: Caller, campaign: str) -> None:
        """In a transaction: this caller wants to be rung back; a wish of hers that is still open stands for both."""
        opened = "SELECT 1 FROM callback WHERE caller = ? AND campaign = ? AND state IN ('due', 'held', 'placing')"
        if not caller.repliable or self._db.execute(opened, (seal(caller.number), campaign)).fetchone():
            return
        self._db.execute(
            "INSERT INTO callback(seq, campaign, caller, caller_kind, state, reason, tries, boot, mono_ms, at_ms,"
            " clock) VALUES (?, ?, ?, ?, 'due', '', 0, ?, ?, ?, ?)",
            (seq, campaign, seal(caller.number), caller.kind, *stamp),
        )

    def place_call(self, stamp: Stamp, wish: Callback) -> int:
        """Claim a try at `wish`, before it is dialled. Returns the row of the call that we place."""
        with self._transaction():
            about = {"for": wish.seq if wish.seq > 0 else None, "try": wish.tries + 1}
            seq = self._add(
                "call", stamp, campaign=wish.campaign, caller=wish.caller, state="unreached", extra=pack_extra(**about)
            )
            self._db.execute(
                "UPDATE callback SET state = 'placing', reason = '', tries = tries + 1, tried_boot = ?,"
                " tried_mono_ms = ?, tried_at_ms = ?, tried_clock = ? WHERE seq = ?",
                (*stamp, wish.seq),
            )
            self._db.execute(
                "INSERT INTO dial VALUES (?, ?, ?, 'unreached', 0, ?, ?, ?, ?)",
                (seq, wish.campaign, seal(wish.caller.number), *stamp),
            )
        return seq

    def reached(self, stamp: Stamp, call: int) -> None:
        """The far end of a call that we placed has answered."""
        with self._transaction():
            self._add("call", stamp, of=call, state="called-back")
            self._db.execute("UPDATE dial SET outcome = 'called-back' WHERE seq = ?", (call,))

    def placed(self, stamp: Stamp, call: int, wish: int, why: str, seconds: int = 0) -> None:
        """A call that we placed is over: `why` is answered, busy, no-answer, refused, off or failed. One that was not
        answered leaves its wish open; whether it is tried again is for the rules to say."""
        with self._transaction():
            answered = why == "answered"
            state = "called-back" if answered else "unreached"
            self._add("call", stamp, of=call, state=state, seconds=seconds, extra=pack_extra(why=why))
            self._db.execute("UPDATE dial SET outcome = ?, seconds = ? WHERE seq = ?", (state, seconds, call))
            self._db.execute(
                "UPDATE callback SET state = ?, reason = ? WHERE seq = ?", ("done" if answered else "due", why, wish)
            )

    def _recover_dials(self, stamp: Stamp) -> None:
        """After a restart: a call that was being placed counts as a try, whether she heard it or not."""
        query = (
            "SELECT max(dial.seq), callback.seq FROM callback JOIN dial USING (caller, campaign)"
            " WHERE callback.state IN ('due', 'held', 'placing') AND callback.state = 'placing' GROUP BY callback.seq"
        )
        for call, wish in self._db.execute(query).fetchall():
            with self._transaction():
                why = "the box stopped while this call was placed"
                outcome = self._db.execute("SELECT outcome FROM dial WHERE seq = ?", (call,)).fetchone()[0]
                self._add("call", stamp, of=call, state=outcome, extra=pack_extra(why=why))
                state = "done" if outcome == "called-back" else "due"
                self._db.execute("UPDATE callback SET state = ?, reason = ? WHERE seq = ?", (state, why, wish))

    def hold_callback(self, wish: int, state: str, reason: str) -> None:
        """A wish waits (`held`, `due`) or is over without an answer (`cancelled`), and why. Not a row: nobody rang."""
        with self._transaction():
            self._db.execute("UPDATE callback SET state = ?, reason = ? WHERE seq = ?", (state, reason, wish))

    # --------------------------------------------------------------------------- what she did

    def steps(self, stamp: Stamp, call: int, ms: int, steps: Iterable[tuple[str, str, str]]) -> None:
        """Steps of the conversation, (what, node, key), taken together `ms` after the call was up."""
        with self._transaction():
            for what, node, key in steps:
                self._add("step", stamp, state=what, extra=pack_extra(call=call, node=node, key=key, ms=ms))

    def answer(
        self, stamp: Stamp, caller: Caller, campaign: str, call: int, *, node: str, key: str, value: str, issue: str,
        language: str,
    ) -> None:  # fmt: skip
        """An answer: a vote in a referendum, a word to an invitation, a no to a consent."""
        about = {"call": call, "node": node, "key": key, "issue": issue, "language": language}
        with self._transaction():
            self._add("answer", stamp, campaign=campaign, caller=caller, state=value, extra=pack_extra(**about))

    def agree(
        self, stamp: Stamp, caller: Caller, campaign: str, call: int, *, node: str, purpose: str, wording: str,
        language: str,
    ) -> None:  # fmt: skip
        """A consent to `purpose`; of the wording that she heard its digest is kept."""
        digest = hashlib.sha256(wording.encode()).hexdigest()[:16]
        about = {"call": call, "node": node, "wording": digest, "language": language, "evidence": "key 1"}
        with self._transaction():
            self._add("consent", stamp, campaign=campaign, caller=caller, state=purpose, extra=pack_extra(**about))

    def choose_language(self, stamp: Stamp, caller: Caller, language: str) -> None:
        """This caller wants to be spoken and written to in `language`."""
        with self._transaction():
            self._choose_language(stamp, caller, language)

    def opt_out(self, stamp: Stamp, caller: Caller) -> None:
        """This caller wants nothing more. One without a number leaves only the step that tells it."""
        with self._transaction():
            self._opt_out(stamp, caller)

    # ------------------------------------------------------------------------------- takes

    def begin_take(
        self, stamp: Stamp, caller: Caller, campaign: str, call: int, *, node: str, tags: Sequence[str], language: str,
        case: bool,
    ) -> tuple[int, str]:  # fmt: skip
        """A take begins. Returns its row and the name of its file."""
        with self._transaction():
            file = f"{self.store}-{self._seq + 1}.wav"
            about = {
                "call": call, "node": node, "tags": ",".join(tags), "language": language, "file": file,
                "case": case or None,
            }  # fmt: skip
            seq = self._add(
                "recording", stamp, campaign=campaign, caller=caller, state="recording", extra=pack_extra(**about)
            )
            self._db.execute("INSERT INTO take VALUES (?, ?, 'recording')", (seq, file))
        return seq, file

    def end_take(
        self, stamp: Stamp, take: int, state: str, ms: int = 0, speech_ms: int = -1, sha256: str = "", why: str = ""
    ) -> None:
        """A take is closed: `kept`, `empty` (too little speech), `dropped` or `failed`; later `erased`."""
        heard = None if speech_ms < 0 else speech_ms
        about = pack_extra(ms=ms or None, speech_ms=heard, sha256=sha256, why=why)
        with self._transaction():
            self._add("recording", stamp, of=take, state=state, seconds=-(-ms // 1000), extra=about)
            self._db.execute("UPDATE take SET state = ? WHERE seq = ?", (state, take))

    # ------------------------------------------------------------------------------- cases

    def open_grievance(
        self, stamp: Stamp, caller: Caller, campaign: str, call: int, *, take: int, node: str, tags: Sequence[str],
        language: str, opened_ms: int, due_ms: int, letter: Draft | None,
    ) -> str:  # fmt: skip
        """Open a case, with the SMS that tells its reference (`{reference}` in it is filled in here). Returns the
        reference: digits that are easy to say, the last one a check digit, unique among this ledger's."""
        with self._transaction():
            reference = _reference(self.store, self._seq + 1)
            about = {
                "call": call, "recording": take, "node": node, "tags": ",".join(tags), "language": language,
                "reference": reference, "opened_ms": opened_ms, "due_ms": due_ms,
            }  # fmt: skip
            seq = self._add("case", stamp, campaign=campaign, caller=caller, state="new", extra=pack_extra(**about))
            row = (seq, campaign, seal(caller.number), reference, "new", due_ms)
            self._db.execute("INSERT INTO grievance VALUES (?, ?, ?, ?, ?, ?)", row)
            if letter is not None:
                text = letter.text.replace("{reference}", reference)
                self._queue(stamp, caller, campaign, Draft(text, letter.language, letter.parts, letter.purpose))
        return reference

    def move_grievance(self, stamp: Stamp, case: int, state: str) -> None:
        """A case has another state: headquarters said so, or its caller."""
        with self._transaction():
            self._move_grievance(stamp, case, state)

    def _move_grievance(self, stamp: Stamp, case: int, state: str) -> None:
        if case > 0:  # one that was carried over from another ledger is told of by its new row
            self._add("case", stamp, of=case, state=state)
        self._db.execute("UPDATE grievance SET state = ? WHERE seq = ?", (state, case))

    # ------------------------------------------------------------------------------- orders

    def answer_order(
        self, stamp: Stamp, number: int, state: str, why: str = "", *,
        ring_back: tuple[Caller, str] | None = None, case: tuple[int, str] | None = None,
        letter: tuple[Caller, str, Draft] | None = None, opt_out: Caller | None = None,
    ) -> bool:  # fmt: skip
        """Answer headquarters' order `number`, once, together with what it brings about: a caller and campaign to
        ring back, a case's new state, an SMS to a caller for a campaign, or somebody who wants nothing more. False when
        it had been answered before."""
        if self.is_answered(number):
            return False
        with self._transaction():
            self._db.execute("INSERT INTO done_order VALUES (?)", (number,))
            seq = self._add("order", stamp, state=state, extra=pack_extra(order=number, why=why))
            if ring_back is not None:
                self._ask_back(stamp, seq, *ring_back)
            if case is not None:
                self._move_grievance(stamp, *case)
            if letter is not None:
                self._queue(stamp, *letter, order=number)
            if opt_out is not None and not self.opted_out(opt_out.number):
                self._opt_out(stamp, opt_out)
        return True


def _reference(store: str, seq: int) -> str:
    """Two digits of the ledger, four or more of the row, and Luhn's check digit (ISO/IEC 7812-1)."""
    body = f"{zlib.crc32(store.encode()) % 100:02d}{seq:04d}"
    doubled = (int(digit) * (2 - place % 2) for place, digit in enumerate(reversed(body)))
    total = sum(n - 9 if n > 9 else n for n in doubled)
    return body + str(-total % 10)
