"""Lines that are simulated modems: the far side of a farm, with a real box behind it.

The modems are served by the farm's own thread, so everything that changes one goes through its port's methods, which
hold its lock. Who rings is told to `came`, so that the account at the end knows of every call. What was said in a call
is read from the box's ledger, read only, as any page would.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import cast

from edge.events import Row
from edge.ledger import Reader, unseal
from edge.menu import Menu
from tools.simmodem import Call, Callee, PtyModem
from tools.telephone.exchange import About, Leg, Phone, Refused, State, Tone
from tools.telephone.story import Told, of_rows

PATIENCE_S, TALK_S, RINGS_S = 40.0, 185.0, 25.0
AGAIN_S = 12.0  # rings that come sooner may be the same call to a box: not all modems say that a caller has gone
READ_S = 0.5  # between two looks into a ledger
CONTINUED = 4000  # rows of a ledger that are looked through for one call


class Line:
    """One SIM of the farm. `on_air`: can the network reach it; `came` is told each call that is dialled from here."""

    def __init__(
        self,
        about: About,
        port: PtyModem,
        ledger: Path,
        menu: Menu | None = None,
        on_air: Callable[[], bool] = lambda: True,
        came: Callable[[str, Call | None], object] = lambda number, call: None,
    ) -> None:
        self.about, self.port, self.ledger, self.menu = about, port, ledger, menu
        self._on_air, self._came = on_air, came
        self._unclear: dict[str, float] = {}  # telephones whose last call may not be over for the box, and when it was

    def attach(self, phone: Phone) -> None:
        """Whoever this line rings back decides by hand."""
        with self.port.farm.lock:
            self.port.modem.line.callees[phone.number] = Callee("no-answer", RINGS_S, TALK_S)
            phone.marks[self.about.key] = len(self.port.modem.calls)
            phone.marks[f"{self.about.key} sms"] = len(self.port.modem.sent)

    def dial(self, phone: Phone) -> Leg:
        """Raises Refused when this would be taken for the call before."""
        now = time.monotonic()
        self._unclear = {id: at for id, at in self._unclear.items() if now - at < AGAIN_S}
        if phone.id in self._unclear:
            wait = self._unclear[phone.id] + AGAIN_S - now
            raise Refused(f"The network is still clearing your last call: try again in {wait:.0f} s.")
        if not self._on_air():
            self._came(phone.number, None)
            return Unreachable()
        call = self.port.dial(phone.number, PATIENCE_S, talk_s=TALK_S)
        self._came(phone.number, call)
        if call.state == "waiting":
            self.unclear(phone)
        return ModemLeg(self, call, phone)

    def look(self, phone: Phone) -> None:
        self._look_for_calls(phone)
        self._look_for_letters(phone)

    def write(self, phone: Phone, text: str) -> None:
        """Raises Refused while the modem is away."""
        if not self._on_air():
            raise Refused("Not sent: that number has no network just now.")
        self.port.sms_in(phone.number, text)

    def unclear(self, phone: Phone) -> None:
        """She hung up while it rang, or waited behind somebody else."""
        self._unclear[phone.id] = time.monotonic()

    def _look_for_calls(self, phone: Phone) -> None:
        calls, place = self.port.modem.calls, phone.marks[self.about.key]
        for call in calls[place : len(calls)]:
            place += 1
            if not (call.outgoing and call.caller == phone.number and call.fate == ""):
                continue
            if phone.busy:
                self.port.decide(call, "busy")
            else:
                phone.ring(self.about.key, ModemLeg(self, call, phone))
        phone.marks[self.about.key] = place

    def _look_for_letters(self, phone: Phone) -> None:
        mark = f"{self.about.key} sms"
        sent, place = self.port.modem.sent, phone.marks[mark]
        while place < len(sent) and (letter := sent[place]).outcome:
            count = letter.part[1] if letter.part else 1
            parts = sent[max(0, place + 1 - count) : place + 1]
            place += 1
            last = letter.part is None or letter.part[2] == count
            if letter.number == phone.number and last and all(part.outcome == "accepted" for part in parts):
                phone.deliver(self.about.key, "".join(part.text for part in parts))
        phone.marks[mark] = place

    def rows(self, number: str, outgoing: bool) -> tuple[list[Row], int, str]:
        """The ledger's rows from this number's last call on, the call's own row, and the language she has chosen."""
        with closing(Reader(self.ledger)) as ledger:
            head = ledger.head()[0]
            rows = [Row(*row) for row in ledger.rows(max(0, head - CONTINUED), CONTINUED)]  # type: ignore[arg-type]
            rows = [row._replace(caller=unseal(row.caller)) for row in rows]
            place = max(
                (i for i, row in enumerate(rows) if row.kind == "call" and not row.of and row.caller == number
                 and (row.state == "unreached") is outgoing),
                default=-1,
            )  # fmt: skip
            chosen = ledger.language(number)
        return (rows[place:], rows[place].seq, chosen) if place >= 0 else ([], 0, chosen)


