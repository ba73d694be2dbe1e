"""Everything that could be changed on this machine, as a comparison before and after: /sys, /proc/sys, /proc/irq and the cgroup tree."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field

ROOTS = ("/sys", "/proc/sys", "/proc/irq")
"""The cgroup tree is below /sys/fs/cgroup."""
LEFT_OUT = (
    "/sys/kernel/debug",
    "/sys/kernel/tracing",
    "/sys/kernel/security",
    "/sys/fs/bpf",
    "/sys/fs/pstore",
)
"""Other file systems mounted below /sys, in which reading has effects of its own (trace_pipe)."""
MOST = 16 * 1024
MOVES = frozenset(
    {
        "ns_last_pid", "max_bytes", "min_bytes", "drop_caches", "next_event", "wakeup_count",
        "cgroup.procs", "cgroup.threads", "tasks",  # processes come and go
    }
)  # fmt: skip


@dataclass
class Tree:
    """:param values: content, or the error's number, of each file that somebody may write; :param names: all paths."""

    values: dict[str, bytes | int] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)


def look() -> Tree:
    """Reads every writable file; what cannot be written cannot have been changed."""
    tree = Tree()
    for root in ROOTS:
        for directory, below, names in os.walk(root):
            below[:] = [name for name in below if f"{directory}/{name}" not in LEFT_OUT]
            tree.names.update(f"{directory}/{name}" for name in (*below, *names))
            for name in names:
                _read(f"{directory}/{name}", tree)
    return tree


def _read(path: str, tree: Tree) -> None:
    try:
        mode = os.lstat(path).st_mode
        if not stat.S_ISREG(mode) or not mode & 0o222:
            return
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        tree.values[path] = error.errno or 0
        return
    try:
        tree.values[path] = os.read(fd, MOST)
    except OSError as error:
        tree.values[path] = error.errno or 0
    finally:
        os.close(fd)


def changed(
    before: Tree, again: Tree, after: Tree
) -> dict[str, tuple[bytes | int | None, bytes | int | None]]:
    """What is different afterwards, apart from what changes by itself: by its nature, or already between two looks before."""
    moving = {path for path, value in again.values.items() if before.values.get(path) != value}
    found = {
        path: (value, after.values.get(path))
        for path, value in again.values.items()
        if after.values.get(path) != value and not (path in moving or moves(path) or gone(path))
    }
    # Sessions, devices and their cgroups come and go; what we made would bear our name.
    ours = {path for path in after.names - again.names if "powernap" in os.path.basename(path)}
    return found | {path: (None, b"") for path in ours if "bench" not in path}


def moves(path: str) -> bool:
    """A counter that may be written (to reset it), or a limit that follows the free memory."""
    name = os.path.basename(path)
    return name in MOVES or name.endswith((".pressure", ".usage", "usage_in_bytes", ".peak"))


def gone(path: str) -> bool:
    """A cgroup that its owner removed meanwhile."""
    return path.startswith("/sys/fs/cgroup/") and not os.path.exists(os.path.dirname(path))
