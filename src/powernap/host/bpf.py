"""Programs and tables inside the kernel: bpf(2) through ctypes, without compiler or library.

Owns the system call, maps, program loading, raw tracepoints, and the reading of a ring buffer. Programs are written with
host/bpf_code.py. What goes wrong for want of rights or of a newer kernel is an ``UnavailableError`` with a remedy.

Import this module only where a program is really loaded: ctypes and mmap are memory that other configurations do without.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import struct
from collections.abc import Iterator

from powernap.host.availability import UnavailableError, unavailable
from powernap.host.bpf_code import Line, assemble
from powernap.host.libc import checked, libc, syscall_number

HASH, ARRAY, RINGBUF = 1, 2, 27
"""Kinds of map."""
SOCKET_FILTER, RAW_TRACEPOINT = 1, 17
"""Kinds of program."""
MMAPABLE = 0x400
"""Map flag: an array that user space may map into its memory (5.5)."""
SO_ATTACH_BPF = 50

MAP_CREATE, MAP_UPDATE_ELEM, PROG_LOAD, RAW_TRACEPOINT_OPEN = 0, 2, 5, 17
SYSCALLS = {
    "x86_64": 321, "aarch64": 280, "riscv64": 280, "loongarch64": 280, "ppc64le": 361, "ppc64": 361, "s390x": 351,
    "i386": 357, "i686": 357, "armv6l": 386, "armv7l": 386, "armv8l": 386,
}  # fmt: skip
RIGHTS = (
    "needs CAP_BPF and CAP_PERFMON (CAP_SYS_ADMIN before Linux 5.8; before 5.11 also LimitMEMLOCK=infinity)"
)
KERNEL = "needs a kernel from 5.8 on with CONFIG_BPF_SYSCALL=y"
LOG_SIZE = 65536


def bpf(command: int, attributes: bytes) -> int:
    """Ask the kernel, once (bpf(2)); ``OSError`` as it answers."""
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    return checked(libc.syscall(syscall_number("bpf", SYSCALLS), command, buffer, len(attributes)))


def refusal(what: str, error: OSError, log: str = "") -> UnavailableError:
    """Why the kernel refused, and what would help."""
    detail = f"BPF {what}: {error.strerror or error}" + (f": {log}" if log else "")
    if error.errno == errno.EPERM or (error.errno == errno.EACCES and not log):
        return UnavailableError(unavailable(detail, RIGHTS))
    return UnavailableError(unavailable(detail, KERNEL))


def map_create(kind: int, key_size: int, value_size: int, entries: int, *, flags: int = 0) -> int:
    """A descriptor of a new map; sizes in bytes (a ring buffer's ``entries`` are its bytes, a power of two, whole pages)."""
    head = struct.pack("=IIIIIII", kind, key_size, value_size, entries, flags, 0, 0) + b"powernap".ljust(
        16, b"\0"
    )
    try:
        return bpf(MAP_CREATE, head.ljust(72, b"\0"))
    except OSError as error:
        raise refusal("map", error) from error


def map_update(map_fd: int, key: bytes, value: bytes) -> None:
    """Set or replace an element; ``OSError`` E2BIG when the map is full."""
    held = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(value, len(value))
    places = [ctypes.addressof(buffer) for buffer in held]
    bpf(MAP_UPDATE_ELEM, struct.pack("=IIQQQ", map_fd, 0, *places, 0).ljust(72, b"\0"))


def program_load(kind: int, lines: list[Line], *, license: str = "Apache-2.0") -> int:  # noqa: A002 - the kernel's word
    """A descriptor of a verified program. A refused one raises ``UnavailableError`` with the end of the verifier's log.

    :param license: helpers that read kernel memory (``PROBE_READ_KERNEL``) ask for one that the kernel takes as GPL-compatible,
        such as ``"Dual MIT/GPL"``.
    """
    code = assemble(lines)
    try:
        return load(kind, code, license, 0)
    except OSError as error:
        # The log costs 64 KiB, so it is asked for only when there is something to say.
        log = ctypes.create_string_buffer(LOG_SIZE)
        try:
            return load(kind, code, license, ctypes.addressof(log))
        except OSError:
            raise refusal("program", error, log.value.decode(errors="replace")[-600:].strip()) from error


def load(kind: int, code: bytes, license: str, log: int) -> int:  # noqa: A002
    """BPF_PROG_LOAD; ``log`` is the address of ``LOG_SIZE`` bytes, 0 for none."""
    held = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(license.encode())
    attributes = struct.pack(
        "=IIQQIIQII16s",
        kind,
        len(code) // 8,
        ctypes.addressof(held[0]),
        ctypes.addressof(held[1]),
        1 if log else 0,
        LOG_SIZE if log else 0,
        log,
        0,
        0,
        b"powernap",
    )
    return bpf(PROG_LOAD, attributes.ljust(128, b"\0"))


def raw_tracepoint_open(name: str, program_fd: int) -> int:
    """Run the program at each event of a tracepoint, on all cores, until the returned descriptor is closed."""
    held = ctypes.create_string_buffer(name.encode())
    try:
        return bpf(
            RAW_TRACEPOINT_OPEN, struct.pack("=QII", ctypes.addressof(held), program_fd, 0).ljust(24, b"\0")
        )
    except OSError as error:
        raise refusal(f"tracepoint {name}", error) from error


class RingBuffer:
    """One ring for all cores, written by programs (``RINGBUF_OUTPUT``), read here (Documentation/bpf/ringbuf.rst).

    ``fd`` is readable when there is a record, and is what a program names with ``put_map``.
    """

    def __init__(self, size: int = mmap.PAGESIZE) -> None:
        self.size = size
        self.fd = map_create(RINGBUF, 0, 0, size)
        page = mmap.PAGESIZE
        try:
            self.consumer = mmap.mmap(
                self.fd, page, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=0
            )
            self.producer = mmap.mmap(self.fd, page + 2 * size, mmap.MAP_SHARED, mmap.PROT_READ, offset=page)
        except OSError as error:
            os.close(self.fd)
            raise refusal("ring buffer", error) from error

    def records(self) -> Iterator[bytes]:
        """All records that are complete; each is given back to the kernel once it has been yielded."""
        at = struct.unpack_from("=Q", self.consumer)[0]
        while at < struct.unpack_from("=Q", self.producer)[0]:
            # The kernel maps the data twice in a row, so a record that wraps round is read in one piece.
            start = mmap.PAGESIZE + (at & self.size - 1)
            header = struct.unpack_from("=I", self.producer, start)[0]
            if header & 0x80000000:  # busy: a core is still writing it, and will make fd readable when done
                return
            length = header & 0x3FFFFFFF
            record = self.producer[start + 8 : start + 8 + length]
            at += 8 + (length + 7 & ~7)
            struct.pack_into("=Q", self.consumer, 0, at)
            if not header & 0x40000000:  # discarded
                yield record

    def drain(self) -> None:
        """Give back what is there unread: of interest was only that there was something."""
        for _ in self.records():
            pass

    def close(self) -> None:
        """Give back the memory and the descriptor. Programs that write to the ring keep it alive until they are closed."""
        self.consumer.close()
        self.producer.close()
        os.close(self.fd)


def mapped_array(map_fd: int, size: int) -> mmap.mmap:
    """An ``MMAPABLE`` array in this process's memory: reading and writing it are no system calls."""
    try:
        return mmap.mmap(map_fd, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
    except OSError as error:
        raise refusal("array", error) from error
