"""Which file is heard for a clip: people before machines, her language before others, a beep before silence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.audio.player import BEEP
from edge.dialogue import Clip
from edge.menu import Menu, Node
from edge.prompts import Prompts, folder, is_draft, sound
from edge.wavfile import WavError, header

MENU = Menu("main", {"main": Node("main")}, ("hi", "mr"))
TONE = bytes(1600)  # 100 ms


def put(place: Path, *names: str, pcm: bytes = TONE) -> None:
    for name in names:
        (place / name).write_bytes(header(len(pcm)) + pcm)


def heard(place: Path, clip: Clip) -> str:
    path = Prompts(place, MENU).file(clip)
    return path.name if path else "the beep"


@pytest.mark.parametrize(
    ("there", "name"),
    [
        (["main.mr.wav", "main.mr.draft.wav", "main.hi.wav"], "main.mr.wav"),
        (["main.mr.draft.wav", "main.hi.wav"], "main.mr.draft.wav"),
        (["main.hi.draft.wav", "main.hi.wav", "main.en.wav"], "main.hi.wav"),
        (["main.hi.draft.wav", "main.en.wav"], "main.hi.draft.wav"),
        (["main.en.draft.wav", "main.ta.wav"], "main.en.draft.wav"),
        (["main.ta.wav", "main.bn.draft.wav"], "main.ta.wav"),
        (["main.bn.draft.wav"], "main.bn.draft.wav"),
        (["main-1.mr.wav", "maine.hi.wav", "main.mr.mp3", "main.mr.wav.part"], "the beep"),
        ([], "the beep"),
    ],
)
def test_what_is_heard(tmp_path: Path, there: list[str], name: str) -> None:
    put(tmp_path, *there)
    assert heard(tmp_path, Clip("main", "mr")) == name


def test_the_beep_is_a_beep(tmp_path: Path) -> None:
    put(tmp_path, "beep.hi.wav")
    assert heard(tmp_path, Clip("beep", "hi")) == "the beep"
    assert Prompts(tmp_path, MENU).length_ms(Clip("beep", "hi")) == len(BEEP) // 16 == 250


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert heard(tmp_path / "nowhere", Clip("main", "hi")) == "the beep"


@pytest.mark.parametrize("broken", [b"", b"ID3 no wav at all", header(0), b"RIFF\0\0\0\0WAVE", header(100)[:-1]])
def test_what_cannot_be_played_counts_as_missing(tmp_path: Path, broken: bytes) -> None:
    put(tmp_path, "main.hi.draft.wav")
    (tmp_path / "main.hi.wav").write_bytes(broken)
    assert heard(tmp_path, Clip("main", "hi")) == "main.hi.draft.wav"


def test_a_stereo_recording_is_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "main.hi.wav", "main.en.wav")
    stereo = bytearray((tmp_path / "main.hi.wav").read_bytes())
    stereo[22] = 2
    (tmp_path / "main.hi.wav").write_bytes(stereo)
    assert heard(tmp_path, Clip("main", "hi")) == "main.en.wav"
    with pytest.raises(WavError, match="8000 Hz, 16 bit, 2 channels; wanted: 8000 Hz, 16 bit, one channel"):
        sound(tmp_path / "main.hi.wav")


def test_a_recording_that_comes_later_is_heard_in_the_next_call(tmp_path: Path) -> None:
    prompts, clip = Prompts(tmp_path, MENU), Clip("main", "hi")
    assert prompts.file(clip) is None
    put(tmp_path, "main.hi.draft.wav")
    assert prompts.file(clip) == prompts.draft("main", "hi")
    put(tmp_path, "main.hi.wav")
    assert prompts.file(clip) == prompts.recording("main", "hi")
    (tmp_path / "main.hi.wav").write_bytes(b"broken by somebody")
    os.utime(tmp_path / "main.hi.wav", ns=(1, 1))
    assert prompts.file(clip) == prompts.draft("main", "hi")
    (tmp_path / "main.hi.draft.wav").unlink()
    assert prompts.file(clip) is None


def test_length_and_sound(tmp_path: Path) -> None:
    put(tmp_path, "main.hi.wav", pcm=b"\1\2" * 4000)
    assert Prompts(tmp_path, MENU).length_ms(Clip("main", "hi", pause_ms=300)) == 500
    assert sound(tmp_path / "main.hi.wav") == b"\1\2" * 4000


def test_names() -> None:
    assert folder("/etc/campaigns/water.toml") == Path("/etc/campaigns/water")
    assert is_draft(Path("x/main.hi.draft.wav")) and not is_draft(Path("x/main.hi.wav"))
