"""One answered or placed call, from ATA or ATD to its end.

    talk.py    its conduct: caller, conversation and ledger brought together
    leg.py     the modem's part: answer, dial, look, hang up
    sound.py   sound through the line's helper process;  files.py sound by the module's own files
"""

from __future__ import annotations

from edge.talk.files import FileSound, Store
from edge.talk.leg import LIST, calls
from edge.talk.sound import PcmSound, Sound, SoundEvent, Spoken, Taken, Troubled, taken
from edge.talk.talk import Held, Party, Stage, Talk

__all__ = [
    "LIST", "FileSound", "Held", "Party", "PcmSound", "Sound", "SoundEvent", "Spoken", "Stage", "Store", "Taken",
    "Talk", "Troubled", "calls", "taken",
]  # fmt: skip
