"""Headquarters' web page, started: the application of `sync.hq.pages` on the port that hq.toml names."""

from __future__ import annotations

import gc
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path

from edge.gate import Gate, address, split
from edge.serving import serve
from sync.hq import orders, silence, sql, stores
from sync.hq.config import HqConfig
from sync.hq.desk import wave
from sync.hq.doors import audit, console
from sync.hq.looks import SHARE_S
from sync.hq.pages import app
from sync.hq.pages.routes import ROUTES, TABS
from sync.hq.people.jobs import Jobs

CALENDAR = "silence before polls"


def application(
    config: HqConfig, host: str = "127.0.0.1", clock: Callable[[], float] = time.time, share_s: float = SHARE_S
) -> Gate:
    """Every page of headquarters over the stores of `config`, whether or not there is anything in them."""
    return app.application(config, ROUTES, TABS, host, clock, share_s)


def run(config_path: str | Path) -> int:
    """Serve the pages of the headquarters in `config_path` until SIGTERM or SIGINT; 0 then, 1 after one line on
    stderr when the file is refused or the port is taken."""
    from sync.hq import config

    try:
        hq = config.load(Path(config_path))
    except config.ConfigError as why:
        print(why, file=sys.stderr)
        return 1
    if not hq.listen:
        print("page: switched off in hq.toml")
        return 0
    host, port = split(hq.listen)
    try:
        calendar(hq, int(time.time() * 1000))
        console.announce(hq, f"{hq.origin}/" if hq.origin else address(host, port))
    except (sql.Unavailable, sqlite3.Error, OSError) as why:
        print(f"page: the desk store cannot be opened: {why}", file=sys.stderr)
        return 1
    gc.freeze()  # what was imported stays: a page of many rows need not look through it again and again,
    gc.set_threshold(100_000, 20, 20)  # nor through its own, which live until it is written
    jobs = Jobs(hq)
    jobs.start()
    wave.wake(hq)  # what was being sent when the page stopped goes on
    try:
        return serve(application(hq, host), host, port, f"{config_path}: web.listen")
    finally:
        jobs.stop()


def calendar(hq: HqConfig, now_ms: int) -> None:
    """The log says which windows of silence hq.toml has, whenever that is not what it said last."""
    now, last = silence.told(hq.silence), "SELECT reason FROM audit WHERE did = :did ORDER BY id DESC LIMIT 1"
    with stores.desk(hq) as desk, desk.transaction():
        if now != (desk.value(last, did=CALENDAR) or silence.told(())):
            audit.append(desk, now_ms, orders.who(), "console", CALENDAR, "hq.toml", now)
