"""monitors/cpu.py: the share of processor time that is busy."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machines import Machine
from powernap.host.availability import UnavailableError
from powernap.monitors import cpu

FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice")


def stat(*cpus: dict[str, int]) -> str:
    """A /proc/stat with these processors and the line that sums them."""
    whole = {field: sum(cpu.get(field, 0) for cpu in cpus) for field in FIELDS}
    lines = [("cpu ", whole), *((f"cpu{number}", values) for number, values in enumerate(cpus))]
    return (
        "".join(f"{name} {' '.join(str(v.get(f, 0)) for f in FIELDS)}\n" for name, v in lines)
        + "intr 5 0\nctxt 9\n"
    )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Two processors at rest since boot."""
    return Machine(
        tmp_path, {"/proc/stat": stat({"user": 50}, {"user": 50}), "/sys/devices/system/cpu/present": "0-1\n"}
    )


def check(machine: Machine, monitor: cpu.CpuMonitor, after: float, text: str):
    """Look ``after`` seconds later, when the kernel says this."""
    machine.clock.now += after
    machine.put("/proc/stat", text)
    return monitor.check(machine.clock.now)


def test_work_of_one_of_two_processors_is_half(machine: Machine) -> None:
    """30 s of user time in a minute on two processors are 25 %."""
    monitor = cpu.open(machine.context("cpu"), cpu.Options())
    reading = check(machine, monitor, 60, stat({"user": 3050}, {"user": 50}))
    assert (reading.active, reading.last, reading.measured, reading.limit) == (False, 1060, 0.25, 0.1)
    assert reading.reason == "cpu 25% busy over the last 1min (limit 10%, quiet again below 8%)"


def test_a_quiet_machine_is_not_in_use(machine: Machine) -> None:
    """1 % is below 10 %, and there never was activity."""
    monitor = cpu.open(machine.context("cpu"), cpu.Options())
    reading = check(machine, monitor, 100, stat({"user": 150}, {"user": 150}))
    assert (reading.measured, reading.last) == (0.01, None)
    assert reading.reason == "cpu 1% busy over the last 1min 40s (limit 10%)"


@pytest.mark.parametrize("field", ["idle", "iowait", "steal", "guest", "guest_nice"])
def test_idle_stolen_and_doubly_counted_time_is_no_work(machine: Machine, field: str) -> None:
    """Guest time is in user time already; in stolen time the hypervisor ran somebody else."""
    monitor = cpu.open(machine.context("cpu"), cpu.Options())
    assert check(machine, monitor, 60, stat({"user": 50, field: 6000}, {"user": 50})).measured == 0


@pytest.mark.parametrize("field", ["nice", "system", "irq", "softirq"])
def test_kernel_and_interrupt_time_is_work(machine: Machine, field: str) -> None:
    """Serving packets is work, though no process is charged for it."""
    monitor = cpu.open(machine.context("cpu"), cpu.Options())
    assert check(machine, monitor, 60, stat({"user": 50, field: 6000}, {"user": 50})).measured == 0.5


def test_background_jobs_may_be_left_out(machine: Machine) -> None:
    """With ignore_nice the time of nice processes is no work."""
    monitor = cpu.open(machine.context("cpu"), cpu.Options(ignore_nice=True))
    assert check(machine, monitor, 60, stat({"user": 50, "nice": 6000}, {"user": 50})).measured == 0


def test_the_busiest_core_may_be_meant(machine: Machine) -> None:
    """One of 64 cores at work is 2 % of the machine and all of that core."""
    monitor = cpu.open(machine.context("cpu"), cpu.Options(of="core"))
    reading = check(machine, monitor, 10, stat({"user": 150}, {"user": 1050}))
    assert reading.measured == 1.0
    assert reading.reason.startswith("cpu1 100% busy over the last 10s")


def test_switching_off_a_processor_does_not_raise_the_share(machine: Machine) -> None:
    """The share is of the processors that are there, so that our own saving cannot look like activity."""
    monitor = cpu.open(machine.context("cpu"), cpu.Options())
    machine.put("/sys/devices/system/cpu/online", "0\n")
    assert check(machine, monitor, 60, stat({"user": 100 + 600})).measured == 0.05


