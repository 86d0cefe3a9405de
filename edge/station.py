"""One line's whole conduct, without a port and without a clock: bytes and stamps in, ledger rows and bytes out.

Order of things, which every promise rests on:
1. `Keep` commits the call, then its `HangUp` is queued; the channel writes it before anything else.
2. While somebody rings nothing is sent, and a letter that still waits for its prompt is taken back.
3. A letter is claimed on disk under the box's send lock, where the siblings' ledgers are read too, then sent.
Whoever drives this (the line's loop, or a test with years of made-up time) calls `receive` and `tick`, writes
what `outgoing` gives, and comes back at `deadline`.
"""

from __future__ import annotations

import itertools
import sqlite3
import zlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from edge import bringup, letters, numbers, sms
from edge import campaign as campaigns
from edge.at import POLL, URGENT, Channel, Command
from edge.call import Call
from edge.campaign import Campaign
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
    Refused,
    Registered,
    ReportStored,
    Restarted,
    SimChanged,
    Stamp,
    StorageFull,
    Withdraw,
)
from edge.ledger import Draft, Ledger, Letter, Reader
from edge.profile import GENERIC, Profile
from edge.recent import Recent, same
from edge.rules import STORM_PATIENCE_S, Facts, Later, Never, Now, Request, Verdict, decide, elapsed, rest_after_ring
from edge.script import Runner

WATCH_S, REFRESH_S, SWEEP_S = 30.0, 600.0, 300.0
LOCK_AGAIN_S, STATE_EVERY_S = 0.02, 60.0
ADOPT_MS = 20_000  # a caller kept longer ago has gone, or has been heard since
RESET_AGAIN_S, DEAF_MOST = 900.0, 3
CALLS_KNOWN = 32
LOOKS = 8  # letters judged in one go
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


