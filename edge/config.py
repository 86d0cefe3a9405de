"""box.toml, read once by each process of a box, refused whole when anything in it is wrong.

All problems are told at once, each with file, key, what was wrong and what is allowed, so that an installer who edits
the file on a phone line needs one try, not ten. Relative paths are relative to the file. Whether the campaigns
themselves are in order is `campaign`'s question; here only: does the file that a line names exist?
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast
from urllib.parse import urlsplit

from edge import profile, settings

NAME = r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?"
NAME_ALLOWED = "1 to 40 of a-z, 0-9 and -, no - at an end"
_LANGUAGE = r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*"
LISTEN = r"|(?:\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):\d{1,5}"
_WORDS = r"off|pocketsphinx|vosk:[a-z]{2,3}:.+"
_WORDS_ALLOWED = '"off", "pocketsphinx", or "vosk:hi:/folder/of/a/model"'
_NUMBER = r"\+[1-9]\d{6,14}"


class ConfigError(settings.SettingsError):
    """A configuration was refused. `problems` has all of them; `str()` is one line each."""


@dataclass(frozen=True, slots=True)
class LineConfig:
    """One SIM in one modem. `language`, `rescue_port` and `audio_port` are empty when not given; `modem` is "auto" or
    a profile's name; `sms_per_day` is the purse of the SIM, in SMS parts; `words` is the recogniser of spoken words
    beside the keys, or "off"."""

    name: str
    number: str = field(repr=False)
    campaign: str
    language: str
    channel: str
    port: str
    rescue_port: str
    audio_port: str
    modem: str
    sms_per_day: int = 90
    words: str = "off"


@dataclass(frozen=True, slots=True)
class HqLink:
    """Where headquarters' broker is; `ca`, `cert`, `key` are paths of PEM files, or empty; `data_mb_per_day` (millions
    of bytes) is what sound may cost on the road in a day, 0: none is sent."""

    url: str = field(repr=False)  # may hold a password
    ca: str = ""
    cert: str = ""
    key: str = ""
    data_mb_per_day: float = 5.0

    @property
    def tls(self) -> bool:
        return self.url.startswith("mqtts:")

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or (8883 if self.tls else 1883)


@dataclass(frozen=True, slots=True)
class BoxConfig:
    """One box. `listen` is "" when the local page is switched off; `campaigns` is the folder beside the file, and
    `data / "campaigns"` has those that headquarters delivered; `recordings_days` is how long a recording stays here
    after headquarters has acknowledged it."""

    path: Path
    id: str
    data: Path
    district: str
    country: str
    timezone: str
    text: dict[str, str]
    clock: Literal["auto", "trusted"]
    lines: tuple[LineConfig, ...]
    hq: HqLink
    listen: str
    campaigns: Path
    recordings_days: int = 90

    def line(self, name: str) -> LineConfig:
        """The line called `name`. Raises ConfigError that lists those there are."""
        for line in self.lines:
            if line.name == name:
                return line
        known = ", ".join(line.name for line in self.lines)
        raise ConfigError([settings.Problem(str(self.path), "line", f'there is no line "{name}"', known)])

    def campaign_files(self, campaign: str) -> tuple[Path, ...]:
        """The files that hold a campaign: headquarters' first, then the one beside box.toml; only those that exist."""
        places = (self.data / "campaigns" / f"{campaign}.toml", self.campaigns / f"{campaign}.toml")
        return tuple(place for place in places if place.is_file())


def load(path: Path | str) -> BoxConfig:
    """The configuration in one file. Raises ConfigError with every problem in it."""
    file = Path(path).absolute()
    top = settings.read(path, ConfigError)
    base = file.parent
    box, hq, page, campaigns = (top.table(name, required=name in ("box", "hq")) for name in _SECTIONS)
    identity = box.text("id", pattern=NAME, allowed=NAME_ALLOWED)
    config = BoxConfig(
        path=file,
        id=identity,
        data=base / box.text("data"),
        district=box.text("district", identity, pattern=NAME, allowed=NAME_ALLOWED),
        country=_country(box),
        timezone=_timezone(box),
        text=_texts(box.table("text")),
        clock=cast('Literal["auto", "trusted"]', box.text("clock", "auto", choices=("auto", "trusted"))),
        lines=tuple(_line(line, base) for line in top.tables("line", required=True)),
        hq=_hq(hq, base),
        listen=_listen(page),
        campaigns=base / campaigns.text("folder", "campaigns"),
        recordings_days=box.integer("recordings_days", 90, high=36_500),
    )
    _cross_check(top, config)
    top.finish(ConfigError)
    return config


_SECTIONS = ("box", "hq", "page", "campaigns")


