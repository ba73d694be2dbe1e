"""Counts what processes do, exactly and at no cost to them: perf counters on tracepoints (perf_event_open(2)).

Owns the counters. A wake-up is a thread that had gone to sleep of its own accord (``sched_switch`` with a sleeping previous state):
being preempted, which a busy neighbour causes, is none. Children are counted too, also those that have ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import struct
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bench.programs import LIBC

EVENTS = {
    "wakeups": ("sched/sched_switch", "prev_state & 255"),
    "forks": ("sched/sched_process_fork", ""),
    "execs": ("sched/sched_process_exec", ""),
    "syscalls": ("raw_syscalls/sys_enter", ""),
}
"""What is counted: tracepoint and filter. 256 in ``prev_state`` is "preempted"."""
CALLS = {"x86_64": 298, "aarch64": 241}
"""Numbers of perf_event_open(2)."""
TRACEPOINT, ATTR_SIZE, INHERIT, SET_FILTER, CLOEXEC = 2, 112, 1 << 1, 0x40082406, 8

READ_IDS = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
place = sys.argv[1]
if libc.unshare(0x20000) or libc.mount(b"none", b"/", None, 0x44000, None) or libc.mount(b"none", place.encode(), b"tracefs", 0, None):
    sys.exit("tracefs cannot be mounted: " + os.strerror(ctypes.get_errno()))
for event in sys.argv[2:]:
    print(open(f"{place}/events/{event}/id").read().strip())
"""
"""Run by a child with mounts of its own: the machine's are left alone."""


def tracepoint_ids() -> dict[str, int]:
    """The kernel's numbers of the tracepoints. Raises ``OSError`` where they cannot be had."""
    command = [
        sys.executable,
        "-c",
        READ_IDS,
        str(Path(__file__).parent),
        *(event for event, _ in EVENTS.values()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(done.stderr.strip())
    return dict(zip(EVENTS, map(int, done.stdout.split()), strict=True))


def open_counter(number: int, filter_: str, thread: int) -> int:
    """A descriptor that counts one event of one thread and of all that it will start."""
    attr = struct.pack("=IIQQQQQ", TRACEPOINT, ATTR_SIZE, number, 0, 0, 0, INHERIT).ljust(ATTR_SIZE, b"\0")
    buffer = ctypes.create_string_buffer(attr, ATTR_SIZE)
    fd: int = LIBC.syscall(CALLS[os.uname().machine], buffer, thread, -1, -1, CLOEXEC)
    if fd < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"perf_event_open: {os.strerror(number)}")
    if filter_ and LIBC.ioctl(fd, ctypes.c_ulong(SET_FILTER), filter_.encode()) < 0:
        os.close(fd)
        raise OSError(ctypes.get_errno(), f"filter {filter_}")
    return fd


@contextlib.contextmanager
def clock_watch() -> Iterator[Callable[[], bool]]:
    """Whether the machine's clock has been set since (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET)."""
    fd: int = LIBC.timerfd_create(0, os.O_NONBLOCK | os.O_CLOEXEC)
    far = ctypes.create_string_buffer(struct.pack("=qqqq", 0, 0, 2**33, 0))
    LIBC.timerfd_settime(fd, 3, far, None)
    try:
        yield lambda: bool(select.select([fd], [], [], 0)[0])
    finally:
        os.close(fd)


class Counters:
    """What some threads and their children did since it was made, by name of ``EVENTS``."""

    def __init__(self, ids: dict[str, int], threads: Iterable[int], names: Iterable[str]) -> None:
        self.opened: dict[str, list[int]] = {name: [] for name in names}
        try:
            for name, fds in self.opened.items():
                for thread in threads:
                    with contextlib.suppress(ProcessLookupError):
                        fds.append(open_counter(ids[name], EVENTS[name][1], thread))
        except OSError:
            self.close()
            raise

    def read(self) -> dict[str, int]:
        """The counts so far."""
        return {
            name: sum(struct.unpack("=Q", os.read(fd, 8))[0] for fd in fds)
            for name, fds in self.opened.items()
        }

    def close(self) -> None:
        """Count no more."""
        for fd in (fd for fds in self.opened.values() for fd in fds):
            os.close(fd)


@contextlib.contextmanager
def counting(ids: dict[str, int], threads: Iterable[int], *names: str) -> Iterator[Counters]:
    """Counters that are closed afterwards."""
    counters = Counters(ids, list(threads), names or EVENTS)
    try:
        yield counters
    finally:
        counters.close()
