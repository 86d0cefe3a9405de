"""From the events store into the inbox: what boxes have sent since the last look, and what callers said of their cases.

Rules of this room
- The events store is only read. What was taken over moves with the mark of its ledger, in one transaction of the desk
  store; two who gather at once take turns. A look costs what is new.
- In the inbox are cases, letters, and recordings in which somebody speaks; the recording of a case belongs to the case.
  A recording that the box no longer has stays until `forget` is told.
- A case that nobody here has touched stands as the box says. After that only its caller's own judgement moves it: a row
  that a box wrote because of an order of ours says nothing new. Such a row follows the order's own row.
- A number of a caller stands in `desk_thing.caller`: `forget` takes away all that is known of these things here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sync.hq.desk import inbox, search, states
from sync.hq.sql import Db, Row

AT_ONCE = 20_000  # rows of ledgers looked through at one look
SPEECH_MS = 1000  # less than this is nobody speaking

_HEADS = """
SELECT s.id, s.store, s.hwm, s.box, s.line, s.language, coalesce(b.district, '') AS district
FROM store AS s LEFT JOIN box AS b ON b.box = s.box ORDER BY s.id
"""
_RANGE = "store_id = :ledger AND seq > :after AND seq <= :upto"
_CASES = f"SELECT * FROM grievance WHERE {_RANGE} ORDER BY seq"
_LETTERS = f"SELECT * FROM letter WHERE {_RANGE} ORDER BY seq"
_TAKES = f"""
SELECT * FROM recording WHERE {_RANGE}
UNION SELECT r.* FROM event AS e JOIN recording AS r ON r.store_id = e.store_id AND r.seq = e."of"
WHERE e.store_id = :ledger AND e.seq > :after AND e.seq <= :upto AND e.kind = 'recording' AND e."of" > 0
ORDER BY seq
"""
_JUDGED = """
SELECT e."of", e.seq, e.state, e.at_ms FROM event AS e
LEFT JOIN event AS b ON b.store_id = e.store_id AND b.seq = e.seq - 1
WHERE e.store_id = :ledger AND e.seq > :after AND e.seq <= :upto AND e.kind = 'case' AND e."of" > 0
    AND e.state IN ('verified', 'reopened') AND coalesce(b.kind, '') <> 'order'
ORDER BY e.seq
"""
_STANDS = """
SELECT e."of", max(e.seq) AS seq FROM event AS e
WHERE e.store_id = :ledger AND e.seq > :after AND e.seq <= :upto AND e.kind = 'case' AND e."of" > 0 AND e.state <> ''
GROUP BY e."of"
"""
_ADD = """
INSERT INTO desk_thing (store_id, seq, name, kind, at_ms, box, line, district, campaign, language, caller, reference,
    said, seconds, words, known_seq, state, due_ms, contacted_ms, changed_ms)
VALUES (:store_id, :seq, :name, :kind, :at_ms, :box, :line, :district, :campaign, :language, :caller, :reference,
    :said, :seconds, :words, :known_seq, :state, CAST(:due_ms AS BIGINT), CAST(:contacted_ms AS BIGINT), :now_ms)
ON CONFLICT (store_id, seq) DO NOTHING RETURNING id
"""
_TAG = "INSERT INTO desk_tag VALUES (:thing, :tag, :at_ms, :by) ON CONFLICT (thing, tag) DO NOTHING"
_MARK = "INSERT INTO desk_mark VALUES (:ledger, :upto) ON CONFLICT (store_id) DO UPDATE SET seq = excluded.seq"


def gather(events: Db, desk: Db, now_ms: int) -> int:
    """Take over what is new; how many rows of ledgers are still to be looked through."""
    marks = _marks(desk)
    if all(head["hwm"] <= marks.get(head["id"], 0) for head in events.rows(_HEADS)):
        return 0
    room = AT_ONCE
    with desk.transaction(), events.transaction():
        heads = events.rows(_HEADS)
        if desk.kind == "postgresql":
            desk.run("LOCK TABLE desk_mark IN EXCLUSIVE MODE")
        marks = _marks(desk)
        for head in heads:
            after = marks.get(head["id"], 0)
            upto = min(head["hwm"], after + room)
            if upto > after:
                _ledger(events, desk, head, {"ledger": head["id"], "after": after, "upto": upto}, now_ms)
                desk.run(_MARK, ledger=head["id"], upto=upto)
                room -= upto - after
                marks[head["id"]] = upto
    return sum(max(0, head["hwm"] - marks.get(head["id"], 0)) for head in heads)


def forget(desk: Db, things: Iterable[tuple[int, int]]) -> None:
    """Erase what the desk holds of these rows of ledgers (store_id, seq): within the caller's transaction."""
    for store_id, seq in things:
        row = desk.row("SELECT id, caller FROM desk_thing WHERE store_id = :s AND seq = :q", s=store_id, q=seq)
        desk.run("DELETE FROM desk_drawing WHERE store_id = :s AND seq = :q", s=store_id, q=seq)
        if row:
            _drop(desk, row["id"])
            desk.run("DELETE FROM desk_sent WHERE caller = :caller AND caller <> ''", caller=row["caller"])
            desk.run("DELETE FROM desk_wave_caller WHERE caller = :caller AND caller <> ''", caller=row["caller"])


