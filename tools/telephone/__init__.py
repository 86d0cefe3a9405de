"""A telephone in the browser: every tab is a voter with a number of her own.

exchange.py   the telephones, their calls and letters; what a line is to them
modem.py      lines that are simulated modems, with real boxes behind them
tryout.py     a line that plays one campaign by itself, before it is published
story.py      what a call was about, in words
page.py       the web page: who may ask what
templates/ static/   what the browser shows, plays and sends
"""

from __future__ import annotations

from tools.telephone.exchange import About, Exchange
from tools.telephone.modem import Line
from tools.telephone.page import Served

__all__ = ["About", "Exchange", "Line", "Served"]
