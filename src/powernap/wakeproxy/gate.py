"""Not all at once: when each of several machines is started so that no more than a few begin within some seconds, and all are in time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping


def spread(latest: Mapping[str, float], at_once: int, apart: float) -> dict[str, float]:
    """When each begins: never later than its own instant, and so much earlier that within ``apart`` seconds no more than ``at_once`` begin."""
    names = sorted(latest, key=lambda name: latest[name])
    begin = [latest[name] for name in names]
    for number in reversed(range(len(begin) - at_once)):
        begin[number] = min(begin[number], begin[number + at_once] - apart)
    return dict(zip(names, begin, strict=True))


class Gate:
    """Lets pass no more than ``at_once`` within ``apart`` seconds, in the order in which they come. Make it in a running loop."""

    def __init__(self, at_once: int, apart: float) -> None:
        self.loop, self.waiting = asyncio.get_running_loop(), asyncio.Lock()
        self.passed: deque[float] = deque()
        self.set(at_once, apart)

    def set(self, at_once: int, apart: float) -> None:
        """So many from now on."""
        self.at_once, self.apart = at_once, apart
        self.passed = deque(self.passed, maxlen=at_once)

    async def go(self) -> None:
        """Returns when it is one's turn."""
        async with self.waiting:
            if len(self.passed) >= self.at_once:
                await asyncio.sleep(max(0.0, self.passed[-self.at_once] + self.apart - self.loop.time()))
            self.passed.append(self.loop.time())
