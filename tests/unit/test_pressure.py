"""monitors/pressure.py: what it asks of the kernel, and what it makes of a pressure file. The kernel itself: tests/integration/test_pressure.py."""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machines import Machine
from powernap.host.availability import UnavailableError
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.monitors import Context, pressure


def lines(total: int, average: float = 0.0) -> str:
    """A pressure file as the kernel writes it, with nothing in ``full``."""
    return f"some avg10={average:.2f} avg60=0.00 avg300=0.00 total={total}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"


class Calls:
    """Ears that only note who listens; the test says when something is heard."""

    def __init__(self) -> None:
        self.listening: dict[int, Callable[[], None]] = {}

    def listen(self, fd: int, heard: Callable[[], None], *, priority: bool = False) -> None:
        """A trigger must be heard by EPOLLPRI: it is always readable."""
        assert priority
        self.listening[fd] = heard

    def ignore(self, fd: int) -> None:
        """Forget it."""
        self.listening.pop(fd, None)

    def later(self, delay: float, do: Callable[[], None]) -> None:
        """Nothing here waits."""
        raise AssertionError


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A recorded machine that has waited 5 s for its processors since boot."""
    return Machine(tmp_path, {"/proc/pressure/cpu": lines(5_000_000, 2.5)})


def group(tmp_path: Path, machine: Machine) -> tuple[pressure.PressureMonitor, Calls, pressure.Options]:
    """A live monitor of a "control group" that is a plain directory: it takes the trigger and never fires."""
    (tmp_path / "nginx.service").mkdir()
    (tmp_path / "nginx.service/io.pressure").write_text(lines(0) + " " * 200)
    options = pressure.Options(resource="io", cgroup=str(tmp_path / "nginx.service"))
    ears = Calls()
    host = Host(files=TreeFiles(), clock=machine.clock, ears=ears)
    return pressure.open(Context("wait", host, machine.told.append), options), ears, options


def test_a_recorded_machine_tells_its_last_ten_seconds_first(machine: Machine) -> None:
    """With nothing to compare, the kernel's own average is the answer."""
    reading = pressure.open(machine.context("wait"), pressure.Options()).check(1000)
    assert (reading.measured, reading.last, reading.limit) == (0.025, None, 0.15)
    assert (
        reading.reason == "some tasks waited for cpu 2.5% of the time since the last look (limit 15% of 2s)"
    )


def test_totals_say_what_happened_between_two_looks(machine: Machine) -> None:
    """30 s of waiting in a minute are half of it."""
    monitor = pressure.open(machine.context("wait"), pressure.Options())
    assert not monitor.events, "without a trigger it must be looked at, while napping too"
    monitor.check(1000)
    machine.put("/proc/pressure/cpu", lines(35_000_000))
    reading = monitor.check(1060)
    assert (reading.measured, reading.last, reading.active) == (0.5, 1060, False)
    monitor.close()


def test_full_is_another_line(machine: Machine) -> None:
    """And its words say that nobody could run."""
    reading = pressure.open(machine.context("wait"), pressure.Options(stall="full")).check(1000)
    assert reading.reason.startswith("all tasks waited for cpu 0%")


def test_the_trigger_asks_for_a_share_of_the_window(tmp_path: Path, machine: Machine) -> None:
    """15 % of 2 s are 300,000 of 2,000,000 us, closed by a zero byte (psi.rst)."""
    monitor, ears, options = group(tmp_path, machine)
    assert Path(pressure.path(options)).read_bytes().startswith(b"some 300000 2000000\0")
    assert monitor.source == "trigger, window 2s"
    assert monitor.events
    assert len(ears.listening) == 1
    monitor.close()
    assert not ears.listening


def test_it_is_deaf_after_hearing_until_it_looks(tmp_path: Path, machine: Machine) -> None:
    """One wake-up, one telling; the next look listens again."""
    monitor, ears, _ = group(tmp_path, machine)
    (heard,) = ears.listening.values()
    machine.clock.now = 1007
    heard()
    assert not ears.listening
    assert [(r.monitor, r.active, r.last) for r in machine.told] == [("wait", False, 1007)]
    assert machine.told[0].reason == "some tasks in nginx.service waited for io for over 15% of 2s"
    monitor.close()
    heard()
    assert len(machine.told) == 1


