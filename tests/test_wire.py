"""What crosses the air comes back the same, any bytes whatever cost nothing but a `WireError`, and it is small."""

from __future__ import annotations

import ast
import dataclasses
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench import voters
from sync import columns, wire

CORPUS = Path(__file__).parent / "fuzz" / "corpus" / "wire"
GENESIS = bytes(8)
calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no mistake of ours

words = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), max_size=20)
callers = st.one_of(
    st.just(""),
    st.sampled_from(["+919876543210", "+919876543211", "121", "AX-BANK", "+0123456789", "+१२३४५६७८"]),
    st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True),
    words,
)
extras = st.one_of(
    st.just(""),
    st.dictionaries(st.sampled_from("abc"), st.text(max_size=30), max_size=2).map(json.dumps),
)


@st.composite
def batches(draw: st.DrawFn) -> list[wire.WireRow]:
    first = draw(st.one_of(st.just(1), st.integers(1, 2**40)))
    count = draw(st.integers(1, 40))
    kinds = draw(st.lists(st.sampled_from(["call", "message", "store", "rumour"]), min_size=1, max_size=4))
    boots = draw(st.lists(st.text("0123456789abcdef", max_size=16), min_size=1, max_size=2))
    times = st.integers(0, 2**43)
    return [
        (
            seq,
            draw(st.one_of(st.just(0), st.integers(1, seq - 1))) if seq > 1 else 0,
            draw(st.sampled_from(kinds)),
            draw(st.sampled_from(boots)),
            draw(times),
            draw(times),
            draw(st.integers(0, 3)),
            draw(words),
            draw(callers),
            draw(words),
            draw(words),
            draw(st.integers(0, 2**31)),
            draw(extras),
        )
        for seq in range(first, first + count)
    ]


def packed(rows: list[wire.WireRow], last: int = 0) -> bytes:
    return wire.pack_batch("00c0ffee", b"before!!", b"after!!!", last or rows[-1][0], 1_790_000_000_000, 3, rows)


def again(payload: bytes) -> bytes:
    """The same bytes with a checksum that fits: what is wrong must be found behind it."""
    return payload[:-4] + struct.pack("<I", zlib.crc32(payload[:-4]))


@calm
@given(batches())
def test_a_batch_comes_back_as_it_went(rows: list[wire.WireRow]) -> None:
    head = wire.Head("00c0ffee", rows[0][0], len(rows), b"before!!", b"after!!!", rows[-1][0], 1_790_000_000_000, 3)
    assert wire.unpack(packed(rows)) == wire.Batch(head, rows)


stores = st.builds(
    wire.StoreHead, st.just("0badcafe"), st.just("l1"), st.integers(0, 2**50), st.binary(min_size=8, max_size=8)
)


@calm
@given(st.lists(stores, max_size=9))
def test_a_hello_comes_back_as_it_went(stores: list[wire.StoreHead]) -> None:
    hello = wire.Hello("nashik-07", "nashik", "Asia/Kolkata", "1", 5, 2, tuple(stores))
    assert wire.unpack(wire.pack_hello(hello)) == hello


@calm
@given(st.integers(0, 2**50), st.integers(0, 86_400), st.sampled_from(["", "gap", "fork", "unreadable"]))
def test_an_acknowledgement_comes_back_as_it_went(mark: int, next_s: int, reject: str) -> None:
    ack = wire.Ack("0badcafe", mark, b"12345678", next_s, reject)
    assert wire.unpack(wire.pack_ack(ack)) == ack


@calm
@given(st.integers(1, 2**50), st.integers(0, 2**40 - 9000), st.binary(max_size=wire.MAX_CHUNK), st.integers(0, 800))
def test_a_parcel_comes_back_as_it_went(seq: int, offset: int, chunk: bytes, more: int) -> None:
    parcel = wire.Parcel("0badcafe", seq, "opus", offset + len(chunk) + more, bytes(range(32)), offset, chunk)
    assert wire.unpack(wire.pack_parcel(parcel)) == parcel


@calm
@given(st.integers(0, 2**50), st.integers(0, 2**50), st.sampled_from(["", "done", "unknown", "later", "refused: size"]))
def test_word_of_a_recording_comes_back_as_it_went(seq: int, have: int, state: str) -> None:
    held = wire.Held("0badcafe", seq, have, state)
    assert wire.unpack(wire.pack_held(held)) == held


@calm
@given(st.integers(1, 2**50), words, words, st.dictionaries(words, words, max_size=3), st.integers(0, 2**43))
def test_an_order_comes_back_as_it_went(number: int, line: str, verb: str, args: dict[str, str], made_ms: int) -> None:
    order = wire.Order(number, line[:16], verb[:16], json.dumps(args), made_ms)
    assert wire.unpack(wire.pack_order(order)) == order


# ------------------------------------------------------------------------------------- bad input


