"""AT commands of SMS (27.005): send through the prompt, read, list, delete, and where they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.simmodem import pdu
from tools.simmodem.commands import Handler, Refusal, remember
from tools.simmodem.messages import READ, UNREAD, Sent, Stored

if TYPE_CHECKING:
    from tools.simmodem.modem import SimModem

_LISTS = {"REC UNREAD": UNREAD, "REC READ": READ, "STO UNSENT": 2, "STO SENT": 3, "ALL": 4}


def _text_mode(modem: SimModem) -> bool:
    return modem.settings["+CMGF"] == "1"


def _cmgs(modem: SimModem, op: str, argument: str, now: float) -> list[str] | None:
    if op == "=?":
        return []
    if op != "=" or not argument:
        raise Refusal("CMS", 304)
    if modem.registration not in (1, 5):
        raise Refusal("CMS", 331)
    if modem.settings["+CSCA"].startswith('""'):
        raise Refusal("CMS", 330)
    if _text_mode(modem):
        number = argument.split(",")[0].strip('"')
        take = lambda data, t: _send_text(modem, number, data, t)  # noqa: E731
    elif argument.isdigit():
        take = lambda data, t: _send_pdu(modem, int(argument), data, t)  # noqa: E731
    else:
        raise Refusal("CMS", 304)
    modem.channel.later(modem.options.prompt_s, now, lambda t: modem.channel.prompt(take, t, _text_mode(modem)))
    return None


def _send_pdu(modem: SimModem, octets: int, data: bytes, now: float) -> None:
    sent, code = modem.mailbox.send(data.decode("ascii", "replace").strip(), octets, now)
    if sent is None:
        modem.channel.reply([], f"+CMS ERROR: {code}", now)
    else:
        _under_way(modem, sent, now)


def _send_text(modem: SimModem, number: str, data: bytes, now: float) -> None:
    _under_way(modem, modem.mailbox.send_text(number, data.decode("latin-1"), now), now)


def _under_way(modem: SimModem, sent: Sent, now: float) -> None:
    slow = modem.faults.hit("slow-sms")
    duration = modem.rng.uniform(*modem.options.send_s) if slow is None else slow
    modem.channel.later(duration, now, lambda t: _done(modem, sent, t))


def _done(modem: SimModem, sent: Sent, now: float) -> None:
    code = modem.mailbox.settle(sent, now)
    if code >= 0:
        modem.channel.reply([], f"+CMS ERROR: {code}", now)
    else:
        modem.channel.reply([f"+CMGS: {sent.reference}"], "OK", now)


def _index(modem: SimModem, argument: str) -> int:
    first = argument.split(",")[0].strip()
    if not first.isdigit() or not 0 <= int(first) <= modem.mailbox.capacity(modem.mailbox.memory(0)):
        raise Refusal("CMS", 321)
    return int(first)


def _shown(modem: SimModem, stored: Stored, index: int | None) -> list[str]:
    name = "+CMGR: " if index is None else f"+CMGL: {index},"
    if not _text_mode(modem):
        head = f"{name}{stored.status},,{pdu.octets(stored.pdu)}"
        return [f"{head}\r\n{stored.pdu}"]
    sender, text = pdu.read_deliver_text(stored.pdu)
    state = "REC READ" if stored.status == READ else "REC UNREAD"
    return [f'{name}"{state}","{sender}",,"26/11/23,10:00:00+22"\r\n{text}']


def _cmgr(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    if op == "=?":
        return []
    stored = modem.mailbox.box().get(_index(modem, argument))
    if stored is None:
        raise Refusal("CMS", 321)
    lines = _shown(modem, stored, None)
    stored.status = READ
    return lines


def _cmgl(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    if op == "=?":
        listed = ",".join(f'"{name}"' for name in _LISTS)
        return [f"+CMGL: ({listed})" if _text_mode(modem) else "+CMGL: (0-4)"]
    wanted = argument.split(",")[0].strip('"').upper()
    status = _LISTS.get(wanted, int(wanted) if wanted.isdigit() else UNREAD)
    lines = []
    for index, stored in sorted(modem.mailbox.box().items()):
        if status in (4, stored.status):
            lines += _shown(modem, stored, index)
            stored.status = READ
    return lines


def _cmgd(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    box = modem.mailbox.box()
    if op == "=?":
        return [f"+CMGD: ({','.join(str(index) for index in sorted(box))}),(0-4)"]
    index, _, flag = argument.partition(",")
    if flag in ("1", "2", "3", "4"):
        for number in [n for n, stored in box.items() if flag == "4" or stored.status == READ]:
            del box[number]
    elif box.pop(_index(modem, index), None) is None and modem.family.name == "generic":
        raise Refusal("CMS", 321)  # most others answer OK to an empty place
    modem.at(now, modem.mailbox.fetch)
    return []


def _cpms(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    if op == "?":
        return [f"+CPMS: {modem.mailbox.usage(quoted=True)}"]
    if op == "=":
        names = argument.replace('"', "").upper().split(",")
        if len(names) > 3 or any(name not in ("SM", "ME", "SR") for name in names):
            raise Refusal("CMS", 302)
        old = [modem.mailbox.memory(which) for which in range(3)]
        chosen = names + old[len(names) :]
        modem.settings["+CPMS"] = ",".join(f'"{name}"' for name in chosen)
        return [f"+CPMS: {modem.mailbox.usage(quoted=False)}"]
    return remember(modem, "+CPMS", op, argument)


def _cnmi(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    if op == "=":
        mode, mt, _, ds, *_ = [*(int(v) if v.isdigit() else 0 for v in argument.split(",")), 0, 0, 0, 0]
        if modem.family.name == "sim7600":
            needs_1, needs_some = mt == 3 or ds == 1, mt == 2
            if (needs_1 and mode != 1) or (needs_some and mode not in (1, 2)):
                raise Refusal()
        if mode > 3 or mt > 3 or ds > 2:
            raise Refusal("CMS", 302)
    return remember(modem, "+CNMI", op, argument)


def _cnma(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    if op == "" and not modem.mailbox.acknowledge():
        raise Refusal("CMS", 340)
    return []


def _csms(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    said = remember(modem, "+CSMS", op, argument)
    if op == "?":
        return [f"{said[0]},1,1,1"]
    return ["+CSMS: 1,1,1"] if op == "=" else said


def _csca(modem: SimModem, op: str, argument: str, now: float) -> list[str]:
    if op == "=" and argument.count(",") == 0:
        argument += ",145" if "+" in argument else ",129"
    if op == "?" and modem.settings["+CSCS"] == '"UCS2"':
        number, _, kind = modem.settings["+CSCA"].partition(",")
        return [f'+CSCA: "{number.strip(chr(34)).encode("utf-16-be").hex().upper()}",{kind}']
    return remember(modem, "+CSCA", op, argument)


HANDLERS: dict[str, Handler] = {
    "+CMGS": _cmgs,
    "+CMGR": _cmgr,
    "+CMGL": _cmgl,
    "+CMGD": _cmgd,
    "+CPMS": _cpms,
    "+CNMI": _cnmi,
    "+CNMA": _cnma,
    "+CSMS": _csms,
    "+CSCA": _csca,
}
