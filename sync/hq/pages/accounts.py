"""The admin's page of accounts, and the log for whoever checks it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from starlette.responses import Response

from sync.hq.doors import accounts, audit
from sync.hq.doors.roles import ADMIN, LOG, ROLES
from sync.hq.pages.ask import Ask, Page, Refused, Tab
from sync.hq.pages.when import ago

SHOWN = 100  # entries of the log on one page
_LOG = """
SELECT id, at_ms, who, role, did, what, reason FROM audit
WHERE id < :before AND at_ms >= :since AND at_ms < :until AND (:who = '' OR who = :who)
  AND (:word = '' OR did LIKE :like ESCAPE '!' OR what LIKE :like ESCAPE '!' OR reason LIKE :like ESCAPE '!')
ORDER BY id DESC LIMIT :most
"""


def everyone(ask: Ask) -> Response:
    """Who may sign in."""
    return _list(ask)


def make(ask: Ask) -> Response:
    form = ask.form
    try:
        with ask.desk.transaction():
            account, code = accounts.make(
                ask.desk, form.get("name", ""), form.get("role", ""), form.get("district", ""), form.get("ward", ""),
                ask.language, ask.now_ms,
            )  # fmt: skip
            told = f"{form.get('role', '')} {form.get('district', '')} {form.get('ward', '')}".strip()
            _log(ask, "made an account", account, told)
    except Refused as why:
        return _list(ask, 400, ask._(str(why)))
    return ask.page("account_code.html", name=accounts.one(ask.desk, account)["name"], code=code)


def change(ask: Ask) -> Response:
    account, form = _account(ask), ask.form
    told = f"{form.get('role', '')} {form.get('district', '')} {form.get('ward', '')}".strip()
    with ask.change("changed an account's role", f"account {account}", told) as desk:
        accounts.change(desk, account, form.get("role", ""), form.get("district", ""), form.get("ward", ""))
    return ask.go("/accounts", ask._("Changed. Whoever it is signs in anew."))


def new_code(ask: Ask) -> Response:
    account = _account(ask)
    with ask.change("gave a new code", f"account {account}") as desk:
        code = accounts.reset(desk, account, ask.now_ms)
        name = accounts.one(desk, account)["name"]
    return ask.page("account_code.html", name=name, code=code)


def end(ask: Ask) -> Response:
    account = _account(ask)
    with ask.change("ended an account", f"account {account}") as desk:
        accounts.end(desk, account, ask.now_ms)
    return ask.go("/accounts", ask._("The account has ended, and so have its sessions."))


def log(ask: Ask) -> Response:
    """What was done, newest first, a page at a time."""
    asked = {name: ask.query.get(name, "").strip()[:100] for name in ("who", "word", "from", "to")}
    rows = ask.desk.rows(_LOG, _range(asked, ask.query.get("before", "")), most=SHOWN + 1)
    entries = [{**row, "at": _utc(row["at_ms"])} for row in rows[:SHOWN]]
    older = entries[-1]["id"] if len(rows) > SHOWN else None
    verdict = audit.verify(ask.desk) if ask.query.get("check") else None
    return ask.page("log.html", entries=entries, older=older, asked=asked, verdict=verdict)


def _range(asked: dict[str, str], before: str) -> dict[str, object]:
    word = asked["word"].replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return {
        "who": asked["who"].lower(), "word": word, "like": f"%{word}%",
        "since": _day_ms(asked["from"], 0, 0), "until": _day_ms(asked["to"], 1, 2**62),
        "before": int(before) if before.isdecimal() and len(before) < 18 else 2**62,
    }  # fmt: skip


def _day_ms(day: str, more: int, otherwise: int) -> int:
    """When a day of UTC begins, or the one after it; `otherwise` when none was given."""
    if not day:
        return otherwise
    try:
        return int((datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=more)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise Refused("A day is written like 2026-09-21.") from None


def _utc(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _list(ask: Ask, status: int = 200, why: str = "") -> Response:
    rows = [{**row, "seen": ago(ask, row["seen_ms"])} for row in accounts.everyone(ask.desk)]
    return ask.page("accounts.html", status, accounts=rows, roles=ROLES, why=why, form=ask.form if why else {})


def _account(ask: Ask) -> int:
    told = ask.form.get("account", "")
    if not told.isdecimal() or len(told) > 18:
        raise Refused("There is no such account, or it has ended.")
    return int(told)


def _log(ask: Ask, did: str, account: int, reason: str) -> None:
    audit.append(ask.desk, ask.now_ms, ask.user.name, ask.user.role, did, f"account {account}", reason)


ROUTES: list[Page] = [
    Page("/accounts", everyone, ADMIN),
    Page("/accounts", make, ADMIN, "POST"),
    Page("/accounts/change", change, ADMIN, "POST"),
    Page("/accounts/code", new_code, ADMIN, "POST"),
    Page("/accounts/end", end, ADMIN, "POST"),
    Page("/log", log, LOG),
]
TABS: list[Tab] = [Tab("Accounts", "/accounts", ADMIN), Tab("Log", "/log", LOG)]
