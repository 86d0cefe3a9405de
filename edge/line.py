"""The loop for one modem: wait, feed, obey. One process, one port, one ledger, no threads.

Everything that decides is in `station` and the pure rooms; here are the port, the clock, the send lock and the
state file, and nothing else. On a disk error the process ends with code 75 (try again) and is started anew:
then it reads what is on disk. A ledger that cannot be read is set aside, never overwritten, and a new store
begins, so that the line goes on hearing callers.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from edge import campaign as campaigns
from edge import config as configs
from edge import numbers, orders, recognise, recordings, speaking
from edge import profile as profiles
from edge.clock import Clock
from edge.config import BoxConfig, LineConfig
from edge.ledger import DamagedLedger, Ledger, LedgerFailed, Reader, failed
from edge.port import Port, PortError
from edge.rules import spent_today
from edge.station import Setting, Station
from edge.voice import Voice, VoiceLost

REOPEN_S = (0.25, 0.5, 1.0, 2.0)  # a stick that comes back should be heard soon; a missing one costs little
STATE_EVERY_S, CHECKPOINT_EVERY_S, ERASE_EVERY_S, LONGEST_WAIT_S = 1.0, 30.0, 600.0, 5.0
EX_TEMPFAIL = 75
RESERVE = 16 << 20  # bytes


class Line:
    """One line's process."""

    def __init__(self, config: BoxConfig, line: LineConfig) -> None:
        self.config, self.line = config, line
        self.clock = Clock(vouched=config.clock == "trusted")
        self._claim = _claim(config.data / "ledgers" / f"{line.name}.lock")
        self.ledger = self._open_ledger()
        speaking.mend(self.ledger, config.data, self.clock.now())
        self._others: dict[Path, Reader] = {}
        self._lock = open(config.data / "send.lock", "ab")  # noqa: SIM115  # held open for the process's life
        self.station = Station(
            self._setting(), self.ledger, profiles.load_all(), self.clock.now(),
            self._guard, self._siblings, self.clock.network_told, lambda: orders.pending(config.data, line.name),
        )  # fmt: skip
        speaks = self.station.setting.speech is not None and bool(line.audio_port)
        self._language = self._words() if speaks else ""
        self.voice = Voice(language=self._language) if speaks else None
        self._voice_error: VoiceLost | None = None
        self.station.board.flush = self._speak
        self.port: Port | None = None
        self._unwritten = b""
        self._opens = 0
        self._reopen_at = 0.0
        self._state_at = self._checkpoint_at = self._erase_at = 0.0
        self._since_ms, self._was = 0, ""
        self._checkpointed = self.ledger.head()[0]
        self.stopping = False
        self._wake, told = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(told)  # else a signal would wait for the next byte (PEP 475)
        self._deaf = 0
        self.begin_anew = False  # the uplink has ordered a new store: end, and begin it at the next start

    # ------------------------------------------------------------------------------- opening

    def _open_ledger(self) -> Ledger:
        path = self.config.data / "ledgers" / f"{self.line.name}.db"
        facts = {
            "number": self.line.number, "campaign": self.line.campaign,
            "channel": self.line.channel, "language": self.line.language,
        }  # fmt: skip
        fresh = path.with_suffix(".new")
        ordered = orders.newest(self.config.data, self.line.name)
        born = (self.config.id, self.line.name, self.clock.now(), facts, ordered)
        after = ordered_anew(self.config.data, path)
        if after is not None:
            _set_aside(fresh, "unfinished")
            with contextlib.closing(Ledger(fresh, *born)) as ledger:
                ledger.take_over(path, after)
            _set_aside(path, "rolled-back")
        if fresh.exists() and not path.exists():  # a power cut may come between the two names
            fresh.rename(path)
        try:
            return Ledger(path, *born)
        except DamagedLedger as error:
            _say(f"{error}: set aside, a new one begins")
            _set_aside(path, "damaged")
            return Ledger(path, *born)

    def _setting(self) -> Setting:
        values = {**self.config.text, "number": self.line.number}
        campaign = campaigns.load(self.config.campaign_files(self.line.campaign)[0], known=values)
        numbers.warm(self.config.country)  # the first look-up reads the tables: not while somebody rings
        speech = speaking.speech(campaign, self.line, self.config.data) if campaign.menu else None
        return Setting(
            line=self.line.name, campaign=campaign, country=self.config.country, timezone=self.config.timezone,
            language=self.line.language, modem=self.line.modem, purse=self.line.sms_per_day,
            own=frozenset(line.number for line in self.config.lines), values=values, speech=speech,
        )  # fmt: skip

    def _words(self) -> str:
        """The language in which words are listened for, "" when callers press keys only."""
        language, why = recognise.offered(self.line.words, self.station.setting.campaign.languages)
        if why:
            _say(f"line {self.line.name}: {why}")
        return language

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _guard(self) -> contextlib.AbstractContextManager[None] | None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        return self._locked()

    def _siblings(self) -> Sequence[Reader] | None:
        """Readers of every other ledger on the card, also those set aside and those of lines no longer configured:
        a STOP outlives its line. None when a line of ours cannot be read; one that never ran has nothing to say."""
        live = {line.name for line in self.config.lines}
        paths = [path for path in self.ledger.path.parent.glob("*.db") if path != self.ledger.path]
        for gone in [p for p, reader in self._others.items() if p not in paths or not reader.is_current(p)]:
            self._others.pop(gone).close()
        for path in (p for p in paths if p not in self._others):
            try:
                self._others[path] = Reader(path)
            except FileNotFoundError:
                continue
            except sqlite3.Error:
                if path.stem in live:
                    return None
        return list(self._others.values())

    # ---------------------------------------------------------------------------------- loop

    def run(self) -> None:
        """Serve the line until told to stop."""
        while not self.stopping and not self.begin_anew:
            if self.port is None and time.monotonic() >= self._reopen_at:
                self._connect()
            self._wait()
            self.station.tick(self.clock.now())
            self._speak()
            if self._voice_error is not None:
                self._voice_lost(self._voice_error)
            self._write()
            if self.port is not None and self.station.deaf > self._deaf:  # a dead handle stays dead: open it anew
                self._disconnect("no-answer", "the modem does not answer AT")
            self._deaf = self.station.deaf
            self._upkeep()
        self.station.disconnected(self.clock.now(), "stopped", "")
        self._speak()
        if self.voice is not None:
            self.voice.close()
        self._tell_state(force=True)
        self.ledger.checkpoint()

    def _connect(self) -> None:
        try:
            self.port = Port(self.line.port)
        except PortError as error:
            self._reopen_at = time.monotonic() + REOPEN_S[min(self._opens, len(REOPEN_S) - 1)]
            self._opens += 1
            if self.station.condition.state != error.state:
                _say(f"line {self.line.name}: {error}")
            self.station.disconnected(self.clock.now(), error.state, error.words)
            return
        self._opens, self._unwritten = 0, b""
        self.station.connected(self.clock.now())

    def _wait(self) -> None:
        """Sleep until bytes come, something is due, or a signal."""
        now = time.monotonic()
        due = self.station.deadline() if self.port else self._reopen_at
        timeout = min(LONGEST_WAIT_S, max(0.0, (due if due is not None else now + LONGEST_WAIT_S) - now))
        if self._state_at < now:  # the state file is behind
            timeout = min(timeout, STATE_EVERY_S)
        port = [self.port.fd] if self.port else []
        voice = [self.voice.fd] if self.voice else []
        readable, _, _ = select.select([self._wake, *port, *voice], port if self._unwritten else [], [], timeout)
        if self.voice and self.voice.fd in readable:
            self._listen(self.voice)
        if self.port and self.port.fd in readable:
            try:
                data = self.port.read()
            except OSError:
                self._disconnect()
                return
            self.station.receive(data, self.clock.now())

    def _listen(self, voice: Voice) -> None:
        """What the helper says; one that has died is replaced."""
        try:
            for told in voice.receive():
                self.station.sound(told, self.clock.now())
        except VoiceLost as error:
            self._voice_lost(error)

    def _speak(self) -> None:
        """Hand the helper what it is to do. One that takes nothing is replaced by the loop, not between two orders."""
        out = self.station.board.out
        try:
            while out and self.voice is not None and self._voice_error is None:
                self.voice.send(**out.popleft())
        except VoiceLost as error:
            self._voice_error = error

    def _voice_lost(self, error: VoiceLost) -> None:
        _say(f"line {self.line.name}: {error}: another one is started")
        assert self.voice is not None
        self.voice.close()
        self.station.board.out.clear()
        self.voice, self._voice_error = Voice(language=self._language), None
        speaking.mend(self.ledger, self.config.data, self.clock.now())
        self.station.sound_lost(self.clock.now())

    def _write(self) -> None:
        if self.port is None:
            return
        self._unwritten += self.station.outgoing(self.clock.now())
        if self._unwritten:
            try:
                self._unwritten = self.port.write(self._unwritten)
            except OSError:
                self._disconnect()

    def _disconnect(self, state: str = "no-port", words: str = "the modem has gone") -> None:
        assert self.port is not None
        self.port.close()
        self.port = None
        self._reopen_at = time.monotonic() + REOPEN_S[0]
        self.station.disconnected(self.clock.now(), state, f"{self.line.port}: {words}")
        _say(f"line {self.line.name}: {words}")

    # -------------------------------------------------------------------------------- upkeep

    def _upkeep(self) -> None:
        now = time.monotonic()
        if now >= self._state_at or self.station.condition.state != self._was:
            self._tell_state()
        if now >= self._checkpoint_at and not self.station.call.busy and not self.station.board.busy:
            self._checkpoint_at = now + CHECKPOINT_EVERY_S
            self.begin_anew = ordered_anew(self.config.data, self.ledger.path) is not None
            if self.ledger.head()[0] != self._checkpointed:
                self._checkpointed = self.ledger.head()[0]
                self.ledger.checkpoint()
        if now >= self._erase_at and not self.station.call.busy and not self.station.board.busy:
            self._erase_at = now + ERASE_EVERY_S
            speaking.erase(self.ledger, self.config.data, self.config.recordings_days, self.clock.now())

    def _tell_state(self, force: bool = False) -> None:
        """Write what the line is doing where the page and `box status` look. Not durable: it is not a record."""
        stamp, condition = self.clock.now(), self.station.condition
        if condition.state != self._was or force:
            if condition.state in ("ready", "no-network", "sim-pin", "sim-puk", "no-sim", "not-a-modem", "no-answer"):
                _say(f"line {self.line.name}: {condition.state}")
            self._was, self._since_ms = condition.state, stamp.at_ms
        self._state_at = time.monotonic() + STATE_EVERY_S * 2
        last = self.ledger.last_call()
        midnight = _midnight_ms(stamp.at_ms, self.config.timezone)
        spent = spent_today(self.ledger.spent(stamp), stamp, self.config.timezone)
        counts = self.ledger.counts()
        state = {
            "line": self.line.name, "pid": os.getpid(), "state": condition.state, "since_ms": self._since_ms,
            "detail": condition.detail, "operator": condition.operator, "signal": condition.signal,
            "port": self.line.port, "modem": condition.profile.name if condition.profile else "",
            "last_call_ms": last[1].at_ms if last else None, "calls_today": self.ledger.calls_since(midnight),
            "sms_left": max(0, self.line.sms_per_day - spent), "held": counts.get("held", 0),
            "queued": counts.get("queued", 0), "clock": stamp.clock, "updated_ms": stamp.at_ms,
            **self._voice_state(stamp.at_ms, midnight),
        }  # fmt: skip
        write_state(self.config.data, self.line.name, state)

    def _voice_state(self, now_ms: int, midnight_ms: int) -> dict[str, object]:
        """What there is to tell of talking. `mute`: why this line cannot; `room`: does the disk take a recording?"""
        board, speaks = self.station.board, self.station.setting.campaign.speaks
        return {
            "speaks": speaks, "talking": board.busy, "mute": board.why_mute(self.station.now) if speaks else "",
            "room": recordings.room(self.config.data), **self.ledger.voice(midnight_ms, now_ms),
        }  # fmt: skip


