"""How a demo looks in a terminal: one calm picture, drawn anew twice a second, or plain lines where there is none.

Rules of the room
- `picture` and `sentence` are pure: a Scene in, text out. They know nothing of processes.
- Eighty columns are enough, and so are 24 rows: what does not fit is said shorter, never cut in the middle.
- No sign is wider than one column. Colour only repeats what words and figures say, and NO_COLOR is obeyed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import termios
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TextIO

WIDTH = 80
_BAR = 30
_COLOURS = {"good": "32", "busy": "36", "warn": "33", "bad": "31", "dim": "2", "bold": "1", "link": "36"}
_DOTS = {"good": "●", "busy": "◐", "warn": "◐", "bad": "○"}


@dataclass(frozen=True, slots=True)
class LineSeen:
    """One line as its box tells it. `tone` is good, busy, warn or bad; `talks`: it answers, or rings back."""

    name: str
    modem: str
    tone: str
    title: str
    calls: int
    waiting: int
    last: str
    talks: bool = False


@dataclass(frozen=True, slots=True)
class OfficeSeen:
    """One box; `unsent` rows are not yet at headquarters."""

    name: str
    campaign: str
    page: str
    unsent: int
    lines: Sequence[LineSeen]


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that is shown. `phase` is "" while voters ring; `code` lets whoever watches into headquarters' page;
    `road` is a tone and a sentence on the broker; `sound` recordings were kept, and `sound_at_hq` of them are at
    headquarters."""

    seconds: float
    phase: str
    page: str
    code: str = ""
    telephone: str = ""
    dialled: int = 0
    ringing: int = 0
    busy: int = 0
    unreachable: int = 0
    reached: int = 0
    captured: int = 0
    replied: int = 0
    waiting: int = 0
    at_hq: int = 0
    talked: int = 0
    rung_back: int = 0
    sound: int = 0
    sound_at_hq: int = 0
    road: tuple[str, str] = ("good", "")
    offices: Sequence[OfficeSeen] = ()
    news: Sequence[tuple[str, str, str]] = field(default=(), repr=False)  # (time, where, what), newest last


def sentence(scene: Scene) -> str:
    """The scene in one line, for a log."""
    told = f"dialled {scene.dialled}, reached {scene.reached}, captured {scene.captured}"
    talked = f"talked {scene.talked + scene.rung_back}, recordings at HQ {scene.sound_at_hq}"
    return f"{_clock(scene.seconds)}  {told}, replied {scene.replied}, at HQ {scene.at_hq}, {talked}; {scene.road[1]}"


def picture(scene: Scene, columns: int = WIDTH, rows: int = 24, colour: bool = True) -> list[str]:
    """The scene as lines of at most `columns` signs, at most `rows` of them."""
    paint = _Paint(colour)
    wide = max(40, min(columns, WIDTH))
    head, funnel, foot = _head(scene, wide, paint), _funnel(scene, wide, paint), _foot(scene, wide, paint)
    road = paint(scene.road[0], f" {_DOTS[scene.road[0]]} ") + _cut(scene.road[1], wide - 3)
    fixed = len(funnel) + 5  # with head, road, foot, and an empty row before and behind the offices
    offices = _offices(scene, wide, rows - fixed - 1, paint)
    left = rows - fixed - len(offices)
    below, between, above = ([""] * (left >= least) for least in (2, 4, 6))
    news = _news(scene, wide, left - len(below + between + above), paint)
    return [head, *above, *funnel, "", *offices, "", road, *between, *news, *below, foot][:rows]


class _Paint:
    def __init__(self, colour: bool) -> None:
        self._colour = colour

    def __call__(self, name: str, text: str) -> str:
        return f"\x1b[{_COLOURS[name]}m{text}\x1b[0m" if self._colour and text else text


