"""May this message go now, later or never, and why.

Rules of the room:
- Every send asks here, at the moment of sending, with what all lines of the box have on disk.
- A pure function of its facts: no clock, no file. Whoever asks reads the facts under the box's send lock and
  commits the claim before releasing it; that is what makes "at most once" hold across lines.
- What is not known counts against sending: an elapsed time that cannot be told is taken at its least, and a
  quiet time that cannot be told, because the clock is not trusted, is taken as quiet.
- An opted-out caller gets nothing, whatever the campaign says. No number gets more than LOOP_MOST in a day:
  two robots that answer each other would empty the SIM by noon.
- An answer that people at headquarters wrote ("desk") goes by the rules of replies, but for once in a while: of those
  DESK_MOST a day. It goes only to who has called or written within SOLICITED_S, and never takes more than half of a
  SIM's day from those who ring.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from edge.events import Caller, Stamp

DAY_S = 24 * 3600
LOOP_MOST = 5  # replies to one number in 24 hours, whatever the campaign says
HELD_LONGEST_S = 12 * 3600  # a reply this old would puzzle the voter more than it helps
DESK_MOST = 3  # answers of headquarters to one number in 24 hours
DESK_PARTS = 3
DESK_HELD_LONGEST_S = 3 * DAY_S  # longer than a silence before a poll
SOLICITED_S = 30 * DAY_S  # so long after her call or message she may be answered
CLOCK_PATIENCE_S = 3600  # so long after a start an order waits for a trusted clock, if that may decide it


@dataclass(frozen=True, slots=True)
class Now:
    """Go."""


@dataclass(frozen=True, slots=True)
class Later:
    """Ask again in `seconds`. `held` when a person should see that it waits."""

    seconds: float
    why: str
    held: bool = False


@dataclass(frozen=True, slots=True)
class Never:
    """Not this one, ever."""

    why: str


Verdict = Now | Later | Never


@dataclass(frozen=True, slots=True)
class Claim:
    """An SMS that some line of this box began to send: `campaign`, when, in how many parts, and what for."""

    campaign: str
    at: Stamp
    parts: int = 1
    purpose: str = "reply"


@dataclass(frozen=True, slots=True)
class Request:
    """An SMS to `caller` for `campaign`, in `parts`, wanted since `born`. A "reply" goes once in a while, a
    "reference" whenever she has opened a case, a "desk" when headquarters has answered her."""

    caller: Caller
    campaign: str
    parts: int
    born: Stamp
    purpose: str = "reply"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the box knows at the moment of sending.

    claims     of this caller, on every line, any campaign
    spent      every claim of this line's SIM that may fall into today, for the purse
    purse      parts this SIM may send a day
    once_per_s of the campaign; 0: every call is answered
    quiet      (start, end) minutes after midnight in `timezone`, or None
    own        numbers of this box's own SIMs"""

    now: Stamp
    timezone: str
    opted_out: bool = False
    claims: Sequence[Claim] = ()
    spent: Sequence[Claim] = ()
    purse: int = 90
    once_per_s: int = DAY_S
    quiet: tuple[int, int] | None = None
    own: frozenset[str] = frozenset()


def elapsed(since: Stamp, now: Stamp) -> float:
    """Seconds that have certainly passed from `since` to `now`.

    Within one boot the monotonic clock tells. Across boots wall time tells when both stamps are trusted;
    otherwise only this boot's own age is certain."""
    if since.boot == now.boot:
        return (now.mono_ms - since.mono_ms) / 1000
    age = now.mono_ms / 1000
    if since.trusted and now.trusted:
        return max(age, (now.at_ms - since.at_ms) / 1000)
    return age


def local(now: Stamp, timezone: str) -> datetime:
    """The wall time of `now` in `timezone`."""
    return datetime.fromtimestamp(now.at_ms / 1000, UTC).astimezone(ZoneInfo(timezone))


def same_day(one: Stamp, now: Stamp, timezone: str) -> bool:
    """May `one` fall into the local day of `now`? Without trusted time: within the last 24 certain hours, unless
    even the times restored from the card lie two days apart."""
    if one.trusted and now.trusted:
        return local(one, timezone).date() == local(now, timezone).date()
    apart = one.clock > 0 and now.clock > 0 and now.at_ms - one.at_ms > 2 * DAY_S * 1000
    return elapsed(one, now) < DAY_S and not apart


