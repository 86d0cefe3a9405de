"""The desk's tables, in the desk store. All times are milliseconds since 1970 UTC, of headquarters' clock but `at_ms`
and `due_ms` of a thing, which are the box's."""

from __future__ import annotations

_PORTABLE = """
-- How far each ledger's rows have been looked through for things that somebody must hear or read.
CREATE TABLE desk_mark (store_id INTEGER PRIMARY KEY, seq INTEGER NOT NULL) STRICT;

-- What somebody must hear or read: kind case, recording or letter. What its box says of it, and how it stands
-- here. name: `<store>-<seq>`. caller: '' withheld. said: the row of its sound, 0 none. known_seq: the row up to which
-- the caller's own judgements are in `state`. assignee: an account, 0 nobody. version: counts what was done to it here.
CREATE TABLE desk_thing (
    id INTEGER PRIMARY KEY, store_id INTEGER NOT NULL, seq INTEGER NOT NULL, name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL, at_ms INTEGER NOT NULL, box TEXT NOT NULL, line TEXT NOT NULL, district TEXT NOT NULL,
    campaign TEXT NOT NULL, language TEXT NOT NULL, caller TEXT NOT NULL, reference TEXT NOT NULL,
    said INTEGER NOT NULL, seconds INTEGER NOT NULL, words TEXT NOT NULL, known_seq INTEGER NOT NULL,
    state TEXT NOT NULL, due_ms INTEGER, assignee INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0,
    contacted_ms INTEGER, changed_ms INTEGER NOT NULL, version INTEGER NOT NULL DEFAULT 0, UNIQUE (store_id, seq)
) STRICT;
CREATE INDEX desk_thing_at ON desk_thing (at_ms, id);
CREATE INDEX desk_thing_open ON desk_thing (at_ms, id) WHERE state NOT IN ('resolved', 'verified');
CREATE INDEX desk_thing_state ON desk_thing (state, at_ms, id);
CREATE INDEX desk_thing_moved ON desk_thing (kind, at_ms, store_id, seq, state, contacted_ms, version)
    WHERE version > 0;
CREATE INDEX desk_thing_kind ON desk_thing (kind, at_ms, id);
CREATE INDEX desk_thing_campaign ON desk_thing (campaign, at_ms, id);
CREATE INDEX desk_thing_district ON desk_thing (district, at_ms, id);
CREATE INDEX desk_thing_assignee ON desk_thing (assignee, at_ms, id) WHERE assignee > 0;
CREATE INDEX desk_thing_due ON desk_thing (due_ms, id)
    WHERE due_ms > 0 AND state NOT IN ('contacted', 'resolved', 'verified');
CREATE INDEX desk_thing_caller ON desk_thing (caller, at_ms);
CREATE INDEX desk_thing_reference ON desk_thing (reference) WHERE reference <> '';
CREATE INDEX desk_thing_said ON desk_thing (store_id, said) WHERE said > 0;

-- Tags: by key path, as the row has them (`by` is ''), and by hand. at_ms: of the thing, so that a page is a range.
CREATE TABLE desk_tag (
    thing INTEGER NOT NULL, tag TEXT NOT NULL, at_ms INTEGER NOT NULL, by TEXT NOT NULL, PRIMARY KEY (thing, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX desk_tag_at ON desk_tag (tag, at_ms, thing);

-- What was done with a thing, in order: a move, a note, a tag, an order to its box (`box`, `number`, else '' and 0).
CREATE TABLE desk_act (
    id INTEGER PRIMARY KEY, thing INTEGER NOT NULL, at_ms INTEGER NOT NULL, by TEXT NOT NULL, did TEXT NOT NULL,
    note TEXT NOT NULL, box TEXT NOT NULL DEFAULT '', number INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX desk_act_thing ON desk_act (thing, id);

-- Texts to be sent, each in one language; a name may have several.
CREATE TABLE desk_text (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, language TEXT NOT NULL, words TEXT NOT NULL, by TEXT NOT NULL,
    changed_ms INTEGER NOT NULL, version INTEGER NOT NULL DEFAULT 0, UNIQUE (name, language)
) STRICT;

-- Who was written to from here, and when: nobody is answered twice for one thing. wave 0: by hand.
CREATE TABLE desk_sent (
    id INTEGER PRIMARY KEY, caller TEXT NOT NULL, thing INTEGER NOT NULL, wave INTEGER NOT NULL, at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX desk_sent_caller ON desk_sent (caller, at_ms);

-- Answering all callers of a tag: state running, done or stopped. Each caller is todo, ordered or spared (and why).
CREATE TABLE desk_wave (
    id INTEGER PRIMARY KEY, tag TEXT NOT NULL, campaign TEXT NOT NULL, kind TEXT NOT NULL, words TEXT NOT NULL,
    language TEXT NOT NULL, parts INTEGER NOT NULL, state TEXT NOT NULL, by TEXT NOT NULL, made_ms INTEGER NOT NULL,
    moved_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE desk_wave_caller (
    wave INTEGER NOT NULL, caller TEXT NOT NULL, thing INTEGER NOT NULL, state TEXT NOT NULL, why TEXT NOT NULL,
    PRIMARY KEY (wave, caller)
) STRICT, WITHOUT ROWID;
CREATE INDEX desk_wave_state ON desk_wave_caller (wave, state, caller);

-- The drawing of a recording: how loud it is, a byte for each step of its length. Empty: it cannot be drawn.
CREATE TABLE desk_drawing (
    store_id INTEGER NOT NULL, seq INTEGER NOT NULL, loud BLOB NOT NULL, PRIMARY KEY (store_id, seq)
) STRICT, WITHOUT ROWID;
"""

# The words of notes and letters, by the thing's id. Both are given words that `search` has cut.
_SQLITE = "CREATE VIRTUAL TABLE desk_words USING fts5 (words, tokenize = 'ascii');"
_POSTGRESQL = """
CREATE TABLE desk_words (rowid BIGINT PRIMARY KEY, words TSVECTOR NOT NULL);
CREATE INDEX desk_words_words ON desk_words USING gin (words);
"""

DDL = {"sqlite": _PORTABLE + _SQLITE, "postgresql": _PORTABLE + _POSTGRESQL}
