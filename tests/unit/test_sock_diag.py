"""The question to sock_diag, its filter, and its answers."""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.host import sock_diag
from powernap.host.netlink import HEADER, MalformedError, attribute, attributes
from powernap.host.ports import Range, port_ranges
from powernap.host.sock_diag import Connection, Wanted, chosen, parse, parse_proc, question, selection

ANSWER = bytes.fromhex(
    # recorded with Linux 6.18: 127.0.0.1:40727 -> 127.0.0.1:38750, established
    "02010000 9f17 975e 7f000001000000000000000000000000 7f000001000000000000000000000000"
    "00000000 0100000000000000 00000000 00000000 00000000 00000000 e8b20100".replace(" ", "")
)
PROC = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0A00000A:0016 0700000A:CA12 01 00000000:00000000 02:000A7214 00000000     0        0 2 4 0 20 4 30 10 -1
   2: 0100007F:0016 0100007F:CA13 01 00000000:00000000 02:000A7214 00000000     0        0 3 4 0 20 4 30 10 -1
   3: 0100007F:CA13 0100007F:0016 01 00000000:00000000 02:000A7214 00000000     0        0 4 4 0 20 4 30 10 -1
"""
PROC6 = """  sl  local_address                         remote_address                        st
   0: 0000000000000000FFFF00000A00000A:0016 0000000000000000FFFF00000800000A:D2F0 01 0:0 0:0 0 0 0 5
   1: B80D0120000000000000000001000000:0016 B80D0120000000000000000002000000:D2F1 01 0:0 0:0 0 0 0 6
"""
SSH = Wanted(((22, 22),))
PORT = st.integers(1, 65535)
RANGES = st.lists(st.tuples(PORT, PORT).map(sorted), max_size=4).map(
    lambda pairs: port_ranges(f"{low}-{high}" for low, high in pairs)
)
ADDRESS = st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16)).map(
    sock_diag.unmapped
)


def run(code: bytes, connection: Connection) -> bool:
    """What inet_diag_bc_run of net/ipv4/inet_diag.c says: the end accepts, beyond it rejects."""
    at = 0
    while at < len(code):
        kind, yes, no = struct.unpack_from("=BBH", code, at)
        port = struct.unpack_from("=H", code, at + 6)[0] if len(code) >= at + 8 else 0
        holds = {
            1: False,
            2: connection.local_port >= port,
            3: connection.local_port <= port,
            4: connection.peer_port >= port,
            5: connection.peer_port <= port,
            8: kind == 8 and host_matches(code[at + 4 : at + yes], connection.peer),
        }[kind]
        at += yes if holds else no
    return at == len(code)


def host_matches(operand: bytes, peer: bytes) -> bool:
    """The comparison of an address with a hostcond."""
    family, length, port = struct.unpack_from("=BBxxi", operand)
    assert port == -1
    base = ip_address(operand[8:])
    assert base.version == (4 if family == socket.AF_INET else 6)
    return ip_address(peer) in ip_network(f"{base}/{length}")


@given(
    RANGES,
    st.booleans(),
    st.booleans(),
    st.none() | st.tuples(ADDRESS, st.integers(0, 128)),
    ADDRESS,
    PORT,
    PORT,
)
def test_the_kernels_filter_means_what_we_mean(
    ports: tuple[Range, ...],
    incoming: bool,
    outgoing: bool,
    peers: tuple[bytes, int] | None,
    peer: bytes,
    local: int,
    remote: int,
) -> None:
    """The bytecode, run as the kernel runs it, agrees with `chosen` on every connection."""
    network = None
    if peers is not None:
        base = ip_address(peers[0])
        network = ip_network((base, min(peers[1], base.max_prefixlen)), strict=False)
    wanted = Wanted(ports, incoming or not outgoing, outgoing, network)
    connection = Connection(b"\n\0\0\1", local, peer, remote)
    assert run(selection(wanted), connection) == chosen(connection, wanted)


def test_everything_wanted_needs_no_filter() -> None:
    """No port, no peer: no bytecode."""
    assert selection(Wanted()) == b""
    assert len(question(socket.AF_INET, Wanted(), info=False)) == HEADER.size + 56


def test_question() -> None:
    """family, protocol, extension INFO, states ESTABLISHED, then the filter."""
    asked = question(socket.AF_INET6, SSH, info=True)
    assert struct.unpack_from("=BBBBI", asked, HEADER.size) == (socket.AF_INET6, socket.IPPROTO_TCP, 2, 0, 2)
    assert bytes(attributes(asked[HEADER.size + 56 :])[1]) == selection(SSH)


def test_a_recorded_answer() -> None:
    """Addresses, ports and cookie of a real one."""
    assert parse(ANSWER) == Connection(b"\x7f\0\0\1", 40727, b"\x7f\0\0\1", 38750, b"\1" + bytes(7))


def test_bytes_and_quiet_of_tcp_info() -> None:
    """Acknowledged and received together; the shorter of the two silences."""
    info = bytearray(232)
    struct.pack_into("=QQ", info, 120, 1000, 234)
    struct.pack_into("=I", info, 44, 5000)
    struct.pack_into("=I", info, 52, 1500)
    found = parse(ANSWER + attribute(2, bytes(info)))
    assert (found.moved, found.quiet) == (1234, 1.5)
    assert parse(ANSWER + attribute(2, bytes(info[:104]))).moved is None, "kernels before 4.2"


def test_mapped_addresses_become_ipv4() -> None:
    """A dual-stack service's IPv4 peers are IPv4 peers."""
    six = bytearray(ANSWER)
    six[0] = socket.AF_INET6
    six[8:24] = six[24:40] = bytes(10) + b"\xff\xff\x0a\0\0\7"
    assert parse(bytes(six)).peer == b"\x0a\0\0\7"


