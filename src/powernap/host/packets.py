"""Packets as they pass, chosen in the kernel by a classic BPF program (packet(7), Documentation/networking/filter.rst).

Owns the filters, the packet socket, and the parsing of what it hands over. Packets are seen from the network header on, so Ethernet, VLAN,
PPP and tunnels look the same, and no port is taken from the service that it belongs to. IPv6 extension headers are not followed
and later fragments not joined: such a datagram is not seen.
"""

from __future__ import annotations

import ctypes
import re
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

from powernap.core.value import dataclass
from powernap.host.clock import Clock
from powernap.host.libc import checked, libc
from powernap.host.ports import Range
from powernap.host.socket_filter import EQUAL, RETURN, STEP, attach

ALL, IPV4, IPV6, MAGIC = 0x0003, 0x0800, 0x86DD, 0x0842
"""EtherTypes (linux/if_ether.h)."""
SOL_PACKET, PACKET_STATISTICS, PACKET_IGNORE_OUTGOING = 263, 6, 23
SO_TIMESTAMPNS = 35
OTHERHOST, OUTGOING = 3, 4
"""Packet types: meant for another machine, and sent by this one."""
LOOPBACK_HARDWARE = 772
UDP = 17
MAGIC_PORTS = (0, 7, 9)
MAGIC_BYTES = 6 + 16 * 6
SYNC = b"\xff" * 6
MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")

# Classic BPF operations, and what the kernel offers beside the packet (linux/filter.h).
BYTE, HALF = 0x30, 0x28
HALF_X, WORD_X = 0x48, 0x40
LENGTH, HEADER_TO_X, CONSTANT_TO_X = 0x80, 0xB1, 0x01
ABOVE, AT_LEAST, BITS = 0x25, 0x35, 0x45
PROTOCOL, PACKET_TYPE, HARDWARE = -0x1000 & 0xFFFFFFFF, -0x1000 + 4 & 0xFFFFFFFF, -0x1000 + 28 & 0xFFFFFFFF


class Step(NamedTuple):
    """One instruction; ``yes`` and ``no`` are labels further down, empty for the next instruction."""

    code: int
    value: int
    yes: str = ""
    no: str = ""


def assemble(lines: list[Step | str]) -> bytes:
    """``struct sock_filter`` of each step; a text is a label."""
    labels: dict[str, int] = {}
    steps: list[Step] = []
    for line in lines:
        if isinstance(line, str):
            labels[line] = len(steps)
        else:
            steps.append(line)
    return b"".join(
        STEP.pack(step.code, _jump(step.yes, at, labels), _jump(step.no, at, labels), step.value)
        for at, step in enumerate(steps)
    )


def _jump(label: str, at: int, labels: dict[str, int]) -> int:
    return labels[label] - at - 1 if label else 0


@dataclass(frozen=True, slots=True)
class Datagrams:
    """Which UDP datagrams are wanted: those received for, or sent to, one of the ports; over loopback too, or not."""

    ports: tuple[Range, ...]
    incoming: bool = True
    outgoing: bool = False
    loopback: bool = True


def udp_filter(wanted: Datagrams, keep: int = 64) -> bytes:
    """A program that accepts the first ``keep`` bytes of the datagrams wanted."""
    choices: list[Step | str] = []
    for number, (low, high) in enumerate(wanted.ports):
        choices += [Step(AT_LEAST, low, no=f"not {number}"), Step(ABOVE, high, no="accept"), f"not {number}"]
    return assemble([
        *_direction(wanted),
        *_udp_header(),
        Step(HALF_X, 2),
        *choices,
        *([] if wanted.ports else [Step(BITS, 0, "drop", "accept")]),
        "drop",
        Step(RETURN, 0),
        "accept",
        Step(RETURN, keep),
    ])  # fmt: skip


