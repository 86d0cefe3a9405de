"""How much of the truth is here: "complete up to T for n of m boxes", and whether headquarters hears anybody at all."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from edge import words
from sync.hq import reports
from sync.hq.catalogue import Tell
from sync.hq.views.moments import clock_time

# why headquarters hears no box -> what to do; another reason is said in the receiver's own words
DEAF: dict[str, tuple[str, str]] = {
    "absent": ("the receiver has not started", "Start it: `miscall hq run hq.toml`."),
    "silent": ("the receiver no longer answers", "Start it again: `miscall hq run hq.toml`."),
    "stopped": ("the receiver was stopped", "Start it again: `miscall hq run hq.toml`."),
    "refused": ("", "Correct `broker` below [hq] in hq.toml, or what the broker knows of headquarters."),
    "offline": ("", "It tries again by itself; if this lasts, look at the broker."),
    "waiting": ("", ""),
}


def deaf(receiver: reports.Receiver, now_ms: int, where: tzinfo, _: Tell) -> dict[str, str] | None:
    """Why headquarters hears no box, and since when; None when it does."""
    if receiver.state == "connected":
        return None
    kind = "stopped" if receiver.words == "stopped" else receiver.state
    why, todo = DEAF.get(kind, ("", ""))
    since = clock_time(receiver.since_ms, now_ms, where, _) if receiver.since_ms > 0 else ""
    return {
        "state": kind,
        "title": _("Headquarters hears no box since {time}", time=since) if since else _("Headquarters hears no box"),
        "why": _(why or words.plain(receiver.words) or "no connection to the broker"),
        "sentence": _("Boxes keep their rows and send them later."),
        "todo": _(todo) if todo else "",
    }


def stamp(complete: reports.Complete, now_ms: int, where: tzinfo, hears: bool, _: Tell) -> dict[str, str]:
    """Tone, title and sentence; `hears` tells whether headquarters hears boxes now."""
    values: dict[str, Any] = {"n": complete.boxes, "m": complete.of}
    note = _(" {count} rows are held but could not be read.", count=f"{complete.unread:,}") if complete.unread else ""
    if complete.at_ms is None:
        if hears:
            sentence = (
                _("Complete for none of {m} boxes: they are silent, behind, or without a clock to trust.", **values)
                if complete.of != 1
                else _("Complete for none of 1 box: it is silent, behind, or without a clock to trust.")
            )
        else:
            sentence = _("Headquarters hears nobody: what happens now is still at the boxes.")
        return {"tone": "warn", "title": _("Not complete"), "sentence": sentence + note}
    values["time"] = clock_time(complete.at_ms, now_ms, where, _)
    one = complete.of == 1
    if not hears:
        title = (
            _("Was complete up to {time} for {n} of 1 box", **values)
            if one
            else _("Was complete up to {time} for {n} of {m} boxes", **values)
        )
        sentence = _("What happened since then is still at the boxes.")
        return {"tone": "warn", "title": title, "sentence": sentence + note}
    title = (
        _("Complete up to {time} for {n} of 1 box", **values)
        if one
        else _("Complete up to {time} for {n} of {m} boxes", **values)
    )
    missing = complete.of - complete.boxes
    sentence = (
        _("Every event up to then is here.")
        if not missing
        else _("1 box may have more to send.")
        if missing == 1
        else _("{count} boxes may have more to send.", count=missing)
    )
    return {"tone": "warn" if missing or note else "good", "title": title, "sentence": sentence + note}
