"""The metrics: what each is called, what it means with its formula, its unit, and the counters that it is made of.

Rules of this room
- A metric is one row of METRICS; a page that shows a figure links to its row, and to the query of its counters.
- `facts` says what a counter means in terms of rows; `sources` which table it is in.
- Where a roll-up tells less than the formula asks for, the meaning says what is told instead.
"""

from __future__ import annotations

from typing import NamedTuple

from sync.hq.metrics import figures, polls
from sync.hq.metrics.figures import About, Counters, Figure, Make


class Metric(NamedTuple):
    """`unit` is count, share (0 to 1), seconds, erlang, days, times, money or table."""

    name: str
    title: str
    meaning: str
    unit: str
    needs: tuple[str, ...]
    make: Make


def _repeat(c: Counters, _: About) -> Figure:
    return figures.part_of(c["numbered"], c["callers"], "nobody rang with a number")


def _withheld(c: Counters, _: About) -> Figure:
    return figures.part_of(c["calls"] - c["numbered"], c["calls"], "nobody rang")


def _submitted(c: Counters, _: About) -> Figure:
    return figures.part_of(c["sent"], c["letters"] - c["cancelled"], "nothing was to be sent")


def _referendum(c: Counters, about: About) -> Figure:
    found = polls.options(c["votes"], about.policies)
    return Figure(n=sum(one.voters for one in found), rows=found, why="" if found else "nobody voted")


