"""A word in place of a key: the recogniser, its process, and all the ways in which it is not there."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench import words as bench
from edge import recognise
from edge.audio.words import BEFORE, MOST, Words
from edge.dialogue import WordHeard
from edge.recognise import PRONOUNCED, SHORTEST, SUPPORTED, WORDS, doubled, offered, serve
from edge.talk.sound import PcmSound
from tests.test_voice import Desk, tweaked, wav

needs_engine = pytest.mark.skipif(
    importlib.util.find_spec("pocketsphinx") is None, reason="pocketsphinx has no wheel for this Python"
)
needs_voice = pytest.mark.skipif(
    not (shutil.which("espeak-ng") and shutil.which("sox")), reason="espeak-ng and sox are not installed"
)
PATIENCE_S = 60.0


def say(text: str, seed: int = 1) -> bytes:
    """A text by a plain voice, with half a second of silence around it."""
    return bytes(8000) + bench.spoken("en", text, random.Random(seed)) + bytes(8000)


# ------------------------------------------------------------------------------ is there a recogniser?


def test_a_line_that_did_not_ask_has_none() -> None:
    assert offered("off", ["en"]) == ("", "")


def test_without_the_package_there_are_keys_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognise.importlib.util, "find_spec", lambda name: None)
    assert offered("pocketsphinx", ["en"]) == ("", "pocketsphinx is not installed: keys only")


def test_a_language_that_was_not_measured_good_enough_has_keys_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognise.importlib.util, "find_spec", lambda name: object())
    language, why = offered("pocketsphinx", ["hi", "mr"])
    assert not language
    assert why == "words are not understood well enough in hi, mr: keys only"
    assert offered("pocketsphinx", ["hi", "en"]) == ("en", "")


class FakeVosk:
    """The face of the vosk package, as far as it is used; it hears whatever stands in the sound's first bytes."""

    def __init__(self) -> None:
        self.told: list[dict[str, object]] = []
        self.grammar: list[str] = []

    def SetLogLevel(self, level: int) -> None:
        pass

    def Model(self, folder: str) -> str:
        return folder

    def KaldiRecognizer(self, model: str, rate: int, grammar: str) -> FakeVosk:
        assert rate == 16_000
        self.grammar = json.loads(grammar)
        return self

    def SetWords(self, on: bool) -> None:
        assert on

    def AcceptWaveform(self, pcm: bytes) -> None:
        assert len(pcm) > SHORTEST

    def FinalResult(self) -> str:
        return json.dumps({"text": "", "result": self.told} if self.told else {"text": ""})


def test_a_model_of_vosk_is_offered_once_it_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = f"vosk:hi:{tmp_path}"
    assert offered(named, ["hi"]) == ("", "vosk is not installed: keys only")
    monkeypatch.setattr(recognise.importlib.util, "find_spec", lambda name: object())
    assert offered(named, ["en"]) == ("", "callers of this line are not spoken to in hi: keys only")
    language, why = offered(named, ["en", "hi"])
    assert not language and "nobody has measured" in why and f"MISCALL_VOSK=hi:{tmp_path}" in why
    (tmp_path / recognise.MEASURED).write_text('{"language": "hi", "words": ["yes", "no", "rubbish"]}')
    assert offered(named, ["en", "hi"]) == (named, "")
    assert recognise.measured(tmp_path, "hi") == {"yes", "no"} and not recognise.measured(tmp_path, "en")
    for spoilt in ("[]", "{}", "no json", '{"language": "hi", "words": 3}'):
        (tmp_path / recognise.MEASURED).write_text(spoilt)
        assert offered(named, ["hi"])[0] == ""


