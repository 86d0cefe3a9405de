"""The conversation: each rule of the machine as a short script, and each row of its table at least once.

A script is a row of words, one second apart: a key; `.` the prompt was heard; `~` nothing happens until the machine's
own time is up; `(` `)` she begins and ceases to talk; `=1` a word was understood; `ok` a take of five seconds, three
of them speech, is on disk; `empty` one of silence; `fail` no take; `case` the case is on disk; `x` she hangs up.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace

import pytest

from edge.dialogue import (
    CaseOpened,
    Connected,
    Heard,
    HungUp,
    KeyPressed,
    Ordered,
    Played,
    Record,
    Recorded,
    RecordFailed,
    Say,
    SpeechBegan,
    SpeechEnded,
    Step,
    WordHeard,
)
from edge.ivr import ALIVE, STATES, TABLE, WAYS, About, Conversation, asking, taking
from edge.ivr import conversation as room
from edge.ivr.walk import Event, Late, Limit, Walk
from edge.menu import Menu, Node, Option
from tools import ivrpicture

VOTE = Node("vote", "referendum", (Option("1", "talk", value="yes"), Option("2", value="no")), issue="subsidy")
COMING = (Option("1", value="yes"), Option("2", value="no"), Option("3", value="3"))
MEETING = Node("meeting", "event", COMING, issue="e7")
NODES = (
    Node(
        "main", "menu",
        (Option("1", "complaint", "water"), Option("2", "vote"), Option("3", "meeting"), Option("4", "info")),
    ),
    Node("complaint", "grievance", tag="complaint"),
    VOTE,
    MEETING,
    Node("info", "say", next="list"),
    Node("list", "consent", next="talk", purpose="volunteers"),
    Node("talk", "record", tag="story", said=False),
)  # fmt: skip
MENU = Menu("main", {node.id: node for node in NODES}, ("hi", "en"))
ENGLISH = replace(MENU, languages=("en",))
HINDI = About(language="hi")  # a caller whose language is known
ABOUT_CASE = About(case=("4712936", "resolved"))  # and one who is to judge her case

WORDS: dict[str, Heard] = {
    ".": Played(), "(": SpeechBegan(), ")": SpeechEnded(), "x": HungUp(), "up": Connected(),
    "ok": Recorded(5000, 3000), "empty": Recorded(6000, 400), "short": Recorded(700), "deaf": Recorded(5000),
    "fail": RecordFailed("no room"), "case": CaseOpened("4712936"),
    **{key: KeyPressed(key) for key in "0123456789*#"},
}  # fmt: skip
REFERENCE = "reference 4 7 1 2 9 3 6 4 7 1 2 9 3 6"


class Call:
    """A conversation that is told a script; `.now` runs a second a word."""

    def __init__(self, about: About = HINDI, menu: Menu = MENU) -> None:
        self.machine, self.now = Conversation(menu, about), 0.0
        self.orders: list[Ordered] = []

    def __call__(self, script: str) -> list[str]:
        """What the last word of a script makes the box do, in words."""
        orders: list[Ordered] = []
        for word in script.split():
            self.now += 1
            if word == "~":
                deadline = self.machine.deadline()
                assert deadline is not None, "nothing would ever happen"
                self.now = max(self.now, deadline)
                orders = self.machine.tick(self.now)
            else:
                event = WordHeard(word[1:], 0.9) if word[0] == "=" else WORDS[word]
                orders = self.machine.on(event, self.now)
            self.orders += orders
        return [told(order) for order in orders]

    @property
    def steps(self) -> list[str]:
        return [told(order)[5:] for order in self.orders if isinstance(order, Step)]


def told(order: Ordered) -> str:
    """An order in words: `say` names its clips (a digit by itself), any other all of its fields."""
    if isinstance(order, Say):
        names = [clip.name.removeprefix("digit-") for clip in order.clips]
        return "say " + " ".join(names)
    if isinstance(order, Record):
        return f"record {order.node} {','.join(order.tags)} {order.most_s}{' case' if order.case else ''}"
    fields = [getattr(order, name) for name in type(order).__slots__]
    words = [",".join(field) if isinstance(field, tuple) else str(field) for field in fields if field != ""]
    return " ".join((type(order).__name__.lower(), *words))


MAIN = "main main-1 press-1 main-2 press-2 main-3 press-3 main-4 press-4"
SHORT = MAIN.removeprefix("main ")
OFFER = "language-hi press-1 language-en press-2"
BYE = "thanks goodbye"


def languages(orders: Iterable[Ordered]) -> list[str]:
    return [clip.language for order in orders if isinstance(order, Say) for clip in order.clips]


# ------------------------------------------------------------------------------------ how a call begins


def test_a_known_caller_hears_welcome_and_the_first_question_in_her_language() -> None:
    assert Call()("up") == [f"say welcome {MAIN}", "step connected", "step enter main"]


def test_an_unknown_caller_is_asked_for_her_language_each_in_its_own_words() -> None:
    call = Call(About())
    assert call("up") == [f"say welcome {OFFER}", "step connected", "step enter language"]
    assert languages(call.orders) == ["hi", "hi", "hi", "en", "en"]


def test_the_lines_own_language_comes_before_the_menus_first() -> None:
    call = Call(About(line_language="en"))
    call("up")
    assert languages(call.orders)[0] == "en"


def test_one_language_is_not_asked_for() -> None:
    assert Call(About(), ENGLISH)("up")[0] == f"say welcome {MAIN}"


def test_at_most_four_languages_are_offered() -> None:
    call = Call(About(), replace(MENU, languages=("hi", "en", "mr", "bn", "ta")))
    assert "language-bn press-4" in call("up")[0]
    assert "language-ta" not in call("")
    assert call("5")[0].startswith("say invalid language-hi")


def test_a_chosen_language_is_written_and_spoken_from_then_on() -> None:
    call = Call(About())
    assert call("up 2") == [f"say {MAIN}", "chooselanguage en", "step key language 2", "step enter main"]
    assert set(languages(call.orders[-4:])) == {"en"}
    assert call.machine.language == "en"


def test_who_is_rung_up_hears_first_who_calls() -> None:
    assert Call(replace(HINDI, placed=True))("up")[0] == f"say identity welcome {MAIN}"


@pytest.mark.parametrize("state", ["new", "assigned", "contacted", "reopened"])
def test_an_open_case_is_told_of_first(state: str) -> None:
    call = Call(replace(HINDI, case=("4712936", state)))
    assert call("up")[0] == f"say welcome {REFERENCE} case-{state} {MAIN}"


def test_a_case_that_is_closed_is_not_spoken_of() -> None:
    assert Call(replace(HINDI, case=("4712936", "verified")))("up")[0] == f"say welcome {MAIN}"


@pytest.mark.parametrize(("key", "verdict", "word"), [("1", "verified", "noted"), ("2", "reopened", "case-reopened")])
def test_a_case_that_is_said_to_be_solved_is_judged_by_her(key: str, verdict: str, word: str) -> None:
    call = Call(ABOUT_CASE)
    assert call("up") == [f"say welcome {REFERENCE} case-resolved", "step connected", "step enter case"]
    assert call(key) == [
        f"judgecase {verdict}", f"say {word} {OFFER}", f"step key case {key}", "step goal case", "step enter language",
    ]  # fmt: skip


def test_who_does_not_understand_the_question_about_her_case_can_choose_a_language_first() -> None:
    call = Call(ABOUT_CASE)
    assert call("up *") == [f"say {OFFER}", "step key case *", "step enter language"]
    assert call("2")[0] == "say case-resolved"
    assert call("1")[:2] == ["judgecase verified", f"say noted {MAIN}"]


# --------------------------------------------------------------------------------------- keys and silence


def test_a_key_acts_during_the_prompt() -> None:
    assert Call()("up 2") == ["say vote vote-1 press-1 vote-2 press-2", "step key main 2", "step enter vote"]


def test_silence_is_answered_twice_shorter_then_she_may_talk() -> None:
    call = Call()
    call("up .")
    assert call.machine.deadline() == call.now + asking.NO_INPUT
    assert call("~") == [f"say again {SHORT} menu-help", "step no-input main"]
    assert call(". ~") == [f"say again {SHORT}", "step no-input main"]
    assert call(". ~") == ["say after-beep beep", "step no-input main"]
    assert call(".") == ["record main  30", "step heard main", "step record main"]


def test_a_wrong_key_is_told_and_counts_as_a_re_prompt() -> None:
    call = Call()
    assert call("up 7") == [f"say invalid {SHORT} menu-help", "step invalid main 7"]
    assert call(". ~")[0] == f"say again {SHORT}"
    assert call("#") == ["say invalid after-beep beep", "step invalid main #"]


def test_a_lost_end_of_a_prompt_is_as_good_as_its_end() -> None:
    call = Call()
    assert call("up ~") == []
    assert call.now > 30
    assert call("~")[0] == f"say again {SHORT} menu-help"
    assert call.steps == ["connected", "enter main", "no-input main"]


def test_zero_says_all_of_it_again() -> None:
    assert Call()("up . ~ 0") == [f"say welcome {MAIN}", "step key main 0"]


def test_star_goes_back_one_node_and_from_the_first_to_the_languages() -> None:
    call = Call()
    assert call("up 2 *") == [f"say {MAIN}", "step key vote *", "step enter main"]
    assert call("*") == [f"say {OFFER}", "step key main *", "step enter language"]
    assert call("*")[0] == f"say {OFFER}"
    assert call("1")[0] == f"say {MAIN}"


def test_star_with_one_language_says_the_first_node_again() -> None:
    assert Call(About(), ENGLISH)("up *") == [f"say {MAIN}", "step key main *", "step enter main"]


def test_star_takes_the_tags_back() -> None:
    assert Call()("up 1 * 1 .")[0] == "record complaint water,complaint 30 case"


@pytest.mark.parametrize("script", [
    "", ".", ". ~", "* ", "7", "1", "1 .", "1 . #", "1 . # ok", "1 . # ok case", "4", "4 . 1", "=1", ". ~ . ~ . ~",
    "( ) . (",
])  # fmt: skip
@pytest.mark.parametrize("about", [HINDI, About(), ABOUT_CASE], ids=["menu", "language", "case"])
def test_nine_stops_everything_at_any_moment(script: str, about: About) -> None:
    call = Call(about)
    call(f"up {script}")
    where, taking_ = call.machine.node, call.machine.state == "recording"
    stop = ["endrecord True"] if taking_ else []
    assert call("9") == [
        *stop, "optout", "say opted-out", f"step key {where} 9", f"step end {where} opted-out", "endcall",
    ]  # fmt: skip
    assert call.machine.state == "over"
    assert call("ok 9 1 . x") == []


def test_nine_is_obeyed_while_the_call_is_being_ended() -> None:
    call = Call()
    assert call("up 3 1 .")[-1] == "endcall"
    assert call("9") == ["optout", "step key meeting 9"]
    assert call("9") == []


# ----------------------------------------------------------------------------------------- talk and words


def test_talk_is_no_error_and_the_second_time_it_is_recorded() -> None:
    call = Call()
    assert call("up (") == ["step speech main"]
    assert call(") (") == ["step speech main"]  # during one prompt it counts once
    assert call(") .") == ["step heard main"]
    assert call("(") == ["say after-beep beep", "step speech main"]
    assert call(".")[0] == "record main  30"


def test_talk_in_two_menus_leads_to_the_recording() -> None:
    call = Call()
    assert call("up ( ) . ~")[0].startswith("say again")
    assert call("(") == ["say after-beep beep", "step speech main"]


def test_who_talks_and_then_presses_begins_anew() -> None:
    assert Call()("up ( ) 2 (") == ["step speech vote"]


def test_silence_is_counted_from_the_end_of_her_talk() -> None:
    call = Call()
    call("up . (")
    assert call.machine.deadline() == call.now + asking.TALK_MOST
    call(")")
    assert call.machine.deadline() == call.now + asking.NO_INPUT


def test_a_key_of_the_question_still_counts_while_she_is_invited_to_talk() -> None:
    call = Call()
    call("up . ~ . ~ . ~")
    assert call("7") == ["say invalid after-beep beep", "step invalid main 7"]
    assert call("2") == ["say vote vote-1 press-1 vote-2 press-2", "step key main 2", "step enter vote"]


def test_ten_seconds_behind_the_prompt_its_keys_have_gone() -> None:
    call = Call()
    call("up . ~ . ~ . ~")
    call.now += 4
    assert call("2") == ["say invalid after-beep beep", "step invalid main 2"]


def test_a_word_is_confirmed_by_a_key() -> None:
    call = Call()
    assert call("up =2") == ["say main-2 press-1", "step word main 2"]
    assert call("1") == ["say vote vote-1 press-1 vote-2 press-2", "step key main 1", "step enter vote"]


def test_a_word_that_is_not_confirmed_is_asked_about_once_more_then_she_may_talk() -> None:
    call = Call()
    assert call("up =2 . ~") == ["say again main-2 press-1", "step no-input main"]
    assert call(". ~") == ["say after-beep beep", "step no-input main"]
    assert Call()("up =2 =3 =4") == ["say after-beep beep", "step word main 4"]


def test_another_key_is_as_good_as_the_word() -> None:
    assert Call()("up =2 3")[1] == "step key main 3"


def test_star_takes_a_word_back() -> None:
    assert Call()("up =2 *") == [f"say {MAIN}", "step key main *", "step enter main"]


@pytest.mark.parametrize(("node", "word", "key"), [("3", "yes", "1"), ("3", "no", "2"), ("3", "3", "3")])
def test_yes_and_no_where_the_question_is_one(node: str, word: str, key: str) -> None:
    call = Call()
    assert call(f"up {node} ={word}") == [f"say meeting-{key} press-1", f"step word meeting {word}"]
    assert call("1")[0] == f"choice meeting {key} {word} e7"


def test_a_consent_by_word_is_asked_for_by_key_again() -> None:
    call = Call()
    assert call("up 4 . =yes") == ["say consent-ask", "step word list yes"]
    assert call("2")[1].startswith("choice list 2 no")


@pytest.mark.parametrize("word", ["yes", "7", "maybe"])
def test_words_that_name_no_option_are_nothing(word: str) -> None:
    assert Call()(f"up ={word}") == []


def test_an_unsure_word_is_nothing() -> None:
    call = Call()
    call("up")
    assert call.machine.on(WordHeard("1", asking.SURE - 0.01), 2.0) == []


def test_a_word_of_another_language_is_nothing() -> None:
    call = Call()
    call("up")
    assert call.machine.on(WordHeard("1", 0.9, "en"), 2.0) == []
    assert call.machine.on(WordHeard("1", 0.9, "hi"), 3.0) != []


# ----------------------------------------------------------------------------------------- recording


def test_a_grievance_is_recorded_opened_and_its_reference_said_twice() -> None:
    call = Call()
    assert call("up 1") == ["say complaint beep", "step key main 1", "step enter complaint"]
    assert call(".") == ["record complaint water,complaint 30 case", "step heard complaint", "step record complaint"]
    assert call("#") == ["endrecord True", "step key complaint #"]
    assert call("ok") == ["opencase complaint water,complaint hi", "step goal complaint"]
    assert call("case") == [f"say {REFERENCE} {BYE}"]
    assert call("0") == [f"say {REFERENCE} {BYE}", "step key complaint 0"]
    assert call(".") == ["step end complaint done", "endcall"]


def test_a_recording_is_confirmed_when_it_is_on_disk() -> None:
    call = Call()
    assert call("up 2 1")[1] == "say noted vote-1 after-beep beep"
    assert call(". # ok") == [f"say recorded {BYE}", "step goal talk"]


def test_a_take_ends_four_seconds_behind_speech() -> None:
    call = Call()
    call("up 1 . ( )")
    assert call.machine.deadline() == call.now + taking.SILENCE_AFTER
    assert call("~") == ["endrecord True"]


def test_a_take_without_speech_ends_after_six_seconds_where_somebody_tells() -> None:
    call = Call()
    call("up ( ) 1 .")
    assert call.machine.deadline() == call.now + taking.SILENCE_FIRST
    deaf = Call()
    deaf("up 1 .")
    assert deaf.machine.deadline() == deaf.now + 30 + taking.PATIENCE


def test_who_talks_before_the_beep_is_not_cut_off() -> None:
    call = Call()
    call("up 1 ( .")
    assert call.machine.deadline() == call.now + 30 + taking.PATIENCE


def test_a_take_that_the_host_ends_at_its_longest_is_as_good() -> None:
    assert Call()("up 1 . ok")[0].startswith("opencase")


def test_a_take_that_nobody_ends_is_ended() -> None:
    assert Call()("up 1 . ~") == ["endrecord True"]


def test_an_empty_take_is_asked_for_once_more() -> None:
    for nothing in ("empty", "short"):
        call = Call()
        assert call(f"up 1 . # {nothing}") == ["say again after-beep beep"]
        assert call(f". # {nothing}") == [f"say {BYE}"]
    assert Call()("up 1 . # deaf")[0].startswith("opencase")  # nobody listened: its length speaks for it


def test_star_keeps_a_take_and_goes_back() -> None:
    call = Call()
    assert call("up 1 . *") == ["endrecord True", "step key complaint *"]
    assert call("ok")[0].startswith("opencase")
    assert call("case") == [f"say {REFERENCE} {MAIN}", "step enter main"]
    assert Call()("up 1 . * empty") == [f"say {MAIN}", "step enter main"]


def test_star_acts_as_soon_as_the_disk_has_answered() -> None:
    assert Call()("up 1 . # * ok *") == ["step key complaint *"]
    assert Call()("up 1 . # * ok case")[0] == f"say {REFERENCE} {MAIN}"


def test_zero_drops_a_take_and_begins_again() -> None:
    call = Call()
    assert call("up 1 . 0") == ["endrecord False", "step key complaint 0"]
    assert call("ok") == ["say again after-beep beep"]
    assert call("*") == [f"say {MAIN}", "step key complaint *", "step enter main"]


def test_other_keys_do_not_disturb_a_take() -> None:
    call = Call()
    assert call("up 1 . 5") == ["step invalid complaint 5"]
    assert call.machine.state == "recording"


def test_hanging_up_saves_and_a_grievance_is_opened() -> None:
    call = Call()
    assert call("up 1 . x") == ["endrecord True", "step end complaint hung-up"]
    assert call("ok") == ["opencase complaint water,complaint hi", "step goal complaint"]
    assert call("case") == []


@pytest.mark.parametrize("nothing", ["empty", "short", "fail"])
def test_hanging_up_at_once_opens_nothing(nothing: str) -> None:
    assert Call()(f"up 1 . x {nothing}") == []


def test_hanging_up_behind_the_take_opens_the_case_too() -> None:
    call = Call()
    assert call("up 1 . # x") == ["step end complaint hung-up"]
    assert call("ok")[0].startswith("opencase")
    assert Call()("up 1 . 0 x ok") == []  # she had thrown it away


def test_a_menu_that_nobody_answered_keeps_the_recording_and_ends() -> None:
    call = Call()
    call("up . ~ . ~ . ~ .")
    assert call("# ok") == [f"say recorded {BYE}", "step goal main"]


def test_star_goes_back_to_the_question_that_she_left_to_talk() -> None:
    call = Call()
    assert call("up . ~ . ~ . ~ *") == [f"say {MAIN}", "step key main *", "step enter main"]
    asked = Call(About())
    assert asked("up . ~ . ~ . ~ . * ok") == [f"say recorded {OFFER}", "step goal language", "step enter language"]


def test_wrong_keys_before_the_beep_do_not_keep_her_from_it() -> None:
    call = Call()
    assert call("up 1 4")[0] == "say invalid complaint beep"
    assert call("4 4")[0] == "say invalid beep"


@pytest.mark.parametrize(("script", "orders"), [
    ("up 1", [f"say no-room {BYE}", "step key main 1", "step enter complaint", "step no-room complaint"]),
    ("up . ~ . ~ . ~", [f"say no-room {BYE}", "step no-input main", "step no-room main"]),
])  # fmt: skip
def test_without_room_that_is_said_and_the_call_goes_on(script: str, orders: list[str]) -> None:
    assert Call(replace(HINDI, may_record=False))(script) == orders


def test_a_take_that_fails_is_told_and_is_the_last() -> None:
    call = Call()
    assert call("up 1 . fail") == [f"say no-room {BYE}", "step no-room complaint"]
    assert call("* ")[0] == f"say no-room {BYE}"
    assert Call()("up 1 . * fail")[0] == f"say no-room {MAIN}"


def test_a_host_that_does_not_answer_leaves_no_dead_end() -> None:
    call = Call()
    assert call("up 1 . # ~") == [f"say {BYE}"]
    assert call("ok") == ["opencase complaint water,complaint hi", "step goal complaint"]  # late, but hers
    assert call("* *")[0] == f"say {MAIN}"
    assert Call()("up 1 . # ok ~") == [f"say {BYE}"]
    assert Call()("up 1 . 0 ~") == [f"say no-room {BYE}", "step no-room complaint"]


# ------------------------------------------------------------------------------------- kinds of nodes


def test_a_vote_is_written_then_confirmed_then_on() -> None:
    assert Call()("up 2 1") == [
        "choice vote 1 yes subsidy", "say noted vote-1 after-beep beep", "step key vote 1", "step goal vote",
        "step enter talk",
    ]  # fmt: skip


def test_a_closed_referendum_is_told_and_left() -> None:
    closed = replace(HINDI, referendum_open=False)
    assert Call(closed)("up 2") == [f"say closed {BYE}", "step key main 2", "step enter vote"]
    both = replace(VOTE, options=(Option("1", "talk", value="yes"), Option("2", "talk", value="no")))
    menu = replace(MENU, nodes={**MENU.nodes, "vote": both})
    assert Call(closed, menu)("up 2")[0] == "say closed after-beep beep"


def test_an_event_is_answered() -> None:
    call = Call()
    assert call("up 3 3")[:2] == ["choice meeting 3 3 e7", f"say noted meeting-3 {BYE}"]


def test_consent_is_a_second_act() -> None:
    call = Call()
    assert call("up 4") == ["say info", "step key main 4", "step enter info"]
    assert call(".") == ["say list consent-ask", "step heard info", "step enter list"]
    assert call("1") == [
        "agree list volunteers hi", "say noted after-beep beep", "step key list 1", "step goal list", "step enter talk",
    ]  # fmt: skip


def test_no_consent_is_written_and_is_no_goal() -> None:
    assert Call()("up 4 . 2") == [
        "say after-beep beep", "choice list 2 no list", "step key list 2", "step enter talk",
    ]  # fmt: skip


def test_what_is_only_told_goes_on_by_itself() -> None:
    assert Call()("up 4 ~") == ["say list consent-ask", "step enter list"]
    assert Call()("up 4 0")[0] == "say info"
    assert Call()("up 4 *")[0] == f"say {MAIN}"
    assert Call()("up 4 5 5")[0] == "say invalid info"
    assert Call()("up 4 5 5 5") == ["say list consent-ask", "step invalid info 5", "step enter list"]


def test_a_round_of_nodes_that_never_ask_ends() -> None:
    nodes = {"a": Node("a", "say", next="b"), "b": Node("b", "say", next="a")}
    assert Call(HINDI, replace(MENU, start="a", nodes=nodes))("up . .") == [f"say {BYE}", "step heard b"]


# ------------------------------------------------------------------------------------------ the end


def test_goodbye_is_heard_to_its_end_and_can_be_called_back() -> None:
    call = Call()
    call("up 3 1")
    assert call("5") == ["step invalid meeting 5"]
    assert call("*")[0] == "say meeting meeting-1 press-1 meeting-2 press-2 meeting-3 press-3"
    assert call("1 ~") == ["step end meeting done", "endcall"]


def test_who_hangs_up_during_goodbye_has_come_to_the_end() -> None:
    assert Call()("up 3 1 x") == ["step end meeting done"]
    assert Call()("up 3 x") == ["step end meeting hung-up"]


def test_at_170_seconds_goodbye_and_at_180_the_end() -> None:
    call = Call()
    call("up .")
    call.now = room.GOODBYE_AT
    assert call("~") == [f"say time-up {BYE}"]
    assert call("*") == ["step invalid main *"]
    assert call("~") == ["hush", "step end main limit", "endcall"]
    assert call.now == 1 + room.LIMIT


def test_a_recording_is_finished_when_the_time_is_up() -> None:
    call = Call()
    call("up")
    call.now = 150
    call("1 .")
    call.now = room.GOODBYE_AT
    assert call("~") == ["endrecord True"]
    assert call("ok")[0].startswith("opencase")
    assert call("case") == [f"say {REFERENCE} time-up {BYE}"]
    assert call(".") == ["step end complaint limit", "endcall"]


def test_a_call_that_never_came_up_tells_nothing() -> None:
    assert Call()("x up 1 9") == []


# ------------------------------------------------------------------------------------------- the table


def ways(to: Iterable[str]) -> set[str]:
    """The states that the names of a row may mean."""
    return {state for name in to for state in WAYS.get(name, (name,))}


def test_every_state_is_reached_and_left() -> None:
    assert {state for state, _ in TABLE} == set(STATES)
    assert {state for row in TABLE.values() for state in ways(row.to)} == set(STATES) - {"waiting"}
    for state in ALIVE:
        assert TABLE[state, "9"].to == ("over",)
        assert TABLE[state, HungUp].to == ("gone",)
        assert {(state, Late), (state, Limit)} < set(TABLE)


def test_the_table_tells_the_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers at random: each row is used, leads wherever it says, and never elsewhere."""
    seen: dict[tuple[str, type | str], set[str]] = {key: set() for key in TABLE}

    def watched(key: tuple[str, type | str], row: room.Row) -> room.Row:
        def handler(walk: Walk, event: Event, now: float) -> None:
            row.handler(walk, event, now)
            seen[key].add(walk.state)

        return room.Row(handler, row.to)

    for key, row in list(TABLE.items()):
        monkeypatch.setitem(TABLE, key, watched(key, row))
    dice = random.Random(1)
    words = [*WORDS, *"~~~~~~~~~~~........((###", *["ok", "case", "=1", "=2", "=yes", "=no"] * 2]
    for _ in range(3000):
        known = dice.choice((HINDI, About(), ABOUT_CASE, replace(ABOUT_CASE, language="hi")))
        about = replace(known, may_record=dice.random() < 0.9, referendum_open=dice.random() < 0.8)
        call = Call(about, dice.choice((MENU, MENU, ENGLISH)))
        call("up" if dice.random() < 0.99 else "x")
        for word in dice.choices(words, k=40):
            if dice.random() < 0.01:
                call.now += dice.choice((150, 170, 180))
            if word != "~" or call.machine.deadline() is not None:
                call(word)
            if call.machine.state == "gone" and dice.random() < 0.5:
                break
    for key, states in seen.items():
        to = TABLE[key].to
        assert states, f"{key} never happens"
        assert states <= ways(to), f"{key} leads to {states - ways(to)} too"
        assert {name for name in to if name not in WAYS} <= states, f"{key} leads only to {states}"
        assert all(states & set(WAYS[name]) for name in to if name in WAYS), f"{key} leads only to {states}"


def test_the_picture_is_the_tables() -> None:
    assert set(ivrpicture.arrows()) == set(ivrpicture.ROUTES), "an arrow that the table does not know"
    assert ivrpicture.FILE.read_text(encoding="utf-8") == ivrpicture.draw(), "run: python -m tools.ivrpicture"
