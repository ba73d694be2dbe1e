"""Packet filters, run here as the kernel runs them, and the parsing of what they let through."""

from __future__ import annotations

import random
import socket
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from powernap.host import packets
from powernap.host.packets import (
    Datagrams,
    Endpoints,
    endpoints,
    magic_filter,
    magic_target,
    stamp,
    udp_filter,
)

MAC = bytes.fromhex("020000c0ffee")
MAGIC = b"\xff" * 6 + MAC * 16


def run(code: bytes, packet: bytes, protocol: int, kind: int = 0, hardware: int = 1) -> int:
    """A classic BPF program as the kernel runs it (bpf(4) of the BSDs, linux/filter.h); a load beyond the packet drops it."""
    steps = list(struct.iter_unpack("=HBBI", code))
    accumulator = index = at = 0
    while True:
        op, yes, no, value = steps[at]
        at += 1
        beside = {packets.PROTOCOL: protocol, packets.PACKET_TYPE: kind, packets.HARDWARE: hardware}
        if op in (0x30, 0x28, 0x20, 0x48, 0x40):
            size = {0x30: 1, 0x28: 2, 0x48: 2, 0x20: 4, 0x40: 4}[op]
            start = value + (index if op in (0x48, 0x40) else 0)
            if value in beside and op in (0x30, 0x28, 0x20):
                accumulator = beside[value]
            elif start + size > len(packet):
                return 0
            else:
                accumulator = int.from_bytes(packet[start : start + size], "big")
        elif op == 0x80:
            accumulator = len(packet)
        elif op == 0xB1:
            if value >= len(packet):
                return 0
            index = (packet[value] & 15) * 4
        elif op == 0x01:
            index = value
        elif op == 0x06:
            return int(value)
        else:
            holds = {
                0x15: accumulator == value,
                0x25: accumulator > value,
                0x35: accumulator >= value,
                0x45: bool(accumulator & value),
            }[op]
            at += yes if holds else no


def udp4(payload: bytes, port: int, *, options: int = 0, fragment: int = 0, protocol: int = 17) -> bytes:
    """An IPv4 datagram from 10.0.0.7."""
    length = 20 + options + 8 + len(payload)
    head = struct.pack(
        ">BBHHHBBH4s4s",
        0x40 | 5 + options // 4,
        0,
        length,
        1,
        fragment,
        64,
        protocol,
        0,
        b"\n\0\0\7",
        b"\n\0\0\1",
    )
    return head + bytes(options) + struct.pack(">HHHH", 40000, port, 8 + len(payload), 0) + payload


def udp6(payload: bytes, port: int, following: int = 17) -> bytes:
    """An IPv6 one."""
    head = struct.pack(
        ">IHBB16s16s",
        6 << 28,
        8 + len(payload),
        following,
        64,
        b"\xfe\x80" + bytes(13) + b"\7",
        b"\xff\2" + bytes(13) + b"\1",
    )
    return head + struct.pack(">HHHH", 40000, port, 8 + len(payload), 0) + payload


def test_udp_by_port() -> None:
    """IPv4 with and without options, IPv6, and nothing else."""
    code = udp_filter(Datagrams(((53, 53), (8000, 8010)), loopback=False), keep=64)
    assert [run(code, udp4(b"", port), 0x0800) for port in (52, 53, 54, 7999, 8000, 8010, 8011)] == [
        0,
        64,
        0,
        0,
        64,
        64,
        0,
    ]
    assert [run(code, udp6(b"", port), 0x86DD) for port in (53, 54)] == [64, 0]
    assert run(code, udp4(b"", 53, options=40), 0x0800) == 64
    assert run(code, udp4(b"", 53, fragment=0x2000), 0x0800) == 64, "a first fragment"
    assert run(code, udp4(b"", 53, fragment=0x2001), 0x0800) == 0, "a later fragment"
    assert run(code, udp4(b"", 53, protocol=6), 0x0800) == 0, "TCP"
    assert run(code, udp6(b"", 53, following=6), 0x86DD) == 0, "TCP over IPv6"
    assert run(code, udp4(b"", 53), 0x0806) == 0, "ARP"
    assert run(code, udp4(b"", 53), 0x0800, hardware=772) == 0, "loopback is not wanted"


@pytest.mark.parametrize(
    ("incoming", "outgoing", "kinds"),
    [(True, False, [0, 1, 2]), (False, True, [4]), (True, True, [0, 1, 2, 4])],
)
def test_udp_by_direction(incoming: bool, outgoing: bool, kinds: list[int]) -> None:
    """Received (for us, broadcast, multicast), sent, or both; never what was for another machine."""
    code = udp_filter(Datagrams(((53, 53),), incoming, outgoing))
    assert [kind for kind in range(5) if run(code, udp4(b"", 53), 0x0800, kind)] == kinds


@given(st.lists(st.tuples(st.integers(1, 65535), st.integers(0, 50)), max_size=64), st.integers(0, 65535))
def test_udp_ports_as_configured(pairs: list[tuple[int, int]], port: int) -> None:
    """The filter accepts a port if and only if a range holds it; no range: every port."""
    ranges = tuple((low, min(low + more, 65535)) for low, more in pairs)
    expected = not ranges or any(low <= port <= high for low, high in ranges)
    assert bool(run(udp_filter(Datagrams(ranges)), udp4(b"", port), 0x0800)) == expected


