"""What the rows that a box really writes add to the roll-ups: each counter by example, row by row and all at once."""

from __future__ import annotations

import itertools
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.events import Caller, Row, Stamp
from edge.ledger import Draft, Ledger
from sync.hq import distinct, facts, rollups, sql, tables
from sync.wire import WireRow
from tests import rolling
from tests.rolling import LEDGERS

BORN = 1_700_000_000_000  # 03:43:20 on a November morning in India
ASHA, BINA, CHITRA = (Caller("national", f"+9190000000{n}") for n in range(1, 4))
HIDDEN = Caller("withheld")
REPLY = Draft("thank you", "hi", 2)


def at(seconds: float, boot: str = "b1") -> Stamp:
    return Stamp(boot, round(1000 * seconds), BORN + round(1000 * seconds), 3)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "l1.db", "nashik-1", "l1", at(0), {"campaign": "water", "channel": "poster"})
    yield ledger
    ledger.close()


def in_memory() -> sql.Db:
    made = sql.adopt(sqlite3.connect(":memory:", isolation_level=None))
    rolling.build(made)
    return made


@pytest.fixture
def db() -> Iterator[sql.Db]:
    made = in_memory()
    yield made
    made.close()


def rolled(db: sql.Db, book: Ledger, by: int = 1000) -> None:
    """All rows of the book, in transactions of so many."""
    rolling.empty(db)
    rows: Sequence[WireRow] = [tuple(Row(*row)) for row in book.rows(0, 10_000)]
    batches = [rows[first : first + by] for first in range(0, len(rows), by)]
    rolling.take(db, rollups.Rollups(db, rolling.ISSUES), [[(LEDGERS[0], list(batch))] for batch in batches])


def tally(db: sql.Db) -> dict[str, int]:
    row = db.row(f"SELECT {', '.join(f'sum({name}) AS {name}' for name in tables.TALLY)} FROM tally")
    return {name: n for name, n in (row or {}).items() if n}


def both(db: sql.Db, book: Ledger) -> dict[str, int]:
    """The tally, which is the same for rows that come one by one and all at once."""
    rolled(db, book, 1)
    one_by_one = rolling.picture(db)
    rolled(db, book)
    assert rolling.picture(db) == one_by_one
    return tally(db)


def test_calls(db: sql.Db, book: Ledger) -> None:
    book.keep_call(at(1), ASHA, "missed", "water")
    book.note(at(2), "line", "no-network", words="no tower")
    book.keep_call(at(2), HIDDEN, "missed", "water")
    book.keep_call(at(3), Caller("short", "121"), "missed", "water")
    gone = book.keep_call(at(4), BINA, "missed", "water")
    book.amend_call(at(5), gone, "gave-up")
    assert both(db, book) == {"calls": 4, "numbered": 2, "withheld": 1, "gave_up": 1}
    assert db.row("SELECT day, hour, language, campaign FROM tally") == {
        "day": 19_676, "hour": 3, "language": "", "campaign": "water",
    }  # fmt: skip
    assert db.row("SELECT up, newest - first AS served FROM sign") == {"up": 0, "served": 0}
    assert distinct.distinct(db, 19_676, 19_676) == (2, 2)
    assert distinct.distinct(db, 19_676, 19_676, area=("channel", "poster")) == (2, 2)
    assert distinct.distinct(db, 19_677, 19_999) == (0, 0)


def test_replies(db: sql.Db, book: Ledger) -> None:
    for n, states in enumerate(
        (["sending", "sent", "delivered"], ["held", "queued", "sending", "sent"], ["cancelled"], ["sending", "failed"])
    ):
        call = book.keep_call(at(100 * n + 1), ASHA, "missed", "water", REPLY)
        for later, state in enumerate(states, 2):
            book.set_state(at(100 * n + later * 5), call + 1, state)
    case = {"take": 0, "node": "a", "tags": (), "language": "hi", "opened_ms": 0, "due_ms": 0}
    book.open_grievance(at(500), ASHA, "water", 2, letter=REPLY, **case)  # a letter, but no reply
    told = both(db, book)
    assert told == {
        "calls": 4, "numbered": 4, "letters": 5, "due": 2, "due_held": 1, "within_60": 1, "sent": 2, "parts": 4,
        "delivered": 1, "failed": 1, "cancelled": 1, "held": 1, "cases": 1,
    }  # fmt: skip
    waits = db.rows("SELECT kind, bucket, n FROM latency ORDER BY kind")
    assert waits == [{"kind": "held-reply", "bucket": 24, "n": 1}, {"kind": "reply", "bucket": 14, "n": 1}]