def spent_today(claims: Sequence[Claim], now: Stamp, timezone: str) -> int:
    """Parts out of the daily purse that `claims` have used."""
    return sum(c.parts for c in claims if same_day(c.at, now, timezone))


def _quiet_for(quiet: tuple[int, int] | None, now: Stamp, timezone: str) -> float:
    """Seconds until the quiet time is over; 0 outside it."""
    if quiet is None:
        return 0.0
    start, end = quiet
    here = local(now, timezone)
    minute = here.hour * 60 + here.minute
    inside = start <= minute < end if start <= end else (minute >= start or minute < end)
    return ((end - minute) % 1440) * 60 - here.second if inside else 0.0


def decide(request: Request, facts: Facts) -> Verdict:
    """The verdict on `request`: the first rule that speaks against it, else Now."""
    caller, now = request.caller, facts.now
    if not caller.repliable:
        return Never(f"no reply to a caller who is {caller.kind}")
    if caller.number in facts.own:
        return Never("the caller is one of this box's own SIMs")
    if facts.opted_out:
        return Never("opted out")
    mine = [c for c in facts.claims if c.campaign == request.campaign and c.purpose == "reply"]
    once = facts.once_per_s if request.purpose == "reply" else 0
    if once and any(elapsed(c.at, now) < once for c in mine):
        return Never("already answered")
    if sum(elapsed(c.at, now) < DAY_S for c in facts.claims) >= LOOP_MOST:
        return Never(f"{LOOP_MOST} replies to this number in 24 hours")
    desk = request.purpose == "desk"
    if desk and sum(c.purpose == "desk" and elapsed(c.at, now) < DAY_S for c in facts.claims) >= DESK_MOST:
        return Never(f"{DESK_MOST} answers of headquarters to this number in 24 hours")
    longest = DESK_HELD_LONGEST_S if desk else HELD_LONGEST_S
    if elapsed(request.born, now) > longest:
        return Never(f"older than {longest // 3600} hours")
    if request.born.boot != now.boot and not (request.born.trusted and now.trusted):
        return Later(60, "nobody knows how old it is: the box was off, and its clock is not trusted", held=True)
    if facts.quiet is not None and not now.trusted:
        return Later(60, "the clock is not trusted, and the campaign has quiet hours", held=True)
    wait = _quiet_for(facts.quiet, now, facts.timezone)
    if wait > 0:
        return Later(min(wait, 900), "quiet hours", held=True)
    if spent_today(facts.spent, now, facts.timezone) + request.parts > facts.purse:
        return Later(300, "today's SMS of this SIM are used up", held=True)
    answers = [c for c in facts.spent if c.purpose == "desk"]
    if desk and spent_today(answers, now, facts.timezone) + request.parts > facts.purse // 2:
        return Later(300, "headquarters has used its half of today's SMS of this SIM", held=True)
    return Now()


def admit(caller: Caller, parts: int, heard: Sequence[Stamp], facts: Facts) -> Verdict:
    """May an SMS that headquarters ordered be taken, to be sent as `decide` allows? `heard`: when this box last heard
    of her, in calls or messages. Of `facts` who is opted out, what is our own, and the time are looked at."""
    now = facts.now
    if not caller.repliable:
        return Never(f"nobody can write to a number that is {caller.kind}")
    if caller.number in facts.own:
        return Never("that is one of this box's own SIMs")
    if facts.opted_out:
        return Never("opted out")
    if parts > DESK_PARTS:
        return Never(f"its text needs more than {DESK_PARTS} SMS")
    told = [since for since in heard if since.boot == now.boot or (since.trusted and now.trusted)]
    if any(elapsed(since, now) <= SOLICITED_S for since in told):
        return Now()
    if len(told) < len(heard) and not now.trusted and now.mono_ms < CLOCK_PATIENCE_S * 1000:
        return Later(60, "nobody knows yet how long ago she called: the clock is not trusted")
    if len(told) < len(heard):
        return Never("nobody knows how long ago she called: the clock was not trusted")
    return Never(f"she has not called or written to this box in {SOLICITED_S // DAY_S} days")


# ------------------------------------------------------------------------------------- call-backs


@dataclass(frozen=True, slots=True)
class Dial:
    """A call that some line of this box placed: `campaign`, whether it was answered, and for how many seconds."""

    campaign: str
    answered: bool
    seconds: int
    at: Stamp


