"""What a number stands for: issue, languages, replies, a conversation, and the words that stop them.

A campaign is one TOML file. `parse` and `load` refuse what is wrong with all problems at once;
`check` then tells what is allowed but dear, illegal or unkind, each with a remedy. Texts may hold
{number} and {office} and whatever else the box's [box.text] names; a name that nobody fills is an
error before the first call, never a hole in an SMS.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from edge import advice, menu, sms, stopwords
from edge.advice import Finding
from edge.menu import CODE, LANGUAGE, Callback, Menu
from edge.settings import SettingsError, Table, parse_quiet
from edge.settings import parse as parse_toml
from edge.settings import read as read_toml

MODES = ("missed-call", "menu", "callback", "opt-out")
_TALKING = ("menu", "callback")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
PURSE = 90  # SMS a day that a SIM sends unless box.toml says otherwise: what `check` reckons with


class CampaignError(SettingsError):
    """A campaign's file was refused; `problems` has every reason, `str()` one line each."""


class Referendum(NamedTuple):
    """This campaign is one option of an issue, or asks for it by key (`option` is "" then); `policy`: which of a
    caller's answers counts. Answers count from `opens_ms` to `closes_ms`, milliseconds since 1970; None: always."""

    issue: str
    option: str
    policy: str
    opens_ms: int | None = None
    closes_ms: int | None = None


class Event(NamedTuple):
    """What the campaign invites to, at `at_ms`, milliseconds since 1970."""

    id: str
    title: str
    at_ms: int


@dataclass(frozen=True)
class Campaign:
    """A campaign as its file has it. `quiet` is minutes after midnight of both ends, of the box's time."""

    id: str
    title: str
    mode: str
    languages: tuple[str, ...]
    replies: Mapping[str, str] = field(default_factory=dict)
    once_per_s: int = 86400
    quiet: tuple[int, int] | None = None
    referendum: Referendum | None = None
    version: int = 1
    path: str = ""
    menu: Menu | None = None
    callback: Callback | None = None
    event: Event | None = None

    @property
    def speaks(self) -> bool:
        """Does a line of this campaign talk with callers: does it answer them, or ring them back?"""
        return self.menu is not None and (self.mode == "menu" or self.callback is not None)


# ------------------------------------------------------------------------------------ reading


def parse(text: str, name: str, known: Collection[str] | None = None) -> Campaign:
    """The campaign of a TOML text; `name` is the file that problems name. Raises CampaignError.

    `known` are the placeholders that the box can fill; None takes any, for `check` to look at."""
    return _campaign(parse_toml(text, name, CampaignError), known)


def load(path: Path | str, known: Collection[str] | None = None) -> Campaign:
    """The campaign of a file, as `parse` does it. Raises CampaignError also when it cannot be read."""
    return _campaign(read_toml(path, CampaignError), known)


def _campaign(top: Table, known: Collection[str] | None) -> Campaign:
    reply, referendum, event = top.table("reply"), top.table("referendum"), top.table("event")
    mode = top.text("mode", choices=MODES)
    campaign = Campaign(
        id=top.text("id", **CODE),
        title=top.text("title"),
        mode=mode,
        languages=top.texts("languages", pattern=LANGUAGE, allowed='language codes such as "hi", "en", "pt-BR"'),
        replies=_replies(reply, known),
        once_per_s=reply.table("policy").duration("once_per", "24h"),
        quiet=_quiet(top.table("schedule"), ""),
        referendum=_referendum(referendum, mode) if "referendum" in top else None,
        version=top.integer("version", 1, low=1),
        path=top.file,
        event=_event(event) if "event" in top else None,
    )
    campaign = _with_menu(top, campaign, known)
    top.finish(CampaignError)
    return campaign


def _with_menu(top: Table, campaign: Campaign, known: Collection[str] | None) -> Campaign:
    """The same campaign with what it says and asks: [menu], [callback], [consent], [grievance]."""
    purpose = top.table("consent").text("purpose", "", **CODE)
    due_s = top.table("grievance").duration("due", "24h")
    placed, calls = top.table("callback", required=campaign.mode == "callback"), "callback" in top
    campaign = replace(campaign, callback=_callback(placed) if calls else None)
    table = top.table("menu", required=campaign.mode in _TALKING or calls)
    if "menu" not in top:
        placed.opaque("identity")
        return campaign
    vote, event = campaign.referendum, campaign.event
    context = menu.Context(campaign.languages, vote.issue if vote else "", event.id if event else "", purpose)
    read = replace(
        menu.read(table, context, placed.table("identity") if calls else None),
        due_s=due_s,
        opens_ms=vote.opens_ms if vote else None,
        closes_ms=vote.closes_ms if vote else None,
        case_sms=_case_sms(table.table("sms"), known),
    )
    return replace(campaign, menu=read)