def test_a_reply_that_is_sent_after_a_restart_is_timed_by_the_wall(db: sql.Db, book: Ledger) -> None:
    call = book.keep_call(at(1), ASHA, "missed", "water", REPLY)
    book.set_state(Stamp("b2", 5, BORN + 71_000, 3), call + 1, "sent")
    assert both(db, book)["due"] == 1
    assert db.row("SELECT kind, bucket FROM latency") == {"kind": "reply", "bucket": 70}
    assert "within_60" not in tally(db)


# ------------------------------------------------------------------- what headquarters has ordered is no reply

CALL, REPLIED, SMS, BACK, GONE = range(5)


def busy_line(folder: Path, acts: Sequence[int]) -> tuple[Ledger, int]:
    """A line that takes calls and obeys orders in this order; and how many replies were due."""
    book, due, call = Ledger(folder / "l1.db", "nashik-1", "l1", at(0), {"campaign": "water"}), 0, 0
    for n, act in enumerate(acts, 1):
        if act in (CALL, REPLIED):
            call = book.keep_call(at(n), ASHA, "missed", "water", REPLY if act == REPLIED else None)
            due += act == REPLIED
        elif act == SMS:
            assert book.answer_order(at(n), n, "done", letter=(ASHA, "water", Draft("we come", "hi", 1, "desk")))
        elif act == BACK:
            assert book.answer_order(at(n), n, "done", ring_back=(BINA, "water"))
        elif call:
            book.amend_call(at(n), call, "gave-up")
    return book, due


@settings(deadline=None, max_examples=40)
@given(acts=st.lists(st.integers(0, 4), max_size=12))
def test_an_sms_that_was_ordered_is_never_a_reply_that_was_due(acts: list[int]) -> None:
    ordered_is_no_reply(acts)


def ordered_is_no_reply(acts: Sequence[int]) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(in_memory()) as db:
        book, due = busy_line(Path(folder), acts)
        rows = [Row(*row) for row in book.rows(0, 1000)]
        for before, row in itertools.pairwise(rows):
            if row.kind == "message" and "order" in facts.told(row.extra):
                assert before.kind == "order", "its order's row stands directly before it"
        rolled(db, book, 1)
        assert tally(db).get("due", 0) == due
        assert tally(db).get("letters", 0) == due + acts.count(SMS)
        rolled(db, book)
        assert tally(db).get("due", 0) == due
        book.close()


def test_a_letter_without_its_orders_row_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Ledger._add

    def unsaid(self: Ledger, kind: str, *given: Any, **more: Any) -> int:
        return self.head()[0] if kind == "order" else real(self, kind, *given, **more)

    monkeypatch.setattr(Ledger, "_add", unsaid)
    with pytest.raises(AssertionError):
        ordered_is_no_reply([CALL, SMS])


def test_a_count_that_takes_every_letter_for_a_reply_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    real = facts.message
    monkeypatch.setattr(facts, "message", lambda rows, _: real(rows, True))
    with pytest.raises(AssertionError):
        ordered_is_no_reply([CALL, SMS])


def talk(book: Ledger, call: int, second: float, *steps: tuple[str, str, str]) -> None:
    for n, step in enumerate(steps):
        book.steps(at(second + n), call, 1000 * n, [step])


