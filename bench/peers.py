"""Programs of others on the same simulated modem, in the same run, and our own line beside them.

Two questions. How long does a patient caller ring after her number is known? And of callers who give up after 1.5 s,
one every 2.5 s, how many are recorded while replies of 4 s go out on the same modem? The number comes 150 ms after
RING. Each program is set up as well as its manual allows:

    smstools3      delaytime = 1, phonecalls = clip (it then hangs up); a reply is a file in its spool, by eventhandler
    gammu-smsd     its defaults, HangupCalls and RunOnIncomingCall; it sends no reply here, which is kinder to it
    python-gsmmodem-new  a handler that writes the number and hangs up; it finds the number only when +CLIP is in
                         the same read as RING, so one modem says both at once and another 5 ms apart
A program that is not installed is left out by name. `python -m bench.peers PORT LOG` is the last one's handler.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench.fleet import Box, Stopwatch, Voters, leash, until
from bench.report import Figure, absent, all_of, beside, rank
from tools.simmodem import Farm, PtyModem
from tools.simmodem.calls import Call

ONE_RING_S, EVERY_S, REPLY_S, CLIP_S = 1.5, 2.5, 4.0, 0.15
PATIENT_S, PAUSE_S = 20.0, 1.0
SETTLE_S = 16.0  # gammu-smsd reads its port about every 15 s
_SMSD = """\
devices = GSM1
delaytime = 1
delaytime_mainprocess = 1
blocktime = 2
logfile = {folder}/smsd.log
infofile = {folder}/smsd.working
pidfile = {folder}/smsd.pid
outgoing = {folder}/outgoing
checked = {folder}/checked
incoming = {folder}/incoming
failed = {folder}/failed
sent = {folder}/sent
phonecalls = {folder}/calls
{handler}
[GSM1]
device = {port}
baudrate = 115200
incoming = yes
phonecalls = clip
report = no
memory_start = 1
"""
_REPLY = """\
#!/bin/sh
[ "$1" = CALL ] || exit 0
to=$(sed -n 's/^From: *//p' "$2")
printf 'To: %s\\n\\nThank you for calling. Your voice is recorded.' "$to" >"{folder}/new.$$"
mv "{folder}/new.$$" "{folder}/outgoing/reply.$$"
"""
_GAMMU = """\
[gammu]
device = {port}
connection = at115200
[smsd]
service = files
inboxpath = {folder}/inbox/
outboxpath = {folder}/outbox/
sentsmspath = {folder}/sent/
errorsmspath = {folder}/error/
hangupcalls = 1
runonincomingcall = {folder}/call
logfile = {folder}/gammu.log
"""
_NOTE = '#!/bin/sh\necho "$1" >>"{folder}/calls"\n'


@dataclass
class Peer:
    """A program on a modem. `recorded` counts the calls whose number it has told."""

    name: str
    port: PtyModem
    recorded: Callable[[], int]
    calls: list[Call] = field(default_factory=list)

    def ready(self) -> bool:
        """Has it asked for numbers, and has its modem been left alone for a while?"""
        return self.port.modem.settings["+CLIP"].startswith("1")


class Stage:
    """Modems and the programs on them, all of which end with `stack`."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.farm = stack.enter_context(Farm(self.folder / "ports"))
        self.missing: list[str] = []

    def modem(self, clip_s: float = CLIP_S) -> PtyModem:
        """One more modem."""
        return self.farm.add("generic", clip_s=clip_s, send_s=(REPLY_S, REPLY_S))

    def smstools(self, reply: bool) -> list[Peer]:
        """smstools3, tuned; with a reply to each call or without."""
        program, port = _program("smsd"), self.modem()
        if not program:
            return self._without("smstools3")
        folder = self._folder(port, "outgoing", "checked", "incoming", "failed", "sent", "calls")
        handler = f"eventhandler = {_script(folder / 'handler', _REPLY.format(folder=folder))}" if reply else ""
        config = folder / "smsd.conf"
        config.write_text(_SMSD.format(folder=folder, port=port.path, handler=handler))
        self.stack.enter_context(leash([program, "-t", f"-c{config}"], folder / "out"))
        name = "smstools3 tuned, with its reply" if reply else "smstools3 tuned"
        return [Peer(name, port, lambda: sum("From: " in file.read_text() for file in (folder / "calls").iterdir()))]

    def gammu(self) -> list[Peer]:
        """gammu-smsd."""
        program, port = _program("gammu-smsd"), self.modem()
        if not program:
            return self._without("gammu-smsd")
        folder = self._folder(port, "inbox", "outbox", "sent", "error")
        _script(folder / "call", _NOTE.format(folder=folder))
        config = folder / "smsdrc"
        config.write_text(_GAMMU.format(folder=folder, port=port.path))
        self.stack.enter_context(leash([program, "-c", str(config)], folder / "out"))
        return [Peer("gammu-smsd", port, lambda: _lines(folder / "calls"))]

    def gsmmodem(self, clip_s: float) -> list[Peer]:
        """python-gsmmodem-new, on a modem that says the number so long after RING."""
        if importlib.util.find_spec("gsmmodem") is None:
            return self._without("python-gsmmodem-new")
        port = self.modem(clip_s)
        folder = self._folder(port)
        command = [sys.executable, "-m", "bench.peers", str(port.path), str(folder / "calls")]
        self.stack.enter_context(leash(command, folder / "out"))
        apart = f"CLIP {clip_s * 1000:.0f} ms after" if clip_s else "CLIP with RING"
        return [Peer(f"gsmmodem-new, {apart}", port, lambda: _lines(folder / "calls"))]

    def ours(self) -> list[Peer]:
        """A line of ours, which replies too."""
        port = self.modem()
        box = Box(self._folder(port) / "box", [port])
        self.stack.enter_context(box.lines())
        return [Peer("miscall", port, lambda: len(box.callers()))]

    def _folder(self, port: PtyModem, *names: str) -> Path:
        folder = self.folder / f"on-{port.modem.name}"
        for name in ("", *names):
            (folder / name).mkdir(parents=True, exist_ok=True)
        return folder

    def _without(self, name: str) -> list[Peer]:
        self.missing.append(name)
        return []


