"""Which clips the machine says where a campaign's menu does not say it by itself.

Rules of the room:
- What is asked the first time, `edge.menu` composes; a re-prompt is short: the options alone.
- A word is repeated as the option that it names, then the key that confirms it.
- A reference is said slowly and twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edge.dialogue import Clip
from edge.menu import PRESS_PAUSE_MS, Menu, Node, Option, compose_menu
from edge.phrases import press, spell

AGAIN_PAUSE_MS = 1000  # before a reference is said the second time
PROMPT_MOST_S, QUESTION_MOST_S = 12, 30  # what `campaign check` lets a prompt last, and more than a whole question

# what she is told of her open case; a case in any other state is not open
CASES = {
    "new": "case-new",
    "assigned": "case-assigned",
    "contacted": "case-contacted",
    "reopened": "case-reopened",
    "resolved": "case-resolved",
}
YES_NO = {"yes": "1", "no": "2"}
Clips = tuple[Clip, ...]


def said(node: Node, language: str) -> Clips:
    """The node's own words, if it has any."""
    return (Clip(node.id, language),) if node.said else ()


def options(node: Node) -> tuple[Option, ...]:
    """What may be pressed at a node; a consent has its two answers."""
    if node.kind == "consent":
        return (Option("1", node.next, value="yes"), Option("2", node.next, value="no"))
    return node.options


def ask(menu: Menu, node: Node, language: str) -> Clips:
    """The options of a node alone."""
    if node.kind == "consent":
        return (Clip("consent-ask", language),)
    return compose_menu(menu, replace(node, said=False), language)


def ask_first(menu: Menu, node: Node, language: str) -> Clips:
    """A node's question, whole."""
    if node.kind == "consent":
        return (*said(node, language), *ask(menu, node, language))
    return compose_menu(menu, node, language)


def ask_word(node: Node, key: str, language: str) -> Clips:
    """Was it this option? Then press 1. A consent asks again: its keys are the answer."""
    if node.kind == "consent":
        return (Clip("consent-ask", language),)
    return (Clip(f"{node.id}-{key}", language), press("1", language, PRESS_PAUSE_MS))


def key_of(node: Node, word: str) -> str:
    """The key that a recognised word stands for at a node, "" for none: digits everywhere, yes and no where the
    question is one."""
    choices = options(node)
    if word in YES_NO and node.kind in ("event", "consent"):
        word = next((option.key for option in choices if option.value == word), YES_NO[word])
    return word if any(option.key == word for option in choices) else ""


def way_on(node: Node) -> str:
    """Where a node leads that cannot do what it is for: past its options, when they lead to one place."""
    ways = {option.to for option in node.options}
    return ways.pop() if len(ways) == 1 else node.next


def reference(digits: str, language: str) -> Clips:
    """A reference, slowly and twice."""
    spelled = spell(digits, language)
    if not spelled:
        return ()
    again = spelled[0]._replace(pause_ms=AGAIN_PAUSE_MS)
    return (Clip("reference", language), *spelled, again, *spelled[1:])


def seconds(clips: Sequence[Clip]) -> int:
    """So long these clips may last at most: only to notice that nobody told their end."""
    return sum(2 if clip.name[:6] in ("digit-", "press-") else PROMPT_MOST_S for clip in clips)
