"""The files that the schedules' answers rest on: who changes one is noticed. Does not own what follows.

A directory is watched, or the directory of a file, since editors put a new file in the old one's place. Of what is not there yet, the nearest
directory above it that is.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import Callable, Iterable

from powernap.host.inotify import IGNORED, Inotify

CHANGED = 0x2 | 0x4 | 0x8 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800
"""``IN_MODIFY``, ``ATTRIB``, ``CLOSE_WRITE``, ``MOVED_FROM``, ``MOVED_TO``, ``CREATE``, ``DELETE``, ``DELETE_SELF``, ``MOVE_SELF``."""
GONE = 0x400 | 0x800 | 0x2000 | IGNORED
"""``IN_DELETE_SELF``, ``MOVE_SELF``, ``UNMOUNT``, ``IGNORED``: what was watched is no longer there."""
LOST = -1
"""The watch of ``IN_Q_OVERFLOW``: more happened than the kernel keeps."""
ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EACCES})


class WatchedFiles:
    """Make it in a running loop. :param changed: called for each change of theirs, often several times for one."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.changed, self.loop = changed, asyncio.get_running_loop()
        self.inotify: Inotify | None = None
        self.names: dict[int, set[str]] = {}

    def watch(self, paths: Iterable[str]) -> str:
        """These from now on, and nothing else; why some changes will not be noticed, empty where all will be.

        A watch that stands is kept: to close the descriptor takes the kernel 7 ms, and what happens meanwhile would not be told.
        """
        before, self.names = self.names, {}
        try:
            inotify = self.inotify = self.inotify or self._begin()
            for path in paths:
                self._add(inotify, path)
        except OSError as error:
            return error.strerror or str(error)
        for watch in before.keys() - self.names.keys():
            inotify.unwatch(watch)
        return ""

    def _begin(self) -> Inotify:
        inotify = Inotify()
        self.loop.add_reader(inotify.fd, self._touched)
        return inotify

    def _add(self, inotify: Inotify, path: str) -> None:
        directory, name = (path, "") if os.path.isdir(path) else os.path.split(path)
        while not os.path.isdir(directory):
            directory, name = os.path.split(directory)
            if not name:
                return
        try:
            watch = inotify.watch(directory, CHANGED)
        except OSError as error:
            if error.errno not in ABSENT:
                raise
            return  # it went away meanwhile, which is told by what is above it the next time
        self.names.setdefault(watch, set()).add(name)

    def _touched(self) -> None:
        found = self.inotify.drain() if self.inotify is not None else []
        if any(self._ours(each.watch, each.mask, each.name) for each in found):
            self.changed()

    def _ours(self, watch: int, mask: int, name: str) -> bool:
        if watch == LOST:
            return True
        names = self.names.get(watch, set())
        return bool(names) and (bool(mask & GONE) or "" in names or name in names)

    def close(self) -> None:
        """Nothing any more."""
        if self.inotify is not None:
            self.loop.remove_reader(self.inotify.fd)
            with contextlib.suppress(OSError):
                self.inotify.close()
            self.inotify = None
        self.names.clear()
