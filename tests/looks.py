"""A district with something on every page of headquarters, for the tests of how pages look, and for their pictures."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sync.hq import rollups, sql
from tests.hq import Office
from tests.test_hq_page import HOUR_MS, MINUTE_MS, NOW_MS, SOUND, Hq, district, office_of

ISSUES = {"schools": ("school-meals", "yes", "last"), "roads": ("school-meals", "no", "last")}

def furnished(folder: Path) -> Office:
    """Headquarters in `folder`: six boxes, calls of two days, voices, cases, votes; and one line that is ill."""
    hq = district(folder / "data")
    _spoken(hq)
    hq.close()
    rolled(hq.path)
    return office_of(hq.path)


def _spoken(hq: Hq) -> None:
    line = hq.lines[0]
    whole = line.speak(NOW_MS - 30 * MINUTE_MS, "+919876500001", seconds=12)
    line.speak(NOW_MS - 10 * MINUTE_MS, "+919876500003")
    line.complain(NOW_MS - 30 * HOUR_MS, "+919876500001", NOW_MS - 6 * HOUR_MS, "1000017", whole)
    line.complain(NOW_MS - HOUR_MS, "+919876500003", NOW_MS + 23 * HOUR_MS, "1000033")
    for at, value in enumerate(("yes", "no", "yes", "yes")):
        line.answer(NOW_MS - HOUR_MS + at, f"+91987650000{at}", value, "subsidy")
    hq.send(NOW_MS - 1000, silent=("satara-03",))
    line.sound(whole, SOUND)


def rolled(path: Path) -> None:
    """The store at `path` with its roll-ups."""
    with sql.adopt(sqlite3.connect(path, isolation_level=None)) as db, db.transaction():
        rollups.rebuild(db, ISSUES)
