"""What headquarters' pages say, in other languages than English: `catalogues/<language>.toml`, English = translation.

A text that a catalogue lacks is shown in English; `tests/test_catalogues.py` names every one that is missing. A new
language is a new file, and nothing else.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Self

Tell = Callable[..., str]  # an English text and the values of its {gaps}, told in somebody's language


class Reason(str):
    """An English sentence that still knows its template and what was filled in, so that `said` tells it in another
    language. It is made where nobody knows who will read it."""

    template: str
    values: dict[str, object]

    def __new__(cls, template: str, **values: object) -> Self:
        made = super().__new__(cls, template.format(**values))
        made.template, made.values = template, values
        return made


def said(text: str, _: Tell) -> str:
    """A text in the reader's language; of a `Reason` also the words that were filled in, where they are known."""
    if not isinstance(text, Reason):
        return _(text)
    return _(text.template, **{name: _(it) if isinstance(it, str) else it for name, it in text.values.items()})


FOLDER = Path(__file__).parent / "catalogues"


@cache
def catalogues() -> dict[str, dict[str, str]]:
    """Every catalogue by its language; `language` in it is the language's own name for itself."""
    return {file.stem: tomllib.loads(file.read_text()) for file in sorted(FOLDER.glob("*.toml"))}


def names() -> dict[str, str]:
    """The languages that there are, each by its own name."""
    return {"en": "English", **{code: texts.get("language", code) for code, texts in catalogues().items()}}


def text(language: str, english: str) -> str:
    """A text in that language, or in English."""
    return catalogues().get(language, {}).get(english, english)


def told(language: str, english: str, **values: object) -> str:
    """A text in that language, `{name}` filled in when values are given."""
    found = text(language, english)
    return found.format(**values) if values else found


def best(accepted: str) -> str:
    """The first language of an Accept-Language header that there is; English otherwise."""
    known = names()
    for part in accepted.split(","):
        code = part.partition(";")[0].strip().partition("-")[0].lower()
        if code in known:
            return code
    return "en"