def _direction(wanted: Datagrams) -> list[Step | str]:
    """Drop what goes another way. A datagram on ``lo`` passes twice, once as outgoing and once as received."""
    steps: list[Step | str] = []
    if not wanted.loopback:
        steps += [Step(HALF, HARDWARE), Step(EQUAL, LOOPBACK_HARDWARE, "drop")]
    steps += [Step(HALF, PACKET_TYPE), Step(EQUAL, OTHERHOST, "drop")]
    if not wanted.outgoing:
        steps += [Step(EQUAL, OUTGOING, "drop")]
    if not wanted.incoming:
        steps += [Step(EQUAL, OUTGOING, no="drop")]
    return steps


def _udp_header() -> list[Step | str]:
    """X = where the UDP header begins; anything else is dropped."""
    return [
        Step(HALF, PROTOCOL),
        Step(EQUAL, IPV6, "six"),
        Step(EQUAL, IPV4, no="drop"),
        Step(BYTE, 9),
        Step(EQUAL, UDP, no="drop"),
        Step(HALF, 6),
        Step(BITS, 0x1FFF, "drop"),  # a later fragment has no header
        Step(HEADER_TO_X, 0),
        Step(BITS, 0, "udp", "udp"),
        "six",
        Step(BYTE, 6),
        Step(EQUAL, UDP, no="drop"),
        Step(CONSTANT_TO_X, 40),
        "udp",
    ]


def magic_filter(keep: int = 1514) -> bytes:
    """A program that accepts what may be a magic packet; which machine is meant is for :func:`magic_target` to say.

    EtherType 0x0842, or UDP that is long enough and either begins with the synchronisation stream (any port) or is for port 0, 7 or 9
    (the stream may then stand anywhere: a program of this kind cannot search).
    """
    return assemble([
        Step(HALF, PACKET_TYPE),
        Step(EQUAL, OUTGOING, "drop"),
        Step(HALF, PROTOCOL),
        Step(EQUAL, MAGIC, no="ip"),
        Step(LENGTH, 0),
        Step(AT_LEAST, MAGIC_BYTES, "accept", "drop"),
        "ip",
        *_udp_header(),
        Step(HALF_X, 4),
        Step(AT_LEAST, 8 + MAGIC_BYTES, no="drop"),
        Step(HALF_X, 2),
        *[Step(EQUAL, port, "accept") for port in MAGIC_PORTS],
        Step(WORD_X, 8),
        Step(EQUAL, 0xFFFFFFFF, no="drop"),
        Step(HALF_X, 12),
        Step(EQUAL, 0xFFFF, "accept"),
        "drop",
        Step(RETURN, 0),
        "accept",
        Step(RETURN, keep),
    ])  # fmt: skip


def parse_password(content: str) -> bytes:
    """A SecureOn password: six bytes of ``00:11:22:33:44:55`` or four of ``192.168.1.1``; ``ValueError`` for other text, which it does not repeat."""
    word = content.strip().lower()
    if MAC.fullmatch(word):
        return bytes.fromhex(word.replace(":", ""))
    parts = word.split(".")
    if len(parts) == 4 and all(part.isascii() and part.isdigit() and int(part) < 256 for part in parts):
        return bytes(map(int, parts))
    raise ValueError(
        "it is no SecureOn password; write six bytes as 00:11:22:33:44:55 or four as 192.168.1.1"
    )


