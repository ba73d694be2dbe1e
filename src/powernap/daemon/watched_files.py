"""The files that the schedules' answers rest on: who changes one is noticed. Does not own what follows.

A directory is watched, or the directory of a file, since editors put a new file in the old one's place. Of what is not there yet, the nearest
directory above it that is.

To look for a path, and to watch it, may take for ever: where it lies on a server that is gone. So that is done in whichever thread
calls :meth:`WatchedFiles.place`, each owner's paths by themselves; what is told of them is heard in the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterable, Iterator

from powernap.host.inotify import IGNORED, Inotify

CHANGED = 0x2 | 0x4 | 0x8 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800
"""``IN_MODIFY``, ``ATTRIB``, ``CLOSE_WRITE``, ``MOVED_FROM``, ``MOVED_TO``, ``CREATE``, ``DELETE``, ``DELETE_SELF``, ``MOVE_SELF``."""
GONE = 0x400 | 0x800 | 0x2000 | IGNORED
"""``IN_DELETE_SELF``, ``MOVE_SELF``, ``UNMOUNT``, ``IGNORED``: what was watched is no longer there."""
LOST = -1
"""The watch of ``IN_Q_OVERFLOW``: more happened than the kernel keeps."""
ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EACCES})
Names = dict[int, set[str]]
"""Of each watch the names in its directory that matter; "": all."""


class WatchedFiles:
    """Make it in a running loop. :param changed: called for each change of theirs, often several times for one.

    A watch that stands is kept: to close the descriptor takes the kernel 7 ms, and what happens meanwhile would not be told. One that nobody
    wants any more goes once no thread places any: the same directory has one watch, whoever wants it.

    :ivar owners: who wants which watches. :ivar placing: threads at it, also one that hangs.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self.changed, self.loop = changed, asyncio.get_running_loop()
        self.inotify: Inotify | None = None
        self.trouble = "nothing is watched yet"
        self.owners: dict[str, Names] = {}
        self.standing: set[int] = set()
        self.placing, self.lock, self.closed = 0, threading.Lock(), False

    def watch(self, paths: Iterable[str]) -> str:
        """These from now on, and nothing else; why some changes will not be noticed, empty where all will be.

        In the loop's thread, for paths that cannot hang.
        """
        trouble = self.begin() or self.place("", paths)
        self._prune()
        return trouble

    def begin(self) -> str:
        """Once before :meth:`place`, in the loop's thread; why nothing can be watched, empty where it can."""
        if self.inotify is None and not self.closed:
            try:
                self.inotify, self.trouble = Inotify(), ""
            except OSError as error:
                self.trouble = error.strerror or str(error)
                return self.trouble
            self.loop.add_reader(self.inotify.fd, self._touched)
        return ""

    def place(self, owner: str, paths: Iterable[str]) -> str:
        """An owner's paths from now on, and none of his former ones, with the same answer. In any thread.

        What changes after it has returned is noticed: so read them then.
        """
        with self._placing() as inotify:
            if inotify is None:
                return self.trouble
            found: Names = {}
            try:
                for path in paths:
                    self._add(inotify, path, found)
            except OSError as error:
                return error.strerror or str(error)
            finally:
                self.owners[owner] = found
        return ""

    @contextlib.contextmanager
    def _placing(self) -> Iterator[Inotify | None]:
        """Its descriptor stays open meanwhile: its number may be another's as soon as it is closed."""
        with self.lock:
            inotify = None if self.closed else self.inotify
            self.placing += 1
        try:
            yield inotify
        finally:
            with self.lock:
                self.placing -= 1
                last = self._taken()
            if last is not None:
                last.close()
            elif not self.closed:
                with contextlib.suppress(RuntimeError):  # the loop is closed
                    self.loop.call_soon_threadsafe(self._prune)

    def _taken(self) -> Inotify | None:
        """The descriptor, for whoever is the last to use it; with the lock held."""
        if not self.closed or self.placing:
            return None
        inotify, self.inotify = self.inotify, None
        return inotify

    def _add(self, inotify: Inotify, path: str, found: Names) -> None:
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
        self.standing.add(watch)
        found.setdefault(watch, set()).add(name)

    def _prune(self) -> None:
        """Watches that nobody wants. A thread that begins meanwhile waits; one that has begun prunes when it is done."""
        with self.lock:
            if self.placing or self.inotify is None:
                return
            wanted = {watch for names in self.owners.values() for watch in names}
            for watch in self.standing - wanted:
                self.inotify.unwatch(watch)
            self.standing &= wanted

    def _touched(self) -> None:
        found = self.inotify.drain() if self.inotify is not None else []
        if any(self._ours(each.watch, each.mask, each.name) for each in found):
            self.changed()

    def _ours(self, watch: int, mask: int, name: str) -> bool:
        if watch == LOST:
            return True
        names = {name for owned in list(self.owners.values()) for name in owned.get(watch, ())}
        return bool(names) and (bool(mask & GONE) or "" in names or name in names)

    def close(self) -> None:
        """Nothing any more."""
        if self.inotify is not None and not self.closed:
            self.loop.remove_reader(self.inotify.fd)
        self.owners.clear()
        with self.lock:
            self.closed = True
            last = self._taken()
        if last is not None:
            last.close()