def test_vosk_hears_one_word_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeVosk()
    monkeypatch.setattr(recognise.importlib, "import_module", lambda name: fake)
    (tmp_path / recognise.MEASURED).write_text('{"language": "hi", "words": ["yes"]}')
    engine, words = recognise.made(f"vosk:hi:{tmp_path}")
    assert words == {"yes"} and set(recognise.WRITTEN["hi"].values()) < set(fake.grammar)
    sound = bytes(2 * SHORTEST)
    assert engine.hear(sound) is None and engine.hear(b"\1") is None
    fake.told = [{"word": "हाँ", "conf": 0.9}]
    assert engine.hear(sound) == ("yes", 0.9)
    fake.told = [{"word": "हाँ", "conf": 0.9}, {"word": "नहीं", "conf": 0.9}]
    assert engine.hear(sound) is None
    fake.told = [{"word": "[unk]", "conf": 1.0}]
    assert engine.hear(sound) is None


def test_what_is_offered_can_be_pronounced() -> None:
    for language, words in SUPPORTED.items():
        assert words <= set(WORDS)
        assert set(PRONOUNCED[language]) == set(WORDS), "all compete"


def test_a_blocked_import_ends_the_process_and_nothing_else(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "norecogniser.py").write_text(
        "import sys\nsys.modules['pocketsphinx'] = None\nfrom edge import recognise\n"
        "recognise.main(int(sys.argv[1]), sys.argv[2])\n"
    )
    desk = Desk(tmp_path, helper=_helper_with("norecogniser", tmp_path), language="en")
    desk.open()
    desk.until(lambda: "keys only" in capfd.readouterr().err)
    _the_call_goes_on(desk)
    desk.close()


def _helper_with(module: str, folder: Path) -> tuple[str, ...]:
    """The helper, with another module as its recogniser."""
    return tweaked(
        f"import functools\nfrom edge.audio import words\nos.environ['PYTHONPATH'] = {str(folder)!r}\n"
        f"helper.Words = functools.partial(words.Words, module={module!r})\n"
        "helper.main(int(sys.argv[1]), sys.argv[2])\nsys.exit()"
    )


def _the_call_goes_on(desk: Desk) -> None:
    """Prompts are played, speech is told, and keys."""
    from tools.simmodem.tones import silence, tone

    desk.say(1, (wav(desk.folder / "on.wav", b"\1\2" * 800), 0))
    desk.until(lambda: desk.said("played"))
    desk.speak(tone("5") + silence(100))
    desk.until(lambda: desk.said("key") == ["5"])
    assert not desk.said("word")


# ---------------------------------------------------------------------------------- what it is handed


class Fake:
    """A recogniser's process played here: what it is asked, and what it answers."""

    def __init__(self, words: Words, far: socket.socket) -> None:
        self.words, self.far = words, far

    def asked(self) -> list[bytes]:
        found = []
        while select.select([self.far], [], [], 0)[0] and (data := self.far.recv(65536)):
            found.append(data)
        return found

    def tells(self, **told: object) -> dict[str, object]:
        self.far.send(json.dumps(told).encode())
        return self.words.answer()

    def say(self, pcm: bytes) -> None:
        self.words.feed(pcm[:320])
        self.words.began()
        for at in range(320, len(pcm), 320):
            self.words.feed(pcm[at : at + 320])
        self.words.ended()


class Quiet:
    """A process that is none."""

    pid = 0

    def kill(self) -> None: ...
    def wait(self) -> None: ...


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    fars: list[socket.socket] = []

    def popen(command: list[str], **_: object) -> Quiet:
        fars.append(socket.socket(fileno=os.dup(int(command[-2]))))
        return Quiet()

    monkeypatch.setattr(subprocess, "Popen", popen)
    words = Words("en")
    yield Fake(words, fars[0])
    words.close()
    fars[0].close()


def test_a_stretch_has_the_sound_before_it_was_told(fake: Fake) -> None:
    before = bytes(range(256)) * 40
    for at in range(0, len(before), 320):
        fake.words.feed(before[at : at + 320])
    fake.say(b"\7" * 3200)
    assert fake.asked() == [(before + b"\7" * 320)[-BEFORE:] + b"\7" * 2880]


