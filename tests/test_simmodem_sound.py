"""The sound of a simulated call: the audio port, keys and speech of the caller, files in the module, and how calls that
the modem places end."""

from __future__ import annotations

import cmath
import math
import os
import re
import select
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.simhost import VOTER, Host, lines
from tools.simmodem import FAMILIES, Callee, Farm, silence, sound_of, tone, wav
from tools.simmodem.calls import SOUND_OF
from tools.simmodem.console import Console, Refused
from tools.simmodem.drive import checksum
from tools.simmodem.ports import Port
from tools.simmodem.tones import COLUMNS, KEYS, ROWS

FRAME = 320
SETUP = {
    "huawei-voice": ("ATA", "AT^DDSETEX=2"),
    "sim7600": ("ATA", "AT+CPCMREG=1"),
    "quectel-lte": ("AT+QPCMV=1,0;A",),
}
with_pcm = pytest.mark.parametrize("profile", list(SETUP))


def speech(frames: int, seed: int = 0) -> bytes:
    """So many frames, no two alike, none silent."""
    return b"".join(struct.pack("<160h", *([1000 + seed * 100 + i] * 160)) for i in range(frames))


class Talk(Host):
    """A host in a call, with the sound on."""

    def __init__(self, profile: str, talk_s: float = 10_000.0, **options: object) -> None:
        super().__init__(profile, **options)
        self.call = self.dial(talk_s=talk_s)
        self.wait(1)
        for command in SETUP.get(profile, ("ATA",)):
            said = lines(self.ask(command))
            assert "OK" in said, said
        self.modem.audio_out(self.now)

    def pace(self, frames: list[bytes]) -> list[bytes]:
        """One frame to the modem every 20 ms, and what it gave meanwhile."""
        got = []
        for frame in frames:
            self.modem.audio_in(frame, self.now)
            self.wait(0.02)
            got.append(self.modem.audio_out(self.now))
        return got


# -------------------------------------------------------------------------------------- tones


def power(pcm: bytes, hz: float) -> float:
    """Of one frequency, full scale 1."""
    samples = struct.unpack(f"<{len(pcm) // 2}h", pcm)
    total = sum(s * cmath.exp(-2j * math.pi * hz * i / 8000) for i, s in enumerate(samples))
    return abs(total) * 2 / len(samples) / 32767


def test_a_tone_has_its_two_frequencies_and_no_other() -> None:
    for row, keys in zip(ROWS, KEYS, strict=True):
        for column, key in zip(COLUMNS, keys, strict=True):
            pcm = tone(key, 100)
            assert len(pcm) == 1600
            for hz in (*ROWS, *COLUMNS):
                strong = power(pcm, hz)
                assert abs(strong - 0.3) < 0.02 if hz in (row, column) else strong < 0.03, (key, hz)
    first = struct.unpack("<4h", tone("5")[:8])
    assert max(map(abs, first)) < 1500, "no click at the edge"
    assert max(struct.unpack("<800h", tone("D", 100, 0.5))) <= 32767 and silence(20) == bytes(FRAME)
    for wrong in (lambda: tone("E"), lambda: tone(""), lambda: tone("12"), lambda: tone("1", 100, 0.6)):
        with pytest.raises(ValueError):
            wrong()


# ----------------------------------------------------------------------------- the audio port


@with_pcm
def test_both_hear_each_other(profile: str) -> None:
    talk = Talk(profile)
    talk.modem.speak(speech(3), talk.now)
    sent = [speech(1, seed) for seed in range(10)]
    got = talk.pace(sent)
    assert got == [speech(3)[i : i + FRAME] for i in (0, FRAME, 2 * FRAME)] + [bytes(FRAME)] * 7
    assert bytes(talk.call.heard[-8 * FRAME :]) == b"".join(sent[:8]), "60 ms later"
    assert bytes(talk.call.said[-10 * FRAME :]) == b"".join(got)
    assert len(talk.call.heard) == len(talk.call.said) and talk.call.underruns == talk.call.overruns == 0


@with_pcm
def test_what_is_said_after_the_call_is_lost_and_the_next_call_begins_anew(profile: str) -> None:
    talk = Talk(profile)
    talk.pace([speech(1)] * 10)
    talk.ask("AT+CHUP")
    talk.wait(1)
    assert not talk.call.heard.endswith(speech(1) * 9)
    said = len(talk.call.said)
    talk.modem.audio_in(speech(20), talk.now)
    talk.modem.speak(speech(5), talk.now)
    talk.modem.press("5", talk.now)
    talk.wait(1)
    assert talk.modem.audio_out(talk.now) == b"" and len(talk.call.said) == said
    call = talk.dial(talk_s=60)
    talk.wait(1)
    talk.ask("ATA")
    talk.wait(0.1)
    armed = profile == "quectel-lte"  # for every call; the others for one
    assert (talk.modem.audio_out(talk.now) != b"") is armed
    assert set(call.heard) == {0} and call.underruns == 0


