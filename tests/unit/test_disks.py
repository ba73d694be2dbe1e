"""Which disks there are, what each is, and how an admin may name them."""

from __future__ import annotations

import pytest

from fakedrives import let_idle
from fakekernel import FakeKernel
from fakestorage import AHCI, HBA, add_disk
from machines import Machine
from powernap.host import disks
from powernap.host.disks import asleep, by_path, chosen, controller_class, generic, look


@pytest.fixture
def kernel(tmp_path):
    """A SATA disk and a flash one, a SAS disk, a USB disk, one of scsi_debug."""
    kernel = FakeKernel(tmp_path)
    add_disk(kernel, "sda", rotational=False)
    add_disk(kernel, "sdb", model="ST4000NM0025")
    add_disk(kernel, "sdc", "sas", wwid="naa.5000c500a1b2c3d4")
    add_disk(kernel, "sdd", "usb", removable=True)
    add_disk(kernel, "sde", "scsi")
    return kernel


def test_what_each_is(kernel):
    """How it is attached, where, and whether it turns."""
    found = {
        disk.name: (disk.transport, disk.host, disk.rotational, disk.is_ata) for disk in disks.disks(kernel)
    }
    assert found == {
        "sda": ("ata", "host0", False, True),
        "sdb": ("ata", "host1", True, True),
        "sdc": ("sas", "host2", True, False),
        "sdd": ("usb", "host3", True, False),
        "sde": ("scsi", "host4", True, False),
    }


def test_a_disk_is_known_by_where_it_is_plugged_in(kernel):
    """Its path is the device's own, and leads back to it."""
    disk = look(kernel, "sdb")
    assert (disk.path, str(disk)) == (f"{AHCI}/ata2/host1/target1:0:0/1:0:0:0", "sdb (ST4000NM0025)")
    assert by_path(kernel, disk.path) == disk
    kernel.vanish(disk.path)
    assert by_path(kernel, disk.path) is None


def test_whole_disks_with_hardware_only(tmp_path):
    """No loop, md or zram device, and no hidden path of an NVMe disk; an NVMe disk's identity is its own."""
    machine = Machine(
        tmp_path, {"/sys/block/loop0/queue/rotational": "0", "/sys/block/nvme0c0n1/hidden": "1\n"}
    )
    machine.put("/sys/devices/pci0000:00/0000:01:00.0/nvme/nvme0/serial", "S4EV\n")
    machine.put("/sys/block/nvme0n1/queue/rotational", "0\n")
    for name in ("nvme0n1", "nvme0c0n1"):
        machine.link(f"/sys/block/{name}/device", "../../devices/pci0000:00/0000:01:00.0/nvme/nvme0")
    [disk] = disks.disks(machine.host.files)
    assert (disk.name, disk.transport, disk.identity, disk.host) == ("nvme0n1", "nvme", "S4EV", "")


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ((), ["sdb", "sdc", "sdd", "sde"]),
        (("sd[ab]",), ["sda", "sdb"]),
        (("/dev/sda",), ["sda"]),
        (("naa.5000c500*",), ["sda", "sdb", "sdc", "sdd", "sde"]),
        (("naa.5000c500a1*",), ["sdc"]),
        (("ST4000*", "sde"), ["sdb", "sde"]),
        (("sdz",), []),
    ],
)
def test_chosen(kernel, wanted, expected):
    """By name, identity or model; the rotating ones without a choice, and any disk that is named."""
    assert [disk.name for disk in chosen(disks.disks(kernel), wanted)] == expected


def test_asleep(kernel):
    """By what the kernel says of it, without asking the disk."""
    device = look(kernel, "sdb").path
    kernel.write(f"{device}/power/autosuspend_delay_ms", "1000")
    kernel.write(f"{device}/power/control", "auto")
    assert not asleep(kernel, look(kernel, "sdb"))
    let_idle(kernel, 5)
    assert asleep(kernel, look(kernel, "sdb"))


def test_generic(kernel):
    """The node for commands, where there is the driver for it."""
    device = look(kernel, "sdb").path
    assert generic(kernel, device) == "/dev/sgb"
    kernel.delete(f"{device}/scsi_generic")
    assert generic(kernel, device) == ""


def test_controller_class(kernel):
    """Of the nearest PCI device above; a disk of scsi_debug has none."""
    kernel.add(f"{HBA}/class", "0x010400")
    classes = {disk.name: controller_class(kernel, disk) for disk in disks.disks(kernel)}
    assert classes == {"sda": "0x010601", "sdb": "0x010601", "sdc": "0x010400", "sdd": "0x0c0330", "sde": ""}
