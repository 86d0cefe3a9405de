"""What headquarters' page says about what `reports` found: words, shares, bars, and no whole number of anybody.

Pure: figures in, texts and geometry out. What came from a box is text from elsewhere and goes through
`words.plain`; callers are masked. The chart is a drawing in per cent of its width and height, so that it needs
no script and no style of its own, and it is told in a sentence and a table too.
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Any

from edge import words
from edge.numbers import mask
from sync.hq import reports

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
# why headquarters hears no box -> what to do; another reason is said in the receiver's own words
DEAF: dict[str, tuple[str, str]] = {
    "absent": ("the receiver has not started", "Start it: `miscall hq run hq.toml`."),
    "silent": ("the receiver no longer answers", "Start it again: `miscall hq run hq.toml`."),
    "stopped": ("the receiver was stopped", "Start it again: `miscall hq run hq.toml`."),
    "refused": ("", "Correct `broker` below [hq] in hq.toml, or what the broker knows of headquarters."),
    "offline": ("", "It tries again by itself; if this lasts, look at the broker."),
    "waiting": ("", ""),
}
UNKNOWN = "unknown"
MARKS = (2, 4, 6, 10)  # their halves are whole too


def trouble(kind: str, detail: str = "", deaf: dict[str, str] | None = None) -> dict[str, Any]:
    """The page when there is nothing to show: why, and what to do next."""
    tone, title, todo = TROUBLE[kind]
    return {"deaf": deaf, "trouble": {"tone": tone, "title": title, "todo": todo, "detail": words.plain(detail)}}


def view(found: dict[str, Any], callers: int | None, receiver: reports.Receiver) -> dict[str, Any]:
    """All that the page shows of `reports.overview`; `callers` is None while they are being counted.

    While the receiver hears nothing, `deaf` says so, and nothing is claimed of how the boxes are now."""
    now_ms, where = found["now_ms"], found["zone"]
    deaf = _deaf(receiver, now_ms, where)
    if not found["boxes"] and not found["alarms"]:
        return trouble("empty", deaf=deaf)
    figures = {name: f"{count:,}" for name, count in found["figures"].items()}
    if deaf:
        figures["online"] = UNKNOWN
    alarmed = {alarm["box"] for alarm in found["alarms"]}
    boxes = sorted(
        (_box(box, now_ms, box["box"] in alarmed, bool(deaf)) for box in found["boxes"]),
        key=lambda box: words.TONES.index(box["tone"]),
    )
    districts = [{**one, "online": UNKNOWN} for one in found["districts"]] if deaf else found["districts"]
    return {
        "deaf": deaf,
        "trouble": None,
        "figures": {**figures, "callers": "…" if callers is None else f"{callers:,}"},
        "boxes_known": len(boxes),
        "zone": str(where),
        "stamp": _stamp(found["complete"], now_ms, where, bool(deaf)),
        "alarms": [_alarm(alarm, now_ms) for alarm in found["alarms"]],
        "chart": chart(found["hours"]),
        "campaigns": _shared(found["campaigns"]),
        "districts": _shared(districts),
        "boxes": boxes[: reports.BOXES],
        "boxes_more": max(0, len(boxes) - reports.BOXES),
        "latest": [_call(call, now_ms) for call in found["latest"]],
        "takes": [_take(take, now_ms) for take in found["takes"]],
        "grievances": _grievances(found["grievances"], now_ms, where),
        "answers": None if found["answers"] is None else _answers(found["answers"]),
    }


def clock_time(at_ms: int, now_ms: int, where: tzinfo) -> str:
    """A moment as a wall clock there shows it; with its date when that is not today."""
    at, now = (datetime.fromtimestamp(moment / 1000, where) for moment in (at_ms, now_ms))
    return f"{at:%H:%M:%S}" if at.date() == now.date() else f"{at.day} {at:%b %H:%M}"


def _deaf(receiver: reports.Receiver, now_ms: int, where: tzinfo) -> dict[str, str] | None:
    """Why headquarters hears no box, and since when; None when it does."""
    if receiver.state == "connected":
        return None
    kind = "stopped" if receiver.words == "stopped" else receiver.state
    why, todo = DEAF.get(kind, ("", ""))
    since = f" since {clock_time(receiver.since_ms, now_ms, where)}" if receiver.since_ms > 0 else ""
    return {
        "state": kind,
        "title": f"Headquarters hears no box{since}",
        "why": why or words.plain(receiver.words) or "no connection to the broker",
        "sentence": "Boxes keep their rows and send them later.",
        "todo": todo,
    }


def _stamp(complete: reports.Complete, now_ms: int, where: tzinfo, deaf: bool) -> dict[str, str]:
    boxes = "box" if complete.of == 1 else "boxes"
    note = f" {complete.unread:,} rows are held but could not be read." if complete.unread else ""
    if deaf and complete.at_ms is not None:
        until = clock_time(complete.at_ms, now_ms, where)
        title = f"Was complete up to {until} for {complete.boxes} of {complete.of} {boxes}"
        return {"tone": "warn", "title": title, "sentence": "What happened since then is still at the boxes." + note}
    if deaf:
        sentence = "Headquarters hears nobody: what happens now is still at the boxes."
        return {"tone": "warn", "title": "Not complete", "sentence": sentence + note}
    if complete.at_ms is None:
        sentence = f"Complete for none of {complete.of} {boxes}: they are silent, behind, or without a clock to trust."
        return {"tone": "warn", "title": "Not complete", "sentence": sentence + note}
    title = f"Complete up to {clock_time(complete.at_ms, now_ms, where)} for {complete.boxes} of {complete.of} {boxes}"
    missing = complete.of - complete.boxes
    rest = f"{missing} {'box' if missing == 1 else 'boxes'} may have more to send."
    sentence = rest if missing else "Every event up to then is here."
    return {"tone": "warn" if missing or note else "good", "title": title, "sentence": sentence + note}


def _alarm(alarm: dict[str, Any], now_ms: int) -> dict[str, str]:
    title, todo = ALARMS.get(alarm["kind"], (words.plain(alarm["kind"]), "Look at this box, and tell its office."))
    times = f", {alarm['times']:,} times" if alarm["times"] > 1 else ""
    return {
        "title": title,
        "box": words.plain(alarm["box"]),
        "words": words.plain(alarm["words"]),
        "todo": todo,
        "when": f"{words.age(alarm['last_ms'], now_ms)}{times}",
    }


def _box(box: dict[str, Any], now_ms: int, alarmed: bool, deaf: bool) -> dict[str, Any]:
    tone, state, detail = _state(box, now_ms, alarmed, deaf)
    if box["behind"]:
        behind = f"{box['behind']:,} rows still there"
    else:
        behind = "nothing still there" if box["online"] and not deaf else "since then unknown"
    return {
        "name": words.plain(box["box"]),
        "district": words.plain(box["district"]),
        "tone": tone,
        "state": state,
        "detail": detail,
        "today": f"{box['today']:,}",
        "lines": len(box["lines"]),
        "heard": words.age(box["seen_ms"], now_ms),
        "behind": behind,
        "complete": words.age(box["complete_ms"], now_ms) if box["complete_ms"] else "not known",
    }


def _state(box: dict[str, Any], now_ms: int, alarmed: bool, deaf: bool) -> tuple[str, str, str]:
    """Tone, state and its cause: silence first, for nothing else is known of a silent box; then its worst line.
    Nobody is called silent, and nothing good is said, while it is headquarters that does not hear."""
    if deaf:
        return "warn", "Not known", "Headquarters hears no box."
    if not box["online"]:
        return "bad", "Silent", "Ask the office whether box and internet are on; its calls are kept there."
    said = [(line, _line(line, now_ms)) for line in box["lines"] if line.state]
    worst = min(said, key=lambda pair: words.TONES.index(pair[1].tone), default=None)
    if worst and worst[1].tone in ("bad", "warn"):
        line, its = worst
        return its.tone, its.title, f"Line {words.plain(line.line)}: {words.plain(line.words) or its.sentence}"
    if alarmed:
        return "warn", "Look at it", "There is an alarm about this box above."
    if box["clock"] < 2:
        return "warn", "Clock not sure", "Its calls are here, their times are not sure until it hears the time."
    if worst and worst[1].tone == "busy":
        return "busy", worst[1].title, ""
    return "good", "Hearing", ""


def _line(line: reports.Ledger, now_ms: int) -> words.Said:
    """A line's last word; how long ago it was says nothing, for a line speaks up only when its state changes."""
    return words.line_said({"name": line.line, "state": line.state, "updated_ms": now_ms}, now_ms)


