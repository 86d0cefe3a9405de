"""Fixtures of the whole run: one PostgreSQL server, however many rooms' tests ask for it."""

from tests.postgres import postgres as postgres
