"""The daemon's ears on a running asyncio loop, for tests of monitors whose look is awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from powernap.daemon import loop_ears


class LoopEars(loop_ears.LoopEars):
    """The daemon's own, which also note what is listened to; make them inside a coroutine."""

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop())
        self.listening: set[int] = set()

    def listen(self, fd: int, heard: Callable[[], None], *, priority: bool = False) -> None:
        """Noted."""
        super().listen(fd, heard, priority=priority)
        self.listening.add(fd)

    def ignore(self, fd: int) -> None:
        """Noted."""
        super().ignore(fd)
        self.listening.discard(fd)


async def until(true: Callable[[], object], limit: float = 5.0) -> None:
    """Serve the loop until ``true()``; ``TimeoutError`` after ``limit`` seconds."""
    async with asyncio.timeout(limit):
        while not true():  # noqa: ASYNC110 - the claim is about anything, not about one event
            await asyncio.sleep(0.002)
