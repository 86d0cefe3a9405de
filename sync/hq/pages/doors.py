"""The pages at the door: signing in, joining with a code, one's own account, and what one reveals.

Each handler reads the form, lets a room of sync.hq.doors decide, and shows the same page again, with the reason in
words, when that refuses.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.responses import Response

from sync.hq import catalogue, things
from sync.hq.doors import accounts, codes, reveal, second, sessions, signin
from sync.hq.doors.roles import ANYONE, REVEAL, SIGNED_IN, STRONG
from sync.hq.pages.ask import Ask, Page, Refused
from sync.hq.pages.when import ago
from sync.hq.people import lists


def sign_in(ask: Ask) -> Response:
    """The way in; where there is no admin yet, the way to the first one."""
    if ask.session:
        return ask.go("/")
    return ask.go("/first") if not accounts.has_admin(ask.desk) else ask.page("sign_in.html", name="", why="")


def signed_in(ask: Ask) -> Response:
    try:
        return sessions.put(ask.go("/"), ask.config.origin, signin.sign_in(ask))
    except Refused as why:
        return ask.page("sign_in.html", _status(why), name=ask.form.get("name", ""), why=ask._(str(why)))


def first(ask: Ask) -> Response:
    """Joining with a code: the first admin's, or one that an admin has given."""
    return ask.page("first.html", name="", why="", none=not accounts.has_admin(ask.desk))


def joined(ask: Ask) -> Response:
    try:
        return sessions.put(ask.go("/"), ask.config.origin, signin.join(ask))
    except Refused as why:
        none = not accounts.has_admin(ask.desk)
        return ask.page("first.html", _status(why), name=ask.form.get("name", ""), why=ask._(str(why)), none=none)


def sign_out(ask: Ask) -> Response:
    assert ask.session
    sessions.end(ask.desk, ask.session.key)
    return _out(ask)


def sign_out_everywhere(ask: Ask) -> Response:
    with ask.change("signed out everywhere", f"account {ask.user.id}") as desk:
        sessions.end_all(desk, ask.user.id)
    return _out(ask)


def me(ask: Ask) -> Response:
    """One's own account."""
    return _me(ask)


def my_language(ask: Ask) -> Response:
    chosen = ask.form.get("language", "")
    if chosen not in catalogue.names():
        raise Refused("There is no such language here.")
    ask.desk.run("UPDATE account SET language = :chosen WHERE id = :id", chosen=chosen, id=ask.user.id)
    return ask.go("/me", catalogue.text(chosen, "Saved."))


def my_password(ask: Ask) -> Response:
    try:
        secret = signin.change_password(ask)
    except Refused as why:
        return _me(ask, _status(why), ask._(str(why)))
    return sessions.put(ask.go("/me"), ask.config.origin, secret)


def second_proof(ask: Ask) -> Response:
    """The telephone's codes: set up, or as they stand."""
    return _second(ask)


def second_picture(ask: Ask) -> Response:
    """The QR code for the app on the telephone; only while it is being set up."""
    account = accounts.one(ask.desk, ask.user.id)
    if account["totp"]:
        raise Refused("Your telephone is set up already.")
    return Response(second.picture(account["totp_next"], account["name"]), media_type="image/svg+xml")


def second_set_up(ask: Ask) -> Response:
    try:
        return ask.page("recovery.html", codes=signin.set_up(ask))
    except Refused as why:
        return _second(ask, _status(why), ask._(str(why)))


def second_taken_down(ask: Ask) -> Response:
    try:
        signin.take_down(ask)
    except Refused as why:
        return _second(ask, _status(why), ask._(str(why)))
    return ask.go("/me/second", ask._("Your telephone's codes are no longer asked for."))


def revealed(ask: Ask) -> Response:
    """A whole number, once, after its reason was written down."""
    name = f"{ask.form.get('store', '')}-{ask.form.get('seq', '')}"
    found = things.find(ask.events, name)
    if found is None:
        raise Refused("There is no such thing.")
    store, seq = found
    number = reveal.reveal(ask, store, seq, ask.form.get("reason", ""), _own_list)
    return ask.page("revealed.html", number=number, thing=name, back=_back(ask.form.get("back", "")))


def _own_list(ask: Ask, store: int, seq: int) -> bool:
    return lists.may_reveal(ask.desk, ask.user, store, seq, ask.now_ms)


def _must(ask: Ask) -> bool:
    """Is a second proof asked of this role?"""
    return ask.config.second_proof and ask.user.role in STRONG


def _me(ask: Ask, status: int = 200, why: str = "") -> Response:
    assert ask.session
    account = accounts.one(ask.desk, ask.user.id)
    browsers = [
        {"agent": row["agent"], "seen": ago(ask, row["seen_ms"]), "here": row["key"] == ask.session.key}
        for row in sessions.of(ask.desk, ask.user.id, ask.now_ms)
    ]
    return ask.page(
        "me.html", status, why=why, account=account, languages=catalogue.names(), browsers=browsers,
        second=bool(account["totp"]), must=_must(ask),
    )  # fmt: skip


def _second(ask: Ask, status: int = 200, why: str = "") -> Response:
    account = accounts.one(ask.desk, ask.user.id)
    return ask.page(
        "second.html", status, why=why, there=bool(account["totp"]), must=_must(ask),
        typed=second.typed(account["totp_next"]),
        left=codes.left(ask.desk, ask.user.id, codes.RECOVERY, ask.now_ms),
    )  # fmt: skip


def _out(ask: Ask) -> Response:
    answer = ask.go("/sign-in")
    answer.delete_cookie(sessions.cookie(ask.config.origin), path="/", secure=bool(ask.config.origin), httponly=True,
                         samesite="strict")  # fmt: skip
    return answer


def _status(why: Refused) -> int:
    return 429 if isinstance(why, signin.Slow) else 400


def _back(where: str) -> str:
    """An address of ours, whatever the form says."""
    parts = urlsplit(where)
    ours = where.startswith("/") and not where.startswith("//") and "\\" not in where
    return where if ours and not parts.scheme and not parts.netloc else "/"


ROUTES: list[Page] = [
    Page("/sign-in", sign_in, ANYONE),
    Page("/sign-in", signed_in, ANYONE, "POST"),
    Page("/first", first, ANYONE),
    Page("/first", joined, ANYONE, "POST"),
    Page("/sign-out", sign_out, SIGNED_IN, "POST"),
    Page("/me", me, SIGNED_IN),
    Page("/me/language", my_language, SIGNED_IN, "POST"),
    Page("/me/password", my_password, SIGNED_IN, "POST"),
    Page("/me/sign-out-everywhere", sign_out_everywhere, SIGNED_IN, "POST"),
    Page("/me/second", second_proof, SIGNED_IN),
    Page("/me/second", second_set_up, SIGNED_IN, "POST"),
    Page("/me/second/off", second_taken_down, SIGNED_IN, "POST"),
    Page("/me/second.svg", second_picture, SIGNED_IN),
    Page("/reveal", revealed, REVEAL, "POST"),
]
