"""The serial port: open it for ourselves alone, name who else holds it, read and write without waiting.

A port is a lease. USB sticks vanish and come back under another ttyUSB number, so on any error the port is
closed at once (an open handle makes the returning device take the next number) and opened again by its
stable path. pyserial sets the line up; bytes then go through the file descriptor, because reading byte by
byte costs two hundred times the processor (measured).
"""

from __future__ import annotations

import errno
import fcntl
import os
import termios
from pathlib import Path

import serial


class PortError(Exception):
    """The port cannot be used. `state` is a line state, `words` says why; the line tries again."""

    def __init__(self, state: str, words: str) -> None:
        super().__init__(words)
        self.state, self.words = state, words


def holder(path: str) -> str:
    """The name and pid of another program that has the device behind `path` open, or ""."""
    try:
        device = os.stat(path).st_rdev
    except OSError:
        return ""
    if not device:  # not a device at all
        return ""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            for link in (entry / "fd").iterdir():
                if link.stat().st_rdev == device:
                    return f"{(entry / 'comm').read_text().strip()} (pid {entry.name})"
        except OSError:
            continue  # gone meanwhile, or not ours to look at
    return ""


class Port:
    """An open serial port. Raises PortError on opening, OSError when the device has gone. Without `search` nobody is
    looked for who holds it without a lock: that walk through /proc takes tens of milliseconds on a Pi."""

    def __init__(self, path: str, search: bool = True) -> None:
        if not os.path.exists(path):
            raise PortError("no-port", f"{path} is not there")
        culprit = "" if not search or os.path.realpath(path).startswith("/dev/pts/") else holder(path)
        if culprit:
            raise PortError("port-held", f"{path} is held by {culprit}")
        try:
            self._serial = serial.Serial(path, 115200, timeout=0, write_timeout=0)
            fcntl.flock(self._serial.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)  # TIOCEXCL does not stop root
            _tell_nothing_from_gone(self._serial.fileno())
        except BlockingIOError:
            self._serial.close()
            raise PortError("port-held", f"{path} is held by {holder(path) or 'another program'}") from None
        except (OSError, serial.SerialException, termios.error) as error:
            raise _refused(path, error) from None
        self.fd = self._serial.fileno()
        os.set_blocking(self.fd, False)

    def read(self, most: int = 65536) -> bytes:
        """What has arrived, up to `most` bytes; b"" when nothing has. Raises OSError when the device has gone."""
        try:
            data = os.read(self.fd, most)
        except BlockingIOError:
            return b""
        if not data:
            raise OSError(errno.EIO, "the device has gone")
        return data

    def write(self, data: bytes) -> bytes:
        """Write what fits; returns what did not. Raises OSError when the device has gone."""
        try:
            return data[os.write(self.fd, data) :]
        except BlockingIOError:
            return data

    def close(self) -> None:
        try:
            self._serial.close()
        except OSError:
            pass


def _tell_nothing_from_gone(fd: int) -> None:
    """Have a read of nothing fail with EAGAIN (VMIN 1), as pyserial does not: end of file is left for a lost device."""
    attributes = termios.tcgetattr(fd)
    attributes[6][termios.VMIN] = 1
    termios.tcsetattr(fd, termios.TCSANOW, attributes)


def _refused(path: str, error: Exception) -> PortError:
    number = getattr(error, "errno", None)
    if number == errno.EACCES:
        return PortError("no-port", f"{path}: no permission: put the box's user into the group dialout")
    if number in (errno.EBUSY, errno.EAGAIN):
        return PortError("port-held", f"{path} is held by {holder(path) or 'another program'}")
    return PortError("no-port", f"{path}: {os.strerror(number) if number else 'cannot be opened as a serial port'}")
