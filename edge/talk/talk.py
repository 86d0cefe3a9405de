"""One answered or placed call: the caller, the modem and the conversation brought together.

Rules of the room:
- The call's row is on disk before ATA or ATD; that it was answered, and for how long it lasted, amends it.
- `ivr` decides what is said and written; its orders are carried out in their order, each written at once.
- `leg` is the modem's part. Whatever happens, no call lasts longer than MOST_S: a caller pays for what she forgot.
- A take that is open when the call ends is closed and kept; the line is free for the next caller meanwhile.
- When the sound cannot be had nobody is kept on the line to hear nothing: the call is ended, and `muted` says why.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from edge.at import Channel
from edge.dialogue import (
    KEYS,
    Agree,
    CaseOpened,
    Choice,
    ChooseLanguage,
    Clip,
    Connected,
    EndCall,
    EndRecord,
    Heard,
    HungUp,
    Hush,
    JudgeCase,
    KeyPressed,
    OpenCase,
    OptOut,
    Ordered,
    Played,
    Record,
    Recorded,
    RecordFailed,
    Say,
    Step,
)
from edge.events import Caller, CallerSeen, Happening, Keyed, Stamp
from edge.hearing import Keys
from edge.ivr import About, Conversation
from edge.ledger import Callback, Draft, Ledger
from edge.menu import Menu
from edge.profile import Profile
from edge.recent import Recent
from edge.talk.files import FileSound
from edge.talk.leg import Leg
from edge.talk.sound import PcmSound, Sound, SoundEvent, Spoken, Taken, Troubled

MOST_S = 185.0  # `ivr` ends a call at 180 s
LAST_WORDS_S = 20.0  # how long a hang-up waits for what is being said
TAKE_S = 20.0  # how long a take may need to be closed
TROUBLE_S = 5.0  # how long a call goes on without its sound port
SPOKEN_MS = 1000  # less speech than this is no message


@dataclass(frozen=True, slots=True)
class Party:
    """Who is in the call: `seq` is its row, `written` the number as the modem writes it, `ring` when she rang (of a
    call that we place: when that was asked for), `wish` the call-back that is being tried."""

    caller: Caller
    seq: int
    written: str = field(repr=False)
    ring: Stamp
    wish: Callback | None = None


class Held(NamedTuple):
    """A take that still lies in the module, and its length."""

    take: int
    ms: int


@dataclass(frozen=True)
class Stage:
    """What a talking line works with. `clip` finds a prompt's file; `path` is where a take's file is to lie; `room`
    tells whether there is room for one; `draft` makes the SMS with a case's reference."""

    ledger: Ledger
    campaign: str
    menu: Menu
    language: str
    stamp: Callable[[], Stamp]
    clip: Callable[[Clip], Spoken]
    path: Callable[[str], str]
    room: Callable[[], bool]
    draft: Callable[[str], Draft | None]


