"""The door to a disk's commands: SCSI, and ATA inside it, through its /dev/sgN.

Owns the ioctl (SG_IO, Documentation/scsi/scsi-generic.rst), the bytes of a command, and what sense data say. What the answers mean for
power and wear is host/drives.py.

Never through /dev/sdX: the kernel sees such a disk opened and starts it again within a second (observed with scsi_debug on 6.12), and
its readers look at the medium. Opening the sg node resumes a disk that the kernel has put to sleep, so callers look at
``power/runtime_status`` first.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from powernap.core.value import dataclass

if TYPE_CHECKING:
    from powernap.host.files import Files

SG_IO = 0x2285  # include/scsi/sg.h
HEADER = struct.Struct("@iiBBHIPPPIIiPBBBBHHiII0P")
"""struct sg_io_hdr of include/scsi/sg.h."""
TO_DEVICE_NONE, FROM_DEVICE = -1, -3
SENSE = 64
NOT_READY, ILLEGAL_REQUEST = 0x2, 0x5
STOPPED = (0x04, 0x02)
"""ASC and ASCQ: not ready, a START UNIT is required (SPC-4 annex F)."""
LIMIT = 20.0
"""Seconds for one command. STANDBY IMMEDIATE writes the cache back first and takes a few seconds."""


@dataclass(frozen=True)
class Answer:
    """What a disk answered: its SCSI status, sense data, and the data that were asked for."""

    status: int = 0
    sense: bytes = b""
    data: bytes = b""


@dataclass(frozen=True)
class Sense:
    """Why a command ended as it did: key, additional code and qualifier; ``ata``: the registers of an ATA command, if they came along."""

    key: int = 0
    code: tuple[int, int] = (0, 0)
    ata: Registers | None = None


@dataclass(frozen=True)
class Registers:
    """What an ATA command left in the registers (SAT-4, table 210)."""

    error: int
    count: int
    status: int

    @property
    def failed(self) -> bool:
        """The ERR or DF bit of the status is set, or DRDY is not: the other registers then say nothing."""
        return self.status & 0x61 != 0x40


# ------------------------------------------------------------ commands (bytes)


def inquiry(page: int | None = None, size: int = 252) -> bytes:
    """INQUIRY, of a vital product data page if one is given (SPC-4 6.6)."""
    return bytes([0x12, page is not None, page or 0, size >> 8, size & 0xFF, 0])


def request_sense(size: int = 252) -> bytes:
    """REQUEST SENSE in descriptor or fixed form as the disk likes: says the power condition without changing it (SPC-4 6.39)."""
    return bytes([0x03, 0, 0, 0, size, 0])


def start_stop(condition: int, modifier: int) -> bytes:
    """START STOP UNIT with a power condition; START and LOEJ are then ignored (SBC-3 5.25). Never a plain STOP: condition 0."""
    if not condition:
        raise ValueError(
            "a plain START or STOP is not sent: after a STOP the next read fails with an I/O error"
        )
    return bytes([0x1B, 0, 0, modifier & 0xF, condition << 4, 0])


def log_sense(page: int, size: int = 512) -> bytes:
    """LOG SENSE, cumulative values (SPC-4 6.10)."""
    return bytes([0x4D, 0, 0x40 | page, 0, 0, 0, 0, size >> 8, size & 0xFF, 0])


def ata(command: int, feature: int = 0, lba: int = 0, *, sectors: int = 0) -> bytes:
    """ATA PASS-THROUGH (16) (SAT-4 12.2.2): data of ``sectors`` from the disk, or without data and with its registers in return."""
    protocol, flags = (4 << 1, 0x0E) if sectors else (3 << 1, 0x20)
    low, middle, high = lba & 0xFF, lba >> 8 & 0xFF, lba >> 16 & 0xFF
    return bytes([0x85, protocol, flags, 0, feature, 0, sectors, 0, low, 0, middle, 0, high, 0, command, 0])


# ------------------------------------------------------------ answers (bytes)


def parse_sense(data: bytes) -> Sense:
    """Sense data in fixed (70h, 71h) or descriptor form (72h, 73h); an empty one is no sense (SPC-4 4.5)."""
    form = data[0] & 0x7F if data else 0
    if form in (0x72, 0x73) and len(data) >= 8:
        return Sense(data[1] & 0xF, (data[2], data[3]), _descriptor_registers(data))
    if form in (0x70, 0x71) and len(data) >= 14:
        code = data[12], data[13]
        # "ATA pass through information available": the information field carries error, status, device and count (SAT-4 12.2.2.7)
        registers = Registers(data[3], data[6], data[4]) if code == (0, 0x1D) else None
        return Sense(data[2] & 0xF, code, registers)
    return Sense()


def _descriptor_registers(data: bytes) -> Registers | None:
    """The ATA status return descriptor (SAT-4 12.2.2.6)."""
    at = 8
    while at + 1 < len(data):
        kind, size = data[at], data[at + 1] + 2
        if kind == 0x09 and at + 14 <= len(data):
            return Registers(data[at + 3], data[at + 5], data[at + 13])
        at += size
    return None


def why(answer: Answer) -> str:
    """Why a command was not carried out, for an admin."""
    sense = parse_sense(answer.sense)
    if sense.key == ILLEGAL_REQUEST:
        return "the disk, or what is between, does not know the command"
    if sense.key == NOT_READY:
        return "the disk is stopped" if sense.code == STOPPED else "the disk is not ready"
    return f"status {answer.status:02x}h, sense {sense.key:x}/{sense.code[0]:02x}/{sense.code[1]:02x}"


# ------------------------------------------------------------ the door

Door = Callable[[str, bytes, int], Answer]
"""Sends a command to a node and takes so many bytes at most. ``OSError`` where it cannot be sent."""


def door(files: Files) -> Door:
    """The way to the disks of a machine: this one's nodes, or the machine's own where it is a fake. A recorded machine has none."""
    own = getattr(files, "scsi", None)
    if own is not None:
        return cast("Door", own)
    return no_door if getattr(files, "root", "") else send


def no_door(node: str, _command: bytes, _size: int) -> Answer:
    """A recorded machine has no disks that could be asked."""
    raise OSError(errno.ENODEV, "a recorded disk cannot be asked", node)


def ask(files: Files, node: str, command: bytes, size: int = 0) -> Answer:
    """The answer to a command, whatever it is. ``OSError``: it could not be sent."""
    return door(files)(node, command, size)


def tell(files: Files, node: str, command: bytes, size: int = 0) -> bytes:
    """The data of a command that must succeed; ``OSError`` says why it did not."""
    answer = ask(files, node, command, size)
    if answer.status:
        raise OSError(errno.EIO, why(answer), node)
    return answer.data


def send(node: str, command: bytes, size: int) -> Answer:
    """Through the node of this machine. A device node has to be opened for writing, else the kernel filters ATA commands."""
    import ctypes  # noqa: PLC0415 - only a machine with such disks needs it
    from fcntl import ioctl  # noqa: PLC0415

    told, sense, data = (ctypes.create_string_buffer(max(1, n)) for n in (len(command), SENSE, size))
    told.raw = command
    header = bytearray(
        HEADER.pack(
            ord("S"), FROM_DEVICE if size else TO_DEVICE_NONE, len(command), SENSE, 0, size,
            ctypes.addressof(data), ctypes.addressof(told), ctypes.addressof(sense), round(LIMIT * 1000),
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        )
    )  # fmt: skip
    fd = os.open(node, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        ioctl(fd, SG_IO, header)
    finally:
        os.close(fd)
    return outcome(HEADER.unpack(header), sense.raw, data.raw[:size], node)


def outcome(header: tuple[int, ...], sense: bytes, data: bytes, node: str) -> Answer:
    """What the kernel filled in. ``OSError`` where the command did not reach the disk (host or transport trouble).

    The driver's status only repeats that there are sense data (08h), so it is not looked at.
    """
    status, written, host, left = header[13], header[16], header[17], header[19]
    if host:
        raise OSError(errno.EIO, f"the command did not reach the disk (host status {host:02x}h)", node)
    return Answer(status & 0x3E, sense[:written], data[: len(data) - max(0, left)])
