"""Headquarters for the tests: its file, and its events store of either kind, to be written, read and emptied."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.hq import config, sql, stores
from sync.hq.config import HqConfig
from sync.hq.store import QUARANTINE_BYTES, Store
from tests.postgres import Server

_TABLES = (
    "SELECT relname FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace WHERE nspname = 'public'"
    " AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'migration'"
)


def config_of(folder: Path, store: str = "sqlite") -> HqConfig:
    """What hq.toml would say of a headquarters in `folder`."""
    return HqConfig(folder / "hq.toml", folder, "mqtt://127.0.0.1:1", store, config.ALL_SHARDS, "")


class Place:
    """A data folder and its events store."""

    def __init__(self, folder: Path, store: str) -> None:
        self.folder, self.config = folder, config_of(folder, store)
        (folder / "hq.toml").write_text(f'[hq]\ndata = "{folder}"\nbroker = "mqtt://127.0.0.1:1"\nstore = "{store}"\n')

    def open(self, quarantine_bytes: int = QUARANTINE_BYTES) -> Store:
        """The store, for one more life of the receiver."""
        if not sql.is_postgres(self.config.store):
            return Store(self.folder / "hq.db", quarantine_bytes)
        from sync.hq.pgstore import PgStore

        return PgStore(self.config.store, self.folder, quarantine_bytes)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """What another process reads there."""
        with stores.events(self.config) as db:
            return [tuple(row.values()) for row in db.rows(query)]

    def events(self) -> list[tuple[object, ...]]:
        """Every row of every ledger, as its box wrote it."""
        return [row[1:-1] for row in self.rows("SELECT * FROM event ORDER BY store_id, seq")]

    def alarms(self) -> set[object]:
        return {row[0] for row in self.rows("SELECT kind FROM alarm")}

    def clear(self) -> None:
        """As if no receiver had ever been here."""
        if not sql.is_postgres(self.config.store):
            for file in self.folder.glob("hq.db*"):
                file.unlink()
            return
        with sql.postgres(self.config.store) as db:
            for row in db.rows(_TABLES):
                db.run(f"DELETE FROM {row['relname']}")


def place_of(request: pytest.FixtureRequest, folder: Path, kind: str) -> Place:
    if kind == "sqlite":
        return Place(folder, "sqlite")
    server: Server = request.getfixturevalue("postgres")
    return Place(folder, server.database())


@pytest.fixture(name="place", params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A new, empty headquarters on each kind of store."""
    yield place_of(request, tmp_path, request.param)