def _line(table: settings.Table, base: Path) -> LineConfig:
    line = LineConfig(
        name=table.text("name", pattern=NAME, allowed=NAME_ALLOWED),
        number=table.text("number", pattern=_NUMBER, allowed="E.164: + country code and number, digits only"),
        campaign=table.text("campaign", pattern=NAME, allowed=NAME_ALLOWED),
        language=table.text("language", "", pattern=_LANGUAGE, allowed='a BCP 47 code such as "mr"'),
        channel=table.text("channel", "", pattern=r"[^\x00-\x1f]{1,64}", allowed="up to 64 characters"),
        port=_path(table, "port", base),
        rescue_port=_path(table, "rescue_port", base, ""),
        audio_port=_path(table, "audio_port", base, ""),
        modem=table.text("modem", "auto", choices=("auto", *sorted(p.stem for p in profile.MODEMS.glob("*.toml")))),
        sms_per_day=table.integer("sms_per_day", 90, high=10_000),
        words=table.text("words", "off", pattern=_WORDS, allowed=_WORDS_ALLOWED),
    )
    if re.fullmatch(_NUMBER, line.number) and not _possible(line.number):
        table.refuse("number", f'"{line.number}" is too short or too long for its country', "the number on the posters")
    return line


def _path(table: settings.Table, key: str, base: Path, default: str | None = None) -> str:
    value = table.text(key, default)
    return str(base / value) if value else ""


def _possible(number: str) -> bool:
    """Has the number a length that its country knows? New ranges come faster than tables, so no more is asked."""
    import phonenumbers  # here, not above: it costs 15 ms, which a look into box.toml need not pay twice

    try:
        return bool(phonenumbers.is_possible_number(phonenumbers.parse(number)))
    except phonenumbers.NumberParseException:
        return False


def _country(box: settings.Table) -> str:
    import phonenumbers

    country = box.text("country", pattern=r"[A-Z]{2}", allowed='two capital letters (ISO 3166), such as "IN"')
    if re.fullmatch(r"[A-Z]{2}", country) and country not in phonenumbers.SUPPORTED_REGIONS:
        box.refuse("country", f'"{country}" is no country with telephone numbers', 'ISO 3166, such as "IN" or "KE"')
    return country


def _timezone(box: settings.Table) -> str:
    name = box.text("timezone")
    try:
        zoneinfo.ZoneInfo(name or "UTC")
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        box.refuse("timezone", f'"{name}" is unknown', 'a name of the tz database, such as "Asia/Kolkata"')
    return name


def _texts(table: settings.Table) -> dict[str, str]:
    texts = {}
    for name in table.names():
        texts[name] = table.text(name)
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            table.refuse(name, "a reply cannot name it", "a-z, 0-9 and _, a letter first")
    return texts


def _hq(table: settings.Table, base: Path) -> HqLink:
    ca, cert, key = (_path(table, key, base, "") for key in ("ca", "cert", "key"))
    link = HqLink(table.text("url"), ca, cert, key, table.decimal("data_mb_per_day", 5.0, high=100_000.0))
    try:
        parts = urlsplit(link.url)
        broken = not parts.hostname or parts.port == 0 or bool(parts.path.strip("/") or parts.query)
    except ValueError:
        broken = True
    if link.url and (broken or not link.url.startswith(("mqtt://", "mqtts://"))):
        allowed = "mqtt://host:port, or mqtts://host:port with ca, cert and key"
        table.refuse("url", "this is no broker", allowed)  # what stands there may hold a password
    for key in ("ca", "cert", "key"):
        file = getattr(link, key)
        if file and not link.tls:
            table.refuse(key, "it does nothing without TLS", "a url that begins with mqtts://")
        elif file and not Path(file).is_file():
            table.refuse(key, f"{file} does not exist", "the path of a PEM file")
    if bool(link.cert) != bool(link.key):
        table.refuse("cert" if link.key else "key", "missing", "cert and key together")
    return link


def _listen(page: settings.Table) -> str:
    allowed = '"host:port", or "" to switch the page off'
    listen = page.text("listen", "127.0.0.1:8700", pattern=LISTEN, allowed=allowed)
    if re.fullmatch(LISTEN, listen) and int(listen.rpartition(":")[2] or 0) > 65535:
        page.refuse("listen", f'"{listen}" has a port above 65535', allowed)
    return listen


def _cross_check(top: settings.Table, config: BoxConfig) -> None:
    """What one key alone does not show."""
    _once(top, "name", ((line.name,) for line in config.lines))
    _once(top, "number", ((line.number,) for line in config.lines))
    _once(top, "port", ((line.port, line.rescue_port, line.audio_port) for line in config.lines))
    for place, line in enumerate(config.lines, 1):
        if re.fullmatch(NAME, line.campaign) and not config.campaign_files(line.campaign):
            wrong = f"there is no {config.campaigns / line.campaign}.toml"
            there = ", ".join(sorted(file.stem for file in config.campaigns.glob("*.toml"))) or "none is there"
            top.refuse(f"line.{place}.campaign", wrong, f"the id of a campaign in {config.campaigns}: {there}")


def _once(top: settings.Table, key: str, values: Iterable[tuple[str, ...]]) -> None:
    """Refuse what two lines (or two ports of one line) share."""
    seen: dict[str, int] = {}
    for place, mine in enumerate(values, 1):
        for value in filter(None, mine):
            if value in seen:
                top.refuse(f"line.{place}.{key}", f'"{value}" is taken by line.{seen[value]}', f"a {key} of its own")
            seen.setdefault(value, place)
