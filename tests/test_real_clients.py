"""Programs that nobody here wrote must work against the modem in software: else the tests of the
box prove only that two of our own mistakes agree. A program that is not installed is skipped by name.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tools.simmodem import Farm, PtyModem

VOTER = "+919812345678"
HINDI = "धन्यवाद! आपकी आवाज़ दर्ज हुई।"


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    with Farm(tmp_path / "ports") as farm:
        yield farm


def _program(name: str) -> str:
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin")
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def _gammu(port: PtyModem, tmp_path: Path, *arguments: str) -> str:
    config = tmp_path / "gammurc"
    config.write_text(f"[gammu]\ndevice = {port.path}\nconnection = at115200\n")
    done = subprocess.run(
        [_program("gammu"), "-c", str(config), *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("profile", ["generic", "huawei-voice", "quectel-lte"])
def test_gammu_identifies_the_modem(farm: Farm, tmp_path: Path, profile: str) -> None:
    port = farm.add(profile)
    told = _gammu(port, tmp_path, "--identify")
    family = port.modem.family
    assert family.cgmr in told and family.cgmm in told
    assert f"404{20}" in told, "the SIM's IMSI"


@pytest.mark.parametrize(("text", "unicode"), [("Thank you {1}", False), (HINDI, True)])
def test_gammu_sends_an_sms(farm: Farm, tmp_path: Path, text: str, unicode: bool) -> None:
    port = farm.add("sim800", send_s=(0.1, 0.2))
    _gammu(port, tmp_path, "sendsms", "TEXT", VOTER, *(["-unicode"] if unicode else []), "-text", text)
    (sent,) = port.modem.sent
    assert (sent.number, sent.text, sent.outcome) == (VOTER, text, "accepted")


def test_gammu_hears_that_the_network_refused(farm: Farm, tmp_path: Path) -> None:
    port = farm.add("generic", send_s=(0.1, 0.2))
    port.modem.mailbox.refuses[VOTER] = 38
    with pytest.raises(AssertionError, match="38"):
        _gammu(port, tmp_path, "sendsms", "TEXT", VOTER, "-text", "hello")


def _smsd_folder(tmp_path: Path, port: PtyModem) -> Path:
    spool = tmp_path / "spool"
    for name in ("outgoing", "checked", "incoming", "failed", "sent", "stats"):
        (spool / name).mkdir(parents=True)
    config = tmp_path / "smsd.conf"
    folders = "\n".join(f"{name} = {spool / name}" for name in ("outgoing", "checked", "incoming", "failed", "sent"))
    config.write_text(
        f"devices = GSM1\nlogfile = {tmp_path / 'smsd.log'}\nloglevel = 7\ndelaytime = 1\n"
        f"delaytime_mainprocess = 1\nerrorsleeptime = 1\nblocktime = 2\nstats = {spool / 'stats'}\n"
        f"infofile = {tmp_path / 'smsd.working'}\npidfile = {tmp_path / 'smsd.pid'}\n{folders}\n"
        f"[GSM1]\ndevice = {port.path}\nincoming = yes\nbaudrate = 115200\nmemory_start = 1\nreport = no\n"
    )
    return config


@pytest.fixture
def smsd(farm: Farm, tmp_path: Path) -> Iterator[tuple[PtyModem, Path]]:
    """smstools3's daemon in the foreground on a modem of ours, and its spool."""
    program = _program("smsd")
    port = farm.add("generic", send_s=(0.1, 0.2))
    config = _smsd_folder(tmp_path, port)
    with open(tmp_path / "smsd.out", "wb") as out:
        running = subprocess.Popen([program, "-t", f"-c{config}"], stdout=out, stderr=out, start_new_session=True)
    try:
        yield port, tmp_path / "spool"
    finally:
        running.terminate()
        try:
            running.wait(20)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def _within(seconds: float, true: Callable[[], object]) -> bool:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def test_smstools_receives_and_sends(smsd: tuple[PtyModem, Path]) -> None:
    port, spool = smsd
    port.sms_in(VOTER, "STOP")
    assert _within(40, lambda: list((spool / "incoming").iterdir())), "the SMS was read from the SIM"
    (received,) = (spool / "incoming").iterdir()
    assert _within(10, lambda: received.read_text(errors="replace").rstrip().endswith("STOP"))
    assert f"From: {VOTER[1:]}" in received.read_text()
    assert _within(10, lambda: not port.modem.mailbox.stores["SM"]), "and deleted there"

    fresh = spool / "new"
    fresh.write_text(f"To: {VOTER[1:]}\n\nYour voice is recorded")
    fresh.rename(spool / "outgoing" / "reply1")
    assert _within(40, lambda: list((spool / "sent").iterdir())), "the SMS was sent"
    (sent,) = port.modem.sent
    assert (sent.number, sent.text, sent.outcome) == (VOTER, "Your voice is recorded", "accepted")


def test_python_gsmmodem_connects_and_sees_a_call(farm: Farm) -> None:
    gsmmodem = pytest.importorskip("gsmmodem.modem", reason="python-gsmmodem-new is not installed")
    port = farm.add("sim800", clip_s=0.0, send_s=(0.1, 0.2))
    calls: list[object] = []
    client = gsmmodem.GsmModem(str(port.path), 115200, incomingCallCallbackFunc=calls.append)
    client.connect()
    try:
        assert (client.manufacturer, client.imei) == (port.modem.family.cgmi, port.modem.imei)
        call = port.dial(VOTER, patience_s=15)
        assert _within(10, lambda: calls), "RING and +CLIP in one write"
        assert calls[0].number == VOTER  # type: ignore[attr-defined]
        calls[0].hangup()  # type: ignore[attr-defined]
        assert farm.until(lambda: call.fate, 10) and call.fate == "rejected"
        client.sendSms(VOTER, HINDI)
        assert [sent.text for sent in port.modem.sent] == [HINDI]
    finally:
        client.close()
