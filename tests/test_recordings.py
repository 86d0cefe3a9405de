"""The folder of recordings: when a take may be begun, what may go, and sound made small without waiting for it."""

from __future__ import annotations

import array
import math
import os
import shutil
import sqlite3
import subprocess
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import pytest

from edge import recordings
from edge.events import Stamp
from sync.book import Book
from tests.browser import wait_for

DAY = recordings.DAY_MS
opusenc = pytest.mark.skipif(not shutil.which("opusenc"), reason="opusenc is not installed: apt install opus-tools")


def take(file: Path, seconds: float = 3.0) -> Path:
    """A WAV as a line writes it: a voice-like buzz that rises and falls."""
    file.parent.mkdir(parents=True, exist_ok=True)
    count = round(seconds * 8000)
    pcm = array.array("h", (round(7000 * math.sin(0.09 * at + 3 * math.sin(at / 900))) for at in range(count)))
    with wave.open(str(file), "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", ""))
        out.writeframes(pcm.tobytes())
    return file


# ------------------------------------------------------------------------------------------ room


class Disk:
    """What statvfs says of a disk of `total` bytes."""

    def __init__(self, total: int, free: int) -> None:
        self.f_frsize, self.f_blocks, self.f_bavail = 4096, total // 4096, free // 4096


GB, MB = 1 << 30, 1 << 20


@pytest.mark.parametrize(
    ("total", "free", "may"),
    [
        (32 * GB, 65 * MB, True), (32 * GB, 63 * MB, False),  # a card: 64 MB
        (100 * MB, 6 * MB, True), (100 * MB, 4 * MB, False),  # a small disk: 5 %
        (32 * GB, 0, False),
    ],
)  # fmt: skip
def test_a_take_is_begun_while_the_disk_has_room_for_calls_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, total: int, free: int, may: bool
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda place: Disk(total, free))
    assert recordings.room(tmp_path) is may


