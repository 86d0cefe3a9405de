"""The modem's part of one call that talks: answer or dial, is it up, is it still there, hang up and see it gone.

Rules of the room:
- Nothing is written while ATA or ATD waits for its answer; a caller who goes before ATA was written is never answered.
- A call ends by an end mark, or when AT+CLCC lists it no more (marks get lost); a mark that names somebody else, or
  that is owed to the call before, ends nothing.
- Our own hang-up is verified and repeated, as a reject is. A call is over once, and `why` then tells how one that we
  placed ended: answered, busy, no-answer, refused, off or failed.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Literal

from edge import bringup
from edge.at import POLL, URGENT, Channel, Command
from edge.events import (
    Answered,
    CallChanged,
    CallConnected,
    CallEnded,
    CallerSeen,
    Happening,
    ListedCall,
    Rang,
    Refused,
    Waited,
)
from edge.profile import Init, Profile
from edge.recent import Recent, same
from edge.script import Answer, Runner, Script, Wait
from edge.urc import listed

ANSWER_S, DIAL_S, HANG_UPS = 30.0, 40.0, 2
RING_THERE_S = 75  # networks give up a phone that is off after 70 s, and say so
LOOK_S = 5.0  # how often the modem is asked whether the call is still there
WAITED_S = 60.0  # so long after a second caller an end mark may be hers
LIST = Command("AT+CLCC", "", timeout=3.0, priority=POLL)
# how a call that we placed was not answered: 3GPP 24.008 causes, the words of AT+CEER
_CAUSES = {1: "off", 17: "busy", 18: "no-answer", 19: "no-answer", 20: "off", 21: "refused", 27: "off"}
_WORDS = (
    ("busy", "busy"), ("reject", "refused"), ("no answer", "no-answer"), ("no user", "no-answer"),
    ("unassigned", "off"), ("out of order", "off"), ("absent", "off"), ("not reach", "off"), ("off", "off"),
)  # fmt: skip


class Leg:
    """One call on the modem. `state`: "picking" (ATA is due or under way), "dialling", "up" (and the modem's sound is
    on), "leaving", "over". `marked`: an end mark told the end. `muted`: in words, why the modem has no sound."""

    def __init__(
        self, written: str, dial: str, profile: Profile, channel: Channel, recent: Recent, pcm: bool, now: float
    ) -> None:
        """`written` is the number as the modem writes it, `dial` the one to dial, "" to answer; `pcm`: sound is to go
        over the PCM port."""
        assert profile.voice is not None
        self.state: Literal["picking", "dialling", "up", "leaving", "over"] = "dialling" if dial else "picking"
        self.why = self.muted = ""
        self.marked = False
        self._written, self._number, self._pcm = written, dial, pcm
        self._profile, self._voice, self._recent = profile, profile.voice, recent
        self._runner = Runner(channel, "talk")
        self._final = ""  # the mark that ended a call before it was up
        self._connected = False  # a mark said that the far end has answered
        self._look_at = now
        self._waited_at = -WAITED_S
        self._runner.start(self._dial() if dial else self._pick_up(), now)

    # -------------------------------------------------------------------------------- scripts

    def _pick_up(self) -> Script:
        yield from self._set(self._voice.before)
        if self.marked:
            self.state = "over"
            return
        answer = yield Command("ATA", "", timeout=ANSWER_S, priority=URGENT)
        up = isinstance(answer, Answered) and not self.marked
        if not up and not isinstance(answer, Refused):  # whether it was obeyed is not known, or she has gone meanwhile
            up = any(call.status == 0 for call in calls((yield LIST)))
        if up:
            yield from self._open()
        else:
            self.state = "over"

    def _dial(self) -> Script:
        yield from self._set(self._voice.before)
        answer = yield Command(f"ATD{self._number};", "", timeout=DIAL_S, priority=POLL)
        if isinstance(answer, Refused):
            self.why = yield from self._ask_why(answer.family)
            self.state = "over"
            return
        for _ in range(RING_THERE_S):
            if self._connected or self.marked:
                break
            yield Wait(1.0)
            if self._voice.lists and not self._connected and not self.marked:
                self._connected = any(call.status == 0 and call.outgoing for call in calls((yield LIST)))
        if self.marked:
            self.why = self.why or (yield from self._ask_why(self._final))
            self.state = "over"
        elif self._connected:
            self.why = "answered"
            yield from self._open()
        else:
            self.why = "no-answer"
            yield from self._leave()

    def _open(self) -> Script:
        """The call is up: switch the modem's sound on. Without it nobody is kept waiting."""
        refused = yield from self._set(self._voice.after)
        if self.marked:
            yield from self._close()
            return
        if not refused:
            self.state = "up"
            return
        self.muted, self.why = f"the modem refuses {refused}: it has no voice over USB", "failed"
        yield from self._leave()

    def _set(self, settings: Sequence[Init]) -> Generator[Command | Wait, Answer | None, str]:
        """Send what PCM needs; returns the setting that was refused though it is not optional, or ""."""
        for init in settings if self._pcm else ():
            if not (yield from bringup.send_setting(init, URGENT)) and not init.optional:
                return init.cmd
        return ""

    def _leave(self) -> Script:
        """Hang up, and believe it only when the call is listed no more."""
        self.state = "leaving"
        for attempt in range(2 * HANG_UPS):
            text = self._profile.reject[min(attempt // 2, len(self._profile.reject) - 1)]
            yield Command(text, "", timeout=self._profile.reject_timeout, priority=URGENT)
            if not any(call.status < 4 for call in calls((yield LIST))):
                break
            yield Wait(0.3)
        yield from self._close()

    def _close(self) -> Script:
        """The call is over: switch the modem's sound off, which nobody needs to wait for."""
        self.state = "over"
        for text in self._voice.end if self._pcm else ():
            yield Command(text, "", timeout=3.0, priority=POLL)

    def _look(self) -> Script:
        """Is the call still there? A list that cannot be had says nothing."""
        answer = yield LIST
        if isinstance(answer, Answered) and not any(call.status < 4 for call in calls(answer)):
            yield from self._close()

    def _ask_why(self, final: str) -> Generator[Command | Wait, Answer | None, str]:
        """Why nobody answered: NO ANSWER is also said of a phone that is off, and NO CARRIER of everything."""
        if final == "BUSY":
            return "busy"
        answer = yield Command("AT+CEER", "", timeout=3.0, priority=POLL)
        text = " ".join(answer.lines).casefold() if isinstance(answer, Answered) else ""
        told = (why for word, why in _WORDS if word in text)
        return next(told, "no-answer" if final == "NO ANSWER" else "failed")

    # -------------------------------------------------------------------------- what happens

    def on(self, event: Happening, now: float) -> None:
        """Anything that the modem tells while this call is in hand, and answers to our commands."""
        if isinstance(event, CallEnded):
            self._ended(event, now)
        elif isinstance(event, CallChanged) and event.call.outgoing == bool(self._number):
            if event.call.status == 6:
                self._ended(CallEnded("changed", event.call.number), now)
            elif event.call.status == 0:
                self._answered_there(now)
        elif isinstance(event, CallConnected):
            self._answered_there(now)
        elif isinstance(event, Waited):
            self._waited_at = now
        elif isinstance(event, Rang) and self.state == "up":
            self._look_at = now  # the next caller's? Then ours has gone
        self._runner.on(event, now)

    def _answered_there(self, now: float) -> None:
        if self.state == "dialling" and not self._connected:
            self._connected = True
            self._runner.wake(now)

    def _ended(self, mark: CallEnded, now: float) -> None:
        """An end mark: of this call, of one who waited, or the late one of the call before."""
        if self.state == "over" or (mark.number and not same(mark.number, self._written)):
            return
        if self.state == "picking" and self._recent.pays(mark.number, now):
            return
        if self.state == "up" and now - self._waited_at < WAITED_S:  # hers, or that of one who waited?
            self._look_at = now
            return
        self.marked = True
        if self.state == "dialling":
            self.why, self._final = self.why or _CAUSES.get(mark.cause, ""), mark.mark
            self._runner.wake(now)
        elif self.state in ("up", "leaving") or self._runner.unwritten():
            self._finish(now)

    def _finish(self, now: float) -> None:
        self._runner.lose()
        self._runner.start(self._close(), now)

    def another(self, seen: CallerSeen, now: float) -> bool:
        """Somebody's number came while we were about to answer. True when it is not the caller's in hand, who has gone
        then, and ATA was not written yet: the new one must be kept first."""
        if self.state != "picking" or same(seen.number, self._written) or not self._runner.unwritten():
            return False
        self._finish(now)
        return True

    def hang_up(self, now: float) -> None:
        """End the call that is up."""
        if self.state == "up":
            self._runner.lose()
            self._runner.start(self._leave(), now)

    def lost(self) -> None:
        """The port has gone, or the modem restarted."""
        self._runner.lose()
        self.state, self.marked = "over", True

    def tick(self, now: float) -> None:
        self._runner.tick(now)
        if self.state == "up" and now >= self._look_at and self._runner.idle:
            self._look_at = now + LOOK_S
            self._runner.start(self._look(), now)

    def deadline(self) -> float | None:
        return self._look_at if self.state == "up" and self._runner.idle else self._runner.deadline()

    @property
    def busy(self) -> bool:
        """Does a command of this call still wait for its answer?"""
        return not self._runner.idle


def calls(answer: Answer | None) -> list[ListedCall]:
    """The voice calls of an answer to AT+CLCC."""
    found = [listed(line) for line in answer.lines] if isinstance(answer, Answered) else []
    return [call for call in found if call is not None]
