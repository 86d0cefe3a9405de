"""The module's own files, for the kinds that store, play and record sound by themselves.

A file is known by its name without a drive ("C:/", "UFS:"); folders there are none. What is played is
heard by the far end, a frame every 20 ms; what is recorded is what it says. Both end with the call, and
a recording that was under way is kept.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from tools.simmodem.player import Player, Recorder, sound_of, wav

if TYPE_CHECKING:
    from tools.simmodem.modem import SimModem

_BYTES_A_SECOND = 16_000


class Drive:
    """`files` is everything on it."""

    def __init__(self, modem: SimModem) -> None:
        self._m = modem
        self.files: dict[str, bytes] = {}
        self._state = "AUDIO"

    @property
    def free(self) -> int:
        return max(0, self._m.options.disk - sum(len(data) for data in self.files.values()))

    # -------------------------------------------------------------------------------- play

    def play(self, name: str, times: int, aloud: bool, now: float, state: str = "AUDIO") -> bool:
        """Begin; False when there is no such file or another one plays. `aloud`: to the loudspeaker
        that no caller hears."""
        file = self.files.get(name)
        if file is None or self._m.sound.player is not None:
            return False
        sound = sound_of(file)
        self._state = state
        if sound is None:
            self._played(("error", "error"), now)
            return True
        if self._m.family.files == "simcom":
            self._m.channel.afterwards.append((self._told("play"),))
        self._m.sound.player = player = Player(name, sound, times, aloud)
        if aloud:
            seconds = times * len(sound) / _BYTES_A_SECOND
            self._m.in_this_life(now + seconds, lambda t: self.played(t) if self._m.sound.player is player else None)
        return True

    def stop(self, now: float) -> None:
        """We stop it."""
        if self._m.sound.player is not None:
            self._m.sound.player = None
            self._played(("stop", ""), now)

    def played(self, now: float) -> None:
        """It has been heard to its end, or the call was over before."""
        self._m.sound.player = None
        told = self._told("play stop") if self._m.family.files == "simcom" else "+QPSND: 0"
        self._m.urc(told, now)

    def _played(self, how: tuple[str, str], now: float) -> None:
        """Tell it behind the OK of the command that is being obeyed: SIMCom's word, and Quectel's."""
        simcom, quectel = how
        if self._m.family.files == "simcom":
            self._m.channel.afterwards.append((self._told(f"play {simcom}"),))
        elif quectel:
            self._m.channel.afterwards.append(("+QPSND: 0",))

    def _told(self, what: str) -> str:
        return f"+{self._state}STATE: {self._state.lower()} {what}"

    # ------------------------------------------------------------------------------ record

    def record(self, name: str, far: bool, seconds: float) -> bool:
        """Begin; False when one is under way. `far`: the far end, else what it hears."""
        if self._m.sound.recorder is not None:
            return False
        room = int(min(self.free - 44, seconds * _BYTES_A_SECOND))
        self._m.sound.recorder = Recorder(name, max(0, room), far)
        return True

    def keep(self) -> bool:
        """Close the recording; False when there is none."""
        recorder, self._m.sound.recorder = self._m.sound.recorder, None
        if recorder is None:
            return False
        self.files[recorder.name] = wav(bytes(recorder.data))
        return True

    def full(self, now: float) -> None:
        """There is room for no more of the recording: it ends by itself."""
        self.keep()
        told = {"a76xx": "+CREC: file full", "sim7600": "+RECSTATE: crec stop"}
        self._m.urc(told.get(self._m.family.name, "+QAUDRIND: 0,3"), now)

    def call_ended(self, now: float) -> None:
        """Nobody hears or says anything more. That it is told as if it had come to its end is inferred."""
        if self._m.sound.player is not None and not self._m.sound.player.aloud:
            self.played(now)
        if self.keep() and self._m.family.files == "simcom":
            self._m.urc("+CREC: crec stop" if self._m.family.name == "a76xx" else "+RECSTATE: crec stop", now)

    def power_lost(self) -> None:
        """What was being recorded is lost; files stay."""
        self._m.sound.player = self._m.sound.recorder = None

    # ---------------------------------------------------------------------------- transfer

    def give(self, pieces: deque[bytes], now: float, lines: list[str], quiet: bool) -> None:
        """Write the pieces to the host as fast as `Options.file_rate` allows, then `lines` and OK. While
        `quiet` no URC comes between."""
        self._m.wire.hold(quiet)
        if pieces:
            piece = pieces.popleft()
            self._m.wire.data(piece, now)
            seconds = len(piece) / self._m.options.file_rate
            self._m.channel.later(seconds, now, lambda t: self.give(pieces, t, lines, quiet))
            return
        self._m.wire.hold(False)
        self._m.channel.reply(lines, "OK", now)


def checksum(data: bytes) -> int:
    """Quectel's: the exclusive or of all 16-bit words, high byte first, a last odd byte a high one."""
    high = low = 0
    for byte in data[::2]:
        high ^= byte
    for byte in data[1::2]:
        low ^= byte
    return high << 8 | low
