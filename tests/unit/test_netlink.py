"""Netlink framing."""

from __future__ import annotations

import errno
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.host import netlink
from powernap.host.netlink import (
    DONE,
    ERROR,
    OVERRUN,
    MalformedError,
    answers,
    attribute,
    attributes,
    message,
    messages,
)


def padded(data: bytes) -> bytes:
    """To four bytes."""
    return data + bytes(-len(data) % 4)


@given(st.lists(st.tuples(st.integers(16, 0xFFFF), st.binary(max_size=40)), max_size=5))
def test_messages_come_back_as_they_went(sent: list[tuple[int, bytes]]) -> None:
    """Kind and payload of each message, whatever its length."""
    data = b"".join(padded(message(kind, payload)) for kind, payload in sent)
    assert [(kind, bytes(payload)) for kind, payload in messages(data)] == sent


@given(st.dictionaries(st.integers(1, 0x3FFF), st.binary(max_size=40), max_size=5))
def test_attributes_come_back_as_they_went(sent: dict[int, bytes]) -> None:
    """Kind and payload of each attribute, whatever its length."""
    data = b"".join(attribute(kind, payload) for kind, payload in sent.items())
    assert {kind: bytes(payload) for kind, payload in attributes(data).items()} == sent


def test_flags_of_an_attribute_are_not_its_kind() -> None:
    """NLA_F_NESTED and NLA_F_NET_BYTEORDER are taken off."""
    assert list(attributes(struct.pack("=HH", 4, 0xC000 | 7))) == [7]


@given(st.binary(max_size=200))
def test_any_bytes_end_in_an_answer_or_a_malformed_error(data: bytes) -> None:
    """Garbage neither loops nor raises anything else (an error number in it is an OSError)."""
    for parse in (lambda: list(messages(data)), lambda: attributes(data), lambda: answers(data)):
        try:
            parse()
        except (MalformedError, OSError):
            pass


@given(st.integers(1, 200))
def test_a_cut_answer_is_never_taken_for_a_whole_one(cut: int) -> None:
    """Wherever an answer is cut, but between messages, it says so."""
    whole = message(20, b"x" * 100) + message(20, b"y" * 68)
    parts = [116, 200]
    if cut in parts:
        assert len(list(messages(whole[:cut]))) == parts.index(cut) + 1
    else:
        with pytest.raises(MalformedError):
            list(messages(whole[:cut]))


def test_the_end_of_a_dump() -> None:
    """DONE ends it, and so does an acknowledgement (ERROR 0)."""
    for last in (DONE, ERROR):
        found, whole = answers(message(20, b"abcd") + message(last, struct.pack("=i", 0)))
        assert ([bytes(one) for one in found], whole) == ([b"abcd"], True)
    assert answers(message(20, b"abcd"))[1] is False


@pytest.mark.parametrize("last", [DONE, ERROR])
def test_a_refusal_carries_the_kernels_errno(last: int) -> None:
    """A negative number is an OSError."""
    with pytest.raises(OSError) as caught:
        answers(message(last, struct.pack("=i", -errno.EPERM)))
    assert caught.value.errno == errno.EPERM


def test_a_result_without_number_and_an_overrun() -> None:
    """Both mean that something is missing."""
    with pytest.raises(MalformedError):
        answers(message(DONE, b""))
    with pytest.raises(OSError, match="lost"):
        answers(message(OVERRUN, b""))


def test_a_dump_reads_until_it_is_whole() -> None:
    """Two reads, three answers."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        theirs.send(message(20, b"1111") + message(20, b"2222"))
        theirs.send(message(20, b"3333") + message(DONE, bytes(4)))
        assert [bytes(one) for one in netlink.dump(ours, b"question")] == [b"1111", b"2222", b"3333"]
        assert theirs.recv(100) == b"question"


def test_an_answer_longer_than_the_buffer_is_malformed() -> None:
    """A cut datagram is not taken for a whole one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        theirs.send(bytes(netlink.ANSWER_BYTES + 4))
        with pytest.raises(MalformedError):
            list(netlink.dump(ours, b"question"))
