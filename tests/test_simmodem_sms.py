"""SMS on the far side: sent, refused, reported, received, stored; and the PDU codec it is done with."""

from __future__ import annotations

import pytest

from tests.simhost import PDU, TEXT, VOTER, Host, every_family, lines
from tools.simmodem import pdu


@every_family
def test_an_sms_goes_out_and_its_report_comes_back(profile: str) -> None:
    host = Host(profile, send_s=(2, 2), report_s=(3, 3))
    store = host.modem.family.store
    assert lines(host.ask("AT+CMGF=0;+CNMI=1,1,0,2,0"))[-1] == "OK"
    assert host.send() == ""
    assert host.wait(1.9) == ""
    assert lines(host.wait(0.2)) == ["+CMGS: 1", "OK"]
    (sent,) = host.modem.sent
    assert (sent.number, sent.text, sent.pdu, sent.outcome) == (VOTER, TEXT, PDU, "accepted")
    assert lines(host.wait(4)) == [f'+CDSI: "{store}",1']
    head, body, _ = lines(host.ask("AT+CMGR=1"))
    assert head == f"+CMGR: 0,,{len(body) // 2 - 8}" and body[16:20] == "0601", "a report of message 1"


def test_while_an_sms_goes_out_commands_wait_and_callers_ring() -> None:
    host = Host(send_s=(4, 4))
    host.send()
    call = host.dial(patience_s=1.5)
    said = lines(host.ask("AT+CHUP") + host.wait(3))
    assert said[0] == "RING" and said[1].startswith("+CLIP") and call.fate == "gave-up"
    assert lines(host.wait(2)) == ["+CMGS: 1", "OK", "OK"]


def test_a_prompt_is_left_with_esc() -> None:
    host = Host()
    host.ask("AT+CMGS=28")
    host.wait(0.1)
    host.write(b"0031")
    assert lines(host.write(b"\x1b")) == ["OK"] and host.modem.sent == []
    assert lines(host.ask("AT")) == ["OK"]


@pytest.mark.parametrize("hexed", ["", "zz", "00", PDU[:-2], PDU + "00", "0004" + PDU[4:], "00310014" + "9" * 4])
def test_a_bad_pdu_is_refused(hexed: str) -> None:
    host = Host()
    assert lines(host.send(hexed)) == ["+CMS ERROR: 304"] and host.modem.sent == []


def test_refusals_of_the_network() -> None:
    host = Host(send_s=(1, 1))
    host.modem.fault("cms-error", host.now, 42, times=2)
    for outcome in ("+CMS ERROR: 42", "+CMS ERROR: 42", "OK"):
        host.send()
        assert lines(host.wait(2))[-1] == outcome
    host.modem.mailbox.refuses[VOTER] = 69
    host.send()
    assert lines(host.wait(2)) == ["+CMS ERROR: 69"]
    assert [(sent.outcome, sent.code) for sent in host.modem.sent[1:]] == [
        ("refused", 42),
        ("accepted", -1),
        ("refused", 69),
    ]


def test_arriving_sms_is_stored_read_and_deleted() -> None:
    host = Host()
    host.ask("AT+CNMI=2,1,0,2,0")
    host.modem.sms_in(VOTER, "STOP", host.now)
    assert lines(host.wait(0.1)) == ['+CMTI: "SM",1']
    assert lines(host.ask("AT+CPMS?"))[0] == '+CPMS: "SM",1,30,"SM",1,30,"SM",1,30'
    head, body, _ = lines(host.ask("AT+CMGL=4"))
    assert head == f"+CMGL: 1,0,,{len(body) // 2 - 8}" and pdu.read_deliver_text(body) == (VOTER, "STOP")
    assert lines(host.ask("AT+CMGR=1"))[0].startswith("+CMGR: 1,"), "read by the listing"
    assert lines(host.ask("AT+CMGL=0")) == ["OK"], "no unread one is left"
    host.ask("AT+CMGD=1")
    assert lines(host.ask("AT+CMGR=1")) == ["+CMS ERROR: 321"]
    host.ask("AT+CNMI=2,2,0,0,0")
    host.modem.sms_in(VOTER, "YES", host.now)
    head, body = lines(host.wait(0.1))
    assert head == f"+CMT: ,{len(body) // 2 - 8}" and host.modem.mailbox.stores["SM"] == {}


