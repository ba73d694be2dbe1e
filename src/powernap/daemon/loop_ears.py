"""The asyncio loop as the ears of all event sources; counts what wakes us."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable


class LoopEars:
    """Ears (host/ears.py) on the running loop.

    :ivar wakeups: call-backs so far, for ``status`` and the bench.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.wakeups = 0
        self.priority: dict[int, select.epoll] = {}

    def listen(self, fd: int, heard: Callable[[], None], *, priority: bool = False) -> None:
        """Call ``heard`` when ``fd`` is readable, or raises ``EPOLLPRI``."""
        self.ignore(fd)
        if not priority:
            self.loop.add_reader(fd, self._call, fd, heard)
            return
        # asyncio knows no EPOLLPRI: an epoll of its own that becomes readable stands in for the descriptor.
        inner = select.epoll()
        try:
            inner.register(fd, select.EPOLLPRI)
        except OSError:
            inner.close()
            raise
        self.priority[fd] = inner

        def drained() -> None:
            inner.poll(0)
            heard()

        self.loop.add_reader(inner.fileno(), self._call, fd, drained)

    def _call(self, fd: int, heard: Callable[[], object]) -> None:
        self.wakeups += 1
        try:
            heard()
        except Exception:
            # Whoever failed to take what is there would fail again at once, for ever. The loop's handler is told.
            self.ignore(fd)
            raise

    def _count(self, do: Callable[[], object]) -> None:
        self.wakeups += 1
        do()

    def ignore(self, fd: int) -> None:
        """Stop listening; unknown descriptors are ignored."""
        inner = self.priority.pop(fd, None)
        if inner is not None:
            self.loop.remove_reader(inner.fileno())
            inner.close()
        elif fd >= 0:
            self.loop.remove_reader(fd)

    def later(self, delay: float, do: Callable[[], None]) -> None:
        """Call ``do`` once after ``delay`` seconds."""
        self.loop.call_later(delay, self._count, do)
