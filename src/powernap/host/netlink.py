"""The framing of netlink messages, and the dump: one request, many answers (netlink(7), linux/netlink.h).

Owns bytes and the loop that reads a dump. What a message means is its family's module (sock_diag.py).
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

HEADER = struct.Struct("=IHHII")
ATTRIBUTE = struct.Struct("=HH")
ERROR, DONE, OVERRUN = 2, 3, 4
REQUEST, DUMP = 0x1, 0x300
ANSWER_BYTES = 32768
"""The kernel fills at most 32 KiB per read of a dump (netlink_dump in net/netlink/af_netlink.c)."""


class MalformedError(ValueError):
    """The bytes are cut off or contradict themselves: an answer cannot be trusted to be whole."""


def message(kind: int, payload: bytes, flags: int = REQUEST | DUMP, sequence: int = 1) -> bytes:
    """One message with its header, to send."""
    return HEADER.pack(HEADER.size + len(payload), kind, flags, sequence, 0) + payload


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    return ATTRIBUTE.pack(ATTRIBUTE.size + len(payload), kind) + payload + bytes(-len(payload) % 4)


def messages(data: bytes | memoryview) -> Iterator[tuple[int, memoryview]]:
    """Kind and payload of each message; :class:`MalformedError` where one is cut off."""
    view, start = memoryview(data), 0
    while start < len(view):
        if len(view) - start < HEADER.size:
            raise MalformedError("a netlink header is cut off")
        length, kind, _, _, _ = HEADER.unpack_from(view, start)
        if not HEADER.size <= length <= len(view) - start:
            raise MalformedError(f"a netlink message of {length} bytes in {len(view) - start}")
        yield kind, view[start + HEADER.size : start + length]
        start += length + 3 & ~3


def attributes(data: bytes | memoryview) -> dict[int, memoryview]:
    """Payloads by kind, the last of each; :class:`MalformedError` where one is cut off."""
    view, start, found = memoryview(data), 0, {}
    while start < len(view):
        if len(view) - start < ATTRIBUTE.size:
            raise MalformedError("a netlink attribute's header is cut off")
        length, kind = ATTRIBUTE.unpack_from(view, start)
        if not ATTRIBUTE.size <= length <= len(view) - start:
            raise MalformedError(f"a netlink attribute of {length} bytes in {len(view) - start}")
        found[kind & 0x3FFF] = view[start + ATTRIBUTE.size : start + length]
        start += length + 3 & ~3
    return found


def answers(data: bytes | memoryview) -> tuple[list[memoryview], bool]:
    """Payloads in one read of a dump, and whether it was the last; ``OSError`` with the kernel's errno where it refused."""
    found: list[memoryview] = []
    for kind, payload in messages(data):
        if kind in (DONE, ERROR):
            _refuse(payload)
            return found, True
        if kind == OVERRUN:
            raise OSError(105, "netlink answer lost for want of buffer space")
        found.append(payload)
    return found, False


def _refuse(payload: memoryview) -> None:
    """Both ERROR and DONE carry a negative errno, 0 where all went well."""
    if len(payload) < 4:
        raise MalformedError("a netlink result without a number")
    (result,) = struct.unpack_from("=i", payload)
    if result:
        raise OSError(abs(result), os.strerror(abs(result)))


def dump(connection: socket.socket, request: bytes) -> Iterator[memoryview]:
    """The payloads of every answer to a request. Each is valid only until the next is asked for.

    The kernel makes answers within our own reads, so this never waits for anybody else.
    """
    connection.send(request)
    buffer, whole = memoryview(bytearray(ANSWER_BYTES)), False
    while not whole:
        size = connection.recv_into(buffer, 0, socket.MSG_TRUNC)
        if size > ANSWER_BYTES:
            raise MalformedError(f"a netlink answer of {size} bytes")
        found, whole = answers(buffer[:size])
        yield from found


def open_netlink(protocol: int) -> socket.socket:
    """A netlink socket of one protocol (``NETLINK_SOCK_DIAG`` is 4) in the network namespace of the calling thread."""
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
    # A second is a thousand times what a dump takes: a kernel that does not answer becomes an error, not a hang.
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 1, 0))
    return opened
