"""SIGKILL of lines in a storm of calls, at the moments that matter.

Real processes on simulated modems die while a caller rings, when the modem reads the hang-up (the promise is due at
that very byte), when it reads AT+CMGS, while the text of an SMS is on its way, and at any time; each is started
again. Then: whoever was hung up on is in the ledger exactly once, a caller who rang across a restart is adopted and
not doubled, nobody got two replies within `once_per`, and what was being sent is `unknown`. Half of the voters ring
both lines. All numbers are canaries: none may show in a log or a state file.
"""

from __future__ import annotations

import contextlib
import random
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge.ledger import Reader
from tests.prove import ground
from tests.prove.ground import Listener, Processes, make_box, share, spellings, voter
from tools.simmodem import Farm
from tools.simmodem.farm import PtyModem

pytestmark = [pytest.mark.prove, pytest.mark.timeout(1800)]

KILLS = 200
MOMENTS = ("ring", "hang-up", "prompt", "text", "any")
PATIENCE_S = 60.0  # of a caller: longer than any restart


class Victim:
    """One line: its modem, and one life of its process after the other."""

    def __init__(self, place: int, port: PtyModem, box: Path, processes: Processes, broken: str = "") -> None:
        self.name, self.port, self.box, self.processes = f"l{place}", port, box, processes
        self.dice, self.broken = random.Random(place), broken
        self.kills: Counter[str] = Counter()
        self.ledger = box.parent / "data" / "ledgers" / f"{self.name}.db"
        self._place, self._dialled, self._armed = place, 0, ""
        port.modem.channel.watch = lambda now, line: self._at("prompt") if line.startswith("AT+CMGS") else None
        port.modem.line.on_hangup = lambda hangup: self._at("hang-up")

    def live(self, moment: str) -> None:
        """Start, let a few voters ring, and die at `moment`; "" lives until all its work is done, and stops."""
        self.process = self.processes.miscall("box", "line", self.box, self.name, log=self.name, broken=self.broken)
        self._armed = moment
        if moment == "any":
            threading.Timer(0.2 + self.dice.random() * 1.3, self._at, ["any"]).start()
        calls = 0 if moment in ("prompt", "text", "") else 3  # letters go out while nobody rings
        end = time.monotonic() + (60 if not moment else 6)
        while self.process.poll() is None and time.monotonic() < end:
            if moment == "text" and self._armed and any(not sent.outcome for sent in self.port.modem.sent):
                time.sleep(self.dice.random() * 0.2)
                self._at("text")
            elif calls and self._ready() and not self.port.modem.line.calls:
                calls -= 1
                self._dial()
            elif not moment and self._ready() and not self._work():
                self.process.terminate()
                assert self.process.wait(10) == 0
            self.port.farm.until(lambda: self.process.poll() is not None, 0.005)
        assert moment or self.process.poll() == 0, "its work was never done"
        self._armed = "late"
        self._at("late")
        self.process.wait()

    def _dial(self) -> None:
        self._dialled += 1
        guest = self._dialled % 2 == 0  # the same voters ring every line, and each line once
        self.port.dial(voter((9 if guest else self._place) * 1_000_000 + self._dialled), PATIENCE_S)
        if self._armed == "ring" and self.dice.random() < 0.6:
            time.sleep(self.dice.random() * 0.012)  # the number comes 5 ms after RING
            self._at("ring")

    def _at(self, moment: str) -> None:
        """This moment has come: die if it is the one, at once and without a word, as in a power cut."""
        if self._armed == moment and self.process.poll() is None:
            self._armed = ""
            self.process.send_signal(signal.SIGKILL)
            self.kills[moment] += 1

    def _ready(self) -> bool:
        said = self.box.parent / "data" / "state" / f"{self.name}.json"
        text = said.read_text() if said.exists() else ""
        return f'"pid": {self.process.pid},' in text and '"state": "ready"' in text

    def _work(self) -> bool:
        """Does anybody ring, or is a letter still to be sent?"""
        with contextlib.closing(Reader(self.ledger)) as reader:
            return bool(self.port.modem.line.calls) or bool({"queued", "held", "sending"} & reader.counts().keys())


def storm(victim: Victim, kills: int) -> None:
    while victim.kills.total() < kills:
        victim.live(MOMENTS[victim.kills.total() % len(MOMENTS)])


def test_killed_lines_keep_their_promises(tmp_path: Path) -> None:
    listener = Listener(tmp_path / "data" / "state")
    with Farm(tmp_path / "ports") as farm, Processes(tmp_path) as processes:
        ports = [farm.add(kind, name=kind, send_s=(0.05, 0.25)) for kind in ("generic", "sim7600")]
        box = make_box(tmp_path, {f"l{n}": port.path for n, port in enumerate(ports, 1)})
        victims = [Victim(place, port, box, processes) for place, port in enumerate(ports, 1)]
        listener.start()
        with ThreadPoolExecutor() as pool:
            list(pool.map(storm, victims, [share(KILLS) // 2] * 2))
            list(pool.map(lambda victim: victim.live(""), victims))
    print("killed:", dict(sum((victim.kills for victim in victims), Counter())))

    for victim in victims:
        each_call_is_one_record(victim)
        each_letter_has_a_fate(victim)
    replies = Counter(sent.number for port in ports for sent in port.modem.sent)
    assert set(replies.values()) == {1}, "somebody got two replies"
    dialled = {call.caller for port in ports for call in port.modem.calls}
    assert any(number in replies for number in dialled)
    texts = [*listener.stop(), *(log.read_bytes() for log in tmp_path.glob("*.log"))]
    assert len(texts) > len(victims)
    assert ground.leaked(texts, dialled) == []


def each_call_is_one_record(victim: Victim) -> None:
    kept = ground.callers(ground.rows(victim.ledger))
    calls = victim.port.modem.calls
    assert {call.fate for call in calls} == {"rejected"}, "somebody was not hung up on"
    assert {call.caller for call in calls if kept[call.caller] != 1} == set(), "lost, or kept twice"
    assert kept.total() == len(calls), "there are calls that nobody made"


def each_letter_has_a_fate(victim: Victim) -> None:
    letters = ground.letters(ground.rows(victim.ledger))
    assert {states[-1] for _, states in letters.values()} <= {"sent", "delivered", "unknown", "cancelled"}
    torn = [states for _, states in letters.values() if "unknown" in states]
    assert len(torn) >= victim.kills["prompt"] > 0, "a letter cut off is unknown"
    assert all(states.count("sending") == 1 for states in torn), "an unknown letter is not sent again"
    claimed = {number for number, states in letters.values() if "sending" in states}
    assert {sent.number for sent in victim.port.modem.sent} <= claimed, "sent without a claim on disk"


def test_a_hang_up_before_the_commit_is_caught(tmp_path: Path) -> None:
    with Farm(tmp_path / "ports") as farm, Processes(tmp_path) as processes:
        port = farm.add(name="sim1")
        victim = Victim(1, port, make_box(tmp_path, {"l1": port.path}), processes, broken=ground.LATE)
        victim.live("hang-up")
        victim.broken = ""
        victim.live("")
    with pytest.raises(AssertionError, match="lost"):
        each_call_is_one_record(victim)


@pytest.mark.parametrize("form", range(3))
def test_the_canaries_sing(form: int) -> None:
    number = voter(1)
    assert ground.leaked([b"nothing", b"call from " + sorted(spellings(number))[form] + b"!"], [number]) == [number]
