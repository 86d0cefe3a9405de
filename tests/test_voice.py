"""The helper as a real process on real pseudo-terminals, with the line's side of it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import math
import os
import random
import resource
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import tty
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.audio.pace import FRAME_S, LEAD
from edge.audio.player import BEEP
from edge.audio.take import FULL, mend
from edge.voice import Voice, VoiceLost
from edge.wavfile import HEADER, header
from tools.simmodem.tones import silence, tone

FRAME = 320
ROOT = Path(__file__).parent.parent
PATIENCE_S = 60.0


def tweaked(code: str) -> tuple[str, str]:
    """The helper with a change in it, as the words for Python."""
    return (
        "-c",
        f"import sys, os, time\nfrom edge.audio import helper, take, worker\n{code}\nhelper.main(int(sys.argv[1]))",
    )


def noise(length: int, seed: int = 1) -> bytes:
    """Samples none of which is silence, and no frame like another."""
    return b"".join((1 + (seed * 9001 + n) % 32000).to_bytes(2, "little") for n in range(length // 2))


def wav(path: Path, pcm: bytes) -> str:
    path.write_bytes(header(len(pcm)) + pcm)
    return str(path)


class Desk:
    """A helper, a modem's PCM port at its other side, and a line that writes down what it is told."""

    def __init__(self, folder: Path, *, helper: tuple[str, ...] = ("-m", "edge.audio"), language: str = "") -> None:
        self.folder, self.path = folder, folder / "pcm"
        self.heard, self.sent = bytearray(), bytearray()
        self.told: list[dict[str, Any]] = []
        self.master = self.slave = -1
        self.deaf = False  # the line is busy elsewhere
        self.appear()
        self.voice = Voice(helper, language)

    def close(self) -> None:
        self.voice.close()
        self.vanish()

    # ----------------------------------------------------------------------------------- the modem

    def appear(self) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(self.slave))

    def vanish(self) -> None:
        for fd in (self.slave, self.master):
            if fd >= 0:
                os.close(fd)
        self.master = self.slave = -1

    def speak(self, pcm: bytes) -> None:
        """The caller's sound into the port, all of it."""
        self.sent += pcm
        while pcm:
            try:
                pcm = pcm[os.write(self.master, pcm) :]
            except BlockingIOError:
                self.turn()

    # ------------------------------------------------------------------------------------- time

    def turn(self, seconds: float = 0.005) -> None:
        """Take what comes from either side."""
        fds = [self.master] * (self.master >= 0) + [self.voice.fd] * (not self.deaf)
        readable, _, _ = select.select(fds, [], [], seconds)
        if self.master in readable:
            try:
                self.heard += os.read(self.master, 65536)
            except OSError:
                pass
        if self.voice.fd in readable:
            self.told += self.voice.receive()

    def until(self, true: Callable[[], object], why: str = "") -> None:
        end = time.monotonic() + PATIENCE_S
        while not true():
            assert time.monotonic() < end, f"{why or 'it never came true'}; told: {self.told}"
            self.turn()

    def hears(self, frames: int) -> bytes:
        """The next so many frames."""
        before = len(self.heard)
        self.until(lambda: len(self.heard) >= before + frames * FRAME)
        return bytes(self.heard[before:])

    def said(self, key: str) -> list[Any]:
        """What was told under a name."""
        return [message[key] for message in self.told if key in message]

    # ------------------------------------------------------------------------------------ the line

    def open(self, hear_first: bool = False) -> None:
        self.voice.send(do="open", port=str(self.path), hear_first=hear_first)
        self.until(lambda: self.said("open"))

    def say(self, number: int, *files: tuple[str, int]) -> None:
        self.voice.send(do="say", id=number, files=files)

    def record(self, number: int = 1, most_s: float = 30) -> Path:
        """Begin a take, and wait until its file is there."""
        path = self.folder / f"take-{number}.wav"
        self.voice.send(do="record", take=number, file=str(path), most_s=most_s)
        self.until(path.exists)
        return path

    def stop(self, keep: bool = True) -> dict[str, Any]:
        self.voice.send(do="stop", keep=keep)
        return self.recorded()

    def recorded(self) -> dict[str, Any]:
        self.until(lambda: self.said("recorded"))
        taken: dict[str, Any] = self.said("recorded")[-1]
        return taken


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.close()