def test_a_full_store_keeps_messages_at_the_operator() -> None:
    host = Host("huawei-voice", capacity=2)
    host.ask("AT+CNMI=2,1,0,2,0")
    for text in ("one", "two", "three"):
        host.modem.sms_in(VOTER, text, host.now)
    assert lines(host.wait(0.1)) == ['+CMTI: "SM",1', '+CMTI: "SM",2', '^SMMEMFULL:"SM"']
    assert lines(host.ask("AT+CMGD=2") + host.wait(0.1)) == ["OK", '+CMTI: "SM",2']
    assert pdu.read_deliver_text(host.modem.mailbox.stores["SM"][2].pdu)[1] == "three"


def test_a_missed_acknowledgement_switches_routing_off() -> None:
    host = Host()
    host.ask("AT+CSMS=1;+CNMI=2,2,0,1,0")
    host.modem.sms_in(VOTER, "one", host.now)
    host.wait(1)
    assert lines(host.ask("AT+CNMA")) == ["OK"] and lines(host.ask("AT+CNMA")) == ["+CMS ERROR: 340"]
    host.modem.sms_in(VOTER, "two", host.now)
    host.wait(20)
    host.modem.sms_in(VOTER, "three", host.now)
    assert host.wait(1) == ""


def test_sim7600_takes_direct_reports_only_with_mode_1() -> None:
    host = Host("sim7600")
    assert lines(host.ask("AT+CNMI=2,1,0,1,0")) == ["ERROR"]
    assert lines(host.ask("AT+CNMI=1,1,0,1,0")) == ["OK"]
    host.send()
    assert "+CDS: " in host.wait(20)


def test_text_mode_for_old_clients() -> None:
    host = Host(send_s=(1, 1))
    host.ask("AT+CMGF=1")
    host.modem.sms_in(VOTER, "hello", host.now)
    assert lines(host.ask('AT+CMGL="ALL"'))[1] == "hello"
    host.ask(f'AT+CMGS="{VOTER}"')
    host.wait(0.1)
    host.write(b"hi\x1a")
    assert lines(host.wait(2)) == ["+CMGS: 1", "OK"] and host.modem.sent[0].text == "hi"


@pytest.mark.parametrize(
    "text", ["", "a", "€[x]" * 39, "क" * 70, "क" * 71, "😀" * 100, "x" * 160, "x" * 161, "x" * 152 + "€" * 80]
)
@pytest.mark.parametrize("sender", [VOTER, "121", "AX-BANK"])
def test_codec_reads_back_what_it_writes(text: str, sender: str) -> None:
    parts = [pdu.read_deliver_text(part) for part in pdu.deliver(sender, text, 1.8e9)]
    assert {who for who, _ in parts} == {sender}
    assert "".join(part for _, part in parts) == text


def test_codec_agrees_with_a_client_s() -> None:
    other = pytest.importorskip("gsmmodem.pdu", reason="python-gsmmodem-new is not installed")
    for text in ("Thank you {€}", "धन्यवाद! पानी के लिए आपकी आवाज़ दर्ज हुई।", "x" * 300, "क" * 150):
        read = [pdu.read_submit(str(part)) for part in other.encodeSmsSubmitPdu(VOTER, text, requestStatusReport=True)]
        assert "".join(part.text for part in read) == text
        assert {(part.number, part.report) for part in read} == {(VOTER, True)}
        told = [other.decodeSmsPdu(part) for part in pdu.deliver(VOTER, text, 1.8e9)]
        assert "".join(part["text"] for part in told) == text and told[0]["number"] == VOTER
        assert told[0]["time"].timestamp() == 1.8e9
    report = other.decodeSmsPdu(pdu.report(7, VOTER, 1.8e9, 1.8e9 + 4, 0))
    assert (report["reference"], report["number"], report["status"]) == (7, VOTER, 0)
