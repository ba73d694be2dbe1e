"""Switches the second hardware threads off (opt-in): the interrupt masks come back, and processors that an admin had off stay off.

cpu-park saves the same and is milder: prefer it. Owns ``smt/control``, and never writes ``forceoff``, which lasts until the reboot. Its traps
(research/powersave-knobs.md section 4), each seen on a real kernel: ``on`` brings back *every* processor, so those that are offline now are
remembered and taken off again; ``off`` takes a whole core whose first thread is offline, which is refused; interrupts and running tasks that
are bound to a thread lose that for good, so masks are remembered and a bound task forbids it. On AMD an offline thread can raise the idle
power by 80 W (arXiv 2108.00808, section VI).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.value import dataclass
from powernap.host import affinity, cpu_guards, cpufreq, irqs
from powernap.host.availability import Availability, UnavailableError, available, unavailable, unwritable
from powernap.host.cpu_guards import Guard
from powernap.host.cpus import CPU, Topology, format_cpulist, number, read_cpulist, topology
from powernap.host.files import matching, text
from powernap.host.knobs import Change
from powernap.host.modes import writable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.host.files import Files
    from powernap.host.host import Host

RISK = "careful"
LANE = "slow"

CONTROL = f"{CPU}/smt/control"


def seconds(machine: Topology) -> frozenset[int]:
    """The threads that go: all but the first of each core that has more than one online."""
    return frozenset(cpu for group in machine.siblings.values() for cpu in group - {min(group)})


def lone(files: Files, machine: Topology) -> frozenset[int]:
    """Threads that may be the second of a core whose first is offline; ``off`` takes these too (kernel/cpu.c, cpuhp_smt_disable).

    An offline thread has no core that the kernel would name, but it has the lower number; and a thread of such a core is alone in it.
    """
    offline = read_cpulist(files, f"{CPU}/present") - machine.online
    alone = {cpu for cpu, group in machine.siblings.items() if len(group) == 1}
    return frozenset(cpu for cpu in alone if any(other < cpu for other in offline))


def going(files: Files) -> frozenset[int]:
    """All that ``off`` may take."""
    machine = topology(files)
    return seconds(machine) | lone(files, machine)


def lost_cores(files: Files) -> str:
    """Cores that would go as a whole."""
    found = lone(files, topology(files))
    return f"processor {format_cpulist(found)} may be a second thread whose first is offline" if found else ""


def bound_tasks(files: Files) -> str:
    """Tasks that may run only on threads that go."""
    online, off = read_cpulist(files, f"{CPU}/online"), going(files)
    bound = [task for task in cpu_guards.tasks(files) if task.allowed & online <= off]
    return ", ".join(
        f"{cpu_guards.describe(task)} is pinned to {format_cpulist(task.allowed)}" for task in bound[:3]
    )


GUARDS = (
    *cpu_guards.OFFLINE,
    Guard("lost-core", lost_cores, "its whole core would go"),
    Guard("bound-tasks", bound_tasks, "the kernel would let it run anywhere, and leave it so"),
)


@dataclass(frozen=True)
class Options:
    """How far to go."""

    force_amd: bool = option(
        False,
        help="Also on AMD and Hygon, where offline threads were measured to raise the idle power: measure yours before you set it.",
    )
    despite: tuple[str, ...] = option(
        (),
        example='["guests"]',
        choices=tuple(guard.name for guard in GUARDS),
        help="Guards to pass over, at your own risk.",
    )


REFUSALS = {
    "": ("this kernel cannot switch threads", ""),
    "notsupported": ("the processors have one thread each, or a hypervisor hides them", ""),
    "notimplemented": ("this kernel cannot switch the threads of this machine", ""),
    "forceoff": ("SMT was switched off for good (forceoff, or nosmt=force): only a reboot changes that", ""),
}


def probe(host: Host, options: Options) -> Availability:
    """Which threads would go, and what forbids it."""
    files, control = host.files, text(host.files, CONTROL)
    if control != "on":
        return unavailable(*REFUSALS.get(control, (f'SMT is "{control}" already', "")))
    machine = topology(files)
    if text(files, f"{CPU}/smt/active") != "1":
        return unavailable("no core has two threads online")
    if machine.vendor in {"AuthenticAMD", "HygonGenuine"} and not options.force_amd:
        return unavailable(
            "on AMD offline threads can raise the idle power",
            "use cpu-park; or measure, and set force_amd = true",
        )
    if not writable(files, CONTROL):
        return unwritable(CONTROL)
    permitted = cpu_guards.permission(files, GUARDS, options.despite)
    return permitted and available(f"can switch off the threads {format_cpulist(seconds(machine))}")


def plan(host: Host, options: Options) -> Iterator[Change]:
    """Remember the interrupt masks, what is forgotten with a frequency policy's last processor, and which processors are online; then the
    switch. Backwards, masks come last.

    All processors are remembered, not only those that are off: when one cannot go (EBUSY) the kernel leaves those that went before it off.
    """
    verdict = probe(host, options)
    if not verdict:
        raise UnavailableError(verdict)
    yield from affinity.moved_by_hotplug(host.files)
    for path in irqs.masks(host.files):
        yield irqs.change(host.files, path, None)
    yield from cpufreq.forgotten_by_hotplug(host.files, going(host.files))
    for path in sorted(matching(host.files, f"{CPU}/cpu[0-9]*/online"), key=_processor):
        yield Change(path, None, form="number")
    yield Change(CONTROL, "off")


def _processor(path: str) -> int:
    return number(path.removesuffix("/online"))
