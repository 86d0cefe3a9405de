"""One caller's walk through a menu: where she is, what is said, and the ways on and back.

Rules of the room:
- Nothing begins twice without an act of hers in between: then the walk is at its end.
- What is told in passing ("your answer is noted") is the lead of the next prompt: a key need not wait for it.
- The trail holds the nodes at which she could do something; going back goes along it, and takes the tags with it.
- Handlers (asking, taking, ending) decide; what they have in common is here.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.dialogue import Clip, Heard, Record, Say, Step
from edge.ivr import prompts
from edge.ivr.prompts import Clips
from edge.ivr.turn import Turn
from edge.menu import Menu, Node, compose_languages

KEYS_AFTER = 10.0  # seconds behind a prompt in which its keys still act, whatever is being said by then


@dataclass(frozen=True, slots=True)
class About:
    """What is known of the caller when the call is up."""

    language: str = ""  # the one she has chosen before, "" unknown
    case: tuple[str, str] | None = None  # reference and state of her open case
    placed: bool = False  # we rang her: who calls comes first
    may_record: bool = True  # there is room on the disk
    referendum_open: bool = True
    line_language: str = ""  # the line's own, used before the menu's first


class Due:
    """The state's own time is up."""


class Late:
    """It is time to come to an end."""


class Limit:
    """The call must end."""


Event = Heard | Due | Late | Limit


