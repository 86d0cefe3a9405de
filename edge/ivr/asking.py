"""How a question is answered: by a key, by a word and a key, by talk, and by silence.

Rules of the room:
- A key acts at once. Silence, and keys that mean nothing, are answered by a shorter prompt, twice; then she may talk.
- Who talks in place of pressing a key makes no mistake: the second time, she is recorded.
- A word is never an answer by itself: a key confirms it.
- An answer is written before it is confirmed.
"""

from __future__ import annotations

from edge.dialogue import Agree, Choice, ChooseLanguage, JudgeCase, KeyPressed, WordHeard
from edge.ivr import prompts
from edge.ivr.walk import KEYS_AFTER, Event, Walk
from edge.menu import MOST_LANGUAGES, OPTION_KEYS, Node, Option

NO_INPUT = 5.5  # seconds of silence behind a prompt
REPROMPTS = 2  # then she may talk
CONFIRMS = 1  # re-prompts of a word
SURE = 0.6  # of a word, to ask about it
TALKED = 2  # times she talks in place of pressing a key: then she is recorded
TALK_MOST = 10.0  # seconds of talk in place of a key, should nobody tell its end


# ------------------------------------------------------------------------------- time and talk


def heard(walk: Walk, event: Event, now: float) -> None:
    """The question was heard to its end."""
    if walk.playing:
        walk.step("heard")
        _time_runs(walk, now)


def no_input(walk: Walk, event: Event, now: float) -> None:
    """She did nothing; or nobody told the end of the prompt: then her time runs from now."""
    if walk.playing:
        _time_runs(walk, now)
    else:
        walk.step("no-input")
        _ask_again(walk, "again", now)


def _time_runs(walk: Walk, now: float) -> None:
    walk.playing, walk.keys_until = False, now + KEYS_AFTER
    walk.due = now + (TALK_MOST if walk.talking else NO_INPUT)


def _ask_again(walk: Walk, why: str, now: float) -> None:
    walk.misses += 1
    if walk.misses > (CONFIRMS if walk.state == "confirm" else REPROMPTS):
        if why == "invalid":
            walk.tell(why)
        walk.fall_back(now)
        return
    helped = ("menu-help",) if walk.state == "choosing" and walk.misses == 1 else ()
    walk.say((walk.clip(why), *walk.short, *map(walk.clip, helped)), now)


def speech_began(walk: Walk, event: Event, now: float) -> None:
    """She talks: during a prompt it counts once, behind it each time."""
    walk.step("speech")
    if not (walk.playing and walk.talked_over):
        walk.talks += 1
    walk.talked_over = True
    if walk.talks >= TALKED:
        walk.fall_back(now)
    elif not walk.playing:
        walk.due = now + TALK_MOST


def speech_ended(walk: Walk, event: Event, now: float) -> None:
    if not walk.playing:
        walk.due = now + NO_INPUT


# ---------------------------------------------------------------------------------------- keys


def accept(walk: Walk, event: Event) -> str:
    """A key that means something here."""
    assert isinstance(event, KeyPressed)
    walk.step("key", event.key)
    walk.talks = 0
    return event.key


def ignore(walk: Walk, event: Event, now: float) -> None:
    """A key that means nothing here, and a word about it would only disturb."""
    assert isinstance(event, KeyPressed)
    walk.step("invalid", event.key)


def reject(walk: Walk, event: Event, now: float) -> None:
    """A key that means nothing here: say so, and ask again."""
    ignore(walk, event, now)
    _ask_again(walk, "invalid", now)


def again(walk: Walk, event: Event, now: float) -> None:
    """0: all of it again."""
    accept(walk, event)
    walk.say(walk.whole, now)


def back(walk: Walk, event: Event, now: float) -> None:
    """*: the node before; there is no way back from the last goodbye."""
    if walk.late:
        ignore(walk, event, now)
    else:
        accept(walk, event)
        walk.go_back(now)