def _head(scene: Scene, wide: int, paint: _Paint) -> str:
    right = f"{_cut(scene.phase or 'voters are ringing', wide - 20)}  {_clock(scene.seconds)}"
    about = f" miscall  HQ: name you, code {scene.code}" if scene.code else " miscall  a district on this machine"
    left = about if len(about) + len(right) + 2 <= wide else " miscall"
    gap = " " * max(1, wide - len(left) - len(right) - 1)
    return paint("bold", left[:8]) + paint("dim", left[8:]) + gap + right


def _foot(scene: Scene, wide: int, paint: _Paint) -> str:
    """The addresses, with as many words around them as there is room for."""
    ways = (
        (" headquarters' page ", scene.page, "   a telephone ", scene.telephone, "   Ctrl-C ends the demo"),
        (" HQ ", scene.page, "   telephone ", scene.telephone, "   Ctrl-C ends"),
        (" HQ ", scene.page, "  telephone ", scene.telephone, ""),
        (" ", scene.page, "", "", ""),
    )
    parts = next((parts for parts in ways if len("".join(parts)) <= wide), ways[-1])
    return "".join(paint("link" if place % 2 else "dim", part) for place, part in enumerate(parts))


def _funnel(scene: Scene, wide: int, paint: _Paint) -> list[str]:
    """What became of the calls, each stage a bar as long as its share of all that were dialled."""
    away = scene.reached - scene.at_hq
    missed = [f"{scene.busy} heard busy" if scene.busy else ""]
    missed += [f"{scene.unreachable} no network" if scene.unreachable else ""]
    stages = [
        ("dialled", scene.dialled, ", ".join(filter(None, missed))),
        ("reached", scene.reached, f"{scene.ringing} ringing now" if scene.ringing else ""),
        ("captured", scene.captured, "on the boxes' disks"),
        ("at HQ", scene.at_hq, f"{away} on the way" if away > 0 else "all of them"),
        ("replied", scene.replied, f"{scene.waiting} SMS due" if scene.waiting else "one SMS to each voter"),
        ("talked", scene.talked + scene.rung_back, f"{scene.sound_at_hq} of {scene.sound} recordings at HQ"),
    ]
    most = max(1, scene.dialled)
    bar = max(0, min(_BAR, wide - 48))
    lines = []
    for name, count, note in stages:
        full = round(bar * min(count, most) / most)
        tone = "warn" if name == "at HQ" and away > 0 else "good"
        drawn = paint(tone, "━" * full) + paint("dim", "─" * (bar - full))
        shown = f"   {name:9}" + paint("bold", f"{count:7,}")
        lines.append(f"{shown}  {drawn}  " + paint("dim", note[: wide - bar - 23]))
    return lines


def _offices(scene: Scene, wide: int, room: int, paint: _Paint) -> list[str]:
    """Every line of every box if there is room for it, else a row for each box, else as many as go."""
    full = [row for office in scene.offices for row in _office(office, wide, paint)]
    if len(full) <= room:
        return full
    short = [_office_row(office, wide, paint) for office in scene.offices]
    if len(short) > max(1, room):
        left = len(short) - max(1, room - 1)
        more = paint("dim", _cut(f" and {left} more boxes: see headquarters' page", wide))
        short = [*short[: max(1, room - 1)], more]
    return short


def _office(office: OfficeSeen, wide: int, paint: _Paint) -> list[str]:
    unsent = f"  {office.unsent:,} row{'s' * (office.unsent != 1)} to send" if office.unsent else ""
    about = _cut(f"  {office.campaign}{unsent}", wide - len(office.name) - 1)
    lines = [_ending_with(f" {office.name}{about}", office.page, wide, paint)]
    lines[0] = lines[0].replace(f" {office.name}", paint("bold", f" {office.name}"), 1)
    for line in office.lines:
        if not line.talks:
            dot = paint(line.tone, _DOTS.get(line.tone, "●"))
            waiting = f"{line.waiting} SMS due" if line.waiting else ""
            row = f"{line.name:4}{line.modem:13}{line.title[:15]:16}{line.calls:4} calls {waiting:>10}  "
            lines.append(f"   {dot} {_cut(row + line.last, wide - 6)}")
    if talking := [line for line in office.lines if line.talks]:
        lines.append(_talking(talking, wide, paint))
    return lines


