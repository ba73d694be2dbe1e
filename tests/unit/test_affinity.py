"""Where threads may run is remembered where the kernel forgets it, and put back."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from fakeattributes import CGROUP
from fakekernel import acpi_server
from plans import host_of, ledger_of, napping
from powernap.actions import find
from powernap.host import affinity
from powernap.host.cpus import CPU, format_cpulist
from powernap.host.knobs import Change

BOTH = [
    [("cpu-offline", 2), ("cpu-park", 1)],
    [("cpu-park", 1), ("cpu-offline", 2)],
    [("cpu-park", 2), ("cpu-offline", 1)],
]
"""Two actions, the first one first, and how many processors each keeps."""
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
    assert [change.target for change in affinity.bound(machine)] == ["700:100", "701:100"]
    machine.put(f"{CPU}/possible", "0-15")
    assert [change.target for change in affinity.bound(machine)] == ["700:100", "701:100", "702:100"]


def test_parking_puts_them_back(machine):
    """After the partition has gone, which gave them other processors, as one that comes does."""

    def forget(_moment, path):
        if path.endswith("cpuset.cpus.partition"):
            for pid in (700, 701):
                put_thread(machine, pid, "0-3")

    machine.around = forget
    with napping(machine, "cpu-park"):
        assert affinity.read(machine, "701:100") == "0-3"
    assert (affinity.read(machine, "700:100"), affinity.read(machine, "701:100")) == ("0", "0-1")


def test_a_thread_that_has_ended_has_nothing_to_put_back(machine):
    """Nor has another one of its number."""
    put_thread(machine, 700, "0", started=200)
    for use in (lambda: affinity.read(machine, "700:100"), lambda: affinity.write(machine, "700:100", "0")):
        with pytest.raises(OSError, match="has ended") as caught:
            use()
        assert caught.value.errno == errno.ESTALE


@pytest.mark.parametrize("target", ["701:100", "701:100:3"], ids=["now", "as 0.1.0 named it"])
def test_processors_that_are_off_may_be_beyond_the_kernel(machine, monkeypatch, target):
    """Then nothing is left to be done."""
    machine.set_online({0, 1, 2})
    monkeypatch.setattr(machine, "bind", lambda pid, _: put_thread(machine, pid, "0"))
    with pytest.raises(OSError, match="processors that are off"):
        affinity.write(machine, target, "0,3")


@pytest.mark.parametrize("order", BOTH)
@pytest.mark.parametrize("first", [None, "cpu-park", "cpu-offline"])
@pytest.mark.parametrize("handed_down", [False, True])
def test_threads_of_processors_that_are_off_meanwhile(machine, order, first, handed_down):
    """Whatever comes back first, and with a kernel that binds no thread to a processor that is off: they are bound as before."""
    host = host_of(machine)
    put_thread(machine, 703, "0-2")
    if handed_down:
        machine.write(f"{CGROUP}/cgroup.subtree_control", "+cpuset")

    def bind(pid, cpus):
        put_thread(machine, pid, format_cpulist(cpus & machine.cpus("online")))

    def forget(moment, path):
        enabled = "cpuset" in machine.read(f"{CGROUP}/cgroup.subtree_control")
        if moment == "after" and enabled and path.endswith(("cpuset.cpus.partition", "/online")):
            for pid in (700, 701, 703):
                put_thread(machine, pid, machine.read(f"{CGROUP}/cpuset.cpus.effective").strip())

    machine.bind, machine.around = bind, forget
    with ledger_of(machine) as ledger:
        for name, keep in order:
            module = find(name)
            ledger.perform(name, "nap", module.plan(host, module.Options(keep=keep)))
        assert affinity.read(machine, "703:100") != "0-2"
        waiting = [each.detail for each in ledger.restore(first) if each.outcome == "gone"]
        if first == "cpu-park":
            switch = f"{CPU}/cpu2/online"
            assert {*waiting} <= {f"waits until {switch} is put back; kept in the ledger"}
        ledger.restore()
        assert ledger.live() == []
    assert [affinity.read(machine, f"{pid}:100") for pid in (700, 701, 703)] == ["0", "0-1", "0-2"]


def test_hotplug_moves_threads_where_cgroups_have_the_controller(machine):
    """The kernel binds them anew when a processor goes and when it comes."""
    assert list(affinity.moved_by_hotplug(machine)) == []
    machine.write(f"{CGROUP}/cgroup.subtree_control", "+cpuset")
    assert [change.target for change in affinity.moved_by_hotplug(machine)] == ["700:100", "701:100"]
    machine.put("/proc/sys/kernel/osrelease", "6.2.0")
    assert list(affinity.moved_by_hotplug(machine)) == []


def test_a_recorded_machine_binds_nobody(machine, monkeypatch):
    """Only this machine's kernel does, or a fake that can."""
    monkeypatch.delattr(machine, "bind")
    with pytest.raises(OSError, match="cannot be bound"):
        affinity.write(machine, "700:100", "0")


