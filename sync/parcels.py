"""What sound goes to headquarters when: a second bag of the courier's, carried when the first one is empty.

Rules of this room
- One piece is outstanding at a time. Where the next one begins is for HQ to say: after a connect, a restart or a
  silence it is asked, by an empty piece, how much it has.
- A recording is done when HQ says that all of it is there and fits its digest, and not before.
- A day has a budget of bytes, written down before they are spent. The last fifth of it is kept for grievances; what
  the budget does not let go waits for tomorrow.
- HQ that has no room, or is busy, is left alone for a while; a recording whose row it does not know yet, that one.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from edge.events import Stamp
from sync import wire
from sync.book import Book
from sync.pace import Pace
from sync.takes import AHEAD, Ledger, Take, Takes

CODEC = "opus"
RESERVE = 0.2  # of a day's budget, for grievances
OVERHEAD = 400  # bytes that a piece costs besides itself: topic, MQTT, TCP and IP, both receipts and HQ's answer


class Parcels:
    """One box's sound on its way. `now` is monotonic seconds, `at_ms` the box's wall time."""

    def __init__(
        self, takes: Takes, book: Book, budget: int, timezone: str, pace: Pace, dice: random.Random | None = None
    ) -> None:
        """`budget` is bytes a day of `timezone`; 0: no sound is sent at all."""
        self.refused = 0  # recordings that HQ did not want, since the start
        self._takes, self._book, self._budget = takes, book, budget
        self._zone, self._pace, self._dice = ZoneInfo(timezone), pace, dice or random.Random()
        self._up = self._trusted = False
        self._undated = True
        self._out: Take | None = None
        self._until = self._hold_until = 0.0
        self._tries = 0
        self._day, self._spent = "", 0
        self._poor = False

    # ------------------------------------------------------------------------------- what happens

    def see(self, ledgers: Iterable[Ledger], now: float, stamp: Stamp) -> None:
        """What the ledgers tell, and the encoder; call it often."""
        self._trusted = stamp.trusted
        if self._trusted and self._undated:
            self._book.date(stamp.at_ms)
            self._undated = False
        self._takes.look(ledgers)
        if self._takes.idle(now) and (take := self._raw(now, stamp.at_ms)):
            self._takes.begin(take, now)

    def connected(self) -> None:
        """A connection stands: HQ must be asked again how far each recording is."""
        self._up, self._out, self._tries = True, None, 0
        for take in self._takes.ordered():
            take.have = None

    def lost(self) -> None:
        """The connection is gone."""
        self._up, self._out = False, None

    def again(self, store: str) -> None:
        """HQ went back to fewer rows of a ledger, and with them went what it had of later recordings."""
        self._takes.again(store)

    def hold(self, until: float) -> None:
        """HQ is busy: nothing before `until`."""
        self._hold_until = max(self._hold_until, until)

    def heard(self, held: wire.Held, now: float, at_ms: int) -> None:
        """HQ's word on one recording. A late one is only asked about again."""
        take = self._takes.get((held.store, held.seq))
        if take is None:
            return
        if self._out is take:
            self._out, self._tries = None, 0
        if held.state == "done":
            self._undated = self._undated or not self._trusted
            self._takes.delivered(take, at_ms if self._trusted else 0)
        elif held.state.startswith("refused"):
            self.refused += 1
            self._takes.give_up(take, held.state)
        elif held.state == "":
            take.have = held.have if held.have < take.size else None
            take.tries = 0
        else:
            take.have = None
            pause = self._pace.hello_s * 2.0 ** min(take.tries, 6)
            take.tries += 1
            if held.state == "later":
                self.hold(now + pause)
            take.retry_at = now + pause

    def due(self, now: float, at_ms: int) -> bytes | None:
        """The next piece, if one may go now."""
        if not self._up or now < self._hold_until:
            return None
        if self._out:
            if now < self._until:
                return None
            self._out.have = None
            self._out, self._tries = None, self._tries + 1
        take = self._ready(now, at_ms)
        sound = self._takes.sound(take) if take else None
        if take is None or sound is None:
            return None
        at = take.have or 0
        chunk = b"" if take.have is None else sound[at : at + wire.MAX_CHUNK]
        parcel = wire.Parcel(take.store, take.seq, CODEC, take.size, take.sha256, at, chunk)
        payload = wire.pack_parcel(parcel)
        self._spend(len(payload) + OVERHEAD, at_ms)
        self._out, self._until = take, now + self._pace.pause(self._tries, self._dice)
        return payload

    def words(self) -> str:
        """How sound stands, in a sentence; "" when there is nothing to say."""
        count = len(self._takes)
        waiting = f"{count} recording{'s' * (count != 1)} {'wait' if count != 1 else 'waits'}"
        told = []
        if count and not self._budget:
            told.append(f"{waiting} here: [hq] data_mb_per_day is 0")
        elif count and self._takes.trouble:
            told.append(f"{waiting}: {self._takes.trouble}")
        elif count and self._poor:
            told.append(f"{waiting} for tomorrow: today's data for sound is used up")
        elif count:
            told.append(f"{waiting} for the road to headquarters")
        if self.refused:
            told.append(f"headquarters refused {self.refused}: call them")
        return "; ".join(told)

    def waiting(self) -> int:
        """Recordings that HQ does not have yet."""
        return len(self._takes)

    # ------------------------------------------------------------------------------------ choosing

    def _ready(self, now: float, at_ms: int) -> Take | None:
        """Whose piece is next: the first whose sound lies ready and that the budget lets go."""
        left = self._left(at_ms)
        self._poor = False
        for take in self._takes.ordered():
            if left[take.case] < 0:
                self._poor = True
                return None  # those behind it have no more
            if take.size and now >= take.retry_at:
                return take
        return None

    def _raw(self, now: float, at_ms: int) -> Take | None:
        """Which one to make small next: the first that will soon have its turn."""
        left, ahead = self._left(at_ms), 0
        for take in self._takes.ordered():
            if left[take.case] < 0 or ahead >= AHEAD:
                return None
            if not take.size and now >= take.retry_at:
                return take
            ahead += not take.case
        return None

    def _left(self, at_ms: int) -> tuple[float, float]:
        """What today's budget has beyond one more piece: for others, for grievances."""
        room = self._budget - self._today(at_ms) - wire.MAX_CHUNK - OVERHEAD
        return room - RESERVE * self._budget, room

    def _today(self, at_ms: int) -> int:
        day = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(self._zone).date().isoformat()
        if day != self._day:
            self._day, self._spent = day, self._book.spent(day)
        return self._spent

    def _spend(self, size: int, at_ms: int) -> None:
        self._today(at_ms)
        self._book.spend(self._day, size)
        self._spent += size
