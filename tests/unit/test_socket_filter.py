"""Claims about classic filters, by the kernel's own interpreter on a datagram socket."""

from __future__ import annotations

import socket

import pytest

from powernap.host import socket_filter


def test_a_word_in_its_place_is_kept() -> None:
    """What has it elsewhere, or ends before it, is dropped; a filter takes the place of the one before."""
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    with left, right:
        socket_filter.attach(right, socket_filter.NOTHING)
        left.send(b"..word")
        socket_filter.attach(right, socket_filter.word_at(2, int.from_bytes(b"word", "big")))
        for message in (b"word..", b"..wor", b"..word and more"):
            left.send(message)
        assert right.recv(100) == b"..word and more"
        with pytest.raises(BlockingIOError):
            right.recv(100)
