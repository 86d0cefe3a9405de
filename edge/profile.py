"""How one model of modem speaks: read from `firmware_config/modems/<name>.toml`, checked when read.

A profile is data, flat and whole: nothing is inherited, so one file says all that we rely on for one family. A file
with an unknown key, a wrong type, a pattern that does not compile or an example that its patterns do not match is
refused, with file, key, what was wrong and what is allowed. Every profile ends up with the same safe ground: it
never answers by itself (`ATS0=0` may not fail), hangs up with AT+CHUP before ATH, and stores inbound SMS before they
are told (+CNMI mt=1).

What belongs to a profile: the settings sent at start, the marks of an ended call, the limits of its commands, its USB
interfaces, and, in `[voice]`, how it talks. What every modem shares (+CLIP, +CLCC, ^DSCI, +CMTI, ...) is `urc`'s table
and stands in no profile.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge import settings

MODEMS = Path(__file__).resolve().parent.parent / "firmware_config" / "modems"
GENERIC = "generic"

_AT = r"AT[^\r\n\x1a\x1b]*"
_USB_ID = r"[0-9a-f]{4}:[0-9a-f]{4}"


class ProfileError(settings.SettingsError):
    """A profile was refused."""


@dataclass(frozen=True, slots=True)
class Init:
    """One setting sent at start. Refused: each of `alternatives` is tried; all refused: `retry` times more, `gap`
    seconds apart; still refused: the modem is unfit, unless the setting is `optional`. `timeout` in seconds."""

    cmd: str
    timeout: float
    optional: bool
    alternatives: tuple[str, ...]
    retry: int
    gap: float


@dataclass(frozen=True, slots=True)
class UsbId:
    """Which interface of a USB device is what; `id` is vendor:product, -1 where there is none or nobody knows."""

    id: str
    name: str
    at: int
    modem: int
    audio: int

    def role(self, interface: int) -> str:
        """What to use that interface for: at, rescue (the second AT port), audio, or "" when it is not for us."""
        return {self.at: "at", self.modem: "rescue", self.audio: "audio"}.get(interface, "")


@dataclass(frozen=True, slots=True)
class Files:
    """The commands of a module that plays and records files by itself; {path} stands for `folder` and a name, {size}
    for octets. `sizes` asks for a file's octets where a download does not tell them ("" else)."""

    folder: str
    upload: str
    download: str
    sizes: str
    delete: str
    play: str
    hush: str
    record: str
    end_record: str
    played: tuple[re.Pattern[str], ...]
    failed: tuple[re.Pattern[str], ...]
    recorded: tuple[re.Pattern[str], ...]


@dataclass(frozen=True, slots=True)
class Voice:
    """How a family talks. `before` goes before ATA or ATD, `after` once the call is up, `end` when it is over: for its
    PCM; a family without PCM over USB has none of them. `hear_first`: sends nothing before the modem did. `connected`
    marks that the far end of a call has answered; `lists`: AT+CLCC may be asked while it rings there."""

    pcm: bool
    before: tuple[Init, ...]
    after: tuple[Init, ...]
    end: tuple[str, ...]
    hear_first: bool
    connected: tuple[re.Pattern[str], ...]
    lists: bool
    files: Files | None


@dataclass(frozen=True, slots=True)
class Profile:
    """One family of modems. Times in seconds; `boot_urcs`, `down_urcs` are whole lines, `noise` are beginnings of
    lines, `ended` matches from a line's start; `cgmi` and `cgmm` are substrings, upper and lower case alike."""

    name: str
    label: str
    derived: str
    transcripts: tuple[str, ...]
    cgmi: tuple[str, ...]
    cgmm: tuple[str, ...]
    init: tuple[Init, ...]
    ring_interval_s: float
    clip_wait_s: float
    number_give_up_s: float
    reject: tuple[str, ...]
    reject_waiting: str
    reject_timeout: float
    ended: tuple[re.Pattern[str], ...]
    ended_examples: tuple[str, ...]
    prompt_timeout: float
    send_timeout: float
    storage: str
    boot_urcs: tuple[str, ...]
    down_urcs: tuple[str, ...]
    noise: tuple[str, ...]
    soft_reset: tuple[str, ...]
    usb: tuple[UsbId, ...]
    voice: Voice | None = None  # None: it cannot talk, and a menu has no use of it


