"""The house rules as tables: who may import whom, what the deciding rooms must not touch, how large a room may be.

A new room has to be entered below: that is the moment to decide what it may know.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Rooms that import nothing of ours.
WORDS = {
    "edge.events", "edge.dialogue", "edge.settings", "edge.gate", "edge.gsm7", "edge.stopwords", "edge.words",
    "edge.wavfile", "sync.columns", "sync.orders",
}  # fmt: skip
FILES = {"sync.durable"}  # opens a file, knows nobody
# Rooms that decide: bytes, events and the time go in, events and orders come out.
PURE = {
    "edge.at", "edge.urc", "edge.script", "edge.bringup", "edge.call", "edge.recent", "edge.rules", "edge.numbers",
    "edge.sms", "edge.campaign", "edge.profile", "edge.config", "edge.fold", "edge.hearing", "edge.ivr", "edge.menu",
    "edge.phrases", "edge.advice",
}  # fmt: skip
# A line's conduct: pure too, but for the ledger that it writes.
CONDUCT = {"edge.errands", "edge.letters", "edge.outbox", "edge.station", "edge.switchboard", "edge.talk"}
# Rooms that touch the machine.
MACHINE = {
    "edge.clock", "edge.port", "edge.ledger", "edge.line", "edge.supervise", "edge.box", "edge.status", "edge.export",
    "edge.page", "edge.__main__", "edge.recordings", "edge.orders", "edge.audio", "edge.voice", "edge.prompts",
    "edge.speaking", "edge.recognise", "edge.serving",
}  # fmt: skip
ROAD = {
    "sync.book", "sync.broker", "sync.courier", "sync.mqtt", "sync.pace", "sync.parcels", "sync.takes", "sync.uplink",
}  # fmt: skip
EDGE = WORDS | PURE | CONDUCT | MACHINE | {"edge"}

# room -> what it may import of ours
MAY: dict[str, set[str]] = {
    **{name: set() for name in WORDS | FILES},
    **dict.fromkeys(PURE, WORDS | PURE),
    **dict.fromkeys(CONDUCT, WORDS | PURE | CONDUCT | {"edge.ledger", "edge.orders"}),
    **dict.fromkeys(MACHINE, EDGE),
    "edge": set(),
    "edge.port": set(),
    "edge.supervise": set(),
    "edge.clock": {"edge.events"},
    "edge.serving": {"edge.gate"},
    "edge.ledger": {"edge.events", "edge.rules"},
    "sync": set(),
    "sync.wire": {"sync.columns"},
    **dict.fromkeys(ROAD, {"edge.clock", "edge.config", "edge.events", "edge.ledger", "sync.wire"} | FILES | ROAD),
    "sync.takes": {"edge.recordings", "sync.book"},
    "sync.uplink": {"edge.clock", "edge.config", "edge.events", "edge.ledger", "sync.wire", "sync.orders"} | ROAD,
    "sync.hq": WORDS | PURE | FILES | {"edge", "edge.serving", "sync.wire", "sync.mqtt", "sync.hq"},
}
# What a room that decides must not even import.
FORBIDDEN = {"os", "time", "socket", "select", "serial", "sqlite3", "threading", "asyncio", "subprocess", "random"}
SPARED = {  # they answer the ledger's errors
    name: {"sqlite3"} for name in ("edge.errands", "edge.letters", "edge.outbox", "edge.station", "edge.switchboard")
}

LINES, BODY = 450, 60  # "about 400" and "about 50"


def files(*folders: str) -> list[Path]:
    return [file for folder in folders for file in sorted(ROOT.joinpath(folder).rglob("*.py"))]


def room(file: Path) -> str:
    """The room that a file belongs to; a folder is one room: `edge/sms/submit.py` is of edge.sms."""
    parts = [part for part in file.relative_to(ROOT).with_suffix("").parts if part != "__init__"]
    return ".".join(parts[:2])


def imports(file: Path) -> set[str]:
    """Every module that a file imports, wherever in it; `from edge import at` counts as edge.at."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            assert node.level == 0, f"{file}: relative import"
            found |= {f"{module}.{alias.name}" for alias in node.names if is_room(f"{module}.{alias.name}")}
            if any(not is_room(f"{module}.{alias.name}") for alias in node.names):
                found.add(module)
    return found


