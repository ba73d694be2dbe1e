"""smt-off takes second threads only, and its four traps are put right: revived processors, lost cores, masks, bound tasks."""

from __future__ import annotations

import pytest

from fakekernel import acpi_server, container, laptop_like, plain_vm
from plans import host_of, ledger_of, napping, probe, remembered, written
from powernap.actions import smt_off
from powernap.host.availability import UnavailableError
from powernap.host.ledger import ApplyError

CPU = "/sys/devices/system/cpu"
CONTROL = f"{CPU}/smt/control"


@pytest.fixture
def machine(tmp_path):
    """Cores of the threads 0 and 1, 2 and 3."""
    return acpi_server(tmp_path / "machine")


def pin(kernel, pid, name, cpus):
    """A process with one thread that may run only there."""
    kernel.add_task(pid, name, cpus)
    kernel.add(f"/proc/{pid}/task/{pid}/stat", kernel.read(f"/proc/{pid}/stat"))


@pytest.mark.parametrize(("build", "left"), [(acpi_server, "0,2"), (laptop_like, "0-1")])
def test_second_threads_go_and_come_back(tmp_path, build, left):
    """One thread of each core stays; afterwards all is as it was, also the interrupts that the kernel moved."""
    kernel = build(tmp_path / "machine")
    before = kernel.snapshot()
    with napping(kernel, "smt-off") as entries:
        assert kernel.read(f"{CPU}/online") == left + "\n"
        assert written(entries) == {CONTROL: "off"}
        assert kernel.changes(before).get("/proc/irq/24/smp_affinity")
    assert kernel.changes(before) == {}


@pytest.mark.parametrize(
    ("build", "detail"),
    [
        (plain_vm, "the processors have one thread each, or a hypervisor hides them"),
        (container, "the processors have one thread each"),
    ],
)
def test_without_threads(tmp_path, build, detail):
    """A virtual machine and a container have nothing to switch."""
    answer = probe(build(tmp_path / "machine"), "smt-off")
    assert not answer
    assert answer.detail.startswith(detail)


@pytest.mark.parametrize("state", ["off", "forceoff", "notsupported", "notimplemented", ""])
def test_other_states_of_the_switch(machine, state):
    """Off already, off for good, or none there."""
    machine.add(CONTROL, state)
    assert not probe(machine, "smt-off")
    assert probe(machine, "smt-off").detail


def test_masks_come_back_last(machine):
    """Masks are remembered first, then which processors are online; the switch is written last and undone first."""
    with napping(machine, "smt-off") as entries:
        assert remembered(entries)[0] == "/proc/irq/default_smp_affinity"
        assert remembered(entries)[-3:] == [f"{CPU}/cpu{cpu}/online" for cpu in (1, 2, 3)]
        assert entries[-1].change.target == CONTROL


def test_what_a_policy_of_second_threads_forgets_comes_back(machine):
    """Where each thread has a policy of its own, or the second ones share one: its governor's tunables and its highest frequency."""
    machine.add("/.fake/cores", "0,2\n1,3")
    machine.write(f"{CPU}/cpufreq/policy2/scaling_governor", "conservative")
    machine.write(f"{CPU}/cpufreq/conservative/freq_step", "9")
    machine.write(f"{CPU}/cpufreq/policy2/scaling_max_freq", "1800000")
    before = machine.snapshot()
    with napping(machine, "smt-off"):
        assert machine.read(f"{CPU}/online") == "0-1\n"
        assert not machine.exists(f"{CPU}/cpufreq/conservative")
    assert machine.changes(before) == {}


def test_a_second_thread_that_an_admin_took_stays_away(machine):
    """``on`` revives it, and it is taken off again."""
    machine.write(f"{CPU}/cpu3/online", "0")
    before = machine.snapshot()
    with napping(machine, "smt-off"):
        assert machine.read(f"{CPU}/online") == "0,2\n"
    assert machine.read(f"{CPU}/online") == "0-2\n"
    assert machine.changes(before) == {}


def test_a_core_whose_first_thread_is_off_is_not_lost(machine):
    """``off`` would take the rest of it: refused; passed over, everything still comes back and the admin's stays off."""
    machine.write(f"{CPU}/cpu2/online", "0")
    answer = probe(machine, "smt-off")
    assert (
        answer.detail == "processor 3 may be a second thread whose first is offline: its whole core would go"
    )
    assert answer.remedy == 'despite = ["lost-core"] passes over this'
    before = machine.snapshot()
    with napping(machine, "smt-off", despite=("lost-core",)):
        assert machine.read(f"{CPU}/online") == "0\n"
    assert machine.changes(before) == {}


def test_a_thread_that_cannot_go(machine):
    """EBUSY at the last one: the kernel leaves the others off with the switch on; they are brought back."""
    machine.deadline_on(3)
    before, host = machine.snapshot(), host_of(machine)
    with ledger_of(machine) as ledger:
        with pytest.raises(ApplyError, match="busy"):
            ledger.perform("smt-off", "nap", smt_off.plan(host, smt_off.Options()))
        assert ledger.live() == []
    assert machine.read(f"{CPU}/online") == "0-3\n"
    assert machine.changes(before) == {}


@pytest.mark.parametrize(
    ("allowed", "forbidden"), [({1}, True), ({1, 3}, True), ({0, 1}, False), ({2}, False)]
)
def test_bound_tasks(machine, allowed, forbidden):
    """A task that may run on second threads only forbids it, by name."""
    pin(machine, 812, "nginx", allowed)
    answer = probe(machine, "smt-off")
    assert bool(answer) is not forbidden
    assert ("nginx (pid 812) is pinned to" in answer.detail) is forbidden


def test_a_processor_that_somebody_brought_back_is_kept(machine):
    """What an admin does in the middle of the nap wins: here the switch itself."""
    host = host_of(machine)
    with ledger_of(machine) as ledger:
        ledger.perform("smt-off", "nap", smt_off.plan(host, smt_off.Options()))
        machine.write(CONTROL, "forceoff")
        outcomes = {each.target: each.outcome for each in ledger.restore()}
        assert outcomes[CONTROL] == "foreign"
    assert machine.read(CONTROL) == "forceoff\n"
    assert machine.read(f"{CPU}/online") == "0,2\n"


@pytest.mark.parametrize("vendor", ["AuthenticAMD", "HygonGenuine"])
def test_amd_only_by_force(machine, vendor):
    """Offline threads raised the idle power of AMD machines."""
    machine.add("/proc/cpuinfo", f"vendor_id\t: {vendor}\n")
    assert "force_amd" in probe(machine, "smt-off").remedy
    assert probe(machine, "smt-off", force_amd=True)


def test_guards_hold_at_the_plan_too(machine):
    """A guest that started since the probe stops the plan before its first change."""
    assert probe(machine, "smt-off")
    machine.add_task(700, "qemu-system-x86")
    with pytest.raises(UnavailableError, match="qemu-system-x86"):
        next(smt_off.plan(host_of(machine), smt_off.Options()))
    assert probe(machine, "smt-off", despite=("guests",))


def test_one_thread_of_each_core_is_online(machine):
    """Nothing would be saved."""
    for cpu in (1, 3):
        machine.write(f"{CPU}/cpu{cpu}/online", "0")
    assert probe(machine, "smt-off").detail == "no core has two threads online"


def test_read_only(machine):
    """In a container on a host with threads."""
    machine.read_only_mount()
    assert probe(machine, "smt-off").remedy == "run as root, outside a container"


def test_it_is_opt_in():
    """Its risk is named; it takes long to come back."""
    assert (smt_off.RISK, smt_off.LANE) == ("careful", "slow")
