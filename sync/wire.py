"""What crosses the air: batch, hello, acknowledgement; sound in pieces; orders.  Pure: values in, bytes out, and back.

Rules of this room
- The first byte is the version, the second the type, the last four the CRC-32 of all before them.
- Any bytes whatever give a message or `WireError(reason)`, nothing else, in bounded memory: no length found in
  a payload is believed before it is compared with a limit, and a body unpacks to at most `MAX_BODY` bytes.
- Rows travel as columns (`columns`).  `seq` is not sent (a batch is gapless from `first`), `of` is sent as the
  distance back to the amended row, monotonic time as the gap to the row before, wall time as the change of
  (wall - monotonic).
- Sound travels in pieces of at most `MAX_CHUNK` bytes, each with the size and the SHA-256 of the whole, so that any
  piece can be taken by itself and an empty one asks how much of it has come.
- A kind or a state that this version has never heard of is passed on: a newer box may speak to an older HQ.

Nothing here is ever logged: a payload holds voters' numbers.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from operator import ge, sub

from sync.columns import MAX_BODY, MAX_INT, Reader, callers, deflate, inflate, ints, text, varint, words
from sync.columns import WireError as WireError  # part of this room's face

VERSION = 1
BATCH, HELLO, ACK, PARCEL, HELD, ORDER = 1, 2, 3, 4, 5, 6

MAX_PAYLOAD = 256 * 1024  # bytes on the air
MAX_ROWS = 5000
MAX_STORES = 256  # in a hello
MAX_CHUNK = 8 * 1024  # bytes of sound in a parcel
MAX_SOUND = 1024 * 1024  # bytes of one recording; thirty seconds of speech are 28 KiB
MAX_ARGS = 2 * 1024  # bytes of an order's arguments
MAX_AT_MS = 253_402_300_800_000  # the year 10000: the first instant that RFC 3339 cannot say

# seq, of, kind, boot, mono_ms, at_ms, clock, campaign, caller, caller_kind, state, seconds, extra
WireRow = tuple[int, int, str, str, int, int, int, str, str, str, str, int, str]


@dataclass(frozen=True, slots=True)
class Head:
    """Which rows of which ledger: `count` rows from `first`; `prev` and `tail` are the chain digests before the
    first and after the last of them; `last` was the ledger's newest row at `as_of_ms` of the box's clock."""

    store: str
    first: int
    count: int
    prev: bytes
    tail: bytes
    last: int
    as_of_ms: int
    clock: int


class Unreadable(WireError):
    """A batch whose head could be read and whose rows could not."""

    def __init__(self, reason: str, head: Head) -> None:
        super().__init__(reason)
        self.head = head


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one ledger, box to HQ."""

    head: Head
    rows: Sequence[WireRow]


@dataclass(frozen=True, slots=True)
class StoreHead:
    """One ledger as a hello tells it: its newest row and the chain digest after it."""

    store: str
    line: str
    last: int
    chain: bytes


@dataclass(frozen=True, slots=True)
class Hello:
    """Box to HQ on every connect, and as the heartbeat: who is speaking and how far its ledgers go."""

    box: str
    district: str
    timezone: str
    version: str
    as_of_ms: int
    clock: int
    stores: tuple[StoreHead, ...]


@dataclass(frozen=True, slots=True)
class Ack:
    """HQ to box, after HQ's commit: every row of `store` up to `mark` is held, `chain` is the digest there.
    `next_s`: wait so long before the next batch that is not full. `reject`: "" or why the batch was not taken
    ("gap", "hello", "unreadable", "fork", "foreign", "rolled-back")."""

    store: str
    mark: int
    chain: bytes
    next_s: int = 0
    reject: str = ""


@dataclass(frozen=True, slots=True)
class Parcel:
    """Box to HQ: bytes of the recording whose first row is `seq` of `store`, from `offset` of a file of `total` bytes
    with this SHA-256. An empty `chunk` is an offer: how much of it is there?"""

    store: str
    seq: int
    codec: str
    total: int
    sha256: bytes
    offset: int
    chunk: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Held:
    """HQ to box: `have` bytes of a recording are on HQ's disk. `state`: "" go on from there; "done" all of it is there,
    checked; "unknown" its row is not here yet, "later" HQ cannot write now: ask again; "refused: ..." never again."""

    store: str
    seq: int
    have: int
    state: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """HQ to box: the box's order `number` from HQ is for `line`. `args` is a JSON object, `made_ms` HQ's time."""

    number: int
    line: str
    verb: str
    args: str = field(repr=False)  # may hold a voter's number
    made_ms: int = 0


