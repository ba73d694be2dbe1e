"""What this process may use at most. Hostile input ends as one sentence, not as a machine without memory.

Owns the limits and the signals that tell of them. Set before the first byte of a stranger is looked at; what exceeds them beyond saving is killed
by the kernel, and whoever started this process says so.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

MEMORY = 768 << 20
"""Bytes of address space: a calendar of 10 MiB, 26,500 events, took 253 MiB."""
PROCESSOR = 60
"""Seconds of CPU time: that calendar took 21, a usual one takes 0.3."""
LAST_WORDS = 5
"""Seconds of CPU time that are left to say so."""
OUTPUT = 64 << 20
"""Bytes of what is written: the calendar again, and a line for each event."""
OVERFLOW = 65534
"""The user who is nobody where none has the name (/proc/sys/kernel/overflowuid)."""
PR_SET_NO_NEW_PRIVS = 38
"""``<linux/prctl.h>``."""


class TooMuchError(BaseException):
    """A limit is reached. Nothing but the edge may catch it: libraries that go on after an ``Exception`` would go on for ever."""


def become_nobody() -> None:
    """Give up root for good, if this is root; ``OSError`` where that is not allowed."""
    if os.geteuid() != 0:
        return
    try:
        entry = pwd.getpwnam("nobody")
        user, group = entry.pw_uid, entry.pw_gid
    except KeyError:
        user = group = OVERFLOW
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)


def confine() -> None:
    """Give up for good what is not needed; ``OSError`` or ``ValueError`` where that fails."""
    for limit, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_FSIZE, OUTPUT),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        _, hard = resource.getrlimit(limit)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (least, least))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR, PROCESSOR + LAST_WORDS))
    signal.signal(signal.SIGXCPU, _used_up)
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _used_up(_signal: int, _frame: FrameType | None) -> None:
    raise TooMuchError(f"working it out takes more than {PROCESSOR} s of processor time")


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """``TimeoutError`` in the midst of what takes longer, however little it moves on each time."""

    def over(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