def test_huawei_switches_sound_on_for_a_call_that_is_up_or_being_set_up() -> None:
    host = Host("huawei-voice")
    assert lines(host.ask("AT^DDSETEX=2")) == ["ERROR"]
    host.dial()
    host.wait(1)
    assert lines(host.ask("AT^DDSETEX=2")) == ["ERROR"], "it rings: not before ATA"
    host.ask("ATA")
    assert lines(host.ask("AT^DDSETEX=2")) == ["OK"]
    host.ask("AT+CHUP")
    host.modem.line.callees[VOTER] = Callee("answer", 4)
    host.ask(f"ATD{VOTER};")
    host.wait(1)
    assert lines(host.ask("AT^DDSETEX=2")) == ["OK"]
    host.wait(4)
    assert len(host.modem.audio_out(host.now)) >= FRAME, "it carries over to the answer"
    host = Host("huawei-voice", voice=False)
    host.dial(), host.wait(1), host.ask("ATA")
    assert lines(host.ask("AT^DDSETEX=2")) == ["ERROR"]
    assert lines(Host("generic").ask("AT^DDSETEX=2")) == ["ERROR"]


def test_a_refused_call_does_not_leave_the_sound_on() -> None:
    host = Host("huawei-voice")
    host.modem.line.callees[VOTER] = Callee("busy", 2)
    host.ask(f"ATD{VOTER};")
    assert lines(host.ask("AT^DDSETEX=2")) == ["OK"]
    host.wait(3)
    host.dial(talk_s=60), host.wait(1), host.ask("ATA"), host.wait(0.1)
    assert host.modem.audio_out(host.now) == b""
    host.ask("AT+CHUP")
    host.modem.line.callees[VOTER] = Callee("answer", 2)
    host.ask(f"ATD{VOTER};")
    host.ask("AT^DDSETEX=2")
    assert host.dial().fate == "busy"
    host.wait(3)
    assert host.modem.audio_out(host.now) != b"", "another caller does not switch it off"


def test_sim7600_switches_sound_on_only_while_a_call_is_up() -> None:
    host = Host("sim7600")
    assert lines(host.ask("AT+CPCMREG=1")) == ["ERROR"] and lines(host.ask("AT+CPCMREG=0")) == ["OK"]
    host.dial()
    host.wait(1)
    assert lines(host.ask("AT+CPCMREG=1")) == ["ERROR"]
    host.ask("ATA")
    assert lines(host.ask("AT+CPCMREG=1")) == ["OK"]
    host.wait(0.1)
    assert lines(host.ask("AT+CPCMREG=0,1")) == ["OK"] and host.wait(0.1) == ""
    assert host.modem.audio_out(host.now) == b""


def test_quectel_switches_sound_on_before_the_answer() -> None:
    host = Host("quectel-lte")
    host.dial(talk_s=3)
    host.wait(1)
    assert lines(host.ask("AT+QPCMV=0;+QPCMV=1,0;A")) == ["OK"]
    host.wait(0.1)
    assert len(host.modem.audio_out(host.now)) == 5 * FRAME
    assert lines(host.ask("AT+QPCMV=0")) == ["OK"] and lines(host.ask("AT+QPCMV=1,0")) == ["ERROR"], "not in a call"
    host.wait(0.1)
    assert host.modem.audio_out(host.now) == b""
    for command in ("AT+QPCMV=1,2", "AT+QPCMV=0"):  # a sound card instead, or nothing
        host = Host("quectel-lte")
        host.dial(), host.wait(1), host.ask(command), host.ask("ATA"), host.wait(0.1)
        assert host.modem.audio_out(host.now) == b""
    assert lines(Host("quectel-lte", voice=False).ask("AT+QPCMV=1,0")) == ["ERROR"]


def test_frames_keep_to_the_clock_of_the_answer() -> None:
    talk = Talk("sim7600", keep_s=1)
    times: list[float] = []
    talk.call.listen = lambda frame: times.append(talk.now)
    talk.wait(600)
    assert len(times) == 30_000
    assert all(abs(at - 1 - 0.02 * (i + 1)) < 1e-6 for i, at in enumerate(times))
    talk.now += 10
    talk.modem.tick(talk.now)  # a server that slept does not stretch the call
    assert len(times) == 30_500


def test_sound_waits_for_three_frames_and_a_late_one_is_counted() -> None:
    talk = Talk("sim7600")
    talk.pace([speech(1), speech(1), b"", b""])
    assert set(talk.call.heard) == {0} and talk.call.underruns == 0, "two frames are too few to begin"
    talk.pace([speech(1), b"", b""])
    assert talk.call.heard.endswith(speech(1) * 3) and talk.call.underruns == 0
    talk.pace([b"", b"", speech(2, 7), b""])
    assert talk.call.underruns == 2 and talk.call.heard.endswith(bytes(2 * FRAME) + speech(2, 7))
    talk.pace([speech(1)[:100], b"", speech(1)[100:]])
    assert talk.call.underruns == 4 and talk.call.heard.endswith(speech(1)), "a part of a frame waits for the rest"


def test_bytes_may_come_in_any_pieces() -> None:
    talk, sound = Talk("huawei-voice"), speech(40)
    for at in range(0, len(sound), 321):
        talk.modem.audio_in(sound[at : at + 321], talk.now)
        talk.wait(0.02)
    talk.wait(0.1)
    assert sound in talk.call.heard


