"""Modems on pseudo-terminals: one thread serves them all, and sleeps until a byte or a moment comes.

    with Farm(folder) as farm:
        port = farm.add("sim800", name="sim1")       # folder/sim1 -> /dev/pts/7
        call = port.dial("+919812345678", patience_s=1.5)
        farm.until(lambda: call.fate, 10)            # "rejected", "gave-up", ...

Times are `time.monotonic()`. Everything public may be called from any thread. What is written while
no program has the port open is lost, as on a real line; a program that opens the port and does not
read loses what is beyond 256 KiB, and blocks nobody.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import termios
import threading
import time
import tty
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from tools.simmodem.calls import Call
from tools.simmodem.modem import SimModem

_BACKLOG = 256 * 1024


class PtyModem:
    """One modem and its port. `path` is the name to give to a program; it stays the same when the
    modem vanishes and returns under another number. `modem` is the core: look, and use `Farm.lock`
    to change it otherwise than through the methods here."""

    def __init__(self, farm: Farm, modem: SimModem, path: Path) -> None:
        self.modem = modem
        self.path = path
        self.farm = farm
        self.device = ""
        self._master = -1
        self._spare: tuple[int, str] | None = None
        self._out = b""
        self._was_open = False

    # ------------------------------------------------------------------------------ far side

    def dial(self, caller: str, patience_s: float = 20.0, *, withheld: bool = False, talk_s: float = 20.0) -> Call:
        """A voter rings."""
        with self.farm.changing(self) as now:
            return self.modem.dial(caller, now, patience_s, withheld=withheld, talk_s=talk_s)

    def sms_in(self, sender: str, text: str) -> list[str]:
        """A voter writes; returns the PDUs."""
        with self.farm.changing(self) as now:
            return self.modem.sms_in(sender, text, now)

    def press(self, key: str) -> None:
        with self.farm.changing(self) as now:
            self.modem.press(key, now)

    def fault(self, name: str, value: float | None = None, times: int | None = None) -> None:
        """Switch a fault on; see `faults.FAULTS`."""
        with self.farm.changing(self) as now:
            self.modem.fault(name, now, value, times)

    def fault_off(self, name: str) -> None:
        with self.farm.changing(self) as now:
            self.modem.fault_off(name, now)

    def restart(self) -> None:
        with self.farm.changing(self) as now:
            self.modem.restart(now)

    # ---------------------------------------------------------------------------------- port

    def open(self) -> None:
        """Show a port. The link appears when the port is ready, never before."""
        self._master, self.device = self._spare or _new_pty()
        self._spare = None
        self._was_open = False
        self.farm.watch(self._master, self)
        fresh = self.path.with_name(f".{self.path.name}.new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(self.device)
        fresh.replace(self.path)

    def close(self, spare: bool = False) -> None:
        """Take the port away: a program that has it open reads end of file. With `spare` the next
        one is made first, so that its number differs."""
        if self._master < 0:
            return
        if spare:
            self._spare = _new_pty()
        if self.path.is_symlink() and os.readlink(self.path) == self.device:
            self.path.unlink()
        self.farm.unwatch(self._master)
        os.close(self._master)
        self._master, self._out = -1, b""

    def ready(self, events: int, now: float) -> None:
        """The port has something: bytes, room, or its reader left."""
        data = self._read() if events & (select.EPOLLIN | select.EPOLLHUP) else b""
        if data:
            self._was_open = True
            self.write(self.modem.receive(data, now))
        elif events & select.EPOLLHUP and self._was_open:
            self._was_open = False
            self._free_if_locked()
        if self._out:
            self.write(b"")
        self.settle()

    def settle(self) -> None:
        """Make the port follow the modem: there or gone."""
        if self.modem.gone and self._master >= 0:
            self.close(spare=True)
        elif not self.modem.gone and self._master < 0:
            self.open()

    def tick(self, now: float) -> None:
        """Time passed; the port is made first when the modem has come back and speaks."""
        data = self.modem.tick(now)
        self.settle()
        self.write(data)

    def write(self, data: bytes) -> None:
        data = self._out + data
        self._out = b""
        if not data or self._master < 0:
            return
        if not self._listened_to():
            return
        self._was_open = True
        try:
            written = os.write(self._master, data)
        except BlockingIOError:
            written = 0
        except OSError:
            return
        self._out = data[written:][:_BACKLOG]

    def _read(self) -> bytes:
        chunks = []
        try:
            while chunk := os.read(self._master, 65536):
                chunks.append(chunk)
        except OSError:
            pass  # no more for now, or nobody there
        return b"".join(chunks)

    def _free_if_locked(self) -> None:
        """A program that died with TIOCEXCL set would lock the port for ever, while a real driver
        forgets the lock: take it off, which only root may, or show another port."""
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


class Farm:
    """Some modems whose ports are links in `folder`."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ports: list[PtyModem] = []
        self.lock = threading.RLock()
        self._changed = threading.Condition(self.lock)
        self._epoll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK)
        self._epoll.register(self._wake, select.EPOLLIN)
        self._by_fd: dict[int, PtyModem] = {}
        self._thread: threading.Thread | None = None
        self._stop = False

    def add(self, profile: str = "generic", *, name: str = "", seed: int = 0, **options: Any) -> PtyModem:
        """One more modem, its port open at once. `options`: the fields of `modem.Options`."""
        with self.lock:
            name = name or f"sim{len(self.ports) + 1}"
            options.setdefault("wall_at_zero", time.time() - time.monotonic())
            port = PtyModem(self, SimModem(profile, name=name, seed=seed, **options), self.folder / name)
            port.open()
            self.ports.append(port)
        self.start()
        return port

    def __getitem__(self, name: str) -> PtyModem:
        return next(port for port in self.ports if port.modem.name == name)

    def start(self) -> None:
        """Serve on a thread of its own; `add` does it."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="simmodem", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Take every port away and end the thread."""
        self._stop = True
        self._kick()
        if self._thread is not None:
            self._thread.join()
        with self.lock:
            for port in self.ports:
                port.close()
            self.ports.clear()
            self._epoll.close()
            os.close(self._wake)

    def __enter__(self) -> Farm:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def until(self, true: Callable[[], object], timeout_s: float = 10.0) -> bool:
        """Wait until `true()` is, looking after each thing that happens; False when it never was."""
        with self._changed:
            return bool(self._changed.wait_for(true, timeout_s))

    @contextlib.contextmanager
    def changing(self, port: PtyModem) -> Any:
        """Hold the lock, yield the time, write what the change gave rise to."""
        with self.lock:
            yield time.monotonic()
            port.tick(time.monotonic())
            self._changed.notify_all()
        self._kick()

    def watch(self, fd: int, port: PtyModem) -> None:
        self._by_fd[fd] = port
        self._epoll.register(fd, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)

    def unwatch(self, fd: int) -> None:
        del self._by_fd[fd]
        self._epoll.unregister(fd)

    def _kick(self) -> None:
        os.eventfd_write(self._wake, 1)

    def _timeout(self) -> float:
        with self.lock:
            times = [t for port in self.ports if (t := port.modem.deadline()) is not None]
        return max(0.0, min(times) - time.monotonic()) if times else -1

    def _serve(self) -> None:
        while not self._stop:
            ready = self._epoll.poll(self._timeout())
            with self.lock:
                now = time.monotonic()
                for fd, events in ready:
                    if fd == self._wake:
                        os.eventfd_read(self._wake)
                    elif (port := self._by_fd.get(fd)) is not None:
                        port.ready(events, now)
                for port in self.ports:
                    due = port.modem.deadline()
                    if due is not None and due <= now:
                        port.tick(now)
                self._changed.notify_all()
