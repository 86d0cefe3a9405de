"""What headquarters asks of a line, carried out: each order once, its answer a row in the transaction of what it does.

Conduct: no port, no clock. Rules of the room:
- An order is looked at only while its number stands in no answer of this line's; the answer makes it final.
- What is asked for is written down, never done here: a wish to be rung back, an SMS that is queued, an opt-out. Whether
  and when it goes is decided at that moment, by the rules.
- An SMS that the ledger before this one may have sent already is refused: nobody knows.
- Words of a refusal hold nothing of the order.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from edge import numbers, sms
from edge.campaign import Campaign
from edge.events import Caller, Stamp
from edge.ledger import Draft, Ledger, Reader
from edge.orders import Order
from edge.outbox import Lines
from edge.rules import Facts, Later, Never, Verdict, admit

AT_ONCE = 5  # orders carried out in one look: each is a commit, and somebody may ring


class Errands:
    """Headquarters' orders to one line. `orders` gives them; those that were answered may stand in it."""

    def __init__(
        self, campaign: Campaign, ledger: Ledger, lines: Lines, stamp: Callable[[], Stamp],
        orders: Callable[[], Sequence[Order]],
    ) -> None:  # fmt: skip
        self._campaign, self._ledger, self._lines, self._stamp, self._orders = campaign, ledger, lines, stamp, orders

    def obey(self) -> bool:
        """Carry out some of what headquarters has ordered since the last look; True when there was something."""
        done = 0
        for order in self._orders():
            if done < AT_ONCE and not self._ledger.is_answered(order.hq):
                done += self._obey(order)
        return done > 0

    def _obey(self, order: Order) -> bool:
        """Answer an order, or leave it for later (False)."""
        number = order.args.get("number", "")
        who = numbers.identify(number, 145, None, self._lines.country)
        if order.verb == "call-back":
            return self._call_back(order, who)
        if order.verb == "case":
            return self._case(order)
        if order.verb == "sms":
            return self._sms(order, who)
        if order.verb == "opt-out":
            if not who.number:
                return self._refuse(order, "there is no number in it")
            return self._ledger.answer_order(self._stamp(), order.hq, "done", opt_out=who)
        return self._refuse(order, order.args.get("why", "this version does not know that order"))

    def _refuse(self, order: Order, why: str) -> bool:
        return self._ledger.answer_order(self._stamp(), order.hq, "refused", why)

    def _call_back(self, order: Order, who: Caller) -> bool:
        about = order.args.get("campaign", "") or self._campaign.id
        if self._campaign.callback is None or about != self._campaign.id:
            return self._refuse(order, "this line does not ring back for that campaign")
        if not who.repliable:
            return self._refuse(order, f"nobody can ring a number that is {who.kind}")
        return self._ledger.answer_order(self._stamp(), order.hq, "done", ring_back=(who, about))

    def _case(self, order: Order) -> bool:
        case = self._ledger.case(order.args.get("reference", ""))
        state = order.args.get("state", "")
        if case is None or state not in ("assigned", "contacted", "resolved", "reopened", "verified"):
            return self._refuse(order, "no such case or state")
        return self._ledger.answer_order(self._stamp(), order.hq, "done", case=(case.seq, state))

    def _sms(self, order: Order, who: Caller) -> bool:
        """Keep the text for her, if she may be written to; it goes when `outbox` finds that it may."""
        if order.hq <= self._ledger.born_after:
            return self._refuse(order, "the line's ledger was begun anew: nobody knows whether it was sent; order anew")
        text, about = order.args.get("text", ""), order.args.get("campaign", "") or self._campaign.id
        draft = Draft(text, order.args.get("language", ""), sms.count(text).parts, "desk")
        verdict = self._admit(who, draft.parts) if text else Never("there is nothing to say in it")
        if isinstance(verdict, Later):
            return False
        if isinstance(verdict, Never):
            return self._refuse(order, verdict.why)
        return self._ledger.answer_order(self._stamp(), order.hq, "done", letter=(who, about, draft))

    def _admit(self, who: Caller, parts: int) -> Verdict:
        """Ask `rules` with what every line of the box has on disk."""
        try:
            others = self._lines.siblings()
            books: list[Reader] = [self._ledger, *(others or ())]
            heard = [stamp for book in books for stamp in book.heard(who.number)]
            opted_out = any(book.opted_out(who.number) for book in books)
        except sqlite3.Error:
            others = None
        if others is None:
            return Later(30, "another line's ledger cannot be read")
        facts = Facts(self._stamp(), self._lines.timezone, opted_out=opted_out, own=self._lines.own)
        return admit(who, parts, heard, facts)