def test_too_much_sound_is_lost_and_counted() -> None:
    talk = Talk("quectel-lte", playout_max_ms=200)
    said = talk.modem.audio_in(speech(14)[:-1], talk.now)
    assert talk.call.overruns == 4 and lines(said.decode()) == ["+QPCMV: 0"]
    assert talk.modem.audio_in(speech(1), talk.now) == b"", "it says so once"
    assert lines(talk.wait(0.3)) == ["+QPCMV: 1"] and talk.call.overruns == 5
    assert bytes(talk.call.heard).strip(b"\0").startswith(speech(10).strip(b"\0")) and speech(11) not in talk.call.heard


def test_two_frames_at_once() -> None:
    talk = Talk("sim7600", pcm_frames=2)
    assert [len(part) for part in talk.pace([b""] * 6)] == [0, 640, 0, 640, 0, 640]


@pytest.mark.parametrize(
    ("fault", "true"),
    [
        ("pcm-stall", lambda talk, got: set(talk.call.heard) == {0} and len(b"".join(got)) == 20 * FRAME),
        ("pcm-silent", lambda talk, got: b"".join(got) == b"" and speech(1) in talk.call.heard),
        ("pcm-odd", lambda talk, got: all(len(part) % 2 for part in got) and len(b"".join(got)) > 19 * FRAME),
        ("pcm-gone", lambda talk, got: b"".join(got) == b"" and not talk.modem.audio_port),
    ],
)
def test_faults_of_the_audio_port(fault: str, true: Callable[[Talk, list[bytes]], bool]) -> None:
    talk = Talk("huawei-voice")
    talk.modem.fault(fault, talk.now)
    talk.modem.speak(speech(20), talk.now)
    got = talk.pace([speech(1)] * 20)
    assert true(talk, got)
    assert speech(20).startswith(b"".join(got)), "whatever leaves is hers, and in order"
    talk.modem.fault_off(fault, talk.now)
    talk.wait(1.1)
    assert talk.modem.audio_port and talk.modem.audio_out(talk.now)
    talk.modem.speak(speech(1, 9), talk.now)
    assert speech(1, 9) in b"".join(talk.pace([speech(1, 8)] * 10)) and speech(1, 8) in talk.call.heard


def test_sound_of_long_and_of_old_calls_is_forgotten() -> None:
    talk = Talk("sim7600", keep_s=2)
    talk.wait(3)
    assert len(talk.call.heard) == len(talk.call.said) == 100 * FRAME and talk.call.forgotten == 50 * FRAME
    talk.ask("AT+CHUP")
    for _ in range(SOUND_OF):
        talk.dial(patience_s=0.1)
        talk.wait(0.2)
    assert talk.call.heard == b"" and talk.call.forgotten == 150 * FRAME and talk.call.fate == "answered"


# --------------------------------------------------------------------------- keys and scripts

KEY_URCS = [
    ("huawei-voice", "AT^DDTMFCFG=0,1", "AT^DDTMFCFG=1,0", "^DDTMF: 5"),
    ("sim800", "AT+DDET=1,0,0,0", "AT+DDET=0", "+DTMF: 5"),
    ("sim7600", "AT+DDET=1", "AT+DDET=0", "+RXDTMF: 5"),
    ("quectel-2g", "AT+QTONEDET=1", "AT+QTONEDET=0", "+QTONEDET: 53"),
    ("quectel-lte", "AT+QTONEDET=1", "AT+QTONEDET=0", "+QTONEDET: 53"),
]


@pytest.mark.parametrize(("profile", "on", "off", "urc"), KEY_URCS)
def test_a_key_is_told_where_that_is_switched_on(profile: str, on: str, off: str, urc: str) -> None:
    host = Host(profile)
    host.dial(talk_s=60), host.wait(1), host.ask("ATA")
    for command, told in ((None, []), (on, [urc]), (off, [])):
        if command is not None:
            assert lines(host.ask(command)) == ["OK"]
        host.modem.press("5", host.now)
        assert lines(host.wait(0.3)) == told
    silent = Host(profile, dtmf_urc=False)
    silent.dial(talk_s=60), silent.wait(1), silent.ask("ATA")
    assert lines(silent.ask(on)) == ["OK"]
    silent.modem.press("5", silent.now)
    assert silent.wait(1) == "", "firmware that says OK and never tells"


def test_a76xx_knows_keys_only_when_its_firmware_does() -> None:
    assert lines(Host("a76xx").ask("AT+DDET=1")) == ["ERROR"] and lines(Host("generic").ask("AT+DDET=1")) == ["ERROR"]
    host = Host("a76xx", dtmf_urc=True)
    host.dial(), host.wait(1)
    assert lines(host.ask("AT+DDET=1")) == ["OK"]
    host.ask("ATA")
    host.modem.press("#", host.now)
    assert lines(host.wait(0.2)) == ["+RXDTMF: #"]