@dataclass(frozen=True, slots=True)
class Wish:
    """Ring `caller` back for `campaign`, wanted since `born`; `tries` were made so far, the last one at `tried`."""

    caller: Caller
    campaign: str
    born: Stamp
    tries: int = 0
    tried: Stamp | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What the box knows, and the campaign allows, at the moment of dialling.

    dials      placed to this caller, on every line
    spent      placed by this line's SIM, for its allowance
    minutes    that this SIM may talk a day in calls that it places; a week holds 5.8, four weeks 16.7 times that
    tries, apart_s, within_s  how often, how far apart, and how long after the wish
    quiet      (start, end) minutes after midnight in `timezone`"""

    now: Stamp
    timezone: str
    opted_out: bool = False
    dials: Sequence[Dial] = ()
    spent: Sequence[Dial] = ()
    minutes: int = 120
    tries: int = 3
    apart_s: int = 2 * 3600
    within_s: int = DAY_S
    quiet: tuple[int, int] | None = (21 * 60, 9 * 60)
    own: frozenset[str] = frozenset()


_SPANS = ((1, 120, "today's"), (7, 700, "this week's"), (28, 2000, "this month's"))  # days, minutes where a day has 120


def decide_dial(wish: Wish, terms: Terms) -> Verdict:
    """The verdict on ringing a caller back: the first rule that speaks against it, else Now."""
    caller, now = wish.caller, terms.now
    if not caller.repliable:
        return Never(f"no call back to a caller who is {caller.kind}")
    if caller.number in terms.own:
        return Never("the caller is one of this box's own SIMs")
    if terms.opted_out:
        return Never("opted out")
    since = elapsed(wish.born, now)
    mine = [d for d in terms.dials if d.campaign == wish.campaign]
    if any(d.answered and elapsed(d.at, now) <= since for d in mine):
        return Never("she was reached")
    if wish.tries >= terms.tries:
        return Never(f"not reached in {terms.tries} tries")
    if since > terms.within_s:
        return Never("she called too long ago")
    if wish.born.boot != now.boot and not (wish.born.trusted and now.trusted):
        return Later(60, "nobody knows how old it is: the box was off, and its clock is not trusted", held=True)
    last = min((elapsed(d.at, now) for d in mine), default=terms.apart_s)
    if wish.tried is not None:
        last = min(last, elapsed(wish.tried, now))
    if last < terms.apart_s:
        return Later(terms.apart_s - last, "the last try was a short time ago")
    if terms.quiet is not None and not now.trusted:
        return Later(60, "the clock is not trusted, and there are hours in which nobody is rung", held=True)
    wait = _quiet_for(terms.quiet, now, terms.timezone)
    if wait > 0:
        return Later(min(wait, 900), "hours in which nobody is rung", held=True)
    for days, minutes, whose in _SPANS:
        if _talked(terms.spent, now, days, terms.timezone) * 120 >= minutes * terms.minutes * 60:
            return Later(300, f"{whose} minutes of this SIM are used up", held=True)
    return Now()


def _talked(dials: Sequence[Dial], now: Stamp, days: int, timezone: str) -> int:
    """Seconds talked in the local day (or in the last so many days), every begun minute counted whole."""
    if days == 1:
        counted = [d for d in dials if same_day(d.at, now, timezone)]
    else:
        counted = [d for d in dials if elapsed(d.at, now) < days * DAY_S]
    return sum(-(-d.seconds // 60) * 60 for d in counted)


# ------------------------------------------------------------------------------------------ pace

CALM_S = 0.4  # after a lone call: long enough for its hang-up, short enough for an answer in seconds
STORM_S = 3.5  # after a call in a storm: callers come up to 3 s apart, and an SMS would make them hear busy
STORM_CALLS, STORM_WINDOW_S = 2, 20.0
STORM_PATIENCE_S = 60.0  # then a reply goes in any short gap


def rest_after_ring(calls: Sequence[float], now: float, patient: bool = True) -> float:
    """Seconds that sending still has to wait for the calls heard at the times `calls`.

    An SMS holds the only AT channel for seconds, and whoever calls behind the ringing caller hears busy.
    So on a quiet line a reply goes at once, and in a storm it waits for a gap, unless no longer `patient`."""
    last = max(calls, default=-1e9)
    storm = sum(last - call < STORM_WINDOW_S for call in calls[:-1]) >= STORM_CALLS
    return max(0.0, last + (STORM_S if storm and patient else CALM_S) - now)


def retry_after(tries: int) -> float:
    """Seconds to wait after the `tries`-th temporary failure: 10, 30, 90, ... at most an hour."""
    return float(min(10 * 3 ** max(0, tries - 1), 3600))