def test_a_talk(db: sql.Db, book: Ledger) -> None:
    call = book.keep_call(at(1), ASHA, "missed", "water")
    book.talked(at(2), call, 0)
    talk(book, call, 3, ("connected", "", ""), ("enter", "start", ""), ("heard", "start", ""))
    talk(book, call, 7, ("no-input", "start", ""))
    talk(book, call, 8, ("invalid", "start", "7"), ("key", "start", "1"), ("enter", "say", ""), ("record", "say", ""))
    take, _ = book.begin_take(at(12), ASHA, "water", call, node="say", tags=("road",), language="mr", case=True)
    book.end_take(at(20), take, "kept", 8200, 5000, "ab")
    book.open_grievance(
        at(21), ASHA, "water", call, take=take, node="say", tags=("road",), language="mr", opened_ms=BORN + 1000,
        due_ms=BORN + 86_401_000, letter=None,
    )  # fmt: skip
    talk(book, call, 22, ("goal", "say", ""), ("end", "say", "hung-up"))
    book.talked(at(24), call, 22)
    told = both(db, book)
    assert told == {
        "calls": 1, "numbered": 1, "talked": 1, "talk_s": 22, "goals": 1, "beep_calls": 1, "beeps": 1, "recordings": 1,
        "yields": 1, "cases": 1,
    }  # fmt: skip
    assert db.row("SELECT first_key_ms, goal, entered, heard, last_node, ended, language, seconds FROM talk") == {
        "first_key_ms": 0, "goal": 1, "entered": 2, "heard": 1, "last_node": "say", "ended": "hung-up",
        "language": "mr", "seconds": 22,
    }  # fmt: skip
    counters = "entered, heard, keyed, invalid, no_input, hung_up, goals"
    nodes = db.rows(f"SELECT node, {counters} FROM node_tally ORDER BY node")
    assert [tuple(row.values()) for row in nodes] == [("say", 1, 0, 0, 0, 0, 1, 1), ("start", 1, 1, 1, 1, 1, 0, 0)]
    assert db.row("SELECT state, ms, speech_ms, tags, is_case FROM recording") == {
        "state": "kept", "ms": 8200, "speech_ms": 5000, "tags": "road", "is_case": 1,
    }  # fmt: skip
    assert db.row("SELECT sum(offered) AS offered, sum(acted) AS acted FROM day_tally") == {"offered": 1, "acted": 1}


def test_who_hangs_up_in_the_first_prompt(db: sql.Db, book: Ledger) -> None:
    call = book.keep_call(at(1), ASHA, "missed", "water")
    book.talked(at(2), call, 0)
    talk(book, call, 3, ("connected", "", ""), ("enter", "start", ""), ("end", "start", "hung-up"))
    assert both(db, book)["first_prompt_lost"] == 1
    assert db.row("SELECT sum(offered) AS offered, sum(acted) AS acted FROM day_tally") == {"offered": 1, "acted": 0}


def test_we_ring_back(db: sql.Db, book: Ledger) -> None:
    book.keep_call(at(1), ASHA, "missed", "water", ring_back=True)
    for n, why in enumerate(("busy", "answered")):
        wish = book.callbacks()[0]
        call = book.place_call(at(40 + 7200 * n), wish)
        if why == "answered":
            book.reached(at(7250), call)
            talk(book, call, 7251, ("connected", "", ""), ("enter", "a", ""), ("heard", "a", ""), ("end", "a", "done"))
        book.placed(at(7300 + n), call, wish.seq, why, 30 if why == "answered" else 0)
    assert both(db, book) == {
        "calls": 1, "numbered": 1, "placed": 2, "placed_s": 30, "tries_1": 1, "tries_2": 1, "reached": 1,
        "reached_2": 1, "talk_s": 30, "listen_50": 1, "listen_75": 1,
    }  # fmt: skip
    assert db.rows("SELECT kind, bucket FROM latency") == [{"kind": "callback", "bucket": 39}]
    assert db.row("SELECT sum(offered) AS offered, sum(acted) AS acted FROM day_tally") == {"offered": 1, "acted": 1}
    assert distinct.distinct(db, 19_676, 19_676) == (1, 1)


def test_a_case_and_what_became_of_it(db: sql.Db, book: Ledger) -> None:
    call = book.keep_call(at(1), BINA, "missed", "water")
    about = {"take": 0, "node": "a", "tags": (), "language": "hi", "opened_ms": BORN, "due_ms": BORN + 86_400_000}
    reference = book.open_grievance(at(9), BINA, "water", call, letter=None, **about)
    seq = book.head()[0]
    for hours, state in enumerate(("contacted", "resolved", "reopened", "resolved", "verified"), 1):
        book.move_grievance(at(3600 * hours), seq, state)
    assert both(db, book) == {"calls": 1, "numbered": 1, "cases": 1}
    hour = 3_600_000
    assert db.row("SELECT reference, state, contacted_ms, resolved_ms, verified_ms, reopened FROM grievance") == {
        "reference": reference, "state": "verified", "contacted_ms": BORN + hour, "resolved_ms": BORN + 4 * hour,
        "verified_ms": BORN + 5 * hour, "reopened": 1,
    }  # fmt: skip
    assert db.row("SELECT kind, bucket FROM latency") == {"kind": "case", "bucket": 3600}


