"""`miscall doctor`: what is wrong with this box, and one sentence on what to do about each.

It looks and never touches: no port is opened, nothing is set. A finding is good or bad; a bad one carries its remedy.
Of a line whose campaign speaks it also looks at what talking takes: a modem with a voice, its sound port, prompts,
room for recordings, and a way to make them small for the road.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from edge import box, campaign, config, profile, recognise, recordings, status, words
from edge.campaign import Campaign
from edge.port import holder
from tools.voice import ESPEAK

ROOM = 200 * 2**20  # bytes: years of calls, and enough for SQLite to work in


class Finding(NamedTuple):
    """`remedy` is empty when all is well."""

    what: str
    remedy: str = ""


def run(config_path: str, calibrate: str | None) -> int:
    """Print every finding; 1 when one is bad. Raises SettingsError when a file is refused."""
    if calibrate is not None:
        print("doctor --calibrate: not in this version", file=sys.stderr)
        return 1
    found = list(examine(box.check(config_path)))
    for one in found:
        print(f"WRONG  {one.what}\n       {one.remedy}" if one.remedy else f"good   {one.what}")
    wrong = sum(bool(one.remedy) for one in found)
    if wrong:
        print(f"{wrong} of {len(found)} checks want something done, see above", file=sys.stderr)
    return 1 if wrong else 0


def examine(found: config.BoxConfig) -> Iterator[Finding]:
    """All checks of a box whose files are in order."""
    yield Finding(f"{found.path} and its campaigns are in order")
    yield from _unfinished(found.path)
    seen = status.snapshot(found)
    yield from _ports(found, seen["lines"])
    yield from _data(found.data)
    yield from _voices(found, seen["lines"])
    yield _clock(found, seen["clock"])
    yield _broker(found.hq)
    yield from _states(found.path, seen)
    yield _rival()


def _unfinished(file: Path) -> Iterator[Finding]:
    """What `box new` could not know and left for a person."""
    for place, line in enumerate(file.read_text().splitlines(), 1):
        setting, _, todo = line.partition("# TODO: ")
        if todo:
            key = setting.partition("=")[0].strip()
            remedy = f"Put in {todo}; then take out the word TODO."
            yield Finding(f"{file}, line {place}: {key} is still a guess", remedy)


def is_port(path: str) -> bool:
    """Is there a character device, as every serial port is?"""
    return os.path.exists(path) and stat.S_ISCHR(os.stat(path).st_mode)


def _ports(found: config.BoxConfig, lines: list[dict[str, object]]) -> Iterator[Finding]:
    pids = {line["name"]: str(line.get("pid")) for line in lines}
    for line in found.lines:
        for port in filter(None, (line.port, line.rescue_port, line.audio_port)):
            culprit = holder(port) if is_port(port) else ""
            if not os.path.exists(port):
                remedy = f"Plug in the modem of line {line.name}, or correct its port: `miscall modem list` shows all."
                yield Finding(f"{line.name}: {port} is not there", remedy)
            elif not is_port(port):
                remedy = "Correct its path: `miscall modem list` shows all ports."
                yield Finding(f"{line.name}: {port} is no serial port", remedy)
            elif culprit and pids.get(line.name) not in _family(culprit):
                remedy = "Stop that program; the line comes back by itself."
                yield Finding(f"{line.name}: {port} is held by {culprit.replace('(pid ', '(process ')}", remedy)
            elif not os.access(port, os.R_OK | os.W_OK):
                remedy = "Put the box's user into the group dialout, then log in again."
                yield Finding(f"{line.name}: {port} may not be opened by this user", remedy)
            else:
                yield Finding(f"{line.name}: {port} is there, " + ("its line uses it" if culprit else "and free"))


def _family(culprit: str) -> tuple[str, str]:
    """The process that `holder` found and the one that started it: a line's helper holds the sound port."""
    pid = culprit.rpartition("pid ")[2].rstrip(")")
    try:
        return pid, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
    except (OSError, IndexError):
        return pid, ""


def _data(data: Path) -> Iterator[Finding]:
    if not data.exists():  # nothing is made here: made by root, it would be closed to the box's own user
        place = next(folder for folder in data.parents if folder.exists())
        may = os.access(place, os.W_OK | os.X_OK)
        if may:
            yield Finding(f"{data} is not there yet: the first start makes it")
        else:
            remedy = f"Make {data} and give it to the box's user; the systemd unit makes /var/lib/miscall by itself."
            yield Finding(f"{data} is not there, and this user may not make it", remedy)
        return
    try:
        with tempfile.TemporaryFile(dir=data) as probe:
            probe.write(b"0" * 4096)
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        remedy = "Give the folder to the box's user, or free space."
        yield Finding(f"{data} cannot be written ({error.strerror})", remedy)
        return
    free = os.statvfs(data).f_bavail * os.statvfs(data).f_frsize
    low = free < ROOM
    yield Finding(f"{data}: {words.size(free)} free", "Free space or put in a bigger card." if low else "")


def _voices(found: config.BoxConfig, lines: list[dict[str, Any]]) -> Iterator[Finding]:
    """What talking takes, of a box on which a campaign speaks."""
    speaking = {one.id: one for one in box.speaking(found)}
    profiles = profile.load_all()
    for line, said in zip(found.lines, lines, strict=True):
        if line.campaign in speaking:
            yield _voice(line, profiles.get(line.modem) or profiles.get(str(said.get("modem"))))
            if why := recognise.offered(line.words, speaking[line.campaign].languages)[1]:
                remedy = f"Take `words` out of line {line.name} in box.toml, or install requirements/asr.lock."
                yield Finding(f"{line.name}: {why}", remedy)
    for one in speaking.values():
        yield from _prompts(one)
    if speaking:
        yield _encoder(found.hq)
        room = recordings.room(found.data)
        remedy = "Free space or put in a bigger card; until then who wants to leave a message is asked to call again."
        yield Finding(f"{found.data}: there is {'' if room else 'no '}room for recordings", "" if room else remedy)


