"""What the office and headquarters read: states turned into sentences, times into ages.

One table of texts a language, looked up by key; another language is another table, and a text it lacks
is shown in English. A sentence says what is so, the next one what to do, in words of somebody who has
never opened a terminal. `next_step` is the one sentence at the top: the most urgent thing to do on the
whole box. The page and `box status` say the same because both ask here.

Pure: the time comes with the snapshot. Nothing here raises over a snapshot with holes in it: a page about
a broken box is made of broken data. Free text that came from elsewhere goes through `plain`, which drops
control and direction marks and hides anything long enough to be somebody's number.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, NamedTuple

Snapshot = Mapping[str, Any]

STALE_MS = 60_000  # a process rewrites its state file every few seconds; a minute of silence is no accident
LINK_PATIENCE_MS = 15 * 60_000  # so long a link may be away before somebody should look at the router
DISK_LOW_PERCENT = 5
# How `rules` begins a reason for which a reply is held, and which text of the advice then applies.
HELD_ADVICE = {"today's SMS": "purse", "the clock is not trusted": "clock-holds"}
# What is said of a line's voice -> which text of the remedies then applies; the last is for all others.
MUTE_REMEDIES = {"no voice": "mute-voice", "no audio_port": "mute-port", "": "mute-other"}
# How a sentence of the uplink about sound ends when nobody need do anything; any other is a trouble.
SOUND_CALM = ("for the road to headquarters", "today's data for sound is used up", "data_mb_per_day is 0")
# States of a line that hears callers and could do more: told after all that stops calls, replies and receipts.
HALF_WELL = ("mute", "no-room")


class Said(NamedTuple):
    """One state in words. `tone` is "good", "busy" (wait), "warn" (look soon) or "bad" (calls or links are down)."""

    tone: str
    title: str
    sentence: str
    todo: str


TONES = ("bad", "warn", "busy", "good")  # by urgency

# state of a line -> tone, title, sentence, what to do; by urgency
ENGLISH_LINES: dict[str, tuple[str, str, str, str]] = {
    "damaged": (
        "bad", "Call file damaged", "The file that keeps this line's calls cannot be read.",
        "Leave the box switched on, delete nothing, and call headquarters.",
    ),
    "disk": (
        "bad", "Disk full", "The disk takes nothing more, so calls cannot be written down.",
        "Free space on the box or put in a bigger card, then start the box again.",
    ),
    "sim-puk": (
        "bad", "SIM locked", "The SIM is locked and asks for its PUK code.",
        "Do not try PINs; ask the operator's shop for the PUK, unlock the SIM in a phone and put it back.",
    ),
    "sim-pin": (
        "bad", "SIM wants its PIN", "The SIM asks for a PIN, which nobody can type here.",
        "Put the SIM into a phone, switch its PIN off, and put it back.",
    ),
    "no-sim": (
        "bad", "No SIM", "The modem finds no SIM card.",
        "Unplug the modem, push the SIM in until it sits firmly, and plug the modem in again.",
    ),
    "port-held": (
        "bad", "Modem in use", "The modem at {port} is in use by {program}.",
        "Close {program}; the line comes back by itself.",
    ),
    "not-a-modem": (
        "bad", "Not a modem", "What is plugged in at {port} does not speak like a modem.",
        "Correct `port` of line {name} in box.toml; `miscall modem list` shows the right one.",
    ),
    "no-permission": (
        "bad", "Modem not allowed", "The box may not use the modem at {port}.",
        "Put the box's user into the group dialout and start the box again.",
    ),
    "no-port": (
        "bad", "Modem not found", "There is no modem at {port}: it is unplugged or has no power.",
        "Plug the modem of line {name} in again; if it stays away, try another USB socket.",
    ),
    "no-answer": (
        "bad", "Modem silent", "The modem does not answer; the box keeps trying to wake it.",
        "If this lasts more than two minutes, unplug the modem, count to ten, and plug it in again.",
    ),
    "stale": (
        "bad", "No word", "The line's program last spoke {age}.",
        "Start the box again, or switch it off and on.",
    ),
    "no-network": (
        "bad", "No network", "The SIM finds no mobile network.",
        "Move the box or its antenna to a window, and check that the SIM is recharged.",
    ),
    "never": (
        "warn", "Not started", "This line has not started yet.",
        "Start the box: `miscall box run box.toml`.",
    ),
    "stopped": (
        "warn", "Stopped", "This line was stopped: calls to it are not written down.",
        "Start the box again: `miscall box run box.toml`.",
    ),
    "unknown": (
        "warn", "Unknown state", "The line says a word that this page does not know: {state}.",
        "Tell headquarters; page and box may be of different versions.",
    ),
    "restarting": (
        "warn", "Restarting", "The line's program has ended and is being started again.",
        "Wait a minute; if this stays, call headquarters.",
    ),
    "mute": (
        "warn", "Cannot talk", "This line cannot talk: {mute}. Callers are treated as missed calls.", "{remedy}",
    ),
    "no-room": (
        "warn", "Cannot record", "The disk has no room for recordings: who wants to leave one is asked to call again.",
        "Free space on the box or put in a bigger card.",
    ),
    "starting": ("busy", "Starting", "The modem is being woken up.", "Wait a minute."),
    "talking": ("good", "Talking", "This line is talking with a caller.", ""),
    "sending": ("good", "Sending a reply", "Calls to this number are being written down.", ""),
    "ready": ("good", "Ready", "Calls to this number are being written down.", ""),
}  # fmt: skip

ENGLISH_LINK: dict[str, tuple[str, str, str, str]] = {
    "refused": (
        "bad", "Refused", "Headquarters does not let this box in.",
        "Call headquarters: they must accept this box's name or certificate.",
    ),
    "stale": (
        "bad", "Not running", "The program that talks to headquarters is not running; calls are kept here.",
        "Start the box again, or switch it off and on.",
    ),
    "away": (
        "warn", "No link", "The link to headquarters was lost {age}; calls are kept here.",
        "Check the box's internet: router, cable or mobile data.",
    ),
    "offline": ("busy", "No link", "No link to headquarters just now; calls are kept here and sent later.", ""),
    "waiting": ("busy", "Waiting", "Headquarters is asked again in a moment; calls are kept here.", ""),
    "behind": ("good", "Connected", "What is kept here is on its way.", ""),
    "connected": ("good", "Connected", "Everything is at headquarters.", ""),
}  # fmt: skip

ENGLISH: dict[str, str] = {
    "page": "Missed-call box", "box": "Box", "line": "Line", "lines": "Lines", "next": "What to do next",
    "today": "Calls today", "last": "Last call", "sms": "SMS left", "waiting": "Replies waiting", "signal": "Signal",
    "operator": "Operator", "hq": "Headquarters", "unsent": "Rows waiting for headquarters", "acked": "Last receipt",
    "disk": "Disk", "free": "{free} free", "used": "{percent} % used", "clock": "Clock",
    "trusted": "Right", "untrusted": "Not sure", "never": "never", "none": "unknown",
    "live": "Live", "lost": "No answer from the box",
    "no-signal": "None", "weak": "Weak", "fair": "Fair", "good": "Good", "strong": "Strong",
    "all-well": "All is well: nothing to do.",
    "starting": "The box is starting: wait a minute.",
    "on-line": "Line {name}: {todo}{more}.", "and-more": " ({count} more below)",
    "no-box": "Nothing is known of this box yet. Start it: `miscall box run box.toml`.",
    "unreadable": "The box's files cannot be read: {why}. Call headquarters and leave the box switched on.",
    "no-lines": "No line is set up. Add a [[line]] to box.toml and start the box again.",
    "not-running": "The box is not running. Start it again, or switch it off and on.",
    "disk-low": "The disk is almost full ({free} free): put in a bigger card or free space.",
    "purse": "Line {name} has used up its SMS for today; replies wait for tomorrow.",
    "held": "{count} replies wait: {why}.", "held-one": "1 reply waits: {why}.",
    "talks": "Talks today", "recordings": "Recorded today", "cases": "Open cases",
    "back": "{count} people wait for a call back.", "back-one": "1 person waits for a call back.",
    "back-held": "{count} people wait for a call back: {why}.",
    "back-held-one": "1 person waits for a call back: {why}.",
    "late": "{count} complaints have waited longer than was promised.",
    "late-one": "1 complaint has waited longer than was promised.",
    "late-advice": "Line {name}: {said} Ask headquarters who speaks with these people.",
    "sound": "Recordings do not reach headquarters: {said}.",
    "mute-voice": "Put the SIM into a modem that can talk; `miscall modem list` says which can.",
    "mute-port": "Name the modem's sound port as `audio_port` in box.toml; `miscall modem list` shows it.",
    "mute-other": "Unplug the modem, count to ten, and plug it in again; if that does not help, `miscall doctor` may.",
    "clock-holds": "Replies wait because the clock may be wrong and the campaign has quiet hours: connect the box to "
    "the internet, or set `clock = \"trusted\"` below [box] in box.toml if this machine's clock is kept right.",
    "clock-wrong": "The clock may be wrong: connect the box to the internet, or wait for the mobile network's time.",
    "ago-now": "just now", "clock-right": "The time of calls can be relied on.",
    "clock-unsure": "Calls are kept with an uncertain time.",
    "ago-s": "{n} s ago", "ago-min": "{n} min ago", "ago-h": "{n} h ago", "ago-d": "{n} days ago",
    "another-program": "another program", "its-port": "its port",
}  # fmt: skip


class Language(NamedTuple):
    """All texts of one language; what is missing is taken from English."""

    lines: Mapping[str, tuple[str, str, str, str]]
    link: Mapping[str, tuple[str, str, str, str]]
    texts: Mapping[str, str]


LANGUAGES: dict[str, Language] = {"en": Language(ENGLISH_LINES, ENGLISH_LINK, ENGLISH)}


def text(key: str, lang: str = "en", **values: object) -> str:
    """The short text of `key`, its gaps filled with `values`."""
    found = LANGUAGES.get(lang, LANGUAGES["en"]).texts.get(key) or ENGLISH[key]
    return found.format(**values) if values else found


def line_said(line: Snapshot, now_ms: int, lang: str = "en") -> Said:
    """One line of a snapshot in words. A state that is too old to be true is "stale", none at all "never"."""
    state = _line_state(line, now_ms)
    table = LANGUAGES.get(lang, LANGUAGES["en"]).lines
    tone, title, sentence, todo = table.get(state) or ENGLISH_LINES[state]
    values = {
        "name": plain(line.get("name")),
        "port": plain(line.get("port")) or text("its-port", lang),
        "program": _culprit(line) or text("another-program", lang),
        "state": plain(line.get("state")),
        "age": age(line.get("updated_ms"), now_ms, lang),
        "mute": plain(line.get("mute")).partition(": ")[0],
        "remedy": _mute_remedy(line, lang),
    }
    return Said(tone, title, sentence.format(**values), todo.format(**values))


def _culprit(line: Snapshot) -> str:
    """Who holds a port, out of "/dev/x is held by minicom (pid 812)": "minicom (process 812)"."""
    return plain(line.get("detail")).rpartition(" is held by ")[2].replace("(pid ", "(process ")


def _mute_remedy(line: Snapshot, lang: str) -> str:
    key = next(key for part, key in MUTE_REMEDIES.items() if part in plain(line.get("mute")))
    return text(key, lang)


def waiting_said(line: Snapshot, lang: str = "en") -> list[str]:
    """Who waits for something of this line, a sentence or two each: a reply, a call back, help with a complaint."""
    return [said for said in (held_said(line, lang), back_said(line, lang), late_said(line, lang)) if said]


def back_said(line: Snapshot, lang: str = "en") -> str:
    """Who waits to be rung back, and for how long still where there is a reason; or ""."""
    held = _pairs(line, "callback_waits")
    due = _int(line.get("callbacks_due")) + _int(line.get("callbacks_held")) - sum(count for _, count in held)
    told = [_counted("back", due, lang)] if due > 0 else []
    return " ".join(told + [_counted("back-held", count, lang, why=reason.rstrip(".")) for reason, count in held])


def late_said(line: Snapshot, lang: str = "en") -> str:
    """Complaints that are past the time promised for them; or ""."""
    late = _int(line.get("cases_late"))
    return _counted("late", late, lang) if late > 0 else ""


def _counted(key: str, count: int, lang: str, **values: object) -> str:
    return text(f"{key}-one" if count == 1 else key, lang, count=f"{count:,}", **values)


def held_said(line: Snapshot, lang: str = "en") -> str:
    """Why replies of this line wait: a sentence for each reason, or ""."""
    held = _pairs(line, "waits")
    return " ".join(_counted("held", count, lang, why=reason.rstrip(".")) for reason, count in held)


def _pairs(line: Snapshot, key: str) -> list[tuple[str, int]]:
    """Reasons and how many wait for each."""
    waits = line.get(key)
    pairs = [one for one in waits if isinstance(one, Mapping)] if isinstance(waits, list) else []
    return [(plain(one.get("reason")), _int(one.get("count"))) for one in pairs]


def link_said(uplink: Snapshot, now_ms: int, lang: str = "en") -> Said:
    """The road to headquarters in words. `uplink` empty: it never ran."""
    state = str(uplink.get("state") or "stale")
    if _silent(uplink, now_ms):
        state = "stale"
    elif state in ("offline", "waiting") and now_ms - _int(uplink.get("since_ms"), now_ms) > LINK_PATIENCE_MS:
        state = "away"
    elif state == "connected" and _int(uplink.get("unsent")) > 0:
        state = "behind"
    table = LANGUAGES.get(lang, LANGUAGES["en"]).link
    tone, title, sentence, todo = table.get(state) or ENGLISH_LINK.get(state) or ENGLISH_LINK["waiting"]
    return Said(tone, title, sentence.format(age=age(uplink.get("since_ms"), now_ms, lang)), todo)


def sound_said(uplink: Snapshot) -> str:
    """How recordings stand on their way to headquarters, as the uplink says it; or ""."""
    said = plain(uplink.get("sound"))
    return f"{said[:1].upper()}{said[1:]}." if said else ""


def sound_trouble(uplink: Snapshot) -> str:
    """What of that wants somebody; or ""."""
    return "; ".join(part for part in plain(uplink.get("sound")).split("; ") if part and not part.endswith(SOUND_CALM))


def next_step(snapshot: Snapshot, lang: str = "en") -> str:
    """The one sentence: the most urgent thing to do on this box, or that there is nothing to do."""
    return advice(snapshot, lang)[1]


def advice(snapshot: Snapshot, lang: str = "en") -> tuple[str, str]:
    """`next_step` with its tone. Urgency: what stops calls from being written down, what stops replies and
    receipts, what will do so soon, what only takes patience."""
    now_ms = _int(snapshot.get("now_ms"))
    if snapshot.get("problem"):
        return "bad", text("unreadable", lang, why=plain(snapshot["problem"]))
    if not snapshot:
        return "warn", text("no-box", lang)
    lines = [line for line in snapshot.get("lines") or () if isinstance(line, Mapping)]
    if not lines:
        return "warn", text("no-lines", lang)
    states = [_line_state(line, now_ms) for line in lines]
    if set(states) == {"never"}:
        return "warn", text("no-box", lang)
    if set(states) <= {"stale", "never"}:
        return "bad", text("not-running", lang)
    wrong = [line for line in lines if _line_state(line, now_ms) not in HALF_WELL]
    return _line_advice(wrong, now_ms, lang) or _box_advice(snapshot, lines, now_ms, lang)


def _line_advice(lines: list[Snapshot], now_ms: int, lang: str) -> tuple[str, str] | None:
    order = list(ENGLISH_LINES)
    wanting = [line for line in lines if line_said(line, now_ms, lang).tone in ("bad", "warn")]
    if not wanting:
        return None
    worst = min(wanting, key=lambda line: order.index(_line_state(line, now_ms)))
    said = line_said(worst, now_ms, lang)
    more = text("and-more", lang, count=len(wanting) - 1) if len(wanting) > 1 else ""
    todo = said.todo[:1].lower() + said.todo[1:].rstrip(".")
    return said.tone, text("on-line", lang, name=plain(worst.get("name")), todo=todo, more=more)


def _box_advice(snapshot: Snapshot, lines: list[Snapshot], now_ms: int, lang: str) -> tuple[str, str]:
    uplink = snapshot.get("uplink") or {}
    link = link_said(uplink, now_ms, lang)
    disk = snapshot.get("disk") or {}
    if _int(disk.get("percent")) >= 100 - DISK_LOW_PERCENT:
        return "bad", text("disk-low", lang, free=size(disk.get("free_bytes"), lang))
    if link.tone in ("bad", "warn"):
        return link.tone, link.todo
    if half := _line_advice(lines, now_ms, lang):
        return half
    if waits := _waiting_advice(lines, lang):
        return "warn", waits
    if trouble := sound_trouble(uplink):
        return "warn", text("sound", lang, said=trouble)
    if (snapshot.get("clock") or {}).get("trusted") is False:
        return "warn", text("clock-wrong", lang)
    if any(_line_state(line, now_ms) == "starting" for line in lines):
        return "busy", text("starting", lang)
    return "good", text("all-well", lang)


def _waiting_advice(lines: list[Snapshot], lang: str) -> str:
    """What to do for people who wait for something: those with a complaint first."""
    for line in lines:
        if late := late_said(line, lang):
            return text("late-advice", lang, name=plain(line.get("name")), said=late)
    for line in lines:
        for reason, _ in _pairs(line, "waits"):
            for begin, key in HELD_ADVICE.items():
                if reason.startswith(begin):
                    return text(key, lang, name=plain(line.get("name")))
    return ""


def _line_state(line: Snapshot, now_ms: int) -> str:
    state = str(line.get("state") or "never")
    if state == "never" or not line.get("updated_ms"):
        return "never"
    if state not in ("stopped", "restarting") and _silent(line, now_ms):
        return "stale"
    if state == "no-port" and "no permission" in str(line.get("detail")):
        return "no-permission"
    if state in ("ready", "sending"):
        return _voice_state(line) or state
    return state if state in ENGLISH_LINES else "unknown"


def _voice_state(line: Snapshot) -> str:
    """What a line that hears callers cannot do, or does, beyond that; "" when that is all."""
    if line.get("mute"):
        return "mute"
    if line.get("speaks") and line.get("room") is False:
        return "no-room"
    return "talking" if line.get("talking") else ""


def _silent(state: Snapshot, now_ms: int) -> bool:
    return now_ms - _int(state.get("updated_ms")) > STALE_MS


def _int(value: object, otherwise: int = 0) -> int:
    return int(value) if isinstance(value, int | float) and math.isfinite(value) else otherwise


# ------------------------------------------------------------------------------ small measures


def age(at_ms: object, now_ms: int, lang: str = "en") -> str:
    """How long ago `at_ms` was: "12 s ago", "3 min ago"; "never" when there is no such time.

    A time in the future (a clock was set back) is "just now"."""
    at = _int(at_ms)
    if at <= 0:
        return text("never", lang)
    seconds = (now_ms - at) // 1000
    for limit, unit, key in ((5, 0, "ago-now"), (90, 1, "ago-s"), (5400, 60, "ago-min"), (172800, 3600, "ago-h")):
        if seconds < limit:
            return text(key, lang, n=seconds // unit if unit else 0)
    return text("ago-d", lang, n=seconds // 86400)


def bars(signal: object) -> int | None:
    """+CSQ's 0 to 31 as bars from 0 to 4; None when the modem does not know (99) or never said."""
    if not isinstance(signal, int) or not 0 <= signal <= 31:
        return None
    return sum(signal >= least for least in (2, 10, 15, 20))