def samples(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (8000, 2, 1)
        return file.readframes(1 << 24)


# -------------------------------------------------------------------------------------- playing


def test_what_is_said_arrives_in_order_with_silence_around_it(desk: Desk) -> None:
    one, two = noise(1000, 1), noise(12_345 & ~1, 2)
    desk.open()
    desk.hears(3)
    desk.say(7, (wav(desk.folder / "1.wav", one), 0), (wav(desk.folder / "2.wav", two), 30), ("", 10))
    desk.until(lambda: desk.said("played"))
    desk.hears(5)
    assert desk.said("played") == [7]
    row = one + bytes(30 * 16) + two + bytes(10 * 16) + BEEP
    before, found, after = bytes(desk.heard).partition(row)
    assert found, "not a sample is missing, or in another place"
    assert not before.strip(b"\0"), "silence before"
    assert not after.strip(b"\0"), "and after"
    assert len(before) % FRAME == 0


def test_a_prompt_that_is_waited_for_begins_with_the_first_frame(desk: Desk) -> None:
    pcm = noise(4000)
    desk.say(1, (wav(desk.folder / "1.wav", pcm), 0))
    desk.open()
    desk.until(lambda: desk.said("played"))
    assert pcm in bytes(desk.heard)


def test_played_comes_when_the_modem_has_nothing_left_of_it(desk: Desk) -> None:
    desk.open()
    desk.say(1, (wav(desk.folder / "1.wav", noise(FRAME * 10)), 0))
    desk.until(lambda: desk.said("played"))
    heard = bytes(desk.heard)
    behind = len(heard) - len(heard.rstrip(b"\0"))
    assert behind >= LEAD * FRAME, "the frames that the modem holds are not heard yet"


@pytest.mark.parametrize("how", ["say", "hush"])
def test_what_is_cut_off_is_heard_no_more_and_tells_nothing(desk: Desk, how: str) -> None:
    desk.open()
    long = noise(16_000 * 20)
    desk.say(1, (wav(desk.folder / "long.wav", long), 0))
    desk.until(lambda: long[:FRAME] in desk.heard)
    if how == "hush":
        desk.voice.send(do="hush")
        desk.until(lambda: desk.heard.endswith(bytes(4 * FRAME)))
    short = noise(1000, 77)
    desk.say(2, (wav(desk.folder / "short.wav", short), 0))
    desk.until(lambda: desk.said("played"))
    assert desk.said("played") == [2]
    told, found, after = bytes(desk.heard).partition(short)
    assert found
    assert not after.strip(b"\0")
    assert told.strip(b"\0") == long[: len(told.strip(b"\0"))]
    assert len(told.strip(b"\0")) % FRAME == 0, "it ends with a frame"


def test_a_missing_prompt_is_the_beep_and_told(desk: Desk) -> None:
    desk.open()
    missing = str(desk.folder / "no.wav")
    desk.say(1, (missing, 0))
    desk.until(lambda: desk.said("played"))
    assert BEEP in bytes(desk.heard)
    assert {"trouble": f"{missing}: No such file or directory", "why": "no-prompt"} in desk.told


def test_nothing_to_say_is_played_at_once(desk: Desk) -> None:
    desk.open()
    desk.say(4)
    desk.until(lambda: desk.said("played"))
    assert not bytes(desk.heard).strip(b"\0")


# ------------------------------------------------------------------------------------- the port


def test_where_the_modem_must_speak_first_nothing_is_written_before(tmp_path: Path) -> None:
    desk = Desk(tmp_path, helper=tweaked("helper.HEAR_FIRST_S = 1e6"))
    desk.say(1, ("", 0))
    desk.voice.send(do="open", port=str(desk.path), hear_first=True)
    desk.until(lambda: desk.said("trouble"))  # a second later: it does look after the port
    assert not desk.heard
    desk.speak(b"\1")
    desk.until(lambda: desk.said("open"))
    desk.until(lambda: desk.said("played"))
    assert BEEP in bytes(desk.heard)
    desk.close()


def test_a_modem_that_never_speaks_first_is_spoken_to_after_half_a_second(desk: Desk) -> None:
    begun = time.monotonic()
    desk.voice.send(do="open", port=str(desk.path), hear_first=True)
    desk.until(lambda: desk.heard)
    assert time.monotonic() - begun >= 0.5


def test_a_modem_without_sound_is_told_of(desk: Desk) -> None:
    desk.open()
    desk.until(lambda: desk.said("why"))
    assert desk.said("why") == ["no-sound"]
    assert desk.said("trouble") == [f"{desk.path}: no sound comes from the modem"]


def test_a_port_that_vanishes_is_told_once_and_opened_again(desk: Desk) -> None:
    desk.open()
    long = noise(FRAME * 400)
    desk.say(1, (wav(desk.folder / "long.wav", long), 0))
    desk.until(lambda: long[: FRAME * 5] in desk.heard)
    path = desk.record()
    desk.speak(noise(FRAME * 2) + b"x")
    desk.until(lambda: _drained(desk.slave))
    desk.vanish()
    desk.until(lambda: len(desk.said("trouble")) == 2)
    first, second = desk.said("why")
    assert (first, second) == ("no-port", "no-port"), "gone, and then not there"
    desk.path.unlink()
    before = bytes(desk.heard)
    desk.heard.clear()
    desk.appear()
    desk.until(lambda: len(desk.said("open")) == 2)
    desk.speak(noise(FRAME * 2))
    desk.until(lambda: desk.said("played"))
    desk.until(lambda: _drained(desk.slave))
    assert bytes(desk.heard).rstrip(b"\0") in long, "it goes on where it was"
    assert len(desk.said("trouble")) == 2 + ("no-sound" in desk.said("why"))
    assert before.strip(b"\0") in long
    assert desk.stop()["ms"] == 80, "a half sample that nobody finished is in the way of none"
    assert samples(path) == noise(FRAME * 2) + noise(FRAME * 2)


def test_a_port_that_another_holds_is_told_and_taken_when_it_is_free(desk: Desk) -> None:
    fcntl.flock(desk.slave, fcntl.LOCK_EX)
    desk.voice.send(do="open", port=str(desk.path), hear_first=False)
    desk.until(lambda: desk.said("trouble"))
    assert desk.said("why") == ["port-held"]
    fcntl.flock(desk.slave, fcntl.LOCK_UN)
    desk.until(lambda: desk.said("open"))


def test_a_port_that_takes_nothing_blocks_nothing(desk: Desk) -> None:
    desk.open()
    desk.hears(3)
    termios.tcflow(desk.slave, termios.TCOOFF)  # as a modem that has stopped fetching
    desk.heard.clear()
    pcm = noise(16_000)
    desk.say(1, (wav(desk.folder / "1.wav", pcm), 0))
    desk.until(lambda: desk.said("played"), "the conversation goes on")
    path = desk.record()
    desk.speak(noise(FRAME * 3))
    desk.speak(noise(FRAME * 3))
    assert desk.stop()["ms"] == 120, "and hears"
    assert samples(path) == noise(FRAME * 3) * 2
    termios.tcflow(desk.slave, termios.TCOON)
    late = noise(4000, 9)
    desk.say(2, (wav(desk.folder / "2.wav", late), 0))
    desk.until(lambda: desk.said("played") == [1, 2])
    stale, found, _ = bytes(desk.heard).partition(late)
    assert found, "and is whole again: no sample is split"
    assert len(stale.strip(b"\0")) <= 4 * FRAME, "what was too late is not said afterwards"


def test_a_closed_port_is_let_go(desk: Desk) -> None:
    desk.open()
    desk.hears(3)
    desk.voice.send(do="close")
    device = os.stat(desk.path).st_rdev
    desk.until(lambda: device not in _open_devices(desk.voice.pid))
    desk.told.clear()
    desk.open()
    desk.hears(3)


# -------------------------------------------------------------------------------------- hearing


def test_keys_and_speech_are_told(desk: Desk) -> None:
    desk.open()
    for key in "5#":
        desk.speak(tone(key) + silence(100))
    desk.until(lambda: desk.said("key") == ["5", "#"])
    path = desk.record()
    desk.speak(silence(1500))
    desk.speak(talk(seconds=2))
    desk.until(lambda: desk.said("speech") == [True])
    desk.speak(silence(1000))
    desk.until(lambda: desk.said("speech") == [True, False])
    taken = desk.stop()
    assert 1000 < taken["speech_ms"] < 3000
    assert samples(path).strip(b"\0") == talk(seconds=2).strip(b"\0")


def test_whoever_talks_when_the_sound_stops_has_ended(desk: Desk) -> None:
    desk.open()
    desk.speak(silence(500) + talk(seconds=1))
    desk.until(lambda: desk.said("speech") == [True])
    desk.until(lambda: desk.said("speech") == [True, False])
    assert not desk.said("trouble"), "there was sound"


def talk(seconds: float) -> bytes:
    """Something that is no tone and has the rhythm of syllables."""
    dice = random.Random(1)
    loud = (0.5 + 0.5 * math.sin(2 * math.pi * 4 * n / 8000) for n in range(int(8000 * seconds)))
    return b"".join(struct.pack("<h", int(6000 * level * dice.uniform(-1, 1))) for level in loud)


def _open_devices(pid: int) -> set[int]:
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.add(link.stat().st_rdev)
    return found


# ------------------------------------------------------------------------------------- recording


@pytest.mark.parametrize("pieces", [(FRAME,), (1,), (319, 1, 640), (3, 5, 7, 1001)])
def test_a_take_is_the_callers_sound_byte_by_byte(desk: Desk, pieces: tuple[int, ...]) -> None:
    desk.open()
    path = desk.record()
    pcm, at = noise(max(2000, 20 * sum(pieces))), 0
    while at < len(pcm):
        for piece in pieces:
            desk.speak(pcm[at : at + piece])
            at += piece
            desk.turn(0)
    desk.until(lambda: _drained(desk.slave))
    taken = desk.stop()
    assert samples(path) == pcm
    assert taken["ms"] == len(pcm) // 16
    assert taken["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def _drained(slave: int) -> bool:
    """Has the helper read all that lies in the port? A take ends after the bytes that came before the word."""
    return not select.select([slave], [], [], 0)[0]


def test_a_take_ends_by_itself_and_the_sound_goes_on(desk: Desk) -> None:
    desk.open()
    path = desk.record(most_s=1)
    pcm = noise(16_000 * 3)
    desk.speak(pcm)
    assert desk.recorded()["ms"] == 1000
    assert samples(path) == pcm[:16_000]
    desk.hears(3)
    second = desk.record(2, most_s=1)
    desk.told.clear()
    desk.until(lambda: _drained(desk.slave))
    desk.speak(noise(640, 5))
    desk.stop()
    assert samples(second).endswith(noise(640, 5))


def test_a_take_without_sound_ends_in_its_time(desk: Desk) -> None:
    desk.open()
    path = desk.record(most_s=0.2)
    assert desk.recorded()["ms"] == 0
    assert samples(path) == b""


def test_a_take_that_is_not_wanted_goes(desk: Desk) -> None:
    desk.open()
    path = desk.record()
    desk.speak(noise(3200))
    assert desk.stop(keep=False)["sha256"] == ""
    assert not path.exists()


@pytest.mark.parametrize("how", ["close", "the line ends"])
def test_hanging_up_keeps_the_take(desk: Desk, how: str) -> None:
    desk.open()
    path = desk.record()
    desk.speak(noise(40_000))
    desk.until(lambda: _drained(desk.slave))
    if how == "close":
        desk.voice.send(do="close")
        desk.recorded()
    else:
        desk.voice.close()
    assert samples(path) == noise(40_000)


def test_a_killed_line_leaves_a_take_that_can_be_mended(desk: Desk) -> None:
    """kill -9 of the process that started the helper: both are gone at once, at most a second of sound with them."""
    path = desk.folder / "take.wav"
    code = f"""
import sys, time
from edge.voice import Voice
voice = Voice()
voice.send(do="open", port={str(desk.path)!r}, hear_first=False)
voice.send(do="record", take=1, file={str(path)!r}, most_s=30)
print(voice.pid, flush=True)
time.sleep(3600)
"""
    line = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT)
    assert line.stdout
    helper = int(line.stdout.readline())
    desk.until(path.exists)
    desk.speak(noise(16_000 * 4))
    desk.until(lambda: path.stat().st_size >= HEADER + 3 * 16_000, "a second at most is not in the file")
    line.kill()
    line.wait()
    line.stdout.close()
    desk.until(lambda: not _lives(helper), "the helper outlives its line")
    ms = mend(path)
    assert 3000 <= ms <= 4000
    kept = samples(path)
    assert 0 <= len(kept) - ms * 16 < 16, "the file's length, in whole milliseconds"
    assert kept == noise(16_000 * 4)[: len(kept)]


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_full_disk_ends_the_take_and_nothing_else(desk: Desk) -> None:
    desk.open()
    resource.prlimit(desk.voice.pid, resource.RLIMIT_FSIZE, (20_001, 20_001))
    path = desk.record(5)
    long = noise(FRAME * 100)
    desk.say(1, (wav(desk.folder / "long.wav", long), 0))
    desk.speak(noise(48_000))
    desk.until(lambda: desk.said("failed"))
    assert desk.told[-1] == {"failed": FULL, "take": 5}
    assert samples(path) == noise(48_000)[: (20_001 - HEADER) & ~1]
    desk.until(lambda: desk.said("played"))
    assert long in bytes(desk.heard)
    desk.voice.send(do="stop", keep=True)
    desk.voice.send(do="close")
    desk.told.clear()
    desk.open()
    assert not desk.said("recorded")


SLOW = "real = os.fsync\ndef slow(fd): time.sleep(1.0); real(fd)\nos.fsync = slow\n"
INLINE = "worker.Worker.do = lambda self, job: job()\n"


@pytest.mark.parametrize("code", [SLOW, SLOW + INLINE], ids=["as it is", "control: the loop itself waits for the card"])
def test_a_card_that_takes_a_second_to_sync_is_never_heard(tmp_path: Path, code: str) -> None:
    desk = Desk(tmp_path, helper=tweaked(code))
    desk.open()
    desk.record()
    desk.speak(noise(3200))
    long = noise(FRAME * 500)
    desk.say(1, (wav(tmp_path / "long.wav", long), 0))
    desk.until(lambda: long[:FRAME] in desk.heard)
    heard, begun = len(desk.heard), time.monotonic()
    desk.stop()
    frames, seconds = (len(desk.heard) - heard) / FRAME, time.monotonic() - begun
    assert seconds >= 2, "the file, and its folder"
    assert (frames > 0.8 * seconds / FRAME_S) == (INLINE not in code)
    desk.close()


# --------------------------------------------------------------------------------- line and helper


def test_a_line_that_is_busy_is_told_everything_later(desk: Desk) -> None:
    desk.open()
    desk.deaf = True
    for number in range(600):  # more messages than the socket holds
        desk.say(number, (f"{desk.folder}/{number}", 0))
        if number % 50 == 0:
            desk.hears(1)
    desk.hears(20)
    desk.deaf = False
    desk.until(lambda: desk.said("played"))
    missing = [told["trouble"] for told in desk.told if told.get("why") == "no-prompt"]
    assert missing[-1].startswith(f"{desk.folder}/599: ")
    numbers = [int(words.partition(":")[0].rpartition("/")[2]) for words in missing]
    assert numbers == sorted(numbers), "in order"


def test_a_dead_helper_is_told_to_the_line(desk: Desk) -> None:
    desk.open()
    os.kill(desk.voice.pid, signal.SIGKILL)
    with pytest.raises(VoiceLost):
        desk.until(lambda: False)
    with pytest.raises(VoiceLost):
        desk.voice.send(do="hush")
    desk.voice.close()
    assert not Path(f"/proc/{desk.voice.pid}").exists(), "no zombie"


def test_a_helper_that_hangs_does_not_hold_the_line(desk: Desk) -> None:
    desk.open()
    os.kill(desk.voice.pid, signal.SIGSTOP)
    with pytest.raises(VoiceLost):
        for number in range(100_000):
            desk.voice.send(do="say", id=number, files=[])
    desk.voice.close()
    assert not Path(f"/proc/{desk.voice.pid}").exists()


def test_signals_to_the_whole_group_are_the_lines_to_obey(desk: Desk) -> None:
    desk.open()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(desk.voice.pid, number)
    desk.hears(5)
    desk.voice.close()
    assert not Path(f"/proc/{desk.voice.pid}").exists(), "it ends with its socket"


def test_the_helper_carries_no_more_than_it_needs() -> None:
    code = "import sys; import edge.audio.helper; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    heavy = {"argparse", "asyncio", "logging", "sqlite3", "subprocess", "phonenumbers", "jinja2", "numpy", "http"}
    assert not heavy & {name.partition(".")[0] for name in done.stdout.split()}
