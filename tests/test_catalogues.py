"""Every text of headquarters' pages is in every catalogue, with the same gaps; and no catalogue holds a text that is
shown nowhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from edge import words
from sync.hq import catalogue, reports, silence, voices
from sync.hq.doors.roles import ROLES
from sync.hq.metrics import BY, METRICS, asking
from sync.hq.people import shown
from sync.hq.views import asked, moments, numbers, overview, polls, said, stamp

HQ = Path(catalogue.__file__).parent
_CALL = re.compile(r"""(?<![\w.])_\(\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')""")
# what shows its first words to a reader; pages' refusals too
_TELLS = {"_", "Tab", "Wrong", "Reason", "Hidden", "Cannot", "not_told", "only"}


def _of_templates() -> Iterator[str]:
    for file in sorted((HQ / "templates").glob("*.html")):
        for double, single in _CALL.findall(file.read_text()):
            yield ast.literal_eval(f'"{double}"' if double else f"'{single}'")


def _of_code() -> Iterator[str]:
    for file in sorted(HQ.rglob("*.py")):
        text = file.read_text()
        tells = _TELLS | ({"Refused"} if "sync.hq.pages.ask" in text else set())
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and node.args:
                called = node.func
                name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                first = node.args[0]
                if name in tells and isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield first.value


def _of_metrics() -> Iterator[str]:
    """Why a figure is none: the last words of what makes one, `why`, and the words for what is counted."""
    for file in sorted((HQ / "metrics").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            said = [word.value for word in node.keywords if word.arg == "why"]
            if name in ("ratio", "interval", "waited", "part_of", "_things", "_people") and len(node.args) > 2:
                said.append(node.args[2] if name in ("_things", "_people") else node.args[-1])
            for one in (branch for each in said for branch in ast.walk(each)):
                if isinstance(one, ast.Constant) and isinstance(one.value, str) and one.value:
                    yield one.value
    yield from (by for by in BY if by != "language")
    yield asking._FLAGGED


def _of_tables() -> Iterator[str]:
    """Texts that stand in tables, and are told one by one."""
    yield from shown.TEXTS
    yield from (*ROLES, *moments.DAYS, *moments.MONTHS, *said.STATES)
    for title, todo in overview.ALARMS.values():
        yield from (title, todo)
    for _, title, todo in overview.TROUBLE.values():
        yield from (title, todo)
    for why, todo in stamp.DEAF.values():
        yield from (text for text in (why, todo) if text)
    for figure in (*reports.FIGURES.values(), voices.OPEN, voices.ANSWERS):
        yield from (figure.label, figure.meaning)
    for metric in METRICS.values():
        yield from (metric.title, metric.meaning)
    yield from (*numbers.GROUPS, "More", *asked.AGAINST.values(), *asked.NAMES.values(), *polls.POLICIES.values())
    yield from (name for name, _, _ in asked.PERIODS.values())
    for _, title, sentence, _todo in words.ENGLISH_LINES.values():
        yield title
        if "{" not in sentence:
            yield sentence
    yield silence.WHY
    yield from ("no connection to the broker", "Look at this box, and tell its office.")


def _literals() -> set[str]:
    """Every literal text of the code: a table's, too."""
    trees = (ast.parse(file.read_text()) for file in HQ.rglob("*.py"))
    constants = (node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {value for value in constants if isinstance(value, str)}


def english() -> set[str]:
    return {*_of_templates(), *_of_code(), *_of_metrics(), *_of_tables()}


def gaps(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name is not None)


LANGUAGES = sorted(catalogue.catalogues())


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_missing(language: str) -> None:
    missing = sorted(english() - set(catalogue.catalogues()[language]))
    assert not missing, "\n".join([f"{len(missing)} texts are not in {language}.toml:", *missing])


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_left_over(language: str) -> None:
    left = sorted(set(catalogue.catalogues()[language]) - english() - _literals() - {"language"})
    assert not left, "\n".join(left)


@pytest.mark.parametrize("language", LANGUAGES)
def test_gaps_agree_and_nothing_is_empty(language: str) -> None:
    for text, translated in catalogue.catalogues()[language].items():
        assert gaps(text) == gaps(translated), text
        assert translated.strip(), text
        assert text.count("`") == translated.count("`"), text
        assert (text[:1] == " ") == (translated[:1] == " "), text


def test_the_texts_are_found(tmp_path: Path) -> None:
    """A catalogue that lacks what a template, a handler or a table says is caught."""
    found = english()
    assert {"Skip to the content", "Your role does not open this page. Ask an admin.", "Overview", "manager"} <= found
    assert len(found) > 150
    assert gaps("{a} of {b}") != gaps("{a} of b")
