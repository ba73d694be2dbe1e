"""Which interrupts and work queues may be moved."""

from __future__ import annotations

import pytest

from fakekernel import laptop_like
from powernap.host.irqs import DEFAULT, QUEUES, masks, packable, queue_masks, read_mask


@pytest.fixture
def machine(tmp_path):
    """The machine of these tests."""
    kernel = laptop_like(tmp_path)
    for irq in (0, 30):
        kernel.lock(f"/proc/irq/{irq}/smp_affinity")
    return kernel


def numbers(paths):
    """The interrupt of each path."""
    return [path.split("/")[3] for path in paths]


def test_default_first_then_by_number(machine):
    """The mask for new interrupts leads; 8 comes before 24; of the managed ones 0444 (30) is not offered, an old kernel's 0644 (31) is."""
    assert numbers(masks(machine)) == ["default_smp_affinity", "8", "24", "25", "26", "31"]


def test_guests_interrupts_stay(machine):
    """What is handed to a guest or a user-space driver is its owner's."""
    machine.add("/proc/irq/24/vfio-msix[0](0000:3b:00.0)/x", "")
    machine.add("/proc/irq/25/uio_pci_generic/x", "")
    assert numbers(packable(machine)) == ["default_smp_affinity", "8", "26", "31"]


@pytest.mark.parametrize(("rdma", "moved"), [(True, False), (False, True)])
def test_hint_counts_only_beside_rdma(machine, rdma, moved):
    """Ordinary cards give hints too; only RDMA's polling depends on them."""
    machine.add("/proc/irq/24/affinity_hint", "8")
    machine.add("/proc/irq/25/affinity_hint", "0")
    if rdma:
        machine.add("/sys/class/infiniband/mlx5_0/x", "")
    assert ("24" in numbers(packable(machine))) is moved
    assert "25" in numbers(packable(machine))


def test_work_queues(machine):
    """The mask of all queues comes before each queue's own."""
    assert queue_masks(machine) == [f"{QUEUES}/cpumask", f"{QUEUES}/writeback/cpumask"]


def test_mask_is_read(machine):
    """A mask with several words, and none where there is nothing to read."""
    assert read_mask(machine, DEFAULT) == {0, 1, 2, 3}
    machine.add("/proc/irq/8/affinity_hint", "nonsense")
    assert read_mask(machine, "/missing") == read_mask(machine, "/proc/irq/8/affinity_hint") == frozenset()
