"""One modem in software, sans-IO: bytes and the time go in, bytes come out.

    modem = SimModem("sim7600", seed=7)
    out = modem.receive(b"AT+CLIP=1\\r", now)     # obeys, returns what it writes now
    call = modem.dial("+919812345678", now)       # a voter rings
    out = modem.tick(modem.deadline())            # time passes: RING, +CLIP, the caller gives up

`now` is any clock of seconds that never steps back. Nothing here waits, opens or reads a clock, so
years of a line can pass in a second. Bytes that a call of `dial`, `sms_in` or `fault` gives rise to
come out of the next `receive` or `tick`; `deadline()` is then `now` at once.
"""

from __future__ import annotations

import datetime
import heapq
import itertools
import math
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import Any

from tools.simmodem import commands
from tools.simmodem.calls import Call, Hangup, Line, Script
from tools.simmodem.channel import Channel
from tools.simmodem.drive import Drive
from tools.simmodem.family import Family, family
from tools.simmodem.faults import Faults
from tools.simmodem.messages import Mailbox, Sent
from tools.simmodem.sound import Sound
from tools.simmodem.wire import Wire


@dataclass
class Options:
    """What a test may choose. Pairs are ranges in seconds that a value is drawn from.

    voice     False: data-only firmware, which refuses to switch the audio port on
    dtmf_urc  False: keys are never told, whatever was set; True: also by a kind that cannot
    dtmf_urc_s  a key is told so long after it went down
    pcm_frames  so many frames leave the audio port at once
    playout_frames, playout_max_ms  sound waits for so many frames before the caller hears any, and
              what does not fit behind so much is lost
    disk, record_s  bytes for the module's own files; an A76xx records so long at most
    file_rate, file_block  bytes a second and a block of a file that is fetched
    upload_max  the module takes no larger file; 0: any that fits
    keep_s    of each call's sound the last so many seconds are kept
    """

    number: str = "+919000000001"
    send_s: tuple[float, float] = (1.5, 3.5)
    report_s: tuple[float, float] = (2.0, 5.0)
    prompt_s: float = 0.02
    prompt: str = "\r\n> "  # some newer ones write no space
    clip_s: float = 0.005
    command_s: tuple[float, float] = (0.0, 0.0)
    hangup_s: float = 0.0
    boot_s: float = 2.5
    sim_busy_s: float = 0.0
    pin: str = ""
    puk: str = ""
    capacity: int = 0
    call_waiting: bool = True
    registration: int = 1
    signal: int = 21
    operator: str = "Vi India"
    settings: dict[str, str] = field(default_factory=dict)  # left over from another program
    ussd: dict[str, str] = field(default_factory=lambda: {"*123#": "Your balance is Rs 42.50"})
    refuse: tuple[str, ...] = ()  # commands that answer ERROR, as they begin
    voice: bool = True
    dtmf_urc: bool | None = None
    dtmf_urc_s: float = 0.06
    pcm_frames: int = 1
    playout_frames: int = 3
    playout_max_ms: int = 500
    disk: int = 8_000_000
    record_s: float = 80.0
    file_rate: float = 400_000.0
    file_block: int = 512
    upload_max: int = 0
    keep_s: float = 600.0
    zone_quarters: int = 22
    wall_at_zero: float = 1_795_000_000.0  # seconds since 1970 when `now` was 0


