"""The kernel's own memory of which watched programs were started: a table of names that a BPF program looks up at each exec.

Owns the two maps, the lines of code that use them, and the source that they make. Where the program hangs (tracepoint, socket) is its
user's affair.

A hash map leads from a name to a slot; an array that both sides have in memory holds what happened in each slot. So arming a name
and reading when it was last started are memory accesses, no system calls; the kernel notes starts also while nobody listens.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from powernap.core.value import dataclass
from powernap.host import bpf
from powernap.host.availability import UnavailableError, unavailable
from powernap.host.bpf_code import (
    GET_CURRENT_CGROUP_ID,
    GET_CURRENT_COMM,
    GET_CURRENT_PID_TGID,
    KTIME_GET_BOOT_NS,
    MAP_LOOKUP,
    R0,
    R1,
    R2,
    R7,
    R10,
    Line,
    add,
    call,
    copy,
    count_up,
    jump_if_equal,
    jump_if_same,
    load,
    put,
    put_map,
    put_wide,
    shift_right,
    store,
    store_value,
)
from powernap.host.ears import Ears
from powernap.host.exec_events import Starts

NAME_SIZE = 16
"""TASK_COMM_LEN: fifteen bytes and a zero."""
SLOTS = 256
STATE = struct.Struct("=IIQQ")
"""armed, process id of the start that was told, CLOCK_BOOTTIME nanoseconds of the last start, number of starts."""
ARMED, PID, LAST, COUNT = 0, 4, 8, 16


class ExecTable:
    """Names and their slots. Close it after the program that uses it."""

    def __init__(self) -> None:
        self.slots: dict[bytes, int] = {}
        self.awaited: dict[int, tuple[bytes, int]] = {}
        with ExitStack() as opened:
            self.names_fd = bpf.map_create(bpf.HASH, NAME_SIZE, 4, SLOTS)
            opened.callback(os.close, self.names_fd)
            self.states_fd = bpf.map_create(bpf.ARRAY, 4, STATE.size, SLOTS, flags=bpf.MMAPABLE)
            opened.callback(os.close, self.states_fd)
            self.states = opened.enter_context(bpf.mapped_array(self.states_fd, STATE.size * SLOTS))
            self.armed = opened.enter_context(memoryview(self.states).cast("I"))
            self.kept = opened.pop_all()

    def code(self) -> list[Line]:
        """Lines that note a start of the running task's name. They go on below only if its slot was armed (and is no more, R7 being
        its address); else they jump to ``out``.
        """
        return [
            *(copy(R1, R10), add(R1, -16), put(R2, NAME_SIZE), call(GET_CURRENT_COMM)),
            *(put_map(R1, self.names_fd), copy(R2, R10), add(R2, -16), call(MAP_LOOKUP)),
            jump_if_equal(R0, 0, "out"),
            *(load(4, R1, R0, 0), store(4, R10, -20, R1)),
            *leave_out_cgroup(own_service_cgroup()),
            *(put_map(R1, self.states_fd), copy(R2, R10), add(R2, -20), call(MAP_LOOKUP)),
            jump_if_equal(R0, 0, "out"),
            copy(R7, R0),
            *(call(KTIME_GET_BOOT_NS), store(8, R7, LAST, R0)),
            *(put(R1, 1), count_up(R7, COUNT, R1)),
            *(load(4, R1, R7, ARMED), jump_if_equal(R1, 0, "out")),
            # Two cores may pass here at once: two wake-ups for one arming, harmless. An atomic exchange would cost us Linux < 5.12.
            store_value(4, R7, ARMED, 0),
            *(call(GET_CURRENT_PID_TGID), shift_right(R0, 32), store(4, R7, PID, R0)),
        ]

    def add(self, name: bytes) -> None:
        """Begin to note starts of a name (15 bytes at most); a known one goes on."""
        if name in self.slots:
            return
        slot = len(self.slots)
        try:
            bpf.map_update(self.names_fd, name.ljust(NAME_SIZE, b"\0"), slot.to_bytes(4, "little"))
        except OSError as error:
            if error.errno != errno.E2BIG:
                raise
            raise UnavailableError(
                unavailable(f"more than {SLOTS} programs are watched", "watch fewer by name")
            ) from error
        self.slots[name] = slot

    def arm(self, name: bytes) -> None:
        """The next start of this name shall be told."""
        slot = self.slots[name]
        self.awaited[slot] = name, self.starts(name).count
        self.armed[slot * STATE.size // 4] = 1

    def told(self) -> Iterator[tuple[bytes, int]]:
        """Names that were armed and have been started since, with the id of the process; each is told once.

        The id is 0 where a start was counted but its message lost: a full ring leaves the name armed.
        """
        for slot, (name, count) in list(self.awaited.items()):
            armed, pid, _, now = STATE.unpack_from(self.states, slot * STATE.size)
            if not armed or now != count:
                del self.awaited[slot]
                yield name, 0 if armed else pid

    def starts(self, name: bytes) -> Starts:
        """All starts, also those that nobody was told of."""
        _, _, last, count = STATE.unpack_from(self.states, self.slots[name] * STATE.size)
        return Starts(last / 1e9 if count else None, count)

    def close(self) -> None:
        """Give back the maps."""
        self.kept.close()


@dataclass(frozen=True, slots=True)
class Bell:
    """What rings when an armed name was started: a descriptor, and how to make it quiet again."""

    fd: int
    hush: Callable[[], None]


class TableSource:
    """A source of host/exec_events.py: a program in the kernel that keeps a table. The bell says only that something is in it.

    :param kept: everything that is held, given back in reverse.
    """

    events = True

    def __init__(
        self,
        text: str,
        table: ExecTable,
        bell: Bell,
        kept: ExitStack,
        ears: Ears,
        told: Callable[[bytes, int], None],
    ) -> None:
        self.text, self.table, self.bell, self.kept, self.ears, self.tell = (
            text,
            table,
            bell,
            kept,
            ears,
            told,
        )
        self.add, self.arm, self.starts = table.add, table.arm, table.starts
        ears.listen(bell.fd, self.rung)

    def rung(self) -> None:
        """Who it was stands in the table."""
        self.bell.hush()
        for name, pid in self.table.told():
            self.tell(name, pid)

    def close(self) -> None:
        """Take the program out of the kernel."""
        self.ears.ignore(self.bell.fd)
        self.kept.close()


def leave_out_cgroup(identity: int) -> list[Line]:
    """Starts inside one cgroup are none; 0: no such cgroup."""
    if not identity:
        return []
    return [call(GET_CURRENT_CGROUP_ID), put_wide(R1, identity), jump_if_same(R0, R1, "out")]


def own_service_cgroup() -> int:
    """The id of the cgroup of our own systemd service, so that what the daemon itself starts (``command`` monitors, hooks) is not
    taken for activity; 0 where we share a cgroup with others (``powernap try`` in a terminal).
    """
    try:
        with open("/proc/self/cgroup", encoding="utf-8") as file:
            path = parse_service_cgroup(file.read())
        return os.stat(f"/sys/fs/cgroup{path}").st_ino if path else 0
    except OSError:
        return 0


def parse_service_cgroup(text: str) -> str:
    """The path in the unified hierarchy of /proc/self/cgroup if it is a service of PowerNap's, else nothing (cgroups(7))."""
    for line in text.splitlines():
        path = line.removeprefix("0::")
        leaf = path.rpartition("/")[2]
        if path != line and leaf.startswith("powernap") and leaf.endswith(".service"):
            return path
    return ""
