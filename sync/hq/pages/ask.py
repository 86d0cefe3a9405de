"""One request, as every page of headquarters gets it: who asks, what was sent, both stores, and the answers to give.

Rules of this room
- A handler is a plain function from an `Ask` to a response, run in a thread of its own; it raises `Refused` in words
  for what cannot be done, and these words go onto a page. No number of a voter stands in an address or in such words.
- The stores are opened when they are first asked for, and closed when the answer has been made; connections to
  PostgreSQL are lent for so long (`sync.hq.spares`).
- Texts of pages are English in the source; `ask._("...")` gives them in the reader's language.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from jinja2 import Environment
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from sync.hq import catalogue, stores
from sync.hq.config import HqConfig
from sync.hq.doors import audit, sessions
from sync.hq.doors.roles import User
from sync.hq.doors.sessions import Session
from sync.hq.spares import Spares
from sync.hq.sql import Db


class Refused(Exception):
    """This cannot be done. The text says why and what to do, in English, and holds nobody's number; with values in it,
    it is a `catalogue.Reason`."""


class Page(NamedTuple):
    """One address: who may ask for it (`roles` of sync.hq.doors.roles), and what answers. `method` GET or POST."""

    path: str
    handler: Callable[[Ask], Response]
    roles: frozenset[str]
    method: str = "GET"


class Tab(NamedTuple):
    """One entry of the navigation: English name, where it leads, who sees it."""

    name: str
    path: str
    roles: frozenset[str]


@dataclass(eq=False)
class Ask:
    """A request. `form` holds what a form sent, each name's first value; `lists` all its values; `files` uploads."""

    request: Request
    config: HqConfig
    pages: Environment
    tabs: Sequence[Tab]
    session: Session | None
    now_ms: int
    form: Mapping[str, str] = field(default_factory=dict, repr=False)
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)
    files: Mapping[str, UploadFile] = field(default_factory=dict, repr=False)
    spares: Mapping[str, Spares] = field(default_factory=dict, repr=False)
    _open: dict[str, Db] = field(default_factory=dict, repr=False)

    @property
    def user(self) -> User:
        """Who has signed in; on pages that are open to anyone, perhaps nobody (id 0)."""
        return self.session.user if self.session else User(0, "", "")

    @property
    def owes(self) -> bool:
        """Must a second proof be set up before anything else?"""
        return bool(self.session and self.session.owes and self.config.second_proof)

    @property
    def query(self) -> Mapping[str, str]:
        """What stands behind the ? of the address."""
        return self.request.query_params

    @property
    def path(self) -> Mapping[str, str]:
        """The parts of the address that the route names."""
        return self.request.path_params

    @property
    def language(self) -> str:
        return self.user.language if self.session else catalogue.best(self.request.headers.get("accept-language", ""))

    def _(self, text: str, **values: object) -> str:
        """A text in the reader's language, `{name}` filled in."""
        return catalogue.told(self.language, text, **values)

    @property
    def events(self) -> Db:
        """What boxes have sent; only to be read."""
        return self._store("events", stores.events)

    @property
    def desk(self) -> Db:
        """What people at headquarters have written."""
        return self._store("desk", stores.desk)

    def _store(self, name: str, opened: Callable[[HqConfig], Db]) -> Db:
        if name not in self._open:
            self._open[name] = self.spares[name].lend() if name in self.spares else opened(self.config)
        return self._open[name]

    @contextmanager
    def change(self, did: str, what: str = "", reason: str = "") -> Iterator[Db]:
        """A transaction of the desk store that the log tells of: what is done in it, and its entry, or neither."""
        with self.desk.transaction():
            yield self.desk
            audit.append(self.desk, self.now_ms, self.user.name, self.user.role, did, what, reason)

    def page(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A page, with the frame's own values: `user`, `tabs`, `csrf`, `said`, `lang`, `now_ms`, `_`."""
        said = self.session.said if self.session else ""
        if self.session and said:
            sessions.say(self.desk, self.session.key, "")
        frame = {
            "lang": self.language, "_": self._, "user": self.user, "said": said, "now_ms": self.now_ms,
            "tabs": [tab for tab in self.tabs if self.user.role in tab.roles], "here": self.request.url.path,
            "csrf": self.session.csrf if self.session else "", "role": self.user.role,
            "made": f"{datetime.fromtimestamp(self.now_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC",
            "live_on": self._("Live"), "live_off": self._("No answer from headquarters"),
        }  # fmt: skip
        return HTMLResponse(self.pages.get_template(template).render(**frame, **values), status)

    def go(self, where: str, said: str = "") -> Response:
        """Lead on to another page (after a POST always), which says this at its top."""
        if said and self.session:
            sessions.say(self.desk, self.session.key, said)
        return RedirectResponse(where, 303)

    def close(self, whole: bool) -> None:
        """Let go of the stores; `whole` is False when anything went wrong with them."""
        for name, db in self._open.items():
            if name in self.spares:
                self.spares[name].give_back(db, whole)
            else:
                db.close()
        self._open.clear()
