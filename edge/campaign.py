"""What a number stands for: issue, languages, replies, and the words that stop them.

A campaign is one TOML file. `parse` and `load` refuse what is wrong with all problems at once;
`check` then tells what is allowed but dear, illegal or unkind, each with a remedy. Texts may hold
{number} and {office} and whatever else the box's [box.text] names; a name that nobody fills is an
error before the first call, never a hole in an SMS.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from edge import sms, stopwords
from edge.settings import SettingsError, Table, parse_quiet
from edge.settings import parse as parse_toml
from edge.settings import read as read_toml

MODES = ("missed-call", "menu", "callback", "opt-out")
_ANSWERED = ("missed-call", "opt-out")  # by this version
_LANGUAGE = r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*"
_CODE = {"pattern": r"[a-z0-9-]{1,64}", "allowed": "a-z, 0-9 and -, at most 64"}
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
PURSE = 90  # SMS a day that a SIM sends unless box.toml says otherwise: what `check` reckons with


class CampaignError(SettingsError):
    """A campaign's file was refused; `problems` has every reason, `str()` one line each."""


class Referendum(NamedTuple):
    """This campaign is one option of an issue; `policy`: which of a caller's calls counts."""

    issue: str
    option: str
    policy: str


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


class Finding(NamedTuple):
    """Something about a campaign that its author should know; an "error" keeps a line from starting."""

    severity: Literal["error", "warning"]
    key: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.key}: {self.problem}; {self.remedy}"


# ------------------------------------------------------------------------------------ reading


def parse(text: str, name: str, known: Collection[str] | None = None) -> Campaign:
    """The campaign of a TOML text; `name` is the file that problems name. Raises CampaignError.

    `known` are the placeholders that the box can fill; None takes any, for `check` to look at."""
    return _campaign(parse_toml(text, name, CampaignError), known)


def load(path: Path | str, known: Collection[str] | None = None) -> Campaign:
    """The campaign of a file, as `parse` does it. Raises CampaignError also when it cannot be read."""
    return _campaign(read_toml(path, CampaignError), known)


def _campaign(top: Table, known: Collection[str] | None) -> Campaign:
    reply = top.table("reply")
    campaign = Campaign(
        id=top.text("id", **_CODE),
        title=top.text("title"),
        mode=top.text("mode", choices=MODES),
        languages=top.texts("languages", pattern=_LANGUAGE, allowed='language codes such as "hi", "en", "pt-BR"'),
        replies=_replies(reply, known),
        once_per_s=reply.table("policy").duration("once_per", "24h"),
        quiet=_quiet(top.table("schedule")),
        referendum=_referendum(top.table("referendum")) if "referendum" in top else None,
        version=top.integer("version", 1, low=1),
        path=top.file,
    )
    for laid_out_later in ("menu", "callback", "consent", "event", "grievance"):
        top.opaque(laid_out_later)
    top.finish(CampaignError)
    return campaign


def _replies(table: Table, known: Collection[str] | None) -> dict[str, str]:
    replies = {}
    for language in table.names():
        if language == "policy":
            continue
        if not re.fullmatch(_LANGUAGE, language):
            table.refuse(language, "no language", 'a code such as "hi", "en", "pt-BR", or "policy"')
        inner = table.table(language)
        replies[language] = inner.text("text", allowed="the text of the SMS, not empty")
        if wrong := _wrong_placeholder(replies[language], known):
            names = ", ".join(f"{{{name}}}" for name in sorted(known or ("number", "office")))
            inner.refuse("text", wrong, f"{names}, and what stands below [box.text] of box.toml")
    return replies


def _wrong_placeholder(text: str, known: Collection[str] | None) -> str:
    if re.search(r"[{}]", _PLACEHOLDER.sub("", text)):
        return "a { or } without its twin"
    for name in placeholders(text):
        if not _NAME.fullmatch(name) or (known is not None and name not in known):
            return f"unknown placeholder {{{name}}}"
    return ""


def _quiet(schedule: Table) -> tuple[int, int] | None:
    written = schedule.text("quiet", "")
    span = parse_quiet(written)
    if written and not span:
        schedule.refuse("quiet", f'"{written}" is no span', '"22:00-06:00" and the like')
    return span


def _referendum(table: Table) -> Referendum:
    return Referendum(
        table.text("issue", **_CODE),
        table.text("option", **_CODE),
        table.text("policy", "last", choices=("first", "last", "void-if-both")),
    )


def refusal(campaign: Campaign) -> str:
    """Why a line must not start with this campaign, in one sentence; empty when it may."""
    if campaign.mode in _ANSWERED:
        return ""
    allowed = " or ".join(f'"{mode}"' for mode in _ANSWERED)
    return f'{campaign.path}: mode: "{campaign.mode}" is not yet answered by this version; allowed: {allowed}'


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
    text = campaign.replies.get(language, "")
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
    findings = []
    if campaign.mode not in _ANSWERED:
        findings.append(
            Finding("warning", "mode", f'"{campaign.mode}" is not yet answered by this version', 'use "missed-call"')
        )
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
    return findings


def _check_reply(campaign: Campaign, language: str, longest: Mapping[str, str]) -> list[Finding]:
    key, text = f"reply.{language}.text", campaign.replies[language]
    findings = []
    if unfilled := [name for name in placeholders(text) if name not in longest]:
        allowed = ", ".join(f"{{{name}}}" for name in sorted(longest))
        problem = f"nothing fills {{{unfilled[0]}}}"
        findings.append(Finding("error", key, problem, f"known are {allowed}; add it below [box.text] of box.toml"))
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
