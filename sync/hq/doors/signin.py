"""Signing in, joining, and the proofs that one's own page asks for again.

Rules of this room
- A wrong name, a wrong password, a wrong or a used code of the app, an account that has ended: one answer, after the
  same work. Who has the app's codes set up gives one beside the password, or a recovery code.
- Each try is booked before anything is looked at. A password is hashed outside of any transaction.
"""

from __future__ import annotations

import hashlib

from sync.hq.doors import accounts, audit, codes, pace, passwords, second, sessions
from sync.hq.pages.ask import Ask, Refused
from sync.hq.sql import Db, Row

WRONG = "This does not fit. Look at the name, the password and, if you have set it up, the code of your telephone."
_OF_NAME = "SELECT * FROM account WHERE name = :name AND ended_ms IS NULL"
_NOBODY: Row = {"id": 0, "password": "", "totp": "", "totp_step": 0, "address": "", "name": "", "role": ""}


class Slow(Refused):
    """Too many tries."""


def sign_in(ask: Ask) -> str:
    """The secret of a new session for what the form says. Raises Refused, `Slow` among them."""
    desk, name = ask.desk, accounts.folded(ask.form.get("name", ""))
    account = desk.row(_OF_NAME, name=name) or _NOBODY
    keys = _admitted(ask, name, account)
    password = ask.form.get("password", "")
    good = passwords.fits(account["password"], password)
    again = passwords.hashed(password) if good and passwords.stale(account["password"]) else ""
    with desk.transaction():
        if good:  # and nobody has ended or changed the account while it was hashed
            good = (desk.row(_OF_NAME, name=name) or _NOBODY)["password"] == account["password"]
        if good and account["totp"]:
            good = _second(desk, account, ask.form.get("code", ""), ask.now_ms)
        if good:
            pace.forgive(desk, keys)
            if again:
                desk.run("UPDATE account SET password = :kept WHERE id = :id", kept=again, id=account["id"])
            return _enter(ask, account, "signed in")
        _tell_of_tries(ask, keys, account)
    raise Refused(WRONG)


def join(ask: Ask) -> str:
    """The secret of the first session of who comes with a code. Raises Refused, `Slow` among them."""
    name, password = ask.form.get("name", ""), ask.form.get("password", "")
    _check_new(name, password, ask.form.get("again", ""))
    keys = _admitted(ask, accounts.folded(name), _NOBODY)
    kept = passwords.hashed(password)
    with ask.desk.transaction():
        account = accounts.join(ask.desk, name, ask.form.get("code", ""), kept, ask.language, ask.now_ms)
        pace.forgive(ask.desk, keys)
        return _enter(ask, account, "joined")


def prove(ask: Ask) -> Row:
    """The account of who asks, once `password` (and `code`, when one is set up) fit. Raises Refused, `Slow` among
    them; wrong answers are counted as at the door."""
    account = accounts.one(ask.desk, ask.user.id)
    keys = _admitted(ask, account["name"], account)
    good = passwords.fits(account["password"], ask.form.get("password", ""))
    with ask.desk.transaction():
        if good and account["totp"]:
            good = _second(ask.desk, account, ask.form.get("code", ""), ask.now_ms)
        if good:
            pace.forgive(ask.desk, keys)
    if not good:
        raise Refused(WRONG)
    return account


def change_password(ask: Ask) -> str:
    """A new password; all sessions of the account end, and the secret of a new one here is returned."""
    new = ask.form.get("new", "")
    _check_new(ask.user.name, new, ask.form.get("again", ""))
    prove(ask)
    kept = passwords.hashed(new)
    with ask.change("changed the password", f"account {ask.user.id}") as desk:
        desk.run("UPDATE account SET password = :kept WHERE id = :id", kept=kept, id=ask.user.id)
        sessions.end_all(desk, ask.user.id)
        return sessions.begin(desk, ask.user.id, ask.now_ms, _agent(ask))


