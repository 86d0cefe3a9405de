"""The sound of the call that is up: what she says, what she hears, and the audio port between.

Everything is s16le, 8 kHz. From the answer on one frame of 20 ms passes each way at a time, on times
counted from the answer, so that nothing drifts. Where the family has an audio port, and it is on, the
caller's frames leave through it and the host's bytes are gathered in a short buffer that the frames
she hears are taken from. A frame that is not there when its moment comes is silence, and counted.

The host's bytes carry no time of their own: `audio_in` says that they were written by `now`, so a
server that is late itself gives them the benefit of the doubt.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tools.simmodem import tones
from tools.simmodem.player import Player, Recorder

if TYPE_CHECKING:
    from tools.simmodem.calls import Call
    from tools.simmodem.modem import SimModem

FRAME, FRAME_S = 320, 0.02
SILENCE = bytes(FRAME)
_KEY_GAP_MS = 80  # between keys that are pressed at once
_UNREAD = 50 * FRAME  # what the modem keeps of its sound for a host that does not fetch it


class Sound:
    """`call` is the one that is up, or None; `on`: the audio port is switched to it."""

    def __init__(self, modem: SimModem) -> None:
        self._m = modem
        self.call: Call | None = None
        self.on = False
        self.port_gone = False
        self.player: Player | None = None
        self.recorder: Recorder | None = None
        self._speech, self._keys = bytearray(), bytearray()
        self._keys_free_at = 0.0
        self._out, self._in = bytearray(), bytearray()
        self._odd = b""
        self._flowing, self._ready = False, True

    # ------------------------------------------------------------------------------- the call

    def begin(self, call: Call, now: float) -> None:
        """The call is up."""
        self.call = call
        self._speech.clear()
        self._keys.clear()
        self._keys_free_at = now
        if self._m.family.pcm == "+QPCMV":  # armed before the answer, and for every call after
            self.switch(self._m.settings["+QPCMV"].startswith("1,0"))
        for after, key in call.presses:
            self._m.at(now + after, partial(self._scripted, call, key, b""))
        for after, pcm in call.says:
            self._m.at(now + after, partial(self._scripted, call, "", pcm))
        if self._m.family.pcm or self._m.family.files:
            self._m.at(now + FRAME_S, partial(self._tick, call, 1))

    def end(self, call: Call, now: float) -> None:
        """A call is over, whichever it was."""
        if call is not self.call and (self.call is not None or self._m.line.calls):
            return  # another one is up, or being set up
        if call is self.call:
            self.call = None
            self._m.drive.call_ended(now)
        self.switch(False)
        if self._m.family.pcm == "+CPCMREG":
            self._m.settings["+CPCMREG"] = "0"

    def switch(self, on: bool) -> None:
        """The audio port on or off; what was under way in it is lost."""
        self.on, self._flowing, self._ready = on, False, True
        self._out.clear()
        self._in.clear()
        self._odd = b""

    # ------------------------------------------------------------------------------- her side

    def speak(self, pcm: bytes) -> None:
        """She says this, behind what she is saying already and the keys that she presses. Lost when no
        call is up."""
        if self.call is not None:
            self._speech += bytes(max(0, len(self._keys) - len(self._speech)))
            self._speech += pcm[: len(pcm) & ~1]

    def press(self, key: str, now: float, ms: float) -> None:
        """She presses a key: its tone in place of her voice, and the modem's URC where it has one and
        was told to. Keys pressed at once follow one another. Raises ValueError when there is no such."""
        tone = tones.tone(key, ms)
        if self.call is None:
            return
        begins = max(now, self._keys_free_at)
        self._keys_free_at = begins + (ms + _KEY_GAP_MS) / 1000
        self._keys += tone + tones.silence(_KEY_GAP_MS)
        call, told_at = self.call, begins + min(ms / 1000, self._m.options.dtmf_urc_s)
        self._m.in_this_life(told_at, lambda t: self._tell(call, key.upper(), t))

    def _scripted(self, call: Call, key: str, pcm: bytes, now: float) -> None:
        if call is not self.call:
            return
        if key:
            self.press(key, now, 100)
        else:
            self.speak(pcm)

    def _tell(self, call: Call, key: str, now: float) -> None:
        family = self._m.family
        name, value = family.dtmf_switch
        wanted = self._m.options.dtmf_urc is not False and self._m.settings.get(name, "").startswith(value)
        if call is self.call and family.dtmf and wanted:
            frame = "\r\r\n" if family.double_cr else "\r\n"
            self._m.wire.urc((family.dtmf.format(key=key, ascii=ord(key)),), now, frame)

    # ------------------------------------------------------------------------- the audio port

    def taken_in(self, data: bytes, now: float) -> None:
        """Bytes that the host wrote to the audio port."""
        if not self.on or self.call is None or self.port_gone or "pcm-stall" in self._m.faults:
            return
        data = self._odd + data
        whole = len(data) & ~1
        self._odd = data[whole:]
        room = max(0, self._m.options.playout_max_ms * 16 - len(self._in))
        self._in += data[: min(whole, room)]
        if whole > room:
            self.call.overruns += -(-(whole - room) // FRAME)
            self._flow(False, now)

    def _flow(self, ready: bool, now: float) -> None:
        """Quectel's modems ask the host to pause, and to go on."""
        if self._m.family.pcm == "+QPCMV" and ready is not self._ready:
            self._ready = ready
            self._m.urc(f"+QPCMV: {int(ready)}", now)

    def taken_out(self) -> bytes:
        """What the modem has written to it."""
        length = len(self._out) - len(self._out) % (FRAME * self._m.options.pcm_frames)
        if "pcm-odd" in self._m.faults and length:
            length -= 1 - length % 2 + 2 * self._m.rng.randrange(min(50, (length + 1) // 2))
        out = bytes(self._out[:length])
        del self._out[:length]
        return out

    # ---------------------------------------------------------------------------------- frames

    def _tick(self, call: Call, count: int, now: float) -> None:
        if call is not self.call or call.answered_at is None:
            return
        said, heard = self._mouth(), self._ear(call, now)
        call.said += said
        call.heard += heard
        over = len(call.heard) - int(self._m.options.keep_s * 50) * FRAME
        if over > 0:
            del call.said[:over], call.heard[:over]
            call.forgotten += over
        if self.on and not self.port_gone and "pcm-silent" not in self._m.faults:
            self._out += said
            del self._out[: max(0, len(self._out) - _UNREAD)]
        if self.recorder is not None and not self.recorder.take(said if self.recorder.far else heard):
            self._m.drive.full(now)
        if call.listen is not None:
            call.listen(heard)
        self._m.at(call.answered_at + FRAME_S * (count + 1), partial(self._tick, call, count + 1))

    def _mouth(self) -> bytes:
        if not self._speech and not self._keys:
            return SILENCE
        speech, keys = bytes(self._speech[:FRAME]), bytes(self._keys[:FRAME])
        del self._speech[:FRAME], self._keys[:FRAME]
        return (keys + speech[len(keys) :]).ljust(FRAME, b"\0")

    def _ear(self, call: Call, now: float) -> bytes:
        live = self._from_port(call) if self.on else SILENCE
        if len(self._in) <= self._m.options.playout_max_ms * 8:  # half empty
            self._flow(True, now)
        if self.player is None or self.player.aloud:
            return live
        frame = self.player.frame()
        if self.player.over:
            self._m.drive.played(now)
        return frame

    def _from_port(self, call: Call) -> bytes:
        if not self._flowing and len(self._in) < self._m.options.playout_frames * FRAME:
            return SILENCE
        self._flowing = True
        if len(self._in) < FRAME:
            call.underruns += 1
            return SILENCE
        frame = bytes(self._in[:FRAME])
        del self._in[:FRAME]
        return frame
