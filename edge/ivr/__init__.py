"""The conversation on the line: what the caller did comes in, what the box is to do goes out.

    conversation.py  the machine: its states, and the table that joins them (docs/ivr.svg draws it)
    asking.py taking.py ending.py    its handlers: questions; recordings; how a call begins and ends
    walk.py          what it remembers, and how it moves through a menu
    prompts.py       which clips a re-prompt or a reference is made of
    turn.py          the orders that answer one event, put in their right order

It decides and does nothing: no sound, no clock, no disk. `edge.dialogue` has every word of both sides.
"""

from __future__ import annotations

from edge.ivr.conversation import ALIVE, STATES, TABLE, WAYS, Conversation
from edge.ivr.walk import About

__all__ = ["ALIVE", "STATES", "TABLE", "WAYS", "About", "Conversation"]
