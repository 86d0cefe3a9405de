"""The contract's promises, as a world (`tests.world`) must show them: `check` at every moment, `settle` in the end.

Whatever is broken is an AssertionError that names the promise.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

from edge.events import GENESIS, link
from edge.ledger import Reader
from tests.rig import WALL_0, Rig
from tests.world import DAY_S, OWN, SETTLE_S, SLACK_S, World

A = TypeVar("A")
B = TypeVar("B")


def check(world: World) -> None:
    """Whatever must hold at every moment."""
    for rig in world.lines:
        _check_ledger(world, rig)
        _check_calls(world, rig)
        _check_purse(world, rig)
    _check_replies(world)
    calls = world.road.one("SELECT count(*) FROM event WHERE kind = 'call' AND \"of\" = 0")
    assert calls == world.road.one("SELECT sum(calls) FROM hourly"), "promise 3: a call is counted twice, or never"


def _check_ledger(world: World, rig: Rig) -> None:
    known, chain, chains = world.rows[rig.name], GENESIS, [GENESIS]
    reader = Reader(rig.path)
    held, (head, digest), store = reader.rows(0, 100_000), reader.head(), reader.store
    reader.close()
    assert [tuple(row) for row in known] == held, "promise 1: what was once committed is not in the ledger"
    assert [row.seq for row in known] == list(range(1, head + 1)), "a gap in the ledger"
    for row in known:
        chain = link(chain, row)
        chains.append(chain)
    assert chain == digest, "the chain digest of the ledger is wrong"
    mark, at_hq = world.road.held(store)
    assert mark <= head, "promise 3: headquarters holds rows that the ledger never had"
    assert at_hq == chains[mark], "promise 3: headquarters' digest is not the ledger's"
    assert world.road.rows(store) == held[:mark], "promise 3: headquarters' rows are not the ledger's"


def _check_calls(world: World, rig: Rig) -> None:
    """One call is one record: every record has a call of its own, every sure call that is over a record."""
    records = [row for row in world.rows[rig.name] if row.kind == "call" and not row.of]
    reached = [d for d in world.dials[rig.name] if d.call.rang_at is not None]
    assert all(d.call.answered_at is None for d in reached), "promise 2: a call was answered"
    if world.shaky[rig.name]:
        return
    room = [d for d in reached for _ in range(d.lives)]
    assert covers(records, room, lambda row, d: world.fits(row, d.call)), "a record that no call of its own explains"
    over = [d for d in reached if d.sure and d.call.ended_at and world.now - d.call.ended_at > SETTLE_S]
    assert covers(over, records, lambda d, row: world.fits(row, d.call)), "a caller is not written down"


def _check_purse(world: World, rig: Rig) -> None:
    """Parts in a day (in Kolkata), as the network took them, whatever the box believes of the time."""
    parts: dict[int, int] = {}
    for sent in rig.sim.sent:
        day, into = divmod(sent.at + WALL_0 / 1000 + 19_800, DAY_S)
        if sent.outcome == "accepted" and into > SLACK_S:
            parts[int(day)] = parts.get(int(day), 0) + 1
    assert all(n <= world.purse for n in parts.values()), "more parts in a day than the purse holds"


def _check_replies(world: World) -> None:
    replies: dict[str, list[tuple[float, str]]] = {}
    for rig in world.lines:
        begun: dict[str, int] = {}
        for row in world.rows[rig.name]:
            if row.kind == "message" and row.of and row.state == "sending":
                number = world.rows[rig.name][row.of - 1].caller
                begun[number] = begun.get(number, 0) + 1
        for sent in rig.sim.sent:
            if sent.outcome == "accepted" and (sent.part is None or sent.part[2] == 1):
                replies.setdefault(sent.number, []).append((sent.at, rig.about.id))
                begun[sent.number] = begun.get(sent.number, 0) - 1
        assert all(n >= 0 for n in begun.values()), "promise 4: a reply went out without a claim on disk"
    for number, sent_to in replies.items():
        assert number != OWN, "a reply to one of the box's own SIMs"
        times = sorted(sent_to)
        for about in {about for _, about in times}:
            of_it = [at for at, each in times if each == about]
            gaps = [b - a for a, b in itertools.pairwise(of_it)]
            assert all(gap > world.once_per_s - SLACK_S for gap in gaps), "promise 4: two replies within once_per"
        if len(times) > 5:
            burst = min(b[0] - a[0] for a, b in zip(times, times[5:], strict=False))
            assert burst > DAY_S - SLACK_S, "promise 4: more than five replies in 24 hours"


def settle(world: World) -> None:
    """The eventually of the promises: no more faults; then everything is where it belongs, once."""
    world.road.weather, world.road.crash = "fine", ""
    for rig in world.lines:
        rig.fuse = None
        for fault in rig.sim.faults.names():
            world.fault(rig, fault, on=False)
        rig.sim.mailbox.report_status.clear()
    world.set_clock(0, 3)
    world.run(400)
    world.leap(14)
    check(world)
    for rig in world.lines:
        assert rig.station is not None, "a line did not come back"
        assert rig.station.condition.state == "ready", f"a line did not come back: {rig.station.condition}"
        assert world.road.rows(rig.station.ledger.store) == [tuple(row) for row in world.rows[rig.name]], (
            "promise 3: a row never reached headquarters"
        )
        waiting = set(rig.letters()) & {"queued", "held", "sending"}
        assert not waiting, f"a reply is {waiting} for ever"
        _check_letters_in(world, rig)
    assert world.road.courier.unsent() == 0 and not world.road.courier.troubles()


def _check_letters_in(world: World, rig: Rig) -> None:
    """What was written to this line is in its ledger, and no more often than it was written."""
    rows = [row for row in world.rows[rig.name] if row.kind == "message" and row.state == "received"]
    kept = Counter((row.caller[-10:], json.loads(row.extra)["text"]) for row in rows)
    written = Counter((number[-10:], text) for number, text in world.texts[rig.name])
    assert kept.keys() == written.keys(), "a message is lost, or was never written"
    assert all(count <= written[what] for what, count in kept.items()), "a message is in the ledger twice"


def covers(left: Sequence[A], right: Sequence[B], fits: Callable[[A, B], bool]) -> bool:
    """Can every one on the left have one on the right to itself? (Kuhn's matching.)"""
    taken: dict[int, int] = {}

    def place(i: int, seen: set[int]) -> bool:
        for j, other in enumerate(right):
            if j not in seen and fits(left[i], other):
                seen.add(j)
                if j not in taken or place(taken[j], seen):
                    taken[j] = i
                    return True
        return False

    return all(place(i, set()) for i in range(len(left)))