class LineTaken(Exception):
    """Another process serves this line already: two writers would spoil its ledger."""


def _claim(path: Path) -> IO[bytes]:
    """Hold the line for this process, for as long as the file returned is open."""
    path.parent.mkdir(parents=True, exist_ok=True)
    held = open(path, "ab")  # noqa: SIM115
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.close()
        raise LineTaken(f"{path.stem}: another process serves this line: stop that one first") from None
    return held


def keep_reserve(data: Path) -> None:
    """Hold RESERVE bytes of the disk, so that a full disk can still be opened, read and drained."""
    reserve = data / "reserve"
    with contextlib.suppress(OSError):
        if not reserve.exists() and shutil.disk_usage(data).free > 4 * RESERVE:
            with open(reserve, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, RESERVE)


def free_reserve(data: Path) -> None:
    """Give the reserve back to a full disk."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage(data).free < RESERVE // 4:
            (data / "reserve").unlink(missing_ok=True)


def write_state(data: Path, name: str, state: dict[str, object]) -> None:
    """Replace <data>/state/<name>.json as a whole; a full disk only makes the page old."""
    folder = data / "state"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{name}.{os.getpid()}"
        draft.write_text(json.dumps(state, ensure_ascii=False))
        draft.replace(folder / f"{name}.json")


def _midnight_ms(at_ms: int, timezone: str) -> int:
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo

    here = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(timezone))
    return int(here.replace(hour=0, minute=0, second=0, microsecond=0).timestamp() * 1000)


def ordered_anew(data: Path, path: Path) -> int | None:
    """Did headquarters see that the card was cloned or rolled back? Then the uplink ordered a new store.

    Returns the last row of the old one that headquarters holds, or None while there is no such order."""
    orders = data / "uplink.db"
    if not orders.exists() or not path.exists():
        return None
    try:
        with (
            contextlib.closing(Reader(path)) as reader,
            contextlib.closing(sqlite3.connect(f"file:{orders}?mode=ro", uri=True)) as db,
        ):
            for (args,) in db.execute("SELECT args FROM orders WHERE verb = 'new-store'"):
                order = json.loads(args)
                if order.get("store") == reader.store:
                    return int(order["after"])
    except (sqlite3.Error, ValueError, KeyError):
        return None  # the uplink's file is being made, or spoilt: no reason not to hear callers
    return None


def _set_aside(path: Path, why: str) -> Path:
    """Keep the ledger and its log under another name: the uplink still reads it, and nothing is lost."""
    stem = f"{path.stem}.{why}-{int(time.time())}"
    for end in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + end).rename(path.with_name(f"{stem}.db{end}"))
    return path.with_name(f"{stem}.db")


def _say(words: str) -> None:
    """A line to the journal. Never a number."""
    print(words, file=sys.stderr, flush=True)


def run(config_path: Path | str, name: str) -> int:
    """`miscall box line CONFIG NAME`: serve one line in the foreground until SIGTERM."""
    config = configs.load(config_path)
    os.umask(0o077)  # numbers lie below
    config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        line = Line(config, config.line(name))
    except LineTaken as error:
        _say(str(error))
        return 1
    except LedgerFailed as error:
        return _give_up(config, name, error)
    keep_reserve(config.data)

    def stop(number: int, frame: object) -> None:
        line.stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        line.run()
    except (LedgerFailed, sqlite3.DatabaseError) as error:
        why = failed(line.ledger.path, error) if isinstance(error, sqlite3.DatabaseError) else error
        if isinstance(why, DamagedLedger):  # found out only now: the next start must not meet it again
            line.ledger.close()
            _set_aside(line.ledger.path, "damaged")
        return _give_up(config, name, why)
    return EX_TEMPFAIL if line.begin_anew else 0


def _give_up(config: BoxConfig, name: str, error: LedgerFailed) -> int:
    """End, so that a fresh process reads what is on disk; a full disk gets the reserve back first."""
    _say(str(error))
    state: dict[str, object] = {"line": name, "pid": os.getpid(), "state": "disk", "detail": str(error)}
    write_state(config.data, name, state | {"updated_ms": int(time.time() * 1000)})
    free_reserve(config.data)
    return EX_TEMPFAIL
