"""Headquarters: one room a duty.

config.py     HQ's file, checked                      tariff.py   what things cost
sql.py        one way to ask SQLite or PostgreSQL     stores.py   the events store and the desk's, opened
spares.py     connections that pages use again
receiver.py   the loop: payloads in, one commit for many, then the acknowledgements; the only writer of events
intake.py     what a payload does, decided once: marks, chains, trims, forks, quarantine
store.py      that, written to SQLite                 pgstore.py  and to PostgreSQL, where several receivers write
schema.py     the events store's tables, as numbered migrations          deskstore.py  the desk's
recordings.py sound, on files                         news.py     what new rows say to the first page
rollups.py    what the pages read in place of events, kept in the transaction of the rows
              facts.py says what each counter means; pure beside it: gather talks visits votes acts loads signs;
              hunts.py and alive.py work out anew what is told of boxes; tables.py has them, sets.py writes them,
              older.py looks back, distinct.py counts callers, issues.py names referendums
metrics/      every figure: its definition, its query, its value for a slice, a breakdown, two periods
fraud.py      flags, never deletions
reports.py voices.py looks.py   the first page's questions              views/   its words and drawings, pure
desk/         what somebody must hear or read: states, the clock, answers, search
people/       lists by ward, outcomes, invitations, consents, opt-outs, erasure, what is kept how long
doors/        who may come in, what each may do, the log, whole numbers, and what leaves as a file
silence.py    windows before a poll in which votes are not told
things.py     how a thing is named                    export.py   what HQ holds, streamed out
orders.py     what boxes are asked to do
snapshot.py   one file for auditors (keyed.py, auditing.py)
pages/        the web page: one module for each group of pages; app.py stands before all of them
"""
