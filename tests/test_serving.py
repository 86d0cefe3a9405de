"""What both web pages are served by."""

from __future__ import annotations

import socket

import pytest

from edge import serving


def accepted(ears: socket.socket) -> int:
    """Does one who is accepted get small answers at once?"""
    with ears, socket.create_connection(ears.getsockname()[:2]), ears.accept()[0] as spoken:
        return spoken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_an_answer_in_two_pieces_does_not_wait_for_a_receipt() -> None:
    assert accepted(serving.listen("127.0.0.1", 0))
    assert not accepted(socket.create_server(("127.0.0.1", 0))), "else `listen` need not ask for it"


def test_a_port_that_is_taken_is_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    with serving.listen("127.0.0.1", 0) as ears:
        assert serving.serve(None, "127.0.0.1", ears.getsockname()[1], "hq.toml: web.listen") == 1
    assert "hq.toml: web.listen: cannot listen on" in capsys.readouterr().err
