"""The kernel's process events over netlink (connector, ``CONFIG_PROC_EVENTS``): the socket, its filters, its messages.

It exists in the first network and pid namespaces only, and needs CAP_NET_ADMIN. Source: include/uapi/linux/{connector,cn_proc}.h.
An exec event carries process ids, no name, and of a classic filter's 4 KiB of knowledge nothing but the event's type is of use.
"""

from __future__ import annotations

import os
import socket
import struct
import sys

from powernap.host import socket_filter
from powernap.host.availability import UnavailableError, unavailable

NETLINK_CONNECTOR, CN_IDX_PROC, CN_VAL_PROC = 11, 1, 1
LISTEN = 1
"""PROC_CN_MCAST_LISTEN"""
ACKNOWLEDGED, EXEC = 0, 2
"""PROC_EVENT_NONE, PROC_EVENT_EXEC"""
WHAT = 36
"""Where the event's type stands: behind struct nlmsghdr (16 bytes) and struct cn_msg (20)."""
EVENT = struct.Struct("=IIQII")
"""what, cpu, CLOCK_MONOTONIC nanoseconds, then of an exec: process id, thread group id; of an acknowledgement: errno."""
SO_RCVBUFFORCE = 33
RECEIVE_BUFFER = 1 << 20
"""2,520 events of 832 bytes each (measured); the default holds 256."""
REMEDY = (
    "needs CONFIG_PROC_EVENTS, CAP_NET_ADMIN, AF_NETLINK and the machine's first network and pid namespaces"
)


def open_connector() -> socket.socket:
    """A non-blocking socket to which all process events come."""
    try:
        link = socket.socket(
            socket.AF_NETLINK,
            socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC,
            NETLINK_CONNECTOR,
        )
    except OSError as error:
        raise UnavailableError(unavailable(f"proc connector: {error.strerror}", REMEDY)) from error
    try:
        link.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        link.bind((0, CN_IDX_PROC))
        link.send(subscription(os.getpid()))
        if not acknowledged(link):
            raise UnavailableError(unavailable("proc connector: the kernel does not answer here", REMEDY))
    except OSError as error:
        link.close()
        raise UnavailableError(unavailable(f"proc connector: {error.strerror}", REMEDY)) from error
    except UnavailableError:
        link.close()
        raise
    return link


def subscription(pid: int) -> bytes:
    """The message that asks for events."""
    message = struct.pack("=IIIIHHI", CN_IDX_PROC, CN_VAL_PROC, 0, 0, 4, 0, LISTEN)
    return struct.pack("=IHHII", 16 + len(message), 3, 0, 0, pid) + message


def acknowledged(link: socket.socket) -> bool:
    """Whether the kernel took the subscription: it answers before ``send`` returns, or never (other pid namespace)."""
    for _ in range(256):
        try:
            event = parse_event(link.recv(256))
        except BlockingIOError:
            return False
        if event and event[0] == ACKNOWLEDGED:
            return event[1] == 0
    return False


def parse_event(message: bytes | bytearray) -> tuple[int, int] | None:
    """The type of the event and its first number (an exec's process id), ``None`` for what is too short."""
    if len(message) < WHAT + EVENT.size:
        return None
    what, _, _, first, second = EVENT.unpack_from(message, WHAT)
    return what, second if what == EXEC else first


def pass_execs(link: socket.socket) -> None:
    """Let the kernel drop all but exec events before they are queued."""
    wanted = int.from_bytes(EXEC.to_bytes(4, sys.byteorder), "big")
    socket_filter.attach(link, socket_filter.word_at(WHAT, wanted))


def pass_nothing(link: socket.socket) -> None:
    """Let the kernel drop everything: a storm then costs us nothing."""
    socket_filter.attach(link, socket_filter.NOTHING)
