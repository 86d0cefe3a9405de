"""The helper's side of the recogniser (`edge.recognise`): what a caller says in place of a key, cut out, handed over.

Only short talk into silence is listened to. What is said over a prompt may be the prompt's own echo, what is said into
a recording is a message, and what is long is no command. One stretch at a time: what comes meanwhile is dropped, and
so is an answer that comes when the conversation has moved on. A recogniser that has died is not started again: the
keys are enough for the rest of this process's life.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Any

from edge.dialogue import RATE

BEFORE = RATE * 2 * 3 // 10  # bytes: speech is told 0.1 s after it began, and a soft beginning is not told at all
MOST = RATE * 2 * 3  # bytes of a stretch


class Words:
    """The recogniser of one line in `language`; without one nothing is started, and nothing is ever heard. `fd` is
    readable when there is an answer; -1 when there is no recogniser. Start it before any thread."""

    def __init__(self, language: str, module: str = "edge.recognise") -> None:
        self._language = language.split(":")[1] if ":" in language else language  # vosk:LANGUAGE:MODEL
        self.fd = -1
        self._before = b""
        self._stretch: bytearray | None = None
        self._asked = self._stale = False  # an answer is to come; nobody wants it any more
        if not language:
            return
        import subprocess  # here, not above: a helper without a recogniser carries none of it

        from edge.supervise import tied

        self._socket, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, str(its.fileno()), language],
                stdin=subprocess.DEVNULL, pass_fds=(its.fileno(),), preexec_fn=tied(os.getpid()),
            )  # fmt: skip
        self._socket.setblocking(False)
        self.fd = self._socket.fileno()

    @property
    def pid(self) -> int:
        return self._process.pid

    def feed(self, pcm: bytes) -> None:
        """The caller's sound."""
        if self._stretch is None:
            self._before = (self._before + pcm)[-BEFORE:] if self.fd >= 0 else b""
        elif len(self._stretch) < MOST:
            self._stretch += pcm
        else:
            self._stretch = None

    def began(self) -> None:
        """She talks: with the last sound that was fed, and nothing of ours can be heard in it."""
        if self.fd >= 0:
            self._stretch = bytearray(self._before)

    def ended(self) -> None:
        """She has fallen silent: ask what it was."""
        stretch, self._stretch = self._stretch, None
        if not stretch or self._asked:
            return
        try:
            self._socket.send(stretch)
            self._asked, self._stale = True, False
        except BlockingIOError:
            pass
        except OSError:
            self._lost()

    def forget(self) -> None:
        """What she was saying does not matter any more."""
        self._stretch, self._stale = None, True

    def answer(self) -> dict[str, Any]:
        """What was understood, as a message to the line; empty when that is nothing."""
        try:
            data = self._socket.recv(4096)
        except BlockingIOError:
            return {}
        except OSError:
            data = b""
        if not data:
            self._lost()
            return {}
        self._asked = False
        told: dict[str, Any] = {} if self._stale else json.loads(data)
        return {**told, "language": self._language} if told else {}

    def close(self) -> None:
        """End the recogniser: keys only."""
        if self.fd >= 0:
            self.fd, self._stretch = -1, None
            self._socket.close()
            self._process.kill()
            self._process.wait()

    def _lost(self) -> None:
        print("the recogniser of words has ended: keys only", file=sys.stderr, flush=True)
        self.close()
