"""The rooms of the helper without its process: frames in made-up time, prompts in a row, takes on disk."""

from __future__ import annotations

import errno
import hashlib
import math
import os
import wave
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.audio import take as takes
from edge.audio.pace import FRAME_S, LEAD, Pacer
from edge.audio.player import BEEP, SILENCE, Saying
from edge.audio.take import BLOCK, FULL, Take, mend, sha256
from edge.audio.worker import Job
from edge.wavfile import HEADER, header

FRAME = 320
# --------------------------------------------------------------------------------- frames in time


class Drifting(Pacer):
    """What a pacer must not be: the next frame 20 ms after the last one was written."""

    def due(self, now: float) -> int:
        frames = super().due(now)
        if frames:
            self._start, self._count = now, 1
        return frames


class Boundless(Pacer):
    """What a pacer must not be: all that was missed comes at once, however late."""

    def due(self, now: float) -> int:
        frames = 0
        while self.deadline() <= now:
            self._count += 1
            frames += 1
        return frames


class Modem:
    """The far side in made-up time: takes a frame out of its buffer every 20 ms."""

    def __init__(self, first: float) -> None:
        self._first, self._taken = first, 0
        self.level = self.starved = self.highest = 0

    def until(self, now: float) -> None:
        while self._first + self._taken * FRAME_S <= now:
            self._taken += 1
            self.starved += self.level == 0
            self.level = max(0, self.level - 1)

    def write(self, frames: int) -> None:
        self.level += frames
        self.highest = max(self.highest, self.level)


def play(pacer: Pacer, modem: Modem, moments: Iterable[float]) -> list[int]:
    """Ask the pacer at these moments; what it gave at each."""
    given = []
    for now in moments:
        modem.until(now)
        given.append(pacer.due(now))
        modem.write(given[-1])
    return given


def woken(lates_ms: Iterable[float], pacer: Pacer) -> Iterable[float]:
    """The moments of a loop that sleeps until the deadline and wakes up so late."""
    for late in lates_ms:
        yield pacer.deadline() + late / 1000


LATENESS = st.lists(st.floats(0, LEAD * FRAME_S * 1000 - 0.01), min_size=1, max_size=60)
PHASE = st.floats(0.0001, FRAME_S - 0.0001)  # not the very moment at which we write: that is one frame more or less


@given(LATENESS, PHASE)
def test_whoever_wakes_up_two_frames_late_starves_nobody(lates: list[float], phase: float) -> None:
    pacer, modem = Pacer(0.0), Modem(phase)
    play(pacer, modem, [0.0])
    play(pacer, modem, woken(lates, pacer))
    assert modem.starved == 0
    assert modem.highest <= LEAD + 1, "no more is ever in the modem than at the start"


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 19)), min_size=1, max_size=40), PHASE)
def test_after_any_pause_the_modem_is_as_full_as_at_the_start(gaps: list[tuple[int, int]], phase: float) -> None:
    pacer, modem = Pacer(0.0), Modem(phase)
    now, moments = 0.0, [0.0]
    for long, short in gaps:  # a pause of any length, then one more look soon after
        moments += [now + long / 1000, now + (long + short) / 1000]
        now = moments[-1]
    given_ = play(pacer, modem, moments)
    assert max(given_) <= LEAD + 1
    assert modem.highest <= LEAD + 2, "frames for what is past would delay every word after them"
    play(pacer, modem, woken([0.0] * 3, pacer))
    before = modem.starved
    play(pacer, modem, woken([0.0] * 100, pacer))
    assert modem.starved == before, "it is fed again after the pause"


def test_ten_hours_without_a_drift() -> None:
    pacer = Pacer(0.0)
    written = play(pacer, Modem(0.01), [0.0])
    ten_hours = 36_000 * 50
    late = [(7 * n % 400) / 10 for n in range(ten_hours)]  # 0 to 40 ms
    written += [pacer.due(now) for now in woken(late, pacer)]
    now = pacer.deadline()
    assert sum(written) == round(now / FRAME_S) + LEAD, "a frame for each 20 ms, and the lead"


def test_control_a_pacer_that_drifts_is_found_out() -> None:
    pacer, modem = Drifting(0.0), Modem(0.01)
    play(pacer, modem, [0.0])
    written = sum(play(pacer, modem, woken([10.0] * 1000, pacer)))
    assert written < round(pacer.deadline() / FRAME_S) - 100
    assert modem.starved


def test_control_a_pacer_without_a_bound_is_found_out() -> None:
    pacer, modem = Boundless(0.0), Modem(0.01)
    assert max(play(pacer, modem, [0.0, 0.5])) > LEAD + 1
    assert modem.highest > LEAD + 2


