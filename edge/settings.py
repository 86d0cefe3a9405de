"""A TOML file read key by key, with every problem told at once.

A room asks a `Table` for each key it knows, with the type and the range it wants. Whatever is
missing, of the wrong kind or never asked for becomes one `Problem`: file, key, what was wrong, what
is allowed. Reading goes on after a problem (the asker gets a harmless value), so that a person who
edits a file sees all of it at once; `Table.finish` then raises, or does nothing.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Never, TypeVar

T = TypeVar("T")

_DURATION = re.compile(r"([0-9]{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_QUIET = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")


class Problem(NamedTuple):
    """One thing that is wrong in a file; `key` is dotted (`line.2.number`), or `line 7` of a broken file."""

    file: str
    key: str
    wrong: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.wrong}; allowed: {self.allowed}"


class SettingsError(Exception):
    """A file was refused. `problems` has all of them; `str()` is one line each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def parse_duration(text: str) -> int | None:
    """Seconds of "0s", "90m", "24h", "7d"; None when it is no duration."""
    found = _DURATION.fullmatch(text)
    return int(found[1]) * _SECONDS[found[2]] if found else None


def parse_quiet(text: str) -> tuple[int, int] | None:
    """Minutes after midnight of both ends of "22:00-06:00", which may span midnight; None when it is no span."""
    found = _QUIET.fullmatch(text)
    if not found:
        return None
    start, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    return (start, end) if start != end else None


def _shown(value: object) -> str:
    """A value as its writer would recognise it, on one line, and short."""
    text = " ".join((f'"{value}"' if isinstance(value, str) else repr(value)).split())
    return text if len(text) <= 60 else text[:57] + "..."


