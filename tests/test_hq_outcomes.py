"""Outcomes by file: any bytes at all give rows that are taken or refused, each of them, and never an error."""

from __future__ import annotations

import csv
import io
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.hq.people import importing, outcomes, sheet
from sync.hq.people.outcomes import COLUMNS
from sync.hq.people.sheet import Unreadable
from tests.people import ANU, BINA, NOW, People, both, sqlite_people

__all__ = ["both"]  # the fixture `people`, on either kind of store
INDIA = ZoneInfo("Asia/Kolkata")


def read(raw: bytes, goal: str = "", country: str = "IN") -> outcomes.Read:
    return outcomes.read(raw, goal, country, INDIA, NOW)


def why(raw: bytes, goal: str = "attended") -> list[tuple[int, str, str]]:
    return [(wrong.line, wrong.column, wrong.what) for wrong, _ in read(raw, goal).wrong]


# ------------------------------------------------------------------------------------ any bytes


def account(raw: bytes) -> None:
    """Whatever it is: a refusal in words, or every row in one of two heaps, and the file of what was wrong whole."""
    try:
        found = read(raw, "pledged")
    except Unreadable as refusal:
        assert len(str(refusal)) > 20
        return
    assert len(found.good) + len(found.wrong) == found.sheet.rows
    lines = [row.line for row in found.good] + [wrong.line for wrong, _ in found.wrong]
    assert len(set(lines)) == len(lines), "a row is in both heaps"
    for row in found.good:
        assert row.caller.startswith("+") and row.goal in outcomes.GOALS and row.at_ms <= NOW + 86_400_000
    told = list(csv.reader(io.StringIO(outcomes.wrong_file(found), newline="")))
    assert len(told) == 1 + len(found.wrong)
    for line in told[1:]:
        assert not any(cell[:1] in ("=", "+", "-", "@", "\t", "\r") for cell in line if cell), line


LETTERS = st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t")
CELLS = st.text(LETTERS, max_size=12) | st.sampled_from(
    [ANU, "98765 00011", "=1+1", "9.19877E+11", "pledged", "attended", "2026-01-02", "31-12-2025 10:00", '"', "'", "@x"]
)
DELIMITERS = st.sampled_from(",;\t")
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])


@settings(deadline=None)
@given(st.binary(max_size=400) | st.binary(max_size=200).map(lambda tail: b"number,at,goal,note\n" + tail))
def test_any_bytes(raw: bytes) -> None:
    account(raw)


@settings(deadline=None)
@given(st.text(max_size=300), ENCODINGS)
def test_any_text_in_any_encoding(text: str, encoding: str) -> None:
    account(("number;at;goal;note\n" + text).encode(encoding, "replace"))


def table(rows: Sequence[Sequence[str]], delimiter: str, encoding: str) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return out.getvalue().encode(encoding, "replace")


def every_row_is_accounted_for(rows: Sequence[Sequence[str]], delimiter: str, encoding: str) -> None:
    raw = table(rows, delimiter, encoding)
    account(raw)
    found = read(raw, "pledged")
    replaced = [[cell.encode(encoding, "replace").decode(encoding) for cell in row] for row in rows]
    there = [row for row in replaced if any(cell.strip() for cell in row)]
    assert found.sheet.rows == len(there)
    good = [row for row in there if outcomes.number(row[0].strip(), "IN")[0]]
    assert len(found.good) <= len(good)


ROWS = st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS), max_size=8)


@settings(deadline=None)
@given(ROWS, DELIMITERS, ENCODINGS)
def test_every_row_of_a_table(rows: list[tuple[str, ...]], delimiter: str, encoding: str) -> None:
    every_row_is_accounted_for(rows, delimiter, encoding)


