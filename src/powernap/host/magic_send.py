"""Sends magic packets: six bytes FF and sixteen times the target's address, by UDP broadcast to ports 9 and 7, and as EtherType 0x0842.

Owns one round of sending on every Ethernet interface that is up. How often, and whether it helped, is the caller's.
"""

from __future__ import annotations

import fcntl
import re
import socket
import struct
import sys
from collections.abc import Iterable

from powernap.host.packets import MAGIC, SYNC

SIOCGIFFLAGS, SIOCGIFHWADDR = 0x8913, 0x8927
ETHERNET = 1  # ARPHRD_ETHER (linux/if_arp.h)
RUNNING = 0x1 | 0x40  # IFF_UP, IFF_RUNNING
PORTS = (9, 7)
EVERYBODY = "255.255.255.255"


def address(mac: str) -> bytes:
    """Six bytes of ``52:54:00:12:34:56``, also with ``-`` or nothing between; ``ValueError`` for anything else, and for no single card."""
    plain = re.sub(r"[:-]", "", mac)
    if not re.fullmatch(r"[0-9A-Fa-f]{12}", plain):
        raise ValueError(f'"{mac}" is not a MAC address; write six bytes as 52:54:00:12:34:56')
    found = bytes.fromhex(plain)
    if found[0] & 1 or not any(found):
        raise ValueError(f'"{mac}" is not the address of one network card')
    return found


def payload(target: bytes, secret: bytes = b"") -> bytes:
    """102 bytes, and behind them a SecureOn password of four or six."""
    return SYNC + target * 16 + secret


def interfaces() -> list[str]:
    """Ethernet interfaces of this network namespace that have a link, wherever they lead: which one reaches the target is not known."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as asked:
        return [name for _, name in socket.if_nameindex() if _linked_ethernet(asked, name)]


def _linked_ethernet(asked: socket.socket, name: str) -> bool:
    """By netdevice(7); an interface that has just gone is none."""
    request = struct.pack("16s24x", name.encode())
    try:
        flags, kind = (
            int.from_bytes(fcntl.ioctl(asked, question, request)[16:18], sys.byteorder)
            for question in (SIOCGIFFLAGS, SIOCGIFHWADDR)
        )
    except OSError:
        return False
    return kind == ETHERNET and flags & RUNNING == RUNNING


def send(target: bytes, names: list[str]) -> list[str]:
    """One round; what could not be sent, and why. Nothing was sent when there is a complaint for each interface and way."""
    troubles = []
    for name in names:
        for way in (udp, raw):
            try:
                way(payload(target), name)
            except OSError as error:
                troubles.append(f"{name}: {way.__name__}: {error.strerror or error}")
    return troubles


def udp(data: bytes, name: str = "", to: str = EVERYBODY, ports: Iterable[int] = PORTS) -> None:
    """A datagram to each port of an IPv4 address: everybody's in one segment, or one machine's.

    :param name: the interface it leaves through (needs no right since Linux 5.7); empty: as the routes say, which for everybody's is one of them.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if name:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name.encode() + b"\0")
        for port in ports:
            opened.sendto(data, (to, port))


def raw(data: bytes, name: str) -> None:
    """Needs CAP_NET_RAW. To everybody: a switch has forgotten where a sleeping machine is."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as opened:
        opened.sendto(data, (name, MAGIC, 0, 0, b"\xff" * 6))
