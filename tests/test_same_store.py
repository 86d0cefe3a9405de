"""Whatever comes, both stores answer alike and hold the same: every column of every table, after any payloads."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench import voters
from sync import wire
from sync.hq.pgstore import PgStore
from tests.hqs import Place, place_of
from tests.postgres import needs_postgres
from tests.test_hq_store import NOW, Box, row, unreadable
from tests.test_hq_store import SAID as TALKED

pytestmark = needs_postgres

CALLS = list(voters.rows(40, replies=True))
SAID = [
    *TALKED,
    *(row(len(TALKED) + n, 0, "line", state)._replace(mono_ms=n * 400_000, at_ms=NOW - 9_000_000 + n * 400_000)
      for n, state in enumerate(("ready", "ready", "no-sim", "ready", "no-network", "no-network"), 1)),
]  # fmt: skip
SOUND = bytes(range(256)) * 40
TABLES = {
    "event": "SELECT * FROM event ORDER BY store_id, seq",
    "store": "SELECT * FROM store ORDER BY id",
    "box": "SELECT * FROM box ORDER BY box",
    "hourly": "SELECT * FROM hourly ORDER BY store_id, campaign, hour_ms",
    "grievance": "SELECT * FROM grievance ORDER BY store_id, seq",
    "sign": "SELECT * FROM sign ORDER BY store_id",
    "uptime": "SELECT * FROM uptime ORDER BY district, box, day",
    "service": "SELECT * FROM service ORDER BY day, district, box",
    "ordered": "SELECT * FROM ordered ORDER BY box, number",
    "recording_file": "SELECT * FROM recording_file ORDER BY store_id, seq",
    "alarm": "SELECT box, store, kind, words, times, first_ms, last_ms FROM alarm ORDER BY box, store, kind",
    "quarantine": "SELECT digest, box, store, first, count, reason, passed, times, first_ms, last_ms, payload"
    " FROM quarantine ORDER BY digest",
}


def _parcel(box: Box, offset: int) -> tuple[str, bytes]:
    chunk = SOUND[offset : offset + wire.MAX_CHUNK]
    digest = hashlib.sha256(SOUND).digest()
    return box.topic, wire.pack_parcel(wire.Parcel(box.store, 5, "opus", len(SOUND), digest, offset, chunk))


def _messages() -> list[tuple[str, bytes]]:
    """Hellos, batches of any span, and everything that a store refuses."""
    calls, said = Box(CALLS), Box(SAID, "b2", "00c0ffee")
    clone = Box([*CALLS[:20], *((*row[:4], row[4] + 1, *row[5:]) for row in CALLS[20:])])
    thief = Box(CALLS, box="b3")
    spans = [(1, 10), (5, 20), (11, 25), (21, 21), (21, 40), (26, 40), (1, 40)]
    known = [
        *(box.hello(last, at_ms=NOW - 9000 + 100 * last) for box in (calls, said) for last in (0, 5, len(box.rows))),
        *(calls.batch(*span) for span in spans),
        *(said.batch(first, last) for first, last in ((1, 6), (4, 12), (7, len(SAID)), (1, len(SAID)))),
        *(clone.batch(*span) for span in ((15, 30), (21, 40))), clone.hello(), thief.hello(), thief.batch(1, 5),
        *(unreadable(calls, seq, seq) for seq in (1, 11, 21, 26)), unreadable(calls, 1, 8),
        (calls.topic, b"garbage"), ("miscall/1/xx", b"?"), _parcel(said, 0), _parcel(said, wire.MAX_CHUNK),
        (thief.topic, said.hello()[1]), _parcel(thief, 0),
    ]  # fmt: skip
    return known


MESSAGES = _messages()


@pytest.fixture
def places(request: pytest.FixtureRequest, tmp_path: Path) -> list[Place]:
    made = []
    for kind in ("sqlite", "postgresql"):
        (tmp_path / kind).mkdir()
        made.append(place_of(request, tmp_path / kind, kind))
    return made


def compare(places: list[Place], groups: list[list[int]]) -> None:
    """Give both the same groups of messages, each at its own time."""
    stores = []
    for place in places:
        place.clear()
        stores.append(place.open())
    try:
        for later, group in enumerate(groups):
            messages = [MESSAGES[which] for which in group]
            first, second = (store.take(messages, NOW + later) for store in stores)
            assert first == second, "other answers"
        for name, query in TABLES.items():
            first, second = (_without_ids(place.rows(query), place) for place in places)
            assert first == second, name
    finally:
        for store in stores:
            store.close()


def _without_ids(rows: list[tuple[object, ...]], place: Place) -> list[tuple[object, ...]]:
    """A ledger's number is the store's own affair: its name instead."""
    names = {row[0]: row[1] for row in place.rows("SELECT id, store FROM store")}
    return [(names.get(row[0], row[0]), *row[1:]) for row in rows]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(0, len(MESSAGES) - 1), max_size=6), max_size=10))
def test_both_stores_hold_the_same(places: list[Place], groups: list[list[int]]) -> None:
    compare(places, groups)


def test_both_stores_hold_the_same_after_everything(places: list[Place]) -> None:
    compare(places, [[which] for which in range(len(MESSAGES))] + [list(range(len(MESSAGES)))])


@pytest.mark.parametrize("part", ["_seen", "_marks", "_write"])
def test_a_store_that_forgets_a_part_is_caught(
    places: list[Place], monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setattr(PgStore, part, lambda *_: None)
    with pytest.raises(AssertionError):
        compare(places, [[which] for which in range(len(MESSAGES))])