def test_it_says_when_it_must_be_asked() -> None:
    pacer = Pacer(5.0)
    assert pacer.due(5.0) == LEAD + 1
    for _ in range(1000):
        due = pacer.deadline()
        assert pacer.due(math.nextafter(due, 0)) == 0, "not before"
        assert pacer.due(due) == 1, "and then at once: a loop never spins"


# --------------------------------------------------------------------------------- what is played


def wav(path: Path, pcm: bytes) -> str:
    path.write_bytes(header(len(pcm)) + pcm)
    return str(path)


def frames(saying: Saying) -> list[bytes]:
    return list(iter(saying.frame, None))


def noise(length: int, seed: int = 1) -> bytes:
    """Samples none of which is silence."""
    return bytes(1 + (seed * 31 + i * 7 + i // 251) % 255 for i in range(length & ~1))


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 45)), max_size=5))
def test_prompts_follow_one_another_without_a_seam(tmp_path_factory: pytest.TempPathFactory, row: list[tuple[int, int]]) -> None:  # fmt: skip  # noqa: E501
    folder = tmp_path_factory.mktemp("prompts")
    wanted, files = b"", []
    for place, (length, pause_ms) in enumerate(row):
        pcm = noise(length, place)
        files.append((wav(folder / f"{place}.wav", pcm), pause_ms))
        wanted += bytes(pause_ms * 16) + pcm
    saying = Saying(1, files)
    saying.read(lambda words: pytest.fail(words))
    given_ = frames(saying)
    assert all(len(frame) == FRAME for frame in given_)
    assert b"".join(given_) == wanted.ljust(-(-len(wanted) // FRAME) * FRAME, b"\0")


@pytest.mark.parametrize("content", [None, b"", b"not a WAV file", header(0).replace(b"\x40\x1f", b"\x80\x3e")])
def test_what_cannot_be_played_is_the_beep_and_is_told(tmp_path: Path, content: bytes | None) -> None:
    bad = tmp_path / "bad.wav"
    if content is not None:
        bad.write_bytes(content)
    told: list[str] = []
    saying = Saying(1, [(str(bad), 0), (wav(tmp_path / "good.wav", noise(640)), 0)])
    saying.read(told.append)
    assert b"".join(frames(saying)).startswith(BEEP + noise(640))
    assert len(told) == 1
    assert told[0].startswith(f"{bad}: ")


def test_the_beep_is_a_second_quarter_of_a_thousand_hertz() -> None:
    samples = memoryview(BEEP).cast("h").tolist()
    assert len(samples) == 2000
    assert samples[0] == samples[-1] == 0, "no click"
    crossings = sum(a < 0 <= b for a, b in pairwise(samples))
    assert abs(crossings - 250) <= 1
    assert 0.29 < max(samples) / 32767 <= 0.3


def test_a_slow_card_gives_silence_first_and_then_all_of_it(tmp_path: Path) -> None:
    saying = Saying(1, [(wav(tmp_path / "a.wav", noise(1000)), 0)])
    assert [saying.frame() for _ in range(5)] == [SILENCE] * 5
    saying.read(pytest.fail)
    assert b"".join(frames(saying))[:1000] == noise(1000)


def test_what_was_cut_off_is_read_no_further(tmp_path: Path) -> None:
    saying = Saying(1, [(str(tmp_path / "missing"), 0)])
    saying.stale = True
    saying.read(pytest.fail)
    assert saying.frame() == SILENCE


# ------------------------------------------------------------------------------------------ takes


class AtOnce:
    """A worker that does everything on the spot, until told to wait."""

    def __init__(self) -> None:
        self.wait = False
        self.jobs: list[Job] = []

    def do(self, job: Job) -> None:
        self.jobs.append(job)
        while self.jobs and not self.wait:
            self.jobs.pop(0)()


class Disk:
    """A take on a worker of ours, and what it told."""

    def __init__(self, folder: Path, most_s: float = 30) -> None:
        self.path, self.told = folder / "take.wav", list[dict[str, object]]()
        self.card = AtOnce()
        self.take = Take(3, str(self.path), most_s, self.card, self.told.append)  # type: ignore[arg-type]

    def pcm(self) -> bytes:
        """What another program finds in the file."""
        with wave.open(str(self.path)) as file:
            return file.readframes(1 << 24)


@given(st.lists(st.integers(0, 9000).map(lambda n: n * 2), max_size=12))
def test_a_take_is_what_was_sent(tmp_path_factory: pytest.TempPathFactory, lengths: list[int]) -> None:
    disk = Disk(tmp_path_factory.mktemp("take"))
    sent = b""
    for length in lengths:
        assert disk.take.add(noise(length, length))
        sent += noise(length, length)
    disk.take.end(keep=True, speech_ms=70)
    assert disk.pcm() == sent
    digest = hashlib.sha256(disk.path.read_bytes()).hexdigest()
    told = {"ms": len(sent) // 16, "speech_ms": 70, "sha256": digest}
    assert disk.told == [{"recorded": told, "take": 3}]
    assert sha256(disk.path) == digest


def test_a_take_has_an_end(tmp_path: Path) -> None:
    disk = Disk(tmp_path, most_s=2)
    assert disk.take.add(noise(BLOCK))
    assert not disk.take.add(noise(2 * BLOCK, 2))
    disk.take.end(keep=True, speech_ms=0)
    assert disk.pcm() == noise(BLOCK) + noise(2 * BLOCK, 2)[:BLOCK]


def test_a_take_that_is_dropped_leaves_no_file(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.take.add(noise(3 * BLOCK))
    disk.take.end(keep=False, speech_ms=0)
    assert not disk.path.exists()
    assert disk.told == [{"recorded": {"ms": 3000, "speech_ms": 0, "sha256": ""}, "take": 3}]


def test_nothing_is_recorded_over_what_exists(tmp_path: Path) -> None:
    (tmp_path / "take.wav").write_bytes(b"a voter's voice")
    disk = Disk(tmp_path)
    disk.take.add(noise(BLOCK))
    disk.take.end(keep=True, speech_ms=0)
    assert disk.told == [{"failed": "File exists", "take": 3}]
    assert disk.path.read_bytes() == b"a voter's voice"


@pytest.mark.parametrize("left", [0, 1, HEADER, HEADER + 1, HEADER + BLOCK, HEADER + BLOCK + 777])
def test_a_full_disk_is_told_once_and_what_was_got_is_a_wav_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    real, room = os.write, [left]

    def write(fd: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "full")
        done = real(fd, data[: room[0]])
        room[0] -= done
        return done

    monkeypatch.setattr(takes.os, "write", write)
    disk = Disk(tmp_path)
    for _ in range(3):
        disk.take.add(noise(BLOCK))
    disk.take.end(keep=True, speech_ms=0)
    assert disk.told == [{"failed": FULL, "take": 3}]
    assert disk.pcm() == (noise(BLOCK) * 3)[: max(0, left - HEADER) & ~1]


@pytest.mark.parametrize("call", ["fsync", "open", "pwrite"])
def test_a_card_that_dies_at_the_end_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    disk = Disk(tmp_path)
    disk.take.add(noise(BLOCK))
    monkeypatch.setattr(takes.os, call, _dead)
    disk.take.end(keep=True, speech_ms=0)
    monkeypatch.undo()
    assert disk.told == [{"failed": "Input/output error", "take": 3}]
    assert disk.pcm() in (b"", noise(BLOCK)), "the header is mended later"
    assert mend(disk.path) == 1000
    assert disk.pcm() == noise(BLOCK)


def _dead(*_: object, **__: object) -> int:
    raise OSError(errno.EIO, "dead")


@given(st.integers(0, HEADER + 5 * 320))
def test_whatever_a_crash_leaves_is_mended(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    path = tmp_path_factory.mktemp("crash") / "take.wav"
    sent = noise(4 * 320)
    path.write_bytes((header(0) + sent)[:length])
    ms = mend(path)
    with wave.open(str(path)) as file:
        kept = file.readframes(1 << 20)
    assert kept == sent[: max(0, length - HEADER) & ~1]
    assert ms == len(kept) // 16
    mended = path.read_bytes()
    assert mend(path) == ms
    assert path.read_bytes() == mended, "and mending it twice changes nothing"


def test_nothing_to_mend(tmp_path: Path) -> None:
    assert mend(tmp_path / "never") == 0


def test_every_byte_and_the_name_are_on_disk_before_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real: Callable[[int], None] = os.fsync

    def fsync(fd: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{fd}"))
        assert not disk.told, "told before it was on disk"
        real(fd)

    disk = Disk(tmp_path)
    disk.take.add(noise(BLOCK))
    monkeypatch.setattr(takes.os, "fsync", fsync)
    disk.take.end(keep=True, speech_ms=0)
    assert synced == [str(disk.path), str(tmp_path)]
    assert disk.told


def test_the_loop_never_waits_for_the_card(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.card.wait = True
    for _ in range(5):
        disk.take.add(noise(BLOCK))
    disk.take.end(keep=True, speech_ms=0)
    assert disk.path.stat().st_size == HEADER, "nothing is written by whoever gives it sound"
    disk.card.wait = False
    disk.card.do(lambda: None)
    assert disk.pcm() == noise(BLOCK) * 5
