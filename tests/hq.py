"""Headquarters for the tests of its pages: both stores in a folder, and a browser's place for each role.

`Office.client(role)` is an HTTP client that has signed in with that role, by a session put into the desk store; its
`post` sends what a browser would, the session's token and the Origin included.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlite_utils
from argon2 import PasswordHasher
from starlette.testclient import TestClient

from sync.hq import config as settings
from sync.hq import sql, stores
from sync.hq.doors import passwords, sessions
from sync.hq.pages import app
from sync.hq.pages.ask import Page, Tab
from sync.hq.schema import migrations
from sync.hq.spares import Spares

HOME = "http://127.0.0.1:8800"
TOTP = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # the secret of every account's codes
_ACCOUNT = (
    "INSERT INTO account (name, role, district, ward, language, totp, totp_next, made_ms)"
    " VALUES (:name, :role, :district, :ward, :language, :totp, :totp, 0) RETURNING id"
)


@pytest.fixture(autouse=True)
def light(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Argon2id with less work, for the many that a test asks; the real amount has a test of its own."""
    passwords._nobody.cache_clear()
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1))
    yield
    passwords._nobody.cache_clear()


class Client:
    """One browser. Without a `secret` nobody has signed in."""

    def __init__(self, gate: Any, secret: str = "", csrf: str = "") -> None:
        self.csrf = csrf
        self._http = TestClient(gate, base_url=HOME, follow_redirects=False)
        if secret:
            self.take(secret, csrf)

    def take(self, secret: str, csrf: str) -> None:
        """Have this session from now on."""
        self._http.cookies.clear()
        self._http.cookies.set(sessions.COOKIE, secret)
        self.csrf = csrf

    def get(self, path: str) -> httpx.Response:
        return self._http.get(path)

    def post(
        self, path: str, values: Mapping[str, str | Sequence[str]] | None = None, files: Any = None, csrf: bool = True,
        origin: str = HOME,
    ) -> httpx.Response:
        sent: dict[str, Any] = {**(values or {}), **({"csrf": self.csrf} if csrf else {})}
        return self._http.post(path, data=sent, files=files, headers={"origin": origin})

    @property
    def secret(self) -> str:
        return self._http.cookies.get(sessions.COOKIE) or ""


class Office:
    """Headquarters in `folder`; on PostgreSQL when `store` names a server."""

    def __init__(
        self, folder: Path, routes: Iterable[Page], tabs: Iterable[Tab] = (), store: str = "sqlite", more: str = "",
        share_s: float = 0,
    ) -> None:
        self.file = folder / "hq.toml"
        self.file.write_text(f'[hq]\ndata = "data"\nbroker = "mqtt://127.0.0.1:1"\nstore = "{store}"\n{more}')
        self.config = settings.load(self.file)
        self.now_ms = int(time.time() * 1000)
        self.config.data.mkdir(exist_ok=True)
        self.gate = app.application(self.config, list(routes), list(tabs), clock=lambda: self.now_ms / 1000,
                                    share_s=share_s)
        app.ready(self.config)

    def events(self) -> sql.Db:
        """The events store, to be written by a test as a receiver would."""
        raw = sqlite3.connect(self.config.data / "hq.db", isolation_level=None)
        migrations.apply(sqlite_utils.Database(raw))
        return sql.adopt(raw)

    def desk(self) -> sql.Db:
        return stores.desk(self.config)

    def client(
        self, role: str = "", name: str = "", district: str = "", ward: str = "", language: str = "en"
    ) -> Client:
        """A browser in which an account with this role has signed in."""
        if not role:
            return Client(self.gate)
        with self.desk() as desk:
            account = desk.value("SELECT id FROM account WHERE name = :name", name=name or role)
            if account is None:
                account = desk.value(
                    _ACCOUNT, name=name or role, role=role, district=district, ward=ward, language=language, totp=TOTP
                )
            secret = sessions.begin(desk, account, self.now_ms)
            found = sessions.find(desk, secret, self.now_ms)
        assert found
        return Client(self.gate, secret, found.csrf)

    @property
    def spares(self) -> dict[str, Spares]:
        """The connections that the pages keep; none on SQLite."""
        return self.gate._app.state.spares  # type: ignore[attr-defined,no-any-return]

    def close(self) -> None:
        for spares in self.spares.values():
            spares.close()

    def audit(self) -> list[dict[str, Any]]:
        with self.desk() as desk:
            return desk.rows("SELECT * FROM audit ORDER BY id")


def text_of(answer: httpx.Response) -> str:
    """What a page says, tags taken out."""
    return " ".join(re.sub(r"<[^>]+>", " ", answer.text).split())