def test_what_comes_in_and_what_is_agreed(db: sql.Db, book: Ledger) -> None:
    call = book.keep_call(at(1), CHITRA, "missed", "water")
    book.keep_received(at(2), CHITRA, "water", "STOP", b"1", opt_out=True)
    book.answer(at(3), CHITRA, "water", call, node="q", key="1", value="support", issue="subsidy", language="hi")
    book.answer(at(4), CHITRA, "water", call, node="c", key="2", value="no", issue="c", language="hi")
    book.agree(at(5), CHITRA, "water", call, node="c", purpose="volunteer", wording="w", language="hi")
    assert both(db, book) == {
        "calls": 1, "numbered": 1, "received": 1, "optouts": 1, "answers": 2, "consents": 1,
    }  # fmt: skip
    assert db.row("SELECT text, caller FROM letter") == {"text": "STOP", "caller": CHITRA.number}
    assert db.row("SELECT campaign, caller FROM optout") == {"campaign": "water", "caller": CHITRA.number}
    assert db.row("SELECT purpose, channel, evidence FROM consent") == {
        "purpose": "volunteer", "channel": "call", "evidence": "key 1",
    }  # fmt: skip
    assert db.rows("SELECT issue, option, raw, first, last, single FROM poll") == [
        {"issue": "subsidy", "option": "support", "raw": 1, "first": 1, "last": 1, "single": 1},
    ]  # fmt: skip


def test_a_referendum_by_number_and_by_key(db: sql.Db, book: Ledger) -> None:
    book.keep_call(at(1), ASHA, "missed", "yes")
    book.keep_call(at(2), BINA, "missed", "no")
    book.keep_call(at(3), HIDDEN, "missed", "no")
    call = book.keep_call(at(4), ASHA, "missed", "water")
    book.answer(at(5), ASHA, "water", call, node="q", key="2", value="oppose", issue="subsidy", language="hi")
    assert both(db, book)["calls"] == 4
    polled = db.rows("SELECT option, raw, nameless, first, last, single, conflicts FROM poll ORDER BY option")
    assert [tuple(row.values()) for row in polled] == [("oppose", 3, 1, 1, 2, 1, 0), ("support", 1, 0, 1, 0, 0, 1)]
    assert distinct.distinct(db, 19_676, 19_676, topic=("issue", "subsidy")) == (2, 2)
    assert distinct.by(db, 19_676, 19_676, "topic", topic=("campaign", "")) == {
        "no": (1, 1), "water": (1, 1), "yes": (1, 1),
    }  # fmt: skip
    assert distinct.by(db, 19_676, 19_680, "area", area=("district", "")) == {"nashik": (2, 2)}
    assert distinct.by(db, 19_670, 19_680, "day") == {19_676: (2, 2)}


def test_who_rings_more_than_ten_times_is_counted_apart(db: sql.Db, book: Ledger) -> None:
    for n in range(12):
        book.keep_call(at(n), ASHA, "missed", "water")
    book.keep_call(at(86_400), ASHA, "missed", "water")
    book.keep_call(at(20), BINA, "missed", "water")
    assert both(db, book)["calls"] == 14
    assert db.rows("SELECT day, callers, calls FROM flagged") == [{"day": 19_676, "callers": 1, "calls": 12}]
    assert distinct.distinct(db, 19_676, 19_676) == (2, 2)
    assert distinct.distinct(db, 19_676, 19_676, clean=True) == (1, 1)
    assert distinct.distinct(db, 19_677, 19_677) == (1, 0)
    assert distinct.distinct(db, 19_677, 19_677, clean=True) == (1, 1)


@pytest.mark.parametrize(
    ("ms", "step"),
    [(-5, 0), (999, 0), (119_999, 119), (129_999, 120), (599_999, 590), (661_000, 660), (10**12, 86_400)],
)
def test_the_steps_of_a_latency(ms: int, step: int) -> None:
    assert facts.bucket(ms) == step


