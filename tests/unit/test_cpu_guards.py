"""Each guard finds what it guards against, and nothing on a plain machine."""

from __future__ import annotations

import pytest

from fakekernel import acpi_server
from powernap.host import cpu_guards
from powernap.host.cpu_guards import OFFLINE, PARKING, Task, describe, parse_task, standing, tasks

GROUPS = "/sys/fs/cgroup"
STATUS = "Name:\tx\nCpus_allowed:\t8\nCpus_allowed_list:\t3\n"


def stat(name="cron", flags=4194560, policy=0):
    """A line of /proc/PID/stat with these fields 2, 9 and 41."""
    return f"812 ({name}) S 1 1 1 0 -1 {flags} " + "0 " * 31 + f"{policy} 0 0"


@pytest.fixture
def machine(tmp_path):
    """The machine of these tests."""
    kernel = acpi_server(tmp_path)
    kernel.add("/proc/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n")
    kernel.add("/proc/version", "Linux version 6.12.0 #1 SMP PREEMPT_DYNAMIC")
    kernel.add("/proc/cmdline", "root=/dev/sda1 quiet")
    return kernel


def make_deadline(kernel):
    """A thread under SCHED_DEADLINE."""
    kernel.add("/proc/99/task/99/stat", stat("video", policy=6))
    kernel.add("/proc/99/task/99/status", STATUS)


def make_cpusets(kernel):
    """A slice that an admin gave two processors."""
    kernel.write(f"{GROUPS}/cgroup.subtree_control", "+cpuset")
    kernel.write(f"{GROUPS}/system.slice/cpuset.cpus", "2-3")


CASES = {
    "one-cpu": (lambda kernel: kernel.set_online({0}), "1 processor online"),
    "isolcpus": (
        lambda kernel: kernel.add("/proc/cmdline", "ro isolcpus=domain,2-3 nohz_full=2-3"),
        "isolcpus=domain,2-3 nohz_full=2-3",
    ),
    "realtime": (lambda kernel: kernel.add("/sys/kernel/realtime", "1"), "a PREEMPT_RT kernel"),
    "cpusets": (make_cpusets, "system.slice: 2-3"),
    "kubelet-static": (
        lambda kernel: kernel.add(
            "/var/lib/kubelet/cpu_manager_state", '{"policyName": "static","defaultCpuSet":"0"}'
        ),
        "/var/lib/kubelet/cpu_manager_state says static",
    ),
    "pinned-guests": (
        lambda kernel: kernel.add(
            "/run/libvirt/qemu/web3.xml", "<cputune><vcpupin vcpu='0' cpuset='2'/></cputune>"
        ),
        "web3",
    ),
    "guests": (lambda kernel: kernel.add("/proc/700/comm", "qemu-system-x86"), "qemu-system-x86"),
    "deadline": (make_deadline, "video (pid 99)"),
}


def test_plain_machine_is_free(machine):
    """No guard stands on a server that does nothing special, also when its cgroups have the controller."""
    assert standing(machine, OFFLINE) == []
    machine.write(f"{GROUPS}/cgroup.subtree_control", "+cpuset")
    machine.add("/var/lib/kubelet/cpu_manager_state", '{"policyName":"none"}')
    machine.add("/run/libvirt/qemu/web3.xml", "<vcpu>2</vcpu>")
    assert standing(machine, OFFLINE) == []


@pytest.mark.parametrize("name", CASES)
def test_guard_names_its_evidence(machine, name):
    """What stands in the way is shown, so that the admin can judge; exactly one guard speaks."""
    make, evidence = CASES[name]
    make(machine)
    assert [(guard.name, found) for guard, found in standing(machine, OFFLINE)] == [(name, evidence)]


def test_every_guard_has_a_case():
    """A new guard comes with its test, a name of its own and a reason."""
    assert {guard.name for guard in OFFLINE} == set(CASES)
    assert len({guard.name for guard in OFFLINE}) == len(OFFLINE)
    assert set(PARKING) < set(OFFLINE)
    assert all(guard.reason for guard in OFFLINE)


def test_admin_passes_over_a_guard_by_name(machine):
    """Only the named guard is passed over."""
    CASES["isolcpus"][0](machine)
    CASES["guests"][0](machine)
    assert [guard.name for guard, _ in standing(machine, OFFLINE, ("isolcpus",))] == ["guests"]


def test_realtime_is_also_seen_by_the_version(machine):
    """An RT kernel before 5.x has no /sys/kernel/realtime."""
    machine.add("/proc/version", "Linux version 6.1.0-rt #1 SMP PREEMPT_RT Debian")
    assert cpu_guards.realtime(machine)


def test_tasks_are_read_from_a_machine(machine):
    """Every thread is seen with where it may run."""
    assert {(task.name, task.allowed) for task in tasks(machine)} <= {
        ("cron", frozenset(range(4))),
        ("systemd", frozenset(range(4))),
    }


def test_thread_with_a_wild_name_is_parsed():
    """A name may hold brackets and spaces; the fields are counted from its end."""
    task = parse_task(812, stat("a) S (b", policy=6), STATUS)
    assert task == Task(812, "a) S (b", 6, frozenset({3}))
    assert describe(task) == "a) S (b (pid 812)"


@pytest.mark.parametrize(
    ("text", "status"),
    [(stat(flags=0x00200040), STATUS), ("", STATUS), (stat(), ""), ("812 (x) Z 1", STATUS)],
    ids=["kernel thread", "ended before stat", "ended before status", "short"],
)
def test_what_is_no_user_task_is_left_out(text, status):
    """Kernel threads live on their processor, and a task that has ended needs none."""
    assert parse_task(1, text, status) is None
