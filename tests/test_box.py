"""The contract's promises, held by a machine that does to a box whatever the field does: two lines, the road and
headquarters in made-up time (`tests.world`), checked after every step (`tests.promises`).

A tenth of a second of real time is an hour here. MISCALL_PROOF=10 runs ten times as much, at random; without it the
examples are always the same. The second half proves that the machine can fail: each mutant has one defect, and must
be caught.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from edge.events import Keep, Stamp
from edge.ledger import Ledger, Reader
from edge.station import Station
from sync import wire
from sync.hq import intake, sql
from sync.hq import store as store_room
from sync.hq.store import Store as hq
from tests.promises import check, settle
from tests.rig import PROFILES, Fuse, Rig
from tests.world import OWN, SHORT, World

TIMES = int(os.environ.get("MISCALL_PROOF", "0"))
LONG = SHORT + " " + "We have heard you. " * 12  # three parts
FAST = Path("/dev/shm")  # a proof about the power is in tests/prove: here files need not outlive the machine

LINE = st.sampled_from((0, 1))
WHO = st.sampled_from(("+919812345678", "09812345678", "+919800000001", "+4915112345678", "121", OWN))
PATIENCE = st.sampled_from((0.1, 0.8, 1.5, 4.0, 12.0, 30.0))
GAP = st.sampled_from((0.05, 0.4, 1.0, 2.5, 4.0, 10.0, 45.0, 300.0))
PLACE = st.sampled_from(("before commit", "after commit", "before write", "after write"))
WRONG_MS = st.sampled_from((0, -1_780_000_000_000, -86_400_000, 3_600_000, 315_360_000_000))
CLOCK = st.sampled_from((0, 1, 2, 3))
WEATHER = st.sampled_from(("fine", "lossy", "repeating", "late", "garbling", "down"))
FAULT = st.sampled_from((
    "silence", "deaf", "garbage", "ff", "half-lines", "echo", "late-clip", "no-clip", "clcc-only", "errors", "vanish",
    "slow-sms", "stuck-prompt", "cms-error", "no-sim", "flood", "ring-inside", "glued", "lost-end", "rings-on",
    "late-ok", "lost-answer",
))  # fmt: skip


class Box(RuleBasedStateMachine):
    """What voters, the weather, the mains and the modems do; the world notes it and the promises are looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=FAST if FAST.is_dir() else None))
        self.world: World
        self.texts = 0

    @initialize(
        kinds=st.tuples(*[st.sampled_from(sorted(PROFILES))] * 2), once_per=st.sampled_from(("24h", "24h", "1h", "0s")),
        purse=st.sampled_from((90, 90, 4)), other=st.sampled_from(("water", "water", "roads")),
        text=st.sampled_from((SHORT, SHORT, LONG)), seed=st.integers(0, 9),
    )  # fmt: skip
    def begin(self, kinds: tuple[str, str], once_per: str, purse: int, other: str, text: str, seed: int) -> None:
        self.world = World(self.folder, kinds, once_per, purse, ("water", other), text, seed)

    def line(self, which: int) -> Rig:
        return self.world.lines[which]

    @rule(which=LINE, who=WHO, patience=PATIENCE, gap=GAP, withheld=st.booleans() | st.just(False))
    def a_voter_rings(self, which: int, who: str, patience: float, gap: float, withheld: bool) -> None:
        self.world.dial(self.line(which), who, patience, withheld)
        self.world.run(gap)

    @rule(who=WHO, gap=GAP, apart=st.sampled_from((0.0, 0.0, 1.0, 5.0)))
    def a_voter_rings_both_lines(self, who: str, gap: float, apart: float) -> None:
        for rig in self.world.lines:
            self.world.dial(rig, who, 20.0)
            self.world.run(apart)
        self.world.run(gap)

    @rule(which=LINE, who=WHO, gap=GAP, wait=st.sampled_from((0.0, 1.0, 30.0)))
    def a_voter_says_stop(self, which: int, who: str, gap: float, wait: float) -> None:
        self.texts += 1
        self.world.dial(self.line(1 - which), who, 20.0)
        self.world.run(wait)
        self.world.write(self.line(which), who, f"STOP {self.texts}")
        self.world.run(gap)

    @rule(which=LINE, who=WHO, text=st.sampled_from(("hi", "no water here {n}", "पानी नहीं है {n} " * 9)), gap=GAP)
    def a_voter_writes(self, which: int, who: str, text: str, gap: float) -> None:
        self.texts += 1
        self.world.write(self.line(which), who, text.format(n=self.texts))
        self.world.run(gap)

    @rule(seconds=GAP)
    def time_passes(self, seconds: float) -> None:
        self.world.run(seconds)

    @rule(hours=st.sampled_from((1, 6, 23, 24, 48)))
    def nobody_calls(self, hours: int) -> None:
        self.world.leap(hours)

    @rule(which=LINE, where=PLACE, left=st.integers(1, 6), who=WHO, gap=GAP)
    def the_process_dies_within_a_step(self, which: int, where: str, left: int, who: str, gap: float) -> None:
        self.line(which).fuse = Fuse(where, left)
        self.world.dial(self.line(which), who, 20.0)
        self.world.run(gap)

    @rule(which=LINE, pause=st.sampled_from((0.1, 1.0, 8.0, 25.0)), gap=GAP)
    def a_process_is_killed(self, which: int, pause: float, gap: float) -> None:
        self.world.kill(self.line(which), pause)
        self.world.run(gap)

    @rule(off=st.sampled_from((5.0, 60.0, 7200.0)), error=WRONG_MS, clock=CLOCK, modems=st.booleans())
    def the_mains_fail(self, off: float, error: int, clock: int, modems: bool) -> None:
        self.world.power_cut(off, error, clock, modems)

    @rule(error=WRONG_MS, clock=CLOCK)
    def the_clock_steps(self, error: int, clock: int) -> None:
        self.world.set_clock(error, clock)

    @rule(which=LINE, name=FAULT, who=WHO, gap=GAP)
    def a_modem_fails(self, which: int, name: str, who: str, gap: float) -> None:
        self.world.fault(self.line(which), name, on=True)
        self.world.dial(self.line(which), who, 20.0)
        self.world.run(gap)

    @rule(which=LINE)
    def the_modems_are_well_again(self, which: int) -> None:
        for name in self.line(which).sim.faults.names():
            self.world.fault(self.line(which), name, on=False)

    @rule(which=LINE, who=WHO, status=st.sampled_from((0, 70)))
    def reports_tell(self, which: int, who: str, status: int) -> None:
        self.line(which).sim.mailbox.report_status[who] = status

    @rule(weather=WEATHER)
    def the_weather_turns(self, weather: str) -> None:
        self.world.road.weather = weather

    @rule(when=st.sampled_from(("before commit", "after commit")))
    def headquarters_crashes(self, when: str) -> None:
        self.world.road.crash = when

    @rule()
    def the_uplink_dies(self) -> None:
        self.world.road.stop()
        self.world.road.start()

    @invariant()
    def the_promises_hold(self) -> None:
        if hasattr(self, "world"):
            check(self.world)

    def teardown(self) -> None:
        try:
            if hasattr(self, "world") and sys.exc_info()[0] is None:
                settle(self.world)
        finally:
            if hasattr(self, "world"):
                self.world.close()
            shutil.rmtree(self.folder, ignore_errors=True)


