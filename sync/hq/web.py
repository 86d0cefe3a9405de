"""Headquarters' page: what the boxes have heard, live, read-only.

A process of its own that opens hq.db read-only for each look and closes it again, so that a damaged, missing or
exchanged file is a sentence on the page and never an error 500. Looks within a second share one answer, so
that twenty open browsers cost what one costs. Callers' numbers are masked here, before a template or JSON sees
them. A recording is served once all of it is here and fitted its digest, under a name that tells nobody's number.
Who may look is decided by `sync.hq.pages.app`, which stands before it.
"""

from __future__ import annotations

import signal
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import uvicorn
from jinja2 import Environment, FileSystemLoader
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

import edge
from edge.gate import Gate, address, split
from sync.hq import reports, sql, voices
from sync.hq.doors import console
from sync.hq.doors.roles import FIGURES
from sync.hq.pages import app
from sync.hq.pages.ask import Ask, Page, Tab
from sync.hq.pages.routes import ROUTES, TABS
from sync.hq.view import trouble, view

HERE = Path(__file__).parent
SHARED = Path(edge.__path__[0])  # frame, style and script are the same for the office's page
SHARE_S = 1.0  # looks that close together share one answer


class Looks:
    """What the page shows now. Safe to ask from several threads at once."""

    def __init__(self, path: Path, clock: Callable[[], float], share_s: float) -> None:
        self._path, self._clock, self._share_s = path, clock, share_s
        self._lock = threading.Lock()
        self._shown: dict[str, Any] = {}
        self._due = 0.0  # this and the next on the monotonic clock
        self._callers: int | None = None
        self._answers: list[dict[str, Any]] | None = None
        self._callers_due = 0.0
        self._counting = threading.Lock()

    def now(self) -> dict[str, Any]:
        """The page's content; a store that cannot be read is content too."""
        with self._lock:
            if (began := time.monotonic()) >= self._due:
                self._shown = self._look(int(self._clock() * 1000))
                ended = time.monotonic()
                self._due = ended + max(self._share_s, 10 * (ended - began))  # a big store is looked at less often
            return self._shown

    def _look(self, now_ms: int) -> dict[str, Any]:
        try:
            with closing(reports.connect(self._path)) as db:
                found = {**reports.overview(db, now_ms), **voices.look(db, now_ms), "answers": self._answers}
                return view(found, self._callers, reports.receiver(self._path, now_ms))
        except FileNotFoundError:
            return trouble("absent")
        except Exception as why:  # out of a damaged file anything may come, letters that are none included
            # a store whose tables the receiver has not made yet is young, not broken
            return trouble("absent" if "no such table" in str(why) else "unreadable", str(why))

    def count_callers(self) -> None:
        """Count today's different callers and all answers again, when it is due: it takes at most a twentieth of the
        time."""
        if time.monotonic() < self._callers_due or not self._counting.acquire(blocking=False):
            return
        try:
            began = time.monotonic()
            self._callers = reports.callers(self._path, int(self._clock() * 1000))
            self._answers = voices.answers(self._path)
        except Exception:  # the page says why: it reads the same file
            self._callers = self._answers = None
        finally:
            took = time.monotonic() - began
            self._callers_due = time.monotonic() + max(1.5, 20 * took)
            self._due = 0.0  # the next look shows them
            self._counting.release()


def application(
    path: Path, host: str = "127.0.0.1", clock: Callable[[], float] = time.time, share_s: float = SHARE_S
) -> Gate:
    """The page over the store at `path`, whether or not there is one, open to whoever asks."""
    routes = _routes(path, clock, share_s)
    return Gate(Starlette(routes=[*routes, Mount("/static", StaticFiles(directory=SHARED / "static"))]), host)


def _routes(path: Path, clock: Callable[[], float], share_s: float) -> list[Route]:
    looks = Looks(path, clock, share_s)
    folders = [HERE / "templates", SHARED / "templates"]
    pages = Environment(loader=FileSystemLoader(folders), autoescape=True, trim_blocks=True)
    frame = {"lang": "en", "live_on": "Live", "live_off": "No answer from headquarters"}

    def answer(name: str) -> Response:
        text = pages.get_template(name).render(**frame, **looks.now())
        return HTMLResponse(text, background=BackgroundTask(looks.count_callers))

    def page(request: Request) -> Response:
        return answer("hq.html")

    def live(request: Request) -> Response:
        return answer("hq_live.html")

    def figures(request: Request) -> Response:
        meant = {**reports.FIGURES, "grievances": voices.OPEN, "answers": voices.ANSWERS}
        return HTMLResponse(pages.get_template("figures.html").render(**frame, figures=meant))

    def sound(request: Request) -> Response:
        file = voices.file(path, request.path_params["name"])
        if file is None:
            return PlainTextResponse("There is no such recording here, or not all of it yet.\n", 404)
        return FileResponse(file, media_type="audio/ogg")

    def api(request: Request) -> Response:
        return JSONResponse(looks.now(), background=BackgroundTask(looks.count_callers))

    return [Route("/", page), Route("/live", live), Route("/figures", figures), Route("/api/overview", api),
            Route("/recordings/{name}", sound)]  # fmt: skip


def run(config_path: str | Path) -> int:
    """Serve the page of the headquarters in `config_path` until SIGTERM or SIGINT; 0 then, 1 after one line on
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
        console.announce(hq, f"{hq.origin}/" if hq.origin else address(host, port))
    except (sql.Unavailable, sqlite3.Error, OSError) as why:
        print(f"page: the desk store cannot be opened: {why}", file=sys.stderr)
        return 1
    overview = [Page(route.path, _shown(route), FIGURES) for route in _routes(hq.data / "hq.db", time.time, SHARE_S)]
    whole = app.application(hq, [*overview, *ROUTES], [Tab("Live", "/", FIGURES), *TABS], host)
    return serve(whole, host, port, f"{config_path}: web.listen")


def _shown(route: Route) -> Callable[[Ask], Response]:
    return lambda ask: route.endpoint(ask.request)


def serve(app: Gate, host: str, port: int, named: str) -> int:
    """Serve `app` until a signal. `named` says in an error which setting chose the port; port 0 takes a free one."""
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, server_header=False, http="h11",
                                           proxy_headers=False))  # fmt: skip
    # whom a proxy speaks for is decided in sync.hq.doors.signin
    try:
        ears = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as why:
        print(f"{named}: cannot listen on {host}:{port}: {why.strerror}; allowed: a free port", file=sys.stderr)
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: setattr(server, "should_exit", True))  # early; uvicorn takes them over
    with ears:
        print(f"page: {address(host, ears.getsockname()[1])}", flush=True)
        server.run(sockets=[ears])
    return 0
