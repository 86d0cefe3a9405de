"""`miscall demo`: a whole district on this machine, and at the end the account of every call.

Rules of the room
- All but the voters and the modems is real: `miscall box run` for each office, `miscall hq run`, a broker, files.
- In the middle the broker is killed for a while, and one modem is unplugged and comes back. Neither may cost a call.
- The end is a comparison, not a feeling: each call that made a simulated modem ring must be in its box's export and in
  headquarters' export, once. Status 0 when that holds and nobody was answered or got two replies; else 1.
- One thread of ours acts (the modems' own thread only serves their ports). Ctrl-C sends the voters home, waits for
  what is under way and gives the account; a second one ends at once.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from edge import config, export, status, words
from edge.ledger import Reader
from sync.hq import export as hq_export
from sync.hq import reports
from tools import stage
from tools.district import District, Line, Spell, Verdict, forecast, judge
from tools.simmodem import Farm
from tools.view import LineSeen, OfficeSeen, Scene, Screen, sentence

STEP_S, LOOK_S, TELL_S = 0.05, 0.5, 5.0
READY_S, DRAIN_S = 60.0, 120.0  # for the lines to come up; for the last replies and rows
Show = Callable[[Scene], None]


def run(boxes: int = 2, lines: int = 4, minutes: float | None = None, headless: bool = False) -> int:
    """Play the district until `minutes` are over, or Ctrl-C; print the totals. 0 when no call is missing, else 1."""
    folder = Path(tempfile.mkdtemp(prefix="miscall-demo-"))
    kept, verdict = True, None
    try:
        with _asked() as asked, Farm(folder / "modems") as farm:
            demo = Demo(folder, farm, boxes, lines, minutes * 60 if minutes else None, asked)
            with contextlib.closing(demo), _shown(headless, demo) as show:
                verdict = demo.play(show)
        for line in totals(verdict, demo):
            print(line)
        kept = verdict is not None and not verdict.good
        return 0 if verdict is not None and verdict.good else 1
    except stage.Broken as why:
        print(f"demo: {why}", file=sys.stderr)
        return 1
    except BaseException:
        kept = False  # our own mistake, and shown as one
        raise
    finally:
        if kept:
            print(f"demo: its files are kept for a look: {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _asked() -> Iterator[list[int]]:
    """A list that grows with each signal that asks us to end. The terminal's going counts twice: nobody watches."""
    got: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: got.extend([number] * (1 + (number == signal.SIGHUP))))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield got
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _shown(headless: bool, demo: Demo) -> Iterator[Show]:
    """What shows the scene: a live picture, or a line now and then where there is no terminal."""
    if not headless and Screen.possible():
        with Screen() as screen:
            yield screen.show
        return
    for office in demo.offices:
        print(f"{office.id}: {len(office.modems)} lines, {office.page}", flush=True)
    print(f"headquarters: {demo.page}   (broker: {demo.broker.kind})", flush=True)
    due = 0.0

    def tell(scene: Scene) -> None:
        nonlocal due
        while demo.headlines:
            print(f"{demo.headlines.popleft()}", flush=True)
        if time.monotonic() >= due:
            due = time.monotonic() + TELL_S
            print(sentence(scene) + (f" ({scene.phase})" if scene.phase else ""), flush=True)

    yield tell


