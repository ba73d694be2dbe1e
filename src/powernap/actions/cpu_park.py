"""Keeps work on a few processors, so that the others sleep: a cpuset partition, interrupts and work queues.

The processors stay online: no task loses its affinity, and they are back within milliseconds (research: un-park 4-8 ms, hotplug 67-77 ms for
each processor). Owns the cgroup ``powernap-parked``. Nothing runs in it; it only takes the processors away from everybody else.

The order matters twice. Dissolving a partition gives the work queues back what was last *requested* of them, so their mask is narrowed
before and widened after. And the partition comes last, so that it is the first to be undone: tasks get their processors back at once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.units import many
from powernap.core.value import dataclass
from powernap.host import affinity, cpu_guards, cpusets, irqs
from powernap.host.availability import Availability, UnavailableError, unavailable
from powernap.host.conflicts import owners
from powernap.host.cpus import awake, format_cpulist, format_cpumask, topology, wake_nodes
from powernap.host.files import text
from powernap.host.knobs import Change
from powernap.host.modes import writable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.host.files import Files
    from powernap.host.host import Host

RISK = "safe"
LANE = "fast"


def _at_least_one(count: int | None) -> str | None:
    return "must be at least 1: somebody has to do the work" if count is not None and count < 1 else None


@dataclass(frozen=True)
class Options:
    """How far to park."""

    keep: int | None = option(
        None,
        example="2",
        check=_at_least_one,
        help="How many processors stay in use. Not set: the first, and the first of each NUMA node with a network card that can wake the machine.",
    )
    interrupts: bool = option(True, help="Move interrupts to the processors in use as well.")
    work_queues: bool = option(
        True, help="Keep the kernel's unbound work queues on the processors in use as well."
    )
    despite: tuple[str, ...] = option(
        (),
        example='["cpusets"]',
        choices=tuple(guard.name for guard in cpu_guards.PARKING),
        help="Guards to pass over, at your own risk.",
    )


def probe(host: Host, options: Options) -> Availability:
    """What can be parked here: tasks, interrupts, work queues; and what forbids it."""
    files = host.files
    permitted = cpu_guards.permission(files, cpu_guards.PARKING, options.despite)
    if not permitted:
        return permitted
    parked, _ = _divided(files, options)
    if not parked:
        return unavailable(f"keep = {options.keep} leaves nothing to park", "keep fewer processors")
    able, notes, remedy = _parts(host, options)
    if not able:
        return unavailable("; ".join(notes) or "nothing is to be moved", remedy)
    return Availability(
        usable=True,
        detail="; ".join(
            [f"{', '.join(able)} off {many(len(parked), 'processor')} ({format_cpulist(parked)})", *notes]
        ),
        remedy=remedy,
    )


def movable(host: Host, options: Options) -> tuple[str, ...]:
    """What it could gather here: of "tasks", "interrupts" and "work queues"; nothing where it is not available."""
    return tuple(_parts(host, options)[0]) if probe(host, options) else ()


def _parts(host: Host, options: Options) -> tuple[list[str], list[str], str]:
    """What moves, what stays and why, and a remedy."""
    files = host.files
    tree, moving = cpusets.tree(files), irqs.packable(files) if options.interrupts else []
    without = tree.missing or _closed(files, f"{tree.mount}/cgroup.subtree_control")
    balancer = _balancer(host, options)
    closed = "" if moving or not options.interrupts else _closed(files, irqs.DEFAULT)
    able = [] if without else ["tasks"]
    able += ["interrupts"] if moving and not balancer else []
    able += ["work queues"] if options.work_queues and irqs.queue_masks(files) else []
    notes = [f"tasks stay: {without}"] if without else []
    notes += [f"interrupts stay: {balancer or closed}"] if balancer or closed else []
    notes += [f"{rival}: {rival.tool.advice}" for rival in owners(files, "cpu-park")]
    return able, notes, "run it on the host, as root" if closed else _remedy(without)


def _closed(files: Files, path: str) -> str:
    return "" if writable(files, path) else f"{path} cannot be written from here"


def plan(host: Host, options: Options) -> Iterator[Change]:
    """Work queues, interrupts, then the partition."""
    files = host.files
    permitted = cpu_guards.permission(files, cpu_guards.PARKING, options.despite)
    if not permitted:
        raise UnavailableError(permitted)
    parked, kept = _divided(files, options)
    if not parked:
        return
    if _partitions(files) and affinity.forgotten(files):
        # first, so that they are put back last, when nothing moves the threads any more
        yield from affinity.bound(files)
    if options.work_queues:
        for path in _wide(files, irqs.queue_masks(files), kept):
            yield Change(path, format_cpumask(kept), form="cpumask")
    if options.interrupts and not _balancer(host, options):
        # Optional: one that the kernel places itself shows as writable before Linux 6.10 and refuses (EIO), and a processor may have no
        # vector left for one more (ENOSPC); parking pays without it.
        for path in _wide(files, irqs.packable(files), kept):
            yield irqs.change(files, path, format_cpumask(kept), optional=True)
    yield from _partition(files, parked)


def _divided(files: Files, options: Options) -> tuple[frozenset[int], frozenset[int]]:
    """The processors to park, and those that stay in use."""
    machine = topology(files)
    kept = awake(machine, wake_nodes(files), options.keep)
    return machine.online - kept, kept


def _wide(files: Files, masks: list[str], kept: frozenset[int]) -> Iterator[str]:
    """Masks that reach beyond the kept processors. One that would move only between kept ones is left as it is."""
    return (path for path in masks if irqs.read_mask(files, path) - kept)


def _partition(files: Files, parked: frozenset[int]) -> Iterator[Change]:
    """An isolated partition of the parked processors, where the machine has the means."""
    if not _partitions(files):
        return
    tree = cpusets.tree(files)
    group = f"{tree.mount}/{cpusets.PARKED}"
    if "cpuset" not in tree.enabled:
        yield Change(f"{tree.mount}/cgroup.subtree_control", "+cpuset", form="controller")
    yield Change(group, "present", kind="directory")
    yield Change(f"{group}/cpuset.cpus", format_cpulist(parked), form="cpulist")
    # the write succeeds even when the kernel then says "isolated invalid (Cpu list in cpuset.cpus not exclusive)": reading it back tells
    yield Change(f"{group}/cpuset.cpus.partition", partition_kind(text(files, "/proc/sys/kernel/osrelease")))


def _partitions(files: Files) -> bool:
    """Whether this machine has the means."""
    tree = cpusets.tree(files)
    return not tree.missing and not _closed(files, f"{tree.mount}/cgroup.subtree_control")


def partition_kind(release: str) -> str:
    """``isolated`` (no load balancing inside) exists since Linux 6.1; before that a partition is a ``root``."""
    version = re.match(r"(\d+)\.(\d+)", release)
    old = version is not None and (int(version[1]), int(version[2])) < (6, 1)
    return "root" if old else "isolated"


def _balancer(host: Host, options: Options) -> str:
    """Who would move the interrupts back; empty when nobody or when they stay anyway."""
    if not options.interrupts:
        return ""
    return "; ".join(f"{owner}: {owner.tool.advice}" for owner in owners(host.files, "interrupts"))


def _remedy(missing: str) -> str:
    if "cgroup v1" in missing or "not mounted" in missing:
        return 'start the machine with "systemd.unified_cgroup_hierarchy=1 cgroup_no_v1=cpuset" on the kernel command line'
    return "run it on the host, as root" if missing else ""
