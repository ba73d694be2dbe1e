"""The BPF program that runs at each change of a TCP connection's state, and the records it sends.

Owns what the program says, not its loading (host/tcp_events.py). It hangs on the raw tracepoint ``inet_sock_set_state`` (5.8 and later; its
arguments are the socket, the old and the new state) and chooses by port, side, peer network, loopback and network namespace, so that
nobody is woken by what no monitor watches. It sees no payload.
"""

from __future__ import annotations

import socket
import struct
import sys
from typing import TYPE_CHECKING

from powernap.core.value import dataclass
from powernap.host.bpf_code import (
    KTIME_GET_BOOT_NS,
    MAP_LOOKUP,
    PROBE_READ_KERNEL,
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R9,
    R10,
    RINGBUF_OUTPUT,
    Instruction,
    Line,
    add,
    call,
    copy,
    count_up,
    jump,
    jump_if_equal,
    jump_if_not,
    jump_if_other,
    jump_if_same,
    leave,
    load,
    mask,
    put,
    put_map,
    put_wide,
    store,
    store_value,
)
from powernap.host.sock_diag import ESTABLISHED, MAPPED, Wanted, unmapped

if TYPE_CHECKING:
    from powernap.host.sock_diag import Network

# struct sock_common (include/net/sock.h)
PEER4, LOCAL4, PEER_PORT, LOCAL_PORT, FAMILY, NAMESPACE, PEER6, LOCAL6, HEAD = (
    0,
    4,
    12,
    14,
    16,
    48,
    56,
    72,
    88,
)

# Our stack: the head of the socket, the record to send, whether both ends are ours, the key of a table entry.
SOCK, RECORD, OWN, KEY = -HEAD, -HEAD - 40, -HEAD - 48, -HEAD - 56
RECORD_FORM = struct.Struct("=IHH2s6x16sQ")
"""Watch, family, our port, peer's port (big-endian), peer's address, namespace (an address in the kernel)."""
RECORD_FAMILY, RECORD_LOCAL, RECORD_PORT, RECORD_PEER, RECORD_NAMESPACE = 4, 6, 8, 16, 32

ENTRY = struct.Struct("=QQQQ")
ARMED, OPENED, CLOSED, COUNT = 0, 8, 16, 24


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection that was just established."""

    local_port: int
    peer: bytes
    peer_port: int
    namespace: int


def record(data: bytes) -> tuple[int, Opened]:
    """The watch's number and the connection in one record of the ring; ``ValueError`` where it is of another size."""
    if len(data) != RECORD_FORM.size:
        raise ValueError(f"a record of {len(data)} bytes")
    slot, _, local_port, peer_port, peer, namespace = RECORD_FORM.unpack(data)
    return slot, Opened(local_port, unmapped(peer), int.from_bytes(peer_port, "big"), namespace)


def program(watches: dict[int, tuple[Wanted, int]], table_fd: int, ring_fd: int) -> list[Line]:
    """The program for some watches: by number, what is wanted and in which namespace (0: in all)."""
    lines = [*_read_socket(), *_name_peer()]
    for slot, (wanted, namespace) in watches.items():
        lines += [*_choose(slot, wanted, namespace), *_note(slot, table_fd, ring_fd)]
    return [*lines, "out", put(R0, 0), leave()]


def _read_socket() -> list[Line]:
    """R6: opens (1) or closes (0), R7: when, R8: our port, R9: the peer's port."""
    return [
        load(8, R2, R1, 8),
        load(8, R3, R1, 16),
        put(R6, 1),
        jump_if_equal(R3, ESTABLISHED, "counts"),
        put(R6, 0),
        jump_if_not(R2, ESTABLISHED, "out"),
        "counts",
        load(8, R3, R1, 0),
        copy(R1, R10),
        add(R1, SOCK),
        put(R2, HEAD),
        call(PROBE_READ_KERNEL),
        jump_if_not(R0, 0, "out"),
        call(KTIME_GET_BOOT_NS),
        copy(R7, R0),
        load(2, R8, R10, SOCK + LOCAL_PORT),
        load(2, R9, R10, SOCK + PEER_PORT),
        *[store_value(8, R10, RECORD + at, 0) for at in range(0, RECORD_FORM.size, 8)],
        store(2, R10, RECORD + RECORD_LOCAL, R8),
        store(2, R10, RECORD + RECORD_PORT, R9),
        Instruction(0xDC, R9, imm=16),  # from big-endian
        load(8, R2, R10, SOCK + NAMESPACE),
        store(8, R10, RECORD + RECORD_NAMESPACE, R2),
        load(2, R2, R10, SOCK + FAMILY),
        store(2, R10, RECORD + RECORD_FAMILY, R2),
    ]


