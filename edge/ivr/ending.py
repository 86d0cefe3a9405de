"""How a call begins and ends.

Rules of the room:
- Who calls comes first when we rang her, then welcome, then what became of her case.
- 9 is obeyed at any moment, also while the call is being ended; it is written before it is confirmed, and no case
  comes of what was being said.
- Hanging up keeps a take that is under way.
- When the time is up, what is under way is finished, then goodbye is said; at the limit the call ends whatever goes on.
"""

from __future__ import annotations

from edge.dialogue import EndRecord, Hush, OptOut, Say
from edge.ivr import prompts, taking
from edge.ivr.asking import accept
from edge.ivr.walk import Event, Walk


def begin(walk: Walk, event: Event, now: float) -> None:
    """waiting: the call is up."""
    walk.step("connected")
    walk.tell(*(["identity"] if walk.about.placed else []), "welcome")
    reference, state = walk.about.case or ("", "")
    if state in prompts.CASES:
        walk.lead += prompts.reference(reference, walk.language)
        if not walk.case_open:
            walk.tell(prompts.CASES[state])
    walk.ask_next(now)


def opt_out(walk: Walk, event: Event, now: float) -> None:
    """9: she wants nothing more."""
    _keep_take(walk)
    walk.take = None
    walk.turn.writes.append(OptOut())
    walk.turn.say, walk.turn.confirms = Say((walk.clip("opted-out"),)), True
    accept(walk, event)
    _end(walk, "opted-out")


def opt_out_late(walk: Walk, event: Event, now: float) -> None:
    """over: 9 is written all the same, once."""
    if walk.end_key != "opted-out":
        walk.end_key, walk.take = "opted-out", None
        walk.turn.writes.append(OptOut())
        accept(walk, event)


def finish(walk: Walk, event: Event, now: float) -> None:
    """closing: goodbye was heard, or nobody told its end."""
    _end(walk, walk.end_key)


def time_is_up(walk: Walk, event: Event, now: float) -> None:
    walk.late = True
    if walk.state == "recording":
        taking.close(walk, "on", now)
    elif walk.state not in ("saving", "filing", "closing"):
        walk.close(now)


def limit(walk: Walk, event: Event, now: float) -> None:
    _keep_take(walk)
    walk.turn.stops.append(Hush())
    _end(walk, "limit")


def hang_up(walk: Walk, event: Event, now: float) -> None:
    """She has gone. Who was hearing goodbye had come to the end of her way."""
    _keep_take(walk)
    walk.step("end", walk.end_key if walk.state == "closing" else "hung-up")
    leave(walk, event, now)


def leave(walk: Walk, event: Event, now: float) -> None:
    """waiting, over: she has gone, and nothing is to be told of it."""
    walk.state, walk.due = "gone", None


def _keep_take(walk: Walk) -> None:
    if walk.state == "recording":
        walk.turn.stops.append(EndRecord())


def _end(walk: Walk, key: str) -> None:
    walk.step("end", key)
    walk.state, walk.end_key, walk.due, walk.turn.ends = "over", key, None, True
