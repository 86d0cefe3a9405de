"""A line's side of its helper process (`edge.audio`, which lists the messages): start it, tell it, hear it, end it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from edge.supervise import tied

ENDING_S = 6.0  # it may have a take to close, on a slow card
_LONGEST_MESSAGE = 65536


class VoiceLost(Exception):
    """The helper has died, or takes nothing any more. `close` this one and start another."""


class Voice:
    """One helper process. `fd` is readable when it has said something, or died. Call it from one thread: the kernel
    kills the helper when the thread that started it ends."""

    def __init__(self, helper: Sequence[str] = ("-m", "edge.audio"), language: str = "") -> None:
        """Start it; returns before it is up. `helper` are the words for Python, the descriptor comes behind them, and
        then the language in which words are listened for, if any is."""
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            self._process = subprocess.Popen(
                [sys.executable, *helper, str(its.fileno()), *([language] if language else [])],
                stdin=subprocess.DEVNULL, pass_fds=(its.fileno(),), preexec_fn=tied(os.getpid()),
            )  # fmt: skip
        ours.setblocking(False)
        self._socket, self.fd = ours, ours.fileno()
        self._lost = False

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, **message: object) -> None:
        """Tell it something; never waits. Raises VoiceLost."""
        try:
            self._socket.send(json.dumps(message).encode())
        except OSError as error:
            self._lost = True
            raise VoiceLost(f"the helper takes nothing: {error.strerror}") from None

    def receive(self) -> list[dict[str, Any]]:
        """All that it has said since, perhaps nothing; never waits. Raises VoiceLost when it has died, once all
        that it said before has been given."""
        said: list[dict[str, Any]] = []
        while True:
            try:
                data = self._socket.recv(_LONGEST_MESSAGE)
            except BlockingIOError:
                return said
            except OSError:
                data = b""
            if data:
                said.append(json.loads(data))
            elif said:
                return said
            else:
                self._lost = True
                raise VoiceLost("the helper has died")

    def close(self) -> None:
        """End it; a take that runs is closed and kept. Waits for that, a few seconds at most; not for one that was
        lost."""
        self._socket.close()
        if self._lost:
            self._process.kill()
        try:
            self._process.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
