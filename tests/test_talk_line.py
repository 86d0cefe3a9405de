"""A talking box end to end: real processes on pseudo-terminals, a real broker, and headquarters.

A scripted caller hears real sound, presses keys into the sound, and talks; what she said must lie at headquarters.
The modem's own key marks are switched off wherever a tone is what is to be proved.
"""

from __future__ import annotations

import array
import io
import json
import math
import subprocess
import time
import wave
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from edge.campaign import load
from edge.ledger import Reader
from edge.wavfile import data_of, header
from sync.hq import export as hq_export
from tests.prove.ground import Processes, free_port, make_hq, need, until
from tests.talkrig import BACK, FILES, MENU, PCM
from tools.simmodem import Callee, Farm, PtyModem
from tools.simmodem.calls import Call

VOTER = "+919812345678"
PATHS = [(kind, True) for kind in PCM] + [(kind, False) for kind in FILES]
PROMPT_MS = 400


def melody(seconds: float, pitch: float = 220.0) -> bytes:
    """Something like speech, which never repeats itself: a gliding tone with syllables."""
    samples, phase = array.array("h"), 0.0
    for place in range(int(8000 * seconds)):
        t = place / 8000
        phase += 2 * math.pi * (pitch + 60 * math.sin(1.7 * t) + 25 * math.sin(0.61 * t * t)) / 8000
        loud = 0.55 + 0.45 * math.sin(2 * math.pi * 3.1 * t)
        samples.append(int(5000 * loud * (math.sin(phase) + 0.4 * math.sin(2 * phase))))
    return samples.tobytes()


def correlation(heard: bytes, said: bytes) -> float:
    """The largest normalised correlation of `said` with any stretch of `heard`, at steps of a sample near the best."""
    a, b = array.array("h", heard[: len(heard) & ~1]), array.array("h", said)
    best = 0.0
    coarse = max(range(0, max(1, len(a) - len(b)), 4), key=lambda lag: _dot(a, b, lag, 16), default=0)
    for lag in range(max(0, coarse - 8), min(max(1, len(a) - len(b)), coarse + 9)):
        part = a[lag : lag + len(b)]
        norm = math.sqrt(sum(x * x for x in part) * sum(y * y for y in b)) or 1.0
        best = max(best, sum(x * y for x, y in zip(part, b, strict=False)) / norm)
    return best


def _dot(a: Any, b: Any, lag: int, step: int) -> float:
    return float(sum(x * y for x, y in zip(a[lag : lag + len(b) : step], b[::step], strict=False)))


@dataclass
class Scene:
    """One box with one talking line, headquarters, and the modem."""

    folder: Path
    port: PtyModem
    hq: Path
    processes: Processes

    def exported(self, what: str) -> list[dict[str, Any]]:
        out = io.StringIO()
        hq_export.run(self.hq, what, "jsonl", out)
        return [json.loads(line) for line in out.getvalue().splitlines()]

    def step(self, what: str, node: str) -> None:
        """Wait until the ledger tells that step."""
        with closing(Reader(self.folder / "data" / "ledgers" / "l1.db")) as reader:

            def told() -> bool:
                steps = [row for row in reader.rows(0, 1000) if row[2] == "step" and row[10] == what]
                return any(json.loads(str(row[12])).get("node") == node for row in steps)

            until(told, f"{what} at {node}")


@pytest.fixture
def scene(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Scene]:
    kind, pcm, *more = request.param
    about, options = more if more else (MENU, {"dtmf_urc": None if not pcm else False})
    if kind == "a76xx":
        options = {"dtmf_urc": True}
    need("mosquitto")
    with Farm(tmp_path / "ports") as farm, Processes(tmp_path) as processes:
        port = farm.add(kind, name="m1", **options)
        broker = free_port()
        processes.mosquitto(broker)
        hq = make_hq(tmp_path, broker)
        processes.miscall("hq", "receive", hq, log="hq")
        _furnish(tmp_path, port, about, pcm, broker)
        processes.miscall("box", "run", tmp_path / "box.toml", log="box", MISCALL_PACE="0.05")
        until(lambda: _state(tmp_path).get("state") == "ready", "the line is ready")
        if not pcm:  # prompts are carried into the module first
            until(lambda: len(port.modem.files) > 5 and not _uploading(port), "the prompts are in the module")
        yield Scene(tmp_path, port, hq, processes)


def _uploading(port: PtyModem) -> bool:
    """Has a file been carried into the module a moment ago?"""
    moved = [at for at, line in port.modem.seen if "CFTRANRX" in line or "QFUPL" in line]
    return bool(moved) and time.monotonic() - moved[-1] < 1.0


def _state(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / "data" / "state" / "l1.json").read_text()))
    except (OSError, ValueError):
        return {}