def test_room_on_a_real_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = shutil.disk_usage(tmp_path).free
    assert recordings.room(tmp_path / "not" / "made" / "yet", 1.0, free // 2)
    assert not recordings.room(tmp_path, 1.0, free * 2)

    def refuse(place: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "statvfs", refuse)
    assert not recordings.room(tmp_path), "politely"


# ------------------------------------------------------------------------------------- what may go


def stamp(days: float, clock: int = 3) -> Stamp:
    return Stamp("ab", 1, 1_795_000_000_000 + round(days * DAY), clock)


@pytest.fixture
def acked(tmp_path: Path) -> Path:
    """Five takes on the road: 3 and 5 of one store are at HQ, 7 at an unknown time, 9 was refused, 11 is on its way."""
    book = Book(tmp_path / "uplink.db")
    for seq in (3, 5, 7, 9, 11):
        book.packed("0badcafe", seq, 10, b"x" * 32)
    book.packed("0000beef", 3, 10, b"x" * 32)
    for store, seq, day in (("0badcafe", 3, 0), ("0badcafe", 5, 2), ("0000beef", 3, 0)):
        book.delivered(store, seq, stamp(day).at_ms)
    book.delivered("0badcafe", 7, 0)
    book.given_up("0badcafe", 9, "refused: size")
    book.close()
    return tmp_path


def test_what_headquarters_has_acknowledged(acked: Path) -> None:
    assert recordings.acknowledged(acked) == {
        ("0badcafe", 3): stamp(0).at_ms, ("0badcafe", 5): stamp(2).at_ms, ("0badcafe", 7): 0,
        ("0000beef", 3): stamp(0).at_ms,
    }  # fmt: skip


def test_nothing_goes_before_its_days_are_over_by_a_trusted_clock(acked: Path) -> None:
    assert recordings.expired(acked, "0badcafe", stamp(89.9), 90) == set()
    assert recordings.expired(acked, "0badcafe", stamp(90), 90) == {3}
    assert recordings.expired(acked, "0badcafe", stamp(92), 90) == {3, 5}
    assert recordings.expired(acked, "0badcafe", stamp(9999, clock=1), 90) == set()
    assert recordings.expired(acked, "0000dead", stamp(9999), 90) == set()


def test_a_time_that_becomes_known_begins_the_days(acked: Path) -> None:
    book = Book(acked / "uplink.db")
    book.date(stamp(5).at_ms)
    book.close()
    assert recordings.expired(acked, "0badcafe", stamp(94), 90) == {3, 5}
    assert recordings.expired(acked, "0badcafe", stamp(95), 90) == {3, 5, 7}


@pytest.mark.parametrize(
    "spoil", [lambda file: file.write_bytes(b"scrambled" * 500), lambda file: file.write_bytes(b"")]
)
def test_a_file_that_cannot_be_read_acknowledges_nothing(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    assert recordings.acknowledged(tmp_path) == {}
    spoil(tmp_path / "uplink.db")
    assert recordings.acknowledged(tmp_path) == {}
    (tmp_path / "uplink.db").unlink()
    sqlite3.connect(tmp_path / "uplink.db").execute("CREATE TABLE store (x)")  # an older one
    assert recordings.acknowledged(tmp_path) == {}


# ---------------------------------------------------------------------------------------- made small


@opusenc
def test_thirty_seconds_are_small_and_sound_as_long_as_before(tmp_path: Path) -> None:
    wav, opus = take(tmp_path / "a.wav", 30), recordings.road(tmp_path, "0badcafe", 2)
    assert recordings.encode(wav, opus) == ""
    assert opus == tmp_path / "road" / "0badcafe-2.opus"
    assert 1000 < opus.stat().st_size <= 31 * 1024
    assert [file.name for file in opus.parent.iterdir()] == ["0badcafe-2.opus"]
    subprocess.run(["opusdec", "--quiet", str(opus), str(tmp_path / "b.wav")], check=True)
    with wave.open(str(tmp_path / "b.wav")) as back:
        assert abs(back.getnframes() / back.getframerate() - 30) < 0.1


@opusenc
def test_what_is_no_sound_is_refused_in_words_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF this is no sound" * 10)
    opus = tmp_path / "road" / "a.opus"
    assert recordings.encode(tmp_path / "a.wav", opus) and not list(opus.parent.iterdir())
    assert "No such file" in recordings.encode(tmp_path / "none.wav", opus)


@opusenc
def test_encoding_is_polled_not_waited_for(tmp_path: Path) -> None:
    opus = tmp_path / "a.opus"
    work = recordings.Encoding(take(tmp_path / "a.wav", 60), opus)
    assert work.poll() is None and not opus.exists(), "whole, or not at all"
    assert recordings.encoder(opus, opus)[:3] == ["nice", "-n", "19"]
    wait_for(lambda: work.poll() is not None)
    assert opus.exists()


@opusenc
def test_an_encoding_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    work = recordings.Encoding(take(tmp_path / "a.wav", 60), tmp_path / "road" / "a.opus")
    work.stop()
    assert not list((tmp_path / "road").iterdir()) and work._process.returncode != 0


STUB = """
import sys
from pathlib import Path
def read(wav, dtype):
    return Path(wav).read_bytes(), 8000
def write(opus, sound, rate, format, subtype, compression_level):
    assert (rate, format, subtype, compression_level) == (8000, "OGG", "OPUS", 1.0)
    Path(opus).write_bytes(b"by soundfile: " + sound[:4])
"""


def test_without_opusenc_soundfile_does_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "soundfile.py").write_text(STUB)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parent.parent}")
    monkeypatch.syspath_prepend(str(tmp_path))
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "opusenc" else which(name))
    assert recordings.encode(take(tmp_path / "a.wav"), tmp_path / "a.opus") == ""
    assert (tmp_path / "a.opus").read_bytes() == b"by soundfile: RIFF"


def test_soundfile_itself_where_it_is_installed(tmp_path: Path) -> None:
    pytest.importorskip("soundfile", reason="soundfile is not installed; opusenc does it")
    command = [sys.executable, "-m", "edge.recordings", str(take(tmp_path / "a.wav", 30)), str(tmp_path / "a.opus")]
    subprocess.run(command, check=True, cwd=Path(__file__).parent.parent)
    assert 1000 < (tmp_path / "a.opus").stat().st_size <= 31 * 1024


def test_without_either_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(recordings, "find_spec", lambda name: None)
    assert recordings.encode(take(tmp_path / "a.wav"), tmp_path / "a.opus") == recordings.NO_ENCODER
    assert "apt-get install opus-tools" in recordings.NO_ENCODER
