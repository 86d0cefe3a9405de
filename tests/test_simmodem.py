"""The modem in software, under made-up time: each kind behaves as its makers and its users say."""

from __future__ import annotations

import random
import re
import tomllib
from pathlib import Path

import pytest

from tests.simhost import OTHER, VOTER, Host, every_family, lines
from tools.simmodem import FAMILIES, Callee, SimModem

ROOT = Path(__file__).parent.parent


# ------------------------------------------------------------------------------ the AT channel


def test_profiles_of_the_box_and_kinds_of_the_simulator_are_the_same() -> None:
    assert {path.stem for path in (ROOT / "firmware_config" / "modems").glob("*.toml")} == set(FAMILIES)


@every_family
def test_every_start_up_list_of_the_box_passes(profile: str) -> None:
    host = Host(profile, setup="")
    steps = tomllib.loads((ROOT / "firmware_config" / "modems" / f"{profile}.toml").read_text())["init"]
    for step in steps:
        answers = []
        for command in (step["cmd"], *step.get("alternatives", [])):
            answers.append(lines(host.ask(command) + host.wait(0.1))[-1])
            if answers[-1] == "OK":
                break
        assert "OK" in answers or step.get("optional"), f"{step['cmd']}: {answers}"


@every_family
def test_identity(profile: str) -> None:
    host = Host(profile)
    family = host.modem.family
    assert lines(host.ask("AT+CGMI;+CGMM;+CGMR")) == [family.cgmi, family.cgmm, family.cgmr, "OK"]
    (imei, _) = lines(host.ask("AT+CGSN"))
    doubled = [int(d) * (1 + i % 2) for i, d in enumerate(imei)]
    assert len(imei) == 15 and sum(n // 10 + n % 10 for n in doubled) % 10 == 0
    assert imei != lines(SimModem(profile, name="sim2").receive(b"ATE0\rAT+CGSN\r", 0).decode())[2]


def test_echo_until_switched_off() -> None:
    host = Host(setup="")
    assert host.ask("AT+CSQ") == "AT+CSQ\r\r\n+CSQ: 21,99\r\n\r\nOK\r\n"
    assert host.ask("ATE0") == "ATE0\r\r\nOK\r\n"
    assert host.ask("AT+CSQ") == "\r\n+CSQ: 21,99\r\n\r\nOK\r\n"


def test_a_line_may_hold_several_commands_and_the_first_bad_one_ends_it() -> None:
    host = Host()
    assert lines(host.ask('ATE0V1S0=0+CRC=1;+CSCS="GSM";+CRC?;+CVHU?')) == ["+CRC: 1", "+CVHU: 0", "OK"]
    assert lines(host.ask("AT+CRC?;+NOSUCH;+CVHU?")) == ["+CRC: 1", "ERROR"]
    assert lines(host.ask("ATS0?")) == ["000", "OK"]
    assert lines(host.ask('AT+CPMS="SM;";+CRC?'))[-1] == "+CMS ERROR: 302", "a semicolon in quotes does not cut"


@pytest.mark.parametrize(
    ("mode", "said"), [("0", "ERROR"), ("1", "+CME ERROR: 10"), ("2", "+CME ERROR: SIM not inserted")]
)
def test_errors_as_cmee_asks(mode: str, said: str) -> None:
    host = Host()
    host.ask(f"AT+CMEE={mode}")
    host.modem.fault("no-sim", host.now)
    host.wait(1)
    assert lines(host.ask("AT+CPIN?")) == [said]


def test_a_command_that_takes_time_holds_the_next_one_back() -> None:
    host = Host(setup="", command_s=(0.3, 0.3))
    host.modem.settings["E"] = "0"
    assert host.write(b"AT+CRC?\rAT+CVHU?\r") == ""
    assert lines(host.wait(0.4)) == ["+CRC: 0", "OK"]
    assert lines(host.wait(0.4)) == ["+CVHU: 0", "OK"]


def test_any_bytes_at_all_are_survived() -> None:
    host, rng = Host(), random.Random(5)
    for _ in range(300):
        host.write(rng.randbytes(rng.randint(1, 300)))
        host.wait(0.5)
    host.write(b"A" * 100_000)
    host.write(b"\x1b\r")
    host.wait(60)
    assert lines(host.ask("ATE0"))[-1] == "OK"


# -------------------------------------------------------------------------------------- calls


@every_family
def test_a_caller_rings_is_known_and_is_rejected(profile: str) -> None:
    host = Host(profile)
    ended = host.modem.family.end_local
    call = host.dial()
    said = lines(host.wait(0.1))
    assert said[0] == "RING" and said[1].startswith(f'+CLIP: "{VOTER}",145')
    assert call.told_at == pytest.approx(0.005)
    listed = lines(host.ask("AT+CLCC"))
    assert any(re.match(rf'\+CLCC: \d,1,4,0,0,"\{VOTER}",145', line) for line in listed)
    assert host.wait(host.modem.family.ring_s).count("RING") == 1
    said = lines(host.ask("AT+CHUP"))
    assert (call.fate, call.hangup_at, call.ended_at) == ("rejected", host.now, host.now)
    assert "OK" in said and len(said) == 1 + len(ended)
    assert host.wait(30) == "" and "CLCC: 1,1" not in host.ask("AT+CLCC")


def test_end_mark_before_or_after_the_ok() -> None:
    for profile, order in (
        ("sim7600", ["VOICE CALL: END: 000000", "OK"]),
        ("a76xx", ["OK", "VOICE CALL: END: 000000"]),
        ("huawei-voice", ["OK", "^CEND:1,0,29,16"]),
        ("generic", ["OK"]),
    ):
        host = Host(profile)
        host.dial()
        host.wait(1)
        assert lines(host.ask("AT+CHUP")) == order, profile


@pytest.mark.parametrize(
    ("profile", "mark"),
    [
        ("generic", None),
        ("huawei-voice", "^CEND:1,0,104,16"),
        ("sim800", "NO CARRIER"),
        ("sim7600", r"MISSED_CALL: \d\d:\d\d[AP]M \+919812345678"),
        ("quectel-lte", "NO CARRIER"),
    ],
)
def test_a_caller_who_gives_up(profile: str, mark: str | None) -> None:
    host = Host(profile)
    call = host.dial(patience_s=1.5)
    said = lines(host.wait(10))
    assert (call.fate, call.ended_at, call.hangup_at) == ("gave-up", 1.5, None)
    assert said[2:] == [] if mark is None else re.fullmatch(mark.replace("^", r"\^"), said[-1])


@pytest.mark.parametrize("profile", ["sim7600", "a76xx", "huawei-voice"])
def test_ath_is_answered_and_ignored_until_cvhu_is_0(profile: str) -> None:
    host = Host(profile, setup="ATE0;+CLIP=1")
    call = host.dial()
    host.wait(1)
    assert lines(host.ask("ATH")) == ["OK"] and call.fate == ""
    assert host.wait(6).count("RING") == 1
    host.ask("AT+CVHU=0")
    host.ask("ATH")
    assert call.fate == "rejected"


def test_withheld_and_national_callers() -> None:
    host = Host("sim800")
    host.dial("", 1, withheld=True)
    assert '+CLIP: "",128,"",0,"",1' in host.wait(0.5)
    assert '"",128' in host.ask("AT+CLCC")
    host = Host("sim7600")
    host.dial("09812345678")
    assert '+CLIP: "09812345678",128' in host.wait(0.5)


def test_cring_after_another_program() -> None:
    host = Host(settings={"+CRC": "1"})
    host.dial()
    assert lines(host.wait(1))[0] == "+CRING: VOICE"


def test_sim7600_frames_later_rings_with_two_crs() -> None:
    host = Host("sim7600")
    host.dial()
    assert "\r\n\r\r\n+CLIP" not in host.wait(1)
    assert host.wait(6).startswith("\r\r\nRING\r\r\n")


def test_ids_of_calls() -> None:
    host = Host("sim7600")
    for _ in range(2):
        host.dial(patience_s=1)
        assert "+CLCC: 4,1,4" in host.ask("AT+CLCC"), "an id is used again at once"
        host.wait(1.2)
    host = Host("quectel-lte")
    assert lines(host.ask("AT+CLCC")) == ['+CLCC: 1,0,0,1,0,"",128', "OK"]
    host.dial()
    assert "+CLCC: 2,1,4,0,0" in host.ask("AT+CLCC")


def test_maker_s_urcs_of_a_call_where_enabled() -> None:
    host = Host("quectel-lte")
    host.ask('AT+QINDCFG="ccinfo",1,0')
    host.ask('AT+QINDCFG="smsfull",1,0')
    host.dial(patience_s=1)
    said = lines(host.wait(2))
    assert f'+QIND: "ccinfo",2,1,4,0,0,"{VOTER}",145' in said
    assert f'+QIND: "ccinfo",2,1,-1,0,0,"{VOTER}",145' in said
    host.ask('AT+QINDCFG="ccinfo",0,0')
    host.ask("AT^DSCI=1")
    host.dial("13022100000")
    host.wait(1)
    assert lines(host.ask("AT+QHUP=21,2")) == ["OK", "^DSCI: 1,1,6,0,13022100000,129,0"]
    host = Host("sim800")
    host.ask("AT+CLCC=1")
    host.dial(patience_s=1)
    assert [line.split(",")[2] for line in lines(host.wait(2)) if line.startswith("+CLCC")] == ["4", "6"]


def test_one_caller_at_a_time() -> None:
    host = Host()
    host.ask("AT+CCWA=1")
    first, second = host.dial(), host.dial(OTHER)
    assert (first.fate, second.fate) == ("", "busy"), "no call waiting before the answer"
    host.wait(1)
    host.ask("AT+CHUP")
    third = host.dial(OTHER)
    host.wait(0.1)
    assert third.fate == "" and third.rang_at == host.now - 0.1


def test_call_waiting() -> None:
    host = Host("generic")
    host.ask("AT+CCWA=1")
    first = host.dial(talk_s=60)
    host.wait(1)
    assert lines(host.ask("ATA")) == ["OK"] and first.fate == "answered"
    second = host.dial(OTHER)
    assert f'+CCWA: "{OTHER}",145,1' in host.wait(0.1)
    assert "+CLCC: 2,1,5" in host.ask("AT+CLCC")
    host.ask("AT+CHLD=0")
    assert (first.state, second.fate) == ("active", "rejected")
    host.wait(70)
    assert (first.state, first.seconds) == ("over", 60)
    host.ask("AT+CCWA=0")
    host.dial(), host.wait(1), host.ask("ATA")
    assert host.dial(OTHER).fate == "busy"


def test_automatic_answering_left_on_answers() -> None:
    host = Host(settings={"S0": "1"})
    call = host.dial()
    host.wait(8)
    assert call.fate == "answered"
    host = Host()
    host.ask("ATS0=0")
    call = host.dial(patience_s=30)
    host.wait(29)
    assert call.fate == "" and call.rings == 6


def test_keys_and_placed_calls() -> None:
    host = Host("huawei-voice")
    host.modem.line.callees[VOTER] = Callee("answer", 3, 5)
    host.ask(f"ATD{VOTER};")
    assert lines(host.wait(10)) == ["^ORIG:1,0", "^CONF:1", "^CONN:1,0", "^CEND:1,5,25,16"]
    host.modem.line.callees[VOTER] = Callee("busy", 2)
    host = Host("quectel-lte")
    host.modem.line.callees[VOTER] = Callee("busy", 2)
    host.ask(f"ATD{VOTER};")
    assert lines(host.wait(3)) == ["BUSY"] and host.modem.calls[-1].fate == "busy"
    host.ask("AT+QTONEDET=1")
    host.dial(), host.wait(1), host.ask("ATA")
    host.modem.press("8", host.now)
    assert lines(host.wait(0.1)) == ["+QTONEDET: 56"]


def test_the_hook_sees_the_hang_up_before_it_is_obeyed() -> None:
    host = Host()
    call = host.dial()
    host.wait(1)
    fates: list[str] = []
    host.modem.line.on_hangup = lambda hangup: fates.append(hangup.call.fate if hangup.call else "?")
    host.ask("AT+CHUP")
    assert fates == [""] and call.fate == "rejected"
    assert [(h.at, h.command, h.call) for h in host.modem.hangups] == [(1.0, "AT+CHUP", call)]


# ------------------------------------------------------------------------- SIM, network, power


def test_pin_and_puk() -> None:
    host = Host(pin="1234")
    host.ask("AT+CMEE=1")
    assert lines(host.ask("AT+CPIN?")) == ["+CPIN: SIM PIN", "OK"]
    assert lines(host.ask("AT+CMGL=4")) == ["+CMS ERROR: 311"] and host.dial().fate == "unreachable"
    assert lines(host.ask('AT+CPIN="0000"')) == ["+CME ERROR: 16"]
    assert lines(host.ask('AT+CPIN="1234"')) == ["OK"] and host.dial().fate == ""
    host = Host(pin="1234", puk="12345678")
    host.ask("AT+CMEE=1")
    assert lines(host.ask("AT+CPIN?")) == ["+CPIN: SIM PUK", "OK"]
    assert lines(host.ask('AT+CPIN="1234"')) == ["+CME ERROR: 16"]
    host.ask('AT+CPIN="12345678","1234"')
    assert lines(host.ask("AT+CPIN?")) == ["+CPIN: READY", "OK"]
    host = Host(pin="1234")
    for _ in range(3):
        host.ask('AT+CPIN="0000"')
    assert lines(host.ask("AT+CPIN?")) == ["+CPIN: SIM PUK", "OK"]


def test_network_and_clock() -> None:
    host = Host(wall_at_zero=1_795_000_000.0)
    assert lines(host.ask("AT+CREG=2;+CREG?")) == ['+CREG: 2,1,"4CA","81DE445"', "OK"]
    assert lines(host.ask("AT+COPS?")) == ['+COPS: 0,0,"Vi India"', "OK"]
    assert lines(host.ask("AT+CCLK?")) == ['+CCLK: "26/11/18,16:36:40+22"', "OK"]
    host.ask("AT+CFUN=0")
    assert lines(host.ask("AT+CREG?")) == ["+CREG: 2,0", "OK"] and host.dial().fate == "unreachable"
    host.ask('AT+CUSD=1,"*123#",15')
    assert "Rs 42.50" in host.wait(2)


@pytest.mark.parametrize(("profile", "usb"), [("sim800", False), ("quectel-lte", True)])
def test_a_restart_forgets_every_setting(profile: str, usb: bool) -> None:
    host = Host(profile, sim_busy_s=2)
    call = host.dial()
    host.wait(1)
    assert lines(host.ask("AT+CFUN=1,1")) == ["OK"]
    host.wait(1)
    assert host.modem.gone is usb and call.fate == "gave-up" and host.ask("AT") == ""
    assert lines(host.wait(4))[:1] == ["RDY"]
    assert host.ask("AT").startswith("AT\r"), "the echo is back"
    host.ask("ATE0")
    assert lines(host.ask("AT+CLIP?;+CVHU?"))[0] == "+CLIP: 0,1"