def _furnish(folder: Path, port: PtyModem, about: str, pcm: bool, broker: int) -> None:
    prompts = folder / "campaigns" / "water"
    prompts.mkdir(parents=True)
    away = datetime.now(UTC).hour + 12  # nobody is rung at 12 hours from now, so that it does not matter when this runs
    about = about.replace("02:00-03:00", f"{away % 24:02}:00-{away % 24:02}:30")
    (folder / "campaigns" / "water.toml").write_text(about)
    menu = load(folder / "campaigns" / "water.toml").menu
    assert menu is not None
    for place, (name, language) in enumerate(sorted(menu.texts)):
        sound = melody(PROMPT_MS / 1000, 150 + 7 * place)
        (prompts / f"{name}.{language}.wav").write_bytes(header(len(sound)) + sound)
    audio = f'audio_port = "{port.audio_path}"' if pcm else ""
    (folder / "box.toml").write_text(
        f'[box]\nid = "box-1"\ndata = "data"\ncountry = "IN"\ntimezone = "UTC"\nclock = "trusted"\n'
        f'[box.text]\noffice = "Nashik"\n[hq]\nurl = "mqtt://127.0.0.1:{broker}"\n[page]\nlisten = ""\n'
        f'[[line]]\nname = "l1"\nnumber = "+919000000001"\ncampaign = "water"\nport = "{port.path}"\n{audio}\n'
    )


def heard(call: Call) -> float:
    """Seconds of sound, silence left out, that the caller has heard, roughly."""
    return (len(call.heard) - call.heard.count(0)) / 16_000


@pytest.mark.parametrize("scene", PATHS, indirect=True, ids=lambda p: f"{p[0]}-{'pcm' if p[1] else 'files'}")
def test_a_caller_presses_speaks_and_is_heard_at_headquarters(scene: Scene) -> None:
    port, farm = scene.port, scene.port.farm
    call = port.dial(VOTER, 20.0, talk_s=170)
    assert farm.until(lambda: call.fate, 20) and call.fate == "answered"
    assert farm.until(lambda: heard(call) > 0.3, 20), "she hears nothing"
    port.press("1")
    scene.step("enter", "main")
    port.press("1")
    scene.step("enter", "tell")
    scene.step("record", "tell")
    said = melody(4.0, 300)
    port.speak(said)
    assert farm.until(lambda: len(call.said) > 16000 and call.said.rstrip(b"\0").endswith(said[-64:]), 20)
    port.press("#")
    scene.step("goal", "tell")
    assert farm.until(lambda: call.ended_at, 60)
    until(lambda: [c for c in scene.exported("cases") if c["state"] == "new"], "the case is at headquarters")
    until(lambda: any(r["file"] for r in scene.exported("recordings")), "the recording is at headquarters")
    [recording] = scene.exported("recordings")
    [case] = scene.exported("cases")
    assert recording["number"] == case["number"] == VOTER
    assert recording["tags"] in ("water,complaint", ["water", "complaint"])
    wav = next((scene.folder / "data" / "recordings").glob("*.wav")).read_bytes()
    start, length = data_of(wav)
    middle = said[8000:-8000]
    assert correlation(wav[start : start + length], middle) > 0.95
    assert correlation(wav[start : start + length], melody(3.0, 500)) < 0.6  # and of something else it is not
    opus = scene.folder / "hq" / recording["file"]
    back = subprocess.run(
        ["opusdec", "--quiet", "--rate", "8000", str(opus), str(scene.folder / "back.wav")], check=False
    )
    if back.returncode == 0:
        with wave.open(str(scene.folder / "back.wav")) as decoded:
            assert abs(decoded.getnframes() - length // 2) < 8000 and decoded.getframerate() == 8000
    assert call.underruns == 0
    assert [c["outcome"] for c in scene.exported("calls")] == ["talked"]


@pytest.mark.parametrize("scene", [("quectel-lte", True, BACK, {"dtmf_urc": False})], indirect=True)
def test_a_missed_call_is_rung_back_and_answered_by_key(scene: Scene) -> None:
    port, farm = scene.port, scene.port.farm
    with farm.lock:
        port.modem.line.callees[VOTER] = Callee("answer", 0.5, 60.0)
    missed = port.dial(VOTER, 20.0)
    assert farm.until(lambda: missed.fate, 20) and missed.fate == "rejected"
    assert farm.until(lambda: any(c.outgoing and c.answered_at for c in port.modem.calls), 30)
    call = next(c for c in port.modem.calls if c.outgoing)
    assert farm.until(lambda: heard(call) > 0.3, 20)
    scene.step("enter", "language")
    port.press("1")
    scene.step("enter", "main")
    port.press("2")
    scene.step("enter", "vote")
    port.press("2")
    until(lambda: scene.exported("answers"), "the answer is at headquarters")
    [answer] = scene.exported("answers")
    assert (answer["value"], answer["node"], answer["number"]) == ("users", "vote", VOTER)
    assert farm.until(lambda: call.ended_at, 60)
    until(lambda: "called-back" in [c["outcome"] for c in scene.exported("calls")], "the call back is at headquarters")
    assert sorted(c["outcome"] for c in scene.exported("calls")) == ["called-back", "missed"]
