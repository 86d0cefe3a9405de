"""Profiles: data that every line starts from, so the build fails on one that is broken, unproved or unsafe."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge import profile

TRANSCRIPTS = Path(__file__).parent / "transcripts"
PROFILES = profile.load_all()
FAMILIES = {"generic", "huawei-voice", "sim800", "sim7600", "a76xx", "quectel-2g", "quectel-lte"}
GOOD = (profile.MODEMS / "sim7600.toml").read_text()


def test_the_seven_families_are_there() -> None:
    assert set(PROFILES) >= FAMILIES


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_a_profile_has_a_transcript_or_says_what_it_is_derived_from(name: str) -> None:
    one = PROFILES[name]
    assert one.transcripts or len(one.derived.split()) > 3
    for file in one.transcripts:
        text = (TRANSCRIPTS / file).read_text()
        assert f"# profile: {name}\n" in text, file
        assert re.search(r"^# source: \S+", text, re.MULTILINE), file
        assert re.search(r"^< ", text, re.MULTILINE), file


def test_no_transcript_is_orphaned() -> None:
    used = [file for one in PROFILES.values() for file in one.transcripts]
    assert sorted(used) == sorted(file.name for file in TRANSCRIPTS.glob("*.txt"))


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_no_modem_may_ever_answer_by_itself(name: str) -> None:
    sent = {cmd: one for one in PROFILES[name].init for cmd in (one.cmd, *one.alternatives)}
    assert not sent["ATS0=0"].optional
    assert not sent["ATS0=0"].alternatives
    assert [cmd for cmd in sent if cmd.startswith(("ATS0", "ATA", "ATD", "ATH", "AT&F", "ATZ", "AT&W"))] == ["ATS0=0"]


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_every_modem_stands_on_the_same_ground(name: str) -> None:
    one = PROFILES[name]
    sent = [init.cmd for init in one.init]
    assert sent[0] == "ATE0"
    assert {"AT+CVHU=0", "AT+CRC=0", "AT+CLIP=1", "AT+CCWA=1", "AT+COLP=0", "AT+CMGF=0", "AT+CSMS=0"} <= set(sent)
    stores = ",".join([f'"{one.storage}"'] * 3)
    assert {"AT+CMEE=1", "AT+CFUN=1", "AT+CREG=2", f"AT+CPMS={stores}"} <= set(sent)
    assert sent.index("AT+CSMS=0") < sent.index("AT+CNMI=2,1,0,2,0")
    assert one.reject[0] == "AT+CHUP"
    assert "ATH" in one.reject
    assert not any(re.match(r"AT\+(CHLD=1\d|QHUP)", cmd) for cmd in one.reject)  # they name a call by its index


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_inbound_sms_are_stored_first_whatever_alternative_is_taken(name: str) -> None:
    told = [cmd for one in PROFILES[name].init if one.cmd.startswith("AT+CNMI") for cmd in (one.cmd, *one.alternatives)]
    assert len(told) > 1
    assert all(re.fullmatch(r"AT\+CNMI=[12],1,0,[012],0", cmd) for cmd in told)


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_end_marks(name: str) -> None:
    """Each pattern has an example, a ring is no end, and the marks in its own transcripts are known."""
    ended = PROFILES[name].ended
    live = ("RING", "+CRING: VOICE", "OK", '+CLIP: "",128', "VOICE CALL: BEGIN", "^CONN:1,0")
    assert not any(pattern.match(line) for pattern in ended for line in live)
    marks = re.compile(r"< (\^CEND:.*|VOICE CALL: ?END.*|MISSED_CALL.*|HANGUP.*)")
    for file in PROFILES[name].transcripts:
        for mark in marks.findall((TRANSCRIPTS / file).read_text()):
            assert any(pattern.match(mark) for pattern in ended), (file, mark)


@pytest.mark.parametrize(
    ("cgmi", "cgmm", "name"),
    [
        ("huawei", "E1752", "huawei-voice"),
        ("QUALCOMM INCORPORATED", "E1750", "huawei-voice"),
        ("huawei", "K3715", "huawei-voice"),
        ("SIMCOM_Ltd", "SIMCOM_SIM800C", "sim800"),
        ("SIMCOM INCORPORATED", "SIMCOM_SIM7600E-H", "sim7600"),
        ("INCORPORATED", "A7670E-LASE", "a76xx"),
        ("SIMCOM INCORPORATED", "A7672S", "a76xx"),
        ("Quectel_Ltd", "Quectel_M95", "quectel-2g"),
        ("Quectel", "EC25", "quectel-lte"),
        ("Quectel", "EG25", "quectel-lte"),
        ("Quectel", "BG96", "generic"),
        ("SIMCOM INCORPORATED", "SIM5320E", "generic"),
        ("Telit", "LE910C1-EUX", "generic"),
        ("", "", "generic"),
    ],
)
def test_which_profile_a_modem_gets(cgmi: str, cgmm: str, name: str) -> None:
    assert profile.match(PROFILES, cgmi, cgmm).name == name


def test_usb_roles() -> None:
    (usb,) = PROFILES["sim7600"].usb
    assert [usb.role(interface) for interface in range(6)] == ["", "", "at", "rescue", "audio", ""]
    ids = [one.id for found in PROFILES.values() for one in found.usb if one.id not in ("1a86:7523", "10c4:ea60")]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('name = "sim7600"', 'name = "sim7601"', "name: "),
        ("prompt_timeout = 10", 'prompt_timeout = "soon"', "prompt_timeout: "),
        ("prompt_timeout = 10", "prompt_timout = 10", "prompt_timout: unknown key"),
        ("send_timeout = 120", "send_timeout = 0", "send_timeout: "),
        ('storage = "SM"', 'storage = "SIM"', "storage: "),
        ('cmd = "ATS0=0", timeout = 2', 'cmd = "ATS0=1", timeout = 2', "init: ATS0=0 is missing or may be refused"),
        ('cmd = "ATS0=0", timeout = 2', 'cmd = "ATS0=0", timeout = 2, optional = true', "init: ATS0=0 is missing"),
        ('"AT+CLCC=1"', '"ATS0=2"', "init: a setting of S0 other than 0"),
        ('"AT+CLCC=1"', '"AT+CRC=0"', "init: AT+CRC=0 stands in it twice"),
        ('"AT+CLCC=1"', '"AT+CLCC=1\\r"', "init.11.cmd: "),
        ('reject = ["AT+CHUP", "ATH"]', 'reject = ["ATH", "AT+CHUP"]', "reject: ATH comes first"),
        ("'^REMOTE CALL END$'", "'^REMOTE (CALL END$'", "ended: '^REMOTE (CALL END$' is no pattern"),
        ("'^REMOTE CALL END$'", "'^REMOTE CALL OVER$'", "ended_examples: "),
        ('"REMOTE CALL END",\n', "\n", "ended: '^REMOTE CALL END$' has no example"),
        ('transcripts = ["sim7600-', 'derived = "a guess"\ntranscripts = ["sim7600-', "transcripts: both or neither"),
        ('id = "1e0e:9001"', 'id = "1E0E:9001"', "usb.1.id: "),
        ("audio = 4", "audio = -1", "usb.1.audio: "),
    ],
)
def test_refused(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in GOOD
    file = tmp_path / "sim7600.toml"
    file.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(profile.ProfileError) as caught:
        profile.load(file)
    told = [f"{one.key}: {one.wrong}" for one in caught.value.problems]
    assert any(line.startswith(problem) for line in told), told
    assert all(one.file == str(file) and one.allowed for one in caught.value.problems)


def test_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text("name = 1\n")
    (tmp_path / "two.toml").write_text("not toml")
    with pytest.raises(profile.ProfileError) as caught:
        profile.load_all(tmp_path)
    assert {Path(one.file).name for one in caught.value.problems} == {"one.toml", "two.toml"}


def test_a_folder_without_the_generic_profile(tmp_path: Path) -> None:
    (tmp_path / "sim7600.toml").write_text(GOOD)
    with pytest.raises(profile.ProfileError, match=r"generic\.toml: missing"):
        profile.load_all(tmp_path)
