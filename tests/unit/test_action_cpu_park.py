"""cpu-park moves tasks, interrupts and work queues to a few processors, and back exactly."""

from __future__ import annotations

import pytest

from fakekernel import acpi_server, laptop_like, plain_vm
from plans import host_of, ledger_of, napping, probe, written
from powernap.actions import cpu_park
from powernap.host.availability import UnavailableError
from powernap.host.ledger import ApplyError

GROUPS = "/sys/fs/cgroup"
OURS = f"{GROUPS}/powernap-parked"
QUEUES = "/sys/devices/virtual/workqueue"
MANAGED = "/proc/irq/31 (nvme0q2; PCI-MSI 524290) smp_affinity"
HYBRID = "cgroup /sys/fs/cgroup/cpuset cgroup rw,cpuset 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"


@pytest.fixture
def machine(tmp_path):
    """The machine of these tests."""
    return acpi_server(tmp_path / "machine")


@pytest.mark.parametrize("build", [acpi_server, laptop_like, plain_vm], ids=lambda build: build.__name__)
def test_everything_moves_and_comes_back(tmp_path, build):
    """On each machine only the first processor is left in use, and afterwards nothing differs."""
    kernel = build(tmp_path / "machine")
    before = kernel.snapshot()
    with napping(kernel, "cpu-park"):
        assert kernel.read(f"{GROUPS}/cpuset.cpus.effective") == "0\n"
        assert kernel.read(f"{OURS}/cpuset.cpus.partition") == "isolated\n"
        assert kernel.read("/proc/irq/24/smp_affinity_list") == "0\n"
        assert kernel.read("/proc/irq/30/smp_affinity_list") != "0\n"
        assert int(kernel.read(f"{QUEUES}/cpumask").strip().replace(",", ""), 16) == 1
    assert kernel.changes(before) == {}


def test_order_of_writing(machine):
    """Queues before the partition that would change what they read; the partition last, so that it is undone first."""
    with napping(machine, "cpu-park") as entries:
        order = [entry.change.target for entry in entries]
    assert order[0] == f"{QUEUES}/cpumask"
    assert order[-4:] == [
        f"{GROUPS}/cgroup.subtree_control",
        OURS,
        f"{OURS}/cpuset.cpus",
        f"{OURS}/cpuset.cpus.partition",
    ]


def test_controller_that_was_handed_down_stays(machine):
    """The cpuset controller is switched off again only where we switched it on."""
    machine.write(f"{GROUPS}/cgroup.subtree_control", "+cpuset")
    with napping(machine, "cpu-park") as entries:
        assert f"{GROUPS}/cgroup.subtree_control" not in written(entries)
    assert "cpuset" in machine.read(f"{GROUPS}/cgroup.subtree_control").split()


def test_interrupt_that_is_there_already_is_left(machine):
    """An interrupt within the kept processors is not moved, so there is nothing to restore."""
    with napping(machine, "cpu-park") as entries:
        moved = [target.split()[0] for target in written(entries)]
        assert "/proc/irq/25" not in moved
        assert "/proc/irq/24" in moved


@pytest.mark.parametrize("build", [acpi_server, laptop_like, plain_vm], ids=lambda build: build.__name__)
def test_interrupt_that_refuses_spoils_nothing(tmp_path, build):
    """A kernel before 6.10 shows an interrupt that it places itself as writable, and answers EIO: everything else is parked."""
    kernel = build(tmp_path / "machine")
    before = kernel.snapshot()
    with ledger_of(kernel) as ledger:
        performed = ledger.perform("cpu-park", "nap", cpu_park.plan(host_of(kernel), cpu_park.Options()))
        assert [each.change.target for each in performed.refused] == [MANAGED]
        assert kernel.read(f"{OURS}/cpuset.cpus.partition") == "isolated\n"
        assert kernel.read("/proc/irq/24/smp_affinity_list") == "0\n"
        ledger.restore()
    assert kernel.changes(before) == {}


def test_wake_card_keeps_a_processor_of_its_node(machine):
    """A card that wakes the machine is served beside its memory; `keep` says otherwise."""
    machine.add("/sys/devices/system/node/node0/cpulist", "0-1")
    machine.add("/sys/devices/system/node/node1/cpulist", "2-3")
    machine.add("/sys/class/net/eth0/device/power/wakeup", "enabled")
    machine.add("/sys/class/net/eth0/device/numa_node", "1")
    assert probe(machine, "cpu-park").detail.endswith("off 2 processors (1,3)")
    assert probe(machine, "cpu-park", keep=1).detail.endswith("off 3 processors (1-3)")
    with napping(machine, "cpu-park"):
        assert machine.read(f"{GROUPS}/cpuset.cpus.effective") == "0,2\n"


def test_parts_can_be_left_out(machine):
    """Without interrupts and work queues only tasks are parked."""
    with napping(machine, "cpu-park", interrupts=False, work_queues=False) as entries:
        assert all(target.startswith(GROUPS) for target in written(entries))