def test_magic_by_kind() -> None:
    """Each kind that senders use, and not what is too short or looks otherwise."""
    code = magic_filter()
    assert run(code, MAGIC, 0x0842)
    assert run(code, udp4(MAGIC, 9), 0x0800)
    assert run(code, udp4(MAGIC, 40123), 0x0800), "any port, when it begins with the stream"
    assert run(code, udp4(b"header" + MAGIC, 7, options=4), 0x0800), (
        "a well-known port, wherever the stream is"
    )
    assert run(code, udp6(MAGIC, 40123), 0x86DD)
    assert run(code, udp6(b"x" + MAGIC, 0), 0x86DD)
    assert not run(code, udp4(b"x" + MAGIC, 40123), 0x0800)
    assert not run(code, udp4(MAGIC[:-1], 9), 0x0800)
    assert not run(code, MAGIC[:-1], 0x0842)
    assert not run(code, udp4(b"\xff" * 5 + b"\0" + bytes(100), 40123), 0x0800)
    assert not run(code, MAGIC, 0x0842, kind=4), "what we send to others"
    assert not run(code, b"\xff" * 200, 0x0806), "another protocol"


def test_target() -> None:
    """Contained anywhere, one of several addresses, password at its place."""
    others = frozenset({MAC, bytes(5) + b"\1"})
    assert magic_target(b"noise" + MAGIC + b"tail", others) == MAC
    assert magic_target(b"\xff" * 9 + MAC * 16, others) == MAC, "more FF than needed"
    assert magic_target(b"\xff" * 6 + b"\1" * 96 + MAGIC, others) == MAC, "the second of two"
    assert magic_target(MAGIC[:-1], others) is None
    assert magic_target(b"\xff" * 6 + MAC * 15 + b"\2\0\0\0\0\0", others) is None
    assert magic_target(MAGIC, frozenset()) is None
    assert magic_target(MAGIC + b"secret", others, b"secret") == MAC
    assert magic_target(MAGIC + b"secre", others, b"secret") is None
    assert magic_target(MAGIC + b"public", others, b"secret") is None


def test_ten_thousand_random_packets_neither_crash_nor_match() -> None:
    """Garbage, and magic packets with one byte changed, are nobody's."""
    chance = random.Random(0x0842)
    for _ in range(5000):
        assert magic_target(chance.randbytes(chance.randrange(300)), frozenset({MAC})) is None
        broken = bytearray(MAGIC)
        broken[chance.randrange(len(broken))] ^= chance.randrange(1, 256)
        assert magic_target(bytes(broken), frozenset({MAC})) is None
        endpoints(chance.randbytes(chance.randrange(80)))


@given(st.binary(max_size=200), st.sampled_from([0x0800, 0x86DD, 0x0842, 0x0806]), st.integers(0, 5))
@example(b"\x4f", 0x0800, 0)
def test_any_packet_runs_through_the_filters(packet: bytes, protocol: int, kind: int) -> None:
    """Whatever comes, a filter ends with one of its two answers."""
    assert run(magic_filter(), packet, protocol, kind) in (0, 1514)
    assert run(udp_filter(Datagrams(((1, 65535),))), packet, protocol, kind) in (0, 64)


def test_endpoints() -> None:
    """Who, from which port, to whom."""
    assert endpoints(udp4(b"x", 53, options=8)) == Endpoints("10.0.0.7", 40000, "10.0.0.1", 53)
    assert endpoints(udp6(b"x", 53)) == Endpoints("fe80::7", 40000, "ff02::1", 53)
    assert endpoints(udp4(b"", 53, protocol=6)) is None
    assert endpoints(b"") is None
    assert endpoints(b"\x4f" + udp4(b"", 53)[1:]) is None, "options longer than the packet"
    assert endpoints(b"\x40" + udp4(b"", 53)[1:]) is None, "a header of no length"


def test_stamp() -> None:
    """The kernel's arrival time, in both widths; anything else is none."""
    assert stamp([(socket.SOL_SOCKET, 35, struct.pack("=qq", 5, 500_000_000))]) == 5.5
    assert stamp([(socket.SOL_SOCKET, 35, struct.pack("=ii", 5, 250_000_000))]) == 5.25
    assert stamp([(1, 2, b""), (socket.SOL_SOCKET, 35, b"odd")]) is None


class Clock:
    """At the wall clock's 1000 s the machine has been up for 50 s."""

    def boottime(self) -> float:
        return 50.0

    def wall(self) -> float:
        return 1000.0


@pytest.mark.parametrize(("at", "expected"), [(990.0, 40.0), (2000.0, 50.0), (100.0, 30.0), (None, 50.0)])
def test_instants_stay_between_what_is_known_and_now(at: float | None, expected: float) -> None:
    """A wall clock that was set meanwhile cannot move an arrival before the last one or into the future."""
    assert packets.instant(at, Clock(), 30.0, 50.0) == expected
