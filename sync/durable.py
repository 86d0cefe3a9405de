"""A SQLite file whose commits survive a power cut: write-ahead log, synchronised at every commit."""

from __future__ import annotations

import sqlite3
from pathlib import Path


def connect(path: Path | str) -> sqlite3.Connection:
    """Open `path` for the one process that writes it; transactions are the caller's.

    Raises sqlite3.Error when the file cannot be opened, or its log not be switched on: SQLite by itself only
    returns the old mode then, and would go on with a journal that can lose the last commit."""
    db = sqlite3.connect(path, isolation_level=None)
    if db.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise sqlite3.OperationalError(f"{path}: the write-ahead log could not be switched on")
    db.execute("PRAGMA synchronous = FULL")
    return db
