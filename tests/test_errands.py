"""Headquarters' SMS and opt-outs at a line, in made-up time: each order at most one SMS however often it is heard, over
restarts and power cuts, never one after a STOP; the rules of replies; an answer to every order."""

from __future__ import annotations

import itertools
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edge.errands import AT_ONCE
from edge.events import Stamp
from edge.ledger import Ledger, Reader
from edge.orders import Order
from tests.rig import WATER, Fuse, Rig, campaign

VOTER, OTHER = "+919812345678", "+919800000001"
VOTERS = (VOTER, OTHER)
OWN = "+919000000001"
DAY_S = 86_400


def sms(hq: int, number: str = VOTER, text: str = "", **args: str) -> Order:
    words = text or f"Answer {hq} to your question."
    return Order(hq, hq, "sms", {"number": number, "campaign": "water", "text": words, "language": "en", **args})


def opt_out(hq: int, number: str = VOTER) -> Order:
    return Order(hq, hq, "opt-out", {"number": number})


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """A line that VOTER called a minute ago, and that has answered her."""
    return ready(tmp_path)


def ready(folder: Path, callers: Sequence[str] = (VOTER,), **options: object) -> Rig:
    made = Rig(folder, **options)  # type: ignore[arg-type]
    made.until(lambda: made.station and made.station.condition.ready and made.station.runner.idle, 60)
    for caller in callers:
        made.sim.dial(caller, made.now)
        made.run(60)
    return made


def answers(rig: Rig) -> list[tuple[object, ...]]:
    """(state, extra) of each answer to an order."""
    return [(row[10], row[12]) for row in rig.rows("order")]


def texts(rig: Rig, number: str = VOTER) -> list[str]:
    """What the network took for `number` besides the line's own reply."""
    taken = [one.text for one in rig.sim.sent if one.number == number and one.outcome == "accepted"]
    return [text for text in taken if "STOP" not in text]


def refusals(rig: Rig) -> list[str]:
    refused = [str(extra) for state, extra in answers(rig) if state == "refused"]
    return [extra.partition('"why":"')[2].removesuffix('"}') for extra in refused]


# ---------------------------------------------------------------------------------------- an SMS


def test_an_ordered_sms_goes_once_and_both_rows_tell_its_number(rig: Rig) -> None:
    rig.orders += [sms(7), sms(7)]
    rig.run(120)
    assert texts(rig) == ["Answer 7 to your question."] and answers(rig) == [("done", '{"order":7}')]
    assert [row[12] for row in rig.rows("message") if '"order":7' in str(row[12])] == [
        '{"direction":"out","language":"en","order":7,"parts":1,"text":"Answer 7 to your question."}'
    ]
    rig.cut()
    rig.start()
    rig.orders += [replace(sms(7), id=9), sms(8)]
    rig.run(120)
    assert texts(rig) == ["Answer 7 to your question.", "Answer 8 to your question."]
    assert VOTER[1:] not in repr(answers(rig))


def test_what_was_answered_today_does_not_block_a_human_answer_nor_the_other_way_round(rig: Rig) -> None:
    rig.orders.append(sms(1))
    rig.run(60)
    assert len(texts(rig)) == 1, "though the line answered her call a minute ago"
    other = ready(rig.path.parent.parent / "other", callers=())
    other.sim.sms_in(VOTER, "When will the water come?", other.now)
    other.run(30)
    other.orders.append(sms(1))
    other.run(60)
    other.sim.dial(VOTER, other.now)
    other.run(60)
    assert [one.outcome for one in other.sim.sent] == ["accepted"] * 2, "an answer, then the reply to her first call"


@pytest.mark.parametrize(
    ("order", "why"),
    [
        (sms(1, OTHER), "she has not called or written to this box in 30 days"),
        (sms(1, OWN), "that is one of this box's own SIMs"),
        (sms(1, text="x" * 460), "its text needs more than 3 SMS"),
        (sms(1, text="ज" * 202), "its text needs more than 3 SMS"),
        (sms(1, number="121"), "nobody can write to a number that is short"),
        (replace(sms(1), args={"number": VOTER}), "there is nothing to say in it"),
        (replace(sms(1), args={}), "there is nothing to say in it"),
        (replace(opt_out(1), args={}), "there is no number in it"),
    ],
)
def test_what_may_not_be_kept_is_refused_in_words(rig: Rig, order: Order, why: str) -> None:
    rig.orders.append(order)
    rig.run(60)
    assert refusals(rig) == [why] and texts(rig) == []


