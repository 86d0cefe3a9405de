"""Where a thing stands at the desk, which moves it may make, and how its clock runs.  Pure: a table and its reading.

Rules of this room
- What is not in `MOVES` does not happen. `resolved` is reached from `contacted` alone: three vain tries are none.
- Only the caller herself verifies, by her key at the box; anybody may find a thing badly done and reopen it.
- The clock starts when she rang (`due_ms` of the case's row) and stands still once somebody has spoken with her. A
  thing that is reopened has a new day from then on.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

DAY_MS = 86_400_000
TRIES = 3  # vain tries to reach her, after which the desk is told to go another way

State = Literal["new", "assigned", "contacted", "resolved", "verified", "reopened"]
STATES: tuple[State, ...] = ("new", "assigned", "contacted", "resolved", "verified", "reopened")
WAITING: frozenset[State] = frozenset({"new", "assigned", "reopened"})  # nobody has spoken with her: the clock runs
OPEN: frozenset[State] = WAITING | {"contacted"}

Verb = Literal["assign", "not-reached", "contacted", "resolved", "reopened", "verified", "poor"]
BY_CALLER: frozenset[Verb] = frozenset({"verified", "poor"})
# (state, verb) -> state
MOVES: dict[tuple[State, Verb], State] = {
    ("new", "assign"): "assigned",
    ("reopened", "assign"): "assigned",
    ("assigned", "assign"): "assigned",  # handed on to somebody else
    ("contacted", "assign"): "contacted",
    ("assigned", "not-reached"): "assigned",
    ("assigned", "contacted"): "contacted",
    ("contacted", "resolved"): "resolved",
    ("resolved", "reopened"): "reopened",
    ("verified", "reopened"): "reopened",
    ("resolved", "verified"): "verified",
    ("resolved", "poor"): "reopened",
    ("verified", "poor"): "reopened",
}


class Illegal(Exception):
    """This move is not one; the text says why and what to do first."""


class Standing(NamedTuple):
    """`due_ms` None: it has no clock. `assignee` 0: nobody. `contacted_ms`: when somebody first spoke with her."""

    state: State
    due_ms: int | None = None
    assignee: int = 0
    tries: int = 0
    contacted_ms: int | None = None


def allowed(state: State, caller: bool = False) -> list[Verb]:
    """What the desk, or the caller, may do with a thing that stands so."""
    return [verb for (at, verb) in MOVES if at == state and (verb in BY_CALLER) == caller]


def move(was: Standing, verb: Verb, now_ms: int, assignee: int = 0, caller: bool = False) -> Standing:
    """How it stands afterwards. Raises `Illegal`."""
    state = MOVES.get((was.state, verb))
    if state is None:
        raise Illegal(_why(was.state, verb))
    if (verb in BY_CALLER) != caller:
        raise Illegal("Only the caller can say that: by her key, when she rings again.")
    if verb == "assign":
        if assignee <= 0:
            raise Illegal("Say to whom this is assigned.")
        return was._replace(state=state, assignee=assignee)
    if verb == "not-reached":
        return was._replace(tries=was.tries + 1)
    if verb == "contacted":
        first = now_ms if was.contacted_ms is None else was.contacted_ms
        return was._replace(state=state, contacted_ms=first)
    if state == "reopened":
        due_ms = None if was.due_ms is None else now_ms + DAY_MS
        return was._replace(state=state, due_ms=due_ms, tries=0)
    return was._replace(state=state)


def overdue(standing: Standing, now_ms: int) -> bool:
    """Has she waited longer than was promised?"""
    return standing.state in WAITING and standing.due_ms is not None and standing.due_ms < now_ms


def _why(state: State, verb: Verb) -> str:
    if verb == "contacted" and state in ("new", "reopened"):
        return "Nobody has taken this on yet: assign it first."
    if verb == "resolved" and state in WAITING:
        return "Nobody has spoken with the caller yet: mark it contacted first. Vain tries are not enough."
    if state in ("resolved", "verified"):
        return "This is closed: reopen it first."
    return f"What is {state} cannot be moved so."