def signal_said(signal: object, lang: str = "en") -> str:
    """The bars as a word."""
    count = bars(signal)
    return text("none" if count is None else ("no-signal", "weak", "fair", "good", "strong")[count], lang)


def size(count: object, lang: str = "en") -> str:
    """Bytes as a person says them: "640 MB", "12 GB"."""
    if not isinstance(count, int | float) or not math.isfinite(count):
        return text("none", lang)
    for unit, step in (("GB", 10**9), ("MB", 10**6)):
        if count >= step:
            return f"{count / step:.0f} {unit}" if count >= 10 * step else f"{count / step:.1f} {unit}"
    return f"{count / 1000:.0f} kB"


_LONG_NUMBER = re.compile(r"\+?\d(?:[ -]?\d){8,}")
_UNSEEN = ("Cc", "Cf", "Cs")
_JOINERS = "\u200c\u200d"  # Devanagari and its neighbours spell with them


def plain(value: object, limit: int = 200) -> str:
    """Free text made safe to show: one line, no control or direction marks, digits of anything as long as a
    telephone number hidden but for the last three."""
    if value is None:
        return ""
    line = " ".join(str(value).split())
    kept = "".join(letter for letter in line if letter in _JOINERS or unicodedata.category(letter) not in _UNSEEN)
    hidden = _LONG_NUMBER.sub(lambda found: "•••• " + re.sub(r"\D", "", found[0])[-3:], kept)
    return hidden if len(hidden) <= limit else hidden[: limit - 1] + "…"