class SimModem:
    """See above. `options` are the fields of `Options`, by name."""

    def __init__(self, profile: str = "generic", *, name: str = "sim1", seed: int = 0, **options: Any) -> None:
        self.name = name
        self.family: Family = family(profile)
        self.options: Options = Options(**options)
        if self.options.dtmf_urc and not self.family.dtmf:  # as newer firmware of SIMCom's does
            settings = self.family.vendor | {"+DDET": "0"}
            self.family = replace(self.family, dtmf="+RXDTMF: {key}", dtmf_switch=("+DDET", "1"), vendor=settings)
        self.rng = Random(f"{name}/{seed}")
        self.faults = Faults(self.rng)
        self.wire = Wire(self.faults, self.rng)
        self.settings: dict[str, str] = {}
        self.sound = Sound(self)
        self.drive = Drive(self)
        self.line: Line = Line(self)
        self.mailbox = Mailbox(self)
        self.channel = Channel(self)
        self.gone = False
        self.lives = 1
        self.now = -math.inf
        self.booting = False
        self._sim_ready_at = -math.inf
        self._heap: list[tuple[float, int, Callable[[float], object]]] = []
        self._count = itertools.count()
        commands.reset(self, self.options.settings)
        self.unlocked = not (self.options.pin or self.options.puk)
        self.pin_tries = 0 if self.options.puk else 3

    # ------------------------------------------------------------------------------ the core

    def receive(self, data: bytes, now: float) -> bytes:
        """Bytes from the host. Returns what is written by `now`."""
        self._pass_time(now)
        if not (self.gone or self.booting or "silence" in self.faults or "deaf" in self.faults):
            self.channel.receive(data, now)
        return self.wire.take(now)

    def tick(self, now: float) -> bytes:
        """Time passes. Returns what is written by `now`."""
        self._pass_time(now)
        return self.wire.take(now)

    def audio_in(self, data: bytes, now: float) -> bytes:
        """Bytes that the host wrote to the audio port by `now`. Returns what is written to the AT port."""
        self.sound.taken_in(data, now)
        return self.tick(now)

    def audio_out(self, now: float) -> bytes:
        """What the modem has written to the audio port by the last `receive`, `tick` or `audio_in`."""
        return self.sound.taken_out()

    def deadline(self) -> float | None:
        """When `tick` has something to do; None: never, as things stand."""
        times = [t for t in (self._heap[0][0] if self._heap else None, self.wire.deadline()) if t is not None]
        return min(times) if times else None

    def at(self, when: float, do: Callable[[float], object]) -> None:
        """Do it at that time. For the parts of this package."""
        heapq.heappush(self._heap, (when, next(self._count), do))

    def in_this_life(self, when: float, do: Callable[[float], object]) -> None:
        """As `at`, but void when the power goes before."""
        life = self.lives
        self.at(when, lambda t: do(t) if self.lives == life else None)

    def _pass_time(self, now: float) -> None:
        while self._heap and self._heap[0][0] <= now:
            when, _, do = heapq.heappop(self._heap)
            self.now = max(self.now, when)
            do(when)
        self.now = max(self.now, now)

    # --------------------------------------------------------------------------- the far side

    def dial(
        self,
        caller: str,
        now: float,
        patience_s: float = 20.0,
        *,
        withheld: bool = False,
        talk_s: float = 20.0,
        keys: Script[str] = (),
        says: Script[bytes] = (),
    ) -> Call:
        """A voter rings this SIM and gives up after `patience_s`; the Call tells how it went. When she
        is answered she hangs up after `talk_s`, and does what `keys` and `says` tell, seconds after."""
        self._pass_time(now)
        return self.line.dial(Call(caller, now, patience_s, withheld, talk_s, presses=keys, says=says), now)

    def sms_in(self, sender: str, text: str, now: float) -> list[str]:
        """A voter writes to this SIM. Returns the PDUs, one a part."""
        self._pass_time(now)
        return self.mailbox.arrive(sender, text, now)

    def pdu_in(self, pdu: str, now: float, report: bool = False) -> None:
        """A PDU as it is (hex, service centre first) arrives."""
        self._pass_time(now)
        self.mailbox.arrive_pdu(pdu, now, report)

    def press(self, key: str, now: float, ms: float = 100) -> None:
        """The far end of the call that is up presses a key for so long. Raises ValueError for no key."""
        self._pass_time(now)
        self.sound.press(key, now, ms)

    def speak(self, pcm: bytes, now: float) -> None:
        """The far end of the call that is up says this (s16le, 8 kHz), behind what it is saying."""
        self._pass_time(now)
        self.sound.speak(pcm)

    def network_time(self, now: float) -> None:
        """The network tells the time, on the kinds that pass it on unasked."""
        wanted = self.settings.get("+CLTS") == "1" or self.family.name == "huawei-voice"
        if self.family.time and wanted and self.reachable:
            utc, local = (datetime.datetime.fromtimestamp(f(now), datetime.UTC) for f in (self.wall, self.local_wall))
            self.urc(self.family.time.format(utc=utc, local=local, zone=f"{self.options.zone_quarters:+d}"), now)

    def urc(self, line: str, now: float) -> None:
        """Write any line unasked."""
        self.wire.urc((line,), now)

    @property
    def seen(self) -> deque[tuple[float, str]]:
        """(time, command line) of the last 20,000 that were read."""
        return self.channel.seen

    @property
    def calls(self) -> list[Call]:
        """Every call that ever was, first first."""
        return self.line.log

    @property
    def sent(self) -> list[Sent]:
        """Every SMS that the modem was given."""
        return self.mailbox.sent

    @property
    def hangups(self) -> list[Hangup]:
        return self.line.hangups

    # ------------------------------------------------------------------------ faults and power

    def fault(self, name: str, now: float, value: float | None = None, times: int | None = None) -> None:
        """Switch a fault on; see `faults.FAULTS`. Raises ValueError with what is allowed."""
        self._pass_time(now)
        was = name in self.faults
        value = self.faults.on(name, value, times)
        if name == "vanish":
            self.faults.off(name)
            self._power_lost(now)
            self.gone = True
            self.in_this_life(now + value, self._back)
        elif name == "pcm-gone":
            self.faults.off(name)
            self.sound.port_gone = True
            self.in_this_life(now + value, self._audio_back)
        elif name == "flood" and not was:
            self._flood(now)
        elif name == "no-sim":
            self._sim_moved(now)

    def fault_off(self, name: str, now: float) -> None:
        self._pass_time(now)
        was = name in self.faults
        self.faults.off(name)
        if name == "no-sim" and was:
            self._sim_moved(now)

    def restart(self, now: float) -> None:
        """As AT+CFUN=1,1 or a reset: every setting is lost, a USB modem's port goes and comes back."""
        self._power_lost(now)
        self.gone, self.booting = self.family.usb, True
        self.in_this_life(now + self.options.boot_s, self._back)

    def _power_lost(self, now: float) -> None:
        self.lives += 1  # whatever the old life had planned is void
        self.drive.power_lost()
        self.line.power_lost(now)
        self.mailbox.cut(now)
        self.wire.clear()
        self.channel.clear()
        commands.reset(self)

    def _back(self, now: float) -> None:
        self.gone = self.booting = self.sound.port_gone = False
        self.unlocked = not (self.options.pin or self.options.puk)
        self._sim_ready_at = now + self.options.sim_busy_s
        sim, lines = self.sim, []
        for line in self.family.boot:
            lines.append(f"+CPIN: {sim}" if line.startswith("+CPIN") else line)
            if line.startswith("+CPIN") and sim != "READY":
                break
        for i, line in enumerate(lines):
            self.in_this_life(now + 0.5 + 0.05 * i, partial(self.urc, line))
        self.at(now + 1.0, self.mailbox.fetch)
        self.in_this_life(now + 1.5, self.network_time)

    def _audio_back(self, now: float) -> None:
        self.sound.port_gone = False

    def _flood(self, now: float) -> None:
        rate = self.faults.value("flood")
        if rate:
            if not self.gone:
                self.wire.urc((self.rng.choice(self.family.noise),), now)
            self.at(now + 1 / rate, self._flood)

    def _sim_moved(self, now: float) -> None:
        if self.sim == "NOT INSERTED":
            self.line.power_lost(now)
        self.urc("^SIMST:255" if self.family.name == "huawei-voice" else f"+CPIN: {self.sim}", now)
        self.mailbox.fetch(now)

    @property
    def imei(self) -> str:
        """15 digits that belong to this modem's name, the last a right check digit."""
        body = f"86123{zlib.crc32(self.name.encode()) % 10**9:09d}"
        doubled = [int(digit) * (1 + i % 2) for i, digit in enumerate(body)]
        return body + str(-sum(n // 10 + n % 10 for n in doubled) % 10)

    @property
    def sim(self) -> str:
        """READY, SIM PIN, SIM PUK, NOT INSERTED or BUSY."""
        if "no-sim" in self.faults:
            return "NOT INSERTED"
        if self.now < self._sim_ready_at:
            return "BUSY"
        if self.unlocked:
            return "READY"
        return "SIM PIN" if self.pin_tries > 0 else "SIM PUK"

    @property
    def registration(self) -> int:
        """As +CREG tells it."""
        radio = self.settings["+CFUN"].startswith("1")
        return self.options.registration if radio and self.sim == "READY" else 0

    @property
    def files(self) -> dict[str, bytes]:
        """What lies in the module, by name without its drive."""
        return self.drive.files

    @property
    def audio_port(self) -> bool:
        """Is there one to be seen now."""
        return bool(self.family.pcm) and not (self.gone or self.sound.port_gone)

    @property
    def reachable(self) -> bool:
        """May the network ring it or send it an SMS."""
        return not (self.gone or self.booting) and self.registration in (1, 5)

    @property
    def call_waiting(self) -> bool:
        return self.options.call_waiting

    def wall(self, now: float) -> float:
        """Seconds since 1970, UTC."""
        return self.options.wall_at_zero + now

    def local_wall(self, now: float) -> float:
        return self.wall(now) + 900 * self.options.zone_quarters
