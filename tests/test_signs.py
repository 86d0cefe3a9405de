"""Signs of life: when a line was up, which minutes are known, on which local day they count."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import station
from sync.hq import rollups, signs, sql
from sync.hq.signs import Heard, Minutes, Service
from sync.wire import WireRow
from tests import rolling

T0 = int(datetime(2026, 11, 26, 6, 0, 30, tzinfo=UTC).timestamp() * 1000)
M0 = T0 // 60_000
BOXED = ("00000009", "pune-9")


def sign(seq: int, later_s: float, state: str = "ready", clock: int = 3, boot: str = "b1", set_s: float = 0) -> WireRow:
    later = round(later_s * 1000)
    at_ms = T0 + later + round(set_s * 1000)
    return (seq, 0, "line", boot, 50_000 + later, at_ms, clock, "", "", "", state, 0, "")


def spans(*rows: WireRow) -> list[tuple[int, int]]:
    """The minutes up, counted from M0."""
    heard: Heard | None = None
    found = []
    for row in rows:
        heard, span = signs.hear(heard, row)
        found += [span] if span else []
    return [(begin - M0, end - M0) for begin, end in found]


def test_boxes_repeat_in_time() -> None:
    assert station.ALIVE_S + station.STATE_EVERY_S <= signs.LAPSE_S < 2 * station.ALIVE_S


@pytest.mark.parametrize(
    ("second", "up"),
    [
        (sign(2, 600), [(0, 11)]),  # from 06:00:30 to 06:10:30: parts of eleven minutes
        (sign(2, 570), [(0, 10)]),  # to 06:10:00 sharp
        (sign(2, 660), [(0, 12)]), (sign(2, 660.001), []), (sign(2, 0), []), (sign(2, -5), []),
        (sign(2, 600, "no-network"), [(0, 11)]),  # it was up until then
        (sign(2, 600, boot="b2"), []),
        (sign(2, 600, clock=0), [(0, 11)]),  # the monotonic clock tells how long
        (sign(2, 600, set_s=-7200), [(0, 11)]),
    ],
)  # fmt: skip
def test_a_line_is_up_until_its_next_sign(second: WireRow, up: list[tuple[int, int]]) -> None:
    assert spans(sign(1, 0), second) == up


@pytest.mark.parametrize("first", [
    sign(1, 0, "no-network"), sign(1, 0, clock=1), sign(1, 0, set_s=-40 * 365 * 86_400), sign(1, 0, set_s=10**10),
])  # fmt: skip
def test_nothing_follows_from_a_sign_that_is_not_ready_or_not_believed(first: WireRow) -> None:
    assert spans(first, sign(2, 600)) == []


def test_service_goes_from_the_first_to_the_newest_that_is_believed() -> None:
    heard: Heard | None = None
    for row in (sign(1, 0, clock=1), sign(2, 600, "no-sim"), sign(3, 7200, set_s=-3600), sign(4, 7800, clock=0)):
        heard, _ = signs.hear(heard, row)
    assert heard is not None and (heard.first, heard.newest) == (M0 + 10, M0 + 60)
    other = Heard("b", 0, 0, 0, M0 - 5, M0 + 1)
    assert signs.service({2: ("Asia/Kolkata", heard), 7: ("UTC", other)}) == ("Asia/Kolkata", M0 - 5, M0 + 60)
    assert signs.service({7: ("UTC", Heard("b", 0, 0, 0, None, None))}) == ("UTC", 0, 0)


@pytest.mark.parametrize(
    ("zone", "day", "long"),
    [
        ("Asia/Kolkata", "2026-11-26", 1440), ("America/Recife", "2026-11-26", 1440), ("Nowhere/A", "2026-11-26", 1440),
        ("Europe/Berlin", "2026-03-29", 1380), ("Europe/Berlin", "2026-10-25", 1500),
        ("Africa/Cairo", "2026-04-24", 1380),  # midnight itself is left out
        ("Pacific/Apia", "2011-12-30", 0),  # there was no such day
    ],
)  # fmt: skip
def test_a_local_day_has_its_minutes(zone: str, day: str, long: int) -> None:
    number = (datetime.fromisoformat(day) - datetime(1970, 1, 1)).days
    begin, end = signs.begins(number, zone), signs.begins(number + 1, zone)
    assert end - begin == long
    served = Service(zone, begin - 10_000, end + 10_000)
    minutes = Minutes({})
    minutes.add((begin - 5, begin + 7))
    assert minutes.day(number, served) == (min(7, long), long)


bits = st.integers(0, 2**1440 - 1)


@given(bits | st.sets(st.integers(0, 1439)).map(lambda minutes: sum(1 << minute for minute in minutes)))
def test_minutes_are_packed_without_loss(day: int) -> None:
    assert signs.unpack(signs.pack(day)) == day


def test_a_whole_day_is_short() -> None:
    assert signs.pack(2**1440 - 1) == "0-1439" and signs.pack(0b1011) == "0-1 3-3" and signs.pack(0) == ""


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 2000))), st.integers(0, 5000), st.integers(1, 3000))
def test_minutes_are_a_set(added: list[tuple[int, int]], begin: int, long: int) -> None:
    minutes, plain = Minutes({}), set()
    for first, n in added:
        minutes.add((first, first + n))
        plain |= set(range(first, first + n))
    assert minutes.count((begin, begin + long)) == len(plain & set(range(begin, begin + long)))


# ----------------------------------------------------------------------------------------- in the store


@pytest.fixture
def db() -> sql.Db:
    made = sql.adopt(sqlite3.connect(":memory:", isolation_level=None))
    rolling.build(made)
    return made


def ledger(number: int, zone: str) -> rolling.Ledger:
    return rolling.Ledger(number, f"{number:08}", "pune-9", f"l{number}", zone, "pune", "")


def kept(db: sql.Db, *batches: rolling.Batch) -> dict[str, list[object]]:
    rolling.empty(db)
    rolling.take(db, rollups.Rollups(db), [[batch] for batch in batches])
    return rolling.picture(db)


def test_days_are_those_of_the_ledger_with_the_least_number(db: sql.Db) -> None:
    """Whichever comes first: days that were counted in another zone are counted anew."""
    one = ledger(1, "Asia/Kolkata"), [sign(1, 0), sign(2, 600), sign(3, 86_400 * 3)]
    two = ledger(2, "America/Recife"), [sign(1, -86_400 * 2), sign(2, -86_400 * 2 + 600), sign(3, 60)]
    told = kept(db, one, two)
    assert told["service"] == kept(db, two, one)["service"]
    assert [key[0] for key, _ in told["service"]] == [20_781, 20_782, 20_783, 20_784, 20_785, 20_786]  # type: ignore[index]
    assert sum(said["served"] for _, said in told["service"]) == 5 * 1440  # type: ignore[misc, index]
    assert sum(said["up"] for _, said in told["service"]) == 22  # type: ignore[misc, index]


def test_minutes_behind_the_newest_sign_that_is_believed_wait_for_it(db: sql.Db) -> None:
    line = ledger(1, "Asia/Kolkata")
    rows = [sign(1, 0), sign(2, 600), sign(3, 1200, clock=0)]
    assert [said for _, said in kept(db, (line, rows))["service"]] == [{"up": 10, "served": 10}]  # type: ignore[misc]
    rows.append(sign(4, 1800))
    assert [said for _, said in kept(db, (line, rows))["service"]] == [{"up": 21, "served": 30}]  # type: ignore[misc]


def test_two_lines_of_a_box_are_one_and_another_district_is_another_box(db: sql.Db) -> None:
    one, two = ledger(1, "Asia/Kolkata"), ledger(2, "Asia/Kolkata")
    moved = rolling.Ledger(3, "00000003", "pune-9", "l3", "Asia/Kolkata", "satara", "")
    rows = [sign(1, 0), sign(2, 600, "no-network"), sign(3, 1200)]
    told = kept(db, (one, rows), (two, [sign(1, 300), sign(2, 900)]), (moved, rows[:2]))
    assert [(key[1], said["up"], said["served"]) for key, said in told["service"]] == [  # type: ignore[index, misc]
        ("pune", 16, 20), ("satara", 10, 10),
    ]  # fmt: skip