def magic_target(packet: bytes, addresses: frozenset[bytes], password: bytes = b"") -> bytes | None:
    """Which of these MAC addresses a packet wakes: six bytes FF, sixteen times the address, and the SecureOn password after
    it, anywhere in the packet. ``None``: none of them.
    """
    at = packet.find(SYNC)
    while 0 <= at <= len(packet) - MAGIC_BYTES - len(password):
        address = packet[at + 6 : at + 12]
        body = packet[at + 6 : at + MAGIC_BYTES + len(password)]
        if address in addresses and body == address * 16 + password:
            return address
        at = packet.find(SYNC, at + 1)
    return None


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Who sent a datagram to whom."""

    source: str
    source_port: int
    target: str
    target_port: int


def endpoints(packet: bytes) -> Endpoints | None:
    """Addresses and ports of a UDP datagram that begins with its IP header; ``None`` where it is none or cut off."""
    if len(packet) >= 28 and packet[0] >> 4 == 4 and packet[9] == UDP:
        start, family, at = (packet[0] & 15) * 4, socket.AF_INET, 12
    elif len(packet) >= 48 and packet[0] >> 4 == 6 and packet[6] == UDP:
        start, family, at = 40, socket.AF_INET6, 8
    else:
        return None
    if len(packet) < start + 4 or start < 20:
        return None
    size = 4 if family == socket.AF_INET else 16
    source, target = (socket.inet_ntop(family, packet[begin : begin + size]) for begin in (at, at + size))
    source_port, target_port = struct.unpack_from(">HH", packet, start)
    return Endpoints(source, source_port, target, target_port)


class Packet(NamedTuple):
    """What came through a filter: the bytes kept of it, and when it came (wall clock, seconds; ``None`` if not told)."""

    data: bytes
    at: float | None


def open_packets(program: bytes, *, outgoing: bool = False, memory: int = 16384) -> socket.socket:
    """A socket that receives what the filter accepts on every interface of this network namespace, and nothing before it has the filter.

    ``PermissionError`` without CAP_NET_RAW.

    :param outgoing: packets that this machine sends pass the filter too; without it they are not even looked at.
    :param memory: bytes that may be queued while nobody listens (a small packet takes about 800).
    """
    opened = socket.socket(
        socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0
    )
    try:
        attach(opened, program)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, memory // 2)  # the kernel doubles it
        opened.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        if not outgoing:
            _ignore_outgoing(opened)
        _bind_everywhere(opened)
    except OSError:
        opened.close()
        raise
    return opened


def _bind_everywhere(opened: socket.socket) -> None:
    """``struct sockaddr_ll`` with interface 0: all of them. Python's own bind asks for a name."""
    address = struct.pack("=H2si12x", socket.AF_PACKET, ALL.to_bytes(2, "big"), 0)
    checked(libc.bind(opened.fileno(), ctypes.create_string_buffer(address, len(address)), len(address)))


def _ignore_outgoing(opened: socket.socket) -> None:
    """Spares the machine a look at each packet that it sends (4.20 and later; before, the filter drops them)."""
    try:
        opened.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    except OSError:
        return


def arrivals(opened: socket.socket, most: int = 256) -> Iterator[Packet]:
    """The packets in the queue, up to ``most``; an interface that went down is passed over."""
    for _ in range(most):
        try:
            data, extra, _, _ = opened.recvmsg(2048, 64)
        except BlockingIOError:
            return
        except OSError:
            continue
        yield Packet(data, stamp(extra))


def stamp(extra: list[tuple[int, int, bytes]]) -> float | None:
    """The arrival among a packet's control messages, in seconds of the wall clock."""
    for level, kind, data in extra:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) in {8, 16}:
            seconds, nanoseconds = struct.unpack("=qq" if len(data) == 16 else "=ii", data)
            return float(seconds + nanoseconds / 1e9)
    return None


def instant(at: float | None, clock: Clock, earliest: float | None, now: float) -> float:
    """An arrival in ``CLOCK_BOOTTIME``; between what was known before and now, whatever the wall clock did meanwhile."""
    if at is None:
        return now
    return max(earliest or 0.0, min(now, at + clock.boottime() - clock.wall()))


@dataclass(frozen=True, slots=True)
class Counted:
    """How many packets the filter accepted since the last count, and how many of them found the queue full."""

    accepted: int
    lost: int


def counted(opened: socket.socket) -> Counted:
    """Reads and resets ``struct tpacket_stats``."""
    accepted, lost = struct.unpack("=II", opened.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
    return Counted(accepted, lost)
