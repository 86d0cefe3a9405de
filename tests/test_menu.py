"""A campaign's conversation: what is read, what is refused and in which words, what is said, and what is advised."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import advice, campaign, menu, phrases
from edge.campaign import Campaign, CampaignError
from edge.dialogue import KEYS, Clip
from edge.menu import Menu, Node, Option

SHIPPED = sorted(Path(__file__).parent.parent.joinpath("campaigns").glob("*.toml"))
VALUES = {"number": "+919000000001", "office": "Tehsil office, Nashik"}
HEAD = """
id = "water"
title = "Water"
mode = "menu"
languages = ["hi", "en"]
[schedule]
quiet = "22:00-06:00"
[referendum]
issue = "meters"
closes = "2030-01-01T00:00:00+05:30"
[event]
id = "sabha"
title = "Gram sabha"
at = "2027-10-02T10:00:00+05:30"
[consent]
purpose = "news"
[grievance]
due = "48h"
"""
SMS = """
[menu.sms]
hi = "शिकायत {reference} {office}"
en = "Complaint {reference}"
"""
MENU = f"""
[menu]
start = "main"
[menu.welcome]
hi = "नमस्ते।"
en = "Hello."
{SMS}
[menu.node.main]
kind = "menu"
say.hi = "चुनिए।"
say.en = "Choose."
[[menu.node.main.option]]
key = "1"
to = "complaint"
tag = "water"
say.hi = "शिकायत के लिए"
say.en = "To complain"
[[menu.node.main.option]]
key = "2"
to = "vote"
say.hi = "राय के लिए"
say.en = "To vote"
[[menu.node.main.option]]
key = "3"
to = "meeting"
say.hi = "सभा के लिए"
say.en = "For the meeting"
[menu.node.complaint]
kind = "grievance"
next = "news"
tag = "complaint"
say.hi = "बीप के बाद बताइए।"
say.en = "Tell us after the beep."
[menu.node.vote]
kind = "referendum"
say.hi = "मीटर लगे?"
say.en = "Should there be meters?"
[[menu.node.vote.option]]
key = "1"
value = "yes"
to = "idea"
say.hi = "हाँ, तो"
say.en = "If yes"
[[menu.node.vote.option]]
key = "2"
value = "no"
say.hi = "नहीं, तो"
say.en = "If no"
[menu.node.idea]
kind = "record"
[menu.node.meeting]
kind = "event"
say.hi = "आइएगा?"
say.en = "Will you come?"
[[menu.node.meeting.option]]
key = "1"
value = "yes"
say.hi = "हाँ, तो"
say.en = "If yes"
[menu.node.news]
kind = "consent"
next = "done"
say.hi = "संदेश भेजें?"
say.en = "May we write to you?"
[menu.node.done]
kind = "say"
say.hi = "बस।"
say.en = "That is all."
"""
CALLBACK = """
[callback]
[callback.identity]
hi = "जल समिति, नौ दबाइए।"
en = "The water committee; press 9."
"""


def read(text: str = HEAD + MENU) -> Campaign:
    return campaign.parse(text, "water.toml", VALUES)


def menu_of(text: str = HEAD + MENU) -> Menu:
    found = read(text).menu
    assert found
    return found


def problems(text: str) -> list[str]:
    with pytest.raises(CampaignError) as refused:
        campaign.parse(text, "water.toml", VALUES)
    return [str(problem).removeprefix("water.toml: ") for problem in refused.value.problems]


# ------------------------------------------------------------------------------------------- reading


def test_a_conversation_is_read() -> None:
    found = menu_of()
    assert (found.start, found.languages, list(found.nodes)) == (
        "main", ("hi", "en"), ["main", "complaint", "vote", "idea", "meeting", "news", "done"]
    )  # fmt: skip
    assert found.nodes["main"].options == (
        Option("1", "complaint", "water"), Option("2", "vote"), Option("3", "meeting")
    )  # fmt: skip
    assert found.nodes["complaint"] == Node("complaint", "grievance", next="news", tag="complaint")
    assert found.nodes["vote"].options == (Option("1", "idea", "", "yes"), Option("2", "", "", "no"))
    assert (found.nodes["vote"].issue, found.nodes["meeting"].issue, found.nodes["news"].purpose) == (
        "meters", "sabha", "news"
    )  # fmt: skip
    assert (found.nodes["idea"].said, found.nodes["main"].said) == (False, True)
    assert (found.due_s, found.opens_ms, found.closes_ms) == (172800, None, 1893436200000)
    assert found.case_sms["en"] == "Complaint {reference}"
    assert found.texts["main-1", "en"] == "To complain" and found.texts["welcome", "hi"] == "नमस्ते।"
    assert read().event == ("sabha", "Gram sabha", 1822451400000) and read().callback is None
    assert [finding.key for finding in campaign.check(read(), VALUES)] == ["mode"]


def test_what_is_left_out_has_its_default() -> None:
    text = HEAD.replace('due = "48h"', "").replace('closes = "2030-01-01T00:00:00+05:30"', "")
    found = menu_of(text + MENU)
    assert (found.due_s, found.closes_ms, found.record_s) == (86400, None, 30)
    called = read(HEAD.replace('"menu"', '"callback"') + MENU + CALLBACK)
    assert called.callback == (3, 7200, 86400, (21 * 60, 9 * 60), 120)
    assert called.menu and called.menu.texts["identity", "hi"] == "जल समिति, नौ दबाइए।"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('start = "main"', 'start = "mian"', 'menu.start: "mian" names no node; allowed: main, complaint'),
        ('start = "main"', "", "menu.start: missing"),
        ('hi = "नमस्ते।"\n', "", "menu.welcome.hi: missing; allowed: what is said, in words"),
        ('hi = "नमस्ते।"', 'hi = " "', 'menu.welcome.hi: " " is not possible; allowed: what is said, in words'),
        ('en = "Hello."', 'English = "Hello."', "menu.welcome.English: no language; allowed: a code such as"),
        ("[menu.welcome]", "[menu.wellcome]", "menu.wellcome: unknown key; allowed: node, phrase, sms"),
        ("[menu.node.idea]", "[menu.node.Idea]", "menu.node.Idea: is no name for a node; allowed: a-z, 0-9 and -"),
        ("[menu.node.idea]", "[menu.node.case]", "menu.node.case: is no name for a node"),
        ('"record"', '"recording"', 'menu.node.idea.kind: "recording" is not possible; allowed: "menu" or'),
        ('kind = "record"', "", "menu.node.idea.kind: missing"),
        ('"record"', '"record"\nto = "news"', "menu.node.idea.to: unknown key; allowed: kind, next, say, tag"),
        ('"record"', '"record"\nnext = "nws"', 'menu.node.idea.next: "nws" names no node; allowed: main'),
        ('"record"', '"record"\ntag = "a b"', 'menu.node.idea.tag: "a b" is not possible'),
        ('to = "complaint"', 'to = "complain"', 'menu.node.main.option.1.to: "complain" names no node'),
        ('to = "complaint"', "to = 7", "menu.node.main.option.1.to: 7 is not possible"),
        ('key = "3"', 'key = "9"', 'menu.node.main.option.3.key: "9" is not possible; allowed: 1 to 8'),
        ('key = "3"', 'key = "0"', 'menu.node.main.option.3.key: "0" is not possible'),
        ('key = "3"', "key = 3", "menu.node.main.option.3.key: 3 is not possible"),
        ('key = "3"', 'key = "2"', 'menu.node.main.option.3.key: "2" is another option already'),
        ('say.hi = "सभा के लिए"\n', "", "menu.node.main.option.3.say.hi: missing"),
        ('key = "3"', 'key = "3"\nvalue = "x"', "menu.node.main.option.3.value: an option of a menu stands"),
        ('value = "no"', "", "menu.node.vote.option.2.value: missing; allowed: a-z, 0-9"),
        ('value = "no"', 'value = "No!"', 'menu.node.vote.option.2.value: "No!" is not possible'),
        ('say.hi = "मीटर लगे?"\n', "", "menu.node.vote.say.hi: missing"),
        ('say.hi = "बस।"\n', "", "menu.node.done.say.hi: missing"),
        ('next = "done"', "", "menu.node.done: no way leads here; allowed: a node that an option's `to`"),
        ('kind = "say"', 'kind = "say"\nnext = "news"', "menu.node.news.next: news, done, news: a round that"),
        ('"record"', '"record"\nnext = "idea"', "menu.node.idea.next: idea, idea: a round that never asks"),
        ('[referendum]', '[grievance.x]', 'menu.node.vote.kind: a node of kind "referendum"'),
        ("[event]", "[schedule.x]", 'menu.node.meeting.kind: a node of kind "event" without [event]'),
        ('purpose = "news"', "", "menu.node.news.purpose: missing; allowed: to what the caller agrees"),
        ('purpose = "news"', 'purpose = "the news"', 'consent.purpose: "the news" is not possible'),
        ('due = "48h"', 'due = "2 days"', 'grievance.due: "2 days" is not possible; allowed: "0s", "90m"'),
        ('due = "48h"', 'duty = "48h"', "grievance.duty: unknown key; allowed: due"),
        ('at = "2027', 'at = "Saturday 2027', 'event.at: "Saturday 2027-10-02T10:00:00+05:30" is not'),
        ("{office}", "{officer}", "menu.sms.hi: unknown placeholder {officer}; allowed: {number}, {office}, {ref"),
        ("{office}", "{office", "menu.sms.hi: a { or } without its twin"),
        ('en = "Complaint', 'english = "Complaint', "menu.sms.english: no language"),
        ("[menu.sms]", '[menu.phrase.thank]\nhi = "x"\n[menu.sms]', "menu.phrase.thank: no phrase has this name"),
        ("[menu.node.done]", "[menu.node.thanks]", 'menu.node.thanks.say: its clip would be called "thanks"'),
        ("[menu.node.done]", "[menu.node.main-1]", 'menu.node.main-1.say: its clip would be called "main-1"'),
        ("[menu.node.done]", "[menu.node.welcome]", 'menu.node.welcome.say: its clip would be called "welcome"'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(old: str, new: str, told: str) -> None:
    assert (HEAD + MENU).count(old) >= 1
    found = problems((HEAD + MENU).replace(old, new, 1))
    assert any(problem.startswith(told) for problem in found), found
    assert all("; allowed: " in problem for problem in found)


def test_no_node_at_all() -> None:
    assert problems(HEAD + "[menu]\nstart = \"main\"\nwelcome.hi = \"x\"") == [
        "menu.node: missing; allowed: a table: [menu.node]"
    ]


def test_menus_have_options_at_most_four_and_two_levels() -> None:
    bare = '[menu]\nstart = "a"\nwelcome.hi = "x"\n[menu.node.a]\nkind = "menu"\n'
    option = '[[menu.node.{}.option]]\nkey = "{}"\nto = "{}"\nsay.hi = "x"\n'
    (dead,) = problems(HEAD + bare)
    assert dead.startswith("menu.node.a.option: nothing to choose: a dead end; allowed: 1 to 4 tables, each")
    four = bare + "".join(option.format("a", key, "") for key in "1234")
    assert menu_of(HEAD + four)
    (five,) = problems(HEAD + four + option.format("a", "5", ""))
    assert five.startswith("menu.node.a.option: 5 options are more than a caller remembers")
    two = bare + option.format("a", "1", "b") + '[menu.node.b]\nkind = "menu"\n'
    assert menu_of(HEAD + two + option.format("b", "1", "a"))  # a way back, by the caller's own act
    three = two + option.format("b", "1", "c") + '[menu.node.c]\nkind = "menu"\n' + option.format("c", "1", "")
    (deep,) = problems(HEAD + three)
    assert deep == "menu.node.c: a menu behind 2 others; allowed: 2 levels of menus: put its options further up"
    assert menu_of(HEAD + three + option.format("a", "2", "c"))  # a shorter way there


def test_options_where_none_belong() -> None:
    option = 'kind = "say"\noption = [{key = "1", say.hi = "x"}]'
    (found,) = problems((HEAD + MENU).replace('kind = "say"', option))
    assert found.startswith('menu.node.done.option: a node of kind "say" has no options, it has `next`')


def test_every_problem_is_told_at_once() -> None:
    text = (HEAD + MENU).replace('to = "complaint"', 'to = "x"').replace('value = "no"', "")
    text = text.replace('due = "48h"', "due = 1")
    keys = [problem.partition(": ")[0] for problem in problems(text)]
    assert set(keys) >= {"grievance.due", "menu.node.main.option.1.to", "menu.node.vote.option.2.value"}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[callback]", "[callback]\ntries = 4", "callback.tries: 4 is out of range; allowed: a whole number from 1"),
        ("[callback]", "[callback]\ntries = 0", "callback.tries: 0 is out of range"),
        ("[callback]", '[callback]\napart = "2 h"', 'callback.apart: "2 h" is not possible'),
        ("[callback]", '[callback]\nquiet = "night"', 'callback.quiet: "night" is no span'),
        ("[callback]", "[callback]\nminutes_per_day = 2000", "callback.minutes_per_day: 2000 is out of range"),
        ("[callback]", "[callback]\nminutes = 5", "callback.minutes: unknown key; allowed: apart, identity"),
        ('hi = "जल समिति, नौ दबाइए।"\n', "", "callback.identity.hi: missing; allowed: what is said, in words"),
        ("[callback.identity]", "[consent.identity]", "callback.identity.hi: missing"),
    ],
)  # fmt: skip
def test_who_calls_back_says_who_and_when(old: str, new: str, told: str) -> None:
    found = problems(HEAD.replace('"menu"', '"callback"') + MENU + CALLBACK.replace(old, new, 1))
    assert any(problem.startswith(told) for problem in found), found


@given(st.data())
def test_any_damage_is_read_or_refused(data: st.DataObject) -> None:
    """A line lost, or repeated, anywhere: never anything but a campaign or a refusal."""
    lines = (HEAD.replace('"menu"', '"callback"') + MENU + CALLBACK).splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(lines) - 1))
        lines[place : place + 1] = data.draw(st.sampled_from([[], [lines[place]] * 2, [lines[place - 1]]]))
    try:
        found = campaign.parse("\n".join(lines), "water.toml").menu
    except CampaignError as refused:
        assert refused.problems
    else:
        assert found is not None and found.start in found.nodes


# ---------------------------------------------------------------------------------------- what is said


def names(clips: tuple[Clip, ...]) -> str:
    return " ".join(f"{clip.name}@{clip.pause_ms}" if clip.pause_ms else clip.name for clip in clips)


def test_a_menu_says_what_it_is_then_each_option_then_its_key() -> None:
    found = menu_of()
    assert names(menu.compose_menu(found, found.nodes["main"], "en")) == (
        "main main-1@300 press-1@500 main-2@300 press-2@500 main-3@300 press-3@500"
    )
    unsaid = replace(found.nodes["main"], said=False)
    assert names(menu.compose_menu(found, unsaid, "en")).startswith("main-1 press-1@500 main-2@300")


def test_each_language_is_offered_in_its_own_words() -> None:
    clips = menu.compose_languages(menu_of())
    assert names(clips) == "language-hi press-1@500 language-en@300 press-2@500"
    assert [clip.language for clip in clips] == ["hi", "hi", "en", "en"]
    assert [menu.text(menu_of(), clip) for clip in clips] == ["हिंदी के लिए", "एक दबाइए", "For English", "press two"]
    many = Menu("a", {}, ("hi", "en", "mr", "ta", "te"))
    assert len(menu.compose_languages(many)) == 8


options = st.lists(st.sampled_from("12345678"), min_size=1, max_size=4, unique=True)


@given(options, st.booleans(), st.sampled_from(["hi", "en", "sw"]))
def test_an_option_is_always_said_before_its_key(keys: list[str], said: bool, language: str) -> None:
    node = Node("n", options=tuple(map(Option, keys)), said=said)
    clips = menu.compose_menu(Menu("n", {"n": node}, ("hi",)), node, language)
    assert len(clips) == 2 * len(keys) + said and not clips[0].pause_ms
    assert {clip.language for clip in clips} == {language}
    pressed = [(one, two) for one, two in pairwise(clips) if two.name.startswith("press-")]
    assert [(one.name, two.name) for one, two in pressed] == [(f"n-{key}", f"press-{key}") for key in keys]
    assert all(two.pause_ms >= 500 for _, two in pressed)


@given(st.text(st.sampled_from("0123456789 -+x"), max_size=12), st.sampled_from([*phrases.LANGUAGES, "sw"]))
def test_a_reference_is_spelled_digit_by_digit(reference: str, language: str) -> None:
    clips = phrases.spell(reference, language)
    assert "".join(clip.name.removeprefix("digit-") for clip in clips) == re.sub("[^0-9]", "", reference)
    assert all(clip.pause_ms >= 100 and clip.language == language for clip in clips)


def test_every_language_of_the_phrases_has_every_phrase() -> None:
    assert {"hi", "en", "mr"} <= set(phrases.LANGUAGES)
    for language in phrases.LANGUAGES:
        said = {name: phrases.text(name, language) for name in (*phrases.NAMES, f"language-{language}")}
        assert all(said.values()), language
        assert len({said[f"digit-{digit}"] for digit in "0123456789"}) == 10
        for digit in "12345678":  # a press names its own number, and no other
            named = said[f"press-{digit}"]
            assert [other for other in "12345678" if said[f"press-{other}"] == named] == [digit]
        assert not any(char.isdigit() for words in said.values() for char in words), language
        assert phrases.text("thanks", f"{language}-IN") == said["thanks"]
    assert phrases.text("thanks", "sw") == phrases.text("no-such", "hi") == phrases.text("language-hi", "en") == ""


def test_keys_are_named_last() -> None:
    """Who waits for her option need not remember a number: no sentence begins with its key."""
    for language in phrases.LANGUAGES:
        keys = {phrases.text(f"press-{key}", language).split()[0] for key in "12"}
        keys |= {phrases.text(f"digit-{digit}", language) for digit in "0129"}
        for name in ("menu-help", "consent-ask", "case-resolved", "identity"):
            for sentence in re.split("[.।] ", phrases.text(name, language)):
                assert sentence.split()[0].casefold() not in keys, (language, name)


def test_words_of_the_campaign_come_before_the_shipped_ones() -> None:
    found = menu_of(HEAD + MENU.replace("[menu.sms]", '[menu.phrase.thanks]\nhi = "शुक्रिया!"\n[menu.sms]'))
    assert found.texts["thanks", "hi"] == "शुक्रिया!" and found.texts["thanks", "en"] == "Thank you."


def test_a_language_without_words_falls_back() -> None:
    text = (HEAD + MENU).replace('["hi", "en"]', '["hi", "sw"]')
    found = menu_of(text)
    assert menu.fallbacks(found, "sw") == ("sw", "hi", "en")
    assert menu.text(found, Clip("main", "sw")) == "चुनिए।" and menu.text(found, Clip("beep", "sw")) == ""
    assert found.texts["thanks", "en"] and ("thanks", "sw") not in found.texts
    told = [str(finding) for finding in campaign.check(read(text), VALUES)]
    assert any("no words in sw for welcome, main, main-1, main-2 and" in one and "hear hi" in one for one in told), told
    assert any("nothing offers sw" in one for one in told)
    offered = read(text.replace("[menu.sms]", '[menu.phrase.language-sw]\nsw = "Kwa Kiswahili"\n[menu.sms]'))
    assert not any("nothing offers" in str(finding) for finding in campaign.check(offered, VALUES))


def test_only_keys_that_are_asked_for_have_words() -> None:
    """A person who records them should not say what nobody hears."""
    pressed = {name for name, _ in menu_of().texts if name.startswith("press-")}
    assert pressed == {"press-1", "press-2", "press-3"}


def test_who_calls_is_never_hidden_behind_the_shipped_words() -> None:
    only_hindi = CALLBACK.replace('en = "The water committee; press 9."\n', "")
    found = menu_of(HEAD.replace('"menu"', '"callback"') + MENU + only_hindi)
    assert menu.text(found, Clip("identity", "en")) == "जल समिति, नौ दबाइए।"
    assert menu_of().texts["identity", "en"] == phrases.text("identity", "en")


# ------------------------------------------------------------------------------------------- advice


def advised(text: str) -> list[tuple[str, str]]:
    found = campaign.parse(text, "water.toml")
    return [(finding.key, finding.problem) for finding in campaign.check(found, VALUES) if finding.key != "mode"]


@pytest.mark.parametrize(
    ("old", "new", "key", "problem"),
    [
        ('"शिकायत के लिए"', '"शिकायत के लिए एक दबाइए"', "menu.node.main.option.1.say.hi", "says its key by itself"),
        ('"To complain"', '"Press one to complain"', "menu.node.main.option.1.say.en", "says its key by itself"),
        ('"To complain"', '"1: complain"', "menu.node.main.option.1.say.en", "says its key by itself"),
        ('"शिकायत के लिए"', '"१ शिकायत"', "menu.node.main.option.1.say.hi", "says its key by itself"),
        ('say.en = "To complain"\n', "", "menu", "no words in en for main-1: its callers hear hi"),
        ('en = "Hello."\n', "", "menu", "no words in en for welcome: its callers hear hi"),
        ('closes = "2030-01-01T00:00:00+05:30"', "", "referendum.closes", "answers count for ever"),
        ("Complaint {reference}", "Complaint", "menu.sms.en", "does not tell the number"),
        ("{reference} {office}", "{reference} " + "श" * 60, "menu.sms.hi", "2 SMS a case"),
        ('en = "Complaint {reference}"\n', "", "menu.sms.en", "no SMS in en: its callers get the one in hi"),
        (SMS, "", "menu.sms", "a grievance's number is only spoken"),
    ],
)  # fmt: skip
def test_what_is_unkind_is_told(old: str, new: str, key: str, problem: str) -> None:
    assert advised(HEAD + MENU) == [] and old in HEAD + MENU
    (found,) = advised((HEAD + MENU).replace(old, new, 1))
    assert found[0] == key and found[1].startswith(problem)


@pytest.mark.parametrize("words", ["पानी का दबाव", "To the press office of ward 12", "Ward 2", "10 litres"])
def test_words_that_only_look_like_keys(words: str) -> None:
    wrong = "press" in words.casefold()
    found = advised((HEAD + MENU).replace('say.hi = "शिकायत के लिए"', f'say.hi = "{words}"'))
    assert not found or wrong


def test_an_sms_that_nobody_can_fill_is_an_error() -> None:
    found = campaign.check(campaign.parse((HEAD + MENU).replace("{office}", "{booth}"), "w.toml"), VALUES)
    assert [(one.severity, one.key, one.problem) for one in found if one.key == "menu.sms.hi"] == [
        ("error", "menu.sms.hi", "nothing fills {booth}")
    ]


def test_answering_is_paid_by_the_caller() -> None:
    (found,) = campaign.check(read(), VALUES)
    assert (found.severity, found.key) == ("warning", "mode") and "the caller pays" in found.problem
    called = read(HEAD.replace('"menu"', '"callback"') + MENU + CALLBACK)
    assert campaign.check(called, VALUES) == []
    unheard = HEAD.replace('mode = "menu"', 'mode = "missed-call"')
    unheard = unheard.replace("[referendum]", '[referendum]\noption = "yes"')
    assert [finding.key for finding in campaign.check(read(unheard + MENU), VALUES)] == ["menu"]


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('apart = "10m"', "callback.apart"), ('within = "3d"', "callback.within"),
        ('quiet = "22:00-09:00"', "callback.quiet"), ('quiet = "21:00-08:00"', "callback.quiet"),
        ('quiet = "00:00-12:00"', "callback.quiet"), ('quiet = "21:30-10:00"', "callback.quiet"),
        ("minutes_per_day = 300", "callback.minutes_per_day"),
    ],
)  # fmt: skip
def test_calling_back_has_its_manners(line: str, key: str) -> None:
    text = HEAD.replace('"menu"', '"callback"') + MENU + CALLBACK
    assert advised(text.replace("[callback]", '[callback]\nquiet = "20:00-10:00"')) == []
    assert [found[0] for found in advised(text.replace("[callback]", f"[callback]\n{line}"))] == [key]


def test_a_call_that_we_place_tells_how_to_stop() -> None:
    text = HEAD.replace('"menu"', '"callback"') + MENU + CALLBACK.replace("; press 9", "")
    assert [found[0] for found in advised(text)] == ["callback.identity.en"]


def test_more_languages_than_a_caller_remembers() -> None:
    found = advice.menu(menu_of((HEAD + MENU).replace('["hi", "en"]', '["hi", "en", "mr", "ta", "te"]')))
    assert "only the first 4 languages are offered: te" in str(next(iter(found)))


def test_nobody_is_asked() -> None:
    text = (HEAD + MENU).replace('kind = "event"', 'kind = "menu"').replace('value = "yes"\nsay', "say")
    assert ("event", "nobody is asked") in advised(text)


# --------------------------------------------------------------------------------------- an SMS of a case


@pytest.mark.parametrize(
    ("language", "text"),
    [("hi", "शिकायत 42 Nashik"), ("en", "Complaint 42"), ("en-IN", "Complaint 42"), ("ta", "शिकायत 42 Nashik")],
)
def test_a_case_is_texted_in_the_callers_language_or_the_nearest(language: str, text: str) -> None:
    assert campaign.case_text(read(), language, {"reference": "42", "office": "Nashik"}) == text


def test_no_text_for_a_case() -> None:
    without = read(re.sub(r"(?s)\[menu.sms\].*?\[menu.node.main\]", "[menu.node.main]", HEAD + MENU))
    assert campaign.case_text(without, "hi", {}) == ""
    unspoken = campaign.parse('id = "w"\ntitle = "W"\nmode = "opt-out"\nlanguages = ["hi"]', "w.toml")
    assert campaign.case_text(unspoken, "hi", {}) == ""


# ------------------------------------------------------------------------------------------- shipped


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_the_shipped_campaigns_are_sound(file: Path) -> None:
    found = campaign.load(file, VALUES)
    assert found.id == file.stem
    assert [finding for finding in campaign.check(found, VALUES) if finding.key != "mode"] == []
    if found.menu:
        for language in found.languages:
            assert all(menu.text(found.menu, Clip(name, language)) for name, _ in found.menu.texts)


def test_three_campaigns_are_shipped() -> None:
    assert [file.stem for file in SHIPPED] == ["gram-sabha", "missed-call", "water-menu"]
    kinds = {node.kind for file in SHIPPED for node in getattr(campaign.load(file).menu, "nodes", {}).values()}
    assert kinds == set(menu.KINDS)


def test_keys_that_mean_something_everywhere_are_no_options() -> None:
    assert set(menu.OPTION_KEYS) == set(KEYS) - set("90*#")
