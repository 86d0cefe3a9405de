"""The same statements on both stores, and what is different about them kept out of sight."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.hq import sql

DDL = """
-- Two kinds of keys; a comment; with a semicolon
CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT NOT NULL, size INTEGER, weight REAL, raw BLOB) STRICT;
CREATE TABLE pair (a TEXT NOT NULL, b TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (a, b)) STRICT, WITHOUT ROWID;
CREATE INDEX thing_name ON thing (name);
"""
COUNT = "INSERT INTO pair VALUES (:a, :b, :n) ON CONFLICT (a, b) DO UPDATE SET n = pair.n + excluded.n"


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> sql.Db:
    if request.param == "sqlite":
        made = sql.sqlite(tmp_path / "a.db")
    else:
        made = sql.postgres(request.getfixturevalue("postgres").database())
    with made.transaction():
        made.build(DDL)
    request.addfinalizer(made.close)
    return made


def test_both_stores_answer_alike(db: sql.Db) -> None:
    insert = "INSERT INTO thing (name, size, weight, raw) VALUES (:name, :size, :weight, :raw) RETURNING id"
    assert db.value(insert, name="100 % of it: yes", size=2**40, weight=1.5, raw=b"\0\xff") == 1
    assert db.value(insert, name="Ä", size=None, weight=None, raw=b"") == 2
    db.many(COUNT, [{"a": "x", "b": "y", "n": n} for n in (1, 2, 3)])
    assert db.rows("SELECT sum(n) AS total, max(n) > 5 AS many FROM pair") == [{"total": 6, "many": 1}]
    assert [type(value) for value in db.row("SELECT sum(n) AS s, avg(n) AS a FROM pair").values()] in (  # type: ignore[union-attr]
        [int, float], [int, int],
    )  # fmt: skip
    assert db.row("SELECT name, size, raw FROM thing WHERE name LIKE '100 % of%'") == {
        "name": "100 % of it: yes", "size": 2**40, "raw": b"\0\xff",
    }  # fmt: skip
    assert db.value("SELECT name FROM thing WHERE id = :id", {"id": 2}) == "Ä"
    assert db.value("SELECT name FROM thing WHERE id = 3") is None
    assert db.run("UPDATE thing SET size = 1 WHERE id < :id", id=9) == 2


def test_text_sorts_by_code_point_in_both(db: sql.Db) -> None:
    db.many(COUNT, [{"a": name, "b": "", "n": 1} for name in ("b", "A", "ä", "B", "a", "अ")])
    assert [row["a"] for row in db.rows("SELECT a FROM pair ORDER BY a")] == ["A", "B", "a", "b", "ä", "अ"]


def test_all_or_nothing(db: sql.Db) -> None:
    with pytest.raises(ZeroDivisionError), db.transaction():
        db.run(COUNT, a="x", b="y", n=1)
        raise ZeroDivisionError
    assert db.value("SELECT count(*) FROM pair") == 0
    with db.transaction():
        db.run(COUNT, a="x", b="y", n=1)
    assert db.value("SELECT count(*) FROM pair") == 1


def test_a_reader_writes_nothing_and_sees_one_picture(
    tmp_path: Path, request: pytest.FixtureRequest, db: sql.Db
) -> None:
    if db.kind == "sqlite":
        reader = sql.sqlite(tmp_path / "a.db", reading=True)
    else:
        info = db.raw.info
        reader = sql.postgres(f"postgresql://{info.user}@{info.host}:{info.port}/{info.dbname}", reading=True)
    with reader:
        with pytest.raises(Exception, match=r"read.?only"):
            reader.run(COUNT, a="x", b="y", n=1)
        if db.kind == "postgresql":
            with reader.transaction():
                assert reader.value("SELECT count(*) FROM pair") == 0
                db.run(COUNT, a="x", b="y", n=1)
                assert reader.value("SELECT count(*) FROM pair") == 0
            assert reader.value("SELECT count(*) FROM pair") == 1


def test_a_server_that_is_away_is_a_sentence_without_the_password() -> None:
    with pytest.raises(sql.Unavailable) as why:
        sql.postgres("postgresql://hq:geheim@127.0.0.1:1/miscall", patience_s=2)
    assert "geheim" not in str(why.value) and "cannot be reached" in str(why.value)


def test_a_file_that_is_not_there_is_not_made_by_a_reader(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sql.sqlite(tmp_path / "none.db", reading=True)
    assert not (tmp_path / "none.db").exists()