def test_stale_roll_ups_are_made_anew(db: sql.Db, book: Ledger) -> None:
    book.keep_call(at(1), ASHA, "missed", "water")
    rolled(db, book)
    assert not rollups.is_stale(db, rolling.ISSUES)
    assert rollups.is_stale(db, {})
    kept = rolling.picture(db)
    with db.transaction():
        for table in tables.ALL:
            db.run(f"DELETE FROM {table}")
    assert rollups.is_stale(db, rolling.ISSUES)
    with db.transaction():
        rollups.rebuild(db, rolling.ISSUES)
    assert rolling.picture(db) == kept


def test_a_message_has_no_more_parts_than_there_can_be(db: sql.Db) -> None:
    """Or a box that says nonsense often enough would fill a counter, and nothing of anybody could be kept any more."""
    rows: list[WireRow] = []
    for seq in range(1, 2400, 2):
        said = ("water", ASHA.number, ASHA.kind, "queued", 0, f'{{"direction":"out","parts":{2**53 - 1}}}')
        rows += [(seq, 0, "message", "b1", seq, BORN, 3, *said)]
        rows += [(seq + 1, seq, "message", "b1", seq + 1, BORN, 3, "", "", "", "sent", 0, "")]
    rolling.take(db, rollups.Rollups(db), [[(LEDGERS[0], rows)]])
    assert db.value("SELECT sum(parts) FROM day_tally") == 1200 * 255


def test_who_is_forgotten_still_counts(db: sql.Db, book: Ledger) -> None:
    call = book.keep_call(at(1), ASHA, "missed", "yes", REPLY)
    book.set_state(at(5), call + 1, "sent")
    book.talked(at(6), call, 9)
    book.keep_received(at(9), ASHA, "water", "my name is Asha", b"1", opt_out=True)
    about = {"node": "q", "language": "hi"}
    book.answer(at(10), ASHA, "water", call, key="1", value="support", issue="fair", **about)
    book.agree(at(11), ASHA, "water", call, purpose="volunteer", wording="w", **about)
    take, _ = book.begin_take(at(12), ASHA, "water", call, tags=(), case=True, **about)
    book.open_grievance(at(13), ASHA, "water", call, take=take, tags=(), opened_ms=1, due_ms=2, letter=None, **about)
    book.keep_call(at(14), BINA, "missed", "yes")
    rolled(db, book)
    counts = [db.rows(f"SELECT * FROM {table}") for table in ("tally", "day_tally", "fresh", "pair", "poll")]
    assert set(rollups.forget(db, ASHA.number, "~1")) == set(tables.WITH_CALLER)
    event = "UPDATE event SET caller = '~1', extra = replace(extra, 'my name is Asha', '') WHERE caller = :number"
    db.run(event, number=ASHA.number)
    kept = rolling.picture(db)
    assert not any(ASHA.number in str(rows) or "Asha" in str(rows) for rows in kept.values())
    assert "0000002" in str(kept)
    with db.transaction():
        rollups.rebuild(db, rolling.ISSUES)
    assert rolling.picture(db) == kept
    assert [db.rows(f"SELECT * FROM {table}") for table in ("tally", "day_tally", "fresh", "pair", "poll")] == counts
    with pytest.raises(ValueError, match="token"):
        rollups.forget(db, BINA.number, "")


def test_every_table_with_a_caller_is_known_and_finds_her_at_once(db: sql.Db) -> None:
    assert set(tables.WITH_CALLER) == {table for table in tables.ALL if "caller" in tables.columns(table)}
    for table in tables.WITH_CALLER:
        plan = db.rows(f"EXPLAIN QUERY PLAN UPDATE {table} SET caller = 'b' WHERE caller = 'a'")
        assert all(row["detail"].startswith("SEARCH") for row in plan), table


def test_a_transaction_that_is_rolled_back_leaves_nothing(db: sql.Db, book: Ledger) -> None:
    book.keep_call(at(1), ASHA, "missed", "water")
    rows: list[WireRow] = [tuple(Row(*row)) for row in book.rows(0, 10)]
    rolling.empty(db)
    kept = rollups.Rollups(db, rolling.ISSUES)
    with pytest.raises(ZeroDivisionError), db.transaction():
        rolling.insert(db, LEDGERS[0], rows)
        kept.add(LEDGERS[0], rows)
        kept.settle(0)
        raise ZeroDivisionError
    kept.clear()
    assert not tally(db)
    rolling.take(db, kept, [[(LEDGERS[0], rows)]])
    assert tally(db) == {"calls": 1, "numbered": 1}
