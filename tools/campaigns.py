"""`miscall campaign check` and `miscall campaign try`: a campaign seen by its author, without a box."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from edge import campaign, prompts, settings, sms
from edge.campaign import Campaign
from edge.menu import Menu
from edge.prompts import Prompts
from tools import audition, handset


def check(path: str) -> int:
    """`miscall campaign check`: what is wrong, one line each with a remedy, and SMS parts per language.

    Raises CampaignError when the file is refused, OSError when a prompt cannot be read."""
    found = campaign.load(path)
    longest = longest_values(path, found)
    findings = campaign.check(found, longest) + audition.findings(found, prompts.folder(path))
    for finding in findings:
        print(f"{path}: {finding}", file=sys.stderr if finding.severity == "error" else sys.stdout)
    for language in found.replies:
        print(f"{language}: {_size_words(campaign.size(found, language, longest))}")
    if found.menu:
        print(*_menu_times(found.menu, Prompts(prompts.folder(path), found.menu)), sep="\n")
    if not found.replies:
        print("no reply: callers get no SMS")
    return int(any(finding.severity == "error" for finding in findings))


def _menu_times(menu: Menu, heard: Prompts) -> Iterator[str]:
    """How long each choice takes to hear, by language."""
    for node in menu.nodes.values():
        if node.options:
            took = ((language, audition.menu_ms(heard, node, language)) for language in menu.languages)
            yield f"{node.id}: " + ", ".join(f"{language} {ms / 1000:.1f} s" for language, ms in took)


def _size_words(cost: sms.Size) -> str:
    alphabet = "7-bit" if cost.alphabet == "gsm7" else "UCS-2"
    return f"{cost.parts} SMS, {cost.units} letters ({alphabet}), room for {cost.left} more"


def try_out(path: str, sound: str | None, play: bool, browser: bool = False) -> int:
    """`miscall campaign try`: a campaign in a terminal, as a caller meets it; ends with the input. Of one that speaks,
    the sound goes to the WAV file `sound`, and to the loudspeaker when `play`. With `browser` it is tried on a page.

    Raises CampaignError when the file is refused, OSError when `sound` cannot be written."""
    found = campaign.load(path)
    values = longest_values(path, found)
    if browser:
        from tools.telephone import tryout  # its web server costs half a second that the terminal need not wait

        return tryout.run(found, Prompts(prompts.folder(path), found.menu) if found.menu else None, values)
    if found.menu and found.mode in ("menu", "callback"):
        return handset.run(found, Prompts(prompts.folder(path), found.menu), values, sound, play)
    if sound or play:
        print(f'{path}: a campaign with mode = "{found.mode}" says nothing: there is no sound', file=sys.stderr)
        return 1

    def ask(question: str) -> str | None:
        try:
            return input(question)
        except EOFError:
            print()
            return None

    walk(found, values, ask, print)
    return 0


def walk(
    found: Campaign, values: Mapping[str, str], ask: Callable[[str], str | None], say: Callable[[str], None]
) -> None:
    """One caller's way through a missed-call campaign; `ask` gives None when she leaves."""
    say(f"{found.title} ({found.id}). You are the caller.")
    remembered, replied, stopped, said = "", 0, False, ""
    options = f"[Enter] ring again, {'/'.join(found.languages)} choose a language, any text: an SMS, Ctrl-D leave > "
    answer: str | None = ""
    while answer is not None:
        if not answer:
            say("You ring {number}: it rings, then it is cut. You pay nothing; your number is kept.".format(**values))
            stopped = stopped or found.mode == "opt-out"
            silence = _silence(found, replied, stopped)
            language = campaign.choose_language(remembered, "", found)
            if not silence:
                replied += 1
            said = silence or _sms_words(found, language, values)
        elif answer in found.languages:
            remembered, replied = answer, 0
            said = f"From now on, as a caller who chose {answer} and was not answered today."
        elif campaign.stops(answer, found.languages):
            stopped, said = True, "You are on the list of those who get nothing: no SMS from any line, from now on."
        else:
            said = "Your SMS is kept. It does not ask to stop."
        say(said)
        answer = ask(options)
        answer = answer if answer is None else answer.strip()


def _silence(found: Campaign, replied: int, stopped: bool) -> str:
    """Why this call gets no SMS; empty when it gets one."""
    if stopped:
        return "No SMS comes: you are on the list of those who get nothing."
    if not found.replies:
        return "No SMS comes: the campaign has no reply."
    if replied >= (1 if found.once_per_s else 5):
        return "No SMS comes: you had yours" + (" (one caller, one reply in a while)." if found.once_per_s else ".")
    return ""


def _sms_words(found: Campaign, language: str, values: Mapping[str, str]) -> str:
    text = campaign.reply_text(found, language, values)
    night = "" if found.quiet is None else "; in quiet hours it waits for their end"
    return f"An SMS comes ({language}, {_size_words(sms.count(text))}{night}):\n  {text}"


def longest_values(path: Path | str, found: Campaign) -> dict[str, str]:
    """The longest value of each placeholder, from a box.toml beside the campaign or one folder up; samples of a
    usual length for {number} and {office}, 40 letters for any other, when there is none. Raises CampaignError."""
    sample = "+919000000001"
    for box in (Path(path).resolve().parent / "box.toml", Path(path).resolve().parent.parent / "box.toml"):
        if box.is_file():
            top = settings.read(box, campaign.CampaignError)
            texts = {name: str(value) for name, value in top.table("box").opaque("text").items()}
            numbers = [line.text("number", "") for line in top.tables("line")]
            return {"number": max(numbers, key=len, default="") or sample} | texts
    texts_of_cases = found.menu.case_sms.values() if found.menu else ()
    named = {name for text in (*found.replies.values(), *texts_of_cases) for name in campaign.placeholders(text)}
    named.discard("reference")  # the box fills it
    for name in sorted(named - {"number", "office"}):
        print(f"warning: {{{name}}} is filled only on a box that has `{name} = ...` below [box.text] of its box.toml")
    return dict.fromkeys(named, "x" * 40) | {"number": sample, "office": "Tehsil office, Nashik"}
