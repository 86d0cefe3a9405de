"""`miscall modem list`: the modems on this machine, the profile each matches, and what each of its ports is for.

Every serial port is asked `AT`, then for maker, model and its own number; a port that another program holds is not
touched but named with the culprit. Nothing is set: asking leaves a modem as it was. What a port is for is told by its
USB interface; a simulated modem's sound port is known by its name.
"""

from __future__ import annotations

import glob
import os
import re
import select
import stat
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from edge import profile
from edge.port import Port, PortError

PLACES = ("/dev/serial/by-path/*", "/dev/ttyUSB*", "/dev/ttyACM*")
PATIENCE = 1.5  # seconds for an answer: audio and diagnostic ports never give one
PCM = "-pcm"  # how `miscall modem sim` names the sound port of the modem beside it
_FINAL = re.compile(r"OK|ERROR|\+CM[ES] ERROR:.*|COMMAND NOT SUPPORT")
_UNASKED = re.compile(r"RING|\+CRING|\+CLIP|\+CMTI|\+CREG|\^|\*|\+CIEV")


@dataclass(frozen=True)
class Found:
    """One port. `model` is empty when no modem answered on it, and `words` then says why."""

    port: str
    usb: str = ""  # vendor:product
    device: str = ""  # the same for all ports of one USB device
    interface: int = -1
    maker: str = ""
    model: str = ""
    number: str = field(default="", repr=False)  # the SIM's own, when it knows it
    profile: str = ""
    role: str = ""  # at, rescue, audio, or "" when unknown
    words: str = ""
    voice: profile.Voice | None = None


@dataclass
class Modem:
    """The ports of one modem; `rescue` and `audio` are empty when there are none."""

    at: Found
    rescue: str = ""
    audio: str = ""

    @property
    def talks(self) -> str:
        """How a line on it would talk with callers, in words; "" when it could not."""
        voice = self.at.voice
        if voice and voice.pcm and self.audio:
            return f"talks through {self.audio}"
        return "talks by files inside it" if voice and voice.files else ""


def run(ports: Sequence[str]) -> int:
    """Print what was found, one line a port, and of each modem how it talks."""
    found = scan(ports)
    if not found:
        print("No serial port is here. Plug the modem in; a stick that shows up as a CD needs usb-modeswitch.")
    talks = {modem.at.port: f"; {modem.talks or 'cannot talk'}" for modem in modems(found)}
    for one in found:
        if one.model:
            known = f"{one.port}: {one.maker} {one.model}, profile {one.profile}, {one.role or 'at'}"
            print(known + talks.get(one.port, ""))
        else:
            print(f"{one.port}: {one.words}" + (f", {one.role}" if one.role else ""))
    return 0


def scan(ports: Iterable[str] = ()) -> list[Found]:
    """Every serial port of this machine and those that the patterns in `ports` name, each under one name."""
    named: dict[str, str] = {}
    for place in (*ports, *PLACES):
        for path in sorted(glob.glob(place)):
            if os.path.exists(path) and stat.S_ISCHR(os.stat(path).st_mode):
                named.setdefault(os.path.realpath(path), path)
    with ThreadPoolExecutor(max_workers=16) as pool:
        found = list(pool.map(_look, named.values()))
    return sorted(_with_roles(found), key=lambda one: (one.device, one.interface, one.port))


def modems(found: Iterable[Found]) -> list[Modem]:
    """The ports put together: one modem for each AT port of a USB device, or for each port that answers alone."""
    together: dict[str, Modem] = {}
    several = list(found)
    for one in several:
        if one.model and (one.role == "at" or (one.device or one.port) not in together):
            together[one.device or one.port] = Modem(one)
    for one in several:
        modem = together.get(one.device or one.port)
        if modem and one.port != modem.at.port and one.role in ("rescue", "audio"):
            setattr(modem, one.role, one.port)
    return list(together.values())


def _look(path: str) -> Found:
    device, interface, usb = _usb(path)
    try:
        port = Port(path)
    except PortError as error:
        return Found(path, usb, device, interface, words=error.words.removeprefix(f"{path} "))
    try:
        if ask(port, "AT") is None and ask(port, "AT") is None:
            return Found(path, usb, device, interface, words="does not answer AT")
        maker, model = (" ".join(ask(port, command) or ()) for command in ("AT+CGMI", "AT+CGMM"))
        number = re.search(r'"(\+\d{7,15})"', " ".join(ask(port, "AT+CNUM") or ()))
    except OSError:
        return Found(path, usb, device, interface, words="went away while it was asked")
    finally:
        port.close()
    return Found(path, usb, device, interface, maker, model or "unnamed", number[1] if number else "")


def ask(port: Port, command: str) -> list[str] | None:
    """The lines of the answer to one command, without echo and URCs; None when no final came in time."""
    port.write(f"{command}\r".encode())
    deadline = time.monotonic() + PATIENCE
    heard = b""
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([port.fd], [], [], left)[0]:
            break
        heard += port.read()
        lines = [line.strip() for line in heard.decode("latin-1").replace("\r", "\n").split("\n") if line.strip()]
        if lines and heard.endswith((b"\r", b"\n")) and any(_FINAL.fullmatch(line) for line in lines):
            kept = [line for line in lines if not (_FINAL.fullmatch(line) or _UNASKED.match(line) or line == command)]
            return [re.sub(r"^\+C[A-Z]+: ?", "", line) for line in kept]
    return None


def _usb(path: str) -> tuple[str, int, str]:
    """USB device, interface number and vendor:product behind a tty, as sysfs has them; all empty for other ports."""
    place = Path("/sys/class/tty", os.path.basename(os.path.realpath(path)), "device")
    for folder in (place.resolve(), *place.resolve().parents):
        if (folder / "bInterfaceNumber").exists():
            parent = folder.parent
            vendor, product = ((parent / name).read_text().strip() for name in ("idVendor", "idProduct"))
            return str(parent), int((folder / "bInterfaceNumber").read_text(), 16), f"{vendor}:{product}"
    return "", -1, ""


def _with_roles(found: list[Found]) -> list[Found]:
    """Each port with its modem's profile and what it is for: by its USB interface where a profile knows that."""
    profiles = profile.load_all()
    known = {usb.id: usb for one in profiles.values() for usb in one.usb}
    done = []
    for one in found:
        matched = profile.match(profiles, one.maker, one.model) if one.model else None
        role = known[one.usb].role(one.interface) if one.usb in known else "at" if one.model else ""
        told = {"profile": matched.name, "voice": matched.voice} if matched else {}
        if not one.usb and one.port.endswith(PCM):
            role, told = "audio", {"device": one.port.removesuffix(PCM)}
        done.append(Found(**{**vars(one), **told, "role": role}))
    return done
