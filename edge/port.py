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
    """An open serial port. Raises PortError on opening, OSError when the device has gone."""

    def __init__(self, path: str) -> None:
        if not os.path.exists(path):
            raise PortError("no-port", f"{path} is not there")
        culprit = "" if os.path.realpath(path).startswith("/dev/pts/") else holder(path)
        if culprit:
            raise PortError("port-held", f"{path} is held by {culprit}")
        try:
            self._serial = serial.Serial(path, 115200, timeout=0, write_timeout=0)
            fcntl.flock(self._serial.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)  # TIOCEXCL does not stop root
        except BlockingIOError:
            self._serial.close()
            raise PortError("port-held", f"{path} is held by {holder(path) or 'another program'}") from None
        except (OSError, serial.SerialException, termios.error) as error:
            raise _refused(path, error) from None
        self.fd = self._serial.fileno()
        os.set_blocking(self.fd, False)

    def read(self) -> bytes:
        """What has arrived; b"" when nothing has. Raises OSError when the device has gone."""
        try:
            data = os.read(self.fd, 65536)
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


def _refused(path: str, error: Exception) -> PortError:
    number = getattr(error, "errno", None)
    if number == errno.EACCES:
        return PortError("no-port", f"{path}: no permission: put the box's user into the group dialout")
    if number in (errno.EBUSY, errno.EAGAIN):
        return PortError("port-held", f"{path} is held by {holder(path) or 'another program'}")
    return PortError("no-port", f"{path}: {os.strerror(number) if number else 'cannot be opened as a serial port'}")