CALM = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def test_the_promises_hold_whatever_the_field_does() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Box,
        settings=settings(
            max_examples=60 * max(TIMES, 1), stateful_step_count=40, deadline=None, suppress_health_check=CALM,
            derandomize=not TIMES,
        ),
    )  # fmt: skip


@pytest.mark.parametrize("fault", ["deaf", "lost-answer"])
@pytest.mark.parametrize("where", ["after commit", "before write"])
@pytest.mark.parametrize("kind", ["quectel-lte", "sim7600", "huawei-voice"])
def test_a_caller_kept_before_a_cut_who_gives_up_after_it_is_one_record(
    tmp_path: Path, kind: str, where: str, fault: str
) -> None:
    """Found by the machine: her end was written down as another call, of nobody."""
    world = World(tmp_path, (kind, "generic"))
    world.fault(world.one, fault, on=True)
    world.one.fuse = Fuse(where)
    world.dial(world.one, "+919812345678", 20.0)
    world.run(30)
    assert [number for number, _ in world.one.calls()] == ["+919812345678"]
    world.close()


# ------------------------------------------------------------------------- a machine that can fail


def _keep_after_the_hang_up(patch: pytest.MonkeyPatch) -> None:
    keep, tick, outgoing = Station._keep, Station.tick, Station.outgoing

    def later(station: Station, order: Keep) -> None:
        station.__dict__.setdefault("owed", []).append(order)

    def write_first(station: Station, stamp: Stamp) -> bytes:
        station.__dict__["written"] = station.__dict__.pop("owed", [])
        return outgoing(station, stamp)

    def then_keep(station: Station, stamp: Stamp) -> None:
        for order in station.__dict__.pop("written", []):
            keep(station, order)
        tick(station, stamp)

    patch.setattr(Station, "_keep", later)
    patch.setattr(Station, "outgoing", write_first)
    patch.setattr(Station, "tick", then_keep)


