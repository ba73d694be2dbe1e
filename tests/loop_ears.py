"""Ears on a running asyncio loop, for tests of monitors whose look is awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class LoopEars:
    """Ears of host/ears.py on ``asyncio``; make it inside a coroutine. ``wakeups`` counts what was heard."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.listening: set[int] = set()
        self.wakeups = 0

    def listen(self, fd: int, heard: Callable[[], None], *, priority: bool = False) -> None:
        """Call back when readable."""

        def count() -> None:
            self.wakeups += 1
            heard()

        self.loop.add_reader(fd, count)
        self.listening.add(fd)

    def ignore(self, fd: int) -> None:
        """Stop listening."""
        if fd in self.listening:
            self.listening.discard(fd)
            self.loop.remove_reader(fd)

    def later(self, delay: float, do: Callable[[], None]) -> None:
        """Call once."""
        self.loop.call_later(delay, do)


async def until(true: Callable[[], object], limit: float = 5.0) -> None:
    """Serve the loop until ``true()``; ``TimeoutError`` after ``limit`` seconds."""
    async with asyncio.timeout(limit):
        while not true():  # noqa: ASYNC110 - the claim is about anything, not about one event
            await asyncio.sleep(0.002)
