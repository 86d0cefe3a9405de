"""Drafts: sound brought to the telephone's rate and one loudness, and a machine's voice where nobody has recorded."""

from __future__ import annotations

import math
import re
import shutil
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import campaign
from edge.dialogue import Clip
from edge.prompts import Prompts
from edge.prompts import sound as pcm_of
from edge.wavfile import header
from tools import sound, voice

WATER = Path(__file__).parent.parent / "campaigns" / "water-menu.toml"
needs_espeak = pytest.mark.skipif(not shutil.which("espeak-ng"), reason="needs espeak-ng (apt-get install espeak-ng)")


def sine(hertz: float, rate: int = 8000, seconds: float = 0.5, level: float = 10_000) -> list[int]:
    return [round(level * math.sin(2 * math.pi * hertz * place / rate)) for place in range(int(rate * seconds))]


def rms(values: list[float]) -> float:
    return math.sqrt(sum(value * value for value in values) / len(values))


# ----------------------------------------------------------------------------------- another rate


@pytest.mark.parametrize("rate", [11025, 16000, 22050, 44100, 48000])
def test_the_telephones_band_passes(rate: int) -> None:
    for hertz in (300, 1000, 2000, 3000):
        made = sound.resample(sine(hertz, rate), rate)
        wanted = sine(hertz, seconds=len(made) / 8000)
        middle = slice(400, -400)
        errors = [a - b for a, b in zip(made[middle], wanted[middle], strict=True)]
        assert len(made) == int(rate / 2) * 8000 // rate
        assert rms(errors) < 100, hertz  # 1 % of the level: neither late nor weak


@pytest.mark.parametrize("hertz", [4600, 5000, 6500, 7900, 9000, 11000])
def test_what_has_no_room_is_gone(hertz: int) -> None:
    """Without the low-pass it would come back as another tone."""
    made = sound.resample(sine(hertz, 22050), 22050)
    assert rms(made[400:-400]) < 7071 / 200
    folded = sine(hertz, 22050)[::2]  # the control: thrown away is not filtered
    assert rms([float(value) for value in folded]) > 7071 / 2


@given(st.lists(st.integers(-32768, 32767), max_size=400), st.sampled_from([8000, 11025, 16000, 22050, 44100]))
@settings(max_examples=40, deadline=None)
def test_resampling_keeps_the_length_and_invents_nothing(values: list[int], rate: int) -> None:
    made = sound.resample(values, rate)
    assert len(made) == len(values) * 8000 // rate
    assert max(map(abs, made), default=0) <= 3 * max(map(abs, values), default=0)


@given(st.integers(-32000, 32000), st.sampled_from([11025, 22050, 44100]))
@settings(deadline=None)
def test_a_steady_level_stays(level: int, rate: int) -> None:
    made = sound.resample([level] * 2000, rate)
    assert all(abs(value - level) <= 1 + abs(level) / 100 for value in made[100:-100])


@given(st.lists(st.floats(-1e6, 1e6), max_size=50))
def test_samples_and_bytes(values: list[float]) -> None:
    back = sound.samples(sound.pcm(values))
    assert len(back) == len(values)
    assert all(abs(a - max(-32767, min(32767, b))) <= 0.5 for a, b in zip(back, values, strict=True))
    assert list(sound.samples(b"\x01\x00\xff\x7f\x09")) == [1, 32767]


# ---------------------------------------------------------------------------------------- loudness


def test_loudness_is_that_of_speech_not_of_pauses() -> None:
    tone = sine(500, level=3276.7)
    assert sound.loudness(tone) == pytest.approx(-23.0, abs=0.1)
    assert sound.loudness([*tone, *[0] * 40_000]) == pytest.approx(-23.0, abs=0.3)
    assert sound.loudness([0] * 8000) == sound.loudness([]) == -100.0


def test_silent_ends_are_measured_and_cut_off() -> None:
    speech = [*[3] * 4000, *sine(400), *[-3] * 8000]
    assert sound.edges_ms(speech) == (500, 1000)
    kept = sound.trimmed(speech)
    assert sound.edges_ms(kept) == (40, 40) and len(kept) == 4000 + 640
    assert sound.edges_ms([0] * 8000) == (1000, 0) and len(sound.trimmed([0] * 8000)) == 0


def test_clipping_is_a_flat_top() -> None:
    assert sound.clipped(sine(200, level=32_767)) == 0  # touches the top, once at a time
    assert sound.clipped([max(-32768, min(32767, value)) for value in sine(200, level=40_000)]) == 200
    assert sound.clipped([32767] * 100) == 1


@given(st.floats(200, 32_000), st.integers(0, 30))
@settings(max_examples=30, deadline=None)
def test_drafts_are_levelled_and_never_clip(level: float, peaks: int) -> None:
    values = sine(300, level=level)
    for place in range(peaks):  # clicks, far above the rest
        values[place * 100] = 32_000
    made = sound.levelled(values)
    assert max(map(abs, made)) <= 0.9 * 32767 + 1
    if not peaks:
        assert sound.loudness(made) == pytest.approx(-20.0, abs=0.2)
    assert sound.levelled([0.0] * 10) == [0.0] * 10 and sound.levelled([]) == []


# ----------------------------------------------------------------------------------- a machine's voice


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A small campaign in two languages."""
    path = tmp_path / "small.toml"
    path.write_text(
        'id = "small"\ntitle = "Small"\nmode = "menu"\nlanguages = ["hi", "en"]\n[menu]\nstart = "end"\n'
        '[menu.welcome]\nhi = "नमस्ते।"\nen = "Hello."\n'
        '[menu.node.end]\nkind = "say"\nsay.hi = "बस।"\nsay.en = "That is all."\n'
    )
    return path


@pytest.fixture
def phrasebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three phrases in place of forty: enough to see which are made."""
    monkeypatch.setattr("edge.phrases.NAMES", ("thanks", "digit-1", "press-1"))


