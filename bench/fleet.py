"""Real lines on simulated modems, and a stopwatch at the wire.

A leash holds a program with all that it starts. It hangs on a pipe of ours: when we let go, or die however we die,
the kernel closes the pipe, the program is asked to end, and after that its whole process group is killed. Times are
taken by the simulator's side, when the bytes of a number are written and when a hang-up command has been read, never
inside the program under test.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from edge.ledger import Reader
from tools.simmodem import PtyModem
from tools.simmodem.calls import Call, Hangup

ROOT = Path(__file__).resolve().parent.parent
MISCALL = (sys.executable, "-m", "tools")
_LEASH = '"$@" & p=$!; read _; kill $p; (sleep 10; kill -KILL 0) & wait $p; kill -KILL 0'
PROMPT_S = 0.1  # an SMS holds the channel from its command on, a little before its text is read
CAMPAIGN = """\
id = "water"
title = "Water"
mode = "missed-call"
languages = ["en"]
[reply.en]
text = "Thank you for calling {office}. Your voice is recorded. STOP to end."
[reply.policy]
once_per = "24h"
"""
BOX = """\
[box]
id = "bench"
data = "data"
country = "IN"
timezone = "Asia/Kolkata"
clock = "trusted"
[box.text]
office = "Nashik"
[hq]
url = "mqtt://127.0.0.1:{broker}"
[page]
listen = "{listen}"
"""
LINE = """\
[[line]]
name = "{name}"
number = "+9190000000{place:02}"
campaign = "water"
port = "{port}"
sms_per_day = 500
"""


@contextmanager
def leash(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` with all that it starts until the block ends. What it says goes to `log`."""
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
    with open(log, "ab") as out:
        holder = subprocess.Popen(
            ["/bin/sh", "-c", _LEASH, "leash", *command],
            stdin=subprocess.PIPE, stdout=out, stderr=out, start_new_session=True, cwd=ROOT, env=surroundings,
        )  # fmt: skip
    try:
        yield holder
    finally:
        assert holder.stdin
        holder.stdin.close()
        holder.wait()


def until(true: Callable[[], object], seconds: float, what: str) -> None:
    """Wait for a condition. Raises TimeoutError with its name."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        time.sleep(0.02)


class Stopwatch:
    """Between a modem and its port: when a caller's number was written, when the hang-up for her was read."""

    def __init__(self, port: PtyModem) -> None:
        self.port, self._write = port, port._at.write
        self.told: dict[Call, float] = {}
        self.hung: dict[Call, float] = {}
        port._at.write = self._timed  # type: ignore[method-assign]
        port.modem.line.on_hangup = self._read

    def _timed(self, data: bytes) -> None:
        if b'+CLIP: "' in data:
            for call in self.port.modem.line.calls:
                self.told.setdefault(call, time.monotonic())
        self._write(data)

    def _read(self, hangup: Hangup) -> None:
        if hangup.call is not None:
            self.hung.setdefault(hangup.call, time.monotonic())

    def latencies(self) -> dict[Call, float]:
        """Seconds from number to hang-up of each call that was told while no SMS held the AT channel."""
        sends = [(sent.at - PROMPT_S, sent.done_at or float("inf")) for sent in self.port.modem.sent]
        return {
            call: self.hung[call] - told
            for call, told in self.told.items()
            if call in self.hung and not any(begun <= told <= done for begun, done in sends)
        }


class Box:
    """A box's folder: one line for each of `ports`, nothing running yet. A modem's audio port is the line's too when
    the campaign speaks."""

    def __init__(
        self, folder: Path, ports: Sequence[PtyModem], broker: int = 9, listen: str = "", campaign: str = CAMPAIGN
    ) -> None:
        self.folder, self.ports = folder, ports
        self.config, self.data = folder / "box.toml", folder / "data"
        self.names = [f"l{place}" for place in range(1, len(ports) + 1)]
        (folder / "campaigns").mkdir(parents=True)
        (folder / "campaigns" / "water.toml").write_text(campaign)
        speaks = "[menu]" in campaign
        lines = [
            LINE.format(name=name, place=place, port=port.path)
            + (f'audio_port = "{port.audio_path}"\n' if speaks and port.audio_path else "")
            for place, (name, port) in enumerate(zip(self.names, ports, strict=True), 1)
        ]
        self.config.write_text(BOX.format(broker=broker, listen=listen) + "".join(lines))

    @contextmanager
    def lines(self, wrap: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> Iterator[None]:
        """Every line as a process of its own, ready, until the block ends."""
        with ExitStack() as stack:
            for name in self.names:
                command = [*wrap, *MISCALL, "box", "line", str(self.config), name]
                stack.enter_context(leash(command, self.folder / f"{name}.log", environment))
            self.until_ready()
            yield

    def until_ready(self, seconds: float = 60.0) -> None:
        """Wait until every line has said so, and its modem has nothing left to answer."""
        until(lambda: all(self.state(name).get("state") == "ready" for name in self.names), seconds, "lines ready")
        until(self.quiet, seconds, "modems quiet")

    def quiet(self) -> bool:
        """Has no modem been asked anything for half a second?"""
        last = max(port.modem.channel.seen[-1][0] for port in self.ports if port.modem.channel.seen)
        return time.monotonic() - last > 0.5

    def state(self, name: str) -> dict[str, object]:
        """What a process last said of itself."""
        try:
            told: dict[str, object] = json.loads((self.data / "state" / f"{name}.json").read_text())
            return told
        except (OSError, ValueError):
            return {}

    def calls(self) -> int:
        """Calls on disk in all ledgers, each counted once."""
        return len(self._calls(self.names))

    def callers(self, *names: str) -> set[str]:
        """The numbers on disk, of these lines or of all."""
        return {str(row[8]) for row in self._calls(names or self.names) if row[8]}

    def letters(self) -> Counter[str]:
        """How many replies stand in each state."""
        found: dict[tuple[str, object], str] = {}
        for name in self.names:
            for row in self._rows(name):
                if row[2] == "message" and (row[1] or '"out"' in str(row[12])):
                    found[name, row[1] or row[0]] = str(row[10])
        return Counter(found.values())

    def _calls(self, names: Sequence[str]) -> list[tuple[object, ...]]:
        return [row for name in names for row in self._rows(name) if row[2] == "call" and not row[1]]

    def _rows(self, name: str) -> list[tuple[object, ...]]:
        with closing(Reader(self.data / "ledgers" / f"{name}.db")) as reader:
            return reader.rows(0, 1_000_000)


class Voters:
    """Numbers that nobody had before."""

    def __init__(self, seed: int = 0) -> None:
        self._next = 9_100_000_000 + seed * 1_000_000

    def __call__(self) -> str:
        self._next += 1
        return f"+91{self._next}"
