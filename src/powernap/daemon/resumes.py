"""Every end of a sleep, told once, whoever caused the sleep and however short it was.

The clocks tell of most (host/resume.py); of those that were too short for them the kernel's own count of sleeps does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from powernap.host.host import Host
from powernap.host.resume import ResumeWatch
from powernap.sleep.failure import stats

COUNTED = 0.5
"""Seconds after a resume until the kernel has surely counted the sleep."""


class Resumes:
    """Make it in a running loop, with a host that has ears.

    :param resumed: called with the seconds slept, 0 where they were too few for the clocks.
    :ivar sleeps: how many of the kernel's count have been told. :ivar counting: whether the count is still of interest.
    """

    def __init__(self, host: Host, resumed: Callable[[float], None]) -> None:
        assert host.ears is not None
        self.host, self.resumed = host, resumed
        self.loop = asyncio.get_running_loop()
        self.counting = True
        self.watch = ResumeWatch(host.ears, self.tell, unsure=self._unsure)
        self.sleeps = stats(host.files).success

    def look(self) -> None:
        """By the clocks, now: what they tell is told before this returns."""
        self.watch.look()

    def count(self) -> None:
        """By the kernel's count, now; what the clocks can tell is told by them, and once."""
        if not self.counting:
            return
        self.watch.look()
        if stats(self.host.files).success > self.sleeps:
            self.tell(0.0)

    def tell(self, slept: float) -> None:
        """A sleep is over, that is known."""
        self.sleeps += 1
        self.resumed(slept)

    def _unsure(self) -> None:
        """The clock was set, or a sleep was too short for the clocks: the kernel's count tells, which it raises after all tasks run again."""
        self.loop.call_later(COUNTED, self.count)

    def close(self) -> None:
        """Stop watching."""
        self.watch.close()
