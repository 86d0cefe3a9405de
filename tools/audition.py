"""What is wrong with a campaign's prompts as they sound: every file that a caller would hear is measured.

What is heard is what `Prompts` would give and what `compose_menu` puts together; nothing is guessed from the words. An
error is what a caller cannot use: a beep in place of words, a file that cannot be played, a prompt or a menu that
outlasts her memory. Thresholds of loudness lie far apart, so that ears, not decimals, decide in between.
"""

from __future__ import annotations

import difflib
import statistics
from collections.abc import Iterator
from pathlib import Path

from edge.advice import Finding, warn
from edge.campaign import Campaign
from edge.dialogue import Clip
from edge.menu import Menu, Node, compose_languages, compose_menu
from edge.prompts import Prompts, is_draft
from edge.prompts import sound as pcm
from edge.wavfile import WavError, data_of
from tools import sound

PROMPT_MS, MENU_MS, IDENTITY_MS = 12_000, 20_000, 5_000
TOO_QUIET_DB, TOO_LOUD_DB, APART_DB = -30.0, -12.0, 6.0
LEAD_MS, TAIL_MS = 300, 600
_SHOWN = 5  # names in one line
_CONVERT = "sox IN.wav -r 8000 -b 16 -c 1 OUT.wav converts it"


def findings(found: Campaign, folder: Path) -> list[Finding]:
    """All that is to be said about the prompts of a campaign in their folder; nothing for one without [menu].

    Raises OSError when a file is there and cannot be read."""
    menu = found.menu
    if not menu:
        return []
    prompts = Prompts(folder, menu)
    told = [*_unplayable(prompts), *_strangers(prompts), *_missing(prompts), *_drafts(prompts)]
    told += _measured(sorted({path for clip in _clips(menu) if (path := prompts.file(clip))}))
    return told + list(_too_long(prompts, calls=found.callback is not None))


def menu_ms(prompts: Prompts, node: Node, language: str) -> int:
    """How long a node with options takes to be said, all of it, in milliseconds."""
    return _heard_ms(prompts, compose_menu(prompts.menu, node, language))


def _heard_ms(prompts: Prompts, clips: tuple[Clip, ...]) -> int:
    return sum(clip.pause_ms + prompts.length_ms(clip) for clip in clips)


def _clips(menu: Menu) -> list[Clip]:
    """Every clip that may be wanted, in each language of the campaign; a language is offered in its own words alone."""
    found = []
    for name in dict.fromkeys(name for name, _ in menu.texts):
        kind, _, code = name.partition("-")
        found += [Clip(name, one) for one in menu.languages if kind != "language" or one == code]
    return found


