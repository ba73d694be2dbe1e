"""TCP connections heard from the live kernel: by raw tracepoint, across network namespaces, at ten thousand sockets."""

from __future__ import annotations

import os
import resource
import socket
import time
from contextlib import ExitStack
from ipaddress import ip_network

import pytest

from networks import Scene, connection, in_new_network, neighbour, scene, server
from powernap.host import netns, sock_diag, tcp_events
from powernap.host.sock_diag import Wanted
from powernap.host.tcp_events import Watch
from powernap.host.tcp_program import Opened, record
from powernap.monitors import tcp
from powernap.monitors.tcp import Options

pytestmark = pytest.mark.root


def touch(listener: socket.socket) -> None:
    """A connection that ends at once."""
    with connection(listener):
        pass


def test_fifty_of_fifty_short_connections_are_noticed() -> None:
    """Each is told, though it is over before anybody could look."""
    with scene() as live, server() as (listener, port):
        monitor = tcp.open(live.context(), Options(port=port))
        assert (monitor.events, monitor.source) == (True, "raw tracepoint, sock_diag")
        for count in range(1, 51):
            touch(listener)
            assert live.hears(count)
            closed = monitor.check(live.now())
            assert not closed.active
            assert closed.last == pytest.approx(live.now(), abs=0.2)
        monitor.close()
    assert live.told[0].reason == f"a connection to port {port}, from 127.0.0.1"
    assert not tcp_events.shared


def test_deaf_costs_no_wakeup_and_forgets_nothing() -> None:
    """A thousand connections after the first one wake nobody; the next look knows when the last of them closed."""
    with scene() as live, server() as (listener, port):
        monitor = tcp.open(live.context(), Options(port=port))
        touch(listener)
        assert live.hears(1)
        before = live.ears.wakeups
        for _ in range(1000):
            touch(listener)
        ended = live.now()
        live.ears.run(0.05)
        assert (live.ears.wakeups, len(live.told)) == (before, 1)
        seen = monitor.check(live.now() + 100)
        assert seen.last == pytest.approx(ended, abs=0.05)
        touch(listener)
        assert live.hears(2), "armed again by the look"
        monitor.close()


def test_what_is_not_watched_wakes_nobody() -> None:
    """Other ports, the other side, other peers, loopback when it is not wanted, another namespace."""
    with scene() as live, server() as (listener, port), neighbour(port) as other:
        options = [
            Options(port=port % 65535 + 1),
            Options(port=port, address="10.0.0.0/8"),
            Options(port=port, address="::/1", ports=("1",)),
            Options(port=port, loopback=False),
        ]
        monitors = [tcp.open(live.context(str(number)), one) for number, one in enumerate(options)]
        before = live.ears.wakeups
        touch(listener)
        live.ears.run(0.02)
        assert (live.told, live.ears.wakeups) == ([], before)
        mine = tcp.open(live.context("own"), Options(port=port))
        other.connect()
        live.ears.run(0.02)
        assert (live.told, mine.check(live.now()).last) == ([], None)
        for monitor in [*monitors, mine]:
            monitor.close()


def watching(live: Scene, told: list[tuple[str, Opened]], name: str, wanted: Wanted) -> Watch:
    """An armed watch that notes what it hears under a name."""
    watch = tcp_events.tcp_events(live.host).watch(wanted, lambda opened: told.append((name, opened)))
    watch.arm()
    return watch


