"""HQ's file, read once by each of its processes, refused whole when anything in it is wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from edge import settings
from edge.config import LISTEN
from edge.config import ConfigError as ConfigError  # whoever loads, catches it here
from sync.hq import silence, tariff
from sync.hq.people.profiles import PROFILES, Retention
from sync.hq.silence import Window
from sync.hq.tariff import Tariff

ALL_SHARDS = frozenset(range(64))
_SHARDS = r"\d\d(-\d\d)?(,\d\d(-\d\d)?)*"
_ORIGIN = r"https://([A-Za-z0-9-]+\.)*[A-Za-z0-9-]+(:\d{1,5})?"
_LOOPBACK = r"(127\.0\.0\.1|\[?::1\]?|localhost):\d+"


@dataclass(frozen=True, slots=True)
class HqConfig:
    """Headquarters. `store` is "sqlite" or the address of a PostgreSQL database; `shards` are those that this receiver
    owns; `listen` is "" when the page is switched off; `origin` is where a proxy with TLS shows it,
    "https://hq.example.org", or "" when browsers come to `listen` itself; `second_proof`: must those of strong roles
    set up a code from their telephone; `tariff` is what things cost, and `campaigns`
    the folder of all campaigns' files, where they are told; `ca`, `cert`, `key` are PEM files for an mqtts broker, or
    None; `silence` are the windows in which results of votes are hidden."""

    path: Path
    data: Path
    broker: str = field(repr=False)  # may hold a password
    store: str = field(repr=False)
    shards: frozenset[int]
    listen: str
    campaigns: Path | None = None
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    tariff: Tariff | None = None
    origin: str = ""
    second_proof: bool = True
    retention: Retention = field(default_factory=Retention)
    silence: tuple[Window, ...] = ()


def load(path: Path | str) -> HqConfig:
    """The configuration in one file. Raises ConfigError with every problem in it."""
    file = Path(path).absolute()
    top = settings.read(path, ConfigError)
    hq, web = top.table("hq", required=True), top.table("web")
    config = HqConfig(
        path=file,
        data=file.parent / hq.text("data"),
        broker=_broker(hq),
        store=_store(hq),
        shards=_shards(hq),
        listen=web.text("listen", "127.0.0.1:8800", pattern=LISTEN, allowed='"host:port", or "" to switch it off'),
        campaigns=_folder(top.table("campaigns"), "folder", file.parent),
        ca=_file(hq, "ca", file.parent),
        cert=_file(hq, "cert", file.parent),
        key=_file(hq, "key", file.parent),
        tariff=tariff.read(top),
        second_proof=web.text("second_proof", "required", choices=("required", "offered")) == "required",
        origin=web.text("origin", "", pattern=_ORIGIN, allowed='"https://" and the name that browsers ask for').lower(),
        retention=_retention(top.table("retention")),
        silence=silence.read(top),
    )
    if config.listen and not config.origin and not re.fullmatch(_LOOPBACK, config.listen):
        wrong = f'"{config.listen}" can be reached by others, and passwords would cross the network in the clear'
        web.refuse("listen", wrong, '127.0.0.1, or any address once `origin` below [web] is "https://..."')
    if bool(config.cert) != bool(config.key):
        hq.refuse("cert" if config.key else "key", "missing", "cert and key together")
    top.finish(ConfigError)
    return config


def _retention(table: settings.Table) -> Retention:
    """[retention]: how long what is kept. A profile's least time is no setting."""
    profile = table.text("profile", "IN", choices=tuple(PROFILES))
    least = PROFILES[profile].keep_days if profile in PROFILES else 0
    return Retention(
        profile,
        table.integer("audio_days", 90, low=1, high=3650),
        table.integer("events_days", max(180, least), low=max(1, least), high=3650),
    )


def _broker(table: settings.Table) -> str:
    url = table.text("broker")
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("mqtt", "mqtts") and bool(parts.hostname) and parts.port != 0
        good = good and not (parts.path.strip("/") or parts.query or parts.fragment)
    except ValueError:
        good = False
    if url and not good:  # the value is not shown: there may be a password in it
        table.refuse("broker", "this is no broker", "mqtt://host:port or mqtts://user:password@host:port")
    return url


def _store(table: settings.Table) -> str:
    store = table.text("store", "sqlite")
    if store == "sqlite":
        return store
    try:
        parts = urlsplit(store)
        good = parts.scheme in ("postgresql", "postgres") and parts.port != 0 and bool(parts.path.strip("/"))
    except ValueError:
        good = False
    if not good:  # the value is not shown: there may be a password in it
        table.refuse("store", "this is no store", '"sqlite", or postgresql://user:password@host:port/database')
    return store


def _file(table: settings.Table, key: str, base: Path) -> Path | None:
    name = table.text(key, "")
    if name and not (base / name).is_file():
        table.refuse(key, f"{base / name} does not exist", "the path of a PEM file")
    return base / name if name else None


def _folder(table: settings.Table, key: str, base: Path) -> Path | None:
    name = table.text(key, "")
    if name and not (base / name).is_dir():
        table.refuse(key, f"{base / name} does not exist", "the path of a folder with <id>.toml of each campaign")
    return base / name if name else None


def _shards(table: settings.Table) -> frozenset[int]:
    allowed = '"00-63", or some of these: "00-15,32"'
    value = table.text("shards", "00-63", pattern=_SHARDS, allowed=allowed)
    if not re.fullmatch(_SHARDS, value):
        return ALL_SHARDS
    owned: set[int] = set()
    for span in value.split(","):
        low, _, high = span.partition("-")
        owned.update(range(int(low), int(high or low) + 1))
    if not owned or not owned <= ALL_SHARDS:
        table.refuse("shards", f'"{value}" is not within 00 to 63, low before high', allowed)
    return frozenset(owned)
