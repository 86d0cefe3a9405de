"""HQ's receiver: everything that waits goes into one commit, and only then is anything acknowledged.

Rules of this room
- It alone writes `hq.db`; a lock on the data folder keeps a second one out, in words.
- paho's thread only queues. The loop takes all that waits (bounded), commits it, publishes HQ's acknowledgements, and
  acknowledges to the broker last: whatever dies in between is sent again by the boxes.
- An error of the store ends the process with 1. Whoever starts it again reads what is on disk; nothing is repeated
  "as new".
- A broker that is away is tried again for ever, after a time drawn at random up to `RECONNECT_S`.
- Orders of HQ's desk (`orders`) go to a box when they are new, and after each of its hellos until it has answered.
- When payloads wait long, acknowledgements ask the boxes for fewer and bigger batches (`next_s`).
"""

from __future__ import annotations

import fcntl
import json
import os
import queue
import random
import signal
import sqlite3
import sys
import time
from collections.abc import Iterable
from io import TextIOWrapper
from pathlib import Path

from edge.config import ConfigError
from sync import mqtt, wire
from sync.hq import config as settings
from sync.hq import sql
from sync.hq.orders import Outbox
from sync.hq.store import Store

RECONNECT_S = 5.0
GROUP = 1000  # payloads in one commit at most
GROUP_BYTES = 8 * 1024 * 1024
_TELL_S = 2.0
_DESK_S = 1.0  # how often the desk's file is looked at
_PATIENCE = 5  # next_s is so many times the wait of the oldest payload
_NEXT_MOST_S = 120


class Taken(Exception):
    """Another receiver works in this folder."""


def lock(folder: Path) -> TextIOWrapper:
    """Hold the data folder until the file is closed. Raises `Taken`, in words, when another process holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / "receiver.lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise Taken(
            f"{folder}: a receiver is already at work here (process {holder}); an SQLite store takes one: "
            "stop that one, or give this one another [hq] data"
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def topics(shards: frozenset[int]) -> list[tuple[str, int]]:
    """The filters of the shards that this receiver owns."""
    if shards == settings.ALL_SHARDS:
        return [("miscall/1/+/+/up", 1)]
    return [(f"miscall/1/{shard:02}/+/up", 1) for shard in sorted(shards)]


class Receiver:
    """The loop. `run` returns after `stop`; any error of the store comes out of it."""

    def __init__(self, config: settings.HqConfig, reconnect_s: float = RECONNECT_S) -> None:
        self._reconnect_s = reconnect_s
        self._state_file = config.data / "receiver.json"
        self._store = Store(config.data / "hq.db")
        desk = config.data / "desk.db"
        self._outbox = Outbox(lambda: sql.sqlite(desk, reading=True, patience_s=0.1), self._store.ordered())
        self._desk_at = 0.0
        self._inbox: queue.SimpleQueue[mqtt.Event] = queue.SimpleQueue()
        broker = mqtt.Broker(config.broker, config.ca, config.cert, config.key)
        self._link = mqtt.Link(broker, "miscall-hq", topics(config.shards), self._inbox)
        self._open_at: float | None = 0.0
        self._tell_at = 0.0
        self._state, self._words, self._since_ms = "waiting", "not connected yet", _wall_ms()
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
            self._link.close()
            self._store.close()

    def _turn(self) -> None:
        now = time.monotonic()
        if self._open_at is not None and now >= self._open_at:
            self._open_at = None
            self._link.open()
        self._link.tick(now)
        if now >= self._tell_at:
            self._tell()
        if now >= self._desk_at:
            self._desk_at = now + _DESK_S * self._reconnect_s / RECONNECT_S
            self._order(self._outbox.look())
        waits = [self._tell_at, self._desk_at, *([self._open_at] if self._open_at is not None else [])]
        heard: list[mqtt.Heard] = []
        try:
            event = self._inbox.get(timeout=max(0.0, min(waits) - time.monotonic()))
            size = 0
            while True:
                if isinstance(event, mqtt.Heard):
                    heard.append(event)
                    size += len(event.payload)
                else:
                    self._on(event)
                if len(heard) >= GROUP or size >= GROUP_BYTES:
                    break
                event = self._inbox.get_nowait()
        except queue.Empty:
            pass
        if heard:
            self._take(heard)

    def _take(self, heard: list[mqtt.Heard]) -> None:
        waited = time.monotonic() - heard[0].at
        next_s = min(_NEXT_MOST_S, int(waited * _PATIENCE))
        for topic, payload in self._store.take([(each.topic, each.payload) for each in heard], _wall_ms(), next_s):
            self._link.publish(topic, payload, qos=0)
        for each in heard:
            self._link.done(each)
        for box, number in self._store.answered:
            self._outbox.done(box, number)
        self._order(self._store.greeted)

    def _order(self, boxes: Iterable[str]) -> None:
        """Tell these boxes what HQ wants of them."""
        for box in boxes:
            waiting = self._outbox.waiting(box)
            district = self._store.district(box) if waiting else None
            if district is not None:
                for payload in waiting:
                    self._link.publish(wire.topic(district, box, "down"), payload)

    def _on(self, event: mqtt.Up | mqtt.Down | mqtt.Wake) -> None:
        if event.turn != self._link.turn or isinstance(event, mqtt.Wake):
            return
        if isinstance(event, mqtt.Up):
            self._stand("connected", "connected to the broker")
        else:
            wait = 0.0 if event.at_once else random.uniform(0, self._reconnect_s)
            self._open_at = time.monotonic() + wait
            self._stand("refused" if event.refused else "offline", event.words)

    def _stand(self, state: str, words: str) -> None:
        if (state, words) != (self._state, self._words):
            self._state, self._words, self._since_ms = state, words, _wall_ms()
            print(f"receiver: {state}: {words}", file=sys.stderr, flush=True)
            self._tell_at = 0.0

    def _tell(self) -> None:
        """The receiver's own heartbeat, for the web page and whoever supervises."""
        self._tell_at = time.monotonic() + _TELL_S
        told = {
            "state": self._state,
            "since_ms": self._since_ms,
            "words": self._words,
            "pid": os.getpid(),
            "rows": self._store.taken,
            "updated_ms": _wall_ms(),
        }
        draft = self._state_file.with_suffix(".new")
        draft.write_text(json.dumps(told, ensure_ascii=False))
        draft.rename(self._state_file)


def _wall_ms() -> int:
    return int(time.time() * 1000)


def run(config_path: Path | str) -> int:
    """The process: until SIGTERM (0), or until the store fails (1: start again)."""
    try:
        config = settings.load(config_path)
        with lock(config.data):
            receiver = Receiver(config, RECONNECT_S * float(os.environ.get("MISCALL_PACE", "1")))
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: receiver.stop())
            receiver.run()
    except (ConfigError, Taken, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except (sqlite3.Error, OSError) as error:
        print(f"receiver: the store failed: {error}; starting again reads what is on disk", file=sys.stderr)
        return 1
    return 0
