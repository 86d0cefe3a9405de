"""One line's durable truth, and all the SQL of the box: `schema`, `reader`, `journal`, `talks`, `writer`.

Rules of the room:
- One file a line, one process that writes it, one connection that writes and checkpoints (SQLite before
  3.51.3 could corrupt a WAL file that two connections wrote; Debian 12 ships 3.40.1).
- WAL with synchronous=FULL: when a method returns, its rows survive a power cut. Nothing is written twice:
  the seq of a row is fixed before its insert, and after any I/O error the process must end, start again and
  read what is there (a failed commit may still be on disk), never insert "as new". Such errors are LedgerFailed.
- `event` is append-only and goes to headquarters; the other tables are what the rows mean now, changed in the
  same transaction.
- Numbers reach the disk through `seal`, and nowhere else.
- No checkpoint within a call: wal_autocheckpoint is 0, the line calls `checkpoint` when idle.
"""

from __future__ import annotations

from edge.ledger.reader import Reader
from edge.ledger.schema import (
    Callback,
    Case,
    DamagedLedger,
    Draft,
    LedgerFailed,
    Letter,
    failed,
    pack_extra,
    seal,
    unseal,
)
from edge.ledger.writer import Ledger

__all__ = [
    "Callback", "Case", "DamagedLedger", "Draft", "Ledger", "LedgerFailed", "Letter", "Reader", "failed", "pack_extra",
    "seal", "unseal",
]  # fmt: skip
