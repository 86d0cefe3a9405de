"""One pseudo-terminal under a link that keeps its name: what a program sees of a modem's port.

What is written while no program has it open is lost, as on a real line. What a program that has it
open does not read is kept; while more than `backlog` bytes wait, each further write is lost as a whole,
so that no sample and no line is cut. Nothing here ever blocks.
"""

from __future__ import annotations

import fcntl
import os
import select
import termios
import tty
from collections.abc import Callable
from pathlib import Path


class Port:
    """`path` is the link; `device` what it shows now. `watch` and `unwatch` are told the descriptor
    that has something to say while the port is there."""

    def __init__(
        self, path: Path, backlog: int, watch: Callable[[int, Port], None], unwatch: Callable[[int], None]
    ) -> None:
        self.path = path
        self.device = ""
        self._backlog = backlog
        self._watch, self._unwatch = watch, unwatch
        self._master = -1
        self._spare: tuple[int, str] | None = None
        self._out = b""
        self._was_open = False

    def follow(self, there: bool) -> None:
        """Show the port or take it away."""
        if there and self._master < 0:
            self.open()
        elif not there and self._master >= 0:
            self.close(spare=True)

    def open(self) -> None:
        """Show a port. The link appears when the port is ready, never before."""
        self._master, self.device = self._spare or _new_pty()
        self._spare = None
        self._was_open = False
        self._watch(self._master, self)
        fresh = self.path.with_name(f".{self.path.name}.new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(self.device)
        fresh.replace(self.path)

    def close(self, spare: bool = False) -> None:
        """Take the port away: a program that has it open reads end of file. With `spare` the next
        one is made first, so that its number differs."""
        if self._spare is not None and not spare:
            os.close(self._spare[0])
            self._spare = None
        if self._master < 0:
            return
        if spare:
            self._spare = _new_pty()
        if self.path.is_symlink() and os.readlink(self.path) == self.device:
            self.path.unlink()
        self._unwatch(self._master)
        os.close(self._master)
        self._master, self._out = -1, b""

    def read(self) -> bytes:
        """All that the program has written."""
        if self._master < 0:
            return b""
        chunks = []
        try:
            while chunk := os.read(self._master, 65536):
                chunks.append(chunk)
        except OSError:
            pass  # no more for now, or nobody there
        if chunks:
            self._was_open = True
        return b"".join(chunks)

    def write(self, data: bytes) -> None:
        data = self._out if len(self._out) > self._backlog else self._out + data
        self._out = b""
        if not data or self._master < 0 or not self._listened_to():
            return
        self._was_open = True
        try:
            written = os.write(self._master, data)
        except BlockingIOError:
            written = 0
        except OSError:
            return
        self._out = data[written:]

    def hung_up(self) -> None:
        """The program that had it open may be gone. One that died with TIOCEXCL set would lock the
        port for ever, while a real driver forgets the lock: take it off, which only root may, or show
        another port."""
        if not self._was_open:
            return
        self._was_open = False
        if self._listened_to():
            return
        try:
            slave = os.open(self.device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError:
            self.close(spare=True)
            self.open()
        else:
            fcntl.ioctl(slave, termios.TIOCNXCL)
            os.close(slave)

    def _listened_to(self) -> bool:
        """Has a program the port open? The only event that `poll` can tell is POLLHUP."""
        probe = select.poll()
        probe.register(self._master, 0)
        return not probe.poll(0)


def _new_pty() -> tuple[int, str]:
    master, slave = os.openpty()
    try:
        tty.setraw(slave, termios.TCSANOW)
        name = os.ttyname(slave)
    finally:
        os.close(slave)
    os.set_blocking(master, False)
    return master, name