def test_a_caller_of_another_line_or_of_last_month_may_be_answered_one_of_last_year_not(tmp_path: Path) -> None:
    one, two = ready(tmp_path), ready(tmp_path, name="l2", callers=())
    two.siblings, two.now = [one], one.now
    two.orders.append(sms(1))
    two.run(60)
    assert len(texts(two)) == 1
    for days, kept in ((29, 1), (2, 0)):
        two.now += days * DAY_S
        two.orders.append(sms(1 + days))
        two.run(60)
        assert answers(two)[-1][0] == ("done" if kept else "refused")


def test_three_parts_go_and_a_fourth_answer_in_a_day_does_not(rig: Rig) -> None:
    rig.orders += [sms(1, text="x" * 400), *(sms(n) for n in (2, 3, 4))]
    rig.run(300)
    assert len(rig.sim.sent) == 1 + 3 + 2 and rig.letters()[1:] == ["delivered"] * 3 + ["cancelled"]
    assert "3 answers of headquarters" in str(rig.rows("message")[-1][12])


def test_bulk_answers_go_apart_and_behind_replies_and_leave_half_of_the_day_to_them(tmp_path: Path) -> None:
    voters = [f"+9198123456{n:02}" for n in range(20, 40)]
    rig = Rig(tmp_path)
    rig.purse = 60
    rig.cut()
    rig.start()
    rig.run(10)
    for voter in voters:
        rig.sim.sms_in(voter, "question", rig.now)
        rig.run(5)
    rig.orders += [sms(n, voter, text="x" * 300) for n, voter in enumerate(voters, 1)]
    rig.until(lambda: len(rig.sim.sent) >= 2)
    rig.sim.dial(VOTER, rig.now)
    rig.run(15)
    assert rig.sim.sent[-1].number == VOTER or rig.sim.sent[-3].number == VOTER, "her reply went before the others"
    rig.run(1200)
    begun = sorted(one.at for one in rig.sim.sent if one.number != VOTER)[::2]
    assert len(begun) == 15 and min(b - a for a, b in itertools.pairwise(begun)) > 9.9
    assert "its half" in str(rig.station and rig.station.ledger.held())
    rig.now += DAY_S
    rig.run(600)
    assert len({one.number for one in rig.sim.sent}) == 21, "the rest the next day"


def test_quiet_hours_hold_an_answer_and_a_letter_of_last_week_is_dropped(tmp_path: Path) -> None:
    night = campaign(WATER + '[schedule]\nquiet = "00:00-23:59"\n')
    rig = ready(tmp_path, about=night)
    rig.orders.append(sms(1))
    rig.run(60)
    assert texts(rig) == [] and rig.letters()[-1] == "held" and answers(rig) == [("done", '{"order":1}')]
    assert rig.station is not None
    rig.station.outbox._campaign = campaign()
    rig.now += 2 * DAY_S
    rig.run(1000)
    assert len(texts(rig)) == 1, "after a silence of two days"
    rig.station.outbox._campaign = night
    rig.orders.append(sms(2))
    rig.run(60)
    rig.now += 4 * DAY_S
    rig.run(1000)
    assert rig.letters()[-1] == "cancelled" and len(texts(rig)) == 1


def test_an_order_waits_for_the_clock_or_for_another_lines_ledger_and_is_answered_then(tmp_path: Path) -> None:
    rig = ready(tmp_path)
    rig.cut()
    rig.now += 100
    rig.boot, rig.booted, rig.clock = "b002000000000002", rig.now, 1
    rig.start()
    rig.orders.append(sms(1))
    rig.run(120)
    assert answers(rig) == [] and rig.letters() == ["delivered"], "nobody knows how long ago she called"
    rig.clock = 3
    rig.run(120)
    assert answers(rig) == [("done", '{"order":1}')] and len(texts(rig)) == 1

    def broken() -> Sequence[Reader]:
        raise sqlite3.OperationalError("it is being made")

    assert rig.station is not None
    lines = rig.station._errands._lines
    for cannot in (lambda: None, broken):
        rig.station._errands._lines = replace(lines, siblings=cannot)  # type: ignore[arg-type]
        rig.orders.append(sms(2))
        rig.run(60)
        assert len(answers(rig)) == 1
    rig.station._errands._lines = lines
    rig.run(60)
    assert len(answers(rig)) == 2


def test_a_clock_that_is_never_trusted_ends_in_a_refusal(tmp_path: Path) -> None:
    rig = ready(tmp_path)
    rig.cut()
    rig.now += 100
    rig.boot, rig.booted, rig.clock = "b002000000000002", rig.now, 1
    rig.start()
    rig.orders.append(sms(1))
    rig.run(4000)
    assert refusals(rig) == ["nobody knows how long ago she called: the clock was not trusted"] and texts(rig) == []


