"""The uplink's process: one loop that reads ledgers, feeds the courier and publishes what it says.

Rules of this room
- It reads the ledgers and writes only `uplink.db` (through the book), `road/` (through `takes`) and
  `state/uplink.json`.
- An order of HQ's is on disk before it is acknowledged to the broker. One that is none, or for nobody, is given to a
  line all the same, to be refused: HQ repeats an order until a ledger has answered it.
- Whatever the broker, HQ or a ledger does, the loop goes on; how it stands is said in `state/uplink.json`.
- A lost connection is tried again after a time drawn at random below a minute, so that a thousand boxes do not come
  back in the same second. MISCALL_PACE is a factor on all waits of the road, for demos and tests.
"""

from __future__ import annotations

import json
import os
import queue
import random
import signal
import sqlite3
import sys
import time
from pathlib import Path

from edge import config as settings
from edge.clock import Clock
from edge.ledger import Reader
from sync import mqtt, orders, wire
from sync.book import Book
from sync.courier import Courier, Pace
from sync.parcels import Parcels
from sync.takes import Takes

VERSION = "1"
_LOOK_S = 0.5  # how often ledgers are looked at
_TELL_S = 5.0  # how often the state file is written at least
_LEAVES = ("up", "ack", "down", "state")


class Shelf:
    """The ledgers of a data folder, opened as they appear; one that was replaced under its name is opened anew."""

    def __init__(self, folder: Path) -> None:
        self.troubles: list[str] = []
        self._folder = folder
        self._open: dict[Path, tuple[int, Reader]] = {}

    def readers(self) -> list[Reader]:
        """Every ledger that can be read now; `troubles` has a sentence for each that cannot."""
        self.troubles = []
        there = {path: path.stat().st_ino for path in sorted(self._folder.glob("*.db"))}
        for path in [path for path, (inode, _) in self._open.items() if there.get(path) != inode]:
            self._open.pop(path)[1].close()
        for path, inode in there.items():
            if path not in self._open:
                try:
                    self._open[path] = inode, Reader(path)
                except (sqlite3.Error, OSError) as error:
                    self.troubles.append(f"{path.name} cannot be read ({error}); everything else goes on")
        return [reader for _, reader in self._open.values() if reader.store]

    def close(self) -> None:
        for _, reader in self._open.values():
            reader.close()