def _name_peer() -> list[Line]:
    """The peer's address into the record, IPv4 as v4-mapped; then whether it is this machine. R2: family."""
    peer = RECORD + RECORD_PEER
    return [
        store_value(8, R10, OWN, 1),
        jump_if_equal(R2, socket.AF_INET6, "six"),
        jump_if_not(R2, socket.AF_INET, "out"),
        load(4, R3, R10, SOCK + PEER4),
        store_value(2, R10, peer + 10, -1),
        store(4, R10, peer + 12, R3),
        load(4, R4, R10, SOCK + LOCAL4),
        jump_if_same(R3, R4, "known"),
        jump("four"),
        "six",
        load(8, R3, R10, SOCK + PEER6),
        store(8, R10, peer, R3),
        load(8, R4, R10, SOCK + PEER6 + 8),
        store(8, R10, peer + 8, R4),
        load(8, R2, R10, SOCK + LOCAL6),
        load(8, R5, R10, SOCK + LOCAL6 + 8),
        jump_if_other(R2, R3, "apart"),
        jump_if_same(R4, R5, "known"),
        "apart",
        jump_if_not(R3, 0, "strange"),
        put_wide(R5, _native(bytes(7) + b"\1")),
        jump_if_same(R4, R5, "known"),
        load(4, R3, R10, peer + 8),
        put_wide(R5, _native(MAPPED[8:])),
        jump_if_other(R3, R5, "strange"),
        "four",
        load(1, R3, R10, peer + 12),
        jump_if_equal(R3, 127, "known"),
        "strange",
        store_value(8, R10, OWN, 0),
        "known",
    ]


def _choose(slot: int, wanted: Wanted, namespace: int) -> list[Line]:
    """Past the watch, to ``next``, with what it does not want."""
    lines: list[Line] = []
    further = f"next {slot}"
    if not wanted.loopback:
        lines += [load(8, R2, R10, OWN), jump_if_not(R2, 0, further)]
    if namespace:
        lines += [load(8, R2, R10, SOCK + NAMESPACE), put_wide(R3, namespace), jump_if_other(R2, R3, further)]
    if wanted.peers is not None:
        lines += _in_network(wanted.peers, slot, further)
    sides = [R8] * wanted.incoming + [R9] * wanted.outgoing
    for number, (side, (low, high)) in enumerate((side, ports) for side in sides for ports in wanted.ports):
        lines += [
            Instruction(0xA5, side, imm=low, to=f"not {slot} {number}"),  # below the lowest
            Instruction(0xB5, side, imm=high, to=f"hit {slot}"),  # not above the highest
            f"not {slot} {number}",
        ]
    return [*lines, *([jump(further)] if wanted.ports else []), f"hit {slot}"]


def _in_network(network: Network, slot: int, otherwise: str) -> list[Line]:
    """Compare the words of the v4-mapped peer that the prefix reaches into. An IPv4 peer is in no IPv6 network, not even ``::/0``."""
    peer = RECORD + RECORD_PEER
    head = MAPPED if network.version == 4 else b""
    first, bits = head + network.network_address.packed, b"\xff" * len(head) + network.netmask.packed
    lines: list[Line] = []
    for at in range(0, 16, 4):
        reach = _native(bits[at : at + 4])
        if reach:
            lines += [
                *(load(4, R2, R10, peer + at), mask(R2, reach)),
                *(put_wide(R3, _native(first[at : at + 4])), jump_if_other(R2, R3, otherwise)),
            ]
    if network.version == 6:
        lines += [
            *(load(8, R2, R10, peer), jump_if_not(R2, 0, f"real {slot}")),
            *(load(4, R2, R10, peer + 8), put_wide(R3, _native(MAPPED[8:])), jump_if_same(R2, R3, otherwise)),
            f"real {slot}",
        ]
    return lines


def _native(data: bytes) -> int:
    """The number that a load of these bytes gives on this machine."""
    return int.from_bytes(data, sys.byteorder)


def _note(slot: int, table_fd: int, ring_fd: int) -> list[Line]:
    """Remember the instant; when a connection opens and the watch is armed, disarm it and speak."""
    return [
        store_value(4, R10, KEY, slot),
        put_map(R1, table_fd),
        copy(R2, R10),
        add(R2, KEY),
        call(MAP_LOOKUP),
        jump_if_equal(R0, 0, f"next {slot}"),
        jump_if_not(R6, 0, f"opens {slot}"),
        store(8, R0, CLOSED, R7),
        jump(f"next {slot}"),
        f"opens {slot}",
        store(8, R0, OPENED, R7),
        put(R1, 1),
        count_up(R0, COUNT, R1),
        load(8, R1, R0, ARMED),
        jump_if_equal(R1, 0, f"next {slot}"),
        store_value(8, R0, ARMED, 0),
        store_value(4, R10, RECORD, slot),
        put_map(R1, ring_fd),
        copy(R2, R10),
        add(R2, RECORD),
        put(R3, RECORD_FORM.size),
        put(R4, 0),
        call(RINGBUF_OUTPUT),
        f"next {slot}",
    ]
