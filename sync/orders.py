"""What headquarters may ask of a line, and what such an order must say.  Pure; both ends check with it.

`call-back` asks for a call to `number` (E.164) in the name of `campaign`, `sms` for a text to it; `case` tells the line
how a grievance stands now, so that its caller hears it; `opt-out` says that `number` wants nothing more of this box, as
her own STOP would. Whether a call or a text goes is for the box's own rules to say, not for the order.
"""

from __future__ import annotations

import json
import re

_NUMBER = r"\+[1-9][0-9]{6,14}"
_CAMPAIGN = r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?"
# what fits into three SMS at most, something to read in it, new lines but no other control signs
_TEXT = r"(?s)(?=.*\S)[^\x00-\x09\x0b-\x1f\x7f\ud800-\udfff]{1,459}"
# verb -> what its args are, and what each must look like
VERBS: dict[str, dict[str, str]] = {
    "call-back": {"number": _NUMBER, "campaign": _CAMPAIGN},
    "case": {"reference": r"[0-9]{1,16}", "state": r"assigned|contacted|resolved|verified|reopened"},
    "sms": {
        "number": _NUMBER, "campaign": _CAMPAIGN, "text": _TEXT, "language": r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*",
    },
    "opt-out": {"number": _NUMBER},
}  # fmt: skip


def refusal(verb: str, args: str) -> str:
    """Why this is no order, in words that hold nothing of it; "" when it is one. `args` is JSON."""
    wanted = VERBS.get(verb)
    if wanted is None:
        return "there is no such order"
    try:
        told = json.loads(args)
    except (ValueError, RecursionError):
        return "its particulars cannot be read"
    if not isinstance(told, dict) or set(told) != set(wanted):
        return f"it must say {' and '.join(wanted)}"
    for name, form in wanted.items():
        if not isinstance(told[name], str) or not re.fullmatch(form, told[name]):
            return f"its {name} is not one"
    return ""
