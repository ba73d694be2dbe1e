"""Network ports: what wakes them, which speeds they offer, and Energy-Efficient Ethernet (Documentation/networking/ethtool-netlink.rst).

Owns three questions and three settings of the ethtool netlink family, in the network namespace of the calling thread. Reading needs CAP_NET_ADMIN for
the wake flags only. Asking resumes a port that sleeps by runtime power management. Whether a port may be touched is host/wake_path.py's.

Errors are ``OSError`` with the kernel's errno: ``ENODEV`` (no such port), ``EOPNOTSUPP`` (its driver cannot), ``EINVAL`` (not with this hardware).
Bytes beyond what we know are ignored; :class:`powernap.host.netlink.MalformedError` where an answer is cut off.
"""

from __future__ import annotations

import errno
import functools
import os
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from powernap.core.value import dataclass
from powernap.host import netlink

if TYPE_CHECKING:
    from powernap.host.files import Files

Ask = Callable[[int, bytes], list[bytes]]
"""Sends one command of the family with its attributes; the payloads of the answers, without their generic header."""

NETLINK_GENERIC, NETLINK_CONTROLLER, GET_FAMILY = 16, 0x10, 3
FAMILY_ID, FAMILY_NAME = 1, 2
# include/uapi/linux/ethtool_netlink.h
LINKMODES_GET, LINKMODES_SET, WOL_GET, WOL_SET, EEE_GET, EEE_SET = 4, 5, 9, 10, 23, 24
HEADER, DEVICE, FLAGS, COMPACT_BITSETS = 1, 2, 3, 1
NO_MASK, SIZE, VALUE, MASK = 1, 2, 4, 5
AUTONEG, OURS, PEER, SPEED, DUPLEX = 2, 3, 4, 5, 6
WOL_MODES, WOL_PASSWORD = 2, 3
EEE_OURS, EEE_PEER, EEE_ACTIVE, EEE_ENABLED, EEE_LPI, EEE_TIMER = 2, 3, 4, 5, 6, 7
NESTED, ACKNOWLEDGE = 0x8000, 0x4
UNKNOWN_SPEED = 0xFFFFFFFF

WAKE_LETTERS = "pumbagsf"
"""As ethtool(8) writes them, by bit: link (p), unicast, multicast, broadcast, ARP, magic packet (g), SecureOn (s), filter."""
DUPLEXES = {0: "half", 1: "full"}


@dataclass(frozen=True, slots=True)
class WakeFlags:
    """What may wake the machine through a port. Letters in the order of :data:`WAKE_LETTERS`; none is an empty text.

    :param password: a SecureOn password is stored there. It is never read further, and stays when the flags are set.
    """

    supported: str
    armed: str
    password: bool = False


@dataclass(frozen=True, slots=True)
class LinkModes:
    """The speeds that a port offers. Masks are numbers, bit n being ``enum ethtool_link_mode_bit_indices`` n.

    :param advertised: offered; ``supported``: could be; ``peer``: what the other end offers, 0 where it is not known.
    :param speed: Mb/s, 0 where there is no link; ``duplex``: "full", "half" or "". Negotiated with ``autoneg``, set without it.
    """

    autoneg: bool
    advertised: int
    supported: int = 0
    peer: int = 0
    speed: int = 0
    duplex: str = ""


@dataclass(frozen=True, slots=True)
class Eee:
    """Energy-Efficient Ethernet of a port. :param lpi: it enters low power itself; :param timer: microseconds of silence before that.

    :param active: both ends do it now. Masks as in :class:`LinkModes`.
    """

    enabled: bool
    lpi: bool
    timer: int
    advertised: int
    supported: int = 0
    peer: int = 0
    active: bool = False


# --- asking


def wake_flags(interface: str, ask: Ask | None = None) -> WakeFlags:
    """What a port could be woken by, and what it is armed for."""
    return parse_wake(_get(WOL_GET, interface, ask))