def test_a_key_sounds_and_is_told_while_it_sounds() -> None:
    talk = Talk("sim7600")
    talk.ask("AT+DDET=1")
    talk.modem.speak(speech(30), talk.now)
    talk.pace([b""] * 5)
    talk.modem.press("1", talk.now)
    talk.modem.press("2", talk.now, ms=40)
    with pytest.raises(ValueError, match="no key"):
        talk.modem.press("x", talk.now)
    begun, told = talk.now, []
    for _ in range(30):
        told += [(round(talk.now - begun, 3), line) for line in lines(talk.wait(0.01))]
    assert [line for _, line in told] == ["+RXDTMF: 1", "+RXDTMF: 2"]
    assert 0.05 <= told[0][0] <= 0.06 and 0.21 <= told[1][0] <= 0.22, "60 ms into the first, at the end of the second"
    talk.wait(0.3)
    keys = tone("1") + silence(80) + tone("2", 40) + silence(80)
    assert speech(5) + keys + speech(30)[5 * FRAME + len(keys) :] in talk.call.said, "her voice goes on under the keys"


def test_a_caller_and_a_callee_act_by_themselves() -> None:
    host = Host("sim7600")
    host.ask("AT+DDET=1")
    call = host.dial(talk_s=5, keys=((1.0, "4"), (2.0, "2")), says=((3.0, speech(2)),))
    host.wait(1)
    host.ask("ATA")
    assert lines(host.wait(2.5)) == ["+RXDTMF: 4", "+RXDTMF: 2"]
    host.wait(5)
    at = {key: bytes(call.said).index(tone(key)) / 16_000 for key in "42"}
    assert at == pytest.approx({"4": 1.0, "2": 2.0}, abs=0.021)
    assert bytes(call.said).index(speech(2)) == pytest.approx(48_000, abs=FRAME)
    host.modem.line.callees[VOTER] = Callee("answer", 2, 20, keys=((0.5, "9"),), says=((1.0, speech(1)),))
    host.ask(f"ATD{VOTER};")
    said = lines(host.wait(5))
    assert said[-1] == "+RXDTMF: 9" and speech(1) in host.modem.calls[-1].said
    call = host.modem.dial(VOTER, host.now, 1, keys=((0, "1"),))
    host.wait(3)
    assert call.said == b"" and call.fate == "busy"


def test_keys_that_we_send() -> None:
    host = Host("huawei-voice")
    call = host.dial(talk_s=60)
    host.wait(1)
    assert lines(host.ask("AT^DTMF=1,5")) == ["ERROR"], "nobody is there"
    host.ask("ATA")
    assert [lines(host.ask(f"AT^DTMF=1,{key}"))[-1] for key in "5#A"] == ["OK", "OK", "ERROR"] and call.keys == "5#"


# ------------------------------------------------------------------------ files in the module

ANY = bytes(range(256)) * 9 + b"\r\nOK\r\n\x1a\x1b+++>"


def simcom_upload(host: Host, name: str, data: bytes) -> str:
    assert host.ask(f'AT+CFTRANRX="C:/{name}",{len(data)}') == "\r\n>"
    return host.write(data)


def simcom_fetch(host: Host, command: str) -> bytes:
    """The file behind AT+CFTRANTX, taken out of its blocks."""
    said = (host.ask(command) + host.wait(10)).encode("latin-1")
    out = b""
    while match := re.match(rb"\r\n\+CFTRANTX: DATA,(\d+)\r\n", said):
        size = int(match[1])
        out += said[match.end() : match.end() + size]
        said = said[match.end() + size :]
    assert said == b"\r\n+CFTRANTX: 0\r\n\r\nOK\r\n", said[:100]
    return out


@pytest.mark.parametrize("profile", ["a76xx", "sim7600"])
def test_simcom_keeps_files(profile: str) -> None:
    host = Host(profile)
    assert lines(simcom_upload(host, "a.wav", ANY)) == ["OK"] and host.modem.files == {"a.wav": ANY}
    assert simcom_fetch(host, 'AT+CFTRANTX="E:/a.wav"') == ANY
    assert simcom_fetch(host, 'AT+CFTRANTX="c:/a.wav",100,50') == ANY[100:150]
    assert lines(host.ask("AT+FSLS=2")) == ["+FSLS: FILES:", "a.wav", "OK"]
    assert lines(host.ask("AT+FSLS?")) == ["+FSLS: SUBDIRECTORIES:0,FILES:1", "OK"]
    assert lines(host.ask('AT+FSATTRI="C:/a.wav"')) == [f"+FSATTRI: {len(ANY)}", "OK"]
    assert lines(host.ask('AT+CFTRANRX="C:/a.wav",5')) == ["ERROR"], "the name must be free"
    assert lines(host.ask('AT+FSDEL="C:/a.wav"')) == ["OK"] and host.modem.files == {}
    for command in ('AT+FSDEL="C:/a.wav"', 'AT+CFTRANTX="C:/a.wav"', "AT+FSATTRI=a.wav"):
        assert lines(host.ask(command)) == ["ERROR"]


