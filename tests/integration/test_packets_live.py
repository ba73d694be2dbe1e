"""Datagrams and magic packets heard from the live kernel, in network namespaces of the test's own."""

from __future__ import annotations

import socket
import struct
import subprocess
from pathlib import Path

import pytest

from networks import Scene, in_new_network, scene
from powernap.host.availability import UnavailableError
from powernap.host.host import Host
from powernap.monitors import magic_packet, udp

pytestmark = pytest.mark.root

MAC = bytes.fromhex("0200000000aa")
MAGIC = b"\xff" * 6 + MAC * 16
UDP = udp.Options
SECRET = "00:11:22:33:44:55"


def send(count: int = 1, port: int = 5000, data: bytes = b"x") -> None:
    """Datagrams over the loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(count):
            sender.sendto(data, ("127.0.0.1", port))


@in_new_network
def test_fifty_of_fifty_datagrams_are_noticed() -> None:
    """Without a port taken from anybody."""
    with scene() as live, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as service:
        monitor = udp.open(live.context(), UDP(port=5000))
        service.bind(("127.0.0.1", 5000))
        for count in range(1, 51):
            send()
            assert live.hears(count)
            monitor.check(live.now())
        monitor.close()
        assert service.recv(100) == b"x"
    assert live.told[0].reason == "1 datagram to port 5000, the latest from 127.0.0.1"
    assert live.told[0].last == pytest.approx(live.told[0].at, abs=0.05)


@in_new_network
def test_deaf_costs_no_wakeup_and_forgets_nothing() -> None:
    """A thousand datagrams after the first wake nobody; the next look knows that they came."""
    with scene() as live:
        monitor = udp.open(live.context(), UDP(port=5000))
        send()
        assert live.hears(1)
        before = live.ears.wakeups
        send(3)
        came = live.now()
        live.ears.run(0.05)
        assert live.ears.wakeups == before
        few = monitor.check(live.now() + 100)
        assert few.last == pytest.approx(came, abs=0.04)
        assert few.reason == "3 datagrams to port 5000, the latest from 127.0.0.1"
        send()
        assert live.hears(2)
        send(1000)
        many = monitor.check(live.now() + 200)
        assert (many.last, live.ears.wakeups) == (many.at, before + 1), (
            "more than the queue holds: taken to be now"
        )
        assert many.reason.startswith("1000 datagrams")
        assert monitor.check(live.now() + 300).last == many.last
        monitor.close()


@in_new_network
def test_what_is_not_wanted_wakes_nobody() -> None:
    """Another port, another direction, loopback when it is not wanted."""
    with scene() as live:
        monitors = [
            udp.open(live.context(), one)
            for one in (UDP(port=5001), UDP(port=5000, loopback=False), UDP(ports=("1-4999",)))
        ]
        out = udp.open(live.context("out"), UDP(port=5000, direction="out"))
        any_way = udp.open(live.context("any"), UDP(port=5000, direction="any"))
        send()
        assert live.hears(2)
        assert not live.ears.run(0.02, lambda: len(live.told) > 2)
        assert {told.monitor for told in live.told} == {"out", "any"}
        assert live.told[0].reason.endswith("from 127.0.0.1 to 127.0.0.1")
        for monitor in [*monitors, out, any_way]:
            monitor.close()


@in_new_network
def test_a_rate_of_datagrams() -> None:
    """With `above` nothing is told; more than that many a minute are a pulse."""
    with scene() as live:
        monitor = udp.open(live.context(), UDP(port=5000, above=5))
        assert not monitor.events
        start = live.now()
        send(5)
        assert not live.ears.run(0.02, lambda: live.told)
        assert monitor.check(start + 30).last is None
        send(1)
        assert monitor.check(start + 31).last is not None, "six within a minute"
        last = monitor.check(start + 200).last
        send(10)
        assert monitor.check(start + 330).last == last, "ten in nearly two minutes"
        monitor.close()


def interfaces(root: Path, name: str = "veth1", mac: bytes = MAC) -> None:
    """A machine whose only interface has this address."""
    folder = root / "sys/class/net" / name
    folder.mkdir(parents=True)
    (folder / "address").write_text(mac.hex(":") + "\n")


def veth() -> socket.socket:
    """A pair of interfaces in this namespace; what is sent through the returned socket arrives on the other end."""
    subprocess.run(
        ["ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth1", "address", MAC.hex(":")],
        check=True,
    )
    for name in ("veth0", "veth1"):
        subprocess.run(["ip", "link", "set", name, "up"], check=True)
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sender.bind(("veth0", 0))
    return sender


def ethernet(protocol: int, payload: bytes, target: bytes = b"\xff" * 6) -> bytes:
    """A frame, broadcast unless said otherwise."""
    return target + b"\2\0\0\0\0\xbb" + struct.pack(">H", protocol) + payload


def ip4(payload: bytes, port: int) -> bytes:
    """A UDP datagram in an Ethernet frame."""
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), 1, 0, 64, 17, 0, b"\n\0\0\7", b"\xff" * 4)
    return ethernet(0x0800, head + struct.pack(">HHHH", 40000, port, 8 + len(payload), 0) + payload)


def ip6(payload: bytes, port: int) -> bytes:
    """The same over IPv6."""
    head = struct.pack(
        ">IHBB16s16s",
        6 << 28,
        8 + len(payload),
        17,
        64,
        b"\xfe\x80" + bytes(13) + b"\7",
        b"\xff\2" + bytes(13) + b"\1",
    )
    return ethernet(0x86DD, head + struct.pack(">HHHH", 40000, port, 8 + len(payload), 0) + payload)


KINDS = {
    "EtherType 0x0842, broadcast": ethernet(0x0842, MAGIC),
    "EtherType 0x0842, unicast": ethernet(0x0842, MAGIC, MAC),
    "EtherType 0x0842, with password": ethernet(0x0842, MAGIC + b"secret"),
    "in a VLAN": ethernet(0x8100, b"\0\1\x08\x42" + MAGIC),
    "UDP 9": ip4(MAGIC, 9),
    "UDP 7, padded": ip4(b"padding" + MAGIC + b"tail", 7),
    "UDP 0": ip4(MAGIC, 0),
    "UDP any port": ip4(MAGIC, 40009),
    "IPv6 UDP 9": ip6(MAGIC, 9),
    "IPv6 UDP any port": ip6(MAGIC, 40009),
}


@in_new_network
def test_magic_packets_of_each_kind(tmp_path: Path) -> None:
    """Each is heard over a pair of interfaces, whatever its form."""
    interfaces(tmp_path)
    with veth() as wire, scene(str(tmp_path)) as live:
        monitor = magic_packet.open(live.context(), magic_packet.Options())
        for count, (kind, frame) in enumerate(KINDS.items(), 1):
            wire.send(frame)
            assert live.hears(count), kind
            reading = monitor.check(live.now())
            assert not reading.active, kind
            assert reading.last == pytest.approx(live.now(), abs=0.2), kind
            assert reading.reason.startswith("magic packet for veth1"), kind
        monitor.close()
    assert live.told[4].reason == "magic packet for veth1, from 10.0.0.7 to port 9"


@in_new_network
def test_ten_thousand_packets_of_others_and_garbage_wake_nobody(tmp_path: Path) -> None:
    """Garbage wakes nobody; magic packets for others wake at most a hundred times a second and are never told; a real one still is."""
    interfaces(tmp_path)
    other = b"\xff" * 6 + b"\2\0\0\0\0\xcc" * 16
    with veth() as wire, scene(str(tmp_path)) as live:
        monitor = magic_packet.open(live.context(), magic_packet.Options())
        for number in range(9000):
            wire.send(ip4(number.to_bytes(2, "big") * 70, 1000 + number % 7000))
        assert not live.ears.run(0.05, lambda: live.ears.wakeups)
        for _ in range(300):
            wire.send(ip4(other, 9))
            live.ears.run(0)
        assert live.told == []
        assert live.ears.wakeups <= magic_packet.PATIENCE + 2
        monitor.check(live.now())
        live.told.clear()
        wire.send(ip4(MAGIC, 9))
        assert live.hears(1)
        monitor.close()


@in_new_network
def test_a_flood_that_the_queue_cannot_hold_keeps_awake(tmp_path: Path) -> None:
    """There may have been a packet for us among those lost: awake when unsure."""
    interfaces(tmp_path)
    other = b"\xff" * 6 + b"\2\0\0\0\0\xcc" * 16
    with veth() as wire, scene(str(tmp_path)) as live:
        monitor = magic_packet.open(live.context(), magic_packet.Options())
        for _ in range(2000):
            wire.send(ip4(other, 9))
        found = monitor.check(live.now() + 100)
        assert found.last == found.at
        assert "more than could be looked at" in found.reason
        monitor.close()


@in_new_network
def test_what_came_while_deaf_is_known(tmp_path: Path) -> None:
    """After the first packet nobody is woken; the next look finds the second, with the instant at which it came."""
    interfaces(tmp_path)
    with veth() as wire, scene(str(tmp_path)) as live:
        monitor = magic_packet.open(live.context(), magic_packet.Options())
        wire.send(KINDS["UDP 9"])
        assert live.hears(1)
        wire.send(KINDS["UDP 9"])
        came = live.now()
        assert not live.ears.run(0.05, lambda: len(live.told) > 1)
        assert monitor.check(live.now() + 60).last == pytest.approx(came, abs=0.04)
        monitor.close()


@in_new_network
def test_an_interface_that_came_later(tmp_path: Path) -> None:
    """Addresses are read anew before a packet is called strange."""
    (tmp_path / "sys/class/net").mkdir(parents=True)
    with veth() as wire, scene(str(tmp_path)) as live:
        monitor = magic_packet.open(live.context(), magic_packet.Options())
        interfaces(tmp_path)
        wire.send(KINDS["UDP 9"])
        assert monitor.check(live.now() + 2).reason == "magic packet for veth1, from 10.0.0.7 to port 9"
        monitor.close()


@in_new_network
def test_secureon(tmp_path: Path) -> None:
    """With a password, only packets that carry it count."""
    interfaces(tmp_path)
    (tmp_path / "password").write_text(SECRET + "\n")
    with veth() as wire, scene(str(tmp_path)) as live:
        monitor = magic_packet.open(live.context(), magic_packet.Options(password_file="/password"))
        wire.send(ethernet(0x0842, MAGIC))
        wire.send(ethernet(0x0842, MAGIC + b"wrong!"))
        assert not live.ears.run(0.05, lambda: live.told)
        wire.send(ethernet(0x0842, MAGIC + bytes.fromhex(SECRET.replace(":", ""))))
        assert live.hears(1)
        monitor.close()


@in_new_network
def test_without_ears_a_look_is_enough(tmp_path: Path) -> None:
    """Nothing listens, everything is found."""
    interfaces(tmp_path)
    with veth() as wire, scene(str(tmp_path)) as live:
        silent = Scene(live.ears, Host(live.host.files))
        magic = magic_packet.open(silent.context(), magic_packet.Options())
        datagrams = udp.open(silent.context(), UDP(port=9))
        wire.send(KINDS["UDP 9"])
        assert magic.check(live.now()).last == pytest.approx(live.now(), abs=0.2)
        assert datagrams.check(live.now()).who == ("10.0.0.7",)
        magic.close()
        datagrams.close()


@in_new_network
def test_a_closed_monitor_stays_closed(tmp_path: Path) -> None:
    """A rest after a flood does not open it again."""
    interfaces(tmp_path)
    with scene(str(tmp_path)) as live:
        monitor = magic_packet.open(live.context(), magic_packet.Options())
        monitor.close()
        monitor._ear.arm()
        assert live.ears.heard == {}


def test_recorded_machines_and_bad_passwords() -> None:
    """Both are said before anything is opened."""
    recorded = Host(live=False)
    with pytest.raises(UnavailableError, match="recorded machine"):
        udp.open(Scene(None, recorded).context(), UDP(port=5))  # type: ignore[arg-type]
    assert magic_packet.probe(recorded, magic_packet.Options()).detail == "recorded machine"
    assert "no port" in udp.probe(Host(), UDP()).detail
    assert (
        "SecureOn" in magic_packet.probe(Host(), magic_packet.Options(password_file="/proc/version")).detail
    )
