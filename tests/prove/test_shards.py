"""SIGKILL at headquarters of a nation: two receivers, each with its shards, on one PostgreSQL server.

Either receiver, the broker and the server itself are killed while boxes upload; who dies is started again, as systemd
would. In the end every row is there once, as many as the marks and the roll-ups say, every box knows it, and at no kill
did a box believe that a row was held which was not. Broken builds that must be caught: one that acknowledges before its
commit, and one that counts a group twice.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync import wire
from tests.postgres import Server, needs_postgres
from tests.prove.ground import need, share, until
from tests.prove.test_road import EARLY, Road, kill

pytestmark = [pytest.mark.prove, pytest.mark.timeout(3600), needs_postgres]

KILLS = 50  # of each of the four
SHARDS = ("00-31", "32-63")
# A receiver whose roll-ups take each row twice.
TWICE = """
from sync.hq.news import News
add = News.add
News.add = lambda self, *rows: [add(self, *rows) for _ in range(2)]
"""


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of this proof's own, for it is killed."""
    with tempfile.TemporaryDirectory(prefix="miscall-pg-") as folder:
        made = Server(Path(folder))
        try:
            yield made
        finally:
            made.close()


def nation(folder: Path, server: Server, boxes: int = 2) -> Road:
    return Road(folder, boxes, store=server.database(), shards=SHARDS)


def again(road: Road, which: int, broken: str = "") -> None:
    """Start a receiver anew, as often as it ends because the server is not there yet."""
    road.receivers[which] = road.receive(broken, which)


def test_the_boxes_speak_to_both_receivers() -> None:
    halves = [int(wire.shard(f"box-{number}")) // 32 for number in (1, 2)]
    assert sorted(halves) == [0, 1]


def test_every_row_is_there_once_whoever_is_killed(tmp_path: Path, server: Server) -> None:
    need("mosquitto")
    ways = ["receiver 0", "receiver 1", "broker", "server"] * share(KILLS)
    random.Random(5).shuffle(ways)
    with nation(tmp_path, server) as road:
        for way in ways:
            road.more()
            time.sleep(road.dice.random() * 0.3)
            if way == "broker":
                kill(road.broker)
                road.broker = road.processes.mosquitto(road.port)
            elif way == "server":
                server.kill()
                until(lambda: all(each.poll() == 1 for each in road.receivers), "receivers end without their store")
                server.start()
                road.nobody_is_deceived()
                for which in range(2):
                    again(road, which)
            else:
                which = int(way[-1])
                kill(road.receivers[which])
                road.nobody_is_deceived()
                again(road, which)
        road.more()
        road.finish()
    killed = Counter(ways)
    print("killed:", dict(killed))
    assert set(killed.values()) == {share(KILLS)} and len(killed) == 4


def test_an_acknowledgement_before_the_commit_is_caught(tmp_path: Path, server: Server) -> None:
    need("mosquitto")
    with nation(tmp_path, server) as road:
        road.more()
        kill(road.receivers[1])
        again(road, 1, EARLY)
        until(lambda: road.receivers[1].poll() is not None, "it acknowledges and dies")
        with pytest.raises(AssertionError, match="believed, not held"):
            road.nobody_is_deceived()


def test_roll_ups_that_count_twice_are_caught(tmp_path: Path, server: Server) -> None:
    need("mosquitto")
    with nation(tmp_path, server) as road:
        road.more()
        kill(road.receivers[0])
        again(road, 0, TWICE)
        time.sleep(1)
        road.more()
        with pytest.raises(AssertionError, match="roll-ups"):
            road.finish()
