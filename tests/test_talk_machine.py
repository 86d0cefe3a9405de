"""A talking line under whatever happens: callers who press, speak, stay silent and hang up at any time, modems that
fail, and a process that dies between any two steps, in made-up time. After every step the ledger must tell exactly
what the callers did, nobody may be on the line for longer than a call may last, and what she said must be kept.

MISCALL_PROOF=10 runs ten times as much, at random. The second half breaks the line on purpose: each must be caught.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from edge.dialogue import KeyPressed
from edge.ivr import Conversation
from edge.ledger import Ledger
from edge.switchboard import Switchboard
from edge.talk.leg import Leg
from edge.talk.talk import Talk
from tests.rig import campaign
from tests.talkrig import BACK, FILES, PCM, TalkRig, talking
from tools.simmodem.calls import Callee

TIMES = int(os.environ.get("MISCALL_PROOF", "0"))
FAST = Path("/dev/shm")
VOTERS = ("+919812345678", "+919800000001", "09812345678")
PATHS = [(kind, True) for kind in PCM] + [(kind, False) for kind in FILES]
KEYS = "0123456789*#"
ACT = st.tuples(st.sampled_from(("wait", "speak", "1", "1", "1", "2", "2", *KEYS)), st.sampled_from((0.6, 2.0, 5.0)))
GAP = st.sampled_from((0.1, 0.5, 1.2, 3.0, 6.0, 12.0))
SETTLE_S = 45.0  # a call that lost its line must be over, and its takes closed, so long after


class TalkingLine(RuleBasedStateMachine):
    """One line; the machine notes what the callers did, and compares."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=FAST if FAST.is_dir() else None))
        self.rig: TalkRig
        self.pressed: dict[int, list[str]] = {}  # call's row -> keys that were told to the line while it talked
        self.shaky_until = 0.0

    @initialize(path=st.sampled_from(PATHS), back=st.booleans())
    def begin(self, path: tuple[str, bool], back: bool) -> None:
        kind, pcm = path
        about = campaign(BACK) if back else talking()
        self.rig = TalkRig(self.folder, kind, about, pcm, **({"dtmf_urc": True} if kind == "a76xx" else {}))
        self.rig.sim.line.callees = {number: Callee("answer", 1.0, 100.0) for number in VOTERS}
        self.rig.run(20)

    def teardown(self) -> None:
        try:
            if hasattr(self, "rig"):
                self.end()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def end(self) -> None:
        """No more faults: everything comes to its end, and is told."""
        for call in [c for c in self.rig.sim.line.calls if c.answered_at is not None]:
            self.rig.sim.line.cancel(call, self.rig.now)
        self.rig.run(260)
        self.look()
        assert self.rig.station is not None and not self.rig.station.board.busy, "a call is in hand for ever"
        open_takes = self.rig.station.ledger.takes("recording")
        assert not open_takes, f"a take is open for ever: {open_takes}"
        for number, outcome in self.rig.calls():
            assert outcome in ("missed", "talked", "gave-up", "called-back", "unreached"), (number[-3:], outcome)

    # ----------------------------------------------------------------------------- what happens

    @rule(
        who=st.sampled_from(VOTERS), acts=st.lists(ACT, min_size=2, max_size=9), leaves=st.booleans(),
        talk=st.sampled_from((8.0, 60.0, 400.0)),
    )  # fmt: skip
    def a_voter_talks(self, who: str, acts: list[tuple[str, float]], leaves: bool, talk: float) -> None:
        """She rings, is answered or rung back, and does this and that; then she hangs up, or leaves it to the box."""
        self.rig.sim.line.callees[who] = Callee("answer", 1.0, talk)
        self.rig.sim.dial(who, self.rig.now, 20.0, talk_s=talk)
        self.rig.run(6)
        for what, gap in acts:
            if what == "speak":
                self.rig.sim.speak(b"\x10\x20" * int(8000 * gap), self.rig.now)
                self.rig.run(gap)
            elif what != "wait":
                self.press(what)
            self.rig.run(max(gap, 0.5))
            self.look()
        if leaves:
            self.she_hangs_up()
        else:
            self.rig.run(30)

    def press(self, key: str) -> None:
        talk = self.rig.station.board.talk if self.rig.station else None
        hears = talk is not None and talk._ivr is not None and talk.leg.state == "up"
        if talk is not None and hears and any(c.state == "active" for c in self.rig.sim.line.calls):
            self.pressed.setdefault(talk.party.seq, []).append(key)
        self.rig.sim.press(key, self.rig.now)

    @rule(who=st.sampled_from(VOTERS), patience=st.sampled_from((0.5, 20.0)))
    def a_voter_rings_and_leaves(self, who: str, patience: float) -> None:
        self.rig.sim.dial(who, self.rig.now, patience, talk_s=4.0)
        self.rig.run(2)

    @rule(key=st.sampled_from(KEYS), gap=GAP)
    def she_presses(self, key: str, gap: float) -> None:
        self.press(key)
        self.rig.run(max(gap, 0.5))

    @rule(gap=GAP)
    def time_passes(self, gap: float) -> None:
        self.rig.run(10 * gap)

    def she_hangs_up(self) -> None:
        for call in list(self.rig.sim.line.calls):
            self.rig.sim.line.cancel(call, self.rig.now)
        self.rig.run(1)

    @rule(who=st.sampled_from(VOTERS), keys=st.text(KEYS, max_size=3), gap=st.sampled_from((1.0, 30.0)))
    def the_process_dies_in_a_call(self, who: str, keys: str, gap: float) -> None:
        self.rig.sim.dial(who, self.rig.now, 20.0, talk_s=90.0)
        self.rig.run(5)
        for key in keys:
            self.press(key)
            self.rig.run(1.5)
        self.shaky_until = self.rig.now + gap + SETTLE_S
        self.rig.cut()
        self.rig.run(gap)
        self.rig.start()
        self.rig.run(3)

    @rule(fault=st.sampled_from(("lost-end", "late-ok", "glued", "half-lines")), who=st.sampled_from(VOTERS))
    def the_modem_misbehaves_in_a_call(self, fault: str, who: str) -> None:
        self.rig.sim.dial(who, self.rig.now, 20.0, talk_s=12.0)
        self.rig.run(2)
        self.rig.sim.fault(fault, self.rig.now, 0.3 if fault != "lost-end" else None)
        self.rig.run(14)
        self.rig.sim.fault_off(fault, self.rig.now)
        self.shaky_until = self.rig.now + SETTLE_S
        self.rig.run(SETTLE_S)

    @rule()
    def the_disk_fills_or_is_freed(self) -> None:
        self.rig.room = not self.rig.room

    # ---------------------------------------------------------------------------- what must hold

    @invariant()
    def look(self) -> None:
        if not hasattr(self, "rig") or self.rig.station is None:
            return
        self._calls_end()
        self._steps_tell_the_keys()
        self._nine_is_obeyed()
        self._cases_have_takes()

    def _calls_end(self) -> None:
        now = self.rig.now
        for call in self.rig.sim.calls:
            if call.answered_at is None:
                continue
            lasted = (call.ended_at or now) - call.answered_at
            assert lasted < 190, "a call that never ends"
            talk = self.rig.station.board.talk if self.rig.station else None
            if call.ended_at is None and talk is None and now > self.shaky_until:
                raise AssertionError("somebody is on the line and the box does not know")
        talk = self.rig.station.board.talk if self.rig.station else None
        for row in self.rig.rows("step") if talk is not None else ():
            if row[10] == "end" and json.loads(str(row[12]))["call"] == talk.party.seq:  # type: ignore[union-attr]
                ended = self.rig.booted + int(str(row[4])) / 1000
                assert now - ended < 40 or now < self.shaky_until, "all is said, and she is still on the line"
        assert all(call.state != "ringing" or now - call.dialled_at < 25 for call in self.rig.sim.line.calls)

    def _steps_tell_the_keys(self) -> None:
        told: dict[int, list[str]] = {}
        for state, extra in self.rig.told("step"):
            if state in ("key", "invalid"):
                told.setdefault(int(str(extra["call"])), []).append(str(extra["key"]))
        if self.rig.now > self.shaky_until:
            for call, keys in self.pressed.items():
                assert told.get(call, []) == keys[: len(told.get(call, []))], "keys told that nobody pressed, or astray"
                missing = keys[len(told.get(call, [])) :]
                assert not missing or self._was_over(call), f"the ledger does not tell {missing}"

    def _was_over(self, call: int) -> bool:
        """Is the conversation of `call` over? A key pressed into its last words means nothing."""
        return any(state == "end" and extra["call"] == call for state, extra in self.rig.told("step"))

    def _nine_is_obeyed(self) -> None:
        nines = {int(str(extra["call"])) for state, extra in self.rig.told("step") if extra.get("key") == "9"}
        for row in self.rig.rows("call"):
            if row[0] in nines and row[8]:
                assert self.rig.station is not None
                assert self.rig.station.ledger.opted_out(str(row[8])), "9 is pressed, and she is not left alone"

    def _cases_have_takes(self) -> None:
        takes = {row[0] for row in self.rig.rows("recording") if not row[1]}
        for _, extra in (told for told in self.rig.told("case") if told[0] == "new"):
            assert extra["recording"] in takes, "a case without what she said"
        for row in self.rig.rows("recording"):
            if row[1] and row[10] == "kept" and '"sha256"' in str(row[12]):
                first = next(r for r in self.rig.rows("recording") if r[0] == row[1])
                assert (self.rig.takes / json.loads(str(first[12]))["file"]).exists(), "a kept take is gone"


