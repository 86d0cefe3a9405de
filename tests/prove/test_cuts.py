"""Power cuts, full cards and failing cards, on real file systems and real processes.

Cuts: a process keeps calls and says each seq when its commit has returned; the file system is shut down under it. What
it had said before the cut must be there after the journal was replayed, and the ledger must go on with its chain
whole. A third of the cuts hit a brand-new ledger. `synchronous=NORMAL` must be seen to lose.

Refusals: on a full card, and when a write or a sync fails at any point (strace injects it), the line's process ends
with 75 (try again); started again, it reads what is there. Nobody is hung up on without a record, nobody has two.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from edge.events import Caller, Stamp
from edge.ledger import Ledger
from tests.prove import ground
from tests.prove.disks import Disk
from tests.prove.ground import ROOT, SETTLE, Processes, make_box, miscall, need, share, until, voter
from tools.simmodem import Farm
from tools.simmodem.farm import PtyModem

pytestmark = [pytest.mark.prove, pytest.mark.timeout(1800)]

CUTS, NEGATIVE_CUTS, REFUSALS = 300, 20, 60
STAMP = Stamp("b001" * 4, 5_000, 1_780_000_000_000, 3)
# Keeps a call with its reply, then says its seq; now and then the log is moved into the database, as when idle.
WRITER = """
import os, sys
from pathlib import Path
from edge.events import Caller, Stamp
from edge.ledger import Draft, Ledger, LedgerFailed
try:
    ledger = Ledger(Path(sys.argv[1]), "box-1", "l1", Stamp("b001" * 4, 0, 1_780_000_000_000, 3))
    for _ in range(5_000):
        number = "+91981%07d" % ledger.head()[0]
        stamp = Stamp("b001" * 4, 1000, 1_780_000_000_000, 3)
        seq = ledger.keep_call(stamp, Caller("national", number), "missed", "water", Draft("Thank you", "en", 1))
        os.write(1, b"%d\\n" % seq)
        if seq % 60 < 2:
            ledger.checkpoint()
except LedgerFailed as error:
    print(error, file=sys.stderr)
    sys.exit(75)
"""


def cut(disk: Disk, ledger: Path, after: int, broken: str = "") -> set[int]:
    """Let a writer work on `ledger` until it has said `after` calls, then cut; returns what was said before that."""
    writer = subprocess.Popen(
        [sys.executable, "-c", broken + WRITER, str(ledger)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    assert writer.stdout is not None
    said = b""
    while said.count(b"\n") < after:
        chunk = os.read(writer.stdout.fileno(), 65536)
        assert chunk, writer.communicate()
        said += chunk
    os.set_blocking(writer.stdout.fileno(), False)
    said += writer.stdout.read() or b""
    disk.cut()
    try:
        _, complaint = writer.communicate(timeout=30)
    finally:
        writer.kill()
    assert writer.returncode == 75 and b"Traceback" not in complaint, complaint.decode()
    disk.unmount()
    disk.mount()  # replays the journal
    return {int(seq) for seq in said[: said.rfind(b"\n") + 1].split()}


def kept(ledger: Path) -> set[int]:
    """The calls that are there, after the ledger was opened as after a restart, went on, and was looked through."""
    again = Ledger(ledger, "box-1", "l1", STAMP)
    again.keep_call(STAMP, Caller("national", voter(again.head()[0])), "missed", "water")
    again.close()
    calls = [row for row in ground.rows(ledger) if row.kind == "call"]
    assert all(row.caller == voter(row.seq - 1) for row in calls)
    return {row.seq for row in calls}


def test_what_was_said_is_there_after_a_cut(tmp_path: Path) -> None:
    dice = random.Random(1)
    total = 0
    with Disk(tmp_path, 64) as disk:
        for number in range(share(CUTS)):
            ledger = disk.place / f"box-{number // 3}" / "ledgers" / "l1.db"
            said = cut(disk, ledger, after=dice.choice((1, 2, 5, dice.randint(6, 200))))
            assert said - kept(ledger) == set(), "said and lost"
            total += len(said)
        disk.unmount()
        disk.check()
    print(f"{share(CUTS)} cuts, {total} calls said before them, none lost")


def test_a_ledger_that_does_not_sync_is_caught(tmp_path: Path) -> None:
    losses = []
    with Disk(tmp_path, 64) as disk:
        ledger = disk.place / "ledgers" / "l1.db"
        kept_before_any = Ledger(ledger, "box-1", "l1", STAMP)
        kept_before_any.checkpoint()
        kept_before_any.close()
        for _ in range(NEGATIVE_CUTS):
            losses.append(len(cut(disk, ledger, after=30, broken=SETTLE.format(level="NORMAL")) - kept(ledger)))
            if share(10) == 1 and any(losses):  # seen once is enough but for the long run
                break
    print(f"NORMAL: {sum(map(bool, losses))} of {len(losses)} cuts lost calls, at most {max(losses)}")
    assert any(losses), "the harness cannot fail"


# ------------------------------------------------------------------------------------------ refusals


def failing(ledger: Path, fault: str) -> list[str]:
    """The beginning of a command whose system calls on the ledger's files fail as `fault` tells strace to; "": none.

    The folder is not among them: SQLite takes no notice of what a sync of the folder answers."""
    files = [word for end in ("", "-wal", "-shm", "-journal") for word in ("-P", f"{ledger}{end}")]
    return ["strace", "-qq", "-o", os.devnull, *files, "-e", f"inject={fault}"] if fault else []


class Line:
    """A line's process, its modem and the callers."""

    def __init__(self, box: Path, port: PtyModem, processes: Processes) -> None:
        self.box, self.port, self.processes, self.dialled = box, port, processes, 0
        self.ledger = box.parent / "data" / "ledgers" / "l1.db"

    def start(self, injected: str = "") -> None:
        command = miscall("box", "line", self.box, "l1")
        self.process = self.processes.start(*failing(self.ledger, injected), *command, log="line")

    def ended(self) -> bool:
        return self.process.poll() is not None

    def work(self, calls: int) -> None:
        """Let callers ring, one after the other, until the process ends or `calls` of them were hung up on."""
        end = self.dialled + calls
        while not self.ended() and (self.dialled < end or self.port.modem.line.calls):
            if not self.port.modem.line.calls:
                self.dialled += 1
                self.port.dial(voter(self.dialled), 120)
            self.port.farm.until(self.ended, 0.02)

    def finish(self) -> None:
        """A last life without faults; then everybody has one record, and nobody two replies."""
        self.start()
        self.work(1)
        self.process.terminate()
        assert self.process.wait(20) == 0
        calls = self.port.modem.calls
        assert {call.fate for call in calls} == {"rejected"}
        assert ground.callers(ground.rows(self.ledger)) == dict.fromkeys((call.caller for call in calls), 1)
        sent = [one.number for one in self.port.modem.sent]
        assert len(sent) == len(set(sent))
        log = (self.processes.folder / "line.log").read_bytes()
        assert b"Traceback" not in log, log.decode()
        assert ground.leaked([log], {call.caller for call in calls}) == []


