"""What the office reads: every state has words and a remedy, and the one sentence names the most urgent thing."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import port, rules, words
from edge.events import Caller, Stamp

NOW_MS = 1_790_000_000_000
STATES = [
    "starting", "ready", "sending", "no-port", "port-held", "not-a-modem", "no-answer", "sim-pin", "sim-puk", "no-sim",
    "no-network", "disk", "damaged", "stopped", "restarting",
]  # fmt: skip


def line(state: str = "ready", name: str = "l1", **more: Any) -> dict[str, Any]:
    return {"name": name, "state": state, "updated_ms": NOW_MS - 1000, "port": "/dev/ttyUSB3", "detail": "", "held": 0,
            "waits": [], "sms_left": 40, **more}  # fmt: skip


def box(*lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    uplink = {"state": "connected", "unsent": 0, "updated_ms": NOW_MS, "since_ms": NOW_MS}
    return {"lines": list(lines), "uplink": uplink, "clock": {"trusted": True}, "disk": {"percent": 40},
            "now_ms": NOW_MS, **more}  # fmt: skip


@pytest.mark.parametrize("state", STATES)
def test_every_state_has_words_and_every_trouble_a_remedy(state: str) -> None:
    said = words.line_said(line(state), NOW_MS)
    assert said.tone in words.TONES and said.title and said.sentence.endswith(".")
    assert (said.todo == "") == (said.tone == "good")
    assert "{" not in said.sentence + said.todo


def test_a_port_that_another_program_holds_is_told_with_its_name() -> None:
    said = words.line_said(line("port-held", detail="/dev/ttyUSB3 is held by minicom (pid 812)"), NOW_MS)
    assert said.sentence == "The modem at /dev/ttyUSB3 is in use by minicom (process 812)."
    assert said.todo == "Close minicom (process 812); the line comes back by itself."
    for detail in ("", "/dev/ttyUSB3 is held by another program"):
        assert words.line_said(line("port-held", detail=detail), NOW_MS).todo.startswith("Close another program;")


def test_what_a_port_refuses_is_told_as_the_port_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The words come from `port`; the office reads them through here."""
    no_permission = port._refused("/dev/ttyUSB3", OSError(errno.EACCES, "")).words
    said = words.line_said(line("no-port", detail=no_permission), NOW_MS)
    assert "may not use the modem at /dev/ttyUSB3" in said.sentence and "dialout" in said.todo
    monkeypatch.setattr(port, "holder", lambda path: "minicom (pid 812)")
    held = port._refused("/dev/ttyUSB3", OSError(errno.EBUSY, ""))
    assert "by minicom (process 812)." in words.line_said(line(held.state, detail=held.words), NOW_MS).sentence


def test_replies_that_wait_are_told_with_their_reason() -> None:
    def waiting(*pairs: tuple[str, int]) -> dict[str, Any]:
        return line(waits=[{"reason": reason, "count": count} for reason, count in pairs])

    assert words.held_said(line()) == ""
    assert words.held_said(waiting(("quiet hours", 1))) == "1 reply waits: quiet hours."
    two = waiting(("no SMS left today", 1203), ("quiet hours", 3))
    assert words.held_said(two) == "1,203 replies wait: no SMS left today. 3 replies wait: quiet hours."


def test_the_reasons_that_need_advice_are_those_of_the_rules() -> None:
    voter, now = Caller("national", "+919812345678"), Stamp("b", 1000, NOW_MS, 3)
    asked = rules.Request(voter, "water", 1, now)
    given = [rules.Facts(now, "UTC", purse=0), rules.Facts(now._replace(clock=1), "UTC", quiet=(0, 1))]
    told = [rules.decide(asked, facts) for facts in given]
    for begin, verdict in zip(words.HELD_ADVICE, told, strict=True):
        assert isinstance(verdict, rules.Later) and verdict.held and verdict.why.startswith(begin)


def test_old_words_are_not_believed() -> None:
    old = line("ready", updated_ms=NOW_MS - words.STALE_MS - 1)
    assert words.line_said(old, NOW_MS).title == "No word"
    assert words.line_said({**old, "state": "stopped"}, NOW_MS).title == "Stopped", "a line that was stopped stays so"
    assert words.line_said(line("ready", updated_ms=NOW_MS - words.STALE_MS), NOW_MS).title == "Ready"
    assert words.line_said({"name": "l1"}, NOW_MS).title == "Not started"
    assert words.line_said(line("dancing"), NOW_MS).sentence.endswith("dancing.")


