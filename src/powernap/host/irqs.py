"""Interrupts: which of them may be moved to other processors, and which file says where they go.

Owns /proc/irq (Documentation/core-api/irq/irq-affinity.rst). Moving them is an action's; irqbalance is host/conflicts.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.host.cpus import number, parse_cpumask
from powernap.host.files import matching, text
from powernap.host.modes import writable

if TYPE_CHECKING:
    from powernap.host.files import Files

DEFAULT = "/proc/irq/default_smp_affinity"
QUEUES = "/sys/devices/virtual/workqueue"


def masks(files: Files) -> list[str]:
    """The affinity files that the kernel lets us write: the default for new interrupts, then each interrupt by number.

    Managed (per-queue) interrupts are left out: their mode is 0444, the kernel places them itself.
    """
    found = sorted(
        matching(files, "/proc/irq/[0-9]*/smp_affinity"),
        key=lambda path: number(path.removesuffix("/smp_affinity")),
    )
    return [path for path in [DEFAULT, *found] if writable(files, path)]


def packable(files: Files) -> list[str]:
    """The affinity files that may be narrowed to a few processors.

    Not those of a guest or a user-space driver (vfio), nor those that an RDMA card's driver placed by a hint: their owners poll or
    pin on the processor they chose.
    """
    rdma = bool(files.names("/sys/class/infiniband"))
    return [path for path in masks(files) if not foreign(files, path.removesuffix("smp_affinity"), rdma=rdma)]


def foreign(files: Files, directory: str, *, rdma: bool) -> bool:
    """Whether somebody placed the interrupt on purpose. The names of its handlers are directories beside its mask."""
    if any(name.startswith(("vfio", "uio")) for name in files.names(directory)):
        return True
    return rdma and bool(read_mask(files, f"{directory}affinity_hint"))


def queue_masks(files: Files) -> list[str]:
    """Where unbound work queues may run: the mask of all, then each queue's own (Documentation/core-api/workqueue.rst)."""
    found = [f"{QUEUES}/cpumask", *matching(files, f"{QUEUES}/*/cpumask")]
    return [path for path in found if writable(files, path)]


def read_mask(files: Files, path: str) -> frozenset[int]:
    """The processors of a mask file; none where it cannot be read."""
    try:
        return parse_cpumask(text(files, path))
    except ValueError:
        return frozenset()
