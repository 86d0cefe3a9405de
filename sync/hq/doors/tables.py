"""The tables of the doors, in the desk store. All times are milliseconds since 1970 UTC, of headquarters' clock."""

from __future__ import annotations

DDL = """
-- Somebody who may sign in; `name` in small letters. `ward`: a volunteer sees that ward's list only; '' for all others.
-- `password` is '' until the account's code was used. `totp` is the secret of the codes that it signs in with, '' while
-- there are none; `totp_next` the one that is offered; `totp_step` the last code's time. `address` is the digest of
-- where it last signed in from.
CREATE TABLE account (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, role TEXT NOT NULL, district TEXT NOT NULL DEFAULT '',
    ward TEXT NOT NULL DEFAULT '', language TEXT NOT NULL DEFAULT 'en', password TEXT NOT NULL DEFAULT '',
    totp TEXT NOT NULL DEFAULT '', totp_next TEXT NOT NULL DEFAULT '', totp_step INTEGER NOT NULL DEFAULT 0,
    address TEXT NOT NULL DEFAULT '', made_ms INTEGER NOT NULL, ended_ms INTEGER
) STRICT;

-- Codes that work once, by their digest. `kind`: 'join' sets an account's first password, 'recovery' stands in for a
-- telephone that is lost. The first admin's has the account 0.
CREATE TABLE code (
    digest TEXT PRIMARY KEY, account_id INTEGER NOT NULL, kind TEXT NOT NULL, ends_ms INTEGER NOT NULL,
    used_ms INTEGER
) STRICT;
CREATE INDEX code_account ON code (account_id, kind);

-- Tries to sign in, of one name or from one address, and when the next is let through.
CREATE TABLE pace (
    key TEXT PRIMARY KEY, tries INTEGER NOT NULL, at_ms INTEGER NOT NULL, next_ms INTEGER NOT NULL
) STRICT;

-- A browser that has signed in. `key` is the SHA-256 of what its cookie holds; `said` waits for its next page.
CREATE TABLE session (
    key TEXT PRIMARY KEY, account_id INTEGER NOT NULL, csrf TEXT NOT NULL, said TEXT NOT NULL DEFAULT '',
    agent TEXT NOT NULL DEFAULT '', made_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL, ends_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX session_account ON session (account_id);

-- What was done, revealed and exported, each entry bound to the one before it by `digest`. Only added to.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, who TEXT NOT NULL, role TEXT NOT NULL, did TEXT NOT NULL,
    what TEXT NOT NULL, reason TEXT NOT NULL, digest TEXT NOT NULL
) STRICT;
CREATE INDEX audit_who ON audit (who, at_ms);
CREATE INDEX audit_what ON audit (what, id);

-- How many entries there are, and the last one's digest: an end that was cut off shows.
CREATE TABLE audit_head (
    id INTEGER PRIMARY KEY, entries INTEGER NOT NULL, digest TEXT NOT NULL
) STRICT;

sqlite: CREATE TRIGGER audit_same BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END;
sqlite: CREATE TRIGGER audit_whole BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the log is only added to'); END;
postgresql: CREATE FUNCTION audit_kept() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'the log is only added to'; END $$;
postgresql: CREATE TRIGGER audit_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_kept();
"""
