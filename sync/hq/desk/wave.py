"""Answering all callers of a tag: who would be written to and who would not, and then an order for each, as long work.

Rules of this room
- `look` changes nothing; `begin` freezes the callers that it found, so that nobody comes in while it runs.
- A caller's order and her mark are one transaction: whatever ends the work in its middle, nobody is written to twice
  and nobody is left out. Whoever works next goes on: a restart, another process.
- What spared a caller is kept beside her. Opt-outs, and who is suppressed, are looked at again at the moment of each
  order.
- The box's own rules have the last word: quiet hours, silence before a poll, its SIM's purse, its opt-outs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from sync.hq import orders, stores
from sync.hq.config import HqConfig
from sync.hq.desk import replies
from sync.hq.people import suppression
from sync.hq.sql import Db, Row

DAY_MS = 86_400_000
OLDEST_DAYS = 30  # nobody is answered for what she said before that, whatever is asked
MOST = 20_000  # callers of one wave
AT_ONCE = 25  # orders in one transaction
SPARED = ("withheld", "opted out", "answered already", "too old", "not this text", "refused")

_THINGS = """
SELECT t.id, t.caller, t.at_ms, t.reference,
    (SELECT max(s.at_ms) FROM desk_sent AS s WHERE s.caller = t.caller AND t.caller <> '') AS sent_ms
FROM desk_tag AS g JOIN desk_thing AS t ON t.id = g.thing
WHERE g.tag = :tag AND (:campaign = '' OR t.campaign = :campaign) AND (:kind = '' OR t.kind = :kind)
ORDER BY g.at_ms DESC, g.thing DESC
"""
_NEXT = """
SELECT c.caller, t.* FROM desk_wave_caller AS c JOIN desk_thing AS t ON t.id = c.thing
WHERE c.wave = :wave AND c.state = 'todo' ORDER BY c.caller LIMIT :most
"""
_HAD = "SELECT 1 FROM desk_sent WHERE caller = :caller AND wave = :wave"
_MARK = (
    "UPDATE desk_wave_caller SET state = :state, why = :why WHERE wave = :wave AND caller = :caller AND state = 'todo'"
)
_WAVE = """
INSERT INTO desk_wave (tag, campaign, kind, words, language, parts, state, by, made_ms, moved_ms)
VALUES (:tag, :campaign, :kind, :words, :language, :parts, 'running', :by, :now, :now) RETURNING id
"""
_working = threading.Lock()


class Plan(NamedTuple):
    """Who gets an answer: caller -> the newest thing of hers; and how many are spared, and why."""

    chosen: dict[str, int]
    spared: dict[str, int]
    parts: int

    @property
    def sms(self) -> int:
        return len(self.chosen) * self.parts


class Asked(NamedTuple):
    """All callers of `tag`, in one campaign and of one kind or in all, with a thing not older than `days`."""

    tag: str
    campaign: str
    kind: str
    days: int
    text: str
    language: str


def look(desk: Db, events: Db, secret: bytes, asked: Asked, now_ms: int, longer: bool = False) -> Plan:
    """What a wave would do. `secret` is the key of what is suppressed. Raises `replies.Unsendable` for a text that goes
    to nobody."""
    replies.check(asked.text, [asked.tag], longer=longer)
    with_case = replies.REFERENCE in asked.text
    since = now_ms - min(asked.days, OLDEST_DAYS) * DAY_MS
    first: dict[str, Row] = {}  # each caller's newest
    spared = dict.fromkeys(SPARED, 0)
    for row in desk.rows(_THINGS, {"tag": asked.tag, "campaign": asked.campaign, "kind": asked.kind}):
        if not row["caller"].startswith("+"):
            spared["withheld"] += 1
        elif not with_case or row["reference"]:
            first.setdefault(row["caller"], row)
    chosen: dict[str, int] = {}
    silent = replies.opted_out_of(events, first) | suppression.suppressed_of(desk, secret, first)
    for caller, row in first.items():
        if caller in silent:
            spared["opted out"] += 1
        elif row["at_ms"] < since:
            spared["too old"] += 1
        elif row["sent_ms"] is not None and row["sent_ms"] >= row["at_ms"]:
            spared["answered already"] += 1
        elif len(chosen) < MOST:
            chosen[caller] = row["id"]
    return Plan(chosen, {why: n for why, n in spared.items() if n}, replies.cost(asked.text).parts)


def begin(desk: Db, asked: Asked, plan: Plan, by: str, now_ms: int) -> int:
    """Write the work down; its number. Within a transaction of the caller's."""
    wave = int(
        desk.value(
            _WAVE, tag=asked.tag, campaign=asked.campaign, kind=asked.kind, words=asked.text, language=asked.language,
            parts=plan.parts, by=by, now=now_ms,
        )
    )  # fmt: skip
    add = "INSERT INTO desk_wave_caller VALUES (:wave, :caller, :thing, 'todo', '')"
    desk.many(add, [{"wave": wave, "caller": caller, "thing": thing} for caller, thing in plan.chosen.items()])
    return wave


