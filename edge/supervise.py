"""Keeps a handful of processes alive, and takes them along when it goes.

One loop and no thread: signals are blocked and waited for, so that nothing happens between two lines of code. A child
that ends is started again, after 1 s, then 2, 4, ... 30 s while it keeps ending soon. The kernel is told to kill the
children when we die, however we die. SIGTERM or Ctrl-C asks all of them to end, and insists after 8 s. Under systemd
(Type=notify) it says when it is up, and pets the watchdog while the loop turns.
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
from typing import NamedTuple

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds before a child that ended is started again
STEADY = 60.0  # a child that lived so long has earned the first pause again
PATIENCE = 8.0  # seconds between asking the children to end and insisting
_STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_WAKE = (*_STOP, signal.SIGCHLD)
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class Child(NamedTuple):
    """A process to keep alive: what the log calls it, and its command."""

    name: str
    command: tuple[str, ...]


@dataclass
class _Kept:
    child: Child
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    due: float = 0.0
    pause: float = 0.0


def miscall(name: str, *words: str) -> Child:
    """A child that is another `miscall` command of this same installation."""
    return Child(name, (sys.executable, "-m", "tools", *words))


def run(children: Sequence[Child]) -> int:
    """Keep `children` alive until SIGTERM, SIGINT or SIGHUP; then end them all within 10 s and return 0.

    The log is one line an event on stderr. Call it from the main thread."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _WAKE)
    kept = [_Kept(child, pause=FIRST_PAUSE) for child in children]
    petted = _petting_interval()
    try:
        _start_due(kept)
        _notify("READY=1")
        while True:
            now = time.monotonic()
            waits = [one.due - now for one in kept if one.process is None]
            got = signal.sigtimedwait(_WAKE, max(0.0, min([petted, *waits])))
            if got is not None and got.si_signo in _STOP:
                return 0
            _reap(kept)
            _start_due(kept)
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
                one.process = subprocess.Popen(one.child.command, preexec_fn=_tied(os.getpid()), process_group=0)
            except OSError as error:  # no memory, no processes left: the next try may fare better
                _say(f"{one.child.name}: cannot start ({error.strerror})")
                _postpone(one, now)
                continue
            one.started = now


def _tied(parent: int) -> Callable[[], None]:
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
