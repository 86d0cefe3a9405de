"""The modem's language: bytes and time in, events and bytes out.

Rules of the room:
- One command is outstanding at a time (27.007 4.1); the most urgent of those that wait goes next.
- Lines are bytes, not UTF-8. NUL, 0xFF and other control bytes are dropped wherever they stand, a line
  longer than LONGEST is cut, so any stream whatever costs bounded memory and raises nothing.
- URCs are cut out before answers are read: a RING may stand inside any response, before an echo, glued
  behind OK, or between two CRs. A line belongs to the pending command only by that command's own prefix.
- NO CARRIER, BUSY and NO ANSWER end a command only while ATD or ATA is pending; else a caller has gone.
- A command that timed out is *unknown*. Before the next one the channel resynchronises: ESC (out of a stuck
  SMS prompt), then a question whose answer carries its own name, a different one at each try. All that comes
  before that name is late and is thrown away, so a late OK never answers the next command.
- Nothing is written into a prompt that has meanwhile been withdrawn: ESC goes instead.
- A file that the modem hands over lies raw in the stream, as many bytes as were announced, and only where a
  command fetches one: they are taken out before lines are cut, so sound is never read as a URC.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge import urc
from edge.events import Answered, Deaf, Expired, Happening, Noise, PduArrived, Refused

if TYPE_CHECKING:
    from edge.profile import Profile

LONGEST = 2048  # characters of one line; the longest real one is a padded PDU of about 700
IMPATIENCE = 6.0  # seconds that any other command may: a lost answer must not block the channel
PATIENCE = 20.0  # seconds that an SMS at work may keep a caller waiting; real ones take 2 to 7 s
MOST_RAW = 4 << 20  # bytes of one fetched file; three minutes of sound are 3 MB
GAP = 0.02  # seconds of rest after an answer before a command that is in no hurry
URGENT, POLL, ROUTINE, SEND = 0, 1, 2, 3  # priorities: a call, a question about it, upkeep, an SMS

ESC, SUB, CR = b"\x1b", b"\x1a", b"\r"
_JUNK = bytes(b for b in range(32) if b not in (10, 13)) + b"\x7f\xff"
_ERRORS = ("ERROR", "COMMAND NOT SUPPORT", "TOO MANY PARAMETERS", "NA")
_CODED = re.compile(r"\+(CME|CMS|EXT) ERROR:\s*(\d*)|MODEM ERROR:\s*(\d*)")
_DIAL_FINALS = ("NO CARRIER", "BUSY", "NO ANSWER", "NO DIALTONE", "NO DIAL TONE")
_HEX = re.compile(r"[0-9A-Fa-f]{16,}$")
_BLOCK = re.compile(r": ?DATA, ?(\d{1,7})$")
# Questions to resynchronise with: every family answers them at once, each under its own name.
_PROBES = ("+CMGF", "+CMEE", "+CREG", "+CPMS")
_PROBE_TIMEOUT = 2.0


@dataclass(frozen=True, slots=True)
class Command:
    """One order to the modem. `text` without its CR; `tag` comes back in its answer; `timeout` seconds.

    body    the PDU in hex, written after the prompt, then Ctrl-Z (27.005 3.5.1)
    raw     a file's bytes, written as they are after the prompt, which may be CONNECT
    plain   the answer's lines carry no prefix (AT+CGMI and its like)
    fetch   the answer hands a file over: so many bytes behind CONNECT; 0: as each `DATA,<count>` line says"""

    text: str
    tag: str
    timeout: float = 5.0
    priority: int = ROUTINE
    body: str | None = None
    prompt_timeout: float = 10.0
    plain: bool = False
    raw: bytes | None = field(default=None, repr=False)
    fetch: int | None = None

    @property
    def sends(self) -> bool:
        """Does it wait for a prompt before its text?"""
        return self.body is not None or self.raw is not None

    @property
    def prefix(self) -> str:
        found = re.match(r"AT([+^*$#][A-Z0-9]+)", self.text)
        return found.group(1) if found else ""

    @property
    def dials(self) -> bool:
        return self.text.startswith(("ATD", "ATA"))


class Splitter:
    """Cuts a byte stream into lines without their ends; `rest` is what has no end yet."""

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes. An overlong line comes out as its first LONGEST characters."""
        pieces = re.split(rb"[\r\n]+", (self.rest + data.translate(None, _JUNK)))
        self.rest = pieces.pop()[:LONGEST]
        return [p[:LONGEST].decode("latin-1").strip() for p in pieces if p.strip()]

    def take_prompt(self) -> bool:
        """True once when what stands without an end is an SMS prompt, with or without its space."""
        if self.rest.strip() != b">":
            return False
        self.rest = b""
        return True


