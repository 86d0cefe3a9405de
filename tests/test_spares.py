"""Connections to PostgreSQL that pages use again: one request at a time, whole ones only, and no more than a few."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import PlainTextResponse, Response

from sync.hq import schema, spares, sql
from sync.hq.doors.roles import ANYONE
from sync.hq.pages.ask import Ask, Page, Refused
from sync.hq.pages.routes import ROUTES, TABS
from sync.hq.spares import Spares
from tests.hq import Office, light
from tests.postgres import Server, needs_postgres

__all__ = ["light"]  # a fixture, used by name
pytestmark = needs_postgres


def backend(ask: Ask) -> Response:
    """The server's process of each store's connection; what the address asks for goes wrong first."""
    pids = [str(db.value("SELECT pg_backend_pid()")) for db in (ask.events, ask.desk)]
    wrong = ask.query.get("wrong")
    if wrong == "refused":
        raise Refused("No.")
    if wrong == "error":
        ask.desk.run("SELECT 1 / 0")
    if wrong == "open":
        ask.desk.raw.execute("BEGIN")
    return PlainTextResponse(" ".join(pids))


@pytest.fixture
def url(postgres: Server) -> str:
    made = postgres.database()
    schema.postgres(made).close()
    return made


@pytest.fixture
def office(url: str, tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path, [Page("/backend", backend, ANYONE), *ROUTES], TABS, store=url)
    yield made
    made.close()


def pids(office: Office, asked: str = "") -> list[str]:
    answer = office.client("manager").get(f"/backend{asked}")
    return answer.text.split() if answer.status_code == 200 else [str(answer.status_code)]


def test_a_page_uses_the_connections_of_the_one_before(office: Office) -> None:
    first = pids(office)
    assert len(first) == 2 and [pids(office) for _ in range(3)] == [first] * 3
    assert pids(office, "?wrong=refused") == ["400"] and pids(office) == first, "a refusal is no error"
    assert office.client("manager").get("/numbers").status_code == 200 and pids(office) == first


def test_a_connection_that_met_an_error_is_not_used_again(office: Office) -> None:
    first = pids(office)
    assert pids(office, "?wrong=error") == ["503"]
    assert not set(pids(office)) & set(first)


def test_a_transaction_that_was_left_open_ends_with_its_connection(office: Office) -> None:
    events, desk = pids(office)
    assert pids(office, "?wrong=open") == [events, desk]
    assert pids(office)[0] == events and pids(office)[1] != desk


def ended(url: str, office: Office) -> list[str]:
    """The server ends all that is idle, as by a restart; what the next page says."""
    pids(office)
    with sql.postgres(url) as db:
        db.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
               " AND datname = current_database()")  # fmt: skip
        while db.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()") > 1:
            time.sleep(0.01)
    return pids(office)


def test_a_server_that_was_restarted_is_no_error_on_a_page(url: str, office: Office) -> None:
    before = pids(office)
    after = ended(url, office)
    assert len(after) == 2 and not set(after) & set(before)


def test_what_is_not_asked_whether_it_answers_would_be_seen(
    url: str, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spares, "_answers", lambda db: True)
    assert ended(url, office) == ["503"]


def test_an_open_transaction_that_nobody_sees_would_be_seen(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spares, "_is_idle", lambda db: True)
    desk = pids(office, "?wrong=open")[1]
    lent = office.spares["desk"].lend()
    assert str(lent.value("SELECT pg_backend_pid()")) == desk and lent.raw.info.transaction_status.name == "INTRANS"
    lent.close()


def test_no_more_than_a_few_are_kept_and_none_for_long(url: str) -> None:
    now = 0.0
    mine = Spares(lambda: sql.postgres(url), most=2, clock=lambda: now)
    held = [mine.lend() for _ in range(4)]
    for db in held:
        mine.give_back(db, True)
    assert [bool(db.raw.closed) for db in held] == [False, False, True, True]
    assert mine.lend() is held[1], "the one that was used last"
    now = spares.KEPT_S + 1
    mine.give_back(held[1], True)
    assert held[0].raw.closed and not held[1].raw.closed
    mine.close()
    assert held[1].raw.closed


def overlaps(mine: Any) -> int:
    """How often eight threads found that somebody else had their connection."""
    busy: set[int] = set()
    guard, twice = threading.Lock(), 0

    def work() -> None:
        nonlocal twice
        for _ in range(25):
            db = mine.lend()
            with guard:
                twice += id(db) in busy
                busy.add(id(db))
            db.value("SELECT pg_sleep(0.001)")
            with guard:
                busy.discard(id(db))
            mine.give_back(db, True)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    mine.close()
    return twice


def test_a_connection_is_lent_to_one_at_a_time(url: str) -> None:
    assert overlaps(Spares(lambda: sql.postgres(url))) == 0


def test_one_for_all_would_be_seen(url: str) -> None:
    class One(Spares):
        only = sql.postgres(url)

        def lend(self) -> sql.Db:
            return self.only

        def give_back(self, db: sql.Db, whole: bool) -> None: ...

    assert overlaps(One(lambda: One.only)) > 0
    One.only.close()


def test_sqlite_has_none(tmp_path: Path) -> None:
    assert Office(tmp_path, ROUTES, TABS).spares == {}