class ModemLeg:
    """One call in a simulated modem's line."""

    def __init__(self, line: Line, call: Call, phone: Phone) -> None:
        self._line, self._call, self._phone = line, call, phone
        self.incoming = call.outgoing
        self._given = 0
        self._since_ms = int(time.time() * 1000) - 2000
        self._read_at, self._story = 0.0, list[Told]()

    @property
    def state(self) -> State:
        if self._call.ended_at is not None:
            return "over"
        return "talking" if self._call.fate == "answered" else "calling"

    @property
    def tone(self) -> Tone:
        if self.state == "calling" and not self.incoming:
            return "ringing"
        return cast(Tone, self._call.fate) if self._call.fate in ("busy", "unreachable") else ""

    @property
    def seconds(self) -> int:
        return int((self._call.ended_at or time.monotonic()) - (self._call.answered_at or time.monotonic()))

    @property
    def words(self) -> str:
        """How it went."""
        call = self._call
        if call.fate == "rejected":
            took = ((call.hangup_at or 0.0) - (call.told_at or call.rang_at or 0.0)) * 1000
            then = {
                "callback": " They will ring you back in a moment.",
                "menu": " Somebody else is in the menu: try again soon.",
            }.get(self._line.about.mode, "")
            return f"It rang, and was cut after {max(1, round(took))} ms. You paid nothing.{then}"
        if call.fate == "answered":
            return "You paid nothing: they rang you." if self.incoming else "It was answered: this cost the caller."
        told = {
            "busy": "Busy: somebody else is in that line just now.",
            "unreachable": "There is no network at that number just now.",
            "gave-up": "You hung up before it was cut. You paid nothing.",
            "refused": "You did not take the call.",
            "no-answer": "You missed a call.",
            "cancelled": "They gave up.",
        }
        return told.get(call.fate, "")

    def fresh(self) -> bytes:
        with self._line.port.farm.lock:
            heard, forgotten = self._call.heard, self._call.forgotten
            sound = bytes(heard[max(0, self._given - forgotten) :])
            self._given = forgotten + len(heard)
        return sound

    def press(self, key: str) -> None:
        if self.state == "talking":  # else it would be somebody else's call that hears it
            self._line.port.press(key, 120)

    def speak(self, pcm: bytes) -> None:
        if self.state == "talking":
            self._line.port.speak(pcm)

    def accept(self) -> None:
        if self.incoming and self.state == "calling":
            self._line.port.decide(self._call, "answer")

    def hang_up(self) -> None:
        if self.state == "over":
            return
        if self.incoming and self.state == "calling":
            self._line.port.decide(self._call, "refuse")
            return
        self._line.port.hang_up(self._call)
        if self._call.fate == "gave-up":
            self._line.unclear(self._phone)

    def story(self) -> Sequence[Told]:
        """What the box has written down of it so far."""
        now, line = time.monotonic(), self._line
        if self._call.rang_at is None or now < self._read_at:
            return self._story
        try:
            rows, call, chosen = line.rows(self._phone.number, self.incoming)
        except (FileNotFoundError, sqlite3.Error):
            return self._story
        self._read_at = now + READ_S
        if rows and rows[0].at_ms >= self._since_ms:
            first = next((row for row in rows if row.kind == "language"), None)
            language = "" if first else chosen  # what she chose in this call was not spoken before
            spoken = language or (line.menu.languages[0] if line.menu else "")
            self._story = of_rows(rows, call, self._phone.number, line.menu, spoken)
        return self._story


class Unreachable:
    """A call that found no network."""

    incoming, seconds = False, 0
    state: State = "over"
    tone: Tone = "unreachable"
    words = "There is no network at that number just now: its modem is unplugged."

    def fresh(self) -> bytes:
        return b""

    def press(self, key: str) -> None: ...

    def speak(self, pcm: bytes) -> None: ...

    def accept(self) -> None: ...

    def hang_up(self) -> None: ...

    def story(self) -> Sequence[Told]:
        return ()
