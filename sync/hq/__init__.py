"""Headquarters: one room a duty.

config.py     HQ's file, checked
receiver.py   the loop: payloads in, one commit for many, then the acknowledgements; the only writer of events
store.py      what a payload does to the embedded store: marks, chains, alarms, quarantine
schema.py     the store's tables, as numbered migrations
export.py     what HQ holds, streamed out
doors/        who may come in, what each may do, the log, whole numbers, and what leaves as a file
pages/        the web page: one module for each group of pages
"""