def answer(walk: Walk, event: Event, now: float) -> None:
    """A key that may be an answer."""
    assert isinstance(event, KeyPressed)
    if not answered(walk, event, walk.state, now):
        reject(walk, event, now)


def answered(walk: Walk, event: KeyPressed, state: str, now: float) -> bool:
    """Is the key an answer to the question that `state` asks? Then it is given."""
    if state == "language":
        return _choose_language(walk, event, now)
    if state == "case":
        return _judge(walk, event, now)
    return _choose(walk, event, state, now)


def _choose_language(walk: Walk, event: KeyPressed, now: float) -> bool:
    """A language, by its place in the offer."""
    offered = dict(zip(OPTION_KEYS, walk.menu.languages[:MOST_LANGUAGES], strict=False))
    if event.key not in offered:
        return False
    accept(walk, event)
    walk.language, walk.language_open = offered[event.key], False
    walk.turn.writes.append(ChooseLanguage(walk.language))
    walk.ask_next(now)
    return True


def _judge(walk: Walk, event: KeyPressed, now: float) -> bool:
    """Her case: 1 it is solved, 2 it is not."""
    if event.key not in ("1", "2"):
        return False
    solved = accept(walk, event) == "1"
    walk.turn.writes.append(JudgeCase("verified" if solved else "reopened"))
    walk.confirm("noted" if solved else "case-reopened")
    walk.step("goal")
    walk.case_open = False
    walk.ask_next(now)
    return True


def _choose(walk: Walk, event: KeyPressed, state: str, now: float) -> bool:
    """An option of the node; 1 confirms a word, where 1 is not itself an answer."""
    node = walk.menu.nodes[walk.node]
    confirmed = state == "confirm" and event.key == "1" and node.kind != "consent"
    key = walk.word_key if confirmed else event.key
    option = next((option for option in prompts.options(node) if option.key == key), None)
    if option is None:
        return False
    accept(walk, event)
    _write(walk, node, option)
    walk.tag(option.tag)
    walk.enter(option.to, now)
    return True


def _write(walk: Walk, node: Node, option: Option) -> None:
    """Write what the option stands for, if it is an answer; a refused consent is no goal."""
    choice = Choice(node.id, option.key, option.value or option.key, node.issue or node.id)
    if node.kind == "consent" and option.value == "yes":
        walk.turn.writes.append(Agree(node.id, node.purpose, walk.language))
        walk.confirm("noted")
        walk.step("goal")
    elif node.kind == "consent":
        walk.turn.writes.append(choice)
    elif node.kind in ("referendum", "event"):
        walk.turn.writes.append(choice)
        walk.confirm("noted", f"{node.id}-{option.key}")
        walk.step("goal")


def word(walk: Walk, event: Event, now: float) -> None:
    """choosing, confirm: a word that names an option is asked about, by key."""
    assert isinstance(event, WordHeard)
    node = walk.menu.nodes[walk.node]
    key = prompts.key_of(node, event.word)
    if event.sure < SURE or not key or event.language not in ("", walk.language):
        return
    walk.step("word", event.word)
    walk.talks, walk.word_key = 0, key
    asked = walk.misses + 1 if walk.state == "confirm" else 0
    if asked > CONFIRMS:
        walk.fall_back(now)
        return
    clips = prompts.ask_word(node, key, walk.language)
    walk.prompt("confirm", clips, clips, now)
    walk.misses = asked


# -------------------------------------------------------------------------------- only telling


def told(walk: Walk, event: Event, now: float) -> None:
    """telling: it was heard to its end."""
    walk.step("heard")
    go_on(walk, event, now)


def go_on(walk: Walk, event: Event, now: float) -> None:
    """telling: on to the next node."""
    walk.enter(walk.menu.nodes[walk.node].next, now)


def tell_again(walk: Walk, event: Event, now: float) -> None:
    """telling: a key that means nothing. It is told again; the third time, go on."""
    ignore(walk, event, now)
    walk.misses += 1
    if walk.misses > REPROMPTS:
        go_on(walk, event, now)
    else:
        walk.say((walk.clip("invalid"), *walk.short), now)
