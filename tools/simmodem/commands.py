"""AT commands: cutting a line into commands, remembering settings, and who the modem is.

A handler gets (modem, op, argument, now); op is "" (run), "=" (set), "?" (read) or "=?" (test). It
returns its lines, returns None when it answers in its own time, or raises `Refusal`. A command
without a handler remembers its value if `SETTINGS` or the family's `vendor` lists it; any other is
unknown to this modem.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.simmodem.modem import SimModem

Handler = Callable[["SimModem", str, str, float], "list[str] | None"]

_CME_WORDS = {
    3: "operation not allowed",
    4: "operation not supported",
    10: "SIM not inserted",
    11: "SIM PIN required",
    12: "SIM PUK required",
    14: "SIM busy",
    16: "incorrect password",
    30: "no network service",
    50: "incorrect parameters",
    100: "unknown",
}

# name -> (value after power-on, what may be set, answer to =?)
SETTINGS: dict[str, tuple[str, str, str]] = {
    "E": ("1", "[01]?", ""),
    "V": ("1", "[01]?", ""),
    "Q": ("0", "[01]?", ""),
    "X": ("4", "[0-4]?", ""),
    "&C": ("1", "[01]?", ""),
    "&D": ("2", "[0-2]?", ""),
    "&W": ("0", "[01]?", ""),
    "S0": ("0", r"\d+", ""),
    "S3": ("13", r"\d+", ""),
    "S4": ("10", r"\d+", ""),
    "+CMEE": ("0", "[0-2]", "(0-2)"),
    "+CRC": ("0", "[01]", "(0,1)"),
    "+CLIP": ("0", "[01]", "(0,1)"),
    "+CLIR": ("0", "[0-2]", "(0-2)"),
    "+COLP": ("0", "[01]", "(0,1)"),
    "+CCWA": ("0", r"[01](,[0-2](,\d+)?)?", "(0,1)"),
    "+CSSN": ("0,0", "[01](,[01])?", "(0,1),(0,1)"),
    "+CVHU": ("0", "[01]", "(0,1)"),
    "+CREG": ("0", "[0-2]", "(0-2)"),
    "+CGREG": ("0", "[0-2]", "(0-2)"),
    "+CEREG": ("0", "[0-2]", "(0-2)"),
    "+CUSD": ("0", "[0-2]", "(0-2)"),
    "+CTZU": ("1", "[0-3]", "(0,1)"),
    "+CSCS": ('"GSM"', '"(GSM|IRA|UCS2|HEX)"', '("GSM","IRA","UCS2")'),
    "+CMGF": ("0", "[01]", "(0,1)"),
    "+CSMS": ("0", "[01]", "(0,1)"),
    "+CNMI": ("0,0,0,0,0", r"\d(,\d){0,4}", "(0-2),(0-3),(0,2),(0-2),(0,1)"),
    "+CPMS": ('"SM","SM","SM"', r'"\w+"(,"\w+"){0,2}', '("SM","ME"),("SM","ME"),("SM","ME")'),
    "+CSCA": ('"+919800000001",145', r'"[^"]*"(,\d+)?', ""),
    "+CSMP": ("17,167,0,0", ".*", ""),
    "+CSDH": ("0", "[01]", "(0,1)"),
    "+CMMS": ("0", "[0-2]", "(0-2)"),
    "+CFUN": ("1", "[0147](,[01])?", "(0,1,4),(0,1)"),
    "+CLVL": ("5", r"\d+", "(0-5)"),
    "+CMUT": ("0", "[01]", "(0,1)"),
    "+CSTA": ("129", r"\d+", "(129,145)"),
    "+VTD": ("0", r"\d+", "(0-255)"),
}

_NEEDS_SIM = {"+CMGS", "+CMGL", "+CMGR", "+CMGD", "+CMGW", "+CMSS", "+CPMS", "+CSCA"}
_NEEDS_SIM_CME = {"+CIMI", "+CNUM", "+CUSD", "+CLCK", "+CPWD", "+CPBS", "D", "+CCID", "+CICCID", "+QCCID", "^ICCID"}
_TOKEN = re.compile(
    r"\s*(?:(?P<ext>[+^$*#%][A-Z0-9_]+)(?P<op>=\?|\?|=)(?P<arg>(?:\"[^\"]*\"|[^;\"])*)"
    r"|(?P<dial>D[^;]*;?)|(?P<s>S\d+)(?P<sop>\?|=\d*)|(?P<plain>[+^$*#%][A-Z0-9_]+)|(?P<basic>&?[A-Z])(?P<n>\d*));?",
    re.IGNORECASE,
)


class Refusal(Exception):
    """The command fails: family "CME", "CMS", or "" for a bare ERROR or another final."""

    def __init__(self, kind: str = "", code: int = -1, words: str = "ERROR") -> None:
        super().__init__(words)
        self.kind, self.code, self.words = kind, code, words

    def final(self, modem: SimModem) -> str:
        mode = modem.settings["+CMEE"]
        if self.kind == "CMS":
            return f"+CMS ERROR: {self.code}"
        if self.kind == "CME" and mode == "1":
            return f"+CME ERROR: {self.code}"
        if self.kind == "CME" and mode == "2":
            return f"+CME ERROR: {_CME_WORDS.get(self.code, 'unknown')}"
        return self.words


def split(line: str) -> Iterator[tuple[str, str, str]]:
    """`E0V1+CREG?;+CSQ;D121;` -> (name, op, argument) one by one. Raises `Refusal`."""
    at = 0
    while at < len(line):
        match = _TOKEN.match(line, at)
        if match is None or match.end() == at:
            raise Refusal()
        at = match.end()
        if match["ext"]:
            yield match["ext"].upper(), match["op"], match["arg"].strip()
        elif match["dial"]:
            yield "D", "", match["dial"][1:]
        elif match["s"]:
            yield match["s"].upper(), match["sop"][0], match["sop"][1:]
        elif match["plain"]:
            yield match["plain"].upper(), "", ""
        else:
            name = match["basic"].upper()
            yield name, "=" if name in SETTINGS else "", match["n"]


def register(handlers: dict[str, Handler]) -> None:
    HANDLERS.update(handlers)


def reset(modem: SimModem, left_over: dict[str, str] | None = None) -> None:
    """Every setting as after power-on; `left_over` are those that another program left behind."""
    modem.settings = {name: default for name, (default, _, _) in SETTINGS.items()}
    modem.settings |= modem.family.vendor
    for name, keys in modem.family.named.items():
        modem.settings |= {name + key: value for key, value in keys.items()}
    modem.settings["+CVHU"] = modem.family.cvhu
    store = modem.family.store
    modem.settings["+CPMS"] = f'"{store}","{store}","{store}"'
    modem.settings |= left_over or {}


def run(modem: SimModem, name: str, op: str, argument: str, now: float) -> list[str] | None:
    """One command. Raises `Refusal`."""
    if name in _NEEDS_SIM or name in _NEEDS_SIM_CME:
        _check_sim(modem, "CMS" if name in _NEEDS_SIM else "CME")
    handler = HANDLERS.get(name)
    if name in _ICCID:
        handler = _iccid if name == modem.family.iccid else None
    if handler is not None:
        return handler(modem, op, argument, now)
    return remember(modem, name, op, argument)


def remember(modem: SimModem, name: str, op: str, argument: str) -> list[str]:
    """A command that only keeps a value."""
    if name in modem.family.named:
        return _named(modem, name, op, argument)
    if name not in modem.settings:
        raise Refusal(words=modem.family.unknown)
    if op == "?":
        tail = {"+CLIP": ",1", "+COLP": ",1", "+CLIR": ",4"}.get(name, "")
        return [f"{name}: {modem.settings[name]}{tail}" if name[0] in "+^$" else modem.settings[name].zfill(3)]
    _, allowed, test = SETTINGS.get(name, ("", ".*", "(0-1)"))
    if op == "=?":
        return [f"{name}: {test}"]
    if op == "=" and re.fullmatch(allowed, argument, re.IGNORECASE) is None:
        raise Refusal("CME", 50)
    if op == "=":
        modem.settings[name] = argument or "0"
    return []


def _named(modem: SimModem, name: str, op: str, argument: str) -> list[str]:
    """+QINDCFG="ccinfo",1 sets, +QINDCFG="ccinfo" reads; kept in the settings as +QINDCFG"ccinfo"."""
    key, comma, value = argument.partition(",")
    if op == "=?":
        return [f"{name}: {known},(0-1)" for known in modem.family.named[name]]
    if op != "=" or name + key not in modem.settings:
        raise Refusal("CME", 50)
    if not comma:
        return [f"{name}: {key},{modem.settings[name + key]}"]
    modem.settings[name + key] = value
    return []


def _check_sim(modem: SimModem, kind: str) -> None:
    codes = {"NOT INSERTED": (10, 310), "SIM PIN": (11, 311), "SIM PUK": (12, 316), "BUSY": (14, 314)}
    if modem.sim in codes:
        raise Refusal(kind, codes[modem.sim][kind == "CMS"])


# ------------------------------------------------------------------------------------ identity


def _say(text: Callable[[SimModem], str]) -> Handler:
    def handler(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
        return [] if op == "=?" else [text(modem)]

    return handler


def _iccid(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    number = "8991000" + modem.imei[2:14]
    head = {"+CICCID": "+ICCID: ", "+QCCID": "+QCCID: ", "^ICCID": "^ICCID: "}.get(modem.family.iccid, "")
    return [head + number]


def _ati(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    family = modem.family
    return [f"Manufacturer: {family.cgmi}", f"Model: {family.cgmm}", f"Revision: {family.cgmr}", f"IMEI: {modem.imei}"]


# ------------------------------------------------------------------------- power, SIM, network


def _zap(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    keep = modem.settings["+CFUN"]
    reset(modem)
    modem.settings["+CFUN"] = keep
    return []


def _cfun(modem: SimModem, op: str, argument: str, now: float) -> list[str] | None:
    if op == "=" and argument.endswith(",1"):
        return _restart(modem, op, argument, now)
    said = remember(modem, "+CFUN", op, argument)
    if op == "=" and argument != "1":
        modem.line.power_lost(now)
    modem.mailbox.fetch(now)
    return said


def _restart(modem: SimModem, op: str, argument: str, now: float) -> list[str] | None:
    modem.channel.reply([], "OK", now)
    modem.in_this_life(now + 0.1, modem.restart)
    return None


def _power_off(modem: SimModem, op: str, argument: str, now: float) -> list[str] | None:
    modem.channel.afterwards.append((modem.family.down,))
    return _restart(modem, op, argument, now)


def _cpin(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    sim = modem.sim
    if sim == "BUSY":
        raise Refusal("CME", 14)
    if sim == "NOT INSERTED":
        raise Refusal("CME", 10)
    if op == "?":
        return [f"+CPIN: {sim}"]
    if op != "=" or sim == "READY":
        raise Refusal("CME", 3)
    wanted = modem.options.puk if sim == "SIM PUK" else modem.options.pin
    if argument.replace('"', "").split(",")[0] != wanted:
        modem.pin_tries = max(0, modem.pin_tries - 1)
        raise Refusal("CME", 16)
    modem.unlocked, modem.pin_tries = True, 3
    modem.mailbox.fetch(now)
    return []


def _registration(name: str) -> Handler:
    def handler(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
        if op != "?":
            return remember(modem, name, op, argument)
        mode, status = modem.settings[name], modem.registration
        place = ',"4CA","81DE445"' if mode == "2" and status in (1, 5) else ""
        return [f"{name}: {mode},{status}{place}"]

    return handler


def _cops(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    if op == "=?":
        return [f'+COPS: (2,"{modem.options.operator}","Vi","40420",7),,(0-4),(0-2)']
    if op == "=":
        if argument.startswith("3,"):
            modem.settings["cops"] = argument[2:]
        return []
    if modem.registration not in (1, 5):
        return ["+COPS: 0"]
    form = modem.settings.get("cops", "0")
    name = {"0": modem.options.operator, "1": modem.options.operator[:8], "2": "40420"}[form]
    return [f'+COPS: 0,{form},"{name}"']


def _csq(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    return [f"+CSQ: {modem.options.signal if modem.sim == 'READY' else 99},99"]


def _cclk(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    local = datetime.datetime.fromtimestamp(modem.local_wall(now), datetime.UTC)
    return [f'+CCLK: "{local:%y/%m/%d,%H:%M:%S}{modem.options.zone_quarters:+03d}"'] if op == "?" else []


def _qlts(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    if not modem.family.name.startswith("quectel"):
        raise Refusal()
    wall = modem.local_wall(now) if argument == "2" else modem.wall(now)
    moment = datetime.datetime.fromtimestamp(wall, datetime.UTC)
    return [f'+QLTS: "{moment:%Y/%m/%d,%H:%M:%S}{modem.options.zone_quarters:+03d},0"']


def _lock(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    if op == "=?":
        return ['+CLCK: ("SC")']
    return [f"+CLCK: {int(bool(modem.options.pin))}"] if argument.split(",")[1:2] == ["2"] else []


def _nothing(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    return []


_ICCID = {"+CCID", "+CICCID", "+QCCID", "^ICCID"}
HANDLERS: dict[str, Handler] = {
    "I": _ati,
    "Z": _zap,
    "&F": _zap,
    "+CGMI": _say(lambda m: m.family.cgmi),
    "+GMI": _say(lambda m: m.family.cgmi),
    "+CGMM": _say(lambda m: m.family.cgmm),
    "+GMM": _say(lambda m: m.family.cgmm),
    "+CGMR": _say(lambda m: m.family.cgmr),
    "+GMR": _say(lambda m: m.family.cgmr),
    "+CGSN": _say(lambda m: m.imei),
    "+GSN": _say(lambda m: m.imei),
    "+CIMI": _say(lambda m: "40420" + m.imei[4:14]),
    "+CNUM": _say(lambda m: f'+CNUM: "","{m.options.number}",145'),
    "+GCAP": _say(lambda m: "+GCAP: +CGSM,+DS,+ES"),
    "+CBC": _say(lambda m: "+CBC: 0,95"),
    "+CPAS": _say(lambda m: f"+CPAS: {3 if m.line.ringing() else 4 if m.line.calls else 0}"),
    "+CSQ": _csq,
    "+CFUN": _cfun,
    "+CRESET": _restart,
    "+QPOWD": _power_off,
    "+CPOWD": _power_off,
    "+CPIN": _cpin,
    "+CREG": _registration("+CREG"),
    "+CGREG": _registration("+CGREG"),
    "+CEREG": _registration("+CEREG"),
    "+COPS": _cops,
    "+CCLK": _cclk,
    "+QLTS": _qlts,
    "+CLCK": _lock,
    "+CMER": _nothing,
}
