"""A page in a real browser: its server on a free port of loopback, a Chromium that must talk to nobody else.

`shown` gives the page; at its end it has checked that nothing left this machine and that the browser's console
stayed empty. `wait_for` polls: nothing here sleeps for a guessed time. A page comes in two pieces, so that a test which
reads after a click without waiting for what it reads fails always, and not on a slow day: a click waits for the first.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

import pytest
import uvicorn

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE = {"width": 360, "height": 780}
DESK = {"width": 1280, "height": 900}


def wait_for(true: Callable[[], Any], seconds: float = 60) -> Any:
    """The first true value of `true`, asked again and again; fails after `seconds`, for the slowest machine."""
    deadline = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)
    return value


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


class Asked:
    """An ASGI application asked without a port: one whole request, its background work included."""

    def __init__(self, app: Any, cookie: str = "") -> None:
        self._app, self._cookie = app, cookie

    def get(self, path: str, method: str = "GET", host: str = "127.0.0.1:8800", **headers: str) -> Answer:
        told = {"host": host, "cookie": self._cookie, **headers}
        scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
                 "raw_path": path.encode(), "query_string": b"", "root_path": "", "scheme": "http",
                 "headers": [(name.encode(), value.encode()) for name, value in told.items()]}  # fmt: skip
        sent: list[dict[str, Any]] = []

        body = iter([True])

        async def receive() -> dict[str, Any]:
            if not next(body, False):
                await asyncio.Event().wait()  # this client never hangs up first
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        def whole() -> None:
            asyncio.run(self._app(scope, receive, send))

        with ThreadPoolExecutor(1) as thread:  # playwright's own loop may be running in this one
            thread.submit(whole).result()
        headers = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], headers, b"".join(each.get("body", b"") for each in sent[1:]).decode())


def in_pieces(app: Any) -> Any:
    """The same application; of a page, what is behind the beginning of its body comes later."""

    async def answered(scope: Any, receive: Any, send: Any) -> None:
        async def late(message: Any) -> None:
            body = message.get("body", b"")
            at = body.find(b">", body.find(b"<body")) + 1 if b"<body" in body else 0
            if at:
                await send({**message, "body": body[:at], "more_body": True})
                await asyncio.sleep(0.1)
            await send({**message, "body": body[at:]} if at else message)

        await app(scope, receive, late)

    return answered


@contextmanager
def served(app: Any) -> Iterator[str]:
    """The address at which `app` answers."""
    ears = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(in_pieces(app), log_config=None, access_log=False, http="h11"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [ears]}, daemon=True)
    thread.start()
    try:
        wait_for(lambda: server.started)
        yield f"http://127.0.0.1:{ears.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        ears.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A real browser; skipped by name where there is none."""
    if not Path(CHROMIUM).exists():
        pytest.skip("chromium is not installed: apt install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def shown(
    chromium: Any, address: str, size: dict[str, int] = DESK, scheme: str = "light",
    cookie: tuple[str, str] | None = None,
) -> Iterator[Any]:
    """The page at `address`, asked for with this cookie; afterwards: no foreign request was even tried, and the console
    is empty."""
    context = chromium.new_context(viewport=size, color_scheme=scheme)
    if cookie:
        context.add_cookies([{"name": cookie[0], "value": cookie[1], "url": urljoin(address, "/")}])
    context.set_default_timeout(60_000)
    page = context.new_page()
    foreign: list[str] = []
    console: list[str] = []
    home = urlsplit(address).netloc
    page.on("request", lambda request: None if urlsplit(request.url).netloc == home else foreign.append(request.url))
    page.on("console", lambda message: console.append(message.text))
    page.on("pageerror", lambda error: console.append(str(error)))
    try:
        page.goto(address)
        yield page
        assert foreign == [], foreign
        assert console == [], console
    finally:
        context.close()


def scrolls_sideways(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))
