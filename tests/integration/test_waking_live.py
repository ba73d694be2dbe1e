"""Magic packets through this kernel's interfaces, and looks at machines that are not there: in network namespaces of the test's own."""

from __future__ import annotations

import asyncio
import socket
import subprocess

import pytest

from networks import in_new_network
from powernap.config.inventory import HostConfig, Target
from powernap.host import reach
from powernap.host.host import Host
from powernap.host.packets import magic_target
from powernap.wakeproxy.confirm import Looks
from powernap.wakers import Context, WakeError
from powernap.wakers.magic_packet import Options, probe, wake

pytestmark = pytest.mark.root

MAC = "52:54:00:12:34:56"
ADDRESS = bytes.fromhex("525400123456")
CONTEXT = Context(Host(), "web3", "10.0.0.3")


def asked(address: str, confirm: str, limit: float = 5.0) -> reach.Answer:
    """One look."""

    async def work() -> reach.Answer:
        return await Looks().look(HostConfig("web", Target(address, confirm), ()), limit)

    return asyncio.run(work())


def cable() -> None:
    """Two interfaces with a link, of which one has an address."""
    for command in (
        "link add one type veth peer name two",
        "link set one up",
        "link set two up",
        "address add 10.78.0.1/24 dev one",
    ):
        subprocess.run(["ip", *command.split()], check=True)


@in_new_network
def test_by_itself_it_leaves_through_every_interface_with_a_link() -> None:
    """Also one without an address; with `interface`, through that alone."""
    cable()
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)) as ear:
        ear.settimeout(5)
        assert "through one, two" == wake(CONTEXT, Options(MAC, ports=(9,)))
        came: list[tuple[str, bytes | None]] = []
        while len(came) < 2:
            packet, about = ear.recvfrom(2000)
            if about[2] != socket.PACKET_OUTGOING:
                came.append((about[0], magic_target(packet, frozenset({ADDRESS}))))
        assert [("one", ADDRESS), ("two", ADDRESS)] == sorted(came)
        assert "through two" == wake(CONTEXT, Options(MAC, interface="two", ports=(9,)))
        while ear.recvfrom(2000)[1][2] == socket.PACKET_OUTGOING:
            pass


@in_new_network
def test_where_some_ways_fail_the_others_are_gone() -> None:
    """And what failed is told; where all fail it is an error with a remedy."""
    cable()
    sent = wake(CONTEXT, Options(MAC, to=("10.78.0.255", "203.0.113.255")))
    assert "to 10.78.0.255 (not to 203.0.113.255: Network is unreachable)" == sent
    with pytest.raises(
        WakeError, match="no magic packet could be sent through none: No such device"
    ) as caught:
        wake(CONTEXT, Options(MAC, interface="none"))
    assert caught.value.remedy


@in_new_network
def test_without_a_link_there_is_no_way_out() -> None:
    """Told before it is needed, and when it is."""
    answer = probe(Host(), Options(MAC))
    assert (False, "no Ethernet interface of this machine has a link") == (bool(answer), answer.detail)
    with pytest.raises(WakeError, match="plug in its cable"):
        wake(CONTEXT, Options(MAC))
    cable()
    assert f"magic packets for {MAC} through one, two" == probe(Host(), Options(MAC)).detail


@in_new_network
def test_an_echo_comes_back() -> None:
    """IPv4 and IPv6; where the kernel lets nobody ask, that is said with what to do."""
    refused = asked("127.0.0.1", "ping")
    assert (reach.UNKNOWN, "ping of 127.0.0.1: not permitted") == (refused.state, refused.detail)
    assert "ping_group_range" in refused.remedy
    subprocess.run(["sysctl", "-qw", "net.ipv4.ping_group_range=0 2147483647"], check=True)
    assert reach.Answer(reach.UP, "ping of 127.0.0.1 is answered") == asked("127.0.0.1", "ping")
    assert reach.Answer(reach.UP, "ping of ::1 is answered") == asked("::1", "ping")


@in_new_network
def test_nobody_at_that_address() -> None:
    """In a segment of ours: it does not answer in time, or the kernel says that nobody has the address."""
    subprocess.run(["ip", "link", "add", "one", "type", "veth", "peer", "name", "two"], check=True)
    for command in ("address add 10.79.0.1/24 dev one", "link set one up", "link set two up"):
        subprocess.run(["ip", *command.split()], check=True)
    answer = asked("10.79.0.2", "tcp:22", 0.2)
    assert (reach.SILENT, "tcp:22 of 10.79.0.2 does not answer within 200ms") == (answer.state, answer.detail)
    patient = asked("10.79.0.2", "tcp:22", 20.0)
    assert (reach.SILENT, "tcp:22 of 10.79.0.2: No route to host") == (patient.state, patient.detail)


@in_new_network
def test_where_no_way_leads_it_cannot_be_told() -> None:
    """With a remedy: nothing is said of the machine."""
    answer = asked("203.0.113.1", "tcp:22")
    assert (reach.UNKNOWN, "tcp:22 of 203.0.113.1: Network is unreachable") == (answer.state, answer.detail)
    assert answer.remedy
    named = asked("no-such-machine.invalid", "tcp:22")
    assert reach.UNKNOWN == named.state
    assert "correct `address`" in named.remedy
