"""Referendums: the votes of each option, and what the lines that were busy may have done to them.

Rules of this room
- Votes by the number that was called and by key count alike. Which of a caller's votes counts is the issue's policy;
  all three are shown. Votes without a number, and callers who gave several options, are shown beside them.
- u is the voters of an option. Where its lines lost the share B of their calls, u / (1 - B) is what it might have been:
  the share of an option is therefore told as a range. B is that of the hunt group in which the vote came in, over the
  whole window.
- BIASED: an option lost more than 5 % of its calls, or two options' losses are more than 3 points apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sync.hq.loads import PARTS
from sync.hq.metrics import formulae, load
from sync.hq.metrics.slices import Cannot, Ground, Query, Slice
from sync.hq.metrics.sources import Groups, Rename, Source, keyed
from sync.hq.sql import Row
from sync.hq.tables import POLL

POLICIES = {"first": "first", "last": "last", "void-if-both": "single"}  # policy -> its counter
MOST_LOSS, MOST_APART = 0.05, 0.03

_SUMS = ", ".join(f"sum(t.{name}) AS {name}" for name in POLL)
# voters who found no line free, in whole PARTS: a sum of these is the same in whatever order
_LOST = ", ".join(f"sum(t.{name} * coalesce(l.each_lost, 0)) AS lost_{name}" for name in POLICIES.values())
_SQL = f"""
WITH voted AS (
    SELECT t.store_id, t.issue, t.option, {{day}} AS day, {_SUMS} FROM poll AS t WHERE {{where}} GROUP BY 1, 2, 3, 4
), lost AS (
    SELECT t.district, t.box, t.campaign, {{lost}} AS each_lost FROM load AS t
    WHERE t.day >= :first AND t.day <= :last AND t.campaign IN (
        SELECT p.campaign FROM voted JOIN place AS p ON p.store_id = voted.store_id
    ) GROUP BY 1, 2, 3
)
SELECT {{key}} AS key, t.issue, t.option, {_SUMS}, {_LOST}
FROM voted AS t JOIN place AS p ON p.store_id = t.store_id
    LEFT JOIN lost AS l ON l.district = p.district AND l.box = p.box AND l.campaign = p.campaign
GROUP BY 1, 2, 3
"""


class Option(NamedTuple):
    """One option of an issue. `share`, `low`, `high` and `loss` are from 0 to 1, None of no voter."""

    issue: str
    option: str
    policy: str
    voters: int
    share: float | None
    low: float | None
    high: float | None
    loss: float | None
    biased: bool
    raw: int
    nameless: int
    first: int
    last: int
    single: int
    conflicts: int


def _ask(ground: Ground, asked: Slice, by: str, _: tuple[str, ...]) -> Query:
    asked.only("votes")
    if asked.campaign or by == "campaign":
        raise Cannot("votes are told by issue: several campaigns may be part of one")
    key = "t.issue" if by == "issue" else keyed(by, "votes", "day")
    where = ground.where(asked, campaign=False, language=False)
    issue = " AND t.issue = :issue" if asked.issue else ""
    day = "t.day" if by == "day" else "0"
    sql = _SQL.format(key=key, day=day, where=where.sql + issue, lost=load.LOST).strip()
    return Query(sql, {**where.values, "issue": asked.issue} if asked.issue else where.values)


def _read(rows: Iterable[Row], name: Rename) -> Groups:
    groups: Groups = {}
    for row in rows:
        for group in name(row["key"]):
            groups.setdefault(group, {"votes": []})["votes"].append(row)
    return groups


def options(votes: Iterable[Row], policies: Mapping[str, str]) -> tuple[Option, ...]:
    """Every option, issue by issue, the strongest first."""
    issues: dict[str, dict[str, dict[str, float]]] = {}
    for row in votes:
        counted = POLICIES[policies.get(row["issue"], "last")]
        sums = issues.setdefault(row["issue"], {}).setdefault(row["option"], dict.fromkeys((*POLL, "true"), 0.0))
        for counter in POLL:
            sums[counter] += row[counter]
        sums["true"] += row[counted] + int(row[f"lost_{counted}"]) / PARTS
    return tuple(one for issue in sorted(issues) for one in _issue(issue, issues[issue], policies.get(issue, "last")))


def _issue(issue: str, found: Mapping[str, Mapping[str, float]], policy: str) -> list[Option]:
    voters = {option: sums[POLICIES[policy]] for option, sums in found.items()}
    told, true = sum(voters.values()), sum(sums["true"] for sums in found.values())
    losses = {option: 1 - voters[option] / sums["true"] for option, sums in found.items() if sums["true"]}
    most, least = max(losses.values(), default=0.0), min(losses.values(), default=0.0)
    biased = most > MOST_LOSS or most - least > MOST_APART
    made = []
    for option, sums in found.items():
        shares = [formulae.share(voters[option], told), formulae.share(sums["true"], true)]
        ends = sorted(one for one in shares if one is not None)
        counts = {name: int(sums[name]) for name in POLL}
        low, high = (ends[0], ends[-1]) if ends else (None, None)
        made.append(Option(
            issue, option, policy, int(voters[option]), shares[0], low, high, losses.get(option), biased, **counts
        ))  # fmt: skip
    return sorted(made, key=lambda one: (-one.voters, one.option))


SOURCE = Source(("votes",), _ask, _read, empty=list, own=True)
