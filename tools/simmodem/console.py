"""`miscall modem sim`: modems to try things on, driven from the keyboard or from another program.

Commands come on standard input and, the same, on the socket FOLDER/control (one a line, the answer
ends with an empty line). What the modems are told and what becomes of each call is printed.
"""

from __future__ import annotations

import os
import selectors
import shlex
import signal
import socket
import sys
import time
from pathlib import Path

from tools.simmodem.calls import Call, Hangup
from tools.simmodem.family import FAMILIES
from tools.simmodem.farm import Farm, PtyModem
from tools.simmodem.faults import FAULTS
from tools.simmodem.player import sound_of, wav

HELP = """\
ring MODEM NUMBER [SECONDS]   a voter rings, and gives up after SECONDS (20); NUMBER may be `withheld`
sms MODEM NUMBER TEXT...      a voter sends an SMS
key MODEM KEY                 the caller presses a key
say MODEM FILE.wav            the caller says what is in the file: 8 kHz, 16 bit, mono
hear MODEM FILE.wav           write into the file what the last caller heard
fault MODEM NAME on [VALUE]   something goes wrong; `fault MODEM NAME off`; `faults` lists them
log [MODEM]                   calls and messages so far
quit                          end
MODEM is a number from 1, or `all`."""


class Refused(ValueError):
    """A command that cannot be done; the words say what to do instead."""


class Console:
    """The commands over one farm. `obey` is the whole of it."""

    def __init__(self, farm: Farm) -> None:
        self.farm = farm
        self.over = False

    def obey(self, line: str) -> str:
        """Do one command; returns what to print. Raises `Refused`."""
        try:
            word, *rest = shlex.split(line) or [""]
        except ValueError as error:
            raise Refused(f"{error}: check the quotes") from error
        commands = {
            "ring": self._ring,
            "sms": self._sms,
            "key": self._key,
            "say": self._say,
            "hear": self._hear,
            "fault": self._fault,
            "log": self._log,
        }
        if word in ("", "help", "?"):
            return HELP if word else ""
        if word == "faults":
            return "\n".join(f"{f.name:14}{f.words}{_default(f.unit, f.default)}" for f in FAULTS.values())
        if word in ("quit", "exit"):
            self.over = True
            return "bye"
        if word not in commands:
            raise Refused(f"no command is called {word!r}; `help` lists them")
        return commands[word](rest)

    def _ports(self, which: str) -> list[PtyModem]:
        ports = self.farm.ports
        if which == "all":
            return ports
        if which.isdigit() and 1 <= int(which) <= len(ports):
            return [ports[int(which) - 1]]
        raise Refused(f"no modem {which!r}: a number from 1 to {len(ports)}, or `all`")

    def _ring(self, words: list[str]) -> str:
        if len(words) not in (2, 3):
            raise Refused("ring MODEM NUMBER [SECONDS]")
        patience = _seconds(words[2]) if len(words) == 3 else 20.0
        withheld = words[1] == "withheld"
        number = "" if withheld else _number(words[1])
        calls = [port.dial(number, patience, withheld=withheld) for port in self._ports(words[0])]
        return "\n".join("ringing" if not call.fate else f"not put through: {call.fate}" for call in calls)

    def _sms(self, words: list[str]) -> str:
        if len(words) < 3:
            raise Refused("sms MODEM NUMBER TEXT")
        parts = [port.sms_in(words[1], " ".join(words[2:])) for port in self._ports(words[0])]
        return "\n".join(f"sent in {len(part)} part{'s' * (len(part) > 1)}" for part in parts)

    def _key(self, words: list[str]) -> str:
        if len(words) != 2 or len(words[1]) != 1 or words[1].upper() not in "0123456789*#ABCD":
            raise Refused("key MODEM KEY, where KEY is one of 0-9 * # A-D")
        for port in self._ports(words[0]):
            port.press(words[1].upper())
        return "pressed"

    def _say(self, words: list[str]) -> str:
        if len(words) != 2:
            raise Refused("say MODEM FILE.wav")
        try:
            pcm = sound_of(Path(words[1]).read_bytes())
        except OSError as error:
            raise Refused(f"cannot read {words[1]}: {error.strerror}") from error
        if pcm is None:
            raise Refused(f"{words[1]} is no WAV file of 8 kHz, 16 bit, mono")
        for port in self._ports(words[0]):
            if port.modem.sound.call is None:
                raise Refused(f"nobody talks on {port.modem.name}: `ring` first, and the call must be answered")
            port.speak(pcm)
        return f"says {len(pcm) / 16000:.1f} s"

    def _hear(self, words: list[str]) -> str:
        ports = self._ports(words[0]) if len(words) == 2 else []
        if len(ports) != 1:
            raise Refused("hear MODEM FILE.wav, of one modem")
        with self.farm.lock:
            heard = next((bytes(call.heard) for call in reversed(ports[0].modem.calls) if call.heard), None)
        if heard is None:
            raise Refused(f"no caller of {ports[0].modem.name} was answered yet, or this kind has no sound")
        try:
            Path(words[1]).write_bytes(wav(heard))
        except OSError as error:
            raise Refused(f"cannot write {words[1]}: {error.strerror}") from error
        return f"{len(heard) / 16000:.1f} s written"

    def _fault(self, words: list[str]) -> str:
        if len(words) not in (3, 4) or words[2] not in ("on", "off"):
            raise Refused("fault MODEM NAME on [VALUE], or fault MODEM NAME off; `faults` lists the names")
        try:
            for port in self._ports(words[0]):
                if words[2] == "off":
                    port.fault_off(words[1])
                else:
                    port.fault(words[1], _seconds(words[3]) if len(words) == 4 else None)
        except ValueError as error:
            raise Refused(str(error)) from error
        return f"{words[1]} {words[2]}"

    def _log(self, words: list[str]) -> str:
        lines = []
        for port in self._ports(words[0] if words else "all"):
            modem = port.modem
            with self.farm.lock:
                lines.append(f"{modem.name} ({modem.family.name}): {len(modem.calls)} calls, {len(modem.sent)} SMS")
                lines += [_told(call) for call in modem.calls[-20:]]
                lines += [f"  SMS to {sent.number}: {sent.outcome or 'under way'}" for sent in modem.sent[-20:]]
        return "\n".join(lines)