def test_a_processor_that_returns_brings_no_past_with_it(machine: Machine) -> None:
    """cpu1 was offline at the last look; that it counts 10 days of work since boot is no activity now."""
    machine.put("/proc/stat", stat({"user": 50}))
    monitor = cpu.open(machine.context("cpu"), cpu.Options(of="core"))
    assert check(machine, monitor, 10, stat({"user": 50}, {"user": 86_400_000})).measured == 0


def test_counters_that_go_back_are_no_work(machine: Machine) -> None:
    """The kernel corrects itself by a tick now and then, and more when a processor leaves."""
    monitor = cpu.open(machine.context("cpu"), cpu.Options())
    assert check(machine, monitor, 10, stat({"user": 10}, {"user": 10})).measured == 0


def test_within_the_first_second_the_last_answer_stands(machine: Machine) -> None:
    """0.2 s of work in 0.3 s prove nothing, and are not lost for the look that follows."""
    monitor = cpu.open(machine.context("cpu"), cpu.Options(above=0.5))
    early = check(machine, monitor, 0.3, stat({"user": 70}, {"user": 50}))
    assert (early.last, early.measured, early.reason) == (None, None, "cpu not measured yet")
    assert check(machine, monitor, 0.7, stat({"user": 70}, {"user": 50})).measured == 0.1


def test_what_exceeds_a_second_at_the_limit_counts_at_once(machine: Machine) -> None:
    """0.3 s of two processors are more than 10 % of a second: no need to wait."""
    monitor = cpu.open(machine.context("cpu"), cpu.Options())
    assert check(machine, monitor, 0.3, stat({"user": 80}, {"user": 80})).last == 1000.3


def test_activity_is_remembered_when_it_has_ended(machine: Machine) -> None:
    """``last`` stays at the look that found work."""
    monitor = cpu.open(machine.context("cpu"), cpu.Options())
    check(machine, monitor, 60, stat({"user": 6050}, {"user": 50}))
    reading = check(machine, monitor, 60, stat({"user": 6050}, {"user": 50}))
    assert (reading.last, reading.measured) == (1060, 0)


def test_a_machine_without_a_list_of_processors_counts_those_it_shows(tmp_path: Path) -> None:
    """A container may hide /sys/devices/system/cpu."""
    assert cpu.present(Machine(tmp_path, {"/proc/stat": stat({}, {}, {})}).host.files) == 3


def test_a_file_that_ends_with_processors_is_read() -> None:
    """A container's /proc/stat (lxcfs) may hold nothing else."""
    assert cpu.parse("cpu 1 2 3 4 5 6 7 8 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10") == {"cpu": 19, "cpu0": 19}


def test_without_proc_it_says_so(tmp_path: Path) -> None:
    """Unavailable, with a remedy; opening raises the same answer."""
    machine = Machine(tmp_path, {})
    answer = cpu.probe(machine.host, cpu.Options())
    assert (bool(answer), answer.remedy) == (False, "mount /proc")
    with pytest.raises(UnavailableError):
        cpu.open(machine.context("cpu"), cpu.Options())


def test_the_probe_counts_processors_and_closing_is_harmless(machine: Machine) -> None:
    """What the admin sees; a second close does nothing."""
    assert cpu.probe(machine.host, cpu.Options()).detail == "2 processors"
    monitor = cpu.open(machine.context("cpu"), cpu.Options())
    monitor.close()
    monitor.close()


@given(st.lists(st.integers(0, 2**63), min_size=10, max_size=10), st.booleans())
def test_busy_time_never_exceeds_what_ran(ticks: list[int], ignore_nice: bool) -> None:
    """Busy is part of all time without guests, and one line is enough for a verdict."""
    busy = cpu.parse("cpu  " + " ".join(map(str, ticks)) + "\nintr 1\n", ignore_nice=ignore_nice)["cpu"]
    assert 0 <= busy <= sum(ticks[:8])
