"""Guards: what a machine may be doing that forbids to park its processors or to switch them off.

Owns the looking; each guard is a name, a look that answers with its evidence (or nothing), and what would go wrong. Which guards an
action heeds is its own list, and an admin may pass over any of them by name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from powernap.core.value import dataclass
from powernap.host import cpusets, roll
from powernap.host.availability import Availability, available, unavailable
from powernap.host.cpus import CPU, parse_cpulist, read_cpulist
from powernap.host.files import matching, text

if TYPE_CHECKING:
    from powernap.host.files import Files

PF_KTHREAD = 0x00200000  # include/linux/sched.h
SCHED_DEADLINE = 6  # include/uapi/linux/sched.h
GUEST = re.compile(r"CPU \d+/KVM|qemu-.*|kvm|firecracker|cloud-hyperviso|fc_vcpu \d+")


@dataclass(frozen=True)
class Guard:
    """:param finds: the evidence, or an empty text when nothing forbids it; :param reason: what would go wrong."""

    name: str
    finds: Callable[[Files], str]
    reason: str


@dataclass(frozen=True)
class Task:
    """A user-space thread: where it may run, and how it is scheduled."""

    pid: int
    name: str
    policy: int
    allowed: frozenset[int]


def standing(files: Files, guards: Iterable[Guard], despite: Iterable[str] = ()) -> list[tuple[Guard, str]]:
    """The guards that forbid it now, each with its evidence."""
    heeded = [guard for guard in guards if guard.name not in set(despite)]
    return [(guard, found) for guard in heeded if (found := guard.finds(files))]


def permission(files: Files, guards: Iterable[Guard], despite: Iterable[str] = ()) -> Availability:
    """What an action answers by its guards: the first that stands forbids it."""
    for guard, found in standing(files, guards, despite):
        remedy = "" if guard.name == "one-cpu" else f'despite = ["{guard.name}"] passes over this'
        return unavailable(f"{found}: {guard.reason}", remedy)
    return available("no guard forbids it")


def boot_isolation(files: Files) -> str:
    """Processors that the kernel's command line sets apart (Documentation/admin-guide/kernel-parameters.txt)."""
    words = re.findall(r"(?:^|\s)((?:isolcpus|nohz_full|rcu_nocbs)=\S+)", text(files, "/proc/cmdline"))
    return " ".join(words)


def realtime(files: Files) -> str:
    """A PREEMPT_RT kernel, which says so in two places."""
    told = text(files, "/sys/kernel/realtime") == "1" or "PREEMPT_RT" in text(files, "/proc/version")
    return "a PREEMPT_RT kernel" if told else ""


def explicit_cpusets(files: Files) -> str:
    """Cgroups that were given processors by hand."""
    mount = cpusets.mounted(files)
    return ", ".join(sorted(cpusets.placed(files, mount))[:3]) if mount else ""


def kubelet_static(files: Files) -> str:
    """Kubernetes' CPU manager gives whole processors to containers (its state file says by which policy)."""
    state = "/var/lib/kubelet/cpu_manager_state"
    return f"{state} says static" if re.search(r'"policyName"\s*:\s*"static"', text(files, state)) else ""


def pinned_guests(files: Files) -> str:
    """Virtual machines whose processors libvirt pins."""
    pinned = [path for path in matching(files, "/run/libvirt/qemu/*.xml") if "<vcpupin" in text(files, path)]
    return ", ".join(path.rpartition("/")[2].removesuffix(".xml") for path in pinned)


def single(files: Files) -> str:
    """A machine with nothing to save."""
    online = read_cpulist(files, f"{CPU}/online")
    return f"{len(online)} processor online" if len(online) < 2 else ""


def guests(files: Files) -> str:
    """Virtual machines that run under KVM here, by the names of their threads."""
    return next((name for name in map(os.fsdecode, roll.call(files)) if GUEST.fullmatch(name)), "")


def deadline_tasks(files: Files) -> str:
    """A task under SCHED_DEADLINE: the kernel refuses (EBUSY) to take a processor that its bandwidth needs."""
    found = next((task for task in tasks(files) if task.policy == SCHED_DEADLINE), None)
    return describe(found) if found else ""


def tasks(files: Files) -> Iterator[Task]:
    """Every user-space thread. Two reads each, 0.1 ms a thread on a busy machine, so for probes and plans only."""
    for pid in filter(str.isdigit, files.names("/proc")):
        for thread in filter(str.isdigit, files.names(f"/proc/{pid}/task")):
            where = f"/proc/{pid}/task/{thread}"
            task = parse_task(int(thread), text(files, f"{where}/stat"), text(files, f"{where}/status"))
            if task:
                yield task


def describe(task: Task) -> str:
    """``"nginx (pid 812)"``."""
    return f"{task.name} (pid {task.pid})"


def parse_task(pid: int, stat: str, status: str) -> Task | None:
    """A thread from its ``stat`` and ``status`` (proc_pid_stat(5)); ``None`` for kernel threads and for what has just ended."""
    name, fields = stat[stat.find("(") + 1 : stat.rfind(")")], stat[stat.rfind(")") + 1 :].split()
    allowed = re.search(r"^Cpus_allowed_list:\s*(\S+)", status, re.MULTILINE)
    if len(fields) < 39 or not allowed or int(fields[6]) & PF_KTHREAD:
        return None
    return Task(pid, name, int(fields[38]), parse_cpulist(allowed[1]))


PARKING = (
    Guard("one-cpu", single, "nothing is left to park"),
    Guard("isolcpus", boot_isolation, "somebody divided the processors when the machine was started"),
    Guard("realtime", realtime, "its deadlines need the processors where they are"),
    Guard(
        "cpusets",
        explicit_cpusets,
        "their tasks were placed by hand, and a partition would take their processors",
    ),
    Guard("kubelet-static", kubelet_static, "containers own whole processors"),
    Guard("pinned-guests", pinned_guests, "their virtual processors are pinned"),
)

OFFLINE = (
    *PARKING,
    Guard("guests", guests, "a guest's clock and its virtual processors suffer when processors go"),
    Guard("deadline", deadline_tasks, "the kernel would refuse (EBUSY), or it would miss its deadlines"),
)
