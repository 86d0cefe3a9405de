"""What the law of a place asks of whoever keeps numbers: the starting profiles, to be signed by counsel.  Pure.

A profile's least time binds both ways: nothing is erased before it, also not on request - then the number is suppressed
at once, and erased by itself on the day that it may be.
"""

from __future__ import annotations

from typing import NamedTuple

DAY_MS = 86_400_000


class Profile(NamedTuple):
    """`country` is for numbers without a country's code, "" where each must have one. `keep_days`: nothing goes before
    it is so old. `answer_hours`: within them a request to be forgotten must be carried out, if nothing must be kept."""

    name: str
    country: str
    keep_days: int
    answer_hours: int


PROFILES = {
    "IN": Profile("India", "IN", 365, 0),
    "KE": Profile("Kenya", "KE", 0, 30 * 24),
    "BR": Profile("Brazil", "BR", 0, 48),
    "UK": Profile("United Kingdom", "GB", 0, 30 * 24),
    "EU": Profile("European Union", "", 0, 30 * 24),
    "other": Profile("elsewhere", "", 0, 30 * 24),
}


class Retention(NamedTuple):
    """[retention] of hq.toml: the profile, and after how many days sound goes, and who a row is about."""

    profile: str = "IN"
    audio_days: int = 90
    events_days: int = 365

    @property
    def law(self) -> Profile:
        return PROFILES[self.profile]


def erase_from(law: Profile, asked_ms: int, newest_ms: int | None) -> int:
    """From when on somebody who asked at `asked_ms` may be erased; `newest_ms` is the newest row about her."""
    if newest_ms is None or not law.keep_days:
        return asked_ms
    return max(asked_ms, newest_ms + law.keep_days * DAY_MS)
