"""What stands on which disks, through every layer that Linux has between."""

from __future__ import annotations

import pytest

from fakekernel import FakeKernel
from fakestorage import add_disk, add_mapped, add_md, add_partition, mount
from powernap.host.block_stack import Mount, Set, below, multipath, node_of, parse_mounts, sets, system_disks

POOL = "E:ID_FS_TYPE=zfs_member\nE:ID_FS_LABEL=tank\n"


@pytest.fixture
def kernel(tmp_path):
    """Four disks with a partition each."""
    kernel = FakeKernel(tmp_path)
    for name in ("sda", "sdb", "sdc", "sdd"):
        add_disk(kernel, name)
        add_partition(kernel, name, 1)
    return kernel


def btrfs(kernel, *nodes, uuid="3f0e7c7a-0000", running="none"):
    """A mounted file system on these."""
    for node in nodes:
        kernel.link(f"/sys/fs/btrfs/{uuid}/devices/{node}", kernel.real(f"/sys/class/block/{node}"))
    kernel.add(f"/sys/fs/btrfs/{uuid}/label", "data")
    kernel.add(f"/sys/fs/btrfs/{uuid}/exclusive_operation", running)


def zfs(kernel, *nodes):
    """An imported pool on these."""
    kernel.add("/proc/spl/kstat/zfs/tank/state", "ONLINE")
    for node in nodes:
        number = kernel.get(f"/sys/class/block/{node}/dev")
        kernel.add(f"/run/udev/data/b{number}", POOL.rstrip())


# ------------------------------------------------------------ down


def test_below(kernel):
    """Through a partition, RAID, dm-crypt and LVM."""
    add_md(kernel, "md0", "sdb1", "sdc1")
    add_mapped(kernel, 0, "crypt", "md0", uuid="CRYPT-LUKS2-x")
    add_mapped(kernel, 1, "vg-home", "dm-0", "sdd")
    assert below(kernel, "sda") == below(kernel, "sda1") == {"sda"}
    assert below(kernel, "dm-0") == {"sdb", "sdc"}
    assert below(kernel, "dm-1") == {"sdb", "sdc", "sdd"}
    assert below(kernel, "nothing") == frozenset()


# ------------------------------------------------------------ the system's


def test_mounts():
    r"""The number, the place with its ``\040``, and the source; a torn line is passed over."""
    text = "22 1 8:1 / / rw,noatime shared:1 master:2 - ext4 /dev/root rw\n23 22 0:20 / /a\\040b rw - tmpfs tmpfs rw\n24 22 8:"
    assert parse_mounts(text) == [
        Mount("8:1", "/", "ext4", "/dev/root"),
        Mount("0:20", "/a b", "tmpfs", "tmpfs"),
    ]


def test_system_disks(kernel):
    """Root, what is mounted below it, swap partitions and the disk of a swap file; data disks carry nothing."""
    add_mapped(kernel, 0, "vg-root", "sda1")
    mount(kernel, "/", "/dev/dm-0")
    mount(kernel, "/boot", "/dev/sdb1")
    mount(kernel, "/srv", "/dev/sdd1")
    swaps = "Filename Type Size Used Priority\n/dev/sdc1 partition 1 0 -2\n/swapfile file 1 0 -3\n/dev/zram0 partition 1 0 5"
    kernel.add("/proc/swaps", swaps)
    assert system_disks(kernel) == {
        "sda": ["/", "/usr", "/var", "/var/log", "swap file"],
        "sdb": ["/boot", "/boot/efi"],
        "sdc": ["swap"],
    }


def test_what_is_mounted_over_hides_what_is_below(kernel):
    """The last mount of a place counts, by its number and not by its name."""
    mount(kernel, "/", "/dev/sda1")
    mount(kernel, "/", "/dev/sdb1")
    assert set(system_disks(kernel)) == {"sdb"}


def test_btrfs_root_on_two_disks(kernel):
    """Its number is no device's; its source is one of its disks, and sysfs knows the others."""
    btrfs(kernel, "sda1", "sdb1")
    mount(kernel, "/", "/dev/sda1", "btrfs", "0:42")
    assert set(system_disks(kernel)) == {"sda", "sdb"}


def test_zfs_root(kernel):
    """Its source is the pool."""
    zfs(kernel, "sda1", "sdc")
    mount(kernel, "/", "tank/ROOT/debian", "zfs", "0:42")
    assert set(system_disks(kernel)) == {"sda", "sdc"}