class Demo:
    """One district from its first file to its last row. `close` ends every process."""

    def __init__(self, folder: Path, farm: Farm, boxes: int, lines: int, run_s: float | None, asked: list[int]) -> None:
        self.folder, self.farm, self.run_s, self.asked = folder, farm, run_s, asked
        self.news: deque[tuple[str, str, str]] = deque(maxlen=40)
        self.headlines: deque[str] = deque(maxlen=40)  # the news that are not about one caller
        port = stage.free_port()
        self.company = stage.Company(folder)
        self.broker = stage.Broker(self.company, folder, port)
        self.offices, self.hq, self.page = stage.furnish(folder, boxes, lines, port)
        self.eyes = Eyes(self.offices, self.hq.parent / "data" / "hq.db")
        self.district = District(self._lines(), Random(), self._tell)
        self._weather = forecast(run_s)
        self._next: Spell | None = next(self._weather)
        self._away: dict[tuple[str, str], int] = {}  # lines unplugged, and when (wall, ms)
        self._broker_back = self._down_since = 0.0
        self._catching_up = False
        self._began = self._look_at = time.monotonic()

    def _lines(self) -> list[Line]:
        found = []
        for office in self.offices:
            for name, modem in office.modems.items():
                port = self.farm.add(modem, name=f"{office.id}-{name}", number=self.eyes.number(office.id, name))
                (office.config.parent / "ports").mkdir(exist_ok=True)
                (office.config.parent / "ports" / name).symlink_to(port.path)
                found.append(Line(office.id, name, port, partial(self._on_air, office.id, name)))
        return found

    def _on_air(self, box: str, line: str) -> bool:
        return (box, line) not in self._away

    def _tell(self, where: str, what: str) -> None:
        at = time.strftime("%H:%M:%S")
        self.news.append((at, where, what))
        if not where:
            self.headlines.append(f"      {what}")

    # ------------------------------------------------------------------------------- the course

    def play(self, show: Show) -> Verdict | None:
        """All of it, to the account; None when it was ended before there could be one."""
        self.broker.start()
        self.company.miscall("headquarters", "hq", "run", str(self.hq))
        for office in self.offices:
            self.company.miscall(office.id, "box", "run", str(office.config))
        patience = READY_S + 2 * len(self.district.lines)
        if not self._go(show, "the boxes are starting", self.eyes.all_ready, patience, enough=1):
            if self.asked:
                return None
            raise stage.Broken(f"not every line came up in {patience:.0f} s: {self.eyes.not_ready()}")
        self._began = time.monotonic()
        self.district.open(self._began)
        self._go(show, "", lambda: False, self.run_s, enough=1, weather=True)
        self.district.close()
        if not self.broker.up:
            self._broker_up()
        phase = "the voters have gone home; the last replies go out"
        self._go(show, phase, self._through, DRAIN_S, enough=2)
        return None if len(self.asked) > 1 else judge(self.district, *self.held())

    def _go(
        self,
        show: Show,
        phase: str,
        until: Callable[[], bool],
        seconds: float | None,
        enough: int,
        weather: bool = False,
    ) -> bool:
        """Let the district live until that is true (True), until `seconds` are over or we are asked to end."""
        end = time.monotonic() + (seconds or float("inf"))
        while time.monotonic() < end and len(self.asked) < enough:
            now = time.monotonic()
            self.district.tick(now)
            if weather:
                self._weather_at(now)
            if now >= self._look_at:
                self.company.check()
                self.eyes.look()
                self._back_on_air()
                show(self.scene(phase))
                if until():
                    return True
                self._look_at = max(now + LOOK_S, now + 10 * (time.monotonic() - now))
            time.sleep(STEP_S)
        return False

    def _through(self) -> bool:
        """Has everything that rang come to its end?"""
        there = self.eyes.at_hq >= self.eyes.captured >= self.district.truth().total()
        return there and not self.district.ringing() and not self.eyes.waiting

    def held(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The calls as the boxes and as headquarters tell them, by the exports that anybody may run."""
        ledgers: list[dict[str, Any]] = []
        for box in self.eyes.boxes:
            ledgers += export.told(box, "calls", [])
        out = io.StringIO()
        hq_export.run(self.hq, "calls", "jsonl", out)
        return ledgers, [json.loads(line) for line in out.getvalue().splitlines()]

    def close(self) -> None:
        self.company.end()
        self.eyes.close()

    # ------------------------------------------------------------------------------ the weather

    def _weather_at(self, now: float) -> None:
        spell = self._next
        if not self.broker.up and now >= self._broker_back:
            self._broker_up()
        if spell is None or now < self._began + spell.at:
            return
        if spell.what == "rush":
            self.district.rush_until = now + spell.seconds
            self._tell("", "A rally ends: five times as many voters ring")
        elif spell.what == "broker":
            self.broker.kill()
            self._down_since, self._broker_back = now, now + spell.seconds
            self._tell("", "The broker is killed: boxes go on and keep every row")
        elif not self._unplug(spell.seconds):
            return  # nobody's line is idle: in a moment
        self._next = next(self._weather, None)

    def _broker_up(self) -> None:
        self.broker.start()
        self._catching_up = True
        self._tell("", "The broker is back")

    def _unplug(self, seconds: float) -> bool:
        """Unplug a modem in which nobody rings and no SMS is under way: what then goes wrong is the box's affair."""
        with self.farm.lock:
            for line in self.district.lines:
                modem = line.port.modem
                if not modem.line.calls and all(sent.outcome for sent in modem.sent[-1:]):
                    self._away[line.box, line.name] = int(time.time() * 1000)
                    line.port.fault("vanish", seconds)
                    self._tell("", f"Somebody unplugs the modem of {line.box} {line.name}")
                    return True
        return False

    def _back_on_air(self) -> None:
        for key, unplugged_ms in list(self._away.items()):
            line = self.eyes.lines.get(key, {})
            if line.get("state") == "ready" and line.get("since_ms", 0) > unplugged_ms:
                del self._away[key]
                self._tell("", f"The modem of {key[0]} {key[1]} is plugged in again and heard by its box")

    # ---------------------------------------------------------------------------------- the look

    def scene(self, phase: str) -> Scene:
        """What there is to show now."""
        fates, eyes = self.district.fates(), self.eyes
        return Scene(
            seconds=time.monotonic() - self._began,
            phase=phase,
            page=self.page,
            dialled=fates.total(),
            ringing=fates[""],
            busy=fates["busy"],
            unreachable=fates["unreachable"],
            reached=self.district.truth().total(),
            captured=eyes.captured,
            replied=len(self.district.replies),
            waiting=eyes.waiting,
            at_hq=eyes.at_hq,
            road=self._road(),
            offices=eyes.offices,
            news=list(self.news),
        )

    def _road(self) -> tuple[str, str]:
        unsent = self.eyes.unsent
        rows = f"{unsent:,} row{'s' * (unsent != 1)}"
        if not self.broker.up:
            down = time.monotonic() - self._down_since
            return "warn", f"broker down for {down:.0f} s: {rows} waiting on the boxes' disks, none lost"
        self._catching_up = self._catching_up and unsent > 0
        if self._catching_up:
            return "busy", f"broker back: {rows} on the way to headquarters"
        return "good", f"{self.broker.kind} up: {rows if unsent else 'nothing'} on the way to headquarters"


class Eyes:
    """What the boxes and headquarters have on disk, read only, as any page would read it."""

    def __init__(self, offices: list[stage.Office], hq: Path) -> None:
        self._offices, self._hq = offices, hq
        self.boxes = [config.load(office.config) for office in offices]
        self._ledgers: dict[Path, Reader] = {}
        self.offices: list[OfficeSeen] = []
        self.lines: dict[tuple[str, str], dict[str, Any]] = {}
        self.captured = self.waiting = self.at_hq = self.unsent = 0

    def number(self, box: str, line: str) -> str:
        """The line's own number, as on its posters."""
        return next(one for one in self.boxes if one.id == box).line(line).number

    def look(self) -> None:
        """Read everything anew."""
        self.offices, self.captured, self.waiting, self.unsent = [], 0, 0, 0
        for office, box in zip(self._offices, self.boxes, strict=True):
            seen = status.snapshot(box)
            unsent = seen["uplink"]["unsent"] or 0
            self.unsent += unsent
            lines = [self._line(office, box, line, seen["now_ms"]) for line in seen["lines"]]
            self.offices.append(OfficeSeen(office.id, office.campaign, office.page, unsent, lines))
        self.at_hq = self._count_hq()

    def _line(self, office: stage.Office, box: config.BoxConfig, line: dict[str, Any], now_ms: int) -> LineSeen:
        name = line["name"]
        self.lines[box.id, name] = line
        calls = waiting = 0
        with contextlib.suppress(FileNotFoundError, sqlite3.Error):  # not there yet: nothing rang yet
            path = box.data / "ledgers" / f"{name}.db"
            ledger = self._ledgers.get(path) or self._ledgers.setdefault(path, Reader(path))
            calls, counts = ledger.calls_since(0), ledger.counts()
            waiting = sum(counts.get(state, 0) for state in ("queued", "held", "sending"))
        self.captured += calls
        self.waiting += waiting
        said = words.line_said(line, now_ms)
        last = f"{line['last_caller']} {words.age(line['last_call_ms'], now_ms)}" if calls else ""
        return LineSeen(name, office.modems[name], said.tone, said.title, calls, waiting, last)

    def _count_hq(self) -> int:
        with contextlib.suppress(FileNotFoundError, sqlite3.Error), contextlib.closing(reports.connect(self._hq)) as db:
            return int(db.execute("SELECT coalesce(sum(calls), 0) FROM hourly").fetchone()[0])
        return self.at_hq

    def not_ready(self) -> str:
        """The lines that do not hear calls yet, and what they say."""
        waiting = [(key, line) for key, line in self.lines.items() if line.get("state") != "ready"]
        return ", ".join(f"{box} {name} ({line.get('state', 'nothing said')})" for (box, name), line in waiting)

    def all_ready(self) -> bool:
        return bool(self.lines) and not self.not_ready()

    def close(self) -> None:
        for ledger in self._ledgers.values():
            ledger.close()


def totals(verdict: Verdict | None, demo: Demo) -> list[str]:
    """The account, as it is printed at the end."""
    if verdict is None:
        return ["Ended at once: nothing was compared."]
    district, fates = demo.district, demo.district.fates()
    voters = len({visit.voter.number for visit in district.visits})
    told = [
        "Totals",
        f"  callers   {voters:7,}   voters, who dialled {fates.total():,} times",
        f"  reached   {verdict.reached:7,}   calls that made a modem ring",
        f"  captured  {verdict.captured:7,}   of these on the boxes' disks",
        f"  replied   {len(district.replies):7,}   voters, each with one SMS",
        f"  at HQ     {verdict.at_hq:7,}   of these in headquarters' export",
        f"  lost      {verdict.lost:7,}",
    ]
    for count, what in (
        (fates["busy"], "more heard busy: another caller had that line, and no box could know."),
        (fates["unreachable"], "found no network at the number whose modem was unplugged."),
        (district.stops, "wrote STOP; those who rang again got no second reply."),
        (demo.eyes.waiting, "SMS were still to go when the demo ended."),
    ):
        if count:
            told.append(f"{count:,} {what}")
    for count, what in (
        (verdict.extra, "calls are held more often than they rang"),
        (verdict.pestered, "voters got more than one reply"),
        (verdict.answered, "calls were answered: somebody was billed"),
    ):
        if count:
            told.append(f"WRONG: {count} {what}.")
    told.append("Every call that reached a line is at headquarters, once." if verdict.good else "This must not happen.")
    return told
