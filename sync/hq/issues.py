"""Which campaigns are options of which issue: read from the campaigns' folder that hq.toml names, for the roll-ups.

A campaign that cannot be read is passed over with a word on stderr: headquarters counts without it, and `miscall
campaign check` says what is wrong with it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from edge import campaign
from sync.hq.config import HqConfig
from sync.hq.gather import Issues


def of(config: HqConfig) -> Issues:
    """(issue, option, policy) of each campaign that is one option of an issue; none without a folder."""
    found: dict[str, tuple[str, str, str]] = {}
    for file in _files(config.campaigns):
        try:
            read = campaign.load(file)
        except campaign.CampaignError as why:
            print(f"{file}: is not counted for a referendum: {str(why).splitlines()[0]}", file=sys.stderr)
            continue
        if read.referendum and read.referendum.option:
            found[read.id] = (read.referendum.issue, read.referendum.option, read.referendum.policy)
    return found


def _files(folder: Path | None) -> list[Path]:
    return sorted(folder.glob("*.toml")) if folder else []