def is_room(module: str) -> bool:
    path = ROOT.joinpath(*module.split("."))
    return module.startswith(("edge.", "sync.")) and (path.with_suffix(".py").is_file() or path.is_dir())


def target(module: str) -> str:
    return room(ROOT.joinpath(*module.split(".")).with_suffix(".py"))


@pytest.mark.parametrize("file", files("edge", "sync"), ids=lambda file: str(file.relative_to(ROOT)))
def test_who_imports_whom(file: Path) -> None:
    me = room(file)
    assert me in MAY, f"{me} is a new room: enter it above"
    ours = {target(name) for name in imports(file) if name.partition(".")[0] in ("edge", "sync")}
    assert ours - {me} <= MAY[me], f"{me} may not import {sorted(ours - {me} - MAY[me])}"


@pytest.mark.parametrize("file", files("edge", "sync"), ids=lambda file: str(file.relative_to(ROOT)))
def test_rooms_that_decide_touch_nothing(file: Path) -> None:
    me = room(file)
    if me in WORDS | PURE | CONDUCT | {"sync.wire"}:
        touched = {name.partition(".")[0] for name in imports(file)} & FORBIDDEN
        assert touched <= SPARED.get(me, set()), f"{me} imports {touched}"


def test_the_table_has_no_room_that_is_gone() -> None:
    there = {room(file) for file in files("edge", "sync")}
    assert set(MAY) <= there, sorted(set(MAY) - there)


def test_nothing_imports_the_tools_or_the_tests() -> None:
    for file in files("edge", "sync"):
        assert not {name for name in imports(file) if name.partition(".")[0] in ("tools", "tests", "bench")}, file


@pytest.mark.parametrize("file", files("edge", "sync", "tools"), ids=lambda file: str(file.relative_to(ROOT)))
def test_a_room_opens_with_its_rules_and_stays_small(file: Path) -> None:
    text = file.read_text()
    tree = ast.parse(text)
    assert ast.get_docstring(tree), f"{file} does not say what it is"
    assert len(text.splitlines()) <= LINES, f"{file} has outgrown a room"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < BODY, f"{file}: {node.name} is too long"


def texts() -> Iterator[Path]:
    """Every text of the repository, without what git ignores."""
    kinds = {".py", ".md", ".toml", ".txt", ".in", ".lock", ".rules", ".service", ".html", ".js", ".css", ""}
    folders = (
        "bench", "campaigns", "docs", "edge", "firmware_config", "requirements", "sync", "systemd", "tests", "tools",
        ".ci",
    )  # fmt: skip
    for file in (*ROOT.glob("[!.]*"), *(file for folder in folders for file in ROOT.joinpath(folder).rglob("*"))):
        if file.is_file() and file.suffix in kinds and not {"__pycache__", "corpus"} & set(file.parts):
            yield file


def test_nothing_names_a_developers_machine() -> None:
    """No home folder, no mirror of packages: a clone must work anywhere."""
    private = re.compile(r"(?<![\w.~-])/(?:home|root|work|Users)/\w")
    for file in texts():
        text = file.read_text(errors="replace")
        assert not private.search(text), f"{file}: {private.search(text)}"
        if "requirements" in file.parts:
            assert "://" not in text, file
            assert not re.search(r"^--(?:extra-)?index|^--find-links|^--trusted", text, re.MULTILINE), file


def test_locks_hold_a_digest_for_every_package() -> None:
    for lock in sorted(ROOT.joinpath("requirements").glob("*.lock")):
        pinned = re.findall(r"^[a-z0-9-]+==\S+ \\\n    --hash=sha256:", lock.read_text(), re.MULTILINE)
        named = re.findall(r"^[a-z0-9-]+==", lock.read_text(), re.MULTILINE)
        assert named, lock
        assert len(named) == len(pinned), lock


def test_the_locks_agree() -> None:
    """One version of a package in all of them; run within demo within dev."""
    pins = {}
    for name in ("run", "demo", "dev"):
        text = ROOT.joinpath("requirements", f"{name}.lock").read_text()
        pins[name] = set(re.findall(r"^[a-z0-9-]+==\S+", text, re.MULTILINE))
    assert pins["run"] < pins["demo"] < pins["dev"]
