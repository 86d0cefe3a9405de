"""Draws docs/ivr.svg from the conversation's table: each state a card, each row an arrow or a line of the card.

Where a row leads to a card near by, an arrow is drawn; where it leads far, or to wherever a node leads
(`edge.ivr.WAYS`), the card names that, and what the name means stands once. So does what holds in every state of a
call.

    .venv/bin/python -m tools.ivrpicture
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path

from edge.dialogue import (
    CaseOpened,
    Connected,
    HungUp,
    KeyPressed,
    Played,
    Recorded,
    RecordFailed,
    SpeechBegan,
    SpeechEnded,
    WordHeard,
)
from edge.ivr import ALIVE, STATES, TABLE, WAYS
from edge.ivr.walk import Due, Late, Limit

FILE = Path(__file__).parent.parent / "docs" / "ivr.svg"
EVENTS: dict[type | str, str] = {
    Connected: "the call is up",
    KeyPressed: "a key",
    Played: "heard",
    Due: "no answer",
    SpeechBegan: "talk",
    SpeechEnded: "silence",
    WordHeard: "a word",
    Recorded: "take saved",
    RecordFailed: "no take",
    CaseOpened: "case opened",
    HungUp: "she hangs up",
    Late: "170 s",
    Limit: "180 s",
}
ANYWHERE = ("9", HungUp, Late, Limit)  # in every state of a call

W, GAP, LEFT, LINE = 232, 100, 24, 17  # of cards, in pixels
COLUMNS = [LEFT + n * (W + GAP) for n in range(5)]
ROWS = {"a": 70, "b": 302, "c": 532}
PLACES = {
    "waiting": (0, "a"), "case": (1, "a"), "language": (2, "a"), "choosing": (3, "a"), "confirm": (4, "a"),
    "inviting": (1, "b"), "recording": (2, "b"), "saving": (3, "b"), "filing": (4, "b"),
    "telling": (1, "c"), "closing": (2, "c"), "over": (3, "c"), "gone": (4, "c"),
}  # fmt: skip
WIDTH, HEIGHT = COLUMNS[-1] + W + LEFT, 672
INK, BLUE, PAPER = "#171a2b", "#3646c8", "#f5f6f2"
COLOURS = {"onward": "#12703a", "back": "#a35a00", "talk": "#96208c"}

# How an arrow runs: from a side of one card to a side of the other, and how far along these sides, in pixels.
ROUTES: dict[tuple[str, str], tuple[str, int, str, int]] = {
    ("waiting", "case"): ("right", 22, "left", 22),
    ("waiting", "language"): ("top", 150, "top", 60),
    ("case", "language"): ("right", 22, "left", 22),
    ("language", "case"): ("left", 62, "right", 62),
    ("choosing", "confirm"): ("right", 22, "left", 22),
    ("inviting", "case"): ("top", 60, "bottom", 60),
    ("inviting", "language"): ("top", 170, "bottom", 40),
    ("inviting", "recording"): ("right", 22, "left", 22),
    ("recording", "inviting"): ("left", 62, "right", 62),
    ("recording", "saving"): ("right", 22, "left", 22),
    ("recording", "filing"): ("bottom", 170, "bottom", 150),
    ("saving", "inviting"): ("bottom", 60, "bottom", 150),
    ("saving", "filing"): ("right", 22, "left", 22),
    ("closing", "over"): ("right", 22, "left", 22),
    ("over", "gone"): ("right", 22, "left", 22),
}


def name(event: type | str) -> str:
    return event if isinstance(event, str) else EVENTS[event]


def grouped(state: str) -> dict[str, list[str]]:
    """Where a state leads, and by which events, as the table has it; what holds everywhere is left out."""
    to: dict[str, list[str]] = {}
    for (where, event), row in TABLE.items():
        if where == state and not (state in ALIVE and event in ANYWHERE):
            for target in row.to:
                to.setdefault(target, []).append(name(event))
    return to


def arrows() -> dict[tuple[str, str], str]:
    """The pairs of states that an arrow joins, each with the events that lead along it."""
    return {
        (state, to): ", ".join(events)
        for state in STATES
        for to, events in grouped(state).items()
        if (state, to) in ROUTES
    }


def text(x: float, y: float, words: str, size: int = 12, more: str = "", to: str = "") -> str:
    """Words, and behind an arrow where they lead."""
    leads = f" → {bold(to)}" if to else ""
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}"{more}>{escape(words)}{leads}</text>'


def bold(to: str) -> str:
    return f'<tspan font-weight="700" fill="{COLOURS.get(to, INK)}">{to}</tspan>'


def wrapped(words: list[str], most: int) -> list[str]:
    """Words joined by commas, in lines of at most `most` letters."""
    lines = [""]
    for n, word in enumerate(words):
        piece = word + ("," if n + 1 < len(words) else "")
        if lines[-1] and len(lines[-1]) + 1 + len(piece) > most:
            lines.append("")
        lines[-1] = f"{lines[-1]} {piece}".strip()
    return lines


def lines_of(state: str) -> list[tuple[str, str]]:
    """The lines below a card's title: words, and the connector behind them ("" none)."""
    found: list[tuple[str, str]] = []
    groups = grouped(state)
    if state in groups:
        found += [(line, "") for line in wrapped(["stays: " + groups[state][0], *groups[state][1:]], 34)]
    for to, events in groups.items():
        if to != state and (state, to) not in ROUTES:
            *first, last = wrapped(events, 24)
            found += [(line, "") for line in first]
            found.append((last, to))
    return found


