"""Claims about the messages of the proc connector."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from powernap.host.proc_connector import ACKNOWLEDGED, EXEC, parse_event, subscription


def message(what: int, *numbers: int) -> bytes:
    """As the kernel sends it, behind its two headers."""
    return bytes(36) + struct.pack("=IIQII", what, 0, 12345, *numbers)


def test_exec_names_the_process():
    """An exec's number is its thread group: the process, not the thread that called."""
    assert parse_event(message(EXEC, 71, 70)) == (EXEC, 70)


def test_acknowledgement_names_the_error():
    """An acknowledgement's number is its errno."""
    assert parse_event(message(ACKNOWLEDGED, 22, 0)) == (ACKNOWLEDGED, 22)


@given(st.binary(max_size=59))
def test_short_messages_are_nothing(data):
    """What is too short is not taken for an event."""
    assert parse_event(data) is None


def test_subscription():
    """The request is one netlink message of its own length that ends in PROC_CN_MCAST_LISTEN."""
    request = subscription(7)
    assert struct.unpack_from("=I", request)[0] == len(request) == 40
    assert struct.unpack("=I", request[-4:])[0] == 1
