"""Text to PDUs and back (3GPP TS 23.040), delivery reports, and what a refused send means.

A reply goes in the default 7-bit alphabet when all of its characters are in it, else in UCS-2. What
comes in was written by networks and phones of every age, so `decode` takes what the standard allows
and what has been seen, and raises PduError for the rest, whatever the string, and nothing else.

`submit` writes, `inbound` reads, `refusal` judges. Nothing here knows a port or the time.
"""

from __future__ import annotations

from edge.sms.inbound import Deliver, Part, Report, complete, decode, fingerprint, join, same_number
from edge.sms.refusal import Verdict, verdict
from edge.sms.submit import PduError, Size, Submit, clusters, count, encode

__all__ = [
    "Deliver", "Part", "PduError", "Report", "Size", "Submit", "Verdict",
    "clusters", "complete", "count", "decode", "encode", "fingerprint", "join", "same_number", "verdict",
]  # fmt: skip
