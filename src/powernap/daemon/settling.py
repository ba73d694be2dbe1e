"""Changes that come in bursts are acted on once, after they have settled; and no more often than now and then, should they never end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

SETTLE, CALM = 1.0, 30.0
"""Seconds after which a file that changed is read, since editors write in several steps; and between two such looks at least."""


class Settling:
    """Make it in a running loop. :param settled: called after a change, or many."""

    def __init__(self, settled: Callable[[], None]) -> None:
        self.settled, self.loop = settled, asyncio.get_running_loop()
        self.handle: asyncio.TimerHandle | None = None
        self.latest = float("-inf")

    def touched(self) -> None:
        """Something changed."""
        if self.handle is None:
            wait = max(SETTLE, self.latest + CALM - self.loop.time())
            self.handle = self.loop.call_later(wait, self._settled)

    def _settled(self) -> None:
        self.handle, self.latest = None, self.loop.time()
        self.settled()

    def close(self) -> None:
        """Nothing any more."""
        if self.handle is not None:
            self.handle.cancel()
