"""Events of one tracepoint on one core, filtered in the kernel by a line of text: perf_event_open(2) through ctypes.

Owns the system call, the filter, and a ring that never fills. What the events mean is host/exec_perf.py. Needs no BPF, but tracefs, for
the tracepoint's number alone; it is looked for and never mounted.

The ring is written from its end towards its beginning (``write_backward``, Linux 4.7): the newest record stands first, the oldest is
overwritten, nothing is ever lost at the door (no PERF_RECORD_LOST), and the kernel's write position tells how many there were. So
nobody has to read it, and reading is memory access.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import select
import struct
import sys
import time

from powernap.core.value import dataclass
from powernap.host.availability import UnavailableError, unavailable
from powernap.host.files import Files, text
from powernap.host.libc import checked, failure, libc, syscall_number

SYSCALLS = {
    "x86_64": 298, "aarch64": 241, "riscv64": 241, "loongarch64": 241, "ppc64le": 319, "ppc64": 319, "s390x": 331,
    "i386": 336, "i686": 336, "armv6l": 364, "armv7l": 364, "armv8l": 364,
}  # fmt: skip
TRACEPOINT = 2
"""PERF_TYPE_TRACEPOINT"""
SAMPLE = 0x2 | 0x4 | 0x80
"""PERF_SAMPLE_TID, _TIME, _CPU: what a record holds. The core is of no use but makes the record 32 bytes, so that none is cut in two."""
RECORD = struct.Struct("=IHHIIQII")
"""type, misc, size, process id, thread id, nanoseconds, core, 0."""
DISABLED, USE_CLOCKID, WRITE_BACKWARD = 0, 25, 27
"""Numbers of bits in the attributes."""
CLOEXEC = 8
DATA_HEAD = 1024
"""Where struct perf_event_mmap_page keeps the write position."""
KEPT = mmap.PAGESIZE // RECORD.size - 1
"""Records that can be read: the oldest may be being overwritten."""
TRACING = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
RIGHTS = "needs CAP_PERFMON (CAP_SYS_ADMIN before Linux 5.8), and perf_event_open allowed by the service and by lockdown"
TOO_MANY = "raise LimitNOFILE=: one descriptor per core and program is needed"


@dataclass(frozen=True, slots=True)
class Sample:
    """One event: the process it happened in (0: one outside our pid namespace) and when.

    The instant is in seconds of ``CLOCK_MONOTONIC``: ``CLOCK_BOOTTIME`` is refused for tracepoints (EINVAL, seen on 6.18).
    """

    pid: int
    at: float


def tracepoint_id(files: Files, event: str) -> int:
    """The number of a tracepoint (``"sched/sched_process_exec"``); ``UnavailableError`` where tracefs is not mounted."""
    for directory in dict.fromkeys([*mounted(text(files, "/proc/mounts")), *TRACING]):
        number = text(files, f"{directory}/events/{event}/id")
        if number.isascii() and number.isdigit():
            return int(number)
    remedy = (
        "mount -t tracefs tracefs /sys/kernel/tracing (needs CONFIG_FTRACE); powernapd mounts nothing itself"
    )
    raise UnavailableError(unavailable(f"tracefs is not mounted, or has no {event}", remedy))


def mounted(mounts: str) -> list[str]:
    """Where tracefs is mounted, of the text of /proc/mounts (proc_pid_mounts(5))."""
    found = [line.split(" ") for line in mounts.splitlines()]
    return [fields[1].replace("\\040", " ") for fields in found if len(fields) > 2 and fields[2] == "tracefs"]


def equal(field: str, value: bytes) -> bytes:
    """The filter "this field is this text" (Documentation/trace/events.rst), which knows two quotes and no way to escape one."""
    for quote in (b'"', b"'"):
        if quote not in value:
            return field.encode() + b" == " + quote + value + quote
    raise UnavailableError(unavailable(f"{value!r} has both kinds of quotes", "watch it by a regex"))


def attributes(tracepoint: int, byteorder: str = sys.byteorder) -> bytes:
    """The attributes (struct perf_event_attr) up to ``clockid`` (PERF_ATTR_SIZE_VER3): every event, told at once, with the time of
    ``CLOCK_MONOTONIC``.
    """
    wanted = (DISABLED, USE_CLOCKID, WRITE_BACKWARD)
    flags = sum(1 << (bit if byteorder == "little" else 63 - bit) for bit in wanted)
    head = struct.pack("=IIQQQQQII", TRACEPOINT, 96, tracepoint, 1, SAMPLE, 0, flags, 1, 0)
    return head.ljust(92, b"\0") + struct.pack("=i", time.CLOCK_MONOTONIC)


def request(direction: int, number: int, size: int, machine: str) -> int:
    """The number of an ioctl of perf's: ``direction`` 0 none, 1 in; on POWER the directions are bits (asm-generic/ioctl.h)."""
    bits = {0: 1, 1: 4}[direction] << 29 if machine.startswith("ppc") else direction << 30
    return bits | size << 16 | ord("$") << 8 | number


