"""AT commands of calls: hang up, answer, dial, list, and USSD, which shares the call's channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.simmodem import pdu
from tools.simmodem.calls import CAUSES
from tools.simmodem.commands import Handler, Refusal, remember

if TYPE_CHECKING:
    from tools.simmodem.modem import SimModem


def _ath(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    if modem.settings["+CVHU"] == "0":
        modem.line.hang_up("ATH", now)
    return []  # otherwise OK, and the call goes on


def _chup(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    if op == "":
        modem.line.hang_up("AT+CHUP", now)
    return []


def _qhup(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    if not modem.family.name.startswith("quectel"):
        raise Refusal()
    cause, _, index = argument.partition(",")
    if op != "=" or not cause.isdigit():
        raise Refusal("CME", 50)
    modem.line.hang_up(f"AT+QHUP={cause}", now, lambda call: not index or call.id == int(index))
    return []


def _chld(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    if op == "=?":
        return ["+CHLD: (0,1,1x,2,2x,3)"]
    line = modem.line
    if argument == "0":
        waiting = any(call.state in ("waiting", "held") for call in line.calls)
        states = ("waiting", "held") if waiting else ("ringing",)
        line.hang_up("AT+CHLD=0", now, lambda call: call.state in states)
    elif argument == "1":
        line.hang_up("AT+CHLD=1", now, lambda call: call.state == "active")
        line.answer(now)
    elif argument[:1] == "1" and argument[1:].isdigit():
        line.hang_up(f"AT+CHLD={argument}", now, lambda call: call.id == int(argument[1:]))
    else:
        raise Refusal("CME", 3)
    return []


def _clcc(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    if op == "":
        return modem.line.listing(now)
    return remember(modem, "+CLCC", op, argument)  # only SIMCom's has a value to set


def _ata(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    if not modem.line.answer(now):
        raise Refusal(words="NO CARRIER")
    return []


def _dial(modem: SimModem, op: str, argument: str, now: float) -> list[str] | None:
    number = argument.strip().rstrip(";").replace(" ", "")
    if not argument.endswith(";") or not number.lstrip("+").isdigit():
        raise Refusal(words="NO CARRIER")
    if modem.registration not in (1, 5):
        raise Refusal("CME", 30)
    if modem.line.place(number, now) is None:
        raise Refusal("CME", 3)
    return []


def _in_call(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    """AT+VTS and kin: only while a call is up."""
    call = next((call for call in modem.line.calls if call.state == "active"), None)
    if op == "=" and call is None:
        raise Refusal("CME", 3)
    if call is not None:
        call.keys += argument.replace('"', "").split(",")[0]
    return []


def _dtmf(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    """Huawei's AT^DTMF=<id>,<key>; the stick refuses A to D."""
    if modem.family.name != "huawei-voice":
        raise Refusal(words=modem.family.unknown)
    index, _, key = argument.partition(",")
    call = next((call for call in modem.line.calls if call.state == "active" and str(call.id) == index), None)
    if op != "=" or call is None or len(key) != 1 or key not in "0123456789*#":
        raise Refusal()
    call.keys += key
    return []


def _cpcmreg(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    """SIM7600: while a call is up, and off by itself when it ends."""
    if op == "=" and argument.startswith("1") and (modem.sound.call is None or not modem.options.voice):
        raise Refusal()
    said = remember(modem, "+CPCMREG", op, argument)
    if op == "=":
        modem.sound.switch(argument.startswith("1"))
    return said


def _ddsetex(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    """Huawei: for the call that is up or being set up, anew for each."""
    ours = any(call.state in ("active", "dialing", "alerting") for call in modem.line.calls)
    if modem.family.pcm != "^DDSETEX":
        raise Refusal(words=modem.family.unknown)
    if op != "=" or argument != "2" or not modem.options.voice or not ours:
        raise Refusal()
    modem.sound.switch(True)
    return []


def _qpcmv(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    """Quectel: before the answer, and kept for the calls after; within a call it can only be ended."""
    if op == "=?":
        return ["+QPCMV: (0,1),(0-2)"]
    if op == "=" and argument.startswith("1") and (modem.sound.call is not None or not modem.options.voice):
        raise Refusal()
    said = remember(modem, "+QPCMV", op, argument)
    if op == "=" and argument.startswith("0"):
        modem.sound.switch(False)
    return said


def _ceer(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    cause = modem.line.cause
    return [modem.family.ceer.format(cause=cause, words=CAUSES[cause])] if op == "" else []


def _cusd(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    code = argument.partition(",")[2].split(",")[0].strip('"')
    if op != "=" or not code:
        return remember(modem, "+CUSD", op, argument)
    if modem.line.calls:
        raise Refusal("CME", 3)
    hexed = modem.settings["+CSCS"] == '"UCS2"'
    packed = modem.settings.get("^USSDMODE") == "1"
    try:
        if hexed:
            code = bytes.fromhex(code).decode("utf-16-be")
        elif packed:
            code = pdu.unpack_text(bytes.fromhex(code)).rstrip("\r")
    except ValueError:
        raise Refusal("CME", 50) from None
    text = modem.options.ussd.get(code)
    if text is not None and hexed:
        text = text.encode("utf-16-be").hex().upper()
    elif text is not None and packed:
        text = pdu.pack_text(text).hex().upper()
    answer = "+CUSD: 4" if text is None else f'+CUSD: 0,"{text}",15'
    modem.at(now + 1.0, lambda t: modem.urc(answer, t))
    return []


HANDLERS: dict[str, Handler] = {
    "H": _ath,
    "A": _ata,
    "D": _dial,
    "+CHUP": _chup,
    "+QHUP": _qhup,
    "+CHLD": _chld,
    "+CLCC": _clcc,
    "+VTS": _in_call,
    "^DTMF": _dtmf,
    "+CPCMREG": _cpcmreg,
    "^DDSETEX": _ddsetex,
    "+QPCMV": _qpcmv,
    "+CUSD": _cusd,
    "+CEER": _ceer,
}