def set_up(ask: Ask) -> list[str]:
    """Begin to ask for the app's codes, once one of them was given; ten recovery codes. Raises Refused."""
    account = accounts.one(ask.desk, ask.user.id)
    if account["totp"]:
        raise Refused("Your telephone is set up already.")
    _admitted(ask, account["name"], account)
    at = second.step(account["totp_next"], ask.form.get("code", ""), ask.now_ms, account["totp_step"])
    if at is None:
        raise Refused("This code does not fit. Look at the telephone's clock, and take the code that it shows now.")
    with ask.change("set up the telephone's codes", f"account {account['id']}") as desk:
        pace.forgive(desk, _keys(ask, account["name"], account))
        desk.run(
            "UPDATE account SET totp = totp_next, totp_next = :next, totp_step = :at WHERE id = :id",
            next=second.secret(), at=at, id=account["id"],
        )  # fmt: skip
        return codes.give(desk, account["id"], codes.RECOVERY, codes.NEVER, count=10)


def take_down(ask: Ask) -> None:
    """Ask for the app's codes no longer. Raises Refused."""
    account = prove(ask)
    with ask.change("took down the telephone's codes", f"account {account['id']}") as desk:
        desk.run("UPDATE account SET totp = '', totp_step = 0 WHERE id = :id", id=account["id"])
        desk.run("DELETE FROM code WHERE account_id = :id", id=account["id"])


def address(ask: Ask) -> str:
    """Where a request comes from: behind a proxy of this machine, what that one has added last."""
    here = ask.request.client.host if ask.request.client else ""
    told = ask.request.headers.get("x-forwarded-for", "") if ask.config.origin and here in ("127.0.0.1", "::1") else ""
    return told.rpartition(",")[2].strip() or here


def _enter(ask: Ask, account: Row, did: str) -> str:
    """Within a transaction: a new session, and none but it in this browser."""
    old = sessions.find(ask.desk, ask.request.cookies.get(sessions.cookie(ask.config.origin), ""), ask.now_ms)
    if old:
        sessions.end(ask.desk, old.key)
    ask.desk.run("UPDATE account SET address = :address WHERE id = :id", address=_digest(address(ask)),
                 id=account["id"])  # fmt: skip
    audit.append(ask.desk, ask.now_ms, account["name"], account["role"], did)
    return sessions.begin(ask.desk, account["id"], ask.now_ms, _agent(ask))


def _second(desk: Db, account: Row, code: str, now_ms: int) -> bool:
    """A code of the app that was not used, or a recovery code: spent by this."""
    at = second.step(account["totp"], code, now_ms, account["totp_step"])
    if at is None:
        return codes.use(desk, code, account["id"], codes.RECOVERY, now_ms)
    spend = "UPDATE account SET totp_step = :at WHERE id = :id AND totp_step < :at"
    return desk.run(spend, at=at, id=account["id"]) == 1


def _admitted(ask: Ask, name: str, account: Row) -> list[str]:
    """Book a try. Raises Slow."""
    keys = _keys(ask, name, account)
    wait = pace.book(ask.desk, keys, ask.now_ms)
    if wait > 60_000:
        raise Slow(ask._("Too many tries. Try again in {count} minutes.", count=-(-wait // 60_000)))
    if wait:
        raise Slow(ask._("Too many tries. Try again in {count} seconds.", count=-(-wait // 1000)))
    return keys


def _keys(ask: Ask, name: str, account: Row) -> list[str]:
    here = address(ask)
    known = [here] if account["address"] == _digest(here) else []
    return [pace.key("name", name, *known), pace.key("from", here)]


def _tell_of_tries(ask: Ask, keys: list[str], account: Row) -> None:
    """An entry in the log when a name has no free try left."""
    tries = ask.desk.value("SELECT tries FROM pace WHERE key = :key", key=keys[0])
    if tries == pace.FREE["name"]:
        who = f"account {account['id']}" if account["id"] else "no such account"
        audit.append(ask.desk, ask.now_ms, "", "", "failed to sign in five times", who)


def _check_new(name: str, new: str, again: str) -> None:
    if why := passwords.problem(new, name):
        raise Refused(why)
    if new != again:
        raise Refused("The two passwords are not the same. Type the new one twice.")


def _agent(ask: Ask) -> str:
    told = ask.request.headers.get("user-agent", "")
    return "".join(char for char in told if char.isprintable())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
