"""monitors/disk.py: bytes read and written a second."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machines import Machine
from powernap.host.availability import UnavailableError
from powernap.monitors import disk

KIB = 1024.0


def diskstats(**sectors: tuple[int, int]) -> str:
    """Lines with these sectors (read, written); also discards, flushes and times that must not matter."""
    return "".join(
        f"   8       0 {name} 1 2 {r} 4 5 6 {w} 8 0 10 11 900 0 99999999 7 50 3\n"
        for name, (r, w) in sectors.items()
    )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Two disks, one of them with a partition, below a device-mapper device; loop, zram and a hidden path of an NVMe disk."""
    machine = Machine(tmp_path, {"/sys/block/nvme0c0n1/hidden": "1\n", "/sys/block/sda/hidden": "0\n"})
    for name in ("sda", "sdb", "nvme0c0n1"):
        machine.put(f"/sys/devices/pci/{name}/vendor", "")
        machine.link(f"/sys/block/{name}/device", f"../../devices/pci/{name}")
    for name in ("loop0", "zram0", "dm-0"):
        machine.put(f"/sys/block/{name}/size", "8\n")
    zero = (0, 0)
    stats = dict.fromkeys(("sda", "sda1", "sdb", "loop0", "zram0", "nvme0c0n1"), zero) | {"dm-0": zero}
    machine.put("/proc/diskstats", diskstats(**stats))
    return machine


def check(machine: Machine, monitor: disk.DiskMonitor, after: float, **sectors: tuple[int, int]):
    """Look ``after`` seconds later, when the kernel has counted these sectors."""
    machine.clock.now += after
    machine.put("/proc/diskstats", diskstats(**sectors))
    return monitor.check(machine.clock.now)


def test_bytes_of_whole_disks_count_once(machine: Machine) -> None:
    """10 MiB in 10 s through a partition and a mapper are 1 MiB/s on the disk below."""
    monitor = disk.open(machine.context("disk"), disk.Options())
    many = (10240, 10240)
    reading = check(
        machine,
        monitor,
        10,
        sda=many,
        sda1=many,
        sdb=(0, 0),
        **{"dm-0": many},
        loop0=many,
        zram0=many,
        nvme0c0n1=many,
    )
    assert (reading.measured, reading.last, reading.unit) == (1024 * KIB, 1010, "B/s")
    assert reading.reason == "disk sda 1MiB/s over the last 10s (limit 100KiB/s, quiet again below 80KiB/s)"


def test_the_busiest_disk_is_named_and_all_are_summed(machine: Machine) -> None:
    """An array spreads its work: 60 KiB/s on each of two disks are 120."""
    monitor = disk.open(machine.context("disk"), disk.Options())
    reading = check(machine, monitor, 10, sda=(1000, 200), sdb=(0, 1400))
    assert (reading.measured, reading.last) == (130 * KIB, 1010)
    assert reading.reason.startswith("disk sdb 70KiB/s of 130KiB/s on 2 disks over the last 10s")


def test_the_journal_of_a_quiet_server_is_no_activity(machine: Machine) -> None:
    """10 KiB/s of log is below the limit as shipped."""
    monitor = disk.open(machine.context("disk"), disk.Options())
    reading = check(machine, monitor, 60, sda=(0, 1200), sdb=(0, 0))
    assert (reading.measured, reading.last) == (10 * KIB, None)


def test_disks_may_be_chosen_also_such_without_hardware(machine: Machine) -> None:
    """A pattern picks any block device; the rest does not count."""
    monitor = disk.open(machine.context("disk"), disk.Options(disks=("dm-*", "sdb")))
    reading = check(machine, monitor, 1, sda=(9999, 0), sdb=(0, 0), **{"dm-0": (0, 400)})
    assert reading.measured == 200 * KIB


def test_a_disk_that_is_unplugged_and_another_plugged_in(machine: Machine) -> None:
    """Neither is an error; the new one has done all that it counts."""
    monitor = disk.open(machine.context("disk"), disk.Options())
    assert check(machine, monitor, 10, sda=(0, 0)).measured == 0
    machine.put("/sys/block/sdc/device/vendor", "")
    assert check(machine, monitor, 10, sda=(0, 0), sdc=(4096, 0)).measured == 4096 * 512 / 10
    shutil.rmtree(machine.root / "sys/block")
    gone = check(machine, monitor, 10)
    assert (gone.measured, gone.reason, gone.last) == (0, "no disk to watch", 1020)


def test_a_32_bit_counter_that_wraps_is_read_through(machine: Machine) -> None:
    """2 TiB written on a 32-bit kernel: 200 sectors are 200 sectors."""
    machine.put("/proc/diskstats", diskstats(sda=(2**32 - 100, 0)))
    monitor = disk.open(machine.context("disk"), disk.Options())
    assert check(machine, monitor, 1, sda=(100, 0)).measured == 200 * 512


def test_within_the_first_second_the_last_answer_stands_unless_it_is_exceeded(machine: Machine) -> None:
    """50 KiB in 0.1 s are not yet above 100 KiB/s; 150 are."""
    monitor = disk.open(machine.context("disk"), disk.Options())
    early = check(machine, monitor, 0.1, sda=(100, 0))
    assert (early.reason, early.last) == ("disks not measured yet", None)
    assert check(machine, monitor, 0.1, sda=(300, 0)).last == 1000.2


def test_the_probe_names_disks_or_says_what_there_is(machine: Machine, tmp_path: Path) -> None:
    """A disk that is not plugged in now is no fault."""
    assert disk.probe(machine.host, disk.Options()).detail == "sda, sdb"
    absent = disk.probe(machine.host, disk.Options(disks=("usb*",)))
    assert absent
    assert absent.detail.startswith("no disk usb* now (here: dm-0, loop0,")
    empty = Machine(tmp_path / "empty", {})
    assert not disk.probe(empty.host, disk.Options())
    with pytest.raises(UnavailableError):
        disk.open(empty.context("disk"), disk.Options())


def test_old_kernels_and_strange_lines_are_read(machine: Machine) -> None:
    """11 fields before Linux 4.18, partitions with 4 before 2.6.25; a name with a slash is found in sysfs."""
    assert disk.parse("8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n8 1 sda1 1 2 3 4\n\n") == {"sda": 10}
    machine.put("/sys/block/cciss!c0d0/device/vendor", "")
    assert disk.is_disk(machine.host.files, "cciss/c0d0")


@given(st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, 2**40)), max_size=20))
def test_every_device_is_read_exactly(counts: list[tuple[int, int]]) -> None:
    """What is written by the kernel's format is read back."""
    sectors = {f"sd{number}": pair for number, pair in enumerate(counts)}
    assert disk.parse(diskstats(**sectors)) == {name: sum(pair) for name, pair in sectors.items()}


def test_closing_is_harmless(machine: Machine) -> None:
    """Nothing is held open."""
    disk.open(machine.context("disk"), disk.Options()).close()
