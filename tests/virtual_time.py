"""An event loop whose time passes at once: it jumps to the next timer, but stands still while a thread of ours works. And clocks that go with it."""

from __future__ import annotations

import asyncio
import selectors
import threading
from collections.abc import Callable, Coroutine
from typing import Any

POLL = 0.002
"""Real seconds between two looks while a thread works."""


class Selector(selectors.DefaultSelector):
    """Waits for nothing. :ivar now: seconds."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready; else the time has come that was waited for."""
        busy = any(thread.name.startswith("powernap-") for thread in threading.enumerate())
        found = super().select(0)
        if found or (timeout is not None and timeout <= 0):
            return found
        if busy:
            return super().select(POLL)
        if timeout is None:
            raise RuntimeError("nothing will ever happen")
        self.now += timeout
        return []


class Loop(asyncio.SelectorEventLoop):
    """In virtual time."""

    def __init__(self) -> None:
        self.selector = Selector()
        super().__init__(self.selector)

    def time(self) -> float:
        """Seconds since it was made."""
        return self.selector.now


class Clock:
    """The wall's and the boot's, of the running loop. :ivar timers: those that hear when it is set."""

    def __init__(self, wall: float) -> None:
        self.loop = asyncio.get_running_loop()
        self.base = wall - self.loop.time()
        self.timers: list[Timer] = []

    def wall(self) -> float:
        """Seconds since the epoch."""
        return self.base + self.loop.time()

    def boottime(self) -> float:
        """Seconds."""
        return 1000.0 + self.loop.time()

    def step(self, seconds: float) -> None:
        """Somebody sets it."""
        self.base += seconds
        for each in list(self.timers):
            self.loop.call_soon(each.came)

    def timer(self, came: Callable[[], None]) -> Timer:
        """As ``WallTimer``."""
        return Timer(self, came)


class Timer:
    """On a :class:`Clock`."""

    def __init__(self, clock: Clock, came: Callable[[], None]) -> None:
        self.clock, self.came = clock, came
        self.handle: asyncio.TimerHandle | None = None
        clock.timers.append(self)

    def set(self, at: float | None) -> None:
        """Come then."""
        if self.handle is not None:
            self.handle.cancel()
        wait = None if at is None else max(at - self.clock.wall(), 0.0)
        self.handle = None if wait is None else self.clock.loop.call_later(wait, self.came)

    def close(self) -> None:
        """Come no more."""
        self.set(None)
        self.clock.timers.remove(self)


def run(work: Coroutine[Any, Any, None]) -> None:
    """A test, in virtual time."""
    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(work)
