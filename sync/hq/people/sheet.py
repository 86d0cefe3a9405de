"""A table that somebody has sent: any bytes in, rows out, and every row that is not one named with its line.  Pure.

Rules of this room
- UTF-8 (with its mark or without), UTF-16 (with its mark, or clearly that) and Windows-1252; anything else, and what is
  no text at all, is refused whole, in words.
- The delimiter is the one that gives the head most of the columns wanted: a comma, a semicolon or a tab.
- Nothing is dropped: rows = taken + refused. A row that cannot be taken apart costs its first line only, so that a
  quotation mark that is never closed does not swallow what follows.
- `sqlite_utils.utils.rows_from_file` would read such files too, but tells no line of a row, and its first error ends
  it; a person who has to mend a file needs the line of each.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

MOST_BYTES = 5 * 1024 * 1024
MOST_ROWS = 50_000
MOST_CELL = 2000
OPEN_ENDED, MIXED_UP = "a quotation mark is never closed", "its quotation marks are mixed up"
MANY, LONG = "more cells than columns", "too long"
WRONG = (OPEN_ENDED, MIXED_UP, MANY, LONG)  # all that is said of a row here
_SPAN = 30  # lines that one row may go over, by line breaks within quotation marks
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig", "UTF-8"), (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
          (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"))  # fmt: skip
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
_SAVE_AS = "Save it as CSV (in a spreadsheet: File, Save as, CSV UTF-8), and send that."


class Unreadable(Exception):
    """This is no table. The text says why and what to do, in English, and holds nothing of it."""


class Wrong(NamedTuple):
    """A row that is refused, or a cell of it: where, what is wrong, what is allowed."""

    line: int
    column: str
    what: str
    allowed: str


class Line(NamedTuple):
    """A row taken apart: the line that it begins on, and its cells by column; `cells` as they stood."""

    line: int
    values: dict[str, str]
    cells: list[str]


@dataclass
class Sheet:
    """What is in a file. `lines` could be taken apart, `wrong` could not; each row is in one of the two."""

    encoding: str
    delimiter: str
    head: list[str]
    lines: list[Line] = field(default_factory=list, repr=False)
    wrong: list[tuple[Wrong, list[str]]] = field(default_factory=list, repr=False)

    @property
    def rows(self) -> int:
        return len(self.lines) + len(self.wrong)


def read(raw: bytes, columns: Sequence[str], needed: Sequence[str]) -> Sheet:
    """The table in a file. `columns` may stand in its head, in any order and case; others are left alone.

    Raises Unreadable when it is no text, has no head with all of `needed`, or is too large; nothing else, ever."""
    if len(raw) > MOST_BYTES:
        raise Unreadable(f"This file is larger than {MOST_BYTES // 1024 // 1024} MB. Divide it.")
    text, encoding = decoded(raw)
    lines = list(io.StringIO(text, newline=""))
    first = next((place for place, line in enumerate(lines) if line.strip(" \t\r\n,;")), None)
    if first is None:
        raise Unreadable(f"This file is empty. Its first row must name the columns: {', '.join(columns)}.")
    delimiter, head = _head(lines[first], columns)
    if missing := [name for name in needed if name not in head]:
        raise Unreadable(
            f"The first row names no column {' and no '.join(missing)}. It must name the columns: {', '.join(columns)}."
        )
    if twice := [name for name in columns if head.count(name) > 1]:
        raise Unreadable(f"The first row names the column {twice[0]} twice.")
    sheet = Sheet(encoding, delimiter, head)
    for number, told in _records(lines, first + 1, delimiter):
        if sheet.rows >= MOST_ROWS:
            raise Unreadable(f"This file has more than {MOST_ROWS} rows. Divide it.")
        _take(sheet, number, told)
    return sheet


def decoded(raw: bytes) -> tuple[str, str]:
    """The text of a file and the name of its encoding. Raises Unreadable."""
    if raw[:4] == b"PK\x03\x04" or raw[:4] == b"\xd0\xcf\x11\xe0":
        raise Unreadable(f"This is a spreadsheet's own file, not CSV. {_SAVE_AS}")
    for mark, codec, name in _MARKS:
        if raw.startswith(mark):
            return _strict(raw, codec, name), name
    if codec := _unmarked_utf16(raw):
        return _strict(raw, codec, "UTF-16"), "UTF-16"
    try:
        return _clean(raw.decode("utf-8")), "UTF-8"
    except UnicodeDecodeError:
        return _strict(raw, "cp1252", "Windows-1252"), "Windows-1252"


def _unmarked_utf16(raw: bytes) -> str:
    """UTF-16 without its mark: where nought is one half of the letters of the beginning, and seldom the other."""
    start = raw[:400]
    high, low = start[0::2].count(0), start[1::2].count(0)
    if max(high, low) <= 3 * min(high, low):
        return ""
    return "utf-16-be" if high > low else "utf-16-le"


def _strict(raw: bytes, codec: str, name: str) -> str:
    try:
        return _clean(raw.decode(codec))
    except UnicodeDecodeError as error:
        raise Unreadable(
            f"This file is no text in {name}: byte {error.start + 1} fits no letter. {_SAVE_AS}"
        ) from None


def _clean(text: str) -> str:
    if _NO_TEXT.search(text):
        raise Unreadable(f"This is no text. {_SAVE_AS}")
    return text


def _head(line: str, columns: Sequence[str]) -> tuple[str, list[str]]:
    """The delimiter, and the names in the first row as we call them; a foreign name stays as it is."""
    found: list[tuple[int, str, list[str]]] = []
    for delimiter in ",;\t":
        try:
            cells = next(csv.reader([line], delimiter=delimiter), [])
        except csv.Error:
            cells = []
        names = [cell.strip().lower() for cell in cells]
        found.append((sum(name in columns for name in names), delimiter, names))
    _, delimiter, names = max(found, key=lambda each: each[0])
    return delimiter, names


def _records(lines: Sequence[str], at: int, delimiter: str) -> Iterator[tuple[int, list[str] | str]]:
    """Each row with the number of its first line: its cells, or why it cannot be taken apart. Empty rows are none."""
    while at < len(lines):
        some = (lines[place] for place in range(at, min(at + _SPAN, len(lines))))  # as many of them as it asks for
        reader = csv.reader(some, delimiter=delimiter, strict=True)
        try:
            cells = next(reader)
        except csv.Error as error:
            open_ended = "unexpected end" in str(error) or "field limit" in str(error)
            yield at + 1, OPEN_ENDED if open_ended else MIXED_UP
            at += 1
            continue
        if any(cell.strip() for cell in cells):
            yield at + 1, cells
        at += max(1, reader.line_num)


def _take(sheet: Sheet, number: int, told: list[str] | str) -> None:
    allowed = f"cells with {'a tab' if sheet.delimiter == chr(9) else sheet.delimiter} between them"
    if isinstance(told, str):
        sheet.wrong.append((Wrong(number, "", told, allowed), []))
    elif any(cell.strip() for cell in told[len(sheet.head) :]):
        sheet.wrong.append((Wrong(number, "", MANY, f"{len(sheet.head)} cells"), told))
    elif long := [place for place, cell in enumerate(told[: len(sheet.head)]) if len(cell) > MOST_CELL]:
        sheet.wrong.append((Wrong(number, sheet.head[long[0]], LONG, f"{MOST_CELL} letters"), told))
    else:
        values = {name: cell.strip() for name, cell in zip(sheet.head, told, strict=False)}
        sheet.lines.append(Line(number, values, told))
