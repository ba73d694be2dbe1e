"""Where an event source is heard: the daemon's loop, seen from below."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Ears(Protocol):
    """Calls back when a descriptor has something to say. All calls and call-backs happen in the loop's one thread."""

    def listen(self, fd: int, heard: Callable[[], None], *, priority: bool = False) -> None:
        """Call ``heard`` each time ``fd`` is readable; with ``priority`` when it raises ``EPOLLPRI`` (PSI, cgroup.events)."""
        ...

    def ignore(self, fd: int) -> None:
        """Stop listening; unknown descriptors are ignored. Call before closing the descriptor."""
        ...

    def later(self, delay: float, do: Callable[[], None]) -> None:
        """Call ``do`` once after ``delay`` seconds. For budget guards and rescans after an overrun only: nothing polls."""
        ...