def _voice(line: config.LineConfig, modem: profile.Profile | None) -> Finding:
    if modem is None:
        return Finding(f"{line.name}: whether its modem can talk is known once the line has run")
    if modem.voice is None:
        remedy = "Put its SIM into a modem that has one; until then callers of this line are treated as missed calls."
        return Finding(f"{line.name}: a {modem.label} has no voice over USB", remedy)
    if modem.voice.pcm and line.audio_port:
        return Finding(f"{line.name}: talks through {line.audio_port}")
    if modem.voice.files is not None:
        return Finding(f"{line.name}: talks by files inside its {modem.label}")
    remedy = f"Name it as audio_port of line {line.name} in box.toml; `miscall modem list` shows it."
    return Finding(f"{line.name}: a {modem.label} talks through its sound port, and none is named", remedy)


def _prompts(found: Campaign) -> Iterator[Finding]:
    for language, one in box.spoken(found).items():
        what = f"campaign {found.id}: {{}} of {sum(one)} prompts in {language}"
        if not sum(one):
            yield Finding(f"campaign {found.id} has no words in {language}", "Write them below [menu], or take it out.")
        elif one.missing:
            first = "" if shutil.which(ESPEAK) else f" (as root, first: apt-get install {ESPEAK})"
            remedy = f"Record them, or let `miscall campaign voice {found.path}` make drafts{first}."
            yield Finding(f"{what.format(one.missing)} are missing: another language is heard, or a beep", remedy)
        elif one.drafts:
            yield Finding(f"{what.format(one.drafts)} are a machine's; a person's voice is understood, and trusted")
        else:
            yield Finding(f"{what.format('all')} are recorded")


def _encoder(hq: config.HqLink) -> Finding:
    if not hq.data_mb_per_day:
        return Finding("recordings stay on the box: data_mb_per_day is 0")
    if recordings.encoder(Path("wav"), Path("opus")):
        return Finding("recordings can be made small for the road to headquarters")
    remedy = "As root: apt-get install opus-tools; until then recordings wait on the box."
    return Finding("recordings cannot be made small for the road: opusenc and soundfile are not installed", remedy)


def _clock(found: config.BoxConfig, clock: dict[str, object]) -> Finding:
    """An untrusted clock costs certain times; where a campaign has quiet hours it also costs replies and call-backs."""
    if clock["trusted"]:
        return Finding(f"clock: {clock['words']}")
    names = sorted({line.campaign for line in found.lines})
    loaded = [campaign.load(found.campaign_files(name)[0], set(found.text) | {"number"}) for name in names]
    quiet = [one.id for one in loaded if one.quiet or one.callback]
    remedy = "Connect the box to the internet for a minute (NTP), or wait for the mobile network's time."
    if not quiet:
        return Finding(f"clock: {clock['words']}; calls are kept with an uncertain time", remedy)
    remedy += ' If something else keeps this clock right, set `clock = "trusted"` below [box].'
    which = f"campaign{'s' if len(quiet) > 1 else ''} {', '.join(quiet)}"
    lost = "goes out, and nobody is rung back," if any(one.callback for one in loaded) else "goes out,"
    return Finding(f"clock: {clock['words']}; no reply of {which} {lost} for its quiet hours cannot be told", remedy)


def _broker(hq: config.HqLink) -> Finding:
    try:
        with socket.create_connection((hq.host, hq.port), timeout=3):
            return Finding(f"headquarters' broker {hq.host}:{hq.port} can be reached")
    except OSError as error:
        remedy = "Check the box's internet and `url` below [hq]; calls are kept here until it is back."
        return Finding(f"headquarters' broker {hq.host}:{hq.port}: {error.strerror or error}", remedy)


def _states(file: Path, seen: dict[str, Any]) -> Iterator[Finding]:
    """What the processes last said; of a box that does not run, only what is wrong with its files."""
    now_ms, lines = seen["now_ms"], seen["lines"]
    running = any(status.alive(line.get("pid")) for line in lines)
    if not running:
        yield Finding("the box is not running", f"Start it: `miscall box run {file}`, or: systemctl start miscall-box")
    for line in lines:
        said = words.line_said(line, now_ms)
        if running or line.get("state") in ("damaged", "disk"):
            yield Finding(f"{line['name']}: {said.title}. {said.sentence}", said.todo if said.tone != "good" else "")
        for waits in words.waiting_said(line):
            yield Finding(f"{line['name']}: {waits}")
    link = words.link_said(seen["uplink"], now_ms)
    if running:
        yield Finding(f"uplink: {link.title}. {link.sentence}", link.todo if link.tone in ("bad", "warn") else "")
        if sound := words.sound_said(seen["uplink"]):
            yield Finding(f"uplink: {sound}")


def _rival() -> Finding:
    """ModemManager opens every modem it sees and takes its answers."""
    for process in Path("/proc").glob("[0-9]*/comm"):
        try:
            name = process.read_text().strip()
        except OSError:
            continue
        if name == "ModemManager":
            remedy = "Install the udev rule of firmware_config/udev, or: systemctl mask --now ModemManager"
            return Finding("ModemManager runs here and takes answers away from the box", remedy)
    return Finding("no ModemManager in the way")
