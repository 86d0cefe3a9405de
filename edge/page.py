"""The office's local page: one screen that says whether the box hears, and what to do next.

A process of its own that reads `edge.status.snapshot` and nothing else, so that no look at it can hold up a
call. It writes nothing but its address to standard output, and the file by which `supervise` sees that it still
answers: never a request to a log. Callers' numbers are masked before they reach a template. Whatever is missing
or broken on the card becomes a sentence on the page: the page of a broken box has to work. `Gate` stands in
front of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from edge import config, status, words
from edge.gate import Gate, split
from edge.serving import serve

HERE = Path(__file__).parent
BEAT_S = 3.0


def view(snapshot: Mapping[str, Any], lang: str = "en") -> dict[str, Any]:
    """All that the template shows, in words: no number of a caller, no raw time, no raw state."""
    tone, sentence = words.advice(snapshot, lang)
    now_ms = int(snapshot.get("now_ms") or 0)
    lines = [line for line in snapshot.get("lines") or () if isinstance(line, Mapping)]
    return {
        "lang": lang,
        "heading": words.plain(snapshot.get("box")) or words.text("page", lang),
        "district": words.plain(snapshot.get("district")),
        "next": {"tone": tone, "text": sentence},
        "lines": [_line(line, now_ms, lang) for line in lines],
        "box": _box(snapshot, now_ms, lang) if snapshot and not snapshot.get("problem") else None,
    }


def _line(line: Mapping[str, Any], now_ms: int, lang: str) -> dict[str, Any]:
    return {
        "name": words.plain(line.get("name")),
        "number": str(line.get("number") or ""),  # the SIM's own, as printed on the posters
        "campaign": words.plain(line.get("campaign")),
        "said": words.line_said(line, now_ms, lang)._asdict(),
        "calls_today": _count(line.get("calls_today")),
        "sms_left": _count(line.get("sms_left")),
        "waiting": _count(_whole(line.get("held")) + _whole(line.get("queued"))),
        "notes": words.waiting_said(line, lang),
        "voice": _voice(line) if line.get("speaks") else None,
        "last": words.age(line.get("last_call_ms"), now_ms, lang),
        "last_caller": words.plain(line.get("last_caller")),
        "operator": words.plain(line.get("operator")) or "–",
        "signal": words.signal_said(line.get("signal"), lang) if words.bars(line.get("signal")) is not None else "–",
        "bars": words.bars(line.get("signal")),
    }


def _voice(line: Mapping[str, Any]) -> dict[str, str]:
    """The figures of a line that talks, by the names of their labels."""
    named = (("talks", "talks_today"), ("recordings", "recordings_today"), ("cases", "cases_open"))
    return {label: _count(line.get(key)) for label, key in named}


def _box(snapshot: Mapping[str, Any], now_ms: int, lang: str) -> dict[str, Any]:
    uplink, disk, clock = (snapshot.get(key) or {} for key in ("uplink", "disk", "clock"))
    link = words.link_said(uplink, now_ms, lang)
    full = disk.get("percent")
    low = isinstance(full, int | float) and full >= 100 - words.DISK_LOW_PERCENT
    trusted = bool(clock.get("trusted"))
    return {
        "link": link._asdict(),
        "unsent": _count(uplink.get("unsent")),
        "unsent_tone": _road_tone(uplink, link.tone),
        "acked": words.age(uplink.get("last_ack_ms"), now_ms, lang),
        "sound": words.sound_said(uplink),
        "disk_tone": "bad" if low else "good",
        "free": words.text("free", lang, free=words.size(disk.get("free_bytes"), lang)),
        "disk": words.text("used", lang, percent=round(full)) if isinstance(full, int | float) else "",
        "clock_tone": "good" if trusted else "warn",
        "clock": words.text("trusted" if trusted else "untrusted", lang),
        "clock_words": words.plain(clock.get("words")) or words.text(f"clock-{'right' if trusted else 'unsure'}", lang),
    }


def _road_tone(uplink: Mapping[str, Any], link: str) -> str:
    """The tone of what waits here for headquarters: rows and recordings."""
    if words.sound_trouble(uplink):
        return "warn"
    waits = uplink.get("unsent") or uplink.get("recordings")
    return "good" if not waits else "busy" if link in ("good", "busy") else "warn"


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else "–"


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def application(
    read: Callable[[], Mapping[str, Any]], host: str = "127.0.0.1", lang: str = "en", pulse: Path | None = None
) -> Gate:
    """The page over whatever `read` returns. An exception of `read` is shown as a sentence, never as a 500.

    `pulse` is written again every few seconds, by the threads that answer, for as long as they do."""
    looks = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True, trim_blocks=True)

    def seen() -> dict[str, Any]:
        try:
            return view(read(), lang)
        except Exception as why:  # a damaged ledger, a folder gone: the page is where this has to be said
            return view({"problem": f"{type(why).__name__}: {why}"}, lang)

    def render(name: str) -> HTMLResponse:
        labels = {"live_on": words.text("live", lang), "live_off": words.text("lost", lang)}
        return HTMLResponse(looks.get_template(name).render(t=lambda key: words.text(key, lang), **labels, **seen()))

    def page(request: Request) -> HTMLResponse:
        return render("office.html")

    def live(request: Request) -> HTMLResponse:
        return render("office_live.html")

    def api(request: Request) -> JSONResponse:
        return JSONResponse(seen())

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        beating = asyncio.create_task(_beat(pulse)) if pulse else None
        yield
        if beating:
            beating.cancel()

    routes = [Route("/", page), Route("/live", live), Route("/api/status", api)]
    static = Mount("/static", StaticFiles(directory=HERE / "static"))
    return Gate(Starlette(routes=[*routes, static], lifespan=lifespan), host)


async def _beat(pulse: Path) -> None:
    while True:
        await run_in_threadpool(_tell, pulse)
        await asyncio.sleep(BEAT_S)


def _tell(pulse: Path) -> None:
    draft = pulse.with_suffix(".new")
    with contextlib.suppress(OSError):  # a full disk does not end the page that has to say so
        pulse.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps({"pid": os.getpid(), "updated_ms": int(time.time() * 1000)}))
        draft.replace(pulse)


def run(config_path: str | Path) -> int:
    """Serve the page of the box in `config_path` until SIGTERM or SIGINT; 0 then, and when the page is switched
    off; 1 after one line on stderr when the file is refused or the port is taken."""
    try:
        box = config.load(Path(config_path))
    except config.ConfigError as why:
        print(why, file=sys.stderr)
        return 1
    if not box.listen:
        print("page: switched off in box.toml")
        return 0
    host, port = split(box.listen)
    pulse = box.data / "state" / "page.json"
    app = application(lambda: status.snapshot(box), host, pulse=pulse)
    return serve(app, host, port, f"{config_path}: page.listen")
