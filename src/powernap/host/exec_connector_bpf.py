"""Starts of programs, told by the proc connector with an eBPF filter on the name: where no program may hang on a tracepoint.

Socket filters may ask for the running task's name on recent kernels only (works on 6.18).
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from powernap.host import bpf
from powernap.host.bpf_code import R0, R1, R6, Line, big_endian, copy, jump_if_not, leave, load_packet, put
from powernap.host.ears import Ears
from powernap.host.exec_table import Bell, ExecTable, TableSource
from powernap.host.host import Host
from powernap.host.proc_connector import EXEC, WHAT, open_connector


def open_source(host: Host, ears: Ears, told: Callable[[bytes, int], None]) -> TableSource:  # noqa: ARG001
    """Open it; ``UnavailableError`` when it does not work here."""
    with ExitStack() as opened:
        table = ExecTable()
        opened.callback(table.close)
        link = open_connector()
        opened.callback(link.close)
        try:
            attach(link, table)
        except OSError as error:
            raise bpf.refusal("socket filter", error) from error
        drain(link)  # what came before the filter was there
        bell = Bell(link.fileno(), partial(drain, link))
        return TableSource(
            "proc connector, names filtered by eBPF", table, bell, opened.pop_all(), ears, told
        )


def drain(link: socket.socket) -> None:
    """Read what waits, also when the socket overran (ENOBUFS)."""
    try:
        while link.recv(256):
            pass
    except OSError as error:
        if error.errno not in {errno.EAGAIN, errno.ENOBUFS}:
            raise


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