def load(path: Path | str) -> Profile:
    """The profile in one file. Raises ProfileError with every problem of that file."""
    top = settings.read(path, ProfileError)
    profile = Profile(
        name=top.text("name", choices=(Path(path).stem,)),
        label=top.text("label"),
        derived=top.text("derived", ""),
        transcripts=top.texts("transcripts", (), pattern=r"[a-z0-9-]+\.txt", allowed="names in tests/transcripts"),
        cgmi=top.texts("cgmi", ()),
        cgmm=top.texts("cgmm", ()),
        init=tuple(_init(one) for one in top.tables("init", required=True)),
        ring_interval_s=top.decimal("ring_interval_s", low=1, high=13),
        clip_wait_s=top.decimal("clip_wait_s", 0.2, low=0, high=3),
        number_give_up_s=top.decimal("number_give_up_s", 3.0, low=0.2, high=10),
        reject=top.texts("reject", pattern=_AT, allowed='AT commands, "AT+CHUP" first'),
        reject_waiting=top.text("reject_waiting", "AT+CHLD=0", pattern=_AT, allowed="an AT command"),
        reject_timeout=top.decimal("reject_timeout", low=1, high=120),
        ended=_patterns(top, "ended"),
        ended_examples=top.texts("ended_examples"),
        prompt_timeout=top.decimal("prompt_timeout", low=1, high=60),
        send_timeout=top.decimal("send_timeout", low=10, high=300),
        storage=top.text("storage", choices=("SM", "ME")),
        boot_urcs=top.texts("boot_urcs", ()),
        down_urcs=top.texts("down_urcs", ()),
        noise=top.texts("noise", ()),
        soft_reset=top.texts("soft_reset", pattern=_AT, allowed="AT commands"),
        usb=tuple(_usb(one) for one in top.tables("usb")),
        voice=_voice(top.table("voice")) if "voice" in top else None,
    )
    _check(top, profile)
    top.finish(ProfileError)
    return profile


def load_all(folder: Path | str = MODEMS) -> dict[str, Profile]:
    """Every profile of a folder by name. Raises ProfileError with the problems of all files at once."""
    profiles: dict[str, Profile] = {}
    problems: list[settings.Problem] = []
    for path in sorted(Path(folder).glob("*.toml")):
        try:
            profiles[path.stem] = load(path)
        except ProfileError as error:
            problems += error.problems
    if not problems and GENERIC not in profiles:
        problems.append(settings.Problem(str(folder), f"{GENERIC}.toml", "missing", "the profile of every other modem"))
    if problems:
        raise ProfileError(problems)
    return profiles


def match(profiles: Mapping[str, Profile], cgmi: str, cgmm: str) -> Profile:
    """The profile of a modem that named itself so: maker and model, else a maker with a single profile, else generic.

    Makers write themselves alike over families that differ (SIMCOM_Ltd, SIMCOM INCORPORATED), so the model decides."""
    maker, model = cgmi.lower(), cgmm.lower()
    of_maker = [p for p in profiles.values() if any(one.lower() in maker for one in p.cgmi)]
    of_model = [p for p in of_maker if any(one.lower() in model for one in p.cgmm)]
    if len(of_model) == 1 or (not of_model and len(of_maker) == 1):
        return (of_model or of_maker)[0]
    return profiles[GENERIC]


def _init(table: settings.Table) -> Init:
    return Init(
        cmd=table.text("cmd", pattern=_AT, allowed="an AT command"),
        timeout=table.decimal("timeout", low=0.5, high=120),
        optional=table.flag("optional", False),
        alternatives=table.texts("alternatives", (), pattern=_AT, allowed="AT commands"),
        retry=table.integer("retry", 0, high=30),
        gap=table.decimal("gap", 0, high=10),
    )


