"""Callers told apart: the shapes of +CLIP and +CLCC that real modems write, and any string at all."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.events import Caller
from edge.numbers import identify, mask

OURS = "+919876543210"


@pytest.mark.parametrize(
    ("raw", "kind_of_number"),
    [
        ("9876543210", 129), ("9876543210", 161), ("9876543210", 128), ("9876543210", None), ("09876543210", 129),
        ("09876543210", 161), ("919876543210", 129), ("919876543210", 145), ("+919876543210", 145),
        ("+919876543210", 129), ("00919876543210", 129), ("00919876543210", 145), ("+00919876543210", 145),
        ("+09876543210", 145), ("9876543210", 145), ("+9876543210", 145), (' "98765 43210"', 129),
        ("098765-43210", 129), ("+919876543210A", 145), ("919876543210F", 145), ("98\x007654\r3210", 129),
    ],
)  # fmt: skip
def test_one_caller_however_she_is_written(raw: str, kind_of_number: int | None) -> None:
    assert identify(raw, kind_of_number, 0, "IN") == Caller("national", OURS)
    assert identify(raw, kind_of_number, None, "IN") == Caller("national", OURS)


@pytest.mark.parametrize(
    ("raw", "kind_of_number", "country", "kind", "number"),
    [
        ("+481239823991", 145, "IN", "international", "+481239823991"),
        ("+481239823991", 145, "PL", "national", "+481239823991"),
        ("+393351391306", 145, "IN", "international", "+393351391306"),
        ("0079139131234", 145, "IN", "international", "+79139131234"),
        ("0079139131234", 129, "IN", "international", "+79139131234"),
        ("0079139131234", 145, "US", "international", "+79139131234"),  # 00 is no prefix there, but the network says so
        ("89139131234", 129, "RU", "national", "+79139131234"),
        ("442079460018", 145, "IN", "international", "+442079460018"),
        ("+12025550123", 145, "CA", "international", "+12025550123"),
        ("2025550123", 129, "US", "national", "+12025550123"),
        ("0712345678", 129, "KE", "national", "+254712345678"),
        ("02151082965", 129, "CN", "national", "+862151082965"),
        ("+390612345678", 145, "IN", "international", "+390612345678"),  # Italy keeps its zero
        ("08020866256", 128, "IN", "national", "+918020866256"),  # type 128 does not mean withheld
        ("+915551234567", 145, "IN", "national", "+915551234567"),  # a series that the library does not know yet
    ],
)
def test_numbers_of_the_world(raw: str, kind_of_number: int, country: str, kind: str, number: str) -> None:
    caller = identify(raw, kind_of_number, 0, country)
    assert (caller.kind, caller.number) == (kind, number)
    assert caller.repliable


@pytest.mark.parametrize(
    ("raw", "kind_of_number", "validity", "kind", "number"),
    [
        ("", 128, 1, "withheld", ""), ("", 128, None, "withheld", ""), ("", 129, 0, "withheld", ""),
        ("", 128, 2, "unavailable", ""), ("", None, 3, "unavailable", ""), ("9876543210", 129, 1, "withheld", ""),
        ("Anonymous", 129, None, "withheld", ""), ("unavailable", 129, None, "unavailable", ""),
        ("121", 129, 0, "short", "121"), ("198", 128, None, "short", "198"), ("*121#", 129, 0, "short", "*121#"),
        ("123456789", 129, 0, "short", "123456789"), ("1", 145, 0, "short", "1"), ("+", 145, 0, "short", "+"),
        ("+7913913ABCA", 145, 0, "short", "+7913913ABCA"),  # cut by its letters: no number to answer
        ("+9876543210987654321", 145, 0, "short", "+9876543210987654321"),
        ("AX-BANK", 208, None, "alphanumeric", "AX-BANK"), ("AX-BANK", 129, None, "alphanumeric", "AX-BANK"),
        ("121", 208, None, "alphanumeric", "121"), ("JIO 4G", 208, None, "alphanumeric", "JIO 4G"),
    ],
)  # fmt: skip
def test_those_who_get_no_answer(
    raw: str, kind_of_number: int | None, validity: int | None, kind: str, number: str
) -> None:
    caller = identify(raw, kind_of_number, validity, "IN")
    assert (caller.kind, caller.number) == (kind, number)
    assert not caller.repliable


@given(
    st.text(max_size=60) | st.text(alphabet="+0123456789ABCabc*# -", max_size=60),
    st.none() | st.integers(-1, 300),
    st.none() | st.integers(-1, 300),
    st.sampled_from(["IN", "KE", "BR", "IT", "US", "ZZ", "", "in", "\ud800"]),
)
def test_never_raises(raw: str, kind_of_number: int | None, validity: int | None, country: str) -> None:
    caller = identify(raw, kind_of_number, validity, country)
    assert len(caller.number) <= 32
    caller.number.encode()
    if caller.repliable:
        assert caller.number[0] == "+" and caller.number[1:].isdigit()
    assert repr(caller) == f"Caller(kind={caller.kind!r})"


@pytest.mark.parametrize(
    ("number", "shown"), [(OURS, "•••• 210"), ("1234567", "•••• 567"), ("121", "••••"), ("", "••••")]
)
def test_masks(number: str, shown: str) -> None:
    assert mask(number) == shown


def test_the_library_is_loaded_with_the_first_number_only() -> None:
    code = "import sys, edge.numbers as n; n.identify('', 128, 1, 'IN'); assert 'phonenumbers' not in sys.modules;"
    code += "n.warm('IN'); assert 'phonenumbers.data.region_IN' in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
