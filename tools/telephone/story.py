"""What a call was about, in words: what the box says, what the caller does, what is written down.

Pure. A line that plays a campaign by itself tells it as it happens; of a real box's call the ledger's rows tell it,
and the campaign's texts say what a caller hears at each place. Nothing is told that is not written down there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from edge.dialogue import Clip
from edge.events import Row
from edge.ivr import prompts
from edge.menu import Menu, compose_languages, text

LAST = 60  # entries that are told


class Told(NamedTuple):
    """One thing: `who` is "box", "you" or "book" (the ledger); `language` is that of the words, "" our own."""

    who: str
    words: str
    language: str = ""


def spoken(menu: Menu, clips: Iterable[Clip]) -> list[Told]:
    """What these clips say, an entry for each language in a row; a key stands behind what it is for."""
    found: list[Told] = []
    for clip in clips:
        words = text(menu, clip) or f"({clip.name})"
        if found and found[-1].language == clip.language:
            joint = " … " if clip.name.startswith("press-") else " "
            found[-1] = found[-1]._replace(words=found[-1].words + joint + words)
        else:
            found.append(Told("box", words, clip.language))
    return found


def of_rows(rows: Sequence[Row], call: int, menu: Menu, language: str) -> list[Told]:
    """The story of the call whose own row is `call`, from the ledger's rows in their order. `language` is spoken until
    another one is chosen."""
    mine, found = {call}, list[Told]()
    for row in rows:
        extra = json.loads(row.extra) if row.extra else {}
        if row.kind == "language" and found:
            language = row.state
        if row.of in mine or extra.get("call") == call:
            mine.add(row.seq)
            found += _entries(row, extra, menu, language)
        elif row.kind == "optout" and found:
            found.append(Told("book", "nothing is sent to this number any more"))
    return found[-LAST:]


def _entries(row: Row, extra: dict[str, object], menu: Menu, language: str) -> list[Told]:
    if row.kind == "step":
        return _step(row.state, str(extra.get("node", "")), str(extra.get("key", "")), menu, language)
    if row.kind == "answer":
        return [Told("book", f"answer to {extra.get('issue')}: {row.state}")]
    if row.kind == "consent":
        return [Told("book", f"consent to {row.state}")]
    if row.kind == "recording" and row.of:
        seconds = f", {row.seconds} s" if row.seconds else ""
        return [Told("book", f"recording {row.state}{seconds}")] if row.state else []
    if row.kind == "case":
        reference = str(extra.get("reference", ""))
        told = spoken(menu, prompts.reference(reference, language)[: len(reference) + 1]) if reference else []
        return [Told("book", f"case {reference} is {row.state}".replace("  ", " ")), *told]
    return []


def _step(what: str, node: str, key: str, menu: Menu, language: str) -> list[Told]:
    if what == "connected":
        names = [name for name in ("identity", "welcome") if (name, language) in menu.texts]
        return spoken(menu, [Clip(name, language) for name in names if name == "welcome"])
    if what == "enter":
        return spoken(menu, _said_at(node, menu, language))
    if what == "end":
        return [Told("book", {"done": "the call has come to its end", "hung-up": "the caller hung up"}.get(key, key))]
    yours = {"key": f"press {key}", "invalid": f"press {key}, which does nothing here", "speech": "talk in between"}
    if what in yours:
        return [Told("you", yours[what])]
    box = {"no-input": "again", "no-room": "no-room"}
    if what in box:
        return spoken(menu, [Clip(box[what], language)])
    return [Told("book", "recording begins")] if what == "record" else []


def _said_at(name: str, menu: Menu, language: str) -> Sequence[Clip]:
    """What is said where a place begins."""
    if name == "language":
        return compose_languages(menu)
    if name == "case":
        return [Clip("case-resolved", language)]
    node = menu.nodes.get(name)
    if node is None:
        return []
    if node.kind in ("record", "grievance"):
        return [*(prompts.said(node, language) or [Clip("after-beep", language)]), Clip("beep", language)]
    return prompts.said(node, language) if node.kind == "say" else prompts.ask_first(menu, node, language)