def test_few_orders_are_carried_out_in_one_look(rig: Rig) -> None:
    """Each is a commit, and somebody may ring."""
    assert rig.station is not None
    rig.station._errands_at = 1e9
    rig.orders += [opt_out(n, f"+9198123456{n:02}") for n in range(1, 13)]
    for most in (AT_ONCE, 2 * AT_ONCE, 12, 12):
        rig.station._errands.obey()
        assert len(answers(rig)) == most


def test_a_ledger_that_was_lost_makes_no_second_sms(rig: Rig) -> None:
    """Of what the old ledger did with the orders that the box holds nobody knows; new ones are carried out."""
    rig.orders += [sms(1), opt_out(2, OTHER)]
    rig.run(60)
    rig.cut()
    for end in ("", "-wal", "-shm"):
        rig.path.with_name(rig.path.name + end).unlink(missing_ok=True)
    rig.start()
    rig.sim.dial(VOTER, rig.now)
    rig.run(60)
    assert [extra for _, extra in answers(rig)] == [
        '{"order":1,"why":"the line\'s ledger was begun anew: nobody knows whether it was sent; order anew"}',
        '{"order":2}',
    ]
    rig.orders.append(sms(3))
    rig.run(60)
    assert texts(rig) == ["Answer 1 to your question.", "Answer 3 to your question."]


def test_a_ledger_that_takes_over_knows_what_was_answered(rig: Rig, tmp_path: Path) -> None:
    rig.orders.append(sms(1))
    rig.run(60)
    fresh = Ledger(tmp_path / "fresh.db", "box-1", "l1", rig.stamp(), ordered=1)
    fresh.take_over(rig.path, after=2)
    assert fresh.is_answered(1) and not fresh.is_answered(2) and fresh.born_after == 1
    fresh.close()


# -------------------------------------------------------------------------------------- an opt-out


def test_an_opt_out_by_headquarters_is_a_stop_on_every_line(tmp_path: Path) -> None:
    one, two = ready(tmp_path), ready(tmp_path, name="l2", callers=(OTHER,))
    one.siblings, two.siblings = [two], [one]
    two.now = one.now = max(one.now, two.now)
    one.orders += [opt_out(1, OTHER), opt_out(2, OTHER), sms(3, OTHER)]
    one.run(60)
    assert [state for state, _ in answers(one)] == ["done", "done", "refused"] and refusals(one) == ["opted out"]
    assert len(one.rows("optout")) == 1, "a second one says nothing new"
    two.orders.append(sms(4, OTHER))
    two.run(60)
    two.sim.dial(OTHER, two.now + DAY_S)
    two.now += DAY_S
    two.run(60)
    assert refusals(two) == ["opted out"] and len(two.sim.sent) == 1, "no confirmation and no reply on any line"


def test_an_opt_out_counts_at_once_also_on_a_line_without_a_modem(tmp_path: Path) -> None:
    one, two = ready(tmp_path), ready(tmp_path, name="l2", callers=(OTHER,))
    two.siblings, two.now = [one], max(one.now, two.now)
    assert one.station is not None
    one.station.disconnected(one.stamp(), "no-port", "it is gone")
    one.orders.append(opt_out(1, OTHER))
    one.now += 5
    one.station.tick(one.stamp())
    assert answers(one) == [("done", '{"order":1}')]
    two.orders.append(sms(2, OTHER))
    two.run(60)
    assert refusals(two) == ["opted out"]


def test_a_stop_between_keeping_and_sending_wins(rig: Rig) -> None:
    assert rig.station is not None
    rig.station.outbox._held_until = rig.now + 60
    rig.orders.append(sms(1))
    rig.run(20)
    assert rig.letters()[-1] == "queued"
    rig.sim.sms_in(VOTER, "STOP", rig.now)
    rig.run(120)
    assert rig.letters()[-1] == "cancelled" and texts(rig) == []


# --------------------------------------------------------------------------------------- whatever comes

WHERE = ("before commit", "after commit", "before write", "after write")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("order"), st.integers(0, 1)),
        st.tuples(st.just("again"), st.integers(0, 9)),
        st.tuples(st.just("shuffle"), st.randoms(use_true_random=False)),
        st.tuples(st.just("stop"), st.integers(0, 1)),
        st.tuples(st.just("opt-out"), st.integers(0, 1)),
        st.tuples(st.just("call"), st.integers(0, 1)),
        st.tuples(st.just("fuse"), st.sampled_from(WHERE), st.integers(1, 12)),
        st.tuples(st.just("cut")),
        st.tuples(st.just("run"), st.sampled_from([0.3, 2.5, 7.0, 40.0])),
        st.tuples(st.just("day")),
    ),
    min_size=3,
    max_size=14,
)  # fmt: skip


