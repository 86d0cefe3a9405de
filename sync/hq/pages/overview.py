"""The first page: what the boxes have heard, live; the sound of a recording; and what the first page's figures mean.

A recording is served once all of it is here and fitted its digest, under a name that tells nobody's number.
"""

from __future__ import annotations

import threading
from typing import Any

from starlette.background import BackgroundTask
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response

from sync.hq import reports, voices
from sync.hq.doors.roles import DESK, FIGURES, SIGNED_IN
from sync.hq.looks import Looks
from sync.hq.pages.ask import Ask, Page, Tab

_making = threading.Lock()


def _looks(ask: Ask) -> Looks:
    """The application's one `Looks`."""
    kept = ask.request.app.state
    with _making:
        if not hasattr(kept, "looks"):
            kept.looks = Looks(ask.config, kept.share_s)
        return kept.looks  # type: ignore[no-any-return]


def _shown(ask: Ask) -> dict[str, Any]:
    return _looks(ask).now(ask.now_ms, ask.language, ask._)


def _then_count(ask: Ask, response: Response) -> Response:
    response.background = BackgroundTask(_looks(ask).count_callers, ask.now_ms)
    return response


def first(ask: Ask) -> Response:
    """The whole page; who may not see the figures is led to her list."""
    if ask.user.role not in FIGURES:
        return RedirectResponse("/lists", 303)
    return _then_count(ask, ask.page("overview.html", hears=ask.user.role in DESK, **_shown(ask)))


def live(ask: Ask) -> Response:
    """What of the page changes."""
    return _then_count(ask, ask.page("overview_live.html", hears=ask.user.role in DESK, **_shown(ask)))


def api(ask: Ask) -> Response:
    """The same as JSON."""
    return _then_count(ask, JSONResponse(_shown(ask)))


def sound(ask: Ask) -> Response:
    """The recording that the address names."""
    return heard(ask, ask.path["name"])


def heard(ask: Ask, name: str) -> Response:
    """A recording, or 404. Whoever calls this has made sure that the reader may hear it."""
    try:
        file = voices.file(ask.events, ask.config.data, name)
    except Exception:  # whatever a missing or damaged store says, it has no sound to give
        file = None
    if file is None:
        return PlainTextResponse(ask._("There is no such recording here, or not all of it yet.") + "\n", 404)
    return FileResponse(file, media_type="audio/ogg")


def figures(ask: Ask) -> Response:
    """What the first page's figures mean, and the query behind each."""
    meant = {**reports.FIGURES, "grievances": voices.OPEN, "answers": voices.ANSWERS}
    return ask.page("figures.html", figures=meant)


ROUTES: list[Page] = [
    Page("/", first, SIGNED_IN),
    Page("/live", live, FIGURES),
    Page("/api/overview", api, FIGURES),
    Page("/figures", figures, FIGURES),
    Page("/recordings/{name}", sound, DESK),
]

TABS: list[Tab] = [Tab("Overview", "/", FIGURES)]
