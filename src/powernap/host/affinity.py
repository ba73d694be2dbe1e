"""Where user-space threads may run: what ``taskset``, a service's ``CPUAffinity`` or the program itself asked for (sched_setaffinity(2)).

Before Linux 6.2 the kernel forgets that when the thread's cpuset changes: a partition that comes takes the threads' processors, and one
that goes gives them all (kernel/cgroup/cpuset.c, update_tasks_cpumask). Since then it keeps what was asked for (commit 8f9ea86fdf99).

A thread is named by its number and the clock tick of its start (another one that has the number later is not it).
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from powernap.host import cpu_guards, cpusets
from powernap.host.cpus import CPU, parse_cpulist, read_cpulist
from powernap.host.files import text
from powernap.host.knobs import Change

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.host.files import Files

STARTED = 19
"""Position of ``starttime`` among the fields behind the name (proc_pid_stat(5))."""
Bind = Callable[[int, frozenset[int]], None]


def forgotten(files: Files) -> bool:
    """Whether this kernel forgets where threads were to run when a cpuset changes."""
    version = re.match(r"(\d+)\.(\d+)", text(files, "/proc/sys/kernel/osrelease"))
    return version is not None and (int(version[1]), int(version[2])) < (6, 2)


def bound(files: Files) -> Iterator[Change]:
    """The threads to be remembered: all but those that may run everywhere, where every processor is on. While one is off they would be given
    other processors than they had: those that are on, and stay away from the one that comes; or all, and follow it.
    """
    online, possible = (read_cpulist(files, f"{CPU}/{name}") for name in ("online", "possible"))
    for task in cpu_guards.tasks(files):
        everywhere = task.allowed >= possible == online
        if not everywhere and (started := _started(files, task.pid)):
            yield Change(f"{task.pid}:{started}", None, kind="affinity", form="cpulist")


def moved_by_hotplug(files: Files) -> Iterator[Change]:
    """The threads to be remembered when a processor goes: all that are bound, where cgroups have the cpuset controller, which binds them
    anew when a processor goes and when it comes (cpuset_hotplug_workfn in kernel/cgroup/cpuset.c).
    """
    if forgotten(files) and "cpuset" in cpusets.tree(files).enabled:
        yield from bound(files)


def read(files: Files, target: str) -> str:
    """The list of processors of one. ``OSError`` (ESTALE) when it has ended."""
    pid = _there(files, target)
    found = re.search(r"^Cpus_allowed_list:\s*(\S+)", text(files, f"/proc/{pid}/status"), re.MULTILINE)
    if not found:
        raise OSError(errno.ESTALE, "the thread has ended")
    return found[1]


def write(files: Files, target: str, value: str) -> None:
    """Bind it. ``OSError`` (ESTALE) also where all is there but processors that are off, since older kernels bind nobody to those and who
    switched them off was not we (knobs.AFTER); and where somebody has taken processors from its cgroup meanwhile.
    """
    pid, wanted = _there(files, target), parse_cpulist(value)
    try:
        door(files)(pid, wanted)
    except ProcessLookupError as error:
        raise OSError(errno.ESTALE, "the thread has ended") from error
    except OSError as error:
        if error.errno == errno.EINVAL and not wanted <= cpusets.granted(files, pid):
            raise OSError(errno.ESTALE, "its cgroup has other processors now") from error
        raise
    lost = wanted - parse_cpulist(read(files, target))
    if lost and not lost & read_cpulist(files, f"{CPU}/online"):
        raise OSError(errno.ESTALE, "this kernel binds no thread to processors that are off")
    if lost and not lost & cpusets.granted(files, pid):
        raise OSError(errno.ESTALE, "its cgroup has other processors now")


def door(files: Files) -> Bind:
    """Who binds threads: this machine's kernel, or what a fake machine brings along."""
    found: Bind | None = getattr(files, "bind", None)
    return found or (os.sched_setaffinity if getattr(files, "root", None) == "" else _nobody)


def _nobody(_pid: int, _cpus: frozenset[int]) -> None:
    raise OSError(errno.EPERM, "the threads of a recorded machine cannot be bound")


def _there(files: Files, target: str) -> int:
    # 0.1.0 wrote a third part
    pid, started, *_ = target.split(":")
    if _started(files, int(pid)) != started:
        raise OSError(errno.ESTALE, "the thread has ended")
    return int(pid)


def _started(files: Files, pid: int) -> str:
    fields = text(files, f"/proc/{pid}/stat").rpartition(")")[2].split()
    return fields[STARTED] if len(fields) > STARTED else ""
