"""The helper on a simulated modem's audio port: what the caller hears, what she says, and ports that misbehave."""

from __future__ import annotations

import select
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.port import Port
from edge.voice import Voice
from edge.wavfile import header
from tools.simmodem import Farm
from tools.simmodem.calls import Call

FRAME = 320
PATIENCE_S = 60.0
SWITCH = {"huawei-voice": ("ATA", "AT^DDSETEX=2"), "sim7600": ("ATA", "AT+CPCMREG=1"), "quectel-lte": ("AT+QPCMV=1,0", "ATA")}  # fmt: skip  # noqa: E501


def noise(length: int, seed: int = 1) -> bytes:
    return b"".join((1 + (seed * 9001 + n) % 9000).to_bytes(2, "little") for n in range(length // 2))


class Talk:
    """A call that is up on a modem, its audio port switched on and open."""

    def __init__(self, folder: Path, farm: Farm, family: str, **options: Any) -> None:
        self.folder, self.farm = folder, farm
        self.port = farm.add(family, **options)
        self.told: list[dict[str, Any]] = []
        self.voice = Voice()
        self.at = Port(str(self.port.path))
        self.call: Call = self.port.dial("+919812345678", talk_s=3600)
        assert farm.until(lambda: self.call.rang_at)
        for command in SWITCH[family]:
            self.at.write(command.encode() + b"\r")
            assert farm.until(lambda command=command: command in [seen for _, seen in self.port.modem.channel.seen])  # type: ignore[misc]
        assert farm.until(lambda: self.port.modem.sound.on)
        self.voice.send(do="open", port=str(self.port.audio_path), hear_first=family == "huawei-voice")

    def close(self) -> None:
        self.voice.close()
        self.at.close()

    def until(self, true: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not true():
            assert time.monotonic() < end, f"it never came true; told: {self.told}"
            if select.select([self.voice.fd], [], [], 0.01)[0]:
                self.told += self.voice.receive()

    def said(self, key: str) -> list[Any]:
        return [message[key] for message in self.told if key in message]

    def say(self, number: int, pcm: bytes) -> None:
        path = self.folder / f"{number}.wav"
        path.write_bytes(header(len(pcm)) + pcm)
        self.voice.send(do="say", id=number, files=[[str(path), 0]])

    def record(self) -> Path:
        path = self.folder / "take.wav"
        self.voice.send(do="record", take=1, file=str(path), most_s=30)
        self.until(path.exists)
        return path

    def stop(self) -> bytes:
        self.voice.send(do="stop", keep=True)
        self.until(lambda: self.said("recorded"))
        with wave.open(str(self.folder / "take.wav")) as file:
            return file.readframes(1 << 24)


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    with Farm(tmp_path / "ports") as farm:
        yield farm


@pytest.mark.parametrize("family", SWITCH)
def test_a_caller_hears_and_is_heard(tmp_path: Path, farm: Farm, family: str) -> None:
    talk = Talk(tmp_path, farm, family)
    prompt, speech = noise(FRAME * 40), noise(16_000, 3)
    talk.say(1, prompt)
    talk.until(lambda: talk.said("played"))
    assert prompt in talk.call.heard, "without a gap"
    for key in "159#":
        talk.port.press(key)
    talk.until(lambda: talk.said("key") == list("159#"))
    talk.record()
    talk.port.speak(speech)
    talk.until(lambda: speech in talk.call.said)
    said = len(talk.call.said)
    talk.until(lambda: len(talk.call.said) > said + 2 * FRAME)
    take = talk.stop()
    assert speech in take
    assert take in talk.call.said, "not a sample more or less"
    talk.close()


def test_samples_that_are_cut_in_two_are_put_together(tmp_path: Path, farm: Farm) -> None:
    talk = Talk(tmp_path, farm, "sim7600")
    talk.until(lambda: talk.said("open"))
    talk.port.fault("pcm-odd")
    talk.record()
    for key in "42":
        talk.port.press(key)
    speech = noise(32_000)
    talk.port.speak(speech)
    talk.until(lambda: talk.said("key") == ["4", "2"])
    talk.until(lambda: len(talk.call.said) > len(speech) + 60 * FRAME)
    assert talk.stop().strip(b"\0") in talk.call.said
    talk.close()


def test_a_modem_that_takes_no_sound_for_a_while(tmp_path: Path, farm: Farm) -> None:
    talk = Talk(tmp_path, farm, "sim7600")
    talk.until(lambda: talk.said("open"))
    talk.port.fault("pcm-stall")
    talk.say(1, noise(FRAME * 50))
    talk.until(lambda: talk.said("played"))
    talk.port.press("7")
    talk.until(lambda: talk.said("key") == ["7"])
    talk.port.fault_off("pcm-stall")
    prompt, said = noise(FRAME * 20, 5), 1

    def whole() -> bool:
        """Is a prompt heard whole again? One that began while the modem's backlog drained may have lost its head."""
        nonlocal said
        if said in talk.said("played") and prompt not in talk.call.heard:
            said += 1
            talk.say(said, prompt)
        return prompt in talk.call.heard

    talk.until(whole)
    talk.close()


def test_an_audio_port_that_goes_and_comes_back(tmp_path: Path, farm: Farm) -> None:
    talk = Talk(tmp_path, farm, "sim7600")
    talk.until(lambda: talk.said("open"))
    talk.port.fault("pcm-gone", 0.5)
    talk.until(lambda: talk.said("why"))
    assert set(talk.said("why")) == {"no-port"}
    talk.until(lambda: len(talk.said("open")) == 2)
    talk.say(1, noise(FRAME * 20))
    talk.until(lambda: noise(FRAME * 20) in talk.call.heard)
    talk.port.press("8")
    talk.until(lambda: talk.said("key") == ["8"])
    talk.close()


def test_an_audio_port_without_a_byte(tmp_path: Path, farm: Farm) -> None:
    talk = Talk(tmp_path, farm, "quectel-lte")
    talk.port.fault("pcm-silent")
    talk.until(lambda: talk.said("why") == ["no-sound"])
    talk.close()
