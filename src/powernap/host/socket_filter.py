"""Classic BPF on a socket: the kernel drops what nobody wants before it is queued (SO_ATTACH_FILTER of socket(7), any kernel).

Owns the form of an instruction and the attaching. What a filter keeps is said by the module whose socket it is.
"""

from __future__ import annotations

import ctypes
import socket
import struct

SO_ATTACH_FILTER = 26
STEP = struct.Struct("=HBBI")
"""``struct sock_filter``: code, instructions to skip if true, if false, value (linux/filter.h)."""
WORD, EQUAL, RETURN = 0x20, 0x15, 0x06
"""Load 32 bits from a fixed place, compare, end with so many bytes kept."""
NOTHING = STEP.pack(RETURN, 0, 0, 0)
"""The filter that drops everything."""


def word_at(place: int, word: int) -> bytes:
    """The filter that keeps what has this 32-bit big-endian number there."""
    steps = (WORD, 0, 0, place), (EQUAL, 0, 1, word), (RETURN, 0, 0, 0xFFFF)
    return b"".join(STEP.pack(*step) for step in steps) + NOTHING


def attach(opened: socket.socket, program: bytes) -> None:
    """Set the socket's filter; it takes the place of the one before."""
    held = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("@HP", len(program) // STEP.size, ctypes.addressof(held))
    opened.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, head)