def test_a_group_that_has_gone_is_no_failure_and_is_found_again(tmp_path: Path, machine: Machine) -> None:
    """A service that is stopped waits for nothing; when it is started again its trigger is set anew."""
    (tmp_path / "nginx.service").mkdir()
    ears, options = Calls(), pressure.Options(resource="io", cgroup=str(tmp_path / "nginx.service"))
    (tmp_path / "nginx.service").rmdir()
    if not os.path.exists("/proc/pressure"):
        pytest.skip("needs a kernel with pressure measurement")
    monitor = pressure.open(
        Context("wait", Host(clock=machine.clock, ears=ears), machine.told.append), options
    )
    gone = monitor.check(1000)
    assert (gone.reason, gone.failed, gone.last) == (f"nothing runs in {options.cgroup}", False, None)
    (tmp_path / "nginx.service").mkdir()
    (tmp_path / "nginx.service/io.pressure").write_text(lines(0) + " " * 200)
    monitor._set()
    monitor._ear.arm()
    assert len(ears.listening) == 1
    monitor.close()


def test_a_pressure_file_that_vanishes_fails(machine: Machine) -> None:
    """That of the machine cannot vanish: an exception, which keeps the machine awake."""
    monitor = pressure.open(machine.context("wait"), pressure.Options())
    (machine.root / "proc/pressure/cpu").unlink()
    with pytest.raises(FileNotFoundError):
        monitor.check(1000)


@pytest.mark.parametrize(
    ("problem", "options", "remedy"),
    [
        (errno.EOPNOTSUPP, pressure.Options(), "psi=1"),
        (errno.ENOENT, pressure.Options(), "CONFIG_PSI"),
        (errno.EACCES, pressure.Options(cgroup="/x"), "check the path"),
    ],
)
def test_a_kernel_without_pressure_is_told_with_a_remedy(
    problem: int, options: pressure.Options, remedy: str
) -> None:
    """Switched off, not built in, or no such group."""
    answer = pressure.refused(OSError(problem, os.strerror(problem)), options)
    assert not answer
    assert remedy in answer.remedy


def test_a_machine_without_pressure_files_cannot_be_opened(tmp_path: Path) -> None:
    """The answer of the probe is raised."""
    machine = Machine(tmp_path, {})
    with pytest.raises(UnavailableError, match="no /proc/pressure/memory"):
        pressure.open(machine.context("wait"), pressure.Options(resource="memory"))


def test_a_kernel_without_full_for_processors_says_so(machine: Machine) -> None:
    """Before Linux 5.13 cpu has only "some"."""
    machine.put("/proc/pressure/cpu", lines(1).splitlines()[0] + "\n")
    assert pressure.probe(machine.host, pressure.Options(stall="full")).remedy == 'set stall = "some"'
    assert pressure.probe(machine.host, pressure.Options()).detail == "cpu pressure 0% now, recorded machine"


@pytest.mark.parametrize(
    ("wanted", "tried"), [(1.0, [1, 2]), (2.0, [2]), (3.5, [3.5, 4]), (10.0, [10]), (9.0, [9, 10])]
)
def test_a_window_that_needs_a_right_is_followed_by_one_that_does_not(
    wanted: float, tried: list[float]
) -> None:
    """Without CAP_SYS_RESOURCE the kernel takes multiples of 2 s up to 10."""
    assert list(pressure.windows(wanted)) == tried


def test_options_that_the_kernel_would_refuse_are_refused_with_an_example() -> None:
    """The configuration shows these sentences."""
    assert '"2s"' in (pressure.wrong_window(0.1) or "")
    assert '"15%"' in (pressure.wrong_share(0) or "")
    assert pressure.wrong_window(10) is None
    assert pressure.wrong_share(1) is None


def test_a_trigger_that_is_refused_leaves_no_descriptor(tmp_path: Path) -> None:
    """The error is the kernel's; the descriptor is closed."""
    os.mkfifo(tmp_path / "cpu.pressure")
    before = len(os.listdir("/proc/self/fd"))
    reader = os.open(tmp_path / "cpu.pressure", os.O_RDWR | os.O_NONBLOCK)
    os.set_blocking(reader, False)
    while select.select([], [reader], [], 0)[1]:
        os.write(reader, b"x" * 4096)
    with pytest.raises(BlockingIOError):
        pressure.arm(str(tmp_path / "cpu.pressure"), "some", 0.5, 2)
    os.close(reader)
    assert len(os.listdir("/proc/self/fd")) == before


@given(st.integers(0, 2**63), st.integers(0, 10000))
def test_every_line_of_the_kernels_form_is_read(total: int, average: int) -> None:
    """Totals exactly, averages to two digits."""
    found = pressure.parse(lines(total, average / 100))["some"]
    assert found.total == total
    assert abs(found.average - average / 10000) < 1e-9
