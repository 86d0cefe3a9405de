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
    """What these clips say, an entry for each language in a row, a line for each clip; keys and digits stand behind
    what they belong to."""
    found: list[Told] = []
    for clip in clips:
        words = text(menu, clip) or f"({clip.name})"
        if found and found[-1].language == clip.language:
            joint = {"press": " … ", "digit": " "}.get(clip.name.partition("-")[0], "\n")
            found[-1] = found[-1]._replace(words=found[-1].words + joint + words)
        else:
            found.append(Told("box", words, clip.language))
    return found


def of_rows(rows: Sequence[Row], call: int, number: str, menu: Menu | None, language: str) -> list[Told]:
    """The story of the call whose own row is `call`, and of the SMS to its caller's `number`, from the ledger's rows in
    their order. `language` is spoken until another one is chosen."""
    mine, found = {call}, list[Told]()
    for row in rows:
        extra = json.loads(row.extra) if row.extra else {}
        ours = row.seq in mine or row.of in mine or extra.get("call") == call
        if row.kind in ("language", "optout", "message") and row.caller == number and not row.of:
            language = row.state if row.kind == "language" else language
            ours = True
        if ours:
            mine.add(row.seq)
            found += _entries(row, extra, menu, language)
    return found[-LAST:]


_CALLS = {
    "missed": "your call is on the disk",
    "talked": "the call is answered",
    "unreached": "a call to you is on the disk",
    "called-back": "you were reached",
    "gave-up": "you hung up first",
}

_ENDS = {
    "done": "the call has come to its end",
    "hung-up": "you hung up",
    "opted-out": "you wanted no more calls",
    "limit": "the call has lasted as long as one may",
}


def _entries(row: Row, extra: dict[str, object], menu: Menu | None, language: str) -> list[Told]:
    if row.kind == "step" and menu is not None:
        return _step(row.state, str(extra.get("node", "")), str(extra.get("key", "")), menu, language)
    if row.kind == "call" and row.state in _CALLS and not row.seconds:
        return [Told("book", f"{_CALLS[row.state]}, row {row.seq}")]
    if row.kind == "message" and extra.get("direction", "out") == "out":
        return [Told("book", f"the SMS to you is {row.state}")]
    if row.kind == "optout":
        return [Told("book", "nothing is sent to this number any more")]
    if row.kind == "answer":
        return [Told("book", f"answer to {extra.get('issue')}: {row.state}")]
    if row.kind == "consent":
        return [Told("book", f"consent to {row.state}")]
    if row.kind == "recording" and row.of:
        seconds = f", {row.seconds} s" if row.seconds else ""
        return [Told("book", f"recording {row.state}{seconds}")] if row.state else []
    if row.kind == "case" and menu is not None and not row.of:
        reference = str(extra.get("reference", ""))
        told = spoken(menu, prompts.reference(reference, language)[: len(reference) + 1])
        return [Told("book", f"case {reference} is {row.state}"), *told]
    return []


def _step(what: str, node: str, key: str, menu: Menu, language: str) -> list[Told]:
    if what == "connected":
        return spoken(menu, [Clip("welcome", language)])
    if what == "enter":
        return spoken(menu, _said_at(node, menu, language))
    if what == "end":
        return [Told("book", _ENDS.get(key, key))]
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