def _talking(lines: Sequence[LineSeen], wide: int, paint: _Paint) -> str:
    """The lines that talk, side by side in one row."""
    each = (wide - 3) // len(lines)
    row = "  "
    for line in lines:
        state = "" if line.tone == "good" else f", {line.title.lower()}"
        told = f"{line.name} {line.modem}, {line.calls} calls{state}"
        row += " " + paint(line.tone, _DOTS.get(line.tone, "●")) + " " + _cut(told, each - 4).ljust(each - 4)
    return row.rstrip()


def _office_row(office: OfficeSeen, wide: int, paint: _Paint) -> str:
    calls = sum(line.calls for line in office.lines)
    text = f"  {calls:,} calls  {office.unsent:,} to send"
    shown = office.lines[: min(20, max(0, wide - len(text) - 17))]
    dots = "".join(paint(line.tone, _DOTS.get(line.tone, "●")) for line in shown)
    used = 16 + len(shown)
    return f" {office.name:14} {dots}" + _ending_with(text, office.page, wide - used, paint)


def _ending_with(text: str, page: str, wide: int, paint: _Paint) -> str:
    """`text`, and the address at the right edge where there is room for it."""
    text = _cut(text, wide)
    gap = wide - len(text) - len(page) - 1
    return text + " " * gap + paint("dim", page) if gap > 0 else text


def _news(scene: Scene, wide: int, room: int, paint: _Paint) -> list[str]:
    """The last events, newest last, so that the eye reads down; the empty rows above keep the foot in place."""
    room = max(0, min(room, 12))
    shown = list(scene.news)[-room:] if room else []
    lines = []
    for at, where, what in shown:
        words = f"{where[:13]:13} {_cut(what, wide - 25)}" if where else paint("warn", _cut(what, wide - 11))
        lines.append(paint("dim", f" {at}  ") + words)
    return [*lines, *[""] * (room - len(lines))]


def _cut(text: str, wide: int) -> str:
    return text if len(text) <= wide else text[: wide - 1] + "…"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"


class Screen:
    """A terminal that shows pictures, on its second screen; whatever was there before comes back at the end."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._colour = not os.environ.get("NO_COLOR")
        self._before: list[object] | None = None

    @staticmethod
    def possible(out: TextIO = sys.stdout) -> bool:
        """Is `out` a terminal that can do it?"""
        return out.isatty() and os.environ.get("TERM", "dumb") != "dumb" and "utf" in (out.encoding or "").lower()

    def __enter__(self) -> Screen:
        with contextlib.suppress(termios.error, ValueError):  # keys that are pressed must not stand in the picture
            self._before = termios.tcgetattr(sys.stdin)
            quiet = termios.tcgetattr(sys.stdin)
            quiet[3] &= ~(termios.ECHO | termios.ICANON)
            termios.tcsetattr(sys.stdin, termios.TCSANOW, quiet)
        self._out.write("\x1b[?1049h\x1b[?25l")
        return self

    def __exit__(self, *failed: object) -> None:
        self._out.write("\x1b[?25h\x1b[?1049l")
        self._out.flush()
        if self._before is not None:
            termios.tcsetattr(sys.stdin, termios.TCSAFLUSH, self._before)  # type: ignore[arg-type]

    def show(self, scene: Scene) -> None:
        """Draw over the last picture, line by line, so that nothing flickers."""
        columns, rows = shutil.get_terminal_size((WIDTH, 24))
        lines = picture(scene, columns, rows, self._colour)
        self._out.write("\x1b[H" + "\r\n".join(f"{line}\x1b[K" for line in lines) + "\x1b[J")
        self._out.flush()
