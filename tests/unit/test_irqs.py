"""Which interrupts and work queues may be moved."""

from __future__ import annotations

import errno

import pytest

from fakeirqs import describe, give_back, renumber
from fakekernel import laptop_like
from plans import ledger_of
from powernap.host.irqs import DEFAULT, QUEUES, change, masks, packable, queue_masks, read_mask
from powernap.host.knobs import Change, MachineKnobs

RX = "/proc/irq/24 (eth0-rx-0; PCI-MSI 1572864) smp_affinity"


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


@pytest.fixture
def ledger(machine):
    """In which the masks of a card's two interrupts and of a shared line have been narrowed to processor 1."""
    describe(machine, 26, "acpi,i801_smbus; IO-APIC 9")
    machine.write("/proc/irq/24/smp_affinity", "8")
    with ledger_of(machine) as ledger:
        for irq in (24, 25, 26):
            ledger.apply(change(machine, f"/proc/irq/{irq}/smp_affinity", "2"), "cpu-park", "nap")
        yield ledger


def outcomes(ledger):
    """What became of each, the latest first."""
    return [(each.outcome, each.detail) for each in ledger.restore()]


def mask(machine, irq):
    """The processors of an interrupt."""
    return read_mask(machine, f"/proc/irq/{irq}/smp_affinity")


def test_an_interrupt_is_named_by_its_handler_and_its_line(machine):
    """The mask for new ones is a file as any other, and so is one that the kernel does not describe."""
    assert change(machine, "/proc/irq/24/smp_affinity", "1", optional=True) == Change(
        RX, "1", "interrupt", "cpumask", optional=True
    )
    assert change(machine, DEFAULT, None) == Change(DEFAULT, None, form="cpumask")
    machine.delete("/sys/kernel/irq/24")
    assert change(machine, "/proc/irq/24/smp_affinity", None).kind == "file"


def test_nobody_handles_it(machine):
    """A line that no driver asked for has a mask, too."""
    describe(machine, 26, "; IO-APIC 5")
    assert (
        change(machine, "/proc/irq/26/smp_affinity", "1").target
        == "/proc/irq/26 (nobody; IO-APIC 5) smp_affinity"
    )


def test_same_number(machine, ledger):
    """Nothing has moved."""
    assert [outcome for outcome, _ in outcomes(ledger)] == ["restored"] * 3
    assert [mask(machine, irq) for irq in (24, 25, 26)] == [{3}, {0}, {0, 1, 2, 3}]


def test_other_numbers(machine, ledger):
    """After a sleep two have each other's number, and one a new one: each gets its own mask back."""
    renumber(machine, {24: 25, 25: 24, 26: 77})
    assert [outcome for outcome, _ in outcomes(ledger)] == ["restored"] * 3
    assert [mask(machine, irq) for irq in (25, 24, 77)] == [{3}, {0}, {0, 1, 2, 3}]
    assert ledger.live() == []


def test_gone(machine, ledger):
    """Its driver gave it back, and nobody has its number: nothing is left to undo."""
    give_back(machine, 24)
    assert outcomes(ledger)[-1] == ("already", "its driver gave the interrupt back: its setting went with it")
    assert ledger.live() == []


@pytest.mark.parametrize("value", ["2", "4"])
def test_its_number_is_anothers(machine, ledger, value):
    """Which keeps what it has, also where that is what we had written to the first."""
    describe(machine, 24, "xhci_hcd; PCI-MSI 327681")
    machine.write("/proc/irq/24/smp_affinity", value)
    said = "its driver gave the interrupt back, and its number is that of xhci_hcd: its setting went with it"
    assert outcomes(ledger)[-1] == ("already", said)
    assert mask(machine, 24) == {int(value).bit_length() - 1}


def test_the_same_line_in_other_hands(machine, ledger):
    """A user-space driver has the device now: what its owner wants of it is not ours to say."""
    describe(machine, 24, "vfio-msix[0](0000:18:00.0); PCI-MSI 1572864")
    assert outcomes(ledger)[-1][0] == "already"
    assert mask(machine, 24) == {1}


@pytest.mark.parametrize("handlers", ["acpi", "i801_smbus,ehci_hcd:usb1", ""])
def test_drivers_that_come_to_a_line_and_leave_it(machine, ledger, handlers):
    """It is the same line, with the mask that we gave it."""
    describe(machine, 26, f"{handlers}; IO-APIC 9")
    assert outcomes(ledger)[0][0] == "restored"
    assert mask(machine, 26) == {0, 1, 2, 3}


def test_two_of_one_name(machine):
    """Vectors of one driver on a chip that tells no line: which of them it was cannot be known, so none is written to."""
    for irq in (24, 25):
        describe(machine, irq, "eth0; Xen ")
    where = change(machine, "/proc/irq/24/smp_affinity", "1")
    renumber(machine, {24: 77})
    with pytest.raises(OSError, match="gave the interrupt back") as raised:
        MachineKnobs(machine).write(where, "1")
    assert raised.value.errno == errno.ESTALE
    give_back(machine, 25)
    MachineKnobs(machine).write(where, "1")
    assert mask(machine, 77) == {0}
    describe(machine, 26, "eth0; Xen ")
    with pytest.raises(OSError, match="gave the interrupt back"):
        MachineKnobs(machine).write(where, "4")


def test_another_device_of_the_same_driver(machine, ledger):
    """Has a line of its own, and keeps its mask."""
    give_back(machine, 24)
    describe(machine, 26, "eth0-rx-0; PCI-MSI 2097152")
    assert outcomes(ledger)[-1][0] == "already"
    assert mask(machine, 26) == {1}


def test_nobodys_is_known_by_its_number_only(machine):
    """There may be many of them."""
    describe(machine, 24, "; XT-PIC ")
    where = change(machine, "/proc/irq/24/smp_affinity", "1")
    describe(machine, 24, "eth0; PCI-MSI 5")
    describe(machine, 25, "; XT-PIC ")
    with pytest.raises(OSError, match="its number is that of eth0"):
        MachineKnobs(machine).write(where, "1")


def test_somebody_else_moved_it(machine, ledger):
    """Wherever it is now, the other owner wins."""
    renumber(machine, {24: 77})
    machine.write("/proc/irq/77/smp_affinity", "4")
    assert outcomes(ledger)[-1][0] == "foreign"
    assert mask(machine, 77) == {2}


def test_a_ledger_of_before(machine):
    """0.1.0 named the file: it is undone as any other."""
    with ledger_of(machine) as ledger:
        ledger.apply(Change("/proc/irq/24/smp_affinity", "2", form="cpumask"), "cpu-park", "nap")
        assert [outcome for outcome, _ in outcomes(ledger)] == ["restored"]
    assert mask(machine, 24) == {3}


def test_a_name_that_is_none(machine):
    """A damaged target is refused, and writes nowhere."""
    with pytest.raises(OSError, match="names no interrupt"):
        MachineKnobs(machine).read(Change("/proc/irq/24", "1", "interrupt", "cpumask"))
