"""How she is recorded, and what comes of it.

Rules of the room:
- A take begins when the beep has been heard. It ends at #, at 4 s of silence behind speech or 6 s without any (where
  somebody tells when she talks), at its longest, or when she hangs up.
- What she said is hers: `*` keeps it, hanging up keeps it, only `0` throws it away, to begin again.
- A take with a second of speech is kept; a grievance's becomes a case, also when the take is closed late. An empty one
  is asked for once more.
- Nothing is claimed of a take, or of a case, that the host has not told to be on disk.
"""

from __future__ import annotations

from edge.dialogue import CaseOpened, EndRecord, KeyPressed, OpenCase, Played, Record, Recorded, SpeechBegan, Step
from edge.ivr import prompts
from edge.ivr.asking import REPROMPTS, accept, answered, ignore
from edge.ivr.walk import Event, Walk

SILENCE_AFTER, SILENCE_FIRST = 4.0, 6.0  # seconds that end a take: behind speech; when there was none
SPOKEN_MS = 1000  # a take with less speech is empty
PATIENCE = 10.0  # seconds for the host to close a take or to open a case


def key_invited(walk: Walk, event: Event, now: float) -> None:
    """inviting: a key of the question that she has just left still counts. Any other means nothing; after the third
    there is no more talk before the beep."""
    assert isinstance(event, KeyPressed)
    if walk.asked and now <= walk.keys_until and answered(walk, event, walk.asked, now):
        return
    ignore(walk, event, now)
    walk.misses += 1
    words = walk.short if walk.misses <= REPROMPTS else walk.short[-1:]
    walk.say((walk.clip("invalid"), *words), now)


def begin(walk: Walk, event: Event, now: float) -> None:
    """inviting: the beep was heard, or nobody told its end."""
    if isinstance(event, Played):
        walk.step("heard")
    case = not walk.asked and walk.menu.nodes[walk.node].kind == "grievance"
    walk.take = walk.turn.record = Record(walk.node, walk.tags, walk.menu.record_s, case)
    walk.step("record")
    walk.state, walk.playing, walk.then = "recording", False, "on"
    walk.take_until = now + walk.menu.record_s + PATIENCE
    walk.due = now + SILENCE_FIRST if walk.hears and not walk.talking else walk.take_until


def listen(walk: Walk, event: Event, now: float) -> None:
    """recording: she talks, or has fallen silent."""
    silence = walk.take_until if isinstance(event, SpeechBegan) else now + SILENCE_AFTER
    walk.due = min(silence, walk.take_until)


# --------------------------------------------------------------------------------- it is closed


def end(walk: Walk, event: Event, now: float) -> None:
    """recording: #, or she has nothing more to say."""
    if isinstance(event, KeyPressed):
        accept(walk, event)
    close(walk, "on", now)


def keep_and_go_back(walk: Walk, event: Event, now: float) -> None:
    """recording: *."""
    accept(walk, event)
    close(walk, "back", now)


def drop(walk: Walk, event: Event, now: float) -> None:
    """recording: 0."""
    accept(walk, event)
    close(walk, "again", now, keep=False)
    walk.take = None


def close(walk: Walk, then: str, now: float, keep: bool = True) -> None:
    walk.turn.stops.append(EndRecord(keep))
    walk.state, walk.then, walk.due = "saving", then, now + PATIENCE


def back_soon(walk: Walk, event: Event, now: float) -> None:
    """saving, filing: * acts as soon as the disk has answered."""
    if walk.late or walk.then == "again":
        ignore(walk, event, now)
    else:
        accept(walk, event)
        walk.then = "back"


# ---------------------------------------------------------------------------- what comes of it


def _spoken(take: Recorded) -> bool:
    return take.ms >= SPOKEN_MS and (take.speech_ms < 0 or take.speech_ms >= SPOKEN_MS)


def taken(walk: Walk, event: Event, now: float) -> None:
    """recording, saving: the take is on disk."""
    assert isinstance(event, Recorded)
    take, walk.take = walk.take, None
    if walk.then == "again":
        _invite_again(walk, now)
    elif take is None or not _spoken(event):
        if walk.tried or walk.late or walk.then == "back":
            _go_on(walk, now)
        else:
            walk.tried = True
            _invite_again(walk, now)
    elif take.case:
        walk.turn.writes.append(OpenCase(take.node, take.tags, walk.language))
        walk.step("goal")
        walk.state, walk.due = "filing", now + PATIENCE
    else:
        walk.step("goal")
        walk.tell("recorded")
        _go_on(walk, now)


def taken_late(walk: Walk, event: Event, now: float) -> None:
    """The call has gone on, or is over: what belongs to the take is done without words."""
    assert isinstance(event, Recorded)
    take, walk.take, walk.room = walk.take, None, walk.about.may_record
    if take is not None and _spoken(event):
        if take.case:
            walk.turn.writes.append(OpenCase(take.node, take.tags, walk.language))
        walk.turn.steps.append(Step("goal", take.node))


def failed(walk: Walk, event: Event, now: float) -> None:
    """recording, saving: there is no take, and will be none in this call."""
    walk.take, walk.room = None, False
    walk.refuse_take()
    _go_on(walk, now)


def opened(walk: Walk, event: Event, now: float) -> None:
    """filing: the case is on disk; its reference can be told."""
    assert isinstance(event, CaseOpened)
    walk.lead += prompts.reference(event.reference, walk.language)
    _go_on(walk, now)


def unanswered(walk: Walk, event: Event, now: float) -> None:
    """saving, filing: the host does not answer. While a take is open there is no other."""
    if walk.state == "saving":
        walk.room = False
    if walk.then == "again":
        walk.refuse_take()
    _go_on(walk, now)


def _invite_again(walk: Walk, now: float) -> None:
    if walk.late:
        walk.close(now)
    else:
        walk.tell("again")
        walk.invite((), now)


def _go_on(walk: Walk, now: float) -> None:
    """Back where she wants to; the end, if she was recorded in place of an answer; else the next node."""
    if walk.then == "back" and not walk.late:
        walk.go_back(now)
    else:
        walk.enter("" if walk.asked else walk.menu.nodes[walk.node].next, now)