def _default(unit: str, default: float) -> str:
    return f" ({default:g} {unit})" if unit else ""


def _told(call: Call) -> str:
    who = "to" if call.outgoing else "from"
    caller = "withheld" if call.withheld else call.caller
    took = "" if call.ended_at is None else f" after {call.ended_at - call.dialled_at:.2f} s"
    return f"  call {who} {caller}: {call.fate or call.state}{took}"


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Refused(f"{text!r} is no number") from None


def _number(text: str) -> str:
    if not text.lstrip("+").isdigit():
        raise Refused(f"{text!r} is no telephone number: digits with or without a plus, or `withheld`")
    return text


def _print_traffic(port: PtyModem) -> None:
    modem = port.modem

    def command(now: float, line: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {modem.name} < {line}", flush=True)

    def hung_up(hangup: Hangup) -> None:
        waited = f" {hangup.at - hangup.call.dialled_at:.3f} s after it was dialled" if hangup.call else ": nobody"
        print(f"{time.strftime('%H:%M:%S')} {modem.name} hangs up{waited}", flush=True)

    modem.channel.watch, modem.line.on_hangup = command, hung_up


def _listen(path: Path) -> socket.socket:
    """The control socket. Raises OSError when another simulator serves this folder."""
    server = socket.socket(socket.AF_UNIX)
    if path.exists():
        try:
            server.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            server.close()
            server = socket.socket(socket.AF_UNIX)
        else:
            server.close()
            raise OSError(f"another simulator already serves {path.parent}: end it, or give another folder")
    try:
        server.bind(str(path))
    except OSError as error:
        raise OSError(f"cannot make {path}: {error.strerror or error}; try a shorter path or another folder") from error
    server.listen()
    return server


def run(folder: str | Path, profile: str = "generic", modems: int = 1) -> int:
    """Serve `modems` modems in `folder` until `quit`, SIGTERM or Ctrl-C. Profile `all` takes each
    kind in turn. Returns 0, or 1 with one line on stderr."""
    folder = Path(folder)
    names = list(FAMILIES) if profile == "all" else [profile]
    if profile not in (*FAMILIES, "all"):
        print(f"no modem is called {profile!r}; there are: {', '.join(FAMILIES)}, all", file=sys.stderr)
        return 1
    if not 1 <= modems <= 64:
        print(f"--modems {modems}: from 1 to 64", file=sys.stderr)
        return 1
    try:
        folder.mkdir(parents=True, exist_ok=True)
        server = _listen(folder / "control")
    except OSError as error:
        print(f"{error}", file=sys.stderr)
        return 1
    try:
        with server, Farm(folder) as farm:
            for i in range(modems):
                port = farm.add(names[i % len(names)], name=f"sim{i + 1}")
                _print_traffic(port)
                sound = f", sound {port.audio_path.name}" if port.audio_path else ""
                print(f"modem {i + 1}: {port.path.absolute()}{sound}  ({port.modem.family.label})")
            print("Give a path to a program as its serial port. Type here: ring 1 +919812345678   (or `help`)")
            print(f"From another terminal: echo 'ring 1 +919812345678' | nc -NU {folder.absolute() / 'control'}")
            sys.stdout.flush()
            _Loop(Console(farm), server).run()
    except OSError as error:
        print(f"{error}", file=sys.stderr)
        return 1
    finally:
        (folder / "control").unlink(missing_ok=True)
    return 0


class _Loop:
    """Standard input and the control socket, until the end."""

    def __init__(self, console: Console, server: socket.socket) -> None:
        self._console = console
        self._selector = selectors.DefaultSelector()
        self._partial: dict[object, bytes] = {}
        self._selector.register(server, selectors.EVENT_READ, self._accept)
        wake, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        self._selector.register(wake, selectors.EVENT_READ, None)
        try:
            self._selector.register(0, selectors.EVENT_READ, self._typed)
        except (OSError, ValueError):
            pass  # standard input is a file or closed: the socket alone then

    def run(self) -> None:
        signal.set_wakeup_fd(self._waker)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        while not self._console.over:
            for key, _ in self._selector.select():
                if key.data is not None:
                    key.data(key.fileobj)

    def _end(self, number: int, frame: object) -> None:
        self._console.over = True

    def _accept(self, server: socket.socket) -> None:
        client, _ = server.accept()
        self._selector.register(client, selectors.EVENT_READ, self._asked)

    def _typed(self, fd: int) -> None:
        data = os.read(fd, 4096)
        if not data:
            self._selector.unregister(fd)
        for line in self._lines(fd, data):
            print(self._answer(line), flush=True)

    def _asked(self, client: socket.socket) -> None:
        try:
            data = client.recv(4096)
            for line in self._lines(client, data):
                client.sendall(f"{self._answer(line)}\n\n".encode())
        except OSError:
            data = b""
        if not data:
            self._partial.pop(client, None)
            self._selector.unregister(client)
            client.close()

    def _lines(self, source: object, data: bytes) -> list[str]:
        *lines, rest = (self._partial.get(source, b"") + data).split(b"\n")
        self._partial[source] = rest[-4096:]
        return [line.decode("utf-8", "replace") for line in lines]

    def _answer(self, line: str) -> str:
        try:
            return self._console.obey(line)
        except Refused as refused:
            return f"refused: {refused}"
