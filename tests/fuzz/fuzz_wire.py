"""Coverage-guided fuzzing of the wire: `python tests/fuzz/fuzz_wire.py tests/fuzz/corpus/wire -max_total_time=30`.

Half of the inputs get a checksum that fits, and a quarter a deflate stream around their columns, so that the
fuzzer reaches what stands behind both. Whatever unpacks must pack to something that unpacks to the same.
"""

from __future__ import annotations

import struct
import sys
import zlib

import atheris

with atheris.instrument_imports():
    from sync import columns, wire


def one(data: bytes) -> None:
    payload = data
    if data[:1] < b"\x80":
        payload = data[:-4] + struct.pack("<I", zlib.crc32(data[:-4]))
    elif data[:1] < b"\xc0":
        head = b"\x01\x01" + bytes(4) + b"\x01" + data[1:2] + bytes(16) + b"\xff\x7f\x00\x03"
        body = head + columns.deflate([data[2:]])
        payload = body + struct.pack("<I", zlib.crc32(body))
    try:
        message = wire.unpack(payload)
    except wire.WireError:
        return
    if isinstance(message, wire.Hello):
        assert wire.unpack(wire.pack_hello(message)) == message
    elif isinstance(message, wire.Ack):
        assert wire.unpack(wire.pack_ack(message)) == message
    elif isinstance(message, wire.Parcel):
        assert wire.unpack(wire.pack_parcel(message)) == message
    elif isinstance(message, wire.Held):
        assert wire.unpack(wire.pack_held(message)) == message
    elif isinstance(message, wire.Order):
        assert wire.unpack(wire.pack_order(message)) == message
    else:
        of = message.head
        again = wire.pack_batch(of.store, of.prev, of.tail, of.last, of.as_of_ms, of.clock, message.rows)
        assert wire.unpack(again) == message


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
