"""How long ago something was, in the reader's words."""

from __future__ import annotations

from sync.hq.pages.ask import Ask


def ago(ask: Ask, at_ms: int | None) -> str:
    """ "just now", "12 minutes ago", "3 hours ago", "5 days ago"; "never" for None."""
    if at_ms is None:
        return ask._("never")
    minutes = max(0, ask.now_ms - at_ms) // 60_000
    if minutes < 2:
        return ask._("just now")
    if minutes < 120:
        return ask._("{count} minutes ago", count=minutes)
    if minutes < 48 * 60:
        return ask._("{count} hours ago", count=minutes // 60)
    return ask._("{count} days ago", count=minutes // 1440)
