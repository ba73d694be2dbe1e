"""Notices that the machine was asleep, however it came about, without polling.

A ``CLOCK_REALTIME`` timer with ``TFD_TIMER_CANCEL_ON_SET`` (timerfd_create(2)) is cancelled by the kernel when the clock is set and on
each resume. Which of the two it was, the distance between the two boot clocks tells: only sleep makes it grow.
"""

from __future__ import annotations

import ctypes
import os
import struct
import time
from collections.abc import Callable

from powernap.host.ears import Ears
from powernap.host.libc import libc

CLOCK_REALTIME = 0
TFD_NONBLOCK, TFD_CLOEXEC = os.O_NONBLOCK, os.O_CLOEXEC
TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET = 1, 2
FAR = 2**33
"""Seconds since the epoch that never come: the timer is there to be cancelled."""
SLEPT_MIN = 0.05
"""Seconds. The two clocks are read one after the other; below this their distance is not a sleep."""


READ_MAX = 0.001
"""Seconds that reading both clocks may take; when we were put off meanwhile they are read again."""


def asleep_so_far() -> float:
    """Seconds since boot that the machine was suspended: ``CLOCK_BOOTTIME`` less ``CLOCK_MONOTONIC``."""
    best, asleep = float("inf"), 0.0
    for _ in range(5):
        before = time.clock_gettime(time.CLOCK_MONOTONIC)
        boottime = time.clock_gettime(time.CLOCK_BOOTTIME)
        after = time.clock_gettime(time.CLOCK_MONOTONIC)
        if after - before < best:
            best, asleep = after - before, boottime - (before + after) / 2
        if best < READ_MAX:
            break
    return asleep


class ResumeWatch:
    """Calls ``resumed(seconds slept)`` after each sleep.

    :param unsure: called when the clock was set, or a sleep ended that was too short for the clocks: where they are moved on by the hardware
        clock's whole seconds, that is up to one.
    """

    def __init__(
        self,
        ears: Ears,
        resumed: Callable[[float], None],
        asleep: Callable[[], float] = asleep_so_far,
        unsure: Callable[[], None] = lambda: None,
    ) -> None:
        self.ears, self.resumed, self.asleep, self.unsure = ears, resumed, asleep, unsure
        self.before = asleep()
        self.fd: int = libc.timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        try:
            self._arm()
        except OSError:
            os.close(self.fd)
            raise
        ears.listen(self.fd, self._cancelled)

    def _arm(self) -> None:
        when = ctypes.create_string_buffer(struct.pack("=qqqq", 0, 0, FAR, 0))
        flags = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET
        if libc.timerfd_settime(self.fd, flags, when, None) < 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    def _cancelled(self) -> None:
        try:
            os.read(self.fd, 8)
        except BlockingIOError:
            return
        except OSError:
            pass  # ECANCELED: what we are here for
        self._arm()
        if not self.look():
            self.unsure()

    def look(self) -> bool:
        """Compare the clocks now, and tell whether there was a sleep; also called before each decision, in case the event is still queued
        behind others.
        """
        now = self.asleep()
        slept, self.before = now - self.before, now
        if slept > SLEPT_MIN:
            self.resumed(slept)
        return slept > SLEPT_MIN

    def close(self) -> None:
        """Stop watching; what is asked afterwards finds no sleep."""
        if self.fd < 0:
            return
        self.ears.ignore(self.fd)
        os.close(self.fd)
        self.fd, self.resumed = -1, lambda _slept: None