@given(st.binary(max_size=400))
def test_any_answer_is_parsed_or_malformed(data: bytes) -> None:
    """Garbage raises nothing else."""
    for tail in (data, ANSWER + data):
        try:
            parse(tail)
        except MalformedError:
            pass


def test_proc_net_tcp() -> None:
    """The same choice from the text, for containers."""
    assert [str(ip_address(one.peer)) for one in parse_proc(PROC, SSH)] == ["10.0.0.7", "127.0.0.1"]
    assert [str(ip_address(one.peer)) for one in parse_proc(PROC, Wanted(SSH.ports, loopback=False))] == [
        "10.0.0.7"
    ]
    outgoing = list(parse_proc(PROC, Wanted(SSH.ports, incoming=False, outgoing=True)))
    assert [(one.local_port, one.peer_port) for one in outgoing] == [(0xCA13, 22)]
    assert [str(ip_address(one.peer)) for one in parse_proc(PROC6, SSH)] == ["10.0.0.8", "2001:db8::2"]


@pytest.mark.parametrize(
    "line", ["", "x", "0: zz:0016 00000000:0000 01", "0: 0:0016 0:0 01", "0: 0A00000A:zz 0700000A:1 01"]
)
def test_proc_lines_of_another_form_are_passed_over(line: str) -> None:
    """They neither count nor fail."""
    assert list(parse_proc("head\n" + line, SSH)) == []


@given(st.text(max_size=300))
def test_any_text_is_parsed(text: str) -> None:
    """Garbage in /proc/net/tcp raises nothing."""
    list(parse_proc("head\n" + text, SSH))


def test_own_connections() -> None:
    """Loopback addresses, and one address at both ends."""

    def both(local: str, peer: str) -> bool:
        return sock_diag.is_own(Connection(ip_address(local).packed, 1, ip_address(peer).packed, 2))

    assert both("127.0.0.1", "127.0.0.53")
    assert both("::1", "::1")
    assert both("10.0.0.1", "10.0.0.1")
    assert not both("10.0.0.1", "10.0.0.127")
    assert not both("2001:db8::1", "2001:db8::2")


def test_a_live_loopback_connection_is_found() -> None:
    """The kernel answers an ordinary user too, IPv4 and IPv6 in one look."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as caller,
    ):
        port = server.getsockname()[1]
        accepted, _ = server.accept()
        with accepted:
            caller.sendall(b"x" * 1000)
            accepted.recv(1000)
            wanted = Wanted(((port, port),))
            assert [one.peer_port for one in sock_diag.established(wanted)] == [caller.getsockname()[1]]
            assert [one.moved for one in sock_diag.established(wanted, info=True)] == [1000]
            assert sock_diag.established(Wanted(wanted.ports, loopback=False)) == []
            assert sock_diag.established(Wanted(wanted.ports, peers=ip_network("10.0.0.0/8"))) == []
            assert len(sock_diag.established(Wanted(wanted.ports, peers=ip_network("127.0.0.0/8")))) == 1
    assert sock_diag.refusal() == ""
