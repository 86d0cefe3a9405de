"""A snapshot tells every figure as headquarters does, from either store, and no number of anybody."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlite_utils
from hypothesis import HealthCheck, Phase, given, settings

from sync.hq import config as settings_of
from sync.hq import keyed, reports, snapshot, sql, stores, tables
from sync.hq.doors import audit
from sync.hq.metrics import METRICS, Given, Slice, breakdown, compute
from sync.hq.schema import migrations
from sync.hq.silence import Hidden, Window
from tests import metering, rolling, streams
from tests.metering import BUSY, DAY0, TARIFF, WEEKS, Stores, fill, happened
from tests.postgres import needs_postgres
from tools.cli import main

SECRET = b"k" * 32
MADE = snapshot.Made("(console) 2026-11-30T00:00:00Z 0badcafe", "0badcafe", streams.START_MS + 9 * 86_400_000)
SLOW = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=set(Phase) - {Phase.shrink})
SAID = "+919876512345"  # a number that stands in what people write
NUMBERS = [*(one.number for one in streams.CALLERS if len(one.number) > 5), SAID]
SLICES = (
    WEEKS, Slice(), Slice(DAY0 + 1, DAY0 + 3), Slice(DAY0, DAY0 + 9, district="nashik"), Slice(issue="subsidy"),
    Slice(DAY0, DAY0 + 30, campaign="ask"), Slice(DAY0, DAY0 + 30, ward="ward 3"), Slice(tag="roads"),
    Slice(language="hi"), Slice(clean=True),
)  # fmt: skip


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=needs_postgres)])
def live(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    """Both stores as they stand in use: two files, or two schemas of one database."""
    if request.param == "sqlite":
        events, desk = sql.sqlite(tmp_path / "hq.db"), sql.sqlite(tmp_path / "desk.db")
    else:
        url = request.getfixturevalue("postgres").database()
        events, desk = sql.postgres(url), sql.postgres(url)
        desk.run("CREATE SCHEMA desk")
        desk.run("SET search_path = desk, public")
    yield metering.build(events, desk)
    events.close()
    desk.close()


def reader(events: sql.Db) -> sql.Db:
    """The events store as a page opens it."""
    if events.kind == "sqlite":
        return sql.sqlite(events.value("SELECT file FROM pragma_database_list"), reading=True)
    return sql.postgres(f"postgresql://{events.raw.info.user}@{events.raw.info.host}:{events.raw.info.port}"
                        f"/{events.raw.info.dbname}", reading=True)  # fmt: skip


def take(live: Stores, file: Path) -> sql.Db:
    file.unlink(missing_ok=True)
    with reader(live[0]) as events:
        snapshot.take(events, live[1], file, SECRET, MADE, TARIFF)
    return sql.sqlite(file, reading=True)


def told(events: sql.Db, desk: sql.Db, now_ms: int) -> list[Any]:
    """Every metric of some slices, and broken down."""
    given_ = Given(now_ms, desk, TARIFF)
    found: list[Any] = [compute(events, asked, METRICS, given_) for asked in SLICES]
    return found + [breakdown(events, WEEKS, by, METRICS, given_) for by in ("day", "district", "campaign", "ward")]


def talkative(live: Stores) -> None:
    """People, and lines, say the number of somebody wherever they can."""
    events, desk = live
    about = json.dumps({"direction": "in", "text": f"ring {SAID}", "number": int(SAID[1:]), "from": [SAID]})
    row = (900, 0, "message", "b1", 1, streams.START_MS, 3, "ask", SAID, "national", "received", 0, about)
    with events.transaction():
        rolling.insert(events, rolling.LEDGERS[0], [row])
        events.run("INSERT INTO letter VALUES (1, 900, 'ask', 1, 1, :caller, 'national', :text)", caller=SAID,
                   text=f"ring {SAID[3:]}")  # fmt: skip
        events.run("UPDATE store SET words = :words", words=f"dialled {SAID[3:8]} {SAID[8:]}")
    with desk.transaction():
        audit.append(desk, 1, "asha", "desk", "revealed a number", "case 12345678-12", f"{SAID[1:]} asked")


# ------------------------------------------------------------------------------------ the same figures


def test_every_figure_is_that_of_the_store(live: Stores, tmp_path: Path) -> None:
    for what in (BUSY, {**BUSY, "acts": [], "crowd": (11, 60), "later_h": 40}):
        facts = fill(live, what)
        with take(live, tmp_path / "out.db") as out:
            assert told(out, out, facts.now_ms) == told(*live, facts.now_ms)


@settings(SLOW, max_examples=4)
@given(happened())
def test_and_so_it_is_of_any_stream(live: Stores, tmp_path: Path, what: dict[str, Any]) -> None:
    facts = fill(live, what)
    with take(live, tmp_path / "out.db") as out:
        assert told(out, out, facts.now_ms) == told(*live, facts.now_ms)


def test_two_snapshots_know_the_same_caller_and_have_the_same_tables(live: Stores, tmp_path: Path) -> None:
    fill(live, BUSY)
    pictures = []
    for name in ("one.db", "two.db"):
        with take(live, tmp_path / name) as out:
            names = [row["name"] for row in out.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            pictures.append({name: out.rows(f"SELECT * FROM {name} ORDER BY 1, 2") for name in names})
    assert pictures[0] == pictures[1]
    assert {*tables.ALL, "event", "store", "box", "alarm", "outcome", "audit", "metadata"} <= pictures[0].keys()
    assert not {"account", "session", "code", "pace", "orders", "migration"} & pictures[0].keys()
    tokens = {row["caller"] for row in pictures[0]["caller"]}
    assert tokens == {keyed.Keyer(SECRET).token(row["caller"]) for row in live[0].rows("SELECT caller FROM caller")}
    assert tokens & {row["caller"] for row in pictures[0]["outcome"]}


def test_a_query_can_be_copied(live: Stores, tmp_path: Path) -> None:
    """Without any code of ours, the text in the file gives the figure in the file."""
    fill(live, BUSY)
    take(live, tmp_path / "out.db").close()
    with sqlite3.connect(tmp_path / "out.db") as plain:
        asked = plain.execute("SELECT metric, sql FROM query ORDER BY metric, place").fetchall()
        for metric, text in asked:
            assert plain.execute(text).fetchall() is not None, metric
        texts = dict(asked)
        assert {name for name, one in METRICS.items() if one.needs} == texts.keys()
        figures = dict(plain.execute("SELECT metric, value FROM figures"))
        assert plain.execute(texts["calls"]).fetchone()[1] == figures["calls"] > 100
        assert plain.execute(texts["callers"]).fetchone()[1] == figures["callers"] > 3
        goals, talked, reached = plain.execute(texts["completion"]).fetchone()[1:]
        assert goals / (talked + reached) == figures["completion"]
        up, served = plain.execute(texts["availability"]).fetchone()[1:]
        assert 0 < up / served == figures["availability"] < 1
        by_day = plain.execute("SELECT day, sum(calls) FROM calls_by_day GROUP BY 1 ORDER BY 1").fetchall()
        assert sum(calls for _, calls in by_day) == figures["calls"]
        assert by_day[0][0] == "2026-11-23"


def test_it_says_what_it_is(live: Stores, tmp_path: Path) -> None:
    fill(live, BUSY)
    with take(live, tmp_path / "out.db") as out, reader(live[0]) as events:
        about = {row["name"]: row["value"] for row in out.rows("SELECT name, value FROM metadata")}
        assert about["watermark"] == MADE.mark
        assert about["complete boxes"] == "0 of 2"
        assert about["local days"].startswith("2026-11-23 to ")
        assert reports.ledgers(out) == reports.ledgers(events)
    file = sqlite_utils.Database(tmp_path / "out.db")
    assert file["definition"].count == len(METRICS)
    for view in file.views:
        assert list(view.rows) is not None
    assert {"figures", "calls_by_day", "log"} <= {view.name for view in file.views}


# ----------------------------------------------------------------------------------- nobody's number


def leaks(file: Path) -> list[str]:
    """Which numbers can be found in its bytes, however they are written."""
    held = file.read_bytes()
    ways = {number: (number, number[1:], number[3:], f"{number[3:8]} {number[8:]}") for number in NUMBERS}
    return [number for number, written in ways.items() if any(one.encode() in held for one in written)]


def test_no_number_is_in_the_file(live: Stores, tmp_path: Path) -> None:
    fill(live, BUSY)
    talkative(live)
    with take(live, tmp_path / "out.db") as out:
        assert leaks(tmp_path / "out.db") == []
        assert out.value("SELECT count(*) FROM event WHERE caller = '' AND caller_kind = 'withheld'") > 0
        entry = out.row("SELECT what, reason FROM audit ORDER BY id DESC")
        assert entry is not None
        assert entry["what"] == "case 12345678-12"
        assert entry["reason"].startswith("c")
        assert entry["reason"].endswith(" asked")
        assert stat.S_IMODE((tmp_path / "out.db").stat().st_mode) == 0o600


def kept(name: str, *of: str) -> Callable[[keyed.Keyer, dict[str, str]], Any]:
    """A build that forgets one column: in every table, or in the one that has these columns too."""
    right = keyed.Keyer.treatments

    def forgets(self: keyed.Keyer, columns: dict[str, str]) -> Any:
        hit = set(of) <= columns.keys()
        return [None if hit and one == name else how for one, how in zip(columns, right(self, columns), strict=True)]

    return forgets  # type: ignore[return-value]


@pytest.mark.parametrize("column", [
    ("caller", "boot"), ("caller", "issue", "marks"), ("caller", "goal", "at_ms"), ("caller", "text"), ("text",),
    ("extra",), ("words",), ("reason",), ("caller", "first_key_ms"), ("caller", "reopened"), ("caller", "speech_ms"),
], ids="-".join)  # fmt: skip
def test_a_build_that_forgets_one_column_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: tuple[str, ...]
) -> None:
    live = metering.build(sql.sqlite(tmp_path / "hq.db"), sql.sqlite(tmp_path / "desk.db"))
    fill(live, BUSY)
    talkative(live)
    monkeypatch.setattr(keyed.Keyer, "treatments", kept(*column))
    take(live, tmp_path / "out.db").close()
    assert leaks(tmp_path / "out.db")


def test_a_build_that_keys_one_table_otherwise_tells_another_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = metering.build(sql.sqlite(tmp_path / "hq.db"), sql.sqlite(tmp_path / "desk.db"))
    facts = fill(live, BUSY)
    right = keyed.Keyer.treatments

    def otherwise(self: keyed.Keyer, columns: dict[str, str]) -> Any:
        how = right(self, columns)
        other = keyed.Keyer(b"x" * 32)
        return [(lambda value: other.token(str(value))) if one == "caller" and len(columns) == 4 else each
                for one, each in zip(columns, how, strict=True)]  # fmt: skip

    monkeypatch.setattr(keyed.Keyer, "treatments", otherwise)
    with take(live, tmp_path / "out.db") as out:
        assert told(out, out, facts.now_ms) != told(*live, facts.now_ms)


def test_a_column_that_nobody_has_named_is_blanked() -> None:
    how = keyed.Keyer(SECRET).treatments({"caller": "TEXT", "campaign": "TEXT", "day": "INTEGER", "nickname": "TEXT"})
    assert how[1] is how[2] is None
    assert how[0] is not None
    assert how[3] is not None
    token = str(how[0]("+919822000001"))
    assert len(token) == 33
    assert token != "c" + hashlib.sha256(b"+919822000001").hexdigest()[:32]  # not without the key
    assert how[0]("") == how[3]("Asha, +919822000001") == ""


def test_every_column_of_the_roll_ups_is_decided_on() -> None:
    decided = keyed.KEYED | keyed.NAMES | keyed.SENTENCES | keyed.BLANKED | keyed.MARKS
    texts = {name for table in tables.ALL for name, type_ in tables.columns(table).items() if type_ == "TEXT"}
    assert texts <= decided


@pytest.mark.parametrize(("said", "left"), [
    ("case 0a1b2c3d-77", "case 0a1b2c3d-77"), ("12 rows", "12 rows"), ("", ""),
    ("+91 98765 12345 rang", None), ("९८७६५१२३४५", None), ("(98765)-12345", None), ("98765\u201312345", None),
])  # fmt: skip
def test_numbers_in_sentences(said: str, left: str | None) -> None:
    now = keyed.Keyer(SECRET).sentence(said)
    assert now == left if left is not None else "c" in now and not any(part in now for part in ("98765", "९८"))


def test_an_extra_keeps_what_figures_are_made_of() -> None:
    extra = {"call": 3, "node": "a", "text": SAID, "to": SAID, "key": SAID, "case": True, "for": [SAID]}
    kept_ = json.loads(keyed.Keyer(SECRET).extra(json.dumps(extra)))
    assert SAID[1:] not in json.dumps(kept_)
    assert {name: kept_[name] for name in ("call", "node", "case")} == {"call": 3, "node": "a", "case": True}
    assert keyed.Keyer(SECRET).extra("[1") == keyed.Keyer(SECRET).extra("[1]") == keyed.Keyer(SECRET).extra("") == ""


# --------------------------------------------------------------------------------------- the command


@pytest.fixture
def office(tmp_path: Path) -> Path:
    """An hq.toml with stores of its own."""
    config = tmp_path / "hq.toml"
    config.write_text('[hq]\ndata = "data"\nbroker = "mqtt://127.0.0.1:1"\n')
    (tmp_path / "data").mkdir()
    raw = sqlite3.connect(tmp_path / "data" / "hq.db", isolation_level=None)
    migrations.apply(sqlite_utils.Database(raw))
    raw.close()
    return config


def test_the_command(office: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hq", "snapshot", str(office), str(tmp_path / "audit.db")]) == 0
    id = capsys.readouterr().out.split()[-1]
    file, secret = tmp_path / "audit.db", tmp_path / "data" / "keys" / "snapshot.key"
    assert [stat.S_IMODE(one.stat().st_mode) for one in (file, secret)] == [0o600, 0o600]
    with stores.desk(settings_of.load(office)) as desk:
        entry = list(audit.told(desk))[-1]
        assert (entry["did"], entry["what"]) == ("took a snapshot", f"snapshot {id}")
    held = secret.read_bytes()
    assert main(["hq", "snapshot", str(office), str(file)]) == 1
    assert "is there already" in capsys.readouterr().err
    assert main(["hq", "snapshot", str(office), str(tmp_path / "next.db")]) == 0
    assert secret.read_bytes() == held
    assert sqlite3.connect(tmp_path / "next.db").execute("SELECT count(*) FROM log").fetchone() == (1,)
    assert {one.name for one in tmp_path.iterdir()} == {"audit.db", "next.db", "hq.toml", "data"}


def test_a_snapshot_that_fails_leaves_nothing(
    office: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> int:
        raise OSError("the disk is full")

    monkeypatch.setattr(snapshot.auditing, "explain", broken)
    assert main(["hq", "snapshot", str(office), str(tmp_path / "audit.db")]) == 1
    assert "the disk is full" in capsys.readouterr().err
    assert {one.name for one in tmp_path.iterdir()} == {"hq.toml", "data"}
    with stores.desk(settings_of.load(office)) as desk:
        assert not list(audit.told(desk))


def test_nobody_waits_for_it(live: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the events are copied, boxes' rows and desk's words are written; the file is as it was before."""
    fill(live, BUSY)
    events, desk = live
    if events.kind == "sqlite":
        events.raw.execute("PRAGMA journal_mode = WAL")  # as a receiver has it
    before = events.value("SELECT count(*) FROM event")
    copied = snapshot._copied

    def while_copying(source: sql.Db, out: sql.Db, ddl: str, keyer: keyed.Keyer) -> int:
        if ddl is snapshot.OF_EVENTS:
            with desk.transaction():
                audit.append(desk, 2, "asha", "desk", "noted")
            events.run("DELETE FROM event")
        return copied(source, out, ddl, keyer)

    monkeypatch.setattr(snapshot, "_copied", while_copying)
    with take(live, tmp_path / "out.db") as out:
        assert out.value("SELECT count(*) FROM event") == before
        assert out.value("SELECT count(*) FROM audit") == 0


