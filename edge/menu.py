"""A campaign's conversation as data: nodes, options, what may be said, and how it is written in TOML.

    [menu]
    start = "main"
    [menu.welcome]                  a text for each language, as wherever something is said
    [menu.phrase.thanks]            a phrase (edge/phrases.py) in the campaign's own words
    [menu.node.main]                kind, say.<language>, tag, and `next` or options
    [[menu.node.main.option]]       key, say.<language>, to, tag, value

`read` refuses what no caller should meet, all of it at once: a way to a node that is not there, a node that nobody
reaches, a menu without options, with more than four or deeper than two levels, a round that needs no caller, a thing to
say that has no words in the campaign's first language. What is only unkind is `advice`'s. Whoever has a `Menu` from
here can follow any of its ways. What is said around an option is composed here too, so that what is measured and
shown is what is heard.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from edge import phrases
from edge.dialogue import Clip
from edge.settings import Table

KINDS = ("menu", "record", "grievance", "referendum", "event", "consent", "say")
OPTION_KEYS = "12345678"  # 9 stops everything, 0 repeats, * goes back, everywhere
CHOOSING = ("menu", "referendum", "event")  # kinds that have options; the others have `next`
MOST_OPTIONS, MOST_LEVELS, MOST_LANGUAGES = 4, 2, 4
OPTION_PAUSE_MS, PRESS_PAUSE_MS = 300, 500  # before an option; between what it is and its key
LANGUAGE = r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*"
CODE = {"pattern": r"[a-z0-9-]{1,64}", "allowed": "a-z, 0-9 and -, at most 64"}
_NODE = r"[a-z0-9][a-z0-9-]{0,31}"
_OURS = ("language", "case")  # questions of every conversation, by these names in the ledger


class Option(NamedTuple):
    """One way on from a node: `key` leads to the node `to` ("": the end). `tag` joins the caller's key path;
    `value` is the answer that it stands for in a referendum or an event ("yes", "no", "3")."""

    key: str
    to: str = ""
    tag: str = ""
    value: str = ""


@dataclass(frozen=True)
class Node:
    """One place of the conversation.

    menu        choose one of `options`
    record      speak after the beep (its own words say so, or else the phrase does); then on to `next`
    grievance   as record, and a case is opened, its reference spoken and sent by SMS
    referendum  choose one of `options`: its `value` is the vote for `issue`; confirmed, then on to the option's `to`
    event       the same for an invitation: yes, no, or how many come
    consent     1 agrees to `purpose`, 2 does not; then on to `next`
    say         only said; then on to `next`

    `said`: the node has a clip of its own name, said first."""

    id: str
    kind: str = "menu"
    options: tuple[Option, ...] = ()
    next: str = ""
    tag: str = ""
    issue: str = ""
    purpose: str = ""
    said: bool = True


@dataclass(frozen=True)
class Menu:
    """The conversation of a campaign. `texts` is what each clip says, by (name, language): the words of a draft, and
    what a try-out shows. Clips of a node: `<node>` is what is said first (may be absent), `<node>-<key>` an option;
    `welcome` opens every call, `identity` every call that we place, `language-<code>` offers a language in its own
    words; all others are `phrases`' own."""

    start: str
    nodes: Mapping[str, Node]
    languages: tuple[str, ...]
    texts: Mapping[tuple[str, str], str] = field(default_factory=dict, repr=False)
    record_s: int = 30
    due_s: int = 86_400  # of a grievance, from the ring
    closes_ms: int | None = None  # of the referendum, milliseconds since 1970; None: open
    opens_ms: int | None = None
    case_sms: Mapping[str, str] = field(default_factory=dict, repr=False)  # language -> text with {reference}


class Callback(NamedTuple):
    """How callers are called back: at most `tries` times, `apart_s` apart, within `within_s` of their call, not in
    `quiet` (minutes after midnight of both ends, the box's time), and `minutes_per_day` of a SIM's talking."""

    tries: int
    apart_s: int
    within_s: int
    quiet: tuple[int, int]
    minutes_per_day: int


# ---------------------------------------------------------------------------------- what is said


def compose_menu(menu: Menu, node: Node, language: str) -> tuple[Clip, ...]:
    """What a node with options says: itself, then of each option what it is, a pause, and its key."""
    clips = [Clip(node.id, language)] if node.said else []
    for option in node.options:
        clips.append(Clip(f"{node.id}-{option.key}", language, OPTION_PAUSE_MS if clips else 0))
        clips.append(phrases.press(option.key, language, PRESS_PAUSE_MS))
    return tuple(clips)


