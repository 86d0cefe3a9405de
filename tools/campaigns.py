"""`miscall campaign check` and `miscall campaign try`: a campaign seen by its author, without a box."""

from __future__ import annotations

import sys

from edge import campaign

LONGEST = {"number": "+" + "9" * 15, "office": "x" * 40}  # the longest number there is, and a long name of an office


def check(file: str) -> int:
    """Print what is wrong, one line each with a remedy, and the SMS parts of each reply; 1 when a line would not start.

    Raises CampaignError when the file is refused."""
    found = campaign.load(file)
    findings = campaign.check(found, _longest(found))
    for finding in findings:
        print(finding)
    for name in sorted(set(_longest(found)) - set(LONGEST)):
        print(f"warning: {{{name}}} is filled only on a box that has `{name} = ...` below [box.text] of its box.toml")
    for language in found.replies:
        size = campaign.size(found, language, _longest(found))
        print(f"{language}: {size.parts} SMS ({size.alphabet}, {size.units} units, {size.left} left in the last)")
    errors = sum(finding.severity == "error" for finding in findings)
    if errors:
        print(f"{file}: {errors} to put right, see above", file=sys.stderr)
    return 1 if errors else 0


def walk(file: str) -> int:
    """Show what a caller of each language goes through. Raises CampaignError when the file is refused."""
    found = campaign.load(file)
    if why := campaign.refusal(found):
        print(why, file=sys.stderr)
        return 1
    print(f"{found.title}\n  You ring. It rings once or twice, then you hear busy: nobody answered, you pay nothing.")
    if found.mode == "opt-out":
        print("  Your number is marked: no campaign of this box writes to you or calls you again.")
        return 0
    print("  Your call is counted.")
    values = {name: f"<{name}>" for name in _longest(found)}
    for language in found.languages:
        text = campaign.reply_text(found, campaign.choose_language(language, "", found), values)
        print(f"  [{language}] " + (f"An SMS comes: {text}" if text else "No SMS comes."))
    hours = f"{found.once_per_s / 3600:g} hours"
    print("  Each call gets its SMS." if found.once_per_s == 0 else f"  Within {hours} you get that SMS once.")
    if found.quiet:
        start, end = (f"{minute // 60:02}:{minute % 60:02}" for minute in found.quiet)
        print(f"  From {start} to {end} nothing is sent; the SMS comes afterwards.")
    return 0


def _longest(found: campaign.Campaign) -> dict[str, str]:
    """The longest value to reckon with for each placeholder; those of [box.text] that we cannot know count 40."""
    named = {name for text in found.replies.values() for name in campaign.placeholders(text)}
    return {name: LONGEST.get(name, "x" * 40) for name in {*named, *LONGEST}}
