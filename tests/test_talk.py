"""One talking call in made-up time, on every family that talks and on both sound paths: what the modem is told, what
the caller hears, what the ledger has at the end, and that nobody is ever billed for nothing.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from edge.campaign import Campaign
from tests.rig import campaign
from tests.talkrig import BACK, FILES, MENU, PCM, TalkRig, talking
from tools.simmodem.calls import Call, Callee

VOTER, OTHER = "+919812345678", "+919800000001"
PATHS = [(kind, True) for kind in PCM] + [(kind, False) for kind in FILES]


def made(folder: Path, kind: str = "sim7600", pcm: bool = True, about: Campaign | None = None) -> TalkRig:
    rig = TalkRig(folder, kind, about or talking(), pcm, **({"dtmf_urc": True} if kind == "a76xx" else {}))
    rig.run(20)  # prompts are carried into a module
    assert rig.station is not None and rig.station.condition.state == "ready"
    return rig


def called(rig: TalkRig, number: str = VOTER, talk_s: float = 170.0) -> Call:
    """A caller who is answered, and in the line."""
    call = rig.sim.dial(number, rig.now, 20.0, talk_s=talk_s)
    rig.until(lambda: call.fate, 20)
    assert call.fate == "answered"
    return call


def press(rig: TalkRig, *keys: str, gap: float = 2.0) -> None:
    for key in keys:
        rig.sim.press(key, rig.now)
        rig.run(gap)


@pytest.mark.parametrize(("kind", "pcm"), PATHS)
def test_a_caller_is_answered_votes_and_is_told_so(tmp_path: Path, kind: str, pcm: bool) -> None:
    rig = made(tmp_path, kind, pcm)
    call = called(rig)
    rig.run(1)
    press(rig, "1", "2", "2")  # English; the vote; those who use it
    rig.until(lambda: call.ended_at, 60)
    [(value, about)] = rig.told("answer")
    assert (value, about["issue"], about["key"], about["language"]) == ("users", "pay", "2", "en")
    assert rig.calls() == [(VOTER, "talked")]
    assert rig.told("language") == [("en", {})]
    steps = rig.steps()
    assert steps[0] == "connected" and steps[-1].startswith("end:done")
    assert [s for s in steps if s.startswith(("key", "goal"))] == [
        "key:1@language", "key:2@main", "key:2@vote", "goal@vote",
    ]  # fmt: skip
    seconds = [row[11] for row in rig.rows("call")][-1]
    assert abs(float(str(seconds)) - (call.ended_at or 0) + (call.answered_at or 0)) < 2


@pytest.mark.parametrize(("kind", "pcm"), PATHS)
def test_her_row_is_on_disk_before_she_is_answered(tmp_path: Path, kind: str, pcm: bool) -> None:
    rig = made(tmp_path, kind, pcm)
    found: list[list[tuple[str, str]]] = []
    rig.sim.channel.watch = lambda now, line: found.append(rig.calls()) if line == "ATA" else None
    called(rig)
    assert found == [[(VOTER, "missed")]]


@pytest.mark.parametrize(("kind", "pcm"), PATHS)
def test_a_grievance_is_recorded_opened_and_its_reference_sent(tmp_path: Path, kind: str, pcm: bool) -> None:
    rig = made(tmp_path, kind, pcm)
    call = called(rig)
    rig.run(1)
    press(rig, "1", "1")
    rig.until(lambda: rig.told("recording"), 40)
    rig.sim.speak(b"\x10\x20" * 8000 * 4, rig.now)
    rig.run(6)
    press(rig, "#")
    rig.until(lambda: call.ended_at, 90)
    rig.run(60)
    first, *_, (state, end) = rig.told("recording")
    assert first[1]["tags"] == "water,complaint" and first[1]["case"] is True
    assert state == "kept" and end["sha256"]
    sound = (tmp_path / "recordings" / str(first[1]["file"])).read_bytes()
    assert sound[:4] == b"RIFF" and b"\x10\x20" * 8000 in sound
    [(new, case)] = rig.told("case")
    assert new == "new" and int(str(case["due_ms"])) - int(str(case["opened_ms"])) == 86_400_000
    texts = [sent.text for sent in rig.sim.sent]
    assert f"Your number is {case['reference']}. Nashik" in texts and len(texts) == 2  # and the campaign's reply


@pytest.mark.parametrize(("kind", "pcm"), PATHS)
def test_hanging_up_while_talking_saves_the_take_and_opens_the_case(tmp_path: Path, kind: str, pcm: bool) -> None:
    rig = made(tmp_path, kind, pcm)
    call = called(rig)
    rig.run(1)
    press(rig, "1", "1")
    rig.until(lambda: rig.told("recording"), 40)
    rig.sim.speak(b"\x10\x20" * 8000 * 4, rig.now)
    rig.run(5)
    rig.sim.line.cancel(call, rig.now)
    rig.run(60)
    assert [state for state, _ in rig.told("recording")] == ["recording", "kept"]
    assert len(rig.told("case")) == 1 and "end:hung-up@tell" in rig.steps()
    assert rig.station is not None and not rig.station.board.busy


@pytest.mark.parametrize(("kind", "pcm"), PATHS)
def test_nine_stops_everything_and_we_hang_up(tmp_path: Path, kind: str, pcm: bool) -> None:
    rig = made(tmp_path, kind, pcm)
    call = called(rig)
    rig.run(0.5)
    press(rig, "9")
    rig.until(lambda: call.ended_at, 30)
    rig.run(30)
    assert call.hangup_at is not None and rig.station is not None and rig.station.ledger.opted_out(VOTER)
    assert rig.sim.sent == []  # nor the reply that was queued with the call


def test_one_who_goes_before_she_is_answered_is_never_billed(tmp_path: Path) -> None:
    rig = made(tmp_path)
    rig.sim.options.command_s = (1.0, 1.0)
    before = len(rig.seen())
    rig.until(lambda: len(rig.seen()) > before, 60)  # the line has begun to look after its modem: ATA has to wait
    call = rig.sim.dial(VOTER, rig.now, 0.3)
    rig.run(30)
    assert call.fate == "gave-up" and "ATA" not in rig.seen() and rig.calls() == [(VOTER, "gave-up")]


def test_a_caller_who_leaves_between_ring_and_answer_is_written_down_as_that(tmp_path: Path) -> None:
    rig = made(tmp_path)
    gone: list[Call] = []

    def leave(now: float, line: str) -> None:
        if line == "ATA":
            rig.sim.line.cancel(gone[0], now)

    gone.append(rig.sim.dial(VOTER, rig.now, 20.0))
    rig.sim.channel.watch = leave
    rig.run(30)
    assert gone[0].fate == "gave-up" and rig.calls() == [(VOTER, "gave-up")]
    rig.sim.channel.watch = None
    called(rig, OTHER)


@pytest.mark.parametrize("kind", ["sim7600", "quectel-lte", "huawei-voice"])
def test_an_end_mark_that_is_lost_is_found_out(tmp_path: Path, kind: str) -> None:
    rig = made(tmp_path, kind)
    call = called(rig)
    rig.run(2)
    rig.sim.fault("lost-end", rig.now)
    rig.sim.line.cancel(call, rig.now)
    rig.run(7)
    assert rig.station is not None and not rig.station.board.busy and rig.steps()[-1].startswith("end:hung-up")


def test_a_second_caller_is_kept_and_told_busy_and_the_talk_goes_on(tmp_path: Path) -> None:
    rig = made(tmp_path, "quectel-lte")
    call = called(rig)
    rig.run(2)
    second = rig.sim.dial(OTHER, rig.now, 20.0)
    rig.run(5)
    assert second.fate == "rejected" and call.ended_at is None
    assert (OTHER, "missed") in rig.calls()
    press(rig, "1", "2", "1")
    rig.until(lambda: call.ended_at, 60)
    assert len(rig.told("answer")) == 1


def test_the_next_caller_is_answered_too(tmp_path: Path) -> None:
    rig = made(tmp_path)
    for number in (VOTER, OTHER, VOTER):
        call = called(rig, number)
        rig.run(3)
        rig.sim.line.cancel(call, rig.now)
        rig.run(4)
    assert [outcome for _, outcome in rig.calls()] == ["talked"] * 3


def test_a_modem_that_vanishes_ends_the_call_in_the_ledger(tmp_path: Path) -> None:
    rig = made(tmp_path)
    called(rig)
    rig.run(3)
    rig.sim.fault("vanish", rig.now, 5)
    assert rig.station is not None
    rig.station.disconnected(rig.stamp(), "no-port", "it has gone")
    assert rig.calls() == [(VOTER, "talked")] and rig.steps()[-1].startswith("end:hung-up")
    assert not rig.station.board.busy


@pytest.mark.parametrize("kind", ["sim7600", "quectel-lte", "huawei-voice"])
def test_a_call_that_a_dead_process_left_behind_is_hung_up(tmp_path: Path, kind: str) -> None:
    rig = made(tmp_path, kind)
    call = called(rig)
    rig.run(3)
    rig.cut()
    rig.now += 2
    rig.start()
    rig.run(15)
    assert call.hangup_at is not None, "she is billed for silence"
    called(rig, OTHER)


def test_a_modem_without_voice_firmware_bills_nobody_twice(tmp_path: Path) -> None:
    rig = TalkRig(tmp_path, "huawei-voice", talking(), refuse=("AT^DDSETEX",))
    rig.run(20)
    first = called(rig)
    rig.until(lambda: first.ended_at, 30)
    second = rig.sim.dial(OTHER, rig.now, 20.0)
    rig.run(10)
    assert second.fate == "rejected" and rig.calls()[-1] == (OTHER, "missed")
    assert rig.station is not None and "no voice over USB" in rig.station.board.why_mute(rig.now)


@pytest.mark.parametrize("kind", ["generic", "sim800", "quectel-2g"])
def test_a_modem_that_cannot_talk_answers_nobody(tmp_path: Path, kind: str) -> None:
    rig = TalkRig(tmp_path, kind, talking())
    rig.run(20)
    call = rig.sim.dial(VOTER, rig.now, 20.0)
    rig.run(10)
    assert call.fate == "rejected" and call.answered_at is None


def test_a_missed_call_line_never_answers_whatever_its_modem_can(tmp_path: Path) -> None:
    rig = made(tmp_path, "sim7600", about=campaign())
    call = rig.sim.dial(VOTER, rig.now, 20.0)
    rig.run(10)
    assert call.fate == "rejected" and not any(line.startswith(("ATA", "ATD")) for line in rig.seen())


def test_a_full_disk_takes_no_recording_and_goes_on_hearing_callers(tmp_path: Path) -> None:
    rig = made(tmp_path)
    rig.room = False
    call = called(rig)
    rig.run(1)
    press(rig, "1", "1")
    rig.until(lambda: call.ended_at, 90)
    assert rig.told("recording") == [] and "no-room.en" in rig.helper.said
    assert rig.calls() == [(VOTER, "talked")]


def test_one_who_does_nothing_is_not_kept_for_ever(tmp_path: Path) -> None:
    rig = made(tmp_path)
    rig.voice = bytes(320)
    call = called(rig, talk_s=600)
    rig.run(200)
    assert call.ended_at is not None and call.seconds <= 185 and call.hangup_at is not None


# ------------------------------------------------------------------------------------ call-backs


def back(folder: Path, kind: str = "sim7600", does: str = "answer", pcm: bool = True, **callee: object) -> TalkRig:
    rig = made(folder, kind, pcm, campaign(BACK))
    rig.sim.line.callees[VOTER] = Callee(does=does, **callee)  # type: ignore[arg-type]
    return rig


def rung(rig: TalkRig) -> list[Call]:
    return [call for call in rig.sim.calls if call.outgoing]


@pytest.mark.parametrize(("kind", "pcm"), PATHS)
def test_a_missed_call_is_rung_back_within_a_minute(tmp_path: Path, kind: str, pcm: bool) -> None:
    rig = back(tmp_path, kind, pcm=pcm)
    missed = rig.sim.dial(VOTER, rig.now, 20.0)
    rig.until(lambda: rung(rig), 60)
    assert missed.fate == "rejected" and rung(rig)[0].dialled_at - (missed.ended_at or 0) < 60
    assert [outcome for _, outcome in rig.calls()] == ["missed", "unreached"]  # on disk before it is dialled
    rig.until(lambda: rung(rig)[0].answered_at, 60)
    rig.run(2)
    press(rig, "1", "2", "1")
    rig.until(lambda: rung(rig)[0].ended_at, 90)
    rig.run(20)
    assert [outcome for _, outcome in rig.calls()] == ["missed", "called-back"]
    assert rig.told("answer")[0][0] == "all" and len(rung(rig)) == 1
    rig.run(3 * 3600)
    assert len(rung(rig)) == 1  # never again after an answer


@pytest.mark.parametrize(("does", "why"), [
    ("busy", "busy"), ("refuse", "refused"), ("no-answer", "no-answer"), ("off", "off"),
])  # fmt: skip
@pytest.mark.parametrize("kind", PCM)
def test_why_nobody_answered_is_told_apart(tmp_path: Path, kind: str, does: str, why: str) -> None:
    rig = back(tmp_path, kind, does)
    rig.sim.dial(VOTER, rig.now, 20.0)
    rig.until(lambda: rung(rig) and rung(rig)[0].ended_at, 200)
    rig.run(10)
    assert [extra["why"] for _, extra in rig.told("call") if "why" in extra] == [why]


def test_three_tries_two_hours_apart_and_no_more(tmp_path: Path) -> None:
    rig = back(tmp_path, does="busy")
    rig.sim.dial(VOTER, rig.now, 20.0)
    rig.run(9 * 3600)
    times = [call.dialled_at for call in rung(rig)]
    assert len(times) == 3 and all(b - a >= 7200 for a, b in itertools.pairwise(times))


def test_nobody_is_rung_back_after_stop(tmp_path: Path) -> None:
    rig = back(tmp_path, does="busy")
    rig.sim.dial(VOTER, rig.now, 20.0)
    rig.until(lambda: rung(rig), 60)
    rig.sim.sms_in(VOTER, "STOP", rig.now)
    rig.run(9 * 3600)
    assert len(rung(rig)) == 1


def test_nine_in_a_call_back_is_the_last_of_it(tmp_path: Path) -> None:
    rig = back(tmp_path)
    rig.sim.dial(VOTER, rig.now, 20.0)
    rig.until(lambda: rung(rig) and rung(rig)[0].answered_at, 60)
    rig.run(1)
    assert rig.helper.said[0].startswith("identity")
    press(rig, "9")
    rig.run(60)
    assert rig.station is not None and rig.station.ledger.opted_out(VOTER)
    rig.sim.dial(VOTER, rig.now, 20.0)
    rig.run(9 * 3600)
    assert len(rung(rig)) == 1


def test_headquarters_orders_a_call_back_and_moves_a_case(tmp_path: Path) -> None:
    from edge.orders import Order

    rig = back(tmp_path)
    rig.orders.append(Order(1, 7, "call-back", {"number": VOTER, "campaign": "water"}))
    rig.orders.append(Order(2, 8, "call-back", {"number": "121", "campaign": "water"}))
    rig.orders.append(Order(3, 9, "case", {"reference": "1", "state": "resolved"}))
    rig.orders.append(Order(4, 10, "dance", {}))
    rig.run(20)
    answers = [(state, extra["order"]) for state, extra in rig.told("order")]
    assert answers == [("done", 7), ("refused", 8), ("refused", 9), ("refused", 10)]
    assert len(rung(rig)) == 1


def test_the_menu_of_these_tests_is_in_order() -> None:
    assert talking().menu is not None and "callback" in BACK and "menu" in MENU