def _known(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


class Table:
    """One table of a TOML file. Every method that reads notes problems instead of raising.

    A `default` of None means that the key must be there."""

    def __init__(self, file: str, data: dict[str, Any], path: str = "", problems: list[Problem] | None = None) -> None:
        self.file, self.path = file, path
        self.problems: list[Problem] = [] if problems is None else problems
        self._data = data
        self._asked: set[str] = set()
        self._inner: list[Table] = []

    # ------------------------------------------------------------------------------ single values

    def text(
        self,
        key: str,
        default: str | None = None,
        *,
        pattern: str = "",
        choices: Iterable[str] = (),
        allowed: str = "a text that is not empty",
    ) -> str:
        """A string; `pattern` must match all of it, and `allowed` then says so in words.

        An empty one is refused unless it is the default, a choice, or a match of the pattern."""
        value = self._get(key, default)
        named = tuple(choices)
        if named:
            allowed = " or ".join(f'"{name}"' for name in named)
        if not isinstance(value, str):
            return self._missing_or_wrong(key, value, allowed, "")
        fits = value in named if named else bool(re.fullmatch(pattern, value)) if pattern else bool(value.strip())
        if not fits and value != default:
            self.refuse(key, f"{_shown(value)} is not possible", allowed)
        return value

    def integer(self, key: str, default: int | None = None, *, low: int = 0, high: int = 2**31 - 1) -> int:
        """A whole number from `low` to `high`."""
        value = self._get(key, default)
        allowed = f"a whole number from {low} to {high}"
        if type(value) is not int:  # bool is an int too, and `port = true` is a mistake
            return self._missing_or_wrong(key, value, allowed, low)
        if not low <= value <= high:
            self.refuse(key, f"{value} is out of range", allowed)
        return value

    def decimal(self, key: str, default: float | None = None, *, low: float = 0.0, high: float = 1e9) -> float:
        """A number, whole or not, from `low` to `high`."""
        value = self._get(key, default)
        allowed = f"a number from {low:g} to {high:g}"
        if type(value) not in (int, float):
            return self._missing_or_wrong(key, value, allowed, low)
        if not low <= value <= high:
            self.refuse(key, f"{value} is out of range", allowed)
        return float(value)

    def flag(self, key: str, default: bool | None = None) -> bool:
        """true or false."""
        value = self._get(key, default)
        return value if isinstance(value, bool) else self._missing_or_wrong(key, value, "true or false", False)

    def texts(
        self, key: str, default: tuple[str, ...] | None = None, *, pattern: str = "", allowed: str = "a list of texts"
    ) -> tuple[str, ...]:
        """A list of strings, without repeats, each matching `pattern`; empty only when that is the default."""
        value = self._get(key, default)
        if not isinstance(value, list | tuple):
            return self._missing_or_wrong(key, value, allowed, ())
        wrong = [item for item in value if not isinstance(item, str) or not re.fullmatch(pattern or r"(?s).+", item)]
        for item in wrong:
            self.refuse(key, f"{_shown(item)} is not possible", allowed)
        kept = tuple(item for item in value if item not in wrong)
        if len(set(kept)) < len(kept):
            self.refuse(key, "something stands in it twice", allowed)
        if not value and tuple(value) != default:
            self.refuse(key, "the list is empty", allowed)
        return kept

    def moment(self, key: str, allowed: str) -> datetime | None:
        """A date with its time, which TOML writes without quotes; None when it is missing or none."""
        value = self._get(key, None)
        return value if isinstance(value, datetime) else self._missing_or_wrong(key, value, allowed, None)

    def duration(self, key: str, default: str | None = None) -> int:
        """Seconds, written "0s", "90m", "24h" or "7d"."""
        allowed = '"0s", "90m", "24h", "7d" and the like'
        value = self._get(key, default)
        seconds = parse_duration(value) if isinstance(value, str) else None
        return self._missing_or_wrong(key, value, allowed, 0) if seconds is None else seconds

    # ------------------------------------------------------------------------------------- tables

    def table(self, key: str, *, required: bool = False) -> Table:
        """The table below `key`; an empty one when it is absent."""
        value = self._get(key, None if required else {})
        if not isinstance(value, dict):
            value = self._missing_or_wrong(key, value, f"a table: [{self._dotted(key)}]", {})
        return self._below(key, value)

    def tables(self, key: str, *, required: bool = False) -> list[Table]:
        """The tables of `[[key]]`, in the order of the file; their keys are named `key.1.name`."""
        value = self._get(key, None if required else [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            value = self._missing_or_wrong(key, value, f"tables, each begun by [[{self._dotted(key)}]]", [])
        return [self._below(f"{key}.{place}", item) for place, item in enumerate(value, 1)]

    def opaque(self, key: str) -> dict[str, Any]:
        """A table that another room reads: nothing in it is looked at."""
        value = self._get(key, {})
        return value if isinstance(value, dict) else self._missing_or_wrong(key, value, f"a table: [{key}]", {})

    def names(self) -> Iterator[str]:
        """The keys that stand in this table, for tables whose keys are free ([reply.<language>], [box.text])."""
        return iter(self._data)

    def __contains__(self, key: str) -> bool:
        return key in self._data

    # ----------------------------------------------------------------------------------- problems

    def refuse(self, key: str, wrong: str, allowed: str) -> None:
        """Note a problem with `key` of this table."""
        self.problems.append(Problem(self.file, self._dotted(key), wrong, allowed))

    def finish(self, error: type[SettingsError] = SettingsError) -> None:
        """Refuse every key that nobody asked for, here and below; raise `error` if there is any problem at all."""
        self._refuse_strangers()
        if self.problems:
            raise error(self.problems)

    def _refuse_strangers(self) -> None:
        for key in self._data:
            if key not in self._asked:
                self.refuse(key, "unknown key", _known(self._asked))
        for inner in self._inner:
            inner._refuse_strangers()

    def _get(self, key: str, default: object) -> Any:
        self._asked.add(key)
        return self._data.get(key, default)

    def _below(self, key: str, data: dict[str, Any]) -> Table:
        inner = Table(self.file, data, self._dotted(key), self.problems)
        self._inner.append(inner)
        return inner

    def _dotted(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def _missing_or_wrong(self, key: str, value: object, allowed: str, instead: T) -> T:
        self.refuse(key, "missing" if value is None else f"{_shown(value)} is not possible", allowed)
        return instead


def _refuse_file(file: str, place: str, wrong: str, allowed: str, error: type[SettingsError]) -> Never:
    raise error([Problem(file, place, wrong, allowed)])


def parse(text: str, file: str, error: type[SettingsError] = SettingsError) -> Table:
    """The top table of a TOML text; `file` is the name that problems carry. Raises `error` when it is no TOML."""
    try:
        return Table(file, tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as why:
        found = re.search(r"\(at line (\d+)|\(at (end of document)\)", str(why))
        place = (f"line {found[1]}" if found[1] else "the end") if found else "the file"
        wrong = str(why).partition(" (at")[0] or "not TOML"
        _refuse_file(file, place, wrong[0].lower() + wrong[1:], "TOML: key = value, texts in quotes", error)


def read(path: Path | str, error: type[SettingsError] = SettingsError) -> Table:
    """The top table of a TOML file. Raises `error` when it cannot be read or is no TOML in UTF-8."""
    try:
        text = Path(path).read_bytes().decode()
    except OSError as why:
        _refuse_file(str(path), "the file", why.strerror or "cannot be read", "a file that can be read", error)
    except UnicodeDecodeError as why:
        _refuse_file(str(path), "the file", f"byte {why.start} is not UTF-8", "a text in UTF-8", error)
    return parse(text, str(path), error)
