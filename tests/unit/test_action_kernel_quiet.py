"""kernel-quiet only ever quietens, and leaves alone what guards the machine or its data."""

from __future__ import annotations

import pytest

from fakekernel import acpi_server, laptop_like, plain_vm
from plans import napping, probe, written
from powernap.actions import kernel_quiet

KERNEL = "/proc/sys/kernel"
VM = "/proc/sys/vm"
KSM = "/sys/kernel/mm/ksm/run"
HUGE = "/sys/kernel/mm/transparent_hugepage"


@pytest.fixture
def machine(tmp_path):
    """The machine of these tests."""
    return laptop_like(tmp_path / "machine")


@pytest.mark.parametrize("build", [laptop_like, acpi_server, plain_vm], ids=lambda build: build.__name__)
def test_quiet_and_back(tmp_path, build):
    """On each machine what runs is quietened, and everything comes back."""
    kernel = build(tmp_path / "machine")
    before = kernel.snapshot()
    with napping(kernel, "kernel-quiet") as entries:
        assert kernel.read(KSM) == "0\n"
        assert kernel.read(f"{VM}/stat_interval") == "60\n"
        assert kernel.read(f"{KERNEL}/soft_watchdog") == "1\n"
        assert f"{KERNEL}/watchdog" not in written(entries)
        assert f"{VM}/dirty_writeback_centisecs" not in written(entries)
    assert kernel.changes(before) == {}


def test_watchdog_that_restarts_the_machine_stays(machine):
    """With hardlockup_panic the detector is a safety device."""
    machine.put(f"{KERNEL}/hardlockup_panic", "1")
    with napping(machine, "kernel-quiet") as entries:
        assert f"{KERNEL}/nmi_watchdog" not in written(entries)
    assert "hardlockup_panic=1" in probe(machine, "kernel-quiet").detail


def test_watchdog_that_is_read_only_stays(machine):
    """Where the kernel closed the file nothing is tried, and the probe says so."""
    machine.lock(f"{KERNEL}/nmi_watchdog")
    with napping(machine, "kernel-quiet") as entries:
        assert f"{KERNEL}/nmi_watchdog" not in written(entries)
    assert "nmi_watchdog stays on: it is read-only here" in probe(machine, "kernel-quiet").detail


@pytest.mark.parametrize("run", ["0", "2"])
def test_ksm_only_from_one_to_zero(machine, run):
    """KSM that is off, or was asked to unmerge, is not touched."""
    machine.put(KSM, run)
    with napping(machine, "kernel-quiet") as entries:
        assert KSM not in written(entries)


def test_ksm_that_is_tuned_stays(machine):
    """A tool would start it again within a minute."""
    machine.add_task(55, "ksmtuned")
    with napping(machine, "kernel-quiet") as entries:
        assert KSM not in written(entries)
    assert "KSM stays on: ksmtuned (pid 55)" in probe(machine, "kernel-quiet").detail


def test_writeback_only_on_request_and_as_a_pair(machine):
    """Data at risk is the admin's decision; expiry never comes after the interval."""
    before = machine.snapshot()
    with napping(machine, "kernel-quiet", writeback=60.0) as entries:
        assert written(entries)[f"{VM}/dirty_writeback_centisecs"] == "6000"
        assert written(entries)[f"{VM}/dirty_expire_centisecs"] == "6000"
    assert machine.changes(before) == {}
    with napping(machine, "kernel-quiet", writeback=15.0) as entries:
        assert written(entries)[f"{VM}/dirty_writeback_centisecs"] == "1500"
        assert f"{VM}/dirty_expire_centisecs" not in written(entries)


def test_no_interval_is_shortened(machine):
    """An admin's longer interval, or none at all (0), stays."""
    machine.put(f"{VM}/stat_interval", "300")
    machine.put(f"{VM}/dirty_writeback_centisecs", "0")
    machine.put(f"{HUGE}/khugepaged/scan_sleep_millisecs", "120000")
    with napping(machine, "kernel-quiet", writeback=60.0) as entries:
        targets = {target.rpartition("/")[2] for target in written(entries)}
    assert not targets & {"stat_interval", "dirty_writeback_centisecs", "scan_sleep_millisecs"}


def test_khugepaged_that_does_not_run_is_left(machine):
    """With huge pages off nobody scans."""
    machine.put(f"{HUGE}/enabled", "always madvise [never]")
    with napping(machine, "kernel-quiet") as entries:
        assert f"{HUGE}/khugepaged/scan_sleep_millisecs" not in written(entries)


def test_timers_may_leave_idle_processors(machine):
    """Timer migration is switched on where it was off."""
    machine.put(f"{KERNEL}/timer_migration", "0")
    with napping(machine, "kernel-quiet") as entries:
        assert written(entries)[f"{KERNEL}/timer_migration"] == "1"
    assert machine.read(f"{KERNEL}/timer_migration") == "0\n"


def test_each_can_be_left_out(machine):
    """With everything off nothing is written, and the probe says that there is nothing."""
    nothing = {
        "nmi_watchdog": False,
        "ksm": False,
        "numa_balancing": False,
        "memory_scan": None,
        "statistics": None,
    }
    with napping(machine, "kernel-quiet", **nothing) as entries:
        assert entries == []
    assert probe(machine, "kernel-quiet", **nothing).detail == "the kernel is quiet already"


def test_container(machine):
    """Where nothing may be written the remedy is named."""
    for path in machine.snapshot():
        if not path.endswith("/"):
            machine.lock(path)
    answer = probe(machine, "kernel-quiet", nmi_watchdog=False)
    assert (answer.usable, answer.remedy) == (False, "run as root, outside a container")
    assert not probe(machine, "kernel-quiet")


@pytest.mark.parametrize(
    ("seconds", "accepted"), [(0.5, False), (1.0, True), (3600.0, True), (3601.0, False), (None, True)]
)
def test_intervals_are_bounded(seconds, accepted):
    """Between a second and an hour; nothing is allowed too."""
    check = kernel_quiet.Options.__dataclass_fields__["writeback"].metadata["check"]
    assert (check(seconds) is None) is accepted


def test_rival_is_named(machine):
    """A tool that sets the same values once is no obstacle, but the admin hears of it."""
    machine.add_task(66, "tuned")
    assert "TuneD (pid 66)" in probe(machine, "kernel-quiet").detail
