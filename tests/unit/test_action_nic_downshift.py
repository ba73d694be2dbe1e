"""nic-downshift lowers only what may be lowered, and puts back every mode that was offered."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakekernel import acpi_server, container, laptop_like, plain_vm
from fakeplatform import GIGABIT, add_port
from plans import host_of, ledger_of, napping, probe, remembered, written
from powernap.actions import find, nic_downshift
from powernap.actions.nic_downshift import COPPER, lowered
from powernap.host.ethtool import LinkModes

FASTER = 1 << 12 | 1 << 47 | 1 << 48  # 10, 2.5 and 5GBASE-T
STATE = "/.fake/ethtool/{}"


@pytest.fixture
def machine(tmp_path):
    """eth0 carries the default route; eth1 is a free port of 10 Gb/s."""
    kernel = laptop_like(tmp_path / "machine")
    add_port(kernel, "eth0", bus="0000:00:19.0")
    add_port(
        kernel,
        "eth1",
        bus="0000:00:1a.0",
        modes=GIGABIT | FASTER,
        peer=GIGABIT | FASTER,
        speed=10000,
        eee=(0x28, 0x28),
    )
    kernel.add(
        "/proc/net/route",
        "Iface Destination Gateway Flags RefCnt Use Metric Mask\neth0 00000000 0100A8C0 0003 0 0 0 00000000 0 0 0",
    )
    return kernel


@pytest.mark.parametrize("build", [laptop_like, acpi_server, plain_vm, container])
def test_without_ports(tmp_path, build):
    """Nothing to slow down."""
    assert (
        probe(build(tmp_path / "machine"), "nic-downshift").detail
        == "no network port has a link to slow down"
    )


@pytest.mark.parametrize(("speed", "left"), [(100, 0x60CF), (1000, 0x60EF), (2500, 0x60EF | 1 << 47)])
def test_slower_and_back(machine, speed, left):
    """Everything above goes; afterwards 2.5, 5 and 10 Gb/s are offered again."""
    before = machine.get(STATE.format("eth1"))
    with napping(machine, "nic-downshift", speed=speed) as entries:
        assert written(entries) == {"eth1": f"autoneg {left:#x}"}
        assert remembered(entries) == ["eth1"]
        assert f"from 10000 to {speed} Mb/s" not in probe(machine, "nic-downshift", speed=speed).detail
    assert machine.get(STATE.format("eth1")) == before


def test_the_probe_says_both(machine):
    """Which port slows down, and why the other does not."""
    answer = probe(machine, "nic-downshift")
    assert (
        answer.detail
        == "eth1 from 10000 to 100 Mb/s; eth0 carries the default route: the way back is left alone"
    )


def change(kernel, **what):
    """Another port in eth1's place."""
    kernel.delete("/sys/class/net/eth1")
    kernel.delete("/sys/devices/pci0000:00/0000:00:1a.0")
    add_port(kernel, "eth1", bus="0000:00:1a.0", **what)


@pytest.mark.parametrize(
    ("port", "detail"),
    [
        ({"modes": 1 << 10 | 1 << 12}, "eth1 is not plain copper"),
        ({"modes": GIGABIT | 1 << 17}, "eth1 is not plain copper"),
        ({"speed": 100}, "eth1 is at 100 Mb/s already"),
        ({"peer": 1 << 5}, "eth1 has no speed up to 100 Mb/s in common with the other end"),
    ],
)
def test_ports_that_stay(machine, port, detail):
    """Fibre, a mode we do not know, slow already, and a peer that cannot."""
    change(machine, **port)
    answer = probe(machine, "nic-downshift")
    assert not answer
    assert detail in answer.detail


def test_a_fixed_speed_stays(machine):
    """An admin has switched the negotiation off."""
    machine.put(STATE.format("eth1"), machine.get(STATE.format("eth1")).replace('"auto": 1', '"auto": 0'))
    assert "eth1 does not negotiate: somebody fixed its speed" in probe(machine, "nic-downshift").detail


def test_a_port_that_cannot_be_asked(machine):
    """A driver without the question."""
    machine.add(STATE.format("eth1"), "{}")
    assert "eth1 does not tell its modes (Operation not supported)" in probe(machine, "nic-downshift").detail


def test_a_driver_that_refuses(machine):
    """The others still pay: it is passed over, named, and as it was."""
    add_port(machine, "eth2", bus="0000:00:1b.0")
    machine.fail(STATE.format("eth1"), errno.EIO)
    before = machine.get(STATE.format("eth1"))
    module = find("nic-downshift")
    with ledger_of(machine) as ledger:
        done = ledger.perform("nic-downshift", "nap", module.plan(host_of(machine), module.Options()))
        assert (done.changed, [each.change.target for each in done.refused]) == (1, ["eth1"])
        ledger.restore()
    assert machine.get(STATE.format("eth1")) == before


def test_what_somebody_set_meanwhile_is_kept(machine):
    """An admin fixes the speed in the middle of the nap."""
    module = find("nic-downshift")
    with ledger_of(machine) as ledger:
        ledger.perform("nic-downshift", "nap", module.plan(host_of(machine), module.Options()))
        fixed = machine.get(STATE.format("eth1")).replace('"auto": 1', '"auto": 0')
        machine.put(STATE.format("eth1"), fixed)
        assert "foreign" in {each.outcome for each in ledger.restore()}
    assert machine.get(STATE.format("eth1")) == fixed


@given(st.integers(0, 2**60 - 1), st.integers(0, 2**60 - 1), st.sampled_from(nic_downshift.SPEEDS))
def test_never_more_than_was_offered(advertised, peer, speed):
    """A lower mask is part of the old one, has no faster mode, and always one in common with the other end."""
    found = lowered(LinkModes(True, advertised, peer=peer), speed)
    assert found & ~advertised == 0
    assert not [bit for bit, each in COPPER.items() if each > speed and found >> bit & 1]
    modes = [bit for bit in COPPER if found >> bit & 1]
    assert not found or not peer or [bit for bit in modes if peer >> bit & 1]


def test_options():
    """Opt-in; and only speeds that there are."""
    check = nic_downshift.Options.__dataclass_fields__["speed"].metadata["check"]
    assert check(100) is None
    assert "10, 100, 1000" in check(54)
    assert (nic_downshift.RISK, nic_downshift.LANE) == ("careful", "slow")
