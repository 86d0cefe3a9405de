"""What `campaign check` hears: each fault is put into a sound campaign, and found, alone."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from edge import campaign
from edge.dialogue import Clip
from edge.wavfile import header
from tools import audition, campaigns, sound

TEXT = """
id = "small"
title = "Small"
mode = "callback"
languages = ["hi", "en"]
[callback.identity]
hi = "जल समिति, नौ दबाइए।"
en = "The water committee, press nine."
[menu]
start = "main"
[menu.welcome]
hi = "नमस्ते।"
en = "Hello."
[menu.node.main]
kind = "menu"
[[menu.node.main.option]]
key = "1"
say.hi = "पानी के लिए"
say.en = "For water"
[[menu.node.main.option]]
key = "2"
say.hi = "सड़क के लिए"
say.en = "For roads"
[schedule]
quiet = "22:00-06:00"
"""


def speech(seconds: float = 1.0, level: float = 4600) -> list[int]:
    """Syllables of a hum, about -20 dBFS."""
    count = int(8000 * seconds)
    return [round(level * math.sin(place * 0.15) * (1 if place // 800 % 4 else 0.3)) for place in range(count)]


def write(path: Path, values: list[int]) -> None:
    pcm = sound.pcm(values)
    path.write_bytes(header(len(pcm)) + pcm)


@pytest.fixture(autouse=True)
def phrasebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few phrases in place of forty: less to measure."""
    names = ("press-1", "press-2", "press-3", "again", "identity", "thanks", "goodbye")
    monkeypatch.setattr("edge.phrases.NAMES", names)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A campaign whose every prompt is recorded, and well."""
    path = tmp_path / "small.toml"
    path.write_text(TEXT)
    menu = campaign.load(path).menu
    assert menu
    path.with_suffix("").mkdir()
    for name, language in menu.texts:
        write(path.with_suffix("") / f"{name}.{language}.wav", speech())
    return path


def told(file: Path) -> list[tuple[str, str, str]]:
    found = audition.findings(campaign.load(file), file.with_suffix(""))
    return [(finding.severity, finding.key, finding.problem) for finding in found]


Spoil = Callable[[Path], None]
STEREO = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 136, b"WAVE", b"fmt ", 16, 1, 2, 44100, 176400, 4, 16, b"data", 100)


@pytest.mark.parametrize(
    ("spoil", "severity", "problem"),
    [
        (lambda path: write(path, speech(12.5)), "error", "it takes 12.5 s"),
        (lambda path: write(path, [0] * 8000), "error", "nobody speaks in it"),
        (lambda path: write(path, [max(-9000, min(9000, v)) * 32767 // 9000 for v in speech(level=18000)]), "warning",
         "it is distorted: clipped"),
        (lambda path: write(path, speech(level=250)), "warning", "too quiet: -45 dBFS"),
        (lambda path: write(path, speech(level=32000)), "warning", "too loud: -5 dBFS"),
        (lambda path: write(path, speech(level=2000)), "warning", "7 dB quieter than most"),
        (lambda path: write(path, [0] * 4000 + speech()), "warning", "0.5 s of silence before the first word"),
        (lambda path: write(path, speech() + [2] * 8000), "warning", "1.0 s of silence behind the last word"),
        (lambda path: path.write_bytes(b"\xff\xfbID3"), "error", "this is no WAV file"),
        (lambda path: path.write_bytes(STEREO + bytes(100)), "error", "it has 44100 Hz, 16 bit, 2 channels; wanted"),
        (lambda path: path.write_bytes(header(0)), "error", "there is no sound in it"),
    ],
    ids=["long", "silent", "clipped", "quiet", "loud", "uneven", "late", "tail", "mp3", "stereo", "empty"],
)  # fmt: skip
def test_a_bad_prompt_is_told(file: Path, spoil: Spoil, severity: str, problem: str) -> None:
    assert told(file) == []  # the control: nothing is said of what is well
    spoil(file.with_suffix("") / "thanks.en.wav")
    found = [one for one in told(file) if one[1] == "small/thanks.en.wav"]
    assert (severity, "small/thanks.en.wav") in {one[:2] for one in found}
    assert any(one[2].startswith(problem) for one in found), found
    if problem.startswith("it is distorted"):  # it is also loud
        return
    assert len(found) == 1


def test_a_remedy_is_given_with_each(file: Path) -> None:
    (file.with_suffix("") / "thanks.en.wav").write_bytes(STEREO + bytes(100))
    (one, *_) = audition.findings(campaign.load(file), file.with_suffix(""))
    assert "sox IN.wav -r 8000 -b 16 -c 1 OUT.wav" in one.remedy


def test_a_whole_menu_may_take_twenty_seconds(file: Path) -> None:
    place = file.with_suffix("")
    long = [speech(8.2), speech(8.0)]  # with 0.5 + 1 s for each key, and 0.3 s between: 19.5 s
    for number, values in enumerate(long, 1):
        write(place / f"main-{number}.hi.wav", values)
    assert told(file) == []
    write(place / "main-2.hi.wav", speech(8.6))
    assert told(file) == [("error", "menu.node.main", "with its options it takes 20.1 s in hi")]
    prompts = audition.Prompts(place, menu := campaign.load(file).menu)
    assert menu and audition.menu_ms(prompts, menu.nodes["main"], "en") == 2 * 1000 + 2 * 1500 + 300


def test_the_offer_of_languages_is_measured_too(file: Path) -> None:
    for language in ("hi", "en"):
        write(file.with_suffix("") / f"language-{language}.{language}.wav", speech(9))
    assert told(file) == [("error", "languages", "to offer them takes 21.3 s")]


def test_who_calls_is_said_in_five_seconds(file: Path) -> None:
    write(file.with_suffix("") / "identity.hi.wav", speech(6))
    (found,) = told(file)
    assert found[:2] == ("warning", "callback.identity") and found[2].startswith("6.0 s in hi: who calls")
    file.write_text(TEXT.replace('"callback"', '"menu"').replace("[callback.identity]", "[menu.phrase.thanks]"))
    assert told(file) == []


def test_what_is_missing_is_told_with_what_is_heard(file: Path) -> None:
    place = file.with_suffix("")
    for name in ("thanks.en.wav", "goodbye.en.wav", "again.hi.wav", "again.en.wav"):
        (place / name).unlink()
    assert told(file) == [
        ("error", "small", "1 prompts in hi are missing, a beep is heard: again"),
        ("error", "small", "1 prompts in en are missing, a beep is heard: again"),
        ("warning", "small", "2 prompts in en are missing, hi is heard: thanks, goodbye"),
    ]


def test_no_prompt_at_all(tmp_path: Path) -> None:
    file = tmp_path / "small.toml"
    file.write_text(TEXT)
    found = told(file)
    assert [one[0] for one in found] == ["error", "error"]
    assert all("a beep is heard: welcome, identity, main-1, main-2, press-1 and 5 more" in one[2] for one in found)


def test_a_machine_is_told_from_a_person(file: Path) -> None:
    place = file.with_suffix("")
    for name in ("thanks.en", "goodbye.en"):
        (place / f"{name}.wav").rename(place / f"{name}.draft.wav")
    (found,) = told(file)
    menu = campaign.load(file).menu
    assert menu
    spoken = sum(language == "en" for _, language in menu.texts)
    assert found == ("warning", "small", f"a machine says 2 of {spoken} prompts in en: thanks, goodbye")


def test_a_recording_that_nobody_hears(file: Path) -> None:
    place = file.with_suffix("")
    write(place / "welcom.hi.wav", speech())
    write(place / "old-prompt.hi.draft.wav", speech())
    write(place / "xyzzy.wav", speech())
    found = audition.findings(campaign.load(file), place)
    assert [(one.key, one.remedy) for one in found] == [
        ("small/welcom.hi.wav", "is welcome.hi.wav meant?"),
        ("small/xyzzy.wav", "its name is <clip>.<language>.wav"),
    ]


def test_a_language_that_has_no_words_is_told_once(file: Path) -> None:
    """The words' absence is said where words are checked; here it would be said for every clip again."""
    file.write_text(TEXT.replace('["hi", "en"]', '["hi", "en", "sw"]'))
    for language in ("hi", "en"):
        write(file.with_suffix("") / f"press-3.{language}.wav", speech())
    assert told(file) == []
    assert any("no words in sw" in str(one) for one in campaign.check(campaign.load(file), {}))


def test_check_prints_all_of_it(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert campaigns.check(str(file)) == 0
    assert capsys.readouterr().out.splitlines() == ["main: hi 5.3 s, en 5.3 s", "no reply: callers get no SMS"]
    write(file.with_suffix("") / "main-1.en.wav", [0] * 8000)
    assert campaigns.check(str(file)) == 1
    assert capsys.readouterr().err == f"{file}: error: small/main-1.en.wav: nobody speaks in it; record it again\n"


def test_a_campaign_that_says_nothing(tmp_path: Path) -> None:
    found = campaign.parse('id = "w"\ntitle = "W"\nmode = "opt-out"\nlanguages = ["hi"]', "w.toml")
    assert audition.findings(found, tmp_path) == []


def test_clips_are_those_of_the_conversation(file: Path) -> None:
    menu = campaign.load(file).menu
    assert menu
    clips = audition._clips(menu)
    assert len(clips) == len(set(clips)) and Clip("language-hi", "en") not in clips
    assert {(clip.name, clip.language) for clip in clips} == set(menu.texts)
