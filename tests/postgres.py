"""A real PostgreSQL server for the tests: its own cluster in a temporary folder, on a free port of loopback.

It is started once a run, by whoever asks first; each `database()` is a new, empty one. `kill` is a kill -9 of the
whole server, `start` brings it back. Where no server is installed, the tests that need one skip by name.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
needs_postgres = pytest.mark.skipif(not BINARIES, reason="PostgreSQL is not installed: apt install postgresql")
SETTINGS = """
listen_addresses = '127.0.0.1'
max_connections = 60
shared_buffers = 128MB
max_wal_size = 2GB
logging_collector = off
"""


class Server:
    """One cluster. As root it runs under the user `postgres`, because PostgreSQL refuses root."""

    def __init__(self, folder: Path, settings: str = SETTINGS) -> None:
        self.folder = folder / "cluster"
        self._bin = BINARIES[-1].parent
        self._as = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._names = count(1)
        self._process: subprocess.Popen[bytes] | None = None
        if self._as:
            subprocess.run(["chown", "postgres", folder], check=True)
            for parent in (folder, *folder.parents):  # pytest's folders are closed to other users
                if parent != Path("/tmp") and parent.is_relative_to("/tmp"):
                    parent.chmod(parent.stat().st_mode | 0o011)
        self._run("initdb", "-D", str(self.folder), "-A", "trust", "-E", "UTF8", "--locale=C", "-U", "miscall")
        with (self.folder / "postgresql.conf").open("a") as config:
            config.write(f"{settings}\nport = {self.port}\nunix_socket_directories = '{self.folder}'\n")
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as, str(self._bin / program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", timeout=120)
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        log = (self.folder.parent / "log").open("ab")
        command = [str(self._bin / "postgres"), "-D", str(self.folder)]
        # our own child: a killed one that nobody waited for would still hold its lock file
        self._process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd="/", start_new_session=True, user="postgres" if self._as else None
        )
        log.close()
        deadline = time.monotonic() + 60
        while subprocess.run(
            [self._bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False
        ).returncode:
            assert time.monotonic() < deadline, (self.folder.parent / "log").read_text()[-2000:]
            time.sleep(0.05)

    def kill(self) -> None:
        """kill -9 of the server and all its processes."""
        if self._process:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
            deadline = time.monotonic() + 10
            while subprocess.run(["pgrep", "-f", str(self.folder)], capture_output=True, check=False).stdout:
                assert time.monotonic() < deadline, "the server outlives its kill"
                time.sleep(0.02)

    def database(self) -> str:
        """The address of a new, empty database."""
        name = f"t{os.getpid()}_{next(self._names)}"
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "miscall", name)
        return f"postgresql://miscall@127.0.0.1:{self.port}/{name}"

    def close(self) -> None:
        if self._process:
            os.killpg(self._process.pid, signal.SIGQUIT)  # at once: nobody needs what is in it any more
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """The run's server; skipped by name where there is none."""
    if not BINARIES:
        pytest.skip("PostgreSQL is not installed: apt install postgresql")
    with tempfile.TemporaryDirectory(prefix="miscall-pg-") as folder:
        server = Server(Path(folder))
        try:
            yield server
        finally:
            server.close()
