"""The figures can be measured: every quick piece runs and gives numbers that make sense. How good they are is not
asked here: a busy machine is no defect. What a measurement starts must end with it, however it ends."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench import __main__ as front
from bench import calls, fleet, hq, peers, report, start, storm, voice
from bench.report import Figure
from edge import status
from tests.postgres import needs_postgres


def well_formed(figures: list[Figure]) -> None:
    assert figures
    for figure in figures:
        assert figure.name and (figure.ok is None) == (figure.goal == "")
        assert figure.value is None or (math.isfinite(figure.value) and figure.value >= 0), figure
        assert figure.reached


def test_a_hang_up_is_timed_at_the_wire() -> None:
    with calls.running(lines=1, send_s=calls.SOON) as (box, watches):
        rung = calls.spread(watches, 3, 0.3, fleet.Voters()) + calls.at_once(watches, 2, 0.3, fleet.Voters(1))
        assert [call.fate for call in rung] == ["rejected"] * 5
        assert len(watches[0].hung) == box.calls() == len(box.callers()) == 5
        taken = calls.latencies_ms(watches, rung)
    assert taken and all(0 < ms < 1000 * calls.PATIENCE_S for ms in taken)


def test_a_slow_card_is_slow() -> None:
    found = calls.card(40, rounds=1, lines=1)
    well_formed(found)
    hang_up, _, on_disk = found
    assert hang_up.value is not None and hang_up.value > 40
    assert on_disk.value == 1 and on_disk.ok


def test_a_storm_in_made_up_time_and_the_naive_loop() -> None:
    ours, naive = storm.in_made_up_time(0), storm.in_made_up_time(0, naive=True)
    for one in (ours, naive):
        assert len(one.calls) == storm.CALLERS and 0 < one.kept <= one.reached <= storm.CALLERS
        assert one.replied == one.wanted and math.isfinite(one.late_s)
    assert ours.captured > naive.captured
    assert len((ours + naive).calls) == 2 * storm.CALLERS


@needs_postgres
def test_headquarters_on_postgresql_and_the_peer_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hq, "_EVENTS", {500: 500_000, 96: 96_000})
    found = hq.measure(quick=True)
    well_formed(found)
    assert [figure.unit for figure in found] == ["ev/s", "ev/s", "times"] * 2 and all(figure.value for figure in found)


def test_a_storm_in_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storm, "AFTER_S", 0.0)
    one = storm.in_real_time(1, 2, 0, replies=False)
    assert len(one.calls) == 2 and one.kept == one.reached and one.wanted == one.kept


def test_a_talk_is_timed_where_its_bytes_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice, "SECONDS", (8.0, 0.0))
    monkeypatch.setattr(voice, "PRESS_EVERY_S", (0.5, 1.0))
    one = voice.Talks(quick=True, lines=1)
    well_formed(one.figures())
    [caller] = one.callers
    assert caller.pressed >= len(caller.next_ms) >= 2
    assert all(0 < ms < 1000 * voice.LONGEST_S for ms in caller.first_ms + caller.next_ms)
    assert one.weights and one.spent[0] > 0


def test_control_a_helper_that_stands_still_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def stands_still(talks: voice.Talks) -> None:
        [caller], [(_, helper)] = talks.callers, talks.processes
        caller.turn(0.0)
        fleet.until(lambda: caller.first_ms, 20, "she hears something")
        os.kill(helper, signal.SIGSTOP)
        fleet.until(lambda: caller.calls[0].underruns > 3, 10, "frames are missing")
        os.kill(helper, signal.SIGCONT)

    monkeypatch.setattr(voice.Talks, "_serve", stands_still)
    lost = voice.Talks(quick=True, lines=1).underruns()[0]
    assert lost.value is not None and lost.value > 3 and lost.ok is False


def test_a_start_is_timed() -> None:
    assert 0 < start.first_call(1) < start.LONGEST_S


def test_peers_stand_on_the_same_modem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "SETTLE_S", 0.0)
    with ExitStack() as stack:
        stage = peers.Stage(stack)
        there = [*stage.ours(), *stage.gsmmodem(0.0)]
        for peer in there:
            fleet.until(peer.ready, 30, peer.name)
        for peer in there:
            peer.calls.append(peer.port.dial("+919812345678", 10))
            assert peer.port.farm.until(lambda peer=peer: peer.calls[0].fate, 10), peer.name  # type: ignore[misc]
            assert peer.calls[0].fate == "rejected"
            fleet.until(peer.recorded, 5, "it is written down")
            assert peer.recorded() == 1


def test_what_is_not_installed_is_left_out_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "_program", lambda name: None)
    with ExitStack() as stack:
        stage = peers.Stage(stack)
        assert stage.smstools(True) == stage.gammu() == []
        assert stage.missing == ["smstools3", "gammu-smsd"]


# ------------------------------------------------------------------------------------------ report


def test_a_verdict() -> None:
    assert report.at_most("x", 2, 2, "ms").ok and not report.at_most("x", 2.01, 2, "ms").ok
    assert report.at_least("x", 2, 2, "").ok and not report.at_least("x", 1.99, 2, "").ok
    assert report.all_of("x", 3, 3).ok and not report.all_of("x", 4, 3).ok and not report.all_of("x", 0, 0).ok
    assert report.rank([3, 1, 2], 0.5) == 2 and report.rank([], 0.5) == math.inf
    assert [report.said(v, "ms") for v in (0.5, 12, 837.04, 13_863.2)] == ["0.50 ms", "12 ms", "837.0 ms", "13,863 ms"]


def test_the_road_gets_its_goals() -> None:
    found = report.of(
        {
            "bytes a call, batch of 500": 9.5, "receiver alone, 16 a batch, ev/s": 20_000,
            "bytes a call, batch of 1": 99,
            "backlog of 100000 events, one box, ev/s": 19_000,
            "uplink, PSS MB, a quarter of the way and at the end": [10.0, 11.0],
        }
    )  # fmt: skip
    assert [figure.ok for figure in found] == [False, True, None, False, True]
    well_formed(found)


def test_a_run_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "latest.json"
    monkeypatch.setattr(report.write, "__defaults__", (kept,))
    monkeypatch.setattr(calls, "measure", lambda quick: [report.at_most("a hang-up", 1.2, 1.5, "ms")])
    monkeypatch.setattr(storm, "measure", lambda quick: 1 / 0)
    assert front.main(["--quick", "calls", "storm"]) == 1
    told = capsys.readouterr().out
    assert "a hang-up" in told and "reached" in told and "failed: ZeroDivisionError" in told
    run = json.loads(kept.read_text())
    assert run["quick"] and run["machine"]["cores"] and run["seeds"]["storm"]
    assert run["measurements"]["calls"]["figures"] == [
        {"name": "a hang-up", "value": 1.2, "unit": "ms", "to reach": "<= 1.50 ms", "reached": True}
    ]
    with pytest.raises(SystemExit):
        front.main(["nothing"])


# --------------------------------------------------------------------------------------- the leash

HOLDS = """
import sys
import time
from pathlib import Path
from bench.fleet import leash
with leash(["/bin/sh", "-c", "echo $$; exec sleep 600"], Path(sys.argv[1])):
    time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_it_starts_dies_with_it(tmp_path: Path, number: signal.Signals) -> None:
    log = tmp_path / "log"
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(log)], cwd=fleet.ROOT) as holder:
        fleet.until(lambda: log.exists() and log.read_text().strip(), 20, "it runs")
        child = int(log.read_text())
        os.kill(holder.pid, number)
    fleet.until(lambda: not status.alive(child), 10, "it was taken along")


def test_a_leash_that_is_let_go(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with fleet.leash(["/bin/sh", "-c", "echo $$; exec sleep 600"], log):
        fleet.until(log.read_text, 20, "it runs")
        child = int(log.read_text())
    assert not status.alive(child)
