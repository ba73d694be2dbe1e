"""TCP connections that open and close, told by the kernel: one program, one table and one ring for all monitors of a host.

Owns loading the program (host/tcp_program.py), who waits for what, and the trial of the kernel's socket layout. A watch that was heard is
silent until it is armed again, but the kernel goes on noting when its latest connection opened and closed: arming and reading are
memory accesses, no system calls. Which connections stand now is host/sock_diag.py's answer.

The tracepoint hands over a ``struct sock``, whose head has had one layout since Linux 3.13. It is tried, before the first watch, on two
connections of this machine with itself; from them the program also learns which network namespace is ours. Where those cannot be made
(no loopback), the layout is taken on trust and every namespace counts as ours: at worst the machine stays awake.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import field

from powernap.core.value import dataclass
from powernap.host import bpf
from powernap.host.availability import UnavailableError, unavailable
from powernap.host.host import Host
from powernap.host.sock_diag import Wanted
from powernap.host.tcp_program import ARMED, ENTRY, Opened, program, record

TRACEPOINT = "inet_sock_set_state"
MOST = 64
"""Watches in the one table; it then fills half a page."""
LICENSE = "Dual MIT/GPL"
"""Reading a socket's memory is for programs under a licence that the kernel takes as GPL-compatible."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the kernel noted: the latest opening and closing (``CLOCK_BOOTTIME`` seconds, ``None``: none yet), and how many opened."""

    opened: float | None
    closed: float | None
    count: int


@dataclass(eq=False)
class Watch:
    """One monitor's interest in some connections."""

    events: TcpEvents
    slot: int
    wanted: Wanted
    heard: Callable[[Opened], None]
    everywhere: bool

    def arm(self) -> None:
        """Hear of the next connection that opens, once."""
        struct.pack_into("=Q", self.events.table, self.slot * ENTRY.size + ARMED, 1)

    def seen(self) -> Seen:
        """What was noted since the watch began, also in the time spent deaf."""
        _, opened, closed, count = ENTRY.unpack_from(self.events.table, self.slot * ENTRY.size)
        return Seen(opened / 1e9 or None, closed / 1e9 or None, count)

    def close(self) -> None:
        """Hear no more; the last one to leave takes the program out of the kernel."""
        self.events.leave(self)


@dataclass(eq=False)
class TcpEvents:
    """The watches of a host. It holds descriptors as long as there is one."""

    host: Host
    watches: dict[int, Watch] = field(default_factory=dict)
    kernel: KernelSide | None = None
    namespace: int = 0

    @property
    def table(self) -> memoryview:
        """The entries of all watches, in this process's memory."""
        return memoryview(b"") if self.kernel is None else self.kernel.table

    def watch(self, wanted: Wanted, heard: Callable[[Opened], None], *, everywhere: bool = False) -> Watch:
        """Take an interest; arm it to hear something. ``everywhere``: also in other network namespaces.

        ``UnavailableError`` where BPF cannot be used or this kernel's sockets have another layout.
        """
        slot = next((slot for slot in range(MOST) if slot not in self.watches), None)
        if slot is None:
            raise UnavailableError(
                unavailable(f"{MOST} TCP monitors watch already", "join some: `ports` takes a list")
            )
        kernel = self._open()
        ENTRY.pack_into(kernel.table, slot * ENTRY.size, 0, 0, 0, 0)
        watch = self.watches[slot] = Watch(self, slot, wanted, heard, everywhere)
        try:
            kernel.attach(
                {
                    at: (one.wanted, 0 if one.everywhere else self.namespace)
                    for at, one in self.watches.items()
                }
            )
        except UnavailableError:
            self.leave(watch)
            raise
        return watch

    def _open(self) -> KernelSide:
        if self.kernel is None:
            self.namespace = try_layout()
            self.kernel = KernelSide()
            shared[id(self.host)] = self
            if self.host.ears is not None:
                self.host.ears.listen(self.kernel.ring.fd, self.hear)
        return self.kernel

    def hear(self) -> None:
        """Tell the watches what the ring holds."""
        for data in list(self.kernel.ring.records()) if self.kernel else []:
            slot, opened = record(data)
            if slot in self.watches:
                self.watches[slot].heard(opened)

    def leave(self, watch: Watch) -> None:
        """A watch ends. Its part of the program stays, silent, until the next one is attached."""
        if self.kernel is None or self.watches.get(watch.slot) is not watch:
            return
        struct.pack_into("=Q", self.kernel.table, watch.slot * ENTRY.size + ARMED, 0)
        del self.watches[watch.slot]
        if not self.watches:
            if self.host.ears is not None:
                self.host.ears.ignore(self.kernel.ring.fd)
            shared.pop(id(self.host), None)
            self.kernel.close()
            self.kernel = None


