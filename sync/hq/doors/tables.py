"""The tables of the doors, in the desk store. All times are milliseconds since 1970 UTC, of headquarters' clock."""

from __future__ import annotations

DDL = """
-- Somebody who may sign in. `ward`: a volunteer sees that ward's list only; '' for all others.
CREATE TABLE account (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, role TEXT NOT NULL, district TEXT NOT NULL DEFAULT '',
    ward TEXT NOT NULL DEFAULT '', language TEXT NOT NULL DEFAULT 'en', password TEXT NOT NULL DEFAULT '',
    made_ms INTEGER NOT NULL, ended_ms INTEGER
) STRICT;

-- A browser that has signed in. `key` is the SHA-256 of what its cookie holds; `said` waits for its next page.
CREATE TABLE session (
    key TEXT PRIMARY KEY, account_id INTEGER NOT NULL, csrf TEXT NOT NULL, said TEXT NOT NULL DEFAULT '',
    made_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL, ends_ms INTEGER NOT NULL
) STRICT;

-- What was done, revealed and exported, each entry bound to the one before it by `digest`.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, who TEXT NOT NULL, role TEXT NOT NULL, did TEXT NOT NULL,
    what TEXT NOT NULL, reason TEXT NOT NULL, digest TEXT NOT NULL
) STRICT;
"""
