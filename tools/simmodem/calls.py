"""The line: who rings, who is in it, how each call ends, and what the modem writes about it.

One caller fits in the line. Another who dials meanwhile hears busy, unless call waiting is on and a
call is up. A call's id is the first free one, so ids are used again at once, as networks do.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from tools.simmodem.modem import SimModem

T = TypeVar("T")
Script = tuple[tuple[float, T], ...]  # (seconds after the answer, what then)

STATUS = {"active": 0, "held": 1, "dialing": 2, "alerting": 3, "ringing": 4, "waiting": 5, "over": 6}

SOUND_OF = 50  # calls: of older ones only what happened is kept, not their sound

# What a callee does -> (after how long, the fate of the call, its cause of 24.008). How long: smstools' table of
# call results.
DOES = {
    "answer": (4.0, "answered", 16),
    "busy": (2.0, "busy", 17),
    "refuse": (5.0, "refused", 21),
    "no-answer": (70.0, "no-answer", 19),
    "off": (70.0, "off", 27),
}
CAUSES = {
    16: "Normal call clearing",
    17: "User busy",
    19: "User alerting, no answer",
    21: "Call rejected",
    27: "Destination out of order",
}


@dataclass(eq=False)
class Call:
    """One call, as the far end lived it. Times are the core's; None: it did not happen.

    fate    "" while undecided, then for a caller "rejected", "gave-up", "busy", "answered" or
            "unreachable"; for a call that the modem placed "answered", "busy", "refused",
            "no-answer", "off" or "cancelled"
    rang_at the first RING left the modem;  told_at  its number did (+CLIP, +CCWA, +CLCC or a twin)
    hangup_at  the command that ended it was read;  ended_at  the far end was free again
    keys    that the modem was told to send
    presses, says  what the far end does by itself after the answer
    heard, said  by the far end since the answer (s16le, 8 kHz, 320 bytes each 20 ms, silence where
            nothing came), without the first `forgotten` bytes of each
    underruns, overruns  frames that the host sent too late to be heard, or too early to be kept
    listen  is called with each frame that is heard, and must be quick
    """

    caller: str = field(repr=False)
    dialled_at: float
    patience_s: float
    withheld: bool = False
    talk_s: float = 20.0
    outgoing: bool = False
    name: str = field(default="", repr=False)
    id: int = 0
    state: str = "ringing"
    fate: str = ""
    rings: int = 0
    rang_at: float | None = None
    told_at: float | None = None
    hangup_at: float | None = None
    answered_at: float | None = None
    ended_at: float | None = None
    polls: int = 0
    ignored: int = 0
    keys: str = ""
    presses: Script[str] = ()
    says: Script[bytes] = ()
    heard: bytearray = field(default_factory=bytearray, repr=False)
    said: bytearray = field(default_factory=bytearray, repr=False)
    forgotten: int = 0
    underruns: int = 0
    overruns: int = 0
    listen: Callable[[bytes], None] | None = field(default=None, repr=False)

    @property
    def seconds(self) -> int:
        """Whole seconds of talk."""
        if self.answered_at is None or self.ended_at is None:
            return 0
        return int(self.ended_at - self.answered_at)


@dataclass(frozen=True, slots=True)
class Hangup:
    """A hang-up command was read at `at`; `call` is what it found, None when the line was empty."""

    at: float
    command: str
    call: Call | None


@dataclass(frozen=True, slots=True)
class Callee:
    """How a number behaves when the modem calls it: "answer", "busy", "refuse", "no-answer" or "off",
    after `after_s` (None: as long as it takes by default); one who answers hangs up after `talk_s`, and
    does what `keys` and `says` tell."""

    does: str = "answer"
    after_s: float | None = None
    talk_s: float = 20.0
    keys: Script[str] = ()
    says: Script[bytes] = ()


class Line:
    """All calls of one modem: `calls` are in the line now, `log` is every one that ever was."""

    def __init__(self, modem: SimModem) -> None:
        self._m = modem
        self.calls: list[Call] = []
        self.log: list[Call] = []
        self.hangups: list[Hangup] = []
        self.on_hangup: Callable[[Hangup], None] | None = None
        self.callees: dict[str, Callee] = {}
        self.cause = 16

    # ------------------------------------------------------------------------------- far end

    def dial(self, call: Call, now: float) -> Call:
        """A caller dials this SIM."""
        self._note(call)
        busy = bool(self.calls)
        may_wait = self._m.call_waiting and self._m.settings["+CCWA"].startswith("1")
        if not self._m.reachable:
            return self._over(call, "unreachable", now)
        if busy and not (may_wait and len(self.calls) == 1 and self.calls[0].state == "active"):
            return self._over(call, "busy", now)
        call.id = self._free_id()
        call.state = "waiting" if busy else "ringing"
        self.calls.append(call)
        self._m.at(now + call.patience_s, lambda t: self._gives_up(call, t))
        self._ring(call, now)
        self._changed(call, now)
        return call

    def cancel(self, call: Call, now: float) -> None:
        """The caller ends it now, patience or not: before an answer, or while talking."""
        if call.fate == "":
            self._gives_up(call, now)
        elif call in self.calls:
            self._far_end_hung_up(call, now)

    def power_lost(self, now: float) -> None:
        """The modem is gone: everyone in the line hears the tone stop, and no line is written."""
        for call in list(self.calls):
            self.calls.remove(call)
            self._over(call, call.fate or ("cancelled" if call.outgoing else "gave-up"), now)

    def _note(self, call: Call) -> None:
        self.log.append(call)
        if len(self.log) > SOUND_OF:
            old = self.log[-SOUND_OF - 1]
            old.forgotten += len(old.heard)
            old.heard, old.said = bytearray(), bytearray()

    def _over(self, call: Call, fate: str, now: float) -> Call:
        call.state, call.fate, call.ended_at = "over", fate, now
        self.cause = 16
        self._m.sound.end(call, now)
        return call

    def _free_id(self) -> int:
        taken = {call.id for call in self.calls}
        ids = self._m.family.call_ids
        return next((i for i in ids if i not in taken), max(ids) + 1)

    def _gives_up(self, call: Call, now: float) -> None:
        if call.fate or call not in self.calls:
            return
        self.calls.remove(call)
        self._over(call, "gave-up", now)
        self._end_lines(call, self._m.family.end_gave_up, now)

    def _far_end_hung_up(self, call: Call, now: float) -> None:
        if call not in self.calls or call.answered_at is None:
            return
        self.calls.remove(call)
        self._over(call, "answered", now)
        self._end_lines(call, self._m.family.end_talked, now)
        self._let_in(now)

    # ------------------------------------------------------------------------- what is written

    def ring_lines(self, call: Call) -> tuple[str, ...]:
        """RING and, when it may be told, CLIP."""
        ring = "+CRING: VOICE" if self._m.settings["+CRC"].startswith("1") else "RING"
        return (ring, *self._clip(call))

    def ringing(self) -> Call | None:
        return next((call for call in self.calls if call.state == "ringing"), None)

    def _clip(self, call: Call) -> tuple[str, ...]:
        off = {"no-clip", "clcc-only"} & set(self._m.faults.names())
        if off or not self._m.settings["+CLIP"].startswith("1"):
            return ()
        family = self._m.family
        return ((family.clip_withheld if call.withheld else family.clip).format(**self._words(call)),)

    def _ring(self, call: Call, now: float) -> None:
        if call not in self.calls:
            return
        call.rings += 1
        call.rang_at = now if call.rang_at is None else call.rang_at
        self._m.at(now + self._m.family.ring_s, lambda t: self._ring(call, t))
        if call.state == "waiting":
            self._m.wire.urc((f'+CCWA: "{self._number(call)}",{self._kind(call)},1',), now)
            call.told_at = now if call.told_at is None else call.told_at
            return
        if call.state != "ringing":
            return
        if 0 < int(self._m.settings["S0"]) < call.rings:  # somebody left automatic answering on
            self.answer(now)
            self._m.channel.flush(now)
            return
        frame = "\r\r\n" if self._m.family.double_cr and call.rings > 1 else "\r\n"
        lines, late = self.ring_lines(call), self._m.faults.hit("late-clip")
        wait = self._m.options.clip_s if late is None else late
        if wait == 0 or len(lines) == 1:
            self._say_ring(call, lines, now, frame)
            return
        self._say_ring(call, lines[:1], now, frame)
        self._m.at(now + wait, lambda t: self._late_clip(call, lines[1:], t, frame))

    def _late_clip(self, call: Call, lines: tuple[str, ...], now: float, frame: str) -> None:
        if call.state == "ringing":
            self._say_ring(call, lines, now, frame)

    def _say_ring(self, call: Call, lines: tuple[str, ...], now: float, frame: str) -> None:
        self._m.wire.urc(lines, now, frame, ring=True)
        if lines[-1].startswith("+CLIP") and call.told_at is None:
            call.told_at = now

    def _end_lines(self, call: Call, templates: tuple[str, ...], now: float, after_ok: bool = False) -> None:
        if self._m.faults.hit("lost-end") is not None:
            return
        words = self._words(call)
        self._changed(call, now, after_ok)
        self._say(tuple(line.format(**words).rstrip() for line in templates), now, after_ok)

    def _say(self, lines: tuple[str, ...], now: float, after_ok: bool = False) -> None:
        if lines and after_ok:
            self._m.channel.afterwards.append(lines)
        elif lines:
            self._m.wire.urc(lines, now)

    def _changed(self, call: Call, now: float, after_ok: bool = False) -> None:
        """The maker's own URC at each change of a call, where it is enabled."""
        settings, words = self._m.settings, self._words(call)
        lines = []
        if settings.get("+CLCC", "0") == "1":
            lines.append(self._m.family.clcc.format(**words))
        if settings.get("^DSCI", "0") == "1":
            stat = {"held": 1, "dialing": 2, "active": 3, "ringing": 4, "waiting": 5, "over": 6, "alerting": 7}
            number = self._number(call)
            lines.append(f"^DSCI: {call.id - 1},{words['direction']},{stat[call.state]},0,{number},{words['kind']},0")
        if settings.get('+QINDCFG"ccinfo"', "0")[:1] == "1":
            status = -1 if call.state == "over" else STATUS[call.state]
            tail = f'0,0,"{self._number(call)}",{words["kind"]}'
            lines.append(f'+QIND: "ccinfo",{call.id},{words["direction"]},{status},{tail}')
        if lines and call.state != "over" and "clcc-only" not in self._m.faults:
            call.told_at = now if call.told_at is None else call.told_at
        if "clcc-only" not in self._m.faults:
            self._say(tuple(lines), now, after_ok)

    def listing(self, now: float) -> list[str]:
        """The answer of AT+CLCC."""
        lines = ['+CLCC: 1,0,0,1,0,"",128'] if self._m.family.data_call else []
        for call in sorted(self.calls, key=lambda call: call.id):
            call.polls += 1
            if call.polls >= (self._m.faults.value("clcc-only") or 0):
                lines.append(self._m.family.clcc.format(**self._words(call)))
                call.told_at = now if call.told_at is None else call.told_at
        return lines

    def _number(self, call: Call) -> str:
        return "" if call.withheld else call.caller

    def _kind(self, call: Call) -> int:
        if call.withheld:
            return 128
        return 145 if call.caller.startswith("+") else self._m.family.plain_kind

    def _words(self, call: Call) -> dict[str, object]:
        wall = datetime.datetime.fromtimestamp(self._m.local_wall(call.ended_at or call.dialled_at), datetime.UTC)
        minutes, seconds = divmod(call.seconds, 60)
        return {
            "number": self._number(call),
            "kind": self._kind(call),
            "validity": 1 if call.withheld else 0,
            "id": call.id,
            "name": call.name,
            "direction": 0 if call.outgoing else 1,
            "status": STATUS[call.state],
            "seconds": call.seconds,
            "hhmmss": f"{minutes // 60:02d}{minutes % 60:02d}{seconds:02d}",
            "clock": wall.strftime("%I:%M%p"),
        }

    # ------------------------------------------------------------------------------- our side

    def hang_up(self, command: str, now: float, which: Callable[[Call], bool] | None = None) -> None:
        """A hang-up command was read; it ends the calls for which `which` holds, or all."""
        chosen = [call for call in self.calls if which is None or which(call)]
        hangup = Hangup(now, command, chosen[0] if chosen else None)
        self.hangups.append(hangup)
        if self.on_hangup is not None:
            self.on_hangup(hangup)
        for call in chosen:
            call.hangup_at = now if call.hangup_at is None else call.hangup_at
            if call.ignored < (self._m.faults.value("rings-on") or 0):
                call.ignored += 1
                continue
            self.calls.remove(call)
            self._over(call, call.fate or ("cancelled" if call.outgoing else "rejected"), now)
            self._end_lines(call, self._m.family.end_local, now, after_ok=not self._m.family.end_first)
        self._let_in(now, after_ok=True)

    def _let_in(self, now: float, after_ok: bool = False) -> None:
        """The line may be free for the one who waited: it rings now."""
        if len(self.calls) == 1 and self.calls[0].state == "waiting":
            waiting = self.calls[0]
            waiting.state, waiting.rings = "ringing", 0
            self._changed(waiting, now, after_ok)

    def answer(self, now: float) -> bool:
        """ATA. False when nobody rings."""
        call = self.ringing()
        if call is None:
            return False
        call.state, call.fate, call.answered_at = "active", "answered", now
        self._say(tuple(line.format(**self._words(call)) for line in self._m.family.answered), now, after_ok=True)
        self._changed(call, now, after_ok=True)
        self._up(call, now)
        return True

    def _up(self, call: Call, now: float) -> None:
        self._m.sound.begin(call, now)
        self._m.at(now + call.talk_s, lambda t: self._far_end_hung_up(call, t))

    def place(self, number: str, now: float) -> Call | None:
        """ATD<number>; None when the line is taken. What the far end does is in `callees`."""
        if self.calls:
            return None
        callee = self.callees.get(number, Callee())
        after_s = DOES[callee.does][0] if callee.after_s is None else callee.after_s
        call = Call(number, now, after_s, talk_s=callee.talk_s, outgoing=True, state="dialing")
        call.presses, call.says = callee.keys, callee.says
        call.id = self._free_id()
        self.calls.append(call)
        self._note(call)
        for after, line in self._m.family.dialled:
            self._m.in_this_life(now + 0.01 + after, partial(self._m.urc, line.format(id=call.id)))
        self._changed(call, now, after_ok=True)
        if callee.does in ("answer", "refuse", "no-answer"):
            self._m.at(now + min(2.0, after_s / 2), lambda t: self._alerts(call, t))
        self._m.at(now + after_s, lambda t: self._reached(call, callee.does, t))
        return call

    def _alerts(self, call: Call, now: float) -> None:
        """It rings at the callee's."""
        if call.state == "dialing":
            call.state = "alerting"
            if self._m.settings.get("+MORING") == "1":
                self._say(("MO RING",), now)
            self._changed(call, now)

    def decide(self, call: Call, does: str, now: float) -> None:
        """Whoever the modem is calling does this now: "answer", "refuse", "busy"; whatever was planned is void."""
        self._reached(call, does, now)

    def _reached(self, call: Call, does: str, now: float) -> None:
        if call not in self.calls or call.fate:
            return
        if does == "answer":
            call.state, call.fate, call.answered_at = "active", "answered", now
            told = ("MO CONNECTED",) if self._m.settings.get("+MORING") == "1" else ()
            lines = tuple(line.format(**self._words(call)) for line in self._m.family.connected)
            self._say((*lines, *told), now)
            self._changed(call, now)
            self._up(call, now)
            return
        _, fate, cause = DOES[does]
        self.calls.remove(call)
        self._over(call, fate, now)
        self.cause = cause
        self._end_lines(call, self._m.family.end_placed[does], now)
