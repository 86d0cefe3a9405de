"""What the desk sends: an SMS or a call back for one thing, kept texts, and an answer to all callers of a tag.

Nothing goes in one step: a text is shown with what it costs and to whom it goes, and sent from there. The form of the
second step carries the text itself and it is checked again, so what was seen is what goes.
"""

from __future__ import annotations

from starlette.responses import PlainTextResponse, Response

from sync.hq import orders
from sync.hq.desk import act, gather, inbox, replies, wave
from sync.hq.doors.roles import DESK
from sync.hq.pages.ask import Ask, Page, Refused
from sync.hq.pages.desk import back, order_of, things, wanted
from sync.hq.people import suppression
from sync.hq.sql import Row
from sync.hq.views import numbers

LANGUAGES = ("en", "hi", "bn", "mr", "te", "ta", "gu", "kn", "ml", "pa", "or", "ur", "sw", "id", "pt")


def cost_said(ask: Ask, text: str) -> str:
    """What a text costs, in a sentence."""
    cost = replies.cost(text)
    kind = ask._("Latin letters") if cost.plain else ask._("another script")
    if cost.parts == 1:
        return ask._("1 SMS in {kind}, {n} characters left", kind=kind, n=cost.left)
    return ask._("{parts} SMS in {kind}: it costs {parts} times as much", parts=cost.parts, kind=kind)


def parts(ask: Ask) -> Response:
    """The sentence below a text that is being written."""
    return PlainTextResponse(cost_said(ask, ask.form.get("text", "")[: 2 * replies.LONGEST]))


def reply(ask: Ask) -> Response:
    """First look at an SMS, then send it."""
    row, longer = wanted(ask), ask.form.get("longer") == "1"
    text, language = _chosen(ask, row["language"])
    trouble = ""
    try:
        if ask.form.get("step") == "send":
            with ask.change("desk: sms", row["name"]) as desk:
                give = order_of(ask, desk)
                number = replies.send(
                    desk, ask.events, row, text, language, ask.user.name, ask.now_ms, give, longer=longer
                )
            return ask.go(back(ask), ask._("Order {n} is written: the box sends it when its rules allow.", n=number))
        tags = [each["tag"] for each in inbox.tags(ask.desk, [row["id"]])[row["id"]]]
        replies.check(text, replies.telling(ask.events, row["caller"], tags), row["reference"], longer)
    except (replies.Unsendable, orders.Refused) as why:
        trouble = ask._(str(why))
    return ask.page(
        "desk_reply.html", 409 if trouble else 200, thing=things(ask, [row])[0], text=text, language=language,
        shown=replies.filled(text, row["reference"] or replies.REFERENCE), cost=cost_said(ask, text), trouble=trouble,
        sms=replies.cost(text).parts, longer=longer, languages=LANGUAGES,
    )  # fmt: skip


def call_back(ask: Ask) -> Response:
    row = wanted(ask)
    try:
        with ask.change("desk: call back", row["name"]) as desk:
            number = replies.ring_back(desk, ask.events, row, ask.user.name, ask.now_ms, order_of(ask, desk))
    except (replies.Unsendable, orders.Refused) as why:
        raise Refused(str(why)) from None
    return ask.go(back(ask), ask._("Order {n} is written: the box rings when its rules allow.", n=number))


def _chosen(ask: Ask, language: str) -> tuple[str, str]:
    """The text of a form and its language: what was written there, or a kept one."""
    written = ask.form.get("text", "").strip().replace("\r\n", "\n")
    if written:
        asked = ask.form.get("language", "") or language
        return written, asked if asked.isalpha() and len(asked) < 4 else "en"
    kept = _text(ask, ask.form.get("kept", ""))
    return (kept["words"], kept["language"]) if kept else ("", language or "en")


def _text(ask: Ask, number: str) -> Row | None:
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        return None
    return ask.desk.row("SELECT * FROM desk_text WHERE id = :id", id=int(number))


# --------------------------------------------------------------------------------------------- texts


def texts(ask: Ask) -> Response:
    return _texts(ask)


def _texts(ask: Ask, trouble: str = "", typed: str = "", name: str = "", language: str = "") -> Response:
    kept = [{**row, "cost": cost_said(ask, row["words"])} for row in replies.texts(ask.desk)]
    return ask.page(
        "desk_texts.html", 409 if trouble else 200, texts=kept, languages=LANGUAGES, trouble=trouble, typed=typed,
        typed_name=name, typed_language=language or ask.language,
    )  # fmt: skip


def keep(ask: Ask) -> Response:
    """Keep a text; who comes second is told, and what she wrote stays in the form."""
    form = ask.form
    name, language, text = act.tidy(form.get("text_name", "")), form.get("language", ""), form.get("text", "").strip()
    version = form.get("version", "-1")
    if not name or language not in LANGUAGES:
        raise Refused("A text needs a name, which holds no number, and one of the languages.")
    trouble = ""
    try:
        with ask.change("desk: text", f"{name} {language}") as desk:
            number = int(version) if version.isascii() and version.isdigit() and len(version) < 10 else -1
            longer = form.get("longer") == "1"
            if not replies.keep(desk, name, language, text, number, ask.user.name, ask.now_ms, longer):
                raise Refused("Somebody else changed this text meanwhile. Look at it below; yours stands in the form.")
    except (replies.Unsendable, Refused) as why:
        trouble = ask._(str(why))
    if trouble:
        return _texts(ask, trouble, text, name, language)
    return ask.go("/desk/texts", ask._("It is written."))


