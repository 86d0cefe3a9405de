"""One line's whole conduct, without a port and without a clock: bytes and stamps in, ledger rows and bytes out.

Order of things, which every promise rests on:
1. `Keep` commits the call, then its `HangUp` is queued; the channel writes it before anything else.
2. While somebody rings nothing is sent, and a letter that still waits for its prompt is taken back.
3. A letter is claimed on disk under the box's send lock, where the siblings' ledgers are read too, then sent.
Whoever drives this (the line's loop, or a test with years of made-up time) calls `receive` and `tick`, writes
what `outgoing` gives, and comes back at `deadline`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from edge import bringup, letters, numbers, sms
from edge import campaign as campaigns
from edge.at import POLL, URGENT, Channel, Command
from edge.call import Call
from edge.campaign import Campaign
from edge.errands import Errands
from edge.events import (
    ASK,
    HANG,
    UNKNOWN,
    Amend,
    AskCalls,
    Caller,
    CallerSeen,
    Deaf,
    HangUp,
    Happening,
    Keep,
    MessageStored,
    NetworkTime,
    Order,
    PduArrived,
    PickUp,
    Refused,
    Registered,
    ReportStored,
    Restarted,
    SimChanged,
    Stamp,
    StorageFull,
    Withdraw,
)
from edge.ledger import Draft, Ledger, Reader
from edge.orders import Order as HqOrder
from edge.outbox import Lines, Outbox
from edge.profile import GENERIC, Profile
from edge.recent import Recent, same
from edge.rules import elapsed
from edge.script import Runner
from edge.switchboard import Speech, Switchboard

WATCH_S, REFRESH_S, SWEEP_S, ORDERS_S = 30.0, 600.0, 300.0, 2.0
STATE_EVERY_S = 60.0
ALIVE_S = 600.0  # what a line has told of its state is told again after so long, as a sign of life
ADOPT_MS = 20_000  # a caller kept longer ago has gone, or has been heard since
RESET_AGAIN_S, DEAF_MOST = 900.0, 3
CALLS_KNOWN = 32
_REMEDIES = {"empty-store": "sweep", "restart-modem": "refresh"}  # what a refused letter asks for -> what is due


@dataclass(frozen=True, slots=True)
class Setting:
    """What one line is: its names, its texts and its purse. `own` are the box's own SIM numbers."""

    line: str
    campaign: Campaign
    country: str
    timezone: str
    language: str = ""
    modem: str = "auto"
    purse: int = 90
    own: frozenset[str] = frozenset()
    values: Mapping[str, str] | None = None
    speech: Speech | None = None


