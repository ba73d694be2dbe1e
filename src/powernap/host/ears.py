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


class Ear:
    """One descriptor of a source that is deaf after hearing: it is listened to from arming to deafening, and never after closing.

    :param ears: ``None`` where nothing is heard; then nothing has an effect.
    """

    def __init__(
        self, ears: Ears | None, fd: int, heard: Callable[[], None], *, priority: bool = False
    ) -> None:
        self.ears, self.fd, self.heard, self.priority = ears, fd, heard, priority
        self.listening = self.closed = False

    def arm(self) -> None:
        """Hear what comes, until deafened."""
        if self.ears and not self.listening and not self.closed:
            self.listening = True
            self.ears.listen(self.fd, self.heard, priority=self.priority)

    def deafen(self) -> None:
        """Be woken no more until armed again."""
        if self.ears and self.listening:
            self.listening = False
            self.ears.ignore(self.fd)

    def close(self) -> None:
        """Hear no more; the descriptor is its owner's to close, after this."""
        self.deafen()
        self.closed = True