SIZE = {"max_examples": 40 * max(1, TIMES), "stateful_step_count": 8}
ALL = settings(
    **SIZE, deadline=None, derandomize=not TIMES, suppress_health_check=list(HealthCheck),
    phases=[Phase.generate] if not TIMES else [Phase.generate, Phase.shrink],
)  # fmt: skip


def test_whatever_happens_the_ledger_tells_what_the_callers_did() -> None:
    run_state_machine_as_test(TalkingLine, settings=ALL)


# ----------------------------------------------------------------------- the harness can fail


def _deaf_to_nine(self: Conversation, event: object, now: float, real: Callable[..., object]) -> object:
    return [] if isinstance(event, KeyPressed) and event.key == "9" else real(self, event, now)


def _keeps_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Leg, "hang_up", lambda self, now: None)


def _forgets_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    real, count = Ledger.steps, [0]

    def some(self: Ledger, *words: object) -> None:
        count[0] += 1
        if count[0] % 5:
            real(self, *words)  # type: ignore[arg-type]

    monkeypatch.setattr(Ledger, "steps", some)


def _leaves_leftovers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Switchboard, "_hang_up_leftover", lambda self: iter(()))


def _no_opt_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "opt_out", lambda self, stamp, caller: None)


def _hears_nothing_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Leg, "_look", lambda self: iter(()))
    monkeypatch.setattr(Talk, "another", lambda self, seen, now: False)


@pytest.mark.parametrize(
    "broken", [_keeps_the_line, _forgets_steps, _leaves_leftovers, _no_opt_out, _hears_nothing_end]
)
def test_a_broken_line_is_caught(broken: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch)
    with pytest.raises(BaseException):  # noqa: B017  # whichever promise it breaks first
        run_state_machine_as_test(TalkingLine, settings=ALL)
