"""What the author of a campaign should know about its conversation: allowed, but dear, unkind or soon regretted.

Each finding is one line: what, where, and what to do about it. Nothing here has a file or a clock: how clips sound is
`tools`' to measure. Limits come from the rules of the trade: who calls back says who calls, at decent hours, at most
three times, two hours apart; an option says what it is and then its key; answering is paid by the caller.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Literal, NamedTuple

from edge import phrases
from edge.menu import MOST_LANGUAGES, Callback, Menu, fallbacks, text

_SHOWN = 4  # clips named in one line
_PRESS = {  # words that ask for a key
    "en": "press dial push type",
    "hi": "दबाइए दबाइये दबाएँ दबाएं दबायें दबाए दबाओ दबाना",
    "mr": "दाबा दाबावा दाबावे",
    "bn": "টিপুন চাপুন টিপবেন চাপবেন",
    "ta": "அழுத்தவும் அழுத்துங்கள் அழுத்துக",
    "te": "నొక్కండి నొక్కు నొక్కాలి",
    "gu": "દબાવો દબાવવું",
    "kn": "ಒತ್ತಿ ಒತ್ತಿರಿ",
}


class Finding(NamedTuple):
    """Something about a campaign that its author should know; an "error" is to be put right before it runs."""

    severity: Literal["error", "warning"]
    key: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.key}: {self.problem}; {self.remedy}"


def warn(key: str, problem: str, remedy: str) -> Finding:
    """A warning."""
    return Finding("warning", key, problem, remedy)


def menu(menu: Menu) -> Iterator[Finding]:
    """What a conversation says, and to whom it says nothing."""
    if len(menu.languages) > MOST_LANGUAGES:
        left = ", ".join(menu.languages[MOST_LANGUAGES:])
        problem = f"only the first {MOST_LANGUAGES} languages are offered: {left} by an earlier choice alone"
        yield warn("languages", problem, "put those most spoken here first")
    for language in menu.languages:
        yield from _unsaid(menu, language)
    for node in menu.nodes.values():
        for place, option in enumerate(node.options, 1):
            for (clip, language), words in menu.texts.items():
                if clip == f"{node.id}-{option.key}" and _names_key(words, option.key, language):
                    key = f"menu.node.{node.id}.option.{place}.say.{language}"
                    said = text(menu, phrases.press(option.key, language))
                    problem = "says its key by itself, and the key is said behind it"
                    yield warn(key, problem, f'say only what it is: "{said}" follows after a pause')
    if not any(node.kind == "grievance" for node in menu.nodes.values()):
        return
    if not menu.case_sms:
        problem = "a grievance's number is only spoken: who has no pen loses it"
        yield warn("menu.sms", problem, 'add [menu.sms] with a text such as "Your complaint: {reference}"')
    for language, words in menu.case_sms.items():
        if "{reference}" not in words:
            yield warn(f"menu.sms.{language}", "does not tell the number", "put {reference} into it")
    for language in menu.languages if menu.case_sms else ():
        if language not in menu.case_sms:
            problem = f"no SMS in {language}: its callers get the one in {next(iter(menu.case_sms))}"
            yield warn(f"menu.sms.{language}", problem, "add it, or take the language out")


def _unsaid(menu: Menu, language: str) -> Iterator[Finding]:
    """Clips that have no words in a language, gathered by the language that is heard in their place."""
    instead: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for name, _ in menu.texts):
        kind, _, code = name.partition("-")
        if (name, language) in menu.texts or (kind == "language" and code != language):
            continue
        heard = next((one for one in fallbacks(menu, language) if (name, one) in menu.texts), "another language")
        instead.setdefault(heard, []).append(name)
    if (f"language-{language}", language) not in menu.texts and len(menu.languages) > 1:
        offer = f"menu.phrase.language-{language}.{language}"
        yield warn(offer, f"nothing offers {language}", f"say it there in {language}, or record language-{language}")
    for heard, names in instead.items():
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        problem = f"no words in {language} for {', '.join(names[:_SHOWN])}{more}: its callers hear {heard}"
        yield warn("menu", problem, "add them, record them, or take the language out")


def _names_key(words: str, key: str, language: str) -> bool:
    said = re.split(r"[\s.,;:!?\"'()।-]+", unicodedata.normalize("NFC", words.casefold()))
    asks = set(unicodedata.normalize("NFC", _PRESS.get(phrases.family(language), "")).split())
    return not asks.isdisjoint(said) or any(
        len(word) == 1 and word.isdigit() and unicodedata.digit(word, -1) == int(key) for word in said
    )


def callback(plan: Callback, menu: Menu) -> Iterator[Finding]:
    """What placing calls asks of the one who places them."""
    if plan.apart_s < 7200:
        yield warn("callback.apart", "tries follow each other too soon", '"2h" or more')
    if plan.within_s > 86_400:
        yield warn("callback.within", "who called days ago no longer waits for a call", '"24h" or less')
    if plan.minutes_per_day > 120:
        problem = f"{plan.minutes_per_day} minutes a day from one SIM look like a machine to its operator"
        yield warn("callback.minutes_per_day", problem, "120 or less")
    start, end = plan.quiet
    if not (start <= 21 * 60 and end >= 9 * 60 and end < start):
        yield warn("callback.quiet", "people are called at night or early", 'quiet = "21:00-09:00" or longer')
    for (clip, language), words in menu.texts.items():
        nine = phrases.text("digit-9", language)
        if clip == "identity" and "9" not in words and nine not in words.casefold():
            problem = "does not tell that 9 stops these calls"
            yield warn(f"callback.identity.{language}", problem, "say it within the first five seconds")
