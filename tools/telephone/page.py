"""The telephones' web page: what a tab may see and ask for.

Rules of the room
- Loopback only. `Gate` stands in front: our own Host, POST from our own pages only, no inline code.
- Every POST carries the token of a page that we have served; whatever belongs to one telephone carries its secret in a
  header. So nothing that names a person stands in an address, and there is no log of requests.
- The sound of a call is one streamed answer, which is as long as the call; who no longer hears it has hung up.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any

import uvicorn
from jinja2 import Environment, FileSystemLoader
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

import edge
from edge.dialogue import KEYS
from edge.gate import Gate, address
from edge.serving import listen
from tools.telephone.exchange import LETTER_MOST, SPEECH_MOST, About, Exchange, Leg, Phone, Refused

HERE = Path(__file__).parent
SHARED = Path(edge.__path__[0]) / "static"
LOOPBACK = "127.0.0.1"
PAGES = 500  # whose tokens are remembered
FRAME_S = 0.02
MODES = {  # those that talk first
    "menu": ("Menu", "It answers; you press keys and talk."),
    "callback": ("Call-back", "It cuts your call, then it rings you. You pay nothing."),
    "missed-call": ("Missed call", "It cuts your call and answers by SMS. You pay nothing."),
    "opt-out": ("Stop", "A missed call here stops everything."),
}

Handler = Callable[[Phone, Request], Awaitable[Mapping[str, Any] | None]]


def application(exchange: Exchange, title: str, links: Mapping[str, str]) -> Gate:
    """The page over an exchange. `links` are further pages that are worth a look, by their names."""
    looks = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True, trim_blocks=True)
    tokens: deque[str] = deque(maxlen=PAGES)

    def page(request: Request) -> Response:
        tokens.append(secrets.token_urlsafe(18))
        words = {"token": tokens[-1], "title": title, "links": links, "keys": _KEYPAD,
                 "posters": _posters([line.about for line in exchange.lines.values()])}  # fmt: skip
        return HTMLResponse(looks.get_template("telephone.html").render(**words))

    async def new(request: Request) -> Response:
        if request.headers.get("x-token") not in tokens:
            return _no("Load this page anew.", 403)
        phone = exchange.new()
        return JSONResponse({"phone": phone.id, "number": phone.number})

    def hers(do: Handler, token: bool = True) -> Callable[[Request], Awaitable[Response]]:
        """A request of one telephone; without a `token` it only looks, and one that is not known is no error."""

        @wraps(do)
        async def handle(request: Request) -> Response:
            if token and request.headers.get("x-token") not in tokens:
                return _no("Load this page anew.", 403)
            phone = exchange.phone(request.headers.get("x-phone", ""))
            if phone is None:
                return JSONResponse({"state": "unknown"}) if not token else _no("This telephone is not known.", 404)
            try:
                return JSONResponse(await do(phone, request) or {})
            except Refused as why:
                return _no(str(why), 409)
            except ValueError:
                return _no("That is not understood.", 400)

        return handle

    async def sound(request: Request) -> Response:
        phone = exchange.phone(request.headers.get("x-phone", ""))
        if phone is None or phone.leg is None:
            return _no("There is no call.", 404)
        return StreamingResponse(_heard(phone.leg), media_type="application/octet-stream")

    acts = _acts(exchange)
    routes = [Route(f"/{name}", hers(do), methods=["POST"]) for name, do in acts.items()]
    routes += [
        Route("/", page),
        Route("/phone", new, methods=["POST"]),
        Route("/phone", hers(_seen(exchange), token=False)),
        Route("/sound", sound),
    ]
    static = [Mount("/static", StaticFiles(directory=SHARED)), Mount("/its", StaticFiles(directory=HERE / "static"))]
    return Gate(Starlette(routes=[*routes, *static]), LOOPBACK, posts=True)


_KEYPAD = (("1", ""), ("2", "abc"), ("3", "def"), ("4", "ghi"), ("5", "jkl"), ("6", "mno"), ("7", "pqrs"), ("8", "tuv"),
           ("9", "wxyz"), ("*", ""), ("0", "+"), ("#", ""))  # fmt: skip


def _posters(lines: Sequence[About]) -> list[dict[str, Any]]:
    """The lines as on posters: those of one campaign in one office together."""
    found: dict[tuple[str, str, str], list[dict[str, str]]] = {}
    for about in sorted(lines, key=lambda about: list(MODES).index(about.mode)):
        one = {"key": about.key, "number": spaced(about.number), "name": about.key.split()[-1], "modem": about.modem}
        found.setdefault((about.mode, about.title, about.where), []).append(one)
    return [
        {"kind": MODES[mode][0], "does": MODES[mode][1], "mode": mode, "title": title, "where": where, "lines": own}
        for (mode, title, where), own in found.items()
    ]


def spaced(number: str) -> str:
    """A number as people read it: +91 98123 45678."""
    return f"{number[:3]} {number[3:8]} {number[8:]}" if number.startswith("+91") and len(number) == 13 else number


def _no(why: str, status: int) -> Response:
    return JSONResponse({"why": why}, status)


def _seen(exchange: Exchange) -> Handler:
    async def seen(phone: Phone, request: Request) -> Mapping[str, Any]:
        """All that its tab shows of a telephone."""
        exchange.look(phone)
        leg, told = phone.leg, {"state": "idle", "tone": "", "words": "", "seconds": 0, "story": []}
        if leg is not None:
            state = "incoming" if leg.incoming and leg.state == "calling" else leg.state
            told = {"state": state, "tone": leg.tone, "words": leg.words, "seconds": leg.seconds,
                    "story": [entry._asdict() for entry in leg.story()]}  # fmt: skip
        letters = [letter._asdict() for letter in phone.letters]
        return {**told, "number": phone.number, "line": phone.line, "letters": letters}

    return seen


def _acts(exchange: Exchange) -> dict[str, Handler]:
    """What can be asked for, by its address."""

    async def dial(phone: Phone, request: Request) -> None:
        exchange.dial(phone, str((await _told(request))["line"]))

    async def accept(phone: Phone, request: Request) -> None:
        exchange.accept(phone)

    async def hang_up(phone: Phone, request: Request) -> None:
        exchange.hang_up(phone)

    async def key(phone: Phone, request: Request) -> None:
        key = str((await _told(request))["key"])
        if len(key) != 1 or key not in KEYS:
            raise ValueError(key)
        exchange.press(phone, key)

    async def speech(phone: Phone, request: Request) -> None:
        pcm = await _body(request)
        with suppress(Refused):  # the call may be over while a piece is on its way
            exchange.speak(phone, pcm)

    async def sample(phone: Phone, request: Request) -> Mapping[str, Any]:
        return {"seconds": exchange.say_sample(phone)}

    async def write(phone: Phone, request: Request) -> None:
        told = await _told(request)
        text = str(told["text"]).strip()
        if not 0 < len(text) <= LETTER_MOST:
            raise Refused(f"An SMS has 1 to {LETTER_MOST} letters.")
        exchange.write(phone, str(told["line"]), text)

    return {"dial": dial, "accept": accept, "hang-up": hang_up, "key": key, "speech": speech, "sample": sample,
            "write": write}  # fmt: skip


async def _told(request: Request) -> dict[str, Any]:
    """The words of a request. Raises ValueError."""
    told = json.loads(await _body(request))
    if not isinstance(told, dict) or not {"line", "key", "text"} >= set(told):
        raise ValueError("not the words that belong here")
    return {"line": "", "key": "", "text": "", **told}


async def _body(request: Request) -> bytes:
    """What a request brings, if it is not too much. Raises ValueError."""
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > SPEECH_MOST:
        raise ValueError("too much")
    return await request.body()


async def _heard(leg: Leg) -> AsyncIterator[bytes]:
    """What is heard in a call, as it is heard, to its end."""
    try:
        while True:
            piece = leg.fresh()
            if piece:
                yield piece
            elif leg.state == "over":
                return
            await asyncio.sleep(FRAME_S)
    finally:
        leg.hang_up()


class Served:
    """A page that answers at `address`, on a thread of its own, until `close`."""

    def __init__(self, exchange: Exchange, title: str, links: Mapping[str, str], port: int = 0) -> None:
        """Raises OSError when the port is taken."""
        self._exchange = exchange
        self._ears = listen(LOOPBACK, port)
        self.address = address(LOOPBACK, self._ears.getsockname()[1])
        app = application(exchange, title, links)
        how = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, http="h11", lifespan="off",
                             timeout_graceful_shutdown=1)  # fmt: skip
        self._server = uvicorn.Server(how)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._ears]}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End every call, and the page."""
        self._exchange.close()
        self._server.should_exit = True
        self._thread.join(5)
        self._ears.close()