class Station:
    """The conduct of one line.

    guard     enters the box's send lock, or gives None when it is taken
    siblings  readers of the other lines' ledgers; None when one of them cannot be read
    told_time is given the network's time, milliseconds since 1970
    orders    headquarters' orders to this line; those that were answered may stand in it"""

    def __init__(
        self,
        setting: Setting,
        ledger: Ledger,
        profiles: Mapping[str, Profile],
        stamp: Stamp,
        guard: Callable[[], AbstractContextManager[object] | None],
        siblings: Callable[[], Sequence[Reader] | None],
        told_time: Callable[[int], object] = lambda utc_ms: None,
        orders: Callable[[], Sequence[HqOrder]] = lambda: (),
    ) -> None:
        self.setting, self.ledger, self.profiles = setting, ledger, profiles
        self._told_time = told_time
        self._stamp = stamp
        self.desk = letters.Desk(ledger, setting.campaign, setting.country, lambda: self._stamp)
        ledger.recover(stamp)
        lines = Lines(guard, siblings, setting.own, setting.country, setting.timezone, setting.values or {})
        self.outbox = Outbox(self.desk, setting.campaign, setting.line, setting.purse, lines, lambda: self._stamp)
        self.board = Switchboard(
            setting.campaign, setting.language, ledger, lines, lambda: self._stamp, setting.speech
        )
        self._errands, self._errands_at = Errands(setting.campaign, ledger, lines, lambda: self._stamp, orders), 0.0
        self.condition = bringup.Condition("no-port")
        self.connected_now = False
        self.deaf = 0  # times in a row that the modem did not even resynchronise
        self._reset_at = 0.0
        self._recent = Recent()
        self._kept: deque[float] = deque(maxlen=8)  # when the last calls were kept
        self._calls: dict[str, int] = {}  # the last calls by number as the modem wrote it -> row, for amendments
        self._due: dict[str, float] = {}
        self._to_read: deque[tuple[int, str]] = deque(maxlen=256)
        self._fresh_modem()
        self._dated = False  # do this boot's rows stand under a trusted clock?
        self._drafts: dict[str, Draft] = {}  # the line's replies, by language
        self._told, self._told_at = "", -STATE_EVERY_S  # the state that headquarters knows, and since when
        self._sign_at = self.now + ALIVE_S  # when it is told again
        self._adopt()

    # ------------------------------------------------------------------------------- the port

    def _fresh_modem(self) -> None:
        profile = self.profiles[GENERIC if self.setting.modem == "auto" else self.setting.modem]
        self.channel = Channel(profile)
        self.call = Call(profile, self._recent)
        self.runner = Runner(self.channel)
        self.board.attach(self.channel, self._recent)

    def _adopt(self) -> None:
        """The caller kept last may still be ringing: her next RING is no new call."""
        last = self.ledger.last_call()
        if last and last[1].boot == self._stamp.boot and self._stamp.mono_ms - last[1].mono_ms < ADOPT_MS:
            self.call.adopt(CallerSeen(last[0].number), self.now)
            self._calls.setdefault(last[0].number, last[2])

    def connected(self, stamp: Stamp) -> None:
        """The port is open: bring the modem up."""
        self._stamp = stamp
        self.condition = bringup.Condition("starting")
        self.connected_now = True
        self._due = {"watch": 0.0, "refresh": self.now + REFRESH_S, "sweep": 0.0}
        self._bring_up()

    def _bring_up(self) -> None:
        reset = ""
        if self.deaf >= DEAF_MOST and self.now >= self._reset_at:
            reset, self._reset_at = self.channel.profile.soft_reset[0], self.now + RESET_AGAIN_S
        script = bringup.bring_up(self.condition, self.profiles, self.setting.modem, self._use, reset)
        self.runner.start(script, self.now)

    def disconnected(self, stamp: Stamp, state: str, words: str) -> None:
        """The port has gone, or cannot be had."""
        self._stamp = stamp
        if self.connected_now:
            self._lose()
        self.connected_now = False
        self.condition = bringup.Condition(state, words)

    def _lose(self) -> None:
        """Nothing pending will be answered. A caller who was ringing and not yet known is still a caller; one
        whose hang-up was not seen to work may go on ringing, and is no new call then."""
        self.board.lost(self.now)
        self._obey(self.call.lost())
        unsure = self.call.state in ("kept", "leaving")
        self.runner.lose()
        self._fresh_modem()
        if unsure:
            self._adopt()
        self.outbox.changed()

    def _use(self, profile: Profile) -> None:
        self.channel.profile = self.call.profile = profile
        self.board.use(profile)
        self.deaf = 0
        self._obey(self.call.look())

    # ----------------------------------------------------------------------------------- time

    @property
    def now(self) -> float:
        return self._stamp.mono_ms / 1000

    def receive(self, data: bytes, stamp: Stamp) -> None:
        """Bytes have come from the modem."""
        self._stamp = stamp
        for event in self.channel.receive(data, self.now):
            self._happened(event)

    def tick(self, stamp: Stamp) -> None:
        """Time has passed: time-outs, questions that are due, and the next thing to do when idle."""
        self._stamp = stamp
        for event in self.channel.tick(self.now):
            self._happened(event)
        self._obey_headquarters()
        if self.connected_now:
            self.call.answers = self.board.answers(self.now)
            self._obey(self.call.tick(self.now))
            self._board_moves(self.board.tick)
            self.runner.tick(self.now)
            if self.runner.idle and not self.board.busy:
                self._next_job()
        self._tell_state()
        if stamp.trusted and not self._dated:
            self.ledger.redate(stamp)
        self._dated = stamp.trusted

    def sound(self, told: Mapping[str, object], stamp: Stamp) -> None:
        """The line's helper process said something."""
        self._stamp = stamp
        self._board_moves(lambda now: self.board.message(told, now))

    def sound_lost(self, stamp: Stamp) -> None:
        """The line's helper process has died; another one has been started."""
        self._stamp = stamp
        self._board_moves(self.board.voice_lost)

    def _board_moves(self, move: Callable[[float], object]) -> None:
        """Let the talking side move. When its call is over somebody may already ring: look."""
        busy = self.board.busy
        move(self.now)
        if busy and not self.board.busy:
            self.call.ended_at = self.now
            self.outbox.changed()
            self._obey(self.call.look())

    def _tell_at(self) -> float | None:
        """When the line's state is to be told. Good news at once, other news at most once a minute, so that a flapping
        network costs two rows a minute. What stays is told again, but not while somebody rings; that a modem is being
        woken up is told where it takes that long."""
        state = self.condition.state
        if state not in (self._told, "starting"):
            return self.now if state == "ready" else self._told_at + STATE_EVERY_S
        if self.call.busy:
            return None
        return self._sign_at if state == self._told else self._sign_at + STATE_EVERY_S

    def _tell_state(self) -> None:
        """A row for headquarters when the state has changed; the same again, without words, as a sign of life."""
        due = self._tell_at()
        if due is None or self.now < due:
            return
        state, about = self.condition.state, {}
        if state != self._told:
            about = {"operator": self.condition.operator, "words": self.condition.detail}
            self._told, self._told_at = state, self.now
        self._sign_at = self.now + ALIVE_S
        self.ledger.note(self._stamp, "line", state, **about)

    def outgoing(self, stamp: Stamp) -> bytes:
        """The bytes to write to the modem now."""
        self._stamp = stamp
        if self.call.busy:
            self._take_back()
        data = self.channel.outgoing(self.now)
        begun = self.channel.begun.tag if self.channel.begun is not None else ""
        if begun == HANG:
            self.call.hung_up(self.now)
        elif begun == ASK:
            self.call.asked(self.now)
        return data

    def deadline(self) -> float | None:
        """When `tick` is due, in monotonic seconds; None: only bytes can change anything."""
        rooms = (self.channel, self.call, self.runner, self.board)
        times = [self._tell_at(), *(room.deadline() for room in rooms)]
        if self.connected_now and self.runner.idle and not self.call.busy and not self.board.busy:
            times += [*self._due.values(), self._errands_at]
            if self.condition.state == "ready":
                times.append(self.outbox.next_at(self.now, self.rest()))
            if self._to_read:
                times.append(self.now)
        return min((t for t in times if t is not None), default=None)

    # --------------------------------------------------------------------------------- events

    def _happened(self, event: Happening) -> None:
        taken: list[bool] = []
        self._board_moves(lambda now: taken.append(self.board.on(event, now)))
        if not taken[0]:
            self._obey(self.call.on(event, self.now))
        self.runner.on(event, self.now)
        if isinstance(event, MessageStored | ReportStored):
            self._to_read.append((event.index, event.store))
        elif isinstance(event, PduArrived):
            letters.arrived(self.desk, event.pdu)
        elif isinstance(event, StorageFull):
            self._due["sweep"] = 0.0
        elif isinstance(event, NetworkTime):
            self._told_time(event.utc_ms)
        elif isinstance(event, Registered) and event.status >= 0 and self.condition.ready:
            self.condition.registered = event.status
            self.condition.state = "ready" if event.status in (1, 5, 6, 7) else "no-network"
        elif isinstance(event, Restarted | Deaf) or (isinstance(event, SimChanged) and event.state != "READY"):
            self._start_over(isinstance(event, Deaf))

    def _start_over(self, deaf: bool) -> None:
        """Every setting of the modem is gone, or nothing answers: begin from the beginning."""
        if not self.connected_now:
            return
        self._lose()
        self._due["sweep"] = 0.0  # what it announced meanwhile went to nobody
        self.condition.state = "no-answer" if deaf else "starting"
        self.deaf += deaf
        self._bring_up()

    def _take_back(self) -> None:
        """Somebody rings: a letter whose text has not left waits."""
        if self.runner.withdraw():
            self.runner.resume_with(Refused("", "CANCELLED"), self.now)

    def _obey(self, orders: Sequence[Order]) -> None:
        for order in orders:
            if isinstance(order, Keep):
                self._keep(order)
            elif isinstance(order, Amend):
                self.ledger.amend_call(self._stamp, self._row_of(order.number), order.outcome)
            elif isinstance(order, HangUp):
                timeout = self.channel.profile.reject_timeout
                self.channel.submit(Command(order.command, order.tag, timeout=timeout, priority=URGENT))
            elif isinstance(order, PickUp):
                self.board.pick_up(self.call.seen.number if self.call.seen else "", self.now)
            elif isinstance(order, AskCalls):
                self.channel.submit(Command("AT+CLCC", ASK, timeout=3.0, priority=POLL))
            elif isinstance(order, Withdraw):
                self.channel.withdraw(order.tag)

    def _keep(self, order: Keep) -> None:
        seen, campaign = order.seen, self.setting.campaign
        caller = UNKNOWN
        if seen is not None:
            caller = numbers.identify(seen.number, seen.kind, seen.validity, self.setting.country)
        opt_out = campaign.mode == "opt-out"
        reply = None if opt_out else self._draft(caller, campaign)
        ring_back = campaign.mode == "callback"
        seq = self.ledger.keep_call(self._stamp, caller, order.outcome, campaign.id, reply, opt_out, ring_back)
        self._kept.append(self.now)
        number = seen.number if seen else ""
        self._calls.pop(number, None)
        self._calls[number] = seq
        while len(self._calls) > CALLS_KNOWN:
            del self._calls[next(iter(self._calls))]
        self.outbox.changed()

    def _row_of(self, number: str) -> int:
        """The row of the last call of `number`, in whatever form the modem wrote it."""
        for one, seq in reversed(self._calls.items()):
            if same(one, number):
                return seq
        last = self.ledger.last_call()
        return last[2] if last else 0

    def _draft(self, caller: Caller, campaign: Campaign) -> Draft | None:
        """The reply to queue with a call; none where this line alone knows that it would not be sent."""
        if not caller.repliable or not campaign.replies or self.ledger.opted_out(caller.number):
            return None
        claims = [c for c in self.ledger.claims(caller.number) if c.purpose == "reply"]
        if any(elapsed(c.at, self._stamp) < campaign.once_per_s for c in claims if c.campaign == campaign.id):
            return None
        language = campaigns.choose_language(self.ledger.language(caller.number), self.setting.language, campaign)
        if language not in self._drafts:
            text = campaigns.reply_text(campaign, language, self.setting.values or {})
            self._drafts[language] = Draft(text, language, sms.count(text).parts)
        draft = self._drafts[language]
        return draft if draft.text else None

    # ------------------------------------------------------------------------------------ jobs

    def _obey_headquarters(self) -> None:
        """Whether or not there is a modem: a STOP that comes by headquarters counts on all lines of the box."""
        if self.now < self._errands_at or self.call.busy or self.board.busy:
            return
        self._errands_at = self.now + ORDERS_S
        if self._errands.obey():
            self.outbox.changed()
            self.board.ring_soon()

    def _next_job(self) -> None:
        """Idle: read what arrived, look after the modem, send the next letter; a ring goes before all."""
        if self.call.busy:
            return
        profile = self.channel.profile
        if self.desk.remedy in _REMEDIES:
            self._due[_REMEDIES[self.desk.remedy]] = 0.0
            self.desk.remedy = ""
        if not self.condition.ready:
            self._bring_up()
        elif self._to_read:
            index, storage = self._to_read.popleft()
            job = letters.sweep(self.desk) if index < 0 else letters.read(self.desk, index, storage, profile.storage)
            self.runner.start(job, self.now)
        elif self._overdue("sweep", SWEEP_S):
            self.runner.start(letters.sweep(self.desk), self.now)
        elif self.condition.state == "ready" and self.rest() <= 0 and self._reach_out():
            return
        elif (carry := self.board.job()) is not None:
            self.runner.start(carry, self.now)
        elif self._overdue("refresh", REFRESH_S):
            self._due["watch"] = self.now + WATCH_S
            self.runner.start(bringup.refresh(self.condition), self.now)
        elif self._overdue("watch", WATCH_S):
            self.runner.start(bringup.watch(self.condition), self.now)

    def _overdue(self, what: str, every: float) -> bool:
        if self.now < self._due[what]:
            return False
        self._due[what] = self.now + every
        return True

    def rest(self) -> float:
        """Seconds that sending and dialling wait for the calls of late."""
        return self.outbox.rest([*self._kept, self.call.ended_at], self.now)

    def _reach_out(self) -> bool:
        """Send the next letter or ring somebody back; True when something is on its way or has changed."""
        letter = self.outbox.next(self.now, self.channel.profile)
        if letter is not None:
            self.runner.start(letter, self.now)
        return letter is not None or (self.board.may_ring_back(self.now) and self.board.ring_back(self.now))
