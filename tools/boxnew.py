"""`miscall box new`: a working box.toml and a first campaign, from what is plugged in.

It asks little (the box's name, the country, the number of each SIM, and of a modem that can talk whether it shall
answer) and has an answer ready for each; without a terminal, or with --yes, it takes those. What it cannot know is
marked TODO in the file, which is valid all the same. A line that answers begins with a shipped campaign, whose prompts
a machine says until people have recorded them. Nothing is ever overwritten.
"""

from __future__ import annotations

import importlib.resources
import json
import re
import socket
import sys
import zoneinfo
from collections.abc import Callable, Sequence
from pathlib import Path

import phonenumbers

from edge import box, config
from tools import modemlist, voice

SHIPPED = Path(__file__).resolve().parent.parent / "campaigns"
MENU = "water-menu"  # the shipped campaign of a line that answers
CAMPAIGN = """\
id = "first"
title = "My first campaign"
mode = "missed-call"          # the call is never answered: the caller pays nothing
languages = ["en"]            # the first is the default; a text for each below

[reply.en]                    # without it no SMS is sent
text = "Thank you! Your call is counted. Reply STOP to opt out."

[reply.policy]
once_per = "24h"              # one reply per caller in this time, however often she calls

[schedule]
quiet = "22:00-06:00"         # no SMS at night; the replies go out in the morning
"""
_BOX = """\
# One box. `miscall doctor {file}` says what is wrong with it, `miscall box run {file}` starts it.
[box]
id = {id}
data = {data}
country = {country}
timezone = {timezone}

[box.text]                    # what replies may say as {{office}}
# office = "Tehsil office, Nashik"
{lines}
[hq]
url = "mqtt://127.0.0.1:1883" # TODO: headquarters' broker

[page]
listen = "127.0.0.1:8700"     # the office's own page; "" switches it off

[campaigns]
folder = "campaigns"
"""
_LINE = """
[[line]]{about}
name = {name}
number = {number}{todo}
campaign = {campaign}
port = {port}
{extra}"""
_NO_PORT = '"/dev/ttyUSB0"         # TODO: the port of its modem, which `miscall modem list` shows'


def run(folder: str, yes: bool, ports: Sequence[str]) -> int:
    """Write FOLDER/box.toml and FOLDER/campaigns/first.toml, and beside that the campaign of a line that answers;
    refuse when one of the first two is there already."""
    base = Path(folder).absolute()
    file, first = base / "box.toml", base / "campaigns" / "first.toml"
    for path in (file, first):
        if path.exists():
            print(f"{path}: is there already; nothing was written. Name another folder, or edit it.", file=sys.stderr)
            return 1
    ask = _default if yes or not sys.stdin.isatty() else _ask
    found = modemlist.modems(modemlist.scan(ports))
    text, answers = _write(base, ask, found)
    first.parent.mkdir(parents=True, exist_ok=True)
    first.write_text(CAMPAIGN)
    file.write_text(text)
    if not answers or _menu(first.parent / f"{MENU}.toml"):
        box.check(file)
    print(f"{file}: {len(found)} modems found" + ("" if found else "; one line is laid out, its port is TODO"))
    print(f"Next: look through it (TODO marks what nobody could know), then: miscall doctor {file}")
    return 0


def _menu(file: Path) -> bool:
    """Write the campaign of a line that answers, and have a machine say its prompts; False when it could not."""
    if not file.exists():
        file.write_text((SHIPPED / file.name).read_text())
    if voice.run(str(file), False):
        print(f"{file}: the box starts once this campaign has prompts", file=sys.stderr)
        return False
    return True


