"""Simulated modems on pseudo-terminals, and `miscall modem sim`."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simhost import VOTER
from tools.simmodem import FAMILIES, FAULTS, Farm, run
from tools.simmodem.console import Console, Refused

ROOT = Path(__file__).parent.parent


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    with Farm(tmp_path) as farm:
        yield farm


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_NOCTTY)


def _read_until(fd: int, mark: bytes, seconds: float = 10) -> bytes:
    end, said = time.monotonic() + seconds, b""
    while mark not in said and time.monotonic() < end:
        if select.select([fd], [], [], 0.2)[0]:
            said += os.read(fd, 4096)
    assert mark in said, said
    return said


def test_a_port_speaks_and_a_caller_is_rejected(farm: Farm) -> None:
    port = farm.add("sim800", clip_s=0)
    fd = _open(port.path)
    assert termios.tcgetattr(fd)[3] & (termios.ECHO | termios.ICANON) == 0
    os.write(fd, b"ATE0;+CLIP=1\r")
    _read_until(fd, b"OK")
    call = port.dial(VOTER)
    _read_until(fd, b"+CLIP")
    os.write(fd, b"AT+CHUP\r")
    assert farm.until(lambda: call.fate, 10) and call.fate == "rejected"
    os.close(fd)


def test_a_port_that_vanishes_comes_back_under_another_number(farm: Farm) -> None:
    port = farm.add("huawei-voice")
    old, fd = os.readlink(port.path), _open(port.path)
    port.fault("vanish", 0.05)
    assert farm.until(lambda: not port.modem.gone, 10)
    assert os.readlink(port.path) != old
    with pytest.raises(OSError):
        if not os.read(fd, 100):
            raise OSError("end of file")
    os.close(fd)
    fd = _open(port.path)
    os.write(fd, b"AT\r")
    _read_until(fd, b"OK")
    os.close(fd)


def test_nobody_listening_blocks_nobody(farm: Farm) -> None:
    ports = [farm.add(profile) for profile in FAMILIES]
    reader = _open(ports[0].path)
    for port in ports:
        port.fault("flood", 2000)
    lazy = _open(ports[1].path)  # open, and never read
    os.write(lazy, b"AT\r")
    assert farm.until(lambda: ports[1].modem.seen, 10)
    os.write(reader, b"AT\r")
    _read_until(reader, b"OK")
    os.close(reader)
    os.close(lazy)


def test_what_was_written_before_the_port_was_opened_is_lost(farm: Farm) -> None:
    port = farm.add("generic")
    call = port.dial(VOTER, 0.05)
    assert farm.until(lambda: call.fate, 10)
    fd = _open(port.path)
    os.write(fd, b"ATE0\r")
    assert b"RING" not in _read_until(fd, b"OK")
    os.close(fd)


_LOCK_AND_DIE = """
import fcntl, os, sys, termios
if os.geteuid() == 0:
    os.setuid(65534)
fd = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
fcntl.ioctl(fd, termios.TIOCEXCL)
os.write(fd, b"AT\\r")
os.read(fd, 1)
os.kill(os.getpid(), 9)
"""


def test_a_program_that_died_with_the_port_locked_does_not_lock_it_for_ever(farm: Farm) -> None:
    port = farm.add("generic")
    os.chmod(farm.folder, 0o755)
    for _ in range(2):
        os.chmod(port.path, 0o666)
        path = os.path.realpath(port.path)
        assert subprocess.run([sys.executable, "-c", _LOCK_AND_DIE, path], check=False).returncode == -signal.SIGKILL
        if os.geteuid() != 0:
            assert farm.until(lambda path=path: os.path.realpath(port.path) != path, 10)


def test_console_commands(farm: Farm) -> None:
    farm.add("generic")
    farm.add("sim7600")
    console = Console(farm)
    assert console.obey(f"ring 1 {VOTER} 0.01") == "ringing"
    assert farm.until(lambda: farm.ports[0].modem.calls[0].fate, 10)
    assert "gave-up" in console.obey("log 1")
    assert console.obey(f"sms all {VOTER} 'please stop'") == "sent in 1 part\nsent in 1 part"
    assert console.obey("fault 2 late-clip on 1.5") == "late-clip on"
    assert farm.ports[1].modem.faults.value("late-clip") == 1.5
    console.obey("fault 2 late-clip off")
    assert "late-clip" not in farm.ports[1].modem.faults
    assert all(name in console.obey("faults") for name in FAULTS)
    for line, why in {
        "ring 3 +91": "a number from 1 to 2",
        "ring 1 tom": "no telephone number",
        "ring": "ring MODEM NUMBER",
        "fault 1 nonsense on": "there are: silence",
        "fly": "`help` lists them",
        'sms 1 "x': "check the quotes",
    }.items():
        with pytest.raises(Refused, match=re.escape(why)):
            console.obey(line)


def test_the_tool_serves_ports_and_its_socket(tmp_path: Path) -> None:
    code = f"from tools.simmodem import run; raise SystemExit(run({str(tmp_path)!r}, 'all', 2))"
    tool = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert tool.stdin and tool.stdout
    try:
        told = [tool.stdout.readline() for _ in range(4)]
        assert str(tmp_path / "sim1") in told[0] and str(tmp_path / "sim2") in told[1]
        fd = _open(tmp_path / "sim2")
        os.write(fd, b"AT\r")
        _read_until(fd, b"OK")
        assert "sim2 < AT" in tool.stdout.readline()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "control"))
            client.sendall(f"ring 2 {VOTER}\nring 9 1\n".encode())
            answer = b""
            while answer.count(b"\n\n") < 2:
                answer += client.recv(4096)
        assert answer.startswith(b"ringing\n\nrefused: no modem '9'")
        _read_until(fd, b"RING")
        os.close(fd)
        assert run(tmp_path, "generic", 1) == 1, "a second one is refused"
        tool.stdin.write("quit\n")
        tool.stdin.close()
        assert tool.wait(10) == 0
    finally:
        tool.kill()
        tool.wait()
        tool.stdout.close()
    assert not list(tmp_path.iterdir())


def test_the_tool_refuses_with_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    for arguments, why in (
        ((tmp_path, "nokia", 1), "there are: generic"),
        ((tmp_path, "generic", 0), "from 1 to 64"),
        ((tmp_path / "file", "generic", 1), "file"),
        ((tmp_path / ("x" * 120), "generic", 1), "shorter path"),
    ):
        assert run(*arguments) == 1
        said = capsys.readouterr().err
        assert why in said and said.count("\n") == 1