def _drop(desk: Db, thing: int) -> None:
    for table in ("desk_tag", "desk_act", "desk_sent"):
        desk.run(f"DELETE FROM {table} WHERE thing = :id", id=thing)
    search.put(desk, thing, "")
    desk.run("DELETE FROM desk_thing WHERE id = :id", id=thing)


def _marks(desk: Db) -> dict[int, int]:
    return {row["store_id"]: row["seq"] for row in desk.rows("SELECT * FROM desk_mark")}


def _ledger(events: Db, desk: Db, head: Row, span: dict[str, int], now_ms: int) -> None:
    for case in events.rows(_CASES, span):
        _add(desk, head, now_ms, case, kind="case", at_ms=case["opened_ms"] or case["at_ms"], said=case["recording"],
             reference=case["reference"], due_ms=case["due_ms"] or None, state=_state(case["state"]),
             contacted_ms=case["contacted_ms"])  # fmt: skip
        if case["recording"]:
            _belongs(desk, head["id"], case["recording"])
    for take in events.rows(_TAKES, span):
        spoken = take["state"] == "kept" and (take["speech_ms"] is None or take["speech_ms"] >= SPEECH_MS)
        if spoken and not _is_of_case(desk, head["id"], take["seq"]):
            _add(desk, head, now_ms, take, kind="recording", said=take["seq"], seconds=-(-take["ms"] // 1000))
    for letter in events.rows(_LETTERS, span):
        _add(desk, head, now_ms, letter, kind="letter", words=letter["text"])
    _hear(events, desk, head, span, now_ms)


def _add(desk: Db, head: Row, now_ms: int, row: Row, **more: Any) -> None:
    values = {
        "store_id": head["id"], "seq": row["seq"], "name": f"{head['store']}-{row['seq']}", "at_ms": row["at_ms"],
        "box": head["box"], "line": head["line"], "district": head["district"], "campaign": row["campaign"],
        "language": row.get("language") or head["language"], "caller": row["caller"], "reference": "", "said": 0,
        "seconds": 0, "words": "", "known_seq": head["hwm"], "state": "new", "due_ms": None, "contacted_ms": None,
        "now_ms": now_ms, **more,
    }  # fmt: skip
    thing = desk.value(_ADD, values)
    if thing is None:
        return
    for tag in filter(None, (part.strip() for part in row.get("tags", "").split(","))):
        desk.run(_TAG, thing=thing, tag=tag, at_ms=values["at_ms"], by="")
    if values["words"]:
        search.put(desk, thing, values["words"])


def _state(state: str) -> str:
    return state if state in states.STATES else "new"


def _is_of_case(desk: Db, ledger: int, seq: int) -> bool:
    query = "SELECT 1 FROM desk_thing WHERE store_id = :ledger AND said = :seq AND said > 0 AND kind = 'case'"
    return desk.row(query, ledger=ledger, seq=seq) is not None


def _belongs(desk: Db, ledger: int, seq: int) -> None:
    """That recording is a case's: it leaves the inbox unless somebody has begun with it."""
    query = "SELECT id FROM desk_thing WHERE store_id = :ledger AND seq = :seq AND version = 0"
    if row := desk.row(query, ledger=ledger, seq=seq):
        _drop(desk, row["id"])


def _hear(events: Db, desk: Db, head: Row, span: dict[str, int], now_ms: int) -> None:
    """What callers say of their cases, and how cases stand that nobody here has touched."""
    one = "SELECT * FROM desk_thing WHERE store_id = :ledger AND seq = :seq"
    for said in events.rows(_JUDGED, span):
        row = desk.row(one, ledger=head["id"], seq=said["of"])
        if row and row["known_seq"] < said["seq"] and row["version"]:
            _judge(desk, row, "verified" if said["state"] == "verified" else "poor", said, now_ms)
    for changed in events.rows(_STANDS, span):
        row = desk.row(one, ledger=head["id"], seq=changed["of"])
        if row and row["known_seq"] < changed["seq"] and not row["version"]:
            query = "SELECT state, contacted_ms FROM grievance WHERE store_id = :ledger AND seq = :seq"
            case = events.row(query, ledger=head["id"], seq=changed["of"])
            if case:
                desk.run(
                    "UPDATE desk_thing SET state = :state, contacted_ms = CAST(:contacted AS BIGINT),"
                    " known_seq = :known, changed_ms = :now WHERE id = :id",
                    state=_state(case["state"]), contacted=case["contacted_ms"], known=head["hwm"], now=now_ms,
                    id=row["id"],
                )  # fmt: skip


def _judge(desk: Db, row: Row, verb: states.Verb, said: Row, now_ms: int) -> None:
    try:
        now = states.move(inbox.standing(row), verb, said["at_ms"], caller=True)
    except states.Illegal:
        return  # she spoke of an older state of it
    desk.run(
        "UPDATE desk_thing SET state = :state, due_ms = CAST(:due AS BIGINT), tries = :tries, known_seq = :known,"
        " changed_ms = :now, version = version + 1 WHERE id = :id",
        state=now.state, due=now.due_ms, tries=now.tries, known=said["seq"], now=now_ms, id=row["id"],
    )  # fmt: skip
    desk.run(
        "INSERT INTO desk_act (thing, at_ms, by, did, note) VALUES (:id, :at, '', :did, '')",
        id=row["id"], at=said["at_ms"], did=verb,
    )  # fmt: skip