def link_modes(interface: str, ask: Ask | None = None) -> LinkModes:
    """What a port offers, in full."""
    return parse_link_modes(_get(LINKMODES_GET, interface, ask))


def eee(interface: str, ask: Ask | None = None) -> Eee:
    """How a port saves energy between packets."""
    return parse_eee(_get(EEE_GET, interface, ask))


def arm(interface: str, letters: str, ask: Ask | None = None) -> None:
    """Wake by exactly these letters; ``""`` or ``"d"`` by none. ``EINVAL`` for one that the hardware does not know."""
    if not set(letters) <= set(WAKE_LETTERS + "d"):
        raise OSError(errno.EINVAL, f'"{letters}" is not made of the letters {WAKE_LETTERS}', interface)
    armed = sum(1 << bit for bit, letter in enumerate(WAKE_LETTERS) if letter in letters)
    _set(WOL_SET, interface, _bitset(WOL_MODES, armed), ask)


def set_link_modes(interface: str, modes: LinkModes, ask: Ask | None = None) -> None:
    """Offer these; the link goes down for seconds and is negotiated anew. Speed and duplex count without ``autoneg`` only."""
    wanted = netlink.attribute(AUTONEG, bytes([modes.autoneg])) + _bitset(OURS, modes.advertised)
    if not modes.autoneg:
        wanted += netlink.attribute(SPEED, struct.pack("=I", modes.speed or UNKNOWN_SPEED))
        wanted += netlink.attribute(DUPLEX, bytes([{"half": 0, "full": 1}.get(modes.duplex, 0xFF)]))
    _set(LINKMODES_SET, interface, wanted, ask)


def set_eee(interface: str, wanted: Eee, ask: Ask | None = None) -> None:
    """Save energy so. Most drivers negotiate the link anew."""
    attributes = (
        _bitset(EEE_OURS, wanted.advertised)
        + netlink.attribute(EEE_ENABLED, bytes([wanted.enabled]))
        + netlink.attribute(EEE_LPI, bytes([wanted.lpi]))
        + netlink.attribute(EEE_TIMER, struct.pack("=I", wanted.timer))
    )
    _set(EEE_SET, interface, attributes, ask)


def door(files: Files) -> Ask:
    """Who answers for a machine: its kernel, what a fake machine brings along, or, for a recorded one, nobody."""
    found: Ask | None = getattr(files, "ethtool", None)
    if found:
        return found
    return kernel if getattr(files, "root", None) == "" else _nobody


def kernel(command: int, attributes: bytes) -> list[bytes]:
    """Asks the kernel of this machine."""
    with netlink.open_netlink(NETLINK_GENERIC) as connection:
        payload = struct.pack("=BBxx", command, 1) + attributes
        request = netlink.message(family(), payload, flags=netlink.REQUEST | ACKNOWLEDGE)
        return [bytes(answer[4:]) for answer in netlink.dump(connection, request)]


@functools.cache  # the number stays until reboot
def family() -> int:
    """The number of the ethtool family (Documentation/userspace-api/netlink/intro.rst); ``ENOENT`` in a kernel without it."""
    with netlink.open_netlink(NETLINK_GENERIC) as connection:
        payload = struct.pack("=BBxx", GET_FAMILY, 1) + netlink.attribute(FAMILY_NAME, b"ethtool\0")
        request = netlink.message(NETLINK_CONTROLLER, payload, flags=netlink.REQUEST | ACKNOWLEDGE)
        answers = [
            bytes(netlink.attributes(each[4:])[FAMILY_ID]) for each in netlink.dump(connection, request)
        ]
    return int.from_bytes(answers[0], "little" if struct.pack("=H", 1)[0] else "big")


def _nobody(_command: int, _attributes: bytes) -> list[bytes]:
    raise OSError(errno.EOPNOTSUPP, "a recorded machine's ports cannot be asked")


