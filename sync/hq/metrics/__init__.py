"""The metrics of headquarters: figures that survive an audit, from the roll-ups alone.

    formulae      intervals, Erlang's B, percentiles; pure
    slices        what is asked about, and how it becomes SQL; what cannot be answered
    sources       the SELECT of every counter      load, service, polls, conversion: others
    figures       how counters become a figure; pure
    definitions   METRICS: the table of all, with meaning and formula
    hush          what is hidden before a poll; pure
    asking        compute, breakdown, compare, queries: what a page calls
    brief         the issues of each district in one week

Whoever shows figures reads `reports.complete` in the same transaction and shows its stamp beside them: up to when, and
for how many boxes, all rows are here.
"""

from __future__ import annotations

from sync.hq.metrics.asking import Change, Given, breakdown, compare, compute, queries, wards
from sync.hq.metrics.definitions import METRICS, Metric
from sync.hq.metrics.figures import Figure
from sync.hq.metrics.slices import BY, Cannot, Ground, Query, Slice, ground

__all__ = [
    "BY", "METRICS", "Cannot", "Change", "Figure", "Given", "Ground", "Metric", "Query", "Slice", "breakdown",
    "compare", "compute", "ground", "queries", "wards",
]  # fmt: skip
