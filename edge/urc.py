"""What a modem says unasked: one line in, one event out, or None when the line means nothing by itself.

The shapes are those of 27.007, 27.005 and the vendors' manuals, with the oddities seen in the field:
no space after the colon, unquoted numbers, fields left out, a trailing name from the phonebook. How a
family ends a call and what it says at boot comes from its profile; the rest is the same table for all,
because no two families use one name for two things.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from edge.events import (
    CallChanged,
    CallConnected,
    CallEnded,
    CallerSeen,
    FileMark,
    Happening,
    Keyed,
    ListedCall,
    MessageStored,
    NetworkTime,
    PduArrived,
    Rang,
    Registered,
    ReportStored,
    Restarted,
    SimChanged,
    StorageFull,
    Waited,
)

if TYPE_CHECKING:
    from edge.profile import Profile

_EARLIEST = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)  # a network clock before this is wrong
_LATEST = datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC)
_GONE = ("NO CARRIER", "BUSY", "NO ANSWER", "REMOTE CALL END")
_FIELD = re.compile(r'\s*(?:"([^"]*)"?|([^,]*))\s*(?:,|$)')


def fields(line: str) -> list[str]:
    """The comma-separated values after the colon, quotes taken off; commas inside quotes kept.

    >>> fields('+CLIP: "+91981",145,"",,"A, B",0')
    ['+91981', '145', '', '', 'A, B', '0']
    """
    text = line.partition(":")[2]
    values, at = [], 0
    while at < len(text):
        found = _FIELD.match(text, at)
        assert found is not None and found.end() > at  # a bare field takes whatever stands up to the next comma
        values.append(found.group(1) if found.group(1) is not None else found.group(2).strip())
        at = found.end()
    return values


def _number(values: Sequence[str], place: int, absent: int | None = None) -> int | None:
    """The integer at `place`, or `absent` when it is missing or no integer."""
    text = values[place] if place < len(values) else ""
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else absent


def _kind(values: Sequence[str], place: int) -> int:
    return _number(values, place, 129) or 129


def _clip(line: str) -> Happening:
    values = fields(line)
    return CallerSeen(values[0] if values else "", _kind(values, 1), _number(values, 5))


def _ccwa(line: str) -> Happening | None:
    values = fields(line)
    return Waited(values[0], _kind(values, 1)) if len(values) > 1 else None


def listed(line: str) -> ListedCall | None:
    """One line of +CLCC (27.007 7.18); None for a data context (mode other than 0) or a torn line."""
    values = fields(line)
    index, direction, status, mode = (_number(values, place) for place in range(4))
    if index is None or direction is None or status is None or mode != 0:
        return None
    number = values[5] if len(values) > 5 else ""
    return ListedCall(index, direction == 0, status, number, _kind(values, 6), _number(values, 9))


def _clcc(line: str) -> Happening | None:
    call = listed(line)
    return CallChanged(call) if call else None


# ^DSCI tells other states than +CLCC (EC2x AT manual 7.23); the end becomes 6, as SIMCom has it.
_DSCI = {1: 1, 2: 2, 3: 0, 4: 4, 5: 5, 6: 6, 7: 3}


def _dsci(line: str) -> Happening | None:
    values = fields(line)
    index, direction, status, kind = (_number(values, place) for place in range(4))
    if index is None or direction is None or status not in _DSCI or kind not in (0, 1):
        return None
    number = values[4] if len(values) > 4 else ""
    return CallChanged(ListedCall(index, direction == 0, _DSCI[status], number, _kind(values, 5)))


def _qind(line: str) -> Happening | None:
    values = fields(line)
    if values[:1] == ["smsfull"]:
        return StorageFull()
    if values[:1] != ["ccinfo"]:
        return None
    index, direction, status, mode = (_number(values, place) for place in range(1, 5))
    if index is None or direction is None or status is None or mode != 0:
        return None
    number = values[6] if len(values) > 6 else ""
    return CallChanged(ListedCall(index, direction == 0, 6 if status < 0 else status, number, _kind(values, 7)))


def _cmti(line: str) -> Happening:
    values = fields(line)
    return MessageStored(values[0] if values else "", _number(values, 1, -1) or 0)


def _cdsi(line: str) -> Happening:
    values = fields(line)
    return ReportStored(values[0] if values else "", _number(values, 1, -1) or 0)


def registration(line: str) -> int:
    """The <stat> of +CREG or +CEREG (27.007 7.2), asked for or not; -1 when the line has none."""
    values = fields(line)
    second = values[1] if len(values) > 1 else ""
    stat = second if re.fullmatch(r"0*[0-9]|010|011", second) else (values[0] if values else "")
    return int(stat) if stat.isdigit() else -1


def _missed(line: str) -> Happening:
    words = line.partition(":")[2].split()
    return CallEnded("MISSED_CALL", words[-1] if len(words) > 1 else "")


def clock(line: str) -> int | None:
    """Milliseconds since 1970 UTC out of `yy/MM/dd,hh:mm:ss[+-]zz` (zz quarters of an hour, time local)."""
    found = re.search(r"(\d{2}|\d{4})/(\d\d)/(\d\d),(\d\d):(\d\d):(\d\d)\s*([+-]\d{1,3})", line)
    if found is None:
        return None
    year, month, day, hour, minute, second, zone = (int(g) for g in found.groups())
    if abs(zone) > 56:  # UTC-14 to UTC+14
        return None
    try:
        local = datetime.datetime(year % 100 + 2000, month, day, hour, minute, second, tzinfo=datetime.UTC)
    except ValueError:
        return None
    told = local - datetime.timedelta(minutes=15 * zone)
    return int(told.timestamp() * 1000) if _EARLIEST < told < _LATEST else None


def _nwtime(line: str) -> Happening | None:
    told = clock(line)
    return NetworkTime(told) if told is not None else None


def _psuttz(line: str) -> Happening | None:
    """*PSUTTZ: year,month,day,hour,minute,second in UTC, unlike all others (SIM800 manual 6.2.12)."""
    values = fields(line)
    if len(values) < 6 or not all(v.isdigit() for v in values[:6]):
        return None
    year, month, day, hour, minute, second = (int(v) for v in values[:6])
    return _nwtime(f"*PSUTTZ: {year % 100:02}/{month:02}/{day:02},{hour:02}:{minute:02}:{second:02}+00")


def _key(line: str) -> Happening | None:
    values = fields(line)
    key = values[0] if values else ""
    if line.startswith("+QTONEDET"):
        key = chr(int(key)) if re.fullmatch(r"\d{2}", key) else ""
    return Keyed(key) if re.fullmatch(r"[0-9A-D*#]", key) else None


_TABLE: dict[str, Callable[[str], Happening | None]] = {
    "+CRING": lambda line: Rang(),
    "+CLIP": _clip,
    "+CCWA": _ccwa,
    "+CLCC": _clcc,
    "^DSCI": _dsci,
    "+QIND": _qind,
    "+CMTI": _cmti,
    "+CDSI": _cdsi,
    "+CMT": lambda line: PduArrived("", report=False),
    "+CDS": lambda line: PduArrived("", report=True),
    "^SMMEMFULL": lambda line: StorageFull(),
    "+CPIN": lambda line: SimChanged(line.partition(":")[2].strip()),
    "+CREG": lambda line: Registered(registration(line)),
    "+CEREG": lambda line: Registered(registration(line)),
    "MISSED_CALL": _missed,
    "^NWTIME": _nwtime,
    "+CTZE": _nwtime,
    "*PSUTTZ": _psuttz,
    "+DTMF": _key,
    "+RXDTMF": _key,
    "^DDTMF": _key,
    "+QTONEDET": _key,
}
# These names are never an answer, whatever command waits.
_NEVER_ASKED = ("+CRING:", "+CLIP: \"", "+CLIP:\"", "+CMTI:", "+CDSI:", "+CMT:", "+CDS:")  # fmt: skip


def always_unasked(line: str) -> bool:
    """Is `line` a URC even while a command of the same name waits? AT+CLIP? answers `+CLIP: 1,1`."""
    return line.startswith(_NEVER_ASKED)


def read(line: str, profile: Profile) -> Happening | None:
    """The event that `line` tells when it is not part of an answer, or None."""
    if line == "RING":
        return Rang()
    if line in _GONE:
        return CallEnded(line)
    if line == "RDY" or line in profile.down_urcs:
        return Restarted(line)
    if line == "+SMS FULL":
        return StorageFull()
    name, colon, _ = line.partition(":")
    if colon and name in _TABLE:
        return _TABLE[name](line)
    for pattern in profile.ended:
        if found := pattern.match(line):
            cause = found.groupdict().get("cause")
            return CallEnded(name, cause=int(cause) if cause else -1)
    return _talk_mark(line, profile)


def _talk_mark(line: str, profile: Profile) -> Happening | None:
    """What a module says of a call that talks: it is up, a file was played."""
    voice = profile.voice
    if voice is None:
        return None
    if any(pattern.match(line) for pattern in voice.connected):
        return CallConnected(line.partition(":")[0])
    if voice.files is not None:
        told = (("played", voice.files.played), ("failed", voice.files.failed), ("recorded", voice.files.recorded))
        for what, patterns in told:
            if any(pattern.match(line) for pattern in patterns):
                return FileMark(what)
    return None
