"""A modem in software, the far side of the wire.

modem.py          the core: bytes and time in, bytes out; power, SIM, network
channel.py        its AT channel: one command at a time, the prompt
family.py         the seven kinds of modem, as data
calls.py          the line: who rings, who is busy, how calls end
sound.py          what the far end says and hears, the audio port;  tones.py its keys
drive.py          files in the module, played and recorded by it;  player.py how
messages.py       SMS: the store, the message centre, URCs;  pdu.py its own codec
commands.py       AT commands: cutting, settings, identity; call_, sms_ and file_commands.py
faults.py         what can go wrong, as data;  wire.py what is written, and its faults
farm.py           many modems on pseudo-terminals, on one thread;  ports.py one of them
console.py        `miscall modem sim`
"""

from __future__ import annotations

from tools.simmodem.calls import Call, Callee, Hangup
from tools.simmodem.console import run
from tools.simmodem.family import FAMILIES
from tools.simmodem.farm import Farm, PtyModem
from tools.simmodem.faults import FAULTS
from tools.simmodem.messages import Sent
from tools.simmodem.modem import SimModem
from tools.simmodem.player import sound_of, wav
from tools.simmodem.tones import silence, tone

__all__ = [
    "FAMILIES", "FAULTS", "Call", "Callee", "Farm", "Hangup", "PtyModem", "Sent", "SimModem", "run", "silence",
    "sound_of", "tone", "wav",
]  # fmt: skip