def perf_event_open(tracepoint: int, cpu: int) -> int:
    """A descriptor for all processes on one core; not counting yet. ``OSError`` as the kernel answers (ENODEV: that core is off)."""
    number = syscall_number("perf_event_open", SYSCALLS)
    held = ctypes.create_string_buffer(attributes(tracepoint), 96)
    return checked(libc.syscall(number, held, -1, cpu, -1, ctypes.c_ulong(CLOEXEC)))


def refusal(error: OSError) -> UnavailableError:
    """Why the kernel refused, and what would help."""
    remedies = {errno.EMFILE: TOO_MANY, errno.ENFILE: TOO_MANY, errno.EACCES: RIGHTS, errno.EPERM: RIGHTS}
    remedy = remedies.get(
        error.errno or 0, "needs a kernel from 4.7 on with CONFIG_PERF_EVENTS and CONFIG_FTRACE"
    )
    return UnavailableError(unavailable(f"perf tracepoint: {error.strerror or error}", remedy))


class Tap:
    """The events on one core that pass a filter, from now on. Reading ``count`` and ``newest`` are memory accesses.

    ``fd`` becomes readable at each event; but asking is taking, also for ``EPOLL_CTL_ADD``: of what came before somebody listens,
    only ``count`` tells.
    """

    def __init__(self, tracepoint: int, cpu: int, passing: bytes) -> None:
        self.fd = perf_event_open(tracepoint, cpu)
        machine, pointer = os.uname().machine, struct.calcsize("P")
        try:
            fcntl.ioctl(self.fd, request(1, 6, pointer, machine), passing + b"\0")
            self.ring = Mapped(self.fd, 2 * mmap.PAGESIZE)
        except OSError:
            os.close(self.fd)
            raise
        fcntl.ioctl(self.fd, request(0, 0, 0, machine), 0)  # only now: nothing unfiltered ever comes in

    @property
    def count(self) -> int:
        """How many events there were since this was opened."""
        return -self.ring.words[DATA_HEAD // 8] % 2**64 // RECORD.size

    def newest(self, most: int = KEPT) -> list[Sample]:
        """The latest events, newest first; no more than the ring holds."""
        count = self.count
        head = -count * RECORD.size % mmap.PAGESIZE
        found = [self._sample(head + at * RECORD.size) for at in range(min(count, most, KEPT))]
        return found[
            : max(0, KEPT - (self.count - count))
        ]  # those behind may have been overwritten meanwhile

    def _sample(self, at: int) -> Sample:
        offset = mmap.PAGESIZE + at % mmap.PAGESIZE
        _, _, _, pid, _, nanoseconds, _, _ = RECORD.unpack_from(self.ring.memory, offset)
        return Sample(max(0, ctypes.c_int(pid).value), nanoseconds / 1e9)

    @property
    def dead(self) -> bool:
        """Whether it will never tell anything any more."""
        poll = select.poll()
        poll.register(self.fd, 0)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Take the filter off this core."""
        self.ring.close()
        os.close(self.fd)


class Mapped:
    """A descriptor's memory, to be read only. Python's own mmap would keep a second descriptor for each."""

    def __init__(self, fd: int, size: int) -> None:
        libc.mmap.restype = ctypes.c_void_p
        self.size = ctypes.c_size_t(size)
        self.address = ctypes.c_void_p(
            libc.mmap(None, self.size, mmap.PROT_READ, mmap.MAP_SHARED, fd, ctypes.c_long(0))
        )
        if self.address.value == ctypes.c_void_p(-1).value:
            raise failure()
        self.memory = memoryview((ctypes.c_char * size).from_address(self.address.value or 0)).cast("B")
        self.words = self.memory.cast("Q")

    def close(self) -> None:
        """Give back the memory."""
        self.words.release()
        self.memory.release()
        libc.munmap(self.address, self.size)
