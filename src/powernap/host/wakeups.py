"""How often each process has gone to sleep, which is how often something has had to wake it.

Owns the counters of /proc/PID/task/TID/status (proc_pid_status(5), ``voluntary_ctxt_switches``). A task that waits on a timer every 10 ms
counts 100 a second, one that computes without a pause none. Tasks that came and went between two looks are not seen: they are counted
in /proc/stat, all together.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from powernap.core.value import dataclass
from powernap.host.files import text
from powernap.host.roll import pids, read_head

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.host.files import Files

COUNT = re.compile(rb"^voluntary_ctxt_switches:\s*(\d+)", re.MULTILINE)
NAME = re.compile(rb"^Name:\s*(.*)", re.MULTILINE)
KERNEL = re.compile(rb"^PPid:\s*2$", re.MULTILINE)
"""Kernel threads are children of kthreadd, which is process 2."""
LENGTH = 4096
"""Bytes of a status: 1.6 KB with 2 processors; a list of 1,024 memory nodes is 0.3 KB more."""
FORKS = re.compile(r"^processes (\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Task:
    """A thread: ``count`` of times it went to sleep since it began; ``kernel`` for one of the kernel's own."""

    pid: int
    tid: int
    name: str
    count: int
    kernel: bool = False


def tasks(files: Files, without: int = 0) -> dict[int, Task]:
    """Every thread, by its id; two system calls each. A recorded machine has only the first of each process.

    :param without: a process to leave out: we ourselves.
    """
    found: dict[int, Task] = {}
    for pid in pids(files):
        if pid != without:
            found.update((task.tid, task) for task in threads(files, pid))
    return found


def threads(files: Files, pid: int) -> Iterator[Task]:
    """Of one process; of one that is gone or hidden none."""
    try:
        numbers = files.names(f"/proc/{pid}/task")
    except OSError:
        return
    places = [(int(name), f"/proc/{pid}/task/{name}/status") for name in numbers if name.isdecimal()]
    for tid, path in places or [(pid, f"/proc/{pid}/status")]:
        try:
            task = parse(pid, tid, read_head(files, path, LENGTH))
        except OSError:
            continue
        if task:
            yield task


def parse(pid: int, tid: int, status: bytes) -> Task | None:
    """Of a status; ``None`` where it has no counter (a kernel thread that is about to end)."""
    count, name = COUNT.search(status), NAME.search(status)
    if not count or not name:
        return None
    return Task(
        pid, tid, name[1].decode(errors="surrogateescape"), int(count[1]), bool(KERNEL.search(status))
    )


def forks(files: Files) -> int:
    """Processes and threads started since the machine was (proc_stat(5)); -1 where that cannot be read."""
    found = FORKS.search(text(files, "/proc/stat"))
    return int(found[1]) if found else -1


def unit(files: Files, pid: int) -> str:
    """The systemd service that a process belongs to; empty for sessions, kernel threads and where there is no systemd."""
    path = re.search(r"^(?:0:|1:name=systemd):(\S+)", text(files, f"/proc/{pid}/cgroup"), re.MULTILINE)
    services = [part for part in path[1].split("/") if part.endswith(".service")] if path else []
    # the user's manager is a service too, and stopping it would log the user out
    return services[0] if services and not services[0].startswith("user@") else ""
