"""The roll-ups' tables: what the pages read in place of events.  `facts` says what each counter means in terms of rows.

Rules of this room
- Tables only, written once for both stores as `sql` wants them. Nothing here is ever truth: `rollups.rebuild` makes all
  of it anew from events, except `campaign`, whose small numbers stay.
- `day` is a local date as days since 1970-01-01, `hour` its hour; which zone, is frozen in `place`.
- Keys that windows of days are summed from begin with the day: SQLite keeps a table in the order of its key.
- A row of counters that has come down to zeros says the same as no row. Counters are INT: that is INTEGER in SQLite,
  and in PostgreSQL they are half as wide and added up faster; only amounts could grow beyond 32 bits.
- `caller` is a number in E.164; `marks` are packed (`visits`, `acts`, `votes` read them) and only ever appended to.
"""

from __future__ import annotations

import re
from functools import lru_cache

# The counters of `tally`, in the order in which `facts` keeps them.
TALLY = (
    "calls", "numbered", "withheld", "gave_up", "recovered", "talked", "placed", "reached", "talk_s", "placed_s",
    "tries_1", "tries_2", "tries_3", "reached_1", "reached_2", "reached_3", "due", "due_held", "within_60", "letters",
    "sent", "delivered", "failed", "unknown", "cancelled", "held", "parts", "received", "optouts", "beeps",
    "recordings", "yields", "beep_calls", "answers", "cases", "consents", "goals", "first_prompt_lost", "listen_50",
    "listen_75",
)  # fmt: skip
NODE = ("entered", "heard", "keyed", "invalid", "no_input", "spoke", "hung_up", "goals")
ENGAGED = ("offered", "acted")  # of `day_tally`, behind those of TALLY
BOX = (*ENGAGED, "n", "clean")  # and of `box_tally`
POLL = ("raw", "nameless", "first", "last", "single", "conflicts")


AMOUNTS = ("talk_s", "placed_s", "parts")  # of these one row may add a lot; all others count things, one by one