def test_irqbalance_keeps_the_interrupts(machine):
    """Fighting irqbalance is pointless: interrupts stay, the rest is parked, and the probe says what to do."""
    machine.add("/proc/90/comm", "irqbalance")
    machine.add_task(90, "irqbalance")
    answer = probe(machine, "cpu-park")
    assert answer
    assert "interrupts stay: irqbalance (pid 90)" in answer.detail
    assert '"irqbalance.service"' in answer.detail
    with napping(machine, "cpu-park") as entries:
        assert not [target for target in written(entries) if target.startswith("/proc/irq")]


@pytest.mark.parametrize(
    ("mounts", "said"),
    [(HYBRID, "cpuset is bound to cgroup v1"), ("", "cgroup v2 is not mounted")],
    ids=["hybrid", "none"],
)
def test_without_a_unified_hierarchy_tasks_stay(machine, mounts, said):
    """Interrupts and work queues still move, and the remedy is named."""
    machine.add("/proc/mounts", mounts)
    answer = probe(machine, "cpu-park")
    assert answer
    assert answer.detail == f"interrupts, work queues off 3 processors (1-3); tasks stay: {said}"
    assert "systemd.unified_cgroup_hierarchy=1" in answer.remedy
    before = machine.snapshot()
    with napping(machine, "cpu-park") as entries:
        assert not [target for target in written(entries) if target.startswith(GROUPS)]
    assert machine.changes(before) == {}


def test_container_has_nothing_to_park(machine):
    """Where nothing may be written the reason and the remedy are said."""
    machine.add(f"{GROUPS}/cgroup.type", "domain")
    for path in machine.snapshot():
        if not path.endswith("/"):
            machine.lock(path)
    answer = probe(machine, "cpu-park")
    assert (answer.usable, answer.remedy) == (False, "run it on the host, as root")
    assert "this is a container" in answer.detail
    with napping(machine, "cpu-park") as entries:
        assert entries == []


def test_guard_forbids_it_and_can_be_passed_over(machine):
    """A standing guard is a reason, at the probe and again when the plan is carried out."""
    machine.add("/proc/cmdline", "isolcpus=2,3")
    answer = probe(machine, "cpu-park")
    assert (answer.usable, answer.remedy) == (False, 'despite = ["isolcpus"] passes over this')
    with pytest.raises(UnavailableError, match="isolcpus=2,3"):
        next(cpu_park.plan(host_of(machine), cpu_park.Options()))
    assert probe(machine, "cpu-park", despite=("isolcpus",))


def test_one_processor_has_no_remedy(machine):
    """Nothing can be done about a machine with one processor."""
    machine.set_online({0})
    answer = probe(machine, "cpu-park")
    assert (answer.usable, answer.remedy) == (False, "")


def test_keeping_all_parks_none(machine):
    """An option that leaves nothing to do is said, and does nothing."""
    answer = probe(machine, "cpu-park", keep=4)
    assert (answer.usable, answer.detail) == (False, "keep = 4 leaves nothing to park")
    with napping(machine, "cpu-park", keep=4) as entries:
        assert entries == []


def test_partition_that_the_kernel_calls_invalid_is_undone(machine):
    """The write succeeds when another cgroup owns the processors; reading back tells, and everything is put back."""
    host = host_of(machine)
    machine.write(f"{GROUPS}/cgroup.subtree_control", "+cpuset")
    machine.write(f"{GROUPS}/system.slice/cpuset.cpus", "1")
    before = machine.snapshot()
    options = cpu_park.Options(despite=("cpusets",))
    with ledger_of(machine) as ledger:
        with pytest.raises(ApplyError, match="isolated invalid"):
            ledger.perform("cpu-park", "nap", cpu_park.plan(host, options))
        assert ledger.live() == []
    assert machine.changes(before) == {}


@pytest.mark.parametrize(
    ("release", "kind"),
    [
        ("5.10.0-28-amd64", "root"),
        ("6.0.9", "root"),
        ("6.1.0", "isolated"),
        ("7.0", "isolated"),
        ("", "isolated"),
    ],
)
def test_kind_of_partition_by_kernel(release, kind):
    """Before Linux 6.1 there are only root partitions."""
    assert cpu_park.partition_kind(release) == kind


def test_old_kernel_gets_a_root_partition(machine):
    """The release decides what is written."""
    machine.add("/proc/sys/kernel/osrelease", "5.15.0-generic")
    with napping(machine, "cpu-park"):
        assert machine.read(f"{OURS}/cpuset.cpus.partition") == "root\n"


def test_keep_must_be_positive():
    """Somebody has to do the work."""
    check = cpu_park.Options.__dataclass_fields__["keep"].metadata["check"]
    assert check(0)
    assert check(1) is check(None) is None


def test_tool_that_binds_processes_is_named(machine):
    """Numad and parking disagree about who runs where."""
    machine.add_task(66, "numad")
    assert "numad (pid 66)" in probe(machine, "cpu-park").detail


def test_nothing_wanted(machine):
    """With cgroup v1 and everything else switched off there is nothing to do."""
    machine.add("/proc/mounts", HYBRID)
    assert not probe(machine, "cpu-park", interrupts=False, work_queues=False)