def test_long_talk_is_no_command(fake: Fake) -> None:
    fake.say(b"\7" * (MOST + 640))
    assert fake.asked() == []
    fake.say(b"\7" * 3200)
    assert len(fake.asked()) == 1, "and the next word is heard"


def test_one_stretch_at_a_time(fake: Fake) -> None:
    fake.say(b"\1" * 3200)
    fake.say(b"\2" * 3200)
    assert len(fake.asked()) == 1
    assert fake.tells(word="yes", sure=0.9) == {"word": "yes", "sure": 0.9, "language": "en"}
    fake.say(b"\3" * 3200)
    assert len(fake.asked()) == 1


def test_no_word_is_told_as_nothing(fake: Fake) -> None:
    fake.say(b"\1" * 3200)
    assert fake.tells() == {}


def test_an_answer_to_what_is_over_is_dropped(fake: Fake) -> None:
    fake.say(b"\1" * 3200)
    fake.words.forget()
    assert fake.tells(word="yes", sure=0.9) == {}
    fake.say(b"\1" * 3200)
    assert fake.tells(word="yes", sure=0.9)


def test_a_stretch_that_is_over_is_not_handed_over(fake: Fake) -> None:
    fake.words.feed(b"\1" * 3200)
    fake.words.began()
    fake.words.forget()
    fake.words.ended()
    assert fake.asked() == []


def test_a_dead_recogniser_is_told_once(fake: Fake, capfd: pytest.CaptureFixture[str]) -> None:
    fake.far.shutdown(socket.SHUT_RDWR)
    assert fake.words.answer() == {}
    assert fake.words.fd == -1
    fake.say(b"\1" * 3200)
    fake.say(b"\1" * 3200)
    assert capfd.readouterr().err == "the recogniser of words has ended: keys only\n"


def test_a_recogniser_that_takes_nothing_holds_nobody(fake: Fake) -> None:
    fake.words._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    fake.say(b"\1" * 3200)
    fake.words._asked = False
    for _ in range(100):
        fake.say(b"\1" * 3200)
        fake.words._asked = False
    assert fake.words.fd >= 0


def test_it_serves_what_is_offered_and_nothing_else() -> None:
    class Parrot:
        def hear(self, pcm: bytes) -> tuple[str, float] | None:
            return {b"y": ("yes", 0.75), b"8": ("8", 0.9)}.get(pcm)

    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    thread = threading.Thread(target=serve, args=(Parrot(), its, frozenset({"yes", "no"})))
    thread.start()
    told = []
    for stretch in (b"y", b"8", b"?"):
        ours.send(stretch)
        told.append(json.loads(ours.recv(4096)))
    ours.close()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert told == [{"word": "yes", "sure": 0.75}, {}, {}]
    its.close()


def test_a_message_becomes_a_word_for_the_conversation() -> None:
    sound = PcmSound(lambda message: None, "/dev/null", False)
    assert sound.message({"word": "yes", "sure": 0.75, "language": "en"}) == [WordHeard("yes", 0.75, "en")]


# ------------------------------------------------------------------------------------ what it understands


def test_a_sound_at_twice_the_rate() -> None:
    import struct

    pcm = struct.pack("<4h", 0, 100, -32768, 32767)
    assert struct.unpack("<8h", doubled(pcm)) == (0, 50, 100, -16334, -32768, -1, 32767, 16383)
    assert doubled(b"") == b""


@pytest.fixture(scope="module")
def engine() -> recognise.PocketSphinx:
    return recognise.PocketSphinx("en")


