"""The six roles, and the sets of them that pages are open to.

    manager    leads the campaign: figures, lists, exports, referendums, orders to boxes
    desk       answers people: inbox, grievances, templates, call-backs; may reveal a number
    volunteer  sees the follow-up list of one ward, and may reveal the numbers in it
    fleet      looks after boxes: which is silent, behind, or in need of somebody
    auditor    reads every figure, definition and the log; changes nothing, sees no number
    admin      lets people in and out; erases, and sets what is kept how long
"""

from __future__ import annotations

from dataclasses import dataclass

ROLES = ("manager", "desk", "volunteer", "fleet", "auditor", "admin")
ANYONE: frozenset[str] = frozenset({"", *ROLES})  # also who has not signed in
SIGNED_IN = frozenset(ROLES)
FIGURES = frozenset({"manager", "desk", "fleet", "auditor", "admin"})  # everybody but a volunteer
DESK = frozenset({"manager", "desk"})
LISTS = frozenset({"manager", "desk", "volunteer"})
EXPORT = frozenset({"manager", "admin"})
REVEAL = frozenset({"manager", "desk", "volunteer", "admin"})
ADMIN = frozenset({"admin"})
LOG = frozenset({"auditor", "admin"})
STRONG = frozenset({"admin", "manager", "auditor"})  # must prove themselves twice at the door


@dataclass(frozen=True, slots=True)
class User:
    """Who asks. `ward` and `district` narrow what a volunteer sees; "" is no narrowing (no volunteer has it)."""

    id: int
    name: str
    role: str
    district: str = ""
    ward: str = ""
    language: str = "en"
