"""The ledger: what is on disk after each method, after a restart, and after the disk refuses."""

from __future__ import annotations

import resource
import sqlite3
from pathlib import Path

import pytest

from edge.events import GENESIS, Caller, Row, Stamp, link
from edge.ledger import DamagedLedger, Draft, Ledger, LedgerFailed, Reader, pack_extra, unseal
from edge.ledger import schema as room

VOTER = Caller("national", "+919812345678")
T0 = Stamp("boot-a", 1000, 1_780_000_000_000, 3)
OLD = Path(__file__).parent / "ledgers"


def later(seconds: float, boot: str = "boot-a", clock: int = 3) -> Stamp:
    return Stamp(boot, 1000 + int(seconds * 1000), T0.at_ms + int(seconds * 1000), clock)


@pytest.fixture
def book(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledgers" / "l1.db", "box-1", "l1", T0, {"campaign": "water"})


def test_a_new_ledger_has_a_store_id_and_tells_it_in_its_first_row(book: Ledger) -> None:
    [row] = [Row(*r) for r in book.rows(0)]  # type: ignore[arg-type]
    assert (row.seq, row.kind, row.state) == (1, "store", book.store) and len(book.store) == 8
    assert row.extra == '{"campaign":"water","line":"l1"}'
    assert (book.box, book.line) == ("box-1", "l1")


def test_the_settings_that_the_promise_rests_on(book: Ledger) -> None:
    ask = book._db.execute
    assert ask("PRAGMA journal_mode").fetchone() == ("wal",)
    assert ask("PRAGMA synchronous").fetchone() == (2,)
    assert ask("PRAGMA wal_autocheckpoint").fetchone() == (0,)


def test_a_call_and_its_reply_are_one_transaction(book: Ledger) -> None:
    seq = book.keep_call(T0, VOTER, "missed", "water", Draft("Thank you", "en", 1))
    assert seq == 2
    call, message = (Row(*r) for r in book.rows(1))  # type: ignore[arg-type]
    assert (call.seq, call.of, call.kind, call.caller, call.state) == (2, 0, "call", VOTER.number, "missed")
    assert (message.kind, message.state, message.campaign) == ("message", "queued", "water")
    [letter] = book.open_letters()
    assert (letter.seq, letter.caller, letter.text, letter.born) == (3, VOTER, "Thank you", T0)


def test_amendments_name_the_first_row(book: Ledger) -> None:
    seq = book.keep_call(T0, VOTER, "missed", "water")
    book.amend_call(later(1), seq, "gave-up")
    assert Row(*book.rows(seq)[0])[:3] == (3, 2, "call")  # type: ignore[arg-type]
    assert book.last_call() == (VOTER, T0, 2)
    assert book.calls_since(T0.at_ms) == 1 and book.calls_since(T0.at_ms + 1) == 0


def test_the_chain_links_every_row(book: Ledger) -> None:
    for n in range(5):
        book.keep_call(later(n), VOTER, "missed", "water")
    chain = GENESIS
    for row in book.rows(0):
        chain = link(chain, row)
        assert book.chain(row[0]) == chain  # type: ignore[arg-type]
    assert book.head() == (6, chain)
    assert book.chain(0) == GENESIS and book.chain(99) is None


def test_a_restart_reads_what_is_there_and_goes_on(book: Ledger) -> None:
    book.keep_call(T0, VOTER, "missed", "water")
    again = Ledger(book.path, "box-1", "l1", later(9, "boot-b"))
    assert (again.store, again.head()) == (book.store, book.head())
    assert again.keep_call(later(9), VOTER, "missed", "water") == 3
    assert Reader(book.path).rows(0, limit=2) == book.rows(0)[:2]


def test_an_empty_ledger_has_no_head_and_no_last_call(tmp_path: Path) -> None:
    book = Ledger(tmp_path / "x.db", "b", "l", T0)
    assert book.last_call() is None
    book._db.execute("DELETE FROM event")
    assert book.head() == (0, GENESIS)


def test_reading_needs_a_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Reader(tmp_path / "none.db")


def test_a_reader_knows_when_its_file_was_replaced(book: Ledger) -> None:
    reader = Reader(book.path)
    assert reader.is_current(book.path)
    book.path.rename(book.path.with_suffix(".old"))
    assert not reader.is_current(book.path)
    Ledger(book.path, "box-1", "l1", T0)
    assert not reader.is_current(book.path)
    reader.close()


# ------------------------------------------------------------------------------------ messages


def queued(book: Ledger) -> int:
    book.keep_call(T0, VOTER, "missed", "water", Draft("Thank you", "en", 2))
    return book.open_letters()[-1].seq


def test_sending_claims_and_the_claim_is_seen_by_siblings(book: Ledger) -> None:
    seq = queued(book)
    assert book.claims(VOTER.number) == []
    book.set_state(later(1), seq, "sending")
    [claim] = Reader(book.path).claims(VOTER.number)
    assert (claim.campaign, claim.at, claim.parts) == ("water", later(1), 2)
    assert book.spent(later(2)) == [claim] and book.open_letters() == []
    book.set_state(later(3), seq, "queued", "a caller rang")
    assert book.claims(VOTER.number) == [] and book.spent(later(3)) == []
    assert book.counts() == {"queued": 1}


def test_the_purse_remembers_two_days_or_all_that_cannot_be_dated(book: Ledger) -> None:
    for seconds, clock in ((0, 3), (1, 1)):
        seq = queued(book)
        book.set_state(later(seconds, clock=clock), seq, "sent" if clock == 3 else "sending")
        book.set_state(later(seconds, clock=clock), seq, "sending")
    days = later(5 * 86_400, "boot-b")
    assert [c.at.clock for c in book.spent(days)] == [1]
    assert len(book.spent(later(5 * 86_400, "boot-b", clock=0))) == 2


def test_what_was_being_sent_at_a_cut_is_unknown_and_never_repeated(book: Ledger) -> None:
    book.set_state(later(1), queued(book), "sending")
    again = Ledger(book.path, "box-1", "l1", later(9, "boot-b"))
    assert again.recover(later(9, "boot-b")) == 1 and again.recover(later(9, "boot-b")) == 0
    assert again.open_letters() == [] and again.counts() == {}
    assert again.rows(3)[-1][10] == "unknown"
    assert len(again.claims(VOTER.number)) == 1


def test_what_is_held_is_told_with_its_reason(book: Ledger) -> None:
    first, second, third, _ = (queued(book) for _ in range(4))
    book.set_state(later(1), first, "held", "quiet hours")
    for seq in (second, third):
        book.set_state(later(1), seq, "held", "no SMS left")
    assert Reader(book.path).held() == [("no SMS left", 2), ("quiet hours", 1)]
    book.set_state(later(2), first, "sending")
    assert book.held() == [("no SMS left", 2)]


def test_reports_find_their_message_by_reference(book: Ledger) -> None:
    seq = queued(book)
    book.set_state(later(1), seq, "sending")
    book.set_state(later(2), seq, "sent", refs=(7, 8))
    assert [letter.refs for letter in book.reported(8, T0.at_ms)] == [(7, 8)]
    assert book.reported(9, T0.at_ms) == [] and book.reported(8, later(99).at_ms) == []
    book.keep_report(seq, (8,))
    assert [letter.reported for letter in book.reported(8, T0.at_ms)] == [(8,)]
    book.set_state(later(3), seq, "delivered")
    assert book.reported(8, T0.at_ms) == []


# ------------------------------------------------------------------------------------- inbound


def test_a_stop_takes_effect_in_the_transaction_that_keeps_it(book: Ledger) -> None:
    book.keep_received(T0, VOTER, "water", "STOP", b"f1", opt_out=True)
    assert book.is_seen(b"f1") and not book.is_seen(b"f2")
    assert Reader(book.path).opted_out(VOTER.number) and not book.opted_out("+919800000001")
    assert [r[2] for r in book.rows(1)] == ["message", "optout"]


def test_a_call_to_an_opt_out_line_opts_out_unless_nobody_is_known(book: Ledger) -> None:
    book.keep_call(T0, VOTER, "missed", "stop", opt_out=True)
    book.keep_call(T0, Caller("withheld"), "missed", "stop", opt_out=True)
    assert book.opted_out(VOTER.number)
    assert [r[2] for r in book.rows(1)] == ["call", "optout", "call"]


def test_a_language_is_remembered_and_the_last_choice_wins(book: Ledger) -> None:
    assert book.language(VOTER.number) == ""
    book.keep_received(T0, VOTER, "water", "hi", b"f1", language="hi")
    book.keep_received(T0, VOTER, "water", "mr", b"f2", language="mr")
    assert book.language(VOTER.number) == "mr"


def test_a_pdu_that_nobody_can_read_is_kept_once(book: Ledger) -> None:
    for _ in range(2):
        book.keep_unreadable(T0, "0791FF")
    assert [r[10] for r in book.rows(1)] == ["unreadable-sms"]
    assert book._db.execute("SELECT pdu FROM unreadable").fetchall() == [("0791FF",)]


def test_claims_made_before_the_clock_was_trusted_are_dated_when_it_is(book: Ledger) -> None:
    seq = queued(book)
    book.set_state(Stamp("boot-a", 2000, 5, 0), seq, "sending")
    book.redate(later(60))
    [claim] = book.claims(VOTER.number)
    assert claim.at == later(1) and book.last_call() == (VOTER, T0, 2)


def test_parts_wait_for_their_siblings(book: Ledger) -> None:
    key = (VOTER.number, 42, 2)
    book.keep_part(T0, *key, 2, "world", b"", b"f2")
    assert book.parts(*key) == [(2, "world", b"")] and book.is_seen(b"f2")
    assert book.stale_parts(T0.at_ms) == [] and book.stale_parts(T0.at_ms + 1) == [key]
    book.keep_received(T0, VOTER, "water", "hello world", b"f1", joined=key)
    assert book.parts(*key) == []


def test_notes_and_checkpoints(book: Ledger) -> None:
    book.note(T0, "line", "ready", operator="Vi", detail="")
    assert book.rows(1)[0][12] == '{"operator":"Vi"}' and pack_extra() == ""
    book.checkpoint()
    assert unseal(room.seal("+91")) == "+91"


# --------------------------------------------------------------------------------- the disk refuses


def test_a_file_that_is_no_ledger_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "l1.db"
    path.write_bytes(b"not a database at all, but somebody's file" * 50)
    before = path.read_bytes()
    with pytest.raises(DamagedLedger, match="not a readable ledger"):
        Ledger(path, "box-1", "l1", T0)
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerFailed, match="make the folder writable"):
        Ledger(tmp_path / "file" / "l1.db", "box-1", "l1", T0)