Message = Batch | Hello | Ack | Parcel | Held | Order


# ---------------------------------------------------------------------------------------- topics

_BOX = re.compile(r"[a-z0-9-]{1,64}")


def shard(district: str) -> str:
    """The two digits of a district's shard, the same for ever."""
    return f"{zlib.crc32(district.encode()) % 64:02}"


def topic(district: str, box: str, leaf: str) -> str:
    """`leaf` is up, ack, down or state."""
    return f"miscall/1/{shard(district)}/{box}/{leaf}"


def sender(name: str) -> tuple[str, str]:
    """The shard and box of a topic, or `WireError`."""
    parts = name.split("/")
    if len(parts) != 5 or parts[:2] != ["miscall", "1"] or not _BOX.fullmatch(parts[3]):
        raise WireError("topic")
    return parts[2], parts[3]


def _steps(values: Sequence[int]) -> list[int]:
    return [values[0], *map(sub, values[1:], values)]


def _sealed(kind: int, *parts: bytes) -> bytes:
    body = bytes((VERSION, kind)) + b"".join(parts)
    return body + struct.pack("<I", zlib.crc32(body))


def pack_batch(
    store: str, prev: bytes, tail: bytes, last: int, as_of_ms: int, clock: int, rows: Sequence[Sequence[object]]
) -> bytes:
    """One payload from gapless `rows` in the order of `events.Row`; at least one, at most `MAX_ROWS`.
    `WireError` when a value is not one that a ledger holds (a damaged file)."""
    try:
        seq, of, kind, boot, mono, at, clocks, campaign, caller, caller_kind, state, seconds, extra = zip(
            *rows, strict=True
        )
        first: int = seq[0]
        if seq != tuple(range(first, first + len(rows))) or any(map(ge, of, seq)):
            raise ValueError("a gap, or a row that amends itself or a later one")
        columns = [
            *ints([distance and here - distance for here, distance in zip(seq, of, strict=True)]),
            *words(kind),
            *words(boot),
            *ints(_steps(mono)),
            *ints(_steps(list(map(sub, at, mono)))),
            *ints(clocks),
            *words(campaign),
            *callers(caller),
            *words(caller_kind),
            *words(state),
            *ints(seconds),
            *words(extra),
        ]
        head = bytes.fromhex(store) + varint(first) + varint(len(rows)) + prev + tail + varint(last)
        return _sealed(BATCH, head, varint(as_of_ms), bytes([clock]), deflate(columns))
    except (TypeError, ValueError, AttributeError, struct.error) as error:
        raise WireError("unpackable") from error


def pack_hello(hello: Hello) -> bytes:
    who = map(text, (hello.box, hello.district, hello.timezone, hello.version))
    stores = (bytes.fromhex(each.store) + text(each.line) + varint(each.last) + each.chain for each in hello.stores)
    when = varint(hello.as_of_ms) + bytes([hello.clock])
    return _sealed(HELLO, *who, when, varint(len(hello.stores)), *stores)


def pack_ack(ack: Ack) -> bytes:
    return _sealed(ACK, bytes.fromhex(ack.store), varint(ack.mark), ack.chain, varint(ack.next_s), text(ack.reject))


def pack_parcel(parcel: Parcel) -> bytes:
    what = bytes.fromhex(parcel.store) + varint(parcel.seq) + text(parcel.codec) + varint(parcel.total)
    return _sealed(PARCEL, what, parcel.sha256, varint(parcel.offset), parcel.chunk)


def pack_held(held: Held) -> bytes:
    return _sealed(HELD, bytes.fromhex(held.store), varint(held.seq), varint(held.have), text(held.state))


def pack_order(order: Order) -> bytes:
    whom = varint(order.number) + text(order.line) + text(order.verb) + varint(order.made_ms)
    return _sealed(ORDER, whom, text(order.args))


# -------------------------------------------------------------------------------------- unpacking

_kind = re.compile(r"[a-z][a-z0-9-]{0,31}").fullmatch
_boot = re.compile(r"[0-9a-f]{0,32}").fullmatch


def _is_extra(value: str) -> bool:
    if not value:
        return True
    try:
        return isinstance(json.loads(value), dict)
    except (ValueError, RecursionError):
        return False


