"""How long headquarters' pages wait for their figures, at the size of ten million events (`country`).

780 districts with a box of eight lines each, 6,240 pairs of district and campaign, 60 days: 27 events a line and day.
Time is what the server spends on a page's figures, asked one page after the other, in windows of 30 days that begin on
different days; PostgreSQL and SQLite on the same machine, warm.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import country
from bench.report import Figure, absent, at_most, beside, rank
from sync.hq import snapshot, sql
from sync.hq.metrics import METRICS, Given, Slice, breakdown, compare, compute
from sync.hq.metrics.brief import brief
from sync.hq.views.numbers import COLUMNS
from tests.postgres import BINARIES, SETTINGS, Server

LIMIT_MS = {"postgresql": 300.0, "sqlite": 500.0}
WINDOW = 30
DISTRICTS, EVENTS, COPIES = 39, 500_000, 20
ASKED = 20  # times each page, if that does not take too long
LEAST, ENOUGH_MS = 3, 15_000.0
# a machine of two cores and 4 GB that does nothing else
POSTGRES = SETTINGS.replace("shared_buffers = 128MB", "shared_buffers = 1GB") + (
    "\neffective_cache_size = 2GB\nwork_mem = 32MB\nmax_wal_size = 8GB\nrandom_page_cost = 1.1\n"
)
ALL = tuple(METRICS)
_LOAD = {"offered_load", "blocked", "unseen", "losses"}
PLAIN = tuple(name for name, metric in METRICS.items() if not _LOAD & set(metric.needs))
LOAD = tuple(name for name in ALL if name not in PLAIN)
FIRST = ("calls", "callers", "new", "withheld", "reply-60", "breaches", "opt-outs", "sync-lag")


def _window(turn: int) -> Slice:
    first = country.FIRST_DAY + country.DAYS - WINDOW - turn % (country.DAYS - 2 * WINDOW + 8)
    return Slice(first, first + WINDOW - 1)


def _before(asked: Slice) -> Slice:
    return Slice(asked.first - WINDOW, asked.first - 1)


PAGES: dict[str, Callable[[sql.Db, int, Given], object]] = {
    "overview, today": lambda db, turn, given: (
        compute(db, (day := Slice(country.FIRST_DAY + 59 - turn % 7, country.FIRST_DAY + 59 - turn % 7)), FIRST, given),
        breakdown(db, day, "district", ("calls",), given), breakdown(db, day, "campaign", ("calls",), given),
        breakdown(db, day, "hour", ("calls",), given),
    ),
    "all figures": lambda db, turn, given: compute(db, _window(turn), ALL, given),
    "figures but those of load": lambda db, turn, given: compute(db, _window(turn), PLAIN, given),
    "figures of load": lambda db, turn, given: compute(db, _window(turn), LOAD, given),
    "calls by day and hour": lambda db, turn, given: [
        breakdown(db, _window(turn), by, ("calls",), given) for by in ("day", "hour")
    ],
    "one district": lambda db, turn, given: compute(
        db, Slice(_window(turn).first, _window(turn).last, district=f"d{turn % 8}-3"), ALL, given
    ),
    "one district, but load": lambda db, turn, given: compute(
        db, Slice(_window(turn).first, _window(turn).last, district=f"d{turn % 8}-3"), PLAIN, given
    ),
    "one campaign": lambda db, turn, given: compute(
        db, Slice(_window(turn).first, _window(turn).last, campaign=f"c{turn % 8}"), ALL, given
    ),
    "by district": lambda db, turn, given: breakdown(db, _window(turn), "district", COLUMNS, given),
    "by campaign": lambda db, turn, given: breakdown(db, _window(turn), "campaign", COLUMNS, given),
    "two periods": lambda db, turn, given: compare(db, _before(_window(turn)), _window(turn), ALL, given),
    "two periods, but load": lambda db, turn, given: compare(
        db, _before(_window(turn)), _window(turn), PLAIN, given
    ),
    "brief": lambda db, turn, given: brief(db, country.FIRST_DAY + 50 - turn % 30),
}  # fmt: skip


def measure(quick: bool = False) -> list[Figure]:
    """p95 of every page on both stores. Quick: a tenth of the country, five times each page."""
    figures: list[Figure] = []
    size = (DISTRICTS // 5, EVENTS // 5, COPIES // 2) if quick else (DISTRICTS, EVENTS, COPIES)
    with tempfile.TemporaryDirectory(prefix="miscall-pg-") as folder:
        if BINARIES:
            with _server(Path(folder)) as db:
                figures += _store(db, *size, 5 if quick else ASKED)
        else:
            figures.append(absent("pages on PostgreSQL", "PostgreSQL is not installed: apt install postgresql"))
        with sql.sqlite(Path(folder) / "hq.db") as db:
            for pragma in ("journal_mode = WAL", "synchronous = OFF", "cache_size = -64000"):
                db.raw.execute(f"PRAGMA {pragma}")
            figures += _store(db, *size, 5 if quick else ASKED)
    return figures


@contextmanager
def _server(folder: Path) -> Iterator[sql.Db]:
    server = Server(folder, POSTGRES)
    try:
        with sql.postgres(server.database()) as db:
            db.run("SET synchronous_commit = off")
            yield db
    finally:
        server.close()


def _store(db: sql.Db, districts: int, events: int, copies: int, times: int) -> list[Figure]:
    begun = time.monotonic()
    replayed = country.replay(db, districts, events)
    seconds = time.monotonic() - begun
    country.copy(db, districts, copies)
    if db.kind == "postgresql":
        db.run("VACUUM ANALYZE")
    told = country.counts(db)
    desk = sql.sqlite(":memory:")
    desk.build(snapshot.DESK)
    country.desk(db, desk)
    given = Given((country.FIRST_DAY + country.DAYS) * country.DAY_MS, desk)
    figures = [
        beside(f"{db.kind}: events that the store stands for", replayed * copies, ""),
        beside(f"of them replayed, {replayed / seconds:,.0f} a second", replayed, ""),
        beside("roll-up rows a hundred events", sum(told.values()) / (replayed * copies) * 100, ""),
        beside("rows of tally and of pair", told["tally"], f"and {told['pair']:,}"),
    ]
    for name, ask in PAGES.items():
        took = []
        for turn in range(-1, times):  # the first one warms
            if len(took) > LEAST and sum(took) > ENOUGH_MS:
                break
            begun = time.monotonic()
            with db.transaction():
                ask(db, turn, given)
            took.append((time.monotonic() - begun) * 1000)
        figures.append(at_most(f"{db.kind}, {name}: p95", rank(took[1:], 0.95), LIMIT_MS[db.kind], "ms"))
    return figures