def refused(payload: bytes) -> str:
    with pytest.raises(wire.WireError) as told:
        wire.unpack(payload)
    return told.value.reason


@calm
@given(st.binary(max_size=300))
def test_any_bytes_are_refused_by_name(payload: bytes) -> None:
    assert refused(payload)
    for kind in range(wire.BATCH, wire.ORDER + 1):
        try:
            wire.unpack(again(bytes((wire.VERSION, kind)) + payload + b"crc!"))
        except wire.WireError as error:
            assert error.reason


@settings(calm, max_examples=300)
@given(st.data())
def test_a_damaged_batch_is_refused_or_is_another_batch(data: st.DataObject) -> None:
    payload = bytearray(packed(list(voters.rows(30, replies=True))))
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 5))] = data.draw(st.integers(0, 255))
    try:
        message = wire.unpack(again(bytes(payload)))
    except wire.WireError:
        return
    if isinstance(message, wire.Batch):
        assert [row[0] for row in message.rows] == list(
            range(message.head.first, message.head.first + message.head.count)
        )


@settings(calm, max_examples=300)
@given(st.data())
def test_damaged_columns_are_refused_or_are_other_rows(data: st.DataObject) -> None:
    """Behind the deflate stream too, where a blind mutation hardly ever gets."""
    payload = packed(list(voters.rows(30, replies=True)))
    head, body = payload[: start_of_body(payload)], bytearray(columns.inflate(body_of(payload)))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        wire.unpack(again(head + columns.deflate([bytes(body)]) + b"crc!"))
    except wire.WireError as error:
        assert isinstance(error, wire.Unreadable) and error.head.count == 30


def start_of_body(payload: bytes) -> int:
    reader = columns.Reader(payload[2:-4])
    reader.take(4), reader.varint(), reader.varint(), reader.take(16), reader.varint(), reader.varint(), reader.byte()
    return reader.at + 2


def body_of(payload: bytes) -> bytes:
    return payload[start_of_body(payload) : -4]


def with_body(body: bytes, payload: bytes = b"") -> bytes:
    payload = payload or packed(list(voters.rows(3)))
    return again(payload[: start_of_body(payload)] + body + b"crc!")


def test_a_bomb_is_not_unpacked() -> None:
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = bomb.compress(bytes(60 * 1024 * 1024)) + bomb.flush()
    assert len(body) < wire.MAX_PAYLOAD and refused(with_body(body)) == "deflate"


def test_extras_that_repeat_may_not_grow_beyond_the_limit() -> None:
    rows = [(*row[:12], '{"text":"' + "x" * 60_000 + '"}') for row in voters.rows(100)]
    payload = packed(rows)  # type: ignore[arg-type]
    assert len(payload) < 5000 and refused(payload) == "size"


def change(at: int, value: Any) -> list[Any]:
    rows = [list(row) for row in voters.rows(3)]
    rows[1][at] = value
    return rows


@pytest.mark.parametrize(
    ("at", "value", "reason"),
    [
        (2, "Kind", "word"), (2, "", "word"), (3, "no boot", "word"), (4, 2**60, "number"),
        (5, wire.MAX_AT_MS, "time"), (6, 10, "range"), (7, "a\nb", "word"), (8, "a\x1fb", "text"), (9, "\x00", "word"),
        (10, "y" * 65, "number"), (11, 2**31 + 1, "range"), (12, "[]", "word"), (12, "{", "word"),
        (12, '{"a":' + "[" * 30_000, "word"), (2, "k" * 99, "number"),
    ],
)  # fmt: skip
def test_a_field_out_of_its_range_is_refused(at: int, value: object, reason: str) -> None:
    assert refused(packed(change(at, value))) == reason


@pytest.mark.parametrize(
    "rows",
    [[], change(4, -1.5), change(8, None), change(0, 7.5), change(12, "\ud800"), [(1, 2, 3)], change(1, 2)],
)  # fmt: skip
def test_what_no_ledger_holds_is_not_packed(rows: Any) -> None:
    with pytest.raises(wire.WireError, match="unpackable"):
        wire.pack_batch("00c0ffee", GENESIS, GENESIS, 3, 0, 3, rows)


