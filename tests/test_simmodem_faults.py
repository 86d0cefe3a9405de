"""Each fault of the simulated modem shows when it is on, and is gone when it is off."""

from __future__ import annotations

import re

import pytest

from tests.simhost import VOTER, Host, lines
from tools.simmodem import FAULTS


def test_every_fault_can_be_switched_and_is_refused_by_name() -> None:
    for name in FAULTS:
        host = Host()
        host.modem.fault(name, host.now)
        host.modem.fault_off(name, host.now)
        host.wait(10)
        host.modem.faults.off(name)
        assert lines(host.ask("ATE0"))[-1] == "OK", name
    with pytest.raises(ValueError, match="there are: silence"):
        Host().modem.fault("nonsense", 0)
    with pytest.raises(ValueError, match="outside 0 to 1"):
        Host().modem.fault("ff", 0, 2)


def test_silence_and_deafness() -> None:
    host = Host()
    host.modem.fault("silence", host.now)
    call = host.dial(patience_s=3)
    assert host.ask("AT") + host.wait(2) == "" and call.rings == 1
    host.modem.fault_off("silence", host.now)
    assert lines(host.ask("AT")) == ["OK"]
    host.modem.fault("deaf", host.now)
    host.wait(5)
    call = host.dial()
    assert "RING" in host.wait(1) and host.ask("AT+CHUP") == "" and call.fate == ""


@pytest.mark.parametrize("name", ["garbage", "ff"])
def test_bytes_that_do_not_belong(name: str) -> None:
    host, clean = Host(), Host()
    host.modem.fault(name, host.now, 1.0)
    said = host.ask("AT+CSQ")
    assert said != clean.ask("AT+CSQ") and len(said) > len(clean.ask("AT+CSQ"))
    assert name != "ff" or said.replace("\xff", "") == clean.ask("AT+CSQ")


def test_half_lines_keep_their_order() -> None:
    host = Host()
    host.modem.fault("half-lines", host.now, 0.01)
    first = host.ask("AT+CSQ")
    assert 1 <= len(first) <= 3
    host.dial()
    assert re.sub(r"[\r\n]+", "|", first + host.wait(2)).startswith("|+CSQ: 21,99|OK|RING|+CLIP")


def test_echo_that_stays() -> None:
    host = Host()
    host.modem.fault("echo", host.now)
    assert host.ask("ATE0") == "ATE0\r\r\nOK\r\n" and host.ask("AT") == "AT\r\r\nOK\r\n"


def test_numbers_that_come_late_never_or_by_asking() -> None:
    host = Host()
    host.modem.fault("late-clip", host.now, 1.0)
    host.dial(patience_s=4)
    assert lines(host.wait(0.9)) == ["RING"] and "+CLIP" in host.wait(0.2)
    host.wait(5)
    host.modem.fault_off("late-clip", host.now)
    host.modem.fault("no-clip", host.now)
    host.dial(patience_s=4)
    assert lines(host.wait(3)) == ["RING"] and VOTER in host.ask("AT+CLCC")
    host.wait(5)
    host.modem.fault_off("no-clip", host.now)
    host.modem.fault("clcc-only", host.now, 3)
    call = host.dial()
    assert [VOTER in host.ask("AT+CLCC") for _ in range(3)] == [False, False, True]
    assert call.told_at == host.now


def test_late_number_of_a_caller_who_is_gone_is_never_written() -> None:
    host = Host()
    host.modem.fault("late-clip", host.now, 1.0)
    host.dial(patience_s=0.5)
    assert "+CLIP" not in host.wait(5)


def test_error_storm_does_nothing() -> None:
    host = Host()
    host.modem.fault("errors", host.now, 1.0)
    call = host.dial()
    host.wait(1)
    assert lines(host.ask("AT+CHUP")) == ["ERROR"] and call.fate == ""