class Channel:
    """One AT channel. Feed it bytes with `receive`, time with `tick`, and write what `outgoing` gives.

    `submit` queues a command; its fate comes back as Answered, Refused or Expired with the same tag.
    Deaf means that the modem does not even resynchronise: close the port and open it anew."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._split = Splitter()
        self._queue: list[tuple[int, int, Command]] = []
        self._count = 0
        self._pending: Command | None = None
        self._lines: list[str] = []
        self._phase = "idle"  # idle, answer, prompt, aborting, probe
        self._due = 0.0  # when the pending phase has lasted too long
        self._written = 0.0  # when the pending command, or its body, left
        self._rested = 0.0  # when a command in no hurry may go
        self._probe = 0  # tries of resynchronisation so far
        self._probe_seen = False
        self._out = bytearray()
        self.begun: Command | None = None  # the command that the last `outgoing` has begun
        self._pdu_due: PduArrived | None = None  # +CMT or +CDS was read, its PDU line comes next
        self._raw = bytearray()  # what the pending command has fetched
        self._raw_due = 0  # so many bytes of it come next
        self._tail = b""  # a line without its end, while one is fetched

    # -------------------------------------------------------------------------------- orders

    def submit(self, command: Command) -> None:
        """Queue `command`. Commands of equal priority keep their order."""
        self._count += 1
        heapq.heappush(self._queue, (command.priority, self._count, command))

    def withdraw(self, tag: str) -> bool:
        """Take back the command named `tag` if its effect has not begun: True when it never will act.

        Still queued: removed, no event. Waiting for its prompt: ESC goes in place of the body, and the
        modem's answer to that comes back as Refused. Already working: False."""
        kept = [entry for entry in self._queue if entry[2].tag != tag]
        if len(kept) != len(self._queue):
            self._queue = kept
            heapq.heapify(self._queue)
            return True
        if self._phase == "prompt" and self._pending and self._pending.tag == tag:
            self._phase = "aborting"
            return True
        return False

    def waiting(self, tag: str) -> bool:
        """Is the command named `tag` queued or at work?"""
        return self.working(tag) or any(entry[2].tag == tag for entry in self._queue)

    def working(self, tag: str) -> bool:
        """Has the command named `tag` been written, and its answer not yet come?"""
        return self._pending is not None and self._pending.tag == tag

    @property
    def idle(self) -> bool:
        return self._phase == "idle" and not self._queue

    def outgoing(self, now: float) -> bytes:
        """The bytes to write now; starts the next command when the channel is free."""
        self.begun = None
        if self._phase == "idle" and self._queue:
            priority, _, command = self._queue[0]
            if priority <= POLL or now >= self._rested:
                heapq.heappop(self._queue)
                self._begin(command, now)
                self.begun = command
        out, self._out = bytes(self._out), bytearray()
        return out

    def deadline(self) -> float | None:
        """When `tick` or `outgoing` has something to do; None: only bytes can change anything."""
        if self._phase != "idle":
            return self._limit()
        return self._rested if self._queue else None

    def _limit(self) -> float:
        """When the pending phase has lasted too long: sooner when a caller waits behind it."""
        if self._phase == "answer" and self._pending is not None and self._queue and self._queue[0][0] <= POLL:
            sends = self._pending.sends
            return min(self._due, self._written + (PATIENCE if sends else IMPATIENCE))
        return self._due

    def tick(self, now: float) -> list[Happening]:
        """Let time pass: the pending command, or a try to resynchronise, may have lasted too long."""
        if self._phase == "idle" or now < self._limit():
            return []
        if self._phase == "probe":
            return self._resynchronise(now)
        command = self._pending
        assert command is not None
        gone = Expired(command.tag, tuple(self._lines), written=self._phase == "answer")
        self._probe = 0
        return [gone, *self._resynchronise(now)]

    # -------------------------------------------------------------------------------- bytes

    def receive(self, data: bytes, now: float) -> list[Happening]:
        """What `data` tells, in the order in which it was said."""
        events: list[Happening] = []
        data, self._tail = self._tail + data, b""
        while data and self._pending is not None and self._pending.fetch is not None:
            data, found = self._fetched(data, now)
            events += found
        for line in self._split.feed(data):
            events += self._line(line, now)
        if self._split.rest and self._split.take_prompt():
            self._prompted(now)
        return events

    def _fetched(self, data: bytes, now: float) -> tuple[bytes, list[Happening]]:
        """Take from `data` what is due of a file, or else one line; returns the rest, and what the line told."""
        if self._raw_due:
            taken = data[: self._raw_due]
            self._raw += taken
            self._raw_due -= len(taken)
            return data[len(taken) :], []
        end = data.find(b"\n") + 1
        if not end:  # the file begins behind the line's very end, which may come in another read
            self._tail = data[-LONGEST:]
            return b"", []
        lines = self._split.feed(data[:end])
        return data[end:], [event for line in lines for event in self._line(line, now)]

    def _begin(self, command: Command, now: float) -> None:
        self._pending, self._lines, self._raw_due = command, [], 0
        self._raw.clear()
        self._out += command.text.encode("ascii", "replace") + CR
        if not command.sends:
            self._phase, self._due, self._written = "answer", now + command.timeout, now
        else:
            self._phase, self._due = "prompt", now + command.prompt_timeout

    def _prompted(self, now: float) -> None:
        command = self._pending
        if self._phase == "prompt" and command is not None:
            self._out += command.raw if command.raw is not None else (command.body or "").encode("ascii") + SUB
            self._phase, self._due, self._written = "answer", now + command.timeout, now
        else:  # withdrawn, or a prompt that nobody asked for: leave it
            self._out += ESC
            if self._phase == "aborting":  # most answer OK at once; the others must not hold the line
                self._due = min(self._due, now + 1.0)

    def _line(self, line: str, now: float) -> Iterable[Happening]:
        if self._pdu_due is not None and _HEX.match(line):
            pdu, self._pdu_due = PduArrived(line, self._pdu_due.report), None
            return [pdu]
        if line == ">" or (line == "CONNECT" and self._moves_a_file()):
            self._prompted(now)  # a prompt that shares its read with what came behind it
            return []
        mine = self._mine(line)
        if not mine:
            event = urc.read(line, self.profile)
            if isinstance(event, PduArrived):
                self._pdu_due = event
                return []
            if event is not None and not (line in _DIAL_FINALS and self._dialling()):
                return [event]
        if self._phase == "probe":
            return self._probed(line, mine, now)
        if self._phase == "idle" or self._pending is None:
            return [Noise(len(line))]
        return self._answer(self._pending, line, mine, now)

    def _moves_a_file(self) -> bool:
        """Is CONNECT the prompt of a file's upload?"""
        return self._pending is not None and self._pending.raw is not None

    def _dialling(self) -> bool:
        return self._pending is not None and self._pending.dials

    def _mine(self, line: str) -> bool:
        """Does `line` carry the pending command's own name, or stand below a header of its answer?"""
        if self._phase == "probe":
            return line.startswith(_PROBES[(self._probe - 1) % len(_PROBES)] + ":")
        if self._pending is None:
            return False
        prefix = self._pending.prefix
        if prefix and line.startswith(prefix + ":"):
            return not urc.always_unasked(line)
        return bool(self._lines) and self._lines[-1].startswith(("+CMGR:", "+CMGL:")) and bool(_HEX.match(line))

    def _answer(self, command: Command, line: str, mine: bool, now: float) -> Iterable[Happening]:
        if command.fetch is not None and self._announced(line, command.fetch):
            return []
        if mine:
            self._lines.append(line)
            del self._lines[:-512]  # a full SIM holds 50 messages; more is babble
            return []
        if line == "OK":
            written = self._phase == "answer"
            self._free(now)
            if command.sends and not written:
                return [Refused(command.tag, "CANCELLED")]
            if command.body is not None and not self._lines:  # OK without +CMGS (SIM7600 manual 9.2.13)
                return [Expired(command.tag)]
            return [Answered(command.tag, tuple(self._lines), bytes(self._raw))]
        coded = _CODED.match(line)
        if coded or line in _ERRORS or (command.dials and line in _DIAL_FINALS):
            self._free(now)
            if not coded:
                return [Refused(command.tag, line if command.dials else "ERROR")]
            code = coded.group(2) or coded.group(3)
            return [Refused(command.tag, coded.group(1) or "ERROR", int(code) if code else -1)]
        if command.plain and line != command.text and not line.startswith("AT"):
            self._lines.append(line)
            return []
        return [] if line == command.text or line == command.body else [Noise(len(line))]

    def _announced(self, line: str, size: int) -> bool:
        """Does `line` say that bytes of the file come next?"""
        found = _BLOCK.search(line)
        if size == 0 and found:
            self._raw_due = min(int(found.group(1)), MOST_RAW - len(self._raw))
        elif size and line == "CONNECT":
            self._raw_due = min(size, MOST_RAW)
        return self._raw_due > 0

    def _free(self, now: float) -> None:
        self._phase, self._pending, self._rested = "idle", None, now + GAP

    # ------------------------------------------------------------------------ resynchronising

    def _resynchronise(self, now: float) -> list[Happening]:
        self._pending, self._lines, self._pdu_due, self._raw_due = None, [], None, 0
        if self._probe >= len(_PROBES):
            self._phase, self._probe = "idle", 0
            return [Deaf()]
        self._phase, self._due, self._probe_seen = "probe", now + _PROBE_TIMEOUT, False
        self._out += ESC + CR + f"AT{_PROBES[self._probe]}?".encode() + CR
        self._probe += 1
        return []

    def _probed(self, line: str, mine: bool, now: float) -> list[Happening]:
        if mine:
            self._probe_seen = True
        elif self._probe_seen and line == "OK":
            self._probe = 0
            self._free(now)
        return []
