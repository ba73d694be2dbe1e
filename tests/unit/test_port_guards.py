"""Which network ports are left alone, and why."""

from __future__ import annotations

import pytest

from fakekernel import laptop_like
from fakeplatform import add_port
from powernap.host.port_guards import ports, refusal

NET = "/sys/class/net"
CARD = "/sys/devices/pci0000:00/0000:00:1a.0"


@pytest.fixture
def machine(tmp_path):
    """eth0 carries the default route; eth1 is free."""
    kernel = laptop_like(tmp_path / "machine")
    add_port(kernel, "eth0", bus="0000:00:19.0")
    add_port(kernel, "eth1", bus="0000:00:1a.0")
    kernel.add(
        "/proc/net/route",
        "Iface Destination Gateway Flags RefCnt Use Metric Mask\neth0 00000000 0100A8C0 0003 0 0 0 00000000 0 0 0",
    )
    return kernel


def test_a_free_port(machine):
    """Nothing is said against it."""
    assert refusal(machine, "eth1", ()) == ""


def test_the_way_back_is_left_alone(machine):
    """The default route, and what is armed to wake; no `despite` passes over it."""
    assert refusal(machine, "eth0", ()) == "eth0 carries the default route: the way back is left alone"
    add_port(machine, "eth2", wake="pumbg", armed="g", bus="0000:00:1b.0")
    assert "eth2 is armed to wake this machine" in refusal(
        machine, "eth2", ("member", "sr-iov", "network-storage")
    )


def test_a_port_that_could_wake(machine):
    """One that is able and not armed stays too, but by a guard that can be passed over: nearly every card is able."""
    add_port(machine, "eth2", wake="pumbg", bus="0000:00:1b.0")
    assert refusal(machine, "eth2", ()) == 'eth2 can be armed to wake this machine (guard "can-wake")'
    assert refusal(machine, "eth2", ("can-wake",)) == ""
    machine.add("/sys/devices/pci0000:00/0000:00:19.0/power/wakeup", "disabled")
    assert (
        refusal(machine, "eth0", ("can-wake",))
        == "eth0 carries the default route: the way back is left alone"
    )
    add_port(machine, "eth3", wake="pumbg", armed="g", bus="0000:00:1c.0")
    assert (
        refusal(machine, "eth3", ("can-wake",))
        == "eth3 is armed to wake this machine: the way back is left alone"
    )


def bond(kernel):
    """Of a bond."""
    kernel.add("/sys/devices/virtual/net/bond0/uevent", "INTERFACE=bond0")
    kernel.link(f"{CARD}/net/eth1/master", "/sys/devices/virtual/net/bond0")


def virtual_functions(kernel):
    """Four of them."""
    kernel.add(f"{CARD}/sriov_numvfs", "4")


def a_virtual_function(kernel):
    """Of another card."""
    kernel.link(f"{CARD}/physfn", "/sys/devices/pci0000:00/0000:00:19.0")


def iscsi(kernel):
    """One session."""
    kernel.add("/sys/class/iscsi_session/session1/state", "LOGGED_IN")


def nfs(kernel):
    """A mount."""
    kernel.add("/proc/mounts", "nas:/home /home nfs4 rw 0 0")


@pytest.mark.parametrize(
    ("spoil", "guard", "evidence"),
    [
        (bond, "member", "eth1 is a member of bond0"),
        (virtual_functions, "sr-iov", "eth1 has virtual functions"),
        (a_virtual_function, "sr-iov", "eth1 is a virtual function of another port"),
        (iscsi, "network-storage", "iSCSI is in use"),
        (nfs, "network-storage", "a nfs4 file system is mounted"),
    ],
)
def test_guards(machine, spoil, guard, evidence):
    """Each says its evidence and its name, and can be passed over by it."""
    spoil(machine)
    assert refusal(machine, "eth1", ()).startswith(evidence)
    assert f'"{guard}"' in refusal(machine, "eth1", ())
    assert refusal(machine, "eth1", (guard,)) == ""


def test_ports_with_a_link(machine):
    """Up, wired and connected; of those that were chosen."""
    add_port(machine, "eth2", carrier="0", bus="0000:00:1b.0")
    add_port(machine, "eth3", bus="0000:00:1c.0")
    add_port(machine, "wlan0", bus="0000:00:1d.0")
    machine.add("/sys/devices/pci0000:00/0000:00:1c.0/net/eth3/flags", "0x1002")
    machine.add("/sys/devices/pci0000:00/0000:00:1d.0/net/wlan0/wireless/status", "0")
    machine.add(f"{NET}/lo/flags", "0x9")
    assert ports(machine) == ["eth0", "eth1"]
    assert ports(machine, ("eth1", "eth9")) == ["eth1"]


def test_a_port_with_strange_flags(machine):
    """What cannot be told to be up is left alone."""
    machine.add(f"{CARD}/net/eth1/flags", "up")
    assert ports(machine) == ["eth0"]
