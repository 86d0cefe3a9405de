"""One line's conduct against simulated modems, in made-up time: what the voter, the SIM and the ledger see."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.events import Stamp
from tests.rig import PROFILES, WATER, Rig, campaign

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


def sent_to(rig: Rig) -> list[str]:
    return [one.number for one in rig.sim.sent if one.outcome == "accepted"]


# --------------------------------------------------------------------------------- every modem


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_ring_commit_hang_up_answer_report(rig: MakeRig, profile: str) -> None:
    line = rig(profile=profile)
    committed: list[list[tuple[str, str]]] = []
    line.sim.line.on_hangup = lambda hangup: committed.append(line.calls())
    call = line.sim.dial(VOTER, line.now)
    line.until(lambda: line.letters() == ["delivered"], 30)
    assert call.fate == "rejected" and call.answered_at is None
    assert committed[0] == [(VOTER, "missed")]  # on disk when the modem read the hang-up
    assert line.calls() == [(VOTER, "missed")] and sent_to(line) == [VOTER]
    assert "Thank you from Nashik" in line.sim.sent[0].text


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_a_missed_call_line_never_answers_and_makes_the_modem_promise_it(rig: MakeRig, profile: str) -> None:
    line = rig(profile=profile)
    line.sim.dial(VOTER, line.now, withheld=True)
    line.run(20)
    said = [command for _, command in line.sim.seen]
    assert "ATS0=0" in said and not any(c.startswith(("ATA", "ATD")) for c in said)
    assert line.calls() == [("", "missed")] and line.letters() == []


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_a_caller_who_gives_up_is_still_a_caller(rig: MakeRig, profile: str) -> None:
    line = rig(profile=profile, clip_s=0.3)
    line.sim.dial(VOTER, line.now, patience_s=0.1)
    line.run(12)
    assert len(line.calls()) == 1


FAULTS = (
    "ring-inside", "glued", "lost-end", "half-lines", "flood", "clcc-only", "no-clip", "late-clip", "ff", "garbage",
    "echo", "rings-on", "late-ok", "lost-answer", "stuck-prompt",
)  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("profile", ["generic", "sim7600", "quectel-lte"])
def test_whoever_reaches_the_line_is_recorded_once_whatever_the_modem_does(
    rig: MakeRig, profile: str, fault: str
) -> None:
    line, chance = rig(profile=profile, clip_s=0.2, seed=3), random.Random(3)
    line.sim.fault(fault, line.now)
    calls = []
    for n in range(12):
        calls.append(line.sim.dial(f"+9198000{n:05}", line.now, patience_s=chance.uniform(2, 8)))
        line.run(chance.uniform(0.4, 3))
    line.run(60)
    reached = [call for call in calls if call.fate != "busy"]
    assert len(line.calls()) == len(reached)


def test_one_ring_callers_while_replies_go_out(rig: MakeRig) -> None:
    line = rig(send_s=(4, 4))
    for n in range(40):
        line.sim.dial(f"+9198000{n:05}", line.now, patience_s=1.5)
        line.run(2.5)
    assert len({number for number, _ in line.calls()}) == 40


@pytest.mark.parametrize("seed", range(4))
def test_replies_yield_to_rings_in_a_storm_and_come_soon_after(rig: MakeRig, seed: int) -> None:
    line, chance = rig(send_s=(1.5, 3.5), clip_s=0.2, seed=seed), random.Random(seed)
    for n in range(12):
        line.sim.dial(f"+91980{seed:02}{n:05}", line.now, patience_s=chance.uniform(2, 8))
        line.run(chance.uniform(0.4, 3))
    assert len(line.calls()) >= 11
    line.until(lambda: set(line.letters()) <= {"sent", "delivered"}, 50)


def test_call_waiting(rig: MakeRig) -> None:
    line = rig(call_waiting=True)
    line.sim.dial(VOTER, line.now, patience_s=30)
    line.sim.dial(OTHER, line.now, patience_s=30)
    line.run(20)
    assert sorted(number for number, _ in line.calls()) in ([VOTER], sorted([VOTER, OTHER]))


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


def test_an_unreadable_sibling_or_a_taken_lock_holds_replies_back(rig: MakeRig) -> None:
    line = rig()
    line.station._siblings = lambda: None  # type: ignore[union-attr, assignment]
    line.sim.dial(VOTER, line.now)
    line.run(10)
    assert line.letters() == ["held"]
    line.station._siblings = list  # type: ignore[union-attr]
    line.station._guard = lambda: None  # type: ignore[union-attr, assignment]
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
    assert line.station is not None and line.station.desk.unread == 1


def test_the_same_pdu_read_twice_is_one_message(rig: MakeRig) -> None:
    line = rig()
    [pdu] = line.sim.sms_in(VOTER, "once", line.now)
    line.run(10)
    line.sim.pdu_in(pdu, line.now)
    line.run(10)
    assert len(line.rows("message")) == 1


# ------------------------------------------------------------------------------ restart, recovery


def test_a_cut_between_commit_and_hang_up_is_one_call_after_the_restart(rig: MakeRig) -> None:
    line = rig(clip_s=0.01)
    line.sim.fault("lost-answer", line.now)
    call = line.sim.dial(VOTER, line.now, patience_s=40)
    line.until(lambda: line.calls())
    line.cut()
    line.sim.fault_off("lost-answer", line.now)
    call.fate = call.fate  # still ringing, or rejected by the command that was written
    line.run(1)
    line.start()
    line.run(30)
    assert line.calls() == [(VOTER, "missed")]


def test_a_restart_finds_who_is_ringing_already(rig: MakeRig) -> None:
    line = rig()
    line.cut()
    call = line.sim.dial(VOTER, line.now, patience_s=40)
    line.run(2)
    line.start()
    line.run(4)
    assert call.fate == "rejected" and line.calls() == [(VOTER, "missed")]


def test_a_caller_who_rings_when_the_port_goes_is_still_one_record(rig: MakeRig) -> None:
    line = rig(clip_s=0.5)
    line.sim.dial(VOTER, line.now)
    line.run(0.1)
    assert line.station is not None and line.station.call.state == "ringing"
    line.station.disconnected(line.stamp(), "no-port", "gone")
    assert line.calls() == [("", "missed")]


@pytest.mark.parametrize(
    ("options", "state"),
    [({"pin": "1234"}, "sim-pin"), ({"puk": "12345678"}, "sim-puk")],
)
def test_a_sim_that_wants_something_is_told_in_a_state(tmp_path: Path, options: dict[str, object], state: str) -> None:
    line = Rig(tmp_path, **options)  # type: ignore[arg-type]
    line.run(20)
    assert line.station is not None and line.station.condition.state == state


def test_no_sim_then_a_sim(tmp_path: Path) -> None:
    line = Rig(tmp_path)
    line.sim.fault("no-sim", line.now)
    line.run(20)
    assert line.station is not None and line.station.condition.state == "no-sim"
    line.sim.fault_off("no-sim", line.now)
    line.until(lambda: line.station and line.station.condition.ready, 60)


def test_a_modem_that_says_nothing_is_knocked_at_until_it_speaks(tmp_path: Path) -> None:
    line = Rig(tmp_path)
    line.sim.fault("deaf", line.now)
    line.run(30)
    assert line.station is not None and line.station.condition.state == "no-answer"
    line.sim.fault_off("deaf", line.now)
    line.until(lambda: line.station and line.station.condition.ready, 60)


def test_a_restart_of_the_modem_brings_every_setting_back(rig: MakeRig) -> None:
    line = rig(profile="sim800")
    line.sim.restart(line.now)
    line.run(30)
    line.sim.seen.clear()
    line.sim.dial(VOTER, line.now)
    line.run(20)
    assert line.calls() == [(VOTER, "missed")]


def test_headquarters_learns_of_a_changed_state_but_not_of_every_flap(rig: MakeRig) -> None:
    line = rig()
    assert line.station is not None
    for _ in range(20):
        line.station.disconnected(line.stamp(), "no-port", "gone")
        line.run(1)
        line.station.connected(line.stamp())
        line.run(9)
    told = [row[10] for row in line.rows("line")]
    assert told[0] == "ready" and "no-port" in told and len(told) <= 5


def test_settings_are_sent_again_every_ten_minutes(rig: MakeRig) -> None:
    line = rig()
    line.sim.seen.clear()
    line.run(1300)
    assert [c for _, c in line.sim.seen].count("ATS0=0") >= 4


def test_no_network_is_a_state_and_calls_are_heard_when_it_returns(rig: MakeRig) -> None:
    line = rig()
    assert line.station is not None
    line.station.receive(b"\r\n+CREG: 0\r\n", line.stamp())
    assert line.station.condition.state == "no-network"
    line.station.receive(b"\r\n+CREG: 1\r\n", line.stamp())
    assert line.station.condition.state == "ready"


def test_the_networks_time_is_passed_on(rig: MakeRig) -> None:
    line, told = rig(), []
    assert line.station is not None
    line.station._told_time = told.append
    line.station.receive(b"\r\n^NWTIME: 26/08/05,04:00:21+22,00\r\n", line.stamp())
    assert told == [1785882621000]


def test_stamps_come_from_the_moment_of_the_input(rig: MakeRig) -> None:
    line = rig()
    line.sim.dial(VOTER, line.now)
    at = line.now
    line.run(5)
    [row] = line.rows("call")
    assert Stamp(*row[3:7]) == Stamp(line.boot, row[4], line.wall + row[4], 3)  # type: ignore[operator, misc]
    assert abs(row[4] / 1000 - at) < 0.1  # type: ignore[operator]