def test_a_ledger_that_cannot_have_its_log_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "l1.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA journal_mode = DELETE")
    other.execute("CREATE TABLE x(y)")
    other.execute("BEGIN IMMEDIATE")  # somebody holds it: the mode cannot change
    with pytest.raises(LedgerFailed):
        Ledger(path, "box-1", "l1", T0)


def test_a_mode_that_is_only_returned_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stubborn(sqlite3.Connection):
        def execute(self, sql: str, *values: object) -> sqlite3.Cursor:  # type: ignore[override]
            return super().execute(sql.replace("= WAL", ""), *values)  # type: ignore[arg-type]

    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: real(*a, factory=Stubborn, **k))
    with pytest.raises(LedgerFailed, match="write-ahead log"):
        Ledger(tmp_path / "l1.db", "box-1", "l1", T0)


def test_a_newer_schema_is_refused(book: Ledger) -> None:
    book._db.execute("PRAGMA user_version = 99")
    book.close()
    with pytest.raises(LedgerFailed, match="newer miscall"):
        Ledger(book.path, "box-1", "l1", T0)


def test_a_refused_write_is_told_and_nothing_before_it_is_lost(book: Ledger) -> None:
    book.keep_call(T0, VOTER, "missed", "water")
    head = book.head()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(LedgerFailed, match="nothing kept is lost"):
            for n in range(100):
                book.keep_received(later(n), VOTER, "water", "x" * 3000, b"f%d" % n)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    again = Ledger(book.path, "box-1", "l1", later(200))
    assert again.rows(0)[: head[0]] == Reader(book.path).rows(0)[: head[0]]
    chain = GENESIS
    for row in again.rows(0):
        chain = link(chain, row)
    assert again.head()[1] == chain


