"""Coverage-guided fuzzing of the PDU codec: python tests/fuzz/fuzz_sms.py -runs=N tests/fuzz/corpus/sms

The first octet chooses: even, the rest is a PDU; odd, the rest is a text (UTF-8, broken or not) that is read as the
hex of a PDU and written as an SMS. Nothing but PduError may come out, what is read must be storable and come out the
same in lower case and with padding, and what is written must fit into the air.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
with atheris.instrument_imports(include=["edge"]):
    from edge import sms


def read(pdu_hex: str) -> sms.Deliver | sms.Report | None:
    """What a PDU says, if it says anything."""
    try:
        return sms.decode(pdu_hex)
    except sms.PduError:
        return None


def reading(octets: bytes) -> None:
    pdu_hex = octets.hex()
    found = read(pdu_hex)
    if found is None:
        return
    assert read(pdu_hex.upper() + "FFFF") == found
    assert sms.fingerprint(pdu_hex) == sms.fingerprint(pdu_hex.upper() + "FFFF")
    if isinstance(found, sms.Deliver):
        (found.text + found.sender + sms.join([found])).encode()
        assert len(found.text) <= 255


def writing(text: str) -> None:
    read(text)
    sms.fingerprint(text)
    size = sms.count(text)
    try:
        submits = sms.encode(text, "+919876543210", reference=len(text))
    except sms.PduError:
        assert size.parts > 255
        return
    assert len(submits) == size.parts
    assert all(submit.octets <= 154 and len(submit.pdu_hex) == 2 * submit.octets + 2 for submit in submits)


def one_input(data: bytes) -> None:
    if data[:1] and data[0] % 2:
        writing(data[1:].decode(errors="surrogateescape"))
    else:
        reading(data[1:])


if __name__ == "__main__":
    longest = [] if any(word.startswith("-max_len") for word in sys.argv) else ["-max_len=400"]  # two full SMS
    atheris.Setup(sys.argv + longest, one_input)
    atheris.Fuzz()
