"""Work that may block for ever, a few pieces of it at a time, each in a thread of its own (aside.py).

What hangs keeps its thread and gives its place free for others, until so many hang that there is no thread left: the unit has 32 (``TasksMax``), and
every systemctl that a thread waits for is one of them too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from powernap.daemon.aside import aside


class CrowdedError(Exception):
    """It was not begun: no thread is to be had for it."""


class Asides:
    """Used in one loop.

    :param at_once: pieces of work at a time, those that hang not counted. :param threads: with those.
    :ivar sources: what hangs, as its users know it: who shares that need not hang there too.
    """

    def __init__(self, at_once: int, threads: int) -> None:
        self.at_once, self.threads = at_once, threads
        self.running = 0
        self.hanging: set[asyncio.Future[Any]] = set()
        self.sources: set[str] = set()
        self.changed = asyncio.Event()

    async def do(self, work: Callable[[], Any], name: str, limit: float) -> asyncio.Future[Any]:
        """Begun once there is a place: done, or not done after ``limit`` seconds, in which case it hangs. :class:`CrowdedError`."""
        await self._place()
        self.running += 1
        try:
            future = aside(work, name)
            await asyncio.wait([future], timeout=limit)
            if not future.done():
                self.hanging.add(future)
                future.add_done_callback(self._ended)
        except RuntimeError as error:
            raise CrowdedError(f"no thread can be started for it ({error})") from None
        finally:
            self.running -= 1
            self.changed.set()
        return future

    async def _place(self) -> None:
        while self.running >= min(self.at_once, self.threads - len(self.hanging)):
            if len(self.hanging) >= self.threads:
                raise CrowdedError(f"{self.threads} others hang already")
            self.changed.clear()
            await self.changed.wait()

    def _ended(self, future: asyncio.Future[Any]) -> None:
        self.hanging.discard(future)
        self.changed.set()