def compose_languages(menu: Menu) -> tuple[Clip, ...]:
    """The offer of languages: each in its own words, by the keys 1, 2, ...; the campaign's first four."""
    clips: list[Clip] = []
    for place, language in enumerate(menu.languages[:MOST_LANGUAGES], 1):
        clips.append(Clip(f"language-{language}", language, OPTION_PAUSE_MS if clips else 0))
        clips.append(phrases.press(str(place), language, PRESS_PAUSE_MS))
    return tuple(clips)


def fallbacks(menu: Menu, language: str) -> tuple[str, ...]:
    """The languages in which a clip is looked for, in order: the caller's, the campaign's first, English, others."""
    return tuple(dict.fromkeys((language, *menu.languages[:1], "en", *menu.languages)))


def text(menu: Menu, clip: Clip) -> str:
    """What a clip says, in the language that is heard when it has none in its own; "" when it has no words at all."""
    for language in fallbacks(menu, clip.language):
        if words := menu.texts.get((clip.name, language)):
            return words
    return next((words for (name, _), words in menu.texts.items() if name == clip.name), "")


# ------------------------------------------------------------------------------------ reading


class Context(NamedTuple):
    """What the nodes need of the campaign's other tables; "" where the campaign has no such table."""

    languages: tuple[str, ...]
    issue: str = ""
    event: str = ""
    purpose: str = ""


def read(table: Table, context: Context, identity: Table | None = None) -> Menu:
    """The conversation of [menu]; problems go to the tables. `identity` is [callback.identity], where there is one.

    [menu.sms], times and dates are the campaign's to read, and to put in."""
    said = _Texts(context.languages)
    said.take(table, "welcome", "welcome", needed=True)
    if identity is not None:
        said.take_from(identity, "identity", needed=True)
    nodes, found = table.table("node", required=True), {}
    for name in nodes.names():
        one = nodes.table(name)
        if not re.fullmatch(_NODE, name) or name in _OURS:
            nodes.refuse(name, "is no name for a node", "a-z, 0-9 and -, at most 32; not language, not case")
        found[name] = _node(one, name, context, said)
    start = table.text("start")
    pressed = {option.key for node in found.values() for option in node.options}
    said.read_phrases(table.table("phrase"), {"1", *pressed})
    if found:
        _follow(table, nodes, start, found)
    return Menu(start, found, context.languages, said.texts)


class _Texts:
    """What is said, clip by clip, as it is read."""

    def __init__(self, languages: tuple[str, ...]) -> None:
        self.languages = languages
        self.texts: dict[tuple[str, str], str] = {}
        self._names = {*phrases.NAMES, "beep", *(f"language-{language}" for language in languages)}

    def take(self, table: Table, key: str, clip: str, needed: bool) -> bool:
        """Read the table `key`, of a text for each language; whether there is anything to say."""
        spoken = self.take_from(table.table(key), clip, needed)
        if spoken and clip in self._names:
            table.refuse(key, f'its clip would be called "{clip}", which is taken', "another name for the node")
        self._names.add(clip)
        return spoken

    def take_from(self, table: Table, clip: str, needed: bool) -> bool:
        languages = tuple(table.names())
        if needed or languages:
            languages = tuple(dict.fromkeys((*self.languages[:1], *languages)))
        self._read(table, clip, languages)
        return bool(languages)

    def _read(self, table: Table, clip: str, languages: tuple[str, ...]) -> None:
        for language in languages:
            words = table.text(language, allowed="what is said, in words")
            if not re.fullmatch(LANGUAGE, language):
                table.refuse(language, "no language", 'a code such as "hi", "en", "pt-BR"')
            elif words.strip():
                self.texts[clip, language] = words

    def read_phrases(self, table: Table, pressed: set[str]) -> None:
        """[menu.phrase.<name>], and the phrases' own words wherever the campaign has none; of the keys, those
        `pressed` by the campaign, and by whoever chooses a language."""
        pressed |= set(OPTION_KEYS[: min(len(self.languages), MOST_LANGUAGES)])
        shipped = [name for name in phrases.NAMES if name[:6] != "press-" or name[6:] in pressed]
        offers = tuple(f"language-{language}" for language in self.languages)
        own = [name for name in phrases.NAMES if name != "identity"]
        for name in table.names():
            inner = table.table(name)
            if name not in own and name not in offers:
                table.refuse(name, "no phrase has this name", ", ".join((*offers, *own)))
            self._read(inner, name, tuple(inner.names()))
        spoken = self.languages
        if any(not phrases.text("thanks", language) for language in spoken):
            spoken = tuple(dict.fromkeys((*spoken, "en")))  # so that a fallback has words
        # a campaign that says who calls says so in its first language to all: the shipped words could not
        named = {name for name, _ in self.texts} & {"identity"}
        for language in spoken:
            for name in (*shipped, *offers):
                if name not in named and (words := phrases.text(name, language)):
                    self.texts.setdefault((name, language), words)


