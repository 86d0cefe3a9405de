"""Invitations: who said that she comes, who does not, and who came.

Rules of this room
- A caller's last answer counts. What an answer is called is the campaign's to say; these values mean that she does not
  come: `DECLINED`. Which issue is an invitation, and not a vote, the desk says once.
- Who came is an outcome, `attended`, of the campaign that invited her: marked on the list, or imported as a file.
- Erased callers still count, under their tokens.
"""

from __future__ import annotations

from collections.abc import Collection

from sync.hq.sql import Db, Row

LISTED = ("confirmed", "declined", "attended")
DECLINED = frozenset({"no", "decline", "declined", "not-coming", "sorry", "nahi"})
_ISSUES = "SELECT DISTINCT issue FROM answer WHERE issue <> '' ORDER BY issue"
_SAID = """
SELECT store_id, seq, caller, campaign, value, at_ms FROM (
    SELECT store_id, seq, caller, campaign, value, at_ms,
        row_number() OVER (PARTITION BY caller ORDER BY at_ms DESC, store_id DESC, seq DESC) AS place
    FROM answer WHERE issue = :issue AND caller <> ''
) AS said WHERE place = 1 ORDER BY at_ms DESC, store_id, seq
"""
_CAME = "SELECT campaign, caller FROM outcome WHERE goal = 'attended'"
_MARK = (
    "INSERT INTO outcome (campaign, goal, caller, at_ms, note, upload_id)"
    " VALUES (:campaign, 'attended', :caller, :at_ms, '', 0) ON CONFLICT (campaign, goal, caller) DO NOTHING"
)
_INVITE = "INSERT INTO invitation (issue, title) VALUES (:issue, :title) ON CONFLICT (issue) DO NOTHING"


def invitations(events: Db, desk: Db) -> tuple[list[Row], list[str]]:
    """The invitations with their counts, and the other issues that callers have answered."""
    titles = {row["issue"]: row["title"] for row in desk.rows("SELECT issue, title FROM invitation ORDER BY issue")}
    issues = [row["issue"] for row in events.rows(_ISSUES)]
    known = [{"issue": issue, "title": title, **counts(guests(events, desk, issue))} for issue, title in titles.items()]
    return known, [issue for issue in issues if issue not in titles]


def invite(desk: Db, issue: str, title: str) -> None:
    """The desk says that an issue is an invitation, within the caller's transaction."""
    desk.run(_INVITE, issue=issue, title=title[:200])


def guests(events: Db, desk: Db, issue: str) -> list[Row]:
    """Everybody who answered: her last word (`comes`), and whether she came."""
    came = {(row["campaign"], row["caller"]) for row in desk.rows(_CAME)}
    return [
        {**row, "comes": row["value"].lower() not in DECLINED, "came": (row["campaign"], row["caller"]) in came}
        for row in events.rows(_SAID, issue=issue)
    ]


def counts(said: Collection[Row]) -> dict[str, int]:
    """confirmed, declined, attended, and those who came although they had declined."""
    return {
        "confirmed": sum(row["comes"] for row in said),
        "declined": sum(not row["comes"] for row in said),
        "attended": sum(row["came"] for row in said),
        "surprised": sum(row["came"] and not row["comes"] for row in said),
    }


def attended(events: Db, desk: Db, issue: str, things: Collection[tuple[int, int]], at_ms: int) -> int:
    """Mark those who came, within the caller's transaction; how many were new."""
    rows = [row for row in guests(events, desk, issue) if (row["store_id"], row["seq"]) in things]
    return sum(desk.run(_MARK, campaign=row["campaign"], caller=row["caller"], at_ms=at_ms) for row in rows)


def listed(said: Collection[Row], which: str) -> list[Row]:
    """One of the three lists."""
    if which == "attended":
        return [row for row in said if row["came"]]
    return [row for row in said if row["comes"] == (which != "declined")]
