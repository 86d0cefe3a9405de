"""Reading SMS and reports: against a writer that works bit by bit, against python-gsmmodem-new's reader, and against
a table of what real networks and phones send.

Where the peer is known to be wrong the comparison leaves the case out and says so; each such case is tested here
against the standard instead.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone

import pytest
from gsmmodem import pdu as peer
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edge import gsm7, sms
from tests.pdus import NOON_MS, alphanumeric, deliver, read_submit, report, semi_octets, septets_of, stamp
from tests.test_sms import HINDI, PEER_LETTERS, gsm7_texts, texts


def message(pdu_hex: str) -> sms.Deliver:
    read = sms.decode(pdu_hex)
    assert isinstance(read, sms.Deliver)
    return read


# ------------------------------------------------------------------------------------------- reading

senders = st.one_of(
    st.from_regex(r"\A[1-9][0-9]{0,19}\Z").map(
        lambda digits: (bytes([len(digits), 0x91]) + semi_octets(digits), "+" + digits, "international")
    ),
    st.from_regex(r"\A[0-9]{1,20}\Z").map(lambda d: (bytes([len(d), 0xA1]) + semi_octets(d), d, "national")),
    st.from_regex(r"\A[0-9]{1,20}\Z").map(lambda d: (bytes([len(d), 0x81]) + semi_octets(d), d, "unknown")),
    st.from_regex(r"\A[A-Z-]{1,11}\Z").map(lambda name: (alphanumeric(name), name, "alphanumeric")),
)
zones = st.integers(-48, 56).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))
moments = st.datetimes(datetime(2001, 1, 2), datetime(2068, 12, 30), timezones=zones).map(
    lambda moment: moment.replace(microsecond=0)
)
elements = st.lists(
    st.tuples(st.sampled_from([1, 4, 5, 0x0A, 0x70]), st.binary(min_size=1, max_size=4)), max_size=3
).map(lambda pairs: b"".join(bytes([kind, len(value)]) + value for kind, value in pairs))


@given(
    senders,
    moments,
    st.one_of(gsm7_texts.map(lambda text: text[:60]), st.text(max_size=30)),
    st.none() | st.tuples(st.integers(0, 65535), st.integers(1, 255), st.integers(1, 255), st.booleans()),
    elements,
    elements,
    st.binary(max_size=11),
)
def test_whatever_the_standard_allows_is_read(
    sender: tuple[bytes, str, str],
    moment: datetime,
    text: str,
    place: tuple[int, int, int, bool] | None,
    before: bytes,
    behind: bytes,
    smsc: bytes,
) -> None:
    coded, number, kind = sender
    part, header = None, None
    if place:
        reference, total, index, wide = place
        assume(index <= total)
        reference &= 0xFFFF if wide else 0xFF
        part = sms.Part(reference, total, index, wide)
        concat = (b"\x08\x04" + reference.to_bytes(2)) if wide else (b"\x00\x03" + reference.to_bytes(1))
        header = before + concat + bytes([total, index]) + behind
    coding = 0 if all(map(gsm7.code, text)) else 8
    tail = b"\xff" * (len(text) % 9)
    pdu_hex = deliver(
        text, sender=coded, coding=coding, header=header, when=stamp(moment), smsc=bytes([len(smsc)]) + smsc, tail=tail
    )
    read = message(pdu_hex)
    assert (read.sender, read.kind, read.text, read.part) == (number, kind, text, part)
    assert read.sent_ms == moment.timestamp() * 1000
    assert message(pdu_hex.lower()) == read


def test_the_time_is_utc() -> None:
    assert message(deliver("a")).sent_ms == NOON_MS
    west = datetime(2026, 3, 14, 12, 0, 5, tzinfo=timezone(timedelta(hours=-3, minutes=-45)))
    assert message(deliver("a", when=stamp(west))).sent_ms == int(west.astimezone(UTC).timestamp()) * 1000


@pytest.mark.parametrize(
    "when",
    [
        bytes(7),
        b"\xff" * 7,
        bytes.fromhex("80000000000000"),
        bytes.fromhex("62213199000000"),
        bytes.fromhex("08101000000000"),
    ],
    ids=["zero", "padding", "no month", "minute 99", "1980"],
)
def test_a_time_that_is_none(when: bytes) -> None:
    assert message(deliver("a", when=when)).sent_ms is None


@pytest.mark.parametrize("length", range(1, 12))
@pytest.mark.parametrize("whole_octets", [False, True])
def test_alphanumeric_senders_of_every_length(length: int, whole_octets: bool) -> None:
    """Seven letters leave seven bits that read as "@"; some count whole octets instead of half ones."""
    name = "JIOPAYXABCD"[:length]
    read = message(deliver("a", sender=alphanumeric(name, whole_octets)))
    assert (read.sender, read.kind, read.sender_type) == (name, "alphanumeric", 0xD0)


@pytest.mark.parametrize(
    ("coding", "alphabet", "flash"),
    [
        (0x00, "gsm7", False), (0x01, "gsm7", False), (0x10, "gsm7", True), (0x11, "gsm7", False),
        (0x04, "8bit", False), (0x08, "ucs2", False), (0x18, "ucs2", True), (0x19, "ucs2", False),
        (0x0C, "gsm7", False), (0x48, "ucs2", False), (0x80, "gsm7", False), (0xC8, "gsm7", False),
        (0xD0, "gsm7", False), (0xE0, "ucs2", False), (0xF0, "gsm7", True), (0xF1, "gsm7", False),
        (0xF2, "gsm7", False), (0xF4, "8bit", True), (0xF5, "8bit", False),
    ],
)  # fmt: skip
def test_codings(coding: int, alphabet: str, flash: bool) -> None:
    data = {"gsm7": None, "ucs2": "STOP बंद", "8bit": b"STOP b\xe9"}[alphabet]
    pdu_hex = deliver(data or "", coding=coding, septets=None if data else septets_of("STOP bé"))
    read = message(pdu_hex)
    assert read.text == {"gsm7": "STOP bé", "ucs2": "STOP बंद", "8bit": "STOP bé"}[alphabet]
    assert (read.alphabet, read.flash) == (alphabet, flash)


def test_8_bit_data_for_a_program_is_no_text() -> None:
    assert message(deliver(b"\x00\x06\x01\xae", coding=0xF5)).text == ""


@pytest.mark.parametrize("length", [7, 8, 16, 80, 160])
@pytest.mark.parametrize("last", "@?")
def test_the_last_letter_of_8k_septets_stays(length: int, last: str) -> None:
    text = "x" * (length - 1) + last
    assert message(deliver(text)).text == text


def test_8k_and_7_septets_get_no_letter_more() -> None:
    assert message(deliver("x" * 15)).text == "x" * 15


def test_first_letter_behind_a_16_bit_reference() -> None:
    read = message(deliver("Hello", header=bytes.fromhex("080412340201")))
    assert (read.text, read.part) == ("Hello", sms.Part(0x1234, 2, 1, wide=True))


def test_national_tables_are_read() -> None:
    namaste = [0x2F, 0x42, 0x4C, 0x5F, 0x27, 0x59]
    assert message(deliver(header=bytes.fromhex("250106"), septets=namaste)).text == "नमस्ते"
    assert message(deliver(header=bytes.fromhex("240106"), septets=[0x41, 0x1B, 0x19])).text == "A।"
    both = bytes.fromhex("0003070101240106250106")
    assert message(deliver(header=both, septets=[*namaste, 0x1B, 0x19])).text == "नमस्ते।"
    assert message(deliver(header=bytes.fromhex("2501F0"), septets=[0x41])).text == "A"  # no such language


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("0003070001", None), ("0003070203", None), ("0003070200", None),  # of none; the third of two; the zeroth
        ("070103", None), ("0701030003070201", sms.Part(7, 2, 1)), ("00030702", None), ("", None),
        ("0003070201000308", sms.Part(7, 2, 1)),
    ],
)  # fmt: skip
def test_headers_that_lie(header: str, part: sms.Part | None) -> None:
    read = message(deliver("ok", header=bytes.fromhex(header)))
    assert (read.text, read.part) == ("ok", part)


def test_an_escape_at_the_end_and_escapes_without_meaning() -> None:
    assert message(deliver(septets=[0x41, 0x1B])).text == "A"
    assert message(deliver(septets=[0x41, 0x1B, 0x42])).text == "AB"


def test_emoji_and_torn_emoji() -> None:
    assert message(deliver("ok 👍", coding=8)).text == "ok 👍"
    torn = message(deliver("👍".encode("utf-16-be")[:2], coding=8)).text
    assert torn == "\ufffd"
    torn.encode()  # a database takes it


def test_what_surrounds_a_pdu() -> None:
    plain = deliver("STOP")
    read = sms.decode(plain)
    for shown in (plain.lower(), f" {plain}\r\n", plain + '"', plain + "FF" * 150, "0791198994000000" + plain[2:]):
        assert sms.decode(shown) == read
        assert sms.fingerprint(shown) == sms.fingerprint(plain)
    assert sms.fingerprint(deliver("STOQ")) != sms.fingerprint(plain)
    assert len(sms.fingerprint("\ud800 no hex")) == 16


@pytest.mark.parametrize(
    "pdu_hex",
    [
        "", "00", "0", "zz", "००", "0001", deliver("a", first=1), deliver("a" * 20)[:-2], deliver("a", coding=0x20),
        deliver("a", sender=b"\x15\x91" + bytes(11)), "0D" + "00" * 60, deliver("", header=b"")[:-4] + "FF00",
        deliver("abc")[:30], report(0)[:-2], "\x00", "00040C91",
    ],
)  # fmt: skip
def test_what_is_no_message_is_refused(pdu_hex: str) -> None:
    with pytest.raises(sms.PduError):
        sms.decode(pdu_hex)


def test_reserved_type_is_read_as_a_message() -> None:
    assert message(deliver("a", first=3)).text == "a"


# ------------------------------------------------------------------------------------ the peer, reading

# Its defects, left out below: § (read as `), 7-bit texts of 8k septets that end in "@" (lost), 16-bit references with a
# 7-bit text (first letter lost), emoji (lone surrogates), codings beyond 0 and 8, national tables (ignored), times
# that are none (ValueError), padding (read as text with a header). Undefined escapes read differently, too.


@settings(max_examples=300)
@given(
    senders,
    moments,
    st.one_of(
        st.text(alphabet=PEER_LETTERS, max_size=60),
        st.text(alphabet=HINDI, min_size=1, max_size=60),
    ),
    st.none() | st.integers(0, 255),
)
def test_the_peer_reads_the_same(
    sender: tuple[bytes, str, str], moment: datetime, text: str, reference: int | None
) -> None:
    coding = 0 if all(map(gsm7.code, text)) else 8
    assume(not (coding == 0 and text.endswith("@")))
    # its alphanumeric senders of eight letters end in "@" likewise, and it adds one to those of seven
    assume(sender[2] != "alphanumeric" or len(sender[1]) not in (7, 8))
    header = None if reference is None else bytes([0, 3, reference, 2, 1])
    assume(header is None or text)  # it wants a letter behind a header
    pdu_hex = deliver(text, sender=sender[0], coding=coding, header=header, when=stamp(moment))
    theirs, ours = peer.decodeSmsPdu(pdu_hex), message(pdu_hex)
    assert ours.text == theirs["text"]
    assert ours.sender == theirs["number"]
    assert ours.sent_ms == theirs["time"].timestamp() * 1000
    assert [(udh.reference, udh.parts, udh.number) for udh in theirs.get("udh", [])] == (
        [(ours.part.reference, ours.part.total, ours.part.index)] if ours.part else []
    )


@given(st.integers(0, 255), st.integers(0, 255), moments)
def test_the_peer_reads_reports_the_same(reference: int, status: int, moment: datetime) -> None:
    pdu_hex = report(status, reference=reference, done=stamp(moment))
    theirs, ours = peer.decodeSmsPdu(pdu_hex), sms.decode(pdu_hex)
    assert isinstance(ours, sms.Report)
    assert (ours.reference, ours.recipient, ours.status) == (theirs["reference"], theirs["number"], theirs["status"])
    assert ours.done_ms == theirs["discharge"].timestamp() * 1000


# -------------------------------------------------------------------------------- whatever comes, PduError at most


def survives(pdu_hex: str) -> bool:
    sms.fingerprint(pdu_hex)
    try:
        read = sms.decode(pdu_hex)
    except sms.PduError:
        return False
    if isinstance(read, sms.Deliver):
        (read.text + read.sender).encode()  # storable
    return True


def test_100_000_mutated_pdus_raise_nothing_but_pdu_errors() -> None:
    dice = random.Random(7)
    seeds = [
        deliver("Hello {world} €"), deliver("नमस्ते 👍", coding=8), deliver("x" * 160), report(0x21),
        deliver("a", header=bytes.fromhex("0804123402012401062501060003070201")), deliver(b"STOP", coding=0xF5),
        deliver("a", sender=bytes([13, 0xD0]) + bytes(range(7))), "0791198994000000" + deliver("b")[2:],
    ]  # fmt: skip
    taken = 0
    for turn in range(100_000):
        octets = bytearray.fromhex(seeds[turn % len(seeds)])
        for _ in range(dice.randint(1, 4)):
            place = dice.randrange(len(octets))
            act = dice.randrange(4)
            if act == 0:
                octets[place] = dice.randrange(256)
            elif act == 1:
                octets[place] ^= 1 << dice.randrange(8)
            elif act == 2:
                octets = octets[: place + 1]
            else:
                octets[place:place] = dice.randbytes(dice.randint(1, 3))
        taken += survives(octets.hex())
    assert 20_000 < taken < 90_000  # the mutations neither miss nor always kill


@given(st.text(max_size=60) | st.binary(max_size=200).map(bytes.hex))
def test_any_string_is_survived(text: str) -> None:
    survives(text)


# ------------------------------------------------------------------------------------------- reports


@pytest.mark.parametrize(
    ("statuses", "outcome"),
    [
        ([0, 1, 2, 3, 31], "delivered"),
        ([*range(32, 38), *range(48, 64)], "pending"),
        ([*range(64, 74), *range(80, 128), 0x80, 0xFF], "failed"),
    ],
)
def test_outcomes(statuses: list[int], outcome: str) -> None:
    for status in statuses:
        read = sms.decode(report(status))
        assert isinstance(read, sms.Report) and read.outcome == outcome and read.words


def test_a_report_with_padding_and_a_national_recipient() -> None:
    national = bytes([9, 0x81]) + semi_octets("604865888")
    read = sms.decode(report(0, recipient=national, done=bytes(7)) + "ff" * 130)
    assert isinstance(read, sms.Report)
    assert (read.reference, read.recipient, read.sent_ms, read.done_ms) == (77, "604865888", NOON_MS, None)
    assert sms.same_number("+420604865888", read.recipient)


@pytest.mark.parametrize(
    ("sent", "recipient", "same"),
    [
        ("+919876543210", "+919876543210", True), ("+919876543210", "9876543210", True),
        ("+919876543210", "09876543210", True), ("+919876543210", "00919876543210", True),
        ("+919876543210", "919876543210", True), ("+919876543210", "9876543211", False),
        ("+919876543210", "3210", False), ("+919876543210", "", False), ("", "", False), ("121", "121", True),
        ("+46701234567", "0701234567", True), ("+4670123456", "070123456", True),
        ("+5215512345678", "+525512345678", True), ("+919876543210", "+918876543211", False),
    ],
)  # fmt: skip
def test_same_number(sent: str, recipient: str, same: bool) -> None:
    assert sms.same_number(sent, recipient) is same


# ------------------------------------------------------------------------------------------- joining


@given(texts, st.integers(0, 255), st.randoms())
def test_a_long_message_comes_together_in_any_order(text: str, reference: int, dice: random.Random) -> None:
    parts = []
    for submit in sms.encode(text, "+919876543210", reference=reference):
        read = read_submit(submit)
        parts.append(message(deliver(read.text, coding=read.coding, header=read.header or None)))
    shuffled = parts + parts[:1]
    dice.shuffle(shuffled)
    assert sms.join(shuffled) == text
    assert sms.complete(shuffled) is (len(parts) > 1)
    if len(parts) > 1:
        assert sms.complete(parts[1:]) is False


def test_a_pair_that_was_torn_by_its_sender_is_mended() -> None:
    units = "a👍b".encode("utf-16-be")
    halves = [
        message(deliver(units[:4], coding=8, header=bytes([0, 3, 9, 2, 1]))),
        message(deliver(units[4:], coding=8, header=bytes([0, 3, 9, 2, 2]))),
    ]
    assert sms.join(halves) == "a👍b"
    assert [half.text for half in halves] == ["a\ufffd", "\ufffdb"]


def test_what_is_missing_is_shown() -> None:
    parts = [message(deliver(text, header=bytes([0, 3, 9, 3, index]))) for text, index in (("one ", 1), ("three", 3))]
    assert sms.join(parts) == "one …three"
    assert sms.join([]) == ""


def test_repr_shows_no_number_and_no_text() -> None:
    assert "9876543210" not in repr(sms.decode(deliver("secret"))) + repr(sms.decode(report(0)))
    assert "secret" not in repr(sms.decode(deliver("secret")))
