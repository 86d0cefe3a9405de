"""The tables of people, in the desk store. All times are milliseconds since 1970 UTC, of headquarters' clock.

`caller` is a number in E.164. Erasing somebody takes it out of every table here but `suppressed`, which never had it.
"""

from __future__ import annotations

DDL = """
-- A file of outcomes that somebody has sent. `wrong` is the CSV of the rows that were refused, '' once it is too old;
-- only who sent the file may have it.
CREATE TABLE upload (
    id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, by TEXT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL,
    encoding TEXT NOT NULL, rows INTEGER NOT NULL, taken INTEGER NOT NULL, known INTEGER NOT NULL,
    refused INTEGER NOT NULL, wrong TEXT NOT NULL
) STRICT;

-- What became of a caller: registered, attended or pledged, once each in a campaign.
CREATE TABLE outcome (
    campaign TEXT NOT NULL, goal TEXT NOT NULL, caller TEXT NOT NULL, at_ms INTEGER NOT NULL, note TEXT NOT NULL,
    upload_id INTEGER NOT NULL, PRIMARY KEY (campaign, goal, caller)
) STRICT;
CREATE INDEX outcome_caller ON outcome (caller);

-- An issue that is an invitation, and not a vote.
CREATE TABLE invitation (issue TEXT PRIMARY KEY, title TEXT NOT NULL) STRICT;

-- Which ward a line serves, where its callers did not say theirs.
CREATE TABLE line_ward (
    box TEXT NOT NULL, line TEXT NOT NULL, ward TEXT NOT NULL, PRIMARY KEY (box, line)
) STRICT;

-- Who wants to be rung by a person. `store_id` and `seq` name the thing by which she asked (`asked`: consent, sms,
-- desk), `source` is how her ward is known: key, sms, desk, line, or '' when it is not.
CREATE TABLE follow (
    id INTEGER PRIMARY KEY, caller TEXT NOT NULL, campaign TEXT NOT NULL, store_id INTEGER NOT NULL,
    seq INTEGER NOT NULL, asked TEXT NOT NULL, asked_ms INTEGER NOT NULL, language TEXT NOT NULL,
    district TEXT NOT NULL, ward TEXT NOT NULL, source TEXT NOT NULL, state TEXT NOT NULL, tries INTEGER NOT NULL,
    made_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL, UNIQUE (caller, campaign)
) STRICT;
CREATE INDEX follow_ward ON follow (ward, state);
CREATE INDEX follow_thing ON follow (store_id, seq);
CREATE TABLE follow_note (
    id INTEGER PRIMARY KEY, follow_id INTEGER NOT NULL, at_ms INTEGER NOT NULL, by TEXT NOT NULL, state TEXT NOT NULL,
    note TEXT NOT NULL
) STRICT;
CREATE INDEX follow_note_of ON follow_note (follow_id, id);

-- How far a job has read a ledger's things of one kind.
CREATE TABLE read_mark (
    job TEXT NOT NULL, store_id INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (job, store_id)
) STRICT;

-- Who wants nothing more, in the order in which headquarters learnt of it; '' once she was erased. `box`: where she
-- said it, '' at the desk.
CREATE TABLE stop (
    id INTEGER PRIMARY KEY, caller TEXT NOT NULL, at_ms INTEGER NOT NULL, box TEXT NOT NULL
) STRICT;
CREATE INDEX stop_caller ON stop (caller);
CREATE TABLE stop_told (box TEXT PRIMARY KEY, id INTEGER NOT NULL) STRICT;

-- The same as keyed hashes, which survive an erasure.
CREATE TABLE suppressed (hash TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, source TEXT NOT NULL) STRICT;

-- Somebody asks to be forgotten: from `due_ms` on the receiver obeys. `caller` is '' when all is done; `report` tells
-- what was found and what is left, as JSON.
CREATE TABLE erasure (
    id INTEGER PRIMARY KEY, caller TEXT NOT NULL, hash TEXT NOT NULL, asked_ms INTEGER NOT NULL, by TEXT NOT NULL,
    reason TEXT NOT NULL, due_ms INTEGER NOT NULL, done_ms INTEGER, report TEXT NOT NULL
) STRICT;
"""