def measure(quick: bool = False) -> list[Figure]:
    """Both questions at once: every program has a modem of its own."""
    callers, patient = (10, 3) if quick else (40, 12)
    with ExitStack() as stack:
        stage = Stage(stack)
        hasty = [*stage.ours(), *stage.smstools(True), *stage.gammu()]
        calm = [*stage.smstools(False), *stage.gammu(), *stage.gsmmodem(0.0), *stage.gsmmodem(0.005)]
        for peer in (*hasty, *calm):
            until(peer.ready, 60, f"{peer.name} is ready")
        time.sleep(3)  # what they still do before they listen
        watches = [Stopwatch(peer.port) for peer in calm]
        _dial(hasty, callers, calm, patient)
        recorded = {peer.name: peer.recorded() for peer in hasty}
        waits = {peer.name: _waits(watch, peer) for peer, watch in zip(calm, watches, strict=True)}
    found = [
        all_of("one-ring callers while replies of 4 s go out: recorded", recorded["miscall"], callers),
        *(beside(f"{name}: recorded", count, f"of {callers}") for name, count in recorded.items() if name != "miscall"),
    ]
    for name, (median, hung, out_of) in waits.items():
        found.append(
            beside(f"{name}: number known -> hang-up, p50 ({hung} of {out_of} hung up)", 1000 * median, "ms")
            if hung
            else absent(f"  {name}: number known -> hang-up", f"never in {out_of} calls")
        )
    return found + [absent(f"  {name}", "not installed") for name in stage.missing]


def _dial(hasty: Sequence[Peer], callers: int, calm: Sequence[Peer], patient: int) -> None:
    """One-ring callers on the modems of `hasty` by the clock; meanwhile patient ones on those of `calm`, the next
    when the last is gone. Ends when the one-ring callers have been written down, or had time to be."""
    voters = Voters(4)
    begun = time.monotonic()
    ends = begun + callers * EVERY_S + SETTLE_S
    dialled = 0
    while (now := time.monotonic()) < ends:
        if dialled < callers and now >= begun + dialled * EVERY_S:
            dialled += 1
            for peer in hasty:
                peer.calls.append(peer.port.dial(voters(), ONE_RING_S))
        for peer in calm:
            ended = peer.calls[-1].ended_at if peer.calls else begun
            if ended is not None and now > ended + PAUSE_S and len(peer.calls) < patient:
                peer.calls.append(peer.port.dial(voters(), PATIENT_S))
        time.sleep(0.02)


def _waits(watch: Stopwatch, peer: Peer) -> tuple[float, int, int]:
    """The median wait of those who were hung up on, how many they are, and how many rang to an end."""
    waits = [watch.hung[call] - told for call, told in watch.told.items() if call in watch.hung]
    return rank(waits, 0.5), len(waits), sum(call.fate != "" for call in peer.calls)


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def _script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def _lines(path: Path) -> int:
    return sum(1 for line in path.read_text().splitlines() if line.strip()) if path.exists() else 0


def _serve(port: str, log: str) -> None:
    """python-gsmmodem-new at its best: note the number and hang up at once."""
    from gsmmodem.modem import GsmModem, IncomingCall

    with open(log, "a", buffering=1) as notes:

        def rang(call: IncomingCall) -> None:
            if call.number:
                notes.write(f"{call.number}\n")
                call.hangup()

        modem = GsmModem(port, 115200, incomingCallCallbackFunc=rang)
        modem.connect()
        while True:
            time.sleep(60)


if __name__ == "__main__":
    _serve(*sys.argv[1:3])