class KernelSide:
    """The table, the ring, and the program that is attached."""

    def __init__(self) -> None:
        with ExitStack() as opened:
            self.table_fd = bpf.map_create(bpf.ARRAY, 4, ENTRY.size, MOST, flags=bpf.MMAPABLE)
            opened.callback(os.close, self.table_fd)
            mapped = opened.enter_context(bpf.mapped_array(self.table_fd, MOST * ENTRY.size))
            self.table = opened.enter_context(memoryview(mapped))
            self.ring = bpf.RingBuffer()
            opened.callback(self.ring.close)
            self.kept = opened.pop_all()
        self.link = -1

    def attach(self, watches: dict[int, tuple[Wanted, int]]) -> None:
        """Run a program for these watches, then take the former one out: in between nothing is missed, at worst told twice."""
        loaded = bpf.program_load(
            bpf.RAW_TRACEPOINT, program(watches, self.table_fd, self.ring.fd), license=LICENSE
        )
        try:
            former, self.link = self.link, bpf.raw_tracepoint_open(TRACEPOINT, loaded)
        finally:
            os.close(loaded)
        if former >= 0:
            os.close(former)

    def close(self) -> None:
        """Give back every descriptor."""
        if self.link >= 0:
            os.close(self.link)
        self.kept.close()


shared: dict[int, TcpEvents] = {}
"""By the identity of the host, which an entry keeps alive as long as it has a watch."""


def tcp_events(host: Host) -> TcpEvents:
    """The one instance of this host; it opens with its first watch and closes with the last."""
    return shared.get(id(host)) or TcpEvents(host)


REPORT = "connections are found by sock_diag at each look; report this kernel to the PowerNap project"


def try_layout() -> int:
    """Our network namespace as the program sees it, 0 where no connection could be made to try it with.

    ``UnavailableError`` where what the program reads is not what this machine's connections with itself are. Takes 1 ms of CPU, and
    about 15 ms until the kernel has taken the program out again.
    """
    with ExitStack() as opened:
        listeners = [*_listeners(opened)]
        kernel = KernelSide()
        opened.callback(kernel.close)
        ports = tuple(sorted((port, port) for port in (one.getsockname()[1] for one in listeners)))
        kernel.attach({0: (Wanted(ports, incoming=False, outgoing=True), 0)})
        namespaces = {space for listener in listeners for space in _try_connection(kernel, listener)}
    if len(namespaces) > 1:
        raise UnavailableError(unavailable("the kernel's sockets name no network namespace", REPORT))
    return namespaces.pop() if namespaces else 0


def _listeners(opened: ExitStack) -> Iterator[socket.socket]:
    """Listening sockets on the loopback addresses that there are."""
    for family, loopback in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            listener = opened.enter_context(socket.socket(family, socket.SOCK_STREAM))
            listener.bind((loopback, 0))
            listener.listen(1)
            yield listener
        except OSError:
            continue


def _try_connection(kernel: KernelSide, listener: socket.socket) -> Iterator[int]:
    """Connect, and compare what the program says of it; yields the namespace it saw."""
    place, family = listener.getsockname(), listener.family
    struct.pack_into("=Q", kernel.table, ARMED, 1)
    with socket.socket(family, socket.SOCK_STREAM) as caller:
        caller.settimeout(1)
        try:
            caller.connect(place)
        except OSError:
            return
        expected = (caller.getsockname()[1], socket.inet_pton(family, place[0]), place[1])
    told = [record(data)[1] for data in kernel.ring.records()]
    same = [one for one in told if (one.local_port, one.peer, one.peer_port) == expected]
    if not same:
        raise UnavailableError(
            unavailable(f"the kernel's sockets have another layout (it told {told})", REPORT)
        )
    yield same[0].namespace