def _write(base: Path, ask: Callable[[str, str, str], str], found: list[modemlist.Modem]) -> tuple[str, bool]:
    """The text of box.toml, and whether one of its lines answers."""
    here = re.sub(r"[^a-z0-9-]+", "-", socket.gethostname().partition(".")[0].lower()).strip("-")[:40]
    name = ask("Name of this box (a-z, 0-9, -)", here or "box-1", config.NAME)
    zone = _zone()
    country = ask("Country, two letters", _country(zone), "|".join(sorted(phonenumbers.SUPPORTED_REGIONS)))
    lines: list[str] = []
    taken: set[str] = set()
    answers = False
    for place, modem in enumerate(found or [None], 1):
        told = modem.at.number if modem and modem.at.number not in taken else ""  # what the SIM itself believes
        where = f" in {modem.at.maker} {modem.at.model} at {modem.at.port}" if modem else ""
        guess = told or _example(country, place)
        number = ask(f"Number of the SIM{where} (+ country code)", guess, _other_than(taken))
        taken.add(number)
        can_talk = modem is not None and modem.talks
        menu = bool(can_talk) and ask("Shall this line answer with a menu, yes or no", "no", "yes|no") == "yes"
        lines.append(_line(place, modem, number, bool(told) or number != guess, MENU if menu else "first"))
        answers |= menu
    data = "/var/lib/miscall" if base.is_relative_to("/etc") else "data"
    values = {"id": name, "data": data, "country": country, "timezone": _timezone(country, zone)}
    quoted = {key: json.dumps(value) for key, value in values.items()}
    return _BOX.format(file=base / "box.toml", lines="".join(lines), **quoted), answers


def _line(place: int, modem: modemlist.Modem | None, number: str, known: bool, campaign: str) -> str:
    extra = ""
    if modem and modem.rescue:
        extra += f"rescue_port = {json.dumps(modem.rescue)}\n"
    if modem and modem.audio:
        extra += f"audio_port = {json.dumps(modem.audio)}\n"
    return _LINE.format(
        about=f"                      # {modem.at.maker} {modem.at.model}" if modem else "                      # TODO",
        name=json.dumps(f"l{place}"),
        number=json.dumps(number),
        todo="" if known else "      # TODO: the number of this SIM, as on the posters",
        campaign=json.dumps(campaign),
        port=json.dumps(modem.at.port) if modem else _NO_PORT,
        extra=extra,
    )


def _default(question: str, answer: str, pattern: str) -> str:
    return answer


def _ask(question: str, answer: str, pattern: str) -> str:
    """What the person types, asked again until it fits; Enter takes `answer`."""
    while True:
        typed = input(f"{question} [{answer}]: ").strip() or answer
        if re.fullmatch(pattern, typed):
            return typed
        print("That does not fit; once more, or Enter for the answer in brackets.")


def _other_than(taken: set[str]) -> str:
    """A pattern for an E.164 number that no other line has."""
    return r"\+(?!(?:" + "|".join(number[1:] for number in taken) + r")$)[1-9]\d{6,14}" if taken else r"\+[1-9]\d{6,14}"


def _example(country: str, place: int) -> str:
    """A number of the country's mobile form, another for each line: it stands there until the true one is known."""
    example = phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.MOBILE)
    example = example or phonenumbers.example_number(country)
    assert example is not None
    return f"+{example.country_code}{example.national_number + place - 1}"


def _zone() -> str:
    """The machine's time zone by name, or "" when it is set to none."""
    link = Path("/etc/localtime")
    name = str(link.readlink()).partition("zoneinfo/")[2] if link.is_symlink() else ""
    return name if name in zoneinfo.available_timezones() and "/" in name and not name.startswith("Etc/") else ""


def _zones() -> list[tuple[str, str]]:
    """Pairs of country and zone, the main zone of a country first."""
    table = importlib.resources.files("tzdata").joinpath("zoneinfo/zone.tab").read_text()
    rows = (line.split("\t") for line in table.splitlines() if not line.startswith("#"))
    return [(row[0], row[2]) for row in rows]


def _country(zone: str) -> str:
    return next((country for country, name in _zones() if name == zone), "IN")


def _timezone(country: str, zone: str) -> str:
    """The machine's own when it is of that country, else the country's first."""
    of_country = [name for code, name in _zones() if code == country]
    return zone if zone in of_country else (of_country or ["UTC"])[0]
