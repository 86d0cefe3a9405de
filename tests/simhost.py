"""The program at the other end of a simulated modem, under made-up time: what the tests of the simulator share."""

from __future__ import annotations

import re

import pytest

from tools.simmodem import FAMILIES, Call, SimModem

VOTER, OTHER = "+919812345678", "+919800011122"
PDU = "0031000C911989214365870008A70E09270928094D092F0935093E0926"
PDU_OCTETS, TEXT = 28, "धन्यवाद"  # to VOTER, a report is wanted


class Host:
    """The program at the other end, with a clock of its own making."""

    def __init__(self, profile: str = "generic", setup: str = "ATE0;+CLIP=1;+CVHU=0", **options: object) -> None:
        self.modem = SimModem(profile, seed=3, **options)
        self.now = 0.0
        if setup:
            assert self.ask(setup).endswith("\r\nOK\r\n")

    def ask(self, command: str) -> str:
        """Write the command and a CR; what the modem says at once."""
        return self.write(command.encode() + b"\r")

    def write(self, data: bytes) -> str:
        return self.modem.receive(data, self.now).decode("latin-1")

    def wait(self, seconds: float) -> str:
        """What the modem says in that time, each deadline kept."""
        end, said = self.now + seconds, b""
        while (due := self.modem.deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            said += self.modem.tick(self.now)
        self.now = end
        return (said + self.modem.tick(end)).decode("latin-1")

    def dial(self, caller: str = VOTER, patience_s: float = 20.0, **more: bool | float) -> Call:
        return self.modem.dial(caller, self.now, patience_s, **more)

    def send(self, hexed: str = PDU, octets: int = PDU_OCTETS) -> str:
        said = self.ask(f"AT+CMGS={octets}") + self.wait(0.1)
        assert said.endswith("> ")
        return self.write(hexed.encode() + b"\x1a")


def lines(said: str) -> list[str]:
    return [line for line in re.split(r"[\r\n]+", said) if line]


every_family = pytest.mark.parametrize("profile", list(FAMILIES))
