"""The `miscall` command: a thin table over the rooms, nouns first.

Each entry says what one command takes, shows one example and names the room that does it; the room is imported only
when it is asked for, so that help, a typing error and the small commands start at once. Exit status: 0 done; 1
refused or failed, after one clear line a problem on stderr; 2 wrong use.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

Parser = argparse.ArgumentParser


class Command(NamedTuple):
    """`words` as typed; `room` is "module:function", called with the arguments in the order of `takes`."""

    words: str
    does: str
    room: str
    takes: Callable[[Parser], None]
    example: str


def _config(parser: Parser) -> None:
    parser.add_argument("config", metavar="CONFIG", help="the box's file, box.toml")


def _line(parser: Parser) -> None:
    _config(parser)
    parser.add_argument("name", metavar="NAME", help="a line's name in it")


def _status(parser: Parser) -> None:
    _config(parser)
    parser.add_argument("--json", action="store_true", help="for programs")


def _exported(*what: str) -> Callable[[Parser], None]:
    def takes(parser: Parser) -> None:
        parser.add_argument("config", metavar="CONFIG", help="box.toml or hq.toml")
        parser.add_argument("what", choices=what)
        parser.add_argument("--format", choices=("jsonl", "csv"), default="jsonl")

    return takes


def _hq(parser: Parser) -> None:
    parser.add_argument("config", metavar="CONFIG", help="headquarters' file, hq.toml")


def _audit(parser: Parser) -> None:
    _hq(parser)
    parser.add_argument("--quiet", action="store_true", help="the verdict only")
    parser.add_argument("--noted", default="", metavar="DIGEST", help="does this digest, noted earlier, stand in it?")


def _account(parser: Parser) -> None:
    _hq(parser)
    parser.add_argument("name", metavar="NAME", help="the account's name")


def _snapshot(parser: Parser) -> None:
    _hq(parser)
    parser.add_argument("file", metavar="FILE", help="a new SQLite file; nothing is overwritten")


def _order(parser: Parser) -> None:
    _hq(parser)
    parser.add_argument("box", metavar="BOX", help="the box's id")
    parser.add_argument("line", metavar="LINE", help="the line's name in it; - for an opt-out, which counts on all")
    parser.add_argument("verb", choices=("call-back", "case", "sms", "opt-out"), help="what it shall do")
    particulars = (
        "call-back: NUMBER [CAMPAIGN]; case: REFERENCE STATE; sms: NUMBER LANGUAGE TEXT [CAMPAIGN], to a caller of the "
        "last 30 days, at most 3 SMS long, sent when the line's rules allow it; opt-out: NUMBER, which nothing undoes"
    )
    parser.add_argument("particulars", nargs="+", metavar="WHAT", help=particulars)


def _import(parser: Parser) -> None:
    _hq(parser)
    parser.add_argument("what", choices=("outcomes",))
    parser.add_argument("file", metavar="FILE", help="CSV with the columns number, at, goal, note")
    parser.add_argument("--campaign", default="", metavar="ID", help="whose outcomes; needed where there are several")
    parser.add_argument("--goal", default="", choices=("registered", "attended", "pledged"), help="of rows without one")


def _demo(parser: Parser) -> None:
    parser.add_argument("--boxes", type=_count, default=2, metavar="N", help="offices (default 2)")
    parser.add_argument("--lines", type=_count, default=4, metavar="N", help="SIMs in each (default 4)")
    parser.add_argument("--minutes", type=_minutes, metavar="M", help="stop by itself and print totals")
    parser.add_argument("--headless", action="store_true", help="no live view: lines of text")


def _new(parser: Parser) -> None:
    parser.add_argument("folder", metavar="FOLDER", help="made if it is not there; nothing in it is overwritten")
    parser.add_argument("--yes", action="store_true", help="ask nothing, take what is found")
    _ports(parser)


def _ports(parser: Parser) -> None:
    parser.add_argument("--ports", nargs="+", default=[], metavar="GLOB", help="look at these ports instead")


def _sim(parser: Parser) -> None:
    parser.add_argument("folder", metavar="FOLDER", help="where the ports appear")
    parser.add_argument("--profile", default="generic", metavar="NAME", help="which kind of modem (default generic)")
    parser.add_argument("--modems", type=_count, default=1, metavar="N", help="how many (default 1)")


def _campaign(parser: Parser) -> None:
    parser.add_argument("file", metavar="FILE", help="a campaign, <id>.toml")


def _voice(parser: Parser) -> None:
    _campaign(parser)
    parser.add_argument("--again", action="store_true", help="make drafts anew that are up to date")


def _try(parser: Parser) -> None:
    _campaign(parser)
    parser.add_argument("--sound", metavar="WAV", help="write what the caller heard to this file")
    parser.add_argument("--play", action="store_true", help="play it on this machine's loudspeaker, in real time")
    parser.add_argument("--browser", action="store_true", help="on a telephone in the browser, with a microphone")


def _picture(parser: Parser) -> None:
    _campaign(parser)
    parser.add_argument("--out", metavar="SVG", help="write to this file, not to standard output")


def _doctor(parser: Parser) -> None:
    _config(parser)
    parser.add_argument("--calibrate", metavar="LINE", help="measure a line's modem (not in this version)")


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError("a whole number from 1 to 64 is wanted")
    return int(text)


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes <= 10_000:
        raise argparse.ArgumentTypeError("minutes, more than 0, are wanted")
    return minutes


HELD_BY_BOX = ("calls", "messages", "recordings", "events")
HELD_BY_HQ = ("calls", "messages", "recordings", "answers", "cases", "consents", "boxes")
COMMANDS = (
    Command("demo", "a whole district on this machine", "tools.demo:run", _demo, "demo --minutes 1 --headless"),
    Command("box new", "write a box.toml and a first campaign", "tools.boxnew:run", _new, "box new /etc/miscall"),
    Command("box run", "the whole box in the foreground", "edge.box:run", _config, "box run /etc/miscall/box.toml"),
    Command("box line", "one line of it", "edge.line:run", _line, "box line /etc/miscall/box.toml l1"),
    Command("box uplink", "its road to headquarters", "sync.uplink:run", _config, "box uplink /etc/miscall/box.toml"),
    Command("box page", "its local page", "edge.page:run", _config, "box page /etc/miscall/box.toml"),
    Command("box export", "what its ledgers hold", "edge.export:run", _exported(*HELD_BY_BOX),
            "box export /etc/miscall/box.toml calls --format csv > calls.csv"),
    Command("box status", "how it is", "edge.status:run", _status, "box status /etc/miscall/box.toml"),
    Command("hq run", "receiver and web page in the foreground", "tools.hqrun:run", _hq, "hq run hq.toml"),
    Command("hq receive", "the receiver", "sync.hq.receiver:run", _hq, "hq receive hq.toml"),
    Command("hq web", "the web page", "sync.hq.web:run", _hq, "hq web hq.toml"),
    Command("hq export", "what headquarters holds", "sync.hq.export:run", _exported(*HELD_BY_HQ),
            "hq export hq.toml calls > calls.jsonl"),
    Command("hq snapshot", "one file for an auditor, its callers keyed", "sync.hq.snapshot:run", _snapshot,
            "hq snapshot hq.toml audit.db"),
    Command("hq audit", "its log of changes, and whether it is whole", "sync.hq.doors.audit:run", _audit,
            "hq audit hq.toml --quiet"),
    Command("hq code", "a new code to join with, when no admin can give one", "sync.hq.doors.console:run", _account,
            "hq code hq.toml asha"),
    Command("hq counts", "write the day's totals to a file that is bound to those before", "sync.hq.doors.counts:run",
            _hq, "hq counts hq.toml"),
    Command("hq order", "ask something of a box's line", "sync.hq.orders:run", _order,
            "hq order hq.toml nashik-07 l1 case 4712936 contacted"),
    Command("hq import", "what became of callers, from a CSV file", "sync.hq.people.importing:run", _import,
            "hq import hq.toml outcomes attended.csv --campaign water --goal attended"),
    Command("campaign check", "what is wrong with a campaign", "tools.campaigns:check", _campaign,
            "campaign check campaigns/water.toml"),
    Command("campaign try", "walk it as a caller", "tools.campaigns:try_out", _try,
            "campaign try campaigns/water-menu.toml"),
    Command("campaign voice", "drafts of its prompts, said by a machine", "tools.voice:run", _voice,
            "campaign voice campaigns/water-menu.toml"),
    Command("campaign picture", "draw its conversation, as SVG", "tools.flow:picture", _picture,
            "campaign picture campaigns/water-menu.toml > water.svg"),
    Command("modem sim", "modems in software", "tools.simmodem:run", _sim,
            "modem sim /tmp/ports --profile sim7600 --modems 2"),
    Command("modem list", "modems on this machine", "tools.modemlist:run", _ports, "modem list"),
    Command("doctor", "what is wrong with a box, and what to do", "tools.doctor:run", _doctor,
            "doctor /etc/miscall/box.toml"),
)  # fmt: skip
NOUNS = {
    "box": "the box in the field office",
    "hq": "headquarters",
    "campaign": "what a number stands for",
    "modem": "modems, real ones and simulated ones",
}


def parser() -> Parser:
    """The whole command line."""
    top = Parser(
        prog="miscall",
        description="A box that turns a missed call into a heard voice.",
        epilog="Example:\n  miscall demo --minutes 1",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    nouns = top.add_subparsers(required=True, metavar="COMMAND")
    verbs: dict[str, Any] = {}
    for command in COMMANDS:
        noun, _, verb = command.words.partition(" ")
        if verb and noun not in verbs:
            group = nouns.add_parser(noun, help=NOUNS[noun], description=NOUNS[noun])
            verbs[noun] = group.add_subparsers(required=True, metavar="COMMAND")
        one = (verbs[noun] if verb else nouns).add_parser(
            verb or noun,
            help=command.does,
            description=command.does[0].upper() + command.does[1:] + ".",
            epilog=f"Example:\n  miscall {command.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.takes(one)
        one.set_defaults(room=command.room)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    given = vars(parser().parse_args(arguments))
    module, _, function = given.pop("room").partition(":")
    try:
        return int(getattr(importlib.import_module(module), function)(*given.values()))
    except KeyboardInterrupt:
        return 1
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if not _expected(error):
            raise
        print(error, file=sys.stderr)
        return 1


def _expected(error: Exception) -> bool:
    """Is this a refusal, whose text is for the person at the keyboard, rather than a mistake of ours?"""
    from edge.settings import SettingsError

    return isinstance(error, SettingsError | OSError)