def test_what_sqlite_says_becomes_a_sentence_with_a_remedy(book: Ledger) -> None:
    def failed(text: str) -> LedgerFailed:
        return room.failed(book.path, sqlite3.OperationalError(text))

    assert "the disk is full" in str(failed("database or disk is full"))
    assert "replace the card" in str(failed("disk I/O error"))
    assert isinstance(failed("database disk image is malformed"), DamagedLedger)
    book._db.close()
    with pytest.raises(LedgerFailed):
        book.checkpoint()


def test_a_new_store_takes_over_what_headquarters_does_not_have(book: Ledger, tmp_path: Path) -> None:
    for n in range(3):
        book.keep_call(later(n), Caller("national", f"+9198000000{n:02}"), "missed", "water", Draft("Thanks", "en", 1))
    amended = book.keep_call(later(4), VOTER, "missed", "water")
    book.amend_call(later(5), amended, "gave-up")
    book.keep_received(later(6), VOTER, "water", "STOP", b"f", opt_out=True)
    fresh = Ledger(tmp_path / "fresh.db", "box-1", "l1", later(9))
    fresh.take_over(book.path, after=3)
    kept = [Row(*row) for row in fresh.rows(1)]  # type: ignore[arg-type]
    assert [(row.kind, row.caller[-2:]) for row in kept] == [
        ("call", "01"),
        ("call", "02"),
        ("call", "78"),
        ("call", ""),  # and what became of it
        ("optout", "78"),
    ]
    assert kept[0].at_ms == later(1).at_ms and fresh.opted_out(VOTER.number) and fresh.open_letters() == []


