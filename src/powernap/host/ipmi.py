"""The door to this machine's own management controller: one request and its answer over /dev/ipmi0.

Linux's include/uapi/linux/ipmi.h (the ``ipmi_devintf`` module). The system interface only: no network, no login; root may use it. Owns the bytes of the
interface; what a request means is the caller's.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import select
import time

DEVICE = "/dev/ipmi0"
SYSTEM_INTERFACE, BMC = 0x0C, 0xF
"""IPMI_SYSTEM_INTERFACE_ADDR_TYPE, IPMI_BMC_CHANNEL."""
RESPONSE = 1
"""IPMI_RESPONSE_RECV_TYPE."""
ANSWER_MAX = 272
"""IPMI_MAX_MSG_LENGTH."""
LIMIT = 5.0
"""Seconds for an answer: a busy controller takes one or two."""


class _Address(ctypes.Structure):
    _fields_ = (("type", ctypes.c_int), ("channel", ctypes.c_short), ("lun", ctypes.c_ubyte))


class _Message(ctypes.Structure):
    _fields_ = (
        ("netfn", ctypes.c_ubyte),
        ("cmd", ctypes.c_ubyte),
        ("length", ctypes.c_ushort),
        ("data", ctypes.c_void_p),
    )


class _Request(ctypes.Structure):
    _fields_ = (
        ("address", ctypes.c_void_p),
        ("address_length", ctypes.c_uint),
        ("id", ctypes.c_long),
        ("message", _Message),
    )


class _Received(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("address", ctypes.c_void_p),
        ("address_length", ctypes.c_uint),
        ("id", ctypes.c_long),
        ("message", _Message),
    )


def _number(direction: int, nr: int, kind: type[ctypes.Structure]) -> int:
    """_IOR (2) or _IOWR (3) of asm-generic/ioctl.h with the magic ``i``."""
    return direction << 30 | ctypes.sizeof(kind) << 16 | ord("i") << 8 | nr


SEND = _number(2, 13, _Request)
RECEIVE_TRUNC = _number(3, 11, _Received)


class Controller:
    """The open device."""

    def __init__(self, path: str = DEVICE) -> None:
        """:raises OSError: there is none, or it may not be opened."""
        self.path, self._fd, self._id = path, os.open(path, os.O_RDWR | os.O_CLOEXEC), 0

    def ask(self, netfn: int, cmd: int, data: bytes) -> bytes:
        """The answer, its first byte the completion code. ``OSError`` (``ETIMEDOUT``) without one."""
        self._id += 1
        self._send(netfn, cmd, data)
        until = time.monotonic() + LIMIT
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        while (left := until - time.monotonic()) > 0 and poll.poll(left * 1000):
            # an answer to a request that was given up earlier may still come
            number, answer = self._receive()
            if number == self._id and answer:
                return answer
        raise TimeoutError(
            errno.ETIMEDOUT, f"the management controller gave no answer within {LIMIT:g} s", self.path
        )

    def close(self) -> None:
        """Give the descriptor back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _send(self, netfn: int, cmd: int, data: bytes) -> None:
        address, body = (
            _Address(SYSTEM_INTERFACE, BMC, 0),
            ctypes.create_string_buffer(data, max(1, len(data))),
        )
        message = _Message(netfn, cmd, len(data), ctypes.addressof(body))
        request = _Request(ctypes.addressof(address), ctypes.sizeof(address), self._id, message)
        fcntl.ioctl(self._fd, SEND, request)

    def _receive(self) -> tuple[int, bytes]:
        address, body = _Address(), ctypes.create_string_buffer(ANSWER_MAX)
        message = _Message(0, 0, ANSWER_MAX, ctypes.addressof(body))
        received = _Received(0, ctypes.addressof(address), ctypes.sizeof(address), 0, message)
        fcntl.ioctl(self._fd, RECEIVE_TRUNC, received)
        length = int(received.message.length)
        return (int(received.id), body.raw[:length]) if received.type == RESPONSE else (-1, b"")
