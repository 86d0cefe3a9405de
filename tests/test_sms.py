"""Writing SMS: against a reader that works bit by bit, and octet by octet against python-gsmmodem-new's writer.

Where the peer is known to be wrong the comparison leaves the case out and says so; each such case is tested here
against the standard instead.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import timedelta

import pytest
from gsmmodem import pdu as peer
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edge import gsm7, sms
from tests.pdus import read_submit

GSM7_LETTERS = [char for char in map(chr, range(0x20AD)) if gsm7.code(char)]
HINDI = [chr(code) for code in range(0x0901, 0x0970) if unicodedata.category(chr(code)) != "Cn"]
SIGNS = [
    "क",
    "कि",
    "क्षि",
    "र्त्स्न्य",
    "नी\u0902",
    "é",
    "e\u0301",
    "👍",
    "👍🏻",
    "👍🏿",
    "👨‍👩‍👧",
    "🇮🇳",
    "🇰🇪",
    "✔\ufe0f",
    " ",
    "a",
]
gsm7_texts = st.text(alphabet=GSM7_LETTERS, max_size=200)
long_texts = st.builds(lambda text, repeats, end: text * repeats + end, gsm7_texts, st.integers(5, 30), gsm7_texts)
texts = st.one_of(
    gsm7_texts,
    long_texts,
    st.text(max_size=200),
    st.text(alphabet=HINDI, max_size=300),
    st.lists(st.sampled_from(SIGNS), max_size=150).map("".join),
)
numbers = st.from_regex(r"\A(\+[1-9][0-9]{6,14}|[0-9*#]{1,20})\Z")

# ------------------------------------------------------------------------------------------- writing


@given(texts, numbers, st.integers(0, 1 << 20), st.booleans(), st.booleans())
def test_what_is_written_reads_back_bit_by_bit(text: str, number: str, reference: int, asks: bool, wide: bool) -> None:
    submits = sms.encode(text, number, reference=reference, report=asks, wide=wide)
    reads = [read_submit(submit) for submit in submits]
    assert "".join(read.text for read in reads) == text
    assert {(read.number, read.report, read.validity) for read in reads} == {(number, asks, 167)}
    assert {read.coding for read in reads} == {0 if all(map(gsm7.code, text)) else 8}
    assert all(read.text for read in reads) or not text
    for index, read in enumerate(reads, 1):
        ours = reference.to_bytes(4)[-2:] if wide else reference.to_bytes(4)[-1:]
        element = (b"\x08\x04" if wide else b"\x00\x03") + ours + bytes([len(reads), index])
        assert read.header == (element if len(reads) > 1 else b"")
    if not wide:
        assert sms.count(text).parts == len(submits)


@given(st.lists(st.sampled_from(SIGNS), min_size=1, max_size=200))
def test_a_sign_is_never_torn(signs: list[str]) -> None:
    text = "".join(signs)
    assume(not all(map(gsm7.code, text)))
    parts = [read_submit(submit).text for submit in sms.encode(text, "+919876543210", reference=1)]
    assert [sign for part in parts for sign in sms.clusters(part)] == list(sms.clusters(text))


def test_signs_are_what_readers_see() -> None:
    for sign in SIGNS:
        assert list(sms.clusters(sign)) == [sign]
    assert list(sms.clusters("🇮🇳🇰🇪कि")) == ["🇮🇳", "🇰🇪", "कि"]
    assert list(sms.clusters("क् ख")) == ["क्", " ", "ख"]


def test_a_sign_longer_than_a_part_is_cut_but_no_pair_is() -> None:
    text = "a" * 10 + "\u200d".join("😀" * 100)
    parts = [read_submit(submit).text for submit in sms.encode(text, "+919876543210", reference=1)]
    assert "".join(parts) == text and all(parts) and parts[0] == "a" * 10
    assert all(read_submit(submit).text for submit in sms.encode(text[10:], "+919876543210", reference=1))


@pytest.mark.parametrize(
    ("text", "wide", "parts"),
    [
        ("", False, 1), ("a" * 160, False, 1), ("a" * 161, False, 2), ("a" * 306, False, 2), ("a" * 307, False, 3),
        ("a" * 304, True, 2), ("a" * 305, True, 3), ("€" * 80, False, 1), ("€" * 81, False, 2), ("€" * 153, False, 3),
        ("ह" * 70, False, 1), ("ह" * 71, False, 2), ("ह" * 134, False, 2), ("ह" * 135, False, 3), ("ह" * 132, True, 2),
        ("ह" * 133, True, 3), ("😀" * 35, False, 1), ("😀" * 36, False, 2), ("😀" * 66, False, 2),
        ("😀" * 67, False, 3),
    ],
)  # fmt: skip
def test_room(text: str, wide: bool, parts: int) -> None:
    assert len(sms.encode(text, "+919876543210", reference=1, wide=wide)) == parts


def test_count_says_what_is_left() -> None:
    assert sms.count("") == (1, "gsm7", 0, 160)
    assert sms.count("€") == (1, "gsm7", 2, 158)
    assert sms.count("a" * 161) == (2, "gsm7", 161, 145)
    assert sms.count("ह" * 71) == (2, "ucs2", 71, 63)
    assert sms.count("😀") == (1, "ucs2", 2, 68)


def test_lone_surrogates_are_replaced() -> None:
    assert read_submit(sms.encode("a\ud83d", "121", reference=0)[0]).text == "a\ufffd"
    assert read_submit(sms.encode("\ud83d\ude00", "121", reference=0)[0]).text == "😀"


@pytest.mark.parametrize(
    ("seconds", "octet"),
    [
        (0, 0), (300, 0), (301, 1), (43200, 143), (43201, 144), (86400, 167), (86401, 168), (172800, 168),
        (30 * 86400, 196), (31 * 86400, 197), (63 * 604800, 255), (10**9, 255),
    ],
)  # fmt: skip
def test_validity(seconds: int, octet: int) -> None:
    assert read_submit(sms.encode("a", "121", reference=0, validity_s=seconds)[0]).validity == octet


@pytest.mark.parametrize("number", ["", "+", "AX-BANK", "+91 98765", "1" * 21, "+१२३", "12\n"])
def test_numbers_that_no_sms_goes_to(number: str) -> None:
    with pytest.raises(sms.PduError) as told:
        sms.encode("a", number, reference=0)
    assert number == "" or number not in str(told.value)


def test_texts_without_end_are_refused() -> None:
    with pytest.raises(sms.PduError):
        sms.encode("a" * (255 * 153 + 1), "121", reference=0)


# ------------------------------------------------------------------------------------ the peer, writing

# Its defects, left out below: § (sent as `), ` (it takes it for §), form feed (it has ÿ), anything beyond the
# basic plane (ValueError), bare digits (sent as "national"); with UCS-2 it cuts signs. It puts the concat reference
# into TP-MR too, which is the modem's to set. It wants at least one letter.
PEER_LETTERS = [char for char in GSM7_LETTERS if char not in "§\f"]


@settings(max_examples=300)
@given(
    st.text(alphabet=PEER_LETTERS, min_size=1, max_size=200)
    | long_texts.map(lambda text: re.sub("[§\f]", "", text) + "a"),
    st.integers(0, 255),
)
def test_7_bit_pdus_are_the_peers_octet_by_octet(text: str, reference: int) -> None:
    theirs = peer.encodeSmsSubmitPdu("+919876543210", text, reference=reference, validity=timedelta(days=1))
    ours = sms.encode(text, "+919876543210", reference=reference)
    shown = [str(pdu)[:4] + "00" + str(pdu)[6:] for pdu in theirs]  # TP-MR
    assert [submit.pdu_hex for submit in ours] == shown
    assert [submit.octets for submit in ours] == [pdu.tpduLength for pdu in theirs]


@given(st.text(alphabet=HINDI, min_size=1, max_size=300), st.integers(0, 255))
def test_ucs2_reads_at_the_peer_as_it_was_written(text: str, reference: int) -> None:
    reads = [peer.decodeSmsPdu(submit.pdu_hex) for submit in sms.encode(text, "+919876543210", reference=reference)]
    assert "".join(read["text"] for read in reads) == text
    for index, read in enumerate(reads, 1):
        places = [(udh.reference, udh.parts, udh.number) for udh in read.get("udh", [])]
        assert places == ([(reference, len(reads), index)] if len(reads) > 1 else [])


# ------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("family", "codes", "action"),
    [
        ("CMS", [38, 41, 42, 47, 192, 193, 194, 314, 331, 332, 500, 512, 513, 514, 515, 521, 532, 535, 615], "retry"),
        ("CMS", [1, 8, 10, 21, 28, 29, 30, 50, 69, 81, 95, 96, 97, 98, 99, 111, 127, 195], "never"),
        ("CMS", [301, 302, 303, 304, 305, 517], "never"),
        ("CMS", [208, 211, 300, 310, 311, 313, 315, 320, 322, 330], "fix"),
        ("CME", [14, 30, 31, 32, 100, 515, 500, 148], "retry"),
        ("CME", [10, 11, 12, 13, 15, 16, 330], "fix"),
        ("ERROR", [-1, 10], "retry"),
        ("CMS", [-1, 9999], "retry"),
    ],
)
def test_verdicts(family: str, codes: list[int], action: str) -> None:
    for code in codes:
        judged = sms.verdict(family, code)
        assert judged.action == action, code
        assert judged.words and bool(judged.remedy) is (action == "fix")
