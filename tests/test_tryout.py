"""A campaign without a telephone: what is said and written, and the sound that a caller would have heard."""

from __future__ import annotations

import io
import math
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import campaign
from edge.audio.player import BEEP
from edge.campaign import Campaign
from edge.dialogue import KEYS, STEPS
from edge.prompts import Prompts, sound
from edge.wavfile import header
from tools import campaigns, cli, handset
from tools.handset import Handset
from tools.sound import pcm
from tools.tryout import REFERENCE, Ended, Happened, Said, Sms, Tryout, Wrote

CAMPAIGNS = Path(__file__).parent.parent / "campaigns"
Capture = pytest.CaptureFixture[str]
VALUES = {"number": "+919000000001", "office": "Tehsil office"}


def loaded(name: str) -> Campaign:
    return campaign.load(CAMPAIGNS / f"{name}.toml")


@pytest.fixture(scope="module")
def voiced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prompts of the water campaign: each its own tone, half a second."""
    place = tmp_path_factory.mktemp("water-menu")
    menu = loaded("water-menu").menu
    assert menu
    for number, (name, language) in enumerate(sorted(menu.texts)):
        made = pcm([8000 * math.sin(2 * math.pi * (300 + 20 * number) * i / 8000) for i in range(4000)])
        (place / f"{name}.{language}.wav").write_bytes(header(len(made)) + made)
    return place


@pytest.fixture
def water(voiced: Path) -> Tryout:
    found = loaded("water-menu")
    assert found.menu
    return Tryout(found, Prompts(voiced, found.menu), VALUES)


def names(happened: list[Happened]) -> list[str]:
    """Clips said, and rows written, in order; steps left out."""
    told: list[str] = []
    for one in happened:
        if isinstance(one, Said):
            told += [clip.name for clip in one.clips]
        elif isinstance(one, Wrote) and one.kind != "step":
            told.append(f"{one.kind} {one.state}".strip())
        elif isinstance(one, Ended):
            told.append(f"ended by {one.by}")
    return told


def listen(call: Tryout, now: float) -> tuple[float, list[Happened]]:
    """Until all is said."""
    happened: list[Happened] = []
    while call.speaking and (due := call.deadline()) is not None:
        now = due
        happened += call.tick(now)
    return now, happened


# --------------------------------------------------------------------------------------- the call


def test_a_complaint_from_ring_to_reference(water: Tryout) -> None:
    told = names(water.begin(10.0))
    assert told == ["call talked", "welcome", "language-hi", "press-1", "language-en", "press-2"]
    now, _ = listen(water, 10.0)
    assert now == pytest.approx(10 + 5 * 0.5 + 2 * 0.5 + 0.3)
    assert "language en" in names(water.press("2", now)) and water.language == "en"
    now, _ = listen(water, now)
    options = ["trouble-1", "press-1", "trouble-2", "press-2", "trouble-3", "press-3"]
    assert names(water.press("1", now)) == ["trouble", *options]
    now, _ = listen(water, now)
    assert names(water.press("3", now)) == ["complaint", "beep"]
    now, happened = listen(water, now)
    assert names(happened) == ["recording recording"]
    assert Wrote("recording", "recording", "complaint,handpump") in happened
    happened = water.speak(6.0, now + 1)
    now, more = listen(water, now + 1)
    happened += more + water.press("#", now)
    assert names(happened)[:2] == ["recording kept", "case new"]
    assert Sms(f"Your complaint: {REFERENCE}. We call you within 24 hours. Reply STOP to opt out.") in happened
    (kept,) = [one for one in happened if isinstance(one, Wrote) and one.state == "kept"]
    assert kept.more == "7.0 s, 6.0 s of them speech"
    said = next(one for one in happened if isinstance(one, Said))
    assert [clip.name for clip in said.clips[:8]] == ["reference", *(f"digit-{digit}" for digit in REFERENCE)]
    now, happened = listen(water, now)
    assert names(happened) == ["call talked", "ended by us"] and water.over and water.case == (REFERENCE, "new")
    assert water.press("1", now + 1) == water.tick(now + 9) == water.hang_up(now + 9) == [] and water.deadline() is None


def test_hanging_up_keeps_what_was_said(water: Tryout) -> None:
    now = 0.0
    water.begin(now)
    for key in "132":
        now, _ = listen(water, now)
        water.press(key, now)
    now, _ = listen(water, now)  # 2 means nothing before the beep: it is asked again
    water.speak(20.0, now)
    assert names(water.hang_up(now + 5)) == ["recording kept", "call talked", "ended by her"]
    assert not water.speaking


def test_nobody_speaks(water: Tryout) -> None:
    now = 0.0
    water.begin(now)
    for key in "13":
        now, _ = listen(water, now)
        water.press(key, now)
    happened: list[Happened] = []
    while (due := water.deadline()) is not None:
        assert due <= 185
        happened += water.tick(due)
    assert "recording empty" in names(happened) and "recording kept" not in names(happened)
    assert names(happened)[-1] == "ended by us"


def test_votes_and_a_consent(water: Tryout) -> None:
    now, told = 0.0, names(water.begin(0.0))
    for key in "1221":
        now, happened = listen(water, now)
        told += names(happened) + names(water.press(key, now))
    assert "answer no" in told and told.index("answer no") < told.index("noted") and "consent news" in told


def test_a_referendum_that_is_closed() -> None:
    found = loaded("water-menu")
    assert found.menu
    call = Tryout(found, Prompts("nowhere", found.menu), VALUES, is_open=False, language="hi")
    call.begin(0.0)
    told = names(call.press("2", 1.0))
    assert "closed" in told and not any(one.startswith("answer") for one in told)


def test_nine_stops_everything(water: Tryout) -> None:
    water.begin(0.0)
    assert names(water.press("9", 1.0)) == ["opt-out", "opted-out"] and water.stopped
    assert not water.over  # the confirmation is still being said
    _, happened = listen(water, 1.0)
    assert names(happened)[-1] == "ended by us"


def test_a_call_that_we_place_says_who_calls() -> None:
    found = loaded("gram-sabha")
    assert found.menu
    call = Tryout(found, Prompts("nowhere", found.menu), VALUES, placed=True, language="en")
    happened = call.begin(0.0)
    assert names(happened)[:4] == ["call called-back", "identity", "welcome", "invitation"]
    assert next(one for one in happened if isinstance(one, Said)).words[0].startswith("A recorded call of the water")
    assert names(call.press("1", 3.0))[:2] == ["answer yes", "noted"]


@pytest.mark.parametrize(
    ("key", "state", "left"), [("1", "verified", None), ("2", "reopened", ("7654321", "reopened"))]
)
def test_a_case_that_is_solved_or_is_not(key: str, state: str, left: tuple[str, str] | None) -> None:
    found = loaded("water-menu")
    assert found.menu
    call = Tryout(found, Prompts("nowhere", found.menu), VALUES, language="hi", case=("7654321", "resolved"))
    assert "case-resolved" in names(call.begin(0.0))
    assert names(call.press(key, 5.0))[0] == f"case {state}" and call.case == left


# --------------------------------------------------------------------------------------- the sound


def test_the_sound_is_what_was_heard_with_pauses_and_cuts(water: Tryout, voiced: Path) -> None:
    water.begin(100.0)
    welcome, offer = sound(voiced / "welcome.hi.wav"), sound(voiced / "language-hi.hi.wav")
    assert water.said.startswith(welcome + offer + bytes(8000))  # half a second before the key
    water.press("1", 100.75)  # in the middle of the offer
    main = sound(voiced / "main-1.hi.wav")
    heard = water.heard(101.25)
    assert heard == welcome + offer[:4000] + main
    now, _ = listen(water, 101.25)
    later = water.heard(now + 2.0)
    assert len(later) == round((now + 2.0 - 100.0) * 8000) * 2 and later.endswith(bytes(32000))
    assert later.startswith(heard)


def test_without_prompts_there_are_beeps() -> None:
    found = loaded("water-menu")
    assert found.menu
    call = Tryout(found, Prompts("nowhere", found.menu), VALUES)
    call.begin(0.0)
    assert call.said.startswith(BEEP + BEEP)


# ---------------------------------------------------------------------------------- anything at all


act = st.one_of(
    st.tuples(st.just("press"), st.sampled_from(KEYS)), st.tuples(st.just("speak"), st.floats(0.1, 20.0)),
    st.tuples(st.just("wait"), st.floats(0.0, 30.0)), st.just(("listen", 0.0)),
)  # fmt: skip


@given(st.sampled_from(["water-menu", "gram-sabha"]), st.lists(act, max_size=25), st.booleans())
@settings(max_examples=60, deadline=None)
def test_whatever_she_does_the_call_ends_and_is_told(name: str, acts: list[tuple[str, object]], hangs_up: bool) -> None:
    found = loaded(name)
    assert found.menu
    call = Tryout(found, Prompts("nowhere", found.menu), VALUES, placed=found.mode == "callback")
    now, happened = 0.0, call.begin(0.0)
    for what, how in acts:
        if what == "press":
            happened += call.press(str(how), now)
        elif what == "speak":
            assert isinstance(how, float)
            happened += call.speak(how, now)
        elif what == "wait":
            assert isinstance(how, float)
            now += how
            happened += call.tick(now)
        else:
            now, more = listen(call, now)
            happened += more
    if hangs_up:
        happened += call.hang_up(now)
    while (due := call.deadline()) is not None:
        now = max(now, due)
        happened += call.tick(now)
    assert call.over
    assert sum(isinstance(one, Ended) for one in happened) == 1
    rows = [one for one in happened if isinstance(one, Wrote)]
    assert [row.state for row in rows if row.kind == "step"].count("end") == 1
    assert {row.state for row in rows if row.kind == "step"} <= {*STEPS, "no-room"}
    takes = [row.state for row in rows if row.kind == "recording"]
    assert takes.count("recording") * 2 == len(takes)  # each is begun, and closed
    assert max(int(row.more.split()[0]) for row in rows if row.kind == "call" and row.more) <= 185
    assert len(call.heard(now)) == round(now * 8000) * 2


# ------------------------------------------------------------------------------------- by hand


def typed(file: Path, text: str, monkeypatch: pytest.MonkeyPatch, *more: str) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    return cli.main(["campaign", "try", str(file), *more])


@pytest.fixture
def file(tmp_path: Path, voiced: Path) -> Path:
    path = tmp_path / "water-menu.toml"
    shutil.copy(CAMPAIGNS / "water-menu.toml", path)
    shutil.copytree(voiced, tmp_path / "water-menu")
    return path


def test_a_caller_at_a_keyboard(file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    assert typed(file, "\n112\nsay 6\n#\n\n", monkeypatch, "--sound", str(file.parent / "heard.wav")) == 0
    shown = capsys.readouterr().out
    for line in (
        "You ring +919000000001: it is answered, and you pay for the call.",
        "  हिंदी के लिए ... एक दबाइए",
        "      ledger: step key trouble 2",
        "      ledger: case new 1234567 complaint,dirty-water, due 24 h after the ring",
        "  SMS: शिकायत संख्या 1234567।",
        "  आपकी शिकायत का नंबर है एक दो तीन चार पाँच छह सात",
    ):
        assert line in shown, line
    seconds = int(re.search(r"The call is ended after (\d+) s", shown)[1])
    heard = sound(file.parent / "heard.wav")
    assert abs(len(heard) / 16000 - seconds) <= 1
    assert f"heard.wav: {seconds} s of what was heard" in shown


def test_ctrl_d_hangs_up_then_leaves(file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    assert typed(file, "\n1", monkeypatch) == 0
    assert "You hang up after" in (shown := capsys.readouterr().out) and shown.count("You ring") == 1


def shell(file: Path, lines: list[str | None]) -> tuple[Handset, str]:
    """The terminal with its lines typed; None is Ctrl-D."""
    found = campaign.load(file)
    assert found.menu
    shown: list[str] = []
    typed_lines = iter(lines)
    prompts = Prompts(file.with_suffix(""), found.menu)
    here = Handset(found, prompts, VALUES, lambda *_: next(typed_lines, None), shown.append)
    here.walk()
    return here, "\n".join(shown)


def test_the_next_call_knows_the_caller(file: Path) -> None:
    here, shown = shell(file, ["", "2", None, "", None])
    assert (here.language, len(here.calls)) == ("en", 2)
    assert shown.count("language en") == 1 and shown.rindex("Hello. This is") < shown.rindex("For a complaint")
    assert "For English" not in shown[shown.rindex("You ring") :]


def test_a_key_may_come_before_all_is_said(file: Path) -> None:
    _, patient = shell(file, ["", "1", None])
    _, hasty = shell(file, ["", "!1", None])
    assert "step heard language" in patient and "step heard language" not in hasty


def test_enter_waits_for_what_comes_next(file: Path) -> None:
    _, shown = shell(file, ["", "", "", "", "", None])
    assert "step no-input" in shown and "कृपया फिर से सुनिए।" in shown


def test_what_is_no_key_is_explained(file: Path) -> None:
    _, shown = shell(file, ["", "hello", "say x", None])
    assert shown.count(handset.HELP) == 3


def test_who_opts_out_is_not_called_back(tmp_path: Path) -> None:
    shutil.copy(CAMPAIGNS / "gram-sabha.toml", tmp_path)
    _, shown = shell(tmp_path / "gram-sabha.toml", ["", "9", "", ""])
    assert "within a minute your telephone rings" in shown and shown.count("nobody rings back") == 1
    assert "जल समितीचा" in shown and "ledger: opt-out" in shown


def test_beeps_are_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    shutil.copy(CAMPAIGNS / "water-menu.toml", tmp_path)
    assert typed(tmp_path / "water-menu.toml", "", monkeypatch) == 0
    assert "There are no prompts yet" in capsys.readouterr().out


# ---------------------------------------------------------------------------------- the loudspeaker


def player(folder: Path, script: str) -> None:
    """A program in place of the sound card's."""
    (folder / "aplay").write_text(f"#!{sys.executable}\n{script}\n")
    (folder / "aplay").chmod(0o755)