METRICS: dict[str, Metric] = {metric.name: metric for metric in (
    Metric(
        "calls", "Calls",
        "Calls that rang on a line, each once, whoever rang and whatever became of it, with those that an operator's "
        "missed-call alert told of. Calls that a box placed, and its self-tests, are not among them.",
        "count", ("calls",), figures.count("calls"),
    ),
    Metric(
        "callers", "Unique callers",
        "Different numbers that rang in the window: a set over all boxes, never a sum. Callers of days, campaigns or "
        "districts do not add up. Hidden and service numbers are left out.",
        "count", ("callers",), figures.count("callers"),
    ),
    Metric(
        "new", "New callers",
        "Unique callers whose first call ever lies in the window: ever to the campaign, issue or place that is chosen.",
        "count", ("newly",), figures.count("newly"),
    ),
    Metric(
        "repeat", "Repeat factor",
        "Calls with a number / unique callers. 1.3 to 1.7 is usual.",
        "times", ("numbered", "callers"), _repeat,
    ),
    Metric(
        "withheld", "Without a number",
        "Calls without a number that could be rung / calls: hidden by the caller, not told by the network or the "
        "modem, or a service's.",
        "share", ("calls", "numbered"), _withheld,
    ),
    Metric(
        "load", "Offered load, busiest hour",
        "Erlangs that were offered to the lines of one box and campaign in their busiest hour of the window: a (1 - "
        "B) = carried; carried = (calls x 6 s + seconds of talk) / 3600 s. The greatest of all groups.",
        "erlang", ("offered_load",), figures.count("offered_load"),
    ),
    Metric(
        "loss", "Loss estimate",
        "Calls that found no line free / calls that came: for each hour and group of lines Erlang's B(n, a), with a "
        "solved from what was carried; n lines of the box that took calls of the campaign on that day or stood for it. "
        "With one line B is the carried load. "
        "n: calls that must have come.",
        "share", ("own", "blocked"), figures.lost,
    ),
    Metric(
        "capture", "Capture rate",
        "Calls that the boxes heard / (those + those that only an operator's alert told of + estimated unseen "
        "ones); unseen = max(0, heard x B / (1 - B) - told by alerts), hour by hour.",
        "share", ("own", "told", "unseen"), figures.capture,
    ),
    Metric(
        "verified", "Verified share",
        "Callers who confirmed by a second act (a consent) in the window / unique callers.",
        "share", ("confirmed", "callers"), figures.ratio("confirmed", "callers", "nobody rang with a number"),
    ),
    Metric(
        "engagement", "Engagement rate",
        "Callers with an act beyond the missed call (a valid key, an SMS, half of a call-back heard, a second of "
        "speech) / callers who were offered one (an answered call, an SMS). A caller counts once in each campaign, "
        "on the day and at the line of the first offer.",
        "share", ("acted", "offered"), figures.interval("acted", "offered", "nobody was offered an act"),
    ),
    *(
        Metric(
            goal, f"Conversion: {goal}",
            f"Unique callers who {goal} at most 7 local days after the first ask in the window / unique callers "
            "asked, who are all callers of the window; with Wilson's 95 % interval. Outcomes are imported.",
            "share", (goal, "callers"), figures.interval(goal, "callers", "nobody was asked"),
        )
        for goal in ("registered", "attended", "pledged")
    ),
    Metric(
        "reply-p50", "Reply, median",
        "Seconds from the ring until the network took the reply, for the middle one of all due a reply that was "
        "never held; no reply yet counts as the longest. By the day of the ring.",
        "seconds", ("reply", "due"), figures.waited("reply", "due", 0.5, "no reply was due"),
    ),
    Metric(
        "reply-p95", "Reply, slowest 5 %",
        "The same for the 95th of a hundred.",
        "seconds", ("reply", "due"), figures.waited("reply", "due", 0.95, "no reply was due"),
    ),
    Metric(
        "reply-60", "Replies within 60 s",
        "Replies that the network took at most 60 s after the ring / replies due and never held. Target: p95 at 60 s.",
        "share", ("within_60", "due"), figures.ratio("within_60", "due", "no reply was due"),
    ),
    Metric(
        "reply-held", "Replies held back",
        "Replies that had to wait (quiet hours, a silence, the SIM's purse) and were not cancelled. They are not among "
        "those above.",
        "count", ("due_held",), figures.count("due_held"),
    ),
    Metric(
        "callback-5", "Rung back within 5 minutes",
        "Callers whose first try came less than 300 s after their ring / callers who were tried. Nobody is rung at "
        "quiet hours, and those who wait for the morning are among the late ones.",
        "share", ("callback",), figures.called_back_soon,
    ),
    Metric(
        "pick-up", "Picked up",
        "Callers reached by the first, second and third try / callers who were tried; cumulative.",
        "share", ("tries_1", "reached_1", "reached_2", "reached_3"), figures.picked_up,
    ),
    Metric(
        "grievance-24", "Answered within 24 h",
        "Cases contacted at most 24 h after the ring / (cases at least 24 h old + younger ones already contacted).",
        "share", ("listed",), figures.contacted_in_time,
    ),
    Metric(
        "breaches", "Cases waiting over 24 h",
        "Cases that nobody has contacted and that are 24 h old or older. n: all cases of the window.",
        "count", ("listed",), figures.breaches,
    ),
    Metric(
        "resolution", "Resolved, says the caller",
        "Cases that their callers called resolved / cases.",
        "share", ("listed",), figures.resolved,
    ),
    Metric(
        "resolution-days", "Days to resolution",
        "The median of the days from ring to resolved, of cases that are resolved.",
        "days", ("listed",), figures.resolution_days,
    ),
    Metric(
        "reopened", "Reopened",
        "Cases reopened at least once / cases ever resolved.",
        "share", ("listed",), figures.reopened,
    ),
    Metric(
        "completion", "IVR completion",
        "Answered calls, theirs and ours, that reached a goal / answered calls.",
        "share", ("goals", "talked", "reached"), figures.completed,
    ),
    Metric(
        "lost-first", "Lost in the first prompt",
        "Answered calls in which the caller hung up before the first prompt ended / answered calls.",
        "share", ("first_prompt_lost", "talked", "reached"), figures.lost_at_once,
    ),
    Metric(
        "drop-off", "Drop-off by node",
        "For each node: no-input, invalid keys and hang-ups / times the node was entered. One entry can see several.",
        "table", ("nodes",), figures.dropped,
    ),
    Metric(
        "first-key", "Seconds to the first key",
        "The median of the seconds from the answer to the first key, of calls in which one was pressed.",
        "seconds", ("first_key",), figures.waited("first_key", "", 0.5, "nobody pressed a key"),
    ),
    Metric(
        "listen-50", "Heard half",
        "Calls of ours that were picked up and in which half of the prompts begun were heard to their end / picked up.",
        "share", ("listen_50", "reached"), figures.ratio("listen_50", "reached", "nobody picked up"),
    ),
    Metric(
        "listen-75", "Heard three quarters",
        "The same for three quarters of the prompts.",
        "share", ("listen_75", "reached"), figures.ratio("listen_75", "reached", "nobody picked up"),
    ),
    Metric(
        "voice-yield", "Voice-message yield",
        "Recordings with a second of speech / answered calls that reached the beep.",
        "share", ("yields", "beep_calls"), figures.ratio("yields", "beep_calls", "nobody reached the beep"),
    ),
    Metric(
        "voices", "Voices",
        "Recordings with a second of speech that are still kept.",
        "count", ("voices",), figures.count("voices"),
    ),
    Metric(
        "submitted", "SMS taken by the network",
        "SMS that the network took / SMS written and not cancelled; those still waiting are among these.",
        "share", ("sent", "letters", "cancelled"), _submitted,
    ),
    Metric(
        "delivered", "SMS delivered",
        "SMS reported as delivered / SMS taken by the network; told only where a network reports.",
        "share", ("delivered", "sent"), figures.delivered,
    ),
    Metric(
        "parts", "Parts an SMS",
        "Parts of all SMS taken by the network / their number.",
        "times", ("parts", "sent"), figures.ratio("parts", "sent", "nothing was sent"),
    ),
    Metric(
        "cost", "Cost per contact",
        "(SMS parts x tariff + minutes of our calls x tariff + SIM plans by the day, 30 in a month) / unique callers.",
        "money", ("parts", "placed_s", "lines", "days", "callers"), figures.cost,
    ),
    Metric(
        "opt-outs", "Opt-out rate",
        "Different callers who opted out in the window / callers to whom a box had written or spoken by its end, in "
        "each campaign.",
        "share", ("opted_out", "messaged"), figures.ratio("opted_out", "messaged", "nobody was written to"),
    ),
    Metric(
        "referendum", "Referendum",
        "Share of an option: u / sum of u, its voters by the issue's policy; votes by number and by key alike. The "
        "range goes to the share of u / (1 - B), B the loss of the lines where the votes came in. Biased: a loss "
        "over 5 %, or two options more than 3 points apart. Not a scientific poll.",
        "table", ("votes",), _referendum,
    ),
    Metric(
        "availability", "Availability",
        "Minutes with at least one SIM registered and the box at work / minutes of service, of all boxes together. A "
        "line says how it is when that changes, and every 600 s: from a `ready` under a trusted clock it was up until "
        "its next word, if that came within 660 s and before the box was started anew; else nobody knows, and nothing "
        "counts. Service: from the first to the newest word of any line of a box; what comes after that is not known "
        "yet.",
        "share", ("up", "served"), figures.ratio("up", "served", "no line has said for a minute how it is"),
    ),
    Metric(
        "sync-lag", "Behind",
        "Seconds since the moment up to which every line's rows are all here; the worst line. n: rows known to be "
        "still at the boxes.",
        "seconds", ("marks", "unsent"), figures.lag,
    ),
)}  # fmt: skip
