"""HQ's receiver: everything that waits goes into one commit, and only then is anything acknowledged.

Rules of this room
- It alone writes `hq.db`; a lock on the data folder keeps a second one out, in words. On PostgreSQL several may work
  at once, each on its shards, with a name, a lock and a heartbeat of its own.
- paho's thread only queues. A thread of ours reads what came, in its order, while the loop waits for the store. The
  loop takes all that waits (bounded), commits it, publishes HQ's acknowledgements, and acknowledges to the broker last:
  whatever dies in between is sent again by the boxes.
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
import sys
import threading
import time
import zlib
from collections.abc import Iterable
from io import TextIOWrapper
from pathlib import Path
from typing import NamedTuple

from edge.config import ConfigError
from sync import mqtt, wire
from sync.hq import config as settings
from sync.hq import intake, sql, stores
from sync.hq.orders import Outbox
from sync.hq.people.duty import Duty

RECONNECT_S = 5.0
GROUP = 1000  # payloads in one commit at most
GROUP_BYTES = 8 * 1024 * 1024
_TELL_S = 2.0
_DESK_S = 1.0  # how often the desk's file is looked at
_SWITCH_S = 0.0005  # the loop that comes back from the store does not wait long for the thread that reads
_PATIENCE = 5  # next_s is so many times the wait of the oldest payload
_NEXT_MOST_S = 120


class Taken(Exception):
    """Another receiver works in this folder."""


def name(config: settings.HqConfig) -> str:
    """What a receiver's files and its connection are called: "receiver", or with the shards that it shares with others.

    On SQLite there is only one, whatever its shards."""
    if config.shards == settings.ALL_SHARDS or not sql.is_postgres(config.store):
        return "receiver"
    return f"receiver-{_spans(config.shards)}"


def _spans(shards: frozenset[int]) -> str:
    """Shards in a short name, the same for the same ones: "00-15_32", or a number for what is too long for one."""
    spans: list[list[int]] = []
    for shard in sorted(shards):
        if spans and spans[-1][-1] == shard - 1:
            spans[-1].append(shard)
        else:
            spans.append([shard])
    said = "_".join(f"{span[0]:02}-{span[-1]:02}" if len(span) > 1 else f"{span[0]:02}" for span in spans)
    return said if len(said) <= 11 else f"{zlib.crc32(said.encode()):08x}"


def lock(folder: Path, name: str = "receiver") -> TextIOWrapper:
    """Hold the data folder until the file is closed. Raises `Taken`, in words, when another process holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / f"{name}.lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise Taken(
            f"{folder}: a receiver is already at work here (process {holder}); an SQLite store takes one, PostgreSQL "
            "one for each set of shards: stop that one, or give this one another [hq] data or shards"
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


class Arrived(NamedTuple):
    """A message and what is in it."""

    heard: mqtt.Heard
    read: intake.Read


def arrived(heard: mqtt.Heard) -> Arrived:
    """What came, read. An error that nobody foresaw makes it one more that cannot be read: the broker would bring it
    again and again to a process that it ends."""
    try:
        return Arrived(heard, intake.read(heard.topic, heard.payload))
    except Exception as error:
        return Arrived(heard, intake.Read(heard.topic, "", heard.payload, wire.WireError(type(error).__name__)))


Inbox = queue.SimpleQueue[mqtt.Event | Arrived]


def _read_ahead(came: queue.SimpleQueue[mqtt.Event], inbox: Inbox) -> None:
    """For ever: read what came."""
    while True:
        event = came.get()
        inbox.put(arrived(event) if isinstance(event, mqtt.Heard) else event)


class Receiver:
    """The loop. `run` returns after `stop`; any error of the store comes out of it."""

    def __init__(self, config: settings.HqConfig, reconnect_s: float = RECONNECT_S) -> None:
        self._reconnect_s = reconnect_s
        self._state_file = config.data / f"{name(config)}.json"
        self._store = stores.receiving(config)
        self._outbox = Outbox(lambda: stores.desk(config, reading=True), self._store.ordered())
        self._duty = Duty(lambda: stores.desk(config, reading=True), config.data, config.retention, _wall_ms())
        self._desk_at = 0.0
        self._came: queue.SimpleQueue[mqtt.Event] = queue.SimpleQueue()
        self._inbox: Inbox = queue.SimpleQueue()
        threading.Thread(target=_read_ahead, args=(self._came, self._inbox), daemon=True).start()
        broker = mqtt.Broker(config.broker, config.ca, config.cert, config.key)
        ours = name(config).replace("receiver", "miscall-hq")
        self._link = mqtt.Link(broker, ours, topics(config.shards), self._came)
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
            self._outbox.close()
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
            self._store.attend(self._duty, _wall_ms())
        waits = [self._tell_at, self._desk_at, *([self._open_at] if self._open_at is not None else [])]
        group: list[Arrived] = []
        try:
            event = self._inbox.get(timeout=max(0.0, min(waits) - time.monotonic()))
            size = 0
            while True:
                if isinstance(event, Arrived):
                    group.append(event)
                    size += len(event.heard.payload)
                else:
                    self._on(event)
                if len(group) >= GROUP or size >= GROUP_BYTES:
                    break
                event = self._inbox.get_nowait()
        except queue.Empty:
            pass
        if group:
            self._take(group)

    def _take(self, group: list[Arrived]) -> None:
        waited = time.monotonic() - group[0].heard.at
        next_s = min(_NEXT_MOST_S, int(waited * _PATIENCE))
        for topic, payload in self._store.commit([each.read for each in group], _wall_ms(), next_s):
            self._link.publish(topic, payload, qos=0)
        for each in group:
            self._link.done(each.heard)
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

    def _on(self, event: mqtt.Event) -> None:
        if event.turn != self._link.turn:
            return
        if isinstance(event, mqtt.Up):
            self._stand("connected", "connected to the broker")
        elif isinstance(event, mqtt.Down):
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
    sys.setswitchinterval(_SWITCH_S)
    try:
        config = settings.load(config_path)
        with lock(config.data, name(config)):
            receiver = Receiver(config, RECONNECT_S * float(os.environ.get("MISCALL_PACE", "1")))
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: receiver.stop())
            receiver.run()
    except (ConfigError, Taken, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except sql.errors() as error:
        words = stores.words(error)
        print(f"receiver: the store failed: {words}; starting again reads what is on disk", file=sys.stderr)
        return 1
    return 0