def test_quectel_keeps_files() -> None:
    host = Host("quectel-lte")
    host.ask("AT+CMEE=1")
    assert host.ask(f'AT+QFUPL="UFS:A.wav",{len(ANY)},5') == "\r\nCONNECT\r\n"
    host.write(ANY[:1000])
    assert lines(host.write(ANY[1000:])) == [f"+QFUPL: {len(ANY)},{checksum(ANY):x}", "OK"]
    tail = f"\r\n+QFDWL: {len(ANY)},{checksum(ANY):x}\r\n\r\nOK\r\n"
    assert host.ask('AT+QFDWL="A.wav"') + host.wait(5) == "\r\nCONNECT\r\n" + ANY.decode("latin-1") + tail
    assert lines(host.ask('AT+QFLST="A.wav"')) == [f'+QFLST: "A.wav",{len(ANY)}', "OK"]
    assert lines(host.ask('AT+QFUPL="A.wav",5')) == ["+CME ERROR: 407"]
    assert lines(host.ask('AT+QFDEL="A.wav"')) == ["OK"]
    for command in ('AT+QFDEL="A.wav"', 'AT+QFLST="A.wav"', 'AT+QFDWL="A.wav"', 'AT+QPSND=1,"A.wav",0,1,1'):
        assert lines(host.ask(command)) == ["+CME ERROR: 405"]
    assert checksum(b"\x12\x34\x56") == 0x12 << 8 ^ 0x34 ^ 0x56 << 8
    assert lines(host.ask('AT+CFTRANRX="A.wav",5')) == ["ERROR"] and lines(Host("a76xx").ask("AT+QFLST")) == ["ERROR"]


def test_an_upload_that_stops_half_way() -> None:
    host = Host("quectel-lte")
    host.ask('AT+QFUPL="A.wav",100,5')
    host.wait(4)
    host.write(b"x" * 60)
    assert host.wait(4.9) == "" and lines(host.wait(0.2)) == [f"+QFUPL: 60,{checksum(b'x' * 60):x}", "OK"]
    host = Host("a76xx")
    host.ask('AT+CFTRANRX="C:/a.wav",100')
    host.write(b"x" * 60)
    assert lines(host.wait(31)) == ["ERROR"] and host.modem.files == {} and lines(host.ask("AT")) == ["OK"]


def test_a_full_module_takes_no_more() -> None:
    host = Host("a76xx", disk=1000)
    assert lines(simcom_upload(host, "a.wav", bytes(900))) == ["OK"]
    assert lines(simcom_upload(host, "b.wav", bytes(101))) == ["ERROR"]
    assert lines(Host("quectel-lte", upload_max=10).ask('AT+QFUPL="A.wav",11')) == ["ERROR"]
    talk = Talk("quectel-lte", disk=16_044)
    assert lines(talk.ask('AT+QAUDRD=1,"B.wav",13,1')) == ["OK"]
    assert lines(talk.wait(2)) == ["+QAUDRIND: 0,3"] and len(talk.modem.files["B.wav"]) == 16_044


def test_lines_that_nobody_asked_for_do_not_spoil_a_file() -> None:
    host = Host("quectel-lte", file_rate=10_000)
    host.modem.files["A.wav"] = data = os.urandom(20_000)
    said = host.ask('AT+QFDWL="A.wav"') + host.wait(0.5)
    host.dial(patience_s=1)
    said += host.wait(5)
    body, _, rest = said.partition("\r\n+QFDWL: ")
    assert body.encode("latin-1") == b"\r\nCONNECT\r\n" + data and lines(rest)[1:3] == ["OK", "RING"]
    for fault in ("garbage", "ff", "half-lines", "flood"):
        host = Host("sim7600", file_rate=10_000)
        host.modem.files["a.wav"] = data[:5000]
        host.modem.fault(fault, host.now)
        said = (host.ask('AT+CFTRANTX="E:/a.wav"') + host.wait(5)).encode("latin-1")
        for at in range(0, 5000, 512):
            part = data[at : min(5000, at + 512)]
            assert b"\r\n+CFTRANTX: DATA,%d\r\n%b" % (len(part), part) in said, fault


PLAYERS = {
    "a76xx": ('AT+CCMXPLAY="C:/x.wav",1,0', "AT+CCMXSTOP", "+CCMXPLAY:", "+CCMXSTOP:", "+AUDIOSTATE: audio play"),
    "sim7600": (
        'AT+CCMXPLAYWAV="E:/x.wav",1',
        "AT+CCMXSTOPWAV",
        "+CCMXPLAYWAV:",
        "+CCMXSTOPWAV:",
        "+WAVSTATE: wav play",
    ),
}


@pytest.mark.parametrize("profile", list(PLAYERS))
def test_simcom_plays_to_the_caller(profile: str) -> None:
    play, stop, playing, stopping, state = PLAYERS[profile]
    talk = Talk(profile)
    assert lines(talk.ask(play)) == ["ERROR"], "no such file"
    simcom_upload(talk, "x.wav", wav(speech(25)))
    begun = talk.now
    assert lines(talk.ask(play)) == [playing, "OK", state]
    assert lines(talk.ask(play)) == ["ERROR"], "one at a time"
    assert lines(talk.wait(0.49)) == [] and lines(talk.wait(0.02)) == [f"{state} stop"]
    assert talk.call.heard.endswith(speech(25)) and talk.now - begun == pytest.approx(0.51)
    talk.ask(play)
    talk.wait(0.1)
    assert lines(talk.ask(stop)) == [stopping, "OK", f"{state} stop"] and talk.wait(1) == ""
    assert talk.call.heard.count(speech(25)) == 1 and lines(talk.ask(stop)) == [stopping, "OK"]
    talk.ask('AT+FSDEL="C:/x.wav"')
    simcom_upload(talk, "x.wav", b"RIFF but no sound")
    assert lines(talk.ask(play)) == [playing, "OK", f"{state} error"]
    talk.modem.files["x.wav"] = wav(speech(500))
    talk.ask(play)
    assert talk.ask("AT+CHUP").startswith(f"\r\n{state} stop\r\n"), "the call is over"
    assert lines(talk.ask(play)) == ["ERROR"], "nobody is there to hear it"
    assert lines(Host("a76xx").ask('AT+CCMXPLAYWAV="x.wav",1')) == ["ERROR"]