def test_a_modem_that_vanishes_cuts_its_call_and_its_message() -> None:
    host = Host(send_s=(5, 5))
    host.send()
    call = host.dial()
    host.wait(1)
    host.modem.fault("vanish", host.now, 2.5)
    assert host.modem.gone and (call.fate, host.modem.sent[0].outcome) == ("gave-up", "cut")
    assert host.dial().fate == "unreachable" and host.ask("AT") == ""
    host.wait(2.6)
    assert not host.modem.gone and lines(host.ask("ATE0"))[-1] == "OK"
    assert host.wait(20) == ""


def test_slow_sms_and_stuck_prompt() -> None:
    host = Host(send_s=(1, 1))
    host.modem.fault("slow-sms", host.now, 30)
    host.send()
    assert host.wait(29) == "" and "+CMGS" in host.wait(2)
    host.modem.fault_off("slow-sms", host.now)
    host.modem.fault("stuck-prompt", host.now)
    host.send()
    host.modem.fault_off("stuck-prompt", host.now)
    assert host.wait(60) == "" and host.ask("AT") == "" and host.write(b"\x1a") + host.wait(60) == ""
    assert lines(host.write(b"\x1b")) == ["OK"] and lines(host.ask("AT")) == ["OK"]


def test_sim_gone_and_back() -> None:
    host = Host()
    host.ask("AT+CMEE=1;+CMGF=0")
    host.modem.fault("no-sim", host.now)
    assert lines(host.wait(1)) == ["+CPIN: NOT INSERTED"]
    assert lines(host.ask("AT+CMGS=28")) == ["+CMS ERROR: 310"] and host.dial().fate == "unreachable"
    host.modem.sms_in(VOTER, "waits", host.now)
    host.modem.fault_off("no-sim", host.now)
    host.wait(1)
    assert len(host.modem.mailbox.stores["SM"]) == 1


def test_flood_ends_when_switched_off() -> None:
    host = Host("huawei-voice")
    host.modem.fault("flood", host.now, 100)
    assert 90 <= len(lines(host.wait(1))) <= 110
    host.modem.fault_off("flood", host.now)
    host.wait(1)
    assert host.wait(10) == "" and host.modem.deadline() is None


def test_ring_inside_every_response() -> None:
    host = Host(clip_s=0)
    host.modem.fault("ring-inside", host.now, 0.5)
    host.dial()
    assert host.wait(0.2) == ""
    assert re.fullmatch(r"RING,\+CLIP.*,\+CSQ: 21,99,OK", ",".join(lines(host.ask("AT+CSQ"))))
    assert "RING" in host.ask("AT+CSQ"), "and in the next one, while the caller is there"
    host.ask("AT+CHUP")
    assert "RING" not in host.ask("AT+CSQ")
    host.dial()
    assert "RING" in host.wait(0.6), "an idle line hides nothing for ever"


def test_urc_glued_behind_ok() -> None:
    host = Host(clip_s=0)
    host.modem.fault("glued", host.now)
    host.dial()
    host.wait(0.1)
    assert host.ask("AT").startswith("\r\nOK\r\n\r\nRING\r\n\r\n+CLIP")


def test_lost_end_marks() -> None:
    host = Host("huawei-voice")
    host.modem.fault("lost-end", host.now, times=1)
    for mark in (False, True):
        host.dial(patience_s=1)
        assert ("^CEND" in host.wait(3)) is mark


def test_ok_and_rings_on() -> None:
    host = Host()
    host.modem.fault("rings-on", host.now, 2)
    call = host.dial()
    host.wait(1)
    for fate in ("", "", "rejected"):
        assert lines(host.ask("AT+CHUP")) == ["OK"] and call.fate == fate


def test_late_and_lost_answers() -> None:
    host = Host()
    host.modem.fault("late-ok", host.now, 6.0, times=1)
    assert host.ask("AT+CRC=1") == "" and host.wait(5.9) == "" and lines(host.wait(0.2)) == ["OK"]
    host.modem.fault("lost-answer", host.now, times=1)
    assert host.ask("AT+CRC=0") + host.wait(30) == "" and "+CRC: 0" in host.ask("AT+CRC?")
