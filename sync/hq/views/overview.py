"""What headquarters' first page says about what `reports` found: words, shares, bars, and nobody's whole number."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from edge import words
from sync.hq import catalogue, reports
from sync.hq.catalogue import Tell
from sync.hq.silence import Hidden
from sync.hq.views import said
from sync.hq.views.chart import Bar, drawing
from sync.hq.views.moments import DAYS, age, hour_of_week
from sync.hq.views.stamp import deaf, stamp

# kind of alarm -> what it is called, what to do
ALARMS: dict[str, tuple[str, str]] = {
    "fork": (
        "Two histories of one line",
        "The card was probably copied, or put back to an older copy. Ask the office whether one was swapped; keep both "
        "cards, and start the line with a fresh data folder. What is held here stays as it is.",
    ),
    "rolled-back": (
        "A card went back in time",
        "The box has fewer rows than it once sent: an older copy of its card, or a failing card. Keep the card, and "
        "start the line with a fresh data folder. Nothing that is held here is lost.",
    ),
    "foreign": (
        "One card in two boxes",
        "Two boxes send under the same ledger. Find the copied card and start that box with a fresh data folder.",
    ),
    "foreign-name": (
        "A box under another's name",
        "Correct `id` in the box.toml of that box: each box has its own.",
    ),
    "unreadable": (
        "Rows that cannot be read",
        "They are kept in quarantine, the rest goes on. Update headquarters; if it stays, send the box's version to "
        "those who maintain miscall.",
    ),
    "unkept": (
        "Rows that cannot be kept",
        "Headquarters could not work with what this box sent. The box keeps it and comes again, all other boxes go on. "
        "Update headquarters; if it stays, send the words beside this to those who maintain miscall.",
    ),
    "digest": (
        "A recording that does not arrive whole",
        "It was sent three times and never fitted its digest, so it is not taken. It is still on the box: fetch it "
        "from `recordings` in the box's data folder, and look at that box's memory card.",
    ),
    "recordings": (
        "Recordings cannot be written",
        "Boxes keep them and come again later. Free space on headquarters' disk, or correct the rights of the folder "
        "`recordings` in its data folder.",
    ),
    "quarantine-full": (
        "Quarantine is full",
        "What cannot be read is no longer kept. Look at the boxes named in the other alarms first.",
    ),
}
TROUBLE: dict[str, tuple[str, str, str]] = {
    "absent": (
        "warn", "Nothing is stored yet",
        "The receiver has not made its store. Start it: `miscall hq run hq.toml`. This page fills by itself.",
    ),
    "unreadable": (
        "bad", "The store cannot be read",
        "Boxes keep what is not receipted, so nothing is lost. Stop the receiver, copy the data folder to another "
        "disk, and only then repair it or put a backup in its place.",
    ),
    "empty": (
        "busy", "No box has said hello yet",
        "On each box set `url` under [hq] in box.toml to this headquarters' broker, then start it: "
        "`miscall box run box.toml`. This page fills by itself.",
    ),
}  # fmt: skip
UNKNOWN = "unknown"


def trouble(kind: str, _: Tell, detail: str = "", deaf: dict[str, str] | None = None) -> dict[str, Any]:
    """The page when there is nothing to show: why, and what to do next."""
    tone, title, todo = TROUBLE[kind]
    told = {"tone": tone, "title": _(title), "todo": _(todo), "detail": words.plain(detail)}
    return {"deaf": deaf, "trouble": told}


def view(found: dict[str, Any], callers: int | None, receiver: reports.Receiver, _: Tell) -> dict[str, Any]:
    """All that the page shows of `reports.overview`; `callers` is None while they are being counted.

    While the receiver hears nothing, `deaf` says so, and nothing is claimed of how the boxes are now."""
    now_ms, where = found["now_ms"], found["zone"]
    not_heard = deaf(receiver, now_ms, where, _)
    if not found["boxes"] and not found["alarms"]:
        return trouble("empty", _, deaf=not_heard)
    figures = {name: f"{count:,}" for name, count in found["figures"].items()}
    if not_heard:
        figures["online"] = UNKNOWN
    alarmed = {alarm["box"] for alarm in found["alarms"]}
    boxes = sorted(
        (_box(box, now_ms, box["box"] in alarmed, bool(not_heard), _) for box in found["boxes"]),
        key=lambda box: words.TONES.index(box["tone"]),
    )
    districts = [{**one, "online": UNKNOWN} for one in found["districts"]] if not_heard else found["districts"]
    return {
        "deaf": not_heard,
        "trouble": None,
        "figures": {**figures, "callers": "…" if callers is None else f"{callers:,}"},
        "boxes_known": len(boxes),
        "zone": str(where),
        "stamp": stamp(found["complete"], now_ms, where, not not_heard, _),
        "alarms": [_alarm(alarm, now_ms, _) for alarm in found["alarms"]],
        "chart": hours(found["hours"], _),
        "campaigns": _shared(found["campaigns"]),
        "districts": _shared(districts),
        "boxes": boxes[: reports.BOXES],
        "boxes_more": max(0, len(boxes) - reports.BOXES),
        "latest": [said.call(call, now_ms, _) for call in found["latest"]],
        "takes": [said.take(take, now_ms, _) for take in found["takes"]],
        "grievances": said.grievances(found["grievances"], now_ms, where, _),
        "answers": None if found["answers"] is None else said.answers(found["answers"]),
        "silence": catalogue.said(found.get("silence", ""), _),
    }


def hushed(found: dict[str, Any], why: Hidden, options: dict[str, str]) -> dict[str, Any]:
    """What `reports` found without what callers have voted: no answers. Where campaigns are `options` of an issue they
    are told as one, under its name; no calls, sounds or cases of theirs are listed, and no calls are told by place."""
    together: dict[str, dict[str, Any]] = {}
    for row in found["campaigns"]:
        name = options.get(row["name"], row["name"])
        one = together.setdefault(name, {"name": name, "today": 0, "week": 0, "sent": 0})
        for counter in ("today", "week", "sent"):
            one[counter] += row[counter]
    campaigns = sorted(together.values(), key=lambda one: (-one["today"], -one["week"], one["name"]))
    untold: dict[str, Any] = {"today": None, "week": None} if options else {}
    cases = found["grievances"]
    return {
        **found, "answers": [], "silence": why, "campaigns": campaigns,
        "latest": [call for call in found["latest"] if call["campaign"] not in options],
        "takes": [take for take in found["takes"] if take["campaign"] not in options],
        "grievances": {**cases, "first": [case for case in cases["first"] if case["campaign"] not in options]},
        "boxes": [{**row, **untold} for row in found["boxes"]],
        "districts": sorted(({**row, **untold} for row in found["districts"]),
                            key=lambda row: (-(row["today"] or 0), row["name"])),
    }  # fmt: skip


def hours(found: list[dict[str, Any]], _: Tell) -> dict[str, Any]:
    """The chart of calls by hour."""
    columns = [
        Bar(hour["calls"], hour_of_week(hour["start"], _), _hour_name(hour["start"], _),
            hour["start"].hour % 12 != 0, place == len(found) - 1)
        for place, hour in enumerate(found)
    ]  # fmt: skip
    total = sum(hour["calls"] for hour in found)
    busiest = max(found, key=lambda hour: int(hour["calls"]), default=None)
    values: dict[str, Any] = {"total": f"{total:,}", "hours": len(found)}
    if not busiest or not total:
        return drawing(columns, _("{total} calls in {hours} hours.", **values))
    values |= {"most": f"{busiest['calls']:,}", "hour": hour_of_week(busiest["start"], _)}
    return drawing(columns, _("{total} calls in {hours} hours, most ({most}) in the hour from {hour}.", **values))


def _hour_name(start: datetime, _: Tell) -> str:
    if start.hour % 6:
        return ""
    return f"{_(DAYS[start.weekday()])} {start.day}" if start.hour == 0 else f"{start:%H:%M}"


def _alarm(alarm: dict[str, Any], now_ms: int, _: Tell) -> dict[str, str]:
    title, todo = ALARMS.get(alarm["kind"], (words.plain(alarm["kind"]), "Look at this box, and tell its office."))
    when = age(alarm["last_ms"], now_ms, _)
    return {
        "title": _(title),
        "box": words.plain(alarm["box"]),
        "words": words.plain(alarm["words"]),
        "todo": _(todo),
        "when": _("{age}, {n} times", age=when, n=f"{alarm['times']:,}") if alarm["times"] > 1 else when,
    }


def _box(box: dict[str, Any], now_ms: int, alarmed: bool, deaf: bool, _: Tell) -> dict[str, Any]:
    tone, state, detail = _state(box, now_ms, alarmed, deaf, _)
    if box["behind"]:
        behind = _("{count} rows still there", count=f"{box['behind']:,}")
    else:
        behind = _("nothing still there") if box["online"] and not deaf else _("since then unknown")
    return {
        "name": words.plain(box["box"]),
        "district": words.plain(box["district"]),
        "tone": tone,
        "state": state,
        "detail": detail,
        "today": _count(box["today"]),
        "lines": _("1 line") if len(box["lines"]) == 1 else _("{n} lines", n=len(box["lines"])),
        "heard": age(box["seen_ms"], now_ms, _),
        "behind": behind,
        "complete": age(box["complete_ms"], now_ms, _) if box["complete_ms"] else _("not known"),
    }


def _state(box: dict[str, Any], now_ms: int, alarmed: bool, deaf: bool, _: Tell) -> tuple[str, str, str]:
    """Tone, state and its cause: silence first, for nothing else is known of a silent box; then its worst line.
    Nobody is called silent, and nothing good is said, while it is headquarters that does not hear."""
    if deaf:
        return "warn", _("Not known"), _("Headquarters hears no box.")
    if not box["online"]:
        todo = _("Ask the office whether box and internet are on; its calls are kept there.")
        return "bad", _("Silent"), todo
    heard = [(line, _line(line, now_ms)) for line in box["lines"] if line.state]
    worst = min(heard, key=lambda pair: words.TONES.index(pair[1].tone), default=None)
    if worst and worst[1].tone in ("bad", "warn"):
        line, its = worst
        why = words.plain(line.words) or its.sentence
        return its.tone, _(its.title), _("Line {name}: {why}", name=words.plain(line.line), why=_(why))
    if alarmed:
        return "warn", _("Look at it"), _("There is an alarm about this box above.")
    if box["clock"] < 2:
        unsure = _("Its calls are here, their times are not sure until it hears the time.")
        return "warn", _("Clock not sure"), unsure
    if worst and worst[1].tone == "busy":
        return "busy", _(worst[1].title), ""
    return "good", _("Hearing"), ""


def _line(line: reports.Ledger, now_ms: int) -> words.Said:
    """A line's last word; how long ago it was says nothing, for headquarters keeps when a state began."""
    return words.line_said({"name": line.line, "state": line.state, "updated_ms": now_ms}, now_ms)


def _shared(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    most = max((row["today"] or 0 for row in rows), default=0) or 1
    return [
        {**row, "name": words.plain(row["name"]) or "–", "today": _count(row["today"]), "week": _count(row["week"]),
         "sent": f"{row.get('sent', 0):,}",
         "share": f"{100 * (row['today'] or 0) / most:.1f}%"}
        for row in rows
    ]  # fmt: skip


def _count(calls: int | None) -> str:
    """Of calls that are hidden, none."""
    return "–" if calls is None else f"{calls:,}"