def box(state: str) -> tuple[float, float, float]:
    """Left, top and height of a card."""
    column, row = PLACES[state]
    return COLUMNS[column], ROWS[row], 50 + LINE * len(lines_of(state))


def card(state: str) -> Iterator[str]:
    x, y, height = box(state)
    fill = "#fff" if state in ALIVE else "#e6e8ee"
    yield f'<rect x="{x}" y="{y}" width="{W}" height="{height}" rx="10" fill="{fill}" class="c"/>'
    yield text(x + 12, y + 20, state, 15, ' font-weight="700"')
    yield text(x + 12, y + 37, STATES[state], 12, ' fill="#555b73"')
    for n, (words, way) in enumerate(lines_of(state)):
        yield text(x + 12, y + 56 + LINE * n, words, to=way)


def point(state: str, side: str, along: int) -> tuple[float, float]:
    x, y, height = box(state)
    if side in ("left", "right"):
        return x + (W if side == "right" else 0), y + along
    return x + along, y + (height if side == "bottom" else 0)


def arrow(pair: tuple[str, str], words: str) -> Iterator[str]:
    """A straight line between neighbours, an arc over or under what lies between the others."""
    side, along, other, place = ROUTES[pair]
    x, y = point(pair[0], side, along)
    u, v = point(pair[1], other, place)
    middle, level = (x + u) / 2, (y + v) / 2 - 6
    path = f"M{x:g} {y:g}L{u:g} {v:g}"
    if side == other and side in ("top", "bottom"):
        lowest = max(sum(box(state)[1:]) for state in PLACES if PLACES[state][1] == PLACES[pair[0]][1])
        bend = min(y, v) - 48 if side == "top" else lowest + (76 if pair[0] == "saving" else 46)
        path = f"M{x:g} {y:g}C{x:g} {bend:g} {u:g} {bend:g} {u:g} {v:g}"
        level = (min(y, v) + 3 * bend) / 4 - 4 if side == "top" else (y + v) / 8 + bend * 3 / 4 - 5
    yield f'<path d="{path}" class="a"/>'
    for n, line in enumerate(reversed(wrapped(words.split(", "), 13))):
        yield text(middle, level - 13 * n, line, 11, ' text-anchor="middle" class="l"')


def frame() -> str:
    """Round all states of a call."""
    left, right = COLUMNS[1] - 14, COLUMNS[4] + W + 14
    end, top, deep, low = COLUMNS[2] + W + 14, ROWS["a"] - 56, ROWS["c"] - 26, HEIGHT - 20
    path = f"M{left} {top}H{right}V{deep}H{end}V{low}H{left}Z"
    return f'<path d="{path}" fill="#eef0fc" stroke="{BLUE}" stroke-width="1.2" stroke-dasharray="6 5"/>'


def legend() -> Iterator[str]:
    x, y = COLUMNS[0], ROWS["b"] - 70
    grey = ' fill="#555b73"'
    yield text(x, y, "In every state of the frame", 13, ' font-weight="700"')
    for event in ANYWHERE:
        y += 19
        yield text(x, y, name(event), to="closing" if event is Late else TABLE["choosing", event].to[0])
    yield text(x, y + LINE, "(a take, and its case, are finished first)", 12, grey)
    y += 56
    yield text(x, y, "Where a way leads", 13, ' font-weight="700"')
    for way, words in (
        ("onward", "the next node begins"), ("back", "the node before begins again"),
        ("talk", "she may talk in place of a key"),
    ):  # fmt: skip
        y += 22
        yield f'<text x="{x:g}" y="{y:g}" font-size="12">{bold(way)}: {words}</text>'
        for line in wrapped(list(WAYS[way]), 32):
            y += LINE
            yield text(x + 14, y, line, 12, grey)
    for n, line in enumerate(("“a key”: any that the card does not name", "“no answer”: the state's own time is up")):
        yield text(x, y + 40 + LINE * n, line, 12, grey)


def draw() -> str:
    """The whole picture."""
    told = "The states of a conversation on the line, and the events that lead from one to another."
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="system-ui, sans-serif" '
        f'role="img" aria-label="{told}">',
        "<!-- drawn by tools/ivrpicture.py from edge/ivr/conversation.py: change the table, then draw again -->",
        '<defs><marker id="h" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" fill="{BLUE}"/></marker></defs>',
        f"<style>text{{fill:{INK}}} .c,.a{{stroke:{BLUE};stroke-width:1.6}} .a{{fill:none;marker-end:url(#h)}} "
        ".l{paint-order:stroke;stroke:#eef0fc;stroke-width:4px;stroke-linejoin:round}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="14" fill="{PAPER}"/>',
        frame(),
        *(part for state in STATES for part in card(state)),
        *(part for pair, words in arrows().items() for part in arrow(pair, words)),
        *legend(),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def main() -> int:
    FILE.write_text(draw(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
