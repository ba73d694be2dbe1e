"""The guest's settings as one tree of values, to be equal before and after a cycle.

What is taken: every file of /sys, /proc/sys and /proc/irq that somebody may write (so also the governors' tunables, queue and power
settings of devices, masks of interrupts and work queues, the cgroup tree), the lists of CPUs, the network cards' wake flags, and where
each user-space thread may run. What moves by itself is left out by name.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator

from lab.guest import Guest

Tree = dict[str, str]

ROOTS = ("/sys", "/proc/sys", "/proc/irq")
LEFT_OUT = frozenset((
    "/sys/kernel/debug", "/sys/kernel/tracing", "/sys/kernel/security", "/sys/fs/bpf", "/sys/fs/pstore",
    "/sys/kernel/slab", "/sys/kernel/btf", "/sys/kernel/irq", "/sys/firmware", "/sys/devices/virtual/tty", "/sys/devices/virtual/vc",
))  # fmt: skip
"""Other file systems below /sys, in which reading has effects of its own; and the large ones where nobody sets anything of power."""
READ_ONLY = ("online", "offline", "effective_affinity_list", "cpuset.cpus.effective")
"""Files that nobody may write but that tell of a setting."""
VOLATILE = (
    # how many there are, random bytes, and limits that follow the free memory
    r"/proc/sys/kernel/(ns_last_pid|random/.*|pty/nr)",
    r"/proc/sys/fs/(dentry-state|file-nr|inode-nr|inode-state)",
    r"/proc/sys/net/.*conntrack_count",
    # counters that may be reset by writing
    r"/proc/irq/\d+/spurious",
    r"/sys/.*/(iostats|stat|inflight|wakeup_count|.*_errors|statistics/.*)",
    # what processes do in their cgroup, and which they are
    r"/sys/fs/cgroup/.*/?(cgroup\.procs|cgroup\.threads|.*\.pressure|.*\.peak|memory\.reclaim)",
    # measured at each reading
    r"/sys/.*/(power1_average|scaling_setspeed)",
    # the processor that an interrupt is served on at the moment: x86 moves it when it fires next
    r"/proc/irq/\d+/effective_affinity(_list)?",
    # a PCI device's registers, which are its driver's
    r"/sys/devices/pci.*/config",
    # /sys/module/*/parameters has no setting of ours but scsi_debug's counters
    r"/sys/(module|bus/pseudo/drivers)/scsi_debug/.*",
)  # fmt: skip
MOVES = re.compile("|".join(f"(?:{pattern})" for pattern in VOLATILE))
MOST = 4096


def take(guest: Guest) -> Tree:
    """The guest's tree now."""
    tree: Tree = guest.call("lab.tree:look")
    return tree


def differences(before: Tree, after: Tree) -> list[str]:
    """What is not as it was, a line each; threads that have ended or begun are none."""
    found = []
    for path in sorted(before.keys() | after.keys()):
        then, now = before.get(path), after.get(path)
        if then == now or (path.startswith("thread ") and None in (then, now)):
            continue
        found.append(f"{path}: was {_shown(then)}, is {_shown(now)}")
    return found


def _shown(value: str | None) -> str:
    return "not there" if value is None else repr(value)


# In the guest, called there by its agent.


def look() -> Tree:
    """The machine's tree."""
    tree: Tree = {}
    for path in _files():
        tree[path] = _content(path)
    tree.update(_wake_flags())
    tree.update(_threads())
    return tree


def _files() -> Iterator[str]:
    for root in ROOTS:
        yield from _below(root)


def _below(directory: str) -> Iterator[str]:
    """Twice as fast as os.walk(), which asks each directory whether it is a link."""
    try:
        entries = list(os.scandir(directory))
    except OSError:  # a process or device that has gone since
        return
    for entry in entries:
        path = entry.path
        if entry.is_dir(follow_symlinks=False):
            if path not in LEFT_OUT:
                yield from _below(path)
        elif (
            entry.is_file(follow_symlinks=False)
            and (entry.name in READ_ONLY or _settable(path))
            and not MOVES.fullmatch(path)
        ):
            yield path


def _settable(path: str) -> bool:
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False
    return mode & 0o222 != 0 and mode & 0o444 != 0


def _content(path: str) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        return f"<{error.strerror}>"
    try:
        return os.read(fd, MOST).decode(errors="replace").strip()
    except OSError as error:
        return f"<{error.strerror}>"
    finally:
        os.close(fd)


def _wake_flags() -> Tree:
    """The wake flags of each network card that has any (ethtool(8))."""
    tree = {}
    for card in sorted(os.listdir("/sys/class/net")):
        said = subprocess.run(["ethtool", card], capture_output=True, text=True, check=False).stdout
        if flags := re.search(r"^\s*Wake-on: (\w+)", said, re.MULTILINE):
            tree[f"ethtool {card} wol"] = flags[1]
    return tree


def _threads() -> Tree:
    """Where each user-space thread may run. Kernel threads have no memory of their own: ``VmSize`` is missing (proc_pid_status(5))."""
    tree = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            threads = os.listdir(f"/proc/{pid}/task")
        except OSError:
            continue
        for thread in threads:
            status = _content(f"/proc/{pid}/task/{thread}/status")
            name, where = (
                re.search(r"^Name:\t(.*)", status),
                re.search(r"^Cpus_allowed_list:\t(.*)", status, re.MULTILINE),
            )
            if name and where and "\nVmSize:" in status:
                tree[f"thread {thread} {name[1]}"] = f"runs on {where[1]}"
    return tree
