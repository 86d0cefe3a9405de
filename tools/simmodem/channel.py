"""The AT channel of one modem: one command at a time, the prompt, and the wait for an answer.

While a command takes its time what the host writes is kept and read afterwards; URCs go out all the
same, they do not pass here. ESC leaves the prompt; elsewhere it only clears the line being typed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tools.simmodem import call_commands, commands, file_commands, sms_commands

if TYPE_CHECKING:
    from tools.simmodem.modem import SimModem

ESC, CTRL_Z, CR = 0x1B, 0x1A, 0x0D
commands.register(call_commands.HANDLERS)
commands.register(sms_commands.HANDLERS)
commands.register(file_commands.HANDLERS)


@dataclass(eq=False)
class _Raw:
    done: Callable[[bytes, float], None]
    left: int
    patience_s: float
    last_at: float
    data: bytearray = field(default_factory=bytearray)


@dataclass(eq=False)
class _Prompt:
    done: Callable[[bytes, float], None]
    text: bool
    data: bytearray = field(default_factory=bytearray)
    stuck: bool = False


class Channel:
    """`watch`, when set, is told each command line as it is read; `afterwards` are URCs that wait
    for the OK of the command that caused them."""

    def __init__(self, modem: SimModem) -> None:
        self._m = modem
        self.seen: deque[tuple[float, str]] = deque(maxlen=20_000)
        self.watch: Callable[[float, str], None] | None = None
        self.afterwards: list[tuple[str, ...]] = []
        self._busy = False
        self._input = bytearray()
        self._typed = bytearray()
        self._prompt: _Prompt | None = None
        self._raw: _Raw | None = None

    def receive(self, data: bytes, now: float) -> None:
        self._input += data
        self._read(now)

    def clear(self) -> None:
        """The power is gone."""
        self._input.clear()
        self._typed.clear()
        self.afterwards.clear()
        self._prompt, self._raw, self._busy = None, None, False

    def _read(self, now: float) -> None:
        while self._input and not self._busy:
            if self._raw is not None:
                self._raw_bytes(self._raw, now)
                continue
            byte = self._input.pop(0)
            if self._prompt is not None:
                self._prompt_byte(self._prompt, byte, now)
            else:
                self._command_byte(byte, now)

    def _command_byte(self, byte: int, now: float) -> None:
        if self._m.settings["E"] == "1" or "echo" in self._m.faults:
            self._m.wire.raw(bytes([byte]), now)
        if byte in (ESC, CTRL_Z):
            self._typed.clear()
        elif byte == CR:
            line = self._typed.decode("latin-1")
            self._typed.clear()
            at = line.upper().find("AT")
            if at >= 0:
                self._obey(line[at + 2 :].strip(), now)
        elif byte >= 0x20 and len(self._typed) < 2048:
            self._typed.append(byte)

    def _obey(self, line: str, now: float) -> None:
        self.seen.append((now, "AT" + line))
        if self.watch is not None:
            self.watch(now, "AT" + line)
        if self._m.faults.hit("errors") is not None or any(line.startswith(bad[2:]) for bad in self._m.options.refuse):
            self.reply([], "ERROR", now)
            return
        lines: list[str] = []
        try:
            for name, op, argument in commands.split(line):
                said = commands.run(self._m, name, op, argument, now)
                if said is None:
                    return  # the command answers in its own time
                lines += said
        except commands.Refusal as refusal:
            self.reply(lines, refusal.final(self._m), now)
            return
        self.reply(lines, "OK", now, self._delay(line))

    def _delay(self, line: str) -> float:
        if line.upper().startswith(("H", "+CHUP", "+CHLD", "+QHUP")):
            return self._m.options.hangup_s
        low, high = self._m.options.command_s
        return self._m.rng.uniform(low, high) if high else 0.0

    def reply(self, lines: list[str], final: str, now: float, delay: float = 0.0) -> None:
        """End the command: its lines and final answer, then the URCs it gave rise to."""
        late = self._m.faults.hit("late-ok")
        delay = delay if late is None else late
        if delay > 0:
            self._busy = True
            self._m.in_this_life(now + delay, lambda t: self._written(lines, final, t))
        else:
            self._written(lines, final, now)

    def _written(self, lines: list[str], final: str, now: float) -> None:
        self._busy = False
        if self._m.gone or self._m.booting:
            return
        if self._m.faults.hit("lost-answer") is None:
            caller = self._m.line.ringing()
            self._m.wire.answer(lines, final, now, self._m.line.ring_lines(caller) if caller else ())
        self.flush(now)
        self._read(now)

    def flush(self, now: float) -> None:
        """Write the URCs that had to wait for an OK."""
        afterwards, self.afterwards = self.afterwards, []
        for urc in afterwards:
            self._m.wire.urc(urc, now)

    def later(self, delay: float, now: float, do: Callable[[float], object]) -> None:
        """The command takes its time: nothing else is read before `do`, which must end it with
        `reply` or `prompt`."""
        self._busy = True

        def when_due(t: float) -> None:
            self._busy = False
            do(t)
            self._read(t)

        self._m.in_this_life(now + delay, when_due)

    def prompt(self, done: Callable[[bytes, float], None], now: float, text: bool = False) -> None:
        """Write the prompt and gather bytes until Ctrl-Z, then call `done`; ESC gives it up."""
        self._m.wire.raw(self._m.options.prompt.encode(), now)
        self._prompt = _Prompt(done, text)

    def raw(self, size: int, patience_s: float, done: Callable[[bytes, float], None], now: float) -> None:
        """Gather `size` bytes, whatever they are, then call `done`; or what came, when nothing more came
        for `patience_s`."""
        self._raw = raw = _Raw(done, size, patience_s, now)
        self._m.in_this_life(now + patience_s, lambda t: self._raw_waits(raw, t))

    def _raw_bytes(self, raw: _Raw, now: float) -> None:
        part = self._input[: raw.left]
        del self._input[: raw.left]
        raw.data += part
        raw.left, raw.last_at = raw.left - len(part), now
        if raw.left == 0:
            self._raw = None
            raw.done(bytes(raw.data), now)

    def _raw_waits(self, raw: _Raw, now: float) -> None:
        if self._raw is not raw:
            return
        due = raw.last_at + raw.patience_s
        if now < due:
            self._m.in_this_life(due, lambda t: self._raw_waits(raw, t))
            return
        self._raw = None
        raw.done(bytes(raw.data), now)

    def _prompt_byte(self, prompt: _Prompt, byte: int, now: float) -> None:
        if byte == ESC:
            self._prompt = None
            self.reply([], "OK", now)
        elif prompt.stuck:
            return
        elif byte == CTRL_Z:
            if self._m.faults.hit("stuck-prompt") is not None:
                prompt.stuck = True
                return
            self._prompt = None
            prompt.done(bytes(prompt.data), now)
        else:
            if self._m.settings["E"] == "1" or "echo" in self._m.faults:
                self._m.wire.raw(bytes([byte]), now)
            if byte == CR and prompt.text:
                prompt.data += b"\n"
                self._m.wire.raw(b"\r\n> ", now)
            elif byte >= 0x20 and len(prompt.data) < 4096:
                prompt.data.append(byte)