def _get(command: int, interface: str, ask: Ask | None) -> bytes:
    answers = (ask or kernel)(command, _header(interface, COMPACT_BITSETS))
    if not answers:
        raise OSError(errno.ENODATA, os.strerror(errno.ENODATA), interface)
    return answers[0]


def _set(command: int, interface: str, attributes: bytes, ask: Ask | None) -> None:
    (ask or kernel)(command, _header(interface, 0) + attributes)


def _header(interface: str, flags: int) -> bytes:
    """Which port; 15 bytes at most (IFNAMSIZ)."""
    inside = netlink.attribute(DEVICE, interface.encode() + b"\0")
    if flags:
        inside += netlink.attribute(FLAGS, struct.pack("=I", flags))
    return netlink.attribute(HEADER | NESTED, inside)


def _bitset(kind: int, mask: int) -> bytes:
    """A list of bits: those not in it are cleared."""
    size = max(1, mask.bit_length())
    words = mask.to_bytes((size + 31) // 32 * 4, "little")
    value = struct.pack(f"={len(words) // 4}I", *struct.unpack(f"<{len(words) // 4}I", words))
    inside = netlink.attribute(NO_MASK, b"") + netlink.attribute(SIZE, struct.pack("=I", size))
    return netlink.attribute(kind | NESTED, inside + netlink.attribute(VALUE, value))


# --- parsing


def parse_wake(answer: bytes) -> WakeFlags:
    """``ETHTOOL_MSG_WOL_GET_REPLY``."""
    found = netlink.attributes(answer)
    armed, supported = _bits(found, WOL_MODES)
    password = bytes(found.get(WOL_PASSWORD, b""))
    return WakeFlags(_letters(supported), _letters(armed), any(password))


def parse_link_modes(answer: bytes) -> LinkModes:
    """``ETHTOOL_MSG_LINKMODES_GET_REPLY``."""
    found = netlink.attributes(answer)
    advertised, supported = _bits(found, OURS)
    speed = _number(found, SPEED, UNKNOWN_SPEED)
    return LinkModes(
        autoneg=bool(_number(found, AUTONEG)),
        advertised=advertised,
        supported=supported,
        peer=_bits(found, PEER)[0],
        speed=0 if speed == UNKNOWN_SPEED else speed,
        duplex=DUPLEXES.get(_number(found, DUPLEX, 0xFF), ""),
    )


def parse_eee(answer: bytes) -> Eee:
    """``ETHTOOL_MSG_EEE_GET_REPLY``."""
    found = netlink.attributes(answer)
    advertised, supported = _bits(found, EEE_OURS)
    return Eee(
        enabled=bool(_number(found, EEE_ENABLED)),
        lpi=bool(_number(found, EEE_LPI)),
        timer=_number(found, EEE_TIMER),
        advertised=advertised,
        supported=supported,
        peer=_bits(found, EEE_PEER)[0],
        active=bool(_number(found, EEE_ACTIVE)),
    )


def _letters(mask: int) -> str:
    return "".join(letter for bit, letter in enumerate(WAKE_LETTERS) if mask >> bit & 1)


def _number(found: dict[int, memoryview], kind: int, default: int = 0) -> int:
    """One byte or four, by its length."""
    data = bytes(found.get(kind, b""))
    if len(data) not in {1, 4}:
        return default
    return data[0] if len(data) == 1 else int(struct.unpack("=I", data)[0])


def _bits(found: dict[int, memoryview], kind: int) -> tuple[int, int]:
    """Value and mask of a compact bitset."""
    inside = netlink.attributes(found.get(kind, b""))
    return _mask(inside.get(VALUE, memoryview(b""))), _mask(inside.get(MASK, memoryview(b"")))


def _mask(data: memoryview) -> int:
    """An array of 32-bit words, the lowest first."""
    words = struct.unpack(f"={len(data) // 4}I", data[: len(data) // 4 * 4])
    return sum(word << 32 * place for place, word in enumerate(words))
