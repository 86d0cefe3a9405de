"""The modem's language: framing, oddities, resynchronising. Every case is bytes in, events out."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import at, profile, urc
from edge.at import ESC, LONGEST, POLL, SEND, SUB, URGENT, Channel, Command, Splitter
from edge.events import (
    Answered,
    CallChanged,
    CallConnected,
    CallEnded,
    CallerSeen,
    Deaf,
    Expired,
    FileMark,
    Keyed,
    MessageStored,
    NetworkTime,
    Noise,
    PduArrived,
    Rang,
    Refused,
    Registered,
    ReportStored,
    Restarted,
    SimChanged,
    StorageFull,
    Waited,
)

PROFILES = profile.load_all()


def channel(name: str = "generic") -> Channel:
    return Channel(PROFILES[name])


def asked(command: Command, name: str = "generic", now: float = 0.0) -> Channel:
    """A channel on which `command` has been written."""
    made = channel(name)
    made.submit(command)
    assert made.outgoing(now) == command.text.encode() + b"\r"
    return made


CLIP = CallerSeen("+919812345678", 145, 0)

UNASKED = [
    ("RING", Rang()),
    ("+CRING: VOICE", Rang()),
    ('+CLIP: "+919812345678",145,,,,0', CLIP),
    ('+CLIP:"82882690",129,,,,0', CallerSeen("82882690", 129, 0)),
    ('+CLIP: "123456789",129', CallerSeen("123456789", 129, None)),
    ('+CLIP: "+481239823991",145,"",128,"",0', CallerSeen("+481239823991", 145, 0)),
    ('+CLIP: "",128,"",0,"",1', CallerSeen("", 128, 1)),
    ('+CLIP:"",128,,,,2', CallerSeen("", 128, 2)),
    ('+CLIP: "02151082965",129,,,"A, B",0', CallerSeen("02151082965", 129, 0)),
    ('+CLIP: "98', CallerSeen("98", 129, None)),
    ("+CLIP:", CallerSeen("", 129, None)),
    ('+CCWA: "987654321",161,1', Waited("987654321", 161)),
    ('+CMTI: "SM",3', MessageStored("SM", 3)),
    ('+CMTI: "SM",-1', MessageStored("SM", -1)),
    ("+CMTI: ,2", MessageStored("", 2)),
    ('+CMTI: "SM",0', MessageStored("SM", 0)),
    ('+CDSI: "SR",0', ReportStored("SR", 0)),
    ("^CEND:1,0,104,16", CallEnded("^CEND", cause=16)),
    ("NO CARRIER", CallEnded("NO CARRIER")),
    ("MISSED_CALL: 11:01AM 07712345678", CallEnded("MISSED_CALL", "07712345678")),
    ("MISSED_CALL: 11:01AM", CallEnded("MISSED_CALL", "")),
    ("+SMS FULL", StorageFull()),
    ("^SMMEMFULL: 1", StorageFull()),
    ('+QIND: "smsfull","ME"', StorageFull()),
    ("+CPIN: NOT INSERTED", SimChanged("NOT INSERTED")),
    ("+CREG: 1,84CD,00D30156", Registered(1)),
    ('+CREG: 2,1,"4CA","81DE445"', Registered(1)),
    ('+CREG:002,001,"18d8","ffff"', Registered(1)),
    ("+CREG: 2,,", Registered(2)),
    ("+CREG: ?", Registered(-1)),
    ("RDY", Restarted("RDY")),
    ("+DTMF: 5,80", Keyed("5")),
    ("+RXDTMF: *", Keyed("*")),
    ("^DDTMF: 5", Keyed("5")),
    ("+QTONEDET: 56", Keyed("8")),
    ("^NWTIME: 26/08/05,04:00:21+40,00", NetworkTime(1785866421000)),
    ('*PSUTTZ: 2026, 6, 8, 5, 15, 27, "+8", 1', NetworkTime(1780895727000)),
    ('+CTZE: "+32",0,"2026/11/04,06:51:13"', None),  # the zone stands elsewhere: no time is better than a wrong one
    ("^NWTIME: 39/13/40,99:00:21+40,00", None),
    ("^NWTIME: 99/01/01,00:00:00+128,00", None),
    ("*PSUTTZ: x", None),
    ("+QTONEDET: 1", None),
    ("+CLCC: 1,0,0,1,0", None),
    ("^DSCI: 1,1,9,0,1,1", None),
    ('+QIND: "csq",1', None),
    ('+QIND: "ccinfo",2,1,4,1,0,"",128', None),
    ("+CCWA: 1", None),
    ("anything", None),
]


@pytest.mark.parametrize(("line", "event"), UNASKED, ids=[line for line, _ in UNASKED])
def test_each_urc_is_one_event(line: str, event: object) -> None:
    made = channel("huawei-voice" if line.startswith("^CEND") else "generic")
    if line.startswith("MISSED"):
        made = channel("sim7600")
    wanted = event if event is not None else Noise(len(line))
    for framed in (f"\r\n{line}\r\n", f"\r\r\n{line}\r\r\n", f"{line}\n", f"\xff\0{line}\x07\r\n"):
        assert made.receive(framed.encode("latin-1"), 0.0) == [wanted]


def test_vendors_call_urcs_become_one_word() -> None:
    incoming, ended = "02154450290", 6
    for line, status in (
        (f'+CLCC: 4,1,4,0,0,"{incoming}",128', 4),
        (f"^DSCI: 1,1,4,0,{incoming},129,0", 4),
        (f"^DSCI: 1,1,6,0,{incoming},129,0", ended),
        (f'+QIND: "ccinfo",2,1,-1,0,0,"{incoming}",145', ended),
        (f'+QIND: "ccinfo",2,1,4,0,0,"{incoming}",145', 4),
    ):
        [event] = channel("quectel-lte").receive(line.encode() + b"\r\n", 0.0)
        assert isinstance(event, CallChanged)
        assert (event.call.status, event.call.number, event.call.outgoing) == (status, incoming, False)
    assert urc.listed('+CLCC: 1,0,0,1,0,"",128') is None  # a data context is no call


def test_a_ring_anywhere_in_a_response_is_a_ring_and_not_part_of_it() -> None:
    answer = b"\r\n+CPIN: READY\r\n\r\nOK\r\n"
    ring = b'\r\nRING\r\n\r\n+CLIP: "+919812345678",145,,,,0\r\n'
    lines = [b"\r\n+CPIN: READY\r\n", b"\r\nOK\r\n"]
    for place in range(3):
        made = asked(Command("AT+CPIN?", "pin"))
        data = b"".join(lines[:place]) + ring + b"".join(lines[place:])
        events = made.receive(data, 0.0)
        assert sorted(map(str, events)) == sorted(map(str, [Rang(), CLIP, Answered("pin", ("+CPIN: READY",))]))
    made = asked(Command("AT+CPIN?", "pin"))  # before the echo
    assert made.receive(ring + b"AT+CPIN?\r" + answer, 0.0) == [Rang(), CLIP, Answered("pin", ("+CPIN: READY",))]


def test_urcs_glued_behind_ok() -> None:
    made = asked(Command("AT+CREG?", "creg"), "sim7600")
    data = b'\r\n+CREG: 2,1\r\n\r\nOK\r\n\r\n+CIEV: 7,1\r\n\r\n+CRING: VOICE\r\n\r\n+CLIP: "+919812345678",145,,,,0\r\n'
    assert made.receive(data, 0.0) == [Answered("creg", ("+CREG: 2,1",)), Noise(10), Rang(), CLIP]


@given(cuts=st.lists(st.integers(0, 200), max_size=12))
def test_however_the_bytes_are_cut_the_events_are_the_same(cuts: list[int]) -> None:
    ring, rest = b'RING\r\n\xff\r\n+CLIP: "+919812345678",145,,,,0\r\n', b'\r\nOK\r\n\r\n+CMTI: "SM",1\r\n'
    data = b"AT+CSQ\r\r\n" + ring + b"\r\n+CSQ: 21,0\r\n" + rest
    made, events, at_ = asked(Command("AT+CSQ", "csq")), [], 0
    for cut in sorted({c for c in cuts if c < len(data)} | {len(data)}):
        events += made.receive(data[at_:cut], 0.0)
        at_ = cut
    assert events == [Rang(), CLIP, Answered("csq", ("+CSQ: 21,0",)), MessageStored("SM", 1)]


@given(st.lists(st.one_of(st.binary(max_size=300), st.sampled_from([b"\r\n", b"OK\r\n", b"> ", b"RING\r\n", b"\xff"]))))
@settings(max_examples=300)
def test_any_bytes_raise_nothing(chunks: list[bytes]) -> None:
    made, now = channel(), 0.0
    made.submit(Command("AT+CMGS=20", "sms", body="00" * 21, priority=SEND))
    made.submit(Command("AT+CLCC", "ask"))
    for chunk in chunks:
        made.outgoing(now)
        made.receive(chunk, now)
        now += 1.0
        made.tick(now)


def test_a_megabyte_without_an_end_costs_little_and_the_next_line_is_heard() -> None:
    made = channel()
    chunk = b"\xe0x" * 32768
    made.receive(chunk, 0.0)
    tracemalloc.start()
    for _ in range(16):
        assert made.receive(chunk, 0.0) == []
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
    assert made.receive(b"\r\nRING\r\n", 0.0) == [Noise(LONGEST), Rang()]


def test_splitter_keeps_half_a_line_until_its_end() -> None:
    split = Splitter()
    assert split.feed(b"\r\nRI") == []
    assert split.feed(b"NG\r\n  \r\n") == ["RING"]
    assert not split.take_prompt()


# ------------------------------------------------------------------------------------- answers

FINALS = [
    (b"OK", Answered("t")),
    (b"ERROR", Refused("t", "ERROR")),
    (b"+CME ERROR: 14", Refused("t", "CME", 14)),
    (b"+CMS ERROR: 500", Refused("t", "CMS", 500)),
    (b"+EXT ERROR: 7", Refused("t", "EXT", 7)),
    (b"+CME ERROR: SIM busy", Refused("t", "CME", -1)),
    (b"MODEM ERROR: 3", Refused("t", "ERROR", 3)),
    (b"COMMAND NOT SUPPORT", Refused("t", "ERROR")),
    (b"TOO MANY PARAMETERS", Refused("t", "ERROR")),
    (b"NA", Refused("t", "ERROR")),
]


@pytest.mark.parametrize(("line", "event"), FINALS)
def test_every_final_ends_the_command(line: bytes, event: object) -> None:
    made = asked(Command("AT+CNMI=2,1", "t"))
    assert made.receive(b"\r\n" + line + b"\r\n", 0.0) == [event]
    assert made.idle and not made.waiting("t")


def test_no_carrier_is_a_final_only_while_dialling() -> None:
    made = asked(Command("ATD+919812345678;", "t"))
    assert made.receive(b"\r\nNO CARRIER\r\n", 0.0) == [Refused("t", "NO CARRIER")]
    made = asked(Command("AT+CSQ", "t"))
    assert made.receive(b"\r\nNO CARRIER\r\n", 0.0) == [CallEnded("NO CARRIER")]
    assert made.working("t")


def test_plain_answers_have_no_prefix_and_urcs_stay_out_of_them() -> None:
    made = asked(Command("AT+CGMM", "t", plain=True))
    assert made.receive(b"AT+CGMM\r\r\nE1752\r\n\r\nRING\r\n\r\nOK\r\n", 0.0) == [Rang(), Answered("t", ("E1752",))]


@given(st.text(max_size=80))
def test_fields_of_anything(text: str) -> None:
    assert all(isinstance(value, str) for value in urc.fields("+X: " + text))


def test_lines_of_another_name_are_not_mine() -> None:
    made = asked(Command("AT+CSQ", "t"))
    assert made.receive(b"\r\n^RSSI:18\r\n\r\n+CSQ: 9,9\r\n\r\nOK\r\n", 0.0) == [
        Noise(8),
        Answered("t", ("+CSQ: 9,9",)),
    ]


def test_an_endless_answer_keeps_only_its_end() -> None:
    made = asked(Command("AT+CMGL=4", "t"))
    made.receive(b"".join(b"+CMGL: %d,1,,20\r\n" % n for n in range(2000)), 0.0)
    [answer] = made.receive(b"OK\r\n", 0.0)
    assert isinstance(answer, Answered) and len(answer.lines) == 512 and answer.lines[-1] == "+CMGL: 1999,1,,20"


def test_clip_query_and_clip_urc_share_a_name() -> None:
    made = asked(Command("AT+CLIP?", "t"))
    events = made.receive(b'\r\n+CLIP: "+919812345678",145,,,,0\r\n\r\n+CLIP: 1,1\r\n\r\nOK\r\n', 0.0)
    assert events == [CLIP, Answered("t", ("+CLIP: 1,1",))]


# ----------------------------------------------------------------------------------------- SMS

PDU = "0031000C911989214365870008A70E09270928094D092F0935093E0926"


def sending(prompt: bytes = b"\r\n> ") -> Channel:
    made = asked(Command("AT+CMGS=28", "sms", timeout=60, body=PDU, priority=SEND))
    assert made.receive(prompt, 0.1) == []
    return made


@pytest.mark.parametrize("prompt", [b"\r\n> ", b"\r\n>", b"AT+CMGS=28\r\r\n> ", b"\r\n> \r\n\r\n"])
def test_the_pdu_goes_behind_the_prompt(prompt: bytes) -> None:
    made = sending(prompt)
    assert made.outgoing(0.1) == PDU.encode() + SUB
    data = PDU.encode() + b"\r\n\r\n+CMGS: 190\r\n\r\nRING\r\n\r\nOK\r\n"
    assert made.receive(data, 5.0) == [Rang(), Answered("sms", ("+CMGS: 190",))]


def test_ok_without_a_reference_says_nothing_about_a_text_that_has_left() -> None:
    made = sending()
    assert made.receive(b"\r\nOK\r\n", 1.0) == [Expired("sms", (), written=True)]


def test_a_letter_can_be_taken_back_while_its_prompt_is_awaited() -> None:
    made = asked(Command("AT+CMGS=28", "sms", body=PDU, priority=SEND))
    assert made.withdraw("sms")
    made.receive(b"\r\n> ", 0.1)
    assert made.outgoing(0.1) == ESC
    assert made.receive(b"\r\nOK\r\n", 0.2) == [Refused("sms", "CANCELLED")]
    assert sending().withdraw("sms") is False  # the text has left
    silent = asked(Command("AT+CMGS=28", "sms", body=PDU, priority=SEND))
    silent.withdraw("sms")
    silent.receive(b"> ", 0.1)
    assert silent.deadline() == pytest.approx(1.1)  # a modem that says nothing to ESC does not hold the line
    assert silent.tick(1.2) == [Expired("sms", (), written=False)]


def test_a_queued_command_can_be_taken_back() -> None:
    made = asked(Command("AT+CSQ", "one"))
    made.submit(Command("AT+CLCC", "two"))
    assert made.waiting("two") and made.withdraw("two") and not made.waiting("two")
    assert not made.withdraw("two")


def test_a_prompt_that_nobody_asked_for_is_left() -> None:
    made = asked(Command("AT+CNMA", "t"))
    made.receive(b"\r\n> ", 0.1)
    assert made.outgoing(0.1) == ESC


def test_direct_pdus_stand_on_the_next_line_whatever_comes_between() -> None:
    made = channel()
    data = b"\r\n+CMT: ,30\r\n\r\n\r\nRING\r\n07918497483252F0440B918496445078\r\n"
    data += b"+CDS:25\r\n07914875215652F006360B914892\r\n"
    events = made.receive(data, 0.0)
    assert events == [
        Rang(), PduArrived("07918497483252F0440B918496445078"), PduArrived("07914875215652F006360B914892", report=True)
    ]  # fmt: skip


def test_stored_pdus_stand_below_their_header() -> None:
    made = asked(Command("AT+CMGR=1", "t"))
    pdu = "07918497483252F0440B918496445078"
    assert made.receive(f"\r\n+CMGR: 1,,29\r\n{pdu}\r\n\r\nOK\r\n".encode(), 0.0) == [
        Answered("t", ("+CMGR: 1,,29", pdu))
    ]


# ------------------------------------------------------------------------------ order and time


def test_the_most_urgent_goes_next_and_only_one_at_a_time() -> None:
    made = asked(Command("AT+CSQ", "one"))
    for text, tag, priority in (
        ("AT+A", "a", SEND),
        ("AT+B", "b", POLL),
        ("AT+CHUP", "hang", URGENT),
        ("AT+C", "c", POLL),
    ):
        made.submit(Command(text, tag, priority=priority))
    assert made.outgoing(0.0) == b""
    order = []
    for now in (1.0, 2.0, 3.0, 4.0):
        made.receive(b"OK\r\n", now)
        order.append(made.outgoing(now + 0.5))
    assert order == [b"AT+CHUP\r", b"AT+B\r", b"AT+C\r", b"AT+A\r"]


def test_what_is_in_no_hurry_rests_after_an_answer() -> None:
    made = asked(Command("AT+CSQ", "one"))
    made.receive(b"OK\r\n", 1.0)
    made.submit(Command("AT+CMGF=0", "two"))
    assert made.outgoing(1.0) == b"" and made.deadline() == pytest.approx(1.0 + at.GAP)
    assert made.outgoing(1.0 + at.GAP) == b"AT+CMGF=0\r"
    assert channel().deadline() is None


def test_a_late_ok_never_answers_the_next_command() -> None:
    made = asked(Command("AT+COPS?", "slow", timeout=5))
    assert made.deadline() == 5.0
    assert made.tick(4.9) == []
    assert made.tick(5.0) == [Expired("slow", (), written=True)]
    assert made.outgoing(5.0) == b"\x1b\rAT+CMGF?\r"
    made.submit(Command("AT+CHUP", "hang", priority=URGENT))
    late = b'\r\n+COPS: 0,0,"Vi"\r\n\r\nOK\r\n\r\nRING\r\n'
    assert made.receive(late, 5.5) == [Rang()]
    assert made.outgoing(5.5) == b""  # still in doubt
    assert made.receive(b"\r\n+CMGF: 0\r\n\r\nOK\r\n", 5.6) == []
    assert made.outgoing(5.7) == b"AT+CHUP\r"
    assert made.receive(b"\r\nOK\r\n", 5.8) == [Answered("hang")]


def test_each_try_to_resynchronise_asks_something_else_and_then_the_port_is_given_up() -> None:
    made = asked(Command("AT+CHUP", "hang", timeout=1))
    made.tick(1.0)
    asked_for = [made.outgoing(1.0)]
    for now in (3.0, 5.0, 7.0):
        assert made.tick(now) == []
        asked_for.append(made.outgoing(now))
    assert len(set(asked_for)) == 4
    made.receive(b"\r\n+CMGF: 0\r\n\r\nOK\r\n", 7.5)  # the answer to the first try proves nothing about the last
    assert not made.idle
    assert made.tick(9.0) == [Deaf()]
    assert made.idle


def test_a_stuck_prompt_is_left_by_escape_and_the_unsent_body_is_told() -> None:
    made = asked(Command("AT+CMGS=28", "sms", body=PDU, prompt_timeout=10))
    assert made.tick(10.0) == [Expired("sms", (), written=False)]
    assert made.outgoing(10.0).startswith(ESC)


def test_what_came_before_the_silence_is_not_lost() -> None:
    made = sending()
    made.receive(b"\r\n+CMGS: 7\r\n", 3.0)
    assert made.tick(61.0) == [Expired("sms", ("+CMGS: 7",), written=True)]


def test_a_caller_does_not_wait_for_ever_behind_an_sms_that_hangs() -> None:
    made = sending()
    made.submit(Command("AT+CHUP", "hang", priority=URGENT))
    assert made.deadline() == pytest.approx(0.1 + at.PATIENCE)
    assert made.tick(0.2 + at.PATIENCE) == [Expired("sms", (), written=True)]


# ---------------------------------------------------------------------------------- files, raw in the stream

SOUND = bytes(range(256)) * 3 + b"\r\nRING\r\nOK\r\n"  # every byte, and words that would be read as the modem's


def test_a_file_is_written_raw_behind_the_prompt() -> None:
    made = asked(Command(f'AT+CFTRANRX="C:/a.wav",{len(SOUND)}', "up", raw=SOUND))
    assert made.receive(b"\r\n>", 0.1) == []
    assert made.outgoing(0.1) == SOUND
    assert made.receive(b"\r\nOK\r\n", 0.2) == [Answered("up")]


def test_a_file_is_written_raw_behind_connect() -> None:
    made = asked(Command(f'AT+QFUPL="a.wav",{len(SOUND)},30', "up", raw=SOUND), "quectel-lte")
    assert made.receive(b"\r\nCONNECT\r\n", 0.1) == []
    assert made.outgoing(0.1) == SOUND
    answer = made.receive(b"\r\n+QFUPL: 780,3f3f\r\n\r\nOK\r\n", 0.2)
    assert answer == [Answered("up", ("+QFUPL: 780,3f3f",))]


def test_an_upload_that_is_withdrawn_before_its_prompt_never_leaves() -> None:
    made = asked(Command('AT+CFTRANRX="C:/a.wav",780', "up", raw=SOUND))
    assert made.withdraw("up")
    made.receive(b"\r\n>", 0.1)
    assert made.outgoing(0.1) == ESC
    assert made.receive(b"\r\nOK\r\n", 0.2) == [Refused("up", "CANCELLED")]


def test_connect_is_no_prompt_for_anything_else() -> None:
    made = asked(Command("AT+CSQ", "q"))
    assert made.receive(b"\r\nCONNECT\r\n", 0.1) == [Noise(7)]


def blocks(sound: bytes, size: int) -> bytes:
    """What SIMCom modules write when a file is fetched."""
    out = b""
    for start in range(0, len(sound), size):
        block = sound[start : start + size]
        out += f"\r\n+CFTRANTX: DATA,{len(block)}\r\n".encode() + block
    return out + b"\r\n+CFTRANTX: 0\r\n\r\nOK\r\n"


@given(st.binary(max_size=600), st.integers(1, 300), st.lists(st.integers(1, 40), max_size=60))
@settings(max_examples=60)
def test_a_fetched_file_is_taken_out_of_the_stream_however_it_is_cut(sound: bytes, size: int, cuts: list[int]) -> None:
    made = asked(Command('AT+CFTRANTX="C:/r.wav"', "get", fetch=0))
    stream, events = blocks(sound, size), []
    for cut in [*cuts, len(stream)]:
        events += made.receive(stream[:cut], 0.1)
        stream = stream[cut:]
    assert events == [Answered("get", ("+CFTRANTX: 0",), sound)]
    assert made.receive(b"\r\nRING\r\n", 0.2) == [Rang()]


def test_a_fetch_of_a_known_size_reads_what_connect_announces() -> None:
    made = asked(Command('AT+QFDWL="r.wav"', "get", fetch=len(SOUND)), "quectel-lte")
    events = made.receive(b"\r\nRING\r\n\r\nCONNECT\r", 0.1)
    events += made.receive(b"\n" + SOUND + b"\r\n+QFDWL: 780,3f3f\r\n\r\nOK\r\n", 0.1)
    assert events == [Rang(), Answered("get", ("+QFDWL: 780,3f3f",), SOUND)]


def test_a_fetch_that_stops_in_the_middle_times_out_and_costs_no_ring() -> None:
    made = asked(Command('AT+CFTRANTX="C:/r.wav"', "get", timeout=5, fetch=0))
    made.receive(b"\r\n+CFTRANTX: DATA,500\r\nhalf of it", 0.1)
    [gone] = made.tick(5.1)
    assert isinstance(gone, Expired) and gone.tag == "get"
    assert made.receive(b"\r\nRING\r\n", 5.2) == [Rang()]


def test_a_fetch_is_refused_like_any_command_and_never_grows_beyond_its_limit() -> None:
    made = asked(Command('AT+CFTRANTX="C:/r.wav"', "get", fetch=0))
    assert made.receive(b"\r\nERROR\r\n", 0.1) == [Refused("get", "ERROR")]
    made = asked(Command('AT+CFTRANTX="C:/r.wav"', "get", fetch=0))
    made.receive(b"\r\n+CFTRANTX: DATA,9999999\r\n", 0.1)
    assert made._raw_due == at.MOST_RAW


def test_a_talking_modems_marks() -> None:
    def of(name: str, line: str) -> object:
        return urc.read(line, PROFILES[name])

    assert of("sim7600", "VOICE CALL: BEGIN") == CallConnected("VOICE CALL")
    assert of("huawei-voice", "^CONN:1,0") == CallConnected("^CONN")
    assert of("huawei-voice", "^CEND:1,5,29,17") == CallEnded("^CEND", cause=17)
    assert of("huawei-voice", "^CEND:1,5,29") == CallEnded("^CEND")
    assert of("sim7600", "+WAVSTATE: wav play stop") == FileMark("played")
    assert of("a76xx", "+AUDIOSTATE: audio play error") == FileMark("failed")
    assert of("a76xx", "+CREC: file full") == FileMark("recorded")
    assert of("quectel-lte", "+QPSND: 0") == FileMark("played")
    assert of("quectel-lte", "nothing of the kind") is None and of("sim7600", "nor here") is None
    assert of("sim800", "VOICE CALL: BEGIN") is None and of("huawei-voice", "nor here") is None
