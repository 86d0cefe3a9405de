"""`miscall campaign picture FILE`: a campaign drawn for its author, one SVG that needs nothing else.

A box is a place of the conversation: its name and kind, what is said there in the campaign's first language, and a row
for each way on, with its key on the arrow. Boxes stand in columns by how many steps they are from the ring, so an
arrow leads one column to the right, or back: those run dashed below all boxes. A filled square is the end of the call.
Colours follow the reader's screen, dark or light, and say nothing that a word does not say too.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from edge import campaign
from edge.campaign import Campaign
from edge.dialogue import Clip
from edge.menu import CHOOSING, Menu, Node, compose_languages, text

WIDE, GAP, BETWEEN = 270, 120, 26  # a box; between columns; between boxes of a column
LINE, HEAD, ROW, PAD = 18, 30, 26, 10
MARGIN, CHANNEL = 28, 14  # around the picture; between two arrows that lead back
LETTERS, NOTE_LETTERS, ROW_LETTERS = 34, 40, 29  # that fit into a line of a box, a note, a row
ENTRY = ""  # the box in which a call begins
_COLOURS = {
    "ring": "#64748b", "menu": "#2563eb", "record": "#dc2626", "grievance": "#ea580c", "referendum": "#7c3aed",
    "event": "#16a34a", "consent": "#0d9488", "say": "#64748b",
}  # fmt: skip
_STYLE = """
text{font:14px system-ui,"Noto Sans","Noto Sans Devanagari","Nirmala UI",sans-serif;fill:#1e293b}
.paper{fill:#fff}.box{fill:#f8fafc;stroke:#94a3b8}.name{font-weight:600}.quiet{fill:#64748b;font-size:12px}
.rule{stroke:#e2e8f0}.way{fill:none;stroke:#475569;stroke-width:1.5}.back{stroke-dasharray:5 4}
.tip,.end{fill:#475569}.key{fill:#1e293b}.digit{fill:#fff;font-weight:600;text-anchor:middle}
@media (prefers-color-scheme:dark){text{fill:#e2e8f0}.paper{fill:#0f172a}.box{fill:#1e293b;stroke:#64748b}
.quiet{fill:#94a3b8}.rule{stroke:#334155}.way{stroke:#cbd5e1}.tip,.end{fill:#cbd5e1}.key{fill:#e2e8f0}
.digit{fill:#0f172a}}
"""


@dataclass
class Row:
    """One way on: its key ("" when nobody chooses), what it is, and the box that it leads to; None is the end."""

    key: str
    words: str
    to: str | None


@dataclass
class Box:
    """One place, and where it lies; `said` and `note` are lines."""

    name: str
    kind: str
    said: list[str]
    note: str = ""
    rows: list[Row] = field(default_factory=list)
    x: float = 0
    y: float = 0

    @property
    def first_row(self) -> float:
        """Where the rows begin, below the top of the box."""
        return HEAD + len(self.said) * LINE + (LINE if self.note else 0) + PAD

    @property
    def high(self) -> float:
        return self.first_row + len(self.rows) * ROW

    def row_y(self, place: int) -> float:
        return self.y + self.first_row + place * ROW + ROW / 2


def picture(path: str, out: str | None) -> int:
    """`miscall campaign picture`: the drawing, on standard output or in the file `out`.

    Raises CampaignError when the campaign is refused, OSError when the file cannot be written."""
    drawn = draw(campaign.load(path))
    if out is None:
        print(drawn)
    else:
        Path(out).write_text(drawn + "\n")
    return 0


def draw(found: Campaign) -> str:
    """A campaign as SVG."""
    boxes = _boxes(found)
    columns = _columns(boxes)
    _place(boxes, columns)
    low = max(box.y + box.high for box in boxes.values())
    backs = sum(row.to is not None and not _forward(box, boxes[row.to]) for box in boxes.values() for row in box.rows)
    wide = 2 * MARGIN + len(columns) * (WIDE + GAP) - GAP + 40
    high = low + CHANNEL * (backs + 1) + 2 * LINE + MARGIN
    arrows = list(_arrows(boxes, low))
    foot = "In every call: 0 says it again, * goes back, 9 stops all messages. ■ ends the call." if found.menu else ""
    return "\n".join((
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:g} {high:g}" width="{wide:g}" height="{high:g}" '
        f'role="img" aria-label="{escape(found.title)}">',
        f"<title>{escape(found.title)} ({escape(found.id)})</title><style>{_STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>',
        f'<rect class="paper" width="{wide:g}" height="{high:g}"/>',
        *arrows,
        *(line for box in boxes.values() for line in _drawn(box)),
        f'<text class="quiet" x="{MARGIN}" y="{high - MARGIN:g}">{foot}</text>',
        "</svg>",
    ))  # fmt: skip


# ------------------------------------------------------------------------------ what stands in it


def _boxes(found: Campaign) -> dict[str, Box]:
    boxes = {ENTRY: _entry(found)}
    for node in found.menu.nodes.values() if found.menu else ():
        boxes[node.id] = _box(found, found.menu, node)
    return boxes


def _entry(found: Campaign) -> Box:
    """The ring, and what follows it before anything is asked."""
    does = {
        "missed-call": "The call is cut: nobody pays",
        "opt-out": "The call is cut; nothing is sent any more",
        "menu": "The call is answered",
        "callback": "The call is cut, and we ring back",
    }
    said = [does[found.mode]]
    menu = found.menu
    if not menu:
        language = campaign.choose_language("", "", found)
        said += _lines(found.replies.get(language, "") and f"SMS: {found.replies[language]}", 5)
        return Box("A call", "ring", said)
    first = menu.languages[0]
    for name in ("identity", "welcome") if found.callback else ("welcome",):
        said += _lines(text(menu, Clip(name, first)), 2)
    offers = [text(menu, clip) for clip in compose_languages(menu)[::2]] if len(menu.languages) > 1 else []
    note = ", ".join(f"{key} {words}" for key, words in enumerate(offers, 1))
    return Box("A call", "ring", said, _short(note, NOTE_LETTERS), [Row("", "then", menu.start)])


def _box(found: Campaign, menu: Menu, node: Node) -> Box:
    language = menu.languages[0]
    said = _lines(text(menu, Clip(node.id, language)) if node.said else "", 2)
    rows = [
        Row(option.key, _short(text(menu, Clip(f"{node.id}-{option.key}", language)), ROW_LETTERS), option.to or None)
        for option in node.options
    ]
    if node.kind == "consent":
        rows = [Row("1", "agrees", node.next or None), Row("2", "does not", node.next or None)]
    elif node.kind not in CHOOSING:
        rows = [Row("", "then", node.next or None)]
    return Box(node.id, node.kind, said, _short(_note(found, menu, node), NOTE_LETTERS), rows)


def _note(found: Campaign, menu: Menu, node: Node) -> str:
    """What a node is for, in a line."""
    if node.kind == "referendum" and menu.closes_ms:
        return f"vote on {node.issue}, until {datetime.fromtimestamp(menu.closes_ms / 1000, UTC):%d %b %Y}"
    return {
        "menu": "",
        "say": "",
        "record": f"she speaks, up to {menu.record_s} s",
        "grievance": f"she speaks; a case, due in {menu.due_s // 3600} h",
        "referendum": f"vote on {node.issue}",
        "event": found.event.title if found.event else "",
        "consent": f"to: {node.purpose}",
    }[node.kind]


def _letters(words: str) -> int:
    """How many places a text takes: marks that stand above and below take none."""
    return sum(unicodedata.category(char) not in ("Mn", "Me", "Cf") for char in words)


def _short(words: str, most: int = LETTERS) -> str:
    if _letters(words) <= most:
        return words
    while _letters(words) >= most:
        words = words[:-1]
    return words.rstrip() + "…"


def _lines(words: str, most: int) -> list[str]:
    """The text in at most so many lines; the last one tells when there is more."""
    lines: list[str] = []
    for word in words.split():
        if lines and _letters(f"{lines[-1]} {word}") <= LETTERS:
            lines[-1] += f" {word}"
        else:
            lines.append(_short(word))
    return [*lines[: most - 1], _short(" ".join(lines[most - 1 :]))] if len(lines) > most else lines


# ---------------------------------------------------------------------------------- where it lies


def _columns(boxes: dict[str, Box]) -> list[list[Box]]:
    """The boxes by how many steps they are from the ring, in the order in which they are reached."""
    columns, seen = [[boxes[ENTRY]]], {ENTRY}
    while columns[-1]:
        following = [row.to for box in columns[-1] for row in box.rows if row.to is not None]
        columns.append([boxes[to] for to in dict.fromkeys(following) if to not in seen])
        seen |= set(following)
    return columns[:-1]


def _place(boxes: dict[str, Box], columns: list[list[Box]]) -> None:
    """Each box beside the rows that lead to it, as far as its neighbours leave room."""
    for number, column in enumerate(columns):
        low = float(MARGIN)
        for box in column:
            before = columns[number - 1] if number else []
            rows = [one.row_y(i) for one in before for i, row in enumerate(one.rows) if row.to == box.name]
            wish = sum(rows) / len(rows) - HEAD / 2 if rows else low
            box.x, box.y = MARGIN + number * (WIDE + GAP), max(low, wish - (len(rows) and 40))
            low = box.y + box.high + BETWEEN


def _forward(box: Box, other: Box) -> bool:
    return other.x > box.x


# ------------------------------------------------------------------------------------- the drawing


def _arrows(boxes: dict[str, Box], low: float) -> Iterator[str]:
    backs = 0
    for box in boxes.values():
        for place, row in enumerate(box.rows):
            x, y = box.x + WIDE, box.row_y(place)
            if row.to is None:
                yield f'<path class="way" d="M{x:g} {y:g}h18"/>'
                yield f'<rect class="end" x="{x + 18:g}" y="{y - 6:g}" width="12" height="12"/>'
                continue
            to = boxes[row.to]
            end_y = to.y + HEAD / 2
            if _forward(box, to):
                bend = GAP / 2
                path = f"M{x:g} {y:g}C{x + bend:g} {y:g} {to.x - bend:g} {end_y:g} {to.x:g} {end_y:g}"
                yield f'<path class="way" marker-end="url(#tip)" d="{path}"/>'
            else:
                backs += 1
                out, under, back = x + 36 + 5 * (backs % 8), low + CHANNEL * backs, to.x - 20 - 5 * (backs % 4)
                path = f"M{x:g} {y:g}H{out:g}V{under:g}H{back:g}V{end_y:g}H{to.x:g}"
                yield f'<path class="way back" marker-end="url(#tip)" stroke-linejoin="round" d="{path}"/>'


def _drawn(box: Box) -> Iterator[str]:
    x, y = box.x, box.y
    colour = _COLOURS[box.kind]
    yield f'<rect class="box" x="{x:g}" y="{y:g}" width="{WIDE}" height="{box.high:g}" rx="6"/>'
    yield f'<rect x="{x:g}" y="{y:g}" width="5" height="{box.high:g}" rx="2.5" fill="{colour}"/>'
    yield f'<text class="name" x="{x + 14:g}" y="{y + 21:g}">{escape(box.name)}</text>'
    if box.kind != "ring":
        yield f'<text class="quiet" x="{x + WIDE - 12:g}" y="{y + 21:g}" text-anchor="end">{box.kind}</text>'
    at = y + HEAD + 12
    for line in box.said:
        yield f'<text x="{x + 14:g}" y="{at:g}">{escape(line)}</text>'
        at += LINE
    if box.note:
        yield f'<text class="quiet" x="{x + 14:g}" y="{at:g}">{escape(box.note)}</text>'
    for place, row in enumerate(box.rows):
        middle = box.row_y(place)
        yield f'<path class="rule" d="M{x + 5:g} {middle - ROW / 2:g}H{x + WIDE:g}"/>'
        kind = "" if row.key else "quiet"
        yield f'<text class="{kind}" x="{x + 14:g}" y="{middle + 5:g}">{escape(row.words)}</text>'
        if row.key:
            yield f'<circle class="key" cx="{x + WIDE:g}" cy="{middle:g}" r="10"/>'
            yield f'<text class="digit" x="{x + WIDE:g}" y="{middle + 5:g}">{row.key}</text>'
