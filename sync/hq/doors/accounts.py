"""Accounts: who is let in, with a code that works once; what they may do; and their end.

Rules of this room
- No account has a password that somebody else has set. An admin makes it and hands over a code, and whoever joins with
  it chooses the password. The first admin's code is printed where headquarters is started, while there is none.
- The last admin can neither be ended nor become something else.
- An account that has ended stays in the list, so that the log's names keep their meaning; its name is not given again.
"""

from __future__ import annotations

import unicodedata

from sync.hq.doors import codes, second, sessions
from sync.hq.doors.roles import ROLES
from sync.hq.pages.ask import Refused
from sync.hq.sql import Db, Row

FIRST_MS = 3_600_000  # the first admin's code is good for an hour,
JOIN_MS = 7 * 86_400_000  # others for a week
WRONG_CODE = "This code and this name do not fit, or the code was used or is too old. Ask an admin for a new one."
_ADMINS = "SELECT count(*) FROM account WHERE role = 'admin' AND ended_ms IS NULL AND password <> '' AND id <> :but"
_MAKE = (
    "INSERT INTO account (name, role, district, ward, language, totp_next, made_ms)"
    " VALUES (:name, :role, :district, :ward, :language, :totp, :now) RETURNING id"
)
_CHANGE = "UPDATE account SET role = :role, district = :district, ward = :ward WHERE id = :id"
_RESET = "UPDATE account SET password = '', totp = '', totp_next = :totp, totp_step = 0 WHERE id = :id"
_LIST = (
    "SELECT a.id, a.name, a.role, a.district, a.ward, a.password <> '' AS joined, a.totp <> '' AS second, a.ended_ms,"
    " (SELECT max(s.seen_ms) FROM session AS s WHERE s.account_id = a.id) AS seen_ms"
    " FROM account AS a ORDER BY CASE WHEN a.ended_ms IS NULL THEN 0 ELSE 1 END, a.name"
)


def has_admin(desk: Db, but: int = 0) -> bool:
    """Is there an admin who can sign in, other than the account `but`?"""
    return bool(desk.value(_ADMINS, but=but))


def first_code(desk: Db, now_ms: int) -> str:
    """A new code for the first admin, the one before it void; "" when there is an admin."""
    with desk.transaction():
        if has_admin(desk):
            return ""
        return codes.give(desk, codes.FIRST, codes.JOIN, now_ms + FIRST_MS)[0]


def folded(name: str) -> str:
    """A name as it is compared: small letters, one form of each."""
    return unicodedata.normalize("NFKC", name[:200]).strip().lower()


def plain(name: str) -> str:
    """A name as it is kept, folded. Raises Refused."""
    text = folded(name)
    letters = all(unicodedata.category(char)[0] in "LMN" or char in " .-_" for char in text)
    if not 2 <= len(text) <= 40 or not letters or not text[0].isalnum():
        raise Refused("A name has 2 to 40 letters, digits, spaces, points or dashes, and begins with a letter.")
    return text


def make(desk: Db, name: str, role: str, district: str, ward: str, language: str, now_ms: int) -> tuple[int, str]:
    """A new account and the code to join with. Raises Refused."""
    name = plain(name)
    _check(role, ward)
    desk.lock("account")
    if desk.value("SELECT count(*) FROM account WHERE name = :name", name=name):
        raise Refused("There is an account of this name already. Take another name.")
    account = int(desk.value(_MAKE, name=name, role=role, district=district.strip(), ward=ward.strip(),
                             language=language, totp=second.secret(), now=now_ms))  # fmt: skip
    return account, codes.give(desk, account, codes.JOIN, now_ms + JOIN_MS)[0]


def join(desk: Db, name: str, code: str, kept: str, language: str, now_ms: int) -> Row:
    """Spend a code: the account with its first password, whose hash is `kept`. Raises Refused."""
    name = plain(name)
    desk.lock("account")
    found = desk.row("SELECT id FROM account WHERE name = :name AND ended_ms IS NULL AND password = ''", name=name)
    if not has_admin(desk) and codes.use(desk, code, codes.FIRST, codes.JOIN, now_ms):
        if desk.value("SELECT count(*) FROM account WHERE name = :name", name=name):
            raise Refused("There is an account of this name already. Take another name.")
        account, _ = make(desk, name, "admin", "", "", language, now_ms)
        desk.run("DELETE FROM code WHERE account_id = :id", id=account)
    elif found and codes.use(desk, code, found["id"], codes.JOIN, now_ms):
        account = found["id"]
    else:
        raise Refused(WRONG_CODE)
    desk.run("UPDATE account SET password = :kept WHERE id = :id", kept=kept, id=account)
    return one(desk, account)


def change(desk: Db, account: int, role: str, district: str, ward: str) -> None:
    """Give an account another role or place; it signs in anew. Raises Refused."""
    _check(role, ward)
    desk.lock("account")
    before = one(desk, account)
    if before["role"] == "admin" and role != "admin":
        _spare_the_last(desk, before)
    desk.run(_CHANGE, role=role, district=district.strip(), ward=ward.strip(), id=account)
    sessions.end_all(desk, account)


def reset(desk: Db, account: int, now_ms: int, console: bool = False) -> str:
    """Somebody has lost password or telephone: both are void, and there is a new code to join with. The last admin's
    only at the console. Raises Refused."""
    desk.lock("account")
    if not console:
        _spare_the_last(desk, one(desk, account))
    desk.run(_RESET, totp=second.secret(), id=account)
    desk.run("DELETE FROM code WHERE account_id = :id", id=account)
    sessions.end_all(desk, account)
    return codes.give(desk, account, codes.JOIN, now_ms + JOIN_MS)[0]


def end(desk: Db, account: int, now_ms: int) -> None:
    """End an account, and its sessions at once. Raises Refused."""
    desk.lock("account")
    _spare_the_last(desk, one(desk, account))
    desk.run("UPDATE account SET ended_ms = :now, password = '', totp = '' WHERE id = :id", now=now_ms, id=account)
    desk.run("DELETE FROM code WHERE account_id = :id", id=account)
    sessions.end_all(desk, account)


def one(desk: Db, account: int) -> Row:
    """An account that has not ended. Raises Refused."""
    row = desk.row("SELECT * FROM account WHERE id = :id AND ended_ms IS NULL", id=account)
    if row is None:
        raise Refused("There is no such account, or it has ended.")
    return row


def named(desk: Db, name: str) -> int:
    """The account of that name, if it has not ended. Raises Refused."""
    account = desk.value("SELECT id FROM account WHERE name = :name AND ended_ms IS NULL", name=folded(name))
    if account is None:
        raise Refused("There is no such account, or it has ended.")
    return int(account)


def everyone(desk: Db) -> list[Row]:
    """All accounts for the list, those that have ended last; no secret among their columns."""
    return desk.rows(_LIST)


def _check(role: str, ward: str) -> None:
    if role not in ROLES:
        raise Refused("There is no such role.")
    if role == "volunteer" and not ward.strip():
        raise Refused("A volunteer needs a ward: she sees its list and nothing else.")


def _spare_the_last(desk: Db, row: Row) -> None:
    if row["role"] == "admin" and row["password"] and not has_admin(desk, but=row["id"]):
        raise Refused("This is the only admin. Let another one in first.")