class Uplink:
    """The loop. `run` returns when `stop` was called or the uplink's own file fails."""

    def __init__(self, config: settings.BoxConfig, pace: Pace) -> None:
        self._config, self._pace = config, pace
        (config.data / "state").mkdir(parents=True, exist_ok=True)
        self._shelf = Shelf(config.data / "ledgers")
        self._book = _book(config.data / "uplink.db")
        who = wire.Hello(config.id, config.district, config.timezone, VERSION, 0, 0, ())
        self._takes = Takes(self._book, config.data)
        budget = round(config.hq.data_mb_per_day * 1_000_000)
        self._parcels = Parcels(self._takes, self._book, budget, config.timezone, pace)
        self._courier = Courier(who, self._book, pace, parcels=self._parcels)
        self._clock = Clock(config.clock == "trusted")
        self._inbox: queue.SimpleQueue[mqtt.Event] = queue.SimpleQueue()
        hq = config.hq
        broker = mqtt.Broker(hq.url, *(Path(file) if file else None for file in (hq.ca, hq.cert, hq.key)))
        up, ack, down, state = (wire.topic(config.district, config.id, leaf) for leaf in _LEAVES)
        self._up, self._down, self._state_topic = up, down, state
        heard = [(ack, 1), (down, 1)]
        self._link = mqtt.Link(broker, f"miscall-{config.id}", heard, self._inbox, (state, _said("offline")))
        self._state, self._words, self._since_ms = "waiting", "not connected yet", self._clock.now().at_ms
        self._open_at: float | None = 0.0
        self._look_at = self._tell_at = 0.0
        self._sound_words = ""
        self._stopped = False

    def stop(self) -> None:
        self._stopped = True
        self._inbox.put(mqtt.WAKE)  # may be called by a signal's handler

    def run(self) -> None:
        try:
            while not self._stopped:
                self._turn()
        finally:
            self._stand("offline", "stopped")
            self._tell()
            self._link.publish(self._state_topic, _said("offline"), retain=True)
            self._link.close()
            self._takes.close()
            self._shelf.close()
            self._book.close()

    def _turn(self) -> None:
        now = time.monotonic()
        if self._open_at is not None and now >= self._open_at:
            self._open_at = None
            self._link.open()
        self._link.tick(now)
        stamp = self._clock.now()
        if now >= self._look_at:
            readers = self._shelf.readers()
            self._courier.see(readers, now)
            self._parcels.see(readers, now, stamp)
            self._look_at = now + _LOOK_S
        for payload in self._courier.due(now, stamp.at_ms, stamp.clock):
            self._link.publish(self._up, payload)
        self._courier.ahead(stamp.at_ms, stamp.clock)
        if now >= self._tell_at:
            self._tell()
        try:
            event = self._inbox.get(timeout=max(0.0, min(self._look_at, self._tell_at) - time.monotonic()))
        except queue.Empty:
            return
        self._on(event, time.monotonic())

    def _on(self, event: mqtt.Event, now: float) -> None:
        if event.turn != self._link.turn or isinstance(event, mqtt.Wake):
            return
        if isinstance(event, mqtt.Heard):
            if event.topic == self._down:
                self._ordered(event.payload)
            else:
                self._courier.heard(event.payload, now, self._clock.now().at_ms)
            self._link.done(event)
        elif isinstance(event, mqtt.Up):
            self._courier.connected(now)
            self._link.publish(self._state_topic, _said("online"), retain=True)
            self._stand("connected", "connected to headquarters' broker")
        else:
            self._courier.lost()
            self._open_at = now if event.at_once else now + random.uniform(0, self._pace.reconnect_s)
            self._stand("refused" if event.refused else "offline", event.words)

    def _ordered(self, payload: bytes) -> None:
        """HQ asks something of a line."""
        try:
            order = wire.unpack(payload)
        except wire.WireError:
            return
        if not isinstance(order, wire.Order):
            return
        lines = [line.name for line in self._config.lines]
        known = order.line in lines or order.verb == "opt-out"  # which counts on all lines, whoever writes it down
        why = orders.refusal(order.verb, order.args) if known else "the box has no line of that name"
        verb, args = ("refuse", json.dumps({"why": why})) if why else (order.verb, order.args)
        self._book.order(order.number, order.line if order.line in lines else lines[0], verb, args, order.made_ms)

    # ------------------------------------------------------------------------------------- telling

    def _stand(self, state: str, words: str) -> None:
        if (state, words) != (self._state, self._words):
            self._state, self._words, self._since_ms = state, words, self._clock.now().at_ms
            print(f"uplink: {state}: {words}", file=sys.stderr, flush=True)
            self._tell_at = 0.0

    def _tell(self) -> None:
        self._tell_at = time.monotonic() + _TELL_S
        at_ms = self._clock.now().at_ms
        sound = self._parcels.words()
        if self._takes.trouble and self._takes.trouble != self._sound_words:
            print(f"uplink: {sound}", file=sys.stderr, flush=True)
        self._sound_words = self._takes.trouble
        told = {
            "state": self._state,
            "since_ms": self._since_ms,
            "unsent": self._courier.unsent(),
            "last_ack_ms": self._courier.last_ack_ms or None,
            "words": "; ".join([self._words, *self._courier.troubles(), *self._shelf.troubles]),
            "sound": sound,
            "recordings": self._parcels.waiting(),
            "updated_ms": at_ms,
        }
        place = self._config.data / "state" / "uplink.json"
        try:
            draft = place.with_suffix(".new")
            draft.write_text(json.dumps(told, ensure_ascii=False))
            draft.rename(place)
        except OSError as error:
            print(f"uplink: {place} cannot be written: {error.strerror}", file=sys.stderr, flush=True)


def _said(state: str) -> bytes:
    return json.dumps({"state": state}).encode()


def _book(path: Path) -> Book:
    """The uplink's file; one that is damaged is set aside, because HQ knows all that was in it."""
    try:
        return Book(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):  # a full disk, or a folder that is not ours: no damage
            raise
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
            if path.with_name(name).exists():
                path.with_name(name).rename(path.with_name(f"damaged-{int(time.time())}-{name}"))
        return Book(path)


def run(config_path: Path | str) -> int:
    """The process: until SIGTERM (0), or until its own file cannot be written (1)."""
    try:
        config = settings.load(config_path)
        pace = Pace().times(float(os.environ.get("MISCALL_PACE", "1")))
        uplink = Uplink(config, pace)
    except (settings.ConfigError, sqlite3.Error, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: uplink.stop())
    try:
        uplink.run()
    except sqlite3.Error as error:
        print(f"uplink: {config.data / 'uplink.db'}: {error}: the disk may be full or failing", file=sys.stderr)
        return 1
    return 0
