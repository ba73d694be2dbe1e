"""A timer on the wall clock that also tells when somebody sets that clock (timerfd_create(2), ``TFD_TIMER_CANCEL_ON_SET``).

It counts while the machine is suspended: what came due meanwhile comes at once after the resume.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import os
import time
from collections.abc import Callable

from powernap.host.libc import checked, libc

ABSOLUTE, CANCEL_ON_SET = 1, 2
"""``TFD_TIMER_*`` of <sys/timerfd.h>."""
NEVER = 4102444800.0 if ctypes.sizeof(ctypes.c_long) > 4 else 2147483647.0
"""The year 2100, or 2038 where the kernel's interface ends there: a timer must be armed to hear of a clock that is set."""


class WallTimer:
    """Make it in a running loop.

    :param came: called when it is due, and when the clock was set; it must set the timer anew.
    """

    def __init__(self, came: Callable[[], None]) -> None:
        self.came = came
        self.loop = asyncio.get_running_loop()
        flags = os.O_NONBLOCK | os.O_CLOEXEC
        self.fd = checked(libc.timerfd_create(time.CLOCK_REALTIME, flags), "timerfd_create")
        self.loop.add_reader(self.fd, self._ready)

    def set(self, at: float | None) -> None:
        """Come at this instant, in seconds since the epoch. ``None``: only when the clock is set."""
        due = max(1e-9, NEVER if at is None else at)  # 0 would disarm it
        seconds = int(due)
        value = (ctypes.c_long * 4)(0, 0, seconds, max(int((due - seconds) * 1e9), 0 if seconds else 1))
        try:
            checked(libc.timerfd_settime(self.fd, ABSOLUTE | CANCEL_ON_SET, value, None), "timerfd_settime")
        except OSError as error:
            if error.errno != errno.ECANCELED:
                raise
            # It is armed, and the clock was set since it was last read: reading tells that, and _ready follows.

    def _ready(self) -> None:
        # ECANCELED says that the clock was set; EAGAIN that somebody else has read it.
        with contextlib.suppress(OSError):
            os.read(self.fd, 8)
        self.came()

    def close(self) -> None:
        """Come no more."""
        self.loop.remove_reader(self.fd)
        os.close(self.fd)
