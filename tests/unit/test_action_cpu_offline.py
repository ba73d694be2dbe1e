"""cpu-offline takes only processors that nobody needs, brings back only those, and puts back every interrupt mask."""

from __future__ import annotations

import pytest

from fakekernel import acpi_server, laptop_like, plain_vm
from plans import host_of, ledger_of, napping, probe, remembered, written
from powernap.actions import cpu_offline, find
from powernap.host.availability import UnavailableError

CPU = "/sys/devices/system/cpu"


@pytest.fixture
def machine(tmp_path):
    """The machine of these tests."""
    return acpi_server(tmp_path / "machine")


def pin(kernel, pid, name, cpus):
    """A process with one thread that may run only there."""
    kernel.add_task(pid, name, cpus)
    kernel.add(f"/proc/{pid}/task/{pid}/stat", kernel.read(f"/proc/{pid}/stat"))


def taken(entries):
    """The processors that were switched off, in order."""
    return [target.split("/")[5] for target in written(entries)]


@pytest.mark.parametrize("build", [acpi_server, laptop_like, plain_vm], ids=lambda build: build.__name__)
def test_all_but_one_go_and_come_back(tmp_path, build):
    """Only the first processor stays; afterwards also the interrupts that the kernel moved are where they were."""
    kernel = build(tmp_path / "machine")
    before = kernel.snapshot()
    last = kernel.read("/proc/irq/24/smp_affinity")
    with napping(kernel, "cpu-offline"):
        assert kernel.read(f"{CPU}/online") == "0\n"
        assert kernel.read("/proc/irq/24/smp_affinity") != last
    assert kernel.read("/proc/irq/24/smp_affinity") == last
    assert kernel.changes(before) == {}


def test_masks_are_remembered_first(machine):
    """Masks before processors, the highest processor first: backwards, processors return in order and masks last."""
    with napping(machine, "cpu-offline") as entries:
        assert remembered(entries)[0] == "/proc/irq/default_smp_affinity"
        assert "/proc/irq/24 (eth0-rx-0; PCI-MSI 1572864) smp_affinity" in remembered(entries)
        assert entries[-1].change.target == f"{CPU}/cpu1/online"
        assert taken(entries) == ["cpu3", "cpu2", "cpu1"]


@pytest.mark.parametrize("apart", [False, True], ids=["global tunables", "a policy's own tunables"])
def test_what_a_policy_forgets_with_its_last_processor_comes_back(machine, apart):
    """Its governor's tunables, its highest frequency and its own boost switch: after the processors, without cpu-clock's help."""
    policy = f"{CPU}/cpufreq/policy2"
    if apart:
        machine.add("/.fake/governor_per_policy")
    machine.write(f"{policy}/scaling_governor", "conservative")
    machine.write(f"{policy if apart else f'{CPU}/cpufreq'}/conservative/freq_step", "9")
    machine.add(f"{policy}/boost", "1")
    machine.write(f"{policy}/boost", "0")
    machine.write(f"{policy}/scaling_max_freq", "1800000")
    before = machine.snapshot()
    with napping(machine, "cpu-offline"):
        assert not machine.exists(f"{CPU}/cpufreq/conservative")
        assert not machine.exists(f"{policy}/conservative")
    assert machine.changes(before) == {}


def test_a_policy_of_which_a_processor_stays_forgets_nothing(machine):
    """Nothing of its governor is remembered, so nobody is told of what an admin sets there in the middle of a nap."""
    with napping(machine, "cpu-offline", keep=3) as entries:
        assert taken(entries) == ["cpu3"]
        assert [target for target in remembered(entries) if "/cpufreq/" in target] == []


def test_tunables_that_wait_for_their_processors_outlive_a_kill(machine):
    """Restored by the next life of the daemon: while their policy is off nobody can have set them, so they are put back."""
    machine.write(f"{CPU}/cpufreq/policy2/scaling_governor", "conservative")
    machine.write(f"{CPU}/cpufreq/conservative/freq_step", "9")
    before, host = machine.snapshot(), host_of(machine)
    with ledger_of(machine) as ledger:
        ledger.perform("cpu-offline", "nap", cpu_offline.plan(host, cpu_offline.Options()))
    with ledger_of(machine) as ledger:
        assert {each.outcome for each in ledger.restore()} <= {"restored", "already"}
    assert machine.changes(before) == {}


def test_what_cpu_clock_has_set_is_still_set_when_processors_come_back(machine):
    """A stage ends before the other: cpu-clock's limit, which the kernel forgot meanwhile, is in force again, and is then its to restore."""
    before, host = machine.snapshot(), host_of(machine)
    with ledger_of(machine) as ledger:
        ledger.perform("cpu-clock", "ease", find("cpu-clock").plan(host, find("cpu-clock").Options()))
        clocked = machine.snapshot()
        ledger.perform("cpu-offline", "nap", cpu_offline.plan(host, cpu_offline.Options()))
        assert {each.outcome for each in ledger.restore("cpu-offline")} <= {"restored", "already"}
        assert machine.changes(clocked) == {}
        assert {each.outcome for each in ledger.restore()} <= {"restored", "already"}
    assert machine.changes(before) == {}


def test_processor_that_an_admin_took_stays_away(machine):
    """What was offline before is not brought online."""
    machine.write(f"{CPU}/cpu2/online", "0")
    with napping(machine, "cpu-offline") as entries:
        assert taken(entries) == ["cpu3", "cpu1"]
    assert machine.read(f"{CPU}/online") == "0-1,3\n"


