"""What each metric must say of a slice: the oracle's facts, put together as the formulae of the metrics have it.

Each entry gives (value, n, low, high), shorter where the rest does not matter, or the rows of a table; `None` in place
of a value is "cannot be told of nobody". Which filters a metric cannot be told by is in NOT_BY.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import median
from typing import Any

from tests import oracle
from tests.oracle import DAY_MS, Sliced, share, wilson

Told = tuple[Any, ...]


def part(hits: float, n: float) -> Told:
    return share(hits, n), n


def interval(hits: int, n: int) -> Told:
    return (share(hits, n), n, *(wilson(hits, n) or ()))


def reply_times(s: Sliced) -> tuple[list[int], int]:
    """Milliseconds from ring to submission of the replies never held, and how many were due."""
    due = [one for one in s.replies if "held" not in one.states]
    sent = [(one.when("sent"), one.first) for one in due]
    return [when.mono_ms - first.mono_ms for when, first in sent if when is not None], len(due)


def waited(times: Iterable[int], due: int, q: float) -> Told:
    value = oracle.nearest(list(times), due, q)
    return (None if value is None else oracle.step(value)), due


def tries(s: Sliced, attempt: int) -> list[oracle.Thing]:
    placed = [one for one in s.of("call") if one.first.state in oracle.OURS]
    return [one for one in placed if min(one.about["try"], 3) == attempt]


def first_tries(s: Sliced) -> list[int]:
    """Milliseconds from a call to the first try at calling back."""
    known = {(one.store, one.first.seq): one for one in s.all.things if one.kind == "call"}
    found = ((one, known.get((one.store, one.about.get("for", 0)))) for one in tries(s, 1))
    return [one.first.mono_ms - rang.first.mono_ms for one, rang in found if rang is not None]


def pick_up(s: Sliced) -> Told:
    reached = sum(one.now.state == "called-back" for n in (1, 2, 3) for one in tries(s, n))
    return part(reached, len(tries(s, 1)))


def contacted(s: Sliced) -> Told:
    counted = [c for c in oracle.cases(s) if c.contacted is not None or s.all.now_ms - c.opened >= DAY_MS]
    soon = [c for c in counted if c.contacted is not None and c.contacted - c.opened <= DAY_MS]
    return part(len(soon), len(counted))


def breaches(s: Sliced) -> Told:
    found = oracle.cases(s)
    return sum(c.contacted is None and s.all.now_ms - c.opened >= DAY_MS for c in found), len(found)


def days(s: Sliced) -> Told:
    done = [c for c in oracle.cases(s) if c.resolved is not None and c.state in ("resolved", "verified")]
    return (median((c.resolved - c.opened) / DAY_MS for c in done if c.resolved) if done else None), len(done)


def reopened(s: Sliced) -> Told:
    ever = [c for c in oracle.cases(s) if c.resolved is not None or c.reopened]
    return part(sum(c.reopened > 0 for c in ever), len(ever))


def drop_off(s: Sliced) -> list[tuple[Any, ...]]:
    nodes: dict[tuple[str, str], list[int]] = {}
    for call, step in s.all.steps:
        what = "hung-up" if step["what"] == "end" and step["key"] == "hung-up" else step["what"]
        names = ("enter", "no-input", "invalid", "hung-up", "key", "speech", "heard")
        if s.inside(call) and (what in names or what == "goal"):
            row = nodes.setdefault((call.campaign, step["node"]), [0] * 7)
            row[names.index(what) if what in names else 0] += what in names
    rows = ((*key, *row, *(share(n, row[0]) for n in row[1:4])) for key, row in nodes.items() if any(row))
    return sorted(rows, key=lambda row: row[:2])


Holds = Callable[[oracle.Talk], bool]


def answered(s: Sliced, holds: Holds, of: Holds = lambda _: True) -> Told:
    mine = [talk for talk in s.talks if of(talk)]
    return part(sum(map(holds, mine)), len(mine))


def sent(s: Sliced) -> list[oracle.Thing]:
    return [one for one in s.letters if "sent" in one.states]


def delivered(s: Sliced) -> Told:
    got = sum("delivered" in one.states for one in s.letters)
    return (share(got, len(sent(s))) if got else None), len(sent(s))


def cost(s: Sliced) -> Told:
    sms, minute, month = s.all.tariff
    placed = [one for one in s.of("call") if one.first.state in oracle.OURS]
    lines = {(one.seat.box, one.seat.line) for one in s.all.things if one.kind == "store"
             and s.place(one) and s.topic(one.seat.campaign)}  # fmt: skip
    spent = sum(one.about["parts"] for one in sent(s)) * sms + sum(one.now.seconds for one in placed) / 60 * minute
    spent += len(lines) * (s.asked.last - s.asked.first + 1) / 30 * month
    return (spent / len(s.callers) if s.callers else None), len(s.callers)


def new(s: Sliced) -> Told:
    ever = Sliced(s.all, type(s.asked)(**{name: getattr(s.asked, name) for name in FILTERS if name != "tag"}))
    firsts: dict[str, int] = {}
    for one in ever.calls:
        if one.numbered:
            firsts[one.caller] = min(one.day, firsts.get(one.caller, one.day))
    return (sum(s.asked.first <= day <= s.asked.last for day in firsts.values()),)


def referendum(s: Sliced) -> list[tuple[Any, ...]]:
    """issue, option, voters, share, low, high, loss, biased, raw, nameless, first, last, single, conflicts"""
    found = {key: row for key, row in oracle.votes(s).items() if any(row.values())}
    rows = []
    for (issue, option), row in found.items():
        mine = {key[1]: each for key, each in found.items() if key[0] == issue}
        told, true = sum(one["u"] for one in mine.values()), sum(one["true"] for one in mine.values())
        losses = [1 - one["u"] / one["true"] for one in mine.values() if one["true"]]
        biased = bool(losses) and (max(losses) > 0.05 or max(losses) - min(losses) > 0.03)
        ends = sorted((row["u"] / told, row["true"] / true)) if told else [None, None]
        loss = 1 - row["u"] / row["true"] if row["true"] else None
        counts = [row[name] for name in ("raw", "nameless", "first", "last", "single", "conflicts")]
        rows.append((issue, option, row["u"], share(row["u"], told), *ends, loss, biased, *counts))
    return sorted(rows, key=lambda row: row[:2])


def load(s: Sliced) -> Told:
    return (max((h.most for h in oracle.hours(s).values()), default=0.0),)


def heard(s: Sliced, *names: str) -> list[float]:
    return [sum(getattr(h, name) for h in oracle.hours(s).values()) for name in names]


def capture(s: Sliced) -> Told:
    own, told, unseen = heard(s, "own", "told", "unseen")
    return (share(own, own + told + unseen),)


def loss(s: Sliced) -> Told:
    own, blocked = heard(s, "own", "blocked")
    return (share(blocked, own + blocked),)


FILTERS = ("campaign", "issue", "tag", "district", "ward", "box", "line", "channel", "language", "clean")
NUMBERED = ("calls", "new", "repeat", "withheld", "callers", "registered", "attended", "pledged")

EXPECTED: dict[str, Callable[[Sliced], Any]] = {
    "calls": lambda s: (len(s.calls),),
    "callers": lambda s: (len(s.callers),),
    "new": new,
    "repeat": lambda s: part(sum(one.numbered for one in s.calls), len(s.callers)),
    "withheld": lambda s: part(sum(not one.numbered for one in s.calls), len(s.calls)),
    "load": load,
    "loss": loss,
    "capture": capture,
    "verified": lambda s: part(oracle.people(s, "consent"), len(s.callers)),
    "engagement": lambda s: interval(*oracle.engaged(s)[::-1]),
    "registered": lambda s: interval(*oracle.conversion(s, "registered")),
    "attended": lambda s: interval(*oracle.conversion(s, "attended")),
    "pledged": lambda s: interval(*oracle.conversion(s, "pledged")),
    "reply-p50": lambda s: waited(*reply_times(s), 0.5),
    "reply-p95": lambda s: waited(*reply_times(s), 0.95),
    "reply-60": lambda s: part(sum(ms <= 60_000 for ms in reply_times(s)[0]), reply_times(s)[1]),
    "reply-held": lambda s: (sum("held" in one.states for one in s.replies),),
    "callback-5": lambda s: part(sum(ms < 300_000 for ms in first_tries(s)), len(first_tries(s))),
    "pick-up": pick_up,
    "grievance-24": contacted,
    "breaches": breaches,
    "resolution": lambda s: part(sum(c.state == "verified" for c in oracle.cases(s)), len(oracle.cases(s))),
    "resolution-days": days,
    "reopened": reopened,
    "completion": lambda s: answered(s, lambda talk: talk.goal),
    "lost-first": lambda s: answered(s, lambda talk: talk.lost_first),
    "drop-off": drop_off,
    "first-key": lambda s: waited(
        (keys := [talk.first_key for talk in s.talks if talk.first_key is not None]), len(keys), 0.5
    ),
    "listen-50": lambda s: answered(s, lambda talk: talk.heard >= 0.5, lambda talk: talk.placed),
    "listen-75": lambda s: answered(s, lambda talk: talk.heard >= 0.75, lambda talk: talk.placed),
    "voice-yield": lambda s: part(
        sum("kept" in one.states and oracle.spoken(one) for one in s.of("recording")), sum(t.beep for t in s.talks)
    ),
    "voices": lambda s: (sum(one.now.state == "kept" and oracle.spoken(one) for one in s.of("recording")),),
    "submitted": lambda s: part(len(sent(s)), sum(one.now.state != "cancelled" for one in s.letters)),
    "delivered": delivered,
    "parts": lambda s: part(sum(one.about["parts"] for one in sent(s)), len(sent(s))),
    "cost": cost,
    "opt-outs": lambda s: part(oracle.people(s, "optout"), oracle.engaged(s, last_only=True)[0]),
    "referendum": referendum,
    "availability": lambda s: part(*oracle.service(s)),
}  # fmt: skip

# metric -> the filters that it must refuse; an area of which only a part of a box is in, it may refuse or answer
_TALLY = {"tag"}
_COARSE = {"tag", "language"}
CASES = ("grievance-24", "breaches", "resolution", "resolution-days", "reopened", "voices")
COUNTED = (
    "completion", "lost-first", "listen-50", "listen-75", "voice-yield", "submitted", "delivered", "parts", "pick-up",
    "reply-60", "reply-held", "calls", "withheld",
)  # fmt: skip
NOT_BY: dict[str, set[str]] = {
    **dict.fromkeys(EXPECTED, _COARSE), **dict.fromkeys(COUNTED, _TALLY), **{name: set() for name in CASES},
    "referendum": {"tag", "language", "campaign"}, "availability": {"tag", "language", "campaign", "issue"},
}  # fmt: skip
