"""`miscall hq run`: headquarters in the foreground, receiver and web page, one process each."""

from __future__ import annotations

from pathlib import Path

from edge import supervise
from sync.hq import config


def run(config_path: str) -> int:
    """Run headquarters until SIGTERM. Raises SettingsError, nothing started, when the file is refused."""
    hq = config.load(Path(config_path))
    path = str(Path(config_path).absolute())
    children = [supervise.miscall("receiver", "hq", "receive", path)]
    if hq.listen:
        children.append(supervise.miscall("web", "hq", "web", path))
    return supervise.run(children)
