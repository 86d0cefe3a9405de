"""The 7-bit alphabets: every cell of the tables is pinned, and what stands between them is tried with any septets."""

from __future__ import annotations

import zlib

import pytest
from gsmmodem import pdu as peer
from hypothesis import given
from hypothesis import strategies as st

from edge import gsm7

LANGUAGES = st.integers(0, 255)
# CRC-32 of each table in UTF-8, taken from the tables of TS 23.038 (Release 13, Annex A) after two other
# programs' tables were found to agree with them in every defined cell
PINNED = {
    0: (0xC3D8EA60, 0xA22FE368), 1: (0xE3B406DE, 0x66914858), 2: (0xC3D8EA60, 0x2A70F6FC),
    3: (0x46538026, 0xABF6345F), 4: (0x26E612E5, 0x3EAC8F77), 5: (0x905DAE80, 0x901F8206),
    6: (0x8DC50511, 0xDD1AEC38), 7: (0xD8227AF8, 0x19B1887B), 8: (0x58329438, 0x813197AC),
    9: (0x8A84BF9A, 0x93A4CE95), 10: (0x1CAB841F, 0x029474E1), 11: (0x1B486DF7, 0xB6E03AAC),
    12: (0x7DC37502, 0x39F7C323), 13: (0x83E33E83, 0xE069D9FC),
}  # fmt: skip


@pytest.mark.parametrize("language", PINNED)
def test_tables_are_those_of_the_standard(language: int) -> None:
    tables = gsm7.LOCKING[language], gsm7.SINGLE[language]
    assert [len(table) for table in tables] == [128, 128]
    assert tuple(zlib.crc32(table.encode()) for table in tables) == PINNED[language]


def test_default_table_is_the_peers_but_for_its_known_wrong_cell() -> None:
    assert peer.GSM7_BASIC.replace("`", "§") == gsm7.DEFAULT  # the peer writes ` in the place of §
    theirs = {ord(code): char for char, code in peer.GSM7_EXTENDED.items() if char != "ÿ"}  # it has ÿ for form feed
    assert {code: char for code, char in enumerate(gsm7.EXTENSION) if char != gsm7.HOLE} == theirs | {0x0A: "\f"}


@pytest.mark.parametrize(
    ("language", "table", "code", "char"),
    [  # cells that another well-known program has wrong
        (7, gsm7.LOCKING, 0x24, "\u0ca1"),
        (8, gsm7.LOCKING, 0x2E, "."),
        (4, gsm7.SINGLE, 0x10, "<"),
        (7, gsm7.SINGLE, 0x3C, "["),
        (12, gsm7.SINGLE, 0x65, "€"),
        (6, gsm7.LOCKING, 0x2C, ","),
    ],
)
def test_cells_that_others_have_wrong(language: int, table: dict[int, str], code: int, char: str) -> None:
    assert table[language][code] == char


@given(st.binary(max_size=200).map(lambda octets: bytes(octet & 0x7F for octet in octets)), st.integers(0, 6))
def test_packing_round_trips(septets: bytes, fill: int) -> None:
    packed = gsm7.pack(septets, fill)
    assert len(packed) == (fill + 7 * len(septets) + 7) // 8
    assert gsm7.unpack(packed, len(septets), fill) == septets
    bits = "0" * fill + "".join(f"{septet:07b}"[::-1] for septet in septets)
    octets = [bits[at : at + 8].ljust(8, "0")[::-1] for at in range(0, len(bits), 8)]
    assert packed == bytes(int(octet, 2) for octet in octets)


@given(st.text(alphabet=[char for char in map(chr, range(0x20AD)) if gsm7.code(char)]))
def test_default_alphabet_round_trips(text: str) -> None:
    assert gsm7.decode(b"".join(map(gsm7.code, text))) == text


@given(
    st.binary().map(lambda octets: bytes(octet & 0x7F for octet in octets)), st.integers(0, 255), st.integers(0, 255)
)
def test_any_septets_in_any_language_give_a_text(septets: bytes, locking: int, single: int) -> None:
    text = gsm7.decode(septets, locking, single)
    assert len(text) <= len(septets)
    assert gsm7.HOLE not in text and "\x1b" not in text


def test_escapes_without_a_meaning() -> None:
    assert gsm7.decode(b"A\x1b") == "A"
    assert gsm7.decode(b"A\x1bB") == "AB"
    assert gsm7.decode(b"A\x1b\x1bB") == "A B"
    assert gsm7.decode(b"\x0e", locking=4) == " "
    assert gsm7.code("\x1b") == gsm7.code("\0") == gsm7.code("ह") == b""


def test_national_text() -> None:
    # "नमस्ते" in the Hindi locking table, by the rows and columns of the standard
    assert gsm7.decode(bytes([0x2F, 0x42, 0x4C, 0x5F, 0x27, 0x59]), locking=6) == "नमस्ते"
    assert gsm7.decode(bytes([0x1B, 0x19]), single=6) == "।"