@needs_espeak
@pytest.mark.usefixtures("phrasebook")
def test_drafts_are_made_once_and_again_when_the_words_change(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = file.with_suffix("")
    assert voice.run(str(file), False) == 0
    assert re.search(r"12 drafts made in [0-9.]+ s, 0 were up to date, 0 are recorded", capsys.readouterr().out)
    made = {path.name: path.stat().st_mtime_ns for path in place.glob("*.wav")}
    assert {"welcome.hi.draft.wav", "end.en.draft.wav", "digit-1.hi.draft.wav", "language-en.en.draft.wav"} <= set(made)
    assert not list(place.glob("*.part"))
    assert voice.run(str(file), False) == 0
    assert ": 0 drafts made" in (told := capsys.readouterr().out) and "12 were up to date" in told
    (place / "welcome.en.wav").write_bytes(header(3200) + bytes(3200))
    (place / "thanks.hi.draft.wav").unlink()
    file.write_text(file.read_text().replace("That is all.", "That was all."))
    assert voice.run(str(file), False) == 0
    assert ": 2 drafts made" in (told := capsys.readouterr().out) and "9 were up to date, 1 are recorded" in told
    after = {path.name: path.stat().st_mtime_ns for path in place.glob("*.wav")}
    changed = {name for name in made if after.get(name) != made[name]}
    assert changed == {"thanks.hi.draft.wav", "end.en.draft.wav"}
    assert voice.run(str(file), True) == 0
    assert "11 drafts made" in capsys.readouterr().out


@needs_espeak
@pytest.mark.usefixtures("phrasebook")
def test_what_is_no_longer_said_is_erased_and_recordings_never_are(file: Path) -> None:
    place = file.with_suffix("")
    voice.run(str(file), False)
    (place / "end.ta.wav").write_bytes(header(3200) + bytes(3200))
    (place / "mine.hi.draft.wav").write_bytes(b"made by somebody else")
    file.write_text(file.read_text().replace('end"', 'bye"').replace("node.end", "node.bye"))
    voice.run(str(file), False)
    there = {path.name for path in place.iterdir()}
    assert "end.hi.draft.wav" not in there and {"bye.hi.draft.wav", "end.ta.wav", "mine.hi.draft.wav"} <= there


@needs_espeak
def test_a_draft_is_slow_level_and_trimmed(tmp_path: Path) -> None:
    words = campaign.load(WATER).menu
    assert words
    values = sound.samples(voice.speak(words.texts["main-2", "hi"], "hi"))
    assert 1500 < len(values) // 8 < 5000
    assert sound.loudness(values) == pytest.approx(-20.0, abs=1.5) and not sound.clipped(values)
    assert max(sound.edges_ms(values)) <= 60
    fast = sound.samples(voice.speak("one", "en"))
    assert len(fast) < len(values)
    with pytest.raises(voice.NoVoice, match="nothing is heard of"):
        voice.speak("...", "en")


@needs_espeak
@pytest.mark.usefixtures("phrasebook")
def test_a_language_that_the_machine_does_not_speak(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = file.read_text().replace('["hi", "en"]', '["hi", "ha"]')
    file.write_text(text.replace("\nen =", "\nha =").replace("say.en", "say.ha"))
    assert voice.run(str(file), False) == 1
    told = capsys.readouterr()
    assert told.err == "ha: espeak-ng has no voice for it: 2 prompts are to be recorded\n"
    assert re.search(r"small: 9 drafts made", told.out)  # Hindi, and English to fall back to
    menu = campaign.load(file).menu
    assert menu and Prompts(file.with_suffix(""), menu).file(Clip("welcome", "ha")) == file.with_suffix("") / (
        "welcome.hi.draft.wav"
    )


def test_without_espeak(file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", str(file.parent))
    assert voice.run(str(file), False) == 1
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2 and told[0].startswith("hi: espeak-ng is not installed (apt-get install espeak-ng): ")


def test_an_espeak_that_fails(file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each prompt that could not be made is told; nothing half-made is left, and the next run tries again."""
    broken = file.parent / "espeak-ng"
    broken.write_text('#!/bin/sh\n[ "$1" = --voices ] && printf "P L A\\n5 hi x\\n5 en x\\n" || echo "no data" >&2\n')
    broken.chmod(broken.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{file.parent}:/usr/bin:/bin")
    monkeypatch.setattr("edge.phrases.NAMES", ())
    for _ in range(2):
        assert voice.run(str(file), False) == 1
        told = capsys.readouterr()
        assert f"{file.with_suffix('') / 'welcome.hi.draft.wav'}: espeak-ng failed: no data" in told.err
        assert "0 drafts made" in told.out and "0 were up to date" in told.out
        assert [path.name for path in file.with_suffix("").iterdir()] == ["drafts.json"]


def test_a_campaign_that_says_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    silent = WATER.with_name("missed-call.toml")
    assert voice.run(str(silent), False) == 0
    assert "there is nothing to say" in capsys.readouterr().out
    assert not silent.with_suffix("").exists()


@needs_espeak
def test_a_damaged_memory_only_costs_time(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.phrases.NAMES", ())
    for damage in ("{", "[]", '{"../../etc/passwd": "x"}'):
        file.with_suffix("").mkdir(exist_ok=True)
        (file.with_suffix("") / "drafts.json").write_text(damage)
        assert voice.run(str(file), False) == 0
    assert len(pcm_of(file.with_suffix("") / "welcome.hi.draft.wav")) > 3200
