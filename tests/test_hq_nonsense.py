"""Boxes may say anything that can be read: rows of any kind in any state, with anything in them.  It is kept, the desk
takes it in, every page answers, and made anew from the events the roll-ups are the same.
MISCALL_PROOF=10 says ten times as much."""

from __future__ import annotations

import os
import random
import sqlite3
from typing import Any

import pytest

from sync.hq import facts, rollups
from sync.hq.pages.routes import ROUTES
from sync.hq.views import asked
from tests import rolling
from tests.desk import CALLER, DAY_MS, OTHER, Desk, desk, either  # noqa: F401

KINDS = (
    "call", "message", "recording", "case", "answer", "consent", "optout", "step", "line", "store", "order", "unheard",
)  # fmt: skip
STATES = (
    "missed", "gave-up", "talked", "called-back", "unreached", "recovered", "queued", "sent", "delivered", "failed",
    "held", "received", "recording", "kept", "empty", "erased", "new", "assigned", "contacted", "resolved", "reopened",
    "verified", "on", "enter", "heard", "key", "goal", "end", "connected", "ready", "absent", "yes", "no", "",
)  # fmt: skip
FIELDS = (
    "opened_ms", "due_ms", "recording", "call", "node", "tags", "reference", "language", "ms", "speech_ms", "case",
    "direction", "text", "parts", "issue", "value", "key", "purpose", "wording", "channel", "evidence", "campaign",
    "for", "try", "order", "number", "word", "why", "boot", "state",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    0, 1, 7, -1, 2**31, 2**53 - 1, 2**63, 10**30, 1.5, 1e300, True, None, "", "x", "a,b,,c", " , ", "\0z", "\ud800",
    "\u202e<b>{{x}}", "नमस्ते" * 50, ["a"], {"a": 1}, CALLER, "water", "hi",
)  # fmt: skip
EVER = "period=own&from=2000-01-01&until=2100-01-01"
PAGES = (
    *(page.path for page in ROUTES if page.method == "GET" and "{" not in page.path),
    *(f"{path}?{EVER}" for path in ("/numbers", "/referendums", "/definitions")), f"/numbers?{EVER}&against=clean",
    *(f"/numbers/by?{EVER}&by={by}" for by in asked.NAMES),
)


def say(desk: Desk, dice: random.Random, rows: int) -> None:  # noqa: F811
    """So many rows of three ledgers."""
    boxes, now = desk.boxes, desk.now_ms
    others = (("bbbbbbbb", "two"), ("cccccccc", "three"))
    ids = [boxes.id, *(boxes.ledger(store, "box-b", line, "Rampur") for store, line in others)]
    times = (1, 2**45, 4_102_444_799_999, now, now + 400 * DAY_MS)
    for _ in range(rows):
        ledger = dice.choice(ids)
        boxes.row(
            dice.choice(KINDS), dice.choice(STATES), of=dice.choice((0, 0, dice.randint(0, boxes.seqs[ledger]))),
            at_ms=dice.choice((*times, now - dice.randrange(40 * DAY_MS))), ledger=ledger,
            caller=dice.choice((CALLER, OTHER, "", "+1")), seconds=dice.choice((0, 9, 2**31)),
            extra={dice.choice(FIELDS): dice.choice(VALUES) for _ in range(dice.randrange(7))},
        )  # fmt: skip


@pytest.mark.parametrize("seed", range(20, 20 + int(os.environ.get("MISCALL_PROOF", "1"))))
def test_every_page_answers(either: Desk, seed: int) -> None:  # noqa: F811
    say(either, random.Random(seed), 250)
    either.gather()
    manager = either.office.client("manager", name="meera")
    things = [f"/desk/thing/{row['name']}" for row in either.rows()]
    assert len(things) > 5
    broken = {
        path: answer.status_code
        for path in (*PAGES, *things) for client in (manager, either.client)
        if (answer := client.get(path)).status_code >= 500
    }  # fmt: skip
    assert broken == {}
    kept = rolling.picture(either.events)
    with either.events.transaction():
        rollups.rebuild(either.events)
    assert rolling.picture(either.events) == kept


def test_and_would_not_if_numbers_were_believed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """The control."""
    monkeypatch.setattr(facts, "whole", lambda extra, name: extra.get(name, 0))
    with pytest.raises((OverflowError, TypeError, sqlite3.Error)):
        say(desk, random.Random(20), 250)
