"""What a conversation leaves in the ledger: each thing is a row before it is acted on, and is found again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.events import UNKNOWN, Caller, Row, Stamp
from edge.ledger import Draft, Ledger, Reader
from edge.ledger.talks import _reference

VOTER = Caller("national", "+919812345678")
T0 = Stamp("boot-a", 1000, 1_780_000_000_000, 3)


def later(seconds: float, boot: str = "boot-a") -> Stamp:
    return Stamp(boot, 1000 + int(seconds * 1000), T0.at_ms + int(seconds * 1000), 3)


@pytest.fixture
def book(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledgers" / "l1.db", "box-1", "l1", T0)


def last(book: Ledger) -> Row:
    return Row(*book.rows(book.head()[0] - 1)[0])  # type: ignore[arg-type]


def told(row: Row) -> dict[str, object]:
    return dict(json.loads(row.extra))


def test_a_talk_amends_its_call(book: Ledger) -> None:
    call = book.keep_call(T0, VOTER, "missed", "water")
    book.talked(later(1), call, 0)
    book.talked(later(31), call, 30)
    assert [(r[1], r[10], r[11]) for r in book.rows(1)] == [(0, "missed", 0), (call, "talked", 0), (call, "talked", 30)]


def test_steps_answers_and_consents_name_their_call(book: Ledger) -> None:
    call = book.keep_call(T0, VOTER, "missed", "water")
    book.steps(later(1), call, 4210, [("enter", "main", ""), ("key", "main", "1")])
    step = last(book)
    assert (step.kind, step.state, step.caller, step.of) == ("step", "key", "", 0)
    assert told(step) == {"call": call, "key": "1", "ms": 4210, "node": "main"}
    book.answer(later(2), VOTER, "water", call, node="vote", key="2", value="oppose", issue="subsidy", language="hi")
    assert (last(book).state, last(book).caller) == ("oppose", VOTER.number)
    assert told(last(book)) == {"call": call, "issue": "subsidy", "key": "2", "language": "hi", "node": "vote"}
    book.agree(later(3), VOTER, "water", call, node="join", purpose="whatsapp", wording="May we?", language="hi")
    assert last(book).state == "whatsapp" and len(str(told(last(book))["wording"])) == 16
    book.choose_language(later(4), VOTER, "en")
    assert book.language(VOTER.number) == "en"
    book.opt_out(later(5), VOTER)
    assert book.opted_out(VOTER.number)


def test_one_who_hides_her_number_leaves_no_opt_out(book: Ledger) -> None:
    before = book.head()
    book.opt_out(T0, UNKNOWN)
    assert book.head() == before


def test_a_take_is_on_disk_before_its_first_sound(book: Ledger) -> None:
    call = book.keep_call(T0, VOTER, "missed", "water")
    take, file = book.begin_take(
        later(1), VOTER, "water", call, node="tell", tags=("water", "tell"), language="hi", case=True
    )
    assert file == f"{book.store}-{take}.wav" and last(book).state == "recording"
    assert told(last(book))["tags"] == "water,tell" and told(last(book))["case"] is True
    assert book.takes("recording") == [(take, file)]
    book.end_take(later(9), take, "kept", 7100, 6000, "ab" * 32)
    assert (last(book).of, last(book).state, last(book).seconds) == (take, "kept", 8)
    assert told(last(book)) == {"ms": 7100, "sha256": "ab" * 32, "speech_ms": 6000}
    assert book.takes("recording") == [] and book.takes("kept", "empty") == [(take, file)]


def test_a_case_gets_a_reference_that_is_spoken_and_texted(book: Ledger) -> None:
    call = book.keep_call(T0, VOTER, "missed", "water")
    reference = book.open_grievance(
        later(1), VOTER, "water", call, take=7, node="tell", tags=("water",), language="en", opened_ms=T0.at_ms,
        due_ms=T0.at_ms + 86_400_000, letter=Draft("Your number is {reference}.", "en", 1, "reference"),
    )  # fmt: skip
    assert re.fullmatch(r"\d{7}", reference)
    [letter] = book.open_letters()
    assert (letter.text, letter.purpose) == (f"Your number is {reference}.", "reference")
    case = book.open_case(VOTER.number)
    assert case is not None and (case.reference, case.state) == (reference, "new") and case == book.case(reference)
    book.move_grievance(later(2), case.seq, "resolved")
    assert (last(book).kind, last(book).of, last(book).state) == ("case", case.seq, "resolved")
    assert book.open_case(VOTER.number).state == "resolved"  # type: ignore[union-attr]
    book.move_grievance(later(3), case.seq, "verified")
    assert book.open_case(VOTER.number) is None and book.open_case("") is None and book.case("0000000") is None


@given(st.integers(0, 2**32 - 1), st.integers(1, 10**6))
def test_a_wrong_digit_in_a_reference_shows(store: int, seq: int) -> None:
    """Luhn finds every single wrong digit (ISO/IEC 7812-1)."""
    reference = _reference(f"{store:08x}", seq)
    assert _luhn(reference)
    for place, digit in enumerate(reference):
        wrong = reference[:place] + str((int(digit) + 1) % 10) + reference[place + 1 :]
        assert not _luhn(wrong)


def _luhn(number: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(number)):
        twice = int(digit) * (1 + place % 2)
        total += twice // 10 + twice % 10
    return total % 10 == 0


# ------------------------------------------------------------------------------------- calls of ours


def test_a_wish_to_be_rung_back_is_kept_with_the_call_and_once(book: Ledger) -> None:
    call = book.keep_call(T0, VOTER, "missed", "water", ring_back=True)
    book.keep_call(later(5), VOTER, "missed", "water", ring_back=True)
    book.keep_call(later(6), UNKNOWN, "missed", "water", ring_back=True)
    [wish] = book.callbacks()
    assert (wish.seq, wish.caller, wish.tries, wish.born, wish.tried) == (call, VOTER, 0, T0, None)


def test_a_placed_call_is_a_row_before_it_is_dialled_and_no_caller(book: Ledger) -> None:
    call = book.keep_call(T0, VOTER, "missed", "water", ring_back=True)
    [wish] = book.callbacks()
    placed = book.place_call(later(10), wish)
    assert (last(book).state, told(last(book))) == ("unreached", {"for": call, "try": 1})
    assert book.callbacks() == []  # claimed
    assert book.last_call() == (VOTER, T0, call) and book.calls_since(0) == 1
    book.placed(later(30), placed, wish.seq, "busy")
    assert (last(book).of, last(book).state, told(last(book))) == (placed, "unreached", {"why": "busy"})
    [wish] = book.callbacks()
    assert (wish.tries, wish.tried, wish.reason) == (1, later(10), "busy")
    again = book.place_call(later(8000), wish)
    book.reached(later(8010), again)
    book.placed(later(8040), again, wish.seq, "answered", 30)
    assert book.callbacks() == [] and [(d.answered, d.seconds) for d in book.dials(VOTER.number)] == [
        (False, 0), (True, 30),
    ]  # fmt: skip
    assert len(book.dialled(later(9000))) == 2 and book.dials("+911") == []


def test_a_call_that_was_being_placed_when_the_box_stopped_was_a_try(book: Ledger) -> None:
    book.keep_call(T0, VOTER, "missed", "water", ring_back=True)
    book.place_call(later(10), book.callbacks()[0])
    book.recover(later(20, "boot-b"))
    [wish] = book.callbacks()
    assert wish.tries == 1 and wish.tried == later(10)
    assert told(last(book))["why"] == "the box stopped while this call was placed"


def test_a_held_wish_tells_why_and_a_cancelled_one_is_over(book: Ledger) -> None:
    book.keep_call(T0, VOTER, "missed", "water", ring_back=True)
    [wish] = book.callbacks()
    book.hold_callback(wish.seq, "held", "night")
    assert [(w.state, w.reason) for w in book.callbacks()] == [("held", "night")]
    book.hold_callback(wish.seq, "cancelled", "opted out")
    assert book.callbacks() == []


def test_an_order_is_answered_once_with_what_it_brings_about(book: Ledger) -> None:
    assert book.answer_order(T0, 4, "done", ring_back=(VOTER, "water"))
    assert told(last(book)) == {"order": 4} and [w.caller for w in book.callbacks()] == [VOTER]
    assert not book.answer_order(later(1), 4, "done", ring_back=(VOTER, "water"))
    book.answer_order(later(2), 5, "refused", "no such case")
    assert told(last(book)) == {"order": 5, "why": "no such case"} and book.is_answered(5)
    reference = book.open_grievance(
        T0, VOTER, "water", 1, take=0, node="n", tags=(), language="en", opened_ms=0, due_ms=0, letter=None
    )
    case = book.case(reference)
    assert case is not None
    book.answer_order(later(3), 6, "done", case=(case.seq, "contacted"))
    assert book.case(reference).state == "contacted"  # type: ignore[union-attr]


def test_an_ordered_sms_waits_behind_what_callers_wait_for(book: Ledger) -> None:
    other = Caller("national", "+919812345679")
    assert book.answer_order(T0, 4, "done", letter=(VOTER, "water", Draft("On Monday.", "en", 1, "desk")))
    assert told(last(book))["order"] == 4 and not book.answer_order(later(1), 4, "done")
    book.keep_call(later(2), other, "missed", "water", Draft("Thank you", "en", 1))
    assert [(o.caller, o.purpose) for o in book.open_letters()] == [(other, "reply"), (VOTER, "desk")]
    assert "order" not in told(last(book))


def test_an_ordered_opt_out_is_written_once(book: Ledger) -> None:
    for number in (4, 5):
        assert book.answer_order(T0, number, "done", opt_out=VOTER)
    assert book.opted_out(VOTER.number) and [r[2] for r in book.rows(1)] == ["order", "optout", "order"]


def test_when_a_caller_was_heard_is_found_without_reading_all_calls(book: Ledger) -> None:
    other = Caller("national", "+919812345679")
    call = book.keep_call(T0, VOTER, "missed", "water", ring_back=True)
    book.amend_call(later(1), call, "gave-up")
    book.keep_call(later(2), other, "missed", "water")
    book.keep_received(later(3), VOTER, "water", "When?", b"f")
    book.place_call(later(4), book.callbacks()[0])
    assert book.heard(VOTER.number) == [T0, later(3)], "not our own call to her"
    for n in range(30):
        book.keep_call(later(10 + n), other, "missed", "water")
    assert book.heard(other.number)[0] == later(39) and len(book.heard(other.number)) == 20
    asked: list[str] = []
    book._db.set_trace_callback(asked.append)
    book.heard(VOTER.number)
    book._db.set_trace_callback(None)
    plans = [book._db.execute(f"EXPLAIN QUERY PLAN {query}").fetchall() for query in asked]
    assert "event_caller" in str(plans[0]) and "message_caller" in str(plans[1]) and "TEMP" not in str(plans)


def test_a_ledger_remembers_after_which_order_it_was_begun(book: Ledger, tmp_path: Path) -> None:
    assert book.born_after == 0
    for _ in range(2):  # opened again
        assert Ledger(tmp_path / "new.db", "box-1", "l1", T0, ordered=41).born_after == 41


def test_a_new_store_knows_open_cases_wishes_and_what_was_said(book: Ledger, tmp_path: Path) -> None:
    held = book.keep_call(T0, VOTER, "missed", "water", ring_back=True)
    other = Caller("national", "+919812345679")
    book.open_grievance(
        T0, other, "water", held, take=0, node="n", tags=(), language="en", opened_ms=0, due_ms=0, letter=None
    )
    held = book.head()[0]
    call = book.keep_call(later(1), VOTER, "missed", "water")
    take, file = book.begin_take(later(2), VOTER, "water", call, node="n", tags=("a",), language="en", case=True)
    book.end_take(later(3), take, "kept", 2000, 1500, "cd" * 32)
    reference = book.open_grievance(
        later(4), VOTER, "water", call, take=take, node="n", tags=("a",), language="en", opened_ms=0, due_ms=0,
        letter=None,
    )  # fmt: skip
    book.answer(later(5), VOTER, "water", held, node="v", key="1", value="yes", issue="i", language="en")
    book.close()
    fresh = Ledger(tmp_path / "fresh.db", "box-1", "l1", later(9))
    fresh.take_over(book.path, held)  # headquarters holds the first call, and nothing behind it
    rows = [Row(*row) for row in fresh.rows(1)]  # type: ignore[arg-type]
    assert [(row.kind, row.state) for row in rows] == [
        ("call", "missed"), ("recording", "recording"), ("recording", "kept"), ("case", "new"), ("answer", "yes"),
    ]  # fmt: skip
    call_here, take_here = rows[0].seq, rows[1].seq
    assert told(rows[1])["call"] == call_here and told(rows[1])["file"] == file and rows[2].of == take_here
    assert told(rows[3])["recording"] == take_here and told(rows[3])["call"] == call_here
    assert "call" not in told(rows[4]) or told(rows[4])["call"] == 0  # that call is a row of the old store
    assert fresh.open_case(VOTER.number).reference == reference  # type: ignore[union-attr]
    assert [w.caller for w in fresh.callbacks()] == [VOTER]
    assert fresh.takes("kept") == [(take_here, file)]
    fresh.move_grievance(later(10), fresh.open_case(VOTER.number).seq, "verified")  # type: ignore[union-attr]
    assert (last(fresh).kind, last(fresh).of, last(fresh).state) == ("case", rows[3].seq, "verified")
    assert fresh.open_case(VOTER.number) is None
    head, old = fresh.head(), fresh.open_case(other.number)
    fresh.move_grievance(later(11), old.seq, "verified")  # type: ignore[union-attr]  # its row is of the old store
    assert fresh.head() == head and fresh.open_case(other.number) is None


def test_a_ledger_from_before_voices_can_be_taken_over(tmp_path: Path) -> None:
    import sqlite3

    old = tmp_path / "old.db"
    db = sqlite3.connect(old)
    db.executescript((Path(__file__).parent / "ledgers" / "v1.sql").read_text())
    db.close()
    fresh = Ledger(tmp_path / "fresh.db", "box-1", "l1", T0)
    fresh.take_over(old, 0)
    assert fresh.opted_out(VOTER.number) and Reader(fresh.path).calls_since(0) == 3
