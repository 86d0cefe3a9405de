"""One connection to a broker at a time, on whichever MQTT it speaks; what happens goes into a queue.

Rules of this room
- MQTT 5 first; a broker that refuses it, or hangs up without an answer, is asked in 3.1.1 at once. Nothing
  that only MQTT 5 has is used.
- Every connection starts clean: nothing is expected of a broker's memory, whoever connects subscribes again.
- paho's thread only moves bytes: its callbacks put events into the owner's queue and do nothing else. Each
  connection is a client of its own, so that nothing waits in an old one; the owner decides when to try again.
"""

from __future__ import annotations

import queue
import secrets
import socket
import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

_CONNECT_S = 5.0
_ANSWER_S, _ANSWER_MOST_S = 2.0, 30.0  # the wait for a broker's first answer, doubled whenever none came
_KEEPALIVE_S = 30
_WRONG_VERSION = ("Unsupported protocol version", "Protocol error", "Malformed packet")


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is and how to prove who we are: mqtt[s]://[user:password@]host[:port]."""

    url: str = field(repr=False)
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    @property
    def parts(self) -> SplitResult:
        return urlsplit(self.url)

    @property
    def name(self) -> str:
        """Host and port, fit for a sentence."""
        return f"{self.parts.hostname}:{self.port}"

    @property
    def secure(self) -> bool:
        return self.parts.scheme == "mqtts"

    @property
    def port(self) -> int:
        return self.parts.port or (8883 if self.secure else 1883)


@dataclass(frozen=True, slots=True)
class Up:
    """Connected and subscribed."""

    turn: int


@dataclass(frozen=True, slots=True)
class Down:
    """No connection (any more), and why. `refused`: the broker does not want us; `at_once`: try again now."""

    turn: int
    words: str
    refused: bool = False
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """A message came; `at` is the monotonic time in seconds. `Link.done` acknowledges it to the broker."""

    turn: int
    topic: str
    payload: bytes = field(repr=False)
    mid: int
    qos: int
    at: float


@dataclass(frozen=True, slots=True)
class Wake:
    """Nothing happened; the owner put it in its own queue to be woken."""

    turn: int = 0


WAKE = Wake()
Event = Up | Down | Heard | Wake


class Link:
    """At most one connection; `inbox` gets its events, stamped with the turn of the connection they are of."""

    def __init__(
        self,
        broker: Broker,
        name: str,
        topics: list[tuple[str, int]],
        inbox: queue.SimpleQueue[Event],
        will: tuple[str, bytes] | None = None,
    ) -> None:
        self.turn = 0
        self.version = MQTTProtocolVersion.MQTTv5
        self._broker, self._name, self._topics, self._inbox, self._will = broker, name, topics, inbox, will
        self._client: paho.Client | None = None
        self._welcomed = False
        self._said_why = False
        self._answer_s = _ANSWER_S
        self._answer_by = 0.0

    def open(self) -> None:
        """Connect, dropping an older connection. Blocks for `_CONNECT_S` at most; the outcome is an event."""
        self.close()
        self.turn += 1
        self._welcomed = self._said_why = False
        client = self._made()
        try:
            client.connect(self._broker.parts.hostname or "", self._broker.port, _KEEPALIVE_S)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or getattr(error, "verify_message", None) or str(error)
            self._inbox.put(Down(self.turn, f"{self._broker.name} cannot be reached: {why}"))
            return
        self._client = client
        self._answer_by = time.monotonic() + self._answer_s
        client.loop_start()

    def tick(self, now: float) -> None:
        """Call it often: a broker that accepted the connection and says nothing is given up here."""
        if self._client and not self._welcomed and now > self._answer_by:
            turn = self.turn
            self.close()
            self._answer_s = min(self._answer_s * 2, _ANSWER_MOST_S)
            self._other_version(turn)

    def close(self) -> None:
        """Say goodbye properly (no last will) and end the thread."""
        client, self._client = self._client, None
        if client:
            client.on_disconnect = None
            client.disconnect()
            client.loop_stop()

    def publish(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False) -> None:
        """Hand over; whether it arrives is for the far side to say."""
        if self._client:
            self._client.publish(topic, payload, qos, retain)

    def done(self, heard: Heard) -> None:
        """Acknowledge a message to the broker, if it is still the same connection."""
        if self._client and heard.turn == self.turn and heard.qos:
            self._client.ack(heard.mid, heard.qos)

    # ---------------------------------------------------------------------------------- callbacks

    def _made(self) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{self._name}-{secrets.token_hex(4)}",
            protocol=self.version,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = _CONNECT_S
        parts = self._broker.parts
        if parts.username:
            client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        if self._broker.secure:
            context = ssl.create_default_context(cafile=self._broker.ca)
            if self._broker.cert:
                context.load_cert_chain(self._broker.cert, self._broker.key)
            client.tls_set_context(context)
        if self._will:
            client.will_set(*self._will, qos=1, retain=True)
        turn = self.turn
        client.on_socket_open = lambda _, __, sock: _no_delay(sock)
        client.on_connect = lambda client, _, __, reason, ___: self._connected(turn, client, reason)
        client.on_subscribe = lambda _, __, ___, reasons, ____: self._subscribed(turn, reasons)
        client.on_disconnect = lambda _, __, ___, reason, ____: self._disconnected(turn, reason)
        client.on_message = lambda _, __, message: self._inbox.put(
            Heard(turn, message.topic, bytes(message.payload), message.mid, message.qos, time.monotonic())
        )
        return client

    def _connected(self, turn: int, client: paho.Client, reason: ReasonCode) -> None:
        if not reason.is_failure:
            self._welcomed = True
            self._answer_s = _ANSWER_S
            client.subscribe(self._topics)
        elif str(reason) in _WRONG_VERSION:
            self._other_version(turn)
        else:
            self._say(Down(turn, f"{self._broker.name} refuses us: {reason}", refused=True))

    def _subscribed(self, turn: int, reasons: list[ReasonCode]) -> None:
        if any(reason.is_failure for reason in reasons):
            self._say(Down(turn, f"{self._broker.name} refuses the subscription", refused=True))
        else:
            self._inbox.put(Up(turn))

    def _disconnected(self, turn: int, reason: ReasonCode) -> None:
        if self._welcomed:
            self._say(Down(turn, f"{self._broker.name} is gone: {reason}"))
        else:
            self._other_version(turn)

    def _other_version(self, turn: int) -> None:
        """At once from 5 to 3.1.1; back to 5 with the next try, in case it was no matter of versions."""
        five = self.version == MQTTProtocolVersion.MQTTv5
        if not self._said_why:
            self.version = MQTTProtocolVersion.MQTTv311 if five else MQTTProtocolVersion.MQTTv5
        self._say(Down(turn, f"{self._broker.name} hung up without an answer", refused=True, at_once=five))

    def _say(self, down: Down) -> None:
        """One `Down` for each connection: the first reason is the true one."""
        if not self._said_why:
            self._said_why = True
            self._inbox.put(down)


def _no_delay(sock: object) -> None:
    """A batch and the acknowledgement of the one before must not wait for each other (Nagle: 40 ms each)."""
    if isinstance(sock, socket.socket):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