def bound_by_a_nap(machine, ledger):
    """Parked, so that the threads are remembered."""
    module = find("cpu-park")
    ledger.perform("cpu-park", "nap", module.plan(host_of(machine), module.Options(keep=1)))


def test_another_restore_does_not_make_a_foreign_mask_ours(machine):
    """What an admin binds after a restore that moves no thread is his."""
    with ledger_of(machine) as ledger:
        bound_by_a_nap(machine, ledger)
        ledger.apply(Change("/proc/sys/vm/stat_interval", "60"), "other", "nap")
        ledger.restore("other")
        put_thread(machine, 701, "2")
        told = {each.target: each.outcome for each in ledger.restore()}
        assert told["701:100"] == "foreign"
        assert ledger.live() == []
    assert affinity.read(machine, "701:100") == "2"


def test_a_kernel_that_moves_threads_after_the_write(machine):
    """As a real one does when a processor comes: also when it is done after that restore has ended, the threads are bound as before."""
    with ledger_of(machine) as ledger:
        bound_by_a_nap(machine, ledger)
        ledger.apply(Change(f"{CPU}/cpu3/online", "0"), "cpu-offline", "nap")
        ledger.restore("cpu-offline")
        put_thread(machine, 701, "0-3")
        ledger.restore()
    assert affinity.read(machine, "701:100") == "0-1"


def test_a_processor_that_is_gone_for_good_holds_no_thread_up(machine):
    """Hot-removed while it was off: threads are bound as before, and its own switch is kept in the ledger."""
    with ledger_of(machine) as ledger:
        bound_by_a_nap(machine, ledger)
        ledger.apply(Change(f"{CPU}/cpu3/online", "0"), "cpu-offline", "nap")
        Path(f"{machine.root}{CPU}/cpu3/online").unlink()
        ledger.restore()
        left = {each.change.target: each.change.kind for each in ledger.live()}
        assert f"{CPU}/cpu3/online" in left
        assert "affinity" not in left.values()
    assert affinity.read(machine, "701:100") == "0-1"


@pytest.mark.parametrize("kernel_says", [errno.EINVAL, 0], ids=["none of them", "some of them"])
def test_a_cgroup_that_was_given_other_processors_meanwhile(machine, monkeypatch, kernel_says):
    """By whoever runs the container: nothing is left to be done, and the machine may sleep."""
    machine.add("/proc/701/cgroup", "0::/machine.slice/box\n")
    machine.add(f"{CGROUP}/machine.slice/box/cpuset.cpus", "\n")
    machine.add(f"{CGROUP}/machine.slice/cpuset.cpus", "0\n" if not kernel_says else "2-3\n")

    def bind(pid, _):
        if kernel_says:
            raise OSError(kernel_says, "Invalid argument")
        put_thread(machine, pid, "0")

    monkeypatch.setattr(machine, "bind", bind)
    with pytest.raises(OSError, match="its cgroup has other processors now") as caught:
        affinity.write(machine, "701:100", "0-1")
    assert caught.value.errno == errno.ESTALE


def test_a_refusal_for_another_reason_is_tried_again(machine, monkeypatch):
    """Its cgroup has all processors: what the kernel does not do now it may do later."""

    def bind(*_):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(machine, "bind", bind)
    with pytest.raises(OSError, match="Invalid") as caught:
        affinity.write(machine, "701:100", "0-1")
    assert caught.value.errno == errno.EINVAL
