"""What a line does with voice: answer, ring back, carry prompts to a module and takes out of it.

Rules of the room:
- A line talks when its campaign speaks, its modem's profile has a voice, and that voice can be reached: PCM through
  the line's `audio_port`, else the module's own files. Where it cannot, callers are treated as on a missed-call line:
  nobody is charged for silence, and `why_mute` says why.
- A call back is judged by `rules.decide_dial` under the box's send lock, with what all lines have on disk, and is on
  disk before it is dialled.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edge import campaign as campaigns
from edge import sms
from edge.at import POLL, Channel, Command
from edge.campaign import Campaign
from edge.dialogue import Clip
from edge.events import (
    Answered,
    CallChanged,
    CallConnected,
    CallEnded,
    CallerSeen,
    Expired,
    FileMark,
    Happening,
    Keyed,
    Rang,
    Refused,
    Stamp,
)
from edge.ledger import Callback, Draft, Ledger, Reader
from edge.outbox import Lines
from edge.profile import Profile
from edge.recent import Recent
from edge.rules import Later, Never, Now, Terms, Verdict, Wish, decide_dial
from edge.script import Script
from edge.talk import LIST, FileSound, Held, Party, PcmSound, Sound, Spoken, Stage, Store, Talk, calls, taken

MUTE_S = 600.0  # a voice that failed is tried again after so long
MINE = (CallChanged, CallConnected, CallEnded, FileMark, Keyed, Rang, CallerSeen)  # belong to the call in hand


@dataclass(frozen=True)
class Speech:
    """A line's means to speak. `audio_port` "" when it has none.

    clip    a prompt's file, in the caller's language or the nearest that there is, and the silence before it
    beep    the file with the beep, for modules that play files
    path    where the file of a take with this name lies
    read    a file's bytes;  keep(name, bytes)  writes a take that came out of a module, returns its SHA-256
    room    is there room on the disk for a take?
    """

    audio_port: str
    clip: Callable[[Clip], Spoken]
    beep: str
    path: Callable[[str], str]
    read: Callable[[str], bytes]
    keep: Callable[[str, bytes], str]
    room: Callable[[], bool]


class Switchboard:
    """The talking side of one line; `out` are messages for its helper process, in order. `stamp` gives the moment of
    the input that is being handled."""

    def __init__(
        self, campaign: Campaign, language: str, ledger: Ledger, lines: Lines, stamp: Callable[[], Stamp],
        speech: Speech | None,
    ) -> None:  # fmt: skip
        self.out: deque[Mapping[str, object]] = deque()
        self.flush: Callable[[], object] = lambda: None  # takes `out` away now, not when all orders are carried out
        self.talk: Talk | None = None
        self._campaign, self._language, self._ledger, self._lines = campaign, language, ledger, lines
        self._stamp, self._speech = stamp, speech
        self._closing: list[Talk] = []  # over, but for a take that is being closed
        self._fetch: deque[Held] = deque()
        self._uploads: deque[str] = deque()
        self._mute_until, self._mute_words = -MUTE_S, ""
        self._retry_at = 0.0
        self._leftover = False  # a process before us may have left a call behind
        self._channel: Channel | None = None
        self._profile: Profile | None = None
        self._recent = Recent()
        self._store: Store | None = None

    # --------------------------------------------------------------------------------- the modem

    def attach(self, channel: Channel, recent: Recent) -> None:
        """A modem that is not known yet."""
        self._channel, self._recent, self._profile, self._store = channel, recent, None, None
        self._uploads.clear()

    def use(self, profile: Profile) -> None:
        """The modem's profile is known: what it plays by itself is to be carried into it."""
        self._profile, self._leftover = profile, self._speech is not None and profile.voice is not None
        files = profile.voice.files if profile.voice else None
        if self._speech is not None and files is not None and self._by_files:
            self._store = Store(files, self._speech.read)
            self._uploads = deque(dict.fromkeys([self._speech.beep, *self._prompts()]))
        torn = (take for take, _ in self._ledger.takes("recording"))
        open_takes = [take for take in torn if not any(talk.owns(take) for talk in self._closing)]
        if self._store is not None:
            self._fetch = deque(Held(take, 0) for take in open_takes)
        else:  # what was on the card is mended before the line starts: of these nothing was
            for take in open_takes:
                self._ledger.end_take(self._stamp(), take, "failed", why="the box stopped before a sound came")

    def _prompts(self) -> list[str]:
        assert self._campaign.menu is not None and self._speech is not None
        spoken = (self._speech.clip(Clip(*named))[0] for named in self._campaign.menu.texts)
        return [path for path in spoken if path]

    @property
    def _by_files(self) -> bool:
        voice = self._profile.voice if self._profile else None
        pcm = voice is not None and voice.pcm and self._speech is not None and bool(self._speech.audio_port)
        return voice is not None and not pcm and voice.files is not None

    def why_mute(self, now: float) -> str:
        """Why this line cannot talk now, in words; "" when it can."""
        if self._speech is None or self._campaign.menu is None:
            return "its campaign does not speak"
        if self._profile is None:
            return "its modem is not known yet"
        voice = self._profile.voice
        if voice is None:
            return f"a {self._profile.label} has no voice over USB: put the SIM into a modem that has"
        if not self._by_files and not self._speech.audio_port:
            return "the line has no audio_port: name the modem's PCM port in box.toml"
        return self._mute_words if now < self._mute_until else ""

    def answers(self, now: float) -> bool:
        """Are callers of this line answered?"""
        return self._campaign.mode == "menu" and not self.why_mute(now)

    @property
    def busy(self) -> bool:
        """Is a call in hand?"""
        return self.talk is not None

    # ----------------------------------------------------------------------------------- calls

    def pick_up(self, written: str, now: float) -> None:
        """Answer the caller whose call was kept last."""
        last = self._ledger.last_call()
        if last is not None and self.talk is None and self._speech is not None:
            caller, ring, seq = last
            self._begin(Party(caller, seq, written, ring), now)

    def _begin(self, party: Party, now: float) -> None:
        speech, menu, profile, channel = self._speech, self._campaign.menu, self._profile, self._channel
        assert speech is not None and menu is not None and profile is not None and channel is not None
        sound: Sound
        if self._store is not None:
            sound = FileSound(channel, self._store, speech.beep)
        else:
            assert profile.voice is not None
            sound = PcmSound(self._tell, speech.audio_port, profile.voice.hear_first)
        stage = Stage(
            self._ledger, self._campaign.id, menu, self._language, self._stamp, speech.clip, speech.path, speech.room,
            self._draft,
        )  # fmt: skip
        self.talk = Talk(stage, party, profile, channel, sound, self._recent, now)

    def _tell(self, message: Mapping[str, object]) -> None:
        """To the helper, before the next order is carried out: that may be a commit on a slow card."""
        self.out.append(message)
        self.flush()

    def _draft(self, language: str) -> Draft | None:
        """The SMS with a case's reference, which is filled in when that is known."""
        text = campaigns.case_text(self._campaign, language, {**self._lines.values, "reference": "{reference}"})
        parts = sms.count(text.replace("{reference}", "0" * 7)).parts
        return Draft(text, language, parts, "reference") if text else None

    def on(self, event: Happening, now: float) -> bool:
        """An event of the modem; True when it belongs to the call in hand and to nobody else."""
        for talk in self._closing:
            talk.on(event, now) if isinstance(event, Answered | Refused | Expired) else None
        if self.talk is None:
            return False
        if isinstance(event, CallerSeen) and self.talk.another(event, now):
            self._tidy(now)
            return False
        self.talk.on(event, now)
        self._tidy(now)
        return isinstance(event, MINE)

    def message(self, told: Mapping[str, object], now: float) -> None:
        """The helper process said something."""
        done = taken(told)
        owners = [t for t in (self.talk, *self._closing) if t is not None and done is not None and t.owns(done.take)]
        for talk in owners:
            talk.heard([done] if done else [], now)
        if done is None and self.talk is not None and isinstance(self.talk.sound, PcmSound):
            self.talk.heard(self.talk.sound.message(told), now)
        self._tidy(now)

    def voice_lost(self, now: float) -> None:
        """The helper process has died; another one has been started."""
        for talk in (self.talk, *self._closing):
            if talk is not None:
                talk.voice_lost(now)
        self._tidy(now)

    def lost(self, now: float) -> None:
        """The modem is lost."""
        for talk in (self.talk, *self._closing):
            if talk is not None:
                talk.lost(now)
        self._tidy(now)

    def tick(self, now: float) -> None:
        """Time has passed."""
        for talk in (self.talk, *self._closing):
            if talk is not None:
                talk.tick(now)
        self._tidy(now)

    def deadline(self) -> float | None:
        """When `tick` is due."""
        times = [talk.deadline() for talk in (self.talk, *self._closing) if talk is not None]
        return min((t for t in times if t is not None), default=None)

    def _tidy(self, now: float) -> None:
        """Let go of calls that are over, and remember why a voice failed."""
        talk = self.talk
        if talk is not None and talk.leg.state == "over" and not talk.leg.busy:
            self.talk = None
            self._closing.append(talk)
            if talk.muted:
                self._mute_until, self._mute_words = now + MUTE_S, talk.muted
        for done in [one for one in self._closing if one.settled]:
            self._closing.remove(done)
            self._fetch += done.fetch

    # ------------------------------------------------------------------------------------ jobs

    def job(self) -> Script | None:
        """Something to do while nobody talks; None when there is nothing."""
        if self._leftover:
            self._leftover = False
            return self._hang_up_leftover()
        store, speech = self._store, self._speech
        if store is None or speech is None:
            return None
        if self._fetch:
            return self._fetched(store, self._fetch.popleft())
        return store.upload(self._uploads.popleft()) if self._uploads else None

    def _hang_up_leftover(self) -> Script:
        """End a call that is up though no talk of ours is: somebody pays for silence."""
        assert self._profile is not None
        answer = yield LIST
        if any(call.status < 4 for call in calls(answer)) and not any(call.status >= 4 for call in calls(answer)):
            yield Command(self._profile.reject[0], "", timeout=self._profile.reject_timeout, priority=POLL)

    def _fetched(self, store: Store, held: Held) -> Script:
        """Get a take out of the module; what it is worth is written once it is on the card."""
        got: list[bytes] = []
        assert self._speech is not None
        name = dict(self._ledger.takes("recording")).get(held.take, "")
        if not name:  # it is closed already
            return
        yield from store.fetch(name, got.append)
        sound = got[0] if got else b""
        digest = self._speech.keep(name, sound) if sound else ""
        ms = held.ms or max(0, len(sound) - 44) // 16
        why = "" if digest else "the module did not give it"
        self._ledger.end_take(self._stamp(), held.take, "kept" if digest else "failed", ms, -1, digest, why)

    # ------------------------------------------------------------------------------- call-backs

    def may_ring_back(self, now: float) -> bool:
        """Is this a line that rings back, and is it time to look who is due?"""
        return self._campaign.callback is not None and now >= self._retry_at and not self.why_mute(now)

    def ring_soon(self) -> None:
        """Somebody more may be due: look at the next opportunity."""
        self._retry_at = 0.0

    def ring_back(self, now: float) -> bool:
        """Ring the caller who has waited longest, if the rules allow it; True when a call is on its way."""
        self._retry_at = now + 2.0
        for wish in self._ledger.callbacks():
            guard = self._lines.guard()
            if guard is None:
                return False
            with guard:
                verdict = self._judge(wish)
                seq = self._ledger.place_call(self._stamp(), wish) if isinstance(verdict, Now) else 0
            if isinstance(verdict, Later):
                state = "held" if verdict.held else "due"
                if (state, verdict.why) != (wish.state, wish.reason):
                    self._ledger.hold_callback(wish.seq, state, verdict.why)
            elif isinstance(verdict, Never):
                self._ledger.hold_callback(wish.seq, "cancelled", verdict.why)
            elif seq:
                self._begin(Party(wish.caller, seq, wish.caller.number, wish.born, wish), now)
                return True
        return False

    def _judge(self, wish: Callback) -> Verdict:
        """Ask `rules` with what every line of the box has on disk."""
        terms, number, now = self._campaign.callback, wish.caller.number, self._stamp()
        assert terms is not None
        try:
            others = self._lines.siblings()
            books: list[Reader] = [self._ledger, *(others or ())]
            dials = [dial for book in books for dial in book.dials(number)]
            opted_out = any(book.opted_out(number) for book in books)
        except sqlite3.Error:
            others = None
        if others is None:
            return Later(30, "another line's ledger cannot be read", held=True)
        return decide_dial(
            Wish(wish.caller, wish.campaign, wish.born, wish.tries, wish.tried),
            Terms(
                now=now, timezone=self._lines.timezone, opted_out=opted_out, dials=dials,
                spent=self._ledger.dialled(now), minutes=terms.minutes_per_day, tries=terms.tries,
                apart_s=terms.apart_s, within_s=terms.within_s, quiet=terms.quiet, own=self._lines.own,
            ),
        )  # fmt: skip
