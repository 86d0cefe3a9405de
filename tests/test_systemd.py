"""What starts the box on a Pi: a hardened unit that starts a command there is, and udev rules for each profile."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edge import profile, supervise
from tools import cli

ROOT = Path(__file__).parent.parent
UNIT = ROOT / "systemd" / "miscall-box.service"
RULES = (ROOT / "firmware_config" / "udev" / "70-miscall.rules").read_text()
THRESHOLD = 20  # tenths: 2.0 of 10; what is left is the network, the serial ports and the question to the clock


def service() -> dict[str, str]:
    """The [Service] section; of a key that stands there twice, the last value."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment]
    parser.read(UNIT)
    return dict(parser["Service"])


def analyze(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    unit = folder / "miscall-box.service"
    unit.write_text(text)
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={THRESHOLD}", "--no-pager", str(unit)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here")
def test_the_unit_is_hardened(tmp_path: Path) -> None:
    done = analyze(UNIT.read_text(), tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here")
def test_the_gate_would_notice_a_softer_unit(tmp_path: Path) -> None:
    softer = UNIT.read_text().replace("ProtectSystem=strict\n", "").replace("NoNewPrivileges=yes\n", "")
    assert analyze(softer.replace("CapabilityBoundingSet=\n", ""), tmp_path).returncode != 0


def test_it_starts_a_command_that_exists() -> None:
    program, *words = service()["ExecStart"].split()
    assert program.endswith("/.venv/bin/miscall")
    assert vars(cli.parser().parse_args(words))["room"] == "edge.box:run"


def test_it_never_gives_up_and_is_petted() -> None:
    text, found = UNIT.read_text(), service()
    assert "StartLimitIntervalSec=0" in text
    assert (found["Type"], found["Restart"], found["LimitCORE"], found["UMask"]) == ("notify", "always", "0", "0077")
    assert 4 * supervise.LOOK <= int(found["WatchdogSec"]) <= 30, "it is petted in time, and no hang lasts longer"
    assert int(found["TimeoutStopSec"]) >= 10


def test_it_may_ask_whether_the_clock_is_right() -> None:
    """With ProtectClock=yes the box would never trust its clock; with ProcSubset=pid not know its boot."""
    assert "\nSystemCallFilter=adjtimex clock_adjtime\n" in UNIT.read_text()
    assert not {"ProtectClock", "ProcSubset"} & set(service())


def test_sound_goes_first_and_what_can_wait_goes_last() -> None:
    """Whoever asks is in the code; refused, a helper is late, the encoder is in its way, and no word is understood."""
    asked = re.findall(r"os\.setpriority\(os\.PRIO_PROCESS, 0, (-?\d+)\)", (ROOT / "edge/audio/helper.py").read_text())
    assert asked == [service()["LimitNICE"]]
    allowed = UNIT.read_text().partition("SystemCallFilter=~@privileged @resources\n")[2]
    assert "\nSystemCallFilter=setpriority\n" in allowed, "behind the line that takes it away"


def test_every_profile_has_its_udev_rules() -> None:
    for name, one in profile.load_all().items():
        for usb in one.usb:
            vendor, _, product = usb.id.partition(":")
            device = f'ATTR{{idVendor}}=="{vendor}", ATTR{{idProduct}}=="{product}", ENV{{ID_MM_DEVICE_IGNORE}}="1"'
            assert device in RULES, (name, usb.id)
            for role, interface in (("at", usb.at), ("rescue", usb.modem), ("audio", usb.audio)):
                port = (
                    f'ATTRS{{idVendor}}=="{vendor}", ATTRS{{idProduct}}=="{product}", '
                    f'ENV{{ID_USB_INTERFACE_NUM}}=="{interface:02x}", ENV{{MISCALL_ROLE}}="{role}"'
                )
                assert interface < 0 or port in RULES, (name, usb.id, role)


def test_udev_rules_are_well_formed() -> None:
    assert 'SYMLINK+="miscall/$env{ID_PATH_TAG}-$env{MISCALL_ROLE}"' in RULES  # the sound port too, as ...-audio
    part = r'[A-Z_]+(\{[\w/]+\})?(==|!=|\+=|=)"[^"]*"'
    for line in filter(None, RULES.splitlines()):
        assert line.startswith("#") or re.fullmatch(rf"{part}(, {part})*", line), line
    labels = set(re.findall(r'LABEL="(\w+)"', RULES))
    assert set(re.findall(r'GOTO="(\w+)"', RULES)) == labels
