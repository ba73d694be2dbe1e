"""TCP connections, of a recorded machine and of the live one without events."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from networks import Scene, connection, scene, server
from powernap.config.load import build
from powernap.config.problems import ConfigErrors
from powernap.host.availability import UnavailableError
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.monitors import Context, tcp
from powernap.monitors.tcp import Options

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue\n"
LAN = "   1: 0A00000A:0016 0700000A:CA12 01 0:0 0:0\n   2: 0A00000A:0016 0900000A:CA13 01 0:0 0:0\n"
OWN = "   3: 0100007F:0016 0100007F:CA13 01 0:0 0:0\n"


def recorded(root: Path, content: str) -> Host:
    """A machine with these lines in /proc/net/tcp."""
    (root / "proc/net").mkdir(parents=True, exist_ok=True)
    (root / "proc/net/tcp").write_text(HEAD + content)
    return Host(TreeFiles(str(root)), live=False)


def open_recorded(host: Host, options: Options) -> tcp.TcpMonitor:
    """A monitor of it."""
    return tcp.open(Context("ssh", host, lambda _: None), options)


def deaf(scene: Scene) -> Context:
    """A live kernel, but nobody listens: what an ordinary user gets."""
    return Context("ssh", Host(scene.host.files), scene.told.append)


def test_connections_hold_and_are_named(tmp_path: Path) -> None:
    """Count, port and addresses."""
    found = open_recorded(recorded(tmp_path, LAN), Options(port=22)).check(100.0)
    assert (found.active, found.told, found.last, found.since, found.measured) == (
        True,
        False,
        100.0,
        100.0,
        2,
    )
    assert found.reason == "2 connections to port 22, from 10.0.0.7, 10.0.0.9"
    assert found.who == ("10.0.0.7", "10.0.0.9")


def test_only_some_peers(tmp_path: Path) -> None:
    """A network, an address, or nobody but others."""
    host = recorded(tmp_path, LAN + OWN)
    reasons = [
        open_recorded(host, options).check(1.0).reason
        for options in (
            Options(port=22, address="10.0.0.8/30"),
            Options(port=22, address="10.0.0.7"),
            Options(port=22, loopback=False, ports=("80-90",)),
            Options(address="127.0.0.0/8"),
            Options(port=22, address="10.1.0.0/16"),
        )
    ]
    assert reasons == [
        "1 connection to port 22, from 10.0.0.9",
        "1 connection to port 22, from 10.0.0.7",
        "2 connections to ports 22, 80-90, from 10.0.0.7, 10.0.0.9",
        "1 connection to any port, from 127.0.0.1",
        "no connection to port 22",
    ]


def test_many_peers_are_counted(tmp_path: Path) -> None:
    """A reason stays a sentence."""
    lines = "".join(f"  1: 0A00000A:0016 {n:02X}00000A:CA12 01 0:0 0:0\n" for n in range(20, 29))
    found = open_recorded(recorded(tmp_path, lines), Options(port=22)).check(1.0)
    assert found.reason.endswith("from 10.0.0.20, 10.0.0.21, 10.0.0.22, 10.0.0.23, 10.0.0.24 and 4 more")
    assert len(found.who) == 9


def test_without_events_a_hold_ends_when_that_is_seen(tmp_path: Path) -> None:
    """Nobody can say when it ended: the instant of the look, once, and not again later."""
    monitor = open_recorded(recorded(tmp_path, LAN), Options(port=22))
    monitor.check(100.0)
    recorded(tmp_path, "")
    assert (monitor.check(200.0).active, monitor.check(300.0).last) == (False, 200.0)
    assert not monitor.events
    assert monitor.source == "/proc/net/tcp at each look"


def test_without_byte_counts_a_connection_is_not_called_idle(tmp_path: Path) -> None:
    """Text tells no bytes: awake when unsure."""
    monitor = open_recorded(recorded(tmp_path, LAN), Options(port=22, idle_bytes=100.0))
    assert [monitor.check(at).last for at in (100.0, 200.0)] == [100.0, 200.0]


def test_without_a_port_or_an_address_the_configuration_is_refused() -> None:
    """It would keep the machine awake for ever."""
    with pytest.raises(ConfigErrors) as caught:
        build([("f.toml", '[monitor.ssh]\ntype = "tcp"\nloopback = false\n')])
    said = 'f.toml:1: monitor "ssh" (type tcp): every connection of the machine would count; write `port = 22`, or an `address`'
    assert said in str(caught.value)
    for way in ("port = 22", 'ports = ["80-90"]', 'address = "10.0.0.0/8"'):
        assert "ssh" in build([("f.toml", f'[monitor.ssh]\ntype = "tcp"\n{way}\n')]).monitors


def test_probe(tmp_path: Path) -> None:
    """Nothing, a recorded machine, a live one."""
    assert tcp.probe(recorded(tmp_path, ""), Options(port=22)).detail == "/proc/net/tcp, port 22"
    assert tcp.probe(Host(), Options(port=22)).detail == "sock_diag, port 22"
    bare = Host(TreeFiles(str(tmp_path / "nothing")), live=False)
    with pytest.raises(UnavailableError, match="neither sock_diag nor"):
        open_recorded(bare, Options(port=22))
    assert "containers" in tcp.probe(recorded(tmp_path, ""), Options(port=22, namespaces="all")).detail
    assert tcp.wrong_network("10.0.0.0/8") is None
    assert "10.0.0.0/8" in (tcp.wrong_network("lan") or "")


def test_sock_diag_at_each_look() -> None:
    """The live kernel, for an ordinary user: as it is now, in either direction."""
    with scene() as live, server() as (listener, port), connection(listener) as (caller, _):
        into = tcp.open(deaf(live), Options(port=port))
        out = tcp.open(deaf(live), Options(port=port, direction="out"))
        away = tcp.open(deaf(live), Options(port=caller.getsockname()[1]))
        assert into.source == "sock_diag at each look"
        assert into.check(1.0).reason == f"1 connection to port {port}, from 127.0.0.1"
        assert out.check(1.0).reason == f"1 connection to port {port}, at 127.0.0.1"
        assert away.check(1.0).active, "the caller's own port is a local port too"
        for monitor in (into, out, away):
            monitor.close()


def test_an_idle_connection_does_not_hold() -> None:
    """With `idle_bytes` a connection counts when it opens and while it moves enough; `last` is when its last byte moved."""
    with scene() as live, server() as (listener, port), connection(listener) as (caller, accepted):
        monitor = tcp.open(deaf(live), Options(port=port, idle_bytes=100.0))
        now = live.now()
        first = monitor.check(now)
        assert not first.active
        assert first.last == pytest.approx(now, abs=0.5), "it is new"
        idle = monitor.check(now + 10)
        assert (idle.last, idle.who) == (first.last, ())
        assert idle.reason == f"1 connection to port {port}, idle (each under 100B/s)"
        caller.sendall(b"x" * 999)
        accepted.recv(1000, socket.MSG_WAITALL | socket.MSG_DONTWAIT)
        assert monitor.check(now + 20).last == first.last, "99.9 B/s"
        caller.sendall(b"x" * 1000)
        accepted.recv(1000)
        busy = monitor.check(now + 30)
        assert busy.last == pytest.approx(now + 30, abs=0.5)
        assert (busy.measured, busy.limit) == (100.0, 100.0)
        assert (
            busy.reason == f"1 connection to port {port}, from 127.0.0.1, moved up to 100B/s (limit 100B/s)"
        )
        assert monitor.check(now + 30.5).reason == busy.reason, "too soon for another verdict"
        assert not monitor.events
        monitor.close()


def test_a_connection_that_ended_between_looks_was_activity() -> None:
    """Nobody can say how much it moved: awake when unsure."""
    with scene() as live, server() as (listener, port):
        monitor = tcp.open(deaf(live), Options(port=port, idle_bytes=100.0))
        now = live.now()
        with connection(listener):
            monitor.check(now)
        gone = monitor.check(now + 50)
        assert (gone.last, gone.reason) == (now + 50, f"no connection to port {port}")
        assert monitor.check(now + 99).last == now + 50
        monitor.close()
