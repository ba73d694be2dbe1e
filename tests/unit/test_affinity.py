"""Where threads may run is remembered where the kernel forgets it, and put back."""

from __future__ import annotations

import errno

import pytest

from fakekernel import acpi_server
from plans import napping
from powernap.host import affinity
from powernap.host.cpus import CPU, format_cpulist

STAT = "{pid} (work) S 1 1 1 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 {started} 0 0 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0"


def put_thread(kernel, pid, allowed, started=100):
    """A thread of a process of its own."""
    for where in (f"/proc/{pid}", f"/proc/{pid}/task/{pid}"):
        kernel.add(f"{where}/stat", STAT.format(pid=pid, started=started))
        kernel.add(f"{where}/status", f"Name:\twork\nCpus_allowed_list:\t{allowed}\n")


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Four processors under Linux 6.1, two threads bound to some of them and one to none."""
    kernel = acpi_server(tmp_path / "machine")
    kernel.put("/proc/sys/kernel/osrelease", "6.1.0-56-amd64")
    kernel.put(f"{CPU}/possible", kernel.read(f"{CPU}/online"))
    everywhere = kernel.read(f"{CPU}/online").strip()
    for pid, allowed in ((700, "0"), (701, "0-1"), (702, everywhere)):
        put_thread(kernel, pid, allowed)
    monkeypatch.setattr(
        kernel, "bind", lambda pid, cpus: put_thread(kernel, pid, format_cpulist(cpus)), raising=False
    )
    return kernel


def test_only_old_kernels_forget(machine):
    """Since 6.2 the kernel keeps what was asked for."""
    assert affinity.forgotten(machine)
    machine.put("/proc/sys/kernel/osrelease", "6.2.0")
    assert not affinity.forgotten(machine)


def test_bound_threads_are_remembered(machine):
    """By number and start; those that run everywhere only while a processor is off."""
    assert [change.target for change in affinity.bound(machine)] == ["700:100:", "701:100:"]
    machine.put(f"{CPU}/possible", "0-15")
    assert [change.target for change in affinity.bound(machine)] == ["700:100:", "701:100:", "702:100:"]


def test_parking_puts_them_back(machine):
    """After the partition has gone, which gave them other processors, as one that comes does."""

    def forget(_moment, path):
        if path.endswith("cpuset.cpus.partition"):
            for pid in (700, 701):
                put_thread(machine, pid, "0-3")

    machine.around = forget
    with napping(machine, "cpu-park"):
        assert affinity.read(machine, "701:100:") == "0-3"
    assert (affinity.read(machine, "700:100:"), affinity.read(machine, "701:100:")) == ("0", "0-1")


def test_a_thread_that_has_ended_has_nothing_to_put_back(machine):
    """Nor has another one of its number."""
    put_thread(machine, 700, "0", started=200)
    for use in (lambda: affinity.read(machine, "700:100:"), lambda: affinity.write(machine, "700:100:", "0")):
        with pytest.raises(OSError, match="has ended") as caught:
            use()
        assert caught.value.errno == errno.ESTALE


def test_processors_that_are_off_may_be_beyond_the_kernel(machine, monkeypatch):
    """Then nothing is left to be done."""
    monkeypatch.setattr(machine, "bind", lambda pid, _: put_thread(machine, pid, "0"))
    with pytest.raises(OSError, match="processors that are off"):
        affinity.write(machine, "701:100:99", "0,99")


def test_a_recorded_machine_binds_nobody(machine, monkeypatch):
    """Only this machine's kernel does, or a fake that can."""
    monkeypatch.delattr(machine, "bind")
    with pytest.raises(OSError, match="cannot be bound"):
        affinity.write(machine, "700:100:", "0")