@pytest.mark.parametrize(
    ("profile", "play", "told"),
    [
        ("a76xx", 'AT+CCMXPLAY="C:/x.wav",0,0', "+AUDIOSTATE: audio play stop"),
        ("quectel-lte", 'AT+QPSND=1,"x.wav",0', "+QPSND: 0"),
    ],
)
def test_a_file_played_to_the_loudspeaker_is_heard_by_no_caller(profile: str, play: str, told: str) -> None:
    talk = Talk(profile)
    talk.modem.files["x.wav"] = wav(speech(25))
    assert "OK" in lines(talk.ask(play))
    assert lines(talk.wait(1))[-1] == told and set(talk.call.heard) == {0}


def test_quectel_plays_to_the_caller() -> None:
    talk = Talk("quectel-lte")
    talk.modem.files["A.wav"] = wav(speech(25))
    assert lines(talk.ask('AT+QPSND=1,"A.wav",0,1,1')) == ["OK"] and lines(talk.ask("AT+QPSND?")) == ["+QPSND: 1", "OK"]
    assert lines(talk.wait(0.48)) == [] and lines(talk.wait(0.04)) == ["+QPSND: 0"]
    assert speech(25) in talk.call.heard
    talk.ask('AT+QPSND=1,"A.wav",1,1,1')
    talk.wait(1.1)
    assert speech(25) * 2 in talk.call.heard
    assert lines(talk.ask("AT+QPSND=0")) == ["OK"] and talk.wait(1) == ""


RECORDERS = {
    "a76xx": ('AT+CREC=2,"C:/r.wav"', ["+CREC: 2", "OK"], "AT+CREC=0", ["+CREC: 0", "OK", "+CREC: crec stop"]),
    "sim7600": ('AT+CREC=2,"E:/r.wav"', ["+CREC: 1", "OK"], "AT+CREC=0", ["+CREC: 0", "OK", "+RECSTATE: crec stop"]),
    "quectel-lte": ('AT+QAUDRD=1,"r.wav",13,1', ["OK"], "AT+QAUDRD=0", ["OK"]),
}


@pytest.mark.parametrize("profile", list(RECORDERS))
def test_the_module_records_the_caller(profile: str) -> None:
    begin, begun, end, ended = RECORDERS[profile]
    talk = Talk(profile)
    assert lines(talk.ask(begin)) == begun
    talk.modem.speak(speech(40), talk.now)
    talk.wait(1)
    assert lines(talk.ask(end)) == ended
    assert sound_of(talk.modem.files["r.wav"]) == speech(40) + bytes(10 * FRAME)
    if profile == "quectel-lte":
        assert lines(talk.ask(begin)) == ["OK", "+QAUDRIND: 0,1"], "it writes over nothing"
        talk.modem.files.clear()
    assert lines(talk.ask(begin)) == begun
    talk.wait(0.5)
    talk.modem.line.cancel(talk.call, talk.now)
    said = lines(talk.wait(0.1))
    assert ended[-1] in said or profile == "quectel-lte"
    assert len(sound_of(talk.modem.files["r.wav"]) or b"") == 25 * FRAME, "her hanging up keeps it"
    assert lines(talk.ask(begin)) == ["ERROR"]


def test_a_recording_of_an_a76xx_is_full_after_80_seconds() -> None:
    talk = Talk("a76xx")
    talk.ask('AT+CREC=2,"C:/r.wav"')
    assert lines(talk.wait(79.9)) == [] and lines(talk.wait(0.2)) == ["+CREC: file full"]
    assert len(talk.modem.files["r.wav"]) == 44 + 80 * 16_000 and lines(talk.ask("AT+CREC=0")) == ["ERROR"]


def test_files_outlive_a_restart_and_what_was_under_way_does_not() -> None:
    talk = Talk("a76xx")
    talk.modem.files["x.wav"] = wav(speech(500))
    talk.ask('AT+CCMXPLAY="C:/x.wav",1,0')
    talk.ask('AT+CREC=2,"C:/r.wav"')
    talk.modem.fault("vanish", talk.now, 1)
    talk.wait(3)
    assert list(talk.modem.files) == ["x.wav"] and (talk.modem.sound.player, talk.modem.sound.recorder) == (None, None)


# -------------------------------------------------------------------- calls that we place

FAILS = {
    "generic": (["BUSY"], ["BUSY"], ["NO ANSWER"], ["NO ANSWER"]),
    "huawei-voice": (["^CEND:1,0,104,17"], ["^CEND:1,0,104,21"], ["^CEND:1,0,104,19"], ["^CEND:1,0,104,27"]),
    "sim800": (["BUSY"], ["BUSY"], ["NO ANSWER"], ["NO CARRIER"]),
    "sim7600": tuple([mark, "VOICE CALL: END"] for mark in ("BUSY", "NO CARRIER", "NO ANSWER", "NO CARRIER")),
    "a76xx": tuple([mark, "VOICE CALL: END"] for mark in ("BUSY", "NO CARRIER", "NO ANSWER", "NO CARRIER")),
    "quectel-2g": (["BUSY"], ["BUSY"], ["NO ANSWER"], ["NO CARRIER"]),
    "quectel-lte": (["BUSY"], ["NO CARRIER"], ["NO ANSWER"], ["NO CARRIER"]),
}