# --------------------------------------------------------------------------------- old ledgers


def test_every_old_schema_is_kept_here() -> None:
    assert {p.stem for p in OLD.glob("v*.sql")} == {f"v{n}" for n in range(1, len(room.SCHEMA) + 1)}


@pytest.mark.parametrize("dump", sorted(OLD.glob("v*.sql")), ids=lambda p: p.stem)
def test_every_old_ledger_is_migrated_with_all_it_holds(dump: Path, tmp_path: Path) -> None:
    path = tmp_path / "l1.db"
    db = sqlite3.connect(path)
    db.executescript(dump.read_text())
    before = db.execute("SELECT count(*), max(seq) FROM event").fetchone()
    db.close()
    book = Ledger(path, "box-1", "l1", later(1))
    assert book._db.execute("PRAGMA user_version").fetchone() == (len(room.SCHEMA),)
    assert (len(book.rows(0)), book.head()[0]) == before and before[0] > 5
    assert book.keep_call(later(2), VOTER, "missed", "water") == before[1] + 1


def test_a_later_schema_is_reached_from_what_is_there(book: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    book.close()
    monkeypatch.setattr(room, "SCHEMA", (*room.SCHEMA, "CREATE TABLE fresh(x)"))
    again = Ledger(book.path, "box-1", "l1", T0)
    assert again.store == book.store and again._db.execute("SELECT count(*) FROM fresh").fetchone() == (0,)


def test_a_migration_that_fails_changes_nothing(book: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    book.keep_call(T0, VOTER, "missed", "water")
    rows = book.rows(0)
    book.close()
    monkeypatch.setattr(room, "SCHEMA", (*room.SCHEMA, "CREATE TABLE fresh(x); CREATE TABLE event(x)"))
    with pytest.raises(LedgerFailed):
        Ledger(book.path, "box-1", "l1", T0)
    monkeypatch.undo()
    again = Ledger(book.path, "box-1", "l1", T0)
    assert again.rows(0) == rows
    assert again._db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'fresh'").fetchone() == (0,)
