"""`miscall demo`: a whole district on this machine, and at the end the account of every call.

Rules of the room
- All but the voters and the modems is real: `miscall box run` for each office, `miscall hq run`, a broker, files.
- In the middle the broker is killed for a while, and one modem is unplugged and comes back. Neither may cost a call.
- Two lines of the first office talk: one plays a menu, one rings back. Whoever looks may ring all lines too, on a
  telephone in the browser, and counts as a voter.
- The end is a comparison, not a feeling: each call that made a simulated modem ring must be in its box's export and in
  headquarters' export, once, and each recording at headquarters. Status 0 when that holds, and nobody was answered by
  a line that never answers, or got two replies; else 1.
- One thread of ours acts; the modems' own only serves their ports, the telephones' only its page. Ctrl-C sends the
  voters home, waits for what is under way and gives the account; a second one ends at once.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import signal
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from edge import export, recordings
from sync.hq import export as hq_export
from tools import rehearsal, stage, telephone
from tools.district import District, Line, Spell, Verdict, forecast, judge
from tools.eyes import Eyes
from tools.simmodem import Farm, PtyModem
from tools.view import Scene, Screen, sentence

STEP_S, LOOK_S, TELL_S = 0.05, 0.5, 5.0
READY_S, DRAIN_S = 60.0, 120.0  # for the lines to come up; for the last replies and rows
SHY_S = 60.0  # so long after somebody used a telephone in the browser voters keep the lines that talk free
VOICES_S = 180.0  # for a machine to say all prompts, the first time
VISITOR = "you"  # the account with which whoever watches joins headquarters
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
        good = verdict is not None and verdict.good and not demo.unsent_sound()
        kept = verdict is not None and not good
        return 0 if good else 1
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
    print(f"a telephone: {demo.telephone.address}   (ring any line from your browser)", flush=True)
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
        port, self.voices = stage.free_port(), rehearsal.place(folder)
        self.voices.mkdir(exist_ok=True)
        self.company = stage.Company(folder)
        self.broker = stage.Broker(self.company, folder, port)
        self.offices, self.hq, self.page = stage.furnish(folder, boxes, lines, port, self.voices)
        self.code = stage.account(self.hq, VISITOR)
        self.eyes = Eyes(self.offices, self.hq.parent / "data" / "hq.db")
        self.district = District(self._lines(), Random(), self._tell)
        self.exchange, self.telephone = self._telephone()
        self.district.person = partial(self.exchange.used, SHY_S)
        self._weather = forecast(run_s)
        self._next: Spell | None = next(self._weather)
        self._away: dict[tuple[str, str], int] = {}  # lines unplugged, and when (wall, ms)
        self._broker_back = self._down_since = 0.0
        self._catching_up = False
        self._began = self._look_at = time.monotonic()

    def _lines(self) -> list[Line]:
        found = []
        for office in self.offices:
            (ports := office.config.parent / "ports").mkdir(exist_ok=True)
            for name, modem in office.modems.items():
                port = self.farm.add(modem, name=f"{office.id}-{name}", number=self.eyes.number(office.id, name))
                (ports / name).symlink_to(port.path)
                if port.audio_path:
                    (ports / f"{name}-pcm").symlink_to(port.audio_path)
                spoken = office.talking.get(name, "")
                mode = self.eyes.campaign(office.id, name).mode
                found.append(Line(office.id, name, port, partial(self._on_air, office.id, name), mode, spoken))
        return found

    def _telephone(self) -> tuple[telephone.Exchange, telephone.Served]:
        """The telephones in browsers, from which every line can be rung."""
        reachable = []
        for line in self.district.lines:
            assert isinstance(line.port, PtyModem)
            number, found = self.eyes.number(line.box, line.name), self.eyes.campaign(line.box, line.name)
            kind = line.port.modem.family.name
            about = telephone.About(line.where, number, found.title, found.mode, line.box, kind, found.languages)
            ledger, came = self.eyes.ledger(line.box, line.name), partial(self.district.came, line)
            reachable.append(telephone.Line(about, line.port, ledger, found.menu, line.on_air, came))
        exchange = telephone.Exchange(reachable, partial(rehearsal.sentences, self.voices))
        links = {"Headquarters": self.page, **{office.id: office.page for office in self.offices[:1]}}
        return exchange, telephone.Served(exchange, "the demo", links, stage.free_port(8900))

    def _invite(self) -> None:
        """Tell whoever watches how to get into headquarters' page."""
        self._tell("", f"Join headquarters: {self.page}first, name {VISITOR}, code {self.code}")

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
        self.company.start("voices", sys.executable, "-m", "tools.rehearsal", str(self.voices))
        self.company.miscall("headquarters", "hq", "run", str(self.hq))
        self._invite()
        for office in self.offices:
            self.company.miscall(office.id, "box", "run", str(office.config))
        if not rehearsal.speaks():
            self._tell("", "The menus beep: espeak-ng, which would speak their prompts, is not installed")
        patience = READY_S + 2 * len(self.district.lines)
        if not self._go(show, "the boxes are starting", self.eyes.all_ready, patience, enough=1):
            if self.asked:
                return None
            raise stage.Broken(f"not every line came up in {patience:.0f} s: {self.eyes.not_ready()}")
        rehearsed = partial(self.company.ended, "voices")
        self._go(show, "a machine learns the menus' words, this once", rehearsed, VOICES_S, enough=1)
        self.district.sentences = rehearsal.sentences(self.voices)
        self._began = time.monotonic()
        self.district.open(self._began)
        self._go(show, "", lambda: False, self.run_s, enough=1, weather=True)
        self.exchange.close()
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
                self.company.ended("voices")
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
        eyes, district = self.eyes, self.district
        there = eyes.at_hq >= eyes.captured >= district.truth().total() and not self.unsent_sound()
        return there and not (district.ringing() or district.talking() or eyes.waiting or eyes.under_way)

    def unsent_sound(self) -> int:
        """Recordings that are not at headquarters though they can get there."""
        return self.eyes.sound - self.eyes.sound_at_hq if recordings.encoder(Path(), Path()) else 0

    def held(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The calls as the boxes and as headquarters tell them, by the exports that anybody may run."""
        ledgers: list[dict[str, Any]] = []
        for box in self.eyes.boxes:
            ledgers += export.told(box, "calls", [])
        out = io.StringIO()
        hq_export.run(self.hq, "calls", "jsonl", out)
        return ledgers, [json.loads(line) for line in out.getvalue().splitlines()]

    def close(self) -> None:
        self.telephone.close()
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
            code=self.code,
            telephone=self.telephone.address,
            dialled=fates.total(),
            ringing=fates[""],
            busy=fates["busy"],
            unreachable=fates["unreachable"],
            reached=self.district.truth().total(),
            captured=eyes.captured,
            replied=len(self.district.replies),
            waiting=eyes.waiting,
            at_hq=eyes.at_hq,
            talked=sum(visit.fate == "answered" and visit.line.talks for visit in self.district.visits),
            rung_back=sum(call.fate == "answered" for _, call in self.district.rung_back),
            sound=eyes.sound,
            sound_at_hq=eyes.sound_at_hq,
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


def totals(verdict: Verdict | None, demo: Demo) -> list[str]:
    """The account, as it is printed at the end."""
    if verdict is None:
        return ["Ended at once: nothing was compared."]
    district, fates, eyes = demo.district, demo.district.fates(), demo.eyes
    voters = len({visit.voter.number for visit in district.visits})
    rung, unsent = len(district.rung_back), demo.unsent_sound()
    told = [
        "Totals",
        f"  callers   {voters:7,}   voters, who dialled {fates.total():,} times",
        f"  reached   {verdict.reached:7,}   calls that made a modem ring",
        f"  captured  {verdict.captured:7,}   of these on the boxes' disks",
        f"  replied   {len(district.replies):7,}   voters, each with one SMS",
        f"  at HQ     {verdict.at_hq:7,}   of these in headquarters' export",
        f"  lost      {verdict.lost:7,}",
        f"  talked    {verdict.talked:7,}   callers whom the menu answered",
        f"  rung back {verdict.rung_back:7,}   voters who took the call, of {rung:,} that were placed",
        f"  recorded  {eyes.sound_at_hq:7,}   recordings at headquarters, of {eyes.sound:,} that were kept",
    ]
    for count, what in (
        (fates["busy"], "more heard busy: another caller had that line, and no box could know."),
        (fates["unreachable"], "found no network at the number whose modem was unplugged."),
        (district.stops, "wrote STOP; those who rang again got no second reply."),
        (district.references, "got the number of their case by SMS."),
        (eyes.waiting, "SMS were still to go when the demo ended."),
        (0 if unsent else eyes.sound - eyes.sound_at_hq, f"recordings stay where they are: {recordings.NO_ENCODER}."),
    ):
        if count:
            told.append(f"{count:,} {what}")
    for count, what in (
        (verdict.extra, "calls are held more often than they rang"),
        (verdict.pestered, "voters got more than one reply"),
        (verdict.answered, "calls were answered: somebody was billed"),
        (verdict.astray, "voters who were rung back are told otherwise"),
        (unsent, "recordings are not at headquarters"),
    ):
        if count:
            told.append(f"WRONG: {count} {what}.")
    good = verdict.good and not unsent
    told.append("Every call that reached a line is at headquarters, once." if good else "This must not happen.")
    return told