def test_limits_of_the_envelope() -> None:
    good = packed(list(voters.rows(3)))
    assert refused(b"x" * (wire.MAX_PAYLOAD + 1)) == "size"
    assert refused(good[:-1]) == "checksum"
    assert refused(again(b"\x02" + good[1:])) == "version"
    assert refused(again(good[:1] + b"\x09" + good[2:])) == "type"
    for closed in (wire.pack_ack(wire.Ack("0badcafe", 1, GENESIS)), wire.pack_held(wire.Held("0badcafe", 1, 1)),
                   wire.pack_order(wire.Order(1, "l1", "case", "{}"))):  # fmt: skip
        assert refused(again(closed[:-4] + b"more" + b"crc!")) == "size"
    assert refused(packed(list(voters.rows(wire.MAX_ROWS + 1)))) == "number"
    assert refused(packed(list(voters.rows(3)), last=2)) == "head"
    assert refused(wire.pack_hello(wire.Hello("Box!", "", "", "", 0, 0, ()))) == "head"
    assert refused(with_body(b"")) == "deflate"
    assert refused(with_body(columns.deflate([columns.inflate(body_of(good)), b"more"]))) == "size"
    assert refused(with_body(columns.deflate([b"\x00\x09"]))) == "width"
    assert refused(with_body(columns.deflate([b"\xff" * 12]))) == "number"
    assert refused(with_body(columns.deflate([b"\x00\x00\x01\x02\xff\xfe"]))) == "text"
    assert refused(with_body(columns.deflate([b"\x00"]))) == "short"


PARCEL = wire.Parcel("0badcafe", 7, "opus", 100, bytes(32), 60, b"x" * 40)


@pytest.mark.parametrize(
    "wrong",
    [
        {"seq": 0}, {"codec": ""}, {"codec": "../x"}, {"codec": "OPUS"}, {"offset": 61}, {"total": 99},
        {"offset": 2**40}, {"total": 2**30, "chunk": b"x" * (wire.MAX_CHUNK + 1)},
    ],
)  # fmt: skip
def test_a_parcel_that_cannot_be_of_a_recording_is_refused(wrong: dict[str, Any]) -> None:
    assert wire.unpack(wire.pack_parcel(PARCEL)) == PARCEL
    assert refused(wire.pack_parcel(dataclasses.replace(PARCEL, **wrong))) == "parcel"


@pytest.mark.parametrize(
    ("number", "args", "reason"),
    [
        (0, "{}", "order"), (1, "", "order"), (1, "[]", "order"), (1, "{", "order"), (1, "[" * 2000, "order"),
        (1, json.dumps({"a": "x" * wire.MAX_ARGS}), "number"),
    ],
)  # fmt: skip
def test_what_is_no_order_is_refused(number: int, args: str, reason: str) -> None:
    assert refused(wire.pack_order(wire.Order(number, "l1", "case", args))) == reason


def test_numbers_and_sound_are_in_no_repr() -> None:
    assert "xxx" not in repr(PARCEL) and "+91" not in repr(wire.Order(1, "l1", "call-back", '{"number":"+919"}'))


def test_a_caller_further_back_than_any_is_refused() -> None:
    rows = [list(row) for row in voters.rows(1)]
    rows[0][8] = ""
    body = columns.inflate(body_of(packed(rows)))  # type: ignore[arg-type]
    place = body.index(b"water") + len(b"water") + 2  # the column of callers follows the campaigns' indexes
    assert body[place] == 2  # one caller, code 1: empty
    broken = body[:place] + b"\x06" + body[place + 1 :]  # code 3: the newest caller, and there is none
    assert refused(with_body(columns.deflate([broken]), packed(rows))) == "caller"  # type: ignore[arg-type]


def test_topics() -> None:
    assert wire.shard("nashik") == f"{zlib.crc32(b'nashik') % 64:02}"
    assert wire.sender(wire.topic("nashik", "nashik-07", "up")) == (wire.shard("nashik"), "nashik-07")
    for name in ("miscall/2/00/b/up", "miscall/1/00/up", "miscall/1/00/B!/up", "x"):
        with pytest.raises(wire.WireError):
            wire.sender(name)


# --------------------------------------------------------------------------------------- promises


def test_a_call_costs_at_most_nine_bytes() -> None:
    payload = packed(list(voters.rows(500)))
    assert len(payload) / 500 <= 9
    assert len(payload) / 500 >= voters.floor_bytes(), "smaller than its information: the made-up rows are too simple"


def test_old_payloads_are_still_read() -> None:
    """Kept as they were first packed: a change of the format needs a new version byte."""
    kinds = ("batch", "hello", "ack", "parcel", "held", "order")
    kept = [file for kind in kinds for file in sorted(CORPUS.glob(f"*.{kind}"))]
    assert {file.suffix[1:] for file in kept} == set(kinds)
    for file in kept:
        message = wire.unpack(file.read_bytes())
        assert type(message).__name__.lower() == file.suffix[1:]
    known = wire.unpack((CORPUS / "replies.batch").read_bytes())
    assert isinstance(known, wire.Batch) and list(known.rows) == list(voters.rows(60, replies=True))


def test_the_format_imports_nothing_of_ours() -> None:
    for module, allowed in ((wire, {"sync.columns"}), (columns, set[str]())):
        tree = ast.parse(Path(str(module.__file__)).read_text())
        names = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert {name for name in names if name.startswith(("edge", "sync", "tools"))} == allowed
