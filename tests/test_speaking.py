"""A talking line's files: prompts found, takes mended after a crash, and erased when their days are over."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from edge import config, recordings, speaking
from edge.dialogue import Clip
from edge.events import Caller, Stamp
from edge.ledger import Ledger
from edge.wavfile import data_of, header
from tests.talkrig import talking

VOTER = Caller("national", "+919812345678")
DAY = 86_400


def at(seconds: float, clock: int = 3) -> Stamp:
    return Stamp("boot-a", 1000 + int(seconds * 1000), 1_780_000_000_000 + int(seconds * 1000), clock)


@pytest.fixture
def book(tmp_path: Path) -> Ledger:
    recordings.folder(tmp_path).mkdir()
    return Ledger(tmp_path / "ledgers" / "l1.db", "box-1", "l1", at(0))


def take(book: Ledger, folder: Path, state: str = "", sound: bytes | None = b"\1\2" * 8000, age_s: float = 0) -> int:
    """A take with `sound` in its file, as a helper leaves it; closed as `state`."""
    call = book.keep_call(at(0), VOTER, "missed", "water")
    seq, name = book.begin_take(at(1), VOTER, "water", call, node="n", tags=(), language="en", case=False)
    if sound is not None:
        file = recordings.folder(folder) / name
        file.write_bytes(header(0) + sound)
        os.utime(file, (at(0).at_ms / 1000 - age_s,) * 2)
    if state:
        book.end_take(at(2), seq, state, 1000, 900, "ab" * 32)
    return seq


def states(book: Ledger) -> dict[int, str]:
    return {int(str(row[1] or row[0])): str(row[10]) for row in book.rows(0) if row[2] == "recording"}


def test_a_take_that_a_crash_tore_is_mended_and_kept(book: Ledger, tmp_path: Path) -> None:
    torn, gone = take(book, tmp_path), take(book, tmp_path, sound=None)
    speaking.mend(book, tmp_path, at(9))
    assert states(book) == {torn: "kept", gone: "recording"}  # the other may still lie in the modem
    data = (recordings.folder(tmp_path) / recordings.name(book.store, torn)).read_bytes()
    assert data_of(data) == (44, 16_000)
    speaking.mend(book, tmp_path, at(10))
    assert len(states(book)) == 2 and book.takes("kept") == [(torn, recordings.name(book.store, torn))]


def acknowledge(folder: Path, store: str, seq: int, acked_s: float) -> None:
    with sqlite3.connect(folder / "uplink.db") as db:
        db.execute("CREATE TABLE IF NOT EXISTS parcel(store, seq, state, acked_ms)")
        db.execute("INSERT INTO parcel VALUES (?, ?, 'done', ?)", (store, seq, at(acked_s).at_ms))


def test_sound_is_erased_when_headquarters_has_held_it_for_its_days(book: Ledger, tmp_path: Path) -> None:
    held, fresh, unsent = (take(book, tmp_path, "kept") for _ in range(3))
    acknowledge(tmp_path, book.store, held, 0)
    acknowledge(tmp_path, book.store, fresh, 5 * DAY)
    speaking.erase(book, tmp_path, 10, at(11 * DAY))
    assert states(book) == {held: "erased", fresh: "kept", unsent: "kept"}
    there = {path.name for path in recordings.folder(tmp_path).iterdir()}
    assert there == {recordings.name(book.store, fresh), recordings.name(book.store, unsent)}


def test_what_nobody_wanted_goes_too_once_it_is_old(book: Ledger, tmp_path: Path) -> None:
    old = take(book, tmp_path, "empty", age_s=20 * DAY)
    young = take(book, tmp_path, "failed")
    gone = take(book, tmp_path, "dropped", sound=None)
    speaking.erase(book, tmp_path, 10, at(1))
    assert states(book) == {old: "erased", young: "failed", gone: "erased"}


def test_nothing_is_erased_by_a_clock_that_may_be_wrong(book: Ledger, tmp_path: Path) -> None:
    held = take(book, tmp_path, "kept")
    acknowledge(tmp_path, book.store, held, 0)
    speaking.erase(book, tmp_path, 10, at(9999 * DAY, clock=1))
    assert states(book) == {held: "kept"}


def test_many_are_erased_a_few_at_a_time(book: Ledger, tmp_path: Path) -> None:
    for _ in range(25):
        take(book, tmp_path, "dropped", sound=None)
    speaking.erase(book, tmp_path, 10, at(1))
    assert list(states(book).values()).count("erased") == speaking.MOST_ERASED


def test_a_line_works_with_its_prompts_and_a_beep(tmp_path: Path) -> None:
    from dataclasses import replace

    prompts = tmp_path / "campaigns" / "water"
    prompts.mkdir(parents=True)
    (prompts / "welcome.en.wav").write_bytes(header(320) + bytes(320))
    line = config.LineConfig("l1", "+919000000001", "water", "", "", "/dev/x", "", "/dev/y", "auto")
    about = replace(talking(), path=str(tmp_path / "campaigns" / "water.toml"))
    made = speaking.speech(about, line, tmp_path / "data")
    assert made.clip(Clip("welcome", "hi", 500)) == (str(prompts / "welcome.en.wav"), 500)
    assert made.clip(Clip("nothing-of-the-kind", "hi")) == ("", 0) and made.audio_port == "/dev/y"
    assert data_of(made.read(made.beep))[1] > 3000
    digest = made.keep("a.wav", b"sound")
    assert len(digest) == 64 and Path(made.path("a.wav")).read_bytes() == b"sound"
    assert made.keep("no/such/folder.wav", b"sound") == ""
