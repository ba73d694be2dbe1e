"""Is another machine there? One question at a time, to one address of it: a TCP connection, or an echo (ping).

Owns the sockets and what their errors mean. A machine that refuses a connection is there; one that says nothing may be off, asleep or behind a
wall. Names are resolved by whoever asks.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket

from powernap.core.units import show_duration
from powernap.core.value import dataclass

UP, SILENT, UNKNOWN = "up", "silent", "unknown"
"""It answered; it did not; it could not be asked."""
NOBODY = frozenset(
    {errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ETIMEDOUT, errno.ECONNABORTED, errno.ECONNRESET}
)
"""What connect(2) says where nobody answers to the address: the neighbour does not, or a router knows none."""
ECHO = {socket.AF_INET: (socket.IPPROTO_ICMP, 8, 0), socket.AF_INET6: (socket.IPPROTO_ICMPV6, 128, 129)}
"""Protocol, request and reply (RFC 792, RFC 4443); icmp(7): the kernel fills in the identifier and the checksum."""


@dataclass(frozen=True, slots=True)
class Answer:
    """``state`` is one of the above; ``detail`` says what was asked and what came of it."""

    state: str
    detail: str
    remedy: str = ""

    @property
    def up(self) -> bool:
        """It is positively there."""
        return self.state == UP


@dataclass(frozen=True, slots=True)
class Place:
    """An address: its family, and what connect(2) takes (of IPv6 with the scope)."""

    family: int
    address: tuple[str | int, ...]

    def at(self, port: int) -> tuple[str | int, ...]:
        """The same with a port."""
        return (self.address[0], port, *self.address[2:])


async def tcp(place: Place, port: int, limit: float) -> Answer:
    """Whether somebody answers at a port, by accepting or by refusing."""
    what = f"tcp:{port} of {place.address[0]}"
    loop = asyncio.get_running_loop()
    kind = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    try:
        with socket.socket(place.family, kind) as opened:
            async with asyncio.timeout(limit):
                await loop.sock_connect(opened, place.at(port))
    except ConnectionRefusedError:
        return Answer(UP, f"{what} refuses connections")
    except OSError as error:  # TimeoutError is one
        return _failed(what, error, limit)
    return Answer(UP, f"{what} answers")


async def ping(place: Place, limit: float) -> Answer:
    """Whether an echo comes back."""
    what = f"ping of {place.address[0]}"
    protocol, request, reply = ECHO[socket.AddressFamily(place.family)]
    loop = asyncio.get_running_loop()
    try:
        with socket.socket(
            place.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol
        ) as opened:
            opened.connect(place.at(0))
            async with asyncio.timeout(limit):
                await loop.sock_sendall(opened, bytes([request, 0, 0, 0, 0, 0, 0, 1]) + os.urandom(8))
                while (await loop.sock_recv(opened, 2048))[:1] != bytes([reply]):
                    pass
    except PermissionError:
        return Answer(
            UNKNOWN,
            f"{what}: not permitted",
            'sysctl net.ipv4.ping_group_range="0 2147483647", or confirm by a port: confirm = "tcp:22"',
        )
    except OSError as error:
        return _failed(what, error, limit)
    return Answer(UP, f"{what} is answered")


def _failed(what: str, error: OSError, limit: float) -> Answer:
    if isinstance(error, TimeoutError) and error.errno is None:
        return Answer(SILENT, f"{what} does not answer within {show_duration(limit)}")
    state = SILENT if error.errno in NOBODY else UNKNOWN
    remedy = "" if state == SILENT else "see that this machine has an address and a route there"
    # The errno's own words: asyncio puts others in their place.
    why = os.strerror(error.errno) if error.errno else str(error)
    return Answer(state, f"{what}: {why}", remedy)
