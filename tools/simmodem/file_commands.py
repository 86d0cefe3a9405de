"""AT commands of the module's own files: store, fetch, list, delete, play to the far end, record it.

SIMCom (A76xx, SIM7600): CFTRANRX, CFTRANTX, FSDEL, FSLS, FSATTRI, CCMXPLAY, CREC, after the AT command
manual of the A76xx (12, 13), its audio application note (3.2, 3.3) and the SIM7600's audio chapter.
Quectel (EC2x): QFUPL, QFDWL, QFLST, QFDEL, QFLDS after the BG96's and UC20's file manuals, QPSND and
QAUDRD after the EC2x manual (12.17, 12.18). What no manual says is marked as inferred.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

from tools.simmodem.commands import Handler, Refusal
from tools.simmodem.drive import checksum

if TYPE_CHECKING:
    from tools.simmodem.modem import SimModem

_DRIVE = re.compile(r'^"?(?:[A-Za-z]:/|UFS:|RAM:)?')
_PATIENCE_S = 30.0  # of SIMCom's upload (inferred)
_NOT_FOUND, _EXISTS, _FULL = 405, 407, 403  # Quectel's +CME ERROR of files; that 403 means full is inferred


def _words(argument: str) -> list[str]:
    """Parameters, the quoted ones as they are."""
    return [word.strip() for word in argument.split(",")]


def _name(word: str) -> str:
    name = _DRIVE.sub("", word.strip()).strip('"')
    if not name:
        raise Refusal()
    return name


def _number(words: list[str], at: int, default: int) -> int:
    if at >= len(words) or not words[at]:
        return default
    if not words[at].isdigit():
        raise Refusal()
    return int(words[at])


# ------------------------------------------------------------------------------------ SIMCom


def _cftranrx(modem: SimModem, op: str, argument: str, now: float) -> list[str] | None:
    words = _words(argument)
    name, size = _name(words[0]), _number(words, 1, 0)
    if size <= 0 or name in modem.files:  # the manual: make sure that the name does not exist (ERROR inferred)
        raise Refusal()

    def done(data: bytes, t: float) -> None:
        if len(data) < size or size > modem.drive.free or 0 < modem.options.upload_max < size:
            modem.channel.reply([], "ERROR", t)
            return
        modem.files[name] = data
        modem.channel.reply([], "OK", t)

    modem.wire.raw(b"\r\n>", now)
    modem.channel.raw(size, _PATIENCE_S, done, now)
    return None


def _cftrantx(modem: SimModem, op: str, argument: str, now: float) -> list[str] | None:
    words = _words(argument)
    file = modem.files.get(_name(words[0]))
    if file is None or _number(words, 3, 0):
        raise Refusal()
    begin = _number(words, 1, 0)
    data = file[begin : begin + _number(words, 2, len(file))]
    block = modem.options.file_block
    blocks = (data[at : at + block] for at in range(0, len(data), block))
    pieces = deque(b"\r\n+CFTRANTX: DATA,%d\r\n%b" % (len(part), part) for part in blocks)
    modem.drive.give(pieces, now, ["+CFTRANTX: 0"], quiet=False)  # URCs between blocks: inferred
    return None


def _fsdel(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    if argument.strip('"') == "*.*":
        modem.files.clear()
    elif modem.files.pop(_name(argument), None) is None:
        raise Refusal()
    return []


def _fsls(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    if op == "?":
        return [f"+FSLS: SUBDIRECTORIES:0,FILES:{len(modem.files)}"]
    return ["+FSLS: FILES:", *sorted(modem.files)] if argument in ("", "0", "2") else []


def _fsattri(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    file = modem.files.get(_name(argument))
    if file is None:
        raise Refusal()
    return [f"+FSATTRI: {len(file)}"]


def _play(wav: bool) -> Handler:
    """CCMXPLAY and CCMXPLAYWAV: path 0 is the loudspeaker, 1 the far end while a call is up."""
    name = "+CCMXPLAYWAV" if wav else "+CCMXPLAY"

    def handler(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
        if wav and modem.family.name != "sim7600":
            raise Refusal()
        if op == "?":
            return [f"{name}: {int(modem.sound.player is not None)}"]
        words = _words(argument)
        file, path, repeat = _name(words[0]), _number(words, 1, 0), _number(words, 2, 0)
        if path > 1 or repeat > 255 or (path == 1 and modem.sound.call is None):
            raise Refusal()
        if not modem.drive.play(file, max(1, repeat), path == 0, now, "WAV" if wav else "AUDIO"):
            raise Refusal()  # that a second one is refused while one plays is inferred
        return [f"{name}:"]

    return handler


def _stop(wav: bool) -> Handler:
    def handler(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
        if wav and modem.family.name != "sim7600":
            raise Refusal()
        modem.drive.stop(now)
        return ["+CCMXSTOPWAV:" if wav else "+CCMXSTOP:"]

    return handler


def _crec(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    short = modem.family.name == "a76xx"
    if op == "?":
        return [f"+CREC: {int(modem.sound.recorder is not None)}"]
    words = _words(argument)
    path = _number(words, 0, -1)
    if path == 0:
        if not modem.drive.keep():
            raise Refusal()  # inferred
        modem.channel.afterwards.append(("+CREC: crec stop" if short else "+RECSTATE: crec stop",))
        return ["+CREC: 0"]
    if path not in (1, 2) or len(words) < 2 or (path == 2 and modem.sound.call is None):
        raise Refusal()
    if not modem.drive.record(_name(words[1]), path == 2, modem.options.record_s if short else 1e6):
        raise Refusal()
    return [f"+CREC: {path}" if short else "+CREC: 1"]  # a SIM7600 says that it records, not what


# ----------------------------------------------------------------------------------- Quectel


def _qfupl(modem: SimModem, op: str, argument: str, now: float) -> list[str] | None:
    words = _words(argument)
    name, size, patience_s = _name(words[0]), _number(words, 1, 10240), _number(words, 2, 5)
    if name in modem.files:
        raise Refusal("CME", _EXISTS)
    if size > modem.drive.free or 0 < modem.options.upload_max < size:
        raise Refusal("CME", _FULL)

    def done(data: bytes, t: float) -> None:
        modem.wire.hold(False)
        modem.files[name] = data  # less than announced when nothing more came in time: it is kept
        modem.channel.reply([f"+QFUPL: {len(data)},{checksum(data):x}"], "OK", t)

    modem.wire.hold(True)
    modem.wire.raw(b"\r\nCONNECT\r\n", now)
    modem.channel.raw(size, patience_s, done, now)
    return None


def _qfdwl(modem: SimModem, op: str, argument: str, now: float) -> list[str] | None:
    data = modem.files.get(_name(argument))
    if data is None:
        raise Refusal("CME", _NOT_FOUND)
    modem.wire.raw(b"\r\nCONNECT\r\n", now)
    pieces = deque(data[at : at + 4096] for at in range(0, len(data), 4096))
    modem.drive.give(pieces, now, [f"+QFDWL: {len(data)},{checksum(data):x}"], quiet=True)
    return None


def _qflst(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    wanted = "*" if op == "" else _name(argument)
    names = sorted(modem.files) if wanted == "*" else [wanted]
    if wanted != "*" and wanted not in modem.files:
        raise Refusal("CME", _NOT_FOUND)
    return [f'+QFLST: "{name}",{len(modem.files[name])}' for name in names]


def _qfdel(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    name = _name(argument)
    if name == "*":
        modem.files.clear()
    elif modem.files.pop(name, None) is None:
        raise Refusal("CME", _NOT_FOUND)
    return []


def _qflds(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    return [f"+QFLDS: {modem.drive.free},{modem.options.disk}"]


def _qpsnd(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    if op == "?":
        return [f"+QPSND: {int(modem.sound.player is not None)}"]
    words = _words(argument)
    if words[0] == "0":
        modem.drive.stop(now)
        return []
    name = _name(words[1]) if words[0] == "1" and len(words) > 2 else ""
    if not name or words[2] not in ("0", "1"):
        raise Refusal("CME", 50)
    if name not in modem.files:
        raise Refusal("CME", _NOT_FOUND)
    # Without a 1 for the uplink the far end hears nothing of it, and without a call nobody does.
    aloud = modem.sound.call is None or words[3:4] != ["1"]
    if not modem.drive.play(name, 1 if words[2] == "0" else 1000, aloud, now):
        raise Refusal("CME", 3)
    return []


def _qaudrd(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    if op == "?":
        return [f"+QAUDRD: {int(modem.sound.recorder is not None)}"]
    words = _words(argument)
    if words[0] == "0":
        modem.drive.keep()
        return []
    if words[0] != "1" or len(words) < 3:
        raise Refusal("CME", 50)
    name, form, far = _name(words[1]), words[2], words[3:4] == ["1"]
    if form != "13" or not name.lower().endswith(".wav") or (far and modem.sound.call is None):
        raise Refusal()
    if name in modem.files:
        modem.channel.afterwards.append(("+QAUDRIND: 0,1",))
    elif not modem.drive.record(name, far, 1e6):
        raise Refusal("CME", 3)
    return []


def _for(kind: str, handlers: dict[str, Handler]) -> dict[str, Handler]:
    """Only that maker's modems know these. A test command is answered OK."""

    def checked(handler: Handler) -> Handler:
        def run(modem: SimModem, op: str, argument: str, now: float) -> list[str] | None:
            if modem.family.files != kind:
                raise Refusal(words=modem.family.unknown)
            return [] if op == "=?" else handler(modem, op, argument, now)

        return run

    return {name: checked(handler) for name, handler in handlers.items()}


HANDLERS: dict[str, Handler] = {
    **_for(
        "simcom",
        {
            "+CFTRANRX": _cftranrx,
            "+CFTRANTX": _cftrantx,
            "+FSCD": lambda modem, op, argument, now: [],
            "+FSDEL": _fsdel,
            "+FSLS": _fsls,
            "+FSATTRI": _fsattri,
            "+CCMXPLAY": _play(False),
            "+CCMXPLAYWAV": _play(True),
            "+CCMXSTOP": _stop(False),
            "+CCMXSTOPWAV": _stop(True),
            "+CREC": _crec,
        },
    ),
    **_for(
        "quectel",
        {
            "+QFUPL": _qfupl,
            "+QFDWL": _qfdwl,
            "+QFLST": _qflst,
            "+QFDEL": _qfdel,
            "+QFLDS": _qflds,
            "+QPSND": _qpsnd,
            "+QAUDRD": _qaudrd,
        },
    ),
}