@needs_engine
@pytest.mark.parametrize("length", [0, 1, SHORTEST - 1, SHORTEST, SHORTEST + 1, 16001, 3 * 16000 + 1])
def test_garbage_never_raises(engine: recognise.PocketSphinx, length: int) -> None:
    dice = random.Random(length)
    for pcm in (dice.randbytes(length), bytes(length), b"\xff\x7f" * (length // 2) + b"\1" * (length % 2)):
        heard = engine.hear(pcm)
        assert heard is None or (heard[0] in WORDS and 0 <= heard[1] <= 1)
        if length < SHORTEST:
            assert heard is None


@needs_engine
@needs_voice
def test_it_hears_yes_and_no_and_not_a_sentence(engine: recognise.PocketSphinx) -> None:
    for word in ("yes", "no"):
        found = [engine.hear(one) for one in bench.cut(say(word))]
        assert [word] == [heard[0] for heard in found if heard and heard[1] >= recognise.ASKED]
    for text in ("the pump is broken", "which number", "nobody came", "seven"):
        found = [engine.hear(one) for one in bench.cut(say(text))]
        assert not [heard for heard in found if heard and heard[0] in SUPPORTED["en"] and heard[1] >= recognise.ASKED]


# ----------------------------------------------------------------------------- in the helper's process


@needs_engine
@needs_voice
def test_a_spoken_word_comes_to_the_line(tmp_path: Path) -> None:
    desk = Desk(tmp_path, language="en")
    desk.open()
    recogniser = _child(desk)
    assert os.getpriority(os.PRIO_PROCESS, recogniser) == 19
    desk.speak(say("yes"))
    desk.until(lambda: desk.said("word"))
    [told] = [message for message in desk.told if "word" in message]
    [event] = PcmSound(lambda message: None, "", False).message(told)
    assert isinstance(event, WordHeard)
    assert (event.word, event.language) == ("yes", "en")
    assert event.sure >= recognise.ASKED
    desk.say(1, (wav(tmp_path / "long.wav", bytes(16_000 * 60)), 0))
    desk.speak(say("yes"))
    desk.until(lambda: desk.said("speech") == [True, False] * 2)
    desk.speak(bytes(16_000))
    desk.voice.send(do="hush")
    desk.speak(say("no"))
    desk.until(lambda: desk.said("word") == ["yes", "no"], "what is said over a prompt may be its echo")
    desk.close()
    _until(lambda: not Path(f"/proc/{recogniser}").exists())


@needs_engine
def test_a_recogniser_that_is_killed_leaves_the_keys(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    desk = Desk(tmp_path, language="en")
    desk.open()
    os.kill(_child(desk), signal.SIGKILL)
    desk.until(lambda: "keys only" in capfd.readouterr().err)
    _the_call_goes_on(desk)
    desk.close()


def _child(desk: Desk) -> int:
    """The recogniser's process, once it has said that it gives way to everybody."""
    found: list[int] = []

    def there() -> bool:
        children = Path(f"/proc/{desk.voice.pid}/task/{desk.voice.pid}/children").read_text().split()
        found[:] = [int(pid) for pid in children]
        return bool(found) and os.getpriority(os.PRIO_PROCESS, found[0]) == 19

    _until(there)
    return found[0]


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end
        select.select([], [], [], 0.01)


# ------------------------------------------------------------------------------------- the measurement


def test_the_limits_can_be_missed() -> None:
    """Negative control: one who understands yes in everything, and one who understands nothing."""
    said = [bench.Said("yes", (b"",)), bench.Said("no", (b"",)), bench.Said("", (b"",)), bench.Said("8", (b"",))]
    words = frozenset({"yes", "no"})
    deaf = bench.score(words, said, [[], [], [], []])
    assert deaf.shares == (0, 0, 0)
    assert not deaf.good
    eager = bench.score(words, said, [["yes"]] * 4)
    assert eager.shares == (50, 50, 100)
    assert not eager.good
    right = bench.score(words, said, [["yes"], ["no"], [], ["8"]])
    assert right.shares == (100, 100, 0)
    assert right.good
    assert (eager.false_talk, eager.talk, right.false_talk) == (1, 1, 0)
    assert [figure.ok for figure in bench.verdict("en", "clean", words, eager)] == [False, False, False, None]


def test_without_the_package_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    monkeypatch.setattr(bench.importlib.util, "find_spec", lambda name: None)
    [figure] = bench.measure()
    assert figure.value is None
    with pytest.raises(ImportError):
        recognise.PocketSphinx("en")
