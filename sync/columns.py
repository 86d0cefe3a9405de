"""How a batch's columns are written: integers, words, callers, and the deflate stream around them.

Rules of this room, which belongs to `wire` alone
- A column of integers is its smallest value and the bytes above it, one plane for each byte.  A plane gets a
  Huffman table of its own (a deflate block ends where it ends): high bytes of times are skewed, low ones are not.
- Words are a dictionary and indexes.  A caller is written once in a batch, a number as an integer; whoever comes
  again is told by how many other callers ago.
- No length found in the bytes is believed before it is compared with a limit.  Anything wrong is a `WireError`.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterable, Sequence

MAX_INT = 2**53  # the largest integer that every reader of an export keeps exactly
MAX_BODY = 4 * 1024 * 1024  # bytes of a batch's columns, unpacked; also of all its `extra` together


class WireError(ValueError):
    """These bytes are no message of ours: `reason` is one word fit for an acknowledgement."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


# ---------------------------------------------------------------------------------------- packing


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed(value: int) -> bytes:
    return varint(value << 1 if value >= 0 else (-value << 1) - 1)


def text(value: str) -> bytes:
    raw = value.encode()
    return varint(len(raw)) + raw


def ints(values: Sequence[int]) -> list[bytes]:
    """The column's smallest value, the width of what stands above it in bytes, and one plane for each byte."""
    low = min(values)
    width = ((max(values) - low).bit_length() + 7) // 8
    out = [signed(low) + bytes([width])]
    if width:
        raw = struct.pack(f"<{len(values)}Q", *([value - low for value in values] if low else values))
        out += [raw[plane::8] for plane in range(width)]
    return out


def words(values: Iterable[str]) -> list[bytes]:
    index: dict[str, int] = {}
    where = [index.setdefault(value, len(index)) for value in values]
    return [varint(len(index)) + b"".join(map(text, index)), *ints(where)]


_NUMBER = re.compile(r"\+([1-9][0-9]{6,14})")
_NEXT_NUMBER, _EMPTY, _NEXT_TEXT, _BACK = 0, 1, 2, 2  # a caller's code; above _BACK: the n-th caller back


def callers(values: Iterable[str]) -> list[bytes]:
    """One code for each row, the numbers as integers, the rest as text; no caller is written twice."""
    seen: dict[str, int] = {}
    codes: list[int] = []
    numbers: list[int] = []
    texts: list[str] = []
    for value in values:
        if value == "":
            codes.append(_EMPTY)
        elif value in seen:
            codes.append(_BACK + len(seen) - seen[value])
        else:
            seen[value] = len(seen)
            found = _NUMBER.fullmatch(value)
            codes.append(_NEXT_NUMBER if found else _NEXT_TEXT)
            if found:
                numbers.append(int(found[1]))
            else:
                texts.append(value)
    out = ints(codes)
    if numbers:
        out += ints(numbers)
    if texts:
        out.append(b"".join(map(text, texts)))
    return out


# What deflate has already seen when a batch begins: a batch of one row is made of such words.
_SEEN = (
    b"internationalalphanumericunavailablewithheldshortunknownopt-outlanguagestoreclockline"
    b"unreachedcalled-backrecoveredtalkedgave-upcancelledreceivedheldfailed"
    b'{"reason":"{"direction":"in","language":"en","parts":1,"text":"'
    b'{"direction":"out","language":"hi","parts":2,"text":"deliveredsentsendingqueuedmessagemissednationalcall'
)
_ALONE = 96  # bytes from which a plane earns a Huffman table of its own


def deflate(parts: Iterable[bytes]) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=_SEEN)
    out: list[bytes] = []
    for part in parts:
        if len(part) >= _ALONE:
            out += [packer.flush(zlib.Z_BLOCK), packer.compress(part), packer.flush(zlib.Z_BLOCK)]
        else:
            out.append(packer.compress(part))
    out.append(packer.flush())
    return b"".join(out)


# -------------------------------------------------------------------------------------- unpacking


class Reader:
    """A place in some bytes. Every step is checked against their end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self.data):
            raise WireError("short")
        piece = self.data[self.at : end]
        self.at = end
        return piece

    def byte(self) -> int:
        return self.take(1)[0]

    def varint(self, limit: int = MAX_INT) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 63:
                raise WireError("number")
        if value > limit:
            raise WireError("number")
        return value

    def text(self, limit: int) -> str:
        try:
            return self.take(self.varint(limit)).decode()
        except UnicodeDecodeError:
            raise WireError("text") from None

    def name(self, limit: int = 64) -> str:
        value = self.text(limit)
        if not value.isprintable():
            raise WireError("text")
        return value

    def ints(self, count: int, least: int = 0, most: int = MAX_INT) -> Sequence[int]:
        """A column; the values that come out lie between `least` and `most`."""
        zigzag = self.varint(2 * MAX_INT + 1)
        low = zigzag >> 1 if not zigzag & 1 else -(zigzag >> 1) - 1
        width = self.byte()
        if width > 8:
            raise WireError("width")
        values: Sequence[int]
        if not width:
            values = (0,) * count
        elif width == 1:
            values = tuple(self.take(count))
        else:
            size, code = (2, "H") if width == 2 else (4, "I") if width <= 4 else (8, "Q")
            raw = bytearray(size * count)
            for plane in range(width):
                raw[plane::size] = self.take(count)
            values = struct.unpack(f"<{count}{code}", raw)
        if low:
            values = [value + low for value in values]
        if count and (min(values) < least or max(values) > most):
            raise WireError("range")
        return values

    def words(self, count: int, check: Callable[[str], object], limit: int = 64) -> list[str]:
        size = self.varint(count)
        known = [self.text(limit) for _ in range(size)]
        if not all(map(check, known)):
            raise WireError("word")
        return [known[index] for index in self.ints(count, 0, size - 1)]

    def callers(self, count: int) -> list[str]:
        codes = self.ints(count, 0, _BACK + count)
        numbers = iter(self.ints(new, 1_000_000, 10**15 - 1) if (new := codes.count(_NEXT_NUMBER)) else ())
        texts = iter([self.name() for _ in range(codes.count(_NEXT_TEXT))])
        seen: list[str] = []
        out: list[str] = []
        for code in codes:
            if code == _NEXT_NUMBER:
                value = f"+{next(numbers)}"
                seen.append(value)
            elif code == _EMPTY:
                value = ""
            elif code == _NEXT_TEXT:
                value = next(texts)
                seen.append(value)
            else:
                if code - _BACK > len(seen):
                    raise WireError("caller")
                value = seen[_BACK - code]
            out.append(value)
        return out


def inflate(data: bytes) -> bytes:
    unpacker = zlib.decompressobj(-15, zdict=_SEEN)
    try:
        body = unpacker.decompress(data, MAX_BODY)
    except zlib.error:
        raise WireError("deflate") from None
    if not unpacker.eof or unpacker.unused_data or unpacker.unconsumed_tail:
        raise WireError("deflate")
    return body
