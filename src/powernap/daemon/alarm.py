"""The daemon's one timer: the core's next deadline, and the service manager's watchdog on the same ride.

The deadline is an instant of ``CLOCK_BOOTTIME``, while the loop waits on ``CLOCK_MONOTONIC``, which stands still during a sleep: after
each one it must be armed again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from powernap.host.clock import Clock

HAIR = 0.001
"""Seconds: the loop's clock is another one and may be a hair early."""


class Alarm:
    """Make it in a running loop.

    :param came: called with the deadline's instant, which is never before what was asked for.
    :param alive: called at least each ``period`` seconds, for the watchdog; ``None`` when nobody watches.
    """

    def __init__(
        self,
        clock: Clock,
        came: Callable[[float], None],
        alive: Callable[[], object] = lambda: None,
        period: float | None = None,
    ) -> None:
        self.clock, self.came, self.alive, self.period = clock, came, alive, period
        self.loop = asyncio.get_running_loop()
        self.due: float | None = None
        self.handle: asyncio.TimerHandle | None = None
        self.fed = self.loop.time()

    def set(self, at: float | None) -> None:
        """Come at this instant; replaces the one before. ``None``: there is nothing to wait for."""
        self.due = at
        self.arm()

    def arm(self) -> None:
        """Wait for whatever is first, as the clocks stand now."""
        self.close()
        waits = [] if self.due is None else [self.due - self.clock.boottime()]
        if self.period is not None:
            # From when it was last fed: a deadline that activity moves on and on must not starve the dog.
            waits.append(self.fed + self.period - self.loop.time())
        if waits:
            self.handle = self.loop.call_later(max(0.0, min(waits)), self._rings)

    def _rings(self) -> None:
        self.handle = None
        now = self.loop.time()
        if self.period is not None and now >= self.fed + self.period - HAIR:
            self.fed = now
            self.alive()
        boottime = self.clock.boottime()
        if self.due is not None and boottime >= self.due - HAIR:
            at, self.due = max(boottime, self.due), None
            self.came(at)
        if self.handle is None:
            self.arm()

    def close(self) -> None:
        """Wait for nothing."""
        if self.handle is not None:
            self.handle.cancel()
            self.handle = None