def _replies(table: Table, known: Collection[str] | None) -> dict[str, str]:
    replies = {}
    for language in table.names():
        if language != "policy":
            inner = table.table(language)
            replies[language] = _sms(inner, "text", known)
            _check_language(table, language, ', or "policy"')
    return replies


def _case_sms(table: Table, known: Collection[str] | None) -> dict[str, str]:
    """[menu.sms]: the SMS with the reference of a case, in each language."""
    texts = {}
    for language in table.names():
        texts[language] = _sms(table, language, {*(known or ()), "reference"} if known is not None else None)
        _check_language(table, language)
    return texts


def _check_language(table: Table, language: str, more: str = "") -> None:
    if not re.fullmatch(LANGUAGE, language):
        table.refuse(language, "no language", 'a code such as "hi", "en", "pt-BR"' + more)


def _sms(table: Table, key: str, known: Collection[str] | None) -> str:
    text = table.text(key, allowed="the text of the SMS, not empty")
    if wrong := _wrong_placeholder(text, known):
        names = ", ".join(f"{{{name}}}" for name in sorted(known or ("number", "office")))
        table.refuse(key, wrong, f"{names}, and what stands below [box.text] of box.toml")
    return text


def _wrong_placeholder(text: str, known: Collection[str] | None) -> str:
    if re.search(r"[{}]", _PLACEHOLDER.sub("", text)):
        return "a { or } without its twin"
    for name in placeholders(text):
        if not _NAME.fullmatch(name) or (known is not None and name not in known):
            return f"unknown placeholder {{{name}}}"
    return ""


def _quiet(table: Table, default: str) -> tuple[int, int] | None:
    written = table.text("quiet", default)
    span = parse_quiet(written)
    if written and not span:
        table.refuse("quiet", f'"{written}" is no span', '"22:00-06:00" and the like')
    return span


def _moment(table: Table, key: str, default: str | None = None) -> int | None:
    """Milliseconds since 1970 of a date and time with its zone."""
    allowed = '"2026-12-01T18:00:00+05:30" and the like, in quotes, with the zone'
    pattern = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})"
    written = table.text(key, default, pattern=pattern, allowed=allowed)
    if not re.fullmatch(pattern, written):
        return None
    try:
        return int(datetime.fromisoformat(written).timestamp() * 1000)
    except ValueError:
        table.refuse(key, f'"{written}" is on no calendar', allowed)
        return None


def _referendum(table: Table, mode: str) -> Referendum:
    referendum = Referendum(
        table.text("issue", **CODE),
        table.text("option", "" if mode in _TALKING else None, **CODE),
        table.text("policy", "last", choices=("first", "last", "void-if-both")),
        _moment(table, "opens", ""),
        _moment(table, "closes", ""),
    )
    if (referendum.opens_ms or 0) >= (referendum.closes_ms or float("inf")):
        table.refuse("closes", "it closes before it opens", "a moment after `opens`")
    return referendum


def _event(table: Table) -> Event:
    return Event(table.text("id", **CODE), table.text("title"), _moment(table, "at") or 0)


def _callback(table: Table) -> Callback:
    return Callback(
        table.integer("tries", 3, low=1, high=3),
        table.duration("apart", "2h"),
        table.duration("within", "24h"),
        _quiet(table, "21:00-09:00") or (0, 0),
        table.integer("minutes_per_day", 120, low=1, high=1440),
    )


# ------------------------------------------------------------------------------------ replying


def choose_language(remembered: str, line: str, campaign: Campaign) -> str:
    """The caller's remembered choice, else the line's, else the campaign's first; "" stands for none.

    A language that the campaign has no reply in is passed over (if it has replies at all)."""
    spoken = tuple(campaign.replies) or campaign.languages
    for wish in (remembered, line, *campaign.languages):
        if found := _match(wish, spoken):
            return found
    return spoken[0]


def reply_text(campaign: Campaign, language: str, values: Mapping[str, str]) -> str:
    """The SMS in a language that `choose_language` gave, with its placeholders filled; empty: no reply."""
    return _filled(campaign.replies.get(language, ""), values)


def case_text(campaign: Campaign, language: str, values: Mapping[str, str]) -> str:
    """The SMS with a case's {reference}, in the caller's language or the nearest there is; empty: no SMS."""
    texts = campaign.menu.case_sms if campaign.menu else {}
    wishes = (language, *campaign.languages, "en", *texts)
    return _filled(next((texts[found] for wish in wishes if (found := _match(wish, texts))), ""), values)


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], ""), text)


def placeholders(text: str) -> tuple[str, ...]:
    """The names in braces, in order."""
    return tuple(_PLACEHOLDER.findall(text))


def stops(text: str, languages: Collection[str]) -> bool:
    """Whether an SMS of at most three words asks to stop, in one of these languages or in English."""
    return stopwords.stops(text, languages)


def _match(wish: str, spoken: Collection[str]) -> str:
    """`wish`, or else the one that shares its language (hi for hi-IN, pt-BR for pt); "" when none does."""
    if wish in spoken:
        return wish
    family = wish.partition("-")[0]
    return next((language for language in spoken if family and language.partition("-")[0] == family), "")


