"""Referendums in words: each option's share with the range that lost calls allow, and the warnings with it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from edge import words
from sync.hq.catalogue import Tell
from sync.hq.metrics.polls import Option

# policy -> which of a caller's answers counts
POLICIES = {
    "first": "Of several votes of one number the first counts.",
    "last": "Of several votes of one number the last counts.",
    "void-if-both": "A number that voted for different options counts for none.",
}


def issues(options: Iterable[Option], _: Tell) -> list[dict[str, Any]]:
    """Issue by issue, as the page shows them."""
    return [_issue(name, list(its), _) for name, its in groupby(options, key=lambda option: option.issue)]


def _issue(name: str, options: list[Option], _: Tell) -> dict[str, Any]:
    return {
        "name": words.plain(name),
        "policy": _(POLICIES.get(options[0].policy, "")),
        "biased": any(option.biased for option in options),
        "voters": f"{sum(option.voters for option in options):,}",
        "conflicts": f"{max(option.conflicts for option in options):,}",
        "nameless": f"{sum(option.nameless for option in options):,}",
        "options": [_option(option) for option in options],
    }


def _option(option: Option) -> dict[str, Any]:
    low, high, share = option.low, option.high, option.share
    ends = (_percent(low), _percent(high))
    return {
        "name": words.plain(option.option) or "–",
        "share": _percent(share),
        "range": f"{ends[0]} – {ends[1]}" if ends[0] != ends[1] else "",
        "voters": f"{option.voters:,}",
        "loss": _percent(option.loss),
        **{name: f"{getattr(option, name):,}" for name in ("raw", "first", "last", "single")},
        "bar": f"{100 * (share or 0):.2f}%",
        "from": f"{100 * (low or 0):.2f}%",
        "width": f"{100 * ((high or 0) - (low or 0)):.2f}%",
    }


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"
