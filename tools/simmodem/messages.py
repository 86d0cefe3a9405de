"""SMS on the far side: the SIM's store, the network's message centre, and the modem's URCs between.

What a client sends is kept in `sent` with what became of it. What arrives is stored, announced as
+CNMI asks, and waits at the operator while the store is full.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tools.simmodem import pdu

if TYPE_CHECKING:
    from tools.simmodem.modem import SimModem

UNREAD, READ = 0, 1


@dataclass(eq=False)
class Sent:
    """One SMS given to the modem.

    outcome  "" while under way, then "accepted", "refused" (`code` is the +CMS ERROR) or "cut"
             (the modem went while sending)
    """

    at: float
    pdu: str = field(repr=False)
    number: str = field(repr=False)
    text: str = field(repr=False)
    part: tuple[int, int, int] | None = None
    report: bool = False
    reference: int = -1
    outcome: str = ""
    code: int = -1
    done_at: float | None = None


@dataclass(eq=False)
class Stored:
    """A message in the store; `status` 0 unread, 1 read."""

    pdu: str = field(repr=False)
    status: int = UNREAD


class Mailbox:
    """One SIM's SMS."""

    def __init__(self, modem: SimModem) -> None:
        self._m = modem
        self.sent: list[Sent] = []
        self.stores: dict[str, dict[int, Stored]] = {"SM": {}, "ME": {}, "SR": {}}
        self.at_operator: list[tuple[str, bool]] = []
        self.refuses: dict[str, int] = {}  # number -> +CMS ERROR, always
        self.report_status: dict[str, int] = {}  # number -> TP-ST, else 0
        self._reference = 0
        self._concat = 0
        self._cnma_due: float | None = None

    # ------------------------------------------------------------------------------ the network

    def arrive(self, sender: str, text: str, now: float) -> list[str]:
        """A voter writes to this SIM. Returns the PDUs, one a part."""
        self._concat += 1
        parts = pdu.deliver(sender, text, self._m.wall(now), self._m.options.zone_quarters, self._concat)
        for part in parts:
            self.arrive_pdu(part, now)
        return parts

    def arrive_pdu(self, hexed: str, now: float, report: bool = False) -> None:
        """A PDU as it is (service centre first) reaches this SIM."""
        self.at_operator.append((hexed, report))
        self.fetch(now)

    def fetch(self, now: float) -> None:
        """Take what waits at the operator, as far as there is room."""
        while self.at_operator and self._m.reachable:
            hexed, report = self.at_operator[0]
            if not self._hand_over(hexed, report, now):
                return
            del self.at_operator[0]

    def _hand_over(self, hexed: str, report: bool, now: float) -> bool:
        mode, mt, _, ds, _ = self.cnmi()
        way = ds if report else mt
        store = self.memory(2)
        if mode and ((report and way == 1) or (not report and way == 2)):
            head = f"+CDS: {pdu.octets(hexed)}" if report else f"+CMT: ,{pdu.octets(hexed)}"
            self._m.wire.urc((f"{head}\r\n{hexed}",), now)
            if self._m.settings["+CSMS"].startswith("1"):
                self._expect_ack(now)
            return True
        if report and way == 0:
            return True  # nobody asked: the report is lost
        box = self.stores[store]
        index = next((i for i in range(1, self.capacity(store) + 1) if i not in box), 0)
        if not index:
            if self._m.family.store_full and self._m.settings.get('+QINDCFG"smsfull"', "1")[:1] == "1":
                self._m.wire.urc((self._m.family.store_full,), now)
            return False
        box[index] = Stored(hexed)
        if mode and way:
            self._m.wire.urc((f'+{"CDSI" if report else "CMTI"}: "{store}",{index}',), now)
        return True

    def _expect_ack(self, now: float) -> None:
        self._cnma_due = due = now + 15
        self._m.at(due, lambda t: self._missed_ack(due))

    def _missed_ack(self, due: float) -> None:
        if self._cnma_due == due:  # the trap of phase 2+: routing is switched off, and nothing is said
            self._m.settings["+CNMI"] = "2,0,0,0,0"
            self._cnma_due = None

    def acknowledge(self) -> bool:
        """AT+CNMA. False when none was due."""
        due, self._cnma_due = self._cnma_due, None
        return due is not None

    # -------------------------------------------------------------------------------- the store

    def cnmi(self) -> tuple[int, int, int, int, int]:
        values = [int(v) if v.isdigit() else 0 for v in self._m.settings["+CNMI"].split(",")]
        values = (values + [0] * 5)[:5]
        return values[0], values[1], values[2], values[3], values[4]

    def memory(self, which: int) -> str:
        """Name of memory 0 (read), 1 (write) or 2 (arrivals) as AT+CPMS set them."""
        return self._m.settings["+CPMS"].replace('"', "").split(",")[which]

    def capacity(self, store: str) -> int:
        return self._m.options.capacity or (self._m.family.capacity if store == self._m.family.store else 10)

    def box(self) -> dict[int, Stored]:
        return self.stores[self.memory(0)]

    def usage(self, quoted: bool) -> str:
        out = []
        for which in range(3):
            store = self.memory(which)
            name = f'"{store}",' if quoted else ""
            out.append(f"{name}{len(self.stores[store])},{self.capacity(store)}")
        return ",".join(out)

    # ----------------------------------------------------------------------------------- sending

    def send(self, hexed: str, octets: int, now: float) -> tuple[Sent | None, int]:
        """Take a PDU from the prompt. (record, -1) when the network may have it, (None, code) when
        the modem itself refuses."""
        try:
            submit = pdu.read_submit(hexed)
        except pdu.BadPdu:
            return None, 304
        if submit.octets != octets:
            return None, 304
        sent = Sent(now, hexed.upper(), submit.number, submit.text, submit.part, submit.report)
        self.sent.append(sent)
        return sent, -1

    def send_text(self, number: str, text: str, now: float) -> Sent:
        sent = Sent(now, "", number, text)
        self.sent.append(sent)
        return sent

    def settle(self, sent: Sent, now: float) -> int:
        """The network answers: -1 accepted, else the +CMS ERROR."""
        sent.done_at = now
        code = self._m.faults.hit("cms-error")
        sent.code = int(code) if code is not None else self.refuses.get(sent.number, -1)
        if sent.code >= 0:
            sent.outcome = "refused"
            return sent.code
        self._reference = (self._reference + 1) & 255
        sent.reference, sent.outcome = self._reference, "accepted"
        if sent.report:
            low, high = self._m.options.report_s
            status = self.report_status.get(sent.number, 0)
            self._m.at(now + self._m.rng.uniform(low, high), lambda t: self._report(sent, status, t))
        return -1

    def _report(self, sent: Sent, status: int, now: float) -> None:
        wall, quarters = self._m.wall, self._m.options.zone_quarters
        hexed = pdu.report(sent.reference, sent.number, wall(sent.at), wall(now), status, quarters)
        self.arrive_pdu(hexed, now, report=True)

    def cut(self, now: float) -> None:
        """The modem went: what was under way never reached the network."""
        for sent in self.sent:
            if not sent.outcome:
                sent.outcome, sent.done_at = "cut", now
        self._cnma_due = None
