"""The whole box in the foreground: its lines, its uplink and its page, one process each.

Everything that can be wrong is found before anything is started: box.toml, each line's campaign, the language a line
asks for, the data folder, and whether a campaign that speaks has anything to say. A prompt that is missing here and
there is only told: callers hear the nearest language. What can only be found by talking to a modem (no port, no SIM, a
PIN, no voice) belongs to its line, which says so in words and tries again, the others unharmed.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from edge import campaign, config, prompts, supervise
from edge.campaign import Campaign
from edge.dialogue import Clip
from edge.prompts import Prompts
from edge.settings import Problem, SettingsError


class Spoken(NamedTuple):
    """How many prompts of a campaign lie ready in one language: said by people, said by a machine; how many do not."""

    recorded: int
    drafts: int
    missing: int


def run(config_path: Path | str) -> int:
    """Run the box in that file until SIGTERM. Raises SettingsError with every problem, nothing started."""
    box = check(config_path)
    for words in unsaid(box):
        print(f"warning: {words}", file=sys.stderr, flush=True)
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
    if found.speaks and not _has_voice(found):
        wrong = f"not one prompt in {prompts.folder(file)} can be played: callers would hear a beep and no word"
        remedy = f"WAV files there (8 kHz, 16 bit, one channel); `miscall campaign voice {file}` makes drafts"
        problems.append(Problem(str(file), "menu", wrong, remedy))
    families = {language.partition("-")[0] for language in found.languages}
    for place, line in enumerate(box.lines, 1):
        if line.campaign == name and line.language and line.language.partition("-")[0] not in families:
            wrong = f'"{line.language}" is not spoken by {file}'
            problems.append(Problem(str(box.path), f"line.{place}.language", wrong, ", ".join(found.languages)))
    return problems


def _has_voice(found: Campaign) -> bool:
    """Is there one prompt that callers can hear, in whatever language?"""
    assert found.menu is not None
    heard = Prompts(prompts.folder(found.path), found.menu)
    return any(heard.file(Clip(*named)) for named in found.menu.texts)


def spoken(found: Campaign) -> dict[str, Spoken]:
    """Of each language of a campaign that speaks, what lies ready of the prompts that it has words for."""
    if not found.menu:
        return {}
    heard, counts = Prompts(prompts.folder(found.path), found.menu), dict.fromkeys(found.languages, Spoken(0, 0, 0))
    for name, language in found.menu.texts:
        if language in counts:
            file, sofar = heard.file(Clip(name, language)), counts[language]
            if file not in (heard.recording(name, language), heard.draft(name, language)):
                counts[language] = sofar._replace(missing=sofar.missing + 1)
            elif file == heard.recording(name, language):
                counts[language] = sofar._replace(recorded=sofar.recorded + 1)
            else:
                counts[language] = sofar._replace(drafts=sofar.drafts + 1)
    return counts


def speaking(box: config.BoxConfig) -> Iterator[Campaign]:
    """The campaigns of the box that speak, each once, as its lines will read them."""
    for name in sorted({line.campaign for line in box.lines}):
        found = campaign.load(box.campaign_files(name)[0])
        if found.speaks:
            yield found


def unsaid(box: config.BoxConfig) -> Iterator[str]:
    """What callers of this box do not hear in their own language, a sentence for each campaign and language."""
    for found in speaking(box):
        for language, one in spoken(found).items():
            if one.missing:
                lack = f"{found.path}: {one.missing} of {sum(one)} prompts in {language} are missing"
                yield f"{lack}: another language is heard, or a beep; `miscall campaign check {found.path}` names them"


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