@pytest.mark.parametrize(("family", "loopback"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
@in_new_network  # no other traffic meets the ranges
def test_one_program_serves_every_watch(family: int, loopback: str) -> None:
    """Side, prefix and range are decided in the kernel, for both address families, each watch by itself."""
    told: list[tuple[str, Opened]] = []
    with scene() as live, socket.create_server((loopback, 0), family=family) as listener:
        port = listener.getsockname()[1]
        around = ((1, 2), (port - 1, port))
        version = ip_network(loopback).version
        near, far = ("127.0.0.0/9", "127.128.0.0/9") if version == 4 else ("::/127", "8000::/1")
        watches = [
            watching(live, told, "in", Wanted(around)),
            watching(live, told, "out", Wanted(around, incoming=False, outgoing=True)),
            watching(live, told, "any", Wanted(around, outgoing=True)),
            watching(live, told, "near", Wanted(around, peers=ip_network(near))),
            watching(live, told, "far", Wanted(around, peers=ip_network(far))),
            watching(live, told, "above", Wanted(((port + 1, 65535),), outgoing=False)),
            watching(live, told, "apart", Wanted(around, outgoing=True, loopback=False)),
        ]
        with connection(listener) as (caller, _):
            ours = caller.getsockname()[1]
        live.ears.run(0.02)
        expected = {"in", "out", "any", "near"} | ({"above"} if ours > port else set())
        assert {name for name, _ in told} == expected
        assert dict(told)["out"].peer == socket.inet_pton(family, loopback)
        assert (dict(told)["in"].local_port, dict(told)["in"].peer_port) == (port, ours)
        seen = watches[2].seen()
        assert (seen.count, seen.closed is not None) == (2, True), "any: both ends of it"
        for watch in watches:
            watch.close()
    assert not tcp_events.shared


def test_a_dual_stack_services_ipv4_peers_are_ipv4_peers() -> None:
    """v4-mapped addresses match an IPv4 network and count as loopback."""
    told: list[tuple[str, Opened]] = []
    with (
        scene() as live,
        socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener,
    ):
        port = listener.getsockname()[1]
        watches = [
            watching(live, told, "net", Wanted(((port, port),), peers=ip_network("127.0.0.0/8"))),
            watching(live, told, "apart", Wanted(((port, port),), loopback=False)),
            watching(live, told, "six", Wanted(((port, port),), peers=ip_network("::/0"))),
        ]
        with socket.create_connection(("127.0.0.1", port)), listener.accept()[0]:
            live.ears.run(1, lambda: told)
            assert sock_diag.established(watches[2].wanted) == sock_diag.established(watches[1].wanted) == []
            assert len(sock_diag.established(watches[0].wanted)) == 1
        assert [(name, opened.peer) for name, opened in told] == [("net", b"\x7f\0\0\1")]
        for watch in watches:
            watch.close()


def test_connections_inside_containers() -> None:
    """With `namespaces = "all"` they are heard, listed and named; with "own" they are not."""
    with scene() as live, neighbour(21022) as other:
        everywhere = tcp.open(live.context(), Options(port=21022, namespaces="all"))
        own = tcp.open(live.context(), Options(port=21022))
        assert not everywhere.check(live.now()).active
        other.connect()
        assert live.hears(1)
        found = everywhere.check(live.now())
        assert (found.active, found.measured) == (True, 1)
        assert found.reason.startswith("1 connection to port 21022, from 127.0.0.1 (in the network of python")
        assert f"process {other.process.pid})" in found.reason
        assert not own.check(live.now()).active
        everywhere.close()
        own.close()


def test_visiting_changes_no_thread_but_its_own() -> None:
    """After the visit this thread is where it was."""
    before = netns.own()
    with neighbour(21023) as other:
        places = [place for place in netns.others() if f"process {other.process.pid}" in place.label]
        assert len(places) == 1
        assert netns.visit(places, netns.own) == [(places[0], places[0].inode)]
    assert netns.own() == before


def test_with_events_an_idle_connections_instants_are_exact() -> None:
    """Opening and closing count, also unseen; standing idle does not."""
    with scene() as live, server() as (listener, port):
        monitor = tcp.open(live.context(), Options(port=port, idle_bytes=100.0))
        assert not monitor.events, "bytes on a standing connection tell nobody"
        with connection(listener):
            assert live.hears(1)
            opened = live.now()
            assert not live.told[0].active
            assert monitor.check(live.now()).last == pytest.approx(opened, abs=0.2)
            assert monitor.check(live.now() + 60).last == pytest.approx(opened, abs=0.2)
        assert monitor.check(live.now() + 120).last == pytest.approx(live.now(), abs=0.2)
        monitor.close()


def test_descriptors_are_given_back() -> None:
    """Opening and closing monitors leaves the table of descriptors as it was."""

    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    with scene() as live:
        before = descriptors()
        monitors = [tcp.open(live.context(), Options(port=port)) for port in (1, 2)]
        assert descriptors() > before
        for monitor in monitors:
            monitor.check(live.now())
            monitor.close()
            monitor.close()
        assert descriptors() == before


def test_a_record_of_another_size_is_refused() -> None:
    """What the program did not write is not parsed."""
    with pytest.raises(ValueError, match="3 bytes"):
        record(b"abc")


@pytest.mark.alone
def test_ten_thousand_sockets() -> None:
    """Those on other ports cost a look less than a quarter of listing them all; a connection on ours is still found."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 12000:
        pytest.skip("needs 12,000 descriptors")
    with ExitStack() as kept, server() as (listener, port), server() as (crowded, crowd_port):
        kept.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 12000), hard))
        kept.enter_context(connection(listener))
        for _ in range(5000):
            kept.enter_context(connection(crowded))
        costs = {}
        for name, wanted in {
            "one": Wanted(((port, port),)),
            "all": Wanted(((crowd_port, crowd_port),), outgoing=True),
        }.items():
            started = time.process_time()
            for _ in range(5):
                found = sock_diag.established(wanted)
            costs[name] = (time.process_time() - started) / 5
            assert len(found) == {"one": 1, "all": 10000}[name]
    print(costs)
    assert costs["one"] < costs["all"] / 4
