"""Votes by issue and caller, and what a poll counts of them, under each of the three policies at once.  Pure.

Rules of this room
- A vote is an answer by key, or a missed call to the number of an option. Its place in time is (at_ms, store, seq).
- `marks` of an issue and caller are lines "at_ms store seq day option" (tab between), in any order; only the first, the
  last, and one of each other option matter, and only they stay when marks are packed anew.
- raw: every vote. nameless: those of callers without a number, which no policy can judge. first, last: of each caller
  her first, her last. single: of each caller who never gave two options (void-if-both). conflicts: callers who did,
  where their first vote was.
- Each counts under the option, store and day of the vote that it counts; of `single` that is the first.
"""

from __future__ import annotations

from collections.abc import Sequence

LONG = 400  # marks longer than this are packed anew when it pays

Vote = tuple[int, int, int, int, str]  # at_ms, store, seq, day, option
PollKey = tuple[str, str, int, int]  # issue, option, store, day
RAW, NAMELESS, FIRST, LAST, SINGLE, CONFLICTS = range(6)


def pack(vote: Vote) -> str:
    return "\t".join(map(str, vote)) + "\n"


def unpack(marks: str) -> list[Vote]:
    """In the order of time."""
    votes = []
    for line in marks.split("\n")[:-1]:
        at, store, seq, day, option = line.split("\t", 4)
        votes.append((int(at), int(store), int(seq), int(day), option))
    return sorted(votes)


def kept(votes: Sequence[Vote]) -> list[Vote]:
    """Those that still matter."""
    firsts: dict[str, Vote] = {}
    for vote in votes:
        firsts.setdefault(vote[4], vote)
    return sorted({*firsts.values(), votes[-1]})


class Polls:
    """Sums of one transaction."""

    def __init__(self) -> None:
        self.sums: dict[PollKey, list[int]] = {}

    def raw(self, issue: str, vote: Vote, numbered: bool) -> None:
        self._bump(issue, vote, RAW, 1)
        if not numbered:
            self._bump(issue, vote, NAMELESS, 1)

    def caller(self, issue: str, added: str, after: str) -> str | None:
        """A caller's marks are `after`, with `added` at their end. Returns them packed anew when that pays."""
        self._count(issue, unpack(after[: -len(added)]), -1)
        now = unpack(after)
        self._count(issue, now, 1)
        packed = "".join(map(pack, kept(now))) if len(after) > LONG else after
        return packed if 2 * len(packed) < len(after) else None

    def _count(self, issue: str, votes: Sequence[Vote], sign: int) -> None:
        if not votes:
            return
        self._bump(issue, votes[0], FIRST, sign)
        self._bump(issue, votes[-1], LAST, sign)
        agreed = all(vote[4] == votes[0][4] for vote in votes)
        self._bump(issue, votes[0], SINGLE if agreed else CONFLICTS, sign)

    def _bump(self, issue: str, vote: Vote, column: int, n: int) -> None:
        _, store, _, day, option = vote
        self.sums.setdefault((issue, option, store, day), [0] * 6)[column] += n
