"""Two lines of one box in two processes, and a barrier: both have a reply to the same caller, and start at once.

Station, ledger, readers and the flock are the real ones; the modem and its time are made up. A short sleep between the
verdict of the rules and the claim stands for a busy machine or a slow card.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import multiprocessing
import random
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from edge import outbox
from tests.prove.ground import voter
from tests.rig import Rig

BUSY_S = 0.003  # a moment on a busy machine


@dataclasses.dataclass
class Start:
    """What one line did at one start, in the machine's monotonic seconds."""

    texts: int  # SMS to this caller that the modem was given
    fate: str = ""  # of the reply
    claimed_at: float = 0.0  # when it was about to write `sending`
    stopped_at: float = 0.0  # when the caller's STOP was on disk


class Twin:
    """One of the two lines."""

    def __init__(self, folder: Path, mine: str, other: str, locked: bool) -> None:
        self.file = open(folder / "send.lock", "ab")  # noqa: SIM115  # for the process's life, as a line has it
        self.dice = random.Random(mine)
        self.rig = Rig(folder, mine, guard=self.lock if locked else contextlib.nullcontext, send_s=(0.1, 0.1))
        self.rig.siblings = [SimpleNamespace(path=folder / "ledgers" / f"{other}.db")]  # type: ignore[list-item]
        self.station = self.rig.station
        assert self.station is not None
        self.station.outbox._purse = 1_000_000
        self.start = Start(0)
        self._watch(self.station.ledger)

    def lock(self) -> contextlib.AbstractContextManager[None] | None:
        """As a line takes the box's send lock."""
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        return self._locked()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            yield
        finally:
            fcntl.flock(self.file, fcntl.LOCK_UN)

    def _watch(self, ledger: Any) -> None:
        """Note when the claim is written and when STOP is on disk; be busy between verdict and claim."""
        decide, set_state, keep_received = outbox.decide, ledger.set_state, ledger.keep_received

        def slowly(*given: Any) -> Any:
            verdict = decide(*given)
            time.sleep(self.dice.random() * BUSY_S)
            return verdict

        def claimed(stamp: Any, seq: int, state: str, *given: Any, **more: Any) -> None:
            if state == "sending":
                self.start.claimed_at = time.monotonic()
            self.start.fate = state
            set_state(stamp, seq, state, *given, **more)

        def stopped(*given: Any, **more: Any) -> int:
            seq = keep_received(*given, **more)
            self.start.stopped_at = time.monotonic()
            return int(seq)

        outbox.decide, ledger.set_state, ledger.keep_received = slowly, claimed, stopped  # type: ignore[assignment]

    def race(self, number: int, barrier: Any, stop: bool) -> Start:
        """Caller `number` rings; then, with all others at the barrier, her STOP comes if `stop`, and her reply goes."""
        rig, caller = self.rig, voter(number)
        rig.now = max(rig.now, 1000.0 + 60 * number)
        self.start = Start(0)
        call = rig.sim.dial(caller, rig.now)
        rig.until(lambda: call.fate)
        assert rig.station is not None and rig.station.ledger.counts()["queued"] == 1
        barrier.wait(60)
        time.sleep(self.dice.random() * BUSY_S)
        if stop:
            rig.sim.sms_in(caller, "STOP", rig.now)
        rig.until(lambda: self._settled(caller, stop), 3600)
        self.start.texts = sum(sent.number == caller for sent in rig.sim.sent)
        return self.start

    def _settled(self, caller: str, stop: bool) -> bool:
        assert self.rig.station is not None
        ledger = self.rig.station.ledger
        return not {"queued", "held", "sending"} & ledger.counts().keys() and (not stop or ledger.opted_out(caller))


def _work(folder: Path, place: int, locked: bool, starts: int, barrier: Any, results: Any) -> None:
    names = ("l1", "l2")
    try:
        twin = Twin(folder, names[place], names[1 - place], locked)
        # every other start brings a STOP, to each line in turn
        results.send([twin.race(n, barrier, stop=n % 2 == 1 and n // 2 % 2 == place) for n in range(starts)])
    except BaseException:
        barrier.abort()
        raise


def race(folder: Path, starts: int, locked: bool = True) -> list[tuple[Start, Start]]:
    """Let both lines start `starts` times; what each did at each start."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    pipes = [context.Pipe(duplex=False) for _ in range(2)]
    workers = [
        context.Process(target=_work, args=(folder, place, locked, starts, barrier, pipes[place][1]), daemon=True)
        for place in range(2)
    ]
    for worker in workers:
        worker.start()
    for _, far in pipes:
        far.close()
    try:
        one, other = (near.recv() for near, _ in pipes)
    finally:
        for worker in workers:
            worker.join(10)
            worker.kill()
    return list(zip(one, other, strict=True))
