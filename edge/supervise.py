"""Keeps a handful of processes alive, and takes them along when it goes.

One loop and no thread: signals are blocked and waited for, so that nothing happens between two lines of code. A child
that ends is started again, after 1 s, then 2, 4, ... 30 s while it keeps ending soon. One that hangs is killed first:
it has a file that it writes again every few seconds, its pulse, and hangs when that has not changed for its patience.
The kernel is told to kill the children when we die, however we die. SIGTERM or Ctrl-C asks all of them to end, and
insists after 8 s. Under systemd (Type=notify) it says when it is up, and pets the watchdog while the loop turns and
not every pulse is lost: one child that cannot even be killed costs itself alone.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds before a child that ended is started again
STEADY = 60.0  # a child that lived so long has earned the first pause again
PATIENCE = 8.0  # seconds between asking the children to end and insisting
LOOK = 3.0  # seconds between two looks at the pulses
SLOW_START = 10  # so many times its patience a child may take for its first word: migrations, a long log to read
_STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_WAKE = (*_STOP, signal.SIGCHLD)
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class Child(NamedTuple):
    """A process to keep alive: what the log calls it, its command, and by which file and after how many seconds
    without a change of it it is known to hang. Without a pulse it is taken to be well while it lives."""

    name: str
    command: tuple[str, ...]
    pulse: Path | None = None
    patience: float = 30.0


@dataclass
class _Kept:
    child: Child
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    due: float = 0.0
    pause: float = 0.0
    beat: tuple[int, int] | None = None  # the pulse as it was seen last
    spoken: bool = False  # has this process written it yet?
    silent: float = 0.0  # seconds during which we looked and saw no change
    killed: bool = False

    @property
    def hangs(self) -> bool:
        patience = self.child.patience * (1 if self.spoken else SLOW_START)
        return self.process is not None and self.silent > patience


def miscall(name: str, *words: str, pulse: Path | None = None, patience: float = 30.0) -> Child:
    """A child that is another `miscall` command of this same installation."""
    return Child(name, (sys.executable, "-m", "tools", *words), pulse, patience)


def run(children: Sequence[Child]) -> int:
    """Keep `children` alive until SIGTERM, SIGINT or SIGHUP; then end them all within 10 s and return 0.

    The log is one line an event on stderr. Call it from the main thread."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _WAKE)
    kept = [_Kept(child, pause=FIRST_PAUSE) for child in children]
    watched = [one for one in kept if one.child.pulse]
    every = min([_petting_interval(), *(min(LOOK, one.child.patience / 4) for one in watched)])
    try:
        _start_due(kept)
        _notify("READY=1")
        looked = time.monotonic()
        while True:
            now = time.monotonic()
            waits = [one.due - now for one in kept if one.process is None]
            got = signal.sigtimedwait(_WAKE, max(0.0, min([every, *waits])))
            if got is not None and got.si_signo in _STOP:
                return 0
            _reap(kept)
            now = time.monotonic()
            _watch(watched, min(now - looked, 2 * every))  # while we stood still ourselves, nobody was silent
            looked = now
            _start_due(kept)
            if not watched or not all(one.hangs for one in watched):
                _notify("WATCHDOG=1")
    finally:
        _notify("STOPPING=1")
        _end(kept)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_due(kept: list[_Kept]) -> None:
    now = time.monotonic()
    for one in kept:
        if one.process is None and one.due <= now:
            try:
                one.process = subprocess.Popen(one.child.command, preexec_fn=tied(os.getpid()), process_group=0)
            except OSError as error:  # no memory, no processes left: the next try may fare better
                _say(f"{one.child.name}: cannot start ({error.strerror})")
                _postpone(one, now)
                continue
            one.started = now
            one.beat, one.spoken, one.silent, one.killed = _beat(one.child), False, 0.0, False


def _watch(watched: list[_Kept], seconds: float) -> None:
    """Look at every pulse, `seconds` after the last look; kill what hangs. No clock that can be set is asked."""
    for one in watched:
        if (beat := _beat(one.child)) != one.beat:
            one.beat, one.spoken, one.silent = beat, True, 0.0
            continue
        one.silent += seconds
        if one.process is not None and one.hangs and not one.killed and _writable(one.child):
            _say(f"{one.child.name}: hangs (no sign of life for {one.silent:.0f} s); it is killed")
            one.process.kill()
            one.killed = True


def _beat(child: Child) -> tuple[int, int] | None:
    try:
        seen = os.stat(child.pulse or "")
    except OSError:
        return None
    return seen.st_ino, seen.st_mtime_ns


def _writable(child: Child) -> bool:
    """Can a pulse be written at all? On a full disk silence proves nothing, and a line may still keep calls."""
    assert child.pulse
    probe = child.pulse.with_name(f".probe.{os.getpid()}")
    try:
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(bytes(4096))
        probe.unlink()
        return True
    except OSError:
        return False


def tied(parent: int) -> Callable[[], None]:
    """What a new child does first: die with its parent, and hear signals again."""

    def tie() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent died before the line above
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    return tie


def _reap(kept: list[_Kept]) -> None:
    now = time.monotonic()
    for one in kept:
        if one.process is None or one.process.poll() is None:
            continue
        status = one.process.returncode
        if now - one.started > STEADY:
            one.pause = FIRST_PAUSE
        how = f"exit {status}" if status >= 0 else signal.Signals(-status).name
        _say(f"{one.child.name}: ended ({how}); starts again in {one.pause:.0f} s")
        one.process = None
        _postpone(one, now)


def _postpone(one: _Kept, now: float) -> None:
    one.due = now + one.pause
    one.pause = min(one.pause * 2, LONGEST_PAUSE)


def _end(kept: list[_Kept]) -> None:
    running = [one.process for one in kept if one.process is not None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + PATIENCE
    for process in running:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _petting_interval() -> float:
    """Half of systemd's watchdog time; an hour without a watchdog."""
    limit = os.environ.get("WATCHDOG_USEC", "")
    return int(limit) / 2e6 if limit.isdigit() else 3600.0


def _notify(state: str) -> None:
    """Tell systemd, when it is systemd that started us (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as speaker:
            try:
                speaker.sendto(state.encode(), address.replace("@", "\0", 1) if address[0] == "@" else address)
            except OSError as error:
                _say(f"systemd does not listen: {error.strerror}")
