"""Headquarters' page: what the boxes have heard, live, read-only.

A process of its own that opens the store read-only for each look and closes it again, so that a damaged, missing or
exchanged file is a sentence on the page and never an error 500. Looks within a second share one answer, so
that twenty open browsers cost what one costs. Callers' numbers are masked here, before a template or JSON sees
them. A recording is served once all of it is here and fitted its digest, under a name that tells nobody's number.
There is no login yet: it must listen on loopback only, behind whatever lets people in.
"""

from __future__ import annotations

import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
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
from sync.hq import config as settings
from sync.hq import reports, stores, voices
from sync.hq.view import trouble, view

HERE = Path(__file__).parent
SHARED = Path(edge.__path__[0])  # frame, style and script are the same for the office's page
SHARE_S = 1.0  # looks that close together share one answer


class Looks:
    """What the page shows now. Safe to ask from several threads at once."""

    def __init__(self, config: settings.HqConfig, clock: Callable[[], float], share_s: float) -> None:
        self._config, self._clock, self._share_s = config, clock, share_s
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
            with stores.events(self._config) as db:
                found = {**reports.overview(db, now_ms), **voices.look(db, now_ms), "answers": self._answers}
                return view(found, self._callers, reports.receiver(self._config.data, now_ms))
        except stores.Absent:
            return trouble("absent")
        except Exception as why:  # out of a damaged file anything may come, letters that are none included
            # a store whose tables the receiver has not made yet is young, not broken
            return trouble("absent" if "no such table" in str(why) else "unreadable", stores.words(why))

    def count_callers(self) -> None:
        """Count today's different callers and all answers again, when it is due: it takes at most a twentieth of the
        time."""
        if time.monotonic() < self._callers_due or not self._counting.acquire(blocking=False):
            return
        try:
            began = time.monotonic()
            self._callers = reports.callers(self._config, int(self._clock() * 1000))
            self._answers = voices.answers(self._config)
        except Exception:  # the page says why: it reads the same file
            self._callers = self._answers = None
        finally:
            took = time.monotonic() - began
            self._callers_due = time.monotonic() + max(1.5, 20 * took)
            self._due = 0.0  # the next look shows them
            self._counting.release()


def application(
    config: settings.HqConfig, host: str = "127.0.0.1", clock: Callable[[], float] = time.time, share_s: float = SHARE_S
) -> Gate:
    """The page over the store of `config`, whether or not there is one."""
    looks = Looks(config, clock, share_s)
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
        file = voices.file(config, request.path_params["name"])
        if file is None:
            return PlainTextResponse("There is no such recording here, or not all of it yet.\n", 404)
        return FileResponse(file, media_type="audio/ogg")

    def api(request: Request) -> Response:
        return JSONResponse(looks.now(), background=BackgroundTask(looks.count_callers))

    routes = [Route("/", page), Route("/live", live), Route("/figures", figures), Route("/api/overview", api),
              Route("/recordings/{name}", sound)]  # fmt: skip
    return Gate(Starlette(routes=[*routes, Mount("/static", StaticFiles(directory=SHARED / "static"))]), host)


def run(config_path: str | Path) -> int:
    """Serve the page of the headquarters in `config_path` until SIGTERM or SIGINT; 0 then, 1 after one line on
    stderr when the file is refused or the port is taken."""
    try:
        hq = settings.load(Path(config_path))
    except settings.ConfigError as why:
        print(why, file=sys.stderr)
        return 1
    if not hq.listen:
        print("page: switched off in hq.toml")
        return 0
    host, port = split(hq.listen)
    if host not in ("127.0.0.1", "::1", "localhost"):
        print(f"page: {host} can be reached by others and nobody has to log in: use 127.0.0.1", file=sys.stderr)
    return serve(application(hq, host), host, port, f"{config_path}: web.listen")


def serve(app: Gate, host: str, port: int, named: str) -> int:
    """Serve `app` until a signal. `named` says in an error which setting chose the port; port 0 takes a free one."""
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, server_header=False, http="h11"))
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
