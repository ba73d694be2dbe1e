"""The actions on disks one after the other, in every order, with disks that fall asleep in between: nothing of them is left."""

from __future__ import annotations

import itertools

import pytest

from fakedrives import drive_of, let_idle
from fakekernel import FakeKernel
from fakestorage import CONDITIONS, add_disk, add_nvme, add_partition, add_port, mount, use
from plans import host_of, ledger_of
from powernap.actions import find

ACTIONS = ("disk-spindown", "sas-idle", "sata-link", "nvme-latency", "ata-standby")
DISKS = ("sda", "sdb", "sdc", "sdd")


@pytest.fixture
def kernel(tmp_path):
    """A server: the system's disk, one each of SATA, of SAS, and of SATA without runtime power management; a flash drive."""
    kernel = FakeKernel(tmp_path / "machine")
    host_of(kernel)
    add_disk(kernel, "sda")
    mount(kernel, "/", f"/dev/{add_partition(kernel, 'sda', 1)}")
    add_disk(kernel, "sdb")
    add_disk(kernel, "sdc", "sas", conditions=CONDITIONS, control="auto", delay=5000)
    add_disk(kernel, "sdd", delay=None)
    for host in (0, 1, 3):
        add_port(kernel, host)
    add_nvme(kernel)
    return kernel


@pytest.mark.parametrize("shift", range(len(ACTIONS)))
def test_every_order_comes_back(kernel, shift):
    """Whatever the order, every disk can be read, its timers run, and its settings are what they were."""
    host = host_of(kernel)
    use(kernel)
    before = kernel.snapshot()
    with ledger_of(kernel) as ledger:
        for order in itertools.islice(itertools.permutations(ACTIONS), shift, None, 2 * len(ACTIONS)):
            for name in order:
                module = find(name)
                if module.probe(host, module.Options()):
                    ledger.perform(name, "nap", module.plan(host, module.Options()))
                let_idle(kernel, 3600)
            assert kernel.changes(before), order
            use(kernel)
            let_idle(kernel, 3600)
            ledger.restore()
            assert ledger.live() == [], order
            use(kernel)
            assert kernel.changes(before) == {}, order
            assert all(drive_of(kernel, name)["timers"] for name in DISKS), order