def _usb(table: settings.Table) -> UsbId:
    return UsbId(
        id=table.text("id", pattern=_USB_ID, allowed="vendor:product in hex, such as 2c7c:0125"),
        name=table.text("name"),
        at=table.integer("at", low=0, high=15),
        modem=table.integer("modem", -1, low=0, high=15) if "modem" in table else -1,
        audio=table.integer("audio", -1, low=0, high=15) if "audio" in table else -1,
    )


def _voice(table: settings.Table) -> Voice:
    return Voice(
        pcm=table.flag("pcm"),
        before=tuple(_init(one) for one in table.tables("before")),
        after=tuple(_init(one) for one in table.tables("after")),
        end=table.texts("end", (), pattern=_AT, allowed="AT commands"),
        hear_first=table.flag("hear_first", False),
        connected=_patterns(table, "connected", ()),
        lists=table.flag("lists", True),
        files=_files(table.table("files")) if "files" in table else None,
    )


def _files(table: settings.Table) -> Files:
    def command(key: str, default: str | None = None) -> str:
        return table.text(key, default, pattern=_AT, allowed="an AT command, with {path} where the file's name goes")

    return Files(
        folder=table.text("folder", ""),
        upload=command("upload"), download=command("download"), sizes=command("sizes", ""), delete=command("delete"),
        play=command("play"), hush=command("hush"), record=command("record"), end_record=command("end_record"),
        played=_patterns(table, "played"), failed=_patterns(table, "failed", ()),
        recorded=_patterns(table, "recorded", ()),
    )  # fmt: skip


def _patterns(table: settings.Table, key: str, default: tuple[str, ...] | None = None) -> tuple[re.Pattern[str], ...]:
    compiled = []
    for text in table.texts(key, default):
        try:
            compiled.append(re.compile(text))
        except re.error as error:
            table.refuse(key, f"'{text}' is no pattern: {error}", "regular expressions for one whole line")
    return tuple(compiled)


def _check(top: settings.Table, profile: Profile) -> None:
    """What no single key shows: the ground that every modem must stand on."""
    sent = [one.cmd for one in profile.init]
    mandatory = {one.cmd for one in profile.init if not one.optional and not one.alternatives}
    for needed in ("ATE0", "AT+CMGF=0", "ATS0=0"):
        if needed not in mandatory:
            top.refuse("init", f"{needed} is missing or may be refused", f"{needed}, not optional, no alternative")
    for doubled in sorted({cmd for cmd in sent if sent.count(cmd) > 1}):
        top.refuse("init", f"{doubled} stands in it twice", "each setting once")
    if any(cmd.startswith("ATS0") and cmd != "ATS0=0" for cmd in sent):
        top.refuse("init", "a setting of S0 other than 0 answers calls", "ATS0=0 only")
    if profile.reject and profile.reject[0] != "AT+CHUP":
        top.refuse("reject", f"{profile.reject[0]} comes first", "AT+CHUP first: to ATH some say OK and ring on")
    if profile.voice is not None and not profile.voice.pcm and profile.voice.files is None:
        top.refuse("voice", "neither PCM nor files of its own", "pcm = true, or [voice.files]; or no [voice] at all")
    for line in profile.ended_examples:
        if not any(pattern.match(line) for pattern in profile.ended):
            top.refuse("ended_examples", f'"{line}" is matched by no pattern of `ended`', "a line that is an end mark")
    for pattern in profile.ended:
        if not any(pattern.match(line) for line in profile.ended_examples):
            top.refuse("ended", f"'{pattern.pattern}' has no example", "one line in `ended_examples` for each pattern")
    if bool(profile.transcripts) == bool(profile.derived):
        top.refuse("transcripts", "both or neither of it and `derived`", "transcripts, else what it is derived from")