def _rows(reader: Reader, head: Head) -> list[WireRow]:
    count, first = head.count, head.first
    seq = range(first, first + count)
    back = reader.ints(count, 0, first + count - 2)
    of = [step and here - step for here, step in zip(seq, back, strict=True)] if any(back) else back
    if min(of) < 0 or any(step >= here for here, step in zip(seq, back, strict=True)):
        raise WireError("of")
    kind = reader.words(count, _kind)
    boot = reader.words(count, _boot)
    mono = list(accumulate(reader.ints(count, -MAX_INT)))
    offset = accumulate(reader.ints(count, -MAX_INT))
    at = [base + more for base, more in zip(mono, offset, strict=True)]
    if min(mono) < 0 or max(mono) > MAX_INT or min(at) < 0 or max(at) >= MAX_AT_MS:
        raise WireError("time")
    clock = reader.ints(count, 0, 9)
    campaign = reader.words(count, str.isprintable)
    caller = reader.callers(count)
    caller_kind = reader.words(count, str.isprintable)
    state = reader.words(count, str.isprintable)
    seconds = reader.ints(count, 0, 2**31)
    extra = reader.words(count, _is_extra, 64 * 1024)
    if sum(map(len, extra)) > MAX_BODY or reader.at != len(reader.data):
        raise WireError("size")
    return list(
        zip(
            seq, of, kind, boot, mono, at, clock, campaign, caller, caller_kind, state, seconds, extra,
            strict=True,
        )
    )  # fmt: skip


def _batch(reader: Reader) -> Batch:
    store = reader.take(4).hex()
    first, count = reader.varint(), reader.varint(MAX_ROWS)
    prev, tail = reader.take(8), reader.take(8)
    head = Head(store, first, count, prev, tail, reader.varint(), reader.varint(MAX_AT_MS - 1), reader.byte())
    if not first or not count or first + count - 1 > head.last or head.clock > 9:
        raise WireError("head")
    try:
        return Batch(head, _rows(Reader(inflate(reader.data[reader.at :])), head))
    except WireError as error:
        raise Unreadable(error.reason, head) from None


def _hello(reader: Reader) -> Hello:
    box, district, timezone, version = (reader.name() for _ in range(4))
    as_of_ms, clock, count = reader.varint(MAX_AT_MS - 1), reader.byte(), reader.varint(MAX_STORES)
    stores = tuple(
        StoreHead(reader.take(4).hex(), reader.name(), reader.varint(), reader.take(8)) for _ in range(count)
    )
    if not _BOX.fullmatch(box) or clock > 9:
        raise WireError("head")
    return Hello(box, district, timezone, version, as_of_ms, clock, stores)


def _ack(reader: Reader) -> Ack:
    store, mark, chain = reader.take(4).hex(), reader.varint(), reader.take(8)
    return Ack(store, mark, chain, reader.varint(86_400), reader.name())


_codec = re.compile(r"[a-z0-9]{1,8}").fullmatch


def _parcel(reader: Reader) -> Parcel:
    store, seq, codec, total = reader.take(4).hex(), reader.varint(), reader.name(8), reader.varint(2**40)
    sha256, offset = reader.take(32), reader.varint()
    chunk = reader.take(len(reader.data) - reader.at)
    if not seq or not _codec(codec) or len(chunk) > MAX_CHUNK or offset + len(chunk) > total:
        raise WireError("parcel")
    return Parcel(store, seq, codec, total, sha256, offset, chunk)


def _held(reader: Reader) -> Held:
    return Held(reader.take(4).hex(), reader.varint(), reader.varint(), reader.name())


def _order(reader: Reader) -> Order:
    number, line, verb, made_ms = reader.varint(), reader.name(), reader.name(), reader.varint(MAX_AT_MS - 1)
    args = reader.text(MAX_ARGS)
    if not number or not args or not _is_extra(args):
        raise WireError("order")
    return Order(number, line, verb, args, made_ms)


_UNPACK: dict[int, Callable[[Reader], Message]] = {
    BATCH: _batch, HELLO: _hello, ACK: _ack, PARCEL: _parcel, HELD: _held, ORDER: _order,
}  # fmt: skip


def unpack(payload: bytes) -> Message:
    """The message in these bytes; `WireError` for anything else."""
    if len(payload) > MAX_PAYLOAD:
        raise WireError("size")
    if len(payload) < 6 or struct.unpack("<I", payload[-4:])[0] != zlib.crc32(payload[:-4]):
        raise WireError("checksum")
    if payload[0] != VERSION:
        raise WireError("version")
    reader = Reader(payload[2:-4])
    read = _UNPACK.get(payload[1])
    if read is None:
        raise WireError("type")
    message = read(reader)
    if payload[1] != BATCH and reader.at != len(reader.data):  # a batch is deflated to its very end
        raise WireError("size")
    return message
