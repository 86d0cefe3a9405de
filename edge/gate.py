"""The gate in front of both web pages: who may ask, what may be asked, and what every answer carries.

It lets through GET and HEAD only, so that no address can change anything, unless an application wants POST too: then
only from its own pages, which a browser tells by Origin. It refuses a Host that is not ours, so that a foreign web site
cannot read the page through a name that it points at this machine (DNS rebinding); behind a proxy with TLS that name is
ours too, and forms may come from its https pages alone; and it adds to every answer the
headers that forbid inline code, foreign addresses, framing and caching. Pages therefore have their scripts and styles
in files.

An ASGI wrapper and nothing else: no port, no file, no clock, no other room, so that headquarters may use it too.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
        b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
FORM_HEADERS = tuple(  # a browser tells no Origin with a form from a page that forbids the referrer altogether
    (name, value.replace(b"form-action 'none'", b"form-action 'self'").replace(b"no-referrer", b"same-origin"))
    for name, value in HEADERS
)
_TLS = ((b"strict-transport-security", b"max-age=31536000"),)
_OURS = {name for name, _ in (*HEADERS, *_TLS)}
_FOREIGN = b"Only this page itself may ask for that.\n"
_WRONG_NAME = b"This page does not answer to that name. Use the address it was started with.\n"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_ADDRESS = re.compile(r"\d{1,3}(\.\d{1,3}){3}|[0-9a-f:]*:[0-9a-f:.]*")


def split(listen: str) -> tuple[str, int]:
    """Host and port of "127.0.0.1:8800" or "[::1]:8800"."""
    host, _, port = listen.rpartition(":")
    return host.strip("[]") or "127.0.0.1", int(port)


def address(host: str, port: int) -> str:
    """What a person types into a browser on this machine."""
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}/"


class Gate:
    """Wraps an ASGI application that listens on `host`. Listening on every address (0.0.0.0, ::), any
    literal address is ours, for a rebinding site has a name; names are still only localhost. `posts`: what the
    application does by POST is its own pages' to ask for; `forms`: also by forms, not by scripts alone. `origin`:
    "https://hq.example.org" when a proxy with TLS stands before it under that name, "" when none does."""

    def __init__(self, app: App, host: str, posts: bool = False, forms: bool = False, origin: str = "") -> None:
        self._app = app
        self._posts = posts
        self._own = (FORM_HEADERS if forms else HEADERS) + (_TLS if origin else ())
        self._origin = origin.lower().encode()
        self._names = (_LOOPBACK | {host.lower(), _bare(origin.lower().partition("://")[2])}) - {""}
        self._any_address = host in ("0.0.0.0", "::")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return None  # a websocket: uvicorn closes it when nothing is answered
        if not self._ours(scope):
            return await _refuse(send, 421, _WRONG_NAME)
        if self._posts and scope["method"] == "POST":
            if not _from_itself(scope, self._origin):
                return await _refuse(send, 403, _FOREIGN)
        elif scope["method"] not in ("GET", "HEAD"):
            return await _refuse(send, 405, b"This page can only be read.\n")

        async def sealed(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": _headers(message.get("headers", ()), self._own)}
            await send(message)

        return await self._app(scope, receive, sealed)

    def _ours(self, scope: Scope) -> bool:
        named = [value for name, value in scope["headers"] if name == b"host"]
        if len(named) != 1:
            return False
        host = _bare(named[0].decode("latin-1").lower())
        return host in self._names or (self._any_address and bool(_ADDRESS.fullmatch(host)))


def _bare(host: str) -> str:
    """A Host without its port."""
    return re.sub(r":\d*$", "", host).strip("[]")


def _from_itself(scope: Scope, own: bytes) -> bool:
    """Does one Origin say that a page of ours asks? A browser sends it with every POST, and no page can change it.
    `own` is the only one that counts, when it is known."""
    origins = [value for name, value in scope["headers"] if name == b"origin"]
    host = next(value for name, value in scope["headers"] if name == b"host")
    return [origin.lower() for origin in origins] == [own or b"http://" + host.lower()]


def _headers(theirs: Any, own: tuple[tuple[bytes, bytes], ...] = HEADERS) -> list[tuple[bytes, bytes]]:
    return [pair for pair in theirs if pair[0].lower() not in _OURS] + list(own)


async def _refuse(send: Send, status: int, text: bytes) -> None:
    own = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(text)).encode())]
    allow = [(b"allow", b"GET, HEAD")] if status == 405 else []
    await send({"type": "http.response.start", "status": status, "headers": _headers(own + allow)})
    await send({"type": "http.response.body", "body": text})
