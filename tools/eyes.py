"""What the boxes and headquarters of a demo have on disk, read only, as any page would read it.

Nothing here knows of voters and modems: what truly happened is `district`'s, and the two are compared at the end.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

from edge import campaign, config, status, words
from edge.ledger import Reader
from sync.hq import sql
from tools import stage
from tools.view import LineSeen, OfficeSeen


class Eyes:
    """What the boxes and headquarters have on disk, read only, as any page would read it."""

    def __init__(self, offices: list[stage.Office], hq: Path) -> None:
        self._offices, self._hq = offices, hq
        self.boxes = [config.load(office.config) for office in offices]
        self._ledgers: dict[Path, Reader] = {}
        self.offices: list[OfficeSeen] = []
        self.lines: dict[tuple[str, str], dict[str, Any]] = {}
        self.captured = self.waiting = self.at_hq = self.unsent = 0
        self.sound = self.sound_at_hq = 0  # recordings that were kept
        self.under_way = 0  # recordings that are being made, and callers who are not rung back yet

    def number(self, box: str, line: str) -> str:
        """The line's own number, as on its posters."""
        return self._box(box).line(line).number

    def campaign(self, box: str, line: str) -> campaign.Campaign:
        """What the line's number stands for."""
        about = self._box(box)
        return campaign.load(about.campaign_files(about.line(line).campaign)[0])

    def ledger(self, box: str, line: str) -> Path:
        """Where the line's ledger is, or will be."""
        return self._box(box).data / "ledgers" / f"{line}.db"

    def _box(self, name: str) -> config.BoxConfig:
        return next(one for one in self.boxes if one.id == name)

    def look(self) -> None:
        """Read everything anew."""
        self.offices, self.captured, self.waiting, self.unsent, self.sound, self.under_way = [], 0, 0, 0, 0, 0
        for office, box in zip(self._offices, self.boxes, strict=True):
            seen = status.snapshot(box)
            unsent = seen["uplink"]["unsent"] or 0
            self.unsent += unsent
            lines = [self._line(office, box, line, seen["now_ms"]) for line in seen["lines"]]
            self.offices.append(OfficeSeen(office.id, office.campaign, office.page, unsent, lines))
        self._count_hq()

    def _line(self, office: stage.Office, box: config.BoxConfig, line: dict[str, Any], now_ms: int) -> LineSeen:
        name = line["name"]
        self.lines[box.id, name] = line
        calls = waiting = 0
        with contextlib.suppress(FileNotFoundError, sqlite3.Error):  # not there yet: nothing rang yet
            path = self.ledger(box.id, name)
            ledger = self._ledgers.get(path) or self._ledgers.setdefault(path, Reader(path))
            calls, counts = ledger.calls_since(0), ledger.counts()
            waiting = sum(counts.get(state, 0) for state in ("queued", "held", "sending"))
            if name in office.talking:
                self.sound += len(ledger.takes("kept"))
                self.under_way += len(ledger.takes("recording")) + sum(not wish.tries for wish in ledger.callbacks())
        self.captured += calls
        self.waiting += waiting
        said = words.line_said(line, now_ms)
        last = f"{line['last_caller']} {words.age(line['last_call_ms'], now_ms)}" if calls else ""
        talks = name in office.talking
        return LineSeen(name, office.modems[name], said.tone, said.title, calls, waiting, last, talks)

    def _count_hq(self) -> None:
        with contextlib.suppress(FileNotFoundError, sqlite3.Error), sql.sqlite(self._hq, reading=True) as db:
            self.at_hq = int(db.value("SELECT coalesce(sum(calls), 0) FROM hourly"))
            self.sound_at_hq = int(db.value("SELECT count(*) FROM recording_file WHERE done_ms IS NOT NULL"))

    def not_ready(self) -> str:
        """The lines that do not hear calls yet, and what they say."""
        waiting = [(key, line) for key, line in self.lines.items() if line.get("state") != "ready"]
        return ", ".join(f"{box} {name} ({line.get('state', 'nothing said')})" for (box, name), line in waiting)

    def all_ready(self) -> bool:
        return bool(self.lines) and not self.not_ready()

    def close(self) -> None:
        for ledger in self._ledgers.values():
            ledger.close()
