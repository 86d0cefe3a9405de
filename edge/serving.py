"""A web page on a port of this machine, until a signal: for the office's page and headquarters'.

Rules of this room
- Small answers go out at once (TCP_NODELAY). asyncio asks for that only on sockets that name TCP as their protocol, and
  those of `socket.create_server` do not: the second half of each answer would wait 40 ms for the reader's receipt.
"""

from __future__ import annotations

import signal
import socket
import sys
from typing import Any

import uvicorn

from edge.gate import address


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises OSError."""
    ears = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    ears.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # whoever is accepted has it too
    return ears


def serve(app: Any, host: str, port: int, named: str) -> int:
    """Serve an ASGI application until SIGTERM or SIGINT; 0 then, 1 after one line on stderr when the port is taken.
    `named` says in it which setting chose the port."""
    # whom a proxy speaks for is the application's to decide
    how = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, http="h11", proxy_headers=False)
    server = uvicorn.Server(how)
    try:
        ears = listen(host, port)
    except OSError as why:
        print(f"{named}: cannot listen on {host}:{port}: {why.strerror}; allowed: a free port", file=sys.stderr)
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: setattr(server, "should_exit", True))  # early; uvicorn takes them over
    with ears:
        print(f"page: {address(host, ears.getsockname()[1])}", flush=True)
        server.run(sockets=[ears])
    return 0
