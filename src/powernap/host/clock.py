"""The two clocks that the program lives by, injected so that a test or a replay brings its own."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Instants in seconds."""

    def boottime(self) -> float:
        """``CLOCK_BOOTTIME``: never steps, counts while suspended (clock_gettime(2))."""
        ...

    def wall(self) -> float:
        """Seconds since the epoch: for people and records, never for a decision."""
        ...


class SystemClock:
    """The kernel's clocks."""

    def boottime(self) -> float:
        """``CLOCK_BOOTTIME`` in seconds."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def wall(self) -> float:
        """Seconds since the epoch."""
        return time.time()