@pytest.mark.parametrize("profile", list(FAMILIES))
def test_how_a_call_fails_is_told_per_family_and_by_its_cause(profile: str) -> None:
    host = Host(profile)
    outcomes = (("busy", "busy", 2, "User busy"), ("refuse", "refused", 5, "Call rejected"))
    outcomes += (("no-answer", "no-answer", 70, "no answer"), ("off", "off", 70, "out of order"))
    for (does, fate, after, why), marks in zip(outcomes, FAILS[profile], strict=True):
        host.modem.line.callees[VOTER] = Callee(does)
        assert lines(host.ask(f"ATD{VOTER};"))[-1] == "OK"
        before = lines(host.wait(after - 0.1))
        assert not set(marks) & set(before)
        said = lines(host.wait(0.2))
        assert said == marks, does
        assert host.modem.calls[-1].fate == fate and why in host.ask("AT+CEER")
    host.dial(patience_s=0.5)
    host.wait(1)
    assert "Normal call clearing" in host.ask("AT+CEER")
    assert profile != "a76xx" or lines(host.ask("AT+CEER"))[0] == '+CEER: "16 Normal call clearing"'


def test_ringing_at_the_other_side() -> None:
    host = Host("quectel-lte")
    host.ask('AT+QINDCFG="ccinfo",1,0')
    host.modem.line.callees[VOTER] = Callee("refuse", 3)
    host.ask(f"ATD{VOTER};")
    stats = [line.split(",")[3] for line in lines(host.wait(5)) if line.startswith("+QIND")]
    assert stats == ["3", "-1"] and host.modem.calls[-1].state == "over"
    host = Host("sim7600")
    host.ask("AT+MORING=1")
    host.modem.line.callees[VOTER] = Callee("answer", 4, 1)
    host.ask(f"ATD{VOTER};")
    assert lines(host.wait(6)) == ["MO RING", "VOICE CALL: BEGIN", "MO CONNECTED", "VOICE CALL: END: 000001"]


# ---------------------------------------------------------------------------------- real ports


class Line:
    """The AT port of a modem, as a program has it."""

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY)

    def ask(self, command: str, mark: bytes = b"OK\r\n") -> bytes:
        os.write(self.fd, command.encode() + b"\r")
        return read_until(self.fd, lambda said: mark in said)


def read_until(fd: int, enough: Callable[[bytes], object], seconds: float = 10) -> bytes:
    end, said = time.monotonic() + seconds, b""
    while not enough(said) and time.monotonic() < end:
        if select.select([fd], [], [], 0.2)[0]:
            said += os.read(fd, 65536)
    assert enough(said), said[-200:]
    return said


@pytest.mark.parametrize("profile", list(SETUP))
def test_sound_over_a_real_audio_port(profile: str, tmp_path: Path) -> None:
    with Farm(tmp_path) as farm:
        port = farm.add(profile)
        assert port.audio_path == tmp_path / "sim1-pcm" and farm.add("a76xx").audio_path is None
        line, audio = Line(port.path), os.open(port.audio_path, os.O_RDWR | os.O_NOCTTY)
        line.ask("ATE0")
        call = port.dial(VOTER, talk_s=60)
        read_until(line.fd, lambda said: b"RING" in said)
        os.write(audio, b"before the call: lost")
        for command in SETUP[profile]:
            line.ask(command)
        port.press("7")
        port.speak(speech(2))
        read_until(audio, lambda said: tone("7") + silence(80) + speech(2) in said)
        os.write(audio, speech(20))
        assert farm.until(lambda: speech(20) in call.heard)
        os.close(audio)
        before = len(call.said)
        assert farm.until(lambda: len(call.said) > before + 50 * FRAME), "nobody listens, and it goes on"
        audio = os.open(port.audio_path, os.O_RDWR | os.O_NOCTTY)
        fresh = read_until(audio, lambda said: len(said) >= 3 * FRAME)
        assert len(fresh) < 40 * FRAME, "what was said meanwhile is lost"
        line.ask("AT+CHUP")
        assert farm.until(lambda: call.fate) and 0 < farm.late_s < 5
        os.close(audio)
        os.close(line.fd)
    assert not list(tmp_path.iterdir())


def test_an_audio_port_that_goes_comes_back_under_another_number(tmp_path: Path) -> None:
    with Farm(tmp_path) as farm:
        port = farm.add("sim7600")
        assert port.audio_path is not None
        line, audio, old = Line(port.path), os.open(port.audio_path, os.O_RDWR), os.readlink(port.audio_path)
        line.ask("ATE0")
        port.dial(VOTER, talk_s=60)
        line.ask("ATA")
        line.ask("AT+CPCMREG=1")
        port.fault("pcm-gone", 0.1)
        with pytest.raises(OSError):
            while os.read(audio, 4096):
                pass
            raise OSError("end of file")
        os.close(audio)
        assert farm.until(lambda: port.modem.audio_port) and os.readlink(port.audio_path) != old
        audio = os.open(port.audio_path, os.O_RDWR)
        read_until(audio, lambda said: len(said) >= FRAME)
        port.fault("vanish", 0.05)
        assert farm.until(lambda: not port.modem.gone) and port.audio_path.exists() and port.path.exists()
        os.close(audio)
        os.close(line.fd)


