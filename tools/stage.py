"""What a demo stands on: a folder with a district's real files, and the real processes that run on them.

Rules of the room
- The files are what a real office would write: box.toml, campaigns and hq.toml, checked by the real commands.
- Everything listens on 127.0.0.1, on ports that are free now.
- The kernel kills every process of ours when we die, however we die. They sit in process groups of their own, so that
  Ctrl-C in the terminal reaches only us and we end them in order. Start them from the main thread: the kernel
  takes the end of the thread that started a process for the end of its parent.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from sync.hq import config, stores
from sync.hq.doors import accounts
from tools import rehearsal
from tools.simmodem import FAMILIES

SETTINGS = Path(__file__).resolve().parent.parent / "firmware_config" / "mosquitto.conf"
PACE = "0.1"  # the road's waits are a tenth of those in the field: nobody watches a demo for a minute of back-off
START_S, END_S = 20.0, 12.0
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)

DISTRICTS = ("nashik", "gaya", "pune", "patna", "satara", "ranchi", "indore", "jhansi", "kolhapur", "bhopal")
CHANNELS = ("poster-bus-stand", "radio-evening", "wall-market", "school-gate")
LANGUAGES = ("", "hi", "en", "mr")  # of the lines, in turn; "": the campaign's first
CAMPAIGNS = {
    "water": (
        "Water supply for every village",
        ("mr", "धन्यवाद! पाण्यासाठी तुमचा आवाज नोंदला. थांबण्यासाठी STOP लिहा."),
        ("hi", "धन्यवाद! पानी के लिए आपकी आवाज़ दर्ज हुई। बंद करने को STOP लिखें।"),
        ("en", "Thank you! Your voice for water is recorded. {office}. Reply STOP to opt out."),
    ),
    "school": (
        "A teacher in every classroom",
        ("hi", "धन्यवाद! स्कूल के लिए आपकी आवाज़ दर्ज हुई। बंद करने को STOP लिखें।"),
        ("mr", "धन्यवाद! शाळेसाठी तुमचा आवाज नोंदला. थांबण्यासाठी STOP लिहा."),
        ("en", "Thank you! Your voice for the school is recorded. {office}. Reply STOP to opt out."),
    ),
}
TALKING = {"menu": ("huawei-voice", "water-menu"), "back": ("sim7600", "gram-sabha")}  # lines of the first office
_BOX = """\
[box]
id = {id}
data = "data"
district = {district}
country = "IN"
timezone = "Asia/Kolkata"
clock = "trusted"             # this machine's clock

[box.text]
office = {office}

[hq]
url = "mqtt://127.0.0.1:{broker}"
data_mb_per_day = 1000        # a demo may run all day; the default is 5

[page]
listen = "127.0.0.1:{page}"
"""
_LINE = """
[[line]]
name = "{name}"
number = "{number}"
campaign = "{campaign}"
language = "{language}"
channel = "{channel}"
port = "ports/{name}"
sms_per_day = 10000           # a demo may run all day; the default is 90
"""
_AUDIO = 'audio_port = "ports/{name}-pcm"\n'
_HQ = """\
[hq]
data = "data"
broker = "mqtt://127.0.0.1:{broker}"
store = "sqlite"

[web]
listen = "127.0.0.1:{page}"
second_proof = "offered"      # a demo should open without an app on a telephone

[campaigns]
folder = "campaigns"

[tariff]                      # made up
currency = "INR"
sms = 0.2
minute = 0.6
sim_month = 199
"""


class Office(NamedTuple):
    """One box: its file, its page's address, and the kind of modem on each line; `talking` has the campaigns of the
    lines that talk."""

    id: str
    config: Path
    campaign: str
    page: str
    modems: dict[str, str]
    talking: dict[str, str]


class Broken(Exception):
    """Something that the demo needs did not start or did not stay; the text says what and where to look."""


def free_port(wanted: int = 0, taken: Iterable[int] = ()) -> int:
    """A port of loopback that is free now: `wanted` or, when that is not to be had, any other."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            if (found := int(probe.getsockname()[1])) not in taken:
                return found
    return free_port(0, taken)


def furnish(folder: Path, boxes: int, lines: int, broker: int, voices: Path) -> tuple[list[Office], Path, str]:
    """Write the files of `boxes` offices, with `lines` that never answer each, and of headquarters; the first office
    has lines that talk too, whose prompts lie in `voices`. Returns the offices, hq.toml and the page's address."""
    taken = {broker}
    page = free_port(8800, taken)
    taken.add(page)
    offices = []
    for place in range(boxes):
        office = _office(folder, place, lines, broker, free_port(8701 + place, taken), {} if place else TALKING)
        for campaign in office.talking.values():
            (office.config.parent / "campaigns" / f"{campaign}.toml").write_text(rehearsal.campaign(campaign))
            (office.config.parent / "campaigns" / campaign).symlink_to(voices / campaign)
            rehearsal.beep(voices / campaign)
        taken.add(int(office.page.rpartition(":")[2].strip("/")))
        offices.append(office)
    hq = folder / "hq" / "hq.toml"
    (hq.parent / "campaigns").mkdir(parents=True)
    for office in offices:
        for campaign in sorted((office.config.parent / "campaigns").glob("*.toml")):
            shutil.copy(campaign, hq.parent / "campaigns")
    hq.write_text(_HQ.format(broker=broker, page=page))
    return offices, hq, f"http://127.0.0.1:{page}/"