def step(desk: Db, events: Db, secret: bytes, wave: Row, now_ms: int, most: int = AT_ONCE) -> int:
    """Order for the next few callers, in one transaction; how many it was, 0 when the work is done."""
    with desk.transaction():
        if desk.kind == "postgresql":
            desk.run("LOCK TABLE orders IN EXCLUSIVE MODE")
        if desk.value("SELECT state FROM desk_wave WHERE id = :id", id=wave["id"]) != "running":
            return 0
        rows = desk.rows(_NEXT, wave=wave["id"], most=most)
        for row in rows:
            state, why = _order(desk, events, secret, wave, row, now_ms)
            desk.run(_MARK, state=state, why=why, wave=wave["id"], caller=row["caller"])
        desk.run(
            "UPDATE desk_wave SET state = :state, moved_ms = :now WHERE id = :id",
            state="running" if rows else "done", now=now_ms, id=wave["id"],
        )  # fmt: skip
    return len(rows)


def _order(desk: Db, events: Db, secret: bytes, wave: Row, row: Row, now_ms: int) -> tuple[str, str]:
    def give(box: str, line: str, verb: str, args: dict[str, str]) -> int:
        return orders.order(desk, events, box, line, verb, args, wave["by"], now_ms, secret=secret)

    if desk.row(_HAD, caller=row["caller"], wave=wave["id"]):
        return "spared", "answered already"
    try:
        text, language = wave["words"], wave["language"]
        replies.send(desk, events, row, text, language, wave["by"], now_ms, give, wave["id"], longer=wave["parts"] > 1)
    except replies.Unsendable:
        return "spared", "opted out" if replies.opted_out(events, row["caller"]) else "not this text"
    except orders.Suppressed:
        return "spared", "opted out"
    except orders.Refused:
        return "spared", "refused"
    return "ordered", ""


def stop(desk: Db, wave: int) -> bool:
    """Order for nobody more; what was ordered stays ordered."""
    return bool(desk.run("UPDATE desk_wave SET state = 'stopped' WHERE id = :id AND state = 'running'", id=wave))


def progress(desk: Db, wave: int) -> dict[str, int]:
    """How many callers are todo, ordered and spared."""
    query = "SELECT state, count(*) AS n FROM desk_wave_caller WHERE wave = :wave GROUP BY state"
    return {"todo": 0, "ordered": 0, "spared": 0} | {row["state"]: row["n"] for row in desk.rows(query, wave=wave)}


def why(desk: Db, wave: int) -> list[Row]:
    """Why callers were spared once the work ran, and how many."""
    query = (
        "SELECT why, count(*) AS n FROM desk_wave_caller WHERE wave = :wave AND state = 'spared'"
        " GROUP BY why ORDER BY why"
    )
    return desk.rows(query, wave=wave)


def running(desk: Db) -> bool:
    """Is there work that somebody must go on with?"""
    return desk.row("SELECT 1 FROM desk_wave WHERE state = 'running' LIMIT 1") is not None


def wake(config: HqConfig, clock: Callable[[], float] = time.time) -> threading.Thread | None:
    """Go on with what is running, in a thread of this process, unless it is at it already; None then, or when nothing
    runs. Ask at every start, and whenever somebody looks."""
    if _working.locked():
        return None
    with stores.desk(config) as desk:
        if not running(desk):
            return None
    thread = threading.Thread(target=_work, args=(config, clock), daemon=True, name="desk-wave")
    thread.start()
    return thread


def _work(config: HqConfig, clock: Callable[[], float]) -> None:
    """All that is running, until none is; an error ends it, and the next look begins anew."""
    if not _working.acquire(blocking=False):
        return
    try:
        with stores.desk(config) as desk, stores.events(config) as events:
            secret = suppression.key(config.data)
            while wave := desk.row("SELECT * FROM desk_wave WHERE state = 'running' ORDER BY id LIMIT 1"):
                step(desk, events, secret, wave, int(clock() * 1000))
                time.sleep(0.01)  # others write this store too
    finally:
        _working.release()
