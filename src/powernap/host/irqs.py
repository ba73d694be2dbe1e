"""Interrupts: which of them may be moved to other processors, which file says where they go, and which interrupt it is.

Owns /proc/irq (Documentation/core-api/irq/irq-affinity.rst) and the knob kind ``interrupt``. Moving them is an action's; irqbalance is
host/conflicts.py.

A number is no name: a driver that gives its interrupts back when the machine sleeps (virtio, xhci and ahci of Linux 6.1) gets any that
are free when it wakes, and its old ones go to others. What stays is the line, that is the chip and the place on it (for a device's own
messages its bus address and the vector), and who handles it (Documentation/ABI/testing/sysfs-kernel-irq). A mask is put back where both
are now.
"""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING

from powernap.host.cpus import number, parse_cpumask
from powernap.host.files import matching, text
from powernap.host.knobs import Change
from powernap.host.modes import writable

if TYPE_CHECKING:
    from powernap.host.files import Files

DEFAULT = "/proc/irq/default_smp_affinity"
DESCRIBED = "/sys/kernel/irq"
QUEUES = "/sys/devices/virtual/workqueue"
NOBODY = "nobody"


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


# --- one interrupt, by whatever number


def change(files: Files, path: str, new: str | None, *, optional: bool = False) -> Change:
    """A change of a mask file that :func:`masks` gave. Of an interrupt that the kernel describes, by its name."""
    irq = path.split("/")[3]
    if not files.exists(f"{DESCRIBED}/{irq}"):
        return Change(path, new, form="cpumask", optional=optional)
    return Change(target(files, irq), new, "interrupt", "cpumask", optional=optional)


def target(files: Files, irq: str) -> str:
    """The target of a change of kind ``interrupt``: ``/proc/irq/26 (virtio0-req.1; PCI-MSI 32770) smp_affinity``."""
    return f"/proc/irq/{irq} ({identity(files, irq)}) smp_affinity"


def identity(files: Files, irq: str) -> str:
    """Who handles it, and its line: ``"acpi,i801_smbus; IO-APIC 9"``; ``"nobody; ..."`` where no driver asked for it, empty where there is none."""
    handlers, chip, place = (
        text(files, f"{DESCRIBED}/{irq}/{name}") for name in ("actions", "chip_name", "hwirq")
    )
    return f"{handlers or NOBODY}; {chip} {place}" if handlers or chip else ""


def shared(one: str, other: str) -> set[str] | None:
    """The handlers that two identities have in common; ``None`` where they are different lines."""
    (these, line), (those, other_line) = (each.rpartition("; ")[::2] for each in (one, other))
    return {*these.split(",")} & {*those.split(",")} if line == other_line else None


def read(files: Files, where: str) -> str:
    """The mask of this very interrupt. ``ESTALE`` when it has gone."""
    return files.read(_found(files, where)).rstrip("\n")


def write(files: Files, where: str, value: str) -> None:
    """Set it. ``ESTALE`` when it has gone."""
    files.write(_found(files, where), value)


def _found(files: Files, where: str) -> str:
    """Its mask file now: by the number it had, else the only one that is on the same line with the same handler."""
    irq, known = _parsed(where)
    now = identity(files, irq)
    common = shared(now, known)
    # of a line the mask stays while drivers come and go
    free = common is not None and any(each.startswith(f"{NOBODY}; ") for each in (now, known))
    if common or free:
        return f"/proc/irq/{irq}/smp_affinity"
    moved = _moved(files, known)
    if moved:
        return f"/proc/irq/{moved}/smp_affinity"
    after = f", and its number is that of {now.rpartition('; ')[0]}" if now else ""
    raise OSError(errno.ESTALE, f"its driver gave the interrupt back{after}", where)


_looked: dict[str, dict[str, str]] = {}
"""Under ``last``, what each number was when all were looked at. After a sleep dozens are looked for, each several times, and a look at all takes
some hundred reads. Trusted only where the same is found at the number once more."""


def _moved(files: Files, known: str) -> str:
    """The only number at which a handler of it is on its line; empty when there is none, or more than one."""
    seen = _looked.get("last", {})
    found = _carriers(seen, known)
    # a line that tells no place may be several interrupts'
    unsure = len(found) != 1 or known.endswith(" ")
    if unsure or identity(files, found[0]) != seen[found[0]]:
        seen = {each: identity(files, each) for each in files.names(DESCRIBED) if each.isdecimal()}
        _looked["last"] = seen
        found = _carriers(seen, known)
    return found[0] if len(found) == 1 else ""


def _carriers(seen: dict[str, str], known: str) -> list[str]:
    return [irq for irq, name in seen.items() if (shared(name, known) or set()) - {NOBODY}]


def _parsed(where: str) -> tuple[str, str]:
    """The number it had and the identity."""
    found = re.fullmatch(r"/proc/irq/(\d+) \((.*)\) smp_affinity", where)
    if not found:
        raise OSError(errno.EINVAL, "names no interrupt", where)
    return found[1], found[2]
