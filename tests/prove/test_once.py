"""Promise 4 across lines: one caller on two lines at the same instant gets one reply, and none once STOP is on disk.

In every other start the caller's STOP comes to one of the two lines at that instant. A reply whose claim (`sending`)
was on disk first may go; one that is claimed when STOP is on disk, of whichever line, may not. Without the send lock
the same harness must find a double.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.prove.ground import share
from tests.prove.twins import Start, race

pytestmark = [pytest.mark.prove, pytest.mark.timeout(1800)]

STARTS = 1000


def doubles(starts: list[tuple[Start, Start]]) -> list[int]:
    """The starts at which the caller got more than one reply."""
    return [n for n, pair in enumerate(starts) if sum(line.texts for line in pair) > 1]


def unwanted(starts: list[tuple[Start, Start]]) -> list[int]:
    """The starts at which a reply was claimed when STOP was already on disk, and went."""
    return [
        n for n, pair in enumerate(starts) for stopped in [max(line.stopped_at for line in pair)]
        if stopped and any(line.texts and line.claimed_at > stopped for line in pair)
    ]  # fmt: skip


def test_one_reply_and_none_after_stop(tmp_path: Path) -> None:
    starts = race(tmp_path, share(STARTS))
    assert doubles(starts) == []
    assert unwanted(starts) == []
    plain, stops = starts[::2], starts[1::2]
    assert all(sum(line.texts for line in pair) == 1 for pair in plain), "somebody got no reply at all"
    assert {line.fate for pair in plain for line in pair} <= {"sent", "delivered", "cancelled"}
    told = sum(bool(line.texts) for pair in stops for line in pair)
    print(f"of {len(stops)} that said STOP, {told} had a reply on its way before")
    assert all(max(line.stopped_at for line in pair) for pair in stops)


def test_without_the_lock_a_double_is_found(tmp_path: Path) -> None:
    assert doubles(race(tmp_path, 20, locked=False)), "the harness cannot fail"
