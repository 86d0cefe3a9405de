"""The life of one call until it is rejected, or handed over to be answered, as a table.

Rules of the room:
- It decides and does nothing: events and the time go in, orders come out. `Keep` always stands before the
  `HangUp` of the same caller, so whoever obeys in order cannot hang up on an uncommitted call.
- A call is known when its number (or that it is withheld) is known. Without one, AT+CLCC is asked 0.2, 0.7
  and 3 s after RING; then it is kept as unknown and rejected.
- One call is one record however many RINGs. A new call is: anything after an end mark, another number, a
  ring after ten silent seconds, or a ring that comes before the repeat of the one we hung up is due.
- A hang-up is believed when an end mark came or AT+CLCC shows the call no more. Only while CLCC still shows
  the same number, and no end mark came, does the next command of the profile (ATH) follow. Call indexes are
  reused by the network and prove nothing.
- A hang-up that is still queued when its caller goes is withdrawn: it would hit the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.events import (
    ASK,
    BUSY,
    HANG,
    Amend,
    Answered,
    AskCalls,
    CallChanged,
    CallEnded,
    CallerSeen,
    Expired,
    HangUp,
    Happening,
    Keep,
    ListedCall,
    Order,
    PickUp,
    Rang,
    Refused,
    Waited,
    Withdraw,
)
from edge.recent import Recent, same
from edge.urc import listed

if TYPE_CHECKING:
    from edge.profile import Profile

ASK_AFTER = (0.2, 0.7, 3.0)  # seconds from RING to each AT+CLCC (oFono waits 0.2 s, field reports up to 3 s)
SILENCE = 10.0  # seconds without RING after which the caller has gone (ModemManager's rule)
EARLY = 1.5  # a RING this much before its cycle is due belongs to another call
VERIFY_AGAIN = 0.3  # seconds between two looks whether the hang-up worked
VERIFY_LOOKS = 4
LATEST = 8.0  # seconds from RING after which a call is kept even while the channel cannot ask


def _number(seen: CallerSeen | None) -> str:
    return seen.number if seen else ""


@dataclass
class Call:
    """The call machine of one line. `state` is one of:

    quiet    nobody rings
    ringing  somebody rings, not yet known who
    kept     on disk, our hang-up is queued behind what the channel does
    leaving  our hang-up is written, not yet believed"""

    profile: Profile
    recent: Recent = field(default_factory=Recent)
    answers: bool = False  # callers are answered, once they are on disk, in place of being rejected
    state: str = "quiet"
    seen: CallerSeen | None = None  # of the call in hand, then of the last one
    rang_at: float = 0.0  # first RING of the call in hand
    last_ring: float = -1e9
    ended_at: float = -1e9  # when the last call was believed gone
    _before: str = ""  # the number of the call before the one in hand
    _asked_at: float = -1e9  # when the call list was asked for last
    _unheard: bool = False  # the call in hand was found in the list: its rings have not been heard yet
    _asks: int = 0  # questions put about the call in hand
    _looks: int = 0
    _next: float | None = None  # when to ask or look again
    _tries: int = 0  # hang-up commands of the profile used so far
    _obeyed: bool = True  # the modem has answered our last hang-up
    _doubted: bool = False  # a RING came while the hang-up of a kept call waited: is it still hers?
    _vendor: bool = False  # a vendor's URC is being read: RING and CLIP of the same call are still to come
    _echo: bool = False  # the RING in hand came before the answer to the hang-up of an ended call
    _unsure: bool = False  # whether the last call has gone could not be found out
    _waiting: list[tuple[str, float]] = field(default_factory=list)
    _looking: bool = False  # the first question of all is under way
    _adopt: CallerSeen | None = None  # caller of the last row before a restart
    _adopt_until: float = 0.0

    # ------------------------------------------------------------------------------- inputs

    def on(self, event: Happening, now: float) -> list[Order]:
        """Orders that follow from `event`; events that are not about calls give none."""
        if isinstance(event, CallEnded) and self._of_another(event.number):
            return []
        handler = TABLE.get((self.state, type(event)))
        return handler(self, event, now) if handler else []

    def hung_up(self, now: float) -> None:
        """The hang-up command has just been written to the port."""
        if self.state == "kept":
            self.state, self._obeyed = "leaving", False

    def asked(self, now: float) -> None:
        """AT+CLCC has just been written to the port."""
        self._asked_at = now

    def deadline(self) -> float | None:
        return self._next

    def tick(self, now: float) -> list[Order]:
        """Ask for the number, or look whether the hang-up worked, when that is due."""
        if self._next is None or now < self._next:
            return []
        self._next = None
        if self.state == "leaving":
            return [AskCalls()]
        if self._doubted and now - self.last_ring > SILENCE:
            return self._end_doubted(now)
        if now >= self.rang_at + LATEST and self._doubted:
            self._next = self.last_ring + SILENCE + 0.1  # she is on disk already: the number may yet come
            return []
        if now >= self.rang_at + LATEST:
            return self._known(None, now)
        self._next = self.rang_at + LATEST
        return [AskCalls()]

    def lost(self) -> list[Order]:
        """The modem is lost: a caller who was ringing and never known is still one record."""
        return [Keep(None)] if self.state == "ringing" and not self._doubted else []

    def look(self) -> list[Order]:
        """At the start: is somebody ringing already? Her RING may have gone to nobody."""
        self._looking = True
        return [AskCalls()]

    def adopt(self, seen: CallerSeen, now: float, seconds: float = 20.0) -> None:
        """After a restart: a ring of this caller within `seconds` is the call already on disk."""
        self._adopt, self._adopt_until = seen, now + seconds
        self.recent.keep(seen.number, now)

    @property
    def busy(self) -> bool:
        """Does somebody ring, or may a hang-up still be under way?"""
        return self.state != "quiet"

    # ------------------------------------------------------------------------------ ringing

    def _rang(self, event: Happening, now: float) -> list[Order]:
        """quiet: a call begins, unless it is the repeat of one that refused to be hung up and to be listed."""
        since = now - self.last_ring
        if self._unsure and self.profile.ring_interval_s - EARLY <= since <= SILENCE:
            self.last_ring, self.state = now, "kept"
            return [self._hang_up()]
        self._unsure = False
        self._before = self.seen.number if self.seen else ""
        self.state, self.rang_at, self.last_ring = "ringing", now, now
        self.seen, self._asks, self._tries, self._unheard = None, 0, 0, False
        self._echo = not self._obeyed or self.recent.awaits(now)
        self._next = now + ASK_AFTER[0]
        return []

    def _rang_on(self, event: Happening, now: float) -> list[Order]:
        """ringing: the same call, unless the rings had stopped."""
        if now - self.last_ring > SILENCE:
            return self._gone(now) + self._rang(event, now)
        self.last_ring = now
        return []

    def _rang_kept(self, event: Happening, now: float) -> list[Order]:
        """kept: the repeat of a call whose hang-up waits for the channel, or the next one after a silent end?
        The hang-up waits until the number, or the call list, tells."""
        if self._unheard:
            self._unheard, self.last_ring = False, now
            return []
        if now - self.last_ring > SILENCE:
            return self._gone(now) + self._rang(event, now)
        return self._doubt(now)

    def _doubt(self, now: float) -> list[Order]:
        """Is it still the kept call that rings? Take the hang-up back until the number or the list tells."""
        kept = self.seen
        orders = self._rang(Rang(), now)
        self.seen, self._doubted, self._echo = kept, True, False
        return [Withdraw(HANG), *orders]

    def _rang_again(self, event: Happening, now: float) -> list[Order]:
        """leaving: a repeat of the call that does not go, or already the next one.

        Until the modem has answered our hang-up a RING may still be on its way for the same call."""
        since = now - self.last_ring
        if self._unheard:
            self._unheard, self.last_ring = False, now
            return []
        if since > SILENCE or (self._obeyed and since < self.profile.ring_interval_s - EARLY):
            self._close(now, owed=True)
            return [Withdraw(ASK), *self._rang(event, now)]
        self.last_ring = now
        return []

    def _clip(self, event: Happening, now: float) -> list[Order]:
        """quiet (CLIP without RING) or ringing: the caller is known."""
        assert isinstance(event, CallerSeen)
        if not self._vendor and not self._doubted and self.recent.echo(event.number, now):
            self.state, self._next = "quiet", None
            return [Withdraw(ASK)]
        if self.state == "quiet":
            self._rang(event, now)
        return self._known(event, now)

    def _clip_on(self, event: Happening, now: float) -> list[Order]:
        """kept or leaving: the repeat of the call in hand, or another one whose start we missed."""
        assert isinstance(event, CallerSeen)
        late = not self._vendor and self.recent.echo(event.number, now)
        if self.seen is None:
            if now - self.rang_at < self.profile.ring_interval_s:
                return []  # the late number of the caller whom we already keep as unknown
        elif late or same(event.number, self.seen.number):
            return []
        before = self._gone(now) if self.state == "kept" else [Withdraw(ASK)]
        self._close(now, owed=True)
        self._rang(event, now)
        return before + self._known(event, now)

    def _known(self, seen: CallerSeen | None, now: float) -> list[Order]:
        """The call in hand is known as far as it will ever be: keep it, then reject it."""
        orders: list[Order] = [Withdraw(ASK)]
        repeat = self._doubted and same(_number(seen), _number(self.seen))
        if self._doubted and not repeat:
            orders.append(Amend("gave-up", _number(self.seen)))
            self.recent.end(_number(self.seen), now, marked=False)
        self.seen, self.state, self._next, self._looks, self._doubted = seen, "kept", None, 0, False
        if repeat:
            return [*orders, self._hang_up()]
        adopted, self._adopt = self._adopt, None
        again = adopted is not None and now < self._adopt_until
        waited = seen is not None and any(same(seen.number, n) and now - t < SILENCE for n, t in self._waiting)
        if not waited and not (again and same(_number(adopted), _number(seen))):
            orders.append(self._keep(seen, "missed", now))
        if self.answers:  # from here on the call is `talk`'s
            self._close(now, owed=False)
            return [*orders, PickUp()]
        return [*orders, self._hang_up()]

    def _hang_up(self) -> Order:
        command = self.profile.reject[min(self._tries, len(self.profile.reject) - 1)]
        self._tries += 1
        return HangUp(command)

    # ------------------------------------------------------------------------- vendors' URCs

    def _changed(self, event: Happening, now: float) -> list[Order]:
        """+CLCC, ^DSCI or ccinfo told one call's state: translate it into the common words."""
        assert isinstance(event, CallChanged)
        call = event.call
        if call.outgoing:
            return []
        if call.status == 6:
            return self.on(CallEnded("changed", call.number), now)
        if call.status == 4 and call.number:
            self._vendor = True
            orders = self.on(CallerSeen(call.number, call.kind, call.validity), now)
            self._vendor = False
            return orders
        return self.on(Rang(), now) if call.status == 4 and self.state == "quiet" else []

    def _waited(self, event: Happening, now: float) -> list[Order]:
        """A second caller while one call is up: one record, then user busy for her alone."""
        assert isinstance(event, Waited)
        self._waiting = [(n, t) for n, t in self._waiting if now - t < SILENCE]
        repeated = any(same(event.number, n) for n, _ in self._waiting)
        self._waiting.append((event.number, now))
        if repeated:
            return []
        seen = CallerSeen(event.number, event.kind)
        return [Keep(seen, waiting=True), HangUp(self.profile.reject_waiting, BUSY)]

    # ------------------------------------------------------------------------------- ending

    def _of_another(self, number: str) -> bool:
        """Does an end mark name somebody else than the call in hand? Late marks of the last call do."""
        if not number or self.state == "quiet":
            return False
        if self.state == "ringing":
            return bool(self._before) and same(number, self._before)
        return self.seen is not None and bool(self.seen.number) and not same(number, self.seen.number)

    def _ended_early(self, event: Happening, now: float) -> list[Order]:
        """ringing: the caller was quicker than her number, unless the mark is the last caller's."""
        assert isinstance(event, CallEnded)
        if self.recent.pays(event.number, now):
            return []
        if self._doubted:
            return self._end_doubted(now)
        seen = CallerSeen(event.number) if event.number else None
        self._close(now, owed=False)
        self.seen = seen
        return [Withdraw(ASK), self._keep(seen, "gave-up", now)]

    def _end_doubted(self, now: float) -> list[Order]:
        """Nobody told whose the last RING was, and it is over: it was the repeat of the call on disk."""
        self._close(now, owed=False)
        return [Withdraw(ASK), Amend("gave-up", _number(self.seen))]

    def _ended_first(self, event: Happening, now: float) -> list[Order]:
        """kept: she ended before our hang-up was written."""
        assert isinstance(event, CallEnded)
        if not event.number and not self._obeyed:  # of this call, or of the one whose hang-up is not answered yet?
            return self._doubt(now)
        if self.recent.pays(event.number, now):
            return []
        orders = self._gone(now)
        self._close(now, owed=False)
        return orders

    def _ended(self, event: Happening, now: float) -> list[Order]:
        """leaving: the hang-up worked."""
        self._close(now, owed=False)
        return [Withdraw(ASK)]

    def _missed(self, event: Happening, now: float) -> list[Order]:
        """quiet: MISSED_CALL of a caller whose ring we did not hear is still a caller."""
        assert isinstance(event, CallEnded)
        self.recent.pays(event.number, now)
        if event.mark != "MISSED_CALL" or not event.number or self.recent.told(event.number, now):
            return []
        self.seen, self.ended_at = CallerSeen(event.number), now
        return [self._keep(self.seen, "gave-up", now)]

    def _keep(self, seen: CallerSeen | None, outcome: str, now: float) -> Keep:
        if seen is not None:
            self.recent.keep(seen.number, now, told=not self._vendor)
        return Keep(seen, outcome)

    def _gone(self, now: float) -> list[Order]:
        """The call in hand ended before our hang-up: take that back and say so."""
        if self.state == "ringing" and not self._doubted:  # never known: still one record
            return [Withdraw(ASK), Keep(None, outcome="gave-up")]
        return [Withdraw(HANG), Withdraw(ASK), Amend("gave-up", _number(self.seen))]

    def _close(self, now: float, owed: bool) -> None:
        """The call in hand is believed gone; `owed` when its end mark has not come."""
        self.state, self._next, self.ended_at, self._doubted = "quiet", None, now, False
        self.recent.end(_number(self.seen), now, marked=not owed)

    # ------------------------------------------------------------------- answers of the modem

    def _asked(self, event: Happening, now: float) -> list[Order]:
        """ringing: the call list, or its refusal, answers who rings."""
        if event.tag != ASK:  # type: ignore[union-attr]
            return self._hang_answered(event, now)
        if self._asked_at < self.rang_at:  # asked before this RING: it may tell of the call before
            return [AskCalls()]
        incoming = self._incoming(event)
        for call in sorted(incoming, key=lambda call: self.recent.zombie(call.number, now)):
            if call.number:
                return self._known(CallerSeen(call.number, call.kind, call.validity), now)
        self._asks += 1
        if self._asks < len(ASK_AFTER):
            self._next = max(now, self.rang_at + ASK_AFTER[self._asks])
            return []
        if not incoming and isinstance(event, Answered) and (self._echo or self._doubted):
            if self._doubted:
                return self._end_doubted(now)
            self._close(now, owed=False)  # the last caller's own RING, written late; nobody is there
            return []
        withheld = CallerSeen("", incoming[0].kind, incoming[0].validity or 1) if incoming else None
        return self._known(withheld, now)

    def _hang_answered(self, event: Happening, now: float) -> list[Order]:
        """quiet, ringing, kept: the answer to a hang-up whose call an end mark has closed already, or to `look`."""
        self._obeyed = self._obeyed or event.tag == HANG  # type: ignore[union-attr]
        if event.tag == ASK and self._looking:  # type: ignore[union-attr]
            self._looking = False
            for call in self._incoming(event):
                orders = self._changed(CallChanged(call), now)
                self._unheard = self.state in ("kept", "leaving")
                return orders
        return []

    def _looked(self, event: Happening, now: float) -> list[Order]:
        """leaving: did the hang-up work? Its own OK proves nothing (AT+CVHU)."""
        if event.tag == HANG:  # type: ignore[union-attr]
            self._looks, self._obeyed = 0, True
            return [AskCalls()]
        if event.tag != ASK:  # type: ignore[union-attr]
            return []
        if not isinstance(event, Answered):  # the list cannot be had: let the next RING tell
            self._close(now, owed=True)
            self._unsure = True
            return []
        old = self.recent.zombie
        incoming = [call for call in self._incoming(event) if self._is_mine(call) or not old(call.number, now)]
        for call in incoming:
            if not self._is_mine(call):  # the next caller: her own row first
                self._close(now, owed=True)
                self._rang(event, now)
                return self._known(CallerSeen(call.number, call.kind, call.validity), now)
        if not incoming:
            self._close(now, owed=True)
            return []
        self._looks += 1
        if self._looks < VERIFY_LOOKS:
            self._next = now + VERIFY_AGAIN
            return []
        self.state = "kept"
        return [self._hang_up()]

    def _is_mine(self, call: ListedCall) -> bool:
        """Does CLCC still show the call that is on disk? One kept without a number fits only a listing without."""
        return same(call.number, _number(self.seen))

    @staticmethod
    def _incoming(event: Happening) -> Sequence[ListedCall]:
        lines = event.lines if isinstance(event, Answered) else ()
        calls = [listed(line) for line in lines]
        return [c for c in calls if c is not None and not c.outgoing and c.status in (4, 5)]


_Handler = Callable[[Call, Happening, float], list[Order]]

TABLE: dict[tuple[str, type], _Handler] = {
    ("quiet", Rang): Call._rang,
    ("quiet", CallerSeen): Call._clip,
    ("quiet", CallEnded): Call._missed,
    ("ringing", Rang): Call._rang_on,
    ("ringing", CallerSeen): Call._clip,
    ("ringing", CallEnded): Call._ended_early,
    ("kept", Rang): Call._rang_kept,
    ("kept", CallerSeen): Call._clip_on,
    ("kept", CallEnded): Call._ended_first,
    ("leaving", Rang): Call._rang_again,
    ("leaving", CallerSeen): Call._clip_on,
    ("leaving", CallEnded): Call._ended,
}
# a vendor's word, a second caller, and the modem's answers, however they turn out
for _state, _handler in (
    ("quiet", Call._hang_answered), ("ringing", Call._asked), ("kept", Call._hang_answered), ("leaving", Call._looked)
):  # fmt: skip
    TABLE.update({(_state, kind): _handler for kind in (Answered, Refused, Expired)})
    TABLE.update({(_state, CallChanged): Call._changed, (_state, Waited): Call._waited})
