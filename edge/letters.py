"""Letters out and in: the two scripts that carry SMS over the AT channel.

Out: the claim (`sending`) is on disk before the first byte goes. No answer after the PDU has left means
`unknown`, and such a letter is never sent again by itself. A refusal is judged by `sms.verdict` and capped.
In: read, commit, then delete, so that a power cut costs at most a second reading, which the fingerprint of
the PDU recognises. STOP takes effect in the transaction that keeps it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from edge import campaign as campaigns
from edge import numbers, sms, urc
from edge.at import SEND, Command
from edge.campaign import Campaign
from edge.events import Answered, Expired, Refused, Stamp
from edge.ledger import Ledger, Letter
from edge.profile import Profile
from edge.rules import retry_after
from edge.script import Answer, ModemLost, Script

MOST_TRIES = 8
REPORTS_KEPT_MS = 72 * 3600 * 1000  # operators try for up to three days
STALE_PART_MS = 24 * 3600 * 1000


@dataclass
class Desk:
    """What both scripts work with. `stamp` gives the moment of the input that is being handled."""

    ledger: Ledger
    campaign: Campaign
    country: str
    stamp: Callable[[], Stamp]
    again: dict[int, float] = field(default_factory=dict)  # letter -> when it may be tried again, seconds
    tries: dict[int, int] = field(default_factory=dict)
    remedy: str = ""  # what must be done before anything can be sent


# ------------------------------------------------------------------------------------------- out


def send(desk: Desk, letter: Letter, profile: Profile) -> Script:
    """Send the parts of `letter` that the network has not taken yet; it is already `sending` on disk."""
    try:
        submits = sms.encode(letter.text, letter.caller.number, reference=letter.seq & 0xFF)
    except sms.PduError as error:
        desk.ledger.set_state(desk.stamp(), letter.seq, "failed", str(error))
        return
    refs = list(letter.refs)
    try:
        for submit in submits[len(refs) :]:
            command = Command(
                f"AT+CMGS={submit.octets}", "", timeout=profile.send_timeout, priority=SEND,
                body=submit.pdu_hex, prompt_timeout=profile.prompt_timeout,
            )  # fmt: skip
            answer = yield command
            reference = _reference(answer)
            if reference is None:
                _not_taken(desk, letter, answer, tuple(refs))
                return
            refs.append(reference)
    except ModemLost:
        desk.ledger.set_state(desk.stamp(), letter.seq, "unknown", "the modem was lost while sending", tuple(refs))
        raise
    desk.tries.pop(letter.seq, None)
    desk.ledger.set_state(desk.stamp(), letter.seq, "sent", refs=tuple(refs))


def _reference(answer: Answer | None) -> int | None:
    """The message reference of `+CMGS: <mr>`: it says that the network has the part, whatever follows."""
    lines = answer.lines if isinstance(answer, Answered | Expired) else ()
    for line in lines:
        values = urc.fields(line)
        if line.startswith("+CMGS") and values and values[0].isdigit():
            return int(values[0]) & 0xFF
    return None


def _not_taken(desk: Desk, letter: Letter, answer: Answer | None, refs: tuple[int, ...]) -> None:
    """The network did not take a part: unknown, given up, or later. `refs`: the parts taken before."""
    state, why = "queued", ""
    tries = desk.tries.pop(letter.seq, 0)
    judged = sms.Verdict("retry", "the modem gave no prompt")
    if isinstance(answer, Refused):
        judged = sms.verdict(answer.family, answer.code)
    if isinstance(answer, Answered) or (isinstance(answer, Expired) and answer.written):
        state, why = "unknown", "the modem did not say what became of the text"
    elif isinstance(answer, Refused) and answer.family == "CANCELLED":
        desk.tries[letter.seq] = tries
        why = "a caller rang"  # before the text left
    elif judged.action == "never":
        state, why = "failed", judged.words
    elif tries + 1 >= MOST_TRIES:
        state, why = "failed", f"given up after {MOST_TRIES} tries: {judged.words}"
    else:
        why = judged.words
        desk.tries[letter.seq] = tries + 1
        desk.again[letter.seq] = desk.stamp().mono_ms / 1000 + retry_after(tries + 1)
        desk.remedy = judged.remedy or desk.remedy
    desk.ledger.set_state(desk.stamp(), letter.seq, state, why, refs)


# -------------------------------------------------------------------------------------------- in


def sweep(desk: Desk) -> Script:
    """Read all that lies in the store (URCs get lost), then show long messages that never became whole."""
    answer = yield Command("AT+CMGL=4", "", timeout=15.0)
    if isinstance(answer, Answered):
        lines = answer.lines
        for header, pdu in itertools.pairwise(lines):
            values = urc.fields(header)
            if header.startswith("+CMGL:") and values and values[0].isdigit() and not pdu.startswith("+"):
                yield from _take(desk, pdu, int(values[0]))
    before = desk.stamp().at_ms - STALE_PART_MS
    for key in desk.ledger.stale_parts(before):
        torn = _held(desk, key)
        _keep(desk, torn[0], sms.join(torn), b"torn" + bytes([key[1] & 0xFF, key[2]]), key)


def read(desk: Desk, index: int, storage: str = "", home: str = "SM") -> Script:
    """Read the message at `index`; of another store than the `home` one, change there and back."""
    away = storage and storage not in (home, "MT")
    if away:
        yield Command(f'AT+CPMS="{storage}"', "", timeout=10.0)
    answer = yield Command(f"AT+CMGR={index}", "", timeout=10.0)
    if isinstance(answer, Answered) and answer.lines and not answer.lines[-1].startswith("+"):
        yield from _take(desk, answer.lines[-1], index)
    if away:
        yield Command(f'AT+CPMS="{home}","{home}","{home}"', "", timeout=10.0)


def _take(desk: Desk, pdu: str, index: int) -> Generator[Command, Answer | None, None]:
    arrived(desk, pdu)
    yield Command(f"AT+CMGD={index}", "", timeout=10.0)  # a failed delete is harmless: the PDU is known now


def arrived(desk: Desk, pdu: str) -> None:
    """Commit one PDU that the modem gave us: a message, a part of one, or a delivery report."""
    try:
        message = sms.decode(pdu)
        fingerprint = sms.fingerprint(pdu)
    except sms.PduError:
        desk.ledger.keep_unreadable(desk.stamp(), pdu)
        return
    if isinstance(message, sms.Report):
        _report(desk, message)
    elif not desk.ledger.is_seen(fingerprint):
        _message(desk, message, fingerprint)


def _message(desk: Desk, message: sms.Deliver, fingerprint: bytes) -> None:
    part = message.part
    if part is None or part.total < 2:
        _keep(desk, message, message.text, fingerprint, None)
        return
    key = (message.sender, part.reference, part.total)
    whole = [one for one in _held(desk, key) if one.part and one.part.index != part.index] + [message]
    if len(whole) < part.total:
        desk.ledger.keep_part(desk.stamp(), *key, part.index, message.text, message.units, fingerprint)
    else:
        _keep(desk, message, sms.join(whole), fingerprint, key)


def _held(desk: Desk, key: tuple[str, int, int]) -> list[sms.Deliver]:
    """The parts on disk of the long message `key` (sender, reference, total)."""
    sender, reference, total = key
    return [
        sms.Deliver(sender, "unknown", text, part=sms.Part(reference, total, place), units=units)
        for place, text, units in desk.ledger.parts(*key)
    ]


def _keep(
    desk: Desk, message: sms.Deliver, text: str, fingerprint: bytes, joined: tuple[str, int, int] | None
) -> None:
    """Commit the whole `text` that came with `message`, and obey it when it is a STOP or a language."""
    caller = numbers.identify(message.sender, message.sender_type, None, desk.country)
    languages = desk.campaign.languages
    word = text.strip().casefold()
    desk.ledger.keep_received(
        desk.stamp(), caller, desk.campaign.id, text, fingerprint,
        language=next((one for one in languages if one.casefold() == word), ""),
        opt_out=campaigns.stops(text, languages),
        joined=joined,
    )  # fmt: skip


def _report(desk: Desk, report: sms.Report) -> None:
    """Match a report by its reference, the time and the last digits: the number may come in national form."""
    if report.outcome == "pending":
        return
    since = desk.stamp().at_ms - REPORTS_KEPT_MS
    for letter in desk.ledger.reported(report.reference, since):
        if report.reference in letter.reported or not sms.same_number(letter.caller.number, report.recipient):
            continue
        reported = (*letter.reported, report.reference)
        if report.outcome == "failed":
            desk.ledger.set_state(desk.stamp(), letter.seq, "failed", report.words)
        elif len(reported) < letter.parts:
            desk.ledger.keep_report(letter.seq, reported)
        else:
            desk.ledger.set_state(desk.stamp(), letter.seq, "delivered")
        return