def drop(ask: Ask) -> Response:
    row = _text(ask, ask.form.get("id", ""))
    if row is None:
        raise Refused("There is no such text. It may be gone already.")
    with ask.change("desk: text dropped", f"{row['name']} {row['language']}") as desk:
        replies.drop(desk, row["id"])
    return ask.go("/desk/texts", ask._("It is written."))


# --------------------------------------------------------------------------------------------- waves


def wave_form(ask: Ask) -> Response:
    """Who is to be answered, and what with."""
    wave.wake(ask.config)
    gather.gather(ask.events, ask.desk, ask.now_ms)
    return _wave(ask, ask.query.get("tag", "")[:64])


def _wave(ask: Ask, tag: str, status: int = 200, trouble: str = "", plan: wave.Plan | None = None) -> Response:
    form = ask.form
    recent = ask.desk.rows("SELECT * FROM desk_wave ORDER BY id DESC LIMIT 10")
    text, language = _chosen(ask, ask.language)
    return ask.page(
        "desk_wave.html", status, tag=tag, tags=inbox.all_tags(ask.desk), text=text, language=language, plan=plan,
        trouble=trouble, form=form, kinds=inbox.KINDS, texts=replies.texts(ask.desk), languages=LANGUAGES,
        cost=cost_said(ask, text) if text else "", price=_price(ask, plan), oldest=wave.OLDEST_DAYS,
        asks_price=ask.config.tariff is None,
        waves=[{**row, **wave.progress(ask.desk, row["id"])} for row in recent],
    )  # fmt: skip


def _price(ask: Ask, plan: wave.Plan | None) -> str:
    """What it all costs: by the tariff of hq.toml, or else when somebody says what one SMS costs."""
    if plan and (tariff := ask.config.tariff):
        return numbers.number(tariff.sms * plan.sms, "money", ask._, tariff.currency)
    try:
        one = float(ask.form.get("tariff", "").replace(",", "."))
    except ValueError:
        return ""
    return f"{one * plan.sms:,.2f}" if plan and 0 < one < 1000 else ""


def wave_begin(ask: Ask) -> Response:
    """First look at whom it reaches, then begin."""
    form = ask.form
    text, language = _chosen(ask, ask.language)
    days = form.get("days", "7")
    asked = wave.Asked(
        form.get("tag", "")[:64], form.get("campaign", "")[:64], form.get("kind", ""),
        int(days) if days.isascii() and days.isdigit() and len(days) < 4 else 7, text, language,
    )  # fmt: skip
    secret = suppression.key(ask.config.data)
    try:
        plan = wave.look(ask.desk, ask.events, secret, asked, ask.now_ms, form.get("longer") == "1")
    except replies.Unsendable as why:
        return _wave(ask, asked.tag, 409, ask._(str(why)))
    if form.get("step") != "send" or not plan.chosen:
        return _wave(ask, asked.tag, plan=plan)
    with ask.change("desk: answer all", f"{act.tidy(asked.tag)}, {len(plan.chosen)} callers") as desk:
        plan = wave.look(desk, ask.events, secret, asked, ask.now_ms, form.get("longer") == "1")
        number = wave.begin(desk, asked, plan, ask.user.name, ask.now_ms)
    wave.wake(ask.config)
    return ask.go(f"/desk/wave/{number}")


def wave_shown(ask: Ask) -> Response:
    """How far one is."""
    wave.wake(ask.config)
    row = _found(ask, ask.path["number"])
    return ask.page(
        "desk_wave_shown.html", wave=row, **wave.progress(ask.desk, row["id"]), spared_why=wave.why(ask.desk, row["id"])
    )


def wave_stop(ask: Ask) -> Response:
    row = _found(ask, ask.form.get("number", ""))
    with ask.change("desk: stopped answering", f"{row['id']}") as desk:
        wave.stop(desk, row["id"])
    return ask.go(f"/desk/wave/{row['id']}", ask._("It is written."))


def _found(ask: Ask, number: str) -> Row:
    known = number.isascii() and number.isdigit() and len(number) < 10
    row = ask.desk.row("SELECT * FROM desk_wave WHERE id = :id", id=int(number)) if known else None
    if row is None:
        raise Refused("There is no such work. Look at the list below the form.")
    return row


ROUTES = [
    Page("/desk/parts", parts, DESK, "POST"), Page("/desk/reply", reply, DESK, "POST"),
    Page("/desk/call-back", call_back, DESK, "POST"), Page("/desk/texts", texts, DESK),
    Page("/desk/texts", keep, DESK, "POST"), Page("/desk/texts/drop", drop, DESK, "POST"),
    Page("/desk/wave", wave_form, DESK), Page("/desk/wave", wave_begin, DESK, "POST"),
    Page("/desk/wave/{number}", wave_shown, DESK), Page("/desk/wave/stop", wave_stop, DESK, "POST"),
]  # fmt: skip
