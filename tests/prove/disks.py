"""Small file systems that can be cut, filled and looked at: ext4 images on loop devices, for root.

`Disk.cut` is what a power cut does to everything above the block device: the ext4 shutdown ioctl stops the file
system at once, without writing its log or any page that was not synced. Mounting it again replays the journal.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from tests.prove.ground import need

SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, (2).to_bytes(4, "little")  # FS_IOC_GOINGDOWN and its argument
_TOOLS = {"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, env=_TOOLS, check=False)


class Disk:
    """An ext4 image of `mib` MiB, mounted at `place` within a `with` block. Skips where that cannot be."""

    def __init__(self, folder: Path, mib: int) -> None:
        need("mkfs.ext4", "mount", "e2fsck", root=True)
        self.image, self.place = folder / "card.img", folder / "card"
        self.place.mkdir(parents=True)
        with self.image.open("wb") as file:
            file.truncate(mib << 20)
        made = _run("mkfs.ext4", "-q", "-F", "-b", "4096", "-m", "0", self.image)
        assert made.returncode == 0, made.stderr

    def mount(self) -> None:
        mounted = _run("mount", "-o", "loop", self.image, self.place)
        if mounted.returncode:
            pytest.skip(f"no loop device here: {mounted.stderr.strip()}")

    def unmount(self) -> None:
        gone = _run("umount", self.place)
        assert gone.returncode == 0, gone.stderr

    def cut(self) -> None:
        """The power goes."""
        folder = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, SHUTDOWN, NO_LOG_FLUSH)
        finally:
            os.close(folder)

    def fill(self) -> Path:
        """Write until nothing fits any more; returns the file that takes all the room."""
        filler = self.place / "filler"
        size = 1 << 20
        with filler.open("ab", buffering=0) as file:
            while size:
                try:
                    if file.write(bytes(size)) < size:
                        size //= 2
                except OSError:
                    size //= 2
            os.fsync(file.fileno())
        return filler

    def check(self) -> None:
        """The file system itself is whole; it must not be mounted."""
        looked = _run("e2fsck", "-f", "-n", self.image)
        assert looked.returncode == 0, looked.stdout

    def __enter__(self) -> Disk:
        self.mount()
        return self

    def __exit__(self, *_: object) -> None:
        _run("umount", "-l", self.place)