@pytest.mark.parametrize(
    ("snapshot", "part"),
    [
        ({}, "miscall box run"),
        (box(), "[[line]]"),
        ({"problem": "disk I/O error", "now_ms": NOW_MS}, "disk I/O error"),
        (box(line(updated_ms=0)), "miscall box run"),
        (box(line(updated_ms=1)), "not running"),
        (box(line(), line("sim-pin", "l2"), line("damaged", "l3")), "Line l3: leave the box switched on"),
        (box(line(), line("sim-pin", "l2"), line("no-network", "l3")), "(1 more below)"),
        (box(line("stopped"), line("no-port", "l2")), "Line l2: plug the modem"),
        (box(line(), disk={"percent": 96, "free_bytes": 3 * 10**8}), "300 MB free"),
        (box(line(), uplink={"state": "refused", "updated_ms": NOW_MS}), "Call headquarters"),
        (box(line(), uplink={}), "Start the box again"),
        (box(line(), uplink={"state": "offline", "updated_ms": NOW_MS, "since_ms": NOW_MS - 16 * 60_000}), "router"),
        (box(line(), uplink={"state": "offline", "updated_ms": NOW_MS, "since_ms": NOW_MS - 60_000}), "All is well"),
        (box(line(sms_left=1, waits=[{"reason": "today's SMS of this SIM", "count": 3}])), "used up its SMS"),
        (box(line(waits=[{"reason": "the clock is not trusted, and", "count": 3}])), '`clock = "trusted"`'),
        (box(line(waits=[{"reason": "quiet hours", "count": 3}])), "All is well"),
        (box(line("restarting")), "Line l1: wait a minute"),
        (box(line(sms_left=0)), "All is well"),
        (box(line(), clock={"trusted": False}), "clock may be wrong"),
        (box(line(), line("starting", "l2")), "wait a minute"),
        (box(line(), line("sending", "l2")), "All is well"),
    ],
)
def test_the_one_sentence(snapshot: dict[str, Any], part: str) -> None:
    step = words.next_step(snapshot)
    assert part in step and "\n" not in step
    assert words.advice(snapshot)[0] in words.TONES


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-90, "just now"), (4, "just now"), (5, "5 s ago"), (89, "89 s ago"), (90, "1 min ago"), (5399, "89 min ago"),
     (5400, "1 h ago"), (172_799, "47 h ago"), (172_800, "2 days ago")],
)  # fmt: skip
def test_ages(seconds: int, said: str) -> None:
    assert words.age(NOW_MS - seconds * 1000, NOW_MS) == said
    assert words.age(None, NOW_MS) == words.age(0, NOW_MS) == "never"


@pytest.mark.parametrize(
    ("signal", "bars"), [(None, None), (99, None), (0, 0), (2, 1), (9, 1), (14, 2), (19, 3), (31, 4)]
)
def test_bars(signal: int | None, bars: int | None) -> None:
    assert words.bars(signal) == bars
    assert words.signal_said(signal)


def test_foreign_text_is_made_plain() -> None:
    assert words.plain("a\u202eb\x00c\n d\u200d") == "abc d\u200d"
    for number in ("+919876543210", "98765 43210", "98765-432-10", "०९८७६५४३२१०"):
        assert "54321" not in words.plain(f"call {number} now") and "५४३२१" not in words.plain(f"call {number} now")
    assert words.plain("/dev/ttyUSB12 at 14:32") == "/dev/ttyUSB12 at 14:32"
    assert len(words.plain("x" * 999)) == 200


def test_another_language_may_be_incomplete() -> None:
    ready = ("good", "तैयार", "इस नंबर पर आने वाली कॉल लिखी जा रही हैं।", "")
    words.LANGUAGES["hi"] = words.Language({"ready": ready}, {}, {"all-well": "सब ठीक है।"})
    try:
        assert words.line_said(line(), NOW_MS, "hi").title == "तैयार"
        assert words.line_said(line("disk"), NOW_MS, "hi").title == "Disk full"
        assert words.next_step(box(line()), "hi") == "सब ठीक है।"
        assert words.next_step(box(line("disk")), "hi").startswith("Line l1")
    finally:
        del words.LANGUAGES["hi"]


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_VOICE = ("speaks", "talking", "mute", "room", "callbacks_due", "callbacks_held", "callback_waits", "cases_late")
_TOLD = dict.fromkeys((*line(), *_VOICE), _anything)
_line = st.fixed_dictionaries({}, optional=_TOLD | {"state": st.sampled_from(STATES)})


_UPLINK = ("state", "since_ms", "unsent", "updated_ms", "sound")


@settings(deadline=None)
@given(st.fixed_dictionaries({}, optional={
    "lines": st.lists(_line, max_size=3), "now_ms": _anything, "problem": _anything,
    "uplink": st.fixed_dictionaries({}, optional=dict.fromkeys(_UPLINK, _anything)),
    "clock": st.fixed_dictionaries({}, optional={"trusted": _anything}),
    "disk": st.fixed_dictionaries({}, optional={"percent": _anything, "free_bytes": _anything}),
}))  # fmt: skip
def test_no_snapshot_is_too_broken_for_a_sentence(snapshot: dict[str, Any]) -> None:
    assert words.next_step(snapshot)
    for each in snapshot.get("lines", ()):
        assert words.line_said(each, NOW_MS).title
        words.waiting_said(each)