# ------------------------------------------------------------------------------------ checking


def size(campaign: Campaign, language: str, longest: Mapping[str, str]) -> sms.Size:
    """What the reply in a language costs when each placeholder has its longest value."""
    return sms.count(reply_text(campaign, language, longest))


def check(campaign: Campaign, longest: Mapping[str, str]) -> list[Finding]:
    """What the author of a campaign should know, in the order of the file.

    `longest` has the longest value of each placeholder on any box that runs the campaign."""
    findings: list[Finding] = []
    for language in campaign.languages:
        if campaign.replies and language not in campaign.replies:
            other = choose_language(language, "", campaign)
            problem = f"no reply in {language}: its callers get the one in {other}"
            findings.append(Finding("warning", f"reply.{language}", problem, "add it, or take the language out"))
        if not stopwords.known(language):
            problem = f"no words for STOP are known in {language}"
            findings.append(Finding("warning", "languages", problem, "name the English STOP in the reply"))
    for language in campaign.replies:
        findings += _check_reply(campaign, language, longest)
    if campaign.replies and campaign.once_per_s == 0:
        problem = 'with "0s" each call is answered, up to five a day for one caller'
        findings.append(Finding("warning", "reply.policy.once_per", problem, '"24h" answers once a day'))
    if not campaign.quiet:
        problem = "no quiet hours: replies go out at night too"
        findings.append(Finding("warning", "schedule.quiet", problem, 'add quiet = "22:00-06:00" below [schedule]'))
    return findings + _check_menu(campaign, longest)


def _check_menu(campaign: Campaign, longest: Mapping[str, str]) -> list[Finding]:
    if not campaign.menu:
        return []
    findings = []
    kinds = {node.kind for node in campaign.menu.nodes.values()}
    for kind, there in (("referendum", campaign.referendum), ("event", campaign.event)):
        if there and kind not in kinds:
            findings.append(advice.warn(kind, "nobody is asked", f'a node of kind = "{kind}" asks'))
    if "referendum" in kinds and campaign.menu.closes_ms is None:
        remedy = 'closes = "2026-12-01T18:00:00+05:30"'
        findings.append(advice.warn("referendum.closes", "answers count for ever", remedy))
    if campaign.mode == "menu":
        problem = "the caller pays for a call that is answered"
        findings.append(advice.warn("mode", problem, 'mode = "callback" is kinder: it cuts the call and rings back'))
    elif campaign.mode != "callback":
        findings.append(advice.warn("menu", f'nobody hears it with mode "{campaign.mode}"', '"menu" or "callback"'))
    findings += advice.menu(campaign.menu)
    for language, text in campaign.menu.case_sms.items():
        key, values = f"menu.sms.{language}", {"reference": "0" * 7, **longest}
        findings += _check_filled(key, text, values)
        if (cost := sms.count(_filled(text, values))).parts > 1:
            findings.append(advice.warn(key, f"{cost.parts} SMS a case", _shorten(_filled(text, values), cost)))
    return findings + list(advice.callback(campaign.callback, campaign.menu) if campaign.callback else ())


def _check_filled(key: str, text: str, longest: Mapping[str, str]) -> list[Finding]:
    unfilled = [name for name in placeholders(text) if name not in longest]
    allowed = ", ".join(f"{{{name}}}" for name in sorted(longest))
    remedy = f"known are {allowed}; add it below [box.text] of box.toml"
    return [Finding("error", key, f"nothing fills {{{name}}}", remedy) for name in unfilled[:1]]


def _check_reply(campaign: Campaign, language: str, longest: Mapping[str, str]) -> list[Finding]:
    key, text = f"reply.{language}.text", campaign.replies[language]
    findings = _check_filled(key, text, longest)
    if language not in campaign.languages:
        problem = f"{language} is not among the languages: only callers who once chose it get this reply"
        findings.append(Finding("warning", key, problem, "add it to languages"))
    cost = size(campaign, language, longest)
    if cost.parts > 1:
        problem = f"{cost.parts} SMS a reply: {PURSE} SMS a day answer {PURSE // cost.parts} callers"
        findings.append(Finding("warning", key, problem, _shorten(reply_text(campaign, language, longest), cost)))
    if not stopwords.named(text, language):
        problem = "does not say how to stop"
        findings.append(Finding("warning", key, problem, 'such as "Reply STOP to opt out."'))
    return findings


def _shorten(text: str, cost: sms.Size) -> str:
    """How a reply gets into one SMS: without the few signs that make it UCS-2, or with less text."""
    rare = sorted({char for char in text if sms.count(char).alphabet == "ucs2"})
    if cost.alphabet == "ucs2" and len(rare) <= 5:
        return f"without {' '.join(rare)} it has room for 160 letters in place of 70"
    return f"shorten it by {cost.units - (160 if cost.alphabet == 'gsm7' else 70)} letters"
