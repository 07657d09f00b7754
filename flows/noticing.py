"""Told by the kernel when something changes below a folder of this machine, so that it need not be listed to know."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]

from core.progress import say
from curation.places import Place
from curation.source import Source

if TYPE_CHECKING:
    from watchfiles.main import FileChange

LOCAL = frozenset({"btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"})
"""file systems of which no other machine changes anything behind the kernel's back"""
SLICE = 500
"""milliseconds between two looks whether the folder is still the same one"""


class Noticing:
    """Waits until something changes below a folder, or until the time is up. Linux's inotify, by `watchfiles`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._changes, self._identity = self._begin(), identity(folder)

    def wait(self, seconds: float) -> bool:
        """Whether something has changed since the last call, told at once; False after ``seconds``."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            now = identity(self.folder)
            if now != self._identity:  # another folder in its place, or none
                self._identity = now
                if now is not None:
                    self._changes = self._begin()
                return True
            if now is None:
                time.sleep(SLICE / 1000)
            elif next(self._changes):
                return True
        return False

    def _begin(self) -> Iterator[set[FileChange]]:
        from watchfiles import watch

        changes = watch(
            self.folder, watch_filter=None, rust_timeout=SLICE, yield_on_timeout=True, ignore_permission_denied=True,
            debounce=200, step=50, force_polling=False,
        )  # fmt: skip
        next(changes)  # it watches from its first value on
        return changes


def noticing(source: Source) -> Noticing | None:
    """One for a source that is a folder of this machine; None for any other, which has to be listed now and then."""
    folder = telling(source)
    if folder is None:
        return None
    try:
        return Noticing(folder)
    except (OSError, RuntimeError) as error:  # no more watches are to be had, for one
        say(f"the kernel does not tell of changes in {folder} ({error}); it is listed instead")
        return None


def telling(source: Source) -> Path | None:
    """The folder of a source, where that is one of this machine."""
    path = getattr(source, "path", None)
    place = Place.of(path) if isinstance(path, str) else None
    if place is None or not place.is_local or not place.path.is_dir() or kind_of(place.path) not in LOCAL:
        return None
    return place.path


def kind_of(folder: Path) -> str:
    """The kind of the file system that a folder is on, such as ``ext4``; empty where that is not known."""
    whole = folder.resolve()
    mounts = {Path(part.mountpoint): part.fstype for part in psutil.disk_partitions(all=True)}
    return next((str(mounts[one]) for one in (whole, *whole.parents) if one in mounts), "")


def identity(folder: Path) -> tuple[int, int] | None:
    """What tells a folder from another one in its place; None where there is none."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