def _overlaps_taken_as_new(patch: pytest.MonkeyPatch) -> None:
    take = intake.Group._batch

    def batch(group: intake.Group, box: str, batch: wire.Batch, each: intake.Read) -> wire.Ack:
        ledger = group._ledgers.get(batch.head.store)
        if ledger is not None and batch.head.first <= ledger.hwm:
            ledger.hwm, ledger.chain = batch.head.first - 1, batch.head.prev
        return take(group, box, batch, each)

    patch.setattr(store_room, "_INSERT", store_room._INSERT.replace("INSERT", "INSERT OR REPLACE"))
    patch.setattr(intake.Group, "_batch", batch)


class _Lazy(sql.Db):
    """A connection that commits when the next transaction begins."""

    def begin(self) -> None:
        if self.raw.in_transaction:
            self.raw.execute("COMMIT")
        super().begin()

    def commit(self) -> None:
        pass


def _acknowledged_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    begin = hq.__init__

    def lazy(store: hq, path: Path) -> None:
        begin(store, path)
        store._db = _Lazy(store._db.raw, "sqlite")

    patch.setattr(hq, "__init__", lazy)


def _siblings_not_asked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Rig, "_siblings", lambda rig: [])


def _a_torn_send_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Ledger, "recover", lambda ledger, stamp: 0)


def _a_torn_send_is_repeated(patch: pytest.MonkeyPatch) -> None:
    def recover(ledger: Ledger, stamp: Stamp) -> int:
        torn = ledger._letters("state = 'sending'")
        for letter in torn:
            ledger.set_state(stamp, letter.seq, "queued", refs=letter.refs)
        return len(torn)

    patch.setattr(Ledger, "recover", recover)


def _stop_is_not_asked_for(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reader, "opted_out", lambda reader, number: False)


def _a_restart_forgets_who_rings(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Station, "_adopt", lambda station: None)


MUTANTS = (
    (_keep_after_the_hang_up, "hung up on a call that is not on disk"),
    (_overlaps_taken_as_new, "counted twice"),
    (_acknowledged_before_the_commit, "acknowledged before it was on headquarters' disk"),
    (_siblings_not_asked, "two replies within once_per|more than five|begun after STOP"),
    (_a_torn_send_is_forgotten, "for ever"),
    (_a_torn_send_is_repeated, "two replies within once_per|more than five|without a claim"),
    (_stop_is_not_asked_for, "begun after STOP was on disk"),
    (_a_restart_forgets_who_rings, "no call of its own explains"),
)


@pytest.mark.parametrize(("mutant", "words"), MUTANTS, ids=[mutant.__name__.strip("_") for mutant, _ in MUTANTS])
def test_each_defect_is_caught(
    mutant: Callable[[pytest.MonkeyPatch], None], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    with pytest.raises(AssertionError, match=words):
        run_state_machine_as_test(  # type: ignore[no-untyped-call]
            Box,
            settings=settings(
                max_examples=150, stateful_step_count=20, deadline=None, suppress_health_check=CALM, database=None,
                derandomize=True, phases=[Phase.generate], report_multiple_bugs=False, print_blob=False,
            ),
        )  # fmt: skip


# ---------------------------------------------------------------------------------- a cloned card


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_a_cloned_card_raises_an_alarm_and_overwrites_nothing(tmp_path: Path, ahead: int) -> None:
    """The card is copied into a second box with the same names; both go on, and both reach headquarters."""
    first = World(tmp_path / "first", seed=1)
    first.dial(first.one, "+919812345678", 20.0)
    first.run(120)
    shutil.copytree(tmp_path / "first" / "ledgers", tmp_path / "second" / "ledgers")
    second = World(tmp_path / "second", seed=2, onto=first)
    second.run(first.now - second.now)
    for n in range(ahead):
        first.dial(first.one, f"+91980000010{n}", 20.0)
        first.run(60)
    second.dial(second.one, "+919800000009", 20.0)
    for world in (second, first) * 40:
        world.run(10)
    store = first.one.station.ledger.store if first.one.station else ""
    held, ours = first.road.rows(store), [tuple(row) for row in first.rows["l1"]]
    theirs = [tuple(row) for row in second.rows["l1"]]
    assert held in (ours[: len(held)], theirs[: len(held)])
    assert first.road.one("SELECT count(*) FROM alarm WHERE kind IN ('fork', 'rolled-back')")
    assert first.road.courier.troubles() or second.road.courier.troubles()
    for world in (first, second):
        world.close()
