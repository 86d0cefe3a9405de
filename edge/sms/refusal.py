"""What a modem's refusal of an SMS means: try again, never again, or do something first.

The codes are those of 27.005 3.2.5 and 27.007 9.2; what follows from each is a reading of how
operators use them, and they use them loosely ("network out of order" has been the answer to a
number that does not exist). So whoever asks must cap the tries, whatever stands here.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Action = Literal["retry", "never", "fix"]
Remedy = Literal["", "empty-store", "restart-modem", "sim", "sim-pin", "smsc"]


class Verdict(NamedTuple):
    """`action`: "retry" later, "never", or "fix": do `remedy` first, then send again. `words` for the office."""

    action: Action
    words: str
    remedy: Remedy = ""


_EMPTY = Verdict("fix", "the message store is full: delete what was read", "empty-store")
_RESTART = Verdict("fix", "the modem is confused: set it up again", "restart-modem")
_NO_SIM = Verdict("fix", "the SIM is missing or does not answer: reseat it", "sim")
_PIN = Verdict("fix", "the SIM wants its PIN: switch it off with a phone", "sim-pin")
_NO_SMSC = Verdict("fix", "the SIM has no SMS centre number: set it", "smsc")
_BARRED = Verdict("never", "the operator bars SMS from this SIM: recharge it or ask for the service")
_NUMBER = Verdict("never", "the number does not exist or cannot get SMS")
_REFUSED = Verdict("never", "the network refuses this message")
_BUSY = Verdict("retry", "the network is busy")
_NO_NETWORK = Verdict("retry", "no network at this moment")
_MODEM_BUSY = Verdict("retry", "the modem or SIM is busy")

_CMS: dict[int, Verdict] = {
    **dict.fromkeys((8, 10), _BARRED),
    **dict.fromkeys((1, 28, 30), _NUMBER),
    **dict.fromkeys((21, 29, 50, 69, 81, 95, 96, 97, 98, 99, 111, 127, 195), _REFUSED),
    **dict.fromkeys((301, 302, 303, 304, 305, 517), Verdict("never", "the modem refuses this message")),
    **dict.fromkeys((38, 41, 42, 47, 192, 193, 194, 521, 535, 615), _BUSY),
    **dict.fromkeys((331, 332), _NO_NETWORK),
    **dict.fromkeys((314, 340, 512, 513, 514, 515, 532), _MODEM_BUSY),
    **dict.fromkeys((208, 211, 322), _EMPTY),
    **dict.fromkeys((300, 320, 321), _RESTART),
    **dict.fromkeys((310, 313, 315), _NO_SIM),
    **dict.fromkeys((311, 312, 316, 317, 318), _PIN),
    330: _NO_SMSC,
    500: Verdict("retry", "the modem gives no reason"),
}
_CME: dict[int, Verdict] = {
    **dict.fromkeys((14, 515), _MODEM_BUSY),
    **dict.fromkeys((10, 13, 15), _NO_SIM),
    **dict.fromkeys((11, 12, 16, 17, 18), _PIN),
    **dict.fromkeys((30, 31), _NO_NETWORK),
    32: Verdict("retry", "the network lets this SIM make emergency calls only"),
    20: _EMPTY,
    100: Verdict("retry", "the modem gives no reason"),
}


def verdict(family: str, code: int) -> Verdict:
    """What to do after `family` ("CMS", "CME" or "ERROR") and its code (-1 when there is none).

    What is not known is tried again: the caller's cap ends that. Some modems give CMS codes as CME."""
    table = _CMS if family == "CMS" or (family == "CME" and code >= 300 and code not in _CME) else _CME
    unknown = Verdict("retry", f"the modem refused with {family} {code}" if code >= 0 else "the modem refused")
    return unknown if family == "ERROR" else table.get(code, unknown)