def test_a_stalled_port_fills_up_and_blocks_nobody_who_does_not_wait(tmp_path: Path) -> None:
    with Farm(tmp_path) as farm:
        port = farm.add("sim7600")
        assert port.audio_path is not None
        line, audio = Line(port.path), os.open(port.audio_path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        line.ask("ATE0")
        call = port.dial(VOTER, talk_s=60)
        line.ask("ATA")
        line.ask("AT+CPCMREG=1")
        port.fault("pcm-stall")

        def fill() -> int:
            taken = 0
            with pytest.raises(BlockingIOError):
                while True:
                    taken += os.write(audio, speech(10))
            return taken

        first, before = fill(), len(call.heard)
        assert farm.until(lambda: len(call.heard) > before + 10 * FRAME)
        assert fill() < first / 2, "nothing was taken out meanwhile"
        assert set(call.heard) <= {0}
        port.fault_off("pcm-stall")
        assert farm.until(lambda: speech(10) in call.heard) and call.overruns > 0
        os.close(audio)
        os.close(line.fd)


def test_a_reader_who_sleeps_loses_whole_writes(tmp_path: Path) -> None:
    port = Port(tmp_path / "port", 1000, lambda fd, port: None, lambda fd: None)
    port.open()
    reader = os.open(port.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    for i in range(2000):
        port.write(b"%0333d" % i)
    got = b""
    for _ in range(100):
        port.write(b"")
        try:
            got += os.read(reader, 65536)
        except BlockingIOError:
            break
    numbers = [int(got[at : at + 333]) for at in range(0, len(got), 333)]
    assert len(got) % 333 == 0 and numbers == sorted(set(numbers)) and numbers[-1] < 2000, "in order, none is cut"
    assert 1 < len(numbers) < 2000, "and not all"
    port.write(b"and then the next")
    assert read_until(reader, lambda said: said) == b"and then the next"
    os.close(reader)
    port.close()
    assert not list(tmp_path.iterdir())


def test_a_large_file_over_a_real_port(tmp_path: Path) -> None:
    with Farm(tmp_path) as farm:
        port, data = farm.add("quectel-lte", file_rate=4e6), os.urandom(200_000)
        line = Line(port.path)
        line.ask("ATE0")
        line.ask(f'AT+QFUPL="A.wav",{len(data)},5', b"CONNECT\r\n")
        os.write(line.fd, data)  # the port is blocking: the whole is taken
        read_until(line.fd, lambda said: said.endswith(b"OK\r\n"))
        assert port.modem.files["A.wav"] == data
        said = line.ask('AT+QFDWL="A.wav"', f"\r\n+QFDWL: {len(data)},{checksum(data):x}\r\n\r\nOK\r\n".encode())
        assert said.partition(b"CONNECT\r\n")[2].startswith(data)
        os.close(line.fd)


def test_the_console_speaks_and_listens(tmp_path: Path) -> None:
    with Farm(tmp_path / "ports") as farm:
        port, console, file = farm.add("a76xx"), Console(farm), tmp_path / "hello.wav"
        file.write_bytes(wav(speech(5)))
        with pytest.raises(Refused, match="nobody talks on sim1"):
            console.obey(f"say 1 {file}")
        with pytest.raises(Refused, match="was answered yet"):
            console.obey(f"hear 1 {tmp_path / 'heard.wav'}")
        line = Line(port.path)
        line.ask("ATE0")
        console.obey(f"ring 1 {VOTER}")
        line.ask("ATA")
        said = port.modem.calls[0].said
        assert console.obey("key 1 5") == "pressed" and console.obey(f"say 1 {file}") == "says 0.1 s"
        assert farm.until(lambda: tone("5") + silence(80) + speech(5) in said)
        port.modem.files["x.wav"] = wav(speech(3))
        line.ask('AT+CCMXPLAY="C:/x.wav",1,0', b"play stop")
        assert console.obey(f"hear 1 {tmp_path / 'heard.wav'}").endswith("s written")
        assert speech(3) in (sound_of((tmp_path / "heard.wav").read_bytes()) or b"")
        (tmp_path / "bad.wav").write_bytes(b"RIFF")
        for words, why in (
            ("say 1", "say MODEM FILE.wav"),
            (f"say 1 {tmp_path / 'none.wav'}", "cannot read"),
            (f"say 1 {tmp_path / 'bad.wav'}", "8 kHz, 16 bit, mono"),
            ("hear all x.wav x", "of one modem"),
            (f"hear 1 {tmp_path}", "cannot write"),
        ):
            with pytest.raises(Refused, match=re.escape(why)):
                console.obey(words)
        assert "say MODEM FILE.wav" in console.obey("help") and "hear MODEM FILE.wav" in console.obey("help")
        os.close(line.fd)
