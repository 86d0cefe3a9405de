"""What the doors say and do on the console of headquarters' machine: who reads it there is trusted with all of it."""

from __future__ import annotations

import sqlite3
import sys
import time
from contextlib import closing

from sync.hq import sql, stores
from sync.hq.config import HqConfig
from sync.hq.doors import accounts, audit, passwords
from sync.hq.pages.ask import Refused


def announce(hq: HqConfig, address: str) -> None:
    """Print the first admin's code, a new one, while there is no admin. Raises what `stores.desk` raises."""
    passwords.ready()
    with closing(stores.desk(hq)) as desk:
        code = accounts.first_code(desk, int(time.time() * 1000))
    if code:
        print(f"no admin yet: open {address}first and join with the code {code} (once, within an hour)", flush=True)


def run(config_path: str, name: str) -> int:
    """`miscall hq code`: a new code for an account whose password or telephone is lost, when no admin is there to give
    one. 1 after one line on stderr when there is no such account."""
    from sync.hq import config

    now_ms = int(time.time() * 1000)
    try:
        with closing(stores.desk(config.load(config_path))) as desk, desk.transaction():
            account = accounts.named(desk, name)
            code = accounts.reset(desk, account, now_ms, console=True)
            audit.append(desk, now_ms, "(console)", "", "gave a new code", f"account {account}")
    except (config.ConfigError, Refused, sql.Unavailable, sqlite3.Error, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{code}   join with it within seven days, at the page's address /first")
    return 0