def account(hq: Path, name: str) -> str:
    """A manager's account at headquarters; the code with which she joins, and which works once."""
    with stores.desk(config.load(hq)) as desk, desk.transaction():
        return accounts.make(desk, name, "manager", "", "", "en", int(time.time() * 1000))[1]


def _office(
    folder: Path, place: int, lines: int, broker: int, page: int, talking: dict[str, tuple[str, str]]
) -> Office:
    district = DISTRICTS[place % len(DISTRICTS)]
    name = f"{district}-{place // len(DISTRICTS) + 1:02d}"
    campaign = list(CAMPAIGNS)[place % len(CAMPAIGNS)]
    home = folder / name
    (home / "campaigns").mkdir(parents=True)
    (home / "campaigns" / f"{campaign}.toml").write_text(_campaign(campaign))
    kinds = list(FAMILIES)
    modems = {f"l{i + 1}": kinds[(place * lines + i) % len(kinds)] for i in range(lines)}
    text = _BOX.format(
        id=json.dumps(name), district=json.dumps(district), broker=broker, page=page,
        office=json.dumps(f"Tehsil office, {district.title()}"),
    )  # fmt: skip
    for i, line in enumerate(modems):
        text += _line(line, f"+9190{place:04d}{i + 1:04d}", campaign, LANGUAGES[i % 4], CHANNELS[i % 4])
    for i, (line, (modem, spoken)) in enumerate(talking.items()):
        text += _line(line, f"+9190{place:04d}{9001 + i:04d}", spoken, "", CHANNELS[i % 4]) + _AUDIO.format(name=line)
        modems[line] = modem
    (home / "box.toml").write_text(text)
    told = {line: spoken for line, (_, spoken) in talking.items()}
    return Office(name, home / "box.toml", campaign, f"http://127.0.0.1:{page}/", modems, told)


def _line(name: str, number: str, campaign: str, language: str, channel: str) -> str:
    text = _LINE.format(name=name, number=number, campaign=campaign, language=language, channel=channel)
    return text.replace('language = ""\n', "")


def _campaign(name: str) -> str:
    title, *replies = CAMPAIGNS[name]
    languages = json.dumps([language for language, _ in replies])
    head = f'id = "{name}"\ntitle = "{title}"\nmode = "missed-call"\nlanguages = {languages}\n\n'
    texts = (f"[reply.{language}]\ntext = {json.dumps(text, ensure_ascii=False)}\n" for language, text in replies)
    tail = '\n[reply.policy]\nonce_per = "24h"\n\n# No [schedule] quiet here: a demo may run at night.\n'
    return head + "".join(texts) + tail


# ------------------------------------------------------------------------------------ processes


class Company:
    """The processes that were started, what they say, and their end."""

    def __init__(self, folder: Path) -> None:
        self._logs = folder / "logs"
        self._logs.mkdir()
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        """Start a process that dies with us; what it says goes to logs/<name>.log."""
        parent = os.getpid()

        def tie() -> None:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)

        with (self._logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=tie, process_group=0,
                env={**os.environ, "MISCALL_PACE": PACE},
            )  # fmt: skip
        self._running[name] = process
        return process

    def miscall(self, name: str, *words: str) -> None:
        """Start another `miscall` command of this installation."""
        self.start(name, sys.executable, "-m", "tools", *words)

    def ended(self, name: str) -> bool:
        """Has a process ended by itself that was meant to? Then it is forgotten."""
        if name in self._running and self._running[name].poll() is not None:
            del self._running[name]
        return name not in self._running

    def check(self) -> None:
        """Raises Broken when a process has ended by itself."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise Broken(f"{name} has ended by itself. Its last words:\n{self.last_words(name)}")

    def last_words(self, name: str) -> str:
        """The last lines of its log."""
        return "\n".join((self._logs / f"{name}.log").read_text(errors="replace").splitlines()[-5:]) or "(none)"

    def kill(self, name: str) -> None:
        """As a power cut would."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def end(self) -> None:
        """Ask all to end, and insist when one does not."""
        for process in self._running.values():
            process.terminate()
        deadline = time.monotonic() + END_S
        for process in self._running.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()


def mosquitto() -> str | None:
    """Where mosquitto is; Debian puts it where not every user's PATH leads."""
    return shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


class Broker:
    """mosquitto with the settings that we ship, or the embedded broker where it is not installed."""

    def __init__(self, company: Company, folder: Path, port: int) -> None:
        self._company, self._port = company, port
        self.up = False
        program = mosquitto()
        self.kind = "mosquitto" if program else "embedded broker"
        self._command = [sys.executable, "-m", "sync.broker", str(port)]
        if program:
            settings = folder / "mosquitto.conf"
            text = SETTINGS.read_text().replace("listener 1883 127.0.0.1", f"listener {port} 127.0.0.1")
            if os.geteuid() == 0:
                text += "\nuser root\n"  # another user's process would not die with us: the kernel forgets the wish
            settings.write_text(text)
            self._command = [program, "-c", str(settings)]

    def start(self) -> None:
        """Start it. Raises Broken when it does not answer in time."""
        process = self._company.start("broker", *self._command)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    self.up = True
                    return
            time.sleep(0.05)
        raise Broken(f"the broker ({self.kind}) does not start. Its last words:\n{self._company.last_words('broker')}")

    def kill(self) -> None:
        """Take it away without a word, as a power cut would."""
        self._company.kill("broker")
        self.up = False
