"""The power-saving actions one after the other, in every order: nothing of them is left, and what somebody else set is kept."""

from __future__ import annotations

import os
import re

import pytest

from fakekernel import acpi_server, laptop_like, plain_vm
from plans import host_of, ledger_of, napping
from powernap.actions import find

CPU = "/sys/devices/system/cpu"
ACTIONS = ("kernel-quiet", "cpu-park", "cpu-clock", "smt-off", "cpu-offline")
# each action first once and last once, each pair both ways round
ORDERS = [
    turned[shift:] + turned[:shift] for turned in (ACTIONS, ACTIONS[::-1]) for shift in range(len(ACTIONS))
]


def apply(ledger, host, actions):
    """Carry the plans out, those that the machine can."""
    for name in actions:
        module = find(name)
        if module.probe(host, module.Options()):
            ledger.perform(name, "nap", module.plan(host, module.Options()))


@pytest.mark.parametrize("booked", [False, True])
@pytest.mark.parametrize("build", [laptop_like, acpi_server, plain_vm], ids=lambda build: build.__name__)
def test_every_order_comes_back(tmp_path, build, booked):
    """Whatever the order, undoing everything leaves the machine as it was; also where the last processor of a partition could not go."""
    kernel = build(tmp_path / "machine")
    if booked:
        kernel.add("/.fake/bandwidth_is_booked")
    host, before = host_of(kernel), kernel.snapshot()
    with ledger_of(kernel) as ledger:
        for order in ORDERS:
            apply(ledger, host, order)
            assert kernel.changes(before), order
            assert [
                each for each in ledger.restore() if each.outcome in {"foreign", "failed", "gone"}
            ] == [], order
            assert ledger.live() == [], order
            assert kernel.changes(before) == {}, order


@pytest.mark.parametrize(
    ("action", "path", "value"),
    [
        ("kernel-quiet", "/proc/sys/vm/stat_interval", "7"),
        ("cpu-park", "/proc/irq/24/smp_affinity", "4"),
        ("cpu-clock", f"{CPU}/cpufreq/policy0/scaling_governor", "performance"),
    ],
)
def test_what_somebody_set_meanwhile_is_kept(tmp_path, action, path, value):
    """The other owner wins, and only there."""
    kernel = acpi_server(tmp_path / "machine")
    host = host_of(kernel)
    before = kernel.snapshot()
    with ledger_of(kernel) as ledger:
        apply(ledger, host, [action])
        kernel.write(path, value)
        foreign = [each.target for each in ledger.restore() if each.outcome == "foreign"]
    assert [re.sub(r" \(.*\) ", "/", target) for target in foreign] == [path]
    assert kernel.read(path).strip() == value
    assert {os.path.dirname(each) for each in kernel.changes(before)} == {os.path.dirname(path)}


@pytest.mark.parametrize("action", ["kernel-quiet", "cpu-park", "cpu-clock"])
def test_second_application_changes_nothing(tmp_path, action):
    """What is saved already is not saved again: only what was refused is tried once more."""
    kernel = acpi_server(tmp_path / "machine")
    host, module = host_of(kernel), find(action)
    again = {
        "cpu-park": [
            "/proc/irq/31 (nvme0q2; PCI-MSI 524290) smp_affinity",
            "/sys/fs/cgroup/powernap-parked/cpuset.cpus",
            "/sys/fs/cgroup/powernap-parked/cpuset.cpus.partition",
        ]
    }
    with napping(kernel, action):
        assert [
            change.target
            for change in module.plan(host, module.Options())
            if change.new is not None and change.kind in {"file", "interrupt"}
        ] == again.get(action, [])