def _counters(names: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {'INTEGER' if name in AMOUNTS else 'INT'} NOT NULL DEFAULT 0" for name in names)


DDL = f"""
CREATE TABLE campaign (id INTEGER PRIMARY KEY, campaign TEXT NOT NULL UNIQUE) STRICT;

-- Campaigns that are an option of an issue, as the roll-ups were made with.
CREATE TABLE part (
    campaign TEXT PRIMARY KEY, issue TEXT NOT NULL, option TEXT NOT NULL, policy TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A ledger as its first rows found it: frozen, so that a later row never moves what an earlier one counted.
-- began: the local day of its first row. campaign: of its newest row that names one. newest_ms: the greatest at_ms of
-- its rows; jumped: the last row that was more than an hour behind that. They tell in which days of `event` older rows
-- can lie.
CREATE TABLE place (
    store_id INTEGER PRIMARY KEY, box TEXT NOT NULL, line TEXT NOT NULL, channel TEXT NOT NULL, district TEXT NOT NULL,
    timezone TEXT NOT NULL, language TEXT NOT NULL, began INTEGER NOT NULL, campaign TEXT NOT NULL,
    newest_ms INTEGER NOT NULL, jumped INTEGER NOT NULL
) STRICT;
CREATE INDEX place_district ON place (district);
CREATE INDEX place_box ON place (box);

CREATE TABLE tally (
    store_id INTEGER NOT NULL, campaign TEXT NOT NULL, day INTEGER NOT NULL, hour INTEGER NOT NULL,
    language TEXT NOT NULL, {_counters(TALLY)}, PRIMARY KEY (store_id, campaign, day, hour, language)
) STRICT, WITHOUT ROWID;
CREATE INDEX tally_day ON tally (day, campaign);

-- The same, put together: of a line and day, with callers who were first offered an act beyond the missed call on that
-- day, and who of them acted; and of all lines, by the hour. A page asks the shortest that can tell.
CREATE TABLE day_tally (
    day INTEGER NOT NULL, store_id INTEGER NOT NULL, campaign TEXT NOT NULL, {_counters(TALLY)}, {_counters(ENGAGED)},
    PRIMARY KEY (day, store_id, campaign)
) STRICT, WITHOUT ROWID;
CREATE INDEX day_tally_store ON day_tally (store_id, day);
CREATE TABLE all_tally (
    campaign TEXT NOT NULL, day INTEGER NOT NULL, hour INTEGER NOT NULL, language TEXT NOT NULL, {_counters(TALLY)},
    PRIMARY KEY (campaign, day, hour, language)
) STRICT, WITHOUT ROWID;

-- What the lines of a box and campaign heard and lost in a day (`loads`): own and told are calls, blocked and unseen
-- milliardths of a call, busiest those of an erlang; and of all, by the hour.
CREATE TABLE load (
    day INTEGER NOT NULL, district TEXT NOT NULL, box TEXT NOT NULL, campaign TEXT NOT NULL,
    own INT NOT NULL DEFAULT 0, told INT NOT NULL DEFAULT 0, blocked INTEGER NOT NULL DEFAULT 0,
    unseen INTEGER NOT NULL DEFAULT 0, busiest INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (day, district, box, campaign)
) STRICT, WITHOUT ROWID;
CREATE INDEX load_box ON load (box, campaign);
CREATE INDEX load_busiest ON load (day, campaign, busiest);
CREATE TABLE all_load (
    campaign TEXT NOT NULL, day INTEGER NOT NULL, hour INTEGER NOT NULL, own INT NOT NULL DEFAULT 0,
    told INT NOT NULL DEFAULT 0, blocked INTEGER NOT NULL DEFAULT 0, unseen INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (campaign, day, hour)
) STRICT, WITHOUT ROWID;

-- Of a box and day, whatever was rung: of its lines the sums of `day_tally` and `fresh`.
CREATE TABLE box_tally (
    day INTEGER NOT NULL, district TEXT NOT NULL, box TEXT NOT NULL, {_counters(TALLY)}, {_counters(BOX)},
    PRIMARY KEY (day, district, box)
) STRICT, WITHOUT ROWID;

-- And of all lines what later tables tell of each.
CREATE TABLE all_node (
    campaign TEXT NOT NULL, day INTEGER NOT NULL, node TEXT NOT NULL, {_counters(NODE)},
    PRIMARY KEY (campaign, day, node)
) STRICT, WITHOUT ROWID;
CREATE TABLE all_fresh (
    campaign TEXT NOT NULL, day INTEGER NOT NULL, n INT NOT NULL DEFAULT 0, clean INT NOT NULL DEFAULT 0,
    PRIMARY KEY (campaign, day)
) STRICT, WITHOUT ROWID;
CREATE TABLE all_engagement (
    campaign TEXT NOT NULL, day INTEGER NOT NULL, offered INT NOT NULL DEFAULT 0,
    acted INT NOT NULL DEFAULT 0, PRIMARY KEY (campaign, day)
) STRICT, WITHOUT ROWID;

-- How long things took: kind reply, held-reply, callback, first-key or case; `facts.bucket` are the steps.
CREATE TABLE latency (
    campaign TEXT NOT NULL, store_id INTEGER NOT NULL, day INTEGER NOT NULL, kind TEXT NOT NULL,
    bucket INTEGER NOT NULL, n INT NOT NULL DEFAULT 0, PRIMARY KEY (campaign, store_id, day, kind, bucket)
) STRICT, WITHOUT ROWID;
CREATE INDEX latency_day ON latency (kind, day);
CREATE INDEX latency_store ON latency (store_id, day);
CREATE TABLE all_latency (
    campaign TEXT NOT NULL, day INTEGER NOT NULL, kind TEXT NOT NULL, bucket INTEGER NOT NULL,
    n INT NOT NULL DEFAULT 0, PRIMARY KEY (campaign, day, kind, bucket)
) STRICT, WITHOUT ROWID;

CREATE TABLE node_tally (
    store_id INTEGER NOT NULL, campaign TEXT NOT NULL, day INTEGER NOT NULL, node TEXT NOT NULL, {_counters(NODE)},
    PRIMARY KEY (day, store_id, campaign, node)
) STRICT, WITHOUT ROWID;
CREATE INDEX node_store ON node_tally (store_id, day);
CREATE INDEX node_day ON node_tally (campaign, day);

-- Distinct and new callers: `visits` says how they are summed. clean: what is to be added when flagged are left out.
CREATE TABLE caller (caller TEXT PRIMARY KEY, marks TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE fresh (
    store_id INTEGER NOT NULL, campaign TEXT NOT NULL, day INTEGER NOT NULL, n INT NOT NULL DEFAULT 0,
    clean INT NOT NULL DEFAULT 0, PRIMARY KEY (day, store_id, campaign)
) STRICT, WITHOUT ROWID;
CREATE INDEX fresh_campaign ON fresh (campaign, day);
CREATE INDEX fresh_store ON fresh (store_id, day);
CREATE TABLE pair (
    scope TEXT NOT NULL, topic TEXT NOT NULL, area TEXT NOT NULL, day INTEGER NOT NULL, prev INTEGER NOT NULL,
    n INT NOT NULL DEFAULT 0, clean INT NOT NULL DEFAULT 0, PRIMARY KEY (scope, day, topic, area, prev)
) STRICT, WITHOUT ROWID;
CREATE INDEX pair_area ON pair (scope, topic, area, day);

-- Rule 56: who rang more than ten times on one local day, and those calls.
CREATE TABLE flagged (
    store_id INTEGER NOT NULL, campaign TEXT NOT NULL, day INTEGER NOT NULL, callers INT NOT NULL DEFAULT 0,
    calls INT NOT NULL DEFAULT 0, PRIMARY KEY (day, store_id, campaign)
) STRICT, WITHOUT ROWID;

-- Callers who were offered an act beyond the missed call, and what they did.
CREATE TABLE act (
    caller TEXT NOT NULL, campaign INTEGER NOT NULL, marks TEXT NOT NULL, PRIMARY KEY (caller, campaign)
) STRICT, WITHOUT ROWID;
-- The sum of `day_tally.offered` over all days.
CREATE TABLE offered (
    store_id INTEGER NOT NULL, campaign TEXT NOT NULL, offered INT NOT NULL DEFAULT 0, PRIMARY KEY (store_id, campaign)
) STRICT, WITHOUT ROWID;

-- Votes: of a referendum by number or by key, and words to an invitation. A counter lies where and when its vote was.
CREATE TABLE vote (
    issue TEXT NOT NULL, caller TEXT NOT NULL, marks TEXT NOT NULL, PRIMARY KEY (issue, caller)
) STRICT, WITHOUT ROWID;
CREATE INDEX vote_caller ON vote (caller);
CREATE TABLE poll (
    issue TEXT NOT NULL, option TEXT NOT NULL, store_id INTEGER NOT NULL, day INTEGER NOT NULL, {_counters(POLL)},
    PRIMARY KEY (day, issue, option, store_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX poll_store ON poll (store_id, day);

-- Things, by the row that began them.
CREATE TABLE talk (
    store_id INTEGER NOT NULL, seq INTEGER NOT NULL, campaign TEXT NOT NULL, day INTEGER NOT NULL,
    hour INTEGER NOT NULL, at_ms INTEGER NOT NULL, caller TEXT NOT NULL, language TEXT NOT NULL,
    placed INTEGER NOT NULL, attempt INTEGER NOT NULL, answered INTEGER NOT NULL, seconds INTEGER NOT NULL,
    first_key_ms INTEGER, goal INTEGER NOT NULL, entered INTEGER NOT NULL, heard INTEGER NOT NULL,
    moved INTEGER NOT NULL, keyed INTEGER NOT NULL, beeps INTEGER NOT NULL, last_node TEXT NOT NULL,
    ended TEXT NOT NULL, PRIMARY KEY (store_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX talk_at ON talk (at_ms);
CREATE INDEX talk_caller ON talk (caller, at_ms);
CREATE TABLE recording (
    store_id INTEGER NOT NULL, seq INTEGER NOT NULL, campaign TEXT NOT NULL, day INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, caller TEXT NOT NULL, language TEXT NOT NULL, state TEXT NOT NULL, call INTEGER NOT NULL,
    node TEXT NOT NULL, tags TEXT NOT NULL, is_case INTEGER NOT NULL, ms INTEGER NOT NULL, speech_ms INTEGER,
    PRIMARY KEY (store_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX recording_day ON recording (day);
CREATE INDEX recording_at ON recording (at_ms);
CREATE INDEX recording_state ON recording (state, at_ms);
CREATE INDEX recording_caller ON recording (caller, at_ms);
CREATE TABLE grievance (
    store_id INTEGER NOT NULL, seq INTEGER NOT NULL, campaign TEXT NOT NULL, day INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, caller TEXT NOT NULL, language TEXT NOT NULL, state TEXT NOT NULL,
    reference TEXT NOT NULL, opened_ms INTEGER NOT NULL, due_ms INTEGER NOT NULL, call INTEGER NOT NULL,
    recording INTEGER NOT NULL, node TEXT NOT NULL, tags TEXT NOT NULL, changed_ms INTEGER NOT NULL,
    contacted_ms INTEGER, resolved_ms INTEGER, verified_ms INTEGER, reopened INTEGER NOT NULL,
    PRIMARY KEY (store_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX grievance_day ON grievance (day);
CREATE INDEX grievance_open ON grievance (due_ms, state) WHERE state NOT IN ('resolved', 'verified');
CREATE INDEX grievance_state ON grievance (state, due_ms);
CREATE INDEX grievance_opened ON grievance (opened_ms);
CREATE INDEX grievance_caller ON grievance (caller);
CREATE INDEX grievance_reference ON grievance (reference);
CREATE TABLE letter (
    store_id INTEGER NOT NULL, seq INTEGER NOT NULL, campaign TEXT NOT NULL, day INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, caller TEXT NOT NULL, caller_kind TEXT NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY (store_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX letter_at ON letter (at_ms);
CREATE INDEX letter_caller ON letter (caller, at_ms);
CREATE TABLE answer (
    store_id INTEGER NOT NULL, seq INTEGER NOT NULL, campaign TEXT NOT NULL, day INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, caller TEXT NOT NULL, language TEXT NOT NULL, call INTEGER NOT NULL, node TEXT NOT NULL,
    key TEXT NOT NULL, issue TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (store_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX answer_at ON answer (at_ms);
CREATE INDEX answer_caller ON answer (caller, at_ms);
CREATE INDEX answer_issue ON answer (issue, at_ms);
CREATE TABLE consent (
    store_id INTEGER NOT NULL, seq INTEGER NOT NULL, campaign TEXT NOT NULL, day INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, caller TEXT NOT NULL, language TEXT NOT NULL, call INTEGER NOT NULL, node TEXT NOT NULL,
    purpose TEXT NOT NULL, wording TEXT NOT NULL, channel TEXT NOT NULL, evidence TEXT NOT NULL,
    PRIMARY KEY (store_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX consent_day ON consent (day);
CREATE INDEX consent_purpose ON consent (purpose, at_ms);
CREATE INDEX consent_caller ON consent (caller, at_ms);
CREATE TABLE optout (
    store_id INTEGER NOT NULL, seq INTEGER NOT NULL, campaign TEXT NOT NULL, day INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, caller TEXT NOT NULL, PRIMARY KEY (store_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX optout_day ON optout (day);
CREATE INDEX optout_at ON optout (at_ms);
CREATE INDEX optout_caller ON optout (caller);

-- What the signs of life of a ledger have told so far (`signs`): the newest one, is the line up from then on, and the
-- minutes since 1970 of the first and the newest one that is believed.
CREATE TABLE sign (
    store_id INTEGER PRIMARY KEY, boot TEXT NOT NULL, mono_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL,
    up INTEGER NOT NULL, first INTEGER, newest INTEGER
) STRICT;
-- The minutes of a day, both UTC, in which a line of a box was up, as "first-last first-last". No page reads them.
CREATE TABLE uptime (
    district TEXT NOT NULL, box TEXT NOT NULL, day INTEGER NOT NULL, spans TEXT NOT NULL,
    PRIMARY KEY (district, box, day)
) STRICT, WITHOUT ROWID;
-- Minutes of a box in a day: of service, and of these up.
CREATE TABLE service (
    day INTEGER NOT NULL, district TEXT NOT NULL, box TEXT NOT NULL, up INTEGER NOT NULL DEFAULT 0,
    served INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (day, district, box)
) STRICT, WITHOUT ROWID;
"""

ALL = tuple(re.findall(r"CREATE TABLE (\w+)", DDL))  # in the order in which a transaction writes them
DERIVED = tuple(name for name in ALL if name != "campaign")


WITH_CALLER = (  # tables in which a number stands, each with an index that finds it
    "caller", "act", "vote", "talk", "recording", "grievance", "letter", "answer", "consent", "optout",
)  # fmt: skip


@lru_cache(64)
def columns(table: str) -> dict[str, str]:
    """The columns of one of these tables, with their types, in order."""
    found = re.search(rf"CREATE TABLE {table} \((.*?)\) STRICT", DDL, re.DOTALL)
    assert found, table
    return dict(re.findall(r"(\w+) (INTEGER|INT|TEXT)\b", found[1]))


@lru_cache(64)
def key(table: str) -> tuple[str, ...]:
    """The columns of its primary key."""
    found = re.search(rf"CREATE TABLE {table} \((.*?)\) STRICT", DDL, re.DOTALL)
    assert found, table
    named = re.search(r"PRIMARY KEY \((.*?)\)", found[1])
    return tuple(named[1].split(", ")) if named else (next(iter(columns(table))),)