def test_the_proof_sees_a_reader_that_drops_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The controls: a quotation mark swallows what follows; a row that cannot be taken apart is passed over."""
    whole = sheet._records

    def dropping(lines: Any, at: int, delimiter: str) -> Any:
        return (each for each in whole(lines, at, delimiter) if not isinstance(each[1], str))

    raw = b'number,note\n+919876500011,"open\n+919876500022,fine\n+919876500033,fine\n'
    assert (read(raw, "pledged").sheet.rows, len(read(raw, "pledged").good)) == (3, 2)
    monkeypatch.setattr(sheet, "_records", dropping)
    assert read(raw, "pledged").sheet.rows == 2

    @settings(max_examples=20, database=None, deadline=None)
    @given(ROWS.map(lambda rows: [*rows, (ANU, "", "", 'a "b')]), DELIMITERS)
    def proof(rows: list[tuple[str, ...]], delimiter: str) -> None:
        lines = table(rows, delimiter, "utf-8").replace(b'"a ""b"', b'a"b"c"')  # a row whose marks are mixed up
        assert read(lines, "pledged").sheet.rows >= len([row for row in rows if any(cell.strip() for cell in row)])

    monkeypatch.setattr(sheet, "_take", lambda *given: None)
    with pytest.raises(AssertionError):
        proof()


# --------------------------------------------------------------------------- what is told of it


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encodings_and_delimiters(encoding: str, delimiter: str) -> None:
    note = "caf\u00e9" if encoding == "cp1252" else "\u092a\u093e\u0928\u0940"
    found = read(f"Note{delimiter} NUMBER\r\n{note}{delimiter}098765 00011\r\n".encode(encoding), "pledged")
    assert [(row.caller, row.note, row.at_ms) for row in found.good] == [(ANU, note, NOW)]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "empty"), (b"\n\n", "empty"), (b"PK\x03\x04rest", "spreadsheet's own"), (b"\x00\x01\x02\x03", "no text"),
        (b"phone,at\n1,2\n", "names no column number"), (b"number,number\n1,2\n", "twice"),
        (b"\x81\x8d\n", "no text in Windows-1252"), (b"\xff\xfe\x00\xd8", "no text in UTF-16"),
        (b"number\n" + b"1\n" * 1001, "more than 1000 rows"), (b"x" * (5 * 1024 * 1024 + 1), "larger than 5 MB"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_in_words(raw: bytes, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "MOST_ROWS", 1000)
    with pytest.raises(Unreadable, match=words):
        read(raw, "pledged")


def test_every_row_is_refused_by_itself() -> None:
    raw = (
        "number,at,goal,note\n"
        "12,,,\n"
        "9.19877E+11,,,\n"
        "+919876500011,2031-01-01,,\n"
        "+919876500011,31-02-2026,,\n"
        "+919876500011,2026-01-05,won,\n"
        ",,,\n"
        ",2026-01-01,,\n"
        f"+919876500011,,,{'x' * 501}\n"
        "+919876500011,,,,,more\n"
        "'+919876500011,05/01/2026 18:30,Pledged,=cmd\n"
    ).encode()
    assert why(raw) == [
        (2, "number", "no telephone number"), (3, "number", "cut short by a spreadsheet (format the column as text)"),
        (4, "at", "no such date"), (5, "at", "no such date"), (6, "goal", "no such goal"), (8, "number", "missing"),
        (9, "note", "too long"), (10, "", "more cells than columns"),
    ]  # fmt: skip
    (good,) = read(raw, "attended").good
    assert (good.line, good.caller, good.goal, good.note) == (11, ANU, "pledged", "=cmd")
    assert good.at_ms == 1_767_618_000_000  # 2026-01-05 18:30 in India


def test_a_row_over_several_lines_and_the_line_of_what_follows() -> None:
    found = read(b'number,note\n+919876500011,"two\nlines"\nnobody,\n', "pledged")
    assert [row.note for row in found.good] == ["two\nlines"]
    assert [wrong.line for wrong, _ in found.wrong] == [4]


def test_numbers_of_a_place_without_a_profiles_country() -> None:
    assert outcomes.number("9876500011", "") == ("", "no telephone number")
    assert outcomes.number("+91 98765-00011", "") == (ANU, "")
    assert outcomes.number("0044 20 7946 0958", "IN")[0] in ("", "+442079460958")


# ------------------------------------------------------------------------------------- kept once


def test_the_same_file_twice_adds_nothing(people: People) -> None:
    raw = f"number,at,goal\n{ANU},2026-01-05,pledged\n{ANU},2026-01-02,pledged\n{BINA},,attended\nx,,\n".encode()
    told = []
    for _ in range(2):
        with people.desk.transaction():
            told.append(outcomes.keep(people.desk, read(raw), "water", "a.csv", outcomes.digest(raw), "mira", NOW)[1:])
    assert told == [(4, 2, 1, 1), (4, 0, 3, 1)]
    held = people.desk.rows("SELECT campaign, goal, caller, at_ms FROM outcome ORDER BY caller")
    assert [tuple(row.values())[:3] for row in held] == [("water", "pledged", ANU), ("water", "attended", BINA)]
    earlier = f"number,at,goal\n{ANU},2025-12-31,pledged\n".encode()
    with people.desk.transaction():
        outcomes.keep(people.desk, read(earlier), "water", "b.csv", "", "mira", NOW)
    assert people.desk.value("SELECT at_ms FROM outcome WHERE caller = :c", c=ANU) < held[0]["at_ms"]  # it stands
    assert people.desk.value("SELECT count(*) FROM outcome") == 2
    assert outcomes.forget_wrong(people.desk, NOW + outcomes.KEPT_MS + 1) == 2


# ------------------------------------------------------------------------------- from a terminal


def test_import_from_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    data.mkdir()
    people = sqlite_people(data)
    people.box("nashik-01")
    config = tmp_path / "hq.toml"
    config.write_text('[hq]\ndata = "data"\nbroker = "mqtt://127.0.0.1:1"\n')
    good, mixed = tmp_path / "good.csv", tmp_path / "mixed.csv"
    good.write_text(f"number,goal\n{ANU},pledged\n")
    mixed.write_text(f"number,goal\n{BINA},pledged\n98765,pledged\n")
    assert importing.run(config, "outcomes", good, "", "") == 0
    assert "1 rows (UTF-8): 1 taken, 0 known, 0 refused" in capsys.readouterr().out
    assert importing.run(config, "outcomes", mixed, "water", "") == 1
    told = capsys.readouterr()
    assert "line 3, number: no telephone number; allowed: a telephone number of IN" in told.err
    assert "98765" not in told.out + told.err
    wrong = tmp_path / "mixed.wrong.csv"
    assert stat.S_IMODE(wrong.stat().st_mode) == 0o600 and "98765,pledged" in wrong.read_text()
    assert importing.run(config, "outcomes", good, "roads", "") == 1
    assert "say --campaign with one that boxes have told of: water" in capsys.readouterr().err
    assert importing.run(config, "outcomes", tmp_path / "none.csv", "", "") == 1
    assert "No such file" in capsys.readouterr().err
    assert people.desk.value("SELECT count(*) FROM outcome") == 2
    assert [row["did"] for row in people.desk.rows("SELECT did FROM audit")] == ["imported outcomes"] * 2
    people.close()
