"""What a figure is, and how counters become one.  Pure.

Rules of this room
- A figure that cannot be told is None and says why. A share tells how many it is a share of (`n`).
- Percentiles of waiting are over all who were due: one who has had nothing yet has waited for ever. A histogram's step
  is told as its lower end: exact to a second below two minutes, then to ten seconds, then to a minute.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sync.hq.catalogue import Reason
from sync.hq.metrics import formulae
from sync.hq.tariff import Tariff

Counters = Mapping[str, Any]
DAY_MS = 86_400_000
FIVE_MINUTES_S = 300


@dataclass(frozen=True, slots=True)
class About:
    """What figures need besides counters: the time, each issue's policy, the tariff, and the days of the window."""

    now_ms: int
    policies: Mapping[str, str] = field(default_factory=dict)
    tariff: Tariff | None = None
    days: int | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """`low` and `high` are the ends of an interval or a range. `rows` is a table where one number would not do. `unit`
    is set where it differs from the metric's (a currency)."""

    value: float | None = None
    n: int | None = None
    low: float | None = None
    high: float | None = None
    rows: tuple[Any, ...] = ()
    why: str = ""
    unit: str = ""


Make = Callable[[Counters, About], Figure]


def count(name: str) -> Make:
    return lambda c, _: Figure(c[name])


def ratio(part: str, whole: str, nobody: str) -> Make:
    """A share; `nobody` is said when there is nothing that it could be a share of."""
    return lambda c, _: part_of(c[part], c[whole], nobody)


def part_of(part: float, whole: float, nobody: str) -> Figure:
    value = formulae.share(part, whole)
    return Figure(value, int(whole)) if value is not None else Figure(n=0, why=nobody)


def interval(part: str, whole: str, nobody: str) -> Make:
    """A share with Wilson's interval."""

    def make(c: Counters, _: About) -> Figure:
        ends = formulae.wilson(min(c[part], c[whole]), c[whole])
        if ends is None:
            return Figure(n=0, why=nobody)
        return Figure(c[part] / c[whole], c[whole], *ends)

    return make


def waited(kind: str, due: str, q: float, nobody: str) -> Make:
    """The percentile q of waiting, in seconds, over all who were due."""

    def make(c: Counters, _: About) -> Figure:
        had = sum(c[kind].values())
        everybody = max(had, c[due] if due else had)
        if not everybody:
            return Figure(n=0, why=nobody)
        value = formulae.percentile({**c[kind], 10**9: everybody - had}, q)
        if value == 10**9:
            why = Reason("{n} of {all} have had nothing so far", n=everybody - had, all=everybody)
            return Figure(n=everybody, why=why)
        return Figure(value, everybody)

    return make


def called_back_soon(c: Counters, _: About) -> Figure:
    soon = sum(n for step, n in c["callback"].items() if step < FIVE_MINUTES_S)
    return part_of(soon, sum(c["callback"].values()), "nobody was rung back")


def picked_up(c: Counters, _: About) -> Figure:
    """Of those who were rung, who had picked up by the first, second and third try."""
    tries = c["tries_1"]
    if not tries:
        return Figure(n=0, why="nobody was rung back")
    reached = [c["reached_1"], c["reached_1"] + c["reached_2"], c["reached_1"] + c["reached_2"] + c["reached_3"]]
    rows = tuple({"tries": place, "reached": n, "share": n / tries} for place, n in enumerate(reached, 1))
    return Figure(reached[-1] / tries, tries, rows=rows)


def contacted_in_time(c: Counters, about: About) -> Figure:
    """Cases that somebody answered within a day, of those that are a day old or answered."""
    counted = [case for case in c["listed"]
               if case["contacted_ms"] is not None or about.now_ms - case["opened_ms"] >= DAY_MS]  # fmt: skip
    soon = sum(
        case["contacted_ms"] is not None and case["contacted_ms"] - case["opened_ms"] <= DAY_MS for case in counted
    )
    return part_of(soon, len(counted), "no case is a day old or answered")


def breaches(c: Counters, about: About) -> Figure:
    late = [case for case in c["listed"]
            if case["contacted_ms"] is None and about.now_ms - case["opened_ms"] >= DAY_MS]  # fmt: skip
    return Figure(len(late), len(c["listed"]))


def resolved(c: Counters, _: About) -> Figure:
    verified = sum(case["state"] == "verified" for case in c["listed"])
    return part_of(verified, len(c["listed"]), "no case was opened")


def resolution_days(c: Counters, _: About) -> Figure:
    times = [(case["resolved_ms"] - case["opened_ms"]) / DAY_MS for case in c["listed"]
             if case["resolved_ms"] is not None and case["state"] in ("resolved", "verified")]  # fmt: skip
    value = formulae.median(times)
    return Figure(value, len(times)) if value is not None else Figure(n=0, why="no case is resolved")


def reopened(c: Counters, _: About) -> Figure:
    ever = [case for case in c["listed"] if case["resolved_ms"] is not None or case["reopened"]]
    return part_of(sum(case["reopened"] > 0 for case in ever), len(ever), "no case was resolved")


def completed(c: Counters, _: About) -> Figure:
    return part_of(c["goals"], c["talked"] + c["reached"], "no call was answered")


def lost_at_once(c: Counters, _: About) -> Figure:
    return part_of(c["first_prompt_lost"], c["talked"] + c["reached"], "no call was answered")


def dropped(c: Counters, _: About) -> Figure:
    """A row for each node: how often it was entered, and of that how often nothing, nothing that means anything, and
    the end of the call came."""
    rows = tuple(
        {
            "campaign": campaign, "node": node, **counts,
            **{f"{name}_rate": formulae.share(counts[name], counts["entered"])
               for name in ("no_input", "invalid", "hung_up")},
        }
        for (campaign, node), counts in sorted(c["nodes"].items())
        if any(counts.values())
    )  # fmt: skip
    return Figure(rows=rows, n=len(rows), why="" if rows else "no call was answered")


def delivered(c: Counters, _: About) -> Figure:
    if not c["delivered"]:
        return Figure(n=c["sent"], why="no network has reported a delivery")
    return part_of(c["delivered"], c["sent"], "nothing was sent")


def capture(c: Counters, _: About) -> Figure:
    return part_of(c["own"], c["own"] + c["told"] + c["unseen"], "no call came")


def lost(c: Counters, _: About) -> Figure:
    return part_of(c["blocked"], c["own"] + c["blocked"], "no call came")


def cost(c: Counters, about: About) -> Figure:
    """What was spent for each caller; SIM plans by the day, of 30 in a month."""
    tariff = about.tariff
    if tariff is None:
        return Figure(why="hq.toml has no [tariff]")
    if not c["callers"]:
        return Figure(n=0, why="nobody rang", unit=tariff.currency)
    days = about.days if about.days is not None else c["days"]
    spent = c["parts"] * tariff.sms + c["placed_s"] / 60 * tariff.minute + c["lines"] * days / 30 * tariff.sim_month
    return Figure(spent / c["callers"], c["callers"], unit=tariff.currency)


def lag(c: Counters, about: About) -> Figure:
    """Seconds since the oldest moment up to which all of a ledger is here; n: rows known to be still at the boxes."""
    if not c["marks"]:
        return Figure(why="no box has said hello")
    if None in c["marks"]:
        return Figure(n=c["unsent"], why="a line has never been complete here")
    return Figure(max(0, about.now_ms - min(c["marks"])) / 1000, c["unsent"])