class Talk:
    """The conduct of one call, on its `leg`.

    `muted` is set, in words, when the call had to be ended because there is no sound; `fetch` are takes that still lie
    in the module. A talk that is over may wait for takes that are being closed: `settled` says when all is done."""

    def __init__(
        self, stage: Stage, party: Party, profile: Profile, channel: Channel, sound: Sound, recent: Recent, now: float
    ) -> None:
        self.stage, self.party, self.sound = stage, party, sound
        self.muted = ""
        self.fetch: list[Held] = []
        self._recent = recent
        self._ivr: Conversation | None = None
        self._keys = Keys()
        self._takes: dict[int, tuple[bool, float]] = {}  # open take -> keep it, and when it must be closed
        self._take = 0  # the one that was begun last
        self._case = stage.ledger.open_case(party.caller.number)
        self._up_at: float | None = None
        self._leave_by: float | None = None
        self._troubled_at: float | None = None
        self._ending = self._closed = False
        dial = party.caller.number if party.wish else ""
        self.leg = Leg(party.written, dial, profile, channel, recent, isinstance(sound, PcmSound), now)
        self._settle(now)

    # -------------------------------------------------------------------------- what happens

    def on(self, event: Happening, now: float) -> None:
        """Anything that the modem tells while this call is in hand, and answers to our commands."""
        self.leg.on(event, now)
        if isinstance(event, Keyed):
            self._key(event.key, "modem", now)
        if isinstance(self.sound, FileSound):
            self.sound.on(event, now)
        self._settle(now)

    def another(self, seen: CallerSeen, now: float) -> bool:
        """See `Leg.another`."""
        gone = self.leg.another(seen, now)
        self._settle(now)
        return gone

    def heard(self, events: Sequence[SoundEvent], now: float) -> None:
        """What the sound path tells."""
        for event in events:
            if isinstance(event, Taken):
                self._taken(event, now)
            elif isinstance(event, Troubled):
                self._troubled_at = None if not event.words else self._troubled_at or now
            elif isinstance(event, KeyPressed):
                self._key(event.key, event.source, now)
            else:
                self._feed(event, now)
                if isinstance(event, Played) and self._ending:
                    self._leave_by = now
        self._settle(now)

    def _key(self, key: str, source: Literal["modem", "sound"], now: float) -> None:
        pressed = self._keys.heard(key, source, now) if key in KEYS else None
        if pressed is not None:
            self._feed(pressed, now)

    def lost(self, now: float) -> None:
        """The port has gone, the modem restarted, or the process ends."""
        if isinstance(self.sound, FileSound):
            self.sound.lose()
        self.leg.lost()
        self._settle(now)

    def voice_lost(self, now: float) -> None:
        """The helper process has died. Whoever starts it anew has mended, and written down, what it was recording."""
        if isinstance(self.sound, FileSound):
            return
        if self._takes:
            self._takes.clear()
            self._feed(RecordFailed("the sound's process ended"), now)
        self._mute("the sound's process ended", now)

    def owns(self, take: int) -> bool:
        """Is `take` one of this call's that are not closed yet?"""
        return take in self._takes

    def _mute(self, words: str, now: float) -> None:
        self.muted = self.muted or words
        self.leg.hang_up(now)
        self._settle(now)

    # ----------------------------------------------------------------------------------- time

    def tick(self, now: float) -> None:
        self.leg.tick(now)
        self.heard(self.sound.tick(now), now)
        if self._ivr is not None:
            self._obey(self._ivr.tick(now), now)
        if self._troubled_at is not None and now >= self._troubled_at + TROUBLE_S:
            self._troubled_at = None
            self._mute("the modem's sound port does not work", now)
        if self._leave_by is not None and now >= self._leave_by:
            self._leave_by = None
            self.leg.hang_up(now)
        for take in [take for take, (_, by) in self._takes.items() if now >= by]:
            self._taken(Taken(take, why="it was not closed in time"), now)
        self._settle(now)

    def deadline(self) -> float | None:
        """When `tick` is due; None once nothing more is."""
        times = [self.leg.deadline(), self.sound.deadline(), self._ivr.deadline() if self._ivr else None]
        times += [self._leave_by, *(by for _, by in self._takes.values())]
        times.append(None if self._troubled_at is None else self._troubled_at + TROUBLE_S)
        return min((t for t in times if t is not None), default=None)

    @property
    def settled(self) -> bool:
        """Over, and nothing of it is still to be written or answered."""
        return self._closed and not self._takes and not self.leg.busy

    def _settle(self, now: float) -> None:
        """Follow the leg: speak once it is up, tell `ivr` once it is over."""
        if self.leg.state == "up" and self._up_at is None:
            self._begin(now)
        if self.leg.state == "over" and not self._closed:
            self._over(now)

    def _begin(self, now: float) -> None:
        """Both sides can hear each other: speak first, write then."""
        self._up_at = now
        self._leave_by = now + MOST_S
        self.sound.begin(now)
        stage, party = self.stage, self.party
        about = About(
            language=stage.ledger.language(party.caller.number) if party.caller.number else "",
            case=(self._case.reference, self._case.state) if self._case else None,
            placed=party.wish is not None, may_record=stage.room(),
            referendum_open=_is_open(stage.menu, stage.stamp()), line_language=stage.language,
        )  # fmt: skip
        self._ivr = Conversation(stage.menu, about)
        orders = self._ivr.on(Connected(), now)
        sound = next((i for i, order in enumerate(orders) if not isinstance(order, Say | Hush)), len(orders))
        self._obey(orders[:sound], now)
        if party.wish:
            stage.ledger.reached(stage.stamp(), party.seq)
        else:
            stage.ledger.talked(stage.stamp(), party.seq, 0)
        self._obey(orders[sound:], now)

    def _over(self, now: float) -> None:
        """The call is over, however it came to that: say so to `ivr`, whose last orders close what is open."""
        self._closed, self._leave_by, self._troubled_at = True, None, None
        self.muted = self.muted or self.leg.muted
        stage, party = self.stage, self.party
        self._takes = {take: (keep, now + TAKE_S) for take, (keep, _) in self._takes.items()}
        self._feed(HungUp(), now)
        self.sound.end(now)
        seconds = round(now - self._up_at) if self._up_at is not None else 0
        if party.wish:
            why = "answered" if self._up_at is not None else self.leg.why or "failed"
            stage.ledger.placed(stage.stamp(), party.seq, party.wish.seq, why, seconds)
        elif self._up_at is not None:
            stage.ledger.talked(stage.stamp(), party.seq, seconds)
        else:
            stage.ledger.amend_call(stage.stamp(), party.seq, "gave-up")
        self.heard(self.sound.tick(now), now)
        self._recent.end(party.written, now, marked=self.leg.marked)

    # --------------------------------------------------------------------------------- orders

    def _feed(self, event: Heard, now: float) -> None:
        if self._ivr is not None:
            self._obey(self._ivr.on(event, now), now)

    def _obey(self, orders: Sequence[Ordered], now: float) -> None:
        """One order after the other; steps that stand together are one commit."""
        for together, some in itertools.groupby(orders, lambda order: isinstance(order, Step)):
            if together:
                ms = round(1000 * (now - self._up_at)) if self._up_at is not None else 0
                steps = [(step.what, step.node, step.key) for step in some if isinstance(step, Step)]
                self.stage.ledger.steps(self.stage.stamp(), self.party.seq, ms, steps)
            else:
                for order in some:
                    self._do(order, now)

    def _do(self, order: Ordered, now: float) -> None:
        stage, party, stamp = self.stage, self.party, self.stage.stamp()
        who = (stamp, party.caller, stage.campaign, party.seq)
        if isinstance(order, Say):
            if not self._closed:
                self.sound.say([stage.clip(clip) for clip in order.clips], now)
        elif isinstance(order, Hush):
            self.sound.hush(now)
        elif isinstance(order, Record):
            self._record(order, now)
        elif isinstance(order, EndRecord):
            if self._take in self._takes:
                self._takes[self._take] = (order.keep, self._takes[self._take][1])
                self.sound.end_record(now, order.keep)
        elif isinstance(order, EndCall):
            self._ending = True
            self._leave_by = now + LAST_WORDS_S if self.sound.speaking else now
        elif isinstance(order, Choice):
            stage.ledger.answer(
                *who, node=order.node, key=order.key, value=order.value, issue=order.issue, language=self._language
            )
        elif isinstance(order, ChooseLanguage):
            if party.caller.number:
                stage.ledger.choose_language(stamp, party.caller, order.language)
        elif isinstance(order, OptOut):
            stage.ledger.opt_out(stamp, party.caller)
        elif isinstance(order, Agree):
            wording = stage.menu.texts.get((order.node, order.language), "")
            stage.ledger.agree(
                *who, node=order.node, purpose=order.purpose, wording=wording, language=order.language
            )
        elif isinstance(order, OpenCase):
            self._open_case(order, now)
        elif isinstance(order, JudgeCase) and self._case is not None:
            stage.ledger.move_grievance(stamp, self._case.seq, order.verdict)

    @property
    def _language(self) -> str:
        return self._ivr.language if self._ivr is not None else ""

    def _record(self, order: Record, now: float) -> None:
        stage, party = self.stage, self.party
        self._take, file = stage.ledger.begin_take(
            stage.stamp(), party.caller, stage.campaign, party.seq,
            node=order.node, tags=order.tags, language=self._language, case=order.case,
        )  # fmt: skip
        self._takes[self._take] = (True, now + order.most_s + TAKE_S)
        self.sound.record(self._take, stage.path(file), order.most_s, now)

    def _open_case(self, order: OpenCase, now: float) -> None:
        stage, party = self.stage, self.party
        opened = party.ring.at_ms
        reference = stage.ledger.open_grievance(
            stage.stamp(), party.caller, stage.campaign, party.seq, take=self._take, node=order.node, tags=order.tags,
            language=order.language, opened_ms=opened, due_ms=opened + 1000 * stage.menu.due_s,
            letter=stage.draft(order.language) if party.caller.repliable else None,
        )  # fmt: skip
        self._feed(CaseOpened(reference), now)

    def _taken(self, taken: Taken, now: float) -> None:
        """A take is closed: what it is worth is written before `ivr` builds on it."""
        if taken.take not in self._takes:
            return
        keep, _ = self._takes.pop(taken.take)
        state = "failed" if taken.why else "kept" if keep else "dropped"
        if state == "kept" and 0 <= taken.speech_ms < SPOKEN_MS:
            state = "empty"
        if taken.sha256 or state != "kept":
            self.stage.ledger.end_take(
                self.stage.stamp(), taken.take, state, taken.ms, taken.speech_ms, taken.sha256, taken.why
            )
        else:
            self.fetch.append(Held(taken.take, taken.ms))
        self._feed(RecordFailed(taken.why) if taken.why else Recorded(taken.ms, taken.speech_ms), now)


def _is_open(menu: Menu, now: Stamp) -> bool:
    """May votes be cast now? Without a trusted clock they may: headquarters sees when each was cast, and how sure."""
    if not now.trusted:
        return True
    return (menu.opens_ms or 0) <= now.at_ms and (menu.closes_ms is None or now.at_ms < menu.closes_ms)
