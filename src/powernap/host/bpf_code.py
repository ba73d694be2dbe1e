"""Instructions of the kernel's virtual machine (BPF), written as functions so that a program reads like one.

Owns the encoding (kernel: Documentation/bpf/standardization/instruction-set.rst) and labels. Loads nothing: that is host/bpf.py.

A program is a list of instructions and labels; a label is plain text, and jumps name it::

    [call(GET_CURRENT_PID_TGID), jump_if_equal(R0, 0, "out"), ..., "out", put(R0, 0), leave()]
"""

from __future__ import annotations

import struct
import sys

from powernap.core.value import dataclass

R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 = range(11)
"""R0 a call's answer; R1-R5 its arguments, lost by it; R6-R9 survive calls; R10 the end of the 512-byte stack."""

# Helpers by number (include/uapi/linux/bpf.h); each program type allows some of them only.
MAP_LOOKUP = 1
GET_CURRENT_PID_TGID = 14
GET_CURRENT_COMM = 16
GET_CURRENT_CGROUP_ID = 80
PROBE_READ_KERNEL = 113
KTIME_GET_BOOT_NS = 125
RINGBUF_OUTPUT = 130

WIDTHS = {1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18}
"""The size bits of a load or store, by bytes."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction; ``to`` is the label that a jump goes to, ``wide`` means that the immediate takes a second slot."""

    op: int
    dst: int = 0
    src: int = 0
    off: int = 0
    imm: int = 0
    to: str = ""
    wide: bool = False


Line = Instruction | str


def copy(dst: int, src: int) -> Instruction:
    """``dst = src``, 64 bits."""
    return Instruction(0xBF, dst, src)


def put(dst: int, value: int) -> Instruction:
    """``dst = value`` (32 bits, sign-extended)."""
    return Instruction(0xB7, dst, imm=value)


def put_wide(dst: int, value: int) -> Instruction:
    """``dst = value``, 64 bits."""
    return Instruction(0x18, dst, imm=value, wide=True)


def put_map(dst: int, map_fd: int) -> Instruction:
    """``dst`` = the map behind a descriptor."""
    return Instruction(0x18, dst, 1, imm=map_fd, wide=True)


def add(dst: int, value: int) -> Instruction:
    """``dst += value``."""
    return Instruction(0x07, dst, imm=value)


def mask(dst: int, value: int) -> Instruction:
    """``dst &= value`` (32 bits, sign-extended)."""
    return Instruction(0x57, dst, imm=value)


def shift_right(dst: int, bits: int) -> Instruction:
    """``dst >>= bits``, zeros come in."""
    return Instruction(0x77, dst, imm=bits)


def load(width: int, dst: int, src: int, off: int) -> Instruction:
    """``dst`` = the ``width`` bytes at ``src + off``."""
    return Instruction(0x61 | WIDTHS[width], dst, src, off)


def store(width: int, dst: int, off: int, src: int) -> Instruction:
    """The ``width`` bytes at ``dst + off`` = ``src``."""
    return Instruction(0x63 | WIDTHS[width], dst, src, off)


def store_value(width: int, dst: int, off: int, value: int) -> Instruction:
    """The ``width`` bytes at ``dst + off`` = a constant."""
    return Instruction(0x62 | WIDTHS[width], dst, 0, off, value)


def count_up(dst: int, off: int, src: int) -> Instruction:
    """Add ``src`` to the 8 bytes at ``dst + off``, atomically among cores."""
    return Instruction(0xDB, dst, src, off)


def load_packet(width: int, at: int) -> Instruction:
    """R0 = ``width`` bytes of the packet, big-endian, R6 being the context; beyond the packet's end the program ends with 0."""
    return Instruction(0x20 | WIDTHS[width], imm=at)


def call(helper: int) -> Instruction:
    """R0 = helper(R1, ..., R5)."""
    return Instruction(0x85, imm=helper)


def leave() -> Instruction:
    """The program ends; its answer is R0."""
    return Instruction(0x95)


def jump(to: str) -> Instruction:
    """Go on at a label further down."""
    return Instruction(0x05, to=to)


def jump_if_equal(dst: int, value: int, to: str) -> Instruction:
    """``if dst == value goto to``."""
    return Instruction(0x15, dst, imm=value, to=to)


def jump_if_not(dst: int, value: int, to: str) -> Instruction:
    """``if dst != value goto to``."""
    return Instruction(0x55, dst, imm=value, to=to)


def jump_if_same(dst: int, src: int, to: str) -> Instruction:
    """``if dst == src goto to``, registers."""
    return Instruction(0x1D, dst, src, to=to)


def jump_if_other(dst: int, src: int, to: str) -> Instruction:
    """``if dst != src goto to``, registers."""
    return Instruction(0x5D, dst, src, to=to)


def big_endian(value: int) -> int:
    """What a big-endian load answers for a 32-bit number that lies in memory in this machine's order, as a signed immediate."""
    return int.from_bytes(value.to_bytes(4, sys.byteorder), "big", signed=True)


def assemble(lines: list[Line]) -> bytes:
    """The program's bytes; ``ValueError`` for a jump to a label that does not follow it."""
    labels, slot = {}, 0
    for line in lines:
        if isinstance(line, str):
            labels[line] = slot
        else:
            slot += 1 + line.wide
    code = bytearray()
    for line in lines:
        if isinstance(line, Instruction):
            code += encode(line, labels, len(code) // 8)
    return bytes(code)


def encode(line: Instruction, labels: dict[str, int], slot: int) -> bytes:
    """One instruction in one or two slots of 8 bytes."""
    off = line.off
    if line.to:
        off = labels.get(line.to, -1) - slot - 1
        if off < 0:
            raise ValueError(f'no label "{line.to}" after instruction {slot}')
    low, high = line.imm & 0xFFFFFFFF, line.imm >> 32 & 0xFFFFFFFF
    registers = line.dst | line.src << 4 if sys.byteorder == "little" else line.dst << 4 | line.src
    first = struct.pack("=BBhI", line.op, registers, off, low)
    return first + struct.pack("=BBhI", 0, 0, 0, high) if line.wide else first