# ------------------------------------------------------------------------------------ before a poll


def test_votes_stay_out_of_a_picture_taken_before_a_poll(live: Stores, tmp_path: Path) -> None:
    """Of either store; a figure of one option is not told either."""
    now_ms = fill(live, BUSY).now_ms
    at = datetime.fromtimestamp(now_ms / 1000, UTC)
    window = (Window(at - timedelta(hours=1), at + timedelta(hours=1)),)
    made = MADE._replace(now_ms=now_ms, silence=window)
    given_ = Given(now_ms, live[1], TARIFF, window)
    by = breakdown(live[0], Slice(), "campaign", ("calls", "referendum"), given_)
    assert {key for key, row in by.items() if isinstance(row["calls"].why, Hidden)} == {"support", "oppose"}
    assert isinstance(compute(live[0], Slice(), ("referendum",), given_)["referendum"].why, Hidden)
    with reader(live[0]) as events, pytest.raises(snapshot.Silent, match="hidden until"):
        snapshot.take(events, live[1], tmp_path / "none.db", SECRET, made, TARIFF)
    assert reports.options(live[0])
    live[0].run("DELETE FROM part")
    with reader(live[0]) as events:
        snapshot.take(events, live[1], tmp_path / "out.db", SECRET, made, TARIFF)
    with sql.sqlite(tmp_path / "out.db", reading=True) as out:
        assert all(out.value(f"SELECT count(*) FROM {table}") == 0 for table in snapshot.VOTES)
        assert live[0].value("SELECT count(*) FROM event WHERE kind = 'answer' AND state <> ''") > 3
        assert out.value("SELECT count(*) FROM event WHERE kind = 'answer' AND state <> ''") == 0
        assert out.value("SELECT count(*) FROM event WHERE extra LIKE '%\"key\"%' OR extra LIKE '%\"node\"%'") == 0
        assert out.value("SELECT sum(answers) FROM tally") == live[0].value("SELECT sum(answers) FROM tally")


def test_a_picture_that_tells_votes_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live = metering.build(sql.sqlite(tmp_path / "hq.db"), sql.sqlite(tmp_path / "desk.db"))
    monkeypatch.setattr(keyed, "WAYS", frozenset())  # what callers typed
    with pytest.raises(AssertionError):
        test_votes_stay_out_of_a_picture_taken_before_a_poll(live, tmp_path)
    for db in live:
        db.close()
