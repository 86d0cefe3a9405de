"""Coverage-guided fuzzing of the modem's language: python tests/fuzz/fuzz_at.py -runs=N tests/fuzz/corpus/at

The input is what a modem says, cut at NUL octets into reads; between the reads time passes and a command, by turns a
plain one, an urgent one and an SMS, is queued. Nothing may be raised, memory stays bounded, every event is one that
`events` knows, and no command gets more than one answer.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
with atheris.instrument_imports(include=["edge"]):
    from edge import at, events, profile
    from edge.call import Call

PROFILES = list(profile.load_all().values())
COMMANDS = (("AT+CLCC", at.POLL, None), ("AT+CHUP", at.URGENT, None), ("AT+CMGS=20", at.SEND, "00" * 21))
ANSWERS = events.Answered | events.Refused | events.Expired


def one_input(data: bytes) -> None:
    used = PROFILES[data[0] % len(PROFILES)] if data else PROFILES[0]
    channel, call, now = at.Channel(used), Call(used), 0.0
    answered: set[str] = set()
    for turn, chunk in enumerate(data[1:].split(b"\0")):
        text, priority, body = COMMANDS[turn % 3]
        channel.submit(at.Command(text, f"t{turn}", priority=priority, body=body))
        channel.outgoing(now)
        for event in [*channel.receive(chunk, now), *channel.tick(now)]:
            assert isinstance(event, events.Happening)
            if isinstance(event, ANSWERS):
                assert event.tag not in answered
                answered.add(event.tag)
            call.on(event, now)
        call.tick(now)
        now += 1.3
        assert len(channel._split.rest) <= at.LONGEST


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