def test_a_full_card_costs_no_call(tmp_path: Path) -> None:
    with Disk(tmp_path, 8) as disk, Farm(tmp_path / "ports") as farm, Processes(tmp_path) as processes:
        port = farm.add(name="sim1", send_s=(0.02, 0.05))
        line = Line(make_box(disk.place / "box", {"l1": port.path}), port, processes)
        line.start()
        line.work(3)
        filler = disk.fill()
        for _ in range(3):  # it is started again and again, as systemd would, and the caller rings on
            line.work(1)
            until(line.ended, "the line gives up on a full card")
            assert line.process.returncode == 75
            assert port.modem.line.calls, "hung up without a record"
            line.start()
        filler.unlink()
        line.work(1)
        line.process.terminate()
        assert line.process.wait(20) == 0
        line.finish()
    assert b"the disk is full" in (tmp_path / "line.log").read_bytes()


FAULTS = (
    "fdatasync:error=EIO:when={n}", "fdatasync:error=EIO:when={n}+", "pwrite64:error=ENOSPC:when={n}",
    "pwrite64:error=EIO:when={n}", "fdatasync:signal=SIGKILL:when={n}",
)  # fmt: skip


def test_a_line_on_a_failing_card_ends_and_reads_again(tmp_path: Path) -> None:
    need("strace")
    dice = random.Random(3)
    with Farm(tmp_path / "ports") as farm, Processes(tmp_path) as processes:
        port = farm.add(name="sim1", send_s=(0.02, 0.05))
        line = Line(make_box(tmp_path, {"l1": port.path}), port, processes)
        for number in range(share(REFUSALS)):
            fault = FAULTS[number % len(FAULTS)]
            n = dice.randint(1, 6) if fault.startswith("fdatasync") else dice.randint(1, 60)
            line.start(fault.format(n=n))
            line.work(100)
            assert line.process.returncode == (-9 if "SIGKILL" in fault else 75), fault
        line.finish()


@pytest.mark.parametrize("fault", ["fdatasync:error=EIO", "pwrite64:error=EIO", "pwrite64:error=ENOSPC"])
def test_a_ledger_born_on_a_failing_card(tmp_path: Path, fault: str) -> None:
    """At any point of its birth and of its first calls, once and for good: no half ledger, nothing said is lost."""
    need("strace")
    for n in range(1, share(100) + 1):
        ledger = tmp_path / f"box-{n}" / "ledgers" / "l1.db"
        command = [*failing(ledger, f"{fault}:when={n}{'+' * (n % 2)}"), sys.executable, "-c", WRITER, str(ledger)]
        writer = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
        assert writer.returncode == 75 and b"Traceback" not in writer.stderr, (n, writer.stderr.decode())
        assert {int(seq) for seq in writer.stdout.split()} <= kept(ledger)
        assert not ledger.with_name("l1.db-journal").exists(), "it is not in WAL mode"