def _key(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


# ------------------------------------------------------------------------------------- the folder


def _unplayable(prompts: Prompts) -> Iterator[Finding]:
    for path in sorted(prompts.folder.glob("*.wav")):
        try:
            if data_of(path.read_bytes())[1]:
                continue
            why = "there is no sound in it"
        except WavError as error:
            why = str(error)
        yield Finding("error", _key(path), why, f"it is not heard; {_CONVERT}")


def _strangers(prompts: Prompts) -> Iterator[Finding]:
    """Recordings that nobody will hear, most of them misspelt."""
    names = sorted({name for name, _ in prompts.menu.texts})
    for path in sorted(prompts.folder.glob("*.wav")):
        name, _, language = path.name.removesuffix(".wav").partition(".")
        if not is_draft(path) and (name not in names or not language):
            near = difflib.get_close_matches(name, names, 1)
            remedy = f"is {near[0]}.{language or 'hi'}.wav meant?" if near else "its name is <clip>.<language>.wav"
            yield warn(_key(path), "no clip of this campaign has this name", remedy)


def _missing(prompts: Prompts) -> Iterator[Finding]:
    """Clips without a file in their language, gathered by what is heard in their place."""
    instead: dict[tuple[str, str], list[str]] = {}
    for clip in _clips(prompts.menu):
        path = prompts.file(clip)
        heard = path.name.split(".")[1] if path else "a beep"
        if heard != clip.language and (not path or (clip.name, clip.language) in prompts.menu.texts):
            instead.setdefault((clip.language, heard), []).append(clip.name)
    for (language, heard), names in instead.items():
        problem = f"{len(names)} prompts in {language} are missing, {heard} is heard: {_some(names)}"
        remedy = "record them, or let `miscall campaign voice FILE` make drafts"
        yield Finding("error" if heard == "a beep" else "warning", prompts.folder.name, problem, remedy)


def _drafts(prompts: Prompts) -> Iterator[Finding]:
    for language in prompts.menu.languages:
        clips = [clip for clip in _clips(prompts.menu) if clip.language == language]
        names = [clip.name for clip in clips if (path := prompts.file(clip)) and is_draft(path)]
        if names:
            problem = f"a machine says {len(names)} of {len(clips)} prompts in {language}: {_some(names)}"
            remedy = f"record them as <clip>.{language}.wav: a person's voice is understood, and trusted"
            yield warn(prompts.folder.name, problem, remedy)


# ------------------------------------------------------------------------------------ what is heard


def _measured(paths: list[Path]) -> Iterator[Finding]:
    """Each file by itself, then all of them side by side."""
    loud: dict[Path, float] = {}
    for path in paths:
        values = sound.samples(pcm(path))
        loudness = sound.loudness(values)
        if loudness <= -100:
            yield Finding("error", _key(path), "nobody speaks in it", "record it again")
            continue
        loud[path] = loudness
        yield from _one(_key(path), values, loudness)
    usual = statistics.median(loud.values()) if loud else 0.0
    for path, loudness in loud.items():
        if abs(loudness - usual) > APART_DB and TOO_QUIET_DB <= loudness <= TOO_LOUD_DB:
            problem = f"{abs(loudness - usual):.0f} dB {'louder' if loudness > usual else 'quieter'} than most"
            yield warn(_key(path), problem, _gain(usual - loudness))


def _one(key: str, values: sound.Samples, loudness: float) -> Iterator[Finding]:
    if len(values) * 1000 // sound.RATE > PROMPT_MS:
        problem = f"it takes {len(values) / sound.RATE:.1f} s"
        yield Finding("error", key, problem, f"{PROMPT_MS // 1000} s at most: say less, or in two steps")
    if loudness < TOO_QUIET_DB:
        problem = f"too quiet: {loudness:.0f} dBFS, a telephone line hums louder"
        yield warn(key, problem, _gain(sound.LOUDNESS_DB - loudness))
    if loudness > TOO_LOUD_DB:
        yield warn(key, f"too loud: {loudness:.0f} dBFS", _gain(sound.LOUDNESS_DB - loudness))
    if clipped := sound.clipped(values):
        times = "once" if clipped == 1 else f"{clipped} times"
        yield warn(key, f"it is distorted: clipped {times}", "record it again, further from the microphone")
    lead, tail = sound.edges_ms(values)
    if lead > LEAD_MS:
        problem = f"{lead / 1000:.1f} s of silence before the first word"
        yield warn(key, problem, "cut it off: who hears nothing hangs up")
    if tail > TAIL_MS:
        problem = f"{tail / 1000:.1f} s of silence behind the last word"
        yield warn(key, problem, "cut it off: pauses are put in where they are needed")


def _gain(change: float) -> str:
    return f"change it by {change:+.0f} dB (sox IN.wav OUT.wav gain {change:+.0f})"


def _too_long(prompts: Prompts, calls: bool) -> Iterator[Finding]:
    """What is put together of several clips, as the caller hears it."""
    menu = prompts.menu
    most = f"{MENU_MS // 1000} s at most: fewer or shorter options"
    for node in menu.nodes.values():
        for language in menu.languages if node.options else ():
            if (took := menu_ms(prompts, node, language)) > MENU_MS:
                problem = f"with its options it takes {took / 1000:.1f} s in {language}"
                yield Finding("error", f"menu.node.{node.id}", problem, most)
    if len(menu.languages) > 1 and (took := _heard_ms(prompts, compose_languages(menu))) > MENU_MS:
        yield Finding("error", "languages", f"to offer them takes {took / 1000:.1f} s", most)
    for language in menu.languages if calls else ():
        if (took := prompts.length_ms(Clip("identity", language))) > IDENTITY_MS:
            problem = f"{took / 1000:.1f} s in {language}: who calls, and how to stop it, is to be said in the first 5"
            yield warn("callback.identity", problem, "shorten it")
