"""The cgroup v2 tree seen from its cpuset controller: where it is mounted, and who placed tasks by hand.

Owns the reading of /proc/mounts and of ``cpuset.*`` (Documentation/admin-guide/cgroup-v2.rst). Making a partition is cpu-park's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.core.value import dataclass
from powernap.host.cpus import CPU, parse_cpulist, read_cpulist
from powernap.host.files import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.host.files import Files

PARKED = "powernap-parked"


@dataclass(frozen=True)
class Tree:
    """The unified hierarchy.

    :param mount: where it is mounted; empty when it is not.
    :param missing: why no cpuset partition can be made here; empty when one can.
    :param enabled: the controllers that the children of the root have.
    """

    mount: str
    missing: str
    enabled: frozenset[str] = frozenset()


def tree(files: Files) -> Tree:
    """The machine's unified hierarchy, and whether it can hold a cpuset partition."""
    mount, bound = parse_mounts(text(files, "/proc/mounts"))
    if not mount:
        return Tree("", "cgroup v2 is not mounted")
    if "cpuset" not in text(files, f"{mount}/cgroup.controllers").split():
        where = (
            "cpuset is bound to cgroup v1" if bound else f"the kernel offers no cpuset controller in {mount}"
        )
        return Tree(mount, where)
    if files.exists(f"{mount}/cgroup.type"):
        return Tree(mount, "this is a container: the processors belong to its host")
    return Tree(mount, "", frozenset(text(files, f"{mount}/cgroup.subtree_control").split()))


def mounted(files: Files) -> str:
    """Where the unified hierarchy is mounted; empty when it is not."""
    return parse_mounts(text(files, "/proc/mounts"))[0]


def granted(files: Files, pid: int) -> frozenset[int]:
    """The processors that were given to the cgroup of a task and to those above it (``cpuset.cpus``); all where nobody gave any.

    Not those that are effective at the moment: these follow a processor that goes or comes, a little later.
    """
    mount, found = mounted(files), read_cpulist(files, f"{CPU}/possible")
    lines = text(files, f"/proc/{pid}/cgroup").splitlines()
    path = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "")
    while mount and path.strip("/"):
        if own := text(files, f"{mount}{path}/cpuset.cpus").strip():
            found &= parse_cpulist(own)
        path = path.rpartition("/")[0]
    return found


def parse_mounts(text: str) -> tuple[str, bool]:
    """Where cgroup v2 is mounted first (or ""), and whether a version 1 hierarchy holds cpuset (proc_pid_mounts(5))."""
    mount, bound = "", False
    for line in text.splitlines():
        _, where, kind, options, *_ = [*line.split(), "", "", "", ""]
        if kind == "cgroup2" and not mount:
            mount = where
        bound = bound or (kind == "cgroup" and "cpuset" in options.split(","))
    return mount, bound


def placed(files: Files, mount: str) -> Iterator[str]:
    """Cgroups that are restricted to processors by hand or are partitions: "machine.slice: 2-3". Ours is left out.

    Descends only where the controller is handed on, so it costs three reads on a machine that does not use cpusets.
    """
    pending = [""]
    while pending:
        group = pending.pop()
        if "cpuset" not in text(files, f"{mount}{group}/cgroup.subtree_control").split():
            continue
        for name in files.names(f"{mount}{group}"):
            child = f"{group}/{name}"
            if name == PARKED or not files.exists(f"{mount}{child}/cpuset.cpus"):
                continue
            cpus, kind = (
                text(files, f"{mount}{child}/cpuset.cpus"),
                text(files, f"{mount}{child}/cpuset.cpus.partition", "member"),
            )
            if cpus or kind != "member":
                yield f"{child[1:]}: {cpus or kind}"
            pending.append(child)