def test_a_machine_without_disks(tmp_path):
    """A root in memory is on none."""
    kernel = FakeKernel(tmp_path)
    mount(kernel, "/", "tmpfs", "tmpfs", "0:42")
    assert (system_disks(kernel), sets(kernel), multipath(kernel)) == ({}, [], {})


def test_node_of(kernel):
    """LVM's names are the mapper's."""
    add_mapped(kernel, 3, "vg-root", "sda1")
    assert [node_of(kernel, source) for source in ("/dev/mapper/vg-root", "/dev/sda1")] == ["dm-3", "sda1"]


# ------------------------------------------------------------ sets


def test_md(kernel):
    """A clean array that nobody uses."""
    add_md(kernel, "md0", "sdb", "sdc1")
    assert sets(kernel) == [Set("md0", frozenset({"sdb", "sdc"}))]


@pytest.mark.parametrize(
    ("state", "use"),
    [
        ("clean", ""),
        ("active-idle", ""),
        ("read-auto", ""),
        ("active", "which is being written to (active)"),
        ("write-pending", "which is being written to (write-pending)"),
    ],
)
def test_md_in_use(kernel, state, use):
    """Its state tells writes of the last moments."""
    add_md(kernel, "md0", "sdb", "sdc", state=state)
    assert [each.use for each in sets(kernel)] == [use]


@pytest.mark.parametrize(
    ("values", "work"),
    [
        ({"action": "resync"}, "md0 runs a resync, 25 % done"),
        ({"action": "check"}, "md0 runs a check, 25 % done"),
        ({"action": "reshape"}, "md0 runs a reshape, 25 % done"),
        ({"action": "frozen"}, ""),
        ({"degraded": 1}, "md0 lacks 1 of its disks"),
    ],
)
def test_md_at_work(kernel, values, work):
    """And a disk that is missing: the others are all there is."""
    add_md(kernel, "md0", "sdb", "sdc", **values)
    assert [each.work for each in sets(kernel)] == [work]


@pytest.mark.parametrize("state", ["inactive", "clear"])
def test_md_that_does_not_run(kernel, state):
    """Is no set."""
    add_md(kernel, "md0", "sdb", "sdc", state=state)
    assert sets(kernel) == []


def test_requests_under_way(kernel):
    """Name the disk that is in use."""
    add_md(kernel, "md0", "sdb", "sdc")
    kernel.add("/sys/block/sdc/inflight", "       1        0")
    assert [each.use for each in sets(kernel)] == ["whose sdc is in use"]


def test_lvm_and_paths(kernel):
    """A volume on two disks is a set; two paths to one disk are none."""
    add_mapped(kernel, 0, "vg-data", "sda1", "sdb1")
    add_mapped(kernel, 1, "mpatha", "sdc", "sdd", uuid="mpath-3600")
    add_mapped(kernel, 2, "vg-small", "sdd")
    assert sets(kernel) == [Set("vg-data", frozenset({"sda", "sdb"}))]
    assert multipath(kernel) == {"sdc": "mpatha", "sdd": "mpatha"}


def test_btrfs(kernel):
    """Of several disks, and what it runs."""
    btrfs(kernel, "sdb1", "sdc", running="balance")
    btrfs(kernel, "sdd", uuid="single")
    assert sets(kernel) == [Set("btrfs data", frozenset({"sdb", "sdc"}), work="btrfs data runs a balance")]


@pytest.mark.parametrize(
    ("status", "running", "work"),
    [
        ("1|canceled:0|finished:0", True, "btrfs data runs a scrub"),
        ("1|canceled:0|finished:0", False, ""),
        ("1|canceled:1|finished:0", True, ""),
        ("1|canceled:0|finished:1", True, ""),
    ],
)
def test_btrfs_scrub(kernel, status, running, work):
    """By its progress file and its program: the file alone says so too after a power cut."""
    btrfs(kernel, "sdb", "sdc", uuid="u")
    kernel.add("/var/lib/btrfs/scrub.status.u", f"scrub status:1\n{status}")
    if running:
        kernel.add_task(900, "btrfs", {0})
    assert [each.work for each in sets(kernel)] == [work]


def test_zfs(kernel):
    """Members by udev's labels, of pools that are imported."""
    zfs(kernel, "sdb1", "sdc1")
    assert sets(kernel) == [Set("ZFS pool tank", frozenset({"sdb", "sdc"}))]
    kernel.delete("/proc/spl/kstat/zfs/tank")
    assert sets(kernel) == []
