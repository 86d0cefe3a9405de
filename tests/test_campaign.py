"""Campaigns: what is refused and in which words, what a reply says and costs, and which words stop it."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import campaign, settings, stopwords
from edge.advice import Finding
from edge.campaign import Campaign, CampaignError
from tools import campaigns

WATER = """
id = "water"
title = "Water supply for every village"
mode = "missed-call"
languages = ["hi", "en"]
[reply.hi]
text = "धन्यवाद! पानी के लिए आपकी आवाज़ दर्ज हुई। STOP लिखें बंद करने के लिए।"
[reply.en]
text = "Thank you! Your voice for water is recorded. Reply STOP to opt out."
[reply.policy]
once_per = "24h"
[schedule]
quiet = "22:00-06:00"
[referendum]
issue = "subsidy"
option = "support"
policy = "last"
"""
VALUES = {"number": "+919000000001", "office": "Tehsil office, Nashik"}


def problems(text: str, known: set[str] | None = None) -> list[str]:
    with pytest.raises(CampaignError) as refused:
        campaign.parse(text, "water.toml", known)
    assert str(refused.value).splitlines() == [str(problem) for problem in refused.value.problems]
    return [str(problem) for problem in refused.value.problems]


def water(**changes: object) -> Campaign:
    return Campaign(**{**vars(campaign.parse(WATER, "water.toml")), **changes})


# ------------------------------------------------------------------------------------------- reading


def test_the_contracts_campaign_is_read() -> None:
    read = campaign.parse(WATER, "water.toml", VALUES)
    assert (read.id, read.title, read.mode) == ("water", "Water supply for every village", "missed-call")
    assert read.languages == ("hi", "en") and set(read.replies) == {"hi", "en"}
    assert (read.once_per_s, read.quiet, read.version) == (86400, (1320, 360), 1)
    assert read.referendum == ("subsidy", "support", "last", None, None)
    assert campaign.check(read, VALUES) == []


def test_the_least_campaign_is_read() -> None:
    read = campaign.parse('id = "w"\ntitle = "W"\nmode = "opt-out"\nlanguages = ["hi"]', "w.toml")
    assert (read.replies, read.once_per_s, read.quiet, read.referendum) == ({}, 86400, None, None)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('id = "water"', 'id = "Water!"', 'id: "Water!" is not possible; allowed: a-z, 0-9 and -, at most 64'),
        ('id = "water"', "", "id: missing; allowed: a-z, 0-9 and -, at most 64"),
        ('title = "Water supply for every village"', 'title = " "', 'title: " " is not possible; allowed: a text'),
        ('"missed-call"', '"ivr"', 'mode: "ivr" is not possible; allowed: "missed-call" or "menu" or "callback" or'),
        ('["hi", "en"]', "[]", "languages: the list is empty; allowed: language codes"),
        ('["hi", "en"]', '["hi", "hi"]', "languages: something stands in it twice"),
        ('["hi", "en"]', '["hi", "Klingon"]', 'languages: "Klingon" is not possible; allowed: language codes'),
        ('["hi", "en"]', '"hi"', 'languages: "hi" is not possible'),
        ('"24h"', '"1 day"', 'reply.policy.once_per: "1 day" is not possible; allowed: "0s", "90m", "24h", "7d"'),
        ('"24h"', "24", "reply.policy.once_per: 24 is not possible"),
        ('"22:00-06:00"', '"22-6"', 'schedule.quiet: "22-6" is no span; allowed: "22:00-06:00"'),
        ('"22:00-06:00"', '"22:00-22:00"', 'schedule.quiet: "22:00-22:00" is no span'),
        ('"22:00-06:00"', "22:00:00", "schedule.quiet: datetime.time(22, 0) is not possible"),
        ('"last"', '"best"', 'referendum.policy: "best" is not possible; allowed: "first" or "last" or "void-if-both"'),
        ('option = "support"', "", "referendum.option: missing"),
        ("[reply.en]", "[reply.English]", "reply.English: no language; allowed: a code such as"),
        ("[reply.en]\ntext", "[reply.en]\nsms", "reply.en.text: missing; allowed: the text of the SMS, not empty"),
        ("[reply.en]\ntext", "[reply.en]\nsms", "reply.en.sms: unknown key; allowed: text"),
        ('mode = "', 'colour = 1\nmode = "', "colour: unknown key; allowed: callback, consent, event, grievance, id,"),
        ('mode = "', 'menu = 1\nmode = "', "menu: 1 is not possible; allowed: a table: [menu]"),
        ('mode = "', 'version = 0\nmode = "', "version: 0 is out of range; allowed: a whole number from 1 to"),
        ('mode = "', 'version = true\nmode = "', "version: True is not possible; allowed: a whole number"),
        ("to opt out.", "to {opt out.", "reply.en.text: a { or } without its twin; allowed: {number}, {office}, and"),
        ("to opt out.", "to {Opt out}.", "reply.en.text: unknown placeholder {Opt out}; allowed:"),
        ("to opt out.", "to {booth}.", "reply.en.text: unknown placeholder {booth}; allowed: {number}, {office}, and"),
        ("to opt out.", "to {}.", "reply.en.text: unknown placeholder {}; allowed:"),
        ('id = "water"', 'id = "water', "line 2: "),
        ('id = "water"', 'id = "water"\nid = "fire"', "line 3: "),
    ],
)
def test_what_is_wrong_is_told_with_file_key_and_what_is_allowed(old: str, new: str, told: str) -> None:
    assert old in WATER
    found = problems(WATER.replace(old, new, 1), set(VALUES))
    assert any(problem.startswith(f"water.toml: {told}") for problem in found), found
    assert all("; allowed: " in problem for problem in found)


def test_all_problems_are_told_at_once() -> None:
    text = WATER.replace('"missed-call"', '"ivr"').replace('"24h"', '"x"').replace('"last"', '"best"')
    assert len(problems(text + "\n[extra]\na = 1")) == 4


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for name, content in (("absent", None), ("latin", b'title = "\xe9"'), ("folder", b"")):
        file = tmp_path / name
        if name == "folder":
            file.mkdir()
        elif content is not None:
            file.write_bytes(content)
        with pytest.raises(CampaignError, match=f"^{re.escape(str(file))}: the file: .*; allowed: "):
            campaign.load(file)


@given(st.text(max_size=200) | st.sampled_from(WATER.splitlines()).map(lambda line: WATER.replace(line, line[:-2])))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        campaign.parse(text, "any.toml")
    except CampaignError as refused:
        assert refused.problems


def test_modes_that_speak_need_something_to_say() -> None:
    for mode in ("menu", "callback"):
        found = problems(WATER.replace("missed-call", mode))
        assert "water.toml: menu: missing; allowed: a table: [menu]" in found
        assert ("water.toml: callback: missing; allowed: a table: [callback]" in found) == (mode == "callback")


def test_an_option_of_a_referendum_is_a_missed_calls_to_name() -> None:
    text = WATER.replace('option = "support"', "")
    assert problems(text) == ["water.toml: referendum.option: missing; allowed: a-z, 0-9 and -, at most 64"]
    assert problems(text.replace("missed-call", "menu")) == ["water.toml: menu: missing; allowed: a table: [menu]"]


@pytest.mark.parametrize(
    ("key", "written", "told"),
    [
        ("opens", '"2027-01-01"', '"2027-01-01" is not possible; allowed: "2026-12-01T18:00:00+05:30"'),
        ("opens", '"2027-01-01T10:00:00"', '"2027-01-01T10:00:00" is not possible'),
        ("opens", "2027-01-01T10:00:00Z", "datetime.datetime("),
        ("closes", '"2027-02-30T10:00:00Z"', '"2027-02-30T10:00:00Z" is on no calendar'),
        ("closes", '"2026-01-01T00:00:00Z"', "it closes before it opens"),
    ],
)
def test_a_referendum_has_its_hours(key: str, written: str, told: str) -> None:
    text = f'{WATER}opens = "2026-06-01T00:00:00+05:30"\ncloses = "2027-06-01T00:00:00+05:30"\n'
    read = campaign.parse(text, "water.toml").referendum
    assert read and (read.opens_ms, read.closes_ms) == (1780252200000, 1811788200000)
    (found,) = problems(re.sub(rf'(?m)^{key} = "2.*"$', f"{key} = {written}", text))
    assert found.startswith(f"water.toml: referendum.{key}: {told}")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("90m", 5400), ("24h", 86400), ("7d", 604800), ("1", None), ("h", None), ("-1h", None), ("1 h", None),
     ("1.5h", None), ("٣h", None), ("1H", None), ("", None)],
)  # fmt: skip
def test_durations(text: str, seconds: int | None) -> None:
    assert settings.parse_duration(text) == seconds


# ------------------------------------------------------------------------------------------ replying


@pytest.mark.parametrize(
    ("remembered", "line", "chosen"),
    [("en", "hi", "en"), ("", "en", "en"), ("", "", "hi"), ("ta", "en", "en"), ("ta", "te", "hi"), ("en-IN", "", "en")],
)
def test_the_language_is_the_callers_else_the_lines_else_the_first(remembered: str, line: str, chosen: str) -> None:
    assert campaign.choose_language(remembered, line, water()) == chosen


def test_a_language_without_a_reply_is_passed_over() -> None:
    only_english = water(replies={"en": "Thanks"})
    assert campaign.choose_language("hi", "hi", only_english) == "en"
    assert campaign.choose_language("", "hi", water(replies={})) == "hi"
    assert campaign.choose_language("pt", "", water(languages=("pt-BR",), replies={"pt-BR": "Obrigado"})) == "pt-BR"


def test_placeholders_are_filled_once() -> None:
    told = water(replies={"en": "Ring {number} or see {office}."})
    values = {"number": "+91", "office": "{number} street"}
    assert campaign.reply_text(told, "en", values) == "Ring +91 or see {number} street."
    assert campaign.reply_text(told, "hi", values) == ""


# ------------------------------------------------------------------------------------------ stopping


@pytest.mark.parametrize(
    "text",
    [
        "STOP", "stop", " Stop! ", "please stop sms", "S.T.O.P.", "STOP,now", "“STOP”", "ＳＴＯＰ", "no", "UNSUBSCRIBE",
        "Quit\n", "stop\u200d", "STOP 1", "Stop🙏",
    ],
)  # fmt: skip
def test_english_stops_everywhere(text: str) -> None:
    assert campaign.stops(text, [])
    assert campaign.stops(text, ["ta"])


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("बंद", "hi"), ("बंद करो।", "hi"), ("band karo", "hi-IN"), ("नहीं", "hi"), ("थांबवा", "mr"), ("বন্ধ", "bn"),
        ("না", "as"), ("ఆపు", "te"), ("நிறுத்து!", "ta"), ("બંધ", "gu"), ("ನಿಲ್ಲಿಸಿ", "kn"), ("ਬੰਦ", "pa"), ("ବନ୍ଦ", "or"),
        ("بند", "ur"), ("നിർത്തുക", "ml"), ("നിര്‍ത്തുക", "ml"), ("Acha", "sw"), ("simamisha", "sw"), ("berhenti", "id"),
        ("Sair", "pt-BR"), ("PARAR", "pt"), ("tigil", "fil"),
    ],
)  # fmt: skip
def test_each_language_stops_in_its_own_words_only(text: str, language: str) -> None:
    assert campaign.stops(text, ["en", language])
    assert not campaign.stops(text, ["en"])


@pytest.mark.parametrize("text", ["", "   ", "!!!", "water", "stopped", "we will never stop asking", "achha", "नमस्ते"])
def test_what_does_not_ask_to_stop(text: str) -> None:
    assert not campaign.stops(text, ["hi", "en"])


def test_lists_are_not_merged() -> None:
    assert campaign.stops("acha", ["sw"]) and not campaign.stops("acha", ["hi", "ur"])


@given(st.text(), st.lists(st.sampled_from(["hi", "ml", "xx", "", "-"])))
def test_any_message_is_judged(text: str, languages: list[str]) -> None:
    assert campaign.stops(text, languages) in (True, False)


# ------------------------------------------------------------------------------------------ checking


def keys(found: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.severity, finding.key) for finding in found]


def test_missing_quiet_hours_and_no_limit_are_warned_about() -> None:
    found = campaign.check(water(quiet=None, once_per_s=0), VALUES)
    assert keys(found) == [("warning", "reply.policy.once_per"), ("warning", "schedule.quiet")]


def test_the_longest_value_is_counted() -> None:
    told = water(replies={"hi": water().replies["hi"], "en": "Reply STOP to opt out. " + "x" * 120 + " {office}"})
    assert campaign.check(told, {**VALUES, "office": "x" * 16}) == []
    (found,) = campaign.check(told, {**VALUES, "office": "x" * 17})
    assert found.key == "reply.en.text" and found.remedy == "shorten it by 1 letters"
    assert found.problem == "2 SMS a reply: 90 SMS a day answer 45 callers"
    assert campaign.size(told, "en", {**VALUES, "office": "x" * 17}).parts == 2


def test_a_few_signs_that_double_the_cost_are_named() -> None:
    (found,) = campaign.check(water(replies={"en": "“Water” is life. " * 6 + "STOP", "hi": "STOP"}), VALUES)
    assert found.remedy == "without “ ” it has room for 160 letters in place of 70"


def test_replies_and_languages_that_do_not_meet() -> None:
    found = campaign.check(water(replies={"hi": "STOP", "ta": "STOP"}), VALUES)
    assert keys(found) == [("warning", "reply.en"), ("warning", "reply.ta.text")]
    assert "get the one in hi" in found[0].problem


def test_a_reply_that_does_not_say_how_to_stop() -> None:
    assert keys(campaign.check(water(replies={"en": "No water, no vote", "hi": "बंद"}), VALUES)) == [
        ("warning", "reply.en.text")
    ]


def test_a_placeholder_that_nobody_fills_is_an_error() -> None:
    (found,) = campaign.check(water(replies={"en": "STOP {booth}", "hi": "STOP"}), VALUES)
    assert found.severity == "error" and "{booth}" in found.problem and "{number}, {office}" in found.remedy


def test_a_language_without_stop_words_is_told() -> None:
    found = campaign.check(water(languages=("ja",), replies={"ja": "STOP"}), VALUES)
    assert keys(found) == [("warning", "languages")]
    assert stopwords.known("pt-BR") and not stopwords.known("ja")


# ------------------------------------------------------------------------------------------- by hand


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "campaigns" / "water.toml"
    path.parent.mkdir()
    path.write_text(WATER)
    return path


def test_check_prints_parts_per_language(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert campaigns.check(str(file)) == 0
    assert capsys.readouterr().out.splitlines() == [
        "hi: 1 SMS, 69 letters (UCS-2), room for 1 more",
        "en: 1 SMS, 67 letters (7-bit), room for 93 more",
    ]


def test_check_counts_with_the_texts_of_the_box(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(WATER.replace("to opt out.", "to opt out. {office} {booth}"))
    box = '[box.text]\noffice = "{}"\n{}[[line]]\nnumber = "+919876543210"\n'
    (file.parent.parent / "box.toml").write_text(box.format("x" * 90, ""))
    assert campaigns.check(str(file)) == 1
    assert "nothing fills {booth}" in capsys.readouterr().err
    (file.parent.parent / "box.toml").write_text(box.format("x" * 90, 'booth = "12"\n'))
    assert campaigns.check(str(file)) == 0
    assert "en: 2 SMS, 161 letters (7-bit)" in capsys.readouterr().out


def test_check_refuses_before_it_says_anything(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(WATER.replace('"24h"', '"x"'))
    with pytest.raises(CampaignError) as refused:
        campaigns.check(str(file))
    assert str(refused.value).startswith(f"{file}: reply.policy.once_per: ") and capsys.readouterr().out == ""


def tried(file: Path, typed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert campaigns.try_out(str(file), None, False) == 0
    return capsys.readouterr().out


def test_a_caller_walks_the_campaign(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = tried(file, "\nen\n\nhow are you\n\nstop it\n\n", monkeypatch, capsys)
    steps = ["धन्यवाद", "you had yours", "chose en", "Thank you!", "does not ask to stop", "you had yours"]
    steps += ["list of those who get nothing", "No SMS comes: you are on the list"]
    at = 0
    for step in steps:
        at = seen.index(step, at) + 1
    assert seen.count("An SMS comes") == 2


def test_each_call_is_answered_five_times_at_most(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(WATER.replace('"24h"', '"0s"'))
    assert tried(file, "\n" * 8, monkeypatch, capsys).count("An SMS comes") == 5


def test_campaigns_without_a_reply(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(WATER.replace("missed-call", "opt-out"))
    assert "An SMS comes" not in tried(file, "\n", monkeypatch, capsys)
    file.write_text(re.sub(r"(?m)^(\[reply|text|once).*", "", WATER))
    assert "the campaign has no reply" in tried(file, "", monkeypatch, capsys)
    assert campaigns.try_out(str(file), "heard.wav", False) == campaigns.try_out(str(file), None, True) == 1
    assert "says nothing: there is no sound" in capsys.readouterr().err
