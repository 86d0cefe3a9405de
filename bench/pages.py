"""How long headquarters' pages take, at the size of ten million events (`country`): the real pages, over loopback.

780 districts with a box of eight lines each, 6,240 pairs of district and campaign, 60 days: 27 events a line and day.
The web process runs as `hq run` starts it, one reader has signed in and asks one page after the other, in windows of
28 days that begin on different days; PostgreSQL and SQLite on the same machine, warm. Time is from the request's first
byte to the answer's last one.
"""

from __future__ import annotations

import http.client
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

from bench import country
from bench.report import Figure, absent, at_most, beside, rank
from bench.road import free_port, process, python
from sync.hq import config, schema, sql, stores
from sync.hq.doors import sessions
from tests.postgres import BINARIES, SETTINGS, Server

LIMIT_MS = {"postgresql": 300.0, "sqlite": 500.0}
WINDOW = 28
DISTRICTS, EVENTS, COPIES = 39, 500_000, 20
ASKED = 20  # times each page, if that does not take too long
LEAST, ENOUGH_MS = 3, 15_000.0
# a machine of two cores and 4 GB that does nothing else
POSTGRES = SETTINGS.replace("shared_buffers = 128MB", "shared_buffers = 1GB") + (
    "\neffective_cache_size = 2GB\nwork_mem = 32MB\nmax_wal_size = 8GB\nrandom_page_cost = 1.1\n"
)
_READER = (
    "INSERT INTO account (name, role, totp, totp_next, made_ms) VALUES ('reader', 'manager', :totp, :totp, 0)"
    " RETURNING id"
)


def _window(turn: int, more: str = "") -> str:
    """A window that ends some days ago, and so another one each turn."""
    last = date(1970, 1, 1) + timedelta(country.FIRST_DAY + country.DAYS - 1 - turn % (country.DAYS - 2 * WINDOW))
    return f"?period=own&from={last - timedelta(WINDOW - 1)}&until={last}{more}"


def _district(turn: int) -> str:
    return f"&district=d{turn % 8}-3"


PAGES: dict[str, Callable[[int], str]] = {
    "first page": lambda turn: "/",
    "all figures": lambda turn: f"/numbers{_window(turn)}",
    "all figures of a district": lambda turn: f"/numbers{_window(turn)}{_district(turn)}",
    "all figures of a campaign": lambda turn: f"/numbers{_window(turn)}&campaign=c{turn % 8}",
    "all figures, two periods": lambda turn: f"/numbers{_window(turn)}&against=before",
    "all figures, without flagged calls": lambda turn: f"/numbers{_window(turn)}&against=clean",
    **{f"by {by}": lambda turn, by=by: f"/numbers/by{_window(turn)}&by={by}"  # type: ignore[misc]
       for by in ("campaign", "issue", "district", "box", "line", "channel", "language", "hour", "day")},
    "by line, in a district": lambda turn: f"/numbers/by{_window(turn)}{_district(turn)}&by=line",
    "referendums": lambda turn: f"/referendums{_window(turn)}",
    "brief": lambda turn: f"/brief?week={date.today() - timedelta(7 * (1 + turn % 6))}",
    "definitions": lambda turn: f"/definitions{_window(turn)}",
    "desk": lambda turn: "/desk",
    "people": lambda turn: "/people",
}  # fmt: skip


def measure(quick: bool = False) -> list[Figure]:
    """p95 of every page on both stores. Quick: a tenth of the country, five times each page."""
    figures: list[Figure] = []
    size = (DISTRICTS // 5, EVENTS // 5, COPIES // 2) if quick else (DISTRICTS, EVENTS, COPIES)
    with tempfile.TemporaryDirectory(prefix="miscall-pg-") as folder:
        if BINARIES:
            server = Server(Path(folder), POSTGRES)
            try:
                figures += _store(Path(folder) / "pg", server.database(), *size, 5 if quick else ASKED)
            finally:
                server.close()
        else:
            figures.append(absent("pages on PostgreSQL", "PostgreSQL is not installed: apt install postgresql"))
        figures += _store(Path(folder) / "lite", "sqlite", *size, 5 if quick else ASKED)
    return figures


def _store(folder: Path, store: str, districts: int, events: int, copies: int, times: int) -> list[Figure]:
    folder.mkdir()
    told = fill(folder, store, districts, events, copies)
    kind = "postgresql" if sql.is_postgres(store) else "sqlite"
    figures = [beside(f"{kind}: {name}", value, "") for name, value in told.items()]
    with asking(folder, store) as ask:
        for name, path in PAGES.items():
            took: list[float] = []
            for turn in range(-1, times):  # the first one warms
                if len(took) > LEAST and sum(took) > ENOUGH_MS:
                    break
                took.append(ask(path(turn)))
            figures.append(at_most(f"{kind}, {name}: p95", rank(took[1:], 0.95), LIMIT_MS[kind], "ms"))
    return figures


def fill(folder: Path, store: str, districts: int, events: int, copies: int) -> dict[str, float]:
    """A headquarters of that size in a folder: what it stands for."""
    with schema.postgres(store) if sql.is_postgres(store) else schema.sqlite(folder / "hq.db") as db:
        if db.kind == "postgresql":
            db.run("SET synchronous_commit = off")
        else:
            db.raw.execute("PRAGMA synchronous = OFF")
        begun = time.monotonic()
        replayed = country.replay(db, districts, events)
        seconds = time.monotonic() - begun
        country.copy(db, districts, copies)
        country.heads(db)
        if db.kind == "postgresql":
            db.run("VACUUM ANALYZE")
            db.run("CHECKPOINT")
        rows = country.counts(db)
        with stores.desk(_config(folder, store)) as desk:
            country.desk(db, desk)
    return {
        "events that the store stands for": replayed * copies, "events replayed a second": replayed / seconds,
        "roll-up rows a hundred events": sum(rows.values()) / (replayed * copies) * 100,
        "rows of tally": rows["tally"], "rows of pair": rows["pair"],
    }  # fmt: skip


def _config(folder: Path, store: str, port: int = 0) -> config.HqConfig:
    file = folder / "hq.toml"
    file.write_text(f'[hq]\ndata = "{folder}"\nbroker = "mqtt://127.0.0.1:1"\nstore = "{store}"\n'
                    f'[web]\nlisten = "127.0.0.1:{port}"\n')  # fmt: skip
    return config.load(file)


@contextmanager
def asking(folder: Path, store: str) -> Iterator[Callable[[str], float]]:
    """The web process of a headquarters, and how one who has signed in asks it: a path -> milliseconds."""
    port = free_port()
    hq = _config(folder, store, port)
    with stores.desk(hq) as desk:
        known = desk.value("SELECT id FROM account WHERE name = 'reader'")
        account = known or desk.value(_READER, totp="JBSWY3DPEHPK3PXP")
        cookie = f"{sessions.COOKIE}={sessions.begin(desk, account, int(time.time() * 1000))}"

    def ask(path: str) -> float:
        begun = time.perf_counter()
        line.request("GET", path, headers={"Cookie": cookie})
        answer = line.getresponse()
        body = answer.read()
        took = (time.perf_counter() - begun) * 1000
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:300]!r}")
        return took

    with process(python("sync.hq.web", folder / "hq.toml")):
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        deadline = time.monotonic() + 30
        while True:
            try:
                line.connect()
                break
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        yield ask
        line.close()
