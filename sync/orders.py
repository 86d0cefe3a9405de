"""What headquarters may ask of a line, and what such an order must say.  Pure; both ends check with it.

`call-back` asks for a call to `number` (E.164) in the name of `campaign`; `case` tells the line how a grievance stands
now, so that its caller hears it. Whether a call goes is for the box's own rules to say, not for the order.
"""

from __future__ import annotations

import json
import re

# verb -> what its args are, and what each must look like
VERBS: dict[str, dict[str, str]] = {
    "call-back": {"number": r"\+[1-9][0-9]{6,14}", "campaign": r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?"},
    "sms": {
        "number": r"\+[1-9][0-9]{6,14}", "campaign": r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", "text": r"(?s).{1,1000}",
        "language": r"[a-z]{2,3}",
    },
    "case": {"reference": r"[0-9]{1,16}", "state": r"assigned|contacted|resolved|verified|reopened"},
}


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
