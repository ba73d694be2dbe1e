"""Switches processors off (opt-in): every interrupt mask is put back, and only the processors that were taken come back.

cpu-park saves the same and is milder: prefer it. An offline processor is reached only by hotplug (67-77 ms each), running tasks that are pinned
to it lose their affinity for good, and on AMD an offline thread can *raise* the idle power by 80 W (arXiv 2108.00808, section VI). So: processors
to which a task is pinned stay, each NUMA node keeps one, AMD needs ``force_amd``. List this action after cpu-clock: what is
restored backwards then has its processors before its frequency policies. Owns ``cpuN/online``; never writes ``smt/control``, which would
also bring back processors that an admin had taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.value import dataclass
from powernap.host import affinity, cpu_guards, cpufreq, cpusets, irqs
from powernap.host.availability import Availability, UnavailableError, available, unavailable, unwritable
from powernap.host.cpus import CPU, Topology, awake, format_cpulist, read_cpulist, topology
from powernap.host.knobs import Change
from powernap.host.modes import writable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.host.files import Files
    from powernap.host.host import Host

RISK = "careful"
LANE = "slow"


def _at_least_one(count: int | None) -> str | None:
    return (
        "must be at least 1: the kernel keeps the last processor" if count is not None and count < 1 else None
    )


@dataclass(frozen=True)
class Options:
    """How far to go."""

    keep: int | None = option(
        None,
        example="2",
        check=_at_least_one,
        help="How many processors stay online at least. Not set: one of each NUMA node.",
    )
    force_amd: bool = option(
        False,
        help="Also on AMD and Hygon, where offline threads were measured to raise the idle power: measure yours before you set it.",
    )
    despite: tuple[str, ...] = option(
        (),
        example='["guests"]',
        choices=tuple(guard.name for guard in cpu_guards.OFFLINE),
        help="Guards to pass over, at your own risk.",
    )


def probe(host: Host, options: Options) -> Availability:
    """Which processors would go, and what forbids it."""
    return _judged(host.files, options)[0]


def plan(host: Host, options: Options) -> Iterator[Change]:
    """Remember bound threads and every interrupt mask, which the kernel rewrites when a processor goes, and what it forgets of a frequency
    policy with its last processor; then take processors, the highest first. One that is refused (EBUSY: a deadline task needs its bandwidth) stays, and the others still save.
    """
    files = host.files
    verdict, taken = _judged(files, options)
    if not verdict:
        raise UnavailableError(verdict)
    yield from affinity.moved_by_hotplug(files)
    for path in irqs.masks(files):
        yield irqs.change(files, path, None)
    yield from cpufreq.forgotten_by_hotplug(files, taken)
    yield from _without_partition(files, taken)
    for cpu in sorted(taken, reverse=True):
        yield Change(f"{CPU}/cpu{cpu}/online", "0", form="number", optional=True)


def _without_partition(files: Files, taken: frozenset[int]) -> Iterator[Change]:
    """Dissolve cpu-park's partition where nothing would be left in it.

    The last processor of an isolated partition may be refused (EBUSY): its scheduling domain is then found too small for what the kernel
    booked there for its own frequency threads (dl_cpu_busy in kernel/sched/core.c, seen with Linux 6.1). Among the others it is not.
    """
    group = f"{cpusets.mounted(files)}/{cpusets.PARKED}"
    parked = read_cpulist(files, f"{group}/cpuset.cpus") & read_cpulist(files, f"{CPU}/online")
    if parked and parked <= taken:
        yield Change(f"{group}/cpuset.cpus.partition", "member")


def _judged(files: Files, options: Options) -> tuple[Availability, frozenset[int]]:
    """What the probe says, and the processors to take. One look for both: looking at all threads is what it costs."""
    machine = topology(files)
    permitted = _permission(files, machine, options)
    if not permitted:
        return permitted, frozenset()
    taken, pinned = _taken(files, machine, options)
    why = [
        f"{cpu_guards.describe(task)} is pinned to {format_cpulist(task.allowed)}, which stays online"
        for task in pinned[:3]
    ]
    if not taken:
        return unavailable("; ".join(["no processor is free to go", *why]), "use cpu-park"), taken
    return available("; ".join([f"can switch off {format_cpulist(taken)}", *why])), taken


def _permission(files: Files, machine: Topology, options: Options) -> Availability:
    """Whether any processor may be switched off here."""
    if machine.vendor in {"AuthenticAMD", "HygonGenuine"} and not options.force_amd:
        return unavailable(
            "on AMD offline threads can raise the idle power",
            "use cpu-park; or measure, and set force_amd = true",
        )
    permitted = cpu_guards.permission(files, cpu_guards.OFFLINE, options.despite)
    if not permitted:
        return permitted
    able = [cpu for cpu in machine.online if files.exists(f"{CPU}/cpu{cpu}/online")]
    if not able:
        return unavailable(
            "no processor has an online switch: this kernel has no CPU hotplug", "use cpu-park"
        )
    if not any(writable(files, f"{CPU}/cpu{cpu}/online") for cpu in able):
        return unwritable(f"{CPU}/cpu{able[0]}/online")
    return permitted


def _taken(files: Files, machine: Topology, options: Options) -> tuple[frozenset[int], list[cpu_guards.Task]]:
    """The processors to take, and the tasks whose pinning keeps some of them."""
    kept = awake(machine, machine.nodes, None)
    if options.keep is not None and options.keep > len(kept):
        kept |= awake(machine, machine.nodes, options.keep)
    free = frozenset(cpu for cpu in machine.online - kept if writable(files, f"{CPU}/cpu{cpu}/online"))
    # a task that may run nowhere else would be given every processor, and would keep them when its own come back
    pinned = [task for task in cpu_guards.tasks(files) if task.allowed & machine.online <= free]
    return free - frozenset().union(*(task.allowed for task in pinned)), pinned
