"""The daemon's loop in forty lines: real epoll, real time, for tests of what is heard."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import Self


class EpollEars:
    """Ears of host/ears.py. ``wakeups`` counts returns from the kernel with something heard or due.

    Use it as a context manager, so that the epoll descriptor is closed.
    """

    def __init__(self) -> None:
        self.epoll = select.epoll()
        self.heard: dict[int, Callable[[], None]] = {}
        self.timers: list[tuple[float, int, Callable[[], None]]] = []
        self.wakeups = 0
        self.made = 0

    def listen(self, fd: int, heard: Callable[[], None], *, priority: bool = False) -> None:
        """Call back when readable; listening again replaces the call-back."""
        self.ignore(fd)
        self.epoll.register(fd, select.EPOLLPRI if priority else select.EPOLLIN)
        self.heard[fd] = heard

    def ignore(self, fd: int) -> None:
        """Stop listening."""
        if self.heard.pop(fd, None):
            self.epoll.unregister(fd)

    def later(self, delay: float, do: Callable[[], None]) -> None:
        """Call once, after ``delay`` seconds."""
        self.made += 1
        self.timers.append((time.monotonic() + delay, self.made, do))
        self.timers.sort()

    def run(self, timeout: float, until: Callable[[], object] = lambda: False) -> bool:
        """Serve until ``until()`` is true (answers ``True``) or ``timeout`` seconds have passed."""
        end = time.monotonic() + timeout
        while not until():
            due = min([end, *[at for at, _, _ in self.timers[:1]]])
            events = self.epoll.poll(max(0.0, due - time.monotonic()))
            now = time.monotonic()
            ready = [timer for timer in self.timers if timer[0] <= now]
            self.timers = self.timers[len(ready) :]
            self.wakeups += bool(events or ready)
            for fd, _ in events:
                self.heard.get(fd, lambda: None)()
            for _, _, do in ready:
                do()
            if now >= end:
                return bool(until())
        return True

    def close(self) -> None:
        """Give back the descriptor."""
        self.epoll.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
