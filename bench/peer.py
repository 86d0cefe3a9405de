"""What headquarters' receiver is measured beside: the same one, whose rows go in batch by batch with executemany and
INSERT ... ON CONFLICT DO NOTHING against a unique key, each batch with its own roll-ups, as one would write it first.
All else is ours: many batches in one commit, and how roll-ups are written.
"""

from __future__ import annotations

from pathlib import Path

from sync.hq import pgstore, receiver
from sync.hq.gather import Issues
from sync.hq.intake import Group
from sync.hq.news import News
from sync.hq.pgstore import PgStore

_KEY = "CREATE UNIQUE INDEX IF NOT EXISTS event_once ON event_wild (store_id, seq)"
_INSERT = f"INSERT INTO event_wild VALUES ({', '.join(['%s'] * 15)}) ON CONFLICT (store_id, seq) DO NOTHING"


class PerBatch(PgStore):
    """A table without partitions and with a unique key, filled a row at a time."""

    def __init__(self, url: str, data: Path, issues: Issues | None = None) -> None:
        super().__init__(url, data, issues=issues)
        self._db.run(_KEY)

    def _settle(self, group: Group) -> News:
        whole, group.kept = group.kept, []
        with self._db.raw.cursor() as cursor:
            for kept in whole:
                cursor.executemany(_INSERT, [(kept.ledger.id, *row, group.now_ms) for row in kept.rows])
                self._rollups.add(kept.ledger, kept.rows)
                self._rollups.settle(group.now_ms)
        news = super()._settle(group)  # marks, and who was heard
        group.kept = whole
        return news


def run(config_path: Path | str) -> int:
    """`receiver.run` with that store."""
    pgstore.PAST_DAYS = -1  # no days of its own
    pgstore.PgStore = PerBatch  # type: ignore[misc]
    return receiver.run(config_path)
