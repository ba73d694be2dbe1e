"""Starts of programs, told by the proc connector with an eBPF filter on the name: where no program may hang on a tracepoint.

Socket filters may ask for the running task's name on recent kernels only (works on 6.18).
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable

from powernap.host import bpf
from powernap.host.availability import UnavailableError
from powernap.host.bpf_code import R0, R1, R6, Line, big_endian, copy, jump_if_not, leave, load_packet, put
from powernap.host.ears import Ears
from powernap.host.exec_events import Starts
from powernap.host.exec_table import ExecTable
from powernap.host.host import Host
from powernap.host.proc_connector import EXEC, WHAT, open_connector


def open_source(host: Host, ears: Ears, told: Callable[[bytes, int], None]) -> ExecConnectorBpf:  # noqa: ARG001
    """Open it; ``UnavailableError`` when it does not work here."""
    return ExecConnectorBpf(ears, told)


class ExecConnectorBpf:
    """Source ``connector-bpf`` of host/exec_events.py."""

    text = "proc connector, names filtered by eBPF"
    events = True

    def __init__(self, ears: Ears, told: Callable[[bytes, int], None]) -> None:
        self.ears, self.told = ears, told
        self.link = open_connector()
        try:
            self.table = ExecTable()
        except UnavailableError:
            self.link.close()
            raise
        try:
            attach(self.link, self.table)
        except (UnavailableError, OSError):
            self.link.close()
            self.table.close()
            raise
        self.rung()  # what came before the filter was there
        ears.listen(self.link.fileno(), self.rung)

    def rung(self) -> None:
        """The message is a door bell: who it was stands in the table, also when the socket overran (ENOBUFS)."""
        try:
            while self.link.recv(256):
                pass
        except OSError as error:
            if error.errno not in {errno.EAGAIN, errno.ENOBUFS}:
                raise
        for name, pid in self.table.told():
            self.told(name, pid)

    def add(self, name: bytes) -> None:
        """Begin to note starts of this name."""
        self.table.add(name)

    def arm(self, name: bytes) -> None:
        """Tell of the next start of this name."""
        self.table.arm(name)

    def starts(self, name: bytes) -> Starts:
        """All starts, also those nobody was told of."""
        return self.table.starts(name)

    def close(self) -> None:
        """Give back socket and table."""
        self.ears.ignore(self.link.fileno())
        self.link.close()
        self.table.close()


def attach(link: socket.socket, table: ExecTable) -> None:
    """Let through only execs of armed names."""
    program = bpf.program_load(bpf.SOCKET_FILTER, passing(table))
    try:
        link.setsockopt(socket.SOL_SOCKET, bpf.SO_ATTACH_BPF, program)
    finally:
        os.close(program)  # the socket holds it


def passing(table: ExecTable) -> list[Line]:
    """The filter runs in the task that the event is about, so the running task's name is the new program's."""
    return [
        *(copy(R6, R1), load_packet(4, WHAT), jump_if_not(R0, big_endian(EXEC), "out")),
        *table.code(),
        *(put(R0, 0xFFFF), leave()),
        *("out", put(R0, 0), leave()),
    ]
