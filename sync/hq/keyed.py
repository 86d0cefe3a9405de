"""What becomes of a voter's number in a file that leaves headquarters: a token, or nothing.  Pure.

Rules of this room
- A token is `c` and 32 hex digits: HMAC-SHA-256 with headquarters' own key. The same caller is the same token in every
  table and in every snapshot of one headquarters, so that callers can be counted and followed, and nobody be rung.
- What is kept is named. A text column that nobody has named here is blanked, and so is a field of `extra`: a column
  that is new loses its words before it can give a number away.
- Names (campaigns, boxes, nodes, options) are an operator's words and stay as they are. In sentences that somebody
  wrote about a thing, every run of digits that could be a telephone number becomes a token.
- Where votes are to stay hidden, what a caller typed goes too, and the nodes that she came to: they tell how she voted.
- A case's reference is treated as a number: its caller knows it by heart.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping

KEYED = frozenset({"caller", "reference"})
SENTENCES = frozenset({"words", "why", "reason", "did", "what"})
NAMES = frozenset({
    "area", "box", "caller_kind", "campaign", "channel", "clock", "digest", "district", "ended", "evidence", "goal",
    "issue", "key", "kind", "language", "last_node", "line", "node", "number", "option", "policy", "purpose", "role",
    "scope", "state", "store", "tags", "timezone", "title", "topic", "value", "version", "ward", "who", "wording",
    "boot",
})  # fmt: skip
BLANKED = frozenset({"text", "note"})
MARKS = frozenset({"marks", "spans"})  # days, minutes, ledgers, small numbers: written by the roll-ups alone

# fields of `extra` that figures are made of; all others go
_WHOLE = frozenset({
    "call", "case", "due_ms", "for", "ms", "opened_ms", "order", "parts", "recording", "speech_ms", "take", "try",
})  # fmt: skip
_TEXTS = frozenset({
    "campaign", "channel", "direction", "evidence", "issue", "language", "node", "tags", "wording",
})  # fmt: skip
WAYS = frozenset({"key", "node", "last_node"})  # through a menu
_TYPED = "key"  # what a caller typed: one key, or a number
_NUMBER = re.compile(r"\+?\d(?:[\s().\-\u2010-\u2015]{0,2}\d){6,}")
_THING = re.compile(r"(\w+ )?[0-9a-f]{8}-\d{1,9}")  # how the log names a row of a ledger: no number stands in that

Treatment = Callable[[object], object]


class Keyer:
    """Tokens under one key. `votes`: may they be told?"""

    def __init__(self, secret: bytes, votes: bool = True) -> None:
        self._secret, self.votes = secret, votes

    def token(self, caller: str) -> str:
        """A caller's token; '' (withheld) stays ''."""
        if not caller:
            return ""
        return "c" + hmac.digest(self._secret, caller.encode(errors="replace"), hashlib.sha256)[:16].hex()

    def sentence(self, text: str) -> str:
        """A text with a token in place of everything that may be a telephone number."""
        if _THING.fullmatch(text):
            return text
        return _NUMBER.sub(lambda found: self.token(re.sub(r"[^\d+]", "", found[0])), text)

    def extra(self, text: str) -> str:
        """A row's extra with the fields that figures are made of, "" when there is none of these."""
        try:
            found = json.loads(text) if text else {}
        except (ValueError, RecursionError):
            return ""
        if not isinstance(found, dict):
            return ""
        kept: dict[str, object] = {}
        for name, value in found.items():
            if name in WAYS and not self.votes:
                continue
            if isinstance(value, str) if name in _TEXTS else name in _WHOLE and isinstance(value, int | None):
                kept[name] = value
            elif name == _TYPED and isinstance(value, str):
                kept[name] = self.sentence(value)
        return json.dumps(kept, separators=(",", ":"), sort_keys=True) if kept else ""

    def treatments(self, columns: Mapping[str, str]) -> list[Treatment | None]:
        """What is done with the values of these columns (name and type of each); None: they are kept."""
        return [self._treatment(name, type_) for name, type_ in columns.items()]

    def _treatment(self, name: str, type_: str) -> Treatment | None:
        if name in WAYS and not self.votes:
            return _blank
        if type_ in ("INTEGER", "INT") or name in NAMES or name in MARKS:
            return None
        if name in KEYED:
            return lambda value: self.token(str(value))
        if name in SENTENCES:
            return lambda value: self.sentence(str(value))
        if name == "extra":
            return lambda value: self.extra(str(value))
        return _blank


def _blank(_: object) -> object:
    return ""