def _shared(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    most = max((row["today"] for row in rows), default=0) or 1
    return [
        {**row, "name": words.plain(row["name"]) or "–", "today": f"{row['today']:,}", "week": f"{row['week']:,}",
         "sent": f"{row.get('sent', 0):,}",
         "share": f"{100 * row['today'] / most:.1f}%"}
        for row in rows
    ]  # fmt: skip


def _caller(row: dict[str, Any]) -> str:
    hidden = {"withheld": "Number hidden", "unavailable": "Number not told", "unknown": "Number not told"}
    return hidden.get(row["caller_kind"]) or mask(row["caller"])


def _call(call: dict[str, Any], now_ms: int) -> dict[str, str]:
    return {
        "caller": _caller(call),
        "campaign": words.plain(call["campaign"]),
        "where": f"{words.plain(call['box'])} · {words.plain(call['line'])}",
        "when": words.age(call["at_ms"], now_ms),
    }


def _said(row: dict[str, Any]) -> dict[str, str]:
    """Who said it, where and about what."""
    return {
        "caller": _caller(row),
        "campaign": words.plain(row["campaign"]),
        "tags": " · ".join(words.plain(tag) for tag in str(row["tags"]).split(",") if tag.strip()),
        "where": f"{words.plain(row['box'])} · {words.plain(row['line'])}",
    }


def _take(take: dict[str, Any], now_ms: int) -> dict[str, str]:
    if take["id"]:
        state = ""
    elif take["state"] == "recording":
        state = "Still being recorded."
    elif take["have"]:
        state = f"On the way: {100 * take['have'] // max(1, take['bytes'])} % is here."
    elif take["state"] == "erased":
        state = "Erased at the box before it came here."
    else:
        state = "Still at the box; sound follows when calls and messages are here."
    length, when = f"{take['seconds']} s" if take["seconds"] else "", words.age(take["at_ms"], now_ms)
    return {**_said(take), "id": take["id"], "state": state, "length": length, "when": when}


def _grievances(found: dict[str, Any], now_ms: int, where: tzinfo) -> dict[str, Any]:
    first = [
        {
            **_said(case),
            "reference": words.plain(case["reference"]),
            "state": words.plain(case["state"]),
            "said": case["said"],
            "when": words.age(case["at_ms"], now_ms),
            "due": f"due {clock_time(case['due_ms'], now_ms, where)}" if case["due_ms"] else "no time set",
            "tone": "bad" if 0 < case["due_ms"] < now_ms else "busy",
        }
        for case in found["first"]
    ]
    return {
        "open": f"{found['open']:,}",
        "overdue": f"{found['overdue']:,}",
        "tone": "bad" if found["overdue"] else "good",
        "more": max(0, found["open"] - len(first)),
        "first": first,
    }


def _answers(found: list[dict[str, Any]]) -> list[dict[str, str]]:
    counts = ("raw", "first", "last", "void")
    return [
        {
            "issue": words.plain(row["issue"]) or "–",
            "value": words.plain(row["value"]) or "–",
            **{name: f"{row[name]:,}" for name in counts},
        }
        for row in found
    ]


def top_of(most: int) -> int:
    """The round number at or above `most` that the chart's scale ends with."""
    step = 1
    while True:
        for mark in MARKS:
            if mark * step >= most:
                return max(4, mark * step)
        step *= 10


def chart(hours: list[dict[str, Any]]) -> dict[str, Any]:
    """Bars in per cent: of the width between the edges, and of the height above the names of the hours."""
    top = top_of(max((hour["calls"] for hour in hours), default=0))
    width = 100 / max(1, len(hours))
    bars = []
    for place, hour in enumerate(hours):
        start: datetime = hour["start"]
        height = 84 * hour["calls"] / top
        bars.append({
            "x": f"{place * width:.3f}%", "width": f"{width:.3f}%",
            "inner": f"{(place + 0.14) * width:.3f}%", "inner_width": f"{0.72 * width:.3f}%",
            "y": f"{88 - height:.2f}%", "height": f"{height:.2f}%",
            "calls": f"{hour['calls']:,}", "said": f"{start:%a %H:%M}", "now": place == len(hours) - 1,
            "name": _hour_name(start) if start.hour % 6 == 0 else "", "odd": start.hour % 12 != 0,
        })  # fmt: skip
    busiest = max(hours, key=lambda hour: int(hour["calls"]), default=None)
    total = sum(hour["calls"] for hour in hours)
    peak = f", most ({busiest['calls']:,}) in the hour from {busiest['start']:%a %H:%M}" if busiest and total else ""
    return {
        "bars": bars,
        "lines": [{"y": f"{88 - 84 * part:.2f}%", "name": f"{round(top * part):,}"} for part in (0.5, 1.0)],
        "sentence": f"{total:,} calls in {len(hours)} hours{peak}.",
    }


def _hour_name(start: datetime) -> str:
    return f"{start:%a} {start.day}" if start.hour == 0 else f"{start:%H:%M}"
