"""nic-eee lets silent ports rest, all four settings come back, and the way back is never touched."""

from __future__ import annotations

import json

import pytest

from fakekernel import acpi_server, container, laptop_like, plain_vm
from fakeplatform import add_port
from plans import host_of, ledger_of, napping, probe, written
from powernap.actions import find, nic_eee

STATE = "/.fake/ethtool/{}"


@pytest.fixture
def machine(tmp_path):
    """eth0 carries the default route; eth1 can rest, eth2 has not said how."""
    kernel = laptop_like(tmp_path / "machine")
    add_port(kernel, "eth0", bus="0000:00:19.0", eee=(0x28, 0x28))
    add_port(kernel, "eth1", bus="0000:00:1a.0", eee=(0x28, 0x20))
    add_port(kernel, "eth2", bus="0000:00:1b.0", eee=(0x28, 0))
    kernel.add(
        "/proc/net/route",
        "Iface Destination Gateway Flags RefCnt Use Metric Mask\neth0 00000000 0100A8C0 0003 0 0 0 00000000 0 0 0",
    )
    return kernel


def test_rests_and_comes_back(machine):
    """The modes that were advertised stay; where there were none, all that the port can."""
    before = {port: machine.get(STATE.format(port)) for port in ("eth0", "eth1", "eth2")}
    with napping(machine, "nic-eee") as entries:
        assert written(entries) == {"eth1": "on lpi=on timer=17 0x20", "eth2": "on lpi=on timer=17 0x28"}
    assert {port: machine.get(STATE.format(port)) for port in before} == before


@pytest.mark.parametrize("build", [laptop_like, acpi_server, plain_vm, container])
def test_without_ports(tmp_path, build):
    """Nothing that could rest."""
    assert (
        probe(build(tmp_path / "machine"), "nic-eee").detail == "no network port has a link that could rest"
    )


def test_the_probe_says_both(machine):
    """Which ports would rest, and why the other does not."""
    assert (
        probe(machine, "nic-eee").detail
        == "eth1, eth2; eth0 carries the default route: the way back is left alone"
    )
    assert probe(machine, "nic-eee", ports=("eth2",)).detail == "eth2"


@pytest.mark.parametrize(
    ("state", "detail"),
    [
        ({"on": 1, "lpi": 1, "timer": 17, "can": 40, "ours": 40}, "eth1 rests already"),
        ({"on": 0, "lpi": 0, "timer": 17, "can": 0, "ours": 0}, "eth1 has no mode with EEE"),
        (None, "eth1 has no EEE (Operation not supported)"),
    ],
)
def test_ports_that_stay(machine, state, detail):
    """Nothing would come of it."""
    port = json.loads(machine.get(STATE.format("eth1")))
    port = {**port, "eee": state} if state else {"modes": port["modes"]}
    machine.put(STATE.format("eth1"), json.dumps(port))
    answer = probe(machine, "nic-eee", ports=("eth1",))
    assert (answer.usable, answer.detail) == (False, detail)


def test_what_somebody_set_meanwhile_is_kept(machine):
    """An admin changes the timer in the middle of the nap."""
    module = find("nic-eee")
    with ledger_of(machine) as ledger:
        ledger.perform("nic-eee", "nap", module.plan(host_of(machine), module.Options(ports=("eth1",))))
        theirs = machine.get(STATE.format("eth1")).replace('"timer": 17', '"timer": 50')
        machine.put(STATE.format("eth1"), theirs)
        assert [each.outcome for each in ledger.restore()] == ["foreign"]
    assert machine.get(STATE.format("eth1")) == theirs


def test_it_is_opt_in():
    """The link is negotiated anew."""
    assert (nic_eee.RISK, nic_eee.LANE) == ("careful", "slow")