def _node(table: Table, name: str, context: Context, said: _Texts) -> Node:
    kind = table.text("kind", choices=KINDS)
    needed = kind in ("referendum", "event", "consent", "say")
    spoken = said.take(table, "say", name, needed)
    options = _options(table, name, kind, said) if kind in CHOOSING or "option" in table else ()
    issue = {"referendum": context.issue, "event": context.event}.get(kind, "")
    if kind in ("referendum", "event") and not issue:
        table.refuse("kind", f'a node of kind "{kind}" without [{kind}]', f"a table [{kind}] in this file")
    purpose = table.text("purpose", context.purpose, **CODE) if kind == "consent" else ""
    if kind == "consent" and not purpose:
        table.refuse("purpose", "missing", "to what the caller agrees; or purpose below [consent]")
    way_on = "" if kind in CHOOSING else table.text("next", "")
    return Node(name, kind, options, way_on, table.text("tag", "", **CODE), issue, purpose, spoken)


def _options(table: Table, name: str, kind: str, said: _Texts) -> tuple[Option, ...]:
    found: list[Option] = []
    begun = f"1 to {MOST_OPTIONS} tables, each begun by [[{table.path}.option]]"
    tables = table.tables("option")
    if kind not in CHOOSING:
        table.refuse("option", f'a node of kind "{kind}" has no options, it has `next`', "options of a menu")
    elif not tables:
        table.refuse("option", "nothing to choose: a dead end", begun)
    elif len(tables) > MOST_OPTIONS:
        table.refuse("option", f"{len(tables)} options are more than a caller remembers", begun)
    for inner in tables:
        key = inner.text("key", pattern=f"[{OPTION_KEYS}]", allowed="1 to 8 (9 stops, 0 repeats, * goes back)")
        value = inner.text("value", None if kind in ("referendum", "event") else "", **CODE)
        if kind == "menu" and value:
            inner.refuse("value", "an option of a menu stands for no answer", "value in a referendum or an event")
        if key in {other.key for other in found}:
            inner.refuse("key", f'"{key}" is another option already', "each key once")
            inner.opaque("say")
        else:
            said.take(inner, "say", f"{name}-{key}", needed=True)
        found.append(Option(key, inner.text("to", ""), inner.text("tag", "", **CODE), value))
    return tuple(found)


# ------------------------------------------------------------------------------- the ways through


def ways(node: Node) -> Iterator[tuple[str, str]]:
    """Where a node leads: (key, node) of each option, or ("", node) by itself; the end is left out."""
    yield from ((option.key, option.to) for option in node.options if option.to)
    if node.next:
        yield "", node.next


def levels(menu_start: str, nodes: Mapping[str, Node]) -> dict[str, int]:
    """How many menus, itself included, a caller has met at each node that can be reached, on the shortest way."""
    met: dict[str, int] = {}
    edge = [(menu_start, 0)]
    while edge:
        edge.sort(key=lambda one: one[1])
        name, before = edge.pop(0)
        if name not in nodes or name in met:
            continue
        met[name] = before + (nodes[name].kind == "menu")
        edge += [(to, met[name]) for _, to in ways(nodes[name])]
    return met


def _follow(table: Table, tables: Table, start: str, nodes: Mapping[str, Node]) -> None:
    """Refuse whatever a caller would run into on some way through."""
    names = ", ".join(nodes)
    if start and start not in nodes:
        table.refuse("start", f'"{start}" names no node', names)
    for node in nodes.values():
        places = {f"option.{place}.to": option.to for place, option in enumerate(node.options, 1)}
        for key, to in (places | {"next": node.next}).items():
            if to and to not in nodes:
                tables.refuse(f"{node.id}.{key}", f'"{to}" names no node', f"{names}, or none: the end")
    met = levels(start, nodes)
    for node in nodes.values():
        if met.get(node.id, 0) > MOST_LEVELS:
            problem = f"a menu behind {met[node.id] - 1} others"
            tables.refuse(node.id, problem, f"{MOST_LEVELS} levels of menus: put its options further up")
        if start in nodes and node.id not in met:
            tables.refuse(node.id, "no way leads here", "a node that an option's `to` or another's `next` names")
    for circle in _circles(nodes):
        told = ", ".join((*circle, circle[0]))
        tables.refuse(f"{circle[0]}.next", f"{told}: a round that never asks", "a menu, or an end, on the way round")


def _circles(nodes: Mapping[str, Node]) -> Iterator[list[str]]:
    """Rounds along `next` alone: a caller who does nothing would never come out."""
    seen: set[str] = set()
    for name in nodes:
        walked: list[str] = []
        while name in nodes and name not in seen:
            seen.add(name)
            walked.append(name)
            name = nodes[name].next
        if name in walked:
            yield walked[walked.index(name) :]
