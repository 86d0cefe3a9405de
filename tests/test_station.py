"""One line's conduct against simulated modems, in made-up time: what the voter, the SIM and the ledger see."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.events import Stamp
from tests.rig import PROFILES, Rig

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
    assert told[0] == "ready" and "no-port" in told and len(told) <= 9


def signs(line: Rig) -> list[tuple[object, ...]]:
    """State, extra and monotonic second of each row about the line."""
    return [(row[10], row[12], round(row[4] / 1000)) for row in line.rows("line")]  # type: ignore[operator]


@pytest.mark.parametrize("clock", [0, 3])
def test_a_state_that_stays_is_told_again_every_ten_minutes_without_words(rig: MakeRig, clock: int) -> None:
    line = rig()
    line.clock = clock
    assert line.station is not None
    line.run(1900)
    (state, _, began), *again = signs(line)
    assert state == "ready" and again == [("ready", "", began + 600 * n) for n in (1, 2, 3)]
    line.station.disconnected(line.stamp(), "no-port", "gone")
    line.run(1300)
    assert [(state, about) for state, about, _ in signs(line)[4:]] == [
        ("no-port", '{"words":"gone"}'), ("no-port", ""), ("no-port", ""),
    ]  # fmt: skip


def test_a_line_wakes_up_for_its_sign_of_life_and_only_once(rig: MakeRig) -> None:
    line = rig()
    assert line.station is not None
    line.station.disconnected(line.stamp(), "no-port", "gone")  # nothing else is due then
    line.station.tick(line.stamp())
    line.run(61)  # bad news may wait for its minute
    assert [row[10] for row in line.rows("line")] == ["ready", "no-port"]
    for n in range(3, 6):
        due = line.station.deadline()
        assert due is not None and line.now + 500 < due < line.now + 601
        line.now = due + 0.001
        line.station.tick(line.stamp())
        assert len(line.rows("line")) == n


def test_nobody_who_rings_waits_for_a_sign_of_life(rig: MakeRig) -> None:
    line = rig(clip_s=2.0)
    assert line.station is not None
    station = line.station
    line.run(station._sign_at - line.now - 0.1)
    told, busy = len(line.rows("line")), []
    line.committed = lambda rig: busy.append(station.call.busy and len(rig.rows("line")) > told)
    line.sim.dial(VOTER, line.now, patience_s=6)
    line.run(0.15)
    assert station.call.busy and station.now > station._sign_at and len(line.rows("line")) == told
    line.run(60)
    assert len(line.rows("line")) == told + 1 and busy and True not in busy


def test_a_modem_that_is_woken_up_for_ever_is_told(rig: MakeRig) -> None:
    line = rig()
    assert line.station is not None
    began = signs(line)[0][2]
    line.station.connected_now = False
    line.station.condition.state = "starting"
    line.run(1300)
    assert signs(line)[1:] == [("starting", '{"operator":"Vi India"}', began + 660), ("starting", "", began + 1260)]


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