class Station:
    """The conduct of one line.

    guard     enters the box's send lock, or gives None when it is taken
    siblings  readers of the other lines' ledgers; None when one of them cannot be read
    told_time is given the network's time, milliseconds since 1970"""

    def __init__(
        self,
        setting: Setting,
        ledger: Ledger,
        profiles: Mapping[str, Profile],
        stamp: Stamp,
        guard: Callable[[], AbstractContextManager[object] | None],
        siblings: Callable[[], Sequence[Reader] | None],
        told_time: Callable[[int], object] = lambda utc_ms: None,
    ) -> None:
        self.setting, self.ledger, self.profiles = setting, ledger, profiles
        self._guard, self._siblings, self._told_time = guard, siblings, told_time
        self._stamp = stamp
        self.desk = letters.Desk(ledger, setting.campaign, setting.country, lambda: self._stamp)
        ledger.recover(stamp)
        self.condition = bringup.Condition("no-port")
        self.connected_now = False
        self.deaf = 0  # times in a row that the modem did not even resynchronise
        self._reset_at = 0.0
        self._recent = Recent()
        self._kept: deque[float] = deque(maxlen=8)  # when the last calls were kept
        self._calls: dict[str, int] = {}  # the last calls by number as the modem wrote it -> row, for amendments
        self._due: dict[str, float] = {}
        self._to_read: deque[tuple[int, str]] = deque(maxlen=256)
        self._held_until = 0.0
        self._letters: list[Letter] | None = None  # open letters, read anew when something changed
        self._fresh_modem()
        self._dated = False  # do this boot's rows stand under a trusted clock?
        self._drafts: dict[str, Draft] = {}  # the line's replies, by language
        self._told, self._told_at = "", -STATE_EVERY_S  # the state that headquarters knows, and since when
        self._adopt()

    # ------------------------------------------------------------------------------- the port

    def _fresh_modem(self) -> None:
        profile = self.profiles[GENERIC if self.setting.modem == "auto" else self.setting.modem]
        self.channel = Channel(profile)
        self.call = Call(profile, self._recent)
        self.runner = Runner(self.channel)

    def _adopt(self) -> None:
        """The caller kept last may still be ringing: her next RING is no new call."""
        last = self.ledger.last_call()
        if last and last[1].boot == self._stamp.boot and self._stamp.mono_ms - last[1].mono_ms < ADOPT_MS:
            self.call.adopt(CallerSeen(last[0].number), self.now)
            self._calls.setdefault(last[0].number, self.ledger.last_call_seq())

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
        self._obey(self.call.lost())
        unsure = self.call.state in ("kept", "leaving")
        self.runner.lose()
        self._fresh_modem()
        if unsure:
            self._adopt()
        self._letters = None

    def _use(self, profile: Profile) -> None:
        self.channel.profile = self.call.profile = profile
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
        if self.connected_now:
            self._obey(self.call.tick(self.now))
            self.runner.tick(self.now)
            if self.runner.idle:
                self._next_job()
        self._tell_state()
        if stamp.trusted and not self._dated:
            self.ledger.redate(stamp)
        self._dated = stamp.trusted

    def _tell_state(self) -> None:
        """A row for headquarters when the line's state has changed. Good news goes at once, other news at most
        once a minute, so that a flapping network costs two rows a minute."""
        state = self.condition.state
        if state in ("starting", self._told):
            return
        if state != "ready" and self.now < self._told_at + STATE_EVERY_S:
            return
        self._told, self._told_at = state, self.now
        about = {"operator": self.condition.operator, "words": self.condition.detail}
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
        times = [self.channel.deadline(), self.call.deadline(), self.runner.deadline()]
        if self.connected_now and self.runner.idle and not self.call.busy:
            times += [*self._due.values(), self._next_letter_at()]
            if self._to_read:
                times.append(self.now)
        return min((t for t in times if t is not None), default=None)

    # --------------------------------------------------------------------------------- events

    def _happened(self, event: Happening) -> None:
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
        seq = self.ledger.keep_call(self._stamp, caller, order.outcome, campaign.id, reply, opt_out)
        self._kept.append(self.now)
        number = seen.number if seen else ""
        self._calls.pop(number, None)
        self._calls[number] = seq
        while len(self._calls) > CALLS_KNOWN:
            del self._calls[next(iter(self._calls))]
        self._letters = None

    def _row_of(self, number: str) -> int:
        """The row of the last call of `number`, in whatever form the modem wrote it."""
        known = (seq for one, seq in reversed(self._calls.items()) if same(one, number))
        return next(known, self.ledger.last_call_seq())

    def _draft(self, caller: Caller, campaign: Campaign) -> Draft | None:
        """The reply to queue with a call; none where this line alone knows that it would not be sent."""
        if not caller.repliable or not campaign.replies or self.ledger.opted_out(caller.number):
            return None
        claims = self.ledger.claims(caller.number)
        if any(elapsed(c.at, self._stamp) < campaign.once_per_s for c in claims if c.campaign == campaign.id):
            return None
        language = campaigns.choose_language(self.ledger.language(caller.number), self.setting.language, campaign)
        if language not in self._drafts:
            text = campaigns.reply_text(campaign, language, self.setting.values or {})
            self._drafts[language] = Draft(text, language, sms.count(text).parts)
        draft = self._drafts[language]
        return draft if draft.text else None

    # ------------------------------------------------------------------------------------ jobs

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
        elif self._may_send() and self._send_one():
            return
        elif self._overdue("refresh", REFRESH_S):
            self._due["watch"] = self.now + WATCH_S
            self.runner.start(bringup.refresh(self.condition), self.now)
        elif self._overdue("watch", WATCH_S):
            self.runner.start(bringup.watch(self.condition), self.now)

    def _may_send(self) -> bool:
        return self.condition.state == "ready" and self.rest() <= 0 and self.now >= self._held_until

    def _overdue(self, what: str, every: float) -> bool:
        if self.now < self._due[what]:
            return False
        self._due[what] = self.now + every
        return True

    def rest(self) -> float:
        """Seconds that sending waits for the calls of late; nobody's reply waits for a storm for ever."""
        due = (o for o in self._open() if o.state == "queued" and self.desk.again.get(o.seq, 0.0) <= self.now)
        oldest = next(due, None)
        patient = oldest is None or elapsed(oldest.born, self._stamp) < STORM_PATIENCE_S
        return rest_after_ring([*self._kept, self.call.ended_at], self.now, patient)

    def _open(self) -> list[Letter]:
        if self._letters is None:
            self._letters = self.ledger.open_letters()
        return self._letters

    def _next_letter_at(self) -> float | None:
        """When some letter can be tried."""
        if not self._open() or self.condition.state != "ready":
            return None
        ready = min(self.desk.again.get(letter.seq, 0.0) for letter in self._open())
        return max(ready, self._held_until, self.now + self.rest())

    def _send_one(self) -> bool:
        """Try the letters that are due, oldest first; True when one is on its way or the state has changed.

        Of many that must wait only a few are looked at, so that no caller waits behind them."""
        due = (letter for letter in self._open() if self.desk.again.get(letter.seq, 0.0) <= self.now)
        for letter in itertools.islice(due, LOOKS):
            guard = self._guard()
            if guard is None:
                self._held_until = self.now + LOCK_AGAIN_S * (1 + zlib.crc32(self.setting.line.encode()) % 5)
                return False
            with guard:
                verdict = self._claim(letter)
            if isinstance(verdict, Later):
                self._hold(letter, verdict)
                continue
            self._letters = None
            self.desk.again.pop(letter.seq, None)
            if isinstance(verdict, Never):
                self.ledger.set_state(self._stamp, letter.seq, "cancelled", verdict.why)
            else:
                self.runner.start(letters.send(self.desk, letter, self.channel.profile), self.now)
            return True
        return False

    def _claim(self, letter: Letter) -> Verdict:
        """Judge `letter` and put the claim on disk; the send lock is held.

        A STOP takes no lock, so that nothing delays it: whoever's STOP is on disk once our claim is, wins."""
        verdict = self._judge(letter)
        if isinstance(verdict, Now):
            self.ledger.set_state(self._stamp, letter.seq, "sending", refs=letter.refs)
            verdict = self._judge(letter, claimed=True)
        return verdict

    def _hold(self, letter: Letter, verdict: Later) -> None:
        self.desk.again[letter.seq] = self.now + verdict.seconds
        state = "held" if verdict.held else letter.state
        if (state, verdict.why) != (letter.state, letter.reason):
            self.ledger.set_state(self._stamp, letter.seq, state, verdict.why)
            self._letters = None

    def _judge(self, letter: Letter, claimed: bool = False) -> Verdict:
        """Ask `rules` with what every line of the box has on disk; once `claimed`, only a STOP speaks against it."""
        number, campaign = letter.caller.number, self.setting.campaign
        try:
            others = self._siblings()
            books: list[Reader] = [self.ledger, *(others or ())]
            claims = self.ledger.claims(number, besides=letter.seq)
            claims += [claim for book in others or () for claim in book.claims(number)]
            opted_out = any(book.opted_out(number) for book in books)
        except sqlite3.Error:
            others = None
        if others is None:
            return Later(30, "another line's ledger cannot be read", held=True)
        if claimed:
            return Never("opted out") if opted_out else Now()
        facts = Facts(
            now=self._stamp, timezone=self.setting.timezone, opted_out=opted_out, claims=claims,
            spent=self.ledger.spent(self._stamp, besides=letter.seq), purse=self.setting.purse,
            once_per_s=campaign.once_per_s, quiet=campaign.quiet, own=self.setting.own,
        )  # fmt: skip
        return decide(Request(letter.caller, letter.campaign, letter.parts, letter.born), facts)