def test_prompts_are_played_in_real_time(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """What the program gets is the prompt, and a caller who does nothing is asked again."""
    took = tmp_path / "took"
    player(tmp_path, f"import sys; open({str(took)!r}, 'ab').write(sys.stdin.buffer.read())")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = campaign.load(file)
    assert found.menu
    prompts = Prompts(file.with_suffix(""), found.menu)
    waits: list[float | None] = []
    answers = iter(["", handset.TIMEOUT, "1", None, None])

    def ask(question: str, seconds: float | None) -> str | None:
        waits.append(seconds)
        if here.speaker and here.speaker._playing and len(waits) == 2:
            here.speaker._playing.wait(20)  # it has all of the first prompt
        return next(answers)

    here = Handset(found, prompts, VALUES, ask, print, handset.Speaker())
    here.walk()
    assert here.speaker and here.speaker.works and here.speaker._playing is None
    assert waits[0] is None and waits[1] is not None and 0 < waits[1] <= 4
    assert took.read_bytes().startswith(sound(prompts.recording("welcome", "hi")))
    assert "step key language 1" in capsys.readouterr().out


def test_no_program_to_play_with(file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("PATH", str(file.parent))
    assert typed(file, "", monkeypatch, "--play") == 1
    assert capsys.readouterr().err.startswith("--play: no aplay (alsa-utils), paplay (pulseaudio-utils) or play")


def test_a_player_that_dies_does_not_end_the_call(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    player(tmp_path, "raise SystemExit(1)")
    monkeypatch.setenv("PATH", str(tmp_path))
    speaker = handset.Speaker()
    for _ in range(20):
        speaker.play(bytes(1 << 20))
    speaker.stop()


def test_a_terminal_is_asked_for_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/null") as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        assert handset._ask("> ", 0.0) is None  # its end
    read, write = os.pipe()
    with open(read) as quiet, open(write, "w") as far:
        monkeypatch.setattr("sys.stdin", quiet)
        assert handset._ask("> ", 0.0) == handset.TIMEOUT
        far.write("1\n")
        far.flush()
        assert handset._ask("> ", None) == "1"


def test_a_campaign_that_says_nothing_is_walked_as_before(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    assert campaigns.try_out(str(CAMPAIGNS / "missed-call.toml"), None, False) == 0
    assert "An SMS comes (hi, 1 SMS" in capsys.readouterr().out
