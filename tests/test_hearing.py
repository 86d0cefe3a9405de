"""The box's ear: ITU-T Q.24's limits as tables, the ears and the generators of others, and what must not be heard."""

from __future__ import annotations

import itertools
import random
import shutil
import subprocess
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import ears
from edge import hearing
from edge.dialogue import FRAME, KEYS, RATE, KeyPressed, SpeechBegan, SpeechEnded
from edge.hearing import Ear, Keys
from tools.simmodem.tones import COLUMNS, ROWS, frequencies, silence, tone

SECOND = 2 * RATE


def heard(sound: bytes, piece: int = FRAME) -> list[KeyPressed | SpeechBegan | SpeechEnded]:
    ear, found = Ear(), []
    for at in range(0, len(sound), piece):
        found += ear.feed(sound[at : at + piece], at / SECOND)
    return found


def keys(sound: bytes) -> str:
    return "".join(event.key for event in heard(sound) if isinstance(event, KeyPressed))


def noise(seconds: float, deviation: float, seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    return [rng.gauss(0, deviation) for _ in range(round(seconds * RATE))]


@pytest.fixture(scope="module")
def spoken() -> bytes:
    """Four minutes of speech in six languages."""
    if not ears.talkative():
        pytest.skip("espeak-ng or sox is not installed")
    return ears.speech(240, seed=11)


# ----------------------------------------------------------------------------------------- Q.24

MUST = {
    "40/40 ms": {},
    "the same in noise, 15 dB": {"snr": 15},
    "0 dBm0": {"level": 0.0},
    "-25 dBm0": {"level": -25.0},
    "-25 dBm0 in noise": {"level": -25.0, "snr": 15},
    "high 4 dB over low": {"twist": 4.0},
    "high 8 dB over low": {"twist": 8.0},
    "low 4 dB over high": {"twist": -4.0},
    "low 8 dB over high": {"twist": -8.0},
    "low 8 dB over high in noise": {"twist": -8.0, "snr": 20},
    "wrong by 1.5 %": {"off": 0.015},
    "one wrong by 1.5 %, in noise": {"off": 0.015, "only_one": True, "snr": 20},
}


@pytest.mark.parametrize("name", MUST)
@pytest.mark.parametrize("pressed", [KEYS, "0011223344556677889900**##", "5" * 20])
def test_what_q24_wants_to_be_a_key_is_one(name: str, pressed: str) -> None:
    how = dict(MUST[name])
    snr = how.pop("snr", None)
    for seed in range(3):
        rng = random.Random(seed)
        samples = ears.dial(pressed, 40, 40, rng, **how)
        if snr is not None:
            samples = ears.noisy(samples, snr, rng, how.get("level", ears.LEVEL))
        assert keys(ears.pcm(samples)) == pressed


@pytest.mark.parametrize("off", [-0.035, 0.035, -0.05, 0.05])
@pytest.mark.parametrize("which", [(1, 0), (0, 1), (1, 1), (1, -1)], ids=["low", "high", "both", "apart"])
@pytest.mark.parametrize("ms", [60, 1000])
def test_a_wrong_frequency_is_no_key(off: float, which: tuple[int, int], ms: int) -> None:
    for key, twist in itertools.product(KEYS, (0.0, 6.0, -6.0)):
        wrong = (off * which[0], off * which[1])
        assert keys(ears.pcm([0.0] * 300 + ears.press(key, ms, twist=twist, off=wrong) + [0.0] * 600)) == "", key
        if ms > 60 and twist == 0.0:
            break  # a long one of each kind is enough


@pytest.mark.parametrize("ms", [5, 10, 15, 20, 23])
def test_a_tone_of_23_ms_is_no_key(ms: int) -> None:
    for key in KEYS:
        for lead in range(0, 102, 11):
            assert keys(ears.pcm([0.0] * lead + ears.press(key, ms) + [0.0] * 600)) == ""


@pytest.mark.parametrize("gap_ms", [2, 5, 10])
def test_an_interruption_of_10_ms_makes_no_second_key(gap_ms: int) -> None:
    for key, lead in itertools.product("159#", range(0, 102, 9)):
        samples = ears.press(key, 200)
        samples[640 : 640 + 8 * gap_ms] = [0.0] * (8 * gap_ms)
        assert keys(ears.pcm([0.0] * lead + samples + [0.0] * 600)) == key


@pytest.mark.parametrize("twist", [-14.0, 14.0])
def test_a_key_with_too_much_twist_is_none(twist: float) -> None:
    assert keys(ears.pcm(ears.dial(KEYS, 60, 60, random.Random(1), twist=twist))) == ""


def test_one_frequency_alone_is_no_key() -> None:
    for hertz in (*ROWS, *COLUMNS, 350, 440, hearing.BEEP, 1100, 2100):
        samples = [20_000 * ears.math.sin(2 * ears.math.pi * hertz * n / RATE) for n in range(RATE // 2)]
        assert keys(ears.pcm(samples)) == ""


def test_the_four_keys_of_no_telephone_are_nothing_and_nobody_else() -> None:
    assert keys(b"".join(tone(key, 80) + silence(60) for key in "ABCD")) == ""
    assert keys(b"".join(tone(key, 80) + silence(60) for key in "1A2B3C4D")) == "1234"


def test_a_key_is_told_before_its_tone_ends() -> None:
    for key in KEYS:
        ear = Ear()
        assert not ear.feed(silence(33), 0.0)
        assert ear.feed(tone(key, 70), 0.07) == [KeyPressed(key, "sound")]


def test_a_key_that_is_held_is_told_once() -> None:
    assert keys(tone("5", 3000) + silence(100)) == "5"


# ------------------------------------------------------------------------------------ bad lines


@pytest.mark.parametrize(("rate", "loss"), [(12.2, 0.0), (5.9, 0.03), (4.75, 0.0), (4.75, 0.03)])
def test_a_telephones_codec_takes_few_keys_away(rate: float, loss: float) -> None:
    rng, found, extra, sent = random.Random(3), 0, 0, 0
    for _ in range(6):
        pressed = ears.some_keys(rng)
        sound = ears.pcm(ears.dial(pressed, 100, 100, rng))
        try:
            score = ears.compared(pressed, keys(ears.through(sound, rate, loss, rng)))
        except OSError:
            pytest.skip("libopencore-amrnb is not installed")
        sent, found, extra = sent + len(pressed), found + score[0], extra + score[1]
    assert found >= sent - 2 and extra <= 1


def test_a_key_cuts_through_the_echo_of_our_own_prompt(spoken: bytes) -> None:
    rng = random.Random(8)
    for _ in range(4):
        pressed = ears.some_keys(rng)
        at = rng.randrange(0, len(spoken) // 2, 2)
        assert keys(ears.pcm(ears.mixed(ears.dial(pressed, 80, 80, rng), spoken[at:], -20))) == pressed


# -------------------------------------------------------------------------------- not to be heard


def test_speech_has_no_keys(spoken: bytes) -> None:
    assert keys(spoken) == ""


def test_an_ear_that_is_less_strict_fails_here(spoken: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above can fail: without the limits on purity and tuning, speech presses keys, and wrong tones do."""
    for name, value in (("PURE", 0.0), ("LESS_PURE", 0.0), ("PURER", 0.0), ("SHARE", 0.35)):
        monkeypatch.setattr(hearing, name, value)
    assert len(keys(spoken)) > 0
    monkeypatch.undo()
    wrong = ears.pcm(ears.dial(KEYS, 60, 60, random.Random(1), off=0.035, only_one=True))
    assert keys(wrong) == ""
    for name, value in (("DETUNED", 0.1), ("TUNED", 0.1), ("PURE", 0.5)):
        monkeypatch.setattr(hearing, name, value)
    assert len(keys(wrong)) > 4


@pytest.mark.parametrize("deviation", [0, 1, 30, 300, 3000, 12000])
def test_noise_says_nothing(deviation: float) -> None:
    """Steady noise is neither keys nor speech; a line that grows louder is taken for speech for two seconds at most."""
    found = heard(ears.pcm(noise(5, deviation)))
    assert found == []
    louder = ears.pcm([*noise(2, deviation / 10), *noise(6, deviation)])
    told = heard(louder)
    assert told in ([], [SpeechBegan(), SpeechEnded()])
    assert heard(louder[: 5 * SECOND]) == told


def test_random_bytes_never_raise() -> None:
    for seed in range(20):
        rng = random.Random(seed)
        Ear().feed(rng.randbytes(rng.randrange(20_000)), 0.0)


@given(st.binary(max_size=3000), st.integers(1, 700))
@settings(max_examples=60, deadline=None)
def test_any_bytes_in_any_pieces_never_raise(sound: bytes, piece: int) -> None:
    heard(sound, piece)


# ---------------------------------------------------------------------------------------- pieces

SCENE = (
    silence(300) + tone("1", 90) + silence(70) + tone("1", 50) + silence(400)
    + ears.pcm(noise(0.7, 2500)) + silence(500) + tone("#", 200, 0.1) + silence(41) + tone("A", 60) + silence(600)
)  # fmt: skip
TOLD = heard(SCENE, len(SCENE))


def test_the_scene_is_heard() -> None:
    assert [
        KeyPressed("1", "sound"), KeyPressed("1", "sound"), SpeechBegan(), SpeechEnded(), KeyPressed("#", "sound"),
    ] == TOLD  # fmt: skip


@given(st.lists(st.integers(0, len(SCENE)), max_size=40))
@settings(max_examples=40, deadline=None)
def test_the_pieces_do_not_matter(cuts: list[int]) -> None:
    ear, found = Ear(), []
    for begin, end in itertools.pairwise([0, *sorted(cuts), len(SCENE)]):
        found += ear.feed(SCENE[begin:end], end / SECOND)
    assert found == TOLD


@pytest.mark.parametrize("piece", [1, 3, 203, 204, 205, 320, 4096])
def test_pieces_of_one_size(piece: int) -> None:
    assert heard(SCENE, piece) == TOLD


# ---------------------------------------------------------------------------------------- speech


def moments(sound: bytes) -> Iterator[tuple[float, KeyPressed | SpeechBegan | SpeechEnded]]:
    """Each event with the time in the sound at which it was told."""
    ear = Ear()
    for at in range(0, len(sound), FRAME):
        for event in ear.feed(sound[at : at + FRAME], at / SECOND):
            yield (at + FRAME) / SECOND, event


# speech that is 30 dB down drowns in the loudest of these backgrounds, and is not asked for
@pytest.mark.parametrize(("gain", "background"), [
    (-30, 0), (-30, 20), (-12, 0), (-12, 20), (-12, 60), (0, 0), (0, 20), (0, 60),
])  # fmt: skip
def test_speech_begins_and_ends(spoken: bytes, gain: float, background: float) -> None:
    """Six seconds of speech, five of quiet, again and again; the background is there all the time."""
    said = ears.mixed([0.0] * (6 * RATE), spoken[30 * SECOND :], gain)
    samples = [0.0] * RATE + (said + [0.0] * (5 * RATE)) * 2
    quiet = noise(len(samples) / RATE, background)
    told = list(moments(ears.pcm([one + two for one, two in zip(samples, quiet, strict=True)])))
    assert told and not any(isinstance(event, KeyPressed) for _, event in told)
    for begin, (first, last) in ((1, (told[0], None)), (12, (None, told[-1]))):
        span = [(at, event) for at, event in told if begin <= at < begin + 11]
        assert isinstance(span[0][1], SpeechBegan) and span[0][0] < begin + 0.6, (first, last)
        assert isinstance(span[-1][1], SpeechEnded) and begin + 5 < span[-1][0] < begin + 6.5


def test_how_long_she_talked() -> None:
    ear, talk = Ear(), ears.pcm(noise(1.0, 3000))
    ear.feed(silence(500), 0.5)
    ear.feed(talk, 1.5)
    ear.feed(silence(1000), 2.5)
    assert 950 <= ear.speech_ms <= 1050
    ear.feed(tone("5", 400) + silence(500), 3.4)
    assert 950 <= ear.speech_ms <= 1050
    ear.feed(talk[: SECOND // 2] + silence(150) + talk[: SECOND // 2] + silence(500), 5.05)
    assert 2050 <= ear.speech_ms <= 2250  # a short pause is part of it


@pytest.mark.parametrize("level", [0.3, 0.03])
def test_a_beep_and_a_click_are_no_speech(level: float) -> None:
    beep = [32767 * level * ears.math.sin(2 * ears.math.pi * hearing.BEEP * n / RATE) for n in range(RATE // 4)]
    click = noise(0.05, 8000 * level)
    for lead in range(0, 102, 17):
        assert heard(ears.pcm([0.0] * (4000 + lead) + beep + [0.0] * 4000 + click + [0.0] * 4000)) == []


def test_keys_are_no_speech() -> None:
    found = heard(b"".join(tone(key, 100) + silence(100) for key in KEYS * 3))
    assert found == [KeyPressed(key, "sound") for key in KEYS * 3]


def test_a_port_that_stalls_ends_what_is_said() -> None:
    ear, talk = Ear(), ears.pcm(noise(0.4, 3000))
    ear.feed(silence(500), 10.5)
    assert ear.feed(talk, 11.0) == [SpeechBegan()]
    assert ear.feed(b"", 11.9) == []
    assert ear.feed(b"", 13.0) == [SpeechEnded()]
    assert ear.feed(b"", 15.0) == []
    assert ear.feed(talk, 16.0) == [SpeechBegan()]


# ------------------------------------------------------------------------------- other ears, hands


def test_keys_made_by_sox(tmp_path: Path) -> None:
    if not shutil.which("sox"):
        pytest.skip("sox is not installed")
    sound = b""
    for key in KEYS:
        low, high = frequencies(key)
        raw = tmp_path / "key.raw"
        pair = ["synth", "0.07", "sine", f"{low:g}", "synth", "0.07", "sine", "mix", f"{high:g}"]
        subprocess.run([*ears.SOX, "-n", *ears.RAW, str(raw), *pair, "gain", "-6"], check=True)
        sound += raw.read_bytes() + silence(60)
    assert keys(sound) == KEYS


def test_keys_of_the_simulator_are_heard_by_multimon(tmp_path: Path) -> None:
    if not shutil.which("multimon-ng") or not shutil.which("sox"):
        pytest.skip("multimon-ng or sox is not installed")
    sound = silence(200) + b"".join(tone(key, 100) + silence(100) for key in KEYS)
    assert keys(sound) == KEYS
    with wave.open(str(tmp_path / "keys.wav"), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(sound)
    command = ["multimon-ng", "-q", "-a", "DTMF", "-t", "wav", str(tmp_path / "keys.wav")]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "".join(line.removeprefix("DTMF: ") for line in found.splitlines() if line.startswith("DTMF: ")) == KEYS


def test_keys_of_the_bench_are_heard_by_spandsp() -> None:
    sound = ears.pcm(ears.dial(KEYS, 60, 60, random.Random(1)))
    try:
        assert ears.theirs(sound) == keys(sound) == KEYS
    except OSError:
        pytest.skip("libspandsp is not installed")


# ------------------------------------------------------------------------------- two witnesses


def test_a_press_with_two_witnesses_is_one() -> None:
    for first, second in (("modem", "sound"), ("sound", "modem")):
        both = Keys()
        assert both.heard("5", first, 10.0) == KeyPressed("5", first)
        assert both.heard("5", second, 10.9) is None


@pytest.mark.parametrize("order", sorted(set(itertools.permutations("mmss"))), ids="".join)
def test_two_quick_presses_of_one_key_are_two(order: tuple[str, ...]) -> None:
    both, at = Keys(), itertools.count(1.0, 0.1)
    told = [both.heard("1", "modem" if witness == "m" else "sound", next(at)) for witness in order]
    assert sum(event is not None for event in told) == 2


def test_one_witness_alone_is_believed() -> None:
    both = Keys()
    assert [both.heard("1", "modem", at / 10) for at in range(9)] == [KeyPressed("1", "modem")] * 9
    both = Keys()
    assert both.heard("1", "modem", 0.0) and both.heard("2", "sound", 0.1)  # not the same key
    assert both.heard("1", "sound", 1.3)  # too late to be the same press
    assert both.heard("A", "modem", 2.0) is None and both.heard("", "modem", 2.0) is None


@given(st.lists(st.tuples(st.sampled_from(KEYS), st.floats(0.1, 0.8), st.floats(0.0, 0.6), st.booleans()), max_size=20))
def test_presses_with_a_late_witness_are_counted_right(presses: list[tuple[str, float, float, bool]]) -> None:
    """Whatever the pace: one witness is up to 0.6 s behind the other, each in its own order."""
    at, words = 0.0, []
    late = 0.0
    for key, pace, behind, modem_first in presses:
        at += pace
        late = max(late, at + behind)
        first, second = ("modem", "sound") if presses[0][3] else ("sound", "modem")
        words += [(at, key, first), (min(late, at + 0.9), key, second)]
        assert isinstance(modem_first, bool)
    both = Keys()
    in_time = sorted(words, key=lambda word: word[0])
    told = [event.key for now, key, source in in_time if (event := both.heard(key, source, now))]
    assert sorted(told) == sorted(key for key, *_ in presses)