def lived(folder: Path, steps: Sequence[tuple[object, ...]]) -> Rig:
    """The line after all these steps and the two days that follow."""
    rig, given = ready(folder, VOTERS), 0
    for what, *how in [*steps, ("run", 90.0), ("day",), ("day",)]:
        if what in ("order", "opt-out"):
            given += 1
            number = VOTERS[int(str(how[0]))]
            rig.orders.append(sms(given, number) if what == "order" else opt_out(given, number))
        elif what == "again" and rig.orders:
            one = rig.orders[int(str(how[0])) % len(rig.orders)]
            rig.orders.append(replace(one, id=100 + len(rig.orders)))
        elif what == "shuffle":
            how[0].shuffle(rig.orders)  # type: ignore[attr-defined]
        elif what in ("stop", "call"):
            voter = VOTERS[int(str(how[0]))]
            _ = rig.sim.dial(voter, rig.now) if what == "call" else rig.sim.sms_in(voter, "STOP", rig.now)
        elif what == "fuse":
            rig.fuse = Fuse(str(how[0]), int(str(how[1])))
        elif what == "cut" and rig.station is not None:
            rig.cut()
        rig.run(float(str(how[0])) if what == "run" else 600.0 if what == "day" else 0.1)
        rig.now += DAY_S if what == "day" else 0
        if rig.station is None:
            rig.start()
    return rig


def keep_their_promise(rig: Rig) -> None:
    """At most one SMS an order, none claimed after a STOP was on disk, an answer to each order."""
    queued = {str(row[12]).partition('"text":"')[2][:-2]: int(str(row[0])) for row in rig.rows("message") if not row[1]}
    claimed = {int(str(row[1])): int(str(row[0])) for row in rig.rows("message") if row[10] == "sending"}
    stopped = {str(row[8]): int(str(row[0])) for row in reversed(rig.rows("optout"))}
    for number in VOTERS:
        sent = [one.text for one in rig.sim.sent if one.number == number and one.outcome in ("accepted", "cut")]
        ordered = [text for text in sent if text.startswith("Answer")]
        assert len(ordered) == len(set(ordered)), f"twice: {ordered}"
        for text in ordered:
            assert claimed[queued[text]] < stopped.get(number, 1 << 60), f"{text} went after STOP"
    told = [str(row[12]).partition(",")[0].rstrip("}") for row in rig.rows("order")]
    assert sorted(told) == sorted({f'{{"order":{order.hq}' for order in rig.orders}), "each answered, once"


@given(STEPS)
@example([("order", 0), ("run", 40.0), ("cut",), ("again", 0), ("run", 40.0)])
@example([("order", 0), ("fuse", "after write", 2), ("run", 7.0), ("again", 0), ("stop", 0), ("order", 0)])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_repeats_restarts_and_any_order_of_orders(steps: Sequence[tuple[object, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        keep_their_promise(lived(Path(folder), steps))


def forgets(patch: pytest.MonkeyPatch) -> None:
    """A line that does not know after a restart which orders it has answered."""
    recover = Ledger.recover

    def recovered(book: Ledger, stamp: Stamp) -> int:
        book._db.execute("DELETE FROM done_order")
        return recover(book, stamp)

    patch.setattr(Ledger, "recover", recovered)


def ignores_stop(patch: pytest.MonkeyPatch) -> None:
    """A line that does not look who wants nothing more."""
    patch.setattr(Reader, "opted_out", lambda book, number: False)


@pytest.mark.parametrize(
    ("mutant", "steps"),
    [
        (forgets, [("order", 0), ("run", 40.0), ("cut",), ("run", 40.0)]),
        (ignores_stop, [("stop", 0), ("run", 40.0), ("order", 0), ("run", 40.0)]),
        (ignores_stop, [("opt-out", 0), ("run", 40.0), ("order", 0), ("run", 40.0)]),
    ],
)
def test_a_line_that_forgets_is_found_out(
    mutant: Callable[[pytest.MonkeyPatch], None], steps: Sequence[tuple[object, ...]], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    keep_their_promise(lived(tmp_path / "sound", steps))
    mutant(monkeypatch)
    with pytest.raises(AssertionError, match=r"twice|after STOP"):
        keep_their_promise(lived(tmp_path / "broken", steps))
