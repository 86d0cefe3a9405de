"""An embedded broker, for a demo on a machine where nothing may be installed: amqtt, MQTT 3.1.1, loopback only.

It keeps what our road needs and no more: QoS 1 to whoever is connected, retained states, last wills. Like
every broker of ours it is trusted with nothing: a box keeps its rows until HQ's own acknowledgement. It has
no passwords, so it must not listen anywhere else; production uses mosquitto (`firmware_config/mosquitto.conf`).
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import subprocess
import sys
import time

_START_S = 15.0


async def _serve(port: int) -> None:
    from amqtt.broker import Broker  # here: it is wanted by a demo only, and it is heavy

    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await broker.start()
    await stop.wait()
    await broker.shutdown()


def run(port: int) -> int:
    """The broker in the foreground, until SIGTERM. 1 after one line on stderr when the port is taken."""
    logging.disable(logging.CRITICAL)  # it calls a client that asks for MQTT 5 an error
    try:
        asyncio.run(_serve(int(port)))
    except Exception as error:  # amqtt wraps whatever went wrong in errors of its own
        print(f"embedded broker: port {port} of 127.0.0.1 cannot be used: {error}", file=sys.stderr)
        return 1
    return 0


def start_embedded(port: int) -> subprocess.Popen[bytes]:
    """The broker as a child that answers on `port` when this returns; end it with SIGTERM.

    Raises OSError when it does not come up."""
    child = subprocess.Popen([sys.executable, "-m", "sync.broker", str(port)])
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and child.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return child
        time.sleep(0.05)
    child.kill()
    child.wait()
    raise OSError(f"the embedded broker did not start on port {port}")


if __name__ == "__main__":
    sys.exit(run(int(sys.argv[1])))
