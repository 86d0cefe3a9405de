"""The whole box in the foreground: its lines, its uplink and its page, one process each.

Everything that can be wrong is found before anything is started: box.toml, each line's campaign, the language a line
asks for, the data folder. What can only be found by talking to a modem (no port, no SIM, a PIN) belongs to its line,
which says so in words and tries again, the others unharmed.
"""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path
from typing import IO

from edge import campaign, config, supervise
from edge.settings import Problem, SettingsError


def run(config_path: Path | str) -> int:
    """Run the box in that file until SIGTERM. Raises SettingsError with every problem, nothing started."""
    box = check(config_path)
    with _claim(box):
        return supervise.run(children(box))


def check(config_path: Path | str) -> config.BoxConfig:
    """The configuration, with all that it names looked at. Raises SettingsError with every problem."""
    box = config.load(config_path)
    problems: list[Problem] = []
    for place, line in enumerate(box.lines, 1):
        if line.name in ("uplink", "page"):  # they have a state file of that name
            wrong = f'"{line.name}" is another process of the box'
            problems.append(Problem(str(box.path), f"line.{place}.name", wrong, 'any other name, such as "l1"'))
    for name in sorted({line.campaign for line in box.lines}):
        for file in box.campaign_files(name):
            problems += _campaign_problems(box, name, file)
    if problems:
        raise config.ConfigError(problems)
    return box


def _campaign_problems(box: config.BoxConfig, name: str, file: Path) -> list[Problem]:
    try:
        found = campaign.load(file, known={"number", *box.text})
    except SettingsError as error:
        return list(error.problems)
    problems = []
    if found.id != name:
        problems.append(Problem(str(file), "id", f'"{found.id}" is not the name of the file', f'"{name}"'))
    families = {language.partition("-")[0] for language in found.languages}
    for place, line in enumerate(box.lines, 1):
        if line.campaign == name and line.language and line.language.partition("-")[0] not in families:
            wrong = f'"{line.language}" is not spoken by {file}'
            problems.append(Problem(str(box.path), f"line.{place}.language", wrong, ", ".join(found.languages)))
    return problems


def children(box: config.BoxConfig) -> list[supervise.Child]:
    """The box's processes. Lines first: they are what voters reach."""
    path, state = str(box.path), box.data / "state"
    found = []
    for line in box.lines:
        pulse = state / f"{line.name}.json"
        found.append(supervise.miscall(line.name, "box", "line", path, line.name, pulse=pulse))
    # the uplink may stand still while a name server does not answer, and nobody is the wiser if it is killed then
    found.append(supervise.miscall("uplink", "box", "uplink", path, pulse=state / "uplink.json", patience=60))
    if box.listen:
        found.append(supervise.miscall("page", "box", "page", path, pulse=state / "page.json"))
    return found


def _claim(box: config.BoxConfig) -> IO[str]:
    """Hold the data folder for this box alone, for as long as the file returned is open."""
    lock = box.data / "box.lock"
    try:
        box.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = open(lock, "a+")  # noqa: SIM115 (the caller closes it)
    except OSError as error:
        wrong = f"{error.filename}: {error.strerror}"
        raise config.ConfigError([Problem(str(box.path), "box.data", wrong, "a folder the box may write to")]) from None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.seek(0)
        wrong = f"{box.data} is in use by another miscall box run (process {held.read().strip() or 'unknown'})"
        held.close()
        raise config.ConfigError([Problem(str(box.path), "box.data", wrong, "stop that one first")]) from None
    held.truncate(0)
    held.write(str(os.getpid()))
    held.flush()
    return held


def main(arguments: list[str]) -> int:
    """`python -m edge CONFIG`: the box without the tools."""
    if len(arguments) != 1:
        print("usage: python -m edge CONFIG", file=sys.stderr)
        return 2
    try:
        return run(arguments[0])
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
