"""Callers, a host that obeys a conversation and trusts it in nothing, and a ledger as a bystander would write it.

`Host` carries out orders one after the other, holds each against what is true at that moment, and answers as a line
would: late, or never, if it is told to. `Ledger` says which steps must follow from each thing that happens; it knows
the menu, hears what the caller hears, and looks at nothing inside the machine.
"""

from __future__ import annotations

from edge import phrases
from edge.dialogue import (
    KEYS,
    STEPS,
    Agree,
    CaseOpened,
    Choice,
    ChooseLanguage,
    Clip,
    Connected,
    EndCall,
    EndRecord,
    Heard,
    HungUp,
    Hush,
    JudgeCase,
    KeyPressed,
    OpenCase,
    OptOut,
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
from edge.ivr import About, Conversation
from edge.menu import Menu, Node

WRITES = (Choice, ChooseLanguage, OptOut, Agree, OpenCase, JudgeCase)
CONFIRM = {"noted", "opted-out", "case-reopened"}
ENDS = ("done", "hung-up", "opted-out", "limit")
AIR = 16.0  # seconds of a line on which nothing is said, recorded or waited for
Line = tuple[str, str, str]  # of a ledger: what, node, key


# What may happen, in the words of `Host.act`, as often as it should be tried.
ACTS = (
    *"123123123123456780*#", *("." * 12), *("~" * 10), *("()" * 3), "0", "*", "#", "*", "#", "9",
    "wait 0.4", "wait 3", "wait 11", "wait 60", "=yes", "=no", "=1", "=2", "=7", "?1",
    "ok", "ok", "ok", "deaf", "silent", "short", "longest", "fail", "case", "case", "case", "hang up", "put down",
    "stall 12", "stall 172",
)  # fmt: skip
TAKES: dict[str, Heard] = {
    "ok": Recorded(5000, 3000), "deaf": Recorded(5000), "silent": Recorded(6000, 400), "short": Recorded(900),
    "longest": Recorded(30_000, 25_000), "fail": RecordFailed("no room"),
}  # fmt: skip


def kept(take: Recorded) -> bool:
    """Is there a second of speech in it, as far as anybody knows?"""
    return take.ms >= 1000 and not 0 <= take.speech_ms < 1000


class Ledger:
    """What has to be told of a call. `phase` is what the caller would say is going on: she is `asked` or `told`
    something, `invited` to talk, `recorded`, `waiting` for the disk, `bidden` goodbye; or the call is `over`, or she
    is `gone`."""

    def __init__(self, menu: Menu, about: About) -> None:
        self.menu, self.about = menu, about
        self.phase, self.node, self.up_at = "", "", 0.0
        self.trail: list[str] = []
        self.begun: set[str] = set()  # since she last did something
        self.language_open = about.language not in menu.languages and len(menu.languages) > 1
        self.case_open = about.case is not None and about.case[1] == "resolved"
        self.room, self.late, self.opted, self.why = about.may_record, False, False, "done"
        self.word = ""  # the key that a word stands for, while she is asked about it
        self.misses, self.talks, self.talked_over = 0, 0, False
        self.playing, self.talking = False, False
        self.due, self.keys_until = 0.0, 0.0
        self.instead = False  # she is recorded in place of an answer
        self.retried = False
        self.take: Record | None = None
        self.filing = False
        self.then = "on"

    # ------------------------------------------------------------------------------ where she goes

    def go(self, to: str) -> list[Line]:
        node = self.menu.nodes.get(to)
        if node is None or self.late or to in self.begun:
            return []
        self.begun.add(to)
        self.node, self.word, self.misses, self.instead, self.retried = to, "", 0, False, False
        told: list[Line] = [("enter", to, "")]
        if node.kind == "referendum" and not self.about.referendum_open:
            ways = {option.to for option in node.options}
            return told + self.go(ways.pop() if len(ways) == 1 else "")
        if node.kind in ("record", "grievance") and not self.room:
            return [*told, ("no-room", to, ""), *self.go(node.next)]
        if node.kind != "say":
            self.trail = [*self.trail[: self.trail.index(to)], to] if to in self.trail else [*self.trail, to]
        return told

    def ask(self, question: str) -> list[Line]:
        self.node, self.trail, self.word, self.misses, self.instead = question, [], "", 0, False
        return [("enter", question, "")]

    def first(self) -> list[Line]:
        self.trail = []
        if self.late:
            return []
        if self.case_open:
            return self.ask("case")
        return self.ask("language") if self.language_open else self.go(self.menu.start)

    def back(self) -> list[Line]:
        again = self.instead or self.word or self.phase == "bidden"
        if not again and self.trail[-1:] == [self.node]:
            self.trail.pop()
        if self.trail:
            return self.go(self.trail.pop())
        return self.ask("language") if len(self.menu.languages) > 1 else self.first()

    def behind_take(self) -> list[Line]:
        if self.then == "back" and not self.late:
            return self.back()
        return [] if self.instead else self.go(self.menu.nodes[self.node].next)

    def miss(self, now: float) -> list[Line]:
        """She is asked again: twice, of a word once; then she may talk."""
        self.misses += 1
        return self.invite(now) if self.misses > (1 if self.word else 2) else []

    def invite(self, now: float) -> list[Line]:
        if self.playing:
            self.keys_until = now + 10.0
        self.misses, self.retried, self.instead = 0, False, self.room
        return [] if self.room else [("no-room", self.node, "")]

    # ------------------------------------------------------------------------------------ her acts

    def key(self, key: str, now: float) -> list[Line]:
        if self.phase == "over":
            late, self.opted = key == "9" and not self.opted, self.opted or key == "9"
            self.take = None if late else self.take
            return [("key", self.node, key)] if late else []
        means = self.means(key, now)
        told: list[Line] = [("key" if means else "invalid", self.node, key)]
        if key == "9":
            self.take, self.opted = None, True
            return [*told, ("end", self.node, "opted-out")]
        if not means:
            return told + self.wrong(now)
        self.talks = 0
        if self.phase in ("recorded", "waiting"):
            self.then = {"*": "back", "0": "again", "#": "on"}[key]
            self.take = None if key == "0" else self.take
            return told
        return told + ([] if key == "0" else self.back() if key == "*" else self.answer(key))

    def wrong(self, now: float) -> list[Line]:
        if self.phase == "asked":
            return self.miss(now)
        if self.phase != "told":
            return []
        self.misses += 1
        return self.go(self.menu.nodes[self.node].next) if self.misses > 2 else []

    def means(self, key: str, now: float) -> bool:
        if self.phase == "recorded":
            return key in "#*09"
        if self.phase == "waiting":
            return key == "9" or (key == "*" and not self.late and self.then != "again")
        if key in "0*9":
            return key != "*" or not self.late
        open_ = self.phase == "asked" or (self.phase == "invited" and self.instead and now <= self.keys_until)
        return open_ and key in self.answers()

    def answers(self) -> str:
        if self.node == "language":
            return "1234"[: len(self.menu.languages)]
        node = self.menu.nodes.get(self.node)
        if node is None or node.kind == "consent":
            return "12"
        return "".join(option.key for option in node.options) + ("1" if self.word else "")

    def answer(self, key: str) -> list[Line]:
        goal: list[Line] = [("goal", self.node, "")]
        if self.node == "language":
            self.language_open = False
            return self.first()
        if self.node == "case":
            self.case_open = False
            return goal + self.first()
        node = self.menu.nodes[self.node]
        if node.kind == "consent":
            return (goal if key == "1" else []) + self.go(node.next)
        key = self.word if self.word and key == "1" else key
        to = next(option.to for option in node.options if option.key == key)
        return (goal if node.kind != "menu" else []) + self.go(to)

    def say_word(self, word: str, sure: float, now: float) -> list[Line]:
        node = self.menu.nodes.get(self.node)
        if self.phase != "asked" or node is None or sure < 0.6 or not (key := self.named(node, word)):
            return []
        misses, self.word, self.talks = self.misses + 1 if self.word else 0, key, 0
        told: list[Line] = [("word", node.id, word)]
        if misses > 1:
            return told + self.invite(now)
        self.misses = misses
        return told

    def named(self, node: Node, word: str) -> str:
        keys = "12" if node.kind == "consent" else "".join(option.key for option in node.options)
        if word in ("yes", "no") and node.kind == "event":
            word = next((option.key for option in node.options if option.value == word), word)
        if word in ("yes", "no") and node.kind in ("event", "consent"):
            word = "1" if word == "yes" else "2"
        return word if word in keys else ""

    def speech(self, now: float) -> list[Line]:
        if self.phase != "asked":
            return []
        self.talks += not (self.playing and self.talked_over)
        self.talked_over, self.due = True, now + 10.0
        told: list[Line] = [("speech", self.node, "")]
        return told + self.invite(now) if self.talks >= 2 else told

    # -------------------------------------------------------------------------------- all that happens

    def expect(self, event: Heard | None, now: float) -> list[Line]:
        """The steps that must follow from `event`; None: from time alone, when the machine asked to be called."""
        if isinstance(event, KeyPressed | SpeechBegan | WordHeard):
            self.begun.clear()
        if isinstance(event, SpeechBegan | SpeechEnded):
            self.talking, self.due = isinstance(event, SpeechBegan), now + 5.5
            return self.speech(now) if self.talking else []
        if isinstance(event, Connected):
            self.up_at = now
            return [("connected", "", ""), *self.first()]
        if isinstance(event, HungUp):
            why = self.why if self.phase == "bidden" else "hung-up"
            return [] if self.phase == "over" else [("end", self.node, why)]
        if isinstance(event, KeyPressed):
            return self.key(event.key, now)
        if isinstance(event, WordHeard):
            return self.say_word(event.word, event.sure, now)
        if isinstance(event, Played):
            return self.heard(now)
        if isinstance(event, CaseOpened):
            return self.behind_take() if self.filing and self.phase == "waiting" else []
        if isinstance(event, RecordFailed):
            return self.failed()
        return self.recorded(event) if isinstance(event, Recorded) else self.silence(now)

    def heard(self, now: float) -> list[Line]:
        if self.phase in ("bidden", "over", "gone"):
            return [("end", self.node, self.why)] if self.phase == "bidden" else []
        told: list[Line] = [("heard", self.node, "")]
        if self.phase == "asked":
            if not self.playing:
                return []  # its end had been given up
            self.runs(now)
        elif self.phase == "told":
            told += self.go(self.menu.nodes[self.node].next)
        else:
            told.append(("record", self.node, ""))
        return told

    def runs(self, now: float) -> None:
        self.playing, self.keys_until = False, now + 10.0
        self.due = now + (10.0 if self.talking else 5.5)

    def silence(self, now: float) -> list[Line]:
        """Nothing happened, and the machine wanted to know: what does that mean?"""
        if now >= self.up_at + 180:
            return [("end", self.node, "limit")]
        if now >= self.up_at + 170 and not self.late:
            self.late = True
            self.then = "on" if self.phase == "recorded" else self.then
            return []
        if self.phase == "asked" and self.playing:
            self.runs(now)
        elif self.phase == "asked":
            assert now >= self.due - 0.01, "she was not given her time"
            return [("no-input", self.node, ""), *self.miss(now)]
        elif self.phase == "told":
            return self.go(self.menu.nodes[self.node].next)
        elif self.phase == "invited":
            return [("record", self.node, "")]
        elif self.phase == "bidden":
            return [("end", self.node, self.why)]
        elif self.phase == "waiting":
            self.room = self.room and self.filing
            refused: list[Line] = [("no-room", self.node, "")] if self.then == "again" else []
            return refused + self.behind_take()
        return []

    def recorded(self, event: Recorded) -> list[Line]:
        take, self.take = self.take, None
        goal: list[Line] = [("goal", take.node, "")] if take is not None and kept(event) else []
        if self.phase not in ("recorded", "waiting"):
            self.room = self.about.may_record
            return goal
        if self.filing or self.then == "again":
            return goal
        if take is not None and not goal and self.then == "on" and not self.retried and not self.late:
            self.retried = True
            return []
        return goal + ([] if take is not None and goal and take.case else self.behind_take())

    def failed(self) -> list[Line]:
        self.take = None
        if self.phase not in ("recorded", "waiting"):
            return []
        self.room = False
        return [("no-room", self.node, ""), *self.behind_take()]

    def note(self, orders: list[Ordered], now: float) -> None:
        """What she hears now tells what is going on."""
        for order in orders:
            if isinstance(order, Say):
                last = order.clips[-1].name
                kind = self.menu.nodes[self.node].kind if self.node in self.menu.nodes else "menu"
                words = "told" if kind == "say" else "asked"
                was, self.phase = self.phase, {"beep": "invited", "goodbye": "bidden"}.get(last, words)
                if self.phase == "bidden" != was:
                    self.why = "limit" if self.late else "done"
                self.playing, self.talked_over = True, False
            elif isinstance(order, Record):
                self.phase, self.take, self.then, self.filing = "recorded", order, "on", False
            elif isinstance(order, EndRecord):
                self.phase = "waiting"
            elif isinstance(order, OpenCase) and self.phase in ("recorded", "waiting"):
                self.phase, self.filing = "waiting", True
            elif isinstance(order, EndCall):
                self.phase = "over"


class Host:
    """Carries out the orders of one conversation, and answers when it is told to."""

    def __init__(self, menu: Menu, about: About) -> None:
        self.menu, self.about = menu, about
        self.machine, self.ledger = Conversation(menu, about), Ledger(menu, about)
        self.up_at, self.now, self.stalled = 0.0, 0.0, 0.0
        self.playing = False
        self.open: Record | None = None  # the take that runs
        self.closing: tuple[Record, bool] | None = None  # the one that is to be answered for, and is it kept?
        self.filed: Record | None = None  # the take on disk that a case may be opened with
        self.case = ""  # the reference of a case that was opened and not told
        self.cases = 0
        self.disk: list[Ordered] = []
        self.true: set[str] = set()  # confirmations that may be said
        self.references = {about.case[0]} if about.case else set()
        self.steps: list[Line] = []
        self.keys: list[str] = []  # pressed while the call was up
        self.acts: list[int] = [0]  # how many steps there were at each of her acts
        self.over, self.gone = False, False
        self.air_at = 0.0  # when something was last said, recorded or answered

    # ------------------------------------------------------------------------------------ events

    @property
    def alive(self) -> bool:
        return not self.over and not self.gone

    def tell(self, event: Heard) -> list[Ordered]:
        if isinstance(event, KeyPressed) and self.alive:
            self.keys.append(event.key)
        if isinstance(event, KeyPressed | SpeechBegan | WordHeard):
            self.acts.append(len(self.steps))
        if isinstance(event, Connected):
            self.up_at = self.air_at = self.now
        self.believe(event)
        expected = self.ledger.expect(event, self.now)
        return self.obey(self.machine.on(event, self.now), expected, event)

    def act(self, word: str) -> None:
        """One of ACTS, if it can happen now: a key; `.` the end of a prompt is told; `~` nothing until the machine
        wants to be called; `(` `)` talk; `=1` a word, `?1` an unsure one; what a take, or a case, has come to; `stall`
        seconds in which the line's process did nothing."""
        self.now += 0.05
        name, _, rest = word.partition(" ")
        if word == "." and self.playing:
            self.wait(1.5)
            if self.playing:
                self.tell(Played())
        elif name in ("~", "wait"):
            deadline = self.machine.deadline()
            self.wait(float(rest) if rest else (deadline or self.now) - self.now)
        elif name == "stall":
            self.stalled += float(rest)
            self.now = self.air_at = self.now + float(rest)
        elif word in TAKES and (self.open or self.closing):
            self.tell(TAKES[word])
        elif word == "case" and self.case:
            self.tell(CaseOpened(self.case))
        elif word == "hang up" and not self.gone:
            self.tell(HungUp())
        elif word == "put down":
            self.put_down()
        elif not self.gone and word in KEYS:
            self.tell(KeyPressed(word))
        elif not self.gone and word in "()":
            self.tell(SpeechBegan() if word == "(" else SpeechEnded())
        elif not self.gone and word[0] in "=?":
            self.tell(WordHeard(word[1:], 0.6 if word[0] == "=" else 0.59))

    def put_down(self) -> None:
        """She does nothing more, all else does its work: the call ends by itself."""
        while self.alive:
            for word in (".", "ok", "case"):
                self.act(word)
            self.wait(6.0)

    def finish(self) -> None:
        """She does nothing more; then all of her call is looked at."""
        self.wait(200.0)
        if not self.gone:
            self.tell(HungUp())
        self.act("ok")
        self.settled()

    def believe(self, event: Heard) -> None:
        """What is true from now on."""
        if isinstance(event, Played):
            self.playing, self.air_at = False, self.now
        elif isinstance(event, Recorded | RecordFailed):
            take, keep = (self.open, True) if self.open else (self.closing or (None, False))
            self.filed = take if isinstance(event, Recorded) and keep and kept(event) else None
            self.open, self.closing, self.air_at = None, None, self.now
            self.true |= {"recorded"} if self.filed else {"no-room"}
        elif isinstance(event, CaseOpened):
            self.case, self.air_at = "", self.now
            self.references.add(event.reference)
        elif isinstance(event, HungUp):
            self.gone, self.playing = True, False

    def wait(self, seconds: float) -> None:
        """Time passes; the machine is called whenever it wants to be."""
        until, calls = self.now + max(seconds, 0.0), 0
        while (deadline := self.machine.deadline()) is not None and deadline <= until:
            self.now, calls = max(self.now, deadline), calls + 1
            assert calls < 300, "it never rests"
            self.breathe()
            expected = self.ledger.expect(None, self.now)
            self.obey(self.machine.tick(self.now), expected, None)
        self.now = until
        self.breathe()

    def breathe(self) -> None:
        """No dead end: while she is there, something is said, recorded, asked for, or soon will be."""
        if self.alive and not self.open:
            assert self.now - self.air_at <= (120 if self.playing else AIR), "nothing goes on, and nothing will"
        assert self.gone or self.over or self.now < self.up_at + 185 + self.stalled, "the call does not end"

    # ------------------------------------------------------------------------------------- orders

    def obey(self, orders: list[Ordered], expected: list[Line], event: Heard | None) -> list[Ordered]:
        if isinstance(event, KeyPressed) and event.key == "9" and self.alive:
            assert any(isinstance(order, OptOut) for order in orders), "9 was not obeyed"
            assert isinstance(orders[-1], EndCall), "9 did not end the call"
        if self.over or self.gone:
            late = isinstance(event, Recorded) or (isinstance(event, KeyPressed) and event.key == "9")
            assert late or isinstance(event, HungUp) or not orders, f"the call was over: {orders}"
        self.in_order(orders)
        steps = [(order.what, order.node, order.key) for order in orders if isinstance(order, Step)]
        assert steps == expected, f"she did {expected}, and the ledger says {steps}"
        for order in orders:
            self.carry_out(order)
        self.steps += steps
        self.ledger.note(orders, self.now)
        if isinstance(event, HungUp):
            assert self.open is None, "hanging up did not save"
            self.ledger.phase = "gone"
        self.no_loop()
        return orders

    def in_order(self, orders: list[Ordered]) -> None:
        """Stops, then the sound and the writing, then a take, then the steps, then the end."""
        ranks = [
            0 if isinstance(order, EndRecord | Hush) else 2 if isinstance(order, Record) else
            3 if isinstance(order, Step) else 4 if isinstance(order, EndCall) else 1 for order in orders
        ]  # fmt: skip
        assert ranks == sorted(ranks), f"out of order: {orders}"
        assert ranks.count(4) <= 1 and sum(isinstance(order, Say) for order in orders) <= 1
        for place, order in enumerate(orders):
            if isinstance(order, Say) and isinstance(orders[place - 1], WRITES) and place:
                assert CONFIRM & {clip.name for clip in order.clips}, f"{order} waits for a write that it does not tell"

    def no_loop(self) -> None:
        """Without an act of hers nothing begins twice, and no question is put more than three times."""
        since = self.steps[self.acts[-1] :]
        entered = [node for what, node, _ in since if what == "enter"]
        assert len(entered) == len(set(entered)), f"begun twice without an act: {since}"
        for node in entered:
            silent = [step for step in since if step[:2] == ("no-input", node)]
            assert len(silent) <= 3, f"asked again and again: {since}"

    def carry_out(self, order: Ordered) -> None:
        if isinstance(order, Say):
            self.say(order)
        elif isinstance(order, Hush):
            self.playing = False
        elif isinstance(order, Record):
            assert not (self.open or self.closing), "a take within a take"
            assert self.about.may_record and self.alive
            assert order.most_s == self.menu.record_s and len(set(order.tags)) == len(order.tags)
            node = self.menu.nodes.get(order.node)
            assert order.case == (node is not None and node.kind == "grievance")
            assert node is not None or order.node in ("language", "case")
            self.open, self.playing, self.air_at = order, False, self.now
        elif isinstance(order, EndRecord):
            assert self.open is not None, "there is no take to end"
            self.open, self.closing, self.air_at = None, (self.open, order.keep), self.now
        elif isinstance(order, Step):
            self.step(order)
        elif isinstance(order, EndCall):
            assert not self.over, "ended twice"
            self.over = True
        else:
            self.write(order)

    def say(self, order: Say) -> None:
        names = [clip.name for clip in order.clips]
        assert names and self.alive, "a prompt that nobody hears"
        for clip in order.clips:
            assert self.known(clip), f"no such clip: {clip}"
        said = set(names)
        closed = set() if self.about.referendum_open else {"closed"}
        full = set() if self.about.may_record and not self.closing else {"no-room"}
        claims = said & {*CONFIRM, "recorded", "no-room", "closed"}
        assert claims <= self.true | closed | full, f"not true: {claims - self.true}"
        self.true |= claims & full  # what was so may be said again, when she asks for it
        if "reference" in said:
            digits = "".join(name[-1] for name in names if name.startswith("digit-"))
            assert digits[: len(digits) // 2] in self.references, "a reference that nobody gave"
        assert ("identity" in said) <= self.about.placed
        self.playing, self.air_at = True, self.now

    def known(self, clip: Clip) -> bool:
        menu = self.menu
        names = {*phrases.NAMES, "beep", "welcome", *(f"language-{code}" for code in menu.languages)}
        for node in menu.nodes.values():
            names |= {f"{node.id}-{option.key}" for option in node.options} | ({node.id} if node.said else set())
        return clip.name in names and clip.language in menu.languages and 0 <= clip.pause_ms <= 2000

    def write(self, order: Ordered) -> None:
        node = self.menu.nodes.get(getattr(order, "node", ""))
        if isinstance(order, OpenCase):
            assert self.filed is not None and self.filed.case, "a case without a take"
            assert (order.node, order.tags) == (self.filed.node, self.filed.tags)
            self.filed, self.cases = None, self.cases + 1
            self.case, self.air_at = f"{4711000 + self.cases}", self.now
        elif isinstance(order, Choice):
            assert node is not None and node.kind in ("referendum", "event", "consent")
            assert node.kind != "referendum" or self.about.referendum_open
            assert order.issue == (node.issue or node.id)
            values = {option.key: option.value for option in node.options} or {"2": "no"}
            assert values[order.key] == order.value
        elif isinstance(order, Agree):
            assert node is not None and node.kind == "consent" and order.purpose == node.purpose
        elif isinstance(order, JudgeCase):
            assert self.about.case is not None and self.about.case[1] == "resolved"
            assert not any(isinstance(other, JudgeCase) for other in self.disk)
            self.true |= {"case-reopened"} if order.verdict == "reopened" else {"noted"}
        elif isinstance(order, OptOut):
            assert not any(isinstance(other, OptOut) for other in self.disk) and self.machine.state == "over"
            self.true.add("opted-out")
        if isinstance(order, Choice | Agree):
            self.true.add("noted")
        if isinstance(order, ChooseLanguage | Agree | OpenCase):
            assert order.language in self.menu.languages
        self.disk.append(order)

    def step(self, order: Step) -> None:
        assert order.what in STEPS
        assert order.node in ("", "language", "case") or order.node in self.menu.nodes
        if order.what in ("key", "invalid"):
            assert order.key in KEYS
        elif order.what == "end":
            assert order.key in ENDS
        elif order.what != "word":
            assert order.key == ""

    def settled(self) -> None:
        """All of the call, once it is over: it began and ended once, and has each key that she pressed, in order."""
        whats = [what for what, _, _ in self.steps]
        assert whats[0] == "connected" and whats.count("connected") == whats.count("end") == 1
        end = whats.index("end")
        told = [key for what, _, key in self.steps[:end] if what in ("key", "invalid")]
        assert told == self.keys, f"she pressed {self.keys}, and the ledger has {told}"
        goals = sum(isinstance(order, Agree | OpenCase | JudgeCase) for order in self.disk)
        choices = [order for order in self.disk if isinstance(order, Choice)]
        goals += sum((order.value, order.issue) != ("no", order.node) for order in choices)
        assert whats.count("goal") >= goals
