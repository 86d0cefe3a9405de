"""Modems on pseudo-terminals: one thread serves them all, and sleeps until a byte or a moment comes.

    with Farm(folder) as farm:
        port = farm.add("sim800", name="sim1")       # folder/sim1 -> /dev/pts/7
        call = port.dial("+919812345678", patience_s=1.5)
        farm.until(lambda: call.fate, 10)            # "rejected", "gave-up", ...

Times are `time.monotonic()`. Everything public may be called from any thread. What is written while
no program has the port open is lost, as on a real line; a program that opens the port and does not
read loses what is beyond 256 KiB (a second of sound on an audio port), and blocks nobody.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from tools.simmodem.calls import Call
from tools.simmodem.modem import SimModem
from tools.simmodem.ports import Port

_BACKLOG = 256 * 1024
_AUDIO_BACKLOG = 16_000  # one second of sound: nothing older is worth hearing


class PtyModem:
    """One modem and its ports. `path` is the name to give to a program, and `audio_path` that of the
    audio port (None: this kind has none); they stay the same when the modem vanishes and returns under
    another number. `modem` is the core: look, and use `Farm.lock` to change it otherwise than through
    the methods here."""

    def __init__(self, farm: Farm, modem: SimModem, path: Path) -> None:
        self.modem = modem
        self.farm = farm
        self.path = path
        self.audio_path = path.with_name(f"{path.name}-pcm") if modem.family.pcm else None
        self._at = Port(path, _BACKLOG, partial(self._watch, select.EPOLLIN | select.EPOLLOUT), farm.unwatch)
        # Room is not waited for there: sound is written every 20 ms anyway.
        audio = path.with_name(f"{path.name}-pcm")
        self._audio = Port(audio, _AUDIO_BACKLOG, partial(self._watch, select.EPOLLIN), farm.unwatch)

    # ------------------------------------------------------------------------------ far side

    def dial(self, caller: str, patience_s: float = 20.0, **how: Any) -> Call:
        """A voter rings; `how` as `SimModem.dial` has it: withheld, talk_s, keys, says."""
        with self.farm.changing(self) as now:
            return self.modem.dial(caller, now, patience_s, **how)

    def sms_in(self, sender: str, text: str) -> list[str]:
        """A voter writes; returns the PDUs."""
        with self.farm.changing(self) as now:
            return self.modem.sms_in(sender, text, now)

    def press(self, key: str, ms: float = 100) -> None:
        """The far end of the call that is up presses a key."""
        with self.farm.changing(self) as now:
            self.modem.press(key, now, ms)

    def speak(self, pcm: bytes) -> None:
        """The far end of the call that is up says this: s16le, 8 kHz."""
        with self.farm.changing(self) as now:
            self.modem.speak(pcm, now)

    def hang_up(self, call: Call) -> None:
        """The far end of `call` ends it, before the answer or after; nothing when it is over."""
        with self.farm.changing(self) as now:
            self.modem.line.cancel(call, now)

    def decide(self, call: Call, does: str) -> None:
        """Whoever the modem is calling does this now: "answer", "refuse" or "busy"."""
        with self.farm.changing(self) as now:
            self.modem.line.decide(call, does, now)

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

    # --------------------------------------------------------------------------------- ports

    def open(self) -> None:
        """Show the ports that there are now."""
        self._at.follow(not self.modem.gone)
        self._audio.follow(self.modem.audio_port)

    def close(self) -> None:
        self._at.close()
        self._audio.close()

    def _watch(self, wanted: int, fd: int, port: Port) -> None:
        self.farm.watch(fd, wanted, partial(self._ready, port))

    def _ready(self, port: Port, events: int, now: float) -> None:
        """A port has something: bytes, room, or its reader left."""
        self.serve(now, self._at.read() if port is self._at else b"")
        if events & select.EPOLLHUP:
            port.hung_up()

    def serve(self, now: float, commands: bytes = b"") -> None:
        """Time passed, or commands came. Sound is fetched first: it was there before this moment. A
        port is made before it is written to, when the modem has come back and speaks."""
        sound = b"" if "pcm-stall" in self.modem.faults else self._audio.read()
        said = self.modem.audio_in(sound, now) if sound else b""
        said += self.modem.receive(commands, now) if commands else self.modem.tick(now)
        self.open()
        self._at.write(said)
        self._audio.write(self.modem.audio_out(now))


class Farm:
    """Some modems whose ports are links in `folder`. `late_s` is how late the thread was at worst: what
    a measurement of the other side has to be seen against."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ports: list[PtyModem] = []
        self.lock = threading.RLock()
        self._changed = threading.Condition(self.lock)
        self._epoll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK)
        self._epoll.register(self._wake, select.EPOLLIN)
        self._by_fd: dict[int, Callable[[int, float], None]] = {}
        self.late_s = 0.0
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
            port.serve(time.monotonic())
            self._changed.notify_all()
        self._kick()

    def watch(self, fd: int, events: int, do: Callable[[int, float], None]) -> None:
        """Call `do(events, now)` whenever one of them comes."""
        self._by_fd[fd] = do
        self._epoll.register(fd, events | select.EPOLLET)

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
                    elif (do := self._by_fd.get(fd)) is not None:
                        do(events, now)
                for port in self.ports:
                    due = port.modem.deadline()
                    if due is not None and due <= now:
                        self.late_s = max(self.late_s, now - due)
                        port.serve(now)
                self._changed.notify_all()
