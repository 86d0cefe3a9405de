"""Letters out and in, in made-up time: who is answered, once, in which language, and what the network may refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge.events import Caller
from edge.ledger import Reader
from tests.rig import WATER, Rig, campaign

VOTER, OTHER = "+919812345678", "+919800000001"
MakeRig = Callable[..., Rig]


@pytest.fixture
def rig(tmp_path: Path) -> MakeRig:
    """A rig whose modem is ready and whose line is idle."""

    def make(**options: object) -> Rig:
        made = Rig(tmp_path, **options)  # type: ignore[arg-type]
        made.until(lambda: made.station and made.station.condition.ready and made.station.runner.idle, 60)
        return made

    return make


def told(rig: Rig, **of_the_box: object) -> None:
    """Change what the line knows of its box."""
    assert rig.station is not None
    rig.station.outbox._lines = replace(rig.station.outbox._lines, **of_the_box)  # type: ignore[arg-type]


def sent_to(rig: Rig) -> list[str]:
    return [one.number for one in rig.sim.sent if one.outcome == "accepted"]


# ------------------------------------------------------------------------------------- replies


def test_one_reply_a_day_and_every_call_kept(rig: MakeRig) -> None:
    line = rig()
    for _ in range(3):
        line.sim.dial(VOTER, line.now)
        line.run(30)
    assert len(line.calls()) == 3 and sent_to(line) == [VOTER]
    line.run(86_400)
    line.sim.dial(VOTER, line.now)
    line.run(30)
    assert sent_to(line) == [VOTER, VOTER]


def test_every_call_is_answered_where_asked_for_but_no_more_than_five_a_day(rig: MakeRig) -> None:
    line = rig(about=campaign(**{'once_per = "24h"': 'once_per = "0s"'}))
    for _ in range(8):
        line.sim.dial(VOTER, line.now)
        line.run(30)
    assert len(line.calls()) == 8 and len(sent_to(line)) == 5
    assert line.letters().count("cancelled") == 3


def test_the_reply_speaks_the_language_that_the_caller_chose(rig: MakeRig) -> None:
    line = rig()
    line.sim.sms_in(VOTER, " HI ", line.now)
    line.run(10)
    line.sim.dial(VOTER, line.now)
    line.run(30)
    assert line.sim.sent[-1].text == "धन्यवाद"


def test_stop_takes_effect_at_once_even_on_a_queued_reply(rig: MakeRig) -> None:
    line = rig()
    line.sim.sms_in(VOTER, "Stop.", line.now)
    line.sim.dial(VOTER, line.now)
    line.run(60)
    assert len(line.calls()) == 1 and sent_to(line) == [] and len(line.rows("optout")) == 1


def test_an_opt_out_line_stops_everything_and_answers_nobody(rig: MakeRig) -> None:
    about = campaign('id = "stop"\ntitle = "Stop"\nmode = "opt-out"\nlanguages = ["en"]\n')
    line = rig(about=about)
    line.sim.dial(VOTER, line.now)
    line.run(30)
    assert line.calls() == [(VOTER, "missed")] and sent_to(line) == [] and len(line.rows("optout")) == 1


def test_the_sibling_lines_ledgers_are_asked(tmp_path: Path) -> None:
    one, two = Rig(tmp_path, "l1"), Rig(tmp_path, "l2")
    one.siblings, two.siblings = [two], [one]
    for line in (one, two):
        line.run(5)
    one.sim.dial(VOTER, one.now)
    one.run(30)
    two.now = one.now
    two.sim.dial(VOTER, two.now)
    two.run(30)
    assert sent_to(one) == [VOTER] and sent_to(two) == [] and two.letters() == ["cancelled"]


def test_a_stop_that_comes_between_verdict_and_claim_wins(tmp_path: Path) -> None:
    one, two = Rig(tmp_path, "l1"), Rig(tmp_path, "l2")
    one.run(5)
    assert one.station is not None and two.station is not None
    other, looks = two.station, []

    def siblings() -> list[Reader]:
        looks.append(1)
        if len(looks) == 2:  # our claim is on disk by now
            voter = Caller("national", VOTER)
            other.ledger.keep_received(two.stamp(), voter, "water", "STOP", b"f", opt_out=True)
        return [Reader(two.path)]

    told(one, siblings=siblings)
    one.sim.dial(VOTER, one.now)
    one.run(30)
    assert sent_to(one) == [] and one.letters() == ["cancelled"] and one.station.ledger.claims(VOTER) == []


def test_an_unreadable_sibling_or_a_taken_lock_holds_replies_back(rig: MakeRig) -> None:
    line = rig()
    told(line, siblings=lambda: None)
    line.sim.dial(VOTER, line.now)
    line.run(10)
    assert line.letters() == ["held"]
    told(line, siblings=list, guard=lambda: None)
    line.run(60)
    assert sent_to(line) == []


def test_the_purse_holds_replies_until_the_next_day_and_drops_the_old_ones(rig: MakeRig, tmp_path: Path) -> None:
    line = rig()
    line.cut()
    line.purse = 1
    line.start()
    line.run(5)
    for number in (VOTER, OTHER):
        line.sim.dial(number, line.now)
        line.run(30)
    assert sent_to(line) == [VOTER] and line.letters() == ["delivered", "held"]
    line.run(13 * 3600)
    assert line.letters() == ["delivered", "cancelled"]


def test_quiet_hours_hold_and_an_untrusted_clock_is_quiet(rig: MakeRig) -> None:
    quiet = campaign(WATER + '[schedule]\nquiet = "00:00-23:59"\n')
    line = rig(about=quiet)
    line.sim.dial(VOTER, line.now)
    line.run(30)
    assert line.letters() == ["held"] and sent_to(line) == []


def test_without_a_trusted_clock_quiet_hours_cannot_be_kept_so_nothing_goes(rig: MakeRig) -> None:
    line = rig(about=campaign(WATER + '[schedule]\nquiet = "02:00-02:01"\n'))
    line.clock = 0
    line.sim.dial(VOTER, line.now)
    line.run(30)
    assert line.letters() == ["held"]
    line.clock = 3
    line.run(90)
    assert sent_to(line) == [VOTER]


# ---------------------------------------------------------------------------- the network refuses


def test_a_temporary_refusal_is_tried_again_after_ten_seconds(rig: MakeRig) -> None:
    line = rig()
    line.sim.fault("cms-error", line.now, 38, times=1)
    line.sim.dial(VOTER, line.now)
    line.run(6)
    assert line.letters() == ["queued"]
    line.run(20)
    assert sent_to(line) == [VOTER]


def test_a_final_refusal_is_not_repeated_and_blocks_nobody(rig: MakeRig) -> None:
    line = rig()
    line.sim.mailbox.refuses[VOTER] = 28
    for number in (VOTER, OTHER):
        line.sim.dial(number, line.now)
        line.run(1)
    line.run(60)
    assert line.letters() == ["failed", "delivered"] and sent_to(line) == [OTHER]


def test_refusals_are_capped(rig: MakeRig) -> None:
    line = rig()
    line.sim.mailbox.refuses[VOTER] = 500
    line.sim.dial(VOTER, line.now)
    line.run(6 * 3600)
    assert line.letters() == ["failed"] and len(line.sim.sent) == 8


@pytest.mark.parametrize(("code", "asks"), [(322, "AT+CMGL=4"), (300, "ATS0=0")])
def test_what_a_refusal_asks_for_is_done(rig: MakeRig, code: int, asks: str) -> None:
    line = rig()
    line.sim.fault("cms-error", line.now, code, times=1)
    line.run(1)
    line.sim.seen.clear()
    line.sim.dial(VOTER, line.now)
    line.run(60)
    assert asks in [command for _, command in line.sim.seen] and sent_to(line) == [VOTER]


def test_a_send_without_an_answer_is_unknown_and_never_repeated(rig: MakeRig) -> None:
    line = rig(profile="huawei-voice")
    line.sim.fault("lost-answer", line.now)
    line.sim.dial(VOTER, line.now)
    line.run(3)
    line.sim.fault_off("lost-answer", line.now)
    line.run(400)
    assert line.calls() == [(VOTER, "missed")] and len(line.sim.sent) <= 1


def test_a_modem_that_vanishes_mid_send_leaves_an_unknown(rig: MakeRig) -> None:
    line = rig(send_s=(5, 5))
    line.sim.dial(VOTER, line.now)
    line.run(3)
    assert line.letters() == ["sending"]
    assert line.station is not None
    line.station.disconnected(line.stamp(), "no-port", "gone")
    assert line.letters() == ["unknown"]
    line.station.connected(line.stamp())
    line.run(120)
    assert len(line.sim.sent) == 1


def test_a_report_of_failure_is_believed(rig: MakeRig) -> None:
    line = rig()
    line.sim.mailbox.report_status[VOTER] = 70
    line.sim.dial(VOTER, line.now)
    line.run(60)
    assert line.letters() == ["failed"]


def test_a_long_reply_is_delivered_when_all_its_parts_are(rig: MakeRig) -> None:
    long = "नमस्ते " * 20
    line = rig(about=campaign(**{"Thank you from {office}. STOP to end.": long}))
    line.sim.dial(VOTER, line.now)
    line.run(90)
    assert len(line.sim.sent) == 3 and line.letters() == ["delivered"]


def test_a_part_refused_for_now_is_the_only_one_sent_again(rig: MakeRig) -> None:
    line = rig(about=campaign(**{"Thank you from {office}. STOP to end.": "x" * 300}), send_s=(2, 2))
    line.sim.dial(VOTER, line.now)
    line.until(lambda: len(line.sim.sent) == 1)
    line.until(lambda: line.sim.sent[0].outcome == "accepted")
    line.sim.fault("cms-error", line.now, 38, times=1)
    line.run(60)
    assert [one.outcome for one in line.sim.sent] == ["accepted", "refused", "accepted"]
    assert line.letters() == ["delivered"]


def test_a_ring_takes_back_a_letter_whose_text_has_not_left(rig: MakeRig) -> None:
    line = rig(prompt_s=1.0)
    line.sim.dial(VOTER, line.now, patience_s=5)
    line.until(lambda: line.letters() == ["sending"])
    call = line.sim.dial(OTHER, line.now, patience_s=9)
    line.run(3)
    assert call.fate == "rejected" and [n for n, _ in line.calls()] == [VOTER, OTHER]
    line.run(60)
    assert sorted(sent_to(line)) == sorted([VOTER, OTHER])


# -------------------------------------------------------------------------------------- inbound


def test_inbound_messages_are_committed_then_deleted_and_counted_once(rig: MakeRig) -> None:
    line = rig()
    line.sim.sms_in(VOTER, "The well is dry", line.now)
    line.sim.sms_in(OTHER, "x" * 400, line.now)
    line.run(30)
    kept = [row for row in line.rows("message") if row[10] == "received"]
    assert len(kept) == 2 and '"text":"' + "x" * 400 in str(kept[1][12])
    assert not line.sim.mailbox.stores["SM"]


def test_what_was_not_told_is_found_by_the_sweep(rig: MakeRig) -> None:
    line = rig()
    line.cut()
    line.sim.sms_in(VOTER, "while you were away", line.now)
    line.start()
    line.run(30)
    assert [row[8] for row in line.rows("message")] == [VOTER]


def test_a_pdu_nobody_can_read_is_noted_without_its_content(rig: MakeRig) -> None:
    line = rig()
    line.sim.pdu_in("07910000000000F0FFFF", line.now)
    line.run(30)
    assert [row[10] for row in line.rows("note")] == ["unreadable-sms"]
    assert line.station is not None
    kept = line.station.ledger._db.execute("SELECT pdu FROM unreadable").fetchall()
    assert kept == [("07910000000000F0FFFF",)] and not line.sim.mailbox.stores["SM"]


def test_the_same_pdu_read_twice_is_one_message(rig: MakeRig) -> None:
    line = rig()
    [pdu] = line.sim.sms_in(VOTER, "once", line.now)
    line.run(10)
    line.sim.pdu_in(pdu, line.now)
    line.run(10)
    assert len(line.rows("message")) == 1