class Walk:
    """What the machine remembers of one call, and how it moves. `state` and `node` say where she is; "language" and
    "case" are the two questions that are no node's."""

    def __init__(self, menu: Menu, about: About) -> None:
        self.menu, self.about = menu, about
        self.state, self.node = "waiting", ""
        spoken = [code for code in (about.language, about.line_language) if code in menu.languages]
        self.language = (*spoken, *menu.languages)[0]
        self.language_open = about.language not in menu.languages and len(menu.languages) > 1
        self.case_open = about.case is not None and about.case[1] == "resolved"  # a question to be asked
        self.room = about.may_record
        self.turn = Turn()
        self.late = False  # nothing new begins
        self.end_key = "done"  # what the end will be called
        # the way
        self.trail: list[tuple[str, tuple[str, ...]]] = []  # nodes on the way here, each with the tags before it
        self.tags: tuple[str, ...] = ()
        self.since_act: set[str] = set()  # nodes begun since she last did something
        # what is said
        self.lead: list[Clip] = []  # to be said before the next prompt
        self.whole: Clips = ()  # what 0 says again
        self.short: Clips = ()  # what a re-prompt says
        self.longest = 0.0  # seconds that a prompt may last, should nobody tell its end
        self.playing = False
        self.due: float | None = None  # when the state's own time is up
        # how she fares at a question
        self.misses = 0  # re-prompts of this prompt
        self.talks = 0  # times she talked since her last key
        self.talked_over = False  # she has talked during the prompt that is being said
        self.keys_until = 0.0  # so long the keys of the question act
        self.word_key = ""  # what a recognised word stands for
        self.asked = ""  # the question (a state) that she left to be recorded, "" none
        # her takes
        self.talking = False
        self.hears = False  # somebody tells when she talks
        self.take: Record | None = None  # under way, or not yet answered for
        self.take_until = 0.0
        self.then = "on"  # what comes after the take: on, again, back
        self.tried = False  # a take at this node was empty

    # ------------------------------------------------------------------------- what is told

    def step(self, what: str, key: str = "") -> None:
        self.turn.steps.append(Step(what, self.node, key))

    def clip(self, name: str) -> Clip:
        return Clip(name, self.language)

    def tell(self, *names: str) -> None:
        """These come before the next prompt."""
        self.lead += map(self.clip, names)

    def confirm(self, *names: str) -> None:
        """The same, telling what this turn writes down."""
        self.tell(*names)
        self.turn.confirms = True

    def prompt(self, state: str, whole: Clips, short: Clips, now: float) -> None:
        """A new prompt behind its lead; `short` stands for it when it must be said again."""
        self.state, self.misses = state, 0
        self.whole, self.short = (*self.lead, *whole), short
        self.longest = prompts.QUESTION_MOST_S + prompts.seconds(self.lead)
        self.lead = []
        self.say(self.whole, now)

    def say(self, clips: Clips, now: float) -> None:
        self.turn.say = Say(clips)
        self.playing, self.talked_over = True, False
        self.due = now + self.longest

    # --------------------------------------------------------------------------- the way on

    def ask_next(self, now: float) -> None:
        """The questions that come before the menu, as far as they are open; then the menu."""
        self.trail, self.tags, self.asked = [], (), ""
        if self.late:
            self.close(now)
        elif self.case_open:
            self.node = "case"
            self.step("enter")
            solved = (self.clip("case-resolved"),)
            self.prompt("case", solved, solved, now)
        elif self.language_open:
            self.ask_language(now)
        else:
            self.enter(self.menu.start, now)

    def ask_language(self, now: float) -> None:
        self.trail, self.tags, self.asked = [], (), ""
        self.node = "language"
        self.step("enter")
        offer = compose_languages(self.menu)
        self.prompt("language", offer, offer, now)

    def enter(self, to: str, now: float) -> None:
        """The node `to` begins; "" is the end."""
        node = self.menu.nodes.get(to)
        if node is None or to in self.since_act or self.late:
            self.close(now)
            return
        self.since_act.add(to)
        self.node, self.asked, self.tried = to, "", False
        self.step("enter")
        records = node.kind in ("record", "grievance")
        if node.kind == "referendum" and not self.about.referendum_open:
            self.tell("closed")
            self.enter(prompts.way_on(node), now)
        elif records and not self.room:
            self.refuse_take()
            self.enter(node.next, now)
        elif node.kind == "say":
            self.tag(node.tag)
            self.prompt("telling", prompts.said(node, self.language), prompts.said(node, self.language), now)
        elif records:
            self.remember(node)
            self.invite(prompts.said(node, self.language), now)
        else:
            self.remember(node)
            whole = prompts.ask_first(self.menu, node, self.language)
            self.prompt("choosing", whole, prompts.ask(self.menu, node, self.language), now)

    def remember(self, node: Node) -> None:
        """The node joins the trail; one that is on it already is a way back to where she was then."""
        for place, (name, tags) in enumerate(self.trail):
            if name == node.id:
                self.trail, self.tags = self.trail[:place], tags
                break
        self.trail.append((node.id, self.tags))
        self.tag(node.tag)

    def tag(self, tag: str) -> None:
        if tag and tag not in self.tags:
            self.tags = (*self.tags, tag)

    def go_back(self, now: float) -> None:
        """To the question that is still open, else to the node before; before the first one lies the language."""
        open_ = self.asked or self.state in ("confirm", "closing")
        if self.trail and self.trail[-1][0] == self.node and not open_:
            self.trail.pop()
        if self.trail:
            to, self.tags = self.trail.pop()
            self.enter(to, now)
        elif len(self.menu.languages) > 1:
            self.ask_language(now)
        else:
            self.ask_next(now)

    def close(self, now: float) -> None:
        """Goodbye."""
        if self.late:
            self.end_key = "limit"
            self.tell("time-up")
        self.asked = ""
        words = (self.clip("thanks"), self.clip("goodbye"))
        self.prompt("closing", words, words, now)

    # --------------------------------------------------------------------------- to be recorded

    def invite(self, words: Clips, now: float) -> None:
        """The node's own words, else "speak after the beep"; and the beep."""
        whole = (*(words or (self.clip("after-beep"),)), self.clip("beep"))
        self.prompt("inviting", whole, whole, now)

    def fall_back(self, now: float) -> None:
        """She does not find a key: she may talk. The keys of the question act until their time is over."""
        if self.playing:
            self.keys_until = now + KEYS_AFTER
        self.asked, self.tried = self.state, False
        if self.room:
            self.invite((), now)
        else:
            self.refuse_take()
            self.close(now)

    def refuse_take(self) -> None:
        self.step("no-room")
        self.tell("no-room")