def test_every_node_keeps_one(machine):
    """No NUMA node is emptied, whatever is asked for; `keep` only adds."""
    machine.add("/sys/devices/system/node/node0/cpulist", "0-1")
    machine.add("/sys/devices/system/node/node1/cpulist", "2-3")
    assert probe(machine, "cpu-offline", keep=1).detail == "can switch off 1,3"
    assert probe(machine, "cpu-offline", keep=3).detail == "can switch off 3"
    with napping(machine, "cpu-offline") as entries:
        assert taken(entries) == ["cpu3", "cpu1"]


@pytest.mark.parametrize(
    ("allowed", "gone", "names"),
    [({3}, "1-2", True), ({2, 3}, "1", True), ({0, 3}, "1-3", False), ({0}, "1-3", False)],
)
def test_pinned_task_keeps_its_processors(machine, allowed, gone, names):
    """A task that could run nowhere else keeps its processors; one that has another place does not."""
    pin(machine, 812, "nginx", allowed)
    answer = probe(machine, "cpu-offline")
    assert answer.detail.startswith(f"can switch off {gone}")
    assert ("nginx (pid 812) is pinned to" in answer.detail) is names


def test_everything_pinned_leaves_nothing(machine):
    """When tasks hold all of them the answer is no, with who."""
    pin(machine, 812, "dpdk", {1, 2, 3})
    answer = probe(machine, "cpu-offline")
    assert not answer
    assert answer.detail == "no processor is free to go; dpdk (pid 812) is pinned to 1-3, which stays online"


@pytest.mark.parametrize("vendor", ["AuthenticAMD", "HygonGenuine"])
def test_amd_only_by_force(machine, vendor):
    """Offline threads raised the idle power of AMD machines: the admin must have measured."""
    machine.add("/proc/cpuinfo", f"vendor_id\t: {vendor}\n")
    answer = probe(machine, "cpu-offline")
    assert not answer
    assert "force_amd" in answer.remedy
    assert probe(machine, "cpu-offline", force_amd=True)


def test_guards_hold_at_the_plan_too(machine):
    """A guest that started since the probe stops the plan before its first change."""
    assert probe(machine, "cpu-offline")
    machine.add_task(700, "qemu-system-x86")
    assert not probe(machine, "cpu-offline")
    with pytest.raises(UnavailableError, match="qemu-system-x86"):
        next(cpu_offline.plan(host_of(machine), cpu_offline.Options()))
    assert probe(machine, "cpu-offline", despite=("guests",))


def test_kernel_without_hotplug(machine):
    """Without online switches the answer names cpu-park."""
    for cpu in (1, 2, 3):
        machine.vanish(f"{CPU}/cpu{cpu}/online")
    answer = probe(machine, "cpu-offline")
    assert (answer.usable, answer.remedy) == (False, "use cpu-park")


def test_read_only_switches(machine):
    """In a container the switches are there and closed."""
    for cpu in (1, 2, 3):
        machine.lock(f"{CPU}/cpu{cpu}/online")
    answer = probe(machine, "cpu-offline")
    assert (answer.usable, answer.remedy) == (False, "run as root, outside a container")


def test_one_processor(machine):
    """Nothing to switch off, and nothing to pass over."""
    machine.set_online({0})
    assert probe(machine, "cpu-offline").remedy == ""


def test_the_last_of_the_parked_processors_goes_too(machine):
    """Linux 6.1 may refuse it while it is alone in its partition: that has no use any more, and is dissolved before."""
    machine.add("/.fake/bandwidth_is_booked")
    before, host = machine.snapshot(), host_of(machine)
    with ledger_of(machine) as ledger:
        ledger.perform("cpu-park", "nap", find("cpu-park").plan(host, find("cpu-park").Options()))
        performed = ledger.perform("cpu-offline", "nap", cpu_offline.plan(host, cpu_offline.Options()))
        assert performed.refused == ()
        assert machine.read(f"{CPU}/online") == "0\n"
        ledger.restore()
    assert machine.changes(before) == {}


def test_a_partition_of_which_something_is_left_stays(machine):
    """One processor stays on: nothing may run there."""
    with napping(machine, "cpu-park"):
        plan = cpu_offline.plan(host_of(machine), cpu_offline.Options(keep=2))
        assert [change.target for change in plan if change.new is not None] == [
            f"{CPU}/cpu3/online",
            f"{CPU}/cpu2/online",
        ]


def test_one_that_is_refused_stays(machine):
    """A deadline task came since the probe: the others save, and it is named."""
    machine.deadline_on(2)
    before = machine.snapshot()
    with ledger_of(machine) as ledger:
        performed = ledger.perform(
            "cpu-offline", "nap", cpu_offline.plan(host_of(machine), cpu_offline.Options())
        )
        assert [each.change.target for each in performed.refused] == [f"{CPU}/cpu2/online"]
        assert machine.read(f"{CPU}/online") == "0,2\n"
        ledger.restore()
    assert machine.changes(before) == {}


def test_it_is_opt_in():
    """Its risk is named, and keeping none is refused."""
    assert (cpu_offline.RISK, cpu_offline.LANE) == ("careful", "slow")
    check = cpu_offline.Options.__dataclass_fields__["keep"].metadata["check"]
    assert check(0)
    assert check(1) is check(None) is None
