"""What stands before every page of headquarters: sign-in, roles, forms that are our own, and errors in words.

Rules of this room
- A page is an entry of some module's `ROUTES`, with the roles that may ask for it; an address that is not there, or
  not for this role, answers 404 and 403, and one that needs a sign-in leads to it. Nothing else decides who may what.
- Who must sign in with two proofs (roles.STRONG) sets up the second one before anything else, unless hq.toml says
  that it is only offered.
- A POST carries the session's token (`csrf`) in its form, besides the Origin that the gate asks for.
- A store that cannot be read is a page that says so, never an error 500; what went wrong is told without any value.
"""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

import edge
from edge.gate import Gate
from sync.hq import catalogue, sql, stores
from sync.hq.config import HqConfig
from sync.hq.doors import sessions
from sync.hq.looks import SHARE_S
from sync.hq.pages.ask import Ask, Page, Refused, Tab
from sync.hq.spares import Spares

HERE = Path(__file__).parent.parent
SHARED = Path(edge.__path__[0])  # the frame, the style and the script are the office page's too
SIGN_IN, SECOND = "/sign-in", "/me/second"
OWED = ("/me", "/sign-out")  # all that is open to who must prove herself twice and has not set that up yet
_FIELDS, _PART = 2000, 8 * 1024 * 1024  # of a form: names at most, bytes of one part at most
_BODY = 16 * 1024 * 1024  # bytes of all of it, files too


def application(
    config: HqConfig, routes: Sequence[Page], tabs: Sequence[Tab], host: str = "127.0.0.1",
    clock: Callable[[], float] = time.time, share_s: float = SHARE_S,
) -> Gate:
    """The page over both stores of `config`, whether or not there is anything in them yet. Looks at the live page that
    are at most `share_s` apart share one answer."""
    folders = [HERE / "templates", SHARED / "templates"]
    pages = Environment(loader=FileSystemLoader(folders), autoescape=True, trim_blocks=True, lstrip_blocks=True)

    lent = _spares(config)

    def endpoint(page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            now_ms = int(clock() * 1000)
            ask = Ask(request, config, pages, tabs, None, now_ms, spares=lent)
            if page.method == "POST":
                refused = await _read_form(ask, request)
                if refused:
                    return refused
            return await run_in_threadpool(_answered, ask, page)

        return answer

    known = [Route(page.path, endpoint(page), methods=[page.method]) for page in routes]
    static = [
        Mount("/static", StaticFiles(directory=SHARED / "static")),
        Mount("/hq", StaticFiles(directory=HERE / "static")),
    ]
    whole = Starlette(routes=[*known, *static], lifespan=_until_the_end)
    whole.state.share_s, whole.state.spares = share_s, lent
    return Gate(whole, host, posts=True, forms=True, origin=config.origin)


def _spares(config: HqConfig) -> dict[str, Spares]:
    """Connections of each store to be lent to requests; none of SQLite's files, which open at once."""
    if not sql.is_postgres(config.store):
        return {}
    return {"events": Spares(lambda: stores.events(config)), "desk": Spares(lambda: stores.desk(config))}


@asynccontextmanager
async def _until_the_end(whole: Starlette) -> AsyncIterator[None]:
    """What is kept open as long as the page is served."""
    yield
    for spares in whole.state.spares.values():
        spares.close()


async def _read_form(ask: Ask, request: Request) -> Response | None:
    """What a form sent, into `ask`; an answer when it cannot be read."""
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or len(length) > 12 or int(length) > _BODY:  # a browser always tells it
        return PlainTextResponse(f"This is larger than {_BODY // 1024 // 1024} MB. Go back, and send less.\n", 413)
    try:
        sent = await request.form(max_files=1, max_fields=_FIELDS, max_part_size=_PART)
    except Exception:  # whatever a parser makes of foreign bytes
        return PlainTextResponse("This form cannot be read. Go back, and send it again.\n", 400)
    lists: dict[str, list[str]] = {}
    files: dict[str, UploadFile] = {}
    for name, value in sent.multi_items():
        if isinstance(value, UploadFile):
            files[name] = value
        else:
            lists.setdefault(name, []).append(value)
    ask.form, ask.lists, ask.files = {name: values[0] for name, values in lists.items()}, lists, files
    return None


def _answered(ask: Ask, page: Page) -> Response:
    cookie, whole = sessions.cookie(ask.config.origin), False
    try:
        ask.session = sessions.find(ask.desk, ask.request.cookies.get(cookie, ""), ask.now_ms)
        answer = _allowed(ask, page)
        whole = True
    except Refused as why:
        answer = ask.page("refused.html", 400, words=catalogue.said(why.args[0], ask._))
        whole = True
    except sql.errors() as error:
        answer = _trouble(ask, error)
    finally:
        ask.close(whole)
    return answer


def _allowed(ask: Ask, page: Page) -> Response:
    if ask.user.role not in page.roles:
        return _turned_away(ask)
    if page.method == "POST" and ask.session and not _own(ask):
        return ask.page("refused.html", 403, words=ask._("This form is too old. Go back, load the page anew."))
    if ask.session and ask.owes and not page.path.startswith(OWED):
        return ask.go(SECOND)
    return page.handler(ask)


def _own(ask: Ask) -> bool:
    return bool(ask.session) and secrets.compare_digest(ask.form.get("csrf", ""), ask.session.csrf)  # type: ignore[union-attr]


def _turned_away(ask: Ask) -> Response:
    if not ask.session:
        return ask.go(SIGN_IN)
    return ask.page("refused.html", 403, words=ask._("Your role does not open this page. Ask an admin."))


def _trouble(ask: Ask, error: Exception) -> Response:
    """A store that cannot be read now. Its own words may hold values of a query, so only its kind is told."""
    kind = type(error).__name__
    print(f"page: a store cannot be read: {kind}", file=sys.stderr, flush=True)
    young = isinstance(error, FileNotFoundError) or "no such table" in str(error) or kind == "UndefinedTable"
    words = (
        ask._("Headquarters has received nothing yet. Start the receiver: `miscall hq run`.")
        if young
        else str(error) if isinstance(error, sql.Unavailable)
        else ask._("The store cannot be read just now ({kind}). Load this page again in a minute.", kind=kind)
    )  # fmt: skip
    try:
        return ask.page("refused.html", 503, words=words)
    except Exception:  # not even the desk store answers
        return HTMLResponse(f"<!doctype html><title>miscall</title><p>{kind}: the store cannot be read.", 503)


def ready(config: HqConfig) -> None:
    """Make the desk store's tables, so that a first request need not. Raises what `stores.desk` raises."""
    stores.desk(config).close()
